#include "address/routability.h"

#include "base/secret.h"

bool address_check_due(enum address_check policy, const struct address_set *proved,
                       const struct ip_addr *addr)
{
    switch (policy) {
    case ADDRESS_CHECK_ALWAYS:
        return true;
    case ADDRESS_CHECK_NEVER:
        return false;
    case ADDRESS_CHECK_UNPROVED:
        break;
    }
    return !address_set_has(proved, addr);
}

/* The set is used as a list, the latest first. */
void address_proved(struct address_set *proved, const struct ip_addr *addr)
{
    if (proved->count == ADDRESS_SET_MAX && !address_set_has(proved, addr))
        proved->count--;
    if (address_set_promote(proved, addr) != ERR_OK)
        return; /* not an address that is ever checked */
}

struct address_cookie address_cookie_new(const struct rng *rng)
{
    struct address_cookie cookie;
    rng_fill(rng, cookie.octets, sizeof(cookie.octets));
    return cookie;
}

bool address_cookie_matches(const struct address_cookie *cookie, struct view octets)
{
    return secret_equal(view_of(cookie->octets, sizeof(cookie->octets)), octets);
}
