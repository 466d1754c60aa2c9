#include "daemon/rsipd/own.h"

#include <linux/rtnetlink.h>
#include <stdio.h>

#include "daemon/rsipd/net.h"
#include "wire/ip.h"

enum { TABLE = 205, PRIORITY_LOCAL_KERNEL = 0, PRIORITY_LEASED = 50, PRIORITY_LOCAL = 100 };
enum { PROTO_AH = 51, IKE_PORT = 500 };

static bool divert(const struct rsipd_config *config, const struct rsip_range *range, bool add)
{
    const struct {
        uint8_t proto;
        uint16_t low, high;
    } rows[] = {
        {IP_PROTO_TCP, range->port_low, range->port_high},
        {IP_PROTO_UDP, range->port_low, range->port_high},
        {IP_PROTO_UDP, IKE_PORT, IKE_PORT},
        {IP_PROTO_ESP, 0, 0},
        {PROTO_AH, 0, 0},
        {IP_PROTO_ICMP, 0, 0},
    };
    /* without an address on it the kernel takes nothing from the device that it would send elsewhere */
    bool ok = net_address(config->device, &range->prefix.addr, add);

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct net_rule rule = {.priority = PRIORITY_LEASED,
                                      .table = TABLE,
                                      .in = config->server.outside,
                                      .to = range->prefix.addr,
                                      .proto = rows[i].proto,
                                      .port_low = rows[i].low,
                                      .port_high = rows[i].high};
        ok = net_rule(&rule, add) && ok;
    }
    return ok;
}

/* There is always one of the two, or the machine would not know its own addresses. */
static bool move_local(bool behind)
{
    const struct net_rule first = {.priority = PRIORITY_LOCAL_KERNEL, .table = RT_TABLE_LOCAL},
                          later = {.priority = PRIORITY_LOCAL, .table = RT_TABLE_LOCAL};
    return net_rule(behind ? &later : &first, true) && net_rule(behind ? &first : &later, false);
}

/* What hosts send comes out of the device with an address that is ours. */
static bool accept_local(const char *device)
{
    char path[96];
    snprintf(path, sizeof(path), "net/ipv4/conf/%s/accept_local", device);
    return net_sysctl(path, "1");
}

bool rsipd_own_set(const struct rsipd_config *config, bool add)
{
    const struct rsipd_server *server = &config->server;
    bool any = false, ok = true;

    for (size_t i = 0; i < server->range_count; i++)
        any |= server->ranges[i].own;
    if (!any)
        return true;
    if (add)
        ok = accept_local(config->device) && net_table(config->device, TABLE, true) &&
             move_local(true);
    for (size_t i = 0; i < server->range_count && (ok || !add); i++)
        if (server->ranges[i].own)
            ok = divert(config, &server->ranges[i], add) && ok;
    if (!add)
        ok = move_local(false) && ok;
    return ok;
}

bool rsipd_own_is(const struct rsipd_server *config, const struct ip_addr *addr)
{
    for (size_t i = 0; i < config->range_count; i++)
        if (config->ranges[i].own && ip_addr_equal(&config->ranges[i].prefix.addr, addr))
            return true;
    return false;
}
