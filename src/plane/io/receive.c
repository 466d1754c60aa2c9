/* Bursts in: from TUN devices with their virtio header, from sockets with recvmmsg(). */
#include "plane/io/io_private.h"

#include <errno.h>
#include <linux/errqueue.h>
#include <netinet/udp.h>
#include <sys/uio.h>
#include <unistd.h>

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

/* The buffer becomes `super`, and what was `super` the buffer: it is free when a new one is read. */
static bool begin_segments(struct io *io, struct packet *packet, const struct virtio_net_hdr *header)
{
    struct packet freed = io->super;

    if (!segment_start(&io->segments, header, view_of(packet_data(packet), packet->len)))
        return false;
    io->super = *packet;
    *packet = freed;
    io_count(io, IO_COUNT_TUN_IN_SUPER);
    return true;
}

/* Reads one datagram into the packet. Sets *ret_whole if it can go on as it is. False: no more. */
static bool read_datagram(struct io *io, int fd, struct packet *packet, bool *ret_whole)
{
    struct virtio_net_hdr header;

    *ret_whole = false;
    if (!read_one(fd, packet, &header))
        return false;
    if (is_link_talk(packet)) {
        io_count(io, IO_COUNT_TUN_IN_LINK);
        return true;
    }
    bool good;
    if (header.gso_type != VIRTIO_NET_HDR_GSO_NONE)
        good = begin_segments(io, packet, &header);
    else
        good = *ret_whole =
            segment_checksum(&header, span_of(packet_data(packet), packet->len));
    if (!good)
        io_count(io, IO_COUNT_TUN_IN_MALFORMED);
    return true;
}

size_t io_read_tun(struct io *io, enum plane_fd which, struct packet ***ret)
{
    size_t count = 0;
    bool good;

    *ret = io->burst;
    for (unsigned reads = 0; count < LIMIT_BURST && reads < LIMIT_BURST;) {
        struct packet *packet = &io->buffers[count];
        if (segment_is_active(&io->segments)) {
            good = segment_next(&io->segments, packet);
        } else if (reads++, !read_datagram(io, io->fds.fd[which], packet, &good)) {
            break;
        }
        if (good)
            io->burst[count++] = packet;
    }
    io->counters[IO_COUNT_TUN_IN] += count;
    return count;
}

static void prepare(struct io *io)
{
    struct io_messages *in = &io->in;

    for (size_t i = 0; i < LIMIT_BURST; i++) {
        struct packet *buffer = &io->buffers[i];
        in->parts[i] = (struct iovec){
            .iov_base = buffer->base + LIMIT_HEADROOM,
            .iov_len = buffer->room - LIMIT_HEADROOM - LIMIT_TAILROOM,
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
static void read_control_one(const struct cmsghdr *c, struct packet_outer *ret, uint32_t *ret_piece)
{
    struct in_pktinfo v4;
    struct in6_pktinfo v6;
    int value;

    if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_TOS) {
        ret->tos = *CMSG_DATA(c);
    } else if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO) {
        memcpy(&v4, CMSG_DATA(c), sizeof(v4));
        ret->dst = ip_addr_from(view_of(&v4.ipi_addr, sizeof(v4.ipi_addr)));
    } else if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO) {
        memcpy(&v6, CMSG_DATA(c), sizeof(v6));
        ret->dst = ip_addr_from(view_of(&v6.ipi6_addr, sizeof(v6.ipi6_addr)));
    } else if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_TCLASS) {
        memcpy(&value, CMSG_DATA(c), sizeof(value));
        ret->tos = (uint8_t)value;
    } else if (c->cmsg_level == IPPROTO_UDP && c->cmsg_type == UDP_GRO) {
        memcpy(&value, CMSG_DATA(c), sizeof(value));
        *ret_piece = (uint32_t)value;
    }
}

/* A raw IPv6 socket gives no IP header, but AH covers one. Without extension headers in front of AH
 * it is known but for what AH leaves out. */
static bool restore_v6(struct packet *packet)
{
    struct ip_header header = {.src = packet->outer.src,
                               .dst = packet->outer.dst,
                               .total_len = IP_V6_HEADER + packet->len,
                               .proto = IP_PROTO_AH,
                               .tos = packet->outer.tos};

    if (packet->at < IP_V6_HEADER)
        return false;
    packet->at -= IP_V6_HEADER;
    packet->len += IP_V6_HEADER;
    ip_header_write(&header, packet_data(packet));
    return true;
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

/* Begins to cut message `i`. False: it is dropped. */
static bool open_message(struct io *io, const struct io_lane *lane, size_t i)
{
    struct msghdr *header = &io->in.headers[i].msg_hdr;
    struct io_inbox *inbox = &io->inbox;

    inbox->outer = (struct packet_outer){0};
    inbox->at = io->in.parts[i].iov_base;
    inbox->left = inbox->piece = io->in.headers[i].msg_len;
    for (struct cmsghdr *c = CMSG_FIRSTHDR(header); c != NULL; c = CMSG_NXTHDR(header, c))
        read_control_one(c, &inbox->outer, &inbox->piece);
    if (!io_sockaddr_read(&io->in.names[i], &inbox->outer.src, &inbox->outer.udp_src) ||
        inbox->outer.dst.family != lane->family || (header->msg_flags & MSG_TRUNC) != 0 ||
        inbox->piece == 0) {
        inbox->left = 0;
        io_count(io, IO_COUNT_ESP_IN_MALFORMED);
        return false;
    }
    if (inbox->piece < inbox->left)
        io_count(io, IO_COUNT_ESP_IN_JOINED);
    inbox->outer.ah = lane->ah;
    inbox->around = lane->udp ? 0 : LIMIT_TAILROOM;
    if (lane->udp)
        inbox->outer.udp_dst = io->udp_port;
    else
        inbox->outer.udp_src = 0;
    return true;
}

/* The next packet. Its neighbours in a message of UDP leave it no room on either side. */
static void cut_piece(struct io_inbox *inbox, struct packet *ret)
{
    uint32_t len = inbox->left < inbox->piece ? inbox->left : inbox->piece;

    *ret = (struct packet){.base = inbox->at - inbox->around,
                           .room = len + 2 * inbox->around,
                           .at = inbox->around,
                           .len = len,
                           .outer = inbox->outer};
    inbox->at += len;
    inbox->left -= len;
}

/* False: it isn't ESP, and is dealt with. */
static bool accept_piece(struct io *io, const struct io_lane *lane, struct packet *packet)
{
    if (lane->udp)
        return is_esp_in_udp(io, packet);
    if (lane->ah && (lane->family == IP_V4 || restore_v6(packet)))
        return true;
    if (!lane->ah && (lane->family == IP_V6 || strip_v4(packet)))
        return true;
    io_count(io, IO_COUNT_ESP_IN_MALFORMED);
    return false;
}

static void fill_inbox(struct io *io, const struct io_lane *lane)
{
    int got;

    prepare(io);
    do
        got = recvmmsg(lane->fd, io->in.headers, LIMIT_BURST, MSG_DONTWAIT, NULL);
    while (got < 0 && errno == EINTR);
    io->inbox = (struct io_inbox){.got = got > 0 ? (size_t)got : 0};
}

size_t io_read_esp(struct io *io, enum plane_fd which, struct packet ***ret, bool *ret_more)
{
    const struct io_lane *lane = &io->lanes[which - PLANE_FD_ESP_V4];
    struct io_inbox *inbox = &io->inbox;
    size_t count = 0;

    if (inbox->left == 0 && inbox->next == inbox->got)
        fill_inbox(io, lane);
    while (count < LIMIT_BURST && (inbox->left > 0 || inbox->next < inbox->got)) {
        if (inbox->left == 0 && !open_message(io, lane, inbox->next++))
            continue;
        struct packet *packet = &io->pieces[count];
        cut_piece(inbox, packet);
        if (accept_piece(io, lane, packet))
            io->burst[count++] = packet;
    }
    io->counters[IO_COUNT_ESP_IN] += count;
    *ret = io->burst;
    *ret_more = io_is_pending(io) || inbox->got == LIMIT_BURST;
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
