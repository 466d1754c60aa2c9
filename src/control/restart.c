/*
 * What the plane holds against what is known here. A keyd that comes back adopts the plane's tunnels
 * and policies; a plane that comes back has lost its own, and they are keyed anew at once.
 */
#include "control/internal.h"

#include <stdlib.h>

enum { FOUND_SA_MAX = LIMIT_SAD };

void restart_init(struct control *c)
{
    map_init(&c->found, MAP_KEY_OFFSET(struct found_sa, by_key, key), sizeof(struct found_key),
             &c->rng);
    map_init(&c->found_by_ticket, MAP_KEY_OFFSET(struct found_sa, by_ticket, ticket),
             sizeof(uint64_t), &c->rng);
    c->cleaning = true;
}

static void forget(struct control *c)
{
    struct map_node *node;
    while ((node = map_first(&c->found)) != NULL) {
        struct found_sa *found = MAP_OWNER(node, struct found_sa, by_key);
        map_remove(&c->found, node);
        if (found->listed)
            map_remove(&c->found_by_ticket, &found->by_ticket);
        free(found);
    }
    free(c->expected);
    c->expected = NULL;
    c->expected_count = 0;
}

void restart_fini(struct control *c)
{
    forget(c);
    map_fini(&c->found);
    map_fini(&c->found_by_ticket);
}

/* Tickets of configured tunnels are no numbers in a row. */
static uint64_t last_oe_ticket(const struct control *c)
{
    struct ike_child_info child = {.at = NULL};
    uint64_t last = ike_restored_ticket(c->ike);

    if (!tunnel_is_ticket(last))
        return last;
    for (last = 0; ike_child_next(c->ike, &child);)
        if (!tunnel_is_ticket(child.ticket) && child.ticket > last)
            last = child.ticket;
    return last;
}

enum err restart_restore(struct control *c, mono_t now, const struct control_event *event)
{
    struct ike_event restore = {
        .kind = IKE_EV_RESTORE, .serial = event->serial, .bytes = event->bytes};
    enum err err = ike_input(c->ike, now, &restore);
    oe_ticket_reserve(c->oe, last_oe_ticket(c));
    return err;
}

static void expect_one(struct control *c, uint64_t ticket, const struct ip_addr *gateway, spi_t spi)
{
    c->expected[c->expected_count++] =
        (struct expected_sa){.ticket = ticket, .gateway = *gateway, .spi_in = spi};
}

/* What has an SA at this moment, before anything newer is put into the plane. */
static void expect(struct control *c)
{
    struct oe_instance_info info;
    struct tunnel_info tunnel;
    size_t count = 0;
    for (size_t i = 0; oe_instance_info(c->oe, i, &info); i++)
        count += info.spi_in.value != 0;
    for (size_t i = 0; tunnels_info(c->tunnels, i, &tunnel); i++)
        count += tunnel.spi_in.value != 0;
    c->expected = calloc(count + 1, sizeof(*c->expected));
    for (size_t i = 0; c->expected != NULL && oe_instance_info(c->oe, i, &info); i++)
        if (info.spi_in.value != 0)
            expect_one(c, info.ticket, &info.gateway, info.spi_in);
    for (size_t i = 0; c->expected != NULL && tunnels_info(c->tunnels, i, &tunnel); i++)
        if (tunnel.spi_in.value != 0)
            expect_one(c, tunnel.ticket, &tunnel.peer, tunnel.spi_in);
}

void restart_begin(struct control *c)
{
    forget(c);
    expect(c);
}

static struct found_sa *find(struct control *c, const struct ip_addr *peer, spi_t spi, bool inbound)
{
    struct found_key key = {.peer = *peer, .inbound = inbound, .spi = spi.value};
    struct map_node *node = map_find(&c->found, &key);
    return node != NULL ? MAP_OWNER(node, struct found_sa, by_key) : NULL;
}

void restart_found_sa(struct control *c, const struct pfkey_message *message)
{
    const struct sa_params *sa = &message->sa;
    const struct ip_addr *peer = sa->inbound ? &sa->outer_src : &sa->outer_dst;
    if (c->found.count >= FOUND_SA_MAX || find(c, peer, sa->spi, sa->inbound) != NULL)
        return;
    struct found_sa *found = calloc(1, sizeof(*found));
    if (found == NULL)
        return;
    found->key = (struct found_key){.peer = *peer, .inbound = sa->inbound, .spi = sa->spi.value};
    found->ticket = sa->ticket;
    found->src = sa->outer_src;
    found->dst = sa->outer_dst;
    found->suite = sa->suite;
    found->traffic = sa_params_traffic(sa);
    if (!map_insert(&c->found, &found->by_key)) {
        free(found);
        return;
    }
    found->listed = sa->inbound && sa->ticket != 0 &&
                    map_find(&c->found_by_ticket, &sa->ticket) == NULL &&
                    map_insert(&c->found_by_ticket, &found->by_ticket);
}

/* The inbound SA that goes with a policy's outbound one: ike knows, else the ticket has to do. */
static const struct found_sa *inbound_of(struct control *c, const struct pfkey_message *policy,
                                         bool *ret_known)
{
    struct ike_child_info child;
    struct map_node *node;

    *ret_known = ike_child_info(c->ike, &policy->peer, policy->sa.spi, &child) &&
                 child.ticket == policy->ticket;
    if (*ret_known)
        return find(c, &child.remote, child.spi_in, true);
    node = map_find(&c->found_by_ticket, &policy->ticket);
    return node != NULL ? MAP_OWNER(node, struct found_sa, by_ticket) : NULL;
}

void restart_found_policy(struct control *c, mono_t now, const struct pfkey_message *message)
{
    static const enum oe_verdict verdicts[] = {
        [PFKEY_VERDICT_NONE] = OE_VERDICT_HOLD,    [PFKEY_VERDICT_HOLD] = OE_VERDICT_HOLD,
        [PFKEY_VERDICT_PASS] = OE_VERDICT_PASS,    [PFKEY_VERDICT_DENY] = OE_VERDICT_DENY,
        [PFKEY_VERDICT_ENCRYPT] = OE_VERDICT_ENCRYPT,
    };
    struct oe_event adopt = {
        .kind = OE_EV_ADOPT,
        .ticket = message->ticket,
        .flow = message->flow,
        .peer = message->peer,
        .verdict = verdicts[message->verdict],
        .note = message->note,
        .spi_out = message->sa.spi,
    };
    const struct found_sa *sa = inbound_of(c, message, &adopt.known);
    if (sa != NULL) {
        adopt.spi_in = (spi_t){sa->key.spi};
        adopt.suite = sa->suite;
    }
    oe_input(c->oe, now, &adopt);
}

static void want(struct control *c, const struct ip_addr *peer, spi_t spi, bool inbound)
{
    struct found_sa *sa = find(c, peer, spi, inbound);
    if (sa != NULL)
        sa->wanted = true;
}

/* An inbound SA stays if the peer can't be told: it may be sending into it. */
static bool may_go(struct control *c, mono_t now, const struct found_sa *sa)
{
    struct ike_event disown = {.kind = IKE_EV_DISOWN,
                               .local = {.addr = sa->dst},
                               .remote = {.addr = sa->src},
                               .spi = {sa->key.spi},
                               .protocol = sa->suite.protocol};
    return !sa->key.inbound || ike_input(c->ike, now, &disown) == ERR_OK;
}

/* SAs of exchanges that a former keyd did not finish: nobody would ever use or delete them. */
static void clean(struct control *c, mono_t now)
{
    struct ike_child_info child = {.at = NULL};
    struct oe_instance_info info;

    while (ike_child_next(c->ike, &child)) {
        want(c, &child.remote, child.spi_in, true);
        want(c, &child.remote, child.spi_out, false);
    }
    for (size_t i = 0; oe_instance_info(c->oe, i, &info); i++) {
        want(c, &info.gateway, info.spi_in, true);
        want(c, &info.gateway, info.spi_out, false);
    }
    for (struct map_node *node = map_first(&c->found); node != NULL;
         node = map_next(&c->found, node)) {
        const struct found_sa *sa = MAP_OWNER(node, struct found_sa, by_key);
        if (!sa->wanted && may_go(c, now, sa))
            plane_link_remove_sa(c, now, (spi_t){sa->key.spi}, sa->key.inbound, &sa->src,
                                 &sa->dst);
    }
}

/* Tunnels of ours that the plane doesn't have any more. What they carried is held, never passed,
 * until they are keyed anew; the peer gets a Delete for what is lost. */
static void replace_lost(struct control *c, mono_t now)
{
    for (size_t i = 0; i < c->expected_count; i++) {
        const struct expected_sa *sa = &c->expected[i];
        struct oe_event lost = {
            .kind = OE_EV_HARD_EXPIRE,
            .ticket = sa->ticket,
            .spi_in = sa->spi_in,
            .text = "the plane was restarted and has lost the tunnel",
        };
        if (find(c, &sa->gateway, sa->spi_in, true) != NULL)
            continue;
        if (tunnel_is_ticket(sa->ticket))
            tunnel_link_lost(c, now, sa->ticket, sa->spi_in, (spi_t){0});
        else
            oe_input(c->oe, now, &lost);
    }
}

/* Children that no connection claims, such as one that was superseded when keyd crashed. */
static void delete_orphans(struct control *c, mono_t now)
{
    struct ike_child_info child = {.at = NULL};
    struct oe_instance_info info;
    uint64_t *tickets;
    size_t count = 0;

    while (ike_child_next(c->ike, &child))
        count++;
    tickets = calloc(count + 1, sizeof(*tickets));
    if (tickets == NULL)
        return; /* they expire */
    count = 0;
    child.at = NULL;
    while (ike_child_next(c->ike, &child))
        if (!child.deleting && !tunnels_has(c->tunnels, child.ticket) &&
            !oe_instance_of_ticket(c->oe, child.ticket, &info))
            tickets[count++] = child.ticket;
    for (size_t i = 0; i < count; i++) {
        struct ike_event delete = {.kind = IKE_EV_DELETE_CHILD, .ticket = tickets[i]};
        ike_input(c->ike, now, &delete);
    }
    free(tickets);
}

/* Tunnels of a former keyd whose children ike still has, and the plane too. */
static void adopt_tunnels(struct control *c, mono_t now)
{
    struct ike_child_info child = {.at = NULL};

    while (ike_child_next(c->ike, &child)) {
        const struct found_sa *sa = find(c, &child.remote, child.spi_in, true);
        if (sa == NULL || child.deleting || !tunnel_is_ticket(child.ticket))
            continue;
        const struct tunnel_event up = {
            .kind = TUNNEL_EV_CHILD_UP,
            .ticket = child.ticket,
            .local = child.local,
            .peer = child.remote,
            .traffic = sa->traffic,
            .spi_in = child.spi_in,
            .spi_out = child.spi_out,
            .suite = sa->suite,
        };
        (void)tunnels_adopt(c->tunnels, now, &up);
    }
}

void restart_over(struct control *c, mono_t now)
{
    replace_lost(c, now);
    if (c->cleaning)
        adopt_tunnels(c, now);
    tunnels_plane_ready(c->tunnels, now);
    if (c->cleaning)
        clean(c, now);
    c->cleaning = false;
    delete_orphans(c, now);
    tunnel_link_unleased(c, now); /* the lease may have changed meanwhile */
    forget(c);
    c->sweep_rules = true;
}
