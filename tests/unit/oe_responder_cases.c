/* Section 3.3: a stranger comes, proves itself, and proposes a tunnel. */
#include "oe_cases.h"

/* OE-008, OE-085, OE-086, OE-088, OE-090, OE-092, OE-183, OE-187, OE-032 */
static void test_thin_path(void **state)
{
    (void)state;
    struct rig rig;
    struct oe_instance_info info;
    struct ip_pair seen = rig_flow(BOB, ALICE), flow = rig_flow(ALICE, BOB);

    rig_open(&rig, OE_PERMISSIVE);
    uint64_t ticket = rig_to_answered_keyed(&rig);
    assert_string_equal(rig.last.title, "Pending OE -> Keyed");
    /* A trace shows the flow as its initiator sees it. */
    assert_true(ip_pair_equal(&rig.last.flow, &seen));
    assert_true(oe_instance_find(rig.oe, &flow, &info));
    assert_int_equal(info.ticket, ticket);
    assert_true(info.responder && info.secure);
    assert_non_null(strstr(info.reason, "authenticated"));
    /* Alice's answer finds the policy there: nothing is asked, nothing is keyed. */
    rig_acquire(&rig);
    rig_expect_policy(&rig, OE_VERDICT_ENCRYPT);
    rig_expect_none(&rig);
    rig_close(&rig);
}

/* OE-087: it stays unauthenticated, and goes in the end. */
static void test_no_key(void **state)
{
    (void)state;
    static const enum discovered statuses[] = {DISCOVERED_ABSENT, DISCOVERED_MALFORMED,
                                               DISCOVERED_BOGUS, DISCOVERED_TIMEOUT};
    for (size_t i = 0; i < CHECK_COUNT(statuses); i++) {
        struct rig rig;
        struct identity_keys keys = {.status = statuses[i], .why = "no such luck"};
        rig_open(&rig, OE_PERMISSIVE);
        uint64_t ticket = rig_to_unauthenticated(&rig, SG_B);
        rig_input(&rig, (struct oe_event){.kind = OE_EV_KEYS, .ticket = ticket, .keys = &keys});
        const struct oe_effect *fx = rig_expect(&rig, OE_FX_IKE_PEER_KEYS);
        assert_false(fx->ok);
        assert_int_equal(fx->serial, 55);
        assert_string_equal(fx->text, "no such luck");
        rig_expect_state(&rig, ticket, OE_ST_UNAUTHENTICATED_PEER);
        assert_int_equal(rig.warnings, 1);
        rig_advance(&rig, 120000);
        rig_expect_state(&rig, ticket, OE_ST_NONEXISTENT);
        rig_close(&rig);
    }
}

/* OE-007 */
static void test_unsigned_key(void **state)
{
    (void)state;
    struct rig rig;
    struct identity_keys keys = {.status = DISCOVERED_FOUND, .count = 1};
    struct oe_config config = {.fallback = OE_PERMISSIVE, .require_dnssec = true};
    keys.keys[0] = test_key(1);
    rig_open_config(&rig, &config);
    uint64_t ticket = rig_to_unauthenticated(&rig, SG_B);
    rig_input(&rig, (struct oe_event){.kind = OE_EV_KEYS, .ticket = ticket, .keys = &keys});
    assert_false(rig_expect(&rig, OE_FX_IKE_PEER_KEYS)->ok);
    rig_expect_reason(&rig, ticket, "not signed");
    rig_close(&rig);
}

/* ike is told even if discover never answers. */
static void test_peer_without_answer(void **state)
{
    (void)state;
    struct rig rig;
    rig_open(&rig, OE_PERMISSIVE);
    uint64_t ticket = rig_to_unauthenticated(&rig, SG_B);
    rig_advance(&rig, 120000);
    const struct oe_effect *fx = rig_expect(&rig, OE_FX_IKE_PEER_KEYS);
    assert_false(fx->ok);
    assert_int_equal(fx->serial, 55);
    rig_expect_state(&rig, ticket, OE_ST_NONEXISTENT);

    ticket = rig_to_authenticated(&rig, SG_B);
    rig_advance(&rig, 120000);
    rig_expect_none(&rig);
    rig_expect_state(&rig, ticket, OE_ST_NONEXISTENT);
    rig_close(&rig);
}

/* OE-093: policy for the flow forbids a tunnel, whatever the peer wants. */
static void test_class_refuses(void **state)
{
    (void)state;
    static const enum oe_class_kind classes[] = {OE_DENY, OE_ALWAYS_CLEAR};
    for (size_t i = 0; i < 2; i++) {
        struct rig rig;
        rig_open(&rig, classes[i]);
        uint64_t ticket = rig_to_authenticated(&rig, SG_B);
        rig_propose(&rig, SG_B, BOB, 1);
        rig_expect_answer(&rig, false);
        rig_expect_none(&rig);
        rig_expect_state(&rig, ticket, OE_ST_NONEXISTENT);
        assert_int_equal(rig.warnings, 1);
        rig_close(&rig);
    }
}

static void test_unusable_source(void **state)
{
    (void)state;
    static const char *const clients[] = {"127.0.0.1", "224.0.0.1", SG_A, "2001:db8::1"};
    for (size_t i = 0; i < CHECK_COUNT(clients); i++) {
        struct rig rig;
        rig_open(&rig, OE_PERMISSIVE);
        rig_to_authenticated(&rig, SG_B);
        rig_propose(&rig, SG_B, clients[i], 1);
        rig_expect_answer(&rig, false);
        rig_expect_none(&rig);
        rig_close(&rig);
    }
}

/* OE-092, OE-159: for its own phase 1 address a peer needs no delegation. */
static void test_peer_for_itself(void **state)
{
    (void)state;
    struct rig rig;
    struct oe_instance_info info;
    rig_open(&rig, OE_PERMISSIVE);
    uint64_t ticket = rig_to_authenticated(&rig, SG_B);
    rig_propose(&rig, SG_B, SG_B, 1);
    rig_expect_accepted(&rig, true);
    rig_child_up(&rig, ticket, SG_B, 0x3001, 0x4001);
    rig_expect_policy(&rig, OE_VERDICT_ENCRYPT);
    rig_expect_state(&rig, ticket, OE_ST_KEYED);
    assert_true(rig_info(&rig, ticket, &info));
    assert_true(info.secure);
    /* OE-184: a further tunnel over the same phase 1. */
    rig_propose(&rig, SG_B, BOB, 1);
    uint64_t second = rig_expect(&rig, OE_FX_LOOKUP_DELEGATION)->ticket;
    assert_int_not_equal(second, ticket);
    rig_delegation(&rig, second, rig_gateways(&rig, 1));
    rig_expect_accepted(&rig, true);
    rig_child_up(&rig, second, SG_B, 0x3002, 0x4002);
    rig_expect_policy(&rig, OE_VERDICT_ENCRYPT);
    rig_expect_state(&rig, ticket, OE_ST_KEYED);
    rig_close(&rig);
}

/* OE-092, OE-189: what nobody delegated to us gets no tunnel, and no policy of ours changes. */
static void test_not_ours(void **state)
{
    (void)state;
    static const enum discovered statuses[] = {DISCOVERED_FOUND,     DISCOVERED_ABSENT,
                                               DISCOVERED_MALFORMED, DISCOVERED_BOGUS,
                                               DISCOVERED_TIMEOUT};
    for (size_t i = 0; i < CHECK_COUNT(statuses); i++) {
        struct rig rig;
        struct ip_addr want = test_addr("192.1.0.99");
        rig_open(&rig, OE_PERMISSIVE);
        uint64_t ticket = rig_to_authenticated(&rig, SG_B);
        rig_propose_to(&rig, SG_B, i % 2 ? BOB : SG_B, "192.1.0.99", 1, false);
        assert_true(ip_addr_equal(&rig_expect(&rig, OE_FX_LOOKUP_DELEGATION)->address, &want));
        struct delegation *d = statuses[i] == DISCOVERED_FOUND ? rig_gateways(&rig, 2)
                                                               : rig_answer(&rig, statuses[i]);
        rig_delegation(&rig, ticket, d); /* found: to SG-B and SG-D, not to us */
        rig_expect_answer(&rig, false);
        rig_expect_none(&rig);
        rig_expect_state(&rig, ticket, OE_ST_NONEXISTENT);
        assert_int_equal(rig.warnings, 1);
        rig_close(&rig);
    }
}

/* Our own address, what has sent through us, and what is delegated to our name need no more. */
static void test_ours(void **state)
{
    (void)state;
    struct rig rig;
    struct ip_addr own = test_addr(SG_A), bob = test_addr(BOB);
    struct oe_config config = {
        .fallback = OE_PERMISSIVE, .own = &own, .own_count = 1, .id = test_id("@gw.example.org")};
    rig_open_config(&rig, &config);
    rig_to_authenticated(&rig, SG_B);
    rig_propose_to(&rig, SG_B, BOB, SG_A, 1, false);
    assert_true(ip_addr_equal(&rig_expect(&rig, OE_FX_LOOKUP_DELEGATION)->address, &bob));
    rig_propose_to(&rig, SG_B, SG_B, SG_A, 1, false);
    rig_expect_accepted(&rig, true);
    rig_close(&rig);

    rig_open_config(&rig, &config);
    rig_to_keyed(&rig);
    rig_to_authenticated(&rig, SG_B);
    rig_propose_to(&rig, SG_B, BOB, ALICE, 1, false);
    assert_true(ip_addr_equal(&rig_expect(&rig, OE_FX_LOOKUP_DELEGATION)->address, &bob));
    rig_close(&rig);

    rig_open_config(&rig, &config);
    uint64_t ticket = rig_to_authenticated(&rig, SG_B);
    rig_propose_to(&rig, SG_B, BOB, ALICE, 1, false);
    rig_expect(&rig, OE_FX_LOOKUP_DELEGATION);
    struct delegation *d = rig_gateways(&rig, 1);
    d->gateways[0].id = test_id("@gw.example.org");
    rig_delegation(&rig, ticket, d);
    assert_true(ip_addr_equal(&rig_expect(&rig, OE_FX_LOOKUP_DELEGATION)->address, &bob));
    rig_close(&rig);
}

/* OE-092: some client's delegation named the key of a phase 1 that we began. Who proved it has not
 * proved the address it was named beside: somebody on the way may have both. */
static void test_unvouched_peer(void **state)
{
    (void)state;
    enum { OWN_KEY, OTHER_KEY, NO_KEY, UNSIGNED_KEY, WAYS };
    for (int way = 0; way < 2 * WAYS; way++) {
        struct rig rig;
        struct identity_keys keys = {.status = DISCOVERED_FOUND, .secure = true, .count = 1};
        struct ip_addr own = test_addr(SG_A);
        struct oe_config config = {.fallback = OE_PERMISSIVE,
                                   .own = &own,
                                   .own_count = 1,
                                   .require_dnssec = way % WAYS == UNSIGNED_KEY};
        rig_open_config(&rig, &config);
        rig_propose_to(&rig, SG_B, SG_B, way < WAYS ? SG_A : ALICE, 1, true);
        if (way >= WAYS) {
            uint64_t asked = rig_expect(&rig, OE_FX_LOOKUP_DELEGATION)->ticket;
            struct delegation *d = rig_gateways(&rig, 1);
            d->gateways[0].id = test_id(SG_A);
            rig_delegation(&rig, asked, d);
        }
        uint64_t ticket = rig_expect(&rig, OE_FX_LOOKUP_KEYS)->ticket;
        rig_expect_none(&rig);
        keys.keys[0] = test_key(way % WAYS == OTHER_KEY ? 2 : 1);
        keys.secure = way % WAYS != UNSIGNED_KEY;
        if (way % WAYS == NO_KEY)
            keys = (struct identity_keys){.status = DISCOVERED_ABSENT};
        rig_input(&rig, (struct oe_event){.kind = OE_EV_KEYS, .ticket = ticket, .keys = &keys});
        if (way % WAYS == OWN_KEY)
            rig_expect_accepted(&rig, true);
        else
            rig_expect_answer(&rig, false);
        rig_expect_none(&rig);
        rig_close(&rig);
    }
}

/* OE-159: a host known by name for the address it keys from, if its reverse map says nothing. */
static void test_named_host_for_itself(void **state)
{
    (void)state;
    struct rig rig;
    rig_open(&rig, OE_PERMISSIVE);
    uint64_t ticket = rig_to_checking(&rig, "@bob.example.net", SG_B);
    rig_delegation(&rig, ticket, rig_answer(&rig, DISCOVERED_ABSENT));
    rig_expect_accepted(&rig, true);
    rig_expect_state(&rig, ticket, OE_ST_PENDING);
    rig_close(&rig);

    /* But not for another's address, and not if DNS was silent. */
    rig_open(&rig, OE_PERMISSIVE);
    ticket = rig_to_checking(&rig, "@bob.example.net", BOB);
    rig_delegation(&rig, ticket, rig_answer(&rig, DISCOVERED_ABSENT));
    rig_expect_answer(&rig, false);
    rig_close(&rig);
    rig_open(&rig, OE_PERMISSIVE);
    ticket = rig_to_checking(&rig, "@bob.example.net", SG_B);
    rig_delegation(&rig, ticket, rig_answer(&rig, DISCOVERED_TIMEOUT));
    rig_expect_answer(&rig, false);
    rig_close(&rig);
}

/*
 * OE-163: behind a NAT a peer speaks for no private address, nor for the one that the NAT shares
 * out; for a public client it is asked what DNS says, as any other.
 */
static void test_behind_nat(void **state)
{
    (void)state;
    static const char *const private[] = {"10.9.0.4",    "172.16.0.1", "172.31.255.255",
                                          "192.168.1.1", "100.64.0.1", "100.127.255.255"};
    struct rig rig;
    for (size_t i = 0; i < CHECK_COUNT(private); i++) {
        for (unsigned nat = 0; nat < 2; nat++) {
            rig_open(&rig, OE_PERMISSIVE);
            rig.behind_nat = nat;
            uint64_t ticket = rig_to_authenticated(&rig, "@gw.example.net");
            rig_propose(&rig, "@gw.example.net", private[i], 1);
            if (nat) {
                assert_int_equal(rig.warnings, 1);
                rig_expect_answer(&rig, false);
                rig_expect_state(&rig, ticket, OE_ST_NONEXISTENT);
            } else { /* a network of private addresses with a DNS of its own */
                rig_expect(&rig, OE_FX_LOOKUP_DELEGATION);
            }
            rig_expect_none(&rig);
            rig_close(&rig);
        }
    }
    rig_open(&rig, OE_PERMISSIVE);
    rig.behind_nat = true;
    uint64_t ticket = rig_to_checking(&rig, "@bob.example.net", SG_B);
    rig_delegation(&rig, ticket, rig_answer(&rig, DISCOVERED_ABSENT));
    rig_expect_answer(&rig, false);
    ticket = rig_to_checking(&rig, "@bob.example.net", "172.32.0.1");
    struct delegation *d = rig_gateways(&rig, 1);
    d->gateways[0].id = test_id("@bob.example.net");
    rig_delegation(&rig, ticket, d);
    rig_expect_accepted(&rig, true);
    rig_close(&rig);
}

/* OE-146, OE-158: a name in the delegation authorizes who comes by that name. */
static void test_named_gateway(void **state)
{
    (void)state;
    struct rig rig;
    rig_open(&rig, OE_PERMISSIVE);
    uint64_t ticket = rig_to_checking(&rig, "@gw.example.net", BOB);
    struct delegation *d = rig_gateways(&rig, 1);
    d->gateways[0].id = test_id("@gw.example.net");
    rig_delegation(&rig, ticket, d);
    rig_expect_accepted(&rig, true);
    rig_close(&rig);
}

/* OE-183, OE-091: every way in which DNS may fail to stand behind the peer. No policy is touched.
 */
static void test_not_authorized(void **state)
{
    (void)state;
    enum { OTHER_GATEWAY, OTHER_KEY, ABSENT, MALFORMED, BOGUS, TIMEOUT, LOST, WAYS };
    static const enum discovered statuses[WAYS] = {
        [ABSENT] = DISCOVERED_ABSENT,
        [MALFORMED] = DISCOVERED_MALFORMED,
        [BOGUS] = DISCOVERED_BOGUS,
        [TIMEOUT] = DISCOVERED_TIMEOUT,
    };
    for (int way = 0; way < WAYS; way++) {
        struct rig rig;
        rig_open(&rig, OE_PERMISSIVE);
        uint64_t existing = rig_to_keyed(&rig);
        uint64_t ticket = rig_to_checking(&rig, SG_B, BOB);
        struct delegation *d = rig_gateways(&rig, 1);
        if (way == OTHER_GATEWAY)
            d->gateways[0].id = test_id(SG_D);
        else if (way == OTHER_KEY)
            d->gateways[0].keys[0] = test_key(2);
        else
            d = rig_answer(&rig, statuses[way]);
        if (way == LOST)
            rig_advance(&rig, LIMIT_LOOKUP_MS + 2000);
        else
            rig_delegation(&rig, ticket, d);
        rig_expect_answer(&rig, false);
        rig_expect_none(&rig);
        rig_expect_state(&rig, ticket, OE_ST_NONEXISTENT);
        rig_expect_state(&rig, existing, OE_ST_KEYED);
        assert_int_equal(rig.warnings, 1);
        rig_close(&rig);
    }
}

/* OE-007 */
static void test_unsigned_authority(void **state)
{
    (void)state;
    for (int require = 0; require < 2; require++) {
        struct rig rig;
        struct ip_addr own = test_addr(SG_A);
        struct oe_config config = {.fallback = OE_PERMISSIVE,
                                   .own = &own,
                                   .own_count = 1,
                                   .require_dnssec = require};
        rig_open_config(&rig, &config);
        uint64_t ticket = rig_to_checking(&rig, SG_B, BOB);
        struct delegation *d = rig_gateways(&rig, 1);
        d->secure = false;
        rig_delegation(&rig, ticket, d);
        if (require)
            rig_expect_answer(&rig, false);
        else
            rig_expect_accepted(&rig, true);
        rig_close(&rig);
    }
}

/* OE-166, OE-167: any gateway listed may come, whatever its precedence. */
static void test_second_gateway_comes(void **state)
{
    (void)state;
    struct rig rig;
    rig_open(&rig, OE_PERMISSIVE);
    uint64_t ticket = rig_to_checking(&rig, SG_B, BOB);
    struct delegation *d = rig_gateways(&rig, 2);
    d->gateways[0].id = test_id(SG_D);
    d->gateways[1].id = test_id(SG_B);
    d->gateways[1].keys[0] = test_key(1);
    rig_delegation(&rig, ticket, d);
    rig_expect_accepted(&rig, true);
    rig_close(&rig);
}

/* The peer breaks off, or falls silent, after it was accepted. */
static void test_peer_does_not_finish(void **state)
{
    (void)state;
    struct rig rig;
    rig_open(&rig, OE_PERMISSIVE);
    uint64_t ticket = rig_to_accepted(&rig, BOB);
    rig_child_failed(&rig, ticket, IKE_FAILURE_SILENT);
    rig_expect(&rig, OE_FX_POLICY_REMOVE);
    rig_expect_state(&rig, ticket, OE_ST_NONEXISTENT);
    ticket = rig_to_accepted(&rig, BOB);
    rig_advance(&rig, 120000);
    rig_expect(&rig, OE_FX_POLICY_REMOVE);
    rig_expect_state(&rig, ticket, OE_ST_NONEXISTENT);
    rig_expect_none(&rig);
    rig_close(&rig);
}

/* OE-088, OE-089: the newest verified and completed connection takes the flow, from any state. */
static void test_newest_wins(void **state)
{
    (void)state;
    enum { OVER_POTENTIAL, OVER_PENDING, OVER_CLEAR, OVER_DENY, OVER_EXPIRING_CLEAR, WAYS };
    for (int way = 0; way < WAYS; way++) {
        struct rig rig;
        uint64_t old;
        rig_open(&rig, way == OVER_DENY ? OE_PARANOID : OE_PERMISSIVE);
        if (way == OVER_POTENTIAL)
            old = rig_to_potential(&rig);
        else if (way == OVER_PENDING)
            old = rig_to_pending(&rig, 2);
        else
            old = rig_to_settled(&rig);
        uint64_t ticket = rig_to_accepted(&rig, BOB);
        if (way == OVER_EXPIRING_CLEAR)
            rig_to_expiring(&rig, old);
        rig_child_up(&rig, ticket, SG_B, 0x3001, 0x4001);
        if (way == OVER_PENDING)
            assert_int_equal(rig_expect(&rig, OE_FX_IKE_CANCEL)->ticket, old);
        const struct oe_effect *fx = rig_expect(&rig, OE_FX_POLICY);
        assert_int_equal(fx->verdict, OE_VERDICT_ENCRYPT);
        assert_int_equal(fx->ticket, ticket);
        rig_expect_none(&rig);
        rig_expect_state(&rig, old, OE_ST_NONEXISTENT);
        rig_expect_state(&rig, ticket, OE_ST_KEYED);
        rig_close(&rig);
    }
}

/* OE-168: what a newer tunnel supersedes goes on accepting, and is cleared up later (OE-109). */
static void test_superseded_tunnel_lingers(void **state)
{
    (void)state;
    enum { KEYED, EXPIRING, REKEYING, WAYS };
    for (int way = 0; way < WAYS; way++) {
        struct rig rig;
        struct ip_pair flow = rig_flow(ALICE, BOB);
        struct oe_instance_info info;
        rig_open(&rig, OE_PERMISSIVE);
        uint64_t old = rig_to_keyed(&rig);
        if (way == REKEYING) {
            rig_expire(&rig, old, false, 0x2001);
            rig_expect(&rig, OE_FX_LOOKUP_DELEGATION);
            rig_delegation(&rig, old, rig_gateways(&rig, 1));
            rig_expect(&rig, OE_FX_IKE_INITIATE);
        } else if (way == EXPIRING) {
            rig_to_expiring(&rig, old);
        } else {
            rig.now = mono_add(rig.now, 31000); /* long enough not to have crossed */
        }
        uint64_t ticket = rig_to_accepted(&rig, BOB);
        rig_child_up(&rig, ticket, SG_B, 0x3001, 0x4001);
        if (way == REKEYING)
            rig_expect(&rig, OE_FX_IKE_CANCEL);
        rig_expect_policy(&rig, OE_VERDICT_ENCRYPT);
        rig_expect_none(&rig);
        rig_expect_state(&rig, old, OE_ST_EXPIRED);
        assert_true(oe_instance_find(rig.oe, &flow, &info));
        assert_int_equal(info.ticket, ticket);
        if (way == KEYED) { /* the peer's Delete, as after its re-key */
            rig_child_deleted(&rig, old, 0x1001, 0x2001);
        } else if (way == EXPIRING) {
            rig_expire(&rig, old, true, 0x2001);
            assert_int_equal(rig_expect(&rig, OE_FX_IKE_DELETE)->ticket, old);
            rig_child_deleted(&rig, old, 0x1001, 0x2001);
        } else {
            /* The new tunnel is looked at meanwhile, and is in use. */
            rig_to_expiring(&rig, ticket);
            rig_last_use(&rig, ticket, 0);
            rig_advance(&rig, 1140000);
            assert_int_equal(rig_expect(&rig, OE_FX_IKE_DELETE)->ticket, old);
            rig_expect_state(&rig, old, OE_ST_EXPIRED);
            rig_advance(&rig, 40000);
        }
        rig_expect_state(&rig, old, OE_ST_NONEXISTENT);
        rig_forget_effects(&rig);
        assert_true(oe_instance_find(rig.oe, &flow, &info));
        rig_close(&rig);
    }
}

/* Both began at once. SG-A is the lower address, so SG-B's tunnel carries the flow at both ends. */
static void test_crossing_lower_yields(void **state)
{
    (void)state;
    struct rig rig;
    rig_open(&rig, OE_PERMISSIVE);
    uint64_t own = rig_to_keyed(&rig);
    uint64_t ticket = rig_to_accepted(&rig, BOB);
    rig_child_up(&rig, ticket, SG_B, 0x3001, 0x4001);
    rig_expect_policy(&rig, OE_VERDICT_ENCRYPT);
    rig_expect_state(&rig, own, OE_ST_EXPIRED);
    rig_expect_state(&rig, ticket, OE_ST_KEYED);
    rig_close(&rig);
}

static void test_crossing_higher_stays(void **state)
{
    (void)state;
    struct rig rig;
    struct ip_addr own_addr = test_addr("192.1.1.9");
    struct oe_config config = {.fallback = OE_PERMISSIVE, .own = &own_addr, .own_count = 1};
    rig_open_config(&rig, &config);
    rig_acquire(&rig);
    rig_forget_effects(&rig);
    rig_delegation(&rig, 1, rig_gateways(&rig, 1));
    rig_expect(&rig, OE_FX_IKE_INITIATE);
    rig_child_up(&rig, 1, SG_B, 0x1001, 0x2001);
    rig_expect_policy(&rig, OE_VERDICT_ENCRYPT);
    uint64_t ticket = rig_to_accepted(&rig, BOB);
    rig_child_up(&rig, ticket, SG_B, 0x3001, 0x4001);
    rig_expect_none(&rig);
    rig_expect_state(&rig, 1, OE_ST_KEYED);
    rig_expect_state(&rig, ticket, OE_ST_EXPIRED);
    rig_close(&rig);
}

/* A peer whose keys are still at hand in ike is authenticated without asking. */
static void test_authenticated_without_question(void **state)
{
    (void)state;
    struct rig rig;
    rig_open(&rig, OE_PERMISSIVE);
    rig_input(&rig, (struct oe_event){.kind = OE_EV_PEER_AUTHENTICATED,
                                      .peer = test_addr(SG_B),
                                      .peer_id = test_id(SG_B)});
    rig_expect_state(&rig, 1, OE_ST_AUTHENTICATED_PEER);
    rig_propose(&rig, SG_B, BOB, 1);
    assert_int_equal(rig_expect(&rig, OE_FX_LOOKUP_DELEGATION)->ticket, 1);
    rig_close(&rig);
}

/* The responder's own re-key, once its tunnel needs one. */
static void test_responder_rekeys(void **state)
{
    (void)state;
    struct rig rig;
    rig_open(&rig, OE_PERMISSIVE);
    uint64_t ticket = rig_to_answered_keyed(&rig);
    rig_expire(&rig, ticket, false, 0x4001);
    rig_expect(&rig, OE_FX_LOOKUP_DELEGATION);
    rig_delegation(&rig, ticket, rig_gateways(&rig, 1));
    rig_expect(&rig, OE_FX_IKE_INITIATE);
    rig_child_up(&rig, ticket, SG_B, 0x3002, 0x4002);
    rig_expect_policy(&rig, OE_VERDICT_ENCRYPT);
    rig_close(&rig);
}

/* One address can't fill the engine with unfinished peers (OE-194). */
static void test_peers_are_bounded(void **state)
{
    (void)state;
    struct rig rig;
    size_t count = 0, refused = 0;
    struct oe_instance_info info;
    rig_open(&rig, OE_PERMISSIVE);
    for (uint64_t i = 1; i <= 100; i++)
        rig_input(&rig, (struct oe_event){.kind = OE_EV_PEER_UNKNOWN,
                                          .serial = i,
                                          .peer = test_addr(SG_B),
                                          .peer_id = test_id(SG_B)});
    while (oe_instance_info(rig.oe, count, &info))
        count++;
    assert_int_equal(count, 32);
    while (rig.taken < rig.count) {
        const struct oe_effect *fx = &rig.effects[rig.taken++];
        if (fx->kind == OE_FX_IKE_PEER_KEYS) {
            assert_int_equal(fx->serial, ++refused); /* the oldest first */
            assert_false(fx->ok);
        }
    }
    assert_int_equal(refused, 68);
    rig_close(&rig);
}

const struct CMUnitTest oe_responder_cases[] = {
    cmocka_unit_test(test_thin_path),
    cmocka_unit_test(test_no_key),
    cmocka_unit_test(test_unsigned_key),
    cmocka_unit_test(test_peer_without_answer),
    cmocka_unit_test(test_class_refuses),
    cmocka_unit_test(test_unusable_source),
    cmocka_unit_test(test_peer_for_itself),
    cmocka_unit_test(test_not_ours),
    cmocka_unit_test(test_ours),
    cmocka_unit_test(test_unvouched_peer),
    cmocka_unit_test(test_named_host_for_itself),
    cmocka_unit_test(test_behind_nat),
    cmocka_unit_test(test_named_gateway),
    cmocka_unit_test(test_not_authorized),
    cmocka_unit_test(test_unsigned_authority),
    cmocka_unit_test(test_second_gateway_comes),
    cmocka_unit_test(test_peer_does_not_finish),
    cmocka_unit_test(test_newest_wins),
    cmocka_unit_test(test_superseded_tunnel_lingers),
    cmocka_unit_test(test_crossing_lower_yields),
    cmocka_unit_test(test_crossing_higher_stays),
    cmocka_unit_test(test_authenticated_without_question),
    cmocka_unit_test(test_responder_rekeys),
    cmocka_unit_test(test_peers_are_bounded),
};
const size_t oe_responder_case_count = CHECK_COUNT(oe_responder_cases);
