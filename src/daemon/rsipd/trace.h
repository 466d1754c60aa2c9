/*
 * What cygnet-rsipd did, as event records: its messages with what was in them. The latest are kept
 * for `cygnet rsip trace`, which draws them as it does those of keyd; subscribers get each at once.
 * What a stranger sends is recorded by its kind only, and the ring is fixed memory.
 */
#ifndef CYGNET_DAEMON_RSIPD_TRACE_H
#define CYGNET_DAEMON_RSIPD_TRACE_H

#include <jansson.h>

#include "base/event.h"
#include "base/view.h"

struct control_socket;

enum { RSIPD_TRACE_RECORDS = 2048 };

struct rsipd_trace {
    struct ip_addr host, gateway;   /* the ends of a client; the server sets only `gateway` */
    struct control_socket *control; /* whose subscribers are told; NULL: nobody */
    uint64_t added;
    struct event_record records[RSIPD_TRACE_RECORDS];
};

/* A message to or from `peer`: a host for the server, the gateway for a client. */
void rsipd_trace_message(struct rsipd_trace *t, bool sent, const struct ip_addr *peer,
                         struct view bytes);
/* The same of an L2TP datagram; one that carries a datagram of a program is left out. */
void rsipd_trace_l2tp(struct rsipd_trace *t, bool sent, const struct ip_addr *peer,
                      struct view bytes);
/* The reply to {"cmd":"trace"}, a new reference. */
json_t *rsipd_trace_json(const struct rsipd_trace *t);

#endif
