/* A cell is 8.4 by 20 pixels: room enough for a 13 pixel monospaced letter with air around it. */
#include <stdio.h>

#include "model/shapes.h"

const char canvas_style_sheet[] =
    ":root{--paper:#fff;--ink:#1b1f24;--soft:#8b949e;--fill:#f3f5f8;--ike:#0b5cad;--esp:#1a7f37;"
    "--mark:#c4281b}\n"
    "@media (prefers-color-scheme:dark){:root{--paper:#14171b;--ink:#e6e8eb;--soft:#7d8590;"
    "--fill:#1f242b;--ike:#6cb2ff;--esp:#5fd07a;--mark:#ff7b6b}}\n"
    ".drawing{color:var(--ink);background:var(--paper)}\n"
    ".drawing text{font:13px ui-monospace,'DejaVu Sans Mono',Menlo,Consolas,monospace;"
    "fill:currentColor}\n"
    ".drawing text.inside{font-weight:bold}\n"
    ".drawing text.strong{font-weight:bold}\n"
    ".drawing text.marked{fill:var(--mark);font-weight:bold}\n"
    ".drawing line,.drawing path{stroke:currentColor;stroke-width:1.4;fill:none}\n"
    ".drawing .life{stroke:var(--soft);stroke-width:1.2}\n"
    ".drawing .rule{stroke:var(--soft);stroke-dasharray:6 5}\n"
    ".drawing .ike{stroke:var(--ike);stroke-width:2.4;stroke-dasharray:9 3}\n"
    ".drawing .esp{stroke:var(--esp);stroke-width:3.4}\n"
    ".drawing .dots{stroke-dasharray:2 4}\n"
    ".drawing path.head{fill:currentColor;stroke:none}\n"
    ".drawing path.head.ike{fill:var(--ike)}\n"
    ".drawing path.head.esp{fill:var(--esp)}\n"
    ".drawing rect{stroke:currentColor;stroke-width:1.4;fill:var(--fill)}\n"
    ".drawing rect.frame{fill:none}\n"
    ".drawing rect.paper{fill:var(--paper);stroke:none}\n";

#define CELL_WIDTH 8.4
#define CELL_HEIGHT 20.0
#define LETTER_WIDTH 7.85
#define MARGIN 8.0

static double x_of(size_t column)
{
    return MARGIN + (double)column * CELL_WIDTH + CELL_WIDTH / 2;
}

static double y_of(size_t row)
{
    return MARGIN + (double)row * CELL_HEIGHT + CELL_HEIGHT / 2;
}

static const char *line_class(char line)
{
    return line == '#'                  ? "ike"
           : line == '='                ? "esp"
           : line == '.' || line == '~' ? "dots"
                                        : "clear";
}

static void svg_line(struct drawing *out, const char *class, double x1, double y1, double x2,
                     double y2)
{
    drawing_markup(out, "<line class=\"%s\" x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\"/>\n",
                   class, x1, y1, x2, y2);
}

/* A triangle with its point at x, y, that looks in the direction dx, dy. */
static void svg_head(struct drawing *out, const char *class, double x, double y, double dx,
                     double dy)
{
    drawing_markup(out, "<path class=\"head %s\" d=\"M%.1f %.1fL%.1f %.1fL%.1f %.1fZ\"/>\n", class,
                   x, y, x - 9 * dx - 4.5 * dy, y - 9 * dy - 4.5 * dx, x - 9 * dx + 4.5 * dy,
                   y - 9 * dy + 4.5 * dx);
}

/* Lines reach to the middle of the neighbouring cell, where what they lead to is drawn. */
static void svg_across(struct drawing *out, const struct shape *s)
{
    double left = x_of(s->left) - CELL_WIDTH, right = x_of(s->right) + CELL_WIDTH, y = y_of(s->top);
    const char *class = line_class(s->line);
    svg_line(out, class, left + (s->head_first ? 8 : 0), y, right - (s->head_last ? 8 : 0), y);
    if (s->head_first)
        svg_head(out, class, left, y, -1, 0);
    if (s->head_last)
        svg_head(out, class, right, y, 1, 0);
}

static void svg_down(struct drawing *out, const struct shape *s)
{
    double x = x_of(s->left), top = y_of(s->top) - CELL_HEIGHT,
           bottom = y_of(s->bottom) + CELL_HEIGHT;
    svg_line(out, "clear", x, top + (s->head_first ? 8 : 0), x, bottom - (s->head_last ? 8 : 0));
    if (s->head_first)
        svg_head(out, "clear", x, top, 0, -1);
    if (s->head_last)
        svg_head(out, "clear", x, bottom, 0, 1);
}

static void svg_brace(struct drawing *out, const struct shape *s)
{
    double x = x_of(s->left) - 4, top = y_of(s->top) - CELL_HEIGHT / 2 + 2;
    double bottom = y_of(s->bottom) + CELL_HEIGHT / 2 - 2, middle = (top + bottom) / 2;
    drawing_markup(out, "<path d=\"M%.1f %.1fq5 0 5 6V%.1fq0 6 5 6q-5 0 -5 6V%.1fq0 6 -5 6\"/>\n",
                   x, top, middle - 6, bottom - 6);
}

/* Behind a text, so that no line runs through it. */
static void svg_paper(struct drawing *out, enum canvas_align align, double x, double y, double len)
{
    double width = len * LETTER_WIDTH + 6;
    double left = align == CANVAS_LEFT     ? x - 3
                  : align == CANVAS_MIDDLE ? x - width / 2
                                           : x + 3 - width;
    drawing_markup(out,
                   "<rect class=\"paper\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"15\"/>\n",
                   left, y - 7.5, width);
}

static void svg_text(struct drawing *out, const struct shape *s)
{
    static const char *const anchors[] = {"start", "middle", "end"};
    static const char *const styles[] = {"plain", "strong", "marked", "inside"};
    const char *chars = s->chars;
    size_t len = s->right - s->left + 1;
    double x = s->align == CANVAS_LEFT     ? x_of(s->left) - CELL_WIDTH / 2
               : s->align == CANVAS_MIDDLE ? (x_of(s->left) + x_of(s->right)) / 2
                                           : x_of(s->right) + CELL_WIDTH / 2;
    while (len > 0 && chars[len - 1] == ' ')
        len--;
    for (; len > 0 && chars[0] == ' '; len--)
        chars++;
    if (len == 0)
        return;
    if (s->style != CANVAS_INSIDE)
        svg_paper(out, s->align, x, y_of(s->top), (double)len);
    drawing_markup(out, "<text class=\"%s\" x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\">",
                   styles[s->style], x, y_of(s->top) + 4.5, anchors[s->align]);
    drawing_escaped(out, chars, len);
    drawing_markup(out, "</text>\n");
}

static void svg_box(struct drawing *out, const struct shape *s)
{
    drawing_markup(out,
                   "<rect class=\"%s\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" "
                   "rx=\"5\"/>\n",
                   s->kind == SHAPE_FRAME ? "frame" : "box", x_of(s->left), y_of(s->top),
                   x_of(s->right) - x_of(s->left), y_of(s->bottom) - y_of(s->top));
}

static void svg_shape(struct drawing *out, const struct shape *s)
{
    switch (s->kind) {
    case SHAPE_LIFE:
        svg_line(out, "life", x_of(s->left), y_of(s->top) - CELL_HEIGHT / 2, x_of(s->left),
                 y_of(s->bottom) + CELL_HEIGHT / 2);
        break;
    case SHAPE_FRAME:
    case SHAPE_BOX:
        svg_box(out, s);
        break;
    case SHAPE_RULE:
        svg_line(out, "rule", x_of(s->left), y_of(s->top), x_of(s->right), y_of(s->top));
        break;
    case SHAPE_ACROSS:
        svg_across(out, s);
        break;
    case SHAPE_DOWN:
        svg_down(out, s);
        break;
    case SHAPE_BRACE:
        svg_brace(out, s);
        break;
    case SHAPE_TEXT:
        svg_text(out, s);
        break;
    default: /* lines meet without a sign */
        break;
    }
}

bool canvas_to_svg(const struct canvas *c, const char *title, bool alone, struct drawing *out)
{
    double width = 2 * MARGIN + DRAWING_WIDTH * CELL_WIDTH;
    double height = 2 * MARGIN + (double)c->rows * CELL_HEIGHT;
    if (c->bad)
        return false;
    drawing_markup(out,
                   "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"drawing\" role=\"img\" "
                   "width=\"%.0f\" height=\"%.0f\" viewBox=\"0 0 %.0f %.0f\">\n<title>",
                   width, height, width, height);
    drawing_escaped(out, title, strlen(title));
    drawing_markup(out, "</title>\n");
    if (alone)
        drawing_markup(out, "<style>%s</style>\n", canvas_style_sheet);
    for (int kind = 0; kind < SHAPE_KINDS; kind++)
        for (size_t i = 0; i < c->count; i++)
            if (c->shapes[i].kind == (enum shape_kind)kind)
                svg_shape(out, &c->shapes[i]);
    drawing_markup(out, "</svg>\n");
    return !out->bad;
}
