/* The client's life: what the gateway says, what our user wants, and time. */
#include <stdlib.h>

#include "rsip/client_internal.h"

enum {
    FIRST_TIMEOUT_US = 12500,
    ATTEMPTS = 7,
    RETRY_MS = 5000,
    QUERIES = 8, /* that wait */
    WANTS = 1024,
    EXTEND_PARTS = 3, /* a lease is extended when two of three parts are over */
};

enum err rsip_client_new(const struct rsip_client_config *config, struct rsip_client **ret)
{
    struct rsip_client *c = calloc(1, sizeof(*c));
    if (c == NULL)
        return ERR_MEMORY;
    c->config = *config;
    if (c->config.tunnels == 0)
        c->config.tunnels = 1 << RSIP_TUNNEL_IPIP;
    if (c->config.retransmit_us == 0)
        c->config.retransmit_us = FIRST_TIMEOUT_US;
    if (c->config.attempts == 0)
        c->config.attempts = ATTEMPTS;
    if (c->config.retry_ms == 0)
        c->config.retry_ms = RETRY_MS;
    c->timeout_at = MONO_NEVER;
    c->expires = MONO_NEVER;
    fifo_init(&c->queries, sizeof(struct query));
    fifo_init(&c->effects, sizeof(struct effect));
    *ret = c;
    return ERR_OK;
}

void rsip_client_free(struct rsip_client *c)
{
    struct effect effect;

    if (c == NULL)
        return;
    while (c->wants != NULL)
        client_want_free(c, c->wants);
    while (fifo_pop(&c->effects, &effect))
        free(effect.memory);
    free(c->given);
    fifo_fini(&c->effects);
    fifo_fini(&c->queries);
    free(c);
}

bool rsip_client_next_effect(struct rsip_client *c, struct rsip_client_effect *ret)
{
    struct effect effect;

    free(c->given);
    c->given = NULL;
    if (!fifo_pop(&c->effects, &effect))
        return false;
    c->given = effect.memory;
    *ret = effect.public;
    return true;
}

enum rsip_relation rsip_client_relation(const struct rsip_client *c)
{
    if (c->id == 0)
        return RSIP_UNREGISTERED;
    for (const struct want *w = c->wants; w != NULL; w = w->next)
        if (w->state != WANT_NEW)
            return RSIP_ASSIGNED;
    return RSIP_REGISTERED;
}

uint32_t rsip_client_id(const struct rsip_client *c)
{
    return c->id;
}

unsigned rsip_client_pending(const struct rsip_client *c)
{
    return c->paused ? 0 : c->pending;
}

static void bind_lost(struct rsip_client *c, struct want *want, int64_t pause_ms)
{
    bool leaving = want->state == WANT_LEAVING;
    if (want->state == WANT_NEW)
        return;
    want->state = WANT_NEW;
    want->had = true;
    want->retry_at = mono_add(c->now, pause_ms);
    if (!want->unwanted)
        client_say(c, RSIP_CFX_BIND_DOWN, want->ticket, RSIP_OK);
    if (leaving)
        client_want_free(c, want);
}

/* RSIP-116: nothing of it may be used any more. */
static void registration_lost(struct rsip_client *c, enum rsip_error why, int64_t pause_ms)
{
    struct want *next;

    if (c->id == 0)
        return;
    c->id = 0;
    c->expires = MONO_NEVER;
    c->retry_at = mono_add(c->now, pause_ms);
    for (struct want *w = c->wants; w != NULL; w = next) {
        next = w->next;
        bind_lost(c, w, 0);
    }
    client_say(c, RSIP_CFX_UNREGISTERED, 0, why);
}

static bool ask_for_wants(struct rsip_client *c)
{
    for (struct want *w = c->wants; w != NULL; w = w->next)
        if (w->state == WANT_LEAVING) {
            client_ask_about_bind(c, RSIP_FREE_REQUEST, w);
            return true;
        }
    for (struct want *w = c->wants; w != NULL; w = w->next)
        if (w->state == WANT_UP && mono_reached(c->now, w->extend_at)) {
            client_ask_about_bind(c, RSIP_EXTEND_REQUEST, w);
            return true;
        }
    for (struct want *w = c->wants; w != NULL; w = w->next)
        if (w->state == WANT_NEW && mono_reached(c->now, w->retry_at)) {
            client_ask_assign(c, w);
            return true;
        }
    return false;
}

/* RSIP-073: without a bind nothing extends a registration, so it is made anew. */
static mono_t renew_at(const struct rsip_client *c)
{
    return rsip_client_relation(c) == RSIP_REGISTERED && !mono_is_never(c->expires)
               ? mono_add(c->expires, -(int64_t)c->config.retry_ms)
               : MONO_NEVER;
}

static bool transport_ready(struct rsip_client *c)
{
    if (c->config.transport == RSIP_UDP || c->connected)
        return true;
    if (!c->connecting && mono_reached(c->now, c->retry_at)) {
        c->connecting = true;
        client_say(c, RSIP_CFX_CONNECT, 0, RSIP_OK);
    }
    return false;
}

static bool idle(const struct rsip_client *c)
{
    return c->pending == 0 && !c->started && c->id == 0 && c->stale_id == 0;
}

/* The next request, if none is under way and there is something to ask (RSIP-108, RSIP-114). */
static void go_on(struct rsip_client *c)
{
    struct query query;

    if (idle(c) || !transport_ready(c) || c->pending != 0)
        return;
    if (c->stale_id != 0) {
        client_ask_deregister(c, c->stale_id);
    } else if (!c->started) {
        client_ask_deregister(c, c->id);
    } else if (c->id == 0) {
        struct rsip_message m = {.type = RSIP_REGISTER_REQUEST};
        if (mono_reached(c->now, c->retry_at))
            client_ask(c, &m, NULL);
    } else if (ask_for_wants(c)) {
        return;
    } else if (fifo_pop(&c->queries, &query)) {
        client_ask_query(c, &query);
    } else if (mono_reached(c->now, renew_at(c))) {
        client_ask_deregister(c, c->id);
    }
}

static void on_registered(struct rsip_client *c, const struct rsip_message *m)
{
    c->id = m->client_id;
    c->expires = mono_add(c->now, (int64_t)m->lease_s * 1000);
    client_emit(c, (struct rsip_client_effect){.kind = RSIP_CFX_REGISTERED}, m, sizeof(*m));
}

static void leased_until(struct rsip_client *c, struct want *want, uint32_t lease_s)
{
    int64_t ms = (int64_t)lease_s * 1000;
    want->expires = mono_add(c->now, ms);
    want->extend_at = mono_add(c->now, ms - ms / EXTEND_PARTS);
    if (want->expires.ms > c->expires.ms) /* RSIP-070 */
        c->expires = want->expires;
}

/* What we asked for, of a kind that we can use; else the bind goes back (RSIP-128). */
static bool understood(const struct rsip_client *c, const struct want *want,
                       const struct rsip_message *m)
{
    const struct rsip_want *wish = &want->wish;
    bool ports = m->type == RSIP_ASSIGN_RESPONSE_RSA || rsip_ports_named(&m->local_ports) ||
                 (wish->method == RSIP_METHOD_IPSEC && wish->ports.form == RSIP_RANGE_NONE);
    bool spis = wish->method != RSIP_METHOD_IPSEC || m->spi.form == RSIP_RANGE_RUN ||
                m->spi.form == RSIP_RANGE_LIST;
    bool local = !m->local.any && (m->local.type == RSIP_ADDR_V4 || m->local.type == RSIP_ADDR_V6);
    bool tunnel =
        m->tunnels[0] <= RSIP_TUNNEL_L2TP && (c->config.tunnels & 1 << m->tunnels[0]) != 0;
    return local && ports && spis && tunnel && m->lease_s > 0;
}

static void on_assigned(struct rsip_client *c, struct want *want, const struct rsip_message *m)
{
    want->bind_id = m->bind_id;
    if (!understood(c, want, m)) {
        struct rsip_message back = {.type = RSIP_FREE_REQUEST,
                                    .present = RSIP_F_CLIENT_ID | RSIP_F_BIND_ID,
                                    .client_id = c->id,
                                    .bind_id = m->bind_id};
        want->had = false;
        client_refused(c, want, RSIP_E_BAD_PARAM);
        client_ask(c, &back, NULL);
        return;
    }
    want->state = want->unwanted ? WANT_LEAVING : WANT_UP;
    want->granted = *m;
    want->granted.remote = want->wish.remote; /* a name would point into the datagram */
    leased_until(c, want, m->lease_s);
    if (!want->unwanted)
        client_emit(c,
                    (struct rsip_client_effect){.kind = RSIP_CFX_BIND_UP, .ticket = want->ticket},
                    &want->granted, sizeof(want->granted));
}

static void on_freed(struct rsip_client *c, struct want *want)
{
    if (want != NULL)
        bind_lost(c, want, 0);
}

static void on_deregistered(struct rsip_client *c)
{
    if (c->stale_id != 0) {
        c->stale_id = 0;
        return;
    }
    registration_lost(c, RSIP_OK, 0);
}

static void on_response(struct rsip_client *c, unsigned asked, struct want *about,
                        const struct rsip_message *m)
{
    switch (asked) {
    case RSIP_REGISTER_REQUEST:
        on_registered(c, m);
        break;
    case RSIP_DEREGISTER_REQUEST:
        on_deregistered(c);
        break;
    case RSIP_EXTEND_REQUEST:
        if (about != NULL && about->state == WANT_UP)
            leased_until(c, about, m->lease_s);
        break;
    case RSIP_FREE_REQUEST:
        on_freed(c, about);
        break;
    case RSIP_QUERY_REQUEST:
        client_emit(c,
                    (struct rsip_client_effect){.kind = RSIP_CFX_ANSWER, .ticket = c->query_ticket},
                    m, sizeof(*m));
        break;
    default:
        if (about != NULL)
            on_assigned(c, about, m);
        break;
    }
}

/* RSIP-163, RSIP-181: what it thinks of us is not what we think; the old registration ends first.
 */
static void out_of_step(struct rsip_client *c, enum rsip_error error)
{
    c->stale_id = c->id;
    registration_lost(c, error, 0);
}

static void on_error(struct rsip_client *c, unsigned asked, struct want *about,
                     const struct rsip_message *m)
{
    enum rsip_error error = (enum rsip_error)m->error;
    bool lost = error == RSIP_E_REGISTER_FIRST || error == RSIP_E_BAD_CLIENT_ID;

    switch (asked) {
    case RSIP_REGISTER_REQUEST:
        if (error == RSIP_E_ALREADY_REGISTERED && (m->present & RSIP_F_CLIENT_ID) != 0) {
            c->stale_id = m->client_id; /* RSIP-179 */
            return;
        }
        c->retry_at = mono_add(c->now, c->config.retry_ms);
        client_say(c, RSIP_CFX_UNREGISTERED, 0, error);
        return;
    case RSIP_DEREGISTER_REQUEST: /* ignored (RSIP-181), 303 as well as 301 (RSIP-161) */
        on_deregistered(c);
        return;
    case RSIP_QUERY_REQUEST:
        client_say(c, RSIP_CFX_ANSWER, c->query_ticket, error);
        break;
    case RSIP_EXTEND_REQUEST:
        if (about != NULL && !lost)
            bind_lost(c, about, 0);
        break;
    case RSIP_FREE_REQUEST: /* RSIP-135: it is gone; what is still wanted is asked for anew */
        on_freed(c, about);
        break;
    default:
        if (!lost)
            client_refused(c, about, error);
        break;
    }
    if (lost)
        out_of_step(c, error);
}

/* RSIP-134, RSIP-116: at any moment. */
static enum err on_unasked(struct rsip_client *c, const struct rsip_message *m)
{
    if (c->id == 0 || (m->present & RSIP_F_CLIENT_ID) == 0 || m->client_id != c->id)
        return ERR_UNKNOWN; /* RSIP-180 */
    if (m->type == RSIP_DEREGISTER_RESPONSE) {
        client_settled(c);
        registration_lost(c, RSIP_OK, c->config.retry_ms);
        return ERR_OK;
    }
    if (m->type == RSIP_ERROR_RESPONSE) {
        client_say(c, RSIP_CFX_MISUSE, 0, (enum rsip_error)m->error);
        return ERR_OK;
    }
    if (m->type != RSIP_FREE_RESPONSE)
        return ERR_UNEXPECTED;
    for (struct want *w = c->wants; w != NULL; w = w->next)
        if (w->state != WANT_NEW && w->bind_id == m->bind_id) {
            bool leaving = w->state == WANT_LEAVING;
            if (c->about == w && leaving)
                client_settled(c);
            bind_lost(c, w, c->config.retry_ms);
            return ERR_OK;
        }
    return ERR_UNKNOWN;
}

static bool answers(const struct rsip_client *c, const struct rsip_message *m)
{
    if (c->pending == 0 || (m->present & RSIP_F_COUNTER) == 0 || m->counter != c->counter)
        return false;
    if (m->type == RSIP_ERROR_RESPONSE)
        return true;
    if (m->type != c->pending + 1)
        return false;
    uint32_t id = c->stale_id != 0 ? c->stale_id : c->id;
    return c->pending == RSIP_REGISTER_REQUEST ? m->client_id != 0 : m->client_id == id;
}

/* RSIP-106: what is wrong in any way is dropped without a word. */
static enum err on_message(struct rsip_client *c, struct view bytes)
{
    struct rsip_message m;
    enum rsip_error error;
    enum err err = rsip_parse(bytes, &m, &error);

    if (err != ERR_OK)
        return err;
    if (rsip_type_is_request(m.type))
        return ERR_UNEXPECTED;
    if (!answers(c, &m)) {
        bool unasked = (m.present & RSIP_F_COUNTER) == 0 || m.counter == 0;
        return unasked ? on_unasked(c, &m) : ERR_REPLAY;
    }
    unsigned asked = c->pending;
    struct want *about = c->about;
    client_settled(c);
    if (m.type == RSIP_ERROR_RESPONSE)
        on_error(c, asked, about, &m);
    else
        on_response(c, asked, about, &m);
    return ERR_OK;
}

static struct want *find_want(const struct rsip_client *c, uint64_t ticket)
{
    for (struct want *w = c->wants; w != NULL; w = w->next)
        if (w->ticket == ticket)
            return w;
    return NULL;
}

static enum err on_want(struct rsip_client *c, const struct rsip_client_event *event)
{
    struct want **end = &c->wants;
    struct view name = event->want->remote.name;

    if (find_want(c, event->ticket) != NULL || name.len > sizeof(c->wants->name))
        return ERR_VALUE;
    if (c->want_count >= WANTS)
        return ERR_LIMIT;
    struct want *want = calloc(1, sizeof(*want));
    if (want == NULL)
        return ERR_MEMORY;
    want->ticket = event->ticket;
    want->wish = *event->want;
    if (name.len > 0)
        memcpy(want->name, name.ptr, name.len);
    want->wish.remote.name = view_of(want->name, name.len);
    want->retry_at = c->now;
    while (*end != NULL)
        end = &(*end)->next;
    *end = want;
    c->want_count++;
    return ERR_OK;
}

static enum err on_unwant(struct rsip_client *c, uint64_t ticket)
{
    struct want *want = find_want(c, ticket);
    if (want == NULL)
        return ERR_UNKNOWN;
    if (want->state == WANT_NEW && c->about != want)
        client_want_free(c, want);
    else if (want->state == WANT_NEW)
        want->unwanted = true;
    else
        want->state = WANT_LEAVING;
    return ERR_OK;
}

static enum err on_query(struct rsip_client *c, const struct rsip_client_event *event)
{
    struct query query = {.ticket = event->ticket, .count = event->tuple_count};

    if (event->tuple_count > QUERY_TUPLES || c->queries.count >= QUERIES)
        return ERR_LIMIT;
    for (size_t i = 0; i < query.count; i++) {
        query.tuples[i] = event->tuples[i];
        if (event->tuples[i].address.type == RSIP_ADDR_NAME)
            return ERR_UNSUPPORTED;
    }
    return fifo_push(&c->queries, &query) ? ERR_OK : ERR_MEMORY;
}

static void stop(struct rsip_client *c)
{
    struct want *next;

    c->started = false;
    for (struct want *w = c->wants; w != NULL; w = next) {
        next = w->next;
        if (w->state == WANT_NEW)
            client_want_free(c, w);
        else
            w->state = WANT_LEAVING; /* the de-registration frees it */
    }
    if (c->pending != RSIP_REGISTER_REQUEST && c->pending != RSIP_DEREGISTER_REQUEST)
        client_settled(c);
}

/* TCP: the request under way goes again over the next connection, and its counter keeps it from
 * being executed twice. */
static void connection_down(struct rsip_client *c)
{
    c->connected = c->connecting = false;
    c->retry_at = mono_add(c->now, c->config.retry_ms);
    c->timeout_at = MONO_NEVER;
}

static void connection_up(struct rsip_client *c)
{
    c->connected = true;
    c->connecting = c->paused = false;
    if (c->pending != 0)
        client_send(c);
}

enum err rsip_client_input(struct rsip_client *c, mono_t now, const struct rsip_client_event *event)
{
    enum err err = ERR_OK;

    c->now = now;
    switch (event->kind) {
    case RSIP_CEV_START:
        c->started = true;
        c->retry_at = now;
        break;
    case RSIP_CEV_STOP:
        stop(c);
        break;
    case RSIP_CEV_MESSAGE:
        err = on_message(c, event->bytes);
        break;
    case RSIP_CEV_UP:
        connection_up(c);
        break;
    case RSIP_CEV_DOWN:
        connection_down(c);
        break;
    case RSIP_CEV_WANT:
        err = on_want(c, event);
        break;
    case RSIP_CEV_UNWANT:
        err = on_unwant(c, event->ticket);
        break;
    case RSIP_CEV_QUERY:
        err = on_query(c, event);
        break;
    }
    go_on(c);
    return err;
}

/* The last timeout: back to the state before, as far as our user is concerned (RSIP-185). The
 * gateway may have executed the request all the same, so nothing else is asked before it is
 * answered: the very same goes out again after a pause, under its counter (RSIP-175). */
static void gave_up(struct rsip_client *c)
{
    struct want *about = c->about;

    c->paused = true;
    c->timeouts = 0;
    c->timeout_at = mono_add(c->now, c->config.retry_ms);
    if (c->config.transport == RSIP_TCP)
        connection_down(c);
    switch (c->pending) {
    case RSIP_DEREGISTER_REQUEST:
        client_settled(c);
        c->retry_at = mono_add(c->now, c->config.retry_ms);
        on_deregistered(c);
        break;
    case RSIP_REGISTER_REQUEST:
        if (!c->started)
            client_settled(c);
        client_say(c, RSIP_CFX_UNREGISTERED, 0, RSIP_OK);
        break;
    case RSIP_QUERY_REQUEST:
        client_settled(c);
        client_say(c, RSIP_CFX_ANSWER, c->query_ticket, RSIP_OK);
        break;
    case RSIP_EXTEND_REQUEST:
    case RSIP_FREE_REQUEST:
        break;
    default:
        if (about != NULL && !about->unwanted)
            client_say(c, RSIP_CFX_REFUSED, about->ticket, RSIP_OK);
        break;
    }
}

static void check_leases(struct rsip_client *c)
{
    struct want *next;

    for (struct want *w = c->wants; w != NULL; w = next) {
        next = w->next;
        if (w->state != WANT_NEW && mono_reached(c->now, w->expires)) {
            if (c->about == w)
                client_settled(c);
            bind_lost(c, w, 0);
        }
    }
    if (c->id != 0 && mono_reached(c->now, c->expires))
        registration_lost(c, RSIP_OK, 0); /* RSIP-068 */
}

void rsip_client_timer(struct rsip_client *c, mono_t now)
{
    c->now = now;
    check_leases(c);
    if (c->pending != 0 && mono_reached(now, c->timeout_at)) {
        bool resume = c->paused;
        c->paused = false;
        c->timeouts += !resume;
        if (resume || (c->config.transport == RSIP_UDP && c->timeouts < c->config.attempts))
            client_send(c);
        else
            gave_up(c);
    }
    go_on(c);
}

mono_t rsip_client_next_deadline(const struct rsip_client *c)
{
    mono_t next = mono_min(c->timeout_at, c->expires);

    for (const struct want *w = c->wants; w != NULL; w = w->next)
        if (w->state != WANT_NEW)
            next = mono_min(next, w->expires);
    if (idle(c))
        return next;
    if (c->config.transport == RSIP_TCP && !c->connected)
        return c->connecting ? next : mono_min(next, c->retry_at);
    if (c->pending != 0)
        return next;
    for (const struct want *w = c->wants; w != NULL && c->id != 0; w = w->next)
        next = mono_min(next, w->state == WANT_NEW ? w->retry_at : w->extend_at);
    if (c->started && c->id == 0)
        next = mono_min(next, c->retry_at);
    return mono_min(next, renew_at(c));
}
