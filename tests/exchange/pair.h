/*
 * Two keying engines in one process, a wire between them and virtual time. The driver answers every
 * question the engines ask, as the owners of two gateways would; a test sets what it wants
 * different and may look at, change, drop, hold or invent each datagram through the tap.
 */
#ifndef CYGNET_TESTS_PAIR_H
#define CYGNET_TESTS_PAIR_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "crypto/signature.h"
#include "crypto/encryption.h"
#include "ike/engine.h"
#include "ike/ike.h"

enum { PAIR_A, PAIR_B, PAIR_SIDES };
enum {
    PAIR_LATENCY_MS = 10,
    PAIR_SAD_MAX = 1024,
    PAIR_WIRE_MAX = 256,
    PAIR_KEYS = 6,      /* RSA, but two are ECDSA P-256, and the last is RSA-1024 */
    PAIR_ECDSA_KEY = 3, /* the first of them */
    PAIR_SHORT_KEY = 5,
    PAIR_RECORDS = 1024,
    PAIR_WORKS = 512,
};

/* What a SAVE left. */
struct pair_record {
    uint64_t number; /* 0: free */
    size_t len;
    uint8_t *octets;
};

struct pair_datagram {
    unsigned from;
    mono_t at; /* when it arrives */
    size_t len;
    uint8_t octets[4096];
    struct ip_endpoint source, target;
    bool natt; /* between ports 4500, with the marker */
};

struct pair_sa {
    bool used;
    struct ip_endpoint moved; /* where its peer is, by the last MOVE_SA; port 0: none came, or not in UDP */
    bool policy_stays;          /* as that says */
    struct ip_endpoint here;  /* where our end is, if it said so */
    struct sa_params params;
};

/* An effect that asks, kept unanswered. */
struct pair_question {
    bool pending;
    enum ike_effect_kind kind;
    uint64_t serial;
    struct ike_effect effect;
    uint8_t hash[4096]; /* what is to be signed */
    size_t hash_len;
    uint8_t ciphers[ENCRYPTION_TEXTS * ENCRYPTION_MAX];
    size_t ciphers_len;
};

/* The same, for a public-key operation. */
struct pair_work {
    uint64_t serial;
    struct ike_work *work;
};

struct pair_side {
    struct ike *ike;
    struct ip_endpoint addr;
    struct ip_addr reached_at; /* its address as others know it */
    unsigned key;            /* which test key it signs with */
    unsigned peer_key_count; /* keys it believes the peer to have */
    unsigned peer_keys[PAIR_KEYS];
    uint64_t rng_state;

    bool refuse, no_spi, no_install, no_keys, no_signature, no_work;
    bool hold[32];             /* by effect kind: leave the question open */
    struct pair_question held; /* the last question left open */
    uint64_t ticket;           /* what it authorizes the peer's proposals as */
    const struct traffic_pair *narrow; /* what it authorizes of them; NULL: all */
    const struct ike_profile *profiles;
    size_t profile_count;
    const struct private_key *own_key; /* where a profile has a key of its own */

    bool queue_work; /* public-key operations wait for pair_work() */
    struct pair_work works[PAIR_WORKS]; /* in the order in which they were asked for */
    size_t work_count;
    enum err late; /* what the last public-key operation that came back led to */
    unsigned asked_work;
    unsigned up, failed, deleted, authenticated, removed;
    unsigned keepalives, moves;
    uint32_t stream_kept, stream_closed; /* TCP, the last of either */
    bool connected; /* as last reported */
    struct pair_record kept[PAIR_RECORDS];
    unsigned asked_keys, asked_authorization, asked_signature, asked_decryption;
    struct ike_effect last_up, last_failed, last_deleted;
    struct pair_sa sad[PAIR_SAD_MAX];
    uint32_t next_spi;
    unsigned records; /* of the trace */
    unsigned sent_labels, got_labels;
    char ladder[4096]; /* labels in order: "5D> 5E1< ..." */
};

struct pair;
/* False: the datagram is lost. It may be changed in place. */
typedef bool pair_tap(struct pair *pair, struct pair_datagram *datagram, void *ctx);

struct pair {
    enum ike_version version; /* of pair_initiate() */
    struct pair_side sides[PAIR_SIDES];
    struct ike_config config;
    mono_t now;
    struct pair_datagram wire[PAIR_WIRE_MAX];
    size_t wire_count;
    unsigned sent[PAIR_SIDES];
    pair_tap *tap;
    void *tap_ctx;
    void (*on_keys)(struct pair *pair, unsigned side, const struct ike_effect *fx);
};

/* True while an engine's code runs, for tests that make its allocations fail. */
extern bool pair_in_engine;

struct pair_options {
    bool v6;
    bool legacy;
    struct ike_config config; /* applied to both; zero: defaults */
    uint64_t seed;
    enum ike_version version;
    const struct ike_profile *profiles[PAIR_SIDES];
    size_t profile_count; /* of each */
};

struct pair *pair_new(const struct pair_options *options); /* NULL: all defaults */
/* Engines gone, and every SA that was installed taken out or still accounted to a tunnel. */
void pair_free(struct pair *pair);
const struct private_key *pair_private_key(unsigned which);
const struct public_key *pair_public_key(unsigned which);

/* Makes one of side->works; `no_work`: gives it back as it is. */
enum err pair_work(struct pair *pair, unsigned side, size_t i);
/* The side's engine is gone and a new one takes its place; with `resume` it gets what was saved. */
void pair_crash(struct pair *pair, unsigned side, bool resume);
size_t pair_record_count(const struct pair *pair, unsigned side);
/* The flow between the two hosts behind `side` and its peer. `n` picks another host. */
struct ip_pair pair_flow(const struct pair *pair, unsigned side, unsigned n);
enum err pair_initiate(struct pair *pair, unsigned side, uint64_t ticket, unsigned n);
enum err pair_initiate_profile(struct pair *pair, unsigned side, uint64_t ticket, uint32_t profile,
                               const struct traffic_pair *traffic);
enum err pair_event(struct pair *pair, unsigned side, enum ike_event_kind kind, uint64_t ticket);
/* All addresses the side has now. */
void pair_addresses(struct pair *pair, unsigned side, const struct ip_addr *list, size_t count);
/* Answers a question that was held. */
enum err pair_answer(struct pair *pair, unsigned side, const struct pair_question *question);
/* Hands a datagram to the side that didn't send it, from its source to its target. */
enum err pair_give(struct pair *pair, const struct pair_datagram *datagram);
/* Hands octets to a side as if they came from its peer. */
enum err pair_inject(struct pair *pair, unsigned side, struct view octets);
/* Takes what the engine wants done. */
void pair_drain(struct pair *pair, unsigned side);
/* Lets time pass: timers fire and datagrams arrive in order. */
void pair_run(struct pair *pair, int64_t ms);

uint64_t pair_counter(const struct pair *pair, unsigned side, const char *name);
size_t pair_sad_count(const struct pair *pair, unsigned side);
/* Every outbound SA of one side is an inbound SA of the other with the same keys; returns how many.
 */
size_t pair_check_keys(const struct pair *pair);
/* What the datagram is, by exchange, order and length: "MM1" ... "QM3", "INFO". */
bool pair_is_exchange(const struct pair_datagram *datagram, enum isakmp_exchange exchange);

#endif
