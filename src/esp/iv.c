#include "crypto/library.h"

#include "esp/state.h"

#include "base/secret.h"
#include "crypto/hash.h"

#include <stdlib.h>

/*
 * CBC needs IVs that nobody can foresee (RFC 3602 section 3). They are sequence numbers encrypted
 * with AES under a key of their own, made from the SA's keys with HMAC: unique, and random to
 * anyone without those keys (NIST SP 800-38A appendix C, first method).
 */
struct esp_ivs {
    EVP_CIPHER_CTX *aes;
};

enum { IV_KEY_LEN = 16, IV_BLOCK = 16 };

static enum err iv_key(const struct sa_params *params, uint8_t *ret)
{
    struct view parts[] = {
        view_of_text("cygnet esp iv"),
        view_of(params->auth_key, params->auth_key_len),
    };
    uint8_t digest[HASH_MAX];
    enum err err = hmac_digest(HASH_SHA2_256, view_of(params->cipher_key, params->cipher_key_len),
                               parts, 2, digest);
    if (err == ERR_OK)
        memcpy(ret, digest, IV_KEY_LEN);
    secret_wipe(digest, sizeof(digest));
    return err;
}

static bool iv_cipher_start(EVP_CIPHER_CTX *ctx, const uint8_t *key)
{
    EVP_CIPHER *cipher = EVP_CIPHER_fetch(NULL, "AES-128-ECB", NULL);
    bool good = cipher != NULL && EVP_EncryptInit_ex2(ctx, cipher, key, NULL, NULL) == 1 &&
                EVP_CIPHER_CTX_set_padding(ctx, 0) == 1;
    EVP_CIPHER_free(cipher);
    return good;
}

enum err esp_ivs_new(const struct sa_params *params, struct esp_ivs **ret)
{
    uint8_t key[IV_KEY_LEN];
    struct esp_ivs *ivs = calloc(1, sizeof(*ivs));
    if (ivs == NULL)
        return ERR_MEMORY;
    ivs->aes = EVP_CIPHER_CTX_new();
    enum err err = ivs->aes != NULL ? iv_key(params, key) : ERR_MEMORY;
    if (err == ERR_OK && !iv_cipher_start(ivs->aes, key))
        err = ERR_CRYPTO;
    secret_wipe(key, sizeof(key));
    if (err != ERR_OK) {
        ERR_clear_error();
        esp_ivs_free(ivs);
        return err;
    }
    *ret = ivs;
    return ERR_OK;
}

void esp_ivs_free(struct esp_ivs *ivs)
{
    if (ivs == NULL)
        return;
    EVP_CIPHER_CTX_free(ivs->aes); /* wipes the key schedule */
    free(ivs);
}

bool esp_ivs_fill(struct esp_ivs *ivs, uint64_t sequence, uint8_t (*ret)[ESP_IV_MAX], size_t count)
{
    _Static_assert(sizeof(ret[0]) == IV_BLOCK, "one block a packet, encrypted in one call");
    int len = 0;
    for (size_t i = 0; i < count; i++) {
        memset(ret[i], 0, IV_BLOCK);
        esp_store64(ret[i] + 8, sequence + i);
    }
    return EVP_EncryptUpdate(ivs->aes, ret[0], &len, ret[0], (int)(count * IV_BLOCK)) == 1;
}
