#include "movers.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "wire/ip.h"

enum {
    PROFILE = 1,
    DIRECT = 0x3c000000,  /* 60.0.0.0: addresses without NAT, one a place */
    NAT = 0x46000000,     /* 70.0.0.0: NAT devices */
    VICTIM = 0x5a000000,  /* 90.0.0.0: where nobody asked for anything */
    INSIDE = 0xac100000,  /* 172.16.0.0: behind them */
    PLACES_A_NAT = 200,
    FIRST_PORT = 10000,
    SPIS_A_PEER = 16,
    SPI_BASE = 0x01000000,
    WAY_MS = 15,          /* and up to WAY_MORE_MS on top */
    WAY_MORE_MS = 10,
    AWAY_MS = 1500,
    TICK_MS = 10,
    DATAGRAM = 60,
};

struct datagram {
    struct heap_node at;
    bool to_gateway, natt;
    struct ip_endpoint source, target;
    struct place *proves; /* where it shows its sender to be, if it arrives */
    size_t len;
    uint8_t octets[];
};

/* A PF_KEY message of the plane's. */
struct told {
    struct told *next;
    size_t len;
    uint8_t octets[];
};

static double seconds(void)
{
    struct timespec spent;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &spent);
    return (double)spent.tv_sec + (double)spent.tv_nsec / 1e9;
}

void movers_broke(struct movers *m, const char *format, ...)
{
    va_list args;
    if (m->broken[0] != '\0')
        return;
    va_start(args, format);
    vsnprintf(m->broken, sizeof(m->broken), format, args);
    va_end(args);
}

static void *must(void *octets)
{
    if (octets == NULL)
        abort();
    return octets;
}

static void must_set(struct heap *heap, struct heap_node *node, mono_t at)
{
    if (!heap_set(heap, node, at))
        abort();
}

static uint64_t next(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

static void fill(void *ctx, uint8_t *ret, size_t len)
{
    for (size_t i = 0; i < len; i++)
        ret[i] = (uint8_t)(next(ctx) >> 32);
}

uint32_t movers_random(struct movers *m, uint32_t below)
{
    return (uint32_t)(next(&m->rng) >> 16) % below;
}

/* For people: --watch */

static void show(const struct movers *m, const char *who, const struct event_record *record)
{
    printf("%10.3f %-7s %s: %s\n", (double)m->now.ms / 1000, who, record->title, record->detail);
}

static void show_peer(void *ctx, const struct event_record *record)
{
    const struct movers *m = ctx;
    show(m, "peer", record);
}

static void show_gateway(void *ctx, const struct event_record *record)
{
    const struct movers *m = ctx;
    const struct peer *peer = &m->peers[m->options.watch];
    if (ip_addr_equal(&record->peer, &peer->places[0].outside))
        show(m, "gateway", record);
}

/* Places */

static void make_owner_room(struct movers *m)
{
    uint32_t most = m->direct_count > m->nat_count ? m->direct_count : m->nat_count;
    if (most < m->owner_room)
        return;
    m->owner_room = m->owner_room == 0 ? 1024 : 2 * m->owner_room;
    m->direct_owner = must(realloc(m->direct_owner, m->owner_room * sizeof(uint32_t)));
    m->nat_owner = must(realloc(m->nat_owner, m->owner_room * sizeof(uint32_t)));
}

static void settle(struct movers *m, struct peer *peer)
{
    if (peer->place_count == MOVERS_PLACES)
        abort();
    struct place *place = &peer->places[peer->place_count++];
    *place = (struct place){0};
    make_owner_room(m);
    if (movers_random(m, 100) < m->options.nat_percent) {
        uint32_t n = m->nat_count++;
        m->nat_owner[n] = peer->number;
        place->inside = ip_addr_v4(INSIDE + n % PLACES_A_NAT + 2);
        place->outside = ip_addr_v4(NAT + n / PLACES_A_NAT);
        place->first_port = (uint16_t)(FIRST_PORT + 2 * (n % PLACES_A_NAT));
        return;
    }
    m->direct_owner[m->direct_count] = peer->number;
    place->inside = place->outside = ip_addr_v4(DIRECT + m->direct_count++);
}

static uint32_t number_of(const struct ip_addr *addr)
{
    const uint8_t *o = addr->octets;
    return (uint32_t)o[0] << 24 | (uint32_t)o[1] << 16 | (uint32_t)o[2] << 8 | o[3];
}

/* Whose place that is, now or at some time. NULL: nobody's. */
static struct peer *owner(struct movers *m, const struct ip_endpoint *at, struct place **ret)
{
    uint32_t addr = number_of(&at->addr), n = addr - DIRECT;
    const uint32_t *owners = m->direct_owner;
    if (addr >= NAT && addr < VICTIM) {
        n = (addr - NAT) * PLACES_A_NAT + (uint32_t)(at->port - FIRST_PORT) / 2;
        owners = m->nat_owner;
    }
    if (addr < DIRECT || addr >= VICTIM || n >= (addr >= NAT ? m->nat_count : m->direct_count))
        return NULL;
    struct peer *peer = &m->peers[owners[n]];
    for (size_t i = 0; i < peer->place_count; i++) {
        struct place *place = &peer->places[i];
        if (ip_addr_equal(&place->outside, &at->addr) &&
            (place->first_port == 0 || (at->port & ~1) == place->first_port)) {
            *ret = place;
            return peer;
        }
    }
    return NULL;
}

/* The network */

static void carry(struct movers *m, struct datagram *d)
{
    m->sent++;
    if (movers_random(m, 1000) < m->options.loss_permille) {
        m->lost++;
        free(d);
        return;
    }
    must_set(&m->wire, &d->at, mono_add(m->now, WAY_MS + movers_random(m, WAY_MORE_MS)));
}

static struct datagram *datagram(const struct ip_endpoint *local, const struct ip_endpoint *remote,
                                 bool natt, struct view bytes)
{
    struct datagram *d = must(malloc(sizeof(*d) + bytes.len));
    *d = (struct datagram){.natt = natt, .source = *local, .target = *remote, .len = bytes.len};
    memcpy(d->octets, bytes.ptr, bytes.len);
    return d;
}

static void peer_sends(struct movers *m, struct peer *peer, const struct ike_effect *fx)
{
    struct place *place = peer_place(peer);
    if (fx->bytes.len == 0 || peer->away || !ip_addr_equal(&fx->local.addr, &place->inside))
        return; /* a keepalive; or from an address that is gone */
    struct datagram *d = datagram(&fx->local, &fx->remote, fx->natt, fx->bytes);
    d->to_gateway = true;
    if (place->met)
        d->proves = place;
    if (place->first_port != 0) {
        bool natt = fx->local.port == 4500;
        place->opened[natt] = true;
        d->source = (struct ip_endpoint){place->outside, (uint16_t)(place->first_port + natt)};
    }
    if (m->hostile && movers_random(m, 1000) < m->options.bomb_permille) {
        d->source.addr = ip_addr_v4(VICTIM + (uint32_t)m->bombs++);
        d->proves = NULL;
    }
    carry(m, d);
}

/* The peers */

static bool answer(struct peer *peer, const struct ike_effect *fx, struct ike_event *ret)
{
    *ret = (struct ike_event){.serial = fx->serial, .ok = true};
    if (fx->kind == IKE_FX_NEED_SPI) {
        ret->kind = IKE_EV_SPI;
        ret->spi.value = SPI_BASE + peer->number * SPIS_A_PEER + peer->spi++ % SPIS_A_PEER;
        return true;
    }
    ret->kind = IKE_EV_INSTALLED;
    return fx->kind == IKE_FX_INSTALL;
}

static void peer_drain(struct movers *m, struct peer *peer)
{
    struct ike_effect fx;
    struct ike_event event;
    while (ike_next_effect(peer->ike, &fx)) {
        peer->up += fx.kind == IKE_FX_CHILD_UP;
        peer->ended += fx.kind == IKE_FX_CHILD_FAILED || fx.kind == IKE_FX_CHILD_DELETED;
        if (fx.kind == IKE_FX_SEND)
            peer_sends(m, peer, &fx);
        if (fx.kind == IKE_FX_MOVE_SA && !fx.inbound) {
            peer->here = fx.here;
            peer->there = fx.remote;
        }
        if (answer(peer, &fx, &event))
            (void)ike_input(peer->ike, m->now, &event);
    }
    must_set(&m->timers, &peer->timer, ike_next_deadline(peer->ike));
}

static void peer_addresses(struct movers *m, struct peer *peer)
{
    const struct ike_event event = {.kind = IKE_EV_ADDRESSES,
                                    .addresses = &peer_place(peer)->inside,
                                    .address_count = peer->away ? 0 : 1};
    (void)ike_input(peer->ike, m->now, &event);
    peer_drain(m, peer);
}

static struct traffic traffic_of(uint32_t addr, unsigned bits)
{
    const struct ip_addr at = ip_addr_v4(addr);
    const struct ip_prefix net = ip_prefix_of(&at, bits);
    return traffic_of_prefix(&net);
}

void movers_begin(struct movers *m, struct peer *peer)
{
    struct ike_env env = {.rng = {fill, &peer->rng}};
    const struct ike_config config = {.profiles = &peer->profile, .profile_count = 1};
    char name[32];
    int len = snprintf(name, sizeof(name), "p%u.example", peer->number);

    if (peer->number == m->options.watch)
        env.trace = (struct event_sink){show_peer, m};
    peer->profile = m->profile;
    if (!identity_of_fqdn(view_of((const uint8_t *)name, (size_t)len), &peer->profile.own_id) ||
        ike_new(&config, &env, &peer->ike) != ERR_OK)
        abort();
    settle(m, peer);
    peer_addresses(m, peer);
    const struct ike_event event = {
        .kind = IKE_EV_INITIATE,
        .ticket = 1,
        .profile = PROFILE,
        .local.addr = peer_place(peer)->inside,
        .remote.addr = m->gateway,
        .traffic = {traffic_of(MOVERS_INNER + peer->number, 32), traffic_of(0x0a010000, 16)}};
    if (ike_input(peer->ike, m->now, &event) != ERR_OK)
        abort();
    peer_drain(m, peer);
}

void movers_plan_move(struct movers *m, struct peer *peer, uint32_t within_ms)
{
    must_set(&m->moves, &peer->move, mono_add(m->now, movers_random(m, within_ms)));
}

/* Sometimes it has no address for a while first; sometimes it goes on before the gateway can have answered. */
static void peer_moves(struct movers *m, struct peer *peer)
{
    if (!peer->away && !peer->again && movers_random(m, 100) < m->options.away_percent) {
        peer->away = true;
        peer_addresses(m, peer);
        must_set(&m->moves, &peer->move, mono_add(m->now, 1 + movers_random(m, AWAY_MS)));
        return;
    }
    peer->away = false;
    settle(m, peer);
    peer->moves++;
    m->hand_overs++;
    peer_addresses(m, peer);
    if (peer->again) {
        peer->again = false;
        m->doubles++;
    } else if (movers_random(m, 100) < m->options.twice_percent) {
        peer->again = true;
        must_set(&m->moves, &peer->move, mono_add(m->now, 1 + movers_random(m, 2 * WAY_MS)));
    }
}

/* The gateway */

/* What is proved is an address: behind one NAT device another port of it needs no proof. */
static bool reached_before(const struct peer *peer, const struct ip_addr *addr)
{
    for (size_t i = 0; i < peer->place_count; i++)
        if (peer->places[i].proved && ip_addr_equal(&peer->places[i].outside, addr))
            return true;
    return false;
}

/* ADR-010, ADR-045: nothing goes where the peer was not reached before. */
static void check_esp(struct movers *m, const struct packet *packet)
{
    const struct ip_endpoint to = {packet->outer.dst, packet->outer.udp_dst};
    char text[IP_ENDPOINT_TEXT_MAX];
    struct place *place = NULL;
    uint32_t spi = 0;
    for (unsigned i = 0; i < 4; i++)
        spi = spi << 8 | packet_data(packet)[i];
    const struct peer *owned_by = owner(m, &to, &place), *meant = m->expected;

    m->esp++;
    if (meant == NULL || (spi - SPI_BASE) / SPIS_A_PEER != meant->number)
        movers_broke(m, "ESP of an SA that nothing was sent for, %08x", spi);
    else if (owned_by != meant || !reached_before(meant, &to.addr))
        movers_broke(m, "ESP for peer %u goes to %s, where it was never reached", meant->number,
                     ip_endpoint_format(&to, text));
    else if (place->first_port != 0 && to.port == 0)
        movers_broke(m, "ESP for peer %u goes to a NAT and not in UDP", meant->number);
    m->reached = meant != NULL && !meant->away && place == &meant->places[meant->place_count - 1];
    m->stale += !m->reached;
}

static void plane_sends(void *ctx, enum plane_out kind, struct packet *packet)
{
    struct movers *m = ctx;
    if (kind == PLANE_OUT_ESP)
        check_esp(m, packet);
    else
        movers_broke(m, "the plane let something out that is not ESP");
}

static void plane_tells(void *ctx, struct view message)
{
    struct movers *m = ctx;
    struct told *told = must(malloc(sizeof(*told) + message.len));
    *told = (struct told){.len = message.len};
    memcpy(told->octets, message.ptr, message.len);
    *m->told_last = told;
    m->told_last = &told->next;
}

static void plane_decides(void *ctx, const struct ip_pair *flow, enum pfkey_verdict verdict)
{
    (void)ctx, (void)flow, (void)verdict;
}

static void gateway_sends(struct movers *m, const struct control_effect *fx)
{
    if (fx->bytes.len != 0)
        carry(m, datagram(&fx->local, &fx->remote, fx->natt, fx->bytes));
}

/* Until keyd and plane have nothing more to tell each other. */
static void gateway_drain(struct movers *m)
{
    struct control_effect fx;
    for (;;) {
        while (control_next_effect(m->control, &fx)) {
            if (fx.kind == CONTROL_FX_PFKEY)
                plane_control(m->plane, m->now, fx.bytes);
            else if (fx.kind == CONTROL_FX_SEND)
                gateway_sends(m, &fx);
        }
        struct told *told = m->told_first;
        if (told == NULL)
            return;
        const struct control_event event = {.kind = CONTROL_EV_PFKEY,
                                            .bytes = view_of(told->octets, told->len)};
        m->told_first = told->next;
        if (m->told_first == NULL)
            m->told_last = &m->told_first;
        (void)control_input(m->control, m->now, &event);
        free(told);
    }
}

static void gateway_input(struct movers *m, const struct control_event *event)
{
    double began = seconds();
    (void)control_input(m->control, m->now, event);
    gateway_drain(m);
    m->spent.keying += seconds() - began;
}

static void gateway_timers(struct movers *m)
{
    double began = seconds();
    if (mono_reached(m->now, control_next_deadline(m->control)))
        control_timer(m->control, m->now);
    if (mono_reached(m->now, plane_next_deadline(m->plane)))
        plane_timer(m->plane, m->now);
    gateway_drain(m);
    m->spent.keying += seconds() - began;
}

void movers_gateway_open(struct movers *m)
{
    const struct plane_env plane = {.rng = {fill, &m->rng}, .ctx = m, .out = plane_sends,
                                    .control = plane_tells, .verdict = plane_decides};
    struct control_env control = {.rng = {fill, &m->rng}};
    const struct plane_config plane_config = {.hold_failure = PFKEY_VERDICT_DENY};
    const struct control_event ready = {.kind = CONTROL_EV_PLANE_READY};

    if (m->options.watch < m->options.peers)
        control.trace = (struct event_sink){show_gateway, m};
    if (plane_new(&plane_config, &plane, &m->plane) != ERR_OK ||
        control_new(&m->config, &control, &m->control) != ERR_OK)
        abort();
    m->told_first = NULL;
    m->told_last = &m->told_first;
    plane_keyd_changed(m->plane, m->now, true);
    gateway_input(m, &ready);
}

void movers_gateway_close(struct movers *m)
{
    control_free(m->control);
    plane_free(m->plane);
    m->control = NULL;
    m->plane = NULL;
}

bool movers_reach(struct movers *m, struct peer *peer)
{
    static uint8_t room[LIMIT_HEADROOM + DATAGRAM + LIMIT_TAILROOM];
    const struct ip_header header = {.src = ip_addr_v4(0x0a010001),
                                     .dst = ip_addr_v4(MOVERS_INNER + peer->number),
                                     .total_len = DATAGRAM,
                                     .proto = IP_PROTO_UDP,
                                     .ttl = 64};
    struct packet packet = {.base = room, .room = sizeof(room), .at = LIMIT_HEADROOM, .len = DATAGRAM};
    struct packet *burst[] = {&packet};
    uint8_t *ip = packet_data(&packet);

    memset(ip, 0, DATAGRAM);
    ip_header_write(&header, ip);
    ip[ip_header_len(IP_V4) + 5] = (uint8_t)(DATAGRAM - ip_header_len(IP_V4)); /* the length of UDP */
    m->expected = peer;
    m->reached = false;
    double began = seconds();
    plane_outbound(m->plane, m->now, burst, 1);
    m->spent.data += seconds() - began;
    m->expected = NULL;
    gateway_drain(m);
    return m->reached;
}

/* Time */

static void arrive_at_gateway(struct movers *m, const struct datagram *d)
{
    const struct control_event event = {.kind = CONTROL_EV_DATAGRAM, .local = d->target,
                                        .remote = d->source, .natt = d->natt,
                                        .bytes = view_of(d->octets, d->len)};
    struct place *place;
    if (d->proves != NULL)
        d->proves->proved = true;
    gateway_input(m, &event);
    struct peer *peer = owner(m, &d->source, &place);
    if (peer != NULL && peer->up != 0) /* while it is still warm */
        movers_reach(m, peer);
}

static void arrive_at_peer(struct movers *m, const struct datagram *d)
{
    struct place *place = NULL;
    struct peer *peer = owner(m, &d->target, &place);
    m->ike_to_victims += number_of(&d->target.addr) >= VICTIM;
    if (peer == NULL || peer->away || place != peer_place(peer))
        return;
    struct ip_endpoint local = {place->inside, d->target.port};
    if (place->first_port != 0) {
        bool natt = d->target.port != place->first_port;
        if (!place->opened[natt])
            return;
        local.port = natt ? 4500 : 500;
    }
    place->met = true;
    const struct ike_event event = {.kind = IKE_EV_DATAGRAM, .local = local, .remote = d->source,
                                    .natt = d->natt, .bytes = view_of(d->octets, d->len)};
    (void)ike_input(peer->ike, m->now, &event);
    peer_drain(m, peer);
}

static void arrive(struct movers *m, struct datagram *d)
{
    if (d->to_gateway)
        arrive_at_gateway(m, d);
    else
        arrive_at_peer(m, d);
    free(d);
}

static void whatever_is_due(struct movers *m)
{
    struct heap_node *node;
    while ((node = heap_pop_due(&m->wire, m->now)) != NULL)
        arrive(m, HEAP_OWNER(node, struct datagram, at));
    while ((node = heap_pop_due(&m->moves, m->now)) != NULL)
        peer_moves(m, HEAP_OWNER(node, struct peer, move));
    while ((node = heap_pop_due(&m->timers, m->now)) != NULL) {
        struct peer *peer = HEAP_OWNER(node, struct peer, timer);
        ike_timer(peer->ike, m->now);
        peer_drain(m, peer);
    }
    gateway_timers(m);
}

static void send_some(struct movers *m)
{
    for (uint32_t i = 0; i < m->options.peers * TICK_MS / 1000 + 1; i++) {
        struct peer *peer = &m->peers[movers_random(m, m->options.peers)];
        if (peer->up != 0)
            movers_reach(m, peer);
    }
}

void movers_run(struct movers *m, int64_t ms)
{
    const mono_t end = mono_add(m->now, ms);
    mono_t tick = m->now;
    while (m->now.ms < end.ms && m->broken[0] == '\0') {
        mono_t at = mono_min(heap_next(&m->wire), heap_next(&m->timers));
        at = mono_min(mono_min(at, heap_next(&m->moves)), mono_min(tick, end));
        at = mono_min(at, mono_min(control_next_deadline(m->control), plane_next_deadline(m->plane)));
        if (at.ms > m->now.ms)
            m->now = at;
        whatever_is_due(m);
        if (mono_reached(m->now, tick)) {
            send_some(m);
            tick = mono_add(m->now, TICK_MS);
        }
    }
}

/* Birth and death */

void movers_init(struct movers *m, const struct movers_options *options)
{
    static const char secret[] = "what every road warrior of this company knows";
    *m = (struct movers){.options = *options, .now = {1000}, .rng = options->seed * 2 + 1,
                         .gateway = ip_addr_v4(0x32000001)};
    m->profile = (struct ike_profile){.number = PROFILE, .name = "road", .version = IKE_VERSION_2,
                                      .own_method = IKE_BY_PSK, .peer_method = IKE_BY_PSK};
    m->profile.addrmgmt = options->draft;
    m->profile.mobike_off = options->draft;
    m->profile.psk = view_of((const uint8_t *)secret, sizeof(secret) - 1);
    m->selector = (struct tunnel_selector){
        .name = "road", .traffic = {traffic_of(0x0a010000, 16), traffic_of(MOVERS_INNER, 9)}};
    if (!identity_of_fqdn(view_of((const uint8_t *)"gw.example", 10), &m->profile.own_id))
        abort();
    m->connection = (struct tunnel_connection){&m->profile, &m->selector, 1, 1};
    m->config = (struct control_config){
        .oe.fallback = OE_ALWAYS_CLEAR,
        .ike = {.profiles = &m->profile, .profile_count = 1},
        .tunnels = {.connections = &m->connection, .connection_count = 1, .own = &m->gateway, .own_count = 1}};
    m->peers = must(calloc(options->peers, sizeof(*m->peers)));
    for (uint32_t i = 0; i < options->peers; i++) {
        m->peers[i].number = i;
        m->peers[i].rng = next(&m->rng) | 1;
    }
}

void movers_fini(struct movers *m)
{
    struct heap_node *node;
    while ((node = heap_first(&m->wire)) != NULL) {
        heap_remove(&m->wire, node);
        free(HEAP_OWNER(node, struct datagram, at));
    }
    for (uint32_t i = 0; i < m->options.peers; i++) {
        heap_remove(&m->timers, &m->peers[i].timer);
        heap_remove(&m->moves, &m->peers[i].move);
        ike_free(m->peers[i].ike);
    }
    heap_fini(&m->wire);
    heap_fini(&m->timers);
    heap_fini(&m->moves);
    free(m->direct_owner);
    free(m->nat_owner);
    free(m->peers);
}
