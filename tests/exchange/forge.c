#include "forge.h"

static struct ike_sa *sa_of(struct pair *pair, unsigned receiver)
{
    struct ike *ike = pair->sides[receiver].ike;
    return ike->all_count ? ike->all[ike->all_count - 1] : NULL;
}

static void iv_for(const struct ike_sa *sa, const struct isakmp_header *header, uint8_t *ret)
{
    const struct v1_quick *quick = quick_find(sa, header->msgid);
    if (header->msgid.value == 0)
        memcpy(ret, sa->main.iv, CBC_BLOCK_MAX);
    else if (quick != NULL)
        memcpy(ret, quick->x.iv, CBC_BLOCK_MAX);
    else
        assert_int_equal(v1_phase2_iv(sa, header->msgid, ret), ERR_OK);
}

static struct view key_of(const struct ike_sa *sa)
{
    return view_of(sa->keys.cipher, sa->suite.key_bits / 8);
}

void forge_open(struct pair *pair, unsigned receiver, const struct pair_datagram *d,
                enum v1_message_kind kind, struct forge *ret)
{
    static uint8_t text[4096];
    struct isakmp_payloads payloads;
    bool encrypted = v1_message(kind)->encrypted;
    size_t len = d->len - ISAKMP_HEADER_LEN;

    ret->kind = kind;
    ret->count = 0;
    ret->bad_hash = false;
    assert_int_equal(isakmp_header_parse(view_of(d->octets, d->len), &ret->header), ERR_OK);
    memcpy(text, d->octets + ISAKMP_HEADER_LEN, len);
    if (encrypted) {
        const struct ike_sa *sa = sa_of(pair, receiver);
        uint8_t iv[CBC_BLOCK_MAX];
        iv_for(sa, &ret->header, iv);
        assert_int_equal(cbc_decrypt(sa->suite.cipher, key_of(sa), iv, span_of(text, len)), ERR_OK);
    }
    assert_int_equal(
        isakmp_payloads_parse(ret->header.next_payload, view_of(text, len), encrypted, &payloads),
        ERR_OK);
    for (size_t i = 0; i < payloads.count; i++)
        forge_add(ret, payloads.list[i].type, payloads.list[i].body);
}

void forge_add(struct forge *forge, uint8_t type, struct view body)
{
    assert_true(forge->count < FORGE_PAYLOADS && body.len <= FORGE_BODY);
    struct forge_payload *payload = &forge->payloads[forge->count++];
    payload->type = type;
    payload->len = body.len;
    if (body.len != 0)
        memcpy(payload->body, body.ptr, body.len);
}

void forge_drop(struct forge *forge, size_t i)
{
    forge->count--;
    memmove(&forge->payloads[i], &forge->payloads[i + 1],
            (forge->count - i) * sizeof(forge->payloads[0]));
}

struct forge_payload *forge_find(struct forge *forge, uint8_t type)
{
    for (size_t i = 0; i < forge->count; i++)
        if (forge->payloads[i].type == type)
            return &forge->payloads[i];
    return NULL;
}

static void fix_hash(const struct ike_sa *sa, const struct forge *forge, struct isakmp_writer *w)
{
    size_t hash_at = ISAKMP_HEADER_LEN + 4;
    size_t rest_at = hash_at + hash_len(sa->suite.hash);
    if (forge->count == 0 || forge->payloads[0].type != ISAKMP_P_HASH || forge->bad_hash)
        return;
    assert_int_equal(
        v1_phase2_hash(sa, quick_find(sa, forge->header.msgid), forge->kind, forge->header.msgid,
                       view_of(w->b.base + rest_at, w->b.len - rest_at), w->b.base + hash_at),
        ERR_OK);
}

void forge_close(struct pair *pair, unsigned receiver, const struct forge *forge,
                 struct pair_datagram *ret)
{
    const struct v1_message *message = v1_message(forge->kind);
    const struct ike_sa *sa = message->encrypted ? sa_of(pair, receiver) : NULL;
    struct isakmp_header header = forge->header;
    struct isakmp_writer w;
    uint8_t iv[CBC_BLOCK_MAX];

    header.next_payload = ISAKMP_P_NONE;
    isakmp_writer_start(&w, span_of(ret->octets, sizeof(ret->octets)), &header);
    for (size_t i = 0; i < forge->count; i++)
        isakmp_writer_payload(&w, forge->payloads[i].type,
                              view_of(forge->payloads[i].body, forge->payloads[i].len));
    if (message->hashed)
        fix_hash(sa, forge, &w);
    /* In clear although it should be encrypted: padded as if it were, but where clear is allowed. */
    bool encrypted = (header.flags & ISAKMP_FLAG_ENCRYPTED) != 0;
    bool padded = message->encrypted && (encrypted || !message->may_be_clear);
    struct view whole = isakmp_writer_finish(&w, padded ? cbc_block_len(sa->suite.cipher) : 1);
    assert_non_null(whole.ptr);
    ret->len = whole.len;
    if (!message->encrypted || !encrypted)
        return;
    iv_for(sa, &header, iv);
    assert_int_equal(
        cbc_encrypt(sa->suite.cipher, key_of(sa), iv,
                    span_of(ret->octets + ISAKMP_HEADER_LEN, ret->len - ISAKMP_HEADER_LEN)),
        ERR_OK);
}
