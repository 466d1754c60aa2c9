/* MOD-026: one page that needs nothing else: no script, no font, no picture from elsewhere. Who wants
 * PDF prints it; the text is the archival form. */
#include <stdio.h>

#include "model/canvas.h"
#include "model/diagram_draw.h"
#include "model/render_private.h"

static const char page_style[] =
    "body{margin:2rem auto;padding:0 1rem;max-width:46rem;background:var(--paper);"
    "color:var(--ink);font:16px/1.55 system-ui,sans-serif}\n"
    "h1{font-size:1.7rem;line-height:1.25}h2{font-size:1.3rem;margin-top:2.4rem}\n"
    "figure{margin:1.6rem 0;overflow-x:auto}\n"
    "figcaption{color:var(--soft);font-size:.9rem;margin-top:.4rem}\n"
    "dt{font-weight:600;margin-top:.6rem;overflow-wrap:anywhere}dd{margin:0 0 0 1.4rem}\n"
    "dd.more{font:13px ui-monospace,'DejaVu Sans Mono',monospace}\n"
    "ol{font-size:.95rem}svg{display:block;height:auto;max-width:none}\n";

static void escaped(struct drawing *out, const char *text)
{
    drawing_escaped(out, text, strlen(text));
}

static void element(struct drawing *out, const char *name, const char *text)
{
    drawing_markup(out, "<%s>", name);
    escaped(out, text);
    drawing_markup(out, "</%s>\n", name);
}

void render_html_head(struct drawing *out, const char *title)
{
    drawing_markup(out, "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
                        "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\n"
                        "<meta name=\"color-scheme\" content=\"light dark\">\n");
    element(out, "title", title);
    drawing_markup(out, "<style>\n%s%s</style>\n</head>\n<body>\n", canvas_style_sheet, page_style);
    element(out, "h1", title);
}

void render_html_foot(struct drawing *out)
{
    drawing_markup(out, "</body>\n</html>\n");
}

static void html_begin(struct page *p, const char *title)
{
    render_html_head(p->out, title);
}

static void html_heading(struct page *p, size_t level, const char *number, const char *title)
{
    drawing_markup(p->out, "<h%zu>%s ", level + 1, number);
    escaped(p->out, title);
    drawing_markup(p->out, "</h%zu>\n", level + 1);
}

static void html_paragraphs(struct drawing *out, const char *text)
{
    while (text != NULL && *text != '\0') {
        size_t len = strcspn(text, "\n");
        drawing_markup(out, "<p>");
        drawing_escaped(out, text, len);
        drawing_markup(out, "</p>\n");
        text += len + (text[len] == '\n');
    }
}

static void html_prose(struct page *p, const char *text)
{
    html_paragraphs(p->out, text);
}

static void html_changes(struct page *p, const struct model_machine *machine)
{
    drawing_markup(p->out, "<ol>\n");
    for (size_t i = 0; i < machine->transition_count; i++) {
        const char *text = transition_text(p->model, &machine->transitions[i], &p->arena);
        if (text == NULL)
            p->out->bad = true;
        else
            element(p->out, "li", text);
    }
    drawing_markup(p->out, "</ol>\n");
}

static void html_labels(struct page *p, const struct model_diagram *diagram)
{
    struct ladder_sheet sheet;
    bool ok = ladder_sheet_build(p->model, diagram, &sheet), any = false;
    for (size_t i = 0; i < sheet.ladder.row_count && ok; i++)
        any |= sheet.ladder.rows[i].label != NULL;
    if (!ok || (any && !ladder_html_list(&sheet.ladder, p->out)))
        p->out->bad = true;
    ladder_sheet_fini(&sheet);
}

static void html_figure(struct page *p, const struct model_diagram *diagram)
{
    drawing_markup(p->out, "<figure id=\"%s\">\n", diagram->id);
    if (!render_diagram_svg(p->model, diagram, false, p->out))
        p->out->bad = true;
    drawing_markup(p->out, "<figcaption>Figure %zu: ", p->figure);
    escaped(p->out, diagram->title);
    drawing_markup(p->out, "</figcaption>\n</figure>\n");
    if (diagram->kind == MODEL_MACHINE)
        html_changes(p, &diagram->machine);
    else if (diagram->kind == MODEL_LADDER)
        html_labels(p, diagram);
}

static void html_list_begin(struct page *p, const char *title)
{
    element(p->out, "h3", title);
    drawing_markup(p->out, "<dl>\n");
}

static void html_list_item(struct page *p, const char *term, const char *text)
{
    element(p->out, "dt", term);
    drawing_markup(p->out, "<dd>");
    if (text != NULL)
        escaped(p->out, text);
    drawing_markup(p->out, "</dd>\n");
}

static void html_list_more(struct page *p, const char *text)
{
    drawing_markup(p->out, "<dd class=\"more\">");
    escaped(p->out, text);
    drawing_markup(p->out, "</dd>\n");
}

static void html_list_end(struct page *p)
{
    drawing_markup(p->out, "</dl>\n");
}

static void html_end(struct page *p)
{
    render_html_foot(p->out);
}

const struct page_writer render_html_writer = {
    .begin = html_begin,
    .heading = html_heading,
    .prose = html_prose,
    .figure = html_figure,
    .list_begin = html_list_begin,
    .list_item = html_list_item,
    .list_more = html_list_more,
    .list_end = html_list_end,
    .end = html_end,
};
