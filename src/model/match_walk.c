#include "model/match_walk.h"

#include <stdlib.h>

/* One way to have come to a node. Ways share their beginnings. */
struct way {
    size_t node;
    size_t before; /* way, or MODEL_NONE */
    size_t edge;
    size_t event;
};

/* A node that can be reached from the end of a way without a message. */
struct point {
    size_t node;
    size_t way;
};

struct walker {
    const struct walk_graph *graph;
    const struct walk_event *events;
    const struct walk_view *view;
    struct way *ways;
    size_t way_count, way_room;
    struct point *points; /* room for every node */
    size_t point_count;
    size_t *seen;  /* by node: the round in which it became a point */
    size_t *taken; /* by node: the round in which a way came to it */
    size_t round;
};

static bool edge_seen(const struct walker *w, const struct walk_edge *edge)
{
    return edge->message != MODEL_NONE &&
           w->view->sees(w->view->ctx, edge->message, edge->sender, edge->receiver);
}

static bool edge_takes(const struct walker *w, const struct walk_edge *edge,
                       const struct walk_event *event)
{
    return edge_seen(w, edge) && match_set_has(event->messages, edge->message) &&
           edge->sender == event->from && edge->receiver == event->to;
}

static void add_point(struct walker *w, size_t node, size_t way)
{
    if (w->seen[node] == w->round)
        return;
    w->seen[node] = w->round;
    w->points[w->point_count++] = (struct point){node, way};
}

/* All points that the ways [from, to) lead to. */
static void spread(struct walker *w, size_t from, size_t to)
{
    w->round++;
    w->point_count = 0;
    for (size_t i = from; i < to; i++)
        add_point(w, w->ways[i].node, i);
    for (size_t i = 0; i < w->point_count; i++) {
        const struct point at = w->points[i];
        for (size_t e = w->graph->nodes[at.node].first; e != MODEL_NONE;
             e = w->graph->edges[e].next)
            if (!edge_seen(w, &w->graph->edges[e]))
                add_point(w, w->graph->edges[e].to, at.way);
    }
}

static bool add_way(struct walker *w, struct way way)
{
    if (w->way_count == w->way_room) {
        size_t room = w->way_room == 0 ? 256 : 2 * w->way_room;
        struct way *ways = reallocarray(w->ways, room, sizeof(*ways));
        if (ways == NULL)
            return false;
        w->ways = ways;
        w->way_room = room;
    }
    w->ways[w->way_count++] = way;
    return true;
}

/* From every point along the edges that take the event. `again`: the ways have taken it already, as
 * another message: one packet may carry two. */
static bool advance(struct walker *w, size_t event, bool again)
{
    for (size_t i = 0; i < w->point_count; i++) {
        const struct point at = w->points[i];
        for (size_t e = w->graph->nodes[at.node].first; e != MODEL_NONE;
             e = w->graph->edges[e].next) {
            const struct walk_edge *edge = &w->graph->edges[e];
            if (!edge_takes(w, edge, &w->events[event]) || w->taken[edge->to] == event + 1 ||
                (again && edge->message == w->graph->edges[w->ways[at.way].edge].message))
                continue;
            w->taken[edge->to] = event + 1;
            if (!add_way(w, (struct way){edge->to, at.way, e, event}))
                return false;
        }
    }
    return true;
}

static void expect(const struct walker *w, struct walk_result *ret)
{
    for (size_t i = 0; i < w->point_count; i++) {
        for (size_t e = w->graph->nodes[w->points[i].node].first; e != MODEL_NONE;
             e = w->graph->edges[e].next) {
            const struct walk_edge *edge = &w->graph->edges[e];
            bool known = !edge_seen(w, edge) || ret->expected_count == MATCH_EXPECTED_MAX;
            for (size_t j = 0; j < ret->expected_count && !known; j++)
                known = ret->expected[j].message == edge->message &&
                        ret->expected[j].from == edge->sender;
            if (!known)
                ret->expected[ret->expected_count++] =
                    (struct match_expected){edge->message, edge->sender, edge->receiver};
        }
    }
}

/* A way to a point where the exchange may end, or the first way. */
static size_t best_way(const struct walker *w, size_t first, bool *ret_complete)
{
    for (size_t i = 0; i < w->point_count; i++) {
        if (w->graph->nodes[w->points[i].node].complete) {
            *ret_complete = true;
            return w->points[i].way;
        }
    }
    return first;
}

/* Of an event that was taken as two messages, the first is kept. */
static void retrace(const struct walker *w, size_t way, struct walk_result *ret)
{
    for (; w->ways[way].before != MODEL_NONE; way = w->ways[way].before) {
        const struct walk_edge *edge = &w->graph->edges[w->ways[way].edge];
        ret->messages[w->ways[way].event] = edge->message;
        ret->diagrams[w->ways[way].event] = w->graph->nodes[edge->to].diagram;
    }
}

static bool walk_all(struct walker *w, size_t count, struct walk_result *ret)
{
    size_t begin = 0;
    bool complete = false;

    if (!add_way(w, (struct way){w->graph->start, MODEL_NONE, MODEL_NONE, MODEL_NONE}))
        return false;
    spread(w, 0, 1);
    while (ret->taken < count) {
        size_t first = w->way_count;
        if (!advance(w, ret->taken, false))
            return false;
        if (w->way_count == first)
            break;
        spread(w, first, w->way_count);
        if (!advance(w, ret->taken, true))
            return false;
        spread(w, first, w->way_count);
        begin = first;
        ret->taken++;
    }
    expect(w, ret);
    size_t way = best_way(w, begin, &complete);
    ret->complete = complete && ret->taken == count;
    retrace(w, way, ret);
    return true;
}

bool walk(const struct walk_graph *graph, const struct walk_event *events, size_t count,
          const struct walk_view *view, struct walk_result *ret)
{
    struct walker w = {
        .graph = graph,
        .events = events,
        .view = view,
        .points = calloc(graph->node_count, sizeof(*w.points)),
        .seen = calloc(graph->node_count, sizeof(*w.seen)),
        .taken = calloc(graph->node_count, sizeof(*w.taken)),
    };
    ret->taken = 0;
    ret->complete = false;
    ret->expected_count = 0;
    bool ok = w.points != NULL && w.seen != NULL && w.taken != NULL && walk_all(&w, count, ret);
    free(w.points);
    free(w.seen);
    free(w.taken);
    free(w.ways);
    return ok;
}
