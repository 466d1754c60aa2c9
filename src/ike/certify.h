/*
 * A peer's certificates against what its profile trusts (IKE-057): all that takes in one piece of
 * memory, so that it can be done elsewhere and later. No clock: the time comes with the terms.
 */
#ifndef CYGNET_IKE_CERTIFY_H
#define CYGNET_IKE_CERTIFY_H

#include "crypto/key.h"
#include "wire/identity.h"

struct certify_terms {
    struct identity id; /* who the peer says it is */
    bool crl_required;
    int64_t when;       /* seconds since 1970 */
    const struct view *certs, *anchors, *crls; /* DER; the peer's own certificate is the first */
    size_t cert_count, anchor_count, crl_count;
};

/* The key of the peer's certificate, which has to have the identity `id`; a chain has to lead from it
 * to an anchor. ERR_AUTH: not so; *ret_reason, for people, is static. */
MUST_USE enum err certify(const struct certify_terms *terms, struct public_key *ret,
                          const char **ret_reason);

/* A copy with all that `terms` points to; NULL: out of memory. */
struct certify_terms *certify_terms_copy(const struct certify_terms *terms);
void certify_terms_free(struct certify_terms *terms);
/* The same question, though perhaps asked at another time. */
bool certify_terms_same(const struct certify_terms *a, const struct certify_terms *b);

#endif
