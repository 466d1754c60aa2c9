/*
 * A hostile host can't take another's address, port, SPI or Initiator Cookie, nor more of the
 * gateway than its share; and each packet goes to the one that leased what it is for.
 */
#include "rsip_rig.h"

#include <string.h>

#include "wire/ip.h"

static struct rig rig;

#define NB "149.112.240.156"
#define WHOLE "149.112.240.17"
#define Y "38.196.73.6"
#define Z "38.196.73.7"

static struct rsip_want wish(enum rsip_method method, unsigned ports)
{
    struct rsip_want want = {.method = method,
                             .local = rig_any(),
                             .remote = rig_any(),
                             .ports = ports == 0 ? (struct rsip_ports){0} : rig_ports_any(ports),
                             .remote_ports = rig_ports_any(1),
                             .spis = {.form = RSIP_RANGE_ANY, .count = 1}};
    if (method == RSIP_METHOD_IPSEC)
        want.remote_ports = (struct rsip_ports){0};
    return want;
}

/* Hosts 0 and 1 with ports and SPIs on one address; host 2 with an address of its own. */
static void soho(void)
{
    rig_init(&rig);
    rig_start(&rig);
    for (unsigned i = 0; i < 3; i++)
        rig_client(&rig, i);
    for (unsigned i = 0; i < 2; i++) {
        struct rsip_want want = wish(RSIP_METHOD_RSAP, 4);
        rig_want(&rig, i, 1, &want);
        want = wish(RSIP_METHOD_IPSEC, 0);
        rig_want(&rig, i, 2, &want);
        assert_true(rig.hosts[i].up[1] && rig.hosts[i].up[2]);
    }
    struct rsip_want want = wish(RSIP_METHOD_RSA, 0);
    rig_want(&rig, 2, 1, &want);
    assert_true(rig.hosts[2].up[1]);
}

static uint16_t port_of(unsigned host, unsigned i)
{
    return rsip_port_at(&rig.hosts[host].binds[1].local_ports, i);
}

static uint32_t spi_of(unsigned host)
{
    return rig.hosts[host].binds[2].spi.spis[0];
}

static void goes_to(struct rig_packet p, unsigned host)
{
    struct rsip_verdict v = rig_in(&rig, &p);
    assert_int_equal(v.fate, RSIP_FATE_FORWARD);
    assert_true(ip_addr_equal(&v.host, &rig.hosts[host].at.addr));
}

static void dropped(struct rig_packet p, const char *why)
{
    struct rsip_verdict v = rig_in(&rig, &p);
    assert_int_equal(v.fate, RSIP_FATE_DROP);
    assert_string_equal(v.reason, why);
}

static void leaves(unsigned host, struct rig_packet p)
{
    assert_int_equal(rig_out(&rig, host, &p).fate, RSIP_FATE_FORWARD);
}

static void refused(unsigned host, struct rig_packet p, const char *why)
{
    struct rsip_verdict v = rig_out(&rig, host, &p);
    assert_int_equal(v.fate, RSIP_FATE_DROP);
    assert_string_equal(v.reason, why);
}

static struct rig_packet udp(const char *src, uint16_t src_port, const char *dst, uint16_t dst_port)
{
    return (struct rig_packet){
        .src = src, .dst = dst, .proto = 17, .src_port = src_port, .dst_port = dst_port};
}

static struct rig_packet ike(const char *src, const char *dst, uint64_t cookie)
{
    struct rig_packet p = udp(src, 500, dst, 500);
    p.cookie = cookie;
    return p;
}

static struct rig_packet esp(const char *src, const char *dst, uint8_t proto, uint32_t spi)
{
    return (struct rig_packet){.src = src, .dst = dst, .proto = proto, .spi = spi};
}

static struct rig_packet icmp(const char *src, const char *dst, uint8_t type, uint32_t echo)
{
    return (struct rig_packet){
        .src = src, .dst = dst, .proto = 1, .icmp_type = type, .icmp_id = echo};
}

/* RSIP-002, RSIP-017, RSIP-143, RSIP-182, RSIP-196, RSIP-016, RSIP-018, RSIP-020, RSIP-055,
 * RSIP-188, RSIP-195 */
static void test_inbound(void **state)
{
    (void)state;
    soho();
    for (unsigned host = 0; host < 2; host++) {
        for (unsigned i = 0; i < 4; i++)
            goes_to(udp(Y, 53, NB, port_of(host, i)), host);
        goes_to(esp(Y, NB, 50, spi_of(host)), host);
        goes_to(esp(Z, NB, 51, spi_of(host)), host);
    }
    dropped(udp(Y, 53, NB, 7), "in_no_lease");
    dropped(esp(Y, NB, 50, spi_of(0) ^ 1), "in_unknown_spi");
    dropped(esp(Y, NB, 51, 0), "in_unknown_spi");
    dropped((struct rig_packet){.src = Y, .dst = NB, .proto = 47}, "in_no_lease");
    goes_to(udp(Y, 53, WHOLE, 7), 2);
    goes_to(esp(Y, WHOLE, 50, 1234), 2);
    goes_to((struct rig_packet){.src = Y, .dst = WHOLE, .proto = 47}, 2);
    struct rig_packet other = udp(Y, 1, "149.112.240.9", 1);
    assert_int_equal(rig_in(&rig, &other).fate, RSIP_FATE_GATEWAY);
    rig_fini(&rig);
}

/* RSIP-053, RSIP-065, RSIP-170, RSIP-171, RSIP-206: only what was leased. */
static void test_outbound(void **state)
{
    (void)state;
    soho();
    leaves(0, udp(NB, port_of(0, 0), Y, 53));
    leaves(2, udp(WHOLE, 1, Y, 53));
    assert_int_equal(rig.hosts[0].misuses, 0);
    refused(0, udp(NB, port_of(1, 0), Y, 53), "out_local_port");
    assert_int_equal(rig.hosts[0].misuses, 1);
    assert_int_equal(rig.hosts[0].last_error, RSIP_E_LOCAL_ADDRPORT_UNALLOWED);
    assert_int_equal(rig.last.counter, 0);
    refused(0, udp(NB, 7, Y, 53), "out_local_port");
    assert_int_equal(rig.hosts[0].misuses, 1); /* told once a second */
    rig_run(&rig, 1000);
    refused(0, udp(WHOLE, 1, Y, 53), "out_local_address");
    assert_int_equal(rig.hosts[0].last_error, RSIP_E_LOCAL_ADDR_UNALLOWED);
    refused(0, udp("10.0.0.2", 1, Y, 53), "out_local_address");
    refused(0, udp(Y, 1, Z, 53), "out_local_address");
    refused(2, udp(NB, port_of(0, 0), Y, 53), "out_local_address");
    refused(3, udp(NB, port_of(0, 0), Y, 53), "out_not_registered");
    refused(0, (struct rig_packet){.src = NB, .dst = Y, .proto = 47}, "out_protocol");
    refused(0, udp(NB, port_of(0, 0), "224.0.0.5", 53), "out_multicast");
    leaves(2, (struct rig_packet){.src = WHOLE, .dst = Y, .proto = 47});
    rig_fini(&rig);
}

/* RSIP-165: another tunnel than the one that was granted */
static void test_tunnel_type(void **state)
{
    uint8_t room[2048];
    struct rsip_verdict v;
    (void)state;
    soho();
    struct rig_packet p = udp(NB, port_of(0, 0), Y, 53);
    rsip_server_outbound(rig.server, rig.now, &rig.hosts[0].at.addr, RSIP_TUNNEL_GRE,
                         rig_build_packet(&p, room), &v);
    rig_run(&rig, 0);
    assert_string_equal(v.reason, "out_tunnel");
    assert_int_equal(rig.hosts[0].last_error, RSIP_E_BAD_TUNNEL_TYPE);
    rig_fini(&rig);
}

/* RSIP-010, RSIP-011, RSIP-012, RSIP-013, RSIP-021, RSIP-022, RSIP-023, RSIP-048, RSIP-204 */
static void test_cookies(void **state)
{
    const uint64_t mine = 0x1111111122222222, yours = 0x3333333344444444;
    (void)state;
    soho();
    dropped(ike(Y, NB, mine), "in_unknown_cookie");
    leaves(0, ike(NB, Y, mine));
    leaves(1, ike(NB, Y, yours));
    goes_to(ike(Y, NB, mine), 0);
    goes_to(ike(Y, NB, yours), 1);
    refused(1, ike(NB, Y, mine), "out_cookie_in_use");
    refused(1, ike(NB, Z, mine), "out_cookie_in_use"); /* for any peer: per assigned address */
    refused(0, ike(NB, Z, mine), "out_cookie_in_use"); /* tied to the peer too */
    goes_to(ike(Y, NB, mine), 0);
    dropped(ike(Z, NB, mine), "in_unknown_cookie");
    struct rig_packet bare = udp(NB, 500, Y, 500);
    refused(0, bare, "out_local_port"); /* no cookie at all */
    /* its owner gone, the cookie is free, but what it led back isn't taken over by a copy */
    rig_input(&rig, 0, &(struct rsip_client_event){.kind = RSIP_CEV_STOP});
    dropped(ike(Y, NB, mine), "in_unknown_cookie");
    leaves(1, ike(NB, Y, mine));
    goes_to(ike(Y, NB, mine), 1);
    rig_fini(&rig);
}

/* Without an RSIPSEC bind there is no IKE on port 500. */
static void test_no_ipsec_bind(void **state)
{
    (void)state;
    rig_init(&rig);
    rig_start(&rig);
    rig_client(&rig, 0);
    struct rsip_want want = wish(RSIP_METHOD_RSAP, 4);
    rig_want(&rig, 0, 1, &want);
    refused(0, ike(NB, Y, 1), "out_local_port");
    refused(0, esp(NB, Y, 50, 777), "out_protocol");
    rig_fini(&rig);
}

/* RSIP-184: cookies, pings and SPIs of a host push out its own, and nobody else's. */
static void test_trace_quota(void **state)
{
    struct rsip_host_info info = {0};
    (void)state;
    soho();
    leaves(1, ike(NB, Y, 0xbeef));
    leaves(0, ike(NB, Y, 0xcafe));
    for (uint32_t ping = 0; ping < 1000; ping++)
        leaves(0, icmp(NB, Y, 8, ping));
    goes_to(ike(Y, NB, 0xcafe), 0); /* pings push out pings only */
    goes_to(icmp(Y, NB, 0, 999), 0);
    for (uint64_t cookie = 1; cookie <= 1000; cookie++)
        leaves(0, ike(NB, Y, cookie));
    goes_to(ike(Y, NB, 0xbeef), 1);
    goes_to(ike(Y, NB, 1000), 0);
    goes_to(ike(Y, NB, 985), 0);
    dropped(ike(Y, NB, 984), "in_unknown_cookie");
    while (rsip_server_host(rig.server, &info))
        assert_true(info.traces <= 16);
    rig_fini(&rig);
}

/* RSIP-208, RSIP-209 */
static void test_ping(void **state)
{
    (void)state;
    soho();
    dropped(icmp(Y, NB, 0, 0x00010001), "in_icmp_unmatched");
    leaves(0, icmp(NB, Y, 8, 0x00010001));
    leaves(1, icmp(NB, Y, 8, 0x00010002));
    leaves(1, icmp(NB, Z, 8, 0x00010001));
    goes_to(icmp(Y, NB, 0, 0x00010001), 0);
    goes_to(icmp(Y, NB, 0, 0x00010002), 1);
    goes_to(icmp(Z, NB, 0, 0x00010001), 1);
    refused(1, icmp(NB, Y, 8, 0x00010001), "out_trace_in_use");
    dropped(icmp(Y, NB, 14, 0x00010001), "in_icmp_unmatched");
    rig_run(&rig, 61000);
    dropped(icmp(Y, NB, 0, 0x00010001), "in_icmp_unmatched");
    leaves(1, icmp(NB, Y, 8, 0x00010001));
    goes_to(icmp(Y, NB, 0, 0x00010001), 1);
    struct rig_packet request = icmp(Y, NB, 8, 5), whole = icmp(Y, WHOLE, 8, 5);
    assert_int_equal(rig_in(&rig, &request).fate, RSIP_FATE_GATEWAY);
    assert_int_equal(rig_in(&rig, &whole).fate, RSIP_FATE_GATEWAY);
    refused(0, icmp(NB, Y, 0, 5), "out_protocol"); /* an answer to what never came */
    rig_fini(&rig);
}

static struct rig_packet icmp_error(const char *src, const char *dst,
                                    const struct rig_packet *about, uint8_t *room)
{
    struct view quoted = rig_build_packet(about, room);
    struct rig_packet p = icmp(src, dst, 3, 0);
    p.inside = view_of(quoted.ptr, quoted.len < 40 ? quoted.len : 40);
    return p;
}

/* RSIP-208: by what is quoted. */
static void test_icmp_errors(void **state)
{
    uint8_t room[2048];
    (void)state;
    soho();
    struct rig_packet about = udp(NB, port_of(1, 2), Y, 53);
    goes_to(icmp_error(Z, NB, &about, room), 1);
    about = udp(NB, 7, Y, 53);
    dropped(icmp_error(Z, NB, &about, room), "in_icmp_unmatched");
    about = udp(Y, port_of(1, 2), NB, 53); /* not ours that is quoted */
    dropped(icmp_error(Z, NB, &about, room), "in_icmp_unmatched");
    about = esp(NB, Y, 50, 0x900d);
    dropped(icmp_error(Z, NB, &about, room), "in_icmp_unmatched");
    leaves(1, about);
    goes_to(icmp_error(Z, NB, &about, room), 1);
    about = ike(NB, Y, 0xc0ffee);
    leaves(0, about);
    goes_to(icmp_error(Z, NB, &about, room), 0);
    about = icmp(NB, Y, 8, 0x00050005);
    leaves(1, about);
    goes_to(icmp_error(Z, NB, &about, room), 1);
    about = udp(NB, port_of(0, 0), Y, 53);
    struct rig_packet cut = icmp_error(Z, NB, &about, room);
    cut.inside.len = 22; /* the ports are missing */
    dropped(cut, "in_icmp_unmatched");
    /* what a host says about what came in for it, and no more */
    about = udp(Y, 53, NB, port_of(0, 0));
    leaves(0, icmp_error(NB, Y, &about, room));
    refused(1, icmp_error(NB, Y, &about, room), "out_local_port");
    about = esp(Y, NB, 50, spi_of(1));
    leaves(1, icmp_error(NB, Y, &about, room));
    refused(0, icmp_error(NB, Y, &about, room), "out_local_port");
    rig_fini(&rig);
}

/* RSIP-078, RSIP-079, RSIP-080: both directions, and the remote end only with its bind. */
static void test_remote_policy(void **state)
{
    (void)state;
    for (unsigned micro = 0; micro < 2; micro++) {
        rig_init(&rig);
        rig.policies[0].flow_remote = micro ? RSIP_FLOW_MICRO : RSIP_FLOW_MACRO;
        rig_start(&rig);
        rig_client(&rig, 0);
        struct rsip_want want = wish(RSIP_METHOD_RSAP, 1);
        want.remote = rig_v4(Y);
        want.remote_ports = rig_ports(1, 80);
        rig_want(&rig, 0, 1, &want);
        struct rsip_want second = want;
        second.remote = rig_v4(Z);
        rig_want(&rig, 0, 2, &second);
        uint16_t to_y = port_of(0, 0), to_z = rig.hosts[0].binds[2].local_ports.ports[0];
        leaves(0, udp(NB, to_y, Y, 80));
        leaves(0, udp(NB, to_z, Z, 80));
        refused(0, udp(NB, to_z, Y, 80), "out_remote_address");
        assert_int_equal(rig.hosts[0].last_error, RSIP_E_REMOTE_ADDR_UNALLOWED);
        rig_run(&rig, 1000);
        goes_to(udp(Y, 80, NB, to_y), 0);
        dropped(udp(Z, 80, NB, to_y), "in_remote_policy");
        if (micro) {
            refused(0, udp(NB, to_y, Y, 81), "out_remote_port");
            assert_int_equal(rig.hosts[0].last_error, RSIP_E_REMOTE_ADDRPORT_UNALLOWED);
            dropped(udp(Y, 81, NB, to_y), "in_remote_policy");
        } else {
            leaves(0, udp(NB, to_y, Y, 81));
            goes_to(udp(Y, 81, NB, to_y), 0);
        }
        rig_fini(&rig);
    }
}

/* RSIP-044, RSIP-045, RSIP-046, RSIP-047: ports behind AH are checked, and of ESP the addresses. */
static void test_ipsec_policy(void **state)
{
    (void)state;
    rig_init(&rig);
    rig.policies[0].flow_remote = RSIP_FLOW_MICRO;
    rig_start(&rig);
    rig_client(&rig, 0);
    struct rsip_want want = wish(RSIP_METHOD_IPSEC, 1);
    want.remote = rig_v4(Y);
    want.remote_ports = rig_ports(1, 80);
    rig_want(&rig, 0, 2, &want);
    assert_true(rig.hosts[0].up[2]);
    uint16_t port = rig.hosts[0].binds[2].local_ports.ports[0];
    struct rig_packet ah = esp(NB, Y, 51, 4242);
    ah.src_port = port;
    ah.dst_port = 80;
    leaves(0, ah);
    ah.dst_port = 81;
    refused(0, ah, "out_remote_port");
    ah.src_port = 7;
    refused(0, ah, "out_local_port");
    ah.src_port = port;
    ah.dst_port = 80;
    ah.dst = Z;
    refused(0, ah, "out_remote_address");
    leaves(0, esp(NB, Y, 50, 4242));
    refused(0, esp(NB, Z, 50, 4242), "out_remote_address");
    struct rig_packet back = esp(Y, NB, 51, spi_of(0));
    back.src_port = 80;
    goes_to(back, 0);
    back.src_port = 81;
    dropped(back, "in_remote_policy");
    dropped(esp(Z, NB, 50, spi_of(0)), "in_remote_policy");
    rig_fini(&rig);
}

/* Rules hold for data too, where no remote end is named in the request. */
static void test_rules_without_flow_policy(void **state)
{
    struct rsip_rule rules[] = {{.port_low = 25, .port_high = 25}, {.allow = false}};
    (void)state;
    assert_true(ip_prefix_parse(Z, &rules[1].remote));
    rig_init(&rig);
    rig.policies[0].rules = rules;
    rig.policies[0].rule_count = 2;
    rig_start(&rig);
    rig_client(&rig, 0);
    struct rsip_want want = wish(RSIP_METHOD_RSAP, 1);
    rig_want(&rig, 0, 1, &want);
    leaves(0, udp(NB, port_of(0, 0), Y, 80));
    refused(0, udp(NB, port_of(0, 0), Y, 25), "out_remote_address");
    refused(0, udp(NB, port_of(0, 0), Z, 80), "out_remote_address");
    rig_fini(&rig);
}

/* RSIP-018, RSIP-194: an address that is the gateway's own too */
static void test_own_address(void **state)
{
    (void)state;
    rig_init(&rig);
    rig.ranges[0].own = true;
    rig_start(&rig);
    rig_client(&rig, 0);
    struct rsip_want want = wish(RSIP_METHOD_RSAP, 1);
    rig_want(&rig, 0, 1, &want);
    goes_to(udp(Y, 80, NB, port_of(0, 0)), 0);
    struct rig_packet p = udp(Y, 80, NB, 22);
    assert_int_equal(rig_in(&rig, &p).fate, RSIP_FATE_GATEWAY);
    rig_fini(&rig);
}

/* Another's client ID and bind ID from a foreign address, and all of its resources by name. */
static void test_theft(void **state)
{
    (void)state;
    soho();
    struct rig_host *victim = &rig.hosts[0];
    const uint32_t id = rsip_client_id(victim->client);
    struct ip_endpoint thief = rig.hosts[1].at;
    const uint32_t bind = victim->binds[1].bind_id;
    static const enum rsip_type types[] = {RSIP_DEREGISTER_REQUEST, RSIP_EXTEND_REQUEST,
                                           RSIP_FREE_REQUEST, RSIP_QUERY_REQUEST};
    rsip_client_free(rig.hosts[1].client);
    rig.hosts[1].client = NULL;
    struct rsip_message m = {.client_id = id, .bind_id = bind, .counter = 90};
    for (size_t i = 0; i < CHECK_COUNT(types); i++) {
        m.type = types[i];
        m.counter++;
        m.present = RSIP_F_CLIENT_ID | RSIP_F_BIND_ID | RSIP_F_COUNTER;
        rig_raw_message(&rig, &thief, &m);
        assert_int_equal(rig_error(&rig), RSIP_E_BAD_CLIENT_ID);
    }
    struct rsip_host_info info = {0};
    while (rsip_server_host(rig.server, &info))
        if (ip_addr_equal(&info.host.addr, &thief.addr))
            m.client_id = info.id;
    m.present |= RSIP_F_LOCAL_ADDR | RSIP_F_LOCAL_PORTS | RSIP_F_REMOTE_ADDR | RSIP_F_REMOTE_PORTS |
                 RSIP_F_SPI;
    m.local = rig_v4(NB);
    m.remote = rig_any();
    m.remote_ports = rig_ports_any(1);
    m.local_ports = victim->binds[1].local_ports;
    m.type = RSIP_ASSIGN_REQUEST_RSAP;
    m.counter++;
    rig_raw_message(&rig, &thief, &m);
    assert_int_equal(rig_error(&rig), RSIP_E_LOCAL_ADDRPORT_INUSE);
    m.type = RSIP_LISTEN_REQUEST;
    m.counter++;
    rig_raw_message(&rig, &thief, &m);
    assert_int_equal(rig_error(&rig), RSIP_E_LOCAL_ADDRPORT_INUSE);
    m.type = RSIP_ASSIGN_REQUEST_IPSEC;
    m.local_ports = (struct rsip_ports){0};
    m.spi = victim->binds[2].spi;
    m.counter++;
    rig_raw_message(&rig, &thief, &m);
    assert_int_equal(rig_error(&rig), RSIP_E_IPSEC_SPI_INUSE);
    m.type = RSIP_ASSIGN_REQUEST_RSA;
    m.local = rig_v4(WHOLE);
    m.counter++;
    rig_raw_message(&rig, &thief, &m);
    assert_int_not_equal(rig_error(&rig), RSIP_OK);
    assert_true(victim->up[1] && victim->up[2]);
    goes_to(udp(Y, 53, NB, port_of(0, 0)), 0);
    rig_fini(&rig);
}

/* RSIP-207: what was given back is held, and then it is anybody's. */
static void test_hold(void **state)
{
    (void)state;
    soho();
    uint16_t port = port_of(0, 0);
    uint32_t spi = spi_of(0);
    rig_input(&rig, 0, &(struct rsip_client_event){.kind = RSIP_CEV_STOP});
    dropped(udp(Y, 53, NB, port), "in_no_lease");
    dropped(esp(Y, NB, 50, spi), "in_unknown_spi");
    struct rsip_want want = wish(RSIP_METHOD_IPSEC, 1);
    want.local = rig_v4(NB);
    want.ports = rig_ports(1, port);
    want.spis = (struct rsip_spis){.form = RSIP_RANGE_RUN, .count = 1, .spis = {spi}};
    rig_want(&rig, 1, 3, &want);
    assert_int_equal(rig.hosts[1].refused[3], RSIP_E_LOCAL_ADDRPORT_INUSE);
    want.ports = (struct rsip_ports){0};
    rig_want(&rig, 1, 4, &want);
    assert_int_equal(rig.hosts[1].refused[4], RSIP_E_IPSEC_SPI_INUSE);
    rig_run(&rig, 119000);
    assert_false(rig.hosts[1].up[3] || rig.hosts[1].up[4]);
    rig_run(&rig, 8000);
    assert_true(rig.hosts[1].up[3] || rig.hosts[1].up[4]); /* one of them, for there is one SPI */
    rig_fini(&rig);
}

/* Any octets, from anywhere, change nothing for those who behave. */
static void test_noise(void **state)
{
    uint8_t noise[256];
    uint64_t seed = 42;
    (void)state;
    soho();
    for (unsigned i = 0; i < 20000; i++) {
        size_t len = check_random(&seed) % sizeof(noise);
        check_rng_fill(&seed, noise, len);
        if (len > 4 && i % 2 == 0) { /* as a message, at least */
            noise[0] = 1;
            noise[1] = (uint8_t)(noise[1] % 24);
            noise[2] = 0;
            noise[3] = (uint8_t)len;
        }
        struct ip_endpoint from = rig.hosts[1].at;
        from.addr.octets[3] = 77;
        rig_raw(&rig, &from, view_of(noise, len));
        struct rsip_verdict v;
        rsip_server_inbound(rig.server, rig.now, view_of(noise, len), &v);
        rsip_server_outbound(rig.server, rig.now, &rig.hosts[1].at.addr, RSIP_TUNNEL_IPIP,
                             view_of(noise, len), &v);
    }
    for (unsigned host = 0; host < 2; host++)
        goes_to(udp(Y, 53, NB, port_of(host, 0)), host);
    rig_fini(&rig);
}

/* A gateway full to its last host answers, and serves those it has. */
static void test_exhaustion(void **state)
{
    struct rsip_message m = {.type = RSIP_REGISTER_REQUEST, .present = RSIP_F_COUNTER};
    struct rsip_host_info info = {0};
    unsigned hosts = 0;
    (void)state;
    rig_init(&rig);
    rig.config.hosts = 100;
    rig_start(&rig);
    rig_client(&rig, 0);
    struct rsip_want want = wish(RSIP_METHOD_RSAP, 4);
    rig_want(&rig, 0, 1, &want);
    for (unsigned i = 0; i < 5000; i++) {
        struct ip_endpoint from = {.addr = ip_addr_v4(0x0a010000 + i), .port = 1};
        m.counter = 1;
        rig_raw_message(&rig, &from, &m);
        assert_true(rig.answered);
        if (i >= 99)
            assert_int_equal(rig.last.error, RSIP_E_REGISTRATION_DENIED);
    }
    while (rsip_server_host(rig.server, &info))
        hosts++;
    assert_int_equal(hosts, 100);
    want = wish(RSIP_METHOD_RSAP, 4);
    rig_want(&rig, 0, 2, &want);
    assert_true(rig.hosts[0].up[1] && rig.hosts[0].up[2]);
    rig_fini(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_inbound),
        cmocka_unit_test(test_outbound),
        cmocka_unit_test(test_tunnel_type),
        cmocka_unit_test(test_cookies),
        cmocka_unit_test(test_no_ipsec_bind),
        cmocka_unit_test(test_trace_quota),
        cmocka_unit_test(test_ping),
        cmocka_unit_test(test_icmp_errors),
        cmocka_unit_test(test_remote_policy),
        cmocka_unit_test(test_ipsec_policy),
        cmocka_unit_test(test_rules_without_flow_policy),
        cmocka_unit_test(test_own_address),
        cmocka_unit_test(test_theft),
        cmocka_unit_test(test_hold),
        cmocka_unit_test(test_noise),
        cmocka_unit_test(test_exhaustion),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
