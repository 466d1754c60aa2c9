#include "cli/record.h"

#include <stdio.h>

#include "daemon/event_json.h"

static const char *end_text(const struct event_record *record, const struct event_end *end,
                            char text[IP_ADDR_TEXT_MAX])
{
    switch (end->party) {
    case EVENT_PARTY_ADDR:
        return ip_addr_format(&end->addr, text);
    case EVENT_PARTY_SELF:
        return "here";
    case EVENT_PARTY_DNS:
        return "DNS";
    case EVENT_PARTY_SOURCE:
        return record->flow.src.family == IP_NONE ? "source"
                                                  : ip_addr_format(&record->flow.src, text);
    case EVENT_PARTY_DEST:
        return record->flow.dst.family == IP_NONE ? "destination"
                                                  : ip_addr_format(&record->flow.dst, text);
    case EVENT_PARTY_NONE:
        break;
    }
    return "?";
}

/* The arrow is made of the line's kind, as the draft draws it (section 2.2). */
static const char *arrow(enum event_line line)
{
    switch (line) {
    case EVENT_LINE_IKE:
        return "##>";
    case EVENT_LINE_ESP:
        return "==>";
    case EVENT_LINE_CLEAR:
    case EVENT_LINE_NONE:
        break;
    }
    return "-->";
}

char *record_format(const struct event_record *record, char *ret)
{
    char from[IP_ADDR_TEXT_MAX], to[IP_ADDR_TEXT_MAX], label[16] = "", ends[128] = "";

    if (record->label[0] != '\0')
        snprintf(label, sizeof(label), "(%.7s) ", record->label);
    if (record->from.party != EVENT_PARTY_NONE && record->to.party != EVENT_PARTY_NONE)
        snprintf(ends, sizeof(ends), "%s %s %s: ", end_text(record, &record->from, from),
                 arrow(record->line), end_text(record, &record->to, to));
    snprintf(ret, RECORD_LINE_MAX, "%9lld.%03d %-8s %s%s%s%.64s%s%.200s",
             (long long)(record->at.ms / 1000), (int)(record->at.ms % 1000),
             event_room_name(record->room), record->level >= EVENT_WARNING ? "! " : "", label, ends,
             record->title, record->detail[0] != '\0' ? ": " : "", record->detail);
    return ret;
}

static bool knows_peer(const struct record_filter *filter, const struct ip_addr *peer)
{
    for (size_t i = 0; i < filter->peer_count; i++)
        if (ip_addr_equal(&filter->peers[i], peer))
            return true;
    return false;
}

static bool is_of_flow(const struct record_filter *filter, const struct event_record *record)
{
    struct ip_pair reverse = ip_pair_reverse(&filter->flow);
    return ip_pair_equal(&record->flow, &filter->flow) || ip_pair_equal(&record->flow, &reverse);
}

void record_filter_learn(struct record_filter *filter, const struct event_record *record)
{
    if (record->peer.family != IP_NONE && filter->peer_count < RECORD_PEERS &&
        is_of_flow(filter, record) && !knows_peer(filter, &record->peer))
        filter->peers[filter->peer_count++] = record->peer;
}

bool record_filter_passes(const struct record_filter *filter, const struct event_record *record)
{
    if (filter->flow.src.family == IP_NONE || is_of_flow(filter, record))
        return true;
    bool of_another = record->flow.src.family != IP_NONE || record->flow.dst.family != IP_NONE;
    return !of_another && record->peer.family != IP_NONE && knows_peer(filter, &record->peer);
}
