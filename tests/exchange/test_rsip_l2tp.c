/*
 * L2TP between a host and its gateway (RSIP-091), in virtual time: set-up with and without a
 * secret, loss, restarts of either end, and what a hostile peer may try.
 */
#include "../unit/check.h"

#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "rsip/l2tp.h"
#include "wire/ip.h"

enum { QUEUE = 256, OCTETS = 600 };

void *__real_malloc(size_t len);
void *__real_calloc(size_t count, size_t len);
void *__real_realloc(void *ptr, size_t len);
void *__wrap_malloc(size_t len);
void *__wrap_calloc(size_t count, size_t len);
void *__wrap_realloc(void *ptr, size_t len);

struct datagram {
    bool to_gateway;
    uint16_t from_port, to_port;
    size_t len;
    uint8_t octets[OCTETS];
};

static struct world {
    struct l2tp *gateway, *host;
    struct datagram queue[QUEUE];
    size_t count;
    mono_t now;
    uint64_t seed;
    uint64_t random;
    unsigned lose_percent, sent, gateway_ups, gateway_downs, host_ups, host_downs;
    unsigned long countdown; /* to an allocation that fails; 0: none does */
    bool refused;
    bool leased_v4, leased_v6, gateway_deaf;
    struct view last; /* the last datagram that left the gateway; points into `last_octets` */
    uint8_t last_octets[OCTETS];
    struct view arrived;
    uint8_t arrived_octets[OCTETS];
} w;

static const struct ip_addr private_addr = {IP_V4, {10, 0, 0, 2}}, inside = {IP_V4, {10, 0, 0, 1}},
                            stranger = {IP_V4, {10, 0, 0, 3}}, leased = {IP_V4, {203, 0, 113, 10}},
                            leased_v6 = {IP_V6, {0x20, 1, 0xd, 0xb8, [15] = 10}};

static bool gateway_address(void *ctx, const struct ip_addr *host, enum ip_family family,
                            struct ip_addr *addr)
{
    (void)ctx;
    if (!ip_addr_equal(host, &private_addr) || !(family == IP_V4 ? w.leased_v4 : w.leased_v6))
        return false;
    *addr = family == IP_V4 ? leased : leased_v6;
    return true;
}

static bool host_address(void *ctx, const struct ip_addr *host, enum ip_family family,
                         struct ip_addr *addr)
{
    (void)ctx;
    (void)host;
    *addr = family == IP_V4 ? leased : leased_v6;
    return family == IP_V4 ? w.leased_v4 : w.leased_v6;
}

static struct l2tp *make(bool gateway, const char *secret)
{
    const struct l2tp_config config = {.gateway = gateway,
                                       .name = gateway ? "n" : "x1",
                                       .own = inside,
                                       .secret = view_of_text(secret),
                                       .hello_ms = gateway ? 60000 : 5000};
    const struct l2tp_env env = {.rng = check_rng(&w.random),
                                 .address = gateway ? gateway_address : host_address};
    struct l2tp *l = NULL;
    assert_int_equal(l2tp_new(&config, &env, &l), ERR_OK);
    return l;
}

static void begin(const char *gateway_secret, const char *host_secret)
{
    memset(&w, 0, sizeof(w));
    w.now = (mono_t){1000};
    w.random = 42;
    w.leased_v4 = true;
    w.gateway = make(true, gateway_secret);
    w.host = make(false, host_secret);
}

static void end(void)
{
    l2tp_free(w.gateway);
    l2tp_free(w.host);
}

static void collect(struct l2tp *l, bool gateway)
{
    struct l2tp_effect effect;

    while (l2tp_next_effect(l, &effect)) {
        if (effect.kind == L2TP_FX_UP)
            (*(gateway ? &w.gateway_ups : &w.host_ups))++;
        if (effect.kind == L2TP_FX_DOWN)
            (*(gateway ? &w.gateway_downs : &w.host_downs))++;
        if (effect.kind != L2TP_FX_SEND)
            continue;
        assert_true(effect.bytes.len <= OCTETS);
        if (gateway) {
            memcpy(w.last_octets, effect.bytes.ptr, effect.bytes.len);
            w.last = view_of(w.last_octets, effect.bytes.len);
        }
        bool to_host = gateway && ip_addr_equal(&effect.peer.addr, &private_addr);
        w.sent++;
        w.seed = w.seed * 6364136223846793005u + 1442695040888963407u;
        if ((w.seed >> 33) % 100 < w.lose_percent || (gateway && !to_host) ||
            (!gateway && w.gateway_deaf))
            continue;
        assert_true(w.count < QUEUE);
        struct datagram *d = &w.queue[w.count++];
        d->to_gateway = !gateway;
        d->len = effect.bytes.len;
        memcpy(d->octets, effect.bytes.ptr, effect.bytes.len);
    }
}

static enum err hand_over(struct l2tp *l, const struct ip_addr *from, uint16_t port,
                          struct view bytes)
{
    const struct ip_endpoint at = {.addr = *from, .port = port};
    struct view inner;
    enum err err = l2tp_input(l, w.now, &at, bytes, &inner);

    if (err == ERR_OK && inner.len > 0) {
        memcpy(w.arrived_octets, inner.ptr, inner.len);
        w.arrived = view_of(w.arrived_octets, inner.len);
    }
    collect(l, l == w.gateway);
    return err;
}

static void deliver(void)
{
    for (size_t i = 0; i < w.count; i++) {
        const struct datagram d = w.queue[i];
        if (d.to_gateway)
            hand_over(w.gateway, &private_addr, 40000, view_of(d.octets, d.len));
        else
            hand_over(w.host, &inside, L2TP_PORT, view_of(d.octets, d.len));
    }
    w.count = 0;
}

static void run(int64_t ms)
{
    mono_t until = mono_add(w.now, ms);

    for (;;) {
        collect(w.host, false);
        collect(w.gateway, true);
        deliver();
        mono_t next = mono_min(l2tp_next_deadline(w.host), l2tp_next_deadline(w.gateway));
        if (next.ms > until.ms)
            break;
        w.now = next.ms > w.now.ms ? next : w.now;
        l2tp_timer(w.host, w.now);
        l2tp_timer(w.gateway, w.now);
    }
    w.now = until;
}

static void dial(void)
{
    const struct ip_endpoint at = {.addr = inside, .port = L2TP_PORT};
    l2tp_connect(w.host, w.now, &at);
    run(100);
}

static uint64_t counter(const struct l2tp *l, const char *name)
{
    const char *at;
    uint64_t value;
    for (size_t i = 0; l2tp_counter(l, i, &at, &value); i++)
        if (strcmp(at, name) == 0)
            return value;
    fail_msg("no counter %s", name);
    return 0;
}

static size_t tunnels(const struct l2tp *l, struct l2tp_info *ret_last)
{
    struct l2tp_info walk = {0};
    size_t count = 0;
    for (; l2tp_tunnel(l, &walk); count++)
        *ret_last = walk;
    return count;
}

/* A datagram of that family gets through, or doesn't. */
static bool passes(struct l2tp *from, const struct ip_addr *to, enum ip_family family)
{
    uint8_t packet[OCTETS] = {0};
    const struct ip_header header = {.src = family == IP_V4 ? leased : leased_v6,
                                     .dst = family == IP_V4 ? inside : leased_v6,
                                     .total_len = 80,
                                     .proto = IP_PROTO_NONE,
                                     .ttl = 9};
    uint8_t wrapped[OCTETS];
    struct ip_endpoint at;
    uint32_t room;

    ip_header_write(&header, packet);
    w.arrived = view_of(NULL, 0);
    size_t len = l2tp_wrap(from, to, view_of(packet, 80), wrapped, &at, &room);
    if (len == 0)
        return false;
    memcpy(wrapped + len, packet, 80);
    bool up = from == w.host;
    hand_over(up ? w.gateway : w.host, up ? &private_addr : &inside, up ? 40000 : L2TP_PORT,
              view_of(wrapped, len + 80));
    return view_equal(w.arrived, view_of(packet, 80));
}

static void test_link(void **state)
{
    struct l2tp_info info;
    (void)state;
    begin("", "");
    dial();
    assert_true(w.host_ups == 1 && w.gateway_ups == 1);
    assert_true(passes(w.host, &inside, IP_V4) && passes(w.gateway, &private_addr, IP_V4));
    assert_false(passes(w.host, &inside, IP_V6));
    assert_int_equal(tunnels(w.gateway, &info), 1);
    assert_string_equal(info.state, "carrying");
    assert_true(info.ipv4 && !info.ipv6 && info.peer.port == 40000);
    run(10 * 60 * 1000); /* it stays */
    assert_true(w.host_downs == 0 && w.gateway_downs == 0 && passes(w.host, &inside, IP_V4));
    l2tp_disconnect(w.host, w.now, NULL);
    run(60 * 1000);
    assert_true(w.host_downs == 1 && w.gateway_downs == 1);
    assert_int_equal(tunnels(w.gateway, &info) + tunnels(w.host, &info), 0);
    end();
}

static void test_both_families(void **state)
{
    (void)state;
    begin("", "");
    w.leased_v6 = true;
    dial();
    assert_true(passes(w.host, &inside, IP_V4) && passes(w.gateway, &private_addr, IP_V6));
    end();
    begin("", "");
    w.leased_v4 = false;
    w.leased_v6 = true;
    dial();
    assert_true(!passes(w.host, &inside, IP_V4) && passes(w.host, &inside, IP_V6));
    end();
}

static void test_secret(void **state)
{
    (void)state;
    begin("tunnel secret", "tunnel secret");
    dial();
    assert_true(passes(w.host, &inside, IP_V4));
    end();
    static const char *const pairs[][2] = {
        {"tunnel secret", "another"}, {"tunnel secret", ""}, {"", "tunnel secret"}};
    for (size_t i = 0; i < CHECK_COUNT(pairs); i++) {
        begin(pairs[i][0], pairs[i][1]);
        dial();
        assert_true(w.host_ups == 0 && w.gateway_ups == 0);
        assert_true(counter(w.host, "l2tp_bad_secret") + counter(w.gateway, "l2tp_bad_secret") > 0);
        end();
    }
}

static void test_loss(void **state)
{
    (void)state;
    for (unsigned seed = 0; seed < 50; seed++) {
        begin("", "");
        w.seed = seed;
        w.lose_percent = 30;
        dial();
        run(120 * 1000);
        w.lose_percent = 0;
        run(60 * 1000);
        assert_true(passes(w.host, &inside, IP_V4) && passes(w.gateway, &private_addr, IP_V4));
        end();
    }
}

/* The gateway comes back and knows nothing: the host's HELLO finds out, and it calls again. One
 * that says nothing is found out by silence. */
static void test_gateway_restart(void **state)
{
    (void)state;
    begin("", "");
    dial();
    l2tp_free(w.gateway);
    w.gateway = make(true, "");
    assert_false(passes(w.host, &inside, IP_V4));
    assert_int_equal(counter(w.gateway, "l2tp_unknown_tunnel"), 1);
    run(11 * 1000);
    assert_true(w.host_downs == 1 && w.host_ups == 2);
    assert_true(passes(w.host, &inside, IP_V4));
    w.gateway_deaf = true;
    run(40 * 1000);
    assert_int_equal(w.host_downs, 2);
    w.gateway_deaf = false;
    run(40 * 1000);
    assert_true(w.host_ups == 3 && passes(w.host, &inside, IP_V4));
    end();
}

/* The host comes back: its new tunnel ends the old one. */
static void test_host_restart(void **state)
{
    struct l2tp_info info;
    (void)state;
    begin("", "");
    dial();
    for (unsigned i = 0; i < 10; i++) {
        l2tp_free(w.host);
        w.host = make(false, "");
        dial();
        assert_true(passes(w.host, &inside, IP_V4) && passes(w.gateway, &private_addr, IP_V4));
        assert_true(tunnels(w.gateway, &info) <= LIMIT_L2TP_TUNNELS);
    }
    run(60 * 1000);
    assert_int_equal(tunnels(w.gateway, &info), 1);
    end();
}

static void test_lease_gone(void **state)
{
    struct l2tp_info info;
    (void)state;
    begin("", "");
    dial();
    w.leased_v4 = false;
    run(3 * 60 * 1000);
    assert_int_equal(w.gateway_downs, 1);
    w.gateway_deaf = true;
    run(60 * 1000);
    assert_int_equal(tunnels(w.gateway, &info), 0);
    end();
}

static struct view build(uint8_t *room, uint16_t tunnel, uint16_t session, uint16_t ns, uint16_t nr,
                         const struct l2tp_message *m)
{
    const struct l2tp_header header = {.tunnel = tunnel, .session = session, .ns = ns, .nr = nr};
    struct builder b = builder_on(span_of(room, OCTETS));
    l2tp_message_build(&b, &header, m);
    return builder_written(&b);
}

static struct l2tp_message request(uint16_t id)
{
    return (struct l2tp_message){.type = L2TP_SCCRQ,
                                 .present = L2TP_F_VERSION | L2TP_F_FRAMING | L2TP_F_HOST_NAME |
                                            L2TP_F_TUNNEL,
                                 .version = 0x0100,
                                 .framing = 3,
                                 .host_name = view_of_text("evil"),
                                 .tunnel = id};
}

/* A flood of requests: a host without a lease gets no answer, one with a lease harms itself alone.
 */
static void test_flood(void **state)
{
    struct l2tp_info info;
    uint8_t room[OCTETS];
    (void)state;
    begin("", "");
    dial();
    unsigned before = w.sent;
    for (uint16_t id = 1; id <= 1000; id++) {
        const struct l2tp_message m = request(id);
        assert_int_not_equal(
            hand_over(w.gateway, &stranger, L2TP_PORT, build(room, 0, 0, 0, 0, &m)), ERR_OK);
    }
    assert_true(w.sent == before && tunnels(w.gateway, &info) == 1);
    assert_int_equal(counter(w.gateway, "l2tp_unknown_host"), 1000);
    for (uint16_t id = 1; id <= 1000; id++) {
        const struct l2tp_message m = request(id);
        hand_over(w.gateway, &private_addr, 50000, build(room, 0, 0, 0, 0, &m));
        w.count = 0;
    }
    assert_int_equal(tunnels(w.gateway, &info), LIMIT_L2TP_TUNNELS);
    assert_true(passes(w.host, &inside, IP_V4) && w.gateway_downs == 0);
    assert_true(counter(w.gateway, "l2tp_displaced") >= 1000 - LIMIT_L2TP_TUNNELS);
    run(2 * 60 * 1000);
    assert_int_equal(tunnels(w.gateway, &info), 1);
    end();
}

/* One request, sent ten times: one tunnel, and one answer that isn't an acknowledgement. */
static void test_repeated_request(void **state)
{
    const struct l2tp_message m = request(77);
    struct l2tp_info info;
    uint8_t room[OCTETS];
    (void)state;
    begin("", "");
    for (unsigned i = 0; i < 10; i++) {
        hand_over(w.gateway, &private_addr, 50000, build(room, 0, 0, 0, 0, &m));
        assert_int_equal(w.last.len == L2TP_CONTROL_HEADER, i > 0);
        w.count = 0;
    }
    assert_int_equal(tunnels(w.gateway, &info), 1);
    assert_int_equal(counter(w.gateway, "l2tp_duplicate"), 9);
    end();
}

/* Somebody else's tunnel and session, by its right numbers; and what was sent, once more. */
static void test_strangers_and_replays(void **state)
{
    const struct l2tp_message stop = {
        .type = L2TP_STOPCCN, .present = L2TP_F_RESULT | L2TP_F_TUNNEL, .result = 1, .tunnel = 1};
    const struct l2tp_message cdn = {
        .type = L2TP_CDN, .present = L2TP_F_RESULT | L2TP_F_SESSION, .result = 1};
    struct l2tp_info info;
    uint8_t room[OCTETS];
    (void)state;
    begin("", "");
    dial();
    assert_int_equal(tunnels(w.gateway, &info), 1);
    for (uint16_t ns = 0; ns < 12; ns++) {
        hand_over(w.gateway, &stranger, 40000, build(room, info.own_tunnel, 0, ns, 0, &stop));
        hand_over(w.gateway, &private_addr, 40001, build(room, info.own_tunnel, 0, ns, 0, &stop));
        hand_over(w.gateway, &stranger, 40000,
                  build(room, info.own_tunnel, info.own_session, ns, 0, &cdn));
    }
    for (uint16_t ns = 0; ns < 3; ns++) /* SCCRQ, SCCCN, ICRQ, ICCN had these */
        assert_int_equal(hand_over(w.gateway, &private_addr, 40000,
                                   build(room, info.own_tunnel, 0, ns, 0, &stop)),
                         ERR_REPLAY);
    /* numbers far ahead wait for what is missing: for ever */
    assert_int_equal(
        hand_over(w.gateway, &private_addr, 40000, build(room, info.own_tunnel, 0, 900, 0, &stop)),
        ERR_REPLAY);
    uint8_t frame[OCTETS];
    struct builder b = builder_on(span_of(frame, sizeof(frame)));
    l2tp_data_build(
        &b, &(struct l2tp_header){.tunnel = info.own_tunnel, .session = info.own_session ^ 1});
    builder_u32(&b, 0xff03c021);
    builder_u32(&b, 0x05010004); /* LCP Terminate-Request */
    hand_over(w.gateway, &private_addr, 40000, builder_written(&b));
    hand_over(w.gateway, &stranger, 40000, builder_written(&b));
    assert_int_equal(counter(w.gateway, "l2tp_unknown_session"), 1);
    assert_true(w.gateway_downs == 0 && passes(w.host, &inside, IP_V4));
    end();
}

static void test_mandatory(void **state)
{
    const struct l2tp_message m = request(5);
    uint8_t room[OCTETS];
    struct l2tp_header header;
    struct l2tp_message answer;
    (void)state;
    begin("", "");
    struct view bytes = build(room, 0, 0, 0, 0, &m);
    static const uint8_t unknown[] = {0x80, 6, 0, 9, 0x12, 0x34};
    memcpy(room + bytes.len, unknown, sizeof(unknown));
    room[3] = (uint8_t)(bytes.len + sizeof(unknown));
    assert_int_equal(
        hand_over(w.gateway, &private_addr, 40000, view_of(room, bytes.len + sizeof(unknown))),
        ERR_UNSUPPORTED);
    assert_int_equal(l2tp_header_parse(w.last, &header), ERR_OK);
    assert_int_equal(l2tp_message_parse(header.payload, &answer), ERR_OK);
    assert_true(answer.type == L2TP_STOPCCN && answer.result == L2TP_STOP_ERROR &&
                answer.error == L2TP_ERROR_UNKNOWN_AVP && header.tunnel == 5);
    room[bytes.len] = 0; /* not mandatory any more: passed over */
    w.now = mono_add(w.now, 100000);
    l2tp_timer(w.gateway, w.now);
    hand_over(w.gateway, &private_addr, 40000, view_of(room, bytes.len + sizeof(unknown)));
    assert_int_equal(l2tp_header_parse(w.last, &header), ERR_OK);
    assert_int_equal(l2tp_message_parse(header.payload, &answer), ERR_OK);
    assert_int_equal(answer.type, L2TP_SCCRP);
    end();
}

static void *refused(void)
{
    w.refused = true;
    return NULL;
}

static bool refuse(void)
{
    return w.countdown != 0 && --w.countdown == 0;
}

void *__wrap_malloc(size_t len)
{
    return refuse() ? refused() : __real_malloc(len);
}

void *__wrap_calloc(size_t count, size_t len)
{
    return refuse() ? refused() : __real_calloc(count, len);
}

void *__wrap_realloc(void *ptr, size_t len)
{
    return refuse() ? refused() : __real_realloc(ptr, len);
}

/* Every allocation fails once, at either end: the link comes up all the same, only later. */
static void test_memory(void **state)
{
    unsigned failures = 0;
    (void)state;
    for (unsigned n = 1; n == failures + 1; n++) {
        begin("secret", "secret");
        w.countdown = n;
        dial();
        failures += w.refused;
        w.countdown = 0;
        run(200 * 1000);
        assert_true(passes(w.host, &inside, IP_V4) && passes(w.gateway, &private_addr, IP_V4));
        end();
    }
    assert_in_range(failures, 20, 200);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_link),
        cmocka_unit_test(test_both_families),
        cmocka_unit_test(test_secret),
        cmocka_unit_test(test_loss),
        cmocka_unit_test(test_gateway_restart),
        cmocka_unit_test(test_host_restart),
        cmocka_unit_test(test_lease_gone),
        cmocka_unit_test(test_flood),
        cmocka_unit_test(test_repeated_request),
        cmocka_unit_test(test_strangers_and_replays),
        cmocka_unit_test(test_mandatory),
        cmocka_unit_test(test_memory),
    };
    return cmocka_run_group_tests_name("rsip_l2tp", tests, NULL, NULL);
}
