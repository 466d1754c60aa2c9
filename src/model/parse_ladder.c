#include "model/parse.h"

struct step_list {
    const struct model_step *steps;
    size_t count;
};

static bool parse_steps(struct parser *p, struct step_list *ret);

static bool parse_block(struct parser *p, struct model_step *step)
{
    struct step_list inner = {0};
    if (!parse_expect(p, TOKEN_OPEN, "'{'"))
        return false;
    if (++p->depth > MODEL_STEP_DEPTH_MAX)
        return lexer_fail(&p->lex, step->place, "make two ladders of it", "steps more than %d deep",
                          MODEL_STEP_DEPTH_MAX);
    if (!parse_steps(p, &inner) || !parse_expect(p, TOKEN_CLOSE, "a step or '}'"))
        return false;
    p->depth--;
    step->inner = inner.steps;
    step->inner_count = inner.count;
    return true;
}

static bool parse_cases(struct parser *p, struct model_step *step)
{
    static const struct parse_list list = {"cases", sizeof(struct model_step), MODEL_CASES_MAX};
    if (!parse_expect(p, TOKEN_OPEN, "'{'"))
        return false;
    if (!parse_is(p, "case"))
        return parse_expect_word(p, "case");
    for (;;) {
        struct model_step new = {.kind = MODEL_STEP_CASE, .place = p->lex.token.place};
        if (!parse_take_word(p, "case"))
            break;
        if (!parse_text(p, &new.text) || !parse_block(p, &new) ||
            !parse_add(p, &list, &step->inner, &step->inner_count, &new, new.place))
            return false;
    }
    return parse_expect(p, TOKEN_CLOSE, "'case' or '}'");
}

static bool parse_message_step(struct parser *p, struct model_step *step)
{
    step->kind = MODEL_STEP_MESSAGE;
    if (!parse_party(p, &step->from) || !parse_expect(p, TOKEN_ARROW, "'->'") ||
        !parse_party(p, &step->to) || !parse_expect(p, TOKEN_COLON, "':'"))
        return false;
    struct model_place place = p->lex.token.place;
    if (!parse_message(p, &step->message))
        return false;
    const struct model_message *m = &p->model->messages[step->message];
    bool along = m->from == step->from && m->to == step->to;
    bool against = m->either_way && m->from == step->to && m->to == step->from;
    if (!along && !against)
        return lexer_fail(&p->lex, place, "correct the arrow, or the message's declaration",
                          "message '%s' goes from '%s' to '%s'", m->id,
                          p->model->parties[m->from].id, p->model->parties[m->to].id);
    return p->lex.token.kind != TOKEN_TEXT || parse_name(p, &step->text);
}

static bool parse_step(struct parser *p, struct model_step *step)
{
    static const struct {
        const char *word;
        enum model_step_kind kind;
    } blocks[] = {{"phase", MODEL_STEP_PHASE},
                  {"optional", MODEL_STEP_OPTIONAL},
                  {"repeat", MODEL_STEP_REPEAT}};

    for (size_t i = 0; i < sizeof(blocks) / sizeof(blocks[0]); i++)
        if (parse_take_word(p, blocks[i].word)) {
            step->kind = blocks[i].kind;
            return parse_text(p, &step->text) && parse_block(p, step);
        }
    if (parse_take_word(p, "note")) {
        step->kind = MODEL_STEP_NOTE;
        return parse_party(p, &step->from) && parse_text(p, &step->text);
    }
    if (parse_take_word(p, "across")) {
        step->kind = MODEL_STEP_ACROSS;
        return parse_text(p, &step->text);
    }
    if (parse_take_word(p, "choice")) {
        step->kind = MODEL_STEP_CHOICE;
        return parse_cases(p, step);
    }
    return parse_message_step(p, step);
}

static bool parse_steps(struct parser *p, struct step_list *ret)
{
    static const struct parse_list list = {"steps", sizeof(struct model_step), MODEL_STEPS_MAX};
    while (p->lex.token.kind == TOKEN_WORD) {
        struct model_step new = {.place = p->lex.token.place,
                                 .from = MODEL_NONE,
                                 .to = MODEL_NONE,
                                 .message = MODEL_NONE};
        if (++p->steps > MODEL_STEPS_MAX)
            return lexer_fail(&p->lex, new.place, "make two ladders of it", "more than %d steps",
                              MODEL_STEPS_MAX);
        if (!parse_step(p, &new) || !parse_add(p, &list, &ret->steps, &ret->count, &new, new.place))
            return false;
    }
    return true;
}

static bool has_party(const struct model_ladder *ladder, size_t party)
{
    for (size_t i = 0; i < ladder->party_count; i++)
        if (ladder->parties[i] == party)
            return true;
    return false;
}

static bool parse_parties(struct parser *p, struct model_ladder *ladder)
{
    do {
        struct model_place place = p->lex.token.place;
        size_t party;
        if (!parse_party(p, &party))
            return false;
        if (has_party(ladder, party))
            return lexer_fail(&p->lex, place, "name each party once", "this party is named twice");
        ladder->parties[ladder->party_count++] = party;
    } while (parse_take(p, TOKEN_COMMA));
    return true;
}

static void mark_used(const struct model_step *steps, size_t count, bool used[MODEL_PARTIES_MAX])
{
    for (size_t i = 0; i < count; i++) {
        if (steps[i].kind == MODEL_STEP_MESSAGE || steps[i].kind == MODEL_STEP_NOTE)
            used[steps[i].from] = true;
        if (steps[i].kind == MODEL_STEP_MESSAGE)
            used[steps[i].to] = true;
        mark_used(steps[i].inner, steps[i].inner_count, used);
    }
}

/* Parties that the file names no order for stand in that of their declaration. */
static void complete_parties(struct parser *p, struct model_ladder *ladder)
{
    bool used[MODEL_PARTIES_MAX] = {0};
    mark_used(ladder->steps, ladder->step_count, used);
    for (size_t i = 0; i < p->model->party_count; i++)
        if (used[i] && !has_party(ladder, i))
            ladder->parties[ladder->party_count++] = i;
}

bool parse_ladder(struct parser *p, struct model_ladder *ret)
{
    struct step_list steps = {0};
    p->depth = p->steps = 0;
    if (parse_take_word(p, "parties") && !parse_parties(p, ret))
        return false;
    ret->continues = parse_take_word(p, "continues");
    struct model_place place = p->lex.token.place;
    if (!parse_steps(p, &steps))
        return false;
    ret->steps = steps.steps;
    ret->step_count = steps.count;
    complete_parties(p, ret);
    if (ret->party_count == 0)
        return lexer_fail(&p->lex, place, "write steps such as 'client -> server: request'",
                          "a ladder without steps");
    return true;
}
