/* Between public keys as values and libcrypto's objects, and SubjectPublicKeyInfo. */
#include "crypto/key_pkey.h"

#include "base/builder.h"
#include "base/cursor.h"

static const struct {
    uint8_t alg;
    const char *library_name; /* of the curve, or of the algorithm where there is no curve */
    bool curve;
} pkey_rows[] = {
    {KEY_ECDSA_P256, SN_X9_62_prime256v1, true},
    {KEY_ECDSA_P384, SN_secp384r1, true},
    {KEY_ECDSA_P521, SN_secp521r1, true},
    {KEY_ED25519, "ED25519", false},
    {KEY_ED448, "ED448", false},
};

enum { PKEY_ROW_COUNT = sizeof(pkey_rows) / sizeof(pkey_rows[0]), COORDINATE_MAX = 66 };

static EVP_PKEY *pkey_from_params(const char *name, OSSL_PARAM *params)
{
    EVP_PKEY *pkey = NULL;
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, name, NULL);
    if (ctx == NULL || EVP_PKEY_fromdata_init(ctx) != 1 ||
        EVP_PKEY_fromdata(ctx, &pkey, EVP_PKEY_PUBLIC_KEY, params) != 1)
        pkey = NULL;
    EVP_PKEY_CTX_free(ctx);
    return pkey;
}

/* The value was checked when it was made, so its form is not looked at again. */
static EVP_PKEY *rsa_to_pkey(struct view octets)
{
    struct cursor cur = cursor_of(octets);
    size_t e_len = cursor_u8(&cur);
    if (e_len == 0)
        e_len = cursor_u16(&cur);
    struct view exponent = cursor_take(&cur, e_len), modulus = cursor_rest(&cur);
    if (cur.bad)
        return NULL;
    EVP_PKEY *pkey = NULL;
    OSSL_PARAM *params = NULL;
    BIGNUM *n = BN_bin2bn(modulus.ptr, (int)modulus.len, NULL);
    BIGNUM *e = BN_bin2bn(exponent.ptr, (int)exponent.len, NULL);
    OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
    if (n != NULL && e != NULL && build != NULL &&
        OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_N, n) == 1 &&
        OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_E, e) == 1)
        params = OSSL_PARAM_BLD_to_param(build);
    if (params != NULL)
        pkey = pkey_from_params("RSA", params);
    OSSL_PARAM_free(params);
    OSSL_PARAM_BLD_free(build);
    BN_free(n);
    BN_free(e);
    return pkey;
}

static EVP_PKEY *point_to_pkey(const char *curve, struct view octets)
{
    uint8_t point[1 + 2 * COORDINATE_MAX] = {POINT_CONVERSION_UNCOMPRESSED};
    memcpy(point + 1, octets.ptr, octets.len);
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, (char *)(uintptr_t)curve, 0),
        OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, point, 1 + octets.len),
        OSSL_PARAM_construct_end(),
    };
    return pkey_from_params("EC", params);
}

EVP_PKEY *public_key_to_pkey(const struct public_key *key)
{
    if (key->len > sizeof(key->octets))
        return NULL;
    struct view octets = view_of(key->octets, key->len);
    if (key->alg == KEY_RSA)
        return rsa_to_pkey(octets);
    for (size_t i = 0; i < PKEY_ROW_COUNT; i++) {
        const char *name = pkey_rows[i].library_name;
        if (pkey_rows[i].alg != key->alg)
            continue;
        if (pkey_rows[i].curve)
            return octets.len <= 2 * COORDINATE_MAX ? point_to_pkey(name, octets) : NULL;
        return EVP_PKEY_new_raw_public_key_ex(NULL, name, NULL, octets.ptr, octets.len);
    }
    return NULL;
}

static void rfc3110_write(struct builder *b, const BIGNUM *n, const BIGNUM *e)
{
    uint8_t number[KEY_BITS_MAX / 8];
    size_t e_len = (size_t)BN_num_bytes(e);
    if (e_len <= 255) {
        builder_u8(b, (uint8_t)e_len);
    } else {
        builder_u8(b, 0);
        builder_u16(b, (uint16_t)e_len);
    }
    BN_bn2bin(e, number);
    builder_bytes(b, number, e_len);
    BN_bn2bin(n, number);
    builder_bytes(b, number, (size_t)BN_num_bytes(n));
}

static enum err rsa_of_pkey(const EVP_PKEY *pkey, struct public_key *ret)
{
    uint8_t octets[LIMIT_KEY_OCTETS];
    BIGNUM *n = NULL, *e = NULL;
    enum err err = ERR_CRYPTO;
    if (EVP_PKEY_get_bn_param(pkey, OSSL_PKEY_PARAM_RSA_N, &n) == 1 &&
        EVP_PKEY_get_bn_param(pkey, OSSL_PKEY_PARAM_RSA_E, &e) == 1) {
        err = ERR_VALUE;
        struct builder b = builder_on(span_of(octets, sizeof(octets)));
        if (BN_num_bits(n) <= KEY_BITS_MAX && BN_num_bits(e) <= KEY_BITS_MAX) {
            rfc3110_write(&b, n, e);
            if (!b.bad)
                err = public_key_from_rfc3110(builder_written(&b), ret);
        }
    }
    BN_free(n);
    BN_free(e);
    return err;
}

/* By its numbers: a certificate may hold the point compressed. */
static enum err point_of_pkey(const EVP_PKEY *pkey, enum key_alg alg, struct public_key *ret)
{
    struct public_key key = {.alg = (uint8_t)alg};
    BIGNUM *x = NULL, *y = NULL;
    int len = (int)key_alg_len(alg);
    enum err err = ERR_CRYPTO;
    if (EVP_PKEY_get_bn_param(pkey, OSSL_PKEY_PARAM_EC_PUB_X, &x) == 1 &&
        EVP_PKEY_get_bn_param(pkey, OSSL_PKEY_PARAM_EC_PUB_Y, &y) == 1 &&
        BN_bn2binpad(x, key.octets, len) == len && BN_bn2binpad(y, key.octets + len, len) == len) {
        key.len = (uint16_t)(2 * len);
        *ret = key;
        err = ERR_OK;
    }
    BN_free(x);
    BN_free(y);
    return err;
}

static enum err raw_of_pkey(const EVP_PKEY *pkey, enum key_alg alg, struct public_key *ret)
{
    struct public_key key = {.alg = (uint8_t)alg};
    size_t len = sizeof(key.octets);
    if (EVP_PKEY_get_raw_public_key(pkey, key.octets, &len) != 1 || len != key_alg_len(alg))
        return ERR_CRYPTO;
    key.len = (uint16_t)len;
    *ret = key;
    return ERR_OK;
}

enum err public_key_of_pkey(const EVP_PKEY *pkey, struct public_key *ret)
{
    char group[64] = "";
    if (EVP_PKEY_is_a(pkey, "RSA") == 1 || EVP_PKEY_is_a(pkey, "RSA-PSS") == 1)
        return rsa_of_pkey(pkey, ret);
    bool has_curve = EVP_PKEY_is_a(pkey, "EC") == 1 &&
                     EVP_PKEY_get_group_name(pkey, group, sizeof(group), NULL) == 1;
    for (size_t i = 0; i < PKEY_ROW_COUNT; i++) {
        const char *name = pkey_rows[i].library_name;
        if (pkey_rows[i].curve && has_curve && OBJ_txt2nid(group) == OBJ_txt2nid(name))
            return point_of_pkey(pkey, pkey_rows[i].alg, ret);
        if (!pkey_rows[i].curve && EVP_PKEY_is_a(pkey, name) == 1)
            return raw_of_pkey(pkey, pkey_rows[i].alg, ret);
    }
    return ERR_UNSUPPORTED;
}

enum err public_key_from_spki(struct view der, struct public_key *ret)
{
    const uint8_t *at = der.ptr;
    if (der.len == 0 || der.len > SPKI_MAX)
        return ERR_VALUE;
    EVP_PKEY *pkey = d2i_PUBKEY(NULL, &at, (long)der.len);
    enum err err = ERR_VALUE;
    if (pkey != NULL && at == der.ptr + der.len)
        err = public_key_of_pkey(pkey, ret);
    EVP_PKEY_free(pkey);
    if (err != ERR_OK)
        ERR_clear_error();
    return err;
}

enum err public_key_to_spki(const struct public_key *key, uint8_t *ret, size_t *ret_len)
{
    EVP_PKEY *pkey = public_key_to_pkey(key);
    uint8_t *der = NULL;
    int len = pkey != NULL ? i2d_PUBKEY(pkey, &der) : -1;
    enum err err = ERR_VALUE;
    if (len > 0 && len <= SPKI_MAX) {
        memcpy(ret, der, (size_t)len);
        *ret_len = (size_t)len;
        err = ERR_OK;
    }
    OPENSSL_free(der);
    EVP_PKEY_free(pkey);
    if (err != ERR_OK)
        ERR_clear_error();
    return err;
}
