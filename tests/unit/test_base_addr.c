#include "check.h"

#include "base/addr.h"

static struct ip_addr addr(const char *text)
{
    struct ip_addr parsed;
    assert_true(ip_addr_parse(text, &parsed));
    return parsed;
}

static void texts_of_addresses(void **state)
{
    (void)state;
    static const struct {
        const char *text, *canonical;
    } good[] = {
        {"192.0.2.1", "192.0.2.1"},
        {"0.0.0.0", "0.0.0.0"},
        {"255.255.255.255", "255.255.255.255"},
        {"2001:DB8:0:0:0:0:0:1", "2001:db8::1"},
        {"::", "::"},
        {"::ffff:192.0.2.1", "::ffff:192.0.2.1"},
    };
    static const char *const bad[] = {"",           "192.0.2",  "192.0.2.256", "192.0.2.1.", "1",
                                      "192.0.2.1 ", "2001:db8", ":::",         "fe80::1%lo", "a.b"};
    for (size_t i = 0; i < CHECK_COUNT(good); i++) {
        char text[IP_ADDR_TEXT_MAX];
        struct ip_addr parsed = addr(good[i].text);
        assert_string_equal(ip_addr_format(&parsed, text), good[i].canonical);
        struct ip_addr copied = ip_addr_from(ip_addr_view(&parsed));
        assert_true(ip_addr_equal(&parsed, &copied));
    }
    for (size_t i = 0; i < CHECK_COUNT(bad); i++) {
        struct ip_addr untouched = ip_addr_v4(7), want = untouched;
        assert_false(ip_addr_parse(bad[i], &untouched));
        assert_true(ip_addr_equal(&untouched, &want));
    }
    struct ip_addr none = ip_addr_from(view_of("12345", 5));
    assert_int_equal(none.family, IP_NONE);
    assert_int_equal(ip_addr_bits(&none), 0);
}

/* OE-139, OE-047; the IPv6 name is the example of RFC 3596 section 2.5. */
static void names_in_the_reverse_map(void **state)
{
    (void)state;
    static const struct {
        const char *addr, *name;
    } rows[] = {
        {"192.0.2.66", "66.2.0.192.in-addr.arpa."},
        {"255.255.255.255", "255.255.255.255.in-addr.arpa."},
        {"4321:0:1:2:3:4:567:89ab",
         "b.a.9.8.7.6.5.0.4.0.0.0.3.0.0.0.2.0.0.0.1.0.0.0.0.0.0.0.1.2.3.4.ip6.arpa."},
    };
    for (size_t i = 0; i < CHECK_COUNT(rows); i++) {
        char name[IP_REVERSE_TEXT_MAX];
        struct ip_addr parsed = addr(rows[i].addr);
        assert_string_equal(ip_addr_reverse(&parsed, name), rows[i].name);
        assert_true(strlen(name) < sizeof(name));
    }
}

static void special_addresses(void **state)
{
    (void)state;
    static const char *const special[] = {
        "0.0.0.0",         "0.1.2.3", "127.0.0.1", "127.255.0.1", "169.254.1.1", "224.0.0.1",
        "255.255.255.255", "::",      "::1",       "fe80::1",     "febf::1",     "ff02::1"};
    static const char *const plain[] = {"1.0.0.1",     "126.0.0.1", "128.0.0.1",   "169.253.1.1",
                                        "192.168.0.1", "223.0.0.1", "2001:db8::1", "::2",
                                        "fec0::1",     "fd00::1"};
    for (size_t i = 0; i < CHECK_COUNT(special); i++) {
        struct ip_addr parsed = addr(special[i]);
        assert_true(ip_addr_is_special(&parsed));
    }
    for (size_t i = 0; i < CHECK_COUNT(plain); i++) {
        struct ip_addr parsed = addr(plain[i]);
        assert_false(ip_addr_is_special(&parsed));
    }
    assert_true(ip_addr_is_special(&(struct ip_addr){0}));
}

static void texts_of_prefixes(void **state)
{
    (void)state;
    static const struct {
        const char *text, *canonical;
    } good[] = {
        {"192.0.2.0/24", "192.0.2.0/24"},
        {"192.0.2.1", "192.0.2.1/32"},
        {"0.0.0.0/0", "0.0.0.0/0"},
        {"2001:db8::/32", "2001:db8::/32"},
        {"::/0", "::/0"},
        {"2001:db8::1", "2001:db8::1/128"},
    };
    static const char *const bad[] = {
        "192.0.2.1/24",
        "192.0.2.0/33",
        "192.0.2.0/",
        "192.0.2.0/-1",
        "192.0.2.0/+8",
        "192.0.2.0/8x",
        "/8",
        "",
        "::1/64",
        "::/129",
        "192.0.2.0/ 24",
        "0000:0000:0000:0000:0000:0000:0000:0000:0000:0000/128",
    };
    for (size_t i = 0; i < CHECK_COUNT(good); i++) {
        char text[IP_PREFIX_TEXT_MAX];
        struct ip_prefix prefix;
        assert_true(ip_prefix_parse(good[i].text, &prefix));
        assert_string_equal(ip_prefix_format(&prefix, text), good[i].canonical);
    }
    for (size_t i = 0; i < CHECK_COUNT(bad); i++) {
        struct ip_prefix prefix;
        assert_false(ip_prefix_parse(bad[i], &prefix));
    }
}

static bool same_bits(const struct ip_addr *a, const struct ip_addr *b, unsigned bits)
{
    for (unsigned i = 0; i < bits; i++) {
        unsigned mask = 0x80u >> i % 8;
        if ((a->octets[i / 8] & mask) != (b->octets[i / 8] & mask))
            return false;
    }
    return a->family == b->family;
}

/* Against the definition, bit by bit. */
static void prefixes_contain(void **state)
{
    (void)state;
    uint64_t seed = 5;
    for (int round = 0; round < 5000; round++) {
        uint8_t octets[16];
        size_t len = check_random(&seed) % 2 ? 4 : 16;
        check_rng_fill(&seed, octets, len);
        struct ip_addr base = ip_addr_from(view_of(octets, len));
        unsigned bits = check_random(&seed) % (8 * (unsigned)len + 1);
        struct ip_prefix prefix = ip_prefix_of(&base, bits);
        struct ip_addr other = base;
        unsigned flipped = check_random(&seed) % (8 * (unsigned)len);
        other.octets[flipped / 8] ^= (uint8_t)(0x80 >> flipped % 8);

        assert_true(ip_prefix_contains(&prefix, &base));
        assert_int_equal(ip_prefix_contains(&prefix, &other), same_bits(&base, &other, bits));
        assert_true(ip_prefix_contains(&prefix, &prefix.addr));
    }
    struct ip_prefix all4 = {.addr = {.family = IP_V4}};
    struct ip_addr v6 = addr("::");
    assert_false(ip_prefix_contains(&all4, &v6));
}

static void pairs_and_end_points(void **state)
{
    (void)state;
    char text[IP_PAIR_TEXT_MAX];
    struct ip_pair pair = {.src = addr("192.1.0.65"), .dst = addr("192.2.0.66")};
    struct ip_pair back = ip_pair_reverse(&pair);
    assert_string_equal(ip_pair_format(&pair, text), "192.1.0.65 -> 192.2.0.66");
    assert_string_equal(ip_pair_format(&back, text), "192.2.0.66 -> 192.1.0.65");
    assert_false(ip_pair_equal(&pair, &back));
    back = ip_pair_reverse(&back);
    assert_true(ip_pair_equal(&pair, &back));

    struct ip_endpoint v4 = {.addr = addr("192.0.2.1"), .port = 500}, other = v4;
    struct ip_endpoint v6 = {.addr = addr("2001:db8::1"), .port = 4500};
    assert_string_equal(ip_endpoint_format(&v4, text), "192.0.2.1:500");
    assert_string_equal(ip_endpoint_format(&v6, text), "[2001:db8::1]:4500");
    other.port = 4500;
    assert_false(ip_endpoint_equal(&v4, &other));
    assert_true(ip_endpoint_equal(&v4, &v4));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_of_addresses), cmocka_unit_test(names_in_the_reverse_map),
        cmocka_unit_test(special_addresses),  cmocka_unit_test(texts_of_prefixes),
        cmocka_unit_test(prefixes_contain),   cmocka_unit_test(pairs_and_end_points),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
