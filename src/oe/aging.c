/* Actions of the OE draft's sections 3.2.7, 3.2.8 and 3.4: aging, renewal and teardown. */
#include "oe/actions.h"

/* OE-075 */
void act_ask_last_use(struct oe_step *step)
{
    step->inst->former = step->inst->state;
    effect_last_use_query(step);
}

/* OE-076, OE-098: back to the former state, for longer. */
void act_renew(struct oe_step *step)
{
    const struct delegation *d = step->event->delegation;
    lifespan_begin(step, step->row->to == OE_ST_CLEAR
                             ? clear_lifespan_ms(step)
                             : seconds(step->oe->config.normal_lifespan_s));
    if (step->event->kind != OE_EV_DELEGATION)
        return;
    if (d->status == DISCOVERED_TIMEOUT)
        step->inst->fresh_until = step->inst->lifespan_ends;
    else {
        /* A tunnel keyed on what nobody vouched for is not made better by a later signature. */
        bool secure = step->inst->dns_secure || step->inst->former != OE_ST_KEYED;
        note_dns(step, d);
        step->inst->dns_secure &= secure;
    }
}

/* OE-077, OE-080 */
void act_recheck(struct oe_step *step)
{
    char addr[IP_ADDR_TEXT_MAX];
    OE_REASON(step, "asking DNS again about %s", ip_addr_format(&step->inst->key.flow.dst, addr));
    lifespan_begin(step, seconds(step->oe->config.normal_lifespan_s));
    effect_lookup_delegation(step, PURPOSE_RECHECK);
}

/* OE-076, OE-081, OE-082, OE-095 */
void act_teardown(struct oe_step *step)
{
    OE_REASON(step, "not used for %lld s", (long long)step->inst->lifespan_ms / 2000);
    effect_policy_remove(step);
    effect_delete_child(step);
    instance_disown_flow(step->oe, step->inst);
}

/* The policy is the new owner's to set. */
static void leave_flow(struct oe_step *step)
{
    step->inst->policy_set = false;
    instance_disown_flow(step->oe, step->inst);
}

/* OE-069; ike has removed the SAs and answered. */
void act_peer_deleted(struct oe_step *step)
{
    char addr[IP_ADDR_TEXT_MAX];
    OE_REASON(step, "%s has deleted the tunnel", ip_addr_format(&step->inst->gateway, addr));
    struct oe_instance *spare = ring_spare(step->inst);
    struct oe_event chosen = {.kind = (enum oe_event_kind)OE_EV_CHOSEN};
    step->inst->has_child = false;
    if (spare != NULL) { /* the client's other gateway takes on */
        leave_flow(step);
        oe_dispatch(step->oe, step->now, spare, &chosen);
        return;
    }
    effect_policy_remove(step);
    instance_disown_flow(step->oe, step->inst);
}

void cancel_keying(struct oe_step *step)
{
    struct oe_instance *inst = step->inst;
    if (inst->state == OE_ST_PENDING && (inst->keying || inst->responder))
        effect_cancel(step);
    inst->keying = false;
}

/* OE-168: traffic may still arrive on the old tunnel while the peer finds the new one. */
void act_linger(struct oe_step *step)
{
    OE_REASON(step, "another tunnel carries the flow");
    cancel_keying(step);
    step->inst->lingering = true;
    leave_flow(step);
}

/* OE-109 */
void act_delete_old(struct oe_step *step)
{
    step->inst->lingering = false;
    ring_leave(step->oe, step->inst);
    effect_delete_child(step);
}

/* Another tunnel of the flow stands; this one may still come. */
void act_give_up_flow(struct oe_step *step)
{
    leave_flow(step);
}

void act_abandon(struct oe_step *step)
{
    OE_REASON(step, "superseded by a newer tunnel");
    cancel_keying(step);
    leave_flow(step);
}

void act_stop(struct oe_step *step)
{
    effect_answer_proposal(step, false);
    cancel_keying(step);
    effect_policy_remove(step);
    effect_delete_child(step);
    instance_disown_flow(step->oe, step->inst);
}
