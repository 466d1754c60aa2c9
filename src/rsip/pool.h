/*
 * What a gateway can lease: public addresses, whole or by port, and SPIs on them. Every address,
 * (address, port) and (address, SPI) has one owner at most, so the table that allocates is also the
 * one that says to whom an inbound packet goes (RSIP-188, RSIP-189, RSIP-195).
 *
 * Owners are opaque pointers. What is given back is held for a while before somebody else gets it
 * (RSIP-207), in the order of return. The pool owns its tables, not the owners.
 */
#ifndef CYGNET_RSIP_POOL_H
#define CYGNET_RSIP_POOL_H

#include "base/addr.h"
#include "base/err.h"
#include "base/mono.h"
#include "base/rng.h"
#include "wire/rsip.h"

/* A piece of the public address space, by configuration. */
struct rsip_range {
    struct ip_prefix prefix;
    bool whole;  /* an address may go to one host alone: RSA-IP */
    bool shared; /* or to several by ports and SPIs: RSAP-IP, RSIPSEC */
    bool own;    /* it is also the gateway's: what nobody leased is for the gateway */
    uint16_t port_low, port_high; /* that may be leased; 0, 0: 1024 to 65535 */
};

struct rsip_bind;
struct pool;
struct pool_address;

/* The addresses of all ranges; ERR_LIMIT: too many; ERR_VALUE: one is in two ranges. */
MUST_USE enum err pool_new(const struct rsip_range *ranges, size_t count, uint32_t hold_ms,
                           const struct rng *rng, struct pool **ret);
void pool_free(struct pool *pool);
/* Gives back for use what was held long enough. */
void pool_timer(struct pool *pool, mono_t now);
mono_t pool_next_deadline(const struct pool *pool);

/* NULL: not ours. */
struct pool_address *pool_find(const struct pool *pool, const struct ip_addr *addr);
/* `i` from 0 up; NULL: no more. */
struct pool_address *pool_at(const struct pool *pool, size_t i);
const struct ip_addr *pool_addr(const struct pool_address *a);
const struct rsip_range *pool_range(const struct pool_address *a);
/* Some bind is on it. */
bool pool_in_use(const struct pool_address *a);

/* Whole addresses. */
bool pool_whole_free(const struct pool_address *a);
void pool_whole_take(struct pool_address *a, struct rsip_bind *owner);
void pool_whole_give(struct pool *pool, mono_t now, struct pool_address *a);
struct rsip_bind *pool_whole_owner(const struct pool_address *a);

/* Ports. An address that is leased whole has none free. */
enum pool_state { POOL_FREE, POOL_USED, POOL_UNALLOWED };
enum pool_state pool_port_state(const struct pool_address *a, uint16_t port);
/* `count` free ports, in a row if there is such a row. False: not that many. */
bool pool_ports_choose(struct pool *pool, const struct pool_address *a, unsigned count,
                       struct rsip_ports *ret);
/* All must be free. False: out of memory, nothing changed. */
MUST_USE bool pool_ports_take(struct pool_address *a, const struct rsip_ports *ports,
                              struct rsip_bind *owner);
void pool_ports_give(struct pool *pool, mono_t now, struct pool_address *a,
                     const struct rsip_ports *ports);
struct rsip_bind *pool_port_owner(const struct pool_address *a, uint16_t port);

/* SPIs: RSIP-015, RSIP-016. Chosen ones are random (RSIP-043). */
struct pool_spis;
bool pool_spi_free(const struct pool *pool, const struct pool_address *a, uint32_t spi);
bool pool_spis_choose(struct pool *pool, const struct pool_address *a, unsigned count,
                      struct rsip_spis *ret);
/* All must be free. NULL: out of memory, or one is named twice. */
struct pool_spis *pool_spis_take(struct pool *pool, struct pool_address *a,
                                 const struct rsip_spis *spis, struct rsip_bind *owner);
/* Frees `spis` in the end; NULL is nothing. */
void pool_spis_give(struct pool *pool, mono_t now, struct pool_spis *spis);
void pool_spis_read(const struct pool_spis *spis, struct rsip_spis *ret);
struct rsip_bind *pool_spi_owner(const struct pool *pool, const struct ip_addr *addr, uint32_t spi);

/* A bind is on the address, in whatever way; counted for pool_in_use(). */
void pool_user_add(struct pool_address *a);
void pool_user_remove(struct pool_address *a);

#endif
