#include "model/parse.h"

static const char *const closing[] = {
    [MODEL_BOXES] = "'arrow' or '}'",
    [MODEL_LADDER] = "a step or '}'",
    [MODEL_MACHINE] = "a state, a change of state or '}'",
};

bool parse_diagram(struct parser *p, enum model_diagram_kind kind, struct model_diagram *ret)
{
    *ret = (struct model_diagram){.kind = kind, .place = p->lex.token.place};
    if (!parse_new_id(p, &ret->id) || !parse_name(p, &ret->title))
        return false;
    if (model_diagram_find(p->model, ret->id) != NULL)
        return lexer_fail(&p->lex, ret->place, "choose another id", "a second diagram '%s'",
                          ret->id);
    if (kind == MODEL_MACHINE &&
        (!parse_expect_word(p, "of") || !parse_party(p, &ret->machine.party)))
        return false;
    if (!parse_expect(p, TOKEN_OPEN, "'{'") || !parse_text_clause(p, &ret->text))
        return false;
    bool ok = kind == MODEL_BOXES    ? parse_boxes(p, &ret->boxes)
              : kind == MODEL_LADDER ? parse_ladder(p, &ret->ladder)
                                     : parse_machine(p, &ret->machine);
    return ok && parse_expect(p, TOKEN_CLOSE, closing[kind]);
}

/* id or id.id */
static bool parse_cell(struct parser *p, struct model_box *ret)
{
    *ret = (struct model_box){MODEL_NONE, MODEL_NONE, p->lex.token.place};
    if (parse_take(p, TOKEN_MINUS))
        return true;
    if (!parse_party(p, &ret->party))
        return false;
    if (!parse_take(p, TOKEN_DOT))
        return true;
    const struct model_party *party = &p->model->parties[ret->party];
    return parse_reference(p, "component", party->components, party->component_count,
                           sizeof(*party->components), &ret->component);
}

static bool find_cell(const struct model_boxes *boxes, const struct model_box *box, size_t *ret_row,
                      size_t *ret_column)
{
    for (size_t row = 0; row < boxes->row_count; row++)
        for (size_t column = 0; column < boxes->column_count; column++) {
            const struct model_box *cell = &boxes->cells[row][column];
            if (cell->party != box->party || cell->component != box->component)
                continue;
            *ret_row = row;
            *ret_column = column;
            return true;
        }
    return false;
}

static void clear_cells(struct model_boxes *boxes)
{
    for (size_t row = 0; row < MODEL_ROWS_MAX; row++)
        for (size_t column = 0; column < MODEL_COLUMNS_MAX; column++)
            boxes->cells[row][column] = (struct model_box){MODEL_NONE, MODEL_NONE, {0, 0}};
}

static bool parse_row(struct parser *p, struct model_boxes *boxes)
{
    struct model_place place = p->lex.token.place;
    if (boxes->row_count == MODEL_ROWS_MAX)
        return lexer_fail(&p->lex, place, "make two diagrams of it", "more than %d rows",
                          MODEL_ROWS_MAX);
    size_t column = 0, row = boxes->row_count++;
    do {
        struct model_box box;
        size_t other_row, other_column;
        if (!parse_cell(p, &box))
            return false;
        if (column == MODEL_COLUMNS_MAX)
            return lexer_fail(&p->lex, box.place, "begin another row",
                              "more than %d boxes side by side", MODEL_COLUMNS_MAX);
        if (box.party != MODEL_NONE && find_cell(boxes, &box, &other_row, &other_column))
            return lexer_fail(&p->lex, box.place, "show each box once", "a second box for it");
        boxes->cells[row][column++] = box;
        if (column > boxes->column_count)
            boxes->column_count = column;
    } while (parse_take(p, TOKEN_COMMA));
    return true;
}

static size_t distance(size_t a, size_t b)
{
    return a < b ? b - a : a - b;
}

static bool parse_end(struct parser *p, const struct model_boxes *boxes, size_t *ret_row,
                      size_t *ret_column)
{
    struct model_box box;
    if (!parse_cell(p, &box))
        return false;
    if (box.party == MODEL_NONE)
        return lexer_fail(&p->lex, box.place, "name a party or component",
                          "an arrow leads to a box");
    if (!find_cell(boxes, &box, ret_row, ret_column))
        return lexer_fail(&p->lex, box.place, "name it in a row", "this box is not in the diagram");
    return true;
}

/* At most two arrows between the same two boxes: one to either side of the label's room. */
static bool crowded(const struct model_boxes *boxes, const struct model_arrow *new)
{
    size_t same = 0;
    for (size_t i = 0; i < boxes->arrow_count; i++) {
        const struct model_arrow *a = &boxes->arrows[i];
        bool along = a->from_row == new->from_row && a->from_column == new->from_column &&
                     a->to_row == new->to_row && a->to_column == new->to_column;
        bool against = a->from_row == new->to_row && a->from_column == new->to_column &&
                       a->to_row == new->from_row && a->to_column == new->from_column;
        same += along || against;
    }
    return same >= 2;
}

static bool parse_arrow(struct parser *p, struct model_boxes *boxes)
{
    static const struct parse_list list = {"arrows", sizeof(struct model_arrow), MODEL_ARROWS_MAX};
    struct model_arrow new = {.place = p->lex.token.place};
    if (!parse_end(p, boxes, &new.from_row, &new.from_column))
        return false;
    new.both_ways = parse_take(p, TOKEN_BOTH);
    if ((!new.both_ways && !parse_expect(p, TOKEN_ARROW, "'->' or '<->'")) ||
        !parse_end(p, boxes, &new.to_row, &new.to_column))
        return false;
    if (distance(new.from_row, new.to_row) + distance(new.from_column, new.to_column) != 1)
        return lexer_fail(&p->lex, new.place, "put them side by side or one above the other",
                          "these two boxes are no neighbours");
    if (crowded(boxes, &new))
        return lexer_fail(&p->lex, new.place, "join their labels",
                          "a third arrow between the same boxes");
    while (p->lex.token.kind == TOKEN_TEXT) {
        if (new.line_count == MODEL_LINES_MAX)
            return lexer_fail(&p->lex, p->lex.token.place, "say the rest in the text",
                              "a label of more than %d lines", MODEL_LINES_MAX);
        if (!parse_name(p, &new.lines[new.line_count++]))
            return false;
    }
    return parse_add(p, &list, &boxes->arrows, &boxes->arrow_count, &new, new.place);
}

/* The frame around a party's components must hold nothing else. */
static bool check_frames(struct parser *p, const struct model_boxes *boxes)
{
    for (size_t party = 0; party < p->model->party_count; party++) {
        size_t top = SIZE_MAX, bottom = 0, left = SIZE_MAX, right = 0;
        for (size_t r = 0; r < boxes->row_count; r++)
            for (size_t c = 0; c < boxes->column_count; c++) {
                if (boxes->cells[r][c].party != party || boxes->cells[r][c].component == MODEL_NONE)
                    continue;
                top = r < top ? r : top;
                bottom = r;
                left = c < left ? c : left;
                right = c > right ? c : right;
            }
        for (size_t r = top; r <= bottom && top != SIZE_MAX; r++)
            for (size_t c = left; c <= right; c++) {
                const struct model_box *cell = &boxes->cells[r][c];
                if (cell->party != MODEL_NONE &&
                    (cell->party != party || cell->component == MODEL_NONE))
                    return lexer_fail(&p->lex, cell->place, "move it, or the components around it",
                                      "this box lies within the frame of '%s'",
                                      p->model->parties[party].id);
            }
    }
    return true;
}

bool parse_boxes(struct parser *p, struct model_boxes *ret)
{
    clear_cells(ret);
    if (!parse_is(p, "row"))
        return parse_expect_word(p, "row");
    while (parse_take_word(p, "row"))
        if (!parse_row(p, ret))
            return false;
    while (parse_take_word(p, "arrow"))
        if (!parse_arrow(p, ret))
            return false;
    return check_frames(p, ret);
}
