#include "daemon/open.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "daemon/log.h"

enum { STUB_BACKLOG = 64 };
enum { IKE_PORT = OPEN_IKE_PORT, IKE_SOCKET_OCTETS = 4 * 1024 * 1024, CONTROL_BACKLOG = 16 };

static bool failed(const char *what, const char *path)
{
    log_line(EVENT_ERROR, "can't %s %s: %s", what, path, strerror(errno));
    return false;
}

int open_sealed_copy(const char *text, size_t len)
{
    int fd = memfd_create("cygnet-config", MFD_CLOEXEC | MFD_ALLOW_SEALING);

    if (fd >= 0 && (len == 0 || pwrite(fd, text, len, 0) == (ssize_t)len) &&
        fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) == 0)
        return fd;
    failed("keep", "the configuration in memory");
    if (fd >= 0)
        close(fd);
    return -1;
}

int open_memory(void)
{
    int fd = memfd_create("cygnet-saved", MFD_CLOEXEC);
    if (fd < 0)
        failed("make", "a memory file for saved SAs");
    return fd;
}

int open_program(const char *path)
{
    struct stat st;
    int fd = open(path, O_PATH | O_CLOEXEC);

    if (fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_uid == 0 &&
        (st.st_mode & 0022) == 0)
        return fd;
    if (fd >= 0) {
        close(fd);
        errno = EPERM;
    }
    failed("run", path);
    return -1;
}

static bool make_dir(const char *path, mode_t mode)
{
    return mkdir(path, mode) == 0 || errno == EEXIST || failed("make", path);
}

int open_table(const char *directory, const char *name)
{
    char path[2 * CONFIG_PATH_MAX];

    snprintf(path, sizeof(path), "%s/%s", directory, name);
    if (!make_dir(directory, 0700))
        return -1;
    int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0)
        failed("write", path);
    return fd;
}

bool open_parents(const char *path)
{
    char part[CONFIG_PATH_MAX];

    if (strlen(path) >= sizeof(part))
        return false;
    for (const char *slash = strchr(path + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
        size_t len = (size_t)(slash - path);
        memcpy(part, path, len);
        part[len] = '\0';
        if (!make_dir(part, 0755))
            return false;
    }
    return true;
}

bool open_empty_dir(void)
{
    return open_parents(CHILD_EMPTY_DIR) && make_dir(CHILD_EMPTY_DIR, 0555);
}

/* Takes over fd. */
static bool is_empty_dir(int fd)
{
    DIR *dir = fdopendir(fd);
    size_t count = 0;

    if (dir == NULL) {
        close(fd);
        return false;
    }
    while (readdir(dir) != NULL)
        count++;
    closedir(dir);
    return count == 2; /* "." and ".." */
}

/* Only an empty directory changes hands: a mistyped path must not give away somebody else's. */
static bool give_dir(int fd, const char *path, uid_t uid, gid_t gid)
{
    struct stat st;

    if (fstat(fd, &st) == 0 && st.st_uid == uid)
        return true;
    if (!is_empty_dir(dup(fd))) {
        log_line(EVENT_ERROR, "%s isn't keyd's and isn't empty; give it to keyd or set 'state'",
                 path);
        return false;
    }
    return fchown(fd, uid, gid) == 0 || failed("give to keyd", path);
}

bool open_state_dir(const char *path, uid_t uid, gid_t gid)
{
    if (!open_parents(path) || !make_dir(path, 0750))
        return false;
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return failed("open", path);
    bool ok = give_dir(fd, path, uid, gid);
    close(fd);
    return ok;
}

/* Somebody answers there: then it isn't ours to replace. */
static bool is_served(const struct sockaddr_un *address)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool served = fd >= 0 && connect(fd, (const struct sockaddr *)address, sizeof(*address)) == 0;
    if (fd >= 0)
        close(fd);
    return served;
}

bool open_is_free(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    if (strlen(path) >= sizeof(address.sun_path))
        return false;
    strcpy(address.sun_path, path);
    if (!is_served(&address))
        return true;
    log_line(EVENT_ERROR, "another cygnetd answers at %s; stop it or set 'control'", path);
    return false;
}

static bool remove_stale(const char *path)
{
    struct stat st;

    if (lstat(path, &st) != 0)
        return errno == ENOENT || failed("look at", path);
    if (!S_ISSOCK(st.st_mode)) {
        log_line(EVENT_ERROR, "%s is there and is no socket; move it away or set 'control'", path);
        return false;
    }
    return unlink(path) == 0 || failed("replace", path);
}

static bool listen_on(int fd, const struct sockaddr_un *address, gid_t gid)
{
    mode_t before = umask(0177);
    bool ok = bind(fd, (const struct sockaddr *)address, sizeof(*address)) == 0;
    umask(before);
    return ok && chown(address->sun_path, 0, gid) == 0 && chmod(address->sun_path, 0660) == 0 &&
           listen(fd, CONTROL_BACKLOG) == 0;
}

int open_control_socket(const char *path, gid_t gid)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    if (strlen(path) >= sizeof(address.sun_path) || !open_parents(path))
        return -1;
    strcpy(address.sun_path, path);
    if (!open_is_free(path) || !remove_stale(path))
        return -1;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd >= 0 && listen_on(fd, &address, gid))
        return fd;
    failed("listen at", path);
    if (fd >= 0)
        close(fd);
    return -1;
}

static bool set(int fd, int level, int option, int value)
{
    return setsockopt(fd, level, option, &value, sizeof(value)) == 0;
}

/* RSIP-005: source and destination of what we send are both 500, unless a port was leased (RSIP-006). */
static bool prepare_v4(int fd, uint16_t port)
{
    struct sockaddr_in any = {.sin_family = AF_INET, .sin_port = htons(port)};
    return set(fd, IPPROTO_IP, IP_PKTINFO, 1) &&
           set(fd, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DONT) &&
           bind(fd, (const struct sockaddr *)&any, sizeof(any)) == 0;
}

static bool prepare_v6(int fd, uint16_t port)
{
    struct sockaddr_in6 any = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
    return set(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1) && set(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, 1) &&
           set(fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER, IPV6_PMTUDISC_DONT) &&
           bind(fd, (const struct sockaddr *)&any, sizeof(any)) == 0;
}

int open_ike_socket(enum ip_family family, uint16_t port, uint32_t mark)
{
    int fd = socket(family == IP_V6 ? AF_INET6 : AF_INET,
                    SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (fd < 0) {
        if (errno != EAFNOSUPPORT)
            failed("open", "a UDP socket");
        return -1;
    }
    set(fd, SOL_SOCKET, SO_RCVBUFFORCE, IKE_SOCKET_OCTETS);
    if (set(fd, SOL_SOCKET, SO_MARK, (int)mark) &&
        (family == IP_V6 ? prepare_v6(fd, port) : prepare_v4(fd, port)))
        return fd;
    if (errno == EADDRINUSE)
        log_line(EVENT_ERROR, "UDP port %u is taken; stop the other %s ('ss -lunp' shows it)", port,
                 port == IKE_PORT ? "IKE daemon" : "program");
    else
        failed("prepare", "a UDP port for IKE");
    close(fd);
    errno = EINVAL;
    return -1;
}

static socklen_t socket_address(const struct ip_endpoint *at, struct sockaddr_storage *ret)
{
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons(at->port)};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons(at->port)};

    if (at->addr.family == IP_V4) {
        memcpy(&v4.sin_addr, at->addr.octets, 4);
        memcpy(ret, &v4, sizeof(v4));
        return sizeof(v4);
    }
    memcpy(&v6.sin6_addr, at->addr.octets, 16);
    memcpy(ret, &v6, sizeof(v6));
    return sizeof(v6);
}

int open_stub_socket(const struct ip_endpoint *at, bool stream)
{
    struct sockaddr_storage address;
    socklen_t len = socket_address(at, &address);
    char text[IP_ENDPOINT_TEXT_MAX];
    int fd = socket(address.ss_family,
                    (stream ? SOCK_STREAM : SOCK_DGRAM) | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    /* An address that comes up later is no mistake: interfaces may be slower than we are. */
    if (fd >= 0 && (!stream || set(fd, SOL_SOCKET, SO_REUSEADDR, 1)) &&
        set(fd, IPPROTO_IP, IP_FREEBIND, 1) &&
        bind(fd, (const struct sockaddr *)&address, len) == 0 &&
        (!stream || listen(fd, STUB_BACKLOG) == 0))
        return fd;
    ip_endpoint_format(at, text);
    if (errno == EADDRINUSE)
        log_line(EVENT_ERROR,
                 "%s port %s is taken: another DNS server listens there; take it out of 'stub'",
                 stream ? "TCP" : "UDP", text);
    else
        failed("listen on", text);
    if (fd >= 0)
        close(fd);
    return -1;
}
