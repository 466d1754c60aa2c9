/*
 * L2TP for cygnet-rsipd: the engine of rsip/l2tp.h on its socket, in libevent's loop. Both roles
 * use it. Datagrams that are too long for the link are cut, or answered with ICMP, for a PPP link
 * takes no larger ones than its end says.
 */
#ifndef CYGNET_DAEMON_RSIPD_TUNNEL_L2TP_H
#define CYGNET_DAEMON_RSIPD_TUNNEL_L2TP_H

#include <jansson.h>

#include "rsip/l2tp.h"

struct event_base;
struct rsipd_trace;
struct tunnel_l2tp;

struct tunnel_l2tp_setup {
    struct l2tp_config config;
    struct l2tp_env env;
    int fd, tun;
    struct rsipd_trace *trace;
};

/* NULL: out of memory. */
struct tunnel_l2tp *tunnel_l2tp_new(struct event_base *base, const struct tunnel_l2tp_setup *setup);
/* A datagram to that peer; it is lost if there is no link. */
void tunnel_l2tp_send(struct tunnel_l2tp *t, const struct ip_addr *to, struct view datagram);
/* Reads what there is; false: nothing. All else that comes is dealt with. */
bool tunnel_l2tp_receive(struct tunnel_l2tp *t, struct span room, struct ip_addr *ret_from,
                         struct view *ret_inner);
void tunnel_l2tp_connect(struct tunnel_l2tp *t, const struct ip_addr *gateway);
void tunnel_l2tp_disconnect(struct tunnel_l2tp *t);
/* A list of its tunnels; its counters are added to `counters`, which may be NULL. */
json_t *tunnel_l2tp_status(const struct tunnel_l2tp *t, json_t *counters);

#endif
