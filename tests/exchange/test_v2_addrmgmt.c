/*
 * Address management by draft-dupont-ikev2-addrmgmt-06 between two engines: how it is agreed on, hand-overs
 * of all kinds, what each message carries, and the SAs that stay behind. Those who would abuse it are in
 * test_v2_addrmgmt_hostile.c.
 */
#include "addr_rig.h"

#define A "192.1.1.4"
#define B "192.1.1.5"

/* Agreement */

/* ADR-031, ADR-032: the draft where both ends have it, else MOBIKE, else addresses that stay. */
static void test_agreed(void **state)
{
    (void)state;
    static const struct {
        bool draft[PAIR_SIDES], mobike[PAIR_SIDES], is_draft, is_mobike;
    } cases[] = {
        {{true, true}, {true, true}, true, false},  {{true, false}, {true, true}, false, true},
        {{false, true}, {true, true}, false, true}, {{true, true}, {false, true}, true, false},
        {{true, false}, {false, true}, false, false}, {{false, false}, {true, true}, false, true},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct rig *rig = rig_new(NULL);
        for (unsigned s = 0; s < PAIR_SIDES; s++) {
            rig->profiles[s].addrmgmt = cases[i].draft[s];
            rig->profiles[s].mobike_off = !cases[i].mobike[s];
        }
        rig_child(rig, 0);
        for (unsigned s = 0; s < PAIR_SIDES; s++) {
            const struct v2_mobike *mobike = rig_sa(rig, s)->mobike;
            assert_int_equal(mobike != NULL, cases[i].is_draft || cases[i].is_mobike);
            if (mobike != NULL)
                assert_int_equal(mobike->draft, cases[i].is_draft);
        }
        rig_free(rig);
    }
}

/* ADR-031: what doesn't know the draft works as ever: re-keying, liveness, more children. */
static void test_without(void **state)
{
    struct rig *rig = rig_new(NULL);
    (void)state;
    rig->profiles[PAIR_B].addrmgmt = false;
    rig_child(rig, 0);
    assert_null(rig_sa(rig, PAIR_A)->mobike);
    rig_child(rig, 1);
    rig_run(rig, 60 * SECONDS);
    assert_int_equal(pair_check_keys(rig->pair), 4);
    RIG_HAVE(rig, PAIR_A, "192.1.1.14");
    rig_run(rig, 5 * SECONDS);
    assert_false(rig_saw(rig, "PEER_ADDRESS")); /* never without the Vendor ID */
    rig_free(rig);
}

/* ADR-023, ADR-043: behind a NAT, at either end, both use NAT traversal and neither the draft. */
static void test_nat(void **state)
{
    (void)state;
    for (unsigned mobike = 0; mobike < 2; mobike++) {
        struct rig *rig = rig_new(NULL);
        rig->profiles[PAIR_A].mobike_off = rig->profiles[PAIR_B].mobike_off = mobike == 0;
        rig->nat_inside = rig_addr(A);
        rig->nat_outside = rig_addr("192.1.1.99");
        rig_child(rig, 0);
        for (unsigned s = 0; s < PAIR_SIDES; s++) {
            const struct v2_sa *sa = rig_sa(rig, s);
            assert_true(sa->nat.udp);
            assert_int_equal(sa->mobike != NULL, mobike);
            if (mobike)
                assert_false(sa->mobike->draft);
        }
        rig_free(rig);
    }
}

/* ADR-104: an opportunistic peer is known by its address, and has none of this. */
static void test_stranger(void **state)
{
    const struct pair_options v2 = {.version = IKE_VERSION_2};
    struct pair *pair = pair_new(&v2);
    (void)state;
    assert_int_equal(pair_initiate(pair, PAIR_A, TICKET, 0), ERR_OK);
    pair_run(pair, 1 * SECONDS);
    assert_null(pair->sides[PAIR_A].ike->v2.all[0]->mobike);
    pair_free(pair);
}

/* ADR-006, ADR-008, ADR-028, ADR-061: the first exchanges' address is the primary; alternates come with
 * IKE_AUTH. */
static void test_sets(void **state)
{
    struct rig *rig = rig_new(NULL);
    const struct ip_addr a = rig_addr(A);
    (void)state;
    RIG_HAVE(rig, PAIR_A, A, "192.1.1.14", "10.9.9.9"); /* ADR-034: the private one isn't said */
    RIG_HAVE(rig, PAIR_B, B);
    rig_child(rig, 0);
    const struct v2_mobike *mobike = rig_sa(rig, PAIR_B)->mobike;
    assert_true(ip_addr_equal(&mobike->peer.list[0], &a));
    assert_int_equal(mobike->peer.count, 2);
    assert_true(rig_knows(rig, PAIR_B, "192.1.1.14"));
    rig_free(rig);
}

/* Hand-overs */

/* ADR-001, ADR-003, ADR-013, ADR-036, ADR-037, ADR-042, ADR-060, ADR-073, ADR-083, ADR-085: one update, the check
 * inside of it, then all SAs are at the new address with their keys and SPIs. */
static void test_replaced(void **state)
{
    struct rig *rig = rig_up(NULL);
    (void)state;
    rig_kill(rig, A);
    RIG_HAVE(rig, PAIR_A, "192.1.1.14");
    rig_run(rig, PAIR_LATENCY_MS);
    assert_int_equal(rig_sa(rig, PAIR_B)->theirs->state, V2_N_R_CHECKING); /* no answer yet */
    assert_int_equal(rig->pair->sides[PAIR_B].moves, 0);
    rig_run(rig, 3 * PAIR_LATENCY_MS);
    rig_assert_at(rig, "192.1.1.14", B);
    assert_string_equal(rig->seen,
                        "A+ 192.1.1.14>192.1.1.5 PEER_ADDRESS_SOURCE-MARK-192.1.1.14"
                        " PEER_ADDRESS_DESTINATION-MARK-192.1.1.5 PEER_ADDRESS_SOURCE-DELETE-192.1.1.4"
                        " UA/0/0 RR_COOKIE;\n"
                        "B+ 192.1.1.5>192.1.1.14 RR_COOKIE;\n"
                        "A- 192.1.1.14>192.1.1.5 RR_COOKIE;\n"
                        "B- 192.1.1.5>192.1.1.14 UA/0/0 RR_COOKIE;\n");
    assert_int_equal(pair_check_keys(rig->pair), 2);
    assert_int_equal(rig->pair->sides[PAIR_A].up, 1);
    assert_false(rig_knows(rig, PAIR_B, A)); /* ADR-062 */
    rig_run(rig, 60 * SECONDS);
    rig_assert_at(rig, "192.1.1.14", B);
    rig_free(rig);
}

/* The end that did not begin moves by the same message. */
static void test_responder(void **state)
{
    struct rig *rig = rig_up(NULL);
    (void)state;
    rig_kill(rig, B);
    RIG_HAVE(rig, PAIR_B, "192.1.1.15");
    rig_run(rig, 4 * PAIR_LATENCY_MS);
    rig_assert_at(rig, A, "192.1.1.15");
    assert_true(rig_saw(rig, "B+ 192.1.1.15>192.1.1.4 PEER_ADDRESS_SOURCE-MARK-192.1.1.15"));
    rig_free(rig);
}

/* ADR-027, ADR-061, ADR-062: pure changes of the set, each with one notification for either end at least. */
static void test_set_changes(void **state)
{
    struct rig *rig = rig_up(NULL);
    (void)state;
    RIG_HAVE(rig, PAIR_A, A, "192.1.1.14");
    rig_run(rig, 1 * SECONDS);
    assert_true(rig_saw(rig, "A+ 192.1.1.4>192.1.1.5 PEER_ADDRESS_SOURCE-MARK-192.1.1.4"
                             " PEER_ADDRESS_DESTINATION-MARK-192.1.1.5 PEER_ADDRESS_SOURCE-ADD-192.1.1.14;"));
    assert_true(rig_knows(rig, PAIR_B, "192.1.1.14"));
    RIG_HAVE(rig, PAIR_A, A);
    rig_run(rig, 1 * SECONDS);
    assert_true(rig_saw(rig, " PEER_ADDRESS_SOURCE-DELETE-192.1.1.14;"));
    assert_false(rig_knows(rig, PAIR_B, "192.1.1.14"));
    rig_assert_at(rig, A, B);
    rig_free(rig);
}

/* ADR-014: two more moves within the round trip of the first: what is overtaken counts for nothing. */
static void test_fast(void **state)
{
    (void)state;
    for (int64_t gap = 0; gap <= 30; gap += 5) {
        struct rig *rig = rig_up(NULL);
        rig_kill(rig, A);
        RIG_HAVE(rig, PAIR_A, "192.1.1.14");
        rig_run(rig, gap);
        RIG_HAVE(rig, PAIR_A, "192.1.1.24");
        rig_kill(rig, "192.1.1.14");
        rig_run(rig, gap);
        RIG_HAVE(rig, PAIR_A, "192.1.1.34");
        rig_kill(rig, "192.1.1.24");
        rig_run(rig, 12 * PAIR_LATENCY_MS); /* without a timeout in it */
        rig_assert_at(rig, "192.1.1.34", B);
        rig_free(rig);
    }
}

static bool lose_children(struct rig *rig, struct pair_datagram *d)
{
    (void)rig;
    return d->octets[18] != IKE2_CREATE_CHILD_SA;
}

/* ADR-014, ADR-035, ADR-038: a second move while the other end holds the first update open, for its check waits behind
 * a request of its own: the copy of the update from the newer address brings what is pending there, and the next
 * update is in line. */
static void test_fast_and_held(void **state)
{
    const struct traffic_pair traffic = rig_traffic(PAIR_B, 1);
    struct rig *rig = rig_up(NULL);
    (void)state;
    rig->tap = lose_children;
    rig->pair->sides[PAIR_A].ticket = TICKET + 1;
    assert_int_equal(pair_initiate_profile(rig->pair, PAIR_B, TICKET + 1, PROFILE, &traffic), ERR_OK);
    rig_kill(rig, A);
    RIG_HAVE(rig, PAIR_A, "192.1.1.14");
    rig_run(rig, 3 * PAIR_LATENCY_MS);
    const struct v2_sa *b = rig_sa(rig, PAIR_B);
    assert_int_equal(b->theirs->state, V2_N_R_CHECKING);
    assert_int_equal(b->waiting_count, 1);
    rig_kill(rig, "192.1.1.14");
    rig->tap = NULL;
    RIG_HAVE(rig, PAIR_A, "192.1.1.24");
    rig_run(rig, 4 * PAIR_LATENCY_MS); /* without a timeout in it */
    assert_int_equal(rig->pair->sides[PAIR_B].up, 2);
    rig_run(rig, 5 * SECONDS);
    rig_assert_at(rig, "192.1.1.24", B);
    rig_free(rig);
}

/* ADR-086: both ends at once, by make before break: two exchanges that cross, each done as any other. */
static void test_both(void **state)
{
    struct rig *rig = rig_up(NULL);
    (void)state;
    RIG_HAVE(rig, PAIR_A, A, "192.1.1.14");
    RIG_HAVE(rig, PAIR_B, B, "192.1.1.15");
    rig_run(rig, 1 * SECONDS);
    RIG_HAVE(rig, PAIR_A, "192.1.1.14");
    RIG_HAVE(rig, PAIR_B, "192.1.1.15");
    rig_run(rig, 10 * PAIR_LATENCY_MS);
    rig_assert_at(rig, "192.1.1.14", "192.1.1.15");
    rig_free(rig);
}

/* ADR-044: the same with both old addresses gone: trying the other's alternates finds the way. */
static void test_both_lost(void **state)
{
    struct rig *rig = rig_up(NULL);
    (void)state;
    RIG_HAVE(rig, PAIR_A, A, "192.1.1.14");
    RIG_HAVE(rig, PAIR_B, B, "192.1.1.15");
    rig_run(rig, 1 * SECONDS);
    rig_kill(rig, A);
    rig_kill(rig, B);
    RIG_HAVE(rig, PAIR_A, "192.1.1.14");
    RIG_HAVE(rig, PAIR_B, "192.1.1.15");
    rig_run(rig, 30 * SECONDS);
    rig_assert_at(rig, "192.1.1.14", "192.1.1.15");
    rig_free(rig);
}

/* ADR-020, ADR-021: an unanswered request is repeated between other addresses; the one that is answered
 * becomes the path, and ADR-053: an alternate of the peer's gets no SA before it has answered. */
static void test_fail_over(void **state)
{
    struct rig *rig = rig_new(NULL);
    (void)state;
    RIG_HAVE(rig, PAIR_A, A);
    RIG_HAVE(rig, PAIR_B, B, "192.1.1.15");
    rig_child(rig, 0);
    rig_kill(rig, B);
    rig_run(rig, 15 * SECONDS);
    rig_assert_at(rig, A, "192.1.1.15");
    assert_true(rig_saw(rig, "PEER_ADDRESS_DESTINATION-MARK-192.1.1.15"));
    rig->dead_count = 0;
    rig_run(rig, 90 * SECONDS);
    rig_assert_at(rig, A, B);
    rig_free(rig);
}

/* ADR-038: what was pending is repeated to the new address before that has been checked. */
static void test_pending(void **state)
{
    struct rig *rig = rig_up(NULL);
    const struct traffic_pair traffic = rig_traffic(PAIR_B, 1);
    (void)state;
    rig_kill(rig, A);
    rig->pair->sides[PAIR_A].ticket = TICKET + 1;
    assert_int_equal(pair_initiate_profile(rig->pair, PAIR_B, TICKET + 1, PROFILE, &traffic), ERR_OK);
    rig_run(rig, 100); /* lost */
    const struct v2_sa *b = rig_sa(rig, PAIR_B);
    assert_int_equal(b->mine->state, V2_C_I_WAIT_REPLY);
    RIG_HAVE(rig, PAIR_A, "192.1.1.14");
    rig_run(rig, PAIR_LATENCY_MS); /* the update is there */
    assert_true(b->mobike->checking);
    assert_int_equal(rig->pair->sides[PAIR_A].up, 1);
    rig_run(rig, 2 * PAIR_LATENCY_MS);
    assert_int_equal(rig->pair->sides[PAIR_B].up, 2); /* before any retransmission timer */
    rig_run(rig, 10 * PAIR_LATENCY_MS);
    rig_assert_at(rig, "192.1.1.14", B);
    rig_free(rig);
}

/* ADR-010, ADR-045: when an address is checked is policy. */
static void test_policy(void **state)
{
    static const enum address_check policies[] = {ADDRESS_CHECK_UNPROVED, ADDRESS_CHECK_ALWAYS,
                                                  ADDRESS_CHECK_NEVER};
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        const struct ike_config config = {.address_check = policies[i]};
        struct rig *rig = rig_up(&config);
        RIG_HAVE(rig, PAIR_A, "192.1.1.14");
        rig_run(rig, 1 * SECONDS);
        assert_int_equal(rig_saw(rig, "B+ 192.1.1.5>192.1.1.14 RR_COOKIE"),
                         policies[i] != ADDRESS_CHECK_NEVER);
        rig->seen[0] = '\0';
        RIG_HAVE(rig, PAIR_A, A); /* where it was before */
        rig_run(rig, 1 * SECONDS);
        assert_int_equal(rig_saw(rig, "B+ 192.1.1.5>192.1.1.4 RR_COOKIE"),
                         policies[i] == ADDRESS_CHECK_ALWAYS);
        rig_assert_at(rig, A, B);
        rig_free(rig);
    }
}

/* SAs by name */

/* ADR-015, ADR-066, ADR-068, ADR-069, ADR-074, ADR-085: a child that is bound to its addresses stays behind,
 * and the others are named, by the SPIs that their sender receives under; the answer names the pairs. */
static void test_named(void **state)
{
    struct rig *rig = rig_up(NULL);
    (void)state;
    rig_child(rig, 1);
    rig_child(rig, 2);
    rig->stays[PAIR_A] = rig_traffic(PAIR_A, 1);
    rig->profiles[PAIR_A].stay_count = 1;
    RIG_HAVE(rig, PAIR_A, "192.1.1.14");
    rig_run(rig, 1 * SECONDS);
    assert_true(rig_saw(rig, "MARK-192.1.1.5 PEER_ADDRESS_SOURCE-DELETE-192.1.1.4 U/0/0 U/1/2 RR_COOKIE;"));
    assert_true(rig_saw(rig, "B- 192.1.1.5>192.1.1.14 U/0/0 U/1/2 RR_COOKIE;"));
    assert_true(rig_child_at(rig, 0, "192.1.1.14", B));
    assert_true(rig_child_at(rig, 1, A, B));
    assert_true(rig_child_at(rig, 2, "192.1.1.14", B));
    rig_free(rig);
}

/* ADR-024, ADR-085: the same at the end that follows: what it binds stays where all is to move, and its answer
 * tells. */
static void test_bound_there(void **state)
{
    struct rig *rig = rig_up(NULL);
    (void)state;
    rig_child(rig, 1);
    rig->stays[PAIR_B] = rig_traffic(PAIR_B, 1);
    rig->profiles[PAIR_B].stay_count = 1;
    RIG_HAVE(rig, PAIR_A, "192.1.1.14");
    rig_run(rig, 1 * SECONDS);
    assert_true(rig_saw(rig, " UA/0/0 RR_COOKIE;"));
    assert_true(rig_saw(rig, "B- 192.1.1.5>192.1.1.14 U/0/0 U/1/1 RR_COOKIE;"));
    assert_true(rig_child_at(rig, 0, "192.1.1.14", B));
    assert_int_equal(rig_entry(rig, PAIR_B, false, 1)->moved.addr.family, IP_NONE);
    rig_free(rig);
}

/* ADR-011, ADR-012, ADR-013, ADR-016: a mobile node and its home agent. The IKE SA is between the care-of
 * address and the agent; the child for signalling has the home address as its selector and stays as it
 * is through two hand-overs, the tunnel for everything else follows the care-of address. */
static void test_home_agent(void **state)
{
    struct rig *rig = rig_up(NULL);
    struct ip_prefix home;
    (void)state;
    assert_true(ip_prefix_parse("192.1.9.1/32", &home));
    struct traffic_pair signalling = rig_traffic(PAIR_A, 1);
    signalling.local.net = home;
    rig->stays[PAIR_A] = signalling;
    rig->profiles[PAIR_A].stay_count = 1;
    rig->pair->sides[PAIR_B].ticket = TICKET + 1;
    assert_int_equal(pair_initiate_profile(rig->pair, PAIR_A, TICKET + 1, PROFILE, &signalling), ERR_OK);
    rig_run(rig, 1 * SECONDS);
    const struct ike_child *child;
    static const char *const care_of[] = {"192.1.1.14", "192.1.1.24"};
    for (unsigned i = 0; i < 2; i++) {
        RIG_HAVE(rig, PAIR_A, care_of[i]);
        rig_run(rig, 1 * SECONDS);
        assert_true(rig_child_at(rig, 0, care_of[i], B));
        for (unsigned s = 0; s < PAIR_SIDES; s++)
            LIST_FOREACH (child, &rig_sa(rig, s)->children, of_v2_sa) {
                const struct traffic *at_a = s == PAIR_A ? &child->traffic.local : &child->traffic.remote;
                bool signals = ip_addr_equal(&at_a->net.addr, &home.addr);
                assert_int_equal(child->here.addr.family == IP_NONE, signals);
            }
    }
    assert_int_equal(rig_sa(rig, PAIR_B)->mobike->moves, 2);
    rig_free(rig);
}

/* ADR-067: children of both protocols, a payload for each. */
static void test_protocols(void **state)
{
    struct rig *rig = rig_up(NULL);
    (void)state;
    rig->profiles[PAIR_A].ah = rig->profiles[PAIR_B].ah = true;
    rig_child(rig, 1);
    rig->profiles[PAIR_A].ah = rig->profiles[PAIR_B].ah = false;
    rig_child(rig, 2);
    rig->stays[PAIR_A] = rig_traffic(PAIR_A, 2);
    rig->profiles[PAIR_A].stay_count = 1;
    RIG_HAVE(rig, PAIR_A, "192.1.1.14");
    rig_run(rig, 1 * SECONDS);
    assert_true(rig_saw(rig, " U/0/0 U/1/1 U/2/1 RR_COOKIE;"));
    assert_true(rig_saw(rig, "B- 192.1.1.5>192.1.1.14 U/0/0 U/1/1 U/2/1 RR_COOKIE;"));
    assert_true(rig_child_at(rig, 0, "192.1.1.14", B));
    assert_true(rig_child_at(rig, 1, "192.1.1.14", B));
    assert_true(rig_child_at(rig, 2, A, B));
    rig_free(rig);
}

/* ADR-084, ADR-080, ADR-082: a child alone moves, both SAs of the pair, and the IKE SA stays. */
static void test_child_alone(void **state)
{
    struct rig *rig = rig_up(NULL);
    struct rig_forged f;
    (void)state;
    rig_child(rig, 1);
    spi_t spi = rig_entry(rig, PAIR_B, false, 1)->params.spi;
    const uint8_t octets[4] = {(uint8_t)(spi.value >> 24), (uint8_t)(spi.value >> 16),
                               (uint8_t)(spi.value >> 8), (uint8_t)spi.value};
    rig_forge(rig, PAIR_A, &f);
    rig_add_address(&f, ADDRMGMT_N_PEER_ADDRESS_SOURCE, ADDRMGMT_MARK, "192.1.1.14");
    rig_add_address(&f, ADDRMGMT_N_PEER_ADDRESS_DESTINATION, ADDRMGMT_MARK, B);
    rig_add_update(&f, &(struct addrmgmt_update){.protocol = ADDRMGMT_ESP, .count = 1, .spis = view_of(octets, 4)});
    (void)rig_send(rig, &f, "192.1.1.14");
    rig_run(rig, 1 * SECONDS);
    assert_true(rig_saw(rig, "B- 192.1.1.5>192.1.1.14 U/1/1;"));
    const struct ip_addr to = rig_addr("192.1.1.14"), ike = rig_addr(A);
    for (int inbound = 0; inbound < 2; inbound++) {
        assert_true(ip_addr_equal(&rig_entry(rig, PAIR_B, inbound, 1)->moved.addr, &to));
        assert_int_equal(rig_entry(rig, PAIR_B, inbound, 0)->moved.addr.family, IP_NONE);
    }
    assert_true(ip_addr_equal(&rig_sa(rig, PAIR_B)->path.remote.addr, &ike));
    rig_free(rig);
}

/* ADR-039, ADR-040, ADR-041, ADR-052, ADR-075, ADR-076: rules follow, unless either end forbids it. */
static void test_rules(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 4; i++) {
        struct rig *rig = rig_up(NULL);
        rig->profiles[PAIR_A].policy_stays = (i & 1) != 0;
        rig->profiles[PAIR_B].policy_stays = (i & 2) != 0;
        RIG_HAVE(rig, PAIR_A, "192.1.1.14");
        rig_run(rig, 1 * SECONDS);
        assert_true(rig_saw(rig, (i & 1) != 0 ? " UAO/0/0" : " UA/0/0"));
        for (int inbound = 0; inbound < 2; inbound++) {
            assert_int_equal(rig_entry(rig, PAIR_A, inbound, 0)->policy_stays, (i & 1) != 0);
            assert_int_equal(rig_entry(rig, PAIR_B, inbound, 0)->policy_stays, i != 0);
        }
        rig_free(rig);
    }
}

/* ADR-005, ADR-019, ADR-027, ADR-028: a child made after a move is where the IKE SA is, and its message says
 * between which addresses that is. */
static void test_new_child(void **state)
{
    struct rig *rig = rig_up(NULL);
    (void)state;
    rig_kill(rig, A);
    RIG_HAVE(rig, PAIR_A, "192.1.1.14");
    rig_run(rig, 1 * SECONDS);
    rig->pair->sides[PAIR_A].addr.addr = rig_addr("192.1.1.14");
    rig_child(rig, 1);
    rig_assert_at(rig, "192.1.1.14", B);
    rig_free(rig);
}

/* Re-keying and restarts */

static void test_rekeyed(void **state)
{
    (void)state;
    for (unsigned side = 0; side < PAIR_SIDES; side++) {
        const struct ike_config config = {.ike_lifetime_s = 100};
        struct rig *rig = rig_up(&config);
        rig_kill(rig, A);
        RIG_HAVE(rig, PAIR_A, "192.1.1.14");
        rig_run(rig, 120 * SECONDS);
        rig_assert_at(rig, "192.1.1.14", B);
        assert_true(rig_sa(rig, PAIR_B)->mobike->draft);
        RIG_HAVE(rig, side, side == PAIR_A ? "192.1.1.24" : "192.1.1.15");
        rig_run(rig, 5 * SECONDS);
        rig_assert_at(rig, side == PAIR_A ? "192.1.1.24" : "192.1.1.14",
                      side == PAIR_A ? B : "192.1.1.15");
        rig_free(rig);
    }
}

static void test_resumed(void **state)
{
    (void)state;
    for (unsigned side = 0; side < PAIR_SIDES; side++) {
        struct rig *rig = rig_up(NULL);
        RIG_HAVE(rig, PAIR_A, A, "192.1.1.14");
        rig_run(rig, 1 * SECONDS);
        RIG_HAVE(rig, PAIR_A, "192.1.1.14");
        rig_run(rig, 5 * SECONDS);
        pair_crash(rig->pair, side, true);
        rig_run(rig, 1 * SECONDS);
        assert_true(rig_sa(rig, side)->mobike->draft);
        if (side == PAIR_B)
            RIG_HAVE(rig, PAIR_B, B);
        RIG_HAVE(rig, PAIR_A, "192.1.1.24");
        rig_run(rig, 5 * SECONDS);
        rig_assert_at(rig, "192.1.1.24", B);
        assert_false(rig_knows(rig, PAIR_B, "192.1.1.14"));
        rig_free(rig);
    }
}

/* ADR-050, ADR-051: moved behind a NAT. The addresses disagree, the peer says so, and a new IKE SA with NAT
 * traversal takes over; where that is ruled out the old one stays as it was. */
static void test_behind_nat(void **state)
{
    (void)state;
    for (unsigned off = 0; off < 2; off++) {
        const struct ike_config config = {.nat = off ? IKE_NAT_OFF : IKE_NAT_AUTO};
        struct rig *rig = rig_up(&config);
        rig->nat_inside = rig_addr("192.1.7.7");
        rig->nat_outside = rig_addr("192.1.1.99");
        RIG_HAVE(rig, PAIR_A, "192.1.7.7");
        rig_run(rig, 2 * SECONDS);
        assert_true(rig_saw(rig, "ADDRESS_REFUSED-MARK-192.1.1.99"));
        assert_int_equal(rig->pair->sides[PAIR_A].deleted, off ? 0 : 1);
        assert_int_equal(rig->pair->sides[PAIR_B].deleted, off ? 0 : 1);
        if (!off) {
            rig->pair->sides[PAIR_A].addr.addr = rig_addr("192.1.7.7");
            rig_child(rig, 0);
            assert_true(rig_sa(rig, PAIR_A)->nat.udp && rig_sa(rig, PAIR_A)->nat.here);
        }
        rig_free(rig);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_agreed),     cmocka_unit_test(test_without),
        cmocka_unit_test(test_nat),        cmocka_unit_test(test_stranger),
        cmocka_unit_test(test_sets),       cmocka_unit_test(test_replaced),
        cmocka_unit_test(test_responder),  cmocka_unit_test(test_set_changes),
        cmocka_unit_test(test_fast),       cmocka_unit_test(test_both), cmocka_unit_test(test_fast_and_held),
        cmocka_unit_test(test_both_lost),  cmocka_unit_test(test_fail_over),
        cmocka_unit_test(test_pending),    cmocka_unit_test(test_policy),
        cmocka_unit_test(test_named),      cmocka_unit_test(test_home_agent), cmocka_unit_test(test_bound_there),
        cmocka_unit_test(test_protocols),  cmocka_unit_test(test_child_alone),
        cmocka_unit_test(test_rules),      cmocka_unit_test(test_new_child),
        cmocka_unit_test(test_rekeyed),    cmocka_unit_test(test_resumed),
        cmocka_unit_test(test_behind_nat),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
