#include "daemon/plane_role.h"

#include "daemon/log.h"
#include "daemon/own_address.h"
#include "daemon/plane_process.h"

enum { HOLD_SPARE_MS = 5000, OUTSIDE_ADDRESSES = 16 };

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

/* Our ICMP errors come from the outside interface's first address of either family. */
static void take_addresses(const char *outside, struct plane_config *ret)
{
    struct ip_addr addrs[OUTSIDE_ADDRESSES];

    for (size_t i = own_addresses(outside, addrs, OUTSIDE_ADDRESSES); i > 0; i--)
        *(addrs[i - 1].family == IP_V4 ? &ret->icmp_v4 : &ret->icmp_v6) = addrs[i - 1];
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
