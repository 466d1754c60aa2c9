/* What the drafts ask of a model, as far as a program can tell. */
#include "model/check_private.h"

static const struct model_place top = {1, 1};

/* MOD-002, MOD-011: one part a question. MOD-023: the third only where there is something to say.
 */
static void check_parts(struct checker *c)
{
    const struct model_part *parts = c->model->parts;
    if (!parts[MODEL_PROBLEM].present)
        check_find(c, top, "parts", "add 'problem { ... }': what the protocol is for",
                   "the model has no problem part");
    if (!parts[MODEL_OVERVIEW].present)
        check_find(c, top, "parts", "add 'overview { ... }': which messages there are",
                   "the model has no overview part");
    const struct model_part *features = &parts[MODEL_FEATURES];
    if (features->present && features->head.text == NULL && features->section_count == 0)
        check_find(c, features->head.place, "parts",
                   "say what is important and not obvious, or leave the part out",
                   "a features part without any feature");
}

static const char *section_name(const struct model_section *s)
{
    return s->title != NULL ? s->title : "the part's beginning";
}

/* MOD-009: a diagram has text; MOD-012: there are a few of them. */
static void check_section(struct checker *c, const struct model_section *s)
{
    if (s->diagram_count > CHECK_DIAGRAMS_MAX)
        check_find(c, s->place, "diagrams", "leave some out, or make sections of it",
                   "%zu diagrams in '%s', where at most %d are read", s->diagram_count,
                   section_name(s), CHECK_DIAGRAMS_MAX);
    if (s->title != NULL && s->text == NULL && s->diagram_count == 0)
        check_find(c, s->place, "explained", "give it a text", "section '%s' is empty", s->title);
    for (size_t i = 0; i < s->diagram_count; i++)
        if (s->diagrams[i].text == NULL)
            check_find(c, s->diagrams[i].place, "explained", "give it a text",
                       "diagram '%s' is not explained", s->diagrams[i].id);
}

static size_t diagrams_of(const struct model_part *part, enum model_diagram_kind kind)
{
    size_t count = 0;
    for (size_t i = 0; i < part->head.diagram_count; i++)
        count += part->head.diagrams[i].kind == kind;
    for (size_t s = 0; s < part->section_count; s++)
        for (size_t i = 0; i < part->sections[s].diagram_count; i++)
            count += part->sections[s].diagrams[i].kind == kind;
    return count;
}

/* MOD-013, MOD-015: environment and picture of the parties. */
static void check_problem(struct checker *c)
{
    const struct model_part *part = &c->model->parts[MODEL_PROBLEM];
    if (!part->present)
        return;
    if (part->head.text == NULL)
        check_find(c, part->head.place, "environment", "begin it with a text",
                   "the problem part does not say where the protocol is used");
    if (diagrams_of(part, MODEL_BOXES) == 0)
        check_find(c, part->head.place, "diagrams", "add 'boxes' with the parties",
                   "the problem part has no diagram of the parties");
}

/* MOD-017 */
static void check_overview(struct checker *c)
{
    const struct model_part *part = &c->model->parts[MODEL_OVERVIEW];
    if (part->present && diagrams_of(part, MODEL_LADDER) + diagrams_of(part, MODEL_BOXES) == 0)
        check_find(c, part->head.place, "diagrams", "add a ladder, or boxes",
                   "the overview shows no messages");
}

/* MOD-016: who trusts whom is laid out, for each party. */
static void check_trust(struct checker *c)
{
    const struct model *m = c->model;
    for (size_t p = 0; p < m->party_count; p++) {
        bool named = false;
        for (size_t i = 0; i < m->trust_count; i++)
            named |= m->trusts[i].from == p || m->trusts[i].to == p;
        if (!named)
            check_find(c, m->parties[p].place, "trust",
                       "write 'trust X -> Y \"...\"', even if it is nothing",
                       "it isn't said whom '%s' trusts, or who trusts it", m->parties[p].id);
    }
}

/* MOD-010: labels on arrows. */
static void check_arrows(struct checker *c)
{
    const struct model_diagram *d;
    for (size_t i = 0; (d = model_diagram(c->model, i)) != NULL; i++)
        for (size_t a = 0; d->kind == MODEL_BOXES && a < d->boxes.arrow_count; a++)
            if (d->boxes.arrows[a].line_count == 0)
                check_find(c, d->boxes.arrows[a].place, "explained", "give it a label",
                           "an arrow that doesn't say what it means");
}

/* MOD-020, and MOD-003: how things are encoded does not belong here. */
static void check_notation(struct checker *c, struct model_place place, const char *text)
{
    static const struct {
        const char *sign, *name;
    } signs[] = {
        {"+-+-+", "a bit diagram"},
        {"0 1 2 3 4 5 6 7", "a bit diagram"},
        {"::=", "ASN.1"},
        {"SEQUENCE {", "ASN.1"},
        {"SEQUENCE OF", "ASN.1"},
        {"OCTET STRING", "ASN.1"},
        {"<xs:", "XML schema"},
        {"<xsd:", "XML schema"},
        {"<!ELEMENT", "XML schema"},
        {"<!ATTLIST", "XML schema"},
        {"xmlns:", "XML schema"},
    };
    for (size_t i = 0; text != NULL && i < sizeof(signs) / sizeof(signs[0]); i++)
        if (strstr(text, signs[i].sign) != NULL) {
            check_find(c, place, "layout", "say in words what is meant",
                       "%s ('%s') in the overview", signs[i].name, signs[i].sign);
            return;
        }
}

static void check_notation_section(struct checker *c, const struct model_section *s)
{
    check_notation(c, s->place, s->text);
    for (size_t i = 0; i < s->diagram_count; i++)
        check_notation(c, s->diagrams[i].place, s->diagrams[i].text);
}

static size_t words_of(const char *text)
{
    size_t words = text != NULL && *text != '\0';
    for (; text != NULL && *text != '\0'; text++)
        words += *text == ' ' || *text == '\n';
    return words;
}

/* MOD-019: no detailed description of messages and their elements. */
static void check_detail(struct checker *c)
{
    const struct model *m = c->model;
    for (size_t i = 0; i < m->message_count; i++) {
        const struct model_message *message = &m->messages[i];
        check_notation(c, message->place, message->text);
        for (size_t e = 0; e < message->content_count; e++)
            check_notation(c, message->place, message->contents[e]);
        if (message->content_count > CHECK_CONTENTS_MAX)
            check_find(c, message->place, "detail", "name the major ones only",
                       "message '%s' has %zu data elements, more than %d", message->id,
                       message->content_count, CHECK_CONTENTS_MAX);
        if (words_of(message->text) > CHECK_WORDS_MAX)
            check_find(c, message->place, "detail", "leave that to the protocol's document",
                       "message '%s' is described in more than %d words", message->id,
                       CHECK_WORDS_MAX);
    }
}

void check_document(struct checker *c)
{
    check_parts(c);
    for (int i = 0; i < MODEL_PARTS; i++) {
        const struct model_part *part = &c->model->parts[i];
        check_section(c, &part->head);
        for (size_t s = 0; s < part->section_count; s++)
            check_section(c, &part->sections[s]);
    }
    check_problem(c);
    check_overview(c);
    check_trust(c);
    check_arrows(c);
    const struct model_part *overview = &c->model->parts[MODEL_OVERVIEW];
    check_notation_section(c, &overview->head);
    for (size_t s = 0; s < overview->section_count; s++)
        check_notation_section(c, &overview->sections[s]);
    check_detail(c);
}
