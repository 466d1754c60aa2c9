/*
 * IKEv2 messages: parse(build(x)) = x, the rules for unknown and critical payloads, encrypted
 * payloads and fragments, and RFC 7634 appendix B's message both ways.
 */
#include "check.h"

#include "crypto/aead.h"
#include "wire/ike2.h"

static const struct ike2_header sample_header = {
    .spi_i = "initiat",
    .spi_r = "respond",
    .version = IKE2_VERSION,
    .exchange = IKE2_AUTH,
    .flags = IKE2_FLAG_INITIATOR,
    .message_id = 7,
};

static uint8_t room[8192];

static struct view body_of(struct view message)
{
    return view_of(message.ptr + IKE2_HEADER_LEN, message.len - IKE2_HEADER_LEN);
}

static void test_header(void **state)
{
    (void)state;
    struct ike2_writer w;
    struct ike2_header h;
    ike2_writer_start(&w, span_of(room, sizeof(room)), &sample_header);
    ike2_writer_payload(&w, IKE2_P_VID, view_of_text("who"));
    struct view message = ike2_writer_finish(&w);
    assert_int_equal(message.len, 28 + 7);
    assert_int_equal(ike2_header_parse(message, &h), ERR_OK);
    assert_memory_equal(h.spi_i, sample_header.spi_i, 8);
    assert_memory_equal(h.spi_r, sample_header.spi_r, 8);
    assert_int_equal(h.next_payload, IKE2_P_VID);
    assert_int_equal(h.exchange, IKE2_AUTH);
    assert_int_equal(h.flags, IKE2_FLAG_INITIATOR);
    assert_int_equal(h.message_id, 7);
    for (size_t len = 0; len < 28; len++)
        assert_int_equal(ike2_header_parse(view_of(room, len), &h), ERR_SHORT);
    assert_int_equal(ike2_header_parse(view_of(room, message.len - 1), &h), ERR_SYNTAX);
    room[17] = 0x2f; /* a minor version is nobody's business */
    assert_int_equal(ike2_header_parse(message, &h), ERR_OK);
    room[17] = 0x30;
    assert_int_equal(ike2_header_parse(message, &h), ERR_VERSION);
    room[17] = 0x10;
    assert_int_equal(ike2_header_parse(message, &h), ERR_VERSION);
}

static void test_chain(void **state)
{
    (void)state;
    struct ike2_writer w;
    struct ike2_payloads all;
    uint8_t critical = 99;
    ike2_writer_start_inner(&w, span_of(room, sizeof(room)));
    ike2_writer_payload(&w, IKE2_P_IDI, view_of_text("aaaa"));
    ike2_writer_notify(&w, IKE2_N_INITIAL_CONTACT, view_of(NULL, 0));
    ike2_writer_notify(&w, IKE2_N_COOKIE, view_of_text("cookie"));
    ike2_writer_payload(&w, 60, view_of_text("unknown"));
    ike2_writer_payload(&w, IKE2_P_TSR, view_of(NULL, 0));
    struct view text = ike2_writer_finish(&w);
    assert_int_equal(w.first_inner, IKE2_P_IDI);
    assert_int_equal(ike2_payloads_parse(w.first_inner, text, &all, &critical), ERR_OK);
    assert_int_equal(all.count, 4);
    assert_int_equal(all.skipped, 1);
    assert_int_equal(ike2_payload_count(&all, IKE2_P_N), 2);
    check_view(ike2_payload_find(&all, IKE2_P_IDI, 0)->body, view_of_text("aaaa"));
    assert_null(ike2_payload_find(&all, IKE2_P_IDI, 1));
    assert_int_equal(ike2_payload_find(&all, IKE2_P_TSR, 0)->body.len, 0);
    struct ike2_notify n;
    assert_true(ike2_notify_find(&all, IKE2_N_COOKIE, &n));
    check_view(n.data, view_of_text("cookie"));
    assert_false(ike2_notify_find(&all, IKE2_N_COOKIE2, &n));
    /* The critical bit: of a known payload it means nothing, of an unknown one all is refused. */
    room[1] = 0x80;
    assert_int_equal(ike2_payloads_parse(IKE2_P_IDI, text, &all, &critical), ERR_OK);
    size_t unknown_at = 8 + 8 + 14;
    room[unknown_at + 1] = 0x7f; /* reserved bits */
    assert_int_equal(ike2_payloads_parse(IKE2_P_IDI, text, &all, &critical), ERR_OK);
    assert_int_equal(critical, 99);
    room[unknown_at + 1] = 0x80;
    assert_int_equal(ike2_payloads_parse(IKE2_P_IDI, text, &all, &critical), ERR_UNSUPPORTED);
    assert_int_equal(critical, 60);
}

static void test_chain_broken(void **state)
{
    (void)state;
    struct ike2_writer w;
    struct ike2_payloads all = {.count = 77};
    uint8_t critical = 0;
    ike2_writer_start_inner(&w, span_of(room, sizeof(room)));
    ike2_writer_payload(&w, IKE2_P_NONCE, view_of_text("0123456789abcdef"));
    ike2_writer_payload(&w, IKE2_P_VID, view_of_text("v"));
    struct view text = ike2_writer_finish(&w);
    for (size_t len = 0; len < text.len; len++)
        assert_int_equal(ike2_payloads_parse(IKE2_P_NONCE, view_of(text.ptr, len), &all, &critical),
                         ERR_SHORT);
    room[text.len] = 0;
    assert_int_equal(
        ike2_payloads_parse(IKE2_P_NONCE, view_of(text.ptr, text.len + 1), &all, &critical),
        ERR_TRAILING);
    room[3] = 3;
    assert_int_equal(ike2_payloads_parse(IKE2_P_NONCE, text, &all, &critical), ERR_SYNTAX);
    assert_int_equal(ike2_payloads_parse(IKE2_P_NONE, text, &all, &critical), ERR_TRAILING);
    ike2_writer_start_inner(&w, span_of(room, sizeof(room)));
    for (int i = 0; i <= LIMIT_IKE_PAYLOADS; i++)
        ike2_writer_payload(&w, IKE2_P_VID, view_of(NULL, 0));
    text = ike2_writer_finish(&w);
    assert_int_equal(ike2_payloads_parse(IKE2_P_VID, text, &all, &critical), ERR_LIMIT);
    text.len -= 4;
    room[text.len - 4] = IKE2_P_NONE;
    assert_int_equal(all.count, 77); /* untouched until now */
    assert_int_equal(ike2_payloads_parse(IKE2_P_VID, text, &all, &critical), ERR_OK);
    assert_int_equal(all.count, LIMIT_IKE_PAYLOADS);
}

static void test_writer_without_room(void **state)
{
    (void)state;
    for (size_t size = 0; size < 28 + 24; size++) {
        struct ike2_writer w;
        struct ike2_sk_room sk;
        ike2_writer_start(&w, span_of(room, size), &sample_header);
        ike2_writer_payload(&w, IKE2_P_NONCE, view_of_text("01234567890123456789"));
        assert_int_equal(ike2_writer_finish(&w).len, 0);
        const struct ike2_sk_shape shape = {.iv_len = 8, .icv_len = 16, .block = 1};
        const struct ike2_fragment all = {.text = view_of_text("inner")};
        ike2_writer_start(&w, span_of(room, size), &sample_header);
        assert_int_equal(ike2_writer_sk(&w, &shape, &all, &sk), ERR_ROOM);
    }
}

/* RFC 7634 appendix B */
static const char rfc7634_message[] =
    "c0c1c2c3c4c5c6c7d0d1d2d3d4d5d6d72e202500000000090000004529000029"
    "1011121314151617610394701f8d017f7c129248896b71bfe25236efd7cdc670"
    "66906315b2";
static const struct aead_suite chacha = {AEAD_CHACHA20_POLY1305, INTEG_NONE, 256};
static const struct ike2_sk_shape chacha_shape = {.iv_len = 8, .icv_len = 16, .block = 1};

static void chacha_key(uint8_t *ret)
{
    for (size_t i = 0; i < 32; i++)
        ret[i] = (uint8_t)(0x80 + i);
    check_hex("a0a1a2a3", ret + 32);
}

static void test_rfc7634_opened(void **state)
{
    (void)state;
    uint8_t key[36], octets[69], critical;
    struct ike2_header h;
    struct ike2_payloads all;
    struct ike2_sk sk;
    struct ike2_notify n;
    struct view message = check_hex(rfc7634_message, octets), inner;
    struct aead_keys keys = {.cipher = view_of(key, 36)};
    chacha_key(key);
    assert_int_equal(ike2_header_parse(message, &h), ERR_OK);
    assert_int_equal(h.exchange, IKE2_INFORMATIONAL);
    assert_int_equal(h.message_id, 9);
    assert_int_equal(ike2_payloads_parse(h.next_payload, body_of(message), &all, &critical),
                     ERR_OK);
    assert_int_equal(all.count, 1);
    assert_int_equal(ike2_sk_parse(message, &all.list[0], &chacha_shape, &sk), ERR_OK);
    assert_int_equal(sk.first, IKE2_P_N);
    assert_int_equal(sk.aad.len, 32);
    assert_int_equal(aead_open(&chacha, &keys, sk.aad, sk.iv.ptr,
                               span_of(octets + (sk.text.ptr - octets), sk.text.len), sk.icv.ptr),
                     ERR_OK);
    assert_int_equal(ike2_sk_unpad(sk.text, &inner), ERR_OK);
    assert_int_equal(ike2_payloads_parse(sk.first, inner, &all, &critical), ERR_OK);
    assert_true(ike2_notify_find(&all, IKE2_N_SET_WINDOW_SIZE, &n));
    check_view(n.data, view_of("\0\0\0\x0a", 4));
}

static void test_rfc7634_sealed(void **state)
{
    (void)state;
    uint8_t key[36], octets[69], inner_room[64];
    struct ike2_header h = {
        .version = IKE2_VERSION, .exchange = IKE2_INFORMATIONAL, .message_id = 9};
    struct ike2_writer inner, w;
    struct ike2_sk_room sk;
    struct aead_keys keys = {.cipher = view_of(key, 36)};
    chacha_key(key);
    check_hex("c0c1c2c3c4c5c6c7", h.spi_i);
    check_hex("d0d1d2d3d4d5d6d7", h.spi_r);
    ike2_writer_start_inner(&inner, span_of(inner_room, sizeof(inner_room)));
    ike2_writer_notify(&inner, IKE2_N_SET_WINDOW_SIZE, view_of("\0\0\0\x0a", 4));
    struct ike2_fragment whole = {.text = ike2_writer_finish(&inner)};
    whole.first = inner.first_inner;
    ike2_writer_start(&w, span_of(room, sizeof(room)), &h);
    assert_int_equal(ike2_writer_sk(&w, &chacha_shape, &whole, &sk), ERR_OK);
    check_hex("1011121314151617", sk.iv);
    assert_int_equal(aead_seal(&chacha, &keys, sk.aad, sk.iv, sk.text, sk.icv), ERR_OK);
    check_view(sk.message, check_hex(rfc7634_message, octets));
    assert_int_equal(sk.message.len, IKE2_HEADER_LEN + whole.text.len +
                                         ike2_sk_overhead(&chacha_shape, whole.text.len, false));
}

/* A message cut into fragments comes back, each with its numbers and padding. */
static void test_fragments(void **state)
{
    (void)state;
    const struct ike2_sk_shape shape = {.iv_len = 16, .icv_len = 12, .block = 16};
    uint8_t inner[100], joined[100], critical;
    size_t at = 0;
    for (size_t i = 0; i < sizeof(inner); i++)
        inner[i] = (uint8_t)i;
    for (uint16_t number = 1; number <= 3; number++) {
        size_t piece = number < 3 ? 40 : 20;
        struct ike2_fragment fragment = {
            .first = number == 1 ? IKE2_P_IDI : IKE2_P_NONE,
            .number = number,
            .total = 3,
            .text = view_of(inner + at, piece),
        };
        struct ike2_writer w;
        struct ike2_sk_room out;
        struct ike2_header h;
        struct ike2_payloads all;
        struct ike2_sk sk;
        struct view text;
        ike2_writer_start(&w, span_of(room, sizeof(room)), &sample_header);
        assert_int_equal(ike2_writer_sk(&w, &shape, &fragment, &out), ERR_OK);
        assert_int_equal(out.text.len % 16, 0);
        assert_int_equal(out.message.len,
                         IKE2_HEADER_LEN + piece + ike2_sk_overhead(&shape, piece, true));
        assert_int_equal(ike2_header_parse(out.message, &h), ERR_OK);
        assert_int_equal(h.next_payload, IKE2_P_SKF);
        assert_int_equal(ike2_payloads_parse(h.next_payload, body_of(out.message), &all, &critical),
                         ERR_OK);
        assert_int_equal(ike2_sk_parse(out.message, &all.list[0], &shape, &sk), ERR_OK);
        check_view(sk.aad, out.aad);
        assert_int_equal(sk.fragment, number);
        assert_int_equal(sk.total, 3);
        assert_int_equal(sk.first, fragment.first);
        assert_int_equal(ike2_sk_unpad(sk.text, &text), ERR_OK);
        memcpy(joined + at, text.ptr, text.len);
        at += text.len;
    }
    assert_int_equal(at, sizeof(inner));
    assert_memory_equal(joined, inner, sizeof(inner));
}

static void test_sk_hostile(void **state)
{
    (void)state;
    const struct ike2_sk_shape shape = {.iv_len = 8, .icv_len = 16, .block = 4};
    uint8_t octets[64] = {0};
    struct ike2_sk sk;
    struct view message = view_of(octets, sizeof(octets)), text;
    for (size_t len = 0; len <= 40; len++) {
        struct ike2_payload payload = {.type = IKE2_P_SK, .body = view_of(octets, len)};
        bool good = len >= 28 && (len - 24) % 4 == 0;
        assert_int_equal(ike2_sk_parse(message, &payload, &shape, &sk) == ERR_OK, good);
    }
    static const struct {
        uint16_t number, total;
        uint8_t first;
        bool good;
    } numbers[] = {
        {1, 1, IKE2_P_N, true},     {1, 1, IKE2_P_NONE, true},         {2, 2, IKE2_P_NONE, true},
        {0, 1, IKE2_P_NONE, false}, {0, 0, IKE2_P_NONE, false},        {3, 2, IKE2_P_NONE, false},
        {2, 2, IKE2_P_N, false},    {65535, 65535, IKE2_P_NONE, true},
    };
    for (size_t i = 0; i < CHECK_COUNT(numbers); i++) {
        struct builder b = builder_on(span_of(octets, 4));
        builder_u16(&b, numbers[i].number);
        builder_u16(&b, numbers[i].total);
        struct ike2_payload payload = {
            .type = IKE2_P_SKF, .next = numbers[i].first, .body = view_of(octets, 32)};
        assert_int_equal(ike2_sk_parse(message, &payload, &shape, &sk) == ERR_OK, numbers[i].good);
    }
    for (unsigned pad = 0; pad < 256; pad++) {
        octets[15] = (uint8_t)pad;
        enum err want = pad < 16 ? ERR_OK : ERR_SYNTAX;
        assert_int_equal(ike2_sk_unpad(view_of(octets, 16), &text), want);
        if (want == ERR_OK)
            assert_int_equal(text.len, 15 - pad);
    }
    assert_int_equal(ike2_sk_unpad(view_of(octets, 0), &text), ERR_SHORT);
}

static struct view built(struct builder *b)
{
    assert_false(b->bad);
    return builder_written(b);
}

static void test_small_bodies(void **state)
{
    (void)state;
    struct builder b = builder_on(span_of(room, sizeof(room)));
    struct ike2_ke_payload ke = {.method = 31, .data = view_of_text("value")}, ke_back;
    ike2_ke_build(&b, &ke);
    assert_int_equal(ike2_ke_parse(built(&b), &ke_back), ERR_OK);
    assert_int_equal(ke_back.method, 31);
    check_view(ke_back.data, ke.data);
    assert_int_equal(ike2_ke_parse(view_of(room, 3), &ke_back), ERR_SHORT);

    b = builder_on(span_of(room, sizeof(room)));
    struct ike2_cert cert = {.encoding = IKE2_CERT_X509, .data = view_of_text("der")}, cert_back;
    ike2_cert_build(&b, &cert);
    assert_int_equal(ike2_cert_parse(built(&b), &cert_back), ERR_OK);
    assert_int_equal(cert_back.encoding, IKE2_CERT_X509);
    check_view(cert_back.data, cert.data);
    assert_int_equal(ike2_cert_parse(view_of(room, 0), &cert_back), ERR_SHORT);
    assert_int_equal(ike2_certreq_parse(built(&b), &cert_back), ERR_SYNTAX);
    memset(room, IKE2_CERT_X509, 41);
    assert_int_equal(ike2_certreq_parse(view_of(room, 41), &cert_back), ERR_OK);
    assert_int_equal(cert_back.data.len / IKE2_CA_HASH_LEN, 2);
    assert_int_equal(ike2_certreq_parse(view_of(room, 1), &cert_back), ERR_OK); /* any authority */

    struct view nonce;
    assert_int_equal(ike2_nonce_parse(view_of(room, 15), &nonce), ERR_VALUE);
    assert_int_equal(ike2_nonce_parse(view_of(room, 16), &nonce), ERR_OK);
    assert_int_equal(ike2_nonce_parse(view_of(room, 256), &nonce), ERR_OK);
    assert_int_equal(ike2_nonce_parse(view_of(room, 257), &nonce), ERR_VALUE);
}

static void test_auth(void **state)
{
    (void)state;
    struct builder b = builder_on(span_of(room, sizeof(room)));
    struct ike2_auth auth = {.method = IKE2_AUTH_SHARED_KEY, .data = view_of_text("mac")}, back;
    ike2_auth_build(&b, &auth);
    assert_int_equal(ike2_auth_parse(built(&b), &back), ERR_OK);
    assert_int_equal(back.identifier.len, 0);
    check_view(back.data, auth.data);
    b = builder_on(span_of(room, sizeof(room)));
    auth = (struct ike2_auth){.method = IKE2_AUTH_DIGITAL,
                              .identifier = view_of("\x30\x05\x06\x03\x2b\x65\x70", 7),
                              .data = view_of_text("signature")};
    ike2_auth_build(&b, &auth);
    assert_int_equal(ike2_auth_parse(built(&b), &back), ERR_OK);
    check_view(back.identifier, auth.identifier);
    check_view(back.data, auth.data);
    for (size_t len = 0; len < 4 + 1 + 7; len++)
        assert_int_equal(ike2_auth_parse(view_of(room, len), &back), ERR_SHORT);
    room[5] = 0x31;
    assert_int_equal(ike2_auth_parse(built(&b), &back), ERR_SYNTAX);
    room[4] = 0;
    assert_int_equal(ike2_auth_parse(built(&b), &back), ERR_SYNTAX);
}

static void test_notify_and_delete(void **state)
{
    (void)state;
    struct builder b = builder_on(span_of(room, sizeof(room)));
    struct ike2_notify n = {.protocol = IKE2_PROTO_ESP,
                            .type = IKE2_N_REKEY_SA,
                            .spi = view_of_text("spi!"),
                            .data = view_of_text("x")},
                       back;
    ike2_notify_build(&b, &n);
    assert_int_equal(ike2_notify_parse(built(&b), &back), ERR_OK);
    assert_int_equal(back.type, IKE2_N_REKEY_SA);
    check_view(back.spi, n.spi);
    check_view(back.data, n.data);
    for (size_t len = 0; len < 8; len++)
        assert_int_equal(ike2_notify_parse(view_of(room, len), &back), ERR_SHORT);

    b = builder_on(span_of(room, sizeof(room)));
    struct ike2_delete d = {.protocol = IKE2_PROTO_ESP,
                            .spi_len = 4,
                            .count = 2,
                            .spis = view_of_text("aaaabbbb")},
                       d_back;
    ike2_delete_build(&b, &d);
    assert_int_equal(ike2_delete_parse(built(&b), &d_back), ERR_OK);
    assert_int_equal(d_back.count, 2);
    check_view(d_back.spis, d.spis);
    assert_int_equal(ike2_delete_parse(view_of(room, b.len - 1), &d_back), ERR_SHORT);
    assert_int_equal(ike2_delete_parse(view_of(room, b.len + 1), &d_back), ERR_TRAILING);
    uint8_t ike[] = {1, 0, 0, 0}, odd[] = {1, 8, 0, 0}, many[] = {1, 0, 0, 1},
            none[] = {9, 4, 0, 0};
    assert_int_equal(ike2_delete_parse(view_of(ike, 4), &d_back), ERR_OK);
    assert_int_equal(ike2_delete_parse(view_of(odd, 4), &d_back), ERR_VALUE);
    assert_int_equal(ike2_delete_parse(view_of(many, 4), &d_back), ERR_VALUE);
    assert_int_equal(ike2_delete_parse(view_of(none, 4), &d_back), ERR_VALUE);
}

static void test_configuration(void **state)
{
    (void)state;
    struct builder b = builder_on(span_of(room, sizeof(room)));
    struct ike2_cp cp = {.type = IKE2_CP_REPLY, .count = 2}, back;
    cp.list[0] = (struct ike2_cp_attribute){IKE2_CFG_IP4_ADDRESS, view_of("\xc0\0\2\1", 4)};
    cp.list[1] = (struct ike2_cp_attribute){IKE2_CFG_IP6_DNS, view_of(NULL, 0)};
    ike2_cp_build(&b, &cp);
    assert_int_equal(ike2_cp_parse(built(&b), &back), ERR_OK);
    assert_int_equal(back.type, IKE2_CP_REPLY);
    assert_int_equal(back.count, 2);
    check_view(back.list[0].value, cp.list[0].value);
    assert_int_equal(back.list[1].type, IKE2_CFG_IP6_DNS);
    for (size_t len = 0; len < b.len; len++)
        assert_int_equal(ike2_cp_parse(view_of(room, len), &back),
                         len == 4 || len == 12 ? ERR_OK : ERR_SHORT);
    memset(room, 0, sizeof(room));
    assert_int_equal(ike2_cp_parse(view_of(room, 4 + 4 * LIMIT_IKE_ATTRIBUTES), &back), ERR_OK);
    assert_int_equal(ike2_cp_parse(view_of(room, 8 + 4 * LIMIT_IKE_ATTRIBUTES), &back), ERR_LIMIT);
}

static void test_identities(void **state)
{
    (void)state;
    static const struct {
        uint8_t type;
        struct view data;
        const char *text; /* NULL: refused */
    } rows[] = {
        {IKE2_ID_IPV4_ADDR, {(const uint8_t *)"\xc0\0\2\1", 4}, "192.0.2.1"},
        {IKE2_ID_IPV4_ADDR, {(const uint8_t *)"\xc0\0\2", 3}, NULL},
        {IKE2_ID_FQDN, {(const uint8_t *)"GW.example", 10}, "@gw.example"},
        {IKE2_ID_FQDN, {(const uint8_t *)"a\0b", 3}, NULL},
        {IKE2_ID_RFC822_ADDR, {(const uint8_t *)"a@example", 9}, "a@example"},
        {IKE2_ID_RFC822_ADDR, {(const uint8_t *)"example", 7}, NULL},
        {IKE2_ID_DER_ASN1_DN, {(const uint8_t *)"\x30\0", 2}, "dn:3000"},
        {IKE2_ID_KEY_ID, {(const uint8_t *)"\1\2", 2}, "key-id:0102"},
        {IKE2_ID_KEY_ID, {(const uint8_t *)"", 0}, NULL},
        {IKE2_ID_NULL, {(const uint8_t *)"", 0}, "null"},
    };
    for (size_t i = 0; i < CHECK_COUNT(rows); i++) {
        struct ike2_id id = {rows[i].type, rows[i].data}, back;
        struct identity identity, again;
        char text[IDENTITY_TEXT_MAX];
        enum err err = ike2_id_to_identity(&id, &identity);
        assert_int_equal(err, rows[i].text != NULL ? ERR_OK : ERR_VALUE);
        if (err != ERR_OK)
            continue;
        assert_string_equal(identity_format(&identity, text), rows[i].text);
        struct builder b = builder_on(span_of(room, sizeof(room)));
        ike2_id_build_identity(&b, &identity);
        assert_int_equal(ike2_id_parse(built(&b), &back), ERR_OK);
        assert_int_equal(back.type, rows[i].type);
        assert_int_equal(ike2_id_to_identity(&back, &again), ERR_OK);
        assert_true(identity_equal(&identity, &again));
    }
    struct ike2_id odd = {IKE2_ID_DER_ASN1_GN, view_of_text("x")};
    struct identity none = {0};
    assert_int_equal(ike2_id_to_identity(&odd, &none), ERR_UNSUPPORTED);
    struct builder b = builder_on(span_of(room, sizeof(room)));
    ike2_id_build_identity(&b, &none);
    assert_true(b.bad);
}

static void test_names(void **state)
{
    (void)state;
    assert_string_equal(ike2_exchange_name(34), "IKE_SA_INIT");
    assert_null(ike2_exchange_name(33));
    assert_string_equal(ike2_payload_name(IKE2_P_TSI), "TSi");
    assert_string_equal(ike2_payload_name(200), "?");
    assert_string_equal(ike2_notify_name(14), "NO_PROPOSAL_CHOSEN");
    assert_string_equal(ike2_notify_name(16396), "MOBIKE_SUPPORTED");
    assert_string_equal(ike2_notify_name(16434), "PUZZLE");
    assert_null(ike2_notify_name(2));
    assert_string_equal(ike2_transform_name(IKE2_T_ENCR, 28), "CHACHA20_POLY1305");
    assert_string_equal(ike2_transform_name(IKE2_T_ESN, 1), "ESN");
    assert_null(ike2_transform_name(IKE2_T_KE, 31));
    assert_string_equal(ike2_transform_type_name(IKE2_T_ADDKE7), "ADDKE7");
    assert_string_equal(ike2_auth_method_name(14), "digital signature");
    assert_string_equal(ike2_protocol_name(3), "ESP");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_header),
        cmocka_unit_test(test_chain),
        cmocka_unit_test(test_chain_broken),
        cmocka_unit_test(test_writer_without_room),
        cmocka_unit_test(test_rfc7634_opened),
        cmocka_unit_test(test_rfc7634_sealed),
        cmocka_unit_test(test_fragments),
        cmocka_unit_test(test_sk_hostile),
        cmocka_unit_test(test_small_bodies),
        cmocka_unit_test(test_auth),
        cmocka_unit_test(test_notify_and_delete),
        cmocka_unit_test(test_configuration),
        cmocka_unit_test(test_identities),
        cmocka_unit_test(test_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
