/*
 * The SPIs of an RSIP lease, and the port for IKE if one was leased, on their way from cygnet-rsipd to keyd: as the alias of the leased
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

struct leased_spis {
    uint32_t spis[LEASED_SPIS];
    size_t count;
    uint16_t ike_port; /* RSIP-006: IKE leaves from there; 0: from 500 */
};

/* "RSIP SPIs 1a2b3c4d 00001000 port 20000"; no SPIs: an empty text. Returns ret. */
const char *leased_spis_format(const struct leased_spis *leased, char ret[LEASED_SPIS_TEXT]);
/* Of any other text nothing. */
void leased_spis_parse(const char *text, struct leased_spis *ret);
/* Those on that interface now. */
void leased_spis_read(const char *interface, struct leased_spis *ret);

#endif
