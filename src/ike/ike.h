/*
 * The keying engine: every IKE SA of this daemon, as initiator and responder. Datagrams, answers
 * and requests come in as events; datagrams, questions, SA installs and results go out as effects.
 * No IO, no clock, no private key: signatures are asked for. What handles packets is elsewhere: it is
 * told of SAs (INSTALL, REMOVE_SA, MOVE_SA) and tells of its own (SPI, INSTALLED, MOVED) (IKE-001).
 *
 * A request with a ticket gets exactly one CHILD_UP or CHILD_FAILED. Questions (NEED_...) carry a
 * serial and the exchange sleeps until an event brings that serial back; a stale serial is ignored.
 * Pointers inside an effect stay valid until the next call into the engine, but a piece of work is
 * handed over (ike/work.h). Nothing lasting is
 * changed by a message before that message is authenticated.
 *
 * What must outlive this engine leaves as SAVE: one opaque record for each established phase 1 SA
 * and each child. Fed to a new engine with RESTORE, they go on as if nothing had happened; exchanges
 * under way at the time do not. A SAVE comes before the messages that depend on it.
 */
#ifndef CYGNET_IKE_IKE_H
#define CYGNET_IKE_IKE_H

#include "address/paths.h"
#include "address/routability.h"
#include "base/err.h"
#include "base/event.h"
#include "base/rng.h"
#include "crypto/aead.h"
#include "crypto/key.h"
#include "ike/profile.h"
#include "ike/work.h"
#include "wire/identity.h"
#include "wire/sa.h"

/* RFC 3947: look for NAT; put ESP into UDP even without one; never. */
enum ike_nat { IKE_NAT_AUTO, IKE_NAT_FORCE, IKE_NAT_OFF };

/* Under pressure alone; all of them; nobody. */
enum ike_puzzles { IKE_PUZZLES_BY_PRESSURE, IKE_PUZZLES_ALWAYS, IKE_PUZZLES_NEVER };

struct ike_config {
    struct identity id;        /* ours in phase 1; IDENTITY_NONE: the local address used (OE-124) */
    bool legacy;               /* also the draft's 3DES, MD5, SHA-1, groups 2 and 5 (OE-119, OE-132) */
    uint32_t retransmit_ms;    /* first retransmission; doubles each time; 0: 500 */
    uint32_t give_up_ms;       /* silence this long ends an exchange; 0: 20000 (OE-061, OE-062) */
    uint32_t ike_lifetime_s;   /* 0: 3 hours */
    uint32_t child_lifetime_s; /* hard; soft is 90% less jitter; 0: 1 hour */
    uint64_t child_octets;     /* hard limit; 0: none */
    uint32_t half_open;        /* 0: LIMIT_HALF_OPEN */
    uint16_t own_port;         /* what we begin leaves from there; 0: 500 */
    enum ike_nat nat;
    const struct public_key *own_public; /* of the gateway's own key; NULL: an RSA one */
    enum address_check address_check; /* MOBIKE: is a peer's new address checked before SAs go there? */
    bool key_export;           /* IKE SAs tell their keys (KEYS), so that a capture can be read */
    struct view crash_secret;  /* IKEv2: what outlives even our state, for RFC 6290; empty: nothing does */
    bool work_elsewhere;       /* public-key operations are asked for (NEED_WORK), not made in here */
    struct view ticket_secret; /* IKEv2: what seals tickets of RFC 5723, over restarts; empty: one of our own */
    bool cookies_always;       /* IKEv2: ask every stranger for a cookie, not only under pressure */
    enum ike_puzzles puzzles;  /* IKEv2: what strangers have to solve (RFC 8019) */
    uint8_t puzzle_bits;       /* their difficulty; 0: 16 */
    const struct ike_profile *profiles; /* configured peers, in order of preference */
    size_t profile_count;
};

/* The time of day, for certificates and tickets alone; everything else runs on `now`. */
struct ike_wall {
    int64_t (*seconds)(void *ctx); /* since 1970; NULL: no clock, so no certificate is trusted */
    void *ctx;
};

struct ike_env {
    struct rng rng;
    struct ike_wall wall;
    struct event_sink trace;
    struct address_ways ways;
};

enum ike_event_kind {
    IKE_EV_DATAGRAM,     /* local, remote, bytes, natt */
    IKE_EV_INITIATE,     /* ticket, local.addr, remote.addr, and version, flow, peer_id, keys; or profile, traffic */
    IKE_EV_PEER_KEYS,    /* serial, ok, keys: answers NEED_KEYS */
    IKE_EV_SIGNED,       /* serial, ok, bytes = signature: answers NEED_SIGNATURE */
    IKE_EV_DECRYPTED,    /* serial, ok, bytes = the texts, each after its length in two octets: answers NEED_DECRYPTION */
    IKE_EV_WORKED,       /* serial, work: answers NEED_WORK; it is the engine's again */
    IKE_EV_AUTHORIZED,   /* serial, ok, ticket, with a profile: traffic: answers NEED_AUTHORIZATION */
    IKE_EV_SPI,          /* serial, ok, spi: answers NEED_SPI */
    IKE_EV_INSTALLED,    /* serial, ok: answers INSTALL */
    IKE_EV_MOVED,        /* ticket, spi, remote: the plane got authentic ESP of our inbound SA from there */
    IKE_EV_DELETE_CHILD, /* ticket: delete all its child SAs, tell the peer (OE-082, OE-105) */
    IKE_EV_CANCEL,       /* ticket: forget the request; no CHILD_... effect follows */
    IKE_EV_SHUTDOWN,     /* delete everything, answer nothing new (OE-173, OE-174) */
    IKE_EV_RESTORE,      /* serial, bytes: a record of a SAVE in a former life; before anything else */
    IKE_EV_DISOWN,       /* local.addr, remote.addr, spi, protocol: an inbound SA of a former life that never came up;
                            an error: the peer can't be told */
    IKE_EV_FORMER_PEER,  /* local.addr, remote.addr: it may hold SAs that we lost (OE-175) */
    IKE_EV_ADDRESSES,    /* addresses, address_ranks, address_count: all that we have now, at first and on any
                           * change */
    IKE_EV_ROUTES,       /* what env.ways says may have changed */
    IKE_EV_UPDATE,       /* peer, spi: outbound, of a child; local.addr, remote.addr: where its IKE SA and all of its
                            siblings are to be (ADR-099), each of no family: where it is */
    IKE_EV_STREAM,       /* local, remote: a TCP stream of ours was lost, and is there again */
    IKE_EV_STREAMS,      /* whoever carries TCP wants to know which streams are in use */
    IKE_EV_GREET,        /* local.addr, remote.addr, peer_id, keys: phase 1 with a former peer */
};

struct ike_event {
    enum ike_event_kind kind;
    uint64_t ticket;
    uint64_t serial;
    uint32_t wait_ms; /* INITIATE: for a silent peer, instead of give_up_ms; 0: no wish (OE-061) */
    bool ok;
    uint8_t protocol; /* DISOWN: enum sa_protocol */
    bool natt; /* DATAGRAM: came through port 4500 (marker already removed) */
    struct ip_endpoint local, remote;
    struct ip_addr peer; /* UPDATE: as the child was made with it */
    struct view bytes;
    enum ike_version version; /* INITIATE without a profile: ANY is what the engine prefers */
    uint32_t profile;    /* INITIATE: its number; 0: an opportunistic tunnel */
    struct traffic_pair traffic; /* with a profile: what the tunnel is to carry, or is narrowed to */
    struct ip_pair flow; /* INITIATE: src is our client, dst the peer's */
    struct identity peer_id;
    const struct public_key *keys;
    size_t key_count;
    spi_t spi;
    const struct ip_addr *addresses;
    const uint8_t *address_ranks; /* the operator's preference, 0 the best; NULL: all alike */
    size_t address_count;
    struct ike_work *work;
};

enum ike_failure {
    IKE_FAILURE_SILENT,    /* failure 1: no answer (OE-060) */
    IKE_FAILURE_REFUSED,   /* failure 2: phase 1 up, phase 2 refused or unanswered (OE-063) */
    IKE_FAILURE_SIGNATURE, /* failure 3: the peer could not prove its key (OE-065) */
    IKE_FAILURE_OTHER,     /* anything else (OE-067) */
};

enum ike_effect_kind {
    IKE_FX_SEND,               /* local, remote, natt, bytes; no bytes: a NAT keepalive (RFC 3948) */
    IKE_FX_NEED_KEYS,          /* serial, peer_id, peer: responder wants the initiator's keys (OE-085) */
    IKE_FX_PEER_AUTHENTICATED, /* peer, peer_id, initiator */
    IKE_FX_NEED_SIGNATURE,     /* serial, own_key, scheme, bytes = what to sign */
    IKE_FX_NEED_DECRYPTION,    /* serial, own_key, bytes = one or two cipher texts, each as long as the key (IKE-014) */
    IKE_FX_NEED_WORK,          /* serial, work, peer: a public-key operation; work is the receiver's until it is given back */
    IKE_FX_NEED_AUTHORIZATION, /* serial, peer, peer_id, key, flow, behind_nat, initiator (of phase 1: we): may it have this tunnel? (OE-092)
                                  With a profile: traffic as offered, and flow only if it is one pair of hosts */
    IKE_FX_NEED_SPI,           /* serial, peer, local: an inbound SPI */
    IKE_FX_INSTALL,            /* serial, ticket, sas, sa_count: before the next message (OE-185, OE-186) */
    IKE_FX_CHILD_UP,           /* ticket, initiator, peer, flow, spi_in, spi_out, suite */
    IKE_FX_CHILD_FAILED,       /* ticket, failure, text */
    IKE_FX_CHILD_DELETED,      /* ticket, spi_in, spi_out: by the peer (OE-069) or after our Delete */
    IKE_FX_REMOVE_SA,          /* spi, inbound, peer, local: take it out of the SAD */
    IKE_FX_MOVE_SA,            /* spi, inbound, peer, local, remote: the peer's end is now remote; with here:
                                  and ours is that, and ports say whether it goes in UDP; and policy follows
                                  unless policy_stays (ADR-039, ADR-075, ADR-076) */
    IKE_FX_SAVE,               /* serial, bytes: keep this record under that number; it holds keys */
    IKE_FX_FORGET,             /* serial: the record is of no use any more */
    IKE_FX_KEYS,               /* bytes: a struct ike_exported; only with key_export */
    IKE_FX_STREAM,             /* local, remote, ok: an IKE SA uses the TCP stream, or none does any more */
    IKE_FX_PEER,               /* ok, local, remote, peer_id: has SAs with us now, or none (OE-175) */
};

struct ike_effect {
    enum ike_effect_kind kind;
    uint64_t serial;
    uint64_t ticket;
    bool natt;
    bool initiator;
    bool inbound;
    bool behind_nat;     /* the peer is */
    bool policy_stays;   /* MOVE_SA: addresses in policy are not to follow (the O bit) */
    bool ok;
    struct ip_endpoint local, remote, here;
    struct ip_addr peer; /* the other gateway */
    struct identity peer_id;
    uint32_t profile;            /* of the IKE SA; 0: an opportunistic one */
    uint32_t own_key;            /* NEED_SIGNATURE, NEED_DECRYPTION: the keeper's number; 0: the gateway's own */
    uint8_t scheme;              /* NEED_SIGNATURE: enum signature_scheme */
    enum ike_version version;
    struct traffic_pair traffic; /* with a profile */
    struct ip_pair flow; /* src is our side's client, dst the peer's */
    struct view bytes;
    const struct public_key *key; /* the one that authenticated the peer */
    const struct sa_params *sas;
    size_t sa_count;
    spi_t spi, spi_in, spi_out;
    struct esp_suite suite;
    enum ike_failure failure;
    struct ike_work *work;
    char text[120];
};

/* What reads the messages of an IKE SA. */
struct ike_exported {
    enum ike_version version;
    uint8_t spi_i[8], spi_r[8]; /* or cookies */
    struct aead_suite suite;    /* version 1: AES_CBC or 3DES_CBC, and no integrity algorithm */
    uint8_t ei[AEAD_KEY_MAX], er[AEAD_KEY_MAX]; /* version 1: only the first */
    uint8_t ai[AEAD_INTEG_KEY_MAX], ar[AEAD_INTEG_KEY_MAX];
};

struct ike;

MUST_USE enum err ike_new(const struct ike_config *config, const struct ike_env *env,
                          struct ike **ret);
void ike_free(struct ike *ike);
/* For what begins from now on; `id` stays what it was. */
void ike_reconfigure(struct ike *ike, const struct ike_config *config);
/* Errors say why an event was dropped; they are also counted and traced. */
enum err ike_input(struct ike *ike, mono_t now, const struct ike_event *event);
void ike_timer(struct ike *ike, mono_t now);
mono_t ike_next_deadline(const struct ike *ike);
bool ike_next_effect(struct ike *ike, struct ike_effect *ret);

/* For status: walks every IKE SA; `i` from 0 up. False: no more. */
struct ike_sa_info {
    struct ip_endpoint local, remote;
    enum ike_version version;
    uint32_t profile;    /* 0: opportunistic */
    uint8_t cookies[16]; /* or SPIs */
    bool initiator, established;
    bool nat_here, nat_there, udp; /* what is behind NAT; ESP inside UDP, or with tcp inside TCP */
    bool tcp;            /* IKE too */
    struct identity peer_id;
    const char *state;
    char suite[128];
    mono_t since, expires;
    size_t children;
    bool resumed;          /* it began with a ticket (RFC 5723) */
    bool has_ticket;       /* and we have one for it */
    const struct address_set *peer_addresses; /* MOBIKE, until the next call into the engine; NULL: none */
    bool draft;              /* by draft-dupont-ikev2-addrmgmt-06, not MOBIKE */
    const struct address_set *told; /* draft: ours, as the peer has them */
    bool checking, no_way; /* its new address is being checked; none of ours reaches it */
    bool probing;          /* a better pair of addresses */
    uint32_t moves;
};
bool ike_sa_info(const struct ike *ike, size_t i, struct ike_sa_info *ret);
/* Children that are up or on their way out: `at` is NULL at first and belongs to the engine, in which
 * nothing may happen during the walk. False: no more. */
struct ike_child_info {
    const void *at;
    uint64_t ticket; /* 0: none */
    struct ip_addr local, remote;
    spi_t spi_in, spi_out;
    bool deleting;
};
bool ike_child_next(const struct ike *ike, struct ike_child_info *walk);
/* The child that sends to the peer under that SPI. */
bool ike_child_info(const struct ike *ike, const struct ip_addr *remote, spi_t spi_out,
                    struct ike_child_info *ret);
/* The highest ticket that RESTORE brought back; 0: none. */
uint64_t ike_restored_ticket(const struct ike *ike);
/* Named drop counters; `i` from 0 up. False: no more. */
bool ike_counter(const struct ike *ike, size_t i, const char **ret_name, uint64_t *ret_value);

#endif
