#include "rsip/l2tp.h"

#include <stdlib.h>

#include "base/secret.h"
#include "rsip/l2tp_internal.h"

enum {
    HELLO_MS = 60 * 1000,
    RETRY_MS = 5000,
    SETUP_MS = 30 * 1000, /* for a tunnel to carry a session */
};

static const char *const state_names[] = {"calling", "dialling", "called",  "ready",
                                          "ringing", "carrying", "closing", "gone"};

enum err l2tp_new(const struct l2tp_config *config, const struct l2tp_env *env, struct l2tp **ret)
{
    struct l2tp *l = NULL;

    if (config->secret.len > L2TP_SECRET_MAX || strlen(config->name) >= L2TP_NAME_MAX)
        return ERR_VALUE;
    l = calloc(1, sizeof(*l));
    if (l == NULL)
        return ERR_MEMORY;
    l->config = *config;
    l->env = *env;
    memcpy(l->name, config->name, strlen(config->name) + 1);
    l->config.name = l->name;
    if (config->secret.len > 0)
        memcpy(l->secret, config->secret.ptr, config->secret.len);
    l->config.secret = view_of(l->secret, config->secret.len);
    if (l->config.hello_ms == 0)
        l->config.hello_ms = HELLO_MS;
    if (l->config.retry_ms == 0)
        l->config.retry_ms = RETRY_MS;
    map_init(&l->peers, MAP_KEY_OFFSET(struct l2tp_peer, node, key), sizeof(struct peer_key),
             &env->rng);
    fifo_init(&l->effects, sizeof(struct l2tp_effect));
    l->retry.at = MONO_NEVER;
    *ret = l;
    return ERR_OK;
}

void l2tp_free(struct l2tp *l)
{
    struct l2tp_effect effect;
    struct map_node *node;

    if (l == NULL)
        return;
    while ((node = map_first(&l->peers)) != NULL)
        tunnel_free(MAP_OWNER(node, struct l2tp_peer, node)->tunnels[0]);
    while (fifo_pop(&l->effects, &effect))
        free((void *)(uintptr_t)effect.bytes.ptr);
    free(l->given);
    fifo_fini(&l->effects);
    map_fini(&l->peers);
    heap_fini(&l->deadlines);
    secret_wipe(l->secret, sizeof(l->secret));
    free(l);
}

static struct ip_endpoint endpoint_of(const struct tunnel *t)
{
    return (struct ip_endpoint){.addr = t->peer->key.addr, .port = t->port};
}

void l2tp_emit_to(struct l2tp *l, const struct ip_endpoint *peer, enum l2tp_effect_kind kind,
                  struct view bytes)
{
    struct l2tp_effect effect = {.kind = kind, .peer = *peer};
    uint8_t *copy = bytes.len == 0 ? NULL : malloc(bytes.len);

    if (copy != NULL)
        memcpy(copy, bytes.ptr, bytes.len);
    effect.bytes = view_of(copy, bytes.len);
    if ((bytes.len > 0 && copy == NULL) || !fifo_push(&l->effects, &effect)) {
        l2tp_count(l, C_l2tp_no_memory); /* as if lost: it is repeated */
        free(copy);
    }
}

void l2tp_emit(struct l2tp *l, const struct tunnel *t, enum l2tp_effect_kind kind,
               struct view bytes)
{
    const struct ip_endpoint peer = endpoint_of(t);
    l2tp_emit_to(l, &peer, kind, bytes);
}

bool l2tp_next_effect(struct l2tp *l, struct l2tp_effect *ret)
{
    free(l->given);
    l->given = NULL;
    if (!fifo_pop(&l->effects, ret))
        return false;
    l->given = (void *)(uintptr_t)ret->bytes.ptr;
    return true;
}

static struct l2tp_peer *peer_find(const struct l2tp *l, const struct ip_addr *addr)
{
    struct peer_key key = {.addr = *addr};
    struct map_node *node = map_find(&l->peers, &key);
    return node == NULL ? NULL : MAP_OWNER(node, struct l2tp_peer, node);
}

struct tunnel *tunnel_find(const struct l2tp *l, const struct ip_addr *peer, uint16_t own_id)
{
    const struct l2tp_peer *p = peer_find(l, peer);
    for (size_t i = 0; p != NULL && i < p->count; i++)
        if (p->tunnels[i]->own_id == own_id)
            return p->tunnels[i];
    return NULL;
}

struct tunnel *tunnel_by_peer_id(const struct l2tp *l, const struct ip_addr *peer, uint16_t peer_id,
                                 bool (*in)(enum tunnel_state state))
{
    const struct l2tp_peer *p = peer_find(l, peer);
    for (size_t i = 0; p != NULL && i < p->count; i++)
        if (in(p->tunnels[i]->state) && p->tunnels[i]->peer_id == peer_id)
            return p->tunnels[i];
    return NULL;
}

static struct l2tp_peer *peer_make(struct l2tp *l, const struct ip_addr *addr)
{
    struct l2tp_peer *p = peer_find(l, addr);

    if (p != NULL || l->peers.count >= LIMIT_L2TP_HOSTS)
        return p;
    p = calloc(1, sizeof(*p));
    if (p == NULL)
        return NULL;
    p->key.addr = *addr;
    if (!map_insert(&l->peers, &p->node)) {
        free(p);
        return NULL;
    }
    return p;
}

/* The one that its host misses least: never the one that is up. */
static void displace(struct l2tp_peer *p)
{
    struct tunnel *victim = NULL;

    for (size_t i = 0; i < p->count && victim == NULL; i++)
        if (p->tunnels[i]->state >= TUNNEL_CLOSING)
            victim = p->tunnels[i];
    for (size_t i = 0; i < p->count && victim == NULL; i++)
        if (p->tunnels[i] != p->up)
            victim = p->tunnels[i];
    l2tp_count(victim->l, C_l2tp_displaced);
    tunnel_free(victim);
}

/* Not zero (section 3.1), and not one that this peer has. */
static uint16_t free_id(const struct l2tp *l, const struct ip_addr *peer)
{
    uint16_t id;
    do
        id = (uint16_t)rng_u32(&l->env.rng);
    while (id == 0 || tunnel_find(l, peer, id) != NULL);
    return id;
}

struct tunnel *tunnel_new(struct l2tp *l, const struct ip_endpoint *peer, enum tunnel_state state)
{
    struct l2tp_peer *p = peer_make(l, &peer->addr);
    struct tunnel *t = p == NULL ? NULL : calloc(1, sizeof(*t));

    if (t == NULL) {
        if (p != NULL && p->count == 0) {
            map_remove(&l->peers, &p->node);
            free(p);
        }
        l2tp_count(l, C_l2tp_no_memory);
        return NULL;
    }
    if (p->count == LIMIT_L2TP_TUNNELS)
        displace(p);
    *t = (struct tunnel){.l = l, .peer = p, .port = peer->port, .state = state};
    t->own_id = free_id(l, &peer->addr);
    t->own_session = (uint16_t)(rng_u32(&l->env.rng) | 1);
    rng_fill(&l->env.rng, t->challenge, sizeof(t->challenge));
    t->resend_at = t->deadline.at = MONO_NEVER;
    t->hello_at = mono_add(l->now, l->config.hello_ms);
    t->gone_at = mono_add(l->now, SETUP_MS);
    p->tunnels[p->count++] = t;
    if (heap_set(&l->deadlines, &t->deadline, t->gone_at))
        return t;
    l2tp_count(l, C_l2tp_no_memory); /* without a deadline it would stay for ever */
    tunnel_free(t);
    return NULL;
}

static void set_retry(struct l2tp *l)
{
    if (!heap_set(&l->deadlines, &l->retry, mono_add(l->now, l->config.retry_ms)))
        l2tp_count(l, C_l2tp_no_memory);
}

static void clear_retry(struct l2tp *l)
{
    heap_remove(&l->deadlines, &l->retry);
    l->retry.at = MONO_NEVER;
}

void tunnel_down(struct tunnel *t)
{
    struct l2tp *l = t->l;

    if (t->peer->up == t) {
        t->peer->up = NULL;
        l2tp_emit(l, t, L2TP_FX_DOWN, view_of(NULL, 0));
    }
    if (!l->config.gateway && ip_addr_equal(&l->gateway.addr, &t->peer->key.addr) &&
        mono_is_never(l->retry.at))
        set_retry(l);
}

void tunnel_free(struct tunnel *t)
{
    struct l2tp_peer *p = t->peer;
    struct l2tp *l = t->l;
    size_t i = 0;

    if (t->state < TUNNEL_CLOSING)
        tunnel_down(t);
    heap_remove(&l->deadlines, &t->deadline);
    tunnel_forget_pending(t);
    while (p->tunnels[i] != t)
        i++;
    for (p->count--; i < p->count; i++)
        p->tunnels[i] = p->tunnels[i + 1];
    if (p->count == 0) {
        map_remove(&l->peers, &p->node);
        free(p);
    }
    free(t);
}

void tunnel_set_timer(struct tunnel *t)
{
    mono_t next = mono_min(t->resend_at, mono_min(t->hello_at, t->gone_at));

    if (t->state == TUNNEL_CARRYING)
        next = mono_min(next, ppp_next_deadline(&t->ppp));
    if (!heap_set(&t->l->deadlines, &t->deadline, next))
        l2tp_count(t->l, C_l2tp_no_memory);
}

/* A frame of the link's own business. */
static void send_frame(void *ctx, struct view frame)
{
    uint8_t room[L2TP_DATA_HEADER_MAX + PPP_FRAME_HEADER + PPP_CONTROL_MAX];
    struct builder b = builder_on(span_of(room, sizeof(room)));
    struct tunnel *t = ctx;
    const struct l2tp_header header = {.tunnel = t->peer_id,
                                       .session = t->peer_session,
                                       .has_sequence = t->sequencing,
                                       .ns = t->data_ns};

    t->data_ns = (uint16_t)(t->data_ns + t->sequencing);
    l2tp_data_build(&b, &header);
    builder_view(&b, frame);
    if (!b.bad)
        l2tp_emit(t->l, t, L2TP_FX_SEND, builder_written(&b));
}

static bool link_address(void *ctx, enum ip_family family, struct ip_addr *addr)
{
    const struct tunnel *t = ctx;
    return t->l->env.address(t->l->env.ctx, &t->peer->key.addr, family, addr);
}

void tunnel_link_start(struct tunnel *t)
{
    const struct ppp_env env = {
        .rng = t->l->env.rng, .send = send_frame, .address = link_address, .ctx = t};

    t->state = TUNNEL_CARRYING;
    ppp_init(&t->ppp, &env, t->l->config.gateway, &t->l->config.own);
    ppp_start(&t->ppp, t->l->now);
}

/* The host has a new tunnel, and knows nothing of the older ones. */
static void end_others(struct tunnel *t)
{
    for (size_t i = 0; i < t->peer->count; i++)
        if (t->peer->tunnels[i] != t && t->peer->tunnels[i]->state < TUNNEL_CLOSING)
            tunnel_stop(t->peer->tunnels[i], L2TP_STOP_CLEAR, L2TP_ERROR_NONE);
}

/* After anything that the link has heard or done. */
static void watch_link(struct tunnel *t)
{
    bool open = ppp_is_open(&t->ppp, IP_V4) || ppp_is_open(&t->ppp, IP_V6);

    if (ppp_is_dead(&t->ppp)) {
        tunnel_stop(t, L2TP_STOP_CLEAR, L2TP_ERROR_NONE);
        return;
    }
    if (open && t->peer->up != t) {
        t->gone_at = MONO_NEVER;
        end_others(t);
        t->peer->up = t;
        l2tp_count(t->l, C_l2tp_opened);
        l2tp_emit(t->l, t, L2TP_FX_UP, view_of(NULL, 0));
    } else if (!open && t->peer->up == t) {
        t->peer->up = NULL;
        t->gone_at = mono_add(t->l->now, SETUP_MS);
        l2tp_emit(t->l, t, L2TP_FX_DOWN, view_of(NULL, 0));
    }
    tunnel_set_timer(t);
}

static enum err take_data(struct l2tp *l, const struct ip_endpoint *from,
                          const struct l2tp_header *header, struct view *ret_datagram)
{
    struct tunnel *t = tunnel_find(l, &from->addr, header->tunnel);

    if (t == NULL || t->port != from->port) {
        l2tp_count(l, C_l2tp_unknown_tunnel);
        return ERR_UNKNOWN;
    }
    if (t->state != TUNNEL_CARRYING || t->own_session != header->session) {
        l2tp_count(l, C_l2tp_unknown_session);
        return ERR_UNKNOWN;
    }
    enum err err = ppp_input(&t->ppp, l->now, header->payload, ret_datagram);
    if (err != ERR_OK)
        l2tp_count(l, C_l2tp_ppp_dropped);
    if (err != ERR_OK || ret_datagram->len == 0)
        watch_link(t);
    return err;
}

enum err l2tp_input(struct l2tp *l, mono_t now, const struct ip_endpoint *from, struct view bytes,
                    struct view *ret_datagram)
{
    struct l2tp_header header;
    enum err err = l2tp_header_parse(bytes, &header);

    l->now = now;
    *ret_datagram = view_of(NULL, 0);
    if (err != ERR_OK) {
        l2tp_count(l, C_l2tp_malformed);
        return err;
    }
    return header.control ? tunnel_control(l, from, &header)
                          : take_data(l, from, &header, ret_datagram);
}

static void call_gateway(struct l2tp *l)
{
    struct tunnel *t = tunnel_new(l, &l->gateway, TUNNEL_CALLING);

    clear_retry(l);
    if (t != NULL)
        tunnel_call(t);
    else
        set_retry(l);
}

void l2tp_connect(struct l2tp *l, mono_t now, const struct ip_endpoint *gateway)
{
    l->now = now;
    l->gateway = *gateway;
    call_gateway(l);
}

static void stop_peer(struct l2tp_peer *p)
{
    for (size_t i = 0; i < p->count; i++)
        if (p->tunnels[i]->state < TUNNEL_CLOSING)
            tunnel_stop(p->tunnels[i], L2TP_STOP_CLEAR, L2TP_ERROR_NONE);
}

void l2tp_disconnect(struct l2tp *l, mono_t now, const struct ip_addr *peer)
{
    l->now = now;
    if (peer == NULL || ip_addr_equal(peer, &l->gateway.addr)) {
        l->gateway = (struct ip_endpoint){0};
        clear_retry(l);
    }
    for (struct map_node *n = map_first(&l->peers); n != NULL; n = map_next(&l->peers, n)) {
        struct l2tp_peer *p = MAP_OWNER(n, struct l2tp_peer, node);
        if (peer == NULL || ip_addr_equal(peer, &p->key.addr))
            stop_peer(p);
    }
}

/* A gateway lets go of a host that has no lease for L2TP any more. */
static bool still_wanted(struct tunnel *t)
{
    struct ip_addr v4 = {.family = IP_V4}, v6 = {.family = IP_V6};
    return link_address(t, IP_V4, &v4) || link_address(t, IP_V6, &v6);
}

static void tunnel_timer(struct tunnel *t)
{
    struct l2tp *l = t->l;

    bool late = mono_reached(l->now, t->gone_at);

    if ((late && t->state >= TUNNEL_CLOSING) ||
        (mono_reached(l->now, t->resend_at) && !tunnel_resend(t))) {
        l2tp_count(l, C_l2tp_timeout);
        tunnel_free(t);
        return;
    }
    if (late) {
        l2tp_count(l, C_l2tp_timeout);
        tunnel_stop(t, L2TP_STOP_CLEAR, L2TP_ERROR_NONE);
    }
    if (mono_reached(l->now, t->hello_at)) {
        t->hello_at = mono_add(l->now, l->config.hello_ms);
        if (t->state < TUNNEL_CLOSING && !still_wanted(t))
            tunnel_stop(t, L2TP_STOP_CLEAR, L2TP_ERROR_NONE);
        else if (t->state == TUNNEL_CARRYING || t->state == TUNNEL_READY)
            tunnel_hello(t);
    }
    if (t->state == TUNNEL_CARRYING) {
        ppp_timer(&t->ppp, l->now);
        watch_link(t);
    }
    tunnel_set_timer(t);
}

void l2tp_timer(struct l2tp *l, mono_t now)
{
    struct heap_node *node;

    l->now = now;
    while ((node = heap_pop_due(&l->deadlines, now)) != NULL) {
        if (node == &l->retry)
            call_gateway(l);
        else
            tunnel_timer(HEAP_OWNER(node, struct tunnel, deadline));
    }
}

mono_t l2tp_next_deadline(const struct l2tp *l)
{
    return heap_next(&l->deadlines);
}

size_t l2tp_wrap(struct l2tp *l, const struct ip_addr *to, struct view datagram, uint8_t *ret,
                 struct ip_endpoint *ret_to, uint32_t *ret_room)
{
    const struct l2tp_peer *p = peer_find(l, to);
    struct tunnel *t = p == NULL ? NULL : p->up;
    enum ip_family family = datagram.len > 0 && datagram.ptr[0] >> 4 == 6 ? IP_V6 : IP_V4;
    struct builder b = builder_on(span_of(ret, L2TP_WRAP_MAX));

    *ret_room = 0;
    if (t == NULL || !ppp_is_open(&t->ppp, family))
        return 0;
    *ret_room = t->ppp.peer_mru;
    if (datagram.len > t->ppp.peer_mru)
        return 0;
    const struct l2tp_header header = {.tunnel = t->peer_id,
                                       .session = t->peer_session,
                                       .has_sequence = t->sequencing,
                                       .ns = t->data_ns};
    t->data_ns = (uint16_t)(t->data_ns + t->sequencing);
    l2tp_data_build(&b, &header);
    ppp_datagram_header(family, ret + b.len);
    *ret_to = endpoint_of(t);
    return b.len + PPP_FRAME_HEADER;
}

bool l2tp_tunnel(const struct l2tp *l, struct l2tp_info *walk)
{
    const struct l2tp_peer *p = walk->at;
    size_t i = walk->next;

    if (p == NULL || i >= p->count) {
        struct map_node *n = p == NULL ? map_first(&l->peers) : map_next(&l->peers, &p->node);
        if (n == NULL)
            return false;
        p = MAP_OWNER(n, struct l2tp_peer, node);
        i = 0;
    }
    const struct tunnel *t = p->tunnels[i];
    bool carrying = t->state == TUNNEL_CARRYING;
    *walk = (struct l2tp_info){.at = p,
                               .next = i + 1,
                               .peer = endpoint_of(t),
                               .state = state_names[t->state],
                               .own_tunnel = t->own_id,
                               .peer_tunnel = t->peer_id,
                               .own_session = t->own_session,
                               .peer_session = t->peer_session,
                               .ipv4 = carrying && ppp_is_open(&t->ppp, IP_V4),
                               .ipv6 = carrying && ppp_is_open(&t->ppp, IP_V6)};
    return true;
}

bool l2tp_counter(const struct l2tp *l, size_t i, const char **ret_name, uint64_t *ret_value)
{
    static const char *const names[] = {
#define L2TP_COUNTER_NAME(name) #name,
        L2TP_COUNTERS(L2TP_COUNTER_NAME)
#undef L2TP_COUNTER_NAME
    };
    if (i >= L2TP_COUNTER_COUNT)
        return false;
    *ret_name = names[i];
    *ret_value = l->counters[i];
    return true;
}
