/*
 * What streams.c (which streams there are, and for how long) and streams_data.c (what goes through them) share.
 */
#ifndef CYGNET_PLANE_IO_STREAMS_PRIVATE_H
#define CYGNET_PLANE_IO_STREAMS_PRIVATE_H

#include "base/map.h"
#include "plane/io/streams.h"
#include "plane/list.h"
#include "wire/ike_stream.h"

#define STREAMS_COUNTERS(X)                                                                        \
    X(ACCEPTED, "tcp_accepted")                                                                    \
    X(CONNECTED, "tcp_connected")                                                                  \
    X(LOST, "tcp_lost")                       /* connections that ended of themselves */           \
    X(REFUSED_SOURCE, "tcp_refused_source")   /* too many strangers from there */                  \
    X(REFUSED_FULL, "tcp_refused_full")                                                            \
    X(EVICTED, "tcp_evicted")                 /* a stranger made room for another */               \
    X(EXPIRED, "tcp_expired")                 /* nobody we know came through it in time */         \
    X(BAD_PREFIX, "tcp_bad_prefix")                                                                \
    X(BROKEN, "tcp_broken")                   /* closed for what came through it */                \
    X(MALFORMED, "tcp_in_malformed")                                                               \
    X(IKE_IN, "tcp_ike_in")                                                                        \
    X(ESP_IN, "tcp_esp_in")                                                                        \
    X(KEEPALIVE_IN, "tcp_keepalive_in")                                                            \
    X(IKE_OUT, "tcp_ike_out")                                                                      \
    X(ESP_OUT, "tcp_esp_out")                                                                      \
    X(OUT_FULL, "tcp_out_full")               /* the peer doesn't read */                          \
    X(OUT_NO_STREAM, "tcp_out_no_stream")                                                          \
    X(NO_MEMORY, "tcp_no_memory")

enum streams_counter_id {
#define STREAMS_COUNTER_ENUM(name, text) STREAMS_COUNT_##name,
    STREAMS_COUNTERS(STREAMS_COUNTER_ENUM)
#undef STREAMS_COUNTER_ENUM
        STREAMS_COUNTER_COUNT
};

enum stream_state {
    STREAM_WANTS_SOCKET,
    STREAM_CONNECTING,
    STREAM_OPEN,
    STREAM_LOST, /* ours, to be connected again */
    STREAM_OVER, /* to be freed, once nobody works with it */
};

struct stream {
    struct map_node by_number;
    uint32_t number;
    struct list all;     /* the latest first */
    enum stream_state state;
    int fd;              /* -1: none */
    bool prefix_due;     /* accepted: it has still to come */
    bool kept;           /* an authentic peer's */
    bool leaving;        /* nobody uses it any more */
    bool again;          /* ours: it was open before */
    bool armed;          /* we are told when it can be written */
    bool dirty;
    struct ip_endpoint local, remote; /* remote.stream: the number */
    mono_t deadline;     /* when something is done about it; MONO_NEVER */
    uint32_t retry_ms;
    unsigned bad;        /* messages in a row */
    uint8_t *rest;       /* the beginning of a message whose end has not come */
    size_t rest_len;
    uint8_t *out;        /* STREAMS_OUT_OCTETS; NULL: nothing waits */
    size_t out_at, out_len;
};

enum { STREAMS_READ_OCTETS = 128 * 1024 };

struct streams {
    struct streams_env env;
    int epoll;
    int listeners[2];
    bool deaf;           /* no descriptors are left: nothing is accepted until then */
    mono_t deaf_until;
    struct map by_number;
    struct list all;
    size_t accepted, unproven;
    uint32_t last_number;
    mono_t next;         /* not after the first deadline */
    bool any_dirty;
    struct packet burst[LIMIT_BURST];
    struct packet *packets[LIMIT_BURST];
    uint64_t counters[STREAMS_COUNTER_COUNT];
    uint8_t room[IKE_STREAM_FRAME_MAX + STREAMS_READ_OCTETS];
};

static inline void streams_count(struct streams *streams, enum streams_counter_id which)
{
    streams->counters[which]++;
}

static inline bool stream_is_ours(const struct stream *stream)
{
    return (stream->number & IP_STREAM_ACCEPTED) == 0;
}

/* streams.c */
void stream_set_deadline(struct streams *streams, struct stream *stream, mono_t at);
/* Its connection is of no use any more: ours is made again, if it is kept. */
void stream_lost(struct streams *streams, mono_t now, struct stream *stream);
/* Asks to be told, or not, when it can be written. */
void stream_arm(struct streams *streams, struct stream *stream, bool writable);

/* streams_data.c */
void stream_read(struct streams *streams, mono_t now, struct stream *stream);
void stream_write(struct streams *streams, mono_t now, struct stream *stream);
/* ERR_LIMIT: no room; ERR_MEMORY. */
enum err stream_put(struct streams *streams, struct stream *stream, bool ike, struct view message);
enum err stream_put_prefix(struct streams *streams, struct stream *stream);
/* What waits is worthless: the connection it was for has ended. */
void stream_forget_data(struct stream *stream);

#endif
