/* Everything that is declared is used, and explained. */
#include "model/check_private.h"

struct used {
    bool parties[MODEL_PARTIES_MAX];
    bool components[MODEL_PARTIES_MAX][MODEL_COMPONENTS_MAX];
    bool messages[MODEL_MESSAGES_MAX];
};

static void mark_steps(struct used *used, const struct model_step *steps, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (steps[i].kind == MODEL_STEP_MESSAGE)
            used->messages[steps[i].message] = true;
        mark_steps(used, steps[i].inner, steps[i].inner_count);
    }
}

static void mark_boxes(struct used *used, const struct model_boxes *boxes)
{
    for (size_t r = 0; r < boxes->row_count; r++)
        for (size_t c = 0; c < boxes->column_count; c++) {
            const struct model_box *box = &boxes->cells[r][c];
            if (box->party == MODEL_NONE)
                continue;
            used->parties[box->party] = true;
            if (box->component != MODEL_NONE)
                used->components[box->party][box->component] = true;
        }
}

static void mark_machine(struct used *used, const struct model_machine *machine)
{
    for (size_t i = 0; i < machine->transition_count; i++) {
        const struct model_transition *t = &machine->transitions[i];
        if (t->message != MODEL_NONE)
            used->messages[t->message] = true;
        for (size_t s = 0; s < t->send_count; s++)
            used->messages[t->sends[s]] = true;
    }
}

static void mark_all(const struct model *model, struct used *used)
{
    const struct model_diagram *d;
    for (size_t i = 0; (d = model_diagram(model, i)) != NULL; i++)
        if (d->kind == MODEL_BOXES) {
            mark_boxes(used, &d->boxes);
        } else if (d->kind == MODEL_MACHINE) {
            used->parties[d->machine.party] = true;
            mark_machine(used, &d->machine);
        } else {
            mark_steps(used, d->ladder.steps, d->ladder.step_count);
            for (size_t p = 0; p < d->ladder.party_count; p++)
                used->parties[d->ladder.parties[p]] = true;
        }
}

static void judge(struct checker *c, struct model_place place, const char *what, const char *id,
                  bool used, const char *text)
{
    if (!used)
        check_find(c, place, "unused", "show it in a diagram, or leave it out",
                   "%s '%s' is in no diagram", what, id);
    if (text == NULL)
        check_find(c, place, "explained", "give it a text", "%s '%s' is not explained", what, id);
}

/* MOD-014: the entities are described. */
static void check_parties(struct checker *c, const struct used *used)
{
    for (size_t i = 0; i < c->model->party_count; i++) {
        const struct model_party *party = &c->model->parties[i];
        judge(c, party->place, "party", party->id, used->parties[i], party->text);
        for (size_t n = 0; n < party->component_count; n++)
            judge(c, party->components[n].place, "component", party->components[n].id,
                  used->components[i][n], party->components[n].text);
    }
}

/* MOD-018: each message's purpose and major data elements are given. */
static void check_messages(struct checker *c, const struct used *used)
{
    for (size_t i = 0; i < c->model->message_count; i++) {
        const struct model_message *m = &c->model->messages[i];
        judge(c, m->place, "message", m->id, used->messages[i], m->text);
        if (!m->contents_given)
            check_find(c, m->place, "explained", "add 'carries \"...\"' or 'carries nothing'",
                       "it isn't said what message '%s' carries", m->id);
    }
}

static void check_associations(struct checker *c)
{
    const struct model *m = c->model;
    for (size_t i = 0; i < m->association_count; i++) {
        bool used = false;
        for (size_t n = 0; n < m->message_count; n++)
            used |= m->messages[n].association == i;
        if (!used)
            check_find(c, m->associations[i].place, "unused", "write 'under' in a message",
                       "nothing is protected under '%s'", m->associations[i].id);
        if (m->associations[i].text == NULL)
            check_find(c, m->associations[i].place, "explained", "give it a text",
                       "association '%s' is not explained", m->associations[i].id);
    }
}

void check_use(struct checker *c)
{
    struct used used = {{false}};
    mark_all(c->model, &used);
    check_parties(c, &used);
    check_messages(c, &used);
    check_associations(c);
}
