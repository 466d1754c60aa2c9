/* expect ...: what must be true now, or must have been noted since the last mark. */
#include "scenario.h"

#include <stdio.h>
#include <stdlib.h>

typedef bool expect_fn(struct scenario *s, struct words *w, struct scenario_gateway *gw);

static bool expect_count(struct scenario *s, struct words *w, const char *what, uint64_t found)
{
    uint64_t wanted;
    if (!words_number(s, w, &wanted))
        return false;
    return wanted == found || scenario_fail(s, "%s: expected %llu, found %llu", what,
                                            (unsigned long long)wanted, (unsigned long long)found);
}

static bool has_keyd(struct scenario *s, const struct scenario_gateway *gw)
{
    return gw->g->control != NULL || scenario_fail(s, "keyd of %s is down", gw->name);
}

static bool has_plane(struct scenario *s, const struct scenario_gateway *gw)
{
    return gw->g->plane != NULL || scenario_fail(s, "the plane of %s is down", gw->name);
}

static bool expect_moment(struct scenario *s, struct words *w, const char *what, int64_t found_us)
{
    int64_t wanted_us;
    if (!words_time(s, w, &wanted_us))
        return false;
    return wanted_us == found_us || scenario_fail(s, "%s: expected %.4f s, found %.4f s", what,
                                                  (double)wanted_us / 1e6, (double)found_us / 1e6);
}

static int64_t moment_us(const struct scenario *s, mono_t at)
{
    return at.ms * 1000 - s->world.epoch_us;
}

/* sg-a flow SRC DST none, or STATE [as responder|initiator] [since TIME] [until TIME] */
static bool expect_flow(struct scenario *s, struct words *w, struct scenario_gateway *gw)
{
    static const char *const roles[] = {"initiator", "responder", NULL};
    struct oe_instance_info info;
    struct ip_pair flow;
    const char *state;
    size_t role;

    if (!has_keyd(s, gw) || !words_flow(s, w, &flow) || !words_text(s, w, "a state", &state))
        return false;
    bool found = oe_instance_find(control_oe(gw->g->control), &flow, &info);
    const char *name = found ? oe_state_name(info.state) : "none";
    if (strcmp(state, name) != 0)
        return scenario_fail(s, "expected '%s', found '%s'%s%s", state, name, found ? ": " : "",
                             found ? info.reason : "");
    if (words_accept(w, "as") &&
        (!words_choice(s, w, "a role", roles, &role) ||
         ((role == 1) != info.responder && !scenario_fail(s, "not as %s", roles[role]))))
        return false;
    if (words_accept(w, "since") &&
        !expect_moment(s, w, "in this state since", moment_us(s, info.since)))
        return false;
    return !words_accept(w, "until") ||
           expect_moment(s, w, "looked at again", moment_us(s, info.next_check));
}

/* sg-a reason SRC DST TEXT: it contains TEXT */
static bool expect_reason(struct scenario *s, struct words *w, struct scenario_gateway *gw)
{
    struct oe_instance_info info;
    struct ip_pair flow;
    const char *text;

    if (!has_keyd(s, gw) || !words_flow(s, w, &flow) || !words_text(s, w, "a text", &text))
        return false;
    if (!oe_instance_find(control_oe(gw->g->control), &flow, &info))
        return scenario_fail(s, "the flow is not known");
    return strstr(info.reason, text) != NULL ||
           scenario_fail(s, "expected \"%s\", found \"%s\"", text, info.reason);
}

/* sg-a verdict SRC DST VERDICT: what the classifier has; none: it would ask the plane */
static bool expect_verdict(struct scenario *s, struct words *w, struct scenario_gateway *gw)
{
    struct ip_pair flow;
    const char *text;

    if (!words_flow(s, w, &flow) || !words_text(s, w, "a verdict", &text))
        return false;
    enum pfkey_verdict verdict = gateway_verdict(gw->g, &flow);
    const char *found =
        verdict == PFKEY_VERDICT_NONE ? "none" : pfkey_verdict_name((uint8_t)verdict);
    return strcmp(text, found) == 0 || scenario_fail(s, "expected '%s', found '%s'", text, found);
}

static const char *type_name(uint16_t type)
{
    return type == DNS_TYPE_TXT ? "TXT" : type == DNS_TYPE_KEY ? "KEY" : "IPSECKEY";
}

/* sg-a asked COUNT, or: asked TYPE NAME COUNT */
static bool expect_asked(struct scenario *s, struct words *w, struct scenario_gateway *gw)
{
    static const char *const types[] = {"TXT", "KEY", "IPSECKEY", NULL};
    const struct note_query *queries = gw->queries.items;
    const char *name;
    uint64_t found = 0;
    size_t type;

    if (w->next + 1 == w->count)
        return expect_count(s, w, "questions", gw->queries.count);
    if (!words_choice(s, w, "a type", types, &type) || !words_text(s, w, "a name", &name))
        return false;
    for (size_t i = 0; i < gw->queries.count; i++)
        found += strcmp(type_name(queries[i].type), types[type]) == 0 &&
                 strcmp(queries[i].name, name) == 0;
    return expect_count(s, w, "questions", found);
}

static bool tells(const struct event_record *record, const char *text)
{
    return strstr(record->title, text) != NULL || strstr(record->detail, text) != NULL;
}

/* sg-a told TEXT [COUNT] [at TIME]: records that contain TEXT; the last of them at TIME */
static bool expect_told(struct scenario *s, struct words *w, struct scenario_gateway *gw)
{
    const struct note_record *records = gw->records.items, *last = NULL;
    const char *text;
    uint64_t found = 0;

    if (!words_text(s, w, "a text", &text))
        return false;
    for (size_t i = 0; i < gw->records.count; i++)
        if (tells(&records[i].record, text)) {
            last = &records[i];
            found++;
        }
    bool counted = words_peek(w) != NULL && strcmp(words_peek(w), "at") != 0;
    if (counted && !expect_count(s, w, "records", found))
        return false;
    if (!counted && last == NULL)
        return scenario_fail(s, "nothing was told of \"%s\"", text);
    return last == NULL || !words_accept(w, "at") || expect_moment(s, w, "told", last->at_us);
}

/* sg-a steps LABEL...: exactly these steps of Figure 6, in this order */
static bool expect_steps(struct scenario *s, struct words *w, struct scenario_gateway *gw)
{
    const struct note_record *records = gw->records.items;
    const char *wanted;

    for (size_t i = 0; i < gw->records.count; i++) {
        const char *label = records[i].record.label;
        if (label[0] == '\0')
            continue;
        if (words_peek(w) == NULL)
            return scenario_fail(s, "a further step (%s) %s", label, records[i].record.title);
        if (!words_text(s, w, "a step", &wanted))
            return false;
        if (strcmp(wanted, label) != 0)
            return scenario_fail(s, "expected step (%s), found (%s) %s", wanted, label,
                                 records[i].record.title);
    }
    return words_peek(w) == NULL || scenario_fail(s, "step (%s) is missing", words_peek(w));
}

static bool counter_value(const struct sim_gateway *g, const char *wanted, uint64_t *ret)
{
    const char *name;

    for (size_t i = 0; g->plane != NULL && plane_counter(g->plane, i, &name, ret); i++)
        if (strcmp(name, wanted) == 0)
            return true;
    if (g->control == NULL)
        return false;
    for (size_t i = 0; oe_counter(control_oe(g->control), i, &name, ret); i++)
        if (strcmp(name, wanted) == 0)
            return true;
    for (size_t i = 0; ike_counter(control_ike(g->control), i, &name, ret); i++)
        if (strcmp(name, wanted) == 0)
            return true;
    for (size_t i = 0; control_counter(g->control, i, &name, ret); i++)
        if (strcmp(name, wanted) == 0)
            return true;
    return false;
}

/* sg-a counter NAME COUNT: of plane, oe, ike or control, since it was started */
static bool expect_counter(struct scenario *s, struct words *w, struct scenario_gateway *gw)
{
    const char *name;
    uint64_t value;

    if (!words_text(s, w, "a counter", &name))
        return false;
    if (!counter_value(gw->g, name, &value))
        return scenario_fail(s, "no counter '%s'", name);
    return expect_count(s, w, name, value);
}

static bool expect_ike(struct scenario *s, struct words *w, struct scenario_gateway *gw)
{
    return expect_count(s, w, "IKE datagrams sent", gw->ike);
}

static bool expect_esp(struct scenario *s, struct words *w, struct scenario_gateway *gw)
{
    return expect_count(s, w, "ESP packets sent", gw->esp);
}

static bool expect_clear(struct scenario *s, struct words *w, struct scenario_gateway *gw)
{
    return expect_count(s, w, "datagrams left in clear", gw->clear);
}

static bool expect_sas(struct scenario *s, struct words *w, struct scenario_gateway *gw)
{
    return has_plane(s, gw) && expect_count(s, w, "SAs", plane_sad_count(gw->g->plane));
}

static bool expect_policies(struct scenario *s, struct words *w, struct scenario_gateway *gw)
{
    return has_plane(s, gw) && expect_count(s, w, "policies", plane_spd_count(gw->g->plane));
}

static bool expect_ike_sas(struct scenario *s, struct words *w, struct scenario_gateway *gw)
{
    struct ike_sa_info info;
    uint64_t count = 0;
    if (!has_keyd(s, gw))
        return false;
    while (ike_sa_info(control_ike(gw->g->control), count, &info))
        count++;
    return expect_count(s, w, "IKE SAs", count);
}

static bool expect_instances(struct scenario *s, struct words *w, struct scenario_gateway *gw)
{
    struct oe_instance_info info;
    uint64_t count = 0;
    if (!has_keyd(s, gw))
        return false;
    while (oe_instance_info(control_oe(gw->g->control), count, &info))
        count++;
    return expect_count(s, w, "instances", count);
}

/* HOST got COUNT, or: HOST got numbers N...: the datagrams that arrived, in this order */
static bool expect_got(struct scenario *s, struct words *w, const struct scenario_host *host)
{
    const uint32_t *numbers = host->got.items;
    uint64_t wanted;

    if (!words_accept(w, "got"))
        return scenario_fail(s, "of a host only 'got' can be expected");
    if (!words_accept(w, "numbers"))
        return expect_count(s, w, "datagrams", host->got.count);
    for (size_t i = 0; i < host->got.count; i++) {
        if (words_peek(w) == NULL)
            return scenario_fail(s, "%s got number %u too", host->name, numbers[i]);
        if (!words_number(s, w, &wanted))
            return false;
        if (wanted != numbers[i])
            return scenario_fail(s, "expected number %llu, %s got number %u",
                                 (unsigned long long)wanted, host->name, numbers[i]);
    }
    return words_peek(w) == NULL ||
           scenario_fail(s, "%s did not get number %s", host->name, words_peek(w));
}

static const struct {
    const char *name;
    expect_fn *run;
} expectations[] = {
    {"flow", expect_flow},       {"reason", expect_reason},
    {"verdict", expect_verdict}, {"asked", expect_asked},
    {"told", expect_told},       {"steps", expect_steps},
    {"counter", expect_counter}, {"ike", expect_ike},
    {"esp", expect_esp},         {"clear", expect_clear},
    {"sas", expect_sas},         {"policies", expect_policies},
    {"ike-sas", expect_ike_sas}, {"instances", expect_instances},
};

bool verb_expect(struct scenario *s, struct words *w)
{
    const char *subject, *what;

    if (!words_text(s, w, "a gateway or a host", &subject))
        return false;
    struct scenario_host *host = find_host(s, subject);
    if (host != NULL)
        return expect_got(s, w, host);
    struct scenario_gateway *gw = find_gateway(s, subject);
    if (gw == NULL)
        return scenario_fail(s, "no gateway or host '%s'", subject);
    if (!s->started)
        return scenario_fail(s, "nothing has happened yet");
    if (!words_text(s, w, "what is expected", &what))
        return false;
    for (size_t i = 0; i < sizeof(expectations) / sizeof(expectations[0]); i++)
        if (strcmp(expectations[i].name, what) == 0)
            return expectations[i].run(s, w, gw);
    return scenario_fail(s, "'%s' can't be expected", what);
}
