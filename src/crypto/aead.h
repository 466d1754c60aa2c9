/*
 * What protects an IKEv2 message or anything sealed the same way: a combined-mode cipher (RFC 5282,
 * RFC 7634), or CBC with an HMAC over everything in front of and in the ciphertext (RFC 7296
 * section 3.14). One door for both, so that callers only ask for lengths. Pure computation; keys
 * are the caller's to wipe.
 */
#ifndef CYGNET_CRYPTO_AEAD_H
#define CYGNET_CRYPTO_AEAD_H

#include "base/err.h"

enum aead_cipher {
    AEAD_NONE,
    AEAD_AES_GCM_16,
    AEAD_AES_GCM_12,
    AEAD_AES_GCM_8,
    AEAD_AES_CCM_16,
    AEAD_AES_CCM_12,
    AEAD_AES_CCM_8,
    AEAD_CHACHA20_POLY1305,
    AEAD_AES_CBC,  /* with an integrity algorithm */
    AEAD_3DES_CBC, /* the same */
    AEAD_CIPHER_COUNT
};

enum integ_alg {
    INTEG_NONE, /* only with combined-mode ciphers */
    INTEG_HMAC_SHA1_96,
    INTEG_HMAC_SHA2_256_128,
    INTEG_HMAC_SHA2_384_192,
    INTEG_HMAC_SHA2_512_256,
    INTEG_HMAC_MD5_96,
    INTEG_COUNT
};

struct aead_suite {
    uint8_t cipher;    /* enum aead_cipher */
    uint8_t integ;     /* enum integ_alg */
    uint16_t key_bits; /* 128, 192, 256 for AES; 256 for ChaCha20; 192 for 3DES */
};

enum { AEAD_KEY_MAX = 36, AEAD_INTEG_KEY_MAX = 64, AEAD_IV_MAX = 16, AEAD_ICV_MAX = 32 };

struct aead_keys {
    struct view cipher; /* aead_key_len(), the salt last */
    struct view integ;  /* aead_integ_key_len() */
};

bool aead_valid(const struct aead_suite *suite);
/* Without CBC: needs no integrity algorithm. */
bool aead_is_combined(enum aead_cipher cipher);
size_t aead_key_len(const struct aead_suite *suite);       /* SK_e, with its salt */
size_t aead_integ_key_len(const struct aead_suite *suite); /* SK_a */
size_t aead_iv_len(const struct aead_suite *suite);        /* as sent */
size_t aead_icv_len(const struct aead_suite *suite);
size_t aead_block_len(const struct aead_suite *suite); /* text is a multiple of it; 1: any length */
/* A CBC IV must be unpredictable; the others must never repeat under one key: use a counter. */
bool aead_iv_is_counter(const struct aead_suite *suite);
/* "AES-GCM-256", "AES-CBC-128 HMAC-SHA2-256-128" */
#define AEAD_TEXT_MAX 48
char *aead_format(const struct aead_suite *suite, char *ret);

/* Encrypts in place. iv holds aead_iv_len() octets, ret_icv aead_icv_len(). */
MUST_USE enum err aead_seal(const struct aead_suite *suite, const struct aead_keys *keys,
                            struct view aad, const uint8_t *iv, struct span text, uint8_t *ret_icv);
/* Decrypts in place. ERR_DECRYPT: forged or damaged; then the text is as it was. */
MUST_USE enum err aead_open(const struct aead_suite *suite, const struct aead_keys *keys,
                            struct view aad, const uint8_t *iv, struct span text,
                            const uint8_t *icv);

#endif
