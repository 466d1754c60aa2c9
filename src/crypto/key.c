#include "crypto/library.h"

#include "crypto/key.h"

#include "base/builder.h"
#include "base/cursor.h"
#include "base/secret.h"
#include "crypto/hash.h"

#include <stdio.h>
#include <stdlib.h>

enum { KEY_BITS_MIN = 1024, KEY_BITS_NEW = 2048, KEY_BITS_MAX = 8192 };

/* What is padded around the hash in PKCS #1 v1.5: RFC 8017 section 9.2. */
enum { PKCS1_OVERHEAD = 11 };

struct private_key {
    EVP_PKEY *pkey;
    struct public_key public_key;
};

/* The two numbers of an RSA public key, as views into its RFC 3110 form. */
struct rsa_parts {
    struct view exponent;
    struct view modulus;
};

static unsigned view_bits(struct view number)
{
    unsigned bits = (unsigned)(number.len * 8);
    for (unsigned top = number.len != 0 ? number.ptr[0] : 0; top != 0 && top < 0x80; top <<= 1)
        bits--;
    return bits;
}

/*
 * RFC 3110 section 2: a length of one octet, or of three when it doesn't fit; no leading zeros. So
 * each key has exactly one form.
 */
static enum err rsa_parts_parse(struct view octets, struct rsa_parts *ret)
{
    struct cursor cur = cursor_of(octets);
    size_t exponent_len = cursor_u8(&cur);
    bool long_form = exponent_len == 0;
    if (long_form)
        exponent_len = cursor_u16(&cur);
    struct view exponent = cursor_take(&cur, exponent_len);
    struct view modulus = cursor_rest(&cur);
    if (cur.bad || exponent.len == 0 || modulus.len == 0 || (long_form && exponent_len <= 255) ||
        exponent.ptr[0] == 0 || modulus.ptr[0] == 0)
        return ERR_VALUE;
    *ret = (struct rsa_parts){exponent, modulus};
    return ERR_OK;
}

static enum err rsa_parts_check(const struct rsa_parts *rsa)
{
    unsigned bits = view_bits(rsa->modulus);
    bool exponent_odd = (rsa->exponent.ptr[rsa->exponent.len - 1] & 1) != 0;
    bool exponent_one = rsa->exponent.len == 1 && rsa->exponent.ptr[0] == 1;
    bool modulus_odd = (rsa->modulus.ptr[rsa->modulus.len - 1] & 1) != 0;
    if (bits < KEY_BITS_MIN || bits > KEY_BITS_MAX || !modulus_odd || !exponent_odd ||
        exponent_one || rsa->exponent.len > rsa->modulus.len)
        return ERR_VALUE;
    return ERR_OK;
}

enum err public_key_from_rfc3110(struct view octets, struct public_key *ret)
{
    struct rsa_parts rsa;
    if (octets.len > LIMIT_KEY_OCTETS)
        return ERR_VALUE;
    enum err err = rsa_parts_parse(octets, &rsa);
    if (err == ERR_OK)
        err = rsa_parts_check(&rsa);
    if (err != ERR_OK)
        return err;
    struct public_key key = {.alg = KEY_RSA, .len = (uint16_t)octets.len};
    memcpy(key.octets, octets.ptr, octets.len);
    *ret = key;
    return ERR_OK;
}

bool public_key_equal(const struct public_key *a, const struct public_key *b)
{
    return a->alg == b->alg && view_equal(view_of(a->octets, a->len), view_of(b->octets, b->len));
}

static enum err public_key_parts(const struct public_key *key, struct rsa_parts *ret)
{
    if (key->alg != KEY_RSA || key->len > sizeof(key->octets))
        return ERR_VALUE;
    return rsa_parts_parse(view_of(key->octets, key->len), ret);
}

unsigned public_key_bits(const struct public_key *key)
{
    struct rsa_parts rsa;
    return public_key_parts(key, &rsa) == ERR_OK ? view_bits(rsa.modulus) : 0;
}

char *public_key_format(const struct public_key *key, char *ret)
{
    uint8_t digest[HASH_MAX] = {0};
    struct view octets = view_of(key->octets, key->len);
    if (key->alg != KEY_RSA || hash_digest(HASH_SHA2_256, &octets, 1, digest) != ERR_OK) {
        snprintf(ret, PUBLIC_KEY_TEXT_MAX, "no key");
        return ret;
    }
    snprintf(ret, PUBLIC_KEY_TEXT_MAX, "RSA-%u %02x%02x%02x%02x", public_key_bits(key), digest[0],
             digest[1], digest[2], digest[3]);
    return ret;
}

static EVP_PKEY *pkey_from_params(OSSL_PARAM *params)
{
    EVP_PKEY *pkey = NULL;
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "RSA", NULL);
    if (ctx == NULL || EVP_PKEY_fromdata_init(ctx) != 1 ||
        EVP_PKEY_fromdata(ctx, &pkey, EVP_PKEY_PUBLIC_KEY, params) != 1)
        pkey = NULL;
    EVP_PKEY_CTX_free(ctx);
    return pkey;
}

static EVP_PKEY *pkey_from_parts(const struct rsa_parts *rsa)
{
    EVP_PKEY *pkey = NULL;
    OSSL_PARAM *params = NULL;
    BIGNUM *n = BN_bin2bn(rsa->modulus.ptr, (int)rsa->modulus.len, NULL);
    BIGNUM *e = BN_bin2bn(rsa->exponent.ptr, (int)rsa->exponent.len, NULL);
    OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
    if (n != NULL && e != NULL && build != NULL &&
        OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_N, n) == 1 &&
        OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_E, e) == 1)
        params = OSSL_PARAM_BLD_to_param(build);
    if (params != NULL)
        pkey = pkey_from_params(params);
    OSSL_PARAM_free(params);
    OSSL_PARAM_BLD_free(build);
    BN_free(n);
    BN_free(e);
    return pkey;
}

static EVP_PKEY_CTX *pkcs1_context(EVP_PKEY *pkey, int (*init)(EVP_PKEY_CTX *ctx))
{
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(NULL, pkey, NULL);
    if (ctx != NULL &&
        (init(ctx) != 1 || EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PADDING) != 1)) {
        EVP_PKEY_CTX_free(ctx);
        ctx = NULL;
    }
    return ctx;
}

/* IKE-068: no digest is set, so the bare hash is what PKCS #1 pads. */
enum err public_key_verify_ike1(const struct public_key *key, struct view hash,
                                struct view signature)
{
    struct rsa_parts rsa;
    enum err err = public_key_parts(key, &rsa);
    if (err != ERR_OK)
        return err;
    if (hash.len == 0 || hash.len > HASH_MAX || signature.len != rsa.modulus.len)
        return ERR_AUTH;
    EVP_PKEY *pkey = pkey_from_parts(&rsa);
    EVP_PKEY_CTX *ctx = pkey != NULL ? pkcs1_context(pkey, EVP_PKEY_verify_init) : NULL;
    if (ctx == NULL)
        err = ERR_CRYPTO;
    else if (EVP_PKEY_verify(ctx, signature.ptr, signature.len, hash.ptr, hash.len) != 1)
        err = ERR_AUTH;
    EVP_PKEY_CTX_free(ctx);
    EVP_PKEY_free(pkey);
    if (err != ERR_OK)
        ERR_clear_error();
    return err;
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

static enum err public_key_of(const EVP_PKEY *pkey, struct public_key *ret)
{
    uint8_t octets[LIMIT_KEY_OCTETS];
    BIGNUM *n = NULL, *e = NULL;
    enum err err = ERR_CRYPTO;
    if (EVP_PKEY_get_bn_param(pkey, OSSL_PKEY_PARAM_RSA_N, &n) == 1 &&
        EVP_PKEY_get_bn_param(pkey, OSSL_PKEY_PARAM_RSA_E, &e) == 1) {
        err = ERR_VALUE;
        struct builder b = builder_on(span_of(octets, sizeof(octets)));
        if (BN_num_bits(n) <= KEY_BITS_MAX && BN_num_bits(e) <= KEY_BITS_MAX)
            rfc3110_write(&b, n, e);
        if (!b.bad)
            err = public_key_from_rfc3110(builder_written(&b), ret);
    }
    BN_free(n);
    BN_free(e);
    return err;
}

/* Takes pkey over, also on failure. */
static enum err private_key_wrap(EVP_PKEY *pkey, struct private_key **ret)
{
    struct private_key *key = calloc(1, sizeof(*key));
    if (key == NULL) {
        EVP_PKEY_free(pkey);
        return ERR_MEMORY;
    }
    key->pkey = pkey;
    enum err err = public_key_of(pkey, &key->public_key);
    if (err != ERR_OK) {
        private_key_free(key);
        return err;
    }
    *ret = key;
    return ERR_OK;
}

enum err private_key_generate(unsigned bits, struct private_key **ret)
{
    if (bits < KEY_BITS_NEW || bits > KEY_BITS_MAX)
        return ERR_VALUE;
    EVP_PKEY *pkey = EVP_RSA_gen(bits);
    if (pkey == NULL) {
        ERR_clear_error();
        return ERR_CRYPTO;
    }
    return private_key_wrap(pkey, ret);
}

/* Without this the library would ask the terminal for a pass phrase. */
static int no_passphrase(char *buf, int size, int rwflag, void *ctx)
{
    (void)buf, (void)size, (void)rwflag, (void)ctx;
    return -1;
}

/* Finds a private half that doesn't belong to the public one before a peer does. */
static enum err private_key_self_test(const struct private_key *key)
{
    static const uint8_t sample[20] = "is this key whole?";
    struct view hash = view_of(sample, sizeof(sample));
    uint8_t signature[KEY_BITS_MAX / 8];
    enum err err = private_key_sign_ike1(key, hash, signature);
    if (err == ERR_OK)
        err = public_key_verify_ike1(&key->public_key, hash,
                                     view_of(signature, private_key_signature_len(key)));
    return err == ERR_OK ? ERR_OK : ERR_VALUE;
}

enum err private_key_from_pem(struct view pem, struct private_key **ret)
{
    if (pem.len > 65536)
        return ERR_VALUE;
    BIO *bio = BIO_new_mem_buf(pem.ptr, (int)pem.len);
    if (bio == NULL)
        return ERR_MEMORY;
    EVP_PKEY *pkey = PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, NULL);
    BIO_free(bio);
    struct private_key *key = NULL;
    enum err err = ERR_VALUE;
    if (pkey != NULL && EVP_PKEY_is_a(pkey, "RSA") == 1)
        err = private_key_wrap(pkey, &key);
    else
        EVP_PKEY_free(pkey);
    if (err == ERR_OK)
        err = private_key_self_test(key);
    if (err != ERR_OK) {
        ERR_clear_error();
        private_key_free(key);
        return err;
    }
    *ret = key;
    return ERR_OK;
}

enum err private_key_to_pem(const struct private_key *key, char **ret_pem)
{
    BIO *bio = BIO_new(BIO_s_mem()); /* wipes its buffer when freed */
    if (bio == NULL)
        return ERR_MEMORY;
    enum err err = ERR_CRYPTO;
    char *text = NULL;
    if (PEM_write_bio_PrivateKey(bio, key->pkey, NULL, NULL, 0, NULL, NULL) == 1) {
        char *data = NULL;
        long len = BIO_get_mem_data(bio, &data);
        text = calloc(1, (size_t)len + 1);
        err = text != NULL ? ERR_OK : ERR_MEMORY;
        if (text != NULL)
            memcpy(text, data, (size_t)len);
    }
    BIO_free(bio);
    if (err == ERR_OK)
        *ret_pem = text;
    else
        ERR_clear_error();
    return err;
}

void private_key_free(struct private_key *key)
{
    if (key == NULL)
        return;
    EVP_PKEY_free(key->pkey); /* wipes its numbers */
    free(key);
}

void private_key_public(const struct private_key *key, struct public_key *ret)
{
    *ret = key->public_key;
}

size_t private_key_signature_len(const struct private_key *key)
{
    return (public_key_bits(&key->public_key) + 7) / 8;
}

/* IKE-068 */
enum err private_key_sign_ike1(const struct private_key *key, struct view hash, uint8_t *ret)
{
    size_t len = private_key_signature_len(key);
    uint8_t signature[KEY_BITS_MAX / 8];
    if (hash.len == 0 || hash.len > HASH_MAX || hash.len + PKCS1_OVERHEAD > len)
        return ERR_VALUE;
    EVP_PKEY_CTX *ctx = pkcs1_context(key->pkey, EVP_PKEY_sign_init);
    enum err err = ERR_CRYPTO;
    size_t written = sizeof(signature);
    if (ctx != NULL && EVP_PKEY_sign(ctx, signature, &written, hash.ptr, hash.len) == 1 &&
        written == len) {
        memcpy(ret, signature, len);
        err = ERR_OK;
    }
    EVP_PKEY_CTX_free(ctx);
    if (err != ERR_OK)
        ERR_clear_error();
    return err;
}
