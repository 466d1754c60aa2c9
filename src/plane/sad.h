/*
 * The SAD (RFC 4301 section 4.4.2): inbound SAs are found by SPI alone, since the plane chose every
 * one of them itself and never one for ESP that AH uses; outbound ones by SPI and peer, who chose
 * theirs. An inbound SA begins larval: a reserved SPI without keys, for either protocol. The table owns its entries; it knows nothing of policy or messages.
 */
#ifndef CYGNET_PLANE_SAD_H
#define CYGNET_PLANE_SAD_H

#include "base/heap.h"
#include "base/map.h"
#include "esp/esp.h"
#include "plane/list.h"

/* In a heap for good, with nothing to wait for: a later deadline then needs no memory. */
#define HEAP_IDLE ((mono_t){INT64_MAX - 1})

enum { SAD_SPI_LEAST = 256 }; /* RFC 4303 section 2.1: 1 to 255 are reserved */

struct sad_key {
    uint32_t spi;
    struct ip_addr peer; /* outbound: the outer destination; inbound: none */
    uint8_t zero[3];     /* a map's key is a multiple of four octets */
};

struct sad_entry {
    struct map_node node;       /* in sad.inbound or sad.outbound */
    struct sad_key key;
    struct list all;            /* in sad.all, the latest first */
    struct heap_node timer;     /* always in the heap, so that setting it can't fail */
    struct map_node by_ticket;  /* inbound and mature: the latest of its ticket is in the map, */
    struct sad_entry *older;    /* the others follow it */
    struct esp_sa *esp;         /* NULL: larval */
    struct list users;          /* outbound: SPD entries that name it */
    struct sa_params params;    /* keys wiped */
    struct esp_counts counts;   /* after the last burst */
    struct ip_endpoint here;    /* our end, */
    struct ip_endpoint from;    /* and the peer's, wherever they were at first; port 0: not in UDP or TCP */
    struct ip_addr before;      /* inbound: our address before, to which packets are on their way */
    mono_t next_move_report;    /* not before this is keyd told that it is elsewhere */
    mono_t added, used;         /* used: MONO_NEVER before the first packet */
    bool soft_told;
    uint32_t path_mtu;          /* outbound: as path_mtus had it at mtu_generation */
    uint32_t inner_mtu;         /* the largest datagram that fits */
    uint32_t mtu_generation;
};

struct sad {
    struct map inbound, outbound, by_ticket;
    struct list all;
    struct heap timers;
    struct rng rng;
    size_t limit;
};

void sad_init(struct sad *sad, size_t limit, const struct rng *rng);
void sad_fini(struct sad *sad); /* frees what is left */

/* Reserves a random SPI of the range for an inbound SA to come. ERR_VALUE: the range holds reserved
 * SPIs only; ERR_LIMIT: the table is full, or no free SPI was found; ERR_MEMORY. */
MUST_USE enum err sad_reserve(struct sad *sad, mono_t now, const struct sa_params *params,
                              uint32_t spi_min, uint32_t spi_max, struct sad_entry **ret);
/* A mature SA. ERR_VALUE: SPI, addresses, selectors or keys are not those of an SA; ERR_REPEATED:
 * it is there already; ERR_LIMIT, ERR_MEMORY, and those of esp_sa_new(). */
MUST_USE enum err sad_add(struct sad *sad, mono_t now, const struct sa_params *params,
                          struct sad_entry **ret);
/* Gives a larval SA its keys. ERR_STATE: it has them; otherwise as sad_add(). */
MUST_USE enum err sad_mature(struct sad *sad, mono_t now, struct sad_entry *sa,
                             const struct sa_params *params);
/* The peer of a mature SA in UDP is elsewhere. ERR_STATE: it isn't one; ERR_VALUE: no such place. */
MUST_USE enum err sad_move(struct sad_entry *sa, const struct ip_endpoint *to);
/* ADR-103: its outer addresses are these now, in UDP or not; its name stays. ERR_STATE: larval;
 * ERR_VALUE: not two ends of one tunnel. */
MUST_USE enum err sad_readdress(struct sad_entry *sa, const struct ip_endpoint *src,
                                const struct ip_endpoint *dst);
/* Its packets may be sent to that address of ours. */
bool sad_takes(const struct sad_entry *sa, const struct ip_addr *dst);
void sad_remove(struct sad *sad, struct sad_entry *sa); /* no SPD entry may name it */

struct sad_entry *sad_find_inbound(const struct sad *sad, uint32_t spi);
struct sad_entry *sad_find_outbound(const struct sad *sad, uint32_t spi,
                                    const struct ip_addr *peer);
/* By direction, SPI and peer of params, as requests name an SA. */
struct sad_entry *sad_find(const struct sad *sad, const struct sa_params *params);
/* The latest inbound SA of a ticket; the rest follow by `older`. */
struct sad_entry *sad_find_ticket(const struct sad *sad, uint64_t ticket);
size_t sad_count(const struct sad *sad);

/* The next due SA; NULL: none. Its timer stands still until it is set again. */
struct sad_entry *sad_due(struct sad *sad, mono_t now);
void sad_set_timer(struct sad *sad, struct sad_entry *sa, mono_t at);

/* The other gateway. */
static inline const struct ip_addr *sad_peer(const struct sad_entry *sa)
{
    return sa->params.inbound ? &sa->params.outer_src : &sa->params.outer_dst;
}

#endif
