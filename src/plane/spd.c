#include "plane/spd.h"

#include <assert.h>
#include <stdlib.h>

void spd_init(struct spd *spd, size_t limit, const struct rng *rng)
{
    *spd = (struct spd){.limit = limit};
    list_init(&spd->by_use);
    list_init(&spd->by_hold);
    map_init(&spd->by_flow, MAP_KEY_OFFSET(struct spd_entry, node, key), sizeof(struct spd_key),
             rng);
}

void spd_fini(struct spd *spd)
{
    assert(spd->by_flow.count == 0);
    map_fini(&spd->by_flow);
    heap_fini(&spd->timers);
}

struct spd_key spd_key_of(const struct ip_pair *flow)
{
    return (struct spd_key){.flow = *flow};
}

struct spd_entry *spd_find(const struct spd *spd, const struct spd_key *key)
{
    struct map_node *node = map_find(&spd->by_flow, key);
    return node != NULL ? MAP_OWNER(node, struct spd_entry, node) : NULL;
}

bool spd_entry_init(struct spd *spd, mono_t now, struct spd_entry *entry)
{
    *entry = (struct spd_entry){.added = now, .placed = now};
    entry->used = entry->until = entry->ask_at = MONO_NEVER;
    entry->unanswered = entry->listen_at = now;
    list_init(&entry->by_use);
    list_init(&entry->by_sa);
    list_init(&entry->by_hold);
    return heap_set(&spd->timers, &entry->timer, HEAP_IDLE);
}

struct spd_entry *spd_add(struct spd *spd, mono_t now, const struct spd_key *key)
{
    assert(!spd_is_full(spd));
    struct spd_entry *entry = calloc(1, sizeof(*entry));
    if (entry == NULL)
        return NULL;
    if (!spd_entry_init(spd, now, entry)) {
        free(entry);
        return NULL;
    }
    entry->key = *key;
    if (!map_insert(&spd->by_flow, &entry->node)) {
        heap_remove(&spd->timers, &entry->timer);
        free(entry);
        return NULL;
    }
    list_push(&spd->by_use, &entry->by_use);
    return entry;
}

void spd_remove(struct spd *spd, struct spd_entry *entry)
{
    assert(entry->first == NULL && entry->last == NULL && entry->sa == NULL && !entry->is_rule);
    list_remove(&entry->by_use);
    heap_remove(&spd->timers, &entry->timer);
    map_remove(&spd->by_flow, &entry->node);
    free(entry);
}

void spd_use(struct spd *spd, mono_t now, struct spd_entry *entry, size_t octets)
{
    entry->used = now;
    entry->packets++;
    entry->octets += octets;
    if (!entry->is_rule && mono_since(now, entry->placed) >= SPD_ORDER_MS) {
        entry->placed = now;
        list_remove(&entry->by_use);
        list_push(&spd->by_use, &entry->by_use);
    }
}

bool spd_is_full(const struct spd *spd)
{
    return spd->by_flow.count >= spd->limit;
}

struct spd_entry *spd_oldest(const struct spd *spd)
{
    if (list_is_empty(&spd->by_use))
        return NULL;
    return LIST_OWNER(spd->by_use.prev, struct spd_entry, by_use);
}

struct spd_entry *spd_oldest_hold(const struct spd *spd)
{
    if (list_is_empty(&spd->by_hold))
        return NULL;
    return LIST_OWNER(spd->by_hold.prev, struct spd_entry, by_hold);
}

struct spd_entry *spd_due(struct spd *spd, mono_t now)
{
    struct heap_node *node = heap_first(&spd->timers);
    if (node == NULL || !mono_reached(now, node->at))
        return NULL;
    struct spd_entry *entry = HEAP_OWNER(node, struct spd_entry, timer);
    spd_set_timer(spd, entry, HEAP_IDLE);
    return entry;
}

void spd_set_timer(struct spd *spd, struct spd_entry *entry, mono_t at)
{
    bool done = heap_set(&spd->timers, &entry->timer, at.ms < HEAP_IDLE.ms ? at : HEAP_IDLE);
    assert(done);
    (void)done;
}
