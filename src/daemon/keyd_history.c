#include "daemon/keyd_history.h"

#include <stdlib.h>

bool history_init(struct history *h)
{
    h->records = calloc(HISTORY_RECORDS, sizeof(*h->records));
    h->last_serial = 0;
    return h->records != NULL;
}

void history_fini(struct history *h)
{
    free(h->records);
    h->records = NULL;
}

const struct event_record *history_add(struct history *h, const struct event_record *record)
{
    uint64_t serial = ++h->last_serial;
    struct event_record *slot = &h->records[serial % HISTORY_RECORDS];

    *slot = *record;
    slot->serial = serial;
    return slot;
}

const struct event_record *history_next(const struct history *h, uint64_t after)
{
    uint64_t serial = after + 1;
    uint64_t oldest =
        h->last_serial >= HISTORY_RECORDS ? h->last_serial - HISTORY_RECORDS + 1 : 1;

    if (serial < oldest)
        serial = oldest;
    return serial <= h->last_serial ? &h->records[serial % HISTORY_RECORDS] : NULL;
}

bool history_concerns(const struct event_record *record, const struct ip_pair *flow,
                      const struct ip_addr *peer)
{
    struct ip_pair reverse = ip_pair_reverse(flow);

    if (record->flow.src.family != IP_NONE)
        return ip_pair_equal(&record->flow, flow) || ip_pair_equal(&record->flow, &reverse);
    return peer->family != IP_NONE && ip_addr_equal(&record->peer, peer);
}
