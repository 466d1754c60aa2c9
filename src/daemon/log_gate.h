/*
 * What keeps strangers from filling the log: of the warnings they can cause at will, so many a second
 * are written and the rest are counted. Nothing is lost to `cygnet trace`.
 */
#ifndef CYGNET_DAEMON_LOG_GATE_H
#define CYGNET_DAEMON_LOG_GATE_H

#include "base/mono.h"

enum { LOG_GATE_PER_SECOND = 20 };

struct log_gate {
    mono_t second;
    unsigned spent; /* in the second that began at `second` */
    uint64_t left_out;
};

/* True: write it, and say first that so many were left out before it. */
bool log_gate_pass(struct log_gate *gate, mono_t now, uint64_t *ret_left_out);

#endif
