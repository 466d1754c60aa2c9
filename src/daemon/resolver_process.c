#include "daemon/resolver.h"

#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/queue.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <unbound.h>
#include <unistd.h>

#include "base/map.h"
#include "daemon/seqpacket.h"
#include "daemon/log.h"
#include "daemon/stub.h"

enum { DNS_CLASS_IN = 1, RESOLVER_FILES = 4096 };

struct resolver {
    const struct child *child;
    struct event_base *base;
    struct ub_ctx *ub;
    uint32_t limit;
    struct map queries; /* struct query, by serial */
    TAILQ_HEAD(, query) by_age; /* the same, oldest first */
    const struct config_stub *stub_config;
    int channel;        /* -1: no keyd now */
    struct event *channel_event;
};

struct query {
    struct map_node node;
    TAILQ_ENTRY(query) by_age;
    uint64_t serial;
    int async_id;
    struct resolver *resolver;
};

static uint8_t buffer[IPC_MESSAGE_MAX];
static uint8_t reply[IPC_MESSAGE_MAX];

static void drop_query(struct query *query)
{
    map_remove(&query->resolver->queries, &query->node);
    TAILQ_REMOVE(&query->resolver->by_age, query, by_age);
    free(query);
}

static void cancel_query(struct query *query)
{
    ub_cancel(query->resolver->ub, query->async_id);
    drop_query(query);
}

static void close_channel(struct resolver *r)
{
    struct map_node *node;

    if (r->channel < 0)
        return;
    event_free(r->channel_event);
    close(r->channel);
    r->channel = -1;
    while ((node = map_first(&r->queries)) != NULL)
        cancel_query(MAP_OWNER(node, struct query, node));
}

static void send_answer(struct resolver *r, uint64_t serial, const struct dns_answer *answer)
{
    struct ipc_message message = {.kind = IPC_ANSWER, .serial = serial, .answer = *answer};
    size_t len = ipc_build(&message, span_of(reply, sizeof(reply)));

    if (len == 0) {
        struct dns_answer big = {.status = DNS_TIMEOUT, .why = "the answer is too long"};
        message.answer = big;
        len = ipc_build(&message, span_of(reply, sizeof(reply)));
    }
    if (r->channel >= 0)
        seqpacket_send_wait(r->channel,
                            view_of(reply, len)); /* end of file tells of a partner gone */
}

/* keyd may be away, or busy: a name that it doesn't hear of is told again when next asked for. */
static void tell_name(void *ctx, const struct identity *name, const struct ip_addr *addr,
                      uint32_t ttl_s)
{
    struct resolver *r = ctx;
    struct ipc_message message = {.kind = IPC_NAME, .address = *addr, .ttl_s = ttl_s};

    memcpy(message.name, name->fqdn, sizeof(message.name));
    size_t len = ipc_build(&message, span_of(reply, sizeof(reply)));
    if (r->channel >= 0 && len != 0)
        (void)seqpacket_send(r->channel, view_of(reply, len));
}

static void on_answer(void *ctx, int error, struct ub_result *result)
{
    struct query *query = ctx;
    struct dns_answer answer = resolver_answer_of(error, result);

    send_answer(query->resolver, query->serial, &answer);
    ub_resolve_free(result);
    drop_query(query);
}

static const char *start_query(struct resolver *r, const struct ipc_message *message)
{
    /* OE-194: keyd asks no more than the limit at once, so it has given up the oldest */
    while (r->queries.count >= r->limit)
        cancel_query(TAILQ_FIRST(&r->by_age));
    struct query *query = calloc(1, sizeof(*query));
    if (query == NULL)
        return "out of memory";
    query->serial = message->serial;
    query->resolver = r;
    if (!map_insert(&r->queries, &query->node)) {
        free(query);
        return "out of memory";
    }
    TAILQ_INSERT_TAIL(&r->by_age, query, by_age);
    int error = ub_resolve_async(r->ub, message->name, message->type, DNS_CLASS_IN, query,
                                 on_answer, &query->async_id);
    if (error != 0) {
        drop_query(query);
        return ub_strerror(error);
    }
    return NULL;
}

static void on_message(struct resolver *r, const struct ipc_message *message)
{
    struct map_node *known = map_find(&r->queries, &message->serial);

    if (message->kind == IPC_CANCEL && known != NULL)
        cancel_query(MAP_OWNER(known, struct query, node));
    if (message->kind != IPC_QUERY || known != NULL)
        return;
    const char *refused = start_query(r, message);
    if (refused != NULL) {
        struct dns_answer answer = {.status = DNS_TIMEOUT};
        snprintf(answer.why, sizeof(answer.why), "%s", refused);
        send_answer(r, message->serial, &answer);
    }
}

static void on_channel(evutil_socket_t fd, short what, void *ctx)
{
    struct resolver *r = ctx;
    struct ipc_message message;
    struct view bytes;
    (void)what;

    switch (seqpacket_receive(fd, span_of(buffer, sizeof(buffer)), &bytes)) {
    case SEQPACKET_OK:
        if (ipc_parse(bytes, &message) == ERR_OK)
            on_message(r, &message);
        break;
    case SEQPACKET_AGAIN:
        break;
    case SEQPACKET_GONE:
        close_channel(r);
        break;
    }
}

static void open_channel(struct resolver *r, int fd)
{
    close_channel(r);
    r->channel_event = event_new(r->base, fd, EV_READ | EV_PERSIST, on_channel, r);
    if (r->channel_event == NULL || event_add(r->channel_event, NULL) != 0) {
        log_line(EVENT_ERROR, "can't watch the channel to keyd");
        event_base_loopbreak(r->base);
        return;
    }
    r->channel = fd;
}

static void on_parent(evutil_socket_t fd, short what, void *ctx)
{
    struct resolver *r = ctx;
    struct child_message message;
    (void)fd;
    (void)what;

    switch (child_receive(r->child, &message)) {
    case CHILD_GONE:
        event_base_loopbreak(r->base);
        break;
    case CHILD_CHANNEL:
        if (message.channel == CHILD_CHANNEL_DNS)
            open_channel(r, message.fd);
        else
            close(message.fd);
        break;
    case CHILD_AGAIN:
        break;
    default:
        child_message_drop(&message);
        break;
    }
}

static void on_unbound(evutil_socket_t fd, short what, void *ctx)
{
    struct resolver *r = ctx;
    (void)fd;
    (void)what;
    ub_process(r->ub);
}

static bool set_options(struct ub_ctx *ub)
{
    static const char *const options[][2] = {
        {"qname-minimisation:", "no"},
        {"do-not-query-localhost:", "no"},
        {"unblock-lan-zones:", "yes"}, /* reverse zones of private addresses are what we ask for */
        {"trust-anchor-signaling:", "no"},
        {"minimal-responses:", "yes"},
        {"infra-keep-probing:", "yes"}, /* a forwarder that was down is found again soon */
        {"infra-host-ttl:", "60"},
        {"outgoing-range:", "1024"},
        {"outgoing-num-tcp:", "64"},
        {"num-queries-per-thread:", "2048"},
        {"msg-cache-size:", "16m"},
        {"rrset-cache-size:", "32m"},
    };
    for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++) {
        int error = ub_ctx_set_option(ub, options[i][0], options[i][1]);
        if (error != 0) {
            log_line(EVENT_ERROR, "libunbound refuses %s %s: %s", options[i][0], options[i][1],
                     ub_strerror(error));
            return false;
        }
    }
    return true;
}

static bool set_forwarders(struct ub_ctx *ub, const struct config_dns *dns)
{
    for (size_t i = 0; i < dns->forwarder_count; i++) {
        const struct ip_endpoint *server = &dns->forwarders[i];
        char address[IP_ADDR_TEXT_MAX], text[IP_ENDPOINT_TEXT_MAX];
        snprintf(text, sizeof(text), "%s@%u", ip_addr_format(&server->addr, address),
                 server->port);
        int error = ub_ctx_set_fwd(ub, text);
        if (error != 0) {
            log_line(EVENT_ERROR, "can't forward to %s: %s", text, ub_strerror(error));
            return false;
        }
    }
    return true;
}

/* Reads the trust anchors now, while the file can still be reached: removing the built-in empty
 * zone of a name that local networks use ("test.") makes libunbound take its settings. */
static bool finish_settings(struct ub_ctx *ub)
{
    char anchor[32];
    int error = 0;

    if (child_fd(CHILD_FD_ANCHOR) >= 0) {
        snprintf(anchor, sizeof(anchor), "/proc/self/fd/%d", CHILD_FD_ANCHOR);
        error = ub_ctx_add_ta_file(ub, anchor);
    }
    if (error == 0)
        error = ub_ctx_zone_remove(ub, "test.");
    if (error == 0)
        error = ub_ctx_zone_remove(ub, "home.arpa.");
    if (error != 0)
        log_line(EVENT_ERROR, "can't use the trust anchors: %s; they are DS or DNSKEY records",
                 ub_strerror(error));
    close(CHILD_FD_ANCHOR);
    return error == 0;
}

static void raise_file_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < RESOLVER_FILES) {
        limit.rlim_cur = RESOLVER_FILES < limit.rlim_max ? RESOLVER_FILES : limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
}

static struct ub_ctx *open_unbound(const struct config_dns *dns)
{
    struct ub_ctx *ub = ub_ctx_create();

    if (ub == NULL) {
        log_line(EVENT_ERROR, "can't start libunbound");
        return NULL;
    }
    if (set_options(ub) && set_forwarders(ub, dns) && ub_ctx_async(ub, 1) == 0 &&
        finish_settings(ub))
        return ub;
    ub_ctx_delete(ub);
    return NULL;
}

static void fill_random(void *ctx, uint8_t *ret, size_t len)
{
    (void)ctx;
    if (getrandom(ret, len, 0) != (ssize_t)len)
        abort();
}

/* NULL with *ret_ok set: none is wanted. */
static struct stub *open_stub(struct resolver *r, bool *ret_ok)
{
    int fds[2 * CONFIG_STUB_ADDRESSES];
    size_t count = 2 * r->stub_config->listen_count;

    *ret_ok = true;
    if (count == 0)
        return NULL;
    for (size_t i = 0; i < count; i++)
        fds[i] = CHILD_FD_STUB + (int)i;
    struct stub *stub = stub_new(r->base, r->ub, fds, count, tell_name, r);
    *ret_ok = stub != NULL;
    return stub;
}

static bool run(struct resolver *r)
{
    bool stub_ok;

    r->base = event_base_new();
    if (r->base == NULL)
        return false;
    struct event *parent =
        event_new(r->base, r->child->parent_fd, EV_READ | EV_PERSIST, on_parent, r);
    struct event *unbound =
        event_new(r->base, ub_fd(r->ub), EV_READ | EV_PERSIST, on_unbound, r);
    struct stub *stub = open_stub(r, &stub_ok);
    bool ok = stub_ok && parent != NULL && unbound != NULL && event_add(parent, NULL) == 0 &&
              event_add(unbound, NULL) == 0;
    if (ok)
        event_base_dispatch(r->base);
    close_channel(r);
    stub_free(stub);
    if (parent != NULL)
        event_free(parent);
    if (unbound != NULL)
        event_free(unbound);
    event_base_free(r->base);
    return ok;
}

int resolver_process_main(const struct cygnet_config *config, const struct child *child)
{
    struct rng rng = {.fill = fill_random};
    struct resolver r = {.child = child, .limit = config->limits.lookups,
                         .stub_config = &config->stub, .channel = -1};

    TAILQ_INIT(&r.by_age);
    raise_file_limit();
    r.ub = open_unbound(&config->dns);
    if (r.ub == NULL)
        return 1;
    bool ok = child_drop_privileges(config->users.resolver, child_empty_root());
    if (ok) {
        map_init(&r.queries, MAP_KEY_OFFSET(struct query, node, serial), sizeof(uint64_t), &rng);
        ok = run(&r);
        map_fini(&r.queries);
    }
    ub_ctx_delete(r.ub);
    return ok ? 0 : 1;
}
