/*
 * The outside interfaces: their names, in the operator's order of preference; which of them are there;
 * and their addresses. An address counts as live if its link runs. Reading takes no privilege. Changes
 * are watched over a netlink socket; what its messages say is read from the kernel anew.
 */
#ifndef CYGNET_PLANE_IO_OUTSIDE_H
#define CYGNET_PLANE_IO_OUTSIDE_H

#include "base/addr.h"

enum { OUTSIDE_MAX = 8, OUTSIDE_NAME_MAX = 16, OUTSIDE_ADDRESSES = 16 };

struct outside {
    char names[OUTSIDE_MAX][OUTSIDE_NAME_MAX];
    size_t count;
};

static inline bool outside_names(const struct outside *outside, const char *name)
{
    for (size_t i = 0; i < outside->count; i++)
        if (strcmp(outside->names[i], name) == 0)
            return true;
    return false;
}

struct outside_address {
    struct ip_addr addr;
    uint32_t ifindex;
    uint8_t rank; /* of its interface; 0 is preferred */
    bool live;
};

/* Those of live links first, by preference, then in the kernel's order. Special ones are left out. */
struct outside_addresses {
    struct outside_address list[OUTSIDE_ADDRESSES];
    size_t count, live_count;
};

void outside_addresses_read(const struct outside *outside, struct outside_addresses *ret);
bool outside_addresses_equal(const struct outside_addresses *a, const struct outside_addresses *b);
/* The interface that has it; 0: none. */
uint32_t outside_address_interface(const struct outside_addresses *addresses,
                                   const struct ip_addr *addr);

enum outside_news {
    OUTSIDE_NEWS_NONE,
    OUTSIDE_NEWS_ROUTES,    /* nothing but routes and rules may have changed */
    OUTSIDE_NEWS_ADDRESSES, /* links or addresses too */
};

enum outside_watch { OUTSIDE_WATCH_LINKS, OUTSIDE_WATCH_ADDRESSES, OUTSIDE_WATCH_ALL };

/* A non-blocking socket that becomes readable when something of that kind changes; -1 with errno. */
int outside_watch(enum outside_watch what);
/* Reads away what it says. A queue that overflowed says that everything may have changed. */
enum outside_news outside_news_read(int fd);

/*
 * Has the kernel a route from that address of ours to `remote`? Through interface `ifindex` alone; 0:
 * through any. An address that isn't ours has none. If the kernel can't be asked there is one.
 */
bool outside_reaches(const struct ip_addr *local, uint32_t ifindex, const struct ip_addr *remote);

#endif
