/*
 * A gateway and thousands of road warriors that all change their addresses within a minute. The gateway is
 * what keyd and the plane run, struct control and struct plane; a peer is a struct ike of its own. Between them is a
 * network that loses and delays, NAT devices, and somebody who now and then rewrites the source of a
 * peer's datagram to the address of a victim. Time is virtual and everything random comes from one seed.
 *
 *   peer --- [NAT] ---+
 *   peer -------------+--( network )-- gateway: control + plane -- one host
 *   peer --- [NAT] ---+
 *
 * movers.c has the program, its phases and what must hold at the end; movers_world.c the parts. What must hold all
 * the time (that ESP goes to addresses only where the peer was reached before) is checked there, with each packet.
 */
#ifndef CYGNET_TESTS_MOVERS_H
#define CYGNET_TESTS_MOVERS_H

#include "base/heap.h"
#include "control/control.h"
#include "plane/plane.h"

enum {
    MOVERS_PLACES = 8,     /* of one peer, over time */
    MOVERS_INNER = 0x0a800000, /* 10.128.0.0: the peers' inner addresses */
};

/* Where a peer is, or was: its own address, and what others see of it. */
struct place {
    struct ip_addr inside, outside; /* the same without NAT */
    uint16_t first_port;            /* outside, for its port 500; the next is for 4500; 0: no NAT */
    bool opened[2];                 /* the NAT has a mapping for 500, 4500 */
    bool met;                       /* the peer got something of the gateway's there */
    bool proved;                    /* and the gateway something that the peer sent from there after that */
};

struct peer {
    struct heap_node timer, move;
    struct ike *ike;
    struct ike_profile profile;
    uint64_t rng;
    uint32_t number, spi;
    struct place places[MOVERS_PLACES];
    size_t place_count; /* the last one is where it is */
    bool away;          /* for a moment it has no address at all */
    bool again;         /* it moves once more, before the gateway can have answered */
    unsigned up, ended, moves;
    struct ip_endpoint here, there; /* where its outbound SA goes since it moved */
};

struct spent {
    double keying, data; /* seconds of the gateway's two planes */
};

struct movers_options {
    uint32_t peers;
    uint64_t seed;
    bool draft; /* draft-dupont-ikev2-addrmgmt-06 instead of MOBIKE; it knows no NAT */
    uint32_t watch; /* a peer whose records are printed, and the gateway's of it; UINT32_MAX: none */
    uint32_t loss_permille, nat_percent, twice_percent, away_percent, bomb_permille;
};

struct movers {
    struct movers_options options;
    mono_t now;
    uint64_t rng;
    struct control *control;
    struct plane *plane;
    struct ike_profile profile;
    struct tunnel_selector selector;
    struct tunnel_connection connection;
    struct control_config config;
    struct ip_addr gateway;
    struct peer *peers;
    struct heap timers, moves, wire;
    struct told *told_first, **told_last; /* from the plane to keyd, not yet handed over */
    uint32_t direct_count, nat_count;     /* places ever given out, of either kind */
    uint32_t *direct_owner, *nat_owner;   /* the peer's number; its place by its address */
    size_t owner_room;
    struct peer *expected;                /* whose datagram the plane is given; NULL: none */
    bool reached;                         /* it was sent to where that peer is now */
    bool hostile;                         /* somebody rewrites sources */
    struct spent spent;
    uint64_t sent, lost, bombs, esp, stale, ike_to_victims, hand_overs, doubles, behind_nat;
    char broken[200]; /* the first rule that was broken; empty: none */
};

/* movers_world.c */
void movers_init(struct movers *m, const struct movers_options *options);
void movers_fini(struct movers *m); /* but the gateway */
void movers_gateway_open(struct movers *m);
void movers_gateway_close(struct movers *m);
void movers_begin(struct movers *m, struct peer *peer);
/* Between now and `within_ms` from now. */
void movers_plan_move(struct movers *m, struct peer *peer, uint32_t within_ms);
/* Lets so much time pass, with a datagram a second for each peer. */
void movers_run(struct movers *m, int64_t ms);
/* A datagram for the peer: true if it goes to where the peer is. */
bool movers_reach(struct movers *m, struct peer *peer);
void movers_broke(struct movers *m, const char *format, ...) __attribute__((format(printf, 2, 3)));
uint32_t movers_random(struct movers *m, uint32_t below);

static inline struct place *peer_place(struct peer *peer)
{
    return &peer->places[peer->place_count - 1];
}

#endif
