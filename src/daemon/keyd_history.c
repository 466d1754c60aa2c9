#include "daemon/keyd_history.h"

#include <stdlib.h>

static bool ring_init(struct history_ring *ring, uint64_t room)
{
    *ring = (struct history_ring){.room = room};
    ring->records = calloc(room, sizeof(*ring->records));
    return ring->records != NULL;
}

bool history_init(struct history *h)
{
    *h = (struct history){0};
    if (ring_init(&h->ours, HISTORY_RECORDS) && ring_init(&h->strangers, HISTORY_STRANGERS))
        return true;
    history_fini(h);
    return false;
}

void history_fini(struct history *h)
{
    free(h->ours.records);
    free(h->strangers.records);
    h->ours.records = h->strangers.records = NULL;
}

/* Messages in clear that concern no flow of ours, and what was dropped. */
static bool is_of_strangers(const struct event_record *record)
{
    return record->flow.src.family == IP_NONE &&
           (record->line == EVENT_LINE_CLEAR || record->level == EVENT_DEBUG);
}

const struct event_record *history_add(struct history *h, const struct event_record *record)
{
    struct history_ring *ring = is_of_strangers(record) ? &h->strangers : &h->ours;
    struct event_record *slot = &ring->records[ring->added++ % ring->room];

    *slot = *record;
    slot->serial = ++h->last_serial;
    return slot;
}

/* By bisection: serials rise, but not by one. */
static const struct event_record *ring_next(const struct history_ring *ring, uint64_t after)
{
    uint64_t high = ring->added, low = high > ring->room ? high - ring->room : 0;

    while (low < high) {
        uint64_t middle = low + (high - low) / 2;
        if (ring->records[middle % ring->room].serial > after)
            high = middle;
        else
            low = middle + 1;
    }
    return low < ring->added ? &ring->records[low % ring->room] : NULL;
}

const struct event_record *history_next(const struct history *h, uint64_t after)
{
    const struct event_record *ours = ring_next(&h->ours, after);
    const struct event_record *theirs = ring_next(&h->strangers, after);

    if (ours == NULL || theirs == NULL)
        return ours != NULL ? ours : theirs;
    return ours->serial < theirs->serial ? ours : theirs;
}

bool history_concerns(const struct event_record *record, const struct ip_pair *flow,
                      const struct ip_addr *peer)
{
    struct ip_pair reverse = ip_pair_reverse(flow);

    if (record->flow.src.family != IP_NONE)
        return ip_pair_equal(&record->flow, flow) || ip_pair_equal(&record->flow, &reverse);
    return peer->family != IP_NONE && ip_addr_equal(&record->peer, peer);
}
