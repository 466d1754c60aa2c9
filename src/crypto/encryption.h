/*
 * RSA encryption as IKEv1 wants it (RFC 2409 section 5.2): PKCS #1 v1.5, whose padding can be used to read
 * other texts of the same key, if anything tells whether it was right (Bleichenbacher 1998). So a wrong
 * padding is no error: the answer is then a text made of the key and the cipher text, always the same for
 * the same two, and chosen in constant time. Whoever uses a text finds out later that nobody knows it.
 */
#ifndef CYGNET_CRYPTO_ENCRYPTION_H
#define CYGNET_CRYPTO_ENCRYPTION_H

#include "base/builder.h"
#include "crypto/key.h"

enum { ENCRYPTION_MAX = SIGNATURE_MAX, ENCRYPTION_MADE_UP = 32, ENCRYPTION_TEXTS = 2 };

/* Octets of a cipher text; 0: not a key that encrypts. */
size_t public_key_cipher_len(const struct public_key *key);
/* ret holds ENCRYPTION_MAX octets. ERR_VALUE: not RSA, or the text is too long for the key. */
MUST_USE enum err public_key_encrypt(const struct public_key *key, struct view text, uint8_t *ret,
                                     size_t *ret_len);
/* The same; ERR_VALUE: not RSA, or not a cipher text's length. */
MUST_USE enum err private_key_decrypt(const struct private_key *key, struct view cipher, uint8_t *ret,
                                      size_t *ret_len);
/* Several cipher texts, one after another, at most ENCRYPTION_TEXTS; what they hold goes to `ret`, each
 * after its length in two octets. */
MUST_USE enum err private_key_decrypt_each(const struct private_key *key, struct view ciphers,
                                           struct builder *ret);

#endif
