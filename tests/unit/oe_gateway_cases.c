/* What one gateway may take up here, and what is remembered of it (OE-194). */
#include "oe_cases.h"

#include <stdio.h>

enum { SMALL = 512, SHARE = 64, CLIENTS = 200 };

static void open_small(struct rig *rig)
{
    const struct ip_addr own = test_addr(SG_A);
    const struct oe_config config = {
        .fallback = OE_PERMISSIVE, .own = &own, .own_count = 1, .instances = SMALL};
    rig_open_config(rig, &config);
}

static size_t instances_of(const struct rig *rig, const char *gateway)
{
    struct ip_addr addr = test_addr(gateway);
    struct oe_instance_info info;
    size_t count = 0;
    for (size_t i = 0; oe_instance_info(rig->oe, i, &info); i++)
        count += ip_addr_equal(&info.gateway, &addr);
    return count;
}

/* The flow to Bob, by SG-D, after SG-B would not. */
static uint64_t tunnel_with_sg_d(struct rig *rig)
{
    uint64_t ticket = rig_to_pending(rig, 2);
    rig_child_failed(rig, ticket, IKE_FAILURE_REFUSED);
    rig_expect(rig, OE_FX_IKE_INITIATE);
    assert_int_equal(rig_child_up(rig, ticket, SG_D, 0x10, 0x20), ERR_OK);
    rig_forget_effects(rig);
    return ticket;
}

/* Others may have had to go before it. */
static void skip_to(struct rig *rig, enum oe_effect_kind kind)
{
    while (rig->taken < rig->count && rig->effects[rig->taken].kind != kind)
        rig->taken++;
}

static uint64_t tunnel_of_client(struct rig *rig, const char *client, uint32_t spi)
{
    assert_int_equal(rig_propose_to(rig, SG_B, client, ALICE, 1, false), ERR_OK);
    skip_to(rig, OE_FX_LOOKUP_DELEGATION);
    rig_own_client(rig);
    uint64_t ticket = rig_expect(rig, OE_FX_LOOKUP_DELEGATION)->ticket;
    rig_delegation(rig, ticket, rig_gateways(rig, 1));
    assert_int_equal(rig_child_up(rig, ticket, SG_B, spi, spi), ERR_OK);
    rig_expect_state(rig, ticket, OE_ST_KEYED);
    rig_forget_effects(rig);
    return ticket;
}

/* OE-194: a zone of wildcards that names one gateway for a world of clients fills its share and no
 * more; the longest unused of its own go, and nobody else's. */
static void test_one_gateway_has_its_share(void **state)
{
    struct rig rig;
    char client[32];
    uint64_t last = 0;
    (void)state;
    open_small(&rig);
    uint64_t other = tunnel_with_sg_d(&rig);
    for (uint32_t i = 1; i <= CLIENTS; i++) {
        snprintf(client, sizeof(client), "192.2.1.%u", i);
        last = tunnel_of_client(&rig, client, 0x1000 + i);
        assert_in_range(instances_of(&rig, SG_B), i < SHARE ? i : SHARE, SHARE);
    }
    rig_expect_state(&rig, other, OE_ST_KEYED);
    rig_expect_state(&rig, last, OE_ST_KEYED);
    rig_expect_state(&rig, last - SHARE + 1, OE_ST_KEYED);
    rig_expect_state(&rig, last - SHARE, OE_ST_NONEXISTENT);
    rig_close(&rig);
}

/* One that is used is not the one to go, though it is the oldest. */
static void test_used_stays(void **state)
{
    struct rig rig;
    char client[32];
    (void)state;
    open_small(&rig);
    uint64_t first = tunnel_of_client(&rig, "192.2.1.1", 0x1001);
    uint64_t second = tunnel_of_client(&rig, "192.2.1.2", 0x1002);
    for (uint32_t i = 3; i <= SHARE; i++) {
        snprintf(client, sizeof(client), "192.2.1.%u", i);
        tunnel_of_client(&rig, client, 0x1000 + i);
    }
    rig_expire(&rig, first, false, 0x1001); /* its keys run out: it is in use */
    rig_forget_effects(&rig);
    tunnel_of_client(&rig, "192.2.1.250", 0x2000);
    rig_expect_state(&rig, first, OE_ST_PENDING);
    rig_expect_state(&rig, second, OE_ST_NONEXISTENT);
    rig_close(&rig);
}

/* A proposal over a phase 1 SA that is there already, for the peer's own address. */
static bool proposal_secure(struct rig *rig)
{
    struct oe_instance_info info;
    struct ip_pair flow = rig_flow(ALICE, SG_B);
    rig_propose(rig, SG_B, SG_B, 1);
    skip_to(rig, OE_FX_IKE_AUTHORIZED);
    uint64_t ticket = rig_expect(rig, OE_FX_IKE_AUTHORIZED)->ticket;
    rig_forget_effects(rig);
    assert_true(oe_instance_of_ticket(rig->oe, ticket, &info));
    assert_true(ip_pair_equal(&info.flow, &flow));
    return info.secure;
}

/* OE-006, OE-184: that DNSSEC vouched for a peer's key is known as long as something of it is there,
 * and not a moment longer. */
static void test_proof_goes_with_its_last_instance(void **state)
{
    struct rig rig;
    (void)state;
    rig_open(&rig, OE_PERMISSIVE);
    assert_false(proposal_secure(&rig)); /* it never proved one */
    rig_close(&rig);

    rig_open(&rig, OE_PERMISSIVE);
    uint64_t ticket = rig_to_answered_keyed(&rig);
    assert_true(proposal_secure(&rig));
    rig_close(&rig);

    rig_open(&rig, OE_PERMISSIVE);
    ticket = rig_to_answered_keyed(&rig);
    rig_child_deleted(&rig, ticket, 0x3001, 0x4001);
    rig_forget_effects(&rig);
    assert_false(proposal_secure(&rig));
    rig_close(&rig);
}

const struct CMUnitTest oe_gateway_cases[] = {
    cmocka_unit_test(test_one_gateway_has_its_share),
    cmocka_unit_test(test_used_stays),
    cmocka_unit_test(test_proof_goes_with_its_last_instance),
};
const size_t oe_gateway_case_count = CHECK_COUNT(oe_gateway_cases);
