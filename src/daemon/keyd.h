/*
 * keyd, the keying daemon's process: the event loop around src/control. Takes over the process and
 * returns its exit status.
 */
#ifndef CYGNET_DAEMON_KEYD_H
#define CYGNET_DAEMON_KEYD_H

#include "daemon/child.h"

int keyd_process_main(struct cygnet_config *config, const struct child *child);

#endif
