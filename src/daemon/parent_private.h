/*
 * What the files of the parent share: its state. parent.c has the loop and the children,
 * parent_open.c what is opened for them, parent_reload.c a new configuration.
 */
#ifndef CYGNET_DAEMON_PARENT_PRIVATE_H
#define CYGNET_DAEMON_PARENT_PRIVATE_H

#include <limits.h>
#include <sys/stat.h>

#include "control/key_lines.h"
#include "daemon/child.h"
#include "daemon/supervisor.h"
#include "plane/io/setup.h"

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
    bool stopping, reload_wanted, keyd_silent, plane_silent;
    mono_t next_reload;
    pid_t leaving; /* a keyd that was asked to leave to a newer one */
};

/* parent.c */
mono_t parent_now(void);
/* Closes it if it is open, and makes it -1. */
void parent_close_fd(int *fd);
/* Nothing when no process has that role now. */
void parent_signal_role(const struct parent *p, enum child_role role, int signal_number);
/* An interface that comes gets its classifier before anything leaves it. */
void parent_follow_links(struct parent *p);

/* parent_open.c; what fails is logged. `text` is the configuration's. */
bool parent_open(struct parent *p, const char *text, size_t len);
void parent_close(struct parent *p);
int parent_open_file(const char *path, const char *what);
/* False: the old key stays. */
bool parent_open_key(struct parent *p);
/* What connections need, read anew. False: `error` says why, and the outputs stay. */
bool parent_gather_materials(const struct cygnet_config *config, int *ret_materials, int *ret_keys,
                             char *error);

/* parent_reload.c: a configuration with a mistake is refused, and the one in force stays. */
void parent_reload(struct parent *p);

#endif
