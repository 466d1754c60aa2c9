/*
 * L2TP tunnels between a host and its gateway (RFC 2661; RSIP-091): the host is the caller (LAC),
 * the gateway the callee (LNS), and each tunnel carries one session with a PPP link in it.
 * Datagrams of UDP and timers come in; datagrams and news about the link go out as effects. No IO.
 *
 * A gateway answers only hosts that have a lease for it, keeps LIMIT_L2TP_TUNNELS of each, and a
 * tunnel that comes up ends the older ones of its host. Tunnels are known by the host's address and
 * their ID, so nobody gets into somebody else's. A host keeps one tunnel up from connect to
 * disconnect. Control messages are sent one at a time, each repeated until it is acknowledged.
 *
 * The secret is copied and wiped. Pointers inside an effect stay valid until the next call.
 */
#ifndef CYGNET_RSIP_L2TP_H
#define CYGNET_RSIP_L2TP_H

#include "base/addr.h"
#include "base/err.h"
#include "base/mono.h"
#include "base/rng.h"
#include "wire/l2tp.h"

enum {
    L2TP_WRAP_MAX = 16, /* octets in front of a datagram: data header and PPP header */
    L2TP_SECRET_MAX = 64,
    L2TP_NAME_MAX = 64,
};

struct l2tp_config {
    bool gateway;
    const char *name;   /* told to the peer; L2TP_NAME_MAX with the final zero, copied */
    struct ip_addr own; /* a gateway's address at its end of the PPP link; family 0: none */
    struct view secret; /* for tunnel authentication; empty: none is asked for */
    uint32_t hello_ms;  /* silence before we ask if the peer is there; 0: 60000 */
    uint32_t retry_ms;  /* pause before a host tries again; 0: 5000 */
};

struct l2tp_env {
    struct rng rng;
    /* Whether that host's datagrams of the family go through L2TP. On a gateway *addr is what it
     * asks for, and becomes what it has; on a host `host` is the gateway, and *addr becomes its own
     * address. */
    bool (*address)(void *ctx, const struct ip_addr *host, enum ip_family family,
                    struct ip_addr *addr);
    void *ctx;
};

enum l2tp_effect_kind {
    L2TP_FX_SEND, /* peer, bytes */
    L2TP_FX_UP,   /* peer: datagrams pass, of one family at least */
    L2TP_FX_DOWN, /* peer: none any more */
};

struct l2tp_effect {
    enum l2tp_effect_kind kind;
    struct ip_endpoint peer;
    struct view bytes;
};

struct l2tp;

MUST_USE enum err l2tp_new(const struct l2tp_config *config, const struct l2tp_env *env,
                           struct l2tp **ret);
void l2tp_free(struct l2tp *l);
/* ERR_OK: *ret_datagram is what came out of the tunnel, inside `bytes`, or empty. Errors say why it
 * was dropped; they are counted too. */
enum err l2tp_input(struct l2tp *l, mono_t now, const struct ip_endpoint *from, struct view bytes,
                    struct view *ret_datagram);
/* A host: be connected to that gateway from now on. */
void l2tp_connect(struct l2tp *l, mono_t now, const struct ip_endpoint *gateway);
/* Ends the tunnels with that peer, and a host doesn't try again; NULL: all. */
void l2tp_disconnect(struct l2tp *l, mono_t now, const struct ip_addr *peer);
void l2tp_timer(struct l2tp *l, mono_t now);
mono_t l2tp_next_deadline(const struct l2tp *l);
bool l2tp_next_effect(struct l2tp *l, struct l2tp_effect *ret);

/* What goes in front of a datagram to that peer, and to which port; ret holds L2TP_WRAP_MAX octets.
 * 0: there is no way, or the datagram is longer than *ret_room, which the peer takes (0: no way).
 */
size_t l2tp_wrap(struct l2tp *l, const struct ip_addr *to, struct view datagram, uint8_t *ret,
                 struct ip_endpoint *ret_to, uint32_t *ret_room);

/* For status: `at` is NULL at first; nothing may happen during the walk. False: no more. */
struct l2tp_info {
    const void *at;
    size_t next;
    struct ip_endpoint peer;
    const char *state;
    uint16_t own_tunnel, peer_tunnel, own_session, peer_session;
    bool ipv4, ipv6;
};
bool l2tp_tunnel(const struct l2tp *l, struct l2tp_info *walk);
/* Named counters; `i` from 0 up. False: no more. */
bool l2tp_counter(const struct l2tp *l, size_t i, const char **ret_name, uint64_t *ret_value);

#endif
