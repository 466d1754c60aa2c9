/*
 * Draws the records of one flow, from one or both of its gateways, as a message ladder.
 */
#ifndef CYGNET_CLI_TRACE_DRAW_H
#define CYGNET_CLI_TRACE_DRAW_H

#include "model/trace_ladder.h"

#define TRACE_NAME_MAX 32
enum { TRACE_DRAW_SOURCES = 2, TRACE_DRAW_NAMES = 32 };

struct trace_entry {
    struct event_record record;
    size_t source;    /* which gateway wrote it */
    const char *name; /* what that gateway is called */
};

struct trace_drawing {
    struct ip_pair flow; /* family 0: the newest flow in the entries */
    struct trace_name names[TRACE_DRAW_NAMES];
    size_t name_count;
    enum trace_format format;
};

/* Entries of at most TRACE_DRAW_SOURCES sources, those of one source together and in its order.
 * Prints to standard output. False: failed, and said so. */
bool trace_draw(const struct trace_entry *entries, size_t count,
                const struct trace_drawing *drawing);

#endif
