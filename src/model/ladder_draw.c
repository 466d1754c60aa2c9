#include "model/ladder_draw.h"

enum {
    GAP_WISHED = 13, /* between two parties, if there is room */
    GAP_LEAST = 4,
    GAP_MOST = 46,
    ARROW_ENDS = 3, /* a line character at either end, and the head */
    INDENT = 2,
    NAME_MAX_LEN = 20,
    NOTE_MAX_LEN = 60,
    BRACE_TEXT_MAX = 20,
    BRACE_LEAD = 4, /* a brace and the blanks around it */
};

struct layout {
    size_t at[LADDER_PARTIES_MAX]; /* the column of each party's life line */
    size_t width;                  /* of all but braces and their texts */
    size_t name_room[LADDER_PARTIES_MAX];
};

struct pen {
    const struct ladder *ladder;
    struct layout layout;
    struct canvas *canvas;
    size_t row;
    bool apart; /* the row before is empty */
};

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

static size_t larger(size_t a, size_t b)
{
    return a > b ? a : b;
}

static size_t width_of(const char *text, size_t room)
{
    size_t longest = 0;
    if (text != NULL)
        drawing_lines(text, room, &longest);
    return longest;
}

static size_t name_width(const struct ladder_party *party)
{
    return width_of(party->name, NAME_MAX_LEN);
}

/* The columns that the names of two neighbours and what stands between them wish for. */
static size_t gap_needed(const struct ladder *l, size_t left)
{
    size_t a = name_width(&l->parties[left]), b = name_width(&l->parties[left + 1]);
    size_t need = a - a / 2 + b / 2 + 2;
    for (size_t i = 0; i < l->row_count; i++) {
        const struct ladder_row *row = &l->rows[i];
        bool here = (row->from == left && row->to == left + 1) ||
                    (row->to == left && row->from == left + 1);
        if (!here || row->kind != LADDER_STEP)
            continue;
        size_t on = ladder_has_label(row) ? ladder_length(row->label) : ladder_length(row->text);
        if (on > 0)
            need = larger(need, on + 2 + ARROW_ENDS + 1);
        need = larger(need, ladder_length(row->below) + 4);
    }
    return smaller(need, GAP_MOST);
}

static size_t *smallest(size_t *gaps, size_t count)
{
    size_t *found = gaps;
    for (size_t i = 1; i < count; i++)
        if (gaps[i] < *found)
            found = &gaps[i];
    return found;
}

static size_t *largest(size_t *gaps, size_t count)
{
    size_t *found = gaps;
    for (size_t i = 1; i < count; i++)
        if (gaps[i] > *found)
            found = &gaps[i];
    return found;
}

static size_t width_without_braces(const struct ladder *l)
{
    size_t longest = 0;
    for (size_t i = 0; i < l->brace_count; i++)
        longest = larger(longest, width_of(l->braces[i].text, BRACE_TEXT_MAX));
    return LADDER_WIDTH - (l->brace_count > 0 ? longest + BRACE_LEAD : 0);
}

/* Each name may take its own width where the gaps allow it, else what they leave for it. */
static void share_name_room(const struct ladder *l, struct layout *layout, const size_t *gaps)
{
    size_t last = l->party_count - 1, end = name_width(&l->parties[last]);
    bool fits = layout->at[last] + end - end / 2 <= LADDER_WIDTH;
    for (size_t i = 0; i < last; i++) {
        size_t a = name_width(&l->parties[i]), b = name_width(&l->parties[i + 1]);
        fits = fits && gaps[i] >= a - a / 2 + b / 2 + 1;
    }
    for (size_t i = 0; i <= last; i++) {
        size_t room = larger(1, i > 0 ? gaps[i - 1] - 1 : 2 * layout->at[0]);
        if (i < last)
            room = smaller(room, gaps[i] - 1);
        else
            room = smaller(room, 2 * (LADDER_WIDTH - layout->at[i]) - 1);
        layout->name_room[i] = fits ? NAME_MAX_LEN : room;
    }
}

/* How far apart the outer parties should be for what is written across them. */
static size_t span_wished(const struct ladder *l)
{
    size_t wish = 0;
    for (size_t i = 0; i < l->row_count; i++)
        if (l->rows[i].kind != LADDER_STEP)
            wish = larger(larger(wish, 2 * GAP_WISHED), ladder_length(l->rows[i].text) + 6);
    return smaller(wish, GAP_MOST);
}

/* Gaps shrink from the widest until all fits, or grow from the narrowest as long as it does. */
static void lay_out(const struct ladder *l, struct layout *ret)
{
    size_t gaps[LADDER_PARTIES_MAX] = {0}, count = l->party_count - 1;
    size_t last = name_width(&l->parties[count]);
    size_t start = INDENT + name_width(&l->parties[0]) / 2;
    size_t total = start + larger(last - last / 2, 1), room = width_without_braces(l);
    size_t wish = span_wished(l) + total;

    for (size_t i = 0; i < count; i++) {
        gaps[i] = gap_needed(l, i);
        total += gaps[i];
    }
    for (; count > 0 && total > room && *largest(gaps, count) > GAP_LEAST; total--)
        --*largest(gaps, count);
    for (; count > 0 && total < room && *smallest(gaps, count) < GAP_WISHED; total++)
        ++*smallest(gaps, count);
    for (; count > 0 && total < smaller(room, wish); total++)
        ++*smallest(gaps, count);

    ret->at[0] = start;
    for (size_t i = 0; i < count; i++)
        ret->at[i + 1] = ret->at[i] + gaps[i];
    ret->width = l->brace_count > 0 ? ret->at[count] + BRACE_LEAD / 2 : LADDER_WIDTH;
    share_name_room(l, ret, gaps);
}

static void put(struct pen *pen, size_t column, const char *chars, size_t len,
                enum canvas_style style)
{
    canvas_text(pen->canvas, pen->row, column, chars, len, CANVAS_MIDDLE, style);
}

/* In the middle of `room` columns from `at`, with a sign or a blank on either side. */
static void put_around(struct pen *pen, size_t at, size_t room, const char *text, size_t len,
                       const char *around, enum canvas_style style)
{
    char chars[LADDER_WIDTH];
    if (room < 3 || len == 0)
        return;
    len = smaller(len, room - 2);
    chars[0] = around[0];
    memcpy(chars + 1, text, len);
    chars[len + 1] = around[1];
    put(pen, at + (room - len - 2) / 2, chars, len + 2, style);
}

/* A row a line, each in the middle of `room` columns from `at`, blanks around. */
static void put_lines(struct pen *pen, size_t at, size_t room, const char *text,
                      enum canvas_style style)
{
    if (room < 3)
        return;
    while (*text != '\0') {
        size_t skip, len = drawing_break(text, room - 2, &skip);
        put_around(pen, at, room, text, len, "  ", style);
        text += skip;
        pen->row++;
    }
}

/* On the arrow if there is room, else above it. `around` stands around it on the arrow. */
static void put_on_arrow(struct pen *pen, size_t low, size_t high, bool right, const char *text,
                         const char *around, enum canvas_style style)
{
    size_t room = high - low + 1, len = ladder_length(text);
    /* the head and one line character on its side, one line character on the other */
    if (len + 2 + ARROW_ENDS <= room && strchr(text, '\n') == NULL)
        put_around(pen, right ? low + 1 : low + 2, room - ARROW_ENDS, text, len, around, style);
    else
        put_lines(pen, low, room, text, style);
}

static void draw_arrow(struct pen *pen, const struct ladder_row *row)
{
    bool right = row->from < row->to;
    size_t low = pen->layout.at[right ? row->from : row->to] + 1;
    size_t high = pen->layout.at[right ? row->to : row->from] - 1; /* both inside the arrow */
    enum canvas_style style = row->marked ? CANVAS_MARKED : CANVAS_PLAIN;

    if (ladder_has_label(row))
        put_on_arrow(pen, low, high, right, row->label, "()", style);
    else if (ladder_length(row->text) > 0)
        put_on_arrow(pen, low, high, right, row->text, "  ", style);
    canvas_across(pen->canvas, pen->row++, low, high, row->line, !right, right);
    if (ladder_length(row->below) == 0)
        return;
    put_lines(pen, low, high - low + 1, row->below, CANVAS_PLAIN);
    pen->row++;
    pen->apart = true;
}

/* As near to the party's column as the width allows. */
static void draw_note(struct pen *pen, const struct ladder_row *row)
{
    const char *text = ladder_has_label(row) ? row->label : row->text;
    size_t room = smaller(NOTE_MAX_LEN, pen->layout.width) - 2, column = pen->layout.at[row->from];
    enum canvas_style style = row->marked ? CANVAS_MARKED : CANVAS_PLAIN;
    bool first = true;
    size_t longest = width_of(text, room) + 2;
    size_t start = column > longest / 2 ? column - longest / 2 : 0;
    if (start + longest > pen->layout.width)
        start = pen->layout.width - longest;
    if (ladder_length(text) == 0)
        pen->row++;
    while (ladder_length(text) > 0) {
        size_t skip, len = drawing_break(text, room, &skip);
        bool last = text[skip] == '\0', label = ladder_has_label(row);
        char around[2] = {!first ? ' ' : label ? '(' : '[', !last ? ' ' : label ? ')' : ']'};
        put_around(pen, start, longest, text, len, around, style);
        pen->row++;
        text += skip;
        first = false;
    }
}

static void draw_across(struct pen *pen, const struct ladder_row *row)
{
    size_t left = pen->layout.at[0], right = pen->layout.at[pen->ladder->party_count - 1];
    enum canvas_style style = row->marked ? CANVAS_MARKED : CANVAS_PLAIN;
    if (right - left < 2 * GAP_WISHED) /* too narrow for words */
        right = smaller(left + 2 * GAP_WISHED, pen->layout.width - 1);
    if (row->kind == LADDER_RULE)
        canvas_rule(pen->canvas, pen->row, left, right);
    if (ladder_length(row->text) > 0)
        put_lines(pen, left, right - left + 1, row->text, style);
    else
        pen->row++;
}

static void draw_row(struct pen *pen, const struct ladder_row *row)
{
    pen->apart = false;
    if (row->kind != LADDER_STEP)
        draw_across(pen, row);
    else if (row->from != row->to)
        draw_arrow(pen, row);
    else
        draw_note(pen, row);
}

/* Above the life lines, the last lines of all names in one row. */
static void draw_names(struct pen *pen)
{
    const struct ladder *l = pen->ladder;
    size_t rows = 1, longest;
    for (size_t i = 0; i < l->party_count; i++)
        rows = larger(rows, drawing_lines(l->parties[i].name, pen->layout.name_room[i], &longest));
    for (size_t i = 0; i < l->party_count; i++) {
        const char *name = l->parties[i].name;
        pen->row = rows - drawing_lines(name, pen->layout.name_room[i], &longest);
        while (*name != '\0') {
            size_t skip, len = drawing_break(name, pen->layout.name_room[i], &skip);
            size_t at = pen->layout.at[i], start = at > len / 2 ? at - len / 2 : 0;
            put(pen, smaller(start, LADDER_WIDTH - len), name, len, CANVAS_STRONG);
            name += skip;
            pen->row++;
        }
    }
    pen->row = rows;
}

/* The brace of the rows drawn from `top` on; the rows grow if its text needs more. */
static void draw_brace(struct pen *pen, const struct ladder_brace *brace, size_t top)
{
    size_t column = pen->layout.at[pen->ladder->party_count - 1] + 2;
    size_t room = LADDER_WIDTH - column - 2, longest;
    if (column + BRACE_LEAD > LADDER_WIDTH)
        return;
    if (room > BRACE_TEXT_MAX)
        room = BRACE_TEXT_MAX;
    size_t lines = drawing_lines(brace->text, room, &longest);
    size_t end = larger(pen->row - pen->apart, top + lines);
    canvas_brace(pen->canvas, column, top, end - 1);
    size_t row = top + (end - top - lines) / 2;
    for (const char *text = brace->text; *text != '\0'; row++) {
        size_t skip, len = drawing_break(text, room, &skip);
        canvas_text(pen->canvas, row, column + 2, text, len, CANVAS_LEFT, CANVAS_PLAIN);
        text += skip;
    }
    pen->row = end + 1; /* so that two braces don't touch */
}

void ladder_draw(const struct ladder *ladder, struct canvas *canvas)
{
    struct pen pen = {.ladder = ladder, .canvas = canvas};
    size_t brace = 0, top = 0;

    lay_out(ladder, &pen.layout);
    draw_names(&pen);
    size_t names = pen.row++;
    for (size_t i = 0; i < ladder->row_count; i++) {
        if (brace < ladder->brace_count && ladder->braces[brace].first == i)
            top = pen.row;
        draw_row(&pen, &ladder->rows[i]);
        if (brace < ladder->brace_count && ladder->braces[brace].last == i)
            draw_brace(&pen, &ladder->braces[brace++], top);
    }
    for (size_t i = 0; i < ladder->party_count; i++)
        canvas_life(canvas, pen.layout.at[i], names, pen.row - 1);
}
