#include "daemon/key_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/secret.h"

enum err key_file_load(int fd, struct private_key **ret)
{
    char *pem = malloc(KEY_FILE_MAX);
    ssize_t len = pem != NULL ? pread(fd, pem, KEY_FILE_MAX, 0) : -1;
    enum err err = pem == NULL ? ERR_MEMORY : ERR_SHORT;
    struct private_key *key = NULL;

    if (len > 0 && len < KEY_FILE_MAX)
        err = private_key_from_pem(view_of(pem, (size_t)len), &key);
    if (err == ERR_OK) {
        struct public_key public;
        private_key_public(key, &public);
        if (public.alg != KEY_RSA) /* it signs for IKEv1 and is in the delegations */
            err = ERR_UNSUPPORTED;
    }
    if (err == ERR_OK)
        *ret = key;
    else
        private_key_free(key);
    if (pem != NULL)
        secret_wipe(pem, KEY_FILE_MAX);
    free(pem);
    return err;
}

static bool write_all(int fd, const char *octets, size_t len)
{
    while (len > 0) {
        ssize_t done = write(fd, octets, len);
        if (done <= 0)
            return false;
        octets += done;
        len -= (size_t)done;
    }
    return true;
}

static bool copy(int from, int to)
{
    char octets[1024];
    size_t sum = 0;
    ssize_t len;

    while ((len = read(from, octets, sizeof(octets))) > 0) {
        sum += (size_t)len;
        if (sum >= KEY_FILE_MAX || !write_all(to, octets, (size_t)len))
            break;
    }
    secret_wipe(octets, sizeof(octets));
    return len == 0;
}

static int copy_in_memory(const char *path)
{
    const int seals = F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE;
    int from = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (from < 0)
        return -1;
    int to = memfd_create("private-key", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    bool done = to >= 0 && copy(from, to) && fcntl(to, F_ADD_SEALS, seals) == 0;
    int error = errno;
    close(from);
    if (!done && to >= 0) {
        close(to);
        to = -1;
    }
    errno = error;
    return to;
}

/* In a process of its own, whose memory goes with it. */
static bool is_usable(int fd)
{
    int status = 0;
    pid_t pid = fork();

    if (pid == 0) {
        struct private_key *key = NULL;
        enum err err = key_file_load(fd, &key);
        private_key_free(key);
        _exit(err == ERR_OK ? 0 : 1);
    }
    while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
        continue;
    return pid > 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

int key_file_open(const char *path, const char **ret_why)
{
    int fd = copy_in_memory(path);

    if (fd < 0) {
        *ret_why = strerror(errno);
        return -1;
    }
    if (!is_usable(fd)) {
        close(fd);
        errno = EINVAL;
        *ret_why = "not a usable private key";
        return -1;
    }
    return fd;
}
