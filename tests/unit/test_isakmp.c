/* ISAKMP header, payload chain and writer; identification, notify and delete payloads. */
#include "check.h"

#include "wire/isakmp.h"

/* A header with cookies, then KE of 4 octets, then a nonce of 8. */
#define HEADER_TO_LENGTH "0102030405060708 1112131415161718 04 10 02 00 00000000 "
#define TWO_PAYLOADS "0a000008 aabbccdd 0000000c 0001020304050607"
#define MESSAGE HEADER_TO_LENGTH "00000030" TWO_PAYLOADS

static void header_fields(void **state)
{
    (void)state;
    uint8_t room[64];
    struct isakmp_header h;
    assert_int_equal(isakmp_header_parse(check_hex("0102030405060708 1112131415161718"
                                                   "08 11 20 01 deadbeef 0000001c",
                                                   room),
                                         &h),
                     ERR_OK);
    assert_memory_equal(h.cookie_i, room, 8);
    assert_memory_equal(h.cookie_r, room + 8, 8);
    assert_int_equal(h.next_payload, ISAKMP_P_HASH);
    assert_int_equal(h.version, 0x11);
    assert_int_equal(h.exchange, ISAKMP_QUICK_MODE);
    assert_int_equal(h.flags, ISAKMP_FLAG_ENCRYPTED);
    assert_int_equal(h.msgid.value, 0xdeadbeef);
    assert_int_equal(h.len, ISAKMP_HEADER_LEN);
}

static void header_errors(void **state)
{
    (void)state;
    static const struct {
        const char *hex;
        enum err err;
    } rows[] = {
        {"", ERR_SHORT},
        {"01", ERR_SHORT},
        {HEADER_TO_LENGTH "000000", ERR_SHORT},
        {HEADER_TO_LENGTH "0000001b", ERR_SYNTAX},
        {HEADER_TO_LENGTH "0000001d", ERR_SYNTAX},
        {HEADER_TO_LENGTH "ffffffff", ERR_SYNTAX},
        {HEADER_TO_LENGTH "0000001c 00", ERR_SYNTAX},
        {"0102030405060708 0000000000000000 21 20 22 08 00000000 0000001c", ERR_VERSION},
        {"0102030405060708 0000000000000000 21 00 22 08 00000000 0000001c", ERR_VERSION},
    };
    for (size_t i = 0; i < CHECK_COUNT(rows); i++) {
        uint8_t room[64];
        struct isakmp_header h, untouched;
        memset(&h, 0x5a, sizeof(h));
        untouched = h;
        assert_int_equal(isakmp_header_parse(check_hex(rows[i].hex, room), &h), rows[i].err);
        assert_memory_equal(&h, &untouched, sizeof(h));
    }
}

static void payload_chain(void **state)
{
    (void)state;
    uint8_t room[64];
    struct view text = check_hex(TWO_PAYLOADS, room);
    struct isakmp_payloads all;
    assert_int_equal(isakmp_payloads_parse(ISAKMP_P_KE, text, false, &all), ERR_OK);
    assert_int_equal(all.count, 2);
    assert_int_equal(all.octets, text.len);
    assert_int_equal(all.list[0].type, ISAKMP_P_KE);
    check_view(all.list[0].whole, view_of(room, 8));
    check_view(all.list[0].body, view_of(room + 4, 4));
    assert_int_equal(all.list[1].type, ISAKMP_P_NONCE);
    check_view(all.list[1].body, view_of(room + 12, 8));

    assert_ptr_equal(isakmp_payload_find(&all, ISAKMP_P_NONCE, 0), &all.list[1]);
    assert_null(isakmp_payload_find(&all, ISAKMP_P_NONCE, 1));
    assert_null(isakmp_payload_find(&all, ISAKMP_P_SA, 0));
}

static void payload_chain_errors(void **state)
{
    (void)state;
    static const struct {
        const char *hex;
        uint8_t first;
        bool padded;
        enum err err;
    } rows[] = {
        {"", ISAKMP_P_NONE, false, ERR_OK},
        {"00", ISAKMP_P_NONE, false, ERR_TRAILING},
        {"00", ISAKMP_P_NONE, true, ERR_OK},
        {"", ISAKMP_P_KE, false, ERR_SHORT},
        {"000000", ISAKMP_P_KE, false, ERR_SHORT},
        {"00000004", ISAKMP_P_KE, false, ERR_OK},
        {"00ff0004", ISAKMP_P_KE, false, ERR_OK}, /* RESERVED is not looked at */
        {"00000003", ISAKMP_P_KE, false, ERR_SYNTAX},
        {"00000000", ISAKMP_P_KE, false, ERR_SYNTAX},
        {"00000005", ISAKMP_P_KE, false, ERR_SHORT},
        {"0000ffff 00", ISAKMP_P_KE, false, ERR_SHORT},
        {"0a000004", ISAKMP_P_KE, false, ERR_SHORT}, /* the chain goes on, the text doesn't */
        {"00000004 00000000", ISAKMP_P_KE, false, ERR_TRAILING},
        {"00000004 00000000", ISAKMP_P_KE, true, ERR_OK},
        {"00000004 a1b2c307", ISAKMP_P_KE, true, ERR_OK}, /* padding need not be zero */
        {"00000005 61", ISAKMP_P_KE, false, ERR_OK}, /* alignment is not asked for ... */
        {"00000005 61 000000", ISAKMP_P_KE, false, ERR_OK}, /* ... but allowed */
        {"00000005 61 000001", ISAKMP_P_KE, false, ERR_TRAILING},
        {"00000005 61 0000", ISAKMP_P_KE, false, ERR_TRAILING},
        {"00000005 61 00000000 000000", ISAKMP_P_KE, false, ERR_TRAILING},
    };
    for (size_t i = 0; i < CHECK_COUNT(rows); i++) {
        uint8_t room[64];
        struct isakmp_payloads all = {.count = 99};
        enum err err = isakmp_payloads_parse(rows[i].first, check_hex(rows[i].hex, room),
                                             rows[i].padded, &all);
        assert_int_equal(err, rows[i].err);
        if (err != ERR_OK)
            assert_int_equal(all.count, 99);
        else if (all.count == 1)
            assert_int_equal(all.octets, all.list[0].whole.len);
        else
            assert_int_equal(all.octets, 0);
    }
}

static void payload_count_is_limited(void **state)
{
    (void)state;
    uint8_t text[4 * (LIMIT_IKE_PAYLOADS + 1)];
    struct isakmp_payloads all;
    for (size_t i = 0; i <= LIMIT_IKE_PAYLOADS; i++)
        memcpy(text + 4 * i, (uint8_t[]){ISAKMP_P_VID, 0, 0, 4}, 4);
    text[4 * LIMIT_IKE_PAYLOADS - 4] = ISAKMP_P_NONE;
    assert_int_equal(
        isakmp_payloads_parse(ISAKMP_P_VID, view_of(text, sizeof(text) - 4), false, &all), ERR_OK);
    assert_int_equal(all.count, LIMIT_IKE_PAYLOADS);
    text[4 * LIMIT_IKE_PAYLOADS - 4] = ISAKMP_P_VID;
    text[4 * LIMIT_IKE_PAYLOADS] = ISAKMP_P_NONE;
    assert_int_equal(isakmp_payloads_parse(ISAKMP_P_VID, view_of(text, sizeof(text)), false, &all),
                     ERR_LIMIT);
}

static struct isakmp_header message_header(void)
{
    struct isakmp_header h = {.version = ISAKMP_VERSION_1, .exchange = ISAKMP_MAIN_MODE};
    for (uint8_t i = 0; i < 8; i++) {
        h.cookie_i[i] = i + 1;
        h.cookie_r[i] = i + 0x11;
    }
    return h;
}

static void writer_builds_the_chain(void **state)
{
    (void)state;
    uint8_t want[64], room[64];
    struct isakmp_header h = message_header(), back;
    struct isakmp_writer w;
    isakmp_writer_start(&w, span_of(room, sizeof(room)), &h);
    isakmp_writer_payload(&w, ISAKMP_P_KE, check_hex("aabbccdd", want));
    isakmp_writer_open(&w, ISAKMP_P_NONCE);
    builder_u32(&w.b, 0x00010203);
    builder_u32(&w.b, 0x04050607);
    isakmp_writer_close(&w);
    struct view message = isakmp_writer_finish(&w, 1);
    check_view(message, check_hex(MESSAGE, want));
    assert_int_equal(isakmp_header_parse(message, &back), ERR_OK);
    assert_int_equal(back.next_payload, ISAKMP_P_KE);
}

static void writer_pads_behind_the_header(void **state)
{
    (void)state;
    static const size_t blocks[] = {0, 1, 8, 16};
    for (size_t i = 0; i < CHECK_COUNT(blocks); i++) {
        for (size_t len = 0; len <= 20; len++) {
            uint8_t room[128], body[20] = {0};
            struct isakmp_header h = message_header(), back;
            struct isakmp_payloads all;
            struct isakmp_writer w;
            isakmp_writer_start(&w, span_of(room, sizeof(room)), &h);
            isakmp_writer_payload(&w, ISAKMP_P_HASH, view_of(body, len));
            struct view message = isakmp_writer_finish(&w, blocks[i]);
            size_t text_len = message.len - ISAKMP_HEADER_LEN;
            if (blocks[i] > 1)
                assert_int_equal(text_len % blocks[i], 0);
            assert_true(text_len >= len + 4 && text_len < len + 4 + (blocks[i] ? blocks[i] : 1));
            assert_int_equal(isakmp_header_parse(message, &back), ERR_OK);
            assert_int_equal(isakmp_payloads_parse(back.next_payload,
                                                   view_of(room + ISAKMP_HEADER_LEN, text_len),
                                                   true, &all),
                             ERR_OK);
            assert_int_equal(all.octets, len + 4);
        }
    }
}

static void writer_without_room_yields_nothing(void **state)
{
    (void)state;
    struct isakmp_header h = message_header();
    for (size_t cap = 0; cap < 48; cap++) {
        uint8_t room[48], body[12] = {0};
        struct isakmp_writer w;
        isakmp_writer_start(&w, span_of(room, cap), &h);
        isakmp_writer_payload(&w, ISAKMP_P_NONCE, view_of(body, sizeof(body)));
        struct view message = isakmp_writer_finish(&w, 16);
        assert_int_equal(message.len, cap < ISAKMP_HEADER_LEN + 16 ? 0 : ISAKMP_HEADER_LEN + 16);
    }
}

/* OE-124, OE-157 */
static void identities(void **state)
{
    (void)state;
    static const struct {
        const char *hex;
        enum err err;
        const char *text;
    } rows[] = {
        {"01 11 01f4 c0010104", ERR_OK, "192.1.1.4"},
        {"01 00 0000 c0010104", ERR_OK, "192.1.1.4"},
        {"05 00 0000 20010db8000000000000000000000001", ERR_OK, "2001:db8::1"},
        {"02 00 0000 47572e6578616d706c652e6e6574", ERR_OK, "@gw.example.net"}, /* OE-157 */
        {"01 00 0000 c00101", ERR_VALUE, NULL},
        {"01 00 0000 c001010400", ERR_VALUE, NULL},
        {"01 00 0000", ERR_VALUE, NULL},
        {"05 00 0000 c0010104", ERR_VALUE, NULL},
        {"02 00 0000 2d2e", ERR_VALUE, NULL},
        {"02 00 0000", ERR_VALUE, NULL},
        {"04 00 0000 c0010104ffffffff", ERR_UNSUPPORTED, NULL},
        {"03 00 0000 6140622e63", ERR_OK, "a@b.c"},
        {"03 00 0000 612e622e63", ERR_VALUE, NULL}, /* no @ in it */
        {"09 00 0000 3000", ERR_OK, "dn:3000"},
        {"09 00 0000", ERR_VALUE, NULL},
        {"0b 00 0000 aa00", ERR_OK, "key-id:aa00"},
        {"0a 00 0000 8200", ERR_UNSUPPORTED, NULL}, /* a general name */
        {"07 00 0000 c0010104c0010108", ERR_UNSUPPORTED, NULL},
        {"08 00 0000", ERR_UNSUPPORTED, NULL},
        {"01 00 00", ERR_SHORT, NULL},
        {"", ERR_SHORT, NULL},
    };
    for (size_t i = 0; i < CHECK_COUNT(rows); i++) {
        uint8_t room[64], rebuilt[64];
        char text[IDENTITY_TEXT_MAX];
        struct isakmp_id id;
        struct identity identity, again;
        enum err err = isakmp_id_parse(check_hex(rows[i].hex, room), &id);
        if (err == ERR_OK)
            err = isakmp_id_to_identity(&id, &identity);
        assert_int_equal(err, rows[i].err);
        if (err != ERR_OK)
            continue;
        assert_string_equal(identity_format(&identity, text), rows[i].text);
        struct builder b = builder_on(span_of(rebuilt, sizeof(rebuilt)));
        isakmp_id_build_identity(&b, &identity);
        assert_int_equal(isakmp_id_parse(builder_written(&b), &id), ERR_OK);
        assert_int_equal(id.protocol, 0);
        assert_int_equal(id.port, 0);
        assert_int_equal(isakmp_id_to_identity(&id, &again), ERR_OK);
        assert_true(identity_equal(&identity, &again));
    }
    uint8_t room[8];
    struct builder b = builder_on(span_of(room, sizeof(room)));
    isakmp_id_build_identity(&b, &(struct identity){0});
    assert_true(b.bad);
}

/* OE-130, OE-131: what the client identities of Quick Mode mean, and what we send for them. */
static void client_identities(void **state)
{
    (void)state;
    static const struct {
        const char *hex;
        enum err err;
        const char *text;
    } rows[] = {
        {"04 00 0000 c0010041 ffffffff", ERR_OK, "192.1.0.65/32"},
        {"01 00 0000 c0010041", ERR_OK, "192.1.0.65/32"},
        {"04 00 0000 c0010000 ffffff00", ERR_OK, "192.1.0.0/24"},
        {"04 00 0000 c0010041 ffffff00", ERR_OK, "192.1.0.0/24"},
        {"04 00 0000 00000000 00000000", ERR_OK, "0.0.0.0/0"},
        {"04 00 0000 80000000 80000000", ERR_OK, "128.0.0.0/1"},
        {"06 00 0000 20010db8000000000000000000000042 ffffffffffffffffffffffffffffffff", ERR_OK,
         "2001:db8::42/128"},
        {"05 00 0000 20010db8000000000000000000000042", ERR_OK, "2001:db8::42/128"},
        {"06 00 0000 20010db8000000000000000000000000 ffffffffe00000000000000000000000", ERR_OK,
         "2001:db8::/35"},
        {"04 00 0000 c0010000 ff00ff00", ERR_VALUE, NULL}, /* holes in the mask */
        {"04 00 0000 c0010000 7fffffff", ERR_VALUE, NULL},
        {"04 00 0000 c0010000 00000001", ERR_VALUE, NULL},
        {"04 00 0000 c0010000 ffffff", ERR_VALUE, NULL},
        {"04 00 0000 c0010000", ERR_VALUE, NULL},
        {"01 00 0000 c0010000 ffffffff", ERR_VALUE, NULL},
        {"07 00 0000 c0010000 c00100ff", ERR_UNSUPPORTED, NULL},
        {"02 00 0000 612e62", ERR_UNSUPPORTED, NULL},
    };
    for (size_t i = 0; i < CHECK_COUNT(rows); i++) {
        uint8_t room[64], rebuilt[64];
        char text[IP_PREFIX_TEXT_MAX];
        struct isakmp_id id;
        struct ip_prefix prefix;
        assert_int_equal(isakmp_id_parse(check_hex(rows[i].hex, room), &id), ERR_OK);
        assert_int_equal(isakmp_id_to_prefix(&id, &prefix), rows[i].err);
        if (rows[i].err != ERR_OK)
            continue;
        assert_string_equal(ip_prefix_format(&prefix, text), rows[i].text);
        struct builder b = builder_on(span_of(rebuilt, sizeof(rebuilt)));
        isakmp_id_build_prefix(&b, &prefix);
        assert_int_equal(isakmp_id_parse(builder_written(&b), &id), ERR_OK);
        assert_int_equal(id.type, prefix.addr.family == IP_V4 ? ISAKMP_ID_IPV4_ADDR_SUBNET
                                                              : ISAKMP_ID_IPV6_ADDR_SUBNET);
        struct ip_prefix again;
        assert_int_equal(isakmp_id_to_prefix(&id, &again), ERR_OK);
        assert_memory_equal(&again, &prefix, sizeof(prefix));
    }
}

static void every_prefix_length_survives(void **state)
{
    (void)state;
    uint8_t ones[16];
    memset(ones, 0xff, sizeof(ones));
    for (unsigned bits = 0; bits <= 128 + 32; bits++) {
        uint8_t room[64];
        struct ip_addr addr = ip_addr_from(view_of(ones, bits <= 128 ? 16 : 4));
        struct ip_prefix prefix = ip_prefix_of(&addr, bits <= 128 ? bits : bits - 128), back;
        struct isakmp_id id;
        struct builder b = builder_on(span_of(room, sizeof(room)));
        isakmp_id_build_prefix(&b, &prefix);
        assert_int_equal(isakmp_id_parse(builder_written(&b), &id), ERR_OK);
        assert_int_equal(isakmp_id_to_prefix(&id, &back), ERR_OK);
        assert_memory_equal(&back, &prefix, sizeof(prefix));
    }
}

static void notifies(void **state)
{
    (void)state;
    static const struct {
        const char *hex;
        enum err err;
        size_t spi_len, data_len;
    } rows[] = {
        {"00000001 01 00 000e", ERR_OK, 0, 0},
        {"00000001 03 04 000e 01020304", ERR_OK, 4, 0},
        {"00000001 01 10 6002 000102030405060708090a0b0c0d0e0f aabb", ERR_OK, 16, 2},
        {"00000001 03 05 000e 01020304", ERR_SHORT, 0, 0},
        {"00000001 01 00 00", ERR_SHORT, 0, 0},
        {"", ERR_SHORT, 0, 0},
    };
    for (size_t i = 0; i < CHECK_COUNT(rows); i++) {
        uint8_t room[64], rebuilt[64];
        struct isakmp_notify n;
        struct view body = check_hex(rows[i].hex, room);
        assert_int_equal(isakmp_notify_parse(body, &n), rows[i].err);
        if (rows[i].err != ERR_OK)
            continue;
        assert_int_equal(n.spi.len, rows[i].spi_len);
        assert_int_equal(n.data.len, rows[i].data_len);
        struct builder b = builder_on(span_of(rebuilt, sizeof(rebuilt)));
        isakmp_notify_build(&b, &n);
        check_view(builder_written(&b), body);
    }
    assert_string_equal(isakmp_notify_name(14), "NO-PROPOSAL-CHOSEN");
    assert_string_equal(isakmp_notify_name(30), "UNEQUAL-PAYLOAD-LENGTHS");
    assert_string_equal(isakmp_notify_name(24578), "INITIAL-CONTACT");
    assert_null(isakmp_notify_name(0));
    assert_null(isakmp_notify_name(31));
    assert_null(isakmp_notify_name(65535));
}

static void deletes(void **state)
{
    (void)state;
    static const struct {
        const char *hex;
        enum err err;
        unsigned count;
    } rows[] = {
        {"00000001 03 04 0001 01020304", ERR_OK, 1},
        {"00000001 03 04 0002 01020304 05060708", ERR_OK, 2},
        {"00000001 01 10 0001 000102030405060708090a0b0c0d0e0f", ERR_OK, 1},
        {"00000001 03 04 0000", ERR_OK, 0},
        {"00000001 03 04 0002 01020304", ERR_SHORT, 0},
        {"00000001 03 04 ffff 01020304", ERR_SHORT, 0},
        {"00000001 03 04 0001 0102030405", ERR_TRAILING, 0},
        {"00000001 03 00 0001", ERR_VALUE, 0},
        {"00000001 03 04 00", ERR_SHORT, 0},
    };
    for (size_t i = 0; i < CHECK_COUNT(rows); i++) {
        uint8_t room[64], rebuilt[64];
        struct isakmp_delete d;
        struct view body = check_hex(rows[i].hex, room);
        assert_int_equal(isakmp_delete_parse(body, &d), rows[i].err);
        if (rows[i].err != ERR_OK)
            continue;
        assert_int_equal(d.count, rows[i].count);
        assert_int_equal(d.spis.len, (size_t)d.count * d.spi_len);
        struct builder b = builder_on(span_of(rebuilt, sizeof(rebuilt)));
        isakmp_delete_build(&b, &d);
        check_view(builder_written(&b), body);
    }
}

static void names_of_payloads(void **state)
{
    (void)state;
    assert_string_equal(isakmp_payload_name(ISAKMP_P_KE), "KE");
    assert_string_equal(isakmp_payload_name(ISAKMP_P_NAT_OA), "NAT-OA");
    assert_string_equal(isakmp_payload_name(14), "?");
    assert_string_equal(isakmp_payload_name(255), "?");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(header_fields),
        cmocka_unit_test(header_errors),
        cmocka_unit_test(payload_chain),
        cmocka_unit_test(payload_chain_errors),
        cmocka_unit_test(payload_count_is_limited),
        cmocka_unit_test(writer_builds_the_chain),
        cmocka_unit_test(writer_pads_behind_the_header),
        cmocka_unit_test(writer_without_room_yields_nothing),
        cmocka_unit_test(identities),
        cmocka_unit_test(client_identities),
        cmocka_unit_test(every_prefix_length_survives),
        cmocka_unit_test(notifies),
        cmocka_unit_test(deletes),
        cmocka_unit_test(names_of_payloads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
