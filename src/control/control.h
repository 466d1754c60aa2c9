/*
 * The control plane of one gateway (OE draft section 3): the discover, oe, tunnel and ike engines joined,
 * and the PF_KEY conversation with the plane. This is everything that keyd decides, without its
 * sockets, so that the simulator runs the very same objects. No IO.
 *
 * Events come in through control_input() and control_timer(); effects are drained with
 * control_next_effect() until it returns false. Pointers inside an effect stay valid until the next
 * call into control.
 *
 * A control that is given back what a former one saved goes on with its tunnels and tells nobody.
 * What the plane holds and what is known here are compared whenever a plane comes: tunnels that the
 * plane lost are keyed anew, and SAs that nobody here knows are taken out.
 */
#ifndef CYGNET_CONTROL_CONTROL_H
#define CYGNET_CONTROL_CONTROL_H

#include "control/key_lines.h"
#include "discover/discover.h"
#include "ike/ike.h"
#include "oe/oe.h"
#include "tunnel/tunnel.h"
#include "wire/pfkey.h"

enum { CONTROL_SPIS = 32 }; /* leased ones */

struct control_config {
    struct discover_config discover;
    struct ike_config ike;
    struct oe_config oe;
    struct tunnel_config tunnels; /* the caller keeps it until there is another */
    const uint8_t *own_ranks; /* of tunnels.own: the operator's preference, 0 the best; NULL: all alike */
    size_t own_down;         /* so many of the last of them have a link that is down: no candidates */
    bool leased_spis;        /* inbound SPIs are those of `spis` only (RFC 3104 section 3) */
    const uint32_t *spis;    /* copied, CONTROL_SPIS at most */
    size_t spi_count;
    bool export_keys;        /* every key made comes out as KEYS */
    uint32_t plane_reply_ms; /* a PF_KEY request without a reply has failed; 0: 3000 */
};

struct control_env {
    struct rng rng;
    struct ike_wall wall;
    struct event_sink trace;
    struct address_ways ways;
};

enum control_event_kind {
    CONTROL_EV_DATAGRAM,    /* local, remote, natt, bytes: an IKE message */
    CONTROL_EV_ANSWER,      /* serial, answer: to a QUERY */
    CONTROL_EV_SIGNED,      /* serial, ok, bytes: to a SIGN */
    CONTROL_EV_DECRYPTED,   /* serial, ok, bytes: to a DECRYPT */
    CONTROL_EV_WORKED,      /* serial, work: to a WORK; it is control's again */
    CONTROL_EV_PFKEY,       /* bytes: a message from the plane */
    CONTROL_EV_PLANE_READY, /* a channel to a plane is there: learn what it holds, then go on */
    CONTROL_EV_PLANE_GONE,  /* the channel broke; requests in flight fail */
    CONTROL_EV_NAME,        /* name, address, ttl_s: a hint that a name has an address */
    CONTROL_EV_ROUTES,      /* what env.ways says may have changed */
    CONTROL_EV_SHUTDOWN,    /* delete tunnels politely (OE-173) */
    CONTROL_EV_STREAM,      /* local, remote: a TCP stream of ours was lost, and is there again */
    CONTROL_EV_STREAMS,     /* whoever carries TCP is new: which streams are in use? */
    CONTROL_EV_RESTORE,     /* serial, bytes: what a SAVE in a former life said; before PLANE_READY */
    CONTROL_EV_FORMER_PEER, /* local, remote, peer_id: had SAs with us when all was lost (OE-175) */
};

struct control_event {
    enum control_event_kind kind;
    struct ip_endpoint local, remote;
    bool natt;
    bool ok;
    uint64_t serial;
    struct view bytes;
    struct identity peer_id;
    const struct dns_answer *answer;
    const struct identity *name;
    struct ip_addr address;
    uint32_t ttl_s;
    struct ike_work *work;
};

enum control_effect_kind {
    CONTROL_FX_SEND,  /* local, remote, natt, bytes */
    CONTROL_FX_QUERY, /* serial, name, type */
    CONTROL_FX_SIGN,  /* serial, bytes, own_key, scheme */
    CONTROL_FX_DECRYPT, /* serial, bytes, own_key */
    CONTROL_FX_WORK,  /* serial, work: a public-key operation, the receiver's until it is given back */
    CONTROL_FX_PFKEY, /* bytes: to the plane */
    CONTROL_FX_SAVE,  /* serial, bytes: keep this record under that number; it holds keys */
    CONTROL_FX_FORGET, /* serial */
    CONTROL_FX_ADDRESS, /* ok, address, traffic: a virtual address of ours begins or ends to be */
    CONTROL_FX_KEYS,  /* table, bytes: a line for Wireshark */
    CONTROL_FX_STREAM, /* ok, local, remote: a TCP stream is in use, or isn't any more */
    CONTROL_FX_PEER,  /* ok, local, remote, peer_id: has SAs with us now, or none (OE-175) */
};

struct control_effect {
    enum control_effect_kind kind;
    struct ip_endpoint local, remote;
    bool natt;
    bool ok;
    struct identity peer_id;
    uint64_t serial;
    uint16_t type;
    uint32_t own_key; /* the keeper's number */
    uint8_t scheme;   /* enum signature_scheme */
    enum key_table table;
    struct ip_addr address;
    struct traffic_pair traffic;
    char name[LIMIT_DNS_NAME];
    struct view bytes;
    struct ike_work *work;
};

struct control;

MUST_USE enum err control_new(const struct control_config *config, const struct control_env *env,
                              struct control **ret);
void control_free(struct control *control);
/* Flows whose class did not change are not disturbed; see oe_reconfigure(). On failure (memory) the
 * flows stay under the old policy. */
MUST_USE enum err control_reconfigure(struct control *control, mono_t now,
                                      const struct control_config *config);
/* Errors say why an event was dropped; they are counted and traced. */
enum err control_input(struct control *control, mono_t now, const struct control_event *event);
void control_timer(struct control *control, mono_t now);
mono_t control_next_deadline(const struct control *control);
bool control_next_effect(struct control *control, struct control_effect *ret);

/* For status; both live as long as control. */
const struct oe *control_oe(const struct control *control);
const struct ike *control_ike(const struct control *control);
const struct tunnels *control_tunnels(const struct control *control);
/* A person wants a configured connection up or down. Returns how many tunnels have that name. */
size_t control_command(struct control *control, mono_t now, const char *name, bool up);
/* A person wants the tunnels of that name, or of a child's, elsewhere: src is our new end, dst the peer's;
 * of no family: it stays. The wish goes through the plane (ADR-099). Returns how many that are up were
 * asked for. */
size_t control_move(struct control *control, mono_t now, const char *name,
                    const struct ip_pair *ends);
/* Requests to the plane still without a reply: none when all is quiet. */
size_t control_pending(const struct control *control);
/* The plane has told everything it holds, and new flows are being handled. */
bool control_plane_ready(const struct control *control);
/* Named counters of control itself; `i` from 0 up. False: no more. */
bool control_counter(const struct control *control, size_t i, const char **ret_name,
                     uint64_t *ret_value);

#endif
