/* Traffic selectors (RFC 7296 section 2.9, 3.13.1) to and from what the plane can keep apart. */
#include "ike/v2/v2.h"

struct traffic traffic_of_host(const struct ip_addr *host)
{
    return (struct traffic){.net = ip_prefix_of(host, ip_addr_bits(host)), .port_last = UINT16_MAX};
}

static bool is_host(const struct traffic *t)
{
    return t->net.addr.family != IP_NONE && t->net.bits == ip_addr_bits(&t->net.addr) &&
           t->protocol == 0 && t->port_first == 0 && t->port_last == UINT16_MAX;
}

struct ip_pair traffic_flow(const struct traffic_pair *traffic)
{
    if (!is_host(&traffic->local) || !is_host(&traffic->remote))
        return (struct ip_pair){.src = {.family = IP_NONE}};
    return (struct ip_pair){traffic->local.net.addr, traffic->remote.net.addr};
}

struct ike2_selector selector_of(const struct traffic *traffic)
{
    struct ike2_selector ts = ike2_selector_of_prefix(&traffic->net);
    ts.protocol = traffic->protocol;
    ts.port_first = traffic->port_first;
    ts.port_last = traffic->port_last;
    return ts;
}

static bool within(const struct traffic *inner, const struct traffic *outer)
{
    struct ike2_selector in = selector_of(inner), out = selector_of(outer);
    return inner->net.addr.family == outer->net.addr.family && ike2_selector_contains(&out, &in);
}

bool traffic_within(const struct traffic_pair *inner, const struct traffic_pair *outer)
{
    return within(&inner->local, &outer->local) && within(&inner->remote, &outer->remote);
}

static bool equal(const struct traffic *a, const struct traffic *b)
{
    return ip_addr_equal(&a->net.addr, &b->net.addr) && a->net.bits == b->net.bits &&
           a->protocol == b->protocol && a->port_first == b->port_first &&
           a->port_last == b->port_last;
}

bool traffic_equal(const struct traffic_pair *a, const struct traffic_pair *b)
{
    return equal(&a->local, &b->local) && equal(&a->remote, &b->remote);
}

void selector_put(struct ike2_writer *w, uint8_t type, const struct traffic *traffic)
{
    const struct ike2_selectors ts = {.count = 1, .list = {selector_of(traffic)}};
    ike2_writer_open(w, type);
    ike2_selectors_build(&w->b, &ts);
    ike2_writer_close(w);
}

static bool to_traffic(const struct ike2_selector *ts, struct traffic *ret)
{
    struct traffic t = {
        .protocol = ts->protocol, .port_first = ts->port_first, .port_last = ts->port_last};
    if (!ike2_selector_to_prefix(ts, &t.net) || ts->port_first > ts->port_last)
        return false;
    *ret = t;
    return true;
}

/* A first selector for the packet that started it all, then what it is part of: the latter. */
enum err selector_take(struct view body, struct traffic *ret)
{
    struct ike2_selectors all;
    struct traffic t;
    const struct ike2_selector *best = NULL;
    enum err err = ike2_selectors_parse(body, &all);
    if (err == ERR_LIMIT)
        return ERR_POLICY;
    if (err != ERR_OK)
        return err;
    for (size_t i = 0; i < all.count; i++) {
        const struct ike2_selector *ts = &all.list[i];
        if (to_traffic(ts, &t) && (best == NULL || ike2_selector_contains(ts, best)))
            best = ts;
    }
    if (best == NULL || !to_traffic(best, ret))
        return ERR_POLICY;
    return ERR_OK;
}
