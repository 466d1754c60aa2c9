/*
 * What every diagram is drawn on: shapes at rows and columns of characters, which come out as plain
 * text or as SVG. So both show the same picture, and what fits the one fits the other. A canvas
 * copies the texts it is given; DRAWING_WIDTH columns, any number of rows. After memory ran out it
 * takes nothing more, and says so in the end.
 *
 * Kinds of shapes cover each other in a fixed order: life lines lie below, texts on top.
 */
#ifndef CYGNET_MODEL_CANVAS_H
#define CYGNET_MODEL_CANVAS_H

#include "model/drawing.h"

struct canvas;

MUST_USE struct canvas *canvas_new(void);
void canvas_free(struct canvas *canvas);

enum canvas_align { CANVAS_LEFT, CANVAS_MIDDLE, CANVAS_RIGHT };
enum canvas_style { CANVAS_PLAIN, CANVAS_STRONG, CANVAS_MARKED, CANVAS_INSIDE };

/* `len` characters from `column` on; `align` is the side on which SVG, whose characters are
 * narrower, keeps to the column. */
void canvas_text(struct canvas *c, size_t row, size_t column, const char *chars, size_t len,
                 enum canvas_align align, enum canvas_style style);

/* Made of `line`, between two columns, both covered; heads replace the ends. In SVG a line reaches
 * on to the middle of the next cell, where what it joins is drawn: so one may cover no cell at all,
 * with `right` just before `left`. */
void canvas_across(struct canvas *c, size_t row, size_t left, size_t right, char line,
                   bool head_left, bool head_right);
void canvas_down(struct canvas *c, size_t column, size_t top, size_t bottom, bool head_top,
                 bool head_bottom);
/* Two lines meet, or one turns. */
void canvas_joint(struct canvas *c, size_t row, size_t column);
/* A life line, which everything else covers. */
void canvas_life(struct canvas *c, size_t column, size_t top, size_t bottom);
/* Dashes from side to side, that divide what is above from what is below. */
void canvas_rule(struct canvas *c, size_t row, size_t left, size_t right);
void canvas_box(struct canvas *c, size_t row, size_t column, size_t height, size_t width);
/* A box around boxes that are drawn later. */
void canvas_frame(struct canvas *c, size_t row, size_t column, size_t height, size_t width);
/* "\ /" along rows; its point shows to the right. */
void canvas_brace(struct canvas *c, size_t column, size_t top, size_t bottom);

/* Append to the drawing. False: no memory. */
MUST_USE bool canvas_to_text(const struct canvas *c, struct drawing *out);
/* One <svg> element. `title` is read out to those who don't see it. `alone`: it is a file of its
 * own and holds the style sheet, too. */
MUST_USE bool canvas_to_svg(const struct canvas *c, const char *title, bool alone,
                            struct drawing *out);
/* What goes into a <style>, once for all drawings in a page. */
extern const char canvas_style_sheet[];

#endif
