/*
 * Hex text to octets, for vectors: spaces don't count. Anything else is a mistake in the test.
 */
#ifndef CYGNET_TESTS_UNHEX_H
#define CYGNET_TESTS_UNHEX_H

#include "base/view.h"

#include <assert.h>

static inline unsigned unhex_digit(char c)
{
    assert((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'));
    return c <= '9' ? (unsigned)(c - '0') : (unsigned)(c & ~0x20) - 'A' + 10;
}

/* Returns the number of octets written to ret, which holds `room`. */
static inline size_t unhex(const char *text, uint8_t *ret, size_t room)
{
    size_t digits = 0;
    for (const char *c = text; *c != '\0'; c++) {
        if (*c == ' ')
            continue;
        assert(digits / 2 < room);
        uint8_t high = digits % 2 == 0 ? 0 : (uint8_t)(ret[digits / 2] << 4);
        ret[digits / 2] = (uint8_t)(high | unhex_digit(*c));
        digits++;
    }
    assert(digits % 2 == 0);
    return digits / 2;
}

static inline struct view unhex_view(const char *text, uint8_t *room, size_t room_len)
{
    return view_of(room, unhex(text, room, room_len));
}

#endif
