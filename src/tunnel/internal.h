/*
 * What the files of this room share: tunnel.c has the tunnels and their configuration, table.c the
 * state x event table, authorize.c says what a peer may have.
 */
#ifndef CYGNET_TUNNEL_INTERNAL_H
#define CYGNET_TUNNEL_INTERNAL_H

#include "base/fifo.h"
#include "base/heap.h"
#include "base/map.h"
#include "tunnel/tunnel.h"

enum { TUNNEL_WHY_MAX = 120 };

enum tunnel_input {
    TUNNEL_IN_WANT,    /* a datagram, the start, a person */
    TUNNEL_IN_ACCEPTED, /* the peer may have it, and makes it */
    TUNNEL_IN_UP,      /* a child is up */
    TUNNEL_IN_FAILED,  /* our request has failed */
    TUNNEL_IN_SOFT,    /* time for a new child */
    TUNNEL_IN_LOST,    /* the child is gone, and another is to be made at once */
    TUNNEL_IN_ENDED,   /* the child is gone, and that is that */
    TUNNEL_IN_RETRY,   /* the pause is over: try again, */
    TUNNEL_IN_REST,    /* or wait for somebody who wants it */
    TUNNEL_IN_DOWN,    /* a person, or the configuration has changed */
    TUNNEL_INPUTS,
};

struct tunnel {
    struct map_node by_ticket;
    struct heap_node timer;
    size_t index; /* in tunnels.all */
    uint64_t ticket;
    const struct tunnel_connection *connection;
    size_t selector;
    bool home;
    bool down;
    uint8_t state; /* enum tunnel_state; set by tunnel_step() only */
    uint8_t version;
    struct traffic_pair agreed; /* up: what the child carries */
    struct ip_addr local, peer; /* IP_NONE: not known */
    struct ip_addr moved; /* where the peer of a home went from where it is configured; IP_NONE: nowhere */
    struct identity peer_id;
    spi_t spi_in, spi_out;
    struct esp_suite suite;
    struct ip_addr address;     /* lent to us by the peer */
    mono_t since;
    unsigned failures;
    char why[TUNNEL_WHY_MAX];
};

struct tunnels {
    struct tunnel_config config;
    struct tunnel_env env;
    mono_t now;
    bool plane_ready, shutting_down;
    struct map by_ticket;
    struct heap timers;
    struct fifo effects;
    struct tunnel **all;
    size_t count, room;
    uint32_t instances; /* numbers given to tunnels that are no homes */
};

static inline const struct tunnel_selector *tunnel_selector(const struct tunnel *tunnel)
{
    return &tunnel->connection->selectors[tunnel->selector];
}

/* What its rule says: as configured for a home, as agreed for others. */
static inline const struct traffic_pair *tunnel_traffic(const struct tunnel *tunnel)
{
    return tunnel->home ? &tunnel_selector(tunnel)->traffic : &tunnel->agreed;
}

static inline bool tunnel_is_up(const struct tunnel *tunnel)
{
    return tunnel->state == TUNNEL_UP || tunnel->state == TUNNEL_REKEYING;
}

/* Peers may come from several places, or each has an address out of a pool. */
bool tunnel_connection_is_open(const struct tunnel_connection *connection);

/* tunnel.c */
struct tunnel *tunnel_find(const struct tunnels *t, uint64_t ticket);
/* One for a peer of an open connection, or for less than a selector. NULL: out of memory. */
struct tunnel *tunnel_add_instance(struct tunnels *t, const struct tunnel_connection *connection,
                                   size_t selector);
void tunnel_remove(struct tunnels *t, struct tunnel *tunnel);
void tunnel_push(struct tunnels *t, const struct tunnel_effect *fx);
void tunnel_tell_rule(struct tunnels *t, const struct tunnel *tunnel);
void tunnel_note(struct tunnels *t, const struct tunnel *tunnel, enum event_level level,
                 const char *title, const char *detail);

/* table.c: `up` is for TUNNEL_IN_UP. May remove a tunnel that is no home. */
void tunnel_step(struct tunnels *t, struct tunnel *tunnel, enum tunnel_input input,
                 const struct tunnel_event *up);
void tunnel_set_timer(struct tunnels *t, struct tunnel *tunnel, mono_t at);

/* authorize.c */
enum err tunnel_propose(struct tunnels *t, const struct tunnel_event *event);

#endif
