#include "daemon/channel.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>

enum channel_result channel_receive(int fd, struct span room, struct view *ret)
{
    ssize_t len = recv(fd, room.ptr, room.len, MSG_DONTWAIT);
    if (len < 0)
        return errno == EAGAIN || errno == EINTR ? CHANNEL_AGAIN : CHANNEL_GONE;
    if (len == 0)
        return CHANNEL_GONE;
    *ret = view_of(room.ptr, (size_t)len);
    return CHANNEL_OK;
}

enum channel_result channel_send(int fd, struct view message)
{
    if (send(fd, message.ptr, message.len, MSG_NOSIGNAL | MSG_DONTWAIT) >= 0)
        return CHANNEL_OK;
    bool full = errno == EAGAIN || errno == EINTR || errno == ENOBUFS;
    return full ? CHANNEL_AGAIN : CHANNEL_GONE;
}

enum channel_result channel_send_wait(int fd, struct view message)
{
    enum channel_result result;
    while ((result = channel_send(fd, message)) == CHANNEL_AGAIN) {
        struct pollfd ready = {.fd = fd, .events = POLLOUT};
        poll(&ready, 1, 1000);
    }
    return result;
}
