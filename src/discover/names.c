#include "discover/names.h"

#include <stdlib.h>

/* A map's key is a multiple of 4 octets; struct ip_addr isn't. */
struct named_key {
    struct ip_addr addr;
    uint8_t zero[3];
};

struct named_address {
    struct map_node by_addr;
    struct heap_node deadline; /* of the name that holds longest */
    struct named_key key;
    size_t count;
    struct {
        struct identity id;
        mono_t expires;
    } names[LIMIT_ADDRESS_NAMES];
};

void names_init(struct names *names, const struct rng *rng, uint32_t limit)
{
    *names = (struct names){.limit = limit};
    map_init(&names->by_addr, MAP_KEY_OFFSET(struct named_address, by_addr, key),
             sizeof(struct named_key), rng);
}

static void forget(struct names *names, struct named_address *named)
{
    heap_remove(&names->deadlines, &named->deadline);
    map_remove(&names->by_addr, &named->by_addr);
    free(named);
}

void names_fini(struct names *names)
{
    struct map_node *node;
    while ((node = map_first(&names->by_addr)) != NULL)
        forget(names, MAP_OWNER(node, struct named_address, by_addr));
    map_fini(&names->by_addr);
    heap_fini(&names->deadlines);
}

static struct named_address *find(const struct names *names, const struct ip_addr *addr)
{
    struct named_key key = {.addr = *addr};
    struct map_node *node = map_find(&names->by_addr, &key);
    return node != NULL ? MAP_OWNER(node, struct named_address, by_addr) : NULL;
}

static struct named_address *add_address(struct names *names, const struct ip_addr *addr,
                                         mono_t expires)
{
    if (names->by_addr.count >= names->limit)
        forget(names, HEAP_OWNER(heap_first(&names->deadlines), struct named_address, deadline));
    struct named_address *named = calloc(1, sizeof(*named));
    if (named == NULL)
        return NULL;
    named->key.addr = *addr;
    if (!heap_set(&names->deadlines, &named->deadline, expires)) {
        free(named);
        return NULL;
    }
    if (!map_insert(&names->by_addr, &named->by_addr)) {
        heap_remove(&names->deadlines, &named->deadline);
        free(named);
        return NULL;
    }
    return named;
}

/* The place of this name, or a free one; LIMIT_ADDRESS_NAMES: all are taken. */
static size_t place_of(struct named_address *named, mono_t now, const struct identity *id)
{
    size_t unused = LIMIT_ADDRESS_NAMES;
    for (size_t i = 0; i < named->count; i++) {
        if (identity_equal(&named->names[i].id, id))
            return i;
        if (unused == LIMIT_ADDRESS_NAMES && mono_reached(now, named->names[i].expires))
            unused = i;
    }
    if (unused == LIMIT_ADDRESS_NAMES && named->count < LIMIT_ADDRESS_NAMES)
        unused = named->count++;
    return unused;
}

enum err names_tell(struct names *names, mono_t now, const struct identity *id,
                    const struct ip_addr *addr, uint32_t ttl_s)
{
    if (id->kind != IDENTITY_FQDN || addr->family == IP_NONE)
        return ERR_VALUE;
    if (ttl_s < NAMES_TTL_MIN_S)
        ttl_s = NAMES_TTL_MIN_S;
    if (ttl_s > LIMIT_DNS_TTL_S)
        ttl_s = LIMIT_DNS_TTL_S;
    mono_t expires = mono_add(now, 1000 * (int64_t)ttl_s);
    struct named_address *named = find(names, addr);
    if (named == NULL)
        named = add_address(names, addr, expires);
    if (named == NULL)
        return ERR_MEMORY;
    size_t i = place_of(named, now, id);
    if (i == LIMIT_ADDRESS_NAMES)
        return ERR_LIMIT;
    named->names[i].id = *id;
    named->names[i].expires = expires;
    if (mono_since(expires, named->deadline.at) > 0 &&
        !heap_set(&names->deadlines, &named->deadline, expires))
        return ERR_MEMORY;
    return ERR_OK;
}

size_t names_of(const struct names *names, mono_t now, const struct ip_addr *addr,
                const struct identity *ret[LIMIT_ADDRESS_NAMES])
{
    const struct named_address *named = find(names, addr);
    size_t count = 0;
    for (size_t i = 0; named != NULL && i < named->count; i++)
        if (!mono_reached(now, named->names[i].expires))
            ret[count++] = &named->names[i].id;
    return count;
}

void names_timer(struct names *names, mono_t now)
{
    struct heap_node *node;
    while ((node = heap_first(&names->deadlines)) != NULL && mono_reached(now, node->at))
        forget(names, HEAP_OWNER(node, struct named_address, deadline));
}
