/*
 * What the files of this room share: control.c joins the engines, plane_link.c speaks PF_KEY,
 * tunnel_link.c joins the configured tunnels, restart.c brings the plane and us together after either has crashed, greet.c tells former peers,
 * story.c turns the plane's reports into event records.
 */
#ifndef CYGNET_CONTROL_INTERNAL_H
#define CYGNET_CONTROL_INTERNAL_H

#include "base/fifo.h"
#include "base/heap.h"
#include "base/map.h"
#include "control/control.h"

#define CONTROL_COUNTER_LIST(X)                                                                    \
    X(pfkey_malformed)                                                                             \
    X(pfkey_stale)                                                                                 \
    X(pfkey_refused)                                                                               \
    X(pfkey_unanswered)                                                                            \
    X(names_refused)                                                                               \
    X(effects_lost)

enum control_counter_id {
#define COUNTER_ENUM(name) CONTROL_COUNT_##name,
    CONTROL_COUNTER_LIST(COUNTER_ENUM)
#undef COUNTER_ENUM
        CONTROL_COUNTERS
};

/* What the plane is asked and has not answered. */
enum plane_request {
    PLANE_ASKED_SPI,
    PLANE_ASKED_INSTALL,
    PLANE_ASKED_LAST_USE,
    PLANE_ASKED_SA_USE,
    PLANE_ASKED_ENCRYPT,
    PLANE_ASKED_RULE,
    PLANE_ASKED_SA_DUMP,
    PLANE_ASKED_POLICY_DUMP,
    PLANE_ASKED_OTHER, /* a reply is only looked at for its error */
};

/* The SAs of one INSTALL: answered when the last of them is. */
struct install {
    uint64_t serial;
    size_t left;
    bool ok;
};

struct pending {
    struct map_node by_seq;
    struct heap_node deadline;
    uint32_t seq;
    enum plane_request request;
    uint64_t serial; /* of ike's question */
    uint64_t ticket;
    spi_t spi_out; /* ENCRYPT */
    spi_t spi_in;  /* SA_USE */
    struct ip_pair flow; /* SPI: from the peer to us */
    struct install *install;
    size_t tries; /* SPI: leased ones that may still be free */
};

/* No padding: it is hashed as it lies. */
struct found_key {
    struct ip_addr peer; /* the other gateway, whichever way the SA goes */
    uint8_t inbound;
    uint8_t zero[2];
    uint32_t spi;
};

/* An SA in the plane's answer to a dump, until both dumps are over. */
struct found_sa {
    struct map_node by_key, by_ticket;
    struct found_key key;
    uint64_t ticket;
    bool listed; /* in by_ticket: the first inbound one of its ticket */
    bool wanted; /* somebody here knows it */
    struct ip_addr src, dst;
    struct esp_suite suite;
    struct traffic_pair traffic;
};

/* A tunnel in use when the plane was asked what it holds. */
struct expected_sa {
    uint64_t ticket;
    struct ip_addr gateway;
    spi_t spi_in;
};

/* A former peer that has yet to hear that we restarted. */
struct greeting {
    struct ip_addr local, remote;
    struct identity peer_id;
    unsigned tries;
    mono_t next;
};

struct control {
    struct rng rng;
    struct event_sink trace;
    struct discover *discover;
    struct oe *oe;
    struct ike *ike;
    struct tunnels *tunnels;

    struct fifo effects;    /* struct control_effect, owning their bytes */
    struct view handed_out; /* bytes of the effect last handed out, still ours */

    bool plane_present, plane_ready;
    uint32_t plane_reply_ms;
    uint32_t instance; /* the `pid` of our PF_KEY messages: tells replies to a former keyd apart */
    uint32_t last_seq;
    struct map pending;
    struct heap deadlines;
    struct map found, found_by_ticket;
    struct expected_sa *expected;
    size_t expected_count;
    bool export_keys;
    bool leased_spis; /* only these, each in turn */
    uint32_t spis[CONTROL_SPIS];
    size_t spi_count, spi_next;
    bool sweep_rules; /* once ours have been told */
    bool cleaning; /* the SAs that nobody knows can only be a former keyd's */

    struct greeting *greetings;
    size_t greeting_count, greeting_room;
    mono_t greet_at;
    bool require_dnssec;

    uint64_t counters[CONTROL_COUNTERS];
};

/* Copies `effect` and the octets it points to into the queue. */
void control_push(struct control *c, const struct control_effect *effect);

void plane_link_init(struct control *c);
void plane_link_fini(struct control *c);
void plane_link_ready(struct control *c, mono_t now);
void plane_link_gone(struct control *c, mono_t now);
enum err plane_link_input(struct control *c, mono_t now, struct view bytes);
void plane_link_timer(struct control *c, mono_t now);
void plane_link_ask_spi(struct control *c, mono_t now, const struct ike_effect *fx);
void plane_link_install(struct control *c, mono_t now, const struct ike_effect *fx);
void plane_link_remove_sa(struct control *c, mono_t now, spi_t spi, bool inbound,
                          const struct ip_addr *src, const struct ip_addr *dst);
/* The peer's end of an SA is elsewhere now (RFC 3947 section 7). */
void plane_link_move_sa(struct control *c, mono_t now, const struct ike_effect *fx);
/* SADB_X_ADDUPD for the outbound SA of a tunnel. False: there is no plane. */
bool plane_link_ask_update(struct control *c, const struct tunnel_info *tunnel,
                           const struct ip_pair *ends);
void plane_link_policy(struct control *c, mono_t now, const struct oe_effect *fx);
void plane_link_policy_remove(struct control *c, mono_t now, const struct oe_effect *fx);
void plane_link_last_use(struct control *c, mono_t now, const struct oe_effect *fx);
void plane_link_sa_use(struct control *c, mono_t now, const struct oe_effect *fx);

void plane_link_rule(struct control *c, mono_t now, const struct tunnel_effect *fx);
void plane_link_rule_remove(struct control *c, mono_t now, uint64_t ticket);
/* Rules of a former keyd go. */
void plane_link_rule_sweep(struct control *c, mono_t now);

/* tunnel_link.c */
void tunnel_link_effect(struct control *c, mono_t now, const struct tunnel_effect *fx);
/* False: not a configured tunnel's. */
bool tunnel_link_from_ike(struct control *c, mono_t now, const struct ike_effect *fx);
bool tunnel_link_report(struct control *c, mono_t now, const struct pfkey_message *message);
/* After MOVE_SA. */
void tunnel_link_moved(struct control *c, mono_t now, const struct ike_effect *fx);
size_t tunnel_link_ask_update(struct control *c, const char *name, const struct ip_pair *ends);
/* The plane doesn't have the tunnel's SAs any more. */
void tunnel_link_lost(struct control *c, mono_t now, uint64_t ticket, spi_t spi_in, spi_t spi_out);
/* Tunnels whose inbound SPI isn't leased any more are made anew (RSIP-116). */
void tunnel_link_unleased(struct control *c, mono_t now);

/* restart.c: what the plane holds against what is known here */
void restart_init(struct control *c);
void restart_fini(struct control *c);
/* A dump begins. */
void restart_begin(struct control *c);
void restart_found_sa(struct control *c, const struct pfkey_message *message);
void restart_found_policy(struct control *c, mono_t now, const struct pfkey_message *message);
void restart_over(struct control *c, mono_t now);
enum err restart_restore(struct control *c, mono_t now, const struct control_event *event);

/* greet.c: former peers hear of us */
enum { GREET_TICKETS = 63 }; /* the bit that tells greet.c's lookups from oe's */
enum err greet_add(struct control *c, mono_t now, const struct control_event *event);
void greet_timer(struct control *c, mono_t now);
void greet_keys(struct control *c, mono_t now, const struct discover_effect *fx);
void greet_connected(struct control *c, const struct ip_addr *local, const struct ip_addr *remote);
void greet_fini(struct control *c);

/* Emits the steps of Figure 6 that only the plane sees. */
void story_tell(struct control *c, mono_t now, const struct pfkey_message *message);

#endif
