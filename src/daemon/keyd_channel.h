/*
 * One of keyd's channels to another process: messages over a SOCK_SEQPACKET descriptor, in libevent's
 * loop. What the kernel can't take at once waits in a bounded queue. The partner may go at any time:
 * then `closed` is called once and the channel is empty until channel_open() brings a new one.
 */
#ifndef CYGNET_DAEMON_KEYD_CHANNEL_H
#define CYGNET_DAEMON_KEYD_CHANNEL_H

#include "base/fifo.h"

struct event;
struct event_base;

struct channel {
    struct event_base *base;
    void *ctx;
    void (*message)(void *ctx, struct view message);
    void (*closed)(void *ctx);
    int fd; /* -1: no partner */
    struct event *readable, *writable;
    struct fifo waiting; /* struct view, each owning its octets */
    uint64_t lost;       /* messages for a partner that wasn't there or didn't read */
};

enum { CHANNEL_MESSAGE_MAX = 66000, CHANNEL_WAITING_MAX = 100000 };

void channel_init(struct channel *ch, struct event_base *base, void *ctx,
                  void (*message)(void *, struct view), void (*closed)(void *));
/* Takes over fd, non-blocking; a former partner's descriptor is closed without calling `closed`. */
MUST_USE bool channel_open(struct channel *ch, int fd);
void channel_close(struct channel *ch);
void channel_send(struct channel *ch, struct view message);

#endif
