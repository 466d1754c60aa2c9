/*
 * Key derivation of RFC 2409 sections 5, 5.5 and appendix B. No RFC has vectors for it. Those below
 * were computed from the formulas by an independent program over RFC 5903's Diffie-Hellman values,
 * and the last is what strongSwan 5.9.8 logged in an exchange with this engine.
 */
#include "ike/v1/v1.h"

#include "unhex.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static const char private_i[] = "C88F01F510D9AC3F70A292DAA2316DE544E9AAB8AFE84049C62A9C57862D1433";
static const char private_r[] = "C6EF9C5D78AE012A011164ACB397CE2088685D8F06BF9BE0B283AB46476BEE53";

struct vector {
    struct ike_suite suite;
    const char *d, *a, *cipher, *iv, *iv2, *hash_i, *hash_r, *hash1, *hash2, *hash3;
};

static const struct vector vectors[] = {
    {{CBC_3DES, HASH_MD5, 192, 19},
     "a09ac915cde7e76db81efa1385258c67",
     "c34b8a6a6cffb8665e1a86e35b5ea4d7",
     "6244059454f36593f8f1588c7fde9afdf1d1539cb4a7b2ff",
     "196a4fe044a01358",
     "b22cfe8d927737d6",
     "0c3d2ad9ca1d78e4ca4168b63c425170",
     "7665b7547f070dba802c587911660243",
     "2701fb802de0b9625c825f99f531553d",
     "91944eeec7c70899bb1180bb5020108d",
     "9688906bbd81516b083d66554984378d"},
    {{CBC_AES, HASH_SHA1, 256, 19},
     "fa7fe2cf606efdb9b38d88a22da5edc7bd71be0a",
     "ab32bf1a7c42a058c0f3c160fead2ecb4ef0b388",
     "a8975aee919a6ddd4c761e9a952e2b4d19a9568f485a5667f27c32b80d694421",
     "4ba671188aad0ef34d98dca8aca6a587",
     "2edcb8d31a4e23c74a6c3cf357dcc89c",
     "32c58c4d4530f6d666f67b2428ba4b682e3719f9",
     "c6297f4eb644e3227fca45d2c6340821caf8db26",
     "44330079bb06276f1c4f5ec68d895ecc7c75bf7f",
     "c2f133fa3345cf17935c963142a7e595be54d5f0",
     "a0bd9ef1b94fb2a06654cdb4f7ab953935ed18d6"},
    {{CBC_AES, HASH_SHA2_256, 256, 19},
     "b83b4068a00ff50ca5f9d98296f171402b74e6220bc21f6ef41a39cc37676fe8",
     "181d5e265f282ec66bb93c3d0a922dbdd44a1eece62b96c5812064b2bb66f315",
     "32a265dc0d677f7d1f858e51617a1328fbc58c6a3a77f9e716fecb91ed8a039d",
     "3033b8d74545580b9b1d738162ae4784",
     "b946345aa996b984985ee39f33be05cd",
     "daa1edb7e78dab5a477f59d3dd8222428bbeb525651b81efecdb776fd24bf846",
     "9831ed06eb2efc18b659518deb969bbb0c1c757ebec4fad7c97d6a461570d0a5",
     "38f9bc322c4fa988ce94471b3b2dbccbcc6dd6c2897e8c57988d83a1ef0b9621",
     "f9c7215b7e17ceb1ff00f07f55e4404150dae6d5d84f5243b46d6d8dc843b253",
     "e2cf435421b4c81dcc2edaae949ec3f2c0636b6fc1c0a30abc354e25ebdd5694"},
    {{CBC_AES, HASH_SHA2_384, 256, 19},
     "f7be6ee20080faf9b2e9f3c885f9422ecaf170af2e79373e3cf3fdc71eeb412164ac96de"
     "eb942a6e777d7c839e44882f",
     "0bab3f3d693ed1139cac16778785c30d7c4cb8dd76d6558615f7e99e99900d3bdf9ac31f"
     "8b0bc3c2b4780f3cd93eb6f5",
     "a6081ef7aab213e0004a4587517552118742efd741217e8d55b55e5f1f616142",
     "0b8e2e23c68223377c16a5283a607a9d",
     "f3c9e594b9dd7a62a9acd5e8266ef7b9",
     "b9121c099233980f5d6f2208b42e80ac50a33e03870779b7f76fa3bce79421f72009f68b"
     "64b5a14f12efc46a7c0996b8",
     "72d2886ce28d82318d0c6c859f069dff3d73add9360745d69a13f3eae14d4526dcd119c7"
     "310a7a14ccdc4c3587419ed5",
     "ef9e8f5a32c1a285a8061736edd4d74ac9adde4d5aedc945d42df9eedee85c08243965dd"
     "5b3f4c59ee5d561148cef97b",
     "19f6d9b2560d1bf7a9d57659e62cd26f11430a4daf101dd8a63b39ff4157ec62c471a65f"
     "77941bb3b828a557b43ecf94",
     "3bea344d9924e18e3b4093d3fae64c97b6329a09b6f92bcfeaba21dd7d495099359478eb"
     "76f7e72cf96c814836397fc8"},
    {{CBC_AES, HASH_SHA2_512, 128, 19},
     "b2fce41f39574c4573de7603bea0ed9957bbd838792ae81c64b7048a8da119637f0823ae"
     "372a50fd57045fcbf365c6619606d6e1a1829586771eb70dfa7194bd",
     "d22455d64a5fe6560545ed707521365c308eb9a158533bd395498db52acbfb186c86c3b7"
     "47e4bc60586702fe666f881988eee19d89a025c7120d49ed25caaebe",
     "bf08100461cafb4bade77ca1cf8909fa",
     "72ffa743667f97b66b280684bc36f69f",
     "dfe06e6bd5bd2fb1aa41298dec209865",
     "9906a4ee2cec35ab92c8e3314f12aceec22b40920f5d579974ff29996e0fb393e2afa11b"
     "1dcd10be6fa5d3a1fadaad81c7ac49f5e9fd29f1e6c2ce1d11d3c89c",
     "014be7f46690e923c537024cac23e9f9c875811a622cc3b14fbfffd20a9dd1a4c66ee4ce"
     "23374d4486d33768c52dda9159e9a135794c88d6ae196d01784d4f91",
     "aade97f940e67914457213dd9053346ea1bba4b884b7d794815dfde418cf34b891bddb5b"
     "35745c1e0a2f503af78f44cd2c8af68ac259e4ec7d111fcbe5154a8f",
     "0f9d8521a840139fa8ea608c9c0ec9d2f82e66d55c74ec4086335f4305d4d71cb3f214f1"
     "fd097a8e16ebfc0afee3949dcfcfd350f3f1d14ea3c9f8d226d85c25",
     "2e78dc9a49006fa31ed025eaef7b13a75be3ccefd88d393eb853151cdc31def570b7c0e4"
     "13014db4a8a29eb8bf6f86e723c52135886624ae458238f66ebd08aa"},
};

static void scripted_fill(void *ctx, uint8_t *ret, size_t len)
{
    assert_int_equal(len, 32);
    unhex(ctx, ret, len);
}

static struct dh *dh_of(const char *private_hex)
{
    const struct rng rng = {scripted_fill, (void *)(uintptr_t)private_hex};
    struct dh *dh = NULL;
    assert_int_equal(dh_new(19, &rng, &dh), ERR_OK);
    return dh;
}

static void set_range(struct blob *blob, uint8_t first, size_t len)
{
    uint8_t octets[64];
    for (size_t i = 0; i < len; i++)
        octets[i] = (uint8_t)(first + i);
    assert_true(blob_set(blob, view_of(octets, len)));
}

static void check(const uint8_t *got, const char *want_hex)
{
    uint8_t want[HASH_MAX];
    size_t len = unhex(want_hex, want, sizeof(want));
    assert_memory_equal(got, want, len);
}

static void check_phase2(struct ike_sa *sa, const struct vector *v)
{
    struct v1_quick quick = {.x = {.sa = sa}};
    const msgid_t msgid = {0x89abcdef};
    const struct view rest = view_of_text("the rest");
    uint8_t got[HASH_MAX];

    for (uint8_t i = 0; i < CBC_BLOCK_MAX; i++)
        sa->keys.last_block[i] = (uint8_t)(0x60 + i);
    set_range(&quick.nonce_i, 0x20, 16);
    set_range(&quick.nonce_r, 0x40, 20);
    assert_int_equal(v1_phase2_iv(sa, msgid, got), ERR_OK);
    check(got, v->iv2);
    assert_int_equal(v1_phase2_hash(sa, &quick, V1_QM1, msgid, rest, got), ERR_OK);
    check(got, v->hash1);
    assert_int_equal(v1_phase2_hash(sa, NULL, V1_INFO, msgid, rest, got), ERR_OK);
    check(got, v->hash1);
    assert_int_equal(v1_phase2_hash(sa, &quick, V1_QM2, msgid, rest, got), ERR_OK);
    check(got, v->hash2);
    assert_int_equal(v1_phase2_hash(sa, &quick, V1_QM3, msgid, rest, got), ERR_OK);
    check(got, v->hash3);
    blob_wipe(&quick.nonce_i);
    blob_wipe(&quick.nonce_r);
}

/* One side of the exchange. IKE-067, IKE-069 */
static void check_side(const struct vector *v, bool initiator)
{
    struct v1_handshake hs = {.dh = dh_of(initiator ? private_i : private_r)};
    struct dh *peer = dh_of(initiator ? private_r : private_i);
    struct ike_sa sa = {.suite = v->suite, .initiator = initiator, .handshake = &hs};
    uint8_t secret[32], iv[CBC_BLOCK_MAX], got[HASH_MAX];

    for (uint8_t i = 0; i < sizeof(sa.cookies); i++)
        sa.cookies[i] = (uint8_t)(i + 1);
    assert_true(blob_set(&hs.peer_ke, dh_public(peer)));
    assert_true(blob_set(&hs.offer, view_of_text("the offer")));
    set_range(&hs.nonce_i, 0x20, 16);
    set_range(&hs.nonce_r, 0x40, 20);
    assert_int_equal(dh_shared(hs.dh, dh_public(peer), secret), ERR_OK);
    assert_int_equal(v1_keys_derive(&sa, view_of(secret, sizeof(secret)), view_of(NULL, 0), iv), ERR_OK);
    check(sa.keys.d, v->d);
    check(sa.keys.a, v->a);
    check(sa.keys.cipher, v->cipher);
    check(iv, v->iv);
    assert_int_equal(v1_auth_hash(&sa, true, view_of_text("initiator"), got), ERR_OK);
    check(got, v->hash_i);
    assert_int_equal(v1_auth_hash(&sa, false, view_of_text("responder"), got), ERR_OK);
    check(got, v->hash_r);
    check_phase2(&sa, v);
    dh_free(hs.dh);
    dh_free(peer);
    blob_wipe(&hs.peer_ke);
    blob_wipe(&hs.offer);
    blob_wipe(&hs.nonce_i);
    blob_wipe(&hs.nonce_r);
}

static void test_skeyid(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
        check_side(&vectors[i], true);
        check_side(&vectors[i], false);
    }
}

/* The same Diffie-Hellman under the other methods, and the keys of the revised form of encryption:
 * IKE-014, IKE-067 */
struct method_vector {
    struct ike_suite suite;
    const char *psk_d, *psk_a, *psk_cipher, *enc_d, *enc_a, *enc_cipher, *ke_i, *ke_r;
};

static const struct method_vector method_vectors[] = {
    {{CBC_AES, HASH_SHA1, 256, 19},
     "3de246e3a6c58abde9270319f4316fb049f21cd4",
     "dff7714e3e8c45bac2017317d5eff23a4bc79425",
     "68c637371956c8fd19670125abbfb4b65fe9360f2525850883e9800e9179bb7c",
     "b16f959e1b589ade84ba81a4f63fd95b9afe1159",
     "fd8dba36832a0dc63f34d91606157b5274681733",
     "69039fdb04168cc11dda144fedf6b4f2d9d8f6420bcb19663a017d22723188a1",
     "7c935c2673fb21f356c0927cee62999d59dfe8e2fa69463755f109c418b950b8",
     "93c915092269d4db9bd49653e32201ebe414fac9b94efe6d342a94137ae2f907"},
    {{CBC_AES, HASH_SHA2_256, 256, 19},
     "a955232a1826cbacda8e66bbde73734c12d554d7684d16cf00d21e670dc67597",
     "8989ad9113018559785741e2a097f44e8d19c9edb0d2b5a4949375c3df6c8083",
     "c99ecf287cf923c53628b90a78f77eb5f0659c5e31f6932b3b2e649df9302e26",
     "2dd09777ae5dc2fb30931fb4e819729196c2a063806b5ab45394504545794ce5",
     "37d912a34677a75529046a2dc3dc6d26e0867a313f836f9eaf83295e35dd01ef",
     "0b9a4fbb73e087270b9cea7a66692b0c6af0aaaa8806f9971ad2665c87dd5ecf",
     "c25ec70a071b9d110e3880a9f7ff61bbea3ede7990b701da57981dbfd89b2144",
     "c45850bb2620240eddd47aeeec0ab93561269db811ce1cfef969418d22b701b1"},
};

static void derive(struct ike_sa *sa, enum phase1_auth auth, struct view psk)
{
    struct dh *peer = dh_of(private_r);
    uint8_t secret[32], iv[CBC_BLOCK_MAX];
    sa->auth = auth;
    assert_int_equal(dh_shared(sa->handshake->dh, dh_public(peer), secret), ERR_OK);
    assert_int_equal(v1_keys_derive(sa, view_of(secret, sizeof(secret)), psk, iv), ERR_OK);
    dh_free(peer);
}

static void check_methods(const struct method_vector *v)
{
    struct v1_handshake hs = {.dh = dh_of(private_i)};
    struct ike_sa sa = {.suite = v->suite, .initiator = true, .handshake = &hs};
    uint8_t key[CBC_KEY_MAX];

    for (uint8_t i = 0; i < sizeof(sa.cookies); i++)
        sa.cookies[i] = (uint8_t)(i + 1);
    set_range(&hs.nonce_i, 0x20, 16);
    set_range(&hs.nonce_r, 0x40, 20);
    assert_true(blob_set(&hs.peer_ke, dh_public(hs.dh)));
    derive(&sa, PHASE1_PSK, view_of_text("a shared key"));
    check(sa.keys.d, v->psk_d);
    check(sa.keys.a, v->psk_a);
    check(sa.keys.cipher, v->psk_cipher);
    for (unsigned i = 0; i < 2; i++) {
        derive(&sa, i ? PHASE1_REVISED_RSA_ENCRYPTION : PHASE1_RSA_ENCRYPTION, view_of(NULL, 0));
        check(sa.keys.d, v->enc_d);
        check(sa.keys.a, v->enc_a);
        check(sa.keys.cipher, v->enc_cipher);
    }
    assert_int_equal(v1_ephemeral_key(&sa, true, key), ERR_OK);
    check(key, v->ke_i);
    assert_int_equal(v1_ephemeral_key(&sa, false, key), ERR_OK);
    check(key, v->ke_r);
    dh_free(hs.dh);
    blob_wipe(&hs.peer_ke);
    blob_wipe(&hs.nonce_i);
    blob_wipe(&hs.nonce_r);
}

static void test_methods(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(method_vectors) / sizeof(method_vectors[0]); i++)
        check_methods(&method_vectors[i]);
}

/* AES-CBC-256 with HMAC-SHA2-256 out of a SHA-1 prf: four rounds of expansion. */
static void test_keymat(void **state)
{
    static const char secret_hex[] =
        "12ba2911334e15c82c4ad8648ea9217cfdb95108c1a7f88376aee8e35c50d8354b6dbd2d91f927a0"
        "6fcdfc421632b896f6c24f07cf250fdb922ded81c9650c412599c324994b1989ed3e1df0bfbe92a1"
        "11a9d6dbe15c3a5f9024b03217caeaaaa3292dd5c68a45cb2a775bf442c91aaf7fb4b86ed3e6b6fe"
        "acc2788e6140924f1e3d6b0fa34ba76b04dbf55c9dea36494437a90443163d7e5b475401aec0cab6"
        "c76ac14c2680b5a66b6baa61e2eb66b66c09e03854fb23c045287b0de226f353";
    static const char nonces_hex[] =
        "5dfd930486a5de8a93f892153a6cbc824cb966b109827ead4b77b9836b41c98273336955d568ad62"
        "1030d636546dae899a4de464f2c7816eba9a017cb3b38488";
    struct ike_sa sa = {.suite = {CBC_AES, HASH_SHA1, 256, 5}};
    struct v1_quick quick = {.x = {.sa = &sa}};
    struct sa_params got = {.spi = {0x12340007},
                            .suite = {ESP_CIPHER_AES_CBC, ESP_AUTH_HMAC_SHA2_256_128, 256, false}};
    uint8_t secret[192], nonces[64];
    (void)state;
    unhex("08d18a592b297a760a6ddb349979e3816377db54", sa.keys.d, 20);
    assert_int_equal(unhex(secret_hex, secret, sizeof(secret)), 192);
    assert_int_equal(unhex(nonces_hex, nonces, sizeof(nonces)), 64);
    assert_true(blob_set(&quick.nonce_i, view_of(nonces, 32)));
    assert_true(blob_set(&quick.nonce_r, view_of(nonces + 32, 32)));
    assert_int_equal(v1_keymat(&sa, &quick, view_of(secret, sizeof(secret)), &got), ERR_OK);
    assert_int_equal(got.cipher_key_len, 32);
    assert_int_equal(got.auth_key_len, 32);
    check(got.cipher_key, "1adfa9102c40bdbec57864f25ad7ee7e19fce9485ee6aee4f847aeec8a632626");
    check(got.auth_key, "2019b53eba047104129f74cafb561021637360b9f91f59abf9d8d6da68ac8ef5");
    blob_wipe(&quick.nonce_i);
    blob_wipe(&quick.nonce_r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_skeyid),
        cmocka_unit_test(test_methods),
        cmocka_unit_test(test_keymat),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
