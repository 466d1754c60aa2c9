#include "base/map.h"

#include <assert.h>
#include <stdlib.h>

enum { MAP_FIRST_SIZE = 16 };

void map_init(struct map *map, ptrdiff_t key_from_node, size_t key_len, const struct rng *rng)
{
    assert(key_len % 4 == 0 && key_len <= MAP_KEY_MAX);
    *map = (struct map){.key_from_node = key_from_node, .key_len = key_len};
    rng_fill(rng, map->seeds, sizeof(map->seeds));
}

void map_fini(struct map *map)
{
    free(map->buckets);
    map->buckets = NULL;
    map->size = map->count = 0;
}

static const uint8_t *node_key(const struct map *map, const struct map_node *node)
{
    return (const uint8_t *)node + map->key_from_node;
}

static uint32_t map_hash(const struct map *map, const uint8_t *key)
{
    uint64_t sum = map->seeds[MAP_KEY_MAX / 4];
    for (size_t i = 0; i < map->key_len / 4; i++) {
        uint32_t word;
        memcpy(&word, key + 4 * i, 4);
        sum += map->seeds[i] * word;
    }
    return (uint32_t)(sum >> 32);
}

struct map_node *map_find(const struct map *map, const void *key)
{
    if (map->count == 0)
        return NULL;
    uint32_t hash = map_hash(map, key);
    struct map_node *node = map->buckets[hash & (map->size - 1)];
    while (node != NULL &&
           (node->hash != hash || memcmp(node_key(map, node), key, map->key_len) != 0))
        node = node->next;
    return node;
}

static void link_node(struct map *map, struct map_node *node)
{
    struct map_node **bucket = &map->buckets[node->hash & (map->size - 1)];
    node->next = *bucket;
    *bucket = node;
}

static void map_grow(struct map *map)
{
    size_t old_size = map->size, size = old_size ? 2 * old_size : MAP_FIRST_SIZE;
    struct map_node **old = map->buckets, **buckets = calloc(size, sizeof(struct map_node *));
    if (buckets == NULL)
        return;
    map->buckets = buckets;
    map->size = size;
    for (size_t i = 0; i < old_size; i++) {
        struct map_node *node = old[i];
        while (node != NULL) {
            struct map_node *next = node->next;
            link_node(map, node);
            node = next;
        }
    }
    free(old);
}

bool map_insert(struct map *map, struct map_node *node)
{
    if (map->count >= map->size)
        map_grow(map);
    if (map->size == 0)
        return false;
    node->hash = map_hash(map, node_key(map, node));
    link_node(map, node);
    map->count++;
    return true;
}

void map_remove(struct map *map, struct map_node *node)
{
    struct map_node **at = &map->buckets[node->hash & (map->size - 1)];
    while (*at != node) {
        assert(*at != NULL);
        at = &(*at)->next;
    }
    *at = node->next; /* node->next stays, for a walk that goes on from here */
    map->count--;
}

static struct map_node *first_from(const struct map *map, size_t bucket)
{
    for (; bucket < map->size; bucket++)
        if (map->buckets[bucket] != NULL)
            return map->buckets[bucket];
    return NULL;
}

struct map_node *map_first(const struct map *map)
{
    return first_from(map, 0);
}

struct map_node *map_next(const struct map *map, const struct map_node *node)
{
    if (node->next != NULL)
        return node->next;
    return first_from(map, (node->hash & (map->size - 1)) + 1);
}
