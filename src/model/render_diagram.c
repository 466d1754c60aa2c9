/* One diagram, as text or SVG. */
#include <stdio.h>

#include "model/diagram_draw.h"
#include "model/render.h"

/* Of boxes and machines; ladders are drawn from their sheet. */
static struct canvas *draw(const struct model *model, const struct model_diagram *diagram)
{
    struct canvas *canvas = canvas_new();
    if (canvas == NULL)
        return NULL;
    if (diagram->kind == MODEL_BOXES)
        boxes_draw(model, &diagram->boxes, canvas);
    else
        machine_draw(&diagram->machine, canvas);
    return canvas;
}

static void number_line(struct drawing *out, size_t number, const char *text)
{
    char mark[32];
    int len = snprintf(mark, sizeof(mark), "  (%zu)%s ", number, number < 10 ? " " : "");
    drawing_add(out, mark, (size_t)len);
    drawing_wrapped(out, text, (size_t)len);
}

static bool list_changes(const struct model *model, const struct model_machine *machine,
                         struct drawing *out)
{
    struct arena arena = {0};
    bool ok = true;
    if (machine->transition_count > 0)
        drawing_end_line(out);
    for (size_t i = 0; i < machine->transition_count && ok; i++) {
        const char *text = transition_text(model, &machine->transitions[i], &arena);
        ok = text != NULL;
        if (ok)
            number_line(out, i + 1, text);
    }
    arena_free(&arena);
    return ok;
}

static bool ladder_text(const struct model *model, const struct model_diagram *diagram, bool list,
                        struct drawing *out)
{
    struct ladder_sheet sheet;
    bool ok = ladder_sheet_build(model, diagram, &sheet);
    sheet.ladder.labels_only = !list;
    ok = ok && ladder_render(&sheet.ladder, out);
    ladder_sheet_fini(&sheet);
    return ok;
}

static bool diagram_text(const struct model *model, const struct model_diagram *diagram, bool list,
                         struct drawing *out)
{
    if (diagram->kind == MODEL_LADDER)
        return ladder_text(model, diagram, list, out);
    struct canvas *canvas = draw(model, diagram);
    bool ok = canvas != NULL && canvas_to_text(canvas, out);
    canvas_free(canvas);
    if (diagram->kind == MODEL_MACHINE && list)
        ok = ok && list_changes(model, &diagram->machine, out);
    return ok && !out->bad;
}

bool render_diagram_text(const struct model *model, const struct model_diagram *diagram,
                         struct drawing *out)
{
    return diagram_text(model, diagram, true, out);
}

bool render_figure_text(const struct model *model, const struct model_diagram *diagram,
                        struct drawing *out)
{
    return diagram_text(model, diagram, false, out);
}

bool render_diagram_svg(const struct model *model, const struct model_diagram *diagram, bool alone,
                        struct drawing *out)
{
    if (diagram->kind == MODEL_LADDER) {
        struct ladder_sheet sheet;
        bool ok = ladder_sheet_build(model, diagram, &sheet);
        sheet.ladder.title = diagram->title;
        ok = ok && ladder_svg(&sheet.ladder, alone, out);
        ladder_sheet_fini(&sheet);
        return ok;
    }
    struct canvas *canvas = draw(model, diagram);
    bool ok = canvas != NULL && canvas_to_svg(canvas, diagram->title, alone, out);
    canvas_free(canvas);
    return ok;
}
