/* DER that peers send: certificates, Names, SubjectPublicKeyInfos, signature algorithms. */
#include "fuzz.h"

#include "crypto/certificate.h"
#include "crypto/signature.h"

static void fuzz_certificate(struct view der)
{
    struct certificate *cert = NULL;
    char text[X500_NAME_TEXT_MAX];
    uint8_t hash[CERTIFICATE_CA_HASH_LEN];
    struct ip_addr addr = ip_addr_v4(0xc0000201);
    if (certificate_from_der(der, &cert) != ERR_OK)
        return;
    struct view subject = certificate_subject(cert);
    assert(strlen(x500_name_format(subject, text)) < sizeof(text));
    (void)certificate_is_ca(cert);
    (void)certificate_has_name(cert, view_of_text("gw.example.net"));
    (void)certificate_has_email(cert, view_of_text("a@example.net"));
    (void)certificate_has_addr(cert, &addr);
    (void)certificate_has_subject(cert, subject);
    assert(certificate_ca_hash(cert, hash) == ERR_OK);
    assert(certificate_key(cert)->alg != KEY_NONE);
    certificate_free(cert);
}

static void fuzz_spki(struct view der)
{
    struct public_key key, again;
    uint8_t out[SPKI_MAX];
    size_t len = 0;
    if (public_key_from_spki(der, &key) != ERR_OK)
        return;
    assert(public_key_to_spki(&key, out, &len) == ERR_OK);
    assert(public_key_from_spki(view_of(out, len), &again) == ERR_OK);
    assert(public_key_equal(&key, &again));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct view der = view_of(data, len);
    char text[X500_NAME_TEXT_MAX];
    fuzz_certificate(der);
    fuzz_spki(der);
    (void)x500_name_format(der, text);
    (void)x500_name_equal(der, der);
    enum signature_scheme scheme = signature_scheme_of_identifier(der);
    assert(scheme == SIGNATURE_UNKNOWN || signature_scheme_method(scheme) == 14);
    return 0;
}
