#include "daemon/own_address.h"

bool own_read(struct own *own, const struct outside *outside, bool leased_spis)
{
    struct own now = {.outside = *outside};

    outside_addresses_read(outside, &now.where);
    now.count = now.where.count;
    now.live_count = now.where.live_count;
    for (size_t i = 0; i < now.count; i++) {
        now.addresses[i] = now.where.list[i].addr;
        now.ranks[i] = now.where.list[i].rank;
    }
    if (leased_spis)
        leased_spis_read(outside->names[0], &now.leased);
    bool same = outside_addresses_equal(&now.where, &own->where) &&
                now.leased.count == own->leased.count &&
                now.leased.ike_port == own->leased.ike_port &&
                memcmp(now.leased.spis, own->leased.spis, sizeof(now.leased.spis)) == 0;
    *own = now;
    return !same;
}

uint32_t own_interface(const struct own *own, const struct ip_addr *addr)
{
    return own->outside.count > 1 ? outside_address_interface(&own->where, addr) : 0;
}

bool own_reaches(const struct own *own, const struct ip_addr *addr, const struct ip_addr *remote)
{
    return outside_reaches(addr, own_interface(own, addr), remote);
}
