#include "daemon/stub.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unbound.h>
#include <unistd.h>

#include "daemon/stub_message.h"
#include "wire/dnsrec.h"

enum { DNS_CLASS_IN = 1, STUB_SOCKETS = 16, DATAGRAMS_PER_TURN = 32, LENGTH_OCTETS = 2 };

struct stub {
    struct event_base *base;
    struct ub_ctx *ub;
    struct event *sockets[STUB_SOCKETS];
    size_t socket_count;
    struct ask *asks;               /* all being worked on */
    struct connection *connections; /* all TCP clients */
    size_t ask_count, connection_count;
    stub_tell_fn *tell;
    void *ctx;
};

/* A TCP client. One that has left stays until its last question is answered. */
struct connection {
    struct connection *next, **link;
    struct stub *stub;
    struct bufferevent *stream; /* NULL: it has left */
    size_t asks;
};

struct lookup {
    struct ask *ask;
    int async_id;
    bool running;
    int error;
    struct ub_result *result;
};

/* One question of one client, and the two that it takes to answer it. */
struct ask {
    struct ask *next, **link;
    struct stub *stub;
    struct stub_query query;
    struct connection *connection; /* NULL: it came over UDP */
    int fd;
    struct sockaddr_storage client;
    socklen_t client_len;
    struct lookup asked, key; /* what the client asked; IPSECKEY at the same name */
    struct event *patience;
};

#define LIST_ADD(head, item)                                                                       \
    do {                                                                                           \
        (item)->next = *(head);                                                                    \
        (item)->link = (head);                                                                     \
        if ((item)->next != NULL)                                                                  \
            (item)->next->link = &(item)->next;                                                    \
        *(head) = (item);                                                                          \
    } while (0)
#define LIST_REMOVE(item)                                                                          \
    do {                                                                                           \
        *(item)->link = (item)->next;                                                              \
        if ((item)->next != NULL)                                                                  \
            (item)->next->link = (item)->link;                                                     \
    } while (0)

/* --- TCP clients ----------------------------------------------------------------------------- */

static void connection_leave(struct connection *c)
{
    if (c->stream != NULL)
        bufferevent_free(c->stream);
    c->stream = NULL;
    if (c->asks != 0)
        return;
    c->stub->connection_count--;
    LIST_REMOVE(c);
    free(c);
}

static void send_stream(struct connection *c, struct view reply)
{
    uint8_t length[LENGTH_OCTETS] = {(uint8_t)(reply.len >> 8), (uint8_t)reply.len};
    if (c->stream == NULL || reply.len > STUB_MESSAGE_MAX)
        return;
    bufferevent_write(c->stream, length, sizeof(length));
    bufferevent_write(c->stream, reply.ptr, reply.len);
}

/* --- one question ------------------------------------------------------------------------------ */

static void lookup_end(struct stub *stub, struct lookup *lookup)
{
    if (lookup->running)
        ub_cancel(stub->ub, lookup->async_id);
    lookup->running = false;
    ub_resolve_free(lookup->result);
    lookup->result = NULL;
}

static void ask_free(struct ask *ask)
{
    struct connection *c = ask->connection;

    lookup_end(ask->stub, &ask->asked);
    lookup_end(ask->stub, &ask->key);
    if (ask->patience != NULL)
        event_free(ask->patience);
    stub_query_fini(&ask->query);
    ask->stub->ask_count--;
    LIST_REMOVE(ask);
    free(ask);
    if (c != NULL && --c->asks == 0 && c->stream == NULL)
        connection_leave(c);
}

static void send_reply(const struct ask *ask, struct view reply)
{
    if (reply.len == 0)
        return;
    if (ask->connection != NULL)
        send_stream(ask->connection, reply);
    else /* what is lost is asked again */
        (void)sendto(ask->fd, reply.ptr, reply.len, 0, (const struct sockaddr *)&ask->client,
                     ask->client_len);
    free((uint8_t *)(uintptr_t)reply.ptr);
}

static bool is_secure_find(const struct lookup *lookup)
{
    const struct ub_result *r = lookup->result;
    return lookup->error == 0 && r != NULL && r->havedata && r->secure && !r->bogus;
}

/* The canonical name is the one that has both records. */
static const char *name_of(const struct ub_result *result)
{
    return result->canonname != NULL ? result->canonname : result->qname;
}

static void tell_names(const struct ask *ask)
{
    const struct ub_result *r = ask->asked.result;
    struct identity name;

    if (!is_secure_find(&ask->asked) || !is_secure_find(&ask->key) ||
        !identity_of_fqdn(view_of_text(name_of(r)), &name))
        return;
    for (size_t i = 0; i < LIMIT_DNS_RECORDS && r->data[i] != NULL; i++) {
        struct ip_addr addr = ip_addr_from(view_of(r->data[i], (size_t)r->len[i]));
        if (addr.family != IP_NONE)
            ask->stub->tell(ask->stub->ctx, &name, &addr, r->ttl > 0 ? (uint32_t)r->ttl : 0);
    }
}

static void answer(struct ask *ask)
{
    const struct ub_result *r = ask->asked.result;
    struct view reply = {0};

    tell_names(ask);
    if (ask->asked.error == 0 && r != NULL && !r->bogus && r->answer_packet != NULL)
        reply = stub_reply_answer(&ask->query, view_of(r->answer_packet, (size_t)r->answer_len),
                                  r->secure != 0);
    if (reply.len == 0) /* also what validation found bogus: nobody is to use it */
        reply = stub_reply_code(&ask->query, STUB_SERVFAIL);
    send_reply(ask, reply);
    ask_free(ask);
}

static void on_patience(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    answer(arg);
}

static void wait_for_key(struct ask *ask)
{
    struct timeval wait = {.tv_usec = STUB_PATIENCE_MS * 1000};
    ask->patience = event_new(ask->stub->base, -1, 0, on_patience, ask);
    if (ask->patience == NULL || event_add(ask->patience, &wait) != 0)
        answer(ask);
}

static void on_lookup(void *arg, int error, struct ub_result *result)
{
    struct lookup *lookup = arg;
    struct ask *ask = lookup->ask;

    lookup->running = false;
    lookup->error = error;
    lookup->result = result;
    if (ask->asked.running)
        return;
    if (ask->key.running && is_secure_find(&ask->asked))
        wait_for_key(ask);
    else
        answer(ask);
}

static bool lookup_begin(struct ask *ask, struct lookup *lookup, uint16_t type)
{
    lookup->ask = ask;
    lookup->running = ub_resolve_async(ask->stub->ub, ask->query.name, type, DNS_CLASS_IN, lookup,
                                       on_lookup, &lookup->async_id) == 0;
    return lookup->running;
}

/* Answers, now or later, what one client sent. False: it makes no sense. */
static bool take_message(struct stub *stub, struct view bytes, struct connection *connection,
                         int fd, const struct sockaddr_storage *client, socklen_t client_len)
{
    enum stub_rcode rcode = STUB_SERVFAIL;
    struct ask *ask = calloc(1, sizeof(*ask));
    enum err err = ask == NULL ? ERR_MEMORY
                               : stub_query_parse(bytes, connection != NULL, &ask->query, &rcode);
    if (err != ERR_OK && err != ERR_UNSUPPORTED) {
        free(ask);
        return err == ERR_MEMORY;
    }
    ask->stub = stub;
    ask->connection = connection;
    ask->fd = fd;
    if (client != NULL)
        ask->client = *client;
    ask->client_len = client_len;
    LIST_ADD(&stub->asks, ask);
    stub->ask_count++;
    if (connection != NULL)
        connection->asks++;

    bool address = ask->query.type == DNS_TYPE_A || ask->query.type == DNS_TYPE_AAAA;
    bool room = err == ERR_OK && stub->ask_count <= STUB_QUERIES;
    /* The key first: should it be known already, it is there when the answer is. */
    if (room && address)
        (void)lookup_begin(ask, &ask->key, DNS_TYPE_IPSECKEY);
    if (room && lookup_begin(ask, &ask->asked, ask->query.type))
        return true;
    send_reply(ask, stub_reply_code(&ask->query, err == ERR_OK ? STUB_SERVFAIL : rcode));
    ask_free(ask);
    return true;
}

/* --- sockets ----------------------------------------------------------------------------------- */

static void on_datagram(evutil_socket_t fd, short what, void *arg)
{
    static uint8_t room[STUB_MESSAGE_MAX];
    struct stub *stub = arg;

    (void)what;
    for (int i = 0; i < DATAGRAMS_PER_TURN; i++) {
        struct sockaddr_storage client = {0};
        socklen_t client_len = sizeof(client);
        ssize_t len = recvfrom(fd, room, sizeof(room), MSG_DONTWAIT, (struct sockaddr *)&client,
                               &client_len);
        if (len < 0)
            return;
        (void)take_message(stub, view_of(room, (size_t)len), NULL, fd, &client, client_len);
    }
}

/* RFC 7766: several questions may come at once, and answers go out as they are there. */
static void on_stream(struct bufferevent *stream, void *arg)
{
    struct connection *c = arg;
    struct evbuffer *in = bufferevent_get_input(stream);
    uint8_t length[LENGTH_OCTETS];
    bool sane = true;

    while (sane && evbuffer_copyout(in, length, sizeof(length)) == LENGTH_OCTETS) {
        size_t len = (size_t)length[0] << 8 | length[1];
        if (evbuffer_get_length(in) < LENGTH_OCTETS + len)
            break;
        const uint8_t *octets = evbuffer_pullup(in, (ssize_t)(LENGTH_OCTETS + len));
        sane = octets != NULL && take_message(c->stub, view_of(octets + LENGTH_OCTETS, len), c, -1,
                                              NULL, 0);
        evbuffer_drain(in, LENGTH_OCTETS + len);
    }
    if (!sane)
        connection_leave(c);
}

static void on_stream_event(struct bufferevent *stream, short what, void *arg)
{
    (void)stream;
    (void)what; /* end of file, an error or idleness: all the same */
    connection_leave(arg);
}

static bool connection_open(struct stub *stub, int fd)
{
    struct timeval idle = {.tv_sec = STUB_IDLE_S};
    struct connection *c = calloc(1, sizeof(*c));

    if (c == NULL)
        return false;
    c->stub = stub;
    c->stream = bufferevent_socket_new(stub->base, fd, BEV_OPT_CLOSE_ON_FREE);
    if (c->stream == NULL) {
        free(c);
        return false;
    }
    LIST_ADD(&stub->connections, c);
    stub->connection_count++;
    bufferevent_setcb(c->stream, on_stream, NULL, on_stream_event, c);
    bufferevent_setwatermark(c->stream, EV_READ, 0, LENGTH_OCTETS + STUB_MESSAGE_MAX);
    bufferevent_set_timeouts(c->stream, &idle, &idle);
    bufferevent_enable(c->stream, EV_READ | EV_WRITE);
    return true;
}

static void on_connect(evutil_socket_t listener, short what, void *arg)
{
    struct stub *stub = arg;
    int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

    (void)what;
    if (fd >= 0 && (stub->connection_count >= STUB_CONNECTIONS || !connection_open(stub, fd)))
        close(fd);
}

struct stub *stub_new(struct event_base *base, struct ub_ctx *ub, const int *fds, size_t count,
                      stub_tell_fn *tell, void *ctx)
{
    struct stub *stub = calloc(1, sizeof(*stub));

    if (stub == NULL)
        return NULL;
    *stub = (struct stub){.base = base, .ub = ub, .tell = tell, .ctx = ctx};
    for (size_t i = 0; i < count && i < STUB_SOCKETS; i++) {
        struct event *event = event_new(base, fds[i], EV_READ | EV_PERSIST,
                                        i % 2 == 0 ? on_datagram : on_connect, stub);
        if (event == NULL || event_add(event, NULL) != 0) {
            if (event != NULL)
                event_free(event);
            stub_free(stub);
            return NULL;
        }
        stub->sockets[stub->socket_count++] = event;
    }
    return stub;
}

void stub_free(struct stub *stub)
{
    if (stub == NULL)
        return;
    while (stub->asks != NULL)
        ask_free(stub->asks);
    while (stub->connections != NULL)
        connection_leave(stub->connections);
    for (size_t i = 0; i < stub->socket_count; i++)
        event_free(stub->sockets[i]);
    free(stub);
}
