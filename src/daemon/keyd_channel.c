#include "daemon/keyd_channel.h"

#include <errno.h>
#include <event2/event.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/secret.h"

enum { MESSAGES_PER_TURN = 64 };

void channel_init(struct channel *ch, struct event_base *base, void *ctx,
                  void (*message)(void *, struct view), void (*closed)(void *))
{
    *ch = (struct channel){
        .base = base, .ctx = ctx, .message = message, .closed = closed, .fd = -1};
    fifo_init(&ch->waiting, sizeof(struct view));
}

/* Messages to the plane hold keys. */
static void free_message(struct view message)
{
    uint8_t *octets = (uint8_t *)(uintptr_t)message.ptr;
    secret_wipe(octets, message.len);
    free(octets);
}

void channel_close(struct channel *ch)
{
    struct view message;

    if (ch->readable != NULL)
        event_free(ch->readable);
    if (ch->writable != NULL)
        event_free(ch->writable);
    ch->readable = ch->writable = NULL;
    if (ch->fd >= 0)
        close(ch->fd);
    ch->fd = -1;
    while (fifo_pop(&ch->waiting, &message)) {
        free_message(message);
        ch->lost++;
    }
    fifo_fini(&ch->waiting);
}

static void partner_gone(struct channel *ch)
{
    channel_close(ch);
    ch->closed(ch->ctx);
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
    static uint8_t room[CHANNEL_MESSAGE_MAX];
    struct channel *ch = arg;

    (void)what;
    for (int i = 0; i < MESSAGES_PER_TURN && ch->fd == fd; i++) {
        ssize_t len = recv(fd, room, sizeof(room), 0);
        if (len < 0 && (errno == EAGAIN || errno == EINTR))
            return;
        if (len <= 0) {
            partner_gone(ch);
            return;
        }
        ch->message(ch->ctx, view_of(room, (size_t)len));
    }
}

/* 1: sent; 0: not now; -1: never. */
static int try_send(const struct channel *ch, struct view message)
{
    if (send(ch->fd, message.ptr, message.len, MSG_NOSIGNAL) >= 0)
        return 1;
    return errno == EAGAIN || errno == ENOBUFS || errno == EINTR ? 0 : -1;
}

static void on_writable(evutil_socket_t fd, short what, void *arg)
{
    struct channel *ch = arg;
    struct view message;

    (void)fd;
    (void)what;
    while (fifo_peek(&ch->waiting, &message)) {
        int sent = try_send(ch, message);
        if (sent == 0) {
            event_add(ch->writable, NULL);
            return;
        }
        (void)fifo_pop(&ch->waiting, &message);
        free_message(message);
        ch->lost += sent < 0;
    }
}

bool channel_open(struct channel *ch, int fd)
{
    channel_close(ch);
    ch->fd = fd;
    ch->readable = event_new(ch->base, fd, EV_READ | EV_PERSIST, on_readable, ch);
    ch->writable = event_new(ch->base, fd, EV_WRITE, on_writable, ch);
    if (ch->readable == NULL || ch->writable == NULL || event_add(ch->readable, NULL) != 0) {
        channel_close(ch);
        return false;
    }
    return true;
}

static bool wait_in_line(struct channel *ch, struct view message)
{
    uint8_t *octets = malloc(message.len);
    if (octets == NULL)
        return false;
    memcpy(octets, message.ptr, message.len);
    struct view copy = view_of(octets, message.len);
    if (fifo_push(&ch->waiting, &copy))
        return true;
    free_message(copy);
    return false;
}

void channel_send(struct channel *ch, struct view message)
{
    int sent = ch->fd < 0 ? -1 : ch->waiting.count > 0 ? 0 : try_send(ch, message);

    if (sent == 0 && ch->waiting.count < CHANNEL_WAITING_MAX && wait_in_line(ch, message))
        event_add(ch->writable, NULL);
    else if (sent <= 0)
        ch->lost++;
}
