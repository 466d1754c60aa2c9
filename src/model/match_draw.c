#include <stdio.h>
#include <stdlib.h>

#include "model/match.h"

enum { LINE_MAX_LEN = 256, SHOWN_BEHIND = 3 };

struct row_text {
    char text[MODEL_NAME_MAX * 2 + 32];
    char below[64];
};

/* The rows of one exchange: a message each, a rule where a ladder begins, and the departure. */
struct sheet {
    const struct match_report *report;
    const struct match_exchange *exchange;
    struct ladder_row *rows;
    struct row_text *texts;
    size_t row_count;
    char end[LINE_MAX_LEN + 32];
};

void match_expected_text(const struct match_report *report, const struct match_exchange *x,
                         char *ret, size_t room)
{
    const struct model *model = report->input->model;
    size_t len = 0;
    if (room > 0)
        ret[0] = '\0';
    for (size_t i = 0; i < x->expected_count && len < room; i++) {
        const struct match_expected *e = &x->expected[i];
        int more = snprintf(ret + len, room - len, "%s%s from %s", i == 0 ? "" : ", or ",
                            model->messages[e->message].name, model->parties[e->from].name);
        len += more > 0 ? (size_t)more : 0;
    }
    if (x->expected_count == 0)
        snprintf(ret, room, "nothing more");
}

/* Every name that a packet answers to, behind the departure. */
static void name_packet(const struct match_report *report, const struct match_packet *p, char *ret,
                        size_t room)
{
    const struct model *model = report->input->model;
    size_t len = 0;
    for (size_t m = 0; m < model->message_count && len < room; m++) {
        if (!match_set_has(&p->messages, m))
            continue;
        int more = snprintf(ret + len, room - len, "%s%s", len == 0 ? "" : " or ",
                            model->messages[m].name);
        len += more > 0 ? (size_t)more : 0;
    }
}

static char line_of(const struct model *model, size_t message)
{
    size_t association = message != MODEL_NONE ? model->messages[message].association : MODEL_NONE;
    return association != MODEL_NONE ? model->associations[association].line : '-';
}

static void add_rule(struct sheet *s, const char *text, bool marked)
{
    s->rows[s->row_count++] =
        (struct ladder_row){.kind = LADDER_RULE, .text = text, .marked = marked};
}

static void add_across(struct sheet *s, const char *expected)
{
    snprintf(s->end, sizeof(s->end), "expected: %s", expected);
    s->rows[s->row_count++] = (struct ladder_row){.kind = LADDER_ACROSS, .text = s->end};
}

static void add_packet(struct sheet *s, size_t i)
{
    const struct match_exchange *x = s->exchange;
    const struct match_input *in = s->report->input;
    const struct match_packet *p = &in->packets[x->packets[i]];
    const struct match_packet *first = &in->packets[x->packets[0]];
    struct row_text *text = &s->texts[i];

    if (x->from[i] == MODEL_NONE || x->to[i] == MODEL_NONE || x->from[i] == x->to[i])
        return;
    if (x->taken[i] != MODEL_NONE)
        snprintf(text->text, sizeof(text->text), "%s", in->model->messages[x->taken[i]].name);
    else
        name_packet(s->report, p, text->text, sizeof(text->text));
    snprintf(text->below, sizeof(text->below), "%llu: %.3f s", (unsigned long long)p->number,
             (double)(p->at_us - first->at_us) / 1e6);
    s->rows[s->row_count++] =
        (struct ladder_row){.from = x->from[i],
                            .to = x->to[i],
                            .line = i < x->departure ? line_of(in->model, x->taken[i]) : 'x',
                            .text = text->text,
                            .below = text->below,
                            .marked = i == x->departure};
}

/* What was walked up to packet `i` and a little further; the rest is not drawn. */
static void add_rows(struct sheet *s)
{
    const struct match_exchange *x = s->exchange;
    const struct model *model = s->report->input->model;
    char expected[LINE_MAX_LEN];
    size_t ladder = MODEL_NONE;

    match_expected_text(s->report, x, expected, sizeof(expected));
    for (size_t i = 0; i < x->packet_count && i < x->departure + SHOWN_BEHIND; i++) {
        if (x->diagrams[i] != MODEL_NONE && x->diagrams[i] != ladder) {
            ladder = x->diagrams[i];
            add_rule(s, model_diagram(model, ladder)->title, false);
        }
        if (i == x->departure) {
            add_rule(s, "leaves the model", true);
            add_across(s, expected);
        }
        add_packet(s, i);
    }
    if (x->verdict == MATCH_STOPS) {
        add_rule(s, "stops", true);
        add_across(s, expected);
    }
}

static bool draw(struct sheet *s, struct drawing *out)
{
    const struct match_exchange *x = s->exchange;
    const struct model *model = s->report->input->model;
    struct ladder_party parties[MATCH_HOSTS_MAX];
    char about[MATCH_HOSTS_MAX][80];

    add_rows(s);
    for (size_t i = 0; i < x->host_count; i++) {
        bool known = x->parties[i] != MODEL_NONE;
        snprintf(about[i], sizeof(about[i]), x->hosts[i].port != 0 ? "%s port %u" : "%s",
                 x->hosts[i].host, x->hosts[i].port);
        parties[i].name = known ? model->parties[x->parties[i]].name : x->hosts[i].host;
        parties[i].about = about[i];
    }
    const struct ladder ladder = {.parties = parties,
                                  .party_count = x->host_count,
                                  .rows = s->rows,
                                  .row_count = s->row_count};
    return ladder_render(&ladder, out);
}

bool match_draw(const struct match_report *report, size_t exchange, struct drawing *out)
{
    const struct match_exchange *x = &report->exchanges[exchange];
    struct sheet s = {.report = report,
                      .exchange = x,
                      .rows = calloc(2 * x->packet_count + 3, sizeof(*s.rows)),
                      .texts = calloc(x->packet_count + 1, sizeof(*s.texts))};
    bool ok = s.rows != NULL && s.texts != NULL && draw(&s, out);
    free(s.rows);
    free(s.texts);
    return ok;
}
