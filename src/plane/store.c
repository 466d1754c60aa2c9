#include "plane/store.h"

#include <stdlib.h>

enum {
    SPARE_ROOM = LIMIT_HEADROOM + 1500 + LIMIT_TAILROOM, /* fits most fragments */
    SPARE_MAX = 128,
};

struct stored {
    struct stored *next;
    struct packet packet;
    uint8_t octets[];
};

void store_init(struct store *store, uint64_t held_limit)
{
    *store = (struct store){.held_limit = held_limit};
}

static void free_all(struct stored *stored)
{
    while (stored != NULL) {
        struct stored *next = stored->next;
        free(stored);
        stored = next;
    }
}

void store_fini(struct store *store)
{
    free_all(store->spent);
    free_all(store->spare);
    store->spent = store->spare = NULL;
    store->spare_count = 0;
}

static struct stored *stored_new(size_t room)
{
    struct stored *stored = malloc(sizeof(*stored) + room);
    if (stored == NULL)
        return NULL;
    stored->packet = (struct packet){.base = stored->octets, .room = (uint32_t)room};
    return stored;
}

static void spend(struct store *store, struct stored *stored)
{
    stored->next = store->spent;
    store->spent = stored;
}

struct packet *store_packet(struct store *store, size_t len)
{
    size_t room = LIMIT_HEADROOM + len + LIMIT_TAILROOM;
    struct stored *stored = store->spare;
    if (room <= SPARE_ROOM && stored != NULL) {
        store->spare = stored->next;
        store->spare_count--;
    } else {
        stored = stored_new(room < SPARE_ROOM ? SPARE_ROOM : room);
    }
    if (stored == NULL)
        return NULL;
    stored->packet.at = LIMIT_HEADROOM;
    stored->packet.len = 0;
    stored->packet.outer = (struct packet_outer){0};
    spend(store, stored);
    return &stored->packet;
}

void store_reclaim(struct store *store)
{
    while (store->spent != NULL) {
        struct stored *stored = store->spent;
        store->spent = stored->next;
        if (stored->packet.room == SPARE_ROOM && store->spare_count < SPARE_MAX) {
            stored->next = store->spare;
            store->spare = stored;
            store->spare_count++;
        } else {
            free(stored);
        }
    }
}

static size_t held_cost(const struct stored *stored)
{
    return stored == NULL ? 0 : sizeof(*stored) + stored->packet.room;
}

static size_t room_for(size_t len)
{
    return LIMIT_HEADROOM + len + LIMIT_TAILROOM;
}

bool store_could_hold(const struct store *store, size_t len)
{
    return sizeof(struct stored) + room_for(len) <= store->held_limit;
}

bool store_has_room(const struct store *store, const struct stored *slot, size_t len)
{
    uint64_t others = store->held_octets - held_cost(slot);
    return others + sizeof(struct stored) + room_for(len) <= store->held_limit;
}

bool store_hold(struct store *store, struct stored **slot, const struct packet *packet)
{
    size_t room = room_for(packet->len);
    uint64_t others = store->held_octets - held_cost(*slot);
    struct stored *stored = *slot;

    if (!store_has_room(store, stored, packet->len))
        return false;
    if (stored == NULL || stored->packet.room != room) {
        stored = stored_new(room);
        if (stored == NULL)
            return false;
        free(*slot);
        *slot = stored;
    }
    store->held_octets = others + held_cost(stored);
    stored->packet.at = LIMIT_HEADROOM;
    stored->packet.len = packet->len;
    stored->packet.outer = packet->outer;
    memcpy(packet_data(&stored->packet), packet_data(packet), packet->len);
    return true;
}

struct packet *store_release(struct store *store, struct stored **slot)
{
    struct stored *stored = *slot;
    if (stored == NULL)
        return NULL;
    store->held_octets -= held_cost(stored);
    *slot = NULL;
    spend(store, stored);
    return &stored->packet;
}

bool store_discard(struct store *store, struct stored **slot)
{
    if (*slot == NULL)
        return false;
    store->held_octets -= held_cost(*slot);
    free(*slot);
    *slot = NULL;
    return true;
}
