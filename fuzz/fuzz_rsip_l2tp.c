/*
 * L2TP and PPP under a sequence of events: a gateway and a host that talk over a path which loses,
 * repeats and alters, while somebody who knows all numbers puts in messages and frames, leases come
 * and go, and the gateway starts anew. Nothing grows beyond its limit, what comes out of a tunnel
 * lies in what went in, and both ends come to rest.
 */
#include "fuzz.h"

#include <string.h>

#include "base/cursor.h"
#include "base/limits.h"
#include "rsip/l2tp.h"

enum { QUEUE = 64, OCTETS = 600 };

struct datagram {
    bool to_gateway;
    size_t len;
    uint8_t octets[OCTETS];
};

static struct l2tp *gateway, *host;
static struct datagram queue[QUEUE];
static size_t queued;
static bool leased[2];
static uint64_t seed;
static mono_t now;

static const struct ip_endpoint gateway_at = {.addr = {IP_V4, {10, 0, 0, 1}}, .port = L2TP_PORT},
                                host_at = {.addr = {IP_V4, {10, 0, 0, 2}}, .port = 4000};

static void fill(void *ctx, uint8_t *ret, size_t len)
{
    (void)ctx;
    for (size_t i = 0; i < len; i++) {
        seed = seed * 6364136223846793005u + 1442695040888963407u;
        ret[i] = (uint8_t)(seed >> 40);
    }
}

static bool address(void *ctx, const struct ip_addr *peer, enum ip_family family,
                    struct ip_addr *addr)
{
    (void)ctx;
    (void)peer;
    *addr = (struct ip_addr){.family = (uint8_t)family, .octets = {203, 0, 113, 10}};
    return leased[family == IP_V6];
}

static struct l2tp *make(bool is_gateway, bool secret)
{
    const struct l2tp_config config = {.gateway = is_gateway,
                                       .name = "fuzz",
                                       .own = gateway_at.addr,
                                       .secret = view_of_text(secret ? "secret" : ""),
                                       .hello_ms = 5000};
    const struct l2tp_env env = {.rng = {.fill = fill}, .address = address};
    struct l2tp *l;
    assert(l2tp_new(&config, &env, &l) == ERR_OK);
    return l;
}

static void drain(struct l2tp *l)
{
    struct l2tp_effect effect;
    struct l2tp_header header;

    while (l2tp_next_effect(l, &effect)) {
        if (effect.kind != L2TP_FX_SEND)
            continue;
        assert(l2tp_header_parse(effect.bytes, &header) == ERR_OK);
        assert(effect.bytes.len <= OCTETS);
        if (queued == QUEUE)
            continue;
        struct datagram *d = &queue[queued++];
        d->to_gateway = l == host;
        d->len = effect.bytes.len;
        memcpy(d->octets, effect.bytes.ptr, d->len);
    }
}

static void hand_over(bool to_gateway, struct view bytes)
{
    struct l2tp *l = to_gateway ? gateway : host;
    struct view inner;
    enum err err = l2tp_input(l, now, to_gateway ? &host_at : &gateway_at, bytes, &inner);

    assert(err == ERR_OK || inner.len == 0);
    assert(inner.len == 0 ||
           (inner.ptr > bytes.ptr && inner.ptr + inner.len <= bytes.ptr + bytes.len));
    drain(l);
}

static void deliver(unsigned how)
{
    if (queued == 0)
        return;
    struct datagram d = queue[0];
    if (how % 4 == 1 && d.len > 0)
        d.octets[how / 4 % d.len] ^= (uint8_t)(1 << how % 8);
    if (how % 4 != 2) /* 2: it comes again later */
        memmove(queue, queue + 1, --queued * sizeof(queue[0]));
    if (how % 4 != 3) /* 3: lost */
        hand_over(d.to_gateway, view_of(d.octets, d.len));
}

/* By somebody who knows the numbers of the latest tunnel. */
static void forge(bool to_gateway, bool control, unsigned how, struct view payload)
{
    uint8_t room[OCTETS];
    struct builder b = builder_on(span_of(room, sizeof(room)));
    struct l2tp_info info = {0};

    while (l2tp_tunnel(to_gateway ? gateway : host, &info))
        continue;
    builder_u16(&b, control ? 0xc802 : 0x0002);
    size_t len = control ? builder_open_u16(&b) : 0;
    builder_u16(&b, how & 1 ? 0 : info.own_tunnel);
    builder_u16(&b, how & 2 ? 0 : info.own_session);
    if (control) {
        builder_u16(&b, (uint16_t)(how >> 2 & 7));
        builder_u16(&b, (uint16_t)(how >> 5));
    }
    builder_view(&b, payload);
    if (control)
        builder_close_u16(&b, len, 0);
    if (!b.bad)
        hand_over(to_gateway, builder_written(&b));
}

static void tick(int64_t ms)
{
    now = mono_add(now, ms);
    l2tp_timer(gateway, now);
    drain(gateway);
    l2tp_timer(host, now);
    drain(host);
}

static void step(struct cursor *cur)
{
    uint8_t op = cursor_u8(cur), how = cursor_u8(cur);
    struct view rest = view_of(NULL, 0);

    if (op % 12 >= 6 && op % 12 <= 8) {
        size_t len = cursor_u8(cur);
        rest = cursor_take(cur, len < cursor_left(cur) ? len : cursor_left(cur));
    }
    switch (op % 12) {
    case 5:
        tick(how * 50);
        break;
    case 6:
        hand_over((how & 1) != 0, rest);
        break;
    case 7:
        forge((op & 16) != 0, true, how, rest);
        break;
    case 8:
        forge((op & 16) != 0, false, how & 0, rest);
        break;
    case 9:
        leased[how & 1] = (how & 2) != 0;
        break;
    case 10:
        if (how & 1) {
            l2tp_connect(host, now, &gateway_at);
        } else {
            l2tp_disconnect(host, now, NULL);
        }
        drain(host);
        break;
    case 11:
        l2tp_free(gateway);
        gateway = make(true, (how & 1) != 0);
        break;
    default:
        deliver(how);
        break;
    }
}

static void check_limits(const struct l2tp *l)
{
    struct l2tp_info info = {0};
    size_t count = 0;
    while (l2tp_tunnel(l, &info))
        count++;
    assert(count <= LIMIT_L2TP_TUNNELS);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct cursor cur = cursor_of(view_of(data, len));
    uint8_t how = cursor_u8(&cur);

    now = (mono_t){1000};
    seed = how;
    queued = 0;
    leased[0] = (how & 4) == 0;
    leased[1] = (how & 8) != 0;
    gateway = make(true, (how & 1) != 0);
    host = make(false, (how & 2) != 0);
    l2tp_connect(host, now, &gateway_at);
    drain(host);
    for (unsigned steps = 0; cursor_left(&cur) > 0 && steps < 400; steps++) {
        step(&cur);
        check_limits(gateway);
        check_limits(host);
    }
    /* whatever happened, it ends: the host gives up, and nothing is left */
    l2tp_disconnect(host, now, NULL);
    leased[0] = leased[1] = false;
    for (unsigned i = 0; i < 200; i++)
        tick(1000);
    assert(mono_is_never(l2tp_next_deadline(host)) && mono_is_never(l2tp_next_deadline(gateway)));
    l2tp_free(gateway);
    l2tp_free(host);
    return 0;
}
