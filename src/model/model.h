/*
 * One protocol model, as RFC 4101 and draft-iab-model describe it: the problem, the overview, the
 * features; boxes and arrows, message ladders, state machines. docs/models/language.md is the
 * language it is written in. model_parse() makes one from text, everything else reads it: the
 * renderers, the checker, the matcher. A model owns all its strings and arrays; nothing in it
 * changes after parsing. Pure: no files, no clock.
 *
 * Things refer to each other by index: parties, messages and associations into the arrays of struct
 * model, states into those of their machine. The parser has resolved every name, so an index is in
 * range or MODEL_NONE where that is said.
 *
 * A text is prose of 7 bits: words separated by one space, paragraphs by '\n'. NULL: not given.
 */
#ifndef CYGNET_MODEL_MODEL_H
#define CYGNET_MODEL_MODEL_H

#include "base/view.h"

/* Every limit of the language; the parser refuses what is beyond. */
enum {
    MODEL_FILE_MAX = 1 << 20,
    MODEL_PARTIES_MAX = 12,
    MODEL_COMPONENTS_MAX = 8, /* of a party */
    MODEL_MESSAGES_MAX = 256,
    MODEL_CONTENTS_MAX = 16, /* of a message */
    MODEL_ASSOCIATIONS_MAX = 16,
    MODEL_TRUST_MAX = 64,
    MODEL_SECTIONS_MAX = 32, /* of a part */
    MODEL_DIAGRAMS_MAX = 16, /* of a part or a section */
    MODEL_STEPS_MAX = 2048,  /* of a ladder, those inside others counted */
    MODEL_STEP_DEPTH_MAX = 8,
    MODEL_CASES_MAX = 16,
    MODEL_STATES_MAX = 128,       /* of a machine */
    MODEL_TRANSITIONS_MAX = 1024, /* of a machine */
    MODEL_ACTIONS_MAX = 8,        /* of a transition */
    MODEL_ROWS_MAX = 8,           /* of a box diagram */
    MODEL_COLUMNS_MAX = 4,
    MODEL_ARROWS_MAX = 64,
    MODEL_LINES_MAX = 6, /* of an arrow's label */
    MODEL_ID_MAX = 32,
    MODEL_NAME_MAX = 64, /* names, titles, labels */
};
#define MODEL_NONE SIZE_MAX

/* Where something is in the file, both from 1; for messages about it. */
struct model_place {
    unsigned line, column;
};

struct model_component {
    const char *id, *name;
    const char *text; /* what it is */
    struct model_place place;
};

struct model_party {
    const char *id, *name;
    const char *text;
    const struct model_component *components;
    size_t component_count;
    struct model_place place;
};

/* `from` relies on `to` in the way the text says. */
struct model_trust {
    size_t from, to;
    const char *text;
    struct model_place place;
};

/* What messages are protected under: a security association, a TLS session. */
struct model_association {
    const char *id, *name; /* the name stands in E(name, contents) */
    const char *text;
    char line; /* what arrows under it are made of in text: '#', '=' */
    struct model_place place;
};

/* A kind of message between two parties. */
struct model_message {
    const char *id, *name;
    const char *text; /* its purpose */
    size_t from, to;  /* parties */
    bool either_way;  /* `to` may send it to `from`, too */
    const char *const *contents;
    size_t content_count;
    bool contents_given; /* even if it carries nothing */
    size_t association;  /* MODEL_NONE: in clear */
    const char *filter;  /* Wireshark display filter that picks it out of a capture, or NULL */
    const char *label;   /* short label on the arrow, which traces of Cygnet use too, or NULL */
    struct model_place place;
};

enum model_step_kind {
    MODEL_STEP_MESSAGE,  /* from, to, message; text replaces what is drawn on the arrow */
    MODEL_STEP_NOTE,     /* text at the party `from` */
    MODEL_STEP_ACROSS,   /* text across all parties */
    MODEL_STEP_PHASE,    /* inner steps under a brace with the text */
    MODEL_STEP_CHOICE,   /* inner steps are MODEL_STEP_CASE; exactly one of them happens */
    MODEL_STEP_CASE,     /* inner steps, when the text holds */
    MODEL_STEP_OPTIONAL, /* inner steps, or none of them */
    MODEL_STEP_REPEAT,   /* inner steps, once or several times */
};

struct model_step {
    enum model_step_kind kind;
    size_t from, to, message;
    const char *text; /* NULL possible for MESSAGE only */
    const struct model_step *inner;
    size_t inner_count;
    struct model_place place;
};

struct model_ladder {
    size_t parties[MODEL_PARTIES_MAX]; /* from left to right */
    size_t party_count;
    bool continues; /* begins in the middle: parties may be in any state at first */
    const struct model_step *steps;
    size_t step_count;
};

struct model_state {
    const char *id;   /* drawn as it is */
    const char *text; /* what it means */
    bool initial;     /* one state of each machine */
    bool final;       /* any number */
    struct model_place place;
};

enum model_event_kind { MODEL_EVENT_RECEIVE, MODEL_EVENT_TIMER, MODEL_EVENT_LOCAL };

struct model_transition {
    size_t from, to; /* states */
    enum model_event_kind event;
    size_t message;                  /* RECEIVE: the message, else MODEL_NONE */
    const char *text;                /* TIMER, LOCAL: what happens; RECEIVE: a condition, or NULL */
    size_t sends[MODEL_ACTIONS_MAX]; /* messages, in order */
    size_t send_count;
    struct model_place place;
};

struct model_machine {
    size_t party; /* whose behaviour this is */
    const struct model_state *states;
    size_t state_count;
    size_t initial;
    const struct model_transition *transitions;
    size_t transition_count;
};

/* A party, one of its components, or an empty cell. */
struct model_box {
    size_t party;     /* MODEL_NONE: empty */
    size_t component; /* MODEL_NONE: the party itself */
    struct model_place place;
};

/* Between two cells that lie side by side or one above the other. */
struct model_arrow {
    size_t from_row, from_column, to_row, to_column;
    bool both_ways;
    const char *lines[MODEL_LINES_MAX]; /* its label */
    size_t line_count;
    struct model_place place;
};

/* Components of one party are drawn in a frame with the party's name. */
struct model_boxes {
    struct model_box cells[MODEL_ROWS_MAX][MODEL_COLUMNS_MAX];
    size_t row_count, column_count;
    const struct model_arrow *arrows;
    size_t arrow_count;
};

enum model_diagram_kind { MODEL_BOXES, MODEL_LADDER, MODEL_MACHINE };

struct model_diagram {
    enum model_diagram_kind kind;
    const char *id, *title;
    const char *text; /* explains it */
    struct model_place place;
    union {
        struct model_boxes boxes;
        struct model_ladder ladder;
        struct model_machine machine;
    };
};

struct model_section {
    const char *title;
    const char *text;
    const struct model_diagram *diagrams;
    size_t diagram_count;
    struct model_place place;
};

enum model_part_kind { MODEL_PROBLEM, MODEL_OVERVIEW, MODEL_FEATURES, MODEL_PARTS };

struct model_part {
    bool present;
    struct model_section head; /* no title */
    const struct model_section *sections;
    size_t section_count;
};

struct model {
    const char *title;
    const char *key; /* Wireshark field that is the same in all messages of an exchange; NULL: its
                      * addresses and ports tell an exchange from others */
    bool lossy;      /* the network between the parties may lose a message */
    const struct model_party *parties;
    size_t party_count;
    const struct model_trust *trusts;
    size_t trust_count;
    const struct model_association *associations;
    size_t association_count;
    const struct model_message *messages;
    size_t message_count;
    struct model_part parts[MODEL_PARTS];
};

struct model_error {
    struct model_place place;
    char what[160];
    char remedy[160];
};

/* NULL: the text is no model, and *ret_error says why; or there was no memory, then
 * ret_error->place.line is 0. */
MUST_USE struct model *model_parse(const char *text, size_t len, struct model_error *ret_error);
void model_free(struct model *model);

/* Every diagram in the order of the file; NULL behind the last one. */
const struct model_diagram *model_diagram(const struct model *model, size_t index);
/* The part that model_diagram(model, index) is in. */
enum model_part_kind model_diagram_part(const struct model *model, size_t index);
/* NULL: there is none. */
const struct model_diagram *model_diagram_find(const struct model *model, const char *id);

#endif
