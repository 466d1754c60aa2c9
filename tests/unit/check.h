/*
 * What unit tests share: cmocka with its headers in the order it needs, hex literals as bytes, and
 * a seeded generator, so that a random test that fails once fails always.
 */
#ifndef CYGNET_TESTS_UNIT_CHECK_H
#define CYGNET_TESTS_UNIT_CHECK_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/rng.h"
#include "base/view.h"

#define CHECK_COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* "00 01ff" into room; blanks are skipped. */
static inline struct view check_hex(const char *text, uint8_t *room)
{
    size_t digits = 0;
    for (; *text != '\0'; text++) {
        if (*text == ' ' || *text == '\n')
            continue;
        unsigned value = (unsigned)(*text <= '9' ? *text - '0' : (*text | 32) - 'a' + 10);
        assert_true(value < 16);
        room[digits / 2] = (uint8_t)(digits % 2 ? room[digits / 2] | value : value << 4);
        digits++;
    }
    assert_int_equal(digits % 2, 0);
    return view_of(room, digits / 2);
}

static inline void check_view(struct view got, struct view want)
{
    assert_int_equal(got.len, want.len);
    if (want.len != 0)
        assert_memory_equal(got.ptr, want.ptr, want.len);
}

/* xorshift64 */
static inline uint32_t check_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return (uint32_t)(*state >> 32);
}

static inline void check_rng_fill(void *ctx, uint8_t *ret, size_t len)
{
    for (size_t i = 0; i < len; i++)
        ret[i] = (uint8_t)check_random(ctx);
}

static inline struct rng check_rng(uint64_t *state)
{
    return (struct rng){.fill = check_rng_fill, .ctx = state};
}

#endif
