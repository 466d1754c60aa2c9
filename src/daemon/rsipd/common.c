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

#include "daemon/rsipd/net.h"
#include "daemon/rsipd/rsipd.h"
#include "rsip/tunnel.h"
#include "wire/ip.h"

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

static int dscp_of(struct view datagram)
{
    if (datagram.len < 2)
        return 0;
    if (datagram.ptr[0] >> 4 == 4)
        return datagram.ptr[1] & 0xfc;
    return (datagram.ptr[0] << 4 | datagram.ptr[1] >> 4) & 0xfc;
}

void rsipd_wrapped_send(int fd, const struct ip_endpoint *to, struct view header,
                        struct view datagram)
{
    union {
        struct cmsghdr align;
        uint8_t room[CMSG_SPACE(sizeof(int))];
    } control = {0};
    struct sockaddr_storage sa;
    struct iovec parts[] = {{(void *)(uintptr_t)header.ptr, header.len},
                            {(void *)(uintptr_t)datagram.ptr, datagram.len}};
    struct msghdr message = {.msg_name = &sa,
                             .msg_namelen = net_sockaddr(to, &sa),
                             .msg_iov = parts,
                             .msg_iovlen = 2,
                             .msg_control = &control,
                             .msg_controllen = sizeof(control)};
    struct cmsghdr *cmsg = CMSG_FIRSTHDR(&message);
    bool six = to->addr.family == IP_V6;
    int tos = dscp_of(datagram);

    cmsg->cmsg_level = six ? IPPROTO_IPV6 : IPPROTO_IP;
    cmsg->cmsg_type = six ? IPV6_TCLASS : IP_TOS;
    cmsg->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(cmsg), &tos, sizeof(tos));
    /* a datagram that doesn't leave now is lost, as on any link */
    (void)!sendmsg(fd, &message, MSG_DONTWAIT);
}

void rsipd_tunnel_send(const struct rsipd_fds *fds, unsigned tunnel, const struct ip_addr *to,
                       struct view datagram)
{
    const struct ip_endpoint at = {.addr = *to};
    uint8_t header[RSIP_GRE_HEADER];
    size_t len = rsip_tunnel_header(tunnel, datagram, header);
    uint8_t proto = rsip_tunnel_proto(tunnel, datagram);
    int fd = proto == IP_PROTO_IPV4 ? fds->ipip : proto == IP_PROTO_IPV6 ? fds->six : fds->gre;

    rsipd_wrapped_send(fd, &at, view_of(header, len), datagram);
}

static uint8_t proto_of(const struct rsipd_fds *fds, int fd)
{
    return fd == fds->ipip ? IP_PROTO_IPV4 : fd == fds->six ? IP_PROTO_IPV6 : RSIP_PROTO_GRE;
}

bool rsipd_tunnel_receive(const struct rsipd_fds *fds, int fd, struct span room,
                          enum rsip_tunnel *ret_tunnel, struct ip_addr *ret_from,
                          struct view *ret_inner)
{
    struct sockaddr_storage sa = {0};
    socklen_t sa_len = sizeof(sa);
    enum err err;
    ssize_t len;

    while ((len = recvfrom(fd, room.ptr, room.len, MSG_DONTWAIT, (struct sockaddr *)&sa,
                           &sa_len)) >= 0 ||
           errno == EINTR) {
        struct view bytes = view_of(room.ptr, len > 0 ? (size_t)len : 0);
        if (sa.ss_family == AF_INET6) { /* IPv6 comes without its header */
            err = rsip_tunnel_payload(proto_of(fds, fd), bytes, ret_tunnel, ret_inner);
            *ret_from = net_endpoint(&sa).addr;
        } else {
            err = rsip_tunnel_open(bytes, ret_tunnel, ret_from, ret_inner);
        }
        if (err == ERR_OK)
            return true;
        sa_len = sizeof(sa);
    }
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
