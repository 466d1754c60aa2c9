/*
 * delay PORT-A PORT-B MS: a link that takes MS milliseconds each way. Frames that come in at one interface
 * go out at the other, in order and unchanged, super-packets and partial checksums included. Prints
 * "ready" once it listens; runs until it is killed. For namespaces of the lab.
 */
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/virtio_net.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <time.h>

enum { FRAME_MAX = 65536 + 128, QUEUE_MAX = 20000, BUFFER = 16 * 1024 * 1024, MS_MAX = 10000 };

struct frame {
    STAILQ_ENTRY(frame) next;
    int64_t due_ns;
    size_t len;
    uint8_t octets[]; /* a virtio header, then the frame */
};

STAILQ_HEAD(queue, frame);

struct direction {
    int from, to;
    struct queue queue;
    size_t count;
};

static int64_t now_ns(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return ts.tv_sec * 1000000000LL + ts.tv_nsec;
}

static void die(const char *what)
{
    perror(what);
    exit(1);
}

static void set(int fd, int level, int name, int value)
{
    if (setsockopt(fd, level, name, &value, sizeof(value)) != 0)
        die("setsockopt");
}

static int open_port(const char *name)
{
    struct sockaddr_ll at = {.sll_family = AF_PACKET,
                             .sll_protocol = htons(ETH_P_ALL),
                             .sll_ifindex = (int)if_nametoindex(name)};
    struct packet_mreq all = {.mr_ifindex = at.sll_ifindex, .mr_type = PACKET_MR_PROMISC};
    int fd = socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK, 0);

    if (fd < 0 || at.sll_ifindex == 0)
        die(name);
    set(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, 1);
    set(fd, SOL_PACKET, PACKET_VNET_HDR, 1);
    set(fd, SOL_SOCKET, SO_RCVBUFFORCE, BUFFER);
    set(fd, SOL_SOCKET, SO_SNDBUFFORCE, BUFFER);
    if (setsockopt(fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &all, sizeof(all)) != 0 ||
        bind(fd, (const struct sockaddr *)&at, sizeof(at)) != 0)
        die(name);
    return fd;
}

/* False: nothing there. What finds the queue full is lost, as on any link. */
static bool take(struct direction *d, int64_t delay_ns)
{
    static uint8_t room[FRAME_MAX];
    ssize_t len = recv(d->from, room, sizeof(room), MSG_DONTWAIT);

    if (len < (ssize_t)sizeof(struct virtio_net_hdr))
        return false;
    struct frame *frame = d->count < QUEUE_MAX ? malloc(sizeof(*frame) + (size_t)len) : NULL;
    if (frame == NULL)
        return true;
    frame->due_ns = now_ns() + delay_ns;
    frame->len = (size_t)len;
    memcpy(frame->octets, room, (size_t)len);
    STAILQ_INSERT_TAIL(&d->queue, frame, next);
    d->count++;
    return true;
}

static void give(struct direction *d)
{
    struct frame *frame;

    while ((frame = STAILQ_FIRST(&d->queue)) != NULL && frame->due_ns <= now_ns()) {
        STAILQ_REMOVE_HEAD(&d->queue, next);
        d->count--;
        /* A port that is down loses it. */
        if (send(d->to, frame->octets, frame->len, MSG_DONTWAIT) < 0 && errno == ENOTSUP)
            die("send");
        free(frame);
    }
}

static int64_t next_due(const struct direction *d)
{
    const struct frame *frame = STAILQ_FIRST(&d->queue);
    return frame != NULL ? frame->due_ns : INT64_MAX;
}

static void wait_for_work(const struct direction *both)
{
    struct pollfd ready[] = {{.fd = both[0].from, .events = POLLIN},
                             {.fd = both[1].from, .events = POLLIN}};
    int64_t a = next_due(&both[0]), b = next_due(&both[1]), at = a < b ? a : b;
    int64_t left = at == INT64_MAX ? 1000000000 : at - now_ns();
    struct timespec wait = {.tv_nsec = left > 0 ? left % 1000000000 : 0,
                            .tv_sec = left > 0 ? left / 1000000000 : 0};

    ppoll(ready, 2, &wait, NULL);
}

int main(int argc, char **argv)
{
    int ms = argc == 4 ? atoi(argv[3]) : -1;

    if (ms < 0 || ms > MS_MAX) {
        fprintf(stderr, "usage: delay PORT-A PORT-B MS\n");
        return 2;
    }
    int a = open_port(argv[1]), b = open_port(argv[2]);
    struct direction both[] = {{.from = a, .to = b}, {.from = b, .to = a}};
    for (int i = 0; i < 2; i++)
        STAILQ_INIT(&both[i].queue);
    printf("ready\n");
    fflush(stdout);
    for (;;) {
        wait_for_work(both);
        for (int i = 0; i < 2; i++) {
            give(&both[i]);
            for (int k = 0; k < 64 && take(&both[i], ms * 1000000LL); k++)
                continue;
        }
    }
}
