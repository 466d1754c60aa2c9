/*
 * After a crash in which everything was lost, former peers may go on sending into tunnels that end
 * nowhere. Each is looked up in DNS and gets a Main Mode with INITIAL-CONTACT, a few at a time
 * (OE-175, OE-176). Whoever makes contact first, by whatever way, needs no greeting.
 */
#include "control/internal.h"

#include <stdlib.h>

enum {
    GREET_AT_ONCE = 32,     /* begun in one turn */
    GREET_TURN_MS = 1000,
    GREET_FIRST_MS = 1000,  /* resolver and keeper may still be starting */
    GREET_AGAIN_MS = 30000, /* a peer that may be down as well */
    GREET_TRIES = 4,
};

enum err greet_add(struct control *c, mono_t now, const struct control_event *event)
{
    struct ike_event former = {
        .kind = IKE_EV_FORMER_PEER, .local = event->local, .remote = event->remote};
    enum err err = ike_input(c->ike, now, &former);

    if (err != ERR_OK)
        return err;
    if (c->greeting_count == c->greeting_room) {
        size_t room = 2 * c->greeting_room + 16;
        struct greeting *all = realloc(c->greetings, room * sizeof(*all));
        if (all == NULL)
            return ERR_MEMORY;
        c->greetings = all;
        c->greeting_room = room;
    }
    struct greeting *g = &c->greetings[c->greeting_count++];
    *g = (struct greeting){.local = event->local.addr,
                           .remote = event->remote.addr,
                           .peer_id = event->peer_id,
                           .next = mono_add(now, GREET_FIRST_MS)};
    if (g->peer_id.kind == IDENTITY_NONE)
        g->peer_id = identity_of_addr(&g->remote);
    c->greet_at = mono_min(c->greet_at, g->next);
    return ERR_OK;
}

static void ask_for_keys(struct control *c, mono_t now, size_t i)
{
    struct discover_event ask = {.kind = DISCOVER_EV_KEYS,
                                 .ticket = (uint64_t)1 << GREET_TICKETS | i,
                                 .id = c->greetings[i].peer_id};
    if (discover_input(c->discover, now, &ask) != ERR_OK)
        c->counters[CONTROL_COUNT_effects_lost]++;
}

void greet_timer(struct control *c, mono_t now)
{
    size_t begun = 0;
    mono_t next = MONO_NEVER;

    if (!mono_reached(now, c->greet_at))
        return;
    for (size_t i = 0; i < c->greeting_count; i++) {
        struct greeting *g = &c->greetings[i];
        if (mono_reached(now, g->next) && begun < GREET_AT_ONCE) {
            begun++;
            g->next = ++g->tries < GREET_TRIES ? mono_add(now, GREET_AGAIN_MS) : MONO_NEVER;
            ask_for_keys(c, now, i);
        }
        next = mono_min(next, g->next);
    }
    c->greet_at = mono_reached(now, next) ? mono_add(now, GREET_TURN_MS) : next;
}

/* Only with keys that would do for a tunnel. */
void greet_keys(struct control *c, mono_t now, const struct discover_effect *fx)
{
    size_t i = fx->ticket & ~((uint64_t)1 << GREET_TICKETS);
    const struct identity_keys *keys = fx->keys;

    if (i >= c->greeting_count || keys->status != DISCOVERED_FOUND ||
        (c->require_dnssec && !keys->secure))
        return;
    struct ike_event greet = {.kind = IKE_EV_GREET,
                              .local = {.addr = c->greetings[i].local},
                              .remote = {.addr = c->greetings[i].remote},
                              .peer_id = c->greetings[i].peer_id,
                              .keys = keys->keys,
                              .key_count = keys->count};
    ike_input(c->ike, now, &greet);
}

void greet_connected(struct control *c, const struct ip_addr *local, const struct ip_addr *remote)
{
    for (size_t i = 0; i < c->greeting_count; i++)
        if (ip_addr_equal(&c->greetings[i].local, local) &&
            ip_addr_equal(&c->greetings[i].remote, remote))
            c->greetings[i].next = MONO_NEVER;
}

void greet_fini(struct control *c)
{
    free(c->greetings);
    c->greetings = NULL;
    c->greeting_count = c->greeting_room = 0;
    c->greet_at = MONO_NEVER;
}
