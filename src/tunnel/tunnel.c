#include "tunnel/tunnel.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/text.h"
#include "tunnel/internal.h"

enum { INSTANCE_SHIFT = 32, INSTANCES = 1 << 29 };

/* Effects and records */

void tunnel_push(struct tunnels *t, const struct tunnel_effect *fx)
{
    if (!fifo_push(&t->effects, fx)) {
        const struct event_record record = {.at = t->now,
                                            .room = EVENT_TUNNEL,
                                            .level = EVENT_ERROR,
                                            .title = "Out of memory",
                                            .detail = "a tunnel's effect is lost"};
        event_emit(&t->env.trace, &record);
    }
}

bool tunnels_next_effect(struct tunnels *t, struct tunnel_effect *ret)
{
    return fifo_pop(&t->effects, ret);
}

void tunnel_note(struct tunnels *t, const struct tunnel *tunnel, enum event_level level,
                 const char *title, const char *detail)
{
    struct event_record record = {.at = t->now,
                                  .room = EVENT_TUNNEL,
                                  .level = level,
                                  .peer = tunnel->peer,
                                  .connection = tunnel->ticket};
    TEXT_SET(record.title, "%s", title);
    TEXT_SET(record.detail, "%s/%s%s%s", tunnel->connection->profile->name,
             tunnel_selector(tunnel)->name, detail[0] != '\0' ? ": " : "", detail);
    event_emit(&t->env.trace, &record);
}

/* Rules */

/* Before it is up: traffic brings it up, waits for it, or is refused because nobody will make it. */
static enum tunnel_verdict verdict_of(const struct tunnel *tunnel)
{
    bool open = tunnel_connection_is_open(tunnel->connection);
    if (tunnel_is_up(tunnel))
        return TUNNEL_ENCRYPT;
    if (tunnel->state != TUNNEL_IDLE)
        return TUNNEL_HOLD;
    return tunnel_selector(tunnel)->start == TUNNEL_RESPOND || tunnel->down || open ? TUNNEL_DENY
                                                                                     : TUNNEL_TRAP;
}

void tunnel_tell_rule(struct tunnels *t, const struct tunnel *tunnel)
{
    const struct tunnel_effect fx = {.kind = TUNNEL_FX_RULE,
                                     .ticket = tunnel->ticket,
                                     .traffic = *tunnel_traffic(tunnel),
                                     .verdict = verdict_of(tunnel),
                                     .local = tunnel->local,
                                     .peer = tunnel->peer,
                                     .spi_out = tunnel->spi_out};
    if (t->plane_ready)
        tunnel_push(t, &fx);
}

/* The table of tunnels */

bool tunnel_connection_is_open(const struct tunnel_connection *connection)
{
    const struct ip_prefix *remote = &connection->profile->remote;
    return remote->addr.family == IP_NONE || remote->bits != ip_addr_bits(&remote->addr) ||
           connection->profile->pool_first.family != IP_NONE;
}

struct tunnel *tunnel_find(const struct tunnels *t, uint64_t ticket)
{
    struct map_node *node = map_find(&t->by_ticket, &ticket);
    return node != NULL ? MAP_OWNER(node, struct tunnel, by_ticket) : NULL;
}

bool tunnels_has(const struct tunnels *t, uint64_t ticket)
{
    return tunnel_find(t, ticket) != NULL;
}

static bool make_room(struct tunnels *t)
{
    size_t room = t->room == 0 ? 16 : 2 * t->room;
    if (t->count < t->room)
        return true;
    struct tunnel **more = realloc(t->all, room * sizeof(struct tunnel *));
    if (more == NULL)
        return false;
    t->all = more;
    t->room = room;
    return true;
}

static struct tunnel *add(struct tunnels *t, uint64_t ticket,
                          const struct tunnel_connection *connection, size_t selector)
{
    struct tunnel *tunnel = make_room(t) ? calloc(1, sizeof(*tunnel)) : NULL;
    if (tunnel == NULL)
        return NULL;
    tunnel->ticket = ticket;
    tunnel->connection = connection;
    tunnel->selector = selector;
    tunnel->since = t->now;
    if (!heap_set(&t->timers, &tunnel->timer, (mono_t){INT64_MAX - 1})) {
        free(tunnel);
        return NULL;
    }
    if (!map_insert(&t->by_ticket, &tunnel->by_ticket)) {
        heap_remove(&t->timers, &tunnel->timer);
        free(tunnel);
        return NULL;
    }
    tunnel->index = t->count;
    t->all[t->count++] = tunnel;
    return tunnel;
}

void tunnel_remove(struct tunnels *t, struct tunnel *tunnel)
{
    const struct tunnel_effect fx = {.kind = TUNNEL_FX_RULE_REMOVE, .ticket = tunnel->ticket};
    if (t->plane_ready)
        tunnel_push(t, &fx);
    heap_remove(&t->timers, &tunnel->timer);
    map_remove(&t->by_ticket, &tunnel->by_ticket);
    t->all[tunnel->index] = t->all[--t->count];
    t->all[tunnel->index]->index = tunnel->index;
    free(tunnel);
}

/* The same for the next keyd: by names and traffic, not by the order of events (FNV-1a). */
static uint32_t hash_octets(uint32_t hash, const void *octets, size_t len)
{
    const uint8_t *at = octets;
    for (size_t i = 0; i < len; i++)
        hash = (hash ^ at[i]) * 16777619u;
    return hash;
}

static uint32_t hash_traffic(uint32_t hash, const struct traffic *traffic)
{
    char text[TRAFFIC_TEXT_MAX];
    traffic_format(traffic, text);
    return hash_octets(hash, text, strlen(text) + 1);
}

static uint64_t home_ticket(const struct tunnels *t, const struct tunnel_connection *connection,
                            size_t selector)
{
    const struct tunnel_selector *s = &connection->selectors[selector];
    uint32_t hash = hash_octets(2166136261u, connection->profile->name,
                                strlen(connection->profile->name) + 1);
    hash = hash_octets(hash, s->name, strlen(s->name) + 1);
    hash = hash_traffic(hash, &s->traffic.local);
    hash = hash_traffic(hash, &s->traffic.remote);
    uint64_t ticket = UINT64_C(1) << TUNNEL_TICKETS | hash;
    while (tunnel_find(t, ticket) != NULL)
        ticket = UINT64_C(1) << TUNNEL_TICKETS | (uint32_t)(ticket + 1);
    return ticket;
}

static struct tunnel *find_home(const struct tunnels *t, const struct tunnel_connection *connection,
                                size_t selector)
{
    for (size_t i = 0; i < t->count; i++)
        if (t->all[i]->home && t->all[i]->connection == connection &&
            t->all[i]->selector == selector)
            return t->all[i];
    return NULL;
}

struct tunnel *tunnel_add_instance(struct tunnels *t, const struct tunnel_connection *connection,
                                   size_t selector)
{
    const struct tunnel *home = find_home(t, connection, selector);
    uint64_t ticket;

    if (home == NULL)
        return NULL;
    do {
        t->instances = t->instances % (INSTANCES - 1) + 1;
        ticket = (uint64_t)t->instances << INSTANCE_SHIFT | home->ticket;
    } while (tunnel_find(t, ticket) != NULL);
    return add(t, ticket, connection, selector);
}

/* Configuration */

static bool starts_at_once(const struct tunnel *tunnel)
{
    return tunnel->home && !tunnel->down && tunnel_selector(tunnel)->start == TUNNEL_AT_ONCE &&
           !tunnel_connection_is_open(tunnel->connection);
}

static void begin(struct tunnels *t, struct tunnel *tunnel)
{
    tunnel_tell_rule(t, tunnel);
    if (t->plane_ready && starts_at_once(tunnel))
        tunnel_step(t, tunnel, TUNNEL_IN_WANT, NULL);
}

static bool add_homes(struct tunnels *t, const struct tunnel_connection *connection)
{
    bool all = true;
    for (size_t i = 0; i < connection->selector_count; i++) {
        struct tunnel *home = add(t, home_ticket(t, connection, i), connection, i);
        if (home == NULL) {
            all = false;
            continue;
        }
        home->home = true;
        if (!tunnel_connection_is_open(connection))
            home->peer = connection->profile->remote.addr;
        home->local = connection->profile->local;
        begin(t, home);
    }
    return all;
}

static const struct tunnel_connection *same_in(const struct tunnel_config *config,
                                               const struct tunnel_connection *connection)
{
    for (size_t i = 0; i < config->connection_count; i++) {
        const struct tunnel_connection *other = &config->connections[i];
        if (other->edition == connection->edition &&
            strcmp(other->profile->name, connection->profile->name) == 0)
            return other;
    }
    return NULL;
}

/* Ends, and is forgotten: it isn't configured any more, or otherwise. */
static void drop(struct tunnels *t, struct tunnel *tunnel)
{
    uint64_t ticket = tunnel->ticket;
    TEXT_SET(tunnel->why, "%s", "the configuration has changed");
    tunnel_step(t, tunnel, TUNNEL_IN_DOWN, NULL);
    tunnel = tunnel_find(t, ticket);
    if (tunnel != NULL)
        tunnel_remove(t, tunnel);
}

static bool is_known(const struct tunnels *t, const struct tunnel_connection *connection)
{
    for (size_t i = 0; i < t->count; i++)
        if (t->all[i]->connection == connection)
            return true;
    return false;
}

enum err tunnels_reconfigure(struct tunnels *t, mono_t now, const struct tunnel_config *config)
{
    enum err err = ERR_OK;

    t->now = now;
    for (size_t i = t->count; i-- > 0;) {
        struct tunnel *tunnel = t->all[i];
        const struct tunnel_connection *same = same_in(config, tunnel->connection);
        if (same != NULL)
            tunnel->connection = same;
        else
            drop(t, tunnel);
    }
    t->config = *config;
    for (size_t i = 0; i < config->connection_count; i++)
        if (!is_known(t, &config->connections[i]) && !add_homes(t, &config->connections[i]))
            err = ERR_MEMORY;
    return err;
}

enum err tunnels_new(const struct tunnel_config *config, const struct tunnel_env *env,
                     struct tunnels **ret)
{
    struct tunnels *t = calloc(1, sizeof(*t));
    if (t == NULL)
        return ERR_MEMORY;
    t->env = *env;
    fifo_init(&t->effects, sizeof(struct tunnel_effect));
    map_init(&t->by_ticket, MAP_KEY_OFFSET(struct tunnel, by_ticket, ticket), sizeof(uint64_t),
             &env->rng);
    enum err err = tunnels_reconfigure(t, (mono_t){0}, config);
    if (err != ERR_OK) {
        tunnels_free(t);
        return err;
    }
    *ret = t;
    return ERR_OK;
}

void tunnels_free(struct tunnels *t)
{
    if (t == NULL)
        return;
    t->plane_ready = false;
    while (t->count != 0)
        tunnel_remove(t, t->all[t->count - 1]);
    free(t->all);
    fifo_fini(&t->effects);
    map_fini(&t->by_ticket);
    heap_fini(&t->timers);
    free(t);
}

/* Events */

static bool is_of_child(const struct tunnel *tunnel, const struct tunnel_event *event)
{
    return (event->spi_in.value != 0 && event->spi_in.value == tunnel->spi_in.value) ||
           (event->spi_out.value != 0 && event->spi_out.value == tunnel->spi_out.value);
}

static enum err child_up(struct tunnels *t, struct tunnel *tunnel, const struct tunnel_event *event)
{
    const struct tunnel_effect unwanted = {.kind = TUNNEL_FX_IKE_DELETE, .ticket = event->ticket};
    if (tunnel == NULL) {
        tunnel_push(t, &unwanted);
        return ERR_UNKNOWN;
    }
    tunnel_step(t, tunnel, TUNNEL_IN_UP, event);
    return ERR_OK;
}

static void child_gone(struct tunnels *t, struct tunnel *tunnel, const char *why)
{
    bool again = starts_at_once(tunnel) && !t->shutting_down;
    TEXT_SET(tunnel->why, "%s", why);
    tunnel_step(t, tunnel, again ? TUNNEL_IN_LOST : TUNNEL_IN_ENDED, NULL);
}

/*
 * ADR-039, ADR-052, ADR-076: the peer's address in policy is where a tunnel is made anew, and it follows the SAs.
 * ADR-040: unless the connection says otherwise. What a peer may come from, and who it must be, stays.
 */
static void follow(struct tunnel *tunnel, const struct ip_addr *peer)
{
    const struct ike_profile *profile = tunnel->connection->profile;
    if (profile->policy_stays || !tunnel->home || tunnel_connection_is_open(tunnel->connection))
        return;
    tunnel->moved = *peer;
    if (ip_addr_equal(peer, &profile->remote.addr))
        tunnel->moved.family = IP_NONE;
}

static enum err about_tunnel(struct tunnels *t, const struct tunnel_event *event)
{
    struct tunnel *tunnel = tunnel_find(t, event->ticket);

    if (event->kind == TUNNEL_EV_CHILD_UP)
        return child_up(t, tunnel, event);
    if (tunnel == NULL)
        return ERR_UNKNOWN;
    switch (event->kind) {
    case TUNNEL_EV_ACQUIRE:
        if (!tunnel->down && !tunnel_connection_is_open(tunnel->connection))
            tunnel_step(t, tunnel, TUNNEL_IN_WANT, NULL);
        break;
    case TUNNEL_EV_CHILD_FAILED:
        TEXT_SET(tunnel->why, "%s", event->text != NULL ? event->text : "");
        tunnel_step(t, tunnel, TUNNEL_IN_FAILED, NULL);
        break;
    case TUNNEL_EV_MOVED:
        follow(tunnel, &event->peer);
        break;
    case TUNNEL_EV_CHILD_DELETED:
        if (is_of_child(tunnel, event))
            child_gone(t, tunnel, "the peer has deleted it");
        break;
    case TUNNEL_EV_SOFT_EXPIRE:
        if (is_of_child(tunnel, event) && !t->shutting_down)
            tunnel_step(t, tunnel, TUNNEL_IN_SOFT, NULL);
        break;
    default:
        if (is_of_child(tunnel, event))
            child_gone(t, tunnel, event->text != NULL ? event->text : "its lifetime was over");
        break;
    }
    return ERR_OK;
}

enum err tunnels_input(struct tunnels *t, mono_t now, const struct tunnel_event *event)
{
    t->now = now;
    if (event->kind == TUNNEL_EV_PROPOSAL)
        return tunnel_propose(t, event);
    if (event->kind == TUNNEL_EV_SHUTDOWN) {
        t->shutting_down = true;
        return ERR_OK;
    }
    return about_tunnel(t, event);
}

void tunnels_timer(struct tunnels *t, mono_t now)
{
    struct heap_node *node;

    t->now = now;
    while ((node = heap_first(&t->timers)) != NULL && mono_reached(now, node->at)) {
        struct tunnel *tunnel = HEAP_OWNER(node, struct tunnel, timer);
        tunnel_set_timer(t, tunnel, MONO_NEVER);
        if (!t->shutting_down)
            tunnel_step(t, tunnel,
                        tunnel_is_up(tunnel) || starts_at_once(tunnel) ? TUNNEL_IN_RETRY
                                                                       : TUNNEL_IN_REST,
                        NULL);
    }
}

mono_t tunnels_next_deadline(const struct tunnels *t)
{
    mono_t next = heap_next(&t->timers);
    return next.ms >= INT64_MAX - 1 ? MONO_NEVER : next;
}

void tunnels_plane_ready(struct tunnels *t, mono_t now)
{
    t->now = now;
    t->plane_ready = true;
    for (size_t i = 0; i < t->count; i++)
        begin(t, t->all[i]);
}

void tunnels_plane_gone(struct tunnels *t)
{
    t->plane_ready = false;
}

bool tunnels_adopt(struct tunnels *t, mono_t now, const struct tunnel_event *up)
{
    uint64_t home_of = up->ticket & ~((uint64_t)(INSTANCES - 1) << INSTANCE_SHIFT);
    uint32_t number = (uint32_t)(up->ticket >> INSTANCE_SHIFT) & (INSTANCES - 1);
    struct tunnel *tunnel = tunnel_find(t, up->ticket);
    struct tunnel *home = tunnel_find(t, home_of);

    t->now = now;
    if (home == NULL)
        return false;
    if (tunnel == NULL)
        tunnel = add(t, up->ticket, home->connection, home->selector);
    if (tunnel == NULL)
        return false;
    if (number > t->instances)
        t->instances = number;
    if (!tunnel_is_up(tunnel))
        tunnel_step(t, tunnel, TUNNEL_IN_UP, up);
    return true;
}

static bool is_named(const struct tunnel *tunnel, const char *name)
{
    return tunnel->home && (strcmp(tunnel->connection->profile->name, name) == 0 ||
                            strcmp(tunnel_selector(tunnel)->name, name) == 0);
}

static void command_home(struct tunnels *t, struct tunnel *tunnel, bool up)
{
    tunnel->down = !up;
    if (!up) {
        TEXT_SET(tunnel->why, "%s", "taken down by command");
        tunnel_step(t, tunnel, TUNNEL_IN_DOWN, NULL);
    } else if (!tunnel_connection_is_open(tunnel->connection)) {
        tunnel_step(t, tunnel,
                    tunnel->state == TUNNEL_WAITING ? TUNNEL_IN_RETRY : TUNNEL_IN_WANT, NULL);
    }
    tunnel_tell_rule(t, tunnel);
}

/* What peers made under a home that is down goes too. Backwards: the last one takes a gap. */
static void end_instances(struct tunnels *t)
{
    for (size_t i = t->count; i-- > 0;) {
        struct tunnel *tunnel = t->all[i];
        const struct tunnel *home =
            tunnel->home ? NULL : find_home(t, tunnel->connection, tunnel->selector);
        if (home != NULL && home->down) {
            TEXT_SET(tunnel->why, "%s", "taken down by command");
            tunnel_step(t, tunnel, TUNNEL_IN_DOWN, NULL);
        }
    }
}

size_t tunnels_command(struct tunnels *t, mono_t now, const char *name, bool up)
{
    size_t named = 0;

    t->now = now;
    for (size_t i = 0; i < t->count; i++) {
        if (is_named(t->all[i], name)) {
            named++;
            command_home(t, t->all[i], up);
        }
    }
    end_instances(t);
    return named;
}

bool tunnels_info(const struct tunnels *t, size_t i, struct tunnel_info *ret)
{
    if (i >= t->count)
        return false;
    const struct tunnel *tunnel = t->all[i];
    *ret = (struct tunnel_info){
        .connection = tunnel->connection,
        .selector = tunnel_selector(tunnel),
        .ticket = tunnel->ticket,
        .state = tunnel->state,
        .home = tunnel->home,
        .down = tunnel->down,
        .traffic = tunnel_is_up(tunnel) ? tunnel->agreed : *tunnel_traffic(tunnel),
        .local = tunnel->local,
        .peer = tunnel->peer,
        .moved = tunnel->moved,
        .peer_id = tunnel->peer_id,
        .version = tunnel->version,
        .spi_in = tunnel->spi_in,
        .spi_out = tunnel->spi_out,
        .suite = tunnel->suite,
        .since = tunnel->since,
        .next = tunnel->timer.at.ms >= INT64_MAX - 1 ? MONO_NEVER : tunnel->timer.at,
        .failures = tunnel->failures,
        .why = tunnel->why,
    };
    return true;
}
