/*
 * Public-key operations made elsewhere (ike/defer.h): answers that come late, in another order, undone
 * or never, while the exchange that waits for them is repeated, cancelled, deleted or shut down.
 */
#include "pair.h"

#include <stdlib.h>

static const enum ike_version versions[] = {IKE_VERSION_1, IKE_VERSION_2};
enum { VERSIONS = 2, TICKET = 7, STEP_MS = 10, STAGES_MAX = 16 };

static struct pair *begin(enum ike_version version)
{
    const struct pair_options options = {.config = {.work_elsewhere = true}, .version = version};
    struct pair *pair = pair_new(&options);
    for (unsigned s = 0; s < PAIR_SIDES; s++)
        pair->sides[s].queue_work = true;
    return pair;
}

static void let_work(struct pair *pair, bool last_first)
{
    for (unsigned s = 0; s < PAIR_SIDES; s++)
        while (pair->sides[s].work_count != 0)
            (void)pair_work(pair, s, last_first ? pair->sides[s].work_count - 1 : 0);
}

/* Whatever is asked for is made at once from now on. */
static void run_on(struct pair *pair, int64_t ms)
{
    for (int64_t at = 0; at < ms; at += STEP_MS) {
        let_work(pair, false);
        pair_run(pair, STEP_MS);
    }
    let_work(pair, false);
}

static void check_nothing_left(struct pair *pair)
{
    for (unsigned s = 0; s < PAIR_SIDES; s++) {
        const struct ike *ike = pair->sides[s].ike;
        assert_int_equal(ike->work_out, 0);
        assert_int_equal(ike->work_strangers, 0);
        for (size_t i = 0; i < IKE_UNPROVEN_SLOTS; i++)
            assert_int_equal(ike->work_from[i], 0);
    }
    assert_int_equal(pair_check_keys(pair), pair_sad_count(pair, PAIR_A));
    assert_int_equal(pair_sad_count(pair, PAIR_A), pair_sad_count(pair, PAIR_B));
}

/* Each answer comes so late that the peer has repeated what is at work. */
static void test_late(void **state)
{
    (void)state;
    for (unsigned v = 0; v < VERSIONS; v++) {
        struct pair *pair = begin(versions[v]);
        assert_int_equal(pair_initiate(pair, PAIR_A, TICKET, 0), ERR_OK);
        for (unsigned n = 0; n < STAGES_MAX; n++) {
            pair_run(pair, 1700);
            let_work(pair, false);
        }
        for (unsigned s = 0; s < PAIR_SIDES; s++) {
            assert_int_equal(pair->sides[s].up, 1);
            assert_in_range(pair->sides[s].asked_work, 1, STAGES_MAX);
            assert_int_equal(pair_counter(pair, s, "public-key-work"), pair->sides[s].asked_work);
        }
        assert_true(pair_counter(pair, PAIR_B, "duplicate") >= 2);
        assert_int_equal(pair_check_keys(pair), 2);
        check_nothing_left(pair);
        pair_free(pair);
    }
}

/* Three at once, each looking for other keys, so that each is an IKE SA of its own; the last that was
 * asked for comes first. */
static void test_reordered(void **state)
{
    (void)state;
    for (unsigned v = 0; v < VERSIONS; v++) {
        struct pair *pair = begin(versions[v]);
        struct pair_side *a = &pair->sides[PAIR_A];
        for (unsigned n = 0; n < 3; n++) {
            a->peer_keys[1] = n + 2;
            a->peer_key_count = n == 0 ? 1 : 2;
            assert_int_equal(pair_initiate(pair, PAIR_A, TICKET + n, n), ERR_OK);
        }
        for (unsigned n = 0; n < 2 * STAGES_MAX; n++) {
            pair_run(pair, 60);
            let_work(pair, true);
        }
        assert_int_equal(a->up, 3);
        assert_int_equal(pair_sad_count(pair, PAIR_A), 6);
        check_nothing_left(pair);
        pair_free(pair);
    }
}

/* Until `side` has asked for the nth public-key operation, all others being made at once; false: it
 * never does. */
static bool run_to(struct pair *pair, unsigned side, unsigned nth)
{
    for (int64_t at = 0; at < 3000; at += STEP_MS) {
        while (pair->sides[!side].work_count != 0)
            (void)pair_work(pair, !side, 0);
        while (pair->sides[side].asked_work < nth && pair->sides[side].work_count != 0)
            (void)pair_work(pair, side, 0);
        if (pair->sides[side].asked_work == nth && pair->sides[side].work_count == 1)
            return true;
        pair_run(pair, STEP_MS);
    }
    return false;
}

typedef void interruption(struct pair *pair, unsigned side);

/* At each operation of either side, of either version. */
static void everywhere(interruption *interrupt)
{
    for (unsigned v = 0; v < VERSIONS; v++) {
        for (unsigned side = 0; side < PAIR_SIDES; side++) {
            unsigned nth = 0;
            bool reached = true;
            while (reached) {
                struct pair *pair = begin(versions[v]);
                assert_int_equal(pair_initiate(pair, PAIR_A, TICKET, 0), ERR_OK);
                reached = run_to(pair, side, ++nth);
                if (reached)
                    interrupt(pair, side);
                pair_free(pair);
            }
            assert_true(nth > 1);
        }
    }
}

static void cancel(struct pair *pair, unsigned side)
{
    uint64_t stale = pair_counter(pair, side, "stale-answer");
    assert_int_equal(pair_event(pair, PAIR_A, IKE_EV_CANCEL, TICKET), ERR_OK);
    (void)pair_work(pair, side, 0);
    /* Main Mode goes on, for others who might want it; everything else is over. */
    if (pair->version == IKE_VERSION_2 && side == PAIR_A)
        assert_int_equal(pair_counter(pair, side, "stale-answer") - stale, 1);
    run_on(pair, 60000);
    assert_int_equal(pair->sides[PAIR_A].up + pair->sides[PAIR_A].failed, 0);
    assert_int_equal(pair_sad_count(pair, PAIR_A), 0);
    assert_int_equal(pair_sad_count(pair, PAIR_B), 0);
    check_nothing_left(pair);
}

static void test_cancelled(void **state)
{
    (void)state;
    everywhere(cancel);
}

/* The other end says goodbye, or is just gone, while the work is out. */
static void peer_ends(struct pair *pair, unsigned side)
{
    assert_int_equal(pair_event(pair, !side, IKE_EV_SHUTDOWN, 0), ERR_OK);
    pair_run(pair, 100);
    if (pair->sides[side].work_count != 0)
        (void)pair_work(pair, side, 0);
    run_on(pair, 60000);
    assert_int_equal(pair->sides[side].up, pair->sides[side].deleted);
    assert_int_equal(pair_sad_count(pair, PAIR_A) + pair_sad_count(pair, PAIR_B), 0);
    check_nothing_left(pair);
}

static void test_peer_ends(void **state)
{
    (void)state;
    everywhere(peer_ends);
}

static void shut_down(struct pair *pair, unsigned side)
{
    assert_int_equal(pair_event(pair, side, IKE_EV_SHUTDOWN, 0), ERR_OK);
    assert_int_equal(pair_work(pair, side, 0), ERR_UNKNOWN);
    assert_int_equal(pair_counter(pair, side, "stale-answer"), 1);
    assert_int_equal(pair->sides[side].ike->work_out, 0);
    assert_int_equal(pair_sad_count(pair, side), 0);
    run_on(pair, 60000);
    assert_int_equal(pair_sad_count(pair, !side), 0);
}

static void test_shut_down(void **state)
{
    (void)state;
    everywhere(shut_down);
}

/* Neither answered nor given back: pair_free() frees engine and work, in that order. */
static void leave(struct pair *pair, unsigned side)
{
    assert_int_equal(pair->sides[side].ike->work_out, 1);
}

static void test_left(void **state)
{
    (void)state;
    everywhere(leave);
}

/* It never comes: the exchange gives up in time, and what comes later is stale. */
static void never(struct pair *pair, unsigned side)
{
    pair_run(pair, 90000);
    assert_int_equal(pair->sides[PAIR_A].up, 0);
    assert_true(pair->sides[PAIR_A].failed == 1);
    while (pair->sides[PAIR_A].work_count + pair->sides[PAIR_B].work_count != 0)
        let_work(pair, false);
    assert_true(pair_counter(pair, side, "stale-answer") >= 1);
    assert_int_equal(pair_sad_count(pair, PAIR_A) + pair_sad_count(pair, PAIR_B), 0);
}

static void test_never(void **state)
{
    (void)state;
    everywhere(never);
}

/* Nobody has time: the request is not answered, and its repetition is taken up afresh; or what can't
 * be tried again fails, and is reported. */
static void no_time(struct pair *pair, unsigned side)
{
    bool strangers_first = side == PAIR_B && pair->sides[PAIR_B].asked_work == 1;
    pair->sides[side].no_work = true;
    assert_int_equal(pair_work(pair, side, 0), ERR_LIMIT);
    pair->sides[side].no_work = false;
    run_on(pair, 60000);
    if (strangers_first)
        assert_int_equal(pair->sides[PAIR_A].up, 1);
    assert_int_equal(pair->sides[PAIR_A].up + pair->sides[PAIR_A].failed, 1);
    check_nothing_left(pair);
}

static void test_no_time(void **state)
{
    (void)state;
    everywhere(no_time);
}

/* What a stranger's first message asks for is bounded, for each source and in all. */
struct caught {
    bool any;
    struct pair_datagram first;
};

static bool catch_first(struct pair *pair, struct pair_datagram *d, void *ctx)
{
    struct caught *caught = ctx;
    (void)pair;
    if (!caught->any)
        caught->first = *d;
    caught->any = true;
    return false;
}

static void strange_request(struct pair *pair, const struct caught *caught, unsigned n, bool elsewhere)
{
    struct pair_datagram d = caught->first;
    d.octets[0] ^= 0x55;
    d.octets[6] = (uint8_t)(n >> 8);
    d.octets[7] = (uint8_t)n;
    if (elsewhere)
        d.source.addr = ip_addr_v4(0x0a000000u + 0x101u * n);
    (void)pair_give(pair, &d);
}

static void test_bounds(void **state)
{
    static struct caught caught;
    struct pair *pair = begin(IKE_VERSION_2);
    struct pair_side *b = &pair->sides[PAIR_B];
    (void)state;
    caught.any = false;
    pair->tap = catch_first;
    pair->tap_ctx = &caught;
    assert_int_equal(pair_initiate(pair, PAIR_A, TICKET, 0), ERR_OK);
    let_work(pair, false);
    assert_true(caught.any);
    for (unsigned n = 0; n < 3 * IKE_WORK_EACH; n++)
        strange_request(pair, &caught, n, false);
    assert_in_range(b->work_count, 1, IKE_WORK_EACH); /* cookies are asked for before that */
    for (unsigned n = 0; n < 2 * IKE_WORK_STRANGERS; n++)
        strange_request(pair, &caught, n, true);
    assert_in_range(b->ike->work_strangers, 1, IKE_WORK_STRANGERS);
    assert_int_equal(b->ike->work_out, b->work_count);
    let_work(pair, false);
    check_nothing_left(pair);
    pair_free(pair);
}

/* IKEv1: who has brought the cookie back goes on to message 3, in so many at a time. */
static void test_bound_each(void **state)
{
    struct pair *pair = begin(IKE_VERSION_1);
    struct pair_side *a = &pair->sides[PAIR_A], *b = &pair->sides[PAIR_B];
    (void)state;
    for (unsigned n = 0; n < 2 * IKE_WORK_EACH; n++) {
        a->peer_key_count = 1 + n % (PAIR_KEYS - 2);
        for (unsigned k = 0; k < a->peer_key_count; k++)
            a->peer_keys[k] = (1 + n / (PAIR_KEYS - 2) + k) % (PAIR_KEYS - 1);
        assert_int_equal(pair_initiate(pair, PAIR_A, TICKET + n, n), ERR_OK);
    }
    for (unsigned n = 0; n < 10; n++) {
        while (a->work_count != 0)
            (void)pair_work(pair, PAIR_A, 0);
        pair_run(pair, STEP_MS);
    }
    assert_int_equal(b->work_count, IKE_WORK_EACH);
    assert_true(pair_counter(pair, PAIR_B, "too-much-public-key-work") >= 1);
    run_on(pair, 60000);
    assert_true(a->up >= 1); /* those with the right key among theirs */
    assert_int_equal(a->up + a->failed, 2 * IKE_WORK_EACH);
    check_nothing_left(pair);
    pair_free(pair);
}

/* A new child under an IKE SA that is up: its public-key operations are those of a known peer. */
static struct pair *second_child(unsigned side)
{
    struct pair *pair = begin(IKE_VERSION_2);
    assert_int_equal(pair_initiate(pair, PAIR_A, TICKET, 0), ERR_OK);
    run_on(pair, 2000);
    assert_int_equal(pair->sides[PAIR_A].up, 1);
    unsigned asked = pair->sides[side].asked_work;
    assert_int_equal(pair_initiate(pair, PAIR_A, TICKET + 1, 1), ERR_OK);
    assert_true(run_to(pair, side, asked + 1));
    assert_true(ike_work_urgent(pair->sides[side].works[0].work));
    return pair;
}

static void test_deleted(void **state)
{
    struct pair *pair = second_child(PAIR_A);
    (void)state;
    peer_ends(pair, PAIR_A);
    pair_free(pair);
    /* The other child goes while this one is being made. */
    pair = second_child(PAIR_B);
    assert_int_equal(pair_event(pair, PAIR_A, IKE_EV_DELETE_CHILD, TICKET), ERR_OK);
    pair_run(pair, 100);
    run_on(pair, 5000);
    assert_int_equal(pair->sides[PAIR_A].up, 2);
    assert_int_equal(pair->sides[PAIR_B].deleted, 1);
    assert_int_equal(pair_check_keys(pair), 2);
    check_nothing_left(pair);
    pair_free(pair);
}

/* The peer deletes what our work in hand is about to complete: in that order. */
static void test_in_order(void **state)
{
    struct pair *pair = second_child(PAIR_A);
    struct pair_side *a = &pair->sides[PAIR_A], *b = &pair->sides[PAIR_B];
    (void)state;
    assert_int_equal(pair_event(pair, PAIR_B, IKE_EV_DELETE_CHILD, b->ticket), ERR_OK);
    pair_run(pair, 20 * PAIR_LATENCY_MS);
    assert_int_equal(pair_counter(pair, PAIR_A, "behind-public-key-work"), 1);
    run_on(pair, 5000);
    assert_int_equal(a->up, 1); /* the second is gone before it is up here */
    assert_int_equal(a->deleted, 1);
    assert_int_equal(a->failed, 1);
    assert_int_equal(pair_sad_count(pair, PAIR_A), 0);
    check_nothing_left(pair);
    pair_free(pair);
}

/* Anything else of the peer's is answered while our request is being made. */
static void test_others_go_on(void **state)
{
    struct pair *pair = begin(IKE_VERSION_2);
    struct pair_side *b = &pair->sides[PAIR_B];
    (void)state;
    assert_int_equal(pair_initiate(pair, PAIR_A, TICKET, 0), ERR_OK);
    run_on(pair, 2000);
    unsigned asked = b->asked_work;
    assert_int_equal(pair_initiate(pair, PAIR_A, TICKET + 1, 1), ERR_OK);
    assert_true(run_to(pair, PAIR_B, asked + 1)); /* the peer's request, at B */
    assert_int_equal(pair_event(pair, PAIR_B, IKE_EV_DELETE_CHILD, b->ticket), ERR_OK);
    pair_run(pair, 20 * PAIR_LATENCY_MS);
    assert_int_equal(b->work_count, 1);
    assert_int_equal(b->deleted, 1);
    assert_int_equal(pair->sides[PAIR_A].deleted, 1);
    run_on(pair, 5000);
    check_nothing_left(pair);
    pair_free(pair);
}

/* Both ends replace the IKE SA, all of whose public-key operations come late. */
static void test_rekeyed(void **state)
{
    const struct pair_options options = {
        .config = {.work_elsewhere = true, .ike_lifetime_s = 600}, .version = IKE_VERSION_2};
    struct pair *pair = pair_new(&options);
    (void)state;
    assert_int_equal(pair_initiate(pair, PAIR_A, TICKET, 0), ERR_OK);
    pair_run(pair, 2000);
    uint64_t number = pair->sides[PAIR_A].ike->v2.all[0]->number;
    for (unsigned s = 0; s < PAIR_SIDES; s++)
        pair->sides[s].queue_work = true;
    for (unsigned n = 0; n < 1200; n++) {
        pair_run(pair, 700);
        let_work(pair, n % 2 != 0);
    }
    run_on(pair, 5000);
    for (unsigned s = 0; s < PAIR_SIDES; s++) {
        assert_int_equal(pair->sides[s].ike->v2.all_count, 1);
        assert_int_equal(pair->sides[s].up, 1);
        assert_int_equal(pair->sides[s].deleted, 0);
    }
    assert_true(pair->sides[PAIR_A].ike->v2.all[0]->number != number);
    check_nothing_left(pair);
    pair_free(pair);
}

/* A forged answer to IKE_SA_INIT whose value is no good: the true one is still taken. */
static void test_forged_answer(void **state)
{
    static struct caught caught;
    struct pair *pair = begin(IKE_VERSION_2);
    struct pair_side *a = &pair->sides[PAIR_A];
    (void)state;
    assert_int_equal(pair_initiate(pair, PAIR_A, TICKET, 0), ERR_OK);
    let_work(pair, false);
    pair_run(pair, PAIR_LATENCY_MS);
    caught.any = false;
    pair->tap = catch_first;
    pair->tap_ctx = &caught;
    let_work(pair, false); /* the answer is caught */
    assert_true(caught.any);
    pair->tap = NULL;
    struct pair_datagram forged = caught.first;
    struct ike2_payloads payloads;
    uint8_t critical;
    assert_int_equal(ike2_payloads_parse(forged.octets[16], view_of(forged.octets + 28, forged.len - 28),
                                         &payloads, &critical),
                     ERR_OK);
    const struct ike2_payload *ke = ike2_payload_find(&payloads, IKE2_P_KE, 0);
    assert_non_null(ke);
    memset(forged.octets + (ke->body.ptr - forged.octets) + 4, 0, ke->body.len - 4);
    assert_int_equal(pair_give(pair, &forged), ERR_OK);
    assert_int_equal(a->work_count, 1);
    assert_int_equal(pair_give(pair, &caught.first), ERR_REPLAY); /* one at a time */
    assert_int_equal(pair_work(pair, PAIR_A, 0), ERR_VALUE);
    assert_int_equal(pair_give(pair, &caught.first), ERR_OK);
    run_on(pair, 5000);
    assert_int_equal(a->up, 1);
    check_nothing_left(pair);
    pair_free(pair);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_late),        cmocka_unit_test(test_reordered),
        cmocka_unit_test(test_cancelled),   cmocka_unit_test(test_peer_ends),
        cmocka_unit_test(test_shut_down),   cmocka_unit_test(test_left),
        cmocka_unit_test(test_never),       cmocka_unit_test(test_no_time),
        cmocka_unit_test(test_bounds),      cmocka_unit_test(test_bound_each),
        cmocka_unit_test(test_deleted),     cmocka_unit_test(test_others_go_on),
        cmocka_unit_test(test_in_order),
        cmocka_unit_test(test_rekeyed),     cmocka_unit_test(test_forged_answer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
