/*
 * A phase 1 SA of IKEv1 and the exchanges that run under it: Main Mode inside the SA itself, Quick
 * Modes in its list. The SA owns them all and wipes what is secret.
 */
#ifndef CYGNET_IKE_V1_SA_H
#define CYGNET_IKE_V1_SA_H

#include <sys/queue.h>

#include "base/addr.h"
#include "base/heap.h"
#include "base/map.h"
#include "base/secret.h"
#include "crypto/cbc.h"
#include "crypto/dh.h"
#include "crypto/hash.h"
#include "crypto/key.h"
#include "ike/blob.h"
#include "ike/proposal.h"
#include "ike/retransmit.h"
#include "ike/timer.h"
#include "ike/v1/table.h"

enum {
    IKE_DIGEST_LEN = 32,    /* SHA-256 */
    IKE_MESSAGE_MAX = 4096, /* of what we send */
    V1_NONCE_LEN = 32,
    V1_QUICKS_MAX = 256, /* Quick Modes of one SA at a time */
    V1_USED_IDS = 4096,  /* message ids remembered, so that a replay starts nothing; then it ends */
    V1_WORN_IDS = V1_USED_IDS - 256,
};

/* Where messages go to and come from; `natt`: on port 4500, behind the non-ESP marker. */
struct ike_path {
    struct ip_endpoint local, remote;
    bool natt;
};

/* RFC 3947: what is known of NAT between us and the peer. */
struct v1_nat {
    bool agreed;      /* both ends sent the vendor id */
    bool here, there; /* we are behind one; the peer is */
    bool udp;         /* ESP goes inside UDP */
};

struct v1_exchange {
    struct ike_sa *sa;
    enum v1_state state;
    bool initiator; /* we sent the first message (IKE-009) */
    msgid_t msgid; /* zero: Main Mode */
    enum v1_timer timer_kind;
    struct ike_timer timer;
    mono_t give_up;
    struct retransmit out; /* the last message sent */
    bool seen_any;
    uint8_t seen[IKE_DIGEST_LEN];     /* of the last message accepted */
    uint8_t iv[CBC_BLOCK_MAX];        /* RFC 2409 appendix B: the last cipher-text block */
    uint8_t iv_before[CBC_BLOCK_MAX]; /* before the last message accepted */
    const char *doubt; /* why a message proved nothing, where a better one may still come */
    struct map_node by_serial;
    uint64_t serial; /* of the question asked; zero: none */
    struct v1_parked *parked; /* the step that waits for a public-key operation; NULL: none */
};

/* What Main Mode needs until it is done (IKE-010: then it is wiped). */
struct v1_handshake {
    struct dh *dh;
    struct blob offer; /* SAi_b */
    struct blob peer_ke;
    struct blob nonce_i, nonce_r; /* bodies */
    struct blob id_own, id_peer;  /* bodies */
    struct blob reply;            /* Aggressive Mode, responder: the SA body of message 2 */
    struct blob signature;        /* the peer's */
    uint8_t skeyid[HASH_MAX];
    struct public_key *keys; /* initiator: those the peer may prove itself with */
    size_t key_count;
    struct identity expected; /* initiator: who the peer should be */
    struct ike_path claimed;  /* responder: where message 5 came from, until it is verified */
    bool initial_contact;     /* the peer's last message says so */
};

struct v1_keys {
    uint8_t d[HASH_MAX], a[HASH_MAX]; /* SKEYID_d, SKEYID_a */
    uint8_t cipher[CBC_KEY_MAX];
    uint8_t last_block[CBC_BLOCK_MAX]; /* of phase 1 */
};

struct ike_sa {
    struct map_node by_cookies;
    uint8_t cookies[2 * ISAKMP_COOKIE_LEN]; /* initiator's, responder's */
    size_t index;                           /* in the engine's list of all */
    uint64_t number;
    /* The ends of its first message: how peer, children and plane know it, whatever becomes of its
     * path. */
    struct ip_endpoint local, remote;
    struct ike_path path;
    struct v1_nat nat;
    struct ike_timer keepalive;
    bool initiator;
    struct ike_peer *peer; /* NULL: a responder's, not yet authenticated */
    LIST_ENTRY(ike_sa) of_peer;
    TAILQ_ENTRY(ike_sa) of_unproven;
    TAILQ_ENTRY(ike_sa) of_established;
    bool unproven, listed; /* in those lists */
    uint16_t unproven_slot;
    bool dying; /* ike_sa_free() is at work: serves nobody */
    struct ike_suite suite;
    enum phase1_auth auth;
    uint32_t profile; /* the configured peer; 0: a stranger, or not known yet */
    struct sa_lifetime lifetime;
    struct v1_keys keys;
    struct v1_handshake *handshake; /* NULL once established */
    struct v1_exchange main;
    LIST_HEAD(, v1_quick) quicks;
    size_t quick_count;
    uint32_t *used_ids; /* for its whole life: an id used twice would be an IV used twice */
    size_t used_count, used_room;
    bool worn_out; /* about to end, since ... */
    bool ids_full; /* ... no more ids can be remembered */
    struct identity peer_id; /* as it proved */
    struct public_key peer_key;
    uint8_t peer_key_digest[IKE_DIGEST_LEN];
    struct ike_timer expiry;
    mono_t since, expires;
    uint64_t proven; /* when it was established, as a serial */
    bool dpd;        /* the peer answers R-U-THERE (RFC 3706) */
    struct ike_timer dpd_timer;
    uint32_t dpd_sequence;
    unsigned dpd_unanswered;
    bool greets;     /* our last Main Mode message says INITIAL-CONTACT */
    uint64_t trace_connection; /* the first request's ticket; zero: `number` stands for it */
    struct ip_pair trace_flow;
};

struct v1_quick {
    struct v1_exchange x; /* first: an exchange with a message id is a v1_quick */
    LIST_ENTRY(v1_quick) of_sa;
    struct ike_request *request; /* initiator; NULL once it is reported */
    struct ike_ticket *ticket;   /* NULL: a responder's, not yet authorized */
    LIST_ENTRY(v1_quick) of_ticket;
    struct ike_child *child; /* made, not yet reported */
    uint64_t born;
    struct traffic_pair traffic; /* local is our side's */
    struct ip_pair flow;         /* the same, if it is one pair of hosts; src is our side's client */
    struct dh *dh;               /* NULL: no PFS */
    struct blob peer_ke;
    struct blob nonce_i, nonce_r;
    struct blob id_i, id_r; /* IDci, IDcr bodies */
    struct blob reply;      /* responder: the SA body of message 2, our SPI still zero */
    struct child_choice choice;
    spi_t spi_in, spi_out;
    bool silent;             /* the peer let all its time go by without an answer */
    bool outbound_given;     /* the outbound SA was handed out for installation */
    struct sa_params sas[2]; /* inbound, outbound; wiped once installed */
};

static inline bool ike_sa_established(const struct ike_sa *sa)
{
    return sa->main.state == V1_ESTABLISHED;
}

#endif
