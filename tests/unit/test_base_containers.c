/* Map, heap and fifo, each driven at random beside a model too simple to be wrong. */
#include "check.h"

#include "base/fifo.h"
#include "base/heap.h"
#include "base/map.h"

enum { THINGS = 300, STEPS = 60000 };

struct thing {
    uint32_t key[2];
    bool present;
    struct map_node map_node;
    struct heap_node heap_node;
};

static struct thing things[THINGS];

static void things_reset(void)
{
    memset(things, 0, sizeof(things));
    for (uint32_t i = 0; i < THINGS; i++) {
        things[i].key[0] = i % 7; /* keys that share a word */
        things[i].key[1] = i;
        things[i].heap_node.at = MONO_NEVER;
    }
}

static void map_walk_matches(const struct map *map)
{
    size_t seen = 0, present = 0;
    for (struct map_node *node = map_first(map); node != NULL; node = map_next(map, node)) {
        assert_true(MAP_OWNER(node, struct thing, map_node)->present);
        seen++;
    }
    for (size_t i = 0; i < THINGS; i++)
        present += things[i].present;
    assert_int_equal(seen, present); /* all present, and as many: each exactly once */
    assert_int_equal(map->count, present);
}

static void map_behaves_like_a_set(void **state)
{
    (void)state;
    uint64_t seed = 11;
    struct rng rng = check_rng(&seed);
    struct map map;
    things_reset();
    map_init(&map, MAP_KEY_OFFSET(struct thing, map_node, key), sizeof(things[0].key), &rng);
    assert_null(map_first(&map));

    for (int step = 0; step < STEPS; step++) {
        struct thing *thing = &things[check_random(&seed) % THINGS];
        struct map_node *found = map_find(&map, thing->key);
        assert_ptr_equal(found, thing->present ? &thing->map_node : NULL);
        if (check_random(&seed) % 2)
            continue;
        if (thing->present)
            map_remove(&map, &thing->map_node);
        else
            assert_true(map_insert(&map, &thing->map_node));
        thing->present = !thing->present;
        if (step % 997 == 0)
            map_walk_matches(&map);
    }
    map_walk_matches(&map);
    map_fini(&map);
}

static void map_allows_removal_while_walking(void **state)
{
    (void)state;
    uint64_t seed = 12;
    struct rng rng = check_rng(&seed);
    struct map map;
    things_reset();
    map_init(&map, MAP_KEY_OFFSET(struct thing, map_node, key), sizeof(things[0].key), &rng);
    for (size_t i = 0; i < THINGS; i++) {
        assert_true(map_insert(&map, &things[i].map_node));
        things[i].present = true;
    }
    size_t walked = 0;
    for (struct map_node *node = map_first(&map); node != NULL; node = map_next(&map, node)) {
        struct thing *thing = MAP_OWNER(node, struct thing, map_node);
        walked++;
        if (thing->key[1] % 3 != 0) {
            map_remove(&map, node);
            thing->present = false;
        }
    }
    assert_int_equal(walked, THINGS);
    map_walk_matches(&map);
    map_fini(&map);
}

static void heap_check(const struct heap *heap)
{
    int64_t earliest = INT64_MAX;
    size_t count = 0;
    for (size_t i = 0; i < THINGS; i++) {
        const struct heap_node *node = &things[i].heap_node;
        assert_int_equal(node->index != 0, !mono_is_never(node->at));
        count += node->index != 0;
        if (node->at.ms < earliest)
            earliest = node->at.ms;
    }
    assert_int_equal(heap->count, count);
    assert_true(heap_next(heap).ms == earliest);
}

static void heap_keeps_the_earliest_first(void **state)
{
    (void)state;
    uint64_t seed = 13;
    struct heap heap = {0};
    things_reset();
    for (int step = 0; step < STEPS / 10; step++) {
        struct heap_node *node = &things[check_random(&seed) % THINGS].heap_node;
        mono_t at = {(int64_t)(check_random(&seed) % 1000)};
        switch (check_random(&seed) % 4) {
        case 0:
            heap_remove(&heap, node);
            break;
        case 1:
            assert_true(heap_set(&heap, node, MONO_NEVER));
            break;
        default:
            assert_true(heap_set(&heap, node, at));
        }
        heap_check(&heap);
    }

    int64_t last = 0;
    size_t left = heap.count;
    for (int64_t now = 0; now <= 1000; now++) {
        struct heap_node *node;
        while ((node = heap_pop_due(&heap, (mono_t){now})) != NULL) {
            assert_int_equal(node->index, 0);
            assert_true(now >= last);
            last = now;
            left--;
        }
        assert_true(heap_next(&heap).ms > now);
    }
    assert_int_equal(left, 0);
    assert_null(heap_first(&heap));
    heap_fini(&heap);
}

static void fifo_keeps_order_while_growing(void **state)
{
    (void)state;
    uint64_t seed = 14, pushed = 0, popped = 0, element;
    struct fifo fifo;
    fifo_init(&fifo, sizeof(uint64_t));
    assert_false(fifo_pop(&fifo, &element));
    for (int step = 0; step < STEPS; step++) {
        /* phases that mostly fill and phases that mostly drain */
        if (check_random(&seed) % 100 < (step / 500 % 2 ? 30u : 70u)) {
            assert_true(fifo_push(&fifo, &pushed));
            pushed++;
        } else if (fifo_pop(&fifo, &element)) {
            assert_true(element == popped);
            popped++;
        } else {
            assert_true(pushed == popped);
        }
        assert_int_equal(fifo.count, pushed - popped);
    }
    assert_true(popped > 1000 && pushed > popped);
    fifo_fini(&fifo);
    assert_int_equal(fifo.count, 0);
    assert_true(fifo_push(&fifo, &pushed));
    fifo_fini(&fifo);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(map_behaves_like_a_set),
        cmocka_unit_test(map_allows_removal_while_walking),
        cmocka_unit_test(heap_keeps_the_earliest_first),
        cmocka_unit_test(fifo_keeps_order_while_growing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
