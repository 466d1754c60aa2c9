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

#include "model/drawing.h"

enum { LADDER_WIDTH = DRAWING_WIDTH, LADDER_PARTIES_MAX = 12 };

struct ladder_party {
    const char *name;
    const char *about; /* one line above the drawing, "192.0.2.1"; NULL: none */
};

enum ladder_row_kind {
    LADDER_STEP,   /* a message if `from` and `to` differ, else a note at that party */
    LADDER_ACROSS, /* the text, across all parties */
    LADDER_RULE,   /* the same on a dashed line */
};

struct ladder_row {
    size_t from, to;   /* indices of parties */
    char line;         /* what the arrow is made of: '-', '#', '=' */
    const char *label; /* "5B", drawn as "(5B)"; NULL or "": the text is drawn instead */
    const char *text;  /* listed below under its label; NULL or "": not listed */
    const char *below; /* drawn under the arrow, NULL: nothing */
    enum ladder_row_kind kind;
    bool marked; /* to be noticed */
};

/* Rows held together by a brace at the right. */
struct ladder_brace {
    size_t first, last; /* rows; braces don't overlap and are in order */
    const char *text;
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
    const struct ladder_brace *braces;
    size_t brace_count;
    bool labels_only; /* leave out the list below the drawing */
};

/* Appends the title, the drawing and the list, as text. False: out of memory, or an index or a
 * count is out of range (then nothing is appended). */
MUST_USE bool ladder_render(const struct ladder *ladder, struct drawing *out);
/* The drawing alone, as one <svg> element (see canvas_to_svg()). */
MUST_USE bool ladder_svg(const struct ladder *ladder, bool alone, struct drawing *out);
/* What ladder_render() writes around the drawing, as HTML. */
MUST_USE bool ladder_html_list(const struct ladder *ladder, struct drawing *out);

#endif
