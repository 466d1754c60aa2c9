/* Verbs that make something happen, or let time pass. */
#include "scenario.h"

static bool verb_at(struct scenario *s, struct words *w)
{
    int64_t us;
    if (!words_time(s, w, &us))
        return false;
    if (us < scenario_now(s))
        return scenario_fail(s, "that moment has passed");
    return scenario_run_to(s, us) && (words_peek(w) == NULL || scenario_command(s, w));
}

static bool verb_advance(struct scenario *s, struct words *w)
{
    int64_t us;
    return words_time(s, w, &us) && scenario_run_to(s, scenario_now(s) + us);
}

static bool verb_mark(struct scenario *s, struct words *w)
{
    (void)w;
    watch_mark(s);
    return true;
}

/* How often and for how long: [every TIME for TIME]. */
static bool read_repeat(struct scenario *s, struct words *w, int64_t *ret_every, int64_t *ret_for)
{
    *ret_every = 1;
    *ret_for = 1;
    if (!words_accept(w, "every"))
        return true;
    if (!words_time(s, w, ret_every))
        return false;
    if (!words_accept(w, "for"))
        return scenario_fail(s, "'for TIME' is missing");
    return words_time(s, w, ret_for) &&
           ((*ret_every > 0 && *ret_for / *ret_every < SCENARIO_DATAGRAMS) ||
            scenario_fail(s, "more than %d datagrams", SCENARIO_DATAGRAMS));
}

/* HOST pings|sends HOST [via GATEWAY] [every TIME for TIME]; a ping is answered */
bool verb_host(struct scenario *s, struct words *w)
{
    static const char *const verbs[] = {"pings", "sends", NULL};
    struct scenario_host *src, *dst;
    struct scenario_gateway *via = NULL;
    int64_t every, until;
    size_t verb;

    if (!words_host(s, w, &src) || !words_choice(s, w, "'pings' or 'sends'", verbs, &verb) ||
        !words_host(s, w, &dst))
        return false;
    if (words_accept(w, "via") && !words_gateway(s, w, &via))
        return false;
    if (!read_repeat(s, w, &every, &until))
        return false;
    struct ip_pair flow = {.src = src->host->addr, .dst = dst->host->addr};
    struct sim_gateway *from = via != NULL ? via->g : src->host->gateway;
    for (int64_t at = 0; at < until; at += every)
        watch_send(s, from, &flow, at, verb == 0);
    return true;
}

/* reload GATEWAY CLASS [to PREFIX]: the class of everything, or one more line, from now on */
static bool verb_reload(struct scenario *s, struct words *w)
{
    struct scenario_gateway *gw;
    struct oe_class class = {0};

    if (!words_gateway(s, w, &gw) || !words_class(s, w, &class.kind))
        return false;
    if (!words_accept(w, "to")) {
        gw->g->kind = class.kind;
    } else {
        if (!words_prefix(s, w, &class.destination))
            return false;
        size_t room = sizeof(gw->g->classes) / sizeof(gw->g->classes[0]);
        if (gw->g->class_count == room)
            return scenario_fail(s, "more than %zu classes at one gateway", room);
        gw->g->classes[gw->g->class_count++] = class;
    }
    gateway_reload(gw->g);
    return true;
}

/* delegation HOST KIND [and GATEWAY]: what its reverse map says from now on */
static bool verb_delegation(struct scenario *s, struct words *w)
{
    static const char *const kinds[] = {
        [SIM_GOOD] = "good",           [SIM_NO_KEY] = "without-key", [SIM_ABSENT] = "absent",
        [SIM_MALFORMED] = "malformed", [SIM_BOGUS] = "bogus",        [SIM_UNSIGNED] = "unsigned",
        [SIM_WRONG_KEY] = "wrong-key", [SIM_SILENT] = "silent",      [SIM_TWO] = "silent-then-good",
        [SIM_DELEGATIONS] = NULL,
    };
    struct scenario_host *host;
    size_t kind;

    if (!words_host(s, w, &host) || !words_choice(s, w, "a kind of delegation", kinds, &kind))
        return false;
    struct scenario_gateway *also = NULL;
    if (words_accept(w, "and") && !words_gateway(s, w, &also))
        return false;
    host->host->delegation = (enum sim_delegation)kind;
    host->host->also = also != NULL ? also->g : NULL;
    return true;
}

/* dns silent|answers|fails, or: dns takes TIME [for NAME] */
static bool verb_dns(struct scenario *s, struct words *w)
{
    static const char *const manners[] = {"answers", "silent", "fails", "takes", NULL};
    size_t manner;
    int64_t us;

    if (!words_choice(s, w, "'answers', 'silent', 'fails' or 'takes'", manners, &manner))
        return false;
    if (manner < 3) {
        s->dns = manner == 1 ? DNS_IS_SILENT : DNS_ANSWERS;
        s->world.faults.dns_servfail = manner == 2 ? 1000 : 0;
        return true;
    }
    if (!words_time(s, w, &us))
        return false;
    if (!words_accept(w, "for")) {
        s->world.pace.dns_us = (uint32_t)us;
        return true;
    }
    const char *name = words_peek(w);
    struct scenario_host *host = name != NULL ? find_host(s, name) : NULL;
    struct scenario_gateway *gw;
    if (host != NULL) {
        host->dns_us = us;
        w->next++;
        return true;
    }
    if (!words_gateway(s, w, &gw))
        return false;
    gw->dns_us = us;
    return true;
}

/* cut GATEWAY: no packet comes from or to it */
static bool verb_cut(struct scenario *s, struct words *w)
{
    struct scenario_gateway *gw;
    if (!words_gateway(s, w, &gw))
        return false;
    gw->cut = true;
    return true;
}

static bool verb_join(struct scenario *s, struct words *w)
{
    struct scenario_gateway *gw;
    if (!words_gateway(s, w, &gw))
        return false;
    gw->cut = false;
    return true;
}

/* stray ESP from GATEWAY to GATEWAY [every TIME for TIME]: packets with an SPI that nobody knows */
static bool verb_stray(struct scenario *s, struct words *w)
{
    static const uint8_t octets[64] = {0xba, 0xad, 0xca, 0xfe};
    struct scenario_gateway *from, *to;
    int64_t every, until;

    if (!words_accept(w, "ESP") || !words_accept(w, "from"))
        return scenario_fail(s, "'ESP from' is missing");
    if (!words_gateway(s, w, &from))
        return false;
    if (!words_accept(w, "to"))
        return scenario_fail(s, "'to' is missing");
    if (!words_gateway(s, w, &to) || !read_repeat(s, w, &every, &until))
        return false;
    for (int64_t at = 0; at < until; at += every) {
        struct sim_event *event =
            world_event(&s->world, SIM_EV_ESP, to->g, at, view_of(octets, sizeof(octets)));
        event->outer.src = from->g->addr;
        event->outer.dst = to->g->addr;
    }
    return true;
}

static void crash(struct scenario *s, struct sim_gateway *g, enum sim_event_kind kind)
{
    world_event(&s->world, kind, g, 0, view_of(NULL, 0));
}

/* crash keyd|plane GATEWAY: it is started again a moment later */
static bool verb_crash(struct scenario *s, struct words *w)
{
    static const char *const daemons[] = {"keyd", "plane", NULL};
    struct scenario_gateway *gw;
    size_t which;

    if (!words_choice(s, w, "'keyd' or 'plane'", daemons, &which) || !words_gateway(s, w, &gw))
        return false;
    crash(s, gw->g, which == 0 ? SIM_EV_CRASH_KEYD : SIM_EV_CRASH_PLANE);
    return true;
}

/* restart TIME: how long a daemon that crashed stays away */
static bool verb_restart(struct scenario *s, struct words *w)
{
    int64_t us;
    if (!words_time(s, w, &us))
        return false;
    s->world.pace.restart_us = (uint32_t)us;
    return true;
}

/* reboot GATEWAY: both daemons go, and with them all that they knew */
static bool verb_reboot(struct scenario *s, struct words *w)
{
    struct scenario_gateway *gw;
    if (!words_gateway(s, w, &gw))
        return false;
    crash(s, gw->g, SIM_EV_REBOOT);
    return true;
}

static bool verb_shutdown(struct scenario *s, struct words *w)
{
    struct scenario_gateway *gw;
    if (!words_gateway(s, w, &gw))
        return false;
    world_event(&s->world, SIM_EV_SHUTDOWN, gw->g, 0, view_of(NULL, 0));
    return true;
}

/* quiet: five hours later nothing is left at any gateway */
static bool verb_quiet(struct scenario *s, struct words *w)
{
    (void)w;
    if (!scenario_run_to(s, scenario_now(s) + INT64_C(5) * 3600 * 1000000))
        return false;
    check_quiet(&s->world);
    return scenario_run_to(s, scenario_now(s));
}

const struct verb play_verbs[] = {
    {"at", verb_at, false},
    {"advance", verb_advance, false},
    {"mark", verb_mark, false},
    {"delegation", verb_delegation, false},
    {"dns", verb_dns, false},
    {"reload", verb_reload, false},
    {"cut", verb_cut, false},
    {"join", verb_join, false},
    {"stray", verb_stray, false},
    {"crash", verb_crash, false},
    {"restart", verb_restart, false},
    {"reboot", verb_reboot, false},
    {"shutdown", verb_shutdown, false},
    {"quiet", verb_quiet, false},
    {"expect", verb_expect, false},
    {NULL, NULL, false},
};
