/*
 * The addresses under which a peer can be reached, or we can: the primary first, then the alternates in
 * the order in which they were told (ADR-008). A plain value without pointers; nothing here allocates. Operations
 * that fail leave the set as it was.
 */
#ifndef CYGNET_ADDRESS_SET_H
#define CYGNET_ADDRESS_SET_H

#include "base/addr.h"
#include "base/err.h"

enum { ADDRESS_SET_MAX = 16 };

struct address_set {
    struct ip_addr list[ADDRESS_SET_MAX];
    size_t count;
};

bool address_set_has(const struct address_set *set, const struct ip_addr *addr);
/* As the last alternate. ERR_VALUE: no address that the end of a tunnel can have (ADR-033);
 * ERR_REPEATED; ERR_LIMIT. */
MUST_USE enum err address_set_add(struct address_set *set, const struct ip_addr *addr);
/* An alternate. ERR_STATE: it is the primary, which can only be replaced (ADR-046); ERR_UNKNOWN. */
MUST_USE enum err address_set_remove(struct address_set *set, const struct ip_addr *addr);
/* It becomes the primary; the old one stays as first alternate. Errors as of address_set_add(). */
MUST_USE enum err address_set_promote(struct address_set *set, const struct ip_addr *addr);
/* One that means the same everywhere: nobody's private or link-local one (ADR-033, ADR-034). */
bool address_is_global(const struct ip_addr *addr);
bool address_set_equal(const struct address_set *a, const struct address_set *b);

#endif
