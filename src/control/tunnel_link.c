/*
 * Configured tunnels joined with ike and the plane. What belongs to whom is told by the ticket, and
 * for a peer's proposal by the profile that ike found, or by address, identity and key where ike
 * looked for none.
 */
#include "control/internal.h"

static bool is_host(const struct ip_prefix *net)
{
    return net->bits == ip_addr_bits(&net->addr);
}

static void initiate(struct control *c, mono_t now, const struct tunnel_effect *fx)
{
    const struct ike_profile *profile = fx->profile;
    struct ike_event event = {
        .kind = IKE_EV_INITIATE,
        .ticket = fx->ticket,
        .profile = profile->number,
        .version = profile->version,
        .local = {.addr = fx->local},
        .remote = {.addr = fx->peer, .port = profile->remote_port},
        .traffic = fx->traffic,
        .peer_id = profile->peer_id,
        .keys = profile->peer_keys,
        .key_count = profile->peer_key_count,
    };
    if (is_host(&fx->traffic.local.net) && is_host(&fx->traffic.remote.net))
        event.flow = (struct ip_pair){.src = fx->traffic.local.net.addr,
                                      .dst = fx->traffic.remote.net.addr};
    ike_input(c->ike, now, &event);
}

static void tell_ike(struct control *c, mono_t now, const struct tunnel_effect *fx)
{
    struct ike_event event = {
        .ticket = fx->ticket, .serial = fx->serial, .ok = fx->ok, .traffic = fx->traffic};
    switch (fx->kind) {
    case TUNNEL_FX_IKE_AUTHORIZED:
        event.kind = IKE_EV_AUTHORIZED;
        break;
    case TUNNEL_FX_IKE_DELETE:
        event.kind = IKE_EV_DELETE_CHILD;
        break;
    default:
        event.kind = IKE_EV_CANCEL;
        break;
    }
    ike_input(c->ike, now, &event);
}

void tunnel_link_effect(struct control *c, mono_t now, const struct tunnel_effect *fx)
{
    const struct control_effect address = {.kind = CONTROL_FX_ADDRESS,
                                           .ok = fx->ok,
                                           .address = fx->address,
                                           .traffic = fx->traffic};
    switch (fx->kind) {
    case TUNNEL_FX_RULE:
        plane_link_rule(c, now, fx);
        break;
    case TUNNEL_FX_RULE_REMOVE:
        plane_link_rule_remove(c, now, fx->ticket);
        break;
    case TUNNEL_FX_IKE_INITIATE:
        initiate(c, now, fx);
        break;
    case TUNNEL_FX_IKE_CANCEL:
    case TUNNEL_FX_IKE_DELETE:
    case TUNNEL_FX_IKE_AUTHORIZED:
        tell_ike(c, now, fx);
        break;
    case TUNNEL_FX_ADDRESS:
        control_push(c, &address);
        break;
    }
}

/* OE-114: configuration is searched before any key is fetched. */
static bool answer_keys(struct control *c, mono_t now, const struct ike_effect *fx)
{
    const struct tunnel_connection *connection =
        tunnels_connection_of(c->tunnels, &fx->peer, &fx->peer_id, NULL);
    if (connection == NULL)
        return false;
    const struct ike_profile *profile = connection->profile;
    const struct ike_event keys = {.kind = IKE_EV_PEER_KEYS,
                                   .serial = fx->serial,
                                   .ok = profile->peer_method == IKE_BY_KEY,
                                   .keys = profile->peer_keys,
                                   .key_count = profile->peer_key_count};
    ike_input(c->ike, now, &keys);
    return true;
}

static struct traffic_pair traffic_of_flow(const struct ip_pair *flow)
{
    struct ip_prefix local = ip_prefix_of(&flow->src, ip_addr_bits(&flow->src));
    struct ip_prefix remote = ip_prefix_of(&flow->dst, ip_addr_bits(&flow->dst));
    return (struct traffic_pair){.local = traffic_of_prefix(&local),
                                 .remote = traffic_of_prefix(&remote)};
}

static void propose(struct control *c, mono_t now, const struct ike_effect *fx, uint32_t profile)
{
    const struct tunnel_event proposal = {
        .kind = TUNNEL_EV_PROPOSAL,
        .serial = fx->serial,
        .profile = profile,
        .version = fx->version,
        .local = fx->local.addr,
        .peer = fx->peer,
        .peer_id = fx->peer_id,
        .traffic = fx->profile != 0 ? fx->traffic : traffic_of_flow(&fx->flow),
    };
    tunnels_input(c->tunnels, now, &proposal);
}

/* A peer that ike knows by no profile: it may be a configured one all the same, and if it isn't it
 * gets nothing of what is configured (OE-091). */
static bool answer_proposal(struct control *c, mono_t now, const struct ike_effect *fx)
{
    const struct ike_event no = {.kind = IKE_EV_AUTHORIZED, .serial = fx->serial};
    if (fx->profile != 0) {
        propose(c, now, fx, fx->profile);
        return true;
    }
    if (!tunnels_cover(c->tunnels, &fx->flow))
        return false;
    const struct tunnel_connection *connection =
        fx->key != NULL ? tunnels_connection_of(c->tunnels, &fx->peer, &fx->peer_id, fx->key)
                        : NULL;
    if (connection != NULL)
        propose(c, now, fx, connection->profile->number);
    else
        ike_input(c->ike, now, &no);
    return true;
}

static void child_event(struct control *c, mono_t now, const struct ike_effect *fx)
{
    static const enum tunnel_event_kind kinds[] = {
        [IKE_FX_CHILD_UP] = TUNNEL_EV_CHILD_UP,
        [IKE_FX_CHILD_FAILED] = TUNNEL_EV_CHILD_FAILED,
        [IKE_FX_CHILD_DELETED] = TUNNEL_EV_CHILD_DELETED,
    };
    struct tunnel_event event = {
        .kind = kinds[fx->kind],
        .ticket = fx->ticket,
        .profile = fx->profile,
        .initiator = fx->initiator,
        .version = fx->version,
        .local = fx->local.addr,
        .peer = fx->peer,
        .peer_id = fx->peer_id,
        .spi_in = fx->spi_in,
        .spi_out = fx->spi_out,
        .suite = fx->suite,
        .text = fx->text,
    };
    if (fx->profile != 0)
        event.traffic = fx->traffic;
    else if (fx->flow.src.family != IP_NONE)
        event.traffic = traffic_of_flow(&fx->flow);
    tunnels_input(c->tunnels, now, &event);
}

bool tunnel_link_from_ike(struct control *c, mono_t now, const struct ike_effect *fx)
{
    switch (fx->kind) {
    case IKE_FX_NEED_KEYS:
        return answer_keys(c, now, fx);
    case IKE_FX_PEER_AUTHENTICATED:
        return fx->profile != 0 ||
               tunnels_connection_of(c->tunnels, &fx->peer, &fx->peer_id, NULL) != NULL;
    case IKE_FX_NEED_AUTHORIZATION:
        return answer_proposal(c, now, fx);
    case IKE_FX_CHILD_UP:
    case IKE_FX_CHILD_FAILED:
    case IKE_FX_CHILD_DELETED:
        if (!tunnel_is_ticket(fx->ticket))
            return false;
        child_event(c, now, fx);
        return true;
    default:
        return false;
    }
}

/* ADR-039, ADR-041: the policy that the SA belongs to follows, unless the update said that it shall not. */
void tunnel_link_moved(struct control *c, mono_t now, const struct ike_effect *fx)
{
    const struct tunnel_event moved = {
        .kind = TUNNEL_EV_MOVED, .ticket = fx->ticket, .peer = fx->remote.addr};
    if (fx->inbound || fx->policy_stays || fx->here.addr.family == IP_NONE ||
        !tunnel_is_ticket(fx->ticket))
        return;
    tunnels_input(c->tunnels, now, &moved);
}

size_t tunnel_link_ask_update(struct control *c, const char *name, const struct ip_pair *ends)
{
    struct tunnel_info info;
    size_t asked = 0;

    for (size_t i = 0; tunnels_info(c->tunnels, i, &info); i++) {
        bool named = strcmp(info.connection->profile->name, name) == 0 ||
                     strcmp(info.selector->name, name) == 0;
        if (named && info.spi_out.value != 0 && plane_link_ask_update(c, &info, ends))
            asked++;
    }
    return asked;
}

bool tunnel_link_report(struct control *c, mono_t now, const struct pfkey_message *message)
{
    bool hard = (message->has & PFKEY_HAS_EXPIRE_HARD) != 0;
    struct tunnel_event event = {.ticket = message->ticket, .flow = message->flow};

    switch (message->type) {
    case PFKEY_ACQUIRE:
        event.kind = TUNNEL_EV_ACQUIRE;
        /* A rule came while a pair of its own was held: the next datagram finds the rule. */
        if (!tunnel_is_ticket(event.ticket))
            return tunnels_cover(c->tunnels, &message->flow);
        break;
    case PFKEY_EXPIRE:
        event.kind = hard ? TUNNEL_EV_HARD_EXPIRE : TUNNEL_EV_SOFT_EXPIRE;
        event.ticket = message->sa.ticket;
        if (message->sa.inbound)
            event.spi_in = message->sa.spi;
        else
            event.spi_out = message->sa.spi;
        break;
    default:
        return false;
    }
    if (!tunnel_is_ticket(event.ticket))
        return false;
    tunnels_input(c->tunnels, now, &event);
    return true;
}

static void end_lost(struct control *c, mono_t now, uint64_t ticket, spi_t spi_in, spi_t spi_out,
                     const char *why)
{
    const struct tunnel_event lost = {.kind = TUNNEL_EV_HARD_EXPIRE,
                                      .ticket = ticket,
                                      .spi_in = spi_in,
                                      .spi_out = spi_out,
                                      .text = why};
    const struct ike_event delete = {.kind = IKE_EV_DELETE_CHILD, .ticket = ticket};
    ike_input(c->ike, now, &delete);
    tunnels_input(c->tunnels, now, &lost);
}

void tunnel_link_lost(struct control *c, mono_t now, uint64_t ticket, spi_t spi_in, spi_t spi_out)
{
    end_lost(c, now, ticket, spi_in, spi_out, "the plane has lost it");
}

static bool is_leased(const struct control *c, spi_t spi)
{
    for (size_t i = 0; i < c->spi_count; i++)
        if (c->spis[i] == spi.value)
            return true;
    return false;
}

/* The walk ends with what happens in ike, so it begins again. */
static bool find_unleased(const struct control *c, struct ike_child_info *ret)
{
    *ret = (struct ike_child_info){.at = NULL};
    while (ike_child_next(c->ike, ret))
        if (!ret->deleting && tunnel_is_ticket(ret->ticket) && !is_leased(c, ret->spi_in))
            return true;
    return false;
}

/* Without any SPI there is no lease at the moment; the next one may bring the same. */
void tunnel_link_unleased(struct control *c, mono_t now)
{
    struct ike_child_info child;
    size_t most = 2 * CONTROL_SPIS; /* more were never leased */

    if (!c->leased_spis || c->spi_count == 0)
        return;
    while (most-- > 0 && find_unleased(c, &child))
        end_lost(c, now, child.ticket, child.spi_in, child.spi_out, "its SPI is not leased any more");
}
