/*
 * The RSIP server of a gateway (RFC 3103, RFC 3104): who is registered, what each host has leased,
 * and to whom a packet belongs. Messages, name lookups and saved records come in as events;
 * answers, records and questions go out as effects. No IO.
 *
 * A host is unregistered, registered or assigned (RSIP-065, RSIP-066, RSIP-067), and known by its
 * private address (RSIP-197). Pointers inside an effect stay valid until the
 * next call into the engine. What must outlive the engine leaves as SAVE, one record for each host
 * and each bind, before the answer that depends on it; fed to a new engine with RESTORE, no host
 * notices the change.
 */
#ifndef CYGNET_RSIP_SERVER_H
#define CYGNET_RSIP_SERVER_H

#include "base/err.h"
#include "base/limits.h"
#include "rsip/pool.h"

enum rsip_listen {
    RSIP_LISTEN_NEVER,
    RSIP_LISTEN_ALLOWED,  /* but not under a remote micro-flow policy (RSIP-183) */
    RSIP_LISTEN_OVERRIDE, /* there too */
};

/* What remote hosts may be reached; the first that matches decides, and none means yes. */
struct rsip_rule {
    struct ip_prefix remote;      /* family 0: any */
    uint16_t port_low, port_high; /* 0, 0: any */
    bool allow;
};

/* What one host may hold at a time (RSIP-184). */
struct rsip_quota {
    uint32_t binds, addresses, ports, spis;
    uint32_t traces; /* Initiator Cookies, pings and outbound SPIs that lead answers back */
};

/* For hosts whose private address is in `hosts`; the longest prefix decides, and a host that none
 * matches may not register. */
struct rsip_policy {
    struct ip_prefix hosts;
    bool deny;
    uint8_t methods, tunnels;        /* 1 << enum rsip_method, 1 << enum rsip_tunnel */
    uint8_t flow_local, flow_remote; /* enum rsip_flow */
    enum rsip_listen listen;
    struct rsip_quota quota;
    uint32_t lease_s, lease_max_s; /* of a bind, without a wish and at most */
    uint32_t registration_s;
    const struct rsip_rule *rules; /* copied */
    size_t rule_count;
};

struct rsip_server_config {
    const struct rsip_range *ranges; /* copied, as are all lists */
    size_t range_count;
    const struct rsip_policy *policies;
    size_t policy_count;
    const struct ip_prefix *local; /* networks that a host reaches without RSIP, for QUERY */
    size_t local_count;
    struct ip_addr tunnel_end; /* another end than ourselves; family 0: none (RSIP-072) */
    bool tcp_only;
    uint32_t hosts;  /* 0: LIMIT_RSIP_HOSTS */
    uint32_t hold_s; /* RSIP-207 */
    int64_t wall_ms; /* time of day at mono 0, so that a record outlives a boot */
};

struct rsip_server_env {
    struct rng rng;
};

enum rsip_transport { RSIP_UDP, RSIP_TCP };

enum rsip_server_event_kind {
    RSIP_SEV_MESSAGE,  /* host, transport, channel (TCP), bytes */
    RSIP_SEV_CLOSED,   /* channel: a TCP connection that is gone */
    RSIP_SEV_RESOLVED, /* serial, addrs, addr_count: answers RESOLVE; none: there is no such name */
    RSIP_SEV_REVOKE,   /* host.addr, bind_id; 0: the host's whole registration */
    RSIP_SEV_RESTORE,  /* serial, bytes: before anything else, hosts and binds in any order */
    RSIP_SEV_SHUTDOWN, /* tells every host (RSIP-118) */
};

struct rsip_server_event {
    enum rsip_server_event_kind kind;
    struct ip_endpoint host;
    enum rsip_transport transport;
    uint64_t channel, serial;
    uint32_t bind_id;
    const struct ip_addr *addrs;
    size_t addr_count;
    struct view bytes;
};

enum rsip_server_effect_kind {
    RSIP_SFX_SEND,    /* host, transport, channel, bytes */
    RSIP_SFX_SAVE,    /* serial, bytes */
    RSIP_SFX_FORGET,  /* serial */
    RSIP_SFX_RESOLVE, /* serial, bytes: a name */
    RSIP_SFX_ADDRESS, /* addr, up: it has a lease now, or none any more */
};

struct rsip_server_effect {
    enum rsip_server_effect_kind kind;
    struct ip_endpoint host;
    enum rsip_transport transport;
    uint64_t channel, serial;
    struct view bytes;
    struct ip_addr addr;
    bool up;
};

struct rsip_server;

MUST_USE enum err rsip_server_new(const struct rsip_server_config *config,
                                  const struct rsip_server_env *env, struct rsip_server **ret);
void rsip_server_free(struct rsip_server *s);
/* Errors say why an event was dropped; they are counted too. */
enum err rsip_server_input(struct rsip_server *s, mono_t now,
                           const struct rsip_server_event *event);
void rsip_server_timer(struct rsip_server *s, mono_t now);
mono_t rsip_server_next_deadline(const struct rsip_server *s);
bool rsip_server_next_effect(struct rsip_server *s, struct rsip_server_effect *ret);

/* To whom a packet belongs. */
enum rsip_fate {
    RSIP_FATE_DROP,
    RSIP_FATE_FORWARD, /* in: through the tunnel to `host`; out: into the public realm */
    RSIP_FATE_GATEWAY, /* nobody leased it, and it may be for the gateway itself */
};

struct rsip_verdict {
    enum rsip_fate fate;
    const char *reason; /* why it is dropped, a counter's name */
    struct ip_addr host;
    uint8_t tunnel; /* enum rsip_tunnel */
    uint32_t bind_id;
};

/* A whole datagram from the public realm; fragments are put together before (rsip/reassemble.h). */
void rsip_server_inbound(struct rsip_server *s, mono_t now, struct view datagram,
                         struct rsip_verdict *ret);
/* A datagram that came out of a tunnel of that type from a host. What breaks the rules also makes
 * an ERROR_RESPONSE to the host, at most one a second (RSIP-170, RSIP-171, RSIP-172, RSIP-173). */
void rsip_server_outbound(struct rsip_server *s, mono_t now, const struct ip_addr *host,
                          enum rsip_tunnel tunnel, struct view datagram, struct rsip_verdict *ret);

/* Whether the host has a bind through that tunnel on an address of addr's family: *addr stays if it
 * is one of those, and else becomes one. */
bool rsip_server_leased(const struct rsip_server *s, const struct ip_addr *host,
                        enum rsip_tunnel tunnel, struct ip_addr *addr);

/* For status: `at` is NULL at first; nothing may happen during the walk. False: no more. */
struct rsip_host_info {
    const void *at;
    struct ip_endpoint host;
    uint32_t id;
    enum rsip_transport transport;
    mono_t expires;
    uint32_t binds, ports, spis, addresses, traces;
};
bool rsip_server_host(const struct rsip_server *s, struct rsip_host_info *walk);
struct rsip_bind_info {
    const void *at;
    struct ip_addr host, addr;
    uint32_t id;
    enum rsip_method method;
    enum rsip_tunnel tunnel;
    bool listen;
    struct rsip_ports ports;
    struct rsip_spis spis;
    struct ip_addr remotes[LIMIT_RSIP_REMOTES];
    size_t remote_count;
    uint16_t remote_port; /* 0: any */
    mono_t expires;
};
bool rsip_server_bind(const struct rsip_server *s, struct rsip_bind_info *walk);
/* Named counters; `i` from 0 up. False: no more. */
bool rsip_server_counter(const struct rsip_server *s, size_t i, const char **ret_name,
                         uint64_t *ret_value);

#endif
