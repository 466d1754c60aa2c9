/* What Main Mode, Quick Mode and informational exchanges leave in the trace. */
#include <stdio.h>

#include "ike/v1/v1.h"

static struct event_record record_for(const struct ike *ike, const struct ike_sa *sa,
                                      const struct v1_exchange *x)
{
    struct event_record r = {
        .at = ike->now,
        .room = EVENT_IKE,
        .level = EVENT_INFO,
        .peer = sa->remote.addr,
        .connection = sa->trace_connection != 0 ? sa->trace_connection : sa->number,
        .flow = sa->trace_flow,
    };
    if (x != NULL && x->msgid.value != 0) {
        const struct v1_quick *quick = (const struct v1_quick *)(const void *)x;
        /* As the initiator of the flow sees it. */
        r.flow = x->initiator ? quick->flow : ip_pair_reverse(&quick->flow);
        if (quick->ticket != NULL)
            r.connection = quick->ticket->number;
    }
    return r;
}

static void emit(const struct ike *ike, struct event_record *r, const char *title,
                 const char *detail)
{
    snprintf(r->title, sizeof(r->title), "%s", title);
    snprintf(r->detail, sizeof(r->detail), "%s", detail);
    event_emit(&ike->env.trace, r);
}

void v1_trace_message(struct ike *ike, const struct ike_sa *sa, const struct v1_exchange *x,
                      const struct v1_message *message, bool sent, const char *detail)
{
    struct event_record r = record_for(ike, sa, x);
    const struct event_end self = {.party = EVENT_PARTY_SELF};
    const struct event_end peer = {.party = EVENT_PARTY_ADDR, .addr = sa->remote.addr};
    char text[200], local[IP_ENDPOINT_TEXT_MAX], remote[IP_ENDPOINT_TEXT_MAX];

    r.line = message->encrypted ? EVENT_LINE_IKE : EVENT_LINE_CLEAR;
    r.from = sent ? self : peer;
    r.to = sent ? peer : self;
    snprintf(r.label, sizeof(r.label), "%s", message->label);
    ip_endpoint_format(sent ? &sa->path.local : &sa->path.remote, local);
    ip_endpoint_format(sent ? &sa->path.remote : &sa->path.local, remote);
    snprintf(text, sizeof(text), "%s to %s%s%s", local, remote, *detail ? ": " : "", detail);
    emit(ike, &r, message->title, text);
}

void v1_trace(struct ike *ike, const struct ike_sa *sa, const struct v1_exchange *x,
              enum event_level level, const char *title, const char *detail)
{
    struct event_record r = record_for(ike, sa, x);
    char text[200];
    r.level = level;
    snprintf(text, sizeof(text), "%s%s%s", detail, x ? "; " : "", x ? v1_state_name(x->state) : "");
    emit(ike, &r, title, text);
}
