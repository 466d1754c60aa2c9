/*
 * One of keyd's channels to another process, in libevent's loop: a plane/io/channel.h whose messages
 * and end come as calls. The partner may go at any time: then `closed` is called once, and the
 * channel is empty until keyd_channel_open() brings a new one.
 */
#ifndef CYGNET_DAEMON_KEYD_CHANNEL_H
#define CYGNET_DAEMON_KEYD_CHANNEL_H

#include "plane/io/channel.h"

struct event;
struct event_base;

struct keyd_channel {
    struct channel channel;
    struct event_base *base;
    struct event *readable, *writable;
    void *ctx;
    void (*message)(void *ctx, struct view message);
    void (*closed)(void *ctx);
};

enum { KEYD_CHANNEL_MESSAGE_MAX = 66000 };

void keyd_channel_init(struct keyd_channel *k, struct event_base *base, void *ctx,
                       void (*message)(void *, struct view), void (*closed)(void *));
/* Takes over fd; a former partner's descriptor is closed without calling `closed`. */
MUST_USE bool keyd_channel_open(struct keyd_channel *k, int fd);
void keyd_channel_close(struct keyd_channel *k);
/* To a partner that isn't there: lost, and counted. */
void keyd_channel_send(struct keyd_channel *k, struct view message);

#endif
