/*
 * Leases of IPv6 addresses (RFC 3103 section 7.1, address type 3), whole and by ports and SPIs, and
 * hosts that are reached over IPv6: assignment, demultiplexing behind extension headers, ICMPv6,
 * what a host may not do, and a restart. RSIP-010, RSIP-011, RSIP-017, RSIP-074, RSIP-208
 */
#include "rsip_rig.h"

#include <string.h>

#include "wire/ip.h"

static struct rig rig;

#define SHARED "2001:db8:1::10"
#define WHOLE "2001:db8:1::11"
#define Y "2001:db8:2::2"
#define Z "2001:db8:2::3"

enum { RSAP = 1, IPSEC = 2, OLD = 3 }; /* tickets */

static struct rsip_address any_v6(void)
{
    return (struct rsip_address){.type = RSIP_ADDR_V6, .any = true};
}

static struct rsip_want wish(enum rsip_method method)
{
    bool ipsec = method == RSIP_METHOD_IPSEC;
    return (struct rsip_want){.method = method,
                              .local = any_v6(),
                              .remote = any_v6(),
                              .ports = ipsec ? (struct rsip_ports){0} : rig_ports_any(4),
                              .remote_ports = ipsec ? (struct rsip_ports){0} : rig_ports_any(1),
                              .spis = {.form = RSIP_RANGE_ANY, .count = 1}};
}

/* Hosts 0 and 1 share an address, host 2 has one of its own; host 0 has IPv4 as well. */
static void site(void)
{
    rig_init(&rig);
    rig.ranges[2] = (struct rsip_range){.shared = true};
    rig.ranges[3] = (struct rsip_range){.whole = true};
    assert_true(ip_prefix_parse(SHARED, &rig.ranges[2].prefix));
    assert_true(ip_prefix_parse(WHOLE, &rig.ranges[3].prefix));
    rig.config.range_count = 4;
    rig.policies[1] = rig.policies[0];
    assert_true(ip_prefix_parse("fd00::/8", &rig.policies[1].hosts));
    rig.config.policy_count = 2;
    rig_start(&rig);
    for (unsigned i = 0; i < 3; i++)
        rig_client(&rig, i);
    for (unsigned i = 0; i < 2; i++) {
        struct rsip_want want = wish(RSIP_METHOD_RSAP);
        rig_want(&rig, i, RSAP, &want);
        want = wish(RSIP_METHOD_IPSEC);
        rig_want(&rig, i, IPSEC, &want);
        assert_true(rig.hosts[i].up[RSAP] && rig.hosts[i].up[IPSEC]);
    }
    struct rsip_want want = wish(RSIP_METHOD_RSA);
    rig_want(&rig, 2, RSAP, &want);
    want = wish(RSIP_METHOD_RSAP);
    want.local = want.remote = rig_any();
    rig_want(&rig, 0, OLD, &want);
    assert_true(rig.hosts[2].up[RSAP] && rig.hosts[0].up[OLD]);
}

static uint16_t port_of(unsigned host)
{
    return rsip_port_at(&rig.hosts[host].binds[RSAP].local_ports, 1);
}

static uint32_t spi_of(unsigned host)
{
    return rig.hosts[host].binds[IPSEC].spi.spis[0];
}

static void goes_to(struct rig_packet p, unsigned host)
{
    for (int i = 0; i < 2; i++) {
        p.options = i == 1;
        struct rsip_verdict verdict = rig_in(&rig, &p);
        assert_int_equal(verdict.fate, RSIP_FATE_FORWARD);
        assert_int_equal(verdict.host.octets[3], 2 + host);
    }
}

static void is_dropped(struct rsip_verdict verdict, const char *why)
{
    assert_int_equal(verdict.fate, RSIP_FATE_DROP);
    assert_string_equal(verdict.reason, why);
}

static void test_assigned(void **state)
{
    const struct rsip_address *local = &rig.hosts[1].binds[RSAP].local;
    struct ip_addr shared = rig_ip(SHARED), whole = rig_ip(WHOLE);
    (void)state;
    site();
    assert_int_equal(local->type, RSIP_ADDR_V6);
    assert_true(ip_addr_equal(&local->addr, &shared));
    assert_true(ip_addr_equal(&rig.hosts[2].binds[RSAP].local.addr, &whole));
    assert_int_equal(rig.hosts[0].binds[OLD].local.type, RSIP_ADDR_V4);
    /* no address of the kind is left: not that none is allowed */
    struct rsip_want want = wish(RSIP_METHOD_RSA);
    rig_want(&rig, 1, OLD, &want);
    assert_int_equal(rig.hosts[1].refused[OLD], RSIP_E_LOCAL_ADDR_UNAVAILABLE);
    rig_fini(&rig);
}

static void test_inbound(void **state)
{
    (void)state;
    site();
    for (unsigned host = 0; host < 2; host++) {
        goes_to((struct rig_packet){.src = Y,
                                    .dst = SHARED,
                                    .proto = IP_PROTO_UDP,
                                    .src_port = 53,
                                    .dst_port = port_of(host)},
                host);
        goes_to((struct rig_packet){.src = Y,
                                    .dst = SHARED,
                                    .proto = IP_PROTO_TCP,
                                    .src_port = 80,
                                    .dst_port = port_of(host)},
                host);
        goes_to(
            (struct rig_packet){
                .src = Y, .dst = SHARED, .proto = IP_PROTO_ESP, .spi = spi_of(host)},
            host);
        goes_to(
            (struct rig_packet){.src = Y, .dst = SHARED, .proto = IP_PROTO_AH, .spi = spi_of(host)},
            host);
    }
    goes_to((struct rig_packet){.src = Y, .dst = WHOLE, .proto = 132}, 2);
    struct rig_packet stray = {
        .src = Y, .dst = SHARED, .proto = IP_PROTO_UDP, .src_port = 53, .dst_port = 9};
    is_dropped(rig_in(&rig, &stray), "in_no_lease");
    stray = (struct rig_packet){.src = Y, .dst = SHARED, .proto = IP_PROTO_ESP, .spi = 0x99};
    is_dropped(rig_in(&rig, &stray), "in_unknown_spi");
    /* a ping of it is the gateway's to answer (RSIP-209) */
    stray =
        (struct rig_packet){.src = Y, .dst = SHARED, .proto = IP_PROTO_ICMPV6, .icmp_type = 128};
    assert_int_equal(rig_in(&rig, &stray).fate, RSIP_FATE_GATEWAY);
    rig_fini(&rig);
}

static void test_icmp(void **state)
{
    uint8_t room[512];
    (void)state;
    site();
    struct rig_packet ping = {
        .src = SHARED, .dst = Y, .proto = IP_PROTO_ICMPV6, .icmp_type = 128, .icmp_id = 0x10001};
    assert_int_equal(rig_out(&rig, 1, &ping).fate, RSIP_FATE_FORWARD);
    is_dropped(rig_out(&rig, 0, &ping), "out_trace_in_use");
    struct rig_packet pong = {
        .src = Y, .dst = SHARED, .proto = IP_PROTO_ICMPV6, .icmp_type = 129, .icmp_id = 0x10001};
    goes_to(pong, 1);
    pong.src = Z;
    is_dropped(rig_in(&rig, &pong), "in_icmp_unmatched");
    /* errors quote what was sent, with its extension headers; 1 to 4 are those that there are */
    struct rig_packet sent = {
        .src = SHARED, .dst = Y, .proto = IP_PROTO_TCP, .src_port = port_of(1), .dst_port = 80};
    for (uint8_t type = 1; type <= 4; type++)
        for (int i = 0; i < 2; i++) {
            sent.options = i == 1;
            goes_to((struct rig_packet){.src = Z,
                                        .dst = SHARED,
                                        .proto = IP_PROTO_ICMPV6,
                                        .icmp_type = type,
                                        .inside = rig_build_packet(&sent, room)},
                    1);
        }
    struct rig_packet too_far = {.src = Z,
                                 .dst = SHARED,
                                 .proto = IP_PROTO_ICMPV6,
                                 .icmp_type = 1,
                                 .inside = rig_build_packet(&sent, room)};
    room[40 + 16 + 3] = 8; /* a later fragment says nothing of ports */
    is_dropped(rig_in(&rig, &too_far), "in_icmp_unmatched");
    too_far.icmp_type = 137; /* redirects, and neighbours, are of the link */
    is_dropped(rig_in(&rig, &too_far), "in_icmp_unmatched");
    /* ESP that went out, by its SPI */
    sent = (struct rig_packet){.src = SHARED, .dst = Y, .proto = IP_PROTO_ESP, .spi = 0x7777};
    assert_int_equal(rig_out(&rig, 0, &sent).fate, RSIP_FATE_FORWARD);
    goes_to((struct rig_packet){.src = Z,
                                .dst = SHARED,
                                .proto = IP_PROTO_ICMPV6,
                                .icmp_type = 2,
                                .inside = rig_build_packet(&sent, room)},
            0);
    rig_fini(&rig);
}

static void test_outbound(void **state)
{
    (void)state;
    site();
    struct rig_packet p = {
        .src = SHARED, .dst = Y, .proto = IP_PROTO_UDP, .src_port = port_of(0), .dst_port = 53};
    for (int i = 0; i < 2; i++) {
        p.options = i == 1;
        assert_int_equal(rig_out(&rig, 0, &p).fate, RSIP_FATE_FORWARD);
        is_dropped(rig_out(&rig, 1, &p), "out_local_port");
    }
    p.src = WHOLE;
    is_dropped(rig_out(&rig, 0, &p), "out_local_address");
    p.src = "2001:db8:1::12";
    is_dropped(rig_out(&rig, 0, &p), "out_local_address");
    p.src = SHARED;
    p.dst = "ff02::1";
    is_dropped(rig_out(&rig, 0, &p), "out_multicast");
    struct rig_packet ike = {.src = SHARED,
                             .dst = Y,
                             .proto = IP_PROTO_UDP,
                             .src_port = 500,
                             .dst_port = 500,
                             .cookie = 0x1122334455667788};
    assert_int_equal(rig_out(&rig, 1, &ike).fate, RSIP_FATE_FORWARD);
    struct rig_packet answer = {.src = Y,
                                .dst = SHARED,
                                .proto = IP_PROTO_UDP,
                                .src_port = 500,
                                .dst_port = 500,
                                .cookie = 0x1122334455667788};
    goes_to(answer, 1);
    is_dropped(rig_out(&rig, 0, &ike), "out_cookie_in_use");
    rig_fini(&rig);
}

static void test_restart(void **state)
{
    (void)state;
    site();
    rig_restart(&rig, true);
    for (unsigned host = 0; host < 2; host++) {
        goes_to((struct rig_packet){.src = Y,
                                    .dst = SHARED,
                                    .proto = IP_PROTO_UDP,
                                    .src_port = 53,
                                    .dst_port = port_of(host)},
                host);
        goes_to(
            (struct rig_packet){
                .src = Y, .dst = SHARED, .proto = IP_PROTO_ESP, .spi = spi_of(host)},
            host);
    }
    rig_fini(&rig);
}

/* A host on an IPv6 network leases an IPv4 address (RFC 3102 section 2.1: realms of any kind). */
static void test_host_over_v6(void **state)
{
    const struct ip_endpoint host = {.addr = rig_ip("fd00::2"), .port = 4000};
    struct rsip_verdict verdict;
    struct rsip_message m = {
        .type = RSIP_REGISTER_REQUEST, .present = RSIP_F_COUNTER, .counter = 1};
    uint8_t room[512];
    (void)state;
    site();
    rig_raw_message(&rig, &host, &m);
    assert_int_equal(rig.last.type, RSIP_REGISTER_RESPONSE);
    uint32_t id = rig.last.client_id;
    m = (struct rsip_message){.type = RSIP_ASSIGN_REQUEST_RSAP,
                              .present = RSIP_F_CLIENT_ID | RSIP_F_LOCAL_ADDR | RSIP_F_LOCAL_PORTS |
                                         RSIP_F_REMOTE_ADDR | RSIP_F_REMOTE_PORTS | RSIP_F_COUNTER,
                              .client_id = id,
                              .local = rig_any(),
                              .remote = rig_any(),
                              .local_ports = rig_ports_any(2),
                              .remote_ports = rig_ports_any(1),
                              .counter = 2};
    rig_raw_message(&rig, &host, &m);
    assert_int_equal(rig.last.type, RSIP_ASSIGN_RESPONSE_RSAP);
    assert_int_equal(rig.last.local.type, RSIP_ADDR_V4);
    struct rig_packet p = {.src = "149.112.240.156",
                           .dst = "38.196.73.6",
                           .proto = IP_PROTO_UDP,
                           .src_port = rsip_port_at(&rig.last.local_ports, 0),
                           .dst_port = 53};
    rsip_server_outbound(rig.server, rig.now, &host.addr, RSIP_TUNNEL_IPIP,
                         rig_build_packet(&p, room), &verdict);
    assert_int_equal(verdict.fate, RSIP_FATE_FORWARD);
    struct rig_packet back = {.src = "38.196.73.6",
                              .dst = "149.112.240.156",
                              .proto = IP_PROTO_UDP,
                              .src_port = 53,
                              .dst_port = p.src_port};
    verdict = rig_in(&rig, &back);
    assert_true(verdict.fate == RSIP_FATE_FORWARD && ip_addr_equal(&verdict.host, &host.addr));
    rig_fini(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_assigned), cmocka_unit_test(test_inbound),
        cmocka_unit_test(test_icmp),     cmocka_unit_test(test_outbound),
        cmocka_unit_test(test_restart),  cmocka_unit_test(test_host_over_v6),
    };
    return cmocka_run_group_tests_name("rsip_v6", tests, NULL, NULL);
}
