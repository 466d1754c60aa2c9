#include "daemon/own_address.h"

#include <errno.h>
#include <ifaddrs.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

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

bool own_read(struct own *own, const char *interface, bool leased_spis)
{
    struct own now = {0};

    now.count = own_addresses(interface, now.addresses, OWN_ADDRESSES);
    if (leased_spis)
        leased_spis_read(interface, &now.leased);
    bool same = now.count == own->count && now.leased.count == own->leased.count &&
                now.leased.ike_port == own->leased.ike_port &&
                memcmp(now.addresses, own->addresses, sizeof(now.addresses)) == 0 &&
                memcmp(now.leased.spis, own->leased.spis, sizeof(now.leased.spis)) == 0;
    *own = now;
    return !same;
}

int own_address_watch(void)
{
    const struct sockaddr_nl groups = {.nl_family = AF_NETLINK,
                                       .nl_groups = RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR};
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, NETLINK_ROUTE);

    if (fd >= 0 && bind(fd, (const struct sockaddr *)&groups, sizeof(groups)) != 0) {
        int error = errno;
        close(fd);
        errno = error;
        return -1;
    }
    return fd;
}

/* What the messages say is read from the kernel anew; a queue that overflowed (ENOBUFS) says as much. */
bool own_address_changed(int fd)
{
    uint8_t ignored[4096];
    bool any = false;
    ssize_t len;

    while ((len = recv(fd, ignored, sizeof(ignored), 0)) > 0 ||
           (len < 0 && (errno == ENOBUFS || errno == EINTR)))
        any = true;
    return any;
}
