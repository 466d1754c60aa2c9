#include "crypto/encryption.h"

#include "base/secret.h"
#include "crypto/hash.h"
#include "crypto/key_pkey.h"

enum { PKCS1_OVERHEAD = 11 };

size_t public_key_cipher_len(const struct public_key *key)
{
    return key->alg == KEY_RSA ? (public_key_bits(key) + 7) / 8 : 0;
}

static EVP_PKEY_CTX *context(EVP_PKEY *pkey, int (*init)(EVP_PKEY_CTX *ctx))
{
    EVP_PKEY_CTX *ctx = pkey != NULL ? EVP_PKEY_CTX_new_from_pkey(NULL, pkey, NULL) : NULL;
    if (ctx != NULL &&
        (init(ctx) != 1 || EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PADDING) != 1)) {
        EVP_PKEY_CTX_free(ctx);
        ctx = NULL;
    }
    return ctx;
}

enum err public_key_encrypt(const struct public_key *key, struct view text, uint8_t *ret,
                            size_t *ret_len)
{
    size_t len = public_key_cipher_len(key);
    uint8_t made[ENCRYPTION_MAX];
    if (len == 0 || text.len == 0 || text.len + PKCS1_OVERHEAD > len)
        return ERR_VALUE;
    EVP_PKEY *pkey = public_key_to_pkey(key);
    EVP_PKEY_CTX *ctx = context(pkey, EVP_PKEY_encrypt_init);
    size_t made_len = sizeof(made);
    bool good = ctx != NULL && EVP_PKEY_encrypt(ctx, made, &made_len, text.ptr, text.len) == 1;
    EVP_PKEY_CTX_free(ctx);
    EVP_PKEY_free(pkey);
    if (!good) {
        ERR_clear_error();
        return ERR_CRYPTO;
    }
    memcpy(ret, made, made_len);
    *ret_len = made_len;
    return ERR_OK;
}

/* HMAC of the cipher text under a hash of the private key. */
static enum err make_up(const struct private_key *key, struct view cipher, uint8_t *ret)
{
    uint8_t *der = NULL, secret[HASH_MAX];
    int len = i2d_PrivateKey(key->pkey, &der);
    if (len <= 0)
        return ERR_CRYPTO;
    struct view whole = view_of(der, (size_t)len);
    enum err err = hash_digest(HASH_SHA2_256, &whole, 1, secret);
    if (err == ERR_OK)
        err = hmac_digest(HASH_SHA2_256, view_of(secret, hash_len(HASH_SHA2_256)), &cipher, 1, ret);
    OPENSSL_clear_free(der, (size_t)len);
    secret_wipe(secret, sizeof(secret));
    return err;
}

/* `real` if the mask is all ones, `other` if it is zero; which of them takes no time to tell. */
static void choose(size_t mask, const uint8_t *real, size_t real_len, const uint8_t *other,
                   size_t other_len, uint8_t *ret, size_t *ret_len)
{
    const uint8_t octet = (uint8_t)mask;
    for (size_t i = 0; i < ENCRYPTION_MAX; i++)
        ret[i] = (uint8_t)((real[i] & octet) | (other[i] & (uint8_t)~octet));
    *ret_len = (real_len & mask) | (other_len & ~mask);
}

enum err private_key_decrypt(const struct private_key *key, struct view cipher, uint8_t *ret,
                             size_t *ret_len)
{
    size_t len = public_key_cipher_len(&key->public_key);
    uint8_t real[ENCRYPTION_MAX] = {0}, other[ENCRYPTION_MAX] = {0};
    if (len == 0 || cipher.len != len)
        return ERR_VALUE;
    enum err err = make_up(key, cipher, other);
    EVP_PKEY_CTX *ctx = err == ERR_OK ? context(key->pkey, EVP_PKEY_decrypt_init) : NULL;
    if (ctx != NULL) {
        size_t real_len = sizeof(real);
        int good = EVP_PKEY_decrypt(ctx, real, &real_len, cipher.ptr, cipher.len);
        choose((size_t)0 - (size_t)(good == 1), real, real_len,
               other, ENCRYPTION_MADE_UP, ret, ret_len);
    } else if (err == ERR_OK) {
        err = ERR_CRYPTO;
    }
    EVP_PKEY_CTX_free(ctx);
    ERR_clear_error();
    secret_wipe(real, sizeof(real));
    secret_wipe(other, sizeof(other));
    return err;
}

enum err private_key_decrypt_each(const struct private_key *key, struct view ciphers,
                                  struct builder *ret)
{
    size_t len = public_key_cipher_len(&key->public_key), text_len = 0;
    uint8_t text[ENCRYPTION_MAX];
    enum err err = ERR_OK;
    if (len == 0 || ciphers.len == 0 || ciphers.len % len != 0 ||
        ciphers.len > ENCRYPTION_TEXTS * len)
        return ERR_VALUE;
    for (size_t at = 0; at < ciphers.len && err == ERR_OK; at += len) {
        err = private_key_decrypt(key, view_of(ciphers.ptr + at, len), text, &text_len);
        if (err == ERR_OK) {
            builder_u16(ret, (uint16_t)text_len);
            builder_bytes(ret, text, text_len);
        }
    }
    secret_wipe(text, sizeof(text));
    return err == ERR_OK && ret->bad ? ERR_ROOM : err;
}
