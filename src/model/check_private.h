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

/* Whether `party` is an end of this message: sends it, or is sent it. */
static inline bool check_may_send(const struct model_message *m, size_t party)
{
    return m->from == party || (m->either_way && m->to == party);
}

static inline bool check_may_receive(const struct model_message *m, size_t party)
{
    return m->to == party || (m->either_way && m->from == party);
}

#endif
