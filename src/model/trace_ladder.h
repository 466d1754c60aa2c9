/*
 * From the event records of one flow to its ladder: the flow's two hosts, the gateways in front of
 * them, and the DNS, as in the OE draft's Figure 6. The records come from one gateway or from both;
 * a message that both wrote down is drawn once, and nothing that a gateway says stands above the
 * message that made it say so, even if the clocks disagree. Pure; everything is borrowed for the
 * call.
 *
 * A responder learns late which flow a phase 1 exchange is for, so its records of the phase 1 that
 * leads to the flow's first record are drawn too, though they name no flow.
 */
#ifndef CYGNET_MODEL_TRACE_LADDER_H
#define CYGNET_MODEL_TRACE_LADDER_H

#include "base/event.h"
#include "model/ladder.h"

/* What one gateway wrote, in its own order (by serial). */
struct trace_source {
    struct ip_addr addr; /* its outside address; family 0: found out from the other's records */
    const struct event_record *records;
    size_t count;
};

struct trace_name {
    struct ip_addr addr;
    const char *name; /* "Alice" */
};

struct trace_input {
    const char *title;   /* NULL: none */
    struct ip_pair flow; /* as its initiator sees it; records of other flows are left out */
    const struct trace_source *sources;
    size_t source_count;            /* 1 or 2, in any order */
    const struct trace_name *names; /* where there is none: "source", "gateway", "peer", "dest" */
    size_t name_count;
    bool notes;       /* also draw state changes, decisions and DNS messages that are no step of the
                       * figure; warnings are drawn in any case */
    bool details;     /* list what was in the messages, too */
    bool labels_only; /* no list below the drawing */
};

enum trace_format {
    TRACE_TEXT,
    TRACE_HTML, /* one page that needs nothing else */
};

/* Appends the ladder. False: out of memory, or not one or two sources. */
MUST_USE bool trace_ladder_render(const struct trace_input *in, enum trace_format format,
                                  struct drawing *out);

#endif
