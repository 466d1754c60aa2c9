#include "daemon/rsipd/net.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <linux/fib_rules.h>
#include <linux/if_tun.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemon/log.h"

enum { BACKLOG = 64, BUFFER_OCTETS = 4 << 20 };

static bool failed(const char *what, const char *on)
{
    log_line(EVENT_ERROR, "%s %s: %s", what, on, strerror(errno));
    return false;
}

static bool bring_up(const char *name, unsigned mtu)
{
    struct ifreq size = {.ifr_mtu = (int)mtu}, flags = {0};
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    snprintf(size.ifr_name, sizeof(size.ifr_name), "%s", name);
    snprintf(flags.ifr_name, sizeof(flags.ifr_name), "%s", name);
    bool ok = fd >= 0 && ioctl(fd, SIOCSIFMTU, &size) == 0 && ioctl(fd, SIOCGIFFLAGS, &flags) == 0;
    flags.ifr_flags |= IFF_UP;
    ok = ok && ioctl(fd, SIOCSIFFLAGS, &flags) == 0;
    if (!ok)
        failed("can't bring up", name);
    if (fd >= 0)
        close(fd);
    return ok;
}

int net_tun_open(const char *name, unsigned mtu)
{
    struct ifreq request = {.ifr_flags = IFF_TUN | IFF_NO_PI};
    int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);

    snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", name);
    if (fd < 0 || ioctl(fd, TUNSETIFF, &request) != 0) {
        failed("can't make the TUN device", name);
    } else if (bring_up(name, mtu)) {
        return fd;
    }
    if (fd >= 0)
        close(fd);
    return -1;
}

bool net_tun_keep(int fd, const char *name)
{
    struct ifaddrs *all;

    if (ioctl(fd, TUNSETPERSIST, 1) != 0)
        return failed("can't keep the TUN device", name);
    net_alias(name, "");
    if (getifaddrs(&all) != 0)
        return failed("can't read the addresses of", name);
    for (const struct ifaddrs *entry = all; entry != NULL; entry = entry->ifa_next) {
        const struct sockaddr_in *v4 = (const void *)entry->ifa_addr;
        if (strcmp(entry->ifa_name, name) == 0 && v4 != NULL && v4->sin_family == AF_INET) {
            struct ip_addr addr = ip_addr_from(view_of(&v4->sin_addr, sizeof(v4->sin_addr)));
            net_address(name, &addr, false);
        }
    }
    freeifaddrs(all);
    return true;
}

static struct sockaddr_in sockaddr_of(const struct ip_addr *addr, uint16_t port)
{
    struct sockaddr_in sa = {.sin_family = AF_INET, .sin_port = htons(port)};
    if (addr->family == IP_V4)
        memcpy(&sa.sin_addr, addr->octets, 4);
    return sa;
}

static int bound(int fd, const struct ip_addr *local, uint16_t port, const char *what)
{
    struct sockaddr_in sa = sockaddr_of(local, port);
    int octets = BUFFER_OCTETS;

    if (fd < 0 || bind(fd, (const struct sockaddr *)&sa, sizeof(sa)) != 0) {
        char text[IP_ADDR_TEXT_MAX];
        failed(what, ip_addr_format(local, text));
        if (fd >= 0)
            close(fd);
        return -1;
    }
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &octets, sizeof(octets));
    setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &octets, sizeof(octets));
    return fd;
}

/* The kernel cuts a tunnel's datagram where a link is too small for it, and puts it together. */
int net_tunnel_socket(uint8_t proto, const struct ip_addr *local)
{
    int fd = socket(AF_INET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, proto);
    int never = IP_PMTUDISC_DONT;

    if (fd >= 0)
        setsockopt(fd, IPPROTO_IP, IP_MTU_DISCOVER, &never, sizeof(never));
    return bound(fd, local, 0, "can't open the tunnel's socket at");
}

int net_message_socket(const struct ip_addr *local, uint16_t port, bool stream)
{
    int type = (stream ? SOCK_STREAM : SOCK_DGRAM) | SOCK_NONBLOCK | SOCK_CLOEXEC, on = 1;
    int fd = socket(AF_INET, type, 0);

    if (fd >= 0 && stream)
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    fd = bound(fd, local, port, "can't listen for RSIP messages at");
    if (fd >= 0 && stream && port != 0 && listen(fd, BACKLOG) != 0) {
        failed("can't listen for", "TCP connections");
        close(fd);
        return -1;
    }
    return fd;
}

/* A netlink request with room for attributes. */
struct request {
    struct nlmsghdr header;
    union {
        struct ifaddrmsg address;
        struct rtmsg route;
        struct fib_rule_hdr rule;
        struct ndmsg neighbour;
        struct ifinfomsg link;
    };
    uint8_t attributes[320];
};

static void put(struct request *r, uint16_t type, const void *data, size_t len)
{
    struct rtattr *attribute =
        (struct rtattr *)(void *)((char *)r + NLMSG_ALIGN(r->header.nlmsg_len));
    attribute->rta_type = type;
    attribute->rta_len = (uint16_t)RTA_LENGTH(len);
    memcpy(RTA_DATA(attribute), data, len);
    r->header.nlmsg_len =
        (uint32_t)(NLMSG_ALIGN(r->header.nlmsg_len) + RTA_ALIGN(attribute->rta_len));
}

static struct request request_of(uint16_t add, uint16_t del, bool is_add, size_t len)
{
    return (struct request){
        .header = {.nlmsg_len = (uint32_t)NLMSG_LENGTH(len),
                   .nlmsg_type = is_add ? add : del,
                   .nlmsg_flags = (uint16_t)(NLM_F_REQUEST | NLM_F_ACK |
                                             (is_add ? NLM_F_CREATE | NLM_F_REPLACE : 0))}};
}

/* What isn't there is as good as taken away. */
static bool talk(struct request *r, const char *what, const char *on)
{
    struct {
        struct nlmsghdr header;
        struct nlmsgerr error;
        uint8_t more[512];
    } answer = {0};
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
    bool ok = fd >= 0 && send(fd, r, r->header.nlmsg_len, 0) == (ssize_t)r->header.nlmsg_len &&
              recv(fd, &answer, sizeof(answer), 0) >= (ssize_t)NLMSG_LENGTH(sizeof(answer.error));

    if (ok) {
        errno = -answer.error.error;
        bool del = r->header.nlmsg_type == RTM_DELADDR || r->header.nlmsg_type == RTM_DELROUTE ||
                   r->header.nlmsg_type == RTM_DELNEIGH || r->header.nlmsg_type == RTM_DELRULE;
        ok = errno == 0 || del || (errno == EEXIST && r->header.nlmsg_type == RTM_NEWRULE);
    }
    if (!ok)
        failed(what, on);
    if (fd >= 0)
        close(fd);
    return ok;
}

bool net_address(const char *device, const struct ip_addr *addr, bool add)
{
    struct request r = request_of(RTM_NEWADDR, RTM_DELADDR, add, sizeof(r.address));

    r.address = (struct ifaddrmsg){.ifa_family = AF_INET,
                                   .ifa_prefixlen = (uint8_t)ip_addr_bits(addr),
                                   .ifa_index = if_nametoindex(device)};
    put(&r, IFA_LOCAL, addr->octets, ip_addr_len(addr));
    put(&r, IFA_ADDRESS, addr->octets, ip_addr_len(addr));
    return talk(&r, "can't set the address of", device);
}

bool net_alias(const char *device, const char *text)
{
    struct request r = request_of(RTM_SETLINK, RTM_SETLINK, false, sizeof(r.link));

    r.link = (struct ifinfomsg){.ifi_index = (int)if_nametoindex(device)};
    put(&r, IFLA_IFALIAS, text, strlen(text));
    return talk(&r, "can't set the alias of", device);
}

bool net_route(const char *device, const struct ip_prefix *to, const struct ip_addr *source,
               bool add)
{
    struct request r = request_of(RTM_NEWROUTE, RTM_DELROUTE, add, sizeof(r.route));
    uint32_t index = if_nametoindex(device);

    r.route = (struct rtmsg){.rtm_family = AF_INET,
                             .rtm_dst_len = to->bits,
                             .rtm_table = RT_TABLE_MAIN,
                             .rtm_protocol = RTPROT_STATIC,
                             .rtm_scope = RT_SCOPE_LINK,
                             .rtm_type = RTN_UNICAST};
    if (to->bits > 0)
        put(&r, RTA_DST, to->addr.octets, 4);
    put(&r, RTA_OIF, &index, sizeof(index));
    if (source->family == IP_V4)
        put(&r, RTA_PREFSRC, source->octets, 4);
    return talk(&r, "can't set a route into", device);
}

bool net_table(const char *device, uint8_t table, bool add)
{
    struct request r = request_of(RTM_NEWROUTE, RTM_DELROUTE, add, sizeof(r.route));
    uint32_t index = if_nametoindex(device);

    r.route = (struct rtmsg){.rtm_family = AF_INET,
                             .rtm_table = table,
                             .rtm_protocol = RTPROT_STATIC,
                             .rtm_scope = RT_SCOPE_LINK,
                             .rtm_type = RTN_UNICAST};
    put(&r, RTA_OIF, &index, sizeof(index));
    return talk(&r, "can't set a route into", device);
}

bool net_rule(const struct net_rule *rule, bool add)
{
    struct request r = request_of(RTM_NEWRULE, RTM_DELRULE, add, sizeof(r.rule));
    const struct fib_rule_port_range ports = {rule->port_low, rule->port_high};

    if (add)
        r.header.nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL;
    r.rule = (struct fib_rule_hdr){
        .family = AF_INET, .table = rule->table, .action = FR_ACT_TO_TBL};
    put(&r, FRA_PRIORITY, &rule->priority, sizeof(rule->priority));
    if (rule->in != NULL)
        put(&r, FRA_IIFNAME, rule->in, strlen(rule->in) + 1);
    if (rule->to.family == IP_V4) {
        r.rule.dst_len = 32;
        put(&r, FRA_DST, rule->to.octets, 4);
    }
    if (rule->proto != 0)
        put(&r, FRA_IP_PROTO, &rule->proto, sizeof(rule->proto));
    if (rule->port_high != 0)
        put(&r, FRA_DPORT_RANGE, &ports, sizeof(ports));
    return talk(&r, "can't set a routing rule for", rule->in != NULL ? rule->in : "our addresses");
}

bool net_proxy(const char *device, const struct ip_addr *addr, bool add)
{
    struct request r = request_of(RTM_NEWNEIGH, RTM_DELNEIGH, add, sizeof(r.neighbour));

    r.neighbour = (struct ndmsg){.ndm_family = AF_INET,
                                 .ndm_ifindex = (int)if_nametoindex(device),
                                 .ndm_state = NUD_PERMANENT,
                                 .ndm_flags = NTF_PROXY};
    put(&r, NDA_DST, addr->octets, ip_addr_len(addr));
    return talk(&r, "can't answer ARP on", device);
}

static int sysctl_open(const char *path, int flags)
{
    char name[160];
    snprintf(name, sizeof(name), "/proc/sys/%s", path);
    return open(name, flags | O_CLOEXEC);
}

bool net_sysctl(const char *path, const char *value)
{
    int fd = sysctl_open(path, O_WRONLY);

    if (fd < 0)
        return errno == ENOENT || failed("can't set", path);
    bool ok = write(fd, value, strlen(value)) == (ssize_t)strlen(value);
    if (!ok)
        failed("can't set", path);
    close(fd);
    return ok;
}

bool net_sysctl_read(const char *path, char *ret, size_t room)
{
    int fd = sysctl_open(path, O_RDONLY);
    ssize_t len = fd < 0 ? -1 : read(fd, ret, room - 1);

    if (fd >= 0)
        close(fd);
    if (len < 0)
        return false;
    ret[len] = '\0';
    return true;
}
