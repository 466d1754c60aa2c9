/*
 * The stub resolver that Cygnet offers to a site: answers over UDP and TCP what libunbound found and
 * validated, and before it answers about the addresses of a name it looks for IPSECKEY at that name.
 * If both are there and DNSSEC vouches for both, it tells the name to keyd, so that the first
 * datagram to the address finds it known. Runs inside the resolver's process and event loop.
 *
 * The descriptors stay the caller's. Clients beyond the limits are refused or dropped, never queued.
 */
#ifndef CYGNET_DAEMON_STUB_H
#define CYGNET_DAEMON_STUB_H

#include "base/addr.h"
#include "wire/identity.h"

struct event_base;
struct ub_ctx;
struct stub;

enum {
    STUB_QUERIES = 512,     /* being worked on at once */
    STUB_CONNECTIONS = 64,  /* TCP clients at once */
    STUB_IDLE_S = 10,       /* a TCP client that says nothing is let go */
    STUB_PATIENCE_MS = 500, /* how long the IPSECKEY lookup may hold up an answer */
};

/* A name that DNSSEC vouches for, with one of its addresses. */
typedef void stub_tell_fn(void *ctx, const struct identity *name, const struct ip_addr *addr,
                          uint32_t ttl_s);

/* `fds` are bound, non-blocking sockets: UDP and listening TCP in turn. NULL: out of memory. */
struct stub *stub_new(struct event_base *base, struct ub_ctx *ub, const int *fds, size_t count,
                      stub_tell_fn *tell, void *ctx);
void stub_free(struct stub *stub);

#endif
