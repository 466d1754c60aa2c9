/* Packets out: ESP in bursts with sendmmsg(), datagrams into TUN devices, IKE. */
#include "plane/io/io_private.h"

#include <errno.h>
#include <sys/uio.h>
#include <unistd.h>

#include "wire/ip.h"

/* DF is an option of a socket, not of a packet, so it is changed when a packet needs the other. */
static void discover(struct io_lane *lane, bool dont_fragment)
{
    bool v4 = lane->family == IP_V4;
    int value = dont_fragment ? IP_PMTUDISC_DO : IP_PMTUDISC_DONT;

    if (lane->discover == value)
        return;
    if (setsockopt(lane->fd, v4 ? IPPROTO_IP : IPPROTO_IPV6,
                   v4 ? IP_MTU_DISCOVER : IPV6_MTU_DISCOVER, &value, sizeof(value)) == 0)
        lane->discover = value;
}

static void build(struct io_messages *out, size_t i, const struct io_lane *lane,
                  struct packet *packet)
{
    const struct packet_outer *outer = &packet->outer;

    out->parts[i] = (struct iovec){.iov_base = packet_data(packet), .iov_len = packet->len};
    out->headers[i].msg_hdr = (struct msghdr){
        .msg_name = &out->names[i],
        .msg_namelen =
            io_sockaddr_write(&outer->dst, lane->udp ? outer->udp_dst : 0, &out->names[i]),
        .msg_iov = &out->parts[i],
        .msg_iovlen = 1,
        .msg_control = out->controls[i].room,
        .msg_controllen = io_control_write(&outer->src, outer->tos, &out->controls[i]),
    };
}

static enum plane_fd lane_fd(const struct io *io, const struct io_lane *lane)
{
    return PLANE_FD_ESP_V4 + (enum plane_fd)(lane - io->lanes);
}

/*
 * One message was refused. Returns how many messages to leave out; 0: try again. The error may be an
 * older one that an ICMP message left on the socket, so any other than these is tried twice.
 */
static size_t refused(struct io *io, const struct io_lane *lane, size_t left, bool again)
{
    switch (errno) {
    case EINTR:
        return 0;
    case EMSGSIZE:
        io_count(io, IO_COUNT_ESP_OUT_TOO_BIG);
        io_read_errors(io, lane_fd(io, lane));
        return 1;
    case EAGAIN:
    case ENOBUFS:
        io->counters[IO_COUNT_ESP_OUT_FULL] += left;
        return left;
    default:
        io_read_errors(io, lane_fd(io, lane));
        if (!again)
            return 0;
        io_count(io, IO_COUNT_ESP_OUT_FAILED);
        return 1;
    }
}

static void send_run(struct io *io, const struct io_lane *lane, size_t first, size_t end)
{
    bool again = false;

    while (first < end) {
        int sent = sendmmsg(lane->fd, io->out.headers + first, (unsigned)(end - first),
                            MSG_DONTWAIT | MSG_NOSIGNAL);
        if (sent > 0) {
            io->counters[IO_COUNT_ESP_OUT] += (unsigned)sent;
            first += (unsigned)sent;
            again = false;
            continue;
        }
        size_t left_out = refused(io, lane, end - first, again);
        again = left_out == 0;
        first += left_out;
    }
}

/* Sends runs of packets with the same DF, in order. */
static void lane_flush(struct io *io, struct io_lane *lane)
{
    size_t first = 0;

    for (size_t i = 0; i < lane->count; i++)
        build(&io->out, i, lane, lane->queue[i]);
    while (first < lane->count) {
        bool dont_fragment = lane->queue[first]->outer.dont_fragment;
        size_t end = first + 1;
        while (end < lane->count && lane->queue[end]->outer.dont_fragment == dont_fragment)
            end++;
        discover(lane, dont_fragment);
        send_run(io, lane, first, end);
        first = end;
    }
    lane->count = 0;
}

void io_flush(struct io *io)
{
    for (size_t i = 0; i < IO_LANES; i++) {
        if (io->lanes[i].count > 0)
            lane_flush(io, &io->lanes[i]);
    }
}

static struct io_lane *lane_for(struct io *io, const struct ip_addr *dst, bool udp)
{
    bool v4 = dst->family == IP_V4;
    enum plane_fd which = udp ? (v4 ? PLANE_FD_UDP_V4 : PLANE_FD_UDP_V6)
                              : (v4 ? PLANE_FD_ESP_V4 : PLANE_FD_ESP_V6);

    return &io->lanes[which - PLANE_FD_ESP_V4];
}

static void write_esp(struct io *io, struct packet *packet)
{
    struct io_lane *lane = lane_for(io, &packet->outer.dst, packet->outer.udp_dst != 0);

    if (lane->fd < 0) {
        io_count(io, IO_COUNT_ESP_OUT_NO_SOCKET);
        return;
    }
    if (lane->count == IO_LANE_ROOM)
        lane_flush(io, lane);
    lane->queue[lane->count++] = packet;
}

static bool write_tun(int fd, const struct packet *packet)
{
    static const struct virtio_net_hdr whole; /* its checksums are complete */
    struct iovec parts[] = {
        {.iov_base = (void *)(uintptr_t)&whole, .iov_len = sizeof(whole)},
        {.iov_base = packet_data(packet), .iov_len = packet->len},
    };
    ssize_t len;

    do
        len = writev(fd, parts, 2);
    while (len < 0 && errno == EINTR);
    return len >= 0;
}

/* Through the put-back device, past netfilter; without eBPF by a raw socket that has our mark. */
static bool write_clear(struct io *io, const struct packet *packet)
{
    struct ip_pair pair;
    struct sockaddr_in6 name;

    if (io->fds.fd[PLANE_FD_PUT_BACK] >= 0)
        return write_tun(io->fds.fd[PLANE_FD_PUT_BACK], packet);
    if (ip_pair_of(view_of(packet_data(packet), packet->len), &pair) != ERR_OK)
        return false;
    int fd = io->fds.fd[pair.dst.family == IP_V4 ? PLANE_FD_CLEAR_V4 : PLANE_FD_CLEAR_V6];
    socklen_t name_len = io_sockaddr_write(&pair.dst, 0, &name);
    return fd >= 0 && sendto(fd, packet_data(packet), packet->len, MSG_DONTWAIT | MSG_NOSIGNAL,
                             (const struct sockaddr *)&name, name_len) >= 0;
}

void io_write(struct io *io, enum plane_out kind, struct packet *packet)
{
    bool sent;

    switch (kind) {
    case PLANE_OUT_ESP:
        write_esp(io, packet);
        return;
    case PLANE_OUT_CLEAR:
        sent = write_clear(io, packet);
        io_count(io, sent ? IO_COUNT_CLEAR_OUT : IO_COUNT_CLEAR_OUT_FAILED);
        return;
    case PLANE_OUT_OE:
    case PLANE_OUT_VPN:
        sent = write_tun(io->fds.fd[kind == PLANE_OUT_OE ? PLANE_FD_OE : PLANE_FD_VPN], packet);
        io_count(io, sent ? IO_COUNT_TUN_OUT : IO_COUNT_TUN_OUT_FAILED);
        return;
    }
}

void io_send_ike(struct io *io, const struct ip_endpoint *local, const struct ip_endpoint *remote,
                 struct view datagram)
{
    static const uint8_t marker[4];
    struct io_lane *lane = lane_for(io, &remote->addr, true);
    union io_control control;
    struct sockaddr_in6 name;
    struct iovec parts[] = {
        {.iov_base = (void *)(uintptr_t)marker, .iov_len = sizeof(marker)},
        {.iov_base = (void *)(uintptr_t)datagram.ptr, .iov_len = datagram.len},
    };
    struct msghdr header = {
        .msg_name = &name,
        .msg_namelen = io_sockaddr_write(&remote->addr, remote->port, &name),
        .msg_iov = parts,
        .msg_iovlen = 2,
        .msg_control = control.room,
        .msg_controllen = io_control_write(&local->addr, 0, &control),
    };

    if (lane->fd < 0) {
        io_count(io, IO_COUNT_IKE_OUT_FAILED);
        return;
    }
    discover(lane, false); /* IKE may be fragmented */
    ssize_t len = sendmsg(lane->fd, &header, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (len < 0) { /* perhaps an older error: see refused() */
        io_read_errors(io, lane_fd(io, lane));
        len = sendmsg(lane->fd, &header, MSG_DONTWAIT | MSG_NOSIGNAL);
    }
    io_count(io, len >= 0 ? IO_COUNT_IKE_OUT : IO_COUNT_IKE_OUT_FAILED);
}
