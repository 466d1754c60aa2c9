#include "daemon/own_address.h"

#include <ifaddrs.h>
#include <netinet/in.h>
#include <sys/socket.h>

static struct ip_addr address_of(const struct sockaddr *name)
{
    const struct sockaddr_in *v4 = (const void *)name;
    const struct sockaddr_in6 *v6 = (const void *)name;

    if (name != NULL && name->sa_family == AF_INET)
        return ip_addr_from(view_of(&v4->sin_addr, sizeof(v4->sin_addr)));
    if (name != NULL && name->sa_family == AF_INET6)
        return ip_addr_from(view_of(&v6->sin6_addr, sizeof(v6->sin6_addr)));
    return (struct ip_addr){.family = IP_NONE};
}

size_t own_addresses(const char *interface, struct ip_addr *ret, size_t room)
{
    struct ifaddrs *all;
    size_t count = 0;

    if (getifaddrs(&all) != 0)
        return 0;
    for (const struct ifaddrs *entry = all; entry != NULL && count < room; entry = entry->ifa_next) {
        struct ip_addr addr = address_of(entry->ifa_addr);
        if (strcmp(entry->ifa_name, interface) == 0 && !ip_addr_is_special(&addr))
            ret[count++] = addr;
    }
    freeifaddrs(all);
    return count;
}
