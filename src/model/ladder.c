#include "model/ladder_draw.h"

enum { LIST_INDENT = 2, NAME_MAX_LEN = 20 };

static size_t name_len(const struct ladder_party *party)
{
    size_t len = ladder_length(party->name);
    return len < NAME_MAX_LEN ? len : NAME_MAX_LEN;
}

/* The group that a label belongs to, or NULL. */
static const struct ladder_group *group_of(const struct ladder *l, const char *label)
{
    for (size_t i = 0; i < l->group_count; i++)
        if (strncmp(label, l->groups[i].label, strlen(l->groups[i].label)) == 0)
            return &l->groups[i];
    return NULL;
}

static void list_one(struct drawing *out, const char *label, const char *text, size_t depth,
                     size_t column)
{
    size_t used = LIST_INDENT * (depth + 1) + strlen(label) + 2;
    drawing_fill(out, LIST_INDENT * (depth + 1));
    drawing_add(out, "(", 1);
    drawing_add(out, label, strlen(label));
    drawing_add(out, ")", 1);
    drawing_fill(out, used < column ? column - used : 1);
    drawing_wrapped(out, text, used < column ? column : used + 1);
}

static bool listed(const struct ladder_row *row)
{
    return ladder_has_label(row) && ladder_length(row->text) > 0;
}

/* A message sent again is explained once. */
static bool said_before(const struct ladder *l, size_t index)
{
    for (size_t i = 0; i < index; i++)
        if (listed(&l->rows[i]) && strcmp(l->rows[i].label, l->rows[index].label) == 0 &&
            strcmp(l->rows[i].text, l->rows[index].text) == 0)
            return true;
    return false;
}

/* The rows of one group, from `first`, which is the first of them. */
static void list_group(const struct ladder *l, struct drawing *out, size_t first, size_t column)
{
    const struct ladder_group *group = group_of(l, l->rows[first].label);
    list_one(out, group->label, group->text, 0, column);
    for (size_t i = first; i < l->row_count; i++)
        if (listed(&l->rows[i]) && group_of(l, l->rows[i].label) == group && !said_before(l, i))
            list_one(out, l->rows[i].label, l->rows[i].text, 1, column);
}

static bool group_begun(const struct ladder *l, size_t index)
{
    for (size_t i = 0; i < index; i++)
        if (listed(&l->rows[i]) &&
            group_of(l, l->rows[i].label) == group_of(l, l->rows[index].label))
            return true;
    return false;
}

static void list(const struct ladder *l, struct drawing *out)
{
    size_t column = 0;
    bool any = false;
    for (size_t i = 0; i < l->row_count; i++) {
        bool grouped = listed(&l->rows[i]) && group_of(l, l->rows[i].label) != NULL;
        size_t need = ladder_length(l->rows[i].label) + 4 + LIST_INDENT * (grouped ? 2 : 1);
        if (listed(&l->rows[i]) && need > column)
            column = need;
        any = any || listed(&l->rows[i]);
    }
    if (!any)
        return;
    if (column > LADDER_WIDTH / 2)
        column = LADDER_WIDTH / 2;
    drawing_end_line(out);
    for (size_t i = 0; i < l->row_count; i++) {
        if (!listed(&l->rows[i]))
            continue;
        if (group_of(l, l->rows[i].label) == NULL) {
            if (!said_before(l, i))
                list_one(out, l->rows[i].label, l->rows[i].text, 0, column);
        } else if (!group_begun(l, i)) {
            list_group(l, out, i, column);
        }
    }
}

static void head(const struct ladder *l, struct drawing *out)
{
    bool any = false;
    if (ladder_length(l->title) > 0)
        drawing_wrapped(out, l->title, 0);
    size_t column = 0;
    for (size_t i = 0; i < l->party_count; i++)
        if (l->parties[i].about != NULL && name_len(&l->parties[i]) > column)
            column = name_len(&l->parties[i]);
    for (size_t i = 0; i < l->party_count; i++) {
        const struct ladder_party *party = &l->parties[i];
        if (party->about == NULL)
            continue;
        any = true;
        drawing_fill(out, LIST_INDENT);
        drawing_add(out, party->name, name_len(party));
        drawing_fill(out, column - name_len(party) + 2);
        drawing_wrapped(out, party->about, LIST_INDENT + column + 2);
    }
    if (any || ladder_length(l->title) > 0)
        drawing_end_line(out);
}

static bool in_range(const struct ladder *l)
{
    if (l->party_count == 0 || l->party_count > LADDER_PARTIES_MAX)
        return false;
    for (size_t i = 0; i < l->row_count; i++) {
        const struct ladder_row *row = &l->rows[i];
        if (row->from >= l->party_count || row->to >= l->party_count ||
            ladder_length(row->label) > LADDER_WIDTH / 2)
            return false;
    }
    return true;
}

bool ladder_render(const struct ladder *ladder, struct drawing *out)
{
    if (!in_range(ladder))
        return false;
    struct canvas *canvas = canvas_new();
    if (canvas == NULL)
        return false;
    head(ladder, out);
    ladder_draw(ladder, canvas);
    bool ok = canvas_to_text(canvas, out);
    canvas_free(canvas);
    if (!ladder->labels_only)
        list(ladder, out);
    return ok && !out->bad;
}

bool ladder_svg(const struct ladder *ladder, bool alone, struct drawing *out)
{
    struct canvas *canvas = in_range(ladder) ? canvas_new() : NULL;
    if (canvas == NULL)
        return false;
    ladder_draw(ladder, canvas);
    bool ok =
        canvas_to_svg(canvas, ladder->title != NULL ? ladder->title : "message ladder", alone, out);
    canvas_free(canvas);
    return ok;
}

static void html_pair(struct drawing *out, const char *label, const char *text)
{
    drawing_markup(out, "<dt>");
    drawing_escaped(out, label, strlen(label));
    drawing_markup(out, "</dt><dd>");
    drawing_escaped(out, text, strlen(text));
    drawing_markup(out, "</dd>\n");
}

bool ladder_html_list(const struct ladder *ladder, struct drawing *out)
{
    if (!in_range(ladder))
        return false;
    drawing_markup(out, "<dl>\n");
    for (size_t i = 0; i < ladder->party_count; i++)
        if (ladder->parties[i].about != NULL)
            html_pair(out, ladder->parties[i].name, ladder->parties[i].about);
    for (size_t i = 0; i < ladder->row_count && !ladder->labels_only; i++) {
        if (!listed(&ladder->rows[i]) || said_before(ladder, i))
            continue;
        const struct ladder_group *group = group_of(ladder, ladder->rows[i].label);
        if (group != NULL && !group_begun(ladder, i))
            html_pair(out, group->label, group->text);
        html_pair(out, ladder->rows[i].label, ladder->rows[i].text);
    }
    drawing_markup(out, "</dl>\n");
    return !out->bad;
}
