/*
 * The parts of the document in their order; how each is written is up to a table of functions, one
 * for text and one for HTML.
 */
#include "model/render.h"

#include <stdio.h>

#include "model/diagram_draw.h"
#include "model/render_private.h"

static const char *const part_titles[MODEL_PARTS] = {"The Problem", "Protocol Overview",
                                                     "Important Features"};

static void write_heading(struct page *p, size_t level, const char *title)
{
    char number[32];
    if (level == 1) {
        p->chapter++;
        p->section = 0;
        snprintf(number, sizeof(number), "%zu.", p->chapter);
    } else {
        snprintf(number, sizeof(number), "%zu.%zu.", p->chapter, ++p->section);
    }
    p->to->heading(p, level, number, title);
}

static void write_parties(struct page *p)
{
    const struct model *m = p->model;
    p->to->list_begin(p, "The parties");
    for (size_t i = 0; i < m->party_count; i++) {
        const struct model_party *party = &m->parties[i];
        p->to->list_item(p, party->name, party->text);
        for (size_t c = 0; c < party->component_count; c++) {
            char term[2 * MODEL_NAME_MAX + 8];
            snprintf(term, sizeof(term), "%s, %s", party->name, party->components[c].name);
            p->to->list_item(p, term, party->components[c].text);
        }
    }
    p->to->list_end(p);
}

/* MOD-016 */
static void write_trust(struct page *p)
{
    const struct model *m = p->model;
    if (m->trust_count == 0)
        return;
    p->to->list_begin(p, "Who trusts whom");
    for (size_t i = 0; i < m->trust_count; i++) {
        char term[2 * MODEL_NAME_MAX + 16];
        snprintf(term, sizeof(term), "%s trusts %s", m->parties[m->trusts[i].from].name,
                 m->parties[m->trusts[i].to].name);
        p->to->list_item(p, term, m->trusts[i].text);
    }
    p->to->list_end(p);
}

static void write_associations(struct page *p)
{
    const struct model *m = p->model;
    if (m->association_count == 0)
        return;
    p->to->list_begin(p, "What protects messages: E(x, ...) is encrypted under x");
    for (size_t i = 0; i < m->association_count; i++)
        p->to->list_item(p, m->associations[i].name, m->associations[i].text);
    p->to->list_end(p);
}

/* MOD-018: the purpose of each message and its major data elements. */
static void write_messages(struct page *p)
{
    const struct model *m = p->model;
    if (m->message_count == 0)
        return;
    p->to->list_begin(p, "The messages");
    for (size_t i = 0; i < m->message_count; i++) {
        const struct model_message *message = &m->messages[i];
        const char *carries = message_notation(m, message, &p->arena);
        char term[4 * MODEL_NAME_MAX];
        if (carries == NULL) {
            p->out->bad = true;
            break;
        }
        snprintf(term, sizeof(term), "%s%s%s%s (%s %s %s)", message->label != NULL ? "(" : "",
                 message->label != NULL ? message->label : "", message->label != NULL ? ") " : "",
                 message->name, m->parties[message->from].name, message->either_way ? "<->" : "->",
                 m->parties[message->to].name);
        p->to->list_item(p, term, message->text);
        if (carries[0] != '\0')
            p->to->list_more(p, carries);
    }
    p->to->list_end(p);
}

static void write_diagrams(struct page *p, const struct model_section *section)
{
    for (size_t i = 0; i < section->diagram_count; i++) {
        const struct model_diagram *diagram = &section->diagrams[i];
        p->figure++;
        p->to->figure(p, diagram);
        p->to->prose(p, diagram->text);
    }
}

/* MOD-011, MOD-029: problem, overview, features, in this order. */
static void write_part(struct page *p, enum model_part_kind kind)
{
    const struct model_part *part = &p->model->parts[kind];
    if (!part->present)
        return;
    write_heading(p, 1, part_titles[kind]);
    p->to->prose(p, part->head.text);
    write_diagrams(p, &part->head);
    for (size_t i = 0; i < part->section_count; i++) {
        write_heading(p, 2, part->sections[i].title);
        p->to->prose(p, part->sections[i].text);
        write_diagrams(p, &part->sections[i]);
    }
    if (kind == MODEL_PROBLEM) {
        write_parties(p);
        write_trust(p);
    } else if (kind == MODEL_OVERVIEW) {
        write_messages(p);
        write_associations(p);
    }
}

static bool render(const struct model *model, const struct page_writer *to, struct drawing *out)
{
    struct page page = {.model = model, .to = to, .out = out};
    to->begin(&page, model->title);
    for (int i = 0; i < MODEL_PARTS; i++)
        write_part(&page, (enum model_part_kind)i);
    to->end(&page);
    arena_free(&page.arena);
    return !out->bad;
}

bool render_text(const struct model *model, struct drawing *out)
{
    return render(model, &render_text_writer, out);
}

bool render_html(const struct model *model, struct drawing *out)
{
    return render(model, &render_html_writer, out);
}
