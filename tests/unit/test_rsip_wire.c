/* RSIP messages: each type built and parsed back, octets by hand, and the error of each mistake. */
#include "check.h"

#include <stdio.h>

#include "wire/rsip.h"

static uint8_t room[RSIP_MESSAGE_MAX], other[RSIP_MESSAGE_MAX];
static struct rsip_message parsed;

static struct rsip_address v4(const char *text)
{
    struct rsip_address address = {.type = RSIP_ADDR_V4};
    assert_true(ip_addr_parse(text, &address.addr));
    return address;
}

static struct view build(const struct rsip_message *m)
{
    struct builder b = builder_on(span_of(room, sizeof(room)));
    rsip_build(&b, m);
    assert_false(b.bad);
    return builder_written(&b);
}

static enum rsip_error error_of(struct view bytes)
{
    enum rsip_error error = RSIP_OK;
    struct rsip_message untouched;
    memset(&untouched, 0x5a, sizeof(untouched));
    memcpy(&parsed, &untouched, sizeof(parsed));
    enum err err = rsip_parse(bytes, &parsed, &error);
    assert_true((err == ERR_OK) == (error == RSIP_OK));
    if (err != ERR_OK)
        assert_memory_equal(&parsed, &untouched, sizeof(parsed));
    return error;
}

/* Version, type and length in front of parameters given in hex. */
static struct view message_of(unsigned type, const char *params)
{
    struct view body = check_hex(params, other + RSIP_HEADER);
    other[0] = RSIP_VERSION;
    other[1] = (uint8_t)type;
    other[2] = (uint8_t)((body.len + RSIP_HEADER) >> 8);
    other[3] = (uint8_t)(body.len + RSIP_HEADER);
    return view_of(other, body.len + RSIP_HEADER);
}

static enum rsip_error error_in(unsigned type, const char *params)
{
    return error_of(message_of(type, params));
}

/* Everything set; a type takes of it what it has. */
static void fill(struct rsip_message *m)
{
    *m = (struct rsip_message){
        .client_id = 0x01020304,
        .bind_id = 0x0a0b0c0d,
        .lease_s = 3600,
        .counter = 77,
        .local = v4("149.112.240.156"),
        .remote = {.type = RSIP_ADDR_NAME, .name = view_of_text("www.bar.example")},
        .endpoint = {.type = RSIP_ADDR_V6},
        .local_ports = {.form = RSIP_RANGE_LIST, .count = 3, .ports = {1234, 1240, 65535}},
        .remote_ports = {.form = RSIP_RANGE_RUN, .count = 1, .ports = {21}},
        .spi = {.form = RSIP_RANGE_LIST, .count = 2, .spis = {0x1000, 0xfffffff0}},
        .error = RSIP_E_BAD_BIND_ID,
        .flow_local = RSIP_FLOW_MACRO,
        .flow_remote = RSIP_FLOW_NONE,
        .tunnels = {RSIP_TUNNEL_IPIP},
        .tunnel_count = 1,
        .methods = {RSIP_METHOD_RSAP},
        .method_count = 1,
        .vendor_id = 9,
        .vendor_subtype = 2,
        .vendor = view_of_text("x"),
        .present = (RSIP_F_VENDOR << 1) - 1,
    };
    assert_true(ip_addr_parse("2001:db8::1", &m->endpoint.addr));
}

static bool same_address(const struct rsip_address *a, const struct rsip_address *b)
{
    return a->type == b->type && a->any == b->any && ip_addr_equal(&a->addr, &b->addr) &&
           view_equal(a->name, b->name);
}

static void check_same(const struct rsip_message *got, const struct rsip_message *want)
{
    uint32_t has = got->present;
#define SAME(field, member)                                                                        \
    if ((has & (field)) != 0)                                                                      \
    assert_memory_equal(&got->member, &want->member, sizeof(got->member))
    SAME(RSIP_F_CLIENT_ID, client_id);
    SAME(RSIP_F_BIND_ID, bind_id);
    SAME(RSIP_F_LEASE, lease_s);
    SAME(RSIP_F_COUNTER, counter);
    SAME(RSIP_F_LOCAL_PORTS, local_ports);
    SAME(RSIP_F_REMOTE_PORTS, remote_ports);
    SAME(RSIP_F_SPI, spi);
    SAME(RSIP_F_ERROR, error);
    SAME(RSIP_F_FLOW, flow_local);
    SAME(RSIP_F_FLOW, flow_remote);
    SAME(RSIP_F_TUNNEL, tunnels);
    SAME(RSIP_F_METHOD, methods);
    SAME(RSIP_F_VENDOR, vendor_id);
    SAME(RSIP_F_VENDOR, vendor_subtype);
#undef SAME
    if ((has & RSIP_F_LOCAL_ADDR) != 0)
        assert_true(same_address(&got->local, &want->local));
    if ((has & RSIP_F_REMOTE_ADDR) != 0)
        assert_true(same_address(&got->remote, &want->remote));
    if ((has & RSIP_F_ENDPOINT) != 0)
        assert_true(same_address(&got->endpoint, &want->endpoint));
    if ((has & RSIP_F_TUPLES) != 0)
        assert_int_equal(got->tuple_count, want->tuple_count);
    if ((has & RSIP_F_VENDOR) != 0)
        check_view(got->vendor, want->vendor);
}

static const uint8_t types[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 22, 23};

/* RSIP-028, RSIP-029, RSIP-052, RSIP-102, RSIP-103, RSIP-107, RSIP-109, RSIP-112, RSIP-115,
 * RSIP-119, RSIP-120, RSIP-121, RSIP-122, RSIP-129, RSIP-130, RSIP-132, RSIP-133, RSIP-136,
 * RSIP-139, RSIP-141,
 * RSIP-142 */
static void test_every_type(void **state)
{
    struct rsip_message all;
    (void)state;
    fill(&all);
    all.tuples[0] = (struct rsip_tuple){.indicator = RSIP_TUPLE_ADDRESS, .address = v4("10.0.0.1")};
    all.tuples[1] = (struct rsip_tuple){.indicator = RSIP_TUPLE_NETWORK,
                                        .address = v4("10.20.60.0"),
                                        .netmask = v4("255.255.255.0")};
    all.tuples[1].netmask.type = RSIP_ADDR_NETMASK;
    all.tuple_count = 2;
    for (size_t i = 0; i < CHECK_COUNT(types); i++) {
        all.type = types[i];
        struct view bytes = build(&all);
        assert_int_equal(error_of(bytes), RSIP_OK);
        assert_int_equal(parsed.type, types[i]);
        check_same(&parsed, &all);
        /* and what was parsed builds the same again */
        struct rsip_message again = parsed;
        struct builder b = builder_on(span_of(other, sizeof(other)));
        rsip_build(&b, &again);
        check_view(builder_written(&b), bytes);
        assert_int_equal(rsip_stream_len(bytes), bytes.len);
        assert_non_null(rsip_type_name(types[i]));
        assert_int_equal(rsip_type_is_request(types[i]), types[i] % 2 == 0);
    }
}

static void test_cut_anywhere(void **state)
{
    struct rsip_message all;
    (void)state;
    fill(&all);
    for (size_t i = 0; i < CHECK_COUNT(types); i++) {
        all.type = types[i];
        struct view bytes = build(&all);
        for (size_t len = 0; len < bytes.len; len++) {
            assert_int_equal(error_of(view_of(bytes.ptr, len)), RSIP_E_BAD_MESSAGE);
            if (len >= RSIP_HEADER) { /* and with a length field that fits */
                memcpy(other, bytes.ptr, len);
                other[2] = (uint8_t)(len >> 8);
                other[3] = (uint8_t)len;
                struct view shorter = view_of(other, len);
                enum rsip_error error = error_of(shorter);
                assert_true(error == RSIP_OK || error == RSIP_E_BAD_MESSAGE ||
                            error == RSIP_E_MISSING_PARAM);
            }
        }
    }
}

/* RSIP-082, RSIP-099, RSIP-150, RSIP-156, RSIP-157 */
static void test_header(void **state)
{
    (void)state;
    struct view bytes = message_of(RSIP_REGISTER_REQUEST, "0b0004 00000001");
    assert_int_equal(error_of(bytes), RSIP_OK);
    assert_int_equal(parsed.counter, 1);
    other[0] = 2;
    assert_int_equal(error_of(bytes), RSIP_E_UNSUPPORTED_RSIP_VERSION);
    other[0] = 1;
    static const uint8_t no_types[] = {0, 18, 19, 20, 21, 24, 255};
    for (size_t i = 0; i < CHECK_COUNT(no_types); i++) {
        other[1] = no_types[i];
        assert_int_equal(error_of(bytes), RSIP_E_ILLEGAL_MESSAGE);
        assert_null(rsip_type_name(no_types[i]));
    }
    other[1] = RSIP_REGISTER_REQUEST;
    other[3]++;
    assert_int_equal(error_of(bytes), RSIP_E_BAD_MESSAGE);
    assert_int_equal(error_of(view_of(other, bytes.len + 1)), RSIP_E_BAD_PARAM + 2);
    other[2] = 0xff;
    assert_int_equal(rsip_stream_len(bytes), 0);
    other[2] = 0;
    other[3] = 3;
    assert_int_equal(rsip_stream_len(bytes), 0);
}

#define ID "040004 00000001 "
#define ANY4 "010001 01 "
#define ANYPORT "020001 01 "

/* RSIP-151, RSIP-152, RSIP-153, RSIP-154, RSIP-098, RSIP-100, RSIP-101 */
static void test_parameter_places(void **state)
{
    (void)state;
    assert_int_equal(error_in(4, ""), RSIP_E_MISSING_PARAM);
    assert_int_equal(error_in(4, "0b0004 00000001" ID), RSIP_E_MISSING_PARAM);
    assert_int_equal(error_in(4, ID "0b0004 00000001"), RSIP_OK);
    assert_int_equal(error_in(4, ID ID), RSIP_E_DUPLICATE_PARAM);
    assert_int_equal(error_in(4, ID "0b0004 00000001 0b0004 00000001"), RSIP_E_DUPLICATE_PARAM);
    assert_int_equal(error_in(4, ID "050004 00000001"), RSIP_E_EXTRA_PARAM);
    assert_int_equal(error_in(4, "050004 00000001" ID), RSIP_E_EXTRA_PARAM);
    static const char *const unknown[] = {(ID "000000"), (ID "0d0000"), (ID "150000"),
                                          (ID "f00000"), (ID "f10000"), (ID "ff0001 00"),
                                          ("ff0000" ID)};
    for (size_t i = 0; i < CHECK_COUNT(unknown); i++)
        assert_int_equal(error_in(4, unknown[i]), RSIP_E_ILLEGAL_PARAM);
    /* order of the required: ports before the address */
    assert_int_equal(error_in(8, ID ANYPORT ANY4 ANY4 ANYPORT), RSIP_E_MISSING_PARAM);
    assert_int_equal(error_in(8, ID ANY4 ANYPORT ANY4 ANYPORT), RSIP_OK);
    assert_int_equal(error_in(8, ID ANY4 ANYPORT ANY4), RSIP_E_MISSING_PARAM);
    assert_int_equal(error_in(8, ID ANY4 ANYPORT ANY4 ANYPORT ANY4), RSIP_E_DUPLICATE_PARAM);
    /* the optional in any order */
    assert_int_equal(error_in(8, ID ANY4 ANYPORT ANY4 ANYPORT "060001 02 030004 00000e10 0b0004 "
                                                              "00000009"),
                     RSIP_OK);
    assert_int_equal(error_in(8, ID ANY4 ANYPORT ANY4 ANYPORT "0b0004 00000009 030004 00000e10 "
                                                              "060001 02"),
                     RSIP_OK);
    assert_int_equal(error_in(8, ID ANY4 ANYPORT ANY4 ANYPORT "060001 02 060001 01"),
                     RSIP_E_DUPLICATE_PARAM);
    /* LISTEN_REQUEST may name several tunnel types */
    assert_int_equal(error_in(16, ID ANY4 ANYPORT ANY4 ANYPORT "060001 02 060001 01"), RSIP_OK);
    assert_int_equal(parsed.tunnel_count, 2);
}

/* RSIP-083, RSIP-084, RSIP-085, as a remote address */
static void test_addresses(void **state)
{
    static const struct {
        const char *param;
        enum rsip_error error;
    } rows[] = {
        {"010001 01", RSIP_OK},
        {"010001 03", RSIP_OK},
        {"010001 04", RSIP_OK},
        {"010005 01 c0000201", RSIP_OK},
        {"010005 02 ffffff00", RSIP_OK},
        {"010005 02 ffff00ff", RSIP_E_BAD_PARAM},
        {"010005 02 00000000", RSIP_OK},
        {"010011 03 20010db8000000000000000000000001", RSIP_OK},
        {"010004 04 612e62", RSIP_OK},
        {"010004 04 612062", RSIP_E_BAD_PARAM},
        {"010004 04 6100 62", RSIP_E_BAD_PARAM},
        {"010000", RSIP_E_BAD_PARAM},
        {"010001 00", RSIP_E_BAD_PARAM},
        {"010001 05", RSIP_E_BAD_PARAM},
        {"010004 01 c00002", RSIP_E_BAD_PARAM},
        {"010006 01 c000020101", RSIP_E_BAD_PARAM},
        {"010005 03 c0000201", RSIP_E_BAD_PARAM},
    };
    char text[200];
    (void)state;
    for (size_t i = 0; i < CHECK_COUNT(rows); i++) {
        snprintf(text, sizeof(text), ID ANY4 "%s " ANYPORT, rows[i].param);
        assert_int_equal(error_in(6, text), rows[i].error);
        assert_true(rows[i].error != RSIP_OK || parsed.remote.any == (i < 3));
    }
}

/* RSIP-031, RSIP-086, RSIP-087, RSIP-124 */
static void test_ports(void **state)
{
    static const struct {
        const char *param;
        enum rsip_error error, ipsec;
        enum rsip_range_form form;
    } rows[] = {
        {"020001 01", RSIP_OK, RSIP_OK, RSIP_RANGE_ANY},
        {"020001 ff", RSIP_OK, RSIP_OK, RSIP_RANGE_ANY},
        {"020001 00", RSIP_E_BAD_PARAM, RSIP_E_BAD_PARAM, 0},
        {"020000", RSIP_E_BAD_PARAM, RSIP_OK, RSIP_RANGE_NONE},
        {"020003 01 0050", RSIP_OK, RSIP_OK, RSIP_RANGE_RUN},
        {"020003 08 04d6", RSIP_OK, RSIP_OK, RSIP_RANGE_RUN},
        {"020003 02 ffff", RSIP_E_BAD_PARAM, RSIP_E_BAD_PARAM, 0},
        {"020003 02 fffe", RSIP_OK, RSIP_OK, RSIP_RANGE_RUN},
        {"020003 02 0000", RSIP_E_BAD_PARAM, RSIP_E_BAD_PARAM, 0},
        {"020003 00 0050", RSIP_E_BAD_PARAM, RSIP_E_BAD_PARAM, 0},
        {"020003 00 0000", RSIP_OK, RSIP_OK, RSIP_RANGE_ZERO},
        {"020003 01 0000", RSIP_OK, RSIP_OK, RSIP_RANGE_ZERO},
        {"020005 02 0050 0051", RSIP_OK, RSIP_OK, RSIP_RANGE_LIST},
        {"020005 02 0050 0000", RSIP_E_BAD_PARAM, RSIP_E_BAD_PARAM, 0},
        {"020005 03 0050 0051", RSIP_E_BAD_PARAM, RSIP_E_BAD_PARAM, 0},
        {"020002 01 00", RSIP_E_BAD_PARAM, RSIP_E_BAD_PARAM, 0},
        {"020004 01 0050 00", RSIP_E_BAD_PARAM, RSIP_E_BAD_PARAM, 0},
    };
    char text[200];
    (void)state;
    for (size_t i = 0; i < CHECK_COUNT(rows); i++) {
        snprintf(text, sizeof(text), ID ANY4 "%s " ANY4 ANYPORT, rows[i].param);
        assert_int_equal(error_in(8, text), rows[i].error);
        assert_true(rows[i].error != RSIP_OK || parsed.local_ports.form == rows[i].form);
        snprintf(text, sizeof(text), ID ANY4 "%s " ANY4 ANYPORT "160002 0001", rows[i].param);
        assert_int_equal(error_in(22, text), rows[i].ipsec);
        assert_true(rows[i].ipsec != RSIP_OK || parsed.local_ports.form == rows[i].form);
    }
    assert_int_equal(error_in(8, ID ANY4 "020003 08 04d6" ANY4 ANYPORT), RSIP_OK);
    assert_int_equal(rsip_port_at(&parsed.local_ports, 7), 1245);
    assert_true(rsip_ports_named(&parsed.local_ports));
    assert_false(rsip_ports_named(&parsed.remote_ports));
}

/* RSIP-034, RSIP-035, RSIP-036, RSIP-037, RSIP-038 */
static void test_spis(void **state)
{
    static const struct {
        const char *param;
        enum rsip_error error;
        enum rsip_range_form form;
    } rows[] = {
        {"160002 0001", RSIP_OK, RSIP_RANGE_ANY},
        {"160002 0000", RSIP_E_BAD_PARAM, 0},
        {"160006 0001 00001000", RSIP_OK, RSIP_RANGE_RUN},
        {"160006 ffff 00001000", RSIP_OK, RSIP_RANGE_RUN},
        {"160006 0002 ffffffff", RSIP_E_BAD_PARAM, 0},
        {"160006 0001 000000ff", RSIP_E_BAD_PARAM, 0},
        {"16000a 0002 00001000 00002000", RSIP_OK, RSIP_RANGE_LIST},
        {"16000a 0003 00001000 00002000", RSIP_E_BAD_PARAM, 0},
        {"160006 0000 00001000", RSIP_E_BAD_PARAM, 0},
        {"160002 00", RSIP_E_BAD_MESSAGE, 0},
        {"160001 00", RSIP_E_BAD_PARAM, 0},
        {"160005 0001 000010", RSIP_E_BAD_PARAM, 0},
    };
    char text[200];
    (void)state;
    for (size_t i = 0; i < CHECK_COUNT(rows); i++) {
        snprintf(text, sizeof(text), ID ANY4 "020000" ANY4 "020000 %s", rows[i].param);
        assert_int_equal(error_in(22, text), rows[i].error);
        assert_true(rows[i].error != RSIP_OK || parsed.spi.form == rows[i].form);
    }
    assert_int_equal(error_in(22, ID ANY4 "020000" ANY4 "020000 160006 0003 fffffffd"), RSIP_OK);
    assert_int_equal(rsip_spi_at(&parsed.spi, 2), 0xffffffff);
}

/* RSIP-095, RSIP-138, RSIP-213 */
static void test_tuples(void **state)
{
#define NET "010005 01 0a143c00 "
#define MASK "010005 02 ffffff00 "
    static const struct {
        const char *params;
        enum rsip_error request, response;
    } rows[] = {
        {"", RSIP_OK, RSIP_OK},
        {"0a0002 0001" NET, RSIP_OK, RSIP_OK},
        {"0a0001 01" NET, RSIP_OK, RSIP_OK},
        {"0a0002 0002" NET MASK, RSIP_OK, RSIP_OK},
        {"0a0002 0002" NET MASK "0a0002 0001" NET, RSIP_OK, RSIP_OK},
        {"0a0002 0004" NET MASK, RSIP_E_BAD_PARAM, RSIP_OK},
        {"0a0002 0003 010004 04 612e62", RSIP_E_BAD_PARAM, RSIP_OK},
        {"0a0002 0005" NET, RSIP_E_BAD_PARAM, RSIP_E_BAD_PARAM},
        {"0a0002 0101" NET, RSIP_E_BAD_PARAM, RSIP_E_BAD_PARAM},
        {"0a0002 0000" NET, RSIP_E_BAD_PARAM, RSIP_E_BAD_PARAM},
        {"0a0003 000001" NET, RSIP_E_BAD_PARAM, RSIP_E_BAD_PARAM},
        {"0a0002 0001", RSIP_E_MISSING_PARAM, RSIP_E_MISSING_PARAM},
        {"0a0002 0002" NET, RSIP_E_MISSING_PARAM, RSIP_E_MISSING_PARAM},
        {"0a0002 0002" NET NET, RSIP_E_BAD_PARAM, RSIP_E_BAD_PARAM},
        {"0a0002 0002" MASK MASK, RSIP_E_BAD_PARAM, RSIP_E_BAD_PARAM},
        {"0a0002 0001" MASK, RSIP_E_BAD_PARAM, RSIP_E_BAD_PARAM},
        {"0a0002 0002 010004 04 612e62" MASK, RSIP_E_BAD_PARAM, RSIP_E_BAD_PARAM},
        {"0a0002 0002 010011 03 20010db8000000000000000000000000" MASK, RSIP_E_BAD_PARAM,
         RSIP_E_BAD_PARAM},
        {"0a0002 0001 010001 01", RSIP_E_BAD_PARAM, RSIP_E_BAD_PARAM},
        {NET, RSIP_E_DUPLICATE_PARAM, RSIP_E_DUPLICATE_PARAM},
    };
    char text[300];
    (void)state;
    for (size_t i = 0; i < CHECK_COUNT(rows); i++) {
        snprintf(text, sizeof(text), ID "%s", rows[i].params);
        assert_int_equal(error_in(14, text), rows[i].request);
        assert_int_equal(error_in(15, text), rows[i].response);
    }
}

/* RSIP-089, RSIP-090, RSIP-091, RSIP-092, RSIP-093, RSIP-094, RSIP-097, RSIP-111 */
static void test_others(void **state)
{
    (void)state;
    assert_int_equal(error_in(3, ID "030004 00000258 090002 0103"), RSIP_OK);
    assert_int_equal(parsed.lease_s, 600);
    assert_int_equal(parsed.flow_local, RSIP_FLOW_MACRO);
    assert_int_equal(parsed.flow_remote, RSIP_FLOW_NONE);
    assert_int_equal(parsed.method_count + parsed.tunnel_count, 0);
    assert_int_equal(error_in(3, ID "030004 00000258 090002 0202 070001 02 070001 01 060001 01 "
                                    "060001 02 070001 03"),
                     RSIP_OK);
    assert_int_equal(parsed.method_count, 3);
    assert_int_equal(parsed.methods[2], RSIP_METHOD_IPSEC);
    assert_int_equal(parsed.tunnels[1], RSIP_TUNNEL_GRE);
    static const char *const bad[] = {(ID "030004 00000258 090002 0003"),
                                      (ID "030004 00000258 090002 0304"),
                                      (ID "030004 00000258 090002 0303"),
                                      (ID "030004 00000258 090001 01"),
                                      (ID "030003 000258 090002 0101"),
                                      "040003 000001 030004 00000258 090002 0101",
                                      (ID "030004 00000258 090002 0101 070001 00"),
                                      (ID "030004 00000258 090002 0101 060002 0001")};
    for (size_t i = 0; i < CHECK_COUNT(bad); i++)
        assert_int_equal(error_in(3, bad[i]), RSIP_E_BAD_PARAM);
    assert_int_equal(error_in(1, "080002 0134" ID "050004 00000007"), RSIP_OK);
    assert_int_equal(parsed.error, RSIP_E_LOCAL_ADDR_UNAVAILABLE);
    assert_int_equal(error_in(1, "080001 01"), RSIP_E_BAD_PARAM);
    assert_int_equal(error_in(4, ID "0c0006 0009 0002 aabb"), RSIP_OK);
    assert_int_equal(parsed.vendor_id, 9);
    assert_int_equal(parsed.vendor.len, 2);
    assert_int_equal(error_in(4, ID "0c0003 0009 00"), RSIP_E_BAD_PARAM);
}

/* An answer to what doesn't parse still carries these. */
static void test_outline(void **state)
{
    struct rsip_outline outline;
    (void)state;
    rsip_outline_read(message_of(4, "ff0000" ID "0b0004 00000005 04"), &outline);
    assert_true(outline.has_type && outline.has_client && outline.has_counter);
    assert_int_equal(outline.client_id, 1);
    assert_int_equal(outline.counter, 5);
    rsip_outline_read(view_of(NULL, 0), &outline);
    assert_false(outline.has_type || outline.has_client || outline.has_counter);
    rsip_outline_read(message_of(4, "040003 000001 0b0002 0001"), &outline);
    assert_false(outline.has_client || outline.has_counter);
}

static void test_build_refuses(void **state)
{
    struct rsip_message m;
    (void)state;
    fill(&m);
    m.type = RSIP_EXTEND_REQUEST;
    m.present = RSIP_F_CLIENT_ID;
    struct builder b = builder_on(span_of(room, sizeof(room)));
    rsip_build(&b, &m);
    assert_true(b.bad);
    b = builder_on(span_of(room, 12));
    m.present |= RSIP_F_BIND_ID;
    rsip_build(&b, &m);
    assert_true(b.bad);
    b = builder_on(span_of(room, sizeof(room)));
    m.type = 18;
    rsip_build(&b, &m);
    assert_true(b.bad);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_type),    cmocka_unit_test(test_cut_anywhere),
        cmocka_unit_test(test_header),        cmocka_unit_test(test_parameter_places),
        cmocka_unit_test(test_addresses),     cmocka_unit_test(test_ports),
        cmocka_unit_test(test_spis),          cmocka_unit_test(test_tuples),
        cmocka_unit_test(test_others),        cmocka_unit_test(test_outline),
        cmocka_unit_test(test_build_refuses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
