/*
 * Configured tunnels: which connections there are, which of their children are up, when they are
 * made, renewed and made again, and what a peer that proposes one may have. Engine without IO.
 *
 * A connection is a peer (an ike_profile) and the traffic it may have: the table from identity to
 * traffic (IKE-055, IKE-056, IKE-058). One entry of that table is a selector, and each selector has a
 * tunnel of its own, the home tunnel, that stands as a rule in the plane from the configuration on,
 * so that what is configured never leaves in the clear. Peers of an open connection (from anywhere,
 * or with addresses out of a pool), and proposals of less than a selector, get tunnels that come and
 * go, each with its rule.
 *
 * The caller owns the configuration and keeps it until the next tunnels_reconfigure(). Tickets are
 * made so that they mean the same to the next keyd: their bit TUNNEL_TICKETS is set, which no
 * opportunistic connection's is. Pointers inside an effect stay valid until the next call.
 */
#ifndef CYGNET_TUNNEL_TUNNEL_H
#define CYGNET_TUNNEL_TUNNEL_H

#include "base/event.h"
#include "base/rng.h"
#include "ike/ike.h"
#include "wire/traffic.h"

enum { TUNNEL_TICKETS = 62 };

static inline bool tunnel_is_ticket(uint64_t ticket)
{
    return (ticket >> TUNNEL_TICKETS & 1) != 0;
}

enum tunnel_start {
    TUNNEL_RESPOND,    /* the peer makes it */
    TUNNEL_ON_TRAFFIC, /* when there is something to carry */
    TUNNEL_AT_ONCE,
};

/* Of a child of a connection, one pair of nets. */
struct tunnel_selector {
    char name[IKE_PROFILE_NAME]; /* the child's */
    struct traffic_pair traffic;
    enum tunnel_start start;
    bool stays; /* its SAs keep their addresses when the IKE SA moves (struct ike_profile) */
};

struct tunnel_connection {
    const struct ike_profile *profile;
    const struct tunnel_selector *selectors; /* in order of preference */
    size_t selector_count;
    uint64_t edition; /* differs if anything in the connection does, its files too */
};

struct tunnel_config {
    const struct tunnel_connection *connections;
    size_t connection_count;
    const struct ip_addr *own; /* our addresses outside */
    size_t own_count;
    uint32_t retry_ms, retry_most_ms; /* after a failure; doubles up to the second; 0: 1 s, 5 min */
};

struct tunnel_env {
    struct rng rng;
    struct event_sink trace;
    struct address_ways ways;
};

enum tunnel_event_kind {
    TUNNEL_EV_ACQUIRE,       /* ticket, flow: a datagram wants it */
    TUNNEL_EV_PROPOSAL,      /* serial, profile, peer, local, peer_id, traffic: may the peer have that? */
    TUNNEL_EV_CHILD_UP,      /* ticket, profile, initiator, peer, peer_id, traffic, spi_in, spi_out, suite */
    TUNNEL_EV_CHILD_FAILED,  /* ticket, text */
    TUNNEL_EV_CHILD_DELETED, /* ticket, spi_in */
    TUNNEL_EV_SOFT_EXPIRE,   /* ticket, spi_in or spi_out */
    TUNNEL_EV_HARD_EXPIRE,   /* the same; also: the plane has lost it */
    TUNNEL_EV_MOVED,         /* ticket, peer: its SAs go there now */
    TUNNEL_EV_SHUTDOWN,
};

struct tunnel_event {
    enum tunnel_event_kind kind;
    uint64_t ticket, serial;
    uint32_t profile;
    bool initiator;
    enum ike_version version;
    struct ip_addr local, peer;
    struct identity peer_id;
    struct ip_pair flow;
    struct traffic_pair traffic; /* CHILD_UP: of no family if the engine did not say */
    spi_t spi_in, spi_out;
    struct esp_suite suite;
    const char *text;
};

enum tunnel_verdict { TUNNEL_TRAP, TUNNEL_HOLD, TUNNEL_DENY, TUNNEL_ENCRYPT };

enum tunnel_effect_kind {
    TUNNEL_FX_RULE,           /* ticket, traffic, verdict; encrypt: local, peer, spi_out */
    TUNNEL_FX_RULE_REMOVE,    /* ticket */
    TUNNEL_FX_IKE_INITIATE,   /* ticket, profile, local, peer, traffic */
    TUNNEL_FX_IKE_CANCEL,     /* ticket */
    TUNNEL_FX_IKE_DELETE,     /* ticket */
    TUNNEL_FX_IKE_AUTHORIZED, /* serial, ok, ticket, traffic */
    TUNNEL_FX_ADDRESS,        /* ok, address, traffic: we have a virtual address (or not any more), for
                               * what is in traffic */
};

struct tunnel_effect {
    enum tunnel_effect_kind kind;
    uint64_t ticket, serial;
    bool ok;
    enum tunnel_verdict verdict;
    const struct ike_profile *profile;
    struct ip_addr local, peer, address;
    struct traffic_pair traffic;
    spi_t spi_out;
};

enum tunnel_state {
    TUNNEL_IDLE,
    TUNNEL_EXPECTED, /* a peer's proposal was accepted: replies to its first datagrams are held */
    TUNNEL_KEYING,
    TUNNEL_UP,
    TUNNEL_REKEYING,
    TUNNEL_WAITING, /* after a failure */
    TUNNEL_STATES
};

struct tunnels;

MUST_USE enum err tunnels_new(const struct tunnel_config *config, const struct tunnel_env *env,
                              struct tunnels **ret);
void tunnels_free(struct tunnels *t);
/* Connections whose edition stays the same are not disturbed. ERR_MEMORY: some are missing now. */
MUST_USE enum err tunnels_reconfigure(struct tunnels *t, mono_t now,
                                      const struct tunnel_config *config);
enum err tunnels_input(struct tunnels *t, mono_t now, const struct tunnel_event *event);
void tunnels_timer(struct tunnels *t, mono_t now);
mono_t tunnels_next_deadline(const struct tunnels *t);
bool tunnels_next_effect(struct tunnels *t, struct tunnel_effect *ret);

/* A plane is there, with nothing of ours: every rule is told (again), and what is to begin at once
 * begins. */
void tunnels_plane_ready(struct tunnels *t, mono_t now);
void tunnels_plane_gone(struct tunnels *t);
/* A tunnel that a former keyd made. False: it isn't configured any more. */
bool tunnels_adopt(struct tunnels *t, mono_t now, const struct tunnel_event *up);
/* What a person wants. Returns how many tunnels have that connection's or child's name. */
size_t tunnels_command(struct tunnels *t, mono_t now, const char *name, bool up);

/* Some tunnel is for traffic between them (src is our side's): no opportunistic one is (OE-091). */
bool tunnels_cover(const struct tunnels *t, const struct ip_pair *flow);
/* The configured peer with that address and identity (OE-114); with `key`, one that has to prove just
 * that key. NULL: none. */
const struct tunnel_connection *tunnels_connection_of(const struct tunnels *t,
                                                      const struct ip_addr *peer,
                                                      const struct identity *id,
                                                      const struct public_key *key);
bool tunnels_has(const struct tunnels *t, uint64_t ticket);

struct tunnel_info {
    const struct tunnel_connection *connection;
    const struct tunnel_selector *selector;
    uint64_t ticket;
    enum tunnel_state state;
    bool home; /* false: a peer's of an open connection */
    bool down; /* by command */
    struct traffic_pair traffic; /* as configured, or as agreed */
    struct ip_addr local, peer;
    struct ip_addr moved; /* where the next IKE SA begins, if not where it is configured; or no family */
    struct identity peer_id;
    enum ike_version version;
    spi_t spi_in, spi_out;
    struct esp_suite suite;
    mono_t since, next; /* of the state; of what comes by itself, or MONO_NEVER */
    unsigned failures;
    const char *why; /* the last failure or end; "" */
};
/* `i` from 0 up. False: no more. */
bool tunnels_info(const struct tunnels *t, size_t i, struct tunnel_info *ret);

const char *tunnel_state_name(enum tunnel_state state);

#endif
