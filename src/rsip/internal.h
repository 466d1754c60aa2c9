/*
 * Inside the RSIP server: hosts, binds and traces, and what its files do for one another. The
 * server owns all of them; a bind belongs to its host and dies with it, a trace to its bind.
 */
#ifndef CYGNET_RSIP_INTERNAL_H
#define CYGNET_RSIP_INTERNAL_H

#include "base/fifo.h"
#include "base/heap.h"
#include "base/map.h"
#include "rsip/server.h"

#define RSIP_COUNTERS(X)                                                                           \
    X(requests)                                                                                    \
    X(duplicates)                                                                                  \
    X(errors_sent)                                                                                 \
    X(registered)                                                                                  \
    X(assigned)                                                                                    \
    X(expired)                                                                                     \
    X(stale_counter)                                                                               \
    X(not_a_request)                                                                               \
    X(no_memory)                                                                                   \
    X(bad_record)                                                                                  \
    X(in_forwarded)                                                                                \
    X(in_malformed)                                                                                \
    X(in_no_lease)                                                                                 \
    X(in_remote_policy)                                                                            \
    X(in_unknown_cookie)                                                                           \
    X(in_unknown_spi)                                                                              \
    X(in_icmp_unmatched)                                                                           \
    X(in_icmp_request)                                                                             \
    X(in_fragment)                                                                                 \
    X(out_forwarded)                                                                               \
    X(out_malformed)                                                                               \
    X(out_not_registered)                                                                          \
    X(out_local_address)                                                                           \
    X(out_local_port)                                                                              \
    X(out_remote_address)                                                                          \
    X(out_remote_port)                                                                             \
    X(out_tunnel)                                                                                  \
    X(out_cookie_in_use)                                                                           \
    X(out_trace_in_use)                                                                            \
    X(out_protocol)                                                                                \
    X(out_multicast)                                                                               \
    X(out_fragment)

enum rsip_counter {
#define RSIP_COUNTER_ENUM(name) RSIP_C_##name,
    RSIP_COUNTERS(RSIP_COUNTER_ENUM)
#undef RSIP_COUNTER_ENUM
        RSIP_COUNTER_COUNT
};
const char *rsip_counter_name(enum rsip_counter counter);

/* What an outbound packet leaves behind so that its answers find the way back. */
enum trace_kind {
    TRACE_COOKIE,  /* Initiator Cookie on UDP 500: local, cookie (RSIP-013) */
    TRACE_ECHO,    /* ICMP request: local, remote, identifier and sequence, type (RSIP-208) */
    TRACE_SPI_OUT, /* ESP or AH to a remote host, for ICMP errors: local, remote, SPI, protocol */
};

struct trace_key {
    struct ip_addr local, remote;
    uint8_t kind, zero;
    uint32_t a, b;
};

struct rsip_trace {
    struct map_node node;
    struct trace_key key;
    struct ip_addr peer; /* COOKIE: the remote host it is tied to (RSIP-022) */
    struct rsip_bind *bind;
    struct rsip_trace *older, *newer; /* of the host, by last use */
    mono_t used;
};

struct host_key {
    struct ip_addr addr;
    uint8_t zero[3];
};

struct rsip_host {
    struct map_node node, id_node;
    struct host_key key; /* the private address */
    uint32_t id;         /* client ID; 0: a ghost, de-registered, that only repeats its answer */
    uint16_t port;
    enum rsip_transport transport;
    uint64_t channel; /* TCP; 0: closed */
    const struct rsip_policy *policy;
    struct heap_node expiry;
    struct rsip_bind *binds;
    struct rsip_quota held; /* what it holds now */
    struct rsip_trace *oldest, *newest;
    uint32_t next_bind, counter; /* counter: of the last request; 0: none */
    uint8_t *talk;               /* the last request and behind it its answer, in one block */
    size_t request_len, answer_len;
    uint64_t resolving; /* serial of the lookup that the last request waits for; 0: none */
    mono_t misuse_told;
    uint64_t record;
};

struct bind_key {
    uint32_t host_id, bind_id;
};

/* RSIP-081: what is kept of a bind. */
struct rsip_bind {
    struct map_node node;
    struct bind_key key;
    struct rsip_host *host;
    struct rsip_bind *prev, *next;
    struct heap_node expiry;
    struct pool_address *address;
    struct pool_spis *spis;
    uint16_t *port_list; /* if ports.form is LIST; else NULL */
    uint16_t port_first;
    uint8_t port_form, port_count;
    uint8_t method, tunnel;
    bool listen;
    uint8_t remote_count; /* 0: any */
    uint16_t remote_port; /* 0: any */
    struct ip_addr *remotes;
    uint64_t record;
};

struct rsip_server {
    struct rsip_server_config config; /* its lists are ours */
    struct rsip_policy *policies;
    struct rsip_rule *rules;
    struct ip_prefix *local;
    struct pool *pool;
    struct map hosts, ids, binds, traces;
    struct heap host_deadlines, bind_deadlines;
    struct fifo effects; /* of struct rsip_server_effect; bytes are malloc'd */
    void *given;         /* bytes of the effect last handed out */
    struct rng rng;
    mono_t now;
    uint64_t next_record, next_serial;
    uint64_t counters[RSIP_COUNTER_COUNT];
};

static inline void rsip_count(struct rsip_server *s, enum rsip_counter counter)
{
    s->counters[counter]++;
}

/* server.c */
struct rsip_host *rsip_host_find(const struct rsip_server *s, const struct ip_addr *addr);
struct rsip_host *rsip_host_new(struct rsip_server *s, const struct ip_addr *addr, uint32_t id);
void rsip_host_free(struct rsip_server *s, struct rsip_host *host);
const struct rsip_policy *rsip_policy_find(const struct rsip_server *s, const struct ip_addr *addr);
void rsip_emit(struct rsip_server *s, const struct rsip_server_effect *effect, struct view bytes);
/* An ERROR_RESPONSE that nobody asked for, with counter 0 (RSIP-178). */
void rsip_tell_error(struct rsip_server *s, struct rsip_host *host, enum rsip_error error);
/* The registration lasts at least until then (RSIP-070). False: out of memory. */
MUST_USE bool rsip_host_extend(struct rsip_server *s, struct rsip_host *host, mono_t until);
/* The answer to the host's last request. */
void rsip_answer(struct rsip_server *s, struct rsip_host *host, struct rsip_message *m);
void rsip_refuse(struct rsip_server *s, struct rsip_host *host, enum rsip_error error);

/* bind.c: what a bind holds, and its end */
struct rsip_bind *rsip_bind_new(struct rsip_host *host, struct pool_address *address);
/* Takes the ports and SPIs, which must be free, or the whole address. False: out of memory, and
 * the bind is gone. */
MUST_USE bool rsip_bind_take(struct rsip_server *s, struct rsip_bind *bind,
                             const struct rsip_ports *ports, const struct rsip_spis *spis);
/* Gives all back. */
void rsip_bind_free(struct rsip_server *s, struct rsip_bind *bind);
struct rsip_bind *rsip_bind_find(const struct rsip_server *s, const struct rsip_host *host,
                                 uint32_t bind_id);
void rsip_bind_ports(const struct rsip_bind *bind, struct rsip_ports *ret);
bool rsip_bind_remote_allowed(const struct rsip_bind *bind, const struct ip_addr *remote);
/* A bind of this host on this address. */
struct rsip_bind *rsip_bind_on(const struct rsip_host *host, const struct pool_address *address);

/* assign.c: the requests that make a bind. `names`: addresses of a remote name; NULL: not looked
 * up yet. */
struct rsip_names {
    const struct ip_addr *addrs;
    size_t count;
};
void rsip_assign(struct rsip_server *s, struct rsip_host *host, const struct rsip_message *request,
                 const struct rsip_names *names);
bool rsip_rules_allow(const struct rsip_policy *policy, const struct ip_addr *remote,
                      uint16_t port); /* port 0: some port at least */

/* saved.c */
void rsip_save_host(struct rsip_server *s, struct rsip_host *host);
void rsip_save_bind(struct rsip_server *s, struct rsip_bind *bind);
enum err rsip_restore(struct rsip_server *s, uint64_t serial, struct view bytes);

/* trace.c */
/* Finds it, and makes it if this host may: ret_other says that somebody else has it. */
struct rsip_trace *rsip_trace_make(struct rsip_server *s, struct rsip_bind *bind,
                                   const struct trace_key *key, const struct ip_addr *peer,
                                   bool *ret_other);
struct rsip_trace *rsip_trace_find(struct rsip_server *s, const struct trace_key *key);
void rsip_trace_free(struct rsip_server *s, struct rsip_trace *trace);
/* All of this bind. */
void rsip_trace_drop(struct rsip_server *s, struct rsip_bind *bind);

#endif
