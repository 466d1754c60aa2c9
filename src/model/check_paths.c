/*
 * Whether a ladder is something that the state machines do. For each party of the ladder that has
 * machines, one of them has to be able to send and receive the party's messages in that order: the
 * machine is run with the ladder as its input, in all states at once in which it may be.
 *
 * A place in a machine is a state, or a change of state of which some messages are still to send.
 */
#include <stdlib.h>

#include "model/check_private.h"

struct walk {
    const struct model_machine *machine;
    size_t places;
    const struct model_step *stuck; /* the step that no place allows; NULL: none yet */
    bool bad;                       /* no memory */
};

typedef unsigned char places_t; /* an array of walk.places; 1: may be there */

static size_t place_of_change(const struct walk *w, size_t change, size_t sent)
{
    const struct model_transition *t = &w->machine->transitions[change];
    return sent == t->send_count ? t->to
                                 : w->machine->state_count + change * MODEL_ACTIONS_MAX + sent;
}

static places_t *places_new(struct walk *w, const places_t *from)
{
    places_t *set = calloc(w->places, 1);
    if (set == NULL)
        w->bad = true;
    else if (from != NULL)
        memcpy(set, from, w->places);
    return set;
}

static bool places_empty(const struct walk *w, const places_t *set)
{
    return memchr(set, 1, w->places) == NULL;
}

/* True if the set has grown. */
static bool places_join(const struct walk *w, places_t *set, const places_t *other)
{
    bool grown = false;
    for (size_t i = 0; i < w->places; i++) {
        grown |= other[i] && !set[i];
        set[i] |= other[i];
    }
    return grown;
}

/* Timers and local events may happen at any time. */
static void drift(const struct walk *w, places_t *set)
{
    bool grown = true;
    while (grown) {
        grown = false;
        for (size_t i = 0; i < w->machine->transition_count; i++) {
            const struct model_transition *t = &w->machine->transitions[i];
            size_t to = place_of_change(w, i, 0);
            if (t->event == MODEL_EVENT_RECEIVE || !set[t->from] || set[to])
                continue;
            set[to] = 1;
            grown = true;
        }
    }
}

static void take_message(struct walk *w, const struct model_step *step, places_t *set)
{
    bool sends = step->from == w->machine->party;
    if (!sends && step->to != w->machine->party)
        return;
    drift(w, set);
    places_t *next = places_new(w, NULL);
    if (next == NULL)
        return;
    for (size_t i = 0; i < w->machine->transition_count; i++) {
        const struct model_transition *t = &w->machine->transitions[i];
        if (!sends && set[t->from] && t->message == step->message)
            next[place_of_change(w, i, 0)] = 1;
        for (size_t k = 0; sends && k < t->send_count; k++)
            if (set[place_of_change(w, i, k)] && t->sends[k] == step->message)
                next[place_of_change(w, i, k + 1)] = 1;
    }
    if (places_empty(w, next) && w->stuck == NULL)
        w->stuck = step;
    memcpy(set, next, w->places);
    free(next);
}

static void take_steps(struct walk *w, const struct model_step *steps, size_t count, places_t *set);

static void take_choice(struct walk *w, const struct model_step *step, places_t *set)
{
    places_t *before = places_new(w, set), *after = places_new(w, NULL);
    for (size_t i = 0; i < step->inner_count && before != NULL && after != NULL; i++) {
        const struct model_step *one = &step->inner[i];
        memcpy(set, before, w->places);
        take_steps(w, one->inner, one->inner_count, set);
        places_join(w, after, set);
    }
    if (after != NULL)
        memcpy(set, after, w->places);
    free(before);
    free(after);
}

/* Once, or again from where that led. */
static void take_repeat(struct walk *w, const struct model_step *step, places_t *set)
{
    places_t *after = places_new(w, NULL);
    bool grown = after != NULL;
    while (grown && w->stuck == NULL && !w->bad) {
        take_steps(w, step->inner, step->inner_count, set);
        grown = places_join(w, after, set);
    }
    if (after != NULL)
        memcpy(set, after, w->places);
    free(after);
}

static void take_optional(struct walk *w, const struct model_step *step, places_t *set)
{
    places_t *before = places_new(w, set);
    if (before == NULL)
        return;
    take_steps(w, step->inner, step->inner_count, set);
    places_join(w, set, before);
    free(before);
}

static void take_steps(struct walk *w, const struct model_step *steps, size_t count, places_t *set)
{
    for (size_t i = 0; i < count && w->stuck == NULL && !w->bad; i++)
        switch (steps[i].kind) {
        case MODEL_STEP_MESSAGE:
            take_message(w, &steps[i], set);
            break;
        case MODEL_STEP_CHOICE:
            take_choice(w, &steps[i], set);
            break;
        case MODEL_STEP_OPTIONAL:
            take_optional(w, &steps[i], set);
            break;
        case MODEL_STEP_REPEAT:
            take_repeat(w, &steps[i], set);
            break;
        default:
            take_steps(w, steps[i].inner, steps[i].inner_count, set);
            break;
        }
}

/* The step at which the machine can't go on; NULL: it is a path. */
static const struct model_step *walk(struct checker *c, const struct model_machine *machine,
                                     const struct model_ladder *ladder)
{
    struct walk w = {.machine = machine,
                     .places =
                         machine->state_count + machine->transition_count * MODEL_ACTIONS_MAX};
    places_t *set = places_new(&w, NULL);
    if (set != NULL) {
        if (ladder->continues)
            memset(set, 1, machine->state_count);
        else
            set[machine->initial] = 1;
        take_steps(&w, ladder->steps, ladder->step_count, set);
        free(set);
    }
    c->report->bad |= w.bad;
    return w.stuck;
}

static bool knows(const struct model_machine *m, const struct model_step *steps, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        for (size_t t = 0; t < m->transition_count && steps[i].kind == MODEL_STEP_MESSAGE; t++) {
            const struct model_transition *change = &m->transitions[t];
            if (change->message == steps[i].message && steps[i].to == m->party)
                return true;
            for (size_t k = 0; k < change->send_count && steps[i].from == m->party; k++)
                if (change->sends[k] == steps[i].message)
                    return true;
        }
        if (knows(m, steps[i].inner, steps[i].inner_count))
            return true;
    }
    return false;
}

bool check_machine_knows(const struct model_machine *machine, const struct model_ladder *ladder)
{
    return knows(machine, ladder->steps, ladder->step_count);
}

static bool later(const struct model_step *a, const struct model_step *b)
{
    return b == NULL || a->place.line > b->place.line ||
           (a->place.line == b->place.line && a->place.column > b->place.column);
}

/* One of the party's machines that know anything of this ladder has to follow it. */
static void check_party(struct checker *c, const struct model_diagram *ladder, size_t party)
{
    const struct model *m = c->model;
    const struct model_step *stuck = NULL;
    const struct model_diagram *d;
    for (size_t i = 0; (d = model_diagram(m, i)) != NULL; i++) {
        if (d->kind != MODEL_MACHINE || d->machine.party != party ||
            !check_machine_knows(&d->machine, &ladder->ladder))
            continue;
        const struct model_step *at = walk(c, &d->machine, &ladder->ladder);
        if (at == NULL)
            return;
        if (later(at, stuck))
            stuck = at;
    }
    if (stuck == NULL)
        return;
    check_find(c, stuck->place, "path",
               ladder->ladder.continues
                   ? "correct the ladder or the state machine"
                   : "correct one of them, or write 'continues' if the ladder begins later",
               "ladder '%s' leaves the states of '%s': it can't %s '%s' here", ladder->id,
               m->parties[party].id, stuck->from == party ? "send" : "receive",
               m->messages[stuck->message].id);
}

void check_paths(struct checker *c)
{
    const struct model_diagram *d;
    for (size_t i = 0; (d = model_diagram(c->model, i)) != NULL; i++)
        for (size_t p = 0; d->kind == MODEL_LADDER && p < d->ladder.party_count; p++)
            check_party(c, d, d->ladder.parties[p]);
}
