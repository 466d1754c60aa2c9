/* Keys of RFC 2409: section 5 (SKEYID by method, IKE-067), 5.5 (KEYMAT, IKE-069) and appendix B (cipher,
 * IV). */
#include <assert.h>

#include "ike/v1/v1.h"

static struct view u8_view(const uint8_t *octet)
{
    return view_of(octet, 1);
}

static struct view cookies_view(const struct ike_sa *sa)
{
    return view_of(sa->cookies, sizeof(sa->cookies));
}

static struct view prf_key(const struct ike_sa *sa, const uint8_t *key)
{
    return view_of(key, hash_len(sa->suite.hash));
}

static void be32(uint32_t value, uint8_t *ret)
{
    struct builder b = builder_on(span_of(ret, 4));
    builder_u32(&b, value);
}

/*
 * SKEYID_n = prf(SKEYID, [SKEYID_n-1 |] g^xy | CKY-I | CKY-R | n), for d, a, e = 0, 1, 2.
 */
static enum err skeyid_child(const struct ike_sa *sa, const uint8_t *previous, struct view secret,
                             uint8_t n, uint8_t *ret)
{
    size_t len = hash_len(sa->suite.hash);
    const struct view parts[] = {view_of(previous, previous ? len : 0), secret, cookies_view(sa),
                                 u8_view(&n)};
    return hmac_digest(sa->suite.hash, prf_key(sa, sa->handshake->skeyid), parts, 4, ret);
}

/* Appendix B: SKEYID_e itself if it is long enough, else Ka = K1 | K2 ..., K1 = prf(SKEYID_e, 0).
 */
static enum err cipher_key(const struct ike_sa *sa, const uint8_t *skeyid_e, uint8_t *ret)
{
    static const uint8_t zero = 0;
    size_t block = hash_len(sa->suite.hash), need = sa->suite.key_bits / 8;
    uint8_t k[HASH_MAX];
    enum err err = ERR_OK;

    if (block >= need) {
        memcpy(ret, skeyid_e, need);
        return ERR_OK;
    }
    for (size_t done = 0; done < need && err == ERR_OK; done += block) {
        struct view seed = done == 0 ? u8_view(&zero) : view_of(k, block);
        err = hmac_digest(sa->suite.hash, prf_key(sa, skeyid_e), &seed, 1, k);
        memcpy(ret + done, k, need - done < block ? need - done : block);
    }
    secret_wipe(k, sizeof(k));
    return err;
}

/* Section 5.3: Ne_i = prf(Ni_b, CKY-I), Ne_r = prf(Nr_b, CKY-R), stretched to the cipher's key. */
enum err v1_ephemeral_key(const struct ike_sa *sa, bool of_initiator, uint8_t *ret)
{
    const struct v1_handshake *hs = sa->handshake;
    const struct view cookie =
        view_of(sa->cookies + (of_initiator ? 0 : ISAKMP_COOKIE_LEN), ISAKMP_COOKIE_LEN);
    uint8_t ne[HASH_MAX];
    enum err err = hmac_digest(sa->suite.hash, blob_view(of_initiator ? &hs->nonce_i : &hs->nonce_r),
                               &cookie, 1, ne);
    if (err == ERR_OK)
        err = cipher_key(sa, ne, ret);
    secret_wipe(ne, sizeof(ne));
    return err;
}

/* Appendix B: the first IV is hash(g^xi | g^xr), cut to the block. */
static enum err first_iv(const struct ike_sa *sa, struct view ke_i, struct view ke_r, uint8_t *ret)
{
    const struct view parts[] = {ke_i, ke_r};
    uint8_t digest[HASH_MAX];
    enum err err = hash_digest(sa->suite.hash, parts, 2, digest);
    if (err == ERR_OK)
        memcpy(ret, digest, cbc_block_len(sa->suite.cipher));
    return err;
}

enum err v1_keys_derive(struct ike_sa *sa, struct view secret, struct view psk, uint8_t *ret_iv)
{
    struct view ke_own = dh_public(sa->handshake->dh);
    struct view ke_peer = blob_view(&sa->handshake->peer_ke);
    struct v1_handshake *hs = sa->handshake;
    uint8_t nonces[2 * LIMIT_NONCE_MAX], e[HASH_MAX];
    size_t nonces_len = hs->nonce_i.len + hs->nonce_r.len;
    enum err err;

    /* SKEYID = prf(Ni_b | Nr_b, g^xy), prf(pre-shared-key, Ni_b | Nr_b), or with encryption
     * prf(hash(Ni_b | Nr_b), CKY-I | CKY-R) */
    assert(nonces_len <= sizeof(nonces));
    memcpy(nonces, hs->nonce_i.ptr, hs->nonce_i.len);
    memcpy(nonces + hs->nonce_i.len, hs->nonce_r.ptr, hs->nonce_r.len);
    struct view both = view_of(nonces, nonces_len);
    const struct view cookies = cookies_view(sa);
    if (auth_encrypts(sa->auth)) {
        err = hash_digest(sa->suite.hash, &both, 1, e);
        if (err == ERR_OK)
            err = hmac_digest(sa->suite.hash, prf_key(sa, e), &cookies, 1, hs->skeyid);
    } else {
        err = psk.len != 0 ? hmac_digest(sa->suite.hash, psk, &both, 1, hs->skeyid)
                           : hmac_digest(sa->suite.hash, both, &secret, 1, hs->skeyid);
    }
    if (err == ERR_OK)
        err = skeyid_child(sa, NULL, secret, 0, sa->keys.d);
    if (err == ERR_OK)
        err = skeyid_child(sa, sa->keys.d, secret, 1, sa->keys.a);
    if (err == ERR_OK)
        err = skeyid_child(sa, sa->keys.a, secret, 2, e);
    if (err == ERR_OK)
        err = cipher_key(sa, e, sa->keys.cipher);
    if (err == ERR_OK)
        err = first_iv(sa, sa->initiator ? ke_own : ke_peer, sa->initiator ? ke_peer : ke_own,
                       ret_iv);
    secret_wipe(e, sizeof(e));
    secret_wipe(nonces, sizeof(nonces));
    return err;
}

/*
 * HASH_I = prf(SKEYID, g^xi | g^xr | CKY-I | CKY-R | SAi_b | IDii_b)
 * HASH_R = prf(SKEYID, g^xr | g^xi | CKY-R | CKY-I | SAi_b | IDir_b)
 */
enum err v1_auth_hash(const struct ike_sa *sa, bool of_initiator, struct view id, uint8_t *ret)
{
    const struct v1_handshake *hs = sa->handshake;
    bool own = of_initiator == sa->initiator;
    struct view ke_own = dh_public(hs->dh), ke_peer = blob_view(&hs->peer_ke);
    struct view cookie_i = view_of(sa->cookies, ISAKMP_COOKIE_LEN);
    struct view cookie_r = view_of(sa->cookies + ISAKMP_COOKIE_LEN, ISAKMP_COOKIE_LEN);
    const struct view parts[] = {
        own ? ke_own : ke_peer,
        own ? ke_peer : ke_own,
        of_initiator ? cookie_i : cookie_r,
        of_initiator ? cookie_r : cookie_i,
        blob_view(&hs->offer),
        id,
    };
    return hmac_digest(sa->suite.hash, prf_key(sa, hs->skeyid), parts, 6, ret);
}

/* Appendix B: hash(last phase 1 block | M-ID), cut to the block. */
enum err v1_phase2_iv(const struct ike_sa *sa, msgid_t msgid, uint8_t *ret)
{
    size_t block = cbc_block_len(sa->suite.cipher);
    uint8_t id[4], digest[HASH_MAX];
    const struct view parts[] = {view_of(sa->keys.last_block, block), view_of(id, 4)};

    be32(msgid.value, id);
    enum err err = hash_digest(sa->suite.hash, parts, 2, digest);
    if (err == ERR_OK)
        memcpy(ret, digest, block);
    return err;
}

/*
 * HASH(1) = prf(SKEYID_a, M-ID | rest)        also of informational exchanges (section 5.7)
 * HASH(2) = prf(SKEYID_a, M-ID | Ni_b | rest)
 * HASH(3) = prf(SKEYID_a, 0 | M-ID | Ni_b | Nr_b)
 */
enum err v1_phase2_hash(const struct ike_sa *sa, const struct v1_quick *quick,
                        enum v1_message_kind kind, msgid_t msgid, struct view rest, uint8_t *ret)
{
    static const uint8_t zero = 0;
    uint8_t id[4];
    struct view parts[4];
    size_t count = 0;

    be32(msgid.value, id);
    if (kind == V1_QM3)
        parts[count++] = u8_view(&zero);
    parts[count++] = view_of(id, 4);
    if (kind == V1_QM2 || kind == V1_QM3)
        parts[count++] = blob_view(&quick->nonce_i);
    parts[count++] = kind == V1_QM3 ? blob_view(&quick->nonce_r) : rest;
    return hmac_digest(sa->suite.hash, prf_key(sa, sa->keys.a), parts, count, ret);
}

/*
 * KEYMAT = K1 | K2 ..., Kn = prf(SKEYID_d, [Kn-1 |] g(qm)^xy | protocol | SPI | Ni_b | Nr_b)
 */
enum err v1_keymat(const struct ike_sa *sa, const struct v1_quick *quick, struct view secret,
                   struct sa_params *ret)
{
    const uint8_t protocol = v1_protocol(ret->suite.protocol);
    size_t block = hash_len(sa->suite.hash);
    size_t cipher_len = esp_suite_cipher_key_len(&ret->suite);
    size_t auth_len = esp_suite_auth_key_len(&ret->suite);
    uint8_t spi[4], keymat[SA_KEY_MAX + SA_AUTH_KEY_MAX + HASH_MAX];
    enum err err = ERR_OK;

    assert(cipher_len <= SA_KEY_MAX && auth_len <= SA_AUTH_KEY_MAX);
    be32(ret->spi.value, spi);
    for (size_t done = 0; done < cipher_len + auth_len && err == ERR_OK; done += block) {
        const struct view parts[] = {
            view_of(done ? keymat + done - block : NULL, done ? block : 0),
            secret,
            u8_view(&protocol),
            view_of(spi, 4),
            blob_view(&quick->nonce_i),
            blob_view(&quick->nonce_r),
        };
        err = hmac_digest(sa->suite.hash, prf_key(sa, sa->keys.d), parts, 6, keymat + done);
    }
    if (err == ERR_OK) {
        memcpy(ret->cipher_key, keymat, cipher_len);
        memcpy(ret->auth_key, keymat + cipher_len, auth_len);
        ret->cipher_key_len = (uint8_t)cipher_len;
        ret->auth_key_len = (uint8_t)auth_len;
    }
    secret_wipe(keymat, sizeof(keymat));
    return err;
}
