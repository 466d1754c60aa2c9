/*
 * What a responder keeps between messages 1 and 3 of Main Mode: one small record for each initiator
 * that has not yet shown it can receive at its address. At most `limit` of them, the oldest evicted
 * (OE-194, IKE-050); nothing computed but a cookie. All live equally long, so one timer serves.
 */
#ifndef CYGNET_IKE_HALF_OPEN_H
#define CYGNET_IKE_HALF_OPEN_H

#include <sys/queue.h>

#include "base/err.h"
#include "base/map.h"
#include "base/mono.h"
#include "ike/blob.h"
#include "ike/proposal.h"

struct ike;
struct ike_sa;

enum {
    HALF_OPEN_MS = 30000,
    COOKIE_SLICE_MS = 32768, /* cookies change with time (IKE-061); the slice before is accepted */
    COOKIE_SECRET_LEN = 32,
};

/* No padding: it is hashed as it lies. */
struct half_open_key {
    uint8_t octets[16];
    uint8_t family;
    uint8_t zero;
    uint16_t port;
    uint8_t cookie_i[ISAKMP_COOKIE_LEN];
};

struct half_open {
    struct map_node by_initiator;
    struct half_open_key key;
    TAILQ_ENTRY(half_open) by_age;
    uint8_t cookies[2 * ISAKMP_COOKIE_LEN];
    uint64_t number; /* of the SA, for the trace */
    struct phase1_choice choice;
    bool nat; /* v1_nat.agreed */
    bool dpd; /* the peer announced it */
    uint8_t digest[32]; /* of message 1 */
    struct blob offer;  /* SAi_b, which both signatures cover */
    struct blob reply;  /* message 2 */
    mono_t until;
};

struct half_open_table {
    struct map records;
    TAILQ_HEAD(, half_open) by_age; /* oldest first */
    uint8_t secret[COOKIE_SECRET_LEN];
};

void half_open_init(struct half_open_table *table, const struct rng *rng);
void half_open_fini(struct half_open_table *table);

/* CKY-R: a keyed hash over addresses, ports, CKY-I and the time slice (IKE-051, IKE-060). */
MUST_USE enum err half_open_cookie_make(const struct ike *ike, const struct ip_endpoint *local,
                                        const struct ip_endpoint *remote, const uint8_t *cookie_i,
                                        uint8_t *ret);
bool half_open_cookie_valid(const struct ike *ike, const struct ip_endpoint *local,
                            const struct ip_endpoint *remote, const uint8_t *cookies);

struct half_open *half_open_find(const struct half_open_table *table,
                                 const struct ip_endpoint *remote, const uint8_t *cookie_i);
bool half_open_same_offer(const struct half_open *record, struct view message1);
/* From the SA that answered message 1. */
MUST_USE enum err half_open_add(struct ike *ike, const struct ike_sa *sa);
/* Into the SA that takes message 3. */
MUST_USE enum err half_open_revive(const struct half_open *record, struct ike_sa *sa);
void half_open_remove(struct ike *ike, struct half_open *record);
/* Drops those whose time is over and sets the timer for the next. */
void half_open_expire(struct ike *ike);

#endif
