/*
 * How long an SA lasts in the plane: limits of packets, octets and time, the SA that comes after it,
 * and when it was last of use.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>
#include <errno.h>

#include "plane_tunnel.h"

/* OE-031: by packets, exactly; what is left over of a burst is held again. */
static void a_hard_limit_of_packets_is_exact(void **state)
{
    (void)state;
    struct tunnel t = tunnel_v4();
    t.sa.soft.packets = 2;
    t.sa.hard.packets = 5;
    tunnel_open(&t);
    rig_send_burst(t.a, &t.flow, 1, 1);
    assert_int_equal(rig_told(t.a, PFKEY_EXPIRE), 0);
    rig_send_burst(t.a, &t.flow, 2, 2);
    assert_int_equal(rig_told(t.a, PFKEY_EXPIRE), 1);
    const struct pfkey_message *soft = rig_last(t.a, PFKEY_EXPIRE);
    assert_int_equal(soft->has & PFKEY_HAS_EXPIRE_HARD, 0);
    assert_int_equal(soft->has & PFKEY_HAS_KEYS, 0);
    assert_int_equal(soft->sa.spi.value, t.sa.spi.value);
    assert_int_equal(soft->sa.ticket, 5);
    assert_int_equal(soft->packets, 3);
    rig_clear(t.a);
    rig_send_burst(t.a, &t.flow, 4, 8); /* 4 and 5 go, 6 to 11 don't */
    assert_int_equal(t.a->out_count, 2);
    assert_int_equal(rig_told(t.a, PFKEY_EXPIRE), 1);
    assert_true(rig_last(t.a, PFKEY_EXPIRE)->has & PFKEY_HAS_EXPIRE_HARD);
    assert_int_equal(rig_told(t.a, PFKEY_ACQUIRE), 1);
    assert_int_equal(t.a->verdict, PFKEY_VERDICT_HOLD);
    assert_int_equal(plane_sad_count(t.a->plane), 0);
    rig_clear(t.a);
    rig_policy(t.a, &t.flow, PFKEY_VERDICT_PASS, NULL, 5);
    assert_int_equal(t.a->out_count, 2);
    assert_int_equal(rig_mark(t.a, 0), 6);
    assert_int_equal(rig_mark(t.a, 1), 11);
    tunnel_close(&t);
}

/* The same when the limit falls anywhere in more than one burst can hold. */
static void a_hard_limit_is_exact_in_a_long_run(void **state)
{
    (void)state;
    for (unsigned hard = 1; hard <= RIG_BURST; hard++) {
        struct tunnel t = tunnel_v4();
        t.sa.hard.packets = hard;
        tunnel_open(&t);
        rig_send_burst(t.a, &t.flow, 1, RIG_BURST);
        assert_int_equal(t.a->out_count, hard);
        assert_int_equal(plane_sad_count(t.a->plane), 0);
        rig_clear(t.a);
        rig_policy(t.a, &t.flow, PFKEY_VERDICT_PASS, NULL, 5);
        unsigned left = RIG_BURST - hard;
        assert_int_equal(t.a->out_count, left < 2 ? left : 2);
        if (left > 0)
            assert_int_equal(rig_mark(t.a, 0), hard + 1);
        if (left > 1)
            assert_int_equal(rig_mark(t.a, 1), RIG_BURST);
        tunnel_close(&t);
    }
}

/* An SA that ends under a datagram cut in many takes the rest of it along. */
static void an_sa_may_end_between_fragments(void **state)
{
    (void)state;
    for (unsigned hard = 1; hard <= 40; hard++) {
        struct tunnel t = tunnel_v4();
        t.sa.hard.packets = hard;
        tunnel_open(&t);
        struct rig_datagram large = {.flow = t.flow, .len = 60000, .mark = 1};
        rig_send(t.a, &large);
        assert_int_equal(t.a->out_count, hard);
        assert_int_equal(plane_sad_count(t.a->plane), 0);
        assert_int_equal(t.a->verdict, PFKEY_VERDICT_HOLD);
        rig_advance(t.a, 100000);
        assert_int_equal(t.a->out_count, hard);
        tunnel_close(&t);
    }
}

static void a_limit_of_octets_ends_the_sa(void **state)
{
    (void)state;
    struct tunnel t = tunnel_v4();
    t.sa.soft.octets = 120;
    t.sa.hard.octets = 200;
    tunnel_open(&t);
    rig_send_burst(t.a, &t.flow, 1, 2);
    assert_int_equal(rig_told(t.a, PFKEY_EXPIRE), 1);
    rig_send_burst(t.a, &t.flow, 3, 6); /* 180 is below 200, 240 isn't */
    assert_int_equal(t.a->out_count, 4);
    assert_int_equal(rig_told(t.a, PFKEY_EXPIRE), 2);
    assert_int_equal(rig_last(t.a, PFKEY_EXPIRE)->octets, 240);
    assert_int_equal(plane_sad_count(t.a->plane), 0);
    tunnel_close(&t);
}

static void limits_of_time_need_no_traffic(void **state)
{
    (void)state;
    struct tunnel t = tunnel_v4();
    t.sa.soft.seconds = 50;
    t.sa.hard.seconds = 60;
    tunnel_open(&t);
    struct rig *rigs[] = {t.a, t.b}; /* one outbound, one inbound */
    for (size_t i = 0; i < 2; i++) {
        rig_advance(rigs[i], 49999);
        assert_int_equal(rig_told(rigs[i], PFKEY_EXPIRE), 0);
        rig_advance(rigs[i], 1);
        assert_int_equal(rig_told(rigs[i], PFKEY_EXPIRE), 1);
        assert_int_equal(rig_last(rigs[i], PFKEY_EXPIRE)->sa.inbound, i == 1);
        rig_advance(rigs[i], 9999);
        assert_int_equal(rig_told(rigs[i], PFKEY_EXPIRE), 1);
        assert_int_equal(plane_sad_count(rigs[i]->plane), 1);
        rig_advance(rigs[i], 1);
        assert_int_equal(rig_told(rigs[i], PFKEY_EXPIRE), 2);
        assert_true(rig_last(rigs[i], PFKEY_EXPIRE)->has & PFKEY_HAS_EXPIRE_HARD);
        assert_int_equal(plane_sad_count(rigs[i]->plane), 0);
    }
    assert_int_equal(t.a->verdict, PFKEY_VERDICT_HOLD);
    tunnel_close(&t);
}

/* The new SA is used at once; the old inbound one receives until it is deleted. */
static void rekeying_loses_nothing(void **state)
{
    (void)state;
    struct tunnel t = tunnel_v4();
    tunnel_open(&t);
    struct tunnel next = t;
    next.sa = rig_sa(rig_get_spi(t.b, &t.gateways).value, &t.flow, &t.gateways);
    assert_int_equal(tunnel_install_in(&next, 6).error, 0);
    rig_send_mark(t.a, &t.flow, 1); /* by the old one, still on its way */
    assert_int_equal(rig_install(t.a, PFKEY_ADD, &next.sa).error, 0);
    assert_int_equal(rig_policy(t.a, &t.flow, PFKEY_VERDICT_ENCRYPT, &next.sa, 5).error, 0);
    rig_send_mark(t.a, &t.flow, 2);
    assert_int_equal(t.a->out_count, 2);
    assert_memory_not_equal(t.a->outs[0].octets, t.a->outs[1].octets, 4);
    rig_carry(t.a, t.b);
    assert_int_equal(t.b->out_count, 2);

    struct pfkey_message remove = {.type = PFKEY_DELETE, .has = PFKEY_HAS_SA, .sa = t.sa};
    assert_int_equal(rig_ask(t.a, &remove).error, 0);
    assert_int_equal(rig_ask(t.a, &remove).error, ESRCH);
    remove.sa.inbound = true;
    assert_int_equal(rig_ask(t.b, &remove).error, 0);
    rig_send_mark(t.a, &t.flow, 3);
    assert_int_equal(rig_carry(t.a, t.b), 1);
    assert_int_equal(rig_mark(t.b, 2), 3);
    tunnel_close(&t);
}

/* OE-079: traffic in one direction is use; so is what the kernel forwarded (OE-075). */
static void last_use_counts_both_directions(void **state)
{
    (void)state;
    struct tunnel t = tunnel_v4();
    tunnel_open(&t);
    struct pfkey_message get = {.type = PFKEY_X_POLICY_GET, .has = PFKEY_HAS_FLOW};
    get.flow = ip_pair_reverse(&t.flow);
    assert_int_equal(rig_ask(t.b, &get).error, ESRCH);
    rig_policy(t.b, &get.flow, PFKEY_VERDICT_PASS, NULL, 6);
    assert_int_equal(rig_ask(t.b, &get).idle_ms, -1);
    tunnel_cross(&t, 1);
    rig_advance(t.b, 700);
    assert_int_equal(rig_ask(t.b, &get).idle_ms, 700);
    rig_send_mark(t.b, &get.flow, 2);
    rig_advance(t.b, 30);
    struct pfkey_message answer = rig_ask(t.b, &get);
    assert_int_equal(answer.idle_ms, 30);
    assert_int_equal(answer.verdict, PFKEY_VERDICT_PASS);
    assert_int_equal(answer.ticket, 6);
    assert_int_equal(answer.packets, 1);
    t.b->classifier_idle_ms = 10;
    assert_int_equal(rig_ask(t.b, &get).idle_ms, 10);

    struct pfkey_message sa = {.type = PFKEY_GET, .has = PFKEY_HAS_SA, .sa = t.sa};
    sa.sa.inbound = true;
    answer = rig_ask(t.b, &sa);
    assert_int_equal(answer.idle_ms, 730);
    assert_int_equal(answer.packets, 1);
    assert_int_equal(answer.octets, 60);
    assert_int_equal(answer.has & PFKEY_HAS_KEYS, 0);
    tunnel_close(&t);
}

/* Of three inbound SAs of a ticket, one is deleted and another used. */
static void use_one_of_three(unsigned gone, unsigned used)
{
    struct tunnel t = tunnel_v4(), made[3];
    struct ip_pair back = ip_pair_reverse(&t.flow);
    struct pfkey_message get = {.type = PFKEY_X_POLICY_GET, .has = PFKEY_HAS_FLOW, .flow = back};
    struct pfkey_message remove = {.type = PFKEY_DELETE, .has = PFKEY_HAS_SA};
    rig_policy(t.b, &back, PFKEY_VERDICT_HOLD, NULL, 6);
    for (unsigned i = 0; i < 3; i++) {
        made[i] = t;
        if (i > 0)
            made[i].sa = rig_sa(rig_get_spi(t.b, &t.gateways).value, &t.flow, &t.gateways);
        tunnel_open(&made[i]);
    }
    remove.sa = made[gone].sa;
    remove.sa.inbound = true;
    assert_int_equal(rig_ask(t.b, &remove).error, 0);
    assert_int_equal(rig_ask(t.b, &get).idle_ms, -1);
    assert_int_equal(rig_policy(t.a, &t.flow, PFKEY_VERDICT_ENCRYPT, &made[used].sa, 5).error, 0);
    tunnel_cross(&made[used], 1);
    rig_advance(t.b, 100);
    assert_int_equal(rig_ask(t.b, &get).idle_ms, 100);
    tunnel_close(&t);
}

/* Re-keying leaves several inbound SAs of a ticket: each counts, and any may go first. */
static void last_use_survives_rekeying(void **state)
{
    (void)state;
    for (unsigned gone = 0; gone < 3; gone++)
        for (unsigned used = 0; used < 3; used++)
            if (used != gone)
                use_one_of_three(gone, used);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_hard_limit_of_packets_is_exact),
        cmocka_unit_test(a_hard_limit_is_exact_in_a_long_run),
        cmocka_unit_test(an_sa_may_end_between_fragments),
        cmocka_unit_test(a_limit_of_octets_ends_the_sa),
        cmocka_unit_test(limits_of_time_need_no_traffic),
        cmocka_unit_test(rekeying_loses_nothing),
        cmocka_unit_test(last_use_counts_both_directions),
        cmocka_unit_test(last_use_survives_rekeying),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
