#include "daemon/control_socket.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/listener.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct client {
    struct control_socket *server;
    struct client *next;
    struct bufferevent *stream;
    bool subscribed;
    uint64_t missed; /* lines not sent since it fell behind */
};

struct control_socket {
    struct event_base *base;
    struct evconnlistener *listener;
    struct client *clients;
    size_t client_count;
    control_answer_fn *answer;
    void *ctx;
};

static void client_free(struct client *client)
{
    struct client **link = &client->server->clients;

    while (*link != client)
        link = &(*link)->next;
    *link = client->next;
    client->server->client_count--;
    bufferevent_free(client->stream);
    free(client);
}

static void send_text(const struct client *client, const char *text)
{
    bufferevent_write(client->stream, text, strlen(text));
    bufferevent_write(client->stream, "\n", 1);
}

static void send_json(const struct client *client, const json_t *value)
{
    char *text = value != NULL ? json_dumps(value, JSON_COMPACT) : NULL;

    send_text(client, text != NULL ? text : "{\"error\":\"out of memory\"}");
    free(text);
}

static bool wants_to_follow(const char *cmd, const json_t *request)
{
    return strcmp(cmd, "trace") == 0 && json_is_true(json_object_get(request, "follow"));
}

static void answer_line(struct client *client, const char *line, size_t len)
{
    const struct control_socket *server = client->server;
    json_t *request = json_loadb(line, len, JSON_REJECT_DUPLICATES, NULL);
    const char *cmd = json_string_value(json_object_get(request, "cmd"));

    if (cmd == NULL) {
        send_text(client, "{\"error\":\"not a request; send one JSON object with 'cmd' a line\"}");
    } else {
        json_t *reply = server->answer(server->ctx, cmd, request);
        client->subscribed |= wants_to_follow(cmd, request);
        send_json(client, reply);
        json_decref(reply);
    }
    json_decref(request);
}

/* A client that asks without reading the answers waits, and in the end is cut off. */
static void on_readable(struct bufferevent *stream, void *ctx)
{
    struct client *client = ctx;
    struct evbuffer *input = bufferevent_get_input(stream);
    size_t len;
    char *line;

    while (evbuffer_get_length(bufferevent_get_output(stream)) <= CONTROL_BACKLOG_MAX &&
           (line = evbuffer_readln(input, &len, EVBUFFER_EOL_LF)) != NULL) {
        if (len > 0)
            answer_line(client, line, len);
        free(line);
    }
    if (evbuffer_get_length(input) > CONTROL_REQUEST_MAX)
        client_free(client);
}

/* The output has drained: a subscriber that had fallen behind goes on. */
static void on_drained(struct bufferevent *stream, void *ctx)
{
    struct client *client = ctx;
    char text[48];

    if (client->missed != 0) {
        snprintf(text, sizeof(text), "{\"gap\":%llu}", (unsigned long long)client->missed);
        client->missed = 0;
        send_text(client, text);
    }
    on_readable(stream, ctx);
}

static void on_end(struct bufferevent *stream, short what, void *ctx)
{
    (void)stream;
    (void)what;
    client_free(ctx);
}

static bool client_new(struct control_socket *server, evutil_socket_t fd)
{
    struct client *client = calloc(1, sizeof(*client));

    if (client == NULL)
        return false;
    client->stream = bufferevent_socket_new(server->base, fd, BEV_OPT_CLOSE_ON_FREE);
    if (client->stream == NULL) {
        free(client);
        return false;
    }
    client->server = server;
    client->next = server->clients;
    server->clients = client;
    server->client_count++;
    bufferevent_setcb(client->stream, on_readable, on_drained, on_end, client);
    bufferevent_enable(client->stream, EV_READ | EV_WRITE);
    return true;
}

static void on_connection(struct evconnlistener *listener, evutil_socket_t fd,
                          struct sockaddr *address, int address_len, void *ctx)
{
    struct control_socket *server = ctx;
    (void)listener;
    (void)address;
    (void)address_len;

    if (server->client_count >= CONTROL_CLIENTS || !client_new(server, fd))
        evutil_closesocket(fd);
}

struct control_socket *control_socket_new(struct event_base *base, int listener,
                                          control_answer_fn *answer, void *ctx)
{
    struct control_socket *server = calloc(1, sizeof(*server));

    if (server == NULL)
        return NULL;
    *server = (struct control_socket){.base = base, .answer = answer, .ctx = ctx};
    evutil_make_socket_nonblocking(listener);
    server->listener = evconnlistener_new(base, on_connection, server,
                                          LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC, 0,
                                          listener);
    if (server->listener == NULL) {
        free(server);
        return NULL;
    }
    return server;
}

void control_socket_free(struct control_socket *socket)
{
    if (socket == NULL)
        return;
    while (socket->clients != NULL)
        client_free(socket->clients);
    evconnlistener_free(socket->listener);
    free(socket);
}

bool control_socket_has_subscribers(const struct control_socket *socket)
{
    for (const struct client *client = socket->clients; client != NULL; client = client->next)
        if (client->subscribed)
            return true;
    return false;
}

void control_socket_broadcast(struct control_socket *socket, const json_t *line)
{
    char *text = NULL;

    for (struct client *client = socket->clients; client != NULL; client = client->next) {
        if (!client->subscribed)
            continue;
        size_t behind = evbuffer_get_length(bufferevent_get_output(client->stream));
        if (client->missed > 0 || behind > CONTROL_BACKLOG_MAX) {
            client->missed++;
            continue;
        }
        if (text == NULL && (text = json_dumps(line, JSON_COMPACT)) == NULL)
            return;
        send_text(client, text);
    }
    free(text);
}

size_t control_socket_clients(const struct control_socket *socket)
{
    return socket->client_count;
}
