#include "plane/io/channel.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/secret.h"

enum { WAITING_MAX = 64 * 1024 * 1024 };

struct channel_message {
    struct channel_message *next;
    size_t len;
    uint8_t octets[];
};

void channel_init(struct channel *channel)
{
    *channel = (struct channel){.fd = -1};
    channel->last = &channel->first;
}

static void drop_first(struct channel *channel)
{
    struct channel_message *message = channel->first;

    channel->first = message->next;
    if (channel->first == NULL)
        channel->last = &channel->first;
    channel->waiting -= message->len;
    secret_wipe(message->octets, message->len);
    free(message);
}

void channel_close(struct channel *channel)
{
    while (channel->first != NULL)
        drop_first(channel);
    if (channel->fd >= 0)
        close(channel->fd);
    channel->fd = -1;
}

void channel_open(struct channel *channel, int fd)
{
    channel_close(channel);
    channel->fd = fd;
}

/* False: it has to wait. A broken socket is noticed when it is read. */
static bool send_now(const struct channel *channel, const void *octets, size_t len)
{
    ssize_t sent;

    do
        sent = send(channel->fd, octets, len, MSG_DONTWAIT | MSG_NOSIGNAL);
    while (sent < 0 && errno == EINTR);
    return sent >= 0 || (errno != EAGAIN && errno != ENOBUFS);
}

void channel_send(struct channel *channel, struct view message)
{
    if (channel->fd < 0)
        return;
    if (channel->first == NULL && send_now(channel, message.ptr, message.len))
        return;

    struct channel_message *waiting = NULL;
    if (channel->waiting + message.len <= WAITING_MAX)
        waiting = malloc(sizeof(*waiting) + message.len);
    if (waiting == NULL) {
        channel->lost++;
        return;
    }
    waiting->next = NULL;
    waiting->len = message.len;
    memcpy(waiting->octets, message.ptr, message.len);
    *channel->last = waiting;
    channel->last = &waiting->next;
    channel->waiting += message.len;
}

void channel_flush(struct channel *channel)
{
    while (channel->first != NULL &&
           send_now(channel, channel->first->octets, channel->first->len))
        drop_first(channel);
}

enum channel_result channel_receive(struct channel *channel, struct span room, size_t *ret_len)
{
    for (;;) {
        struct iovec part = {.iov_base = room.ptr, .iov_len = room.len};
        struct msghdr header = {.msg_iov = &part, .msg_iovlen = 1};
        ssize_t len = recvmsg(channel->fd, &header, MSG_DONTWAIT);
        if (len < 0 && errno == EINTR)
            continue;
        if (len < 0)
            return errno == EAGAIN ? CHANNEL_EMPTY : CHANNEL_CLOSED;
        if (len == 0)
            return CHANNEL_CLOSED;
        if ((header.msg_flags & MSG_TRUNC) != 0)
            continue;
        *ret_len = (size_t)len;
        return CHANNEL_MESSAGE;
    }
}
