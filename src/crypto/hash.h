/*
 * Hashes and HMAC, which is every prf that IKEv1 uses (RFC 2409 section 4). Pure computation over
 * libcrypto; nothing is kept between calls. ERR_CRYPTO means the library refused (for example MD5
 * under a FIPS provider).
 */
#ifndef CYGNET_CRYPTO_HASH_H
#define CYGNET_CRYPTO_HASH_H

#include "base/err.h"

enum hash_alg { HASH_MD5, HASH_SHA1, HASH_SHA2_256, HASH_SHA2_384, HASH_SHA2_512, HASH_COUNT };

#define HASH_MAX 64

size_t hash_len(enum hash_alg alg);
const char *hash_name(enum hash_alg alg);
/* ret holds hash_len(alg) octets; the parts are hashed one after the other. */
MUST_USE enum err hash_digest(enum hash_alg alg, const struct view *parts, size_t count,
                              uint8_t *ret);
MUST_USE enum err hmac_digest(enum hash_alg alg, struct view key, const struct view *parts,
                              size_t count, uint8_t *ret);

#endif
