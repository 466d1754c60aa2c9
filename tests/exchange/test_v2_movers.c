/*
 * What thousands of peers that move at once (tests/sim/movers.c) ran into, each by itself: answers to a check that
 * somebody rewrites or that are lost, a check that has to wait while its peer goes on, and requests that outlive a
 * move. By MOBIKE; the draft's part is in test_v2_addrmgmt.c.
 */
#include "addr_rig.h"

#define A "192.1.1.4"
#define B "192.1.1.5"
#define FORGED "203.0.113.66"

static struct rig *mobike_up(void)
{
    struct rig *rig = rig_new(NULL);
    for (unsigned s = 0; s < PAIR_SIDES; s++)
        rig->profiles[s].addrmgmt = rig->profiles[s].mobike_off = false;
    RIG_HAVE(rig, PAIR_A, A);
    RIG_HAVE(rig, PAIR_B, B);
    rig_child(rig, 0);
    for (unsigned s = 0; s < PAIR_SIDES; s++) {
        assert_non_null(rig_sa(rig, s)->mobike);
        assert_false(rig_sa(rig, s)->mobike->draft);
    }
    return rig;
}

static bool is_to(const struct pair_datagram *d, const char *text)
{
    const struct ip_addr addr = rig_addr(text);
    return ip_addr_equal(&d->target.addr, &addr);
}

static bool forge_answers(struct rig *rig, struct pair_datagram *d)
{
    unsigned *left = rig->ctx;
    bool answers = d->from == PAIR_A && d->octets[18] == IKE2_INFORMATIONAL &&
                   (d->octets[19] & IKE2_FLAG_RESPONSE) != 0;
    if (answers && *left > 0) {
        (*left)--;
        d->source.addr = rig_addr(FORGED);
    }
    return !is_to(d, FORGED);
}

static void assert_nothing_at(const struct rig *rig, const char *text)
{
    const struct ip_addr addr = rig_addr(text);
    for (size_t i = 0; i < PAIR_SAD_MAX; i++)
        assert_false(ip_addr_equal(&rig->pair->sides[PAIR_B].sad[i].moved.addr, &addr));
}

/* Answers to the check come from elsewhere: one, as many as are asked for again, and more, after which the SA is
 * back where it was until the peer is next heard of. It is found at its new address every time. */
static void test_forged_answers(void **state)
{
    (void)state;
    for (unsigned forged = 1; forged <= 4; forged++) {
        struct rig *rig = mobike_up();
        unsigned left = forged;
        rig->tap = forge_answers;
        rig->ctx = &left;
        rig_kill(rig, A);
        RIG_HAVE(rig, PAIR_A, "192.1.1.14");
        rig_run(rig, 1 * SECONDS);
        assert_nothing_at(rig, FORGED);
        if (forged < 3)
            rig_assert_at(rig, "192.1.1.14", B);
        rig_run(rig, 60 * SECONDS);
        assert_int_equal(left, 0);
        rig_assert_at(rig, "192.1.1.14", B);
        rig_free(rig);
    }
}

static bool lose_answers(struct rig *rig, struct pair_datagram *d)
{
    unsigned *left = rig->ctx;
    bool loses = d->from == PAIR_A && d->octets[18] == IKE2_INFORMATIONAL &&
                 (d->octets[19] & IKE2_FLAG_RESPONSE) != 0 && *left > 0;
    *left -= loses;
    return !loses;
}

/* As many answers to the check are lost as the new address alone is asked for: the old one is asked too then, but not
 * for good. */
static void test_lost_answers(void **state)
{
    struct rig *rig = mobike_up();
    unsigned left = V2_VIA_TRIES;
    (void)state;
    rig->tap = lose_answers;
    rig->ctx = &left;
    rig_kill(rig, A);
    RIG_HAVE(rig, PAIR_A, "192.1.1.14");
    rig_run(rig, 20 * SECONDS);
    assert_int_equal(left, 0);
    rig_assert_at(rig, "192.1.1.14", B);
    rig_free(rig);
}

static unsigned went_to_left;

static bool lose_children(struct rig *rig, struct pair_datagram *d)
{
    (void)rig;
    return d->octets[18] != IKE2_CREATE_CHILD_SA;
}

static bool watch_left(struct rig *rig, struct pair_datagram *d)
{
    (void)rig;
    went_to_left += is_to(d, "192.1.1.14");
    return true;
}

/* A second move while the check of the first stands in line behind a request that is unanswered: what is asked when
 * its turn comes is whether the peer is where it is now. */
static void test_check_in_line(void **state)
{
    const struct traffic_pair traffic = rig_traffic(PAIR_B, 1);
    struct rig *rig = mobike_up();
    (void)state;
    rig->tap = lose_children;
    rig->pair->sides[PAIR_A].ticket = TICKET + 1;
    assert_int_equal(pair_initiate_profile(rig->pair, PAIR_B, TICKET + 1, PROFILE, &traffic), ERR_OK);
    RIG_HAVE(rig, PAIR_A, "192.1.1.14");
    rig_run(rig, 3 * PAIR_LATENCY_MS);
    const struct v2_sa *b = rig_sa(rig, PAIR_B);
    assert_true(b->mobike->checking);
    assert_int_equal(b->waiting_count, 1);
    rig_kill(rig, "192.1.1.14");
    RIG_HAVE(rig, PAIR_A, "192.1.1.24");
    rig_run(rig, 3 * PAIR_LATENCY_MS);
    assert_true(b->mobike->checking);
    assert_int_equal(b->waiting_count, 1);
    went_to_left = 0;
    rig->tap = watch_left;
    rig_run(rig, 5 * SECONDS);
    assert_int_equal(went_to_left, 0);
    assert_int_equal(rig->pair->sides[PAIR_B].up, 2);
    rig_assert_at(rig, "192.1.1.24", B);
    rig_free(rig);
}

/* ADR-038: a request that was about to be given up when the peer moves, and whose first copy to the new address is
 * lost: it is said there again soon, and as long as a new one. */
static void test_begins_anew(void **state)
{
    const struct traffic_pair traffic = rig_traffic(PAIR_B, 1);
    struct rig *rig = mobike_up();
    (void)state;
    rig->tap = lose_children;
    rig->pair->sides[PAIR_A].ticket = TICKET + 1;
    assert_int_equal(pair_initiate_profile(rig->pair, PAIR_B, TICKET + 1, PROFILE, &traffic), ERR_OK);
    rig_run(rig, 4500);
    assert_int_equal(rig_sa(rig, PAIR_B)->mine->state, V2_C_I_WAIT_REPLY);
    RIG_HAVE(rig, PAIR_A, "192.1.1.14");
    rig_run(rig, 3 * PAIR_LATENCY_MS);
    rig->tap = NULL;
    rig_run(rig, 2 * SECONDS);
    assert_int_equal(rig->pair->sides[PAIR_B].up, 2);
    rig_run(rig, 10 * SECONDS);
    rig_assert_at(rig, "192.1.1.14", B);
    rig_free(rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_forged_answers),
        cmocka_unit_test(test_lost_answers),
        cmocka_unit_test(test_check_in_line),
        cmocka_unit_test(test_begins_anew),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
