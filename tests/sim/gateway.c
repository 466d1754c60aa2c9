/*
 * One gateway of the simulation: keyd's control object and the plane object, joined by PF_KEY
 * messages that take a moment, either of which may crash and come back with nothing but what the
 * other one still holds.
 */
#include "world.h"

#include <stdio.h>
#include <stdlib.h>

enum { CHANNEL_US = 200, KEEPER_US = 700 };

static void show(void *ctx, const struct event_record *record)
{
    struct sim_gateway *g = ctx;
    const struct sim_hooks *hooks = &g->world->hooks;
    char flow[IP_PAIR_TEXT_MAX];

    if (hooks->record != NULL)
        hooks->record(hooks->ctx, g, record);
    if (!g->world->verbose)
        return;
    printf("%10.3f gw%d %-4s %-44s %s | %s\n",
           (double)(g->world->now_us - g->world->epoch_us) / 1e6, g->number, record->label,
           record->title, record->flow.src.family ? ip_pair_format(&record->flow, flow) : "",
           record->detail);
}

static void leaves_in_clear(struct sim_gateway *g, struct view datagram)
{
    const struct sim_hooks *hooks = &g->world->hooks;
    struct ip_pair flow;

    if (!g->off && network_flow(datagram, &flow))
        check_clear(g, &flow);
    network_clear(g, datagram);
    if (hooks->clear != NULL)
        hooks->clear(hooks->ctx, g, datagram);
}

static void leaves_tunnel(struct sim_gateway *g, struct view datagram)
{
    const struct sim_hooks *hooks = &g->world->hooks;

    network_delivered(g, datagram);
    if (hooks->delivered != NULL)
        hooks->delivered(hooks->ctx, g, datagram);
}

/* --- plane ------------------------------------------------------------------------------- */

static void plane_sends(void *ctx, enum plane_out kind, struct packet *packet)
{
    struct sim_gateway *g = ctx;
    struct view datagram = view_of(packet_data(packet), packet->len);

    switch (kind) {
    case PLANE_OUT_ESP:
        network_send_esp(g->world, packet);
        break;
    case PLANE_OUT_CLEAR:
        leaves_in_clear(g, datagram);
        break;
    case PLANE_OUT_OE:
    case PLANE_OUT_VPN:
        leaves_tunnel(g, datagram);
        break;
    }
}

static int64_t in_order(struct world *w, int64_t *last_us)
{
    int64_t at = w->now_us + CHANNEL_US;
    if (at <= *last_us)
        at = *last_us + 1;
    *last_us = at;
    return at - w->now_us;
}

static void plane_tells(void *ctx, struct view message)
{
    struct sim_gateway *g = ctx;
    struct sim_event *event =
        world_event(g->world, SIM_EV_TO_KEYD, g, in_order(g->world, &g->to_keyd_us), message);
    event->life = g->keyd_life;
}

static struct sim_policy *cached(const struct sim_gateway *g, const struct ip_pair *flow)
{
    for (size_t i = 0; i < g->cache_count; i++)
        if (ip_pair_equal(&g->cache[i].flow, flow))
            return &g->cache[i];
    return NULL;
}

enum pfkey_verdict gateway_verdict(const struct sim_gateway *g, const struct ip_pair *flow)
{
    const struct sim_policy *policy = cached(g, flow);
    return policy != NULL ? policy->verdict : PFKEY_VERDICT_NONE;
}

int64_t gateway_held_since_us(const struct sim_gateway *g, const struct ip_pair *flow)
{
    const struct sim_policy *policy = cached(g, flow);
    bool held = policy != NULL && policy->verdict == PFKEY_VERDICT_HOLD;
    return held ? policy->since_us : INT64_MAX;
}

static void plane_decides(void *ctx, const struct ip_pair *flow, enum pfkey_verdict verdict)
{
    struct sim_gateway *g = ctx;
    struct sim_policy *policy = cached(g, flow);

    if (policy == NULL && verdict == PFKEY_VERDICT_NONE)
        return;
    if (policy != NULL && policy->verdict == verdict)
        return;
    if (policy == NULL) {
        if (g->cache_count == g->cache_room) {
            g->cache_room = g->cache_room ? 2 * g->cache_room : 16;
            g->cache = world_resize(g->world, g->cache, g->cache_room * sizeof(*g->cache));
        }
        policy = &g->cache[g->cache_count++];
    }
    if (verdict == PFKEY_VERDICT_NONE)
        *policy = g->cache[--g->cache_count];
    else
        *policy = (struct sim_policy){
            .flow = *flow, .verdict = verdict, .since_us = g->world->now_us, .used_us = -1};
}

/* What passes by the plane is seen by the classifier only (OE-075). */
static int64_t classifier_idle(void *ctx, const struct ip_pair *flow)
{
    const struct sim_gateway *g = ctx;
    const struct sim_policy *policy = cached(g, flow);

    if (policy == NULL || policy->used_us < 0)
        return -1;
    return (g->world->now_us - policy->used_us) / 1000;
}

static bool forbids_clear(enum oe_class_kind kind)
{
    return kind == OE_DENY || kind == OE_PARANOID;
}

/* As cygnetd chooses it: clear only if no class forbids it. */
static enum pfkey_verdict hold_failure(const struct sim_gateway *g)
{
    if (forbids_clear(g->kind))
        return PFKEY_VERDICT_DENY;
    for (size_t i = 0; i < g->class_count; i++)
        if (forbids_clear(g->classes[i].kind))
            return PFKEY_VERDICT_DENY;
    return PFKEY_VERDICT_PASS;
}

static void start_plane(struct sim_gateway *g)
{
    struct plane_config config = g->plane_config;
    struct plane_env env = {.rng = world_rng(g->world),
                            .ctx = g,
                            .out = plane_sends,
                            .control = plane_tells,
                            .verdict = plane_decides,
                            .idle_ms = classifier_idle};
    config.hold_failure = hold_failure(g);
    config.icmp_v4 = g->addr;
    if (plane_new(&config, &env, &g->plane) != ERR_OK)
        abort();
    g->plane_life++;
    g->cache_count = 0;
}

/* --- keyd -------------------------------------------------------------------------------- */

static void tell_control(struct sim_gateway *g, const struct control_event *event);

static struct control_config whole_config(const struct sim_gateway *g)
{
    struct control_config config = g->control_config;

    config.oe.classes = g->classes;
    config.oe.class_count = g->class_count;
    config.oe.fallback = g->kind;
    config.oe.own = &g->addr;
    config.oe.own_count = 1;
    return config;
}

static void start_control(struct sim_gateway *g)
{
    struct control_config config = whole_config(g);
    struct control_env env = {.rng = world_rng(g->world), .trace = {.emit = show, .ctx = g}};

    if (control_new(&config, &env, &g->control) != ERR_OK)
        abort();
    g->keyd_life++;
}

/* As the daemon does before it hears of a plane. */
static void give_back(struct sim_gateway *g)
{
    struct sim_record *next;
    for (struct sim_record *record = g->records; record != NULL; record = next) {
        struct control_event restore = {.kind = CONTROL_EV_RESTORE,
                                        .serial = record->number,
                                        .bytes = view_of(record->octets, record->len)};
        next = record->next; /* it may be forgotten */
        tell_control(g, &restore);
    }
    for (struct sim_peer *peer = g->peers; peer != NULL; peer = peer->next) {
        struct control_event former = {.kind = CONTROL_EV_FORMER_PEER,
                                       .local = {.addr = peer->local},
                                       .remote = {.addr = peer->remote},
                                       .peer_id = peer->id};
        if (peer->former)
            tell_control(g, &former);
    }
}

static void join_planes(struct sim_gateway *g)
{
    struct control_event ready = {.kind = CONTROL_EV_PLANE_READY};

    if (g->control == NULL || g->plane == NULL)
        return;
    plane_keyd_changed(g->plane, world_now(g->world), true);
    tell_control(g, &ready);
}

static void note_keys(struct sim_gateway *g, struct view message)
{
    struct pfkey_message parsed;

    if (pfkey_parse(message, &parsed) != ERR_OK)
        world_fail(g->world, "gw%d: keyd built a PF_KEY message that does not parse", g->number);
    else if (parsed.has & PFKEY_HAS_KEYS)
        check_sa(g->world, &parsed.sa);
}

static void control_asks_dns(struct sim_gateway *g, const struct control_effect *fx)
{
    struct world *w = g->world;

    int64_t us = w->pace.dns_us + world_random(w, w->pace.dns_jitter_us);

    w->stats.lookups++;
    if (w->hooks.answer_us != NULL)
        us = w->hooks.answer_us(w->hooks.ctx, g, fx->type, fx->name);
    if (us < 0 || world_chance(w, w->faults.dns_silence))
        return;
    struct sim_event *event = world_event(w, SIM_EV_ANSWER, g, us, view_of(NULL, 0));
    event->life = g->keyd_life;
    event->serial = fx->serial;
    event->type = fx->type;
    memcpy(event->name, fx->name, sizeof(event->name));
}

static void control_asks_keeper(struct sim_gateway *g, const struct control_effect *fx)
{
    uint8_t signature[LIMIT_KEY_OCTETS];

    size_t len = private_key_signature_len(g->key);
    enum err err = fx->scheme == SIGNATURE_IKE1_RSA
                       ? private_key_sign_ike1(g->key, fx->bytes, signature)
                       : private_key_sign(g->key, (enum signature_scheme)fx->scheme, fx->bytes,
                                          signature, &len);
    if (err != ERR_OK)
        abort();
    struct sim_event *event =
        world_event(g->world, SIM_EV_SIGNED, g, KEEPER_US, view_of(signature, len));
    event->life = g->keyd_life;
    event->serial = fx->serial;
}

static void drain(struct sim_gateway *g)
{
    struct control_effect fx;

    while (g->control != NULL && control_next_effect(g->control, &fx)) {
        struct sim_event *event;
        switch (fx.kind) {
        case CONTROL_FX_SEND:
            network_send_ike(g->world, &fx.local, &fx.remote, fx.bytes);
            break;
        case CONTROL_FX_QUERY:
            control_asks_dns(g, &fx);
            break;
        case CONTROL_FX_SIGN:
            control_asks_keeper(g, &fx);
            break;
        case CONTROL_FX_DECRYPT: /* only of configured peers, which there are none here */
            break;
        case CONTROL_FX_PFKEY:
            note_keys(g, fx.bytes);
            event = world_event(g->world, SIM_EV_TO_PLANE, g, in_order(g->world, &g->to_plane_us),
                                fx.bytes);
            event->life = g->plane_life;
            break;
        case CONTROL_FX_SAVE:
            disk_save(g, fx.serial, fx.bytes);
            break;
        case CONTROL_FX_FORGET:
            disk_forget(g, fx.serial);
            break;
        case CONTROL_FX_PEER:
            disk_peer(g, &fx);
            break;
        case CONTROL_FX_KEYS:
        case CONTROL_FX_STREAM:
        case CONTROL_FX_ADDRESS: /* nothing is configured here */
            break;
        }
    }
}

static void tell_control(struct sim_gateway *g, const struct control_event *event)
{
    if (g->control == NULL)
        return;
    control_input(g->control, world_now(g->world), event);
    drain(g);
}

void gateway_reload(struct sim_gateway *g)
{
    struct control_config control = whole_config(g);
    struct plane_config plane = g->plane_config;

    plane.hold_failure = hold_failure(g);
    if (g->plane != NULL)
        plane_reconfigure(g->plane, world_now(g->world), &plane);
    gateway_arm(g);
    if (g->control == NULL)
        return;
    if (control_reconfigure(g->control, world_now(g->world), &control) != ERR_OK)
        abort();
    drain(g);
    gateway_arm(g);
}

/* --- life ---------------------------------------------------------------------------------- */

void gateway_start(struct sim_gateway *g)
{
    start_plane(g);
    start_control(g);
    join_planes(g);
    g->off = false;
    gateway_arm(g);
}

static void switch_off(struct sim_gateway *g)
{
    control_free(g->control);
    plane_free(g->plane);
    g->control = NULL;
    g->plane = NULL;
    g->keyd_life++;
    g->plane_life++;
    disk_free(g);
    world_release(g->world, g->cache);
    g->cache = NULL;
    g->cache_count = g->cache_room = 0;
    g->off = true;
}

void gateway_stop(struct sim_gateway *g)
{
    switch_off(g);
    heap_remove(&g->world->timers, &g->timer);
}

static void crash_keyd(struct sim_gateway *g, int64_t restart_us)
{
    if (g->control == NULL)
        return;
    disk_remember(g);
    control_free(g->control);
    g->control = NULL;
    g->keyd_life++;
    g->world->stats.crashes++;
    if (g->plane != NULL)
        plane_keyd_changed(g->plane, world_now(g->world), false);
    world_event(g->world, SIM_EV_START_KEYD, g, restart_us, view_of(NULL, 0));
}

static void crash_plane(struct sim_gateway *g, int64_t restart_us)
{
    struct control_event gone = {.kind = CONTROL_EV_PLANE_GONE};

    if (g->plane == NULL)
        return;
    plane_free(g->plane);
    g->plane = NULL;
    g->plane_life++;
    g->world->stats.crashes++;
    tell_control(g, &gone);
    world_event(g->world, SIM_EV_START_PLANE, g, restart_us, view_of(NULL, 0));
}

static void reboot(struct sim_gateway *g)
{
    const struct sim_pace *pace = &g->world->pace;
    int64_t us = pace->boot_us != 0 ? pace->boot_us : pace->restart_us;

    crash_keyd(g, us);
    crash_plane(g, us);
    disk_reboot(g);
}

/* A packet buffer as the daemon would hand one in. */
static struct packet make_packet(uint8_t *room, size_t room_len, const struct sim_event *event)
{
    struct packet packet = {.base = room,
                            .room = (uint32_t)room_len,
                            .at = LIMIT_HEADROOM,
                            .len = (uint32_t)event->len,
                            .outer = event->outer};
    memcpy(packet_data(&packet), event->octets, event->len);
    return packet;
}

static void host_sends(struct sim_gateway *g, const struct sim_event *event)
{
    uint8_t room[LIMIT_HEADROOM + SIM_PACKET + LIMIT_TAILROOM];
    struct packet packet = make_packet(room, sizeof(room), event), *burst = &packet;
    struct sim_policy *policy = cached(g, &event->flow);

    g->world->stats.sent++;
    if (g->off) {
        leaves_in_clear(g, view_of(event->octets, event->len));
        return;
    }
    if (policy != NULL && policy->verdict != PFKEY_VERDICT_HOLD)
        policy->used_us = g->world->now_us;
    if (policy != NULL && policy->verdict == PFKEY_VERDICT_DENY) {
        g->world->stats.denied++;
    } else if (policy != NULL && policy->verdict == PFKEY_VERDICT_PASS) {
        leaves_in_clear(g, view_of(event->octets, event->len));
    } else if (g->plane != NULL) {
        plane_outbound(g->plane, world_now(g->world), &burst, 1);
    }
}

static void esp_arrives(struct sim_gateway *g, const struct sim_event *event)
{
    uint8_t room[LIMIT_HEADROOM + SIM_PACKET + LIMIT_TAILROOM];
    struct packet packet = make_packet(room, sizeof(room), event), *burst = &packet;

    if (g->plane != NULL)
        plane_inbound(g->plane, world_now(g->world), &burst, 1);
}

static void answer_arrives(struct sim_gateway *g, const struct sim_event *event)
{
    struct sim_answer_storage storage;
    struct dns_answer answer;
    struct control_event control = {
        .kind = CONTROL_EV_ANSWER, .serial = event->serial, .answer = &answer};

    names_answer(g->world, event->name, event->type, &answer, &storage);
    if (g->world->hooks.answer != NULL)
        g->world->hooks.answer(g->world->hooks.ctx, g, &answer);
    tell_control(g, &control);
}

static bool of_this_life(const struct sim_gateway *g, const struct sim_event *event)
{
    switch (event->kind) {
    case SIM_EV_TO_PLANE:
        return g->plane != NULL && event->life == g->plane_life;
    case SIM_EV_TO_KEYD:
    case SIM_EV_ANSWER:
    case SIM_EV_SIGNED:
        return g->control != NULL && event->life == g->keyd_life;
    case SIM_EV_START_KEYD:
        return g->control == NULL && !g->off;
    case SIM_EV_START_PLANE:
        return g->plane == NULL && !g->off;
    default:
        return true;
    }
}

void gateway_event(struct sim_gateway *g, struct sim_event *event)
{
    struct view octets = view_of(event->octets, event->len);
    struct control_event control = {.local = event->to,
                                    .remote = event->from,
                                    .serial = event->serial,
                                    .ok = true,
                                    .bytes = octets};
    if (!of_this_life(g, event))
        return;
    switch (event->kind) {
    case SIM_EV_IKE:
        control.kind = CONTROL_EV_DATAGRAM;
        tell_control(g, &control);
        break;
    case SIM_EV_ESP:
        esp_arrives(g, event);
        break;
    case SIM_EV_CLEAR:
        if (g->world->hooks.arrived != NULL)
            g->world->hooks.arrived(g->world->hooks.ctx, g, octets);
        break;
    case SIM_EV_TO_PLANE:
        plane_control(g->plane, world_now(g->world), octets);
        break;
    case SIM_EV_TO_KEYD:
        control.kind = CONTROL_EV_PFKEY;
        tell_control(g, &control);
        break;
    case SIM_EV_ANSWER:
        answer_arrives(g, event);
        break;
    case SIM_EV_SIGNED:
        control.kind = CONTROL_EV_SIGNED;
        tell_control(g, &control);
        break;
    case SIM_EV_SEND:
        host_sends(g, event);
        break;
    case SIM_EV_CRASH_KEYD:
        crash_keyd(g, g->world->pace.restart_us);
        break;
    case SIM_EV_CRASH_PLANE:
        crash_plane(g, g->world->pace.restart_us);
        break;
    case SIM_EV_REBOOT:
        reboot(g);
        break;
    case SIM_EV_START_KEYD:
        start_control(g);
        give_back(g);
        disk_check(g);
        join_planes(g);
        break;
    case SIM_EV_START_PLANE:
        start_plane(g);
        join_planes(g);
        break;
    case SIM_EV_SHUTDOWN:
        control.kind = CONTROL_EV_SHUTDOWN;
        tell_control(g, &control);
        break;
    case SIM_EV_SWITCH_OFF:
        switch_off(g);
        break;
    case SIM_EV_CALL:
        break;
    }
}

void gateway_timers(struct sim_gateway *g)
{
    mono_t now = world_now(g->world);

    if (g->plane != NULL && mono_reached(now, plane_next_deadline(g->plane)))
        plane_timer(g->plane, now);
    if (g->control != NULL && mono_reached(now, control_next_deadline(g->control))) {
        control_timer(g->control, now);
        drain(g);
    }
}

int64_t gateway_deadline_us(const struct sim_gateway *g)
{
    mono_t at = MONO_NEVER;

    if (g->plane != NULL)
        at = mono_min(at, plane_next_deadline(g->plane));
    if (g->control != NULL)
        at = mono_min(at, control_next_deadline(g->control));
    return mono_is_never(at) ? INT64_MAX : at.ms * 1000;
}
