/*
 * Our addresses and the kernel's. A sockaddr_in6 has room for either family; the port is 0 for raw
 * sockets.
 */
#ifndef CYGNET_PLANE_IO_SOCKADDR_H
#define CYGNET_PLANE_IO_SOCKADDR_H

#include <netinet/in.h>
#include <sys/socket.h>

#include "base/addr.h"

/* The length to hand to the kernel. */
socklen_t io_sockaddr_write(const struct ip_addr *addr, uint16_t port, struct sockaddr_in6 *ret);
/* False: neither IPv4 nor IPv6. */
bool io_sockaddr_read(const struct sockaddr_in6 *name, struct ip_addr *ret_addr, uint16_t *ret_port);

#endif
