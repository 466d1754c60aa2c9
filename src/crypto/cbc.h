/*
 * The block ciphers that protect IKEv1 messages, in CBC mode without padding. In place; `text` is a
 * whole number of blocks. After the call `iv` holds the last cipher-text block, which RFC 2409
 * appendix B uses as the next IV.
 */
#ifndef CYGNET_CRYPTO_CBC_H
#define CYGNET_CRYPTO_CBC_H

#include "base/err.h"

enum cbc_alg { CBC_3DES, CBC_AES };

#define CBC_BLOCK_MAX 16
#define CBC_KEY_MAX 32

size_t cbc_block_len(enum cbc_alg alg);
MUST_USE enum err cbc_encrypt(enum cbc_alg alg, struct view key, uint8_t *iv, struct span text);
MUST_USE enum err cbc_decrypt(enum cbc_alg alg, struct view key, uint8_t *iv, struct span text);

#endif
