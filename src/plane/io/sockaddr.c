#include "plane/io/sockaddr.h"

socklen_t io_sockaddr_write(const struct ip_addr *addr, uint16_t port, struct sockaddr_in6 *ret)
{
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons(port)};

    memset(ret, 0, sizeof(*ret));
    if (addr->family == IP_V4) {
        memcpy(&v4.sin_addr, addr->octets, sizeof(v4.sin_addr));
        memcpy(ret, &v4, sizeof(v4));
        return sizeof(v4);
    }
    ret->sin6_family = AF_INET6;
    ret->sin6_port = htons(port);
    memcpy(&ret->sin6_addr, addr->octets, sizeof(ret->sin6_addr));
    return sizeof(*ret);
}

bool io_sockaddr_read(const struct sockaddr_in6 *name, struct ip_addr *ret_addr, uint16_t *ret_port)
{
    struct sockaddr_in v4;

    if (name->sin6_family == AF_INET6) {
        *ret_addr = ip_addr_from(view_of(&name->sin6_addr, sizeof(name->sin6_addr)));
        *ret_port = ntohs(name->sin6_port);
        return true;
    }
    if (name->sin6_family != AF_INET)
        return false;
    memcpy(&v4, name, sizeof(v4));
    *ret_addr = ip_addr_from(view_of(&v4.sin_addr, sizeof(v4.sin_addr)));
    *ret_port = ntohs(v4.sin_port);
    return true;
}
