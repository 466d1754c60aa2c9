#include "discover/report.h"

#include "base/text.h"

static const char *type_name(uint16_t type)
{
    switch (type) {
    case DNS_TYPE_A:
        return "A";
    case DNS_TYPE_AAAA:
        return "AAAA";
    case DNS_TYPE_TXT:
        return "TXT";
    case DNS_TYPE_KEY:
        return "KEY";
    default:
        return "IPSECKEY";
    }
}

/* Names in ip6.arpa are longer than a title; the part that tells them apart comes first. */
static void set_title(struct event_record *record, const struct question *q, const char *end)
{
    int room = (int)(sizeof(record->title) - strlen(type_name(q->type)) - strlen(end) - 2);
    if (strlen(q->name) <= (size_t)room)
        TEXT_SET(record->title, "%s %s%s", type_name(q->type), q->name, end);
    else
        TEXT_SET(record->title, "%s %.*s...%s", type_name(q->type), room - 3, q->name, end);
}

static struct event_record record_of(const struct question *q, mono_t now)
{
    return (struct event_record){
        .at = now,
        .room = EVENT_DISCOVER,
        .level = EVENT_INFO,
        .flow = q->flow,
        .connection = q->ticket,
    };
}

void report_query(const struct event_sink *trace, mono_t now, const struct question *q)
{
    struct event_record record = record_of(q, now);
    record.line = EVENT_LINE_CLEAR;
    record.from.party = EVENT_PARTY_SELF;
    record.to.party = EVENT_PARTY_DNS;
    TEXT_SET(record.label, "%s", q->label_query);
    set_title(&record, q, "?");
    TEXT_SET(record.detail, "%s %s", type_name(q->type), q->name);
    event_emit(trace, &record);
}

static void describe_gateway(const struct dnsrec_gateway *gw, char *text, size_t room)
{
    char id[IDENTITY_TEXT_MAX], key[PUBLIC_KEY_TEXT_MAX], part[IDENTITY_TEXT_MAX + 80];
    TEXT_SET(part, "; gateway %s precedence %u, %s",
             gw->gateway.kind == IDENTITY_NONE ? "itself" : identity_format(&gw->gateway, id),
             gw->precedence,
             gw->key.alg == KEY_NONE ? "key not given" : public_key_format(&gw->key, key));
    text_add(text, room, "%s", part);
}

static void describe_record(const struct question *q, size_t i, char *text, size_t room)
{
    struct dnsrec_gateway gw;
    struct public_key key;
    char name[PUBLIC_KEY_TEXT_MAX];
    enum err err;

    if (q->type == DNS_TYPE_A || q->type == DNS_TYPE_AAAA) {
        struct ip_addr addr = ip_addr_from(q->answer.rdata[i]);
        char address[IP_ADDR_TEXT_MAX];
        text_add(text, room, "; %s", ip_addr_format(&addr, address));
        return;
    }
    if (q->type == DNS_TYPE_KEY)
        err = dnsrec_key_parse(q->answer.rdata[i], &key);
    else if (q->type == DNS_TYPE_TXT)
        err = dnsrec_txt_parse(q->answer.rdata[i], &gw);
    else
        err = dnsrec_ipseckey_parse(q->answer.rdata[i], &gw);
    if (err == ERR_UNKNOWN || err == ERR_UNSUPPORTED)
        return;
    if (err != ERR_OK) {
        text_add(text, room, "; malformed record: ");
        text_add(text, room, "%s", err_text(err));
    } else if (q->type == DNS_TYPE_KEY) {
        text_add(text, room, "; ");
        text_add(text, room, "%s", public_key_format(&key, name));
    } else {
        describe_gateway(&gw, text, room);
    }
}

static void describe_answer(const struct question *q, char *text, size_t room)
{
    const struct dns_answer *answer = &q->answer;
    switch (answer->status) {
    case DNS_FOUND:
        text_add(text, room, "%s", answer->secure ? "secure" : "not signed");
        for (size_t i = 0; i < answer->count; i++)
            describe_record(q, i, text, room);
        break;
    case DNS_ABSENT:
        text_add(text, room, "%s", answer->secure ? "none (secure denial)" : "none (not signed)");
        break;
    case DNS_BOGUS:
        text_add(text, room, "bogus: ");
        text_add(text, room, "%s", answer->why);
        break;
    case DNS_TIMEOUT:
        text_add(text, room, "no answer: ");
        text_add(text, room, "%s", answer->why);
        break;
    }
}

void report_answer(const struct event_sink *trace, mono_t now, const struct question *q)
{
    struct event_record record = record_of(q, now);
    bool silent = q->answer.status == DNS_TIMEOUT;

    /* OE-052: what fails its validation is worth a warning; silence is no message at all. */
    if (q->answer.status == DNS_BOGUS)
        record.level = EVENT_WARNING;
    if (!silent) {
        record.line = EVENT_LINE_CLEAR;
        record.from.party = EVENT_PARTY_DNS;
        record.to.party = EVENT_PARTY_SELF;
        TEXT_SET(record.label, "%s", q->label_answer);
    }
    set_title(&record, q, silent ? " unanswered" : "");
    describe_answer(q, record.detail, sizeof(record.detail));
    event_emit(trace, &record);
}

void report_cached(const struct event_sink *trace, mono_t now, const struct question *q,
                   const struct discover_event *ask)
{
    struct event_record record = record_of(q, now);
    record.flow = ask->flow;
    record.connection = ask->ticket;
    set_title(&record, q, " known");
    describe_answer(q, record.detail, sizeof(record.detail));
    event_emit(trace, &record);
}
