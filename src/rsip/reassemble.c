#include "rsip/reassemble.h"

#include <stdlib.h>

#include "base/limits.h"
#include "base/map.h"
#include "wire/ip.h"

enum { UNIT = 8, UNITS = 65536 / UNIT };

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
};

struct reassembler {
    struct map partials;
    struct partial *oldest, *newest;
    size_t octets;
    uint64_t lost;
    uint8_t whole[IP_V4_HEADER + 65536];
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
    struct key key = {.src = h->src, .dst = h->dst, .via = *via, .proto = h->proto, .id = h->id};
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

    if (end > 65535 - IP_V4_HEADER || payload.len == 0 ||
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
    if (!h->more_fragments)
        p->total = (uint32_t)end;
    if (h->fragment_at == 0) {
        p->tos = h->tos;
        p->ttl = h->ttl;
    }
    return true;
}

static struct view finish(struct reassembler *r, struct partial *p)
{
    const struct ip_header header = {.src = p->key.src,
                                     .dst = p->key.dst,
                                     .total_len = IP_V4_HEADER + p->total,
                                     .id = p->key.id,
                                     .proto = p->key.proto,
                                     .tos = p->tos,
                                     .ttl = p->ttl};
    ip_header_write(&header, r->whole);
    memcpy(r->whole + IP_V4_HEADER, p->octets, p->total);
    drop(r, p);
    return view_of(r->whole, header.total_len);
}

bool reassembler_input(struct reassembler *r, mono_t now, const struct ip_addr *via,
                       struct view datagram, struct view *ret)
{
    struct ip_header h;

    reassembler_timer(r, now);
    if (ip_header_parse(datagram, &h) != ERR_OK)
        return false;
    if (!ip_is_fragment(&h)) {
        *ret = view_of(datagram.ptr, h.total_len);
        return true;
    }
    if (h.src.family != IP_V4)
        return false;
    struct partial *p = find(r, now, via, &h);
    if (p == NULL)
        return false;
    struct view payload = view_of(datagram.ptr + h.header_len, h.total_len - h.header_len);
    if (!add(r, p, &h, payload)) {
        lose(r, p);
        return false;
    }
    if (p->total == 0 || p->have != p->total)
        return false;
    *ret = finish(r, p);
    return true;
}
