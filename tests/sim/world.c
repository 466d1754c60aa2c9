#include "world.h"

#include "keys.h"

#include <malloc.h>
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

void *world_resize(struct world *w, void *old, size_t size)
{
    w->own_octets -= malloc_usable_size(old);
    void *ptr = realloc(old, size);
    if (ptr == NULL)
        abort();
    w->own_octets += malloc_usable_size(ptr);
    return ptr;
}

void world_release(struct world *w, void *old)
{
    w->own_octets -= malloc_usable_size(old);
    free(old);
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
    struct sim_event *event = world_resize(w, NULL, sizeof(*event) + octets.len);
    memset(event, 0, sizeof(*event));
    if (!heap_set(&w->queue, &event->node, queue_key(w->now_us + delay_us, w->order++)))
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
    struct sim_gateway *other = w->gateways[world_random(w, (uint32_t)w->gateway_count)];
    enum oe_class_kind kinds[] = {OE_DENY, OE_ALWAYS_CLEAR, OE_PARANOID};
    g->classes[g->class_count++] = (struct oe_class){
        .kind = kinds[world_random(w, 3)], .destination = ip_prefix_of(&other->hosts[0].addr, 24)};
}

struct private_key *world_key(struct world *w, size_t i)
{
    struct private_key **key = &w->keys[i % SIM_GATEWAYS];

    if (*key == NULL &&
        private_key_from_pem(view_of_text(sim_keys[i % SIM_GATEWAYS]), key) != ERR_OK)
        abort();
    return *key;
}

static struct map_node *find_addr(const struct map *map, const struct ip_addr *addr)
{
    struct sim_addr_key key = {.addr = *addr};
    return map_find(map, &key);
}

struct sim_gateway *world_find_gateway(const struct world *w, const struct ip_addr *addr)
{
    struct map_node *node = find_addr(&w->gateways_by_addr, addr);
    return node != NULL ? MAP_OWNER(node, struct sim_gateway, by_addr) : NULL;
}

struct sim_host *world_find_host(const struct world *w, const struct ip_addr *addr)
{
    struct map_node *node = find_addr(&w->hosts_by_addr, addr);
    return node != NULL ? MAP_OWNER(node, struct sim_host, by_addr) : NULL;
}

struct sim_gateway *world_gateway(struct world *w, struct ip_addr addr)
{
    struct sim_gateway *g = world_resize(w, NULL, sizeof(*g));

    *g = (struct sim_gateway){.world = w,
                              .number = (int)w->gateway_count,
                              .addr = addr,
                              .addr_key = {.addr = addr},
                              .kind = OE_PERMISSIVE};
    g->key = world_key(w, w->gateway_count);
    private_key_public(g->key, &g->public_key);
    if (w->gateway_count == w->gateway_room) {
        w->gateway_room = w->gateway_room ? 2 * w->gateway_room : 16;
        w->gateways = world_resize(w, w->gateways, w->gateway_room * sizeof(struct sim_gateway *));
    }
    w->gateways[w->gateway_count++] = g;
    if (world_find_gateway(w, &addr) == NULL && !map_insert(&w->gateways_by_addr, &g->by_addr))
        abort();
    return g;
}

struct sim_host *world_host(struct sim_gateway *g, size_t i, struct ip_addr addr,
                            enum sim_delegation delegation)
{
    struct world *w = g->world;
    struct sim_host *host = &g->hosts[i];

    *host = (struct sim_host){
        .addr = addr, .gateway = g, .delegation = delegation, .key = {.addr = addr}};
    /* Of two with one address the first is the one that is meant. */
    if (world_find_host(w, &addr) == NULL && !map_insert(&w->hosts_by_addr, &host->by_addr))
        abort();
    return host;
}

static void choose_hosts(struct world *w, struct sim_gateway *g)
{
    for (uint32_t i = 0; i < SIM_HOSTS; i++) {
        struct ip_addr addr = ip_addr_v4(0x0a000000u + ((uint32_t)g->number << 8) + 1 + i);
        bool plain = w->calm || world_chance(w, 500);
        world_host(g, i, addr,
                   plain ? (i == 1 ? SIM_NO_KEY : SIM_GOOD) : world_random(w, SIM_DELEGATIONS));
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

/* The tables' keys are fixed: they decide nothing, and must not use up what the seed yields. */
static void table_fill(void *ctx, uint8_t *ret, size_t len)
{
    (void)ctx;
    for (size_t i = 0; i < len; i++)
        ret[i] = (uint8_t)(0x9d + 0x35 * i);
}

static void init_tables(struct world *w)
{
    struct rng rng = {.fill = table_fill};

    map_init(&w->gateways_by_addr, MAP_KEY_OFFSET(struct sim_gateway, by_addr, addr_key),
             sizeof(struct sim_addr_key), &rng);
    map_init(&w->hosts_by_addr, MAP_KEY_OFFSET(struct sim_host, by_addr, key),
             sizeof(struct sim_addr_key), &rng);
    map_init(&w->sas, MAP_KEY_OFFSET(struct sim_sa, by_key, key), sizeof(struct sim_sa_key), &rng);
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
    init_tables(w);
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
        choose_classes(w, w->gateways[i]);
        w->gateways[i]->control_config.oe.return_tunnel = (enum oe_return)((seed + i) % 4);
        w->gateways[i]->control_config.oe.ike_version = (enum ike_version)((seed / 4 + i) % 3);
        w->gateways[i]->control_config.ike.work_elsewhere = (seed + i) % 3 != 0;
        gateway_start(w->gateways[i]);
    }
    for (unsigned i = 0; i < w->faults.crashes; i++) {
        struct sim_gateway *g = w->gateways[world_random(w, (uint32_t)w->gateway_count)];
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
    struct map_node *sa;

    for (size_t i = 0; i < w->gateway_count; i++) {
        gateway_stop(w->gateways[i]);
        world_release(w, w->gateways[i]);
    }
    world_release(w, w->gateways);
    while ((node = heap_pop_due(&w->queue, MONO_NEVER)) != NULL)
        world_release(w, HEAP_OWNER(node, struct sim_event, node));
    heap_fini(&w->queue);
    heap_fini(&w->timers);
    while ((sa = map_first(&w->sas)) != NULL) {
        map_remove(&w->sas, sa);
        world_release(w, MAP_OWNER(sa, struct sim_sa, by_key));
    }
    map_fini(&w->sas);
    map_fini(&w->gateways_by_addr);
    map_fini(&w->hosts_by_addr);
    for (size_t i = 0; i < SIM_GATEWAYS; i++)
        private_key_free(w->keys[i]);
}

static int64_t next_us(const struct world *w)
{
    mono_t at = mono_min(heap_next(&w->queue), heap_next(&w->timers));
    return at.ms >> ORDER_BITS; /* far away, if there is none */
}

/* Those due at the same moment go in the order of their numbers. */
void gateway_arm(struct sim_gateway *g)
{
    int64_t at = gateway_deadline_us(g);
    mono_t key = at == INT64_MAX ? MONO_NEVER : queue_key(at, (uint32_t)g->number);

    if (!heap_set(&g->world->timers, &g->timer, key))
        abort();
}

static void run_event(struct world *w)
{
    struct heap_node *node = heap_pop_due(&w->queue, queue_key(w->now_us, ORDER_MASK));

    if (node == NULL)
        return;
    struct sim_event *event = HEAP_OWNER(node, struct sim_event, node);
    if (event->kind != SIM_EV_CALL) {
        gateway_event(event->gateway, event);
        gateway_arm(event->gateway);
    } else if (w->hooks.call != NULL) {
        w->hooks.call(w->hooks.ctx, event);
    }
    w->stats.events++;
    world_release(w, event);
}

static void run_timers(struct world *w)
{
    struct heap_node *node;

    while ((node = heap_pop_due(&w->timers, queue_key(w->now_us, ORDER_MASK))) != NULL) {
        struct sim_gateway *g = HEAP_OWNER(node, struct sim_gateway, timer);
        gateway_timers(g);
        gateway_arm(g);
        w->stats.timers++;
        if (g->timer.index != 0 && mono_reached(queue_key(w->now_us, ORDER_MASK), g->timer.at))
            break; /* due again at once: events first */
    }
}

static void sweep(struct world *w)
{
    if (w->now_us - w->swept_us < w->sweep_us)
        return;
    w->swept_us = w->now_us;
    for (size_t i = 0; i < w->gateway_count; i++)
        check_deadlines(w->gateways[i]);
    check_forget(w);
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
        run_event(w);
        run_timers(w);
        sweep(w);
    }
    if (!w->failed && w->now_us < until_us)
        w->now_us = until_us;
}
