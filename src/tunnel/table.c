/*
 * The life of a tunnel as a table of state x input. tunnel_step() is the only place where the state
 * is set and where the plane is told. An input without a row changes nothing.
 */
#include <stdio.h>

#include "tunnel/internal.h"

typedef void tunnel_action(struct tunnels *t, struct tunnel *tunnel,
                           const struct tunnel_event *up);

enum {
    RETRY_MS = 1000,
    RETRY_MOST_MS = 300000,
    REKEY_AGAIN_MS = 10000,
    UNFINISHED_MS = 60000, /* a peer that proposes and doesn't go on */
};

void tunnel_set_timer(struct tunnels *t, struct tunnel *tunnel, mono_t at)
{
    /* Every tunnel is in the heap for good, so that this can't fail. */
    mono_t idle = {INT64_MAX - 1};
    bool done = heap_set(&t->timers, &tunnel->timer, at.ms < idle.ms ? at : idle);
    (void)done;
}

static struct ip_addr own_address(const struct tunnels *t, const struct tunnel *tunnel)
{
    const struct ip_addr *given = &tunnel->connection->profile->local;
    if (given->family != IP_NONE)
        return *given;
    struct ip_addr first = {.family = IP_NONE};
    for (size_t i = 0; i < t->config.own_count; i++) {
        if (t->config.own[i].family != tunnel->peer.family)
            continue;
        if (address_reaches(&t->env.ways, &t->config.own[i], &tunnel->peer))
            return t->config.own[i];
        if (first.family == IP_NONE)
            first = t->config.own[i];
    }
    return first;
}

static void initiate(struct tunnels *t, struct tunnel *tunnel, const struct traffic_pair *traffic)
{
    if (tunnel->local.family == IP_NONE)
        tunnel->local = own_address(t, tunnel);
    const struct tunnel_effect fx = {.kind = TUNNEL_FX_IKE_INITIATE,
                                     .ticket = tunnel->ticket,
                                     .profile = tunnel->connection->profile,
                                     .local = tunnel->local,
                                     .peer = tunnel->peer,
                                     .traffic = *traffic};
    tunnel_push(t, &fx);
}

static void key(struct tunnels *t, struct tunnel *tunnel, const struct tunnel_event *up)
{
    (void)up;
    tunnel_note(t, tunnel, EVENT_INFO, "Tunnel wanted", "negotiating");
    tunnel->local = (struct ip_addr){.family = IP_NONE}; /* the last one may be gone */
    if (tunnel->moved.family != IP_NONE)
        tunnel->peer = tunnel->moved;
    initiate(t, tunnel, &tunnel_selector(tunnel)->traffic);
}

static void rekey(struct tunnels *t, struct tunnel *tunnel, const struct tunnel_event *up)
{
    (void)up;
    initiate(t, tunnel, &tunnel->agreed);
}

/* Doubles from failure to failure; a quarter of it is left to chance, so that many tunnels that
 * failed together don't come back together. */
static mono_t retry_at(const struct tunnels *t, const struct tunnel *tunnel)
{
    uint32_t first = t->config.retry_ms != 0 ? t->config.retry_ms : RETRY_MS;
    uint32_t most = t->config.retry_most_ms != 0 ? t->config.retry_most_ms : RETRY_MOST_MS;
    unsigned doublings = tunnel->failures > 1 ? tunnel->failures - 1 : 0;
    uint64_t pause = doublings < 20 ? (uint64_t)first << doublings : most;
    if (pause > most)
        pause = most;
    pause -= rng_u32(&t->env.rng) % (pause / 4 + 1);
    return mono_add(t->now, (int64_t)pause);
}

static void back_off(struct tunnels *t, struct tunnel *tunnel, const struct tunnel_event *up)
{
    (void)up;
    if (tunnel->moved.family != IP_NONE) /* it may be back */
        tunnel->peer = tunnel->connection->profile->remote.addr;
    tunnel->moved.family = IP_NONE;
    tunnel->failures++;
    tunnel_set_timer(t, tunnel, retry_at(t, tunnel));
    tunnel_note(t, tunnel, EVENT_WARNING, "Tunnel failed", tunnel->why);
}

static void expect(struct tunnels *t, struct tunnel *tunnel, const struct tunnel_event *up)
{
    (void)up;
    tunnel_set_timer(t, tunnel, mono_add(t->now, UNFINISHED_MS));
}

static void forget_address(struct tunnels *t, struct tunnel *tunnel)
{
    const struct tunnel_effect fx = {.kind = TUNNEL_FX_ADDRESS,
                                     .ticket = tunnel->ticket,
                                     .address = tunnel->address,
                                     .traffic = tunnel->agreed};
    if (tunnel->address.family == IP_NONE)
        return;
    tunnel_push(t, &fx);
    tunnel->address.family = IP_NONE;
}

static void take_address(struct tunnels *t, struct tunnel *tunnel)
{
    const struct ip_prefix *net = &tunnel->agreed.local.net;
    if (!tunnel->connection->profile->want_address || net->bits != ip_addr_bits(&net->addr) ||
        ip_addr_equal(&net->addr, &tunnel->address))
        return;
    forget_address(t, tunnel);
    tunnel->address = net->addr;
    const struct tunnel_effect fx = {.kind = TUNNEL_FX_ADDRESS,
                                     .ticket = tunnel->ticket,
                                     .ok = true,
                                     .address = tunnel->address,
                                     .traffic = tunnel->agreed};
    tunnel_push(t, &fx);
}

static void take_up(struct tunnels *t, struct tunnel *tunnel, const struct tunnel_event *up)
{
    char detail[3 * TRAFFIC_TEXT_MAX], local[TRAFFIC_TEXT_MAX], remote[TRAFFIC_TEXT_MAX];
    bool renewed = tunnel->spi_out.value != 0;

    if (up->traffic.local.net.addr.family != IP_NONE)
        tunnel->agreed = up->traffic;
    else if (tunnel->home && !renewed)
        tunnel->agreed = tunnel_selector(tunnel)->traffic;
    tunnel->peer = up->peer;
    if (up->local.family != IP_NONE)
        tunnel->local = up->local;
    if (up->peer_id.kind != IDENTITY_NONE)
        tunnel->peer_id = up->peer_id;
    tunnel->spi_in = up->spi_in;
    tunnel->spi_out = up->spi_out;
    tunnel->suite = up->suite;
    tunnel->version = (uint8_t)up->version;
    tunnel->failures = 0;
    tunnel->why[0] = '\0';
    tunnel_set_timer(t, tunnel, MONO_NEVER);
    take_address(t, tunnel);
    snprintf(detail, sizeof(detail), "%s to %s", traffic_format(&tunnel->agreed.local, local),
             traffic_format(&tunnel->agreed.remote, remote));
    tunnel_note(t, tunnel, EVENT_INFO, renewed ? "Tunnel renewed" : "Tunnel up", detail);
}

static void forget_child(struct tunnels *t, struct tunnel *tunnel)
{
    forget_address(t, tunnel);
    tunnel->spi_in = tunnel->spi_out = (spi_t){0};
    if (tunnel->home && tunnel_connection_is_open(tunnel->connection)) {
        tunnel->peer.family = IP_NONE;
        memset(&tunnel->peer_id, 0, sizeof(tunnel->peer_id));
    }
}

/* The old child lives until its hard expiry: time enough for some more tries. */
static void rekey_later(struct tunnels *t, struct tunnel *tunnel, const struct tunnel_event *up)
{
    (void)up;
    tunnel_set_timer(t, tunnel, mono_add(t->now, REKEY_AGAIN_MS));
    tunnel_note(t, tunnel, EVENT_WARNING, "Tunnel not renewed", tunnel->why);
}

static void lose(struct tunnels *t, struct tunnel *tunnel, const struct tunnel_event *up)
{
    forget_child(t, tunnel);
    tunnel_note(t, tunnel, EVENT_WARNING, "Tunnel lost", tunnel->why);
    key(t, tunnel, up);
}

/* The request for a new child is under way and answers for the tunnel from now on. */
static void lose_old(struct tunnels *t, struct tunnel *tunnel, const struct tunnel_event *up)
{
    (void)up;
    forget_child(t, tunnel);
    tunnel_note(t, tunnel, EVENT_WARNING, "Tunnel lost", tunnel->why);
}

static void end(struct tunnels *t, struct tunnel *tunnel, const struct tunnel_event *up)
{
    (void)up;
    forget_child(t, tunnel);
    tunnel_set_timer(t, tunnel, MONO_NEVER);
    tunnel_note(t, tunnel, EVENT_INFO, "Tunnel ended", tunnel->why);
}

static void rest(struct tunnels *t, struct tunnel *tunnel, const struct tunnel_event *up)
{
    (void)up;
    tunnel_set_timer(t, tunnel, MONO_NEVER);
}

static void cancel(struct tunnels *t, struct tunnel *tunnel, const struct tunnel_event *up)
{
    const struct tunnel_effect fx = {.kind = TUNNEL_FX_IKE_CANCEL, .ticket = tunnel->ticket};
    tunnel_push(t, &fx);
    rest(t, tunnel, up);
}

static void delete_child(struct tunnels *t, struct tunnel *tunnel, const struct tunnel_event *up)
{
    const struct tunnel_effect fx = {.kind = TUNNEL_FX_IKE_DELETE, .ticket = tunnel->ticket};
    tunnel_push(t, &fx);
    end(t, tunnel, up);
}

static void cancel_and_delete(struct tunnels *t, struct tunnel *tunnel,
                              const struct tunnel_event *up)
{
    cancel(t, tunnel, up);
    delete_child(t, tunnel, up);
}

struct row {
    tunnel_action *action;
    enum tunnel_state next;
};

/* clang-format off */
static const struct row table[TUNNEL_STATES][TUNNEL_INPUTS] = {
    [TUNNEL_IDLE] = {
        [TUNNEL_IN_WANT]     = {key,               TUNNEL_KEYING},
        [TUNNEL_IN_ACCEPTED] = {expect,            TUNNEL_EXPECTED},
        [TUNNEL_IN_UP]       = {take_up,           TUNNEL_UP},
        [TUNNEL_IN_DOWN]     = {rest,              TUNNEL_IDLE},
    },
    [TUNNEL_EXPECTED] = {
        [TUNNEL_IN_ACCEPTED] = {expect,            TUNNEL_EXPECTED},
        [TUNNEL_IN_UP]       = {take_up,           TUNNEL_UP},
        [TUNNEL_IN_FAILED]   = {rest,              TUNNEL_IDLE},
        [TUNNEL_IN_RETRY]    = {key,               TUNNEL_KEYING},
        [TUNNEL_IN_REST]     = {rest,              TUNNEL_IDLE},
        [TUNNEL_IN_DOWN]     = {cancel,            TUNNEL_IDLE},
    },
    [TUNNEL_KEYING] = {
        [TUNNEL_IN_UP]       = {take_up,           TUNNEL_UP},
        [TUNNEL_IN_FAILED]   = {back_off,          TUNNEL_WAITING},
        [TUNNEL_IN_DOWN]     = {cancel,            TUNNEL_IDLE},
    },
    [TUNNEL_UP] = {
        [TUNNEL_IN_UP]       = {take_up,           TUNNEL_UP},
        [TUNNEL_IN_SOFT]     = {rekey,             TUNNEL_REKEYING},
        [TUNNEL_IN_RETRY]    = {rekey,             TUNNEL_REKEYING},
        [TUNNEL_IN_LOST]     = {lose,              TUNNEL_KEYING},
        [TUNNEL_IN_ENDED]    = {end,               TUNNEL_IDLE},
        [TUNNEL_IN_DOWN]     = {delete_child,      TUNNEL_IDLE},
    },
    [TUNNEL_REKEYING] = {
        [TUNNEL_IN_UP]       = {take_up,           TUNNEL_UP},
        [TUNNEL_IN_FAILED]   = {rekey_later,       TUNNEL_UP},
        [TUNNEL_IN_LOST]     = {lose_old,          TUNNEL_KEYING},
        [TUNNEL_IN_ENDED]    = {lose_old,          TUNNEL_KEYING},
        [TUNNEL_IN_DOWN]     = {cancel_and_delete, TUNNEL_IDLE},
    },
    [TUNNEL_WAITING] = {
        [TUNNEL_IN_UP]       = {take_up,           TUNNEL_UP},
        [TUNNEL_IN_RETRY]    = {key,               TUNNEL_KEYING},
        [TUNNEL_IN_REST]     = {rest,              TUNNEL_IDLE},
        [TUNNEL_IN_DOWN]     = {rest,              TUNNEL_IDLE},
    },
};
/* clang-format on */

void tunnel_step(struct tunnels *t, struct tunnel *tunnel, enum tunnel_input input,
                 const struct tunnel_event *up)
{
    const struct row *row = &table[tunnel->state][input];
    if (row->action == NULL)
        return;
    if (tunnel->state != row->next)
        tunnel->since = t->now;
    tunnel->state = (uint8_t)row->next;
    row->action(t, tunnel, up);
    if (!tunnel->home && tunnel->state == TUNNEL_IDLE)
        tunnel_remove(t, tunnel);
    else
        tunnel_tell_rule(t, tunnel);
}

const char *tunnel_state_name(enum tunnel_state state)
{
    static const char *const names[TUNNEL_STATES] = {
        [TUNNEL_IDLE] = "idle", [TUNNEL_EXPECTED] = "expected",   [TUNNEL_KEYING] = "keying",
        [TUNNEL_UP] = "up",     [TUNNEL_REKEYING] = "re-keying", [TUNNEL_WAITING] = "waiting",
    };
    return names[state];
}
