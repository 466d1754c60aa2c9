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
/* Only needed without eBPF. */
MUST_USE bool io_clear_sockets_open(uint32_t mark, struct plane_fds *ret, struct io_fault *fault);

#endif
