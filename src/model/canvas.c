#include <assert.h>
#include <stdlib.h>

#include "model/shapes.h"

struct canvas *canvas_new(void)
{
    return calloc(1, sizeof(struct canvas));
}

void canvas_free(struct canvas *canvas)
{
    if (canvas == NULL)
        return;
    arena_free(&canvas->arena);
    free(canvas);
}

static void add(struct canvas *c, const struct shape *shape)
{
    assert(shape->top <= shape->bottom + 1 && shape->left <= shape->right + 1 &&
           shape->right < DRAWING_WIDTH);
    void *items = c->shapes;
    struct shape *room =
        c->bad ? NULL : arena_push(&c->arena, &items, &c->count, sizeof(struct shape));
    if (room == NULL) {
        c->bad = true;
        return;
    }
    c->shapes = items;
    *room = *shape;
    if (shape->bottom >= c->rows)
        c->rows = shape->bottom + 1;
}

void canvas_text(struct canvas *c, size_t row, size_t column, const char *chars, size_t len,
                 enum canvas_align align, enum canvas_style style)
{
    if (len == 0)
        return;
    char *copy = c->bad ? NULL : arena_alloc(&c->arena, len + 1);
    if (copy == NULL) {
        c->bad = true;
        return;
    }
    memcpy(copy, chars, len);
    add(c, &(struct shape){.kind = SHAPE_TEXT,
                           .top = row,
                           .bottom = row,
                           .left = column,
                           .right = column + len - 1,
                           .align = align,
                           .style = style,
                           .chars = copy});
}

void canvas_across(struct canvas *c, size_t row, size_t left, size_t right, char line,
                   bool head_left, bool head_right)
{
    add(c, &(struct shape){.kind = SHAPE_ACROSS,
                           .top = row,
                           .bottom = row,
                           .left = left,
                           .right = right,
                           .line = line,
                           .head_first = head_left,
                           .head_last = head_right});
}

void canvas_down(struct canvas *c, size_t column, size_t top, size_t bottom, bool head_top,
                 bool head_bottom)
{
    add(c, &(struct shape){.kind = SHAPE_DOWN,
                           .top = top,
                           .bottom = bottom,
                           .left = column,
                           .right = column,
                           .head_first = head_top,
                           .head_last = head_bottom});
}

static void add_area(struct canvas *c, enum shape_kind kind, size_t top, size_t left, size_t bottom,
                     size_t right)
{
    add(c,
        &(struct shape){.kind = kind, .top = top, .left = left, .bottom = bottom, .right = right});
}

void canvas_joint(struct canvas *c, size_t row, size_t column)
{
    add_area(c, SHAPE_JOINT, row, column, row, column);
}

void canvas_life(struct canvas *c, size_t column, size_t top, size_t bottom)
{
    add_area(c, SHAPE_LIFE, top, column, bottom, column);
}

void canvas_rule(struct canvas *c, size_t row, size_t left, size_t right)
{
    add_area(c, SHAPE_RULE, row, left, row, right);
}

void canvas_box(struct canvas *c, size_t row, size_t column, size_t height, size_t width)
{
    add_area(c, SHAPE_BOX, row, column, row + height - 1, column + width - 1);
}

void canvas_frame(struct canvas *c, size_t row, size_t column, size_t height, size_t width)
{
    add_area(c, SHAPE_FRAME, row, column, row + height - 1, column + width - 1);
}

void canvas_brace(struct canvas *c, size_t column, size_t top, size_t bottom)
{
    add_area(c, SHAPE_BRACE, top, column, bottom, column);
}

/* The grid of characters. */

static char *cell(char *grid, size_t row, size_t column)
{
    return grid + row * DRAWING_WIDTH + column;
}

static void paint_across(char *grid, const struct shape *s)
{
    for (size_t i = s->left; i <= s->right; i++) {
        char *at = cell(grid, s->top, i);
        if (*at != '+')
            *at = s->line;
    }
    if (s->head_first)
        *cell(grid, s->top, s->left) = '<';
    if (s->head_last)
        *cell(grid, s->top, s->right) = '>';
}

static void paint_down(char *grid, const struct shape *s)
{
    for (size_t i = s->top; i <= s->bottom; i++) {
        char *at = cell(grid, i, s->left);
        if (*at == ' ' || *at == '-')
            *at = '|';
    }
    if (s->head_first)
        *cell(grid, s->top, s->left) = '^';
    if (s->head_last)
        *cell(grid, s->bottom, s->left) = 'v';
}

static void paint_box(char *grid, const struct shape *s)
{
    for (size_t row = s->top; row <= s->bottom; row++)
        for (size_t column = s->left; column <= s->right; column++) {
            bool edge = row == s->top || row == s->bottom;
            bool side = column == s->left || column == s->right;
            *cell(grid, row, column) = edge && side ? '+' : edge ? '-' : side ? '|' : ' ';
        }
}

static void paint_brace(char *grid, const struct shape *s)
{
    size_t rows = s->bottom - s->top + 1;
    for (size_t i = 0; i < rows; i++)
        *cell(grid, s->top + i, s->left) = rows == 1 ? '}' : i < (rows + 1) / 2 ? '\\' : '/';
}

static void paint(char *grid, const struct shape *s)
{
    switch (s->kind) {
    case SHAPE_LIFE:
        for (size_t i = s->top; i <= s->bottom; i++)
            *cell(grid, i, s->left) = '|';
        break;
    case SHAPE_FRAME:
    case SHAPE_BOX:
        paint_box(grid, s);
        break;
    case SHAPE_RULE:
        for (size_t i = s->left; i <= s->right; i++)
            *cell(grid, s->top, i) = (i - s->left) % 2 == 0 ? '-' : ' ';
        break;
    case SHAPE_ACROSS:
        paint_across(grid, s);
        break;
    case SHAPE_DOWN:
        paint_down(grid, s);
        break;
    case SHAPE_JOINT:
        *cell(grid, s->top, s->left) = '+';
        break;
    case SHAPE_BRACE:
        paint_brace(grid, s);
        break;
    default:
        memcpy(cell(grid, s->top, s->left), s->chars, s->right - s->left + 1);
        break;
    }
}

bool canvas_to_text(const struct canvas *c, struct drawing *out)
{
    char *grid = c->bad ? NULL : malloc(c->rows * DRAWING_WIDTH + 1);
    if (grid == NULL)
        return false;
    memset(grid, ' ', c->rows * DRAWING_WIDTH);
    for (int kind = 0; kind < SHAPE_KINDS; kind++)
        for (size_t i = 0; i < c->count; i++)
            if (c->shapes[i].kind == (enum shape_kind)kind)
                paint(grid, &c->shapes[i]);
    for (size_t row = 0; row < c->rows; row++) {
        size_t len = DRAWING_WIDTH;
        while (len > 0 && *cell(grid, row, len - 1) == ' ')
            len--;
        drawing_add(out, cell(grid, row, 0), len);
        drawing_end_line(out);
    }
    free(grid);
    return !out->bad;
}
