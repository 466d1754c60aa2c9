/* Connection classes and what they leave to the administrator: sections 1.3, 3.2 and 3.3.2. */
#include "oe_cases.h"

static struct ip_pair reply(void)
{
    return rig_flow(ALICE, BOB);
}

static struct delegation *unsigned_gateway(const struct rig *rig)
{
    struct delegation *d = rig_gateways(rig, 1);
    d->secure = false;
    return d;
}

/* OE-036, OE-037, OE-094: clear meanwhile, no lookup, no keying; a peer's tunnel is welcome. */
static void test_respond_only(void **state)
{
    (void)state;
    struct rig rig;
    struct oe_class class = {.kind = OE_RESPOND_ONLY};
    struct oe_instance_info info;

    rig_open_class(&rig, &class);
    rig_acquire(&rig);
    rig_expect_policy(&rig, OE_VERDICT_PASS);
    rig_expect_none(&rig);
    rig_expect_state(&rig, 1, OE_ST_CLEAR);
    uint64_t ticket = rig_to_accepted(&rig, BOB); /* the clear flow keeps its policy until ... */
    rig_child_up(&rig, ticket, SG_B, 0x3001, 0x4001);
    rig_expect_policy(&rig, OE_VERDICT_ENCRYPT); /* ... the tunnel is there */
    rig_expect_none(&rig);
    rig_expect_state(&rig, 1, OE_ST_NONEXISTENT);

    /* Its keys run out, the peer may have restarted: neither begins a keying of ours. */
    rig_expire(&rig, ticket, false, 0x4001);
    rig_input(&rig, (struct oe_event){.kind = OE_EV_HINT, .peer = test_addr(SG_B)});
    rig_expect_none(&rig);
    rig_expect_state(&rig, ticket, OE_ST_KEYED);
    rig_expire(&rig, ticket, true, 0x4001);
    rig_expect_policy(&rig, OE_VERDICT_PASS);
    assert_int_equal(rig_expect(&rig, OE_FX_IKE_DELETE)->ticket, ticket);
    rig_expect_state(&rig, ticket, OE_ST_CLEAR);
    rig_expect_reason(&rig, ticket, "to the peer");
    assert_true(rig_info(&rig, ticket, &info));
    assert_string_equal(info.class_name, "OE-respond-only");
    rig_close(&rig);
}

/* OE-094: nor does the periodic look at what DNS says. */
static void test_respond_only_expiring(void **state)
{
    (void)state;
    enum { DNS_CHANGED, SOFT, HARD, WAYS };
    struct oe_class class = {.kind = OE_RESPOND_ONLY};
    for (int way = 0; way < WAYS; way++) {
        struct rig rig;
        rig_open_class(&rig, &class);
        uint64_t ticket = rig_to_expiring(&rig, rig_to_answered_keyed(&rig));
        if (way == DNS_CHANGED) {
            rig.now = mono_add(rig.now, 1000000);
            rig_last_use(&rig, ticket, 0);
            assert_int_equal(rig_expect(&rig, OE_FX_LOOKUP_DELEGATION)->purpose, PURPOSE_RECHECK);
            struct delegation *d = rig_gateways(&rig, 1);
            d->gateways[0].id = test_id(SG_D);
            rig_delegation(&rig, ticket, d);
            rig_expect_policy(&rig, OE_VERDICT_PASS);
            rig_expect(&rig, OE_FX_IKE_DELETE);
            rig_expect_state(&rig, ticket, OE_ST_CLEAR);
        } else if (way == SOFT) {
            rig_expire(&rig, ticket, false, 0x4001);
            rig_expect_state(&rig, ticket, OE_ST_EXPIRING);
        } else {
            rig_expire(&rig, ticket, true, 0x4001);
            rig_expect_policy(&rig, OE_VERDICT_PASS);
            rig_expect(&rig, OE_FX_IKE_DELETE);
            rig_expect_state(&rig, ticket, OE_ST_CLEAR);
        }
        rig_close(&rig);
    }
}

/* What the plane holds for such a flow after a restart of keyd. */
static void test_respond_only_adopts(void **state)
{
    (void)state;
    static const struct {
        enum oe_verdict found, want;
        enum oe_state state;
    } cases[] = {
        {OE_VERDICT_HOLD, OE_VERDICT_PASS, OE_ST_CLEAR},
        {OE_VERDICT_DENY, OE_VERDICT_PASS, OE_ST_CLEAR},
        {OE_VERDICT_PASS, OE_VERDICT_PASS, OE_ST_CLEAR},
        {OE_VERDICT_ENCRYPT, OE_VERDICT_ENCRYPT, OE_ST_KEYED},
    };
    struct oe_class class = {.kind = OE_RESPOND_ONLY};
    for (size_t i = 0; i < CHECK_COUNT(cases); i++) {
        struct rig rig;
        struct oe_instance_info info;
        rig_open_class(&rig, &class);
        rig_input(&rig, (struct oe_event){.kind = OE_EV_ADOPT,
                                          .ticket = 9,
                                          .flow = reply(),
                                          .peer = test_addr(SG_B),
                                          .spi_in = {1},
                                          .spi_out = {2},
                                          .verdict = cases[i].found});
        if (cases[i].found != cases[i].want)
            rig_expect_policy(&rig, cases[i].want);
        rig_expect_none(&rig);
        rig_expect_state(&rig, 9, cases[i].state);
        assert_true(rig_info(&rig, 9, &info));
        assert_int_equal(info.verdict, cases[i].want);
        rig_close(&rig);
    }
}

/* OE-054, OE-037, OE-053: the administrator's own choice for wrong delegations; never for
 * OE-paranoid. */
static void test_dnssec_fail(void **state)
{
    (void)state;
    static const struct {
        enum oe_class_kind kind;
        const char *fail_destination;
        bool fail_clear;
        enum discovered status;
        enum oe_state want;
    } cases[] = {
        {OE_PERMISSIVE, "192.2.0.0/16", true, DISCOVERED_BOGUS, OE_ST_CLEAR},
        {OE_PERMISSIVE, "192.2.0.0/16", true, DISCOVERED_MALFORMED, OE_ST_CLEAR},
        {OE_PERMISSIVE, "192.2.0.0/16", false, DISCOVERED_BOGUS, OE_ST_DENY},
        {OE_PERMISSIVE, "192.3.0.0/16", true, DISCOVERED_BOGUS, OE_ST_DENY},
        {OE_PARANOID, "192.2.0.0/16", true, DISCOVERED_BOGUS, OE_ST_DENY},
    };
    for (size_t i = 0; i < CHECK_COUNT(cases); i++) {
        struct rig rig;
        struct oe_class classes[2] = {
            {.kind = cases[i].kind},
            {.kind = OE_DNSSEC_FAIL, .fail_clear = cases[i].fail_clear},
        };
        struct oe_config config = {.classes = classes, .class_count = 2};
        assert_true(ip_prefix_parse(cases[i].fail_destination, &classes[1].destination));
        rig_open_config(&rig, &config);
        uint64_t ticket = rig_to_potential(&rig);
        rig_delegation(&rig, ticket, rig_answer(&rig, cases[i].status));
        rig_expect_policy(&rig, cases[i].want == OE_ST_CLEAR ? OE_VERDICT_PASS : OE_VERDICT_DENY);
        rig_expect_state(&rig, ticket, cases[i].want);
        assert_int_equal(rig.warnings, 1);  /* OE-052 */
        if (cases[i].want == OE_ST_CLEAR) { /* and when it is looked at again */
            rig.now = mono_add(rig.now, 1000000);
            oe_timer(rig.oe, rig.now);
            rig_last_use(&rig, ticket, 0);
            rig_forget_effects(&rig);
            rig_delegation(&rig, ticket, rig_answer(&rig, cases[i].status));
            rig_expect_none(&rig);
            rig_expect_state(&rig, ticket, OE_ST_CLEAR);
        }
        rig_close(&rig);
    }
}

/* OE-006, OE-007: which grade a class takes. What is not signed enough counts as absent. */
static void test_accepted_grade(void **state)
{
    (void)state;
    static const struct {
        enum oe_class_kind kind;
        enum oe_accept accept;
        bool taken;
    } cases[] = {
        {OE_PERMISSIVE, OE_ACCEPT_DEFAULT, true}, {OE_PERMISSIVE, OE_ACCEPT_AUTHENTICATED, false},
        {OE_PARANOID, OE_ACCEPT_DEFAULT, false},  {OE_PARANOID, OE_ACCEPT_AUTHENTICATED, false},
        {OE_PARANOID, OE_ACCEPT_ANONYMOUS, true},
    };
    for (size_t i = 0; i < CHECK_COUNT(cases); i++) {
        struct rig rig;
        struct oe_class class = {.kind = cases[i].kind, .accept = cases[i].accept};
        struct oe_instance_info info;
        rig_open_class(&rig, &class);
        uint64_t ticket = rig_to_potential(&rig);
        rig_delegation(&rig, ticket, unsigned_gateway(&rig));
        if (cases[i].taken) {
            rig_expect(&rig, OE_FX_IKE_INITIATE);
            rig_child_up(&rig, ticket, SG_B, 1000, 2000);
            rig_expect_policy(&rig, OE_VERDICT_ENCRYPT);
            assert_true(rig_info(&rig, ticket, &info));
            assert_false(info.secure);
        } else {
            bool clear = cases[i].kind == OE_PERMISSIVE;
            rig_expect_policy(&rig, clear ? OE_VERDICT_PASS : OE_VERDICT_DENY);
            rig_expect_reason(&rig, ticket, "not signed");
        }
        rig_close(&rig);

        /* The same of a peer that comes. */
        rig_open_class(&rig, &class);
        ticket = rig_to_checking(&rig, SG_B, BOB);
        rig_delegation(&rig, ticket, unsigned_gateway(&rig));
        if (cases[i].taken)
            rig_expect_accepted(&rig, true);
        else
            rig_expect_answer(&rig, false);
        rig_close(&rig);
    }
}

/* OE-006: a peer that speaks for itself does so with a KEY, which counts as much as a delegation.
 */
static void test_unsigned_key_of_peer_itself(void **state)
{
    (void)state;
    for (int paranoid = 0; paranoid < 2; paranoid++) {
        struct rig rig;
        struct oe_class class = {.kind = paranoid ? OE_PARANOID : OE_PERMISSIVE};
        struct identity_keys keys = {.status = DISCOVERED_FOUND, .count = 1};
        keys.keys[0] = test_key(1);
        rig_open_class(&rig, &class);
        uint64_t ticket = rig_to_unauthenticated(&rig, SG_B);
        rig_input(&rig, (struct oe_event){.kind = OE_EV_KEYS, .ticket = ticket, .keys = &keys});
        rig_expect(&rig, OE_FX_IKE_PEER_KEYS);
        rig_input(&rig, (struct oe_event){.kind = OE_EV_PEER_AUTHENTICATED,
                                          .peer = test_addr(SG_B),
                                          .peer_id = test_id(SG_B)});
        rig_propose(&rig, SG_B, SG_B, 1);
        if (paranoid) { /* then its delegation must be */
            rig_expect(&rig, OE_FX_LOOKUP_DELEGATION);
            rig_delegation(&rig, ticket, rig_gateways(&rig, 1));
        }
        rig_expect_accepted(&rig, true);
        rig_close(&rig);
    }
}

/* OE-006: a tunnel keyed on unsigned data stays anonymous if a later answer is signed. */
static void test_grade_does_not_improve(void **state)
{
    (void)state;
    struct rig rig;
    struct oe_instance_info info;
    rig_open(&rig, OE_PERMISSIVE);
    uint64_t ticket = rig_to_potential(&rig);
    rig_delegation(&rig, ticket, unsigned_gateway(&rig));
    rig_expect(&rig, OE_FX_IKE_INITIATE);
    rig_child_up(&rig, ticket, SG_B, 1000, 2000);
    rig_expect_policy(&rig, OE_VERDICT_ENCRYPT);
    rig_to_expiring(&rig, ticket);
    rig.now = mono_add(rig.now, 1000000);
    rig_last_use(&rig, ticket, 0);
    rig_expect(&rig, OE_FX_LOOKUP_DELEGATION);
    rig_delegation(&rig, ticket, rig_gateways(&rig, 1));
    rig_expect_state(&rig, ticket, OE_ST_KEYED);
    assert_true(rig_info(&rig, ticket, &info));
    assert_false(info.secure);
    rig_close(&rig);
}

/* The negotiation shunt: datagrams pass until the tunnel is there; never those of OE-paranoid. */
static void test_pass_while_keying(void **state)
{
    (void)state;
    for (int paranoid = 0; paranoid < 2; paranoid++) {
        struct rig rig;
        enum oe_verdict want = paranoid ? OE_VERDICT_HOLD : OE_VERDICT_PASS;
        struct oe_class class = {.kind = paranoid ? OE_PARANOID : OE_PERMISSIVE,
                                 .pass_while_keying = true};
        rig_open_class(&rig, &class);
        rig_acquire(&rig);
        rig_expect_policy(&rig, want);
        uint64_t ticket = rig_expect(&rig, OE_FX_LOOKUP_DELEGATION)->ticket;
        rig_delegation(&rig, ticket, rig_gateways(&rig, 1));
        rig_expect(&rig, OE_FX_IKE_INITIATE);
        rig_child_up(&rig, ticket, SG_B, 0x1001, 0x2001);
        rig_expect_policy(&rig, OE_VERDICT_ENCRYPT);
        /* The tunnel is lost: the same until there is a new one. */
        rig_expire(&rig, ticket, true, 0x2001);
        rig_expect(&rig, OE_FX_IKE_DELETE);
        rig_expect_policy(&rig, want);
        rig_expect(&rig, OE_FX_LOOKUP_DELEGATION);
        rig_close(&rig);
    }
}

/* OE-061: by class. */
static void test_wait(void **state)
{
    (void)state;
    struct rig rig;
    struct oe_class class = {.kind = OE_PERMISSIVE, .wait_s = 300};
    rig_open_class(&rig, &class);
    uint64_t ticket = rig_to_potential(&rig);
    rig_delegation(&rig, ticket, rig_gateways(&rig, 1));
    assert_int_equal(rig_expect(&rig, OE_FX_IKE_INITIATE)->wait_ms, 300000);
    rig_advance(&rig, 300000); /* ike is still at it */
    rig_expect_none(&rig);
    rig_expect_state(&rig, ticket, OE_ST_PENDING);
    rig_close(&rig);
}

/* OE-077, OE-078: a peer that has become capable is found when the negative answer ends. */
static void test_clear_is_upgraded(void **state)
{
    (void)state;
    struct rig rig;
    rig_open(&rig, OE_PERMISSIVE);
    uint64_t ticket = rig_to_potential(&rig);
    struct delegation *absent = rig_answer(&rig, DISCOVERED_ABSENT);
    absent->expires = mono_add(rig.now, 300000);
    rig_delegation(&rig, ticket, absent);
    rig_expect_policy(&rig, OE_VERDICT_PASS);
    rig_to_expiring(&rig, ticket); /* after the first minute */
    rig_last_use(&rig, ticket, 0);
    rig_expect_state(&rig, ticket, OE_ST_CLEAR);
    rig_advance(&rig, 239999);
    rig_expect_none(&rig);
    rig_advance(&rig, 1);
    rig_expect(&rig, OE_FX_LAST_USE_QUERY);
    rig_last_use(&rig, ticket, 0);
    rig_expect(&rig, OE_FX_LOOKUP_DELEGATION);
    rig_delegation(&rig, ticket, rig_gateways(&rig, 1));
    rig_expect(&rig, OE_FX_IKE_INITIATE); /* in clear meanwhile: nothing was said to the plane */
    rig_child_up(&rig, ticket, SG_B, 0x1001, 0x2001);
    rig_expect_policy(&rig, OE_VERDICT_ENCRYPT);
    rig_expect_state(&rig, ticket, OE_ST_KEYED);
    rig_close(&rig);
}

/* ... and a tunnel that comes in upgrades at once. */
static void test_clear_is_upgraded_by_peer(void **state)
{
    (void)state;
    struct rig rig;
    rig_open(&rig, OE_PERMISSIVE);
    uint64_t clear = rig_to_settled(&rig);
    uint64_t ticket = rig_to_accepted(&rig, BOB);
    rig_expect_state(&rig, clear, OE_ST_CLEAR);
    rig_child_up(&rig, ticket, SG_B, 0x3001, 0x4001);
    rig_expect_policy(&rig, OE_VERDICT_ENCRYPT);
    rig_expect_state(&rig, clear, OE_ST_NONEXISTENT);
    rig_expect_state(&rig, ticket, OE_ST_KEYED);
    rig_close(&rig);
}

/* OE-032, OE-046: from the moment the peer is accepted, a reply waits for its tunnel. */
static void test_reply_is_held(void **state)
{
    (void)state;
    struct rig rig;
    struct oe_instance_info info;
    struct ip_pair flow = reply();
    rig_open(&rig, OE_PERMISSIVE);
    uint64_t ticket = rig_to_accepted(&rig, BOB);
    assert_true(oe_instance_find(rig.oe, &flow, &info));
    assert_int_equal(info.ticket, ticket);
    rig_acquire(&rig); /* no keying of our own */
    rig_expect_policy(&rig, OE_VERDICT_HOLD);
    rig_expect_none(&rig);
    rig_child_up(&rig, ticket, SG_B, 0x3001, 0x4001);
    assert_int_equal(rig_expect(&rig, OE_FX_POLICY)->ticket, ticket);
    rig_expect_none(&rig);

    /* Two at once: the first accepted has the flow, the first completed takes it. */
    rig_close(&rig);
    rig_open(&rig, OE_PERMISSIVE);
    uint64_t first = rig_to_accepted(&rig, BOB), second = rig_to_accepted(&rig, BOB);
    rig_child_up(&rig, second, SG_B, 0x3001, 0x4001);
    rig_expect_policy(&rig, OE_VERDICT_ENCRYPT);
    rig_expect_state(&rig, first, OE_ST_PENDING);
    rig_child_failed(&rig, first, IKE_FAILURE_OTHER);
    rig_expect_none(&rig); /* it has no policy to remove */
    assert_true(oe_instance_find(rig.oe, &flow, &info));
    assert_int_equal(info.ticket, second);
    rig_close(&rig);
}

/* What a person may read: record, negotiation, and what comes next. */
static void test_explained(void **state)
{
    (void)state;
    struct rig rig;
    struct oe_instance_info info;
    rig_open(&rig, OE_PERMISSIVE);
    uint64_t ticket = rig_to_potential(&rig);
    assert_true(rig_info(&rig, ticket, &info));
    assert_non_null(strstr(info.next, "without an answer from DNS"));
    assert_string_equal(info.record, "");
    rig_delegation(&rig, ticket, rig_gateways(&rig, 1));
    rig_expect(&rig, OE_FX_IKE_INITIATE);
    assert_true(rig_info(&rig, ticket, &info));
    assert_string_equal(info.record, "DNS says so");
    assert_string_equal(info.ike, "keying with " SG_B);
    assert_string_equal(info.next, "if the gateway stays silent, the flow goes in clear");
    assert_int_equal(mono_since(info.next_check, rig.now), 20000);
    rig_child_failed(&rig, ticket, IKE_FAILURE_SILENT);
    rig_expect_policy(&rig, OE_VERDICT_PASS);
    assert_true(rig_info(&rig, ticket, &info));
    assert_non_null(strstr(info.ike, SG_B " does not answer"));
    assert_non_null(strstr(info.next, "DNS is asked again"));
    assert_int_equal(mono_since(info.next_check, rig.now), 60000);
    rig_close(&rig);
}

/* ... while a gateway is waited for, by what its silence brings. */
static void test_explained_while_waiting(void **state)
{
    (void)state;
    static const struct {
        enum oe_class_kind kind;
        unsigned gateways;
        bool tunnel;
        const char *next;
    } cases[] = {
        {OE_PERMISSIVE, 1, false, "the flow goes in clear"},
        {OE_PARANOID, 1, false, "the flow is denied"},
        {OE_PARANOID, 2, false, "the next one is tried"},
        {OE_PERMISSIVE, 1, true, "the old tunnel stays until its keys end"},
    };
    for (size_t i = 0; i < CHECK_COUNT(cases); i++) {
        const struct oe_class class = {.kind = cases[i].kind, .wait_s = 7};
        struct oe_instance_info info;
        struct rig rig;
        rig_open_class(&rig, &class);
        uint64_t ticket = cases[i].tunnel ? rig_to_keyed(&rig) : rig_to_pending(&rig, cases[i].gateways);
        if (cases[i].tunnel) {
            rig_expire(&rig, ticket, false, 0x2001);
            rig_delegation(&rig, ticket, rig_gateways(&rig, 1));
            rig_forget_effects(&rig);
        }
        assert_true(rig_info(&rig, ticket, &info));
        assert_int_equal(mono_since(info.next_check, rig.now), 7000);
        assert_non_null(strstr(info.next, cases[i].next));
        rig_advance(&rig, 7000); /* it has answered, for ike says nothing */
        assert_true(rig_info(&rig, ticket, &info));
        assert_string_equal(info.next, "the negotiation is given up");
        assert_true(info.next_check.ms > rig.now.ms);
        rig_close(&rig);
    }
}

const struct CMUnitTest oe_policy_cases[] = {
    cmocka_unit_test(test_respond_only),
    cmocka_unit_test(test_respond_only_expiring),
    cmocka_unit_test(test_respond_only_adopts),
    cmocka_unit_test(test_dnssec_fail),
    cmocka_unit_test(test_accepted_grade),
    cmocka_unit_test(test_unsigned_key_of_peer_itself),
    cmocka_unit_test(test_grade_does_not_improve),
    cmocka_unit_test(test_pass_while_keying),
    cmocka_unit_test(test_wait),
    cmocka_unit_test(test_clear_is_upgraded),
    cmocka_unit_test(test_clear_is_upgraded_by_peer),
    cmocka_unit_test(test_reply_is_held),
    cmocka_unit_test(test_explained),
    cmocka_unit_test(test_explained_while_waiting),
};
const size_t oe_policy_case_count = CHECK_COUNT(oe_policy_cases);
