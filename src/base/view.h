/*
 * Bytes that somebody else owns: a read-only view and a writable span. Neither owns its memory;
 * each is valid as long as the buffer it was cut from.
 */
#ifndef CYGNET_BASE_VIEW_H
#define CYGNET_BASE_VIEW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define MUST_USE __attribute__((warn_unused_result))

struct view {
    const uint8_t *ptr;
    size_t len;
};

struct span {
    uint8_t *ptr;
    size_t len;
};

static inline struct view view_of(const void *ptr, size_t len)
{
    return (struct view){.ptr = ptr, .len = len};
}

static inline struct view view_of_text(const char *text)
{
    return view_of(text, strlen(text));
}

static inline struct span span_of(void *ptr, size_t len)
{
    return (struct span){.ptr = ptr, .len = len};
}

/* Not for secrets: see secret_equal(). */
static inline bool view_equal(struct view a, struct view b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

#endif
