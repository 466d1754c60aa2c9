/*
 * Event records: what every engine says about what it did, as plain structs that can be printed.
 * The stream of them is the trace; the log, `cygnet trace`, `cygnet why` and the ladders are all
 * drawn from it. Records never hold secrets.
 *
 * A record is a message between two parties (then `from` and `to` are set and it is drawn as an
 * arrow), or something that happened at one place (then only `at_party` is).
 */
#ifndef CYGNET_BASE_EVENT_H
#define CYGNET_BASE_EVENT_H

#include "base/addr.h"
#include "base/limits.h"
#include "base/mono.h"

/* How the arrow is drawn: the OE draft's section 2.2. */
enum event_line {
    EVENT_LINE_NONE,  /* no message: a decision, a state change, a timer */
    EVENT_LINE_CLEAR, /* '-' clear-text */
    EVENT_LINE_IKE,   /* '#' phase 1 cipher-text (IKE under encryption) */
    EVENT_LINE_ESP,   /* '=' phase 2 cipher-text (IPsec) */
};

/* Which room speaks. */
enum event_room {
    EVENT_PLANE,
    EVENT_OE,
    EVENT_DISCOVER,
    EVENT_IKE,
    EVENT_KEYD,
    EVENT_TUNNEL,
    EVENT_RSIP,
    EVENT_ROOM_COUNT,
};

enum event_level { EVENT_DEBUG, EVENT_INFO, EVENT_WARNING, EVENT_ERROR };

/* A party that isn't named by an address. */
enum event_party {
    EVENT_PARTY_NONE,
    EVENT_PARTY_ADDR,   /* see the address beside it */
    EVENT_PARTY_SELF,   /* the gateway that writes the record */
    EVENT_PARTY_DNS,    /* the resolver's server */
    EVENT_PARTY_SOURCE, /* the flow's source host */
    EVENT_PARTY_DEST,   /* the flow's destination host */
};

struct event_end {
    enum event_party party;
    struct ip_addr addr; /* for EVENT_PARTY_ADDR */
};

struct event_record {
    uint64_t serial; /* set by whoever collects the stream; grows by one */
    mono_t at;
    enum event_room room;
    enum event_level level;
    enum event_line line;
    struct event_end from, to;
    struct ip_pair flow;   /* as the initiator of the flow sees it; family 0: concerns no one flow */
    struct ip_addr peer;   /* the other gateway; family 0: none */
    uint64_t connection;   /* OE instance or IKE exchange it belongs to; 0: none */
    char label[8];         /* step of the draft's Figure 6, "5E1"; empty: none */
    char title[64];        /* "Main Mode 1: SA", "Potential OE -> Pending OE" */
    char detail[LIMIT_REASON]; /* what a person needs to know: addresses, status, reason */
};

struct event_sink {
    void (*emit)(void *ctx, const struct event_record *record);
    void *ctx;
};

static inline void event_emit(const struct event_sink *sink, const struct event_record *record)
{
    if (sink->emit != NULL)
        sink->emit(sink->ctx, record);
}

#endif
