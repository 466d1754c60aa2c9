/*
 * Limits of lookups and whose turn it is (OE-194): one source has a quarter of the lookups, lines
 * are served in turn, what waits is bounded, and whatever happens each request gets its one effect.
 */
#include "dns_records.h"

#include <stdio.h>

struct rig {
    struct discover *d;
    mono_t now;
    uint64_t seed, tickets;
};

static void rig_open(struct rig *rig, uint32_t lookups, uint32_t waiting)
{
    struct discover_config config = {.lookups = lookups, .waiting = waiting};
    *rig = (struct rig){.now = {1000}, .seed = 7};
    struct discover_env env = {.rng = check_rng(&rig->seed)};
    assert_int_equal(discover_new(&config, &env, &rig->d), ERR_OK);
}

static void ask(struct rig *rig, const char *behalf, const char *address)
{
    struct discover_event event = {.kind = DISCOVER_EV_DELEGATION,
                                   .ticket = ++rig->tickets,
                                   .behalf = test_addr(behalf),
                                   .address = test_addr(address)};
    assert_int_equal(discover_input(rig->d, rig->now, &event), ERR_OK);
}

/* `count` addresses of 10.0.0.0/16, from number `first` on. */
static void scan(struct rig *rig, const char *behalf, unsigned first, unsigned count)
{
    char address[32];
    for (unsigned i = first; i < first + count; i++) {
        snprintf(address, sizeof(address), "10.0.%u.%u", i / 256, i % 256);
        ask(rig, behalf, address);
    }
}

/* The next effect must be a question about this address. */
static uint64_t expect_query(struct rig *rig, const char *address)
{
    struct discover_effect fx;
    struct ip_addr addr = test_addr(address);
    char name[LIMIT_DNS_NAME];

    ip_addr_reverse(&addr, name);
    assert_true(discover_next_effect(rig->d, &fx));
    assert_int_equal(fx.kind, DISCOVER_FX_QUERY);
    assert_string_equal(fx.name, name);
    return fx.serial;
}

static void expect_refusal(struct rig *rig, uint64_t ticket, const char *why)
{
    struct discover_effect fx;
    assert_true(discover_next_effect(rig->d, &fx));
    assert_int_equal(fx.kind, DISCOVER_FX_DELEGATION);
    assert_int_equal(fx.ticket, ticket);
    assert_int_equal(fx.delegation->status, DISCOVERED_TIMEOUT);
    assert_non_null(strstr(fx.delegation->why, why));
}

static void expect_quiet(struct rig *rig)
{
    struct discover_effect fx;
    assert_false(discover_next_effect(rig->d, &fx));
}

/* Answers, and takes the answer's own effect. */
static void answer(struct rig *rig, uint64_t serial)
{
    struct dns_answer a = {.status = DNS_ABSENT};
    struct discover_event event = {.kind = DISCOVER_EV_ANSWER, .serial = serial, .answer = &a};
    struct discover_effect fx;
    assert_int_equal(discover_input(rig->d, rig->now, &event), ERR_OK);
    assert_true(discover_next_effect(rig->d, &fx));
    assert_int_equal(fx.kind, DISCOVER_FX_DELEGATION);
    assert_int_equal(fx.delegation->status, DISCOVERED_ABSENT);
}

static void rig_close(struct rig *rig)
{
    discover_free(rig->d);
}

/* OE-194: who scans has his quarter; his neighbour's question goes out at once. */
static void test_scanner_starves_nobody(void **state)
{
    (void)state;
    struct rig rig;
    uint64_t serials[2];

    rig_open(&rig, 8, 100);
    scan(&rig, "192.2.0.1", 0, 50);
    serials[0] = expect_query(&rig, "10.0.0.0");
    serials[1] = expect_query(&rig, "10.0.0.1");
    expect_quiet(&rig);
    ask(&rig, "192.2.0.2", "192.0.2.1");
    expect_query(&rig, "192.0.2.1");
    expect_quiet(&rig);
    answer(&rig, serials[1]);
    expect_query(&rig, "10.0.0.49"); /* the newest in line */
    expect_quiet(&rig);
    rig_close(&rig);
}

/* OE-194: all in flight are taken; then the lines are served one after the other. */
static void test_lines_are_served_in_turn(void **state)
{
    (void)state;
    struct rig rig;
    uint64_t first;

    rig_open(&rig, 1, 100);
    scan(&rig, "192.2.0.1", 0, 20);
    scan(&rig, "192.2.0.2", 100, 20);
    ask(&rig, "192.2.0.3", "192.0.2.1");
    first = expect_query(&rig, "10.0.0.0");
    expect_quiet(&rig);
    answer(&rig, first);
    first = expect_query(&rig, "10.0.0.119");
    answer(&rig, first);
    first = expect_query(&rig, "192.0.2.1");
    answer(&rig, first);
    first = expect_query(&rig, "10.0.0.19");
    answer(&rig, first);
    expect_query(&rig, "10.0.0.118");
    expect_quiet(&rig);
    rig_close(&rig);
}

/* OE-194: more may not wait; those that did for longest give up, and say why. */
static void test_waiting_is_bounded(void **state)
{
    (void)state;
    struct rig rig;

    rig_open(&rig, 4, 3);
    scan(&rig, "192.2.0.1", 0, 4); /* one in flight, three wait: tickets 2 to 4 */
    expect_query(&rig, "10.0.0.0");
    expect_quiet(&rig);
    scan(&rig, "192.2.0.1", 4, 2);
    expect_refusal(&rig, 2, "too many DNS lookups");
    expect_refusal(&rig, 3, "too many DNS lookups");
    expect_quiet(&rig);
    assert_int_equal(discover_pending(rig.d), 4);
    ask(&rig, "192.2.0.2", "192.0.2.1");
    expect_query(&rig, "192.0.2.1");
    expect_quiet(&rig);
    rig_close(&rig);
}

/* What was never sent is not asked in vain, and leaves nothing behind. */
static void test_waiting_in_vain(void **state)
{
    (void)state;
    struct rig rig;
    struct discover_effect fx;
    unsigned refused = 0;

    rig_open(&rig, 4, 100);
    scan(&rig, "192.2.0.1", 0, 10);
    expect_query(&rig, "10.0.0.0");
    expect_quiet(&rig);
    rig.now = mono_add(rig.now, LIMIT_LOOKUP_MS / 2);
    discover_timer(rig.d, rig.now);
    rig.now = mono_add(rig.now, LIMIT_LOOKUP_MS / 2);
    discover_timer(rig.d, rig.now);
    while (discover_next_effect(rig.d, &fx)) {
        assert_int_equal(fx.kind, DISCOVER_FX_DELEGATION);
        assert_int_equal(fx.delegation->status, DISCOVERED_TIMEOUT);
        refused += strstr(fx.delegation->why, "too many") != NULL;
    }
    assert_int_equal(refused, 9);
    assert_int_equal(discover_pending(rig.d), 0);
    assert_int_equal(discover_next_deadline(rig.d).ms, MONO_NEVER.ms);
    rig_close(&rig);
}

/* A name that a scanner's line holds back goes out with who else wants it. */
static void test_wanted_by_two(void **state)
{
    (void)state;
    struct rig rig;
    struct discover_effect fx;
    uint64_t serial;

    rig_open(&rig, 4, 100);
    scan(&rig, "192.2.0.1", 0, 20);
    expect_query(&rig, "10.0.0.0");
    expect_quiet(&rig);
    ask(&rig, "192.2.0.2", "10.0.0.19");
    serial = expect_query(&rig, "10.0.0.19");
    expect_quiet(&rig);
    answer(&rig, serial); /* one question, two who asked */
    assert_true(discover_next_effect(rig.d, &fx));
    assert_int_equal(fx.kind, DISCOVER_FX_DELEGATION);
    expect_quiet(&rig);
    rig_close(&rig);
}

/* One subscriber has a whole IPv6 /64 to call from. */
static void test_prefix_is_one_source(void **state)
{
    (void)state;
    struct rig rig;

    rig_open(&rig, 4, 100);
    ask(&rig, "2001:db8::1", "10.0.0.1");
    ask(&rig, "2001:db8::2", "10.0.0.2");
    ask(&rig, "2001:db8:0:1::2", "10.0.0.3");
    expect_query(&rig, "10.0.0.1");
    expect_query(&rig, "10.0.0.3");
    expect_quiet(&rig);
    rig_close(&rig);
}

/* A line of many sources in any order: never more in flight than may, nobody forgotten. */
static void test_random_lines(void **state)
{
    (void)state;
    enum { REQUESTS = 5000, LOOKUPS = 12, SHARE = 3 };
    struct rig rig;
    uint64_t seed = 5, open[LOOKUPS];
    unsigned of_source[8] = {0}, source_of[LOOKUPS], flying = 0, finished = 0;
    struct discover_effect fx;
    char behalf[32], address[32];

    rig_open(&rig, LOOKUPS, 40);
    while (finished < REQUESTS) {
        uint32_t what = check_random(&seed) % 10;
        unsigned source = check_random(&seed) % 8;
        if (what < 5 && rig.tickets < REQUESTS) {
            /* each source has names of its own, so that a question tells whose it is */
            snprintf(behalf, sizeof(behalf), "192.2.0.%u", source);
            snprintf(address, sizeof(address), "10.%u.%u.%u", source, check_random(&seed) % 256,
                     check_random(&seed) % 256);
            ask(&rig, behalf, address);
        } else if (what < 9 && flying > 0) {
            unsigned i = check_random(&seed) % flying;
            struct dns_answer a = {.status = DNS_ABSENT};
            struct discover_event event = {
                .kind = DISCOVER_EV_ANSWER, .serial = open[i], .answer = &a};
            of_source[source_of[i]]--;
            open[i] = open[--flying];
            source_of[i] = source_of[flying];
            assert_int_equal(discover_input(rig.d, rig.now, &event), ERR_OK);
        } else {
            rig.now = mono_add(rig.now, 1);
            discover_timer(rig.d, rig.now);
        }
        while (discover_next_effect(rig.d, &fx)) {
            unsigned whose, low, high;
            if (fx.kind != DISCOVER_FX_QUERY) {
                finished++;
                continue;
            }
            assert_int_equal(sscanf(fx.name, "%u.%u.%u.10.", &low, &high, &whose), 3);
            assert_true(flying < LOOKUPS && of_source[whose] < SHARE);
            of_source[whose]++;
            source_of[flying] = whose;
            open[flying++] = fx.serial;
        }
        assert_int_equal(discover_pending(rig.d), rig.tickets - finished);
        assert_true(discover_pending(rig.d) <= LOOKUPS + 40 + 2);
    }
    rig_close(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_scanner_starves_nobody),
        cmocka_unit_test(test_lines_are_served_in_turn),
        cmocka_unit_test(test_waiting_is_bounded),
        cmocka_unit_test(test_waiting_in_vain),
        cmocka_unit_test(test_wanted_by_two),
        cmocka_unit_test(test_prefix_is_one_source),
        cmocka_unit_test(test_random_lines),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
