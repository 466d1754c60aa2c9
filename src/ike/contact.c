/*
 * INITIAL-CONTACT (RFC 2407 section 4.6.3.3): who crashed tells its former partners that the SAs
 * they hold lead nowhere any more (OE-175), and who hears it drops them (OE-176).
 */
#include <stdlib.h>

#include "ike/engine.h"
#include "ike/v1/v1.h"
#include "ike/v2/v2.h"

static struct ike_peer_key key_of(const struct ip_addr *local, const struct ip_addr *remote)
{
    return (struct ike_peer_key){.local = *local, .remote = *remote};
}

static struct ike_former *find(const struct ike *ike, const struct ike_peer_key *key)
{
    struct map_node *node = map_find(&ike->formers, key);
    return node != NULL ? MAP_OWNER(node, struct ike_former, by_addresses) : NULL;
}

enum err contact_former_peer(struct ike *ike, const struct ike_event *event)
{
    struct ike_peer_key key = key_of(&event->local.addr, &event->remote.addr);
    if (find(ike, &key) != NULL)
        return ERR_OK;
    if (ike->formers.count >= ike->sa_limit) {
        ike_count(ike, IKE_COUNT_LIMIT);
        return ERR_LIMIT;
    }
    struct ike_former *former = calloc(1, sizeof(*former));
    if (former == NULL)
        return ERR_MEMORY;
    former->key = key;
    if (!map_insert(&ike->formers, &former->by_addresses)) {
        free(former);
        return ERR_MEMORY;
    }
    return ERR_OK;
}

bool contact_is_due(const struct ike *ike, const struct ip_addr *local,
                    const struct ip_addr *remote)
{
    struct ike_peer_key key = key_of(local, remote);
    return find(ike, &key) != NULL;
}

static void forget(struct ike *ike, struct ike_former *former)
{
    map_remove(&ike->formers, &former->by_addresses);
    free(former);
}

void contact_made(struct ike *ike, const struct ip_addr *local, const struct ip_addr *remote)
{
    struct ike_peer_key key = key_of(local, remote);
    struct ike_former *former = find(ike, &key);
    if (former != NULL)
        forget(ike, former);
}

void contact_fini(struct ike *ike)
{
    struct map_node *node;
    while ((node = map_first(&ike->formers)) != NULL)
        forget(ike, MAP_OWNER(node, struct ike_former, by_addresses));
    map_fini(&ike->formers);
}

/* Main Mode for its own sake: the peer's traffic may be going into tunnels that end nowhere. */
enum err contact_greet(struct ike *ike, const struct ike_event *event)
{
    struct ike_peer_key key = key_of(&event->local.addr, &event->remote.addr);
    struct ike_ticket none = {.number = 0};
    const struct ike_request request = {
        .ticket = &none,
        .local = {.addr = event->local.addr, .port = ike_own_port(ike)},
        .remote = {.addr = event->remote.addr, .port = IKE_PORT},
        .peer_id = event->peer_id,
        .keys = (struct public_key *)(uintptr_t)event->keys, /* copied from */
        .key_count = event->key_count,
    };
    struct ike_sa *sa;

    if (find(ike, &key) == NULL)
        return ERR_OK; /* it has heard in the meantime */
    if (event->key_count == 0 || event->key_count > LIMIT_GATEWAY_KEYS ||
        event->local.addr.family != event->remote.addr.family) {
        ike_count(ike, IKE_COUNT_BAD_REQUEST);
        return ERR_VALUE;
    }
    enum err err = main_new(ike, &request, &sa);
    if (err != ERR_OK)
        return err;
    v1_trace(ike, sa, NULL, EVENT_INFO, "Former partner", "we restarted: it is told so");
    err = v1_start(ike, &sa->main);
    if (err != ERR_OK)
        ike_sa_free(ike, sa);
    return err;
}

/* Of the same peer, by address and by key, and complete before it began the SA that says so. */
static struct ike_sa *older_sa(const struct ike_peer *peer, const uint8_t *key_digest,
                               uint64_t since)
{
    struct ike_sa *other;
    LIST_FOREACH(other, &peer->sas, of_peer)
        if (ike_sa_established(other) && !other->dying && other->proven < since &&
            memcmp(other->peer_key_digest, key_digest, IKE_DIGEST_LEN) == 0)
            return other;
    return NULL;
}

static struct v2_sa *older_v2_sa(const struct ike_peer *peer, const uint8_t *key_digest,
                                 uint64_t since)
{
    struct v2_sa *other;
    LIST_FOREACH(other, &peer->v2_sas, of_peer)
        if (other->established && !other->dying && other->proven < since &&
            memcmp(other->peer_key_digest, key_digest, V2_DIGEST_LEN) == 0)
            return other;
    return NULL;
}

static struct ike_child *older_child(const struct ike_peer *peer, const uint8_t *key_digest,
                                     uint64_t since)
{
    struct ike_child *child;
    LIST_FOREACH(child, &peer->children, of_peer)
        if (child->born < since && memcmp(child->peer_key, key_digest, IKE_DIGEST_LEN) == 0)
            return child;
    return NULL;
}

/* Nobody is told: the peer knows. What was being negotiated under an old SA starts over. */
void contact_peer_restarted(struct ike *ike, struct ike_peer *peer, const uint8_t *key_digest,
                            uint64_t since)
{
    struct ike_child *child;
    struct v2_sa *v2_sa;
    struct ike_sa *sa;

    while ((sa = older_sa(peer, key_digest, since)) != NULL)
        ike_sa_free(ike, sa);
    while ((v2_sa = older_v2_sa(peer, key_digest, since)) != NULL)
        v2_sa_free(ike, v2_sa);
    while ((child = older_child(peer, key_digest, since)) != NULL)
        ike_child_finish(ike, child);
}
