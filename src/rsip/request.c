#include "rsip/request.h"

#include <assert.h>
#include <stdlib.h>

enum { METHODS = RSIP_METHOD_IPSEC, TUNNELS = RSIP_TUNNEL_L2TP };

/* An answer to somebody of whom nothing is kept, or that must not replace what is kept. */
static void answer_stranger(struct rsip_server *s, const struct rsip_server_event *event,
                            const struct rsip_outline *asked, enum rsip_error error,
                            uint32_t client_id)
{
    uint8_t room[64];
    struct builder b = builder_on(span_of(room, sizeof(room)));
    struct rsip_message m = {
        .type = RSIP_ERROR_RESPONSE, .present = RSIP_F_ERROR, .error = (uint16_t)error};

    if (asked->has_counter) {
        m.present |= RSIP_F_COUNTER;
        m.counter = asked->counter;
    }
    if (client_id != 0) {
        m.present |= RSIP_F_CLIENT_ID;
        m.client_id = client_id;
    }
    rsip_build(&b, &m);
    rsip_count(s, RSIP_C_errors_sent);
    rsip_emit(s,
              &(struct rsip_server_effect){.kind = RSIP_SFX_SEND,
                                           .host = event->host,
                                           .transport = event->transport,
                                           .channel = event->channel},
              builder_written(&b));
}

/* The request is executed from here on, and this is what its copies are compared with. */
static bool begin(struct rsip_server *s, struct rsip_host *host,
                  const struct rsip_server_event *event, const struct rsip_message *m)
{
    uint8_t *talk = realloc(host->talk, event->bytes.len);
    if (talk == NULL) {
        rsip_count(s, RSIP_C_no_memory);
        return false;
    }
    memcpy(talk, event->bytes.ptr, event->bytes.len);
    host->talk = talk;
    host->request_len = event->bytes.len;
    host->answer_len = 0;
    host->resolving = 0;
    host->counter = (m->present & RSIP_F_COUNTER) != 0 ? m->counter : 0;
    host->port = event->host.port;
    host->channel = event->channel;
    return true;
}

static void add_supported(struct rsip_message *m, const struct rsip_policy *policy)
{
    for (uint8_t i = 1; i <= METHODS; i++)
        if ((policy->methods & 1 << i) != 0)
            m->methods[m->method_count++] = i;
    for (uint8_t i = 1; i <= TUNNELS; i++)
        if ((policy->tunnels & 1 << i) != 0)
            m->tunnels[m->tunnel_count++] = i;
    m->present |=
        (m->method_count > 0 ? RSIP_F_METHOD : 0u) | (m->tunnel_count > 0 ? RSIP_F_TUNNEL : 0u);
}

/* RSIP-019, RSIP-109, RSIP-110, RSIP-162 */
static enum err on_register(struct rsip_server *s, const struct rsip_server_event *event,
                            const struct rsip_outline *asked, const struct rsip_message *request)
{
    const struct rsip_policy *policy = rsip_policy_find(s, &event->host.addr);
    struct rsip_host *ghost = rsip_host_find(s, &event->host.addr);

    if (ghost != NULL)
        rsip_host_free(s, ghost);
    if (policy == NULL || s->hosts.count >= s->config.hosts) {
        answer_stranger(s, event, asked, RSIP_E_REGISTRATION_DENIED, 0);
        return policy == NULL ? ERR_POLICY : ERR_LIMIT;
    }
    struct rsip_host *host = rsip_host_new(s, &event->host.addr, 0);
    if (host == NULL || !begin(s, host, event, request) ||
        !rsip_host_extend(s, host, mono_add(s->now, (int64_t)policy->registration_s * 1000))) {
        if (host != NULL)
            rsip_host_free(s, host);
        answer_stranger(s, event, asked, RSIP_E_INTERNAL_SERVER_ERROR, 0);
        return ERR_MEMORY;
    }
    host->policy = policy;
    host->transport = event->transport; /* RSIP-063 */
    rsip_count(s, RSIP_C_registered);
    struct rsip_message m = {.type = RSIP_REGISTER_RESPONSE,
                             .present = RSIP_F_CLIENT_ID | RSIP_F_LEASE | RSIP_F_FLOW,
                             .client_id = host->id,
                             .lease_s = policy->registration_s,
                             .flow_local = policy->flow_local,
                             .flow_remote = policy->flow_remote};
    add_supported(&m, policy);
    rsip_answer(s, host, &m);
    return ERR_OK;
}

/* RSIP-113 */
static void on_deregister(struct rsip_server *s, struct rsip_host *host)
{
    struct rsip_message m = {
        .type = RSIP_DEREGISTER_RESPONSE, .present = RSIP_F_CLIENT_ID, .client_id = host->id};
    rsip_host_to_ghost(s, host);
    rsip_answer(s, host, &m);
}

static void refuse_bind(struct rsip_server *s, struct rsip_host *host, uint32_t bind_id)
{
    struct rsip_message m = {.type = RSIP_ERROR_RESPONSE,
                             .present = RSIP_F_ERROR | RSIP_F_CLIENT_ID | RSIP_F_BIND_ID,
                             .error = RSIP_E_BAD_BIND_ID,
                             .client_id = host->id,
                             .bind_id = bind_id};
    rsip_count(s, RSIP_C_errors_sent);
    rsip_answer(s, host, &m);
}

/* RSIP-130, RSIP-131, RSIP-164 */
static void on_extend(struct rsip_server *s, struct rsip_host *host,
                      const struct rsip_message *request)
{
    struct rsip_bind *bind = rsip_bind_find(s, host, request->bind_id);
    if (bind == NULL) {
        refuse_bind(s, host, request->bind_id);
        return;
    }
    bool wish = (request->present & RSIP_F_LEASE) != 0 && request->lease_s != 0;
    uint32_t lease_s = wish ? request->lease_s : host->policy->lease_s;
    if (lease_s > host->policy->lease_max_s)
        lease_s = host->policy->lease_max_s;
    mono_t until = mono_add(s->now, (int64_t)lease_s * 1000);
    bool moved = heap_set(&s->bind_deadlines, &bind->expiry, until);
    moved = rsip_host_extend(s, host, until) && moved;
    assert(moved); /* both are in their heaps already */
    rsip_save_bind(s, bind);
    struct rsip_message m = {.type = RSIP_EXTEND_RESPONSE,
                             .present = RSIP_F_CLIENT_ID | RSIP_F_BIND_ID | RSIP_F_LEASE,
                             .client_id = host->id,
                             .bind_id = request->bind_id,
                             .lease_s = lease_s};
    rsip_answer(s, host, &m);
}

/* RSIP-132, RSIP-133, RSIP-164 */
static void on_free(struct rsip_server *s, struct rsip_host *host,
                    const struct rsip_message *request)
{
    struct rsip_bind *bind = rsip_bind_find(s, host, request->bind_id);
    if (bind == NULL) {
        refuse_bind(s, host, request->bind_id);
        return;
    }
    rsip_bind_free(s, bind);
    struct rsip_message m = {.type = RSIP_FREE_RESPONSE,
                             .present = RSIP_F_CLIENT_ID | RSIP_F_BIND_ID,
                             .client_id = host->id,
                             .bind_id = request->bind_id};
    rsip_answer(s, host, &m);
}

static struct rsip_address netmask_of(unsigned bits)
{
    struct rsip_address mask = {.type = RSIP_ADDR_NETMASK};
    mask.addr = ip_addr_v4(bits == 0 ? 0 : UINT32_MAX << (32 - bits));
    return mask;
}

static unsigned mask_bits(const struct ip_addr *mask)
{
    unsigned bits = 0;
    while (bits < 32 && (mask->octets[bits / 8] & 0x80 >> bits % 8) != 0)
        bits++;
    return bits;
}

/* Whether all of it is reached without RSIP; if not, we can't tell where it is (RSIP-140). */
static bool is_local(const struct rsip_server *s, const struct rsip_tuple *tuple)
{
    bool network = tuple->indicator == RSIP_TUPLE_NETWORK;
    if (tuple->address.type == RSIP_ADDR_NAME)
        return false;
    unsigned bits = network ? mask_bits(&tuple->netmask.addr) : ip_addr_bits(&tuple->address.addr);
    for (size_t i = 0; i < s->config.local_count; i++)
        if (s->local[i].bits <= bits && ip_prefix_contains(&s->local[i], &tuple->address.addr))
            return true;
    return false;
}

/* RSIP-137: everything we may tell; there is no way to say an IPv6 network (RSIP-213). */
static void add_local(const struct rsip_server *s, struct rsip_message *m)
{
    for (size_t i = 0; i < s->config.local_count && m->tuple_count < RSIP_TUPLES_MAX; i++) {
        const struct ip_prefix *prefix = &s->local[i];
        if (prefix->addr.family == IP_V4)
            m->tuples[m->tuple_count++] =
                (struct rsip_tuple){.indicator = RSIP_TUPLE_NETWORK,
                                    .address = {.type = RSIP_ADDR_V4, .addr = prefix->addr},
                                    .netmask = netmask_of(prefix->bits)};
    }
}

static void on_query(struct rsip_server *s, struct rsip_host *host,
                     const struct rsip_message *request)
{
    struct rsip_message m = {
        .type = RSIP_QUERY_RESPONSE, .present = RSIP_F_CLIENT_ID, .client_id = host->id};

    for (size_t i = 0; i < request->tuple_count; i++)
        if (is_local(s, &request->tuples[i]))
            m.tuples[m.tuple_count++] = request->tuples[i];
    if (request->tuple_count == 0)
        add_local(s, &m);
    m.present |= m.tuple_count > 0 ? RSIP_F_TUPLES : 0u;
    rsip_answer(s, host, &m);
}

static void execute(struct rsip_server *s, struct rsip_host *host,
                    const struct rsip_message *request)
{
    switch (request->type) {
    case RSIP_DEREGISTER_REQUEST:
        on_deregister(s, host);
        break;
    case RSIP_EXTEND_REQUEST:
        on_extend(s, host, request);
        break;
    case RSIP_FREE_REQUEST:
        on_free(s, host, request);
        break;
    case RSIP_QUERY_REQUEST:
        on_query(s, host, request);
        break;
    default:
        rsip_assign(s, host, request, NULL);
        break;
    }
}

/* What the counter says (RSIP-175, RSIP-176, RSIP-177). A de-registration may break the order,
 * for a host
 * that restarted begins at 1 again (RSIP-179). */
enum order { ORDER_NEW, ORDER_COPY, ORDER_STALE };

static enum order order_of(const struct rsip_host *host, struct view bytes,
                           const struct rsip_message *m)
{
    if ((m->present & RSIP_F_COUNTER) == 0)
        return ORDER_NEW;
    if (m->counter == host->counter && host->request_len == bytes.len &&
        memcmp(host->talk, bytes.ptr, bytes.len) == 0)
        return ORDER_COPY;
    if (m->type == RSIP_DEREGISTER_REQUEST || m->type == RSIP_REGISTER_REQUEST ||
        host->counter == 0)
        return ORDER_NEW;
    return (int32_t)(m->counter - host->counter) > 0 ? ORDER_NEW : ORDER_STALE;
}

/* Of a host that is registered. */
static enum err on_known(struct rsip_server *s, struct rsip_host *host,
                         const struct rsip_server_event *event, const struct rsip_outline *asked,
                         const struct rsip_message *m)
{
    switch (order_of(host, event->bytes, m)) {
    case ORDER_STALE:
        rsip_count(s, RSIP_C_stale_counter);
        return ERR_REPLAY;
    case ORDER_COPY:
        rsip_count(s, RSIP_C_duplicates);
        host->port = event->host.port;
        host->channel = event->channel;
        rsip_repeat_answer(s, host);
        return ERR_OK;
    case ORDER_NEW:
        break;
    }
    /* RSIP-160 */
    if (m->type == RSIP_REGISTER_REQUEST) {
        answer_stranger(s, event, asked, RSIP_E_ALREADY_REGISTERED, host->id);
        return ERR_STATE;
    }
    /* RSIP-163 */
    if (m->client_id != host->id) {
        answer_stranger(s, event, asked, RSIP_E_BAD_CLIENT_ID, m->client_id);
        return ERR_VALUE;
    }
    /* RSIP-063, RSIP-145 */
    if (event->transport != host->transport && m->type != RSIP_DEREGISTER_REQUEST) {
        answer_stranger(s, event, asked,
                        event->transport == RSIP_UDP ? RSIP_E_USE_TCP : RSIP_E_UNKNOWN_ERROR,
                        host->id);
        return ERR_POLICY;
    }
    if (!begin(s, host, event, m)) {
        answer_stranger(s, event, asked, RSIP_E_INTERNAL_SERVER_ERROR, host->id);
        return ERR_MEMORY;
    }
    host->transport = event->transport;
    execute(s, host, m);
    return ERR_OK;
}

/* RSIP-146, RSIP-149, RSIP-150, RSIP-151, RSIP-152, RSIP-153, RSIP-154, RSIP-155, RSIP-156,
 * RSIP-157: what is wrong with the message itself. A response is dropped, or
 * two gateways could answer each other for ever (RSIP-106). */
static enum rsip_error check_message(struct rsip_server *s, const struct rsip_server_event *event,
                                     const struct rsip_outline *asked, struct rsip_message *m)
{
    enum rsip_error error;

    if (event->transport == RSIP_UDP && s->config.tcp_only)
        return RSIP_E_USE_TCP;
    if (rsip_parse(event->bytes, m, &error) != ERR_OK)
        return error;
    if (event->transport == RSIP_UDP && !asked->has_counter)
        return RSIP_E_MESSAGE_COUNTER_REQUIRED;
    if (asked->has_counter && asked->counter == 0)
        return RSIP_E_BAD_PARAM;
    return RSIP_OK;
}

enum err rsip_request(struct rsip_server *s, const struct rsip_server_event *event)
{
    struct rsip_host *host = rsip_host_find(s, &event->host.addr);
    struct rsip_outline asked;
    struct rsip_message m;

    rsip_count(s, RSIP_C_requests);
    rsip_outline_read(event->bytes, &asked);
    if (!asked.has_type ||
        (rsip_type_name(asked.type) != NULL && !rsip_type_is_request(asked.type))) {
        rsip_count(s, RSIP_C_not_a_request);
        return ERR_UNEXPECTED;
    }
    enum rsip_error error = check_message(s, event, &asked, &m);
    bool registered = host != NULL && host->id != 0;
    if (error != RSIP_OK) {
        answer_stranger(s, event, &asked, error, registered ? host->id : 0);
        return ERR_SYNTAX;
    }
    if (registered)
        return on_known(s, host, event, &asked, &m);
    if (host != NULL && order_of(host, event->bytes, &m) == ORDER_COPY) {
        rsip_count(s, RSIP_C_duplicates);
        rsip_repeat_answer(s, host);
        return ERR_OK;
    }
    if (m.type == RSIP_REGISTER_REQUEST)
        return on_register(s, event, &asked, &m);
    /* RSIP-065, RSIP-159, RSIP-161 */
    answer_stranger(s, event, &asked, RSIP_E_REGISTER_FIRST, m.client_id);
    return ERR_UNKNOWN;
}

enum err rsip_request_resolved(struct rsip_server *s, const struct rsip_server_event *event)
{
    struct rsip_host *host = rsip_host_find(s, &event->host.addr);
    const struct rsip_names names = {event->addrs, event->addr_count};
    enum rsip_error error;
    struct rsip_message m;

    if (host == NULL || host->id == 0 || host->resolving != event->serial || event->serial == 0)
        return ERR_UNKNOWN;
    if (rsip_parse(view_of(host->talk, host->request_len), &m, &error) != ERR_OK)
        return ERR_STATE;
    /* the message points into host->talk, which the answer replaces; a name is copied first */
    uint8_t name[256];
    if (m.remote.name.len > 0 && m.remote.name.len <= sizeof(name)) {
        memcpy(name, m.remote.name.ptr, m.remote.name.len);
        m.remote.name.ptr = name;
    }
    host->resolving = 0;
    rsip_assign(s, host, &m, &names);
    return ERR_OK;
}
