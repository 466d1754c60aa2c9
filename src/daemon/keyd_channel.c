#include "daemon/keyd_channel.h"

#include <event2/event.h>

enum { MESSAGES_PER_TURN = 64 };

void keyd_channel_init(struct keyd_channel *k, struct event_base *base, void *ctx,
                       void (*message)(void *, struct view), void (*closed)(void *))
{
    *k = (struct keyd_channel){.base = base, .ctx = ctx, .message = message, .closed = closed};
    channel_init(&k->channel);
}

void keyd_channel_close(struct keyd_channel *k)
{
    if (k->readable != NULL)
        event_free(k->readable);
    if (k->writable != NULL)
        event_free(k->writable);
    k->readable = k->writable = NULL;
    channel_close(&k->channel);
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
    static uint8_t room[KEYD_CHANNEL_MESSAGE_MAX];
    struct keyd_channel *k = arg;
    size_t len;

    (void)what;
    /* a handler may open another channel in this one's place */
    for (int i = 0; i < MESSAGES_PER_TURN && k->channel.fd == fd; i++) {
        switch (channel_receive(&k->channel, span_of(room, sizeof(room)), &len)) {
        case CHANNEL_MESSAGE:
            k->message(k->ctx, view_of(room, len));
            break;
        case CHANNEL_EMPTY:
            return;
        case CHANNEL_CLOSED:
            keyd_channel_close(k);
            k->closed(k->ctx);
            return;
        }
    }
}

static void wait_for_room(struct keyd_channel *k)
{
    if (k->writable != NULL && channel_is_waiting(&k->channel))
        event_add(k->writable, NULL);
}

static void on_writable(evutil_socket_t fd, short what, void *arg)
{
    struct keyd_channel *k = arg;

    (void)fd;
    (void)what;
    channel_flush(&k->channel);
    wait_for_room(k);
}

bool keyd_channel_open(struct keyd_channel *k, int fd)
{
    keyd_channel_close(k);
    channel_open(&k->channel, fd);
    k->readable = event_new(k->base, fd, EV_READ | EV_PERSIST, on_readable, k);
    k->writable = event_new(k->base, fd, EV_WRITE, on_writable, k);
    if (k->readable == NULL || k->writable == NULL || event_add(k->readable, NULL) != 0) {
        keyd_channel_close(k);
        return false;
    }
    return true;
}

void keyd_channel_send(struct keyd_channel *k, struct view message)
{
    channel_send(&k->channel, message);
    wait_for_room(k);
}
