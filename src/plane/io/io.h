/*
 * The plane's hands: bursts of packets read from TUN devices and sockets, and packets sent out
 * again. Buffers are allocated once, for one burst; what a read returns is valid until the next
 * read. Packets handed to io_write() are sent at once or at io_flush(), which must come before the
 * next read or call into the plane. What can't be sent is dropped and counted. Needs no privilege.
 */
#ifndef CYGNET_PLANE_IO_IO_H
#define CYGNET_PLANE_IO_IO_H

#include "base/err.h"
#include "plane/io/setup.h"
#include "plane/plane.h"

struct io;

struct io_env {
    void *ctx;
    /* A datagram with the non-ESP marker, which is not part of it. Called from io_read_esp(). */
    void (*ike)(void *ctx, const struct ip_endpoint *local, const struct ip_endpoint *remote,
                struct view datagram);
};

/* fds stay the caller's. ERR_MEMORY. */
MUST_USE enum err io_new(const struct plane_fds *fds, const struct io_env *env, struct io **ret);
void io_free(struct io *io);

/* Packets leave by the interface that has their source, whatever other routes say; one that isn't there
 * goes as the routes say. Before the first call all do. */
void io_sources_set(struct io *io, const struct outside_addresses *sources);

/* From PLANE_FD_OE, _VPN or _PUT_BACK. Sets *ret to at most LIMIT_BURST packets; 0: no more now. */
size_t io_read_tun(struct io *io, enum plane_fd which, struct packet ***ret);
/* From PLANE_FD_ESP_V4 .. PLANE_FD_AH_V6. *ret_more is false when the socket was emptied: a burst
 * may hold no ESP and still have more behind it. */
size_t io_read_esp(struct io *io, enum plane_fd which, struct packet ***ret, bool *ret_more);
/* What was read last was more than one burst: read on from the same place before any other. */
bool io_is_pending(const struct io *io);
/* Reads a socket's error queue: path-MTU news. */
void io_read_errors(struct io *io, enum plane_fd which);
/* The next news. False: there is none. */
bool io_path_mtu(struct io *io, struct ip_addr *ret_dst, uint32_t *ret_mtu);
/* Packets from ret_way->src to ret_way->dst can't be sent, but from *ret_new they could. False: no
 * more of it. */
bool io_lost_source(struct io *io, struct ip_pair *ret_way, struct ip_addr *ret_new);

void io_write(struct io *io, enum plane_out kind, struct packet *packet);
void io_flush(struct io *io);
/* Through UDP 4500, with the non-ESP marker; an empty datagram: a NAT keepalive. */
void io_send_ike(struct io *io, const struct ip_endpoint *local, const struct ip_endpoint *remote,
                 struct view datagram);

/* Every drop has a name, the classifier's counters too; `i` from 0 up. False: no more. */
bool io_counter(const struct io *io, size_t i, const char **ret_name, uint64_t *ret_value);

#endif
