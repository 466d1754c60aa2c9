#include "daemon/keyd_connections.h"

#include <stdio.h>

static const char *method_word(enum ike_method method)
{
    static const char *const words[] = {
        [IKE_BY_NOTHING] = "none",
        [IKE_BY_PSK] = "psk",
        [IKE_BY_KEY] = "key",
        [IKE_BY_CERTIFICATE] = "certificate",
        [IKE_BY_ENCRYPTION] = "encryption",
        [IKE_BY_REVISED_ENCRYPTION] = "revised-encryption",
        [IKE_BY_NULL] = "null",
    };
    return words[method];
}

static const char *version_word(enum ike_version version)
{
    return version == IKE_VERSION_1 ? "1" : version == IKE_VERSION_2 ? "2" : "any";
}

static json_t *addr_json(const struct ip_addr *addr)
{
    char text[IP_ADDR_TEXT_MAX];
    return addr->family == IP_NONE ? json_null() : json_string(ip_addr_format(addr, text));
}

static const char *verdict_word(const struct tunnel_info *info)
{
    if (info->state == TUNNEL_UP || info->state == TUNNEL_REKEYING)
        return "encrypt";
    return info->state == TUNNEL_IDLE ? "deny" : "hold";
}

static json_t *tunnel_json(const struct tunnel_info *info, mono_t now)
{
    char text[IDENTITY_TEXT_MAX], suite[ESP_SUITE_TEXT_MAX], spi[12];
    json_t *o = json_object();

    json_object_set_new(o, "child", json_string(info->selector->name));
    json_object_set_new(o, "state", json_string(tunnel_state_name(info->state)));
    json_object_set_new(o, "down", json_boolean(info->down));
    json_object_set_new(o, "local", json_string(traffic_format(&info->traffic.local, text)));
    json_object_set_new(o, "remote", json_string(traffic_format(&info->traffic.remote, text)));
    json_object_set_new(o, "peer", addr_json(&info->peer));
    json_object_set_new(o, "own_address", addr_json(&info->local));
    json_object_set_new(o, "since_ms", json_integer(mono_since(now, info->since)));
    if (info->moved.family != IP_NONE)
        json_object_set_new(o, "moved", addr_json(&info->moved));
    json_object_set_new(o, "failures", json_integer(info->failures));
    json_object_set_new(o, "why", json_string(info->why));
    if (!mono_is_never(info->next))
        json_object_set_new(o, "next_ms", json_integer(mono_since(info->next, now)));
    if (info->spi_out.value == 0)
        return o;
    json_object_set_new(o, "version", json_string(version_word(info->version)));
    json_object_set_new(o, "identity", json_string(identity_format(&info->peer_id, text)));
    json_object_set_new(o, "suite", json_string(esp_suite_format(&info->suite, suite)));
    snprintf(spi, sizeof(spi), "%08x", info->spi_in.value);
    json_object_set_new(o, "spi_in", json_string(spi));
    snprintf(spi, sizeof(spi), "%08x", info->spi_out.value);
    json_object_set_new(o, "spi_out", json_string(spi));
    return o;
}

static json_t *connection_json(const struct ike_profile *profile)
{
    return json_pack("{s:s,s:s,s:s,s:s,s:o,s:[]}", "name", profile->name, "version",
                     version_word(profile->version), "own_auth", method_word(profile->own_method),
                     "peer_auth", method_word(profile->peer_method), "peer",
                     addr_json(&profile->remote.addr), "tunnels");
}

static json_t *find_connection(json_t *list, const char *name)
{
    json_t *connection;
    size_t i;

    json_array_foreach(list, i, connection)
    {
        if (strcmp(json_string_value(json_object_get(connection, "name")), name) == 0)
            return connection;
    }
    return NULL;
}

json_t *connections_json(const struct tunnels *tunnels, mono_t now)
{
    json_t *list = json_array();
    struct tunnel_info info;

    for (size_t i = 0; tunnels_info(tunnels, i, &info); i++) {
        json_t *connection = find_connection(list, info.connection->profile->name);
        if (connection == NULL) {
            connection = connection_json(info.connection->profile);
            json_array_append_new(list, connection);
        }
        json_array_append_new(json_object_get(connection, "tunnels"), tunnel_json(&info, now));
    }
    return list;
}

/* One that is up before one that isn't, then the one with the longer prefix. */
static bool tells_more(const struct tunnel_info *a, const struct tunnel_info *b)
{
    bool a_up = a->spi_out.value != 0, b_up = b->spi_out.value != 0;
    return a_up != b_up ? a_up : a->traffic.remote.net.bits > b->traffic.remote.net.bits;
}

json_t *connections_why_json(const struct tunnels *tunnels, mono_t now, const struct ip_pair *flow)
{
    struct tunnel_info info, best;
    char reason[160];
    bool found = false;

    for (size_t i = 0; tunnels_info(tunnels, i, &info); i++) {
        bool from = flow->src.family == IP_NONE ||
                    ip_prefix_contains(&info.traffic.local.net, &flow->src);
        if (!from || !ip_prefix_contains(&info.traffic.remote.net, &flow->dst) ||
            (found && !tells_more(&info, &best)))
            continue;
        best = info;
        found = true;
    }
    if (!found)
        return NULL;
    json_t *o = tunnel_json(&best, now);
    snprintf(reason, sizeof(reason), "the configured connection '%s' is for it%s%.80s",
             best.connection->profile->name, best.why[0] != '\0' ? ": " : "", best.why);
    json_object_set_new(o, "source", addr_json(&flow->src));
    json_object_set_new(o, "destination", addr_json(&flow->dst));
    json_object_set_new(o, "verdict", json_string(verdict_word(&best)));
    json_object_set_new(o, "grade",
                        json_string(best.spi_out.value == 0 ? "none"
                                    : best.connection->profile->peer_method == IKE_BY_NULL
                                        ? "anonymous"
                                        : "configured"));
    json_object_set_new(o, "class", json_string("connection"));
    json_object_set_new(o, "connection", json_string(best.connection->profile->name));
    json_object_set_new(o, "reason", json_string(reason));
    json_object_set_new(o, "dnssec", json_string("none"));
    json_object_set_new(o, "gateway", addr_json(&best.peer));
    json_object_set_new(o, "record", json_string(""));
    json_object_set_new(o, "ike", json_string(""));
    json_object_set_new(o, "next", json_pack("{s:s,s:n}", "what", "", "in_ms"));
    return o;
}
