/*
 * Deadlines: a binary heap of nodes that live inside their owners' structs, earliest first. A node
 * whose `at` is MONO_NEVER is not in the heap. The heap owns only its array.
 */
#ifndef CYGNET_BASE_HEAP_H
#define CYGNET_BASE_HEAP_H

#include "base/mono.h"

struct heap_node {
    mono_t at;
    size_t index; /* position + 1; 0: not in the heap */
};

struct heap {
    struct heap_node **nodes;
    size_t count;
    size_t room;
};

#define HEAP_OWNER(node_ptr, type, node) ((type *)(void *)((char *)(node_ptr)-offsetof(type, node)))

void heap_fini(struct heap *heap);
/* Adds the node or moves it; MONO_NEVER takes it out. False: out of memory, nothing changed. */
MUST_USE bool heap_set(struct heap *heap, struct heap_node *node, mono_t at);
void heap_remove(struct heap *heap, struct heap_node *node);
/* The earliest node, or NULL. */
struct heap_node *heap_first(const struct heap *heap);
/* The earliest deadline, or MONO_NEVER. */
mono_t heap_next(const struct heap *heap);
/* Takes out and returns the earliest node if its time has come, else NULL. */
struct heap_node *heap_pop_due(struct heap *heap, mono_t now);

#endif
