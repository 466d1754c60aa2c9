#include "oe_rig.h"

#include <stdio.h>

uint64_t rig_row_hits[512];

static void on_record(void *ctx, const struct event_record *record)
{
    struct rig *rig = ctx;
    assert_int_equal(record->room, EVENT_OE);
    rig->last = *record;
    rig->warnings += record->level == EVENT_WARNING;
}

void rig_open_config(struct rig *rig, const struct oe_config *config)
{
    *rig = (struct rig){.seed = 5, .now = {1000000}};
    struct oe_env env = {.rng = check_rng(&rig->seed), .trace = {.emit = on_record, .ctx = rig}};
    assert_int_equal(oe_new(config, &env, &rig->oe), ERR_OK);
}

void rig_open(struct rig *rig, enum oe_class_kind fallback)
{
    struct ip_addr own[] = {test_addr(SG_A), test_addr("2001:db8:1::4")};
    struct oe_config config = {.fallback = fallback, .own = own, .own_count = CHECK_COUNT(own)};
    rig_open_config(rig, &config);
}

static void drain(struct rig *rig)
{
    if (rig->taken == rig->count)
        rig->taken = rig->count = 0;
    assert_true(rig->count < RIG_EFFECTS);
    while (oe_next_effect(rig->oe, &rig->effects[rig->count])) {
        struct oe_effect *fx = &rig->effects[rig->count];
        if (fx->key_count != 0) {
            rig->first_keys[rig->count] = fx->keys[0];
            fx->keys = &rig->first_keys[rig->count];
        }
        assert_true(++rig->count < RIG_EFFECTS);
    }
}

static struct oe_config config_of_class(const struct oe_class *class)
{
    static struct ip_addr own[2];
    own[0] = test_addr(SG_A);
    own[1] = test_addr("2001:db8:1::4");
    return (struct oe_config){.classes = class,
                              .class_count = 1,
                              .fallback = OE_DENY,
                              .own = own,
                              .own_count = CHECK_COUNT(own)};
}

void rig_open_class(struct rig *rig, const struct oe_class *class)
{
    struct oe_config config = config_of_class(class);
    rig_open_config(rig, &config);
}

void rig_reclass(struct rig *rig, const struct oe_class *class)
{
    struct oe_config config = config_of_class(class);
    assert_int_equal(oe_reconfigure(rig->oe, rig->now, &config), ERR_OK);
    drain(rig);
}

void rig_close(struct rig *rig)
{
    struct oe_table_row row;
    for (size_t i = 0; oe_table_row(i, &row); i++)
        rig_row_hits[i] += oe_table_hits(rig->oe, i);
    rig_expect_none(rig);
    oe_free(rig->oe);
}

struct ip_pair rig_flow(const char *src, const char *dst)
{
    return (struct ip_pair){.src = test_addr(src), .dst = test_addr(dst)};
}

enum err rig_input(struct rig *rig, struct oe_event event)
{
    enum err err = oe_input(rig->oe, rig->now, &event);
    drain(rig);
    return err;
}

void rig_advance(struct rig *rig, int64_t ms)
{
    rig->now = mono_add(rig->now, ms);
    oe_timer(rig->oe, rig->now);
    drain(rig);
}

const struct oe_effect *rig_expect(struct rig *rig, enum oe_effect_kind kind)
{
    assert_true(rig->taken < rig->count);
    const struct oe_effect *fx = &rig->effects[rig->taken++];
    assert_int_equal(fx->kind, kind);
    return fx;
}

void rig_expect_policy(struct rig *rig, enum oe_verdict verdict)
{
    assert_int_equal(rig_expect(rig, OE_FX_POLICY)->verdict, verdict);
}

void rig_expect_none(struct rig *rig)
{
    if (rig->taken != rig->count)
        print_error("effect of kind %d left\n", rig->effects[rig->taken].kind);
    assert_int_equal(rig->taken, rig->count);
}

void rig_forget_effects(struct rig *rig)
{
    rig->taken = rig->count;
}

bool rig_info(const struct rig *rig, uint64_t ticket, struct oe_instance_info *ret)
{
    for (size_t i = 0; oe_instance_info(rig->oe, i, ret); i++)
        if (ret->ticket == ticket)
            return true;
    return false;
}

void rig_expect_state(const struct rig *rig, uint64_t ticket, enum oe_state state)
{
    struct oe_instance_info info;
    if (state == OE_ST_NONEXISTENT) {
        assert_false(rig_info(rig, ticket, &info));
        return;
    }
    assert_true(rig_info(rig, ticket, &info));
    assert_string_equal(oe_state_name(info.state), oe_state_name(state));
    /* Nothing lasts without being looked at again (OE-013). */
    assert_true(info.next_check.ms > rig->now.ms);
}

void rig_expect_reason(const struct rig *rig, uint64_t ticket, const char *part)
{
    struct oe_instance_info info;
    assert_true(rig_info(rig, ticket, &info));
    if (strstr(info.reason, part) == NULL)
        print_error("reason is: %s\n", info.reason);
    assert_non_null(strstr(info.reason, part));
}

enum err rig_acquire(struct rig *rig)
{
    return rig_input(rig, (struct oe_event){.kind = OE_EV_ACQUIRE, .flow = rig_flow(ALICE, BOB)});
}

void rig_delegation(struct rig *rig, uint64_t ticket, const struct delegation *d)
{
    rig_input(rig, (struct oe_event){.kind = OE_EV_DELEGATION, .ticket = ticket, .delegation = d});
}

struct delegation *rig_answer(const struct rig *rig, enum discovered status)
{
    static struct delegation d;
    memset(&d, 0, sizeof(d));
    d.status = status;
    d.secure = true;
    d.expires = mono_add(rig->now, 1000000);
    snprintf(d.why, sizeof(d.why), "DNS says so");
    return &d;
}

struct delegation *rig_gateways(const struct rig *rig, unsigned count)
{
    static const char *const names[] = {SG_B, SG_D};
    struct delegation *d = rig_answer(rig, DISCOVERED_FOUND);
    for (unsigned i = 0; i < count; i++) {
        d->gateways[i].precedence = (uint16_t)(10 + i);
        d->gateways[i].id = test_id(names[i]);
        d->gateways[i].keys[0] = test_key(1 + i);
        d->gateways[i].key_count = 1;
    }
    d->count = (uint8_t)count;
    return d;
}

enum err rig_child_up(struct rig *rig, uint64_t ticket, const char *peer, uint32_t spi_in,
                      uint32_t spi_out)
{
    return rig_input(rig, (struct oe_event){.kind = OE_EV_CHILD_UP,
                                            .ticket = ticket,
                                            .initiator = true,
                                            .peer = test_addr(peer),
                                            .spi_in = {spi_in},
                                            .spi_out = {spi_out},
                                            .suite = {.cipher = ESP_CIPHER_AES_GCM}});
}

void rig_child_failed(struct rig *rig, uint64_t ticket, enum ike_failure failure)
{
    rig_input(rig, (struct oe_event){.kind = OE_EV_CHILD_FAILED,
                                     .ticket = ticket,
                                     .failure = failure,
                                     .text = "as the test wants"});
}

void rig_child_deleted(struct rig *rig, uint64_t ticket, uint32_t spi_in, uint32_t spi_out)
{
    rig_input(rig, (struct oe_event){.kind = OE_EV_CHILD_DELETED,
                                     .ticket = ticket,
                                     .spi_in = {spi_in},
                                     .spi_out = {spi_out}});
}

void rig_expire(struct rig *rig, uint64_t ticket, bool hard, uint32_t spi_out)
{
    rig_input(rig, (struct oe_event){.kind = hard ? OE_EV_HARD_EXPIRE : OE_EV_SOFT_EXPIRE,
                                     .ticket = ticket,
                                     .spi_out = {spi_out}});
}

void rig_last_use(struct rig *rig, uint64_t ticket, int64_t idle_ms)
{
    rig_input(rig, (struct oe_event){.kind = OE_EV_LAST_USE, .ticket = ticket, .idle_ms = idle_ms});
}

uint64_t rig_to_potential(struct rig *rig)
{
    assert_int_equal(rig_acquire(rig), ERR_OK);
    rig_expect_policy(rig, OE_VERDICT_HOLD);
    const struct oe_effect *fx = rig_expect(rig, OE_FX_LOOKUP_DELEGATION);
    struct ip_addr bob = test_addr(BOB);
    assert_true(ip_addr_equal(&fx->address, &bob));
    assert_int_equal(fx->purpose, PURPOSE_INITIATE);
    rig_expect_none(rig);
    rig_expect_state(rig, fx->ticket, OE_ST_POTENTIAL);
    return fx->ticket;
}

static void expect_initiate(struct rig *rig, uint64_t ticket, const char *peer, uint64_t key)
{
    const struct oe_effect *fx = rig_expect(rig, OE_FX_IKE_INITIATE);
    struct ip_addr addr = test_addr(peer), own = test_addr(SG_A);
    struct public_key want = test_key(key);
    struct ip_pair flow = rig_flow(ALICE, BOB);
    assert_int_equal(fx->ticket, ticket);
    assert_true(ip_addr_equal(&fx->peer, &addr));
    assert_true(ip_addr_equal(&fx->local, &own));
    assert_true(ip_pair_equal(&fx->flow, &flow));
    assert_int_equal(fx->key_count, 1);
    assert_true(public_key_equal(fx->keys, &want));
}

uint64_t rig_to_pending(struct rig *rig, unsigned gateways)
{
    uint64_t ticket = rig_to_potential(rig);
    rig_delegation(rig, ticket, rig_gateways(rig, gateways));
    expect_initiate(rig, ticket, SG_B, 1);
    rig_expect_none(rig);
    rig_expect_state(rig, ticket, OE_ST_PENDING);
    return ticket;
}

uint64_t rig_to_keyed(struct rig *rig)
{
    uint64_t ticket = rig_to_pending(rig, 1);
    assert_int_equal(rig_child_up(rig, ticket, SG_B, 0x1001, 0x2001), ERR_OK);
    const struct oe_effect *fx = rig_expect(rig, OE_FX_POLICY);
    struct ip_addr peer = test_addr(SG_B);
    assert_int_equal(fx->verdict, OE_VERDICT_ENCRYPT);
    assert_int_equal(fx->spi_out.value, 0x2001);
    assert_true(ip_addr_equal(&fx->peer, &peer));
    rig_expect_none(rig);
    rig_expect_state(rig, ticket, OE_ST_KEYED);
    return ticket;
}

uint64_t rig_to_settled(struct rig *rig)
{
    uint64_t ticket = rig_to_potential(rig);
    rig_delegation(rig, ticket, rig_answer(rig, DISCOVERED_ABSENT));
    rig_expect(rig, OE_FX_POLICY);
    rig_expect_none(rig);
    return ticket;
}

uint64_t rig_to_expiring(struct rig *rig, uint64_t ticket)
{
    struct oe_instance_info info;
    assert_true(rig_info(rig, ticket, &info));
    rig_advance(rig, mono_since(info.next_check, rig->now));
    assert_int_equal(rig_expect(rig, OE_FX_LAST_USE_QUERY)->ticket, ticket);
    rig_expect_none(rig);
    rig_expect_state(rig, ticket, OE_ST_EXPIRING);
    return ticket;
}

uint64_t rig_to_unauthenticated(struct rig *rig, const char *id)
{
    struct identity peer = test_id(id);
    assert_int_equal(rig_input(rig, (struct oe_event){.kind = OE_EV_PEER_UNKNOWN,
                                                      .serial = 55,
                                                      .peer = test_addr(SG_B),
                                                      .peer_id = peer}),
                     ERR_OK);
    const struct oe_effect *fx = rig_expect(rig, OE_FX_LOOKUP_KEYS);
    assert_true(identity_equal(&fx->peer_id, &peer));
    rig_expect_none(rig);
    rig_expect_state(rig, fx->ticket, OE_ST_UNAUTHENTICATED_PEER);
    return fx->ticket;
}

uint64_t rig_to_authenticated(struct rig *rig, const char *id)
{
    static struct identity_keys keys;
    struct public_key want = test_key(1);
    uint64_t ticket = rig_to_unauthenticated(rig, id);

    keys = (struct identity_keys){.status = DISCOVERED_FOUND, .secure = true, .count = 1};
    keys.keys[0] = want;
    rig_input(rig, (struct oe_event){.kind = OE_EV_KEYS, .ticket = ticket, .keys = &keys});
    const struct oe_effect *fx = rig_expect(rig, OE_FX_IKE_PEER_KEYS);
    assert_true(fx->ok);
    assert_int_equal(fx->serial, 55);
    assert_int_equal(fx->key_count, 1);
    assert_true(public_key_equal(fx->keys, &want));
    rig_expect_state(rig, ticket, OE_ST_UNAUTHENTICATED_PEER);
    rig_input(rig, (struct oe_event){.kind = OE_EV_PEER_AUTHENTICATED,
                                     .peer = test_addr(SG_B),
                                     .peer_id = test_id(id)});
    rig_expect_none(rig);
    rig_expect_state(rig, ticket, OE_ST_AUTHENTICATED_PEER);
    return ticket;
}

void rig_own_client(struct rig *rig)
{
    struct ip_addr alice = test_addr(ALICE);
    struct delegation *d;

    if (rig->taken == rig->count || rig->effects[rig->taken].kind != OE_FX_LOOKUP_DELEGATION ||
        !ip_addr_equal(&rig->effects[rig->taken].address, &alice))
        return;
    uint64_t ticket = rig->effects[rig->taken++].ticket;
    rig_expect_state(rig, ticket, OE_ST_POTENTIAL);
    d = rig_gateways(rig, 1);
    d->gateways[0].id = test_id(SG_A);
    rig_delegation(rig, ticket, d);
}

enum err rig_propose_to(struct rig *rig, const char *id, const char *client, const char *own,
                        uint64_t key, bool phase1_ours)
{
    struct public_key proof = test_key(key);
    return rig_input(rig, (struct oe_event){.kind = OE_EV_PROPOSAL,
                                            .serial = 77,
                                            .peer = test_addr(SG_B),
                                            .peer_id = test_id(id),
                                            .initiator = phase1_ours,
                                            .key = &proof,
                                            .behind_nat = rig->behind_nat,
                                            .flow = rig_flow(own, client)});
}

enum err rig_propose(struct rig *rig, const char *id, const char *client, uint64_t key)
{
    enum err err = rig_propose_to(rig, id, client, ALICE, key, false);
    rig_own_client(rig);
    return err;
}

uint64_t rig_to_checking(struct rig *rig, const char *id, const char *client)
{
    uint64_t ticket = rig_to_authenticated(rig, id);
    struct ip_addr want = test_addr(client);
    assert_int_equal(rig_propose(rig, id, client, 1), ERR_OK);
    const struct oe_effect *fx = rig_expect(rig, OE_FX_LOOKUP_DELEGATION);
    assert_true(ip_addr_equal(&fx->address, &want));
    assert_int_equal(fx->purpose, PURPOSE_AUTHORIZE);
    rig_expect_none(rig);
    rig_expect_state(rig, ticket, OE_ST_POTENTIAL);
    return ticket;
}

void rig_expect_answer(struct rig *rig, bool ok)
{
    const struct oe_effect *fx = rig_expect(rig, OE_FX_IKE_AUTHORIZED);
    assert_int_equal(fx->serial, 77);
    assert_int_equal(fx->ok, ok);
    assert_true(fx->text[0] != '\0');
}

void rig_expect_accepted(struct rig *rig, bool held)
{
    if (held)
        rig_expect_policy(rig, OE_VERDICT_HOLD);
    rig_expect_answer(rig, true);
}

uint64_t rig_to_accepted(struct rig *rig, const char *client)
{
    uint64_t ticket = rig_to_checking(rig, SG_B, client);
    struct ip_pair flow = rig_flow(ALICE, client);
    struct oe_instance_info info;
    bool held = !oe_instance_find(rig->oe, &flow, &info);
    rig_delegation(rig, ticket, rig_gateways(rig, 2));
    rig_expect_accepted(rig, held);
    rig_expect_none(rig);
    rig_expect_state(rig, ticket, OE_ST_PENDING);
    return ticket;
}

uint64_t rig_to_answered_keyed(struct rig *rig)
{
    uint64_t ticket = rig_to_accepted(rig, BOB);
    rig_child_up(rig, ticket, SG_B, 0x3001, 0x4001);
    const struct oe_effect *fx = rig_expect(rig, OE_FX_POLICY);
    struct ip_pair flow = rig_flow(ALICE, BOB);
    assert_int_equal(fx->verdict, OE_VERDICT_ENCRYPT);
    assert_int_equal(fx->spi_out.value, 0x4001);
    assert_true(ip_pair_equal(&fx->flow, &flow));
    rig_expect_none(rig);
    rig_expect_state(rig, ticket, OE_ST_KEYED);
    return ticket;
}
