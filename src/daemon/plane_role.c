#include "daemon/plane_role.h"

#include <ifaddrs.h>
#include <netinet/in.h>
#include <sys/resource.h>

#include "daemon/log.h"
#include "daemon/plane_process.h"

enum {
    HOLD_SPARE_MS = 5000,
    PLANE_NICE = -10, /* tunnels come before the making of new ones (OE-194) */
};

/* keyd didn't answer in time: what policy allows for every flow, so nothing leaves in clear that a
 * class forbids (OE-023). */
static enum pfkey_verdict hold_failure(const struct cygnet_config *config)
{
    bool clear = config->fallback == OE_PERMISSIVE || config->fallback == OE_ALWAYS_CLEAR;
    for (size_t i = 0; i < config->class_count; i++)
        clear &= config->classes[i].kind == OE_PERMISSIVE ||
                 config->classes[i].kind == OE_ALWAYS_CLEAR;
    return clear ? PFKEY_VERDICT_PASS : PFKEY_VERDICT_DENY;
}

static void take_address(const struct sockaddr *address, struct plane_config *ret)
{
    struct ip_addr addr = {0};

    if (address->sa_family == AF_INET)
        addr = ip_addr_from(
            view_of(&((const struct sockaddr_in *)(const void *)address)->sin_addr, 4));
    else if (address->sa_family == AF_INET6)
        addr = ip_addr_from(
            view_of(&((const struct sockaddr_in6 *)(const void *)address)->sin6_addr, 16));
    if (addr.family == IP_NONE || ip_addr_is_special(&addr))
        return;
    struct ip_addr *place = addr.family == IP_V4 ? &ret->icmp_v4 : &ret->icmp_v6;
    if (place->family == IP_NONE)
        *place = addr;
}

/* Our ICMP errors come from the outside interface's first address. */
static void take_addresses(const char *outside, struct plane_config *ret)
{
    struct ifaddrs *all;

    if (getifaddrs(&all) != 0)
        return;
    for (const struct ifaddrs *entry = all; entry != NULL; entry = entry->ifa_next)
        if (entry->ifa_addr != NULL && strcmp(entry->ifa_name, outside) == 0)
            take_address(entry->ifa_addr, ret);
    freeifaddrs(all);
}

int plane_role_main(const struct cygnet_config *config, const struct child *child)
{
    struct plane_process_config process = {
        .child = child,
        .user = config->users.plane,
        .plane = {.hold_ms = config->wait_s * 1000 + HOLD_SPARE_MS,
                  .hold_failure = hold_failure(config),
                  .icmp_on_deny = config->icmp_on_deny},
    };
    struct io_fault fault;
    struct io_link link;

    if (setpriority(PRIO_PROCESS, 0, PLANE_NICE) != 0)
        log_line(EVENT_INFO, "runs at ordinary priority: this system allows no other");
    if (!io_link_read(config->outside, &link, &fault)) {
        log_line(EVENT_ERROR, "%s", fault.text);
        return 1;
    }
    process.plane.mtu = link.mtu;
    take_addresses(config->outside, &process.plane);
    for (int i = 0; i < PLANE_FD_COUNT; i++)
        process.fds.fd[i] = child_fd(CHILD_FD_PLANE + i);
    return plane_process_main(&process);
}
