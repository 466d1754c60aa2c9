/* Actions of the OE draft's section 3.2: the initiator, up to Keyed. */
#include "oe/actions.h"

void lifespan_begin(struct oe_step *step, int64_t ms)
{
    step->inst->lifespan_ms = ms;
    step->inst->lifespan_ends = mono_add(step->now, ms);
}

void shunt(struct oe_step *step)
{
    const struct oe_class *class = step->inst->class;
    bool pass = class->pass_while_keying && class->kind != OE_PARANOID;
    effect_policy(step, pass ? OE_VERDICT_PASS : OE_VERDICT_HOLD);
}

void note_dns(struct oe_step *step, const struct delegation *d)
{
    struct oe_instance *inst = step->inst;
    inst->dns_asked = true;
    inst->dns = d->status;
    inst->dns_secure = d->secure;
    inst->by_name = d->by_name;
    inst->fresh_until = d->expires;
    TEXT_SET(inst->record, "%s", d->why);
}

/* OE-043, OE-044, OE-012: the entry in the plane is also the negative cache. */
void settle(struct oe_step *step)
{
    struct oe_instance *inst = step->inst;
    effect_policy(step, step->row->to == OE_ST_CLEAR ? OE_VERDICT_PASS : OE_VERDICT_DENY);
    effect_delete_child(step);
    inst->has_child = false;
    instance_leave_gateway(step->oe, inst);
    instance_forget_delegation(inst);
}

int64_t clear_lifespan_ms(const struct oe_step *step)
{
    const struct oe_config *config = &step->oe->config;
    int64_t first = seconds(config->first_lifespan_s), normal = seconds(config->normal_lifespan_s);
    int64_t left = mono_since(step->inst->fresh_until, step->now);
    if (left < first)
        left = first;
    return left < normal ? left : normal;
}

/* A first look after a minute; what has been in use for longer is looked at less often. */
static void settle_lifespan(struct oe_step *step)
{
    const struct oe_config *config = &step->oe->config;
    if (step->inst->state != OE_ST_EXPIRING)
        lifespan_begin(step, seconds(config->first_lifespan_s));
    else if (step->row->to == OE_ST_CLEAR)
        lifespan_begin(step, clear_lifespan_ms(step));
    else
        lifespan_begin(step, seconds(config->normal_lifespan_s));
}

void act_none(struct oe_step *step)
{
    (void)step;
}

/* OE-002, OE-178: no lookup, no keying. */
void act_settle_class(struct oe_step *step)
{
    OE_REASON(step, "policy %s", instance_class_name(step->inst));
    cancel_keying(step);
    step->inst->fresh_until = MONO_NEVER;
    settle_lifespan(step);
    settle(step);
}

void act_settle_own(struct oe_step *step)
{
    char addr[IP_ADDR_TEXT_MAX];
    OE_REASON(step, "%s is an address of this gateway",
              ip_addr_format(&step->inst->key.flow.dst, addr));
    settle_lifespan(step);
    settle(step);
}

/* OE-046, OE-047 */
void act_look_up(struct oe_step *step)
{
    char addr[IP_ADDR_TEXT_MAX];
    OE_REASON(step, "asking DNS who acts for %s", ip_addr_format(&step->inst->key.flow.dst, addr));
    step->inst->responder = false;
    shunt(step);
    effect_lookup_delegation(step, PURPOSE_INITIATE);
}

void act_adopt(struct oe_step *step)
{
    struct oe_instance *inst = step->inst;
    const struct oe_event *event = step->event;
    const struct ip_addr *local = oe_own_address(step->oe, &event->peer);

    inst->verdict = event->verdict;
    inst->policy_set = true;
    /* What led to it is not known any more, so it is asked again when it is next reconsidered. */
    inst->fresh_until = guard_class_refuses(step) ? MONO_NEVER : step->now;
    lifespan_begin(step, seconds(step->oe->config.first_lifespan_s));
    instance_take_note(inst, event->note);
    OE_REASON(step, "found in the plane after a restart");
    if (event->verdict != OE_VERDICT_ENCRYPT)
        return;
    inst->has_child = true;
    inst->adopted = !event->known;
    inst->spi_in = event->spi_in;
    inst->spi_out = event->spi_out;
    inst->suite = event->suite;
    inst->keyed_at = step->now;
    if (local != NULL)
        inst->local = *local;
    if (!instance_join_gateway(step->oe, step->now, inst, &event->peer)) {
        inst->gateway = event->peer;
        step->oe->out_of_memory = true;
    }
}

/* OE-023, OE-059: the plane ends a hold after the wait for one gateway; what came before this one took of it. */
static void renew_hold(struct oe_step *step)
{
    if (step->inst->verdict == OE_VERDICT_HOLD &&
        mono_since(step->now, step->inst->since) >= OE_HOLD_RENEWAL_MS)
        effect_policy_again(step);
}

static void initiate_to(struct oe_step *step, size_t index)
{
    struct oe_instance *inst = step->inst;
    uint32_t wait_s = inst->class->wait_s != 0 ? inst->class->wait_s : step->oe->config.wait_s;
    char addr[IP_ADDR_TEXT_MAX];
    renew_hold(step);
    TEXT_SET(inst->ike, "keying with %s",
             ip_addr_format(discovered_contact(&inst->delegation->gateways[index]), addr));
    inst->gateway_index = index;
    inst->keying = true;
    inst->silence_ends = mono_add(step->now, seconds(wait_s));
    effect_initiate(step, &inst->delegation->gateways[index]);
}

/* OE-011, OE-057 */
void act_initiate(struct oe_step *step)
{
    struct oe_instance *inst = step->inst;
    const struct delegation *d = step->event->delegation;
    char addr[IP_ADDR_TEXT_MAX];

    inst->responder = false;
    inst->keying = true;
    note_dns(step, d);
    if (!instance_keep_delegation(inst, d)) {
        step->oe->out_of_memory = true; /* the deadline makes it a failure */
        return;
    }
    size_t first = delegation_next_gateway(step->oe, d, 0);
    OE_REASON(step, "keying with %s (%s)",
              ip_addr_format(discovered_contact(&d->gateways[first]), addr), d->why);
    initiate_to(step, first);
}

/* The gateway being tried, as text. */
static const char *tried_gateway(const struct oe_instance *inst, char *text)
{
    if (inst->delegation == NULL)
        return "the gateway";
    return ip_addr_format(discovered_contact(&inst->delegation->gateways[inst->gateway_index]),
                          text);
}

static const char *failure_text(enum ike_failure failure)
{
    static const char *const texts[] = {
        [IKE_FAILURE_SILENT] = "does not answer",
        [IKE_FAILURE_REFUSED] = "refuses the tunnel",
        [IKE_FAILURE_SIGNATURE] = "can't prove its key",
        [IKE_FAILURE_OTHER] = "failed",
    };
    return (unsigned)failure < sizeof(texts) / sizeof(texts[0]) ? texts[failure] : "failed";
}

static void reason_failure(struct oe_step *step)
{
    const struct oe_event *event = step->event;
    char addr[IP_ADDR_TEXT_MAX];
    OE_REASON(step, "%s %s", tried_gateway(step->inst, addr), failure_text(event->failure));
    if (event->text != NULL && event->text[0] != '\0')
        TEXT_ADD(step->inst->reason, ": %s", event->text);
    TEXT_SET(step->inst->ike, "%.*s", (int)sizeof(step->inst->ike) - 1, step->inst->reason);
}

static enum ike_failure worst_of(const struct oe_step *step)
{
    const struct oe_instance *inst = step->inst;
    enum ike_failure failure = step->event->failure;
    return inst->failed_before && inst->failure < failure ? inst->failure : failure;
}

/* OE-059 */
void act_next_gateway(struct oe_step *step)
{
    struct oe_instance *inst = step->inst;
    char addr[IP_ADDR_TEXT_MAX];
    size_t next = delegation_gateway_after(step->oe, inst, step->event->failure);

    inst->failure = worst_of(step);
    inst->failed_before = true;
    reason_failure(step);
    TEXT_ADD(inst->reason, "; next is %s",
             ip_addr_format(discovered_contact(&inst->delegation->gateways[next]), addr));
    initiate_to(step, next);
}

/* OE-060, OE-063, OE-065, OE-067, OE-172 */
void act_settle_failure(struct oe_step *step)
{
    struct oe_instance *inst = step->inst;
    const struct oe_config *config = &step->oe->config;
    int64_t ms = seconds(config->normal_lifespan_s);
    enum ike_failure failure = worst_of(step);

    if (failure == IKE_FAILURE_SILENT)
        ms = seconds(config->low_lifespan_s);
    if (failure == IKE_FAILURE_SIGNATURE) { /* OE-066: the expiry minds the signatures */
        int64_t left = mono_since(inst->fresh_until, step->now);
        int64_t least = seconds(config->low_lifespan_s);
        ms = left > least ? left : least;
    }
    reason_failure(step);
    lifespan_begin(step, ms);
    /* Then keying is tried again, if the flow is still in use. */
    inst->fresh_until = inst->lifespan_ends;
    settle(step);
}

/* OE-003, OE-050, OE-051, OE-170 */
void act_settle_dns(struct oe_step *step)
{
    const struct delegation *d = step->event->delegation;
    char addr[IP_ADDR_TEXT_MAX];

    ip_addr_format(&step->inst->key.flow.dst, addr);
    note_dns(step, d);
    if (d->status != DISCOVERED_FOUND)
        OE_REASON(step, "%s", d->why);
    else if (!delegation_trusted(step->oe, step->inst, d))
        OE_REASON(step, "the delegation of %s is not signed, and policy requires DNSSEC", addr);
    else
        OE_REASON(step, "no gateway of %s can be contacted: it only initiates", addr);
    settle_lifespan(step);
    settle(step);
}

/*
 * Who acts for the destination is this very gateway: there is nobody to key with, and a tunnel to
 * ourselves would carry the flow nowhere.
 */
void act_settle_behind_us(struct oe_step *step)
{
    char addr[IP_ADDR_TEXT_MAX];
    note_dns(step, step->event->delegation);
    OE_REASON(step, "%s is a client of this gateway",
              ip_addr_format(&step->inst->key.flow.dst, addr));
    settle_lifespan(step);
    settle(step);
}

void act_settle_no_answer(struct oe_step *step)
{
    char addr[IP_ADDR_TEXT_MAX];
    struct delegation lost = {.status = DISCOVERED_TIMEOUT, .expires = step->now};
    note_dns(step, &lost);
    OE_REASON(step, "the lookup for %s was lost", ip_addr_format(&step->inst->key.flow.dst, addr));
    settle_lifespan(step);
    settle(step);
}

/* A tunnel that ike doesn't know is removed by hand, after the policy has left it. */
static void remove_adopted(struct oe_step *step, const struct oe_instance *before)
{
    struct oe_instance old = *before;
    struct oe_step old_step = *step;
    old_step.inst = &old;
    effect_delete_child(&old_step);
}

static void take_new_sas(struct oe_step *step)
{
    struct oe_instance *inst = step->inst;
    const struct oe_event *event = step->event;
    const struct ip_addr *local = oe_own_address(step->oe, &event->peer);

    inst->spi_in = event->spi_in;
    inst->spi_out = event->spi_out;
    inst->suite = event->suite;
    if (local != NULL)
        inst->local = *local;
    if (!instance_join_gateway(step->oe, step->now, inst, &event->peer)) {
        inst->gateway = event->peer;
        step->oe->out_of_memory = true;
    }
    if (!inst->responder && inst->delegation != NULL)
        inst->peer_id = inst->delegation->gateways[inst->gateway_index].id;
    inst->has_child = true;
    inst->adopted = false;
    inst->keyed_at = inst->heard_at = step->now;
}

/* OE-068, OE-108 */
void tunnel_up(struct oe_step *step)
{
    struct oe_instance *inst = step->inst;
    struct oe_instance before = *inst;
    char addr[IP_ADDR_TEXT_MAX];

    take_new_sas(step);
    effect_policy(step, OE_VERDICT_ENCRYPT);
    if (before.adopted)
        remove_adopted(step, &before);
    /* OE-097; a re-key leaves the lifespan alone (OE-101). */
    if (!before.has_child)
        lifespan_begin(step, seconds(step->oe->config.first_lifespan_s));
    inst->keying = false;
    instance_forget_delegation(inst);
    TEXT_SET(inst->ike, "tunnel up with %s", ip_addr_format(&inst->gateway, addr));
    /* OE-006 */
    if (inst->by_name && inst->dns_secure)
        OE_REASON(step, "tunnel with %s, authenticated as the name %s, not for the address "
                        "(DNSSEC secure)",
                  ip_addr_format(&inst->gateway, addr), inst->peer_id.fqdn);
    else
        OE_REASON(step, "tunnel with %s, %s", ip_addr_format(&inst->gateway, addr),
                  inst->dns_secure ? "authenticated (DNSSEC secure)"
                                   : "anonymous (DNS data was not signed)");
}

/*
 * Whoever has a name can point it at an address that isn't his, and have us try to key with a host
 * that never heard of it. That must not hold up the flow for as long as a gateway which the owner
 * of the address named himself; forward names count in OE-permissive classes only, so it may pass.
 */
void act_stop_holding(struct oe_step *step)
{
    char addr[IP_ADDR_TEXT_MAX];
    OE_REASON(step, "%s, known by name only, takes long: in clear until it has a tunnel",
              tried_gateway(step->inst, addr));
    effect_policy(step, OE_VERDICT_PASS);
}

void act_keyed(struct oe_step *step)
{
    tunnel_up(step);
}

/* The old keys serve until their hard expiry (OE-070, OE-071). */
void act_rekey(struct oe_step *step)
{
    struct oe_instance *inst = step->inst;
    inst->responder = false;
    inst->keying = false;
    const char *why = step->event->kind != OE_EV_HINT ? "the keys are about to expire"
                      : step->event->ticket != 0      ? "nothing comes back through the tunnel"
                                                      : "the other gateway may have restarted";
    OE_REASON(step, "%s: keying anew", why);
    effect_lookup_delegation(step, PURPOSE_RECHECK);
}

void act_keep_old(struct oe_step *step)
{
    struct oe_instance *inst = step->inst;
    if (step->event->kind == OE_EV_CHILD_FAILED)
        reason_failure(step);
    else
        OE_REASON(step, "no gateway to key anew with");
    TEXT_ADD(inst->reason, "; the tunnel stays until its keys expire");
    inst->keying = false;
    instance_forget_delegation(inst);
}

static void end_tunnel(struct oe_step *step)
{
    shunt(step);
    step->inst->has_child = step->inst->adopted = false;
}

/* OE-031: the plane went back to hold by itself; a new tunnel is on its way already. */
void act_lose_old(struct oe_step *step)
{
    OE_REASON(step, "the old tunnel ended before the new one was there");
    end_tunnel(step);
}

void act_restart(struct oe_step *step)
{
    struct oe_instance *inst = step->inst;
    inst->responder = false;
    inst->keying = false;
    bool told = step->event->text != NULL && step->event->text[0] != '\0';
    OE_REASON(step, "%s", told ? step->event->text : "the tunnel's keys have expired");
    if (step->event->kind == OE_EV_HARD_EXPIRE)
        effect_delete_child(step);
    end_tunnel(step);
    instance_leave_gateway(step->oe, inst);
    effect_lookup_delegation(step, PURPOSE_INITIATE);
}

/* OE-094: the peer may come again; until then the flow is in clear. */
void act_end_respond(struct oe_step *step)
{
    OE_REASON(step, "the tunnel has ended; %s leaves a new one to the peer",
              instance_class_name(step->inst));
    settle_lifespan(step);
    settle(step);
}

/* What is under way goes on; the shunt may be another now. */
void act_reclass(struct oe_step *step)
{
    if (step->inst->verdict != OE_VERDICT_ENCRYPT)
        shunt(step);
}

void act_keep_tunnel(struct oe_step *step)
{
    OE_REASON(step, "policy has changed; the tunnel stays until its keys expire");
    cancel_keying(step);
    instance_forget_delegation(step->inst);
}

void act_reclass_anew(struct oe_step *step)
{
    struct oe_instance *inst = step->inst;
    OE_REASON(step, "policy has changed to %s", instance_class_name(inst));
    cancel_keying(step);
    shunt(step);
    effect_delete_child(step);
    inst->has_child = inst->adopted = inst->responder = false;
    instance_forget_delegation(inst);
    instance_leave_gateway(step->oe, inst);
    effect_lookup_delegation(step, PURPOSE_INITIATE);
}

/* The plane asks again: what holds has not reached it. */
void act_repeat_policy(struct oe_step *step)
{
    effect_policy_again(step);
}
