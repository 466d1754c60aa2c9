/* From a model's ladder to the rows that are drawn. */
#include <stdarg.h>
#include <stdio.h>

#include "model/diagram_draw.h"

struct builder_state {
    const struct model *model;
    const struct model_ladder *from;
    struct ladder_sheet *sheet;
    struct arena *arena;
    size_t phases; /* open ones */
};

__attribute__((format(printf, 2, 3))) static char *format(struct arena *arena, const char *pattern,
                                                          ...)
{
    va_list args, again;
    va_start(args, pattern);
    va_copy(again, args);
    int len = vsnprintf(NULL, 0, pattern, args);
    char *text = len >= 0 ? arena_alloc(arena, (size_t)len + 1) : NULL;
    if (text != NULL)
        vsnprintf(text, (size_t)len + 1, pattern, again);
    va_end(again);
    va_end(args);
    return text;
}

static const char *join(struct arena *arena, const char *const *names, size_t count)
{
    size_t len = 0;
    for (size_t i = 0; i < count; i++)
        len += strlen(names[i]) + 2;
    char *text = arena_alloc(arena, len + 1), *at = text;
    for (size_t i = 0; i < count && text != NULL; i++)
        at += sprintf(at, "%s%s", i > 0 ? ", " : "", names[i]);
    return text;
}

/* MOD-018: what is said of a message's contents is their names, never a layout. */
static const char *protect(const struct model *model, const struct model_message *message,
                           const char *contents, struct arena *arena)
{
    if (message->association == MODEL_NONE || contents == NULL)
        return contents;
    const char *name = model->associations[message->association].name;
    return contents[0] != '\0' ? format(arena, "E(%s, %s)", name, contents)
                               : format(arena, "E(%s)", name);
}

const char *message_notation(const struct model *model, const struct model_message *message,
                             struct arena *arena)
{
    return protect(model, message, join(arena, message->contents, message->content_count), arena);
}

static struct ladder_row *push_row(struct builder_state *b)
{
    void *rows = (void *)(uintptr_t)b->sheet->ladder.rows;
    struct ladder_row *row = arena_push(b->arena, &rows, &b->sheet->ladder.row_count, sizeof(*row));
    b->sheet->ladder.rows = rows;
    if (row != NULL)
        *row = (struct ladder_row){.line = '-'};
    return row;
}

static size_t column_of(const struct builder_state *b, size_t party)
{
    size_t i = 0;
    while (i < b->from->party_count && b->from->parties[i] != party)
        i++;
    return i;
}

static bool push_text(struct builder_state *b, enum ladder_row_kind kind, const char *text)
{
    struct ladder_row *row = text != NULL ? push_row(b) : NULL;
    if (row == NULL)
        return false;
    row->kind = kind;
    row->text = text;
    return true;
}

static bool push_message(struct builder_state *b, const struct model_step *step)
{
    const struct model_message *message = &b->model->messages[step->message];
    struct ladder_row *row = push_row(b);
    const char *notation = message_notation(b->model, message, b->arena);
    if (row == NULL || notation == NULL)
        return false;
    row->from = column_of(b, step->from);
    row->to = column_of(b, step->to);
    if (message->association != MODEL_NONE)
        row->line = b->model->associations[message->association].line;
    row->label = message->label;
    if (step->text != NULL)
        row->text = protect(b->model, message, step->text, b->arena);
    else if (message->label != NULL)
        row->text = notation[0] != '\0' ? format(b->arena, "%s: %s", message->name, notation)
                                        : message->name;
    else
        row->text = message->name;
    if (step->text == NULL && message->label == NULL)
        row->below = notation;
    return row->text != NULL;
}

static bool push_steps(struct builder_state *b, const struct model_step *steps, size_t count);

/* An outer phase has a brace, one inside it a heading. */
static bool push_phase(struct builder_state *b, const struct model_step *step)
{
    struct ladder *ladder = &b->sheet->ladder;
    size_t first = ladder->row_count;
    if (b->phases > 0 && !push_text(b, LADDER_ACROSS, step->text))
        return false;
    b->phases++;
    bool ok = push_steps(b, step->inner, step->inner_count);
    b->phases--;
    if (!ok || b->phases > 0 || ladder->row_count == first)
        return ok;
    void *braces = (void *)(uintptr_t)ladder->braces;
    struct ladder_brace *brace =
        arena_push(b->arena, &braces, &ladder->brace_count, sizeof(*brace));
    ladder->braces = braces;
    if (brace != NULL)
        *brace = (struct ladder_brace){first, ladder->row_count - 1, step->text};
    return brace != NULL;
}

static bool push_framed(struct builder_state *b, const struct model_step *step, const char *what)
{
    return push_text(b, LADDER_RULE, format(b->arena, "%s: %s", what, step->text)) &&
           push_steps(b, step->inner, step->inner_count);
}

static bool push_step(struct builder_state *b, const struct model_step *step)
{
    switch (step->kind) {
    case MODEL_STEP_MESSAGE:
        return push_message(b, step);
    case MODEL_STEP_NOTE:
        if (!push_text(b, LADDER_STEP, step->text))
            return false;
        struct ladder_row *row =
            (struct ladder_row *)(uintptr_t)&b->sheet->ladder.rows[b->sheet->ladder.row_count - 1];
        row->from = row->to = column_of(b, step->from);
        return true;
    case MODEL_STEP_ACROSS:
        return push_text(b, LADDER_ACROSS, format(b->arena, "* %s *", step->text));
    case MODEL_STEP_PHASE:
        return push_phase(b, step);
    case MODEL_STEP_OPTIONAL:
        return push_framed(b, step, "optional") && push_text(b, LADDER_RULE, "");
    case MODEL_STEP_REPEAT:
        return push_framed(b, step, "repeated") && push_text(b, LADDER_RULE, "");
    default:
        for (size_t i = 0; i < step->inner_count; i++)
            if (!push_framed(b, &step->inner[i], i == 0 ? "either" : "or"))
                return false;
        return push_text(b, LADDER_RULE, "");
    }
}

static bool push_steps(struct builder_state *b, const struct model_step *steps, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (!push_step(b, &steps[i]))
            return false;
    return true;
}

bool ladder_sheet_build(const struct model *model, const struct model_diagram *diagram,
                        struct ladder_sheet *ret)
{
    *ret = (struct ladder_sheet){.ladder = {.title = NULL}};
    struct builder_state b = {
        .model = model, .from = &diagram->ladder, .sheet = ret, .arena = &ret->arena};
    size_t count = diagram->ladder.party_count;
    struct ladder_party *parties = arena_alloc(&ret->arena, count * sizeof(*parties));
    if (parties == NULL)
        return false;
    for (size_t i = 0; i < count; i++)
        parties[i].name = model->parties[diagram->ladder.parties[i]].name;
    ret->ladder.parties = parties;
    ret->ladder.party_count = count;
    return push_steps(&b, diagram->ladder.steps, diagram->ladder.step_count);
}

void ladder_sheet_fini(struct ladder_sheet *sheet)
{
    arena_free(&sheet->arena);
}

const char *transition_text(const struct model *model, const struct model_transition *transition,
                            struct arena *arena)
{
    const char *names[MODEL_ACTIONS_MAX], *event = transition->text;
    if (transition->event == MODEL_EVENT_RECEIVE) {
        const char *name = model->messages[transition->message].name;
        event =
            event != NULL ? format(arena, "on %s, %s", name, event) : format(arena, "on %s", name);
    } else if (transition->event == MODEL_EVENT_TIMER) {
        event = format(arena, "timer: %s", event);
    }
    if (transition->send_count == 0 || event == NULL)
        return event;
    for (size_t i = 0; i < transition->send_count; i++)
        names[i] = model->messages[transition->sends[i]].name;
    const char *sent = join(arena, names, transition->send_count);
    return sent != NULL ? format(arena, "%s; sends %s", event, sent) : NULL;
}
