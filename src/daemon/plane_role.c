#include "daemon/plane_role.h"

#include <ifaddrs.h>
#include <netinet/in.h>
#include <stdlib.h>

#include "daemon/log.h"
#include "daemon/plane_process.h"

enum { HOLD_SPARE_MS = 5000 };

/* keyd didn't answer in time: what policy allows for every flow, so nothing leaves in clear that a
 * class forbids (OE-023). */
static enum pfkey_verdict hold_failure(const struct cygnet_config *config)
{
    bool clear = config->fallback != OE_PARANOID && config->fallback != OE_DENY;
    for (size_t i = 0; i < config->class_count; i++)
        clear &= config->classes[i].kind != OE_PARANOID && config->classes[i].kind != OE_DENY;
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

/* As long as the most patient class waits (OE-023). */
static uint32_t longest_wait_s(const struct cygnet_config *config)
{
    uint32_t wait_s = config->wait_s;
    for (size_t i = 0; i < config->class_count; i++)
        if (config->classes[i].wait_s > wait_s)
            wait_s = config->classes[i].wait_s;
    return wait_s;
}

static void take_config(const struct cygnet_config *config, struct plane_config *ret)
{
    ret->hold_ms = longest_wait_s(config) * 1000 + HOLD_SPARE_MS;
    ret->hold_failure = hold_failure(config);
    ret->icmp_on_deny = config->icmp_on_deny;
}

static bool read_config(int fd, struct plane_config *ret)
{
    struct cygnet_config *config = malloc(sizeof(*config));
    bool ok = config != NULL && child_read_config(fd, config);

    if (ok)
        take_config(config, ret);
    free(config);
    return ok;
}

int plane_role_main(const struct cygnet_config *config, const struct child *child)
{
    struct plane_process_config process = {
        .child = child,
        .user = config->users.plane,
        .read_config = read_config,
    };
    struct io_fault fault;
    struct io_link link;

    if (!io_link_read(config->outside, &link, &fault)) {
        log_line(EVENT_ERROR, "%s", fault.text);
        return 1;
    }
    take_config(config, &process.plane);
    process.plane.mtu = link.mtu;
    take_addresses(config->outside, &process.plane);
    for (int i = 0; i < PLANE_FD_COUNT; i++)
        process.fds.fd[i] = child_fd(CHILD_FD_PLANE + i);
    return plane_process_main(&process);
}
