#include "daemon/parent.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "control/key_lines.h"
#include "daemon/config_load.h"
#include "daemon/key_file.h"
#include "daemon/log.h"
#include "daemon/materials.h"
#include "daemon/open.h"
#include "daemon/own_address.h"
#include "daemon/precheck.h"
#include "daemon/spawn.h"
#include "daemon/stop_rules.h"
#include "daemon/supervisor.h"
#include "daemon/virtual_address.h"
#include "plane/io/setup.h"

enum {
    PARENT_LEAVE_MS = 3000, /* for keyd to take leave, then for the others */
    PARENT_NEW_KEYD_MS = 3000, /* a new program that lives shorter than this is no good */
    CHANNEL_OCTETS = 4 * 1024 * 1024,
    RELOAD_PAUSE_MS = 200, /* between two reloads, however often they are asked for */
};

struct parent {
    const char *config_path;
    struct cygnet_config *config;
    struct supervisor supervisor;
    int sockets[CHILD_ROLE_COUNT]; /* to each child; -1: it isn't running */
    int config_fd, materials_fd, key_fd, keys_fd, anchor_fd, control_fd, ike_v4_fd, ike_v6_fd, saved_fd;
    uint32_t mark;    /* of our own packets, for the classifier */
    int keyd_program; /* a newer keyd than this program; -1: none */
    char path[PATH_MAX]; /* where this program was started from */
    int stub_fds[2 * CONFIG_STUB_ADDRESSES];
    size_t stub_count;
    int export_fds[KEY_TABLES]; /* Wireshark's tables; -1: none */
    struct stat key_stat; /* of the private key when it was opened */
    struct plane_setup_result plane_result;
    bool plane_is_set_up;
    int signals, links; /* links: news of interfaces */
    bool stopping, reload_wanted, keyd_silent;
    mono_t next_reload;
    pid_t leaving; /* a keyd that was asked to leave to a newer one */
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

static mono_t now(void)
{
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    return (mono_t){(int64_t)at.tv_sec * 1000 + at.tv_nsec / 1000000};
}

static void close_fd(int *fd)
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
    close_fd(&fd);
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
        supervisor_failed(&p->supervisor, role, now());
        return;
    }
    supervisor_started(&p->supervisor, role, pid, now());
    if (role == CHILD_KEYD)
        p->keyd_silent = false;
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
    if (p->keyd_program < 0 || p->stopping || mono_since(now(), started) >= PARENT_NEW_KEYD_MS)
        return;
    log_line(EVENT_ERROR, "the new keying daemon ended at once; the former program runs again");
    close_fd(&p->keyd_program);
}

static void reap(struct parent *p)
{
    enum child_role role;
    int status;
    pid_t pid;

    while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
        if (!supervisor_died(&p->supervisor, pid, now(), &role))
            continue;
        close_fd(&p->sockets[role]);
        bool expected = p->stopping || pid == p->leaving;
        report_death(role, pid, status, expected ? EVENT_DEBUG : EVENT_WARNING);
        if (role == CHILD_KEYD && pid != p->leaving)
            consider_old_keyd(p);
    }
}

static void signal_role(const struct parent *p, enum child_role role, int signal_number)
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
    close_fd(&p->keyd_program);
    p->keyd_program = program;
    p->leaving = p->supervisor.roles[CHILD_KEYD].pid;
    log_line(EVENT_INFO, "a new keying daemon is started from %s", p->path);
    signal_role(p, CHILD_KEYD, SIGUSR1);
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
    close_fd(&message.fd);
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
        else if (result == CHILD_CHANNEL || result == CHILD_CONFIG ||
                 result == CHILD_MATERIALS || result == CHILD_PORT)
            close(message.fd);
    }
    /* Until SIGCHLD says that it has died: no event of this socket is of interest. */
    p->keyd_silent = result == CHILD_GONE;
}

/* An interface that comes gets its classifier before anything leaves it. */
static void follow_links(struct parent *p)
{
    struct plane_setup_change change;

    while (plane_setup_follow(&p->plane_result, &change))
        if (change.refused)
            log_line(EVENT_ERROR, "nothing leaves %s: %s", change.name, change.fault.text);
        else
            log_line(EVENT_INFO, "%s has %s", change.name,
                     change.attached ? "come; the classifier is on it" : "gone");
}

static void wait_until(struct parent *p, mono_t deadline)
{
    struct pollfd ready[] = {
        {.fd = p->signals, .events = POLLIN},
        {.fd = p->keyd_silent ? -1 : p->sockets[CHILD_KEYD], .events = POLLIN},
        {.fd = p->links, .events = POLLIN}};
    int64_t left = mono_is_never(deadline) ? -1 : mono_since(deadline, now());

    if (!mono_is_never(deadline) && left < 0)
        left = 0;
    poll(ready, 3, left > 60000 ? 60000 : (int)left);
    if (p->links >= 0 && outside_news_read(p->links) != OUTSIDE_NEWS_NONE)
        follow_links(p);
    read_signals(p);
    read_keyd(p);
    reap(p);
}

static int open_file(const char *path, const char *what)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (fd < 0)
        log_line(EVENT_ERROR, "can't read the %s in %s: %s", what, path, strerror(errno));
    return fd;
}

static bool open_key(struct parent *p)
{
    const char *why;
    struct stat info = {0};
    bool known = stat(p->config->key, &info) == 0; /* before: a change meanwhile is seen at the next reload */
    int fd = key_file_open(p->config->key, &why);

    if (!known || fd < 0) {
        log_line(EVENT_ERROR, "can't use the private key in %s: %s", p->config->key,
                 fd < 0 ? why : "no such file");
        close_fd(&fd);
        return false;
    }
    close_fd(&p->key_fd);
    p->key_fd = fd;
    p->key_stat = info;
    return true;
}

/* What connections need, read anew. False: the old files stay. */
static bool gather_materials(const struct cygnet_config *config, int *ret_materials, int *ret_keys,
                             char *error)
{
    int materials = materials_gather(config, MATERIALS_KEYD, error);
    int keys = materials >= 0 ? materials_gather(config, MATERIALS_KEEPER, error) : -1;
    if (keys < 0) {
        close_fd(&materials);
        return false;
    }
    *ret_materials = materials;
    *ret_keys = keys;
    return true;
}

/* Off unless asked for, and said loudly: whoever reads these files reads the traffic. */
static bool open_exports(struct parent *p)
{
    if (p->config->key_export[0] == '\0')
        return true;
    log_line(EVENT_WARNING, "'key-export' is set: keys are written into %s", p->config->key_export);
    for (int i = 0; i < KEY_TABLES; i++) {
        p->export_fds[i] = open_table(p->config->key_export, key_table_name((enum key_table)i));
        if (p->export_fds[i] < 0)
            return false;
    }
    return true;
}

static bool open_materials(struct parent *p)
{
    char error[CONFIG_ERROR_MAX];
    if (gather_materials(p->config, &p->materials_fd, &p->keys_fd, error))
        return true;
    log_line(EVENT_ERROR, "%s", error);
    return false;
}

/* A keeper with other keys takes the place of the old one. True: it has to. */
static bool take_materials(struct parent *p, int materials, int keys)
{
    bool same = materials_equal(p->keys_fd, keys);
    close_fd(&p->materials_fd);
    close_fd(&p->keys_fd);
    p->materials_fd = materials;
    p->keys_fd = keys;
    if (!same)
        signal_role(p, CHILD_KEEPER, SIGTERM);
    return !same;
}

/* OE-154: another private key in the file's place signs from now on; tunnels that stand stay. */
static void renew_key(struct parent *p)
{
    const struct stat *old = &p->key_stat;
    struct stat info;

    if (stat(p->config->key, &info) == 0 && info.st_dev == old->st_dev &&
        info.st_ino == old->st_ino && info.st_size == old->st_size &&
        info.st_mtim.tv_sec == old->st_mtim.tv_sec && info.st_mtim.tv_nsec == old->st_mtim.tv_nsec)
        return;
    if (!open_key(p))
        return;
    signal_role(p, CHILD_KEEPER, SIGTERM);
    log_line(EVENT_INFO, "the private key was read again");
}

/* What was opened or handed out at the start can't change: the first such key, or NULL. */
static const char *fixed_key_changed(const struct cygnet_config *a, const struct cygnet_config *b)
{
    if (memcmp(&a->outside, &b->outside, sizeof(a->outside)) != 0)
        return "outside";
    if (strcmp(a->key, b->key) != 0)
        return "key";
    if (strcmp(a->control, b->control) != 0)
        return "control";
    if (strcmp(a->key_export, b->key_export) != 0)
        return "key-export";
    if (strcmp(a->state, b->state) != 0)
        return "state";
    if (a->identity.kind != b->identity.kind ||
        (a->identity.kind != IDENTITY_NONE && !identity_equal(&a->identity, &b->identity)))
        return "identity";
    if (memcmp(&a->users, &b->users, sizeof(a->users)) != 0)
        return "users";
    if (a->stub.listen_count != b->stub.listen_count ||
        memcmp(a->stub.listen, b->stub.listen, sizeof(a->stub.listen)) != 0)
        return "stub";
    if (a->refuse_clear != b->refuse_clear)
        return "refuse-clear";
    return a->classifier != b->classifier ? "classifier" : NULL;
}

/* The first error is the one that is told. */
static void note_problem(void *ctx, enum precheck_result result, const char *text)
{
    char *error = ctx;
    if (result == PRECHECK_ERROR && error[0] == '\0')
        snprintf(error, CONFIG_ERROR_MAX, "%s", text);
}

/* A configuration that can take the place of ours, and a copy for the children. -1: `error` says
 * why not. */
static int read_new_config(const struct parent *p, struct cygnet_config *ret, char *error)
{
    size_t len;
    char *text = config_load(p->config_path, ret, &len, error);
    int fd = -1;

    if (text == NULL)
        return -1;
    error[0] = '\0';
    const char *fixed = fixed_key_changed(p->config, ret);
    if (fixed != NULL)
        snprintf(error, CONFIG_ERROR_MAX,
                 "%s: '%s' can't change while cygnetd runs; restart it, or change it back",
                 p->config_path, fixed);
    else if (precheck_run(ret, note_problem, error) == 0 &&
             (fd = open_sealed_copy(text, len)) < 0)
        snprintf(error, CONFIG_ERROR_MAX, "can't keep the configuration: %s", strerror(errno));
    free(text);
    return fd;
}

/* The resolver keeps nothing but a cache, so it begins anew if what it starts with has changed. */
static void restart_resolver(struct parent *p, const struct config_dns *old)
{
    const struct config_dns *dns = &p->config->dns;
    bool same = dns->forwarder_count == old->forwarder_count &&
                memcmp(dns->forwarders, old->forwarders, sizeof(dns->forwarders)) == 0 &&
                strcmp(dns->trust_anchor, old->trust_anchor) == 0;

    if (same)
        return;
    close_fd(&p->anchor_fd);
    if (access(dns->trust_anchor, R_OK) == 0)
        p->anchor_fd = open_file(dns->trust_anchor, "trust anchor");
    signal_role(p, CHILD_RESOLVER, SIGTERM);
}

/* `other_keys`: a new keeper will say which, and keyd waits for it. */
static void hand_out_config(const struct parent *p, bool other_keys)
{
    const struct child_message materials = {.fd = p->materials_fd};
    static const enum child_role roles[] = {CHILD_PLANE, CHILD_KEYD};
    const struct child_message message = {.fd = p->config_fd, .ok = other_keys};

    if (p->sockets[CHILD_KEYD] >= 0 &&
        !child_send(p->sockets[CHILD_KEYD], &materials, CHILD_MATERIALS))
        log_line(EVENT_WARNING, "can't hand keyd the files of connections");
    for (size_t i = 0; i < sizeof(roles) / sizeof(roles[0]); i++)
        if (p->sockets[roles[i]] >= 0 && !child_send(p->sockets[roles[i]], &message, CHILD_CONFIG))
            log_line(EVENT_WARNING, "can't hand %s the configuration",
                     child_role_name(roles[i]));
}

static void take_new_config(struct parent *p, const struct cygnet_config *config, int fd,
                            bool other_keys)
{
    struct config_dns old = p->config->dns;

    close_fd(&p->config_fd);
    p->config_fd = fd;
    *p->config = *config;
    hand_out_config(p, other_keys);
    restart_resolver(p, &old);
    renew_key(p);
    log_line(EVENT_INFO, "the configuration was read again");
}

/* A configuration with a mistake is refused, and the one in force stays. */
static void reload(struct parent *p)
{
    struct cygnet_config *config = malloc(sizeof(*config));
    struct child_message result = {.fd = -1, .text = "out of memory"};
    int fd = config != NULL ? read_new_config(p, config, result.text) : -1;
    int materials = -1, keys = -1;
    if (fd >= 0 && !gather_materials(config, &materials, &keys, result.text))
        close_fd(&fd);

    p->reload_wanted = false;
    p->next_reload = mono_add(now(), RELOAD_PAUSE_MS);
    result.ok = fd >= 0;
    if (result.ok) {
        bool other_keys = take_materials(p, materials, keys);
        take_new_config(p, config, fd, other_keys);
    } else {
        log_line(EVENT_ERROR, "%s", result.text);
        log_line(EVENT_ERROR, "the new configuration is refused; the old one stays in force");
    }
    free(config);
    if (p->sockets[CHILD_KEYD] >= 0 && !child_send(p->sockets[CHILD_KEYD], &result, CHILD_RELOADED))
        log_line(EVENT_WARNING, "can't tell keyd how the reload went");
}

static void supervise(struct parent *p)
{
    enum child_role role;

    while (!p->stopping) {
        if (p->reload_wanted && mono_reached(now(), p->next_reload))
            reload(p);
        while (supervisor_due(&p->supervisor, now(), &role))
            start(p, role);
        wait_until(p, mono_min(supervisor_next_deadline(&p->supervisor),
                               p->reload_wanted ? p->next_reload : MONO_NEVER));
    }
}

static void signal_all(const struct parent *p, int signal_number)
{
    for (unsigned i = 0; i < CHILD_ROLE_COUNT; i++)
        signal_role(p, (enum child_role)i, signal_number);
}

static void stop(struct parent *p)
{
    notify("STOPPING=1");
    mono_t deadline = mono_add(now(), PARENT_LEAVE_MS);
    signal_role(p, CHILD_KEYD, SIGTERM);
    while (p->supervisor.roles[CHILD_KEYD].pid != 0 && !mono_reached(now(), deadline))
        wait_until(p, deadline);

    deadline = mono_add(now(), PARENT_LEAVE_MS);
    signal_all(p, SIGTERM);
    while (supervisor_running(&p->supervisor) != 0 && !mono_reached(now(), deadline))
        wait_until(p, deadline);

    signal_all(p, SIGKILL);
    while (supervisor_running(&p->supervisor) != 0)
        wait_until(p, MONO_NEVER);
}

static bool watch_signals(struct parent *p)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    sigaddset(&set, SIGUSR1);
    sigprocmask(SIG_BLOCK, &set, NULL);
    p->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    return p->signals >= 0;
}

static bool watch_links(struct parent *p)
{
    p->links = outside_watch(OUTSIDE_WATCH_LINKS);
    if (p->links < 0)
        log_line(EVENT_ERROR, "can't watch the interfaces: %s", strerror(errno));
    return p->links >= 0;
}

static bool set_up_plane(struct parent *p)
{
    static const enum plane_classifier classifiers[] = {
        [CONFIG_CLASSIFIER_AUTO] = PLANE_CLASSIFIER_AUTO,
        [CONFIG_CLASSIFIER_EBPF] = PLANE_CLASSIFIER_EBPF,
        [CONFIG_CLASSIFIER_ROUTING] = PLANE_CLASSIFIER_ROUTING,
    };
    struct io_fault fault;
    gid_t gid;

    struct plane_setup setup = {.outside = p->config->outside,
                                .mark = p->mark,
                                .refuse_clear = p->config->refuse_clear,
                                .classifier = classifiers[p->config->classifier],
                                .exempt = true};
    if (!child_user_lookup(p->config->users.resolver, &setup.exempt_uid, &gid))
        return false;
    if (!plane_setup(&setup, &p->plane_result, &fault)) {
        log_line(EVENT_ERROR, "%s", fault.text);
        return false;
    }
    p->plane_is_set_up = true;
    if (p->plane_result.programs != NULL && !p->plane_result.guarded)
        log_line(EVENT_WARNING, "an interface that comes later is open until it is seen: %s",
                 p->plane_result.why_unguarded.text);
    follow_links(p); /* what came since the watch began */
    stop_rules_remove();
    if (p->plane_result.classifier == PLANE_CLASSIFIER_ROUTING && p->config->refuse_clear) {
        log_line(EVENT_ERROR, "refuse-clear needs the eBPF classifier; take it out, or allow eBPF");
        return false;
    }
    if (p->plane_result.classifier == PLANE_CLASSIFIER_ROUTING &&
        p->config->classifier == CONFIG_CLASSIFIER_AUTO)
        log_line(EVENT_WARNING, "no eBPF classifier (%s); routing rules do its work, more slowly",
                 p->plane_result.why_routing.text);
    return true;
}

static bool open_stub_sockets(struct parent *p)
{
    const struct config_stub *stub = &p->config->stub;

    for (size_t i = 0; i < 2 * stub->listen_count; i++) {
        int fd = open_stub_socket(&stub->listen[i / 2], i % 2 != 0);
        if (fd < 0)
            return false;
        p->stub_fds[p->stub_count++] = fd;
    }
    return true;
}

static bool open_sockets(struct parent *p, gid_t control_gid)
{
    p->ike_v4_fd = open_ike_socket(IP_V4, OPEN_IKE_PORT, p->mark);
    if (p->ike_v4_fd < 0)
        return false;
    p->ike_v6_fd = open_ike_socket(IP_V6, OPEN_IKE_PORT, p->mark);
    if (p->ike_v6_fd < 0 && errno != EAFNOSUPPORT)
        return false;
    p->control_fd = open_control_socket(p->config->control, control_gid);
    return p->control_fd >= 0;
}

static bool open_all(struct parent *p, const char *text, size_t len)
{
    const struct cygnet_config *config = p->config;
    uid_t uid;
    gid_t gid;

    if (!child_user_lookup(config->users.keyd, &uid, &gid) || !watch_signals(p))
        return false;
    p->config_fd = open_sealed_copy(text, len);
    p->saved_fd = open_memory();
    if (p->config_fd < 0 || !open_key(p) || !open_materials(p) || !open_exports(p) ||
        p->saved_fd < 0)
        return false;
    if (config->dns.trust_anchor_given || access(config->dns.trust_anchor, R_OK) == 0) {
        p->anchor_fd = open_file(config->dns.trust_anchor, "trust anchor");
        if (p->anchor_fd < 0)
            return false;
    }
    return open_is_free(config->control) && open_empty_dir() && watch_links(p) &&
           open_state_dir(config->state, uid, gid) && set_up_plane(p) && open_stub_sockets(p) &&
           open_sockets(p, gid); /* last: who can connect finds the classifier in its place */
}

static void close_all(struct parent *p)
{
    /* If they can't be had the classifier stays, and closes the interface for all. */
    bool closed = p->config->on_stop == CONFIG_STOP_CLOSED;
    if (p->plane_is_set_up && (!closed || stop_rules_install(p->config)))
        plane_setup_undo(&p->plane_result);
    if (p->control_fd >= 0)
        unlink(p->config->control);
    int *const fds[] = {&p->config_fd, &p->key_fd,    &p->anchor_fd, &p->control_fd,
                        &p->ike_v4_fd, &p->ike_v6_fd, &p->signals,    &p->links,    &p->saved_fd,
                        &p->keyd_program, &p->materials_fd, &p->keys_fd};
    for (size_t i = 0; i < sizeof(fds) / sizeof(fds[0]); i++)
        close_fd(fds[i]);
    for (size_t i = 0; i < p->stub_count; i++)
        close_fd(&p->stub_fds[i]);
    for (size_t i = 0; i < KEY_TABLES; i++)
        close_fd(&p->export_fds[i]);
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
    ok = ok && open_all(&p, text, len);
    if (ok) {
        supervisor_init(&p.supervisor, now());
        notify("READY=1");
        supervise(&p);
        stop(&p);
    }
    close_all(&p);
    return ok ? 0 : 1;
}
