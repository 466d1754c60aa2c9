#include "daemon/seqpacket.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>

enum seqpacket_result seqpacket_receive(int fd, struct span room, struct view *ret)
{
    ssize_t len = recv(fd, room.ptr, room.len, MSG_DONTWAIT);
    if (len < 0)
        return errno == EAGAIN || errno == EINTR ? SEQPACKET_AGAIN : SEQPACKET_GONE;
    if (len == 0)
        return SEQPACKET_GONE;
    *ret = view_of(room.ptr, (size_t)len);
    return SEQPACKET_OK;
}

enum seqpacket_result seqpacket_send(int fd, struct view message)
{
    if (send(fd, message.ptr, message.len, MSG_NOSIGNAL | MSG_DONTWAIT) >= 0)
        return SEQPACKET_OK;
    bool full = errno == EAGAIN || errno == EINTR || errno == ENOBUFS;
    return full ? SEQPACKET_AGAIN : SEQPACKET_GONE;
}

enum seqpacket_result seqpacket_send_wait(int fd, struct view message)
{
    enum seqpacket_result result;
    while ((result = seqpacket_send(fd, message)) == SEQPACKET_AGAIN) {
        struct pollfd ready = {.fd = fd, .events = POLLOUT};
        poll(&ready, 1, 1000);
    }
    return result;
}
