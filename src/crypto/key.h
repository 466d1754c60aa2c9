/*
 * Public keys as DNS and certificates carry them, and private keys. A public key is a plain value,
 * so it can be compared, copied and printed: RSA in RFC 3110 form (exponent length, exponent,
 * modulus), ECDSA as x|y (RFC 6605 section 4), EdDSA as its octets (RFC 8080 section 3). Only the
 * keeper process holds a private_key. How a signature is made and written is a scheme, of which
 * crypto/signature.h knows more.
 */
#ifndef CYGNET_CRYPTO_KEY_H
#define CYGNET_CRYPTO_KEY_H

#include "base/err.h"
#include "base/limits.h"

enum key_alg {
    KEY_NONE = 0,
    KEY_RSA = 1,
    KEY_ECDSA_P256,
    KEY_ECDSA_P384,
    KEY_ECDSA_P521,
    KEY_ED25519,
    KEY_ED448,
    KEY_ALG_COUNT
};

/* How a signature is made and written. */
enum signature_scheme {
    SIGNATURE_IKE1_RSA, /* RFC 2409 section 5.1: the bare HASH, PKCS #1 v1.5 without an algorithm */
    SIGNATURE_IKE1_ECDSA, /* RFC 4754: the bare HASH, r|s */
    SIGNATURE_RSA_SHA1,   /* RSASSA-PKCS1-v1_5: IKEv2's method 1 */
    SIGNATURE_RSA_SHA2_256,
    SIGNATURE_RSA_SHA2_384,
    SIGNATURE_RSA_SHA2_512,
    SIGNATURE_PSS_SHA2_256, /* RSASSA-PSS, MGF1 with the same hash, a salt of its length */
    SIGNATURE_PSS_SHA2_384,
    SIGNATURE_PSS_SHA2_512,
    SIGNATURE_ECDSA_256, /* RFC 4754: IKEv2's methods 9, 10 and 11; curve and hash go together, r|s
                          */
    SIGNATURE_ECDSA_384,
    SIGNATURE_ECDSA_521,
    SIGNATURE_ECDSA_SHA2_256, /* RFC 7427: any curve, r and s in DER */
    SIGNATURE_ECDSA_SHA2_384,
    SIGNATURE_ECDSA_SHA2_512,
    SIGNATURE_ED25519, /* RFC 8420 */
    SIGNATURE_ED448,
    SIGNATURE_SCHEME_COUNT,
    SIGNATURE_UNKNOWN = 255
};

struct public_key {
    uint8_t alg; /* enum key_alg */
    uint16_t len;
    uint8_t octets[LIMIT_KEY_OCTETS]; /* zero beyond len */
};

struct private_key; /* free with private_key_free(), which wipes it */

enum { SIGNATURE_MAX = 1024, SPKI_MAX = LIMIT_KEY_OCTETS + 64 };

/* "RSA-2048 1a2b3c4d", "ECDSA-P256 1a2b3c4d": algorithm and the first octets of the SHA-256. */
#define PUBLIC_KEY_TEXT_MAX 40
char *public_key_format(const struct public_key *key, char *ret);
bool public_key_equal(const struct public_key *a, const struct public_key *b);
unsigned public_key_bits(const struct public_key *key);
/* ERR_VALUE unless it is RFC 3110 form, an RSA modulus of 1024 to 8192 bits, an odd exponent > 1.
 */
MUST_USE enum err public_key_from_rfc3110(struct view octets, struct public_key *ret);
/* Any algorithm by its octets as above. ERR_VALUE: the length or the point is wrong. */
MUST_USE enum err public_key_from_octets(enum key_alg alg, struct view octets,
                                         struct public_key *ret);
/* SubjectPublicKeyInfo in DER (RFC 5280 section 4.1.2.7). ERR_UNSUPPORTED: an algorithm or curve
 * that is none of ours. */
MUST_USE enum err public_key_from_spki(struct view der, struct public_key *ret);
/* ret holds SPKI_MAX octets. */
MUST_USE enum err public_key_to_spki(const struct public_key *key, uint8_t *ret, size_t *ret_len);
/* ERR_AUTH: the signature is not by this key over `message`, or not of that scheme. */
MUST_USE enum err public_key_verify(const struct public_key *key, enum signature_scheme scheme,
                                    struct view message, struct view signature);
/* The same with SIGNATURE_IKE1_RSA or SIGNATURE_IKE1_ECDSA, as fits the key. */
MUST_USE enum err public_key_verify_ike1(const struct public_key *key, struct view hash,
                                         struct view signature);

/* RSA. bits: 2048 to 8192. */
MUST_USE enum err private_key_generate(unsigned bits, struct private_key **ret);
/* Of any algorithm; bits are for RSA only. */
MUST_USE enum err private_key_generate_alg(enum key_alg alg, unsigned bits,
                                           struct private_key **ret);
MUST_USE enum err private_key_from_pem(struct view pem, struct private_key **ret);
/* PKCS #8 PEM, zero-terminated, to be wiped and freed by the caller. */
MUST_USE enum err private_key_to_pem(const struct private_key *key, char **ret_pem);
void private_key_free(struct private_key *key);
void private_key_public(const struct private_key *key, struct public_key *ret);
/* ret holds SIGNATURE_MAX octets. ERR_VALUE: the scheme is not one of this key. */
MUST_USE enum err private_key_sign(const struct private_key *key, enum signature_scheme scheme,
                                   struct view message, uint8_t *ret, size_t *ret_len);
/* Octets of an IKEv1 signature. */
size_t private_key_signature_len(const struct private_key *key);
/* ret holds private_key_signature_len() octets. */
MUST_USE enum err private_key_sign_ike1(const struct private_key *key, struct view hash,
                                        uint8_t *ret);

#endif
