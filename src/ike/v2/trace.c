/* What IKEv2 leaves in the trace: messages with the names of their payloads, and decisions. */
#include <stdio.h>

#include "base/text.h"
#include "ike/v2/v2.h"

static struct event_record record_for(const struct ike *ike, const struct v2_sa *sa,
                                      const struct v2_exchange *x)
{
    struct event_record r = {
        .at = ike->now,
        .room = EVENT_IKE,
        .level = EVENT_INFO,
        .peer = sa->remote.addr,
        .connection = sa->trace_connection != 0 ? sa->trace_connection : sa->number,
        .flow = sa->trace_flow,
    };
    const struct v2_child *child = x != NULL ? x->child : NULL;
    if (child != NULL && child->flow.src.family != IP_NONE) {
        /* As the initiator of the flow sees it. */
        r.flow = x->initiator ? child->flow : ip_pair_reverse(&child->flow);
        if (child->ticket != NULL)
            r.connection = child->ticket->number;
    }
    return r;
}

/* "N(PEER_ADDRESS_SOURCE MARK 192.1.1.14)"; the draft's numbers are from the range for private use. */
static bool name_address(const struct ike2_notify *n, char *text, size_t room)
{
    const char *name = addrmgmt_notify_name(n->type);
    struct addrmgmt_address a;
    char addr[IP_ADDR_TEXT_MAX];
    if (name == NULL)
        return false;
    if (addrmgmt_address_parse(n, &a) == ERR_OK)
        text_add(text, room, " N(%s %s %s)", name, addrmgmt_operation_name(a.operation),
                 ip_addr_format(&a.addr, addr));
    else
        text_add(text, room, " N(%s)", name);
    return true;
}

/* In the title, of what a message says of its sender: "MARK 192.1.1.14", "RR_COOKIE". */
static void name_briefly(const struct ike2_notify *n, char *text, size_t room)
{
    struct addrmgmt_address a;
    char addr[IP_ADDR_TEXT_MAX];
    bool refused = n->type == ADDRMGMT_N_ADDRESS_REFUSED;
    if (n->type == ADDRMGMT_N_RR_COOKIE)
        text_add(text, room, " RR_COOKIE");
    else if ((refused || n->type == ADDRMGMT_N_PEER_ADDRESS_SOURCE) &&
             addrmgmt_address_parse(n, &a) == ERR_OK)
        text_add(text, room, " %s %s", refused ? "refused" : addrmgmt_operation_name(a.operation),
                 ip_addr_format(&a.addr, addr));
}

/* "U(all)", "U(IKE)", "U(ESP 2 SPIs)" */
static void name_update(struct view body, char *text, size_t room)
{
    struct addrmgmt_update u;
    if (addrmgmt_update_parse(body, &u) != ERR_OK)
        text_add(text, room, " U(?)");
    else if (u.protocol == ADDRMGMT_IKE)
        text_add(text, room, " U(%s)", u.all ? "all" : "IKE");
    else
        text_add(text, room, " U(%s %u SPI%s)", u.protocol == ADDRMGMT_AH ? "AH" : "ESP", u.count,
                 u.count == 1 ? "" : "s");
}

/* "SA KE Ni N(COOKIE)": the names of section 1.2. */
static void name_payloads(const struct v2_message *message, const struct ike2_payloads *payloads,
                          bool notifies, char *text, size_t room)
{
    struct ike2_notify n;
    for (size_t i = 0; i < payloads->count; i++) {
        const struct ike2_payload *p = &payloads->list[i];
        if (p->type == IKE2_P_NONCE) {
            text_add(text, room, message->response ? " Nr" : " Ni");
            continue;
        }
        if (p->type == ADDRMGMT_P_UPDATE) {
            name_update(p->body, text, room);
            continue;
        }
        if (p->type != IKE2_P_N) {
            text_add(text, room, " %s", ike2_payload_name(p->type));
            continue;
        }
        if (ike2_notify_parse(p->body, &n) != ERR_OK)
            continue;
        if (!notifies) {
            name_briefly(&n, text, room);
            continue;
        }
        if (name_address(&n, text, room))
            continue;
        const char *name = ike2_notify_name(n.type);
        if (name != NULL)
            text_add(text, room, " N(%s)", name);
        else
            text_add(text, room, " N(%u)", n.type);
    }
}

/* What is said and done about addresses concerns no client's flow: its ladder is that of the two gateways. */
static void name_gateways(struct event_record *r, const struct v2_sa *sa)
{
    if (sa->mobike == NULL || r->flow.src.family != IP_NONE)
        return;
    r->flow = (struct ip_pair){sa->local.addr, sa->remote.addr};
    if (!sa->initiator)
        r->flow = ip_pair_reverse(&r->flow);
}

/* Of a message: not always the SA's own. */
static const struct v2_path *way_of(const struct v2_sa *sa, const struct v2_exchange *x)
{
    if (x != NULL && x->initiator)
        return v2_mobike_way(x);
    return x != NULL && x->from.remote.port != 0 ? &x->from : &sa->path;
}

void v2_trace_message(struct ike *ike, const struct v2_sa *sa, const struct v2_exchange *x,
                      enum v2_message_kind kind, const struct ike2_payloads *payloads, bool sent)
{
    const struct v2_message *message = v2_message(kind);
    struct event_record r = record_for(ike, sa, x);
    const struct event_end self = {.party = EVENT_PARTY_SELF};
    const struct event_end peer = {.party = EVENT_PARTY_ADDR, .addr = sa->remote.addr};
    char local[IP_ENDPOINT_TEXT_MAX], remote[IP_ENDPOINT_TEXT_MAX];

    r.line = message->encrypted ? EVENT_LINE_IKE : EVENT_LINE_CLEAR;
    r.from = sent ? self : peer;
    r.to = sent ? peer : self;
    if (message->exchange == IKE2_INFORMATIONAL && (payloads->count != 0 || (x != NULL && x->says == V2_SAYS_ADDRESSES)))
        name_gateways(&r, sa);
    TEXT_SET(r.label, "%s", x != NULL ? message->label : "");
    TEXT_SET(r.title, "%s:", message->name);
    name_payloads(message, payloads, false, r.title, sizeof(r.title));
    const struct v2_path *path = way_of(sa, x);
    ip_endpoint_format(sent ? &path->local : &path->remote, local);
    ip_endpoint_format(sent ? &path->remote : &path->local, remote);
    TEXT_SET(r.detail, "%s to %s%s:", local, remote, v2_path_is_tcp(path) ? " by TCP" : "");
    name_payloads(message, payloads, true, r.detail, sizeof(r.detail));
    event_emit(&ike->env.trace, &r);
}

void v2_trace_clear(struct ike *ike, const struct v2_sa *sa, uint8_t exchange, uint16_t notify,
                    bool sent)
{
    const char *exchange_name = ike2_exchange_name(exchange), *name = ike2_notify_name(notify);
    char text[80];
    TEXT_SET(text, "%s, unprotected: N(%s)", exchange_name ? exchange_name : "message",
             name ? name : "?");
    v2_trace(ike, sa, NULL, EVENT_INFO, sent ? "Answer to a stranger" : "Hint", text);
}

void v2_trace(struct ike *ike, const struct v2_sa *sa, const struct v2_exchange *x,
              enum event_level level, const char *title, const char *detail)
{
    struct event_record r = record_for(ike, sa, x);
    r.level = level;
    if (x == NULL)
        name_gateways(&r, sa);
    TEXT_SET(r.title, "%s", title);
    TEXT_SET(r.detail, "%s%s%s", detail, x ? "; " : "", x ? v2_state_name(x->state) : "");
    event_emit(&ike->env.trace, &r);
}
