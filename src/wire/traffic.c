#include "wire/traffic.h"

#include <stdio.h>

enum { PORT_LAST = 65535 };

struct traffic traffic_of_prefix(const struct ip_prefix *net)
{
    return (struct traffic){.net = *net, .port_last = PORT_LAST};
}

static bool side_valid(const struct traffic *t)
{
    return t->net.addr.family != IP_NONE && t->port_first <= t->port_last;
}

bool traffic_pair_valid(const struct traffic_pair *pair)
{
    return side_valid(&pair->local) && side_valid(&pair->remote) &&
           pair->local.net.addr.family == pair->remote.net.addr.family &&
           pair->local.protocol == pair->remote.protocol;
}

static bool side_equal(const struct traffic *a, const struct traffic *b)
{
    return a->net.bits == b->net.bits && ip_addr_equal(&a->net.addr, &b->net.addr) &&
           a->protocol == b->protocol && a->port_first == b->port_first &&
           a->port_last == b->port_last;
}

bool traffic_pair_equal(const struct traffic_pair *a, const struct traffic_pair *b)
{
    return side_equal(&a->local, &b->local) && side_equal(&a->remote, &b->remote);
}

bool ip_prefix_overlaps(const struct ip_prefix *a, const struct ip_prefix *b)
{
    const struct ip_prefix *wide = a->bits <= b->bits ? a : b;
    const struct ip_prefix *narrow = wide == a ? b : a;
    return ip_prefix_contains(wide, &narrow->addr);
}

static bool side_narrow(const struct traffic *a, const struct traffic *b, struct traffic *ret)
{
    if (!ip_prefix_overlaps(&a->net, &b->net))
        return false;
    if (a->protocol != 0 && b->protocol != 0 && a->protocol != b->protocol)
        return false;
    *ret = (struct traffic){
        .net = a->net.bits >= b->net.bits ? a->net : b->net,
        .protocol = a->protocol != 0 ? a->protocol : b->protocol,
        .port_first = a->port_first >= b->port_first ? a->port_first : b->port_first,
        .port_last = a->port_last <= b->port_last ? a->port_last : b->port_last,
    };
    return ret->port_first <= ret->port_last;
}

bool traffic_pair_narrow(const struct traffic_pair *offered, const struct traffic_pair *allowed,
                         struct traffic_pair *ret)
{
    struct traffic_pair both;
    if (!traffic_pair_valid(offered) || !traffic_pair_valid(allowed) ||
        !side_narrow(&offered->local, &allowed->local, &both.local) ||
        !side_narrow(&offered->remote, &allowed->remote, &both.remote))
        return false;
    *ret = both;
    return true;
}

bool traffic_pair_contains(const struct traffic_pair *outer, const struct traffic_pair *inner)
{
    struct traffic_pair both;
    return traffic_pair_narrow(inner, outer, &both) && traffic_pair_equal(&both, inner);
}

bool traffic_pair_covers(const struct traffic_pair *pair, const struct ip_addr *local,
                         const struct ip_addr *remote)
{
    return ip_prefix_contains(&pair->local.net, local) &&
           ip_prefix_contains(&pair->remote.net, remote);
}

void sa_params_set_traffic(struct sa_params *sa, const struct traffic_pair *pair)
{
    const struct traffic *src = sa->inbound ? &pair->remote : &pair->local;
    const struct traffic *dst = sa->inbound ? &pair->local : &pair->remote;
    sa->inner_src = src->net;
    sa->inner_dst = dst->net;
    sa->protocol = src->protocol;
    sa->src_ports = (struct port_range){src->port_first, src->port_last};
    sa->dst_ports = (struct port_range){dst->port_first, dst->port_last};
    if (sa->protocol == 0)
        sa->src_ports = sa->dst_ports = (struct port_range){0, 0};
}

struct traffic_pair sa_params_traffic(const struct sa_params *sa)
{
    struct traffic src = traffic_of_prefix(&sa->inner_src);
    struct traffic dst = traffic_of_prefix(&sa->inner_dst);
    src.protocol = dst.protocol = sa->protocol;
    if (sa->protocol != 0) {
        src.port_first = sa->src_ports.first;
        src.port_last = sa->src_ports.last;
        dst.port_first = sa->dst_ports.first;
        dst.port_last = sa->dst_ports.last;
    }
    return sa->inbound ? (struct traffic_pair){.local = dst, .remote = src}
                       : (struct traffic_pair){.local = src, .remote = dst};
}

enum err traffic_key_of(struct view datagram, struct traffic_key *ret)
{
    struct ip_header header;
    enum err err = ip_header_parse(datagram, &header);
    if (err != ERR_OK)
        return err;
    struct traffic_key key = {
        .flow = {.src = header.src, .dst = header.dst},
        .protocol = header.proto,
        .has_ports = header.fragment_at == 0,
        .src_port = header.src_port,
        .dst_port = header.dst_port,
    };
    bool icmp = header.proto == IP_PROTO_ICMP || header.proto == IP_PROTO_ICMPV6;
    if (icmp && key.has_ports && datagram.len >= (size_t)header.header_len + 2)
        key.src_port = key.dst_port = (uint16_t)(datagram.ptr[header.header_len] << 8 |
                                                 datagram.ptr[header.header_len + 1]);
    *ret = key;
    return ERR_OK;
}

static bool in_range(struct port_range range, uint16_t port)
{
    return range.first <= port && port <= range.last;
}

bool sa_params_allow(const struct sa_params *sa, struct view datagram)
{
    struct traffic_key key;
    if (traffic_key_of(datagram, &key) != ERR_OK ||
        !ip_prefix_contains(&sa->inner_src, &key.flow.src) ||
        !ip_prefix_contains(&sa->inner_dst, &key.flow.dst))
        return false;
    if (sa->protocol == 0)
        return true;
    return key.protocol == sa->protocol &&
           (!key.has_ports || (in_range(sa->src_ports, key.src_port) &&
                               in_range(sa->dst_ports, key.dst_port)));
}

static const char *protocol_name(uint8_t protocol, char *room, size_t len)
{
    switch (protocol) {
    case IP_PROTO_ICMP:
        return "icmp";
    case IP_PROTO_TCP:
        return "tcp";
    case IP_PROTO_UDP:
        return "udp";
    case IP_PROTO_ICMPV6:
        return "icmpv6";
    default:
        snprintf(room, len, "protocol %u", protocol);
        return room;
    }
}

char *traffic_format(const struct traffic *t, char *ret)
{
    char net[IP_PREFIX_TEXT_MAX], room[16], ports[16] = "";
    ip_prefix_format(&t->net, net);
    if (t->protocol == 0) {
        snprintf(ret, TRAFFIC_TEXT_MAX, "%s", net);
        return ret;
    }
    if (t->port_first == t->port_last)
        snprintf(ports, sizeof(ports), " %u", t->port_first);
    else if (t->port_first != 0 || t->port_last != PORT_LAST)
        snprintf(ports, sizeof(ports), " %u-%u", t->port_first, t->port_last);
    snprintf(ret, TRAFFIC_TEXT_MAX, "%s %s%s", net, protocol_name(t->protocol, room, sizeof(room)),
             ports);
    return ret;
}
