/*
 * The forwarding plane as a process: the loop that moves bursts between src/plane/io and
 * src/plane, and speaks with keyd and the parent. It gives up all privilege before it reads a
 * packet. When keyd dies it goes on with what it has; when it dies itself, the classifier sends what
 * it doesn't know into a device that nobody reads, so nothing leaks.
 */
#ifndef CYGNET_DAEMON_PLANE_PROCESS_H
#define CYGNET_DAEMON_PLANE_PROCESS_H

#include "daemon/child.h"
#include "plane/io/setup.h"
#include "plane/plane.h"

struct plane_process_config {
    const struct child *child;
    struct plane_fds fds;      /* closed at the end */
    struct plane_config plane;
    struct outside outside;    /* if there are several, packets leave by the one that has their source */
    const char *user;          /* whom to become; NULL: stay, without any capability */
    /* Understands a configuration that came while running; false: it can't. NULL: never comes. */
    bool (*read_config)(int fd, struct plane_config *ret);
};

/* Runs until the parent goes or SIGTERM comes. Returns the exit status. */
int plane_process_main(const struct plane_process_config *config);

#endif
