#include "daemon/policy_file.h"

#include <stdarg.h>
#include <stdio.h>

#include "daemon/config_policy.h"

enum { LINE_OCTETS = 128 };

/* What each file has always meant. */
static const struct {
    const char *name;
    enum oe_class_kind kind;
} files[] = {
    {"clear", OE_ALWAYS_CLEAR},            /* never a tunnel */
    {"clear-or-private", OE_RESPOND_ONLY}, /* clear, unless the peer makes one */
    {"private-or-clear", OE_PERMISSIVE},   /* a tunnel if possible, else clear */
    {"private", OE_PARANOID},              /* a tunnel or nothing */
    {"block", OE_DENY},
};

enum { FILE_COUNT = sizeof(files) / sizeof(files[0]) };

struct reader {
    const char *path;
    unsigned line;
    struct cygnet_config *config;
    struct oe_class class; /* of every line */
    char *error;
};

const char *policy_file_name(size_t i)
{
    return i < FILE_COUNT ? files[i].name : NULL;
}

__attribute__((format(printf, 2, 3))) static bool fail(struct reader *r, const char *format, ...)
{
    int len = snprintf(r->error, CONFIG_ERROR_MAX, "%s:%u: ", r->path, r->line);
    va_list args;

    va_start(args, format);
    if (len >= 0 && len < CONFIG_ERROR_MAX)
        vsnprintf(r->error + len, CONFIG_ERROR_MAX - (size_t)len, format, args);
    va_end(args);
    return false;
}

/* OE-005; the same line twice in one file is no contradiction. */
static bool add(struct reader *r)
{
    const struct oe_class *other = config_find_class(r->config, &r->class);
    char text[IP_PREFIX_TEXT_MAX];

    if (other != NULL && strcmp(other->name, r->class.name) == 0 && other->kind == r->class.kind)
        return true;
    if (other != NULL)
        return fail(r, "%s is already in '%s' (%s); keep it in one of the two",
                    config_prefix_text(&r->class.destination, text), other->name,
                    config_kind_text(other->kind));
    if (r->config->class_count == LIMIT_CLASSES)
        return fail(r, "more than %d prefixes in all; write wider ones", LIMIT_CLASSES);
    r->config->classes[r->config->class_count++] = r->class;
    return true;
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

/* Cuts off the comment and the space around what is left. */
static char *trim(char *line)
{
    char *end = strchr(line, '#');
    if (end == NULL)
        end = line + strlen(line);
    while (end > line && is_space(end[-1]))
        end--;
    *end = '\0';
    while (is_space(*line))
        line++;
    return line;
}

static bool read_line(struct reader *r, struct view octets)
{
    char room[LINE_OCTETS], *line;
    const uint8_t *hash = octets.len != 0 ? memchr(octets.ptr, '#', octets.len) : NULL;
    size_t len = hash != NULL ? (size_t)(hash - octets.ptr) : octets.len;

    if (len >= sizeof(room))
        return fail(r, "the line is too long; write one prefix a line");
    if (len != 0)
        memcpy(room, octets.ptr, len);
    room[len] = '\0';
    line = trim(room);
    if (line[0] == '\0')
        return true;
    if (strpbrk(line, " \t") != NULL)
        return fail(r, "'%s' is more than one prefix; write one a line", line);
    if (!ip_prefix_parse(line, &r->class.destination))
        return fail(r,
                    "'%s' is not a prefix; write 192.0.2.0/24 or 2001:db8::/32, with all bits "
                    "behind the length zero",
                    line);
    return add(r);
}

static bool find_kind(struct reader *r)
{
    const char *slash = strrchr(r->path, '/');
    const char *name = slash != NULL ? slash + 1 : r->path;

    for (size_t i = 0; i < FILE_COUNT; i++) {
        if (strcmp(name, files[i].name) != 0)
            continue;
        memset(&r->class, 0, sizeof(r->class)); /* the holes too: configurations are compared */
        r->class.kind = files[i].kind;
        snprintf(r->class.name, sizeof(r->class.name), "%s", name);
        return true;
    }
    return fail(r,
                "'%.40s' is not a policy file; the names are clear, clear-or-private, "
                "private-or-clear, private and block",
                name);
}

bool policy_file_parse(struct view text, const char *path, struct cygnet_config *config,
                       char *ret_error)
{
    struct reader r = {.path = path, .line = 1, .config = config, .error = ret_error};

    if (!find_kind(&r))
        return false;
    for (; text.len != 0; r.line++) {
        const uint8_t *newline = memchr(text.ptr, '\n', text.len);
        size_t len = newline != NULL ? (size_t)(newline - text.ptr) : text.len;
        size_t past = newline != NULL ? len + 1 : len;
        if (!read_line(&r, view_of(text.ptr, len)))
            return false;
        text = view_of(text.ptr + past, text.len - past);
    }
    return true;
}
