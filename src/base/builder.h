/*
 * A writer into a caller's span, in network order. Running out of room makes it bad for good and
 * later writes do nothing, so a builder checks once, at the end. builder_open_*() reserves a length
 * field; builder_close_*() fills it with the octets written since `start`.
 */
#ifndef CYGNET_BASE_BUILDER_H
#define CYGNET_BASE_BUILDER_H

#include "base/view.h"

struct builder {
    uint8_t *base;
    size_t len;
    size_t cap;
    bool bad;
};

struct builder builder_on(struct span room);

void builder_u8(struct builder *b, uint8_t value);
void builder_u16(struct builder *b, uint16_t value);
void builder_u32(struct builder *b, uint32_t value);
void builder_u64(struct builder *b, uint64_t value);
void builder_bytes(struct builder *b, const void *ptr, size_t len);
void builder_view(struct builder *b, struct view bytes);
void builder_fill(struct builder *b, uint8_t value, size_t count);
/* Pads with zeros until the length since `start` is a multiple of `unit`. */
void builder_align(struct builder *b, size_t start, size_t unit);

/* Overwrite what is already there; `at` must lie inside what was written. */
void builder_patch_u8(struct builder *b, size_t at, uint8_t value);
void builder_patch_u16(struct builder *b, size_t at, uint16_t value);
void builder_patch_u32(struct builder *b, size_t at, uint32_t value);

/* Reserve a length field and return its position. */
size_t builder_open_u16(struct builder *b);
size_t builder_open_u32(struct builder *b);
/* Write the octet count from `start` up to here into the field at `field`. */
void builder_close_u16(struct builder *b, size_t field, size_t start);
void builder_close_u32(struct builder *b, size_t field, size_t start);

static inline struct view builder_written(const struct builder *b)
{
    return b->bad ? view_of(NULL, 0) : view_of(b->base, b->len);
}

#endif
