#include "daemon/yaml_reader.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum { NEAREST_LEN_MAX = 40, NEAREST_NAMES_MAX = 32 };

static bool fail_at(struct yaml_reader *r, yaml_mark_t at, const char *text)
{
    snprintf(r->error, r->error_room, "%s:%zu:%zu: %s", r->name, at.line + 1, at.column + 1, text);
    return false;
}

bool yaml_reader_fail(struct yaml_reader *r, const yaml_node_t *node, const char *format, ...)
{
    char text[512];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    return fail_at(r, node->start_mark, text);
}

const char *yaml_reader_scalar(const yaml_node_t *node)
{
    if (node->type != YAML_SCALAR_NODE ||
        memchr(node->data.scalar.value, '\0', node->data.scalar.length) != NULL)
        return NULL;
    return (const char *)node->data.scalar.value;
}

/* libyaml gives the octet's offset for text that isn't UTF-8, and a mark for everything else. */
static yaml_mark_t mark_of_offset(struct view text, size_t offset)
{
    yaml_mark_t mark = {0};
    for (size_t i = 0; i < offset && i < text.len; i++) {
        mark.column++;
        if (text.ptr[i] == '\n') {
            mark.line++;
            mark.column = 0;
        }
    }
    return mark;
}

static bool fail_syntax(struct yaml_reader *r, const yaml_parser_t *parser, struct view text)
{
    char what[256];
    const char *problem = parser->problem != NULL ? parser->problem : "unreadable";

    if (parser->error == YAML_MEMORY_ERROR)
        return fail_at(r, (yaml_mark_t){0}, "out of memory");
    if (parser->error == YAML_READER_ERROR) {
        snprintf(what, sizeof(what), "not UTF-8 text: %s; save the file as UTF-8", problem);
        return fail_at(r, mark_of_offset(text, parser->problem_offset), what);
    }
    snprintf(what, sizeof(what), "not YAML: %s; look at the indentation and quotes here", problem);
    return fail_at(r, parser->problem_mark, what);
}

static bool load_one(struct yaml_reader *r, yaml_parser_t *parser, struct view text,
                     yaml_document_t *ret)
{
    yaml_document_t more;

    if (!yaml_parser_load(parser, ret))
        return fail_syntax(r, parser, text);
    bool ok = true;
    if (yaml_document_get_root_node(ret) == NULL) {
        ok = fail_at(r, (yaml_mark_t){0},
                     "the configuration is empty; write at least 'outside: eth0'");
    } else if (!yaml_parser_load(parser, &more)) {
        ok = fail_syntax(r, parser, text);
    } else {
        const yaml_node_t *root = yaml_document_get_root_node(&more);
        if (root != NULL)
            ok = yaml_reader_fail(r, root, "a second document begins here; keep only one");
        yaml_document_delete(&more);
    }
    if (!ok)
        yaml_document_delete(ret);
    return ok;
}

bool yaml_reader_load(struct yaml_reader *r, struct view text, yaml_document_t *ret)
{
    yaml_parser_t parser;

    if (!yaml_parser_initialize(&parser))
        return fail_at(r, (yaml_mark_t){0}, "out of memory");
    yaml_parser_set_encoding(&parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&parser, text.ptr != NULL ? text.ptr : (const uint8_t *)"",
                                 text.len);
    bool ok = load_one(r, &parser, text, ret);
    yaml_parser_delete(&parser);
    return ok;
}

static size_t smallest(size_t a, size_t b, size_t c)
{
    size_t ab = a < b ? a : b;
    return ab < c ? ab : c;
}

/* How many letters to insert, remove or replace to make one word from the other. */
static size_t edit_distance(const char *a, const char *b)
{
    size_t row[NEAREST_LEN_MAX + 1], b_len = strlen(b);

    for (size_t j = 0; j <= b_len; j++)
        row[j] = j;
    for (size_t i = 1; a[i - 1] != '\0'; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= b_len; j++) {
            size_t above = row[j];
            row[j] = smallest(above + 1, row[j - 1] + 1, diagonal + (a[i - 1] != b[j - 1]));
            diagonal = above;
        }
    }
    return row[b_len];
}

const char *yaml_reader_nearest(const char *typed, const char *const *names, size_t count)
{
    const char *nearest = NULL;
    size_t best = strlen(typed) / 3 + 1;

    if (strlen(typed) > NEAREST_LEN_MAX)
        return NULL;
    for (size_t i = 0; i < count; i++) {
        if (strlen(names[i]) > NEAREST_LEN_MAX)
            continue;
        size_t distance = edit_distance(typed, names[i]);
        if (distance < best + (nearest == NULL)) {
            best = distance;
            nearest = names[i];
        }
    }
    return nearest;
}

/* "; did you mean 'x'?", or all there are. */
static const char *suggest(const char *typed, const char *const *names, size_t count, char *ret,
                           size_t room)
{
    const char *nearest = yaml_reader_nearest(typed, names, count);
    size_t len;

    if (nearest != NULL) {
        snprintf(ret, room, "did you mean '%s'?", nearest);
        return ret;
    }
    len = (size_t)snprintf(ret, room, "it may be one of:");
    for (size_t i = 0; i < count && len < room; i++)
        len += (size_t)snprintf(ret + len, room - len, "%s %s", i ? "," : "", names[i]);
    return ret;
}

static bool fail_unknown_key(struct yaml_reader *r, const yaml_node_t *key, const char *typed,
                             const struct yaml_field *fields)
{
    const char *names[NEAREST_NAMES_MAX];
    char hint[320];
    size_t count = 0;

    for (; fields[count].name != NULL && count < NEAREST_NAMES_MAX; count++)
        names[count] = fields[count].name;
    return yaml_reader_fail(r, key, "unknown key '%.40s'; %s", typed,
                            suggest(typed, names, count, hint, sizeof(hint)));
}

static const struct yaml_field *find_field(const struct yaml_field *fields, const char *name)
{
    for (; fields->name != NULL; fields++)
        if (strcmp(fields->name, name) == 0)
            return fields;
    return NULL;
}

static bool read_pair(struct yaml_reader *r, const yaml_node_pair_t *pair,
                      const struct yaml_field *fields, uint64_t *seen, void *base)
{
    const yaml_node_t *key = yaml_document_get_node(r->document, pair->key);
    const yaml_node_t *value = yaml_document_get_node(r->document, pair->value);
    const char *name = yaml_reader_scalar(key);

    if (name == NULL)
        return yaml_reader_fail(r, key, "a key must be a word; write 'key: value'");
    const struct yaml_field *field = find_field(fields, name);
    if (field == NULL)
        return fail_unknown_key(r, key, name, fields);
    uint64_t bit = UINT64_C(1) << (field - fields);
    if (*seen & bit)
        return yaml_reader_fail(r, key, "'%s' is given twice; keep one of them", name);
    *seen |= bit;
    return field->read(r, value, field, base);
}

bool yaml_reader_fields(struct yaml_reader *r, const yaml_node_t *node,
                        const struct yaml_field *fields, void *base)
{
    uint64_t seen = 0;

    if (node->type != YAML_MAPPING_NODE)
        return yaml_reader_fail(r, node, "expected keys with values; write 'key: value' lines");
    for (const yaml_node_pair_t *pair = node->data.mapping.pairs.start;
         pair < node->data.mapping.pairs.top; pair++)
        if (!read_pair(r, pair, fields, &seen, base))
            return false;
    for (const struct yaml_field *field = fields; field->name != NULL; field++)
        if (field->remedy != NULL && !(seen & UINT64_C(1) << (field - fields)))
            return yaml_reader_fail(r, node, "'%s' is missing; %s", field->name, field->remedy);
    return true;
}

bool yaml_read_map(struct yaml_reader *r, const yaml_node_t *node, const struct yaml_field *field,
                   void *base)
{
    return yaml_reader_fields(r, node, field->fields, (char *)base + field->offset);
}

bool yaml_read_text(struct yaml_reader *r, const yaml_node_t *node, const struct yaml_field *field,
                    void *base)
{
    const char *text = yaml_reader_scalar(node);

    if (text == NULL || text[0] == '\0')
        return yaml_reader_fail(r, node, "'%s' needs a text; write '%s: VALUE'", field->name,
                                field->name);
    size_t len = strlen(text);
    if (len >= field->room)
        return yaml_reader_fail(r, node, "'%s' is too long; use at most %zu characters",
                                field->name, field->room - 1);
    memcpy((char *)base + field->offset, text, len + 1);
    return true;
}

bool yaml_read_path(struct yaml_reader *r, const yaml_node_t *node, const struct yaml_field *field,
                    void *base)
{
    const char *text = yaml_reader_scalar(node);
    if (text != NULL && text[0] != '\0' && text[0] != '/')
        return yaml_reader_fail(r, node, "'%s' needs a whole path; begin it with '/'", field->name);
    return yaml_read_text(r, node, field, base);
}

bool yaml_read_bool(struct yaml_reader *r, const yaml_node_t *node, const struct yaml_field *field,
                    void *base)
{
    static const char *const words[] = {"no", "yes", "false", "true", "off", "on"};
    const char *text = yaml_reader_scalar(node);

    for (size_t i = 0; text != NULL && i < sizeof(words) / sizeof(words[0]); i++) {
        if (strcasecmp(text, words[i]) == 0) {
            *(bool *)((char *)base + field->offset) = i & 1;
            return true;
        }
    }
    return yaml_reader_fail(r, node, "'%s' is neither yes nor no; write 'yes' or 'no'",
                            field->name);
}

bool yaml_read_number(struct yaml_reader *r, const yaml_node_t *node,
                      const struct yaml_field *field, void *base)
{
    const char *text = yaml_reader_scalar(node);
    unsigned long long value = 0;
    char *end = NULL;

    if (text != NULL && text[0] >= '0' && text[0] <= '9' && strlen(text) <= 10)
        value = strtoull(text, &end, 10);
    if (end == NULL || *end != '\0' || value < field->least || value > field->most)
        return yaml_reader_fail(r, node, "'%s' is not a fitting number; use one from %u to %u",
                                field->name, field->least, field->most);
    *(uint32_t *)(void *)((char *)base + field->offset) = (uint32_t)value;
    return true;
}

bool yaml_read_choice(struct yaml_reader *r, const yaml_node_t *node,
                      const struct yaml_field *field, void *base)
{
    const char *text = yaml_reader_scalar(node), *names[NEAREST_NAMES_MAX];
    char hint[320];
    size_t count = 0;

    for (const struct yaml_choice *choice = field->choices; choice->name != NULL; choice++) {
        if (text != NULL && strcasecmp(choice->name, text) == 0) {
            *(int *)(void *)((char *)base + field->offset) = choice->value;
            return true;
        }
        names[count++] = choice->name;
    }
    return yaml_reader_fail(r, node, "'%s' can't be '%.40s'; %s", field->name,
                            text != NULL ? text : "a list",
                            suggest(text != NULL ? text : "", names, count, hint, sizeof(hint)));
}
