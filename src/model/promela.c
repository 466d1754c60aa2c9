#include "model/promela.h"

#include <stdarg.h>
#include <stdio.h>

/* Local events fill a channel up to here, so that answers always find room. */
enum { LOCAL_ROOM = PROMELA_CHANNEL / 2, LINE_LEN = 512 };

struct writer {
    const struct promela *promela;
    struct drawing *out;
    size_t machine; /* that is being written */
};

__attribute__((format(printf, 2, 3))) static void put(struct writer *w, const char *format, ...)
{
    char line[LINE_LEN];
    va_list args;
    va_start(args, format);
    int len = vsnprintf(line, sizeof(line), format, args);
    va_end(args);
    if (len > 0)
        drawing_add(w->out, line, (size_t)len < sizeof(line) ? (size_t)len : sizeof(line) - 1);
    drawing_end_line(w->out);
}

size_t promela_other_party(const struct model *model, size_t message, size_t party)
{
    const struct model_message *m = &model->messages[message];
    return m->from == party ? m->to : m->from;
}

static bool machine_sends(const struct model_machine *machine, size_t message)
{
    for (size_t i = 0; i < machine->transition_count; i++)
        for (size_t j = 0; j < machine->transitions[i].send_count; j++)
            if (machine->transitions[i].sends[j] == message)
                return true;
    return false;
}

static bool machine_receives(const struct model_machine *machine, size_t message)
{
    for (size_t i = 0; i < machine->transition_count; i++)
        if (machine->transitions[i].event == MODEL_EVENT_RECEIVE &&
            machine->transitions[i].message == message)
            return true;
    return false;
}

static bool has_machine(const struct promela *p, size_t party)
{
    for (size_t i = 0; i < p->machine_count; i++)
        if (p->machines[i].machine->party == party)
            return true;
    return false;
}

/* The first machine of a party gets what none of them knows: there it is an unspecified reception.
 */
static bool first_of_party_knowing_none(const struct promela *p, size_t machine, size_t message)
{
    size_t party = p->machines[machine].machine->party;
    for (size_t i = 0; i < p->machine_count; i++)
        if (p->machines[i].machine->party == party &&
            (i < machine || machine_receives(p->machines[i].machine, message)))
            return false;
    return true;
}

bool promela_delivers(const struct promela *p, size_t from, size_t to, size_t message)
{
    const struct model_machine *sender = p->machines[from].machine;
    if (!machine_sends(sender, message) ||
        promela_other_party(p->model, message, sender->party) != p->machines[to].machine->party)
        return false;
    return machine_receives(p->machines[to].machine, message) ||
           first_of_party_knowing_none(p, to, message);
}

bool promela_from_outside(const struct promela *p, size_t machine, const struct model_transition *t)
{
    return t->event == MODEL_EVENT_RECEIVE &&
           !has_machine(
               p, promela_other_party(p->model, t->message, p->machines[machine].machine->party));
}

static bool connected(const struct promela *p, size_t from, size_t to)
{
    for (size_t m = 0; m < p->model->message_count; m++)
        if (promela_delivers(p, from, to, m))
            return true;
    return false;
}

static void join(struct promela *p, size_t a, size_t b)
{
    for (size_t i = 0; i < p->machine_count; i++)
        if (p->machines[i].group == b)
            p->machines[i].group = a;
}

/* Groups numbered from 0 in the order of their first machines. */
static void number_groups(struct promela *p)
{
    size_t numbers[PROMELA_MACHINES_MAX];
    for (size_t i = 0; i < p->machine_count; i++)
        numbers[i] = MODEL_NONE;
    for (size_t i = 0; i < p->machine_count; i++) {
        size_t *number = &numbers[p->machines[i].group];
        if (*number == MODEL_NONE)
            *number = p->group_count++;
        p->machines[i].group = *number;
    }
}

bool promela_init(struct promela *p, const struct model *model)
{
    const struct model_diagram *diagram;

    *p = (struct promela){.model = model};
    for (size_t i = 0; (diagram = model_diagram(model, i)) != NULL; i++) {
        if (diagram->kind != MODEL_MACHINE)
            continue;
        if (p->machine_count == PROMELA_MACHINES_MAX)
            return false;
        p->machines[p->machine_count] =
            (struct promela_machine){diagram, &diagram->machine, p->machine_count};
        p->machine_count++;
    }
    for (size_t i = 0; i < p->machine_count; i++)
        for (size_t j = 0; j < p->machine_count; j++)
            if (i != j && p->machines[i].group != p->machines[j].group && connected(p, i, j))
                join(p, p->machines[i].group, p->machines[j].group);
    number_groups(p);
    return true;
}

static void put_send(struct writer *w, size_t message)
{
    const struct promela *p = w->promela;
    bool delivered = false;
    for (size_t to = 0; to < p->machine_count; to++) {
        if (!promela_delivers(p, w->machine, to, message))
            continue;
        delivered = true;
        if (p->model->lossy)
            put(w,
                "      if :: printf(\"@ %zu send %zu %zu\\n\"); c_%zu_%zu!%zu :: printf(\"@ %zu "
                "lost %zu %zu\\n\") fi;",
                w->machine, message, to, w->machine, to, message, w->machine, message, to);
        else
            put(w, "      printf(\"@ %zu send %zu %zu\\n\"); c_%zu_%zu!%zu;", w->machine, message,
                to, w->machine, to, message);
    }
    if (!delivered)
        put(w, "      printf(\"@ %zu out %zu\\n\");", w->machine, message);
}

static void put_effects(struct writer *w, const struct model_transition *t)
{
    for (size_t i = 0; i < t->send_count; i++)
        put_send(w, t->sends[i]);
    put(w, "      printf(\"@ %zu state %zu\\n\"); goto %s%zu", w->machine, t->to,
        w->promela->machines[w->machine].machine->states[t->to].final ? "end_" : "s_", t->to);
}

/* How many messages of a transition go into one channel. */
static size_t sends_into(const struct promela *p, size_t from, size_t to,
                         const struct model_transition *t)
{
    size_t count = 0;
    for (size_t i = 0; i < t->send_count; i++)
        count += promela_delivers(p, from, to, t->sends[i]);
    return count;
}

/* When a transition may happen that waits for no message. */
static void put_guard(struct writer *w, const struct model_transition *t)
{
    const struct promela *p = w->promela;
    size_t self = w->machine;
    put(w, "  :: atomic { (x >= 0");
    for (size_t i = 0; i < p->machine_count; i++) {
        if (i == self)
            continue;
        size_t sends = sends_into(p, self, i, t);
        size_t limit = sends < LOCAL_ROOM ? LOCAL_ROOM - sends : 0;
        if (t->event == MODEL_EVENT_TIMER && connected(p, self, i))
            put(w, "      && len(c_%zu_%zu) == 0", self, i);
        else if (sends > 0)
            put(w, "      && len(c_%zu_%zu) <= %zu", self, i, limit);
        if (t->event == MODEL_EVENT_TIMER && connected(p, i, self))
            put(w, "      && len(c_%zu_%zu) == 0", i, self);
    }
    put(w, "      ) ->");
}

static void put_own_transition(struct writer *w, size_t index)
{
    const struct model_transition *t =
        &w->promela->machines[w->machine].machine->transitions[index];
    put_guard(w, t);
    put(w, "      printf(\"@ %zu event %zu\\n\");", w->machine, index);
    put_effects(w, t);
    put(w, "    }");
}

/* What machine `from` sends; one that isn't awaited in this state is the mistake looked for. */
static void put_channel(struct writer *w, size_t from, size_t state)
{
    const struct model_machine *machine = w->promela->machines[w->machine].machine;
    put(w, "  :: atomic { c_%zu_%zu?x -> if", from, w->machine);
    for (size_t i = 0; i < machine->transition_count; i++) {
        const struct model_transition *t = &machine->transitions[i];
        if (t->from != state || t->event != MODEL_EVENT_RECEIVE)
            continue;
        put(w, "    :: x == %zu -> printf(\"@ %zu receive %zu %zu\\n\");", t->message, w->machine,
            t->message, from);
        put_effects(w, t);
    }
    put(w, "    :: else -> printf(\"@ %zu unspecified %%d %zu\\n\", x); assert(false)", w->machine,
        from);
    put(w, "    fi }");
}

/* A state that is only left for local reasons. */
static bool takes_no_time(const struct model_machine *machine, size_t state)
{
    bool local = false;
    for (size_t i = 0; i < machine->transition_count; i++) {
        if (machine->transitions[i].from != state)
            continue;
        if (machine->transitions[i].event != MODEL_EVENT_LOCAL)
            return false;
        local = true;
    }
    return local && !machine->states[state].final;
}

static void put_state(struct writer *w, size_t state)
{
    const struct promela *p = w->promela;
    const struct model_machine *machine = p->machines[w->machine].machine;
    bool any = false;

    put(w, "%s%zu: /* %s */", machine->states[state].final ? "end_" : "s_", state,
        machine->states[state].id);
    put(w, "  if");
    for (size_t i = 0; i < machine->transition_count; i++) {
        const struct model_transition *t = &machine->transitions[i];
        if (t->from != state ||
            (t->event == MODEL_EVENT_RECEIVE && !promela_from_outside(p, w->machine, t)))
            continue;
        put_own_transition(w, i);
        any = true;
    }
    for (size_t i = 0; i < p->machine_count && !takes_no_time(machine, state); i++) {
        if (i == w->machine || !connected(p, i, w->machine))
            continue;
        put_channel(w, i, state);
        any = true;
    }
    if (!any)
        put(w, "  :: false");
    put(w, "  fi;");
}

static void put_machine(struct writer *w)
{
    const struct promela_machine *m = &w->promela->machines[w->machine];
    size_t initial = m->machine->initial;
    put(w, "/* %s, of %s */", m->diagram->title,
        w->promela->model->parties[m->machine->party].name);
    put(w, "active proctype m_%zu() {", w->machine);
    put(w, "  byte x;");
    put(w, "  printf(\"@ %zu state %zu\\n\");", w->machine, initial);
    put(w, "  goto %s%zu;", m->machine->states[initial].final ? "end_" : "s_", initial);
    for (size_t i = 0; i < m->machine->state_count; i++)
        put_state(w, i);
    put(w, "  skip");
    put(w, "}");
}

bool promela_write(const struct promela *p, size_t group, struct drawing *out)
{
    struct writer w = {.promela = p, .out = out};
    for (size_t i = 0; i < p->machine_count; i++)
        for (size_t j = 0; j < p->machine_count; j++)
            if (i != j && p->machines[i].group == group && connected(p, i, j))
                put(&w, "chan c_%zu_%zu = [%d] of { byte };", i, j, PROMELA_CHANNEL);
    for (w.machine = 0; w.machine < p->machine_count; w.machine++)
        if (p->machines[w.machine].group == group)
            put_machine(&w);
    return !out->bad;
}
