#include "plane/io/streams_private.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <string.h>
#include <unistd.h>

#include "plane/io/sockaddr.h"

enum {
    EVENTS_AT_ONCE = 32,
    ACCEPTS_AT_ONCE = 32,
    DEAF_MS = 1000,
    SEND_BUFFER = 512 * 1024,
    UNANSWERED_MS = 8000,  /* what is sent has to be acknowledged in that time */
    ALIVE_AFTER_S = 60,    /* a silent connection is probed by TCP, which keeps a NAT's mapping too */
    ALIVE_EVERY_S = 15,
    ALIVE_PROBES = 4,
};

/* Deadlines */

void stream_set_deadline(struct streams *streams, struct stream *stream, mono_t at)
{
    stream->deadline = at;
    streams->next = mono_min(streams->next, at);
}

mono_t streams_next_deadline(const struct streams *streams)
{
    return streams->next;
}

/* Connections */

/* Events name a stream by its place in memory, which it keeps until all of them are dealt with. */
static bool watch(struct streams *streams, int fd, void *what, uint32_t events, int operation)
{
    struct epoll_event event = {.events = events, .data.ptr = what};
    return epoll_ctl(streams->epoll, operation, fd, &event) == 0;
}

void stream_arm(struct streams *streams, struct stream *stream, bool writable)
{
    if (stream->fd < 0 || stream->armed == writable)
        return;
    if (watch(streams, stream->fd, stream, EPOLLIN | (writable ? (uint32_t)EPOLLOUT : 0),
              EPOLL_CTL_MOD))
        stream->armed = writable;
}

static void disconnect(struct stream *stream)
{
    if (stream->fd >= 0)
        close(stream->fd);
    stream->fd = -1;
    stream->armed = false;
    stream_forget_data(stream);
}

static struct stream *find(const struct streams *streams, uint32_t number)
{
    struct map_node *node = map_find(&streams->by_number, &number);
    return node != NULL ? MAP_OWNER(node, struct stream, by_number) : NULL;
}

/* Without a connection or a number from here on; the memory goes when nobody looks at it. */
static void end(struct streams *streams, struct stream *stream)
{
    if (stream->state == STREAM_OVER)
        return;
    disconnect(stream);
    map_remove(&streams->by_number, &stream->by_number);
    if (!stream_is_ours(stream)) {
        streams->accepted--;
        streams->unproven -= !stream->kept;
    }
    stream->state = STREAM_OVER;
    stream_set_deadline(streams, stream, (mono_t){0});
}

void stream_lost(struct streams *streams, mono_t now, struct stream *stream)
{
    if (stream->state == STREAM_OVER)
        return;
    if (!stream->leaving)
        streams_count(streams, STREAMS_COUNT_LOST);
    if (!stream_is_ours(stream) || !stream->kept) {
        end(streams, stream);
        return;
    }
    /* Section 6.1: who began the connection begins it again. */
    disconnect(stream);
    stream->state = STREAM_LOST;
    stream_set_deadline(streams, stream, mono_add(now, stream->retry_ms));
    stream->retry_ms = stream->retry_ms == 0 ? STREAMS_RETRY_MS : 2 * stream->retry_ms;
    if (stream->retry_ms > STREAMS_RETRY_MOST_MS)
        stream->retry_ms = STREAMS_RETRY_MOST_MS;
}

static struct stream *add(struct streams *streams, uint32_t number)
{
    struct stream *stream = calloc(1, sizeof(*stream));
    if (stream == NULL)
        return NULL;
    stream->number = number;
    stream->fd = -1;
    stream->deadline = MONO_NEVER;
    if (!map_insert(&streams->by_number, &stream->by_number)) {
        free(stream);
        return NULL;
    }
    list_push(&streams->all, &stream->all);
    return stream;
}

/* What every connection wants; a system that lacks one of them still has TCP. */
static void set_options(int fd)
{
    static const struct {
        int level, name, value;
    } options[] = {
        {IPPROTO_TCP, TCP_NODELAY, 1},
        {IPPROTO_TCP, TCP_USER_TIMEOUT, UNANSWERED_MS},
        {IPPROTO_TCP, TCP_KEEPIDLE, ALIVE_AFTER_S},
        {IPPROTO_TCP, TCP_KEEPINTVL, ALIVE_EVERY_S},
        {IPPROTO_TCP, TCP_KEEPCNT, ALIVE_PROBES},
        {SOL_SOCKET, SO_KEEPALIVE, 1},
        {SOL_SOCKET, SO_SNDBUF, SEND_BUFFER},
    };
    for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++)
        (void)!setsockopt(fd, options[i].level, options[i].name, &options[i].value,
                          sizeof(options[i].value));
}

static bool read_local(int fd, struct ip_endpoint *ret)
{
    struct sockaddr_in6 name = {0};
    socklen_t len = sizeof(name);
    return getsockname(fd, (struct sockaddr *)&name, &len) == 0 &&
           io_sockaddr_read(&name, &ret->addr, &ret->port);
}

/* Accepting */

static size_t strangers_from(const struct streams *streams, const struct ip_addr *addr)
{
    size_t count = 0;
    for (struct list *at = streams->all.next; at != &streams->all; at = at->next) {
        const struct stream *stream = LIST_OWNER(at, struct stream, all);
        count += !stream_is_ours(stream) && !stream->kept && stream->state != STREAM_OVER &&
                 ip_addr_equal(&stream->remote.addr, addr);
    }
    return count;
}

static void evict_oldest(struct streams *streams)
{
    for (struct list *at = streams->all.prev; at != &streams->all; at = at->prev) {
        struct stream *stream = LIST_OWNER(at, struct stream, all);
        if (stream_is_ours(stream) || stream->kept || stream->state == STREAM_OVER)
            continue;
        streams_count(streams, STREAMS_COUNT_EVICTED);
        end(streams, stream);
        return;
    }
}

static bool has_room(struct streams *streams, const struct ip_addr *from)
{
    if (strangers_from(streams, from) >= STREAMS_UNPROVEN_SOURCE) {
        streams_count(streams, STREAMS_COUNT_REFUSED_SOURCE);
        return false;
    }
    if (streams->unproven >= STREAMS_UNPROVEN_MAX)
        evict_oldest(streams);
    if (streams->accepted >= STREAMS_MAX) {
        streams_count(streams, STREAMS_COUNT_REFUSED_FULL);
        return false;
    }
    return true;
}

static uint32_t next_number(struct streams *streams)
{
    do
        streams->last_number = (streams->last_number + 1) | IP_STREAM_ACCEPTED;
    while (find(streams, streams->last_number) != NULL);
    return streams->last_number;
}

/* False: it has to be closed. */
static bool take(struct streams *streams, mono_t now, int fd, const struct sockaddr_in6 *name)
{
    struct ip_endpoint local = {.port = 0}, remote = {.port = 0};
    if (!io_sockaddr_read(name, &remote.addr, &remote.port) || !read_local(fd, &local) ||
        !has_room(streams, &remote.addr))
        return false;
    struct stream *stream = add(streams, next_number(streams));
    if (stream == NULL) {
        streams_count(streams, STREAMS_COUNT_NO_MEMORY);
        return false;
    }
    stream->state = STREAM_OPEN;
    stream->fd = fd;
    stream->prefix_due = true;
    stream->local = local;
    stream->remote = remote;
    stream->remote.stream = stream->number;
    streams->accepted++;
    streams->unproven++;
    streams_count(streams, STREAMS_COUNT_ACCEPTED);
    set_options(fd);
    stream_set_deadline(streams, stream, mono_add(now, STREAMS_PREFIX_MS));
    if (!watch(streams, fd, stream, EPOLLIN, EPOLL_CTL_ADD))
        end(streams, stream); /* closes it */
    return true;
}

static void listen_again(struct streams *streams, bool listen)
{
    for (size_t i = 0; i < 2; i++)
        if (streams->listeners[i] >= 0)
            (void)!watch(streams, streams->listeners[i], &streams->listeners[i],
                         listen ? (uint32_t)EPOLLIN : 0, EPOLL_CTL_MOD);
    streams->deaf = !listen;
}

static void accept_some(struct streams *streams, mono_t now, int listener)
{
    for (unsigned i = 0; i < ACCEPTS_AT_ONCE; i++) {
        struct sockaddr_in6 name = {0};
        socklen_t len = sizeof(name);
        int fd = accept4(listener, (struct sockaddr *)&name, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0 && (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)) {
            streams_count(streams, STREAMS_COUNT_REFUSED_FULL);
            streams->deaf_until = mono_add(now, DEAF_MS);
            streams->next = mono_min(streams->next, streams->deaf_until);
            listen_again(streams, false);
        }
        if (fd < 0 && errno != EINTR && errno != ECONNABORTED)
            return;
        if (fd >= 0 && !take(streams, now, fd, &name))
            close(fd);
    }
}

/* Connecting */

/* The port is a wish: then NAT detection knows it (section 6.5). On a second connection it would meet what the
 * peer still has of the first. */
static bool bind_here(const struct stream *stream, int fd)
{
    struct sockaddr_in6 name;
    socklen_t len = io_sockaddr_write(&stream->local.addr, stream->again ? 0 : stream->local.port,
                                      &name);
    if (bind(fd, (const struct sockaddr *)&name, len) == 0)
        return true;
    len = io_sockaddr_write(&stream->local.addr, 0, &name);
    return bind(fd, (const struct sockaddr *)&name, len) == 0;
}

static void connect_now(struct streams *streams, mono_t now, struct stream *stream, int fd)
{
    struct sockaddr_in6 name;
    socklen_t len = io_sockaddr_write(&stream->remote.addr, stream->remote.port, &name);

    set_options(fd);
    stream->fd = fd;
    stream->state = STREAM_CONNECTING;
    stream->armed = true;
    stream_set_deadline(streams, stream, mono_add(now, STREAMS_CONNECT_MS));
    if (!bind_here(stream, fd) ||
        (connect(fd, (const struct sockaddr *)&name, len) != 0 && errno != EINPROGRESS) ||
        !watch(streams, fd, stream, EPOLLIN | (uint32_t)EPOLLOUT, EPOLL_CTL_ADD))
        stream_lost(streams, now, stream);
}

static void want_socket(struct streams *streams, mono_t now, struct stream *stream)
{
    stream->state = STREAM_WANTS_SOCKET;
    stream_set_deadline(streams, stream, mono_add(now, STREAMS_CONNECT_MS));
    streams->env.wants_socket(streams->env.ctx, (enum ip_family)stream->remote.addr.family);
}

void streams_socket(struct streams *streams, mono_t now, enum ip_family family, int fd)
{
    for (struct list *at = streams->all.prev; at != &streams->all; at = at->prev) {
        struct stream *stream = LIST_OWNER(at, struct stream, all);
        if (stream->state == STREAM_WANTS_SOCKET && stream->remote.addr.family == family) {
            connect_now(streams, now, stream, fd);
            return;
        }
    }
    close(fd);
}

static struct stream *begin(struct streams *streams, mono_t now, const struct ip_endpoint *local,
                            const struct ip_endpoint *remote)
{
    struct stream *stream = add(streams, remote->stream);
    if (stream == NULL) {
        streams_count(streams, STREAMS_COUNT_NO_MEMORY);
        return NULL;
    }
    stream->local = *local;
    stream->remote = *remote;
    want_socket(streams, now, stream);
    return stream;
}

static mono_t unproven_end(const struct stream *stream, mono_t now)
{
    return stream->kept ? MONO_NEVER : mono_add(now, STREAMS_UNPROVEN_MS);
}

/* Connected, or refused. A new connection begins with the prefix (section 6.1). */
static void connected(struct streams *streams, mono_t now, struct stream *stream)
{
    socklen_t len = sizeof(int);
    int error = 0;
    if (getsockopt(stream->fd, SOL_SOCKET, SO_ERROR, &error, &len) != 0 || error != 0 ||
        !read_local(stream->fd, &stream->local)) {
        stream_lost(streams, now, stream);
        return;
    }
    streams_count(streams, STREAMS_COUNT_CONNECTED);
    stream->state = STREAM_OPEN;
    stream->retry_ms = 0;
    stream_set_deadline(streams, stream, unproven_end(stream, now));
    if (stream_put_prefix(streams, stream) != ERR_OK) {
        stream_lost(streams, now, stream);
        return;
    }
    stream_write(streams, now, stream);
    bool again = stream->again;
    stream->again = true;
    if (again && stream->state == STREAM_OPEN)
        streams->env.opened(streams->env.ctx, &stream->local, &stream->remote);
}

/* What keyd wants */

void streams_send_ike(struct streams *streams, mono_t now, const struct ip_endpoint *local,
                      const struct ip_endpoint *remote, struct view message)
{
    struct stream *stream = find(streams, remote->stream);
    if (message.len == 0)
        return;
    if (stream == NULL && (remote->stream & IP_STREAM_ACCEPTED) == 0)
        stream = begin(streams, now, local, remote);
    if (stream == NULL || stream->state == STREAM_LOST) {
        streams_count(streams, STREAMS_COUNT_OUT_NO_STREAM);
        return;
    }
    if (stream->state == STREAM_OPEN && stream_is_ours(stream))
        stream_set_deadline(streams, stream, unproven_end(stream, now));
    if (stream_put(streams, stream, true, message) == ERR_OK)
        streams_count(streams, STREAMS_COUNT_IKE_OUT);
}

void streams_send_esp(struct streams *streams, const struct packet *packet)
{
    struct stream *stream = find(streams, packet->outer.stream);
    if (stream == NULL || stream->state != STREAM_OPEN)
        streams_count(streams, STREAMS_COUNT_OUT_NO_STREAM);
    else if (stream_put(streams, stream, false, view_of(packet_data(packet), packet->len)) ==
             ERR_OK)
        streams_count(streams, STREAMS_COUNT_ESP_OUT);
}

static void set_kept(struct streams *streams, struct stream *stream, bool kept)
{
    if (!stream_is_ours(stream) && stream->kept != kept)
        streams->unproven += kept ? (size_t)-1 : 1;
    stream->kept = kept;
}

void streams_keep(struct streams *streams, mono_t now, const struct ip_endpoint *local,
                  const struct ip_endpoint *remote)
{
    struct stream *stream = find(streams, remote->stream);
    if (stream == NULL && (remote->stream & IP_STREAM_ACCEPTED) == 0) {
        stream = begin(streams, now, local, remote);
        if (stream != NULL)
            stream->again = true;
    }
    if (stream == NULL)
        return;
    set_kept(streams, stream, true);
    stream->leaving = false;
    if (stream->state == STREAM_OPEN)
        stream_set_deadline(streams, stream, MONO_NEVER);
}

/* Ours is closed once everything is out; the peer is given a moment to close its own (section 6.1). */
void streams_close(struct streams *streams, mono_t now, uint32_t number)
{
    struct stream *stream = find(streams, number);
    if (stream == NULL || (!stream_is_ours(stream) && !stream->kept))
        return;
    set_kept(streams, stream, false);
    stream->leaving = true;
    if (stream->state != STREAM_OPEN) {
        end(streams, stream);
        return;
    }
    stream_set_deadline(streams, stream, mono_add(now, STREAMS_LEAVE_MS));
    stream_write(streams, now, stream);
}

void streams_forget_owners(struct streams *streams, mono_t now)
{
    for (struct list *at = streams->all.next; at != &streams->all; at = at->next) {
        struct stream *stream = LIST_OWNER(at, struct stream, all);
        if (stream->state == STREAM_OVER || !stream->kept)
            continue;
        set_kept(streams, stream, false);
        stream_set_deadline(streams, stream, mono_add(now, STREAMS_UNPROVEN_MS));
    }
}

/* Events */

static void handle(struct streams *streams, mono_t now, struct stream *stream, uint32_t events)
{
    if (stream->state == STREAM_CONNECTING) {
        if ((events & (EPOLLOUT | EPOLLERR | EPOLLHUP)) != 0)
            connected(streams, now, stream);
        return;
    }
    if ((events & EPOLLOUT) != 0 && stream->state == STREAM_OPEN)
        stream_write(streams, now, stream);
    if ((events & (EPOLLIN | EPOLLERR | EPOLLHUP)) != 0 && stream->state == STREAM_OPEN)
        stream_read(streams, now, stream);
}

static void sweep(struct streams *streams)
{
    for (struct list *at = streams->all.next, *next; at != &streams->all; at = next) {
        struct stream *stream = LIST_OWNER(at, struct stream, all);
        next = at->next;
        if (stream->state != STREAM_OVER)
            continue;
        list_remove(&stream->all);
        free(stream);
    }
}

void streams_ready(struct streams *streams, mono_t now)
{
    struct epoll_event events[EVENTS_AT_ONCE];
    int count = epoll_wait(streams->epoll, events, EVENTS_AT_ONCE, 0);

    for (int i = 0; i < count; i++) {
        void *what = events[i].data.ptr;
        if (what == &streams->listeners[0] || what == &streams->listeners[1])
            accept_some(streams, now, *(int *)what);
        else
            handle(streams, now, what, events[i].events);
    }
    streams_flush(streams, now);
    sweep(streams);
}

static void due(struct streams *streams, mono_t now, struct stream *stream)
{
    stream->deadline = MONO_NEVER;
    switch (stream->state) {
    case STREAM_WANTS_SOCKET:
    case STREAM_CONNECTING:
        stream_lost(streams, now, stream);
        break;
    case STREAM_LOST:
        want_socket(streams, now, stream);
        break;
    case STREAM_OPEN:
        streams_count(streams, STREAMS_COUNT_EXPIRED);
        end(streams, stream);
        break;
    case STREAM_OVER:
        break;
    }
}

void streams_timer(struct streams *streams, mono_t now)
{
    streams->next = MONO_NEVER;
    if (streams->deaf && mono_reached(now, streams->deaf_until))
        listen_again(streams, true);
    else if (streams->deaf)
        streams->next = streams->deaf_until;
    for (struct list *at = streams->all.next; at != &streams->all; at = at->next) {
        struct stream *stream = LIST_OWNER(at, struct stream, all);
        if (mono_reached(now, stream->deadline))
            due(streams, now, stream);
        if (stream->state != STREAM_OVER)
            streams->next = mono_min(streams->next, stream->deadline);
    }
    sweep(streams);
}

/* Birth and death */

enum err streams_new(int listen_v4, int listen_v6, const struct streams_env *env,
                     struct streams **ret)
{
    struct streams *streams = calloc(1, sizeof(*streams));
    if (streams == NULL)
        return ERR_MEMORY;
    streams->env = *env;
    streams->listeners[0] = listen_v4;
    streams->listeners[1] = listen_v6;
    streams->next = MONO_NEVER;
    /* What a former plane numbered is not to be mistaken for what we do. */
    streams->last_number = rng_u32(&env->rng);
    list_init(&streams->all);
    map_init(&streams->by_number, MAP_KEY_OFFSET(struct stream, by_number, number),
             sizeof(uint32_t), &env->rng);
    streams->epoll = epoll_create1(EPOLL_CLOEXEC);
    bool ok = streams->epoll >= 0;
    for (size_t i = 0; i < 2 && ok; i++)
        ok = streams->listeners[i] < 0 || watch(streams, streams->listeners[i],
                                                &streams->listeners[i], EPOLLIN, EPOLL_CTL_ADD);
    if (!ok) {
        streams_free(streams);
        return ERR_STATE;
    }
    *ret = streams;
    return ERR_OK;
}

void streams_free(struct streams *streams)
{
    if (streams == NULL)
        return;
    for (struct list *at = streams->all.next; at != &streams->all; at = at->next)
        end(streams, LIST_OWNER(at, struct stream, all));
    sweep(streams);
    map_fini(&streams->by_number);
    explicit_bzero(streams->room, sizeof(streams->room)); /* clear datagrams lie in it */
    if (streams->epoll >= 0)
        close(streams->epoll);
    free(streams);
}

int streams_fd(const struct streams *streams)
{
    return streams->epoll;
}

bool streams_counter(const struct streams *streams, size_t i, const char **ret_name,
                     uint64_t *ret_value)
{
    static const char *const names[] = {
#define STREAMS_COUNTER_TEXT(name, text) [STREAMS_COUNT_##name] = text,
        STREAMS_COUNTERS(STREAMS_COUNTER_TEXT)
#undef STREAMS_COUNTER_TEXT
    };
    if (i >= STREAMS_COUNTER_COUNT)
        return false;
    *ret_name = names[i];
    *ret_value = streams->counters[i];
    return true;
}
