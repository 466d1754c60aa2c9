/* Digests and HMACs against RFC 2202 and RFC 4231, CBC against RFC 3602 section 4. */
#include "crypto/cbc.h"
#include "crypto/hash.h"

#include "crypto_vectors.h"
#include "unhex.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void test_hmac_vectors(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(hmac_vectors); i++) {
        const struct hmac_vector *v = &hmac_vectors[i];
        uint8_t key_room[160], data_room[160], want[HASH_MAX], got[HASH_MAX];
        struct view key = unhex_view(v->key, key_room, sizeof(key_room));
        struct view data = unhex_view(v->data, data_room, sizeof(data_room));
        for (enum hash_alg alg = 0; alg < HASH_COUNT; alg++) {
            if (v->mac[alg] == NULL)
                continue;
            size_t len = unhex(v->mac[alg], want, sizeof(want));
            assert_int_equal(hmac_digest(alg, key, &data, 1, got), ERR_OK);
            assert_memory_equal(got, want, len);
        }
    }
}

/* The same octets in any number of parts give the same result. */
static void test_parts(void **state)
{
    (void)state;
    uint8_t text[200], whole[HASH_MAX], split[HASH_MAX];
    for (size_t i = 0; i < sizeof(text); i++)
        text[i] = (uint8_t)(i * 7);
    struct view one = view_of(text, sizeof(text));
    struct view key = view_of(text, 20);
    for (enum hash_alg alg = 0; alg < HASH_COUNT; alg++) {
        for (size_t cut = 0; cut <= sizeof(text); cut += 25) {
            struct view parts[] = {view_of(text, cut), view_of(NULL, 0),
                                   view_of(text + cut, sizeof(text) - cut)};
            assert_int_equal(hash_digest(alg, &one, 1, whole), ERR_OK);
            assert_int_equal(hash_digest(alg, parts, 3, split), ERR_OK);
            assert_memory_equal(whole, split, hash_len(alg));
            assert_int_equal(hmac_digest(alg, key, &one, 1, whole), ERR_OK);
            assert_int_equal(hmac_digest(alg, key, parts, 3, split), ERR_OK);
            assert_memory_equal(whole, split, hash_len(alg));
        }
    }
}

static void test_digest_of_nothing(void **state)
{
    (void)state;
    static const char *const want[HASH_COUNT] = {
        [HASH_MD5] = "d41d8cd98f00b204e9800998ecf8427e",
        [HASH_SHA1] = "da39a3ee5e6b4b0d3255bfef95601890afd80709",
        [HASH_SHA2_256] = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        [HASH_SHA2_384] = "38b060a751ac96384cd9327eb1b1e36a21fdb71114be07434c0cc7bf63f6e1da"
                          "274edebfe76f65fbd51ad2f14898b95b",
        [HASH_SHA2_512] = "cf83e1357eefb8bdf1542850d66d8007d620e4050b5715dc83f4a921d36ce9ce"
                          "47d0d13c5d85f2b0ff8318d2877eec2f63b931bd47417a81a538327af927da3e",
    };
    for (enum hash_alg alg = 0; alg < HASH_COUNT; alg++) {
        uint8_t expected[HASH_MAX], got[HASH_MAX];
        size_t len = unhex(want[alg], expected, sizeof(expected));
        assert_int_equal(len, hash_len(alg));
        assert_int_equal(hash_digest(alg, NULL, 0, got), ERR_OK);
        assert_memory_equal(got, expected, len);
    }
}

static void test_empty_key(void **state)
{
    (void)state;
    uint8_t zeros[HASH_MAX] = {0}, empty[HASH_MAX], padded[HASH_MAX];
    struct view text = view_of_text("text");
    /* HMAC pads its key with zeros, so these are one key. */
    assert_int_equal(hmac_digest(HASH_SHA1, view_of(NULL, 0), &text, 1, empty), ERR_OK);
    assert_int_equal(hmac_digest(HASH_SHA1, view_of(zeros, 5), &text, 1, padded), ERR_OK);
    assert_memory_equal(empty, padded, 20);
}

static void test_unknown_hash(void **state)
{
    (void)state;
    uint8_t untouched[HASH_MAX] = {0x55};
    struct view text = view_of_text("text");
    assert_int_equal(hash_digest(HASH_COUNT, &text, 1, untouched), ERR_CRYPTO);
    assert_int_equal(hmac_digest(HASH_COUNT, text, &text, 1, untouched), ERR_CRYPTO);
    assert_int_equal(untouched[0], 0x55);
    assert_int_equal(hash_len(HASH_COUNT), 0);
}

/* RFC 3602 section 4, cases 1 to 4. */
static const struct {
    const char *key, *iv, *plain, *cipher;
} aes_cbc_vectors[] = {
    {"06a9214036b8a15b512e03d534120006", "3dafba429d9eb430b422da802c9fac41",
     "53696e676c6520626c6f636b206d7367", "e353779c1079aeb82708942dbe77181a"},
    {"c286696d887c9aa0611bbb3e2025a45a", "562e17996d093d28ddb3ba695a2e6f58",
     "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f",
     "d296cd94c2cccf8a3a863028b5e1dc0a7586602d253cfff91b8266bea6d61ab1"},
    {"6c3ea0477630ce21a2ce334aa746c2cd", "c782dc4c098c66cbd9cd27d825682c81",
     "5468697320697320612034382d62797465206d657373616765202865786163746c7920332041455320626c6f"
     "636b7329",
     "d0a02b3836451753d493665d33f0e8862dea54cdb293abc7506939276772f8d5021c19216bad525c8579695d"
     "83ba2684"},
    {"56e47a38c5598974bc46903dba290349", "8ce82eefbea0da3c44699ed7db51b7d9",
     "a0a1a2a3a4a5a6a7a8a9aaabacadaeafb0b1b2b3b4b5b6b7b8b9babbbcbdbebf"
     "c0c1c2c3c4c5c6c7c8c9cacbcccdcecfd0d1d2d3d4d5d6d7d8d9dadbdcdddedf",
     "c30e32ffedc0774e6aff6af0869f71aa0f3af07a9a31a9c684db207eb0ef8e4e"
     "35907aa632c3ffdf868bb7b29d3d46ad83ce9f9a102ee99d49a53e87f4c3da55"},
};

static void test_aes_cbc_vectors(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(aes_cbc_vectors); i++) {
        uint8_t key_room[32], iv[16], iv_again[16], text[64], plain[64], cipher[64];
        struct view key = unhex_view(aes_cbc_vectors[i].key, key_room, sizeof(key_room));
        unhex(aes_cbc_vectors[i].iv, iv, sizeof(iv));
        memcpy(iv_again, iv, sizeof(iv));
        size_t len = unhex(aes_cbc_vectors[i].plain, plain, sizeof(plain));
        assert_int_equal(unhex(aes_cbc_vectors[i].cipher, cipher, sizeof(cipher)), len);
        memcpy(text, plain, len);
        assert_int_equal(cbc_encrypt(CBC_AES, key, iv, span_of(text, len)), ERR_OK);
        assert_memory_equal(text, cipher, len);
        assert_memory_equal(iv, cipher + len - 16, 16);
        assert_int_equal(cbc_decrypt(CBC_AES, key, iv_again, span_of(text, len)), ERR_OK);
        assert_memory_equal(text, plain, len);
        assert_memory_equal(iv_again, cipher + len - 16, 16);
    }
}

/* Message after message with the IV carried on equals one long message: RFC 2409 appendix B. */
static void test_cbc_chaining(void **state)
{
    (void)state;
    static const struct {
        enum cbc_alg alg;
        size_t key_len;
    } rows[] = {{CBC_3DES, 24}, {CBC_AES, 16}, {CBC_AES, 24}, {CBC_AES, 32}};
    for (size_t i = 0; i < COUNT(rows); i++) {
        uint8_t key_octets[32], whole[96], parts[96], iv[16] = {1}, iv_parts[16] = {1};
        for (size_t j = 0; j < sizeof(key_octets); j++)
            key_octets[j] = (uint8_t)(j * 5 + 1);
        memset(whole, 0x33, sizeof(whole));
        memcpy(parts, whole, sizeof(parts));
        struct view key = view_of(key_octets, rows[i].key_len);
        assert_int_equal(cbc_encrypt(rows[i].alg, key, iv, span_of(whole, 96)), ERR_OK);
        for (size_t at = 0; at < 96; at += 48)
            assert_int_equal(cbc_encrypt(rows[i].alg, key, iv_parts, span_of(parts + at, 48)),
                             ERR_OK);
        assert_memory_equal(whole, parts, sizeof(whole));
        assert_memory_equal(iv, iv_parts, cbc_block_len(rows[i].alg));
        uint8_t back[16] = {1};
        assert_int_equal(cbc_decrypt(rows[i].alg, key, back, span_of(whole, 96)), ERR_OK);
        for (size_t j = 0; j < sizeof(whole); j++)
            assert_int_equal(whole[j], 0x33);
    }
}

/* With three equal keys 3DES is DES: FIPS 81 appendix C, table C1. */
static void test_3des_vector(void **state)
{
    (void)state;
    uint8_t key[24], text[24], cipher[24], iv[8];
    for (size_t i = 0; i < 3; i++)
        unhex("0123456789abcdef", key + 8 * i, 8);
    unhex("1234567890abcdef", iv, sizeof(iv));
    unhex("4e6f77206973207468652074696d6520666f7220616c6c20", text, sizeof(text));
    unhex("e5c7cdde872bf27c43e934008c389c0f683788499a7c05f6", cipher, sizeof(cipher));
    assert_int_equal(cbc_encrypt(CBC_3DES, view_of(key, 24), iv, span_of(text, 24)), ERR_OK);
    assert_memory_equal(text, cipher, sizeof(cipher));
}

static void test_cbc_refusals(void **state)
{
    (void)state;
    uint8_t key[32] = {0}, iv[16] = {9}, text[32] = {0};
    for (size_t len = 0; len <= sizeof(key); len++) {
        bool aes = len == 16 || len == 24 || len == 32;
        assert_int_equal(cbc_encrypt(CBC_AES, view_of(key, len), iv, span_of(text, 32)),
                         aes ? ERR_OK : ERR_VALUE);
        assert_int_equal(cbc_encrypt(CBC_3DES, view_of(key, len), iv, span_of(text, 32)),
                         len == 24 ? ERR_OK : ERR_VALUE);
    }
    for (size_t len = 1; len < 16; len++)
        assert_int_equal(cbc_decrypt(CBC_AES, view_of(key, 16), iv, span_of(text, len)), ERR_VALUE);
    uint8_t before[16];
    memcpy(before, iv, sizeof(iv));
    assert_int_equal(cbc_decrypt(CBC_AES, view_of(key, 16), iv, span_of(text, 0)), ERR_OK);
    assert_memory_equal(iv, before, sizeof(iv));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hmac_vectors),      cmocka_unit_test(test_parts),
        cmocka_unit_test(test_digest_of_nothing), cmocka_unit_test(test_empty_key),
        cmocka_unit_test(test_unknown_hash),      cmocka_unit_test(test_aes_cbc_vectors),
        cmocka_unit_test(test_cbc_chaining),      cmocka_unit_test(test_3des_vector),
        cmocka_unit_test(test_cbc_refusals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
