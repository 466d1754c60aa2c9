/*
 * What a peer may have: the selectors of the connection that it has proved to be (IKE-055). Its
 * proposal is narrowed to the first selector that has something in common with it (RFC 7296 section
 * 2.9); what is outside all of them is refused. Its certificate's name gives it nothing (IKE-059).
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/text.h"
#include "tunnel/internal.h"

static const struct tunnel_connection *connection_of_number(const struct tunnels *t,
                                                            uint32_t number)
{
    for (size_t i = 0; i < t->config.connection_count; i++)
        if (t->config.connections[i].profile->number == number)
            return &t->config.connections[i];
    return NULL;
}

/* RSIP-003: two peers may share an address. After a restart their identities are not known: then the
 * address has to do. */
static bool is_same_peer(const struct tunnel *tunnel, const struct tunnel_event *event)
{
    if (tunnel->peer_id.kind == IDENTITY_NONE)
        return ip_addr_equal(&tunnel->peer, &event->peer);
    return identity_equal(&tunnel->peer_id, &event->peer_id);
}

/* Virtual addresses */

static int addr_order(const struct ip_addr *a, const struct ip_addr *b)
{
    return memcmp(a->octets, b->octets, sizeof(a->octets));
}

static bool in_pool(const struct ike_profile *profile, const struct ip_addr *addr)
{
    return addr->family == profile->pool_first.family &&
           addr_order(addr, &profile->pool_first) >= 0 && addr_order(addr, &profile->pool_last) <= 0;
}

static const struct tunnel *holder_of(const struct tunnels *t,
                                      const struct tunnel_connection *connection,
                                      const struct ip_addr *addr)
{
    for (size_t i = 0; i < t->count; i++)
        if (!t->all[i]->home && t->all[i]->connection == connection &&
            ip_addr_equal(&t->all[i]->agreed.remote.net.addr, addr))
            return t->all[i];
    return NULL;
}

/* Where in the pool, from 0; what is further on than `most` is `most`. */
static size_t place_in_pool(const struct ike_profile *profile, const struct ip_addr *addr, size_t most)
{
    size_t place = 0;
    for (size_t i = 0; i < ip_addr_len(addr); i++) {
        if (place > (most >> 8) + 1) /* it stays beyond, whatever the next octets take away */
            return most;
        int digit = addr->octets[i] - profile->pool_first.octets[i];
        if (digit < 0 && place == 0)
            return most;
        place = (place << 8) + (size_t)digit;
    }
    return place < most ? place : most;
}

static struct ip_addr addr_after(const struct ip_addr *addr, size_t steps)
{
    struct ip_addr ret = *addr;
    for (size_t i = ip_addr_len(addr); i-- > 0 && steps != 0; steps >>= 8) {
        steps += ret.octets[i];
        ret.octets[i] = (uint8_t)steps;
    }
    return ret;
}

/* The first address that nobody has. Of one more places than there are tunnels one is free. False: it is
 * outside the pool; or out of memory. */
static bool lend_free(const struct tunnels *t, const struct tunnel_connection *connection,
                      struct ip_addr *ret)
{
    const struct ike_profile *profile = connection->profile;
    size_t places = t->count + 1, place = 0;
    bool *taken = calloc(places, sizeof(*taken));

    if (taken == NULL)
        return false;
    for (size_t i = 0; i < t->count; i++) {
        const struct tunnel *tunnel = t->all[i];
        const struct ip_addr *addr = &tunnel->agreed.remote.net.addr;
        if (tunnel->home || tunnel->connection != connection || !in_pool(profile, addr))
            continue;
        size_t at = place_in_pool(profile, addr, places);
        if (at < places)
            taken[at] = true;
    }
    while (taken[place])
        place++;
    free(taken);
    *ret = addr_after(&profile->pool_first, place);
    return in_pool(profile, ret);
}

/* What the peer has already, else the first free address. False: none is left. */
static bool lend(const struct tunnels *t, const struct tunnel_connection *connection,
                 const struct tunnel_event *event, struct ip_addr *ret)
{
    for (size_t i = 0; i < t->count; i++) {
        const struct tunnel *tunnel = t->all[i];
        if (!tunnel->home && tunnel->connection == connection && is_same_peer(tunnel, event)) {
            *ret = tunnel->agreed.remote.net.addr;
            return true;
        }
    }
    return lend_free(t, connection, ret);
}

/* The selector as it is for this peer: one that has its addresses from a pool gets just its own. */
static bool selector_for(const struct tunnels *t, const struct tunnel_connection *connection,
                         size_t selector, const struct tunnel_event *event,
                         struct traffic_pair *ret)
{
    const struct ip_prefix *asked = &event->traffic.remote.net;
    struct ip_addr addr = asked->addr;

    *ret = connection->selectors[selector].traffic;
    if (connection->profile->pool_first.family == IP_NONE)
        return true;
    if (asked->bits != ip_addr_bits(&addr) || !in_pool(connection->profile, &addr)) {
        if (!lend(t, connection, event, &addr))
            return false;
    } else {
        const struct tunnel *holder = holder_of(t, connection, &addr);
        if (holder != NULL && !is_same_peer(holder, event))
            return false;
    }
    ret->remote.net = ip_prefix_of(&addr, ip_addr_bits(&addr));
    return true;
}

/* Which tunnel it is */

/* The same peer's, for the same traffic: it is made anew or renewed. */
static struct tunnel *known_tunnel(const struct tunnels *t,
                                   const struct tunnel_connection *connection, size_t selector,
                                   const struct tunnel_event *event,
                                   const struct traffic_pair *traffic)
{
    for (size_t i = 0; i < t->count; i++) {
        struct tunnel *tunnel = t->all[i];
        if (tunnel->connection != connection || tunnel->selector != selector)
            continue;
        bool made = tunnel_is_up(tunnel) || !tunnel->home;
        if (made && traffic_pair_equal(&tunnel->agreed, traffic) && is_same_peer(tunnel, event))
            return tunnel;
    }
    return NULL;
}

/* The home, unless it is up with other traffic or another peer. */
static struct tunnel *free_home(const struct tunnels *t,
                                const struct tunnel_connection *connection, size_t selector,
                                const struct traffic_pair *traffic)
{
    bool open = tunnel_connection_is_open(connection);
    for (size_t i = 0; i < t->count; i++) {
        struct tunnel *tunnel = t->all[i];
        if (!tunnel->home || tunnel->connection != connection || tunnel->selector != selector)
            continue;
        bool whole = traffic_pair_equal(traffic, &tunnel_selector(tunnel)->traffic);
        bool taken = tunnel_is_up(tunnel) || (open && tunnel->state == TUNNEL_EXPECTED);
        return !taken && (whole || !open) ? tunnel : NULL;
    }
    return NULL;
}

/* Traffic that another peer has is not taken from it. */
static bool is_taken(const struct tunnels *t, const struct tunnel_connection *connection,
                     const struct tunnel_event *event, const struct traffic_pair *traffic)
{
    struct traffic_pair both;
    for (size_t i = 0; i < t->count; i++) {
        const struct tunnel *tunnel = t->all[i];
        if (tunnel_is_up(tunnel) && tunnel->connection == connection &&
            !is_same_peer(tunnel, event) && traffic_pair_narrow(traffic, &tunnel->agreed, &both))
            return true;
    }
    return false;
}

static struct tunnel *tunnel_for(struct tunnels *t, const struct tunnel_connection *connection,
                                 size_t selector, const struct tunnel_event *event,
                                 const struct traffic_pair *traffic)
{
    struct tunnel *tunnel = known_tunnel(t, connection, selector, event, traffic);
    if (tunnel == NULL && is_taken(t, connection, event, traffic))
        return NULL;
    if (tunnel == NULL)
        tunnel = free_home(t, connection, selector, traffic);
    if (tunnel == NULL) {
        tunnel = tunnel_add_instance(t, connection, selector);
        if (tunnel == NULL)
            return NULL;
        tunnel->agreed = *traffic;
        tunnel->peer = event->peer;
        tunnel->peer_id = event->peer_id;
        tunnel->local = event->local;
    }
    return tunnel->down ? NULL : tunnel;
}

static void refuse(struct tunnels *t, const struct tunnel_event *event, const char *name)
{
    const struct tunnel_effect fx = {.kind = TUNNEL_FX_IKE_AUTHORIZED, .serial = event->serial};
    char local[TRAFFIC_TEXT_MAX], remote[TRAFFIC_TEXT_MAX], id[IDENTITY_TEXT_MAX];
    struct event_record record = {.at = t->now,
                                  .room = EVENT_TUNNEL,
                                  .level = EVENT_WARNING,
                                  .peer = event->peer,
                                  .title = "Proposal refused"};
    TEXT_SET(record.detail, "%s: %.100s may not have %s to %s", name,
             identity_format(&event->peer_id, id), traffic_format(&event->traffic.local, local),
             traffic_format(&event->traffic.remote, remote));
    event_emit(&t->env.trace, &record);
    tunnel_push(t, &fx);
}

/* IKE-055, IKE-056, IKE-058 */
enum err tunnel_propose(struct tunnels *t, const struct tunnel_event *event)
{
    const struct tunnel_connection *connection = connection_of_number(t, event->profile);
    struct tunnel_effect fx = {
        .kind = TUNNEL_FX_IKE_AUTHORIZED, .serial = event->serial, .ok = true};
    struct traffic_pair allowed;

    for (size_t i = 0; connection != NULL && !t->shutting_down && i < connection->selector_count;
         i++) {
        if (!selector_for(t, connection, i, event, &allowed) ||
            !traffic_pair_narrow(&event->traffic, &allowed, &fx.traffic))
            continue;
        struct tunnel *tunnel = tunnel_for(t, connection, i, event, &fx.traffic);
        if (tunnel == NULL)
            continue;
        fx.ticket = tunnel->ticket;
        tunnel_step(t, tunnel, TUNNEL_IN_ACCEPTED, NULL);
        tunnel_push(t, &fx);
        return ERR_OK;
    }
    refuse(t, event, connection != NULL ? connection->profile->name : "no connection");
    return ERR_POLICY;
}

/* Whose traffic it is */

bool tunnels_cover(const struct tunnels *t, const struct ip_pair *flow)
{
    for (size_t i = 0; i < t->config.connection_count; i++) {
        const struct tunnel_connection *c = &t->config.connections[i];
        for (size_t j = 0; j < c->selector_count; j++)
            if (traffic_pair_covers(&c->selectors[j].traffic, &flow->src, &flow->dst))
                return true;
    }
    return false;
}

static bool fits(const struct ike_profile *profile, const struct ip_addr *peer,
                 const struct identity *id)
{
    const struct identity address = identity_of_addr(peer);
    if (profile->remote.addr.family != IP_NONE && !ip_prefix_contains(&profile->remote, peer))
        return false;
    if (profile->peer_id.kind != IDENTITY_NONE)
        return identity_equal(&profile->peer_id, id);
    /* Unnamed, a peer with an address of its own is that address. */
    return profile->remote.addr.family != IP_NONE && identity_equal(id, &address);
}

static bool has_key(const struct ike_profile *profile, const struct public_key *key)
{
    for (size_t i = 0; i < profile->peer_key_count; i++)
        if (public_key_equal(&profile->peer_keys[i], key))
            return true;
    return false;
}

const struct tunnel_connection *tunnels_connection_of(const struct tunnels *t,
                                                      const struct ip_addr *peer,
                                                      const struct identity *id,
                                                      const struct public_key *key)
{
    for (size_t i = 0; i < t->config.connection_count; i++) {
        const struct ike_profile *profile = t->config.connections[i].profile;
        if (fits(profile, peer, id) && (key == NULL || has_key(profile, key)))
            return &t->config.connections[i];
    }
    return NULL;
}
