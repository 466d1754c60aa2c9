#include "crypto/library.h"

#include "crypto/kex.h"

#include "base/secret.h"
#include "crypto/dh.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

enum kex_kind { KIND_GROUP, KIND_CURVE, KIND_KEM };

/* What dh.h does is not listed: it is asked. */
static const struct kex_row {
    uint16_t method;
    uint8_t kind;
    const char *name;
    const char *library_name;
    size_t request_len;
    size_t reply_len;
    size_t secret_len;
} kex_rows[] = {
    {31, KIND_CURVE, "curve25519", "X25519", 32, 32, 32},        /* RFC 8031 */
    {32, KIND_CURVE, "curve448", "X448", 56, 56, 56},            /* RFC 8031 */
    {35, KIND_KEM, "ml-kem-512", "ML-KEM-512", 800, 768, 32},    /* FIPS 203 table 3 */
    {36, KIND_KEM, "ml-kem-768", "ML-KEM-768", 1184, 1088, 32},  /* FIPS 203 table 3 */
    {37, KIND_KEM, "ml-kem-1024", "ML-KEM-1024", 1568, 1568, 32} /* FIPS 203 table 3 */
};

enum {
    ROW_COUNT = sizeof(kex_rows) / sizeof(kex_rows[0]),
    CURVE_KEY_MAX = 56,
    KEM_SEED_LEN = 64,  /* d and z, FIPS 203 section 7.1 */
    KEM_COINS_LEN = 32, /* m, FIPS 203 section 7.2 */
    KEM_SECRET_LEN = 32,
};

/* Asked once: libcrypto has ML-KEM from 3.5 on, and a provider may refuse any of them. */
static bool kex_available[ROW_COUNT];
static pthread_once_t kex_once = PTHREAD_ONCE_INIT;

struct kex {
    atomic_uint owners;
    uint16_t method;
    struct dh *dh;  /* a group of dh.h */
    EVP_PKEY *pkey; /* the others */
    uint8_t request[KEX_VALUE_MAX];
    size_t request_len;
};

static void kex_probe_all(void)
{
    for (size_t i = 0; i < ROW_COUNT; i++) {
        EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, kex_rows[i].library_name, NULL);
        kex_available[i] = ctx != NULL && EVP_PKEY_keygen_init(ctx) == 1;
        EVP_PKEY_CTX_free(ctx);
    }
    ERR_clear_error();
}

static const struct kex_row *kex_row(uint16_t method)
{
    for (size_t i = 0; i < ROW_COUNT; i++)
        if (kex_rows[i].method == method)
            return &kex_rows[i];
    return NULL;
}

bool kex_method_known(uint16_t method)
{
    const struct kex_row *row = kex_row(method);
    if (row == NULL)
        return dh_group_known(method);
    pthread_once(&kex_once, kex_probe_all);
    return kex_available[row - kex_rows];
}

const char *kex_method_name(uint16_t method)
{
    const struct kex_row *row = kex_row(method);
    if (method == 0)
        return "none";
    return row != NULL ? row->name : dh_group_name(method);
}

bool kex_method_is_kem(uint16_t method)
{
    const struct kex_row *row = kex_row(method);
    return row != NULL && row->kind == KIND_KEM;
}

size_t kex_request_len(uint16_t method)
{
    const struct kex_row *row = kex_row(method);
    return row != NULL ? row->request_len : dh_public_len(method);
}

size_t kex_reply_len(uint16_t method)
{
    const struct kex_row *row = kex_row(method);
    return row != NULL ? row->reply_len : dh_public_len(method);
}

size_t kex_secret_len(uint16_t method)
{
    const struct kex_row *row = kex_row(method);
    return row != NULL ? row->secret_len : dh_secret_len(method);
}

uint16_t kex_method(const struct kex *kex)
{
    return kex->method;
}

struct view kex_request(const struct kex *kex)
{
    return view_of(kex->request, kex->request_len);
}

void kex_free(struct kex *kex)
{
    if (kex == NULL || atomic_fetch_sub(&kex->owners, 1) != 1)
        return;
    dh_free(kex->dh);
    EVP_PKEY_free(kex->pkey); /* wipes its key */
    free(kex);
}

struct kex *kex_hold(struct kex *kex)
{
    atomic_fetch_add(&kex->owners, 1);
    return kex;
}

static enum err curve_new(const struct kex_row *row, const struct rng *rng, EVP_PKEY **ret)
{
    uint8_t octets[CURVE_KEY_MAX];
    rng_fill(rng, octets, row->request_len);
    *ret = EVP_PKEY_new_raw_private_key_ex(NULL, row->library_name, NULL, octets, row->request_len);
    secret_wipe(octets, sizeof(octets));
    return *ret != NULL ? ERR_OK : ERR_CRYPTO;
}

/* From our own randomness, so that a simulated run can be replayed. */
static enum err kem_new(const struct kex_row *row, const struct rng *rng, EVP_PKEY **ret)
{
    uint8_t seed[KEM_SEED_LEN];
    rng_fill(rng, seed, sizeof(seed));
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_octet_string("seed", seed, sizeof(seed)),
        OSSL_PARAM_construct_end(),
    };
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, row->library_name, NULL);
    EVP_PKEY *pkey = NULL;
    bool good = ctx != NULL && EVP_PKEY_keygen_init(ctx) == 1 &&
                EVP_PKEY_CTX_set_params(ctx, params) == 1 && EVP_PKEY_generate(ctx, &pkey) == 1;
    EVP_PKEY_CTX_free(ctx);
    secret_wipe(seed, sizeof(seed));
    *ret = pkey;
    return good ? ERR_OK : ERR_CRYPTO;
}

static enum err group_new(struct kex *kex, const struct rng *rng)
{
    enum err err = dh_new(kex->method, rng, &kex->dh);
    if (err != ERR_OK)
        return err;
    struct view value = dh_public(kex->dh);
    memcpy(kex->request, value.ptr, value.len);
    kex->request_len = value.len;
    return ERR_OK;
}

static enum err pkey_new(struct kex *kex, const struct kex_row *row, const struct rng *rng)
{
    enum err err =
        row->kind == KIND_KEM ? kem_new(row, rng, &kex->pkey) : curve_new(row, rng, &kex->pkey);
    if (err != ERR_OK)
        return err;
    kex->request_len = sizeof(kex->request);
    if (EVP_PKEY_get_raw_public_key(kex->pkey, kex->request, &kex->request_len) != 1 ||
        kex->request_len != row->request_len)
        return ERR_CRYPTO;
    return ERR_OK;
}

enum err kex_new(uint16_t method, const struct rng *rng, struct kex **ret)
{
    const struct kex_row *row = kex_row(method);
    if (!kex_method_known(method))
        return ERR_UNSUPPORTED;
    struct kex *kex = calloc(1, sizeof(*kex));
    if (kex == NULL)
        return ERR_MEMORY;
    atomic_init(&kex->owners, 1);
    kex->method = method;
    enum err err = row == NULL ? group_new(kex, rng) : pkey_new(kex, row, rng);
    if (err != ERR_OK) {
        ERR_clear_error();
        kex_free(kex);
        return err;
    }
    *ret = kex;
    return ERR_OK;
}

static bool all_zero(const uint8_t *octets, size_t len)
{
    uint8_t any = 0;
    for (size_t i = 0; i < len; i++)
        any |= octets[i];
    return any == 0;
}

/* A point of small order gives zeros, which RFC 7748 section 6 lets one refuse; a key that anybody
 * knows is of no use. libcrypto refuses by itself; it is checked again because it matters. */
static enum err curve_shared(const struct kex_row *row, EVP_PKEY *own, struct view peer_value,
                             uint8_t *ret_secret)
{
    uint8_t secret[CURVE_KEY_MAX];
    size_t len = row->secret_len;
    EVP_PKEY *peer = EVP_PKEY_new_raw_public_key_ex(NULL, row->library_name, NULL, peer_value.ptr,
                                                    peer_value.len);
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(NULL, own, NULL);
    enum err err = ERR_CRYPTO;
    if (peer != NULL && ctx != NULL && EVP_PKEY_derive_init(ctx) == 1) {
        err = ERR_VALUE;
        if (EVP_PKEY_derive_set_peer(ctx, peer) == 1 && EVP_PKEY_derive(ctx, secret, &len) == 1 &&
            len == row->secret_len && !all_zero(secret, len)) {
            memcpy(ret_secret, secret, len);
            err = ERR_OK;
        }
    }
    EVP_PKEY_CTX_free(ctx);
    EVP_PKEY_free(peer);
    secret_wipe(secret, sizeof(secret));
    return err;
}

/* A ciphertext that isn't for this key yields another secret instead of an error (FIPS 203 section
 * 6.3), and the exchange fails at its authentication. */
static enum err kem_open(const struct kex_row *row, EVP_PKEY *own, struct view reply,
                         uint8_t *ret_secret)
{
    uint8_t secret[KEM_SECRET_LEN];
    size_t len = sizeof(secret);
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(NULL, own, NULL);
    enum err err = ERR_CRYPTO;
    if (ctx != NULL && EVP_PKEY_decapsulate_init(ctx, NULL) == 1 &&
        EVP_PKEY_decapsulate(ctx, secret, &len, reply.ptr, reply.len) == 1 &&
        len == row->secret_len) {
        memcpy(ret_secret, secret, len);
        err = ERR_OK;
    }
    EVP_PKEY_CTX_free(ctx);
    secret_wipe(secret, sizeof(secret));
    return err;
}

enum err kex_finish(const struct kex *kex, struct view reply, uint8_t *ret_secret)
{
    const struct kex_row *row = kex_row(kex->method);
    if (reply.len != kex_reply_len(kex->method))
        return ERR_VALUE;
    if (row == NULL)
        return dh_shared(kex->dh, reply, ret_secret);
    enum err err = row->kind == KIND_KEM ? kem_open(row, kex->pkey, reply, ret_secret)
                                         : curve_shared(row, kex->pkey, reply, ret_secret);
    if (err != ERR_OK)
        ERR_clear_error();
    return err;
}

static bool kem_encapsulate(EVP_PKEY *peer, const struct rng *rng, uint8_t *ret_reply,
                            size_t *reply_len, uint8_t *ret_secret, size_t *secret_len)
{
    uint8_t coins[KEM_COINS_LEN];
    rng_fill(rng, coins, sizeof(coins));
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_octet_string("ikme", coins, sizeof(coins)),
        OSSL_PARAM_construct_end(),
    };
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(NULL, peer, NULL);
    bool good = ctx != NULL && EVP_PKEY_encapsulate_init(ctx, params) == 1 &&
                EVP_PKEY_encapsulate(ctx, ret_reply, reply_len, ret_secret, secret_len) == 1;
    EVP_PKEY_CTX_free(ctx);
    secret_wipe(coins, sizeof(coins));
    return good;
}

/* Making a key of the request is also its check (FIPS 203 section 7.2). */
static enum err kem_respond(const struct kex_row *row, const struct rng *rng, struct view request,
                            uint8_t *ret_reply, uint8_t *ret_secret)
{
    uint8_t reply[KEX_VALUE_MAX], secret[KEM_SECRET_LEN];
    size_t reply_len = row->reply_len, secret_len = sizeof(secret);
    EVP_PKEY *peer =
        EVP_PKEY_new_raw_public_key_ex(NULL, row->library_name, NULL, request.ptr, request.len);
    if (peer == NULL)
        return ERR_VALUE;
    enum err err = ERR_CRYPTO;
    if (kem_encapsulate(peer, rng, reply, &reply_len, secret, &secret_len) &&
        reply_len == row->reply_len && secret_len == row->secret_len) {
        memcpy(ret_reply, reply, reply_len);
        memcpy(ret_secret, secret, secret_len);
        err = ERR_OK;
    }
    EVP_PKEY_free(peer);
    secret_wipe(secret, sizeof(secret));
    return err;
}

/* Both ends of Diffie-Hellman do the same. */
static enum err dh_respond(uint16_t method, const struct rng *rng, struct view request,
                           uint8_t *ret_reply, uint8_t *ret_secret)
{
    struct kex *kex;
    enum err err = kex_new(method, rng, &kex);
    if (err != ERR_OK)
        return err;
    err = kex_finish(kex, request, ret_secret);
    if (err == ERR_OK)
        memcpy(ret_reply, kex->request, kex->request_len);
    kex_free(kex);
    return err;
}

enum err kex_respond(uint16_t method, const struct rng *rng, struct view request,
                     uint8_t *ret_reply, uint8_t *ret_secret)
{
    const struct kex_row *row = kex_row(method);
    if (!kex_method_known(method))
        return ERR_UNSUPPORTED;
    if (request.len != kex_request_len(method))
        return ERR_VALUE;
    if (row == NULL || row->kind != KIND_KEM)
        return dh_respond(method, rng, request, ret_reply, ret_secret);
    enum err err = kem_respond(row, rng, request, ret_reply, ret_secret);
    if (err != ERR_OK)
        ERR_clear_error();
    return err;
}
