/* Section 8: Bob has two gateways, SG-B and SG-D, and both make a tunnel to us. */
#include "oe_cases.h"

static void open_with(struct rig *rig, enum oe_return return_tunnel)
{
    struct ip_addr own = test_addr(SG_A);
    struct oe_config config = {
        .fallback = OE_PERMISSIVE, .own = &own, .own_count = 1, .return_tunnel = return_tunnel};
    rig_open_config(rig, &config);
}

/* A gateway with a known key proposes Bob's flow, and is or is not accepted. */
static uint64_t propose(struct rig *rig, const char *gateway, uint64_t key)
{
    struct public_key proof = test_key(key);
    rig_input(rig, (struct oe_event){.kind = OE_EV_PROPOSAL,
                                     .serial = 77,
                                     .peer = test_addr(gateway),
                                     .peer_id = test_id(gateway),
                                     .key = &proof,
                                     .flow = rig_flow(ALICE, BOB)});
    rig_own_client(rig);
    if (rig->effects[rig->taken].kind != OE_FX_LOOKUP_DELEGATION)
        return 0;
    struct ip_pair flow = rig_flow(ALICE, BOB);
    const struct oe_effect *lookup = rig_expect(rig, OE_FX_LOOKUP_DELEGATION);
    uint64_t ticket = lookup->ticket;
    if (ip_addr_equal(&lookup->address, &flow.src)) {
        struct delegation *ours = rig_gateways(rig, 1);
        ours->gateways[0].id = test_id(SG_A);
        rig_delegation(rig, ticket, ours);
        rig_expect(rig, OE_FX_LOOKUP_DELEGATION);
    }
    struct oe_instance_info info;
    bool held = !oe_instance_find(rig->oe, &flow, &info);
    rig_delegation(rig, ticket, rig_gateways(rig, 2)); /* OE-166 */
    rig_expect_accepted(rig, held);
    return ticket;
}

static uint64_t come_up(struct rig *rig, const char *gateway, uint64_t key, uint32_t spi)
{
    uint64_t ticket = propose(rig, gateway, key);
    rig_child_up(rig, ticket, gateway, spi, spi + 0x1000);
    const struct oe_effect *fx = rig_expect(rig, OE_FX_POLICY);
    assert_int_equal(fx->verdict, OE_VERDICT_ENCRYPT);
    assert_int_equal(fx->spi_out.value, spi + 0x1000);
    rig_expect_none(rig);
    return ticket;
}

static void expect_sends_on(const struct rig *rig, uint64_t ticket)
{
    struct ip_pair flow = rig_flow(ALICE, BOB);
    struct oe_instance_info info;
    assert_true(oe_instance_find(rig->oe, &flow, &info));
    assert_int_equal(info.ticket, ticket);
    assert_int_equal(info.state, OE_ST_KEYED);
}

static void heard(struct rig *rig, uint64_t ticket, uint32_t spi_in, int64_t idle_ms)
{
    rig_input(rig,
              (struct oe_event){
                  .kind = OE_EV_SA_USE, .ticket = ticket, .spi_in = {spi_in}, .idle_ms = idle_ms});
}

/* A turn's questions about both tunnels; then the plane's answers. */
static void answer_turn(struct rig *rig, uint64_t owner, uint32_t owner_spi, int64_t owner_idle,
                        uint64_t spare, uint32_t spare_spi, int64_t spare_idle)
{
    const struct oe_effect *fx = rig_expect(rig, OE_FX_SA_USE_QUERY);
    assert_int_equal(fx->ticket, owner);
    assert_int_equal(fx->spi_in.value, owner_spi);
    fx = rig_expect(rig, OE_FX_SA_USE_QUERY);
    assert_int_equal(fx->ticket, spare);
    assert_int_equal(fx->spi_in.value, spare_spi);
    heard(rig, owner, owner_spi, owner_idle);
    heard(rig, spare, spare_spi, spare_idle);
}

/* OE-168, option 5; OE-167: the precedence of SG-B, which is stronger, is not looked at. */
static void test_newest(void **state)
{
    (void)state;
    struct rig rig;
    open_with(&rig, OE_RETURN_NEWEST);
    uint64_t b = come_up(&rig, SG_B, 1, 0x1001), d = come_up(&rig, SG_D, 2, 0x1002);
    expect_sends_on(&rig, d);
    rig_expect_state(&rig, b, OE_ST_EXPIRED); /* what comes on it is still taken */
    /* SG-B keys anew: now it is the newest, and its old tunnel is of no use. */
    uint64_t again = come_up(&rig, SG_B, 1, 0x1003);
    expect_sends_on(&rig, again);
    rig_child_deleted(&rig, b, 0x1001, 0x2001);
    rig_expect_state(&rig, b, OE_ST_NONEXISTENT);
    rig_close(&rig);
}

/* The gateway in use says good-bye: the other's tunnel takes on, without a new negotiation. */
static void test_other_takes_on(void **state)
{
    (void)state;
    for (int expiring = 0; expiring < 2; expiring++) {
        struct rig rig;
        open_with(&rig, OE_RETURN_NEWEST);
        uint64_t b = come_up(&rig, SG_B, 1, 0x1001), d = come_up(&rig, SG_D, 2, 0x1002);
        if (expiring) {
            rig_advance(&rig, 60000);
            rig_forget_effects(&rig);
            rig_expect_state(&rig, d, OE_ST_EXPIRING);
        }
        rig_child_deleted(&rig, d, 0x1002, 0x2002);
        const struct oe_effect *fx = rig_expect(&rig, OE_FX_POLICY);
        assert_int_equal(fx->ticket, b);
        assert_int_equal(fx->spi_out.value, 0x2001);
        rig_expect_none(&rig);
        expect_sends_on(&rig, b);
        rig_expect_state(&rig, d, OE_ST_NONEXISTENT);
        rig_close(&rig);
    }
}

/* A superseded tunnel on which the other gateway still sends is kept; an unused one is not. */
static void test_spare_is_kept_while_used(void **state)
{
    (void)state;
    for (int used = 0; used < 2; used++) {
        struct rig rig;
        open_with(&rig, OE_RETURN_NEWEST);
        uint64_t b = come_up(&rig, SG_B, 1, 0x1001), d = come_up(&rig, SG_D, 2, 0x1002);
        for (int minute = 0; minute < 20; minute++) {
            rig_advance(&rig, 60000);
            while (rig.taken < rig.count) {
                const struct oe_effect fx = rig.effects[rig.taken++];
                if (fx.kind == OE_FX_LAST_USE_QUERY)
                    rig_last_use(&rig, fx.ticket, 0);
                else if (fx.kind == OE_FX_SA_USE_QUERY && used)
                    heard(&rig, fx.ticket, fx.spi_in.value, 10);
                else if (fx.kind == OE_FX_IKE_DELETE)
                    assert_true(!used && fx.ticket == b);
                else if (fx.kind == OE_FX_LOOKUP_DELEGATION)
                    rig_delegation(&rig, fx.ticket, rig_gateways(&rig, 2));
            }
        }
        expect_sends_on(&rig, d);
        rig_child_deleted(&rig, used ? 0 : b, 0x1001, 0x2001);
        rig_expect_state(&rig, b, used ? OE_ST_EXPIRED : OE_ST_NONEXISTENT);
        rig_close(&rig);
    }
}

/* OE-168, option 1 */
static void test_round_robin(void **state)
{
    (void)state;
    struct rig rig;
    open_with(&rig, OE_RETURN_ROUND_ROBIN);
    uint64_t b = come_up(&rig, SG_B, 1, 0x1001), d = come_up(&rig, SG_D, 2, 0x1002);
    for (int turn = 0; turn < 6; turn++) {
        expect_sends_on(&rig, turn % 2 == 0 ? d : b);
        rig_advance(&rig, OE_TURN_MS - 1);
        rig_expect_none(&rig);
        rig_advance(&rig, 1);
        rig_expect(&rig, OE_FX_SA_USE_QUERY);
        rig_expect(&rig, OE_FX_SA_USE_QUERY);
        const struct oe_effect *fx = rig_expect(&rig, OE_FX_POLICY);
        assert_int_equal(fx->verdict, OE_VERDICT_ENCRYPT);
        assert_int_equal(fx->spi_out.value, turn % 2 == 0 ? 0x2001 : 0x2002);
    }
    /* Unused, both end all the same (OE-095). */
    struct oe_instance_info info;
    for (int i = 0; i < 3000 && oe_instance_info(rig.oe, 0, &info); i++) {
        rig_advance(&rig, 1000);
        while (rig.taken < rig.count) {
            const struct oe_effect fx = rig.effects[rig.taken++];
            if (fx.kind == OE_FX_LAST_USE_QUERY)
                rig_last_use(&rig, fx.ticket, -1);
        }
    }
    assert_false(oe_instance_info(rig.oe, 0, &info));
    rig_close(&rig);
}

/* OE-168, option 2 */
static void test_last_heard(void **state)
{
    (void)state;
    struct rig rig;
    open_with(&rig, OE_RETURN_LAST_HEARD);
    uint64_t b = come_up(&rig, SG_B, 1, 0x1001), d = come_up(&rig, SG_D, 2, 0x1002);
    rig_advance(&rig, OE_TURN_MS);
    answer_turn(&rig, d, 0x1002, 100, b, 0x1001, 500);
    rig_expect_none(&rig);
    expect_sends_on(&rig, d);
    /* SG-D's link dies; Bob's datagrams come by SG-B. */
    rig_advance(&rig, OE_TURN_MS);
    answer_turn(&rig, d, 0x1002, 1100, b, 0x1001, 20);
    assert_int_equal(rig_expect(&rig, OE_FX_POLICY)->spi_out.value, 0x2001);
    expect_sends_on(&rig, b);
    rig_expect_state(&rig, d, OE_ST_EXPIRED);
    /* A plane that knows nothing, or speaks of another SA, changes nothing. */
    rig_advance(&rig, OE_TURN_MS);
    answer_turn(&rig, b, 0x1001, -1, d, 0x1002, -1);
    heard(&rig, d, 0x9999, 0);
    rig_expect_none(&rig);
    expect_sends_on(&rig, b);
    rig_close(&rig);
}

/* OE-168, option 4 */
static void test_second_is_refused(void **state)
{
    (void)state;
    struct rig rig;
    open_with(&rig, OE_RETURN_REFUSE);
    uint64_t b = come_up(&rig, SG_B, 1, 0x1001);
    assert_int_equal(propose(&rig, SG_D, 2), 0);
    rig_expect_answer(&rig, false);
    assert_non_null(strstr(rig.last.detail, SG_B));
    expect_sends_on(&rig, b);
    /* The same gateway may key anew. */
    uint64_t again = come_up(&rig, SG_B, 1, 0x1003);
    expect_sends_on(&rig, again);
    rig_close(&rig);

    /* Both accepted before either was up: the second is deleted at once. */
    open_with(&rig, OE_RETURN_REFUSE);
    b = propose(&rig, SG_B, 1);
    uint64_t d = propose(&rig, SG_D, 2);
    rig_child_up(&rig, b, SG_B, 0x1001, 0x2001);
    rig_expect_policy(&rig, OE_VERDICT_ENCRYPT);
    rig_child_up(&rig, d, SG_D, 0x1002, 0x2002);
    assert_int_equal(rig_expect(&rig, OE_FX_IKE_DELETE)->ticket, d);
    rig_expect_none(&rig);
    rig_child_deleted(&rig, d, 0x1002, 0x2002);
    rig_expect_state(&rig, d, OE_ST_NONEXISTENT);
    expect_sends_on(&rig, b);
    rig_close(&rig);
}

const struct CMUnitTest oe_multihoming_cases[] = {
    cmocka_unit_test(test_newest),
    cmocka_unit_test(test_other_takes_on),
    cmocka_unit_test(test_spare_is_kept_while_used),
    cmocka_unit_test(test_round_robin),
    cmocka_unit_test(test_last_heard),
    cmocka_unit_test(test_second_is_refused),
};
const size_t oe_multihoming_case_count = CHECK_COUNT(oe_multihoming_cases);
