/* Connection classes: which policy line applies to a flow. */
#include "check.h"

#include "oe/oe.h"

static struct ip_prefix prefix(const char *text)
{
    struct ip_prefix ret;
    assert_true(ip_prefix_parse(text, &ret));
    return ret;
}

static struct ip_pair pair(const char *src, const char *dst)
{
    struct ip_pair ret;
    assert_true(ip_addr_parse(src, &ret.src) && ip_addr_parse(dst, &ret.dst));
    return ret;
}

static struct oe *open_engine(const struct oe_class *classes, size_t count,
                              enum oe_class_kind fallback)
{
    static uint64_t seed = 3;
    struct oe_env env = {.rng = check_rng(&seed)};
    struct oe_config config = {.classes = classes, .class_count = count, .fallback = fallback};
    struct oe *oe;
    assert_int_equal(oe_new(&config, &env, &oe), ERR_OK);
    return oe;
}

/* OE-034 */
static void test_names(void **state)
{
    (void)state;
    static const char *const names[] = {"deny", "always-clear-text", "OE-permissive",
                                        "OE-paranoid", "OE-respond-only", "OE-dnssec-fail"};
    for (int i = 0; i < OE_CLASS_KIND_COUNT; i++) {
        enum oe_class_kind kind;
        assert_string_equal(oe_class_kind_name((enum oe_class_kind)i), names[i]);
        assert_true(oe_class_kind_parse(names[i], &kind));
        assert_int_equal(kind, i);
    }
    enum oe_class_kind kind = OE_PARANOID;
    assert_false(oe_class_kind_parse("oe-permissive", &kind));
    assert_false(oe_class_kind_parse("", &kind));
    assert_int_equal(kind, OE_PARANOID);
}

/* OE-005, OE-035: the longest destination decides, then the longest source. */
static void test_longest_prefix(void **state)
{
    (void)state;
    struct oe_class classes[] = {
        {.kind = OE_PERMISSIVE, .destination = prefix("0.0.0.0/0"), .name = "all"},
        {.kind = OE_PARANOID, .destination = prefix("192.2.0.0/16"), .name = "net"},
        {.kind = OE_DENY,
         .source = prefix("10.0.0.0/8"),
         .destination = prefix("192.2.0.0/16"),
         .name = "net from 10"},
        {.kind = OE_ALWAYS_CLEAR, .destination = prefix("192.2.0.66/32"), .name = "bob"},
        {.kind = OE_DENY, .destination = prefix("2001:db8::/32"), .name = "v6"},
    };
    static const struct {
        const char *src, *dst, *name;
    } cases[] = {
        {"1.2.3.4", "8.8.8.8", "all"},
        {"1.2.3.4", "192.2.1.1", "net"},
        {"10.2.3.4", "192.2.1.1", "net from 10"},
        {"10.2.3.4", "192.2.0.66", "bob"},
        {"2001:db9::1", "2001:db8::1", "v6"},
        {"2001:db8::1", "2001:db9::1", "default"},
    };
    struct oe *oe = open_engine(classes, CHECK_COUNT(classes), OE_PARANOID);
    for (size_t i = 0; i < CHECK_COUNT(cases); i++) {
        struct ip_pair flow = pair(cases[i].src, cases[i].dst);
        assert_string_equal(oe_classify(oe, &flow)->name, cases[i].name);
    }
    oe_free(oe);
}

/* OE-042 */
static void test_fallback(void **state)
{
    (void)state;
    for (int kind = 0; kind < OE_CLASS_KIND_COUNT; kind++) {
        struct oe *oe = open_engine(NULL, 0, (enum oe_class_kind)kind);
        struct ip_pair flow = pair("1.2.3.4", "5.6.7.8");
        assert_int_equal(oe_classify(oe, &flow)->kind, kind);
        oe_free(oe);
    }
}

/* OE-038: one line, our own address to everywhere. */
static void test_simplest_policy(void **state)
{
    (void)state;
    struct oe_class line = {
        .kind = OE_PERMISSIVE, .source = prefix("192.1.1.4"), .destination = prefix("0.0.0.0/0")};
    struct oe *oe = open_engine(&line, 1, OE_ALWAYS_CLEAR);
    struct ip_pair own = pair("192.1.1.4", "203.0.113.7"), other = pair("192.1.1.5", "203.0.113.7");
    assert_int_equal(oe_classify(oe, &own)->kind, OE_PERMISSIVE);
    assert_int_equal(oe_classify(oe, &other)->kind, OE_ALWAYS_CLEAR);
    oe_free(oe);
}

/* OE-005 */
static void test_duplicates(void **state)
{
    (void)state;
    struct oe_class classes[] = {
        {.kind = OE_PERMISSIVE, .destination = prefix("10.0.0.0/8")},
        {.kind = OE_PERMISSIVE, .destination = prefix("10.0.0.0/9")},
        {.kind = OE_PERMISSIVE,
         .source = prefix("10.0.0.0/8"),
         .destination = prefix("10.0.0.0/8")},
        {.kind = OE_PERMISSIVE, .destination = prefix("0.0.0.0/0")},
        {.kind = OE_PERMISSIVE},
        {.kind = OE_DENY, .destination = prefix("10.0.0.0/8")},
    };
    assert_int_equal(oe_classes_duplicate(classes, 0), 0);
    assert_int_equal(oe_classes_duplicate(classes, 5), 5);
    assert_int_equal(oe_classes_duplicate(classes, 6), 5);
}

static void test_too_many(void **state)
{
    (void)state;
    static struct oe_class classes[LIMIT_CLASSES + 1];
    uint64_t seed = 1;
    struct oe_env env = {.rng = check_rng(&seed)};
    struct oe_config config = {.classes = classes, .class_count = LIMIT_CLASSES + 1};
    struct oe *oe = NULL;
    assert_int_equal(oe_new(&config, &env, &oe), ERR_LIMIT);
    assert_null(oe);
}

/* -1: does not cover. Compares bit by bit. */
static int naive_length(const struct ip_prefix *p, const struct ip_addr *addr)
{
    if (p->addr.family == IP_NONE)
        return 0;
    if (p->addr.family != addr->family)
        return -1;
    for (unsigned i = 0; i < p->bits; i++)
        if (((p->addr.octets[i / 8] ^ addr->octets[i / 8]) >> (7 - i % 8)) & 1)
            return -1;
    return 1 + p->bits;
}

/* Few bits differ, so that prefixes cover one another and flows meet several. */
static struct ip_addr random_addr(uint64_t *seed)
{
    struct ip_addr addr = {.family = check_random(seed) % 4 ? IP_V4 : IP_V6};
    for (int i = 0; i < 4; i++)
        addr.octets[i] = check_random(seed) % 8 ? 0 : (uint8_t)(1 << check_random(seed) % 8);
    return addr;
}

static struct ip_prefix random_prefix(uint64_t *seed)
{
    struct ip_addr addr = random_addr(seed);
    if (check_random(seed) % 6 == 0)
        return (struct ip_prefix){0};
    return ip_prefix_of(&addr, check_random(seed) % 33);
}

static void test_against_naive_model(void **state)
{
    (void)state;
    uint64_t seed = 11;
    for (int round = 0; round < 200; round++) {
        struct oe_class classes[40] = {0};
        for (size_t i = 0; i < 40; i++) {
            classes[i].kind = check_random(&seed) % OE_DNSSEC_FAIL;
            classes[i].source = random_prefix(&seed);
            classes[i].destination = random_prefix(&seed);
            classes[i].name[0] = (char)(1 + i);
        }
        struct oe *oe = open_engine(classes, 40, OE_DENY);
        for (int k = 0; k < 200; k++) {
            struct ip_pair flow = {.src = random_addr(&seed), .dst = random_addr(&seed)};
            int best = -1, want = -1;
            for (int i = 0; i < 40; i++) {
                int dst = naive_length(&classes[i].destination, &flow.dst);
                int src = naive_length(&classes[i].source, &flow.src);
                if (dst >= 0 && src >= 0 && dst * 1000 + src > best) {
                    best = dst * 1000 + src;
                    want = i;
                }
            }
            const struct oe_class *got = oe_classify(oe, &flow);
            if (want < 0)
                assert_string_equal(got->name, "default");
            else
                assert_int_equal(got->name[0], 1 + want);
        }
        oe_free(oe);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_longest_prefix),
        cmocka_unit_test(test_fallback),
        cmocka_unit_test(test_simplest_policy),
        cmocka_unit_test(test_duplicates),
        cmocka_unit_test(test_too_many),
        cmocka_unit_test(test_against_naive_model),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
