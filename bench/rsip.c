/*
 * The RSIP server alone: registrations and assignments a second, memory of a lease, and what forwarding
 * costs through 100,000 leases and through 10: a datagram in and one out, each held against the leases.
 * Messages are built and parsed as they are on the wire; no packet moves.
 *
 * Prints lines of a name and a number: leases, few; registrations and assignments a second; octets of heap
 * for a host, and for its lease; nanoseconds for a datagram in and one out, among few leases and among all.
 */
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "rsip/server.h"
#include "wire/ip.h"

enum { LEASES = 100000, FEW = 10, PACKETS = 2000000 };

static struct rsip_server *server;
static struct {
    struct ip_addr addr;
    uint16_t port;
    uint32_t client_id;
} leases[LEASES];

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

static double seconds(void)
{
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    return (double)at.tv_sec + (double)at.tv_nsec / 1e9;
}

static void start(void)
{
    static uint64_t seed = 99;
    struct rsip_range range = {.shared = true};
    struct rsip_policy policy = {.methods = 1 << RSIP_METHOD_RSAP,
                                 .tunnels = 1 << RSIP_TUNNEL_IPIP,
                                 .flow_local = RSIP_FLOW_MACRO,
                                 .flow_remote = RSIP_FLOW_NONE,
                                 .quota = {.binds = 4, .addresses = 1, .ports = 16},
                                 .lease_s = 600,
                                 .lease_max_s = 600,
                                 .registration_s = 600};
    if (!ip_prefix_parse("192.0.2.0/30", &range.prefix) ||
        !ip_prefix_parse("10.0.0.0/8", &policy.hosts))
        abort();
    const struct rsip_server_config config = {
        .ranges = &range, .range_count = 1, .policies = &policy, .policy_count = 1, .hold_s = 120};
    const struct rsip_server_env env = {.rng = {.fill = fill, .ctx = &seed}};
    if (rsip_server_new(&config, &env, &server) != ERR_OK)
        abort();
}

/* The answer to one request; effects are drained as a daemon would. */
static struct rsip_message ask(const struct ip_endpoint *from, struct rsip_message *m)
{
    static struct rsip_message answer;
    uint8_t room[256];
    struct builder b = builder_on(span_of(room, sizeof(room)));
    struct rsip_server_effect effect;
    enum rsip_error error;

    rsip_build(&b, m);
    const struct rsip_server_event event = {
        .kind = RSIP_SEV_MESSAGE, .host = *from, .bytes = builder_written(&b)};
    (void)rsip_server_input(server, (mono_t){1000}, &event);
    while (rsip_server_next_effect(server, &effect))
        if (effect.kind == RSIP_SFX_SEND && rsip_parse(effect.bytes, &answer, &error) != ERR_OK)
            abort();
    return answer;
}

static struct ip_endpoint host(unsigned i)
{
    return (struct ip_endpoint){.addr = ip_addr_v4(0x0a000000 + i + 1), .port = 4000};
}

static void enlist(unsigned i)
{
    const struct ip_endpoint from = host(i);
    struct rsip_message m = {
        .type = RSIP_REGISTER_REQUEST, .present = RSIP_F_COUNTER, .counter = 1};
    leases[i].client_id = ask(&from, &m).client_id;
}

static void assign(unsigned i)
{
    const struct ip_endpoint from = host(i);
    struct rsip_message m = {.type = RSIP_ASSIGN_REQUEST_RSAP,
                              .present = RSIP_F_CLIENT_ID | RSIP_F_LOCAL_ADDR | RSIP_F_LOCAL_PORTS |
                                         RSIP_F_REMOTE_ADDR | RSIP_F_REMOTE_PORTS | RSIP_F_COUNTER,
                              .client_id = leases[i].client_id,
                              .counter = 2,
                              .local = {.type = RSIP_ADDR_V4, .any = true},
                              .remote = {.type = RSIP_ADDR_V4, .any = true},
                              .local_ports = {.form = RSIP_RANGE_ANY, .count = 1},
                              .remote_ports = {.form = RSIP_RANGE_ANY, .count = 1}};
    struct rsip_message answer = ask(&from, &m);
    if (answer.type != RSIP_ASSIGN_RESPONSE_RSAP)
        abort();
    leases[i].addr = answer.local.addr;
    leases[i].port = answer.local_ports.ports[0];
}

static void build(uint8_t *packet, const struct ip_addr *src, const struct ip_addr *dst,
                  uint16_t src_port, uint16_t dst_port)
{
    const struct ip_header h = {
        .src = *src, .dst = *dst, .total_len = 48, .proto = IP_PROTO_UDP, .ttl = 60};
    const uint8_t ports[] = {(uint8_t)(src_port >> 8), (uint8_t)src_port, (uint8_t)(dst_port >> 8),
                             (uint8_t)dst_port};

    ip_header_write(&h, packet);
    memcpy(packet + IP_V4_HEADER, ports, sizeof(ports));
}

static void forward(unsigned i)
{
    const struct ip_addr peer = ip_addr_v4(0xc6336401), at = host(i).addr;
    uint8_t packet[64] = {0};
    struct rsip_verdict in, out;

    build(packet, &peer, &leases[i].addr, 53, leases[i].port);
    rsip_server_inbound(server, (mono_t){1000}, view_of(packet, 48), &in);
    build(packet, &leases[i].addr, &peer, leases[i].port, 53);
    rsip_server_outbound(server, (mono_t){1000}, &at, RSIP_TUNNEL_IPIP, view_of(packet, 48), &out);
    if (in.fate != RSIP_FATE_FORWARD || out.fate != RSIP_FATE_FORWARD)
        abort();
}

static double forward_ns(unsigned among)
{
    double began = seconds();
    for (unsigned i = 0; i < PACKETS; i++)
        forward((unsigned)((uint64_t)i * 7919 % among));
    return (seconds() - began) / PACKETS * 1e9;
}

static double heap(void)
{
    struct mallinfo2 info = mallinfo2();
    return (double)(info.uordblks + info.hblkhd);
}

/* Does it for every host, and says how often a second, and what it left on the heap for each. */
static void measure(const char *rate, const char *octets, void (*act)(unsigned))
{
    double before = heap(), began = seconds();
    for (unsigned i = 0; i < LEASES; i++)
        act(i);
    double took = seconds() - began;
    printf("%s\t%.0f\n%s\t%.0f\n", rate, LEASES / took, octets, (heap() - before) / LEASES);
}

int main(void)
{
    start();
    printf("leases\t%d\nfew\t%d\n", LEASES, FEW);
    measure("registrations", "host_octets", enlist);
    measure("assignments", "lease_octets", assign);
    printf("forward_few_ns\t%.1f\n", forward_ns(FEW));
    printf("forward_ns\t%.1f\n", forward_ns(LEASES));
    rsip_server_free(server);
    return 0;
}
