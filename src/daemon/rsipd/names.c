#include "daemon/rsipd/names.h"

#include <event2/dns.h>
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"

enum { NAME_MAX_LEN = 253, ASKED_MAX = 256, V4_OCTETS = 4 };

struct rsipd_names {
    struct evdns_base *dns;
    rsipd_names_fn *on_answer;
    void *ctx;
    unsigned asked;
};

struct question {
    struct rsipd_names *names;
    struct ip_addr host;
    uint64_t serial;
};

struct rsipd_names *rsipd_names_new(struct event_base *base, const struct ip_addr *servers,
                                    size_t count, rsipd_names_fn *on_answer, void *ctx)
{
    struct rsipd_names *n = calloc(1, sizeof(*n));
    char text[IP_ADDR_TEXT_MAX];

    if (n == NULL)
        return NULL;
    n->on_answer = on_answer;
    n->ctx = ctx;
    n->dns = evdns_base_new(base, EVDNS_BASE_DISABLE_WHEN_INACTIVE);
    bool ok = n->dns != NULL;
    for (size_t i = 0; i < count && ok; i++)
        ok = evdns_base_nameserver_ip_add(n->dns, ip_addr_format(&servers[i], text)) == 0;
    if (ok)
        return n;
    rsipd_names_free(n);
    return NULL;
}

void rsipd_names_free(struct rsipd_names *n)
{
    if (n == NULL)
        return;
    if (n->dns != NULL)
        evdns_base_free(n->dns, 0);
    free(n);
}

static void on_resolved(int result, char type, int count, int ttl, void *addresses, void *arg)
{
    struct question *q = arg;
    struct ip_addr addrs[LIMIT_RSIP_REMOTES];
    size_t found = 0;

    (void)ttl;
    if (result == DNS_ERR_NONE && type == DNS_IPv4_A)
        for (; found < (size_t)count && found < LIMIT_RSIP_REMOTES; found++)
            addrs[found] =
                ip_addr_from(view_of((const uint8_t *)addresses + found * V4_OCTETS, V4_OCTETS));
    q->names->asked--;
    q->names->on_answer(q->names->ctx, &q->host, q->serial, addrs, found);
    free(q);
}

/* What a host may name: letters, digits, hyphens and dots. */
static bool is_name(struct view name)
{
    static const char allowed[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-.";
    for (size_t i = 0; i < name.len; i++)
        if (name.ptr[i] == 0 || strchr(allowed, name.ptr[i]) == NULL)
            return false;
    return name.len > 0 && name.len <= NAME_MAX_LEN;
}

bool rsipd_names_ask(struct rsipd_names *n, const struct ip_addr *host, uint64_t serial,
                     struct view name)
{
    char text[NAME_MAX_LEN + 1];
    struct question *q;

    if (!is_name(name) || n->asked == ASKED_MAX || (q = calloc(1, sizeof(*q))) == NULL)
        return false;
    memcpy(text, name.ptr, name.len);
    text[name.len] = '\0';
    *q = (struct question){.names = n, .host = *host, .serial = serial};
    if (evdns_base_resolve_ipv4(n->dns, text, DNS_QUERY_NO_SEARCH, on_resolved, q) == NULL) {
        free(q);
        return false;
    }
    n->asked++;
    return true;
}
