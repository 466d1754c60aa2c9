/* MOD-021, MOD-022: state machines that make sense, and are as small as they can be. */
#include "model/check_private.h"

typedef bool state_set[MODEL_STATES_MAX];

/* Adds what `set` leads to, or what leads to it, until nothing is new. */
static void spread(const struct model_machine *m, state_set set, bool backwards)
{
    bool grown = true;
    while (grown) {
        grown = false;
        for (size_t i = 0; i < m->transition_count; i++) {
            const struct model_transition *t = &m->transitions[i];
            size_t near = backwards ? t->to : t->from, far = backwards ? t->from : t->to;
            grown |= set[near] && !set[far];
            set[far] |= set[near];
        }
    }
}

static bool has_final(const struct model_machine *m)
{
    for (size_t i = 0; i < m->state_count; i++)
        if (m->states[i].final)
            return true;
    return false;
}

static bool leaves(const struct model_machine *m, size_t state)
{
    for (size_t i = 0; i < m->transition_count; i++)
        if (m->transitions[i].from == state && m->transitions[i].to != state)
            return true;
    return false;
}

static void check_states(struct checker *c, const struct model_machine *m)
{
    state_set reached = {false}, ending = {false};
    reached[m->initial] = true;
    spread(m, reached, false);
    for (size_t i = 0; i < m->state_count; i++)
        ending[i] = m->states[i].final;
    spread(m, ending, true);
    for (size_t i = 0; i < m->state_count; i++) {
        const struct model_state *s = &m->states[i];
        if (s->text == NULL)
            check_find(c, s->place, "explained", "say what it means", "state '%s' is not explained",
                       s->id);
        if (!reached[i])
            check_find(c, s->place, "unreachable", "lead a change of state to it, or leave it out",
                       "nothing leads to state '%s'", s->id);
        else if (!s->final && m->state_count > 1 && !leaves(m, i))
            check_find(c, s->place, "dead-end", "lead out of it, or call it 'final'",
                       "nothing leads out of state '%s'", s->id);
        else if (has_final(m) && !ending[i])
            check_find(c, s->place, "dead-end", "lead on from it, or call it 'final'",
                       "no way leads from state '%s' to a final state", s->id);
    }
}

static bool same_text(const char *a, const char *b)
{
    return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

static bool same_event(const struct model_transition *a, const struct model_transition *b)
{
    return a->event == b->event && a->message == b->message && same_text(a->text, b->text);
}

static bool same_change(const struct model_transition *a, const struct model_transition *b,
                        const size_t *classes)
{
    return same_event(a, b) && classes[a->to] == classes[b->to] && a->send_count == b->send_count &&
           memcmp(a->sends, b->sends, a->send_count * sizeof(*a->sends)) == 0;
}

/* Whether `b` does all that `a` does. */
static bool follows(const struct model_machine *m, size_t a, size_t b, const size_t *classes)
{
    for (size_t i = 0; i < m->transition_count; i++) {
        bool found = m->transitions[i].from != a;
        for (size_t j = 0; j < m->transition_count && !found; j++)
            found = m->transitions[j].from == b &&
                    same_change(&m->transitions[i], &m->transitions[j], classes);
        if (!found)
            return false;
    }
    return true;
}

/* Splits classes of states that differ in what they do next. The number of classes. */
static size_t refine(const struct model_machine *m, size_t *classes)
{
    size_t next[MODEL_STATES_MAX], count = 0;
    for (size_t i = 0; i < m->state_count; i++) {
        size_t j = 0;
        while (j < i && !(classes[j] == classes[i] && follows(m, i, j, classes) &&
                          follows(m, j, i, classes)))
            j++;
        next[i] = j < i ? next[j] : count++;
    }
    memcpy(classes, next, m->state_count * sizeof(*classes));
    return count;
}

/* Two states that nobody could tell apart are one too many. */
static void check_minimal(struct checker *c, const struct model_diagram *d)
{
    const struct model_machine *m = &d->machine;
    size_t classes[MODEL_STATES_MAX], count = 1, before = 0;
    if (m->state_count > CHECK_STATES_MAX)
        check_find(c, d->place, "minimal", "show less, or make two machines of it",
                   "machine '%s' has %zu states, more than the %d that a reader keeps in mind",
                   d->id, m->state_count, CHECK_STATES_MAX);
    for (size_t i = 0; i < m->state_count; i++)
        classes[i] = m->states[i].final;
    while (count != before) {
        before = count;
        count = refine(m, classes);
    }
    for (size_t i = 0; i < m->state_count; i++)
        for (size_t j = 0; j < i; j++)
            if (classes[i] == classes[j]) {
                check_find(c, m->states[i].place, "minimal", "make one state of them",
                           "states '%s' and '%s' behave alike", m->states[j].id, m->states[i].id);
                break;
            }
}

/* One event, one reaction. */
static void check_clear(struct checker *c, const struct model_machine *m)
{
    for (size_t i = 0; i < m->transition_count; i++)
        for (size_t j = 0; j < i; j++) {
            const struct model_transition *a = &m->transitions[j], *b = &m->transitions[i];
            if (a->from == b->from && same_event(a, b)) {
                check_find(c, b->place, "ambiguous", "say in a text when each of them holds",
                           "state '%s' has two answers to the same event", m->states[b->from].id);
                break;
            }
        }
}

/* What machines of a party do with a message. */
static bool machines_receive(const struct model *model, size_t party, size_t message)
{
    const struct model_diagram *d;
    for (size_t i = 0; (d = model_diagram(model, i)) != NULL; i++)
        for (size_t t = 0; d->kind == MODEL_MACHINE && t < d->machine.transition_count; t++)
            if (d->machine.party == party && d->machine.transitions[t].message == message)
                return true;
    return false;
}

static bool sends_message(const struct model_transition *t, size_t message)
{
    for (size_t i = 0; i < t->send_count; i++)
        if (t->sends[i] == message)
            return true;
    return false;
}

static bool machines_send(const struct model *model, size_t party, size_t message)
{
    const struct model_diagram *d;
    for (size_t i = 0; (d = model_diagram(model, i)) != NULL; i++)
        for (size_t t = 0; d->kind == MODEL_MACHINE && t < d->machine.transition_count; t++)
            if (d->machine.party == party && sends_message(&d->machine.transitions[t], message))
                return true;
    return false;
}

static bool has_machine(const struct model *model, size_t party)
{
    const struct model_diagram *d;
    for (size_t i = 0; (d = model_diagram(model, i)) != NULL; i++)
        if (d->kind == MODEL_MACHINE && d->machine.party == party)
            return true;
    return false;
}

static bool steps_send(const struct model_step *steps, size_t count, size_t party, size_t message)
{
    for (size_t i = 0; i < count; i++)
        if ((steps[i].kind == MODEL_STEP_MESSAGE && steps[i].message == message &&
             steps[i].from == party) ||
            steps_send(steps[i].inner, steps[i].inner_count, party, message))
            return true;
    return false;
}

static bool machines_know(const struct model *model, size_t party, const struct model_ladder *ladder)
{
    const struct model_diagram *d;
    for (size_t i = 0; (d = model_diagram(model, i)) != NULL; i++)
        if (d->kind == MODEL_MACHINE && d->machine.party == party &&
            check_machine_knows(&d->machine, ladder))
            return true;
    return false;
}

/* In a ladder that the receiver's machines don't leave out. */
static bool ladders_send(const struct model *model, size_t sender, size_t receiver, size_t message)
{
    const struct model_diagram *d;
    for (size_t i = 0; (d = model_diagram(model, i)) != NULL; i++)
        if (d->kind == MODEL_LADDER &&
            steps_send(d->ladder.steps, d->ladder.step_count, sender, message) &&
            machines_know(model, receiver, &d->ladder))
            return true;
    return false;
}

/* A message that one end sends is something that the other's machines know, and the reverse. */
static void check_ends(struct checker *c, size_t index, size_t sender, size_t receiver)
{
    const struct model *m = c->model;
    const struct model_message *message = &m->messages[index];
    bool sent = machines_send(m, sender, index) || ladders_send(m, sender, receiver, index);
    bool received = machines_receive(m, receiver, index);
    if (sent && has_machine(m, receiver) && !received)
        check_find(c, message->place, "unhandled", "add a change of state 'on receive' to it",
                   "no state of '%s' takes message '%s'", m->parties[receiver].id, message->id);
    if (received && has_machine(m, sender) && !machines_send(m, sender, index))
        check_find(c, message->place, "unsent", "add 'send' to a change of state",
                   "'%s' waits for message '%s', which '%s' never sends", m->parties[receiver].id,
                   message->id, m->parties[sender].id);
}

void check_machines(struct checker *c)
{
    const struct model_diagram *d;
    for (size_t i = 0; (d = model_diagram(c->model, i)) != NULL; i++) {
        if (d->kind != MODEL_MACHINE)
            continue;
        check_states(c, &d->machine);
        check_minimal(c, d);
        check_clear(c, &d->machine);
    }
    for (size_t i = 0; i < c->model->message_count; i++) {
        const struct model_message *m = &c->model->messages[i];
        check_ends(c, i, m->from, m->to);
        if (m->either_way)
            check_ends(c, i, m->to, m->from);
    }
}
