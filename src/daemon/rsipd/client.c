/*
 * The client's child: one registration and one bind, whose address lies on the TUN device, so that
 * ordinary programs use it (RSIP-190). Datagrams go through the tunnel to the gateway and back.
 */
#include <arpa/inet.h>
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
#include "daemon/leased_spis.h"
#include "daemon/log.h"
#include "daemon/rsipd/net.h"
#include "daemon/rsipd/rsipd.h"
#include "daemon/rsipd/status.h"
#include "daemon/rsipd/trace.h"

#define PORT_RANGE "net/ipv4/ip_local_port_range"

enum { TICKET = 1, BURST = 64, STOP_MS = 2000 };

struct host {
    const struct rsipd_config *config;
    const struct rsipd_fds *fds;
    struct event_base *base;
    struct event *timer;
    struct rsip_client *core;
    struct bufferevent *stream; /* TCP */
    struct control_socket *control;
    struct rsip_message bind;
    bool up;
    enum rsip_error last_error;
    char ports_before[32]; /* the system's ephemeral ports; empty: ours are not set */
    struct rsipd_trace trace;
    uint8_t packet[LIMIT_PACKET];
};

/* RSIP-191: programs that don't ask for a port get one of the leased ones. */
static void set_ports(struct host *h, const struct rsip_ports *ports)
{
    char range[32];

    if (!h->config->client.set_port_range || ports->form != RSIP_RANGE_RUN)
        return;
    if (h->ports_before[0] == '\0' &&
        !net_sysctl_read(PORT_RANGE, h->ports_before, sizeof(h->ports_before)))
        return;
    unsigned first = ports->ports[0] + (h->config->client.method == RSIP_METHOD_IPSEC);
    if (first >= ports->ports[0] + ports->count)
        return; /* the only one is for IKE */
    snprintf(range, sizeof(range), "%u %u", first, ports->ports[0] + ports->count - 1u);
    net_sysctl(PORT_RANGE, range);
}

static void restore_ports(struct host *h)
{
    if (h->ports_before[0] != '\0')
        net_sysctl(PORT_RANGE, h->ports_before);
    h->ports_before[0] = '\0';
}

/* RSIP-009, RSIP-006: keyd takes its inbound SPIs from there, and the first port for IKE. They are there before the address comes, and
 * gone before it goes: that is what it watches. */
static void show_spis(const struct host *h, const struct rsip_spis *spis,
                      const struct rsip_ports *ports)
{
    struct leased_spis leased = {.count = 0};
    char text[LEASED_SPIS_TEXT];

    for (; leased.count < spis->count && leased.count < LEASED_SPIS; leased.count++)
        leased.spis[leased.count] = rsip_spi_at(spis, (unsigned)leased.count);
    if (rsip_ports_named(ports))
        leased.ike_port = rsip_port_at(ports, 0);
    net_alias(h->config->device, leased_spis_format(&leased, text));
}

static void bind_down(struct host *h)
{
    if (!h->up)
        return;
    h->up = false;
    show_spis(h, &(struct rsip_spis){0}, &(struct rsip_ports){0});
    net_address(h->config->device, &h->bind.local.addr, false); /* its routes go with it */
    restore_ports(h);
    log_line(EVENT_INFO, "the lease has ended");
}

static void bind_up(struct host *h, const struct rsip_message *m)
{
    char text[IP_ADDR_TEXT_MAX];

    bind_down(h);
    h->bind = *m;
    h->up = true;
    h->last_error = RSIP_OK;
    show_spis(h, &m->spi, &m->local_ports);
    net_address(h->config->device, &m->local.addr, true);
    for (size_t i = 0; i < h->config->client.route_count; i++)
        net_route(h->config->device, &h->config->client.routes[i], &m->local.addr, true);
    set_ports(h, &m->local_ports);
    log_line(EVENT_INFO, "%s is leased for %u s", ip_addr_format(&m->local.addr, text),
             (unsigned)m->lease_s);
}

static void input(struct host *h, const struct rsip_client_event *event);

static void on_stream(struct bufferevent *stream, void *ctx)
{
    struct host *h = ctx;
    struct evbuffer *in = bufferevent_get_input(stream);
    uint8_t message[RSIP_MESSAGE_MAX];

    while (h->stream == stream && evbuffer_get_length(in) >= RSIP_HEADER) {
        size_t len = rsip_stream_len(view_of(evbuffer_pullup(in, RSIP_HEADER), RSIP_HEADER));
        if (len != 0 && evbuffer_get_length(in) < len)
            return;
        if (len == 0) {
            bufferevent_free(stream);
            h->stream = NULL;
            input(h, &(struct rsip_client_event){.kind = RSIP_CEV_DOWN});
            return;
        }
        evbuffer_remove(in, message, len);
        input(h, &(struct rsip_client_event){.kind = RSIP_CEV_MESSAGE,
                                             .bytes = view_of(message, len)});
    }
}

static void on_stream_event(struct bufferevent *stream, short what, void *ctx)
{
    struct host *h = ctx;

    if ((what & BEV_EVENT_CONNECTED) != 0) {
        input(h, &(struct rsip_client_event){.kind = RSIP_CEV_UP});
        return;
    }
    bufferevent_free(stream);
    h->stream = NULL;
    input(h, &(struct rsip_client_event){.kind = RSIP_CEV_DOWN});
}

static struct sockaddr_in server_address(const struct host *h)
{
    struct sockaddr_in sa = {.sin_family = AF_INET, .sin_port = htons(RSIP_PORT)};
    memcpy(&sa.sin_addr, h->config->client.server.octets, 4);
    return sa;
}

/* Ours, as the gateway sees it. */
static struct ip_addr private_address(const struct host *h)
{
    struct sockaddr_in sa = server_address(h);
    socklen_t len = sizeof(sa);
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    bool ok = fd >= 0 && connect(fd, (const struct sockaddr *)&sa, sizeof(sa)) == 0 &&
              getsockname(fd, (struct sockaddr *)&sa, &len) == 0;

    if (fd >= 0)
        close(fd);
    return ok ? ip_addr_from(view_of(&sa.sin_addr, 4)) : (struct ip_addr){.family = IP_V4};
}

static void connect_stream(struct host *h)
{
    struct sockaddr_in sa = server_address(h);

    if (h->stream != NULL)
        bufferevent_free(h->stream);
    h->stream = bufferevent_socket_new(h->base, -1, BEV_OPT_CLOSE_ON_FREE);
    if (h->stream == NULL)
        return;
    bufferevent_setcb(h->stream, on_stream, NULL, on_stream_event, h);
    bufferevent_enable(h->stream, EV_READ | EV_WRITE);
    bufferevent_socket_connect(h->stream, (const struct sockaddr *)&sa, sizeof(sa));
}

/* RSIP-060: whichever is configured. */
static void send_message(struct host *h, struct view bytes)
{
    struct sockaddr_in sa = server_address(h);

    rsipd_trace_message(&h->trace, true, &h->config->client.server, bytes);
    if (h->config->client.transport == RSIP_TCP) {
        if (h->stream != NULL)
            bufferevent_write(h->stream, bytes.ptr, bytes.len);
        return;
    }
    (void)!sendto(h->fds->udp, bytes.ptr, bytes.len, MSG_DONTWAIT, (const struct sockaddr *)&sa,
                  sizeof(sa));
}

static void note_error(struct host *h, const char *what, enum rsip_error error)
{
    const char *name = rsip_error_name(error);
    h->last_error = error;
    log_line(EVENT_WARNING, "%s: %s", what, name != NULL ? name : "no answer");
}

static void take(struct host *h, const struct rsip_client_effect *effect)
{
    switch (effect->kind) {
    case RSIP_CFX_SEND:
        send_message(h, effect->bytes);
        break;
    case RSIP_CFX_CONNECT:
        connect_stream(h);
        break;
    case RSIP_CFX_BIND_UP:
        bind_up(h, effect->message);
        break;
    case RSIP_CFX_BIND_DOWN:
        bind_down(h);
        break;
    case RSIP_CFX_REFUSED:
        note_error(h, "the gateway leases nothing", effect->error);
        break;
    case RSIP_CFX_UNREGISTERED:
        note_error(h, "not registered", effect->error);
        break;
    case RSIP_CFX_MISUSE:
        note_error(h, "the gateway dropped what we sent", effect->error);
        break;
    case RSIP_CFX_REGISTERED:
        log_line(EVENT_INFO, "registered");
        break;
    case RSIP_CFX_ANSWER:
        break;
    }
}

static void drain(struct host *h)
{
    struct rsip_client_effect effect;
    struct timeval wait;

    while (rsip_client_next_effect(h->core, &effect))
        take(h, &effect);
    mono_t next = rsip_client_next_deadline(h->core);
    int64_t left = mono_is_never(next) ? 60000 : mono_since(next, rsipd_now());
    left = left < 0 ? 0 : left;
    wait = (struct timeval){.tv_sec = left / 1000, .tv_usec = left % 1000 * 1000};
    event_add(h->timer, &wait);
}

static void input(struct host *h, const struct rsip_client_event *event)
{
    if (event->kind == RSIP_CEV_MESSAGE)
        rsipd_trace_message(&h->trace, false, &h->config->client.server, event->bytes);
    (void)rsip_client_input(h->core, rsipd_now(), event);
    drain(h);
}

static void on_timer(evutil_socket_t fd, short what, void *ctx)
{
    struct host *h = ctx;
    (void)fd;
    (void)what;
    rsip_client_timer(h->core, rsipd_now());
    drain(h);
}

/* Only the gateway speaks to us, from the port of RSIP. */
static void on_udp(evutil_socket_t fd, short what, void *ctx)
{
    struct host *h = ctx;
    struct sockaddr_in want = server_address(h), sa;
    uint8_t message[RSIP_MESSAGE_MAX];
    socklen_t sa_len = sizeof(sa);
    ssize_t len;
    (void)what;
    while ((len = recvfrom(fd, message, sizeof(message), MSG_DONTWAIT, (struct sockaddr *)&sa,
                           &sa_len)) >= 0)
        if (sa.sin_addr.s_addr == want.sin_addr.s_addr && sa.sin_port == want.sin_port)
            input(h, &(struct rsip_client_event){.kind = RSIP_CEV_MESSAGE,
                                                 .bytes = view_of(message, (size_t)len)});
}

/* RSIP-012, RSIP-053 */
static void on_tun(evutil_socket_t fd, short what, void *ctx)
{
    struct host *h = ctx;
    (void)what;
    for (int i = 0; i < BURST; i++) {
        ssize_t len = read(fd, h->packet, sizeof(h->packet));
        if (len <= 0)
            return;
        if (h->up && h->packet[0] >> 4 == 4)
            rsipd_tunnel_send(h->fds, h->bind.tunnels[0], &h->config->client.server,
                              view_of(h->packet, (size_t)len));
    }
}

static void on_tunnel(evutil_socket_t fd, short what, void *ctx)
{
    struct host *h = ctx;
    struct span room = span_of(h->packet, sizeof(h->packet));
    enum rsip_tunnel tunnel;
    struct ip_addr from;
    struct view inner;
    (void)what;
    for (int i = 0; i < BURST && rsipd_tunnel_receive(fd, room, &tunnel, &from, &inner); i++)
        if (h->up && tunnel == h->bind.tunnels[0] &&
            ip_addr_equal(&from, &h->config->client.server))
            (void)!write(h->fds->tun, inner.ptr, inner.len);
}

static json_t *answer(void *ctx, const char *cmd, const json_t *request)
{
    struct host *h = ctx;
    (void)request;
    if (strcmp(cmd, "trace") == 0)
        return rsipd_trace_json(&h->trace);
    if (strcmp(cmd, "status") != 0)
        return json_pack("{s:s}", "error", "no such command; ask for status or trace");
    return rsipd_client_status(h->core, &h->bind, h->up, h->last_error);
}

/* RSIP-002, RSIP-030: ports are asked for, unless the configuration says that none are needed. */
static struct rsip_want wish_of(const struct rsipd_client *config)
{
    struct rsip_want want = {
        .method = config->method,
        .local = {.type = RSIP_ADDR_V4,
                  .any = config->address.family == IP_NONE,
                  .addr = config->address},
        .remote = {.type = RSIP_ADDR_V4,
                   .any = config->remote.addr.family == IP_NONE,
                   .addr = config->remote.addr},
        .ports = {.form = RSIP_RANGE_ANY, .count = (uint8_t)config->ports},
        .remote_ports = {.form = RSIP_RANGE_ANY, .count = 1},
        .spis = {.form = RSIP_RANGE_ANY, .count = (uint16_t)config->spis},
        .lease_s = config->lease_s,
        .tunnel = (uint8_t)config->tunnel,
    };
    if (config->remote_name[0] != '\0')
        want.remote = (struct rsip_address){
            .type = RSIP_ADDR_NAME,
            .name = view_of(config->remote_name, strlen(config->remote_name))};
    if (config->first_spi != 0)
        want.spis = (struct rsip_spis){.form = RSIP_RANGE_RUN,
                                       .count = (uint16_t)config->spis,
                                       .spis = {config->first_spi}};
    if (config->remote.port != 0)
        want.remote_ports =
            (struct rsip_ports){.form = RSIP_RANGE_RUN, .count = 1, .ports = {config->remote.port}};
    if (config->ports == 0) /* RSIP-031 */
        want.ports = want.remote_ports = (struct rsip_ports){0};
    return want;
}

static bool watch(struct host *h, int fd, event_callback_fn on)
{
    struct event *event = event_new(h->base, fd, EV_READ | EV_PERSIST, on, h);
    return event != NULL && event_add(event, NULL) == 0;
}

static bool start(struct host *h)
{
    const struct rsipd_client *config = &h->config->client;
    const struct rsip_client_config core = {.transport = config->transport,
                                            .tunnels = 1 << RSIP_TUNNEL_IPIP | 1 << RSIP_TUNNEL_GRE,
                                            .retransmit_us = config->first_timeout_ms * 1000};
    const struct rsip_want want = wish_of(config);

    h->base = event_base_new();
    if (h->base == NULL || rsip_client_new(&core, &h->core) != ERR_OK)
        return false;
    h->timer = evtimer_new(h->base, on_timer, h);
    h->control = control_socket_new(h->base, h->fds->control, answer, h);
    if (h->timer == NULL || h->control == NULL || !watch(h, h->fds->udp, on_udp) ||
        !watch(h, h->fds->tun, on_tun) || !watch(h, h->fds->ipip, on_tunnel) ||
        !watch(h, h->fds->gre, on_tunnel) || !rsipd_stop_on_signals(h->base))
        return false;
    h->trace.gateway = config->server;
    h->trace.host = private_address(h);
    h->trace.control = h->control;
    input(h, &(struct rsip_client_event){.kind = RSIP_CEV_WANT, .ticket = TICKET, .want = &want});
    input(h, &(struct rsip_client_event){.kind = RSIP_CEV_START});
    return true;
}

/* RSIP-216: what is leased goes back before we leave. */
static void leave(struct host *h)
{
    mono_t end = mono_add(rsipd_now(), STOP_MS);

    input(h, &(struct rsip_client_event){.kind = RSIP_CEV_STOP});
    while (rsip_client_relation(h->core) != RSIP_UNREGISTERED && !mono_reached(rsipd_now(), end))
        event_base_loop(h->base, EVLOOP_ONCE);
    bind_down(h);
}

int rsipd_client_main(const struct rsipd_config *config, const struct rsipd_fds *fds)
{
    static struct host host; /* large; the process ends with it */

    host.config = config;
    host.fds = fds;
    if (!start(&host)) {
        log_line(EVENT_ERROR, "the client can't start");
        return 1;
    }
    event_base_dispatch(host.base);
    leave(&host);
    return 0;
}
