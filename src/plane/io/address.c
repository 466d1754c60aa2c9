#include "plane/io/address.h"

#include <stdio.h>

#include "plane/io/run.h"
#include "plane/io/setup.h"

enum { TABLE = 17230, MAIN_PRIORITY = 17229, OWN_PRIORITY = 17230 };

/*
 * A default route into the tunnel must not catch the tunnel's own packets, which carry our mark, nor
 * what has a route of its own: it stands in a table that is asked after those.
 */
static void default_route(const char *family, const char *device, const char *address,
                          bool set)
{
    char table[8], main_priority[8], own_priority[8], mark[16];
    const char *verb = set ? "add" : "del";
    const char *const first[] = {"ip",     family, "rule", verb, "lookup", "main",
                                 "suppress_prefixlength", "0", "priority", main_priority, NULL};
    const char *const own[] = {"ip",     family, "rule",  verb,       "not",        "fwmark", mark,
                               "lookup", table,  "priority", own_priority, NULL};
    const char *const route[] = {"ip",  family, "route", set ? "replace" : "del", "default", "dev",
                                 device, "src", address, "table", table, NULL};

    snprintf(table, sizeof(table), "%d", TABLE);
    snprintf(main_priority, sizeof(main_priority), "%d", MAIN_PRIORITY);
    snprintf(own_priority, sizeof(own_priority), "%d", OWN_PRIORITY);
    snprintf(mark, sizeof(mark), "0x%x", PLANE_MARK);
    io_run(route, -1);
    io_run(first, -1);
    io_run(own, -1);
}

bool io_address_set(const char *device, const struct ip_addr *address,
                    const struct ip_prefix *net, bool set)
{
    char host[IP_PREFIX_TEXT_MAX], text[IP_ADDR_TEXT_MAX], net_text[IP_PREFIX_TEXT_MAX];
    const struct ip_prefix alone = ip_prefix_of(address, ip_addr_bits(address));
    const char *family = address->family == IP_V6 ? "-6" : "-4";
    const char *const add[] = {"ip", family, "address", "replace", host, "dev", device, NULL};
    const char *const del[] = {"ip", family, "address", "del", host, "dev", device, NULL};
    const char *const route[] = {"ip",  family, "route", set ? "replace" : "del", net_text,
                                 "dev", device, "src",   text,                    NULL};

    ip_prefix_format(&alone, host);
    ip_addr_format(address, text);
    ip_prefix_format(net, net_text);
    bool ok = !set || io_run(add, -1) == 0;
    if (net->bits == 0)
        default_route(family, device, text, set);
    else
        ok = io_run(route, -1) == 0 && ok;
    if (!set)
        io_run(del, -1);
    return ok || !set;
}
