/* What a person may see of the engine: its instances and its counters. */
#include "oe/internal.h"

static bool waits_for_gateway(const struct oe *oe, const struct oe_instance *inst)
{
    return inst->state == OE_ST_PENDING && inst->keying && !inst->responder &&
           !instance_name_holds(inst) && !mono_reached(oe->now, inst->silence_ends);
}

/* What the gateway's silence brings (OE-060, OE-062). */
static const char *after_silence(const struct oe *oe, const struct oe_instance *inst)
{
    if (inst->delegation != NULL &&
        delegation_gateway_after(oe, inst, IKE_FAILURE_SILENT) < inst->delegation->count)
        return "if the gateway stays silent, the next one is tried";
    if (inst->has_child)
        return "if the gateway stays silent, the old tunnel stays until its keys end";
    return inst->class->kind == OE_PARANOID ? "if the gateway stays silent, the flow is denied"
                                            : "if the gateway stays silent, the flow goes in clear";
}

/* What the end of the state's time brings (OE-075, OE-077). */
static const char *next_step(const struct oe_instance *inst)
{
    bool stale = inst->fresh_until.ms <= inst->deadline.at.ms;
    switch (inst->state) {
    case OE_ST_POTENTIAL:
        return inst->responder ? "without an answer from DNS the peer is refused"
                               : "without an answer from DNS it counts as a timeout";
    case OE_ST_PENDING:
        if (instance_name_holds(inst))
            return "the flow goes in clear, while keying goes on";
        return inst->responder || inst->keying ? "the negotiation is given up"
                                               : "without an answer from DNS the old keys stay";
    case OE_ST_CLEAR:
    case OE_ST_DENY:
        return stale ? "if the flow is still in use, DNS is asked again; else it is forgotten"
                     : "if the flow is no longer in use, it is forgotten";
    case OE_ST_KEYED:
        return stale ? "if the tunnel is still in use, DNS is asked again; else it is closed"
                     : "if the tunnel is no longer in use, it is closed";
    case OE_ST_EXPIRING:
        return "without an answer everything stays as it is";
    case OE_ST_EXPIRED:
        return inst->lingering ? "the superseded tunnel is closed" : "it is forgotten";
    case OE_ST_UNAUTHENTICATED_PEER:
    case OE_ST_AUTHENTICATED_PEER:
        return "the peer is forgotten";
    case OE_ST_NONEXISTENT:
    case OE_STATE_COUNT:
        break;
    }
    return "nothing";
}

static void fill_info(const struct oe *oe, const struct oe_instance *inst,
                      struct oe_instance_info *ret)
{
    bool waits = waits_for_gateway(oe, inst);
    *ret = (struct oe_instance_info){
        .ticket = inst->ticket,
        .flow = inst->key.flow,
        .state = inst->state,
        .verdict = inst->verdict,
        .class_name = instance_class_name(inst),
        .class_kind = inst->class->kind,
        .responder = inst->responder,
        .secure = inst->dns_secure,
        .by_name = inst->by_name,
        .dns = inst->dns,
        .dns_asked = inst->dns_asked,
        .gateway = inst->gateway,
        .peer_id = inst->peer_id,
        .suite = inst->suite,
        .spi_in = inst->spi_in,
        .spi_out = inst->spi_out,
        .since = inst->since,
        .next_check = waits ? inst->silence_ends : inst->deadline.at,
        .next = waits ? after_silence(oe, inst) : next_step(inst),
    };
    if (inst->gateway_entry == NULL && !inst->has_child)
        ret->gateway = (struct ip_addr){0};
    memcpy(ret->reason, inst->reason, sizeof(ret->reason));
    memcpy(ret->record, inst->record, sizeof(ret->record));
    memcpy(ret->ike, inst->ike, sizeof(ret->ike));
}

bool oe_instance_info(const struct oe *oe, size_t i, struct oe_instance_info *ret)
{
    struct oe_walk *walk = oe->walk;
    if (walk->at == NULL || walk->i > i)
        *walk = (struct oe_walk){.i = 0, .at = oe->first};
    while (walk->at != NULL && walk->i < i) {
        walk->at = walk->at->created_after;
        walk->i++;
    }
    if (walk->at == NULL)
        return false;
    fill_info(oe, walk->at, ret);
    return true;
}

bool oe_instance_find(const struct oe *oe, const struct ip_pair *flow, struct oe_instance_info *ret)
{
    const struct oe_instance *inst = instance_by_flow(oe, flow);
    if (inst == NULL)
        return false;
    fill_info(oe, inst, ret);
    return true;
}

bool oe_instance_of_ticket(const struct oe *oe, uint64_t ticket, struct oe_instance_info *ret)
{
    const struct oe_instance *inst = instance_by_ticket(oe, ticket);
    if (inst == NULL)
        return false;
    fill_info(oe, inst, ret);
    return true;
}

bool oe_counter(const struct oe *oe, size_t i, const char **ret_name, uint64_t *ret_value)
{
    static const char *const dropped[OE_EVENT_COUNT] = {
        [OE_EV_ACQUIRE] = "dropped_acquire",
        [OE_EV_DELEGATION] = "dropped_delegation",
        [OE_EV_KEYS] = "dropped_keys",
        [OE_EV_CHILD_UP] = "dropped_child_up",
        [OE_EV_CHILD_FAILED] = "dropped_child_failed",
        [OE_EV_CHILD_DELETED] = "dropped_child_deleted",
        [OE_EV_PEER_UNKNOWN] = "dropped_peer_unknown",
        [OE_EV_PEER_AUTHENTICATED] = "dropped_peer_authenticated",
        [OE_EV_PROPOSAL] = "dropped_proposal",
        [OE_EV_SOFT_EXPIRE] = "dropped_soft_expire",
        [OE_EV_HARD_EXPIRE] = "dropped_hard_expire",
        [OE_EV_LAST_USE] = "dropped_last_use",
        [OE_EV_ADOPT] = "dropped_adopt",
        [OE_EV_HINT] = "dropped_hint",
        [OE_EV_SHUTDOWN] = "dropped_shutdown",
        [OE_EV_LIFESPAN] = "dropped_lifespan",
        [OE_EV_SUPERSEDED] = "dropped_superseded",
        [OE_EV_STOP] = "dropped_stop",
        [OE_EV_SA_USE] = "dropped_sa_use",
        [OE_EV_RECLASS] = "dropped_policy_changed",
        [OE_EV_CHOSEN] = "dropped_chosen",
    };
    if (i < OE_EVENT_COUNT) {
        *ret_name = dropped[i];
        *ret_value = oe->dropped[i];
        return true;
    }
    *ret_name = i == OE_EVENT_COUNT ? "evicted" : "effects_lost";
    *ret_value = i == OE_EVENT_COUNT ? oe->evicted : oe->effects_lost;
    return i < OE_EVENT_COUNT + 2;
}
