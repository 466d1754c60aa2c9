#include "control/internal.h"

#include <stdlib.h>

void control_push(struct control *c, const struct control_effect *effect)
{
    struct control_effect copy = *effect;
    uint8_t *octets = NULL;

    if (effect->bytes.len != 0) {
        octets = malloc(effect->bytes.len);
        if (octets == NULL) {
            ike_work_free(effect->work);
            c->counters[CONTROL_COUNT_effects_lost]++;
            return;
        }
        memcpy(octets, effect->bytes.ptr, effect->bytes.len);
        copy.bytes.ptr = octets;
    }
    if (!fifo_push(&c->effects, &copy)) {
        free(octets);
        ike_work_free(effect->work);
        c->counters[CONTROL_COUNT_effects_lost]++;
    }
}

/* They may hold keys on their way to the plane. */
static void drop_octets(struct view *octets)
{
    uint8_t *ptr = (uint8_t *)(uintptr_t)octets->ptr;
    if (ptr != NULL)
        secret_wipe(ptr, octets->len);
    free(ptr);
    *octets = view_of(NULL, 0);
}

bool control_next_effect(struct control *c, struct control_effect *ret)
{
    struct control_effect effect;

    drop_octets(&c->handed_out);
    if (!fifo_pop(&c->effects, &effect))
        return false;
    c->handed_out = effect.bytes;
    *ret = effect;
    return true;
}

static void from_discover(struct control *c, mono_t now, const struct discover_effect *fx)
{
    struct control_effect query = {
        .kind = CONTROL_FX_QUERY, .serial = fx->serial, .type = fx->type};
    struct oe_event found = {.ticket = fx->ticket};

    switch (fx->kind) {
    case DISCOVER_FX_QUERY:
        memcpy(query.name, fx->name, sizeof(query.name));
        control_push(c, &query);
        break;
    case DISCOVER_FX_DELEGATION:
        found.kind = OE_EV_DELEGATION;
        found.delegation = fx->delegation;
        oe_input(c->oe, now, &found);
        break;
    case DISCOVER_FX_KEYS:
        if (fx->ticket >> GREET_TICKETS != 0) {
            greet_keys(c, now, fx);
            break;
        }
        found.kind = OE_EV_KEYS;
        found.keys = fx->keys;
        oe_input(c->oe, now, &found);
        break;
    }
}

static void oe_asks_discover(struct control *c, mono_t now, const struct oe_effect *fx)
{
    struct discover_event ask = {
        .kind = fx->kind == OE_FX_LOOKUP_KEYS ? DISCOVER_EV_KEYS : DISCOVER_EV_DELEGATION,
        .ticket = fx->ticket,
        .flow = fx->flow,
        .purpose = fx->purpose,
        .behalf = fx->behalf,
        .names = fx->names,
        .address = fx->address,
        .id = fx->peer_id,
    };
    /* A refusal still yields the effect that answers the ticket (discover.h). */
    if (discover_input(c->discover, now, &ask) != ERR_OK)
        c->counters[CONTROL_COUNT_effects_lost]++;
}

static void oe_tells_ike(struct control *c, mono_t now, const struct oe_effect *fx)
{
    struct ike_event event = {
        .ticket = fx->ticket,
        .serial = fx->serial,
        .ok = fx->ok,
        .local = {.addr = fx->local},
        .remote = {.addr = fx->peer},
        .flow = fx->flow,
        .peer_id = fx->peer_id,
        .keys = fx->keys,
        .key_count = fx->key_count,
        .wait_ms = fx->wait_ms,
        .version = fx->version,
    };
    switch (fx->kind) {
    case OE_FX_IKE_INITIATE:
        event.kind = IKE_EV_INITIATE;
        break;
    case OE_FX_IKE_PEER_KEYS:
        event.kind = IKE_EV_PEER_KEYS;
        break;
    case OE_FX_IKE_AUTHORIZED:
        event.kind = IKE_EV_AUTHORIZED;
        break;
    case OE_FX_IKE_DELETE:
        event.kind = IKE_EV_DELETE_CHILD;
        break;
    default:
        event.kind = IKE_EV_CANCEL;
        break;
    }
    ike_input(c->ike, now, &event);
}

static void from_oe(struct control *c, mono_t now, const struct oe_effect *fx)
{
    switch (fx->kind) {
    case OE_FX_POLICY:
        plane_link_policy(c, now, fx);
        break;
    case OE_FX_POLICY_REMOVE:
        plane_link_policy_remove(c, now, fx);
        break;
    case OE_FX_REMOVE_SA:
        plane_link_remove_sa(c, now, fx->spi_in, true, &fx->peer, &fx->local);
        plane_link_remove_sa(c, now, fx->spi_out, false, &fx->local, &fx->peer);
        break;
    case OE_FX_LAST_USE_QUERY:
        plane_link_last_use(c, now, fx);
        break;
    case OE_FX_SA_USE_QUERY:
        plane_link_sa_use(c, now, fx);
        break;
    case OE_FX_LOOKUP_DELEGATION:
    case OE_FX_LOOKUP_KEYS:
        oe_asks_discover(c, now, fx);
        break;
    case OE_FX_IKE_INITIATE:
    case OE_FX_IKE_PEER_KEYS:
    case OE_FX_IKE_AUTHORIZED:
    case OE_FX_IKE_DELETE:
    case OE_FX_IKE_CANCEL:
        oe_tells_ike(c, now, fx);
        break;
    }
}

static void ike_tells_oe(struct control *c, mono_t now, const struct ike_effect *fx)
{
    static const enum oe_event_kind kinds[] = {
        [IKE_FX_NEED_KEYS] = OE_EV_PEER_UNKNOWN,
        [IKE_FX_PEER_AUTHENTICATED] = OE_EV_PEER_AUTHENTICATED,
        [IKE_FX_NEED_AUTHORIZATION] = OE_EV_PROPOSAL,
        [IKE_FX_CHILD_UP] = OE_EV_CHILD_UP,
        [IKE_FX_CHILD_FAILED] = OE_EV_CHILD_FAILED,
        [IKE_FX_CHILD_DELETED] = OE_EV_CHILD_DELETED,
    };
    struct oe_event event = {
        .kind = kinds[fx->kind],
        .ticket = fx->ticket,
        .serial = fx->serial,
        .flow = fx->flow,
        .peer = fx->peer,
        .peer_id = fx->peer_id,
        .initiator = fx->initiator,
        .behind_nat = fx->behind_nat,
        .key = fx->key,
        .spi_in = fx->spi_in,
        .spi_out = fx->spi_out,
        .suite = fx->suite,
        .failure = fx->failure,
        .text = fx->text,
    };
    oe_input(c->oe, now, &event);
}

static void export_ike_keys(struct control *c, const struct ike_effect *fx)
{
    char line[KEY_LINE_MAX];
    struct ike_exported keys;
    struct control_effect out = {.kind = CONTROL_FX_KEYS,
                                 .table = fx->version == IKE_VERSION_1 ? KEY_TABLE_IKEV1
                                                                       : KEY_TABLE_IKEV2};
    memcpy(&keys, fx->bytes.ptr, sizeof(keys));
    out.bytes = view_of(line, key_line_ike(&keys, line));
    if (out.bytes.len != 0)
        control_push(c, &out);
    secret_wipe(&keys, sizeof(keys));
    secret_wipe(line, sizeof(line));
}

static void push_as(struct control *c, struct control_effect *fx, enum control_effect_kind kind)
{
    fx->kind = kind;
    control_push(c, fx);
}

static void from_ike(struct control *c, mono_t now, const struct ike_effect *fx)
{
    struct control_effect out = {
        .serial = fx->serial,
        .local = fx->local,
        .remote = fx->remote,
        .natt = fx->natt,
        .ok = fx->ok,
        .peer_id = fx->peer_id,
        .bytes = fx->bytes,
        .own_key = fx->own_key,
        .scheme = fx->scheme,
    };
    switch (fx->kind) {
    case IKE_FX_SEND:
    case IKE_FX_STREAM:
        push_as(c, &out, fx->kind == IKE_FX_SEND ? CONTROL_FX_SEND : CONTROL_FX_STREAM);
        break;
    case IKE_FX_NEED_SIGNATURE:
        push_as(c, &out, CONTROL_FX_SIGN);
        break;
    case IKE_FX_NEED_DECRYPTION:
        push_as(c, &out, CONTROL_FX_DECRYPT);
        break;
    case IKE_FX_NEED_WORK:
        out.work = fx->work;
        push_as(c, &out, CONTROL_FX_WORK);
        break;
    case IKE_FX_NEED_SPI:
        plane_link_ask_spi(c, now, fx);
        break;
    case IKE_FX_INSTALL:
        plane_link_install(c, now, fx);
        break;
    case IKE_FX_REMOVE_SA:
        if (fx->inbound)
            plane_link_remove_sa(c, now, fx->spi, true, &fx->peer, &fx->local.addr);
        else
            plane_link_remove_sa(c, now, fx->spi, false, &fx->local.addr, &fx->peer);
        break;
    case IKE_FX_MOVE_SA:
        plane_link_move_sa(c, now, fx);
        tunnel_link_moved(c, now, fx);
        break;
    case IKE_FX_SAVE:
        push_as(c, &out, CONTROL_FX_SAVE);
        break;
    case IKE_FX_FORGET:
        push_as(c, &out, CONTROL_FX_FORGET);
        break;
    case IKE_FX_PEER:
        if (fx->ok)
            greet_connected(c, &fx->local.addr, &fx->remote.addr);
        push_as(c, &out, CONTROL_FX_PEER);
        break;
    case IKE_FX_KEYS:
        export_ike_keys(c, fx);
        break;
    case IKE_FX_NEED_KEYS:
    case IKE_FX_PEER_AUTHENTICATED:
    case IKE_FX_NEED_AUTHORIZATION:
    case IKE_FX_CHILD_UP:
    case IKE_FX_CHILD_FAILED:
    case IKE_FX_CHILD_DELETED:
        if (!tunnel_link_from_ike(c, now, fx))
            ike_tells_oe(c, now, fx);
        break;
    }
}

/* Carries effects from engine to engine until none is left. */
static void control_pump(struct control *c, mono_t now)
{
    struct discover_effect discover_fx;
    struct oe_effect oe_fx;
    struct tunnel_effect tunnel_fx;
    struct ike_effect ike_fx;
    bool moved;

    do {
        moved = false;
        while (discover_next_effect(c->discover, &discover_fx)) {
            from_discover(c, now, &discover_fx);
            moved = true;
        }
        while (oe_next_effect(c->oe, &oe_fx)) {
            from_oe(c, now, &oe_fx);
            moved = true;
        }
        while (tunnels_next_effect(c->tunnels, &tunnel_fx)) {
            tunnel_link_effect(c, now, &tunnel_fx);
            moved = true;
        }
        while (ike_next_effect(c->ike, &ike_fx)) {
            from_ike(c, now, &ike_fx);
            moved = true;
        }
    } while (moved);
    if (c->sweep_rules)
        plane_link_rule_sweep(c, now);
    c->sweep_rules = false;
}

static enum err shut_down(struct control *c, mono_t now)
{
    struct oe_event oe = {.kind = OE_EV_SHUTDOWN};
    struct ike_event ike = {.kind = IKE_EV_SHUTDOWN};
    struct tunnel_event tunnels = {.kind = TUNNEL_EV_SHUTDOWN};

    greet_fini(c);
    tunnels_input(c->tunnels, now, &tunnels);
    enum err err = ike_input(c->ike, now, &ike);
    oe_input(c->oe, now, &oe);
    return err;
}

static enum err take_name(struct control *c, mono_t now, const struct control_event *event)
{
    struct discover_event name = {.kind = DISCOVER_EV_NAME,
                                  .id = *event->name,
                                  .address = event->address,
                                  .ttl_s = event->ttl_s};
    enum err err = discover_input(c->discover, now, &name);
    if (err != ERR_OK)
        c->counters[CONTROL_COUNT_names_refused]++;
    return err;
}

static enum err dispatch(struct control *c, mono_t now, const struct control_event *event)
{
    struct ike_event ike = {
        .local = event->local,
        .remote = event->remote,
        .natt = event->natt,
        .ok = event->ok,
        .serial = event->serial,
        .bytes = event->bytes,
        .work = event->work,
    };
    struct discover_event answer = {
        .kind = DISCOVER_EV_ANSWER, .serial = event->serial, .answer = event->answer};

    switch (event->kind) {
    case CONTROL_EV_DATAGRAM:
        ike.kind = IKE_EV_DATAGRAM;
        return ike_input(c->ike, now, &ike);
    case CONTROL_EV_NAME:
        return take_name(c, now, event);
    case CONTROL_EV_ROUTES:
        ike.kind = IKE_EV_ROUTES;
        return ike_input(c->ike, now, &ike);
    case CONTROL_EV_SIGNED:
        ike.kind = IKE_EV_SIGNED;
        return ike_input(c->ike, now, &ike);
    case CONTROL_EV_DECRYPTED:
        ike.kind = IKE_EV_DECRYPTED;
        return ike_input(c->ike, now, &ike);
    case CONTROL_EV_WORKED:
        ike.kind = IKE_EV_WORKED;
        return ike_input(c->ike, now, &ike);
    case CONTROL_EV_ANSWER:
        return discover_input(c->discover, now, &answer);
    case CONTROL_EV_PFKEY:
        return plane_link_input(c, now, event->bytes);
    case CONTROL_EV_PLANE_READY:
        plane_link_ready(c, now);
        return ERR_OK;
    case CONTROL_EV_PLANE_GONE:
        plane_link_gone(c, now);
        return ERR_OK;
    case CONTROL_EV_SHUTDOWN:
        return shut_down(c, now);
    case CONTROL_EV_STREAM:
        ike.kind = IKE_EV_STREAM;
        return ike_input(c->ike, now, &ike);
    case CONTROL_EV_STREAMS:
        ike.kind = IKE_EV_STREAMS;
        return ike_input(c->ike, now, &ike);
    case CONTROL_EV_RESTORE:
        return restart_restore(c, now, event);
    case CONTROL_EV_FORMER_PEER:
        return greet_add(c, now, event);
    }
    return ERR_STATE;
}

enum err control_input(struct control *c, mono_t now, const struct control_event *event)
{
    enum err err = dispatch(c, now, event);
    control_pump(c, now);
    return err;
}

void control_timer(struct control *c, mono_t now)
{
    plane_link_timer(c, now);
    greet_timer(c, now);
    discover_timer(c->discover, now);
    oe_timer(c->oe, now);
    tunnels_timer(c->tunnels, now);
    ike_timer(c->ike, now);
    control_pump(c, now);
}

mono_t control_next_deadline(const struct control *c)
{
    mono_t engines = mono_min(discover_next_deadline(c->discover), oe_next_deadline(c->oe));
    engines = mono_min(engines, ike_next_deadline(c->ike));
    engines = mono_min(engines, tunnels_next_deadline(c->tunnels));
    engines = mono_min(engines, c->greet_at);
    return mono_min(engines, heap_next(&c->deadlines));
}

/* One switch for the keys of IKE and of ESP. */
static struct ike_config ike_config_of(const struct control_config *config)
{
    struct ike_config ike = config->ike;
    ike.key_export = config->export_keys;
    return ike;
}

/* IKE SAs leave an address that is gone. */
static void tell_addresses(struct control *c, mono_t now, const struct control_config *config)
{
    const struct ike_event event = {.kind = IKE_EV_ADDRESSES,
                                    .addresses = config->tunnels.own,
                                    .address_ranks = config->own_ranks,
                                    .address_count =
                                        config->tunnels.own_count - config->own_down};
    ike_input(c->ike, now, &event);
}

static void take_spis(struct control *c, const struct control_config *config)
{
    c->leased_spis = config->leased_spis;
    c->spi_count = config->spi_count < CONTROL_SPIS ? config->spi_count : CONTROL_SPIS;
    for (size_t i = 0; i < c->spi_count; i++)
        c->spis[i] = config->spis[i];
}

enum err control_new(const struct control_config *config, const struct control_env *env,
                     struct control **ret)
{
    struct discover_env discover_env = {.rng = env->rng, .trace = env->trace};
    struct oe_env oe_env = {.rng = env->rng, .trace = env->trace, .ways = env->ways};
    struct ike_env ike_env = {
        .rng = env->rng, .wall = env->wall, .trace = env->trace, .ways = env->ways};
    struct tunnel_env tunnel_env = {.rng = env->rng, .trace = env->trace, .ways = env->ways};
    struct ike_config ike = ike_config_of(config);
    struct control *c = calloc(1, sizeof(*c));

    if (c == NULL)
        return ERR_MEMORY;
    c->rng = env->rng;
    c->trace = env->trace;
    c->require_dnssec = config->oe.require_dnssec;
    c->greet_at = MONO_NEVER;
    c->export_keys = config->export_keys;
    take_spis(c, config);
    c->plane_reply_ms = config->plane_reply_ms ? config->plane_reply_ms : 3000;
    fifo_init(&c->effects, sizeof(struct control_effect));
    plane_link_init(c);
    enum err err = discover_new(&config->discover, &discover_env, &c->discover);
    if (err == ERR_OK)
        err = oe_new(&config->oe, &oe_env, &c->oe);
    if (err == ERR_OK)
        err = ike_new(&ike, &ike_env, &c->ike);
    if (err == ERR_OK)
        err = tunnels_new(&config->tunnels, &tunnel_env, &c->tunnels);
    if (err != ERR_OK) {
        control_free(c);
        return err;
    }
    if (config->tunnels.own_count != 0) /* else they aren't known yet */
        tell_addresses(c, (mono_t){0}, config);
    *ret = c;
    return ERR_OK;
}

/* oe last: what it asks again is asked under the new configuration of the others. */
enum err control_reconfigure(struct control *c, mono_t now, const struct control_config *config)
{
    if (config->oe.class_count > LIMIT_CLASSES)
        return ERR_LIMIT;
    take_spis(c, config);
    discover_reconfigure(c->discover, &config->discover);
    const struct ike_config ike = ike_config_of(config);
    ike_reconfigure(c->ike, &ike);
    tell_addresses(c, now, config);
    enum err err = tunnels_reconfigure(c->tunnels, now, &config->tunnels);
    enum err oe_err = oe_reconfigure(c->oe, now, &config->oe);
    if (err == ERR_OK)
        err = oe_err;
    tunnel_link_unleased(c, now);
    control_pump(c, now);
    return err;
}

void control_free(struct control *c)
{
    struct control_effect left;

    if (c == NULL)
        return;
    while (fifo_pop(&c->effects, &left)) {
        drop_octets(&left.bytes);
        ike_work_free(left.work);
    }
    drop_octets(&c->handed_out);
    fifo_fini(&c->effects);
    greet_fini(c);
    plane_link_fini(c);
    discover_free(c->discover);
    oe_free(c->oe);
    tunnels_free(c->tunnels);
    ike_free(c->ike);
    free(c);
}

const struct oe *control_oe(const struct control *c)
{
    return c->oe;
}

const struct ike *control_ike(const struct control *c)
{
    return c->ike;
}

const struct tunnels *control_tunnels(const struct control *c)
{
    return c->tunnels;
}

size_t control_command(struct control *c, mono_t now, const char *name, bool up)
{
    size_t named = tunnels_command(c->tunnels, now, name, up);
    control_pump(c, now);
    return named;
}

size_t control_move(struct control *c, mono_t now, const char *name, const struct ip_pair *ends)
{
    size_t asked = tunnel_link_ask_update(c, name, ends);
    control_pump(c, now);
    return asked;
}

size_t control_pending(const struct control *c)
{
    return c->pending.count;
}

bool control_plane_ready(const struct control *c)
{
    return c->plane_ready;
}

bool control_counter(const struct control *c, size_t i, const char **ret_name, uint64_t *ret_value)
{
    static const char *const names[] = {
#define COUNTER_NAME(name) #name,
        CONTROL_COUNTER_LIST(COUNTER_NAME)
#undef COUNTER_NAME
    };
    if (i >= CONTROL_COUNTERS)
        return false;
    *ret_name = names[i];
    *ret_value = c->counters[i];
    return true;
}
