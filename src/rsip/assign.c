/*
 * The requests that make a bind: ASSIGN_REQUEST_RSA-IP, _RSAP-IP, _RSIPSEC and LISTEN_REQUEST. Each
 * step settles one part of the draft or names the error that the host is told; nothing is taken
 * before all of them have passed. RSIP-039: what is not about IPsec is the same for all of them.
 */
#include <stdlib.h>

#include "rsip/internal.h"

struct draft {
    struct rsip_server *s;
    struct rsip_host *host;
    const struct rsip_policy *policy;
    const struct rsip_message *request;
    const struct rsip_names *names;
    enum rsip_method method;
    bool listen;
    uint8_t tunnel;
    struct ip_addr remotes[LIMIT_RSIP_REMOTES];
    size_t remote_count;
    uint16_t remote_port;
    struct pool_address *address;
    struct rsip_ports ports; /* NAMED or NONE in the end */
    struct rsip_spis spis;
    bool resolve;
};

/* RSIP-124: "don't care", in either of its forms */
static bool address_any(const struct rsip_address *a)
{
    static const struct ip_addr zero_v4 = {.family = IP_V4}, zero_v6 = {.family = IP_V6};
    if (a->any)
        return true;
    return (a->type == RSIP_ADDR_V4 && ip_addr_equal(&a->addr, &zero_v4)) ||
           (a->type == RSIP_ADDR_V6 && ip_addr_equal(&a->addr, &zero_v6));
}

/* RSIP-057, RSIP-187: RSAP-IP, RSA-IP and RSIPSEC. RSA-IP has no local micro-flow policy
 * (RSIP-076). */
static enum rsip_error check_method(struct draft *d)
{
    switch (d->request->type) {
    case RSIP_ASSIGN_REQUEST_RSA:
        d->method = RSIP_METHOD_RSA;
        break;
    case RSIP_ASSIGN_REQUEST_IPSEC:
        d->method = RSIP_METHOD_IPSEC;
        break;
    default:
        d->method = RSIP_METHOD_RSAP;
        d->listen = d->request->type == RSIP_LISTEN_REQUEST;
        break;
    }
    if ((d->policy->methods & 1 << d->method) == 0) /* RSIP-040, RSIP-158 */
        return d->method == RSIP_METHOD_IPSEC ? RSIP_E_IPSEC_UNALLOWED : RSIP_E_UNSUPPORTED_MESSAGE;
    if (!d->listen)
        return RSIP_OK;
    if (d->policy->listen == RSIP_LISTEN_NEVER)
        return RSIP_E_UNSUPPORTED_MESSAGE;
    /* RSIP-183 */
    bool micro = d->policy->flow_remote == RSIP_FLOW_MICRO;
    return micro && d->policy->listen != RSIP_LISTEN_OVERRIDE ? RSIP_E_LOCAL_ADDRPORT_UNALLOWED
                                                              : RSIP_OK;
}

/* RSIP-165; the first of those asked for that is allowed. Without a wish IP-IP, if it is
 * (RSIP-111). */
static enum rsip_error check_tunnel(struct draft *d)
{
    const struct rsip_message *m = d->request;

    for (size_t i = 0; i < m->tunnel_count; i++)
        if (m->tunnels[i] <= RSIP_TUNNEL_L2TP && (d->policy->tunnels & 1 << m->tunnels[i]) != 0) {
            d->tunnel = m->tunnels[i];
            return RSIP_OK;
        }
    for (uint8_t i = RSIP_TUNNEL_IPIP; m->tunnel_count == 0 && i <= RSIP_TUNNEL_L2TP; i++)
        if ((d->policy->tunnels & 1 << i) != 0) {
            d->tunnel = i;
            return RSIP_OK;
        }
    return RSIP_E_BAD_TUNNEL_TYPE;
}

bool rsip_rules_allow(const struct rsip_policy *policy, const struct ip_addr *remote, uint16_t port)
{
    for (size_t i = 0; i < policy->rule_count; i++) {
        const struct rsip_rule *rule = &policy->rules[i];
        if (rule->remote.addr.family != IP_NONE && !ip_prefix_contains(&rule->remote, remote))
            continue;
        bool all_ports = rule->port_high == 0;
        if (port == 0 && !all_ports && !rule->allow)
            continue; /* forbids some ports, and another may be meant */
        if (port == 0 || all_ports || (port >= rule->port_low && port <= rule->port_high))
            return rule->allow;
    }
    return true;
}

static enum rsip_error resolve_remote(struct draft *d)
{
    const struct rsip_address *remote = &d->request->remote;

    if (remote->type == RSIP_ADDR_NETMASK)
        return RSIP_E_BAD_PARAM;
    if (remote->type != RSIP_ADDR_NAME) {
        d->remotes[0] = remote->addr;
        d->remote_count = 1;
        return RSIP_OK;
    }
    d->resolve = d->names == NULL;
    for (size_t i = 0; !d->resolve && i < d->names->count && i < LIMIT_RSIP_REMOTES; i++)
        d->remotes[d->remote_count++] = d->names->addrs[i];
    return RSIP_OK;
}

/* RSIP-078, RSIP-079, RSIP-088, RSIP-123, RSIP-144, RSIP-147: enough detail for the policy. */
static enum rsip_error check_remote(struct draft *d)
{
    const struct rsip_ports *ports = &d->request->remote_ports;
    bool micro = d->policy->flow_remote == RSIP_FLOW_MICRO;

    if (d->policy->flow_remote == RSIP_FLOW_NONE)
        return RSIP_OK;
    if (address_any(&d->request->remote))
        return RSIP_E_FLOW_POLICY_VIOLATION;
    /* what isn't TCP or UDP has no ports to name (RSIP-031) */
    bool portless = d->method == RSIP_METHOD_IPSEC && ports->form == RSIP_RANGE_NONE;
    if (micro && !portless) {
        if (ports->form != RSIP_RANGE_RUN || ports->count != 1)
            return RSIP_E_FLOW_POLICY_VIOLATION;
        d->remote_port = ports->ports[0];
    }
    return resolve_remote(d);
}

/* RSIP-172, RSIP-173 */
static enum rsip_error check_rules(struct draft *d)
{
    bool micro = d->policy->flow_remote == RSIP_FLOW_MICRO;
    enum rsip_error refusal =
        micro ? RSIP_E_REMOTE_ADDRPORT_UNALLOWED : RSIP_E_REMOTE_ADDR_UNALLOWED;

    if (d->policy->flow_remote == RSIP_FLOW_NONE)
        return RSIP_OK;
    for (size_t i = 0; i < d->remote_count; i++)
        if (!rsip_rules_allow(d->policy, &d->remotes[i], d->remote_port))
            return refusal;
    return d->remote_count == 0 ? refusal : RSIP_OK;
}

/* RSIP-044, RSIP-075, RSIP-085, RSIP-125: what is asked for makes sense under the local policy. */
static enum rsip_error check_local(struct draft *d)
{
    const struct rsip_message *m = d->request;
    const struct rsip_ports *ports = &m->local_ports;

    if (m->local.type != RSIP_ADDR_V4 && m->local.type != RSIP_ADDR_V6)
        return RSIP_E_BAD_PARAM;
    if (d->method == RSIP_METHOD_RSA)
        return RSIP_OK;
    if (ports->form == RSIP_RANGE_ZERO)
        return RSIP_E_BAD_PARAM;
    if (d->policy->flow_local == RSIP_FLOW_MICRO && ports->count > 1)
        return RSIP_E_FLOW_POLICY_VIOLATION;
    for (unsigned i = 0; ports->form == RSIP_RANGE_LIST && i < ports->count; i++)
        for (unsigned j = 0; j < i; j++)
            if (ports->ports[i] == ports->ports[j])
                return RSIP_E_BAD_PARAM;
    return RSIP_OK;
}

static bool over(uint32_t held, uint32_t more, uint32_t quota)
{
    return more > quota || held > quota - more;
}

/* RSIP-184: a particular wish beyond the quota is against policy, any other can't be met now. */
static enum rsip_error check_quota(struct draft *d)
{
    const struct rsip_quota *quota = &d->policy->quota, *held = &d->host->held;
    const struct rsip_message *m = d->request;

    if (d->method == RSIP_METHOD_RSA)
        return over(held->binds, 1, quota->binds) || over(held->addresses, 1, quota->addresses)
                   ? RSIP_E_LOCAL_ADDR_UNAVAILABLE
                   : RSIP_OK;
    if (over(held->binds, 1, quota->binds))
        return RSIP_E_LOCAL_ADDRPORT_UNAVAILABLE;
    if (over(held->ports, m->local_ports.count, quota->ports))
        return rsip_ports_named(&m->local_ports) ? RSIP_E_LOCAL_ADDRPORT_UNALLOWED
                                                 : RSIP_E_LOCAL_ADDRPORT_UNAVAILABLE;
    if (d->method == RSIP_METHOD_IPSEC && over(held->spis, m->spi.count, quota->spis))
        return RSIP_E_IPSEC_SPI_UNAVAILABLE;
    return RSIP_OK;
}

static bool address_quota_left(const struct draft *d, const struct pool_address *a)
{
    return rsip_bind_on(d->host, a) != NULL ||
           !over(d->host->held.addresses, 1, d->policy->quota.addresses);
}

/* RSIP-169, RSIP-171, RSIP-210, RSIP-212 */
static enum rsip_error fit_ports(struct draft *d, const struct pool_address *a)
{
    const struct rsip_ports *wish = &d->request->local_ports;

    d->ports = *wish;
    if (wish->form == RSIP_RANGE_NONE)
        return RSIP_OK;
    if (wish->form == RSIP_RANGE_ANY)
        return pool_ports_choose(d->s->pool, a, wish->count, &d->ports)
                   ? RSIP_OK
                   : RSIP_E_LOCAL_ADDRPORT_UNAVAILABLE;
    enum rsip_error error = RSIP_OK;
    for (unsigned i = 0; i < wish->count; i++) {
        enum pool_state state = pool_port_state(a, rsip_port_at(wish, i));
        if (state == POOL_UNALLOWED)
            return RSIP_E_LOCAL_ADDRPORT_UNALLOWED;
        if (state == POOL_USED)
            error = RSIP_E_LOCAL_ADDRPORT_INUSE;
    }
    return error;
}

/* RSIP-033, RSIP-041, RSIP-042 */
static enum rsip_error fit_spis(struct draft *d, const struct pool_address *a)
{
    const struct rsip_spis *wish = &d->request->spi;

    if (d->method != RSIP_METHOD_IPSEC)
        return RSIP_OK;
    d->spis = *wish;
    if (wish->form == RSIP_RANGE_ANY)
        return pool_spis_choose(d->s->pool, a, wish->count, &d->spis)
                   ? RSIP_OK
                   : RSIP_E_IPSEC_SPI_UNAVAILABLE;
    if (wish->count > RSIP_SPIS_MAX)
        return RSIP_E_IPSEC_SPI_UNAVAILABLE;
    for (unsigned i = 0; i < wish->count; i++)
        if (!pool_spi_free(d->s->pool, a, rsip_spi_at(wish, i)))
            return RSIP_E_IPSEC_SPI_INUSE;
    for (unsigned i = 0; wish->form == RSIP_RANGE_LIST && i < wish->count; i++)
        for (unsigned j = 0; j < i; j++)
            if (wish->spis[i] == wish->spis[j])
                return RSIP_E_BAD_PARAM;
    return RSIP_OK;
}

/* RSIP-166, RSIP-167, RSIP-168, RSIP-169, RSIP-170: this very address. */
static enum rsip_error fit_address(struct draft *d, struct pool_address *a)
{
    const struct rsip_range *range = pool_range(a);

    if (!(d->method == RSIP_METHOD_RSA ? range->whole : range->shared) || !address_quota_left(d, a))
        return RSIP_E_LOCAL_ADDR_UNALLOWED;
    if (d->method == RSIP_METHOD_RSA) {
        if (!pool_whole_free(a))
            return RSIP_E_LOCAL_ADDR_INUSE;
        d->address = a;
        return RSIP_OK;
    }
    if (pool_whole_owner(a) != NULL)
        return RSIP_E_LOCAL_ADDR_INUSE;
    enum rsip_error error = fit_ports(d, a);
    if (error == RSIP_OK)
        error = fit_spis(d, a);
    if (error == RSIP_OK)
        d->address = a;
    return error;
}

/* The most telling of what the addresses said: that ports or SPIs are short, before that no address
 * is to be had. */
static enum rsip_error worse(enum rsip_error so_far, enum rsip_error error)
{
    bool address = error == RSIP_E_LOCAL_ADDR_UNALLOWED || error == RSIP_E_LOCAL_ADDR_INUSE;
    return address ? so_far : error;
}

/* Those that the host already has come first. */
static enum rsip_error choose_address(struct draft *d)
{
    enum rsip_error error = RSIP_E_LOCAL_ADDR_UNAVAILABLE;
    enum ip_family family = d->request->local.type == RSIP_ADDR_V6 ? IP_V6 : IP_V4;
    struct pool_address *a;

    for (struct rsip_bind *b = d->host->binds; b != NULL && d->address == NULL; b = b->next)
        if (d->method != RSIP_METHOD_RSA && pool_addr(b->address)->family == family)
            error = worse(error, fit_address(d, b->address));
    for (size_t i = 0; d->address == NULL && (a = pool_at(d->s->pool, i)) != NULL; i++)
        if (pool_addr(a)->family == family)
            error = worse(error, fit_address(d, a));
    return d->address != NULL ? RSIP_OK : error;
}

/* Some address of the kind could be given to somebody now. */
static bool any_address_left(const struct draft *d)
{
    const struct pool_address *a;
    for (size_t i = 0; (a = pool_at(d->s->pool, i)) != NULL; i++) {
        if (pool_addr(a)->family != d->request->local.addr.family)
            continue;
        if (d->method == RSIP_METHOD_RSA) {
            if (pool_range(a)->whole && pool_whole_free(a))
                return true;
        } else if (pool_range(a)->shared && pool_whole_owner(a) == NULL) {
            return true;
        }
    }
    return false;
}

static enum rsip_error settle_address(struct draft *d)
{
    if (d->request->local.any)
        return choose_address(d);
    if (!any_address_left(d))
        return RSIP_E_LOCAL_ADDR_UNAVAILABLE;
    struct pool_address *a = pool_find(d->s->pool, &d->request->local.addr);
    return a == NULL ? RSIP_E_LOCAL_ADDR_UNALLOWED : fit_address(d, a);
}

static struct rsip_bind *make_bind(struct draft *d, uint32_t lease_s)
{
    struct rsip_server *s = d->s;
    struct rsip_bind *bind = rsip_bind_new(d->host, d->address);

    if (bind == NULL)
        return NULL;
    bind->method = d->method;
    bind->tunnel = d->tunnel;
    bind->listen = d->listen;
    bind->remote_port = d->remote_port;
    bind->remotes = calloc(d->remote_count == 0 ? 1 : d->remote_count, sizeof(struct ip_addr));
    if (bind->remotes == NULL) {
        free(bind);
        return NULL;
    }
    memcpy(bind->remotes, d->remotes, d->remote_count * sizeof(struct ip_addr));
    bind->remote_count = (uint8_t)d->remote_count;
    bind->expiry.at = mono_add(s->now, (int64_t)lease_s * 1000);
    do /* RSIP-127 */
        bind->key.bind_id = d->host->next_bind++;
    while (bind->key.bind_id == 0 || rsip_bind_find(s, d->host, bind->key.bind_id) != NULL);
    if (!rsip_bind_take(s, bind, &d->ports, &d->spis))
        return NULL;
    if (!rsip_host_extend(s, d->host, bind->expiry.at)) {
        rsip_bind_free(s, bind);
        return NULL;
    }
    return bind;
}

/* RSIP-032, RSIP-126: what of the remote end is granted. */
static void grant_remote(const struct draft *d, struct rsip_message *m)
{
    const struct rsip_message *asked = d->request;
    enum rsip_flow flow = d->policy->flow_remote;

    m->remote = asked->remote;
    if (flow == RSIP_FLOW_NONE) {
        bool v6 = asked->remote.type == RSIP_ADDR_V6;
        m->remote = (struct rsip_address){.type = v6 ? RSIP_ADDR_V6 : RSIP_ADDR_V4, .any = true};
    }
    if (asked->remote_ports.form == RSIP_RANGE_NONE || flow == RSIP_FLOW_MICRO)
        m->remote_ports = asked->remote_ports;
    else
        m->remote_ports = (struct rsip_ports){.form = RSIP_RANGE_ANY, .count = 1};
}

static void grant(struct draft *d, const struct rsip_bind *bind, uint32_t lease_s)
{
    struct rsip_message m = {.type = (enum rsip_type)(d->request->type + 1),
                             .present = RSIP_F_CLIENT_ID | RSIP_F_BIND_ID | RSIP_F_LOCAL_ADDR |
                                        RSIP_F_LOCAL_PORTS | RSIP_F_REMOTE_ADDR |
                                        RSIP_F_REMOTE_PORTS | RSIP_F_SPI | RSIP_F_LEASE |
                                        RSIP_F_TUNNEL,
                             .client_id = d->host->id,
                             .bind_id = bind->key.bind_id,
                             .local_ports = d->ports,
                             .spi = d->spis,
                             .lease_s = lease_s,
                             .tunnels = {bind->tunnel},
                             .tunnel_count = 1};
    const struct ip_addr *end = &d->s->config.tunnel_end;

    m.local.addr = *pool_addr(bind->address);
    m.local.type = m.local.addr.family == IP_V6 ? RSIP_ADDR_V6 : RSIP_ADDR_V4;
    grant_remote(d, &m);
    if (end->family != IP_NONE) { /* RSIP-072 */
        m.present |= RSIP_F_ENDPOINT;
        m.endpoint.addr = *end;
        m.endpoint.type = end->family == IP_V6 ? RSIP_ADDR_V6 : RSIP_ADDR_V4;
    }
    rsip_answer(d->s, d->host, &m);
}

static uint32_t lease_for(const struct draft *d)
{
    const struct rsip_message *m = d->request;
    bool wish = (m->present & RSIP_F_LEASE) != 0 && m->lease_s != 0;
    uint32_t lease_s = wish ? m->lease_s : d->policy->lease_s;
    return lease_s > d->policy->lease_max_s ? d->policy->lease_max_s : lease_s;
}

/* The steps, in the order in which an error is told. */
static enum rsip_error settle(struct draft *d)
{
    static enum rsip_error (*const steps[])(struct draft *) = {
        check_method, check_tunnel, check_remote, check_local, check_quota};

    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        enum rsip_error error = steps[i](d);
        if (error != RSIP_OK)
            return error;
    }
    if (d->resolve)
        return RSIP_OK;
    enum rsip_error error = check_rules(d);
    return error != RSIP_OK ? error : settle_address(d);
}

static void ask_name(struct draft *d)
{
    d->host->resolving = d->s->next_serial++;
    rsip_emit(d->s,
              &(struct rsip_server_effect){.kind = RSIP_SFX_RESOLVE,
                                           .host = {.addr = d->host->key.addr},
                                           .serial = d->host->resolving},
              d->request->remote.name);
}

void rsip_assign(struct rsip_server *s, struct rsip_host *host, const struct rsip_message *request,
                 const struct rsip_names *names)
{
    struct draft d = {
        .s = s, .host = host, .policy = host->policy, .request = request, .names = names};
    enum rsip_error error = settle(&d);

    if (error != RSIP_OK) {
        rsip_refuse(s, host, error);
        return;
    }
    if (d.resolve) {
        ask_name(&d);
        return;
    }
    uint32_t lease_s = lease_for(&d);
    struct rsip_bind *bind = make_bind(&d, lease_s);
    if (bind == NULL) {
        rsip_count(s, RSIP_C_no_memory);
        rsip_refuse(s, host, RSIP_E_INTERNAL_SERVER_ERROR); /* RSIP-148 */
        return;
    }
    rsip_count(s, RSIP_C_assigned);
    rsip_save_bind(s, bind);
    grant(&d, bind, lease_s);
}
