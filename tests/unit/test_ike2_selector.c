/* Traffic selectors: their form, and what they have in common (RFC 7296 section 3.13). */
#include "check.h"

#include "wire/ike2.h"

static struct ike2_selector selector(const char *first, const char *last, uint8_t protocol,
                                     uint16_t port_first, uint16_t port_last)
{
    struct ike2_selector ts = {
        .protocol = protocol, .port_first = port_first, .port_last = port_last};
    assert_true(ip_addr_parse(first, &ts.first) && ip_addr_parse(last, &ts.last));
    return ts;
}

static void test_round_trip(void **state)
{
    (void)state;
    uint8_t room[512];
    struct ike2_selectors all = {.count = 3}, back;
    all.list[0] = selector("192.0.2.0", "192.0.2.255", 0, 0, 65535);
    all.list[1] = selector("2001:db8::", "2001:db8::ffff", 17, 53, 53);
    all.list[2] = selector("192.0.2.9", "192.0.2.9", 50, 65535, 0);
    struct builder b = builder_on(span_of(room, sizeof(room)));
    ike2_selectors_build(&b, &all);
    assert_int_equal(b.len, 4 + 16 + 40 + 16);
    assert_int_equal(ike2_selectors_parse(builder_written(&b), &back), ERR_OK);
    assert_int_equal(back.count, 3);
    for (size_t i = 0; i < 3; i++)
        assert_true(ike2_selector_equal(&all.list[i], &back.list[i]));
    for (size_t len = 0; len < b.len; len++)
        assert_int_equal(ike2_selectors_parse(view_of(room, len), &back), ERR_SHORT);
    room[b.len] = 0;
    assert_int_equal(ike2_selectors_parse(view_of(room, b.len + 1), &back), ERR_TRAILING);
    room[4] = 9; /* a type we don't know */
    assert_int_equal(ike2_selectors_parse(view_of(room, b.len), &back), ERR_OK);
    assert_int_equal(back.count, 2);
    assert_int_equal(back.skipped, 1);
    room[4] = IKE2_TS_IPV6; /* with the octets of an IPv4 one */
    assert_int_equal(ike2_selectors_parse(view_of(room, b.len), &back), ERR_SYNTAX);
}

static void test_refused(void **state)
{
    (void)state;
    uint8_t room[2048];
    struct ike2_selectors all = {.count = 1}, back;
    static const struct {
        const char *first, *last;
        uint16_t port_first, port_last;
        enum err want;
    } rows[] = {
        {"192.0.2.1", "192.0.2.1", 0, 0, ERR_OK},
        {"192.0.2.2", "192.0.2.1", 0, 65535, ERR_VALUE},
        {"192.0.2.1", "192.0.2.1", 2, 1, ERR_VALUE},
        {"192.0.2.1", "192.0.2.1", 65535, 0, ERR_OK},
        {"192.0.2.1", "192.0.2.1", 65535, 1, ERR_VALUE},
        {"::2", "::1", 0, 65535, ERR_VALUE},
    };
    for (size_t i = 0; i < CHECK_COUNT(rows); i++) {
        struct builder b = builder_on(span_of(room, sizeof(room)));
        all.list[0] =
            selector(rows[i].first, rows[i].last, 6, rows[i].port_first, rows[i].port_last);
        ike2_selectors_build(&b, &all);
        assert_int_equal(ike2_selectors_parse(builder_written(&b), &back), rows[i].want);
    }
    struct builder b = builder_on(span_of(room, sizeof(room)));
    all.list[0] = selector("192.0.2.1", "192.0.2.1", 6, 1, 2);
    ike2_selectors_build(&b, &all);
    for (size_t i = 1; i <= LIMIT_IKE_SELECTORS; i++)
        memcpy(room + 4 + 16 * i, room + 4, 16);
    room[0] = LIMIT_IKE_SELECTORS;
    assert_int_equal(ike2_selectors_parse(view_of(room, 4 + 16 * LIMIT_IKE_SELECTORS), &back),
                     ERR_OK);
    room[0]++;
    assert_int_equal(ike2_selectors_parse(view_of(room, 4 + 16 * (LIMIT_IKE_SELECTORS + 1)), &back),
                     ERR_LIMIT);
}

static void test_prefixes(void **state)
{
    (void)state;
    static const struct {
        const char *prefix, *first, *last;
    } rows[] = {
        {"0.0.0.0/0", "0.0.0.0", "255.255.255.255"},
        {"192.0.2.0/24", "192.0.2.0", "192.0.2.255"},
        {"192.0.2.128/25", "192.0.2.128", "192.0.2.255"},
        {"192.0.2.1/32", "192.0.2.1", "192.0.2.1"},
        {"::/0", "::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"},
        {"2001:db8::/33", "2001:db8::", "2001:db8:7fff:ffff:ffff:ffff:ffff:ffff"},
    };
    for (size_t i = 0; i < CHECK_COUNT(rows); i++) {
        struct ip_prefix prefix, back;
        char text[IKE2_SELECTOR_TEXT_MAX];
        assert_true(ip_prefix_parse(rows[i].prefix, &prefix));
        struct ike2_selector ts = ike2_selector_of_prefix(&prefix);
        struct ike2_selector want = selector(rows[i].first, rows[i].last, 0, 0, 65535);
        assert_true(ike2_selector_equal(&ts, &want));
        assert_true(ike2_selector_to_prefix(&ts, &back));
        assert_memory_equal(&prefix, &back, sizeof(prefix));
        assert_string_equal(ike2_selector_format(&ts, text), rows[i].prefix);
    }
    static const char *const ranges[][2] = {
        {"192.0.2.0", "192.0.2.254"},
        {"192.0.2.1", "192.0.2.255"},
        {"192.0.2.127", "192.0.2.128"},
        {"::", "::2"},
    };
    for (size_t i = 0; i < CHECK_COUNT(ranges); i++) {
        struct ip_prefix back;
        struct ike2_selector ts = selector(ranges[i][0], ranges[i][1], 0, 0, 65535);
        assert_false(ike2_selector_to_prefix(&ts, &back));
    }
}

static void test_intersection(void **state)
{
    (void)state;
    struct ike2_selector any = selector("0.0.0.0", "255.255.255.255", 0, 0, 65535);
    struct ike2_selector web = selector("192.0.2.0", "192.0.2.99", 6, 80, 443);
    struct ike2_selector high = selector("192.0.2.50", "192.0.2.200", 0, 100, 65535);
    struct ike2_selector udp = selector("192.0.2.50", "192.0.2.60", 17, 0, 65535);
    struct ike2_selector opaque = selector("192.0.2.0", "192.0.2.99", 6, 65535, 0);
    struct ike2_selector v6 = selector("::", "ffff::", 0, 0, 65535), both;
    assert_true(ike2_selector_intersect(&any, &web, &both));
    assert_true(ike2_selector_equal(&both, &web));
    assert_true(ike2_selector_intersect(&web, &high, &both));
    struct ike2_selector want = selector("192.0.2.50", "192.0.2.99", 6, 100, 443);
    assert_true(ike2_selector_equal(&both, &want));
    assert_true(ike2_selector_intersect(&high, &web, &both));
    assert_true(ike2_selector_equal(&both, &want));
    assert_false(ike2_selector_intersect(&web, &udp, &both));
    assert_false(ike2_selector_intersect(&any, &v6, &both));
    assert_true(ike2_selector_intersect(&any, &opaque, &both));
    assert_true(ike2_selector_equal(&both, &opaque));
    assert_false(ike2_selector_intersect(&web, &opaque, &both));
    assert_true(ike2_selector_intersect(&opaque, &opaque, &both));
    assert_true(ike2_selector_contains(&any, &web) && !ike2_selector_contains(&web, &any));
    assert_true(ike2_selector_contains(&web, &web) && !ike2_selector_contains(&web, &high));
}

static bool one_in(const struct ike2_selector *ts, uint8_t last_octet, uint8_t protocol,
                   uint16_t port)
{
    return last_octet >= ts->first.octets[3] && last_octet <= ts->last.octets[3] &&
           (ts->protocol == 0 || ts->protocol == protocol) && port >= ts->port_first &&
           port <= ts->port_last;
}

/* Against asking for every point: in both, exactly when in the intersection. */
static void test_intersection_points(void **state)
{
    (void)state;
    uint64_t seed = 42;
    for (int round = 0; round < 300; round++) {
        struct ike2_selector ts[2], both = {0};
        for (int k = 0; k < 2; k++) {
            uint32_t r = check_random(&seed);
            ts[k] = selector("192.0.2.0", "192.0.2.0", r % 3 == 0 ? 6 : 0, r >> 4 & 7, 0);
            ts[k].first.octets[3] = r >> 8 & 7;
            ts[k].last.octets[3] = (uint8_t)(ts[k].first.octets[3] + (r >> 12 & 7));
            ts[k].port_last = (uint16_t)(ts[k].port_first + (r >> 16 & 7));
        }
        bool any = ike2_selector_intersect(&ts[0], &ts[1], &both);
        for (unsigned point = 0; point < 16 * 2 * 16; point++) {
            uint8_t octet = point % 16, protocol = point / 16 % 2 ? 6 : 17;
            uint16_t port = (uint16_t)(point / 32);
            bool want =
                one_in(&ts[0], octet, protocol, port) && one_in(&ts[1], octet, protocol, port);
            assert_int_equal(any && one_in(&both, octet, protocol, port), want);
        }
    }
}

static void test_text(void **state)
{
    (void)state;
    char text[IKE2_SELECTOR_TEXT_MAX];
    struct ike2_selector ts = selector("192.0.2.1", "192.0.2.9", 6, 80, 443);
    assert_string_equal(ike2_selector_format(&ts, text), "192.0.2.1-192.0.2.9 6 80-443");
    ts = selector("192.0.2.1", "192.0.2.1", 17, 53, 53);
    assert_string_equal(ike2_selector_format(&ts, text), "192.0.2.1/32 17 53");
    ts = selector("192.0.2.1", "192.0.2.1", 1, 0x0800, 0x08ff);
    assert_string_equal(ike2_selector_format(&ts, text), "192.0.2.1/32 1 8.0-8.255");
    ts = selector("192.0.2.1", "192.0.2.1", 6, 65535, 0);
    assert_string_equal(ike2_selector_format(&ts, text), "192.0.2.1/32 6 opaque");
    ts = selector("1111:2222:3333:4444:5555:6666:7777:8881",
                  "1111:2222:3333:4444:5555:6666:7777:8888", 135, 65281, 65534);
    assert_true(strlen(ike2_selector_format(&ts, text)) < IKE2_SELECTOR_TEXT_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_prefixes),
        cmocka_unit_test(test_intersection),
        cmocka_unit_test(test_intersection_points),
        cmocka_unit_test(test_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
