/* Address sets, the choice among pairs of addresses, and return routability, without an engine. */
#include "check.h"

#include "address/paths.h"
#include "address/routability.h"

static struct ip_addr addr(const char *text)
{
    struct ip_addr ret;
    assert_true(ip_addr_parse(text, &ret));
    return ret;
}

static struct address_set set_of(const char *const *texts)
{
    struct address_set set = {.count = 0};
    for (; *texts != NULL; texts++) {
        struct ip_addr a = addr(*texts);
        assert_int_equal(address_set_add(&set, &a), ERR_OK);
    }
    return set;
}

#define SET(...) set_of((const char *const[]){__VA_ARGS__, NULL})

static struct address_pair pair(const char *local, const char *remote)
{
    return (struct address_pair){addr(local), addr(remote)};
}

static void test_set(void **state)
{
    (void)state;
    struct address_set set = SET("192.0.2.1", "192.0.2.2", "2001:db8::1");
    struct ip_addr first = addr("192.0.2.1"), second = addr("192.0.2.2");
    struct ip_addr other = addr("192.0.2.9"), link = addr("fe80::1"), none = {.family = IP_NONE};

    assert_int_equal(address_set_add(&set, &second), ERR_REPEATED);
    assert_int_equal(address_set_add(&set, &link), ERR_VALUE); /* ADR-033 */
    assert_int_equal(address_set_add(&set, &none), ERR_VALUE);
    assert_int_equal(address_set_remove(&set, &first), ERR_STATE); /* ADR-046 */
    assert_int_equal(address_set_remove(&set, &other), ERR_UNKNOWN);
    assert_int_equal(set.count, 3);
    assert_int_equal(address_set_promote(&set, &second), ERR_OK);
    const struct address_set promoted = SET("192.0.2.2", "192.0.2.1", "2001:db8::1");
    assert_true(address_set_equal(&set, &promoted));
    assert_int_equal(address_set_remove(&set, &first), ERR_OK);
    const struct address_set removed = SET("192.0.2.2", "2001:db8::1");
    assert_true(address_set_equal(&set, &removed));
    assert_int_equal(address_set_promote(&set, &link), ERR_VALUE);
    assert_int_equal(address_set_promote(&set, &other), ERR_OK);
    assert_true(address_set_has(&set, &other));
    assert_int_equal(set.count, 3);
}

static void test_set_full(void **state)
{
    (void)state;
    struct address_set set = {.count = 0};
    struct ip_addr a = {.family = IP_NONE};
    for (uint32_t i = 0; i < ADDRESS_SET_MAX; i++) {
        a = ip_addr_v4(0xc0000200 + i + 1);
        assert_int_equal(address_set_add(&set, &a), ERR_OK);
    }
    assert_int_equal(address_set_promote(&set, &a), ERR_OK); /* is there already */
    a = addr("192.0.2.99");
    assert_int_equal(address_set_add(&set, &a), ERR_LIMIT);
    assert_int_equal(address_set_promote(&set, &a), ERR_LIMIT);
    assert_int_equal(set.count, ADDRESS_SET_MAX);
}

static void set_paths(struct address_paths *paths, mono_t now, const struct address_set *own,
                      const struct ip_addr *preferred, const struct address_set *peer)
{
    const struct address_own ours = {.set = own, .preferred = *preferred};
    const struct address_ways all = {.reaches = NULL};

    address_paths_set(paths, now, &ours, peer, &all);
}

static void test_ranks(void **state)
{
    (void)state;
    struct address_set own = SET("192.0.2.1", "2001:db8::1", "198.51.100.1");
    struct address_set peer = SET("203.0.113.1", "203.0.113.2", "2001:db8::2");
    struct ip_addr preferred = addr("198.51.100.1");
    struct address_paths paths = {.count = 0};
    struct address_pair now = pair("192.0.2.1", "203.0.113.1"), ret;
    static const char *const order[][2] = {
        {"198.51.100.1", "203.0.113.1"}, {"198.51.100.1", "203.0.113.2"},
        {"192.0.2.1", "203.0.113.1"},    {"192.0.2.1", "203.0.113.2"},
        {"2001:db8::1", "2001:db8::2"},
    };

    set_paths(&paths, (mono_t){0}, &own, &preferred, &peer);
    assert_int_equal(paths.count, CHECK_COUNT(order));
    for (size_t i = 0; i < CHECK_COUNT(order); i++) {
        struct address_pair expected = pair(order[i][0], order[i][1]);
        assert_true(address_pair_equal(&paths.list[i].pair, &expected));
        assert_true(address_paths_after(&paths, &expected, &ret));
        size_t next = (i + 1) % CHECK_COUNT(order);
        expected = pair(order[next][0], order[next][1]);
        assert_true(address_pair_equal(&ret, &expected));
    }
    assert_true(address_paths_best(&paths, &now, &ret));
    assert_true(ip_addr_equal(&ret.local, &preferred));

    /* Without a preference the present peer and the present address of ours stay. */
    struct ip_addr none = {.family = IP_NONE};
    now = pair("198.51.100.1", "203.0.113.1");
    set_paths(&paths, (mono_t){0}, &own, &none, &peer);
    assert_true(address_paths_best(&paths, &now, &ret));
    assert_true(address_pair_equal(&ret, &now));

    struct address_set nothing = {.count = 0};
    set_paths(&paths, (mono_t){0}, &nothing, &none, &peer);
    assert_false(address_paths_best(&paths, &now, &ret));
    assert_false(address_paths_after(&paths, &now, &ret));
    assert_true(mono_is_never(address_paths_next(&paths, &now)));
    address_paths_free(&paths);
}

static void test_paths_full(void **state)
{
    (void)state;
    struct address_set own = {.count = 0}, peer = {.count = 0};
    struct ip_addr last = {.family = IP_NONE};
    for (uint32_t i = 0; i < ADDRESS_SET_MAX; i++) {
        last = ip_addr_v4(0xc0000201 + i);
        struct ip_addr theirs = ip_addr_v4(0xcb007101 + i);
        assert_int_equal(address_set_add(&own, &last), ERR_OK);
        assert_int_equal(address_set_add(&peer, &theirs), ERR_OK);
    }
    struct address_paths paths = {.count = 0};
    set_paths(&paths, (mono_t){0}, &own, &last, &peer);
    assert_int_equal(paths.count, ADDRESS_PATHS_MAX);
    assert_true(ip_addr_equal(&paths.list[0].pair.local, &last)); /* though it came last */
    for (size_t i = 1; i < paths.count; i++)
        assert_true(paths.list[i - 1].rank <= paths.list[i].rank);
    address_paths_free(&paths);
}

static bool not_from_first(void *ctx, const struct ip_addr *local, const struct ip_addr *remote)
{
    (void)remote;
    return !ip_addr_equal(local, ctx);
}

/* ADR-044: candidates are pairs with a route, in the operator's order of interfaces. */
static void test_paths_preference(void **state)
{
    (void)state;
    struct address_set own = SET("192.0.2.1", "198.51.100.1", "192.0.2.2");
    struct address_set peer = SET("203.0.113.1", "203.0.113.2");
    const uint8_t ranks[] = {1, 0, 1};
    const struct address_own ours = {.set = &own, .ranks = ranks};
    struct ip_addr first = addr("198.51.100.1");
    struct address_ways ways = {.reaches = not_from_first, .ctx = &first};
    struct address_paths paths = {.count = 0};
    struct address_pair now = pair("192.0.2.2", "203.0.113.1"), ret;

    address_paths_set(&paths, (mono_t){0}, &ours, &peer, &(struct address_ways){.reaches = NULL});
    assert_int_equal(paths.count, 6);
    assert_true(address_paths_best(&paths, &now, &ret));
    assert_true(ip_addr_equal(&ret.local, &first));
    assert_true(address_paths_due(&paths, (mono_t){0}, &now, &ret)); /* a better one is probed */
    assert_true(ip_addr_equal(&ret.local, &first));

    address_paths_set(&paths, (mono_t){0}, &ours, &peer, &ways);
    assert_int_equal(paths.count, 4);
    for (size_t i = 0; i < paths.count; i++)
        assert_false(ip_addr_equal(&paths.list[i].pair.local, &first));
    assert_true(address_paths_best(&paths, &now, &ret));
    assert_true(address_pair_equal(&ret, &now)); /* of one rank the present one stays */
    assert_false(address_paths_due(&paths, (mono_t){0}, &now, &ret));
    address_paths_free(&paths);
}

/* Back only after several answers in a row, and never to what isn't better. */
static void test_hysteresis(void **state)
{
    (void)state;
    struct address_set own = SET("192.0.2.1", "198.51.100.1"), peer = SET("203.0.113.1");
    struct ip_addr preferred = addr("192.0.2.1");
    struct address_paths paths = {.count = 0};
    struct address_pair good = pair("192.0.2.1", "203.0.113.1"), ret;
    struct address_pair current = pair("198.51.100.1", "203.0.113.1");
    mono_t now = {1000};

    set_paths(&paths, now, &own, &preferred, &peer);
    assert_false(address_paths_due(&paths, now, &good, &ret));
    assert_true(mono_is_never(address_paths_next(&paths, &good)));
    int64_t waits[] = {4000, 8000, 16000, 32000, 60000, 60000};
    for (size_t i = 0; i < CHECK_COUNT(waits); i++) {
        assert_true(address_paths_due(&paths, now, &current, &ret));
        assert_true(address_pair_equal(&ret, &good));
        assert_false(address_paths_probed(&paths, now, &current, &good, false));
        assert_false(address_paths_due(&paths, now, &current, &ret));
        mono_t next = address_paths_next(&paths, &current);
        assert_int_equal(mono_since(next, now), waits[i]);
        now = next;
    }
    bool flaps[] = {true, true, false, true, true, true};
    for (size_t i = 0; i < CHECK_COUNT(flaps); i++)
        assert_int_equal(address_paths_probed(&paths, now, &current, &good, flaps[i]), i == 5);
    assert_false(address_paths_probed(&paths, now, &current, &current, true));

    /* What was learned of a pair that stays is kept. */
    assert_false(address_paths_probed(&paths, now, &current, &good, true));
    assert_false(address_paths_probed(&paths, now, &current, &good, true));
    struct ip_addr third = addr("192.0.2.77");
    assert_int_equal(address_set_add(&own, &third), ERR_OK);
    set_paths(&paths, now, &own, &preferred, &peer);
    assert_true(address_paths_probed(&paths, now, &current, &good, true));
    address_paths_free(&paths);
}

/* ADR-045: policy says when an address has to be checked. */
static void test_check_due(void **state)
{
    (void)state;
    struct address_set proved = SET("203.0.113.1");
    struct ip_addr known = addr("203.0.113.1"), other = addr("203.0.113.2");
    assert_false(address_check_due(ADDRESS_CHECK_UNPROVED, &proved, &known));
    assert_true(address_check_due(ADDRESS_CHECK_UNPROVED, &proved, &other));
    assert_true(address_check_due(ADDRESS_CHECK_ALWAYS, &proved, &known));
    assert_false(address_check_due(ADDRESS_CHECK_NEVER, &proved, &other));
    address_proved(&proved, &other);
    assert_false(address_check_due(ADDRESS_CHECK_UNPROVED, &proved, &other));
    for (uint32_t i = 0; i < ADDRESS_SET_MAX - 1; i++) {
        struct ip_addr a = ip_addr_v4(0xc0000201 + i);
        address_proved(&proved, &a);
    }
    assert_int_equal(proved.count, ADDRESS_SET_MAX);
    assert_true(address_set_has(&proved, &other));
    assert_false(address_set_has(&proved, &known)); /* the oldest */
}

static void fill(void *ctx, uint8_t *ret, size_t len)
{
    uint8_t *next = ctx;
    for (size_t i = 0; i < len; i++)
        ret[i] = (*next)++;
}

static void test_cookie(void **state)
{
    (void)state;
    uint8_t seed = 7;
    const struct rng rng = {fill, &seed};
    struct address_cookie a = address_cookie_new(&rng), b = address_cookie_new(&rng);
    struct view octets = view_of(a.octets, sizeof(a.octets));
    assert_true(address_cookie_matches(&a, octets));
    assert_false(address_cookie_matches(&b, octets));
    octets.len--;
    assert_false(address_cookie_matches(&a, octets));
    assert_false(address_cookie_matches(&a, view_of(NULL, 0)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_set),        cmocka_unit_test(test_set_full),
        cmocka_unit_test(test_ranks),      cmocka_unit_test(test_paths_full),
        cmocka_unit_test(test_paths_preference),
        cmocka_unit_test(test_hysteresis), cmocka_unit_test(test_check_due),
        cmocka_unit_test(test_cookie),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
