/*
 * How tunnels end and how they are renewed: Deletes, re-keying, lifetimes, shutdown.
 */
#include "forge.h"

static struct pair *up_with(const struct pair_options *options)
{
    struct pair *pair = pair_new(options);
    assert_int_equal(pair_initiate(pair, PAIR_A, 7, 0), ERR_OK);
    pair_run(pair, 1000);
    assert_int_equal(pair->sides[PAIR_A].up, 1);
    assert_int_equal(pair->sides[PAIR_B].up, 1);
    return pair;
}

static uint64_t ticket_of(unsigned side)
{
    return side == PAIR_A ? 7 : 1001;
}

/* OE-082, OE-103, OE-105: one Delete each way, from whichever side. */
static void test_delete(void **state)
{
    (void)state;
    for (unsigned side = 0; side < PAIR_SIDES; side++) {
        struct pair *pair = up_with(NULL);
        unsigned sent[] = {pair->sent[PAIR_A], pair->sent[PAIR_B]};
        assert_int_equal(pair_event(pair, side, IKE_EV_DELETE_CHILD, ticket_of(side)), ERR_OK);
        assert_int_equal(pair->sides[side].deleted, 0);
        pair_run(pair, 100);
        for (unsigned i = 0; i < PAIR_SIDES; i++) {
            assert_int_equal(pair->sides[i].deleted, 1);
            assert_int_equal(pair_sad_count(pair, i), 0);
            assert_int_equal(pair->sent[i], sent[i] + 1);
            assert_true(pair->sides[i].last_deleted.ticket == ticket_of(i));
            assert_int_equal(pair->sides[i].last_deleted.spi_in.value,
                             pair->sides[i].last_up.spi_in.value);
        }
        pair_run(pair, 60000);
        assert_int_equal(pair->sent[side], sent[side] + 1);
        pair_free(pair);
    }
}

/* OE-104: both delete at once; the Deletes cross and nobody answers. */
static void test_crossed_deletes(void **state)
{
    struct pair *pair = up_with(NULL);
    unsigned sent = pair->sent[PAIR_A] + pair->sent[PAIR_B];
    (void)state;
    assert_int_equal(pair_event(pair, PAIR_A, IKE_EV_DELETE_CHILD, 7), ERR_OK);
    assert_int_equal(pair_event(pair, PAIR_B, IKE_EV_DELETE_CHILD, 1001), ERR_OK);
    pair_run(pair, 60000);
    assert_int_equal(pair->sent[PAIR_A] + pair->sent[PAIR_B], sent + 2);
    for (unsigned i = 0; i < PAIR_SIDES; i++) {
        assert_int_equal(pair->sides[i].deleted, 1);
        assert_int_equal(pair_sad_count(pair, i), 0);
    }
    pair_free(pair);
}

static bool lose_informational(struct pair *pair, struct pair_datagram *d, void *ctx)
{
    unsigned *left = ctx;
    (void)pair;
    if (!pair_is_exchange(d, ISAKMP_INFORMATIONAL) || *left == 0)
        return true;
    (*left)--;
    return false;
}

/* OE-106, OE-107: three tries ten seconds apart, then the outbound SA goes anyway. */
static void test_delete_unanswered(void **state)
{
    struct pair *pair = up_with(NULL);
    unsigned left = 1000, sent = pair->sent[PAIR_A];
    (void)state;
    pair->tap = lose_informational;
    pair->tap_ctx = &left;
    assert_int_equal(pair_event(pair, PAIR_A, IKE_EV_DELETE_CHILD, 7), ERR_OK);
    for (unsigned i = 1; i <= 3; i++) {
        assert_int_equal(pair->sent[PAIR_A], sent + i);
        assert_int_equal(pair_sad_count(pair, PAIR_A), 1); /* inbound went with the first */
        assert_int_equal(pair->sides[PAIR_A].deleted, 0);
        pair_run(pair, 9999);
        assert_int_equal(pair->sent[PAIR_A], sent + i);
        pair_run(pair, 1);
    }
    assert_int_equal(pair->sent[PAIR_A], sent + 3);
    assert_int_equal(pair_sad_count(pair, PAIR_A), 0);
    assert_int_equal(pair->sides[PAIR_A].deleted, 1);
    pair_free(pair);
}

/* A lost Delete, or a lost answer, is made good by the next try. */
static void test_delete_lossy(void **state)
{
    (void)state;
    for (unsigned lost = 1; lost < 3; lost++) {
        struct pair *pair = up_with(NULL);
        unsigned left = lost;
        pair->tap = lose_informational;
        pair->tap_ctx = &left;
        assert_int_equal(pair_event(pair, PAIR_A, IKE_EV_DELETE_CHILD, 7), ERR_OK);
        pair_run(pair, 40000);
        for (unsigned i = 0; i < PAIR_SIDES; i++) {
            assert_int_equal(pair->sides[i].deleted, 1);
            assert_int_equal(pair_sad_count(pair, i), 0);
        }
        pair_free(pair);
    }
}

/* Deletes for what never was, or isn't the peer's, change nothing and get no answer (OE-104). */
static void test_delete_unknown(void **state)
{
    struct pair *pair = up_with(NULL);
    struct ike *a = pair->sides[PAIR_A].ike;
    struct pair_side *b = &pair->sides[PAIR_B];
    (void)state;
    unsigned sent = pair->sent[PAIR_B];
    const spi_t spis[] = {{0}, {0x31337}, b->last_up.spi_in};
    info_send_delete_children(a, a->all[0], SA_ESP, spis, 3);
    pair_drain(pair, PAIR_A);
    pair_run(pair, 60000);
    assert_int_equal(pair->sent[PAIR_B], sent);
    assert_int_equal(pair_counter(pair, PAIR_B, "delete-for-unknown-sa"), 3);
    assert_int_equal(pair_sad_count(pair, PAIR_B), 2);
    pair_free(pair);
}

/* OE-108, OE-109: the new SAs first, both alive for a while, then the old ones go on both sides. */
static void test_rekey(void **state)
{
    (void)state;
    for (unsigned side = 0; side < PAIR_SIDES; side++) {
        struct pair *pair = up_with(NULL);
        spi_t old = pair->sides[PAIR_A].last_up.spi_in;
        assert_int_equal(pair_initiate(pair, side, ticket_of(side), 0), ERR_OK);
        pair->sides[!side].ticket = ticket_of(!side);
        pair_run(pair, 500);
        for (unsigned i = 0; i < PAIR_SIDES; i++) {
            assert_int_equal(pair->sides[i].up, 2);
            assert_int_equal(pair_sad_count(pair, i), 4);
        }
        assert_int_equal(pair_check_keys(pair), 4);
        assert_true(pair->sides[PAIR_A].last_up.spi_in.value != old.value);
        pair_run(pair, 5000);
        for (unsigned i = 0; i < PAIR_SIDES; i++) {
            assert_int_equal(pair_sad_count(pair, i), 2);
            assert_int_equal(pair->sides[i].deleted, 0); /* the tunnel is still there */
        }
        assert_int_equal(pair_check_keys(pair), 2);
        /* And the ticket still deletes what is left. */
        assert_int_equal(pair_event(pair, side, IKE_EV_DELETE_CHILD, ticket_of(side)), ERR_OK);
        pair_run(pair, 100);
        assert_int_equal(pair->sides[PAIR_A].deleted, 1);
        assert_int_equal(pair->sides[PAIR_B].deleted, 1);
        assert_int_equal(pair_sad_count(pair, PAIR_A) + pair_sad_count(pair, PAIR_B), 0);
        pair_free(pair);
    }
}

/* A re-key that fails leaves the tunnel as it was. */
static void test_rekey_refused(void **state)
{
    struct pair *pair = up_with(NULL);
    (void)state;
    pair->sides[PAIR_B].refuse = true;
    assert_int_equal(pair_initiate(pair, PAIR_A, 7, 0), ERR_OK);
    pair_run(pair, 60000);
    assert_int_equal(pair->sides[PAIR_A].failed, 1);
    assert_int_equal(pair->sides[PAIR_A].last_failed.failure, IKE_FAILURE_REFUSED);
    for (unsigned i = 0; i < PAIR_SIDES; i++)
        assert_int_equal(pair_sad_count(pair, i), 2);
    assert_int_equal(pair->sides[PAIR_B].failed, 0);
    pair_free(pair);
}

/* Both re-key at the same moment, again and again: always at least one tunnel, never a leak. */
static void test_simultaneous_rekey(void **state)
{
    (void)state;
    for (int64_t lag = 0; lag < 60; lag += 4) {
        struct pair *pair = up_with(NULL);
        for (unsigned round = 0; round < 4; round++) {
            assert_int_equal(pair_initiate(pair, round % 2, ticket_of(round % 2), 0), ERR_OK);
            pair_run(pair, lag);
            assert_int_equal(pair_initiate(pair, !(round % 2), ticket_of(!(round % 2)), 0), ERR_OK);
            pair->sides[PAIR_A].ticket = 7;
            for (unsigned i = 0; i < 400; i++) {
                pair_run(pair, 10);
                assert_true(pair_sad_count(pair, PAIR_A) >= 2);
                assert_true(pair_sad_count(pair, PAIR_B) >= 2);
            }
            pair_run(pair, 40000);
            assert_in_range(pair_check_keys(pair), 2, 4);
        }
        assert_int_equal(pair->sides[PAIR_A].failed + pair->sides[PAIR_B].failed, 0);
        assert_int_equal(pair->sides[PAIR_A].deleted + pair->sides[PAIR_B].deleted, 0);
        pair_free(pair);
    }
}

/* OE-083, OE-084: the phase 1 SA ends with a Delete at its lifetime; the tunnel stays, and the next
 * request makes a new one. */
static void test_phase1_lifetime(void **state)
{
    const struct pair_options options = {.config = {.ike_lifetime_s = 100}};
    struct pair *pair = up_with(&options);
    (void)state;
    pair_run(pair, 98000);
    assert_int_equal(pair->sides[PAIR_A].ike->all_count, 1);
    pair_run(pair, 2000);
    assert_int_equal(pair->sides[PAIR_A].ike->all_count, 0);
    assert_int_equal(pair->sides[PAIR_B].ike->all_count, 0);
    assert_int_equal(pair_check_keys(pair), 2);
    assert_int_equal(pair->sides[PAIR_A].deleted, 0);
    assert_int_equal(pair_initiate(pair, PAIR_A, 8, 1), ERR_OK);
    pair_run(pair, 1000);
    assert_int_equal(pair->sides[PAIR_A].up, 2);
    /* A new SA with the same proven key may delete the tunnel that the old one made. */
    assert_int_equal(pair_event(pair, PAIR_A, IKE_EV_DELETE_CHILD, 7), ERR_OK);
    pair_run(pair, 100);
    assert_int_equal(pair->sides[PAIR_B].deleted, 1);
    assert_int_equal(pair->sides[PAIR_A].deleted, 1);
    pair_free(pair);
}

/* OE-084: the phase 1 SA is over, and either end, or both at once, wants to replace the tunnel: a new
 * phase 1 SA is made for it by who wants it, and the tunnel is there all the time. */
static void test_phase1_renewed(void **state)
{
    const struct pair_options options = {.config = {.ike_lifetime_s = 100}};
    (void)state;
    for (unsigned who = 1; who <= 3; who++) {
        struct pair *pair = up_with(&options);
        struct pair_side *a = &pair->sides[PAIR_A], *b = &pair->sides[PAIR_B];
        pair_run(pair, 100000);
        assert_int_equal(a->ike->all_count + b->ike->all_count, 0);
        a->ticket = 7;
        if (who & 1)
            assert_int_equal(pair_initiate(pair, PAIR_A, 7, 0), ERR_OK);
        if (who & 2)
            assert_int_equal(pair_initiate(pair, PAIR_B, b->ticket, 0), ERR_OK);
        for (unsigned i = 0; i < 600; i++) {
            pair_run(pair, 100);
            assert_in_range(pair_check_keys(pair), 2, 6);
        }
        assert_int_equal(a->ike->all_count, who == 3 ? 2 : 1); /* phase 1 SAs that cross both stay */
        assert_int_equal(b->ike->all_count, a->ike->all_count);
        assert_true(a->up >= 2 && b->up >= 2);
        assert_int_equal(a->failed + b->failed + a->deleted + b->deleted, 0);
        pair_free(pair);
    }
}

/* The responder keeps to the shorter lifetime that it was offered. */
static void test_phase1_lifetime_offered(void **state)
{
    struct pair *pair = pair_new(NULL);
    struct ike_sa_info info;
    (void)state;
    pair->sides[PAIR_A].ike->config.ike_lifetime_s = 100000;
    pair->sides[PAIR_B].ike->config.ike_lifetime_s = 50;
    assert_int_equal(pair_initiate(pair, PAIR_A, 7, 0), ERR_OK);
    pair_run(pair, 1000);
    assert_true(ike_sa_info(pair->sides[PAIR_B].ike, 0, &info));
    assert_int_equal(mono_since(info.expires, info.since), 50000);
    pair_free(pair);
}

/* OE-194: a full table makes room with the oldest SA that nothing uses, and says so; one that
 * carries a tunnel stays. */
static void test_phase1_limit(void **state)
{
    struct pair *pair = up_with(NULL);
    struct ike *b = pair->sides[PAIR_B].ike;
    (void)state;
    b->sa_limit = 1;
    pair->sides[PAIR_A].peer_keys[0] = 2;
    pair->sides[PAIR_B].key = 2;
    assert_int_equal(pair_initiate(pair, PAIR_A, 8, 1), ERR_OK);
    pair_run(pair, 30000);
    assert_int_equal(pair->sides[PAIR_A].failed, 1);
    assert_true(pair_counter(pair, PAIR_B, "limit") > 0);
    assert_int_equal(pair_event(pair, PAIR_A, IKE_EV_DELETE_CHILD, 7), ERR_OK);
    pair_run(pair, 60000);
    assert_int_equal(pair_initiate(pair, PAIR_A, 9, 1), ERR_OK);
    pair_run(pair, 1000);
    assert_int_equal(pair->sides[PAIR_A].up, 2);
    assert_int_equal(b->all_count, 1);
    assert_int_equal(pair->sides[PAIR_A].ike->all_count, 1); /* it heard the Delete */
    pair_free(pair);
}

/* Without a phase 1 SA there is nobody to tell: the tunnel just goes. */
static void test_delete_without_phase1(void **state)
{
    struct pair *pair = up_with(NULL);
    (void)state;
    ike_sa_free(pair->sides[PAIR_A].ike, pair->sides[PAIR_A].ike->all[0]);
    unsigned sent = pair->sent[PAIR_A];
    assert_int_equal(pair_event(pair, PAIR_A, IKE_EV_DELETE_CHILD, 7), ERR_OK);
    assert_int_equal(pair->sides[PAIR_A].deleted, 1);
    assert_int_equal(pair_sad_count(pair, PAIR_A), 0);
    assert_int_equal(pair->sent[PAIR_A], sent);
    pair_free(pair);
}

/* A child that nobody deletes goes after its hard lifetime. */
static void test_child_lifetime(void **state)
{
    const struct pair_options options = {.config = {.child_lifetime_s = 60}};
    struct pair *pair = up_with(&options);
    (void)state;
    pair_run(pair, 60000);
    assert_int_equal(pair->sides[PAIR_A].deleted, 0);
    pair_run(pair, 30000);
    for (unsigned i = 0; i < PAIR_SIDES; i++) {
        assert_int_equal(pair->sides[i].deleted, 1);
        assert_int_equal(pair_sad_count(pair, i), 0);
    }
    pair_free(pair);
}

/* OE-173, OE-174: every peer is told, requests under way fail, nothing new is answered. */
static void test_shutdown(void **state)
{
    struct pair *pair = up_with(NULL);
    (void)state;
    assert_int_equal(pair_initiate(pair, PAIR_A, 8, 1), ERR_OK);
    assert_int_equal(pair_event(pair, PAIR_A, IKE_EV_SHUTDOWN, 0), ERR_OK);
    assert_int_equal(pair->sides[PAIR_A].failed, 1);
    assert_int_equal(pair->sides[PAIR_A].deleted, 1);
    assert_int_equal(pair_sad_count(pair, PAIR_A), 0);
    pair_run(pair, 1000);
    assert_int_equal(pair->sides[PAIR_B].deleted, 1);
    assert_int_equal(pair->sides[PAIR_B].ike->all_count, 0);
    unsigned sent = pair->sent[PAIR_A];
    assert_int_equal(pair_initiate(pair, PAIR_B, 9, 2), ERR_OK);
    pair_run(pair, 60000);
    assert_int_equal(pair->sent[PAIR_A], sent);
    assert_true(pair_counter(pair, PAIR_A, "shutting-down") > 0);
    assert_int_equal(pair->sides[PAIR_B].last_failed.failure, IKE_FAILURE_SILENT);
    assert_int_equal(pair_sad_count(pair, PAIR_B), 0);
    pair_free(pair);
}

/* The first Informational, or all but the last, come long after the others. */
static bool delay_first(struct pair *pair, struct pair_datagram *d, void *ctx)
{
    unsigned *left = ctx;
    (void)pair;
    if (pair_is_exchange(d, ISAKMP_INFORMATIONAL) && d->from == PAIR_A && *left > 0) {
        (*left)--;
        d->at.ms += 700;
    }
    return true;
}

/* OE-173: the end of the IKE SA overtakes the Deletes of what was made under it; the peer still hears of all. */
static void test_shutdown_overtakes(void **state)
{
    (void)state;
    for (unsigned told = 0; told <= 2; told++) {
        struct pair *pair = up_with(NULL);
        unsigned left = told;
        assert_int_equal(pair_initiate(pair, PAIR_A, 8, 1), ERR_OK);
        pair_run(pair, 1000);
        assert_int_equal(pair->sides[PAIR_B].up, 2);
        pair->tap = delay_first;
        pair->tap_ctx = &left;
        for (uint64_t ticket = 7; ticket < 7 + told; ticket++)
            assert_int_equal(pair_event(pair, PAIR_A, IKE_EV_DELETE_CHILD, ticket), ERR_OK);
        assert_int_equal(pair_event(pair, PAIR_A, IKE_EV_SHUTDOWN, 0), ERR_OK);
        pair_run(pair, 500);
        assert_int_equal(left, 0);
        assert_int_equal(pair->sides[PAIR_B].deleted, 2);
        assert_int_equal(pair_sad_count(pair, PAIR_B), 0);
        assert_int_equal(pair->sides[PAIR_B].ike->all_count, 0);
        pair_run(pair, 60000);
        assert_int_equal(pair->sides[PAIR_B].deleted, 2);
        pair_free(pair);
    }
}

/* More children than one Delete holds. */
static void test_shutdown_many(void **state)
{
    enum { MANY = 300 };
    struct pair *pair = up_with(NULL);
    (void)state;
    for (unsigned i = 1; i < MANY; i++) {
        pair->sides[PAIR_B].ticket = 1001 + i;
        assert_int_equal(pair_initiate(pair, PAIR_A, 7 + i, i), ERR_OK);
        pair_run(pair, 200);
    }
    assert_int_equal(pair->sides[PAIR_B].up, MANY);
    assert_int_equal(pair_event(pair, PAIR_A, IKE_EV_SHUTDOWN, 0), ERR_OK);
    pair_run(pair, 1000);
    assert_int_equal(pair->sides[PAIR_B].deleted, MANY);
    assert_int_equal(pair_sad_count(pair, PAIR_B), 0);
    pair_free(pair);
}

/* Shutdown at every moment of an exchange. */
static void test_shutdown_midway(void **state)
{
    (void)state;
    for (int64_t at = 0; at < 100; at += 5) {
        for (unsigned side = 0; side < PAIR_SIDES; side++) {
            struct pair *pair = pair_new(NULL);
            assert_int_equal(pair_initiate(pair, PAIR_A, 7, 0), ERR_OK);
            pair_run(pair, at);
            assert_int_equal(pair_event(pair, side, IKE_EV_SHUTDOWN, 0), ERR_OK);
            pair_run(pair, 60000);
            assert_int_equal(pair_sad_count(pair, PAIR_A) + pair_sad_count(pair, PAIR_B), 0);
            assert_true(mono_is_never(ike_next_deadline(pair->sides[side].ike)));
            pair_free(pair);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_delete),
        cmocka_unit_test(test_crossed_deletes),
        cmocka_unit_test(test_delete_unanswered),
        cmocka_unit_test(test_delete_lossy),
        cmocka_unit_test(test_delete_unknown),
        cmocka_unit_test(test_rekey),
        cmocka_unit_test(test_rekey_refused),
        cmocka_unit_test(test_simultaneous_rekey),
        cmocka_unit_test(test_phase1_lifetime),
        cmocka_unit_test(test_phase1_renewed),
        cmocka_unit_test(test_phase1_lifetime_offered),
        cmocka_unit_test(test_phase1_limit),
        cmocka_unit_test(test_delete_without_phase1),
        cmocka_unit_test(test_child_lifetime),
        cmocka_unit_test(test_shutdown),
        cmocka_unit_test(test_shutdown_overtakes),
        cmocka_unit_test(test_shutdown_many),
        cmocka_unit_test(test_shutdown_midway),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
