/*
 * The public network between the gateways, which loses, repeats and reorders, and the datagrams of
 * the hosts: minimal IPv4 with a serial number inside.
 */
#include "world.h"

#include "base/builder.h"
#include "wire/ip.h"

enum { SIM_DATAGRAM = 32, REORDER_US = 60000 };

/* How often and when a packet arrives: zero, one or two copies. */
static unsigned copies(struct world *w)
{
    if (world_chance(w, w->faults.loss))
        return 0;
    return world_chance(w, w->faults.repeat) ? 2 : 1;
}

static int64_t delay(struct world *w)
{
    int64_t us = w->pace.wire_us + world_random(w, w->pace.wire_jitter_us);
    if (world_chance(w, w->faults.reorder))
        us += world_random(w, REORDER_US);
    return us;
}

static bool carried(struct world *w, const struct ip_addr *from, const struct ip_addr *to, bool esp)
{
    return w->hooks.carry == NULL || w->hooks.carry(w->hooks.ctx, from, to, esp);
}

void network_send_ike(struct world *w, const struct ip_endpoint *from,
                      const struct ip_endpoint *to, struct view octets)
{
    struct sim_gateway *g = world_find_gateway(w, &to->addr);

    w->stats.ike++;
    if (!carried(w, &from->addr, &to->addr, false) || g == NULL)
        return;
    for (unsigned i = copies(w); i > 0; i--) {
        struct sim_event *event = world_event(w, SIM_EV_IKE, g, delay(w), octets);
        event->from = *from;
        event->to = *to;
    }
}

void network_send_esp(struct world *w, const struct packet *packet)
{
    struct sim_gateway *g = world_find_gateway(w, &packet->outer.dst);

    w->stats.esp++;
    if (!carried(w, &packet->outer.src, &packet->outer.dst, true) || g == NULL)
        return;
    for (unsigned i = copies(w); i > 0; i--) {
        struct sim_event *event = world_event(w, SIM_EV_ESP, g, delay(w),
                                              view_of(packet_data(packet), packet->len));
        event->outer = packet->outer;
    }
}

void network_clear(struct sim_gateway *from, struct view datagram)
{
    struct ip_pair flow;

    if (!network_flow(datagram, &flow))
        world_fail(from->world, "gw%d: a damaged datagram left in clear", from->number);
    from->world->stats.clear++;
}

void network_delivered(struct sim_gateway *g, struct view datagram)
{
    struct ip_pair flow;
    struct world *w = g->world;

    if (!network_flow(datagram, &flow)) {
        world_fail(w, "gw%d: a damaged datagram came out of a tunnel", g->number);
        return;
    }
    struct sim_host *src = world_find_host(w, &flow.src), *dst = world_find_host(w, &flow.dst);
    if (dst == NULL || (dst->gateway != g && dst->also != g))
        world_fail(w, "gw%d: a tunnel delivered a datagram for somebody else's host", g->number);
    else if (src == NULL || src->gateway == g)
        world_fail(w, "gw%d: a tunnel delivered a datagram from an impossible source", g->number);
    w->stats.delivered++;
    w->stats.encrypted++;
}

struct view network_datagram(uint8_t *room, const struct ip_pair *flow, uint32_t serial)
{
    struct ip_header header = {.src = flow->src,
                               .dst = flow->dst,
                               .total_len = SIM_DATAGRAM,
                               .proto = IP_PROTO_UDP,
                               .ttl = 64};
    struct builder b = builder_on(span_of(room, SIM_PACKET));

    builder_fill(&b, 0, ip_header_len(IP_V4));
    ip_header_write(&header, room);
    builder_u16(&b, 1000); /* UDP without a checksum, holding the serial number */
    builder_u16(&b, 2000);
    builder_u16(&b, 12);
    builder_u16(&b, 0);
    builder_u32(&b, serial);
    return builder_written(&b);
}

bool network_flow(struct view datagram, struct ip_pair *ret)
{
    struct ip_header header;

    if (ip_header_parse(datagram, &header) != ERR_OK || header.total_len != SIM_DATAGRAM)
        return false;
    *ret = (struct ip_pair){.src = header.src, .dst = header.dst};
    return true;
}
