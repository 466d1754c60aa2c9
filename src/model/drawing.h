/*
 * Text that grows: what the renderers write to. Starts as zeros; `text` ends with a zero octet once
 * anything was written, and belongs to whoever made the drawing. After memory ran out it is `bad`
 * and takes nothing more.
 *
 * drawing_add() and what is built on it writes 7-bit text: anything else becomes '?'.
 */
#ifndef CYGNET_MODEL_DRAWING_H
#define CYGNET_MODEL_DRAWING_H

#include "base/view.h"

enum { DRAWING_WIDTH = 72 }; /* columns of plain text */

struct drawing {
    char *text;
    size_t len;
    size_t room;
    bool bad; /* out of memory: the text is incomplete */
};

void drawing_fini(struct drawing *drawing);

void drawing_add(struct drawing *out, const char *chars, size_t len);
void drawing_fill(struct drawing *out, size_t blanks);
void drawing_end_line(struct drawing *out);
/* A line of its own; takes any octets but those above 7 bits. */
void drawing_line(struct drawing *out, const char *text);
/* The rest of the line behind `indent` columns already written, and further lines as far in. */
void drawing_wrapped(struct drawing *out, const char *text, size_t indent);
/* Paragraphs, each wrapped, with an empty line between. */
void drawing_prose(struct drawing *out, const char *text, size_t indent);

/* How many characters of `text` go on a line of `room` (at least 1), cut between words if there is
 * a gap; the next line starts behind *ret_skip. Nothing is left when text[*ret_skip] is zero. */
size_t drawing_break(const char *text, size_t room, size_t *ret_skip);
/* Lines that the text takes at that width, and the longest of them. */
size_t drawing_lines(const char *text, size_t room, size_t *ret_longest);

/* Markup: as it stands, but for what has a meaning in XML. */
__attribute__((format(printf, 2, 3))) void drawing_markup(struct drawing *out, const char *format,
                                                          ...);
void drawing_escaped(struct drawing *out, const char *chars, size_t len);

#endif
