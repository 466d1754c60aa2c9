/*
 * Event records as lines for people, and which of them tell the story of one flow.
 */
#ifndef CYGNET_CLI_RECORD_H
#define CYGNET_CLI_RECORD_H

#include "base/event.h"

#define RECORD_LINE_MAX 512
/* "  12.345 ike      [5E1] self -> 192.1.1.5: Main Mode 1: SA (detail)" */
char *record_format(const struct event_record *record, char *ret);

enum { RECORD_PEERS = 32 };

/* Records of one flow, in either direction, and those without a flow that concern a gateway which
 * the flow's own records name: have it learn all records first, then ask. */
struct record_filter {
    struct ip_pair flow; /* family 0: all pass */
    struct ip_addr peers[RECORD_PEERS];
    size_t peer_count;
};

void record_filter_learn(struct record_filter *filter, const struct event_record *record);
bool record_filter_passes(const struct record_filter *filter, const struct event_record *record);

#endif
