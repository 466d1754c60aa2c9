/*
 * Ladders and machines as one kind of graph, and the walk of messages along it. A node is a point
 * between two messages; an edge is a message, or nothing at all. The walk keeps every point that it
 * may be at, because what a message was isn't always plain. The matcher's own; match.h is the door.
 */
#ifndef CYGNET_MODEL_MATCH_WALK_H
#define CYGNET_MODEL_MATCH_WALK_H

#include "model/match.h"

struct walk_edge {
    size_t from, to;         /* nodes */
    size_t message;          /* MODEL_NONE: nothing is sent */
    size_t sender, receiver; /* parties */
    size_t next;             /* edge of the same `from`, or MODEL_NONE */
};

struct walk_node {
    size_t diagram; /* MODEL_NONE: between two ladders */
    size_t first;   /* its edges in the order of the file, linked by `next` */
    size_t last;
    bool complete; /* an exchange may end here */
};

struct walk_graph {
    struct walk_node *nodes;
    size_t node_count, node_room;
    struct walk_edge *edges;
    size_t edge_count, edge_room;
    size_t start;
    struct match_set alphabet;
    bool failed; /* out of memory */
};

/* All ladders of a model, one after the other. */
void walk_graph_ladders(struct walk_graph *graph, const struct model *model);
/* One machine, which sees only what its party sends and receives. */
void walk_graph_machine(struct walk_graph *graph, const struct model *model, size_t diagram);
void walk_graph_fini(struct walk_graph *graph);

/* A message as the parties see it. */
struct walk_event {
    size_t from, to; /* parties; MODEL_NONE: none of the model's */
    const struct match_set *messages;
};

/* Whether a message from one party to another would have been seen. */
struct walk_view {
    bool (*sees)(const void *ctx, size_t message, size_t from, size_t to);
    const void *ctx;
};

struct walk_result {
    size_t taken;     /* events that went along an edge; the next one didn't */
    bool complete;    /* all did, and the exchange may end here */
    size_t *messages; /* of each taken event: the message that it was */
    size_t *diagrams; /* and the diagram that this message is in */
    struct match_expected expected[MATCH_EXPECTED_MAX]; /* what could have come next */
    size_t expected_count;
};

/* `messages` and `diagrams` of the result have room for `count`. False: out of memory. */
MUST_USE bool walk(const struct walk_graph *graph, const struct walk_event *events, size_t count,
                   const struct walk_view *view, struct walk_result *ret);

#endif
