#include "discover/question.h"

#include "base/text.h"
#include "crypto/hash.h"

#include <assert.h>
#include <stdlib.h>

#define QUESTION_OF(turn_ptr)                                                                      \
    ((struct question *)(void *)((char *)(turn_ptr)-offsetof(struct question, turn)))

void questions_configure(struct questions *qs, const struct discover_config *config)
{
    qs->cache_limit = config->cache;
    turns_limit(&qs->turns, config->lookups, config->waiting);
}

void questions_init(struct questions *qs, const struct rng *rng,
                    const struct discover_config *config)
{
    *qs = (struct questions){0};
    turns_init(&qs->turns, rng);
    questions_configure(qs, config);
    map_init(&qs->by_key, MAP_KEY_OFFSET(struct question, by_key, key), sizeof(struct question_key),
             rng);
    map_init(&qs->by_serial, MAP_KEY_OFFSET(struct question, by_serial, serial), sizeof(uint64_t),
             rng);
}

static void question_free(struct question *q)
{
    free(q->octets);
    free(q);
}

void questions_fini(struct questions *qs)
{
    struct map_node *node;
    while ((node = map_first(&qs->by_key)) != NULL) {
        struct question *q = MAP_OWNER(node, struct question, by_key);
        map_remove(&qs->by_key, node);
        turns_leave(&qs->turns, &q->turn);
        question_free(q);
    }
    map_fini(&qs->by_key);
    map_fini(&qs->by_serial);
    turns_fini(&qs->turns);
    heap_fini(&qs->deadlines);
}

static enum err question_key_of(uint16_t type, const char *name, struct question_key *ret)
{
    struct view part = view_of_text(name);
    struct question_key key = {.type = type};
    enum err err = hash_digest(HASH_SHA2_256, &part, 1, key.digest);
    if (err == ERR_OK)
        *ret = key;
    return err;
}

static void cache_unlink(struct questions *qs, struct question *q)
{
    *(q->older != NULL ? &q->older->newer : &qs->oldest) = q->newer;
    *(q->newer != NULL ? &q->newer->older : &qs->newest) = q->older;
    q->older = q->newer = NULL;
    qs->cached--;
}

static void cache_link(struct questions *qs, struct question *q)
{
    q->older = qs->newest;
    q->newer = NULL;
    *(qs->newest != NULL ? &qs->newest->newer : &qs->oldest) = q;
    qs->newest = q;
    qs->cached++;
}

/* Only for a question that nobody holds and that isn't linked. */
static void question_remove(struct questions *qs, struct question *q)
{
    assert(q->pins == 0 && q->answered);
    heap_remove(&qs->deadlines, &q->deadline);
    map_remove(&qs->by_key, &q->by_key);
    question_free(q);
}

struct question *questions_find(struct questions *qs, mono_t now, uint16_t type, const char *name)
{
    struct question_key key;
    if (question_key_of(type, name, &key) != ERR_OK)
        return NULL;
    struct map_node *node = map_find(&qs->by_key, &key);
    if (node == NULL)
        return NULL;
    struct question *q = MAP_OWNER(node, struct question, by_key);
    if (q->pins == 0 && mono_reached(now, q->expires)) {
        cache_unlink(qs, q);
        question_remove(qs, q);
        return NULL;
    }
    return q;
}

enum err questions_ask(struct questions *qs, mono_t deadline, uint16_t type, const char *name,
                       const struct ip_addr *behalf, struct question **ret)
{
    struct question *q = calloc(1, sizeof(*q));
    if (q == NULL)
        return ERR_MEMORY;
    enum err err = question_key_of(type, name, &q->key);
    if (err != ERR_OK)
        goto fail;
    q->type = type;
    q->serial = qs->last_serial + 1;
    q->expires = MONO_NEVER;
    TEXT_SET(q->name, "%s", name);
    err = ERR_MEMORY;
    if (!heap_set(&qs->deadlines, &q->deadline, deadline))
        goto fail;
    if (!map_insert(&qs->by_key, &q->by_key))
        goto fail_heap;
    if (!map_insert(&qs->by_serial, &q->by_serial))
        goto fail_map;
    if (!turns_join(&qs->turns, &q->turn, behalf))
        goto fail_serial;
    qs->last_serial++;
    *ret = q;
    return ERR_OK;

fail_serial:
    map_remove(&qs->by_serial, &q->by_serial);
fail_map:
    map_remove(&qs->by_key, &q->by_key);
fail_heap:
    heap_remove(&qs->deadlines, &q->deadline);
fail:
    question_free(q);
    return err;
}

struct question *questions_by_serial(const struct questions *qs, uint64_t serial)
{
    struct map_node *node = map_find(&qs->by_serial, &serial);
    struct question *q = node != NULL ? MAP_OWNER(node, struct question, by_serial) : NULL;
    return q != NULL && q->sent ? q : NULL;
}

struct question *questions_next(struct questions *qs, mono_t deadline)
{
    struct turn *turn = turns_next(&qs->turns);
    if (turn == NULL)
        return NULL;
    struct question *q = QUESTION_OF(turn);
    q->sent = true;
    bool moved = heap_set(&qs->deadlines, &q->deadline, deadline);
    assert(moved); /* it has its place in the heap */
    (void)moved;
    return q;
}

struct question *questions_excess(const struct questions *qs)
{
    struct turn *turn = turns_excess(&qs->turns);
    return turn != NULL ? QUESTION_OF(turn) : NULL;
}

static size_t answer_octets(const struct dns_answer *answer, size_t count)
{
    size_t total = 0;
    for (size_t i = 0; i < count; i++)
        total += answer->rdata[i].len;
    return total;
}

enum err questions_answer(struct questions *qs, mono_t now, struct question *q,
                          const struct dns_answer *answer)
{
    size_t count = answer->status == DNS_FOUND ? answer->count : 0;
    if (count > LIMIT_DNS_RECORDS)
        count = LIMIT_DNS_RECORDS;
    size_t total = answer_octets(answer, count);
    uint8_t *octets = total != 0 ? malloc(total) : NULL;
    if (total != 0 && octets == NULL)
        return ERR_MEMORY;

    assert(!q->answered && q->pins != 0);
    map_remove(&qs->by_serial, &q->by_serial);
    heap_remove(&qs->deadlines, &q->deadline);
    turns_leave(&qs->turns, &q->turn);
    q->answered = true;
    q->answer = *answer;
    q->answer.count = count;
    q->octets = octets;
    for (size_t i = 0; i < count; i++) {
        struct view *rdata = &q->answer.rdata[i];
        if (rdata->len != 0)
            memcpy(octets, rdata->ptr, rdata->len);
        rdata->ptr = octets;
        octets += rdata->len;
    }
    uint32_t ttl_s = answer->ttl_s < LIMIT_DNS_TTL_S ? answer->ttl_s : LIMIT_DNS_TTL_S;
    q->expires = mono_add(now, 1000 * (int64_t)ttl_s);
    return ERR_OK;
}

struct question *questions_timed_out(struct questions *qs, mono_t now)
{
    struct heap_node *node;
    while ((node = heap_pop_due(&qs->deadlines, now)) != NULL) {
        struct question *q = HEAP_OWNER(node, struct question, deadline);
        if (!q->answered)
            return q;
        cache_unlink(qs, q);
        question_remove(qs, q);
    }
    return NULL;
}

void question_pin(struct questions *qs, struct question *q)
{
    if (q->pins++ == 0 && q->answered) {
        cache_unlink(qs, q);
        heap_remove(&qs->deadlines, &q->deadline);
    }
}

/* Nobody waits for it any more, and it was never sent. */
static void question_withdraw(struct questions *qs, struct question *q)
{
    turns_leave(&qs->turns, &q->turn);
    heap_remove(&qs->deadlines, &q->deadline);
    map_remove(&qs->by_serial, &q->by_serial);
    map_remove(&qs->by_key, &q->by_key);
    question_free(q);
}

void question_unpin(struct questions *qs, mono_t now, struct question *q)
{
    assert(q->pins != 0);
    if (--q->pins != 0)
        return;
    if (!q->answered) {
        if (turn_waits(&q->turn))
            question_withdraw(qs, q);
        return;
    }
    if (mono_reached(now, q->expires) || !heap_set(&qs->deadlines, &q->deadline, q->expires)) {
        question_remove(qs, q);
        return;
    }
    cache_link(qs, q);
    if (qs->cached > qs->cache_limit) {
        struct question *oldest = qs->oldest;
        cache_unlink(qs, oldest);
        question_remove(qs, oldest);
    }
}

void question_wait(struct questions *qs, struct question *q, struct waiter *waiter)
{
    question_pin(qs, q);
    waiter->question = q;
    waiter->next = q->waiters;
    waiter->link = &q->waiters;
    if (waiter->next != NULL)
        waiter->next->link = &waiter->next;
    q->waiters = waiter;
}

void question_leave(struct questions *qs, mono_t now, struct waiter *waiter)
{
    struct question *q = waiter->question;
    if (q == NULL)
        return;
    *waiter->link = waiter->next;
    if (waiter->next != NULL)
        waiter->next->link = waiter->link;
    waiter->question = NULL;
    question_unpin(qs, now, q);
}
