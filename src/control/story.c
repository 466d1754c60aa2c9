/*
 * The steps of the OE draft's Figure 6 that only the plane sees: the datagram that was held, the
 * first ones through a new tunnel, and what they tell about the hosts behind the gateway.
 */
#include "control/internal.h"

#include <stdio.h>

struct step {
    const char *label;
    enum event_line line;
    enum event_party from, to; /* EVENT_PARTY_ADDR: the other gateway */
    const char *title;
};

/* Two steps at most are told by one report: a datagram that came in and what went out for it. */
struct steps {
    struct step step[2];
};

static const struct steps told_by_initiator[] = {
    [PFKEY_TRACE_FIRST_HELD] = {{{"5", EVENT_LINE_CLEAR, EVENT_PARTY_SOURCE, EVENT_PARTY_SELF,
                                  "first datagram, held"}}},
    [PFKEY_TRACE_FIRST_OUT] = {{{"6", EVENT_LINE_ESP, EVENT_PARTY_SELF, EVENT_PARTY_ADDR,
                                 "held datagram sent through the tunnel"}}},
    [PFKEY_TRACE_FIRST_IN] = {{{"10", EVENT_LINE_CLEAR, EVENT_PARTY_SELF, EVENT_PARTY_SOURCE,
                                "decrypted and delivered"}}},
    [PFKEY_TRACE_SECOND_OUT] = {{{"11", EVENT_LINE_CLEAR, EVENT_PARTY_SOURCE, EVENT_PARTY_SELF,
                                  "next datagram"},
                                 {"12", EVENT_LINE_ESP, EVENT_PARTY_SELF, EVENT_PARTY_ADDR,
                                  "the tunnel is up: sent through it"}}},
};

static const struct steps told_by_responder[] = {
    /* The reply came early and waits for the tunnel: FIRST_OUT tells of it, after what it answers. */
    [PFKEY_TRACE_FIRST_HELD] = {{{NULL}}},
    [PFKEY_TRACE_FIRST_OUT] = {{{"8", EVENT_LINE_CLEAR, EVENT_PARTY_DEST, EVENT_PARTY_SELF,
                                 "reply"},
                                {"9", EVENT_LINE_ESP, EVENT_PARTY_SELF, EVENT_PARTY_ADDR,
                                 "sent through the tunnel already there"}}},
    [PFKEY_TRACE_FIRST_IN] = {{{"7", EVENT_LINE_CLEAR, EVENT_PARTY_SELF, EVENT_PARTY_DEST,
                                "decrypted and delivered"}}},
    [PFKEY_TRACE_SECOND_OUT] = {{{NULL}}},
};

static void tell(struct control *c, mono_t now, const struct pfkey_message *message,
                 const struct step *step, bool responder)
{
    struct event_record record = {
        .at = now,
        .room = EVENT_PLANE,
        .level = EVENT_INFO,
        .line = step->line,
        .from = {.party = step->from},
        .to = {.party = step->to},
        .flow = responder ? ip_pair_reverse(&message->flow) : message->flow,
        .peer = message->peer,
        .connection = message->ticket,
    };
    if (step->to == EVENT_PARTY_ADDR)
        record.to.addr = message->peer;
    snprintf(record.label, sizeof(record.label), "%s", step->label);
    snprintf(record.title, sizeof(record.title), "%s", step->title);
    event_emit(&c->trace, &record);
}

static void tell_held(struct control *c, mono_t now, const struct pfkey_message *message)
{
    struct event_record record = {
        .at = now,
        .room = EVENT_PLANE,
        .level = EVENT_INFO,
        .flow = message->flow,
        .connection = message->ticket,
    };
    snprintf(record.title, sizeof(record.title), "held datagrams %s",
             message->trace == PFKEY_TRACE_RELEASED ? "released" : "discarded");
    event_emit(&c->trace, &record);
}

void story_tell(struct control *c, mono_t now, const struct pfkey_message *message)
{
    struct oe_instance_info info;

    if (message->trace == PFKEY_TRACE_RELEASED || message->trace == PFKEY_TRACE_DISCARDED) {
        tell_held(c, now, message);
        return;
    }
    if (message->trace >= sizeof(told_by_initiator) / sizeof(told_by_initiator[0]))
        return;
    /* A responder's first datagram may come before its tunnel is up and owns the flow. */
    bool known = oe_instance_of_ticket(c->oe, message->ticket, &info) ||
                 oe_instance_find(c->oe, &message->flow, &info);
    bool responder = known && info.responder;
    const struct steps *steps =
        (responder ? told_by_responder : told_by_initiator) + message->trace;
    for (size_t i = 0; i < 2 && steps->step[i].label != NULL; i++)
        tell(c, now, message, &steps->step[i], responder);
}
