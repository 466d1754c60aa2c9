/*
 * The rules that must hold in every run, whatever was lost or crashed.
 */
#include "world.h"

#include <stdlib.h>

enum {
    /* DNS for delegation and keys, then every gateway in turn, then room for a late answer. */
    UNDECIDED_MS = 2 * LIMIT_LOOKUP_MS + 3 * 20000 + 10000,
    /* A request of keyd to the plane, and another one. */
    DISAGREED_MS = 2 * 3000,
};

static bool same_keys(const struct sa_params *a, const struct sa_params *b)
{
    return a->cipher_key_len == b->cipher_key_len && a->auth_key_len == b->auth_key_len &&
           memcmp(a->cipher_key, b->cipher_key, a->cipher_key_len) == 0 &&
           memcmp(a->auth_key, b->auth_key, a->auth_key_len) == 0;
}

static bool same_suite(const struct esp_suite *a, const struct esp_suite *b)
{
    return a->cipher == b->cipher && a->auth == b->auth && a->key_bits == b->key_bits &&
           a->esn == b->esn;
}

/* No SA is made with a gateway for a client that isn't delegated to it, with its own key (OE-092,
 * OE-183). */
static void check_authority(struct world *w, const struct sa_params *params)
{
    const struct ip_addr *remote = params->inbound ? &params->outer_src : &params->outer_dst;
    const struct ip_prefix *client = params->inbound ? &params->inner_src : &params->inner_dst;
    const struct sim_host *host = network_host(w, &client->addr);
    char text[IP_ADDR_TEXT_MAX];

    bool delegated = host != NULL && (host->delegation == SIM_GOOD ||
                                      host->delegation == SIM_NO_KEY ||
                                      host->delegation == SIM_UNSIGNED ||
                                      host->delegation == SIM_TWO);
    bool second = delegated && host->also != NULL && ip_addr_equal(&host->also->addr, remote);
    if (!delegated || (!second && !ip_addr_equal(&host->gateway->addr, remote)))
        world_fail(w, "an SA was made for %s with a gateway that may not act for it",
                   ip_addr_format(&client->addr, text));
}

/* Both ends of an SA hold the same keys, suite and selectors. */
void check_sa(struct world *w, const struct sa_params *params)
{
    char dst[IP_ADDR_TEXT_MAX];

    check_authority(w, params);
    for (struct sim_sa *sa = w->sas; sa != NULL; sa = sa->next) {
        const struct sa_params *other = &sa->params;
        if (other->spi.value != params->spi.value || other->inbound == params->inbound ||
            !ip_addr_equal(&other->outer_dst, &params->outer_dst) ||
            !ip_addr_equal(&other->outer_src, &params->outer_src))
            continue;
        w->stats.tunnels++;
        if (!same_keys(params, other) || !same_suite(&params->suite, &other->suite))
            world_fail(w, "SA %08x to %s: the two ends hold different keys", params->spi.value,
                       ip_addr_format(&params->outer_dst, dst));
        if (memcmp(&params->inner_src, &other->inner_src, sizeof(other->inner_src)) != 0 ||
            memcmp(&params->inner_dst, &other->inner_dst, sizeof(other->inner_dst)) != 0)
            world_fail(w, "SA %08x to %s: the two ends have different selectors",
                       params->spi.value, ip_addr_format(&params->outer_dst, dst));
    }
    struct sim_sa *sa = malloc(sizeof(*sa));
    if (sa == NULL)
        abort();
    *sa = (struct sim_sa){.params = *params, .next = w->sas};
    w->sas = sa;
}

static enum oe_class_kind class_of(const struct sim_gateway *g, const struct ip_pair *flow)
{
    enum oe_class_kind kind = g->kind;
    int longest = -1;

    for (size_t i = 0; i < g->class_count; i++)
        if (ip_prefix_contains(&g->classes[i].destination, &flow->dst) &&
            g->classes[i].destination.bits > longest) {
            longest = g->classes[i].destination.bits;
            kind = g->classes[i].kind;
        }
    return kind;
}

/* Nothing that policy forbids leaves in clear (OE-004, OE-050, OE-051). */
void check_clear(struct sim_gateway *g, const struct ip_pair *flow)
{
    struct world *w = g->world;
    char text[IP_PAIR_TEXT_MAX];
    const struct sim_host *dst = network_host(w, &flow->dst);
    enum oe_class_kind kind = class_of(g, flow);

    if (kind == OE_DENY || kind == OE_PARANOID)
        world_fail(w, "gw%d: %s left in clear, class %s", g->number, ip_pair_format(flow, text),
                   oe_class_kind_name(kind));
    /* DNS that fails now and then may hide a delegation, which is then absent for a while. */
    bool dns_honest = w->faults.dns_silence == 0 && w->faults.dns_servfail == 0 &&
                      !w->faults.dns_meddled;
    bool forged = dst != NULL && (dst->delegation == SIM_MALFORMED || dst->delegation == SIM_BOGUS);
    if (kind == OE_PERMISSIVE && forged && dns_honest)
        world_fail(w, "gw%d: %s left in clear although its delegation is forged", g->number,
                   ip_pair_format(flow, text));
    bool reachable = dst != NULL && (dst->delegation == SIM_GOOD || dst->delegation == SIM_NO_KEY);
    if (w->calm && kind == OE_PERMISSIVE && reachable)
        world_fail(w, "gw%d: %s left in clear in a calm world", g->number,
                   ip_pair_format(flow, text));
}

static void check_decided(struct world *w, size_t g, const struct oe_instance_info *info)
{
    char text[IP_PAIR_TEXT_MAX];
    bool undecided = info->state == OE_ST_POTENTIAL || info->state == OE_ST_PENDING ||
                     info->state == OE_ST_EXPIRING;
    int64_t ms = mono_since(world_now(w), info->since);

    if (undecided && ms > UNDECIDED_MS)
        world_fail(w, "gw%zu: %s is in %s for %lld ms", g, ip_pair_format(&info->flow, text),
                   oe_state_name(info->state), (long long)ms);
}

/* What keyd has decided reaches the plane: a flow that it thinks keyed is not held. */
static void check_agreed(struct world *w, size_t g, const struct oe_instance_info *info)
{
    char text[IP_PAIR_TEXT_MAX];
    int64_t held_us = gateway_held_since_us(&w->gateways[g], &info->flow);
    int64_t since_us = info->since.ms * 1000 > held_us ? info->since.ms * 1000 : held_us;

    if (info->state == OE_ST_KEYED && held_us != INT64_MAX &&
        w->now_us - since_us > DISAGREED_MS * 1000)
        world_fail(w, "gw%zu: %s is keyed, and the plane holds it", g,
                   ip_pair_format(&info->flow, text));
}

/* Every connection reaches a lasting state in time. */
void check_deadlines(struct world *w)
{
    struct oe_instance_info info;

    for (size_t g = 0; g < w->gateway_count; g++) {
        const struct sim_gateway *gateway = &w->gateways[g];
        if (gateway->control == NULL)
            continue;
        for (size_t i = 0; oe_instance_info(control_oe(gateway->control), i, &info); i++) {
            check_decided(w, g, &info);
            check_agreed(w, g, &info);
        }
    }
}

void check_quiet(struct world *w)
{
    for (size_t i = 0; i < w->gateway_count && !w->failed; i++) {
        const struct sim_gateway *g = &w->gateways[i];
        struct oe_instance_info instance;
        struct ike_sa_info sa;
        if (g->control == NULL || g->plane == NULL)
            world_fail(w, "gw%zu: never came back", i);
        else if (oe_instance_info(control_oe(g->control), 0, &instance))
            world_fail(w, "gw%zu: an instance in %s is left over", i,
                       oe_state_name(instance.state));
        else if (ike_sa_info(control_ike(g->control), 0, &sa))
            world_fail(w, "gw%zu: an IKE SA (%s) is left over", i, sa.state);
        else if (control_pending(g->control) != 0)
            world_fail(w, "gw%zu: %zu requests to the plane are left over", i,
                       control_pending(g->control));
        else if (plane_spd_count(g->plane) != 0)
            world_fail(w, "gw%zu: %zu policies are left over", i, plane_spd_count(g->plane));
        else if (plane_sad_count(g->plane) != 0)
            world_fail(w, "gw%zu: %zu SAs are left over", i, plane_sad_count(g->plane));
    }
}
