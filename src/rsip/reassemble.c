#include "rsip/reassemble.h"

#include <stdlib.h>

#include "base/builder.h"
#include "base/cursor.h"
#include "base/limits.h"
#include "base/map.h"
#include "wire/ip.h"

enum { UNIT = 8, UNITS = 65536 / UNIT, FRAGMENT_HEADER = 8 };
enum { V6_HOP_BY_HOP = 0, V6_DESTINATION = 60, V6_HEADERS_MAX = 8 };

struct key {
    struct ip_addr src, dst, via;
    uint8_t proto;
    uint32_t id;
};

struct partial {
    struct map_node node;
    struct key key;
    struct partial *older, *newer;
    mono_t expires;
    uint8_t *octets; /* the payload so far, `room` of them */
    size_t room, have;
    uint32_t total;          /* of the payload; 0: the last fragment isn't there yet */
    uint8_t seen[UNITS / 8]; /* one bit a unit */
    uint8_t tos;
    uint8_t ttl;
    uint8_t proto;    /* of IPv6: what the first fragment says */
    uint32_t longest; /* payload of a fragment */
};

struct reassembler {
    struct map partials;
    struct partial *oldest, *newest;
    size_t octets;
    uint64_t lost;
    uint32_t piece, id; /* of the datagram completed last, if it is IPv6; piece 0: none */
    uint8_t whole[IP_V6_HEADER + 65536];
};

enum err reassembler_new(const struct rng *rng, struct reassembler **ret)
{
    struct reassembler *r = calloc(1, sizeof(*r));
    if (r == NULL)
        return ERR_MEMORY;
    map_init(&r->partials, MAP_KEY_OFFSET(struct partial, node, key), sizeof(struct key), rng);
    *ret = r;
    return ERR_OK;
}

static void drop(struct reassembler *r, struct partial *p)
{
    *(p->older != NULL ? &p->older->newer : &r->oldest) = p->newer;
    *(p->newer != NULL ? &p->newer->older : &r->newest) = p->older;
    map_remove(&r->partials, &p->node);
    r->octets -= p->room;
    free(p->octets);
    free(p);
}

void reassembler_free(struct reassembler *r)
{
    if (r == NULL)
        return;
    while (r->oldest != NULL)
        drop(r, r->oldest);
    map_fini(&r->partials);
    free(r);
}

uint64_t reassembler_lost(const struct reassembler *r)
{
    return r->lost;
}

static void lose(struct reassembler *r, struct partial *p)
{
    r->lost++;
    drop(r, p);
}

void reassembler_timer(struct reassembler *r, mono_t now)
{
    while (r->oldest != NULL && mono_reached(now, r->oldest->expires))
        lose(r, r->oldest);
}

mono_t reassembler_next_deadline(const struct reassembler *r)
{
    return r->oldest != NULL ? r->oldest->expires : MONO_NEVER;
}

static struct partial *find(struct reassembler *r, mono_t now, const struct ip_addr *via,
                            const struct ip_header *h)
{
    struct key key = {.src = h->src, .dst = h->dst, .via = *via, .id = h->id};
    if (h->src.family == IP_V4) /* RFC 8200: of IPv6 it is not part of the identity */
        key.proto = h->proto;
    struct map_node *node = map_find(&r->partials, &key);

    if (node != NULL)
        return MAP_OWNER(node, struct partial, node);
    while (r->oldest != NULL && r->partials.count >= LIMIT_RSIP_FRAGMENTS)
        lose(r, r->oldest);
    struct partial *p = calloc(1, sizeof(*p));
    if (p == NULL)
        return NULL;
    p->key = key;
    p->expires = mono_add(now, REASSEMBLE_MS);
    if (!map_insert(&r->partials, &p->node)) {
        free(p);
        return NULL;
    }
    p->older = r->newest;
    *(r->newest != NULL ? &r->newest->newer : &r->oldest) = p;
    r->newest = p;
    return p;
}

/* Room for the payload up to `end`; others make place for it. False: there is none. */
static bool make_room(struct reassembler *r, struct partial *p, size_t end)
{
    if (end <= p->room)
        return true;
    while (r->octets + (end - p->room) > LIMIT_RSIP_FRAGMENT_OCTETS && r->oldest != p)
        lose(r, r->oldest);
    if (r->octets + (end - p->room) > LIMIT_RSIP_FRAGMENT_OCTETS)
        return false;
    uint8_t *octets = realloc(p->octets, end);
    if (octets == NULL)
        return false;
    r->octets += end - p->room;
    p->octets = octets;
    p->room = end;
    return true;
}

/* False: one of its units was there already. */
static bool mark(struct partial *p, size_t from, size_t end)
{
    for (size_t unit = from / UNIT; unit < (end + UNIT - 1) / UNIT; unit++) {
        if ((p->seen[unit / 8] & 1 << unit % 8) != 0)
            return false;
        p->seen[unit / 8] = (uint8_t)(p->seen[unit / 8] | 1 << unit % 8);
    }
    return true;
}

/* False: it contradicts what is there, or there is no room. */
static bool add(struct reassembler *r, struct partial *p, const struct ip_header *h,
                struct view payload)
{
    size_t end = h->fragment_at + payload.len;

    if (end > 65535 - IP_V6_HEADER || payload.len == 0 ||
        (h->more_fragments && payload.len % UNIT != 0))
        return false;
    if (p->total != 0 && (end > p->total || !h->more_fragments))
        return false;
    if (!h->more_fragments && end < p->room)
        return false;
    if (!make_room(r, p, end) || !mark(p, h->fragment_at, end))
        return false;
    memcpy(p->octets + h->fragment_at, payload.ptr, payload.len);
    p->have += payload.len;
    if (payload.len > p->longest)
        p->longest = (uint32_t)payload.len;
    if (!h->more_fragments)
        p->total = (uint32_t)end;
    if (h->fragment_at == 0) {
        p->tos = h->tos;
        p->ttl = h->ttl;
        p->proto = h->proto;
    }
    return true;
}

static struct view finish(struct reassembler *r, struct partial *p)
{
    size_t header_len = ip_header_len(p->key.src.family);
    const struct ip_header header = {.src = p->key.src,
                                     .dst = p->key.dst,
                                     .total_len = (uint32_t)header_len + p->total,
                                     .id = p->key.id,
                                     .proto = p->proto,
                                     .tos = p->tos,
                                     .ttl = p->ttl};
    ip_header_write(&header, r->whole);
    memcpy(r->whole + header_len, p->octets, p->total);
    r->piece = p->key.src.family == IP_V6 ? p->longest / UNIT * UNIT : 0;
    r->id = p->key.id;
    drop(r, p);
    return view_of(r->whole, header.total_len);
}

/* What a fragment of IPv6 holds, and of which protocol. It begins with headers that belong to every
 * fragment; the datagram does without them, and with a routing header it would be another one. */
static bool fragment_of_v6(struct view datagram, struct ip_header *h, struct view *ret_payload)
{
    struct cursor cur = cursor_of(view_of(datagram.ptr, h->total_len));
    uint8_t next;

    cursor_skip(&cur, 6);
    next = cursor_u8(&cur);
    cursor_skip(&cur, IP_V6_HEADER - 7);
    for (int i = 0; i < V6_HEADERS_MAX && (next == V6_HOP_BY_HOP || next == V6_DESTINATION); i++) {
        next = cursor_u8(&cur);
        cursor_skip(&cur, cursor_u8(&cur) * 8u + 6);
    }
    if (next != IP_PROTO_FRAGMENT)
        return false;
    h->proto = cursor_u8(&cur);
    cursor_skip(&cur, FRAGMENT_HEADER - 1);
    *ret_payload = cursor_rest(&cur);
    return !cur.bad;
}

bool reassembler_fragments(const struct reassembler *r, struct view datagram, struct fragments *ret)
{
    if (datagram.ptr != r->whole || r->piece == 0)
        return false;
    *ret = (struct fragments){
        .datagram = datagram, .piece = r->piece, .id = r->id, .at = IP_V6_HEADER};
    return true;
}

size_t fragments_next(struct fragments *f, struct span room)
{
    enum { NEXT_HEADER_AT = 6, PAYLOAD_LEN_AT = 4 };
    size_t left = f->datagram.len - f->at, take = left < f->piece ? left : f->piece;
    struct builder b = builder_on(room);

    if (left == 0)
        return 0;
    builder_bytes(&b, f->datagram.ptr, IP_V6_HEADER);
    builder_u8(&b, f->datagram.ptr[NEXT_HEADER_AT]);
    builder_u8(&b, 0);
    builder_u16(&b, (uint16_t)((f->at - IP_V6_HEADER) | (take < left)));
    builder_u32(&b, f->id);
    builder_bytes(&b, f->datagram.ptr + f->at, take);
    if (b.bad)
        return 0;
    builder_patch_u16(&b, PAYLOAD_LEN_AT, (uint16_t)(FRAGMENT_HEADER + take));
    builder_patch_u8(&b, NEXT_HEADER_AT, IP_PROTO_FRAGMENT);
    f->at += take;
    return b.len;
}

bool reassembler_input(struct reassembler *r, mono_t now, const struct ip_addr *via,
                       struct view datagram, struct view *ret)
{
    struct ip_header h;

    reassembler_timer(r, now);
    r->piece = 0;
    if (ip_header_parse(datagram, &h) != ERR_OK)
        return false;
    if (!ip_is_fragment(&h)) {
        *ret = view_of(datagram.ptr, h.total_len);
        return true;
    }
    struct view payload = view_of(datagram.ptr + h.header_len, h.total_len - h.header_len);
    if (h.src.family == IP_V6 && !fragment_of_v6(datagram, &h, &payload))
        return false;
    struct partial *p = find(r, now, via, &h);
    if (p == NULL)
        return false;
    if (!add(r, p, &h, payload)) {
        lose(r, p);
        return false;
    }
    if (p->total == 0 || p->have != p->total)
        return false;
    *ret = finish(r, p);
    return true;
}
