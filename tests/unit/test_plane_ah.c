/* AH in the plane: which SA a packet finds by protocol and SPI, what keyd installs and asks for. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>
#include <errno.h>

#include "plane_tunnel.h"

static const struct plane_config config = {.hold_failure = PFKEY_VERDICT_DENY};

static struct sa_params ah_sa(uint32_t spi, const struct ip_pair *flow, const struct ip_pair *gateways)
{
    struct sa_params sa = rig_sa(spi, flow, gateways);
    sa.suite = (struct esp_suite){
        .protocol = SA_AH, .auth = ESP_AUTH_HMAC_SHA2_256_128, .esn = true};
    sa.cipher_key_len = 0;
    sa.auth_key_len = 32;
    memset(sa.auth_key, (int)(spi & 0x7f), sa.auth_key_len);
    return sa;
}

static struct tunnel ah_tunnel(const char *gw_a, const char *gw_b)
{
    struct tunnel t = tunnel_between("192.1.0.65", "192.2.0.66", gw_a, gw_b);
    t.sa = ah_sa(t.sa.spi.value, &t.flow, &t.gateways);
    tunnel_open(&t);
    return t;
}

/* A larval SPI matures as AH, and datagrams cross, singly and in bursts. */
static void datagrams_cross(void **state)
{
    (void)state;
    static const char *const outer[][2] = {{"192.1.1.4", "192.1.1.5"}, {"fd00::4", "fd00::5"}};
    for (size_t i = 0; i < 2; i++) {
        struct tunnel t = ah_tunnel(outer[i][0], outer[i][1]);
        rig_send_burst(t.a, &t.flow, 1, 5);
        assert_int_equal(t.a->out_count, 5);
        for (size_t n = 0; n < 5; n++) {
            assert_int_equal(t.a->outs[n].kind, PLANE_OUT_ESP);
            assert_true(t.a->outs[n].outer.ah);
        }
        assert_int_equal(rig_carry(t.a, t.b), 5);
        assert_int_equal(t.b->out_count, 5);
        assert_int_equal(rig_mark(t.b, 4), 5);
        assert_int_equal(rig_counter(t.b, "in_opportunistic"), 5);
        tunnel_close(&t);
    }
}

/* An SPI is of one protocol: the other's packets don't find its SA, and keyd hears of them as such. */
static void protocols_are_apart(void **state)
{
    (void)state;
    struct tunnel t = ah_tunnel("192.1.1.4", "192.1.1.5");
    uint8_t esp[64] = {(uint8_t)(t.sa.spi.value >> 24), (uint8_t)(t.sa.spi.value >> 16),
                       (uint8_t)(t.sa.spi.value >> 8),  (uint8_t)t.sa.spi.value, 0, 0, 0, 1};
    struct packet_outer outer = {.src = t.gateways.src, .dst = t.gateways.dst};
    rig_receive(t.b, view_of(esp, sizeof(esp)), &outer);
    assert_int_equal(rig_counter(t.b, "drop_unknown_spi"), 1);
    assert_int_equal(rig_last(t.b, PFKEY_X_UNKNOWN_SPI)->satype, PFKEY_SATYPE_ESP);

    struct sa_params other = rig_sa(0x1234, &t.flow, &t.gateways);
    other.inbound = true;
    assert_int_equal(rig_install(t.b, PFKEY_ADD, &other).error, 0);
    rig_send_mark(t.a, &t.flow, 1);
    struct rig_out *out = &t.a->outs[0];
    memcpy(out->octets + 24, "\0\0\x12\x34", 4); /* the SPI of ESP in an AH packet */
    rig_advance(t.b, 2000);
    rig_clear(t.b);
    rig_receive(t.b, view_of(out->octets, out->len), &out->outer);
    assert_int_equal(rig_counter(t.b, "drop_unknown_spi"), 2);
    assert_int_equal(rig_last(t.b, PFKEY_X_UNKNOWN_SPI)->satype, PFKEY_SATYPE_AH);
    assert_int_equal(t.b->out_count, 0);
    /* Nor may one SPI be both. */
    other.spi = t.sa.spi;
    assert_int_equal(rig_install(t.b, PFKEY_ADD, &other).error, EEXIST);
    tunnel_close(&t);
}

static void what_is_no_ah_is_dropped(void **state)
{
    (void)state;
    struct tunnel t = ah_tunnel("192.1.1.4", "192.1.1.5");
    rig_send_mark(t.a, &t.flow, 1);
    struct rig_out out = t.a->outs[0];
    uint8_t changed[256];
    memcpy(changed, out.octets, out.len);
    rig_receive(t.b, view_of(changed, 30), &out.outer);
    assert_int_equal(rig_counter(t.b, "drop_in_short"), 1);
    changed[out.len - 1] ^= 1;
    rig_receive(t.b, view_of(changed, out.len), &out.outer);
    assert_int_equal(rig_counter(t.b, "drop_not_authentic"), 1);
    rig_receive(t.b, view_of(out.octets, out.len), &out.outer);
    assert_int_equal(t.b->out_count, 1);
    rig_receive(t.b, view_of(out.octets, out.len), &out.outer);
    assert_int_equal(rig_counter(t.b, "drop_replay"), 1);
    tunnel_close(&t);
}

/* AH covers the addresses that a NAT changes. */
static void never_in_udp(void **state)
{
    (void)state;
    struct rig *rig = rig_new(&config);
    struct ip_pair flow = rig_pair("10.0.0.1", "10.0.0.2"), gws = rig_pair("10.1.0.1", "10.1.0.2");
    struct sa_params sa = ah_sa(4096, &flow, &gws);
    sa.udp_src = sa.udp_dst = 4500;
    assert_int_equal(rig_install(rig, PFKEY_ADD, &sa).error, EINVAL);
    sa.udp_src = sa.udp_dst = 0;
    sa.auth_key_len--;
    assert_int_equal(rig_install(rig, PFKEY_ADD, &sa).error, EINVAL);
    sa.auth_key_len++;
    assert_int_equal(rig_install(rig, PFKEY_ADD, &sa).error, 0);
    rig_free(rig);
}

static struct pfkey_message ask_of(struct rig *rig, enum pfkey_type type, uint8_t satype,
                                   const struct sa_params *sa)
{
    struct pfkey_message request = {.type = (uint8_t)type, .satype = satype};
    if (sa != NULL) {
        request.has = PFKEY_HAS_SA;
        request.sa = (struct sa_params){
            .spi = sa->spi, .inbound = sa->inbound, .outer_src = sa->outer_src, .outer_dst = sa->outer_dst};
        request.sa.suite.protocol = satype == PFKEY_SATYPE_AH ? SA_AH : SA_ESP;
    }
    return rig_ask(rig, &request);
}

/* A request for one type leaves the other's SAs alone; without a type it means either. */
static void requests_by_type(void **state)
{
    (void)state;
    struct rig *rig = rig_new(&config);
    struct ip_pair flow = rig_pair("10.0.0.1", "10.0.0.2"), gws = rig_pair("10.1.0.1", "10.1.0.2");
    struct sa_params ah = ah_sa(4096, &flow, &gws), esp = rig_sa(4097, &flow, &gws);
    assert_int_equal(rig_install(rig, PFKEY_ADD, &ah).error, 0);
    assert_int_equal(rig_install(rig, PFKEY_ADD, &esp).error, 0);
    assert_int_equal(ask_of(rig, PFKEY_GET, PFKEY_SATYPE_ESP, &ah).error, ESRCH);
    struct pfkey_message got = ask_of(rig, PFKEY_GET, PFKEY_SATYPE_UNSPEC, &ah);
    assert_int_equal(got.error, 0);
    assert_int_equal(got.satype, PFKEY_SATYPE_AH);
    assert_int_equal(got.sa.suite.protocol, SA_AH);
    assert_int_equal(ask_of(rig, PFKEY_GET, PFKEY_SATYPE_AH, &ah).error, 0);
    rig_clear(rig);
    ask_of(rig, PFKEY_DUMP, PFKEY_SATYPE_AH, NULL);
    assert_int_equal(rig_told(rig, PFKEY_DUMP), 2); /* one, and the end */
    rig_clear(rig);
    ask_of(rig, PFKEY_DUMP, PFKEY_SATYPE_UNSPEC, NULL);
    assert_int_equal(rig_told(rig, PFKEY_DUMP), 3);
    assert_int_equal(ask_of(rig, PFKEY_FLUSH, PFKEY_SATYPE_AH, NULL).error, 0);
    assert_int_equal(plane_sad_count(rig->plane), 1);
    assert_int_equal(ask_of(rig, PFKEY_DELETE, PFKEY_SATYPE_AH, &esp).error, ESRCH);
    assert_int_equal(ask_of(rig, PFKEY_DELETE, PFKEY_SATYPE_UNSPEC, &esp).error, 0);
    assert_int_equal(plane_sad_count(rig->plane), 0);
    rig_free(rig);
}

/* 20 of IPv4 and 28 of AH around 1452 fill 1500. */
static void datagrams_are_cut_to_fit(void **state)
{
    (void)state;
    struct tunnel t = ah_tunnel("192.1.1.4", "192.1.1.5");
    struct rig_datagram datagram = {.flow = t.flow, .len = 1452, .mark = 9};
    rig_send(t.a, &datagram);
    assert_int_equal(t.a->out_count, 1);
    assert_int_equal(t.a->outs[0].len, 1500);
    rig_clear(t.a);
    datagram.len = 1453;
    rig_send(t.a, &datagram);
    assert_int_equal(t.a->out_count, 2);
    assert_int_equal(rig_counter(t.a, "out_fragmented"), 1);
    tunnel_close(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(datagrams_cross),          cmocka_unit_test(protocols_are_apart),
        cmocka_unit_test(what_is_no_ah_is_dropped), cmocka_unit_test(never_in_udp),
        cmocka_unit_test(requests_by_type),         cmocka_unit_test(datagrams_are_cut_to_fit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
