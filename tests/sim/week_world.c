/* A week's world: its gateways and hosts, and what the simulator asks and tells. */
#include "week.h"

#include <stdio.h>

enum {
    NET_HOSTS = 0x0a000000,    /* 10.0.0.0/8, 256 addresses behind each gateway */
    NET_GATEWAYS = 0xc0120001, /* 192.18.0.1 and up */
    SILENT = 0xcb007101,       /* 203.0.113.1 */
    SWEEP_S = 120,
    QUIET_S = 5 * 3600,
};

void week_call(struct week *week, enum week_call call, struct sim_gateway *g, uint64_t serial,
               int64_t delay_us)
{
    struct sim_event *event = world_event(&week->world, SIM_EV_CALL, g, delay_us, view_of(NULL, 0));
    event->type = (uint16_t)call;
    event->serial = serial;
}

int64_t week_time(struct week *week, uint32_t low_s, uint32_t high_s)
{
    return 1000 * (int64_t)(1000 * low_s + world_random(&week->world, 1000 * (high_s - low_s)));
}

struct week_gateway *week_gateway(struct week *week, const struct sim_gateway *g)
{
    return &week->gateways[g->number];
}

/* --- hooks ----------------------------------------------------------------------------------- */

static void on_call(void *ctx, struct sim_event *event)
{
    struct week *week = ctx;

    switch (event->type) {
    case WEEK_ARRIVAL:
    case WEEK_TALK:
    case WEEK_FORGET:
        traffic_call(week, event);
        break;
    case WEEK_HOUR:
        rules_hour(week);
        if (week->world.now_us < week->ends_us)
            week_call(week, WEEK_HOUR, NULL, 0, WEEK_HOUR_US);
        break;
    default:
        faults_call(week, event);
        break;
    }
}

static void print_record(struct week *week, const struct event_record *record)
{
    char flow[IP_PAIR_TEXT_MAX] = "";

    if (record->flow.src.family != IP_NONE)
        ip_pair_format(&record->flow, flow);
    printf("%12.3f %-4s %-44s %s | %s\n", (double)(week->world.now_us - week->world.epoch_us) / 1e6,
           record->label, record->title, flow, record->detail);
}

static void on_record(void *ctx, struct sim_gateway *g, const struct event_record *record)
{
    struct week *week = ctx;
    struct week_counts *counts = &week->counts;

    if (g->number == week->config.watch)
        print_record(week, record);
    if (record->room != EVENT_OE)
        return;
    if (strcmp(record->title, "Keyed -> Pending OE") == 0)
        counts->rekeys++;
    else if (strcmp(record->title, "Expiring -> Pending OE") == 0)
        counts->upgrades++;
    else if (strncmp(record->title, "Pending OE -> Clear", 19) == 0 ||
             strncmp(record->title, "Pending OE -> Deny", 18) == 0)
        counts->failures++;
}

static int64_t on_question(void *ctx, struct sim_gateway *g, uint16_t type, const char *name)
{
    struct week *week = ctx;
    const struct sim_pace *pace = &week->world.pace;

    (void)g, (void)type, (void)name;
    if (week->dns_down)
        return -1;
    return pace->dns_us + world_random(&week->world, pace->dns_jitter_us);
}

static void on_answer(void *ctx, struct sim_gateway *g, struct dns_answer *answer)
{
    struct week *week = ctx;

    if (week_gateway(week, g)->dns_back_us <= week->world.now_us)
        return;
    *answer = (struct dns_answer){.status = DNS_TIMEOUT};
    snprintf(answer->why, sizeof(answer->why), "the resolver is away");
}

static bool on_carry(void *ctx, const struct ip_addr *from, const struct ip_addr *to, bool esp)
{
    (void)esp;
    return faults_carry(ctx, from, to);
}

static void on_clear(void *ctx, struct sim_gateway *g, struct view datagram)
{
    const struct week_session *session = traffic_arrived(ctx, datagram, false);

    if (session != NULL)
        rules_clear(ctx, g, session);
}

static void on_delivered(void *ctx, struct sim_gateway *g, struct view datagram)
{
    struct ip_pair flow;

    if (network_flow(datagram, &flow))
        rules_delivered(ctx, g, &flow);
    traffic_arrived(ctx, datagram, true);
}

/* --- the world ----------------------------------------------------------------------------------
 */

/* A few delegations are wrong for ever, if there are faults at all. */
static enum sim_delegation choose_delegation(struct week *week, uint32_t i)
{
    static const enum sim_delegation odd[] = {SIM_MALFORMED, SIM_BOGUS, SIM_SILENT, SIM_TWO,
                                              SIM_UNSIGNED};

    if (week->config.faults && world_chance(&week->world, 30))
        return odd[world_random(&week->world, sizeof(odd) / sizeof(odd[0]))];
    return i == 1 ? SIM_NO_KEY : SIM_GOOD;
}

static void add_gateway(struct week *week, uint32_t number)
{
    struct world *w = &week->world;
    struct week_gateway *wg = &week->gateways[number];
    struct sim_gateway *g = world_gateway(w, ip_addr_v4(NET_GATEWAYS + number));
    struct ip_addr any4 = ip_addr_v4(0);

    *wg = (struct week_gateway){.g = g, .steady_us = w->now_us};
    if (week->config.faults && world_chance(w, 50))
        g->kind = OE_PARANOID;
    g->classes[0] = (struct oe_class){.kind = g->kind, .destination = ip_prefix_of(&any4, 0)};
    g->class_count = 1;
    g->off = true;
    for (uint32_t i = 0; i < SIM_HOSTS; i++) {
        wg->hosts[i] =
            (struct week_host){.natural = choose_delegation(week, i), .since_us = w->now_us};
        world_host(g, i, ip_addr_v4(NET_HOSTS + (number << 8) + 1 + i), SIM_ABSENT);
    }
}

/* Exactly so many are on, anywhere. */
static void enable(struct week *week)
{
    unsigned left = week->config.gateways;
    unsigned wanted = (left * week->config.enabled + 50) / 100;

    for (unsigned i = 0; i < week->config.gateways; i++, left--) {
        struct week_gateway *wg = &week->gateways[i];
        if (world_random(&week->world, left) >= wanted)
            continue;
        wanted--;
        wg->on = true;
        gateway_start(wg->g);
        faults_publish(week, wg);
    }
}

void week_open(struct week *week, const struct week_config *config)
{
    struct world *w = &week->world;

    *week = (struct week){.config = *config};
    world_blank(w, config->seed, false);
    w->epoch_us = w->now_us;
    w->silent = ip_addr_v4(SILENT);
    w->pace = (struct sim_pace){.wire_us = 5000,
                                .wire_jitter_us = 20000,
                                .dns_us = 3000,
                                .dns_jitter_us = 60000,
                                .restart_us = 300000,
                                .boot_us = 60000000};
    w->ttl_s = WEEK_TTL_S;
    w->sweep_us = SWEEP_S * WEEK_SECOND_US;
    w->hooks = (struct sim_hooks){.ctx = week,
                                  .record = on_record,
                                  .answer_us = on_question,
                                  .answer = on_answer,
                                  .carry = on_carry,
                                  .clear = on_clear,
                                  .delivered = on_delivered,
                                  .call = on_call};
    week->ends_us = w->epoch_us + config->days * WEEK_DAY_US;
    week->gateways = world_resize(w, NULL, config->gateways * sizeof(*week->gateways));
    for (uint32_t i = 0; i < config->gateways; i++)
        add_gateway(week, i);
    enable(week);
    week->idle_octets = cost_engines(w);
    traffic_start(week);
    if (config->faults)
        faults_start(week);
    week_call(week, WEEK_HOUR, NULL, 0, WEEK_HOUR_US);
}

void week_run(struct week *week)
{
    struct world *w = &week->world;

    world_run(w, week->ends_us);
    world_run(w, w->now_us + QUIET_S * WEEK_SECOND_US);
    check_quiet(w);
    rules_end(week);
}

void week_close(struct week *week)
{
    traffic_fini(week);
    world_release(&week->world, week->gateways);
    world_fini(&week->world);
}
