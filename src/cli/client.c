#include "cli/client.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "cli/cli.h"

enum { CLIENT_CHUNK = 64 * 1024, CLIENT_LINE_MAX = 256 << 20 };

static void explain(const char *path, int error)
{
    if (error == ENOENT || error == ECONNREFUSED)
        cli_fail("no daemon answers at %s; start cygnetd, or name its socket with --socket or "
                 "CYGNET_CONTROL",
                 path);
    else if (error == EACCES || error == EPERM)
        cli_fail("%s is for root and the group of cygnetd; use sudo or join the group", path);
    else
        cli_fail("can't connect to %s: %s", path, strerror(error));
}

bool client_open(struct client *client, const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    *client = (struct client){.path = path, .fd = -1};
    if (strlen(path) >= sizeof(address.sun_path)) {
        cli_fail("the path '%s' is too long for a socket", path);
        return false;
    }
    strcpy(address.sun_path, path);
    client->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (client->fd < 0 ||
        connect(client->fd, (const struct sockaddr *)&address, sizeof(address)) != 0) {
        explain(path, errno);
        client_close(client);
        return false;
    }
    return true;
}

void client_close(struct client *client)
{
    if (client->fd >= 0)
        close(client->fd);
    free(client->text);
    *client = (struct client){.fd = -1};
}

static bool send_all(int fd, const char *text, size_t len)
{
    while (len > 0) {
        ssize_t sent = send(fd, text, len, MSG_NOSIGNAL);
        if (sent < 0 && errno != EINTR)
            return false;
        if (sent > 0) {
            text += sent;
            len -= (size_t)sent;
        }
    }
    return true;
}

static bool make_room(struct client *client)
{
    if (client->room - client->len >= CLIENT_CHUNK)
        return true;
    size_t room = client->room == 0 ? 2 * CLIENT_CHUNK : 2 * client->room;
    char *text = room <= CLIENT_LINE_MAX ? realloc(client->text, room) : NULL;
    if (text == NULL)
        return false;
    client->text = text;
    client->room = room;
    return true;
}

bool client_read(struct client *client)
{
    ssize_t got;

    if (!make_room(client))
        return false;
    do
        got = recv(client->fd, client->text + client->len, client->room - client->len, 0);
    while (got < 0 && errno == EINTR);
    if (got <= 0)
        return false;
    client->len += (size_t)got;
    return true;
}

json_t *client_take(struct client *client)
{
    char *end = client->len > 0 ? memchr(client->text, '\n', client->len) : NULL;

    if (end == NULL)
        return NULL;
    size_t line = (size_t)(end - client->text);
    json_t *value = json_loadb(client->text, line, 0, NULL);
    client->len -= line + 1;
    memmove(client->text, end + 1, client->len);
    return value != NULL ? value : json_null();
}

static json_t *wait_for_reply(struct client *client)
{
    json_t *reply;

    while ((reply = client_take(client)) == NULL) {
        if (!client_read(client)) {
            cli_fail("%s closed the connection; look at cygnetd's log", client->path);
            return NULL;
        }
    }
    const char *error = json_string_value(json_object_get(reply, "error"));
    if (error == NULL && json_is_object(reply))
        return reply;
    cli_fail("%s", error != NULL ? error : "the daemon's reply is no JSON object");
    json_decref(reply);
    return NULL;
}

json_t *client_ask(struct client *client, json_t *request)
{
    char *text = request != NULL ? json_dumps(request, JSON_COMPACT) : NULL;
    bool sent = text != NULL && send_all(client->fd, text, strlen(text)) &&
                send_all(client->fd, "\n", 1);

    if (!sent)
        cli_fail("can't send to %s: %s", client->path, strerror(errno));
    free(text);
    json_decref(request);
    return sent ? wait_for_reply(client) : NULL;
}

json_t *client_ask_once(const char *path, json_t *request)
{
    struct client client;

    if (!client_open(&client, path)) {
        json_decref(request);
        return NULL;
    }
    json_t *reply = client_ask(&client, request);
    client_close(&client);
    return reply;
}
