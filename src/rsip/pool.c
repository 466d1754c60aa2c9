#include "rsip/pool.h"

#include <stdlib.h>

#include "base/fifo.h"
#include "base/limits.h"
#include "base/map.h"

enum {
    CHUNK = 256, /* ports of one chunk, and chunks of one address */
    PORT_LOW = 1024,
    PORT_HIGH = 65535,
    SPI_TRIES = 64,
    SPI_MIN = 0x1000, /* what lies below is easily typed in by hand */
};

/* The owner of what was given back and isn't free yet. */
static char held_mark;
#define HELD ((struct rsip_bind *)(void *)&held_mark)

struct port_chunk {
    unsigned used;
    struct rsip_bind *owners[CHUNK];
};

struct address_key {
    struct ip_addr addr;
    uint8_t zero[3]; /* keys are whole words */
};

struct pool_address {
    struct map_node node;
    struct address_key key;
    struct rsip_range range;
    struct rsip_bind *whole;
    struct port_chunk **chunks; /* CHUNK of them, or NULL */
    unsigned ports_used;        /* the held ones too */
    unsigned users;
};

struct spi_key {
    struct ip_addr addr;
    uint8_t zero[3];
    uint32_t spi;
};

struct pool_spi {
    struct map_node node;
    struct spi_key key;
    struct rsip_bind *owner;
};

/* Those of one bind, in one block. */
struct pool_spis {
    uint8_t form;
    size_t count;
    struct pool_spi list[];
};

/* One thing that waits; exactly one of the three kinds. */
struct held {
    mono_t until;
    struct pool_address *address;
    struct pool_spis *spis;
    uint16_t first, count; /* ports; 0: the whole address, if no SPIs */
};

struct pool {
    struct pool_address *addresses;
    size_t count;
    struct map by_addr, by_spi;
    struct fifo held; /* of struct held; the hold is the same for all, so in order of time */
    uint32_t hold_ms;
    struct rng rng;
};

static uint16_t port_low(const struct pool_address *a)
{
    return a->range.port_high == 0 ? PORT_LOW : a->range.port_low;
}

static uint16_t port_high(const struct pool_address *a)
{
    return a->range.port_high == 0 ? PORT_HIGH : a->range.port_high;
}

static size_t prefix_size(const struct ip_prefix *prefix)
{
    unsigned host_bits = ip_addr_bits(&prefix->addr) - prefix->bits;
    return host_bits >= 16 ? SIZE_MAX : (size_t)1 << host_bits;
}

static struct ip_addr nth_address(const struct ip_prefix *prefix, size_t n)
{
    struct ip_addr addr = prefix->addr;
    size_t last = ip_addr_len(&addr) - 1;
    addr.octets[last] = (uint8_t)(addr.octets[last] | (n & 0xff));
    addr.octets[last - 1] = (uint8_t)(addr.octets[last - 1] | n >> 8);
    return addr;
}

static enum err fill(struct pool *pool, const struct rsip_range *range)
{
    size_t size = prefix_size(&range->prefix);

    for (size_t i = 0; i < size; i++) {
        struct pool_address *a = &pool->addresses[pool->count];
        a->key.addr = nth_address(&range->prefix, i);
        a->range = *range;
        if (map_find(&pool->by_addr, &a->key) != NULL)
            return ERR_VALUE;
        if (!map_insert(&pool->by_addr, &a->node))
            return ERR_MEMORY;
        pool->count++;
    }
    return ERR_OK;
}

enum err pool_new(const struct rsip_range *ranges, size_t count, uint32_t hold_ms,
                  const struct rng *rng, struct pool **ret)
{
    size_t total = 0;
    enum err err = ERR_OK;

    for (size_t i = 0; i < count; i++) {
        size_t size = prefix_size(&ranges[i].prefix);
        if (size > LIMIT_RSIP_ADDRESSES || total + size > LIMIT_RSIP_ADDRESSES)
            return ERR_LIMIT;
        total += size;
    }
    struct pool *pool = calloc(1, sizeof(*pool));
    if (pool == NULL)
        return ERR_MEMORY;
    pool->hold_ms = hold_ms;
    pool->rng = *rng;
    fifo_init(&pool->held, sizeof(struct held));
    map_init(&pool->by_addr, MAP_KEY_OFFSET(struct pool_address, node, key),
             sizeof(struct address_key), rng);
    map_init(&pool->by_spi, MAP_KEY_OFFSET(struct pool_spi, node, key), sizeof(struct spi_key),
             rng);
    pool->addresses = calloc(total == 0 ? 1 : total, sizeof(*pool->addresses));
    if (pool->addresses == NULL)
        err = ERR_MEMORY;
    for (size_t i = 0; err == ERR_OK && i < count; i++)
        err = fill(pool, &ranges[i]);
    if (err != ERR_OK) {
        pool_free(pool);
        return err;
    }
    *ret = pool;
    return ERR_OK;
}

void pool_free(struct pool *pool)
{
    struct held held;

    if (pool == NULL)
        return;
    while (fifo_pop(&pool->held, &held))
        free(held.spis);
    for (size_t i = 0; i < pool->count; i++) {
        struct port_chunk **chunks = pool->addresses[i].chunks;
        for (size_t c = 0; chunks != NULL && c < CHUNK; c++)
            free(chunks[c]);
        free(chunks);
    }
    free(pool->addresses);
    map_fini(&pool->by_addr);
    map_fini(&pool->by_spi);
    fifo_fini(&pool->held);
    free(pool);
}

struct pool_address *pool_find(const struct pool *pool, const struct ip_addr *addr)
{
    struct address_key key = {.addr = *addr};
    struct map_node *node = map_find(&pool->by_addr, &key);
    return node == NULL ? NULL : MAP_OWNER(node, struct pool_address, node);
}

struct pool_address *pool_at(const struct pool *pool, size_t i)
{
    return i < pool->count ? &pool->addresses[i] : NULL;
}

const struct ip_addr *pool_addr(const struct pool_address *a)
{
    return &a->key.addr;
}

const struct rsip_range *pool_range(const struct pool_address *a)
{
    return &a->range;
}

bool pool_in_use(const struct pool_address *a)
{
    return a->users > 0;
}

void pool_user_add(struct pool_address *a)
{
    a->users++;
}

void pool_user_remove(struct pool_address *a)
{
    a->users--;
}

bool pool_whole_free(const struct pool_address *a)
{
    return a->whole == NULL && a->ports_used == 0 && a->users == 0;
}

void pool_whole_take(struct pool_address *a, struct rsip_bind *owner)
{
    a->whole = owner;
}

struct rsip_bind *pool_whole_owner(const struct pool_address *a)
{
    return a->whole == HELD ? NULL : a->whole;
}

static struct rsip_bind **port_slot(const struct pool_address *a, unsigned port)
{
    if (a->chunks == NULL || a->chunks[port / CHUNK] == NULL)
        return NULL;
    return &a->chunks[port / CHUNK]->owners[port % CHUNK];
}

static bool port_is_free(const struct pool_address *a, unsigned port)
{
    struct rsip_bind **slot = port_slot(a, port);
    return slot == NULL || *slot == NULL;
}

enum pool_state pool_port_state(const struct pool_address *a, uint16_t port)
{
    if (port < port_low(a) || port > port_high(a))
        return POOL_UNALLOWED;
    return a->whole == NULL && port_is_free(a, port) ? POOL_FREE : POOL_USED;
}

struct rsip_bind *pool_port_owner(const struct pool_address *a, uint16_t port)
{
    struct rsip_bind **slot = port_slot(a, port);
    return slot == NULL || *slot == HELD ? NULL : *slot;
}

/* The first row of `count` free ports at or after `from`; 0: none up to the end. */
static unsigned free_row(const struct pool_address *a, unsigned from, unsigned count)
{
    unsigned row = 0, high = port_high(a);

    for (unsigned port = from; port <= high; port++) {
        const struct port_chunk *chunk = a->chunks == NULL ? NULL : a->chunks[port / CHUNK];
        if (port % CHUNK == 0 && chunk != NULL && chunk->used == CHUNK) {
            row = 0;
            port += CHUNK - 1;
            continue;
        }
        row = port_is_free(a, port) ? row + 1 : 0;
        if (row == count)
            return port - count + 1;
    }
    return 0;
}

static bool scattered(const struct pool_address *a, unsigned from, unsigned count,
                      struct rsip_ports *ret)
{
    unsigned low = port_low(a), high = port_high(a), found = 0;

    for (unsigned i = 0; i <= high - low && found < count; i++) {
        unsigned port = low + (from - low + i) % (high - low + 1);
        if (port_is_free(a, port))
            ret->ports[found++] = (uint16_t)port;
    }
    ret->form = RSIP_RANGE_LIST;
    ret->count = (uint8_t)count;
    return found == count;
}

/* From a random place on, so that a stranger can't tell what the next host gets. */
bool pool_ports_choose(struct pool *pool, const struct pool_address *a, unsigned count,
                       struct rsip_ports *ret)
{
    unsigned low = port_low(a), high = port_high(a);

    if (a->whole != NULL || high < low || count == 0 || count > RSIP_PORTS_MAX ||
        count > high - low + 1)
        return false;
    unsigned from = low + rng_u32(&pool->rng) % (high - low + 1);
    unsigned first = free_row(a, from, count);
    if (first == 0 && from != low)
        first = free_row(a, low, count);
    if (first == 0)
        return count > 1 && scattered(a, from, count, ret);
    memset(ret, 0, sizeof(*ret));
    ret->form = RSIP_RANGE_RUN;
    ret->count = (uint8_t)count;
    ret->ports[0] = (uint16_t)first;
    return true;
}

static bool make_chunk(struct pool_address *a, unsigned port)
{
    if (a->chunks == NULL)
        a->chunks = calloc(CHUNK, sizeof(struct port_chunk *));
    if (a->chunks == NULL)
        return false;
    struct port_chunk **chunk = &a->chunks[port / CHUNK];
    if (*chunk == NULL)
        *chunk = calloc(1, sizeof(**chunk));
    return *chunk != NULL;
}

bool pool_ports_take(struct pool_address *a, const struct rsip_ports *ports,
                     struct rsip_bind *owner)
{
    for (unsigned i = 0; i < ports->count; i++)
        if (!make_chunk(a, rsip_port_at(ports, i)))
            return false;
    for (unsigned i = 0; i < ports->count; i++) {
        uint16_t port = rsip_port_at(ports, i);
        *port_slot(a, port) = owner;
        a->chunks[port / CHUNK]->used++;
        a->ports_used++;
    }
    return true;
}

static void free_port(struct pool_address *a, unsigned port)
{
    struct port_chunk **chunk = &a->chunks[port / CHUNK];
    (*chunk)->owners[port % CHUNK] = NULL;
    a->ports_used--;
    if (--(*chunk)->used == 0) {
        free(*chunk);
        *chunk = NULL;
    }
}

static void free_spis(struct pool *pool, struct pool_spis *spis)
{
    for (size_t i = 0; i < spis->count; i++)
        map_remove(&pool->by_spi, &spis->list[i].node);
    free(spis);
}

static void release(struct pool *pool, const struct held *held)
{
    if (held->spis != NULL)
        free_spis(pool, held->spis);
    else if (held->count == 0)
        held->address->whole = NULL;
    for (unsigned i = 0; i < held->count; i++)
        free_port(held->address, held->first + i);
}

/* RSIP-207: two minutes, or what the administrator says. */
static void hold(struct pool *pool, mono_t now, struct held held)
{
    held.until = mono_add(now, pool->hold_ms);
    if (pool->hold_ms == 0 || !fifo_push(&pool->held, &held))
        release(pool, &held);
}

void pool_timer(struct pool *pool, mono_t now)
{
    struct held held;
    while (fifo_peek(&pool->held, &held) && mono_reached(now, held.until)) {
        fifo_pop(&pool->held, &held);
        release(pool, &held);
    }
}

mono_t pool_next_deadline(const struct pool *pool)
{
    struct held held;
    return fifo_peek(&pool->held, &held) ? held.until : MONO_NEVER;
}

void pool_whole_give(struct pool *pool, mono_t now, struct pool_address *a)
{
    a->whole = HELD;
    hold(pool, now, (struct held){.address = a});
}

void pool_ports_give(struct pool *pool, mono_t now, struct pool_address *a,
                     const struct rsip_ports *ports)
{
    for (unsigned i = 0; i < ports->count; i++)
        *port_slot(a, rsip_port_at(ports, i)) = HELD;
    bool run = ports->form == RSIP_RANGE_RUN;
    for (unsigned i = 0; i < (run ? 1u : ports->count); i++)
        hold(pool, now,
             (struct held){
                 .address = a, .first = rsip_port_at(ports, i), .count = run ? ports->count : 1});
}

static struct pool_spi *find_spi(const struct pool *pool, const struct ip_addr *addr, uint32_t spi)
{
    struct spi_key key = {.addr = *addr, .spi = spi};
    struct map_node *node = map_find(&pool->by_spi, &key);
    return node == NULL ? NULL : MAP_OWNER(node, struct pool_spi, node);
}

bool pool_spi_free(const struct pool *pool, const struct pool_address *a, uint32_t spi)
{
    return find_spi(pool, &a->key.addr, spi) == NULL;
}

struct rsip_bind *pool_spi_owner(const struct pool *pool, const struct ip_addr *addr, uint32_t spi)
{
    const struct pool_spi *found = find_spi(pool, addr, spi);
    return found == NULL || found->owner == HELD ? NULL : found->owner;
}

static bool listed(const struct rsip_spis *spis, unsigned count, uint32_t spi)
{
    for (unsigned i = 0; i < count; i++)
        if (spis->spis[i] == spi)
            return true;
    return false;
}

/* Each on its own at random: a row would tell all from one. */
bool pool_spis_choose(struct pool *pool, const struct pool_address *a, unsigned count,
                      struct rsip_spis *ret)
{
    if (count == 0 || count > RSIP_SPIS_MAX)
        return false;
    memset(ret, 0, sizeof(*ret));
    ret->count = (uint16_t)count;
    ret->form = count == 1 ? RSIP_RANGE_RUN : RSIP_RANGE_LIST;
    for (unsigned i = 0; i < count; i++) {
        unsigned tries = 0;
        uint32_t spi;
        do {
            if (tries++ == SPI_TRIES)
                return false;
            spi = rng_u32(&pool->rng);
        } while (spi < SPI_MIN || listed(ret, i, spi) || !pool_spi_free(pool, a, spi));
        ret->spis[i] = spi;
    }
    return true;
}

struct pool_spis *pool_spis_take(struct pool *pool, struct pool_address *a,
                                 const struct rsip_spis *spis, struct rsip_bind *owner)
{
    struct pool_spis *taken = calloc(1, sizeof(*taken) + spis->count * sizeof(taken->list[0]));

    if (taken == NULL)
        return NULL;
    taken->form = spis->form;
    for (unsigned i = 0; i < spis->count; i++) {
        struct pool_spi *spi = &taken->list[i];
        spi->key.addr = a->key.addr;
        spi->key.spi = rsip_spi_at(spis, i);
        spi->owner = owner;
        if (find_spi(pool, &a->key.addr, spi->key.spi) != NULL ||
            !map_insert(&pool->by_spi, &spi->node)) {
            free_spis(pool, taken);
            return NULL;
        }
        taken->count++;
    }
    return taken;
}

void pool_spis_give(struct pool *pool, mono_t now, struct pool_spis *spis)
{
    if (spis == NULL)
        return;
    for (size_t i = 0; i < spis->count; i++)
        spis->list[i].owner = HELD;
    hold(pool, now, (struct held){.spis = spis});
}

void pool_spis_read(const struct pool_spis *spis, struct rsip_spis *ret)
{
    memset(ret, 0, sizeof(*ret));
    if (spis == NULL)
        return;
    ret->form = spis->form;
    ret->count = (uint16_t)spis->count;
    for (size_t i = 0; i < (spis->form == RSIP_RANGE_RUN ? 1 : spis->count); i++)
        ret->spis[i] = spis->list[i].key.spi;
}
