#include "crypto/library.h"

#include "esp/backend.h"

#include "base/secret.h"

#include <stdlib.h>

/* The contexts keep their keys; each packet sets only an IV. */
struct esp_key {
    EVP_CIPHER_CTX *cipher; /* NULL for AH */
    EVP_MAC_CTX *mac; /* NULL for combined modes */
    size_t icv_len;
};

static const char *cipher_name(const struct esp_suite *suite)
{
    bool gcm = suite->cipher != ESP_CIPHER_AES_CBC;
    if (suite->cipher == ESP_CIPHER_3DES_CBC)
        return "DES-EDE3-CBC";
    if (suite->cipher == ESP_CIPHER_CHACHA20_POLY1305)
        return "ChaCha20-Poly1305";
    switch (suite->key_bits) {
    case 128:
        return gcm ? "AES-128-GCM" : "AES-128-CBC";
    case 192:
        return gcm ? "AES-192-GCM" : "AES-192-CBC";
    default:
        return gcm ? "AES-256-GCM" : "AES-256-CBC";
    }
}

static const char *digest_name(const struct esp_suite *suite)
{
    switch (suite->auth) {
    case ESP_AUTH_HMAC_SHA2_256_128:
        return "SHA256";
    case ESP_AUTH_HMAC_SHA2_384_192:
        return "SHA384";
    case ESP_AUTH_HMAC_SHA2_512_256:
        return "SHA512";
    case ESP_AUTH_HMAC_SHA1_96:
        return "SHA1";
    default:
        return "MD5";
    }
}

static EVP_CIPHER_CTX *cipher_new(const struct sa_params *params)
{
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    EVP_CIPHER *cipher = EVP_CIPHER_fetch(NULL, cipher_name(&params->suite), NULL);
    bool good =
        ctx != NULL && cipher != NULL &&
        EVP_CipherInit_ex2(ctx, cipher, params->cipher_key, NULL, !params->inbound, NULL) == 1 &&
        EVP_CIPHER_CTX_set_padding(ctx, 0) == 1;
    EVP_CIPHER_free(cipher);
    if (good)
        return ctx;
    EVP_CIPHER_CTX_free(ctx);
    return NULL;
}

static EVP_MAC_CTX *mac_new(const struct sa_params *params)
{
    OSSL_PARAM digest[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, (char *)digest_name(&params->suite),
                                         0),
        OSSL_PARAM_construct_end(),
    };
    EVP_MAC *mac = EVP_MAC_fetch(NULL, "HMAC", NULL);
    EVP_MAC_CTX *ctx = mac != NULL ? EVP_MAC_CTX_new(mac) : NULL;
    EVP_MAC_free(mac);
    if (ctx != NULL && EVP_MAC_init(ctx, params->auth_key, params->auth_key_len, digest) != 1) {
        EVP_MAC_CTX_free(ctx);
        ctx = NULL;
    }
    return ctx;
}

static void key_free(struct esp_key *key)
{
    EVP_CIPHER_CTX_free(key->cipher); /* both wipe what they hold */
    EVP_MAC_CTX_free(key->mac);
    free(key);
}

static enum err key_new(const struct sa_params *params, struct esp_key **ret)
{
    struct esp_key *key = calloc(1, sizeof(*key));
    if (key == NULL)
        return ERR_MEMORY;
    bool combined = esp_suite_combined(&params->suite), ah = params->suite.protocol == SA_AH;
    key->icv_len = esp_suite_icv_len(&params->suite);
    key->cipher = ah ? NULL : cipher_new(params);
    key->mac = combined ? NULL : mac_new(params);
    if ((!ah && key->cipher == NULL) || (!combined && key->mac == NULL)) {
        ERR_clear_error();
        key_free(key);
        return ERR_CRYPTO;
    }
    *ret = key;
    return ERR_OK;
}

static bool aead_text(EVP_CIPHER_CTX *ctx, struct esp_op *op)
{
    int len = 0;
    uint8_t *text = op->packet + op->text_at;
    return EVP_CipherInit_ex2(ctx, NULL, NULL, op->iv, -1, NULL) == 1 &&
           EVP_CipherUpdate(ctx, NULL, &len, op->aad, op->aad_len) == 1 &&
           EVP_CipherUpdate(ctx, text, &len, text, (int)op->text_len) == 1;
}

static bool aead_seal(struct esp_key *key, struct esp_op *op)
{
    int len = 0;
    uint8_t nothing[ESP_IV_MAX];
    return aead_text(key->cipher, op) && EVP_CipherFinal_ex(key->cipher, nothing, &len) == 1 &&
           EVP_CIPHER_CTX_ctrl(key->cipher, EVP_CTRL_AEAD_GET_TAG, (int)key->icv_len, op->icv) == 1;
}

static bool aead_open(struct esp_key *key, struct esp_op *op)
{
    int len = 0;
    uint8_t nothing[ESP_IV_MAX];
    return aead_text(key->cipher, op) &&
           EVP_CIPHER_CTX_ctrl(key->cipher, EVP_CTRL_AEAD_SET_TAG, (int)key->icv_len, op->icv) ==
               1 &&
           EVP_CipherFinal_ex(key->cipher, nothing, &len) == 1;
}

static bool cbc_text(EVP_CIPHER_CTX *ctx, struct esp_op *op)
{
    int len = 0;
    if (ctx == NULL) /* AH */
        return true;
    uint8_t *text = op->packet + op->text_at;
    return EVP_CipherInit_ex2(ctx, NULL, NULL, op->iv, -1, NULL) == 1 &&
           EVP_CipherUpdate(ctx, text, &len, text, (int)op->text_len) == 1;
}

/* ret holds 64 octets, of which the first icv_len are sent. */
static bool hmac_packet(EVP_MAC_CTX *ctx, const struct esp_op *op, uint8_t *ret)
{
    size_t len = 0;
    return EVP_MAC_init(ctx, NULL, 0, NULL) == 1 &&
           EVP_MAC_update(ctx, op->packet, op->hash_len) == 1 &&
           EVP_MAC_final(ctx, ret, &len, EVP_MAX_MD_SIZE) == 1;
}

static bool cbc_seal(struct esp_key *key, struct esp_op *op)
{
    uint8_t digest[EVP_MAX_MD_SIZE];
    if (!cbc_text(key->cipher, op) || !hmac_packet(key->mac, op, digest))
        return false;
    memcpy(op->icv, digest, key->icv_len);
    return true;
}

static bool cbc_open(struct esp_key *key, struct esp_op *op)
{
    uint8_t digest[EVP_MAX_MD_SIZE];
    return hmac_packet(key->mac, op, digest) && esp_icv_equal(op->icv, digest, key->icv_len) &&
           cbc_text(key->cipher, op);
}

static void run_all(struct esp_key *key, struct esp_op *ops, size_t count,
                    bool (*run)(struct esp_key *key, struct esp_op *op))
{
    bool all_good = true;
    for (size_t i = 0; i < count; i++) {
        ops[i].good = run(key, &ops[i]);
        all_good &= ops[i].good;
    }
    if (!all_good)
        ERR_clear_error();
}

static void seal(struct esp_key *key, struct esp_op *ops, size_t count)
{
    run_all(key, ops, count, key->mac == NULL ? aead_seal : cbc_seal);
}

static void open_ops(struct esp_key *key, struct esp_op *ops, size_t count)
{
    run_all(key, ops, count, key->mac == NULL ? aead_open : cbc_open);
}

const struct esp_backend esp_backend_libcrypto = {
    .name = "libcrypto",
    .key_new = key_new,
    .key_free = key_free,
    .seal = seal,
    .open = open_ops,
};
