#include "base/builder.h"

struct builder builder_on(struct span room)
{
    return (struct builder){.base = room.ptr, .cap = room.len};
}

static uint8_t *builder_room(struct builder *b, size_t len)
{
    if (b->bad || b->cap - b->len < len) {
        b->bad = true;
        return NULL;
    }
    uint8_t *room = b->base + b->len;
    b->len += len;
    return room;
}

static void store(uint8_t *at, uint64_t value, size_t octets)
{
    for (size_t i = octets; i-- > 0; value >>= 8)
        at[i] = (uint8_t)value;
}

static void builder_integer(struct builder *b, uint64_t value, size_t octets)
{
    uint8_t *room = builder_room(b, octets);
    if (room != NULL)
        store(room, value, octets);
}

void builder_u8(struct builder *b, uint8_t value)
{
    builder_integer(b, value, 1);
}

void builder_u16(struct builder *b, uint16_t value)
{
    builder_integer(b, value, 2);
}

void builder_u32(struct builder *b, uint32_t value)
{
    builder_integer(b, value, 4);
}

void builder_u64(struct builder *b, uint64_t value)
{
    builder_integer(b, value, 8);
}

void builder_bytes(struct builder *b, const void *ptr, size_t len)
{
    uint8_t *room = builder_room(b, len);
    if (room != NULL && len != 0)
        memcpy(room, ptr, len);
}

void builder_view(struct builder *b, struct view bytes)
{
    builder_bytes(b, bytes.ptr, bytes.len);
}

void builder_fill(struct builder *b, uint8_t value, size_t count)
{
    uint8_t *room = builder_room(b, count);
    if (room != NULL && count != 0)
        memset(room, value, count);
}

void builder_align(struct builder *b, size_t start, size_t unit)
{
    size_t over = (b->len - start) % unit;
    if (over != 0)
        builder_fill(b, 0, unit - over);
}

static void builder_patch(struct builder *b, size_t at, uint64_t value, size_t octets)
{
    if (!b->bad && at + octets <= b->len)
        store(b->base + at, value, octets);
    else
        b->bad = true;
}

void builder_patch_u8(struct builder *b, size_t at, uint8_t value)
{
    builder_patch(b, at, value, 1);
}

void builder_patch_u16(struct builder *b, size_t at, uint16_t value)
{
    builder_patch(b, at, value, 2);
}

void builder_patch_u32(struct builder *b, size_t at, uint32_t value)
{
    builder_patch(b, at, value, 4);
}

size_t builder_open_u16(struct builder *b)
{
    size_t at = b->len;
    builder_u16(b, 0);
    return at;
}

size_t builder_open_u32(struct builder *b)
{
    size_t at = b->len;
    builder_u32(b, 0);
    return at;
}

void builder_close_u16(struct builder *b, size_t field, size_t start)
{
    size_t count = b->len - start;
    if (count > UINT16_MAX)
        b->bad = true;
    builder_patch_u16(b, field, (uint16_t)count);
}

void builder_close_u32(struct builder *b, size_t field, size_t start)
{
    size_t count = b->len - start;
    if (count > UINT32_MAX)
        b->bad = true;
    builder_patch_u32(b, field, (uint32_t)count);
}
