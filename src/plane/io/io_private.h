/*
 * What the files behind io.h share.
 */
#ifndef CYGNET_PLANE_IO_IO_PRIVATE_H
#define CYGNET_PLANE_IO_IO_PRIVATE_H

#include <linux/virtio_net.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "plane/io/coalesce.h"
#include "plane/io/io.h"
#include "plane/io/segment.h"
#include "plane/io/sockaddr.h"

enum {
    IO_PACKET_ROOM = LIMIT_HEADROOM + LIMIT_PACKET + LIMIT_TAILROOM,
    IO_CONTROL_MAX = 128, /* packet information and type of service, of either family */
    IO_LANE_ROOM = 64,    /* packets sent with one call */
    IO_NEWS_MAX = 16,     /* path-MTU news not yet told, or ways that can't be gone */
};

#define IO_COUNTERS(X)                                                                             \
    X(TUN_IN, "io_tun_in")                                                                         \
    X(TUN_IN_SUPER, "io_tun_in_super")   /* cut into datagrams */                                  \
    X(TUN_OUT, "io_tun_out")                                                                       \
    X(TUN_OUT_SUPER, "io_tun_out_super") /* joined from datagrams */                               \
    X(ESP_IN, "io_esp_in")                                                                         \
    X(ESP_IN_JOINED, "io_esp_in_joined") /* UDP messages of more than one */                       \
    X(ESP_OUT, "io_esp_out")                                                                       \
    X(ESP_OUT_JOINED, "io_esp_out_joined")                                                         \
    X(CLEAR_OUT, "io_clear_out")                                                                   \
    X(IKE_IN, "io_ike_in")                                                                         \
    X(IKE_OUT, "io_ike_out")                                                                       \
    X(KEEPALIVE_IN, "io_keepalive_in")                                                             \
    X(TUN_IN_MALFORMED, "io_tun_in_malformed")                                                     \
    X(TUN_IN_LINK, "io_tun_in_link")     /* the system's own multicast */                          \
    X(TUN_OUT_FAILED, "io_tun_out_failed")                                                         \
    X(ESP_IN_MALFORMED, "io_esp_in_malformed")                                                     \
    X(ESP_OUT_TOO_BIG, "io_esp_out_too_big")                                                       \
    X(ESP_OUT_FULL, "io_esp_out_full")                                                             \
    X(ESP_OUT_FAILED, "io_esp_out_failed")                                                         \
    X(ESP_OUT_NO_SOCKET, "io_esp_out_no_socket")                                                   \
    X(CLEAR_OUT_FAILED, "io_clear_out_failed")                                                     \
    X(IKE_OUT_FAILED, "io_ike_out_failed")                                                         \
    X(SOURCE_LOST, "io_source_lost")     /* the address or the way from it is gone */              \
    X(PATH_MTU_NEWS, "io_path_mtu_news")                                                           \
    X(SOCKET_ERRORS, "io_socket_errors")

enum io_counter {
#define IO_COUNTER_ENUM(name, text) IO_COUNT_##name,
    IO_COUNTERS(IO_COUNTER_ENUM)
#undef IO_COUNTER_ENUM
        IO_COUNTER_COUNT
};

/* A socket that sends ESP or AH, and what waits for it. */
struct io_lane {
    int fd;
    uint8_t family; /* enum ip_family */
    bool udp;
    bool ah;
    bool joins;     /* several datagrams with one message */
    int discover;   /* the socket's IP_MTU_DISCOVER; -1: not known */
    int no_check;   /* the socket's SO_NO_CHECK, UDP over IPv4 only; -1: not known */
    size_t count;
    struct packet *queue[IO_LANE_ROOM];
};

enum { IO_LANES = PLANE_FD_AH_V6 - PLANE_FD_ESP_V4 + 1 };

/* The arguments of recvmmsg() and sendmmsg(), kept so that nothing is built twice. */
union io_control {
    struct cmsghdr header; /* for its alignment */
    uint8_t room[IO_CONTROL_MAX];
};

struct io_messages {
    struct mmsghdr headers[IO_LANE_ROOM];
    struct iovec parts[IO_LANE_ROOM];
    struct sockaddr_in6 names[IO_LANE_ROOM]; /* large enough for either family */
    union io_control controls[IO_LANE_ROOM];
};

/* Received messages whose packets were not all handed out: UDP joins what came together. */
struct io_inbox {
    size_t got, next;           /* messages */
    struct packet_outer outer;  /* of the message being cut */
    uint8_t *at;
    uint32_t left, piece;       /* octets of it; of each packet but the last */
    uint32_t around;            /* octets in front of it and behind it that nobody else uses */
};

struct io_news {
    struct ip_addr dst;
    uint32_t mtu;
};

struct io {
    struct plane_fds fds;
    struct io_env env;
    uint16_t udp_port;                  /* ours */
    struct outside_addresses sources;
    uint8_t *arena;                     /* the buffers of one burst, and one */
    struct packet buffers[LIMIT_BURST];
    struct packet super;                /* being cut by `segments` */
    struct segmenter segments;
    struct packet pieces[LIMIT_BURST];  /* of what `inbox` holds */
    struct io_inbox inbox;
    struct packet *burst[LIMIT_BURST];  /* what a read returns */
    struct io_lane lanes[IO_LANES];     /* by plane_fd - PLANE_FD_ESP_V4 */
    struct coalescer tuns[PLANE_FD_VPN + 1]; /* what waits to be written to oe0 and vpn0 */
    struct io_messages in, out, single;
    struct io_news news[IO_NEWS_MAX];
    size_t news_count;
    struct ip_pair lost[IO_NEWS_MAX]; /* nothing can be sent from src to dst */
    size_t lost_count;
    uint64_t counters[IO_COUNTER_COUNT];
};

static inline void io_count(struct io *io, enum io_counter which)
{
    io->counters[which]++;
}

/* Control messages with the source address and its interface, the TOS octet and, if not 0, the length of each of the
 * UDP datagrams that a message holds; returns their length. */
size_t io_control_write(const struct io *io, const struct ip_addr *src, uint8_t tos,
                        uint16_t segment, union io_control *ret);

#endif
