#include "plane/io/link.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <linux/virtio_net.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

/* Linux 6.2; not in older headers. */
#define TUN_F_USO 0x60u

enum { TUN_MTU = 65535, TUN_QUEUE = 1000, SYSCTL_PATH_MAX = 128 };

static struct ifreq request_for(const char *name)
{
    struct ifreq request = {0};

    snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", name);
    return request;
}

static int control_socket(void)
{
    return socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
}

bool io_link_read(const char *name, struct io_link *ret, struct io_fault *fault)
{
    int fd = control_socket();
    struct ifreq index = request_for(name), mtu = request_for(name);
    bool ok = fd >= 0 && ioctl(fd, SIOCGIFINDEX, &index) == 0 && ioctl(fd, SIOCGIFMTU, &mtu) == 0;
    int error = errno;

    if (fd >= 0)
        close(fd);
    if (!ok)
        return io_fault_set(fault, error, "interface %s", name);
    ret->ifindex = (uint32_t)index.ifr_ifindex;
    ret->mtu = (uint32_t)mtu.ifr_mtu;
    return true;
}

static bool sysctl_open(const char *family, const char *link, const char *key, int flags, int *ret)
{
    char path[SYSCTL_PATH_MAX];

    snprintf(path, sizeof(path), "/proc/sys/net/%s/conf/%s/%s", family, link, key);
    *ret = open(path, flags | O_CLOEXEC);
    return *ret >= 0;
}

/* IPv6 may be switched off, and older kernels lack some keys: then there is nothing to set. */
static bool sysctl_set(const char *family, const char *link, const char *key, char value,
                       struct io_fault *fault)
{
    int fd;

    if (!sysctl_open(family, link, key, O_WRONLY, &fd))
        return errno == ENOENT ||
               io_fault_set(fault, errno, "sysctl net.%s.conf.%s.%s", family, link, key);
    bool ok = write(fd, &value, 1) == 1;
    int error = errno;
    close(fd);
    return ok || io_fault_set(fault, error, "sysctl net.%s.conf.%s.%s", family, link, key);
}

static char sysctl_get(const char *family, const char *link, const char *key)
{
    char value = '0';
    int fd;

    if (!sysctl_open(family, link, key, O_RDONLY, &fd))
        return value;
    if (read(fd, &value, 1) != 1)
        value = '0';
    close(fd);
    return value;
}

/*
 * Decapsulated datagrams come from addresses whose route leads elsewhere; the SA's selectors have
 * checked them (OE-190). The larger of conf.all's value and ours counts, so where conf.all is not 0
 * ours makes the check a loose one (2), which only an interface with an address passes.
 */
static bool checks_return_path(void)
{
    return sysctl_get("ipv4", "all", "rp_filter") != '0';
}

static char forwards(const char *family, const struct outside *outside)
{
    for (size_t i = 0; i < outside->count; i++)
        if (sysctl_get(family, outside->names[i], "forwarding") == '1')
            return '1';
    return '0';
}

/* accept_local: our own ICMP errors come in here. */
static bool configure_stack(const char *name, const struct outside *outside,
                            struct io_fault *fault)
{
    return sysctl_set("ipv6", name, "addr_gen_mode", '1', fault) &&
           sysctl_set("ipv6", name, "accept_ra", '0', fault) &&
           sysctl_set("ipv4", name, "rp_filter", checks_return_path() ? '2' : '0', fault) &&
           sysctl_set("ipv4", name, "accept_local", '1', fault) &&
           sysctl_set("ipv4", name, "forwarding", forwards("ipv4", outside), fault) &&
           sysctl_set("ipv6", name, "forwarding", forwards("ipv6", outside), fault);
}

/* The IPv4 dummy address of RFC 7600: for an interface that must have some address. */
static bool set_dummy_address(int fd, const char *name)
{
    struct ifreq request = request_for(name);
    struct sockaddr_in dummy = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(0xc0000008)};

    memcpy(&request.ifr_addr, &dummy, sizeof(dummy));
    return ioctl(fd, SIOCSIFADDR, &request) == 0;
}

static bool bring_up(const char *name, uint32_t *ret_ifindex, struct io_fault *fault)
{
    int fd = control_socket();
    struct ifreq mtu = request_for(name), queue = request_for(name), flags = request_for(name),
                 index = request_for(name);
    mtu.ifr_mtu = TUN_MTU;
    queue.ifr_qlen = TUN_QUEUE;
    bool ok = fd >= 0 && ioctl(fd, SIOCSIFMTU, &mtu) == 0 &&
              ioctl(fd, SIOCSIFTXQLEN, &queue) == 0 && ioctl(fd, SIOCGIFFLAGS, &flags) == 0;
    if (ok) {
        flags.ifr_flags |= IFF_UP;
        ok = ioctl(fd, SIOCSIFFLAGS, &flags) == 0 && ioctl(fd, SIOCGIFINDEX, &index) == 0;
    }
    if (ok && checks_return_path())
        ok = set_dummy_address(fd, name);
    int error = errno;

    if (fd >= 0)
        close(fd);
    if (!ok)
        return io_fault_set(fault, error, "TUN device %s", name);
    *ret_ifindex = (uint32_t)index.ifr_ifindex;
    return true;
}

/* The device then hands out super-packets and partial checksums. Older kernels have no UDP ones. */
static void accept_super_packets(int fd)
{
    unsigned tcp = TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 | TUN_F_TSO_ECN;

    if (ioctl(fd, TUNSETOFFLOAD, tcp | TUN_F_USO) != 0)
        ioctl(fd, TUNSETOFFLOAD, tcp);
}

bool io_tun_open(const char *name, const struct outside *outside, int *ret_fd,
                 uint32_t *ret_ifindex, struct io_fault *fault)
{
    struct ifreq request = request_for(name);
    int header_len = sizeof(struct virtio_net_hdr);
    int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);

    if (fd < 0)
        return io_fault_set(fault, errno, "/dev/net/tun");
    request.ifr_flags = IFF_TUN | IFF_NO_PI | IFF_VNET_HDR;
    if (ioctl(fd, TUNSETIFF, &request) != 0 || ioctl(fd, TUNSETVNETHDRSZ, &header_len) != 0) {
        io_fault_set(fault, errno, "TUN device %s", name);
        close(fd);
        return false;
    }
    accept_super_packets(fd);
    if (!configure_stack(name, outside, fault) || !bring_up(name, ret_ifindex, fault)) {
        close(fd);
        return false;
    }
    *ret_fd = fd;
    return true;
}
