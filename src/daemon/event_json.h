/*
 * Event records as JSON objects and back: what the control socket and `cygnet trace --json` carry.
 *
 *   {"serial":7,"at_ms":1234,"room":"ike","level":"info","line":"ike",
 *    "from":{"party":"self"},"to":{"party":"address","address":"192.0.2.1"},
 *    "flow":{"source":"192.0.2.65","destination":"192.0.2.66"},"peer":"192.0.2.1","connection":3,
 *    "label":"5E1","title":"Main Mode 1: SA","detail":"..."}
 *
 * Members without a meaning for a record are left out.
 */
#ifndef CYGNET_DAEMON_EVENT_JSON_H
#define CYGNET_DAEMON_EVENT_JSON_H

#include <jansson.h>

#include "base/event.h"

/* A new reference; NULL: out of memory. */
json_t *event_json_build(const struct event_record *record);
/* False: not such an object; ret is untouched. */
MUST_USE bool event_json_parse(const json_t *object, struct event_record *ret);

/* "ike", "warning": the words used above. */
const char *event_room_name(enum event_room room);
const char *event_level_name(enum event_level level);

#endif
