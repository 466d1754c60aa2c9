#include <stdio.h>

#include "model/diagram_draw.h"

enum {
    BOX_COLUMN = 4, /* room for the arrow into the initial state */
    STUB = 9,       /* "--(123)--" between a box and the first lane */
    LANE_WIDTH = 3,
    STATES_APART = 1, /* rows between two boxes */
    FINAL_LINE = 1,
};

static const char final_mark[] = "(end)";

/*
 * Boxes one below the other. Each change of state leaves its box on the right in a row of its own,
 * with its number, turns into the lane of the state it leads to, and comes back in that state's
 * first row. Lanes lie side by side where they would overlap; when there is no room for another the
 * change names its state instead.
 */
struct state_plan {
    size_t top, height;
    size_t entry;       /* the row in which changes come in; MODEL_NONE: none do */
    size_t first, last; /* rows of its lane */
    size_t lane;        /* MODEL_NONE: none */
};

struct plan {
    const struct model_machine *machine;
    struct canvas *canvas;
    struct state_plan states[MODEL_STATES_MAX];
    size_t rows[MODEL_TRANSITIONS_MAX]; /* in which each change leaves its box */
    size_t width;                       /* of a box */
    size_t lanes;                       /* room for */
};

static size_t leaving(const struct model_machine *m, size_t state, bool *ret_entered)
{
    size_t count = 0;
    *ret_entered = false;
    for (size_t i = 0; i < m->transition_count; i++) {
        count += m->transitions[i].from == state;
        *ret_entered |= m->transitions[i].to == state;
    }
    return count;
}

static void plan_rows(struct plan *p)
{
    const struct model_machine *m = p->machine;
    size_t at = 0, next[MODEL_STATES_MAX];
    for (size_t i = 0; i < m->state_count; i++) {
        struct state_plan *s = &p->states[i];
        bool entered;
        size_t ports = leaving(m, i, &entered) + entered;
        size_t lines = 1 + (m->states[i].final ? FINAL_LINE : 0);
        s->top = at;
        s->height = 2 + (ports > lines ? ports : lines);
        s->entry = entered ? at + 1 : MODEL_NONE;
        s->first = s->last = s->entry;
        s->lane = MODEL_NONE;
        next[i] = at + 1 + entered;
        at += s->height + STATES_APART;
    }
    for (size_t i = 0; i < m->transition_count; i++) {
        struct state_plan *to = &p->states[m->transitions[i].to];
        size_t row = p->rows[i] = next[m->transitions[i].from]++;
        to->first = row < to->first ? row : to->first;
        to->last = row > to->last ? row : to->last;
    }
}

static bool lane_free(const struct plan *p, const struct state_plan *s, size_t lane)
{
    for (size_t i = 0; i < p->machine->state_count; i++) {
        const struct state_plan *other = &p->states[i];
        if (other != s && other->lane == lane && other->first <= s->last && s->first <= other->last)
            return false;
    }
    return true;
}

/* The shortest lane without a place yet; NULL: all have one, or were passed over. */
static struct state_plan *shortest(struct plan *p, const bool *done)
{
    struct state_plan *found = NULL;
    for (size_t i = 0; i < p->machine->state_count; i++) {
        struct state_plan *s = &p->states[i];
        if (s->entry == MODEL_NONE || done[i])
            continue;
        if (found == NULL || s->last - s->first < found->last - found->first)
            found = s;
    }
    return found;
}

static void plan_lanes(struct plan *p)
{
    bool done[MODEL_STATES_MAX] = {0};
    struct state_plan *s;
    while ((s = shortest(p, done)) != NULL) {
        size_t lane = 0;
        while (lane < p->lanes && !lane_free(p, s, lane))
            lane++;
        if (lane < p->lanes)
            s->lane = lane;
        done[s - p->states] = true;
    }
}

static size_t lane_column(const struct plan *p, size_t lane)
{
    return BOX_COLUMN + p->width + STUB + lane * LANE_WIDTH;
}

static void draw_state(struct plan *p, size_t index)
{
    const struct model_state *state = &p->machine->states[index];
    const struct state_plan *s = &p->states[index];
    canvas_box(p->canvas, s->top, BOX_COLUMN, s->height, p->width);
    canvas_text(p->canvas, s->top + 1, BOX_COLUMN + 2, state->id, strlen(state->id), CANVAS_LEFT,
                CANVAS_INSIDE);
    if (state->final)
        canvas_text(p->canvas, s->top + 2, BOX_COLUMN + 2, final_mark, strlen(final_mark),
                    CANVAS_LEFT, CANVAS_INSIDE);
    if (state->initial)
        canvas_across(p->canvas, s->top + 1, 0, BOX_COLUMN - 1, '-', false, true);
    if (s->lane == MODEL_NONE)
        return;
    size_t lane = lane_column(p, s->lane);
    canvas_across(p->canvas, s->entry, BOX_COLUMN + p->width, lane - 1, '-', true, false);
    canvas_joint(p->canvas, s->entry, lane);
    canvas_down(p->canvas, lane, s->first + 1, s->last - 1, false, false);
}

static void draw_change(struct plan *p, size_t index)
{
    const struct model_transition *change = &p->machine->transitions[index];
    const struct state_plan *to = &p->states[change->to];
    const char *id = p->machine->states[change->to].id;
    size_t row = p->rows[index], left = BOX_COLUMN + p->width;
    char number[16];
    int len = snprintf(number, sizeof(number), "(%zu)", index + 1);
    canvas_text(p->canvas, row, left + 2, number, (size_t)len, CANVAS_MIDDLE, CANVAS_PLAIN);
    if (to->lane != MODEL_NONE) {
        canvas_across(p->canvas, row, left, lane_column(p, to->lane) - 1, '-', false, false);
        canvas_joint(p->canvas, row, lane_column(p, to->lane));
        return;
    }
    canvas_across(p->canvas, row, left, left + STUB - 1, '-', false, true);
    size_t room = DRAWING_WIDTH - left - STUB - 1;
    canvas_text(p->canvas, row, left + STUB + 1, id, strlen(id) < room ? strlen(id) : room,
                CANVAS_LEFT, CANVAS_PLAIN);
}

void machine_draw(const struct model_machine *machine, struct canvas *canvas)
{
    struct plan p = {.machine = machine, .canvas = canvas};
    size_t longest = 0;
    for (size_t i = 0; i < machine->state_count; i++) {
        size_t len = strlen(machine->states[i].id);
        longest = len > longest ? len : longest;
        if (machine->states[i].final && longest < strlen(final_mark))
            longest = strlen(final_mark);
    }
    p.width = longest + 4;
    p.lanes = (DRAWING_WIDTH - 1 - BOX_COLUMN - p.width - STUB) / LANE_WIDTH + 1;
    plan_rows(&p);
    plan_lanes(&p);
    for (size_t i = 0; i < machine->state_count; i++)
        draw_state(&p, i);
    for (size_t i = 0; i < machine->transition_count; i++)
        draw_change(&p, i);
}
