#include "daemon/rsipd/config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/yaml_reader.h"

enum { DAY_S = 86400, SPI_LEAST = 256 /* RFC 4303 section 2.1 */ };

static void *at(const struct yaml_field *field, void *base)
{
    return (char *)base + field->offset;
}

static bool read_addr(struct yaml_reader *r, const yaml_node_t *node,
                      const struct yaml_field *field, void *base)
{
    const char *text = yaml_reader_scalar(node);
    struct ip_addr addr;

    if (text == NULL || !ip_addr_parse(text, &addr) || addr.family != IP_V4)
        return yaml_reader_fail(r, node,
                                "'%.60s' is not an IPv4 address; write one, as in 10.0.0.1",
                                text != NULL ? text : "a list");
    memcpy(at(field, base), &addr, sizeof(addr));
    return true;
}

static bool parse_prefix(struct yaml_reader *r, const yaml_node_t *node, struct ip_prefix *ret)
{
    const char *text = yaml_reader_scalar(node);
    if (text != NULL && ip_prefix_parse(text, ret))
        return true;
    return yaml_reader_fail(
        r, node, "'%.60s' is not a prefix; write one without host bits, as in 10.0.0.0/8",
        text != NULL ? text : "a list");
}

static bool read_prefix(struct yaml_reader *r, const yaml_node_t *node,
                        const struct yaml_field *field, void *base)
{
    struct ip_prefix prefix;
    if (!parse_prefix(r, node, &prefix))
        return false;
    memcpy(at(field, base), &prefix, sizeof(prefix));
    return true;
}

/* Calls `one` for each entry of a list, or for what stands there alone. */
static bool each(struct yaml_reader *r, const yaml_node_t *node,
                 bool (*one)(struct yaml_reader *r, const yaml_node_t *node, void *base),
                 void *base)
{
    if (node->type != YAML_SEQUENCE_NODE)
        return one(r, node, base);
    for (const yaml_node_item_t *item = node->data.sequence.items.start;
         item < node->data.sequence.items.top; item++)
        if (!one(r, yaml_document_get_node(r->document, *item), base))
            return false;
    return true;
}

static bool full(struct yaml_reader *r, const yaml_node_t *node, size_t count, size_t most)
{
    return count == most &&
           !yaml_reader_fail(r, node, "more than %zu entries; leave some out", most);
}

/* "25", "1024-65535" */
static bool parse_ports(struct yaml_reader *r, const yaml_node_t *node, uint16_t *low,
                        uint16_t *high)
{
    const char *text = yaml_reader_scalar(node);
    unsigned first, last;
    char end;
    int read = text == NULL ? 0 : sscanf(text, "%5u-%5u%c", &first, &last, &end);

    if (read == 1 && sscanf(text, "%5u%c", &first, &end) == 1)
        last = first;
    else if (read != 2)
        first = 0;
    if (read == 0 || first == 0 || last > UINT16_MAX || first > last)
        return yaml_reader_fail(r, node, "'%.60s' are not ports; write 25 or 1024-65535",
                                text != NULL ? text : "a list");
    *low = (uint16_t)first;
    *high = (uint16_t)last;
    return true;
}

static bool read_range_ports(struct yaml_reader *r, const yaml_node_t *node,
                             const struct yaml_field *field, void *base)
{
    struct rsip_range *range = base;
    (void)field;
    return parse_ports(r, node, &range->port_low, &range->port_high);
}

enum use { USE_SHARED = 1, USE_WHOLE = 2, USE_EITHER = 3, USE_OWN = 4 };
static const struct yaml_choice uses[] = {
    {"shared", USE_SHARED}, {"whole", USE_WHOLE}, {"either", USE_EITHER}, {"own", USE_OWN}, {NULL, 0}};

static bool read_use(struct yaml_reader *r, const yaml_node_t *node, const struct yaml_field *field,
                     void *base)
{
    struct rsip_range *range = base;
    struct yaml_field choice = *field;
    int use;

    choice.offset = 0;
    choice.choices = uses;
    if (!yaml_read_choice(r, node, &choice, &use))
        return false;
    range->own = use == USE_OWN;
    range->shared = range->own || (use & USE_SHARED) != 0;
    range->whole = (use & USE_WHOLE) != 0;
    return true;
}

static const struct yaml_field range_fields[] = {
    {"addresses", read_prefix, offsetof(struct rsip_range, prefix),
     .remedy = "say which, as in 'addresses: 192.0.2.0/28'"},
    {"use", read_use, 0},
    {"ports", read_range_ports, 0},
    {NULL, NULL},
};

static bool read_range(struct yaml_reader *r, const yaml_node_t *node, void *base)
{
    struct rsipd_server *server = base;
    if (full(r, node, server->range_count, RSIPD_RANGES))
        return false;
    struct rsip_range *range = &server->ranges[server->range_count++];
    *range = (struct rsip_range){.shared = true};
    if (!yaml_reader_fields(r, node, range_fields, range))
        return false;
    if (range->own && (range->port_high == 0 || range->prefix.bits != ip_addr_bits(&range->prefix.addr)))
        return yaml_reader_fail(r, node,
                                "of its own address the gateway can lease some ports only; give one "
                                "address and ports that it and its NAPT don't use, as in "
                                "'ports: 20000-29999'");
    return true;
}

static bool read_pool(struct yaml_reader *r, const yaml_node_t *node,
                      const struct yaml_field *field, void *base)
{
    (void)field;
    return each(r, node, read_range, base);
}

struct bits {
    const struct yaml_choice *choices;
    uint8_t mask;
};

static bool read_bit(struct yaml_reader *r, const yaml_node_t *node, void *base)
{
    struct bits *bits = base;
    const struct yaml_field field = {.name = "entry", .choices = bits->choices};
    int value;
    if (!yaml_read_choice(r, node, &field, &value))
        return false;
    bits->mask = (uint8_t)(bits->mask | 1 << value);
    return true;
}

static bool read_bits(struct yaml_reader *r, const yaml_node_t *node,
                      const struct yaml_field *field, void *base)
{
    struct bits bits = {.choices = field->choices};
    if (!each(r, node, read_bit, &bits))
        return false;
    *(uint8_t *)at(field, base) = bits.mask;
    return true;
}

static const struct yaml_choice methods[] = {{"rsa-ip", RSIP_METHOD_RSA},
                                             {"rsap-ip", RSIP_METHOD_RSAP},
                                             {"rsipsec", RSIP_METHOD_IPSEC},
                                             {NULL, 0}};
static const struct yaml_choice tunnels[] = {
    {"ip-ip", RSIP_TUNNEL_IPIP}, {"gre", RSIP_TUNNEL_GRE}, {NULL, 0}};
static const struct yaml_choice flows_local[] = {
    {"macro", RSIP_FLOW_MACRO}, {"micro", RSIP_FLOW_MICRO}, {NULL, 0}};
static const struct yaml_choice flows_remote[] = {
    {"none", RSIP_FLOW_NONE}, {"macro", RSIP_FLOW_MACRO}, {"micro", RSIP_FLOW_MICRO}, {NULL, 0}};
static const struct yaml_choice listens[] = {{"never", RSIP_LISTEN_NEVER},
                                             {"allowed", RSIP_LISTEN_ALLOWED},
                                             {"override", RSIP_LISTEN_OVERRIDE},
                                             {NULL, 0}};
static const struct yaml_choice transports[] = {{"udp", RSIP_UDP}, {"tcp", RSIP_TCP}, {NULL, 0}};

static bool read_flow(struct yaml_reader *r, const yaml_node_t *node,
                      const struct yaml_field *field, void *base)
{
    const struct yaml_field choice = {.name = field->name, .choices = field->choices};
    int value;
    if (!yaml_read_choice(r, node, &choice, &value))
        return false;
    *(uint8_t *)at(field, base) = (uint8_t)value;
    return true;
}

static bool read_rule_ports(struct yaml_reader *r, const yaml_node_t *node,
                            const struct yaml_field *field, void *base)
{
    struct rsip_rule *rule = base;
    (void)field;
    return parse_ports(r, node, &rule->port_low, &rule->port_high);
}

static const struct yaml_field rule_fields[] = {
    {"remote", read_prefix, offsetof(struct rsip_rule, remote)},
    {"ports", read_rule_ports, 0},
    {"allow", yaml_read_bool, offsetof(struct rsip_rule, allow),
     .remedy = "say 'allow: yes' or 'allow: no'"},
    {NULL, NULL},
};

static bool read_rule(struct yaml_reader *r, const yaml_node_t *node, void *base)
{
    struct rsipd_policy *p = base;
    if (full(r, node, p->rule_count, RSIPD_RULES))
        return false;
    return yaml_reader_fields(r, node, rule_fields, &p->rules[p->rule_count++]);
}

static bool read_rules(struct yaml_reader *r, const yaml_node_t *node,
                       const struct yaml_field *field, void *base)
{
    (void)field;
    return each(r, node, read_rule, base);
}

#define POLICY(member) offsetof(struct rsipd_policy, policy.member)
#define QUOTA(key, most_)                                                                          \
    {                                                                                              \
#key, yaml_read_number, POLICY(quota.key), .least = 0, .most = most_                       \
    }
static const struct yaml_field policy_fields[] = {
    {"from", read_prefix, POLICY(hosts), .remedy = "say whose, as in 'from: 10.0.0.0/8'"},
    {"deny", yaml_read_bool, POLICY(deny)},
    {"methods", read_bits, POLICY(methods), .choices = methods},
    {"tunnels", read_bits, POLICY(tunnels), .choices = tunnels},
    {"local-flow", read_flow, POLICY(flow_local), .choices = flows_local},
    {"remote-flow", read_flow, POLICY(flow_remote), .choices = flows_remote},
    {"listen", yaml_read_choice, POLICY(listen), .choices = listens},
    QUOTA(binds, 10000),
    QUOTA(addresses, 4096),
    QUOTA(ports, 65535),
    QUOTA(spis, 65535),
    QUOTA(traces, 65535),
    {"lease", yaml_read_number, POLICY(lease_s), .least = 10, .most = 30 * DAY_S},
    {"lease-max", yaml_read_number, POLICY(lease_max_s), .least = 10, .most = 30 * DAY_S},
    {"registration", yaml_read_number, POLICY(registration_s), .least = 30, .most = 30 * DAY_S},
    {"rules", read_rules, 0},
    {NULL, NULL},
};

static bool read_policy(struct yaml_reader *r, const yaml_node_t *node, void *base)
{
    struct rsipd_server *server = base;
    if (full(r, node, server->policy_count, RSIPD_POLICIES))
        return false;
    struct rsipd_policy *p = &server->policies[server->policy_count++];
    p->policy = (struct rsip_policy){
        .methods = 1 << RSIP_METHOD_RSAP,
        .tunnels = 1 << RSIP_TUNNEL_IPIP,
        .flow_local = RSIP_FLOW_MACRO,
        .flow_remote = RSIP_FLOW_NONE,
        .listen = RSIP_LISTEN_ALLOWED,
        .quota = {.binds = 16, .addresses = 1, .ports = 256, .spis = 64, .traces = 256},
        .lease_s = 600,
        .lease_max_s = 3600,
        .registration_s = 600};
    if (!yaml_reader_fields(r, node, policy_fields, p))
        return false;
    return p->policy.lease_s <= p->policy.lease_max_s ||
           yaml_reader_fail(r, node, "'lease' is longer than 'lease-max'; raise that too");
}

static bool read_hosts(struct yaml_reader *r, const yaml_node_t *node,
                       const struct yaml_field *field, void *base)
{
    (void)field;
    return each(r, node, read_policy, base);
}

static bool read_local(struct yaml_reader *r, const yaml_node_t *node, void *base)
{
    struct rsipd_server *server = base;
    return !full(r, node, server->local_count, RSIPD_LOCALS) &&
           parse_prefix(r, node, &server->local[server->local_count++]);
}

static bool read_locals(struct yaml_reader *r, const yaml_node_t *node,
                        const struct yaml_field *field, void *base)
{
    (void)field;
    return each(r, node, read_local, base);
}

#define SERVER(member) offsetof(struct rsipd_server, member)
static bool read_nameserver(struct yaml_reader *r, const yaml_node_t *node, void *base)
{
    static const struct yaml_field field = {.name = "dns", .offset = 0};
    struct rsipd_server *server = base;
    return !full(r, node, server->dns_count, RSIPD_DNS) &&
           read_addr(r, node, &field, &server->dns[server->dns_count++]);
}

static bool read_nameservers(struct yaml_reader *r, const yaml_node_t *node,
                             const struct yaml_field *field, void *base)
{
    (void)field;
    return each(r, node, read_nameserver, base);
}

static const struct yaml_field server_fields[] = {
    {"inside", read_addr, SERVER(inside),
     .remedy = "give our address on the private side, as in 'inside: 10.0.0.1'"},
    {"outside", yaml_read_text, SERVER(outside), .room = RSIPD_NAME_MAX,
     .remedy = "name the interface that faces the public side, as in 'outside: eth0'"},
    {"pool", read_pool, 0,
     .remedy = "say what may be leased, as in 'pool: [addresses: 192.0.2.9]'"},
    {"hosts", read_hosts, 0, .remedy = "say who may lease it, as in 'hosts: [from: 10.0.0.0/8]'"},
    {"local", read_locals, 0},
    {"dns", read_nameservers, 0},
    {"tcp-only", yaml_read_bool, SERVER(tcp_only)},
    {"registrations", yaml_read_number, SERVER(hosts), .least = 1, .most = LIMIT_RSIP_HOSTS},
    {"hold", yaml_read_number, SERVER(hold_s), .least = 0, .most = 3600},
    {NULL, NULL},
};

static bool read_server(struct yaml_reader *r, const yaml_node_t *node,
                        const struct yaml_field *field, void *base)
{
    ((struct rsipd_config *)base)->server.given = true;
    return yaml_read_map(r, node, field, base);
}

static bool read_route(struct yaml_reader *r, const yaml_node_t *node, void *base)
{
    struct rsipd_client *client = base;
    return !full(r, node, client->route_count, RSIPD_ROUTES) &&
           parse_prefix(r, node, &client->routes[client->route_count++]);
}

static bool read_routes(struct yaml_reader *r, const yaml_node_t *node,
                        const struct yaml_field *field, void *base)
{
    (void)field;
    return each(r, node, read_route, base);
}

/* An address, or a name for the gateway to look up. */
static bool read_remote(struct yaml_reader *r, const yaml_node_t *node,
                        const struct yaml_field *field, void *base)
{
    const char *text = yaml_reader_scalar(node);
    struct rsipd_client *client = base;
    struct ip_addr addr;

    (void)field;
    if (text != NULL && ip_addr_parse(text, &addr) && addr.family == IP_V4) {
        client->remote.addr = addr;
        return true;
    }
    if (text == NULL || text[0] == '\0' || strlen(text) >= RSIPD_REMOTE_MAX ||
        strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-.") !=
            strlen(text))
        return yaml_reader_fail(r, node, "'%.60s' is neither an IPv4 address nor a name; write one, "
                                         "as in 192.0.2.5 or www.example.net",
                                text != NULL ? text : "a list");
    snprintf(client->remote_name, sizeof(client->remote_name), "%s", text);
    return true;
}

static bool read_remote_port(struct yaml_reader *r, const yaml_node_t *node,
                             const struct yaml_field *field, void *base)
{
    uint16_t *port = at(field, base), last;
    return parse_ports(r, node, port, &last);
}

/* RSIP-033: particular SPIs, for who has them in a configuration elsewhere. */
static bool read_spi(struct yaml_reader *r, const yaml_node_t *node, const struct yaml_field *field,
                     void *base)
{
    const char *text = yaml_reader_scalar(node);
    char *end = NULL;
    unsigned long long value = text != NULL ? strtoull(text, &end, 0) : 0;

    if (end == NULL || *end != '\0' || value < SPI_LEAST || value > UINT32_MAX)
        return yaml_reader_fail(
            r, node, "'%s' is not an SPI; give the first of those wanted, as in 0x5000", field->name);
    *(uint32_t *)at(field, base) = (uint32_t)value;
    return true;
}

#define CLIENT(member) offsetof(struct rsipd_client, member)
static const struct yaml_field client_fields[] = {
    {"server", read_addr, CLIENT(server),
     .remedy = "give the gateway's private address, as in 'server: 10.0.0.1'"},
    {"transport", yaml_read_choice, CLIENT(transport), .choices = transports},
    {"method", yaml_read_choice, CLIENT(method), .choices = methods},
    {"tunnel", yaml_read_choice, CLIENT(tunnel), .choices = tunnels},
    {"ports", yaml_read_number, CLIENT(ports), .least = 0, .most = RSIP_PORTS_MAX},
    {"spis", yaml_read_number, CLIENT(spis), .least = 1, .most = RSIP_SPIS_MAX},
    {"first-spi", read_spi, CLIENT(first_spi)},
    {"lease", yaml_read_number, CLIENT(lease_s), .least = 10, .most = 30 * DAY_S},
    {"address", read_addr, CLIENT(address)},
    {"remote", read_remote, 0},
    {"remote-port", read_remote_port, CLIENT(remote.port)},
    {"routes", read_routes, 0},
    {"set-port-range", yaml_read_bool, CLIENT(set_port_range)},
    {"first-timeout-ms", yaml_read_number, CLIENT(first_timeout_ms), .least = 1, .most = 60000},
    {NULL, NULL},
};

static bool read_client(struct yaml_reader *r, const yaml_node_t *node,
                        const struct yaml_field *field, void *base)
{
    ((struct rsipd_config *)base)->client.given = true;
    return yaml_read_map(r, node, field, base);
}

#define FIELD(member) offsetof(struct rsipd_config, member)
static const struct yaml_field fields[] = {
    {"user", yaml_read_text, FIELD(user), .room = RSIPD_USER_MAX},
    {"control", yaml_read_path, FIELD(control), .room = 108},
    {"state", yaml_read_path, FIELD(state), .room = RSIPD_PATH_MAX},
    {"device", yaml_read_text, FIELD(device), .room = RSIPD_NAME_MAX},
    {"server", read_server, FIELD(server), .fields = server_fields},
    {"client", read_client, FIELD(client), .fields = client_fields},
    {NULL, NULL},
};

static void fill_defaults(struct rsipd_config *config)
{
    *config = (struct rsipd_config){
        .user = "_cygnet-rsip",
        .control = "/run/cygnet/rsip.sock",
        .state = "/var/lib/cygnet-rsip",
        .device = "rsip0",
        .server = {.hosts = LIMIT_RSIP_HOSTS, .hold_s = 120}, /* RSIP-207 */
        .client = {.method = RSIP_METHOD_RSAP,
                   .tunnel = RSIP_TUNNEL_IPIP,
                   .ports = 64,
                   .spis = 1,
                   .set_port_range = true},
    };
}

bool rsipd_config_parse(struct view text, const char *name, struct rsipd_config *ret,
                        char *ret_error)
{
    struct yaml_reader r = {.name = name, .error = ret_error, .error_room = RSIPD_ERROR_MAX};
    yaml_document_t document;

    fill_defaults(ret);
    if (!yaml_reader_load(&r, text, &document))
        return false;
    r.document = &document;
    const yaml_node_t *root = yaml_document_get_root_node(&document);
    bool ok = yaml_reader_fields(&r, root, fields, ret);
    if (ok && ret->server.given == ret->client.given)
        ok = yaml_reader_fail(&r, root, "no 'server' or 'client', or both; give one of them");
    yaml_document_delete(&document);
    if (ok && ret->client.route_count == 0)
        ret->client.route_count = 1; /* all zeros: everything */
    if (ok && ret->client.routes[0].addr.family == IP_NONE)
        ok = ip_prefix_parse("0.0.0.0/0", &ret->client.routes[0]);
    for (size_t i = 0; i < ret->server.policy_count; i++) {
        struct rsipd_policy *p = &ret->server.policies[i];
        p->policy.rules = p->rules;
        p->policy.rule_count = p->rule_count;
    }
    return ok;
}
