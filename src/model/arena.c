#include "model/arena.h"

#include <stdalign.h>
#include <stdlib.h>

enum { BLOCK_LEN = 16384 };

struct arena_block {
    struct arena_block *next;
    alignas(max_align_t) unsigned char bytes[];
};

void *arena_alloc(struct arena *arena, size_t len)
{
    size_t unit = alignof(max_align_t);
    len = (len + unit - 1) / unit * unit;
    if (arena->blocks == NULL || arena->room - arena->used < len) {
        size_t room = len > BLOCK_LEN ? len : BLOCK_LEN;
        struct arena_block *block = calloc(1, sizeof(*block) + room);
        if (block == NULL)
            return NULL;
        block->next = arena->blocks;
        arena->blocks = block;
        arena->used = 0;
        arena->room = room;
    }
    void *at = arena->blocks->bytes + arena->used;
    arena->used += len;
    return at;
}

void *arena_push(struct arena *arena, void **items, size_t *count, size_t item_size)
{
    bool full = (*count & (*count - 1)) == 0; /* none, or a power of two of them */
    if (full) {
        void *more = arena_alloc(arena, (*count == 0 ? 1 : 2 * *count) * item_size);
        if (more == NULL)
            return NULL;
        if (*count > 0)
            memcpy(more, *items, *count * item_size);
        *items = more;
    }
    return (unsigned char *)*items + (*count)++ * item_size;
}

void arena_free(struct arena *arena)
{
    while (arena->blocks != NULL) {
        struct arena_block *next = arena->blocks->next;
        free(arena->blocks);
        arena->blocks = next;
    }
    *arena = (struct arena){0};
}
