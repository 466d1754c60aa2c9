/*
 * A SOCK_SEQPACKET socket to another process that may be slow, die and come back. What doesn't go
 * out at once waits in order, up to a limit; beyond it messages are lost and counted, which PF_KEY's
 * users are made for (OE-021). Owns its descriptor. Messages may hold keys and are wiped.
 */
#ifndef CYGNET_PLANE_IO_CHANNEL_H
#define CYGNET_PLANE_IO_CHANNEL_H

#include "base/view.h"

struct channel_message;

struct channel {
    int fd; /* -1: nobody there */
    struct channel_message *first, **last;
    size_t waiting; /* octets */
    uint64_t lost;
};

enum channel_result { CHANNEL_MESSAGE, CHANNEL_EMPTY, CHANNEL_CLOSED };

void channel_init(struct channel *channel);
/* Takes over fd, closing an older one and forgetting what waited for it. */
void channel_open(struct channel *channel, int fd);
void channel_close(struct channel *channel);
void channel_send(struct channel *channel, struct view message);
/* Sends what waits; call when the socket becomes writable. */
void channel_flush(struct channel *channel);
static inline bool channel_is_waiting(const struct channel *channel)
{
    return channel->first != NULL;
}
/* A message longer than the room is dropped as if it had never come. */
enum channel_result channel_receive(struct channel *channel, struct span room, size_t *ret_len);

#endif
