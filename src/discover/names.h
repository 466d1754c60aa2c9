/*
 * Hints that a forward name has an address, told by whoever resolves names for the site. Bounded in
 * addresses and in names for each, and forgotten when their time to live is over. No hint is
 * believed: it only says which name to ask DNS about.
 */
#ifndef CYGNET_DISCOVER_NAMES_H
#define CYGNET_DISCOVER_NAMES_H

#include "base/err.h"
#include "base/heap.h"
#include "base/map.h"
#include "wire/identity.h"

struct names {
    struct map by_addr;
    struct heap deadlines;
    uint32_t limit;
};

enum { NAMES_TTL_MIN_S = 60 }; /* an application goes on using an answer for that long anyway */

void names_init(struct names *names, const struct rng *rng, uint32_t limit);
void names_fini(struct names *names);
/*
 * ERR_LIMIT: the address has LIMIT_ADDRESS_NAMES other names already; those told first stay, so a
 * flood of names for one address displaces none that was there. Of too many addresses, the one that
 * would be forgotten first goes. ERR_VALUE: `id` is no name.
 */
MUST_USE enum err names_tell(struct names *names, mono_t now, const struct identity *id,
                             const struct ip_addr *addr, uint32_t ttl_s);
/* The names of an address that still hold; returns how many. */
size_t names_of(const struct names *names, mono_t now, const struct ip_addr *addr,
                const struct identity *ret[LIMIT_ADDRESS_NAMES]);
/* Forgets those whose time is over. */
void names_timer(struct names *names, mono_t now);

#endif
