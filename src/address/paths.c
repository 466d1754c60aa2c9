#include "address/paths.h"

#include <stdlib.h>

enum { RANK_OWN = 2 }; /* ours weighs more than the peer's */

bool address_pair_equal(const struct address_pair *a, const struct address_pair *b)
{
    return ip_addr_equal(&a->local, &b->local) && ip_addr_equal(&a->remote, &b->remote);
}

static const struct address_path *find(const struct address_paths *paths,
                                       const struct address_pair *pair)
{
    for (size_t i = 0; i < paths->count; i++)
        if (address_pair_equal(&paths->list[i].pair, pair))
            return &paths->list[i];
    return NULL;
}

bool address_paths_has(const struct address_paths *paths, const struct address_pair *pair)
{
    return find(paths, pair) != NULL;
}

struct candidates {
    struct address_path list[ADDRESS_PATHS_MAX];
    size_t count;
};

/* Behind those of its rank. A full table loses its last. */
static void insert(struct candidates *all, const struct address_path *path)
{
    size_t at = all->count;
    while (at > 0 && all->list[at - 1].rank > path->rank)
        at--;
    if (at == ADDRESS_PATHS_MAX)
        return;
    size_t moved = all->count - at - (all->count == ADDRESS_PATHS_MAX);
    memmove(&all->list[at + 1], &all->list[at], moved * sizeof(all->list[0]));
    all->list[at] = *path;
    all->count += all->count < ADDRESS_PATHS_MAX;
}

static void keep(struct address_paths *paths, const struct candidates *all)
{
    struct address_path *list = NULL;
    if (all->count != 0 && (list = calloc(all->count, sizeof(*list))) == NULL)
        return;
    if (list != NULL)
        memcpy(list, all->list, all->count * sizeof(*list));
    address_paths_free(paths);
    *paths = (struct address_paths){.list = list, .count = all->count};
}

void address_paths_free(struct address_paths *paths)
{
    free(paths->list);
    *paths = (struct address_paths){.list = NULL};
}

/* The operator's preference among our addresses. */
static unsigned rank_of(const struct address_own *own, size_t i)
{
    unsigned rank = own->ranks != NULL ? own->ranks[i] : 0;
    if (own->preferred.family == IP_NONE)
        return rank;
    return ip_addr_equal(&own->preferred, &own->set->list[i]) ? 0 : rank + 1;
}

void address_paths_set(struct address_paths *paths, mono_t now, const struct address_own *own,
                       const struct address_set *peer, const struct address_ways *ways)
{
    struct candidates next = {.count = 0};
    for (size_t i = 0; i < own->set->count; i++) {
        for (size_t k = 0; k < peer->count; k++) {
            struct address_path path = {.pair = {own->set->list[i], peer->list[k]},
                                        .next_probe = now};
            if (!address_reaches(ways, &path.pair.local, &path.pair.remote))
                continue;
            const struct address_path *known = find(paths, &path.pair);
            if (known != NULL)
                path = *known;
            path.rank = RANK_OWN * rank_of(own, i) + (k != 0);
            insert(&next, &path);
        }
    }
    keep(paths, &next);
}

bool address_paths_after(const struct address_paths *paths, const struct address_pair *pair,
                         struct address_pair *ret)
{
    const struct address_path *at = find(paths, pair);
    size_t i = at == NULL ? 0 : (size_t)(at - paths->list + 1) % paths->count;
    if (paths->count == 0 || address_pair_equal(&paths->list[i].pair, pair))
        return false;
    *ret = paths->list[i].pair;
    return true;
}

static unsigned alike(const struct address_pair *a, const struct address_pair *b)
{
    return 2u * ip_addr_equal(&a->remote, &b->remote) + ip_addr_equal(&a->local, &b->local);
}

bool address_paths_best(const struct address_paths *paths, const struct address_pair *current,
                        struct address_pair *ret)
{
    if (paths->count == 0)
        return false;
    const struct address_path *best = &paths->list[0];
    for (size_t i = 1; i < paths->count && paths->list[i].rank == best->rank; i++)
        if (alike(&paths->list[i].pair, current) > alike(&best->pair, current))
            best = &paths->list[i];
    *ret = best->pair;
    return true;
}

/* Those ranked before the current one; all, if that is no candidate. */
static size_t better(const struct address_paths *paths, const struct address_pair *current)
{
    const struct address_path *at = find(paths, current);
    size_t count = 0;
    while (count < paths->count && (at == NULL || paths->list[count].rank < at->rank))
        count++;
    return count;
}

bool address_paths_due(const struct address_paths *paths, mono_t now,
                       const struct address_pair *current, struct address_pair *ret)
{
    size_t count = better(paths, current);
    for (size_t i = 0; i < count; i++) {
        if (mono_reached(now, paths->list[i].next_probe)) {
            *ret = paths->list[i].pair;
            return true;
        }
    }
    return false;
}

mono_t address_paths_next(const struct address_paths *paths, const struct address_pair *current)
{
    mono_t next = MONO_NEVER;
    size_t count = better(paths, current);
    for (size_t i = 0; i < count; i++)
        next = mono_min(next, paths->list[i].next_probe);
    return next;
}

static int64_t patience(unsigned bad)
{
    int64_t ms = ADDRESS_PROBE_MS;
    while (bad-- > 0 && ms < ADDRESS_PROBE_MOST_MS)
        ms *= 2;
    return ms < ADDRESS_PROBE_MOST_MS ? ms : ADDRESS_PROBE_MOST_MS;
}

bool address_paths_probed(struct address_paths *paths, mono_t now,
                          const struct address_pair *current, const struct address_pair *pair,
                          bool ok)
{
    size_t count = better(paths, current);
    for (size_t i = 0; i < count; i++) {
        struct address_path *path = &paths->list[i];
        if (!address_pair_equal(&path->pair, pair))
            continue;
        path->good = ok ? path->good + 1 : 0;
        path->bad = ok ? 0 : path->bad + 1;
        path->next_probe = mono_add(now, patience(path->bad));
        if (path->good < ADDRESS_GOOD_PROBES)
            return false;
        path->good = 0; /* the next time it has to earn it again */
        return true;
    }
    return false;
}
