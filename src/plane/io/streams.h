/*
 * IKE and ESP through TCP (RFC 9329): the connections, what is read from them and what waits to be written.
 * A stream has a number by which keyd, SAs and this table know it. One that we begin is numbered by keyd
 * and keeps its number when its connection is lost and made again; one that a peer begins is numbered
 * here (IP_STREAM_ACCEPTED) and dies with its connection.
 *
 * Strangers may connect, so a stream lives for seconds only, until keyd says that an authentic peer uses it
 * (streams_keep). Before that, streams are few altogether and fewer from one source; the oldest makes
 * room for the next. What a peer doesn't take waits up to a limit, beyond which whole packets are
 * dropped; ESP leaves IKE some of that room. Every drop has a counter.
 *
 * Nothing blocks. The owner watches streams_fd(), a single descriptor for all connections, and calls
 * streams_ready() when it is readable, streams_timer() when streams_next_deadline() has come, and
 * streams_flush() after it has sent something. Callbacks come from streams_ready() alone; in them it may
 * send, but not free. Needs no privilege: the sockets are opened, and marked, by others.
 */
#ifndef CYGNET_PLANE_IO_STREAMS_H
#define CYGNET_PLANE_IO_STREAMS_H

#include "base/err.h"
#include "base/mono.h"
#include "base/rng.h"
#include "esp/packet.h"

enum {
    STREAMS_MAX = 512,            /* all that are accepted */
    STREAMS_UNPROVEN_MAX = 128,   /* those of nobody we know */
    STREAMS_UNPROVEN_SOURCE = 16, /* ... from one address */
    STREAMS_PREFIX_MS = 5000,     /* until a stream has to begin as RFC 9329 says */
    STREAMS_UNPROVEN_MS = 30000,  /* until it has to be an authentic peer's */
    STREAMS_LEAVE_MS = 5000,      /* what is on its way when it isn't used any more */
    STREAMS_CONNECT_MS = 10000,
    STREAMS_RETRY_MS = 500,       /* doubles, up to */
    STREAMS_RETRY_MOST_MS = 30000,
    STREAMS_OUT_OCTETS = 256 * 1024, /* waiting for a peer that doesn't read, ... */
    STREAMS_OUT_ESP = 192 * 1024,    /* ... of which ESP takes so much */
    STREAMS_BAD_MOST = 64,        /* messages in a row that nobody could read */
};

struct streams;

struct streams_env {
    struct rng rng;
    void *ctx;
    /* An IKE message. */
    void (*ike)(void *ctx, const struct ip_endpoint *local, const struct ip_endpoint *remote,
                struct view message);
    /* ESP packets of one stream, valid until it returns; how many of them were authentic. */
    size_t (*esp)(void *ctx, struct packet **packets, size_t count);
    /* A stream of ours was lost, and is there again. */
    void (*opened)(void *ctx, const struct ip_endpoint *local, const struct ip_endpoint *remote);
    /* A socket of that family is wanted: streams_socket() when it is there. */
    void (*wants_socket)(void *ctx, enum ip_family family);
};

/* Listening sockets, -1: none; they stay the caller's. ERR_MEMORY; ERR_STATE: the system refuses. */
MUST_USE enum err streams_new(int listen_v4, int listen_v6, const struct streams_env *env,
                              struct streams **ret);
void streams_free(struct streams *streams);
int streams_fd(const struct streams *streams);
void streams_ready(struct streams *streams, mono_t now);
void streams_timer(struct streams *streams, mono_t now);
mono_t streams_next_deadline(const struct streams *streams);

/* An unbound TCP socket, which is ours from now on. */
void streams_socket(struct streams *streams, mono_t now, enum ip_family family, int fd);

/* An IKE message, or an empty one: nothing then, for TCP needs no NAT keepalives (section 6.6). A stream of
 * ours that isn't there is begun from `local` (whose port is a wish) to `remote`. */
void streams_send_ike(struct streams *streams, mono_t now, const struct ip_endpoint *local,
                      const struct ip_endpoint *remote, struct view message);
/* By packet->outer.stream; dropped if that isn't there. */
void streams_send_esp(struct streams *streams, const struct packet *packet);
/* Writes what was sent. */
void streams_flush(struct streams *streams, mono_t now);

/* An authentic peer's. One of ours that isn't there is begun, as it was before. */
void streams_keep(struct streams *streams, mono_t now, const struct ip_endpoint *local,
                  const struct ip_endpoint *remote);
void streams_close(struct streams *streams, mono_t now, uint32_t number);
/* keyd began anew: what it doesn't keep again is nobody's. */
void streams_forget_owners(struct streams *streams, mono_t now);

/* `i` from 0 up. False: no more. */
bool streams_counter(const struct streams *streams, size_t i, const char **ret_name,
                     uint64_t *ret_value);

#endif
