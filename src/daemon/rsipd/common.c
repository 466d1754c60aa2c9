#include <errno.h>
#include <event2/event.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "daemon/rsipd/rsipd.h"
#include "rsip/tunnel.h"

static int64_t clock_ms(clockid_t clock)
{
    struct timespec at;
    clock_gettime(clock, &at);
    return (int64_t)at.tv_sec * 1000 + at.tv_nsec / 1000000;
}

/* Leases run on while the machine sleeps. */
mono_t rsipd_now(void)
{
    return (mono_t){clock_ms(CLOCK_BOOTTIME)};
}

int64_t rsipd_wall_ms(void)
{
    return clock_ms(CLOCK_REALTIME) - clock_ms(CLOCK_BOOTTIME);
}

void rsipd_random(void *ctx, uint8_t *ret, size_t len)
{
    (void)ctx;
    if (getrandom(ret, len, 0) != (ssize_t)len)
        abort();
}

void rsipd_tunnel_send(const struct rsipd_fds *fds, unsigned tunnel, const struct ip_addr *to,
                       struct view datagram)
{
    uint8_t header[RSIP_GRE_HEADER];
    union {
        struct cmsghdr align;
        uint8_t room[CMSG_SPACE(sizeof(int))];
    } control = {0};
    struct sockaddr_in sa = {.sin_family = AF_INET};
    struct iovec parts[] = {{header, rsip_tunnel_header(tunnel, datagram, header)},
                            {(void *)(uintptr_t)datagram.ptr, datagram.len}};
    struct msghdr message = {.msg_name = &sa,
                             .msg_namelen = sizeof(sa),
                             .msg_iov = parts,
                             .msg_iovlen = 2,
                             .msg_control = &control,
                             .msg_controllen = sizeof(control)};
    struct cmsghdr *cmsg = CMSG_FIRSTHDR(&message);
    int tos = datagram.len > 1 ? datagram.ptr[1] & 0xfc : 0;

    memcpy(&sa.sin_addr, to->octets, 4);
    cmsg->cmsg_level = IPPROTO_IP;
    cmsg->cmsg_type = IP_TOS;
    cmsg->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(cmsg), &tos, sizeof(tos));
    /* a datagram that doesn't leave now is lost, as on any link */
    (void)!sendmsg(tunnel == RSIP_TUNNEL_GRE ? fds->gre : fds->ipip, &message, MSG_DONTWAIT);
}

bool rsipd_tunnel_receive(int fd, struct span room, enum rsip_tunnel *ret_tunnel,
                          struct ip_addr *ret_from, struct view *ret_inner)
{
    ssize_t len;

    while ((len = recv(fd, room.ptr, room.len, MSG_DONTWAIT)) >= 0 || errno == EINTR)
        if (len > 0 && rsip_tunnel_open(view_of(room.ptr, (size_t)len), ret_tunnel, ret_from,
                                        ret_inner) == ERR_OK)
            return true;
    return false;
}

static void on_signal(evutil_socket_t fd, short what, void *ctx)
{
    (void)fd;
    (void)what;
    event_base_loopbreak(ctx);
}

bool rsipd_stop_on_signals(struct event_base *base)
{
    static const int signals[] = {SIGTERM, SIGINT};
    for (size_t i = 0; i < 2; i++) {
        struct event *event = evsignal_new(base, signals[i], on_signal, base);
        if (event == NULL || event_add(event, NULL) != 0)
            return false;
    }
    return true;
}
