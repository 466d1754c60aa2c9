/*
 * The datagram state machine of the OE draft, section 3.1: its table, and what a flow sees of it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "plane/state.h"
#include "plane_rig.h"

static const struct plane_config deny_config = {.hold_failure = PFKEY_VERDICT_DENY};
static const struct plane_config pass_config = {.hold_failure = PFKEY_VERDICT_PASS};

static struct ip_pair alice_bob(void)
{
    return rig_pair("192.1.0.65", "192.2.0.66");
}

static struct ip_pair gateways(void)
{
    return rig_pair("192.1.1.4", "192.1.1.5");
}

static struct sa_params install_out(struct rig *rig, uint32_t spi)
{
    struct ip_pair flow = alice_bob(), gws = gateways();
    struct sa_params sa = rig_sa(spi, &flow, &gws);
    assert_int_equal(rig_install(rig, PFKEY_ADD, &sa).error, 0);
    return sa;
}

/* OE-015, OE-016: five states, and where each event leads. */
static void the_table_is_the_drafts(void **state)
{
    (void)state;
    enum { N = SPD_NONEXISTENT, H = SPD_HOLD, P = SPD_PASS, D = SPD_DENY, E = SPD_ENCRYPT };
    enum { X = SPD_STATE_COUNT };
    static const uint8_t drafts[SPD_EVENT_COUNT][SPD_STATE_COUNT] = {
        /* in state                nonexistent hold pass deny encrypt */
        [SPD_EV_DATAGRAM] = {H, H, P, D, E},     [SPD_EV_SET_HOLD] = {H, H, H, H, H},
        [SPD_EV_SET_PASS] = {P, P, P, P, P},     [SPD_EV_SET_DENY] = {D, D, D, D, D},
        [SPD_EV_SET_ENCRYPT] = {E, E, E, E, E},  [SPD_EV_REMOVE] = {N, N, N, N, N},
        [SPD_EV_SA_GONE] = {X, X, X, X, H},      [SPD_EV_ASK_AGAIN] = {X, H, X, X, X},
        [SPD_EV_GIVE_UP_PASS] = {X, P, X, X, X}, [SPD_EV_GIVE_UP_DENY] = {X, D, X, X, X},
        [SPD_EV_FORGET] = {X, X, N, N, X},       [SPD_EV_SET_TRAP] = {H, H, H, H, H},
        [SPD_EV_GIVE_UP_WAIT] = {X, H, X, X, X},
    };
    assert_int_equal(SPD_STATE_COUNT, 5);
    for (unsigned s = 0; s < SPD_STATE_COUNT; s++) {
        for (unsigned e = 0; e < SPD_EVENT_COUNT; e++) {
            assert_int_equal(spd_next_state(s, e), drafts[e][s]);
            assert_true((spd_row_story(s, e) != NULL) == (drafts[e][s] != X));
            assert_non_null(spd_event_name(e));
        }
        assert_non_null(spd_state_name(s));
    }
}

/* OE-017, OE-018, OE-019, OE-020 */
static void the_first_datagram_is_held_and_asks(void **state)
{
    (void)state;
    struct rig *rig = rig_new(&deny_config);
    struct ip_pair flow = alice_bob();
    rig_send_mark(rig, &flow, 1);
    assert_int_equal(rig->out_count, 0);
    assert_int_equal(plane_spd_count(rig->plane), 1);
    assert_int_equal(rig_told(rig, PFKEY_ACQUIRE), 1);
    const struct pfkey_message *acquire = rig_last(rig, PFKEY_ACQUIRE);
    assert_true(ip_pair_equal(&acquire->flow, &flow));
    assert_int_equal(acquire->pid, 0);
    assert_int_equal(acquire->ticket, 0);
    assert_int_equal(rig_traced(rig, PFKEY_TRACE_FIRST_HELD), 1);
    assert_int_equal(rig->verdict, PFKEY_VERDICT_HOLD);
    assert_true(ip_pair_equal(&rig->verdict_flow, &flow));

    struct ip_pair back = ip_pair_reverse(&flow);
    rig_send_mark(rig, &back, 2);
    assert_int_equal(plane_spd_count(rig->plane), 2);
    assert_int_equal(rig_told(rig, PFKEY_ACQUIRE), 2);
    rig_free(rig);
}

/* OE-022, OE-025, OE-024 */
static void pass_releases_first_and_newest(void **state)
{
    (void)state;
    struct rig *rig = rig_new(&deny_config);
    struct ip_pair flow = alice_bob();
    for (uint8_t mark = 1; mark <= 5; mark++)
        rig_send_mark(rig, &flow, mark);
    assert_int_equal(rig_counter(rig, "drop_hold_replaced"), 3);
    assert_int_equal(rig_told(rig, PFKEY_ACQUIRE), 1);
    assert_int_equal(rig_policy(rig, &flow, PFKEY_VERDICT_PASS, NULL, 9).error, 0);
    assert_int_equal(rig->out_count, 2);
    assert_int_equal(rig->outs[0].kind, PLANE_OUT_CLEAR);
    assert_int_equal(rig_mark(rig, 0), 1);
    assert_int_equal(rig_mark(rig, 1), 5);
    assert_int_equal(rig_traced(rig, PFKEY_TRACE_RELEASED), 1);
    assert_int_equal(rig->verdict, PFKEY_VERDICT_PASS);
    rig_send_mark(rig, &flow, 6);
    assert_int_equal(rig->out_count, 3);
    assert_int_equal(rig_mark(rig, 2), 6);
    rig_free(rig);
}

static void one_held_datagram_is_released_once(void **state)
{
    (void)state;
    struct rig *rig = rig_new(&deny_config);
    struct ip_pair flow = alice_bob();
    rig_send_mark(rig, &flow, 1);
    rig_policy(rig, &flow, PFKEY_VERDICT_PASS, NULL, 9);
    rig_policy(rig, &flow, PFKEY_VERDICT_PASS, NULL, 9);
    assert_int_equal(rig->out_count, 1);
    assert_int_equal(rig_traced(rig, PFKEY_TRACE_RELEASED), 1);
    rig_free(rig);
}

/* OE-026, OE-027 */
static void deny_discards_what_was_held(void **state)
{
    (void)state;
    struct rig *rig = rig_new(&pass_config);
    struct ip_pair flow = alice_bob();
    rig_send_mark(rig, &flow, 1);
    rig_send_mark(rig, &flow, 2);
    rig_policy(rig, &flow, PFKEY_VERDICT_DENY, NULL, 9);
    assert_int_equal(rig->out_count, 0);
    assert_int_equal(rig_traced(rig, PFKEY_TRACE_DISCARDED), 1);
    assert_int_equal(rig_counter(rig, "drop_hold_discarded"), 2);
    assert_int_equal(rig->verdict, PFKEY_VERDICT_DENY);
    rig_send_mark(rig, &flow, 3);
    assert_int_equal(rig->out_count, 0);
    assert_int_equal(rig_counter(rig, "drop_denied"), 1);
    rig_policy(rig, &flow, PFKEY_VERDICT_PASS, NULL, 9);
    assert_int_equal(rig->out_count, 0);
    rig_free(rig);
}

/* OE-028 */
static void deny_may_answer_with_an_icmp_error(void **state)
{
    (void)state;
    struct plane_config config = deny_config;
    config.icmp_on_deny = true;
    config.icmp_v4 = rig_addr("192.1.1.4");
    config.icmp_v6 = rig_addr("2001:db8::4");
    struct rig *rig = rig_new(&config);
    struct ip_pair v4 = alice_bob(), v6 = rig_pair("2001:db8:1::65", "2001:db8:2::66");
    rig_policy(rig, &v4, PFKEY_VERDICT_DENY, NULL, 1);
    rig_policy(rig, &v6, PFKEY_VERDICT_DENY, NULL, 2);
    assert_int_equal(rig->verdict, PFKEY_VERDICT_HOLD); /* so that the kernel hands it to us */
    rig_send_mark(rig, &v4, 1);
    rig_send_mark(rig, &v6, 1);
    assert_int_equal(rig->out_count, 2);
    assert_int_equal(rig->outs[0].kind, PLANE_OUT_OE);
    assert_int_equal(rig->outs[0].octets[20], 3);
    assert_int_equal(rig->outs[0].octets[21], 13);
    assert_int_equal(rig->outs[1].octets[40], 1);
    assert_int_equal(rig->outs[1].octets[41], 1);
    rig_send_mark(rig, &v4, 2); /* one source is told rarely */
    assert_int_equal(rig->out_count, 2);
    assert_int_equal(rig_counter(rig, "icmp_suppressed"), 1);
    assert_int_equal(rig_counter(rig, "drop_denied"), 3);
    rig_free(rig);
}

/* OE-028, OE-023: while it runs; the classifier is told again what it may do by itself. */
static void switches_change_while_running(void **state)
{
    (void)state;
    struct plane_config config = deny_config;
    struct rig *rig = rig_new(&config);
    struct ip_pair flow = alice_bob(), waiting = rig_pair("192.1.0.65", "192.2.0.67");
    rig_policy(rig, &flow, PFKEY_VERDICT_DENY, NULL, 1);
    assert_int_equal(rig->verdict, PFKEY_VERDICT_DENY);
    config.icmp_on_deny = true;
    plane_reconfigure(rig->plane, rig->now, &config);
    assert_int_equal(rig->verdict, PFKEY_VERDICT_HOLD);
    config.icmp_on_deny = false;
    config.hold_failure = PFKEY_VERDICT_PASS;
    config.hold_ms = 3000;
    plane_reconfigure(rig->plane, rig->now, &config);
    assert_int_equal(rig->verdict, PFKEY_VERDICT_DENY);
    rig_send_mark(rig, &waiting, 1);
    rig_advance(rig, 3000);
    assert_int_equal(rig->out_count, 1);
    assert_int_equal(rig->outs[0].kind, PLANE_OUT_CLEAR);
    rig_free(rig);
}

/* OE-029, OE-030 */
static void encrypt_releases_through_the_sa(void **state)
{
    (void)state;
    struct rig *rig = rig_new(&deny_config);
    struct ip_pair flow = alice_bob();
    rig_send_mark(rig, &flow, 1);
    rig_send_mark(rig, &flow, 2);
    struct sa_params sa = install_out(rig, 0x1000);
    assert_int_equal(rig_policy(rig, &flow, PFKEY_VERDICT_ENCRYPT, &sa, 9).error, 0);
    assert_int_equal(rig->out_count, 2);
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(rig->outs[i].kind, PLANE_OUT_ESP);
        assert_memory_equal(rig->outs[i].octets, "\0\0\x10\0", 4);
        assert_int_equal(rig->outs[i].octets[7], i + 1); /* sequence: first went first */
        assert_true(ip_addr_equal(&rig->outs[i].outer.dst, &sa.outer_dst));
    }
    assert_int_equal(rig_traced(rig, PFKEY_TRACE_FIRST_OUT), 1);
    assert_int_equal(rig_traced(rig, PFKEY_TRACE_SECOND_OUT), 1);
    assert_int_equal(rig->verdict, PFKEY_VERDICT_ENCRYPT);
    rig_send_mark(rig, &flow, 3);
    assert_int_equal(rig->out_count, 3);
    assert_int_equal(rig_traced(rig, PFKEY_TRACE_SECOND_OUT), 1);
    rig_free(rig);
}

static void encrypt_needs_an_sa_for_the_flow(void **state)
{
    (void)state;
    struct rig *rig = rig_new(&deny_config);
    struct ip_pair flow = alice_bob(), other = rig_pair("192.1.0.65", "192.2.0.67");
    struct sa_params sa = install_out(rig, 0x1000), absent = sa;
    absent.spi.value = 0x1001;
    rig_send_mark(rig, &flow, 1);
    assert_true(rig_policy(rig, &flow, PFKEY_VERDICT_ENCRYPT, NULL, 9).error != 0);
    assert_true(rig_policy(rig, &flow, PFKEY_VERDICT_ENCRYPT, &absent, 9).error != 0);
    assert_true(rig_policy(rig, &other, PFKEY_VERDICT_ENCRYPT, &sa, 9).error != 0);
    assert_true(rig_policy(rig, &flow, PFKEY_VERDICT_NONE, NULL, 9).error != 0);
    assert_int_equal(plane_spd_count(rig->plane), 1);
    assert_int_equal(rig->out_count, 0);
    assert_int_equal(rig_counter(rig, "control_refused"), 4);
    rig_free(rig);
}

/* OE-032, OE-187 */
static void keyd_can_create_an_entry_in_any_state(void **state)
{
    (void)state;
    static const enum pfkey_verdict verdicts[] = {PFKEY_VERDICT_HOLD, PFKEY_VERDICT_PASS,
                                                  PFKEY_VERDICT_DENY, PFKEY_VERDICT_ENCRYPT};
    for (size_t i = 0; i < 4; i++) {
        struct rig *rig = rig_new(&deny_config);
        struct ip_pair flow = alice_bob();
        struct sa_params sa = install_out(rig, 0x1000);
        bool encrypts = verdicts[i] == PFKEY_VERDICT_ENCRYPT;
        rig_clear(rig);
        assert_int_equal(rig_policy(rig, &flow, verdicts[i], encrypts ? &sa : NULL, 9).error, 0);
        assert_int_equal(rig->verdict, verdicts[i]);
        rig_send_mark(rig, &flow, 1);
        assert_int_equal(rig_told(rig, PFKEY_ACQUIRE), 0);
        bool goes = encrypts || verdicts[i] == PFKEY_VERDICT_PASS;
        assert_int_equal(rig->out_count, goes ? 1 : 0);
        rig_free(rig);
    }
}

/* OE-021 */
static void the_acquire_is_repeated_less_than_once_a_second(void **state)
{
    (void)state;
    struct rig *rig = rig_new(&deny_config);
    struct ip_pair flow = alice_bob();
    rig_send_mark(rig, &flow, 1);
    for (int tick = 0; tick < 100; tick++) {
        rig_advance(rig, 100);
        rig_send_mark(rig, &flow, 2);
    }
    size_t asked = rig_told(rig, PFKEY_ACQUIRE);
    assert_in_range(asked, 8, 10); /* the first, and ten seconds of them */
    rig_policy(rig, &flow, PFKEY_VERDICT_HOLD, NULL, 9);
    rig_advance(rig, 5000);
    rig_send_mark(rig, &flow, 3);
    assert_int_equal(rig_told(rig, PFKEY_ACQUIRE), asked);
    rig_free(rig);
}

/* OE-023: pass or deny, as configured; forgotten after a while so that keyd is asked again. */
static void a_hold_without_an_answer_ends(void **state)
{
    (void)state;
    for (int passes = 0; passes < 2; passes++) {
        struct rig *rig = rig_new(passes ? &pass_config : &deny_config);
        struct ip_pair flow = alice_bob();
        rig_send_mark(rig, &flow, 1);
        rig_send_mark(rig, &flow, 2);
        rig_advance(rig, 24999);
        assert_int_equal(rig->out_count, 0);
        assert_int_equal(rig->verdict, PFKEY_VERDICT_HOLD);
        rig_advance(rig, 1);
        assert_int_equal(rig_counter(rig, "hold_gave_up"), 1);
        assert_int_equal(rig->verdict, passes ? PFKEY_VERDICT_PASS : PFKEY_VERDICT_DENY);
        assert_int_equal(rig->out_count, passes ? 2 : 0);
        rig_clear(rig);
        rig_send_mark(rig, &flow, 3);
        assert_int_equal(rig->out_count, passes ? 1 : 0);
        rig_advance(rig, 60000);
        assert_int_equal(plane_spd_count(rig->plane), 0);
        assert_int_equal(rig->verdict, PFKEY_VERDICT_NONE);
        assert_true(mono_is_never(plane_next_deadline(rig->plane)));
        rig_send_mark(rig, &flow, 4);
        assert_int_equal(rig_told(rig, PFKEY_ACQUIRE), 1);
        rig_free(rig);
    }
}

static void a_verdict_of_keyd_lasts(void **state)
{
    (void)state;
    struct rig *rig = rig_new(&deny_config);
    struct ip_pair flow = alice_bob();
    rig_send_mark(rig, &flow, 1);
    rig_advance(rig, 26000);
    rig_policy(rig, &flow, PFKEY_VERDICT_PASS, NULL, 9); /* late, but it counts */
    rig_advance(rig, 1000000);
    assert_int_equal(plane_spd_count(rig->plane), 1);
    assert_int_equal(rig->verdict, PFKEY_VERDICT_PASS);
    rig_free(rig);
}

/* OE-023, OE-194: held datagrams together stay under the cap; the newest are those that are kept. */
static void held_octets_are_capped(void **state)
{
    (void)state;
    enum { FLOWS = 100, OCTETS = 1000, CAP = 20000 };
    struct plane_config config = deny_config;
    config.held_octets = CAP;
    struct rig *rig = rig_new(&config);
    for (uint32_t i = 0; i < FLOWS; i++) {
        struct rig_datagram d = {.flow = alice_bob(), .len = OCTETS, .mark = 1};
        d.flow.dst = ip_addr_v4(0xc0020000 + i);
        rig_send(rig, &d);
    }
    assert_int_equal(rig_told(rig, PFKEY_ACQUIRE), FLOWS);
    uint64_t evicted = rig_counter(rig, "drop_hold_evicted");
    assert_in_range(evicted, FLOWS - CAP / OCTETS + 1, FLOWS - CAP / (OCTETS + 250) + 2);
    assert_int_equal(rig_counter(rig, "drop_hold_full"), 0);
    for (uint32_t i = 0; i < FLOWS; i++) {
        struct ip_pair flow = alice_bob();
        flow.dst = ip_addr_v4(0xc0020000 + i);
        rig_policy(rig, &flow, PFKEY_VERDICT_PASS, NULL, 1);
        assert_int_equal(rig->out_count, i < evicted ? 0 : i - evicted + 1);
    }
    rig_free(rig);
}

/* What is larger than the cap costs nobody else his datagrams. */
static void too_large_to_hold(void **state)
{
    (void)state;
    struct plane_config config = deny_config;
    config.held_octets = 2000;
    struct rig *rig = rig_new(&config);
    struct rig_datagram small = {.flow = alice_bob(), .len = 100, .mark = 1}, large = small;
    large.flow.dst = ip_addr_v4(0xc0020001);
    large.len = 2000;
    rig_send(rig, &small);
    rig_send(rig, &large);
    assert_int_equal(rig_counter(rig, "drop_hold_full"), 1);
    assert_int_equal(rig_counter(rig, "drop_hold_evicted"), 0);
    rig_policy(rig, &small.flow, PFKEY_VERDICT_PASS, NULL, 1);
    assert_int_equal(rig->out_count, 1);
    rig_free(rig);
}

static void the_longest_unused_entry_makes_room(void **state)
{
    (void)state;
    struct plane_config config = deny_config;
    config.spd = 3;
    struct rig *rig = rig_new(&config);
    struct ip_pair flows[4];
    for (uint32_t i = 0; i < 4; i++) {
        flows[i] = alice_bob();
        flows[i].dst = ip_addr_v4(0xc0020000 + i);
    }
    for (size_t i = 0; i < 3; i++)
        rig_send_mark(rig, &flows[i], 1);
    rig_advance(rig, 1000);
    rig_send_mark(rig, &flows[0], 2);
    rig_clear(rig);
    rig_send_mark(rig, &flows[3], 1); /* flows[1] is the oldest now */
    assert_int_equal(plane_spd_count(rig->plane), 3);
    assert_int_equal(rig_counter(rig, "spd_evicted"), 1);
    assert_int_equal(rig_traced(rig, PFKEY_TRACE_DISCARDED), 1);
    assert_int_equal(rig->verdict_count, 2); /* one forgotten, one in hold */
    struct pfkey_message get = {.type = PFKEY_X_POLICY_GET, .has = PFKEY_HAS_FLOW};
    for (size_t i = 0; i < 4; i++) {
        get.flow = flows[i];
        assert_int_equal(rig_ask(rig, &get).error != 0, i == 1);
    }
    rig_free(rig);
}

/* OE-031: the entry waits, nothing leaves in the clear, the next datagram asks. */
static void a_deleted_sa_sends_the_flow_back_to_hold(void **state)
{
    (void)state;
    struct rig *rig = rig_new(&pass_config);
    struct ip_pair flow = alice_bob();
    struct sa_params sa = install_out(rig, 0x1000);
    rig_policy(rig, &flow, PFKEY_VERDICT_ENCRYPT, &sa, 9);
    rig_clear(rig);
    struct pfkey_message remove = {.type = PFKEY_DELETE, .has = PFKEY_HAS_SA, .sa = sa};
    assert_int_equal(rig_ask(rig, &remove).error, 0);
    assert_int_equal(rig->verdict, PFKEY_VERDICT_HOLD);
    assert_int_equal(rig_told(rig, PFKEY_ACQUIRE), 0);
    rig_send_mark(rig, &flow, 1);
    assert_int_equal(rig->out_count, 0);
    assert_int_equal(rig_told(rig, PFKEY_ACQUIRE), 1);
    assert_int_equal(rig_last(rig, PFKEY_ACQUIRE)->ticket, 9);
    rig_free(rig);
}

/* OE-188: a configured tunnel whose SA is lost is no opportunistic flow that may go in the clear. */
static void a_configured_tunnel_never_falls_back_to_clear(void **state)
{
    (void)state;
    for (int configured = 0; configured < 2; configured++) {
        struct rig *rig = rig_new(&pass_config);
        struct ip_pair flow = alice_bob(), gws = gateways();
        struct sa_params sa = rig_sa(0x1000, &flow, &gws);
        sa.interface = configured ? SA_CONFIGURED : SA_OPPORTUNISTIC;
        sa.hard.seconds = 10;
        assert_int_equal(rig_install(rig, PFKEY_ADD, &sa).error, 0);
        rig_policy(rig, &flow, PFKEY_VERDICT_ENCRYPT, &sa, 9);
        rig_advance(rig, 10000);
        rig_send_mark(rig, &flow, 1);
        rig_advance(rig, 26000);
        assert_int_equal(rig->verdict, configured ? PFKEY_VERDICT_DENY : PFKEY_VERDICT_PASS);
        assert_int_equal(rig->out_count, configured ? 0 : 1);
        rig_free(rig);
    }
}

/* A keyd that dies takes nothing with it; the one that comes is asked what waits. */
static void keyd_may_go_and_come_back(void **state)
{
    (void)state;
    struct rig *rig = rig_new(&deny_config);
    struct ip_pair flow = alice_bob(), pass = rig_pair("192.1.0.65", "192.3.0.1");
    struct ip_pair quiet = rig_pair("192.1.0.65", "192.3.0.2");
    rig_policy(rig, &pass, PFKEY_VERDICT_PASS, NULL, 1);
    rig_policy(rig, &quiet, PFKEY_VERDICT_HOLD, NULL, 2);
    rig_send_mark(rig, &flow, 1);
    rig_policy(rig, &flow, PFKEY_VERDICT_HOLD, NULL, 3);
    plane_keyd_changed(rig->plane, rig->now, false);
    rig_clear(rig);
    rig_advance(rig, 5000);
    struct ip_pair fresh = rig_pair("192.1.0.65", "192.3.0.3");
    rig_send_mark(rig, &fresh, 1);
    assert_int_equal(rig_told(rig, PFKEY_ACQUIRE), 0);
    plane_keyd_changed(rig->plane, rig->now, true);
    assert_int_equal(rig_told(rig, PFKEY_ACQUIRE), 2); /* not for the hold nobody waits in */
    rig_send_mark(rig, &pass, 1);
    assert_int_equal(rig->out_count, 1);
    rig_advance(rig, 1200);
    assert_int_equal(rig_told(rig, PFKEY_ACQUIRE), 4);
    rig_free(rig);
}

static void what_is_no_datagram_is_dropped(void **state)
{
    (void)state;
    struct rig *rig = rig_new(&deny_config);
    static const uint8_t junk[40] = {0x55};
    rig_send_octets(rig, view_of(junk, 0));
    rig_send_octets(rig, view_of(junk, sizeof(junk)));
    rig_send_octets(rig, view_of("\x45\0\0\x14", 4));
    assert_int_equal(rig_counter(rig, "drop_out_malformed"), 3);
    assert_int_equal(plane_spd_count(rig->plane), 0);
    rig_free(rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_table_is_the_drafts),
        cmocka_unit_test(the_first_datagram_is_held_and_asks),
        cmocka_unit_test(pass_releases_first_and_newest),
        cmocka_unit_test(one_held_datagram_is_released_once),
        cmocka_unit_test(deny_discards_what_was_held),
        cmocka_unit_test(switches_change_while_running),
        cmocka_unit_test(deny_may_answer_with_an_icmp_error),
        cmocka_unit_test(encrypt_releases_through_the_sa),
        cmocka_unit_test(encrypt_needs_an_sa_for_the_flow),
        cmocka_unit_test(keyd_can_create_an_entry_in_any_state),
        cmocka_unit_test(the_acquire_is_repeated_less_than_once_a_second),
        cmocka_unit_test(a_hold_without_an_answer_ends),
        cmocka_unit_test(a_verdict_of_keyd_lasts),
        cmocka_unit_test(held_octets_are_capped),
        cmocka_unit_test(too_large_to_hold),
        cmocka_unit_test(the_longest_unused_entry_makes_room),
        cmocka_unit_test(a_deleted_sa_sends_the_flow_back_to_hold),
        cmocka_unit_test(a_configured_tunnel_never_falls_back_to_clear),
        cmocka_unit_test(keyd_may_go_and_come_back),
        cmocka_unit_test(what_is_no_datagram_is_dropped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
