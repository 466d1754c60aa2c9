#include "crypto/key_pkey.h"

#include "crypto/signature.h"

#include "crypto/hash.h"

/* What is padded around the hash in PKCS #1 v1.5: RFC 8017 section 9.2. */
enum { PKCS1_OVERHEAD = 11 };

enum family { FAMILY_RSA, FAMILY_PSS, FAMILY_ECDSA, FAMILY_EDDSA };

/* AlgorithmIdentifiers: RFC 7427 appendix A, RFC 4055 section 5, RFC 8410 section 3. */
#define RSA_IDENTIFIER(last) "\x30\x0d\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01" last "\x05\x00"
#define ECDSA_IDENTIFIER(last) "\x30\x0a\x06\x08\x2a\x86\x48\xce\x3d\x04\x03" last
#define SHA2_OID(last) "\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02" last "\x05\x00"
/* The trailer field has its default value, which DER leaves out. */
#define PSS_IDENTIFIER(hash, salt)                                                                 \
    "\x30\x41\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0a\x30\x34\xa0\x0f" SHA2_OID(               \
        hash) "\xa1\x1c\x30\x1a\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x08" SHA2_OID(hash) "\xa2" \
                                                                                            "\x03" \
                                                                                            "\x02" \
                                                                                            "\x01" salt
#define IDENTIFIER(text) (const uint8_t *)(text), sizeof(text) - 1
#define NO_IDENTIFIER NULL, 0

static const struct scheme_row {
    const char *name;
    uint8_t family;
    uint8_t alg;    /* the one key algorithm; KEY_NONE: any of the family */
    uint8_t method; /* IKEv2's number; 0: of IKEv1 */
    uint8_t hash;   /* enum signature_hash; NONE: the message is one already */
    bool fixed;     /* ECDSA: r|s instead of DER */
    const uint8_t *identifier;
    size_t identifier_len;
} scheme_rows[SIGNATURE_SCHEME_COUNT] = {
    [SIGNATURE_IKE1_RSA] = {"RSA bare", FAMILY_RSA, KEY_RSA, 0, SIGNATURE_HASH_NONE, false,
                            NO_IDENTIFIER},
    [SIGNATURE_IKE1_ECDSA] = {"ECDSA bare", FAMILY_ECDSA, KEY_NONE, 0, SIGNATURE_HASH_NONE, true,
                              NO_IDENTIFIER},
    [SIGNATURE_RSA_SHA1] = {"RSA SHA1", FAMILY_RSA, KEY_RSA, 1, SIGNATURE_HASH_SHA1, false,
                            NO_IDENTIFIER},
    [SIGNATURE_RSA_SHA2_256] = {"RSA SHA2-256", FAMILY_RSA, KEY_RSA, 14, SIGNATURE_HASH_SHA2_256,
                                false, IDENTIFIER(RSA_IDENTIFIER("\x0b"))},
    [SIGNATURE_RSA_SHA2_384] = {"RSA SHA2-384", FAMILY_RSA, KEY_RSA, 14, SIGNATURE_HASH_SHA2_384,
                                false, IDENTIFIER(RSA_IDENTIFIER("\x0c"))},
    [SIGNATURE_RSA_SHA2_512] = {"RSA SHA2-512", FAMILY_RSA, KEY_RSA, 14, SIGNATURE_HASH_SHA2_512,
                                false, IDENTIFIER(RSA_IDENTIFIER("\x0d"))},
    [SIGNATURE_PSS_SHA2_256] = {"RSA-PSS SHA2-256", FAMILY_PSS, KEY_RSA, 14,
                                SIGNATURE_HASH_SHA2_256, false,
                                IDENTIFIER(PSS_IDENTIFIER("\x01", "\x20"))},
    [SIGNATURE_PSS_SHA2_384] = {"RSA-PSS SHA2-384", FAMILY_PSS, KEY_RSA, 14,
                                SIGNATURE_HASH_SHA2_384, false,
                                IDENTIFIER(PSS_IDENTIFIER("\x02", "\x30"))},
    [SIGNATURE_PSS_SHA2_512] = {"RSA-PSS SHA2-512", FAMILY_PSS, KEY_RSA, 14,
                                SIGNATURE_HASH_SHA2_512, false,
                                IDENTIFIER(PSS_IDENTIFIER("\x03", "\x40"))},
    [SIGNATURE_ECDSA_256] = {"ECDSA-256", FAMILY_ECDSA, KEY_ECDSA_P256, 9, SIGNATURE_HASH_SHA2_256,
                             true, NO_IDENTIFIER},
    [SIGNATURE_ECDSA_384] = {"ECDSA-384", FAMILY_ECDSA, KEY_ECDSA_P384, 10, SIGNATURE_HASH_SHA2_384,
                             true, NO_IDENTIFIER},
    [SIGNATURE_ECDSA_521] = {"ECDSA-521", FAMILY_ECDSA, KEY_ECDSA_P521, 11, SIGNATURE_HASH_SHA2_512,
                             true, NO_IDENTIFIER},
    [SIGNATURE_ECDSA_SHA2_256] = {"ECDSA SHA2-256", FAMILY_ECDSA, KEY_NONE, 14,
                                  SIGNATURE_HASH_SHA2_256, false,
                                  IDENTIFIER(ECDSA_IDENTIFIER("\x02"))},
    [SIGNATURE_ECDSA_SHA2_384] = {"ECDSA SHA2-384", FAMILY_ECDSA, KEY_NONE, 14,
                                  SIGNATURE_HASH_SHA2_384, false,
                                  IDENTIFIER(ECDSA_IDENTIFIER("\x03"))},
    [SIGNATURE_ECDSA_SHA2_512] = {"ECDSA SHA2-512", FAMILY_ECDSA, KEY_NONE, 14,
                                  SIGNATURE_HASH_SHA2_512, false,
                                  IDENTIFIER(ECDSA_IDENTIFIER("\x04"))},
    [SIGNATURE_ED25519] = {"Ed25519", FAMILY_EDDSA, KEY_ED25519, 14, SIGNATURE_HASH_IDENTITY, false,
                           IDENTIFIER("\x30\x05\x06\x03\x2b\x65\x70")},
    [SIGNATURE_ED448] = {"Ed448", FAMILY_EDDSA, KEY_ED448, 14, SIGNATURE_HASH_IDENTITY, false,
                         IDENTIFIER("\x30\x05\x06\x03\x2b\x65\x71")},
};

static bool known(enum signature_scheme scheme)
{
    return (unsigned)scheme < SIGNATURE_SCHEME_COUNT;
}

const char *signature_scheme_name(enum signature_scheme scheme)
{
    return known(scheme) ? scheme_rows[scheme].name : "unknown signature";
}

bool signature_scheme_fits(enum signature_scheme scheme, enum key_alg alg)
{
    if (!known(scheme))
        return false;
    const struct scheme_row *row = &scheme_rows[scheme];
    if (row->alg != KEY_NONE)
        return row->alg == alg;
    return alg == KEY_ECDSA_P256 || alg == KEY_ECDSA_P384 || alg == KEY_ECDSA_P521;
}

uint8_t signature_scheme_method(enum signature_scheme scheme)
{
    return known(scheme) ? scheme_rows[scheme].method : 0;
}

enum signature_scheme signature_scheme_of_method(uint8_t method)
{
    for (unsigned i = 0; i < SIGNATURE_SCHEME_COUNT; i++)
        if (method != 0 && scheme_rows[i].method == method && scheme_rows[i].identifier == NULL)
            return (enum signature_scheme)i;
    return SIGNATURE_UNKNOWN;
}

struct view signature_scheme_identifier(enum signature_scheme scheme)
{
    if (!known(scheme))
        return view_of(NULL, 0);
    return view_of(scheme_rows[scheme].identifier, scheme_rows[scheme].identifier_len);
}

enum signature_hash signature_scheme_hash(enum signature_scheme scheme)
{
    return known(scheme) ? scheme_rows[scheme].hash : SIGNATURE_HASH_NONE;
}

static enum signature_hash hash_of_nid(int nid)
{
    switch (nid) {
    case NID_sha256:
        return SIGNATURE_HASH_SHA2_256;
    case NID_sha384:
        return SIGNATURE_HASH_SHA2_384;
    case NID_sha512:
        return SIGNATURE_HASH_SHA2_512;
    default:
        return SIGNATURE_HASH_NONE;
    }
}

static int algor_nid(const X509_ALGOR *algor)
{
    const ASN1_OBJECT *object = NULL;
    X509_ALGOR_get0(&object, NULL, NULL, algor);
    return object != NULL ? OBJ_obj2nid(object) : NID_undef;
}

/* The hash of MGF1, which is its parameter. To be freed; NULL: none. */
static X509_ALGOR *mask_hash_of(const X509_ALGOR *mask)
{
    const void *value = NULL;
    int type = V_ASN1_UNDEF;
    X509_ALGOR_get0(NULL, &type, &value, mask);
    if (type != V_ASN1_SEQUENCE || algor_nid(mask) != NID_mgf1)
        return NULL;
    return ASN1_item_unpack(value, ASN1_ITEM_rptr(X509_ALGOR));
}

/* Parameters that are absent mean SHA-1, which is refused. */
static enum signature_scheme pss_scheme(const RSA_PSS_PARAMS *pss)
{
    if (pss->hashAlgorithm == NULL || pss->maskGenAlgorithm == NULL || pss->saltLength == NULL)
        return SIGNATURE_UNKNOWN;
    X509_ALGOR *mask_hash = mask_hash_of(pss->maskGenAlgorithm);
    int hash = algor_nid(pss->hashAlgorithm);
    bool same = mask_hash != NULL && algor_nid(mask_hash) == hash;
    X509_ALGOR_free(mask_hash);
    for (unsigned i = SIGNATURE_PSS_SHA2_256; same && i <= SIGNATURE_PSS_SHA2_512; i++) {
        size_t len = 32 + 16 * (size_t)(i - SIGNATURE_PSS_SHA2_256);
        if (scheme_rows[i].hash == hash_of_nid(hash) &&
            ASN1_INTEGER_get(pss->saltLength) == (long)len &&
            (pss->trailerField == NULL || ASN1_INTEGER_get(pss->trailerField) == 1))
            return (enum signature_scheme)i;
    }
    return SIGNATURE_UNKNOWN;
}

static enum signature_scheme pss_of_algor(const X509_ALGOR *algor)
{
    const void *value = NULL;
    int type = V_ASN1_UNDEF;
    X509_ALGOR_get0(NULL, &type, &value, algor);
    if (type != V_ASN1_SEQUENCE)
        return SIGNATURE_UNKNOWN;
    RSA_PSS_PARAMS *pss = ASN1_item_unpack(value, ASN1_ITEM_rptr(RSA_PSS_PARAMS));
    if (pss == NULL)
        return SIGNATURE_UNKNOWN;
    enum signature_scheme scheme = pss_scheme(pss);
    RSA_PSS_PARAMS_free(pss);
    return scheme;
}

/* RFC 7427 section 3: without parameters that matter, they are NULL or absent. */
static enum signature_scheme plain_of_algor(const X509_ALGOR *algor)
{
    static const struct {
        int nid;
        enum signature_scheme scheme;
    } table[] = {
        {NID_sha256WithRSAEncryption, SIGNATURE_RSA_SHA2_256},
        {NID_sha384WithRSAEncryption, SIGNATURE_RSA_SHA2_384},
        {NID_sha512WithRSAEncryption, SIGNATURE_RSA_SHA2_512},
        {NID_ecdsa_with_SHA256, SIGNATURE_ECDSA_SHA2_256},
        {NID_ecdsa_with_SHA384, SIGNATURE_ECDSA_SHA2_384},
        {NID_ecdsa_with_SHA512, SIGNATURE_ECDSA_SHA2_512},
        {NID_ED25519, SIGNATURE_ED25519},
        {NID_ED448, SIGNATURE_ED448},
    };
    int type = V_ASN1_UNDEF, nid = algor_nid(algor);
    X509_ALGOR_get0(NULL, &type, NULL, algor);
    if (type != V_ASN1_UNDEF && type != V_ASN1_NULL)
        return SIGNATURE_UNKNOWN;
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
        if (table[i].nid == nid)
            return table[i].scheme;
    return SIGNATURE_UNKNOWN;
}

enum signature_scheme signature_scheme_of_identifier(struct view der)
{
    const uint8_t *at = der.ptr;
    if (der.len == 0 || der.len > UINT8_MAX)
        return SIGNATURE_UNKNOWN;
    enum signature_scheme scheme = SIGNATURE_UNKNOWN;
    X509_ALGOR *algor = d2i_X509_ALGOR(NULL, &at, (long)der.len);
    if (algor != NULL && at == der.ptr + der.len)
        scheme = algor_nid(algor) == NID_rsassaPss ? pss_of_algor(algor) : plain_of_algor(algor);
    X509_ALGOR_free(algor);
    ERR_clear_error();
    return scheme;
}

/* The hash that is as strong as the key first (RFC 8247 section 3.2), then whatever the peer takes.
 */
static unsigned wanted_hash(const struct public_key *key)
{
    if (key->alg == KEY_ECDSA_P384)
        return SIGNATURE_HASH_SHA2_384;
    if (key->alg == KEY_ECDSA_P521)
        return SIGNATURE_HASH_SHA2_512;
    if (key->alg == KEY_ED25519 || key->alg == KEY_ED448)
        return SIGNATURE_HASH_IDENTITY;
    return SIGNATURE_HASH_SHA2_256;
}

static enum signature_scheme scheme_with(enum key_alg alg, unsigned hash, bool pss)
{
    for (unsigned i = 0; i < SIGNATURE_SCHEME_COUNT; i++) {
        const struct scheme_row *row = &scheme_rows[i];
        bool family = alg != KEY_RSA || (row->family == FAMILY_PSS) == pss;
        if (row->identifier != NULL && row->hash == hash && family &&
            signature_scheme_fits((enum signature_scheme)i, alg))
            return (enum signature_scheme)i;
    }
    return SIGNATURE_UNKNOWN;
}

enum signature_scheme signature_scheme_choose(const struct public_key *key, unsigned hashes,
                                              bool pss)
{
    unsigned wanted = wanted_hash(key);
    if (hashes & 1u << wanted)
        return scheme_with(key->alg, wanted, pss);
    for (unsigned hash = SIGNATURE_HASH_SHA2_256; hash <= SIGNATURE_HASH_IDENTITY; hash++) {
        if (!(hashes & 1u << hash))
            continue;
        enum signature_scheme scheme = scheme_with(key->alg, hash, pss);
        if (scheme != SIGNATURE_UNKNOWN)
            return scheme;
    }
    return SIGNATURE_UNKNOWN;
}

enum signature_scheme signature_scheme_plain(const struct public_key *key)
{
    switch (key->alg) {
    case KEY_RSA:
        return SIGNATURE_RSA_SHA1;
    case KEY_ECDSA_P256:
        return SIGNATURE_ECDSA_256;
    case KEY_ECDSA_P384:
        return SIGNATURE_ECDSA_384;
    case KEY_ECDSA_P521:
        return SIGNATURE_ECDSA_521;
    default:
        return SIGNATURE_UNKNOWN;
    }
}

static const char *digest_name(const struct scheme_row *row)
{
    switch (row->hash) {
    case SIGNATURE_HASH_SHA1:
        return "SHA1";
    case SIGNATURE_HASH_SHA2_256:
        return "SHA256";
    case SIGNATURE_HASH_SHA2_384:
        return "SHA384";
    case SIGNATURE_HASH_SHA2_512:
        return "SHA512";
    default:
        return NULL; /* EdDSA hashes by itself */
    }
}

static bool set_padding(EVP_PKEY_CTX *ctx, const struct scheme_row *row)
{
    if (row->family == FAMILY_RSA)
        return EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PADDING) == 1;
    if (row->family == FAMILY_PSS)
        return EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PSS_PADDING) == 1 &&
               EVP_PKEY_CTX_set_rsa_pss_saltlen(ctx, RSA_PSS_SALTLEN_DIGEST) == 1;
    return true;
}

/* IKE-068: no digest is set, so the bare hash is what is padded or signed. */
static EVP_PKEY_CTX *bare_context(EVP_PKEY *pkey, const struct scheme_row *row,
                                  int (*init)(EVP_PKEY_CTX *ctx))
{
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(NULL, pkey, NULL);
    if (ctx != NULL && (init(ctx) != 1 || !set_padding(ctx, row))) {
        EVP_PKEY_CTX_free(ctx);
        ctx = NULL;
    }
    return ctx;
}

static enum err verify_bare(EVP_PKEY *pkey, const struct scheme_row *row, struct view message,
                            struct view signature)
{
    EVP_PKEY_CTX *ctx = bare_context(pkey, row, EVP_PKEY_verify_init);
    if (ctx == NULL)
        return ERR_CRYPTO;
    int good = EVP_PKEY_verify(ctx, signature.ptr, signature.len, message.ptr, message.len);
    EVP_PKEY_CTX_free(ctx);
    return good == 1 ? ERR_OK : ERR_AUTH;
}

static enum err verify_digest(EVP_PKEY *pkey, const struct scheme_row *row, struct view message,
                              struct view signature)
{
    EVP_PKEY_CTX *pkey_ctx = NULL; /* belongs to ctx */
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    enum err err = ERR_CRYPTO;
    if (ctx != NULL &&
        EVP_DigestVerifyInit_ex(ctx, &pkey_ctx, digest_name(row), NULL, NULL, pkey, NULL) == 1 &&
        set_padding(pkey_ctx, row))
        err = EVP_DigestVerify(ctx, signature.ptr, signature.len, message.ptr, message.len) == 1
                  ? ERR_OK
                  : ERR_AUTH;
    EVP_MD_CTX_free(ctx);
    return err;
}

/* r|s of the curve's length (RFC 4754 section 7) to DER; to be freed with OPENSSL_free(). */
static uint8_t *der_of_fixed(struct view fixed, size_t *ret_len)
{
    int half = (int)(fixed.len / 2);
    uint8_t *der = NULL;
    BIGNUM *r = BN_bin2bn(fixed.ptr, half, NULL), *s = BN_bin2bn(fixed.ptr + half, half, NULL);
    ECDSA_SIG *pair = ECDSA_SIG_new();
    if (r == NULL || s == NULL || pair == NULL || ECDSA_SIG_set0(pair, r, s) != 1) {
        BN_free(r);
        BN_free(s);
        ECDSA_SIG_free(pair);
        return NULL;
    }
    int len = i2d_ECDSA_SIG(pair, &der);
    ECDSA_SIG_free(pair); /* with r and s */
    *ret_len = len > 0 ? (size_t)len : 0;
    return len > 0 ? der : NULL;
}

static bool fixed_of_der(struct view der, size_t half, uint8_t *ret)
{
    const uint8_t *at = der.ptr;
    ECDSA_SIG *pair = d2i_ECDSA_SIG(NULL, &at, (long)der.len);
    bool good = pair != NULL && BN_bn2binpad(ECDSA_SIG_get0_r(pair), ret, (int)half) == (int)half &&
                BN_bn2binpad(ECDSA_SIG_get0_s(pair), ret + half, (int)half) == (int)half;
    ECDSA_SIG_free(pair);
    return good;
}

static enum err verify_with(EVP_PKEY *pkey, const struct public_key *key,
                            const struct scheme_row *row, struct view message,
                            struct view signature)
{
    uint8_t *der = NULL;
    if (row->fixed) {
        size_t len = 0;
        if (signature.len != 2 * key_alg_len(key->alg))
            return ERR_AUTH;
        der = der_of_fixed(signature, &len);
        if (der == NULL)
            return ERR_MEMORY;
        signature = view_of(der, len);
    }
    enum err err = row->hash == SIGNATURE_HASH_NONE ? verify_bare(pkey, row, message, signature)
                                                    : verify_digest(pkey, row, message, signature);
    OPENSSL_free(der);
    return err;
}

enum err public_key_verify(const struct public_key *key, enum signature_scheme scheme,
                           struct view message, struct view signature)
{
    if (key->alg == KEY_NONE)
        return ERR_VALUE;
    if (!signature_scheme_fits(scheme, key->alg))
        return ERR_AUTH;
    const struct scheme_row *row = &scheme_rows[scheme];
    bool bare = row->hash == SIGNATURE_HASH_NONE;
    if (signature.len == 0 || signature.len > SIGNATURE_MAX ||
        (bare && (message.len == 0 || message.len > HASH_MAX)) ||
        (key->alg == KEY_RSA && signature.len != (public_key_bits(key) + 7) / 8))
        return ERR_AUTH;
    EVP_PKEY *pkey = public_key_to_pkey(key);
    enum err err = pkey != NULL ? verify_with(pkey, key, row, message, signature) : ERR_VALUE;
    EVP_PKEY_free(pkey);
    if (err != ERR_OK)
        ERR_clear_error();
    return err;
}

static enum err sign_bare(EVP_PKEY *pkey, const struct scheme_row *row, struct view message,
                          uint8_t *ret, size_t *ret_len)
{
    EVP_PKEY_CTX *ctx = bare_context(pkey, row, EVP_PKEY_sign_init);
    *ret_len = SIGNATURE_MAX;
    bool good = ctx != NULL && EVP_PKEY_sign(ctx, ret, ret_len, message.ptr, message.len) == 1;
    EVP_PKEY_CTX_free(ctx);
    return good ? ERR_OK : ERR_CRYPTO;
}

static enum err sign_digest(EVP_PKEY *pkey, const struct scheme_row *row, struct view message,
                            uint8_t *ret, size_t *ret_len)
{
    EVP_PKEY_CTX *pkey_ctx = NULL; /* belongs to ctx */
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    *ret_len = SIGNATURE_MAX;
    bool good =
        ctx != NULL &&
        EVP_DigestSignInit_ex(ctx, &pkey_ctx, digest_name(row), NULL, NULL, pkey, NULL) == 1 &&
        set_padding(pkey_ctx, row) &&
        EVP_DigestSign(ctx, ret, ret_len, message.ptr, message.len) == 1;
    EVP_MD_CTX_free(ctx);
    return good ? ERR_OK : ERR_CRYPTO;
}

static bool message_fits(const struct private_key *key, const struct scheme_row *row,
                         struct view message)
{
    if (row->hash != SIGNATURE_HASH_NONE)
        return true;
    size_t room = row->family == FAMILY_RSA ? private_key_signature_len(key) - PKCS1_OVERHEAD
                                            : (size_t)HASH_MAX;
    return message.len != 0 && message.len <= HASH_MAX && message.len <= room;
}

enum err private_key_sign(const struct private_key *key, enum signature_scheme scheme,
                          struct view message, uint8_t *ret, size_t *ret_len)
{
    enum key_alg alg = key->public_key.alg;
    uint8_t made[SIGNATURE_MAX], fixed[SIGNATURE_MAX];
    size_t len = 0;
    if (!signature_scheme_fits(scheme, alg) || !message_fits(key, &scheme_rows[scheme], message))
        return ERR_VALUE;
    const struct scheme_row *row = &scheme_rows[scheme];
    enum err err = row->hash == SIGNATURE_HASH_NONE
                       ? sign_bare(key->pkey, row, message, made, &len)
                       : sign_digest(key->pkey, row, message, made, &len);
    if (err == ERR_OK && row->fixed) {
        if (!fixed_of_der(view_of(made, len), key_alg_len(alg), fixed))
            err = ERR_CRYPTO;
        len = 2 * key_alg_len(alg);
    }
    if (err != ERR_OK) {
        ERR_clear_error();
        return err;
    }
    memcpy(ret, row->fixed ? fixed : made, len);
    *ret_len = len;
    return ERR_OK;
}

static enum signature_scheme ike1_scheme(enum key_alg alg)
{
    return alg == KEY_RSA ? SIGNATURE_IKE1_RSA : SIGNATURE_IKE1_ECDSA;
}

enum err public_key_verify_ike1(const struct public_key *key, struct view hash,
                                struct view signature)
{
    return public_key_verify(key, ike1_scheme(key->alg), hash, signature);
}

size_t private_key_signature_len(const struct private_key *key)
{
    const struct public_key *public = &key->public_key;
    return public->alg == KEY_RSA ? (public_key_bits(public) + 7) / 8
                                  : 2 * key_alg_len(public->alg);
}

enum err private_key_sign_ike1(const struct private_key *key, struct view hash, uint8_t *ret)
{
    uint8_t made[SIGNATURE_MAX];
    size_t len = 0;
    enum err err = private_key_sign(key, ike1_scheme(key->public_key.alg), hash, made, &len);
    if (err == ERR_OK)
        memcpy(ret, made, len);
    return err;
}
