/* Published octets: RFC 3602 section 4, draft-mcgrew-gcm-test-01, the GCM specification, RFC 7634. */
#include "crypto/hash.h"
#include "esp_fixture.h"

#include "unhex.h"

struct gcm_vector {
    const char *key, *nonce, *aad, *plain, *sealed; /* cipher text and ICV */
};

#define SPEC_PLAIN                                                                                 \
    "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72"                             \
    "1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b391aafd255"
#define SPEC_KEY "feffe9928665731c6d6a8f9467308308"
#define SPEC_NONCE "cafebabefacedbaddecaf888"

static const struct gcm_vector gcm_vectors[] = {
    /* draft-mcgrew-gcm-test-01 section 4: AES-128 with ESN, AES-192, AES-256 */
    {"4c80cdefbb5d10da906ac73c3613a634", "2e443b684956ed7e3b244cfe", "000043218765432100000000",
     "45000048699a000080114db7c0a80102c0a801010a9bf15638d3010000010000"
     "00000000045f736970045f756470037369700963796265726369747902646b00"
     "0021000101020201",
     "fecf537e729d5b07dc30df528dd22b768d1b98736696a6fd348509fa13ceac34"
     "cfa2436f14a3f3cf65925bf1f4a13c5d15b21e1884f5ff6247aeabb786b93bce"
     "61bc17d768fd9732459018148f6cbe722fd04796562dfdb4"},
    {"feffe9928665731c6d6a8f9467308308feffe9928665731c", "cafebabefacedbaddecaf888",
     "0000a5f80000000a",
     "45000028a4ad4000400678800a01038f0a010612802306b8cb712602dd6bb03e"
     "501016d075680001",
     "a5b1f8066029aea40e598b8122de02420938b3ab33f828e687b8858b5bfbdbd0"
     "315b27452144cc7795457b9652037f5318027b5b4cd7a636"},
    {"abbccddef00112233445566778899aababbccddef00112233445566778899aab", "112233440102030405060708",
     "4a2cbfe300000002",
     "4500003069a6400080062690c0a801029389155e0a9e008b2dc57ee000000000"
     "7002400020bf0000020405b40101040201020201",
     "ff425c9b724599df7a3bcd510194e00d6a78107f1b0b1cbf06efae9d65a5d763"
     "748a637985771d347f0545659f14e99def842d8eb335f4eecfdbf831824b4c49"
     "15956c96"},
    /* McGrew and Viega, test cases 3, 9 and 15 */
    {SPEC_KEY, SPEC_NONCE, "", SPEC_PLAIN,
     "42831ec2217774244b7221b784d0d49ce3aa212f2c02a4e035c17e2329aca12e"
     "21d514b25466931c7d8f6a5aac84aa051ba30b396a0aac973d58e091473f5985"
     "4d5c2af327cd64a62cf35abd2ba6fab4"},
    {SPEC_KEY "feffe9928665731c", SPEC_NONCE, "", SPEC_PLAIN,
     "3980ca0b3c00e841eb06fac4872a2757859e1ceaa6efd984628593b40ca1e19c"
     "7d773d00c144c525ac619d18c84a3f4718e2448b2fe324d9ccda2710acade256"
     "9924a7c8587336bfb118024db8674a14"},
    {SPEC_KEY SPEC_KEY, SPEC_NONCE, "", SPEC_PLAIN,
     "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa"
     "8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662898015ad"
     "b094dac5d93471bdec1a502270e3cc6c"},
};

static struct esp_key *gcm_key(const struct esp_backend *backend, const struct gcm_vector *v,
                               uint8_t cipher, bool inbound)
{
    struct sa_params params = {.inbound = inbound};
    struct esp_key *key = NULL;
    uint8_t nonce[12];
    size_t len = unhex(v->key, params.cipher_key, sizeof(params.cipher_key));
    unhex(v->nonce, nonce, sizeof(nonce));
    memcpy(params.cipher_key + len, nonce, 4); /* the salt */
    params.cipher_key_len = (uint8_t)(len + 4);
    params.suite = (struct esp_suite){cipher, ESP_AUTH_NONE, (uint16_t)(len * 8), false};
    assert_int_equal(backend->key_new(&params, &key), ERR_OK);
    return key;
}

/* A shorter ICV is the front of the long one (RFC 4106 section 6). */
static void check_gcm(const struct esp_backend *backend, const struct gcm_vector *v, uint8_t cipher,
                      size_t icv_len)
{
    uint8_t text[96], plain[96], sealed[112];
    size_t len = unhex(v->plain, plain, sizeof(plain));
    assert_int_equal(unhex(v->sealed, sealed, sizeof(sealed)), len + 16);
    memcpy(text, plain, len);
    struct esp_op op = {.packet = text, .text_len = (uint32_t)len};
    op.aad_len = (uint8_t)unhex(v->aad, op.aad, sizeof(op.aad));
    unhex(v->nonce, op.iv, sizeof(op.iv));
    struct esp_key *seal = gcm_key(backend, v, cipher, false);
    struct esp_key *open = gcm_key(backend, v, cipher, true);
    backend->seal(seal, &op, 1);
    assert_true(op.good);
    assert_memory_equal(text, sealed, len);
    assert_memory_equal(op.icv, sealed + len, icv_len);
    memset(op.icv + icv_len, 0, sizeof(op.icv) - icv_len);
    op.good = false;
    backend->open(open, &op, 1);
    assert_true(op.good);
    assert_memory_equal(text, plain, len);
    op.icv[icv_len - 1] ^= 1;
    memcpy(text, sealed, len);
    backend->open(open, &op, 1);
    assert_false(op.good);
    backend->key_free(seal);
    backend->key_free(open);
}

static void test_gcm(void **state)
{
    (void)state;
    for (size_t b = 0; b < COUNT(fixture_backends); b++) {
        for (size_t i = 0; i < COUNT(gcm_vectors); i++) {
            check_gcm(fixture_backends[b], &gcm_vectors[i], ESP_CIPHER_AES_GCM, 16);
            check_gcm(fixture_backends[b], &gcm_vectors[i], ESP_CIPHER_AES_GCM_12, 12);
            check_gcm(fixture_backends[b], &gcm_vectors[i], ESP_CIPHER_AES_GCM_8, 8);
        }
    }
}

/* RFC 7634 appendix A: source packet with its padding, nonce and the whole packet that is sent. */
#define CHACHA_SOURCE                                                                              \
    "45000054a6f200004001e778c6336405c000020508005b7a3a080000553bec10"                             \
    "0007362708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f20212223"                             \
    "2425262728292a2b2c2d2e2f3031323334353637"
#define CHACHA_KEY "808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f"
#define CHACHA_SEALED                                                                              \
    "24039428b97f417e3c13753a4f05087b67c352e6a7fab1b982d466ef407ae5c6"                             \
    "14ee8099d52844eb61aa95dfab4c02f72aa71e7c4c4f64c9befe2facc638e8f3"                             \
    "cbec163fac469b502773f6fb94e664da9165b82829f641e0"                                             \
    "76aaa8266b7fb0f7b11b369907e1ad43"

static const struct gcm_vector chacha_vector = {CHACHA_KEY, "a0a1a2a31011121314151617",
                                                "0102030400000005", CHACHA_SOURCE "01020204",
                                                CHACHA_SEALED};

static void test_chacha(void **state)
{
    (void)state;
    uint8_t octets[160], source[84];
    size_t len = unhex("01020304000000051011121314151617" CHACHA_SEALED, octets, sizeof(octets));
    size_t source_len = unhex(CHACHA_SOURCE, source, sizeof(source));
    struct esp_suite suite = {ESP_CIPHER_CHACHA20_POLY1305, ESP_AUTH_NONE, 256, false};
    struct sa_params params = fixture_params(suite, IP_V4);
    struct packet *packet = fixture_packet();
    params.spi.value = 0x01020304;
    unhex(CHACHA_KEY "a0a1a2a3", params.cipher_key, sizeof(params.cipher_key));
    for (size_t b = 0; b < COUNT(fixture_backends); b++) {
        check_gcm(fixture_backends[b], &chacha_vector, ESP_CIPHER_CHACHA20_POLY1305, 16);
        struct esp_sa *in = fixture_sa(fixture_backends[b], &params, true);
        fixture_receive(packet, view_of(octets, len));
        assert_int_equal(fixture_decapsulate(in, packet), ERR_OK);
        assert_true(view_equal(view_of(packet_data(packet), packet->len),
                               view_of(source, source_len)));
        esp_sa_free(in);
    }
    fixture_packet_free(packet);
}

/* RFC 3602 section 4, cases 5 and 6 (transport mode) and 7 and 8 (tunnel mode). */
struct cbc_vector {
    bool tunnel;
    const char *key;
    uint32_t spi, sequence;
    const char *iv;
    const char *inner;  /* tunnel mode: the original packet */
    const char *plain;  /* before encryption, padded */
    const char *cipher; /* after it */
};

static const struct cbc_vector cbc_vectors[] = {
    {false, "90d382b410eeba7ad938c46cec1a82bf", 0x4321, 1, "e96e8c08ab465763fd098d45dd3ff893", NULL,
     "08000ebda70a00008e9c083db95b070008090a0b0c0d0e0f1011121314151617"
     "18191a1b1c1d1e1f202122232425262728292a2b2c2d2e2f3031323334353637"
     "0102030405060708090a0b0c0d0e0e01",
     "f663c25d325c18c6a9453e194e120849a4870b66cc6b9965330013b4898dc856"
     "a4699e523a55db080b59ec3a8e4b7e52775b07d1db34ed9c538ab50c551b874a"
     "a269add047ad2d5913ac19b7cfbad4a6"},
    {false, "90d382b410eeba7ad938c46cec1a82bf", 0x4321, 8, "69d08df7d203329db093fc4924e5bd80", NULL,
     "0800b5e8a80a0500a69c083d0b660e0077777777777777777777777701020201",
     "f51995881ec4e0c4488987ce742e8109689bb379d2d750c0d915dca346a89f75"},
    {true, "0123456789abcdef0123456789abcdef", 0x8765, 2, "f4e765244f6407adf13dc1380f673f37",
     "45000054090400004001f988c0a87b03c0a87bc8"
     "08009f76a90a0100b49c083d02a2040008090a0b0c0d0e0f1011121314151617"
     "18191a1b1c1d1e1f202122232425262728292a2b2c2d2e2f3031323334353637",
     "45000054090400004001f988c0a87b03c0a87bc808009f76a90a0100b49c083d"
     "02a2040008090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f20212223"
     "2425262728292a2b2c2d2e2f30313233343536370102030405060708090a0a04",
     "773b5241a4c449225e4f3ce5ed611b0c237ca96cf74a93013c1b0ea1a0cf70f8"
     "e4ecaec78ac53aad7a0f022b859243c647752e94a859352b8a4d4d2decd136e5"
     "c177f132ad3fbfb2201ac9904c74ee0a109e0ca1e4dfe9d5a100b842f1c22f0d"},
    {true, "0123456789abcdef0123456789abcdef", 0x8765, 5, "85d47224b5f3dd5d2101d4ea8dffab22",
     "45000044090c00004001f990c0a87b03c0a87bc8"
     "0800d63caa0a0200c69c083da3de0300ffffffffffffffffffffffffffffffff"
     "ffffffffffffffffffffffffffffffff",
     "45000044090c00004001f990c0a87b03c0a87bc80800d63caa0a0200c69c083d"
     "a3de0300ffffffffffffffffffffffffffffffffffffffffffffffffffffffff"
     "ffffffff0102030405060708090a0a04",
     "15b92683819596a8047232cc00f7048fe45318e11f8a0f62ede3c3fc61203bb5"
     "0f980a08c9843fd3a1b06d5c07ff9639b7eb7dfb3512e5de435e7207ed971ef3"
     "d2726d9b5ef6affc6d17a0decbb13892"},
};

enum { CBC_AUTHS = 5 };

static struct sa_params cbc_params(const struct cbc_vector *v, uint8_t auth)
{
    struct esp_suite suite = {ESP_CIPHER_AES_CBC, auth, 128, false};
    struct sa_params params = fixture_params(suite, IP_V4);
    params.spi.value = v->spi;
    unhex(v->key, params.cipher_key, sizeof(params.cipher_key));
    return params;
}

/* The packet of the text with an ICV behind it, made by the separately tested HMAC. */
static size_t cbc_packet(const struct cbc_vector *v, const struct sa_params *params, uint8_t *ret,
                         size_t room)
{
    static const enum hash_alg hashes[] = {HASH_SHA2_256, HASH_SHA2_384, HASH_SHA2_512, HASH_SHA1,
                                           HASH_MD5};
    uint8_t digest[HASH_MAX];
    esp_store32(ret, v->spi);
    esp_store32(ret + 4, v->sequence);
    size_t len = 8 + unhex(v->iv, ret + 8, room - 8);
    len += unhex(v->cipher, ret + len, room - len);
    struct view hashed = view_of(ret, len);
    assert_int_equal(hmac_digest(hashes[params->suite.auth - ESP_AUTH_HMAC_SHA2_256_128],
                                 view_of(params->auth_key, params->auth_key_len), &hashed, 1,
                                 digest),
                     ERR_OK);
    size_t icv_len = esp_suite_icv_len(&params->suite);
    memcpy(ret + len, digest, icv_len);
    return len + icv_len;
}

static void check_tunnel_vector(const struct esp_backend *backend, const struct cbc_vector *v,
                                const struct sa_params *params, struct view whole)
{
    uint8_t inner[128], ivs[1][ESP_IV_MAX];
    size_t inner_len = unhex(v->inner, inner, sizeof(inner));
    struct packet *packet = fixture_packet();
    struct esp_sa *out = fixture_sa(backend, params, false);
    struct esp_sa *in = fixture_sa(backend, params, true);
    fixture_receive(packet, view_of(inner, inner_len));
    unhex(v->iv, ivs[0], sizeof(ivs[0]));
    out->sequence = v->sequence - 1;
    enum err err = ERR_COUNT;
    esp_encapsulate_with(out, &packet, 1, ivs, &err);
    assert_int_equal(err, ERR_OK);
    assert_true(view_equal(view_of(packet_data(packet), packet->len), whole));
    assert_int_equal(fixture_decapsulate(in, packet), ERR_OK);
    assert_true(view_equal(view_of(packet_data(packet), packet->len), view_of(inner, inner_len)));
    esp_sa_free(out);
    esp_sa_free(in);
    fixture_packet_free(packet);
}

/* Transport mode isn't spoken: authentic, decrypted as the text says, and refused. */
static void check_transport_vector(const struct esp_backend *backend, const struct cbc_vector *v,
                                   const struct sa_params *params, struct view whole)
{
    uint8_t plain[128];
    size_t plain_len = unhex(v->plain, plain, sizeof(plain));
    struct packet *packet = fixture_packet();
    struct esp_sa *in = fixture_sa(backend, params, true);
    fixture_receive(packet, whole);
    assert_int_equal(fixture_decapsulate(in, packet), ERR_SYNTAX);
    assert_memory_equal(packet_data(packet) + 24, plain, plain_len);
    esp_sa_free(in);
    fixture_packet_free(packet);
}

static void test_rfc3602(void **state)
{
    (void)state;
    for (size_t b = 0; b < COUNT(fixture_backends); b++) {
        for (size_t i = 0; i < COUNT(cbc_vectors); i++) {
            for (uint8_t a = 0; a < CBC_AUTHS; a++) {
                const struct cbc_vector *v = &cbc_vectors[i];
                struct sa_params params = cbc_params(v, (uint8_t)(ESP_AUTH_HMAC_SHA2_256_128 + a));
                uint8_t octets[256];
                struct view whole = view_of(octets, cbc_packet(v, &params, octets, sizeof(octets)));
                if (v->tunnel)
                    check_tunnel_vector(fixture_backends[b], v, &params, whole);
                else
                    check_transport_vector(fixture_backends[b], v, &params, whole);
            }
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_gcm),
        cmocka_unit_test(test_chacha),
        cmocka_unit_test(test_rfc3602),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
