/*
 * To whom a packet belongs: by address, then protocol, then port, SPI, Initiator Cookie or what an
 * ICMP message is about (RSIP-195). Nothing that may be encrypted is looked at (RSIP-196).
 */
#include "base/cursor.h"
#include "rsip/internal.h"
#include "wire/ip.h"

enum { PROTO_AH = 51, IKE_PORT = 500, PORTS_LEN = 4 };
enum { V6_HOP_BY_HOP = 0, V6_ROUTING = 43, V6_DESTINATION = 60, EXTENSIONS_MAX = 8 };

enum icmp_class { ICMP_OTHER, ICMP_REQUEST, ICMP_REPLY, ICMP_ERROR };

/* A datagram taken apart as far as demultiplexing goes. */
struct packet {
    struct ip_header ip;
    struct view payload; /* behind the IP header */
    uint32_t spi;        /* ESP, AH */
    uint32_t cookie[2];  /* UDP 500 */
    bool has_cookie;
    uint8_t icmp_type;
    enum icmp_class icmp;
    uint32_t icmp_id; /* identifier and sequence number */
};

/* The datagram that an ICMP error quotes: seldom a whole one. */
struct quoted {
    struct ip_addr src, dst;
    uint8_t proto;
    uint16_t src_port, dst_port;
    uint32_t spi, cookie[2], icmp_id;
    uint8_t icmp_type;
    bool has_cookie;
};

static bool is_transport(uint8_t proto)
{
    return proto == IP_PROTO_TCP || proto == IP_PROTO_UDP;
}

static bool is_ipsec(uint8_t proto)
{
    return proto == IP_PROTO_ESP || proto == PROTO_AH;
}

static bool is_icmp(uint8_t proto)
{
    return proto == IP_PROTO_ICMP || proto == IP_PROTO_ICMPV6;
}

static enum icmp_class icmp_class_of(uint8_t proto, uint8_t type)
{
    if (proto == IP_PROTO_ICMPV6)
        return type == 128              ? ICMP_REQUEST
               : type == 129            ? ICMP_REPLY
               : type >= 1 && type <= 4 ? ICMP_ERROR
                                        : ICMP_OTHER;
    switch (type) {
    case 8:
    case 13:
    case 17:
        return ICMP_REQUEST;
    case 0:
    case 14:
    case 18:
        return ICMP_REPLY;
    case 3:
    case 4:
    case 11:
    case 12:
        return ICMP_ERROR;
    default:
        return ICMP_OTHER;
    }
}

/* The request that a reply answers, so that both lead to one trace. */
static uint8_t request_type(uint8_t proto, uint8_t type)
{
    if (icmp_class_of(proto, type) == ICMP_REQUEST)
        return type;
    if (proto == IP_PROTO_ICMPV6)
        return 128;
    return type == 0 ? 8 : type == 14 ? 13 : 17;
}

/* RSIP-204: the cookie is the first eight octets behind the UDP header. */
static bool read_cookie(struct view udp, uint32_t *ret)
{
    struct cursor cur = cursor_of(udp);
    cursor_skip(&cur, IP_UDP_HEADER);
    uint32_t high = cursor_u32(&cur), low = cursor_u32(&cur);
    if (cur.bad || (high == 0 && low == 0))
        return false;
    ret[0] = high;
    ret[1] = low;
    return true;
}

static bool read_packet(struct view datagram, struct packet *ret)
{
    struct packet p = {0};

    if (ip_header_parse(datagram, &p.ip) != ERR_OK)
        return false;
    p.payload = view_of(datagram.ptr + p.ip.header_len, p.ip.total_len - p.ip.header_len);
    struct cursor cur = cursor_of(p.payload);
    if (is_ipsec(p.ip.proto)) {
        cursor_skip(&cur, p.ip.proto == PROTO_AH ? 4 : 0);
        p.spi = cursor_u32(&cur);
    } else if (is_icmp(p.ip.proto)) {
        p.icmp_type = cursor_u8(&cur);
        cursor_skip(&cur, 3);
        p.icmp_id = cursor_u32(&cur);
        p.icmp = icmp_class_of(p.ip.proto, p.icmp_type);
    } else if (p.ip.proto == IP_PROTO_UDP) {
        p.has_cookie = read_cookie(p.payload, p.cookie);
    }
    if (cur.bad)
        return false;
    *ret = p;
    return true;
}

/* RFC 8200 section 4. False: it is a later fragment, or none of this makes sense. */
static bool skip_extensions(struct cursor *cur, uint8_t *proto)
{
    for (int i = 0; i < EXTENSIONS_MAX; i++) {
        bool fragment = *proto == IP_PROTO_FRAGMENT;
        if (!fragment && *proto != V6_HOP_BY_HOP && *proto != V6_ROUTING &&
            *proto != V6_DESTINATION)
            return true;
        *proto = cursor_u8(cur);
        uint8_t len = cursor_u8(cur);
        if (fragment && cursor_u16(cur) >> 3 != 0)
            return false;
        cursor_skip(cur, fragment ? 4 : len * 8u + 6);
    }
    return false;
}

static bool read_quoted_header(struct cursor *cur, struct quoted *q)
{
    uint8_t first = cursor_u8(cur);

    if (first >> 4 == 4) {
        size_t options = (first & 15u) * 4u;
        cursor_skip(cur, 8);
        q->proto = cursor_u8(cur);
        cursor_skip(cur, 2);
        q->src = ip_addr_from(cursor_take(cur, 4));
        q->dst = ip_addr_from(cursor_take(cur, 4));
        if (options < IP_V4_HEADER)
            return false;
        cursor_skip(cur, options - IP_V4_HEADER);
    } else {
        cursor_skip(cur, 5);
        q->proto = cursor_u8(cur);
        cursor_skip(cur, 1);
        q->src = ip_addr_from(cursor_take(cur, 16));
        q->dst = ip_addr_from(cursor_take(cur, 16));
        if (!skip_extensions(cur, &q->proto))
            return false;
    }
    return !cur->bad && (first >> 4 == 4 || first >> 4 == 6);
}

/* RSIP-208: an error that doesn't quote enough says nothing. */
static bool read_quoted(struct view icmp, struct quoted *ret)
{
    struct cursor cur = cursor_of(icmp);
    struct quoted q = {0};

    cursor_skip(&cur, 8);
    if (!read_quoted_header(&cur, &q))
        return false;
    struct view payload = cursor_rest(&cur);
    struct cursor upper = cursor_of(payload);
    if (is_transport(q.proto)) {
        q.src_port = cursor_u16(&upper);
        q.dst_port = cursor_u16(&upper);
        q.has_cookie = q.proto == IP_PROTO_UDP && read_cookie(payload, q.cookie);
    } else if (is_ipsec(q.proto)) {
        cursor_skip(&upper, q.proto == PROTO_AH ? 4 : 0);
        q.spi = cursor_u32(&upper);
    } else if (is_icmp(q.proto)) {
        q.icmp_type = cursor_u8(&upper);
        cursor_skip(&upper, 3);
        q.icmp_id = cursor_u32(&upper);
    }
    if (upper.bad)
        return false;
    *ret = q;
    return true;
}

static struct trace_key cookie_key(const struct ip_addr *local, const uint32_t *cookie)
{
    return (struct trace_key){
        .local = *local, .kind = TRACE_COOKIE, .a = cookie[0], .b = cookie[1]};
}

static struct trace_key echo_key(const struct ip_addr *local, const struct ip_addr *remote,
                                 uint32_t id, uint8_t type)
{
    return (struct trace_key){
        .local = *local, .remote = *remote, .kind = TRACE_ECHO, .a = id, .b = type};
}

static struct trace_key spi_key(const struct ip_addr *local, const struct ip_addr *remote,
                                uint32_t spi, uint8_t proto)
{
    return (struct trace_key){
        .local = *local, .remote = *remote, .kind = TRACE_SPI_OUT, .a = spi, .b = proto};
}

/* The ports behind an AH header, if nothing is encrypted (RSIP-046). */
static bool ports_in_ah(const struct packet *p, uint16_t *ret_src, uint16_t *ret_dst)
{
    struct cursor cur = cursor_of(p->payload);
    uint8_t next = cursor_u8(&cur);
    size_t len = (cursor_u8(&cur) + 2u) * 4u;

    if (p->ip.proto != PROTO_AH || !is_transport(next))
        return false;
    cursor_skip(&cur, len - 2);
    *ret_src = cursor_u16(&cur);
    *ret_dst = cursor_u16(&cur);
    return !cur.bad;
}

static struct rsip_bind *bind_of_trace(struct rsip_server *s, struct trace_key key,
                                       const struct ip_addr *peer)
{
    struct rsip_trace *trace = rsip_trace_find(s, &key);
    if (trace == NULL || (peer != NULL && !ip_addr_equal(&trace->peer, peer)))
        return NULL;
    return trace->bind;
}

/* What the quoted datagram was sent by; it went from a leased address to somebody. */
static struct rsip_bind *bind_of_quoted(struct rsip_server *s, const struct pool_address *a,
                                        const struct quoted *q)
{
    const struct ip_addr *local = pool_addr(a);

    if (pool_whole_owner(a) != NULL)
        return pool_whole_owner(a);
    if (is_transport(q->proto)) {
        struct rsip_bind *owner = pool_port_owner(a, q->src_port);
        if (owner != NULL || !q->has_cookie || q->src_port != IKE_PORT)
            return owner;
        return bind_of_trace(s, cookie_key(local, q->cookie), &q->dst);
    }
    if (is_ipsec(q->proto))
        return bind_of_trace(s, spi_key(local, &q->dst, q->spi, q->proto), NULL);
    if (is_icmp(q->proto) && icmp_class_of(q->proto, q->icmp_type) == ICMP_REQUEST)
        return bind_of_trace(s, echo_key(local, &q->dst, q->icmp_id, q->icmp_type), NULL);
    return NULL;
}

static void drop(struct rsip_server *s, struct rsip_verdict *ret, enum rsip_counter why)
{
    rsip_count(s, why);
    *ret = (struct rsip_verdict){.fate = RSIP_FATE_DROP, .reason = rsip_counter_name(why)};
}

static void forward(struct rsip_server *s, struct rsip_verdict *ret, const struct rsip_bind *bind,
                    enum rsip_counter counter)
{
    rsip_count(s, counter);
    *ret = (struct rsip_verdict){.fate = RSIP_FATE_FORWARD,
                                 .host = bind->host->key.addr,
                                 .tunnel = bind->tunnel,
                                 .bind_id = bind->key.bind_id};
}

/* RSIP-080: both directions keep to the remote end that was granted. */
static bool remote_port_allowed(const struct rsip_bind *bind, uint16_t port)
{
    return bind->remote_port == 0 || bind->remote_port == port;
}

static struct rsip_bind *icmp_in(struct rsip_server *s, const struct pool_address *a,
                                 const struct packet *p, enum rsip_counter *ret_why)
{
    struct rsip_bind *bind = NULL;
    struct quoted q;

    *ret_why = RSIP_C_in_icmp_unmatched;
    if (p->icmp == ICMP_ERROR && read_quoted(p->payload, &q) &&
        ip_addr_equal(&q.src, pool_addr(a))) {
        bind = bind_of_quoted(s, a, &q);
        if (bind != NULL && !rsip_bind_remote_allowed(bind, &q.dst))
            bind = NULL;
    } else if (p->icmp == ICMP_REPLY) {
        bind = pool_whole_owner(a);
        if (bind == NULL)
            bind = bind_of_trace(s,
                                 echo_key(&p->ip.dst, &p->ip.src, p->icmp_id,
                                          request_type(p->ip.proto, p->icmp_type)),
                                 NULL);
        if (bind != NULL && !rsip_bind_remote_allowed(bind, &p->ip.src))
            bind = NULL;
    }
    return bind;
}

/* RSIP-010, RSIP-011, RSIP-012, RSIP-013, RSIP-017, RSIP-074, RSIP-077, RSIP-143, RSIP-182,
 * RSIP-016, RSIP-018, RSIP-020, RSIP-048, RSIP-188: with or without a remote end that was ever
 * contacted */
static struct rsip_bind *bind_in(struct rsip_server *s, const struct pool_address *a,
                                 const struct packet *p, enum rsip_counter *ret_why)
{
    struct rsip_bind *bind = pool_whole_owner(a);
    uint16_t inner_src, inner_dst;

    *ret_why = RSIP_C_in_no_lease;
    if (bind == NULL && is_transport(p->ip.proto)) {
        bind = pool_port_owner(a, p->ip.dst_port);
        if (bind == NULL && p->has_cookie && p->ip.dst_port == IKE_PORT) {
            *ret_why = RSIP_C_in_unknown_cookie;
            bind = bind_of_trace(s, cookie_key(&p->ip.dst, p->cookie), &p->ip.src);
            return bind;
        }
    } else if (bind == NULL && is_ipsec(p->ip.proto)) {
        *ret_why = RSIP_C_in_unknown_spi;
        bind = pool_spi_owner(s->pool, &p->ip.dst, p->spi);
    }
    if (bind == NULL)
        return NULL;
    bool allowed = rsip_bind_remote_allowed(bind, &p->ip.src);
    if (is_transport(p->ip.proto))
        allowed = allowed && remote_port_allowed(bind, p->ip.src_port);
    else if (ports_in_ah(p, &inner_src, &inner_dst))
        allowed = allowed && remote_port_allowed(bind, inner_src);
    if (allowed)
        return bind;
    *ret_why = RSIP_C_in_remote_policy;
    return NULL;
}

void rsip_server_inbound(struct rsip_server *s, mono_t now, struct view datagram,
                         struct rsip_verdict *ret)
{
    enum rsip_counter why;
    struct packet p;

    s->now = now;
    if (!read_packet(datagram, &p)) {
        drop(s, ret, RSIP_C_in_malformed);
        return;
    }
    const struct pool_address *a = pool_find(s->pool, &p.ip.dst);
    if (a == NULL) {
        *ret = (struct rsip_verdict){.fate = RSIP_FATE_GATEWAY};
        return;
    }
    if (ip_is_fragment(&p.ip)) {
        drop(s, ret, RSIP_C_in_fragment);
        return;
    }
    if (p.icmp == ICMP_REQUEST) { /* RSIP-209 */
        rsip_count(s, RSIP_C_in_icmp_request);
        *ret = (struct rsip_verdict){.fate = RSIP_FATE_GATEWAY};
        return;
    }
    struct rsip_bind *bind =
        is_icmp(p.ip.proto) ? icmp_in(s, a, &p, &why) : bind_in(s, a, &p, &why);
    if (bind != NULL)
        forward(s, ret, bind, RSIP_C_in_forwarded);
    else if (pool_range(a)->own && why != RSIP_C_in_remote_policy)
        *ret = (struct rsip_verdict){.fate = RSIP_FATE_GATEWAY};
    else
        drop(s, ret, why);
}

/* What is wrong with an outbound packet: how it is counted, and what the host is told. */
struct misuse {
    enum rsip_counter why;
    enum rsip_error error;
};

static const struct misuse bad_address = {RSIP_C_out_local_address, RSIP_E_LOCAL_ADDR_UNALLOWED};
static const struct misuse bad_port = {RSIP_C_out_local_port, RSIP_E_LOCAL_ADDRPORT_UNALLOWED};
static const struct misuse bad_remote = {RSIP_C_out_remote_address, RSIP_E_REMOTE_ADDR_UNALLOWED};
static const struct misuse bad_remote_port = {RSIP_C_out_remote_port,
                                              RSIP_E_REMOTE_ADDRPORT_UNALLOWED};
static const struct misuse bad_tunnel = {RSIP_C_out_tunnel, RSIP_E_BAD_TUNNEL_TYPE};
static const struct misuse bad_protocol = {RSIP_C_out_protocol, RSIP_E_LOCAL_ADDRPORT_UNALLOWED};
static const struct misuse taken_cookie = {RSIP_C_out_cookie_in_use, RSIP_OK};
static const struct misuse taken_trace = {RSIP_C_out_trace_in_use, RSIP_OK};

/* Of this host, on this address, for that remote end; `ipsec`: with SPIs. */
static struct rsip_bind *some_bind(const struct rsip_host *host, const struct pool_address *a,
                                   const struct ip_addr *remote, bool ipsec)
{
    for (struct rsip_bind *b = host->binds; b != NULL; b = b->next)
        if (b->address == a && (!ipsec || b->method == RSIP_METHOD_IPSEC) &&
            (remote == NULL || rsip_bind_remote_allowed(b, remote)))
            return b;
    return NULL;
}

/* RSIP-021, RSIP-022, RSIP-023, RSIP-204: trial and error. */
static const struct misuse *cookie_out(struct rsip_server *s, struct rsip_host *host,
                                       const struct pool_address *a, const struct packet *p,
                                       struct rsip_bind **ret)
{
    struct trace_key key = cookie_key(&p->ip.src, p->cookie);
    struct rsip_bind *bind = some_bind(host, a, &p->ip.dst, true);
    bool other;

    if (bind == NULL)
        return some_bind(host, a, NULL, true) != NULL ? &bad_remote : &bad_port;
    struct rsip_trace *trace = rsip_trace_make(s, bind, &key, &p->ip.dst, &other);
    if (trace == NULL)
        return &taken_cookie;
    *ret = trace->bind;
    return NULL;
}

static const struct misuse *transport_out(struct rsip_server *s, struct rsip_host *host,
                                          const struct pool_address *a, const struct packet *p,
                                          struct rsip_bind **ret)
{
    struct rsip_bind *owner = pool_port_owner(a, p->ip.src_port);

    if (owner == NULL && p->has_cookie && p->ip.src_port == IKE_PORT)
        return cookie_out(s, host, a, p, ret);
    if (owner == NULL || owner->host != host)
        return &bad_port;
    *ret = owner;
    if (!rsip_bind_remote_allowed(owner, &p->ip.dst))
        return &bad_remote;
    return remote_port_allowed(owner, p->ip.dst_port) ? NULL : &bad_remote_port;
}

/* RSIP-045, RSIP-046, RSIP-047: of ESP only the addresses can be checked. */
static const struct misuse *ipsec_out(struct rsip_server *s, struct rsip_host *host,
                                      const struct pool_address *a, const struct packet *p,
                                      struct rsip_bind **ret)
{
    struct trace_key key = spi_key(&p->ip.src, &p->ip.dst, p->spi, p->ip.proto);
    struct rsip_bind *bind = some_bind(host, a, &p->ip.dst, true);
    uint16_t src, dst;
    bool other;

    if (bind == NULL)
        return some_bind(host, a, NULL, true) != NULL ? &bad_remote : &bad_protocol;
    if (ports_in_ah(p, &src, &dst)) {
        struct rsip_bind *owner = pool_port_owner(a, src);
        if (owner == NULL || owner->host != host)
            return &bad_port;
        if (!remote_port_allowed(owner, dst))
            return &bad_remote_port;
    }
    /* Two hosts may send under one SPI; the first gets the ICMP errors, and nothing else hangs on
     * it. */
    (void)rsip_trace_make(s, bind, &key, &p->ip.dst, &other);
    *ret = bind;
    return NULL;
}

static const struct misuse *icmp_out(struct rsip_server *s, struct rsip_host *host,
                                     const struct pool_address *a, const struct packet *p,
                                     struct rsip_bind **ret)
{
    struct quoted q;
    bool other;

    if (p->icmp == ICMP_REQUEST) {
        struct trace_key key = echo_key(&p->ip.src, &p->ip.dst, p->icmp_id, p->icmp_type);
        struct rsip_bind *bind = some_bind(host, a, &p->ip.dst, false);
        if (bind == NULL)
            return &bad_remote;
        if (rsip_trace_make(s, bind, &key, &p->ip.dst, &other) == NULL)
            return &taken_trace;
        *ret = bind;
        return NULL;
    }
    /* an error about something that came in for this host */
    if (p->icmp != ICMP_ERROR || !read_quoted(p->payload, &q) || !ip_addr_equal(&q.dst, &p->ip.src))
        return &bad_protocol;
    struct rsip_bind *bind = is_transport(q.proto) ? pool_port_owner(a, q.dst_port)
                             : is_ipsec(q.proto)   ? pool_spi_owner(s->pool, &q.dst, q.spi)
                                                   : NULL;
    if (bind == NULL || bind->host != host)
        return &bad_port;
    *ret = bind;
    return rsip_bind_remote_allowed(bind, &q.src) ? NULL : &bad_remote;
}

/* An address of one's own takes every protocol. */
static const struct misuse *whole_out(struct rsip_bind *bind, const struct packet *p)
{
    if (!rsip_bind_remote_allowed(bind, &p->ip.dst))
        return &bad_remote;
    return is_transport(p->ip.proto) && !remote_port_allowed(bind, p->ip.dst_port)
               ? &bad_remote_port
               : NULL;
}

static const struct misuse *bind_out(struct rsip_server *s, struct rsip_host *host,
                                     const struct packet *p, struct rsip_bind **ret)
{
    const struct pool_address *a = pool_find(s->pool, &p->ip.src);
    const struct misuse *misuse;

    if (a == NULL || rsip_bind_on(host, a) == NULL)
        return &bad_address;
    if (pool_whole_owner(a) != NULL) {
        *ret = pool_whole_owner(a);
        misuse = whole_out(*ret, p);
    } else if (is_transport(p->ip.proto)) {
        misuse = transport_out(s, host, a, p, ret);
    } else if (is_ipsec(p->ip.proto)) {
        misuse = ipsec_out(s, host, a, p, ret);
    } else if (is_icmp(p->ip.proto)) {
        misuse = icmp_out(s, host, a, p, ret);
    } else {
        misuse = &bad_protocol;
    }
    if (misuse != NULL)
        return misuse;
    if (rsip_rules_allow(host->policy, &p->ip.dst, p->ip.dst_port))
        return NULL;
    return p->ip.dst_port != 0 && host->policy->flow_remote == RSIP_FLOW_MICRO ? &bad_remote_port
                                                                               : &bad_remote;
}

static bool is_multicast(const struct ip_addr *addr)
{
    return addr->family == IP_V4 ? addr->octets[0] >= 224 : addr->octets[0] == 0xff;
}

void rsip_server_outbound(struct rsip_server *s, mono_t now, const struct ip_addr *host_addr,
                          enum rsip_tunnel tunnel, struct view datagram, struct rsip_verdict *ret)
{
    struct rsip_host *host = rsip_host_find(s, host_addr);
    struct rsip_bind *bind = NULL;
    struct packet p;

    s->now = now;
    if (host == NULL || host->id == 0) { /* RSIP-065 */
        drop(s, ret, RSIP_C_out_not_registered);
        return;
    }
    if (!read_packet(datagram, &p)) {
        drop(s, ret, RSIP_C_out_malformed);
        return;
    }
    if (ip_is_fragment(&p.ip)) {
        drop(s, ret, RSIP_C_out_fragment);
        return;
    }
    if (is_multicast(&p.ip.dst)) { /* RSIP-206 */
        drop(s, ret, RSIP_C_out_multicast);
        return;
    }
    const struct misuse *misuse = bind_out(s, host, &p, &bind);
    if (misuse == NULL && bind->tunnel != tunnel)
        misuse = &bad_tunnel;
    if (misuse == NULL) {
        forward(s, ret, bind, RSIP_C_out_forwarded);
        return;
    }
    drop(s, ret, misuse->why);
    if (misuse->error != RSIP_OK)
        rsip_tell_error(s, host, misuse->error);
}
