/*
 * What IKEv2 says about signature schemes: which method number and which AlgorithmIdentifier goes
 * with each (RFC 7296 section 3.8, RFC 4754, RFC 7427, RFC 8420), and which one to use with a key
 * and a peer. Making and checking signatures is in crypto/key.h.
 */
#ifndef CYGNET_CRYPTO_SIGNATURE_H
#define CYGNET_CRYPTO_SIGNATURE_H

#include "crypto/key.h"

/* Numbers in SIGNATURE_HASH_ALGORITHMS (RFC 7427 section 7, RFC 8420 section 3). */
enum signature_hash {
    SIGNATURE_HASH_NONE = 0,
    SIGNATURE_HASH_SHA1 = 1,
    SIGNATURE_HASH_SHA2_256 = 2,
    SIGNATURE_HASH_SHA2_384 = 3,
    SIGNATURE_HASH_SHA2_512 = 4,
    SIGNATURE_HASH_IDENTITY = 5, /* the message itself, for EdDSA */
};

/* "RSA-PSS SHA2-256"; never NULL. */
const char *signature_scheme_name(enum signature_scheme scheme);
/* The scheme is one of this kind of key. */
bool signature_scheme_fits(enum signature_scheme scheme, enum key_alg alg);
/* Authentication method: 1, 9, 10, 11, or 14 where an identifier goes in front; 0: not of IKEv2. */
uint8_t signature_scheme_method(enum signature_scheme scheme);
/* Methods 1, 9, 10 and 11; SIGNATURE_UNKNOWN: another. */
enum signature_scheme signature_scheme_of_method(uint8_t method);
/* The AlgorithmIdentifier in DER; empty where the scheme has none. */
struct view signature_scheme_identifier(enum signature_scheme scheme);
/* Parses it: parameters that mean the same are the same. SIGNATURE_UNKNOWN: none of ours. SHA-1
 * counts as unknown here (RFC 8247 section 3.2.1). */
enum signature_scheme signature_scheme_of_identifier(struct view der);
enum signature_hash signature_scheme_hash(enum signature_scheme scheme);

/* The best scheme of RFC 7427 for the key, from the hashes the peer takes, as bits 1 << number; PSS
 * only where told. SIGNATURE_UNKNOWN: none. */
enum signature_scheme signature_scheme_choose(const struct public_key *key, unsigned hashes,
                                              bool pss);
/* Without RFC 7427, by the key alone: methods 1, 9, 10, 11. SIGNATURE_UNKNOWN: none. */
enum signature_scheme signature_scheme_plain(const struct public_key *key);

#endif
