#include "gateways.h"

#include <stdio.h>
#include <stdlib.h>

enum { PENDING_MOST = 200, IKE_SAS_MOST = 200, EVENTS_MOST = 100000 };

uint8_t input_u8(struct fuzz_input *in)
{
    if (in->left == 0)
        return 0;
    in->left--;
    return *in->at++;
}

uint16_t input_u16(struct fuzz_input *in)
{
    uint8_t high = input_u8(in);
    return (uint16_t)(high << 8 | input_u8(in));
}

struct view input_bytes(struct fuzz_input *in, size_t most)
{
    struct view bytes = view_of(in->at, in->left < most ? in->left : most);
    in->at += bytes.len;
    in->left -= bytes.len;
    return bytes;
}

static void set_hosts(struct sim_gateway *g, enum sim_delegation second, enum sim_delegation third)
{
    const enum sim_delegation delegations[SIM_HOSTS] = {SIM_GOOD, second, third};
    for (uint32_t i = 0; i < SIM_HOSTS; i++)
        world_host(g, i, ip_addr_v4(0x0a000001u + ((uint32_t)g->number << 8) + i),
                   delegations[i]);
}

void gateways_open(struct world *w, enum ike_version version)
{
    world_blank(w, 1, getenv("FUZZ_VERBOSE") != NULL);
    for (uint32_t i = 0; i < GATEWAYS; i++)
        world_gateway(w, ip_addr_v4(0xc0010104u + i));
    set_hosts(w->gateways[GATEWAY_SUBJECT], SIM_NO_KEY, SIM_GOOD);
    set_hosts(w->gateways[GATEWAY_PEER], SIM_WRONG_KEY, SIM_ABSENT);
    set_hosts(w->gateways[GATEWAY_STRANGER], SIM_MALFORMED, SIM_TWO);
    w->gateways[GATEWAY_SUBJECT]->kind = OE_PARANOID;
    for (size_t i = 0; i < GATEWAYS; i++) {
        w->gateways[i]->control_config.oe.ike_version = version;
        gateway_start(w->gateways[i]);
    }
}

void gateways_send(struct world *w, unsigned via, const struct sim_host *from,
                   const struct sim_host *to)
{
    uint8_t room[SIM_PACKET];
    struct ip_pair flow = {.src = from->addr, .dst = to->addr};
    struct sim_event *event = world_event(w, SIM_EV_SEND, w->gateways[via], 0,
                                          network_datagram(room, &flow, (uint32_t)w->stats.sent));
    event->flow = flow;
}

static void check_bounds(struct world *w)
{
    struct ike_sa_info sa;
    const struct control *control = w->gateways[GATEWAY_SUBJECT]->control;

    if (control == NULL)
        return;
    if (control_pending(control) > PENDING_MOST)
        world_fail(w, "%zu requests to the plane are pending", control_pending(control));
    if (ike_sa_info(control_ike(control), IKE_SAS_MOST, &sa))
        world_fail(w, "more than %d IKE SAs", IKE_SAS_MOST);
    if (w->queue.count > EVENTS_MOST)
        world_fail(w, "%zu packets and messages are on their way", w->queue.count);
}

static void abort_if_failed(const struct world *w)
{
    if (!w->failed)
        return;
    fprintf(stderr, "at %.3f s: %s\n", (double)w->now_us / 1e6, w->failure);
    abort();
}

void gateways_run(struct world *w, int64_t us)
{
    world_run(w, w->now_us + us);
    check_bounds(w);
    abort_if_failed(w);
}

void gateways_end(struct world *w)
{
    gateways_run(w, INT64_C(5) * 3600 * 1000000);
    check_quiet(w);
    abort_if_failed(w);
}

struct sim_event *gateways_event(struct world *w, unsigned index, unsigned kinds)
{
    for (size_t i = 0; i < w->queue.count; i++) {
        struct heap_node *node = w->queue.nodes[(index + i) % w->queue.count];
        struct sim_event *event = HEAP_OWNER(node, struct sim_event, node);
        if ((kinds >> event->kind & 1) != 0)
            return event;
    }
    return NULL;
}

void gateways_forget(struct world *w, struct sim_event *event)
{
    heap_remove(&w->queue, &event->node);
    free(event);
}

struct sim_event *gateways_repeat(struct world *w, const struct sim_event *event, int64_t delay_us)
{
    struct sim_event *copy =
        world_event(w, event->kind, event->gateway, delay_us, view_of(event->octets, event->len));
    copy->life = event->life;
    copy->from = event->from;
    copy->to = event->to;
    copy->outer = event->outer;
    copy->flow = event->flow;
    copy->serial = event->serial;
    copy->type = event->type;
    memcpy(copy->name, event->name, sizeof(copy->name));
    return copy;
}
