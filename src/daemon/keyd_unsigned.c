#include "daemon/keyd_unsigned.h"

#include <stdlib.h>
#include <string.h>

struct keyd_unsigned_entry {
    TAILQ_ENTRY(keyd_unsigned_entry) by_age;
    uint64_t serial;
    size_t len;
    uint8_t octets[];
};

void keyd_unsigned_init(struct keyd_unsigned *u)
{
    TAILQ_INIT(&u->list);
    u->count = 0;
}

static void drop(struct keyd_unsigned *u, struct keyd_unsigned_entry *entry)
{
    TAILQ_REMOVE(&u->list, entry, by_age);
    u->count--;
    free(entry);
}

void keyd_unsigned_fini(struct keyd_unsigned *u)
{
    while (!TAILQ_EMPTY(&u->list))
        drop(u, TAILQ_FIRST(&u->list));
}

void keyd_unsigned_add(struct keyd_unsigned *u, uint64_t serial, struct view message)
{
    struct keyd_unsigned_entry *entry = malloc(sizeof(*entry) + message.len);
    if (entry == NULL)
        return;
    if (u->count == KEYD_UNSIGNED_MAX)
        drop(u, TAILQ_FIRST(&u->list));
    entry->serial = serial;
    entry->len = message.len;
    memcpy(entry->octets, message.ptr, message.len);
    TAILQ_INSERT_TAIL(&u->list, entry, by_age);
    u->count++;
}

/* Answers come in the order of the questions, so the one looked for is near the front. */
void keyd_unsigned_answered(struct keyd_unsigned *u, uint64_t serial)
{
    struct keyd_unsigned_entry *entry;
    TAILQ_FOREACH (entry, &u->list, by_age) {
        if (entry->serial == serial) {
            drop(u, entry);
            return;
        }
    }
}

void keyd_unsigned_each(const struct keyd_unsigned *u, void (*again)(void *ctx, struct view message),
                        void *ctx)
{
    const struct keyd_unsigned_entry *entry;
    TAILQ_FOREACH (entry, &u->list, by_age)
        again(ctx, view_of(entry->octets, entry->len));
}
