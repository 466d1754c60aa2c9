#include "model/model.h"

#include <stdlib.h>

#include "model/parse.h"

struct owner {
    struct model model; /* first, so that model_free() finds the rest */
    struct arena arena;
};

static bool parse_component(struct parser *p, struct model_party *party)
{
    static const struct parse_list list = {"components of a party", sizeof(struct model_component),
                                           MODEL_COMPONENTS_MAX};
    struct model_component new = {.place = p->lex.token.place};
    if (!parse_new_id(p, &new.id) || !parse_name(p, &new.name) ||
        !parse_unused(p, "component", party->components, party->component_count,
                      sizeof(*party->components), new.id, new.place))
        return false;
    if (p->lex.token.kind == TOKEN_TEXT && !parse_text(p, &new.text))
        return false;
    return parse_add(p, &list, &party->components, &party->component_count, &new, new.place);
}

static bool parse_party_item(struct parser *p)
{
    static const struct parse_list list = {"parties", sizeof(struct model_party),
                                           MODEL_PARTIES_MAX};
    struct model *m = p->model;
    struct model_party new = {.place = p->lex.token.place};
    if (!parse_new_id(p, &new.id) || !parse_name(p, &new.name) ||
        !parse_unused(p, "party", m->parties, m->party_count, sizeof(*m->parties), new.id,
                      new.place))
        return false;
    if (parse_take(p, TOKEN_OPEN)) {
        if (!parse_text_clause(p, &new.text))
            return false;
        while (parse_take_word(p, "component"))
            if (!parse_component(p, &new))
                return false;
        if (!parse_expect(p, TOKEN_CLOSE, "'component' or '}'"))
            return false;
    }
    return parse_add(p, &list, &m->parties, &m->party_count, &new, new.place);
}

static bool parse_trust(struct parser *p)
{
    static const struct parse_list list = {"trust relations", sizeof(struct model_trust),
                                           MODEL_TRUST_MAX};
    struct model_trust new = {.place = p->lex.token.place};
    return parse_party(p, &new.from) && parse_expect(p, TOKEN_ARROW, "'->'") &&
           parse_party(p, &new.to) && parse_text(p, &new.text) &&
           parse_add(p, &list, &p->model->trusts, &p->model->trust_count, &new, new.place);
}

static bool parse_association(struct parser *p)
{
    static const struct parse_list list = {"associations", sizeof(struct model_association),
                                           MODEL_ASSOCIATIONS_MAX};
    struct model *m = p->model;
    struct model_association new = {.place = p->lex.token.place, .line = '='};
    if (!parse_new_id(p, &new.id) || !parse_name(p, &new.name) ||
        !parse_unused(p, "association", m->associations, m->association_count,
                      sizeof(*m->associations), new.id, new.place))
        return false;
    if (parse_take_word(p, "line")) {
        struct model_place place = p->lex.token.place;
        const char *line;
        if (!parse_text(p, &line))
            return false;
        if (strlen(line) != 1 || strchr("#=-.~*", line[0]) == NULL)
            return lexer_fail(&p->lex, place, "one of # = - . ~ *",
                              "a line is drawn with one character");
        new.line = line[0];
    }
    if (p->lex.token.kind == TOKEN_TEXT && !parse_text(p, &new.text))
        return false;
    return parse_add(p, &list, &m->associations, &m->association_count, &new, new.place);
}

static bool parse_contents(struct parser *p, struct model_message *message)
{
    static const struct parse_list list = {"data elements in a message", sizeof(const char *),
                                           MODEL_CONTENTS_MAX};
    message->contents_given = true;
    if (parse_take_word(p, "nothing"))
        return true;
    do {
        struct model_place place = p->lex.token.place;
        const char *name;
        if (!parse_name(p, &name) ||
            !parse_add(p, &list, &message->contents, &message->content_count, &name, place))
            return false;
    } while (parse_take(p, TOKEN_COMMA));
    return true;
}

static bool parse_property(struct parser *p, struct model_message *message)
{
    const struct model *m = p->model;
    if (parse_is(p, "text"))
        return parse_text_clause(p, &message->text);
    if (!message->contents_given && parse_take_word(p, "carries"))
        return parse_contents(p, message);
    if (message->association == MODEL_NONE && parse_take_word(p, "under"))
        return parse_reference(p, "association", m->associations, m->association_count,
                               sizeof(*m->associations), &message->association);
    if (message->filter == NULL && parse_take_word(p, "filter"))
        return parse_text(p, &message->filter);
    if (message->label == NULL && parse_take_word(p, "label"))
        return parse_name(p, &message->label);
    return parse_unexpected(
        p, "one of 'text', 'carries', 'under', 'filter', 'label', each once, or '}'");
}

static bool parse_message_item(struct parser *p)
{
    static const struct parse_list list = {"messages", sizeof(struct model_message),
                                           MODEL_MESSAGES_MAX};
    struct model *m = p->model;
    struct model_message new = {.place = p->lex.token.place, .association = MODEL_NONE};
    if (!parse_new_id(p, &new.id) || !parse_name(p, &new.name) ||
        !parse_unused(p, "message", m->messages, m->message_count, sizeof(*m->messages), new.id,
                      new.place) ||
        !parse_party(p, &new.from))
        return false;
    new.either_way = parse_take(p, TOKEN_BOTH);
    if (!new.either_way && !parse_expect(p, TOKEN_ARROW, "'->' or '<->'"))
        return false;
    struct model_place to = p->lex.token.place;
    if (!parse_party(p, &new.to))
        return false;
    if (new.from == new.to)
        return lexer_fail(&p->lex, to, "name another party", "a message from a party to itself");
    if (parse_take(p, TOKEN_OPEN))
        while (!parse_take(p, TOKEN_CLOSE))
            if (p->lex.token.kind == TOKEN_BAD || !parse_property(p, &new))
                return false;
    return parse_add(p, &list, &m->messages, &m->message_count, &new, new.place);
}

static bool parse_content(struct parser *p, struct model_section *section, const char *otherwise)
{
    static const struct parse_list list = {"diagrams in one part or section",
                                           sizeof(struct model_diagram), MODEL_DIAGRAMS_MAX};
    struct model_diagram new;
    enum model_diagram_kind kind;
    if (parse_is(p, "text"))
        return parse_text_clause(p, &section->text);
    if (parse_take_word(p, "boxes"))
        kind = MODEL_BOXES;
    else if (parse_take_word(p, "ladder"))
        kind = MODEL_LADDER;
    else if (parse_take_word(p, "machine"))
        kind = MODEL_MACHINE;
    else
        return parse_unexpected(p, otherwise);
    return parse_diagram(p, kind, &new) &&
           parse_add(p, &list, &section->diagrams, &section->diagram_count, &new, new.place);
}

static bool parse_section(struct parser *p, struct model_part *part)
{
    static const struct parse_list list = {"sections in one part", sizeof(struct model_section),
                                           MODEL_SECTIONS_MAX};
    struct model_section new = {.place = p->lex.token.place};
    if (!parse_name(p, &new.title) || !parse_expect(p, TOKEN_OPEN, "'{'"))
        return false;
    /* counted at once, so that a diagram of this section can't have the id of another one of it */
    if (!parse_add(p, &list, &part->sections, &part->section_count, &new, new.place))
        return false;
    struct model_section *section =
        (struct model_section *)(uintptr_t)&part->sections[part->section_count - 1];
    while (!parse_take(p, TOKEN_CLOSE))
        if (!parse_content(p, section, "'text', 'boxes', 'ladder', 'machine' or '}'"))
            return false;
    return true;
}

static bool parse_part(struct parser *p, enum model_part_kind kind)
{
    struct model_part *part = &p->model->parts[kind];
    struct model_place place = p->lex.token.place;
    lexer_next(&p->lex);
    if (part->present)
        return lexer_fail(&p->lex, place, "put both together", "this part is there already");
    for (int i = kind + 1; i < MODEL_PARTS; i++)
        if (p->model->parts[i].present) /* MOD-011 */
            return lexer_fail(&p->lex, place, "the order is problem, overview, features",
                              "this part comes too late");
    part->present = true;
    part->head.place = place;
    if (!parse_expect(p, TOKEN_OPEN, "'{'"))
        return false;
    while (!parse_take(p, TOKEN_CLOSE)) {
        bool ok = parse_take_word(p, "section")
                      ? parse_section(p, part)
                      : parse_content(p, &part->head,
                                      "'text', 'section', 'boxes', 'ladder', 'machine' or '}'");
        if (!ok)
            return false;
    }
    return true;
}

static bool parse_item(struct parser *p)
{
    static const char *const parts[MODEL_PARTS] = {"problem", "overview", "features"};
    for (int i = 0; i < MODEL_PARTS; i++)
        if (parse_is(p, parts[i]))
            return parse_part(p, (enum model_part_kind)i);
    if (parse_take_word(p, "party"))
        return parse_party_item(p);
    if (parse_take_word(p, "trust"))
        return parse_trust(p);
    if (parse_take_word(p, "association"))
        return parse_association(p);
    if (parse_take_word(p, "message"))
        return parse_message_item(p);
    if (p->model->key == NULL && parse_take_word(p, "key"))
        return parse_text(p, &p->model->key);
    if (!p->model->lossy && parse_take_word(p, "lossy"))
        return p->model->lossy = true;
    return parse_unexpected(p, "'party', 'trust', 'association', 'message', 'key', 'lossy', "
                               "'problem', 'overview', 'features' or '}'");
}

static bool parse_model(struct parser *p)
{
    if (!parse_expect_word(p, "model") || !parse_name(p, &p->model->title) ||
        !parse_expect(p, TOKEN_OPEN, "'{'"))
        return false;
    while (!parse_take(p, TOKEN_CLOSE))
        if (!parse_item(p))
            return false;
    return parse_expect(p, TOKEN_END, "the end of the file");
}

struct model *model_parse(const char *text, size_t len, struct model_error *ret_error)
{
    struct owner *owner = calloc(1, sizeof(*owner));
    *ret_error = (struct model_error){.what = "out of memory"};
    if (owner == NULL)
        return NULL;
    struct parser p = {.model = &owner->model};
    lexer_init(&p.lex, text, len, &p.arena, ret_error);
    bool ok = len <= MODEL_FILE_MAX
                  ? parse_model(&p)
                  : lexer_fail(&p.lex, (struct model_place){1, 1}, "a model is an overview",
                               "a file of more than %d octets", MODEL_FILE_MAX);
    owner->arena = p.arena;
    if (ok)
        return &owner->model;
    model_free(&owner->model);
    return NULL;
}

void model_free(struct model *model)
{
    if (model == NULL)
        return;
    struct owner *owner = (struct owner *)model;
    arena_free(&owner->arena);
    free(owner);
}

static const struct model_diagram *part_diagram(const struct model_part *part, size_t *index)
{
    if (*index < part->head.diagram_count)
        return &part->head.diagrams[*index];
    *index -= part->head.diagram_count;
    for (size_t i = 0; i < part->section_count; i++) {
        if (*index < part->sections[i].diagram_count)
            return &part->sections[i].diagrams[*index];
        *index -= part->sections[i].diagram_count;
    }
    return NULL;
}

const struct model_diagram *model_diagram(const struct model *model, size_t index)
{
    const struct model_diagram *found = NULL;
    for (int i = 0; i < MODEL_PARTS && found == NULL; i++)
        found = part_diagram(&model->parts[i], &index);
    return found;
}

enum model_part_kind model_diagram_part(const struct model *model, size_t index)
{
    int part = 0;
    while (part < MODEL_FEATURES && part_diagram(&model->parts[part], &index) == NULL)
        part++;
    return (enum model_part_kind)part;
}

const struct model_diagram *model_diagram_find(const struct model *model, const char *id)
{
    const struct model_diagram *diagram;
    for (size_t i = 0; (diagram = model_diagram(model, i)) != NULL; i++)
        if (strcmp(diagram->id, id) == 0)
            return diagram;
    return NULL;
}
