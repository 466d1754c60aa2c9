#include "plane/path_mtu.h"

#include <stdlib.h>

#include "wire/ip.h"

enum {
    PATH_MTUS_MAX = 1024,
    PATH_MTU_LIFE_MS = 10 * 60 * 1000, /* RFC 1191 section 6.3 */
};

struct path_mtu {
    struct map_node node;
    struct heap_node timer;
    struct {
        struct ip_addr dst;
        uint8_t zero[3]; /* a map's key is a multiple of four octets */
    } key;
    uint32_t mtu;
};

void path_mtus_init(struct path_mtus *mtus, uint32_t link_mtu, const struct rng *rng)
{
    *mtus = (struct path_mtus){.link_mtu = link_mtu, .generation = 1};
    map_init(&mtus->by_dst, MAP_KEY_OFFSET(struct path_mtu, node, key),
             sizeof(((struct path_mtu *)0)->key), rng);
}

static void forget(struct path_mtus *mtus, struct path_mtu *path)
{
    map_remove(&mtus->by_dst, &path->node);
    heap_remove(&mtus->timers, &path->timer);
    mtus->generation++;
    free(path);
}

void path_mtus_fini(struct path_mtus *mtus)
{
    struct map_node *node;
    while ((node = map_first(&mtus->by_dst)) != NULL)
        forget(mtus, MAP_OWNER(node, struct path_mtu, node));
    map_fini(&mtus->by_dst);
    heap_fini(&mtus->timers);
}

static struct path_mtu *find(const struct path_mtus *mtus, const struct ip_addr *dst)
{
    struct path_mtu wanted = {.key.dst = *dst};
    struct map_node *node = map_find(&mtus->by_dst, &wanted.key);
    return node != NULL ? MAP_OWNER(node, struct path_mtu, node) : NULL;
}

static struct path_mtu *add(struct path_mtus *mtus, mono_t now, const struct ip_addr *dst)
{
    if (mtus->by_dst.count >= PATH_MTUS_MAX)
        forget(mtus, HEAP_OWNER(heap_first(&mtus->timers), struct path_mtu, timer));
    struct path_mtu *path = calloc(1, sizeof(*path));
    if (path == NULL)
        return NULL;
    path->key.dst = *dst;
    if (!heap_set(&mtus->timers, &path->timer, mono_add(now, PATH_MTU_LIFE_MS))) {
        free(path);
        return NULL;
    }
    if (!map_insert(&mtus->by_dst, &path->node)) {
        heap_remove(&mtus->timers, &path->timer);
        free(path);
        return NULL;
    }
    return path;
}

void path_mtu_learn(struct path_mtus *mtus, mono_t now, const struct ip_addr *dst, uint32_t mtu)
{
    uint32_t least = dst->family == IP_V6 ? IP_V6_MTU_MIN : PATH_MTU_V4_LEAST;
    if (mtu < least)
        mtu = least;
    if (mtu >= path_mtu_get(mtus, dst))
        return;
    struct path_mtu *path = find(mtus, dst);
    if (path == NULL)
        path = add(mtus, now, dst);
    if (path == NULL || !heap_set(&mtus->timers, &path->timer, mono_add(now, PATH_MTU_LIFE_MS)))
        return;
    path->mtu = mtu;
    mtus->generation++;
}

uint32_t path_mtu_get(const struct path_mtus *mtus, const struct ip_addr *dst)
{
    const struct path_mtu *path = find(mtus, dst);
    return path != NULL ? path->mtu : mtus->link_mtu;
}

void path_mtus_timer(struct path_mtus *mtus, mono_t now)
{
    struct heap_node *node;
    while ((node = heap_pop_due(&mtus->timers, now)) != NULL)
        forget(mtus, HEAP_OWNER(node, struct path_mtu, timer));
}
