#include "discover/turn.h"

#include <assert.h>
#include <stdlib.h>

struct turn_key {
    struct ip_addr addr;
    uint8_t zero[3]; /* a map's key is a multiple of four octets */
};

struct turn_source {
    struct map_node by_addr;
    struct turn_key key;
    TAILQ_HEAD(, turn) line;
    size_t waiting, flying;
    bool ready;
    TAILQ_ENTRY(turn_source) of_ready;
};

void turns_limit(struct turns *turns, size_t limit, size_t waiting_limit)
{
    turns->limit = limit;
    turns->share = (limit + 3) / 4;
    turns->waiting_limit = waiting_limit;
}

void turns_init(struct turns *turns, const struct rng *rng)
{
    *turns = (struct turns){0};
    TAILQ_INIT(&turns->ready);
    TAILQ_INIT(&turns->by_age);
    _Static_assert(sizeof(struct turn_key) % 4 == 0, "a map's key");
    map_init(&turns->sources, MAP_KEY_OFFSET(struct turn_source, by_addr, key),
             sizeof(struct turn_key), rng);
}

void turns_fini(struct turns *turns)
{
    assert(turns->sources.count == 0);
    map_fini(&turns->sources);
}

/* One subscriber has a /64 of IPv6 to himself. */
static struct turn_key key_of(const struct ip_addr *source)
{
    struct turn_key key = {.addr = *source};
    if (source->family == IP_V6)
        memset(key.addr.octets + 8, 0, 8);
    return key;
}

static struct turn_source *find_source(const struct turns *turns, const struct turn_key *key)
{
    struct map_node *node = map_find(&turns->sources, key);
    return node != NULL ? MAP_OWNER(node, struct turn_source, by_addr) : NULL;
}

static struct turn_source *get_source(struct turns *turns, const struct ip_addr *addr)
{
    struct turn_key key = key_of(addr);
    struct turn_source *source = find_source(turns, &key);
    if (source != NULL)
        return source;
    source = calloc(1, sizeof(*source));
    if (source == NULL)
        return NULL;
    source->key = key;
    TAILQ_INIT(&source->line);
    if (!map_insert(&turns->sources, &source->by_addr)) {
        free(source);
        return NULL;
    }
    return source;
}

/* After every change of a source: is it served, and is it needed at all? */
static void settle(struct turns *turns, struct turn_source *source)
{
    bool ready = source->waiting != 0 && source->flying < turns->share;
    if (ready && !source->ready)
        TAILQ_INSERT_TAIL(&turns->ready, source, of_ready);
    if (!ready && source->ready)
        TAILQ_REMOVE(&turns->ready, source, of_ready);
    source->ready = ready;
    if (source->waiting == 0 && source->flying == 0) {
        map_remove(&turns->sources, &source->by_addr);
        free(source);
    }
}

static void line_up(struct turn_source *source, struct turn *turn)
{
    turn->source = source;
    TAILQ_INSERT_HEAD(&source->line, turn, in_line);
    source->waiting++;
}

static void step_out(struct turn *turn)
{
    TAILQ_REMOVE(&turn->source->line, turn, in_line);
    turn->source->waiting--;
}

bool turns_join(struct turns *turns, struct turn *turn, const struct ip_addr *source)
{
    struct turn_source *of = get_source(turns, source);
    if (of == NULL)
        return false;
    turn->flying = false;
    line_up(of, turn);
    TAILQ_INSERT_TAIL(&turns->by_age, turn, by_age);
    turns->waiting++;
    settle(turns, of);
    return true;
}

void turns_share(struct turns *turns, struct turn *turn, const struct ip_addr *source)
{
    struct turn_key key = key_of(source);
    struct turn_source *from = turn->source, *to = find_source(turns, &key);
    if (!turn_waits(turn) || to == from || (to != NULL && to->waiting + 1 >= from->waiting))
        return;
    if (to == NULL)
        to = get_source(turns, source);
    if (to == NULL)
        return; /* out of memory: it waits where it is */
    step_out(turn);
    line_up(to, turn);
    settle(turns, from);
    settle(turns, to);
}

void turns_leave(struct turns *turns, struct turn *turn)
{
    struct turn_source *source = turn->source;
    if (source == NULL)
        return;
    if (turn->flying) {
        source->flying--;
        turns->flying--;
    } else {
        step_out(turn);
        TAILQ_REMOVE(&turns->by_age, turn, by_age);
        turns->waiting--;
    }
    turn->source = NULL;
    turn->flying = false;
    settle(turns, source);
}

struct turn *turns_next(struct turns *turns)
{
    struct turn_source *source = TAILQ_FIRST(&turns->ready);
    if (source == NULL || turns->flying >= turns->limit)
        return NULL;
    struct turn *turn = TAILQ_FIRST(&source->line);
    step_out(turn);
    TAILQ_REMOVE(&turns->by_age, turn, by_age);
    turns->waiting--;
    turn->flying = true;
    source->flying++;
    turns->flying++;
    TAILQ_REMOVE(&turns->ready, source, of_ready); /* the others come first now */
    source->ready = false;
    settle(turns, source);
    return turn;
}

struct turn *turns_excess(const struct turns *turns)
{
    return turns->waiting > turns->waiting_limit ? TAILQ_FIRST(&turns->by_age) : NULL;
}
