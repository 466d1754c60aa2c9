#include <stdlib.h>

#include "model/match_walk.h"

/* Room for one more; false: out of memory. */
static bool reserve(void *array, size_t count, size_t *room, size_t size)
{
    void **items = array;
    if (count < *room)
        return true;
    size_t wanted = *room == 0 ? 64 : 2 * *room;
    void *grown = reallocarray(*items, wanted, size);
    if (grown == NULL)
        return false;
    *items = grown;
    *room = wanted;
    return true;
}

/* Node 0 stands in for one that there was no memory for; `failed` tells. */
static size_t add_node(struct walk_graph *g, size_t diagram)
{
    if (g->failed || !reserve(&g->nodes, g->node_count, &g->node_room, sizeof(*g->nodes))) {
        g->failed = true;
        return 0;
    }
    g->nodes[g->node_count] =
        (struct walk_node){.diagram = diagram, .first = MODEL_NONE, .last = MODEL_NONE};
    return g->node_count++;
}

static void add_edge(struct walk_graph *g, struct walk_edge edge)
{
    if (g->failed || !reserve(&g->edges, g->edge_count, &g->edge_room, sizeof(*g->edges))) {
        g->failed = true;
        return;
    }
    struct walk_node *from = &g->nodes[edge.from];
    edge.next = MODEL_NONE;
    g->edges[g->edge_count] = edge;
    if (from->last != MODEL_NONE)
        g->edges[from->last].next = g->edge_count;
    else
        from->first = g->edge_count;
    from->last = g->edge_count++;
    if (edge.message != MODEL_NONE)
        match_set_add(&g->alphabet, edge.message);
}

static void link_nodes(struct walk_graph *g, size_t from, size_t to)
{
    add_edge(g, (struct walk_edge){.from = from, .to = to, .message = MODEL_NONE});
}

static size_t add_step(struct walk_graph *g, size_t at, const struct model_step *step,
                       size_t diagram);

/* From `at` through all steps; the node behind the last one. */
static size_t add_steps(struct walk_graph *g, size_t at, const struct model_step *steps,
                        size_t count, size_t diagram)
{
    for (size_t i = 0; i < count; i++)
        at = add_step(g, at, &steps[i], diagram);
    return at;
}

static size_t add_choice(struct walk_graph *g, size_t at, const struct model_step *choice,
                         size_t diagram)
{
    size_t end = add_node(g, diagram);
    for (size_t i = 0; i < choice->inner_count; i++) {
        const struct model_step *one = &choice->inner[i];
        link_nodes(g, add_steps(g, at, one->inner, one->inner_count, diagram), end);
    }
    return end;
}

/* An own node before and behind, so that no other step's edges become part of the loop. */
static size_t add_repeat(struct walk_graph *g, size_t at, const struct model_step *step,
                         size_t diagram)
{
    size_t begin = add_node(g, diagram), end = add_node(g, diagram);
    link_nodes(g, at, begin);
    size_t last = add_steps(g, begin, step->inner, step->inner_count, diagram);
    link_nodes(g, last, begin);
    link_nodes(g, last, end);
    return end;
}

static size_t add_optional(struct walk_graph *g, size_t at, const struct model_step *step,
                           size_t diagram)
{
    size_t begin = add_node(g, diagram), end = add_node(g, diagram);
    link_nodes(g, at, begin);
    link_nodes(g, add_steps(g, begin, step->inner, step->inner_count, diagram), end);
    link_nodes(g, begin, end);
    return end;
}

static size_t add_message(struct walk_graph *g, size_t at, const struct model_step *step,
                          size_t diagram)
{
    size_t end = add_node(g, diagram);
    add_edge(g, (struct walk_edge){.from = at,
                                   .to = end,
                                   .message = step->message,
                                   .sender = step->from,
                                   .receiver = step->to});
    return end;
}

/* The depth of steps is bounded by MODEL_STEP_DEPTH_MAX. */
static size_t add_step(struct walk_graph *g, size_t at, const struct model_step *step,
                       size_t diagram)
{
    switch (step->kind) {
    case MODEL_STEP_MESSAGE:
        return add_message(g, at, step, diagram);
    case MODEL_STEP_CHOICE:
        return add_choice(g, at, step, diagram);
    case MODEL_STEP_OPTIONAL:
        return add_optional(g, at, step, diagram);
    case MODEL_STEP_REPEAT:
        return add_repeat(g, at, step, diagram);
    case MODEL_STEP_PHASE:
    case MODEL_STEP_CASE:
        return add_steps(g, at, step->inner, step->inner_count, diagram);
    default: /* notes */
        return at;
    }
}

void walk_graph_ladders(struct walk_graph *g, const struct model *model)
{
    const struct model_diagram *diagram;

    *g = (struct walk_graph){0};
    size_t between = add_node(g, MODEL_NONE);
    g->start = between;
    for (size_t i = 0; (diagram = model_diagram(model, i)) != NULL; i++) {
        if (diagram->kind != MODEL_LADDER)
            continue;
        size_t begin = add_node(g, i);
        link_nodes(g, between, begin);
        size_t end = add_steps(g, begin, diagram->ladder.steps, diagram->ladder.step_count, i);
        link_nodes(g, end, between);
    }
    if (!g->failed)
        g->nodes[between].complete = true;
}

/* Party `from` or `to` of a message that `party` sends, if it is `sends`, or receives. */
static struct walk_edge machine_edge(const struct model *model, size_t message, size_t party,
                                     bool sends)
{
    const struct model_message *m = &model->messages[message];
    bool with_the_arrow = (sends ? m->from : m->to) == party;
    return (struct walk_edge){.message = message,
                              .sender = with_the_arrow ? m->from : m->to,
                              .receiver = with_the_arrow ? m->to : m->from};
}

static void add_transition(struct walk_graph *g, const struct model *model, size_t diagram,
                           const struct model_machine *machine, const struct model_transition *t)
{
    size_t at = 1 + t->from, left = t->send_count + (t->event == MODEL_EVENT_RECEIVE);
    if (left == 0)
        link_nodes(g, at, 1 + t->to);
    for (size_t i = t->event == MODEL_EVENT_RECEIVE ? 0 : 1; left > 0; i++, left--) {
        struct walk_edge edge = i == 0 ? machine_edge(model, t->message, machine->party, false)
                                       : machine_edge(model, t->sends[i - 1], machine->party, true);
        edge.from = at;
        edge.to = left == 1 ? 1 + t->to : add_node(g, diagram);
        at = edge.to;
        add_edge(g, edge);
    }
}

/* Node 0 comes before everything, state i is node 1 + i. */
void walk_graph_machine(struct walk_graph *g, const struct model *model, size_t diagram)
{
    const struct model_machine *machine = &model_diagram(model, diagram)->machine;
    bool any_final = false;

    *g = (struct walk_graph){0};
    g->start = add_node(g, diagram);
    for (size_t i = 0; i < machine->state_count; i++) {
        size_t node = add_node(g, diagram);
        any_final = any_final || machine->states[i].final;
        if (!g->failed)
            g->nodes[node].complete = machine->states[i].final;
    }
    link_nodes(g, g->start, 1 + machine->initial);
    for (size_t i = 0; i < machine->transition_count; i++)
        add_transition(g, model, diagram, machine, &machine->transitions[i]);
    if (!g->failed && !any_final) /* it never ends: back at the beginning is as good */
        g->nodes[1 + machine->initial].complete = true;
}

void walk_graph_fini(struct walk_graph *g)
{
    free(g->nodes);
    free(g->edges);
}
