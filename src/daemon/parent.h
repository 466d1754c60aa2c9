/*
 * The root parent: opens what needs privilege, starts the children, joins them with channels, and
 * starts again what dies. It reads nothing from the network and nothing from its children. SIGTERM
 * and SIGINT end it: first keyd, which takes leave of its peers, then the others.
 */
#ifndef CYGNET_DAEMON_PARENT_H
#define CYGNET_DAEMON_PARENT_H

#include "daemon/config.h"

/* `text` is what config was parsed from; the children get it. Returns the exit status. */
int parent_main(const struct cygnet_config *config, const char *text, size_t len);

#endif
