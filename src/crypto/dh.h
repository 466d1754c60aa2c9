/*
 * Diffie-Hellman groups, by their IANA number: MODP 2, 5, 14-18 (RFC 2409, 3526) and ECP 19, 20, 21
 * (RFC 5903: public values and secrets are x|y and x). The private value comes from the caller's
 * generator, so a seeded run repeats itself. A peer's public value is checked (RFC 6989 section 2)
 * before anything is computed with it. A dh never changes once it is made.
 */
#ifndef CYGNET_CRYPTO_DH_H
#define CYGNET_CRYPTO_DH_H

#include "base/err.h"
#include "base/rng.h"

struct dh; /* one private value; free with dh_free(), which wipes it */

#define DH_MAX 1024 /* octets of the largest public value (group 18) */

bool dh_group_known(uint16_t group);
/* "modp2048", "ecp256"; NULL if unknown. */
const char *dh_group_name(uint16_t group);
size_t dh_public_len(uint16_t group);
size_t dh_secret_len(uint16_t group);

MUST_USE enum err dh_new(uint16_t group, const struct rng *rng, struct dh **ret);
void dh_free(struct dh *dh);
/* Another owner, perhaps in another thread; each of them calls dh_free(). */
struct dh *dh_hold(struct dh *dh);
uint16_t dh_group(const struct dh *dh);
/* Valid as long as dh. */
struct view dh_public(const struct dh *dh);
/* ret_secret holds dh_secret_len() octets. ERR_VALUE: the peer's value is not acceptable. */
MUST_USE enum err dh_shared(const struct dh *dh, struct view peer_public, uint8_t *ret_secret);

#endif
