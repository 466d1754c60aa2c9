/*
 * IKE and ESP in a TCP stream (RFC 9329 sections 3 and 4): the prefix by which a stream begins, and the
 * messages in it, each behind its length. No state: the caller keeps what is not whole yet. Bytes are
 * untrusted; nothing is copied, and no message is longer than a length of 16 bits says.
 */
#ifndef CYGNET_WIRE_IKE_STREAM_H
#define CYGNET_WIRE_IKE_STREAM_H

#include "base/view.h"

enum {
    IKE_STREAM_PREFIX_LEN = 6,      /* "IKETCP", from who opened the connection and from nobody else */
    IKE_STREAM_HEADER_MAX = 6,      /* length, and the non-ESP marker of IKE */
    IKE_STREAM_MESSAGE_MAX = 65533, /* what a length can say of a message */
    IKE_STREAM_FRAME_MAX = 65535,
};

enum ike_stream_kind {
    IKE_STREAM_MORE,      /* nothing whole is there */
    IKE_STREAM_IKE,       /* an IKE message, without its marker */
    IKE_STREAM_ESP,
    IKE_STREAM_KEEPALIVE, /* to be ignored (section 6.6) */
    IKE_STREAM_EMPTY,     /* to be ignored (section 3) */
    IKE_STREAM_MALFORMED, /* neither IKE nor ESP: ignored, but too many of them mean a broken stream */
    IKE_STREAM_BROKEN,    /* a length of 0 or 1: the connection has to be closed (section 3.1) */
};

/* The prefix at the beginning: MORE; EMPTY: it is there; BROKEN: something else. */
enum ike_stream_kind ike_stream_begin(struct view bytes);
/* The first message; *ret_used octets are done with it, *ret_message is within bytes. */
enum ike_stream_kind ike_stream_next(struct view bytes, size_t *ret_used, struct view *ret_message);

void ike_stream_prefix(uint8_t ret[IKE_STREAM_PREFIX_LEN]);
/* What goes in front of a message of `len` octets; returns the length of that, or 0: it is too long. */
size_t ike_stream_header(bool ike, size_t len, uint8_t ret[IKE_STREAM_HEADER_MAX]);

#endif
