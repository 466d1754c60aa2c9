/* What goes through a stream: whole messages in, whole messages out, whatever TCP makes of them. */
#include "plane/io/streams_private.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum { READS_AT_ONCE = 4 };

void stream_forget_data(struct stream *stream)
{
    free(stream->rest); /* section 6.1: half a message is discarded */
    free(stream->out);
    stream->rest = stream->out = NULL;
    stream->rest_len = stream->out_at = stream->out_len = 0;
    stream->bad = 0;
}

/* Out */

/* The prefix goes before whatever waits for the connection already. */
enum err stream_put_prefix(struct streams *streams, struct stream *stream)
{
    if (stream->out == NULL)
        stream->out = malloc(STREAMS_OUT_OCTETS);
    if (stream->out == NULL) {
        streams_count(streams, STREAMS_COUNT_NO_MEMORY);
        return ERR_MEMORY;
    }
    if (stream->out_at != 0 || stream->out_len > STREAMS_OUT_OCTETS - IKE_STREAM_PREFIX_LEN)
        return ERR_LIMIT;
    memmove(stream->out + IKE_STREAM_PREFIX_LEN, stream->out, stream->out_len);
    ike_stream_prefix(stream->out);
    stream->out_len += IKE_STREAM_PREFIX_LEN;
    return ERR_OK;
}

static bool make_room(struct stream *stream, size_t len, size_t limit)
{
    if (stream->out_len + len > limit)
        return false;
    if (stream->out_at + stream->out_len + len > STREAMS_OUT_OCTETS) {
        memmove(stream->out, stream->out + stream->out_at, stream->out_len);
        stream->out_at = 0;
    }
    return true;
}

enum err stream_put(struct streams *streams, struct stream *stream, bool ike, struct view message)
{
    /* Room is left for the prefix, which may have to go in front. */
    size_t limit = ike ? STREAMS_OUT_OCTETS - IKE_STREAM_PREFIX_LEN : STREAMS_OUT_ESP;
    uint8_t header[IKE_STREAM_HEADER_MAX];
    size_t header_len = ike_stream_header(ike, message.len, header);

    if (stream->out == NULL)
        stream->out = malloc(STREAMS_OUT_OCTETS);
    if (stream->out == NULL) {
        streams_count(streams, STREAMS_COUNT_NO_MEMORY);
        return ERR_MEMORY;
    }
    if (header_len == 0 || !make_room(stream, header_len + message.len, limit)) {
        streams_count(streams, STREAMS_COUNT_OUT_FULL);
        return ERR_LIMIT;
    }
    uint8_t *at = stream->out + stream->out_at + stream->out_len;
    memcpy(at, header, header_len);
    memcpy(at + header_len, message.ptr, message.len);
    stream->out_len += header_len + message.len;
    stream->dirty = streams->any_dirty = true;
    return ERR_OK;
}

/* False: the connection has ended. */
static bool write_some(struct stream *stream)
{
    while (stream->out_len != 0) {
        ssize_t len = send(stream->fd, stream->out + stream->out_at, stream->out_len,
                           MSG_DONTWAIT | MSG_NOSIGNAL);
        if (len < 0 && errno == EINTR)
            continue;
        if (len < 0)
            return errno == EAGAIN;
        stream->out_at += (size_t)len;
        stream->out_len -= (size_t)len;
    }
    stream->out_at = 0;
    return true;
}

void stream_write(struct streams *streams, mono_t now, struct stream *stream)
{
    stream->dirty = false;
    if (!write_some(stream)) {
        stream_lost(streams, now, stream);
        return;
    }
    stream_arm(streams, stream, stream->out_len != 0);
    if (stream->out_len == 0 && !stream->kept) { /* of strangers nothing is held for nothing */
        free(stream->out);
        stream->out = NULL;
    }
    if (stream->leaving && stream->out_len == 0 && stream_is_ours(stream))
        shutdown(stream->fd, SHUT_WR);
}

void streams_flush(struct streams *streams, mono_t now)
{
    if (!streams->any_dirty)
        return;
    streams->any_dirty = false;
    for (struct list *at = streams->all.next; at != &streams->all; at = at->next) {
        struct stream *stream = LIST_OWNER(at, struct stream, all);
        if (stream->dirty && stream->state == STREAM_OPEN && !stream->armed)
            stream_write(streams, now, stream);
    }
}

/* In */

static void add_packet(struct streams *streams, const struct stream *stream, struct view message,
                       size_t at)
{
    struct packet *packet = &streams->burst[at];
    *packet = (struct packet){
        .base = (uint8_t *)(uintptr_t)message.ptr,
        .room = (uint32_t)message.len,
        .len = (uint32_t)message.len,
        .outer = {.src = stream->remote.addr,
                  .dst = stream->local.addr,
                  .udp_src = stream->remote.port,
                  .udp_dst = stream->local.port,
                  .stream = stream->number},
    };
    streams->packets[at] = packet;
}

/* Section 6.1: a few that nobody can read are no reason to end a connection; only those in a row are. */
static void hand_over(struct streams *streams, struct stream *stream, size_t *count)
{
    if (*count == 0)
        return;
    size_t good = streams->env.esp(streams->env.ctx, streams->packets, *count);
    streams->counters[STREAMS_COUNT_ESP_IN] += *count;
    stream->bad = good != 0 ? 0 : stream->bad + (unsigned)*count;
    *count = 0;
}

/* False: the connection has to be closed. */
static bool take_message(struct streams *streams, struct stream *stream, enum ike_stream_kind kind,
                         struct view message, size_t *count)
{
    switch (kind) {
    case IKE_STREAM_IKE:
        hand_over(streams, stream, count);
        streams_count(streams, STREAMS_COUNT_IKE_IN);
        streams->env.ike(streams->env.ctx, &stream->local, &stream->remote, message);
        break;
    case IKE_STREAM_ESP:
        add_packet(streams, stream, message, (*count)++);
        if (*count == LIMIT_BURST)
            hand_over(streams, stream, count);
        break;
    case IKE_STREAM_KEEPALIVE:
        streams_count(streams, STREAMS_COUNT_KEEPALIVE_IN);
        break;
    case IKE_STREAM_MALFORMED:
        streams_count(streams, STREAMS_COUNT_MALFORMED);
        stream->bad++;
        break;
    case IKE_STREAM_EMPTY:
    case IKE_STREAM_MORE:
        break;
    case IKE_STREAM_BROKEN:
        return false;
    }
    return stream->bad <= STREAMS_BAD_MOST;
}

/* Section 6.1: nothing counts before the prefix. False: this isn't it. */
static bool take_prefix(struct streams *streams, mono_t now, struct stream *stream,
                        struct view *bytes)
{
    if (!stream->prefix_due)
        return true;
    switch (ike_stream_begin(*bytes)) {
    case IKE_STREAM_EMPTY:
        break;
    case IKE_STREAM_MORE:
        return true;
    default:
        streams_count(streams, STREAMS_COUNT_BAD_PREFIX);
        return false;
    }
    *bytes = view_of(bytes->ptr + IKE_STREAM_PREFIX_LEN, bytes->len - IKE_STREAM_PREFIX_LEN);
    stream->prefix_due = false;
    stream_set_deadline(streams, stream, mono_add(now, STREAMS_UNPROVEN_MS - STREAMS_PREFIX_MS));
    return true;
}

static bool take_all(struct streams *streams, mono_t now, struct stream *stream,
                     struct view *bytes)
{
    size_t count = 0, used = 0;
    struct view message = {.ptr = NULL};
    enum ike_stream_kind kind;
    bool ok = true;

    if (!take_prefix(streams, now, stream, bytes))
        return false;
    if (stream->prefix_due)
        return true;
    while (ok && stream->state == STREAM_OPEN &&
           (kind = ike_stream_next(*bytes, &used, &message)) != IKE_STREAM_MORE) {
        ok = take_message(streams, stream, kind, message, &count);
        if (ok)
            *bytes = view_of(bytes->ptr + used, bytes->len - used);
    }
    hand_over(streams, stream, &count);
    ok = ok && stream->bad <= STREAMS_BAD_MOST;
    if (!ok)
        streams_count(streams, STREAMS_COUNT_BROKEN);
    return ok;
}

/* The beginning of a message waits for its end, in no more memory than the peer has filled. */
static bool keep_rest(struct streams *streams, struct stream *stream, struct view bytes)
{
    free(stream->rest);
    stream->rest = NULL;
    stream->rest_len = 0;
    if (bytes.len == 0)
        return true;
    stream->rest = malloc(bytes.len);
    if (stream->rest == NULL) {
        streams_count(streams, STREAMS_COUNT_NO_MEMORY);
        return false;
    }
    memcpy(stream->rest, bytes.ptr, bytes.len);
    stream->rest_len = bytes.len;
    return true;
}

/* False: there is no more, for now or for ever. */
static bool read_once(struct streams *streams, mono_t now, struct stream *stream)
{
    size_t room = sizeof(streams->room) - stream->rest_len;
    ssize_t len;

    if (stream->rest_len != 0)
        memcpy(streams->room, stream->rest, stream->rest_len);
    do
        len = recv(stream->fd, streams->room + stream->rest_len, room, MSG_DONTWAIT);
    while (len < 0 && errno == EINTR);
    if (len < 0 && errno == EAGAIN)
        return false;
    if (len <= 0) {
        stream_lost(streams, now, stream);
        return false;
    }
    struct view bytes = view_of(streams->room, stream->rest_len + (size_t)len);
    bool ok = take_all(streams, now, stream, &bytes);
    if (stream->state != STREAM_OPEN)
        return false;
    if (!ok || !keep_rest(streams, stream, bytes)) {
        stream_lost(streams, now, stream);
        return false;
    }
    return (size_t)len == room;
}

void stream_read(struct streams *streams, mono_t now, struct stream *stream)
{
    for (unsigned i = 0; i < READS_AT_ONCE && read_once(streams, now, stream); i++)
        ;
}
