/* RSA keys in RFC 3110 form, their PEM files, and IKEv1's signatures (RFC 2409 section 5.1). */
#include "crypto/key.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

static struct private_key *shared_key; /* making one takes long */

static int make_key(void **state)
{
    (void)state;
    return private_key_generate(2048, &shared_key) == ERR_OK ? 0 : -1;
}

static int free_key(void **state)
{
    (void)state;
    private_key_free(shared_key);
    private_key_free(NULL);
    return 0;
}

static struct public_key shared_public(void)
{
    struct public_key key;
    private_key_public(shared_key, &key);
    return key;
}

/* IKE-068: hashes of every length that IKEv1 signs. */
static void test_sign_and_verify(void **state)
{
    (void)state;
    static const size_t lengths[] = {16, 20, 32, 48, 64};
    struct public_key key = shared_public();
    assert_int_equal(private_key_signature_len(shared_key), 256);
    for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
        uint8_t hash[64], signature[256], again[256];
        memset(hash, 0xa5, sizeof(hash));
        struct view hash_view = view_of(hash, lengths[i]);
        assert_int_equal(private_key_sign_ike1(shared_key, hash_view, signature), ERR_OK);
        assert_int_equal(public_key_verify_ike1(&key, hash_view, view_of(signature, 256)), ERR_OK);
        assert_int_equal(private_key_sign_ike1(shared_key, hash_view, again), ERR_OK);
        assert_memory_equal(signature, again, 256); /* v1.5 has no salt */
    }
}

static void test_tampering(void **state)
{
    (void)state;
    struct public_key key = shared_public();
    uint8_t hash[20] = {1, 2, 3}, signature[257] = {0};
    struct view hash_view = view_of(hash, sizeof(hash));
    struct view signature_view = view_of(signature, 256);
    assert_int_equal(private_key_sign_ike1(shared_key, hash_view, signature), ERR_OK);
    for (size_t i = 0; i < 256; i++) {
        signature[i] ^= 0x10;
        assert_int_equal(public_key_verify_ike1(&key, hash_view, signature_view), ERR_AUTH);
        signature[i] ^= 0x10;
    }
    for (size_t i = 0; i < sizeof(hash); i++) {
        hash[i] ^= 1;
        assert_int_equal(public_key_verify_ike1(&key, hash_view, signature_view), ERR_AUTH);
        hash[i] ^= 1;
    }
    for (size_t len = 0; len <= 257; len++)
        assert_int_equal(public_key_verify_ike1(&key, hash_view, view_of(signature, len)),
                         len == 256 ? ERR_OK : ERR_AUTH);
    for (size_t len = 0; len < sizeof(hash); len++)
        assert_int_equal(public_key_verify_ike1(&key, view_of(hash, len), signature_view),
                         ERR_AUTH);
}

static void test_other_key(void **state)
{
    (void)state;
    struct private_key *other = NULL;
    uint8_t hash[32] = {7}, signature[384];
    assert_int_equal(private_key_generate(3072, &other), ERR_OK);
    assert_int_equal(private_key_signature_len(other), 384);
    struct public_key key = shared_public(), other_key;
    private_key_public(other, &other_key);
    assert_int_equal(public_key_bits(&other_key), 3072);
    assert_false(public_key_equal(&key, &other_key));
    struct view hash_view = view_of(hash, sizeof(hash));
    assert_int_equal(private_key_sign_ike1(other, hash_view, signature), ERR_OK);
    assert_int_equal(public_key_verify_ike1(&other_key, hash_view, view_of(signature, 384)),
                     ERR_OK);
    assert_int_equal(public_key_verify_ike1(&key, hash_view, view_of(signature, 384)), ERR_AUTH);
    assert_int_equal(public_key_verify_ike1(&key, hash_view, view_of(signature, 256)), ERR_AUTH);
    private_key_free(other);
}

static void test_pem_round_trip(void **state)
{
    (void)state;
    char *pem = NULL, *pem_again = NULL;
    struct private_key *loaded = NULL;
    assert_int_equal(private_key_to_pem(shared_key, &pem), ERR_OK);
    assert_ptr_equal(strstr(pem, "-----BEGIN PRIVATE KEY-----"), pem); /* PKCS #8 */
    assert_int_equal(private_key_from_pem(view_of_text(pem), &loaded), ERR_OK);
    struct public_key a = shared_public(), b;
    private_key_public(loaded, &b);
    assert_true(public_key_equal(&a, &b));
    assert_int_equal(private_key_to_pem(loaded, &pem_again), ERR_OK);
    assert_string_equal(pem, pem_again);
    private_key_free(loaded);
    free(pem);
    free(pem_again);
}

/* A good key on a curve that IKE has no use for. */
static const char koblitz_pem[] = "-----BEGIN PRIVATE KEY-----\n"
                                  "MIGEAgEAMBAGByqGSM49AgEGBSuBBAAKBG0wawIBAQQg8KTxvKPumvxREm+U9KbZ\n"
                                  "1vaMfvi3iqV2UJUv48dyAA6hRANCAAQEECj4oxXK0S5W4NUMA2RD7ORwa3hiQ2fb\n"
                                  "CekRZfCwvWpjWia+0OnAZNnxgHobB4iM7OQ7vxsPW/Stp4BRbE43\n"
                                  "-----END PRIVATE KEY-----\n";

static void test_pem_refused(void **state)
{
    (void)state;
    struct private_key *loaded = NULL;
    char *pem = NULL;
    assert_int_equal(private_key_to_pem(shared_key, &pem), ERR_OK);
    size_t len = strlen(pem);
    for (size_t cut = 0; cut + 2 < len; cut += 37)
        assert_int_equal(private_key_from_pem(view_of(pem, cut), &loaded), ERR_VALUE);
    assert_int_equal(private_key_from_pem(view_of_text("not a key"), &loaded), ERR_VALUE);
    assert_int_equal(private_key_from_pem(view_of_text(koblitz_pem), &loaded), ERR_VALUE);
    assert_int_equal(private_key_from_pem(view_of(pem, 65537), &loaded), ERR_VALUE);
    assert_null(loaded);
    free(pem);
}

/* A damaged file is refused, or what was damaged doesn't matter to the signatures. */
static void test_pem_damaged(void **state)
{
    (void)state;
    char *pem = NULL;
    unsigned refused = 0;
    uint8_t hash[20] = {5}, signature[256];
    struct public_key original = shared_public();
    struct view hash_view = view_of(hash, sizeof(hash));
    assert_int_equal(private_key_to_pem(shared_key, &pem), ERR_OK);
    size_t len = strlen(pem);
    for (size_t at = 40; at + 40 < len; at += 23) {
        struct private_key *loaded = NULL;
        char before = pem[at];
        pem[at] = before == 'A' ? 'B' : 'A';
        enum err err = private_key_from_pem(view_of_text(pem), &loaded);
        pem[at] = before;
        if (err != ERR_OK) {
            refused++;
            continue;
        }
        assert_int_equal(private_key_sign_ike1(loaded, hash_view, signature), ERR_OK);
        assert_int_equal(public_key_verify_ike1(&original, hash_view, view_of(signature, 256)),
                         ERR_OK);
        private_key_free(loaded);
    }
    assert_true(refused >= 10); /* at least those in the modulus */
    free(pem);
}

static void test_sizes_refused(void **state)
{
    (void)state;
    struct private_key *key = NULL;
    static const unsigned bits[] = {0, 512, 1024, 2047, 8193, 100000};
    for (size_t i = 0; i < sizeof(bits) / sizeof(bits[0]); i++)
        assert_int_equal(private_key_generate(bits[i], &key), ERR_VALUE);
    assert_null(key);
    uint8_t hash[65] = {0}, signature[256] = {0x42};
    assert_int_equal(private_key_sign_ike1(shared_key, view_of(hash, 65), signature), ERR_VALUE);
    assert_int_equal(private_key_sign_ike1(shared_key, view_of(hash, 0), signature), ERR_VALUE);
    assert_int_equal(signature[0], 0x42);
}

/* A key with an exponent of e_len octets and a modulus of n_len, both odd, in the short form. */
static size_t rfc3110_sample(uint8_t *ret, size_t e_len, size_t n_len)
{
    size_t at = 0;
    if (e_len <= 255) {
        ret[at++] = (uint8_t)e_len;
    } else {
        ret[at++] = 0;
        ret[at++] = (uint8_t)(e_len >> 8);
        ret[at++] = (uint8_t)e_len;
    }
    memset(ret + at, 0x81, e_len + n_len);
    return at + e_len + n_len;
}

static void test_rfc3110_form(void **state)
{
    (void)state;
    uint8_t octets[1100];
    struct public_key key;
    size_t len = rfc3110_sample(octets, 3, 128);
    assert_int_equal(public_key_from_rfc3110(view_of(octets, len), &key), ERR_OK);
    assert_int_equal(public_key_bits(&key), 1024);
    octets[4] = 0x01;
    assert_int_equal(public_key_from_rfc3110(view_of(octets, len), &key), ERR_VALUE); /* 1017 */
    len = rfc3110_sample(octets, 3, 1024);
    assert_int_equal(len, LIMIT_KEY_OCTETS);
    assert_int_equal(public_key_from_rfc3110(view_of(octets, len), &key), ERR_OK);
    assert_int_equal(public_key_bits(&key), 8192);
    len = rfc3110_sample(octets, 3, 1025);
    assert_int_equal(public_key_from_rfc3110(view_of(octets, len), &key), ERR_VALUE);
    len = rfc3110_sample(octets, 256, 256); /* the long form */
    assert_int_equal(public_key_from_rfc3110(view_of(octets, len), &key), ERR_OK);
    assert_int_equal(public_key_bits(&key), 2048);
    len = rfc3110_sample(octets, 257, 256); /* exponent longer than the modulus */
    assert_int_equal(public_key_from_rfc3110(view_of(octets, len), &key), ERR_VALUE);
}

static void test_rfc3110_refused(void **state)
{
    (void)state;
    struct public_key good = shared_public(), key;
    memset(&key, 0x5a, sizeof(key));
    for (size_t len = 0; len < 132; len++) /* too short for 1024 bits */
        assert_int_equal(public_key_from_rfc3110(view_of(good.octets, len), &key), ERR_VALUE);
    uint8_t octets[LIMIT_KEY_OCTETS];
    struct view view = view_of(octets, good.len);
    static const struct {
        size_t at;
        uint8_t value;
    } changes[] = {{0, 0}, {0, 255}, {1, 0}, {3, 0}, {4, 0}};
    for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
        memcpy(octets, good.octets, good.len);
        octets[changes[i].at] = changes[i].value;
        assert_int_equal(public_key_from_rfc3110(view, &key), ERR_VALUE);
    }
    memcpy(octets, good.octets, good.len);
    octets[good.len - 1] &= 0xfe; /* an even modulus */
    assert_int_equal(public_key_from_rfc3110(view, &key), ERR_VALUE);
    size_t len = rfc3110_sample(octets, 1, 256);
    octets[1] = 1; /* the exponent 1 */
    assert_int_equal(public_key_from_rfc3110(view_of(octets, len), &key), ERR_VALUE);
    /* The long form for a short exponent would be a second name for the same key. */
    uint8_t long_form[3 + 3 + 256] = {0, 0, 3, 1, 0, 1};
    memset(long_form + 6, 0x81, 256);
    assert_int_equal(public_key_from_rfc3110(view_of(long_form, sizeof(long_form)), &key),
                     ERR_VALUE);
    assert_int_equal(key.alg, 0x5a);
}

static void test_public_value(void **state)
{
    (void)state;
    struct public_key key = shared_public(), again, none = {0};
    assert_int_equal(key.alg, KEY_RSA);
    assert_int_equal(public_key_bits(&key), 2048);
    assert_int_equal(key.octets[0], 3); /* exponent 65537 */
    assert_int_equal(key.len, 1 + 3 + 256);
    assert_int_equal(public_key_from_rfc3110(view_of(key.octets, key.len), &again), ERR_OK);
    assert_memory_equal(&key, &again, sizeof(key));
    char text[PUBLIC_KEY_TEXT_MAX];
    assert_int_equal(strncmp(public_key_format(&key, text), "RSA-2048 ", 9), 0);
    assert_int_equal(strlen(text), 9 + 8);
    assert_string_equal(public_key_format(&none, text), "no key");
    assert_int_equal(public_key_bits(&none), 0);
    uint8_t hash[20] = {0}, signature[256] = {0};
    assert_int_equal(public_key_verify_ike1(&none, view_of(hash, 20), view_of(signature, 256)),
                     ERR_VALUE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sign_and_verify), cmocka_unit_test(test_tampering),
        cmocka_unit_test(test_other_key),       cmocka_unit_test(test_pem_round_trip),
        cmocka_unit_test(test_pem_refused),     cmocka_unit_test(test_pem_damaged),
        cmocka_unit_test(test_sizes_refused),   cmocka_unit_test(test_rfc3110_form),
        cmocka_unit_test(test_rfc3110_refused), cmocka_unit_test(test_public_value),
    };
    return cmocka_run_group_tests(tests, make_key, free_key);
}
