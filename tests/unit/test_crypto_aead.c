/*
 * What seals IKEv2 messages: ChaCha20-Poly1305 against RFC 7634 appendix B, AES-GCM and AES-CCM
 * against RFC 4106's and RFC 3610's kind of use, CBC with HMAC against its parts; every bit
 * flipped.
 */
#include "check.h"

#include "crypto/aead.h"
#include "crypto/cbc.h"
#include "crypto/hash.h"

static const struct aead_suite suites[] = {
    {AEAD_AES_GCM_16, INTEG_NONE, 128},
    {AEAD_AES_GCM_16, INTEG_NONE, 192},
    {AEAD_AES_GCM_16, INTEG_NONE, 256},
    {AEAD_AES_GCM_12, INTEG_NONE, 256},
    {AEAD_AES_GCM_8, INTEG_NONE, 128},
    {AEAD_AES_CCM_16, INTEG_NONE, 128},
    {AEAD_AES_CCM_12, INTEG_NONE, 256},
    {AEAD_AES_CCM_8, INTEG_NONE, 192},
    {AEAD_CHACHA20_POLY1305, INTEG_NONE, 256},
    {AEAD_AES_CBC, INTEG_HMAC_SHA2_256_128, 128},
    {AEAD_AES_CBC, INTEG_HMAC_SHA2_384_192, 192},
    {AEAD_AES_CBC, INTEG_HMAC_SHA2_512_256, 256},
    {AEAD_AES_CBC, INTEG_HMAC_SHA1_96, 256},
    {AEAD_3DES_CBC, INTEG_HMAC_MD5_96, 192},
};

struct sample {
    uint8_t key[AEAD_KEY_MAX], integ[AEAD_INTEG_KEY_MAX], iv[AEAD_IV_MAX];
    uint8_t aad[40], text[80], icv[AEAD_ICV_MAX];
    struct aead_keys keys;
};

static void sample_make(const struct aead_suite *suite, struct sample *ret)
{
    uint64_t seed = 77;
    struct rng rng = check_rng(&seed);
    rng_fill(&rng, ret, offsetof(struct sample, keys));
    ret->keys.cipher = view_of(ret->key, aead_key_len(suite));
    ret->keys.integ = view_of(ret->integ, aead_integ_key_len(suite));
}

static enum err seal(const struct aead_suite *suite, struct sample *s, size_t len)
{
    return aead_seal(suite, &s->keys, view_of(s->aad, sizeof(s->aad)), s->iv, span_of(s->text, len),
                     s->icv);
}

static enum err open_sample(const struct aead_suite *suite, struct sample *s, size_t len)
{
    return aead_open(suite, &s->keys, view_of(s->aad, sizeof(s->aad)), s->iv, span_of(s->text, len),
                     s->icv);
}

static void test_round_trip(void **state)
{
    (void)state;
    for (size_t i = 0; i < CHECK_COUNT(suites); i++) {
        const struct aead_suite *suite = &suites[i];
        size_t block = aead_block_len(suite);
        assert_true(aead_valid(suite));
        for (size_t len = 0; len <= 80; len += block) {
            struct sample s, before;
            sample_make(suite, &s);
            before = s;
            assert_int_equal(seal(suite, &s, len), ERR_OK);
            if (len >= 16)
                assert_memory_not_equal(s.text, before.text, len);
            assert_memory_equal(s.text + len, before.text + len, 80 - len);
            size_t icv_len = aead_icv_len(suite);
            assert_memory_equal(s.icv + icv_len, before.icv + icv_len, AEAD_ICV_MAX - icv_len);
            assert_int_equal(open_sample(suite, &s, len), ERR_OK);
            assert_memory_equal(s.text, before.text, 80);
        }
    }
}

static void flip_all(const struct aead_suite *suite, struct sample *s, uint8_t *octets, size_t len)
{
    for (size_t bit = 0; bit < len * 8; bit++) {
        struct sample before = *s;
        octets[bit / 8] ^= (uint8_t)(1 << bit % 8);
        assert_int_equal(open_sample(suite, s, 48), ERR_DECRYPT);
        octets[bit / 8] ^= (uint8_t)(1 << bit % 8);
        assert_memory_equal(s, &before, sizeof(before)); /* what is forged leaves no trace */
    }
}

static void test_every_bit_counts(void **state)
{
    (void)state;
    for (size_t i = 0; i < CHECK_COUNT(suites); i++) {
        struct sample s;
        sample_make(&suites[i], &s);
        assert_int_equal(seal(&suites[i], &s, 48), ERR_OK);
        flip_all(&suites[i], &s, s.aad, sizeof(s.aad));
        flip_all(&suites[i], &s, s.text, 48);
        flip_all(&suites[i], &s, s.icv, aead_icv_len(&suites[i]));
        flip_all(&suites[i], &s, s.iv, aead_iv_len(&suites[i]));
    }
}

/* RFC 7634 appendix B */
static void test_chacha_vector(void **state)
{
    (void)state;
    const struct aead_suite suite = {AEAD_CHACHA20_POLY1305, INTEG_NONE, 256};
    uint8_t key[36], iv[8], aad[32], text[13], want[16], icv[16];
    for (size_t i = 0; i < 32; i++)
        key[i] = (uint8_t)(0x80 + i);
    check_hex("a0a1a2a3", key + 32);
    check_hex("1011121314151617", iv);
    check_hex("0000000c000040010000000a00", text);
    struct view aad_view = check_hex("c0c1c2c3c4c5c6c7d0d1d2d3d4d5d6d7"
                                     "2e202500000000090000004529000029",
                                     aad);
    struct aead_keys keys = {.cipher = view_of(key, 36)};
    assert_int_equal(aead_seal(&suite, &keys, aad_view, iv, span_of(text, 13), icv), ERR_OK);
    check_view(view_of(text, 13), check_hex("610394701f8d017f7c12924889", want));
    check_view(view_of(icv, 16), check_hex("6b71bfe25236efd7cdc67066906315b2", want));
}

/* NIST's GCM test case 4 (McGrew and Viega), its nonce cut into salt and IV. */
static void test_gcm_vector(void **state)
{
    (void)state;
    const struct aead_suite suite = {AEAD_AES_GCM_16, INTEG_NONE, 128};
    uint8_t key[20], iv[8], aad[20], text[60], want[60], icv[16];
    check_hex("feffe9928665731c6d6a8f9467308308 cafebabe", key);
    check_hex("facedbaddecaf888", iv);
    struct view aad_view = check_hex("feedfacedeadbeeffeedfacedeadbeefabaddad2", aad);
    check_hex("d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72"
              "1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39",
              text);
    struct aead_keys keys = {.cipher = view_of(key, 20)};
    assert_int_equal(aead_seal(&suite, &keys, aad_view, iv, span_of(text, 60), icv), ERR_OK);
    check_view(view_of(text, 60),
               check_hex("42831ec2217774244b7221b784d0d49ce3aa212f2c02a4e035c17e2329aca12e"
                         "21d514b25466931c7d8f6a5aac84aa051ba30b396a0aac973d58e091",
                         want));
    check_view(view_of(icv, 16), check_hex("5bc94fbc3221a5db94fae95ae7121a47", want));
}

/* CBC is cbc.h and the ICV is an HMAC over all that is sent. */
static void test_cbc_is_its_parts(void **state)
{
    (void)state;
    const struct aead_suite suite = {AEAD_AES_CBC, INTEG_HMAC_SHA2_256_128, 128};
    struct sample s;
    uint8_t text[32], iv[16], mac[HASH_MAX];
    sample_make(&suite, &s);
    memcpy(text, s.text, 32);
    memcpy(iv, s.iv, 16);
    assert_int_equal(seal(&suite, &s, 32), ERR_OK);
    assert_int_equal(cbc_encrypt(CBC_AES, s.keys.cipher, iv, span_of(text, 32)), ERR_OK);
    assert_memory_equal(text, s.text, 32);
    struct view parts[] = {view_of(s.aad, 40), view_of(s.iv, 16), view_of(text, 32)};
    assert_int_equal(hmac_digest(HASH_SHA2_256, s.keys.integ, parts, 3, mac), ERR_OK);
    assert_memory_equal(mac, s.icv, 16);
}

static void test_arguments(void **state)
{
    (void)state;
    static const struct aead_suite wrong[] = {
        {AEAD_NONE, INTEG_NONE, 0},
        {AEAD_AES_GCM_16, INTEG_NONE, 64},
        {AEAD_AES_GCM_16, INTEG_HMAC_SHA1_96, 128},
        {AEAD_CHACHA20_POLY1305, INTEG_NONE, 128},
        {AEAD_AES_CBC, INTEG_NONE, 128},
        {AEAD_AES_CBC, INTEG_COUNT, 128},
        {AEAD_CIPHER_COUNT, INTEG_NONE, 128},
    };
    struct sample s;
    for (size_t i = 0; i < CHECK_COUNT(wrong); i++) {
        sample_make(&wrong[i], &s);
        assert_false(aead_valid(&wrong[i]));
        assert_int_equal(seal(&wrong[i], &s, 16), ERR_VALUE);
    }
    for (size_t i = 0; i < CHECK_COUNT(suites); i++) {
        char text[AEAD_TEXT_MAX];
        sample_make(&suites[i], &s);
        s.keys.cipher.len--;
        assert_int_equal(seal(&suites[i], &s, 16), ERR_VALUE);
        assert_true(strlen(aead_format(&suites[i], text)) > 5);
    }
    sample_make(&suites[9], &s);
    assert_int_equal(seal(&suites[9], &s, 15), ERR_VALUE);
    char text[AEAD_TEXT_MAX];
    assert_string_equal(aead_format(&suites[2], text), "AES-GCM-256");
    assert_string_equal(aead_format(&suites[8], text), "ChaCha20-Poly1305");
    assert_string_equal(aead_format(&suites[9], text), "AES-CBC-128 HMAC-SHA2-256-128");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),       cmocka_unit_test(test_every_bit_counts),
        cmocka_unit_test(test_chacha_vector),    cmocka_unit_test(test_gcm_vector),
        cmocka_unit_test(test_cbc_is_its_parts), cmocka_unit_test(test_arguments),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
