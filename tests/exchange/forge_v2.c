#include "forge_v2.h"

static struct v2_sa *receiver(struct pair *pair, const struct pair_datagram *d,
                              const struct ike2_header *header)
{
    bool from_initiator = (header->flags & IKE2_FLAG_INITIATOR) != 0;
    struct v2_sa *sa = v2_sa_find(pair->sides[!d->from].ike,
                                  from_initiator ? header->spi_r : header->spi_i);
    assert_non_null(sa);
    return sa;
}

static struct ike2_sk_shape shape_of(const struct v2_sa *sa)
{
    return (struct ike2_sk_shape){.iv_len = aead_iv_len(&sa->suite.protect),
                                  .icv_len = aead_icv_len(&sa->suite.protect),
                                  .block = aead_block_len(&sa->suite.protect)};
}

static struct aead_keys keys_of(const struct v2_sa *sa)
{
    const struct v2_keys *k = &sa->keys;
    return (struct aead_keys){
        .cipher = view_of(sa->initiator ? k->er : k->ei, aead_key_len(&sa->suite.protect)),
        .integ = view_of(sa->initiator ? k->ar : k->ai, aead_integ_key_len(&sa->suite.protect)),
    };
}

static struct view decrypt(struct pair *pair, const struct pair_datagram *d,
                           const struct ike2_header *header, const struct ike2_payload *payload,
                           uint8_t *text, uint8_t *ret_first)
{
    const struct v2_sa *sa = receiver(pair, d, header);
    struct ike2_sk_shape shape = shape_of(sa);
    struct aead_keys keys = keys_of(sa);
    struct ike2_sk sk;
    struct view plain;
    assert_int_equal(ike2_sk_parse(view_of(d->octets, d->len), payload, &shape, &sk), ERR_OK);
    memcpy(text, sk.text.ptr, sk.text.len);
    assert_int_equal(aead_open(&sa->suite.protect, &keys, sk.aad, sk.iv.ptr,
                               span_of(text, sk.text.len), sk.icv.ptr),
                     ERR_OK);
    assert_int_equal(ike2_sk_unpad(view_of(text, sk.text.len), &plain), ERR_OK);
    *ret_first = sk.first;
    return plain;
}

void forge_v2_open(struct pair *pair, const struct pair_datagram *d, struct forge_v2 *ret)
{
    static uint8_t text[4096];
    struct ike2_payloads payloads;
    uint8_t critical, first;
    struct view inner = view_of(d->octets + IKE2_HEADER_LEN, d->len - IKE2_HEADER_LEN);

    *ret = (struct forge_v2){.count = 0};
    assert_int_equal(ike2_header_parse(view_of(d->octets, d->len), &ret->header), ERR_OK);
    first = ret->header.next_payload;
    assert_int_equal(ike2_payloads_parse(first, inner, &payloads, &critical), ERR_OK);
    ret->sealed = payloads.count == 1 && payloads.list[0].type == IKE2_P_SK;
    if (ret->sealed) {
        inner = decrypt(pair, d, &ret->header, &payloads.list[0], text, &first);
        assert_int_equal(ike2_payloads_parse_with(first, inner, v2_agreed(receiver(pair, d, &ret->header)),
                                                  &payloads, &critical),
                         ERR_OK);
    }
    ret->kind = v2_message_kind_of(ret->header.exchange,
                                   (ret->header.flags & IKE2_FLAG_RESPONSE) != 0, &payloads);
    for (size_t i = 0; i < payloads.count; i++)
        forge_v2_add(ret, payloads.list[i].type, payloads.list[i].body);
}

void forge_v2_close(struct pair *pair, const struct forge_v2 *forge, bool clear,
                    struct pair_datagram *ret)
{
    static uint8_t inner[4096];
    struct ike2_writer w, outer;
    bool seal = forge->sealed && !clear;
    if (seal)
        ike2_writer_start_inner(&w, span_of(inner, sizeof(inner)));
    else
        ike2_writer_start(&w, span_of(ret->octets, sizeof(ret->octets)), &forge->header);
    for (size_t i = 0; i < forge->count; i++)
        ike2_writer_payload(&w, forge->payloads[i].type,
                            view_of(forge->payloads[i].body, forge->payloads[i].len));
    struct view written = ike2_writer_finish(&w);
    if (forge->critical_last)
        w.b.base[written.len - forge->payloads[forge->count - 1].len - 3] |= 0x80;
    ret->len = written.len;
    if (!seal)
        return;
    const struct v2_sa *sa = receiver(pair, ret, &forge->header);
    struct ike2_sk_shape shape = shape_of(sa);
    struct aead_keys keys = keys_of(sa);
    const struct ike2_fragment all = {.first = w.first_inner, .text = written};
    struct ike2_sk_room room;
    ike2_writer_start(&outer, span_of(ret->octets, sizeof(ret->octets)), &forge->header);
    assert_int_equal(ike2_writer_sk(&outer, &shape, &all, &room), ERR_OK);
    memset(room.iv, 0x77, shape.iv_len);
    assert_int_equal(
        aead_seal(&sa->suite.protect, &keys, room.aad, room.iv, room.text, room.icv), ERR_OK);
    ret->len = room.message.len;
}

void forge_v2_drop(struct forge_v2 *forge, size_t i)
{
    memmove(&forge->payloads[i], &forge->payloads[i + 1],
            (forge->count - i - 1) * sizeof(forge->payloads[0]));
    forge->count--;
}

void forge_v2_add(struct forge_v2 *forge, uint8_t type, struct view body)
{
    struct forge_v2_payload *p = &forge->payloads[forge->count++];
    assert_true(forge->count <= FORGE_V2_PAYLOADS && body.len <= FORGE_V2_BODY);
    p->type = type;
    p->len = body.len;
    if (body.len != 0)
        memcpy(p->body, body.ptr, body.len);
}
