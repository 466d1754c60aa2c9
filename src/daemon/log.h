/*
 * Lines for the log, on standard error: `cygnetd[ROLE]: text`, with the severity in the form that
 * the journal understands when it listens. Never secrets.
 */
#ifndef CYGNET_DAEMON_LOG_H
#define CYGNET_DAEMON_LOG_H

#include "base/event.h"

/* The name in the brackets; kept by reference. Before the first call: "cygnetd: text". */
void log_open(const char *role);
/* Lines below this level are left out; EVENT_INFO until told otherwise. */
void log_threshold(enum event_level level);
__attribute__((format(printf, 2, 3))) void log_line(enum event_level level, const char *format,
                                                    ...);

#endif
