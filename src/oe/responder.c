/* Actions of the OE draft's section 3.3: the responder, up to Keyed. */
#include "oe/actions.h"

#include <stdlib.h>

static const char *peer_text(const struct oe_instance *inst, char *text)
{
    return inst->peer_id.kind != IDENTITY_NONE ? identity_format(&inst->peer_id, text)
                                               : ip_addr_format(&inst->gateway, text);
}

/* OE-085, OE-181: the KEY is asked for once the peer has said who it is. */
void act_look_up_keys(struct oe_step *step)
{
    char peer[IDENTITY_TEXT_MAX];
    OE_REASON(step, "asking DNS for the KEY of %s", peer_text(step->inst, peer));
    effect_lookup_keys(step);
}

void act_give_keys(struct oe_step *step)
{
    const struct identity_keys *keys = step->event->keys;
    step->inst->phase1_secure = keys->secure;
    OE_REASON(step, "%s", keys->why);
    effect_peer_keys(step, keys);
}

/* OE-087 */
void act_refuse_keys(struct oe_step *step)
{
    const struct identity_keys *keys = step->event->keys;
    char peer[IDENTITY_TEXT_MAX];
    if (keys->status == DISCOVERED_FOUND)
        OE_REASON(step, "the KEY of %s is not signed, and policy requires DNSSEC",
                  peer_text(step->inst, peer));
    else
        OE_REASON(step, "%s", keys->why);
    effect_peer_keys(step, NULL);
}

/* OE-086 */
void act_note_peer(struct oe_step *step)
{
    char peer[IDENTITY_TEXT_MAX];
    OE_REASON(step, "%s has proved its key", peer_text(step->inst, peer));
}

static void refuse(struct oe_step *step)
{
    effect_answer_proposal(step, false);
    free(step->inst->peer_key);
    step->inst->peer_key = NULL;
}

/* OE-093 */
void act_refuse_class(struct oe_step *step)
{
    OE_REASON(step, "policy %s wants no tunnel for this flow", instance_class_name(step->inst));
    refuse(step);
}

void act_refuse_source(struct oe_step *step)
{
    char flow[IP_PAIR_TEXT_MAX];
    struct ip_pair proposed = ip_pair_reverse(&step->inst->key.flow);
    OE_REASON(step, "no tunnel can be for %s", ip_pair_format(&proposed, flow));
    refuse(step);
}

/* OE-163 */
void act_refuse_private(struct oe_step *step)
{
    char client[IP_ADDR_TEXT_MAX];
    OE_REASON(step,
              "%s is private and its gateway is behind a NAT: give the client a public address",
              ip_addr_format(&step->inst->key.flow.dst, client));
    refuse(step);
}

/* OE-168, option 4 */
void act_refuse_second(struct oe_step *step)
{
    const struct oe_instance *own = instance_by_flow(step->oe, &step->inst->key.flow);
    char client[IP_ADDR_TEXT_MAX], gateway[IP_ADDR_TEXT_MAX];
    OE_REASON(step, "%s has a tunnel by %s already, and policy takes one",
              ip_addr_format(&step->inst->key.flow.dst, client),
              ip_addr_format(&own->gateway, gateway));
    refuse(step);
}

/*
 * OE-092. The flow's own policy stays as it is: a stranger who fails here must not be able to turn
 * a flow of ours to clear or deny. Our own next datagram asks for itself.
 */
void act_refuse_authority(struct oe_step *step)
{
    const struct delegation *d = step->event->delegation;
    char client[IP_ADDR_TEXT_MAX], peer[IDENTITY_TEXT_MAX];

    ip_addr_format(&step->inst->key.flow.dst, client);
    if (step->event->kind != OE_EV_DELEGATION)
        OE_REASON(step, "the lookup for %s was lost", client);
    else if (d->status != DISCOVERED_FOUND)
        OE_REASON(step, "%s", d->why);
    else if (!delegation_trusted(step->oe, step->inst, d))
        OE_REASON(step, "the delegation of %s is not signed, and policy requires DNSSEC", client);
    else
        OE_REASON(step, "%s is not delegated to %s with the key it used", client,
                  peer_text(step->inst, peer));
    refuse(step);
}

void act_check_own(struct oe_step *step)
{
    char client[IP_ADDR_TEXT_MAX];
    step->inst->checking_own = true;
    OE_REASON(step, "asking DNS whether %s is ours",
              ip_addr_format(&step->inst->key.flow.src, client));
    effect_lookup_own(step);
}

void act_refuse_own(struct oe_step *step)
{
    char client[IP_ADDR_TEXT_MAX];
    OE_REASON(step, "%s is not delegated to us (%s)",
              ip_addr_format(&step->inst->key.flow.src, client), step->event->delegation->why);
    refuse(step);
}

void act_check_key(struct oe_step *step)
{
    char peer[IDENTITY_TEXT_MAX];
    step->inst->checking_own = false;
    OE_REASON(step, "asking DNS for the KEY of %s", peer_text(step->inst, peer));
    effect_lookup_keys(step);
}

void act_refuse_unvouched(struct oe_step *step)
{
    char peer[IDENTITY_TEXT_MAX];
    OE_REASON(step, "%s has not proved its own KEY (%s)", peer_text(step->inst, peer),
              step->event->keys->why);
    refuse(step);
}

/* OE-090, OE-092; OE-091: also when the flow has a connection already. */
void act_check_authority(struct oe_step *step)
{
    char client[IP_ADDR_TEXT_MAX], peer[IDENTITY_TEXT_MAX];
    step->inst->checking_own = false;
    OE_REASON(step, "asking DNS whether %s acts for %s", peer_text(step->inst, peer),
              ip_addr_format(&step->inst->key.flow.dst, client));
    effect_lookup_delegation(step, PURPOSE_AUTHORIZE);
}

/*
 * OE-032, OE-046: a reply of our client may come before the peer's last message has been dealt with;
 * it waits for this tunnel, and begins no keying of its own. Whoever has the flow keeps it.
 */
static void hold_reply(struct oe_step *step)
{
    if (instance_by_flow(step->oe, &step->inst->key.flow) != NULL)
        return;
    if (instance_own_flow(step->oe, step->inst))
        shunt(step);
    else
        step->oe->out_of_memory = true;
}

static void accept_peer(struct oe_step *step)
{
    char client[IP_ADDR_TEXT_MAX], peer[IDENTITY_TEXT_MAX];
    OE_REASON(step, "%s may act for %s", peer_text(step->inst, peer),
              ip_addr_format(&step->inst->key.flow.dst, client));
    hold_reply(step);
    effect_answer_proposal(step, true);
    free(step->inst->peer_key);
    step->inst->peer_key = NULL;
}

/* Nothing in DNS beyond its phase 1 key stands behind it, so nothing goes stale. */
void act_authorize_self(struct oe_step *step)
{
    step->inst->dns_secure = step->inst->phase1_secure;
    step->inst->by_name = step->inst->peer_id.kind == IDENTITY_FQDN;
    step->inst->fresh_until = MONO_NEVER;
    accept_peer(step);
}

void act_authorize_vouched(struct oe_step *step)
{
    step->inst->phase1_secure = step->event->keys->secure;
    act_authorize_self(step);
}

/* OE-183. The delegation names the peer's key itself, so its own status is what counts. */
void act_authorize(struct oe_step *step)
{
    note_dns(step, step->event->delegation);
    accept_peer(step);
}

/* A re-key leaves the lifespan alone, whoever began it (OE-101). */
static void keep_lifespan(struct oe_step *step, int64_t lifespan_ms, mono_t ends)
{
    if (mono_reached(step->now, ends)) {
        lifespan_begin(step, lifespan_ms);
        return;
    }
    step->inst->lifespan_ms = lifespan_ms;
    step->inst->lifespan_ends = ends;
}

static void supersede(struct oe_step *step)
{
    struct oe_instance *old = instance_by_flow(step->oe, &step->inst->key.flow);
    struct oe_event superseded = {.kind = (enum oe_event_kind)OE_EV_SUPERSEDED};

    if (old == NULL || old == step->inst)
        return;
    if (old->has_child)
        ring_join(step->oe, step->inst, old);
    oe_dispatch(step->oe, step->now, old, &superseded);
}

static void take_child(struct oe_step *step)
{
    struct oe_instance *inst = step->inst;
    inst->has_child = true;
    inst->spi_in = step->event->spi_in;
    inst->spi_out = step->event->spi_out;
    inst->suite = step->event->suite;
}

/*
 * OE-088, OE-089: an identical connection gives way to the newest, now that the newest is verified
 * (OE-091) and complete. OE-187: replies find the policy already there. OE-032
 */
void act_take_over(struct oe_step *step)
{
    struct oe_instance *inst = step->inst;
    const struct oe_instance *old = instance_by_flow(step->oe, &inst->key.flow);
    bool rekey = old != NULL && old != inst && old->has_child &&
                 ip_addr_equal(&old->gateway, &step->event->peer);
    int64_t lifespan_ms = rekey ? old->lifespan_ms : 0;
    mono_t ends = rekey ? old->lifespan_ends : step->now;

    supersede(step);
    if (!instance_own_flow(step->oe, inst))
        step->oe->out_of_memory = true;
    tunnel_up(step);
    if (rekey)
        keep_lifespan(step, lifespan_ms, ends);
    ring_begin_turn(step->oe, step->now, inst);
}

/* OE-168: of several tunnels of one flow it is this one's turn to send, or the only one left. */
void act_take_back(struct oe_step *step)
{
    struct oe_instance *inst = step->inst;
    char addr[IP_ADDR_TEXT_MAX];

    supersede(step);
    inst->lingering = false;
    if (!instance_own_flow(step->oe, inst))
        step->oe->out_of_memory = true;
    effect_policy(step, OE_VERDICT_ENCRYPT);
    if (mono_reached(step->now, inst->lifespan_ends)) /* reconsidered now, not never */
        inst->lifespan_ends = mono_add(step->now, 1);
    OE_REASON(step, "of several tunnels, the one with %s", ip_addr_format(&inst->gateway, addr));
    ring_begin_turn(step->oe, step->now, inst);
}

/* A tunnel that came up although another gateway's stands: nothing is sent or kept on it. */
void act_decline(struct oe_step *step)
{
    take_child(step);
    OE_REASON(step, "another gateway's tunnel carries the flow, and policy takes one");
    effect_delete_child(step);
}

/* OE-168: it is not sent on, but what comes in on it is taken. */
void act_yield(struct oe_step *step)
{
    struct oe_instance *inst = step->inst;
    take_child(step);
    inst->lingering = true;
    OE_REASON(step, "both gateways began at once; the tunnel begun here carries the flow");
}

void act_drop_peer(struct oe_step *step)
{
    char peer[IDENTITY_TEXT_MAX];
    const char *text = step->event->text;

    peer_text(step->inst, peer);
    if (step->event->kind == OE_EV_CHILD_FAILED && text != NULL && text[0] != '\0')
        OE_REASON(step, "%s did not finish: %s", peer, text);
    else if ((int)step->event->kind == OE_EV_LIFESPAN)
        OE_REASON(step, "%s did not go on", peer);
    if (step->inst->state == OE_ST_UNAUTHENTICATED_PEER && step->inst->serial != 0)
        effect_peer_keys(step, NULL);
    refuse(step);
    effect_policy_remove(step);
    instance_disown_flow(step->oe, step->inst);
}
