/*
 * The server's child: messages over UDP and TCP, tunnels to the hosts, and the TUN device behind
 * which the leased addresses lie for the kernel. No decision is taken here.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemon/control_socket.h"
#include "daemon/log.h"
#include "daemon/rsipd/names.h"
#include "daemon/rsipd/own.h"
#include "daemon/rsipd/rsipd.h"
#include "daemon/rsipd/status.h"
#include "daemon/rsipd/store.h"
#include "daemon/rsipd/trace.h"
#include "rsip/reassemble.h"
#include "wire/ip.h"

enum { CONNECTIONS = 256, CONNECTIONS_OF_ONE = 4, BURST = 64, IDLE_S = 3600 };

struct server;

struct connection {
    struct server *server;
    struct bufferevent *stream;
    struct ip_endpoint host;
    uint64_t channel; /* 0: the slot is free */
};

struct server {
    const struct rsipd_server *config;
    const struct rsipd_fds *fds;
    struct event_base *base;
    struct event *timer;
    struct rsip_server *core;
    struct lease_store *store;
    struct control_socket *control;
    struct rsipd_names *names; /* NULL: none are looked up */
    struct reassembler *in, *out; /* RSIP-192 */
    struct connection connections[CONNECTIONS];
    uint64_t next_channel;
    struct rsipd_trace trace;
    uint8_t packet[LIMIT_PACKET];
};

static struct ip_endpoint endpoint_of(const struct sockaddr_in *sa)
{
    return (struct ip_endpoint){.addr = ip_addr_from(view_of(&sa->sin_addr, 4)),
                                .port = ntohs(sa->sin_port)};
}

static void send_message(struct server *s, const struct rsip_server_effect *effect)
{
    struct sockaddr_in sa = {.sin_family = AF_INET, .sin_port = htons(effect->host.port)};

    rsipd_trace_message(&s->trace, true, &effect->host.addr, effect->bytes);
    if (effect->transport == RSIP_UDP) {
        memcpy(&sa.sin_addr, effect->host.addr.octets, 4);
        (void)!sendto(s->fds->udp, effect->bytes.ptr, effect->bytes.len, MSG_DONTWAIT,
                      (const struct sockaddr *)&sa, sizeof(sa));
        return;
    }
    for (size_t i = 0; i < CONNECTIONS; i++)
        if (s->connections[i].channel == effect->channel && effect->channel != 0)
            bufferevent_write(s->connections[i].stream, effect->bytes.ptr, effect->bytes.len);
}

/* A name that can't be looked up counts as one that doesn't exist. */
static void ask_name(struct server *s, const struct rsip_server_effect *effect)
{
    const struct rsip_server_event none = {
        .kind = RSIP_SEV_RESOLVED, .host = effect->host, .serial = effect->serial};
    if (s->names == NULL ||
        !rsipd_names_ask(s->names, &effect->host.addr, effect->serial, effect->bytes))
        (void)rsip_server_input(s->core, rsipd_now(), &none);
}

static void set_timer(struct server *s)
{
    mono_t next = rsip_server_next_deadline(s->core);
    int64_t left = mono_since(next, rsipd_now());

    if (mono_is_never(next)) {
        event_del(s->timer);
        return;
    }
    left = left < 0 ? 0 : left;
    const struct timeval wait = {.tv_sec = left / 1000, .tv_usec = left % 1000 * 1000};
    event_add(s->timer, &wait);
}

/* What must be kept is kept before any answer leaves. */
static void drain(struct server *s)
{
    struct rsip_server_effect effect;

    while (rsip_server_next_effect(s->core, &effect)) {
        switch (effect.kind) {
        case RSIP_SFX_SEND:
            if (s->store != NULL)
                lease_store_flush(s->store);
            send_message(s, &effect);
            break;
        case RSIP_SFX_SAVE:
            if (s->store != NULL)
                lease_store_save(s->store, effect.serial, effect.bytes);
            break;
        case RSIP_SFX_FORGET:
            if (s->store != NULL)
                lease_store_forget(s->store, effect.serial);
            break;
        case RSIP_SFX_RESOLVE:
            ask_name(s, &effect);
            break;
        case RSIP_SFX_ADDRESS:
            break; /* the whole pool is ours all the time */
        }
    }
    if (s->store != NULL)
        lease_store_flush(s->store);
    set_timer(s);
}

static void on_name(void *ctx, const struct ip_addr *host, uint64_t serial,
                    const struct ip_addr *addrs, size_t count)
{
    struct server *s = ctx;
    const struct rsip_server_event event = {.kind = RSIP_SEV_RESOLVED,
                                            .host = {.addr = *host},
                                            .serial = serial,
                                            .addrs = addrs,
                                            .addr_count = count};
    (void)rsip_server_input(s->core, rsipd_now(), &event);
    drain(s);
}

static void on_timer(evutil_socket_t fd, short what, void *ctx)
{
    struct server *s = ctx;
    (void)fd;
    (void)what;
    rsip_server_timer(s->core, rsipd_now());
    drain(s);
}

static void take_message(struct server *s, const struct ip_endpoint *host,
                         enum rsip_transport transport, uint64_t channel, struct view bytes)
{
    const struct rsip_server_event event = {.kind = RSIP_SEV_MESSAGE,
                                            .host = *host,
                                            .transport = transport,
                                            .channel = channel,
                                            .bytes = bytes};
    rsipd_trace_message(&s->trace, false, &host->addr, bytes);
    (void)rsip_server_input(s->core, rsipd_now(), &event);
    drain(s);
}

/* RSIP-059 */
static void on_udp(evutil_socket_t fd, short what, void *ctx)
{
    struct server *s = ctx;
    struct sockaddr_in sa;
    (void)what;
    for (int i = 0; i < BURST; i++) {
        socklen_t sa_len = sizeof(sa);
        ssize_t len = recvfrom(fd, s->packet, sizeof(s->packet), MSG_DONTWAIT,
                               (struct sockaddr *)&sa, &sa_len);
        if (len < 0)
            return;
        struct ip_endpoint host = endpoint_of(&sa);
        take_message(s, &host, RSIP_UDP, 0, view_of(s->packet, (size_t)len));
    }
}

static void close_connection(struct connection *c)
{
    const struct rsip_server_event event = {
        .kind = RSIP_SEV_CLOSED, .host = c->host, .channel = c->channel};
    struct server *s = c->server;

    bufferevent_free(c->stream);
    *c = (struct connection){.server = s};
    (void)rsip_server_input(s->core, rsipd_now(), &event);
}

static void on_stream(struct bufferevent *stream, void *ctx)
{
    struct connection *c = ctx;
    struct evbuffer *in = bufferevent_get_input(stream);

    while (evbuffer_get_length(in) >= RSIP_HEADER) {
        uint8_t *head = evbuffer_pullup(in, RSIP_HEADER);
        size_t len = rsip_stream_len(view_of(head, RSIP_HEADER));
        if (len == 0) {
            close_connection(c);
            return;
        }
        if (evbuffer_get_length(in) < len)
            return;
        uint8_t message[RSIP_MESSAGE_MAX];
        evbuffer_remove(in, message, len);
        take_message(c->server, &c->host, RSIP_TCP, c->channel, view_of(message, len));
    }
}

static void on_stream_event(struct bufferevent *stream, short what, void *ctx)
{
    (void)stream;
    (void)what;
    close_connection(ctx);
}

/* A free slot, unless this host has its share already. */
static struct connection *free_slot(struct server *s, const struct ip_addr *host)
{
    struct connection *found = NULL;
    unsigned of_one = 0;

    for (size_t i = 0; i < CONNECTIONS; i++) {
        struct connection *c = &s->connections[i];
        if (c->channel == 0)
            found = c;
        else
            of_one += ip_addr_equal(&c->host.addr, host);
    }
    return of_one < CONNECTIONS_OF_ONE ? found : NULL;
}

/* RSIP-058 */
static void on_connection(evutil_socket_t fd, short what, void *ctx)
{
    struct server *s = ctx;
    struct sockaddr_in sa;
    socklen_t sa_len = sizeof(sa);
    int peer = accept4(fd, (struct sockaddr *)&sa, &sa_len, SOCK_NONBLOCK | SOCK_CLOEXEC);
    const struct timeval idle = {.tv_sec = IDLE_S};
    (void)what;

    if (peer < 0)
        return;
    struct ip_endpoint host = endpoint_of(&sa);
    struct connection *c = free_slot(s, &host.addr);
    struct bufferevent *stream =
        c == NULL ? NULL : bufferevent_socket_new(s->base, peer, BEV_OPT_CLOSE_ON_FREE);
    if (stream == NULL) {
        close(peer);
        return;
    }
    *c = (struct connection){
        .server = s, .stream = stream, .host = host, .channel = ++s->next_channel};
    bufferevent_setcb(stream, on_stream, NULL, on_stream_event, c);
    bufferevent_setwatermark(stream, EV_READ, 0, RSIP_MESSAGE_MAX * 2);
    bufferevent_set_timeouts(stream, &idle, &idle);
    bufferevent_enable(stream, EV_READ | EV_WRITE);
}

/* RSIP-209: a ping of a leased address is answered here, and never forwarded to a host. */
static void answer_ping(struct server *s, struct span datagram)
{
    struct ip_header h;
    enum { ECHO_REQUEST = 8 };

    if (ip_header_parse(view_of(datagram.ptr, datagram.len), &h) != ERR_OK ||
        h.src.family != IP_V4 || h.proto != IP_PROTO_ICMP || ip_is_fragment(&h) ||
        h.total_len < h.header_len + 8u || datagram.ptr[h.header_len] != ECHO_REQUEST)
        return;
    uint8_t *icmp = datagram.ptr + h.header_len;
    size_t icmp_len = h.total_len - h.header_len;
    struct ip_header reply = {.src = h.dst,
                              .dst = h.src,
                              .total_len = (uint32_t)(IP_V4_HEADER + icmp_len),
                              .proto = IP_PROTO_ICMP,
                              .tos = h.tos,
                              .ttl = 64};
    memmove(datagram.ptr + IP_V4_HEADER, icmp, icmp_len);
    icmp = datagram.ptr + IP_V4_HEADER;
    icmp[0] = icmp[2] = icmp[3] = 0;
    uint16_t sum = ip_sum_fold(ip_sum_add(0, view_of(icmp, icmp_len)));
    icmp[2] = (uint8_t)(sum >> 8);
    icmp[3] = (uint8_t)sum;
    ip_header_write(&reply, datagram.ptr);
    (void)!write(s->fds->tun, datagram.ptr, reply.total_len);
}

/* Nobody's: ours, if the address is ours too. */
static void take_ours(struct server *s, struct view datagram)
{
    struct ip_header h;

    if (ip_header_parse(datagram, &h) != ERR_OK)
        return;
    if (rsipd_own_is(s->config, &h.dst))
        (void)!write(s->fds->tun, datagram.ptr, datagram.len);
    else if (datagram.ptr == s->packet)
        answer_ping(s, span_of(s->packet, datagram.len));
}

/* From the public realm: through the tunnel to whoever leased what it is for (RSIP-055). */
static void on_tun(evutil_socket_t fd, short what, void *ctx)
{
    static const struct ip_addr nobody = {0};
    struct server *s = ctx;
    struct rsip_verdict verdict;
    struct view datagram;
    (void)what;
    for (int i = 0; i < BURST; i++) {
        ssize_t len = read(fd, s->packet, sizeof(s->packet));
        if (len <= 0)
            return;
        if (!reassembler_input(s->in, rsipd_now(), &nobody, view_of(s->packet, (size_t)len),
                               &datagram))
            continue;
        rsip_server_inbound(s->core, rsipd_now(), datagram, &verdict);
        if (verdict.fate == RSIP_FATE_FORWARD)
            rsipd_tunnel_send(s->fds, verdict.tunnel, &verdict.host, datagram);
        else if (verdict.fate == RSIP_FATE_GATEWAY)
            take_ours(s, datagram);
    }
}

/* From a host: out of the tunnel, if it may (RSIP-054). */
static void on_tunnel(evutil_socket_t fd, short what, void *ctx)
{
    struct server *s = ctx;
    struct span room = span_of(s->packet, sizeof(s->packet));
    struct rsip_verdict verdict;
    enum rsip_tunnel tunnel;
    struct ip_addr from;
    struct view inner;
    (void)what;
    for (int i = 0; i < BURST && rsipd_tunnel_receive(fd, room, &tunnel, &from, &inner); i++) {
        if (!reassembler_input(s->out, rsipd_now(), &from, inner, &inner))
            continue;
        rsip_server_outbound(s->core, rsipd_now(), &from, tunnel, inner, &verdict);
        if (verdict.fate == RSIP_FATE_FORWARD)
            (void)!write(s->fds->tun, inner.ptr, inner.len);
    }
    drain(s);
}

static json_t *answer(void *ctx, const char *cmd, const json_t *request)
{
    struct server *s = ctx;
    (void)request;
    if (strcmp(cmd, "trace") == 0)
        return rsipd_trace_json(&s->trace);
    if (strcmp(cmd, "status") != 0)
        return json_pack("{s:s}", "error", "no such command; ask for status or trace");
    return rsipd_server_status(s->core, rsipd_now());
}

static bool make_core(struct server *s, const struct rsipd_server *config)
{
    struct rsip_policy policies[RSIPD_POLICIES];
    const struct rsip_server_env env = {.rng = {.fill = rsipd_random}};

    for (size_t i = 0; i < config->policy_count; i++) {
        policies[i] = config->policies[i].policy;
        policies[i].rules = config->policies[i].rules;
    }
    const struct rsip_server_config core = {.ranges = config->ranges,
                                            .range_count = config->range_count,
                                            .policies = policies,
                                            .policy_count = config->policy_count,
                                            .local = config->local,
                                            .local_count = config->local_count,
                                            .tcp_only = config->tcp_only,
                                            .hosts = config->hosts,
                                            .hold_s = config->hold_s,
                                            .wall_ms = rsipd_wall_ms()};
    enum err err = rsip_server_new(&core, &env, &s->core);
    if (err != ERR_OK)
        log_line(EVENT_ERROR, "the pool can't be used: %s", err_text(err));
    return err == ERR_OK;
}

static void restore(void *ctx, uint64_t serial, struct view bytes)
{
    struct server *s = ctx;
    const struct rsip_server_event event = {
        .kind = RSIP_SEV_RESTORE, .serial = serial, .bytes = bytes};
    (void)rsip_server_input(s->core, rsipd_now(), &event);
}

static bool watch(struct server *s, int fd, event_callback_fn on)
{
    struct event *event = event_new(s->base, fd, EV_READ | EV_PERSIST, on, s);
    return event != NULL && event_add(event, NULL) == 0;
}

static bool start(struct server *s, const struct rsipd_config *config)
{
    char path[RSIPD_PATH_MAX + 16];

    snprintf(path, sizeof(path), "%s/leases.db", config->state);
    const struct rng rng = {.fill = rsipd_random};
    s->base = event_base_new();
    if (s->base == NULL || !make_core(s, &config->server) ||
        reassembler_new(&rng, &s->in) != ERR_OK || reassembler_new(&rng, &s->out) != ERR_OK)
        return false;
    if (config->server.dns_count > 0) {
        s->names = rsipd_names_new(s->base, config->server.dns, config->server.dns_count, on_name, s);
        if (s->names == NULL)
            return false;
    }
    s->timer = evtimer_new(s->base, on_timer, s);
    s->store = lease_store_open(path);
    s->control = control_socket_new(s->base, s->fds->control, answer, s);
    if (s->timer == NULL || s->control == NULL)
        return false;
    s->trace.gateway = config->server.inside;
    s->trace.control = s->control;
    if (s->store != NULL)
        lease_store_each(s->store, restore, s);
    drain(s);
    bool udp = s->fds->udp < 0 || watch(s, s->fds->udp, on_udp);
    return udp && watch(s, s->fds->tcp, on_connection) && watch(s, s->fds->tun, on_tun) &&
           watch(s, s->fds->ipip, on_tunnel) && watch(s, s->fds->gre, on_tunnel) &&
           rsipd_stop_on_signals(s->base);
}

int rsipd_server_main(const struct rsipd_config *config, const struct rsipd_fds *fds)
{
    static struct server server; /* large; the process ends with it */
    struct server *s = &server;

    s->config = &config->server;
    s->fds = fds;
    for (size_t i = 0; i < CONNECTIONS; i++)
        s->connections[i].server = s;
    if (!start(s, config)) {
        log_line(EVENT_ERROR, "the server can't start");
        return 1;
    }
    log_line(EVENT_INFO, "serving RSIP");
    event_base_dispatch(s->base);
    lease_store_close(s->store);
    return 0;
}
