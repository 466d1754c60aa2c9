/* IKEv2: header, payload chain, every body that is parsed, selectors, encrypted payloads. */
#include "fuzz.h"

#include "wire/ike2_sa.h"

static struct ike2_sa sa, sa_again; /* large */
static uint8_t room[1 << 18];

static bool same(struct view a, const struct builder *b)
{
    return view_equal(a, builder_written(b));
}

static struct builder fresh(void)
{
    return builder_on(span_of(room, sizeof(room) / 2));
}

/* Reserved fields and unknown attributes are read over, so compare what two builds yield. */
static void fuzz_sa(struct view body)
{
    if (ike2_sa_parse(body, &sa) != ERR_OK || sa.skipped != 0)
        return;
    struct builder first = fresh();
    ike2_sa_build(&first, &sa);
    assert(!first.bad && first.len <= body.len);
    if (sa.proposal_count > 0 && sa.proposals[0].incomplete)
        return;
    assert(ike2_sa_parse(builder_written(&first), &sa_again) == ERR_OK);
    struct builder second = builder_on(span_of(room + sizeof(room) / 2, sizeof(room) / 2));
    ike2_sa_build(&second, &sa_again);
    assert(same(builder_written(&first), &second));
}

static void fuzz_id(struct view body)
{
    struct ike2_id id, again;
    struct identity identity, identity_again;
    char text[IDENTITY_TEXT_MAX];
    if (ike2_id_parse(body, &id) != ERR_OK || ike2_id_to_identity(&id, &identity) != ERR_OK)
        return;
    struct builder b = fresh();
    ike2_id_build_identity(&b, &identity);
    assert(ike2_id_parse(builder_written(&b), &again) == ERR_OK);
    assert(ike2_id_to_identity(&again, &identity_again) == ERR_OK);
    assert(identity_equal(&identity, &identity_again));
    assert(strlen(identity_format(&identity, text)) < sizeof(text));
}

static void fuzz_notify_delete(uint8_t type, struct view body)
{
    struct ike2_notify n;
    struct ike2_delete d;
    struct builder b = fresh();
    if (type == IKE2_P_N && ike2_notify_parse(body, &n) == ERR_OK) {
        ike2_notify_build(&b, &n);
        assert(same(body, &b));
        assert(ike2_notify_name(n.type) == NULL || ike2_notify_name(n.type)[0] != '\0');
    }
    if (type == IKE2_P_D && ike2_delete_parse(body, &d) == ERR_OK) {
        ike2_delete_build(&b, &d);
        assert(same(body, &b));
    }
}

static void fuzz_selectors(struct view body)
{
    struct ike2_selectors all, again;
    struct ike2_selector both;
    struct ip_prefix prefix;
    char text[IKE2_SELECTOR_TEXT_MAX];
    if (ike2_selectors_parse(body, &all) != ERR_OK)
        return;
    struct builder b = fresh();
    ike2_selectors_build(&b, &all);
    assert(ike2_selectors_parse(builder_written(&b), &again) == ERR_OK);
    assert(again.count == all.count && again.skipped == 0);
    for (size_t i = 0; i < all.count; i++) {
        const struct ike2_selector *ts = &all.list[i];
        assert(ike2_selector_equal(ts, &again.list[i]) && ike2_selector_contains(ts, ts));
        assert(strlen(ike2_selector_format(ts, text)) + 1 < sizeof(text));
        if (ike2_selector_to_prefix(ts, &prefix)) {
            struct ike2_selector wide = ike2_selector_of_prefix(&prefix);
            assert(ike2_selector_contains(&wide, ts));
        }
        for (size_t k = 0; k < all.count; k++)
            if (ike2_selector_intersect(ts, &all.list[k], &both))
                assert(ike2_selector_contains(ts, &both) &&
                       ike2_selector_contains(&all.list[k], &both));
    }
}

static void fuzz_auth_cert(uint8_t type, struct view body)
{
    struct ike2_auth auth, auth_again;
    struct ike2_cert cert;
    struct builder b = fresh();
    if (type == IKE2_P_AUTH && ike2_auth_parse(body, &auth) == ERR_OK) {
        ike2_auth_build(&b, &auth);
        assert(b.len == body.len && ike2_auth_parse(builder_written(&b), &auth_again) == ERR_OK);
        assert(view_equal(auth.identifier, auth_again.identifier) &&
               view_equal(auth.data, auth_again.data));
    }
    if (type == IKE2_P_CERT && ike2_cert_parse(body, &cert) == ERR_OK) {
        ike2_cert_build(&b, &cert);
        assert(same(body, &b));
    }
    if (type == IKE2_P_CERTREQ && ike2_certreq_parse(body, &cert) == ERR_OK)
        assert(cert.data.len == body.len - 1);
}

static void fuzz_cp_ke(uint8_t type, struct view body)
{
    struct ike2_cp cp, again;
    struct ike2_ke_payload ke;
    struct view nonce;
    struct builder b = fresh();
    if (type == IKE2_P_CP && ike2_cp_parse(body, &cp) == ERR_OK) {
        ike2_cp_build(&b, &cp);
        assert(b.len == body.len && ike2_cp_parse(builder_written(&b), &again) == ERR_OK);
        assert(again.count == cp.count);
    }
    if (type == IKE2_P_KE && ike2_ke_parse(body, &ke) == ERR_OK) {
        ike2_ke_build(&b, &ke);
        assert(b.len == body.len);
    }
    if (type == IKE2_P_NONCE && ike2_nonce_parse(body, &nonce) == ERR_OK)
        assert(nonce.len >= IKE2_NONCE_MIN && nonce.len <= IKE2_NONCE_MAX);
}

static void fuzz_sk(struct view message, const struct ike2_payload *payload)
{
    static const struct ike2_sk_shape shapes[] = {{8, 16, 1}, {16, 12, 16}, {8, 8, 4}};
    for (size_t i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++) {
        struct ike2_sk sk;
        struct view text;
        if (ike2_sk_parse(message, payload, &shapes[i], &sk) != ERR_OK)
            continue;
        assert(sk.aad.ptr == message.ptr && sk.iv.ptr == message.ptr + sk.aad.len);
        assert(sk.icv.ptr + sk.icv.len == message.ptr + message.len);
        assert(sk.text.len % shapes[i].block == 0 && sk.text.len > 0);
        if (ike2_sk_unpad(sk.text, &text) == ERR_OK)
            assert(text.len < sk.text.len);
    }
}

static void fuzz_body(struct view message, const struct ike2_payload *payload)
{
    assert(ike2_payload_name(payload->type)[0] != '\0');
    if (payload->type == IKE2_P_SA)
        fuzz_sa(payload->body);
    else if (payload->type == IKE2_P_IDI || payload->type == IKE2_P_IDR)
        fuzz_id(payload->body);
    else if (payload->type == IKE2_P_TSI || payload->type == IKE2_P_TSR)
        fuzz_selectors(payload->body);
    else if (payload->type == IKE2_P_SK || payload->type == IKE2_P_SKF)
        fuzz_sk(message, payload);
    fuzz_notify_delete(payload->type, payload->body);
    fuzz_auth_cert(payload->type, payload->body);
    fuzz_cp_ke(payload->type, payload->body);
}

/* The chain written again has the same types and bodies, in an inner chain as in a message. */
static void fuzz_rebuild(const struct ike2_payloads *all)
{
    struct ike2_writer w;
    struct ike2_payloads again;
    uint8_t critical;
    ike2_writer_start_inner(&w, span_of(room, sizeof(room)));
    for (size_t i = 0; i < all->count; i++) {
        ike2_writer_payload(&w, all->list[i].type, all->list[i].body);
        if (all->list[i].type == IKE2_P_SK || all->list[i].type == IKE2_P_SKF)
            builder_patch_u8(&w.b, w.next_field, all->list[i].next);
    }
    assert(ike2_payloads_parse(w.first_inner, ike2_writer_finish(&w), &again, &critical) == ERR_OK);
    assert(again.count == all->count && again.skipped == 0);
    for (size_t i = 0; i < all->count; i++)
        assert(again.list[i].type == all->list[i].type &&
               again.list[i].next ==
                   (i + 1 < all->count ? all->list[i + 1].type : again.list[i].next) &&
               view_equal(again.list[i].body, all->list[i].body));
}

/* A wrong length field would stop the fuzzer at the door; past it, the text is looked at anyway. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct view datagram = view_of(data, len);
    struct ike2_header h;
    struct ike2_payloads all;
    uint8_t critical = 0;

    bool whole = ike2_header_parse(datagram, &h) == ERR_OK;
    assert(!whole || h.len == len);
    if (len < IKE2_HEADER_LEN || len > 65535)
        return 0;
    struct view text = view_of(data + IKE2_HEADER_LEN, len - IKE2_HEADER_LEN);
    enum err err = ike2_payloads_parse(data[16], text, &all, &critical);
    assert(err != ERR_UNSUPPORTED || critical != 0);
    if (err != ERR_OK)
        return 0;
    assert(all.count + all.skipped <= LIMIT_IKE_PAYLOADS);
    for (size_t i = 0; i < all.count; i++)
        fuzz_body(datagram, &all.list[i]);
    if (all.count > 0)
        fuzz_rebuild(&all);
    return 0;
}
