/*
 * RSA encryption: there and back, what is refused, and that a wrong padding can't be told from a right one.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "crypto/encryption.h"

static struct private_key *keys[2];
static struct public_key publics[2];

static int make_keys(void **state)
{
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        if (private_key_generate(2048, &keys[i]) != ERR_OK)
            return -1;
        private_key_public(keys[i], &publics[i]);
    }
    return 0;
}

static int free_keys(void **state)
{
    (void)state;
    for (size_t i = 0; i < 2; i++)
        private_key_free(keys[i]);
    return 0;
}

static void test_there_and_back(void **state)
{
    uint8_t text[256], cipher[ENCRYPTION_MAX], again[ENCRYPTION_MAX];
    size_t len, text_len;
    (void)state;
    for (size_t i = 0; i < sizeof(text); i++)
        text[i] = (uint8_t)i;
    assert_int_equal(public_key_cipher_len(&publics[0]), 256);
    for (size_t n = 1; n <= 245; n += 61) { /* RFC 8017 section 7.2.1 */
        assert_int_equal(public_key_encrypt(&publics[0], view_of(text, n), cipher, &len), ERR_OK);
        assert_int_equal(len, 256);
        assert_int_equal(private_key_decrypt(keys[0], view_of(cipher, len), again, &text_len), ERR_OK);
        assert_int_equal(text_len, n);
        assert_memory_equal(again, text, n);
    }
    assert_int_equal(public_key_encrypt(&publics[0], view_of(text, 246), cipher, &len), ERR_VALUE);
    assert_int_equal(public_key_encrypt(&publics[0], view_of(text, 0), cipher, &len), ERR_VALUE);
    struct public_key ecdsa = {.alg = KEY_ECDSA_P256, .len = 64};
    assert_int_equal(public_key_encrypt(&ecdsa, view_of(text, 32), cipher, &len), ERR_VALUE);
}

static void test_wrong_length(void **state)
{
    uint8_t cipher[257] = {0}, text[ENCRYPTION_MAX];
    size_t len = 7;
    (void)state;
    assert_int_equal(private_key_decrypt(keys[0], view_of(cipher, 255), text, &len), ERR_VALUE);
    assert_int_equal(private_key_decrypt(keys[0], view_of(cipher, 257), text, &len), ERR_VALUE);
    assert_int_equal(len, 7);
}

/* What wasn't encrypted for the key, altered or another's: no error, but a text, the same each time and
 * another for each cipher text and key. */
static void test_wrong_padding(void **state)
{
    uint8_t cipher[ENCRYPTION_MAX], texts[4][ENCRYPTION_MAX];
    size_t len, lens[4];
    (void)state;
    assert_int_equal(public_key_encrypt(&publics[0], view_of_text("a nonce of 8+"), cipher, &len), ERR_OK);
    for (size_t i = 0; i < 4; i++) {
        cipher[100] ^= i == 1 ? 0 : 1; /* the first two are the same */
        assert_int_equal(private_key_decrypt(keys[i == 3], view_of(cipher, len), texts[i], &lens[i]),
                         ERR_OK);
        assert_true(lens[i] != 13 || memcmp(texts[i], "a nonce of 8+", 13) != 0 || i == 2);
    }
    assert_int_equal(lens[0], lens[1]);
    assert_memory_equal(texts[0], texts[1], lens[0]);
    assert_int_equal(lens[2], 13); /* altered back */
    assert_true(lens[3] != lens[0] || memcmp(texts[3], texts[0], lens[0]) != 0);
}

static void test_each(void **state)
{
    uint8_t ciphers[3 * 256], texts[64];
    struct builder b = builder_on(span_of(texts, sizeof(texts)));
    size_t len;
    (void)state;
    assert_int_equal(public_key_encrypt(&publics[0], view_of_text("one"), ciphers, &len), ERR_OK);
    assert_int_equal(public_key_encrypt(&publics[0], view_of_text("three"), ciphers + 256, &len), ERR_OK);
    assert_int_equal(private_key_decrypt_each(keys[0], view_of(ciphers, 512), &b), ERR_OK);
    assert_int_equal(b.len, 2 + 3 + 2 + 5);
    assert_memory_equal(texts, "\0\3one\0\5three", 12);
    memcpy(ciphers + 512, ciphers, 256);
    assert_int_equal(private_key_decrypt_each(keys[0], view_of(ciphers, 768), &b), ERR_VALUE);
    assert_int_equal(private_key_decrypt_each(keys[0], view_of(ciphers, 0), &b), ERR_VALUE);
    assert_int_equal(private_key_decrypt_each(keys[0], view_of(ciphers, 300), &b), ERR_VALUE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_there_and_back),
        cmocka_unit_test(test_wrong_length),
        cmocka_unit_test(test_wrong_padding),
        cmocka_unit_test(test_each),
    };
    return cmocka_run_group_tests(tests, make_keys, free_keys);
}
