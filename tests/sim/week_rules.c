/*
 * The rules of a long run, beside those of checks.c: what can be encrypted comes to be encrypted,
 * what is no longer delegated comes to an end, and nothing piles up.
 */
#include "week.h"

enum {
    /*
     * What is known may be as old as an answer's lifetime, and is looked at again when a lifespan
     * ends; the other end may then refuse for the same two reasons, and an exchange may be lost
     * (OE-044, OE-077).
     */
    UPGRADED_S = WEEK_TTL_S + 3 * WEEK_LIFESPAN_S + 300,
    /* As old as an answer, then to the end of a lifespan; and another if DNS fails just then. */
    WITHDRAWN_S = WEEK_TTL_S + 2 * WEEK_LIFESPAN_S + 120,
    /* SAs of one flow at one gateway: the tunnel, the one that a re-key or the other end's own
     * attempt made beside it, each two SAs, and what a crash left at the other end. */
    SAS_A_FLOW = 8,
    NIGHT_SLACK = 20000, /* octets */
    /* One end has lost a tunnel and the other sends into it: until its keys expire. */
    DEAF_S = 3600 + 300,
};

static int64_t later(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

/* OE-paranoid takes no tunnel that DNSSEC does not vouch for. */
static bool may_be_tunnelled(const struct sim_host *host, const struct sim_host *other)
{
    bool paranoid = host->gateway->kind == OE_PARANOID || other->gateway->kind == OE_PARANOID;

    return host->delegation == SIM_GOOD || host->delegation == SIM_NO_KEY ||
           host->delegation == SIM_TWO || (host->delegation == SIM_UNSIGNED && !paranoid);
}

static int64_t host_since(struct week *week, const struct sim_host *host)
{
    return week_gateway(week, host->gateway)->hosts[host - host->gateway->hosts].since_us;
}

/* Since when nothing has stood in the way of a tunnel; INT64_MAX: something does. */
static int64_t capable_since(struct week *week, const struct ip_pair *flow)
{
    const struct sim_host *src = world_find_host(&week->world, &flow->src);
    const struct sim_host *dst = world_find_host(&week->world, &flow->dst);

    if (src->gateway->off || dst->gateway->off || !may_be_tunnelled(src, dst) ||
        !may_be_tunnelled(dst, src))
        return INT64_MAX;
    int64_t since = later(host_since(week, src), host_since(week, dst));
    since = later(since, week_gateway(week, src->gateway)->steady_us);
    since = later(since, week_gateway(week, dst->gateway)->steady_us);
    return later(since, week->steady_us);
}

/* Clear traffic to a peer found capable later is upgraded. */
void rules_clear(struct week *week, const struct sim_gateway *g, const struct week_session *session)
{
    struct world *w = &week->world;
    char text[IP_PAIR_TEXT_MAX];
    int64_t since = later(capable_since(week, &session->flow), session->clear_us);

    if (since <= w->now_us && w->now_us - since > UPGRADED_S * WEEK_SECOND_US)
        world_fail(w, "gw%d: %s is in clear although both ends could for %lld s", g->number,
                   ip_pair_format(&session->flow, text), (long long)(w->now_us - since) / 1000000);
}

/* No conversation stays dead. */
void rules_heard(struct week *week, const struct week_session *session)
{
    struct world *w = &week->world;
    char text[IP_PAIR_TEXT_MAX];
    int64_t since = later(capable_since(week, &session->flow), session->heard_us);

    if (since > w->now_us)
        return;
    week->deaf_us = later(week->deaf_us, w->now_us - since);
    if (w->now_us - since > DEAF_S * WEEK_SECOND_US)
        world_fail(w, "%s: nothing arrives since %lld s", ip_pair_format(&session->flow, text),
                   (long long)(w->now_us - since) / 1000000);
}

/* OE-077: a delegation that is gone ends the tunnel it allowed. */
void rules_delivered(struct week *week, const struct sim_gateway *g, const struct ip_pair *flow)
{
    struct world *w = &week->world;
    const struct sim_host *src = world_find_host(w, &flow->src);
    char text[IP_PAIR_TEXT_MAX];

    if (src == NULL || src->delegation != SIM_ABSENT)
        return;
    int64_t since = later(host_since(week, src), week_gateway(week, g)->steady_us);
    since = later(since, week->steady_us);
    if (w->now_us - since > WITHDRAWN_S * WEEK_SECOND_US)
        world_fail(w, "gw%d: %s still has a tunnel, %lld s after its delegation was withdrawn",
                   g->number, ip_pair_format(flow, text), (long long)(w->now_us - since) / 1000000);
}

static bool hour_of_interest(unsigned hour)
{
    return hour == 4 || hour == 15;
}

/* Unused tunnels go. */
void rules_hour(struct week *week)
{
    struct world *w = &week->world;
    int64_t hours = (w->now_us - w->epoch_us) / WEEK_HOUR_US;
    struct week_sample sample = {
        .day = (unsigned)(hours / 24) + 1, .hour = (unsigned)(hours % 24), .flows = week->live};

    for (size_t i = 0; i < w->gateway_count; i++) {
        const struct week_gateway *wg = &week->gateways[i];
        size_t sas = wg->g->plane != NULL ? plane_sad_count(wg->g->plane) : 0;
        if (sas > SAS_A_FLOW * (size_t)wg->live)
            world_fail(w, "gw%zu: %zu SAs for %u flows", i, sas, wg->live);
        sample.sas += sas;
        sample.on += !wg->g->off;
    }
    if (!hour_of_interest(sample.hour) || week->sample_count == 2 * WEEK_DAYS_MAX)
        return;
    sample.octets = cost_engines(w);
    week->samples[week->sample_count++] = sample;
}

static int64_t octets_each(const struct week *week, const struct week_sample *sample)
{
    return ((int64_t)sample->octets - (int64_t)week->idle_octets) / sample->on;
}

/* All that could be encrypted was, and what a gateway takes at the quiet hour doesn't grow from day
 * to day. */
void rules_end(struct week *week)
{
    const struct week_counts *n = &week->counts;

    /* With nothing going wrong there is no excuse. */
    if (!week->config.faults && n->encrypted != n->both)
        world_fail(&week->world, "%llu flows encrypted, of %llu that could be",
                   (unsigned long long)n->encrypted, (unsigned long long)n->both);
    for (size_t i = 2; i < week->sample_count && week->idle_octets != 0; i += 2) {
        int64_t first = octets_each(week, &week->samples[0]);
        int64_t now = octets_each(week, &week->samples[i]);
        if (now > 2 * first + NIGHT_SLACK)
            world_fail(
                &week->world,
                "day %u: at night a gateway takes %lld octets beyond an idle one's, on day 1 %lld",
                week->samples[i].day, (long long)now, (long long)first);
    }
}
