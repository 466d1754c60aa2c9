/* Virtual addresses by the configuration payload (RFC 7296 sections 2.19, 3.15): one address of one
 * family, in IKE_AUTH. Other attributes are neither asked for nor answered. */
#include "ike/v2/v2.h"

enum { IP6_ATTRIBUTE_LEN = 17 }; /* an address and its prefix length */

static bool is_one_host(const struct ip_prefix *net)
{
    return net->bits == ip_addr_bits(&net->addr);
}

/* `address` of family only: one is wanted, whichever. */
static void put(struct ike2_writer *w, enum ike2_cp_type type, const struct ip_addr *address,
                bool given)
{
    bool v6 = address->family == IP_V6;
    uint8_t octets[IP6_ATTRIBUTE_LEN];
    struct builder value = builder_on(span_of(octets, sizeof(octets)));
    struct ike2_cp cp = {.type = (uint8_t)type, .count = 1};

    if (given)
        builder_view(&value, view_of(address->octets, ip_addr_len(address)));
    if (given && v6)
        builder_u8(&value, (uint8_t)ip_addr_bits(address));
    cp.list[0] = (struct ike2_cp_attribute){v6 ? IKE2_CFG_IP6_ADDRESS : IKE2_CFG_IP4_ADDRESS,
                                            builder_written(&value)};
    ike2_writer_open(w, IKE2_P_CP);
    ike2_cp_build(&w->b, &cp);
    ike2_writer_close(w);
}

/* The attribute for an address of the family; NULL: none. */
static const struct ike2_cp_attribute *find(const struct ike2_cp *cp, uint8_t family)
{
    uint16_t type = family == IP_V6 ? IKE2_CFG_IP6_ADDRESS : IKE2_CFG_IP4_ADDRESS;
    for (size_t i = 0; i < cp->count; i++)
        if (cp->list[i].type == type)
            return &cp->list[i];
    return NULL;
}

static bool read_payload(const struct v2_step *step, enum ike2_cp_type type, struct ike2_cp *ret)
{
    return v2_has(step, IKE2_P_CP) && ike2_cp_parse(v2_body(step, IKE2_P_CP, 0), ret) == ERR_OK &&
           ret->type == type;
}

/* Initiator */

bool config_is_wanted(const struct v2_step *step)
{
    const struct ike_profile *profile = v2_profile(step->ike, step->sa->profile);
    return profile != NULL && profile->want_address && !step->sa->established;
}

/* A new SA for a tunnel that has an address already asks for that one. */
void config_put_request(const struct v2_step *step, struct ike2_writer *w)
{
    const struct ip_prefix *net = &step->x->child->traffic.local.net;
    if (config_is_wanted(step))
        put(w, IKE2_CP_REQUEST, &net->addr, is_one_host(net));
}

static bool read_address(const struct ike2_cp_attribute *attribute, uint8_t family,
                         struct ip_addr *ret)
{
    struct ip_addr address = {.family = family};
    size_t len = ip_addr_len(&address);
    struct cursor cur = cursor_of(attribute->value);
    struct view octets = cursor_take(&cur, len);

    if (family == IP_V6)
        cursor_skip(&cur, 1);
    if (!cursor_done(&cur))
        return false;
    memcpy(address.octets, octets.ptr, len);
    *ret = address;
    return true;
}

/* Traffic of ours is that of the address, even if the peer would take more. */
enum err config_take_reply(struct v2_step *step, struct traffic_pair *traffic)
{
    struct ip_prefix *net = &traffic->local.net;
    const struct ike2_cp_attribute *attribute;
    struct ip_addr address;
    struct ike2_cp cp;

    if (!config_is_wanted(step))
        return ERR_OK;
    if (!read_payload(step, IKE2_CP_REPLY, &cp) ||
        (attribute = find(&cp, net->addr.family)) == NULL)
        return v2_refuse(step, ERR_MISSING, 0, "the peer lends no address");
    if (!read_address(attribute, net->addr.family, &address))
        return v2_refuse(step, ERR_SYNTAX, 0, "malformed virtual address");
    if (!ip_prefix_contains(net, &address))
        return v2_refuse(step, ERR_SELECTOR, 0, "a virtual address outside of the traffic agreed");
    *net = ip_prefix_of(&address, ip_addr_bits(&address));
    step->sa->handshake->addressed = true;
    return ERR_OK;
}

/* A new SA asks again; this one could carry nothing that comes from an address of ours. */
void config_give_up(struct v2_step *step)
{
    struct v2_exchange *x = v2_line_up(step->ike, step->sa, V2_N_I_START);
    v2_trace(step->ike, step->sa, NULL, EVENT_INFO, "IKE SA deleted", "no virtual address");
    step->sa->closing = true;
    step->ends_sa = x == NULL;
    if (x != NULL)
        x->deletes_sa = true;
}

/* Responder */

static bool lends(const struct v2_step *step)
{
    const struct ike_profile *profile = v2_profile(step->ike, step->sa->profile);
    return profile != NULL && profile->pool_first.family != IP_NONE && !step->sa->established;
}

enum err config_take_request(struct v2_step *step)
{
    struct v2_child *child = step->x->child;
    const struct ip_prefix *net = &child->traffic.remote.net;
    struct ike2_cp cp;

    if (!lends(step) || child->refused != 0)
        return ERR_OK;
    child->wants_address =
        read_payload(step, IKE2_CP_REQUEST, &cp) && find(&cp, net->addr.family) != NULL;
    if (!child->wants_address && !is_one_host(net))
        return child_refuse(step, ERR_POLICY, IKE2_N_FAILED_CP_REQUIRED,
                            "the peer does not ask for an address");
    return ERR_OK;
}

uint16_t config_refusal(const struct v2_child *child)
{
    return child->wants_address ? IKE2_N_INTERNAL_ADDRESS_FAILURE : IKE2_N_TS_UNACCEPTABLE;
}

void config_put_reply(const struct v2_step *step, struct ike2_writer *w)
{
    const struct v2_child *child = step->x->child;
    if (child->wants_address)
        put(w, IKE2_CP_REPLY, &child->traffic.remote.net.addr, true);
}
