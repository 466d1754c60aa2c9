#include "ike/ike.h"

#include <assert.h>
#include <stdio.h>

#include "ike/engine.h"
#include "ike/v1/v1.h"
#include "ike/v2/v2.h"

enum {
    DEFAULT_RETRANSMIT_MS = 500,
    DEFAULT_GIVE_UP_MS = 20000, /* OE-062 */
    DEFAULT_IKE_LIFETIME_S = 3 * 3600,
    DEFAULT_CHILD_LIFETIME_S = 3600,
};

/* Counters, serials, timers, effects */

static const char *const counter_names[] = {
#define IKE_COUNTER_NAME(name, text) text,
    IKE_COUNTERS(IKE_COUNTER_NAME)
#undef IKE_COUNTER_NAME
};

void ike_count(struct ike *ike, enum ike_counter_id id)
{
    ike->counters[id]++;
    ike->last_counted = id;
}

uint16_t ike_own_port(const struct ike *ike)
{
    return ike->config.own_port != 0 ? ike->config.own_port : IKE_PORT;
}

uint64_t ike_serial(struct ike *ike)
{
    return ++ike->last_serial;
}

/* A resting timer stays in the heap, so that setting it again needs no memory. */
static const mono_t timer_rests = {INT64_MAX - 1};

bool ike_timer_add(struct ike *ike, struct ike_timer *timer, ike_timer_fn *fire)
{
    timer->node = (struct heap_node){.at = MONO_NEVER};
    timer->fire = fire;
    if (heap_set(&ike->timers, &timer->node, timer_rests))
        return true;
    timer->fire = NULL;
    return false;
}

void ike_timer_set(struct ike *ike, struct ike_timer *timer, mono_t at)
{
    if (timer->fire == NULL)
        return; /* of an SA that only passes by: see receive_offer() */
    bool set = heap_set(&ike->timers, &timer->node, mono_min(at, timer_rests));
    assert(set);
    (void)set;
}

void ike_timer_drop(struct ike *ike, struct ike_timer *timer)
{
    if (timer->fire != NULL)
        heap_remove(&ike->timers, &timer->node);
    timer->fire = NULL;
}

/* An effect in the queue owns what it points to. */
struct queued {
    struct ike_effect effect;
    void *owned;
    size_t owned_len;
};

static struct view pointed_to(const struct ike_effect *effect)
{
    if (effect->sas != NULL)
        return view_of(effect->sas, effect->sa_count * sizeof(*effect->sas));
    if (effect->key != NULL)
        return view_of(effect->key, sizeof(*effect->key));
    return effect->bytes;
}

bool ike_effect_push(struct ike *ike, const struct ike_effect *effect)
{
    struct view from = pointed_to(effect);
    struct queued q = {.effect = *effect, .owned_len = from.len};
    if (from.len != 0) {
        q.owned = malloc(from.len);
        if (q.owned == NULL)
            goto no_memory;
        memcpy(q.owned, from.ptr, from.len);
    }
    if (effect->sas != NULL)
        q.effect.sas = q.owned;
    else if (effect->key != NULL)
        q.effect.key = q.owned;
    else
        q.effect.bytes.ptr = q.owned;
    if (fifo_push(&ike->effects, &q))
        return true;
    if (q.owned != NULL)
        secret_wipe(q.owned, q.owned_len);
    free(q.owned);
no_memory:
    ike_count(ike, IKE_COUNT_MEMORY);
    return false;
}

static void return_lent(struct ike *ike)
{
    if (ike->lent != NULL)
        secret_wipe(ike->lent, ike->lent_len);
    free(ike->lent);
    ike->lent = NULL;
}

bool ike_next_effect(struct ike *ike, struct ike_effect *ret)
{
    struct queued q;
    return_lent(ike);
    if (!fifo_pop(&ike->effects, &q))
        return false;
    ike->lent = q.owned;
    ike->lent_len = q.owned_len;
    *ret = q.effect;
    return true;
}

/* Birth and death */

static void set_defaults(struct ike_config *config)
{
    if (config->retransmit_ms == 0)
        config->retransmit_ms = DEFAULT_RETRANSMIT_MS;
    if (config->give_up_ms == 0)
        config->give_up_ms = DEFAULT_GIVE_UP_MS;
    if (config->ike_lifetime_s == 0)
        config->ike_lifetime_s = DEFAULT_IKE_LIFETIME_S;
    if (config->child_lifetime_s == 0)
        config->child_lifetime_s = DEFAULT_CHILD_LIFETIME_S;
    if (config->half_open == 0)
        config->half_open = LIMIT_HALF_OPEN;
    config->child_octets -= config->child_octets % 1024; /* offered in kilobytes */
}

static void half_open_timer(struct ike *ike, struct ike_timer *timer)
{
    (void)timer;
    half_open_expire(ike);
}

enum err ike_new(const struct ike_config *config, const struct ike_env *env, struct ike **ret)
{
    struct ike *ike = calloc(1, sizeof(*ike));
    if (ike == NULL)
        return ERR_MEMORY;
    ike->config = *config;
    ike->env = *env;
    ike->sa_limit = LIMIT_IKE_SAS;
    set_defaults(&ike->config);
    map_init(&ike->sas, MAP_KEY_OFFSET(struct ike_sa, by_cookies, cookies), 2 * ISAKMP_COOKIE_LEN,
             &env->rng);
    map_init(&ike->peers, MAP_KEY_OFFSET(struct ike_peer, by_addresses, key),
             sizeof(struct ike_peer_key), &env->rng);
    map_init(&ike->tickets, MAP_KEY_OFFSET(struct ike_ticket, by_number, number), sizeof(uint64_t),
             &env->rng);
    map_init(&ike->children, MAP_KEY_OFFSET(struct ike_child, by_spi, key),
             sizeof(struct ike_child_key), &env->rng);
    map_init(&ike->formers, MAP_KEY_OFFSET(struct ike_former, by_addresses, key),
             sizeof(struct ike_peer_key), &env->rng);
    map_init(&ike->questions, MAP_KEY_OFFSET(struct v1_exchange, by_serial, serial),
             sizeof(uint64_t), &env->rng);
    ike->ways = env->ways;
    half_open_init(&ike->half_open, &env->rng);
    v2_engine_init(ike);
    TAILQ_INIT(&ike->unproven);
    TAILQ_INIT(&ike->established);
    rng_fill(&env->rng, ike->unproven_seeds, sizeof(ike->unproven_seeds));
    fifo_init(&ike->effects, sizeof(struct queued));
    ike->offers = phase1_offers(config->legacy, &ike->offer_count);
    ike->child_offers = phase2_offers(config->legacy, &ike->child_offer_count);
    if (!ike_timer_add(ike, &ike->half_open_timer, half_open_timer)) {
        ike_free(ike);
        return ERR_MEMORY;
    }
    *ret = ike;
    return ERR_OK;
}

void ike_reconfigure(struct ike *ike, const struct ike_config *config)
{
    struct identity id = ike->config.id;
    ike->config = *config;
    ike->config.id = id;
    set_defaults(&ike->config);
    ike->offers = phase1_offers(config->legacy, &ike->offer_count);
    ike->child_offers = phase2_offers(config->legacy, &ike->child_offer_count);
}

static void free_requests(struct ike *ike)
{
    struct map_node *node, *next;
    for (node = map_first(&ike->tickets); node != NULL; node = next) {
        struct ike_ticket *ticket = MAP_OWNER(node, struct ike_ticket, by_number);
        next = map_next(&ike->tickets, node);
        if (ticket->request != NULL)
            ike_request_free(ike, ticket->request);
    }
}

void ike_free(struct ike *ike)
{
    struct ike_effect effect;
    struct map_node *node;
    if (ike == NULL)
        return;
    free_requests(ike);
    while (ike->all_count != 0)
        ike_sa_free(ike, ike->all[0]);
    v2_engine_fini(ike);
    while ((node = map_first(&ike->children)) != NULL)
        ike_child_free(ike, MAP_OWNER(node, struct ike_child, by_spi));
    while (ike_next_effect(ike, &effect))
        ike_work_free(effect.work);
    assert(ike->peers.count == 0 && ike->tickets.count == 0 && ike->questions.count == 0);
    half_open_fini(&ike->half_open);
    ike_timer_drop(ike, &ike->half_open_timer);
    assert(ike->timers.count == 0);
    map_fini(&ike->sas);
    map_fini(&ike->peers);
    map_fini(&ike->tickets);
    map_fini(&ike->children);
    map_fini(&ike->questions);
    contact_fini(ike);
    heap_fini(&ike->timers);
    fifo_fini(&ike->effects);
    free(ike->all);
    secret_wipe(ike, sizeof(*ike));
    free(ike);
}

/* OE-173: every peer with a phase 1 SA is told; nothing is waited for. The children of an SA are deleted
 * with it; without memory for their list they go one by one, before it. */
static void end_with_children(struct ike *ike, struct ike_sa *sa)
{
    struct ike_child *child;
    spi_t *spis = calloc(ike->children.count + 1, sizeof(*spis));
    size_t count = 0;

    for (child = sa->peer != NULL ? LIST_FIRST(&sa->peer->children) : NULL; child != NULL;
         child = LIST_NEXT(child, of_peer)) {
        if (child->v2_owner != 0 || ike_peer_sa(child->peer, child->peer_key) != sa)
            continue;
        if (spis != NULL && child->protocol == SA_ESP)
            spis[count++] = child->spi_in;
        else
            info_send_delete_children(ike, sa, child->protocol, &child->spi_in, 1);
    }
    ike_sa_end(ike, sa, spis, count);
    free(spis);
}

static enum err shut_down(struct ike *ike)
{
    struct map_node *node;
    ike->shutting_down = true;
    while (ike->all_count != 0) {
        struct ike_sa *sa = ike->all[0];
        ike_requests_abandon(ike, sa, IKE_FAILURE_OTHER, "shutting down");
        if (ike_sa_established(sa))
            end_with_children(ike, sa);
        else
            ike_sa_free(ike, sa);
    }
    while ((node = map_first(&ike->children)) != NULL)
        ike_child_finish(ike, MAP_OWNER(node, struct ike_child, by_spi));
    while (ike->v2.all_count != 0) {
        struct v2_sa *sa = ike->v2.all[0];
        v2_requests_abandon(ike, sa, IKE_FAILURE_OTHER, "shutting down");
        v2_sa_end(ike, sa);
    }
    return ERR_OK;
}

/* RFC 7296 section 2.5: an answer for those who speak a later version than ours. */
static enum err receive_later(struct ike *ike, const struct ike_event *event)
{
    struct ike2_header header = {.flags = 0};
    struct cursor cur = cursor_of(event->bytes);
    cursor_copy(&cur, header.spi_i, sizeof(header.spi_i));
    cursor_copy(&cur, header.spi_r, sizeof(header.spi_r));
    cursor_skip(&cur, 2);
    header.exchange = cursor_u8(&cur);
    header.flags = cursor_u8(&cur);
    header.message_id = cursor_u32(&cur);
    if ((header.flags & IKE2_FLAG_RESPONSE) == 0)
        v2_complain(ike, event, &header, IKE2_N_INVALID_MAJOR_VERSION);
    ike_count(ike, IKE_COUNT_VERSION);
    return ERR_VERSION;
}

/* The two versions share ports and the place of the version field. */
static enum err receive(struct ike *ike, const struct ike_event *event)
{
    struct isakmp_header header;
    unsigned major = event->bytes.len >= ISAKMP_HEADER_LEN ? event->bytes.ptr[17] >> 4 : 1;
    if (major == 2)
        return v2_receive(ike, event);
    if (major > 2)
        return receive_later(ike, event);
    enum err err = isakmp_header_parse(event->bytes, &header);
    if (err != ERR_OK) {
        ike_count(ike, err == ERR_VERSION ? IKE_COUNT_VERSION : IKE_COUNT_MALFORMED);
        return err;
    }
    if (event->remote.stream != 0) { /* RFC 9329 is about version 2 */
        ike_count(ike, IKE_COUNT_VERSION);
        return ERR_VERSION;
    }
    if (v2_receive_older(ike, event, header.cookie_i))
        return ERR_VERSION;
    return v1_receive(ike, event, &header);
}

/* Whoever asked under that serial. */
static enum err answer(struct ike *ike, const struct ike_event *event, enum v1_trigger v1,
                       enum v2_trigger v2)
{
    if (event->serial != 0 && map_find(&ike->v2.questions, &event->serial) != NULL)
        return v2_answer(ike, event, v2);
    return v1_answer(ike, event, v1);
}

static void trace_drop(const struct ike *ike, const struct ike_event *event, enum err err)
{
    struct event_record r = {
        .at = ike->now,
        .room = EVENT_IKE,
        .level = EVENT_DEBUG,
        .peer = event->remote.addr,
        .connection = event->ticket,
        .title = "Dropped",
    };
    snprintf(r.detail, sizeof(r.detail), "%s: %s", counter_names[ike->last_counted], err_text(err));
    event_emit(&ike->env.trace, &r);
}

static enum err dispatch(struct ike *ike, const struct ike_event *event)
{
    if (event->kind == IKE_EV_WORKED)
        return ike_worked(ike, event);
    if (ike->shutting_down) {
        ike_count(ike, IKE_COUNT_SHUTTING_DOWN); /* OE-174 */
        return ERR_UNEXPECTED;
    }
    switch (event->kind) {
    case IKE_EV_DATAGRAM:
        return receive(ike, event);
    case IKE_EV_INITIATE:
        return ike_initiate(ike, event);
    case IKE_EV_PEER_KEYS:
        return answer(ike, event, V1_ON_PEER_KEYS, V2_ON_PEER_KEYS);
    case IKE_EV_SIGNED:
        return answer(ike, event, V1_ON_SIGNED, V2_ON_SIGNED);
    case IKE_EV_DECRYPTED:
        return v1_answer(ike, event, V1_ON_DECRYPTED);
    case IKE_EV_AUTHORIZED:
        return answer(ike, event, V1_ON_AUTHORIZED, V2_ON_AUTHORIZED);
    case IKE_EV_SPI:
        return answer(ike, event, V1_ON_SPI, V2_ON_SPI);
    case IKE_EV_INSTALLED:
        return answer(ike, event, V1_ON_INSTALLED, V2_ON_INSTALLED);
    case IKE_EV_WORKED:
        break;
    case IKE_EV_MOVED:
        return ike_child_moved(ike, event);
    case IKE_EV_DELETE_CHILD:
        return ike_child_delete(ike, event->ticket);
    case IKE_EV_CANCEL:
        return ike_cancel(ike, event->ticket);
    case IKE_EV_SHUTDOWN:
        return shut_down(ike);
    case IKE_EV_RESTORE:
        return saved_restore(ike, event);
    case IKE_EV_DISOWN:
        return saved_disown(ike, event);
    case IKE_EV_FORMER_PEER:
        return contact_former_peer(ike, event);
    case IKE_EV_GREET:
        return contact_greet(ike, event);
    case IKE_EV_ADDRESSES:
        return v2_mobike_addresses(ike, event);
    case IKE_EV_UPDATE:
        return ike_child_update(ike, event);
    case IKE_EV_ROUTES:
        v2_mobike_routes(ike);
        return ERR_OK;
    case IKE_EV_STREAM:
        return v2_tcp_opened(ike, event);
    case IKE_EV_STREAMS:
        return v2_tcp_tell_all(ike);
    }
    ike_count(ike, IKE_COUNT_BAD_REQUEST);
    return ERR_STATE;
}

enum err ike_input(struct ike *ike, mono_t now, const struct ike_event *event)
{
    return_lent(ike);
    ike->now = now;
    enum err err = dispatch(ike, event);
    if (err != ERR_OK)
        trace_drop(ike, event, err);
    return err;
}

void ike_timer(struct ike *ike, mono_t now)
{
    struct heap_node *node;
    return_lent(ike);
    ike->now = now;
    while ((node = heap_first(&ike->timers)) != NULL && mono_reached(now, node->at)) {
        struct ike_timer *timer = HEAP_OWNER(node, struct ike_timer, node);
        ike_timer_set(ike, timer, MONO_NEVER);
        timer->fire(ike, timer);
    }
}

mono_t ike_next_deadline(const struct ike *ike)
{
    mono_t next = heap_next(&ike->timers);
    return next.ms >= timer_rests.ms ? MONO_NEVER : next;
}

/* For status */

bool ike_sa_info(const struct ike *ike, size_t i, struct ike_sa_info *ret)
{
    const struct ike_child *child;
    if (i >= ike->all_count)
        return v2_sa_info(ike, i - ike->all_count, ret);
    const struct ike_sa *sa = ike->all[i];
    *ret = (struct ike_sa_info){
        .version = IKE_VERSION_1,
        .local = sa->path.local,
        .remote = sa->path.remote,
        .nat_here = sa->nat.here,
        .nat_there = sa->nat.there,
        .udp = sa->nat.udp,
        .initiator = sa->initiator,
        .established = ike_sa_established(sa),
        .state = v1_state_name(sa->main.state),
        .since = sa->since,
        .expires = sa->expires,
    };
    memcpy(ret->cookies, sa->cookies, sizeof(ret->cookies));
    if (sa->suite.group != 0)
        ike_suite_format(&sa->suite, ret->suite);
    if (!ike_sa_established(sa))
        return true;
    ret->peer_id = sa->peer_id;
    if (sa->peer != NULL && ike_peer_sa(sa->peer, sa->peer_key_digest) == sa)
        LIST_FOREACH (child, &sa->peer->children, of_peer)
            ret->children +=
                child->v2_owner == 0 && memcmp(child->peer_key, sa->peer_key_digest, sizeof(child->peer_key)) == 0;
    return true;
}

bool ike_counter(const struct ike *ike, size_t i, const char **ret_name, uint64_t *ret_value)
{
    if (i >= IKE_COUNTER_COUNT)
        return false;
    *ret_name = counter_names[i];
    *ret_value = ike->counters[i];
    return true;
}
