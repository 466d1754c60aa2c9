/*
 * A hash table of nodes that live inside their owners' structs. The key is `key_len` octets (a
 * multiple of 4, at most MAP_KEY_MAX) somewhere in the same struct and must not change while the
 * node is in the table. Hashing is multilinear with secret random keys, so that a stranger who
 * picks addresses or cookies can't make them collide. The table never owns its nodes; growing may
 * fail without harm, only the first allocation can refuse an insert.
 */
#ifndef CYGNET_BASE_MAP_H
#define CYGNET_BASE_MAP_H

#include "base/rng.h"

#define MAP_KEY_MAX 64

struct map_node {
    struct map_node *next;
    uint32_t hash;
};

struct map {
    struct map_node **buckets;
    size_t size; /* a power of two, or 0 before the first insert */
    size_t count;
    ptrdiff_t key_from_node;
    size_t key_len;
    uint64_t seeds[MAP_KEY_MAX / 4 + 1];
};

/* Where the key lies relative to the node, for map_init(). */
#define MAP_KEY_OFFSET(type, node, key)                                                            \
    ((ptrdiff_t)offsetof(type, key) - (ptrdiff_t)offsetof(type, node))
#define MAP_OWNER(node_ptr, type, node) ((type *)(void *)((char *)(node_ptr)-offsetof(type, node)))

void map_init(struct map *map, ptrdiff_t key_from_node, size_t key_len, const struct rng *rng);
/* Frees the table, not the nodes. */
void map_fini(struct map *map);
struct map_node *map_find(const struct map *map, const void *key);
/* The key must not be in the table yet. False: out of memory. */
MUST_USE bool map_insert(struct map *map, struct map_node *node);
void map_remove(struct map *map, struct map_node *node);
/* Walk in no order; the node last returned may be removed before asking for the next one. */
struct map_node *map_first(const struct map *map);
struct map_node *map_next(const struct map *map, const struct map_node *node);

#endif
