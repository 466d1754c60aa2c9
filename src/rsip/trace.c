/* What outbound packets leave behind: bounded for each host, the least recently used goes first, cookies last. */
#include <stdlib.h>

#include "rsip/internal.h"

enum { ECHO_MS = 60 * 1000 };

static void unlink_trace(struct rsip_host *host, struct rsip_trace *trace)
{
    if (trace->older != NULL)
        trace->older->newer = trace->newer;
    else
        host->oldest = trace->newer;
    if (trace->newer != NULL)
        trace->newer->older = trace->older;
    else
        host->newest = trace->older;
    trace->older = trace->newer = NULL;
}

static void link_newest(struct rsip_host *host, struct rsip_trace *trace)
{
    trace->older = host->newest;
    if (host->newest != NULL)
        host->newest->newer = trace;
    else
        host->oldest = trace;
    host->newest = trace;
}

static void touch(struct rsip_server *s, struct rsip_trace *trace)
{
    trace->used = s->now;
    unlink_trace(trace->bind->host, trace);
    link_newest(trace->bind->host, trace);
}

void rsip_trace_free(struct rsip_server *s, struct rsip_trace *trace)
{
    struct rsip_host *host = trace->bind->host;
    unlink_trace(host, trace);
    map_remove(&s->traces, &trace->node);
    host->held.traces--;
    free(trace);
}

void rsip_trace_drop(struct rsip_server *s, struct rsip_bind *bind)
{
    struct rsip_trace *next;
    for (struct rsip_trace *t = bind->host->oldest; t != NULL; t = next) {
        next = t->newer;
        if (t->bind == bind)
            rsip_trace_free(s, t);
    }
}

static struct rsip_trace *lookup(const struct rsip_server *s, const struct trace_key *key)
{
    struct map_node *node = map_find(&s->traces, key);
    return node == NULL ? NULL : MAP_OWNER(node, struct rsip_trace, node);
}

static bool outlived(const struct rsip_server *s, const struct rsip_trace *trace)
{
    return trace->key.kind == TRACE_ECHO && mono_since(s->now, trace->used) >= ECHO_MS;
}

struct rsip_trace *rsip_trace_find(struct rsip_server *s, const struct trace_key *key)
{
    struct rsip_trace *trace = lookup(s, key);
    if (trace == NULL || outlived(s, trace))
        return NULL;
    touch(s, trace);
    return trace;
}

/* Cookies last as long as an IKE SA, pings a moment: those of a host that pings a lot must not end its
 * IKE SAs. */
static struct rsip_trace *least_useful(const struct rsip_host *host)
{
    for (struct rsip_trace *t = host->oldest; t != NULL; t = t->newer)
        if (t->key.kind != TRACE_COOKIE)
            return t;
    return host->oldest;
}

struct rsip_trace *rsip_trace_make(struct rsip_server *s, struct rsip_bind *bind,
                                   const struct trace_key *key, const struct ip_addr *peer,
                                   bool *ret_other)
{
    struct rsip_host *host = bind->host;
    struct rsip_trace *trace = lookup(s, key);

    *ret_other = false;
    if (trace != NULL && outlived(s, trace)) {
        rsip_trace_free(s, trace);
        trace = NULL;
    }
    if (trace != NULL) {
        *ret_other = trace->bind->host != host || !ip_addr_equal(&trace->peer, peer);
        if (*ret_other)
            return NULL;
        touch(s, trace);
        return trace;
    }
    while (host->oldest != NULL && host->held.traces >= host->policy->quota.traces)
        rsip_trace_free(s, least_useful(host));
    if (host->policy->quota.traces == 0)
        return NULL;
    trace = calloc(1, sizeof(*trace));
    if (trace == NULL)
        return NULL;
    *trace = (struct rsip_trace){.key = *key, .peer = *peer, .bind = bind, .used = s->now};
    if (!map_insert(&s->traces, &trace->node)) {
        free(trace);
        return NULL;
    }
    link_newest(host, trace);
    host->held.traces++;
    if (key->kind == TRACE_COOKIE)
        rsip_save_bind(s, bind);
    return trace;
}
