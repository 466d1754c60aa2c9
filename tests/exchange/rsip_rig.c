#include "rsip_rig.h"

#include <stdlib.h>
#include <string.h>

#include "wire/ip.h"

enum { PACKET_ROOM = 2048, STEPS = 100000 };

struct ip_addr rig_ip(const char *text)
{
    struct ip_addr addr;
    assert_true(ip_addr_parse(text, &addr));
    return addr;
}

struct rsip_address rig_v4(const char *text)
{
    return (struct rsip_address){.type = RSIP_ADDR_V4, .addr = rig_ip(text)};
}

struct rsip_address rig_any(void)
{
    return (struct rsip_address){.type = RSIP_ADDR_V4, .any = true};
}

struct rsip_address rig_name(const char *text)
{
    return (struct rsip_address){.type = RSIP_ADDR_NAME, .name = view_of_text(text)};
}

struct rsip_ports rig_ports_any(unsigned count)
{
    return (struct rsip_ports){.form = RSIP_RANGE_ANY, .count = (uint8_t)count};
}

struct rsip_ports rig_ports(unsigned count, uint16_t first)
{
    return (struct rsip_ports){.form = RSIP_RANGE_RUN, .count = (uint8_t)count, .ports = {first}};
}

void rig_init(struct rig *rig)
{
    memset(rig, 0, sizeof(*rig));
    rig->seed = 0x5eed0102;
    rig->now = (mono_t){1000000};
    rig->ranges[0] = (struct rsip_range){.shared = true};
    assert_true(ip_prefix_parse("149.112.240.156", &rig->ranges[0].prefix));
    rig->ranges[1] = (struct rsip_range){.whole = true};
    assert_true(ip_prefix_parse("149.112.240.17", &rig->ranges[1].prefix));
    rig->policies[0] = (struct rsip_policy){
        .methods = 1 << RSIP_METHOD_RSA | 1 << RSIP_METHOD_RSAP | 1 << RSIP_METHOD_IPSEC,
        .tunnels = 1 << RSIP_TUNNEL_IPIP | 1 << RSIP_TUNNEL_GRE,
        .flow_local = RSIP_FLOW_MACRO,
        .flow_remote = RSIP_FLOW_NONE,
        .listen = RSIP_LISTEN_ALLOWED,
        .quota = {.binds = 8, .addresses = 2, .ports = 64, .spis = 8, .traces = 16},
        .lease_s = 600,
        .lease_max_s = 1800,
        .registration_s = 600,
    };
    assert_true(ip_prefix_parse("10.0.0.0/8", &rig->policies[0].hosts));
    rig->config = (struct rsip_server_config){.ranges = rig->ranges,
                                              .range_count = 2,
                                              .policies = rig->policies,
                                              .policy_count = 1,
                                              .hold_s = 120};
}

void rig_start(struct rig *rig)
{
    const struct rsip_server_env env = {.rng = check_rng(&rig->seed)};
    assert_int_equal(rsip_server_new(&rig->config, &env, &rig->server), ERR_OK);
}

static struct rig_record *find_record(struct rig *rig, uint64_t serial)
{
    for (size_t i = 0; i < rig->record_count; i++)
        if (rig->records[i].serial == serial)
            return &rig->records[i];
    return NULL;
}

static void forget(struct rig *rig, uint64_t serial)
{
    struct rig_record *record = find_record(rig, serial);
    if (record == NULL)
        return;
    free(record->bytes);
    *record = rig->records[--rig->record_count];
}

static void keep(struct rig *rig, uint64_t serial, struct view bytes)
{
    forget(rig, serial);
    assert_true(rig->record_count < RIG_RECORDS);
    struct rig_record *record = &rig->records[rig->record_count++];
    *record = (struct rig_record){.serial = serial, .len = bytes.len, .bytes = malloc(bytes.len)};
    memcpy(record->bytes, bytes.ptr, bytes.len);
}

void rig_fini(struct rig *rig)
{
    for (unsigned i = 0; i < RIG_HOSTS; i++)
        rsip_client_free(rig->hosts[i].client);
    rsip_server_free(rig->server);
    while (rig->record_count > 0)
        forget(rig, rig->records[0].serial);
}

static bool lost(struct rig *rig)
{
    if (rig->lose > 0) {
        rig->lose--;
        return true;
    }
    return rig->lose_percent > 0 && check_random(&rig->seed) % 100 < rig->lose_percent;
}

static void note(struct rig *rig, struct view bytes)
{
    rig->sent_octets += bytes.len;
    if (rig->log_count < RIG_LOG)
        rig->log[rig->log_count++] = bytes.ptr[1];
}

/* Only bar exists, and foo at an address that a test may forbid. */
static void answer_name(struct rig *rig, const struct rsip_server_effect *effect)
{
    struct ip_addr bar = rig_ip("38.196.73.6"), foo = rig_ip("66.66.66.66");
    struct rsip_server_event event = {
        .kind = RSIP_SEV_RESOLVED, .host = effect->host, .serial = effect->serial};

    if (view_equal(effect->bytes, view_of_text("www.bar.com")))
        event.addrs = &bar;
    else if (view_equal(effect->bytes, view_of_text("www.foo.com")))
        event.addrs = &foo;
    event.addr_count = event.addrs != NULL;
    (void)rsip_server_input(rig->server, rig->now, &event);
}

static void deliver_to_client(struct rig *rig, const struct rsip_server_effect *effect)
{
    enum rsip_error error;

    note(rig, effect->bytes);
    rig->answered = true;
    rig->last_to = effect->host;
    assert_int_equal(rsip_parse(effect->bytes, &rig->last, &error), ERR_OK);
    if (lost(rig))
        return;
    for (unsigned i = 0; i < RIG_HOSTS; i++)
        if (rig->hosts[i].client != NULL && ip_endpoint_equal(&rig->hosts[i].at, &effect->host)) {
            const struct rsip_client_event event = {.kind = RSIP_CEV_MESSAGE,
                                                    .bytes = effect->bytes};
            (void)rsip_client_input(rig->hosts[i].client, rig->now, &event);
        }
}

static bool drain_server(struct rig *rig)
{
    struct rsip_server_effect effect;
    bool any = false;

    while (rig->server != NULL && rsip_server_next_effect(rig->server, &effect)) {
        any = true;
        switch (effect.kind) {
        case RSIP_SFX_SEND:
            deliver_to_client(rig, &effect);
            break;
        case RSIP_SFX_SAVE:
            keep(rig, effect.serial, effect.bytes);
            break;
        case RSIP_SFX_FORGET:
            forget(rig, effect.serial);
            break;
        case RSIP_SFX_RESOLVE:
            answer_name(rig, &effect);
            break;
        case RSIP_SFX_ADDRESS:
            *(effect.up ? &rig->addresses_up : &rig->addresses_down) += 1;
            break;
        }
    }
    return any;
}

static void send_to_server(struct rig *rig, const struct ip_endpoint *from, struct view bytes)
{
    const struct rsip_server_event event = {
        .kind = RSIP_SEV_MESSAGE, .host = *from, .transport = RSIP_UDP, .bytes = bytes};

    note(rig, bytes);
    if (!lost(rig) && !rig->deaf)
        (void)rsip_server_input(rig->server, rig->now, &event);
}

static void take(struct rig *rig, struct rig_host *host, const struct rsip_client_effect *effect)
{
    assert_true(effect->ticket < RIG_TICKETS);
    switch (effect->kind) {
    case RSIP_CFX_SEND:
        send_to_server(rig, &host->at, effect->bytes);
        break;
    case RSIP_CFX_REGISTERED:
        host->registered++;
        break;
    case RSIP_CFX_UNREGISTERED:
        host->unregistered++;
        host->last_error = effect->error;
        break;
    case RSIP_CFX_BIND_UP:
        host->ups++;
        host->up[effect->ticket] = true;
        host->binds[effect->ticket] = *effect->message;
        break;
    case RSIP_CFX_BIND_DOWN:
        host->downs++;
        assert_true(host->up[effect->ticket]);
        host->up[effect->ticket] = false;
        break;
    case RSIP_CFX_REFUSED:
        host->refusals++;
        host->refused[effect->ticket] = effect->error;
        break;
    case RSIP_CFX_ANSWER:
        host->answers++;
        if (effect->message != NULL)
            host->answer = *effect->message;
        break;
    case RSIP_CFX_MISUSE:
        host->misuses++;
        host->last_error = effect->error;
        break;
    case RSIP_CFX_CONNECT:
        break;
    }
}

static bool drain_client(struct rig *rig, struct rig_host *host)
{
    struct rsip_client_effect effect;
    bool any = false;

    while (host->client != NULL && rsip_client_next_effect(host->client, &effect)) {
        any = true;
        take(rig, host, &effect);
    }
    return any;
}

static void drain(struct rig *rig)
{
    bool any;
    unsigned steps = 0;
    do {
        any = drain_server(rig);
        for (unsigned i = 0; i < RIG_HOSTS; i++)
            any = drain_client(rig, &rig->hosts[i]) || any;
        assert_true(++steps < STEPS);
    } while (any);
}

struct rig_host *rig_client(struct rig *rig, unsigned i)
{
    const struct rsip_client_config config = {
        .transport = RSIP_UDP, .tunnels = 1 << RSIP_TUNNEL_IPIP | 1 << RSIP_TUNNEL_GRE};
    struct rig_host *host = &rig->hosts[i];

    rsip_client_free(host->client);
    memset(host, 0, sizeof(*host));
    host->at = (struct ip_endpoint){.addr = rig_ip("10.0.0.2"), .port = 40000};
    host->at.addr.octets[3] = (uint8_t)(host->at.addr.octets[3] + i);
    assert_int_equal(rsip_client_new(&config, &host->client), ERR_OK);
    rig_input(rig, i, &(struct rsip_client_event){.kind = RSIP_CEV_START});
    return host;
}

void rig_input(struct rig *rig, unsigned host, const struct rsip_client_event *event)
{
    assert_int_equal(rsip_client_input(rig->hosts[host].client, rig->now, event), ERR_OK);
    drain(rig);
}

void rig_want(struct rig *rig, unsigned host, uint64_t ticket, const struct rsip_want *want)
{
    rig_input(rig, host,
              &(struct rsip_client_event){.kind = RSIP_CEV_WANT, .ticket = ticket, .want = want});
}

static mono_t next_deadline(const struct rig *rig)
{
    mono_t next = rig->deaf ? MONO_NEVER : rsip_server_next_deadline(rig->server);
    for (unsigned i = 0; i < RIG_HOSTS; i++)
        if (rig->hosts[i].client != NULL)
            next = mono_min(next, rsip_client_next_deadline(rig->hosts[i].client));
    return next;
}

void rig_run(struct rig *rig, int64_t ms)
{
    mono_t end = mono_add(rig->now, ms);
    unsigned steps = 0;

    drain(rig);
    for (mono_t next; next = next_deadline(rig), mono_reached(end, next);) {
        assert_true(++steps < STEPS);
        if (next.ms > rig->now.ms)
            rig->now = next;
        if (!rig->deaf)
            rsip_server_timer(rig->server, rig->now);
        drain(rig);
        for (unsigned i = 0; i < RIG_HOSTS; i++)
            if (rig->hosts[i].client != NULL)
                rsip_client_timer(rig->hosts[i].client, rig->now);
        drain(rig);
    }
    rig->now = end;
}

void rig_restart(struct rig *rig, bool with_records)
{
    size_t count = rig->record_count;
    struct rig_record records[RIG_RECORDS];

    drain(rig);
    rsip_server_free(rig->server);
    rig->server = NULL;
    rig_start(rig);
    if (!with_records)
        while (rig->record_count > 0)
            forget(rig, rig->records[0].serial);
    memcpy(records, rig->records, sizeof(records));
    for (size_t i = 0; with_records && i < count; i++) {
        const struct rsip_server_event event = {.kind = RSIP_SEV_RESTORE,
                                                .serial = records[i].serial,
                                                .bytes = view_of(records[i].bytes, records[i].len)};
        assert_int_equal(rsip_server_input(rig->server, rig->now, &event), ERR_OK);
    }
    drain(rig);
}

void rig_raw(struct rig *rig, const struct ip_endpoint *from, struct view bytes)
{
    rig->answered = false;
    send_to_server(rig, from, bytes);
    drain(rig);
}

void rig_raw_message(struct rig *rig, const struct ip_endpoint *from, const struct rsip_message *m)
{
    uint8_t room[RSIP_MESSAGE_MAX];
    struct builder b = builder_on(span_of(room, sizeof(room)));
    rsip_build(&b, m);
    assert_false(b.bad);
    rig_raw(rig, from, builder_written(&b));
}

enum rsip_error rig_error(const struct rig *rig)
{
    assert_true(rig->answered);
    return rig->last.type == RSIP_ERROR_RESPONSE ? (enum rsip_error)rig->last.error : RSIP_OK;
}

uint64_t rig_counter(const struct rig *rig, const char *name)
{
    const char *found;
    uint64_t value;
    for (size_t i = 0; rsip_server_counter(rig->server, i, &found, &value); i++)
        if (strcmp(found, name) == 0)
            return value;
    fail_msg("no counter %s", name);
    return 0;
}

static void put_upper(struct builder *b, const struct rig_packet *p)
{
    switch (p->proto) {
    case IP_PROTO_TCP:
    case IP_PROTO_UDP:
        builder_u16(b, p->src_port);
        builder_u16(b, p->dst_port);
        builder_u16(b, p->proto == IP_PROTO_UDP ? (p->cookie != 0 ? 36 : 8) : 0);
        builder_u16(b, 0);
        if (p->cookie != 0)
            builder_u64(b, p->cookie);
        builder_fill(b, 0, p->cookie != 0 ? 20 : 12);
        break;
    case 51: /* AH with a TCP header behind it */
        builder_u8(b, IP_PROTO_TCP);
        builder_u8(b, 4);
        builder_u16(b, 0);
        builder_u32(b, p->spi);
        builder_fill(b, 0, 16);
        builder_u16(b, p->src_port);
        builder_u16(b, p->dst_port);
        builder_fill(b, 0, 16);
        break;
    case IP_PROTO_ICMP:
    case IP_PROTO_ICMPV6:
        builder_u8(b, p->icmp_type);
        builder_fill(b, 0, 3);
        builder_u32(b, p->icmp_id);
        builder_view(b, p->inside);
        break;
    default:
        builder_u32(b, p->spi);
        builder_fill(b, 0, 28);
        break;
    }
}

static void put_options(struct builder *b, uint8_t proto)
{
    const uint8_t options[] = {60, 0, 1, 4, 0,     0, 0, 0, 44, 0, 1, 4,
                               0,  0, 0, 0, proto, 0, 0, 0, 0,  0, 0, 7};
    builder_bytes(b, options, sizeof(options));
}

struct view rig_build_packet(const struct rig_packet *p, uint8_t *room)
{
    struct builder b = builder_on(span_of(room, PACKET_ROOM));

    static const uint8_t hop_by_hop = 0;
    struct ip_addr src = rig_ip(p->src);

    builder_fill(&b, 0, ip_header_len(src.family));
    if (p->options)
        put_options(&b, p->proto);
    put_upper(&b, p);
    assert_false(b.bad);
    const struct ip_header header = {.src = src,
                                     .dst = rig_ip(p->dst),
                                     .total_len = (uint32_t)b.len,
                                     .proto = p->options ? hop_by_hop : p->proto,
                                     .ttl = 64};
    ip_header_write(&header, room);
    return view_of(room, b.len);
}

struct rsip_verdict rig_in(struct rig *rig, const struct rig_packet *p)
{
    uint8_t room[PACKET_ROOM];
    struct rsip_verdict verdict;
    rsip_server_inbound(rig->server, rig->now, rig_build_packet(p, room), &verdict);
    drain(rig);
    return verdict;
}

struct rsip_verdict rig_out(struct rig *rig, unsigned host, const struct rig_packet *p)
{
    uint8_t room[PACKET_ROOM];
    struct rsip_verdict verdict;
    struct ip_addr from = rig_ip("10.0.0.2");
    from.octets[3] = (uint8_t)(from.octets[3] + host);
    rsip_server_outbound(rig->server, rig->now, &from, RSIP_TUNNEL_IPIP, rig_build_packet(p, room),
                         &verdict);
    drain(rig);
    return verdict;
}
