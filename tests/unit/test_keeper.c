/*
 * The keeper: it names its public keys, signs hashes so that they verify, refuses all else, and
 * always says so.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "crypto/encryption.h"
#include "daemon/keeper.h"

static struct keeper keeper;
static uint8_t room[IPC_MESSAGE_MAX];
static struct ipc_message got;

static int make_keeper(void **state)
{
    (void)state;
    for (keeper.key_count = 0; keeper.key_count < 2; keeper.key_count++)
        if (private_key_generate(2048, &keeper.keys[keeper.key_count]) != ERR_OK)
            return -1;
    return 0;
}

static int free_keeper(void **state)
{
    (void)state;
    keeper_fini(&keeper);
    return 0;
}

static void ask(uint8_t key, struct view hash)
{
    uint8_t request[512];
    struct ipc_message message = {.kind = IPC_SIGN, .serial = 77, .key = key, .octets = hash};
    size_t len = ipc_build(&message, span_of(request, sizeof(request)));

    assert_true(len > 0);
    len = keeper_answer(&keeper, view_of(request, len), span_of(room, sizeof(room)));
    assert_int_equal(ipc_parse(view_of(room, len), &got), ERR_OK);
    assert_int_equal(got.kind, IPC_SIGNED);
    assert_int_equal(got.serial, 77);
}

static void test_hello(void **state)
{
    (void)state;
    size_t len = keeper_hello(&keeper, span_of(room, sizeof(room)));

    assert_int_equal(ipc_parse(view_of(room, len), &got), ERR_OK);
    assert_int_equal(got.kind, IPC_HELLO);
    assert_int_equal(got.key_count, 2);
    for (size_t i = 0; i < 2; i++) {
        struct public_key public;
        private_key_public(keeper.keys[i], &public);
        assert_true(public_key_equal(&got.keys[i], &public));
    }
}

static void test_signs(void **state)
{
    (void)state;
    static const uint8_t hash[KEEPER_HASH_MAX] = {1, 2, 3};
    static const size_t lengths[] = {KEEPER_HASH_MIN, 20, 32, 48, KEEPER_HASH_MAX};

    for (uint8_t key = 0; key < 2; key++) {
        struct public_key public, other;
        private_key_public(keeper.keys[key], &public);
        private_key_public(keeper.keys[1 - key], &other);
        for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
            ask(key, view_of(hash, lengths[i]));
            assert_true(got.ok);
            assert_int_equal(public_key_verify_ike1(&public, view_of(hash, lengths[i]), got.octets),
                             ERR_OK);
            assert_int_equal(public_key_verify_ike1(&other, view_of(hash, lengths[i]), got.octets),
                             ERR_AUTH);
        }
    }
}

static void assert_refused(uint8_t key, size_t len)
{
    static const uint8_t hash[KEEPER_HASH_MAX + 1];
    ask(key, view_of(hash, len));
    assert_false(got.ok);
    assert_int_equal(got.octets.len, 0);
}

static void test_refuses(void **state)
{
    (void)state;
    assert_refused(2, 20); /* no such key */
    assert_refused(255, 20);
    assert_refused(0, 0); /* no hash has that length */
    assert_refused(0, KEEPER_HASH_MIN - 1);
    assert_refused(0, KEEPER_HASH_MAX + 1);
}

/* IKE-014: decrypts, and says so, whatever a wrong cipher text holds. */
static void test_decrypts(void **state)
{
    uint8_t cipher[2 * ENCRYPTION_MAX], request[2 * ENCRYPTION_MAX + 64];
    struct public_key public;
    size_t len, cipher_len;
    (void)state;

    private_key_public(keeper.keys[1], &public);
    assert_int_equal(public_key_encrypt(&public, view_of_text("secret"), cipher, &cipher_len), ERR_OK);
    for (uint8_t key = 0; key < 3; key++) {
        struct ipc_message message = {
            .kind = IPC_DECRYPT, .serial = 78, .key = key, .octets = view_of(cipher, cipher_len)};
        len = ipc_build(&message, span_of(request, sizeof(request)));
        assert_true(len > 0);
        len = keeper_answer(&keeper, view_of(request, len), span_of(room, sizeof(room)));
        assert_int_equal(ipc_parse(view_of(room, len), &got), ERR_OK);
        assert_int_equal(got.kind, IPC_DECRYPTED);
        assert_int_equal(got.serial, 78);
        assert_int_equal(got.ok, key < 2);
        if (key == 1)
            assert_true(view_equal(got.octets, view_of("\0\6secret", 8)));
        if (key == 0)
            assert_true(got.octets.len > 2);
    }
}

static void test_not_a_request(void **state)
{
    (void)state;
    uint8_t request[64];
    struct ipc_message cancel = {.kind = IPC_CANCEL, .serial = 1};
    size_t len = ipc_build(&cancel, span_of(request, sizeof(request)));

    assert_int_equal(
        keeper_answer(&keeper, view_of(request, len), span_of(room, sizeof(room))), 0);
    assert_int_equal(keeper_answer(&keeper, view_of(NULL, 0), span_of(room, sizeof(room))), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hello),
        cmocka_unit_test(test_signs),
        cmocka_unit_test(test_refuses),
        cmocka_unit_test(test_decrypts),
        cmocka_unit_test(test_not_a_request),
    };
    return cmocka_run_group_tests(tests, make_keeper, free_keeper);
}
