/*
 * A connection to a gateway's control socket. Requests and replies are JSON, one a line. Failures
 * are said on standard error with their remedy.
 */
#ifndef CYGNET_CLI_CLIENT_H
#define CYGNET_CLI_CLIENT_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

struct client {
    const char *path;
    int fd;
    char *text; /* read and not yet taken */
    size_t len, room;
};

/* False: failed. On success, to be closed with client_close(). */
bool client_open(struct client *client, const char *path);
void client_close(struct client *client);
/* Sends `request` (taken over) and waits for the reply: a new reference, or NULL if there was none
 * or it was an error. */
json_t *client_ask(struct client *client, json_t *request);
/* A line that has already been read: a new reference. NULL: none is complete. */
json_t *client_take(struct client *client);
/* Reads what there is, waiting if there is nothing. False: the gateway has gone. */
bool client_read(struct client *client);
/* All in one: connects, asks, closes. */
json_t *client_ask_once(const char *path, json_t *request);

#endif
