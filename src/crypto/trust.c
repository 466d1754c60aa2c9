/* Chains of certificates: libcrypto finds and checks them, here is what it is told. */
#include "crypto/certificate_x509.h"

#include <stdlib.h>

enum {
    CHAIN_DEPTH_MAX = 8,
    OTHERS_MAX = 16, /* what a peer sends beyond that is not looked at */
    CRL_MAX = 1 << 20,
};

struct trust {
    enum trust_crl policy;
    X509_STORE *store;
    STACK_OF(X509_CRL) * crls;
};

enum err trust_new(enum trust_crl policy, struct trust **ret)
{
    struct trust *trust = calloc(1, sizeof(*trust));
    if (trust == NULL)
        return ERR_MEMORY;
    trust->policy = policy;
    trust->store = X509_STORE_new();
    trust->crls = sk_X509_CRL_new_null();
    if (trust->store == NULL || trust->crls == NULL) {
        trust_free(trust);
        return ERR_MEMORY;
    }
    *ret = trust;
    return ERR_OK;
}

void trust_free(struct trust *trust)
{
    if (trust == NULL)
        return;
    X509_STORE_free(trust->store);
    sk_X509_CRL_pop_free(trust->crls, X509_CRL_free);
    free(trust);
}

enum err trust_add_anchor(struct trust *trust, struct view der)
{
    struct certificate *cert = NULL;
    enum err err = certificate_from_der(der, &cert);
    if (err != ERR_OK)
        return err;
    if (!certificate_is_ca(cert))
        err = ERR_VALUE;
    else if (X509_STORE_add_cert(trust->store, cert->x509) != 1) /* takes a reference */
        err = ERR_MEMORY;
    certificate_free(cert);
    ERR_clear_error();
    return err;
}

enum err trust_add_crl(struct trust *trust, struct view der)
{
    const uint8_t *at = der.ptr;
    if (der.len == 0 || der.len > CRL_MAX)
        return ERR_VALUE;
    X509_CRL *crl = d2i_X509_CRL(NULL, &at, (long)der.len);
    enum err err = ERR_VALUE;
    if (crl != NULL && at == der.ptr + der.len)
        err = sk_X509_CRL_push(trust->crls, crl) > 0 ? ERR_OK : ERR_MEMORY;
    if (err != ERR_OK)
        X509_CRL_free(crl);
    ERR_clear_error();
    return err;
}

/* libcrypto asks for a list for the anchor as well, which is trusted as it is. With
 * TRUST_CRL_IF_PRESENT only a list that we have and that names the certificate objects. */
static int forgive_missing_crl(int good, X509_STORE_CTX *ctx)
{
    const struct trust *trust = X509_STORE_CTX_get_app_data(ctx);
    int depth = X509_STORE_CTX_get_error_depth(ctx);
    bool anchor = depth == sk_X509_num(X509_STORE_CTX_get0_chain(ctx)) - 1;
    switch (X509_STORE_CTX_get_error(ctx)) {
    case X509_V_ERR_UNABLE_TO_GET_CRL:
    case X509_V_ERR_CRL_HAS_EXPIRED:
    case X509_V_ERR_CRL_NOT_YET_VALID:
        if (!anchor && trust->policy == TRUST_CRL_REQUIRED)
            return good;
        X509_STORE_CTX_set_error(ctx, X509_V_OK);
        return 1;
    default:
        return good;
    }
}

static STACK_OF(X509) * others_parse(const struct view *others, size_t count)
{
    STACK_OF(X509) *stack = sk_X509_new_null();
    for (size_t i = 0; stack != NULL && i < count && i < OTHERS_MAX; i++) {
        const uint8_t *at = others[i].ptr;
        if (others[i].len == 0 || others[i].len > CERTIFICATE_MAX)
            continue;
        X509 *x509 = d2i_X509(NULL, &at, (long)others[i].len);
        if (x509 != NULL && sk_X509_push(stack, x509) <= 0)
            X509_free(x509);
    }
    return stack;
}

static bool context_prepare(X509_STORE_CTX *ctx, const struct trust *trust, int64_t unix_s)
{
    X509_VERIFY_PARAM *param = X509_STORE_CTX_get0_param(ctx);
    X509_VERIFY_PARAM_set_time(param, (time_t)unix_s);
    X509_VERIFY_PARAM_set_depth(param, CHAIN_DEPTH_MAX);
    X509_STORE_CTX_set0_crls(ctx, trust->crls);
    X509_STORE_CTX_set_verify_cb(ctx, forgive_missing_crl);
    if (X509_STORE_CTX_set_app_data(ctx, (void *)(uintptr_t)trust) != 1)
        return false;
    /* No signature by SHA-1 or MD5 in the chain, no RSA below 1024 bits. */
    X509_VERIFY_PARAM_set_auth_level(param, 1);
    /* An anchor may be an authority below another one: it is trusted as it is. */
    return X509_VERIFY_PARAM_set_flags(param, X509_V_FLAG_CRL_CHECK | X509_V_FLAG_CRL_CHECK_ALL |
                                                  X509_V_FLAG_PARTIAL_CHAIN) == 1;
}

/* RFC 4945 section 5.1.3.2: digitalSignature or nonRepudiation, where key usage is told at all.
 * What extended key usage says is not looked at (section 5.1.3.12). */
static bool may_sign(const struct certificate *leaf)
{
    return (X509_get_key_usage(leaf->x509) & (KU_DIGITAL_SIGNATURE | KU_NON_REPUDIATION)) != 0;
}

enum err trust_check(const struct trust *trust, const struct certificate *leaf,
                     const struct view *others, size_t count, int64_t unix_s,
                     const char **ret_reason)
{
    const char *reason = "out of memory";
    enum err err = ERR_MEMORY;
    STACK_OF(X509) *stack = others_parse(others, count);
    X509_STORE_CTX *ctx = X509_STORE_CTX_new();
    if (stack != NULL && ctx != NULL &&
        X509_STORE_CTX_init(ctx, trust->store, leaf->x509, stack) == 1 &&
        context_prepare(ctx, trust, unix_s)) {
        err = ERR_OK;
        if (!may_sign(leaf)) {
            err = ERR_AUTH;
            reason = "the certificate is not for signatures";
        } else if (X509_verify_cert(ctx) != 1) {
            err = ERR_AUTH;
            reason = X509_verify_cert_error_string(X509_STORE_CTX_get_error(ctx));
        }
    }
    X509_STORE_CTX_free(ctx);
    sk_X509_pop_free(stack, X509_free);
    ERR_clear_error();
    if (err != ERR_OK)
        *ret_reason = reason;
    return err;
}
