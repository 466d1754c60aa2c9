/*
 * SAs whose ends change: a NAT's new mapping, the peer at another address, other ends altogether,
 * and the way through TCP and back.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>
#include <errno.h>

#include "plane_tunnel.h"

/* Gives b what a sent last, as if it came from another address and port. */
static void carry_from(struct tunnel *t, const char *address, uint16_t port)
{
    const struct rig_out *esp = &t->a->outs[t->a->out_count - 1];
    struct packet_outer outer = esp->outer;
    outer.src = rig_addr(address);
    outer.udp_src = port;
    rig_receive(t->b, view_of(esp->octets, esp->len), &outer);
}

static void carry_to(struct tunnel *t, const char *address)
{
    const struct rig_out *esp = &t->a->outs[t->a->out_count - 1];
    struct packet_outer outer = esp->outer;
    outer.dst = rig_addr(address);
    rig_receive(t->b, view_of(esp->octets, esp->len), &outer);
}

/* ADR-103: both ends of an SA change, and whether it goes in UDP; it keeps its name. What is on the way to
 * the old address is still taken. */
static void an_sa_has_new_ends(void **state)
{
    (void)state;
    struct tunnel t = tunnel_v4();
    tunnel_open(&t);
    struct pfkey_message move = {
        .type = PFKEY_UPDATE,
        .has = PFKEY_HAS_SA | PFKEY_HAS_NEW_ENDS,
        .sa = t.sa,
        .new_src = {rig_addr("203.0.113.1"), 4500},
        .new_dst = {rig_addr("203.0.113.2"), 4501},
    };
    rig_send_mark(t.a, &t.flow, 1);
    assert_int_equal(rig_ask(t.a, &move).error, 0);
    move.sa.inbound = true;
    assert_int_equal(rig_ask(t.b, &move).error, 0);
    carry_to(&t, "192.1.1.5"); /* sent before */
    assert_int_equal(rig_counter(t.b, "in_opportunistic"), 1);
    rig_clear(t.a);
    rig_send_mark(t.a, &t.flow, 2);
    assert_int_equal(t.a->out_count, 1);
    const struct packet_outer *outer = &t.a->outs[0].outer;
    assert_true(ip_addr_equal(&outer->src, &move.new_src.addr));
    assert_true(ip_addr_equal(&outer->dst, &move.new_dst.addr));
    assert_int_equal(outer->udp_src, 4500);
    assert_int_equal(outer->udp_dst, 4501);
    carry_to(&t, "203.0.113.2");
    assert_int_equal(rig_counter(t.b, "in_opportunistic"), 2);
    assert_int_equal(rig_told(t.b, PFKEY_X_NEW_MAPPING), 0);
    rig_send_mark(t.a, &t.flow, 3);
    carry_to(&t, "203.0.113.3"); /* never ours */
    assert_int_equal(rig_counter(t.b, "in_opportunistic"), 2);

    /* The other family, and out of UDP again. */
    move.sa.inbound = false;
    move.new_src = (struct ip_endpoint){rig_addr("2001:db8::1"), 0};
    move.new_dst = (struct ip_endpoint){rig_addr("2001:db8::2"), 0};
    assert_int_equal(rig_ask(t.a, &move).error, 0);
    rig_clear(t.a);
    rig_send_mark(t.a, &t.flow, 4);
    assert_int_equal(t.a->outs[0].outer.udp_dst, 0);
    assert_int_equal(t.a->outs[0].outer.dst.family, IP_V6);
    move.sa.spi.value++;
    assert_int_equal(rig_ask(t.a, &move).error, ESRCH);
    tunnel_close(&t);
}

static struct tunnel tunnel_in_udp(void)
{
    struct tunnel t = tunnel_v4();
    t.sa.udp_src = t.sa.udp_dst = 4500;
    tunnel_open(&t);
    return t;
}

/* RFC 3947 section 7: only authentic ESP, and only the newest of it, tells keyd of a new mapping.
 */
static void a_new_mapping_is_told(void **state)
{
    (void)state;
    struct tunnel t = tunnel_in_udp();
    rig_send_mark(t.a, &t.flow, 1);
    carry_from(&t, "192.1.1.4", 4500);
    assert_int_equal(rig_told(t.b, PFKEY_X_NEW_MAPPING), 0);

    rig_send_mark(t.a, &t.flow, 2);
    t.a->outs[t.a->out_count - 1].octets[20] ^= 1;
    carry_from(&t, "192.1.1.99", 7000);
    assert_int_equal(rig_told(t.b, PFKEY_X_NEW_MAPPING), 0);
    assert_int_equal(rig_counter(t.b, "drop_not_authentic"), 1);

    t.a->outs[t.a->out_count - 1].octets[20] ^= 1; /* as it was sent */
    carry_from(&t, "192.1.1.99", 7000);
    assert_int_equal(rig_told(t.b, PFKEY_X_NEW_MAPPING), 1);
    const struct pfkey_message *said = rig_last(t.b, PFKEY_X_NEW_MAPPING);
    struct ip_addr from = rig_addr("192.1.1.99");
    assert_int_equal(said->sa.spi.value, t.sa.spi.value);
    assert_int_equal(said->sa.udp_src, 7000);
    assert_true(ip_addr_equal(&said->peer, &from));
    assert_int_equal(said->ticket, 6);

    carry_from(&t, "192.1.1.66", 7001); /* a replay */
    assert_int_equal(rig_counter(t.b, "drop_replay"), 1);
    rig_advance(t.b, 999); /* at most one a second */
    rig_send_mark(t.a, &t.flow, 3);
    carry_from(&t, "192.1.1.99", 7000);
    assert_int_equal(rig_told(t.b, PFKEY_X_NEW_MAPPING), 1);
    rig_advance(t.b, 1);
    rig_send_mark(t.a, &t.flow, 4);
    size_t old = t.a->out_count;
    rig_send_mark(t.a, &t.flow, 5);
    carry_from(&t, "192.1.1.99", 7000);
    assert_int_equal(rig_told(t.b, PFKEY_X_NEW_MAPPING), 2);
    rig_advance(t.b, 1000);
    t.a->out_count = old; /* number 4, overtaken by 5 */
    carry_from(&t, "192.1.1.4", 4501);
    assert_int_equal(rig_told(t.b, PFKEY_X_NEW_MAPPING), 2);
    assert_int_equal(rig_counter(t.b, "new_mapping_reports"), 2);
    tunnel_close(&t);
}

/* RFC 9329 section 6.1: through TCP it is the stream that counts, and only authentic ESP. A packet from outside
 * TCP moves nothing; keyd moves an SA from stream to stream, into TCP and out of it. */
static void an_sa_goes_through_tcp(void **state)
{
    (void)state;
    struct tunnel t = tunnel_v4();
    t.sa.udp_src = 50000;
    t.sa.udp_dst = 4500;
    t.sa.stream = 7;
    tunnel_open(&t);
    rig_send_mark(t.a, &t.flow, 1);
    struct packet_outer *outer = &t.a->outs[t.a->out_count - 1].outer;
    assert_int_equal(outer->stream, 7);
    carry_from(&t, "192.1.1.4", 50000);
    assert_int_equal(rig_told(t.b, PFKEY_X_NEW_MAPPING), 0);
    assert_int_equal(rig_counter(t.b, "in_authentic"), 1);

    rig_send_mark(t.a, &t.flow, 2);
    outer = &t.a->outs[t.a->out_count - 1].outer;
    outer->stream = 8;
    t.a->outs[t.a->out_count - 1].octets[20] ^= 1;
    carry_from(&t, "192.1.1.4", 50000);
    assert_int_equal(rig_told(t.b, PFKEY_X_NEW_MAPPING), 0);
    assert_int_equal(rig_counter(t.b, "in_authentic"), 1);
    t.a->outs[t.a->out_count - 1].octets[20] ^= 1;
    carry_from(&t, "192.1.1.4", 50000);
    assert_int_equal(rig_told(t.b, PFKEY_X_NEW_MAPPING), 1);
    assert_int_equal(rig_last(t.b, PFKEY_X_NEW_MAPPING)->sa.stream, 8);
    rig_advance(t.b, 1000);
    rig_send_mark(t.a, &t.flow, 3);
    t.a->outs[t.a->out_count - 1].outer.stream = 0;
    carry_from(&t, "192.1.1.99", 4500); /* UDP */
    assert_int_equal(rig_told(t.b, PFKEY_X_NEW_MAPPING), 1);

    struct pfkey_message move = {.type = PFKEY_UPDATE,
                                 .has = PFKEY_HAS_SA | PFKEY_HAS_PEER,
                                 .sa = t.sa,
                                 .peer = rig_addr("192.1.1.5")};
    move.sa.stream = IP_STREAM_ACCEPTED | 9;
    assert_int_equal(rig_ask(t.a, &move).error, 0);
    rig_clear(t.a);
    rig_send_mark(t.a, &t.flow, 4);
    assert_int_equal(t.a->outs[0].outer.stream, IP_STREAM_ACCEPTED | 9);
    move.has = PFKEY_HAS_SA | PFKEY_HAS_NEW_ENDS;
    move.new_src = (struct ip_endpoint){rig_addr("192.1.1.4"), 4500, 0};
    move.new_dst = (struct ip_endpoint){rig_addr("192.1.1.5"), 4500, 0};
    move.sa.stream = 0;
    assert_int_equal(rig_ask(t.a, &move).error, 0);
    rig_clear(t.a);
    rig_send_mark(t.a, &t.flow, 5);
    assert_int_equal(t.a->outs[0].outer.stream, 0);
    assert_int_equal(t.a->outs[0].outer.udp_dst, 4500);
    move.sa.stream = 11;
    assert_int_equal(rig_ask(t.a, &move).error, 0);
    rig_clear(t.a);
    rig_send_mark(t.a, &t.flow, 6);
    assert_int_equal(t.a->outs[0].outer.stream, 11);
    tunnel_close(&t);
}

/* keyd says where the peer is: a's packets go there, and b is content with what comes from there.
 */
static void an_sa_moves(void **state)
{
    (void)state;
    struct tunnel t = tunnel_in_udp();
    struct pfkey_message move = {.type = PFKEY_UPDATE,
                                 .has = PFKEY_HAS_SA | PFKEY_HAS_PEER,
                                 .sa = t.sa,
                                 .peer = rig_addr("203.0.113.9")};
    move.sa.udp_dst = 7000;
    assert_int_equal(rig_ask(t.a, &move).error, 0);
    rig_clear(t.a);
    rig_send_mark(t.a, &t.flow, 1);
    assert_int_equal(t.a->out_count, 1);
    assert_int_equal(t.a->outs[0].outer.udp_dst, 7000);
    assert_true(ip_addr_equal(&t.a->outs[0].outer.dst, &move.peer));

    move.sa = t.sa;
    move.sa.inbound = true;
    move.sa.udp_src = 8000;
    assert_int_equal(rig_ask(t.b, &move).error, 0);
    t.a->outs[0].outer.dst = t.gateways.dst;
    carry_from(&t, "203.0.113.9", 8000);
    assert_int_equal(rig_counter(t.b, "in_opportunistic"), 1);
    assert_int_equal(rig_told(t.b, PFKEY_X_NEW_MAPPING), 0);

    move.peer = rig_addr("2001:db8::9"); /* not of this family; no port; no such SA */
    assert_int_equal(rig_ask(t.b, &move).error, EINVAL);
    move.peer = rig_addr("203.0.113.9");
    move.sa.udp_src = 0;
    assert_int_equal(rig_ask(t.b, &move).error, EINVAL);
    move.sa.spi.value++;
    assert_int_equal(rig_ask(t.b, &move).error, ESRCH);
    tunnel_close(&t);
    t = tunnel_v4(); /* outside UDP nothing moves */
    tunnel_open(&t);
    move.sa = t.sa;
    move.sa.udp_dst = 7000;
    assert_true(rig_ask(t.a, &move).error != 0);
    tunnel_close(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_new_mapping_is_told),
        cmocka_unit_test(an_sa_goes_through_tcp),
        cmocka_unit_test(an_sa_moves),
        cmocka_unit_test(an_sa_has_new_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
