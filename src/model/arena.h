/*
 * Memory that is given back at once: what a model is made of. Zeroed; NULL when there is none.
 */
#ifndef CYGNET_MODEL_ARENA_H
#define CYGNET_MODEL_ARENA_H

#include "base/view.h"

struct arena_block;

struct arena {
    struct arena_block *blocks;
    size_t used, room; /* of the newest block */
};

MUST_USE void *arena_alloc(struct arena *arena, size_t len);
/* Room for one more item behind *count of them; NULL: no memory. Moves them when they outgrow a
 * power of two; those left behind stay until the end. */
MUST_USE void *arena_push(struct arena *arena, void **items, size_t *count, size_t item_size);
void arena_free(struct arena *arena);

#endif
