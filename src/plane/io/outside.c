#include "plane/io/outside.h"

#include <errno.h>
#include <ifaddrs.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

enum { NEWS_ROOM = 16384, ANSWER_ROOM = 4096, PATIENCE_S = 1 };

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

/* A link that is up but has no carrier carries nothing. */
static bool runs(const struct ifaddrs *entry)
{
    return (entry->ifa_flags & IFF_UP) != 0 && (entry->ifa_flags & IFF_RUNNING) != 0;
}

static void add_interface(const struct ifaddrs *all, const char *name, uint8_t rank, bool live,
                          struct outside_addresses *ret)
{
    uint32_t ifindex = if_nametoindex(name);

    for (const struct ifaddrs *entry = all; entry != NULL; entry = entry->ifa_next) {
        struct ip_addr addr = address_of(entry->ifa_addr);
        if (ret->count == OUTSIDE_ADDRESSES)
            return;
        if (strcmp(entry->ifa_name, name) != 0 || ip_addr_is_special(&addr) || runs(entry) != live)
            continue;
        ret->list[ret->count++] = (struct outside_address){addr, ifindex, rank, live};
    }
}

void outside_addresses_read(const struct outside *outside, struct outside_addresses *ret)
{
    struct outside_addresses now = {.count = 0};
    struct ifaddrs *all;

    if (getifaddrs(&all) == 0) {
        for (size_t i = 0; i < outside->count; i++)
            add_interface(all, outside->names[i], (uint8_t)i, true, &now);
        now.live_count = now.count;
        for (size_t i = 0; i < outside->count; i++)
            add_interface(all, outside->names[i], (uint8_t)i, false, &now);
        freeifaddrs(all);
    }
    *ret = now;
}

bool outside_addresses_equal(const struct outside_addresses *a, const struct outside_addresses *b)
{
    if (a->count != b->count || a->live_count != b->live_count)
        return false;
    for (size_t i = 0; i < a->count; i++)
        if (!ip_addr_equal(&a->list[i].addr, &b->list[i].addr) ||
            a->list[i].ifindex != b->list[i].ifindex || a->list[i].rank != b->list[i].rank)
            return false;
    return true;
}

uint32_t outside_address_interface(const struct outside_addresses *addresses,
                                   const struct ip_addr *addr)
{
    for (size_t i = 0; i < addresses->count; i++)
        if (ip_addr_equal(&addresses->list[i].addr, addr))
            return addresses->list[i].ifindex;
    return 0;
}

/* News */

static uint32_t groups_of(enum outside_watch what)
{
    uint32_t groups = RTMGRP_LINK;

    if (what != OUTSIDE_WATCH_LINKS)
        groups |= RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR;
    if (what == OUTSIDE_WATCH_ALL)
        groups |= RTMGRP_IPV4_ROUTE | RTMGRP_IPV6_ROUTE | (1u << (RTNLGRP_IPV4_RULE - 1)) |
                  (1u << (RTNLGRP_IPV6_RULE - 1));
    return groups;
}

int outside_watch(enum outside_watch what)
{
    const struct sockaddr_nl groups = {.nl_family = AF_NETLINK, .nl_groups = groups_of(what)};
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, NETLINK_ROUTE);

    if (fd >= 0 && bind(fd, (const struct sockaddr *)&groups, sizeof(groups)) != 0) {
        int error = errno;
        close(fd);
        errno = error;
        return -1;
    }
    return fd;
}

static enum outside_news news_of(const struct nlmsghdr *message)
{
    switch (message->nlmsg_type) {
    case RTM_NEWROUTE:
    case RTM_DELROUTE:
    case RTM_NEWRULE:
    case RTM_DELRULE:
        return OUTSIDE_NEWS_ROUTES;
    default:
        return OUTSIDE_NEWS_ADDRESSES;
    }
}

static enum outside_news news_of_all(const uint8_t *at, size_t left)
{
    enum outside_news news = OUTSIDE_NEWS_NONE;

    while (left >= sizeof(struct nlmsghdr)) {
        const struct nlmsghdr *message = (const void *)at;
        size_t step = NLMSG_ALIGN((size_t)message->nlmsg_len);
        if (message->nlmsg_len < sizeof(*message) || message->nlmsg_len > left)
            break;
        if (news_of(message) > news)
            news = news_of(message);
        if (step >= left)
            break;
        at += step;
        left -= step;
    }
    return news;
}

enum outside_news outside_news_read(int fd)
{
    union {
        struct nlmsghdr header;
        uint8_t octets[NEWS_ROOM];
    } room;
    enum outside_news all = OUTSIDE_NEWS_NONE;

    for (;;) {
        ssize_t got = recv(fd, &room, sizeof(room), 0);
        if (got < 0 && errno == EINTR)
            continue;
        if (got == 0 || (got < 0 && errno != ENOBUFS))
            return all;
        enum outside_news news =
            got > 0 ? news_of_all(room.octets, (size_t)got) : OUTSIDE_NEWS_ADDRESSES;
        all = news > all ? news : all;
    }
}

/* Routes */

struct route_request {
    struct nlmsghdr header;
    struct rtmsg route;
    uint8_t attributes[128];
};

static void put_attribute(struct route_request *request, uint16_t type, const void *value, size_t len)
{
    struct rtattr *at =
        (void *)((uint8_t *)request + NLMSG_ALIGN(request->header.nlmsg_len));

    at->rta_type = type;
    at->rta_len = (uint16_t)RTA_LENGTH(len);
    memcpy(RTA_DATA(at), value, len);
    request->header.nlmsg_len = NLMSG_ALIGN(request->header.nlmsg_len) + RTA_ALIGN(at->rta_len);
}

/* RTM_F_FIB_MATCH: for an interface without a route to it the kernel would take an IPv4 destination for
 * a neighbour there; so it says that there is none. */
static void build_request(const struct ip_addr *local, uint32_t ifindex,
                          const struct ip_addr *remote, struct route_request *ret)
{
    uint8_t bits = (uint8_t)ip_addr_bits(remote);

    *ret = (struct route_request){
        .header = {.nlmsg_len = NLMSG_LENGTH(sizeof(struct rtmsg)),
                   .nlmsg_type = RTM_GETROUTE,
                   .nlmsg_flags = NLM_F_REQUEST},
        .route = {.rtm_family = remote->family == IP_V4 ? AF_INET : AF_INET6,
                  .rtm_dst_len = bits,
                  .rtm_src_len = bits,
                  .rtm_flags = RTM_F_FIB_MATCH},
    };
    put_attribute(ret, RTA_DST, remote->octets, bits / 8);
    put_attribute(ret, RTA_SRC, local->octets, bits / 8);
    if (ifindex != 0)
        put_attribute(ret, RTA_OIF, &ifindex, sizeof(ifindex));
}

static bool is_way(const struct nlmsghdr *answer, ssize_t len)
{
    const struct rtmsg *route = NLMSG_DATA(answer);

    if (answer->nlmsg_type == NLMSG_ERROR)
        return false;
    if (answer->nlmsg_type != RTM_NEWROUTE || len < (ssize_t)NLMSG_LENGTH(sizeof(*route)))
        return true;
    return route->rtm_type == RTN_UNICAST || route->rtm_type == RTN_LOCAL;
}

bool outside_reaches(const struct ip_addr *local, uint32_t ifindex, const struct ip_addr *remote)
{
    const struct timeval patience = {.tv_sec = PATIENCE_S};
    struct route_request request;
    union {
        struct nlmsghdr header;
        uint8_t octets[ANSWER_ROOM];
    } answer;

    if (local->family != remote->family)
        return false;
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
    if (fd < 0)
        return true;
    build_request(local, ifindex, remote, &request);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    ssize_t len = -1;
    if (send(fd, &request, request.header.nlmsg_len, 0) == (ssize_t)request.header.nlmsg_len)
        len = recv(fd, &answer, sizeof(answer), 0);
    close(fd);
    return len < (ssize_t)sizeof(answer.header) || is_way(&answer.header, len);
}
