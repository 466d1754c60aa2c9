/*
 * What cygnet-rsipd asks of the system: its TUN device, its sockets, and addresses, routes, proxied
 * neighbours and kernel settings. Everything that fails is said on the log, with what was tried.
 * Functions that change the network need CAP_NET_ADMIN.
 */
#ifndef CYGNET_DAEMON_RSIPD_NET_H
#define CYGNET_DAEMON_RSIPD_NET_H

#include "base/addr.h"

enum { NET_TUN_MTU = 1476 }; /* of a host's device: a datagram in GRE in IPv4 in Ethernet */

/* A TUN device without any header in front of its datagrams, up and non-blocking. -1: failed. */
int net_tun_open(const char *name, unsigned mtu);
/* The device outlives its process, with what others have attached to it; what a former process left on it
 * goes. Its restart is none for them. */
bool net_tun_keep(int fd, const char *name);
/* A raw IPv4 socket for a tunnel's protocol, at our address; family 0: any. -1: failed. */
int net_tunnel_socket(uint8_t proto, const struct ip_addr *local);
/* UDP, or TCP (`stream`) and listening. -1: failed. */
int net_message_socket(const struct ip_addr *local, uint16_t port, bool stream);

/* The address on the device, with a prefix of its own. */
bool net_address(const char *device, const struct ip_addr *addr, bool add);
/* What `ip link` shows as the device's alias; empty: none. */
bool net_alias(const char *device, const char *text);
/* A route into the device, with `source` as the address to send from; family 0: none. */
bool net_route(const char *device, const struct ip_prefix *to, const struct ip_addr *source,
               bool add);
/* Everything that the routing table is asked for goes into the device. */
bool net_table(const char *device, uint8_t table, bool add);
/* A rule that says where to look a datagram up. */
struct net_rule {
    uint32_t priority;
    uint8_t table;
    const char *in;            /* interface it comes from; NULL: any */
    struct ip_addr to;         /* family 0: any */
    uint8_t proto;             /* 0: any */
    uint16_t port_low, port_high; /* of the destination; 0, 0: any */
};
/* One that is there already, or not any more, is no fault. */
bool net_rule(const struct net_rule *rule, bool add);
/* The device's neighbours are told that the address is here (ARP). */
bool net_proxy(const char *device, const struct ip_addr *addr, bool add);
/* /proc/sys/PATH; a path that isn't there is no fault. */
bool net_sysctl(const char *path, const char *value);
bool net_sysctl_read(const char *path, char *ret, size_t room);

#endif
