/*
 * A model as a document: plain 7-bit text of at most DRAWING_WIDTH columns, or one HTML page with
 * everything in it. Or one of its diagrams: text, or SVG. All of them append to a drawing.
 */
#ifndef CYGNET_MODEL_RENDER_H
#define CYGNET_MODEL_RENDER_H

#include "model/drawing.h"
#include "model/model.h"

/* False: no memory. */
MUST_USE bool render_text(const struct model *model, struct drawing *out);
MUST_USE bool render_html(const struct model *model, struct drawing *out);
/* With the list that explains its numbers and labels. */
MUST_USE bool render_diagram_text(const struct model *model, const struct model_diagram *diagram,
                                  struct drawing *out);
/* The picture only, for figures in other documents. */
MUST_USE bool render_figure_text(const struct model *model, const struct model_diagram *diagram,
                                 struct drawing *out);
/* `alone`: a file of its own, with its style sheet. */
MUST_USE bool render_diagram_svg(const struct model *model, const struct model_diagram *diagram,
                                 bool alone, struct drawing *out);

/* What is around the contents of a page, for other pages, too. */
void render_html_head(struct drawing *out, const char *title);
void render_html_foot(struct drawing *out);

#endif
