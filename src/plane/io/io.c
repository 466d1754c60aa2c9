#include "plane/io/io_private.h"

#include <stdlib.h>

#include <netinet/udp.h>

#include "plane/io/classifier.h"

enum { IO_ARENA = (LIMIT_BURST + 1) * IO_PACKET_ROOM };

static uint16_t local_port(int fd)
{
    struct sockaddr_in6 name = {0};
    socklen_t len = sizeof(name);
    struct ip_addr addr;
    uint16_t port;

    if (getsockname(fd, (struct sockaddr *)&name, &len) != 0 ||
        !io_sockaddr_read(&name, &addr, &port))
        return 0;
    return port;
}

static void init_lanes(struct io *io)
{
    for (size_t i = 0; i < IO_LANES; i++) {
        enum plane_fd which = PLANE_FD_ESP_V4 + (enum plane_fd)i;
        bool v4 = which == PLANE_FD_ESP_V4 || which == PLANE_FD_UDP_V4 || which == PLANE_FD_AH_V4;
        io->lanes[i].fd = io->fds.fd[which];
        io->lanes[i].family = v4 ? IP_V4 : IP_V6;
        io->lanes[i].udp = which == PLANE_FD_UDP_V4 || which == PLANE_FD_UDP_V6;
        io->lanes[i].ah = which == PLANE_FD_AH_V4 || which == PLANE_FD_AH_V6;
        io->lanes[i].joins = io->lanes[i].udp;
        io->lanes[i].discover = io->lanes[i].no_check = -1;
    }
}

static void init_buffers(struct io *io)
{
    for (size_t i = 0; i <= LIMIT_BURST; i++) {
        struct packet *packet = i < LIMIT_BURST ? &io->buffers[i] : &io->super;
        packet->base = io->arena + i * IO_PACKET_ROOM;
        packet->room = IO_PACKET_ROOM;
    }
}

enum err io_new(const struct plane_fds *fds, const struct io_env *env, struct io **ret)
{
    struct io *io = calloc(1, sizeof(*io));
    uint8_t *arena = malloc(IO_ARENA);

    if (io == NULL || arena == NULL) {
        free(io);
        free(arena);
        return ERR_MEMORY;
    }
    io->fds = *fds;
    io->env = *env;
    io->arena = arena;
    init_buffers(io);
    io->udp_port = local_port(fds->fd[PLANE_FD_UDP_V4]);
    init_lanes(io);
    *ret = io;
    return ERR_OK;
}

void io_free(struct io *io)
{
    if (io == NULL)
        return;
    /* Clear datagrams lie in it. */
    explicit_bzero(io->arena, IO_ARENA);
    free(io->arena);
    free(io);
}

bool io_counter(const struct io *io, size_t i, const char **ret_name, uint64_t *ret_value)
{
    static const char *const names[] = {
#define IO_COUNTER_TEXT(name, text) [IO_COUNT_##name] = text,
        IO_COUNTERS(IO_COUNTER_TEXT)
#undef IO_COUNTER_TEXT
    };
    int classifier = io->fds.fd[PLANE_FD_COUNTERS];

    if (i < IO_COUNTER_COUNT) {
        *ret_name = names[i];
        *ret_value = io->counters[i];
        return true;
    }
    i -= IO_COUNTER_COUNT;
    if (classifier < 0 || i >= CLASSIFIER_COUNTER_COUNT)
        return false;
    *ret_name = io_classifier_counter_name((enum classifier_counter)i);
    *ret_value = io_classifier_counter(classifier, (enum classifier_counter)i);
    return true;
}

static struct cmsghdr *control_put(struct msghdr *header, struct cmsghdr *at, int level, int type,
                                   const void *data, size_t len)
{
    at->cmsg_level = level;
    at->cmsg_type = type;
    at->cmsg_len = CMSG_LEN(len);
    memcpy(CMSG_DATA(at), data, len);
    return CMSG_NXTHDR(header, at);
}

static struct cmsghdr *control_put_source(struct msghdr *header, const struct ip_addr *src,
                                          uint32_t ifindex)
{
    struct in_pktinfo v4 = {.ipi_ifindex = (int)ifindex};
    struct in6_pktinfo v6 = {.ipi6_ifindex = ifindex};

    if (src->family == IP_V4) {
        memcpy(&v4.ipi_spec_dst, src->octets, sizeof(v4.ipi_spec_dst));
        return control_put(header, CMSG_FIRSTHDR(header), IPPROTO_IP, IP_PKTINFO, &v4, sizeof(v4));
    }
    memcpy(&v6.ipi6_addr, src->octets, sizeof(v6.ipi6_addr));
    return control_put(header, CMSG_FIRSTHDR(header), IPPROTO_IPV6, IPV6_PKTINFO, &v6, sizeof(v6));
}

void io_sources_set(struct io *io, const struct outside_addresses *sources)
{
    io->sources = *sources;
}

size_t io_control_write(const struct io *io, const struct ip_addr *src, uint8_t tos,
                        uint16_t segment, union io_control *ret)
{
    struct msghdr header = {.msg_control = ret->room, .msg_controllen = sizeof(ret->room)};
    bool v4 = src->family == IP_V4;
    int tos_value = tos;

    /* CMSG_NXTHDR looks at the header that it is about to return. */
    memset(ret, 0, sizeof(*ret));
    struct cmsghdr *next = control_put_source(&header, src, outside_address_interface(&io->sources, src));
    next = control_put(&header, next, v4 ? IPPROTO_IP : IPPROTO_IPV6, v4 ? IP_TOS : IPV6_TCLASS,
                       &tos_value, sizeof(tos_value));
    if (segment != 0)
        next = control_put(&header, next, IPPROTO_UDP, UDP_SEGMENT, &segment, sizeof(segment));
    return (size_t)((uint8_t *)next - ret->room);
}

bool io_is_pending(const struct io *io)
{
    return segment_is_active(&io->segments) || io->inbox.left > 0 ||
           io->inbox.next < io->inbox.got;
}
