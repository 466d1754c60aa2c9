/*
 * The root parent: opens what needs privilege, starts the children, joins them with channels, and
 * starts again what dies. It reads nothing from the network, and from keyd nothing but the wish for a
 * reload. SIGHUP or that wish has it read the configuration again: a mistake is told and the old
 * one stays, otherwise keyd and the plane get the new one as they run. SIGTERM and SIGINT end it:
 * first keyd, which takes leave of its peers, then the others.
 */
#ifndef CYGNET_DAEMON_PARENT_H
#define CYGNET_DAEMON_PARENT_H

#include "daemon/config.h"

/* `text` is what config was parsed from, read at `path`; the children get it. A reload changes
 * config. Returns the exit status. */
int parent_main(struct cygnet_config *config, const char *path, const char *text, size_t len);

#endif
