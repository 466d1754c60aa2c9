/*
 * How IKEv2 SAs and children are replaced and deleted, by either end and by both at once (RFC 7296
 * sections 1.4.1, 2.8, 2.25).
 */
#include "pair.h"

enum { SECONDS = 1000 };

static const struct pair_options v2 = {.version = IKE_VERSION_2};

static struct pair *up(const struct pair_options *options)
{
    struct pair *pair = pair_new(options);
    pair->sides[PAIR_A].ticket = 7;
    assert_int_equal(pair_initiate(pair, PAIR_A, 7, 0), ERR_OK);
    pair_run(pair, 1 * SECONDS);
    assert_int_equal(pair_check_keys(pair), 2);
    return pair;
}

static size_t ike_sas(const struct pair *pair, unsigned side)
{
    struct ike_sa_info info;
    size_t count = 0;
    while (ike_sa_info(pair->sides[side].ike, count, &info))
        count++;
    return count;
}

static struct v2_sa *only_sa(const struct pair *pair, unsigned side)
{
    assert_int_equal(ike_sas(pair, side), 1);
    return pair->sides[side].ike->v2.all[0];
}

static uint64_t ticket_of(unsigned side)
{
    return side == PAIR_A ? 7 : 1001;
}

/* One tunnel, and both ends agree which. */
static void assert_one(const struct pair *pair)
{
    assert_int_equal(pair_check_keys(pair), 2);
    for (unsigned i = 0; i < PAIR_SIDES; i++) {
        assert_int_equal(pair_sad_count(pair, i), 2);
        assert_int_equal(ike_sas(pair, i), 1);
        assert_int_equal(pair->sides[i].deleted, 0);
        assert_int_equal(pair->sides[i].failed, 0);
        const struct v2_sa *sa = pair->sides[i].ike->v2.all[0];
        assert_true(sa->mine == NULL && sa->theirs == NULL && TAILQ_EMPTY(&sa->waiting));
        const struct ike_child *child = LIST_FIRST(&sa->children);
        assert_non_null(child);
        assert_null(LIST_NEXT(child, of_v2_sa));
        assert_int_equal(child->state, IKE_CHILD_UP);
        assert_int_equal(pair->sides[i].last_up.spi_in.value, child->spi_in.value);
    }
}

/* Either end deletes the tunnel; the IKE SA stays. */
static void test_delete(void **state)
{
    (void)state;
    for (unsigned side = 0; side < PAIR_SIDES; side++) {
        struct pair *pair = up(&v2);
        assert_int_equal(pair_event(pair, side, IKE_EV_DELETE_CHILD, side ? 1001 : 7), ERR_OK);
        pair_run(pair, 5 * SECONDS);
        for (unsigned i = 0; i < PAIR_SIDES; i++) {
            assert_int_equal(pair->sides[i].deleted, 1);
            assert_int_equal(pair_sad_count(pair, i), 0);
            assert_int_equal(ike_sas(pair, i), 1);
        }
        pair_free(pair);
    }
}

/* Both at once: neither answers with a Delete of its own, and both are done. */
static void test_delete_both(void **state)
{
    struct pair *pair = up(&v2);
    (void)state;
    assert_int_equal(pair_event(pair, PAIR_A, IKE_EV_DELETE_CHILD, 7), ERR_OK);
    assert_int_equal(pair_event(pair, PAIR_B, IKE_EV_DELETE_CHILD, 1001), ERR_OK);
    pair_run(pair, 5 * SECONDS);
    for (unsigned i = 0; i < PAIR_SIDES; i++) {
        assert_int_equal(pair->sides[i].deleted, 1);
        assert_int_equal(pair_sad_count(pair, i), 0);
        assert_int_equal(ike_sas(pair, i), 1);
    }
    pair_free(pair);
}

static bool lose(struct pair *pair, struct pair_datagram *datagram, void *ctx)
{
    (void)pair;
    (void)datagram;
    (void)ctx;
    return false;
}

/* OE-107: a peer that is silent is given up, and all that was with it. */
static void test_delete_silent(void **state)
{
    struct pair *pair = up(&v2);
    (void)state;
    pair->tap = lose;
    assert_int_equal(pair_event(pair, PAIR_A, IKE_EV_DELETE_CHILD, 7), ERR_OK);
    pair_run(pair, 60 * SECONDS);
    assert_int_equal(pair->sides[PAIR_A].deleted, 1);
    assert_int_equal(pair_sad_count(pair, PAIR_A), 0);
    assert_int_equal(ike_sas(pair, PAIR_A), 0);
    pair_free(pair);
}

/* OE-173: the peer hears of the IKE SA's end, and its children end with it. */
static void test_shutdown(void **state)
{
    struct pair *pair = up(&v2);
    (void)state;
    assert_int_equal(pair_event(pair, PAIR_A, IKE_EV_SHUTDOWN, 0), ERR_OK);
    pair_run(pair, 5 * SECONDS);
    assert_int_equal(pair->sides[PAIR_B].deleted, 1);
    assert_int_equal(ike_sas(pair, PAIR_A) + ike_sas(pair, PAIR_B), 0);
    assert_int_equal(pair_sad_count(pair, PAIR_A) + pair_sad_count(pair, PAIR_B), 0);
    pair_free(pair);
}

/* OE-108: the new one is there before the old one goes. */
static void test_rekey_child(void **state)
{
    (void)state;
    for (unsigned side = 0; side < PAIR_SIDES; side++) {
        struct pair *pair = up(&v2);
        uint32_t before = pair->sides[side].last_up.spi_in.value;
        assert_int_equal(pair_initiate(pair, side, ticket_of(side), 0), ERR_OK);
        pair_run(pair, 1 * SECONDS);
        assert_int_equal(pair_check_keys(pair), 4);
        pair_run(pair, 10 * SECONDS);
        assert_one(pair);
        assert_true(pair->sides[side].last_up.spi_in.value != before);
        assert_int_equal(pair->sides[side].up, 2);
        assert_int_equal(pair->sides[!side].up, 2);
        /* what was authorized is not asked again */
        assert_int_equal(pair->sides[PAIR_B].asked_authorization +
                             pair->sides[PAIR_A].asked_authorization,
                         1);
        pair_free(pair);
    }
}

/* Section 2.8.1: three children for a moment, then the same one on both ends; whoever's nonce is
 * lowest gives way, so over many seeds each end wins at times. */
static void test_rekey_child_both(void **state)
{
    unsigned wins[PAIR_SIDES] = {0};
    (void)state;
    for (uint64_t seed = 0; seed < 24; seed++) {
        struct pair_options options = v2;
        options.seed = seed;
        struct pair *pair = up(&options);
        for (unsigned i = 0; i < PAIR_SIDES; i++)
            assert_int_equal(pair_initiate(pair, i, ticket_of(i), 0), ERR_OK);
        pair_run(pair, 60 * SECONDS);
        assert_int_equal(pair_check_keys(pair), 2);
        for (unsigned i = 0; i < PAIR_SIDES; i++) {
            assert_int_equal(pair_sad_count(pair, i), 2);
            assert_int_equal(pair->sides[i].deleted, 0);
            assert_int_equal(pair->sides[i].failed, 0);
            wins[i] += pair->sides[i].last_up.initiator;
        }
        pair_free(pair);
    }
    assert_true(wins[PAIR_A] > 0 && wins[PAIR_B] > 0);
    assert_int_equal(wins[PAIR_A] + wins[PAIR_B], 24);
}

/* Section 2.8.1, second part: one end is done before the other's first request comes. */
struct delay {
    unsigned from;
    unsigned skip;
    int64_t ms;
};

static bool delay_one(struct pair *pair, struct pair_datagram *datagram, void *ctx)
{
    struct delay *delay = ctx;
    (void)pair;
    if (datagram->from == delay->from && delay->ms != 0 && delay->skip-- == 0) {
        datagram->at = mono_add(datagram->at, delay->ms);
        delay->ms = 0;
    }
    return true;
}

static void test_rekey_child_late(void **state)
{
    (void)state;
    for (int64_t ms = 50; ms < 8000; ms += 450) {
        struct delay delay = {.from = PAIR_A, .ms = ms};
        struct pair *pair = up(&v2);
        pair->tap = delay_one;
        pair->tap_ctx = &delay;
        for (unsigned i = 0; i < PAIR_SIDES; i++)
            assert_int_equal(pair_initiate(pair, i, ticket_of(i), 0), ERR_OK);
        pair_run(pair, 90 * SECONDS);
        assert_int_equal(pair_check_keys(pair), 2);
        for (unsigned i = 0; i < PAIR_SIDES; i++) {
            assert_int_equal(pair_sad_count(pair, i), 2);
            assert_int_equal(pair->sides[i].deleted, 0);
            assert_int_equal(pair->sides[i].failed, 0);
        }
        pair_free(pair);
    }
}

/* One end replaces what the other deletes. */
static void test_rekey_child_against_delete(void **state)
{
    (void)state;
    for (unsigned side = 0; side < PAIR_SIDES; side++) {
        struct pair *pair = up(&v2);
        assert_int_equal(pair_event(pair, side, IKE_EV_DELETE_CHILD, ticket_of(side)), ERR_OK);
        assert_int_equal(pair_initiate(pair, !side, ticket_of(!side), 0), ERR_OK);
        pair_run(pair, 60 * SECONDS);
        /* who wants a tunnel gets one, from scratch */
        assert_int_equal(pair_check_keys(pair), 2);
        assert_int_equal(pair_sad_count(pair, PAIR_A), 2);
        assert_int_equal(pair_sad_count(pair, PAIR_B), 2);
        assert_int_equal(pair->sides[side].deleted, 1);
        assert_int_equal(pair->sides[!side].failed, 0);
        pair_free(pair);
    }
}

/* The IKE SA */

static const struct pair_options long_children = {
    .version = IKE_VERSION_2,
    .config = {.ike_lifetime_s = 1000, .child_lifetime_s = 100000},
};

/* It is replaced before its end, and the children go on. */
static void test_rekey_ike(void **state)
{
    struct pair *pair = up(&long_children);
    uint64_t first = only_sa(pair, PAIR_A)->number;
    (void)state;
    pair_run(pair, 5000 * SECONDS);
    assert_one(pair);
    assert_true(only_sa(pair, PAIR_A)->number != first);
    assert_int_equal(pair->sides[PAIR_A].up, 1);
    /* and new ones come under the new one */
    pair->sides[PAIR_B].ticket = 1002;
    assert_int_equal(pair_initiate(pair, PAIR_A, 8, 1), ERR_OK);
    pair_run(pair, 1 * SECONDS);
    assert_int_equal(pair->sides[PAIR_A].up, 2);
    assert_int_equal(pair->sides[PAIR_B].asked_keys, 1);
    pair_free(pair);
}

static void rekey(struct pair *pair, unsigned side)
{
    struct v2_sa *sa = only_sa(pair, side);
    ike_timer_set(pair->sides[side].ike, &sa->expiry, pair->now);
}

static void assert_ike_agrees(const struct pair *pair)
{
    const struct v2_sa *a = only_sa(pair, PAIR_A), *b = only_sa(pair, PAIR_B);
    assert_memory_equal(a->own_spi, b->peer_spi, IKE2_SPI_LEN);
    assert_memory_equal(a->peer_spi, b->own_spi, IKE2_SPI_LEN);
    assert_memory_equal(&a->keys, &b->keys, sizeof(a->keys));
    assert_one(pair);
}

static void test_rekey_ike_either(void **state)
{
    (void)state;
    for (unsigned side = 0; side < PAIR_SIDES; side++) {
        struct pair *pair = up(&v2);
        for (unsigned again = 0; again < 3; again++) {
            rekey(pair, side);
            pair_run(pair, 10 * SECONDS);
            assert_ike_agrees(pair);
        }
        assert_int_equal(pair_event(pair, side, IKE_EV_DELETE_CHILD, ticket_of(side)), ERR_OK);
        pair_run(pair, 10 * SECONDS);
        assert_int_equal(pair->sides[!side].deleted, 1);
        pair_free(pair);
    }
}

/* Section 2.8.2 */
static void test_rekey_ike_both(void **state)
{
    unsigned wins[PAIR_SIDES] = {0};
    (void)state;
    for (uint64_t seed = 0; seed < 24; seed++) {
        struct pair_options options = v2;
        options.seed = seed;
        struct pair *pair = up(&options);
        rekey(pair, PAIR_A);
        rekey(pair, PAIR_B);
        pair_run(pair, 100 * SECONDS);
        assert_ike_agrees(pair);
        wins[only_sa(pair, PAIR_A)->initiator ? PAIR_A : PAIR_B]++;
        pair_free(pair);
    }
    assert_true(wins[PAIR_A] > 0 && wins[PAIR_B] > 0);
}

static void test_rekey_ike_late(void **state)
{
    (void)state;
    for (unsigned skip = 0; skip < 3; skip++) {
        for (int64_t ms = 50; ms < 8000; ms += 450) {
            struct delay delay = {.from = PAIR_A, .skip = skip, .ms = ms};
            struct pair *pair = up(&v2);
            pair->tap = delay_one;
            pair->tap_ctx = &delay;
            rekey(pair, PAIR_A);
            rekey(pair, PAIR_B);
            pair_run(pair, 200 * SECONDS);
            assert_ike_agrees(pair);
            pair_free(pair);
        }
    }
}

/* A child is asked for, replaced or deleted while the IKE SA is being replaced by either end. */
static void test_rekey_ike_meanwhile(void **state)
{
    (void)state;
    for (unsigned who = 0; who < 4; who++) {
        unsigned replaces = who & 1, asks = who >> 1;
        struct pair *pair = up(&v2);
        rekey(pair, replaces);
        assert_int_equal(pair_initiate(pair, asks, ticket_of(asks), 0), ERR_OK);
        pair_run(pair, 100 * SECONDS);
        assert_ike_agrees(pair);
        assert_int_equal(pair->sides[asks].up, 2);
        pair_free(pair);

        pair = up(&v2);
        rekey(pair, replaces);
        assert_int_equal(pair_event(pair, asks, IKE_EV_DELETE_CHILD, ticket_of(asks)), ERR_OK);
        pair_run(pair, 100 * SECONDS);
        assert_int_equal(pair->sides[!asks].deleted, 1);
        assert_int_equal(pair_sad_count(pair, PAIR_A) + pair_sad_count(pair, PAIR_B), 0);
        assert_int_equal(ike_sas(pair, PAIR_A), 1);
        assert_int_equal(ike_sas(pair, PAIR_B), 1);
        pair_free(pair);
    }
}

/* Everything at random, with loss: in the end both ends agree. */
static bool lossy(struct pair *pair, struct pair_datagram *datagram, void *ctx)
{
    uint64_t *dice = ctx;
    (void)pair;
    *dice = *dice * UINT64_C(6364136223846793005) + 1442695040888963407u;
    datagram->at = mono_add(datagram->at, (int64_t)(*dice >> 40) % 300);
    return (*dice >> 33) % 10 < 7;
}

/* Who gave the other up, though it was only the wire, holds less than the other for a while. */
static bool anyone_gave_up(const struct pair *pair)
{
    return pair_counter(pair, PAIR_A, "gave-up") + pair_counter(pair, PAIR_B, "gave-up") != 0;
}

static void test_storm(void **state)
{
    unsigned calm = 0;
    (void)state;
    for (uint64_t seed = 0; seed < 200; seed++) {
        struct pair_options options = v2;
        uint64_t dice = seed * 77 + 1;
        options.seed = seed;
        struct pair *pair = up(&options);
        pair->tap = lossy;
        pair->tap_ctx = &dice;
        for (unsigned i = 0; i < 12; i++) {
            unsigned side = (dice >> 50) & 1;
            struct ike_sa_info info;
            if ((dice >> 51) % 3 == 0 && ike_sas(pair, side) == 1 &&
                ike_sa_info(pair->sides[side].ike, 0, &info) && info.established)
                rekey(pair, side);
            else
                (void)pair_initiate(pair, side, ticket_of(side), 0);
            pair_run(pair, (int64_t)(dice >> 45) % 3000);
        }
        pair->tap = NULL;
        pair_run(pair, 200 * SECONDS);
        assert_true(ike_sas(pair, PAIR_A) >= 1 && ike_sas(pair, PAIR_B) >= 1);
        if (!anyone_gave_up(pair)) {
            calm++;
            assert_true(pair_check_keys(pair) >= 2);
            assert_int_equal(pair_sad_count(pair, PAIR_A), pair_sad_count(pair, PAIR_B));
            assert_int_equal(pair_check_keys(pair), pair_sad_count(pair, PAIR_A));
            assert_int_equal(ike_sas(pair, PAIR_A), ike_sas(pair, PAIR_B));
        }
        pair_free(pair);
    }
    assert_true(calm > 50);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_delete),
        cmocka_unit_test(test_delete_both),
        cmocka_unit_test(test_delete_silent),
        cmocka_unit_test(test_shutdown),
        cmocka_unit_test(test_rekey_child),
        cmocka_unit_test(test_rekey_child_both),
        cmocka_unit_test(test_rekey_child_late),
        cmocka_unit_test(test_rekey_child_against_delete),
        cmocka_unit_test(test_rekey_ike),
        cmocka_unit_test(test_rekey_ike_either),
        cmocka_unit_test(test_rekey_ike_both),
        cmocka_unit_test(test_rekey_ike_late),
        cmocka_unit_test(test_rekey_ike_meanwhile),
        cmocka_unit_test(test_storm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
