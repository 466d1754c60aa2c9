/*
 * Does this machine have what the configuration names: the interface, the users, the private key,
 * the trust anchor? Each problem is one line with its remedy. Reads the system and changes nothing;
 * used by `cygnetd --check`, at the daemon's start, and by `cygnet check`.
 */
#ifndef CYGNET_DAEMON_PRECHECK_H
#define CYGNET_DAEMON_PRECHECK_H

#include "daemon/config.h"

enum precheck_result {
    PRECHECK_ERROR,   /* the daemon won't start */
    PRECHECK_WARNING, /* it will, but less well */
    PRECHECK_UNKNOWN, /* this user may not look */
};

typedef void precheck_report(void *ctx, enum precheck_result result, const char *text);

/* Returns the number of errors. */
unsigned precheck_run(const struct cygnet_config *config, precheck_report *report, void *ctx);

#endif
