/* Bursts in: from TUN devices with their virtio header, from sockets with recvmmsg(). */
#include "plane/io/io_private.h"

#include <errno.h>
#include <linux/errqueue.h>
#include <sys/uio.h>
#include <unistd.h>

#include "plane/io/offload.h"
#include "wire/ip.h"

enum { NON_ESP_MARKER = 4, KEEPALIVE = 0xff };

/* False: nothing there, or an error, which will be there again. */
static bool read_one(int fd, struct packet *packet, struct virtio_net_hdr *ret)
{
    uint32_t room = packet->room - LIMIT_HEADROOM - LIMIT_TAILROOM;
    struct iovec parts[] = {{.iov_base = ret, .iov_len = sizeof(*ret)},
                            {.iov_base = packet->base + LIMIT_HEADROOM, .iov_len = room}};
    ssize_t len;

    do
        len = readv(fd, parts, 2);
    while (len < 0 && errno == EINTR);
    if (len < (ssize_t)sizeof(*ret))
        return false;
    packet->at = LIMIT_HEADROOM;
    packet->len = (uint32_t)len - (uint32_t)sizeof(*ret);
    packet->outer = (struct packet_outer){0};
    return true;
}

/* The classifier lets link scope pass, so these are the system's own words on the device (MLD). */
static bool is_link_talk(const struct packet *packet)
{
    struct ip_pair pair;

    return ip_pair_of(view_of(packet_data(packet), packet->len), &pair) == ERR_OK &&
           (ip_addr_is_special(&pair.src) || ip_addr_is_special(&pair.dst));
}

size_t io_read_tun(struct io *io, enum plane_fd which, struct packet ***ret)
{
    struct virtio_net_hdr header;
    size_t count = 0;

    *ret = io->burst;
    for (size_t read = 0; read < LIMIT_BURST; read++) {
        struct packet *packet = &io->packets[count];
        if (!read_one(io->fds.fd[which], packet, &header))
            break;
        if (is_link_talk(packet))
            io_count(io, IO_COUNT_TUN_IN_LINK);
        else if (offload_complete(&header, span_of(packet_data(packet), packet->len)))
            io->burst[count++] = packet;
        else
            io_count(io, IO_COUNT_TUN_IN_MALFORMED);
    }
    io->counters[IO_COUNT_TUN_IN] += count;
    return count;
}

static void prepare(struct io *io)
{
    struct io_messages *in = &io->in;

    for (size_t i = 0; i < LIMIT_BURST; i++) {
        struct packet *packet = &io->packets[i];
        in->parts[i] = (struct iovec){
            .iov_base = packet->base + LIMIT_HEADROOM,
            .iov_len = packet->room - LIMIT_HEADROOM - LIMIT_TAILROOM,
        };
        in->headers[i].msg_hdr = (struct msghdr){
            .msg_name = &in->names[i],
            .msg_namelen = sizeof(in->names[i]),
            .msg_iov = &in->parts[i],
            .msg_iovlen = 1,
            .msg_control = in->controls[i].room,
            .msg_controllen = sizeof(in->controls[i].room),
        };
    }
}

/* The type of service comes as one octet over IPv4, as an int over IPv6. */
static void read_control(struct msghdr *header, struct packet_outer *ret)
{
    for (struct cmsghdr *c = CMSG_FIRSTHDR(header); c != NULL; c = CMSG_NXTHDR(header, c)) {
        if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_TOS) {
            ret->tos = *CMSG_DATA(c);
        } else if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_TCLASS) {
            int tos;
            memcpy(&tos, CMSG_DATA(c), sizeof(tos));
            ret->tos = (uint8_t)tos;
        } else if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO) {
            struct in_pktinfo info;
            memcpy(&info, CMSG_DATA(c), sizeof(info));
            ret->dst = ip_addr_from(view_of(&info.ipi_addr, sizeof(info.ipi_addr)));
        } else if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO) {
            struct in6_pktinfo info;
            memcpy(&info, CMSG_DATA(c), sizeof(info));
            ret->dst = ip_addr_from(view_of(&info.ipi6_addr, sizeof(info.ipi6_addr)));
        }
    }
}

/* A raw IPv4 socket gives the IP header too. */
static bool strip_v4(struct packet *packet)
{
    const uint8_t *data = packet_data(packet);
    uint32_t header_len = packet->len > 0 ? (data[0] & 15u) * 4 : 0;

    if (header_len < IP_V4_HEADER || header_len > packet->len)
        return false;
    packet->at += header_len;
    packet->len -= header_len;
    return true;
}

/* Handed to keyd, or dropped: keepalives (RFC 3948 section 4) and what is too short. */
static bool is_esp_in_udp(struct io *io, const struct packet *packet)
{
    static const uint8_t marker[NON_ESP_MARKER];
    const uint8_t *data = packet_data(packet);
    const struct packet_outer *outer = &packet->outer;

    if (packet->len == 1 && data[0] == KEEPALIVE) {
        io_count(io, IO_COUNT_KEEPALIVE_IN);
        return false;
    }
    if (packet->len < NON_ESP_MARKER) {
        io_count(io, IO_COUNT_ESP_IN_MALFORMED);
        return false;
    }
    if (memcmp(data, marker, sizeof(marker)) != 0)
        return true;
    struct ip_endpoint local = {outer->dst, outer->udp_dst}, remote = {outer->src, outer->udp_src};
    io_count(io, IO_COUNT_IKE_IN);
    io->env.ike(io->env.ctx, &local, &remote,
                view_of(data + NON_ESP_MARKER, packet->len - NON_ESP_MARKER));
    return false;
}

/* The packet of one received message. False: it isn't ESP, and is dealt with. */
static bool take(struct io *io, const struct io_lane *lane, size_t i, uint16_t local_port)
{
    struct mmsghdr *message = &io->in.headers[i];
    struct packet *packet = &io->packets[i];

    packet->at = LIMIT_HEADROOM;
    packet->len = message->msg_len;
    packet->outer = (struct packet_outer){0};
    read_control(&message->msg_hdr, &packet->outer);
    if (!io_sockaddr_read(&io->in.names[i], &packet->outer.src, &packet->outer.udp_src) ||
        packet->outer.dst.family != lane->family || (message->msg_hdr.msg_flags & MSG_TRUNC) != 0) {
        io_count(io, IO_COUNT_ESP_IN_MALFORMED);
        return false;
    }
    if (lane->udp) {
        packet->outer.udp_dst = local_port;
        return is_esp_in_udp(io, packet);
    }
    packet->outer.udp_src = 0;
    if (lane->family == IP_V4 && !strip_v4(packet)) {
        io_count(io, IO_COUNT_ESP_IN_MALFORMED);
        return false;
    }
    return true;
}

size_t io_read_esp(struct io *io, enum plane_fd which, struct packet ***ret, bool *ret_more)
{
    const struct io_lane *lane = &io->lanes[which - PLANE_FD_ESP_V4];
    size_t count = 0;
    int got;

    prepare(io);
    do
        got = recvmmsg(lane->fd, io->in.headers, LIMIT_BURST, MSG_DONTWAIT, NULL);
    while (got < 0 && errno == EINTR);
    for (int i = 0; i < got; i++) {
        if (take(io, lane, (size_t)i, io->udp_port)) {
            io_count(io, IO_COUNT_ESP_IN);
            io->burst[count++] = &io->packets[i];
        }
    }
    *ret = io->burst;
    *ret_more = got == LIMIT_BURST;
    return count;
}

static void remember(struct io *io, const struct sockaddr_in6 *name, uint32_t mtu)
{
    struct io_news news = {.mtu = mtu};
    uint16_t port;

    if (mtu == 0 || io->news_count == IO_NEWS_MAX || !io_sockaddr_read(name, &news.dst, &port))
        return;
    io_count(io, IO_COUNT_PATH_MTU_NEWS);
    io->news[io->news_count++] = news;
}

static void read_error(struct io *io, struct msghdr *header, const struct sockaddr_in6 *name)
{
    for (struct cmsghdr *c = CMSG_FIRSTHDR(header); c != NULL; c = CMSG_NXTHDR(header, c)) {
        struct sock_extended_err error;
        if ((c->cmsg_level != IPPROTO_IP || c->cmsg_type != IP_RECVERR) &&
            (c->cmsg_level != IPPROTO_IPV6 || c->cmsg_type != IPV6_RECVERR))
            continue;
        memcpy(&error, CMSG_DATA(c), sizeof(error));
        if (error.ee_errno == EMSGSIZE)
            remember(io, name, error.ee_info);
        else
            io_count(io, IO_COUNT_SOCKET_ERRORS);
    }
}

void io_read_errors(struct io *io, enum plane_fd which)
{
    for (unsigned i = 0; i < LIMIT_BURST; i++) {
        struct sockaddr_in6 name = {0};
        union {
            struct cmsghdr header;
            uint8_t room[512];
        } control;
        struct msghdr header = {.msg_name = &name,
                                .msg_namelen = sizeof(name),
                                .msg_control = control.room,
                                .msg_controllen = sizeof(control.room)};
        if (recvmsg(io->fds.fd[which], &header, MSG_ERRQUEUE | MSG_DONTWAIT) < 0)
            return;
        read_error(io, &header, &name);
    }
}

bool io_path_mtu(struct io *io, struct ip_addr *ret_dst, uint32_t *ret_mtu)
{
    if (io->news_count == 0)
        return false;
    io->news_count--;
    *ret_dst = io->news[io->news_count].dst;
    *ret_mtu = io->news[io->news_count].mtu;
    return true;
}
