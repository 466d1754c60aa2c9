/* Packets out: ESP and AH in bursts with sendmmsg(), datagrams into TUN devices, IKE. */
#include "plane/io/io_private.h"

#include <errno.h>
#include <sys/uio.h>
#include <unistd.h>

#include "wire/ip.h"

/* What a kernel joins into one message at most, in packets and in octets. */
enum { JOIN_PACKETS = 64, JOIN_OCTETS = 65000 };

/* DF is an option of a socket, not of a packet, so it is changed when a packet needs the other. */
static void discover(struct io_lane *lane, bool dont_fragment)
{
    bool v4 = lane->family == IP_V4;
    int value = dont_fragment ? IP_PMTUDISC_DO : IP_PMTUDISC_DONT;

    if (lane->discover != value &&
        setsockopt(lane->fd, v4 ? IPPROTO_IP : IPPROTO_IPV6,
                   v4 ? IP_MTU_DISCOVER : IPV6_MTU_DISCOVER, &value, sizeof(value)) == 0)
        lane->discover = value;
}

/*
 * The checksum of ESP in UDP should be zero over IPv4 (RFC 3948 section 2.1), where it adds nothing;
 * but what is to be segmented by the kernel or the card must have one.
 */
static void check(struct io_lane *lane, bool is_joined)
{
    int value = !is_joined;

    if (lane->udp && lane->family == IP_V4 && lane->no_check != value &&
        setsockopt(lane->fd, SOL_SOCKET, SO_NO_CHECK, &value, sizeof(value)) == 0)
        lane->no_check = value;
}

static bool same_way(const struct packet *a, const struct packet *b)
{
    return ip_addr_equal(&a->outer.src, &b->outer.src) &&
           ip_addr_equal(&a->outer.dst, &b->outer.dst) && a->outer.udp_src == b->outer.udp_src &&
           a->outer.udp_dst == b->outer.udp_dst && a->outer.tos == b->outer.tos &&
           a->outer.dont_fragment == b->outer.dont_fragment;
}

/* How many packets from `first` go into one message: all of one length, only the last may be
 * shorter. Raw sockets take one. */
static size_t join(const struct io_lane *lane, size_t first)
{
    const struct packet *head = lane->queue[first];
    size_t count = 1, octets = head->len;

    while (lane->joins && first + count < lane->count && count < JOIN_PACKETS) {
        const struct packet *next = lane->queue[first + count];
        octets += next->len;
        if (octets > JOIN_OCTETS || next->len > head->len || !same_way(head, next))
            break;
        count++;
        if (next->len < head->len)
            break;
    }
    return count;
}

/* Message `i` of `out` holds `count` packets of the lane. */
static void build(const struct io *io, struct io_messages *out, size_t i,
                  const struct io_lane *lane, size_t first, size_t count)
{
    const struct packet *head = lane->queue[first];
    const struct packet_outer *outer = &head->outer;

    for (size_t k = first; k < first + count; k++)
        out->parts[k] = (struct iovec){packet_data(lane->queue[k]), lane->queue[k]->len};
    out->headers[i].msg_hdr = (struct msghdr){
        .msg_name = &out->names[i],
        .msg_namelen =
            io_sockaddr_write(&outer->dst, lane->udp ? outer->udp_dst : 0, &out->names[i]),
        .msg_iov = &out->parts[first],
        .msg_iovlen = count,
        .msg_control = out->controls[i].room,
        .msg_controllen = io_control_write(
            io, &outer->src, outer->tos, count > 1 ? (uint16_t)head->len : 0, &out->controls[i]),
    };
}

static enum plane_fd lane_fd(const struct io *io, const struct io_lane *lane)
{
    return PLANE_FD_ESP_V4 + (enum plane_fd)(lane - io->lanes);
}

/* Before long somebody asks io_lost_source() about it; what finds no room there fails again. */
static void remember_lost(struct io *io, const struct packet_outer *outer)
{
    const struct ip_pair way = {outer->src, outer->dst};

    io_count(io, IO_COUNT_SOURCE_LOST);
    for (size_t i = 0; i < io->lost_count; i++)
        if (ip_pair_equal(&io->lost[i], &way))
            return;
    if (io->lost_count < IO_NEWS_MAX)
        io->lost[io->lost_count++] = way;
}

/* The system has no such address any more, or no way out from it. */
static bool is_source_lost(int error)
{
    return error == EINVAL || error == EADDRNOTAVAIL || error == ENETUNREACH;
}

/*
 * One message was refused. Returns how many messages to leave out; 0: try again. The error may be an
 * older one that an ICMP message left on the socket, so any other than these is tried twice.
 */
static size_t refused(struct io *io, const struct io_lane *lane, const struct packet *head,
                      size_t left, bool again)
{
    int error = errno;

    switch (error) {
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
        if (is_source_lost(error))
            remember_lost(io, &head->outer);
        return 1;
    }
}

/* The packets of a joined message that was refused, each on its own: it may be the joining, which
 * some devices can't do at all, and others not with packets of this size. */
static void send_singly(struct io *io, struct io_lane *lane, const struct msghdr *joined)
{
    size_t first = (size_t)(joined->msg_iov - io->out.parts), end = first + joined->msg_iovlen;
    bool again = false;

    if (errno == EIO)
        lane->joins = false;

    check(lane, false);
    for (size_t i = first; i < end; i++)
        build(io, &io->single, i, lane, i, 1);
    while (first < end) {
        int sent = sendmmsg(lane->fd, io->single.headers + first, (unsigned)(end - first),
                            MSG_DONTWAIT | MSG_NOSIGNAL);
        size_t done = sent > 0 ? (size_t)sent
                               : refused(io, lane, lane->queue[first], end - first, again);
        if (sent > 0)
            io->counters[IO_COUNT_ESP_OUT] += done;
        again = done == 0;
        first += done;
    }
}

static void count_sent(struct io *io, const struct mmsghdr *messages, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        io->counters[IO_COUNT_ESP_OUT] += messages[i].msg_hdr.msg_iovlen;
        io->counters[IO_COUNT_ESP_OUT_JOINED] += messages[i].msg_hdr.msg_iovlen > 1;
    }
}

static void send_run(struct io *io, struct io_lane *lane, size_t first, size_t end)
{
    struct mmsghdr *messages = io->out.headers;
    bool again = false;

    while (first < end) {
        const struct msghdr *head = &messages[first].msg_hdr;
        check(lane, head->msg_iovlen > 1);
        int sent = sendmmsg(lane->fd, messages + first, (unsigned)(end - first),
                            MSG_DONTWAIT | MSG_NOSIGNAL);
        size_t done = sent > 0 ? (size_t)sent : 1;
        if (sent > 0)
            count_sent(io, messages + first, done);
        else if (head->msg_iovlen > 1 && errno != EAGAIN && errno != ENOBUFS)
            send_singly(io, lane, head);
        else
            done = refused(io, lane, lane->queue[head->msg_iov - io->out.parts], end - first,
                           again);
        again = done == 0;
        first += done;
    }
}

/* Sends runs of messages that want the same of their socket, in order. */
static void lane_flush(struct io *io, struct io_lane *lane)
{
    size_t packet = 0, messages = 0, run = 0;
    const struct packet *last = NULL;
    bool last_joined = false;

    while (packet < lane->count) {
        size_t count = join(lane, packet);
        const struct packet *head = lane->queue[packet];
        if (last != NULL && (last->outer.dont_fragment != head->outer.dont_fragment ||
                             last_joined != (count > 1))) {
            discover(lane, last->outer.dont_fragment);
            send_run(io, lane, run, messages);
            run = messages;
        }
        build(io, &io->out, messages++, lane, packet, count);
        last = head;
        last_joined = count > 1;
        packet += count;
    }
    if (last != NULL) {
        discover(lane, last->outer.dont_fragment);
        send_run(io, lane, run, messages);
    }
    lane->count = 0;
}

static struct io_lane *lane_for(struct io *io, const struct packet_outer *outer)
{
    bool v4 = outer->dst.family == IP_V4;
    enum plane_fd which = v4 ? PLANE_FD_ESP_V4 : PLANE_FD_ESP_V6;

    if (outer->ah)
        which = v4 ? PLANE_FD_AH_V4 : PLANE_FD_AH_V6;
    else if (outer->udp_dst != 0)
        which = v4 ? PLANE_FD_UDP_V4 : PLANE_FD_UDP_V6;
    return &io->lanes[which - PLANE_FD_ESP_V4];
}

static void write_esp(struct io *io, struct packet *packet)
{
    struct io_lane *lane = lane_for(io, &packet->outer);

    if (lane->fd < 0) {
        io_count(io, IO_COUNT_ESP_OUT_NO_SOCKET);
        return;
    }
    if (lane->count == IO_LANE_ROOM)
        lane_flush(io, lane);
    lane->queue[lane->count++] = packet;
}

static bool write_parts(int fd, struct iovec *parts, size_t count)
{
    ssize_t len;

    do
        len = writev(fd, parts, (int)count);
    while (len < 0 && errno == EINTR);
    return len >= 0;
}

static bool write_tun(int fd, const struct packet *packet)
{
    struct virtio_net_hdr whole = {0}; /* its checksums are complete */
    struct iovec parts[] = {{&whole, sizeof(whole)}, {packet_data(packet), packet->len}};

    return write_parts(fd, parts, 2);
}

/* Writes what was joined for oe0 or vpn0. */
static void tun_flush(struct io *io, enum plane_fd which)
{
    struct coalescer *c = &io->tuns[which];
    struct iovec parts[COALESCE_MAX + 1];
    struct virtio_net_hdr header;
    size_t count = c->count;

    if (count == 0)
        return;
    coalesce_finish(c, &header);
    parts[0] = (struct iovec){&header, sizeof(header)};
    for (size_t i = 0; i < count; i++) {
        uint32_t skip = i > 0 ? c->header_len : 0;
        parts[i + 1] = (struct iovec){packet_data(c->packets[i]) + skip, c->packets[i]->len - skip};
    }
    bool written = write_parts(io->fds.fd[which], parts, count + 1);
    io->counters[written ? IO_COUNT_TUN_OUT : IO_COUNT_TUN_OUT_FAILED] += count;
    io->counters[IO_COUNT_TUN_OUT_SUPER] += written && count > 1;
    c->count = 0;
}

static void write_inner(struct io *io, enum plane_fd which, struct packet *packet)
{
    if (coalesce_add(&io->tuns[which], packet))
        return;
    tun_flush(io, which);
    /* The first is always taken. */
    if (!coalesce_add(&io->tuns[which], packet))
        io_count(io, IO_COUNT_TUN_OUT_FAILED);
}

void io_flush(struct io *io)
{
    for (size_t i = 0; i < IO_LANES; i++) {
        if (io->lanes[i].count > 0)
            lane_flush(io, &io->lanes[i]);
    }
    tun_flush(io, PLANE_FD_OE);
    tun_flush(io, PLANE_FD_VPN);
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
        write_inner(io, kind == PLANE_OUT_OE ? PLANE_FD_OE : PLANE_FD_VPN, packet);
        return;
    }
}

void io_send_ike(struct io *io, const struct ip_endpoint *local, const struct ip_endpoint *remote,
                 struct view datagram)
{
    static const uint8_t marker[4], keepalive[1] = {0xff};
    const struct packet_outer outer = {.dst = remote->addr, .udp_dst = remote->port};
    struct io_lane *lane = lane_for(io, &outer);
    union io_control control;
    struct sockaddr_in6 name;
    struct iovec parts[] = {
        {.iov_base = (void *)(uintptr_t)marker, .iov_len = sizeof(marker)},
        {.iov_base = (void *)(uintptr_t)datagram.ptr, .iov_len = datagram.len},
    };
    if (datagram.len == 0)
        parts[0] = (struct iovec){(void *)(uintptr_t)keepalive, sizeof(keepalive)};
    struct msghdr header = {
        .msg_name = &name,
        .msg_namelen = io_sockaddr_write(&remote->addr, remote->port, &name),
        .msg_iov = parts,
        .msg_iovlen = 2,
        .msg_control = control.room,
        .msg_controllen = io_control_write(io, &local->addr, 0, 0, &control),
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

/* Our packets may be routed by their mark. Without the privilege they are looked up without it. */
static void copy_mark(const struct io *io, bool v4, int fd)
{
    int mark, from = io->lanes[(v4 ? PLANE_FD_UDP_V4 : PLANE_FD_UDP_V6) - PLANE_FD_ESP_V4].fd;
    socklen_t len = sizeof(mark);

    if (from >= 0 && getsockopt(from, SOL_SOCKET, SO_MARK, &mark, &len) == 0)
        (void)setsockopt(fd, SOL_SOCKET, SO_MARK, &mark, sizeof(mark));
}

/* The address that the system would send from now. */
static bool source_to(const struct io *io, const struct ip_addr *dst, struct ip_addr *ret)
{
    enum { DISCARD = 9 }; /* nothing is sent */
    struct sockaddr_in6 name;
    socklen_t len = io_sockaddr_write(dst, DISCARD, &name);
    uint16_t port;
    int fd = socket(dst->family == IP_V4 ? AF_INET : AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    if (fd < 0)
        return false;
    copy_mark(io, dst->family == IP_V4, fd);
    bool found = connect(fd, (const struct sockaddr *)&name, len) == 0;
    len = sizeof(name);
    found = found && getsockname(fd, (struct sockaddr *)&name, &len) == 0 &&
            io_sockaddr_read(&name, ret, &port);
    close(fd);
    return found;
}

bool io_lost_source(struct io *io, struct ip_pair *ret_way, struct ip_addr *ret_new)
{
    while (io->lost_count != 0) {
        const struct ip_pair way = io->lost[--io->lost_count];
        struct ip_addr source;
        if (!source_to(io, &way.dst, &source) || ip_addr_equal(&source, &way.src))
            continue;
        *ret_way = way;
        *ret_new = source;
        return true;
    }
    return false;
}
