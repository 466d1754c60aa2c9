/*
 * Interception where eBPF is refused: nftables marks what is about to leave an outside interface,
 * and a routing rule sends what is marked into oe0. The plane then sees every datagram, also those
 * of clear and denied pairs, and puts clear ones back itself, so clear traffic is slower than with
 * the classifier. It sees datagrams before source NAT, not after it. For the privileged parent.
 */
#ifndef CYGNET_PLANE_IO_ROUTING_H
#define CYGNET_PLANE_IO_ROUTING_H

#include "plane/io/fault.h"
#include "plane/io/setup.h"

/* Mark of intercepted datagrams, "CYG" and 2, and the routing table that takes them to oe0. */
#define ROUTING_MARK 0x43594702u
#define ROUTING_TABLE 17241 /* "CY" */
#define ROUTING_PRIORITY 17241

/* Runs nft and ip. Replaces what an earlier run left. */
MUST_USE bool io_routing_install(const struct plane_setup *setup, const char *oe_name,
                                 struct io_fault *fault);
void io_routing_remove(void);

/* Has nft take these rules, or take a table out. */
MUST_USE bool io_nft_load(const char *text, size_t len, struct io_fault *fault);
void io_nft_delete_table(const char *family, const char *table);

#endif
