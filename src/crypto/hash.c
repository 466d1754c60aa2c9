#include "crypto/library.h"

#include "crypto/hash.h"

#include "base/secret.h"

#include <pthread.h>

static const struct {
    const char *name;
    const char *library_name;
    size_t len;
} hash_table[HASH_COUNT] = {
    [HASH_MD5] = {"MD5", "MD5", 16},
    [HASH_SHA1] = {"SHA1", "SHA1", 20},
    [HASH_SHA2_256] = {"SHA2-256", "SHA256", 32},
    [HASH_SHA2_384] = {"SHA2-384", "SHA384", 48},
    [HASH_SHA2_512] = {"SHA2-512", "SHA512", 64},
};

/*
 * Looking an algorithm up by name takes longer than hashing an IKE message, so it is done once.
 * These live as long as the process and are only read, or copied, after the first call.
 * NULL: the library refused that one.
 */
static struct {
    EVP_MD *digest[HASH_COUNT];
    EVP_MAC_CTX *hmac[HASH_COUNT]; /* without a key */
} hash_cache;
static pthread_once_t hash_once = PTHREAD_ONCE_INIT;

static EVP_MAC_CTX *hmac_template(EVP_MAC *mac, const char *digest)
{
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, (char *)digest, 0),
        OSSL_PARAM_construct_end(),
    };
    EVP_MAC_CTX *ctx = EVP_MAC_CTX_new(mac);
    if (ctx != NULL && EVP_MAC_CTX_set_params(ctx, params) != 1) {
        EVP_MAC_CTX_free(ctx);
        return NULL;
    }
    return ctx;
}

static void hash_fetch_all(void)
{
    EVP_MAC *mac = EVP_MAC_fetch(NULL, "HMAC", NULL);
    for (size_t i = 0; i < HASH_COUNT; i++) {
        hash_cache.digest[i] = EVP_MD_fetch(NULL, hash_table[i].library_name, NULL);
        if (mac != NULL && hash_cache.digest[i] != NULL)
            hash_cache.hmac[i] = hmac_template(mac, hash_table[i].library_name);
    }
    EVP_MAC_free(mac);
    ERR_clear_error();
}

static bool hash_ready(enum hash_alg alg)
{
    pthread_once(&hash_once, hash_fetch_all);
    return (unsigned)alg < HASH_COUNT && hash_cache.digest[alg] != NULL;
}

size_t hash_len(enum hash_alg alg)
{
    return (unsigned)alg < HASH_COUNT ? hash_table[alg].len : 0;
}

const char *hash_name(enum hash_alg alg)
{
    return (unsigned)alg < HASH_COUNT ? hash_table[alg].name : "unknown hash";
}

static bool digest_parts(EVP_MD_CTX *ctx, const EVP_MD *md, const struct view *parts, size_t count,
                         uint8_t *ret)
{
    if (EVP_DigestInit_ex2(ctx, md, NULL) != 1)
        return false;
    for (size_t i = 0; i < count; i++)
        if (EVP_DigestUpdate(ctx, parts[i].ptr, parts[i].len) != 1)
            return false;
    return EVP_DigestFinal_ex(ctx, ret, NULL) == 1;
}

enum err hash_digest(enum hash_alg alg, const struct view *parts, size_t count, uint8_t *ret)
{
    if (!hash_ready(alg))
        return ERR_CRYPTO;
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    if (ctx == NULL)
        return ERR_MEMORY;
    uint8_t digest[HASH_MAX];
    enum err err = ERR_CRYPTO;
    if (digest_parts(ctx, hash_cache.digest[alg], parts, count, digest)) {
        memcpy(ret, digest, hash_len(alg));
        err = ERR_OK;
    }
    EVP_MD_CTX_free(ctx); /* wipes its state */
    secret_wipe(digest, sizeof(digest));
    return err;
}

static bool hmac_parts(EVP_MAC_CTX *ctx, struct view key, const struct view *parts, size_t count,
                       uint8_t *ret, size_t *ret_len)
{
    /* A NULL key would mean "keep the one you have". */
    const uint8_t *key_ptr = key.ptr != NULL ? key.ptr : (const uint8_t *)"";
    if (EVP_MAC_init(ctx, key_ptr, key.len, NULL) != 1)
        return false;
    for (size_t i = 0; i < count; i++)
        if (EVP_MAC_update(ctx, parts[i].ptr, parts[i].len) != 1)
            return false;
    return EVP_MAC_final(ctx, ret, ret_len, HASH_MAX) == 1;
}

enum err hmac_digest(enum hash_alg alg, struct view key, const struct view *parts, size_t count,
                     uint8_t *ret)
{
    if (!hash_ready(alg) || hash_cache.hmac[alg] == NULL)
        return ERR_CRYPTO;
    EVP_MAC_CTX *ctx = EVP_MAC_CTX_dup(hash_cache.hmac[alg]);
    if (ctx == NULL)
        return ERR_MEMORY;
    uint8_t digest[HASH_MAX];
    size_t len = 0;
    enum err err = ERR_CRYPTO;
    if (hmac_parts(ctx, key, parts, count, digest, &len) && len == hash_len(alg)) {
        memcpy(ret, digest, len);
        err = ERR_OK;
    }
    EVP_MAC_CTX_free(ctx); /* wipes its state */
    secret_wipe(digest, sizeof(digest));
    return err;
}
