/*
 * Three gateways of the simulator for the fuzzers of the engines: the real control and plane
 * objects in virtual time. The first insists on OE, the second takes it where it can, the third has
 * a good key and no scruples. A rule of the simulator that breaks aborts. With
 * FUZZ_VERBOSE in the environment the trace is printed.
 */
#ifndef CYGNET_FUZZ_GATEWAYS_H
#define CYGNET_FUZZ_GATEWAYS_H

#include "../tests/sim/world.h"

enum { GATEWAY_SUBJECT, GATEWAY_PEER, GATEWAY_STRANGER, GATEWAYS };

/* What is left of the input; it yields zeros when it is used up. */
struct fuzz_input {
    const uint8_t *at;
    size_t left;
};

uint8_t input_u8(struct fuzz_input *in);
uint16_t input_u16(struct fuzz_input *in);
struct view input_bytes(struct fuzz_input *in, size_t most);

void gateways_open(struct world *w, enum ike_version version);
/* A datagram of a host enters at a gateway, its own or another. */
void gateways_send(struct world *w, unsigned via, const struct sim_host *from,
                   const struct sim_host *to);
/* Goes on in time; aborts if a rule breaks or something grows without bound. */
void gateways_run(struct world *w, int64_t us);
/* Everything ends: five hours later nothing may be left. */
void gateways_end(struct world *w);
/* A waiting event of one of the kinds (bits), from `index` on; NULL: none. */
struct sim_event *gateways_event(struct world *w, unsigned index, unsigned kinds);
void gateways_forget(struct world *w, struct sim_event *event);
struct sim_event *gateways_repeat(struct world *w, const struct sim_event *event, int64_t delay_us);

#endif
