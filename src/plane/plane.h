/*
 * The forwarding plane: the SPD and SAD and the datagram state machine of the OE draft, section 3.1.
 * It owns policy and SAs and speaks PF_KEY with keyd; packets belong to the caller, who reads and
 * writes them. No IO, no clock, one thread. Packets handed in may be changed in place and handed
 * out through `out`, which must be done with them (or queue them) before the caller reuses them.
 * Packets of the plane's own (held ones released, fragments, ICMP errors) stay valid until the next
 * call into the plane.
 */
#ifndef CYGNET_PLANE_PLANE_H
#define CYGNET_PLANE_PLANE_H

#include "base/err.h"
#include "base/mono.h"
#include "base/rng.h"
#include "esp/packet.h"
#include "wire/pfkey.h"

enum plane_out {
    PLANE_OUT_ESP,   /* starts at the ESP header, or with AH at the outer IP header; send by packet->outer */
    PLANE_OUT_CLEAR, /* an IP datagram to put on its ordinary way (pass) */
    PLANE_OUT_OE,    /* an inner datagram (or an ICMP error of ours) for oe0 */
    PLANE_OUT_VPN,   /* the same for vpn0 */
};

/* Where results go. Called from within the plane's functions. */
struct plane_env {
    struct rng rng;
    void *ctx;
    void (*out)(void *ctx, enum plane_out kind, struct packet *packet);
    void (*control)(void *ctx, struct view message); /* a PF_KEY message for keyd */
    /* The SPD's answer for a pair changed: the classifier's map is a cache of it. NONE: forget it. */
    void (*verdict)(void *ctx, const struct ip_pair *flow, enum pfkey_verdict verdict);
    /* Whether datagrams to that net may be a configured tunnel's, and so belong into vpn0. NULL:
     * nobody wants to know. */
    void (*net)(void *ctx, const struct ip_prefix *remote, bool is);
    /* Milliseconds since the classifier last saw a datagram of the pair, which the plane doesn't see
     * when it passes; -1: never. NULL: the plane sees every datagram. (OE-075) */
    int64_t (*idle_ms)(void *ctx, const struct ip_pair *flow);
};

struct plane_config {
    uint32_t mtu;             /* of the outside interface; 0: 1500 */
    uint32_t hold_ms;         /* a hold without an answer ends after this; 0: 25000 (OE-023) */
    enum pfkey_verdict hold_failure; /* what it ends in: PASS or DENY */
    bool icmp_on_deny;        /* OE-028 */
    struct ip_addr icmp_v4, icmp_v6; /* source of our own ICMP errors */
    uint32_t spd, sad;        /* 0: the limits */
    uint64_t held_octets;     /* 0: the limit */
};

struct plane;

MUST_USE enum err plane_new(const struct plane_config *config, const struct plane_env *env,
                            struct plane **ret);
void plane_free(struct plane *plane);

/* New hold_ms, hold_failure and icmp_on_deny; the rest stays what plane_new() was given. */
void plane_reconfigure(struct plane *plane, mono_t now, const struct plane_config *config);

/* Datagrams that the classifier did not let pass, from oe0 or vpn0. */
void plane_outbound(struct plane *plane, mono_t now, struct packet **packets, size_t count);
/* ESP packets from the network, starting at the ESP header, and AH packets, starting at their IP header;
 * `outer` filled in. */
void plane_inbound(struct plane *plane, mono_t now, struct packet **packets, size_t count);
/* A PF_KEY message from keyd; answers go through env->control. */
void plane_control(struct plane *plane, mono_t now, struct view message);
/* keyd has gone or come back: keep everything, repeat the acquires of what is in hold (OE-021). */
void plane_keyd_changed(struct plane *plane, mono_t now, bool present);
/* An ICMP "too big" or a send that failed told us the way to dst carries only mtu octets. */
void plane_path_mtu(struct plane *plane, const struct ip_addr *dst, uint32_t mtu);
/* Nothing can be sent from src to dst: the SAs that go that way are to leave from new_src (ADR-099). */
void plane_source_lost(struct plane *plane, mono_t now, const struct ip_pair *way,
                       const struct ip_addr *new_src);
void plane_timer(struct plane *plane, mono_t now);
mono_t plane_next_deadline(const struct plane *plane);

/* Packets so far that were a peer's, by their ICV. */
uint64_t plane_authentic(const struct plane *plane);
/* Every drop and event has a name; `i` from 0 up. False: no more. */
bool plane_counter(const struct plane *plane, size_t i, const char **ret_name, uint64_t *ret_value);
size_t plane_spd_count(const struct plane *plane);
size_t plane_sad_count(const struct plane *plane);

#endif
