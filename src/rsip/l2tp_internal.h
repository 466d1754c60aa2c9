/*
 * Inside L2TP: tunnels and their peers, and what l2tp.c (tunnels, datagrams, time) and
 * l2tp_control.c (reliable delivery and the messages) do for one another. A peer owns its tunnels,
 * a tunnel its session, its link and the messages that wait.
 */
#ifndef CYGNET_RSIP_L2TP_INTERNAL_H
#define CYGNET_RSIP_L2TP_INTERNAL_H

#include "base/fifo.h"
#include "base/heap.h"
#include "base/limits.h"
#include "base/map.h"
#include "rsip/l2tp.h"
#include "rsip/ppp.h"

#define L2TP_COUNTERS(X)                                                                           \
    X(l2tp_malformed)                                                                              \
    X(l2tp_unknown_host)                                                                           \
    X(l2tp_unknown_tunnel)                                                                         \
    X(l2tp_unknown_session)                                                                        \
    X(l2tp_duplicate)                                                                              \
    X(l2tp_out_of_order)                                                                           \
    X(l2tp_unexpected)                                                                             \
    X(l2tp_refused)                                                                                \
    X(l2tp_bad_secret)                                                                             \
    X(l2tp_displaced)                                                                              \
    X(l2tp_timeout)                                                                                \
    X(l2tp_opened)                                                                                 \
    X(l2tp_ppp_dropped)                                                                            \
    X(l2tp_no_memory)

enum l2tp_counter_id {
#define L2TP_COUNTER_ENUM(name) C_##name,
    L2TP_COUNTERS(L2TP_COUNTER_ENUM)
#undef L2TP_COUNTER_ENUM
        L2TP_COUNTER_COUNT
};

/* The host's way: CALLING, DIALLING, CARRYING. The gateway's: CALLED, READY, RINGING, CARRYING. */
enum tunnel_state {
    TUNNEL_CALLING,  /* host: SCCRQ sent */
    TUNNEL_DIALLING, /* host: SCCCN and ICRQ sent */
    TUNNEL_CALLED,   /* gateway: SCCRP sent */
    TUNNEL_READY,    /* gateway: the tunnel stands, no session */
    TUNNEL_RINGING,  /* gateway: ICRP sent */
    TUNNEL_CARRYING, /* the session stands: PPP */
    TUNNEL_CLOSING,  /* StopCCN sent */
    TUNNEL_GONE,     /* StopCCN came: only acknowledges it again (section 5.7) */
};

/* A control message that waits for its acknowledgement, or for its turn. */
struct pending {
    struct pending *next;
    uint16_t ns;
    size_t len;
    uint8_t bytes[];
};

struct l2tp_peer {
    struct map_node node;
    struct peer_key {
        struct ip_addr addr;
        uint8_t zero[3];
    } key;
    struct tunnel *tunnels[LIMIT_L2TP_TUNNELS]; /* from the oldest on */
    size_t count;
    struct tunnel *up; /* the one whose link is open; NULL: none */
};

struct tunnel {
    struct l2tp *l;
    struct l2tp_peer *peer;
    uint16_t port; /* the peer's */
    enum tunnel_state state;
    uint16_t own_id, peer_id, own_session, peer_session;
    uint16_t ns, nr; /* of the next to send, and of the next to come */
    struct pending *first;
    unsigned tries;
    bool nr_told; /* since the last message that came */
    mono_t resend_at, hello_at, gone_at;
    struct heap_node deadline;
    uint8_t challenge[L2TP_RESPONSE]; /* ours */
    bool sequencing;                  /* the peer demands numbers on the data channel */
    uint16_t data_ns;
    struct ppp ppp;
};

struct l2tp {
    struct l2tp_config config;
    struct l2tp_env env;
    char name[L2TP_NAME_MAX];
    uint8_t secret[L2TP_SECRET_MAX];
    struct map peers;
    struct heap deadlines;
    struct fifo effects; /* of struct l2tp_effect; bytes are malloc'd */
    void *given;
    struct ip_endpoint gateway; /* a host: to be connected to; family 0: none */
    struct heap_node retry;
    mono_t now;
    uint64_t counters[L2TP_COUNTER_COUNT];
};

static inline void l2tp_count(struct l2tp *l, enum l2tp_counter_id counter)
{
    l->counters[counter]++;
}

/* l2tp.c */
void l2tp_emit(struct l2tp *l, const struct tunnel *t, enum l2tp_effect_kind kind,
               struct view bytes);
void l2tp_emit_to(struct l2tp *l, const struct ip_endpoint *peer, enum l2tp_effect_kind kind,
                  struct view bytes);
/* The peer's tunnels make room for one more; NULL: out of memory, or too many hosts. */
struct tunnel *tunnel_new(struct l2tp *l, const struct ip_endpoint *peer, enum tunnel_state state);
void tunnel_free(struct tunnel *t);
struct tunnel *tunnel_find(const struct l2tp *l, const struct ip_addr *peer, uint16_t own_id);
/* The one that the peer has given that ID and that is in that state. */
struct tunnel *tunnel_by_peer_id(const struct l2tp *l, const struct ip_addr *peer, uint16_t peer_id,
                                 bool (*in)(enum tunnel_state state));
void tunnel_set_timer(struct tunnel *t);
/* The link is no more; a host tries again later. */
void tunnel_down(struct tunnel *t);
void tunnel_link_start(struct tunnel *t);

/* l2tp_control.c */
enum err tunnel_control(struct l2tp *l, const struct ip_endpoint *from,
                        const struct l2tp_header *header);
void tunnel_call(struct tunnel *t); /* SCCRQ */
void tunnel_hello(struct tunnel *t);
void tunnel_stop(struct tunnel *t, uint16_t result, uint16_t error);
/* The first of those that wait, again. False: often enough. */
bool tunnel_resend(struct tunnel *t);
void tunnel_forget_pending(struct tunnel *t);

#endif
