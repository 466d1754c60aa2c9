#include "base/heap.h"

#include <stdlib.h>

void heap_fini(struct heap *heap)
{
    free(heap->nodes);
    *heap = (struct heap){0};
}

static void place(struct heap *heap, struct heap_node *node, size_t i)
{
    heap->nodes[i] = node;
    node->index = i + 1;
}

static void sift_up(struct heap *heap, struct heap_node *node, size_t i)
{
    while (i > 0 && heap->nodes[(i - 1) / 2]->at.ms > node->at.ms) {
        place(heap, heap->nodes[(i - 1) / 2], i);
        i = (i - 1) / 2;
    }
    place(heap, node, i);
}

static void sift_down(struct heap *heap, struct heap_node *node, size_t i)
{
    for (;;) {
        size_t child = 2 * i + 1;
        if (child + 1 < heap->count && heap->nodes[child + 1]->at.ms < heap->nodes[child]->at.ms)
            child++;
        if (child >= heap->count || heap->nodes[child]->at.ms >= node->at.ms)
            break;
        place(heap, heap->nodes[child], i);
        i = child;
    }
    place(heap, node, i);
}

static bool heap_reserve(struct heap *heap)
{
    if (heap->count < heap->room)
        return true;
    size_t room = heap->room ? 2 * heap->room : 16;
    struct heap_node **nodes = realloc(heap->nodes, room * sizeof(*nodes));
    if (nodes == NULL)
        return false;
    heap->nodes = nodes;
    heap->room = room;
    return true;
}

bool heap_set(struct heap *heap, struct heap_node *node, mono_t at)
{
    if (mono_is_never(at)) {
        heap_remove(heap, node);
        return true;
    }
    if (node->index == 0) {
        if (!heap_reserve(heap))
            return false;
        node->at = at;
        sift_up(heap, node, heap->count++);
        return true;
    }
    bool earlier = at.ms < node->at.ms;
    node->at = at;
    if (earlier)
        sift_up(heap, node, node->index - 1);
    else
        sift_down(heap, node, node->index - 1);
    return true;
}

void heap_remove(struct heap *heap, struct heap_node *node)
{
    if (node->index != 0) {
        size_t i = node->index - 1;
        struct heap_node *last = heap->nodes[--heap->count];
        if (last != node) {
            sift_up(heap, last, i);
            sift_down(heap, last, last->index - 1);
        }
    }
    node->index = 0;
    node->at = MONO_NEVER;
}

struct heap_node *heap_first(const struct heap *heap)
{
    return heap->count ? heap->nodes[0] : NULL;
}

mono_t heap_next(const struct heap *heap)
{
    return heap->count ? heap->nodes[0]->at : MONO_NEVER;
}

struct heap_node *heap_pop_due(struct heap *heap, mono_t now)
{
    struct heap_node *node = heap_first(heap);
    if (node == NULL || !mono_reached(now, node->at))
        return NULL;
    heap_remove(heap, node);
    return node;
}
