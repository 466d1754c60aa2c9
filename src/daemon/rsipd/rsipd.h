/*
 * cygnet-rsipd: an RSIP server or client as a process. A privileged parent opens the TUN device and
 * the sockets, sets up what must be set up once, and watches an unprivileged child that does the
 * work; a child that dies is started again over the same descriptors, so the device stays. The
 * server's child has no privilege left; the client's keeps CAP_NET_ADMIN, for the leased address.
 */
#ifndef CYGNET_DAEMON_RSIPD_RSIPD_H
#define CYGNET_DAEMON_RSIPD_RSIPD_H

#include "daemon/rsipd/config.h"

struct event_base;

struct rsipd_fds {
    int tun;            /* the device */
    int ipip, six, gre; /* the tunnels' raw sockets, IP protocols 4, 41, 47 */
    int l2tp;           /* UDP; -1: L2TP is not used */
    int udp, tcp;       /* server: messages; client: udp alone */
    int control;        /* listening */
};

/* The children's work: returns the exit status. */
int rsipd_server_main(const struct rsipd_config *config, const struct rsipd_fds *fds);
int rsipd_client_main(const struct rsipd_config *config, const struct rsipd_fds *fds);

/* What both share: common.c */
mono_t rsipd_now(void);
int64_t rsipd_wall_ms(void); /* time of day at mono 0 */
void rsipd_random(void *ctx, uint8_t *ret, size_t len);
/* Sends header and datagram, with the DSCP of the latter (RSIP-205). */
void rsipd_wrapped_send(int fd, const struct ip_endpoint *to, struct view header,
                        struct view datagram);
/* Sends a datagram through IP-IP or GRE. */
void rsipd_tunnel_send(const struct rsipd_fds *fds, unsigned tunnel, const struct ip_addr *to,
                       struct view datagram);
/* Reads what there is from one of the raw sockets; false: nothing. */
bool rsipd_tunnel_receive(const struct rsipd_fds *fds, int fd, struct span room,
                          enum rsip_tunnel *ret_tunnel, struct ip_addr *ret_from,
                          struct view *ret_inner);
/* A stop by SIGTERM or SIGINT ends the loop. */
bool rsipd_stop_on_signals(struct event_base *base);

#endif
