#include "daemon/materials.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

enum { LENGTH_OCTETS = 4 };

struct gathering {
    int fd;
    char *error;
    bool secret; /* nobody but root may have access */
};

static bool fail(const struct gathering *g, const char *path, const char *what)
{
    snprintf(g->error, CONFIG_ERROR_MAX, "%s: %s", path, what);
    return false;
}

static bool write_all(const struct gathering *g, const void *octets, size_t len)
{
    return write(g->fd, octets, len) == (ssize_t)len;
}

/* From file to file: private keys don't pass through this process. */
static bool copy(const struct gathering *g, int from, size_t len)
{
    while (len > 0) {
        ssize_t done = sendfile(g->fd, from, NULL, len);
        if (done <= 0)
            return false;
        len -= (size_t)done;
    }
    return true;
}

static bool add_open_file(const struct gathering *g, const char *path, int from)
{
    struct stat st;
    uint32_t len;

    if (fstat(from, &st) != 0 || !S_ISREG(st.st_mode))
        return fail(g, path, "is no file; correct the path");
    if (st.st_size == 0 || st.st_size > MATERIAL_FILE_MAX)
        return fail(g, path, "is empty or too long; is it the right file?");
    if (g->secret && ((st.st_mode & 0077) != 0 || (st.st_uid != 0 && st.st_uid != geteuid())))
        return fail(g, path, "others than root can reach this secret; run 'chown root' and 'chmod "
                             "600' on it");
    len = (uint32_t)st.st_size;
    if (!write_all(g, path, strlen(path) + 1) || !write_all(g, &len, LENGTH_OCTETS) ||
        !copy(g, from, len))
        return fail(g, path, "can't be copied");
    return true;
}

static bool add(struct gathering *g, const char *path, bool secret)
{
    int from = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    g->secret = secret;
    if (from < 0)
        return fail(g, path, strerror(errno));
    bool ok = add_open_file(g, path, from);
    close(from);
    return ok;
}

static bool add_files(struct gathering *g, const struct cygnet_config *config,
                      const struct config_files *files)
{
    for (size_t i = 0; i < files->count; i++) {
        const char *path = config_text(config, files->at[i]);
        if (path[0] == '/' && !add(g, path, false)) /* else it is the key itself */
            return false;
    }
    return true;
}

static bool add_connection(struct gathering *g, const struct cygnet_config *config,
                           const struct config_connection *c)
{
    return (c->secret == 0 || add(g, config_text(config, c->secret), true)) &&
           (c->ppk == 0 || add(g, config_text(config, c->ppk), true)) &&
           add_files(g, config, &c->local.chain) && add_files(g, config, &c->remote.keys) &&
           add_files(g, config, &c->remote.ca) && add_files(g, config, &c->remote.crl);
}

static bool gather(struct gathering *g, const struct cygnet_config *config,
                   enum materials_kind kind)
{
    const char *path;

    if (kind == MATERIALS_KEEPER) {
        for (size_t number = 1; (path = config_private_key(config, number)) != NULL; number++)
            if (!add(g, path, true))
                return false;
        return true;
    }
    if (config->crash_secret[0] != '\0' && !add(g, config->crash_secret, true))
        return false;
    if (config->ticket_secret[0] != '\0' && !add(g, config->ticket_secret, true))
        return false;
    for (size_t i = 0; i < config->connection_count; i++)
        if (!add_connection(g, config, &config->connections[i]))
            return false;
    return true;
}

int materials_gather(const struct cygnet_config *config, enum materials_kind kind, char *error)
{
    struct gathering g = {.fd = memfd_create("cygnet-materials", MFD_CLOEXEC | MFD_ALLOW_SEALING),
                          .error = error};

    if (g.fd < 0) {
        snprintf(error, CONFIG_ERROR_MAX, "can't keep keys in memory: %s", strerror(errno));
        return -1;
    }
    if (gather(&g, config, kind) &&
        fcntl(g.fd, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) == 0)
        return g.fd;
    close(g.fd);
    return -1;
}

bool materials_map(int fd, struct materials *ret)
{
    struct stat st;

    *ret = (struct materials){0};
    if (fstat(fd, &st) != 0)
        return false;
    if (st.st_size == 0)
        return true;
    void *octets = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (octets == MAP_FAILED)
        return false;
    *ret = (struct materials){.octets = octets, .len = (size_t)st.st_size};
    return true;
}

void materials_unmap(struct materials *materials)
{
    if (materials->octets != NULL)
        munmap(materials->octets, materials->len);
    *materials = (struct materials){0};
}

struct view materials_find(const struct materials *materials, const char *path)
{
    size_t at = 0;

    while (at < materials->len) {
        const char *name = (const char *)materials->octets + at;
        size_t name_len = strnlen(name, materials->len - at) + 1;
        uint32_t len;
        if (name_len + LENGTH_OCTETS > materials->len - at)
            break;
        memcpy(&len, name + name_len, LENGTH_OCTETS);
        at += name_len + LENGTH_OCTETS;
        if (len > materials->len - at)
            break;
        if (strcmp(name, path) == 0)
            return view_of(materials->octets + at, len);
        at += len;
    }
    return view_of(NULL, 0);
}

bool materials_equal(int a, int b)
{
    struct materials left, right;
    bool equal = materials_map(a, &left), both = materials_map(b, &right) && equal;

    equal = both && left.len == right.len &&
            (left.len == 0 || memcmp(left.octets, right.octets, left.len) == 0);
    materials_unmap(&left);
    materials_unmap(&right);
    return equal;
}
