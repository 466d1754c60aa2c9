#include "model/parse.h"

static bool parse_state(struct parser *p, struct model_machine *machine, bool *have_initial)
{
    static const struct parse_list list = {"states", sizeof(struct model_state), MODEL_STATES_MAX};
    struct model_state new = {.place = p->lex.token.place};
    if (!parse_new_id(p, &new.id) ||
        !parse_unused(p, "state", machine->states, machine->state_count, sizeof(new), new.id,
                      new.place))
        return false;
    new.initial = parse_take_word(p, "initial");
    new.final = parse_take_word(p, "final");
    if (p->lex.token.kind == TOKEN_TEXT && !parse_text(p, &new.text))
        return false;
    if (new.initial &&*have_initial)
        return lexer_fail(&p->lex, new.place, "keep one of them", "a second initial state");
    if (new.initial)
        machine->initial = machine->state_count;
    *have_initial |= new.initial;
    return parse_add(p, &list, &machine->states, &machine->state_count, &new, new.place);
}

/* Whether the machine's party may send this message, or be sent it. */
static bool check_end(struct parser *p, const struct model_machine *machine, size_t message,
                      bool sends, struct model_place place)
{
    const struct model_message *m = &p->model->messages[message];
    const char *party = p->model->parties[machine->party].id;
    size_t end = sends ? m->from : m->to, other = sends ? m->to : m->from;
    if (end == machine->party || (m->either_way && other == machine->party))
        return true;
    return lexer_fail(&p->lex, place, "correct the id, or the message's declaration",
                      sends ? "message '%s' is never sent by '%s'"
                            : "message '%s' is never sent to '%s'",
                      m->id, party);
}

static bool parse_event(struct parser *p, struct model_machine *machine,
                        struct model_transition *new)
{
    if (parse_take_word(p, "timer")) {
        new->event = MODEL_EVENT_TIMER;
        return parse_text(p, &new->text);
    }
    if (parse_take_word(p, "local")) {
        new->event = MODEL_EVENT_LOCAL;
        return parse_text(p, &new->text);
    }
    if (!parse_take_word(p, "receive"))
        return parse_unexpected(p, "'receive', 'timer' or 'local'");
    struct model_place place = p->lex.token.place;
    return parse_message(p, &new->message) && check_end(p, machine, new->message, false, place) &&
           (p->lex.token.kind != TOKEN_TEXT || parse_text(p, &new->text));
}

static bool parse_sends(struct parser *p, struct model_machine *machine,
                        struct model_transition *new)
{
    do {
        struct model_place place = p->lex.token.place;
        if (new->send_count == MODEL_ACTIONS_MAX)
            return lexer_fail(&p->lex, place, "merge some of them",
                              "more than %d messages sent at once", MODEL_ACTIONS_MAX);
        if (!parse_message(p, &new->sends[new->send_count]) ||
            !check_end(p, machine, new->sends[new->send_count], true, place))
            return false;
        new->send_count++;
    } while (parse_take(p, TOKEN_COMMA));
    return true;
}

static bool parse_state_reference(struct parser *p, const struct model_machine *machine,
                                  size_t *ret)
{
    return parse_reference(p, "state", machine->states, machine->state_count,
                           sizeof(*machine->states), ret);
}

static bool parse_change(struct parser *p, struct model_machine *machine)
{
    static const struct parse_list list = {"changes of state", sizeof(struct model_transition),
                                           MODEL_TRANSITIONS_MAX};
    struct model_transition new = {.place = p->lex.token.place, .message = MODEL_NONE};
    return parse_state_reference(p, machine, &new.from) && parse_expect(p, TOKEN_ARROW, "'->'") &&
           parse_state_reference(p, machine, &new.to) && parse_expect_word(p, "on") &&
           parse_event(p, machine, &new) &&
           (!parse_take_word(p, "send") || parse_sends(p, machine, &new)) &&
           parse_add(p, &list, &machine->transitions, &machine->transition_count, &new, new.place);
}

bool parse_machine(struct parser *p, struct model_machine *ret)
{
    bool have_initial = false;
    struct model_place place = p->lex.token.place;
    while (parse_take_word(p, "state"))
        if (!parse_state(p, ret, &have_initial))
            return false;
    if (!have_initial)
        return lexer_fail(&p->lex, place, "write 'initial' behind one state's id",
                          "no state is the initial one");
    while (p->lex.token.kind == TOKEN_WORD)
        if (!parse_change(p, ret))
            return false;
    return true;
}
