/*
 * Two gateways back to back in one process, for measuring: the real control and plane objects,
 * joined by the simulator's gateway.c and world.c, over a network that loses nothing, with a DNS
 * that knows any number of hosts. Time is virtual, so the processor is all that is spent.
 *
 * The first gateway's hosts talk to hosts of three kinds, each pair of hosts used once.
 */
#ifndef CYGNET_BENCH_PAIR_H
#define CYGNET_BENCH_PAIR_H

#include "world.h"

enum pair_kind {
    PAIR_STRANGER, /* behind a gateway address of its own: phase 1 and phase 2 */
    PAIR_KNOWN,    /* PAIR_KNOWN_EACH behind one gateway address: phase 2 alone, after the first */
    PAIR_CLEAR,    /* without a delegation */
    PAIR_KINDS
};
const char *pair_kind_name(enum pair_kind kind);

struct pair {
    struct world world;
    uint32_t used[PAIR_KINDS];
};

/* Below what IKE does under one phase 1 at a time. */
enum { PAIR_KNOWN_EACH = 200 };

enum { PAIR_INITIATOR, PAIR_RESPONDER }; /* in world.gateways */

/* Abort the program when memory runs out. */
void pair_open(struct pair *pair);
void pair_close(struct pair *pair);

/* `count` hosts each send one datagram to a host of this kind, never spoken to before. False: not
 * all of them arrived the way they should; the reason is on standard error. */
bool pair_talk(struct pair *pair, enum pair_kind kind, uint32_t count);

/* Processor time of this process. */
double pair_seconds(void);

#endif
