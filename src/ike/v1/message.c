/* Opening and sealing messages: flags, encryption (RFC 2409 appendix B), HASH payloads. */
#include <assert.h>
#include <stdio.h>

#include "ike/v1/v1.h"

enum { GENERIC_HEADER_LEN = 4 };

struct view v1_body(const struct v1_step *step, uint8_t type, size_t nth)
{
    const struct isakmp_payload *payload = isakmp_payload_find(step->payloads, type, nth);
    assert(payload != NULL); /* v1_message_check() saw it */
    return payload->body;
}

enum err v1_refuse(struct v1_step *step, enum err err, enum v1_notify notify, const char *why)
{
    step->notify = notify;
    step->why = why;
    return err;
}

/* RFC 3706 section 5.1, version 1.0 */
static const uint8_t dpd_vendor[16] = {0xaf, 0xca, 0xd7, 0x13, 0x68, 0xa1, 0xf1, 0xc9,
                                       0x6b, 0x86, 0x96, 0xfc, 0x77, 0x57, 0x01, 0x00};

void v1_put_vendors(const struct ike *ike, struct v1_out *out, bool nat)
{
    if (nat && ike->config.nat != IKE_NAT_OFF)
        nat_put_vendor(out);
    isakmp_writer_payload(&out->w, ISAKMP_P_VID, view_of(dpd_vendor, sizeof(dpd_vendor)));
}

bool v1_peer_has_dpd(const struct v1_step *step)
{
    const struct isakmp_payload *vid;
    for (size_t i = 0; (vid = isakmp_payload_find(step->payloads, ISAKMP_P_VID, i)) != NULL; i++)
        if (view_equal(vid->body, view_of(dpd_vendor, sizeof(dpd_vendor))))
            return true;
    return false;
}

/* Out */

void v1_out_start(struct ike *ike, struct v1_out *out, const struct ike_sa *sa,
                  enum v1_message_kind kind, msgid_t msgid)
{
    const struct v1_message *message = v1_message(kind);
    struct isakmp_header header = {
        .version = ISAKMP_VERSION_1,
        .exchange = message->exchange,
        .flags = message->encrypted ? ISAKMP_FLAG_ENCRYPTED : 0,
        .msgid = msgid,
    };
    memcpy(header.cookie_i, sa->cookies, ISAKMP_COOKIE_LEN);
    memcpy(header.cookie_r, sa->cookies + ISAKMP_COOKIE_LEN, ISAKMP_COOKIE_LEN);
    *out = (struct v1_out){.kind = kind};
    isakmp_writer_start(&out->w, span_of(ike->message, sizeof(ike->message)), &header);
    if (message->hashed) {
        isakmp_writer_open(&out->w, ISAKMP_P_HASH);
        out->hash_at = out->w.b.len;
        builder_fill(&out->w.b, 0, hash_len(sa->suite.hash));
        isakmp_writer_close(&out->w);
    }
}

/* Fills in the HASH payload, pads and encrypts; `iv` becomes the next one. */
static enum err seal(struct ike *ike, const struct ike_sa *sa, const struct v1_quick *quick,
                     struct v1_out *out, msgid_t msgid, uint8_t *iv, struct view *ret)
{
    bool encrypted = v1_message(out->kind)->encrypted;
    if (out->w.b.bad)
        return ERR_ROOM;
    if (out->hash_at != 0) {
        size_t rest_at = out->hash_at + hash_len(sa->suite.hash);
        struct view rest = view_of(ike->message + rest_at, out->w.b.len - rest_at);
        enum err err =
            v1_phase2_hash(sa, quick, out->kind, msgid, rest, ike->message + out->hash_at);
        if (err != ERR_OK)
            return err;
    }
    struct view whole =
        isakmp_writer_finish(&out->w, encrypted ? cbc_block_len(sa->suite.cipher) : 1);
    if (whole.ptr == NULL)
        return ERR_ROOM;
    *ret = whole;
    if (!encrypted)
        return ERR_OK;
    struct span text = span_of(ike->message + ISAKMP_HEADER_LEN, whole.len - ISAKMP_HEADER_LEN);
    return cbc_encrypt(sa->suite.cipher, view_of(sa->keys.cipher, sa->suite.key_bits / 8), iv,
                       text);
}

void v1_send_raw(struct ike *ike, const struct ike_sa *sa, struct view bytes)
{
    v1_send_on(ike, sa, &sa->path, bytes);
}

void v1_send_on(struct ike *ike, const struct ike_sa *sa, const struct ike_path *path,
                struct view bytes)
{
    const struct ike_effect fx = {.kind = IKE_FX_SEND,
                                  .local = path->local,
                                  .remote = path->remote,
                                  .peer = sa->remote.addr,
                                  .natt = path->natt,
                                  .bytes = bytes};
    /* Without memory the datagram is lost, as any datagram may be. */
    (void)ike_effect_push(ike, &fx);
}

enum err v1_out_send(struct v1_step *step, struct v1_out *out)
{
    struct v1_exchange *x = step->x;
    uint8_t iv[CBC_BLOCK_MAX];
    struct view bytes;

    assert(out->kind == step->row->sends);
    memcpy(iv, step->iv, sizeof(iv));
    enum err err = seal(step->ike, step->sa, step->quick, out, x->msgid, iv, &bytes);
    if (err != ERR_OK)
        return err;
    if (!retransmit_set(&x->out, bytes, step->ike->config.retransmit_ms))
        return ERR_MEMORY;
    memcpy(step->iv, iv, sizeof(iv));
    step->sent = true;
    if (out->kind == V1_QM1 || out->kind == V1_QM2)
        saved_sa(step->ike, step->sa); /* from here on the message id is used, whatever happens */
    v1_trace_message(step->ike, step->sa, x, v1_message(out->kind), true, "");
    v1_send_raw(step->ike, step->sa, bytes);
    return ERR_OK;
}

enum err v1_out_send_info(struct ike *ike, struct ike_sa *sa, struct v1_out *out, msgid_t msgid,
                          const char *detail)
{
    uint8_t iv[CBC_BLOCK_MAX];
    struct view bytes;
    enum err err = v1_phase2_iv(sa, msgid, iv);
    if (err == ERR_OK)
        err = seal(ike, sa, NULL, out, msgid, iv, &bytes);
    if (err != ERR_OK)
        return err;
    v1_msgid_mark(ike, sa, msgid);
    saved_sa(ike, sa);
    v1_trace_message(ike, sa, NULL, v1_message(out->kind), true, detail);
    v1_send_raw(ike, sa, bytes);
    return ERR_OK;
}

/* In */

static enum err decrypt(struct ike *ike, const struct ike_sa *sa, struct view datagram, uint8_t *iv,
                        struct view *ret_text)
{
    size_t len = datagram.len - ISAKMP_HEADER_LEN;
    if (len == 0 || len % cbc_block_len(sa->suite.cipher) != 0 || len > sizeof(ike->text))
        return ERR_DECRYPT;
    memcpy(ike->text, datagram.ptr + ISAKMP_HEADER_LEN, len);
    enum err err = cbc_decrypt(sa->suite.cipher, view_of(sa->keys.cipher, sa->suite.key_bits / 8),
                               iv, span_of(ike->text, len));
    if (err == ERR_OK)
        *ret_text = view_of(ike->text, len);
    return err;
}

/* The HASH payload comes first and covers the rest. */
static enum err check_hash(const struct ike_sa *sa, const struct v1_quick *quick,
                           enum v1_message_kind kind, msgid_t msgid, struct view text,
                           const struct isakmp_payloads *payloads)
{
    uint8_t hash[HASH_MAX];
    if (payloads->count == 0 || payloads->list[0].type != ISAKMP_P_HASH)
        return ERR_AUTH;
    size_t skip = payloads->list[0].whole.len;
    struct view rest = view_of(text.ptr + skip, payloads->octets - skip);
    enum err err = v1_phase2_hash(sa, quick, kind, msgid, rest, hash);
    if (err != ERR_OK)
        return err;
    bool good = secret_equal(view_of(hash, hash_len(sa->suite.hash)), payloads->list[0].body);
    return good ? ERR_OK : ERR_AUTH;
}

/* Whatever doesn't parse after decryption was not encrypted with our key. */
enum err v1_open(struct ike *ike, const struct ike_sa *sa, const struct v1_quick *quick,
                 enum v1_message_kind kind, const struct isakmp_header *header,
                 struct view datagram, uint8_t *iv, struct isakmp_payloads *ret)
{
    const struct v1_message *message = v1_message(kind);
    bool encrypted = (header->flags & ISAKMP_FLAG_ENCRYPTED) != 0;
    struct view text = view_of(datagram.ptr + ISAKMP_HEADER_LEN, datagram.len - ISAKMP_HEADER_LEN);
    enum err err;

    if (encrypted != message->encrypted && !(message->may_be_clear && !encrypted)) {
        ike_count(ike, encrypted ? IKE_COUNT_ENCRYPTED : IKE_COUNT_CLEAR);
        return ERR_UNEXPECTED;
    }
    if (encrypted && (err = decrypt(ike, sa, datagram, iv, &text)) != ERR_OK) {
        ike_count(ike, IKE_COUNT_UNDECRYPTABLE);
        return err;
    }
    err = isakmp_payloads_parse(header->next_payload, text, encrypted, ret);
    if (err != ERR_OK) {
        ike_count(ike, encrypted ? IKE_COUNT_UNDECRYPTABLE : IKE_COUNT_MALFORMED);
        return encrypted ? ERR_DECRYPT : err;
    }
    if (message->hashed) {
        err = check_hash(sa, quick, kind, header->msgid, text, ret);
        if (err != ERR_OK)
            ike_count(ike, IKE_COUNT_BAD_HASH);
    }
    return err == ERR_AUTH ? ERR_DECRYPT : err;
}
