/* RSIP, server and hosts joined: RFC 3103 appendix C, and the lives of registrations and leases. */
#include "rsip_rig.h"

#include <stdlib.h>
#include <string.h>

static struct rig rig;

static void check_log(const uint8_t *want, size_t count)
{
    assert_int_equal(rig.log_count, count);
    assert_memory_equal(rig.log, want, count);
}

static struct rsip_want rsap(unsigned count)
{
    return (struct rsip_want){.method = RSIP_METHOD_RSAP,
                              .local = rig_any(),
                              .remote = rig_any(),
                              .ports = rig_ports_any(count),
                              .remote_ports = rig_ports_any(1)};
}

static void unwant(unsigned host, uint64_t ticket)
{
    rig_input(&rig, host, &(struct rsip_client_event){.kind = RSIP_CEV_UNWANT, .ticket = ticket});
}

static void stop(unsigned host)
{
    rig_input(&rig, host, &(struct rsip_client_event){.kind = RSIP_CEV_STOP});
}

static bool bind_of(unsigned host, uint32_t id, struct rsip_bind_info *ret)
{
    struct rsip_bind_info walk = {0};
    while (rsip_server_bind(rig.server, &walk))
        if (ip_addr_equal(&walk.host, &rig.hosts[host].at.addr) && (id == 0 || walk.id == id)) {
            *ret = walk;
            return true;
        }
    return false;
}

static void revoke(unsigned host, uint32_t bind_id)
{
    const struct rsip_server_event event = {
        .kind = RSIP_SEV_REVOKE, .host = rig.hosts[host].at, .bind_id = bind_id};
    assert_int_equal(rsip_server_input(rig.server, rig.now, &event), ERR_OK);
    rig_run(&rig, 0);
}

/* RFC 3103 16.1, corrected (RSIP-174): RSAP-IP, local macro-flow, no remote flow policy. RSIP-066,
 * RSIP-067, RSIP-074, RSIP-077, RSIP-109, RSIP-113, RSIP-126, RSIP-127, RSIP-130, RSIP-132 */
static void test_appendix_c_1(void **state)
{
    const struct rsip_tuple tuple = {
        .indicator = RSIP_TUPLE_NETWORK,
        .address = rig_v4("10.20.60.0"),
        .netmask = {.type = RSIP_ADDR_NETMASK, .addr = rig_ip("255.255.255.0")}};
    struct ip_prefix local;
    (void)state;
    rig_init(&rig);
    assert_true(ip_prefix_parse("10.20.0.0/16", &local));
    rig.config.local = &local;
    rig.config.local_count = 1;
    rig_start(&rig);
    struct rig_host *host = rig_client(&rig, 0);
    assert_int_equal(host->registered, 1);
    assert_int_equal(rsip_client_relation(host->client), RSIP_REGISTERED);

    struct rsip_want want = rsap(4);
    want.lease_s = 3600;
    rig_want(&rig, 0, 1, &want);
    assert_true(host->up[1]);
    assert_int_equal(rsip_client_relation(host->client), RSIP_ASSIGNED);
    assert_int_equal(host->binds[1].lease_s, 1800);
    assert_int_equal(host->binds[1].local_ports.count, 4);
    assert_int_equal(host->binds[1].tunnels[0], RSIP_TUNNEL_IPIP);
    assert_true(host->binds[1].remote.any);

    rig_input(&rig, 0,
              &(struct rsip_client_event){
                  .kind = RSIP_CEV_QUERY, .ticket = 3, .tuples = &tuple, .tuple_count = 1});
    assert_int_equal(host->answers, 1);
    assert_int_equal(host->answer.tuple_count, 1);
    assert_int_equal(host->answer.tuples[0].indicator, RSIP_TUPLE_NETWORK);

    struct rsip_want particular = rsap(8);
    particular.local = rig_v4("149.112.240.156");
    particular.ports = rig_ports(8, 1238);
    rig_want(&rig, 0, 2, &particular);
    assert_true(host->up[2]);
    assert_int_equal(host->binds[2].local_ports.ports[0], 1238);
    assert_int_not_equal(host->binds[1].bind_id, host->binds[2].bind_id);

    unwant(0, 1);
    assert_false(host->up[1]);
    rig_fini(&rig);
}

/* The ladder itself, with the unsolicited FREE_RESPONSE at its end. RSIP-134, RSIP-178 */
static void test_appendix_c_1_ladder(void **state)
{
    static const uint8_t said[] = {2, 3, 8, 9, 14, 15, 8, 9, 12, 13, 13, 4, 5};
    (void)state;
    rig_init(&rig);
    rig_start(&rig);
    struct rig_host *host = rig_client(&rig, 0);
    struct rsip_want want = rsap(4);
    rig_want(&rig, 0, 1, &want);
    rig_input(&rig, 0, &(struct rsip_client_event){.kind = RSIP_CEV_QUERY, .ticket = 3});
    want = rsap(8);
    rig_want(&rig, 0, 2, &want);
    unwant(0, 1);
    revoke(0, host->binds[2].bind_id);
    assert_int_equal(rig.last.counter, 0);
    assert_false(host->up[2]);
    stop(0);
    assert_int_equal(rsip_client_relation(host->client), RSIP_UNREGISTERED);
    check_log(said, sizeof(said));
    rig_fini(&rig);
}

/* RFC 3103 16.2: RSAP-IP, micro-flow both ends. RSIP-075, RSIP-079, RSIP-142, RSIP-183 */
static void test_appendix_c_2(void **state)
{
    static const uint8_t said[] = {2, 3, 8, 9, 16, 17, 4, 5};
    (void)state;
    rig_init(&rig);
    rig.policies[0].flow_local = rig.policies[0].flow_remote = RSIP_FLOW_MICRO;
    rig.policies[0].listen = RSIP_LISTEN_OVERRIDE;
    rig_start(&rig);
    struct rig_host *host = rig_client(&rig, 0);
    struct rsip_want want = rsap(1);
    want.remote = rig_v4("38.196.73.6");
    want.remote_ports = rig_ports(1, 21);
    want.lease_s = 600;
    rig_want(&rig, 0, 1, &want);
    assert_true(host->up[1]);
    assert_int_equal(host->binds[1].lease_s, 600);
    assert_true(ip_addr_equal(&rig.last.remote.addr, &want.remote.addr));
    assert_int_equal(rig.last.remote_ports.ports[0], 21);

    struct rsip_want listen = want;
    listen.listen = true;
    listen.local = rig_v4("149.112.240.156");
    listen.ports = rig_ports(1, 2050);
    listen.remote_ports = rig_ports(1, 20);
    rig_want(&rig, 0, 2, &listen);
    assert_true(host->up[2]);
    assert_int_equal(host->binds[2].local_ports.ports[0], 2050);
    stop(0);
    struct rsip_bind_info none;
    assert_false(bind_of(0, 0, &none));
    assert_false(host->up[1] || host->up[2]);
    check_log(said, sizeof(said));
    rig_fini(&rig);
}

/* RFC 3103 16.3: RSA-IP, remote macro-flow policy, and names. RSIP-076, RSIP-078, RSIP-119,
 * RSIP-120, RSIP-172 */
static void test_appendix_c_3(void **state)
{
    static const uint8_t said[] = {2, 3, 6, 1, 6, 7, 4, 5};
    struct rsip_rule rule = {.allow = false};
    (void)state;
    rig_init(&rig);
    assert_true(ip_prefix_parse("66.66.0.0/16", &rule.remote));
    rig.policies[0].rules = &rule;
    rig.policies[0].rule_count = 1;
    rig.policies[0].flow_remote = RSIP_FLOW_MACRO;
    rig_start(&rig);
    struct rig_host *host = rig_client(&rig, 0);
    struct rsip_want want = {.method = RSIP_METHOD_RSA,
                             .local = rig_any(),
                             .remote = rig_name("www.foo.com"),
                             .remote_ports = rig_ports_any(1),
                             .tunnel = RSIP_TUNNEL_IPIP};
    rig_want(&rig, 0, 1, &want);
    assert_int_equal(host->refused[1], RSIP_E_REMOTE_ADDR_UNALLOWED);
    unwant(0, 1);
    want.remote = rig_name("www.bar.com");
    rig_want(&rig, 0, 2, &want);
    assert_true(host->up[2]);
    assert_true(ip_addr_equal(&host->binds[2].local.addr,
                              &(struct ip_addr){.family = IP_V4, .octets = {149, 112, 240, 17}}));
    check_view(rig.last.remote.name.len == 0 ? view_of_text("www.bar.com") : rig.last.remote.name,
               view_of_text("www.bar.com"));
    struct rsip_bind_info info;
    assert_true(bind_of(0, 0, &info));
    assert_int_equal(info.remote_count, 1);
    stop(0);
    check_log(said, sizeof(said));
    rig_fini(&rig);
}

/* RSIP-061, RSIP-185: 12.5 ms, doubled, seven times, and then back to where it was. */
static void test_retransmission(void **state)
{
    static const int64_t at_ms[] = {0, 13, 38, 88, 188, 388, 788};
    (void)state;
    rig_init(&rig);
    rig_start(&rig);
    rig.deaf = true;
    mono_t start = rig.now;
    struct rig_host *host = rig_client(&rig, 0);
    for (size_t i = 0; i < CHECK_COUNT(at_ms); i++) {
        rig_run(&rig, at_ms[i] - mono_since(rig.now, start));
        assert_int_equal(rig.log_count, i + 1);
    }
    assert_int_equal(rsip_client_pending(host->client), RSIP_REGISTER_REQUEST);
    rig_run(&rig, 1588 - mono_since(rig.now, start));
    assert_int_equal(rsip_client_pending(host->client), 0);
    assert_int_equal(host->unregistered, 1);
    assert_int_equal(rig.log_count, 7);
    /* and again after a pause, with the server there */
    rig.deaf = false;
    rig_run(&rig, 5000);
    assert_int_equal(host->registered, 1);
    rig_fini(&rig);
}

/* RSIP-096, RSIP-110, RSIP-175, RSIP-176, RSIP-177: whatever is lost, nothing is executed twice. */
static void test_loss(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 200; seed++) {
        rig_init(&rig);
        rig.seed = seed * 7919;
        rig.lose_percent = 30;
        rig_start(&rig);
        struct rsip_want want = rsap(2);
        for (unsigned i = 0; i < 2; i++) {
            rig_client(&rig, i);
            rig_want(&rig, i, 1, &want);
            rig_want(&rig, i, 2, &want);
        }
        rig_run(&rig, 30000);
        struct rsip_host_info walk = {0};
        for (unsigned i = 0; i < 2; i++)
            assert_true(rig.hosts[i].up[1] && rig.hosts[i].up[2]);
        while (rsip_server_host(rig.server, &walk)) {
            assert_int_equal(walk.binds, 2);
            assert_int_equal(walk.ports, 4);
            assert_int_equal(walk.addresses, 1);
        }
        rig_fini(&rig);
    }
}

/* RSIP-068, RSIP-069, RSIP-070, RSIP-117: a host that vanishes frees what it had. */
static void test_vanished_host(void **state)
{
    struct rsip_bind_info info;
    struct rsip_host_info host = {0};
    (void)state;
    rig_init(&rig);
    rig_start(&rig);
    rig_client(&rig, 0);
    struct rsip_want want = rsap(4);
    want.lease_s = 1200;
    rig_want(&rig, 0, 1, &want);
    want.lease_s = 300;
    rig_want(&rig, 0, 2, &want);
    rsip_client_free(rig.hosts[0].client);
    rig.hosts[0].client = NULL;
    assert_int_equal(rig.addresses_up, 1);
    assert_true(rsip_server_host(rig.server, &host));
    assert_int_equal(mono_since(host.expires, rig.now), 1200000); /* max(R, B1, B2) */
    rig_run(&rig, 299999);
    assert_true(bind_of(0, 2, &info));
    rig_run(&rig, 1);
    assert_false(bind_of(0, 2, &info));
    assert_true(bind_of(0, 1, &info));
    rig.answered = false;
    rig_run(&rig, 900000);
    assert_false(bind_of(0, 1, &info));
    host.at = NULL;
    assert_false(rsip_server_host(rig.server, &host));
    assert_true(rig.answered && rig.last.type == RSIP_DEREGISTER_RESPONSE);
    assert_int_equal(rig.last.counter, 0);
    assert_int_equal(rig.addresses_down, 1);
    assert_int_equal(rig.record_count, 0);
    rig_fini(&rig);
}

/* RSIP-129, RSIP-130, RSIP-131: used for days. */
static void test_extension(void **state)
{
    (void)state;
    rig_init(&rig);
    rig_start(&rig);
    struct rig_host *host = rig_client(&rig, 0);
    struct rsip_want want = rsap(4);
    rig_want(&rig, 0, 1, &want);
    rig_run(&rig, 3 * 86400 * 1000LL);
    assert_true(host->up[1]);
    assert_int_equal(host->ups, 1);
    assert_int_equal(host->downs, 0);
    rig_fini(&rig);
}

/* RSIP-073: a registration without a bind is made anew before it ends. */
static void test_renewed_registration(void **state)
{
    (void)state;
    rig_init(&rig);
    rig_start(&rig);
    struct rig_host *host = rig_client(&rig, 0);
    rig_run(&rig, 3600 * 1000);
    assert_true(host->registered >= 6);
    assert_int_equal(rsip_client_relation(host->client), RSIP_REGISTERED);
    rig_fini(&rig);
}

/* The server comes back with its records, under a request and between: nobody notices. */
static void test_restart_unnoticed(void **state)
{
    struct rsip_bind_info info;
    (void)state;
    rig_init(&rig);
    rig_start(&rig);
    struct rig_host *host = rig_client(&rig, 0);
    struct rsip_want want = rsap(4);
    rig_want(&rig, 0, 1, &want);
    struct rsip_want ipsec = rsap(1);
    ipsec.method = RSIP_METHOD_IPSEC;
    ipsec.ports = ipsec.remote_ports = (struct rsip_ports){0};
    ipsec.spis = (struct rsip_spis){.form = RSIP_RANGE_ANY, .count = 3};
    rig_want(&rig, 0, 2, &ipsec);
    struct rsip_message before = host->binds[2];
    const struct rig_packet ike = {.src = "149.112.240.156",
                                   .dst = "38.1.1.1",
                                   .proto = 17,
                                   .src_port = 500,
                                   .dst_port = 500,
                                   .cookie = 0x1122334455667788};
    assert_int_equal(rig_out(&rig, 0, &ike).fate, RSIP_FATE_FORWARD);

    for (unsigned i = 0; i < 3; i++) {
        rig_restart(&rig, true);
        rig_run(&rig, 400 * 1000);
        assert_int_equal(host->registered, 1);
        assert_int_equal(host->downs, 0);
        assert_true(bind_of(0, before.bind_id, &info));
        assert_int_equal(info.spis.count, 3);
        assert_int_equal(info.spis.spis[0], before.spi.spis[0]);
        const struct rig_packet back = {.src = "38.1.1.1",
                                        .dst = "149.112.240.156",
                                        .proto = 17,
                                        .src_port = 500,
                                        .dst_port = 500,
                                        .cookie = ike.cookie};
        assert_int_equal(rig_in(&rig, &back).fate, RSIP_FATE_FORWARD);
    }
    rig_fini(&rig);
}

/* An answer that died with the server is given again, and not made again. */
static void test_restart_repeats_answer(void **state)
{
    struct rsip_host_info info = {0};
    (void)state;
    rig_init(&rig);
    rig_start(&rig);
    struct rig_host *host = rig_client(&rig, 0);
    struct rsip_want want = rsap(2);
    const struct rsip_client_event event = {.kind = RSIP_CEV_WANT, .ticket = 1, .want = &want};
    struct rsip_client_effect effect;
    assert_int_equal(rsip_client_input(host->client, rig.now, &event), ERR_OK);
    assert_true(rsip_client_next_effect(host->client, &effect));
    uint8_t copy[256];
    memcpy(copy, effect.bytes.ptr, effect.bytes.len);
    struct view request = view_of(copy, effect.bytes.len);
    struct rig_host away = rig.hosts[0];
    rig.hosts[0].client = NULL;
    rig_raw(&rig, &away.at, request);
    struct rsip_message first = rig.last;
    rig_restart(&rig, true);
    rig_raw(&rig, &away.at, request);
    assert_memory_equal(&rig.last.local_ports, &first.local_ports, sizeof(first.local_ports));
    assert_int_equal(rig.last.bind_id, first.bind_id);
    assert_true(rsip_server_host(rig.server, &info));
    assert_int_equal(info.binds, 1);
    rig.hosts[0] = away;
    rig_fini(&rig);
}

/* RSIP-159, RSIP-181: all is lost, so the host begins anew, and asks for what it had. */
static void test_restart_without_records(void **state)
{
    (void)state;
    rig_init(&rig);
    rig_start(&rig);
    struct rig_host *host = rig_client(&rig, 0);
    struct rsip_want want = rsap(4);
    rig_want(&rig, 0, 1, &want);
    struct rsip_message before = host->binds[1];
    rig_restart(&rig, false);
    rig_run(&rig, 600 * 1000);
    assert_int_equal(host->registered, 2);
    assert_true(host->up[1]);
    assert_int_equal(host->ups, 2);
    assert_memory_equal(&host->binds[1].local_ports, &before.local_ports,
                        sizeof(before.local_ports));
    rig_fini(&rig);
}

/* RSIP-160, RSIP-179: the host restarts and knows nothing. */
static void test_host_restart(void **state)
{
    static const uint8_t said[] = {2, 1, 4, 5, 2, 3, 8, 9};
    struct rsip_host_info info = {0};
    (void)state;
    rig_init(&rig);
    rig_start(&rig);
    rig_client(&rig, 0);
    struct rsip_want want = rsap(4);
    rig_want(&rig, 0, 1, &want);
    want = rsap(1);
    rig_want(&rig, 0, 2, &want);
    rig.log_count = 0;
    struct rig_host *host = rig_client(&rig, 0);
    rig_want(&rig, 0, 1, &want);
    assert_true(host->up[1]);
    assert_true(rsip_server_host(rig.server, &info));
    assert_int_equal(info.binds, 1);
    check_log(said, sizeof(said));
    rig_fini(&rig);
}

/* RSIP-116, RSIP-118 */
static void test_shutdown_tells_everybody(void **state)
{
    (void)state;
    rig_init(&rig);
    rig_start(&rig);
    struct rsip_want want = rsap(4);
    for (unsigned i = 0; i < 3; i++) {
        rig_client(&rig, i);
        rig_want(&rig, i, 1, &want);
    }
    const struct rsip_server_event event = {.kind = RSIP_SEV_SHUTDOWN};
    assert_int_equal(rsip_server_input(rig.server, rig.now, &event), ERR_OK);
    rig_run(&rig, 0);
    for (unsigned i = 0; i < 3; i++) {
        assert_false(rig.hosts[i].up[1]);
        assert_int_equal(rsip_client_relation(rig.hosts[i].client), RSIP_UNREGISTERED);
    }
    assert_int_equal(rig.record_count, 0);
    rig_fini(&rig);
}

/* RSIP-134: what the gateway takes is given up, and asked for again after a while. */
static void test_revoked_bind(void **state)
{
    (void)state;
    rig_init(&rig);
    rig_start(&rig);
    struct rig_host *host = rig_client(&rig, 0);
    struct rsip_want want = rsap(4);
    rig_want(&rig, 0, 1, &want);
    struct rsip_message before = host->binds[1];
    revoke(0, before.bind_id);
    assert_false(host->up[1]);
    rig_run(&rig, 6000);
    assert_true(host->up[1]);
    /* RSIP-207: not the ports that are being held */
    assert_memory_not_equal(&host->binds[1].local_ports, &before.local_ports,
                            sizeof(before.local_ports));
    revoke(0, 0);
    assert_int_equal(rsip_client_relation(host->client), RSIP_UNREGISTERED);
    rig_run(&rig, 6000);
    assert_true(host->up[1]);
    rig_fini(&rig);
}

/* A wish that ends before its answer is there leaves nothing behind. */
static void test_unwanted_meanwhile(void **state)
{
    struct rsip_bind_info info;
    (void)state;
    rig_init(&rig);
    rig_start(&rig);
    struct rig_host *host = rig_client(&rig, 0);
    struct rsip_want want = rsap(4);
    rig.lose = 1;
    rig_want(&rig, 0, 1, &want);
    unwant(0, 1);
    rig_run(&rig, 5000);
    assert_int_equal(host->ups, 0);
    assert_false(bind_of(0, 0, &info));
    assert_int_equal(rsip_client_relation(host->client), RSIP_REGISTERED);
    rig_fini(&rig);
}

/* RSIP-128: what can't be used goes back. */
static void test_not_understood(void **state)
{
    static const uint8_t said[] = {2, 3, 8, 9, 12, 13};
    struct rsip_bind_info info;
    (void)state;
    rig_init(&rig);
    rig.policies[0].tunnels = 1 << RSIP_TUNNEL_L2TP; /* which the host can't do */
    rig_start(&rig);
    struct rig_host *host = rig_client(&rig, 0);
    struct rsip_want want = rsap(4);
    rig_want(&rig, 0, 1, &want);
    assert_int_equal(host->refused[1], RSIP_E_BAD_PARAM);
    assert_false(bind_of(0, 0, &info));
    check_log(said, sizeof(said));
    rig_fini(&rig);
}

/* RSIP-106, RSIP-180: a host drops what it didn't ask for. */
static void test_host_ignores(void **state)
{
    uint8_t room[64];
    (void)state;
    rig_init(&rig);
    rig_start(&rig);
    struct rig_host *host = rig_client(&rig, 0);
    struct rsip_want want = rsap(4);
    rig_want(&rig, 0, 1, &want);
    const uint32_t id = rsip_client_id(host->client);
    const struct rsip_message said[] = {
        {.type = RSIP_DEREGISTER_RESPONSE, .client_id = id + 1},
        {.type = RSIP_FREE_RESPONSE, .client_id = id, .bind_id = 99},
        {.type = RSIP_FREE_RESPONSE, .client_id = id + 1, .bind_id = host->binds[1].bind_id},
        {.type = RSIP_FREE_RESPONSE,
         .client_id = id,
         .bind_id = host->binds[1].bind_id,
         .counter = 17},
        {.type = RSIP_REGISTER_REQUEST},
        {.type = RSIP_EXTEND_RESPONSE, .client_id = id, .bind_id = 1, .lease_s = 1},
    };
    for (size_t i = 0; i < CHECK_COUNT(said); i++) {
        struct rsip_message m = said[i];
        m.present = RSIP_F_CLIENT_ID | RSIP_F_BIND_ID | RSIP_F_COUNTER | RSIP_F_LEASE;
        struct builder b = builder_on(span_of(room, sizeof(room)));
        rsip_build(&b, &m);
        const struct rsip_client_event event = {.kind = RSIP_CEV_MESSAGE,
                                                .bytes = builder_written(&b)};
        assert_int_not_equal(rsip_client_input(host->client, rig.now, &event), ERR_OK);
        rig_run(&rig, 0);
        assert_true(host->up[1]);
    }
    rig_fini(&rig);
}

/* RSIP-058, RSIP-060: over TCP nothing is repeated, and a connection that breaks costs nothing. */
static void test_tcp(void **state)
{
    const struct rsip_client_config config = {.transport = RSIP_TCP};
    struct ip_endpoint at = {.port = 50000};
    struct rsip_client_effect out;
    struct rsip_server_effect back;
    struct rsip_client *client;
    uint64_t channel = 7;
    unsigned connects = 0, ups = 0;
    (void)state;
    rig_init(&rig);
    rig_start(&rig);
    at.addr = rig_ip("10.0.0.9");
    assert_int_equal(rsip_client_new(&config, &client), ERR_OK);
    struct rsip_want want = rsap(2);
    rsip_client_input(
        client, rig.now,
        &(struct rsip_client_event){.kind = RSIP_CEV_WANT, .ticket = 1, .want = &want});
    rsip_client_input(client, rig.now, &(struct rsip_client_event){.kind = RSIP_CEV_START});
    for (unsigned round = 0; round < 40 && ups == 0; round++) {
        while (rsip_client_next_effect(client, &out)) {
            if (out.kind == RSIP_CFX_CONNECT) {
                connects++;
                channel++;
                rsip_client_input(client, rig.now,
                                  &(struct rsip_client_event){.kind = RSIP_CEV_UP});
            } else if (out.kind == RSIP_CFX_SEND) {
                const struct rsip_server_event event = {.kind = RSIP_SEV_MESSAGE,
                                                        .host = at,
                                                        .transport = RSIP_TCP,
                                                        .channel = channel,
                                                        .bytes = out.bytes};
                rsip_server_input(rig.server, rig.now, &event);
                if (connects == 1 && out.bytes.ptr[1] == RSIP_ASSIGN_REQUEST_RSAP) {
                    /* the connection breaks with the answer in it */
                    const struct rsip_server_event gone = {
                        .kind = RSIP_SEV_CLOSED, .host = at, .channel = channel};
                    assert_int_equal(rsip_server_input(rig.server, rig.now, &gone), ERR_OK);
                    while (rsip_server_next_effect(rig.server, &back))
                        continue;
                    rsip_client_input(client, rig.now,
                                      &(struct rsip_client_event){.kind = RSIP_CEV_DOWN});
                }
            } else if (out.kind == RSIP_CFX_BIND_UP) {
                ups++;
            }
        }
        while (rsip_server_next_effect(rig.server, &back))
            if (back.kind == RSIP_SFX_SEND) {
                assert_int_equal(back.transport, RSIP_TCP);
                assert_int_equal(back.channel, channel);
                rsip_client_input(
                    client, rig.now,
                    &(struct rsip_client_event){.kind = RSIP_CEV_MESSAGE, .bytes = back.bytes});
            }
        rig.now = mono_add(rig.now, 1000);
        rsip_client_timer(client, rig.now);
    }
    assert_int_equal(connects, 2);
    assert_int_equal(ups, 1);
    struct rsip_host_info info = {0};
    assert_true(rsip_server_host(rig.server, &info));
    assert_int_equal(info.binds, 1);
    rsip_client_free(client);
    rig_fini(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_appendix_c_1),
        cmocka_unit_test(test_appendix_c_1_ladder),
        cmocka_unit_test(test_appendix_c_2),
        cmocka_unit_test(test_appendix_c_3),
        cmocka_unit_test(test_retransmission),
        cmocka_unit_test(test_loss),
        cmocka_unit_test(test_vanished_host),
        cmocka_unit_test(test_extension),
        cmocka_unit_test(test_renewed_registration),
        cmocka_unit_test(test_restart_unnoticed),
        cmocka_unit_test(test_restart_repeats_answer),
        cmocka_unit_test(test_restart_without_records),
        cmocka_unit_test(test_host_restart),
        cmocka_unit_test(test_shutdown_tells_everybody),
        cmocka_unit_test(test_revoked_bind),
        cmocka_unit_test(test_unwanted_meanwhile),
        cmocka_unit_test(test_not_understood),
        cmocka_unit_test(test_host_ignores),
        cmocka_unit_test(test_tcp),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
