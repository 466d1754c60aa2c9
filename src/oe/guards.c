/* The conditions of the table's rows: what they read, never what they change. */
#include "oe/table.h"

bool delegation_trusted(const struct oe *oe, const struct oe_instance *inst,
                        const struct delegation *d)
{
    if (d->by_name && inst->class->kind != OE_PERMISSIVE)
        return false; /* asked under another policy: a name says nothing of an address's owner */
    return d->secure || class_takes_anonymous(&oe->config, inst->class);
}

size_t delegation_next_gateway(const struct oe *oe, const struct delegation *d, size_t from)
{
    size_t i = from;
    for (; i < d->count; i++) {
        const struct discovered_gateway *gw = &d->gateways[i];
        /* OE-147, OE-164, OE-177: a name only authorizes whoever comes; nobody can be contacted by
         * it. */
        const struct ip_addr *contact = discovered_contact(gw);
        if (contact != NULL && gw->key_count != 0 && !ip_addr_is_special(contact) &&
            oe_own_address(oe, contact) != NULL)
            break;
    }
    return i;
}

/* An address that is silent stays so under its other names: nobody waits for it twice. */
size_t delegation_gateway_after(const struct oe *oe, const struct oe_instance *inst,
                                enum ike_failure failure)
{
    const struct delegation *d = inst->delegation;
    size_t i = delegation_next_gateway(oe, d, inst->gateway_index + 1);
    const struct ip_addr *tried = discovered_contact(&d->gateways[inst->gateway_index]);
    while (i < d->count && failure == IKE_FAILURE_SILENT && tried != NULL &&
           ip_addr_equal(discovered_contact(&d->gateways[i]), tried))
        i = delegation_next_gateway(oe, d, i + 1);
    return i;
}

static bool names_us(const struct oe *oe, const struct delegation *d)
{
    for (size_t i = 0; i < d->count; i++) {
        const struct ip_addr *contact = discovered_contact(&d->gateways[i]);
        if (contact != NULL && oe_is_own(oe, contact))
            return true;
    }
    return false;
}

/* Or by our name, which nobody could contact us by (OE-147). */
static bool authorizes_us(const struct oe *oe, const struct delegation *d)
{
    for (size_t i = 0; i < d->count; i++)
        if (d->gateways[i].id.kind == IDENTITY_FQDN &&
            identity_equal(&d->gateways[i].id, &oe->config.id))
            return true;
    return names_us(oe, d);
}

/* OE-048, OE-050, OE-051 */
enum delegation_use delegation_use(const struct oe *oe, const struct oe_instance *inst,
                                   const struct delegation *d)
{
    if (d->status == DISCOVERED_MALFORMED || d->status == DISCOVERED_BOGUS)
        return USE_WRONG;
    if (d->status != DISCOVERED_FOUND || !delegation_trusted(oe, inst, d))
        return USE_NOBODY;
    if (names_us(oe, d))
        return USE_BEHIND_US;
    return delegation_next_gateway(oe, d, 0) < d->count ? USE_CONTACT : USE_NOBODY;
}

static enum delegation_use event_use(const struct oe_step *step)
{
    return delegation_use(step->oe, step->inst, step->event->delegation);
}

static bool class_is(const struct oe_step *step, enum oe_class_kind kind)
{
    return step->inst->class->kind == kind;
}

bool guard_always(const struct oe_step *step)
{
    (void)step;
    return true;
}

bool guard_class_clear(const struct oe_step *step)
{
    return class_is(step, OE_ALWAYS_CLEAR);
}

bool guard_class_deny(const struct oe_step *step)
{
    return class_is(step, OE_DENY);
}

/* OE-094 */
bool guard_respond_only(const struct oe_step *step)
{
    return class_is(step, OE_RESPOND_ONLY);
}

/* The class lets it pass without asking anybody. */
bool guard_no_asking(const struct oe_step *step)
{
    return class_is(step, OE_ALWAYS_CLEAR) || class_is(step, OE_RESPOND_ONLY) ||
           (!class_is(step, OE_DENY) && guard_destination_own(step));
}

/* The class takes the tunnel that is there. An adopted one's records are not known (any more). */
bool guard_tunnel_fits(const struct oe_step *step)
{
    const struct oe_instance *inst = step->inst;
    return inst->has_child && class_takes_tunnels(inst->class) &&
           (!inst->by_name || inst->class->kind == OE_PERMISSIVE) &&
           (inst->dns_secure || !inst->dns_asked ||
            class_takes_anonymous(&step->oe->config, inst->class));
}

bool guard_rekey_fits(const struct oe_step *step)
{
    return guard_tunnel_fits(step) && class_initiates(step->inst->class);
}

bool guard_permissive(const struct oe_step *step)
{
    return class_is(step, OE_PERMISSIVE);
}

bool guard_paranoid(const struct oe_step *step)
{
    return class_is(step, OE_PARANOID);
}

bool guard_destination_own(const struct oe_step *step)
{
    return oe_is_own(step->oe, &step->inst->key.flow.dst);
}

bool guard_adopt_pass(const struct oe_step *step)
{
    return step->event->verdict == OE_VERDICT_PASS && !class_is(step, OE_DENY);
}

bool guard_adopt_deny(const struct oe_step *step)
{
    return step->event->verdict == OE_VERDICT_DENY && !class_is(step, OE_ALWAYS_CLEAR) &&
           !class_is(step, OE_RESPOND_ONLY);
}

bool guard_adopt_encrypt(const struct oe_step *step)
{
    const struct oe_event *event = step->event;
    return event->verdict == OE_VERDICT_ENCRYPT && class_takes_tunnels(step->inst->class) &&
           event->spi_out.value != 0 && event->peer.family != IP_NONE;
}

bool guard_keys_good(const struct oe_step *step)
{
    const struct identity_keys *keys = step->event->keys;
    return keys->status == DISCOVERED_FOUND && (keys->secure || !step->oe->config.require_dnssec);
}

bool guard_class_refuses(const struct oe_step *step)
{
    return !class_takes_tunnels(step->inst->class);
}

bool guard_source_unusable(const struct oe_step *step)
{
    const struct ip_pair *flow = &step->inst->key.flow;
    return ip_addr_is_special(&flow->dst) || ip_addr_is_special(&flow->src) ||
           flow->src.family != flow->dst.family || oe_is_own(step->oe, &flow->dst);
}

/* 10/8, 172.16/12, 192.168/16 (RFC 1918), 100.64/10 (RFC 6598), fc00::/7 (RFC 4193) */
static bool is_private(const struct ip_addr *addr)
{
    static const struct ip_prefix ranges[] = {
        {{IP_V4, {10}}, 8},       {{IP_V4, {172, 16}}, 12}, {{IP_V4, {192, 168}}, 16},
        {{IP_V4, {100, 64}}, 10}, {{IP_V6, {0xfc}}, 7},
    };
    for (size_t i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++)
        if (ip_prefix_contains(&ranges[i], addr))
            return true;
    return false;
}

/* OE-163: many hosts have that address, each behind a NAT of its own; no record can tell which. */
bool guard_source_behind_nat(const struct oe_step *step)
{
    return step->event->behind_nat && is_private(&step->inst->key.flow.dst);
}

/* Is the key that the peer proved in phase 1 vouched for as well as the class wants? */
static bool phase1_trusted(const struct oe_step *step)
{
    return step->inst->phase1_secure ||
           class_takes_anonymous(&step->oe->config, step->inst->class);
}

/*
 * The peer's word makes nothing ours to protect: else anyone could reach, by a tunnel, what no route
 * from outside leads to, or have us encrypt for others. It is ours if it is our own address, if it
 * has sent through us, or if DNS gave it to us, as whoever comes for it has read there himself.
 */
bool guard_own_unknown(const struct oe_step *step)
{
    const struct oe_instance *known = instance_by_flow(step->oe, &step->inst->key.flow);
    return !oe_is_own(step->oe, &step->inst->key.flow.src) &&
           (known == NULL || (known->responder && !known->has_child));
}

bool guard_own(const struct oe_step *step)
{
    const struct delegation *d = step->event->delegation;
    return step->inst->checking_own && d->status == DISCOVERED_FOUND &&
           delegation_trusted(step->oe, step->inst, d) && authorizes_us(step->oe, d);
}

bool guard_own_refused(const struct oe_step *step)
{
    return step->inst->checking_own && !guard_own(step);
}

bool guard_own_and_peer(const struct oe_step *step)
{
    return guard_own(step) && guard_source_is_peer(step);
}

bool guard_own_and_unvouched(const struct oe_step *step)
{
    return guard_own(step) && guard_source_unvouched(step);
}

static bool source_is_identity(const struct oe_step *step)
{
    const struct identity *id = &step->inst->peer_id;
    return id->kind == IDENTITY_ADDR && ip_addr_equal(&id->addr, &step->inst->key.flow.dst);
}

/* OE-092: whoever proved an address needs no delegation to speak for that same address. */
bool guard_source_is_peer(const struct oe_step *step)
{
    return source_is_identity(step) && !step->inst->phase1_ours && phase1_trusted(step);
}

/* Of a phase 1 that we began, the key is the one that some client's delegation named beside that
 * address, which proves nothing about the address itself. */
bool guard_source_unvouched(const struct oe_step *step)
{
    return source_is_identity(step) && step->inst->phase1_ours;
}

bool guard_keys_vouch(const struct oe_step *step)
{
    const struct identity_keys *keys = step->event->keys;
    const struct public_key *proved = step->inst->peer_key;

    if (keys->status != DISCOVERED_FOUND || proved == NULL ||
        (!keys->secure && !class_takes_anonymous(&step->oe->config, step->inst->class)))
        return false;
    for (size_t i = 0; i < keys->count; i++)
        if (public_key_equal(&keys->keys[i], proved))
            return true;
    return false;
}

static bool gateway_has_key(const struct discovered_gateway *gw, const struct public_key *key)
{
    for (size_t i = 0; i < gw->key_count; i++)
        if (public_key_equal(&gw->keys[i], key))
            return true;
    return false;
}

/* By the identity in the record, or by an address of a gateway that IPSECKEY names. */
static bool gateway_is(const struct discovered_gateway *gw, const struct identity *peer)
{
    const struct ip_addr *contact = discovered_contact(gw);
    return identity_equal(&gw->id, peer) || (contact != NULL && peer->kind == IDENTITY_ADDR &&
                                             ip_addr_equal(contact, &peer->addr));
}

/* OE-183, OE-158; any gateway listed will do, whatever its precedence (OE-166, OE-167). */
bool guard_authorized(const struct oe_step *step)
{
    const struct delegation *d = step->event->delegation;
    const struct oe_instance *inst = step->inst;

    if (d->status != DISCOVERED_FOUND || !delegation_trusted(step->oe, inst, d) ||
        inst->peer_key == NULL)
        return false;
    for (size_t i = 0; i < d->count; i++)
        if (gateway_is(&d->gateways[i], &inst->peer_id) &&
            gateway_has_key(&d->gateways[i], inst->peer_key))
            return true;
    return false;
}

/*
 * OE-159, OE-162: a host known by a name, speaking for the very address it keys from, needs no
 * delegation to initiate. If its reverse map does hold one, that counts instead. Behind a NAT the
 * address is that of others too (OE-163).
 */
bool guard_self_by_name(const struct oe_step *step)
{
    const struct delegation *d = step->event->delegation;
    const struct oe_instance *inst = step->inst;
    return d->status == DISCOVERED_ABSENT && delegation_trusted(step->oe, inst, d) &&
           phase1_trusted(step) && inst->peer_id.kind == IDENTITY_FQDN &&
           !inst->peer_behind_nat &&
           ip_addr_equal(&inst->gateway, &inst->key.flow.dst);
}

bool guard_behind_us_permissive(const struct oe_step *step)
{
    return event_use(step) == USE_BEHIND_US && class_is(step, OE_PERMISSIVE);
}

bool guard_behind_us_paranoid(const struct oe_step *step)
{
    return event_use(step) == USE_BEHIND_US && class_is(step, OE_PARANOID);
}

bool guard_contactable(const struct oe_step *step)
{
    return event_use(step) == USE_CONTACT;
}

bool guard_dns_wrong(const struct oe_step *step)
{
    return event_use(step) == USE_WRONG;
}

/* OE-054 */
bool guard_dns_wrong_clear(const struct oe_step *step)
{
    return event_use(step) == USE_WRONG &&
           class_fails_clear(&step->oe->config, step->inst->class, &step->inst->key.flow);
}

/* OE-059 */
bool guard_more_gateways(const struct oe_step *step)
{
    const struct oe_instance *inst = step->inst;
    const struct delegation *d = inst->delegation;
    return d != NULL &&
           delegation_gateway_after(step->oe, inst, step->event->failure) < d->count;
}

/* See act_stop_holding. */
bool guard_name_holds(const struct oe_step *step)
{
    return instance_name_holds(step->inst);
}

bool guard_old_tunnel(const struct oe_step *step)
{
    return step->inst->has_child;
}

/* If gateways failed in several ways, the way that is tried again soonest counts. */
static enum ike_failure overall_failure(const struct oe_step *step)
{
    const struct oe_instance *inst = step->inst;
    enum ike_failure failure = step->event->failure;
    return inst->failed_before && inst->failure < failure ? inst->failure : failure;
}

bool guard_silent_permissive(const struct oe_step *step)
{
    return overall_failure(step) == IKE_FAILURE_SILENT && class_is(step, OE_PERMISSIVE);
}

bool guard_silent_paranoid(const struct oe_step *step)
{
    return overall_failure(step) == IKE_FAILURE_SILENT && class_is(step, OE_PARANOID);
}

bool guard_signature_permissive(const struct oe_step *step)
{
    return overall_failure(step) == IKE_FAILURE_SIGNATURE && class_is(step, OE_PERMISSIVE);
}

bool guard_signature_paranoid(const struct oe_step *step)
{
    return overall_failure(step) == IKE_FAILURE_SIGNATURE && class_is(step, OE_PARANOID);
}

/* Reports about leftovers of a re-key concern nobody. */
bool guard_current(const struct oe_step *step)
{
    const struct oe_instance *inst = step->inst;
    const struct oe_event *event = step->event;
    if (!inst->has_child)
        return false;
    return (event->spi_in.value != 0 && event->spi_in.value == inst->spi_in.value) ||
           (event->spi_out.value != 0 && event->spi_out.value == inst->spi_out.value);
}

bool guard_current_respond_only(const struct oe_step *step)
{
    return guard_current(step) && class_is(step, OE_RESPOND_ONLY);
}

bool guard_current_looking_up(const struct oe_step *step)
{
    return guard_current(step) && !step->inst->keying;
}

/*
 * Both ends initiated at once, and both tunnels stand. Each end would find the other's the newest;
 * so that both send on the same one, the tunnel begun by the higher address wins.
 */
bool guard_crossed(const struct oe_step *step)
{
    const struct oe_instance *own = instance_by_flow(step->oe, &step->inst->key.flow);
    const struct ip_addr *peer = &step->event->peer;
    return own != NULL && own->has_child && !own->responder && !own->adopted &&
           ip_addr_equal(&own->gateway, peer) &&
           mono_since(step->now, own->keyed_at) < OE_CROSSING_MS &&
           memcmp(&own->local, peer, sizeof(*peer)) > 0;
}

/* OE-168, option 4: another gateway has a tunnel for the very flow. */
bool guard_second_refused(const struct oe_step *step)
{
    const struct oe_instance *own = instance_by_flow(step->oe, &step->inst->key.flow);
    return step->oe->config.return_tunnel == OE_RETURN_REFUSE && own != NULL && own->has_child &&
           !ip_addr_equal(&own->gateway, &step->inst->gateway);
}

/* A superseded tunnel to another gateway, on which datagrams still come. */
bool guard_spare_in_use(const struct oe_step *step)
{
    const struct oe_instance *inst = step->inst;
    int64_t half = 500 * (int64_t)step->oe->config.normal_lifespan_s;
    return inst->lingering && inst->ring_after != inst &&
           mono_since(step->now, inst->heard_at) < half;
}

/* OE-098, OE-099: used in the last half of the lifespan. */
bool guard_idle(const struct oe_step *step)
{
    int64_t idle_ms = step->event->idle_ms;
    return idle_ms < 0 || idle_ms > step->inst->lifespan_ms / 2;
}

/* OE-077 */
bool guard_stale(const struct oe_step *step)
{
    return mono_reached(step->now, step->inst->fresh_until);
}

bool guard_was_clear(const struct oe_step *step)
{
    return step->inst->former == OE_ST_CLEAR;
}

bool guard_was_deny(const struct oe_step *step)
{
    return step->inst->former == OE_ST_DENY;
}

bool guard_was_keyed(const struct oe_step *step)
{
    return step->inst->former == OE_ST_KEYED;
}

/* DNS that falls silent breaks no tunnel; only an answer that says otherwise does. */
bool guard_still_delegated(const struct oe_step *step)
{
    const struct oe_instance *inst = step->inst;
    const struct delegation *d = step->event->delegation;

    if (inst->former != OE_ST_KEYED)
        return false;
    if (d->status == DISCOVERED_TIMEOUT)
        return true;
    if (d->status != DISCOVERED_FOUND || !delegation_trusted(step->oe, inst, d))
        return false;
    for (size_t i = 0; i < d->count; i++) {
        const struct identity *id = &d->gateways[i].id;
        const struct ip_addr *contact = discovered_contact(&d->gateways[i]);
        bool same_addr = contact != NULL && ip_addr_equal(contact, &inst->gateway);
        bool same_id = inst->peer_id.kind != IDENTITY_NONE && identity_equal(id, &inst->peer_id);
        if (d->by_name ? same_addr && same_id : same_addr || same_id)
            return true;
    }
    return false;
}

bool guard_lingering(const struct oe_step *step)
{
    return step->inst->lingering;
}
