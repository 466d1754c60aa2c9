/*
 * Message ladders as text: parties side by side, time downwards, an arrow for each message, as the
 * OE draft's Figures 5 and 6 draw them. Pure: values in, 7-bit text out, the drawing at most
 * LADDER_WIDTH columns wide. The ladder borrows all its strings; the text belongs to the caller.
 *
 *      Alice          SG-A          DNS
 *        |              |            |
 *        |-----(5)----->|            |
 *        |              |---(5B)---->|
 *
 *      (5)   first datagram, held
 *      (5B)  TXT 66.0.2.192.in-addr.arpa.?
 */
#ifndef CYGNET_MODEL_LADDER_H
#define CYGNET_MODEL_LADDER_H

#include "base/view.h"

enum { LADDER_WIDTH = 72, LADDER_PARTIES_MAX = 12 };

struct ladder_party {
    const char *name;
    const char *about; /* one line above the drawing, "192.0.2.1"; NULL: none */
};

/* A message if `from` and `to` differ, else a note at that party. */
struct ladder_row {
    size_t from, to; /* indices of parties */
    char line;       /* what the arrow is made of: '-', '#', '=' */
    const char
        *label;       /* "5B", drawn as "(5B)"; NULL or "": the text is drawn instead, cut to fit */
    const char *text; /* listed below under its label; NULL or "": not listed */
};

/* Labels that start with `label` are listed together, under this heading. */
struct ladder_group {
    const char *label;
    const char *text;
};

struct ladder {
    const char *title; /* NULL: none */
    const struct ladder_party *parties;
    size_t party_count;
    const struct ladder_row *rows;
    size_t row_count;
    const struct ladder_group *groups;
    size_t group_count;
    bool labels_only; /* leave out the list below the drawing */
};

/* Starts as zeros; appended to; `text` ends with a zero octet once anything was written. */
struct ladder_text {
    char *text;
    size_t len;
    size_t room;
    bool bad; /* out of memory: the text is incomplete */
};

void ladder_text_fini(struct ladder_text *text);

/* Appends the drawing. False: out of memory, or an index or a count is out of range (then nothing
 * is appended). */
MUST_USE bool ladder_render(const struct ladder *ladder, struct ladder_text *out);

#endif
