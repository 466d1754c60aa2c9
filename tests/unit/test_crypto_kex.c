/*
 * Key exchange methods: Curve25519 against RFC 8031 appendix A, all of them against themselves, and
 * hostile values (RFC 6989, RFC 7748 section 6.1). ML-KEM is tried where libcrypto has it.
 */
#include "check.h"

#include "crypto/dh.h"
#include "crypto/kex.h"

#include <stdlib.h>

static const uint16_t methods[] = {2, 5, 14, 15, 16, 19, 20, 21, 31, 32, 35, 36, 37};

/* Hands out given octets, for private values that a document gives. */
static void scripted_fill(void *ctx, uint8_t *ret, size_t len)
{
    struct view *script = ctx;
    assert_true(script->len >= len);
    memcpy(ret, script->ptr, len);
    *script = view_of(script->ptr + len, script->len - len);
}

static void test_both_sides_agree(void **state)
{
    (void)state;
    uint64_t seed = 5;
    struct rng rng = check_rng(&seed);
    for (size_t i = 0; i < CHECK_COUNT(methods); i++) {
        uint16_t method = methods[i];
        uint8_t reply[KEX_VALUE_MAX], of_i[KEX_SECRET_MAX], of_r[KEX_SECRET_MAX];
        struct kex *kex = NULL;
        assert_non_null(kex_method_name(method));
        if (!kex_method_known(method)) {
            assert_true(kex_method_is_kem(method)); /* only an old library is an excuse */
            assert_null(getenv("CYGNET_TEST_ML_KEM"));
            assert_int_equal(kex_new(method, &rng, &kex), ERR_UNSUPPORTED);
            continue;
        }
        assert_int_equal(kex_new(method, &rng, &kex), ERR_OK);
        assert_int_equal(kex_method(kex), method);
        assert_int_equal(kex_request(kex).len, kex_request_len(method));
        assert_int_equal(kex_respond(method, &rng, kex_request(kex), reply, of_r), ERR_OK);
        struct view reply_view = view_of(reply, kex_reply_len(method));
        assert_int_equal(kex_finish(kex, reply_view, of_i), ERR_OK);
        assert_memory_equal(of_i, of_r, kex_secret_len(method));
        kex_free(kex);
    }
    kex_free(NULL);
}

/* The same randomness makes the same exchange, so that a simulation can be replayed. */
static void test_replayable(void **state)
{
    (void)state;
    for (size_t i = 0; i < CHECK_COUNT(methods); i++) {
        uint64_t seeds[] = {9, 9};
        uint8_t replies[2][KEX_VALUE_MAX], secrets[2][KEX_SECRET_MAX];
        if (!kex_method_known(methods[i]))
            continue;
        for (size_t k = 0; k < 2; k++) {
            struct rng rng = check_rng(&seeds[k]);
            struct kex *kex = NULL;
            assert_int_equal(kex_new(methods[i], &rng, &kex), ERR_OK);
            assert_int_equal(
                kex_respond(methods[i], &rng, kex_request(kex), replies[k], secrets[k]), ERR_OK);
            kex_free(kex);
        }
        assert_memory_equal(replies[0], replies[1], kex_reply_len(methods[i]));
        assert_memory_equal(secrets[0], secrets[1], kex_secret_len(methods[i]));
    }
}

/* RFC 8031 appendix A */
static void test_curve25519_vector(void **state)
{
    (void)state;
    uint8_t d_i[32], d_r[32], pub_i[32], pub_r[32], shared[32], reply[32], secret[32];
    struct view script_i =
        check_hex("751fb4308655b476b6789b7325f9ea8cddd16a58533ff6d9e60009464a5f9d94", d_i);
    struct view script_r =
        check_hex("0a54645253290d60ddadd0e030bacd9e5501efdc220755a1e978f1b839a05688", d_r);
    struct rng rng_i = {scripted_fill, &script_i}, rng_r = {scripted_fill, &script_r};
    struct view want_i =
        check_hex("48d5ddd4061257ba166fa3f9bbdb74f1a4e81c089384fa77f790709f0dfbc766", pub_i);
    struct view want_r =
        check_hex("0be7c1f5aad87d7e448662673298a443478b859745179eaf564c79c0ef6eee25", pub_r);
    struct view want =
        check_hex("c74950607a12327f3204d94b6825bfb068b7f8319a9e3708ed3d43ce8130c950", shared);
    struct kex *kex = NULL;
    assert_int_equal(kex_new(31, &rng_i, &kex), ERR_OK);
    check_view(kex_request(kex), want_i);
    assert_int_equal(kex_respond(31, &rng_r, want_i, reply, secret), ERR_OK);
    check_view(view_of(reply, 32), want_r);
    check_view(view_of(secret, 32), want);
    assert_int_equal(kex_finish(kex, want_r, secret), ERR_OK);
    check_view(view_of(secret, 32), want);
    kex_free(kex);
}

static void refuse(uint16_t method, struct view value)
{
    uint64_t seed = 3;
    struct rng rng = check_rng(&seed);
    uint8_t reply[KEX_VALUE_MAX], secret[KEX_SECRET_MAX], untouched[KEX_SECRET_MAX];
    struct kex *kex = NULL;
    memset(secret, 0x11, sizeof(secret));
    memset(untouched, 0x11, sizeof(untouched));
    assert_int_equal(kex_respond(method, &rng, value, reply, secret), ERR_VALUE);
    assert_int_equal(kex_new(method, &rng, &kex), ERR_OK);
    assert_int_equal(kex_finish(kex, value, secret), ERR_VALUE);
    assert_memory_equal(secret, untouched, sizeof(secret));
    kex_free(kex);
}

/* Points of small order on Curve25519 (RFC 7748 section 6.1; the two of order 8 are well known). */
static void test_small_order(void **state)
{
    (void)state;
    static const char *const points[] = {
        "0000000000000000000000000000000000000000000000000000000000000000",
        "0100000000000000000000000000000000000000000000000000000000000000",
        "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
        "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    };
    for (size_t i = 0; i < CHECK_COUNT(points); i++) {
        uint8_t room[32];
        refuse(31, check_hex(points[i], room));
    }
    uint8_t zero448[56] = {0};
    refuse(32, view_of(zero448, sizeof(zero448)));
    zero448[0] = 1;
    refuse(32, view_of(zero448, sizeof(zero448)));
}

/* RFC 6989 section 2: 0, 1 and p - 1 in MODP, what is no point on a curve; and any wrong length. */
static void test_hostile_values(void **state)
{
    (void)state;
    static uint8_t value[KEX_VALUE_MAX + 1];
    for (size_t i = 0; i < CHECK_COUNT(methods); i++) {
        uint16_t method = methods[i];
        if (!kex_method_known(method) || kex_method_is_kem(method))
            continue;
        size_t len = kex_request_len(method);
        memset(value, 0, sizeof(value));
        refuse(method, view_of(value, len));
        value[len - 1] = 1;
        if (method < 31)
            refuse(method, view_of(value, len));
        memset(value, 0xff, sizeof(value));
        if (method < 31)
            refuse(method, view_of(value, len));
        refuse(method, view_of(value, 0));
        refuse(method, view_of(value, len - 1));
        refuse(method, view_of(value, len + 1));
    }
}

static void test_kem_hostile(void **state)
{
    (void)state;
    static uint8_t value[KEX_VALUE_MAX];
    for (uint16_t method = 35; method <= 37; method++) {
        uint64_t seed = 1;
        struct rng rng = check_rng(&seed);
        uint8_t reply[KEX_VALUE_MAX], of_i[32], of_r[32];
        struct kex *kex = NULL;
        if (!kex_method_known(method))
            continue;
        /* Coefficients of 0xfff are above q (FIPS 203 section 7.2). */
        memset(value, 0xff, sizeof(value));
        assert_int_equal(
            kex_respond(method, &rng, view_of(value, kex_request_len(method)), reply, of_r),
            ERR_VALUE);
        /* A damaged reply yields another secret. */
        assert_int_equal(kex_new(method, &rng, &kex), ERR_OK);
        assert_int_equal(kex_respond(method, &rng, kex_request(kex), reply, of_r), ERR_OK);
        reply[7] ^= 1;
        assert_int_equal(kex_finish(kex, view_of(reply, kex_reply_len(method)), of_i), ERR_OK);
        assert_memory_not_equal(of_i, of_r, 32);
        kex_free(kex);
    }
}

static void test_unknown(void **state)
{
    (void)state;
    static const uint16_t none[] = {0, 1, 3, 22, 33, 34, 38, 65535};
    uint64_t seed = 1;
    struct rng rng = check_rng(&seed);
    for (size_t i = 0; i < CHECK_COUNT(none); i++) {
        struct kex *kex = NULL;
        uint8_t octet;
        assert_false(kex_method_known(none[i]));
        assert_int_equal(kex_new(none[i], &rng, &kex), ERR_UNSUPPORTED);
        assert_null(kex);
        assert_int_equal(kex_respond(none[i], &rng, view_of(NULL, 0), &octet, &octet),
                         ERR_UNSUPPORTED);
        assert_int_equal(kex_request_len(none[i]), 0);
    }
    assert_string_equal(kex_method_name(0), "none");
    assert_null(kex_method_name(1));
    assert_string_equal(kex_method_name(36), "ml-kem-768");
    assert_string_equal(kex_method_name(14), "modp2048");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_both_sides_agree),  cmocka_unit_test(test_replayable),
        cmocka_unit_test(test_curve25519_vector), cmocka_unit_test(test_small_order),
        cmocka_unit_test(test_hostile_values),    cmocka_unit_test(test_kem_hostile),
        cmocka_unit_test(test_unknown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
