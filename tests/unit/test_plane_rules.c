/*
 * The SPD of configured tunnels: which rule a datagram falls under, what becomes of it, and that no
 * opportunistic SA speaks for what a rule covers.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "plane/rules.h"
#include "plane_rig.h"

static const struct plane_config pass_config = {.hold_failure = PFKEY_VERDICT_PASS};

static struct traffic side(const char *net)
{
    struct ip_prefix prefix;
    assert_true(ip_prefix_parse(net, &prefix));
    return traffic_of_prefix(&prefix);
}

static struct traffic_pair pair(const char *local, const char *remote)
{
    return (struct traffic_pair){.local = side(local), .remote = side(remote)};
}

static struct traffic_pair of_protocol(struct traffic_pair p, uint8_t protocol, uint16_t first,
                                       uint16_t last)
{
    p.local.protocol = p.remote.protocol = protocol;
    p.remote.port_first = first;
    p.remote.port_last = last;
    return p;
}

static struct ip_pair gateways(void)
{
    return rig_pair("192.1.1.4", "192.1.1.5");
}

static struct pfkey_message rule(struct rig *rig, uint64_t ticket, const struct traffic_pair *traffic,
                                 enum pfkey_verdict verdict, uint32_t spi)
{
    struct pfkey_message request = {
        .type = PFKEY_X_RULE_SET,
        .has = PFKEY_HAS_SA | PFKEY_HAS_VERDICT | PFKEY_HAS_TICKET,
        .verdict = (uint8_t)verdict,
        .ticket = ticket,
        .sa = {.interface = SA_CONFIGURED, .spi = {spi}},
    };
    sa_params_set_traffic(&request.sa, traffic);
    if (spi != 0) {
        request.has |= PFKEY_HAS_PEER;
        request.peer = gateways().dst;
    }
    return rig_ask(rig, &request);
}

static struct pfkey_message unrule(struct rig *rig, uint64_t ticket)
{
    struct pfkey_message request = {
        .type = PFKEY_X_RULE_DELETE, .has = PFKEY_HAS_TICKET, .ticket = ticket};
    return rig_ask(rig, &request);
}

/* Out, or with the reverse traffic in. */
static struct sa_params configured_sa(uint32_t spi, const struct traffic_pair *traffic)
{
    struct ip_pair flow = rig_pair("10.1.0.1", "10.2.0.1"), gws = gateways();
    struct sa_params sa = rig_sa(spi, &flow, &gws);
    sa.interface = SA_CONFIGURED;
    sa_params_set_traffic(&sa, traffic);
    return sa;
}

static struct traffic_key key(const char *src, const char *dst, uint8_t protocol, uint16_t port)
{
    return (struct traffic_key){.flow = rig_pair(src, dst),
                                .protocol = protocol,
                                .has_ports = true,
                                .src_port = 9,
                                .dst_port = port};
}

static void fill(void *ctx, uint8_t *ret, size_t len)
{
    (void)ctx;
    for (size_t i = 0; i < len; i++)
        ret[i] = (uint8_t)random();
}

static uint64_t found(const struct rules *rules, struct traffic_key at)
{
    const struct spd_rule *r = rules_find(rules, &at);
    return r != NULL ? r->entry.ticket : 0;
}

static struct spd spd;
static struct rules rules;

static int begin_tables(void **state)
{
    const struct rng rng = {.fill = fill};
    (void)state;
    spd_init(&spd, 10, &rng);
    rules_init(&rules, &rng);
    return 0;
}

static void remove_all(void)
{
    while (!list_is_empty(&rules.all))
        rules_remove(&rules, &spd, LIST_OWNER(rules.all.next, struct spd_rule, all));
}

static int end_tables(void **state)
{
    (void)state;
    remove_all();
    rules_fini(&rules);
    spd_fini(&spd);
    return 0;
}

static void add(uint64_t ticket, struct traffic_pair traffic)
{
    assert_non_null(rules_add(&rules, &spd, (mono_t){0}, ticket, &traffic));
}

/* The longest prefixes, the destination's first; then the fewest ports. */
static void the_most_specific_counts(void **state)
{
    (void)state;
    add(1, pair("0.0.0.0/0", "0.0.0.0/0"));
    add(2, pair("0.0.0.0/0", "10.2.0.0/16"));
    add(3, pair("10.1.0.0/16", "10.2.0.0/16"));
    add(4, of_protocol(pair("10.1.0.0/16", "10.2.0.0/16"), 6, 0, 65535));
    add(5, of_protocol(pair("10.1.0.0/16", "10.2.0.0/16"), 6, 80, 90));
    add(6, pair("2001:db8::/32", "::/0"));
    assert_int_equal(found(&rules, key("10.1.0.1", "10.2.0.1", 6, 85)), 5);
    assert_int_equal(found(&rules, key("10.1.0.1", "10.2.0.1", 6, 91)), 4);
    assert_int_equal(found(&rules, key("10.1.0.1", "10.2.0.1", 17, 85)), 3);
    assert_int_equal(found(&rules, key("10.9.0.1", "10.2.0.1", 17, 85)), 2);
    assert_int_equal(found(&rules, key("10.1.0.1", "10.3.0.1", 6, 85)), 1);
    assert_int_equal(found(&rules, key("2001:db8::1", "2001:db9::1", 6, 85)), 6);
    assert_int_equal(found(&rules, key("2001:db9::1", "2001:db8::1", 6, 85)), 0);
    /* A later fragment has no ports. */
    struct traffic_key fragment = key("10.1.0.1", "10.2.0.1", 6, 0);
    fragment.has_ports = false;
    assert_int_equal(found(&rules, fragment), 5);
}

struct model {
    uint64_t ticket;
    struct traffic_pair traffic;
};

static bool model_fits(const struct model *m, const struct traffic_key *at)
{
    const struct traffic *r = &m->traffic.remote;
    return m->ticket != 0 && traffic_pair_covers(&m->traffic, &at->flow.src, &at->flow.dst) &&
           (r->protocol == 0 || (r->protocol == at->protocol && r->port_first <= at->dst_port &&
                                 at->dst_port <= r->port_last));
}

static struct traffic_pair random_traffic(void)
{
    struct ip_addr src = ip_addr_v4(0x0a000000 | ((uint32_t)random() & 0x0303)),
                   dst = ip_addr_v4(0x0a000000 | ((uint32_t)random() & 0x0303));
    struct ip_prefix local = ip_prefix_of(&src, 16 + (unsigned)random() % 17);
    struct ip_prefix remote = ip_prefix_of(&dst, 16 + (unsigned)random() % 17);
    struct traffic_pair p = {traffic_of_prefix(&local), traffic_of_prefix(&remote)};
    if (random() % 2 == 0)
        return p;
    uint16_t first = (uint16_t)(random() % 8);
    return of_protocol(p, random() % 2 ? 6 : 17, first, (uint16_t)(first + random() % 8));
}

static bool longer(const struct model *a, const struct model *b)
{
    const struct traffic_pair *x = &a->traffic, *y = &b->traffic;
    if (x->remote.net.bits != y->remote.net.bits)
        return x->remote.net.bits > y->remote.net.bits;
    return x->local.net.bits > y->local.net.bits;
}

/* Against a list that is read through. Of rules with the same prefixes any that fits will do. */
static void as_a_list_would(void **state)
{
    enum { MODELS = 40, ROUNDS = 20000 };
    static struct model models[MODELS];
    (void)state;
    srandom(7);
    for (unsigned round = 0; round < ROUNDS; round++) {
        struct model *m = &models[random() % MODELS];
        if (random() % 8 == 0 && m->ticket == 0) {
            m->ticket = round + 1;
            m->traffic = random_traffic();
            add(m->ticket, m->traffic);
        } else if (random() % 16 == 0 && m->ticket != 0) {
            rules_remove(&rules, &spd, rules_find_ticket(&rules, m->ticket));
            m->ticket = 0;
        }
        struct traffic_pair at = random_traffic();
        struct traffic_key looked = {.flow = {at.local.net.addr, at.remote.net.addr},
                                     .protocol = random() % 2 ? 6 : 17,
                                     .has_ports = true,
                                     .dst_port = (uint16_t)(random() % 16)};
        const struct model *best = NULL;
        bool covered = false;
        for (size_t i = 0; i < MODELS; i++) {
            covered |= models[i].ticket != 0 &&
                       traffic_pair_covers(&models[i].traffic, &looked.flow.src, &looked.flow.dst);
            if (model_fits(&models[i], &looked) && (best == NULL || longer(&models[i], best)))
                best = &models[i];
        }
        const struct spd_rule *r = rules_find(&rules, &looked);
        assert_int_equal(r != NULL, best != NULL);
        assert_int_equal(rules_cover(&rules, &looked.flow), covered);
        if (r == NULL)
            continue;
        const struct model got = {r->entry.ticket, r->traffic};
        assert_true(model_fits(&got, &looked));
        assert_false(longer(best, &got));
    }
    for (size_t i = 0; i < MODELS; i++)
        models[i].ticket = 0;
}

/* A trap holds the first datagrams, asks with the rule's ticket, and never passes them in the clear. */
static void a_trap_asks(void **state)
{
    (void)state;
    struct rig *rig = rig_new(&pass_config);
    struct traffic_pair traffic = pair("10.1.0.0/16", "10.2.0.0/16");
    struct ip_pair flow = rig_pair("10.1.0.1", "10.2.0.1"), other = rig_pair("10.1.0.1", "10.3.0.1");
    assert_int_equal(rule(rig, 500, &traffic, PFKEY_VERDICT_NONE, 0).error, 0);
    rig_clear(rig);
    rig_send_mark(rig, &flow, 1);
    assert_int_equal(plane_spd_count(rig->plane), 0);
    assert_int_equal(rig_told(rig, PFKEY_ACQUIRE), 1);
    assert_int_equal(rig_last(rig, PFKEY_ACQUIRE)->ticket, 500);
    assert_true(ip_pair_equal(&rig_last(rig, PFKEY_ACQUIRE)->flow, &flow));
    rig_send_mark(rig, &other, 1);
    assert_int_equal(rig_last(rig, PFKEY_ACQUIRE)->ticket, 0);
    rig_clear(rig);
    rig_advance(rig, 30000); /* nobody answers: the pair passes, the rule does not */
    assert_int_equal(rig->out_count, 1);
    assert_int_equal(rig_counter(rig, "drop_hold_discarded"), 1);
    rig_clear(rig);
    rig_send_mark(rig, &flow, 2); /* and the next one asks again */
    assert_int_equal(rig->out_count, 0);
    assert_int_equal(rig_told(rig, PFKEY_ACQUIRE), 1);
    rig_free(rig);
}

static void encrypted_within_the_agreed(void **state)
{
    (void)state;
    struct rig *rig = rig_new(&pass_config);
    struct traffic_pair traffic = pair("10.1.0.0/16", "10.2.0.0/16");
    struct traffic_pair agreed = pair("10.1.0.0/16", "10.2.0.0/24");
    struct traffic_pair wider = pair("10.0.0.0/8", "10.2.0.0/16");
    struct sa_params sa = configured_sa(1000, &agreed), wide = configured_sa(1001, &wider);
    struct ip_pair within = rig_pair("10.1.0.1", "10.2.0.1"), outside = rig_pair("10.1.0.1", "10.2.1.1");

    assert_int_not_equal(rule(rig, 500, &traffic, PFKEY_VERDICT_ENCRYPT, 1000).error, 0);
    assert_int_equal(rig_install(rig, PFKEY_ADD, &sa).error, 0);
    assert_int_equal(rig_install(rig, PFKEY_ADD, &wide).error, 0);
    assert_int_not_equal(rule(rig, 500, &traffic, PFKEY_VERDICT_ENCRYPT, 1001).error, 0);
    assert_int_equal(rule(rig, 500, &traffic, PFKEY_VERDICT_ENCRYPT, 1000).error, 0);
    rig_clear(rig);
    rig_send_mark(rig, &within, 1);
    assert_int_equal(rig->out_count, 1);
    assert_int_equal(rig->outs[0].kind, PLANE_OUT_ESP);
    rig_send_mark(rig, &outside, 1); /* configured, but the peer would not take it */
    assert_int_equal(rig->out_count, 1);
    assert_int_equal(rig_counter(rig, "drop_narrowed"), 1);

    struct pfkey_message delete = {.type = PFKEY_DELETE, .satype = PFKEY_SATYPE_ESP,
                                   .has = PFKEY_HAS_SA, .sa = sa};
    assert_int_equal(rig_ask(rig, &delete).error, 0);
    rig_clear(rig);
    rig_send_mark(rig, &within, 2);
    assert_int_equal(rig->out_count, 0);
    assert_int_equal(rig_told(rig, PFKEY_ACQUIRE), 1);
    assert_int_equal(unrule(rig, 500).error, 0);
    assert_int_not_equal(unrule(rig, 500).error, 0);
    rig_free(rig);
}

/* A pair's verdict yields to a rule, also in the classifier, and comes back when the rule goes. */
static void rules_before_pairs(void **state)
{
    (void)state;
    struct rig *rig = rig_new(&pass_config);
    struct ip_pair flow = rig_pair("10.1.0.1", "10.2.0.1");
    struct traffic_pair traffic = of_protocol(pair("10.1.0.0/16", "10.2.0.0/16"), 6, 80, 80);
    assert_int_equal(rig_policy(rig, &flow, PFKEY_VERDICT_PASS, NULL, 9).error, 0);
    assert_int_equal(rig->verdict, PFKEY_VERDICT_PASS);
    assert_int_equal(rule(rig, 500, &traffic, PFKEY_VERDICT_DENY, 0).error, 0);
    assert_int_equal(rig->verdict, PFKEY_VERDICT_HOLD); /* the kernel hands it over from now on */
    rig_clear(rig);
    rig_send_mark(rig, &flow, 1); /* another protocol: as the pair's entry says */
    assert_int_equal(rig->out_count, 1);
    assert_int_equal(rig->outs[0].kind, PLANE_OUT_CLEAR);
    assert_int_equal(unrule(rig, 500).error, 0);
    assert_int_equal(rig->verdict, PFKEY_VERDICT_PASS);
    rig_free(rig);
}

/* OE-091: what comes out of an opportunistic SA isn't taken if a configured tunnel is for it. */
static void no_stranger_speaks_for_it(void **state)
{
    (void)state;
    struct rig *rig = rig_new(&pass_config), *far = rig_new(&pass_config);
    struct ip_pair flow = rig_pair("10.2.0.1", "10.1.0.1"), gws = ip_pair_reverse(&(struct ip_pair){
                                                                gateways().src, gateways().dst});
    struct sa_params sa = rig_sa(0, &flow, &gws);
    struct traffic_pair traffic = pair("10.1.0.0/16", "10.2.0.0/16");

    sa.spi = rig_get_spi(rig, &gws);
    assert_int_equal(rig_install(far, PFKEY_ADD, &sa).error, 0);
    assert_int_equal(rig_policy(far, &flow, PFKEY_VERDICT_ENCRYPT, &sa, 3).error, 0);
    sa.inbound = true;
    assert_int_equal(rig_install(rig, PFKEY_UPDATE, &sa).error, 0);
    rig_clear(far);
    rig_send_mark(far, &flow, 1);
    rig_clear(rig);
    assert_int_equal(rig_carry(far, rig), 1);
    assert_int_equal(rig->out_count, 1);
    assert_int_equal(rule(rig, 500, &traffic, PFKEY_VERDICT_NONE, 0).error, 0);
    rig_clear(rig);
    rig_send_mark(far, &flow, 2);
    rig_carry(far, rig);
    assert_int_equal(rig->out_count, 0);
    assert_int_equal(rig_counter(rig, "drop_selector"), 1);
    rig_free(rig);
    rig_free(far);
}

/* A keyd that has told its rules has those of a former one taken away. */
static void sweeping(void **state)
{
    (void)state;
    struct rig *rig = rig_new(&pass_config);
    struct traffic_pair a = pair("10.1.0.0/16", "10.2.0.0/16"), b = pair("10.1.0.0/16", "10.3.0.0/16");
    struct ip_pair flow = rig_pair("10.1.0.1", "10.2.0.1"), kept = rig_pair("10.1.0.1", "10.3.0.1");
    struct pfkey_message stale = {
        .type = PFKEY_X_RULE_SET,
        .seq = 1,
        .pid = RIG_PID + 1,
        .has = PFKEY_HAS_SA | PFKEY_HAS_VERDICT | PFKEY_HAS_TICKET,
        .verdict = PFKEY_VERDICT_DENY,
        .ticket = 500,
    };
    uint8_t room[LIMIT_PFKEY_MESSAGE];
    size_t len;
    sa_params_set_traffic(&stale.sa, &a);
    assert_int_equal(pfkey_build(&stale, span_of(room, sizeof(room)), &len), ERR_OK);
    plane_control(rig->plane, rig->now, view_of(room, len));
    assert_int_equal(rule(rig, 501, &b, PFKEY_VERDICT_DENY, 0).error, 0);
    struct pfkey_message sweep = {.type = PFKEY_X_RULE_SWEEP};
    assert_int_equal(rig_ask(rig, &sweep).error, 0);
    rig_clear(rig);
    rig_send_mark(rig, &flow, 1);
    rig_send_mark(rig, &kept, 1);
    assert_int_equal(plane_spd_count(rig->plane), 1);
    assert_int_equal(rig_counter(rig, "drop_denied"), 1);
    rig_free(rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_most_specific_counts, begin_tables, end_tables),
        cmocka_unit_test_setup_teardown(as_a_list_would, begin_tables, end_tables),
        cmocka_unit_test(a_trap_asks),
        cmocka_unit_test(encrypted_within_the_agreed),
        cmocka_unit_test(rules_before_pairs),
        cmocka_unit_test(no_stranger_speaks_for_it),
        cmocka_unit_test(sweeping),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
