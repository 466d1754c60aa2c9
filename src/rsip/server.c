/* The server's life: configuration, hosts, what goes out, and time. */
#include <assert.h>
#include <stdlib.h>

#include "rsip/internal.h"
#include "rsip/request.h"

enum { GHOST_MS = 10 * 1000, MISUSE_MS = 1000 };

const char *rsip_counter_name(enum rsip_counter counter)
{
    static const char *const names[] = {
#define COUNTER_NAME(name) #name,
        RSIP_COUNTERS(COUNTER_NAME)
#undef COUNTER_NAME
    };
    return names[counter];
}

bool rsip_server_counter(const struct rsip_server *s, size_t i, const char **ret_name,
                         uint64_t *ret_value)
{
    if (i >= RSIP_COUNTER_COUNT)
        return false;
    *ret_name = rsip_counter_name((enum rsip_counter)i);
    *ret_value = s->counters[i];
    return true;
}

static void *copy_of(const void *list, size_t count, size_t size)
{
    void *copy = malloc(count == 0 ? 1 : count * size);
    if (copy != NULL && count > 0)
        memcpy(copy, list, count * size);
    return copy;
}

static bool copy_rules(struct rsip_server *s)
{
    size_t total = 0, at = 0;

    for (size_t i = 0; i < s->config.policy_count; i++)
        total += s->policies[i].rule_count;
    s->rules = calloc(total == 0 ? 1 : total, sizeof(*s->rules));
    if (s->rules == NULL)
        return false;
    for (size_t i = 0; i < s->config.policy_count; i++) {
        struct rsip_policy *policy = &s->policies[i];
        if (policy->rule_count > 0)
            memcpy(&s->rules[at], policy->rules, policy->rule_count * sizeof(*s->rules));
        policy->rules = &s->rules[at];
        at += policy->rule_count;
    }
    return true;
}

static bool copy_config(struct rsip_server *s, const struct rsip_server_config *config)
{
    s->config = *config;
    s->policies = copy_of(config->policies, config->policy_count, sizeof(*s->policies));
    s->local = copy_of(config->local, config->local_count, sizeof(*s->local));
    if (s->policies == NULL || s->local == NULL || !copy_rules(s))
        return false;
    s->config.policies = s->policies;
    s->config.local = s->local;
    s->config.ranges = NULL; /* the pool has them */
    if (s->config.hosts == 0)
        s->config.hosts = LIMIT_RSIP_HOSTS;
    return true;
}

enum err rsip_server_new(const struct rsip_server_config *config, const struct rsip_server_env *env,
                         struct rsip_server **ret)
{
    struct rsip_server *s = calloc(1, sizeof(*s));
    if (s == NULL)
        return ERR_MEMORY;
    s->rng = env->rng;
    s->next_record = s->next_serial = 1;
    fifo_init(&s->effects, sizeof(struct rsip_server_effect));
    map_init(&s->hosts, MAP_KEY_OFFSET(struct rsip_host, node, key), sizeof(struct host_key),
             &s->rng);
    map_init(&s->ids, MAP_KEY_OFFSET(struct rsip_host, id_node, id), sizeof(uint32_t), &s->rng);
    map_init(&s->binds, MAP_KEY_OFFSET(struct rsip_bind, node, key), sizeof(struct bind_key),
             &s->rng);
    map_init(&s->traces, MAP_KEY_OFFSET(struct rsip_trace, node, key), sizeof(struct trace_key),
             &s->rng);
    enum err err = copy_config(s, config) ? ERR_OK : ERR_MEMORY;
    if (err == ERR_OK)
        err =
            pool_new(config->ranges, config->range_count, config->hold_s * 1000, &s->rng, &s->pool);
    if (err != ERR_OK) {
        rsip_server_free(s);
        return err;
    }
    *ret = s;
    return ERR_OK;
}

void rsip_server_free(struct rsip_server *s)
{
    struct rsip_server_effect effect;
    struct map_node *node;

    if (s == NULL)
        return;
    while ((node = map_first(&s->hosts)) != NULL)
        rsip_host_free(s, MAP_OWNER(node, struct rsip_host, node));
    while (fifo_pop(&s->effects, &effect))
        free((void *)(uintptr_t)effect.bytes.ptr);
    free(s->given);
    fifo_fini(&s->effects);
    map_fini(&s->hosts);
    map_fini(&s->ids);
    map_fini(&s->binds);
    map_fini(&s->traces);
    heap_fini(&s->host_deadlines);
    heap_fini(&s->bind_deadlines);
    pool_free(s->pool);
    free(s->policies);
    free(s->rules);
    free(s->local);
    free(s);
}

const struct rsip_policy *rsip_policy_find(const struct rsip_server *s, const struct ip_addr *addr)
{
    const struct rsip_policy *best = NULL;
    for (size_t i = 0; i < s->config.policy_count; i++) {
        const struct rsip_policy *policy = &s->policies[i];
        if (ip_prefix_contains(&policy->hosts, addr) &&
            (best == NULL || policy->hosts.bits > best->hosts.bits))
            best = policy;
    }
    return best == NULL || best->deny ? NULL : best;
}

struct rsip_host *rsip_host_find(const struct rsip_server *s, const struct ip_addr *addr)
{
    struct host_key key = {.addr = *addr};
    struct map_node *node = map_find(&s->hosts, &key);
    return node == NULL ? NULL : MAP_OWNER(node, struct rsip_host, node);
}

/* RSIP-110 */
static uint32_t new_id(const struct rsip_server *s)
{
    uint32_t id;
    do
        id = rng_u32(&s->rng);
    while (id == 0 || map_find(&s->ids, &id) != NULL);
    return id;
}

struct rsip_host *rsip_host_new(struct rsip_server *s, const struct ip_addr *addr, uint32_t id)
{
    struct rsip_host *host = calloc(1, sizeof(*host));
    if (host == NULL)
        return NULL;
    host->key.addr = *addr;
    host->id = id != 0 ? id : new_id(s);
    host->next_bind = 1;
    host->expiry.at = MONO_NEVER;
    host->misuse_told = (mono_t){INT64_MIN / 2};
    if (!map_insert(&s->hosts, &host->node)) {
        free(host);
        return NULL;
    }
    if (!map_insert(&s->ids, &host->id_node)) {
        map_remove(&s->hosts, &host->node);
        free(host);
        return NULL;
    }
    return host;
}

static void drop_binds(struct rsip_server *s, struct rsip_host *host)
{
    while (host->binds != NULL)
        rsip_bind_free(s, host->binds);
}

static void forget(struct rsip_server *s, struct rsip_host *host)
{
    if (host->record == 0)
        return;
    rsip_emit(s, &(struct rsip_server_effect){.kind = RSIP_SFX_FORGET, .serial = host->record},
              view_of(NULL, 0));
    host->record = 0;
}

void rsip_host_free(struct rsip_server *s, struct rsip_host *host)
{
    drop_binds(s, host);
    forget(s, host);
    heap_remove(&s->host_deadlines, &host->expiry);
    if (host->id != 0)
        map_remove(&s->ids, &host->id_node);
    map_remove(&s->hosts, &host->node);
    free(host->talk);
    free(host);
}

/* Out of the register, but a repeated request still gets its answer (RSIP-177). */
void rsip_host_to_ghost(struct rsip_server *s, struct rsip_host *host)
{
    drop_binds(s, host);
    map_remove(&s->ids, &host->id_node);
    host->id = 0;
    bool moved = heap_set(&s->host_deadlines, &host->expiry, mono_add(s->now, GHOST_MS));
    assert(moved); /* it is in the heap already */
}

bool rsip_host_extend(struct rsip_server *s, struct rsip_host *host, mono_t until)
{
    bool later = host->expiry.index == 0 || until.ms > host->expiry.at.ms;
    return !later || heap_set(&s->host_deadlines, &host->expiry, until);
}

void rsip_emit(struct rsip_server *s, const struct rsip_server_effect *effect, struct view bytes)
{
    struct rsip_server_effect e = *effect;
    void *copy = NULL;

    if (bytes.len > 0) {
        copy = malloc(bytes.len);
        if (copy == NULL) {
            rsip_count(s, RSIP_C_no_memory);
            return;
        }
        memcpy(copy, bytes.ptr, bytes.len);
        e.bytes = view_of(copy, bytes.len);
    }
    if (!fifo_push(&s->effects, &e)) {
        rsip_count(s, RSIP_C_no_memory);
        free(copy);
    }
}

bool rsip_server_next_effect(struct rsip_server *s, struct rsip_server_effect *ret)
{
    free(s->given);
    s->given = NULL;
    if (!fifo_pop(&s->effects, ret))
        return false;
    s->given = (void *)(uintptr_t)ret->bytes.ptr;
    return true;
}

static void send_to_host(struct rsip_server *s, const struct rsip_host *host, struct view bytes)
{
    if (host->transport == RSIP_TCP && host->channel == 0)
        return;
    rsip_emit(s,
              &(struct rsip_server_effect){.kind = RSIP_SFX_SEND,
                                           .host = {host->key.addr, host->port},
                                           .transport = host->transport,
                                           .channel = host->channel},
              bytes);
}

static void tell(struct rsip_server *s, const struct rsip_host *host, struct rsip_message *m)
{
    uint8_t room[RSIP_MESSAGE_MAX];
    struct builder b = builder_on(span_of(room, sizeof(room)));

    m->present |= RSIP_F_CLIENT_ID;
    m->client_id = host->id;
    if (host->transport == RSIP_UDP) {
        m->present |= RSIP_F_COUNTER; /* RSIP-178 */
        m->counter = 0;
    }
    rsip_build(&b, m);
    if (!b.bad)
        send_to_host(s, host, builder_written(&b));
}

void rsip_tell_error(struct rsip_server *s, struct rsip_host *host, enum rsip_error error)
{
    struct rsip_message m = {
        .type = RSIP_ERROR_RESPONSE, .present = RSIP_F_ERROR, .error = (uint16_t)error};

    if (mono_since(s->now, host->misuse_told) < MISUSE_MS)
        return;
    host->misuse_told = s->now;
    rsip_count(s, RSIP_C_errors_sent);
    tell(s, host, &m);
}

/* Kept beside the request, for when it comes again (RSIP-177). */
static void keep_answer(struct rsip_server *s, struct rsip_host *host, struct view answer)
{
    uint8_t *talk = realloc(host->talk, host->request_len + answer.len);
    host->answer_len = 0;
    if (talk == NULL) {
        rsip_count(s, RSIP_C_no_memory);
        return;
    }
    host->talk = talk;
    memcpy(talk + host->request_len, answer.ptr, answer.len);
    host->answer_len = answer.len;
}

/* RSIP-096, RSIP-175: the counter of the request. */
void rsip_answer(struct rsip_server *s, struct rsip_host *host, struct rsip_message *m)
{
    uint8_t room[RSIP_MESSAGE_MAX];
    struct builder b = builder_on(span_of(room, sizeof(room)));

    if (host->counter != 0) {
        m->present |= RSIP_F_COUNTER;
        m->counter = host->counter;
    }
    host->resolving = 0;
    rsip_build(&b, m);
    if (b.bad)
        return;
    keep_answer(s, host, builder_written(&b));
    if (m->type == RSIP_DEREGISTER_RESPONSE)
        forget(s, host);
    else
        rsip_save_host(s, host);
    send_to_host(s, host, builder_written(&b));
}

/* RSIP-104, RSIP-105 */
void rsip_refuse(struct rsip_server *s, struct rsip_host *host, enum rsip_error error)
{
    struct rsip_message m = {.type = RSIP_ERROR_RESPONSE,
                             .present = RSIP_F_ERROR | RSIP_F_CLIENT_ID,
                             .error = (uint16_t)error,
                             .client_id = host->id};
    rsip_count(s, RSIP_C_errors_sent);
    rsip_answer(s, host, &m);
}

void rsip_repeat_answer(struct rsip_server *s, const struct rsip_host *host)
{
    if (host->answer_len > 0)
        send_to_host(s, host, view_of(host->talk + host->request_len, host->answer_len));
}

/* RSIP-117, RSIP-118 */
static void deregister(struct rsip_server *s, struct rsip_host *host)
{
    struct rsip_message m = {.type = RSIP_DEREGISTER_RESPONSE};
    tell(s, host, &m);
    rsip_host_free(s, host);
}

static enum err revoke(struct rsip_server *s, const struct rsip_server_event *event)
{
    struct rsip_host *host = rsip_host_find(s, &event->host.addr);
    if (host == NULL || host->id == 0)
        return ERR_UNKNOWN;
    if (event->bind_id == 0) {
        deregister(s, host);
        return ERR_OK;
    }
    struct rsip_bind *bind = rsip_bind_find(s, host, event->bind_id);
    if (bind == NULL)
        return ERR_UNKNOWN;
    struct rsip_message m = {
        .type = RSIP_FREE_RESPONSE, .present = RSIP_F_BIND_ID, .bind_id = event->bind_id};
    rsip_bind_free(s, bind);
    tell(s, host, &m);
    return ERR_OK;
}

static void shut_down(struct rsip_server *s)
{
    struct map_node *node;
    while ((node = map_first(&s->hosts)) != NULL) {
        struct rsip_host *host = MAP_OWNER(node, struct rsip_host, node);
        if (host->id != 0)
            deregister(s, host);
        else
            rsip_host_free(s, host);
    }
}

static enum err closed(struct rsip_server *s, const struct rsip_server_event *event)
{
    struct rsip_host *host = rsip_host_find(s, &event->host.addr);
    if (host == NULL || host->transport != RSIP_TCP || host->channel != event->channel)
        return ERR_UNKNOWN;
    host->channel = 0;
    return ERR_OK;
}

enum err rsip_server_input(struct rsip_server *s, mono_t now, const struct rsip_server_event *event)
{
    s->now = now;
    switch (event->kind) {
    case RSIP_SEV_MESSAGE:
        return rsip_request(s, event);
    case RSIP_SEV_CLOSED:
        return closed(s, event);
    case RSIP_SEV_RESOLVED:
        return rsip_request_resolved(s, event);
    case RSIP_SEV_REVOKE:
        return revoke(s, event);
    case RSIP_SEV_RESTORE:
        return rsip_restore(s, event->serial, event->bytes);
    case RSIP_SEV_SHUTDOWN:
        shut_down(s);
        return ERR_OK;
    }
    return ERR_STATE;
}

/* Binds first: a registration outlives them (RSIP-068, RSIP-069, RSIP-070). */
void rsip_server_timer(struct rsip_server *s, mono_t now)
{
    struct heap_node *node;

    s->now = now;
    while ((node = heap_pop_due(&s->bind_deadlines, now)) != NULL) {
        rsip_count(s, RSIP_C_expired);
        rsip_bind_free(s, HEAP_OWNER(node, struct rsip_bind, expiry));
    }
    while ((node = heap_pop_due(&s->host_deadlines, now)) != NULL) {
        struct rsip_host *host = HEAP_OWNER(node, struct rsip_host, expiry);
        if (host->id != 0)
            deregister(s, host);
        else
            rsip_host_free(s, host);
    }
    pool_timer(s->pool, now);
}

mono_t rsip_server_next_deadline(const struct rsip_server *s)
{
    mono_t leases = mono_min(heap_next(&s->bind_deadlines), heap_next(&s->host_deadlines));
    return mono_min(leases, pool_next_deadline(s->pool));
}

static const struct rsip_host *next_host(const struct rsip_server *s, const void *at)
{
    const struct rsip_host *host = at;
    struct map_node *node = host == NULL ? map_first(&s->hosts) : map_next(&s->hosts, &host->node);
    while (node != NULL && MAP_OWNER(node, struct rsip_host, node)->id == 0)
        node = map_next(&s->hosts, node);
    return node == NULL ? NULL : MAP_OWNER(node, struct rsip_host, node);
}

bool rsip_server_host(const struct rsip_server *s, struct rsip_host_info *walk)
{
    const struct rsip_host *host = next_host(s, walk->at);
    if (host == NULL)
        return false;
    *walk = (struct rsip_host_info){.at = host,
                                    .host = {host->key.addr, host->port},
                                    .id = host->id,
                                    .transport = host->transport,
                                    .expires = host->expiry.at,
                                    .binds = host->held.binds,
                                    .ports = host->held.ports,
                                    .spis = host->held.spis,
                                    .addresses = host->held.addresses,
                                    .traces = host->held.traces};
    return true;
}

bool rsip_server_bind(const struct rsip_server *s, struct rsip_bind_info *walk)
{
    const struct rsip_bind *last = walk->at;
    struct map_node *node = last == NULL ? map_first(&s->binds) : map_next(&s->binds, &last->node);
    if (node == NULL)
        return false;
    const struct rsip_bind *bind = MAP_OWNER(node, struct rsip_bind, node);
    *walk = (struct rsip_bind_info){.at = bind,
                                    .host = bind->host->key.addr,
                                    .addr = *pool_addr(bind->address),
                                    .id = bind->key.bind_id,
                                    .method = bind->method,
                                    .tunnel = bind->tunnel,
                                    .listen = bind->listen,
                                    .remote_count = bind->remote_count,
                                    .remote_port = bind->remote_port,
                                    .expires = bind->expiry.at};
    rsip_bind_ports(bind, &walk->ports);
    pool_spis_read(bind->spis, &walk->spis);
    for (size_t i = 0; i < bind->remote_count; i++)
        walk->remotes[i] = bind->remotes[i];
    return true;
}
