/*
 * The configuration read again while the children run.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/config_load.h"
#include "daemon/log.h"
#include "daemon/materials.h"
#include "daemon/open.h"
#include "daemon/parent_private.h"
#include "daemon/precheck.h"

enum { RELOAD_PAUSE_MS = 200 }; /* between two reloads, however often they are asked for */

/* A keeper with other keys takes the place of the old one. True: it has to. */
static bool take_materials(struct parent *p, int materials, int keys)
{
    bool same = materials_equal(p->keys_fd, keys);
    parent_close_fd(&p->materials_fd);
    parent_close_fd(&p->keys_fd);
    p->materials_fd = materials;
    p->keys_fd = keys;
    if (!same)
        parent_signal_role(p, CHILD_KEEPER, SIGTERM);
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
    if (!parent_open_key(p))
        return;
    parent_signal_role(p, CHILD_KEEPER, SIGTERM);
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
    if (a->tcp_port != b->tcp_port)
        return "tcp-port";
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
    parent_close_fd(&p->anchor_fd);
    if (access(dns->trust_anchor, R_OK) == 0)
        p->anchor_fd = parent_open_file(dns->trust_anchor, "trust anchor");
    parent_signal_role(p, CHILD_RESOLVER, SIGTERM);
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

    parent_close_fd(&p->config_fd);
    p->config_fd = fd;
    *p->config = *config;
    hand_out_config(p, other_keys);
    restart_resolver(p, &old);
    renew_key(p);
    log_line(EVENT_INFO, "the configuration was read again");
}

/* A configuration with a mistake is refused, and the one in force stays. */
void parent_reload(struct parent *p)
{
    struct cygnet_config *config = malloc(sizeof(*config));
    struct child_message result = {.fd = -1, .text = "out of memory"};
    int fd = config != NULL ? read_new_config(p, config, result.text) : -1;
    int materials = -1, keys = -1;
    if (fd >= 0 && !parent_gather_materials(config, &materials, &keys, result.text))
        parent_close_fd(&fd);

    p->reload_wanted = false;
    p->next_reload = mono_add(parent_now(), RELOAD_PAUSE_MS);
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
