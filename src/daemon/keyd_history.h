/*
 * The last event records of this gateway, kept so that `cygnet trace` and `cygnet why` can tell what
 * led to now. Fixed memory; the oldest are overwritten. What a stranger can bring about with a forged
 * address has a smaller ring of its own, so that a flood does not wash away the story of the tunnels.
 */
#ifndef CYGNET_DAEMON_KEYD_HISTORY_H
#define CYGNET_DAEMON_KEYD_HISTORY_H

#include "base/event.h"

enum { HISTORY_RECORDS = 16384, HISTORY_STRANGERS = 4096 };

struct history_ring {
    struct event_record *records; /* `room` of them, the serials rising */
    uint64_t room, added;
};

struct history {
    struct history_ring ours, strangers;
    uint64_t last_serial; /* of the newest; the first record has serial 1 */
};

MUST_USE bool history_init(struct history *h);
void history_fini(struct history *h);
/* Gives the record its serial and keeps a copy; the copy is returned. */
const struct event_record *history_add(struct history *h, const struct event_record *record);
/* The record with the smallest serial above `after` that is still kept, or NULL. */
const struct event_record *history_next(const struct history *h, uint64_t after);

/*
 * Does the record belong to the story of a flow? Those that name it do (in either direction), and
 * those between this gateway and `peer` that name no flow, as phase 1 of IKE doesn't.
 */
bool history_concerns(const struct event_record *record, const struct ip_pair *flow,
                      const struct ip_addr *peer);

#endif
