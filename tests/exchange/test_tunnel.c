/*
 * Tunnels that come up as they should: all suites, both families, both roles.
 */
#include "pair.h"

static void check_up(struct pair *pair, unsigned initiator, unsigned tunnels)
{
    assert_int_equal(pair->sides[PAIR_A].up, tunnels);
    assert_int_equal(pair->sides[PAIR_B].up, tunnels);
    assert_int_equal(pair->sides[PAIR_A].failed + pair->sides[PAIR_B].failed, 0);
    assert_int_equal(pair_check_keys(pair), 2 * tunnels);
    assert_true(pair->sides[initiator].last_up.initiator);
    assert_false(pair->sides[!initiator].last_up.initiator);
}

/* OE-057, OE-058, OE-118, OE-125, OE-128, OE-179: nine messages, in the order of Figure 6. */
static void test_first_tunnel(void **state)
{
    struct pair *pair = pair_new(NULL);
    (void)state;
    assert_int_equal(pair_initiate(pair, PAIR_A, 7, 0), ERR_OK);
    assert_int_equal(pair->sides[PAIR_A].up, 0);
    pair_run(pair, 1000);
    check_up(pair, PAIR_A, 1);
    assert_true(pair->sides[PAIR_A].last_up.ticket == 7);
    assert_true(pair->sides[PAIR_B].last_up.ticket == 1001);
    assert_int_equal(pair->sent[PAIR_A], 5);
    assert_int_equal(pair->sent[PAIR_B], 4);
    assert_string_equal(pair->sides[PAIR_A].ladder,
                        "5D> 5E1< 5E2> 5E3< 5E4> 5E5< 5G1> 5G2< 5G3> ");
    assert_string_equal(pair->sides[PAIR_B].ladder,
                        "5D< 5E1> 5E2< 5E3> 5E4< 5E5> 5G1< 5G2> 5G3< ");
    struct ip_pair flow = pair_flow(pair, PAIR_B, 0);
    assert_true(ip_pair_equal(&pair->sides[PAIR_B].last_up.flow, &flow));
    pair_free(pair);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_first_tunnel),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
