/* Finding and freeing: phase 1 SAs, peers, tickets. */
#include <assert.h>

#include "ike/engine.h"
#include "ike/v1/v1.h"

/* Peers */

static struct ike_peer_key peer_key(const struct ip_addr *local, const struct ip_addr *remote)
{
    return (struct ike_peer_key){.local = *local, .remote = *remote};
}

struct ike_peer *ike_peer_get(struct ike *ike, const struct ip_addr *local,
                              const struct ip_addr *remote, bool create)
{
    struct ike_peer_key key = peer_key(local, remote);
    struct map_node *node = map_find(&ike->peers, &key);
    if (node != NULL || !create)
        return node ? MAP_OWNER(node, struct ike_peer, by_addresses) : NULL;
    struct ike_peer *peer = calloc(1, sizeof(*peer));
    if (peer == NULL)
        return NULL;
    peer->key = key;
    LIST_INIT(&peer->sas);
    LIST_INIT(&peer->v2_sas);
    LIST_INIT(&peer->requests);
    LIST_INIT(&peer->children);
    if (!map_insert(&ike->peers, &peer->by_addresses)) {
        free(peer);
        return NULL;
    }
    return peer;
}

void ike_peer_put(struct ike *ike, struct ike_peer *peer)
{
    if (!LIST_EMPTY(&peer->sas) || !LIST_EMPTY(&peer->v2_sas) || !LIST_EMPTY(&peer->requests) || !LIST_EMPTY(&peer->children))
        return;
    map_remove(&ike->peers, &peer->by_addresses);
    free(peer);
}

/* Who it proved to be under an SA that is up; NULL: there is none. */
static const struct identity *established_with(const struct ike_peer *peer)
{
    const struct ike_sa *sa;
    const struct v2_sa *v2_sa;
    LIST_FOREACH(sa, &peer->sas, of_peer)
        if (ike_sa_established(sa) && !sa->dying)
            return &sa->peer_id;
    LIST_FOREACH(v2_sa, &peer->v2_sas, of_peer)
        if (v2_sa->established && !v2_sa->dying)
            return &v2_sa->peer_id;
    return NULL;
}

/* OE-175 */
void ike_peer_note(struct ike *ike, struct ike_peer *peer)
{
    const struct identity *peer_id = established_with(peer);
    bool connected = peer_id != NULL || !LIST_EMPTY(&peer->children);
    struct ike_effect fx = {.kind = IKE_FX_PEER,
                            .ok = connected,
                            .peer = peer->key.remote,
                            .local = {.addr = peer->key.local},
                            .remote = {.addr = peer->key.remote}};
    if (connected == peer->connected)
        return;
    peer->connected = connected;
    if (peer_id != NULL)
        fx.peer_id = *peer_id;
    (void)ike_effect_push(ike, &fx);
}

struct ike_sa *ike_peer_sa(const struct ike_peer *peer, const uint8_t *key_digest)
{
    struct ike_sa *sa;
    LIST_FOREACH (sa, &peer->sas, of_peer)
        if (ike_sa_established(sa) && !sa->dying &&
            memcmp(sa->peer_key_digest, key_digest, IKE_DIGEST_LEN) == 0)
            return sa;
    return NULL;
}

/* Tickets */

struct ike_ticket *ike_ticket_get(struct ike *ike, uint64_t number, bool create)
{
    struct map_node *node = map_find(&ike->tickets, &number);
    if (node != NULL || !create)
        return node ? MAP_OWNER(node, struct ike_ticket, by_number) : NULL;
    struct ike_ticket *ticket = calloc(1, sizeof(*ticket));
    if (ticket == NULL)
        return NULL;
    ticket->number = number;
    LIST_INIT(&ticket->children);
    LIST_INIT(&ticket->quicks);
    LIST_INIT(&ticket->making);
    if (!map_insert(&ike->tickets, &ticket->by_number)) {
        free(ticket);
        return NULL;
    }
    return ticket;
}

void ike_ticket_put(struct ike *ike, struct ike_ticket *ticket)
{
    if (ticket->request != NULL || !LIST_EMPTY(&ticket->children) ||
        !LIST_EMPTY(&ticket->quicks) || !LIST_EMPTY(&ticket->making))
        return;
    map_remove(&ike->tickets, &ticket->by_number);
    free(ticket);
}

/* Phase 1 SAs */

static bool list_all(struct ike *ike, struct ike_sa *sa)
{
    if (ike->all_count == ike->all_room) {
        size_t room = ike->all_room ? 2 * ike->all_room : 16;
        struct ike_sa **all = realloc(ike->all, room * sizeof(struct ike_sa *));
        if (all == NULL)
            return false;
        ike->all = all;
        ike->all_room = room;
    }
    sa->index = ike->all_count;
    ike->all[ike->all_count++] = sa;
    return true;
}

static void unlist_all(struct ike *ike, struct ike_sa *sa)
{
    struct ike_sa *last = ike->all[--ike->all_count];
    ike->all[sa->index] = last;
    last->index = sa->index;
}

/* OE-084: tunnels come and go, and it stays for the next one; it ends with its lifetime. */
static void sa_expired(struct ike *ike, struct ike_timer *timer)
{
    struct ike_sa *sa = (struct ike_sa *)(void *)((char *)timer - offsetof(struct ike_sa, expiry));
    v1_trace(ike, sa, NULL, EVENT_INFO, "IKE SA expired", "its lifetime is over");
    ike_sa_end(ike, sa, NULL, 0);
}

void ike_sa_evictable(struct ike *ike, struct ike_sa *sa)
{
    TAILQ_INSERT_TAIL(&ike->established, sa, of_established);
    sa->listed = true;
}

static void evictable_remove(struct ike *ike, struct ike_sa *sa)
{
    if (sa->listed)
        TAILQ_REMOVE(&ike->established, sa, of_established);
    sa->listed = false;
}

/* What a full table makes room with: the SA longest established, or longest not found in use, that
 * nothing uses (OE-194). Each call looks at a few; those in use go to the end of the line. */
static struct ike_sa *oldest_unused(struct ike *ike)
{
    for (unsigned i = 0; i < IKE_EVICTION_LOOKS; i++) {
        struct ike_sa *sa = TAILQ_FIRST(&ike->established);
        if (sa == NULL)
            return NULL;
        if (!sa->dying && LIST_EMPTY(&sa->quicks) &&
            (sa->peer == NULL || LIST_EMPTY(&sa->peer->children)))
            return sa;
        evictable_remove(ike, sa);
        ike_sa_evictable(ike, sa);
    }
    return NULL;
}

static enum err make_room(struct ike *ike)
{
    if (ike->all_count + ike->v2.all_count < ike->sa_limit)
        return ERR_OK;
    struct ike_sa *sa = oldest_unused(ike);
    if (sa == NULL)
        return ERR_LIMIT;
    ike_sa_end(ike, sa, NULL, 0);
    return ERR_OK;
}

enum err ike_sa_new(struct ike *ike, const uint8_t *cookies, bool initiator,
                    const struct ip_endpoint *local, const struct ip_endpoint *remote, bool natt,
                    struct ike_sa **ret)
{
    enum v1_state state = initiator ? V1_MM_I_START : V1_MM_R_OFFERED;
    enum err err = make_room(ike);
    if (err != ERR_OK)
        return err;
    struct ike_sa *sa = calloc(1, sizeof(*sa));
    if (sa == NULL)
        return ERR_MEMORY;
    memcpy(sa->cookies, cookies, sizeof(sa->cookies));
    /* RSIP-008: answers go to where messages come from, whatever the ports */
    sa->local = *local;
    sa->remote = *remote;
    sa->path = (struct ike_path){*local, *remote, natt};
    sa->initiator = initiator;
    sa->number = ike_serial(ike);
    sa->since = ike->now;
    sa->expires = MONO_NEVER;
    LIST_INIT(&sa->quicks);
    sa->handshake = calloc(1, sizeof(*sa->handshake));
    if (sa->handshake == NULL)
        goto no_handshake;
    if (v1_exchange_init(ike, &sa->main, sa, state, (msgid_t){0}, initiator) != ERR_OK)
        goto no_exchange;
    if (!ike_timer_add(ike, &sa->expiry, sa_expired))
        goto no_timer;
    if (!ike_timer_add(ike, &sa->keepalive, nat_keepalive))
        goto no_keepalive;
    if (!ike_timer_add(ike, &sa->dpd_timer, dpd_timer))
        goto no_dpd;
    if (!list_all(ike, sa))
        goto no_list;
    if (!map_insert(&ike->sas, &sa->by_cookies))
        goto no_map;
    *ret = sa;
    return ERR_OK;

no_map:
    unlist_all(ike, sa);
no_list:
    ike_timer_drop(ike, &sa->dpd_timer);
no_dpd:
    ike_timer_drop(ike, &sa->keepalive);
no_keepalive:
    ike_timer_drop(ike, &sa->expiry);
no_timer:
    v1_exchange_fini(ike, &sa->main);
no_exchange:
    main_handshake_free(sa->handshake);
no_handshake:
    free(sa);
    return ERR_MEMORY;
}

enum err ike_sa_attach(struct ike *ike, struct ike_sa *sa)
{
    struct ike_peer *peer = ike_peer_get(ike, &sa->local.addr, &sa->remote.addr, true);
    if (peer == NULL)
        return ERR_MEMORY;
    sa->peer = peer;
    LIST_INSERT_HEAD(&peer->sas, sa, of_peer);
    return ERR_OK;
}

/* Keyed, so that nobody can choose to share the slot of another. An IPv6 host has a whole /64. */
uint16_t ike_unproven_slot(const struct ike *ike, const struct ip_addr *remote)
{
    size_t len = remote->family == IP_V6 ? 8 : 4;
    uint64_t hash = ike->unproven_seeds[0];
    for (size_t i = 0; i < len; i++)
        hash = (hash ^ remote->octets[i]) * (ike->unproven_seeds[1] | 1);
    return (uint16_t)((hash >> 32) % IKE_UNPROVEN_SLOTS);
}

bool ike_unproven_many(const struct ike *ike, const struct ip_addr *remote)
{
    return ike->unproven_from[ike_unproven_slot(ike, remote)] >= IKE_UNPROVEN_EACH;
}

static void unproven_remove(struct ike *ike, struct ike_sa *sa)
{
    if (!sa->unproven)
        return;
    TAILQ_REMOVE(&ike->unproven, sa, of_unproven);
    ike->unproven_count--;
    ike->unproven_from[sa->unproven_slot]--;
    sa->unproven = false;
}

void ike_sa_unproven_add(struct ike *ike, struct ike_sa *sa)
{
    if (ike->unproven_count >= ike->config.half_open) {
        ike_count(ike, IKE_COUNT_UNPROVEN_EVICTED);
        ike_sa_free(ike, TAILQ_FIRST(&ike->unproven));
    }
    TAILQ_INSERT_TAIL(&ike->unproven, sa, of_unproven);
    ike->unproven_count++;
    sa->unproven_slot = ike_unproven_slot(ike, &sa->remote.addr);
    ike->unproven_from[sa->unproven_slot]++;
    sa->unproven = true;
}

void ike_sa_established_now(struct ike *ike, struct ike_sa *sa)
{
    uint64_t seconds = ike->config.ike_lifetime_s, offered = sa->lifetime.seconds;
    if (offered != 0 && offered < LIMIT_IKE_LIFE_MIN_S)
        offered = LIMIT_IKE_LIFE_MIN_S;
    if (offered != 0 && offered < seconds)
        seconds = offered;
    unproven_remove(ike, sa);
    ike_sa_evictable(ike, sa);
    if (sa->peer == NULL && ike_sa_attach(ike, sa) != ERR_OK)
        ike_count(ike, IKE_COUNT_MEMORY);
    sa->since = ike->now;
    sa->expires = mono_add(ike->now, (int64_t)seconds * 1000);
    ike_timer_set(ike, &sa->expiry, sa->expires);
    nat_keepalive_start(ike, sa);
    dpd_start(ike, sa);
    sa->proven = ike_serial(ike);
    saved_sa(ike, sa);
    if (sa->peer != NULL)
        ike_peer_note(ike, sa->peer);
}

struct ike_sa *ike_sa_find(const struct ike *ike, const uint8_t *cookies)
{
    struct map_node *node = map_find(&ike->sas, cookies);
    return node ? MAP_OWNER(node, struct ike_sa, by_cookies) : NULL;
}

void ike_sa_set_responder_cookie(struct ike *ike, struct ike_sa *sa, const uint8_t *cookie)
{
    map_remove(&ike->sas, &sa->by_cookies);
    memcpy(sa->cookies + ISAKMP_COOKIE_LEN, cookie, ISAKMP_COOKIE_LEN);
    bool back = map_insert(&ike->sas, &sa->by_cookies);
    assert(back); /* the table is there already */
    (void)back;
}

static void end_quicks(struct ike *ike, struct ike_sa *sa)
{
    while (!LIST_EMPTY(&sa->quicks)) {
        struct v1_quick *quick = LIST_FIRST(&sa->quicks);
        if (quick->x.state == V1_QM_DONE)
            quick_free(ike, quick);
        else
            ike_request_quick_failed(ike, quick, IKE_FAILURE_OTHER, "its IKE SA ended");
    }
}

/* The Quick Modes end first, while the peer can still be told about them. */
void ike_sa_end(struct ike *ike, struct ike_sa *sa, const spi_t *spis, size_t count)
{
    sa->dying = true;
    end_quicks(ike, sa);
    info_send_delete_sa(ike, sa, spis, count);
    ike_sa_free(ike, sa);
}

void ike_sa_free(struct ike *ike, struct ike_sa *sa)
{
    struct ike_request *request, *next;

    sa->dying = true;
    end_quicks(ike, sa);
    if (ike_sa_established(sa))
        saved_forget(ike, sa->number);
    unproven_remove(ike, sa);
    evictable_remove(ike, sa);
    map_remove(&ike->sas, &sa->by_cookies);
    unlist_all(ike, sa);
    ike_timer_drop(ike, &sa->expiry);
    ike_timer_drop(ike, &sa->keepalive);
    ike_timer_drop(ike, &sa->dpd_timer);
    v1_exchange_fini(ike, &sa->main);
    main_handshake_free(sa->handshake);
    free(sa->used_ids);
    if (sa->peer != NULL) {
        for (request = LIST_FIRST(&sa->peer->requests); request != NULL; request = next) {
            next = LIST_NEXT(request, of_peer);
            if (request->sa == sa)
                request->sa = NULL;
        }
        LIST_REMOVE(sa, of_peer);
        ike_peer_note(ike, sa->peer);
        ike_peer_put(ike, sa->peer);
    }
    secret_wipe(sa, sizeof(*sa));
    free(sa);
}
