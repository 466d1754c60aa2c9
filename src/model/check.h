/*
 * Whether a model is what the drafts ask for (three parts, a few diagrams each, everything
 * explained) and agrees with itself (every message used, every state reachable, every ladder a path
 * through the state machines). Pure; the report owns its findings, which borrow nothing from the
 * model.
 */
#ifndef CYGNET_MODEL_CHECK_H
#define CYGNET_MODEL_CHECK_H

#include "model/arena.h"
#include "model/model.h"

enum {
    CHECK_DIAGRAMS_MAX = 3, /* of a part, or of one of its sections */
    CHECK_STATES_MAX = 12,  /* of a machine that somebody is to understand */
    CHECK_CONTENTS_MAX = 6, /* major data elements of a message */
    CHECK_WORDS_MAX = 60,   /* about a message */
};

struct check_finding {
    struct model_place place;
    const char *rule; /* its short name, "unused" */
    char what[200];
    char remedy[120];
};

struct check_report {
    struct arena arena;
    struct check_finding *findings; /* by place */
    size_t count;
    bool bad; /* out of memory: there may be more */
};

void check_model(const struct model *model, struct check_report *ret);
void check_report_fini(struct check_report *report);

#endif
