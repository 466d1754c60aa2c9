/* Another configuration while flows are in every state. */
#include "oe_cases.h"

static const struct oe_class permissive = {.kind = OE_PERMISSIVE}, paranoid = {.kind = OE_PARANOID},
                             clear = {.kind = OE_ALWAYS_CLEAR}, deny = {.kind = OE_DENY},
                             respond_only = {.kind = OE_RESPOND_ONLY},
                             authenticated = {.kind = OE_PERMISSIVE,
                                              .accept = OE_ACCEPT_AUTHENTICATED};

enum from {
    POTENTIAL,
    PENDING,
    REKEYING,
    KEYED,
    ANONYMOUS,
    CLEAR,
    EXPIRING,
    EXPIRING_CLEAR,
    FROMS
};

static uint64_t to_rekeying(struct rig *rig)
{
    uint64_t ticket = rig_to_keyed(rig);
    rig_expire(rig, ticket, false, 0x2001);
    rig_expect(rig, OE_FX_LOOKUP_DELEGATION);
    rig_delegation(rig, ticket, rig_gateways(rig, 1));
    rig_expect(rig, OE_FX_IKE_INITIATE);
    return ticket;
}

static uint64_t to_anonymous(struct rig *rig)
{
    uint64_t ticket = rig_to_potential(rig);
    struct delegation *d = rig_gateways(rig, 1);
    d->secure = false;
    rig_delegation(rig, ticket, d);
    rig_expect(rig, OE_FX_IKE_INITIATE);
    rig_child_up(rig, ticket, SG_B, 0x1001, 0x2001);
    rig_expect_policy(rig, OE_VERDICT_ENCRYPT);
    return ticket;
}

static uint64_t bring(struct rig *rig, enum from from)
{
    rig_open_class(rig, &permissive);
    switch (from) {
    case POTENTIAL:
        return rig_to_potential(rig);
    case PENDING:
        return rig_to_pending(rig, 1);
    case REKEYING:
        return to_rekeying(rig);
    case KEYED:
        return rig_to_keyed(rig);
    case ANONYMOUS:
        return to_anonymous(rig);
    case CLEAR:
        return rig_to_settled(rig);
    case EXPIRING:
        return rig_to_expiring(rig, rig_to_keyed(rig));
    case EXPIRING_CLEAR:
        return rig_to_expiring(rig, rig_to_settled(rig));
    case FROMS:
        break;
    }
    return 0;
}

static const char *const from_names[FROMS] = {"potential", "pending", "rekeying", "keyed",
                                              "anonymous", "clear",   "expiring", "expiring clear"};

/* A flow whose class and options stay as they were is not touched, whatever else changes. */
static void test_undisturbed(void **state)
{
    (void)state;
    for (int from = 0; from < FROMS; from++) {
        struct rig rig;
        struct oe_instance_info before, after;
        uint64_t ticket = bring(&rig, (enum from)from);
        struct oe_class same = {.kind = OE_PERMISSIVE, .name = "as before", .wait_s = 5};
        assert_true(rig_info(&rig, ticket, &before));
        rig_reclass(&rig, &same);
        rig_expect_none(&rig);
        assert_true(rig_info(&rig, ticket, &after));
        assert_int_equal(after.state, before.state);
        assert_int_equal(after.next_check.ms, before.next_check.ms);
        assert_string_equal(after.reason, before.reason);
        assert_string_equal(after.class_name, "as before");
        rig_close(&rig);
    }
}

struct change {
    enum from from;
    const struct oe_class *to;
    enum oe_state want;
    /* Effects in order: c cancel, p pass, d deny, h hold, D Delete, L lookup */
    const char *effects;
};

static const struct change changes[] = {
    {POTENTIAL, &clear, OE_ST_CLEAR, "p"},
    {POTENTIAL, &deny, OE_ST_DENY, "d"},
    {POTENTIAL, &paranoid, OE_ST_POTENTIAL, ""},
    {POTENTIAL, &respond_only, OE_ST_CLEAR, "p"},
    {PENDING, &clear, OE_ST_CLEAR, "cp"},
    {PENDING, &deny, OE_ST_DENY, "cd"},
    {PENDING, &paranoid, OE_ST_POTENTIAL, "cL"},
    {PENDING, &respond_only, OE_ST_CLEAR, "cp"},
    {REKEYING, &paranoid, OE_ST_PENDING, ""},
    {REKEYING, &respond_only, OE_ST_KEYED, "c"},
    {REKEYING, &clear, OE_ST_CLEAR, "cpD"},
    {KEYED, &paranoid, OE_ST_KEYED, ""},
    {KEYED, &respond_only, OE_ST_KEYED, ""},
    {KEYED, &authenticated, OE_ST_KEYED, ""},
    {KEYED, &clear, OE_ST_CLEAR, "pD"},
    {KEYED, &deny, OE_ST_DENY, "dD"},
    {ANONYMOUS, &authenticated, OE_ST_POTENTIAL, "hDL"},
    {ANONYMOUS, &paranoid, OE_ST_POTENTIAL, "hDL"},
    {CLEAR, &deny, OE_ST_DENY, "d"},
    {CLEAR, &paranoid, OE_ST_POTENTIAL, "hL"},
    {CLEAR, &clear, OE_ST_CLEAR, ""},
    {EXPIRING, &paranoid, OE_ST_EXPIRING, ""},
    {EXPIRING, &clear, OE_ST_CLEAR, "pD"},
    {EXPIRING, &deny, OE_ST_DENY, "dD"},
    {EXPIRING_CLEAR, &paranoid, OE_ST_POTENTIAL, "hL"},
};

static char letter_of(const struct oe_effect *fx)
{
    static const char verdicts[] = {'h', 'p', 'd', 'e'};
    switch (fx->kind) {
    case OE_FX_POLICY:
        return verdicts[fx->verdict];
    case OE_FX_IKE_CANCEL:
        return 'c';
    case OE_FX_IKE_DELETE:
        return 'D';
    case OE_FX_LOOKUP_DELEGATION:
        return 'L';
    default:
        return '?';
    }
}

static void test_changed(void **state)
{
    (void)state;
    for (size_t i = 0; i < CHECK_COUNT(changes); i++) {
        const struct change *change = &changes[i];
        struct rig rig;
        char seen[16] = "";
        uint64_t ticket = bring(&rig, change->from);
        rig_reclass(&rig, change->to);
        for (size_t n = 0; rig.taken < rig.count; n++)
            seen[n] = letter_of(&rig.effects[rig.taken++]);
        if (strcmp(seen, change->effects) != 0)
            print_error("%s to %s: %s\n", from_names[change->from],
                        oe_class_kind_name(change->to->kind), seen);
        assert_string_equal(seen, change->effects);
        rig_expect_state(&rig, ticket, change->want);
        rig_close(&rig);
    }
}

/* What was denied may be let go, and looked up. */
static void test_denied(void **state)
{
    (void)state;
    static const struct {
        const struct oe_class *to;
        enum oe_state want;
    } cases[] = {{&clear, OE_ST_CLEAR}, {&permissive, OE_ST_POTENTIAL}, {&deny, OE_ST_DENY}};
    for (size_t i = 0; i < CHECK_COUNT(cases); i++) {
        struct rig rig;
        rig_open_class(&rig, &paranoid);
        uint64_t ticket = rig_to_settled(&rig);
        rig_reclass(&rig, cases[i].to);
        rig_expect_state(&rig, ticket, cases[i].want);
        rig_forget_effects(&rig);
        rig_close(&rig);
    }
}

/* OE-054: a flow denied for its bogus delegation goes free if that is policy now. */
static void test_dnssec_fail_line_appears(void **state)
{
    (void)state;
    struct rig rig;
    struct oe_class classes[2] = {{.kind = OE_PERMISSIVE},
                                  {.kind = OE_DNSSEC_FAIL, .fail_clear = true}};
    struct oe_config config = {.classes = classes, .class_count = 2};
    rig_open_class(&rig, &classes[0]);
    uint64_t ticket = rig_to_potential(&rig);
    rig_delegation(&rig, ticket, rig_answer(&rig, DISCOVERED_BOGUS));
    rig_expect_policy(&rig, OE_VERDICT_DENY);
    assert_int_equal(oe_reconfigure(rig.oe, rig.now, &config), ERR_OK);
    rig_advance(&rig, 0);
    rig_expect_policy(&rig, OE_VERDICT_HOLD);
    rig_expect(&rig, OE_FX_LOOKUP_DELEGATION);
    rig_delegation(&rig, ticket, rig_answer(&rig, DISCOVERED_BOGUS));
    rig_expect_policy(&rig, OE_VERDICT_PASS);
    rig_close(&rig);
}

/* What only a forward name vouches for is for OE-permissive, also if that was policy when DNS was
 * asked. */
static void test_known_by_name(void **state)
{
    (void)state;
    for (int keyed = 0; keyed < 2; keyed++) {
        struct rig rig;
        rig_open_class(&rig, &permissive);
        uint64_t ticket = rig_to_potential(&rig);
        struct delegation *d = rig_gateways(&rig, 1);
        d->by_name = true;
        if (keyed) {
            rig_delegation(&rig, ticket, d);
            rig_expect(&rig, OE_FX_IKE_INITIATE);
            rig_child_up(&rig, ticket, SG_B, 0x1001, 0x2001);
            rig_expect_policy(&rig, OE_VERDICT_ENCRYPT);
            rig_reclass(&rig, &paranoid);
            rig_expect_policy(&rig, OE_VERDICT_HOLD);
            rig_expect(&rig, OE_FX_IKE_DELETE);
            assert_false(rig_expect(&rig, OE_FX_LOOKUP_DELEGATION)->names);
        } else {
            rig_reclass(&rig, &paranoid);
            rig_delegation(&rig, ticket, d);
            rig_expect_policy(&rig, OE_VERDICT_DENY);
        }
        rig_close(&rig);
    }
}

/* Peers on their way are refused if their flow wants no tunnel any more. */
static void test_peers(void **state)
{
    (void)state;
    struct rig rig;
    rig_open_class(&rig, &permissive);
    uint64_t ticket = rig_to_checking(&rig, SG_B, BOB);
    rig_reclass(&rig, &deny);
    rig_expect_answer(&rig, false);
    rig_expect_state(&rig, ticket, OE_ST_NONEXISTENT);
    rig_close(&rig);

    rig_open_class(&rig, &permissive);
    ticket = rig_to_accepted(&rig, BOB);
    rig_reclass(&rig, &clear);
    assert_int_equal(rig_expect(&rig, OE_FX_IKE_CANCEL)->ticket, ticket);
    rig_expect(&rig, OE_FX_POLICY_REMOVE);
    rig_expect_state(&rig, ticket, OE_ST_NONEXISTENT);
    rig_close(&rig);

    rig_open_class(&rig, &permissive);
    ticket = rig_to_accepted(&rig, BOB);
    rig_reclass(&rig, &respond_only); /* a peer's tunnel is still welcome */
    rig_expect_none(&rig);
    rig_expect_state(&rig, ticket, OE_ST_PENDING);
    rig_close(&rig);
}

/* New times count from the next time that they are looked at; a bad configuration changes nothing.
 */
static void test_times_and_refusal(void **state)
{
    (void)state;
    struct rig rig;
    struct oe_config config = {
        .classes = &permissive, .class_count = 1, .normal_lifespan_s = 300, .first_lifespan_s = 30};
    struct oe_instance_info info;
    rig_open_class(&rig, &permissive);
    uint64_t ticket = rig_to_keyed(&rig);
    assert_int_equal(oe_reconfigure(rig.oe, rig.now, &config), ERR_OK);
    rig_to_expiring(&rig, ticket);
    rig_last_use(&rig, ticket, 0);
    assert_true(rig_info(&rig, ticket, &info));
    assert_int_equal(mono_since(info.next_check, rig.now), 300000);

    config.class_count = LIMIT_CLASSES + 1;
    assert_int_equal(oe_reconfigure(rig.oe, rig.now, &config), ERR_LIMIT);
    rig_expect_state(&rig, ticket, OE_ST_KEYED);
    assert_int_equal(oe_classify(rig.oe, &info.flow)->kind, OE_PERMISSIVE);
    rig_close(&rig);
}

const struct CMUnitTest oe_reload_cases[] = {
    cmocka_unit_test(test_undisturbed),
    cmocka_unit_test(test_changed),
    cmocka_unit_test(test_denied),
    cmocka_unit_test(test_dnssec_fail_line_appears),
    cmocka_unit_test(test_known_by_name),
    cmocka_unit_test(test_peers),
    cmocka_unit_test(test_times_and_refusal),
};
const size_t oe_reload_case_count = CHECK_COUNT(oe_reload_cases);
