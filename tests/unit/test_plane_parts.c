/*
 * The plane's small parts by themselves: the packet store, the rate limiter, the SPD's order of
 * use, the SAD's choice of SPIs.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "plane/limiter.h"
#include "plane/sad.h"
#include "plane/spd.h"
#include "plane/store.h"

static void fill(void *ctx, uint8_t *ret, size_t len)
{
    (void)ctx;
    for (size_t i = 0; i < len; i++)
        ret[i] = (uint8_t)random();
}

static const struct rng rng = {fill, NULL};

static struct packet packet_of(uint8_t *room, size_t size, uint32_t len, uint8_t mark)
{
    struct packet packet = {.base = room, .room = (uint32_t)size, .at = 10, .len = len};
    memset(packet_data(&packet), mark, len);
    return packet;
}

static void the_store_keeps_copies_under_its_cap(void **state)
{
    (void)state;
    struct store store;
    struct stored *a = NULL, *b = NULL;
    uint8_t room[4000];
    store_init(&store, 2000);
    struct packet packet = packet_of(room, sizeof(room), 1000, 1);
    assert_true(store_hold(&store, &a, &packet));
    uint64_t one = store.held_octets;
    assert_in_range(one, 1000 + LIMIT_HEADROOM + LIMIT_TAILROOM, 1500);
    assert_false(store_hold(&store, &b, &packet));
    assert_null(b);
    packet = packet_of(room, sizeof(room), 1000, 2); /* in place of the old one it fits */
    assert_true(store_hold(&store, &a, &packet));
    packet = packet_of(room, sizeof(room), 100, 3);
    assert_true(store_hold(&store, &b, &packet));
    packet = packet_of(room, sizeof(room), 3000, 4);
    assert_false(store_hold(&store, &b, &packet));
    memset(room, 0, sizeof(room));

    struct packet *held = store_release(&store, &a);
    assert_int_equal(held->len, 1000);
    assert_int_equal(held->at, LIMIT_HEADROOM);
    assert_int_equal(packet_tailroom(held), LIMIT_TAILROOM);
    assert_int_equal(packet_data(held)[0], 2);
    assert_int_equal(packet_data(held)[999], 2);
    assert_null(store_release(&store, &a));
    assert_true(store_discard(&store, &b));
    assert_false(store_discard(&store, &b));
    assert_int_equal(store.held_octets, 0);
    store_fini(&store);
}

static void made_packets_are_used_again(void **state)
{
    (void)state;
    struct store store;
    store_init(&store, 0);
    struct packet *first = store_packet(&store, 100), *second = store_packet(&store, 1500);
    assert_ptr_not_equal(first, second);
    assert_true(first->room >= LIMIT_HEADROOM + 100 + LIMIT_TAILROOM);
    assert_int_equal(first->len, 0);
    store_reclaim(&store);
    struct packet *third = store_packet(&store, 1400), *fourth = store_packet(&store, 1);
    assert_true(third == first || third == second);
    assert_true((fourth == first || fourth == second) && fourth != third);
    struct packet *large = store_packet(&store, 60000);
    assert_int_equal(large->room, LIMIT_HEADROOM + 60000 + LIMIT_TAILROOM);
    for (int i = 0; i < 1000; i++)
        assert_non_null(store_packet(&store, 1500));
    store_reclaim(&store);
    assert_in_range(store.spare_count, 100, 200); /* not all are kept */
    store_fini(&store);
}

static void the_limiter_limits_each_and_all(void **state)
{
    (void)state;
    struct limiter limiter;
    struct ip_addr a = ip_addr_v4(1), other;
    limiter_init(&limiter, 500, 10, &rng);
    assert_true(limiter_allow(&limiter, (mono_t){0}, &a));
    assert_false(limiter_allow(&limiter, (mono_t){499}, &a));
    assert_true(limiter_allow(&limiter, (mono_t){500}, &a));
    unsigned allowed = 0;
    for (uint32_t i = 0; i < 1000; i++) {
        other = ip_addr_v4(1000 + i);
        allowed += limiter_allow(&limiter, (mono_t){999}, &other);
    }
    assert_int_equal(allowed, 8);
    assert_true(limiter_allow(&limiter, (mono_t){2000}, &a));
}

static void the_spd_keeps_the_order_of_use(void **state)
{
    (void)state;
    struct spd spd;
    struct spd_entry *entries[4];
    spd_init(&spd, 4, &rng);
    assert_null(spd_oldest(&spd));
    for (uint32_t i = 0; i < 4; i++) {
        struct ip_pair flow = {ip_addr_v4(1), ip_addr_v4(i)};
        struct spd_key key = spd_key_of(&flow);
        assert_null(spd_find(&spd, &key));
        entries[i] = spd_add(&spd, (mono_t){i}, &key);
        assert_ptr_equal(spd_find(&spd, &key), entries[i]);
    }
    assert_true(spd_is_full(&spd));
    static const uint8_t uses[] = {0, 2, 2, 0, 3};
    static const int64_t at[] = {2000, 4000, 6000, 8000, 8100};
    for (size_t i = 0; i < sizeof(uses); i++)
        spd_use(&spd, (mono_t){at[i]}, entries[uses[i]], 10);
    assert_int_equal(entries[2]->packets, 2);
    assert_int_equal(entries[2]->octets, 20);
    spd_use(&spd, (mono_t){8999}, entries[0], 10); /* placed less than a second ago */
    static const uint8_t oldest_first[] = {1, 2, 0, 3};
    for (size_t i = 0; i < 4; i++) {
        assert_ptr_equal(spd_oldest(&spd), entries[oldest_first[i]]);
        spd_remove(&spd, entries[oldest_first[i]]);
    }
    spd_fini(&spd);
}

static void timers_come_due_in_order(void **state)
{
    (void)state;
    struct spd spd;
    spd_init(&spd, 10, &rng);
    struct spd_entry *entries[3];
    for (uint32_t i = 0; i < 3; i++) {
        struct spd_key key = {.flow = {ip_addr_v4(1), ip_addr_v4(i)}};
        entries[i] = spd_add(&spd, (mono_t){0}, &key);
    }
    assert_null(spd_due(&spd, (mono_t){INT64_MAX - 2}));
    spd_set_timer(&spd, entries[0], (mono_t){30});
    spd_set_timer(&spd, entries[2], (mono_t){20});
    spd_set_timer(&spd, entries[1], MONO_NEVER);
    assert_null(spd_due(&spd, (mono_t){19}));
    assert_ptr_equal(spd_due(&spd, (mono_t){40}), entries[2]);
    assert_ptr_equal(spd_due(&spd, (mono_t){40}), entries[0]);
    assert_null(spd_due(&spd, (mono_t){40}));
    for (uint32_t i = 0; i < 3; i++)
        spd_remove(&spd, entries[i]);
    spd_fini(&spd);
}

/* Random where there is room, any that is left where there is hardly any. */
static void the_sad_finds_free_spis(void **state)
{
    (void)state;
    struct sad sad;
    struct sad_entry *sa;
    struct sa_params params = {.outer_src = ip_addr_v4(1), .outer_dst = ip_addr_v4(2)};
    sad_init(&sad, 1000, &rng);
    uint32_t low = 0;
    for (int i = 0; i < 100; i++) {
        assert_int_equal(sad_reserve(&sad, (mono_t){0}, &params, 0, UINT32_MAX, &sa), ERR_OK);
        assert_true(sa->params.inbound);
        assert_int_equal(sa->params.spi.value, sa->key.spi);
        low += sa->key.spi < UINT32_MAX / 2;
    }
    assert_in_range(low, 20, 80);
    for (int i = 0; i < 500; i++)
        assert_int_equal(sad_reserve(&sad, (mono_t){0}, &params, 5000, 5499, &sa), ERR_OK);
    assert_int_equal(sad_reserve(&sad, (mono_t){0}, &params, 5000, 5499, &sa), ERR_LIMIT);
    assert_int_equal(sad_reserve(&sad, (mono_t){0}, &params, 1, 255, &sa), ERR_VALUE);
    assert_int_equal(sad_count(&sad), 600);
    sad_fini(&sad);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_store_keeps_copies_under_its_cap),
        cmocka_unit_test(made_packets_are_used_again),
        cmocka_unit_test(the_limiter_limits_each_and_all),
        cmocka_unit_test(the_spd_keeps_the_order_of_use),
        cmocka_unit_test(timers_come_due_in_order),
        cmocka_unit_test(the_sad_finds_free_spis),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
