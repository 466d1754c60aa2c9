/*
 * What every child of the parent shares: its role, the descriptors it starts with, the socket over
 * which the parent hands it channels to its partners, and giving up privilege.
 *
 * The parent runs /proc/self/exe again with `--role NAME`; a child begins with descriptors at
 * agreed numbers (enum child_fd) and a copy of the checked configuration file in memory, so that a
 * child restarted after somebody edited the file still agrees with the others. Channels come later,
 * each as one letter and one SOCK_SEQPACKET descriptor, and come again when the partner was
 * restarted: the new one replaces the old one. A partner that died is seen as end of file on the
 * channel; a parent that died as CHILD_GONE, and then the child exits.
 */
#ifndef CYGNET_DAEMON_CHILD_H
#define CYGNET_DAEMON_CHILD_H

#include <sys/types.h>

#include "daemon/config.h"

enum child_role { CHILD_KEYD, CHILD_PLANE, CHILD_KEEPER, CHILD_RESOLVER, CHILD_ROLE_COUNT };

const char *child_role_name(enum child_role role); /* "keyd" */
bool child_role_parse(const char *name, enum child_role *ret);

/* Numbers of the descriptors a child starts with; others are closed. One that may be missing is
 * asked for with child_fd(): /dev/null holds its number, so that nothing else gets it. */
enum child_fd {
    CHILD_FD_PARENT = 3,
    CHILD_FD_CONFIG = 4, /* the configuration's text, sealed, in memory */
    CHILD_FD_FIRST = 5,  /* first of the role's own */

    CHILD_FD_CONTROL = 5, /* keyd: listening control socket */
    CHILD_FD_IKE_V4 = 6,  /* keyd: UDP port 500, marked, with packet information */
    CHILD_FD_IKE_V6 = 7,  /* may be missing */
    CHILD_FD_SAVED = 8,   /* keyd: what a former keyd saved, in memory; see saved_log.h */
    CHILD_FD_MATERIALS = 9, /* keyd: what connections need, see materials.h */
    CHILD_FD_EXPORT = 10, /* keyd: Wireshark's tables, in the order of enum key_table; may be missing */
    CHILD_FD_KEY = 5,     /* keeper: the private key's PEM file */
    CHILD_FD_KEYS = 6,    /* keeper: those of connections, see materials.h */
    CHILD_FD_PLANE = 5,   /* plane: the first of its own, in the order of enum plane_fd */
    CHILD_FD_ANCHOR = 5,  /* resolver: trust anchor file; may be missing */
    CHILD_FD_STUB = 6,    /* resolver: UDP and TCP of each address the stub listens on, in turn */
};

/* The letter that says what a descriptor from the parent is for. */
enum child_channel {
    CHILD_CHANNEL_PFKEY = 'k', /* keyd <-> plane: PF_KEY messages */
    CHILD_CHANNEL_IKE = 'i',   /* keyd <-> plane: IKE datagrams on UDP 4500 */
    CHILD_CHANNEL_SIGN = 's',  /* keyd <-> keeper: daemon/ipc.h */
    CHILD_CHANNEL_DNS = 'd',   /* keyd <-> resolver: daemon/ipc.h */
};

struct child {
    enum child_role role;
    int parent_fd; /* readable when child_receive() has something; non-blocking */
};

enum child_result {
    CHILD_AGAIN,   /* nothing now */
    CHILD_CHANNEL, /* channel and fd are set; the caller owns fd (non-blocking, close-on-exec) */
    CHILD_PROCESS, /* role and pid are set: that process runs under a new number; to keyd only */
    CHILD_MATERIALS, /* fd is what the next configuration's connections need; to keyd */
    CHILD_CONFIG,  /* fd is a new configuration, checked; to keyd and the plane; ok: another keeper
                      with other keys is on its way */
    CHILD_ADDRESS, /* from keyd to the parent: ok or not, text is "ADDRESS NET": a virtual address for
                    * what goes to that net */
    CHILD_WANT_PORT, /* from keyd to the parent: a socket for IKE at the leased port */
    CHILD_PORT,    /* to keyd: fd is that socket */
    CHILD_WANTS_SOCKET, /* from the plane to the parent: a TCP socket with our mark, ok: of IPv6 */
    CHILD_SOCKET,  /* to the plane: fd is one */
    CHILD_RELOAD,  /* from keyd to the parent: somebody wants the configuration read again */
    CHILD_RELOADED,/* to keyd: ok or not, and text says why not */
    CHILD_GONE,    /* the parent has gone: exit */
};

struct child_message {
    enum child_channel channel;
    int fd;
    enum child_role role;
    pid_t pid;
    uint32_t restarts; /* how often the parent has restarted that role */
    bool ok;
    char text[CONFIG_ERROR_MAX];
};

/* Takes over the parent's socket; dies with the parent. Call first. */
void child_init(enum child_role role, struct child *ret);
/* The number itself, or -1: missing. */
int child_fd(int number);
enum child_result child_receive(const struct child *child, struct child_message *ret);
/* Not for this role: closes what came with it. */
void child_message_drop(const struct child_message *message);
/* Reads and parses the configuration behind `fd`. False: said why on standard error. */
bool child_read_config(int fd, struct cygnet_config *ret);

/* Root-owned, nobody may write to it; the parent makes it. */
#define CHILD_EMPTY_DIR "/run/cygnet/empty"
/* That directory, or NULL (and a warning) if it isn't there. */
const char *child_empty_root(void);

/*
 * Becomes `user` for good: changes the root directory (NULL: don't), drops groups, user and all
 * capabilities, and forbids gaining any. Without root at the start it only does the last.
 * False: said why on standard error; the child must exit.
 */
MUST_USE bool child_drop_privileges(const char *user, const char *root);

/* A name or a number. False: there is no such user. */
bool child_user_lookup(const char *user, uid_t *ret_uid, gid_t *ret_gid);

/* Sends one message to a child; fd may be -1. False: the child is not there any more. */
bool child_send(int socket, const struct child_message *message, enum child_result kind);

#endif
