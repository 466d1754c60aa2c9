/*
 * The parent's loop: starts the children, joins them, hears what they ask for, and starts again what
 * dies.
 */
#include "daemon/parent.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "daemon/log.h"
#include "daemon/open.h"
#include "daemon/own_address.h"
#include "daemon/parent_private.h"
#include "daemon/precheck.h"
#include "daemon/spawn.h"
#include "daemon/virtual_address.h"
#include "plane/io/sockets.h"

enum {
    PARENT_LEAVE_MS = 3000, /* for keyd to take leave, then for the others */
    PARENT_NEW_KEYD_MS = 3000, /* a new program that lives shorter than this is no good */
    CHANNEL_OCTETS = 4 * 1024 * 1024,
};

/* Who is joined with whom; keyd is always one of them. */
static const struct {
    enum child_channel channel;
    enum child_role partner;
} links[] = {
    {CHILD_CHANNEL_PFKEY, CHILD_PLANE},
    {CHILD_CHANNEL_IKE, CHILD_PLANE},
    {CHILD_CHANNEL_SIGN, CHILD_KEEPER},
    {CHILD_CHANNEL_DNS, CHILD_RESOLVER},
};

mono_t parent_now(void)
{
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    return (mono_t){(int64_t)at.tv_sec * 1000 + at.tv_nsec / 1000000};
}

void parent_close_fd(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

/* What systemd's Type=notify waits for (sd_notify(3)); nothing without NOTIFY_SOCKET. */
static void notify(const char *state)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    const char *path = getenv("NOTIFY_SOCKET");
    size_t len = path != NULL ? strlen(path) : 0;

    if (len == 0 || len >= sizeof(address.sun_path))
        return;
    memcpy(address.sun_path, path, len);
    if (path[0] == '@')
        address.sun_path[0] = '\0';
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    socklen_t address_len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len);
    if (fd >= 0 && sendto(fd, state, strlen(state), MSG_NOSIGNAL,
                          (const struct sockaddr *)&address, address_len) < 0)
        log_line(EVENT_WARNING, "can't notify %s: %s", path, strerror(errno));
    parent_close_fd(&fd);
}

static size_t plane_fds(const struct parent *p, struct spawn_fd *ret)
{
    for (int i = 0; i < PLANE_FD_COUNT; i++)
        ret[i] = (struct spawn_fd){p->plane_result.fds.fd[i], CHILD_FD_PLANE + i};
    return PLANE_FD_COUNT;
}

static size_t stub_fds(const struct parent *p, struct spawn_fd *ret)
{
    for (size_t i = 0; i < p->stub_count; i++)
        ret[i] = (struct spawn_fd){p->stub_fds[i], CHILD_FD_STUB + (int)i};
    return p->stub_count;
}

/* The descriptors of a role, with the configuration first. */
static size_t role_fds(const struct parent *p, enum child_role role, struct spawn_fd *ret)
{
    size_t count = 0;
    ret[count++] = (struct spawn_fd){p->config_fd, CHILD_FD_CONFIG};
    switch (role) {
    case CHILD_KEYD:
        ret[count++] = (struct spawn_fd){p->control_fd, CHILD_FD_CONTROL};
        ret[count++] = (struct spawn_fd){p->ike_v4_fd, CHILD_FD_IKE_V4};
        ret[count++] = (struct spawn_fd){p->ike_v6_fd, CHILD_FD_IKE_V6};
        ret[count++] = (struct spawn_fd){p->saved_fd, CHILD_FD_SAVED};
        ret[count++] = (struct spawn_fd){p->materials_fd, CHILD_FD_MATERIALS};
        for (int i = 0; i < KEY_TABLES; i++)
            ret[count++] = (struct spawn_fd){p->export_fds[i], CHILD_FD_EXPORT + i};
        break;
    case CHILD_PLANE:
        count += plane_fds(p, ret + count);
        break;
    case CHILD_KEEPER:
        ret[count++] = (struct spawn_fd){p->key_fd, CHILD_FD_KEY};
        ret[count++] = (struct spawn_fd){p->keys_fd, CHILD_FD_KEYS};
        break;
    case CHILD_RESOLVER:
        ret[count++] = (struct spawn_fd){p->anchor_fd, CHILD_FD_ANCHOR};
        count += stub_fds(p, ret + count);
        break;
    case CHILD_ROLE_COUNT:
        break;
    }
    return count;
}

static void send_end(const struct parent *p, enum child_role role, enum child_channel channel,
                     int fd)
{
    struct child_message message = {.channel = channel, .fd = fd};
    if (!child_send(p->sockets[role], &message, CHILD_CHANNEL))
        log_line(EVENT_WARNING, "can't hand %s a channel", child_role_name(role));
}

static void join(const struct parent *p, enum child_channel channel, enum child_role partner)
{
    int ends[2];

    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) != 0) {
        log_line(EVENT_ERROR, "can't make a channel: %s", strerror(errno));
        return;
    }
    for (int i = 0; i < 2; i++) {
        int octets = CHANNEL_OCTETS;
        setsockopt(ends[i], SOL_SOCKET, SO_SNDBUFFORCE, &octets, sizeof(octets));
    }
    send_end(p, CHILD_KEYD, channel, ends[0]);
    send_end(p, partner, channel, ends[1]);
    close(ends[0]);
    close(ends[1]);
}

/* Fresh channels between a child that has just been started and its partners that run. */
static void join_partners(const struct parent *p, enum child_role role)
{
    for (size_t i = 0; i < sizeof(links) / sizeof(links[0]); i++)
        if ((role == CHILD_KEYD || role == links[i].partner) && p->sockets[CHILD_KEYD] >= 0 &&
            p->sockets[links[i].partner] >= 0)
            join(p, links[i].channel, links[i].partner);
}

/* keyd shows the processes in its status. */
static void tell_keyd(const struct parent *p, enum child_role started)
{
    if (p->sockets[CHILD_KEYD] < 0)
        return;
    for (unsigned i = 0; i < CHILD_ROLE_COUNT; i++) {
        const struct supervised *role = &p->supervisor.roles[i];
        struct child_message message = {.fd = -1,
                                        .role = (enum child_role)i,
                                        .pid = role->pid,
                                        .restarts = role->restarts};
        if ((started == CHILD_KEYD || started == i) && role->pid != 0)
            child_send(p->sockets[CHILD_KEYD], &message, CHILD_PROCESS);
    }
}

static void start(struct parent *p, enum child_role role)
{
    struct spawn_fd fds[SPAWN_FDS];
    size_t count = role_fds(p, role, fds);
    int program = role == CHILD_KEYD ? p->keyd_program : -1;
    pid_t pid;

    if (!spawn_child(program, role, fds, count, &pid, &p->sockets[role])) {
        log_line(EVENT_ERROR, "can't start %s: %s", child_role_name(role), strerror(errno));
        p->sockets[role] = -1;
        supervisor_failed(&p->supervisor, role, parent_now());
        return;
    }
    supervisor_started(&p->supervisor, role, pid, parent_now());
    if (role == CHILD_KEYD)
        p->keyd_silent = false;
    if (role == CHILD_PLANE)
        p->plane_silent = false;
    log_line(EVENT_INFO, "%s runs as process %d", child_role_name(role), (int)pid);
    join_partners(p, role);
    tell_keyd(p, role);
}

static void report_death(enum child_role role, pid_t pid, int status, enum event_level level)
{
    if (WIFSIGNALED(status))
        log_line(level, "%s (process %d) was ended by signal %d", child_role_name(role), (int)pid,
                 WTERMSIG(status));
    else
        log_line(level, "%s (process %d) ended with status %d", child_role_name(role), (int)pid,
                 WEXITSTATUS(status));
}

/* A new keyd that can't live must not take the old one's place for good. */
static void consider_old_keyd(struct parent *p)
{
    mono_t started = p->supervisor.roles[CHILD_KEYD].started;
    if (p->keyd_program < 0 || p->stopping || mono_since(parent_now(), started) >= PARENT_NEW_KEYD_MS)
        return;
    log_line(EVENT_ERROR, "the new keying daemon ended at once; the former program runs again");
    parent_close_fd(&p->keyd_program);
}

static void reap(struct parent *p)
{
    enum child_role role;
    int status;
    pid_t pid;

    while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
        if (!supervisor_died(&p->supervisor, pid, parent_now(), &role))
            continue;
        parent_close_fd(&p->sockets[role]);
        bool expected = p->stopping || pid == p->leaving;
        report_death(role, pid, status, expected ? EVENT_DEBUG : EVENT_WARNING);
        if (role == CHILD_KEYD && pid != p->leaving)
            consider_old_keyd(p);
    }
}

void parent_signal_role(const struct parent *p, enum child_role role, int signal_number)
{
    if (p->supervisor.roles[role].pid != 0)
        kill(p->supervisor.roles[role].pid, signal_number);
}

/* Upgrade: keyd leaves, and the program that is now where we came from takes over what it saved. */
static void renew_keyd(struct parent *p)
{
    int program = open_program(p->path);
    if (program < 0)
        return;
    parent_close_fd(&p->keyd_program);
    p->keyd_program = program;
    p->leaving = p->supervisor.roles[CHILD_KEYD].pid;
    log_line(EVENT_INFO, "a new keying daemon is started from %s", p->path);
    parent_signal_role(p, CHILD_KEYD, SIGUSR1);
}

static void read_signals(struct parent *p)
{
    struct signalfd_siginfo info;
    while (read(p->signals, &info, sizeof(info)) == sizeof(info))
        if (info.ssi_signo == SIGTERM || info.ssi_signo == SIGINT)
            p->stopping = true;
        else if (info.ssi_signo == SIGUSR1 && !p->stopping)
            renew_keyd(p);
        else if (info.ssi_signo == SIGHUP)
            p->reload_wanted = true;
}

/* RSIP-006: the port is that of the lease, whatever keyd may say. */
static void hand_leased_port(const struct parent *p)
{
    struct own own = {.count = 0};

    if (!p->config->leased_spis || !own_read(&own, &p->config->outside, true) ||
        own.leased.ike_port == 0 || own.count == 0)
        return;
    struct child_message message = {
        .fd = open_ike_socket(own.addresses[0].family, own.leased.ike_port, p->mark)};
    if (message.fd < 0)
        return;
    if (!child_send(p->sockets[CHILD_KEYD], &message, CHILD_PORT))
        log_line(EVENT_WARNING, "can't hand keyd the leased port");
    parent_close_fd(&message.fd);
}

/* keyd asks for a reload, for the addresses that peers have lent us, and for a leased port. */
static void read_keyd(struct parent *p)
{
    const struct child keyd = {.parent_fd = p->sockets[CHILD_KEYD]};
    struct child_message message;
    enum child_result result;

    if (keyd.parent_fd < 0)
        return;
    while ((result = child_receive(&keyd, &message)) != CHILD_AGAIN && result != CHILD_GONE) {
        if (result == CHILD_RELOAD)
            p->reload_wanted = true;
        else if (result == CHILD_ADDRESS)
            virtual_address_apply(p->config, message.text, message.ok);
        else if (result == CHILD_WANT_PORT)
            hand_leased_port(p);
        else
            child_message_drop(&message);
    }
    /* Until SIGCHLD says that it has died: no event of this socket is of interest. */
    p->keyd_silent = result == CHILD_GONE;
}

/* An interface that comes gets its classifier before anything leaves it. */
void parent_follow_links(struct parent *p)
{
    struct plane_setup_change change;

    while (plane_setup_follow(&p->plane_result, &change))
        if (change.refused)
            log_line(EVENT_ERROR, "nothing leaves %s: %s", change.name, change.fault.text);
        else
            log_line(EVENT_INFO, "%s has %s", change.name,
                     change.attached ? "come; the classifier is on it" : "gone");
}

/* The mark takes privilege, so the plane asks for sockets of which it makes connections (RFC 9329). */
static void give_socket(const struct parent *p, bool v6)
{
    struct child_message socket = {.fd = io_stream_open(v6 ? IP_V6 : IP_V4, p->mark)};
    if (socket.fd < 0)
        log_line(EVENT_WARNING, "can't open a TCP socket: %s", strerror(errno));
    else if (!child_send(p->sockets[CHILD_PLANE], &socket, CHILD_SOCKET))
        log_line(EVENT_WARNING, "can't hand the plane a TCP socket");
    parent_close_fd(&socket.fd);
}

static void read_plane(struct parent *p)
{
    const struct child plane = {.parent_fd = p->sockets[CHILD_PLANE]};
    struct child_message message;
    enum child_result result;

    if (plane.parent_fd < 0)
        return;
    while ((result = child_receive(&plane, &message)) != CHILD_AGAIN && result != CHILD_GONE) {
        if (result == CHILD_WANTS_SOCKET)
            give_socket(p, message.ok);
        else
            child_message_drop(&message);
    }
    p->plane_silent = result == CHILD_GONE;
}

static void wait_until(struct parent *p, mono_t deadline)
{
    struct pollfd ready[] = {
        {.fd = p->signals, .events = POLLIN},
        {.fd = p->keyd_silent ? -1 : p->sockets[CHILD_KEYD], .events = POLLIN},
        {.fd = p->plane_silent ? -1 : p->sockets[CHILD_PLANE], .events = POLLIN},
        {.fd = p->links, .events = POLLIN}};
    int64_t left = mono_is_never(deadline) ? -1 : mono_since(deadline, parent_now());

    if (!mono_is_never(deadline) && left < 0)
        left = 0;
    poll(ready, 4, left > 60000 ? 60000 : (int)left);
    if (p->links >= 0 && outside_news_read(p->links) != OUTSIDE_NEWS_NONE)
        parent_follow_links(p);
    read_signals(p);
    read_keyd(p);
    read_plane(p);
    reap(p);
}

static void supervise(struct parent *p)
{
    enum child_role role;

    while (!p->stopping) {
        if (p->reload_wanted && mono_reached(parent_now(), p->next_reload))
            parent_reload(p);
        while (supervisor_due(&p->supervisor, parent_now(), &role))
            start(p, role);
        wait_until(p, mono_min(supervisor_next_deadline(&p->supervisor),
                               p->reload_wanted ? p->next_reload : MONO_NEVER));
    }
}

static void signal_all(const struct parent *p, int signal_number)
{
    for (unsigned i = 0; i < CHILD_ROLE_COUNT; i++)
        parent_signal_role(p, (enum child_role)i, signal_number);
}

static void stop(struct parent *p)
{
    notify("STOPPING=1");
    mono_t deadline = mono_add(parent_now(), PARENT_LEAVE_MS);
    parent_signal_role(p, CHILD_KEYD, SIGTERM);
    while (p->supervisor.roles[CHILD_KEYD].pid != 0 && !mono_reached(parent_now(), deadline))
        wait_until(p, deadline);

    deadline = mono_add(parent_now(), PARENT_LEAVE_MS);
    signal_all(p, SIGTERM);
    while (supervisor_running(&p->supervisor) != 0 && !mono_reached(parent_now(), deadline))
        wait_until(p, deadline);

    signal_all(p, SIGKILL);
    while (supervisor_running(&p->supervisor) != 0)
        wait_until(p, MONO_NEVER);
}

static void log_problem(void *ctx, enum precheck_result result, const char *text)
{
    (void)ctx;
    log_line(result == PRECHECK_ERROR ? EVENT_ERROR : EVENT_WARNING, "%s", text);
}

int parent_main(struct cygnet_config *config, const char *path, const char *text, size_t len)
{
    struct parent p = {.config_path = path,
                       .config = config,
                       .config_fd = -1,
                       .key_fd = -1,
                       .materials_fd = -1,
                       .keys_fd = -1,
                       .anchor_fd = -1,
                       .control_fd = -1,
                       .ike_v4_fd = -1,
                       .ike_v6_fd = -1,
                       .saved_fd = -1,
                       .keyd_program = -1,
                       .signals = -1,
                       .links = -1};

    for (size_t i = 0; i < CHILD_ROLE_COUNT; i++)
        p.sockets[i] = -1;
    for (size_t i = 0; i < KEY_TABLES; i++)
        p.export_fds[i] = -1;
    if (geteuid() != 0) {
        log_line(EVENT_ERROR, "must be started by root; it gives up what it doesn't need");
        return 1;
    }
    if (precheck_run(config, log_problem, NULL) != 0)
        return 1;
    if (readlink("/proc/self/exe", p.path, sizeof(p.path) - 1) < 0)
        p.path[0] = '\0';
    bool ok = getrandom(&p.mark, sizeof(p.mark), 0) == sizeof(p.mark);
    p.mark |= 1; /* never none */
    ok = ok && parent_open(&p, text, len);
    if (ok) {
        supervisor_init(&p.supervisor, parent_now());
        notify("READY=1");
        supervise(&p);
        stop(&p);
    }
    parent_close(&p);
    return ok ? 0 : 1;
}
