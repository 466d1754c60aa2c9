/*
 * `on-stop: closed`: what stands in for the daemon while it is stopped. A table of nftables' own for the
 * outside interfaces, also for one that comes later, drops the flows that policy forbids in clear: those of
 * deny, OE-paranoid and configured tunnels. Flows that may go in clear do.
 */
#ifndef CYGNET_DAEMON_STOP_RULES_H
#define CYGNET_DAEMON_STOP_RULES_H

#include "daemon/config.h"

/* The rules as text for nft, to be freed; NULL: out of memory. */
char *stop_rules_text(const struct cygnet_config *config);
/* False: said so. */
MUST_USE bool stop_rules_install(const struct cygnet_config *config);
/* Of an earlier stop, if there was one. */
void stop_rules_remove(void);

#endif
