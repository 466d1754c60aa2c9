/*
 * The RSIP server under a sequence of events: raw messages, messages with the right client ID and
 * counter, packets from both sides, time, restarts with what was saved. Nobody holds more than its
 * quota, nothing has two owners, and every lease leads to its host.
 */
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "base/cursor.h"
#include "rsip/server.h"
#include "wire/ip.h"

enum { HOSTS = 3, RECORDS = 128, ROOM = 600 };

struct record {
    uint64_t serial;
    uint8_t *bytes;
    size_t len;
};

static struct rsip_server *server;
static struct record records[RECORDS];
static size_t record_count;
static uint32_t counters[HOSTS];
static uint64_t seed;
static mono_t now;
static bool foreign; /* a record came that the server never wrote, so quotas may be passed */

static struct rsip_range ranges[2];
static struct rsip_policy policy;

static void fill(void *ctx, uint8_t *ret, size_t len)
{
    uint64_t *state = ctx;
    for (size_t i = 0; i < len; i++) {
        *state ^= *state << 13;
        *state ^= *state >> 7;
        *state ^= *state << 17;
        ret[i] = (uint8_t)(*state >> 32);
    }
}

static void start(uint8_t flows)
{
    policy = (struct rsip_policy){
        .methods = 14,
        .tunnels = 14,
        .flow_local = flows & 1 ? RSIP_FLOW_MICRO : RSIP_FLOW_MACRO,
        .flow_remote = (uint8_t)(1 + (flows >> 1) % 3),
        .listen = RSIP_LISTEN_OVERRIDE,
        .quota = {.binds = 6, .addresses = 2, .ports = 20, .spis = 6, .traces = 5},
        .lease_s = 60,
        .lease_max_s = 600,
        .registration_s = 100,
    };
    ranges[0] = (struct rsip_range){
        .shared = true, .whole = (flows & 8) != 0, .port_low = 2000, .port_high = 2040};
    ranges[1] = (struct rsip_range){.whole = true};
    assert(ip_prefix_parse("10.0.0.0/8", &policy.hosts));
    assert(ip_prefix_parse("192.0.2.1", &ranges[0].prefix));
    assert(ip_prefix_parse("192.0.2.2", &ranges[1].prefix));
    const struct rsip_server_config config = {.ranges = ranges,
                                              .range_count = 2,
                                              .policies = &policy,
                                              .policy_count = 1,
                                              .hold_s = 30,
                                              .hosts = 16};
    const struct rsip_server_env env = {.rng = {.fill = fill, .ctx = &seed}};
    assert(rsip_server_new(&config, &env, &server) == ERR_OK);
}

static void forget(uint64_t serial)
{
    for (size_t i = 0; i < record_count; i++)
        if (records[i].serial == serial) {
            free(records[i].bytes);
            records[i] = records[--record_count];
            return;
        }
}

static void keep(const struct rsip_server_effect *effect)
{
    forget(effect->serial);
    assert(record_count < RECORDS);
    struct record *r = &records[record_count++];
    *r = (struct record){effect->serial, malloc(effect->bytes.len), effect->bytes.len};
    memcpy(r->bytes, effect->bytes.ptr, effect->bytes.len);
}

static void drain(void)
{
    struct rsip_server_effect effect;
    enum rsip_error error;
    struct rsip_message m;

    while (rsip_server_next_effect(server, &effect))
        if (effect.kind == RSIP_SFX_SAVE) {
            keep(&effect);
        } else if (effect.kind == RSIP_SFX_FORGET) {
            forget(effect.serial);
        } else if (effect.kind == RSIP_SFX_RESOLVE) {
            struct ip_addr addr = ip_addr_v4(0xc6336401);
            const struct rsip_server_event event = {.kind = RSIP_SEV_RESOLVED,
                                                    .host = effect.host,
                                                    .serial = effect.serial,
                                                    .addrs = &addr,
                                                    .addr_count = effect.serial % 2};
            (void)rsip_server_input(server, now, &event);
        } else if (effect.kind == RSIP_SFX_SEND) {
            assert(rsip_parse(effect.bytes, &m, &error) == ERR_OK);
            assert(!rsip_type_is_request(m.type));
        }
}

static struct ip_endpoint host(unsigned i)
{
    return (struct ip_endpoint){.addr = ip_addr_v4(0x0a000001 + i % HOSTS), .port = 4000};
}

static uint32_t id_of(unsigned i)
{
    struct rsip_host_info info = {0};
    struct ip_endpoint want = host(i);
    while (rsip_server_host(server, &info))
        if (ip_addr_equal(&info.host.addr, &want.addr))
            return info.id;
    return 1;
}

static void say(unsigned from, struct view bytes)
{
    const struct rsip_server_event event = {.kind = RSIP_SEV_MESSAGE,
                                            .host = host(from),
                                            .transport = from & 0x40 ? RSIP_TCP : RSIP_UDP,
                                            .channel = 1,
                                            .bytes = bytes};
    (void)rsip_server_input(server, now, &event);
}

/* Type and parameters as given, between a client ID and a counter that are right. */
static void say_well(unsigned from, struct view bytes)
{
    uint8_t room[ROOM];
    struct builder b = builder_on(span_of(room, sizeof(room)));

    if (bytes.len < 1)
        return;
    builder_u8(&b, RSIP_VERSION);
    builder_u8(&b, bytes.ptr[0]);
    size_t len = builder_open_u16(&b);
    if (bytes.ptr[0] != RSIP_REGISTER_REQUEST) {
        builder_u8(&b, 4);
        builder_u16(&b, 4);
        builder_u32(&b, id_of(from));
    }
    builder_bytes(&b, bytes.ptr + 1, bytes.len - 1);
    builder_u8(&b, 11);
    builder_u16(&b, 4);
    builder_u32(&b, ++counters[from % HOSTS]);
    builder_close_u16(&b, len, 0);
    if (!b.bad)
        say(from, builder_written(&b));
}

static void packet(unsigned from, bool in, struct view bytes)
{
    struct rsip_verdict verdict;
    uint8_t room[ROOM];
    struct ip_endpoint end = host(from);

    if (bytes.len >= 10 && bytes.len < ROOM - IP_V4_HEADER) { /* a header that is right */
        struct ip_header h = {.src = ip_addr_v4(in ? 0xc6336401 : 0xc0000201u + bytes.ptr[0] % 3),
                              .dst = ip_addr_v4(in ? 0xc0000201u + bytes.ptr[0] % 3 : 0xc6336401),
                              .total_len = (uint32_t)(IP_V4_HEADER + bytes.len - 2),
                              .proto = bytes.ptr[1],
                              .ttl = 9};
        ip_header_write(&h, room);
        memcpy(room + IP_V4_HEADER, bytes.ptr + 2, bytes.len - 2);
        bytes = view_of(room, h.total_len);
    }
    if (in)
        rsip_server_inbound(server, now, bytes, &verdict);
    else
        rsip_server_outbound(server, now, &end.addr, (enum rsip_tunnel)(1 + from % 3), bytes,
                             &verdict);
    assert(verdict.fate != RSIP_FATE_DROP || verdict.reason != NULL);
}

static void restart(uint8_t flows)
{
    size_t count = record_count;
    struct record copies[RECORDS];

    rsip_server_free(server);
    start(flows);
    memcpy(copies, records, sizeof(copies));
    record_count = 0;
    for (size_t i = 0; i < count; i++) {
        records[record_count++] = copies[i]; /* one that is refused is forgotten when drained */
    }
    for (size_t i = 0; i < count; i++) {
        const struct rsip_server_event event = {.kind = RSIP_SEV_RESTORE,
                                                .serial = copies[i].serial,
                                                .bytes = view_of(copies[i].bytes, copies[i].len)};
        (void)rsip_server_input(server, now, &event);
    }
    drain();
}

static void check_bind(const struct rsip_bind_info *bind)
{
    struct rsip_verdict verdict;
    uint8_t room[64] = {0};

    if (!rsip_ports_named(&bind->ports))
        return;
    for (unsigned i = 0; i < bind->ports.count; i++) {
        struct ip_header h = {.src = bind->remote_count > 0 ? bind->remotes[0]
                                                            : ip_addr_v4(0xc6336401),
                              .dst = bind->addr,
                              .total_len = IP_V4_HEADER + IP_UDP_HEADER,
                              .proto = IP_PROTO_UDP,
                              .ttl = 9};
        uint16_t port = rsip_port_at(&bind->ports, i);
        ip_header_write(&h, room);
        room[20] = (uint8_t)(bind->remote_port >> 8);
        room[21] = (uint8_t)bind->remote_port;
        room[22] = (uint8_t)(port >> 8);
        room[23] = (uint8_t)port;
        room[25] = IP_UDP_HEADER;
        rsip_server_inbound(server, now, view_of(room, h.total_len), &verdict);
        assert(verdict.fate == RSIP_FATE_FORWARD && verdict.bind_id == bind->id);
        assert(ip_addr_equal(&verdict.host, &bind->host));
    }
}

static void check_all(void)
{
    struct rsip_host_info info = {0};
    struct rsip_bind_info bind = {0};
    size_t binds = 0, held = 0;

    while (rsip_server_host(server, &info)) {
        held += info.binds;
        if (foreign)
            continue;
        assert(info.binds <= policy.quota.binds && info.ports <= policy.quota.ports);
        assert(info.spis <= policy.quota.spis && info.addresses <= policy.quota.addresses);
        assert(info.traces <= policy.quota.traces);
    }
    while (rsip_server_bind(server, &bind)) {
        binds++;
        check_bind(&bind);
    }
    assert(binds == held);
}

static void step(struct cursor *cur)
{
    uint8_t op = cursor_u8(cur), from = cursor_u8(cur);
    size_t len = cursor_u8(cur);
    struct view bytes = cursor_take(cur, len < cursor_left(cur) ? len : cursor_left(cur));

    switch (op % 8) {
    case 0:
        say(from, bytes);
        break;
    case 1:
    case 2:
        say_well(from, bytes);
        break;
    case 3:
        packet(from, true, bytes);
        break;
    case 4:
        packet(from, false, bytes);
        break;
    case 5:
        now = mono_add(now, from * 1000);
        rsip_server_timer(server, now);
        break;
    case 6: {
        const struct rsip_server_event event = {
            .kind = RSIP_SEV_REVOKE, .host = host(from), .bind_id = (uint32_t)len};
        (void)rsip_server_input(server, now, &event);
        break;
    }
    default: {
        const struct rsip_server_event event = {
            .kind = RSIP_SEV_RESTORE, .serial = 1000 + from, .bytes = bytes};
        if (from & 1) {
            restart(from >> 1);
        } else {
            foreign = true;
            (void)rsip_server_input(server, now, &event);
        }
        break;
    }
    }
    drain();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct cursor cur = cursor_of(view_of(data, len));

    seed = 0x123456789;
    now = (mono_t){1000};
    foreign = false;
    memset(counters, 0, sizeof(counters));
    start(cursor_u8(&cur));
    for (unsigned steps = 0; cursor_left(&cur) > 0 && steps < 200; steps++)
        step(&cur);
    check_all();
    rsip_server_free(server);
    while (record_count > 0)
        forget(records[0].serial);
    return 0;
}
