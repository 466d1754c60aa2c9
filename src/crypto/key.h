/*
 * Public keys as DNS carries them, and private keys. A public key is a plain value in RFC 3110 form
 * (exponent length, exponent, modulus), so it can be compared, copied and printed. Only the keeper
 * process holds a private_key. IKEv1 signs the bare HASH in PKCS #1 v1.5 form without an algorithm
 * identifier (RFC 2409 section 5.1).
 */
#ifndef CYGNET_CRYPTO_KEY_H
#define CYGNET_CRYPTO_KEY_H

#include "base/err.h"
#include "base/limits.h"

enum key_alg { KEY_NONE = 0, KEY_RSA = 1 };

/* How a signature is made and written. */
enum signature_scheme {
    SIGNATURE_IKE1_RSA, /* RFC 2409 section 5.1: the bare HASH, PKCS #1 v1.5 without an algorithm */
};

struct public_key {
    uint8_t alg; /* enum key_alg */
    uint16_t len;
    uint8_t octets[LIMIT_KEY_OCTETS]; /* zero beyond len */
};

struct private_key; /* free with private_key_free(), which wipes it */

/* "RSA-2048 1a2b3c4d": algorithm, bits and the first octets of the key's SHA-256. */
#define PUBLIC_KEY_TEXT_MAX 40
char *public_key_format(const struct public_key *key, char *ret);
bool public_key_equal(const struct public_key *a, const struct public_key *b);
unsigned public_key_bits(const struct public_key *key);
/* ERR_VALUE unless it is RFC 3110 form, an RSA modulus of 1024 to 8192 bits, an odd exponent > 1.
 */
MUST_USE enum err public_key_from_rfc3110(struct view octets, struct public_key *ret);
/* ERR_AUTH: the signature is not by this key over `hash`. */
MUST_USE enum err public_key_verify_ike1(const struct public_key *key, struct view hash,
                                         struct view signature);

/* bits: 2048 to 8192. */
MUST_USE enum err private_key_generate(unsigned bits, struct private_key **ret);
MUST_USE enum err private_key_from_pem(struct view pem, struct private_key **ret);
/* PKCS #8 PEM, zero-terminated, to be wiped and freed by the caller. */
MUST_USE enum err private_key_to_pem(const struct private_key *key, char **ret_pem);
void private_key_free(struct private_key *key);
void private_key_public(const struct private_key *key, struct public_key *ret);
size_t private_key_signature_len(const struct private_key *key);
/* ret holds private_key_signature_len() octets. */
MUST_USE enum err private_key_sign_ike1(const struct private_key *key, struct view hash,
                                        uint8_t *ret);

#endif
