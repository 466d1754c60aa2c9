#include "daemon/plane_role.h"

#include <stdlib.h>
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
    bool clear = config->fallback != OE_PARANOID && config->fallback != OE_DENY;
    for (size_t i = 0; i < config->class_count; i++)
        clear &= config->classes[i].kind != OE_PARANOID && config->classes[i].kind != OE_DENY;
    return clear ? PFKEY_VERDICT_PASS : PFKEY_VERDICT_DENY;
}

/* Our ICMP errors come from the first address of either family. */
static void take_addresses(const struct outside *outside, struct plane_config *ret)
{
    struct outside_addresses all;

    outside_addresses_read(outside, &all);
    for (size_t i = all.count; i > 0; i--) {
        const struct ip_addr *addr = &all.list[i - 1].addr;
        *(addr->family == IP_V4 ? &ret->icmp_v4 : &ret->icmp_v6) = *addr;
    }
}

/* The least of those that are there: a path with less makes itself known. 0: none is. */
static uint32_t least_mtu(const struct outside *outside)
{
    uint32_t least = 0;

    for (size_t i = 0; i < outside->count; i++) {
        struct io_fault fault;
        struct io_link link;
        if (io_link_read(outside->names[i], &link, &fault) && (least == 0 || link.mtu < least))
            least = link.mtu;
    }
    return least;
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

    if (setpriority(PRIO_PROCESS, 0, PLANE_NICE) != 0)
        log_line(EVENT_INFO, "runs at ordinary priority: this system allows no other");
    take_config(config, &process.plane);
    process.plane.mtu = least_mtu(&config->outside);
    process.outside = config->outside;
    take_addresses(&config->outside, &process.plane);
    for (int i = 0; i < PLANE_FD_COUNT; i++)
        process.fds.fd[i] = child_fd(CHILD_FD_PLANE + i);
    return plane_process_main(&process);
}
