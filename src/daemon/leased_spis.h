/*
 * The SPIs of an RSIP lease, on their way from cygnet-rsipd to keyd: as the alias of the leased
 * address's device (`ip link` shows it), so that the kernel keeps them beside the address, for as
 * long as the device is there, whichever daemon is started or dies first. Who may write it may
 * configure interfaces anyway; anybody may read it.
 */
#ifndef CYGNET_DAEMON_LEASED_SPIS_H
#define CYGNET_DAEMON_LEASED_SPIS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    LEASED_SPIS = 24,       /* what an alias has room for; further ones are left unused */
    LEASED_SPIS_TEXT = 256, /* IFALIASZ */
};

/* "RSIP SPIs 1a2b3c4d 00001000"; none: an empty text. Returns ret. */
const char *leased_spis_format(const uint32_t *spis, size_t count, char ret[LEASED_SPIS_TEXT]);
/* How many; of any other text none. */
size_t leased_spis_parse(const char *text, uint32_t ret[LEASED_SPIS]);
/* Those on that interface now. */
size_t leased_spis_read(const char *interface, uint32_t ret[LEASED_SPIS]);

#endif
