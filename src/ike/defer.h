/*
 * Public-key operations that are not made where they are needed. A handler calls these in place of
 * crypto's functions. Unless the configuration has work done elsewhere they are the same. Else the
 * first call notes what is wanted and returns ERR_LATER, which the handler passes on like any error:
 * nothing of the step remains. The engine sends NEED_WORK, puts away what the step was about (struct
 * ike_parked), and once the work is back runs the same step again, in which the same call finds its
 * result. A step may wait several times so.
 *
 * Results and what is put away are wiped when the step is over, or its exchange is gone.
 */
#ifndef CYGNET_IKE_DEFER_H
#define CYGNET_IKE_DEFER_H

#include "ike/blob.h"
#include "ike/ike.h"

struct dh;
struct kex;

enum {
    IKE_WORKS_MAX = 16,       /* of one step */
    IKE_WORK_STRANGERS = 256, /* out at a time for strangers' first messages, ... */
    IKE_WORK_EACH = 8,        /* ... for those of one address or what shares its slot */
};

/* Of one step. */
struct ike_works {
    struct ike_work *done[IKE_WORKS_MAX];
    size_t count;
    struct ike_work *asked; /* NULL: nothing */
};

MUST_USE enum err defer_kex_new(struct ike *ike, struct ike_works *works, uint16_t method,
                                struct kex **ret);
MUST_USE enum err defer_kex_finish(struct ike *ike, struct ike_works *works, struct kex *kex,
                                   struct view reply, uint8_t *ret_secret);
MUST_USE enum err defer_kex_respond(struct ike *ike, struct ike_works *works, uint16_t method,
                                    struct view request, uint8_t *ret_reply, uint8_t *ret_secret);
MUST_USE enum err defer_dh_new(struct ike *ike, struct ike_works *works, uint16_t group,
                               struct dh **ret);
MUST_USE enum err defer_dh_shared(struct ike *ike, struct ike_works *works, struct dh *dh,
                                  struct view peer_public, uint8_t *ret_secret);
/* SIGNATURE_UNKNOWN: the scheme of IKEv1 that fits the key. */
MUST_USE enum err defer_verify(struct ike *ike, struct ike_works *works,
                               const struct public_key *key, enum signature_scheme scheme,
                               struct view message, struct view signature);
/* The key of the peer's certificate: `certs` are DER, the peer's own first. It has to have the identity
 * `id`, and a chain has to lead from it to an anchor of the profile now. ERR_AUTH: not so;
 * *ret_reason, for people, is static. */
MUST_USE enum err defer_certify(struct ike *ike, struct ike_works *works,
                                const struct ike_profile *profile, const struct identity *id,
                                const struct view *certs, size_t count, struct public_key *ret,
                                const char **ret_reason);

void ike_works_wipe(struct ike_works *works);

/* What a step was about, kept until it can be run again. */
struct ike_parked {
    struct ike_works works;
    bool has_event;
    struct ike_event event; /* shows what is below */
    struct public_key *keys;
    struct blob bytes;
    struct blob text; /* the message's payloads */
};

/* Whose step it is. */
struct ike_parking {
    uint64_t serial;
    const struct ip_addr *remote;
    bool stranger; /* it has proved nothing, and came to us */
    bool first;    /* its first message: no more of these than the limits allow */
};

/* Takes over `works`, sends what is asked for in it, and copies the rest; `event` may be NULL.
 * ERR_LIMIT: too much is out already. */
MUST_USE enum err ike_park(struct ike *ike, struct ike_parked *parked, struct ike_works *works,
                           const struct ike_event *event, struct view text,
                           const struct ike_parking *about);
void ike_parked_wipe(struct ike_parked *parked);

/* WORKED. */
enum err ike_worked(struct ike *ike, const struct ike_event *event);
/* So much is out for strangers that they had better show first where they are. */
bool ike_work_presses(const struct ike *ike);

#endif
