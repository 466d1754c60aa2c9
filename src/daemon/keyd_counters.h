/*
 * The plane's counters as keyd knows them: asked for every few seconds over PF_KEY, kept for who
 * asks keyd. They are as old as the last answer.
 */
#ifndef CYGNET_DAEMON_KEYD_COUNTERS_H
#define CYGNET_DAEMON_KEYD_COUNTERS_H

#include "wire/pfkey.h"

enum { KEYD_COUNTERS_MAX = 160, KEYD_COUNTERS_EVERY_S = 2 };

struct keyd_counters {
    size_t count;
    struct keyd_counter {
        char name[sizeof(((struct pfkey_message *)0)->counter_name)];
        uint64_t value;
    } of[KEYD_COUNTERS_MAX];
};

/* The question to send; empty if it can't be built. */
struct view keyd_counters_request(struct span room);
/* True: the message was one of the answers, and keyd's engines need not see it. */
bool keyd_counters_take(struct keyd_counters *counters, struct view message);

#endif
