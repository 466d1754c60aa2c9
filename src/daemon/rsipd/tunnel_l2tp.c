#include "daemon/rsipd/tunnel_l2tp.h"

#include <errno.h>
#include <event2/event.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemon/log.h"
#include "daemon/rsipd/net.h"
#include "daemon/rsipd/rsipd.h"
#include "daemon/rsipd/trace.h"
#include "wire/ip.h"

struct tunnel_l2tp {
    struct l2tp *core;
    struct event *timer;
    int fd, tun;
    struct rsipd_trace *trace;
    uint8_t piece[IP_ICMP_ERROR_MAX > 4096 ? IP_ICMP_ERROR_MAX : 4096];
};

static void set_timer(struct tunnel_l2tp *t)
{
    mono_t next = l2tp_next_deadline(t->core);
    int64_t left = mono_since(next, rsipd_now());

    if (mono_is_never(next)) {
        event_del(t->timer);
        return;
    }
    left = left < 0 ? 0 : left;
    const struct timeval wait = {.tv_sec = left / 1000, .tv_usec = left % 1000 * 1000};
    event_add(t->timer, &wait);
}

static void drain(struct tunnel_l2tp *t)
{
    struct l2tp_effect effect;
    struct sockaddr_storage sa;
    char text[IP_ADDR_TEXT_MAX];

    while (l2tp_next_effect(t->core, &effect)) {
        if (effect.kind != L2TP_FX_SEND) {
            log_line(EVENT_INFO, "the L2TP link with %s is %s",
                     ip_addr_format(&effect.peer.addr, text),
                     effect.kind == L2TP_FX_UP ? "up" : "down");
            continue;
        }
        rsipd_trace_l2tp(t->trace, true, &effect.peer.addr, effect.bytes);
        socklen_t len = net_sockaddr(&effect.peer, &sa);
        (void)!sendto(t->fd, effect.bytes.ptr, effect.bytes.len, MSG_DONTWAIT,
                      (const struct sockaddr *)&sa, len);
    }
    set_timer(t);
}

static void on_timer(evutil_socket_t fd, short what, void *ctx)
{
    struct tunnel_l2tp *t = ctx;
    (void)fd;
    (void)what;
    l2tp_timer(t->core, rsipd_now());
    drain(t);
}

struct tunnel_l2tp *tunnel_l2tp_new(struct event_base *base, const struct tunnel_l2tp_setup *setup)
{
    struct tunnel_l2tp *t = calloc(1, sizeof(*t));

    if (t == NULL)
        return NULL;
    t->fd = setup->fd;
    t->tun = setup->tun;
    t->trace = setup->trace;
    t->timer = evtimer_new(base, on_timer, t);
    if (t->timer == NULL || l2tp_new(&setup->config, &setup->env, &t->core) != ERR_OK) {
        if (t->timer != NULL)
            event_free(t->timer);
        free(t);
        return NULL;
    }
    return t;
}

static bool send_whole(struct tunnel_l2tp *t, const struct ip_addr *to, struct view datagram,
                       uint32_t *ret_room)
{
    uint8_t header[L2TP_WRAP_MAX];
    struct ip_endpoint at;
    size_t len = l2tp_wrap(t->core, to, datagram, header, &at, ret_room);

    if (len > 0)
        rsipd_wrapped_send(t->fd, &at, view_of(header, len), datagram);
    return len > 0;
}

/* Too long: in pieces, or its sender is told, as if by the other end of its path. */
static void send_long(struct tunnel_l2tp *t, const struct ip_addr *to, struct view datagram,
                      uint32_t room)
{
    struct span piece = span_of(t->piece, sizeof(t->piece));
    struct ip_fragmenter f;
    struct ip_pair pair;
    size_t len;

    room = room < piece.len ? room : (uint32_t)piece.len;
    if (ip_fragment_start(&f, datagram, room) == ERR_OK) {
        while ((len = ip_fragment_next(&f, piece)) > 0)
            (void)send_whole(t, to, view_of(t->piece, len), &room);
        return;
    }
    if (ip_pair_of(datagram, &pair) == ERR_OK &&
        ip_icmp_error_build(IP_ICMP_TOO_BIG, &pair.dst, datagram, room, piece, &len) == ERR_OK)
        (void)!write(t->tun, t->piece, len);
}

void tunnel_l2tp_send(struct tunnel_l2tp *t, const struct ip_addr *to, struct view datagram)
{
    uint32_t room = 0;

    if (t != NULL && !send_whole(t, to, datagram, &room) && room > 0)
        send_long(t, to, datagram, room);
}

bool tunnel_l2tp_receive(struct tunnel_l2tp *t, struct span room, struct ip_addr *ret_from,
                         struct view *ret_inner)
{
    struct sockaddr_storage sa;
    socklen_t sa_len = sizeof(sa);
    ssize_t len;

    while ((len = recvfrom(t->fd, room.ptr, room.len, MSG_DONTWAIT, (struct sockaddr *)&sa,
                           &sa_len)) >= 0 ||
           errno == EINTR) {
        if (len > 0) {
            struct view bytes = view_of(room.ptr, (size_t)len);
            struct ip_endpoint from = net_endpoint(&sa);
            enum err err = l2tp_input(t->core, rsipd_now(), &from, bytes, ret_inner);
            *ret_from = from.addr;
            if (err == ERR_OK && ret_inner->len > 0)
                return true;
            rsipd_trace_l2tp(t->trace, false, &from.addr, bytes);
            drain(t);
        }
        sa_len = sizeof(sa);
    }
    return false;
}

void tunnel_l2tp_connect(struct tunnel_l2tp *t, const struct ip_addr *gateway)
{
    const struct ip_endpoint at = {.addr = *gateway, .port = L2TP_PORT};
    if (t == NULL)
        return;
    l2tp_connect(t->core, rsipd_now(), &at);
    drain(t);
}

void tunnel_l2tp_disconnect(struct tunnel_l2tp *t)
{
    if (t == NULL)
        return;
    l2tp_disconnect(t->core, rsipd_now(), NULL);
    drain(t);
}

json_t *tunnel_l2tp_status(const struct tunnel_l2tp *t, json_t *counters)
{
    struct l2tp_info info = {0};
    json_t *list = json_array();
    char text[IP_ENDPOINT_TEXT_MAX];
    const char *name;
    uint64_t value;

    while (t != NULL && l2tp_tunnel(t->core, &info))
        json_array_append_new(list,
                              json_pack("{s:s,s:s,s:i,s:i,s:i,s:i,s:b,s:b}", "peer",
                                        ip_endpoint_format(&info.peer, text), "state", info.state,
                                        "tunnel", info.own_tunnel, "peer_tunnel", info.peer_tunnel,
                                        "session", info.own_session, "peer_session",
                                        info.peer_session, "ipv4", info.ipv4, "ipv6", info.ipv6));
    for (size_t i = 0; t != NULL && counters != NULL && l2tp_counter(t->core, i, &name, &value);
         i++)
        json_object_set_new(counters, name, json_integer((json_int_t)value));
    return list;
}
