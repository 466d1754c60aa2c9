#include "cli/program.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/cli.h"

extern char **environ;

enum { PIECE = 65536 };

/* Appends what is there to read. False: no memory. *ret_open becomes false at its end. */
static bool take(int fd, char **text, size_t *len, bool *ret_open)
{
    char *grown = realloc(*text, *len + PIECE + 1);
    if (grown == NULL)
        return false;
    *text = grown;
    ssize_t got = read(fd, grown + *len, PIECE);
    if (got > 0)
        *len += (size_t)got;
    grown[*len] = '\0';
    *ret_open = got > 0 || (got < 0 && errno == EINTR);
    return true;
}

static bool take_all(int output, int errors, struct program_result *ret)
{
    struct pollfd ready[2] = {{.fd = output, .events = POLLIN}, {.fd = errors, .events = POLLIN}};
    while (ready[0].fd >= 0 || ready[1].fd >= 0) {
        if (poll(ready, 2, -1) < 0 && errno != EINTR)
            return false;
        for (int i = 0; i < 2; i++) {
            bool open = true;
            if (ready[i].fd < 0 || ready[i].revents == 0)
                continue;
            if (!take(ready[i].fd, i == 0 ? &ret->output : &ret->errors,
                      i == 0 ? &ret->output_len : &ret->errors_len, &open))
                return false;
            if (!open)
                ready[i].fd = -1;
        }
    }
    return true;
}

static int start(const char *const *arguments, const char *directory, int output, int errors,
                 pid_t *ret_pid)
{
    posix_spawn_file_actions_t actions;
    int error = posix_spawn_file_actions_init(&actions);
    if (error != 0)
        return error;
    posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", 0, 0);
    posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO);
    posix_spawn_file_actions_adddup2(&actions, errors, STDERR_FILENO);
    if (directory != NULL)
        posix_spawn_file_actions_addchdir_np(&actions, directory);
    /* posix_spawn() takes what it doesn't change without const, for old programs' sake */
    char *argv[PROGRAM_ARGUMENTS_MAX + 1];
    size_t count = 0;
    for (; arguments[count] != NULL && count < PROGRAM_ARGUMENTS_MAX; count++)
        memcpy(&argv[count], &arguments[count], sizeof(argv[count]));
    argv[count] = NULL;
    error = posix_spawnp(ret_pid, argv[0], &actions, NULL, argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    return error;
}

static int end_of(pid_t pid)
{
    int status = 0;
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void close_pair(const int pair[2])
{
    close(pair[0]);
    close(pair[1]);
}

bool program_run(const char *const *arguments, const char *directory, const char *remedy,
                 struct program_result *ret)
{
    int output[2], errors[2];
    pid_t pid;

    *ret = (struct program_result){.output = calloc(1, 1), .errors = calloc(1, 1)};
    if (ret->output == NULL || ret->errors == NULL || pipe2(output, O_CLOEXEC) != 0) {
        cli_fail("%s: %s", arguments[0], strerror(errno));
        return false;
    }
    if (pipe2(errors, O_CLOEXEC) != 0) {
        cli_fail("%s: %s", arguments[0], strerror(errno));
        close_pair(output);
        return false;
    }
    int error = start(arguments, directory, output[1], errors[1], &pid);
    close(output[1]);
    close(errors[1]);
    bool all = error == 0 && take_all(output[0], errors[0], ret);
    close(output[0]);
    close(errors[0]);
    if (error == 0)
        ret->status = end_of(pid);
    if (error == ENOENT)
        cli_fail("%s is not there; %s", arguments[0], remedy);
    else if (!all)
        cli_fail("%s: %s", arguments[0], error != 0 ? strerror(error) : "out of memory");
    return all;
}

void program_result_fini(struct program_result *result)
{
    free(result->output);
    free(result->errors);
    *result = (struct program_result){0};
}
