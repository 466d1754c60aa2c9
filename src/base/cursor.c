#include "base/cursor.h"

struct cursor cursor_of(struct view bytes)
{
    return (struct cursor){.at = bytes.ptr, .end = bytes.ptr ? bytes.ptr + bytes.len : NULL};
}

struct view cursor_take(struct cursor *cur, size_t len)
{
    if (cursor_left(cur) < len || cur->bad) {
        cur->bad = true;
        return view_of(NULL, 0);
    }
    struct view taken = view_of(cur->at, len);
    if (len != 0)
        cur->at += len;
    return taken;
}

void cursor_copy(struct cursor *cur, void *ret, size_t len)
{
    struct view taken = cursor_take(cur, len);
    if (taken.ptr != NULL && len != 0)
        memcpy(ret, taken.ptr, len);
    else
        memset(ret, 0, len);
}

void cursor_skip(struct cursor *cur, size_t len)
{
    (void)cursor_take(cur, len);
}

struct view cursor_rest(struct cursor *cur)
{
    return cursor_take(cur, cursor_left(cur));
}

struct cursor cursor_sub(struct cursor *cur, size_t len)
{
    struct view taken = cursor_take(cur, len);
    struct cursor sub = cursor_of(taken);
    sub.bad = cur->bad;
    return sub;
}

static uint64_t cursor_integer(struct cursor *cur, size_t octets)
{
    struct view taken = cursor_take(cur, octets);
    uint64_t value = 0;
    for (size_t i = 0; i < taken.len; i++)
        value = value << 8 | taken.ptr[i];
    return value;
}

uint8_t cursor_u8(struct cursor *cur)
{
    return (uint8_t)cursor_integer(cur, 1);
}

uint16_t cursor_u16(struct cursor *cur)
{
    return (uint16_t)cursor_integer(cur, 2);
}

uint32_t cursor_u32(struct cursor *cur)
{
    return (uint32_t)cursor_integer(cur, 4);
}

uint64_t cursor_u64(struct cursor *cur)
{
    return cursor_integer(cur, 8);
}
