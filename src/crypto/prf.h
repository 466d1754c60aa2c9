/*
 * The pseudorandom functions of IKEv2: HMAC over a hash (RFC 7296 section 2.13), and prf+, which
 * stretches their output. The prf itself is hmac_digest() of crypto/hash.h; its preferred key
 * length is hash_len().
 */
#ifndef CYGNET_CRYPTO_PRF_H
#define CYGNET_CRYPTO_PRF_H

#include "crypto/hash.h"

/* Fills ret with prf+(key, the seed's parts). ERR_VALUE: more than 255 blocks, or more than
 * PRF_PLUS_PARTS parts. */
enum { PRF_PLUS_PARTS = 6 };
MUST_USE enum err prf_plus(enum hash_alg alg, struct view key, const struct view *seed,
                           size_t count, struct span ret);

#endif
