/*
 * The resolver: asks DNS through libunbound, which validates and follows CNAMEs (RFC 2317), and
 * tells found, absent, bogus and timed out apart. resolver_answer_of() is the pure part;
 * resolver_process_main() is the process, unprivileged and under a user of its own so that the
 * classifier can let its packets pass. Timeouts are the asker's: a question is dropped by CANCEL.
 */
#ifndef CYGNET_DAEMON_RESOLVER_H
#define CYGNET_DAEMON_RESOLVER_H

#include "daemon/child.h"
#include "daemon/ipc.h"

struct ub_result;

enum { RESOLVER_BOGUS_TTL_S = 60 }; /* how long libunbound holds on to a failed validation */

/* `error` and `result` as libunbound's callback gets them; result may be NULL if error isn't 0.
 * What comes back points into result. */
struct dns_answer resolver_answer_of(int error, const struct ub_result *result);

int resolver_process_main(const struct cygnet_config *config, const struct child *child);

#endif
