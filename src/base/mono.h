/*
 * Monotonic time in milliseconds, in a type of its own so that it can't be mixed with a length of
 * time or a wall clock. Zero is some moment before the program started. The core never reads a
 * clock: `now` is an argument.
 */
#ifndef CYGNET_BASE_MONO_H
#define CYGNET_BASE_MONO_H

#include "base/view.h"

typedef struct {
    int64_t ms;
} mono_t;

#define MONO_NEVER ((mono_t){INT64_MAX})

static inline mono_t mono_add(mono_t at, int64_t ms)
{
    if (at.ms == INT64_MAX || (ms > 0 && at.ms > INT64_MAX - ms))
        return MONO_NEVER;
    return (mono_t){at.ms + ms};
}

static inline int64_t mono_since(mono_t now, mono_t then)
{
    return now.ms - then.ms;
}

static inline bool mono_reached(mono_t now, mono_t deadline)
{
    return now.ms >= deadline.ms;
}

static inline mono_t mono_min(mono_t a, mono_t b)
{
    return a.ms < b.ms ? a : b;
}

static inline bool mono_is_never(mono_t at)
{
    return at.ms == INT64_MAX;
}

#endif
