/*
 * What a gateway has with us: its instances in the order of use, the peers there that have not
 * finished, and who of them has proved a key that was vouched for. Each has a bound or an index, so
 * that one address can make neither itself nor others slow (OE-194).
 */
#include "oe/internal.h"

#include <assert.h>
#include <stdlib.h>

#include "crypto/hash.h"

enum { GATEWAY_SHARE = 8, GATEWAY_FEW = 64 };

struct oe_gateway *instance_gateway(const struct oe *oe, const struct ip_addr *addr)
{
    struct gateway_key key = {.addr = *addr};
    struct map_node *node = map_find(&oe->by_gateway, &key);
    return node != NULL ? MAP_OWNER(node, struct oe_gateway, by_addr) : NULL;
}

static struct oe_gateway *gateway_new(struct oe *oe, const struct ip_addr *addr)
{
    struct oe_gateway *gw = calloc(1, sizeof(*gw));
    if (gw == NULL)
        return NULL;
    gw->key.addr = *addr;
    if (!map_insert(&oe->by_gateway, &gw->by_addr)) {
        free(gw);
        return NULL;
    }
    return gw;
}

/* The list by use */

static void use_link(struct oe_gateway *gw, struct oe_instance *inst)
{
    inst->gateway_before = gw->last;
    inst->gateway_after = NULL;
    *(gw->last != NULL ? &gw->last->gateway_after : &gw->first) = inst;
    gw->last = inst;
    gw->count++;
}

static void use_unlink(struct oe_gateway *gw, struct oe_instance *inst)
{
    *(inst->gateway_before != NULL ? &inst->gateway_before->gateway_after : &gw->first) =
        inst->gateway_after;
    *(inst->gateway_after != NULL ? &inst->gateway_after->gateway_before : &gw->last) =
        inst->gateway_before;
    gw->count--;
}

/* Peers that have not finished */

static void knock_link(struct oe_gateway *gw, struct oe_instance *inst)
{
    inst->knock_before = gw->knock_last;
    inst->knock_after = NULL;
    *(gw->knock_last != NULL ? &gw->knock_last->knock_after : &gw->knock_first) = inst;
    gw->knock_last = inst;
    gw->knocking++;
    inst->knocks = true;
}

static void knock_unlink(struct oe_gateway *gw, struct oe_instance *inst)
{
    if (!inst->knocks)
        return;
    *(inst->knock_before != NULL ? &inst->knock_before->knock_after : &gw->knock_first) =
        inst->knock_after;
    *(inst->knock_after != NULL ? &inst->knock_after->knock_before : &gw->knock_last) =
        inst->knock_before;
    gw->knocking--;
    inst->knocks = false;
}

/* One whose keys are still being asked for can't be the one that has just proved them. At most
 * OE_PENDING_PEERS are looked at. */
struct oe_instance *gateway_find_peer(const struct oe *oe, const struct ip_addr *addr,
                                      const struct identity *id, enum oe_state state)
{
    struct oe_gateway *gw = instance_gateway(oe, addr);
    struct oe_instance *inst = gw != NULL ? gw->knock_last : NULL;
    while (inst != NULL && (inst->state != state || inst->serial != 0 ||
                            !identity_equal(&inst->peer_id, id)))
        inst = inst->knock_before;
    return inst;
}

void gateway_room_for_peer(struct oe *oe, mono_t now, const struct ip_addr *addr)
{
    struct oe_gateway *gw = instance_gateway(oe, addr);
    struct oe_event stop = {.kind = (enum oe_event_kind)OE_EV_STOP};
    if (gw == NULL || gw->knocking < OE_PENDING_PEERS)
        return;
    oe->evicted++;
    oe_dispatch(oe, now, gw->knock_first, &stop);
}

/* Who has proved a key that was vouched for */

/* False: no digest, so nobody is found. */
static bool proof_key(const struct ip_addr *addr, const struct identity *id, struct proof_key *ret)
{
    uint8_t kind = (uint8_t)id->kind;
    const struct view parts[] = {view_of(&kind, sizeof(kind)), ip_addr_view(&id->addr),
                                 view_of(id->fqdn, strlen(id->fqdn))};
    uint8_t digest[HASH_MAX];
    if (hash_digest(HASH_SHA2_256, parts, 3, digest) != ERR_OK)
        return false;
    *ret = (struct proof_key){.addr = *addr};
    memcpy(ret->id, digest, sizeof(ret->id));
    return true;
}

static struct oe_proof *proof_find(const struct oe *oe, const struct proof_key *key)
{
    struct map_node *node = map_find(&oe->proofs, key);
    return node != NULL ? MAP_OWNER(node, struct oe_proof, by_peer) : NULL;
}

/* NULL (out of memory): the peer is as if it had proved nothing, and DNS is asked again. */
static struct oe_proof *proof_get(struct oe *oe, const struct ip_addr *addr,
                                  const struct identity *id)
{
    struct proof_key key;
    if (!proof_key(addr, id, &key))
        return NULL;
    struct oe_proof *proof = proof_find(oe, &key);
    if (proof != NULL)
        return proof;
    proof = calloc(1, sizeof(*proof));
    if (proof == NULL)
        return NULL;
    proof->key = key;
    proof->id = *id;
    if (!map_insert(&oe->proofs, &proof->by_peer)) {
        free(proof);
        return NULL;
    }
    return proof;
}

static void proof_drop(struct oe *oe, struct oe_instance *inst)
{
    struct oe_proof *proof = inst->proof;
    inst->proof = NULL;
    if (proof == NULL || --proof->instances != 0)
        return;
    map_remove(&oe->proofs, &proof->by_peer);
    free(proof);
}

/* A tunnel of the same peer knows how its phase 1 key was vouched for. */
bool gateway_peer_secure(const struct oe *oe, const struct ip_addr *addr, const struct identity *id)
{
    struct proof_key key;
    return proof_key(addr, id, &key) && proof_find(oe, &key) != NULL;
}

static void settle_proof(struct oe *oe, struct oe_instance *inst)
{
    bool proved = inst->phase1_secure || (inst->has_child && !inst->responder && inst->dns_secure);
    if (inst->proof != NULL && (!proved || !identity_equal(&inst->proof->id, &inst->peer_id)))
        proof_drop(oe, inst);
    if (!proved || inst->proof != NULL)
        return;
    inst->proof = proof_get(oe, &inst->gateway_entry->key.addr, &inst->peer_id);
    if (inst->proof != NULL)
        inst->proof->instances++;
}

void gateway_touch(struct oe *oe, struct oe_instance *inst)
{
    struct oe_gateway *gw = inst->gateway_entry;
    bool knocks =
        inst->state == OE_ST_UNAUTHENTICATED_PEER || inst->state == OE_ST_AUTHENTICATED_PEER;
    if (gw == NULL)
        return;
    use_unlink(gw, inst);
    use_link(gw, inst);
    if (knocks && !inst->knocks)
        knock_link(gw, inst);
    else if (!knocks)
        knock_unlink(gw, inst);
    settle_proof(oe, inst);
}

/* Joining and leaving */

/* A zone of wildcards may name one gateway for a world of clients. It has its share. */
static void make_room(struct oe *oe, mono_t now, struct oe_gateway *gw)
{
    size_t share = oe->config.instances / GATEWAY_SHARE;
    if (gw->count >= (share > GATEWAY_FEW ? share : GATEWAY_FEW))
        instance_evict(oe, now, gw->first, "evicted: its gateway has too many flows");
}

bool instance_join_gateway(struct oe *oe, mono_t now, struct oe_instance *inst,
                           const struct ip_addr *addr)
{
    struct oe_gateway *gw = instance_gateway(oe, addr);
    if (gw == NULL)
        gw = gateway_new(oe, addr);
    if (gw == NULL)
        return false;
    inst->gateway = *addr;
    if (inst->gateway_entry == gw) /* leaving might end the entry and forget its hint pause */
        return true;
    make_room(oe, now, gw);
    instance_leave_gateway(oe, inst);
    inst->gateway_entry = gw;
    use_link(gw, inst);
    return true;
}

void instance_leave_gateway(struct oe *oe, struct oe_instance *inst)
{
    struct oe_gateway *gw = inst->gateway_entry;
    if (gw == NULL)
        return;
    proof_drop(oe, inst);
    knock_unlink(gw, inst);
    use_unlink(gw, inst);
    inst->gateway_entry = NULL;
    inst->gateway_before = inst->gateway_after = NULL;
    if (gw->first == NULL) {
        map_remove(&oe->by_gateway, &gw->by_addr);
        free(gw);
    }
}
