/*
 * What takes privilege: every file and socket that the children are given, the plane's devices and
 * rules, and the end of it all.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "daemon/key_file.h"
#include "daemon/log.h"
#include "daemon/materials.h"
#include "daemon/open.h"
#include "daemon/own_address.h"
#include "daemon/parent_private.h"
#include "daemon/stop_rules.h"

int parent_open_file(const char *path, const char *what)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (fd < 0)
        log_line(EVENT_ERROR, "can't read the %s in %s: %s", what, path, strerror(errno));
    return fd;
}

bool parent_open_key(struct parent *p)
{
    const char *why;
    struct stat info = {0};
    bool known = stat(p->config->key, &info) == 0; /* before: a change meanwhile is seen at the next reload */
    int fd = key_file_open(p->config->key, &why);

    if (!known || fd < 0) {
        log_line(EVENT_ERROR, "can't use the private key in %s: %s", p->config->key,
                 fd < 0 ? why : "no such file");
        parent_close_fd(&fd);
        return false;
    }
    parent_close_fd(&p->key_fd);
    p->key_fd = fd;
    p->key_stat = info;
    return true;
}

/* What connections need, read anew. False: the old files stay. */
bool parent_gather_materials(const struct cygnet_config *config, int *ret_materials, int *ret_keys,
                             char *error)
{
    int materials = materials_gather(config, MATERIALS_KEYD, error);
    int keys = materials >= 0 ? materials_gather(config, MATERIALS_KEEPER, error) : -1;
    if (keys < 0) {
        parent_close_fd(&materials);
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
    if (parent_gather_materials(p->config, &p->materials_fd, &p->keys_fd, error))
        return true;
    log_line(EVENT_ERROR, "%s", error);
    return false;
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
                                .tcp_port = p->config->tcp_port,
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
    parent_follow_links(p); /* what came since the watch began */
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

bool parent_open(struct parent *p, const char *text, size_t len)
{
    const struct cygnet_config *config = p->config;
    uid_t uid;
    gid_t gid;

    if (!child_user_lookup(config->users.keyd, &uid, &gid) || !watch_signals(p))
        return false;
    p->config_fd = open_sealed_copy(text, len);
    p->saved_fd = open_memory();
    if (p->config_fd < 0 || !parent_open_key(p) || !open_materials(p) || !open_exports(p) ||
        p->saved_fd < 0)
        return false;
    if (config->dns.trust_anchor_given || access(config->dns.trust_anchor, R_OK) == 0) {
        p->anchor_fd = parent_open_file(config->dns.trust_anchor, "trust anchor");
        if (p->anchor_fd < 0)
            return false;
    }
    return open_is_free(config->control) && open_empty_dir() && watch_links(p) &&
           open_state_dir(config->state, uid, gid) && set_up_plane(p) && open_stub_sockets(p) &&
           open_sockets(p, gid); /* last: who can connect finds the classifier in its place */
}

void parent_close(struct parent *p)
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
        parent_close_fd(fds[i]);
    for (size_t i = 0; i < p->stub_count; i++)
        parent_close_fd(&p->stub_fds[i]);
    for (size_t i = 0; i < KEY_TABLES; i++)
        parent_close_fd(&p->export_fds[i]);
}
