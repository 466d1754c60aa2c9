#include "pair.h"

#include "wire/ip.h"

#include <stdio.h>
#include <time.h>

/* Where the hosts and their gateways are; the low 20 bits number them. */
enum {
    NUMBER_MASK = 0xfffff,
    NET_SOURCE = 0x0a800000,       /* 10.128.0.0/12 */
    NET_STRANGER = 0x0a100000,     /* 10.16.0.0/12 */
    NET_KNOWN = 0x0a200000,        /* 10.32.0.0/12 */
    NET_CLEAR = 0x0a300000,        /* 10.48.0.0/12 */
    GATEWAY_STRANGER = 0xac100000, /* 172.16.0.0/12 */
    GATEWAY_KNOWN = 0x0a400000,    /* 10.64.0.0/12 */
};

enum { GAP_US = 2000, SETTLE_US = 5000000, WIRE_US = 50 };

static const struct {
    const char *name;
    uint32_t net;
} kinds[PAIR_KINDS] = {
    [PAIR_STRANGER] = {"stranger", NET_STRANGER},
    [PAIR_KNOWN] = {"known", NET_KNOWN},
    [PAIR_CLEAR] = {"clear", NET_CLEAR},
};

const char *pair_kind_name(enum pair_kind kind)
{
    return kinds[kind].name;
}

double pair_seconds(void)
{
    struct timespec spent;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &spent);
    return (double)spent.tv_sec + (double)spent.tv_nsec / 1e9;
}

/* --- a network where everything arrives ---------------------------------------------------- */

static struct sim_gateway *at_address(struct world *w, const struct ip_addr *addr)
{
    bool first = ip_addr_equal(&w->gateways[PAIR_INITIATOR]->addr, addr);
    return w->gateways[first ? PAIR_INITIATOR : PAIR_RESPONDER];
}

void network_send_ike(struct world *w, const struct ip_endpoint *from,
                      const struct ip_endpoint *to, struct view octets)
{
    struct sim_event *event =
        world_event(w, SIM_EV_IKE, at_address(w, &to->addr), WIRE_US, octets);
    event->from = *from;
    event->to = *to;
    w->stats.ike++;
}

void network_send_esp(struct world *w, const struct packet *packet)
{
    struct sim_event *event =
        world_event(w, SIM_EV_ESP, at_address(w, &packet->outer.dst), WIRE_US,
                    view_of(packet_data(packet), packet->len));
    event->outer = packet->outer;
    w->stats.esp++;
}

void network_clear(struct sim_gateway *from, struct view datagram)
{
    (void)datagram;
    from->world->stats.clear++;
}

void network_delivered(struct sim_gateway *g, struct view datagram)
{
    (void)datagram;
    g->world->stats.delivered++;
}

/* A datagram here is a bare IPv4 header: nobody looks further. */
struct view network_datagram(uint8_t *room, const struct ip_pair *flow, uint32_t serial)
{
    struct ip_header header = {
        .src = flow->src,
        .dst = flow->dst,
        .total_len = (uint32_t)ip_header_len(IP_V4),
        .id = serial & 0xffff,
        .proto = 253, /* for experiments (RFC 3692) */
        .ttl = 64,
    };
    ip_header_write(&header, room);
    return view_of(room, header.total_len);
}

bool network_flow(struct view datagram, struct ip_pair *ret)
{
    return ip_pair_of(datagram, ret) == ERR_OK;
}

/* --- a DNS where everything is true ----------------------------------------------------------- */

static bool number_of_name(const char *name, uint32_t *ret)
{
    unsigned a, b, c, d;

    if (sscanf(name, "%3u.%3u.%3u.%3u.in-addr.arpa.", &d, &c, &b, &a) != 4)
        return false;
    *ret = a << 24 | b << 16 | c << 8 | d;
    return true;
}

static bool delegation_of(struct world *w, uint32_t host, struct dnsrec_gateway *ret)
{
    const struct sim_gateway *g = w->gateways[PAIR_RESPONDER];
    uint32_t number = host & NUMBER_MASK;
    struct ip_addr addr;

    switch (host - number) {
    case NET_SOURCE:
        g = w->gateways[PAIR_INITIATOR];
        addr = g->addr;
        break;
    case NET_STRANGER:
        addr = ip_addr_v4(GATEWAY_STRANGER + number);
        break;
    case NET_KNOWN:
        addr = ip_addr_v4(GATEWAY_KNOWN + number / PAIR_KNOWN_EACH);
        break;
    default:
        return false;
    }
    *ret = (struct dnsrec_gateway){
        .precedence = 10, .gateway = identity_of_addr(&addr), .key = g->public_key};
    return true;
}

void names_answer(struct world *w, const char *name, uint16_t type, struct dns_answer *ret,
                  struct sim_answer_storage *storage)
{
    struct span room = span_of(storage->octets[0], sizeof(storage->octets[0]));
    struct dnsrec_gateway record;
    enum err err = ERR_UNKNOWN;
    uint32_t number;
    size_t len = 0;

    *ret = (struct dns_answer){.status = DNS_ABSENT, .secure = true, .ttl_s = 3600};
    if (!number_of_name(name, &number))
        return;
    struct ip_addr addr = ip_addr_v4(number);
    if (type == DNS_TYPE_TXT && delegation_of(w, number, &record))
        err = dnsrec_txt_build(&record, room, &len);
    else if (type == DNS_TYPE_KEY)
        err = dnsrec_key_build(&at_address(w, &addr)->public_key, room, &len);
    if (err != ERR_OK)
        return;
    ret->status = DNS_FOUND;
    ret->rdata[ret->count++] = view_of(storage->octets[0], len);
    if (type != DNS_TYPE_TXT || (number & ~NUMBER_MASK) == NET_SOURCE)
        return;
    /* The responder answers at all those addresses, and knows itself by one. */
    room = span_of(storage->octets[1], sizeof(storage->octets[1]));
    record.precedence = 20;
    record.gateway = identity_of_addr(&w->gateways[PAIR_RESPONDER]->addr);
    if (dnsrec_txt_build(&record, room, &len) == ERR_OK)
        ret->rdata[ret->count++] = view_of(storage->octets[1], len);
}

/* --- rules: the simulator proves them; here they would only cost time ------------------------- */

void check_sa(struct world *w, const struct sa_params *params)
{
    (void)params;
    w->stats.tunnels++;
}

void check_clear(struct sim_gateway *g, const struct ip_pair *flow)
{
    (void)g, (void)flow;
}

void check_deadlines(struct sim_gateway *g)
{
    (void)g;
}

void check_forget(struct world *w)
{
    (void)w;
}

/* --- the pair ----------------------------------------------------------------------------------- */

void pair_open(struct pair *pair)
{
    uint64_t seed = 1;

    *pair = (struct pair){0};
    world_init(&pair->world, seed, false);
    while (!pair->world.calm) { /* faults and policies are drawn from the seed */
        world_fini(&pair->world);
        world_init(&pair->world, ++seed, false);
    }
    world_run(&pair->world, pair->world.now_us + SETTLE_US);
}

void pair_close(struct pair *pair)
{
    world_fini(&pair->world);
}

bool pair_talk(struct pair *pair, enum pair_kind kind, uint32_t count)
{
    struct world *w = &pair->world;
    uint64_t *arrived = kind == PAIR_CLEAR ? &w->stats.clear : &w->stats.delivered;
    uint64_t before = *arrived;
    uint8_t room[SIM_PACKET];

    for (uint32_t i = 0; i < count; i++) {
        uint32_t number = pair->used[kind]++;
        struct ip_pair flow = {.src = ip_addr_v4(NET_SOURCE | number),
                               .dst = ip_addr_v4(kinds[kind].net | number)};
        struct sim_event *event =
            world_event(w, SIM_EV_SEND, w->gateways[PAIR_INITIATOR], (int64_t)i * GAP_US,
                        network_datagram(room, &flow, number));
        event->flow = flow;
    }
    world_run(w, w->now_us + (int64_t)count * GAP_US + SETTLE_US);
    if (*arrived - before == count && !w->failed)
        return true;
    fprintf(stderr, "%s: %llu of %lu datagrams arrived%s%s\n", kinds[kind].name,
            (unsigned long long)(*arrived - before), (unsigned long)count,
            w->failed ? ": " : "", w->failure);
    return false;
}
