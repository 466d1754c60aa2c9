/*
 * Authentication by public-key encryption (RFC 2409 sections 5.2, 5.3; IKE-014), Main and Aggressive Mode:
 * whoever can read a nonce that was encrypted for him is who he should be. In the first form nonce and
 * identity are encrypted with the other side's RSA key; in the revised form the nonce alone, and a key
 * made of it hides public value and identity.
 *
 * A nonce or name that was not encrypted rightly decrypts to something nobody knows (crypto/encryption.h),
 * and the exchange goes on until the HASH is wrong, or ends in silence for want of a peer of that name: it
 * never shows which. HASH(1), which would say which of several keys was used, isn't sent and not heeded,
 * for a side has one key for a peer.
 */
#include "crypto/encryption.h"
#include "ike/v1/v1.h"

enum { EPHEMERAL_MAX = DH_MAX + CBC_BLOCK_MAX };

static bool revised(const struct ike_sa *sa)
{
    return sa->auth == PHASE1_REVISED_RSA_ENCRYPTION;
}

static const struct ike_profile *profile_of(const struct v1_step *step)
{
    return ike_profile_numbered(step->ike, step->sa->profile);
}

static enum err peer_key(struct v1_step *step, const struct public_key **ret)
{
    const struct ike_profile *profile = profile_of(step);
    bool legacy = step->ike->config.legacy || (profile != NULL && profile->legacy);

    for (size_t i = 0; profile != NULL && i < profile->peer_key_count; i++) {
        const struct public_key *key = &profile->peer_keys[i];
        if (key->alg == KEY_RSA && ike_key_long_enough(legacy, key)) {
            *ret = key;
            return ERR_OK;
        }
    }
    return v1_refuse(step, ERR_AUTH, V1_NO_NOTIFY, "no RSA key of the peer is configured");
}

/* Which of our keys it was encrypted for, before the peer's name is known: that of the first configured
 * peer that the address fits. */
static uint32_t own_key(const struct v1_step *step)
{
    const struct ike_sa *sa = step->sa;
    const struct ike_profile *profile = profile_of(step);
    bool aggressive = step->header->exchange == ISAKMP_AGGRESSIVE_MODE;

    if (profile != NULL)
        return profile->own_key;
    while ((profile = ike_profile_next(step->ike, profile, IKE_VERSION_1, &sa->local.addr,
                                       &sa->remote.addr)) != NULL)
        if (auth_of_profile(profile) == sa->auth && (!aggressive || profile->aggressive))
            return profile->own_key;
    return 0;
}

/* Out */

static enum err put_encrypted(const struct public_key *key, struct v1_out *out, uint8_t type,
                              const struct blob *body)
{
    uint8_t cipher[ENCRYPTION_MAX];
    size_t len = 0;
    enum err err = public_key_encrypt(key, blob_view(body), cipher, &len);
    if (err == ERR_OK)
        isakmp_writer_payload(&out->w, type, view_of(cipher, len));
    return err;
}

/* Section 5.3: the IV is zero, and goes on from payload to payload. */
struct ephemeral {
    uint8_t key[CBC_KEY_MAX], iv[CBC_BLOCK_MAX];
};

/* Always padded: with zeros, and at last their number. */
static enum err put_hidden(const struct ike_sa *sa, struct ephemeral *e, struct v1_out *out,
                           uint8_t type, struct view body)
{
    size_t block = cbc_block_len(sa->suite.cipher), pad = block - body.len % block;
    uint8_t text[EPHEMERAL_MAX] = {0};

    if (body.len + pad > sizeof(text))
        return ERR_ROOM;
    memcpy(text, body.ptr, body.len);
    text[body.len + pad - 1] = (uint8_t)(pad - 1);
    enum err err = cbc_encrypt(sa->suite.cipher, view_of(e->key, sa->suite.key_bits / 8), e->iv,
                               span_of(text, body.len + pad));
    if (err == ERR_OK)
        isakmp_writer_payload(&out->w, type, view_of(text, body.len + pad));
    secret_wipe(text, sizeof(text));
    return err;
}

enum err encrypted_put_share(struct v1_step *step, struct v1_out *out)
{
    const struct ike_sa *sa = step->sa;
    const struct v1_handshake *hs = sa->handshake;
    const struct blob *nonce = sa->initiator ? &hs->nonce_i : &hs->nonce_r;
    const struct public_key *key;
    struct ephemeral e = {.iv = {0}};

    enum err err = peer_key(step, &key);
    if (err != ERR_OK)
        return err;
    if (!revised(sa)) {
        isakmp_writer_payload(&out->w, ISAKMP_P_KE, dh_public(hs->dh));
        err = put_encrypted(key, out, ISAKMP_P_ID, &hs->id_own);
        return err == ERR_OK ? put_encrypted(key, out, ISAKMP_P_NONCE, nonce) : err;
    }
    err = put_encrypted(key, out, ISAKMP_P_NONCE, nonce);
    if (err == ERR_OK)
        err = v1_ephemeral_key(sa, sa->initiator, e.key);
    if (err == ERR_OK)
        err = put_hidden(sa, &e, out, ISAKMP_P_KE, dh_public(hs->dh));
    if (err == ERR_OK)
        err = put_hidden(sa, &e, out, ISAKMP_P_ID, blob_view(&hs->id_own));
    secret_wipe(&e, sizeof(e));
    return err;
}

/* In */

enum err encrypted_take_share(struct v1_step *step)
{
    struct v1_handshake *hs = step->sa->handshake;
    struct view ke = v1_body(step, ISAKMP_P_KE, 0), id = v1_body(step, ISAKMP_P_ID, 0);
    struct view nonce = v1_body(step, ISAKMP_P_NONCE, 0);
    uint8_t ciphers[ENCRYPTION_TEXTS * ENCRYPTION_MAX];
    struct builder b = builder_on(span_of(ciphers, sizeof(ciphers)));

    if (nonce.len == 0 || nonce.len > ENCRYPTION_MAX || (!revised(step->sa) && id.len != nonce.len))
        return v1_refuse(step, ERR_VALUE, V1_NO_NOTIFY, "cipher text of the wrong length");
    if (!revised(step->sa) && ke.len != dh_public_len(step->sa->suite.group))
        return v1_refuse(step, ERR_VALUE, V1_NO_NOTIFY, "public value of the wrong length");
    if (revised(step->sa) && (ke.ptr > id.ptr || ke.len > EPHEMERAL_MAX || id.len > EPHEMERAL_MAX))
        return v1_refuse(step, ERR_VALUE, V1_NO_NOTIFY, "payloads out of order or too long");
    if (!blob_set(&hs->peer_ke, ke) || !blob_set(&hs->id_peer, id))
        return ERR_MEMORY;
    if (!revised(step->sa))
        builder_view(&b, id);
    builder_view(&b, nonce);
    const struct ike_effect fx = {.kind = IKE_FX_NEED_DECRYPTION,
                                  .serial = v1_ask(step),
                                  .peer = step->sa->remote.addr,
                                  .profile = step->sa->profile,
                                  .own_key = own_key(step),
                                  .bytes = builder_written(&b)};
    return fx.serial != 0 && ike_effect_push(step->ike, &fx) ? ERR_OK : ERR_MEMORY;
}

static enum err take_hidden(const struct ike_sa *sa, struct ephemeral *e, struct blob *blob)
{
    size_t block = cbc_block_len(sa->suite.cipher), len = blob->len;
    uint8_t text[EPHEMERAL_MAX];

    if (len == 0 || len % block != 0 || len > sizeof(text))
        return ERR_VALUE;
    memcpy(text, blob->ptr, len);
    enum err err = cbc_decrypt(sa->suite.cipher, view_of(e->key, sa->suite.key_bits / 8), e->iv,
                               span_of(text, len));
    size_t pad = (size_t)text[len - 1] + 1;
    if (err == ERR_OK && pad > block)
        err = ERR_VALUE;
    if (err == ERR_OK && !blob_set(blob, view_of(text, len - pad)))
        err = ERR_MEMORY;
    secret_wipe(text, sizeof(text));
    return err;
}

static struct view take_text(struct cursor *cur)
{
    size_t len = cursor_u16(cur);
    return cursor_take(cur, len);
}

/* A nonce of a wrong length is one more that nobody knows: else the length would tell of the padding. */
static bool take_nonce(struct v1_step *step, struct view text)
{
    struct v1_handshake *hs = step->sa->handshake;
    uint8_t made_up[V1_NONCE_LEN];

    rng_fill(&step->ike->env.rng, made_up, sizeof(made_up));
    if (text.len < LIMIT_NONCE_MIN || text.len > LIMIT_NONCE_MAX)
        text = view_of(made_up, sizeof(made_up));
    return blob_set(step->sa->initiator ? &hs->nonce_r : &hs->nonce_i, text);
}

static enum err take_texts(struct v1_step *step)
{
    struct ike_sa *sa = step->sa;
    struct v1_handshake *hs = sa->handshake;
    struct cursor cur = cursor_of(step->event->bytes);
    struct view id = revised(sa) ? view_of(NULL, 0) : take_text(&cur);
    struct view nonce = take_text(&cur);
    struct ephemeral e = {.iv = {0}};

    if (!step->event->ok || !cursor_done(&cur))
        return v1_refuse(step, ERR_STATE, V1_NO_NOTIFY, "our own key would not decrypt");
    if (!take_nonce(step, nonce) || (!revised(sa) && !blob_set(&hs->id_peer, id)))
        return ERR_MEMORY;
    if (!revised(sa))
        return ERR_OK;
    enum err err = v1_ephemeral_key(sa, !sa->initiator, e.key);
    if (err == ERR_OK)
        err = take_hidden(sa, &e, &hs->peer_ke);
    if (err == ERR_OK)
        err = take_hidden(sa, &e, &hs->id_peer);
    if (err == ERR_OK && hs->peer_ke.len != dh_public_len(sa->suite.group))
        err = ERR_VALUE;
    secret_wipe(&e, sizeof(e));
    return err;
}

/* Initiator: the peer's texts, and the keys. */
static enum err take_reply(struct v1_step *step)
{
    enum err err = take_texts(step);
    if (err == ERR_OK && view_equal(blob_view(&step->sa->handshake->peer_ke),
                                    dh_public(step->sa->handshake->dh)))
        err = v1_refuse(step, ERR_VALUE, V1_NO_NOTIFY, "our own public value came back");
    return err == ERR_OK ? main_derive(step) : err;
}

/* Responder: the peer's texts, who it is, our own share, and the keys. */
static enum err take_offer(struct v1_step *step, bool aggressive)
{
    struct identity id;
    enum err err = take_texts(step);
    if (err == ERR_OK)
        err = auth_parse_id(step, blob_view(&step->sa->handshake->id_peer), &id);
    if (err == ERR_OK && !auth_find_profile(step, &id, aggressive))
        err = v1_refuse(step, ERR_AUTH, V1_NO_NOTIFY, "no configured peer has that name");
    if (err != ERR_OK)
        return err;
    step->sa->peer_id = id;
    err = main_make_share(step);
    if (err == ERR_OK)
        err = main_derive(step);
    return err == ERR_OK ? auth_make_id(step) : err;
}

/* The peer's HASH is right, so it could read what was for it alone. */
static enum err accept(struct v1_step *step, struct view hash)
{
    struct ike_sa *sa = step->sa;
    struct view id_body = blob_view(&sa->handshake->id_peer);
    const struct public_key *key;
    struct identity id;

    enum err err = auth_verify_hash(sa, id_body, hash);
    if (err == ERR_AUTH)
        return v1_refuse(step, err, V1_NO_NOTIFY, "the peer could not read what was for it");
    if (err == ERR_OK)
        err = auth_parse_id(step, id_body, &id);
    if (err == ERR_OK)
        err = auth_check_name(step, &id);
    if (err == ERR_OK)
        err = peer_key(step, &key);
    if (err != ERR_OK)
        return err;
    sa->peer_id = id;
    return auth_accept(step, key);
}

static enum err take_message(struct v1_step *step)
{
    struct v1_nat nat;
    enum err err = nat_read_hashes(step, &nat);
    if (err == ERR_OK)
        err = encrypted_take_share(step);
    if (err == ERR_OK)
        step->sa->nat = nat;
    return err;
}

static enum err send_share(struct v1_step *step, enum v1_message_kind kind)
{
    struct v1_out out;
    v1_out_start(step->ike, &out, step->sa, kind, step->x->msgid);
    enum err err = encrypted_put_share(step, &out);
    if (err == ERR_OK)
        err = nat_put_hashes(step, &out);
    return err == ERR_OK ? v1_out_send(step, &out) : err;
}

static enum err send_hash(struct v1_step *step, enum v1_message_kind kind)
{
    struct v1_out out;
    v1_out_start(step->ike, &out, step->sa, kind, step->x->msgid);
    enum err err = auth_put_proof(step, &out);
    if (err != ERR_OK)
        return err;
    main_put_contact(step, &out);
    return v1_out_send(step, &out);
}

/* Main Mode */

enum err encrypted_i_choice(struct v1_step *step)
{
    enum err err = main_take_choice(step);
    if (err == ERR_OK)
        err = auth_make_id(step);
    return err == ERR_OK ? send_share(step, V1_MM3_ENC) : err;
}

enum err encrypted_i_share(struct v1_step *step)
{
    return take_message(step);
}

enum err encrypted_i_keys(struct v1_step *step)
{
    enum err err = take_reply(step);
    if (err != ERR_OK)
        return err;
    nat_float(step->ike, step->sa);
    return send_hash(step, V1_MM5_ENC);
}

enum err encrypted_i_verify(struct v1_step *step)
{
    step->sa->handshake->initial_contact = main_says_contact(step);
    return accept(step, v1_body(step, ISAKMP_P_HASH, 0));
}

enum err encrypted_r_share(struct v1_step *step)
{
    return take_message(step);
}

enum err encrypted_r_keys(struct v1_step *step)
{
    enum err err = take_offer(step, false);
    return err == ERR_OK ? send_share(step, V1_MM4_ENC) : err;
}

enum err encrypted_r_verify(struct v1_step *step)
{
    main_claim_path(step);
    step->sa->handshake->initial_contact = main_says_contact(step);
    enum err err = accept(step, v1_body(step, ISAKMP_P_HASH, 0));
    if (err != ERR_OK)
        return err;
    nat_take_claimed(step->ike, step->sa);
    return send_hash(step, V1_MM6_ENC);
}

/* Aggressive Mode */

enum err encrypted_i_reply(struct v1_step *step)
{
    enum err err = aggressive_take_choice(step);
    if (err == ERR_OK)
        err = encrypted_take_share(step);
    if (err == ERR_OK && !blob_set(&step->sa->handshake->signature, v1_body(step, ISAKMP_P_HASH, 0)))
        err = ERR_MEMORY;
    if (err != ERR_OK)
        aggressive_forget_reply(step);
    return err;
}

/* Anyone could have sent that reply: if it proves nothing, the true peer's may still come. */
enum err encrypted_i_prove(struct v1_step *step)
{
    enum err err = take_reply(step);
    if (err == ERR_OK)
        err = accept(step, blob_view(&step->sa->handshake->signature));
    if (err != ERR_OK) {
        aggressive_forget_reply(step);
        return err == ERR_VALUE ? ERR_AUTH : err;
    }
    nat_float(step->ike, step->sa);
    return aggressive_send_last(step, V1_AM3_PSK);
}

enum err encrypted_r_reply(struct v1_step *step)
{
    struct v1_out out;
    enum err err = take_offer(step, true);
    if (err != ERR_OK)
        return err;
    v1_out_start(step->ike, &out, step->sa, V1_AM2_ENC, step->x->msgid);
    isakmp_writer_payload(&out.w, ISAKMP_P_SA, blob_view(&step->sa->handshake->reply));
    err = encrypted_put_share(step, &out);
    if (err == ERR_OK)
        err = auth_put_proof(step, &out);
    if (err == ERR_OK)
        err = nat_put_hashes(step, &out);
    if (err != ERR_OK)
        return err;
    v1_put_vendors(step->ike, &out, step->sa->nat.agreed);
    return v1_out_send(step, &out);
}
