#include "plane/io/sockets.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <sys/socket.h>
#include <unistd.h>

enum { SOCKET_BUFFER = 4 * 1024 * 1024, LISTEN_BACKLOG = 128 };

struct option {
    int level, name, value;
};

/* The type of service is needed to propagate congestion marks (RFC 6040), the local address because
 * an SA is found by it. */
static const struct option options_v4[] = {
    {IPPROTO_IP, IP_RECVERR, 1},
    {IPPROTO_IP, IP_PKTINFO, 1},
    {IPPROTO_IP, IP_RECVTOS, 1},
    {IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DONT},
};

static const struct option options_v6[] = {
    {IPPROTO_IPV6, IPV6_RECVERR, 1},
    {IPPROTO_IPV6, IPV6_RECVPKTINFO, 1},
    {IPPROTO_IPV6, IPV6_RECVTCLASS, 1},
    {IPPROTO_IPV6, IPV6_MTU_DISCOVER, IPV6_PMTUDISC_DONT},
};

static bool set_options(int fd, const struct option *options, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const struct option *o = &options[i];
        if (setsockopt(fd, o->level, o->name, &o->value, sizeof(o->value)) != 0)
            return false;
    }
    return true;
}

static bool set_common(int fd, uint32_t mark)
{
    const struct option common[] = {
        {SOL_SOCKET, SO_MARK, (int)mark},
        {SOL_SOCKET, SO_RCVBUFFORCE, SOCKET_BUFFER},
        {SOL_SOCKET, SO_SNDBUFFORCE, SOCKET_BUFFER},
    };

    return set_options(fd, common, sizeof(common) / sizeof(common[0]));
}

/* Returns -1 with errno set. EAFNOSUPPORT: the system doesn't know this family. */
static int open_one(int family, int type, int protocol, uint32_t mark)
{
    int fd = socket(family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, protocol);
    bool ok = fd >= 0 && set_common(fd, mark);

    if (ok && family == AF_INET)
        ok = set_options(fd, options_v4, sizeof(options_v4) / sizeof(options_v4[0]));
    else if (ok)
        ok = set_options(fd, options_v6, sizeof(options_v6) / sizeof(options_v6[0]));
    if (!ok && fd >= 0) {
        int error = errno;
        close(fd);
        errno = error;
        return -1;
    }
    return fd;
}

static bool bind_port(int fd, int family, uint16_t port)
{
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons(port)};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons(port)};

    if (family == AF_INET)
        return bind(fd, (const struct sockaddr *)&v4, sizeof(v4)) == 0;
    return bind(fd, (const struct sockaddr *)&v6, sizeof(v6)) == 0;
}

/* Datagrams that came together are received together. */
static int open_udp(int family, uint16_t port, uint32_t mark)
{
    static const struct option join = {IPPROTO_UDP, UDP_GRO, 1};
    static const struct option v6_only = {IPPROTO_IPV6, IPV6_V6ONLY, 1};
    int fd = open_one(family, SOCK_DGRAM, IPPROTO_UDP, mark);

    if (fd >= 0 && (!set_options(fd, &join, 1) ||
                    (family == AF_INET6 && !set_options(fd, &v6_only, 1)) ||
                    !bind_port(fd, family, port))) {
        int error = errno;
        close(fd);
        errno = error;
        return -1;
    }
    return fd;
}

static void close_all(struct plane_fds *fds, enum plane_fd first, enum plane_fd last)
{
    for (enum plane_fd i = first; i <= last; i++) {
        if (fds->fd[i] >= 0)
            close(fds->fd[i]);
        fds->fd[i] = -1;
    }
}

static bool usable(int fd, bool optional, const char *what, struct io_fault *fault)
{
    if (fd >= 0 || (optional && errno == EAFNOSUPPORT))
        return true;
    return io_fault_set(fault, errno, "%s socket", what);
}

/* What a system without AH may refuse costs nobody his ESP. */
static void open_ah(uint32_t mark, struct plane_fds *ret)
{
    static const struct option header_v4 = {IPPROTO_IP, IP_HDRINCL, 1};
    static const struct option header_v6 = {IPPROTO_IPV6, IPV6_HDRINCL, 1};
    int *fd = ret->fd;

    fd[PLANE_FD_AH_V4] = open_one(AF_INET, SOCK_RAW, IPPROTO_AH, mark);
    fd[PLANE_FD_AH_V6] = open_one(AF_INET6, SOCK_RAW, IPPROTO_AH, mark);
    if (fd[PLANE_FD_AH_V4] >= 0 && !set_options(fd[PLANE_FD_AH_V4], &header_v4, 1))
        close_all(ret, PLANE_FD_AH_V4, PLANE_FD_AH_V4);
    if (fd[PLANE_FD_AH_V6] >= 0 && !set_options(fd[PLANE_FD_AH_V6], &header_v6, 1))
        close_all(ret, PLANE_FD_AH_V6, PLANE_FD_AH_V6);
}

bool io_sockets_open(uint16_t udp_port, uint32_t mark, struct plane_fds *ret, struct io_fault *fault)
{
    int *fd = ret->fd;
    bool ok;

    fd[PLANE_FD_ESP_V6] = fd[PLANE_FD_UDP_V4] = fd[PLANE_FD_UDP_V6] = -1;
    fd[PLANE_FD_ESP_V4] = open_one(AF_INET, SOCK_RAW, IPPROTO_ESP, mark);
    ok = usable(fd[PLANE_FD_ESP_V4], false, "ESP", fault);
    if (ok) {
        fd[PLANE_FD_ESP_V6] = open_one(AF_INET6, SOCK_RAW, IPPROTO_ESP, mark);
        ok = usable(fd[PLANE_FD_ESP_V6], true, "ESP over IPv6", fault);
    }
    if (ok) {
        fd[PLANE_FD_UDP_V4] = open_udp(AF_INET, udp_port, mark);
        ok = usable(fd[PLANE_FD_UDP_V4], false, "UDP encapsulation", fault);
    }
    if (ok) {
        fd[PLANE_FD_UDP_V6] = open_udp(AF_INET6, udp_port, mark);
        ok = usable(fd[PLANE_FD_UDP_V6], true, "UDP encapsulation over IPv6", fault);
    }
    if (ok)
        open_ah(mark, ret);
    else
        close_all(ret, PLANE_FD_ESP_V4, PLANE_FD_UDP_V6);
    return ok;
}

int io_stream_open(enum ip_family family, uint32_t mark)
{
    const struct option marked = {SOL_SOCKET, SO_MARK, (int)mark};
    int fd = socket(family == IP_V6 ? AF_INET6 : AF_INET,
                    SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP);
    if (fd >= 0 && !set_options(fd, &marked, 1)) {
        int error = errno;
        close(fd);
        errno = error;
        return -1;
    }
    return fd;
}

/* What is accepted inherits the mark, as the answer to the first packet does. */
static int open_listener(enum ip_family family, uint16_t port, uint32_t mark)
{
    static const struct option v6_only = {IPPROTO_IPV6, IPV6_V6ONLY, 1};
    static const struct option reuse = {SOL_SOCKET, SO_REUSEADDR, 1};
    int fd = io_stream_open(family, mark);
    if (fd >= 0 && (!set_options(fd, &reuse, 1) ||
                    (family == IP_V6 && !set_options(fd, &v6_only, 1)) ||
                    !bind_port(fd, family == IP_V6 ? AF_INET6 : AF_INET, port) ||
                    listen(fd, LISTEN_BACKLOG) != 0)) {
        int error = errno;
        close(fd);
        errno = error;
        return -1;
    }
    return fd;
}

bool io_listen_open(uint16_t tcp_port, uint32_t mark, struct plane_fds *ret, struct io_fault *fault)
{
    int *fd = ret->fd;
    fd[PLANE_FD_TCP_V6] = -1;
    fd[PLANE_FD_TCP_V4] = open_listener(IP_V4, tcp_port, mark);
    if (!usable(fd[PLANE_FD_TCP_V4], false, "TCP encapsulation", fault))
        return false;
    fd[PLANE_FD_TCP_V6] = open_listener(IP_V6, tcp_port, mark);
    if (usable(fd[PLANE_FD_TCP_V6], true, "TCP encapsulation over IPv6", fault))
        return true;
    close_all(ret, PLANE_FD_TCP_V4, PLANE_FD_TCP_V4);
    return false;
}

bool io_clear_sockets_open(uint32_t mark, struct plane_fds *ret, struct io_fault *fault)
{
    static const struct option header_v6 = {IPPROTO_IPV6, IPV6_HDRINCL, 1};
    int *fd = ret->fd;

    /* Protocol RAW means: the header is included, nothing is received. */
    fd[PLANE_FD_CLEAR_V6] = -1;
    fd[PLANE_FD_CLEAR_V4] = open_one(AF_INET, SOCK_RAW, IPPROTO_RAW, mark);
    bool ok = usable(fd[PLANE_FD_CLEAR_V4], false, "raw IPv4", fault);
    if (ok) {
        fd[PLANE_FD_CLEAR_V6] = open_one(AF_INET6, SOCK_RAW, IPPROTO_RAW, mark);
        ok = usable(fd[PLANE_FD_CLEAR_V6], true, "raw IPv6", fault);
    }
    if (ok && fd[PLANE_FD_CLEAR_V6] >= 0 && !set_options(fd[PLANE_FD_CLEAR_V6], &header_v6, 1))
        ok = io_fault_set(fault, errno, "raw IPv6 socket");
    if (!ok)
        close_all(ret, PLANE_FD_CLEAR_V4, PLANE_FD_CLEAR_V6);
    return ok;
}
