#include "oe/internal.h"

#include <assert.h>
#include <stdlib.h>

static void push(struct oe *oe, const struct oe_effect *effect, const struct public_key *keys,
                 size_t key_count)
{
    struct oe_queued queued = {.effect = *effect};
    if (key_count != 0) {
        queued.owned = malloc(key_count * sizeof(*keys));
        if (queued.owned == NULL)
            goto lost;
        memcpy(queued.owned, keys, key_count * sizeof(*keys));
        queued.effect.keys = queued.owned;
        queued.effect.key_count = key_count;
    }
    if (fifo_push(&oe->effects, &queued))
        return;
lost: /* every state has a deadline, so a lost effect delays but does not hang an instance */
    free(queued.owned);
    oe->effects_lost++;
    oe->out_of_memory = true;
}

bool oe_next_effect(struct oe *oe, struct oe_effect *ret)
{
    struct oe_queued queued;
    free(oe->handed_out);
    oe->handed_out = NULL;
    if (!fifo_pop(&oe->effects, &queued))
        return false;
    oe->handed_out = queued.owned;
    *ret = queued.effect;
    return true;
}

void effects_fini(struct oe *oe)
{
    struct oe_effect left;
    while (oe_next_effect(oe, &left))
        continue;
    fifo_fini(&oe->effects);
}

static struct oe_effect effect_of(const struct oe_step *step, enum oe_effect_kind kind)
{
    const struct oe_instance *inst = step->inst;
    return (struct oe_effect){
        .kind = kind,
        .ticket = inst->ticket,
        .flow = inst->key.flow,
        .local = inst->local,
        .peer = inst->gateway,
        .peer_id = inst->peer_id,
        .behalf = inst->responder ? inst->gateway : inst->key.flow.src, /* OE-194 */
        .verdict = inst->verdict,
        .spi_in = inst->spi_in,
        .spi_out = inst->spi_out,
    };
}

/*
 * What a keyd that finds the policy after a restart must know of how it came about: bit 0 responder,
 * 1 DNS was asked, 2 DNSSEC vouched for it, 3 for a forward name only; from bit 8 what was discovered.
 */
static uint64_t note_of(const struct oe_instance *inst)
{
    return (uint64_t)inst->responder | (uint64_t)inst->dns_asked << 1 |
           (uint64_t)inst->dns_secure << 2 | (uint64_t)inst->by_name << 3 |
           (uint64_t)inst->dns << 8;
}

void instance_take_note(struct oe_instance *inst, uint64_t note)
{
    inst->responder = note & 1;
    inst->dns_asked = note >> 1 & 1;
    inst->dns_secure = note >> 2 & 1;
    inst->by_name = note >> 3 & 1;
    uint64_t dns = note >> 8;
    inst->dns = dns <= DISCOVERED_TIMEOUT ? (enum discovered)dns : DISCOVERED_TIMEOUT;
}

void effect_policy_again(struct oe_step *step)
{
    struct oe_effect effect = effect_of(step, OE_FX_POLICY);
    effect.note = note_of(step->inst);
    if (step->inst->owns_flow && step->inst->policy_set)
        push(step->oe, &effect, NULL, 0);
}

/* OE-080: nothing is said unless something changes; a new tunnel is a change. */
void effect_policy(struct oe_step *step, enum oe_verdict verdict)
{
    struct oe_instance *inst = step->inst;
    if (inst->policy_set && inst->verdict == verdict && verdict != OE_VERDICT_ENCRYPT)
        return;
    inst->verdict = verdict;
    inst->policy_set = true;
    effect_policy_again(step);
}

void effect_policy_remove(struct oe_step *step)
{
    struct oe_effect effect = effect_of(step, OE_FX_POLICY_REMOVE);
    if (!step->inst->owns_flow || !step->inst->policy_set)
        return;
    step->inst->policy_set = false;
    push(step->oe, &effect, NULL, 0);
}

/* A trace shows a flow as its initiator sees it. */
static struct ip_pair trace_flow(const struct oe_instance *inst)
{
    return inst->responder ? ip_pair_reverse(&inst->key.flow) : inst->key.flow;
}

void effect_lookup_delegation(struct oe_step *step, enum discover_purpose purpose)
{
    struct oe_effect effect = effect_of(step, OE_FX_LOOKUP_DELEGATION);
    effect.address = step->inst->key.flow.dst;
    effect.purpose = purpose;
    /* A name says nothing about whom an address belongs to, which is what OE-paranoid asks. */
    effect.names = purpose != PURPOSE_AUTHORIZE && step->inst->class->kind == OE_PERMISSIVE;
    effect.flow = trace_flow(step->inst);
    push(step->oe, &effect, NULL, 0);
}

void effect_lookup_own(struct oe_step *step)
{
    struct oe_effect effect = effect_of(step, OE_FX_LOOKUP_DELEGATION);
    effect.address = step->inst->key.flow.src;
    effect.purpose = PURPOSE_RECHECK; /* no step of Figure 6 */
    effect.flow = trace_flow(step->inst);
    push(step->oe, &effect, NULL, 0);
}

void effect_lookup_keys(struct oe_step *step)
{
    struct oe_effect effect = effect_of(step, OE_FX_LOOKUP_KEYS);
    push(step->oe, &effect, NULL, 0);
}

/* The draft's own record asks for the draft's own exchange (OE-118); IPSECKEY came later. */
static enum ike_version version_for(const struct oe *oe, const struct discovered_gateway *gateway)
{
    if (oe->config.ike_version != IKE_ANY_VERSION)
        return oe->config.ike_version;
    return gateway->ipseckey ? IKE_VERSION_2 : IKE_VERSION_1;
}

void effect_initiate(struct oe_step *step, const struct discovered_gateway *gateway)
{
    struct oe_effect effect = effect_of(step, OE_FX_IKE_INITIATE);
    const struct ip_addr *contact = discovered_contact(gateway);
    assert(contact != NULL);
    const struct ip_addr *local = oe_own_address(step->oe, contact);
    assert(local != NULL);
    effect.local = *local;
    effect.peer = *contact;
    effect.peer_id = gateway->id;
    effect.version = version_for(step->oe, gateway);
    effect.wait_ms = 1000 * step->inst->class->wait_s;
    push(step->oe, &effect, gateway->keys, gateway->key_count);
}

void effect_peer_keys(struct oe_step *step, const struct identity_keys *keys)
{
    struct oe_effect effect = effect_of(step, OE_FX_IKE_PEER_KEYS);
    effect.serial = step->inst->serial;
    effect.ok = keys != NULL;
    step->inst->serial = 0;
    if (keys == NULL)
        TEXT_SET(effect.text, "%s", step->inst->reason);
    push(step->oe, &effect, keys != NULL ? keys->keys : NULL, keys != NULL ? keys->count : 0);
}

void effect_answer_proposal(struct oe_step *step, bool ok)
{
    struct oe_effect effect = effect_of(step, OE_FX_IKE_AUTHORIZED);
    if (step->inst->serial == 0)
        return;
    effect.serial = step->inst->serial;
    effect.ok = ok;
    step->inst->serial = 0;
    TEXT_SET(effect.text, "%s", step->inst->reason);
    push(step->oe, &effect, NULL, 0);
}

void effect_answer_no(struct oe *oe, const struct oe_event *event, const char *why)
{
    struct oe_effect effect = {
        .kind = event->kind == OE_EV_PROPOSAL ? OE_FX_IKE_AUTHORIZED : OE_FX_IKE_PEER_KEYS,
        .serial = event->serial,
        .flow = event->flow,
        .peer = event->peer,
        .peer_id = event->peer_id,
    };
    TEXT_SET(effect.text, "%s", why);
    push(oe, &effect, NULL, 0);
}

void effect_cancel(struct oe_step *step)
{
    struct oe_effect effect = effect_of(step, OE_FX_IKE_CANCEL);
    push(step->oe, &effect, NULL, 0);
}

void effect_delete_child(struct oe_step *step)
{
    struct oe_instance *inst = step->inst;
    struct oe_effect effect = effect_of(step, inst->adopted ? OE_FX_REMOVE_SA : OE_FX_IKE_DELETE);
    if (!inst->has_child)
        return;
    push(step->oe, &effect, NULL, 0);
    if (inst->adopted)
        inst->has_child = inst->adopted = false; /* nobody will report it */
}

void effect_delete_unknown(struct oe *oe, uint64_t ticket)
{
    struct oe_effect effect = {.kind = OE_FX_IKE_DELETE, .ticket = ticket};
    push(oe, &effect, NULL, 0);
}

/* OE-079: the outgoing policy and the incoming SA. */
void effect_last_use_query(struct oe_step *step)
{
    struct oe_effect effect = effect_of(step, OE_FX_LAST_USE_QUERY);
    push(step->oe, &effect, NULL, 0);
}

void effect_sa_use_query(struct oe *oe, const struct oe_instance *inst)
{
    struct oe_effect effect = {
        .kind = OE_FX_SA_USE_QUERY,
        .ticket = inst->ticket,
        .flow = inst->key.flow,
        .local = inst->local,
        .peer = inst->gateway,
        .spi_in = inst->spi_in,
    };
    push(oe, &effect, NULL, 0);
}
