/* Sections 3.2.7, 3.2.8, 3.4 and 9.3: aging, teardown, restarts, limits. */
#include "oe_cases.h"

static int64_t next_check_ms(const struct rig *rig, uint64_t ticket)
{
    struct oe_instance_info info;
    assert_true(rig_info(rig, ticket, &info));
    return mono_since(info.next_check, rig->now);
}

/* OE-010, OE-095, OE-075, OE-076, OE-079, OE-097, OE-098: a minute, then 20 minutes, if used in the last half. */
static void test_keyed_ages(void **state)
{
    (void)state;
    struct rig rig;
    rig_open(&rig, OE_PERMISSIVE);
    uint64_t ticket = rig_to_keyed(&rig);
    assert_int_equal(next_check_ms(&rig, ticket), 60000);
    rig_advance(&rig, 60000);
    const struct oe_effect *fx = rig_expect(&rig, OE_FX_LAST_USE_QUERY);
    struct ip_pair flow = rig_flow(ALICE, BOB);
    assert_true(ip_pair_equal(&fx->flow, &flow));
    assert_int_equal(fx->spi_in.value, 0x1001);
    rig_expect_state(&rig, ticket, OE_ST_EXPIRING);
    rig_last_use(&rig, ticket, 30000);
    rig_expect_none(&rig); /* OE-080 */
    rig_expect_state(&rig, ticket, OE_ST_KEYED);
    assert_int_equal(next_check_ms(&rig, ticket), 1200000);
    rig_advance(&rig, 1200000);
    rig_expect(&rig, OE_FX_LAST_USE_QUERY);
    rig_last_use(&rig, ticket, 600001);
    rig_expect(&rig, OE_FX_POLICY_REMOVE);
    assert_int_equal(rig_expect(&rig, OE_FX_IKE_DELETE)->ticket, ticket);
    rig_expect_state(&rig, ticket, OE_ST_EXPIRED);
    /* OE-081, OE-082: gone once ike is done; a new datagram begins anew at once. */
    uint64_t second = rig_to_potential(&rig);
    assert_int_not_equal(second, ticket);
    rig_child_deleted(&rig, ticket, 0x1001, 0x2001);
    rig_expect_state(&rig, ticket, OE_ST_NONEXISTENT);
    rig_expect_state(&rig, second, OE_ST_POTENTIAL);
    rig_close(&rig);
}

/* The first minute's last half ends at 30 s; "never used" counts as idle (OE-099). */
static void test_idle_boundary(void **state)
{
    (void)state;
    static const struct {
        int64_t idle_ms;
        bool ends;
    } cases[] = {{0, false}, {30000, false}, {30001, true}, {-1, true}};
    for (size_t i = 0; i < CHECK_COUNT(cases); i++) {
        struct rig rig;
        rig_open(&rig, OE_PERMISSIVE);
        uint64_t ticket = rig_to_expiring(&rig, rig_to_settled(&rig));
        rig_last_use(&rig, ticket, cases[i].idle_ms);
        if (cases[i].ends)
            rig_expect(&rig, OE_FX_POLICY_REMOVE);
        rig_expect_none(&rig);
        rig_expect_state(&rig, ticket, cases[i].ends ? OE_ST_NONEXISTENT : OE_ST_CLEAR);
        rig_close(&rig);
    }
}

/* A Delete that ike never reports does not keep the instance. */
static void test_delete_unanswered(void **state)
{
    (void)state;
    struct rig rig;
    rig_open(&rig, OE_PERMISSIVE);
    uint64_t ticket = rig_to_expiring(&rig, rig_to_keyed(&rig));
    rig_last_use(&rig, ticket, -1);
    rig_expect(&rig, OE_FX_POLICY_REMOVE);
    rig_expect(&rig, OE_FX_IKE_DELETE);
    rig_advance(&rig, 40000);
    rig_expect_state(&rig, ticket, OE_ST_NONEXISTENT);
    rig_close(&rig);
}

/* OE-045: in use, clear and deny last; no other event moves them. */
static void test_settled_ages(void **state)
{
    (void)state;
    static const enum oe_class_kind classes[] = {OE_PERMISSIVE, OE_PARANOID};
    for (size_t i = 0; i < 2; i++) {
        struct rig rig;
        enum oe_state want = i == 0 ? OE_ST_CLEAR : OE_ST_DENY;
        rig_open(&rig, classes[i]);
        uint64_t ticket = rig_to_settled(&rig);
        rig_child_failed(&rig, ticket, IKE_FAILURE_REFUSED);
        rig_input(&rig, (struct oe_event){.kind = OE_EV_HINT, .peer = test_addr(SG_B)});
        rig_expire(&rig, ticket, true, 0x2001);
        rig_expect_state(&rig, ticket, want);
        rig_to_expiring(&rig, ticket);
        rig_acquire(&rig);
        rig_expect_policy(&rig, i == 0 ? OE_VERDICT_PASS : OE_VERDICT_DENY);
        rig_last_use(&rig, ticket, 0);
        rig_expect_none(&rig);
        rig_expect_state(&rig, ticket, want);
        /* The answer of 1000 s is 60 s old; a clear flow is looked at when it ends (OE-077). */
        assert_int_equal(next_check_ms(&rig, ticket), i == 0 ? 940000 : 1200000);
        rig_close(&rig);
    }
}

/* A plane that does not answer is no reason to take anything down. */
static void test_last_use_unanswered(void **state)
{
    (void)state;
    for (int way = 0; way < 3; way++) {
        struct rig rig;
        rig_open(&rig, way == 1 ? OE_PARANOID : OE_PERMISSIVE);
        uint64_t ticket = way == 2 ? rig_to_keyed(&rig) : rig_to_settled(&rig);
        rig_to_expiring(&rig, ticket);
        rig_advance(&rig, 5000);
        rig_expect_none(&rig);
        rig_expect_state(&rig, ticket,
                         way == 0   ? OE_ST_CLEAR
                         : way == 1 ? OE_ST_DENY
                                    : OE_ST_KEYED);
        rig_close(&rig);
    }
}

/* In use, and the DNS answer stale: it is asked again, with the policy as it is (OE-077, OE-080).
 */
static uint64_t to_recheck(struct rig *rig, uint64_t ticket)
{
    rig_advance(rig, 60000);
    rig_expect(rig, OE_FX_LAST_USE_QUERY);
    rig_last_use(rig, ticket, 0);
    rig_advance(rig, 1200000);
    rig_expect(rig, OE_FX_LAST_USE_QUERY);
    rig_last_use(rig, ticket, 0);
    assert_int_equal(rig_expect(rig, OE_FX_LOOKUP_DELEGATION)->purpose, PURPOSE_RECHECK);
    rig_expect_none(rig);
    rig_expect_state(rig, ticket, OE_ST_EXPIRING);
    return ticket;
}

/* OE-013, OE-077: a changed answer moves a clear or denied flow as from Potential OE. */
static void test_recheck_settled(void **state)
{
    (void)state;
    enum { FOUND, ABSENT, BOGUS, OURS, LOST, WAYS };
    for (int i = 0; i < 2 * WAYS; i++) {
        struct rig rig;
        bool paranoid = i % 2;
        int way = i / 2;
        rig_open(&rig, paranoid ? OE_PARANOID : OE_PERMISSIVE);
        uint64_t ticket = to_recheck(&rig, rig_to_settled(&rig));
        struct delegation *d = rig_answer(&rig, DISCOVERED_ABSENT);
        if (way == FOUND || way == OURS)
            d = rig_gateways(&rig, 1);
        if (way == OURS)
            d->gateways[0].id = test_id(SG_A);
        if (way == BOGUS)
            d->status = DISCOVERED_BOGUS;
        if (way == LOST)
            rig_advance(&rig, LIMIT_LOOKUP_MS + 2000);
        else
            rig_delegation(&rig, ticket, d);
        if (way == FOUND)
            rig_expect(&rig, OE_FX_IKE_INITIATE);
        else if (way == BOGUS && !paranoid)
            rig_expect_policy(&rig, OE_VERDICT_DENY);
        rig_expect_none(&rig);
        if (way == FOUND)
            rig_expect_state(&rig, ticket, OE_ST_PENDING);
        else
            rig_expect_state(&rig, ticket, paranoid || way == BOGUS ? OE_ST_DENY : OE_ST_CLEAR);
        rig_close(&rig);
    }
}

/* A tunnel stays while DNS says the same or nothing; another answer ends or moves it. */
static void test_recheck_keyed(void **state)
{
    (void)state;
    enum { SAME, SILENT, OTHER_GATEWAY, ABSENT, BOGUS, WAYS };
    for (int way = 0; way < WAYS; way++) {
        struct rig rig;
        rig_open(&rig, OE_PERMISSIVE);
        uint64_t ticket = to_recheck(&rig, rig_to_keyed(&rig));
        struct delegation *d = rig_gateways(&rig, 1);
        if (way == OTHER_GATEWAY)
            d->gateways[0].id = test_id(SG_D);
        else if (way != SAME)
            d = rig_answer(&rig, way == SILENT   ? DISCOVERED_TIMEOUT
                                 : way == ABSENT ? DISCOVERED_ABSENT
                                                 : DISCOVERED_BOGUS);
        rig_delegation(&rig, ticket, d);
        if (way == ABSENT || way == BOGUS) {
            rig_expect_policy(&rig, way == ABSENT ? OE_VERDICT_PASS : OE_VERDICT_DENY);
            rig_expect(&rig, OE_FX_IKE_DELETE);
        } else if (way == OTHER_GATEWAY) {
            rig_expect(&rig, OE_FX_IKE_INITIATE);
        }
        rig_expect_none(&rig);
        rig_expect_state(&rig, ticket,
                         way == ABSENT          ? OE_ST_CLEAR
                         : way == BOGUS         ? OE_ST_DENY
                         : way == OTHER_GATEWAY ? OE_ST_PENDING
                                                : OE_ST_KEYED);
        rig_close(&rig);
    }
}

/* What happens to a tunnel while it is being looked at. */
static void test_events_while_expiring(void **state)
{
    (void)state;
    enum { DELETED, SOFT, HARD, UP, STALE_UP, WAYS };
    for (int way = 0; way < WAYS; way++) {
        struct rig rig;
        rig_open(&rig, OE_PERMISSIVE);
        uint64_t ticket = rig_to_expiring(&rig, rig_to_keyed(&rig));
        switch (way) {
        case DELETED:
            rig_child_deleted(&rig, ticket, 0x1001, 0x2001);
            rig_expect(&rig, OE_FX_POLICY_REMOVE);
            rig_expect_state(&rig, ticket, OE_ST_NONEXISTENT);
            break;
        case SOFT:
            rig_expire(&rig, ticket, false, 0x2001);
            rig_expect(&rig, OE_FX_LOOKUP_DELEGATION);
            rig_expect_state(&rig, ticket, OE_ST_PENDING);
            rig_last_use(&rig, ticket, -1); /* too late to matter */
            rig_expect_state(&rig, ticket, OE_ST_PENDING);
            break;
        case HARD:
            rig_expire(&rig, ticket, true, 0x2001);
            rig_expect(&rig, OE_FX_IKE_DELETE);
            rig_expect_policy(&rig, OE_VERDICT_HOLD);
            rig_expect(&rig, OE_FX_LOOKUP_DELEGATION);
            rig_expect_state(&rig, ticket, OE_ST_POTENTIAL);
            break;
        case UP:
            rig_child_up(&rig, ticket, SG_B, 0x1002, 0x2002);
            rig_expect_policy(&rig, OE_VERDICT_ENCRYPT);
            break;
        default: /* over a tunnel that lives already */
            rig_last_use(&rig, ticket, 0);
            rig_child_up(&rig, ticket, SG_B, 0x1002, 0x2002);
            assert_int_equal(rig_expect(&rig, OE_FX_POLICY)->spi_out.value, 0x2002);
            rig_expect_state(&rig, ticket, OE_ST_KEYED);
            break;
        }
        rig_close(&rig);
    }
}

static struct oe_event adopt_event(enum oe_verdict verdict)
{
    return (struct oe_event){.kind = OE_EV_ADOPT,
                             .ticket = 500,
                             .flow = rig_flow(ALICE, BOB),
                             .peer = test_addr(SG_B),
                             .spi_in = {0x5001},
                             .spi_out = {0x6001},
                             .verdict = verdict};
}

/* A restarted keyd keeps what the plane holds, and reconsiders it soon. */
static void test_adopt(void **state)
{
    (void)state;
    static const struct {
        enum oe_class_kind class;
        enum oe_verdict verdict;
        enum oe_state want;
    } cases[] = {
        {OE_PERMISSIVE, OE_VERDICT_PASS, OE_ST_CLEAR},
        {OE_PERMISSIVE, OE_VERDICT_DENY, OE_ST_DENY},
        {OE_PERMISSIVE, OE_VERDICT_ENCRYPT, OE_ST_KEYED},
        {OE_PERMISSIVE, OE_VERDICT_HOLD, OE_ST_POTENTIAL},
        {OE_ALWAYS_CLEAR, OE_VERDICT_PASS, OE_ST_CLEAR},
        /* policy has changed meanwhile */
        {OE_ALWAYS_CLEAR, OE_VERDICT_DENY, OE_ST_CLEAR},
        {OE_ALWAYS_CLEAR, OE_VERDICT_ENCRYPT, OE_ST_CLEAR},
        {OE_DENY, OE_VERDICT_PASS, OE_ST_DENY},
    };
    for (size_t i = 0; i < CHECK_COUNT(cases); i++) {
        struct rig rig;
        rig_open(&rig, cases[i].class);
        assert_int_equal(rig_input(&rig, adopt_event(cases[i].verdict)), ERR_OK);
        rig_expect_state(&rig, 500, cases[i].want);
        rig_forget_effects(&rig);
        rig_input(&rig, adopt_event(cases[i].verdict)); /* known by now */
        rig_expect_none(&rig);
        if (cases[i].want != OE_ST_POTENTIAL)
            assert_int_equal(next_check_ms(&rig, 500), 60000);
        rig_close(&rig);
    }
}

/* ike knows nothing of an adopted tunnel, so it is taken from the plane by hand. */
static void test_adopted_tunnel(void **state)
{
    (void)state;
    struct rig rig;
    struct ip_addr own = test_addr(SG_A);
    rig_open(&rig, OE_PERMISSIVE);
    rig_input(&rig, adopt_event(OE_VERDICT_ENCRYPT));
    rig_expect_none(&rig);
    rig_to_expiring(&rig, 500);
    rig_last_use(&rig, 500, -1);
    rig_expect(&rig, OE_FX_POLICY_REMOVE);
    const struct oe_effect *fx = rig_expect(&rig, OE_FX_REMOVE_SA);
    assert_int_equal(fx->spi_in.value, 0x5001);
    assert_int_equal(fx->spi_out.value, 0x6001);
    assert_true(ip_addr_equal(&fx->local, &own));
    rig_expect_state(&rig, 500, OE_ST_NONEXISTENT);

    rig_input(&rig, adopt_event(OE_VERDICT_ENCRYPT));
    rig_expire(&rig, 500, false, 0x6001);
    rig_expect(&rig, OE_FX_LOOKUP_DELEGATION);
    rig_delegation(&rig, 500, rig_gateways(&rig, 1));
    rig_expect(&rig, OE_FX_IKE_INITIATE);
    rig_child_up(&rig, 500, SG_B, 0x1001, 0x2001);
    assert_int_equal(rig_expect(&rig, OE_FX_POLICY)->spi_out.value, 0x2001);
    assert_int_equal(rig_expect(&rig, OE_FX_REMOVE_SA)->spi_out.value, 0x6001);
    rig_expect_none(&rig);
    /* From now on it is ike's. */
    rig_advance(&rig, 60000);
    rig_expect(&rig, OE_FX_LAST_USE_QUERY);
    rig_last_use(&rig, 500, -1);
    rig_expect(&rig, OE_FX_POLICY_REMOVE);
    rig_expect(&rig, OE_FX_IKE_DELETE);
    rig_close(&rig);
}

/* OE-173, OE-174: every state ends in an orderly way, and nothing new begins. */
static void test_shutdown(void **state)
{
    (void)state;
    enum {
        POTENTIAL,
        PENDING,
        KEYED,
        CLEAR,
        DENY,
        EXPIRING,
        LINGERING,
        UNAUTHENTICATED,
        AUTHENTICATED,
        CHECKING,
        ACCEPTED,
        WAYS
    };
    for (int way = 0; way < WAYS; way++) {
        struct rig rig;
        rig_open(&rig, way == DENY ? OE_PARANOID : OE_PERMISSIVE);
        uint64_t ticket = 0;
        if (way == POTENTIAL)
            ticket = rig_to_potential(&rig);
        else if (way == PENDING)
            ticket = rig_to_pending(&rig, 1);
        else if (way == KEYED || way == LINGERING)
            ticket = rig_to_keyed(&rig);
        else if (way == CLEAR || way == DENY)
            ticket = rig_to_settled(&rig);
        else if (way == EXPIRING)
            ticket = rig_to_expiring(&rig, rig_to_keyed(&rig));
        else if (way == UNAUTHENTICATED)
            ticket = rig_to_unauthenticated(&rig, SG_B);
        else if (way == AUTHENTICATED)
            ticket = rig_to_authenticated(&rig, SG_B);
        else if (way == CHECKING)
            ticket = rig_to_checking(&rig, SG_B, BOB);
        else
            ticket = rig_to_accepted(&rig, BOB);
        if (way == LINGERING) {
            uint64_t newer = rig_to_accepted(&rig, BOB);
            rig_child_up(&rig, newer, SG_B, 0x3001, 0x4001);
            rig_expect_policy(&rig, OE_VERDICT_ENCRYPT);
        }
        rig_input(&rig, (struct oe_event){.kind = OE_EV_SHUTDOWN});
        if (way == UNAUTHENTICATED)
            assert_false(rig_expect(&rig, OE_FX_IKE_PEER_KEYS)->ok);
        if (way == CHECKING)
            rig_expect_answer(&rig, false);
        if (way == PENDING || way == ACCEPTED)
            assert_int_equal(rig_expect(&rig, OE_FX_IKE_CANCEL)->ticket, ticket);
        if (way == LINGERING)
            assert_int_equal(rig_expect(&rig, OE_FX_IKE_DELETE)->ticket, ticket);
        if (way <= LINGERING || way == ACCEPTED)
            rig_expect(&rig, OE_FX_POLICY_REMOVE);
        bool tunnel = way == KEYED || way == EXPIRING || way == LINGERING;
        if (tunnel)
            rig_expect(&rig, OE_FX_IKE_DELETE);
        rig_expect_none(&rig);
        rig_expect_state(&rig, ticket, tunnel ? OE_ST_EXPIRED : OE_ST_NONEXISTENT);
        assert_int_equal(rig_acquire(&rig), ERR_STATE);
        rig_expect_none(&rig);
        assert_int_equal(rig_propose(&rig, SG_B, BOB, 1), ERR_STATE);
        rig_expect_answer(&rig, false);
        rig_advance(&rig, 40000);
        struct oe_instance_info info;
        assert_false(oe_instance_info(rig.oe, 0, &info));
        rig_close(&rig);
    }
}

/* OE-194: at the limit the longest unused goes; a tunnel only where tunnels fill the table. */
static void test_instance_limit(void **state)
{
    (void)state;
    struct rig rig;
    struct ip_addr own = test_addr(SG_A);
    struct oe_config config = {
        .fallback = OE_PERMISSIVE, .own = &own, .own_count = 1, .instances = 4};
    struct oe_instance_info info;
    const char *name;
    uint64_t evicted = 0;

    rig_open_config(&rig, &config);
    uint64_t keyed = rig_to_keyed(&rig);
    for (unsigned i = 0; i < 3; i++) {
        struct ip_pair flow = rig_flow(ALICE, BOB);
        flow.dst.octets[3] = (uint8_t)(100 + i);
        rig_input(&rig, (struct oe_event){.kind = OE_EV_ACQUIRE, .flow = flow});
    }
    rig_advance(&rig, 60000);
    rig_last_use(&rig, keyed, 0);
    rig_forget_effects(&rig);
    struct ip_pair flow = rig_flow(ALICE, "192.2.9.9");
    rig_input(&rig, (struct oe_event){.kind = OE_EV_ACQUIRE, .flow = flow});
    rig_forget_effects(&rig);
    rig_expect_state(&rig, keyed, OE_ST_KEYED);
    assert_true(oe_instance_find(rig.oe, &flow, &info));
    size_t count = 0;
    while (oe_instance_info(rig.oe, count, &info))
        count++;
    assert_int_equal(count, 4);
    /* Who scans pushes out his own flows, even if the tunnel was last heard of long before. */
    for (unsigned i = 0; i < 8; i++) {
        flow.dst.octets[3] = (uint8_t)(200 + i);
        rig_input(&rig, (struct oe_event){.kind = OE_EV_ACQUIRE, .flow = flow});
    }
    rig_forget_effects(&rig);
    rig_expect_state(&rig, keyed, OE_ST_KEYED);
    /* With more than their three quarters the longest unused of the tunnels goes, and its policy. */
    for (unsigned i = 0; i < 4; i++) {
        flow.dst.octets[3] = (uint8_t)i;
        rig_input(&rig, (struct oe_event){.kind = OE_EV_ADOPT,
                                          .flow = flow,
                                          .verdict = OE_VERDICT_ENCRYPT,
                                          .peer = test_addr(SG_B),
                                          .spi_in = {0x1000 + i},
                                          .spi_out = {0x2000 + i}});
    }
    rig_forget_effects(&rig);
    rig_expect_state(&rig, keyed, OE_ST_NONEXISTENT);
    for (size_t i = 0; oe_counter(rig.oe, i, &name, &evicted); i++)
        if (strcmp(name, "evicted") == 0)
            break;
    assert_int_equal(evicted, 13);
    rig_close(&rig);
}

/* Superseded tunnels and unfinished peers are pushed out before flows in use. */
static void test_eviction_spares_flows(void **state)
{
    (void)state;
    struct rig rig;
    struct oe_config config = {.fallback = OE_PERMISSIVE, .instances = 8};
    struct ip_pair flow = rig_flow(ALICE, BOB);
    struct oe_instance_info info;
    rig_open_config(&rig, &config);
    for (unsigned i = 0; i < 5; i++) {
        flow.dst.octets[3] = (uint8_t)i;
        rig_input(&rig,
                  (struct oe_event){.kind = OE_EV_ADOPT, .flow = flow, .verdict = OE_VERDICT_PASS});
    }
    for (uint64_t i = 1; i < 100; i++) {
        struct ip_addr peer = ip_addr_v4(0x0a000000u + (uint32_t)i);
        rig_input(&rig, (struct oe_event){.kind = OE_EV_PEER_UNKNOWN,
                                          .serial = i,
                                          .peer = peer,
                                          .peer_id = identity_of_addr(&peer)});
        rig_forget_effects(&rig);
    }
    for (unsigned i = 0; i < 5; i++) {
        flow.dst.octets[3] = (uint8_t)i;
        assert_true(oe_instance_find(rig.oe, &flow, &info));
    }
    rig_close(&rig);
}

/* What nobody asked for changes nothing, and is counted under its name. */
static void test_unexpected_events(void **state)
{
    (void)state;
    struct rig rig;
    const char *name;
    uint64_t value;
    bool seen = false;
    rig_open(&rig, OE_PERMISSIVE);
    uint64_t ticket = rig_to_potential(&rig);
    rig_last_use(&rig, ticket, 0);
    rig_last_use(&rig, 12345, 0);
    rig_expect_state(&rig, ticket, OE_ST_POTENTIAL);
    for (size_t i = 0; oe_counter(rig.oe, i, &name, &value); i++)
        if (strcmp(name, "dropped_last_use") == 0) {
            assert_int_equal(value, 2);
            seen = true;
        }
    assert_true(seen);
    rig_close(&rig);
}

const struct CMUnitTest oe_aging_cases[] = {
    cmocka_unit_test(test_keyed_ages),
    cmocka_unit_test(test_idle_boundary),
    cmocka_unit_test(test_delete_unanswered),
    cmocka_unit_test(test_settled_ages),
    cmocka_unit_test(test_last_use_unanswered),
    cmocka_unit_test(test_recheck_settled),
    cmocka_unit_test(test_recheck_keyed),
    cmocka_unit_test(test_events_while_expiring),
    cmocka_unit_test(test_adopt),
    cmocka_unit_test(test_adopted_tunnel),
    cmocka_unit_test(test_shutdown),
    cmocka_unit_test(test_instance_limit),
    cmocka_unit_test(test_eviction_spares_flows),
    cmocka_unit_test(test_unexpected_events),
};
const size_t oe_aging_case_count = CHECK_COUNT(oe_aging_cases);
