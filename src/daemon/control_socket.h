/*
 * The control socket's server: takes connections on a listening stream socket, one JSON request a
 * line, {"cmd":"status",...}, and answers each with one line. The callback makes the answers. A
 * request {"cmd":"trace","follow":true} is answered like any other and from then on the client is a
 * subscriber, to whom every broadcast line is sent. A subscriber that reads too slowly misses
 * lines; when it catches up it is told how many, {"gap":N}. Who may connect is decided by the
 * socket's permissions. Runs in libevent's loop and never blocks it.
 */
#ifndef CYGNET_DAEMON_CONTROL_SOCKET_H
#define CYGNET_DAEMON_CONTROL_SOCKET_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

struct event_base;
struct control_socket;

enum {
    CONTROL_CLIENTS = 64,             /* more are turned away */
    CONTROL_REQUEST_MAX = 64 * 1024,  /* octets in a line */
    CONTROL_BACKLOG_MAX = 4 << 20,    /* octets a subscriber may be behind */
};

/* Returns a new reference; {"error":"what; remedy"} for a request that can't be answered. */
typedef json_t *control_answer_fn(void *ctx, const char *cmd, const json_t *request);

/* Takes over `listener`, a descriptor that listens. NULL: out of memory. */
struct control_socket *control_socket_new(struct event_base *base, int listener,
                                          control_answer_fn *answer, void *ctx);
/* NULL is allowed. */
void control_socket_free(struct control_socket *socket);
bool control_socket_has_subscribers(const struct control_socket *socket);
/* Borrows `line`. */
void control_socket_broadcast(struct control_socket *socket, const json_t *line);
size_t control_socket_clients(const struct control_socket *socket);

#endif
