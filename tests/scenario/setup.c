/* Verbs that say what there is, before anything happens. */
#include "scenario.h"

#include <stdio.h>

static bool new_name(struct scenario *s, struct words *w, char ret[NAME_MAX_OCTETS])
{
    const char *name;
    if (!words_text(s, w, "a name", &name))
        return false;
    if (find_gateway(s, name) != NULL || find_host(s, name) != NULL)
        return scenario_fail(s, "'%s' is there already", name);
    return snprintf(ret, NAME_MAX_OCTETS, "%s", name) < NAME_MAX_OCTETS ||
           scenario_fail(s, "'%s' is too long a name", name);
}

bool words_class(struct scenario *s, struct words *w, enum oe_class_kind *ret)
{
    const char *name;
    if (!words_text(s, w, "a class", &name))
        return false;
    return oe_class_kind_parse(name, ret) || scenario_fail(s, "'%s' is not a class", name);
}

/* gateway NAME ADDRESS CLASS: the class is for what no `class` line matches */
static bool verb_gateway(struct scenario *s, struct words *w)
{
    struct scenario_gateway *gw = &s->gateways[s->world.gateway_count];
    struct ip_addr addr;
    enum oe_class_kind kind;
    char name[NAME_MAX_OCTETS];

    if (s->world.gateway_count == SIM_GATEWAYS)
        return scenario_fail(s, "more than %d gateways", SIM_GATEWAYS);
    if (!new_name(s, w, name) || !words_addr(s, w, &addr) || !words_class(s, w, &kind))
        return false;
    gw->g = world_gateway(&s->world, addr);
    gw->g->kind = kind;
    gw->dns_us = -1;
    memcpy(gw->name, name, sizeof(gw->name));
    return true;
}

/* host NAME ADDRESS behind GATEWAY */
static bool verb_add_host(struct scenario *s, struct words *w)
{
    struct scenario_host *host = &s->hosts[s->host_count];
    struct scenario_gateway *gw;
    struct ip_addr addr;
    char name[NAME_MAX_OCTETS];
    size_t i = 0;

    if (!new_name(s, w, name) || !words_addr(s, w, &addr))
        return false;
    if (!words_accept(w, "behind"))
        return scenario_fail(s, "'behind GATEWAY' is missing");
    if (!words_gateway(s, w, &gw))
        return false;
    while (i < SIM_HOSTS && gw->g->hosts[i].gateway != NULL)
        i++;
    if (i == SIM_HOSTS)
        return scenario_fail(s, "more than %d hosts behind one gateway", SIM_HOSTS);
    gw->g->hosts[i] = (struct sim_host){.addr = addr, .gateway = gw->g, .delegation = SIM_GOOD};
    host->host = &gw->g->hosts[i];
    host->dns_us = -1;
    memcpy(host->name, name, sizeof(host->name));
    s->host_count++;
    return true;
}

static void class_option(struct oe_class *class, size_t which)
{
    if (which < 2)
        class->accept = which == 0 ? OE_ACCEPT_AUTHENTICATED : OE_ACCEPT_ANONYMOUS;
    else if (which == 2)
        class->pass_while_keying = true;
    else
        class->fail_clear = true;
}

/* wait TIME: for a silent gateway */
static bool class_wait(struct scenario *s, struct words *w, struct oe_class *class)
{
    int64_t us;
    if (!words_time(s, w, &us))
        return false;
    class->wait_s = (uint32_t)(us / 1000000);
    return true;
}

/* class GATEWAY CLASS [from PREFIX] [to PREFIX] [wait TIME] [OPTION...] */
static bool verb_class(struct scenario *s, struct words *w)
{
    struct scenario_gateway *gw;
    struct oe_class class = {0};

    if (!words_gateway(s, w, &gw) || !words_class(s, w, &class.kind))
        return false;
    if (words_accept(w, "from") && !words_prefix(s, w, &class.source))
        return false;
    if (words_accept(w, "to") && !words_prefix(s, w, &class.destination))
        return false;
    if (words_accept(w, "wait") && !class_wait(s, w, &class))
        return false;
    static const char *const options[] = {"authenticated", "anonymous", "pass-while-keying",
                                          "fail-clear", NULL};
    size_t which;
    while (words_peek(w) != NULL) {
        if (!words_choice(s, w, "an option", options, &which))
            return false;
        class_option(&class, which);
    }
    size_t room = sizeof(gw->g->classes) / sizeof(gw->g->classes[0]);
    if (gw->g->class_count == room)
        return scenario_fail(s, "more than %zu classes at one gateway", room);
    gw->g->classes[gw->g->class_count++] = class;
    return true;
}

/* What may be set at a gateway, all of them times. */
static uint32_t *setting_s(struct sim_gateway *g, size_t which)
{
    struct control_config *config = &g->control_config;
    uint32_t *const settings[] = {
        &config->ike.child_lifetime_s, &config->ike.ike_lifetime_s,  &config->oe.low_lifespan_s,
        &config->oe.normal_lifespan_s, &config->oe.first_lifespan_s,
    };
    return settings[which];
}

static bool set_sa_room(struct scenario *s, struct words *w, struct sim_gateway *g)
{
    uint64_t count;
    if (!words_number(s, w, &count))
        return false;
    g->plane_config.sad = (uint32_t)count;
    return true;
}

static bool set_return(struct scenario *s, struct words *w, struct scenario_gateway *gw)
{
    static const char *const names[] = {
        [OE_RETURN_NEWEST] = "newest",
        [OE_RETURN_ROUND_ROBIN] = "round-robin",
        [OE_RETURN_LAST_HEARD] = "last-heard",
        [OE_RETURN_REFUSE] = "refuse-second",
        NULL,
    };
    size_t which;
    if (!words_choice(s, w, "a way", names, &which))
        return false;
    gw->g->control_config.oe.return_tunnel = (enum oe_return)which;
    return true;
}

/* set GATEWAY SETTING TIME, require-dnssec, sa-room COUNT, or return-tunnel WAY */
static bool verb_set(struct scenario *s, struct words *w)
{
    static const char *const names[] = {"child-lifetime",
                                        "ike-lifetime",
                                        "low-lifespan",
                                        "normal-lifespan",
                                        "first-lifespan",
                                        "require-dnssec",
                                        "sa-room",
                                        "return-tunnel",
                                        NULL};
    enum { REQUIRE_DNSSEC = 5, SA_ROOM, RETURN_TUNNEL };
    struct scenario_gateway *gw;
    size_t which;
    int64_t us;

    if (!words_gateway(s, w, &gw) || !words_choice(s, w, "a setting", names, &which))
        return false;
    if (which == REQUIRE_DNSSEC) {
        gw->g->control_config.oe.require_dnssec = true;
        return true;
    }
    if (which == SA_ROOM)
        return set_sa_room(s, w, gw->g);
    if (which == RETURN_TUNNEL)
        return set_return(s, w, gw);
    if (!words_time(s, w, &us))
        return false;
    if (us % 1000000 != 0)
        return scenario_fail(s, "a lifetime takes whole seconds");
    *setting_s(gw->g, which) = (uint32_t)(us / 1000000);
    return true;
}

/* ttl TIME: of every DNS answer */
static bool verb_ttl(struct scenario *s, struct words *w)
{
    int64_t us;
    if (!words_time(s, w, &us))
        return false;
    s->world.ttl_s = (uint32_t)(us / 1000000);
    return true;
}

/* wire TIME: how long a packet takes from gateway to gateway */
static bool verb_wire(struct scenario *s, struct words *w)
{
    int64_t us;
    if (!words_time(s, w, &us))
        return false;
    s->world.pace.wire_us = (uint32_t)us;
    return true;
}

const struct verb setup_verbs[] = {
    {"gateway", verb_gateway, true},
    {"host", verb_add_host, true},
    {"class", verb_class, true},
    {"set", verb_set, true},
    {"ttl", verb_ttl, true},
    {"wire", verb_wire, true},
    {NULL, NULL, false},
};
