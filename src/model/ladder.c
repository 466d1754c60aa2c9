#include "model/ladder.h"

#include <stdlib.h>

enum {
    GAP_WISHED = 13, /* between two parties, if there is room */
    GAP_LEAST = 4,
    ARROW_ENDS = 3, /* a line character at either end, and the head */
    LIST_INDENT = 2,
    NAME_MAX_LEN = 20,
};

/* The column of each party's life line. */
struct layout {
    size_t at[LADDER_PARTIES_MAX];
};

void ladder_text_fini(struct ladder_text *text)
{
    free(text->text);
    *text = (struct ladder_text){0};
}

static bool text_reserve(struct ladder_text *out, size_t len)
{
    size_t need = out->len + len + 1, room = out->room ? out->room : 1024;
    while (room < need)
        room *= 2;
    char *text = !out->bad && room != out->room ? realloc(out->text, room) : out->text;
    if (out->bad || text == NULL) {
        out->bad = true;
        return false;
    }
    out->text = text;
    out->room = room;
    return true;
}

/* What doesn't print in 7 bits becomes '?'. */
static void text_add(struct ladder_text *out, const char *chars, size_t len)
{
    if (!text_reserve(out, len))
        return;
    for (size_t i = 0; i < len; i++)
        out->text[out->len++] = chars[i] >= ' ' && chars[i] <= '~' ? chars[i] : '?';
    out->text[out->len] = '\0';
}

static void text_end_line(struct ladder_text *out)
{
    text_add(out, " ", 1);
    if (!out->bad)
        out->text[out->len - 1] = '\n';
}

static void text_fill(struct ladder_text *out, size_t count)
{
    while (count-- > 0)
        text_add(out, " ", 1);
}

static size_t length(const char *text)
{
    return text != NULL ? strlen(text) : 0;
}

/* How many characters of `text` go on a line of `room`, cut between words if there is a gap; the
 * next line starts behind *ret_skip. */
static size_t line_len(const char *text, size_t room, size_t *ret_skip)
{
    size_t len = strcspn(text, "\n");
    *ret_skip = len + (text[len] == '\n');
    if (len <= room)
        return len;
    size_t cut = room;
    while (cut > 0 && text[cut] != ' ')
        cut--;
    if (cut == 0)
        cut = room;
    *ret_skip = cut + (text[cut] == ' ');
    return cut;
}

/* The rest of the line behind `indent` columns already written, and further lines as far in. */
static void add_wrapped(struct ladder_text *out, const char *text, size_t indent)
{
    bool first = true;
    do {
        size_t skip, len = line_len(text, LADDER_WIDTH - indent, &skip);
        if (!first)
            text_fill(out, indent);
        text_add(out, text, len);
        text_end_line(out);
        text += skip;
        first = false;
    } while (*text != '\0');
}

static size_t name_len(const struct ladder_party *party)
{
    size_t len = length(party->name);
    return len < NAME_MAX_LEN ? len : NAME_MAX_LEN;
}

/* The columns that the names of two neighbours and the labels between them take. */
static size_t gap_needed(const struct ladder *l, size_t left)
{
    size_t a = name_len(&l->parties[left]), b = name_len(&l->parties[left + 1]);
    size_t need = a - a / 2 + b / 2 + 2;
    for (size_t i = 0; i < l->row_count; i++) {
        const struct ladder_row *row = &l->rows[i];
        bool here = (row->from == left && row->to == left + 1) ||
                    (row->to == left && row->from == left + 1);
        size_t label = length(row->label) + 2 + ARROW_ENDS + 1;
        if (here && label > 2 + ARROW_ENDS + 1 && label > need)
            need = label;
    }
    return need;
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

/* Gaps shrink from the widest until all fits, or grow from the narrowest as long as it does. */
static void lay_out(const struct ladder *l, struct layout *ret)
{
    size_t gaps[LADDER_PARTIES_MAX], count = l->party_count - 1;
    size_t last = name_len(&l->parties[count]);
    size_t start = LIST_INDENT + name_len(&l->parties[0]) / 2;
    size_t total = start + (last - last / 2 > 1 ? last - last / 2 : 1);

    for (size_t i = 0; i < count; i++) {
        gaps[i] = gap_needed(l, i);
        total += gaps[i];
    }
    for (; count > 0 && total > LADDER_WIDTH && *largest(gaps, count) > GAP_LEAST; total--)
        --*largest(gaps, count);
    for (; count > 0 && total < LADDER_WIDTH && *smallest(gaps, count) < GAP_WISHED; total++)
        ++*smallest(gaps, count);

    ret->at[0] = start;
    for (size_t i = 0; i < count; i++)
        ret->at[i + 1] = ret->at[i] + gaps[i];
}

struct canvas {
    char line[LADDER_WIDTH];
};

static void canvas_life_lines(struct canvas *c, const struct ladder *l, const struct layout *layout)
{
    memset(c->line, ' ', sizeof(c->line));
    for (size_t i = 0; i < l->party_count; i++)
        c->line[layout->at[i]] = '|';
}

static void canvas_flush(const struct canvas *c, struct ladder_text *out)
{
    size_t len = sizeof(c->line);
    while (len > 0 && c->line[len - 1] == ' ')
        len--;
    text_add(out, c->line, len);
    text_end_line(out);
}

/* Writes before + text + after around the middle of `room` columns from `at`; the text is cut to
 * fit. */
static void canvas_center(struct canvas *c, size_t at, size_t room, const char *text,
                          const char *around)
{
    size_t len = length(text);
    if (room < 3 || len == 0)
        return;
    if (len > room - 2)
        len = room - 2;
    at += (room - len - 2) / 2;
    c->line[at] = around[0];
    memcpy(c->line + at + 1, text, len);
    c->line[at + 1 + len] = around[1];
}

static bool has_label(const struct ladder_row *row)
{
    return length(row->label) > 0;
}

static void canvas_arrow(struct canvas *c, const struct layout *layout,
                         const struct ladder_row *row)
{
    bool right = row->from < row->to;
    size_t low = layout->at[right ? row->from : row->to] + 1;
    size_t high = layout->at[right ? row->to : row->from] - 1; /* both inside the arrow */
    size_t room = high - low + 1;

    memset(c->line + low, row->line, room);
    c->line[right ? high : low] = right ? '>' : '<';
    if (room <= ARROW_ENDS)
        return;
    /* the head and one line character on its side, one line character on the other */
    size_t start = right ? low + 1 : low + 2;
    if (has_label(row))
        canvas_center(c, start, room - ARROW_ENDS, row->label, "()");
    else
        canvas_center(c, start, room - ARROW_ENDS, row->text, "  ");
}

/* As near to the party's column as the width allows. */
static void canvas_note(struct canvas *c, const struct layout *layout, const struct ladder_row *row)
{
    const char *text = has_label(row) ? row->label : row->text;
    size_t len = length(text) + 2, column = layout->at[row->from];
    if (len > LADDER_WIDTH)
        len = LADDER_WIDTH;
    size_t start = column > len / 2 ? column - len / 2 : 0;
    if (start + len > LADDER_WIDTH)
        start = LADDER_WIDTH - len;
    canvas_center(c, start, len, text, has_label(row) ? "()" : "[]");
}

/* Each name in the middle above its life line, or as near to it as its neighbours let it. */
static void canvas_names(struct canvas *c, const struct ladder *l, const struct layout *layout)
{
    size_t free_from = 0;
    memset(c->line, ' ', sizeof(c->line));
    for (size_t i = 0; i < l->party_count; i++) {
        size_t len = name_len(&l->parties[i]);
        size_t start = layout->at[i] > len / 2 ? layout->at[i] - len / 2 : 0;
        if (start < free_from)
            start = free_from;
        if (start + len > LADDER_WIDTH)
            len = start < LADDER_WIDTH ? LADDER_WIDTH - start : 0;
        if (len > 0)
            memcpy(c->line + start, l->parties[i].name, len);
        free_from = start + len + 1;
    }
}

static void draw(const struct ladder *l, struct ladder_text *out)
{
    struct layout layout;
    struct canvas c;

    lay_out(l, &layout);
    canvas_names(&c, l, &layout);
    canvas_flush(&c, out);
    canvas_life_lines(&c, l, &layout);
    canvas_flush(&c, out);
    for (size_t i = 0; i < l->row_count; i++) {
        canvas_life_lines(&c, l, &layout);
        if (l->rows[i].from != l->rows[i].to)
            canvas_arrow(&c, &layout, &l->rows[i]);
        else
            canvas_note(&c, &layout, &l->rows[i]);
        canvas_flush(&c, out);
    }
}

/* The group that a label belongs to, or NULL. */
static const struct ladder_group *group_of(const struct ladder *l, const char *label)
{
    for (size_t i = 0; i < l->group_count; i++)
        if (strncmp(label, l->groups[i].label, strlen(l->groups[i].label)) == 0)
            return &l->groups[i];
    return NULL;
}

static void list_one(struct ladder_text *out, const char *label, const char *text, size_t depth,
                     size_t column)
{
    size_t used = LIST_INDENT * (depth + 1) + strlen(label) + 2;
    text_fill(out, LIST_INDENT * (depth + 1));
    text_add(out, "(", 1);
    text_add(out, label, strlen(label));
    text_add(out, ")", 1);
    text_fill(out, used < column ? column - used : 1);
    add_wrapped(out, text, used < column ? column : used + 1);
}

static bool listed(const struct ladder_row *row)
{
    return has_label(row) && length(row->text) > 0;
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
static void list_group(const struct ladder *l, struct ladder_text *out, size_t first, size_t column)
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

static void list(const struct ladder *l, struct ladder_text *out)
{
    size_t column = 0;
    bool any = false;
    for (size_t i = 0; i < l->row_count; i++) {
        bool grouped = listed(&l->rows[i]) && group_of(l, l->rows[i].label) != NULL;
        size_t need = length(l->rows[i].label) + 4 + LIST_INDENT * (grouped ? 2 : 1);
        if (listed(&l->rows[i]) && need > column)
            column = need;
        any = any || listed(&l->rows[i]);
    }
    if (!any)
        return;
    if (column > LADDER_WIDTH / 2)
        column = LADDER_WIDTH / 2;
    text_end_line(out);
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

static void head(const struct ladder *l, struct ladder_text *out)
{
    bool any = false;
    if (length(l->title) > 0)
        add_wrapped(out, l->title, 0);
    size_t column = 0;
    for (size_t i = 0; i < l->party_count; i++)
        if (l->parties[i].about != NULL && name_len(&l->parties[i]) > column)
            column = name_len(&l->parties[i]);
    for (size_t i = 0; i < l->party_count; i++) {
        const struct ladder_party *party = &l->parties[i];
        if (party->about == NULL)
            continue;
        any = true;
        text_fill(out, LIST_INDENT);
        text_add(out, party->name, name_len(party));
        text_fill(out, column - name_len(party) + 2);
        add_wrapped(out, party->about, LIST_INDENT + column + 2);
    }
    if (any || length(l->title) > 0)
        text_end_line(out);
}

static bool in_range(const struct ladder *l)
{
    if (l->party_count == 0 || l->party_count > LADDER_PARTIES_MAX)
        return false;
    for (size_t i = 0; i < l->row_count; i++) {
        const struct ladder_row *row = &l->rows[i];
        if (row->from >= l->party_count || row->to >= l->party_count ||
            length(row->label) > LADDER_WIDTH / 2)
            return false;
    }
    return true;
}

bool ladder_render(const struct ladder *ladder, struct ladder_text *out)
{
    if (!in_range(ladder))
        return false;
    head(ladder, out);
    draw(ladder, out);
    if (!ladder->labels_only)
        list(ladder, out);
    return !out->bad;
}
