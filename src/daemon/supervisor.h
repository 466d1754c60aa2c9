/*
 * Which child is to be started when: a child that dies is started again at once, one that keeps
 * dying after twice the time it waited before, up to SUPERVISOR_DELAY_MAX_MS. Time comes in as
 * arguments; nothing is started here.
 */
#ifndef CYGNET_DAEMON_SUPERVISOR_H
#define CYGNET_DAEMON_SUPERVISOR_H

#include <sys/types.h>

#include "base/mono.h"
#include "daemon/child.h"

enum {
    SUPERVISOR_DELAY_FIRST_MS = 100, /* the second death in a row */
    SUPERVISOR_DELAY_MAX_MS = 5000,
    SUPERVISOR_STEADY_MS = 10000,    /* who lived this long has not "kept dying" */
};

struct supervised {
    pid_t pid;      /* 0: not running */
    uint32_t restarts;
    mono_t started;
    mono_t due;     /* when to start it, while it isn't running */
    int64_t delay_ms;
};

struct supervisor {
    struct supervised roles[CHILD_ROLE_COUNT];
};

/* All are due at once. */
void supervisor_init(struct supervisor *s, mono_t now);
void supervisor_started(struct supervisor *s, enum child_role role, pid_t pid, mono_t now);
/* False: not one of ours. Else its role, and it is due again after its delay. */
bool supervisor_died(struct supervisor *s, pid_t pid, mono_t now, enum child_role *ret_role);
/* A start that failed counts as a death. */
void supervisor_failed(struct supervisor *s, enum child_role role, mono_t now);
/* A role to start now. False: none. */
bool supervisor_due(const struct supervisor *s, mono_t now, enum child_role *ret_role);
/* When supervisor_due() may next be true. */
mono_t supervisor_next_deadline(const struct supervisor *s);
size_t supervisor_running(const struct supervisor *s);

#endif
