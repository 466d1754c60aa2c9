/* Records: a host with its last answer, a bind with its cookies. Times are times of day. */
#include <stdlib.h>

#include "base/cursor.h"
#include "rsip/internal.h"

enum { RECORD_VERSION = 1, RECORD_HOST = 1, RECORD_BIND = 2, RECORD_MAX = 16384 };

static void put_addr(struct builder *b, const struct ip_addr *addr)
{
    builder_u8(b, addr->family);
    builder_view(b, ip_addr_view(addr));
}

static struct ip_addr get_addr(struct cursor *cur)
{
    uint8_t family = cursor_u8(cur);
    size_t len = family == IP_V4 ? 4 : family == IP_V6 ? 16 : 0;
    struct ip_addr addr = {0};
    if (len > 0)
        addr = ip_addr_from(cursor_take(cur, len));
    return addr;
}

static void put_time(const struct rsip_server *s, struct builder *b, mono_t at)
{
    builder_u64(b, (uint64_t)(at.ms + s->config.wall_ms));
}

static mono_t get_time(const struct rsip_server *s, struct cursor *cur)
{
    return (mono_t){(int64_t)cursor_u64(cur) - s->config.wall_ms};
}

static void save(struct rsip_server *s, uint64_t *record, const struct builder *b)
{
    if (b->bad)
        return;
    if (*record == 0)
        *record = s->next_record++;
    rsip_emit(s, &(struct rsip_server_effect){.kind = RSIP_SFX_SAVE, .serial = *record},
              builder_written(b));
}

void rsip_save_host(struct rsip_server *s, struct rsip_host *host)
{
    uint8_t room[RECORD_MAX];
    struct builder b = builder_on(span_of(room, sizeof(room)));

    builder_u8(&b, RECORD_VERSION);
    builder_u8(&b, RECORD_HOST);
    put_addr(&b, &host->key.addr);
    builder_u16(&b, host->port);
    builder_u8(&b, (uint8_t)host->transport);
    builder_u32(&b, host->id);
    builder_u32(&b, host->next_bind);
    builder_u32(&b, host->counter);
    put_time(s, &b, host->expiry.at);
    builder_u16(&b, (uint16_t)host->request_len);
    builder_u16(&b, (uint16_t)host->answer_len);
    builder_bytes(&b, host->talk, host->request_len + host->answer_len);
    save(s, &host->record, &b);
}

static void put_cookies(struct builder *b, const struct rsip_bind *bind)
{
    size_t at = builder_open_u16(b), count = 0;
    for (const struct rsip_trace *t = bind->host->oldest; t != NULL; t = t->newer) {
        if (t->bind != bind || t->key.kind != TRACE_COOKIE || count == UINT8_MAX)
            continue;
        builder_u32(b, t->key.a);
        builder_u32(b, t->key.b);
        put_addr(b, &t->peer);
        count++;
    }
    builder_patch_u16(b, at, (uint16_t)count);
}

void rsip_save_bind(struct rsip_server *s, struct rsip_bind *bind)
{
    uint8_t room[RECORD_MAX];
    struct builder b = builder_on(span_of(room, sizeof(room)));
    struct rsip_spis spis;

    pool_spis_read(bind->spis, &spis);
    builder_u8(&b, RECORD_VERSION);
    builder_u8(&b, RECORD_BIND);
    put_addr(&b, &bind->host->key.addr);
    builder_u32(&b, bind->key.bind_id);
    builder_u8(&b, bind->method);
    builder_u8(&b, bind->tunnel);
    builder_u8(&b, bind->listen);
    put_addr(&b, pool_addr(bind->address));
    put_time(s, &b, bind->expiry.at);
    builder_u8(&b, bind->port_form);
    builder_u8(&b, bind->port_count);
    for (unsigned i = 0; bind->port_count > 0 && i < (bind->port_list ? bind->port_count : 1u); i++)
        builder_u16(&b, bind->port_list ? bind->port_list[i] : bind->port_first);
    builder_u8(&b, spis.form);
    builder_u16(&b, spis.count);
    for (unsigned i = 0; spis.count > 0 && i < (spis.form == RSIP_RANGE_LIST ? spis.count : 1u);
         i++)
        builder_u32(&b, spis.spis[i]);
    builder_u16(&b, bind->remote_port);
    builder_u8(&b, bind->remote_count);
    for (unsigned i = 0; i < bind->remote_count; i++)
        put_addr(&b, &bind->remotes[i]);
    put_cookies(&b, bind);
    save(s, &bind->record, &b);
}

/* A bind's record may come before its host's: whoever comes first makes the host. */
static struct rsip_host *host_for(struct rsip_server *s, const struct ip_addr *addr)
{
    struct rsip_host *host = rsip_host_find(s, addr);
    const struct rsip_policy *policy = rsip_policy_find(s, addr);

    if (host != NULL)
        return host;
    if (policy == NULL || addr->family == IP_NONE || s->hosts.count >= s->config.hosts)
        return NULL;
    host = rsip_host_new(s, addr, 0);
    if (host != NULL)
        host->policy = policy;
    return host;
}

static bool set_id(struct rsip_server *s, struct rsip_host *host, uint32_t id)
{
    struct rsip_bind *binds = host->binds;

    if (id == 0 || (id != host->id && map_find(&s->ids, &id) != NULL))
        return false;
    map_remove(&s->ids, &host->id_node);
    for (struct rsip_bind *b = binds; b != NULL; b = b->next)
        map_remove(&s->binds, &b->node);
    host->id = id;
    /* the tables had room for them a moment ago */
    bool ok = map_insert(&s->ids, &host->id_node);
    for (struct rsip_bind *b = binds; b != NULL; b = b->next) {
        b->key.host_id = id;
        ok = map_insert(&s->binds, &b->node) && ok;
    }
    return ok;
}

static enum err restore_host(struct rsip_server *s, uint64_t serial, struct cursor *cur)
{
    struct ip_addr addr = get_addr(cur);
    uint16_t port = cursor_u16(cur);
    uint8_t transport = cursor_u8(cur);
    uint32_t id = cursor_u32(cur), next_bind = cursor_u32(cur), counter = cursor_u32(cur);
    mono_t expires = get_time(s, cur);
    size_t request_len = cursor_u16(cur), answer_len = cursor_u16(cur);
    struct view talk = cursor_take(cur, request_len + answer_len);

    if (!cursor_done(cur) || transport > RSIP_TCP || id == 0)
        return ERR_SYNTAX;
    if (mono_reached(s->now, expires))
        return ERR_EXPIRED;
    struct rsip_host *host = host_for(s, &addr);
    if (host == NULL)
        return ERR_POLICY;
    if (host->talk != NULL || host->record != 0)
        return ERR_REPEATED;
    host->talk = malloc(talk.len == 0 ? 1 : talk.len);
    if (host->talk == NULL || !set_id(s, host, id) || !rsip_host_extend(s, host, expires)) {
        rsip_host_free(s, host);
        return ERR_MEMORY;
    }
    if (talk.len > 0)
        memcpy(host->talk, talk.ptr, talk.len);
    host->request_len = request_len;
    host->answer_len = answer_len;
    host->port = port;
    host->transport = (enum rsip_transport)transport;
    host->counter = counter;
    if (next_bind > host->next_bind)
        host->next_bind = next_bind;
    host->record = serial;
    return ERR_OK;
}

struct bind_record {
    struct ip_addr host, addr;
    uint32_t id;
    uint8_t method, tunnel, listen;
    mono_t expires;
    struct rsip_ports ports;
    struct rsip_spis spis;
    uint16_t remote_port;
    uint8_t remote_count;
    struct ip_addr remotes[LIMIT_RSIP_REMOTES];
};

/* Forms that only a record has: what was leased is named, or there is none. */
static bool read_resources(struct cursor *cur, struct bind_record *r)
{
    r->ports.form = cursor_u8(cur);
    r->ports.count = cursor_u8(cur);
    if (r->ports.count > 0 && !rsip_ports_named(&r->ports))
        return false;
    unsigned fields = r->ports.form == RSIP_RANGE_LIST ? r->ports.count : r->ports.count > 0;
    for (unsigned i = 0; i < fields; i++)
        r->ports.ports[i] = cursor_u16(cur);
    if (r->ports.count == 0)
        r->ports.form = RSIP_RANGE_NONE;
    else if (r->ports.form == RSIP_RANGE_RUN &&
             r->ports.ports[0] + r->ports.count - 1u > UINT16_MAX)
        return false;
    r->spis.form = cursor_u8(cur);
    r->spis.count = cursor_u16(cur);
    bool named = r->spis.form == RSIP_RANGE_RUN || r->spis.form == RSIP_RANGE_LIST;
    if (r->spis.count > RSIP_SPIS_MAX || (r->spis.count > 0 && !named))
        return false;
    fields = r->spis.form == RSIP_RANGE_LIST ? r->spis.count : r->spis.count > 0;
    for (unsigned i = 0; i < fields; i++)
        r->spis.spis[i] = cursor_u32(cur);
    return !cur->bad;
}

static bool read_bind(const struct rsip_server *s, struct cursor *cur, struct bind_record *r)
{
    r->host = get_addr(cur);
    r->id = cursor_u32(cur);
    r->method = cursor_u8(cur);
    r->tunnel = cursor_u8(cur);
    r->listen = cursor_u8(cur);
    r->addr = get_addr(cur);
    r->expires = get_time(s, cur);
    if (!read_resources(cur, r))
        return false;
    r->remote_port = cursor_u16(cur);
    r->remote_count = cursor_u8(cur);
    if (r->remote_count > LIMIT_RSIP_REMOTES)
        return false;
    for (unsigned i = 0; i < r->remote_count; i++)
        r->remotes[i] = get_addr(cur);
    return !cur->bad && r->id != 0 && r->listen <= 1 && rsip_method_name(r->method) != NULL &&
           rsip_tunnel_name(r->tunnel) != NULL;
}

/* Still in the pool of this configuration, and nobody else's. */
static bool still_free(const struct rsip_server *s, const struct pool_address *a,
                       const struct bind_record *r)
{
    if (r->method == RSIP_METHOD_RSA)
        return pool_range(a)->whole && pool_whole_free(a) && r->ports.count == 0;
    if (!pool_range(a)->shared || pool_whole_owner(a) != NULL)
        return false;
    for (unsigned i = 0; i < r->ports.count; i++) {
        if (pool_port_state(a, rsip_port_at(&r->ports, i)) != POOL_FREE)
            return false;
        for (unsigned j = 0; j < i && r->ports.form == RSIP_RANGE_LIST; j++)
            if (r->ports.ports[i] == r->ports.ports[j])
                return false;
    }
    for (unsigned i = 0; i < r->spis.count; i++)
        if (!pool_spi_free(s->pool, a, rsip_spi_at(&r->spis, i)))
            return false;
    return true;
}

static struct rsip_bind *remake(struct rsip_server *s, struct rsip_host *host,
                                struct pool_address *a, const struct bind_record *r)
{
    struct rsip_bind *bind = rsip_bind_new(host, a);

    if (bind == NULL)
        return NULL;
    bind->key.bind_id = r->id;
    bind->method = r->method;
    bind->tunnel = r->tunnel;
    bind->listen = r->listen;
    bind->expiry.at = r->expires;
    bind->remote_port = r->remote_port;
    bind->remotes = calloc(r->remote_count + 1u, sizeof(struct ip_addr));
    if (bind->remotes == NULL) {
        free(bind);
        return NULL;
    }
    memcpy(bind->remotes, r->remotes, r->remote_count * sizeof(struct ip_addr));
    bind->remote_count = r->remote_count;
    if (!rsip_bind_take(s, bind, &r->ports, &r->spis))
        return NULL;
    if (!rsip_host_extend(s, host, r->expires)) {
        rsip_bind_free(s, bind);
        return NULL;
    }
    return bind;
}

static void restore_cookies(struct rsip_server *s, struct rsip_bind *bind, struct cursor *cur)
{
    size_t count = cursor_u16(cur);
    uint64_t record = bind->record;
    bool other;

    for (size_t i = 0; i < count; i++) {
        struct trace_key key = {.local = *pool_addr(bind->address), .kind = TRACE_COOKIE};
        key.a = cursor_u32(cur);
        key.b = cursor_u32(cur);
        struct ip_addr peer = get_addr(cur);
        if (cur->bad)
            return;
        (void)rsip_trace_make(s, bind, &key, &peer, &other);
    }
    bind->record = record;
}

static enum err restore_bind(struct rsip_server *s, uint64_t serial, struct cursor *cur)
{
    struct bind_record r = {0};

    if (!read_bind(s, cur, &r))
        return ERR_SYNTAX;
    if (mono_reached(s->now, r.expires))
        return ERR_EXPIRED;
    struct pool_address *a = pool_find(s->pool, &r.addr);
    if (a == NULL || !still_free(s, a, &r))
        return ERR_POLICY;
    struct rsip_host *host = host_for(s, &r.host);
    if (host == NULL || rsip_bind_find(s, host, r.id) != NULL)
        return ERR_POLICY;
    struct rsip_bind *bind = remake(s, host, a, &r);
    if (bind == NULL)
        return ERR_MEMORY;
    if (r.id >= host->next_bind)
        host->next_bind = r.id + 1;
    bind->record = serial;
    restore_cookies(s, bind, cur);
    return ERR_OK;
}

enum err rsip_restore(struct rsip_server *s, uint64_t serial, struct view bytes)
{
    struct cursor cur = cursor_of(bytes);
    uint8_t version = cursor_u8(&cur), kind = cursor_u8(&cur);
    enum err err = ERR_VERSION;

    if (serial >= s->next_record)
        s->next_record = serial + 1;
    if (version == RECORD_VERSION && kind == RECORD_HOST)
        err = restore_host(s, serial, &cur);
    else if (version == RECORD_VERSION && kind == RECORD_BIND)
        err = restore_bind(s, serial, &cur);
    if (err != ERR_OK) {
        rsip_count(s, RSIP_C_bad_record);
        rsip_emit(s, &(struct rsip_server_effect){.kind = RSIP_SFX_FORGET, .serial = serial},
                  view_of(NULL, 0));
    }
    return err;
}
