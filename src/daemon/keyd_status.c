#include "daemon/keyd_status.h"

#include <net/if.h>
#include <stdio.h>
#include <unistd.h>

#include "daemon/event_json.h"
#include "daemon/keyd_connections.h"
#include "daemon/keyd_summary.h"

enum { WHY_HISTORY_MAX = 400 };

static json_t *addr_json(const struct ip_addr *addr)
{
    char text[IP_ADDR_TEXT_MAX];
    return addr->family == IP_NONE ? json_null() : json_string(ip_addr_format(addr, text));
}

static const char *dns_word(const struct oe_instance_info *info)
{
    if (!info->dns_asked)
        return "none";
    switch (info->dns) {
    case DISCOVERED_FOUND:
        return info->secure ? "secure" : "insecure";
    case DISCOVERED_ABSENT:
        return "absent";
    case DISCOVERED_MALFORMED:
        return "malformed";
    case DISCOVERED_BOGUS:
        return "bogus";
    case DISCOVERED_TIMEOUT:
        return "timeout";
    }
    return "none";
}

/* OE-006: encryption on unsigned records resists listeners, not an active attacker. */
static const char *grade_word(const struct oe_instance_info *info)
{
    if (info->verdict != OE_VERDICT_ENCRYPT)
        return "none";
    if (info->secure && info->by_name)
        return "name";
    return info->secure ? "authenticated" : "anonymous";
}

static json_t *instance_json(const struct oe_instance_info *info, mono_t now)
{
    char suite[ESP_SUITE_TEXT_MAX], spi_in[12], spi_out[12];
    json_t *o = json_object();

    json_object_set_new(o, "source", addr_json(&info->flow.src));
    json_object_set_new(o, "destination", addr_json(&info->flow.dst));
    json_object_set_new(o, "verdict", json_string(oe_verdict_name(info->verdict)));
    json_object_set_new(o, "grade", json_string(grade_word(info)));
    json_object_set_new(o, "state", json_string(oe_state_name(info->state)));
    json_object_set_new(o, "class", json_string(info->class_name));
    json_object_set_new(o, "role", json_string(info->responder ? "responder" : "initiator"));
    json_object_set_new(o, "reason", json_string(info->reason));
    json_object_set_new(o, "dnssec", json_string(dns_word(info)));
    if (info->by_name && info->peer_id.kind == IDENTITY_FQDN)
        json_object_set_new(o, "name", json_string(info->peer_id.fqdn));
    json_object_set_new(o, "gateway", addr_json(&info->gateway));
    if (info->verdict == OE_VERDICT_ENCRYPT) {
        snprintf(spi_in, sizeof(spi_in), "%08x", info->spi_in.value);
        snprintf(spi_out, sizeof(spi_out), "%08x", info->spi_out.value);
        json_object_set_new(o, "suite", json_string(esp_suite_format(&info->suite, suite)));
        json_object_set_new(o, "spi_in", json_string(spi_in));
        json_object_set_new(o, "spi_out", json_string(spi_out));
    }
    json_object_set_new(o, "since_ms", json_integer(mono_since(now, info->since)));
    json_object_set_new(o, "record", json_string(info->record));
    json_object_set_new(o, "ike", json_string(info->ike));
    json_object_set_new(o, "next",
                        json_pack("{s:s,s:I}", "what", info->next, "in_ms",
                                  (json_int_t)mono_since(info->next_check, now)));
    return o;
}

/* Who is behind a NAT, if ESP goes inside UDP. */
static const char *nat_word(const struct ike_sa_info *info)
{
    if (info->nat_here)
        return info->nat_there ? "both" : "here";
    return info->nat_there ? "there" : "none";
}

static json_t *set_json(const struct address_set *set)
{
    json_t *list = json_array();
    for (size_t i = 0; i < set->count; i++)
        json_array_append_new(list, addr_json(&set->list[i]));
    return list;
}

/* The pair of addresses in use, the peer's others and those that it has been told of, and what is being
 * found out. */
static json_t *addresses_json(const struct ike_sa_info *info)
{
    json_t *o = json_object();
    const char *doing = "in use";

    if (info->no_way)
        doing = "no way to the peer";
    else if (info->checking)
        doing = "checking the peer's new address";
    else if (info->probing)
        doing = "probing a better pair";
    json_object_set_new(o, "local", addr_json(&info->local.addr));
    json_object_set_new(o, "peer", set_json(info->peer_addresses));
    json_object_set_new(o, "by", json_string(info->draft ? "addrmgmt-06" : "mobike"));
    if (info->draft)
        json_object_set_new(o, "told", set_json(info->told));
    json_object_set_new(o, "state", json_string(doing));
    json_object_set_new(o, "moves", json_integer(info->moves));
    return o;
}

static json_t *gateway_json(const struct ike_sa_info *info, mono_t now)
{
    char id[IDENTITY_TEXT_MAX];
    json_t *o = json_object();

    json_object_set_new(o, "peer", addr_json(&info->remote.addr));
    if (info->udp) {
        json_object_set_new(o, "port", json_integer(info->remote.port));
        json_object_set_new(o, "nat", json_string(nat_word(info)));
        json_object_set_new(o, "transport", json_string(info->tcp ? "tcp" : "udp"));
    }
    json_object_set_new(o, "identity", json_string(identity_format(&info->peer_id, id)));
    json_object_set_new(o, "role", json_string(info->initiator ? "initiator" : "responder"));
    json_object_set_new(o, "state", json_string(info->state));
    json_object_set_new(o, "suite", json_string(info->suite));
    json_object_set_new(o, "established", json_boolean(info->established));
    json_object_set_new(o, "since_ms", json_integer(mono_since(now, info->since)));
    json_object_set_new(o, "children", json_integer((json_int_t)info->children));
    if (info->resumed || info->has_ticket) {
        json_object_set_new(o, "resumed", json_boolean(info->resumed));
        json_object_set_new(o, "ticket", json_boolean(info->has_ticket));
    }
    if (info->peer_addresses != NULL)
        json_object_set_new(o, "addresses", addresses_json(info));
    return o;
}

/*
 * Which of many are shown: the important ones first, and of each kind the last. Two passes: count,
 * then show those that leave() does not leave out.
 */
struct choice {
    size_t important, others;
};

static void choose(struct choice *choice, size_t rows)
{
    size_t shown = choice->important < rows ? choice->important : rows;
    size_t left = rows - shown;
    choice->important -= shown;
    choice->others -= choice->others < left ? choice->others : left;
}

static bool leave_out(struct choice *choice, bool important)
{
    size_t *rest = important ? &choice->important : &choice->others;
    if (*rest == 0)
        return false;
    (*rest)--;
    return true;
}

static json_t *gateways_json(const struct control *control, mono_t now, size_t rows,
                             json_int_t *ret_established, json_int_t *ret_unfinished)
{
    json_t *list = json_array();
    struct choice choice = {0};
    struct ike_sa_info info;

    for (size_t i = 0; ike_sa_info(control_ike(control), i, &info); i++)
        (*(info.established ? &choice.important : &choice.others))++;
    *ret_established = (json_int_t)choice.important;
    *ret_unfinished = (json_int_t)choice.others;
    choose(&choice, rows);
    for (size_t i = 0; ike_sa_info(control_ike(control), i, &info); i++)
        if (!leave_out(&choice, info.established))
            json_array_append_new(list, gateway_json(&info, now));
    return list;
}

/* Flows; a peer that has not proposed anything yet is none. */
static json_t *tunnels_json(const struct oe *oe, mono_t now, size_t rows, json_t *flows,
                            json_t *summary)
{
    static const char *const words[] = {"hold", "pass", "deny", "encrypt"};
    json_int_t counts[4] = {0}, anonymous = 0;
    json_t *list = json_array();
    struct choice choice = {0};
    struct oe_instance_info info;

    for (size_t i = 0; oe_instance_info(oe, i, &info); i++) {
        if (info.flow.src.family == IP_NONE)
            continue;
        counts[info.verdict]++;
        anonymous += info.verdict == OE_VERDICT_ENCRYPT && !info.secure;
        summary_add(summary, &info);
    }
    for (int i = 0; i < 4; i++)
        json_object_set_new(flows, words[i], json_integer(counts[i]));
    json_object_set_new(flows, "anonymous", json_integer(anonymous)); /* of those encrypted */
    choice.important = (size_t)counts[OE_VERDICT_ENCRYPT];
    choice.others = (size_t)(counts[OE_VERDICT_HOLD] + counts[OE_VERDICT_PASS] +
                             counts[OE_VERDICT_DENY]);
    choose(&choice, rows);
    for (size_t i = 0; oe_instance_info(oe, i, &info); i++)
        if (info.flow.src.family != IP_NONE &&
            !leave_out(&choice, info.verdict == OE_VERDICT_ENCRYPT))
            json_array_append_new(list, instance_json(&info, now));
    return list;
}

static json_t *plane_json(const struct keyd_counters *counters)
{
    json_t *o = json_object();
    for (size_t i = 0; i < counters->count; i++)
        if (counters->of[i].value != 0)
            json_object_set_new(o, counters->of[i].name,
                                json_integer((json_int_t)counters->of[i].value));
    return o;
}

static void add_counters(json_t *to, const struct control *control)
{
    const char *name;
    uint64_t value;

    for (size_t i = 0; oe_counter(control_oe(control), i, &name, &value); i++)
        if (value != 0)
            json_object_set_new(to, name, json_integer((json_int_t)value));
    for (size_t i = 0; control_counter(control, i, &name, &value); i++)
        json_object_set_new(to, name, json_integer((json_int_t)value));
    for (size_t i = 0; ike_counter(control_ike(control), i, &name, &value); i++)
        if (value != 0)
            json_object_set_new(to, name, json_integer((json_int_t)value));
}

static json_t *processes_json(const struct keyd_status *status)
{
    json_t *o = json_object();

    for (int role = 0; role < CHILD_ROLE_COUNT; role++) {
        json_t *p = json_object();
        pid_t pid = role == CHILD_KEYD ? getpid() : status->pids[role];
        json_object_set_new(p, "pid", json_integer(pid));
        json_object_set_new(p, "restarts", json_integer(status->restarts[role]));
        json_object_set_new(p, "connected",
                            json_boolean(role == CHILD_KEYD || status->partners[role]));
        json_object_set_new(o, child_role_name((enum child_role)role), p);
    }
    return o;
}

/* New flows are handled, with everybody there whom that takes. */
static bool is_ready(const struct keyd_status *status)
{
    return control_plane_ready(status->control) && status->partners[CHILD_KEEPER] &&
           status->partners[CHILD_RESOLVER];
}

/* NULL: nothing is leased here. */
static json_t *lease_json(const struct keyd_status *status)
{
    json_t *addresses = json_array(), *spis = json_array();
    char text[16];

    if (!status->config->leased_spis) {
        json_decref(addresses);
        json_decref(spis);
        return NULL;
    }
    for (size_t i = 0; i < status->own->count; i++)
        json_array_append_new(addresses, addr_json(&status->own->addresses[i]));
    for (size_t i = 0; i < status->own->leased.count; i++) {
        snprintf(text, sizeof(text), "0x%08x", status->own->leased.spis[i]);
        json_array_append_new(spis, json_string(text));
    }
    return json_pack("{s:o,s:o,s:i}", "addresses", addresses, "spis", spis, "ike_port",
                     status->own->leased.ike_port);
}

static json_t *uplink_json(const struct keyd_status *status, size_t which)
{
    const struct own *own = status->own;
    const char *name = own->outside.names[which];
    json_t *addresses = json_array();
    bool live = false;

    for (size_t i = 0; i < own->count; i++) {
        if (own->ranks[i] != which)
            continue;
        json_array_append_new(addresses, addr_json(&own->addresses[i]));
        live |= own->where.list[i].live;
    }
    const char *state = if_nametoindex(name) == 0 ? "absent" : live ? "live"
                        : json_array_size(addresses) != 0 ? "down" : "no address";
    return json_pack("{s:s,s:s,s:o}", "name", name, "state", state, "addresses", addresses);
}

/* All their names, in order of preference, and what there is to know of each. */
static void add_outside(json_t *o, const struct keyd_status *status)
{
    const struct outside *outside = &status->own->outside;
    char names[OUTSIDE_MAX * (OUTSIDE_NAME_MAX + 2)] = "";
    json_t *uplinks = json_array();
    size_t len = 0;

    for (size_t i = 0; i < outside->count; i++) {
        len += (size_t)snprintf(names + len, sizeof(names) - len, "%s%s", i > 0 ? ", " : "",
                                outside->names[i]);
        json_array_append_new(uplinks, uplink_json(status, i));
    }
    json_object_set_new(o, "outside", json_string(names));
    json_object_set_new(o, "uplinks", uplinks);
}

static void add_lease(json_t *o, const struct keyd_status *status)
{
    json_t *lease = lease_json(status);
    if (lease != NULL)
        json_object_set_new(o, "lease", lease);
}

/* Public-key operations; null: the loop makes them. */
static json_t *work_json(struct worker_pool *pool)
{
    if (pool == NULL)
        return json_null();
    const struct worker_pool_info info = worker_pool_info(pool);
    return json_pack("{s:i,s:i,s:i,s:I}", "threads", (int)info.threads, "waiting", (int)info.waiting,
                     "most_waiting", (int)info.most_waiting, "done", (json_int_t)info.done);
}

json_t *keyd_status_json(const struct keyd_status *status, mono_t now, size_t rows)
{
    json_t *o = json_object(), *flows = json_object(), *summary = json_object(),
           *counters = json_object();
    json_int_t established, unfinished;

    add_counters(counters, status->control);
    json_object_set_new(o, "version", json_string(CYGNET_VERSION));
    json_object_set_new(o, "pid", json_integer(getpid()));
    json_object_set_new(o, "uptime_ms", json_integer(mono_since(now, status->started)));
    add_outside(o, status);
    json_object_set_new(o, "reload",
                        json_pack("{s:I,s:b,s:s}", "count", (json_int_t)status->reloads, "ok",
                                  status->reload_ok, "text", status->reload_text));
    json_object_set_new(o, "ready", json_boolean(is_ready(status)));
    json_object_set_new(o, "processes", processes_json(status));
    json_object_set_new(o, "gateways",
                        gateways_json(status->control, now, rows, &established, &unfinished));
    json_object_set_new(o, "ike_sas", json_pack("{s:I,s:I}", "established", established,
                                                "unfinished", unfinished));
    json_object_set_new(
        o, "tunnels", tunnels_json(control_oe(status->control), now, rows, flows, summary));
    json_object_set_new(o, "connections",
                        connections_json(control_tunnels(status->control), now));
    add_lease(o, status);
    json_object_set_new(o, "flows", flows);
    json_object_set_new(o, "summary", summary_json(summary));
    json_object_set_new(o, "counters", counters);
    json_object_set_new(o, "work", work_json(status->pool));
    json_object_set_new(o, "plane", plane_json(status->plane_counters));
    json_decref(summary);
    return o;
}

/* The flow itself, or its reverse; without a source, the newest that touches the destination. */
static bool find_flow(const struct oe *oe, const struct ip_pair *wanted,
                      struct oe_instance_info *ret)
{
    struct oe_instance_info info;
    struct ip_pair reverse = ip_pair_reverse(wanted);
    bool found = false;

    if (wanted->src.family != IP_NONE)
        return oe_instance_find(oe, wanted, ret) || oe_instance_find(oe, &reverse, ret);
    for (size_t i = 0; oe_instance_info(oe, i, &info); i++) {
        if (!ip_addr_equal(&info.flow.dst, &wanted->dst) &&
            !ip_addr_equal(&info.flow.src, &wanted->dst))
            continue;
        if (!found || info.since.ms >= ret->since.ms)
            *ret = info;
        found = true;
    }
    return found;
}

static json_t *history_json(const struct keyd_status *status, const struct ip_pair *flow,
                            const struct ip_addr *peer)
{
    json_t *list = json_array();
    const struct event_record *record = NULL;

    while ((record = history_next(status->history, record ? record->serial : 0)) != NULL) {
        if (!history_concerns(record, flow, peer))
            continue;
        json_array_append_new(list, event_json_build(record));
        if (json_array_size(list) > WHY_HISTORY_MAX)
            json_array_remove(list, 0);
    }
    return list;
}

json_t *keyd_why_json(const struct keyd_status *status, mono_t now, const struct ip_pair *flow)
{
    const struct oe *oe = control_oe(status->control);
    struct oe_instance_info info;
    json_t *o = connections_why_json(control_tunnels(status->control), now, flow);

    if (o != NULL) {
        struct ip_addr gateway = {0};
        (void)ip_addr_parse(json_string_value(json_object_get(o, "gateway")) != NULL
                                ? json_string_value(json_object_get(o, "gateway"))
                                : "",
                            &gateway);
        json_object_set_new(o, "history", history_json(status, flow, &gateway));
        add_lease(o, status);
        return o;
    }
    if (find_flow(oe, flow, &info)) {
        o = instance_json(&info, now);
        json_object_set_new(o, "history", history_json(status, &info.flow, &info.gateway));
        return o;
    }
    const struct oe_class *class = oe_classify(oe, flow);
    o = json_object();
    json_object_set_new(o, "source", addr_json(&flow->src));
    json_object_set_new(o, "destination", addr_json(&flow->dst));
    json_object_set_new(o, "verdict", json_string("none"));
    json_object_set_new(o, "grade", json_string("none"));
    json_object_set_new(o, "state", json_string(oe_state_name(OE_ST_NONEXISTENT)));
    json_object_set_new(o, "class",
                        json_string(class == NULL ? "fallback"
                                    : class->name[0] ? class->name
                                                     : oe_class_kind_name(class->kind)));
    json_object_set_new(o, "reason", json_string("no datagram of this flow has been seen"));
    json_object_set_new(o, "dnssec", json_string("none"));
    json_object_set_new(o, "gateway", json_null());
    json_object_set_new(o, "record", json_string(""));
    json_object_set_new(o, "ike", json_string(""));
    json_object_set_new(o, "next",
                        json_pack("{s:s,s:n}", "what", "its first datagram begins it", "in_ms"));
    struct ip_addr nobody = {0};
    json_object_set_new(o, "history", history_json(status, flow, &nobody));
    return o;
}
