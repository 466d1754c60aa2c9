/*
 * A model's state machines as Promela, the language of the model checker Spin, and Spin's
 * counter-examples as ladders. Pure: running Spin is the caller's.
 *
 * Each machine is a process. Between a machine that sends and one that receives there is a channel
 * of PROMELA_CHANNEL messages in order; in a `lossy` model it may lose any of them. A message from
 * a party without a machine comes whenever it is awaited, one to such a party is gone. A timer runs
 * out only while no message is on the way to or from its machine: it is longer than a round trip.
 * What happens for local reasons may happen at any time, but for the channels being half full.
 *
 * Wrong are a deadlock, in which nothing more can happen though a machine is in a state that isn't
 * `final`, and an unspecified reception: a message for which a machine has no transition in its
 * state. A state that is only left for local reasons is thought to take no time: messages wait.
 */
#ifndef CYGNET_MODEL_PROMELA_H
#define CYGNET_MODEL_PROMELA_H

#include "model/drawing.h"
#include "model/model.h"

enum { PROMELA_CHANNEL = 4, PROMELA_MACHINES_MAX = 32 };

struct promela_machine {
    const struct model_diagram *diagram;
    const struct model_machine *machine;
    size_t group; /* machines that speak with each other, directly or through others */
};

struct promela {
    const struct model *model;
    struct promela_machine machines[PROMELA_MACHINES_MAX];
    size_t machine_count;
    size_t group_count;
};

/* False: too many machines. */
MUST_USE bool promela_init(struct promela *promela, const struct model *model);
/* One group as a program. False: no memory. */
MUST_USE bool promela_write(const struct promela *promela, size_t group, struct drawing *out);

enum promela_fault {
    PROMELA_NO_FAULT,
    PROMELA_DEADLOCK,
    PROMELA_UNSPECIFIED,
};

/* `trail`: what the program printed on its way to the mistake. Appends what is wrong in a line and
 * the way there as a ladder. False: no memory. */
MUST_USE bool promela_draw(const struct promela *promela, size_t group, const char *trail,
                           enum promela_fault *ret_fault, struct drawing *out);

/* The rest is for the room's own use. */

/* Whether machine `from` sends the message to machine `to`. */
bool promela_delivers(const struct promela *p, size_t from, size_t to, size_t message);
/* The party at the other end of a message that `party` sends or receives. */
size_t promela_other_party(const struct model *model, size_t message, size_t party);
/* A transition whose message comes from a party without machines. */
bool promela_from_outside(const struct promela *p, size_t machine,
                          const struct model_transition *t);

#endif
