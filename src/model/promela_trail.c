#include <stdio.h>
#include <stdlib.h>

#include "model/ladder.h"
#include "model/promela.h"

enum { TEXT_LEN = 200 };

struct row_text {
    char text[TEXT_LEN];
};

/* What is known of each machine while the trail is read. */
struct trail {
    const struct promela *promela;
    size_t column[PROMELA_MACHINES_MAX]; /* MODEL_NONE: of another group */
    size_t state[PROMELA_MACHINES_MAX];
    struct ladder_party parties[LADDER_PARTIES_MAX];
    size_t party_count;
    struct ladder_row *rows;
    struct row_text *texts;
    size_t row_count, room;
    char what[TEXT_LEN * 3];
    enum promela_fault fault;
};

static size_t lines_in(const char *text)
{
    size_t count = 1;
    for (; *text != '\0'; text++)
        count += *text == '\n';
    return count;
}

static const char *party_name(const struct trail *t, size_t machine)
{
    return t->promela->model->parties[t->promela->machines[machine].machine->party].name;
}

static const char *state_name(const struct trail *t, size_t machine)
{
    return t->promela->machines[machine].machine->states[t->state[machine]].id;
}

static struct ladder_row *add_row(struct trail *t, size_t from, size_t to, char line)
{
    struct ladder_row *row = &t->rows[t->row_count];
    *row = (struct ladder_row){.from = t->column[from],
                               .to = t->column[to],
                               .line = line,
                               .text = t->texts[t->row_count].text};
    t->row_count++;
    return row;
}

static char *newest_text(struct trail *t)
{
    return t->texts[t->row_count - 1].text;
}

static void take_message(struct trail *t, size_t from, size_t to, size_t message, bool lost)
{
    const struct model_message *m = &t->promela->model->messages[message];
    char line =
        m->association != MODEL_NONE ? t->promela->model->associations[m->association].line : '-';
    struct ladder_row *row = add_row(t, from, to, line);
    row->below = lost ? "lost" : NULL;
    snprintf(newest_text(t), TEXT_LEN, "%s", m->name);
}

static void take_state(struct trail *t, size_t machine, size_t state)
{
    if (t->state[machine] == state)
        return;
    t->state[machine] = state;
    add_row(t, machine, machine, '-');
    snprintf(newest_text(t), TEXT_LEN, "%s", state_name(t, machine));
}

static void take_event(struct trail *t, size_t machine, size_t transition)
{
    const struct model_transition *e =
        &t->promela->machines[machine].machine->transitions[transition];
    const char *text =
        e->event == MODEL_EVENT_RECEIVE ? t->promela->model->messages[e->message].name : e->text;
    add_row(t, machine, machine, '-');
    snprintf(newest_text(t), TEXT_LEN, "%s", text);
}

static void take_unspecified(struct trail *t, size_t machine, size_t message)
{
    t->fault = PROMELA_UNSPECIFIED;
    snprintf(t->what, sizeof(t->what),
             "unspecified reception: %s in state %s doesn't say what to do with %s",
             party_name(t, machine), state_name(t, machine),
             t->promela->model->messages[message].name);
}

/* Numbers come from our own program, but through files: each is checked. */
static void take_line(struct trail *t, const char *line)
{
    const struct promela *p = t->promela;
    char word[16];
    size_t machine, a = 0, b = 0;
    int got = sscanf(line, "@ %zu %15s %zu %zu", &machine, word, &a, &b);

    if (got < 3 || machine >= p->machine_count || t->column[machine] == MODEL_NONE)
        return;
    bool to_machine = got == 4 && b < p->machine_count && t->column[b] != MODEL_NONE &&
                      a < p->model->message_count;
    const struct model_machine *m = p->machines[machine].machine;
    if (strcmp(word, "state") == 0 && a < m->state_count)
        take_state(t, machine, a);
    else if (strcmp(word, "event") == 0 && a < m->transition_count)
        take_event(t, machine, a);
    else if (strcmp(word, "send") == 0 && to_machine)
        take_message(t, machine, b, a, false);
    else if (strcmp(word, "lost") == 0 && to_machine)
        take_message(t, machine, b, a, true);
    else if (strcmp(word, "unspecified") == 0 && to_machine)
        take_unspecified(t, machine, a);
}

static void say_deadlock(struct trail *t)
{
    size_t len = (size_t)snprintf(t->what, sizeof(t->what), "deadlock: nothing more can happen");
    t->fault = PROMELA_DEADLOCK;
    for (size_t i = 0; i < t->promela->machine_count && len < sizeof(t->what); i++)
        if (t->column[i] != MODEL_NONE && t->state[i] != MODEL_NONE)
            len += (size_t)snprintf(t->what + len, sizeof(t->what) - len, ", %s is in state %s",
                                    party_name(t, i), state_name(t, i));
}

/* False: no memory, or a group of more machines than a ladder has room for. */
static bool trail_open(struct trail *t, const struct promela *p, size_t group, const char *text)
{
    *t = (struct trail){.promela = p, .room = lines_in(text) + 1};
    t->rows = calloc(t->room, sizeof(*t->rows));
    t->texts = calloc(t->room, sizeof(*t->texts));
    for (size_t i = 0; i < p->machine_count; i++) {
        t->column[i] = t->state[i] = MODEL_NONE;
        if (p->machines[i].group != group || t->party_count == LADDER_PARTIES_MAX)
            continue;
        t->column[i] = t->party_count;
        t->parties[t->party_count].name = party_name(t, i);
        t->parties[t->party_count++].about = p->machines[i].diagram->title;
    }
    return t->rows != NULL && t->texts != NULL;
}

static bool trail_draw(struct trail *t, struct drawing *out)
{
    t->rows[t->row_count++] = (struct ladder_row){
        .kind = LADDER_RULE,
        .text = t->fault == PROMELA_UNSPECIFIED ? "unspecified reception" : "deadlock",
        .marked = true};
    const struct ladder ladder = {.title = t->what,
                                  .parties = t->parties,
                                  .party_count = t->party_count,
                                  .rows = t->rows,
                                  .row_count = t->row_count};
    return ladder_render(&ladder, out);
}

bool promela_draw(const struct promela *p, size_t group, const char *text,
                  enum promela_fault *ret_fault, struct drawing *out)
{
    struct trail t;
    bool ok = trail_open(&t, p, group, text);
    while (ok && *text != '\0') {
        text += strspn(text, " ");
        take_line(&t, text);
        text += strcspn(text, "\n");
        text += *text == '\n';
    }
    if (ok && t.fault == PROMELA_NO_FAULT)
        say_deadlock(&t);
    ok = ok && trail_draw(&t, out);
    *ret_fault = t.fault;
    free(t.rows);
    free(t.texts);
    return ok;
}
