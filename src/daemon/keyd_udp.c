#include "daemon/keyd_udp.h"

#include <errno.h>

#include "plane/io/sockaddr.h"

/* The address the datagram was sent to. */
static bool packet_info(struct msghdr *msg, struct ip_addr *ret)
{
    for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c != NULL; c = CMSG_NXTHDR(msg, c)) {
        if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO) {
            struct in_pktinfo info;
            memcpy(&info, CMSG_DATA(c), sizeof(info));
            *ret = ip_addr_from(view_of(&info.ipi_addr, 4));
            return true;
        }
        if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO) {
            struct in6_pktinfo info;
            memcpy(&info, CMSG_DATA(c), sizeof(info));
            *ret = ip_addr_from(view_of(&info.ipi6_addr, 16));
            return true;
        }
    }
    return false;
}

/* An ICMP error for something sent earlier: a forgeable hint, never a failure (OE-171). */
static bool is_icmp_error(int error)
{
    return error == ECONNREFUSED || error == EHOSTUNREACH || error == ENETUNREACH ||
           error == EHOSTDOWN || error == EINTR;
}

bool keyd_udp_receive(int fd, struct ip_endpoint *ret_local, struct ip_endpoint *ret_remote,
                      struct span room, struct view *ret_datagram)
{
    for (;;) {
        struct sockaddr_in6 from;
        union {
            struct cmsghdr align;
            uint8_t octets[256];
        } control;
        struct iovec iov = {.iov_base = room.ptr, .iov_len = room.len};
        struct msghdr msg = {.msg_name = &from,
                             .msg_namelen = sizeof(from),
                             .msg_iov = &iov,
                             .msg_iovlen = 1,
                             .msg_control = control.octets,
                             .msg_controllen = sizeof(control.octets)};
        ssize_t len = recvmsg(fd, &msg, 0);

        if (len < 0 && is_icmp_error(errno))
            continue;
        if (len < 0)
            return false;
        if (msg.msg_flags & MSG_TRUNC || !io_sockaddr_read(&from, &ret_remote->addr, &ret_remote->port) ||
            !packet_info(&msg, &ret_local->addr))
            continue;
        ret_local->port = IKE_PORT;
        *ret_datagram = view_of(room.ptr, (size_t)len);
        return true;
    }
}

bool keyd_udp_send(int fd, const struct ip_endpoint *local, uint32_t ifindex,
                   const struct ip_endpoint *remote, struct view datagram)
{
    struct sockaddr_in6 to;
    socklen_t to_len = io_sockaddr_write(&remote->addr, remote->port, &to);
    union {
        struct cmsghdr align;
        uint8_t octets[CMSG_SPACE(sizeof(struct in6_pktinfo))];
    } control = {0};
    struct iovec iov = {.iov_base = (void *)(uintptr_t)datagram.ptr, .iov_len = datagram.len};
    struct msghdr msg = {.msg_name = &to,
                         .msg_namelen = to_len,
                         .msg_iov = &iov,
                         .msg_iovlen = 1,
                         .msg_control = control.octets};
    struct cmsghdr *c = &control.align;

    if (local->addr.family == IP_V4) {
        struct in_pktinfo info = {.ipi_ifindex = (int)ifindex};
        memcpy(&info.ipi_spec_dst, local->addr.octets, 4);
        c->cmsg_level = IPPROTO_IP;
        c->cmsg_type = IP_PKTINFO;
        c->cmsg_len = CMSG_LEN(sizeof(info));
        msg.msg_controllen = CMSG_SPACE(sizeof(info));
        memcpy(CMSG_DATA(c), &info, sizeof(info));
    } else if (local->addr.family == IP_V6) {
        struct in6_pktinfo info = {.ipi6_ifindex = ifindex};
        memcpy(&info.ipi6_addr, local->addr.octets, 16);
        c->cmsg_level = IPPROTO_IPV6;
        c->cmsg_type = IPV6_PKTINFO;
        c->cmsg_len = CMSG_LEN(sizeof(info));
        msg.msg_controllen = CMSG_SPACE(sizeof(info));
        memcpy(CMSG_DATA(c), &info, sizeof(info));
    }
    return sendmsg(fd, &msg, MSG_NOSIGNAL) >= 0;
}
