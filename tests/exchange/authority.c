#include "crypto/library.h"

#include "authority.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

struct authority {
    EVP_PKEY *key;
    X509 *own;
    long serial;
};

enum { HOUR = 3600, DAY = 24 * HOUR };

static void add_extension(X509 *x509, X509 *issuer, int nid, const char *value)
{
    X509V3_CTX ctx;
    X509V3_set_ctx(&ctx, issuer, x509, NULL, NULL, 0);
    X509_EXTENSION *ext = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
    assert_non_null(ext);
    assert_int_equal(X509_add_ext(x509, ext, -1), 1);
    X509_EXTENSION_free(ext);
}

static X509 *certify(struct authority *a, EVP_PKEY *key, const char *cn, int nid, const char *value,
                     int64_t from)
{
    X509 *x509 = X509_new();
    assert_non_null(x509);
    X509_NAME *name = X509_get_subject_name(x509);
    assert_int_equal(X509_set_version(x509, 2), 1);
    assert_int_equal(ASN1_INTEGER_set(X509_get_serialNumber(x509), ++a->serial), 1);
    assert_int_equal(X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
                                                (const unsigned char *)cn, -1, -1, 0),
                     1);
    X509 *issuer = a->own != NULL ? a->own : x509;
    assert_int_equal(X509_set_issuer_name(x509, X509_get_subject_name(issuer)), 1);
    assert_non_null(ASN1_TIME_set(X509_getm_notBefore(x509), from));
    assert_non_null(ASN1_TIME_set(X509_getm_notAfter(x509), from + DAY));
    assert_int_equal(X509_set_pubkey(x509, key), 1);
    add_extension(x509, issuer, nid, value);
    assert_true(X509_sign(x509, a->key, EVP_sha256()) > 0);
    return x509;
}

static void to_der(X509 *x509, struct authority_der *ret)
{
    unsigned char *at = ret->octets;
    assert_in_range(i2d_X509(x509, NULL), 1, AUTHORITY_DER_MAX);
    ret->len = (size_t)i2d_X509(x509, &at);
}

struct authority *authority_new(void)
{
    struct authority *a = calloc(1, sizeof(*a));
    assert_non_null(a);
    a->key = EVP_EC_gen("P-256");
    assert_non_null(a->key);
    a->own = certify(a, a->key, "test authority", NID_basic_constraints, "critical,CA:TRUE",
                     AUTHORITY_NOW - HOUR);
    return a;
}

void authority_free(struct authority *a)
{
    X509_free(a->own);
    EVP_PKEY_free(a->key);
    free(a);
}

void authority_own(const struct authority *a, struct authority_der *ret)
{
    to_der(a->own, ret);
}

void authority_issue(struct authority *a, const struct private_key *key, const char *alt_name,
                     int days, struct authority_der *ret)
{
    char *pem;
    assert_int_equal(private_key_to_pem(key, &pem), ERR_OK);
    BIO *bio = BIO_new_mem_buf(pem, -1);
    EVP_PKEY *pkey = PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL);
    assert_non_null(pkey);
    X509 *x509 = certify(a, pkey, "peer", NID_subject_alt_name, alt_name,
                         AUTHORITY_NOW - HOUR + (int64_t)days * DAY);
    to_der(x509, ret);
    X509_free(x509);
    EVP_PKEY_free(pkey);
    BIO_free(bio);
    free(pem);
}

void authority_revoke_last(struct authority *a, struct authority_der *ret)
{
    X509_CRL *crl = X509_CRL_new();
    X509_REVOKED *revoked = X509_REVOKED_new();
    ASN1_INTEGER *serial = ASN1_INTEGER_new();
    ASN1_TIME *at = ASN1_TIME_set(NULL, AUTHORITY_NOW - HOUR);
    ASN1_TIME *next = ASN1_TIME_set(NULL, AUTHORITY_NOW + DAY);
    unsigned char *out = ret->octets;

    assert_int_equal(ASN1_INTEGER_set(serial, a->serial), 1);
    assert_int_equal(X509_CRL_set_version(crl, 1), 1);
    assert_int_equal(X509_CRL_set_issuer_name(crl, X509_get_subject_name(a->own)), 1);
    assert_int_equal(X509_CRL_set1_lastUpdate(crl, at), 1);
    assert_int_equal(X509_CRL_set1_nextUpdate(crl, next), 1);
    assert_int_equal(X509_REVOKED_set_serialNumber(revoked, serial), 1);
    assert_int_equal(X509_REVOKED_set_revocationDate(revoked, at), 1);
    assert_int_equal(X509_CRL_add0_revoked(crl, revoked), 1);
    assert_true(X509_CRL_sign(crl, a->key, EVP_sha256()) > 0);
    assert_in_range(i2d_X509_CRL(crl, NULL), 1, AUTHORITY_DER_MAX);
    ret->len = (size_t)i2d_X509_CRL(crl, &out);
    ASN1_INTEGER_free(serial);
    ASN1_TIME_free(at);
    ASN1_TIME_free(next);
    X509_CRL_free(crl);
}
