/* MOD-025, MOD-027: plain ASCII, no line longer than 72 columns. */
#include <stdio.h>

#include "model/render_private.h"

enum { INDENT = 3, ITEM_INDENT = 6 };

static void text_centered(struct drawing *out, const char *text)
{
    while (*text != '\0') {
        size_t skip, len = drawing_break(text, DRAWING_WIDTH, &skip);
        drawing_fill(out, (DRAWING_WIDTH - len) / 2);
        drawing_add(out, text, len);
        drawing_end_line(out);
        text += skip;
    }
}

static void text_begin(struct page *p, const char *title)
{
    text_centered(p->out, title);
}

static void text_heading(struct page *p, size_t level, const char *number, const char *title)
{
    (void)level;
    drawing_end_line(p->out);
    drawing_add(p->out, number, strlen(number));
    drawing_fill(p->out, 2);
    drawing_wrapped(p->out, title, strlen(number) + 2);
}

static void text_prose(struct page *p, const char *text)
{
    if (text == NULL)
        return;
    drawing_end_line(p->out);
    drawing_prose(p->out, text, INDENT);
}

static void text_figure(struct page *p, const struct model_diagram *diagram)
{
    char caption[MODEL_NAME_MAX + 32];
    drawing_end_line(p->out);
    if (!render_diagram_text(p->model, diagram, p->out))
        p->out->bad = true;
    drawing_end_line(p->out);
    snprintf(caption, sizeof(caption), "Figure %zu: %s", p->figure, diagram->title);
    text_centered(p->out, caption);
}

static void text_list_begin(struct page *p, const char *title)
{
    drawing_end_line(p->out);
    drawing_fill(p->out, INDENT);
    drawing_wrapped(p->out, title, INDENT);
}

static void text_list_item(struct page *p, const char *term, const char *text)
{
    drawing_end_line(p->out);
    drawing_fill(p->out, INDENT);
    drawing_wrapped(p->out, term, INDENT);
    drawing_prose(p->out, text, ITEM_INDENT);
}

static void text_list_more(struct page *p, const char *text)
{
    drawing_fill(p->out, ITEM_INDENT);
    drawing_wrapped(p->out, text, ITEM_INDENT);
}

static void text_nothing(struct page *p)
{
    (void)p;
}

const struct page_writer render_text_writer = {
    .begin = text_begin,
    .heading = text_heading,
    .prose = text_prose,
    .figure = text_figure,
    .list_begin = text_list_begin,
    .list_item = text_list_item,
    .list_more = text_list_more,
    .list_end = text_nothing,
    .end = text_nothing,
};
