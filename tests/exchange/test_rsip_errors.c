/* Which error for which violation, by messages of a host that keeps to no rule but the syntax. */
#include "rsip_rig.h"

#include <string.h>

static struct rig rig;
static struct ip_endpoint from;
static uint32_t id, counter;

static void say(struct rsip_message *m)
{
    m->present |= RSIP_F_CLIENT_ID | RSIP_F_COUNTER;
    if (m->client_id == 0)
        m->client_id = id;
    m->counter = ++counter;
    rig_raw_message(&rig, &from, m);
    assert_true(rig.answered);
    assert_int_equal(rig.last.counter, counter);
    assert_true(ip_endpoint_equal(&rig.last_to, &from));
}

static void register_as(const char *addr)
{
    struct rsip_message m = {.type = RSIP_REGISTER_REQUEST};
    from = (struct ip_endpoint){.addr = rig_ip(addr), .port = 5000};
    counter = 0;
    id = 1;
    say(&m);
    assert_int_equal(rig.last.type, RSIP_REGISTER_RESPONSE);
    id = rig.last.client_id;
}

static void begin(void)
{
    rig_init(&rig);
}

static void ready(void)
{
    rig_start(&rig);
    register_as("10.1.0.1");
}

static struct rsip_message assign(enum rsip_type type)
{
    return (struct rsip_message){.type = type,
                                 .present = RSIP_F_LOCAL_ADDR | RSIP_F_LOCAL_PORTS |
                                            RSIP_F_REMOTE_ADDR | RSIP_F_REMOTE_PORTS | RSIP_F_SPI |
                                            RSIP_F_BIND_ID,
                                 .local = rig_any(),
                                 .remote = rig_any(),
                                 .local_ports = rig_ports_any(1),
                                 .remote_ports = rig_ports_any(1),
                                 .spi = {.form = RSIP_RANGE_ANY, .count = 1}};
}

static void check_addr(const struct ip_addr *got, const char *want)
{
    struct ip_addr addr = rig_ip(want);
    assert_true(ip_addr_equal(got, &addr));
}

static enum rsip_error result(struct rsip_message m)
{
    say(&m);
    if (rig.last.type == RSIP_ERROR_RESPONSE) { /* RSIP-104, RSIP-105 */
        assert_true((rig.last.present & RSIP_F_CLIENT_ID) != 0);
        return (enum rsip_error)rig.last.error;
    }
    assert_int_equal(rig.last.type, m.type + 1);
    return RSIP_OK;
}

static struct rsip_message with_local(enum rsip_type type, const char *addr, unsigned count,
                                      uint16_t port)
{
    struct rsip_message m = assign(type);
    m.local = rig_v4(addr);
    m.local_ports = port == 0 ? rig_ports_any(count) : rig_ports(count, port);
    return m;
}

#define SHARED "149.112.240.156"
#define WHOLE "149.112.240.17"

/* RSIP-146, RSIP-149, RSIP-150, RSIP-152, RSIP-153, RSIP-154, RSIP-155, RSIP-156, RSIP-157 */
static void test_messages(void **state)
{
    static const uint8_t version[] = {2, 2, 0, 4};
    static const uint8_t bare[] = {1, 2, 0, 4};
    static const uint8_t odd[] = {1, 99, 0, 11, 11, 0, 4, 0, 0, 0, 9};
    static const uint8_t zero[] = {1, 2, 0, 11, 11, 0, 4, 0, 0, 0, 0};
    (void)state;
    begin();
    ready();
    rig_raw(&rig, &from, view_of(version, sizeof(version)));
    assert_int_equal(rig_error(&rig), RSIP_E_UNSUPPORTED_RSIP_VERSION);
    rig_raw(&rig, &from, view_of(bare, sizeof(bare)));
    assert_int_equal(rig_error(&rig), RSIP_E_MESSAGE_COUNTER_REQUIRED);
    rig_raw(&rig, &from, view_of(odd, sizeof(odd)));
    assert_int_equal(rig_error(&rig), RSIP_E_ILLEGAL_MESSAGE);
    assert_int_equal(rig.last.counter, 9);
    assert_int_equal(rig.last.client_id, id);
    rig_raw(&rig, &from, view_of(zero, sizeof(zero)));
    assert_int_equal(rig_error(&rig), RSIP_E_BAD_PARAM);
    rig_raw(&rig, &from, view_of(zero, sizeof(zero) - 1));
    assert_int_equal(rig_error(&rig), RSIP_E_BAD_MESSAGE);
    rig_fini(&rig);
    begin();
    rig.config.tcp_only = true;
    rig_start(&rig);
    rig_raw(&rig, &from, view_of(bare, sizeof(bare)));
    assert_int_equal(rig_error(&rig), RSIP_E_USE_TCP);
    rig_fini(&rig);
}

/* RSIP-106: responses are never answered, or two gateways would talk for ever. */
static void test_responses_are_dropped(void **state)
{
    (void)state;
    begin();
    ready();
    for (unsigned type = 1; type < 24; type++) {
        if (rsip_type_name(type) == NULL || rsip_type_is_request(type))
            continue;
        const uint8_t bytes[] = {1, (uint8_t)type, 0, 4};
        rig_raw(&rig, &from, view_of(bytes, sizeof(bytes)));
        assert_false(rig.answered);
    }
    rig_fini(&rig);
}

/* RSIP-065, RSIP-108, RSIP-159, RSIP-160, RSIP-161, RSIP-162, RSIP-163, RSIP-164 */
static void test_registration(void **state)
{
    static const enum rsip_type types[] = {4, 6, 8, 10, 12, 14, 16, 22};
    (void)state;
    begin();
    rig_start(&rig);
    from = (struct ip_endpoint){.addr = rig_ip("10.1.0.1"), .port = 5000};
    id = 77;
    counter = 0;
    for (size_t i = 0; i < CHECK_COUNT(types); i++)
        assert_int_equal(result(assign(types[i])), RSIP_E_REGISTER_FIRST);
    register_as("10.1.0.1");
    uint32_t mine = id;
    struct rsip_message again = {.type = RSIP_REGISTER_REQUEST};
    assert_int_equal(result(again), RSIP_E_ALREADY_REGISTERED);
    assert_int_equal(rig.last.client_id, mine);
    id = mine + 1;
    for (size_t i = 0; i < CHECK_COUNT(types); i++) {
        assert_int_equal(result(assign(types[i])), RSIP_E_BAD_CLIENT_ID);
        assert_int_equal(rig.last.client_id, mine + 1);
    }
    id = mine;
    for (size_t i = 3; i < 5; i++) { /* EXTEND, FREE */
        struct rsip_message m = assign(types[i]);
        m.bind_id = 9;
        assert_int_equal(result(m), RSIP_E_BAD_BIND_ID);
        assert_int_equal(rig.last.bind_id, 9);
    }
    rig_fini(&rig);
    begin();
    rig_start(&rig);
    id = 1;
    struct rsip_message m = {.type = RSIP_REGISTER_REQUEST};
    from.addr = rig_ip("192.168.0.1"); /* no policy is for it */
    say(&m);
    assert_int_equal(rig_error(&rig), RSIP_E_REGISTRATION_DENIED);
    rig_fini(&rig);
    begin();
    rig.config.hosts = 1;
    rig_start(&rig);
    register_as("10.1.0.1");
    from.addr = rig_ip("10.1.0.2");
    say(&m);
    assert_int_equal(rig_error(&rig), RSIP_E_REGISTRATION_DENIED);
    rig_fini(&rig);
}

/* RSIP-019, RSIP-187, RSIP-040, RSIP-057, RSIP-158, RSIP-165, RSIP-183 */
static void test_methods_and_tunnels(void **state)
{
    struct rsip_message m;
    (void)state;
    begin();
    rig.policies[0].methods = 1 << RSIP_METHOD_RSAP;
    rig.policies[0].listen = RSIP_LISTEN_NEVER;
    ready();
    assert_int_equal(rig.last.method_count, 1);
    assert_int_equal(result(assign(RSIP_ASSIGN_REQUEST_RSA)), RSIP_E_UNSUPPORTED_MESSAGE);
    assert_int_equal(result(assign(RSIP_LISTEN_REQUEST)), RSIP_E_UNSUPPORTED_MESSAGE);
    assert_int_equal(result(assign(RSIP_ASSIGN_REQUEST_IPSEC)), RSIP_E_IPSEC_UNALLOWED);
    assert_int_equal(result(assign(RSIP_ASSIGN_REQUEST_RSAP)), RSIP_OK);
    m = assign(RSIP_ASSIGN_REQUEST_RSAP);
    m.present |= RSIP_F_TUNNEL;
    m.tunnel_count = 1;
    m.tunnels[0] = RSIP_TUNNEL_L2TP;
    assert_int_equal(result(m), RSIP_E_BAD_TUNNEL_TYPE);
    m.tunnels[0] = 200;
    assert_int_equal(result(m), RSIP_E_BAD_TUNNEL_TYPE);
    m.tunnels[0] = RSIP_TUNNEL_GRE;
    assert_int_equal(result(m), RSIP_OK);
    assert_int_equal(rig.last.tunnels[0], RSIP_TUNNEL_GRE);
    rig_fini(&rig);
    begin();
    rig.policies[0].flow_remote = RSIP_FLOW_MICRO;
    ready();
    m = assign(RSIP_LISTEN_REQUEST);
    m.remote = rig_v4("38.1.1.1");
    m.remote_ports = rig_ports(1, 20);
    assert_int_equal(result(m), RSIP_E_LOCAL_ADDRPORT_UNALLOWED);
    rig_fini(&rig);
}

/* RSIP-075, RSIP-088, RSIP-123, RSIP-124, RSIP-144, RSIP-147, RSIP-172, RSIP-173 */
static void test_flow_policy(void **state)
{
    static const uint8_t flows[] = {RSIP_FLOW_MACRO, RSIP_FLOW_MICRO};
    static const enum rsip_type types[] = {6, 8, 16, 22};
    struct rsip_rule rules[] = {{.port_low = 25, .port_high = 25}, {.allow = false}};
    (void)state;
    assert_true(ip_prefix_parse("66.0.0.0/8", &rules[1].remote));
    for (size_t f = 0; f < 2; f++) {
        for (size_t t = 0; t < CHECK_COUNT(types); t++) {
            bool micro = flows[f] == RSIP_FLOW_MICRO;
            begin();
            rig.policies[0].flow_remote = flows[f];
            rig.policies[0].listen = RSIP_LISTEN_OVERRIDE;
            rig.policies[0].rules = rules;
            rig.policies[0].rule_count = 2;
            ready();
            struct rsip_message m = assign(types[t]);
            assert_int_equal(result(m), RSIP_E_FLOW_POLICY_VIOLATION);
            m.remote = rig_v4("0.0.0.0");
            m.remote_ports = rig_ports(1, 80);
            assert_int_equal(result(m), RSIP_E_FLOW_POLICY_VIOLATION);
            m.remote = rig_v4("66.1.1.1");
            assert_int_equal(result(m), micro ? RSIP_E_REMOTE_ADDRPORT_UNALLOWED
                                              : RSIP_E_REMOTE_ADDR_UNALLOWED);
            m.remote = rig_v4("38.1.1.1");
            m.remote_ports = rig_ports(1, 25);
            assert_int_equal(result(m), micro ? RSIP_E_REMOTE_ADDRPORT_UNALLOWED : RSIP_OK);
            m.remote_ports = rig_ports_any(1);
            enum rsip_error enough = types[t] == 6 && !micro ? RSIP_E_LOCAL_ADDR_UNAVAILABLE
                                                             : RSIP_OK; /* it has the only one */
            assert_int_equal(result(m), micro ? RSIP_E_FLOW_POLICY_VIOLATION : enough);
            m.remote_ports = rig_ports(2, 80);
            assert_int_equal(result(m), micro ? RSIP_E_FLOW_POLICY_VIOLATION : enough);
            m.remote_ports = rig_ports(1, 80);
            assert_int_equal(result(m), enough);
            m.remote = rig_name("nowhere.example");
            assert_int_equal(result(m), micro ? RSIP_E_REMOTE_ADDRPORT_UNALLOWED
                                              : RSIP_E_REMOTE_ADDR_UNALLOWED);
            rig_fini(&rig);
        }
    }
    begin();
    rig.policies[0].flow_local = RSIP_FLOW_MICRO;
    ready();
    struct rsip_message m = assign(RSIP_ASSIGN_REQUEST_RSAP);
    m.local_ports = rig_ports_any(2);
    assert_int_equal(result(m), RSIP_E_FLOW_POLICY_VIOLATION);
    m.local_ports = rig_ports(1, 2000);
    assert_int_equal(result(m), RSIP_OK);
    /* both "don't care" forms of 9.8.3, where there is no remote policy */
    m = assign(RSIP_ASSIGN_REQUEST_RSAP);
    m.remote = rig_v4("0.0.0.0");
    m.remote_ports = (struct rsip_ports){.form = RSIP_RANGE_ZERO};
    assert_int_equal(result(m), RSIP_OK);
    assert_true(rig.last.remote.any && rig.last.remote_ports.form == RSIP_RANGE_ANY);
    m.remote = rig_v4("38.1.1.1"); /* more than was asked for is not granted (RSIP-126) */
    assert_int_equal(result(m), RSIP_OK);
    assert_true(rig.last.remote.any);
    rig_fini(&rig);
}

/* RSIP-081, RSIP-085, RSIP-166, RSIP-167, RSIP-168, RSIP-169, RSIP-170, RSIP-171, RSIP-210,
 * RSIP-212 */
static void test_local(void **state)
{
    (void)state;
    begin();
    rig.ranges[0].port_low = 2000;
    rig.ranges[0].port_high = 2009;
    ready();
    static const enum rsip_type types[] = {RSIP_ASSIGN_REQUEST_RSAP, RSIP_LISTEN_REQUEST};
    for (size_t i = 0; i < 2; i++) {
        struct rsip_message m = assign(types[i]);
        m.local = rig_name("a.example");
        assert_int_equal(result(m), RSIP_E_BAD_PARAM);
        assert_int_equal(result(with_local(types[i], "38.1.1.1", 1, 0)),
                         RSIP_E_LOCAL_ADDR_UNALLOWED);
        assert_int_equal(result(with_local(types[i], WHOLE, 1, 0)), RSIP_E_LOCAL_ADDR_UNALLOWED);
        assert_int_equal(result(with_local(types[i], SHARED, 1, 1999)),
                         RSIP_E_LOCAL_ADDRPORT_UNALLOWED);
        assert_int_equal(result(with_local(types[i], SHARED, 2, 2009)),
                         RSIP_E_LOCAL_ADDRPORT_UNALLOWED);
        uint16_t port = (uint16_t)(2000 + 5 * i);
        assert_int_equal(result(with_local(types[i], SHARED, 5, port)), RSIP_OK);
        assert_int_equal(result(with_local(types[i], SHARED, 1, port)),
                         RSIP_E_LOCAL_ADDRPORT_INUSE);
        m = with_local(types[i], SHARED, 2, 0);
        m.local_ports = (struct rsip_ports){RSIP_RANGE_LIST, 2, {port, port}};
        assert_int_equal(result(m), RSIP_E_BAD_PARAM);
    }
    register_as("10.1.0.2"); /* nothing is left, particular or not, for one or many */
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(result(with_local(types[i], SHARED, 1, 2004)),
                         RSIP_E_LOCAL_ADDRPORT_INUSE);
        assert_int_equal(result(assign(types[i])), RSIP_E_LOCAL_ADDRPORT_UNAVAILABLE);
        struct rsip_message m = assign(types[i]);
        m.local_ports = rig_ports_any(3);
        assert_int_equal(result(m), RSIP_E_LOCAL_ADDRPORT_UNAVAILABLE);
    }
    struct rsip_message m = assign(RSIP_ASSIGN_REQUEST_RSAP);
    m.local = (struct rsip_address){.type = RSIP_ADDR_V6, .any = true};
    assert_int_equal(result(m), RSIP_E_LOCAL_ADDR_UNAVAILABLE);
    rig_fini(&rig);
}

/* RSIP-166, RSIP-168, RSIP-170, RSIP-189 */
static void test_whole_address(void **state)
{
    (void)state;
    begin();
    ready();
    assert_int_equal(result(with_local(6, SHARED, 0, 0)), RSIP_E_LOCAL_ADDR_UNALLOWED);
    assert_int_equal(result(with_local(6, "38.1.1.1", 0, 0)), RSIP_E_LOCAL_ADDR_UNALLOWED);
    assert_int_equal(result(with_local(6, WHOLE, 0, 0)), RSIP_OK);
    check_addr(&rig.last.local.addr, WHOLE);
    register_as("10.1.0.2");
    assert_int_equal(result(assign(6)), RSIP_E_LOCAL_ADDR_UNAVAILABLE);
    assert_int_equal(result(with_local(6, WHOLE, 0, 0)), RSIP_E_LOCAL_ADDR_UNAVAILABLE);
    rig_fini(&rig);
    begin();
    rig.ranges[1].shared = true;
    rig.ranges[0].whole = true;
    ready();
    assert_int_equal(result(with_local(6, WHOLE, 0, 0)), RSIP_OK);
    register_as("10.1.0.2");
    assert_int_equal(result(with_local(6, WHOLE, 0, 0)), RSIP_E_LOCAL_ADDR_INUSE);
    assert_int_equal(result(with_local(8, WHOLE, 1, 0)), RSIP_E_LOCAL_ADDR_INUSE);
    assert_int_equal(result(with_local(8, SHARED, 1, 0)), RSIP_OK);
    assert_int_equal(result(with_local(6, SHARED, 0, 0)), RSIP_E_LOCAL_ADDR_UNAVAILABLE);
    rig_fini(&rig);
}

static struct rsip_message ipsec(unsigned form, unsigned count, uint32_t first)
{
    struct rsip_message m = assign(RSIP_ASSIGN_REQUEST_IPSEC);
    m.local_ports = m.remote_ports = (struct rsip_ports){0};
    m.spi = (struct rsip_spis){
        .form = (uint8_t)form, .count = (uint16_t)count, .spis = {first, first + 10}};
    return m;
}

/* RSIP-015, RSIP-027, RSIP-028, RSIP-029, RSIP-030, RSIP-031, RSIP-032, RSIP-033, RSIP-041,
 * RSIP-042, RSIP-043 */
static void test_ipsec(void **state)
{
    (void)state;
    begin();
    ready();
    assert_int_equal(result(ipsec(RSIP_RANGE_RUN, 1, 5000)), RSIP_OK);
    assert_int_equal(rig.last.local_ports.form, RSIP_RANGE_NONE);
    assert_int_equal(rig.last.remote_ports.form, RSIP_RANGE_NONE);
    assert_int_equal(rig.last.spi.spis[0], 5000);
    assert_int_equal(result(ipsec(RSIP_RANGE_RUN, 1, 5000)), RSIP_E_IPSEC_SPI_INUSE);
    assert_int_equal(result(ipsec(RSIP_RANGE_RUN, 2, 4999)), RSIP_E_IPSEC_SPI_INUSE);
    assert_int_equal(result(ipsec(RSIP_RANGE_LIST, 2, 4990)), RSIP_E_IPSEC_SPI_INUSE);
    assert_int_equal(result(ipsec(RSIP_RANGE_LIST, 2, 6000)), RSIP_OK);
    register_as("10.1.0.2");
    assert_int_equal(result(ipsec(RSIP_RANGE_RUN, 1, 6010)), RSIP_E_IPSEC_SPI_INUSE);
    assert_int_equal(result(ipsec(RSIP_RANGE_ANY, 9, 0)), RSIP_E_IPSEC_SPI_UNAVAILABLE);
    assert_int_equal(result(ipsec(RSIP_RANGE_RUN, 500, 9000)), RSIP_E_IPSEC_SPI_UNAVAILABLE);
    assert_int_equal(result(ipsec(RSIP_RANGE_ANY, 8, 0)), RSIP_OK);
    for (unsigned i = 1; i < 8; i++) { /* at random, and none twice */
        assert_int_equal(rig.last.spi.form, RSIP_RANGE_LIST);
        for (unsigned j = 0; j < i; j++)
            assert_int_not_equal(rig.last.spi.spis[i], rig.last.spi.spis[j]);
        assert_int_not_equal(rig.last.spi.spis[i], rig.last.spi.spis[i - 1] + 1);
    }
    assert_int_equal(result(ipsec(RSIP_RANGE_ANY, 1, 0)), RSIP_E_IPSEC_SPI_UNAVAILABLE);
    /* RSIP-039: ports fail as for RSAP-IP */
    register_as("10.1.0.3");
    struct rsip_message m = ipsec(RSIP_RANGE_ANY, 1, 0);
    m.local = rig_v4(SHARED);
    m.local_ports = rig_ports(1, 80);
    assert_int_equal(result(m), RSIP_E_LOCAL_ADDRPORT_UNALLOWED);
    m.local_ports = rig_ports(4, 3000);
    assert_int_equal(result(m), RSIP_OK);
    assert_int_equal(rig.last.local_ports.count, 4);
    rig_fini(&rig);
}

/* RSIP-184: one host's share, in each kind, and the others have theirs. */
static void test_quota(void **state)
{
    unsigned granted = 0;
    (void)state;
    begin();
    ready();
    struct rsip_message m = assign(RSIP_ASSIGN_REQUEST_RSAP);
    m.local_ports = rig_ports_any(65);
    assert_int_equal(result(m), RSIP_E_LOCAL_ADDRPORT_UNAVAILABLE);
    m.local = rig_v4(SHARED);
    m.local_ports = rig_ports(65, 2000);
    assert_int_equal(result(m), RSIP_E_LOCAL_ADDRPORT_UNALLOWED);
    m = assign(RSIP_ASSIGN_REQUEST_RSAP);
    while (result(m) == RSIP_OK)
        granted++;
    assert_int_equal(granted, 8);
    assert_int_equal(rig.last.error, RSIP_E_LOCAL_ADDRPORT_UNAVAILABLE);
    assert_int_equal(result(assign(6)), RSIP_E_LOCAL_ADDR_UNAVAILABLE);
    register_as("10.1.0.2");
    assert_int_equal(result(m), RSIP_OK);
    rig_fini(&rig);
    /* addresses */
    begin();
    assert_true(ip_prefix_parse("149.112.240.16/29", &rig.ranges[1].prefix));
    ready();
    assert_int_equal(result(assign(6)), RSIP_OK);
    assert_int_equal(result(assign(6)), RSIP_OK);
    assert_int_equal(result(assign(6)), RSIP_E_LOCAL_ADDR_UNAVAILABLE);
    assert_int_equal(result(with_local(8, SHARED, 1, 0)), RSIP_E_LOCAL_ADDR_UNALLOWED);
    rig_fini(&rig);
}

/* RSIP-063, RSIP-145: the transport stays, except to leave. */
static void test_transport_is_kept(void **state)
{
    uint8_t room[128];
    (void)state;
    begin();
    ready();
    struct rsip_message m = assign(RSIP_ASSIGN_REQUEST_RSAP);
    m.present |= RSIP_F_CLIENT_ID | RSIP_F_COUNTER;
    m.client_id = id;
    m.counter = 50;
    struct builder b = builder_on(span_of(room, sizeof(room)));
    rsip_build(&b, &m);
    const struct rsip_server_event event = {.kind = RSIP_SEV_MESSAGE,
                                            .host = from,
                                            .transport = RSIP_TCP,
                                            .channel = 3,
                                            .bytes = builder_written(&b)};
    assert_int_equal(rsip_server_input(rig.server, rig.now, &event), ERR_POLICY);
    rig_run(&rig, 0);
    assert_int_equal(rig_error(&rig), RSIP_E_UNKNOWN_ERROR);
    rig_fini(&rig);
}

/* RSIP-137, RSIP-138, RSIP-140, RSIP-213 */
static void test_query(void **state)
{
    struct ip_prefix local[3];
    (void)state;
    begin();
    assert_true(ip_prefix_parse("10.20.0.0/16", &local[0]));
    assert_true(ip_prefix_parse("fd00::/8", &local[1]));
    assert_true(ip_prefix_parse("192.168.7.0/24", &local[2]));
    rig.config.local = local;
    rig.config.local_count = 3;
    ready();
    struct rsip_message m = {.type = RSIP_QUERY_REQUEST};
    assert_int_equal(result(m), RSIP_OK);
    assert_int_equal(rig.last.tuple_count, 2);
    assert_int_equal(rig.last.tuples[1].indicator, RSIP_TUPLE_NETWORK);
    m.present = RSIP_F_TUPLES;
    m.tuples[0] = (struct rsip_tuple){.indicator = 1, .address = rig_v4("10.20.1.1")};
    m.tuples[1] = (struct rsip_tuple){.indicator = 1, .address = rig_v4("10.21.1.1")};
    m.tuples[2] = (struct rsip_tuple){.indicator = 1, .address = rig_name("a.example")};
    m.tuples[3] =
        (struct rsip_tuple){.indicator = 2,
                            .address = rig_v4("10.0.0.0"),
                            .netmask = {.type = RSIP_ADDR_NETMASK, .addr = rig_ip("255.0.0.0")}};
    m.tuples[4] = (struct rsip_tuple){.indicator = 1,
                                      .address = {.type = RSIP_ADDR_V6, .addr = rig_ip("fd00::1")}};
    m.tuple_count = 5;
    assert_int_equal(result(m), RSIP_OK);
    assert_int_equal(rig.last.tuple_count, 2);
    check_addr(&rig.last.tuples[0].address.addr, "10.20.1.1");
    assert_int_equal(rig.last.tuples[1].address.type, RSIP_ADDR_V6);
    rig_fini(&rig);
}

/* RSIP-072, RSIP-125, RSIP-176 */
static void test_tunnel_end_and_counter_wrap(void **state)
{
    (void)state;
    begin();
    rig.config.tunnel_end = rig_ip("10.0.0.99");
    ready();
    assert_int_equal(result(assign(RSIP_ASSIGN_REQUEST_RSAP)), RSIP_OK);
    assert_true(ip_addr_equal(&rig.last.endpoint.addr, &rig.config.tunnel_end));
    counter = 0x7ffffff0;
    assert_int_equal(result(assign(RSIP_ASSIGN_REQUEST_RSAP)), RSIP_OK);
    counter = 0xe0000000;
    assert_int_equal(result(assign(RSIP_ASSIGN_REQUEST_RSAP)), RSIP_OK);
    counter = UINT32_MAX - 1;
    assert_int_equal(result(assign(RSIP_ASSIGN_REQUEST_RSAP)), RSIP_OK);
    counter = 0;
    assert_int_equal(result(assign(RSIP_ASSIGN_REQUEST_RSAP)), RSIP_OK);
    rig_fini(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_messages),      cmocka_unit_test(test_responses_are_dropped),
        cmocka_unit_test(test_registration),  cmocka_unit_test(test_methods_and_tunnels),
        cmocka_unit_test(test_flow_policy),   cmocka_unit_test(test_local),
        cmocka_unit_test(test_whole_address), cmocka_unit_test(test_ipsec),
        cmocka_unit_test(test_quota),         cmocka_unit_test(test_transport_is_kept),
        cmocka_unit_test(test_query),         cmocka_unit_test(test_tunnel_end_and_counter_wrap),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
