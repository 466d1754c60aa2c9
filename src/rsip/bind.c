/* Binds: what one holds, how it is taken and given back. */
#include <stdlib.h>

#include "rsip/internal.h"

struct rsip_bind *rsip_bind_new(struct rsip_host *host, struct pool_address *address)
{
    struct rsip_bind *bind = calloc(1, sizeof(*bind));
    if (bind == NULL)
        return NULL;
    bind->host = host;
    bind->address = address;
    bind->expiry.at = MONO_NEVER;
    return bind;
}

void rsip_bind_ports(const struct rsip_bind *bind, struct rsip_ports *ret)
{
    memset(ret, 0, sizeof(*ret));
    ret->form = bind->port_form;
    ret->count = bind->port_count;
    ret->ports[0] = bind->port_first;
    if (bind->port_list != NULL)
        memcpy(ret->ports, bind->port_list, bind->port_count * sizeof(uint16_t));
}

static void free_memory(struct rsip_bind *bind)
{
    free(bind->port_list);
    free(bind->remotes);
    free(bind);
}

static bool keep_ports(struct rsip_bind *bind, const struct rsip_ports *ports)
{
    bind->port_form = ports->form;
    bind->port_first = ports->ports[0];
    if (ports->form == RSIP_RANGE_LIST) {
        bind->port_list = malloc(ports->count * sizeof(uint16_t));
        if (bind->port_list == NULL)
            return false;
        memcpy(bind->port_list, ports->ports, ports->count * sizeof(uint16_t));
    }
    if (!pool_ports_take(bind->address, ports, bind))
        return false;
    bind->port_count = ports->count;
    return true;
}

static void account(struct rsip_server *s, struct rsip_bind *bind, bool take)
{
    struct rsip_host *host = bind->host;
    struct rsip_quota *held = &host->held;
    struct rsip_spis spis;
    bool first = rsip_bind_on(host, bind->address) == NULL;
    uint32_t sign = take ? 1 : UINT32_MAX; /* adding the latter takes one away */

    pool_spis_read(bind->spis, &spis);
    held->binds += sign;
    held->ports += sign * bind->port_count;
    held->spis += sign * spis.count;
    held->addresses += first ? sign : 0;
    bool was = pool_in_use(bind->address);
    if (take)
        pool_user_add(bind->address);
    else
        pool_user_remove(bind->address);
    bool is = pool_in_use(bind->address);
    if (was != is)
        rsip_emit(s,
                  &(struct rsip_server_effect){
                      .kind = RSIP_SFX_ADDRESS, .addr = *pool_addr(bind->address), .up = is},
                  view_of(NULL, 0));
}

static void give_back(struct rsip_server *s, struct rsip_bind *bind)
{
    struct rsip_ports ports;

    if (bind->port_count > 0) {
        rsip_bind_ports(bind, &ports);
        pool_ports_give(s->pool, s->now, bind->address, &ports);
    }
    pool_spis_give(s->pool, s->now, bind->spis);
    if (bind->method == RSIP_METHOD_RSA)
        pool_whole_give(s->pool, s->now, bind->address);
}

bool rsip_bind_take(struct rsip_server *s, struct rsip_bind *bind, const struct rsip_ports *ports,
                    const struct rsip_spis *spis)
{
    bool ok = true;

    if (bind->method == RSIP_METHOD_RSA)
        pool_whole_take(bind->address, bind);
    if (ports != NULL && rsip_ports_named(ports))
        ok = keep_ports(bind, ports);
    if (ok && spis != NULL && spis->count > 0) {
        bind->spis = pool_spis_take(s->pool, bind->address, spis, bind);
        ok = bind->spis != NULL;
    }
    bind->key = (struct bind_key){.host_id = bind->host->id, .bind_id = bind->key.bind_id};
    if (!ok || !heap_set(&s->bind_deadlines, &bind->expiry, bind->expiry.at)) {
        give_back(s, bind);
        free_memory(bind);
        return false;
    }
    if (!map_insert(&s->binds, &bind->node)) {
        heap_remove(&s->bind_deadlines, &bind->expiry);
        give_back(s, bind);
        free_memory(bind);
        return false;
    }
    account(s, bind, true);
    bind->next = bind->host->binds;
    if (bind->next != NULL)
        bind->next->prev = bind;
    bind->host->binds = bind;
    return true;
}

void rsip_bind_free(struct rsip_server *s, struct rsip_bind *bind)
{
    struct rsip_host *host = bind->host;

    rsip_trace_drop(s, bind);
    heap_remove(&s->bind_deadlines, &bind->expiry);
    map_remove(&s->binds, &bind->node);
    if (bind->prev != NULL)
        bind->prev->next = bind->next;
    else
        host->binds = bind->next;
    if (bind->next != NULL)
        bind->next->prev = bind->prev;
    account(s, bind, false);
    give_back(s, bind);
    if (bind->record != 0)
        rsip_emit(s, &(struct rsip_server_effect){.kind = RSIP_SFX_FORGET, .serial = bind->record},
                  view_of(NULL, 0));
    free_memory(bind);
}

struct rsip_bind *rsip_bind_find(const struct rsip_server *s, const struct rsip_host *host,
                                 uint32_t bind_id)
{
    struct bind_key key = {.host_id = host->id, .bind_id = bind_id};
    struct map_node *node = map_find(&s->binds, &key);
    return node == NULL ? NULL : MAP_OWNER(node, struct rsip_bind, node);
}

struct rsip_bind *rsip_bind_on(const struct rsip_host *host, const struct pool_address *address)
{
    for (struct rsip_bind *b = host->binds; b != NULL; b = b->next)
        if (b->address == address)
            return b;
    return NULL;
}

bool rsip_server_leased(const struct rsip_server *s, const struct ip_addr *host_addr,
                        enum rsip_tunnel tunnel, struct ip_addr *addr)
{
    const struct rsip_host *host = rsip_host_find(s, host_addr);
    const struct ip_addr *other = NULL;

    for (const struct rsip_bind *b = host == NULL ? NULL : host->binds; b != NULL; b = b->next) {
        const struct ip_addr *leased = pool_addr(b->address);
        if (b->tunnel != tunnel || leased->family != addr->family)
            continue;
        if (ip_addr_equal(leased, addr))
            return true;
        other = leased;
    }
    if (other != NULL)
        *addr = *other;
    return other != NULL;
}

bool rsip_bind_remote_allowed(const struct rsip_bind *bind, const struct ip_addr *remote)
{
    for (size_t i = 0; i < bind->remote_count; i++)
        if (ip_addr_equal(&bind->remotes[i], remote))
            return true;
    return bind->remote_count == 0;
}
