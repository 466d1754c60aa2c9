#include "plane/io/routing.h"

#include <errno.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "plane/io/run.h"

enum { RULES_MAX = 4096 };

/*
 * Marking at priority raw is before connection tracking: what goes into oe0 is not tracked then,
 * but when it comes out again, in clear or as ESP, so that source NAT still works on clear traffic.
 */
static const char rules_format[] =
    "table inet cygnet\n"
    "delete table inet cygnet\n"
    "table inet cygnet {\n"
    "  chain classify {\n"
    "    meta mark 0x%x return\n"
    "    %s"
    "    ip daddr { 224.0.0.0/4, 169.254.0.0/16, 255.255.255.255 } return\n"
    "    ip6 daddr { ff00::/8, fe80::/10 } return\n"
    "    icmpv6 type { nd-router-solicit, nd-router-advert, nd-neighbor-solicit,"
    " nd-neighbor-advert, nd-redirect } ip6 hoplimit 255 return\n"
    "    meta mark set 0x%x notrack\n"
    "  }\n"
    "  chain forwarded {\n"
    "    type filter hook prerouting priority raw; policy accept;\n"
    "    fib daddr type { local, broadcast, multicast } return\n"
    "    fib daddr oifname { %s } jump classify\n"
    "  }\n"
    "  chain local {\n"
    "    type route hook output priority raw; policy accept;\n"
    "    oifname { %s } jump classify\n"
    "  }\n"
    "}\n";

bool io_nft_load(const char *text, size_t len, struct io_fault *fault)
{
    static const char *const nft[] = {"nft", "-f", "-", NULL};
    int fd = memfd_create("rules", MFD_CLOEXEC);

    if (fd < 0 || write(fd, text, len) != (ssize_t)len || lseek(fd, 0, SEEK_SET) != 0) {
        io_fault_set(fault, errno, "rules for nft");
        if (fd >= 0)
            close(fd);
        return false;
    }
    int result = io_run(nft, fd);
    close(fd);
    return result == 0 || io_fault_set(fault, result < 0 ? -result : 0, "nft refused the rules");
}

static void remove_route(const char *family)
{
    char mark[16], table[16], priority[16];
    const char *const rule[] = {"ip",   family, "rule",     "del",    "fwmark",
                                mark,   "lookup", table, "priority", priority, NULL};
    const char *const flush[] = {"ip", family, "route", "flush", "table", table, NULL};

    snprintf(mark, sizeof(mark), "0x%x", ROUTING_MARK);
    snprintf(table, sizeof(table), "%d", ROUTING_TABLE);
    snprintf(priority, sizeof(priority), "%d", ROUTING_PRIORITY);
    while (io_run(rule, -1) == 0)
        continue;
    io_run(flush, -1);
}

static bool add_route(const char *family, const char *oe_name)
{
    char mark[16], table[16], priority[16];
    const char *const rule[] = {"ip",   family, "rule",     "add",    "fwmark",
                                mark,   "lookup", table, "priority", priority, NULL};
    const char *const route[] = {"ip",  family,  "route", "replace", "default",
                                 "dev", oe_name, "table", table,     NULL};

    snprintf(mark, sizeof(mark), "0x%x", ROUTING_MARK);
    snprintf(table, sizeof(table), "%d", ROUTING_TABLE);
    snprintf(priority, sizeof(priority), "%d", ROUTING_PRIORITY);
    return io_run(route, -1) == 0 && io_run(rule, -1) == 0;
}

/* Names, not indexes: they hold for an interface that comes later. */
static void list_names(const struct outside *outside, char *ret, size_t room)
{
    size_t len = 0;

    ret[0] = '\0';
    for (size_t i = 0; i < outside->count && len < room; i++)
        len += (size_t)snprintf(ret + len, room - len, "%s\"%s\"", i > 0 ? ", " : "",
                                outside->names[i]);
}

bool io_routing_install(const struct plane_setup *setup, const char *oe_name,
                        struct io_fault *fault)
{
    char rules[RULES_MAX], names[OUTSIDE_MAX * (OUTSIDE_NAME_MAX + 4)], exempt[64] = "";

    if (setup->exempt)
        snprintf(exempt, sizeof(exempt), "meta skuid %u return\n", (unsigned)setup->exempt_uid);
    list_names(&setup->outside, names, sizeof(names));
    int len = snprintf(rules, sizeof(rules), rules_format, setup->mark, exempt, ROUTING_MARK,
                       names, names);
    remove_route("-4");
    remove_route("-6");
    if (!add_route("-4", oe_name))
        return io_fault_set(fault, 0, "ip refused the rule that sends traffic into %s", oe_name);
    if (access("/proc/sys/net/ipv6", F_OK) == 0 && !add_route("-6", oe_name))
        return io_fault_set(fault, 0, "ip refused the IPv6 rule into %s", oe_name);
    return io_nft_load(rules, (size_t)len, fault);
}

void io_nft_delete_table(const char *family, const char *table)
{
    const char *const nft[] = {"nft", "delete", "table", family, table, NULL};
    io_run(nft, -1);
}

void io_routing_remove(void)
{
    io_nft_delete_table("inet", "cygnet");
    remove_route("-4");
    remove_route("-6");
}
