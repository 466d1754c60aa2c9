/*
 * Puts fragments together (RFC 791, RFC 815, RFC 8200 section 4.5), as a gateway must before it can
 * tell to whom they belong (RSIP-192). Where they have IPv6 it must also take them apart again, for
 * no router behind it may. Bounded in datagrams, octets and time; where room is short the oldest
 * goes. A datagram whose fragments overlap is dropped whole: nobody sends such by chance.
 */
#ifndef CYGNET_RSIP_REASSEMBLE_H
#define CYGNET_RSIP_REASSEMBLE_H

#include "base/addr.h"
#include "base/err.h"
#include "base/mono.h"
#include "base/rng.h"

enum { REASSEMBLE_MS = 30 * 1000 }; /* RSIP-193 */

struct reassembler;

MUST_USE enum err reassembler_new(const struct rng *rng, struct reassembler **ret);
void reassembler_free(struct reassembler *r);
/* `via` is the host whose tunnel it came out of, so that no other's fragments get among its own;
 * family 0: none. True: *ret is a whole datagram, either this one or what this fragment has
 * completed; it is valid until the next call, and in the second case with a header without options.
 * Fragments of IPv6 with a routing header are not put together.
 * False: it is kept, or makes no sense. */
bool reassembler_input(struct reassembler *r, mono_t now, const struct ip_addr *via,
                       struct view datagram, struct view *ret);
/* The datagram that the last call has completed must go on in fragments, none longer than the
 * longest that came: then true, and *ret is ready to be walked. */
struct fragments {
    struct view datagram;
    uint32_t piece, id; /* octets of a fragment's payload */
    size_t at;
};
bool reassembler_fragments(const struct reassembler *r, struct view datagram,
                           struct fragments *ret);
/* Writes the next fragment into room; 0: that was all, or it has no room. */
size_t fragments_next(struct fragments *f, struct span room);

void reassembler_timer(struct reassembler *r, mono_t now);
mono_t reassembler_next_deadline(const struct reassembler *r);
/* Datagrams given up for time, for room, or for overlap. */
uint64_t reassembler_lost(const struct reassembler *r);

#endif
