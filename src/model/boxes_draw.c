#include "model/diagram_draw.h"

enum {
    NAME_ROOM = 18,  /* of a box's name, if all fits; less if it doesn't */
    LABEL_ROOM = 40, /* of a label beside an arrow that goes down */
    ACROSS_ROOM = 20,
    ROOM_LEAST = 3,
    FRAME_PAD = 3, /* a frame's edge and the blanks inside it */
    TWIN = 2,      /* how far from the middle each of two arrows that go down lies */
};

struct rooms {
    size_t name, label, across;
};

struct frame {
    bool used;
    size_t top, bottom, left, right; /* cells */
    size_t first_row, last_row, first_column, last_column;
};

struct plan {
    const struct model *model;
    const struct model_boxes *boxes;
    struct canvas *canvas;
    struct rooms rooms;
    struct frame frames[MODEL_PARTIES_MAX];
    /* columns: a box's width, the middle, how far a column reaches to either side, the free gap */
    size_t width[MODEL_COLUMNS_MAX], middle[MODEL_COLUMNS_MAX];
    size_t reach_left[MODEL_COLUMNS_MAX], reach_right[MODEL_COLUMNS_MAX], gap[MODEL_COLUMNS_MAX];
    size_t total;
    /* rows: a box's height, its first row, the free gap below */
    size_t height[MODEL_ROWS_MAX], top[MODEL_ROWS_MAX], below[MODEL_ROWS_MAX];
};

static size_t larger(size_t a, size_t b)
{
    return a > b ? a : b;
}

static const char *box_name(const struct plan *p, const struct model_box *box)
{
    const struct model_party *party = &p->model->parties[box->party];
    return box->component == MODEL_NONE ? party->name : party->components[box->component].name;
}

static const struct model_box *cell(const struct plan *p, size_t row, size_t column)
{
    return &p->boxes->cells[row][column];
}

static bool goes_down(const struct model_arrow *a)
{
    return a->from_column == a->to_column;
}

static size_t upper_row(const struct model_arrow *a)
{
    return a->from_row < a->to_row ? a->from_row : a->to_row;
}

static size_t left_column(const struct model_arrow *a)
{
    return a->from_column < a->to_column ? a->from_column : a->to_column;
}

/* Lines and width of a whole label. */
static size_t label_size(const struct model_arrow *a, size_t room, size_t *ret_width)
{
    size_t lines = 0, longest;
    *ret_width = 0;
    for (size_t i = 0; i < a->line_count; i++) {
        lines += drawing_lines(a->lines[i], room, &longest);
        *ret_width = larger(*ret_width, longest);
    }
    return lines;
}

/* Another arrow between the same boxes: NULL, or the one that comes before or after. */
static const struct model_arrow *twin(const struct plan *p, const struct model_arrow *a)
{
    for (size_t i = 0; i < p->boxes->arrow_count; i++) {
        const struct model_arrow *b = &p->boxes->arrows[i];
        if (b != a && goes_down(a) == goes_down(b) && upper_row(a) == upper_row(b) &&
            left_column(a) == left_column(b))
            return b;
    }
    return NULL;
}

static void find_frames(struct plan *p)
{
    for (size_t r = 0; r < p->boxes->row_count; r++)
        for (size_t c = 0; c < p->boxes->column_count; c++) {
            const struct model_box *box = cell(p, r, c);
            if (box->party == MODEL_NONE || box->component == MODEL_NONE)
                continue;
            struct frame *f = &p->frames[box->party];
            if (!f->used)
                *f = (struct frame){true, r, r, c, c, 0, 0, 0, 0};
            f->bottom = r;
            f->left = c < f->left ? c : f->left;
            f->right = larger(f->right, c);
        }
}

static bool frame_edge(const struct plan *p, size_t column, bool left)
{
    for (size_t i = 0; i < p->model->party_count; i++)
        if (p->frames[i].used && (left ? p->frames[i].left : p->frames[i].right) == column)
            return true;
    return false;
}

/* Widths of boxes and of what stands beside arrows that go down. */
static void plan_reach(struct plan *p)
{
    for (size_t c = 0; c < p->boxes->column_count; c++) {
        size_t longest = 0;
        for (size_t r = 0; r < p->boxes->row_count; r++) {
            size_t width = 0;
            if (cell(p, r, c)->party != MODEL_NONE)
                drawing_lines(box_name(p, cell(p, r, c)), p->rooms.name, &width);
            longest = larger(longest, width);
        }
        p->width[c] = longest + 4 + (longest % 2 == 0); /* odd, so that it has a middle */
        p->reach_left[c] = p->reach_right[c] = p->width[c] / 2;
        p->gap[c] = 3;
    }
    for (size_t i = 0; i < p->boxes->arrow_count; i++) {
        const struct model_arrow *a = &p->boxes->arrows[i];
        size_t width, c = left_column(a);
        const struct model_arrow *other = twin(p, a);
        label_size(a, goes_down(a) ? p->rooms.label : p->rooms.across, &width);
        if (!goes_down(a))
            p->gap[c] = larger(p->gap[c], larger(width + 4, 6));
        else if (other != NULL && a < other)
            p->reach_left[c] = larger(p->reach_left[c], TWIN + 2 + width);
        else
            p->reach_right[c] = larger(p->reach_right[c], (other != NULL ? TWIN : 0) + 2 + width);
    }
}

static void plan_columns(struct plan *p)
{
    size_t at = 0, count = p->boxes->column_count;
    plan_reach(p);
    for (size_t c = 0; c < count; c++) {
        at += (frame_edge(p, c, true) ? FRAME_PAD : 0) + p->reach_left[c];
        p->middle[c] = at;
        at += p->reach_right[c] + 1 + (frame_edge(p, c, false) ? FRAME_PAD : 0);
        at += c + 1 < count ? p->gap[c] : 0;
    }
    p->total = at;
}

/* Names and labels get narrower, until all fits. */
static void plan_width(struct plan *p)
{
    p->rooms = (struct rooms){NAME_ROOM, LABEL_ROOM, ACROSS_ROOM};
    plan_columns(p);
    while (p->total > DRAWING_WIDTH) {
        size_t *room = p->rooms.label > p->rooms.across  ? &p->rooms.label
                       : p->rooms.across > p->rooms.name ? &p->rooms.across
                                                         : &p->rooms.name;
        if (*room == ROOM_LEAST)
            break;
        --*room;
        plan_columns(p);
    }
    size_t shift = p->total < DRAWING_WIDTH ? (DRAWING_WIDTH - p->total) / 2 : 0;
    for (size_t c = 0; c < p->boxes->column_count; c++)
        p->middle[c] += shift;
}

static void place_frame_columns(struct plan *p, struct frame *f)
{
    f->first_column = p->middle[f->left] - p->reach_left[f->left] - FRAME_PAD;
    f->last_column = p->middle[f->right] + p->reach_right[f->right] + FRAME_PAD;
}

/* The rows that the names of frames which end under this row of boxes take. */
static size_t frame_foot(const struct plan *p, size_t row)
{
    size_t rows = 0, longest;
    for (size_t i = 0; i < p->model->party_count; i++) {
        const struct frame *f = &p->frames[i];
        if (f->used && f->bottom == row)
            rows = larger(rows, 2 + drawing_lines(p->model->parties[i].name,
                                                  f->last_column - f->first_column - 3, &longest));
    }
    return rows;
}

static size_t frame_head(const struct plan *p, size_t row)
{
    for (size_t i = 0; i < p->model->party_count; i++)
        if (p->frames[i].used && p->frames[i].top == row)
            return 2;
    return 0;
}

/* Arrows that go across lie beside a box, which is as high as they need: their labels may reach up
 * to its edge, the arrows themselves lead to its side. *ret_first: rows above what comes first. */
static size_t across_height(const struct plan *p, size_t row, size_t column, size_t *ret_first)
{
    size_t height = 0, width;
    *ret_first = 0;
    for (size_t i = 0; i < p->boxes->arrow_count; i++) {
        const struct model_arrow *a = &p->boxes->arrows[i];
        if (goes_down(a) || upper_row(a) != row || left_column(a) != column)
            continue;
        size_t lines = label_size(a, p->rooms.across, &width);
        if (height == 0)
            *ret_first = lines == 0;
        height += lines + 1;
    }
    return height > 0 ? *ret_first + height + 1 : 0;
}

static void plan_rows(struct plan *p)
{
    size_t at = 0, longest, first;
    for (size_t r = 0; r < p->boxes->row_count; r++) {
        p->height[r] = 3;
        for (size_t c = 0; c < p->boxes->column_count; c++) {
            size_t lines = 0;
            if (cell(p, r, c)->party != MODEL_NONE)
                lines = drawing_lines(box_name(p, cell(p, r, c)), p->rooms.name, &longest);
            p->height[r] = larger(p->height[r], lines + 2);
            p->height[r] = larger(p->height[r], across_height(p, r, c, &first));
        }
        p->below[r] = 1;
        for (size_t i = 0; i < p->boxes->arrow_count; i++) {
            const struct model_arrow *a = &p->boxes->arrows[i];
            if (goes_down(a) && upper_row(a) == r)
                p->below[r] =
                    larger(p->below[r], larger(3, label_size(a, p->rooms.label, &longest)));
        }
        at += frame_head(p, r);
        p->top[r] = at;
        at += p->height[r] + frame_foot(p, r) + p->below[r];
    }
}

static void draw_frames(struct plan *p)
{
    for (size_t i = 0; i < p->model->party_count; i++) {
        struct frame *f = &p->frames[i];
        if (!f->used)
            continue;
        f->first_row = p->top[f->top] - 2;
        f->last_row = p->top[f->bottom] + p->height[f->bottom] + frame_foot(p, f->bottom) - 1;
        size_t width = f->last_column - f->first_column + 1, longest;
        canvas_frame(p->canvas, f->first_row, f->first_column, f->last_row - f->first_row + 1,
                     width);
        const char *name = p->model->parties[i].name;
        size_t row = f->last_row - drawing_lines(name, width - 4, &longest);
        while (*name != '\0') {
            size_t skip, len = drawing_break(name, width - 4, &skip);
            canvas_text(p->canvas, row++, f->first_column + (width - len) / 2, name, len,
                        CANVAS_MIDDLE, CANVAS_STRONG);
            name += skip;
        }
    }
}

static void draw_box(struct plan *p, size_t row, size_t column)
{
    const struct model_box *box = cell(p, row, column);
    if (box->party == MODEL_NONE)
        return;
    size_t longest, width = p->width[column], left = p->middle[column] - width / 2;
    const char *name = box_name(p, box);
    size_t lines = drawing_lines(name, p->rooms.name, &longest);
    size_t at = p->top[row] + (p->height[row] - lines) / 2;
    canvas_box(p->canvas, p->top[row], left, p->height[row], width);
    while (*name != '\0') {
        size_t skip, len = drawing_break(name, p->rooms.name, &skip);
        canvas_text(p->canvas, at++, left + (width - len) / 2, name, len, CANVAS_MIDDLE,
                    CANVAS_INSIDE);
        name += skip;
    }
}

static void draw_label(struct plan *p, const struct model_arrow *a, size_t row, size_t column,
                       size_t room, enum canvas_align align)
{
    for (size_t i = 0; i < a->line_count; i++)
        for (const char *text = a->lines[i]; *text != '\0';) {
            size_t skip, len = drawing_break(text, room, &skip);
            size_t start = align == CANVAS_LEFT    ? column
                           : align == CANVAS_RIGHT ? column - len + 1
                                                   : column - len / 2;
            canvas_text(p->canvas, row++, start, text, len, align, CANVAS_PLAIN);
            text += skip;
        }
}

static void joints_down(struct plan *p, size_t column, size_t first, size_t last)
{
    for (size_t i = 0; i < p->model->party_count; i++) {
        const struct frame *f = &p->frames[i];
        if (!f->used || column < f->first_column || column > f->last_column)
            continue;
        if (f->first_row > first && f->first_row < last)
            canvas_joint(p->canvas, f->first_row, column);
        if (f->last_row > first && f->last_row < last)
            canvas_joint(p->canvas, f->last_row, column);
    }
}

static void joints_across(struct plan *p, size_t row, size_t first, size_t last)
{
    for (size_t i = 0; i < p->model->party_count; i++) {
        const struct frame *f = &p->frames[i];
        if (!f->used || row < f->first_row || row > f->last_row)
            continue;
        if (f->first_column > first && f->first_column < last)
            canvas_joint(p->canvas, row, f->first_column);
        if (f->last_column > first && f->last_column < last)
            canvas_joint(p->canvas, row, f->last_column);
    }
}

static void draw_down(struct plan *p, const struct model_arrow *a)
{
    size_t upper = upper_row(a), c = a->from_column, width;
    size_t first = p->top[upper] + p->height[upper], last = p->top[upper + 1] - 1;
    const struct model_arrow *other = twin(p, a);
    size_t column = other == NULL ? p->middle[c]
                    : a < other   ? p->middle[c] - TWIN
                                  : p->middle[c] + TWIN;
    bool down = a->to_row > a->from_row;
    canvas_down(p->canvas, column, first, last, a->both_ways || !down, a->both_ways || down);
    joints_down(p, column, first, last);
    /* the label stands between frames */
    size_t free = first + frame_foot(p, upper);
    size_t lines = label_size(a, p->rooms.label, &width);
    size_t row = free + (p->below[upper] - lines) / 2;
    if (other != NULL && a < other)
        draw_label(p, a, row, column - 2, p->rooms.label, CANVAS_RIGHT);
    else
        draw_label(p, a, row, column + 2, p->rooms.label, CANVAS_LEFT);
}

static void draw_across(struct plan *p, const struct model_arrow *a)
{
    size_t r = a->from_row, left = left_column(a), width;
    size_t first = p->middle[left] + p->width[left] / 2 + 1;
    size_t last = p->middle[left + 1] - p->width[left + 1] / 2 - 1;
    const struct model_arrow *other = twin(p, a);
    bool right = a->to_column > a->from_column;
    size_t lines = label_size(a, p->rooms.across, &width), above;
    size_t height = across_height(p, r, left, &above);
    size_t row = p->top[r] + (p->height[r] - height) / 2 + above;
    if (other == NULL && lines <= p->height[r] / 2) /* in the middle of the box, if it can be */
        row = larger(row, p->top[r] + p->height[r] / 2 - lines);
    if (other != NULL && other < a)
        row += label_size(other, p->rooms.across, &width) + 1;
    /* the label stands between frames, too */
    size_t gap =
        p->middle[left] + p->reach_right[left] + 1 + (frame_edge(p, left, false) ? FRAME_PAD : 0);
    draw_label(p, a, row, gap + p->gap[left] / 2, p->rooms.across, CANVAS_MIDDLE);
    canvas_across(p->canvas, row + lines, first, last, '-', a->both_ways || !right,
                  a->both_ways || right);
    joints_across(p, row + lines, first, last);
}

void boxes_draw(const struct model *model, const struct model_boxes *boxes, struct canvas *canvas)
{
    struct plan p = {.model = model, .boxes = boxes, .canvas = canvas};
    find_frames(&p);
    plan_width(&p);
    for (size_t i = 0; i < model->party_count; i++)
        if (p.frames[i].used)
            place_frame_columns(&p, &p.frames[i]);
    plan_rows(&p);
    draw_frames(&p);
    for (size_t r = 0; r < boxes->row_count; r++)
        for (size_t c = 0; c < boxes->column_count; c++)
            draw_box(&p, r, c);
    for (size_t i = 0; i < boxes->arrow_count; i++)
        if (goes_down(&boxes->arrows[i]))
            draw_down(&p, &boxes->arrows[i]);
        else
            draw_across(&p, &boxes->arrows[i]);
}
