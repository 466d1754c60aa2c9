#include "model/match.h"

#include <stdio.h>
#include <stdlib.h>

#include "model/match_sort.h"
#include "model/match_walk.h"

/* The graphs of a model: all its ladders in the first, a machine in each other. */
struct graphs {
    struct walk_graph *graph;
    size_t *parties; /* whose machine it is */
    size_t count;
};

/* One exchange and one idea of which party each host is. */
struct attempt {
    const struct match_report *report;
    const struct graphs *graphs;
    const struct match_exchange *exchange;
    size_t parties[MATCH_HOSTS_MAX];
    struct walk_event *events;
};

/* How far an attempt came. Its arrays have room for all packets. */
struct outcome {
    struct walk_result result;
    bool by_machines;
    size_t parties[MATCH_HOSTS_MAX];
};

enum { BINDINGS_MAX = 8, SCORED_PACKETS = 64 };

/* The likeliest ideas of who is who. */
struct bindings {
    size_t parties[BINDINGS_MAX][MATCH_HOSTS_MAX];
    size_t count;
    size_t score;
};

static void graphs_free(struct graphs *graphs)
{
    for (size_t i = 0; i < graphs->count; i++)
        walk_graph_fini(&graphs->graph[i]);
    free(graphs->graph);
    free(graphs->parties);
}

static bool graphs_build(struct graphs *graphs, const struct model *model)
{
    const struct model_diagram *diagram;
    size_t diagrams = 0;
    bool ok = true;

    while (model_diagram(model, diagrams) != NULL)
        diagrams++;
    *graphs = (struct graphs){.graph = calloc(diagrams + 1, sizeof(*graphs->graph)),
                              .parties = calloc(diagrams + 1, sizeof(*graphs->parties))};
    if (graphs->graph == NULL || graphs->parties == NULL)
        return false;
    walk_graph_ladders(&graphs->graph[graphs->count++], model);
    for (size_t i = 0; i < diagrams; i++) {
        diagram = model_diagram(model, i);
        if (diagram->kind != MODEL_MACHINE)
            continue;
        graphs->parties[graphs->count] = diagram->machine.party;
        walk_graph_machine(&graphs->graph[graphs->count++], model, i);
    }
    for (size_t i = 0; i < graphs->count; i++)
        ok = ok && !graphs->graph[i].failed;
    return ok;
}

static size_t host_of_party(const struct attempt *a, size_t party)
{
    for (size_t i = 0; i < a->exchange->host_count; i++)
        if (a->parties[i] == party)
            return i;
    return MODEL_NONE;
}

static bool observes(const struct match_input *in, const char *host)
{
    for (size_t i = 0; i < in->observer_count; i++)
        if (strcmp(in->observers[i], host) == 0)
            return true;
    return in->observer_count == 0;
}

static bool sees(const void *ctx, size_t message, size_t from, size_t to)
{
    const struct attempt *a = ctx;
    const struct match_input *in = a->report->input;
    if (!match_set_has(&in->visible, message))
        return false;
    size_t sender = host_of_party(a, from), receiver = host_of_party(a, to);
    return sender != MODEL_NONE && receiver != MODEL_NONE &&
           (observes(in, a->exchange->hosts[sender].host) ||
            (observes(in, a->exchange->hosts[receiver].host) &&
             !match_set_has(&in->sender_only, message)));
}

static bool may_go(const struct model_message *m, size_t from, size_t to)
{
    return (m->from == from && m->to == to) || (m->either_way && m->from == to && m->to == from);
}

static const struct match_packet *packet_of(const struct match_report *report,
                                            const struct match_exchange *x, size_t i)
{
    return &report->input->packets[x->packets[i]];
}

/* How many of the first packets could be what they look like, if the hosts were those parties. */
static size_t score(const struct match_report *report, const struct match_exchange *x,
                    const size_t *parties)
{
    const struct model *model = report->input->model;
    size_t fitting = 0;
    for (size_t i = 0; i < x->packet_count && i < SCORED_PACKETS; i++) {
        const struct match_packet *p = packet_of(report, x, i);
        bool fits = false;
        if (x->from[i] == MODEL_NONE || x->to[i] == MODEL_NONE)
            continue;
        for (size_t m = 0; m < model->message_count && !fits; m++)
            fits = match_set_has(&p->messages, m) &&
                   may_go(&model->messages[m], parties[x->from[i]], parties[x->to[i]]);
        fitting += fits;
    }
    return fitting;
}

/* The host after those that have a party already gets each party in turn, or none. */
static void try_parties(const struct match_report *report, const struct match_exchange *x,
                        size_t host, size_t *parties, struct bindings *best)
{
    if (host == x->host_count) {
        size_t points = score(report, x, parties);
        if (best->count == 0 || points > best->score) {
            best->score = points;
            best->count = 0;
        }
        if (points == best->score && best->count < BINDINGS_MAX)
            memcpy(best->parties[best->count++], parties, MATCH_HOSTS_MAX * sizeof(*parties));
        return;
    }
    for (size_t party = 0; party <= report->input->model->party_count; party++) {
        bool used = false, nobody = party == report->input->model->party_count;
        for (size_t i = 0; i < host && !nobody; i++)
            used = used || parties[i] == party;
        if (used || (nobody && x->host_count <= 2))
            continue;
        parties[host] = nobody ? MODEL_NONE : party;
        try_parties(report, x, host + 1, parties, best);
    }
}

static bool may_be(const struct attempt *a, const struct walk_event *event, size_t message)
{
    return match_set_has(event->messages, message) &&
           may_go(&a->report->input->model->messages[message], event->from, event->to);
}

/* Whether machine `g` says something about an event. What goes the wrong way as any message that it
 * may be, is the business of all who know one of these. */
static bool concerns(const struct attempt *a, size_t g, const struct walk_event *event)
{
    const struct match_set *alphabet = &a->graphs->graph[g].alphabet;
    bool known = false, right_way = false, known_right_way = false;
    if (event->from != a->graphs->parties[g] && event->to != a->graphs->parties[g])
        return false;
    for (size_t m = 0; m < a->report->input->model->message_count; m++) {
        bool knows = match_set_has(alphabet, m) && match_set_has(event->messages, m);
        bool fits = may_be(a, event, m);
        known = known || knows;
        right_way = right_way || fits;
        known_right_way = known_right_way || (knows && fits);
    }
    return right_way ? known_right_way : known;
}

static bool any_concerned(const struct attempt *a, const struct walk_event *event)
{
    for (size_t g = 1; g < a->graphs->count; g++)
        if (concerns(a, g, event))
            return true;
    return false;
}

/* What no machine knows is passed over; an exchange of nothing else isn't theirs to judge. */
static bool machines_judge(const struct attempt *a)
{
    for (size_t i = 0; i < a->exchange->packet_count; i++)
        if (any_concerned(a, &a->events[i]))
            return true;
    return false;
}

/* The events that machine `g` takes part in; ret_indices tells where they were. */
static size_t own_events(const struct attempt *a, size_t g, struct walk_event *ret,
                         size_t *ret_indices)
{
    size_t count = 0;
    for (size_t i = 0; i < a->exchange->packet_count; i++) {
        if (!concerns(a, g, &a->events[i]))
            continue;
        ret_indices[count] = i;
        ret[count++] = a->events[i];
    }
    return count;
}

/* What a passed over packet looks like. */
static size_t first_likeness(const struct attempt *a, const struct walk_event *event)
{
    size_t m = 0, count = a->report->input->model->message_count;
    while (m < count && !may_be(a, event, m))
        m++;
    return m < count ? m : MODEL_NONE;
}

/* The machine that gives up first decides. */
static bool walk_machine(const struct attempt *a, size_t g, struct walk_event *events,
                         size_t *indices, struct outcome *whole, struct outcome *scratch)
{
    const struct walk_view view = {sees, a};
    size_t count = own_events(a, g, events, indices);
    struct walk_result *one = &scratch->result;
    if (!walk(&a->graphs->graph[g], events, count, &view, one))
        return false;
    size_t taken = one->taken < count ? indices[one->taken] : a->exchange->packet_count;
    if (taken < whole->result.taken || (whole->result.complete && !one->complete)) {
        memcpy(whole->result.expected, one->expected, sizeof(one->expected));
        whole->result.expected_count = one->expected_count;
    }
    whole->result.complete = whole->result.complete && one->complete;
    if (taken < whole->result.taken)
        whole->result.taken = taken;
    for (size_t i = 0; i < one->taken; i++)
        whole->result.messages[indices[i]] = one->messages[i];
    return true;
}

static bool walk_machines(const struct attempt *a, struct outcome *ret, struct outcome *scratch)
{
    size_t count = a->exchange->packet_count;
    struct walk_event *events = calloc(count + 1, sizeof(*events));
    size_t *indices = calloc(count + 1, sizeof(*indices));
    bool ok = events != NULL && indices != NULL;

    ret->result.taken = count;
    ret->result.complete = true;
    ret->result.expected_count = 0;
    ret->by_machines = true;
    for (size_t g = 1; g < a->graphs->count && ok; g++)
        ok = walk_machine(a, g, events, indices, ret, scratch);
    for (size_t i = 0; i < count; i++) {
        ret->result.diagrams[i] = MODEL_NONE;
        if (!any_concerned(a, &a->events[i]))
            ret->result.messages[i] = first_likeness(a, &a->events[i]);
    }
    free(events);
    free(indices);
    return ok;
}

static bool outcome_open(struct outcome *o, size_t count)
{
    *o = (struct outcome){.result = {.messages = calloc(count + 1, sizeof(size_t)),
                                     .diagrams = calloc(count + 1, sizeof(size_t))}};
    return o->result.messages != NULL && o->result.diagrams != NULL;
}

static void outcome_close(struct outcome *o)
{
    free(o->result.messages);
    free(o->result.diagrams);
}

/* `better` takes the place of `best` if it came further. */
static void keep_better(struct outcome *best, struct outcome *better, const size_t *parties)
{
    if (best->result.complete ||
        (!better->result.complete && better->result.taken <= best->result.taken))
        return;
    struct outcome spare = *best;
    *best = *better;
    *better = spare;
    memcpy(best->parties, parties, sizeof(best->parties));
}

enum { LADDERS, MACHINES, BEST, SCRATCH, OUTCOMES };

/* Whether the ladders came to an end, beginning where an exchange may be half over. */
static bool from_the_middle(const struct attempt *a, const struct outcome *ladders)
{
    const struct model_diagram *first =
        model_diagram(a->report->input->model, ladders->result.diagrams[0]);
    return ladders->result.complete && first != NULL && first->ladder.continues;
}

/*
 * Machines say all that a party may do, ladders what it usually does. So a ladder stands against
 * the machines only where these saw too little: of the beginning, or of the end.
 */
static size_t which_holds(const struct attempt *a, const struct outcome outcomes[OUTCOMES])
{
    const struct walk_result *machines = &outcomes[MACHINES].result;
    bool seen_to_the_end = machines->taken == a->exchange->packet_count;
    bool ladders = outcomes[LADDERS].result.complete &&
                   (seen_to_the_end || from_the_middle(a, &outcomes[LADDERS]));
    return ladders ? LADDERS : MACHINES;
}

static bool attempt(struct attempt *a, struct outcome outcomes[OUTCOMES])
{
    const struct walk_view view = {sees, a};
    const struct match_exchange *x = a->exchange;
    for (size_t i = 0; i < x->packet_count; i++)
        a->events[i] = (struct walk_event){
            .from = x->from[i] == MODEL_NONE ? MODEL_NONE : a->parties[x->from[i]],
            .to = x->to[i] == MODEL_NONE ? MODEL_NONE : a->parties[x->to[i]],
            .messages = &packet_of(a->report, x, i)->messages};
    size_t holds = LADDERS;
    outcomes[LADDERS].by_machines = false;
    if (!walk(&a->graphs->graph[0], a->events, x->packet_count, &view, &outcomes[LADDERS].result))
        return false;
    if (machines_judge(a)) {
        if (!walk_machines(a, &outcomes[MACHINES], &outcomes[SCRATCH]))
            return false;
        holds = which_holds(a, outcomes);
    }
    keep_better(&outcomes[BEST], &outcomes[holds], a->parties);
    return true;
}

static void conclude(struct match_exchange *x, const struct outcome *best)
{
    size_t taken = best->result.taken;
    x->departure = taken;
    x->verdict = taken < x->packet_count ? MATCH_LEAVES
                 : best->result.complete ? MATCH_FOLLOWS
                                         : MATCH_STOPS;
    x->by_machines = best->by_machines;
    for (size_t i = 0; i < x->packet_count; i++) {
        x->taken[i] = i < taken ? best->result.messages[i] : MODEL_NONE;
        x->diagrams[i] = i < taken ? best->result.diagrams[i] : MODEL_NONE;
    }
    memcpy(x->parties, best->parties, sizeof(x->parties));
    memcpy(x->expected, best->result.expected, sizeof(x->expected));
    x->expected_count = best->result.expected_count;
}

static bool match_exchange(const struct match_report *report, const struct graphs *graphs,
                           struct match_exchange *x)
{
    struct attempt a = {.report = report, .graphs = graphs, .exchange = x};
    struct bindings bindings = {0};
    struct outcome outcomes[OUTCOMES] = {0};
    size_t parties[MATCH_HOSTS_MAX] = {0};
    bool ok = true;

    try_parties(report, x, 0, parties, &bindings);
    a.events = calloc(x->packet_count, sizeof(*a.events));
    for (size_t i = 0; i < OUTCOMES; i++)
        ok = outcome_open(&outcomes[i], x->packet_count) && ok;
    ok = ok && a.events != NULL;
    memcpy(outcomes[BEST].parties, bindings.parties[0], sizeof(a.parties));
    for (size_t i = 0; i < bindings.count && ok; i++) {
        memcpy(a.parties, bindings.parties[i], sizeof(a.parties));
        if (i == 0) /* what is expected if nothing fits at all */
            ok = walk(&graphs->graph[0], a.events, 0, &(struct walk_view){sees, &a},
                      &outcomes[BEST].result);
        outcomes[BEST].result.complete = outcomes[BEST].result.complete && i > 0;
        ok = ok && attempt(&a, outcomes);
    }
    if (ok)
        conclude(x, &outcomes[BEST]);
    for (size_t i = 0; i < OUTCOMES; i++)
        outcome_close(&outcomes[i]);
    free(a.events);
    return ok;
}

struct match_report *match_run(const struct match_input *input)
{
    struct match_report *report = calloc(1, sizeof(*report));
    struct graphs graphs = {0};
    bool ok = false;

    if (report == NULL)
        return NULL;
    report->input = input;
    ok = graphs_build(&graphs, input->model) && match_sort(report);
    for (size_t i = 0; i < report->exchange_count && ok; i++) {
        ok = match_exchange(report, &graphs, &report->exchanges[i]);
        report->verdicts[report->exchanges[i].verdict]++;
    }
    graphs_free(&graphs);
    if (ok)
        return report;
    match_report_free(report);
    return NULL;
}

void match_report_free(struct match_report *report)
{
    if (report == NULL)
        return;
    for (size_t i = 0; i < report->exchange_count; i++) {
        struct match_exchange *x = &report->exchanges[i];
        free(x->packets);
        free(x->taken);
        free(x->diagrams);
        free(x->from);
        free(x->to);
    }
    free(report->exchanges);
    free(report);
}

const char *match_verdict_name(enum match_verdict verdict)
{
    static const char *const names[MATCH_VERDICTS] = {"follows", "stops", "leaves"};
    return verdict < MATCH_VERDICTS ? names[verdict] : "";
}
