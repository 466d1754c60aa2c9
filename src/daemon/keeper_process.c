#include "daemon/keeper.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <seccomp.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/key_file.h"
#include "daemon/seqpacket.h"
#include "daemon/log.h"
#include "daemon/materials.h"

static uint8_t buffer[IPC_MESSAGE_MAX];
static uint8_t reply[IPC_MESSAGE_MAX];

static bool add_key(struct keeper *keeper, struct view pem, const char *whose)
{
    enum err err = ERR_LIMIT;

    if (keeper->key_count < IPC_KEYS)
        err = private_key_from_pem(pem, &keeper->keys[keeper->key_count]);
    if (err != ERR_OK) {
        log_line(EVENT_ERROR, "%s is unusable: %s; make one with 'cygnet keys new'", whose,
                 err_text(err));
        return false;
    }
    keeper->key_count++;
    return true;
}

static bool load_key(int fd, struct keeper *ret)
{
    enum err err = key_file_load(fd, &ret->keys[0]);
    if (err != ERR_OK) {
        log_line(EVENT_ERROR, "the private key is unusable: %s; make one with 'cygnet keys new'",
                 err_text(err));
        return false;
    }
    ret->key_count = 1;
    return true;
}

/* Those of connections, in the order of their numbers. */
static bool load_more_keys(int fd, const struct cygnet_config *config, struct keeper *ret)
{
    struct materials materials;
    const char *path;
    bool ok = config_private_key(config, 1) == NULL || materials_map(fd, &materials);

    if (config_private_key(config, 1) == NULL)
        return true;
    for (size_t number = 1; ok && (path = config_private_key(config, number)) != NULL; number++)
        ok = add_key(ret, materials_find(&materials, path), path);
    materials_unmap(&materials);
    return ok;
}

/* What signing and two sockets need; anything else fails with EPERM. */
static bool restrict_system_calls(void)
{
    static const int allowed[] = {
        SCMP_SYS(read),         SCMP_SYS(write),          SCMP_SYS(recvfrom),
        SCMP_SYS(recvmsg),      SCMP_SYS(sendto),         SCMP_SYS(sendmsg),
        SCMP_SYS(poll),         SCMP_SYS(ppoll),          SCMP_SYS(close),
        SCMP_SYS(fcntl),        SCMP_SYS(getrandom),      SCMP_SYS(clock_gettime),
        SCMP_SYS(gettimeofday), SCMP_SYS(time),           SCMP_SYS(futex),
        SCMP_SYS(mmap),         SCMP_SYS(munmap),         SCMP_SYS(mremap),
        SCMP_SYS(mprotect),     SCMP_SYS(madvise),        SCMP_SYS(brk),
        SCMP_SYS(rt_sigaction), SCMP_SYS(rt_sigprocmask), SCMP_SYS(rt_sigreturn),
        SCMP_SYS(sigaltstack),  SCMP_SYS(getpid),         SCMP_SYS(gettid),
        SCMP_SYS(tgkill),       SCMP_SYS(sched_yield),    SCMP_SYS(restart_syscall),
        SCMP_SYS(exit),         SCMP_SYS(exit_group),
    };
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(EPERM));
    bool ok = filter != NULL;

    for (size_t i = 0; ok && i < sizeof(allowed) / sizeof(allowed[0]); i++)
        ok = seccomp_rule_add(filter, SCMP_ACT_ALLOW, allowed[i], 0) == 0;
    ok = ok && seccomp_load(filter) == 0;
    if (filter != NULL)
        seccomp_release(filter);
    return ok;
}

static void greet(const struct keeper *keeper, int channel)
{
    size_t len = keeper_hello(keeper, span_of(reply, sizeof(reply)));
    seqpacket_send_wait(channel, view_of(reply, len));
}

/* False: keyd has gone. */
static bool serve(const struct keeper *keeper, int channel)
{
    struct view request;
    enum seqpacket_result result =
        seqpacket_receive(channel, span_of(buffer, sizeof(buffer)), &request);
    if (result != SEQPACKET_OK)
        return result == SEQPACKET_AGAIN;

    size_t len = keeper_answer(keeper, request, span_of(reply, sizeof(reply)));
    return len == 0 || seqpacket_send_wait(channel, view_of(reply, len)) == SEQPACKET_OK;
}

/* False: the parent has gone. */
static bool take_channel(const struct keeper *keeper, const struct child *child, int *channel)
{
    struct child_message message;
    switch (child_receive(child, &message)) {
    case CHILD_GONE:
        return false;
    case CHILD_CHANNEL:
        if (message.channel != CHILD_CHANNEL_SIGN) {
            close(message.fd);
            break;
        }
        if (*channel >= 0)
            close(*channel);
        *channel = message.fd;
        greet(keeper, *channel);
        break;
    case CHILD_AGAIN:
        break;
    default:
        child_message_drop(&message);
        break;
    }
    return true;
}

static void loop(const struct keeper *keeper, const struct child *child)
{
    int channel = -1;
    for (;;) {
        struct pollfd ready[] = {
            {.fd = child->parent_fd, .events = POLLIN},
            {.fd = channel, .events = POLLIN},
        };
        if (poll(ready, 2, -1) < 0 && errno != EINTR)
            return;
        if (ready[0].revents != 0 && !take_channel(keeper, child, &channel))
            return;
        if (ready[1].revents != 0 && channel == ready[1].fd && !serve(keeper, channel)) {
            close(channel);
            channel = -1;
        }
    }
}

int keeper_process_main(const struct cygnet_config *config, const struct child *child)
{
    struct keeper keeper = {0};

    if (!load_key(CHILD_FD_KEY, &keeper) || !load_more_keys(CHILD_FD_KEYS, config, &keeper))
        return 1;
    close(CHILD_FD_KEY);
    close(CHILD_FD_KEYS);
    if (!child_drop_privileges(config->users.keeper, child_empty_root()))
        return 1;
    if (!restrict_system_calls())
        log_line(EVENT_WARNING, "can't restrict the system calls here");

    loop(&keeper, child);
    keeper_fini(&keeper);
    return 0;
}
