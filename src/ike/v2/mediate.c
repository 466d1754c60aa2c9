/*
 * More key exchanges between IKE_SA_INIT and IKE_AUTH (RFC 9242, RFC 9370 section 2.2.2): one
 * IKE_INTERMEDIATE for each, under the keys of the one before, whose secret goes into the next keys.
 * AUTH covers what was said. So the SA is as strong as the strongest of them, one that withstands a
 * quantum computer for instance.
 */
#include "ike/v2/v2.h"

static bool wants(const struct v2_step *step)
{
    return step->sa->handshake->policy.additional[0] != 0;
}

void mediate_put(const struct v2_step *step, struct ike2_writer *w)
{
    if (step->sa->initiator ? wants(step) : step->sa->handshake->mediates)
        ike2_writer_notify(w, IKE2_N_INTERMEDIATE_EXCHANGE_SUPPORTED, view_of(NULL, 0));
}

bool mediate_announced(const struct v2_step *step)
{
    struct ike2_notify n;
    return v2_notified(step, IKE2_N_INTERMEDIATE_EXCHANGE_SUPPORTED, &n);
}

void mediate_read(const struct v2_step *step)
{
    step->sa->handshake->mediates = wants(step) && mediate_announced(step);
}

size_t mediate_methods(const struct ike2_suite *suite)
{
    size_t count = 0;
    for (size_t i = 0; i < IKE2_ADDITIONAL_MAX; i++)
        count += suite->additional[i] != 0;
    return count;
}

/* The next key exchange that was agreed on; 0: none is left. */
static uint16_t next_method(const struct v2_sa *sa)
{
    const struct v2_handshake *hs = sa->handshake;
    unsigned done = hs->mediated;
    if (hs->ticket != NULL)
        return 0; /* the session's keys have them */
    for (size_t i = 0; i < IKE2_ADDITIONAL_MAX; i++)
        if (sa->suite.additional[i] != 0 && done-- == 0)
            return sa->suite.additional[i];
    return 0;
}

bool mediate_is_done(const struct v2_sa *sa)
{
    return next_method(sa) == 0;
}

/* RFC 9242 section 3.3.2: prf(SK_p, IntAuth of before | A | P), where A is the header and that of the
 * encrypted payload as if nothing but P were in it. */
static enum err cover(struct v2_sa *sa, const struct ike2_header *header, bool of_initiator,
                      uint8_t first, struct view text)
{
    struct v2_handshake *hs = sa->handshake;
    size_t len = hash_len(sa->suite.prf);
    uint8_t *auth = hs->int_auth[of_initiator ? 0 : 1];
    uint8_t room[IKE2_HEADER_LEN + 4], result[HASH_MAX];
    struct builder b = builder_on(span_of(room, sizeof(room)));

    builder_bytes(&b, header->spi_i, IKE2_SPI_LEN);
    builder_bytes(&b, header->spi_r, IKE2_SPI_LEN);
    builder_u8(&b, IKE2_P_SK);
    builder_u8(&b, header->version);
    builder_u8(&b, header->exchange);
    builder_u8(&b, header->flags);
    builder_u32(&b, header->message_id);
    builder_u32(&b, (uint32_t)(sizeof(room) + text.len));
    builder_u8(&b, first);
    builder_u8(&b, 0);
    builder_u16(&b, (uint16_t)(4 + text.len));
    const struct view parts[] = {view_of(auth, hs->mediated != 0 ? len : 0), builder_written(&b),
                                 text};
    const uint8_t *sk_p = of_initiator ? sa->keys.pi : sa->keys.pr;
    enum err err = hmac_digest(sa->suite.prf, view_of(sk_p, len), parts, 3, result);
    if (err == ERR_OK)
        memcpy(auth, result, len);
    return err;
}

static enum err cover_received(const struct v2_step *step)
{
    const struct ike2_payload *first = &step->payloads->list[0];
    const struct ike2_payload *last = &step->payloads->list[step->payloads->count - 1];
    const uint8_t *start = first->body.ptr - 4; /* they follow one another */
    size_t len = (size_t)(last->body.ptr + last->body.len - start);
    return cover(step->sa, step->header, !step->sa->initiator, first->type, view_of(start, len));
}

static enum err cover_sent(const struct v2_step *step, const struct v2_out *out)
{
    return cover(step->sa, &out->header, step->sa->initiator, out->w.first_inner,
                 builder_written(&out->w.b));
}

/* SKEYSEED(n) = prf(SK_d(n-1), SK(n) | Ni | Nr) */
static enum err next_keys(struct v2_step *step, struct view secret)
{
    struct v2_sa *sa = step->sa;
    const struct v2_handshake *hs = sa->handshake;
    return v2_keys_derive(sa, secret, blob_view(&hs->nonce_i), blob_view(&hs->nonce_r),
                          view_of(NULL, 0), sa->suite.prf, v2_sk_d(sa));
}

/* Initiator */

enum err mediate_i_send(struct v2_step *step)
{
    struct v2_sa *sa = step->sa;
    struct v2_handshake *hs = sa->handshake;
    uint16_t method = next_method(sa);
    struct kex *kex;
    struct v2_out out;

    if (method == 0) {
        step->skips = true;
        return child_ask_spi(step);
    }
    enum err err = kex_new(method, &step->ike->env.rng, &kex);
    if (err != ERR_OK)
        return err;
    kex_free(hs->kex);
    hs->kex = kex;
    v2_out_start(step, &out, V2_MEDIATE_REQ);
    v2_put_ke(&out.w, method, kex_request(kex));
    err = cover_sent(step, &out);
    return err == ERR_OK ? v2_out_send(step, &out) : err;
}

enum err mediate_i_take(struct v2_step *step)
{
    struct v2_sa *sa = step->sa;
    struct v2_handshake *hs = sa->handshake;
    uint8_t secret[KEX_SECRET_MAX];
    struct ike2_ke_payload ke;

    if (ike2_ke_parse(v2_body(step, IKE2_P_KE, 0), &ke) != ERR_OK ||
        ke.method != kex_method(hs->kex))
        return v2_refuse(step, ERR_VALUE, 0, "not the key exchange that we sent");
    enum err err = kex_finish(hs->kex, ke.data, secret);
    if (err == ERR_VALUE)
        (void)v2_refuse(step, err, 0, "public value is not acceptable");
    if (err == ERR_OK)
        err = cover_received(step);
    if (err == ERR_OK)
        err = next_keys(step, view_of(secret, kex_secret_len(ke.method)));
    secret_wipe(secret, sizeof(secret));
    if (err != ERR_OK)
        return err;
    hs->mediated++;
    ike_export_v2(step->ike, sa);
    step->at_once = true;
    return ERR_OK;
}

/* Responder */

/* The answer goes out under the keys that its request came under. */
static enum err answer(struct v2_step *step, uint16_t method, struct view reply, struct view secret)
{
    struct v2_sa *sa = step->sa;
    struct v2_keys before = sa->keys, after;
    struct v2_out out;

    v2_out_start(step, &out, V2_MEDIATE_RSP);
    v2_put_ke(&out.w, method, reply);
    enum err err = cover_sent(step, &out);
    if (err == ERR_OK)
        err = next_keys(step, secret);
    after = sa->keys;
    sa->keys = before;
    if (err == ERR_OK)
        err = v2_out_send(step, &out);
    if (err == ERR_OK) {
        sa->keys = after;
        sa->handshake->mediated++;
        ike_export_v2(step->ike, sa);
    }
    secret_wipe(&before, sizeof(before));
    secret_wipe(&after, sizeof(after));
    return err;
}

enum err mediate_r_answer(struct v2_step *step)
{
    struct v2_sa *sa = step->sa;
    struct v2_handshake *hs = sa->handshake;
    uint16_t method = next_method(sa);
    uint8_t reply[KEX_VALUE_MAX], secret[KEX_SECRET_MAX];
    struct ike2_ke_payload ke;

    if (method == 0)
        return v2_refuse(step, ERR_UNEXPECTED, 0, "no key exchange is left");
    if (ike2_ke_parse(v2_body(step, IKE2_P_KE, 0), &ke) != ERR_OK || ke.method != method)
        return v2_refuse(step, ERR_VALUE, 0, "not the key exchange that was agreed on");
    hs->from = (struct v2_path){step->event->local, step->event->remote, step->event->natt};
    enum err err = kex_respond(method, &step->ike->env.rng, ke.data, reply, secret);
    if (err == ERR_VALUE)
        (void)v2_refuse(step, err, 0, "public value is not acceptable");
    if (err == ERR_OK)
        err = cover_received(step);
    if (err == ERR_OK)
        err = answer(step, method, view_of(reply, kex_reply_len(method)),
                     view_of(secret, kex_secret_len(method)));
    secret_wipe(secret, sizeof(secret));
    return err;
}
