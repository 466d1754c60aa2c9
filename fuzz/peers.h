/*
 * Two keying engines that are configured as each other's peer, for fuzzing: a wire between them, virtual
 * time, and everybody who answers their questions. Everything is the same in each run but ECDSA's own
 * randomness.
 */
#ifndef CYGNET_FUZZ_PEERS_H
#define CYGNET_FUZZ_PEERS_H

#include <stdbool.h>

#include "ike/engine.h"
#include "ike/v1/v1.h"

enum { PEERS_A, PEERS_B, PEERS_SIDES, PEERS_WIRE = 64, PEERS_LATENCY_MS = 10, PEERS_TICKET = 7 };

struct peers_datagram {
    unsigned to;
    mono_t at;
    struct ip_endpoint source, target;
    bool natt;
    size_t len;
    uint8_t octets[LIMIT_IKE_DATAGRAM];
};

struct peers_side {
    struct ike *ike;
    struct ip_endpoint addr;
    struct ike_profile profile;
    struct public_key own_public, peer_public;
    struct view chain, anchor;
    uint64_t rng_state;
    uint32_t next_spi;
    unsigned up, failed, deleted;
};

struct peers {
    struct peers_side sides[PEERS_SIDES];
    mono_t now;
    bool cut; /* nothing arrives any more */
    unsigned sent;
    size_t count;
    struct peers_datagram wire[PEERS_WIRE];
};

/* Ways of the first octet of an input: by what the peers prove themselves, and the mode. */
struct peers_way {
    enum ike_method method;
    bool aggressive;
};
struct peers_way peers_way(uint8_t octet);

void peers_open(struct peers *peers, struct peers_way way);
void peers_close(struct peers *peers);
/* A asks for the tunnel. */
void peers_begin(struct peers *peers);
void peers_run(struct peers *peers, int64_t ms);
/* The oldest datagram on the wire; NULL: none. */
const struct peers_datagram *peers_next(const struct peers *peers);
void peers_give(struct peers *peers, const struct peers_datagram *datagram);

/* peers_keys.c */
struct view peers_anchor(void);
struct view peers_certificate(unsigned side);
const struct private_key *peers_key(unsigned side, bool rsa);

#endif
