/*
 * SAs in the plane: how keyd installs, asks about and removes them, and datagrams that cross from one
 * plane into another. test_plane_moves.c has those whose ends change, test_plane_lifetimes.c how long
 * they last.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>
#include <errno.h>

#include "plane_tunnel.h"

static const struct plane_config config = {.hold_failure = PFKEY_VERDICT_DENY};

/* IPv4 and IPv6 inside and outside, native and in UDP. */
static void datagrams_cross_every_kind_of_tunnel(void **state)
{
    (void)state;
    static const char *const inner[][2] = {{"192.1.0.65", "192.2.0.66"}, {"fd01::65", "fd02::66"}};
    static const char *const outer[][2] = {{"192.1.1.4", "192.1.1.5"}, {"fd00::4", "fd00::5"}};
    for (unsigned i = 0; i < 8; i++) {
        struct tunnel t = tunnel_between(inner[i & 1][0], inner[i & 1][1], outer[i >> 1 & 1][0],
                                         outer[i >> 1 & 1][1]);
        t.sa.udp_src = t.sa.udp_dst = i & 4 ? 4500 : 0;
        tunnel_open(&t);
        for (uint8_t mark = 1; mark <= 3; mark++) {
            tunnel_cross(&t, mark);
            assert_int_equal(rig_traced(t.b, PFKEY_TRACE_FIRST_IN), mark == 1);
            if (mark == 1) {
                const struct pfkey_message *trace = rig_last(t.b, PFKEY_X_TRACE);
                struct ip_pair back = ip_pair_reverse(&t.flow);
                assert_true(ip_pair_equal(&trace->flow, &back));
                assert_true(ip_addr_equal(&trace->peer, &t.gateways.src));
                assert_int_equal(trace->ticket, 6);
            }
            rig_clear(t.b);
        }
        tunnel_close(&t);
    }
}

static void the_udp_ports_are_the_sas(void **state)
{
    (void)state;
    struct tunnel t = tunnel_v4();
    t.sa.udp_src = 4500;
    t.sa.udp_dst = 61000;
    tunnel_open(&t);
    rig_send_mark(t.a, &t.flow, 1);
    assert_int_equal(t.a->outs[0].outer.udp_src, 4500);
    assert_int_equal(t.a->outs[0].outer.udp_dst, 61000);
    tunnel_close(&t);
}

static void a_burst_is_encrypted_in_order(void **state)
{
    (void)state;
    struct tunnel t = tunnel_v4();
    tunnel_open(&t);
    rig_send_burst(t.a, &t.flow, 1, LIMIT_BURST);
    assert_int_equal(t.a->out_count, LIMIT_BURST);
    assert_int_equal(rig_traced(t.a, PFKEY_TRACE_FIRST_OUT), 1);
    assert_int_equal(rig_traced(t.a, PFKEY_TRACE_SECOND_OUT), 1);
    rig_carry(t.a, t.b);
    assert_int_equal(t.b->out_count, LIMIT_BURST);
    for (size_t i = 0; i < LIMIT_BURST; i++)
        assert_int_equal(rig_mark(t.b, i), i + 1);
    tunnel_close(&t);
}

/* OE-188 */
static void configured_tunnels_have_a_device_of_their_own(void **state)
{
    (void)state;
    struct tunnel t = tunnel_v4();
    t.sa.interface = SA_CONFIGURED;
    tunnel_open(&t);
    rig_send_mark(t.a, &t.flow, 1);
    rig_carry(t.a, t.b);
    assert_int_equal(t.b->out_count, 1);
    assert_int_equal(t.b->outs[0].kind, PLANE_OUT_VPN);
    assert_int_equal(rig_counter(t.b, "in_configured"), 1);
    tunnel_close(&t);
}

/* OE-190, OE-189: an authenticated peer says nothing for addresses that aren't its own. */
static void inner_addresses_must_be_the_sas(void **state)
{
    (void)state;
    static const char *const wrong[][2] = {
        {"192.1.0.66", "192.2.0.66"}, {"192.1.0.65", "192.2.0.67"}, {"fd01::65", "fd02::66"}};
    for (size_t i = 0; i < 3; i++) {
        struct tunnel t = tunnel_v4();
        tunnel_open(&t);
        /* a's own idea of the SA is wider than b's */
        struct ip_pair forged = rig_pair(wrong[i][0], wrong[i][1]);
        struct pfkey_message remove = {.type = PFKEY_DELETE, .has = PFKEY_HAS_SA, .sa = t.sa};
        assert_int_equal(rig_ask(t.a, &remove).error, 0);
        struct sa_params wide = t.sa;
        wide.inner_src = ip_prefix_of(&forged.src, 0);
        wide.inner_dst = ip_prefix_of(&forged.dst, 0);
        assert_int_equal(rig_install(t.a, PFKEY_ADD, &wide).error, 0);
        rig_policy(t.a, &forged, PFKEY_VERDICT_ENCRYPT, &wide, 5);
        rig_clear(t.a);
        rig_send_mark(t.a, &forged, 1);
        assert_int_equal(rig_carry(t.a, t.b), 1);
        assert_int_equal(t.b->out_count, 0);
        assert_int_equal(rig_counter(t.b, "drop_selector"), 1);
        assert_int_equal(rig_traced(t.b, PFKEY_TRACE_FIRST_IN), 0);
        tunnel_close(&t);
    }
}

/* OE-072: told, but rarely */
static void an_unknown_spi_is_a_hint(void **state)
{
    (void)state;
    struct rig *rig = rig_new(&config);
    struct packet_outer outer = {.src = rig_addr("192.1.1.4"), .dst = rig_addr("192.1.1.5")};
    static const uint8_t esp[64] = {0, 0, 0x30, 0x39};
    for (int i = 0; i < 5; i++)
        rig_receive(rig, view_of(esp, sizeof(esp)), &outer);
    assert_int_equal(rig_told(rig, PFKEY_X_UNKNOWN_SPI), 1);
    const struct pfkey_message *hint = rig_last(rig, PFKEY_X_UNKNOWN_SPI);
    assert_int_equal(hint->sa.spi.value, 12345);
    assert_true(ip_addr_equal(&hint->peer, &outer.src));
    rig_advance(rig, 999);
    rig_receive(rig, view_of(esp, sizeof(esp)), &outer);
    assert_int_equal(rig_told(rig, PFKEY_X_UNKNOWN_SPI), 1);
    rig_advance(rig, 1);
    rig_receive(rig, view_of(esp, sizeof(esp)), &outer);
    assert_int_equal(rig_told(rig, PFKEY_X_UNKNOWN_SPI), 2);
    /* many sources together are limited too */
    rig_clear(rig);
    for (uint32_t i = 0; i < 400; i++) {
        outer.src = ip_addr_v4(0x0a000000 + i);
        rig_receive(rig, view_of(esp, sizeof(esp)), &outer);
    }
    assert_in_range(rig_told(rig, PFKEY_X_UNKNOWN_SPI), 90, 100);
    assert_int_equal(rig_counter(rig, "drop_unknown_spi"), 407);
    rig_receive(rig, view_of(esp, 7), &outer);
    assert_int_equal(rig_counter(rig, "drop_in_short"), 1);
    rig_free(rig);
}

static void bad_packets_are_dropped_by_name(void **state)
{
    (void)state;
    struct tunnel t = tunnel_v4();
    rig_clear(t.b);
    struct packet_outer outer = {.src = t.gateways.src, .dst = t.gateways.dst};
    uint8_t early[64] = {0};
    for (int i = 0; i < 4; i++)
        early[i] = (uint8_t)(t.sa.spi.value >> (24 - 8 * i));
    rig_receive(t.b, view_of(early, sizeof(early)), &outer);
    assert_int_equal(rig_counter(t.b, "drop_larval"), 1);

    tunnel_open(&t);
    rig_send_mark(t.a, &t.flow, 1);
    struct rig_out *out = &t.a->outs[0];
    outer = out->outer;
    out->octets[out->len - 1] ^= 1;
    rig_receive(t.b, view_of(out->octets, out->len), &outer);
    assert_int_equal(rig_counter(t.b, "drop_not_authentic"), 1);
    out->octets[out->len - 1] ^= 1;
    struct packet_outer elsewhere = outer;
    elsewhere.dst = rig_addr("192.1.1.6");
    rig_receive(t.b, view_of(out->octets, out->len), &elsewhere);
    assert_int_equal(rig_counter(t.b, "drop_unknown_spi"), 1);
    rig_receive(t.b, view_of(out->octets, out->len), &outer);
    assert_int_equal(t.b->out_count, 1);
    rig_receive(t.b, view_of(out->octets, out->len), &outer);
    assert_int_equal(rig_counter(t.b, "drop_replay"), 1);
    assert_int_equal(t.b->out_count, 1);
    tunnel_close(&t);
}

static struct pfkey_message ask_spi(struct rig *rig, uint32_t least, uint32_t most)
{
    struct pfkey_message request = {
        .type = PFKEY_GETSPI,
        .satype = PFKEY_SATYPE_ESP,
        .has = PFKEY_HAS_SA | PFKEY_HAS_SPI_RANGE,
        .sa = {.inbound = true},
        .spi_min = least,
        .spi_max = most,
    };
    return rig_ask(rig, &request);
}

static void spis_are_unused_and_in_range(void **state)
{
    (void)state;
    struct rig *rig = rig_new(&config);
    bool seen[300] = {false};
    for (unsigned i = 0; i < 44; i++) { /* 256 to 299 */
        struct pfkey_message answer = ask_spi(rig, 0, 299);
        assert_int_equal(answer.error, 0);
        assert_in_range(answer.sa.spi.value, 256, 299);
        assert_false(seen[answer.sa.spi.value]);
        seen[answer.sa.spi.value] = true;
    }
    assert_int_equal(ask_spi(rig, 0, 299).error, ENOBUFS);
    assert_int_equal(ask_spi(rig, 0, 255).error, EINVAL);
    assert_int_equal(ask_spi(rig, UINT32_MAX, UINT32_MAX).sa.spi.value, UINT32_MAX);
    assert_int_equal(plane_sad_count(rig->plane), 45);
    rig_advance(rig, 59999);
    assert_int_equal(plane_sad_count(rig->plane), 45);
    rig_advance(rig, 1);
    assert_int_equal(plane_sad_count(rig->plane), 0);
    assert_int_equal(rig_counter(rig, "larvals_expired"), 45);
    assert_true(mono_is_never(plane_next_deadline(rig->plane)));
    rig_free(rig);
}

static void a_full_sad_refuses(void **state)
{
    (void)state;
    struct plane_config small = config;
    small.sad = 2;
    struct rig *rig = rig_new(&small);
    assert_int_equal(ask_spi(rig, 256, UINT32_MAX).error, 0);
    assert_int_equal(ask_spi(rig, 256, UINT32_MAX).error, 0);
    assert_int_equal(ask_spi(rig, 256, UINT32_MAX).error, ENOBUFS);
    struct ip_pair flow = rig_pair("10.0.0.1", "10.0.0.2"), gws = rig_pair("10.1.0.1", "10.1.0.2");
    struct sa_params sa = rig_sa(4096, &flow, &gws);
    assert_int_equal(rig_install(rig, PFKEY_ADD, &sa).error, ENOBUFS);
    rig_free(rig);
}

static void sas_that_are_none_are_refused(void **state)
{
    (void)state;
    struct rig *rig = rig_new(&config);
    struct ip_pair flow = rig_pair("10.0.0.1", "10.0.0.2"), gws = rig_pair("10.1.0.1", "10.1.0.2");
    const struct sa_params good = rig_sa(4096, &flow, &gws);
    struct sa_params bad[8];
    for (size_t i = 0; i < 8; i++)
        bad[i] = good;
    bad[0].spi.value = 255;
    bad[1].outer_dst = (struct ip_addr){0};
    bad[2].outer_dst = rig_addr("fd00::1");
    bad[3].inner_src = (struct ip_prefix){0};
    bad[4].inner_src = ip_prefix_of(&gws.src, 32);
    bad[4].inner_dst.addr = rig_addr("fd00::1");
    bad[5].cipher_key_len = 16;
    bad[6].auth_key_len = 32;
    bad[7].suite.cipher = ESP_CIPHER_NONE;
    for (size_t i = 0; i < 8; i++)
        assert_int_not_equal(rig_install(rig, PFKEY_ADD, &bad[i]).error, 0);
    struct pfkey_message keyless = {.type = PFKEY_ADD, .has = PFKEY_HAS_SA, .sa = good};
    assert_int_equal(rig_ask(rig, &keyless).error, EINVAL);
    assert_int_equal(rig_install(rig, PFKEY_UPDATE, &good).error, ESRCH);
    assert_int_equal(plane_sad_count(rig->plane), 0);

    assert_int_equal(rig_install(rig, PFKEY_ADD, &good).error, 0);
    assert_int_equal(rig_install(rig, PFKEY_ADD, &good).error, EEXIST);
    struct sa_params other_peer = good; /* the peer chose the SPI, so another may choose it too */
    other_peer.outer_dst = rig_addr("10.1.0.3");
    assert_int_equal(rig_install(rig, PFKEY_ADD, &other_peer).error, 0);
    assert_int_equal(plane_sad_count(rig->plane), 2);
    rig_free(rig);
}

static void a_mature_sa_gets_no_other_keys(void **state)
{
    (void)state;
    struct tunnel t = tunnel_v4();
    tunnel_open(&t);
    struct tunnel other = t;
    memset(other.sa.cipher_key, 0x77, 20);
    assert_int_equal(tunnel_install_in(&other, 6).error, EEXIST);
    tunnel_cross(&t, 1);
    /* but its lifetimes may change */
    struct pfkey_message update = {.type = PFKEY_UPDATE, .has = PFKEY_HAS_SA, .sa = t.sa};
    update.sa.inbound = true;
    update.sa.hard.seconds = 10;
    assert_int_equal(rig_ask(t.b, &update).error, 0);
    rig_advance(t.b, 10000);
    assert_int_equal(plane_sad_count(t.b->plane), 0);
    tunnel_close(&t);
}

/* A keyd that starts again learns all but the keys. */
static void dumps_tell_everything_but_keys(void **state)
{
    (void)state;
    struct tunnel t = tunnel_v4();
    t.sa.udp_src = t.sa.udp_dst = 4500;
    t.sa.hard.seconds = 3600;
    tunnel_open(&t);
    struct ip_pair clear = rig_pair("192.1.0.65", "192.3.0.1");
    rig_policy(t.a, &clear, PFKEY_VERDICT_PASS, NULL, 8);
    struct sa_params newer = rig_sa(0x2000, &t.flow, &t.gateways);
    rig_install(t.a, PFKEY_ADD, &newer);
    rig_get_spi(t.a, &t.gateways); /* larval: no keyd will ever come back for it */
    rig_clear(t.a);

    struct pfkey_message request = {.type = PFKEY_DUMP, .satype = PFKEY_SATYPE_ESP};
    struct pfkey_message last = rig_ask(t.a, &request);
    assert_true(pfkey_dump_is_last(&last));
    assert_int_equal(rig_told(t.a, PFKEY_DUMP), 3);
    assert_int_equal(t.a->told[0].sa.spi.value, 0x2000);
    struct pfkey_message old = t.a->told[1];
    assert_false(pfkey_dump_is_last(&old));
    assert_int_equal(old.seq, last.seq);
    assert_int_equal(old.pid, last.pid);
    assert_int_equal(old.has & PFKEY_HAS_KEYS, 0);
    struct sa_params expected = t.sa;
    expected.cipher_key_len = 0;
    memset(expected.cipher_key, 0, sizeof(expected.cipher_key));
    assert_memory_equal(&old.sa, &expected, sizeof(expected));

    rig_clear(t.a);
    request = (struct pfkey_message){.type = PFKEY_X_POLICY_DUMP};
    last = rig_ask(t.a, &request);
    assert_true(pfkey_dump_is_last(&last));
    assert_int_equal(t.a->told_count, 3);
    for (size_t i = 0; i < 2; i++) {
        const struct pfkey_message *entry = &t.a->told[i];
        bool encrypts = ip_pair_equal(&entry->flow, &t.flow);
        assert_int_equal(entry->verdict, encrypts ? PFKEY_VERDICT_ENCRYPT : PFKEY_VERDICT_PASS);
        assert_int_equal(entry->ticket, encrypts ? 5 : 8);
        assert_true(encrypts == ((entry->has & PFKEY_HAS_SA) != 0));
        if (encrypts) {
            assert_int_equal(entry->sa.spi.value, t.sa.spi.value);
            assert_true(ip_addr_equal(&entry->peer, &t.gateways.dst));
        }
    }
    tunnel_close(&t);
}

static void flush_empties_the_sad_and_on_demand_the_spd(void **state)
{
    (void)state;
    struct tunnel t = tunnel_v4();
    tunnel_open(&t);
    struct pfkey_message flush = {.type = PFKEY_FLUSH, .satype = PFKEY_SATYPE_ESP};
    assert_int_equal(rig_ask(t.a, &flush).error, 0);
    assert_int_equal(plane_sad_count(t.a->plane), 0);
    assert_int_equal(plane_spd_count(t.a->plane), 1);
    assert_int_equal(t.a->verdict, PFKEY_VERDICT_HOLD);
    rig_send_mark(t.a, &t.flow, 1);
    assert_int_equal(t.a->out_count, 0);
    flush.satype = PFKEY_SATYPE_UNSPEC;
    assert_int_equal(rig_ask(t.a, &flush).error, 0);
    assert_int_equal(plane_spd_count(t.a->plane), 0);
    assert_int_equal(t.a->verdict, PFKEY_VERDICT_NONE);
    tunnel_close(&t);
}

static void policies_are_deleted(void **state)
{
    (void)state;
    struct tunnel t = tunnel_v4();
    tunnel_open(&t);
    struct pfkey_message remove = {
        .type = PFKEY_X_POLICY_DELETE, .has = PFKEY_HAS_FLOW, .flow = t.flow};
    struct pfkey_message answer = rig_ask(t.a, &remove);
    assert_int_equal(answer.error, 0);
    assert_int_equal(answer.verdict, PFKEY_VERDICT_ENCRYPT);
    assert_int_equal(t.a->verdict, PFKEY_VERDICT_NONE);
    assert_int_equal(rig_ask(t.a, &remove).error, ESRCH);
    assert_int_equal(plane_spd_count(t.a->plane), 0);
    assert_int_equal(plane_sad_count(t.a->plane), 1);
    tunnel_close(&t);
}

static void other_requests_are_answered(void **state)
{
    (void)state;
    struct rig *rig = rig_new(&config);
    struct pfkey_message request = {.type = PFKEY_X_COUNTERS};
    assert_true(rig_ask(rig, &request).has & PFKEY_HAS_END);
    assert_true(rig->told_count > 30);
    assert_string_equal(rig->told[0].counter_name, "out_clear");
    request.type = PFKEY_REGISTER;
    assert_int_equal(rig_ask(rig, &request).error, 0);
    request.type = PFKEY_X_PROMISC;
    assert_int_equal(rig_ask(rig, &request).error, EOPNOTSUPP);
    rig_clear(rig);
    plane_control(rig->plane, rig->now, view_of("no PF_KEY message", 17));
    assert_int_equal(rig->told_count, 0);
    assert_int_equal(rig_counter(rig, "control_malformed"), 1);
    rig_free(rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(datagrams_cross_every_kind_of_tunnel),
        cmocka_unit_test(the_udp_ports_are_the_sas),
        cmocka_unit_test(a_burst_is_encrypted_in_order),
        cmocka_unit_test(configured_tunnels_have_a_device_of_their_own),
        cmocka_unit_test(inner_addresses_must_be_the_sas),
        cmocka_unit_test(an_unknown_spi_is_a_hint),
        cmocka_unit_test(bad_packets_are_dropped_by_name),
        cmocka_unit_test(spis_are_unused_and_in_range),
        cmocka_unit_test(a_full_sad_refuses),
        cmocka_unit_test(sas_that_are_none_are_refused),
        cmocka_unit_test(a_mature_sa_gets_no_other_keys),
        cmocka_unit_test(dumps_tell_everything_but_keys),
        cmocka_unit_test(flush_empties_the_sad_and_on_demand_the_spd),
        cmocka_unit_test(policies_are_deleted),
        cmocka_unit_test(other_requests_are_answered),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
