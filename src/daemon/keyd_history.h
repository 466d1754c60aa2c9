/*
 * The last event records of this gateway, kept in a ring so that `cygnet trace` and `cygnet why` can
 * tell what led to now. Fixed memory; the oldest are overwritten.
 */
#ifndef CYGNET_DAEMON_KEYD_HISTORY_H
#define CYGNET_DAEMON_KEYD_HISTORY_H

#include "base/event.h"

enum { HISTORY_RECORDS = 16384 };

struct history {
    struct event_record *records; /* HISTORY_RECORDS of them */
    uint64_t last_serial;         /* of the newest; the first record has serial 1 */
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
