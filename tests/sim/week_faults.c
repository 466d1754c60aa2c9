/*
 * What goes wrong, and what changes, in a week: each kind strikes a gateway chosen at random so
 * often that every gateway has its share.
 */
#include "week.h"

enum { CLOSING_S = 45 /* for three Deletes, 10 s apart */, HONOURED_S = WEEK_TTL_S + 120 };

static void no_sooner(int64_t *moment_us, int64_t us)
{
    if (*moment_us < us)
        *moment_us = us;
}

static void unsteady(struct week *week, struct week_gateway *wg, int64_t for_us)
{
    no_sooner(&wg->steady_us, week->world.now_us + for_us);
}

/* --- delegations -------------------------------------------------------------------------- */

void faults_publish(struct week *week, struct week_gateway *wg)
{
    struct world *w = &week->world;

    for (size_t i = 0; i < SIM_HOSTS; i++) {
        struct sim_host *host = &wg->g->hosts[i];
        bool there = wg->on && !wg->hosts[i].withdrawn;
        enum sim_delegation now = there ? wg->hosts[i].natural : SIM_ABSENT;
        if (now == host->delegation)
            continue;
        if (!there)
            host->honoured_until_us = w->now_us + HONOURED_S * WEEK_SECOND_US;
        host->delegation = now;
        wg->hosts[i].since_us = w->now_us;
    }
}

static void withdraw(struct week *week, struct week_gateway *wg)
{
    uint32_t i = world_random(&week->world, SIM_HOSTS);

    if (!wg->on || wg->hosts[i].withdrawn)
        return;
    week->counts.withdrawals++;
    wg->hosts[i].withdrawn = true;
    faults_publish(week, wg);
    week_call(week, WEEK_RETURN, wg->g, i, week_time(week, 3600, 24 * 3600));
}

static void give_back(struct week *week, struct week_gateway *wg, uint64_t i)
{
    wg->hosts[i].withdrawn = false;
    faults_publish(week, wg);
}

/* --- on and off ----------------------------------------------------------------------------- */

static void switch_on(struct week *week, struct week_gateway *wg)
{
    wg->on = true;
    gateway_start(wg->g);
    faults_publish(week, wg);
    unsteady(week, wg, 0);
}

static void switch_off(struct week *week, struct week_gateway *wg)
{
    struct world *w = &week->world;

    wg->on = false;
    wg->closing = true;
    faults_publish(week, wg);
    world_event(w, SIM_EV_SHUTDOWN, wg->g, 0, view_of(NULL, 0));
    world_event(w, SIM_EV_SWITCH_OFF, wg->g, CLOSING_S * WEEK_SECOND_US, view_of(NULL, 0));
    week_call(week, WEEK_OFF, wg->g, 0, CLOSING_S * WEEK_SECOND_US);
}

/* One goes on for every one that goes off, so that the share of those enabled stays. */
static void change_places(struct week *week, struct week_gateway *wg)
{
    struct week_gateway *other = &week->gateways[world_random(&week->world, week->config.gateways)];

    if (wg->on == other->on || wg->closing || other->closing)
        return;
    struct week_gateway *goes = wg->on ? wg : other;
    week->counts.switches++;
    switch_on(week, goes == wg ? other : wg);
    switch_off(week, goes);
}

/* --- keys ------------------------------------------------------------------------------------- */

enum { ROLL_SIGN, ROLL_WITHDRAW };

/* The new key is published, then used, then the old one is withdrawn; each when all have seen it.
 */
static void roll_over(struct week *week, struct week_gateway *wg)
{
    struct sim_gateway *g = wg->g;

    if (!wg->on || wg->rolling)
        return;
    week->counts.rollovers++;
    wg->rolling = true;
    private_key_public(world_key(&week->world, (size_t)g->number + week->counts.rollovers),
                       &g->also);
    week_call(week, WEEK_ROLL, g, ROLL_SIGN << 16 | week->counts.rollovers,
              2 * WEEK_TTL_S * WEEK_SECOND_US);
}

static void roll_on(struct week *week, struct week_gateway *wg, uint64_t step)
{
    struct sim_gateway *g = wg->g;
    uint64_t number = step & 0xffff;

    if (step >> 16 == ROLL_WITHDRAW) {
        g->also = (struct public_key){0};
        wg->rolling = false;
        return;
    }
    g->key = world_key(&week->world, (size_t)g->number + number);
    g->also = g->public_key;
    private_key_public(g->key, &g->public_key);
    week_call(week, WEEK_ROLL, g, ROLL_WITHDRAW << 16 | number, 2 * WEEK_TTL_S * WEEK_SECOND_US);
}

/* --- crashes and outages ------------------------------------------------------------------------
 */

static void crash_keyd(struct week *week, struct week_gateway *wg)
{
    if (!wg->on)
        return;
    week->counts.keyd_crashes++;
    unsteady(week, wg, WEEK_MINUTE_US);
    world_event(&week->world, SIM_EV_CRASH_KEYD, wg->g, 0, view_of(NULL, 0));
}

static void crash_plane(struct week *week, struct week_gateway *wg)
{
    if (!wg->on)
        return;
    week->counts.plane_crashes++;
    unsteady(week, wg, WEEK_MINUTE_US);
    world_event(&week->world, SIM_EV_CRASH_PLANE, wg->g, 0, view_of(NULL, 0));
}

static void reboot(struct week *week, struct week_gateway *wg)
{
    if (!wg->on)
        return;
    week->counts.reboots++;
    unsteady(week, wg, 2 * WEEK_MINUTE_US);
    world_event(&week->world, SIM_EV_REBOOT, wg->g, 0, view_of(NULL, 0));
}

static void cut(struct week *week, struct week_gateway *wg)
{
    int64_t for_us = week_time(week, 60, 1800);

    week->counts.cuts++;
    no_sooner(&wg->line_back_us, week->world.now_us + for_us);
    unsteady(week, wg, for_us);
}

bool faults_carry(struct week *week, const struct ip_addr *from, const struct ip_addr *to)
{
    const struct ip_addr *ends[] = {from, to};

    for (size_t i = 0; i < 2; i++) {
        const struct sim_gateway *g = world_find_gateway(&week->world, ends[i]);
        if (g != NULL && week_gateway(week, g)->line_back_us > week->world.now_us)
            return false;
    }
    return true;
}

static void lose_resolver(struct week *week, struct week_gateway *wg)
{
    int64_t for_us = week_time(week, 120, 7200);

    week->counts.dns_local++;
    no_sooner(&wg->dns_back_us, week->world.now_us + for_us);
    unsteady(week, wg, for_us);
}

static void lose_dns(struct week *week, struct week_gateway *wg)
{
    int64_t for_us = week_time(week, 300, 3600);

    (void)wg;
    if (week->dns_down)
        return;
    week->counts.dns_global++;
    week->dns_down = true;
    no_sooner(&week->steady_us, week->world.now_us + for_us);
    week_call(week, WEEK_OVER, NULL, true, for_us);
}

enum { LOSS = 10, STORM_LOSS = 150 };

static void storm(struct week *week, struct week_gateway *wg)
{
    int64_t for_us = week_time(week, 1800, 7200);

    (void)wg;
    if (week->world.faults.loss != LOSS)
        return;
    week->counts.storms++;
    week->world.faults.loss = STORM_LOSS;
    no_sooner(&week->steady_us, week->world.now_us + for_us);
    week_call(week, WEEK_OVER, NULL, false, for_us);
}

static void over(struct week *week, bool dns)
{
    if (dns)
        week->dns_down = false;
    else
        week->world.faults.loss = LOSS;
}

/* --- how often
 * ------------------------------------------------------------------------------------ */

static const struct {
    void (*strike)(struct week *week, struct week_gateway *wg);
    unsigned hours; /* between two, at one gateway or in the whole world */
    bool world;
} kinds[] = {
    {crash_keyd, 7 * 24, false}, {crash_plane, 14 * 24, false},   {reboot, 14 * 24, false},
    {cut, 14 * 24, false},       {lose_resolver, 14 * 24, false}, {roll_over, 28 * 24, false},
    {withdraw, 14 * 24, false},  {change_places, 14 * 24, false}, {lose_dns, 40, true},
    {storm, 40, true},
};

static void next_fault(struct week *week, uint64_t kind)
{
    uint32_t mean_ms = kinds[kind].hours * 3600000u;

    if (!kinds[kind].world)
        mean_ms /= week->config.gateways;
    week_call(week, WEEK_FAULT, NULL, kind,
              1000 * (int64_t)world_random(&week->world, 2 * mean_ms + 1));
}

void faults_start(struct week *week)
{
    week->world.faults =
        (struct sim_faults){.loss = LOSS, .repeat = 3, .reorder = 30, .dns_servfail = 2};
    for (uint64_t kind = 0; kind < sizeof(kinds) / sizeof(kinds[0]); kind++)
        next_fault(week, kind);
}

void faults_call(struct week *week, const struct sim_event *event)
{
    struct world *w = &week->world;
    struct week_gateway *wg = event->gateway != NULL ? week_gateway(week, event->gateway) : NULL;

    switch (event->type) {
    case WEEK_FAULT:
        if (w->now_us >= week->ends_us)
            break;
        kinds[event->serial].strike(week, &week->gateways[world_random(w, week->config.gateways)]);
        next_fault(week, event->serial);
        break;
    case WEEK_OVER:
        over(week, event->serial != 0);
        break;
    case WEEK_RETURN:
        give_back(week, wg, event->serial);
        break;
    case WEEK_ROLL:
        roll_on(week, wg, event->serial);
        break;
    case WEEK_OFF:
        wg->closing = false;
        break;
    }
}
