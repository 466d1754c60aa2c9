/*
 * Which pair of addresses, ours and the peer's, an IKE SA uses. The candidates are all pairs of one
 * family with a route from one to the other (ADR-044), ranked: by our own preference first, then by whether the peer's address is its primary one.
 * A pair is left as soon as it can't be used; a better ranked one is taken back only after it has
 * answered several probes in a row, so that a link that comes and goes doesn't take the traffic with
 * it. The caller probes and says how it went.
 */
#ifndef CYGNET_ADDRESS_PATHS_H
#define CYGNET_ADDRESS_PATHS_H

#include "address/set.h"
#include "base/mono.h"

enum {
    ADDRESS_PATHS_MAX = 32,
    ADDRESS_PROBE_MS = 2000,       /* between probes of a better ranked pair that answers */
    ADDRESS_PROBE_MOST_MS = 60000, /* of one that doesn't; doubles up to here */
    ADDRESS_GOOD_PROBES = 3,       /* answered in a row before we go back */
};

struct address_pair {
    struct ip_addr local, remote;
};

struct address_path {
    struct address_pair pair;
    unsigned rank; /* 0 is the best */
    unsigned good; /* probes answered in a row */
    unsigned bad;  /* unanswered in a row */
    mono_t next_probe;
};

/* As large as it needs to be, for most peers have one: all zeros is an empty one. */
struct address_paths {
    struct address_path *list; /* by rank */
    size_t count;
};

void address_paths_free(struct address_paths *paths);

bool address_pair_equal(const struct address_pair *a, const struct address_pair *b);
/* Knows the routes: whether packets from an address of ours can be sent to one of the peer's. */
struct address_ways {
    bool (*reaches)(void *ctx, const struct ip_addr *local, const struct ip_addr *remote);
    void *ctx; /* reaches NULL: all do */
};

static inline bool address_reaches(const struct address_ways *ways, const struct ip_addr *local,
                                   const struct ip_addr *remote)
{
    return local->family == remote->family &&
           (ways->reaches == NULL || ways->reaches(ways->ctx, local, remote));
}

/* Our addresses, as candidates are made of them. */
struct address_own {
    const struct address_set *set;
    const uint8_t *ranks;     /* of each, the operator's preference, 0 the best; NULL: all alike */
    struct ip_addr preferred; /* ranks before all others; family 0: none does */
};

/* New candidates, of pairs with a way from one to the other; what is known of pairs that stay is kept.
 * Out of memory: the candidates stay as they were. */
void address_paths_set(struct address_paths *paths, mono_t now, const struct address_own *own,
                       const struct address_set *peer, const struct address_ways *ways);
bool address_paths_has(const struct address_paths *paths, const struct address_pair *pair);
/* The candidate after that one, in turn: what to try when it fails. False: there is no other. */
bool address_paths_after(const struct address_paths *paths, const struct address_pair *pair,
                         struct address_pair *ret);
/* The best candidate; from our side's same address if that is as good. False: there is none. */
bool address_paths_best(const struct address_paths *paths, const struct address_pair *current,
                        struct address_pair *ret);
/* A pair ranked before the current one whose probe is due. */
bool address_paths_due(const struct address_paths *paths, mono_t now,
                       const struct address_pair *current, struct address_pair *ret);
/* When to look again; MONO_NEVER: the current one is the best. */
mono_t address_paths_next(const struct address_paths *paths, const struct address_pair *current);
/* How a probe ended. True: the pair is to be used from now on instead of the current one. */
bool address_paths_probed(struct address_paths *paths, mono_t now,
                          const struct address_pair *current, const struct address_pair *pair,
                          bool ok);

#endif
