/*
 * The port that an RSIP lease has for IKE (RSIP-006): as long as the lease names one, IKE leaves from there and
 * not from 500, so its gateway knows by the port alone for whom an answer or a re-key by the peer is. The socket
 * comes from the parent, marked as the one at 500 is; until it is there no tunnel begins.
 */
#ifndef CYGNET_DAEMON_KEYD_LEASED_H
#define CYGNET_DAEMON_KEYD_LEASED_H

#include <event2/event.h>

#include "daemon/child.h"
#include "daemon/own_address.h"

struct keyd_leased {
    struct event *event;
    uint16_t port;  /* 0: no socket */
    uint16_t asked; /* the parent knows that this one is wanted; 0: none is */
};

/* After each look at our addresses: another port, or none, wants another socket, or none. */
void keyd_leased_follow(struct keyd_leased *l, const struct own *own, const struct child *child);
/* The parent's answer; `fd` is ours from now on. */
void keyd_leased_take(struct keyd_leased *l, int fd, struct event_base *base,
                      event_callback_fn on_udp, void *ctx);
/* A port is leased, and its socket isn't there. */
bool keyd_leased_waits(const struct keyd_leased *l, const struct own *own);
/* -1: it isn't at that port. */
int keyd_leased_fd(const struct keyd_leased *l, uint16_t port);
void keyd_leased_close(struct keyd_leased *l);

#endif
