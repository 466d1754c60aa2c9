/* What a canvas holds; for canvas.c and canvas_svg.c only. */
#ifndef CYGNET_MODEL_SHAPES_H
#define CYGNET_MODEL_SHAPES_H

#include "model/arena.h"
#include "model/canvas.h"

enum shape_kind {
    SHAPE_LIFE,
    SHAPE_FRAME,
    SHAPE_BOX,
    SHAPE_RULE,
    SHAPE_ACROSS,
    SHAPE_DOWN,
    SHAPE_JOINT,
    SHAPE_BRACE,
    SHAPE_TEXT,
    SHAPE_KINDS,
};

struct shape {
    enum shape_kind kind;
    size_t top, left, bottom, right; /* covered, all four */
    char line;
    bool head_first, head_last; /* at the top or left, at the bottom or right */
    enum canvas_align align;
    enum canvas_style style;
    const char *chars;
};

struct canvas {
    struct arena arena;
    struct shape *shapes;
    size_t count;
    size_t rows;
    bool bad;
};

#endif
