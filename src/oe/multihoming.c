/*
 * OE draft, section 8: a client behind several gateways, each with a tunnel to us. The tunnels of
 * one flow are a ring; one of them owns the flow and is sent on, the others are superseded but
 * accepted on. Which one is sent on is policy (OE-168). Anchored in responder.c, where a newer
 * tunnel takes the flow of an older one.
 */
#include "oe/internal.h"

void ring_init(struct oe_instance *inst)
{
    inst->ring_before = inst->ring_after = inst;
}

void ring_leave(struct oe *oe, struct oe_instance *inst)
{
    inst->ring_before->ring_after = inst->ring_after;
    inst->ring_after->ring_before = inst->ring_before;
    ring_init(inst);
    heap_remove(&oe->turns, &inst->turn);
}

static bool in_ring_of(const struct oe_instance *inst, const struct oe_instance *other)
{
    for (const struct oe_instance *at = inst->ring_after; at != inst; at = at->ring_after)
        if (at == other)
            return true;
    return false;
}

/* A re-key by the same gateway replaces that gateway's tunnel; only others are alternatives. */
static void drop_same_gateway(struct oe *oe, struct oe_instance *inst)
{
    struct oe_instance *next;
    for (struct oe_instance *at = inst->ring_after; at != inst; at = next) {
        next = at->ring_after;
        if (ip_addr_equal(&at->gateway, &inst->gateway))
            ring_leave(oe, at);
    }
}

void ring_join(struct oe *oe, struct oe_instance *newer, struct oe_instance *older)
{
    if (in_ring_of(newer, older))
        return;
    ring_leave(oe, newer);
    newer->ring_before = older;
    newer->ring_after = older->ring_after;
    newer->ring_after->ring_before = newer;
    older->ring_after = newer;
    drop_same_gateway(oe, newer);
}

static bool is_spare(const struct oe_instance *inst)
{
    return inst->state == OE_ST_EXPIRED && inst->lingering && inst->has_child;
}

struct oe_instance *ring_spare(const struct oe_instance *inst)
{
    struct oe_instance *best = NULL;
    for (struct oe_instance *at = inst->ring_after; at != inst; at = at->ring_after)
        if (is_spare(at) && (best == NULL || at->keyed_at.ms > best->keyed_at.ms))
            best = at;
    return best;
}

/* Options 1 and 2 look often; otherwise it is only to know whether the spare ones are in use. */
static int64_t turn_ms(const struct oe *oe)
{
    bool often = oe->config.return_tunnel == OE_RETURN_ROUND_ROBIN ||
                 oe->config.return_tunnel == OE_RETURN_LAST_HEARD;
    return often ? OE_TURN_MS : 1000 * (int64_t)oe->config.first_lifespan_s;
}

void ring_begin_turn(struct oe *oe, mono_t now, struct oe_instance *owner)
{
    if (owner->ring_after == owner || !owner->owns_flow)
        return;
    /* Without memory the owner stays the one that is sent on: option 5. */
    if (!heap_set(&oe->turns, &owner->turn, mono_add(now, turn_ms(oe))))
        oe->out_of_memory = true;
}

static void choose(struct oe *oe, mono_t now, struct oe_instance *inst)
{
    struct oe_event chosen = {.kind = (enum oe_event_kind)OE_EV_CHOSEN};
    oe_dispatch(oe, now, inst, &chosen);
}

static struct oe_instance *next_in_turn(const struct oe_instance *owner)
{
    struct oe_instance *at = owner->ring_after;
    while (at != owner && !is_spare(at))
        at = at->ring_after;
    return at != owner ? at : NULL;
}

static void ask_all(struct oe *oe, const struct oe_instance *owner)
{
    const struct oe_instance *at = owner;
    do {
        if (at->has_child)
            effect_sa_use_query(oe, at);
        at = at->ring_after;
    } while (at != owner);
}

void ring_timer(struct oe *oe, mono_t now)
{
    struct heap_node *node;
    while ((node = heap_pop_due(&oe->turns, now)) != NULL) {
        struct oe_instance *owner = HEAP_OWNER(node, struct oe_instance, turn);
        struct oe_instance *next = next_in_turn(owner);
        ask_all(oe, owner);
        ring_begin_turn(oe, now, owner);
        if (oe->config.return_tunnel == OE_RETURN_ROUND_ROBIN && next != NULL &&
            owner->state == OE_ST_KEYED)
            choose(oe, now, next);
    }
}

/* The instance of the ring that owns the flow, or NULL. */
static const struct oe_instance *owner_of(const struct oe *oe, const struct oe_instance *inst)
{
    const struct oe_instance *owner = instance_by_flow(oe, &inst->key.flow);
    return owner != NULL && owner != inst && in_ring_of(inst, owner) ? owner : NULL;
}

enum err ring_heard(struct oe *oe, mono_t now, const struct oe_event *event)
{
    struct oe_instance *inst = instance_by_ticket(oe, event->ticket);
    if (inst == NULL || inst->spi_in.value != event->spi_in.value || event->idle_ms < 0) {
        oe->dropped[event->kind]++;
        return ERR_UNKNOWN;
    }
    inst->heard_at = mono_add(now, -event->idle_ms);
    const struct oe_instance *owner = owner_of(oe, inst);
    if (oe->config.return_tunnel == OE_RETURN_LAST_HEARD && owner != NULL &&
        owner->state == OE_ST_KEYED && is_spare(inst) && inst->heard_at.ms > owner->heard_at.ms)
        choose(oe, now, inst);
    return ERR_OK;
}
