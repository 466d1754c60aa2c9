/*
 * What the action files share: how a connection settles in a lasting state, and how a lifespan is
 * begun.
 */
#ifndef CYGNET_OE_ACTIONS_H
#define CYGNET_OE_ACTIONS_H

#include "oe/table.h"

#define OE_REASON(step, ...) TEXT_SET((step)->inst->reason, __VA_ARGS__)

static inline int64_t seconds(uint32_t s)
{
    return 1000 * (int64_t)s;
}

/* The policy while it isn't known what to do: hold, or pass where the class says so (OE-046). */
void shunt(struct oe_step *step);
/* Ends what ike does for it. */
void cancel_keying(struct oe_step *step);
/* A further lifespan of a clear flow ends no later than what DNS said, so that a peer that has
 * become capable is found then; but it is no shorter than a first one. */
int64_t clear_lifespan_ms(const struct oe_step *step);
void lifespan_begin(struct oe_step *step, int64_t ms);
/* The plane's verdict for CLEAR and DENY, whichever the row leads to; a tunnel that was is ended. */
void settle(struct oe_step *step);
/* Remembers what DNS said, for status and for its going stale. */
void note_dns(struct oe_step *step, const struct delegation *d);
/* The tunnel of a CHILD_UP is now the one in use. */
void tunnel_up(struct oe_step *step);

#endif
