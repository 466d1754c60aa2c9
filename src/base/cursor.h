/*
 * A reader over a view. Reading past the end makes the cursor bad for good, and every later read
 * yields zeros or an empty view, so a parser checks once, at the end. A sub-cursor covers exactly
 * `len` octets of its parent, which moves past them; the child must end with cursor_done().
 * All integers are in network order.
 */
#ifndef CYGNET_BASE_CURSOR_H
#define CYGNET_BASE_CURSOR_H

#include "base/view.h"

struct cursor {
    const uint8_t *at;
    const uint8_t *end;
    bool bad;
};

struct cursor cursor_of(struct view bytes);

uint8_t cursor_u8(struct cursor *cur);
uint16_t cursor_u16(struct cursor *cur);
uint32_t cursor_u32(struct cursor *cur);
uint64_t cursor_u64(struct cursor *cur);
struct view cursor_take(struct cursor *cur, size_t len);
/* Copies len octets to ret; zeros them if fewer are left. */
void cursor_copy(struct cursor *cur, void *ret, size_t len);
void cursor_skip(struct cursor *cur, size_t len);
struct view cursor_rest(struct cursor *cur);
/* The child is bad from the start if the parent holds fewer than len octets. */
struct cursor cursor_sub(struct cursor *cur, size_t len);

static inline size_t cursor_left(const struct cursor *cur)
{
    return cur->bad ? 0 : (size_t)(cur->end - cur->at);
}

/* Everything read so far was there, and nothing is left over. */
static inline bool cursor_done(const struct cursor *cur)
{
    return !cur->bad && cur->at == cur->end;
}

#endif
