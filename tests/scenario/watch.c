/* What the simulator asks and tells: every packet, question and record is noted here. */
#include "scenario.h"

#include "base/cursor.h"

#include <stdio.h>
#include <stdlib.h>

enum { SERIAL_AT = 28, WANTS_REPLY = 1u << 31, HOST_US = 1000 };

static void *note(struct notes *notes, size_t size)
{
    if (notes->count == notes->room) {
        notes->room = notes->room ? 2 * notes->room : 64;
        notes->items = realloc(notes->items, notes->room * size);
        if (notes->items == NULL)
            abort();
    }
    return (char *)notes->items + size * notes->count++;
}

static struct scenario_gateway *watched(struct scenario *s, const struct sim_gateway *g)
{
    return &s->gateways[g->number];
}

static void on_record(void *ctx, struct sim_gateway *g, const struct event_record *record)
{
    struct scenario *s = ctx;
    struct note_record *noted = note(&watched(s, g)->records, sizeof(*noted));
    *noted = (struct note_record){.at_us = scenario_now(s), .record = *record};
}

/* Whose reverse map the question is about may make it slow. */
static int64_t slowness(const struct scenario *s, const char *name)
{
    char reverse[IP_REVERSE_TEXT_MAX];

    for (size_t i = 0; i < s->host_count; i++)
        if (s->hosts[i].dns_us >= 0 &&
            strcmp(ip_addr_reverse(&s->hosts[i].host->addr, reverse), name) == 0)
            return s->hosts[i].dns_us;
    for (size_t i = 0; i < s->world.gateway_count; i++)
        if (s->gateways[i].dns_us >= 0 &&
            strcmp(ip_addr_reverse(&s->gateways[i].g->addr, reverse), name) == 0)
            return s->gateways[i].dns_us;
    return s->world.pace.dns_us;
}

static int64_t on_question(void *ctx, struct sim_gateway *g, uint16_t type, const char *name)
{
    struct scenario *s = ctx;
    struct note_query *noted = note(&watched(s, g)->queries, sizeof(*noted));

    noted->type = type;
    snprintf(noted->name, sizeof(noted->name), "%s", name);
    return s->dns == DNS_IS_SILENT ? -1 : slowness(s, name);
}

static struct scenario_gateway *at_address(struct scenario *s, const struct ip_addr *addr)
{
    struct sim_gateway *g = world_find_gateway(&s->world, addr);
    return g != NULL ? watched(s, g) : NULL;
}

static bool on_packet(void *ctx, const struct ip_addr *from, const struct ip_addr *to, bool esp)
{
    struct scenario *s = ctx;
    struct scenario_gateway *sender = at_address(s, from), *receiver = at_address(s, to);

    if (sender == NULL) {
        world_fail(&s->world, "a packet from an address that is no gateway's");
        return false;
    }
    if (esp)
        sender->esp++;
    else
        sender->ike++;
    return !sender->cut && (receiver == NULL || !receiver->cut);
}

void watch_send(struct scenario *s, struct sim_gateway *from, const struct ip_pair *flow,
                int64_t delay_us, bool wants_reply)
{
    uint8_t room[SIM_PACKET];
    uint32_t serial = ++s->datagrams | (wants_reply ? WANTS_REPLY : 0);
    struct sim_event *event =
        world_event(&s->world, SIM_EV_SEND, from, delay_us, network_datagram(room, flow, serial));
    event->flow = *flow;
}

static uint32_t serial_of(struct view datagram)
{
    struct cursor cur = cursor_of(datagram);
    cursor_skip(&cur, SERIAL_AT);
    return cursor_u32(&cur);
}

/* At its host, which answers a ping. */
static void reaches_host(struct scenario *s, struct view datagram)
{
    struct ip_pair flow;
    uint32_t serial = serial_of(datagram);

    if (!network_flow(datagram, &flow))
        return;
    for (size_t i = 0; i < s->host_count; i++) {
        struct scenario_host *host = &s->hosts[i];
        if (!ip_addr_equal(&host->host->addr, &flow.dst))
            continue;
        *(uint32_t *)note(&host->got, sizeof(uint32_t)) = serial & ~WANTS_REPLY;
        struct ip_pair back = ip_pair_reverse(&flow);
        if (serial & WANTS_REPLY)
            watch_send(s, host->host->gateway, &back, HOST_US, false);
    }
}

static void on_delivered(void *ctx, struct sim_gateway *g, struct view datagram)
{
    (void)g;
    reaches_host(ctx, datagram);
}

/* The public network carries it to its host, past the other gateway's plane. */
static void on_clear(void *ctx, struct sim_gateway *g, struct view datagram)
{
    struct scenario *s = ctx;
    struct ip_pair flow;

    watched(s, g)->clear++;
    if (!network_flow(datagram, &flow))
        return;
    struct sim_host *host = world_find_host(&s->world, &flow.dst);
    if (host != NULL)
        world_event(&s->world, SIM_EV_CLEAR, host->gateway, s->world.pace.wire_us, datagram);
}

static void on_arrived(void *ctx, struct sim_gateway *g, struct view datagram)
{
    (void)g;
    reaches_host(ctx, datagram);
}

void watch_start(struct scenario *s)
{
    s->world.hooks = (struct sim_hooks){
        .ctx = s,
        .record = on_record,
        .answer_us = on_question,
        .carry = on_packet,
        .clear = on_clear,
        .delivered = on_delivered,
        .arrived = on_arrived,
    };
}

void watch_mark(struct scenario *s)
{
    for (size_t i = 0; i < s->world.gateway_count; i++) {
        struct scenario_gateway *gw = &s->gateways[i];
        gw->ike = gw->esp = gw->clear = 0;
        gw->queries.count = gw->records.count = 0;
    }
    for (size_t i = 0; i < s->host_count; i++)
        s->hosts[i].got.count = 0;
}

void watch_fini(struct scenario *s)
{
    for (size_t i = 0; i < s->world.gateway_count; i++) {
        free(s->gateways[i].queries.items);
        free(s->gateways[i].records.items);
    }
    for (size_t i = 0; i < s->host_count; i++)
        free(s->hosts[i].got.items);
}
