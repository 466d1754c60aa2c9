/* Section 3.2: from acquire to a lasting state. */
#include "oe_cases.h"

/* OE-002, OE-178, OE-043, OE-044: no lookup, no keying. */
static void test_class_decides(void **state)
{
    (void)state;
    struct rig rig;

    rig_open(&rig, OE_ALWAYS_CLEAR);
    rig_acquire(&rig);
    rig_expect_policy(&rig, OE_VERDICT_PASS);
    rig_expect_none(&rig);
    rig_expect_state(&rig, 1, OE_ST_CLEAR);
    rig_expect_reason(&rig, 1, "policy");
    rig_close(&rig);

    rig_open(&rig, OE_DENY);
    rig_acquire(&rig);
    rig_expect_policy(&rig, OE_VERDICT_DENY);
    rig_expect_none(&rig);
    rig_expect_state(&rig, 1, OE_ST_DENY);
    rig_close(&rig);
}

static void test_own_destination(void **state)
{
    (void)state;
    struct rig rig;
    rig_open(&rig, OE_PARANOID);
    rig_input(&rig, (struct oe_event){.kind = OE_EV_ACQUIRE, .flow = rig_flow(ALICE, SG_A)});
    rig_expect_policy(&rig, OE_VERDICT_PASS);
    rig_expect_state(&rig, 1, OE_ST_CLEAR);
    rig_close(&rig);
}

/* OE-040, OE-041, OE-046, OE-047, OE-048, OE-057, OE-058, OE-068 and the trace of the changes. */
static void test_thin_path(void **state)
{
    (void)state;
    struct rig rig;
    struct oe_instance_info info;
    struct ip_pair flow = rig_flow(ALICE, BOB);

    rig_open(&rig, OE_PERMISSIVE);
    uint64_t ticket = rig_to_potential(&rig);
    assert_string_equal(rig.last.title, "Nonexistent -> Potential OE");
    assert_int_equal(rig.last.connection, ticket);
    assert_true(ip_pair_equal(&rig.last.flow, &flow));
    rig_delegation(&rig, ticket, rig_gateways(&rig, 1));
    assert_string_equal(rig.last.title, "Potential OE -> Pending OE");
    assert_non_null(strstr(rig.last.detail, SG_B));
    rig_expect(&rig, OE_FX_IKE_INITIATE);
    /* A phase 1 SA alone is no success. */
    rig_input(&rig, (struct oe_event){.kind = OE_EV_PEER_AUTHENTICATED,
                                      .peer = test_addr(SG_B),
                                      .initiator = true});
    rig_expect_none(&rig);
    rig_expect_state(&rig, ticket, OE_ST_PENDING);
    rig_child_up(&rig, ticket, SG_B, 0x1001, 0x2001);
    rig_expect_policy(&rig, OE_VERDICT_ENCRYPT);
    assert_true(oe_instance_find(rig.oe, &flow, &info));
    assert_int_equal(info.state, OE_ST_KEYED);
    assert_int_equal(info.verdict, OE_VERDICT_ENCRYPT);
    assert_true(info.secure && info.dns_asked && !info.responder);
    assert_int_equal(info.spi_out.value, 0x2001);
    struct identity sg_b = test_id(SG_B);
    assert_true(identity_equal(&info.peer_id, &sg_b));
    assert_non_null(strstr(info.reason, "authenticated"));
    assert_int_equal(rig.warnings, 0);
    rig_close(&rig);
}

/* OE-006: without DNSSEC it is anonymous encryption. */
static void test_unsigned_is_anonymous(void **state)
{
    (void)state;
    struct rig rig;
    struct oe_instance_info info;

    rig_open(&rig, OE_PERMISSIVE);
    uint64_t ticket = rig_to_potential(&rig);
    struct delegation *d = rig_gateways(&rig, 1);
    d->secure = false;
    rig_delegation(&rig, ticket, d);
    rig_expect(&rig, OE_FX_IKE_INITIATE);
    rig_child_up(&rig, ticket, SG_B, 1000, 2000);
    rig_expect_policy(&rig, OE_VERDICT_ENCRYPT);
    rig_expect_reason(&rig, ticket, "anonymous");
    assert_true(rig_info(&rig, ticket, &info));
    assert_false(info.secure);
    rig_close(&rig);
}

/* OE-007: ... unless policy wants nothing unsigned; then it counts as absent. */
static void test_require_dnssec(void **state)
{
    (void)state;
    struct rig rig;
    struct ip_addr own = test_addr(SG_A);
    struct oe_config config = {
        .fallback = OE_PERMISSIVE, .own = &own, .own_count = 1, .require_dnssec = true};

    rig_open_config(&rig, &config);
    uint64_t ticket = rig_to_potential(&rig);
    struct delegation *d = rig_gateways(&rig, 1);
    d->secure = false;
    rig_delegation(&rig, ticket, d);
    rig_expect_policy(&rig, OE_VERDICT_PASS);
    rig_expect_state(&rig, ticket, OE_ST_CLEAR);
    rig_expect_reason(&rig, ticket, "not signed");
    rig_close(&rig);
}

/* OE-050, OE-051, OE-052, OE-003, OE-170 */
static void test_delegation_statuses(void **state)
{
    (void)state;
    static const struct {
        enum oe_class_kind class;
        enum discovered status;
        enum oe_state want;
        bool warning;
    } cases[] = {
        {OE_PERMISSIVE, DISCOVERED_ABSENT, OE_ST_CLEAR, false},
        {OE_PARANOID, DISCOVERED_ABSENT, OE_ST_DENY, false},
        {OE_PERMISSIVE, DISCOVERED_TIMEOUT, OE_ST_CLEAR, false},
        {OE_PARANOID, DISCOVERED_TIMEOUT, OE_ST_DENY, false},
        {OE_PERMISSIVE, DISCOVERED_MALFORMED, OE_ST_DENY, true},
        {OE_PARANOID, DISCOVERED_MALFORMED, OE_ST_DENY, true},
        {OE_PERMISSIVE, DISCOVERED_BOGUS, OE_ST_DENY, true},
        {OE_PARANOID, DISCOVERED_BOGUS, OE_ST_DENY, true},
    };
    for (size_t i = 0; i < CHECK_COUNT(cases); i++) {
        struct rig rig;
        rig_open(&rig, cases[i].class);
        uint64_t ticket = rig_to_potential(&rig);
        rig_delegation(&rig, ticket, rig_answer(&rig, cases[i].status));
        rig_expect_policy(&rig, cases[i].want == OE_ST_CLEAR ? OE_VERDICT_PASS : OE_VERDICT_DENY);
        rig_expect_state(&rig, ticket, cases[i].want);
        rig_expect_reason(&rig, ticket, "DNS says so");
        assert_int_equal(rig.warnings != 0, cases[i].warning);
        rig_close(&rig);
    }
}

/* OE-053: an always-clear line for the flow overrides, since nothing is looked up at all. */
static void test_clear_class_overrides(void **state)
{
    (void)state;
    struct rig rig;
    struct oe_class classes[] = {{.kind = OE_PERMISSIVE}, {.kind = OE_ALWAYS_CLEAR}};
    struct oe_config config = {.classes = classes, .class_count = 2, .fallback = OE_DENY};

    assert_true(ip_prefix_parse("0.0.0.0/0", &classes[0].destination));
    assert_true(ip_prefix_parse(BOB, &classes[1].destination));
    rig_open_config(&rig, &config);
    rig_acquire(&rig);
    rig_expect_policy(&rig, OE_VERDICT_PASS);
    rig_expect_none(&rig);
    /* OE-042: what no line matches gets the default. */
    rig_input(&rig, (struct oe_event){.kind = OE_EV_ACQUIRE,
                                      .flow = rig_flow("2001:db8::1", "2001:db8::2")});
    rig_expect_policy(&rig, OE_VERDICT_DENY);
    rig_close(&rig);
}

/* OE-147, OE-164, OE-177, and gateways no packet could reach from here. */
static void test_nobody_to_contact(void **state)
{
    (void)state;
    static const char *const useless[] = {"@gw.example.net", "127.0.0.1", "224.0.0.5"};
    for (size_t i = 0; i < CHECK_COUNT(useless); i++) {
        struct rig rig;
        rig_open(&rig, OE_PERMISSIVE);
        uint64_t ticket = rig_to_potential(&rig);
        struct delegation *d = rig_gateways(&rig, 1);
        d->gateways[0].id = test_id(useless[i]);
        rig_delegation(&rig, ticket, d);
        rig_expect_policy(&rig, OE_VERDICT_PASS);
        rig_expect_reason(&rig, ticket, "only initiates");
        rig_close(&rig);
    }
    struct rig rig;
    rig_open(&rig, OE_PERMISSIVE);
    uint64_t ticket = rig_to_potential(&rig);
    struct delegation *d = rig_gateways(&rig, 2);
    d->gateways[0].id = test_id("@gw.example.net");
    rig_delegation(&rig, ticket, d);
    struct ip_addr sg_d = test_addr(SG_D);
    assert_true(ip_addr_equal(&rig_expect(&rig, OE_FX_IKE_INITIATE)->peer, &sg_d));
    rig_close(&rig);
}

static void test_client_of_ours(void **state)
{
    (void)state;
    static const enum oe_class_kind classes[] = {OE_PERMISSIVE, OE_PARANOID};
    for (size_t i = 0; i < 2; i++) {
        struct rig rig;
        rig_open(&rig, classes[i]);
        uint64_t ticket = rig_to_potential(&rig);
        struct delegation *d = rig_gateways(&rig, 2);
        d->gateways[1].id = test_id(SG_A);
        rig_delegation(&rig, ticket, d);
        rig_expect_policy(&rig, i == 0 ? OE_VERDICT_PASS : OE_VERDICT_DENY);
        rig_expect_reason(&rig, ticket, "client of this gateway");
        rig_close(&rig);
    }
}

/* discover answers every request; should one be lost all the same, nothing hangs. */
static void test_lookup_lost(void **state)
{
    (void)state;
    static const enum oe_class_kind classes[] = {OE_PERMISSIVE, OE_PARANOID};
    for (size_t i = 0; i < 2; i++) {
        struct rig rig;
        rig_open(&rig, classes[i]);
        uint64_t ticket = rig_to_potential(&rig);
        rig_advance(&rig, LIMIT_LOOKUP_MS);
        rig_expect_state(&rig, ticket, OE_ST_POTENTIAL);
        /* OE-021: the plane asks again; nothing new is begun. */
        rig_acquire(&rig);
        rig_expect_policy(&rig, OE_VERDICT_HOLD);
        rig_advance(&rig, 2000);
        rig_expect_policy(&rig, i == 0 ? OE_VERDICT_PASS : OE_VERDICT_DENY);
        rig_expect_reason(&rig, ticket, "lost");
        rig_delegation(&rig, ticket, rig_gateways(&rig, 1));
        rig_expect_none(&rig);
        rig_close(&rig);
    }
}

/* OE-059: failure only after every gateway was tried, in the order given. */
static void test_next_gateway(void **state)
{
    (void)state;
    struct rig rig;
    struct ip_addr sg_d = test_addr(SG_D);
    struct public_key key = test_key(2);

    rig_open(&rig, OE_PERMISSIVE);
    uint64_t ticket = rig_to_pending(&rig, 2);
    rig_child_failed(&rig, ticket, IKE_FAILURE_SILENT);
    const struct oe_effect *fx = rig_expect(&rig, OE_FX_IKE_INITIATE);
    assert_true(ip_addr_equal(&fx->peer, &sg_d));
    assert_true(public_key_equal(fx->keys, &key));
    rig_expect_state(&rig, ticket, OE_ST_PENDING);
    rig_expect_reason(&rig, ticket, SG_B " does not answer");
    rig_acquire(&rig);
    rig_expect_policy(&rig, OE_VERDICT_HOLD);
    rig_child_failed(&rig, ticket, IKE_FAILURE_REFUSED);
    rig_expect_policy(&rig, OE_VERDICT_PASS);
    rig_expect_state(&rig, ticket, OE_ST_CLEAR);
    rig_expect_reason(&rig, ticket, SG_D " refuses");
    rig_close(&rig);
}

/* OE-060, OE-062, OE-063, OE-065, OE-067, OE-172: what follows, for how long, and a clear warning.
 */
static void test_failures(void **state)
{
    (void)state;
    static const struct {
        enum ike_failure failure;
        int64_t lifespan_s;
    } cases[] = {
        {IKE_FAILURE_SILENT, 60},
        {IKE_FAILURE_REFUSED, 1200},
        {IKE_FAILURE_SIGNATURE, 1000},
        {IKE_FAILURE_OTHER, 1200},
    };
    for (size_t i = 0; i < 2 * CHECK_COUNT(cases); i++) {
        struct rig rig;
        struct oe_instance_info info;
        bool paranoid = i % 2;
        rig_open(&rig, paranoid ? OE_PARANOID : OE_PERMISSIVE);
        uint64_t ticket = rig_to_pending(&rig, 1);
        rig_child_failed(&rig, ticket, cases[i / 2].failure);
        rig_expect_policy(&rig, paranoid ? OE_VERDICT_DENY : OE_VERDICT_PASS);
        rig_expect_state(&rig, ticket, paranoid ? OE_ST_DENY : OE_ST_CLEAR);
        rig_expect_reason(&rig, ticket, SG_B);
        rig_expect_reason(&rig, ticket, "as the test wants");
        assert_true(rig_info(&rig, ticket, &info));
        assert_int_equal(mono_since(info.next_check, rig.now), 1000 * cases[i / 2].lifespan_s);
        assert_int_equal(rig.warnings, 1);
        /* In use at that time, keying is tried anew while the flow keeps its policy. */
        rig_to_expiring(&rig, ticket);
        rig_last_use(&rig, ticket, 0);
        assert_int_equal(rig_expect(&rig, OE_FX_LOOKUP_DELEGATION)->purpose, PURPOSE_RECHECK);
        rig_delegation(&rig, ticket, rig_gateways(&rig, 1));
        rig_expect(&rig, OE_FX_IKE_INITIATE);
        rig_expect_state(&rig, ticket, OE_ST_PENDING);
        rig_expect_none(&rig);
        rig_close(&rig);
    }
}

/* Several gateways, several failures: the one that is tried again soonest decides. */
static void test_mixed_failures(void **state)
{
    (void)state;
    struct rig rig;
    struct oe_instance_info info;
    rig_open(&rig, OE_PERMISSIVE);
    uint64_t ticket = rig_to_pending(&rig, 2);
    rig_child_failed(&rig, ticket, IKE_FAILURE_SILENT);
    rig_expect(&rig, OE_FX_IKE_INITIATE);
    rig_child_failed(&rig, ticket, IKE_FAILURE_SIGNATURE);
    rig_expect_policy(&rig, OE_VERDICT_PASS);
    assert_true(rig_info(&rig, ticket, &info));
    assert_int_equal(mono_since(info.next_check, rig.now), 60000);
    rig_close(&rig);
}

/* A signature failure with key data that is about to expire still waits the low lifespan. */
static void test_signature_failure_short_ttl(void **state)
{
    (void)state;
    struct rig rig;
    struct oe_instance_info info;
    rig_open(&rig, OE_PERMISSIVE);
    uint64_t ticket = rig_to_potential(&rig);
    struct delegation *d = rig_gateways(&rig, 1);
    d->expires = mono_add(rig.now, 10);
    rig_delegation(&rig, ticket, d);
    rig_expect(&rig, OE_FX_IKE_INITIATE);
    rig_child_failed(&rig, ticket, IKE_FAILURE_SIGNATURE);
    rig_expect_policy(&rig, OE_VERDICT_PASS);
    assert_true(rig_info(&rig, ticket, &info));
    assert_int_equal(mono_since(info.next_check, rig.now), 60000);
    rig_close(&rig);
}

/* Should ike never answer, its request is withdrawn and counts as silence. */
static void test_keying_overdue(void **state)
{
    (void)state;
    struct rig rig;
    rig_open(&rig, OE_PARANOID);
    uint64_t ticket = rig_to_pending(&rig, 1);
    rig_advance(&rig, 120000);
    assert_int_equal(rig_expect(&rig, OE_FX_IKE_CANCEL)->ticket, ticket);
    rig_expect_policy(&rig, OE_VERDICT_DENY);
    rig_expect_state(&rig, ticket, OE_ST_DENY);
    /* A tunnel nobody waits for any more is taken down. */
    assert_int_equal(rig_child_up(&rig, 999, SG_B, 1000, 2000), ERR_UNKNOWN);
    assert_int_equal(rig_expect(&rig, OE_FX_IKE_DELETE)->ticket, 999);
    rig_close(&rig);
}

/* The plane forgot what it was told. */
static void test_repeated_acquire(void **state)
{
    (void)state;
    static const enum oe_class_kind classes[] = {OE_PERMISSIVE, OE_PARANOID};
    struct rig rig;
    for (size_t i = 0; i < 2; i++) {
        rig_open(&rig, classes[i]);
        rig_to_settled(&rig);
        rig_acquire(&rig);
        rig_expect_policy(&rig, i == 0 ? OE_VERDICT_PASS : OE_VERDICT_DENY);
        rig_close(&rig);
    }
    rig_open(&rig, OE_PERMISSIVE);
    uint64_t ticket = rig_to_keyed(&rig);
    struct oe_instance_info before, after;
    assert_true(rig_info(&rig, ticket, &before));
    rig_advance(&rig, 10000);
    rig_acquire(&rig);
    const struct oe_effect *fx = rig_expect(&rig, OE_FX_POLICY);
    assert_int_equal(fx->verdict, OE_VERDICT_ENCRYPT);
    assert_int_equal(fx->spi_out.value, 0x2001);
    assert_true(rig_info(&rig, ticket, &after));
    assert_int_equal(before.next_check.ms, after.next_check.ms);
    rig_close(&rig);
}

/* OE-070: soft expiry keeps the policy; OE-101: and the lifespan. */
static void test_rekey(void **state)
{
    (void)state;
    struct rig rig;
    struct oe_instance_info before, after;

    rig_open(&rig, OE_PERMISSIVE);
    uint64_t ticket = rig_to_keyed(&rig);
    assert_true(rig_info(&rig, ticket, &before));
    rig_advance(&rig, 30000);
    rig_expire(&rig, ticket, false, 0x9999); /* of some other SA */
    rig_expect_state(&rig, ticket, OE_ST_KEYED);
    rig_expire(&rig, ticket, false, 0x2001);
    rig_expect(&rig, OE_FX_LOOKUP_DELEGATION);
    rig_expect_state(&rig, ticket, OE_ST_PENDING);
    rig_delegation(&rig, ticket, rig_gateways(&rig, 1));
    rig_expect(&rig, OE_FX_IKE_INITIATE);
    rig_expect_none(&rig);
    assert_true(rig_info(&rig, ticket, &after));
    assert_int_equal(after.verdict, OE_VERDICT_ENCRYPT);
    rig_child_up(&rig, ticket, SG_B, 0x1002, 0x2002);
    /* OE-108 */
    assert_int_equal(rig_expect(&rig, OE_FX_POLICY)->spi_out.value, 0x2002);
    rig_expect_state(&rig, ticket, OE_ST_KEYED);
    assert_true(rig_info(&rig, ticket, &after));
    assert_int_equal(after.next_check.ms, before.next_check.ms);
    /* OE-109: the leftover's end is no news. */
    rig_child_deleted(&rig, ticket, 0x1001, 0x2001);
    rig_expire(&rig, ticket, true, 0x2001);
    rig_expect_none(&rig);
    rig_expect_state(&rig, ticket, OE_ST_KEYED);
    rig_close(&rig);
}

/* OE-071: a failed re-key changes nothing before the hard expiry; OE-031: which means hold. */
static void test_rekey_fails(void **state)
{
    (void)state;
    struct rig rig;
    rig_open(&rig, OE_PERMISSIVE);
    uint64_t ticket = rig_to_keyed(&rig);
    rig_expire(&rig, ticket, false, 0x2001);
    rig_expect(&rig, OE_FX_LOOKUP_DELEGATION);
    rig_delegation(&rig, ticket, rig_gateways(&rig, 1));
    rig_expect(&rig, OE_FX_IKE_INITIATE);
    rig_child_failed(&rig, ticket, IKE_FAILURE_SILENT);
    rig_expect_none(&rig);
    rig_expect_state(&rig, ticket, OE_ST_KEYED);
    rig_expect_reason(&rig, ticket, "stays until its keys expire");
    rig_expire(&rig, ticket, true, 0x2001);
    rig_expect(&rig, OE_FX_IKE_DELETE);
    rig_expect_policy(&rig, OE_VERDICT_HOLD);
    assert_int_equal(rig_expect(&rig, OE_FX_LOOKUP_DELEGATION)->purpose, PURPOSE_INITIATE);
    rig_expect_state(&rig, ticket, OE_ST_POTENTIAL);
    rig_child_deleted(&rig, ticket, 0x1001, 0x2001);
    rig_expect_state(&rig, ticket, OE_ST_POTENTIAL);
    rig_delegation(&rig, ticket, rig_gateways(&rig, 1));
    rig_expect(&rig, OE_FX_IKE_INITIATE);
    rig_child_up(&rig, ticket, SG_B, 0x1002, 0x2002);
    rig_expect_policy(&rig, OE_VERDICT_ENCRYPT);
    rig_close(&rig);
}

/* The lookup of a re-key: no answer, a useless one, or none in time. */
static void test_rekey_lookup_fails(void **state)
{
    (void)state;
    struct rig rig;
    rig_open(&rig, OE_PERMISSIVE);
    uint64_t ticket = rig_to_keyed(&rig);
    rig_expire(&rig, ticket, false, 0x2001);
    rig_expect(&rig, OE_FX_LOOKUP_DELEGATION);
    rig_delegation(&rig, ticket, rig_answer(&rig, DISCOVERED_TIMEOUT));
    rig_expect_none(&rig);
    rig_expect_state(&rig, ticket, OE_ST_KEYED);
    rig_expire(&rig, ticket, false, 0x2001);
    rig_expect(&rig, OE_FX_LOOKUP_DELEGATION);
    rig_advance(&rig, LIMIT_LOOKUP_MS + 2000);
    rig_expect_none(&rig);
    rig_expect_state(&rig, ticket, OE_ST_KEYED);
    rig_close(&rig);
}

/* The old tunnel may end before the new one is there. */
static void test_old_tunnel_ends_first(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 4; i++) {
        struct rig rig;
        bool deleted = i % 2, looking_up = i / 2;
        rig_open(&rig, OE_PERMISSIVE);
        uint64_t ticket = rig_to_keyed(&rig);
        rig_expire(&rig, ticket, false, 0x2001);
        rig_expect(&rig, OE_FX_LOOKUP_DELEGATION);
        if (!looking_up) {
            rig_delegation(&rig, ticket, rig_gateways(&rig, 1));
            rig_expect(&rig, OE_FX_IKE_INITIATE);
        }
        if (deleted)
            rig_child_deleted(&rig, ticket, 0x1001, 0x2001);
        else
            rig_expire(&rig, ticket, true, 0x2001);
        if (looking_up && !deleted)
            rig_expect(&rig, OE_FX_IKE_DELETE);
        rig_expect_policy(&rig, OE_VERDICT_HOLD);
        if (looking_up)
            rig_expect(&rig, OE_FX_LOOKUP_DELEGATION);
        rig_expect_none(&rig);
        rig_expect_state(&rig, ticket, looking_up ? OE_ST_POTENTIAL : OE_ST_PENDING);
        if (!looking_up) {
            rig_child_failed(&rig, ticket, IKE_FAILURE_SILENT);
            rig_expect_policy(&rig, OE_VERDICT_PASS);
        }
        rig_close(&rig);
    }
}

/* OE-069: the peer's Delete; ike has answered it already. */
static void test_peer_deletes(void **state)
{
    (void)state;
    struct rig rig;
    rig_open(&rig, OE_PERMISSIVE);
    uint64_t ticket = rig_to_keyed(&rig);
    rig_child_deleted(&rig, ticket, 0x1001, 0x2001);
    rig_expect(&rig, OE_FX_POLICY_REMOVE);
    rig_expect_none(&rig);
    rig_expect_state(&rig, ticket, OE_ST_NONEXISTENT);
    /* The next datagram begins anew. */
    assert_int_not_equal(rig_to_potential(&rig), ticket);
    rig_close(&rig);
}

/* OE-072, OE-073, OE-074 */
static void test_hints(void **state)
{
    (void)state;
    struct rig rig;
    struct oe_event hint = {.kind = OE_EV_HINT, .peer = test_addr(SG_B)};

    rig_open(&rig, OE_PERMISSIVE);
    assert_int_equal(rig_input(&rig, hint), ERR_LIMIT); /* a stranger */
    uint64_t ticket = rig_to_keyed(&rig);
    assert_int_equal(rig_input(&rig, hint), ERR_OK);
    rig_expect(&rig, OE_FX_LOOKUP_DELEGATION);
    rig_expect_none(&rig); /* no teardown */
    rig_expect_state(&rig, ticket, OE_ST_PENDING);
    rig_delegation(&rig, ticket, rig_gateways(&rig, 1));
    rig_expect(&rig, OE_FX_IKE_INITIATE);
    rig_child_up(&rig, ticket, SG_B, 0x1002, 0x2002);
    rig_expect_policy(&rig, OE_VERDICT_ENCRYPT);
    for (unsigned i = 0; i < 59; i++) {
        assert_int_equal(rig_input(&rig, hint), ERR_LIMIT);
        rig_expect_none(&rig);
        rig.now = mono_add(rig.now, 1000);
    }
    rig.now = mono_add(rig.now, 1000);
    assert_int_equal(rig_input(&rig, hint), ERR_OK);
    rig_expect(&rig, OE_FX_LOOKUP_DELEGATION);
    rig_close(&rig);
}

/* A hint re-keys a few of the peer's tunnels, the oldest first, not all at once. */
static void test_hint_is_bounded(void **state)
{
    (void)state;
    struct rig rig;
    struct oe_event hint = {.kind = OE_EV_HINT, .peer = test_addr(SG_B)};
    struct ip_pair flow = rig_flow(ALICE, BOB);

    rig_open(&rig, OE_PERMISSIVE);
    for (uint8_t i = 0; i < 20; i++) {
        flow.dst.octets[3] = i;
        rig_input(&rig, (struct oe_event){.kind = OE_EV_ADOPT,
                                          .flow = flow,
                                          .peer = test_addr(SG_B),
                                          .spi_in = {1000u + i},
                                          .spi_out = {2000u + i},
                                          .verdict = OE_VERDICT_ENCRYPT});
    }
    rig_expect_none(&rig);
    assert_int_equal(rig_input(&rig, hint), ERR_OK);
    for (uint8_t i = 0; i < 8; i++)
        assert_int_equal(rig_expect(&rig, OE_FX_LOOKUP_DELEGATION)->address.octets[3], i);
    rig_expect_none(&rig);
    rig_close(&rig);
}

/* A tunnel for IPv6 hosts through IPv4 gateways, and the other way round. */
static void test_families_mix(void **state)
{
    (void)state;
    struct rig rig;
    struct ip_addr v6 = test_addr("2001:db8:1::4"), v4 = test_addr(SG_A);
    rig_open(&rig, OE_PERMISSIVE);
    rig_input(&rig, (struct oe_event){.kind = OE_EV_ACQUIRE,
                                      .flow = rig_flow("2001:db8:a::1", "2001:db8:b::1")});
    rig_expect_policy(&rig, OE_VERDICT_HOLD);
    uint64_t ticket = rig_expect(&rig, OE_FX_LOOKUP_DELEGATION)->ticket;
    rig_delegation(&rig, ticket, rig_gateways(&rig, 1));
    const struct oe_effect *fx = rig_expect(&rig, OE_FX_IKE_INITIATE);
    assert_true(ip_addr_equal(&fx->local, &v4));

    ticket = rig_to_potential(&rig);
    struct delegation *d = rig_gateways(&rig, 1);
    d->gateways[0].id = test_id("2001:db8:2::5");
    rig_delegation(&rig, ticket, d);
    fx = rig_expect(&rig, OE_FX_IKE_INITIATE);
    assert_true(ip_addr_equal(&fx->local, &v6));
    rig_close(&rig);
}

/* A delegation of Bob by a forward name: with Bob himself, contacted under several names. */
static struct delegation *named_gateways(const struct rig *rig, unsigned count)
{
    static const char *const names[] = {"@bob.example.net", "@evil.example.net"};
    struct delegation *d = rig_gateways(rig, count);
    d->by_name = true;
    for (unsigned i = 0; i < count; i++) {
        d->gateways[i].id = test_id(names[i]);
        d->gateways[i].contact = test_addr(BOB);
    }
    return d;
}

/* Encrypted with the address itself, and shown as what it is: vouched for by a name. */
static void test_by_name(void **state)
{
    (void)state;
    struct rig rig;
    struct oe_instance_info info;
    struct ip_addr bob = test_addr(BOB);
    struct identity name = test_id("@bob.example.net");

    rig_open(&rig, OE_PERMISSIVE);
    assert_int_equal(rig_acquire(&rig), ERR_OK);
    rig_expect_policy(&rig, OE_VERDICT_HOLD);
    const struct oe_effect *fx = rig_expect(&rig, OE_FX_LOOKUP_DELEGATION);
    uint64_t ticket = fx->ticket;
    assert_true(fx->names);
    rig_delegation(&rig, ticket, named_gateways(&rig, 1));
    fx = rig_expect(&rig, OE_FX_IKE_INITIATE);
    assert_true(ip_addr_equal(&fx->peer, &bob));
    assert_true(identity_equal(&fx->peer_id, &name));
    assert_int_equal(rig_child_up(&rig, ticket, BOB, 0x1001, 0x2001), ERR_OK);
    rig_expect_policy(&rig, OE_VERDICT_ENCRYPT);
    rig_expect_reason(&rig, ticket, "as the name bob.example.net, not for the address");
    assert_true(rig_info(&rig, ticket, &info));
    assert_true(info.by_name && info.secure);
    rig_close(&rig);
}

/* What an OE-paranoid class asks is whom the address belongs to. */
static void test_paranoid_takes_no_names(void **state)
{
    (void)state;
    struct rig rig;
    rig_open(&rig, OE_PARANOID);
    assert_int_equal(rig_acquire(&rig), ERR_OK);
    rig_expect_policy(&rig, OE_VERDICT_HOLD);
    assert_false(rig_expect(&rig, OE_FX_LOOKUP_DELEGATION)->names);
    rig_close(&rig);
}

/* A name that points at another's address holds its flows up for two seconds, whatever it says. */
static void test_name_holds_shortly(void **state)
{
    (void)state;
    struct rig rig;
    rig_open(&rig, OE_PERMISSIVE);
    uint64_t ticket = rig_to_potential(&rig);
    rig_delegation(&rig, ticket, named_gateways(&rig, 2));
    rig_expect(&rig, OE_FX_IKE_INITIATE);
    rig_advance(&rig, 1999);
    rig_expect_none(&rig);
    rig_advance(&rig, 1);
    rig_expect_policy(&rig, OE_VERDICT_PASS);
    rig_expect_state(&rig, ticket, OE_ST_PENDING);
    /* The same silent address isn't tried again under another name. */
    rig_child_failed(&rig, ticket, IKE_FAILURE_SILENT);
    rig_expect_none(&rig);
    rig_expect_state(&rig, ticket, OE_ST_CLEAR);
    rig_close(&rig);

    /* One that answers but can't prove the first name's key may prove the second's. */
    rig_open(&rig, OE_PERMISSIVE);
    ticket = rig_to_potential(&rig);
    rig_delegation(&rig, ticket, named_gateways(&rig, 2));
    rig_expect(&rig, OE_FX_IKE_INITIATE);
    rig_child_failed(&rig, ticket, IKE_FAILURE_SIGNATURE);
    struct identity second = test_id("@evil.example.net");
    assert_true(identity_equal(&rig_expect(&rig, OE_FX_IKE_INITIATE)->peer_id, &second));
    rig_close(&rig);
}

/* Later looks ask about the name that the tunnel stands on, and hold it to that name. */
static void test_name_is_rechecked(void **state)
{
    (void)state;
    for (int same = 0; same < 2; same++) {
        struct rig rig;
        struct identity name = test_id("@bob.example.net");
        rig_open(&rig, OE_PERMISSIVE);
        uint64_t ticket = rig_to_potential(&rig);
        struct delegation *d = named_gateways(&rig, 1);
        d->expires = mono_add(rig.now, 10000);
        rig_delegation(&rig, ticket, d);
        rig_expect(&rig, OE_FX_IKE_INITIATE);
        assert_int_equal(rig_child_up(&rig, ticket, BOB, 0x1001, 0x2001), ERR_OK);
        rig_expect_policy(&rig, OE_VERDICT_ENCRYPT);
        rig_to_expiring(&rig, ticket);
        rig_last_use(&rig, ticket, 0);
        const struct oe_effect *fx = rig_expect(&rig, OE_FX_LOOKUP_DELEGATION);
        assert_true(fx->names && identity_equal(&fx->peer_id, &name));
        d = named_gateways(&rig, 1);
        if (!same)
            d->gateways[0].id = test_id("@evil.example.net");
        rig_delegation(&rig, ticket, d);
        rig_expect_state(&rig, ticket, same ? OE_ST_KEYED : OE_ST_PENDING);
        if (!same)
            rig_expect(&rig, OE_FX_IKE_INITIATE);
        rig_expect_none(&rig);
        rig_close(&rig);
    }
}

const struct CMUnitTest oe_initiator_cases[] = {
    cmocka_unit_test(test_by_name),
    cmocka_unit_test(test_paranoid_takes_no_names),
    cmocka_unit_test(test_name_holds_shortly),
    cmocka_unit_test(test_name_is_rechecked),
    cmocka_unit_test(test_class_decides),
    cmocka_unit_test(test_own_destination),
    cmocka_unit_test(test_thin_path),
    cmocka_unit_test(test_unsigned_is_anonymous),
    cmocka_unit_test(test_require_dnssec),
    cmocka_unit_test(test_delegation_statuses),
    cmocka_unit_test(test_clear_class_overrides),
    cmocka_unit_test(test_nobody_to_contact),
    cmocka_unit_test(test_client_of_ours),
    cmocka_unit_test(test_lookup_lost),
    cmocka_unit_test(test_next_gateway),
    cmocka_unit_test(test_failures),
    cmocka_unit_test(test_mixed_failures),
    cmocka_unit_test(test_signature_failure_short_ttl),
    cmocka_unit_test(test_keying_overdue),
    cmocka_unit_test(test_repeated_acquire),
    cmocka_unit_test(test_rekey),
    cmocka_unit_test(test_rekey_fails),
    cmocka_unit_test(test_rekey_lookup_fails),
    cmocka_unit_test(test_old_tunnel_ends_first),
    cmocka_unit_test(test_peer_deletes),
    cmocka_unit_test(test_hints),
    cmocka_unit_test(test_hint_is_bounded),
    cmocka_unit_test(test_families_mix),
};
const size_t oe_initiator_case_count = CHECK_COUNT(oe_initiator_cases);
