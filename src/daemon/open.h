/*
 * What the root parent opens before anything else runs: the configuration's copy, the private key,
 * the trust anchor, the control socket, the IKE sockets, directories. Every function says on the
 * log what failed and what to do.
 */
#ifndef CYGNET_DAEMON_OPEN_H
#define CYGNET_DAEMON_OPEN_H

#include "daemon/child.h"

/* A sealed copy in memory, for the children. -1: failed. */
int open_sealed_copy(const char *text, size_t len);
/* An empty file in memory, for what one keyd leaves to the next. -1: failed. */
int open_memory(void);
/* The program at that path, to be run later; nobody but root may have been able to change it. -1:
 * failed. */
int open_program(const char *path);
/* A path's missing directories, as root's own; `path` names a file in the last one. */
MUST_USE bool open_parents(const char *path);
/* A table of keys, to be written at its end; the directory is made if need be. -1: said why. */
MUST_USE int open_table(const char *directory, const char *name);
MUST_USE bool open_empty_dir(void);
/* The state directory belongs to keyd's user. */
MUST_USE bool open_state_dir(const char *path, uid_t uid, gid_t gid);
/* No other cygnetd answers at the control socket `path`. False: said so. */
MUST_USE bool open_is_free(const char *path);
/* A listening control socket for root and group `gid`; a stale one is replaced. -1: failed. */
int open_control_socket(const char *path, gid_t gid);
enum { OPEN_IKE_PORT = 500 };
/* A UDP socket for IKE, on port 500 or a leased one, with our mark and packet information. -1: failed;
 * with errno EAFNOSUPPORT nothing is said, for a system without IPv6. */
int open_ike_socket(enum ip_family family, uint16_t port, uint32_t mark);
/* A bound socket for the stub resolver: UDP, or TCP (`stream`) and listening. -1: failed. */
int open_stub_socket(const struct ip_endpoint *at, bool stream);

#endif
