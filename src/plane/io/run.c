#include "plane/io/run.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

enum { ARGS_MAX = 16 };

/* The daemon may run without /usr/sbin in its path. */
static char *const program_environment[] = {"PATH=/usr/sbin:/usr/bin:/sbin:/bin", NULL};

int io_run(const char *const *argv, int input)
{
    posix_spawn_file_actions_t actions;
    char *args[ARGS_MAX] = {0};
    int status;
    pid_t pid;

    for (size_t i = 0; i < ARGS_MAX - 1 && argv[i] != NULL; i++)
        args[i] = (char *)(uintptr_t)argv[i];
    posix_spawn_file_actions_init(&actions);
    if (input >= 0)
        posix_spawn_file_actions_adddup2(&actions, input, STDIN_FILENO);
    else
        posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
    int error = posix_spawnp(&pid, args[0], &actions, NULL, args, program_environment);
    posix_spawn_file_actions_destroy(&actions);
    if (error != 0)
        return -error;
    while (waitpid(pid, &status, 0) < 0) {
        if (errno != EINTR)
            return -errno;
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : -EINTR;
}
