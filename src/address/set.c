#include "address/set.h"

static size_t find(const struct address_set *set, const struct ip_addr *addr)
{
    for (size_t i = 0; i < set->count; i++)
        if (ip_addr_equal(&set->list[i], addr))
            return i;
    return set->count;
}

bool address_set_has(const struct address_set *set, const struct ip_addr *addr)
{
    return find(set, addr) < set->count;
}

static bool usable(const struct ip_addr *addr)
{
    return addr->family != IP_NONE && !ip_addr_is_special(addr);
}

enum err address_set_add(struct address_set *set, const struct ip_addr *addr)
{
    if (!usable(addr))
        return ERR_VALUE;
    if (address_set_has(set, addr))
        return ERR_REPEATED;
    if (set->count == ADDRESS_SET_MAX)
        return ERR_LIMIT;
    set->list[set->count++] = *addr;
    return ERR_OK;
}

static void take_out(struct address_set *set, size_t at)
{
    set->count--;
    memmove(&set->list[at], &set->list[at + 1], (set->count - at) * sizeof(set->list[0]));
    set->list[set->count] = (struct ip_addr){.family = IP_NONE};
}

enum err address_set_remove(struct address_set *set, const struct ip_addr *addr)
{
    size_t at = find(set, addr);
    if (at == set->count)
        return ERR_UNKNOWN;
    if (at == 0)
        return ERR_STATE;
    take_out(set, at);
    return ERR_OK;
}

enum err address_set_promote(struct address_set *set, const struct ip_addr *addr)
{
    size_t at = find(set, addr);
    if (!usable(addr))
        return ERR_VALUE;
    if (at == set->count && set->count == ADDRESS_SET_MAX)
        return ERR_LIMIT;
    if (at < set->count)
        take_out(set, at);
    memmove(&set->list[1], &set->list[0], set->count * sizeof(set->list[0]));
    set->list[0] = *addr;
    set->count++;
    return ERR_OK;
}

bool address_is_global(const struct ip_addr *addr)
{
    const uint8_t *o = addr->octets;
    if (!usable(addr))
        return false;
    if (addr->family == IP_V6)
        return (o[0] & 0xfe) != 0xfc; /* RFC 4193 */
    return o[0] != 10 && !(o[0] == 172 && (o[1] & 0xf0) == 16) && !(o[0] == 192 && o[1] == 168) &&
           !(o[0] == 100 && (o[1] & 0xc0) == 64); /* RFC 1918, RFC 6598 */
}

bool address_set_equal(const struct address_set *a, const struct address_set *b)
{
    if (a->count != b->count)
        return false;
    for (size_t i = 0; i < a->count; i++)
        if (!ip_addr_equal(&a->list[i], &b->list[i]))
            return false;
    return true;
}
