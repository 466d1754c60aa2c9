/*
 * Keys in libcrypto's form, for the files of this room that compute with them.
 */
#ifndef CYGNET_CRYPTO_KEY_PKEY_H
#define CYGNET_CRYPTO_KEY_PKEY_H

#include "crypto/library.h"

#include "crypto/key.h"

enum { KEY_BITS_MIN = 1024, KEY_BITS_NEW = 2048, KEY_BITS_MAX = 8192 };

struct private_key {
    EVP_PKEY *pkey;
    struct public_key public_key;
};

/* Octets of one coordinate, or of an EdDSA key; 0 for others. */
size_t key_alg_len(enum key_alg alg);
/* To be freed with EVP_PKEY_free(); NULL: not a key, or out of memory. */
EVP_PKEY *public_key_to_pkey(const struct public_key *key);
/* ERR_UNSUPPORTED: none of our algorithms. ERR_VALUE: one we don't accept. */
enum err public_key_of_pkey(const EVP_PKEY *pkey, struct public_key *ret);

#endif
