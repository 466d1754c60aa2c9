/*
 * Certificates, chains and revocation lists, made here with libcrypto as an authority would make
 * them, so that none of them ever expires under the test.
 */
#include "crypto/library.h"

#include "check.h"

#include "crypto/certificate.h"
#include "crypto/hash.h"

enum { NOW = 1700000000, DAY = 86400 };

/* One party: a key, its certificate and the DER of that. */
struct party {
    EVP_PKEY *pkey;
    X509 *x509;
    uint8_t der[4096];
    size_t der_len;
};

static struct party root, middle, leaf, stranger;

struct spec {
    const char *cn;
    const char *alt_names; /* NULL: none */
    const char *constraints, *usage;
    int64_t from, to;
    long serial;
};

static void add_extension(X509 *x509, X509 *issuer, int nid, const char *value)
{
    X509V3_CTX ctx;
    X509V3_set_ctx(&ctx, issuer, x509, NULL, NULL, 0);
    X509_EXTENSION *ext = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
    assert_non_null(ext);
    assert_int_equal(X509_add_ext(x509, ext, -1), 1);
    X509_EXTENSION_free(ext);
}

static void set_name(X509_NAME *name, const char *cn)
{
    const uint8_t *octets = (const uint8_t *)cn;
    assert_int_equal(
        X509_NAME_add_entry_by_txt(name, "O", MBSTRING_ASC, (const uint8_t *)"Lab", -1, -1, 0), 1);
    assert_int_equal(X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, octets, -1, -1, 0), 1);
}

/* issuer NULL: signed by itself. */
static void make(struct party *ret, const struct party *issuer, const struct spec *spec)
{
    ret->pkey = EVP_EC_gen("P-256");
    ret->x509 = X509_new();
    assert_non_null(ret->pkey);
    X509 *x = ret->x509, *issuer_x = issuer != NULL ? issuer->x509 : x;
    X509_set_version(x, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(x), spec->serial);
    ASN1_TIME_set(X509_getm_notBefore(x), spec->from);
    ASN1_TIME_set(X509_getm_notAfter(x), spec->to);
    set_name(X509_get_subject_name(x), spec->cn);
    X509_set_issuer_name(x, X509_get_subject_name(issuer_x));
    X509_set_pubkey(x, ret->pkey);
    if (spec->constraints != NULL)
        add_extension(x, issuer_x, NID_basic_constraints, spec->constraints);
    if (spec->usage != NULL)
        add_extension(x, issuer_x, NID_key_usage, spec->usage);
    if (spec->alt_names != NULL)
        add_extension(x, issuer_x, NID_subject_alt_name, spec->alt_names);
    assert_true(X509_sign(x, issuer != NULL ? issuer->pkey : ret->pkey, EVP_sha256()) > 0);
    uint8_t *at = ret->der;
    ret->der_len = (size_t)i2d_X509(x, &at);
    assert_true(ret->der_len <= sizeof(ret->der));
}

static void forget(struct party *party)
{
    X509_free(party->x509);
    EVP_PKEY_free(party->pkey);
}

static struct view der_of(const struct party *party)
{
    return view_of(party->der, party->der_len);
}

#define CA "critical,CA:TRUE"
#define CA_USAGE "critical,keyCertSign,cRLSign"
#define LEAF_NAMES                                                                                 \
    "DNS:gw.example.net,DNS:*.wild.example,email:Admin@Example.net,IP:192.0.2.1,IP:2001:db8::1"

static int make_all(void **state)
{
    (void)state;
    make(&root, NULL,
         &(struct spec){"root", NULL, CA, CA_USAGE, NOW - 900 * DAY, NOW + 900 * DAY, 1});
    make(&middle, &root,
         &(struct spec){"middle", NULL, CA, CA_USAGE, NOW - 90 * DAY, NOW + 90 * DAY, 2});
    make(&leaf, &middle,
         &(struct spec){"gw", LEAF_NAMES, NULL, "digitalSignature", NOW - 9 * DAY, NOW + 9 * DAY,
                        3});
    make(&stranger, NULL,
         &(struct spec){"root", NULL, CA, CA_USAGE, NOW - 900 * DAY, NOW + 900 * DAY, 1});
    return 0;
}

static int forget_all(void **state)
{
    (void)state;
    forget(&root), forget(&middle), forget(&leaf), forget(&stranger);
    return 0;
}

static struct certificate *parse(const struct party *party)
{
    struct certificate *cert = NULL;
    assert_int_equal(certificate_from_der(der_of(party), &cert), ERR_OK);
    return cert;
}

static struct trust *trust_in(const struct party *anchor, enum trust_crl policy)
{
    struct trust *trust = NULL;
    assert_int_equal(trust_new(policy, &trust), ERR_OK);
    assert_int_equal(trust_add_anchor(trust, der_of(anchor)), ERR_OK);
    return trust;
}

static enum err check_leaf(const struct trust *trust, const struct party *who, bool send_middle,
                           int64_t now)
{
    struct certificate *cert = parse(who);
    struct view others[] = {view_of_text("not a certificate"), der_of(&middle)};
    const char *reason = NULL;
    enum err err = trust_check(trust, cert, others, send_middle ? 2 : 1, now, &reason);
    assert_int_equal(reason != NULL, err != ERR_OK);
    certificate_free(cert);
    return err;
}

static void test_contents(void **state)
{
    (void)state;
    struct certificate *cert = parse(&leaf), *ca = parse(&root);
    struct ip_addr addr;
    uint8_t hash[20], spki[SPKI_MAX], want[HASH_MAX];
    size_t spki_len = 0;
    char text[X500_NAME_TEXT_MAX];
    check_view(certificate_der(cert), der_of(&leaf));
    assert_string_equal(x500_name_format(certificate_subject(cert), text), "O=Lab, CN=gw");
    assert_int_equal(certificate_key(cert)->alg, KEY_ECDSA_P256);
    assert_false(certificate_is_ca(cert));
    assert_true(certificate_is_ca(ca));
    assert_int_equal(public_key_to_spki(certificate_key(ca), spki, &spki_len), ERR_OK);
    struct view spki_view = view_of(spki, spki_len);
    assert_int_equal(hash_digest(HASH_SHA1, &spki_view, 1, want), ERR_OK);
    assert_int_equal(certificate_ca_hash(ca, hash), ERR_OK);
    assert_memory_equal(hash, want, 20);
    assert_true(certificate_has_name(cert, view_of_text("gw.example.net")));
    assert_true(certificate_has_name(cert, view_of_text("GW.Example.net")));
    static const char *const not_names[] = {"example.net",     "gw", "x.wild.example",
                                            "gw.example.net.", "",   "192.0.2.1",
                                            "a.gw.example.net"};
    for (size_t i = 0; i < CHECK_COUNT(not_names); i++)
        assert_false(certificate_has_name(cert, view_of_text(not_names[i])));
    assert_false(certificate_has_name(cert, view_of("gw.example.net\0", 15)));
    assert_true(certificate_has_email(cert, view_of_text("Admin@example.NET")));
    assert_false(certificate_has_email(cert, view_of_text("admin@example.net")));
    assert_false(certificate_has_email(cert, view_of_text("example.net")));
    assert_true(ip_addr_parse("192.0.2.1", &addr) && certificate_has_addr(cert, &addr));
    assert_true(ip_addr_parse("2001:db8::1", &addr) && certificate_has_addr(cert, &addr));
    assert_true(ip_addr_parse("192.0.2.2", &addr) && !certificate_has_addr(cert, &addr));
    addr = (struct ip_addr){0};
    assert_false(certificate_has_addr(cert, &addr));
    assert_true(certificate_has_subject(cert, certificate_subject(cert)));
    assert_false(certificate_has_subject(cert, certificate_subject(ca)));
    certificate_free(cert);
    certificate_free(ca);
    certificate_free(NULL);
}

static void test_names(void **state)
{
    (void)state;
    uint8_t der[X500_NAME_TEXT_MAX], again[X500_NAME_TEXT_MAX];
    size_t len = 0, again_len = 0;
    char text[X500_NAME_TEXT_MAX];
    assert_int_equal(x500_name_parse("C=CH, O=Lab, CN=gw", der, &len), ERR_OK);
    assert_string_equal(x500_name_format(view_of(der, len), text), "C=CH, O=Lab, CN=gw");
    assert_int_equal(x500_name_parse("C=ch,O=LAB,CN=Gw", again, &again_len), ERR_OK);
    assert_true(x500_name_equal(view_of(der, len), view_of(again, again_len)));
    assert_int_equal(x500_name_parse("C=CH,CN=gw", again, &again_len), ERR_OK);
    assert_false(x500_name_equal(view_of(der, len), view_of(again, again_len)));
    assert_int_equal(x500_name_parse("CN=a\\,b", again, &again_len), ERR_OK);
    assert_true(memmem(again, again_len, "a,b", 3) != NULL);
    static const char *const bad[] = {"", "gw", "CN=", "CN=gw,", "XX=gw", "=gw", "CN=a,,CN=b"};
    for (size_t i = 0; i < CHECK_COUNT(bad); i++)
        assert_int_equal(x500_name_parse(bad[i], again, &again_len), ERR_VALUE);
    uint8_t empty[] = {0x30, 0};
    assert_false(x500_name_equal(view_of(empty, 2), view_of(empty, 2)));
    for (size_t cut = 0; cut < len; cut++)
        assert_string_equal(x500_name_format(view_of(der, cut), text), "?");
}

static void test_damaged(void **state)
{
    (void)state;
    struct certificate *cert = NULL;
    uint8_t copy[4096];
    for (size_t cut = 0; cut < leaf.der_len; cut++)
        assert_int_equal(certificate_from_der(view_of(leaf.der, cut), &cert), ERR_VALUE);
    memcpy(copy, leaf.der, leaf.der_len);
    copy[leaf.der_len] = 0;
    assert_int_equal(certificate_from_der(view_of(copy, leaf.der_len + 1), &cert), ERR_VALUE);
    struct trust *trust = trust_in(&root, TRUST_CRL_IF_PRESENT);
    struct view others = der_of(&middle);
    const char *reason;
    for (size_t at = 0; at < leaf.der_len; at++) {
        copy[at] ^= 0x20;
        if (certificate_from_der(view_of(copy, leaf.der_len), &cert) == ERR_OK) {
            assert_int_equal(trust_check(trust, cert, &others, 1, NOW, &reason), ERR_AUTH);
            certificate_free(cert);
        }
        copy[at] ^= 0x20;
    }
    trust_free(trust);
}

static void test_chain(void **state)
{
    (void)state;
    struct trust *trust = trust_in(&root, TRUST_CRL_IF_PRESENT);
    assert_int_equal(check_leaf(trust, &leaf, true, NOW), ERR_OK);
    assert_int_equal(check_leaf(trust, &leaf, false, NOW), ERR_AUTH); /* a link is missing */
    assert_int_equal(check_leaf(trust, &leaf, true, NOW + 10 * DAY), ERR_AUTH);
    assert_int_equal(check_leaf(trust, &leaf, true, NOW - 10 * DAY), ERR_AUTH);
    trust_free(trust);
    trust = trust_in(&stranger, TRUST_CRL_IF_PRESENT); /* the same name, another key */
    assert_int_equal(check_leaf(trust, &leaf, true, NOW), ERR_AUTH);
    trust_free(trust);
    trust = trust_in(&middle, TRUST_CRL_IF_PRESENT); /* trusted though somebody is above it */
    assert_int_equal(check_leaf(trust, &leaf, false, NOW), ERR_OK);
    assert_int_equal(trust_add_anchor(trust, der_of(&leaf)), ERR_VALUE);
    assert_int_equal(trust_add_anchor(trust, view_of_text("x")), ERR_VALUE);
    trust_free(trust);
    trust_free(NULL);
}

static void test_wrong_use(void **state)
{
    (void)state;
    static const struct {
        struct spec spec;
        bool good;
    } rows[] = {
        {{"a", NULL, NULL, NULL, NOW - DAY, NOW + DAY, 10}, true},
        {{"b", NULL, NULL, "nonRepudiation", NOW - DAY, NOW + DAY, 11}, true},
        {{"c", NULL, NULL, "keyEncipherment", NOW - DAY, NOW + DAY, 12}, false},
    };
    struct trust *trust = trust_in(&root, TRUST_CRL_IF_PRESENT);
    for (size_t i = 0; i < CHECK_COUNT(rows); i++) {
        struct party party;
        make(&party, &middle, &rows[i].spec);
        assert_int_equal(check_leaf(trust, &party, true, NOW), rows[i].good ? ERR_OK : ERR_AUTH);
        forget(&party);
    }
    /* An end entity signs nobody. */
    struct party below;
    make(&below, &leaf, &(struct spec){"d", NULL, NULL, NULL, NOW - DAY, NOW + DAY, 13});
    struct certificate *cert = parse(&below);
    struct view others[] = {der_of(&leaf), der_of(&middle)};
    const char *reason = NULL;
    assert_int_equal(trust_check(trust, cert, others, 2, NOW, &reason), ERR_AUTH);
    certificate_free(cert);
    forget(&below);
    trust_free(trust);
}

static void add_crl(struct trust *trust, const struct party *issuer, long revoked, int64_t next)
{
    X509_CRL *crl = X509_CRL_new();
    ASN1_TIME *at = ASN1_TIME_set(NULL, NOW - 2 * DAY);
    uint8_t *der = NULL;
    X509_CRL_set_version(crl, 1);
    X509_CRL_set_issuer_name(crl, X509_get_subject_name(issuer->x509));
    X509_CRL_set1_lastUpdate(crl, at);
    ASN1_TIME_set(at, next);
    X509_CRL_set1_nextUpdate(crl, at);
    if (revoked != 0) {
        X509_REVOKED *entry = X509_REVOKED_new();
        ASN1_INTEGER *serial = ASN1_INTEGER_new();
        ASN1_INTEGER_set(serial, revoked);
        X509_REVOKED_set_serialNumber(entry, serial);
        ASN1_TIME_set(at, NOW - 3 * DAY);
        X509_REVOKED_set_revocationDate(entry, at);
        X509_CRL_add0_revoked(crl, entry);
        ASN1_INTEGER_free(serial);
    }
    assert_true(X509_CRL_sign(crl, issuer->pkey, EVP_sha256()) > 0);
    int len = i2d_X509_CRL(crl, &der);
    assert_int_equal(trust_add_crl(trust, view_of(der, (size_t)len)), ERR_OK);
    assert_int_equal(trust_add_crl(trust, view_of(der, (size_t)len - 1)), ERR_VALUE);
    OPENSSL_free(der);
    ASN1_TIME_free(at);
    X509_CRL_free(crl);
}

static void test_revocation(void **state)
{
    (void)state;
    struct trust *trust = trust_in(&root, TRUST_CRL_IF_PRESENT);
    add_crl(trust, &middle, 99, NOW + DAY);
    assert_int_equal(check_leaf(trust, &leaf, true, NOW), ERR_OK);
    trust_free(trust);
    trust = trust_in(&root, TRUST_CRL_IF_PRESENT);
    add_crl(trust, &middle, 3, NOW + DAY);
    assert_int_equal(check_leaf(trust, &leaf, true, NOW), ERR_AUTH);
    trust_free(trust);
    trust = trust_in(&root, TRUST_CRL_IF_PRESENT);
    add_crl(trust, &root, 2, NOW + DAY); /* the authority between */
    assert_int_equal(check_leaf(trust, &leaf, true, NOW), ERR_AUTH);
    trust_free(trust);
    trust = trust_in(&root, TRUST_CRL_IF_PRESENT);
    add_crl(trust, &middle, 3, NOW - DAY); /* out of date, and obeyed */
    assert_int_equal(check_leaf(trust, &leaf, true, NOW), ERR_AUTH);
    trust_free(trust);
}

static void test_revocation_required(void **state)
{
    (void)state;
    struct trust *trust = trust_in(&root, TRUST_CRL_REQUIRED);
    assert_int_equal(check_leaf(trust, &leaf, true, NOW), ERR_AUTH);
    add_crl(trust, &middle, 0, NOW + DAY);
    assert_int_equal(check_leaf(trust, &leaf, true, NOW), ERR_AUTH); /* none for middle */
    add_crl(trust, &root, 0, NOW + DAY);
    assert_int_equal(check_leaf(trust, &leaf, true, NOW), ERR_OK);
    assert_int_equal(check_leaf(trust, &leaf, true, NOW + 2 * DAY), ERR_AUTH); /* out of date */
    trust_free(trust);
    trust = trust_in(&root, TRUST_CRL_REQUIRED);
    add_crl(trust, &middle, 0, NOW + DAY);
    add_crl(trust, &stranger, 0, NOW + DAY); /* has the root's name and not its key */
    assert_int_equal(check_leaf(trust, &leaf, true, NOW), ERR_AUTH);
    trust_free(trust);
    trust = trust_in(&middle, TRUST_CRL_REQUIRED);
    add_crl(trust, &middle, 0, NOW + DAY);
    assert_int_equal(check_leaf(trust, &leaf, false, NOW), ERR_OK); /* the anchor needs none */
    trust_free(trust);
}

static void test_pem(void **state)
{
    (void)state;
    BIO *bio = BIO_new(BIO_s_mem());
    char *data = NULL;
    BIO_puts(bio, "a comment\n");
    PEM_write_bio_X509(bio, leaf.x509);
    PEM_write_bio_X509(bio, middle.x509);
    long len = BIO_get_mem_data(bio, &data);
    struct view rest = view_of(data, (size_t)len);
    struct certificate *first = NULL, *second = NULL, *third = NULL;
    assert_int_equal(certificate_from_pem(rest, &first, &rest), ERR_OK);
    assert_int_equal(certificate_from_pem(rest, &second, &rest), ERR_OK);
    assert_int_equal(certificate_from_pem(rest, &third, &rest), ERR_MISSING);
    check_view(certificate_der(first), der_of(&leaf));
    check_view(certificate_der(second), der_of(&middle));
    assert_int_equal(certificate_from_pem(view_of(data, 60), &third, &rest), ERR_MISSING);
    data[80] = '!';
    assert_int_equal(certificate_from_pem(view_of(data, (size_t)len), &third, &rest), ERR_VALUE);
    certificate_free(first);
    certificate_free(second);
    BIO_free(bio);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_contents),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_damaged),
        cmocka_unit_test(test_chain),
        cmocka_unit_test(test_wrong_use),
        cmocka_unit_test(test_revocation),
        cmocka_unit_test(test_revocation_required),
        cmocka_unit_test(test_pem),
    };
    return cmocka_run_group_tests(tests, make_all, forget_all);
}
