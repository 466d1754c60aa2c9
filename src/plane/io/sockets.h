/*
 * The plane's sockets, opened by the parent: raw ESP, UDP 4500, and raw IP for putting clear
 * datagrams back. All are non-blocking, carry a mark, and report path-MTU news on their error
 * queues. IPv6 sockets are -1 where the system has no IPv6.
 */
#ifndef CYGNET_PLANE_IO_SOCKETS_H
#define CYGNET_PLANE_IO_SOCKETS_H

#include "plane/io/fault.h"
#include "plane/io/setup.h"

MUST_USE bool io_sockets_open(uint16_t udp_port, uint32_t mark, struct plane_fds *ret, struct io_fault *fault);
/* Listening, for TCP (RFC 9329); what is accepted has the mark too. */
MUST_USE bool io_listen_open(uint16_t tcp_port, uint32_t mark, struct plane_fds *ret, struct io_fault *fault);
/* For a connection of our own: TCP, marked, unbound. -1: refused, and errno says why. */
int io_stream_open(enum ip_family family, uint32_t mark);
/* Only needed without eBPF. */
MUST_USE bool io_clear_sockets_open(uint32_t mark, struct plane_fds *ret, struct io_fault *fault);

#endif
