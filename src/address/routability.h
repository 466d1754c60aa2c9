/*
 * Return routability: whether a peer really receives what is sent to an address that it claims. When
 * to check is policy (ADR-045); how is an INFORMATIONAL request with a cookie that nobody can guess,
 * sent to that address alone, and a response with the same cookie from there (RFC 4555 section 3.7).
 */
#ifndef CYGNET_ADDRESS_ROUTABILITY_H
#define CYGNET_ADDRESS_ROUTABILITY_H

#include "address/set.h"
#include "base/rng.h"

enum address_check {
    ADDRESS_CHECK_UNPROVED, /* an address that the peer has not been reached at before */
    ADDRESS_CHECK_ALWAYS,   /* each time */
    ADDRESS_CHECK_NEVER,
};

enum { ADDRESS_COOKIE_LEN = 32 }; /* COOKIE2 may have 8 to 64 octets, RR_COOKIE 16 to 64 */

struct address_cookie {
    uint8_t octets[ADDRESS_COOKIE_LEN];
};

/* Has this address to be checked before SAs go there? `proved` is what was checked before. */
bool address_check_due(enum address_check policy, const struct address_set *proved,
                       const struct ip_addr *addr);
/* It was reached. Of a full set the oldest is forgotten, and will be checked again. */
void address_proved(struct address_set *proved, const struct ip_addr *addr);
struct address_cookie address_cookie_new(const struct rng *rng);
bool address_cookie_matches(const struct address_cookie *cookie, struct view octets);

#endif
