/* Keys of IKEv2: RFC 7296 sections 2.13 to 2.18. */
#include <assert.h>

#include "crypto/prf.h"
#include "ike/v2/v2.h"

static size_t prf_len(const struct v2_sa *sa)
{
    return hash_len(sa->suite.prf);
}

struct view v2_sk_d(const struct v2_sa *sa)
{
    return view_of(sa->keys.d, prf_len(sa));
}

/* SKEYSEED = prf(Ni | Nr, g^ir); for a new SA in place of an old one prf(SK_d, g^ir | Ni | Nr | more), with
 * the prf of the old one (section 2.18, RFC 9370 section 2.2.4). */
static enum err skeyseed(const struct v2_sa *sa, struct view secret, struct view nonce_i,
                         struct view nonce_r, struct view more, enum hash_alg old_prf, struct view old_d,
                         uint8_t *ret)
{
    uint8_t nonces[2 * IKE2_NONCE_MAX];
    const struct view parts[] = {secret, nonce_i, nonce_r, more};
    if (old_d.len != 0)
        return hmac_digest(old_prf, old_d, parts, 4, ret);
    assert(nonce_i.len + nonce_r.len <= sizeof(nonces));
    memcpy(nonces, nonce_i.ptr, nonce_i.len);
    memcpy(nonces + nonce_i.len, nonce_r.ptr, nonce_r.len);
    return hmac_digest(sa->suite.prf, view_of(nonces, nonce_i.len + nonce_r.len), &secret, 1, ret);
}

/* {SK_d | SK_ai | SK_ar | SK_ei | SK_er | SK_pi | SK_pr} = prf+(SKEYSEED, Ni | Nr | SPIi | SPIr) */
static enum err expand(struct v2_sa *sa, const uint8_t *seed, struct view nonce_i,
                       struct view nonce_r)
{
    size_t p = prf_len(sa), a = aead_integ_key_len(&sa->suite.protect),
           e = aead_key_len(&sa->suite.protect);
    uint8_t all[sizeof(struct v2_keys)];
    struct v2_keys keys = {.d = {0}};
    const struct view parts[] = {nonce_i, nonce_r, view_of(v2_spi_i(sa), IKE2_SPI_LEN),
                                 view_of(v2_spi_r(sa), IKE2_SPI_LEN)};

    enum err err = prf_plus(sa->suite.prf, view_of(seed, hash_len(sa->suite.prf)), parts, 4,
                            span_of(all, 3 * p + 2 * a + 2 * e));
    if (err == ERR_OK) {
        struct cursor cur = cursor_of(view_of(all, 3 * p + 2 * a + 2 * e));
        cursor_copy(&cur, keys.d, p);
        cursor_copy(&cur, keys.ai, a);
        cursor_copy(&cur, keys.ar, a);
        cursor_copy(&cur, keys.ei, e);
        cursor_copy(&cur, keys.er, e);
        cursor_copy(&cur, keys.pi, p);
        cursor_copy(&cur, keys.pr, p);
        sa->keys = keys;
    }
    secret_wipe(&keys, sizeof(keys));
    secret_wipe(all, sizeof(all));
    return err;
}

enum err v2_keys_derive(struct v2_sa *sa, struct view secret, struct view nonce_i,
                        struct view nonce_r, struct view more, enum hash_alg old_prf,
                        struct view old_d)
{
    uint8_t seed[HASH_MAX];
    enum err err = skeyseed(sa, secret, nonce_i, nonce_r, more, old_prf, old_d, seed);
    if (err == ERR_OK)
        err = expand(sa, seed, nonce_i, nonce_r);
    secret_wipe(seed, sizeof(seed));
    return err;
}

/* SKEYSEED = prf(SK_d_old, "Resumption" | Ni | Nr) */
enum err v2_keys_resume(struct v2_sa *sa, struct view old_d, struct view nonce_i,
                        struct view nonce_r)
{
    const struct view parts[] = {view_of_text("Resumption"), nonce_i, nonce_r};
    uint8_t seed[HASH_MAX];
    enum err err = hmac_digest(sa->suite.prf, old_d, parts, 3, seed);
    if (err == ERR_OK)
        err = expand(sa, seed, nonce_i, nonce_r);
    secret_wipe(seed, sizeof(seed));
    return err;
}

static void cut(struct cursor *cur, struct sa_params *ret)
{
    ret->cipher_key_len = (uint8_t)esp_suite_cipher_key_len(&ret->suite);
    ret->auth_key_len = (uint8_t)esp_suite_auth_key_len(&ret->suite);
    cursor_copy(cur, ret->cipher_key, ret->cipher_key_len);
    cursor_copy(cur, ret->auth_key, ret->auth_key_len);
}

/* Section 2.17: KEYMAT = prf+(SK_d, [g^ir |] Ni | Nr [| more]). What goes from the exchange's initiator to
 * its responder takes its keys first, encryption before integrity. */
enum err v2_keymat(const struct v2_sa *sa, struct v2_child *child, bool initiator,
                   struct view nonce_i, struct view nonce_r)
{
    struct sa_params *to_responder = &child->sas[initiator ? 1 : 0];
    struct sa_params *to_initiator = &child->sas[initiator ? 0 : 1];
    const struct view parts[] = {blob_view(&child->secret), nonce_i, nonce_r,
                                 follow_secrets(child->x)};
    uint8_t keymat[2 * (SA_KEY_MAX + SA_AUTH_KEY_MAX)];
    size_t len = 2 * (esp_suite_cipher_key_len(&child->suite.esp) +
                      esp_suite_auth_key_len(&child->suite.esp));

    assert(len <= sizeof(keymat));
    enum err err = prf_plus(sa->suite.prf, v2_sk_d(sa), parts, 4, span_of(keymat, len));
    if (err == ERR_OK) {
        struct cursor cur = cursor_of(view_of(keymat, len));
        cut(&cur, to_responder);
        cut(&cur, to_initiator);
    }
    secret_wipe(keymat, sizeof(keymat));
    return err;
}

/* RFC 9242 section 3.3.2: what was said in between, and IKE_AUTH's message id. */
static void put_mediated(struct builder *b, const struct v2_sa *sa)
{
    const struct v2_handshake *hs = sa->handshake;
    if (hs->mediated == 0)
        return;
    builder_bytes(b, hs->int_auth[0], prf_len(sa));
    builder_bytes(b, hs->int_auth[1], prf_len(sa));
    builder_u32(b, hs->mediated + 1);
}

/* Section 2.15: RealMessage | NonceOfTheOther | prf(SK_p, ID body) */
enum err v2_signed_octets(const struct v2_sa *sa, bool of_initiator, struct view id,
                          struct blob *ret)
{
    const struct v2_handshake *hs = sa->handshake;
    const uint8_t *sk_p = of_initiator ? sa->keys.pi : sa->keys.pr;
    struct view message = blob_view(of_initiator ? &hs->request : &hs->response);
    struct view nonce = blob_view(of_initiator ? &hs->nonce_r : &hs->nonce_i);
    uint8_t mac[HASH_MAX];
    size_t len = message.len + nonce.len + prf_len(sa) + (hs->mediated ? 2 * prf_len(sa) + 4 : 0);

    enum err err = hmac_digest(sa->suite.prf, view_of(sk_p, prf_len(sa)), &id, 1, mac);
    if (err != ERR_OK)
        return err;
    uint8_t *octets = malloc(len);
    if (octets == NULL)
        return ERR_MEMORY;
    struct builder b = builder_on(span_of(octets, len));
    builder_view(&b, message);
    builder_view(&b, nonce);
    builder_bytes(&b, mac, prf_len(sa));
    put_mediated(&b, sa);
    assert(!b.bad);
    blob_wipe(ret);
    *ret = (struct blob){octets, len};
    return ERR_OK;
}

/* With a shared secret prf(prf(secret, pad), octets); without one the SA's own SK_p stands for it
 * (RFC 7619 section 2.1). */
enum err v2_auth_mac(const struct v2_sa *sa, bool of_initiator, struct view psk,
                     struct view octets, uint8_t *ret)
{
    struct view pad = view_of_text("Key Pad for IKEv2");
    struct view sk_p = view_of(of_initiator ? sa->keys.pi : sa->keys.pr, prf_len(sa));
    uint8_t key[HASH_MAX];
    enum err err = hmac_digest(sa->suite.prf, psk.len != 0 ? psk : sk_p, &pad, 1, key);
    if (err == ERR_OK)
        err = hmac_digest(sa->suite.prf, view_of(key, prf_len(sa)), &octets, 1, ret);
    secret_wipe(key, sizeof(key));
    return err;
}
