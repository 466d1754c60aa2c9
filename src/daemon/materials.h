/*
 * The files that connections name - secrets, certificates, keys - gathered by the parent into sealed
 * memory files: one with private keys for the keeper, one with the rest for keyd, neither of which
 * can open files. A part is a path, a zero octet, four octets of length and that many octets.
 */
#ifndef CYGNET_DAEMON_MATERIALS_H
#define CYGNET_DAEMON_MATERIALS_H

#include "daemon/config.h"

enum { MATERIAL_FILE_MAX = 256 * 1024 };

enum materials_kind { MATERIALS_KEYD, MATERIALS_KEEPER };

/* A memory file. -1: error, CONFIG_ERROR_MAX octets, says which file is at fault. */
int materials_gather(const struct cygnet_config *config, enum materials_kind kind, char *error);

/* The same contents. */
bool materials_equal(int a, int b);

struct materials {
    uint8_t *octets; /* mapped */
    size_t len;
};
/* False: `ret` is empty, and may be unmapped. */
MUST_USE bool materials_map(int fd, struct materials *ret);
void materials_unmap(struct materials *materials);
/* The contents of the file; empty: it isn't there. */
struct view materials_find(const struct materials *materials, const char *path);

#endif
