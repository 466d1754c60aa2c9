#include "oe/internal.h"

#include <assert.h>
#include <stdlib.h>

/* Three kinds age apart, so that strangers who knock can't push out flows, nor who scans tunnels. */
static enum oe_order order_of(const struct oe_instance *inst)
{
    if (!inst->owns_flow)
        return OE_ORDER_PEERS;
    return inst->has_child ? OE_ORDER_TUNNELS : OE_ORDER_FLOWS;
}

static void use_link(struct oe *oe, struct oe_instance *inst)
{
    enum oe_order order = order_of(inst);
    inst->order = order;
    inst->used_before = oe->youngest[order];
    inst->used_after = NULL;
    *(inst->used_before != NULL ? &inst->used_before->used_after : &oe->oldest[order]) = inst;
    oe->youngest[order] = inst;
    oe->used_count[order]++;
}

static void use_unlink(struct oe *oe, struct oe_instance *inst)
{
    enum oe_order order = inst->order;
    *(inst->used_before != NULL ? &inst->used_before->used_after : &oe->oldest[order]) =
        inst->used_after;
    *(inst->used_after != NULL ? &inst->used_after->used_before : &oe->youngest[order]) =
        inst->used_before;
    oe->used_count[order]--;
}

void instance_touch(struct oe *oe, struct oe_instance *inst)
{
    use_unlink(oe, inst);
    use_link(oe, inst);
    gateway_touch(oe, inst);
}

static void creation_link(struct oe *oe, struct oe_instance *inst)
{
    inst->created_before = oe->last;
    *(oe->last != NULL ? &oe->last->created_after : &oe->first) = inst;
    oe->last = inst;
}

static void creation_unlink(struct oe *oe, struct oe_instance *inst)
{
    *(inst->created_before != NULL ? &inst->created_before->created_after : &oe->first) =
        inst->created_after;
    *(inst->created_after != NULL ? &inst->created_after->created_before : &oe->last) =
        inst->created_before;
    oe->walk->at = NULL;
}

/*
 * OE-194: the longest unused goes. Tunnels have three quarters of the room and unfinished peers one;
 * flows without a tunnel take what those leave, and go first: to find them again costs a lookup.
 */
static struct oe_instance *longest_unused(const struct oe *oe)
{
    size_t quarter = oe->config.instances / 4;
    if (oe->used_count[OE_ORDER_PEERS] > quarter)
        return oe->oldest[OE_ORDER_PEERS];
    if (oe->used_count[OE_ORDER_TUNNELS] > oe->config.instances - quarter)
        return oe->oldest[OE_ORDER_TUNNELS];
    for (int order = 0; order < OE_ORDERS; order++)
        if (oe->oldest[order] != NULL)
            return oe->oldest[order];
    return NULL;
}

void instance_evict(struct oe *oe, mono_t now, struct oe_instance *inst, const char *why)
{
    struct oe_event stop = {.kind = (enum oe_event_kind)OE_EV_STOP};
    uint64_t ticket = inst->ticket;

    text_set(inst->reason, sizeof(inst->reason), "%s", why);
    oe->evicted++;
    /* A tunnel first goes to Expired, waiting for its Delete; a second stop ends that. */
    while ((inst = instance_by_ticket(oe, ticket)) != NULL)
        oe_dispatch(oe, now, inst, &stop);
}

void oe_ticket_reserve(struct oe *oe, uint64_t ticket)
{
    if (oe->last_ticket < ticket && ticket < UINT64_MAX / 2)
        oe->last_ticket = ticket;
}

static uint64_t fresh_ticket(struct oe *oe, uint64_t wish)
{
    if (wish != 0 && instance_by_ticket(oe, wish) == NULL) {
        oe_ticket_reserve(oe, wish);
        return wish;
    }
    while (instance_by_ticket(oe, ++oe->last_ticket) != NULL)
        continue;
    return oe->last_ticket;
}

struct oe_instance *instance_new(struct oe *oe, mono_t now, uint64_t ticket)
{
    while (oe->by_ticket.count >= oe->config.instances)
        instance_evict(oe, now, longest_unused(oe), "evicted: the limit of instances is reached");
    struct oe_instance *inst = calloc(1, sizeof(*inst));
    if (inst == NULL)
        return NULL;
    inst->ticket = fresh_ticket(oe, ticket);
    inst->class = &oe->fallback;
    inst->since = now;
    inst->fresh_until = MONO_NEVER;
    ring_init(inst);
    if (!heap_set(&oe->deadlines, &inst->deadline, mono_add(now, OE_PEER_WAIT_MS))) {
        free(inst);
        return NULL;
    }
    if (!map_insert(&oe->by_ticket, &inst->by_ticket)) {
        heap_remove(&oe->deadlines, &inst->deadline);
        free(inst);
        return NULL;
    }
    creation_link(oe, inst);
    use_link(oe, inst);
    return inst;
}

void instance_free(struct oe *oe, struct oe_instance *inst)
{
    instance_disown_flow(oe, inst);
    ring_leave(oe, inst);
    instance_leave_gateway(oe, inst);
    instance_forget_delegation(inst);
    use_unlink(oe, inst);
    creation_unlink(oe, inst);
    map_remove(&oe->by_ticket, &inst->by_ticket);
    heap_remove(&oe->deadlines, &inst->deadline);
    free(inst->peer_key);
    free(inst);
}

struct oe_instance *instance_by_ticket(const struct oe *oe, uint64_t ticket)
{
    struct map_node *node = map_find(&oe->by_ticket, &ticket);
    return node != NULL ? MAP_OWNER(node, struct oe_instance, by_ticket) : NULL;
}

struct oe_instance *instance_by_flow(const struct oe *oe, const struct ip_pair *flow)
{
    struct flow_key key = {.flow = *flow};
    struct map_node *node = map_find(&oe->by_flow, &key);
    return node != NULL ? MAP_OWNER(node, struct oe_instance, by_flow) : NULL;
}

void instance_set_flow(struct oe *oe, struct oe_instance *inst, const struct ip_pair *flow)
{
    assert(!inst->owns_flow);
    inst->key.flow = *flow;
    inst->class = oe_classify(oe, flow);
}

bool instance_own_flow(struct oe *oe, struct oe_instance *inst)
{
    if (inst->owns_flow)
        return true;
    if (!map_insert(&oe->by_flow, &inst->by_flow))
        return false;
    use_unlink(oe, inst);
    inst->owns_flow = true;
    use_link(oe, inst);
    return true;
}

void instance_disown_flow(struct oe *oe, struct oe_instance *inst)
{
    if (!inst->owns_flow)
        return;
    map_remove(&oe->by_flow, &inst->by_flow);
    heap_remove(&oe->turns, &inst->turn);
    use_unlink(oe, inst);
    inst->owns_flow = false;
    use_link(oe, inst);
}

bool instance_keep_delegation(struct oe_instance *inst, const struct delegation *d)
{
    size_t len = offsetof(struct delegation, gateways) + d->count * sizeof(d->gateways[0]);
    struct delegation *copy = malloc(len);
    if (copy == NULL)
        return false;
    memcpy(copy, d, len);
    free(inst->delegation);
    inst->delegation = copy;
    inst->failed_before = false;
    return true;
}

void instance_forget_delegation(struct oe_instance *inst)
{
    free(inst->delegation);
    inst->delegation = NULL;
    inst->failed_before = false;
}

void instance_set_deadline(struct oe *oe, struct oe_instance *inst, mono_t at)
{
    /* The node has its place in the heap, so moving it can't fail; NEVER would take it out. */
    if (mono_is_never(at))
        at.ms--;
    bool moved = heap_set(&oe->deadlines, &inst->deadline, at);
    assert(moved);
    (void)moved;
}

const char *instance_class_name(const struct oe_instance *inst)
{
    return inst->class->name[0] != '\0' ? inst->class->name : oe_class_kind_name(inst->class->kind);
}

bool instance_name_holds(const struct oe_instance *inst)
{
    return inst->state == OE_ST_PENDING && inst->by_name && inst->keying && !inst->responder &&
           inst->verdict == OE_VERDICT_HOLD && inst->class->kind == OE_PERMISSIVE;
}
