/*
 * Sending and receiving on a SOCK_SEQPACKET channel between two processes: one message is one
 * datagram, and order is kept. The socket belongs to the caller.
 */
#ifndef CYGNET_DAEMON_SEQPACKET_H
#define CYGNET_DAEMON_SEQPACKET_H

#include "base/view.h"

enum seqpacket_result {
    SEQPACKET_OK,
    SEQPACKET_AGAIN, /* nothing there, or no room */
    SEQPACKET_GONE,  /* the partner has closed its end */
};

/* Never blocks. A message longer than the room is cut off; it then fails to parse. */
enum seqpacket_result seqpacket_receive(int fd, struct span room, struct view *ret);
/* Never blocks. */
enum seqpacket_result seqpacket_send(int fd, struct view message);
/* Waits for room as long as it takes: for helpers that have nothing better to do. */
enum seqpacket_result seqpacket_send_wait(int fd, struct view message);

#endif
