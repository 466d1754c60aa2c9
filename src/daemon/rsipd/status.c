#include "daemon/rsipd/status.h"

#include <stdio.h>

static json_t *addr_json(const struct ip_addr *addr)
{
    char text[IP_ADDR_TEXT_MAX];
    return json_string(ip_addr_format(addr, text));
}

/* "1234-1237", "1234,1300" */
static json_t *ports_json(const struct rsip_ports *ports)
{
    char text[RSIP_PORTS_MAX * 6 + 1] = "";
    size_t len = 0;

    if (ports->form == RSIP_RANGE_RUN && ports->count > 1)
        snprintf(text, sizeof(text), "%u-%u", ports->ports[0], ports->ports[0] + ports->count - 1u);
    else if (rsip_ports_named(ports))
        for (unsigned i = 0; i < ports->count; i++)
            len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%u", i == 0 ? "" : ",",
                                    rsip_port_at(ports, i));
    return json_string(text);
}

static json_t *spis_json(const struct rsip_spis *spis)
{
    json_t *list = json_array();
    char text[16];

    for (unsigned i = 0; i < spis->count && spis->form != RSIP_RANGE_ANY; i++) {
        snprintf(text, sizeof(text), "0x%08x", rsip_spi_at(spis, i));
        json_array_append_new(list, json_string(text));
    }
    return list;
}

static json_t *bind_json(const struct rsip_bind_info *bind, mono_t now)
{
    json_t *remotes = json_array();

    for (size_t i = 0; i < bind->remote_count; i++)
        json_array_append_new(remotes, addr_json(&bind->remotes[i]));
    return json_pack("{s:o,s:o,s:I,s:s,s:s,s:b,s:o,s:o,s:o,s:i,s:I}", "host",
                     addr_json(&bind->host), "address", addr_json(&bind->addr), "bind",
                     (json_int_t)bind->id, "method", rsip_method_name(bind->method), "tunnel",
                     rsip_tunnel_name(bind->tunnel), "listen", bind->listen, "ports",
                     ports_json(&bind->ports), "spis", spis_json(&bind->spis), "remotes", remotes,
                     "remote_port", bind->remote_port, "expires_ms",
                     (json_int_t)mono_since(bind->expires, now));
}

static json_t *host_json(const struct rsip_host_info *host, mono_t now)
{
    return json_pack("{s:o,s:I,s:s,s:I,s:I,s:I,s:I,s:I}", "host", addr_json(&host->host.addr),
                     "client_id", (json_int_t)host->id, "transport",
                     host->transport == RSIP_TCP ? "tcp" : "udp", "binds", (json_int_t)host->binds,
                     "ports", (json_int_t)host->ports, "spis", (json_int_t)host->spis, "traces",
                     (json_int_t)host->traces, "expires_ms",
                     (json_int_t)mono_since(host->expires, now));
}

json_t *rsipd_server_status(const struct rsip_server *server, mono_t now)
{
    json_t *hosts = json_array(), *binds = json_array(), *counters = json_object();
    struct rsip_host_info host = {0};
    struct rsip_bind_info bind = {0};
    const char *name;
    uint64_t value;

    while (rsip_server_host(server, &host))
        json_array_append_new(hosts, host_json(&host, now));
    while (rsip_server_bind(server, &bind))
        json_array_append_new(binds, bind_json(&bind, now));
    for (size_t i = 0; rsip_server_counter(server, i, &name, &value); i++)
        json_object_set_new(counters, name, json_integer((json_int_t)value));
    return json_pack("{s:s,s:o,s:o,s:o}", "role", "server", "hosts", hosts, "binds", binds,
                     "counters", counters);
}

json_t *rsipd_client_status(const struct rsip_client *client, const struct rsip_message *bind,
                            bool up, enum rsip_error last_error)
{
    static const char *const relations[] = {"unregistered", "registered", "assigned"};
    json_t *status = json_pack("{s:s,s:s,s:I}", "role", "client", "state",
                               relations[rsip_client_relation(client)], "client_id",
                               (json_int_t)rsip_client_id(client));

    if (up) {
        json_object_set_new(status, "address", addr_json(&bind->local.addr));
        json_object_set_new(status, "ports", ports_json(&bind->local_ports));
        json_object_set_new(status, "spis", spis_json(&bind->spi));
        json_object_set_new(status, "tunnel", json_string(rsip_tunnel_name(bind->tunnels[0])));
        json_object_set_new(status, "lease_s", json_integer(bind->lease_s));
    }
    const char *error = rsip_error_name(last_error);
    if (error != NULL)
        json_object_set_new(status, "last_error", json_string(error));
    return status;
}
