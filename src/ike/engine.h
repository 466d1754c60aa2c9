/*
 * The engine's inside: what ike.h keeps opaque. Four kinds of things, and who owns whom:
 *
 *   struct ike ---- struct ike_sa       a phase 1 SA, half open or established, and its Quick Modes
 *              ---- struct v2_sa        the same of version 2 (ike/v2/sa.h)
 *              ---- struct ike_peer     one pair of gateway addresses: finds SAs, requests,
 * children
 *              ---- struct ike_ticket   what the caller knows by one number: a request, its
 * children struct ike_request   a tunnel asked for, until it is up or has failed struct ike_child
 * a pair of ESP SAs that is up
 *
 * Peers and tickets exist as long as something hangs on them. Every timer is in the heap from its
 * owner's birth to its death, so setting one can't fail.
 */
#ifndef CYGNET_IKE_ENGINE_H
#define CYGNET_IKE_ENGINE_H

#include <sys/queue.h>

#include "base/fifo.h"
#include "base/heap.h"
#include "base/limits.h"
#include "base/map.h"
#include "ike/defer.h"
#include "ike/half_open.h"
#include "ike/ike.h"
#include "ike/proposal.h"
#include "ike/v1/sa.h"
#include "ike/v2/sa.h"

enum {
    IKE_PORT = 500,
    IKE_NATT_PORT = 4500,
    IKE_DELETE_TRIES = 3,          /* OE-106 */
    IKE_DELETE_SPACING_MS = 10000, /* OE-106 */
    IKE_DRAIN_MS = 2000,   /* a replaced child still takes what is on its way, then goes (OE-109) */
    IKE_EXPIRY_MS = 5000,  /* after its hard lifetime a child that nobody deleted goes by itself */
    IKE_UNPROVEN_EACH = 32,    /* unauthenticated SAs of one address (OE-194), ... */
    IKE_UNPROVEN_SLOTS = 4096, /* ... or of those that share its slot */
    IKE_EVICTION_LOOKS = 32,   /* SAs looked at to make room for one */
    IKE_KEEPALIVE_MS = 20000, /* RFC 3948 section 4 */
    IKE_DOUBT_MS = 5000,   /* for a true message 6 after one with a bad signature */
    IKE_LINGER_MS = 30000, /* how long a finished exchange answers duplicates */
    IKE_INNER_MAX = 16384, /* payloads of one IKEv2 message that we build */
    IKE_RECORD_MAX = 2048 + 4 * V1_USED_IDS,
};

/* Why something was dropped or refused; the names are what ike_counter() shows. */
#define IKE_COUNTERS(X)                                                                            \
    X(MALFORMED, "malformed")                                                                      \
    X(VERSION, "unsupported-version")                                                              \
    X(EXCHANGE, "unsupported-exchange")                                                            \
    X(UNKNOWN_SA, "unknown-cookies")                                                               \
    X(BAD_COOKIE, "bad-responder-cookie")                                                          \
    X(BAD_PUZZLE, "puzzle-not-solved")                                                             \
    X(NO_HALF_OPEN, "half-open-gone")                                                              \
    X(HALF_OPEN_EVICTED, "half-open-evicted")                                                      \
    X(UNPROVEN_EVICTED, "unauthenticated-evicted")                                                 \
    X(ADDRESS, "wrong-address")                                                                    \
    X(NO_ROW, "unexpected-message")                                                                \
    X(CLEAR, "not-encrypted")                                                                      \
    X(ENCRYPTED, "encrypted-too-early")                                                            \
    X(SYNCED, "message-ids-synchronized")                                                          \
    X(SYNC_REFUSED, "message-id-sync-refused")                                                     \
    X(MOVED, "nat-mapping-changed")                                                                \
    X(MOVE_REFUSED, "nat-mapping-change-refused")                                                  \
    X(UNDECRYPTABLE, "undecryptable")                                                              \
    X(BAD_HASH, "bad-hash")                                                                        \
    X(MISSING, "payload-missing")                                                                  \
    X(REPEATED, "payload-repeated")                                                                \
    X(UNEXPECTED, "payload-unexpected")                                                            \
    X(BAD_VALUE, "bad-value")                                                                      \
    X(NO_PROPOSAL, "no-proposal-chosen")                                                           \
    X(BAD_SIGNATURE, "bad-signature")                                                              \
    X(NO_KEYS, "no-keys-for-peer")                                                                 \
    X(REFUSED, "refused-by-policy")                                                                \
    X(DUPLICATE, "duplicate")                                                                      \
    X(REFLECTED, "reflected")                                                                      \
    X(REPLAYED, "replayed")                                                                        \
    X(HINT, "unprotected-notify")                                                                  \
    X(UNKNOWN_DELETE, "delete-for-unknown-sa")                                                     \
    X(UNKNOWN_UPDATE, "address-update-for-unknown-sa")                                             \
    X(STALE, "stale-answer")                                                                       \
    X(BAD_REQUEST, "bad-request")                                                                  \
    X(GAVE_UP, "gave-up")                                                                          \
    X(DEAD_PEER, "dead-peer")                                                                          \
    X(ELSEWHERE, "public-key-work")                                                                \
    X(TOO_MUCH_WORK, "too-much-public-key-work")                                                   \
    X(OVERTAKES, "behind-public-key-work")                                                         \
    X(LIMIT, "limit")                                                                              \
    X(CRITICAL, "unknown-critical-payload")                                                        \
    X(WORN_OUT, "message-ids-used-up")                                                             \
    X(BAD_RECORD, "unusable-record")                                                               \
    X(SHUTTING_DOWN, "shutting-down")                                                              \
    X(MEMORY, "out-of-memory")                                                                     \
    X(CRYPTO, "crypto-failure")

enum ike_counter_id {
#define IKE_COUNTER_ENUM(name, text) IKE_COUNT_##name,
    IKE_COUNTERS(IKE_COUNTER_ENUM)
#undef IKE_COUNTER_ENUM
        IKE_COUNTER_COUNT
};

struct ike_peer_key {
    struct ip_addr local, remote;
    uint8_t zero[2]; /* map keys are whole words */
};

struct ike_peer {
    struct map_node by_addresses;
    struct ike_peer_key key;
    LIST_HEAD(, ike_sa) sas; /* authenticated, or ours as initiator */
    LIST_HEAD(, v2_sa) v2_sas; /* the same of version 2 */
    LIST_HEAD(, ike_request) requests;
    LIST_HEAD(, ike_child) children;
    bool connected; /* as last reported */
};

/* A peer of a former life that has not yet heard that its SAs are gone here (OE-175). */
struct ike_former {
    struct map_node by_addresses;
    struct ike_peer_key key;
};

struct ike_ticket {
    struct map_node by_number;
    uint64_t number;
    struct ike_request *request;  /* NULL: nothing under way */
    LIST_HEAD(, v1_quick) quicks; /* as initiator and responder */
    LIST_HEAD(, v2_child) making; /* the same of version 2 */
    LIST_HEAD(, ike_child) children;
};

struct ike_request {
    struct ike_ticket *ticket;
    struct ike_peer *peer;
    LIST_ENTRY(ike_request) of_peer;
    struct ip_endpoint local, remote;
    bool natt;
    enum ike_version version;
    uint32_t profile;            /* 0: opportunistic */
    struct traffic_pair traffic; /* what the tunnel is to carry */
    struct ip_pair flow;         /* the same, if it is one pair of hosts; src is our side's client */
    struct identity peer_id;
    struct public_key *keys; /* those the peer may prove itself with */
    size_t key_count;
    struct ike_sa *sa;      /* the phase 1 SA it waits for or uses */
    struct v1_quick *quick; /* its Quick Mode, once begun */
    struct v2_sa *v2_sa;    /* the same of version 2 */
    struct v2_child *making;
    uint64_t born;
    uint32_t wait_ms; /* 0: give_up_ms */
    bool pkcs1;  /* the peer did not believe an RSA-PSS signature */
    bool tcp;    /* nothing answered to UDP */
    bool reused; /* the SA was there before: silence may mean that the peer forgot it */
};

enum ike_child_state {
    IKE_CHILD_UP,
    IKE_CHILD_DRAINING, /* a newer one took over */
    IKE_CHILD_DELETING, /* our Delete is out; waiting for the peer's */
};

struct ike_child_key {
    struct ip_addr remote;
    uint8_t zero[3];
    uint32_t spi_out;
};

struct ike_child {
    struct map_node by_spi;
    struct ike_child_key key;
    struct ike_ticket *ticket; /* NULL: of no ticket */
    struct ike_peer *peer;
    LIST_ENTRY(ike_child) of_ticket;
    LIST_ENTRY(ike_child) of_peer;
    enum ike_child_state state;
    struct ip_addr local;
    struct ip_pair flow;
    spi_t spi_in, spi_out;
    uint8_t protocol;      /* enum sa_protocol */
    bool udp, follows;     /* inside UDP or TCP; the peer's end may move (RFC 3947 section 7) */
    struct ip_endpoint at; /* where the plane sends it, if it follows */
    bool policy_stays;     /* ADR-075: policy is not to follow where it goes */
    struct ip_endpoint here, there; /* its ends, if not those it was made with; of no family: they are */
    uint8_t peer_key[IKE_DIGEST_LEN]; /* whoever deletes it must have proven the same key */
    uint64_t born;
    bool replaced; /* its ticket lives on in a newer child: nothing to report */
    bool inbound_gone;
    unsigned tries;
    struct ike_timer timer;
    struct v2_sa *v2_sa; /* the IKEv2 SA it lives and dies with; NULL: of version 1, ... */
    uint64_t v2_owner;   /* ... or, if this is its number, not resumed */
    LIST_ENTRY(ike_child) of_v2_sa;
    struct traffic_pair traffic;
    struct blob rekey_nonce; /* the lower one of the peer's exchange that replaced it */
};

struct ike {
    struct ike_config config;
    struct ike_env env;
    mono_t now;
    bool shutting_down;

    struct map sas;       /* by cookies */
    struct map peers;     /* by addresses */
    struct map tickets;   /* by number */
    struct map children;  /* by peer and outbound SPI */
    struct map formers;   /* by addresses */
    struct map questions; /* exchanges by the serial of what they wait for */
    struct ike_sa **all;  /* for ike_sa_info() */
    size_t all_count, all_room, sa_limit;
    TAILQ_HEAD(ike_unproven, ike_sa)
    unproven; /* responder SAs not yet authenticated, oldest first */
    size_t unproven_count;
    TAILQ_HEAD(ike_established, ike_sa)
    established; /* in the order in which a full table looks at them */
    uint64_t unproven_seeds[2];
    uint16_t unproven_from[IKE_UNPROVEN_SLOTS]; /* how many of those came from where */
    size_t work_out, work_strangers;         /* NEED_WORK not yet answered; for strangers */
    uint16_t work_from[IKE_UNPROVEN_SLOTS];  /* those, by where they come from */
    struct half_open_table half_open;
    struct ike_timer half_open_timer;
    struct v2_engine v2;
    struct address_set own; /* our addresses, as a list */
    uint8_t own_ranks[ADDRESS_SET_MAX];
    bool own_known;
    struct address_ways ways;

    struct heap timers;
    struct fifo effects;
    void *lent; /* what the effect last taken points to */
    size_t lent_len;
    uint64_t restored_ticket; /* the highest */
    uint64_t last_serial; /* of questions, and the order in which things were born */
    uint64_t counters[IKE_COUNTER_COUNT];
    enum ike_counter_id last_counted;

    const struct ike_suite *offers; /* phase 1 and phase 2, best first */
    size_t offer_count;
    const struct esp_suite *child_offers;
    size_t child_offer_count;
    struct isakmp_sa sa_in, sa_out;   /* work space */
    struct ike2_sa sa2;               /* the same of version 2 */
    uint8_t inner[IKE_INNER_MAX];     /* its payloads before they are sealed */
    uint8_t text[LIMIT_IKE_DATAGRAM]; /* the message being read, decrypted */
    uint8_t message[IKE_MESSAGE_MAX]; /* the message being built */
    uint8_t record[IKE_RECORD_MAX];   /* the record being built */
};

/* ike.c */
void ike_count(struct ike *ike, enum ike_counter_id id);
uint64_t ike_serial(struct ike *ike);
/* Where what we begin leaves from: a leased port, or 500 (RSIP-006). */
uint16_t ike_own_port(const struct ike *ike);
/* Copies what the effect points to. False: out of memory, counted. */
bool ike_effect_push(struct ike *ike, const struct ike_effect *effect);
bool ike_timer_add(struct ike *ike, struct ike_timer *timer, ike_timer_fn *fire);
void ike_timer_set(struct ike *ike, struct ike_timer *timer, mono_t at); /* MONO_NEVER: rest */
void ike_timer_drop(struct ike *ike, struct ike_timer *timer);

/* request.c: to prove anything with, without or with the legacy algorithms */
bool ike_key_long_enough(bool legacy, const struct public_key *key);

/* store.c */
struct ike_peer *ike_peer_get(struct ike *ike, const struct ip_addr *local,
                              const struct ip_addr *remote, bool create);
void ike_peer_put(struct ike *ike, struct ike_peer *peer); /* frees it once nothing hangs on it */
struct ike_ticket *ike_ticket_get(struct ike *ike, uint64_t number, bool create);
void ike_ticket_put(struct ike *ike, struct ike_ticket *ticket);
/* Not yet in a peer's list. */
MUST_USE enum err ike_sa_new(struct ike *ike, const uint8_t *cookies, bool initiator,
                             const struct ip_endpoint *local, const struct ip_endpoint *remote,
                             bool natt, struct ike_sa **ret);
MUST_USE enum err ike_sa_attach(struct ike *ike, struct ike_sa *sa); /* to its peer's list */
/* A responder's, after message 3; the oldest goes if there are too many (OE-194). */
void ike_sa_unproven_add(struct ike *ike, struct ike_sa *sa);
/* Established: a full table may make room with it, once nothing uses it. */
void ike_sa_evictable(struct ike *ike, struct ike_sa *sa);
/* So many of that address are at it that no more work is done for it. */
bool ike_unproven_many(const struct ike *ike, const struct ip_addr *remote);
uint16_t ike_unproven_slot(const struct ike *ike, const struct ip_addr *remote);
/* Main Mode is done: the lifetime runs, and the SA can be found by its peer's addresses. */
void ike_sa_established_now(struct ike *ike, struct ike_sa *sa);
void ike_sa_set_responder_cookie(struct ike *ike, struct ike_sa *sa, const uint8_t *cookie);
/* Established: the peer gets a Delete, of these inbound SPIs too, then as ike_sa_free() (OE-083). */
void ike_sa_end(struct ike *ike, struct ike_sa *sa, const spi_t *spis, size_t count);
struct ike_sa *ike_sa_find(const struct ike *ike, const uint8_t *cookies);
/* Its Quick Modes fail, its waiting requests are detached. */
void ike_sa_free(struct ike *ike, struct ike_sa *sa);
/* An established SA with a peer that proved the key of that digest; NULL: none. */
struct ike_sa *ike_peer_sa(const struct ike_peer *peer, const uint8_t *key_digest);

/* v1/nat.c */
ike_timer_fn nat_keepalive;
void nat_keepalive_start(struct ike *ike, struct ike_sa *sa);
/* The peer that proved this key is at another address or port: phase 1 and children follow. */
void nat_move(struct ike *ike, struct ike_peer *peer, const uint8_t *key_digest,
              const struct ip_endpoint *to);
/* What a child takes from its SA. */
void nat_child(const struct ike_sa *sa, struct ike_child *child);
/* Reports it if the peer has SAs now and had none, or the other way round. */
void ike_peer_note(struct ike *ike, struct ike_peer *peer);

/* saved.c: what outlives the engine */
void saved_sa(struct ike *ike, const struct ike_sa *sa); /* if it is established */
void saved_child(struct ike *ike, const struct ike_child *child);
void saved_forget(struct ike *ike, uint64_t number);
enum err saved_restore(struct ike *ike, const struct ike_event *event);
/* What the records of both versions have alike; what can't be makes the cursor bad. */
void saved_put_child_sas(struct builder *b, const struct ike_child *child);
void saved_put_child_state(struct builder *b, const struct ike_child *child);
void saved_get_child_sas(struct cursor *cur, struct ike_child *r);
void saved_get_child_state(struct cursor *cur, struct ike_child *r);
/* A child as its record `r` has it, of either version, with its ticket (0: none) and its timer at
 * rest. ERR_STATE: it is there already. */
MUST_USE enum err saved_child_revive(struct ike *ike, uint64_t number, const struct ike_child *r,
                                     uint64_t ticket_number, struct ike_child **ret);
enum err saved_disown(struct ike *ike, const struct ike_event *event);

/* contact.c: INITIAL-CONTACT (RFC 2407 section 4.6.3.3) */
enum err contact_former_peer(struct ike *ike, const struct ike_event *event);
enum err contact_greet(struct ike *ike, const struct ike_event *event);
/* The peer may hold SAs of a former life of ours, and hasn't heard that we lost them. */
bool contact_is_due(const struct ike *ike, const struct ip_addr *local,
                    const struct ip_addr *remote);
/* It has heard. */
void contact_made(struct ike *ike, const struct ip_addr *local, const struct ip_addr *remote);
/* The peer that proved this key has lost what it had with us before `since`: so do we (OE-176). */
void contact_peer_restarted(struct ike *ike, struct ike_peer *peer, const uint8_t *key_digest,
                            uint64_t since);
void contact_fini(struct ike *ike);

/* export.c: nothing, unless the configuration has keys exported */
void ike_export_v1(struct ike *ike, const struct ike_sa *sa);
void ike_export_v2(struct ike *ike, const struct v2_sa *sa);

/* profile.c */
/* NULL: there is none (any more). */
const struct ike_profile *ike_profile_numbered(const struct ike *ike, uint32_t number);
/* The first after `after` (NULL: of all) that speaks this version between these addresses, whoever
 * the peer turns out to be; NULL: no more. */
const struct ike_profile *ike_profile_next(const struct ike *ike, const struct ike_profile *after,
                                           enum ike_version version, const struct ip_addr *local,
                                           const struct ip_addr *remote);
/* That identity is the one it asks for, or it asks for none in particular. */
bool ike_profile_is_for(const struct ike_profile *profile, const struct identity *peer_id);

/* request.c */
enum err ike_initiate(struct ike *ike, const struct ike_event *event);
enum err ike_cancel(struct ike *ike, uint64_t ticket);
/* Reports the failure and frees the request. */
void ike_request_fail(struct ike *ike, struct ike_request *request, enum ike_failure failure,
                      const char *text);
void ike_request_free(struct ike *ike, struct ike_request *request);
/* An SA serves it, or one is begun. */
enum err ike_request_proceed(struct ike *ike, struct ike_request *request);
void ike_report_failure(struct ike *ike, const struct ike_effect *about, enum ike_failure failure,
                        const char *text);
/* Phase 1 with this peer is there: begin every Quick Mode that waited for it. */
void ike_requests_proceed(struct ike *ike, struct ike_sa *sa);
/* Phase 1 ended without success: so do the requests that waited for it. */
void ike_requests_abandon(struct ike *ike, struct ike_sa *sa, enum ike_failure failure,
                          const char *text);
/* A Quick Mode of ours ended without success. */
void ike_request_quick_failed(struct ike *ike, struct v1_quick *quick, enum ike_failure failure,
                              const char *text);

/* child.c */
/* Without a ticket, in its peer's list, its timer at rest. */
MUST_USE enum err ike_child_alloc(struct ike *ike, const struct ip_addr *local,
                                  const struct ip_addr *remote, spi_t spi_out,
                                  struct ike_child **ret);
void ike_child_set_ticket(struct ike_child *child, struct ike_ticket *ticket);
/* The Quick Mode's SAs are in place: quick->child keeps them. */
MUST_USE enum err ike_child_new(struct ike *ike, struct v1_quick *quick);
/* Reports it and retires what it replaces. */
void ike_child_up(struct ike *ike, struct v1_quick *quick);
enum err ike_child_delete(struct ike *ike, uint64_t ticket);
/* The plane got authentic ESP from elsewhere. */
enum err ike_child_moved(struct ike *ike, const struct ike_event *event);
/* Somebody here wants it and its siblings elsewhere. ERR_UNKNOWN: no such child; ERR_UNSUPPORTED: its IKE
 * SA can't move, or the peer decides; ERR_VALUE: one of the ends is none of ours, or of the peer's. */
enum err ike_child_update(struct ike *ike, const struct ike_event *event);
void ike_child_move(struct ike *ike, struct ike_child *child, const struct ip_endpoint *to);
/* Both its ends; ports are zero without UDP. */
void ike_child_readdress(struct ike *ike, struct ike_child *child, const struct ip_endpoint *here,
                         const struct ip_endpoint *there);
/* The peer deleted its inbound SA `spi`. True: it was one of ours; ret_answer is set to the SPI to
 * name in our answering Delete, or zero if the Delete was itself an answer (OE-103, OE-104). */
bool ike_child_deleted_by_peer(struct ike *ike, struct ike_sa *sa, uint8_t protocol, spi_t spi,
                               spi_t *ret_answer);
struct ike_child *ike_child_find(const struct ike *ike, const struct ip_addr *remote,
                                 spi_t spi_out);
void ike_child_free(struct ike *ike, struct ike_child *child);
/* Takes its SAs out of the SAD, reports that it is gone, frees it. */
void ike_child_finish(struct ike *ike, struct ike_child *child);
/* What this one replaces still receives for a while, then it goes (OE-108, OE-109). */
void ike_child_retire_older(struct ike *ike, const struct ike_child *newer, uint64_t begun);
/* Our Delete is out: the inbound SA goes at once. */
void ike_child_deleting(struct ike *ike, struct ike_child *child);
/* Is a child of the ticket up that came after `since`? */
bool ike_ticket_up_since(const struct ike_ticket *ticket, uint64_t since);

#endif
