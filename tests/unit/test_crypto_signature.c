/*
 * Keys of every algorithm and every signature scheme: RFC 4754 section 8, RFC 7427 appendix A, and
 * each scheme against each key.
 */
#include "check.h"
#include "ike2_vectors.h"
#include "unhex.h"

#include "crypto/signature.h"

#include <stdlib.h>

static struct private_key *keys[KEY_ALG_COUNT];

static int make_keys(void **state)
{
    (void)state;
    for (unsigned alg = KEY_RSA; alg < KEY_ALG_COUNT; alg++)
        if (private_key_generate_alg((enum key_alg)alg, 2048, &keys[alg]) != ERR_OK)
            return -1;
    return 0;
}

static int free_keys(void **state)
{
    (void)state;
    for (unsigned alg = KEY_RSA; alg < KEY_ALG_COUNT; alg++)
        private_key_free(keys[alg]);
    return 0;
}

static struct public_key public_of(unsigned alg)
{
    struct public_key key;
    private_key_public(keys[alg], &key);
    return key;
}

static void test_ecdsa_vectors(void **state)
{
    (void)state;
    struct view message = view_of_text("abc");
    for (size_t i = 0; i < CHECK_COUNT(ecdsa_vectors); i++) {
        const struct ecdsa_vector *v = &ecdsa_vectors[i];
        uint8_t point[132], signature[132];
        struct public_key key;
        struct view point_view = unhex_view(v->point, point, sizeof(point));
        struct view signature_view = unhex_view(v->signature, signature, sizeof(signature));
        assert_int_equal(public_key_from_octets(v->alg, point_view, &key), ERR_OK);
        assert_int_equal(public_key_verify(&key, v->scheme, message, signature_view), ERR_OK);
        signature[signature_view.len - 1] ^= 1;
        assert_int_equal(public_key_verify(&key, v->scheme, message, signature_view), ERR_AUTH);
        point[point_view.len - 1] ^= 1; /* no longer on the curve */
        assert_int_equal(public_key_from_octets(v->alg, point_view, &key), ERR_VALUE);
    }
}

/* Every scheme with every key: it works where it fits, and nowhere else. */
static void test_every_scheme(void **state)
{
    (void)state;
    uint8_t hash[32] = {1, 2, 3};
    struct view message = view_of(hash, sizeof(hash));
    for (unsigned alg = KEY_RSA; alg < KEY_ALG_COUNT; alg++) {
        struct public_key key = public_of(alg);
        for (unsigned i = 0; i < SIGNATURE_SCHEME_COUNT; i++) {
            enum signature_scheme scheme = (enum signature_scheme)i;
            uint8_t signature[SIGNATURE_MAX];
            size_t len = 0;
            enum err err = private_key_sign(keys[alg], scheme, message, signature, &len);
            assert_int_equal(err, signature_scheme_fits(scheme, alg) ? ERR_OK : ERR_VALUE);
            if (err != ERR_OK) {
                assert_int_equal(public_key_verify(&key, scheme, message, view_of(signature, 256)),
                                 ERR_AUTH);
                continue;
            }
            struct view made = view_of(signature, len);
            assert_int_equal(public_key_verify(&key, scheme, message, made), ERR_OK);
            hash[5] ^= 1;
            assert_int_equal(public_key_verify(&key, scheme, message, made), ERR_AUTH);
            hash[5] ^= 1;
            signature[len / 2] ^= 4;
            assert_int_equal(public_key_verify(&key, scheme, message, made), ERR_AUTH);
            signature[len / 2] ^= 4;
            assert_int_equal(public_key_verify(&key, scheme, message, view_of(signature, len - 1)),
                             ERR_AUTH);
            assert_int_equal(public_key_verify(&key, scheme, message, view_of(signature, 0)),
                             ERR_AUTH);
        }
    }
}

/* A signature of one scheme is none of another, even with the same key. */
static void test_schemes_differ(void **state)
{
    (void)state;
    struct view message = view_of_text("what was said before");
    for (unsigned alg = KEY_RSA; alg < KEY_ALG_COUNT; alg++) {
        struct public_key key = public_of(alg);
        for (unsigned i = 0; i < SIGNATURE_SCHEME_COUNT; i++) {
            uint8_t signature[SIGNATURE_MAX];
            size_t len = 0;
            if (private_key_sign(keys[alg], (enum signature_scheme)i, message, signature, &len) !=
                ERR_OK)
                continue;
            for (unsigned k = 0; k < SIGNATURE_SCHEME_COUNT; k++)
                if (k != i)
                    assert_int_equal(public_key_verify(&key, (enum signature_scheme)k, message,
                                                       view_of(signature, len)),
                                     ERR_AUTH);
        }
    }
}

static void test_spki_round_trip(void **state)
{
    (void)state;
    for (unsigned alg = KEY_RSA; alg < KEY_ALG_COUNT; alg++) {
        struct public_key key = public_of(alg), again;
        uint8_t der[SPKI_MAX + 1];
        size_t len = 0;
        assert_int_equal(public_key_to_spki(&key, der, &len), ERR_OK);
        assert_int_equal(public_key_from_spki(view_of(der, len), &again), ERR_OK);
        assert_memory_equal(&key, &again, sizeof(key));
        for (size_t cut = 0; cut < len; cut++)
            assert_int_not_equal(public_key_from_spki(view_of(der, cut), &again), ERR_OK);
        der[len] = 0;
        assert_int_equal(public_key_from_spki(view_of(der, len + 1), &again), ERR_VALUE);
        char text[PUBLIC_KEY_TEXT_MAX];
        assert_true(strlen(public_key_format(&key, text)) > 12);
        assert_true(public_key_bits(&key) >= 256);
    }
    struct public_key none = {0};
    uint8_t der[SPKI_MAX];
    size_t len;
    assert_int_equal(public_key_to_spki(&none, der, &len), ERR_VALUE);
}

static void test_pem_round_trip(void **state)
{
    (void)state;
    for (unsigned alg = KEY_RSA; alg < KEY_ALG_COUNT; alg++) {
        struct private_key *again = NULL;
        struct public_key key = public_of(alg), key_again;
        char *pem = NULL;
        assert_int_equal(private_key_to_pem(keys[alg], &pem), ERR_OK);
        assert_int_equal(private_key_from_pem(view_of_text(pem), &again), ERR_OK);
        private_key_public(again, &key_again);
        assert_true(public_key_equal(&key, &key_again));
        private_key_free(again);
        free(pem);
    }
}

/* RFC 7427 appendix A, RFC 8410 section 3 */
static const struct {
    enum signature_scheme scheme;
    const char *der;
    bool ours; /* what we write */
} identifiers[] = {
    {SIGNATURE_RSA_SHA2_256, "300d06092a864886f70d01010b0500", true},
    {SIGNATURE_RSA_SHA2_384, "300d06092a864886f70d01010c0500", true},
    {SIGNATURE_RSA_SHA2_512, "300d06092a864886f70d01010d0500", true},
    {SIGNATURE_ECDSA_SHA2_256, "300a06082a8648ce3d040302", true},
    {SIGNATURE_ECDSA_SHA2_384, "300a06082a8648ce3d040303", true},
    {SIGNATURE_ECDSA_SHA2_512, "300a06082a8648ce3d040304", true},
    {SIGNATURE_ED25519, "300506032b6570", true},
    {SIGNATURE_ED448, "300506032b6571", true},
    {SIGNATURE_PSS_SHA2_256,
     "304606092a864886f70d01010a3039a00f300d06096086480165030402010500a11c301a06092a864886f70d"
     "010108300d06096086480165030402010500a203020120a303020101",
     false},
    {SIGNATURE_RSA_SHA2_256, "300b06092a864886f70d01010b", false},
    {SIGNATURE_ECDSA_SHA2_256, "300c06082a8648ce3d0403020500", false},
    {SIGNATURE_UNKNOWN, "300d06092a864886f70d0101050500", false}, /* SHA-1 */
    {SIGNATURE_UNKNOWN, "300906072a8648ce3d0401", false},
    {SIGNATURE_UNKNOWN, "300d06092a864886f70d01010a3000", false}, /* PSS, all defaults */
    {SIGNATURE_UNKNOWN,
     "303e06092a864886f70d01010a3031a00b300906052b0e03021a0500a118301606092a864886f70d010108"
     "300906052b0e03021a0500a203020114a303020101",
     false},
    {SIGNATURE_UNKNOWN, /* MGF1 with another hash */
     "304606092a864886f70d01010a3039a00f300d06096086480165030402010500a11c301a06092a864886f70d"
     "010108300d06096086480165030402020500a203020120a303020101",
     false},
    {SIGNATURE_UNKNOWN, /* another salt */
     "304606092a864886f70d01010a3039a00f300d06096086480165030402010500a11c301a06092a864886f70d"
     "010108300d06096086480165030402010500a203020114a303020101",
     false},
    {SIGNATURE_UNKNOWN, "3000", false},
};

static void test_identifiers(void **state)
{
    (void)state;
    uint8_t room[256];
    for (size_t i = 0; i < CHECK_COUNT(identifiers); i++) {
        struct view der = unhex_view(identifiers[i].der, room, sizeof(room));
        assert_int_equal(signature_scheme_of_identifier(der), identifiers[i].scheme);
        if (identifiers[i].ours)
            check_view(signature_scheme_identifier(identifiers[i].scheme), der);
        for (size_t cut = 0; cut < der.len; cut++)
            assert_int_equal(signature_scheme_of_identifier(view_of(room, cut)), SIGNATURE_UNKNOWN);
    }
    for (unsigned i = 0; i < SIGNATURE_SCHEME_COUNT; i++) {
        struct view der = signature_scheme_identifier((enum signature_scheme)i);
        assert_int_equal(der.len != 0, signature_scheme_method((enum signature_scheme)i) == 14);
        if (der.len != 0)
            assert_int_equal(signature_scheme_of_identifier(der), i);
    }
}

static void test_choosing(void **state)
{
    (void)state;
    struct public_key rsa = public_of(KEY_RSA), p384 = public_of(KEY_ECDSA_P384),
                      ed = public_of(KEY_ED25519);
    unsigned sha256 = 1u << SIGNATURE_HASH_SHA2_256, sha512 = 1u << SIGNATURE_HASH_SHA2_512,
             identity = 1u << SIGNATURE_HASH_IDENTITY, sha1 = 1u << SIGNATURE_HASH_SHA1;
    assert_int_equal(signature_scheme_choose(&rsa, sha256, false), SIGNATURE_RSA_SHA2_256);
    assert_int_equal(signature_scheme_choose(&rsa, sha256, true), SIGNATURE_PSS_SHA2_256);
    assert_int_equal(signature_scheme_choose(&rsa, sha512 | identity, true),
                     SIGNATURE_PSS_SHA2_512);
    assert_int_equal(signature_scheme_choose(&rsa, sha1, true), SIGNATURE_UNKNOWN);
    assert_int_equal(signature_scheme_choose(&rsa, identity, true), SIGNATURE_UNKNOWN);
    assert_int_equal(signature_scheme_choose(&p384, sha256 | sha512, true),
                     SIGNATURE_ECDSA_SHA2_256);
    assert_int_equal(signature_scheme_choose(&p384, 0xff, true), SIGNATURE_ECDSA_SHA2_384);
    assert_int_equal(signature_scheme_choose(&ed, 0xff, true), SIGNATURE_ED25519);
    assert_int_equal(signature_scheme_choose(&ed, sha256, true), SIGNATURE_UNKNOWN);
    assert_int_equal(signature_scheme_plain(&rsa), SIGNATURE_RSA_SHA1);
    assert_int_equal(signature_scheme_plain(&p384), SIGNATURE_ECDSA_384);
    assert_int_equal(signature_scheme_plain(&ed), SIGNATURE_UNKNOWN);
    for (unsigned alg = KEY_RSA; alg <= KEY_ECDSA_P521; alg++) {
        struct public_key key = public_of(alg);
        enum signature_scheme plain = signature_scheme_plain(&key);
        assert_int_equal(signature_scheme_of_method(signature_scheme_method(plain)), plain);
    }
    assert_int_equal(signature_scheme_of_method(14), SIGNATURE_UNKNOWN);
    assert_int_equal(signature_scheme_of_method(0), SIGNATURE_UNKNOWN);
    assert_int_equal(signature_scheme_of_method(2), SIGNATURE_UNKNOWN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ecdsa_vectors),  cmocka_unit_test(test_every_scheme),
        cmocka_unit_test(test_schemes_differ), cmocka_unit_test(test_spki_round_trip),
        cmocka_unit_test(test_pem_round_trip), cmocka_unit_test(test_identifiers),
        cmocka_unit_test(test_choosing),
    };
    return cmocka_run_group_tests(tests, make_keys, free_keys);
}
