#include "daemon/spawn.h"

#include <assert.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

/* Copies made here are out of the way of every agreed number. */
enum { SPAWN_ASIDE = 64 };

/* Between fork and exec: system calls only. */
static void become_child(int program, enum child_role role, const struct spawn_fd *fds,
                         size_t count)
{
    int aside[SPAWN_FDS], last = CHILD_FD_CONFIG;
    sigset_t none;

    for (size_t i = 0; i < count; i++) {
        int source = fds[i].fd >= 0 ? fds[i].fd : open("/dev/null", O_RDWR | O_CLOEXEC);
        aside[i] = fcntl(source, F_DUPFD_CLOEXEC, SPAWN_ASIDE);
        if (fds[i].number > last)
            last = fds[i].number;
    }
    int program_aside = fcntl(program, F_DUPFD_CLOEXEC, SPAWN_ASIDE);
    for (int number = CHILD_FD_PARENT; number <= last; number++)
        close(number);
    for (size_t i = 0; i < count; i++)
        if (dup2(aside[i], fds[i].number) < 0)
            _exit(126);
    /* The program to run is the last one, and closed by running it. */
    if (program_aside >= 0 && dup3(program_aside, ++last, O_CLOEXEC) < 0)
        _exit(126);
    close_range((unsigned)last + 1, ~0u, 0);

    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    char *const arguments[] = {"cygnetd", "--role", (char *)(uintptr_t)child_role_name(role), NULL};
    if (program_aside >= 0)
        execveat(last, "", arguments, environ, AT_EMPTY_PATH);
    else
        execv("/proc/self/exe", arguments);
    _exit(127);
}

bool spawn_child(int program, enum child_role role, const struct spawn_fd *fds, size_t count,
                 pid_t *ret_pid, int *ret_socket)
{
    struct spawn_fd all[SPAWN_FDS];
    int ends[2];

    assert(count < SPAWN_FDS);
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) != 0)
        return false;
    all[0] = (struct spawn_fd){.fd = ends[1], .number = CHILD_FD_PARENT};
    memcpy(all + 1, fds, count * sizeof(*fds));

    pid_t pid = fork();
    if (pid == 0)
        become_child(program, role, all, count + 1);
    close(ends[1]);
    if (pid < 0) {
        close(ends[0]);
        return false;
    }
    *ret_pid = pid;
    *ret_socket = ends[0];
    return true;
}
