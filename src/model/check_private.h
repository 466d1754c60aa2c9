/* The groups of rules behind check_model(). */
#ifndef CYGNET_MODEL_CHECK_PRIVATE_H
#define CYGNET_MODEL_CHECK_PRIVATE_H

#include "model/check.h"

struct checker {
    const struct model *model;
    struct check_report *report;
};

__attribute__((format(printf, 5, 6))) void check_find(struct checker *c, struct model_place place,
                                                      const char *rule, const char *remedy,
                                                      const char *format, ...);

void check_document(struct checker *c); /* the drafts' rules */
void check_use(struct checker *c);      /* everything declared is used and explained */
void check_machines(struct checker *c);
void check_paths(struct checker *c); /* ladders are paths of machines */

/* Whether the machine sends or receives any message of the ladder. If not, it abstracts from what the
 * ladder shows (MOD-022), and nothing there is held against it. */
bool check_machine_knows(const struct model_machine *machine, const struct model_ladder *ladder);

#endif
