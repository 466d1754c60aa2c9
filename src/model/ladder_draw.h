/* A ladder's drawing, which ladder.c makes text or SVG of. */
#ifndef CYGNET_MODEL_LADDER_DRAW_H
#define CYGNET_MODEL_LADDER_DRAW_H

#include "model/canvas.h"
#include "model/ladder.h"

/* Everything in the ladder is in range. */
void ladder_draw(const struct ladder *ladder, struct canvas *canvas);

static inline size_t ladder_length(const char *text)
{
    return text != NULL ? strlen(text) : 0;
}

static inline bool ladder_has_label(const struct ladder_row *row)
{
    return ladder_length(row->label) > 0;
}

#endif
