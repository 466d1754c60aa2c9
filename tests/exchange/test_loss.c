/*
 * The network misbehaves: each single datagram of an exchange is lost, doubled, late or damaged.
 */
#include "pair.h"

enum { DATAGRAMS = 9 }; /* of one tunnel: six of Main Mode, three of Quick Mode */

enum mischief { LOSE, DOUBLE, DELAY, DAMAGE, DOUBLE_LATE };

struct plan {
    enum mischief mischief;
    unsigned target; /* which datagram, in order of sending */
    unsigned seen;
    size_t octet; /* DAMAGE: which, from the end */
    uint8_t mask;
};

static bool disturb(struct pair *pair, struct pair_datagram *d, void *ctx)
{
    struct plan *plan = ctx;
    if (plan->seen++ != plan->target)
        return true;
    switch (plan->mischief) {
    case LOSE:
        return false;
    case DOUBLE:
        pair->wire[pair->wire_count++] = *d;
        return true;
    case DOUBLE_LATE:
        pair->wire[pair->wire_count] = *d;
        pair->wire[pair->wire_count++].at.ms += 45;
        return true;
    case DELAY:
        d->at.ms += 700; /* beyond the first retransmission */
        return true;
    case DAMAGE:
        d->octets[d->len - 1 - plan->octet % d->len] ^= plan->mask;
        return true;
    }
    return true;
}

static struct pair *run_plan(struct plan *plan, int64_t ms)
{
    struct pair *pair = pair_new(NULL);
    pair->tap = disturb;
    pair->tap_ctx = plan;
    assert_int_equal(pair_initiate(pair, PAIR_A, 7, 0), ERR_OK);
    pair_run(pair, ms);
    return pair;
}

static void check_one_tunnel(const struct pair *pair)
{
    for (unsigned i = 0; i < PAIR_SIDES; i++) {
        assert_int_equal(pair->sides[i].up, 1);
        assert_int_equal(pair->sides[i].failed, 0);
        assert_int_equal(pair_sad_count(pair, i), 2);
    }
    assert_int_equal(pair_check_keys(pair), 2);
}

static void test_each_lost(void **state)
{
    (void)state;
    for (unsigned i = 0; i < DATAGRAMS; i++) {
        struct plan plan = {.mischief = LOSE, .target = i};
        struct pair *pair = run_plan(&plan, 1500);
        check_one_tunnel(pair);
        pair_free(pair);
    }
}

/* A duplicate is answered as before or dropped; no work is done twice. */
static void test_each_doubled(void **state)
{
    static const enum mischief kinds[] = {DOUBLE, DOUBLE_LATE, DELAY};
    (void)state;
    for (unsigned kind = 0; kind < 3; kind++) {
        for (unsigned i = 0; i < DATAGRAMS; i++) {
            struct plan plan = {.mischief = kinds[kind], .target = i};
            struct pair *pair = run_plan(&plan, 5000);
            check_one_tunnel(pair);
            assert_int_equal(pair->sides[PAIR_B].asked_keys, 1);
            assert_int_equal(pair->sides[PAIR_B].asked_authorization, 1);
            assert_int_equal(pair->sides[PAIR_A].asked_signature, 1);
            assert_int_equal(pair->sides[PAIR_B].asked_signature, 1);
            assert_in_range(pair->sent[PAIR_A] + pair->sent[PAIR_B], DATAGRAMS, DATAGRAMS + 5);
            /* An initiator is quiet about doubled replies, or they would multiply. */
            if (kinds[kind] != DELAY && (i == 1 || i == 3 || i == 5))
                assert_int_equal(pair->sent[PAIR_A] + pair->sent[PAIR_B], DATAGRAMS);
            pair_free(pair);
        }
    }
}

/* The first of each message is lost, and the second too: the wait doubles. */
static bool lose_first_two(struct pair *pair, struct pair_datagram *d, void *ctx)
{
    unsigned *counts = ctx;
    (void)pair;
    /* Messages of one kind are told apart by exchange, direction and length. */
    return ++counts[(d->octets[18] * 31 + d->from * 7 + d->len) % 1024] > 2;
}

static void test_lossy_everywhere(void **state)
{
    unsigned counts[1024] = {0};
    struct pair *pair = pair_new(NULL);
    (void)state;
    pair->tap = lose_first_two;
    pair->tap_ctx = counts;
    assert_int_equal(pair_initiate(pair, PAIR_A, 7, 0), ERR_OK);
    pair_run(pair, 60000);
    check_one_tunnel(pair);
    pair_free(pair);
}

/*
 * A damaged datagram never makes a tunnel that differs at its ends. Damage under encryption is just
 * a loss; before it, what the signatures cover makes the exchange fail, never succeed wrongly.
 */
static void test_each_damaged(void **state)
{
    (void)state;
    for (unsigned i = 0; i < DATAGRAMS; i++) {
        for (size_t octet = 0; octet < 700; octet += 13) {
            struct plan plan = {.mischief = DAMAGE,
                                .target = i,
                                .octet = octet,
                                .mask = (uint8_t)(1u << octet % 8)};
            struct pair *pair = run_plan(&plan, 60000);
            struct pair_side *a = &pair->sides[PAIR_A];
            assert_int_equal(a->up + a->failed, 1);
            assert_int_equal(pair_check_keys(pair), 2 * a->up);
            assert_int_equal(pair_sad_count(pair, PAIR_B), 2 * a->up);
            if (i == 4 || i >= 6)
                check_one_tunnel(pair); /* encrypted */
            if (i == 5 && a->failed)
                assert_int_equal(a->last_failed.failure, IKE_FAILURE_SIGNATURE);
            pair_free(pair);
        }
    }
}

static bool lose_all(struct pair *pair, struct pair_datagram *d, void *ctx)
{
    const unsigned *from = ctx;
    (void)d;
    return pair->sent[PAIR_A] + pair->sent[PAIR_B] <= *from;
}

/* OE-060, OE-061, OE-063: silence from some message on. In phase 1 that is failure 1, in phase 2
 * failure 2; nothing is left behind at either end. */
static void test_silence(void **state)
{
    (void)state;
    for (unsigned from = 0; from < 8; from++) {
        const struct pair_options options = {.config = {.give_up_ms = 7000}};
        struct pair *pair = pair_new(&options);
        pair->tap = lose_all;
        pair->tap_ctx = &from;
        assert_int_equal(pair_initiate(pair, PAIR_A, 7, 0), ERR_OK);
        pair_run(pair, 6500);
        assert_int_equal(pair->sides[PAIR_A].failed, 0);
        pair_run(pair, 60000);
        assert_int_equal(pair->sides[PAIR_A].failed, 1);
        assert_int_equal(pair->sides[PAIR_A].last_failed.failure,
                         from < 6 ? IKE_FAILURE_SILENT : IKE_FAILURE_REFUSED);
        for (unsigned i = 0; i < PAIR_SIDES; i++) {
            assert_int_equal(pair_sad_count(pair, i), 0);
            assert_int_equal(pair->sides[i].up, 0);
        }
        assert_int_equal(pair->sides[PAIR_B].failed, from == 7); /* it had been authorized */
        pair_free(pair);
    }
}

/* Runs until A has sent so many datagrams; milliseconds. */
static int64_t run_until_sent(struct pair *pair, unsigned sent, int64_t most_ms)
{
    int64_t ms = 0;
    for (; pair->sent[PAIR_A] < sent && ms < most_ms; ms++)
        pair_run(pair, 1);
    assert_int_equal(pair->sent[PAIR_A], sent);
    return ms;
}

/* 500 ms, then 1 s, 2 s, 4 s, 8 s, each up to a quarter longer: five repetitions within 20 s. Two that
 * begin together don't go on together. */
static void test_backoff(void **state)
{
    int64_t first[2];
    (void)state;
    for (unsigned run = 0; run < 2; run++) {
        struct pair *pair = pair_new(NULL);
        unsigned from = 0;
        int64_t all = 0;
        pair->tap = lose_all;
        pair->tap_ctx = &from;
        pair->sides[PAIR_A].rng_state += run;
        assert_int_equal(pair_initiate(pair, PAIR_A, 7, 0), ERR_OK);
        for (unsigned i = 0; i < 5; i++) {
            int64_t wait = run_until_sent(pair, i + 2, 20000);
            assert_in_range(wait, 500 << i, 625 << i);
            if (i == 0)
                first[run] = wait;
            all += wait;
        }
        pair_run(pair, 19999 - all);
        assert_int_equal(pair->sides[PAIR_A].failed, 0);
        pair_run(pair, 1);
        assert_int_equal(pair->sides[PAIR_A].failed, 1);
        assert_int_equal(pair->sent[PAIR_A], 6);
        pair_run(pair, 60000);
        assert_int_equal(pair->sent[PAIR_A], 6);
        assert_true(mono_is_never(ike_next_deadline(pair->sides[PAIR_A].ike)));
        pair_free(pair);
    }
    assert_int_not_equal(first[0], first[1]);
}

/* The peer restarted and lost everything: the old phase 1 SA is given up and a new one made. */
static void test_forgetful_peer(void **state)
{
    struct pair *pair = pair_new(NULL);
    (void)state;
    assert_int_equal(pair_initiate(pair, PAIR_A, 1, 0), ERR_OK);
    pair_run(pair, 1000);
    pair_crash(pair, PAIR_B, false);
    for (unsigned n = 2; n < 5; n++)
        assert_int_equal(pair_initiate(pair, PAIR_A, n, n), ERR_OK);
    pair_run(pair, 10000);
    assert_int_equal(pair->sides[PAIR_A].up, 4);
    assert_int_equal(pair->sides[PAIR_A].failed, 0);
    pair_free(pair);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_lost),        cmocka_unit_test(test_each_doubled),
        cmocka_unit_test(test_lossy_everywhere), cmocka_unit_test(test_each_damaged),
        cmocka_unit_test(test_silence),          cmocka_unit_test(test_backoff),
        cmocka_unit_test(test_forgetful_peer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
