/*
 * Starts one child: forks, puts the given descriptors at their agreed numbers, closes all others
 * and runs this program, or a newer one, with `--role NAME`.
 */
#ifndef CYGNET_DAEMON_SPAWN_H
#define CYGNET_DAEMON_SPAWN_H

#include "daemon/child.h"

enum { SPAWN_FDS = 24 };

struct spawn_fd {
    int fd;     /* ours; below 0: the child gets /dev/null, see child_fd() */
    int number; /* the child's */
};

/* `program` below 0: the program that runs here. The child's process id and our end of its socket (SOCK_SEQPACKET, non-blocking). False: errno
 * says why. */
MUST_USE bool spawn_child(int program, enum child_role role, const struct spawn_fd *fds,
                          size_t count, pid_t *ret_pid, int *ret_socket);

#endif
