/*
 * The plane's role: turns the configuration and the parent's descriptors into what the plane
 * process wants, and runs it.
 */
#ifndef CYGNET_DAEMON_PLANE_ROLE_H
#define CYGNET_DAEMON_PLANE_ROLE_H

#include "daemon/child.h"

int plane_role_main(const struct cygnet_config *config, const struct child *child);

#endif
