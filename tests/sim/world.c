#include "world.h"

#include "keys.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

/* xoshiro256**: only to choose what happens; nothing here is secret. */
static uint64_t rotate(uint64_t x, int k)
{
    return x << k | x >> (64 - k);
}

static uint64_t world_u64(struct world *w)
{
    uint64_t *s = w->state, result = rotate(s[1] * 5, 7) * 9, t = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotate(s[3], 45);
    return result;
}

static void world_seed(struct world *w, uint64_t seed)
{
    for (int i = 0; i < 4; i++) { /* splitmix64 */
        uint64_t z = seed += 0x9e3779b97f4a7c15;
        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
        z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
        w->state[i] = z ^ (z >> 31);
    }
}

uint32_t world_random(struct world *w, uint32_t below)
{
    return below != 0 ? (uint32_t)(world_u64(w) >> 32) % below : 0;
}

bool world_chance(struct world *w, unsigned permille)
{
    return world_random(w, 1000) < permille;
}

static void world_fill(void *ctx, uint8_t *ret, size_t len)
{
    for (size_t i = 0; i < len; i++)
        ret[i] = (uint8_t)(world_u64(ctx) >> 56);
}

struct rng world_rng(struct world *w)
{
    return (struct rng){.fill = world_fill, .ctx = w};
}

mono_t world_now(const struct world *w)
{
    return (mono_t){w->now_us / 1000};
}

void world_fail(struct world *w, const char *format, ...)
{
    va_list args;

    if (w->failed)
        return;
    w->failed = true;
    va_start(args, format);
    vsnprintf(w->failure, sizeof(w->failure), format, args);
    va_end(args);
}

/* Events of the same microsecond come in the order in which they were made. */
enum { ORDER_BITS = 20, ORDER_MASK = (1 << ORDER_BITS) - 1 };

static mono_t queue_key(int64_t at_us, uint32_t order)
{
    return (mono_t){at_us << ORDER_BITS | (order & ORDER_MASK)};
}

struct sim_event *world_event(struct world *w, enum sim_event_kind kind, struct sim_gateway *g,
                              int64_t delay_us, struct view octets)
{
    struct sim_event *event = calloc(1, sizeof(*event) + octets.len);
    if (event == NULL ||
        !heap_set(&w->queue, &event->node, queue_key(w->now_us + delay_us, w->order++)))
        abort();
    event->kind = kind;
    event->gateway = g;
    event->len = octets.len;
    if (octets.len != 0)
        memcpy(event->octets, octets.ptr, octets.len);
    return event;
}

static void choose_classes(struct world *w, struct sim_gateway *g)
{
    struct ip_addr any4 = ip_addr_v4(0);
    g->kind = world_chance(w, 300) && !w->calm ? OE_PARANOID : OE_PERMISSIVE;
    g->classes[0] = (struct oe_class){.kind = g->kind, .destination = ip_prefix_of(&any4, 0)};
    g->class_count = 1;
    if (w->calm || world_chance(w, 500))
        return;
    struct sim_gateway *other = &w->gateways[world_random(w, (uint32_t)w->gateway_count)];
    enum oe_class_kind kinds[] = {OE_DENY, OE_ALWAYS_CLEAR, OE_PARANOID};
    g->classes[g->class_count++] = (struct oe_class){
        .kind = kinds[world_random(w, 3)], .destination = ip_prefix_of(&other->hosts[0].addr, 24)};
}

struct sim_gateway *world_gateway(struct world *w, struct ip_addr addr)
{
    struct sim_gateway *g = &w->gateways[w->gateway_count];

    *g = (struct sim_gateway){
        .world = w, .number = (int)w->gateway_count, .addr = addr, .kind = OE_PERMISSIVE};
    if (private_key_from_pem(view_of_text(sim_keys[w->gateway_count]), &g->key) != ERR_OK)
        abort();
    private_key_public(g->key, &g->public_key);
    w->gateway_count++;
    return g;
}

static void choose_hosts(struct world *w, struct sim_gateway *g)
{
    for (int i = 0; i < SIM_HOSTS; i++) {
        struct sim_host *host = &g->hosts[i];
        host->gateway = g;
        host->addr = ip_addr_v4(0x0a000000u + ((uint32_t)g->number << 8) + 1 + (uint32_t)i);
        bool plain = w->calm || world_chance(w, 500);
        host->delegation =
            plain ? (i == 1 ? SIM_NO_KEY : SIM_GOOD) : world_random(w, SIM_DELEGATIONS);
    }
}

static void choose_faults(struct world *w)
{
    if (w->calm) {
        w->faults.crashes = world_random(w, 3); /* of keyd, which nobody may notice */
        return;
    }
    w->faults = (struct sim_faults){
        .loss = world_random(w, 4) ? world_random(w, 200) : 0,
        .repeat = world_random(w, 100),
        .reorder = world_random(w, 300),
        .dns_silence = world_random(w, 3) ? 0 : world_random(w, 300),
        .dns_servfail = world_random(w, 3) ? 0 : world_random(w, 300),
        .crashes = world_random(w, 3),
    };
}

void world_blank(struct world *w, uint64_t seed, bool verbose)
{
    *w = (struct world){
        .seed = seed,
        .verbose = verbose,
        .now_us = 1000000,
        .silent = ip_addr_v4(0xc00101fe),
        .pace = {.wire_us = 5000, .dns_us = 3000, .restart_us = 300000},
        .ttl_s = 300,
    };
    world_seed(w, seed);
}

void world_init(struct world *w, uint64_t seed, bool verbose)
{
    world_blank(w, seed, verbose);
    w->pace.wire_jitter_us = 2000;
    w->pace.dns_jitter_us = 30000;
    w->calm = world_chance(w, 250);
    unsigned gateways = 2 + world_random(w, SIM_GATEWAYS - 1);
    choose_faults(w);
    for (unsigned i = 0; i < gateways; i++) /* 192.1.1.4 ... */
        choose_hosts(w, world_gateway(w, ip_addr_v4(0xc0010104u + i)));
    for (size_t i = 0; i < w->gateway_count; i++) {
        choose_classes(w, &w->gateways[i]);
        w->gateways[i].control_config.oe.return_tunnel = (enum oe_return)((seed + i) % 4);
        gateway_start(&w->gateways[i]);
    }
    for (unsigned i = 0; i < w->faults.crashes; i++) {
        struct sim_gateway *g = &w->gateways[world_random(w, (uint32_t)w->gateway_count)];
        int64_t when = (int64_t)world_random(w, 100000) * 1000;
        uint32_t which = w->calm ? 0 : world_random(w, 10);
        world_event(w,
                    which < 6   ? SIM_EV_CRASH_KEYD
                    : which < 9 ? SIM_EV_CRASH_PLANE
                                : SIM_EV_REBOOT,
                    g, when, view_of(NULL, 0));
    }
}

void world_fini(struct world *w)
{
    struct heap_node *node;

    for (size_t i = 0; i < w->gateway_count; i++)
        gateway_stop(&w->gateways[i]);
    while ((node = heap_pop_due(&w->queue, MONO_NEVER)) != NULL)
        free(HEAP_OWNER(node, struct sim_event, node));
    heap_fini(&w->queue);
    while (w->sas != NULL) {
        struct sim_sa *sa = w->sas;
        w->sas = sa->next;
        free(sa);
    }
}

static int64_t next_us(const struct world *w)
{
    int64_t at = heap_next(&w->queue).ms >> ORDER_BITS; /* far away, if there is none */
    for (size_t i = 0; i < w->gateway_count; i++) {
        int64_t deadline = gateway_deadline_us(&w->gateways[i]);
        if (deadline < at)
            at = deadline;
    }
    return at;
}

void world_run(struct world *w, int64_t until_us)
{
    int64_t stuck_at = -1;
    unsigned rounds = 0;

    while (!w->failed) {
        int64_t at = next_us(w);
        if (at > until_us)
            break;
        if (at > w->now_us)
            w->now_us = at;
        if (w->now_us != stuck_at)
            rounds = 0;
        stuck_at = w->now_us;
        if (++rounds > 100000)
            world_fail(w, "time stands still: a deadline that is never met");
        struct heap_node *node = heap_pop_due(&w->queue, queue_key(w->now_us, ORDER_MASK));
        if (node != NULL) {
            struct sim_event *event = HEAP_OWNER(node, struct sim_event, node);
            gateway_event(event->gateway, event);
            free(event);
        }
        for (size_t i = 0; i < w->gateway_count; i++)
            gateway_timers(&w->gateways[i]);
        check_deadlines(w);
    }
    if (!w->failed && w->now_us < until_us)
        w->now_us = until_us;
}
