/*
 * Doubly linked lists of nodes that live inside their owners' structs. The list is a node too, the
 * head of a ring; a node in no list points to itself, so taking it out twice does no harm.
 */
#ifndef CYGNET_PLANE_LIST_H
#define CYGNET_PLANE_LIST_H

#include "base/view.h"

struct list {
    struct list *prev, *next;
};

#define LIST_OWNER(node_ptr, type, node) ((type *)(void *)((char *)(node_ptr)-offsetof(type, node)))

static inline void list_init(struct list *node)
{
    node->prev = node->next = node;
}

static inline bool list_is_empty(const struct list *head)
{
    return head->next == head;
}

static inline void list_push(struct list *head, struct list *node)
{
    node->prev = head;
    node->next = head->next;
    head->next->prev = node;
    head->next = node;
}

static inline void list_remove(struct list *node)
{
    node->prev->next = node->next;
    node->next->prev = node->prev;
    list_init(node);
}

#endif
