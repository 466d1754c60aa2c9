#include "daemon/config_connections.h"

#include <stdlib.h>

#include "crypto/kex.h"

enum { SIDE_NETS = 64, PORT_LAST = 65535, SECONDS_MAX = 7 * 24 * 3600 };

/* An entry as written. */
struct raw_connection {
    char name[IKE_PROFILE_NAME];
    enum ike_version version;
    enum ike_tcp tcp;
    int aggressive, ah;
    struct config_raw_end local, remote;
    bool has_local, has_remote, virtual_address, fragmentation, mobike, childless, resumption;
    bool update_policy, check_address_id;
    const yaml_node_t *secret, *pool, *children, *pfs, *ppk, *additional;
    struct {
        uint32_t ike_s, child_s;
    } lifetimes;
    uint32_t dpd_s;
    int management;
    enum ike_padding padding;
};

struct raw_child {
    char name[IKE_PROFILE_NAME];
    const yaml_node_t *local, *remote, *protocol, *local_ports, *remote_ports;
    enum tunnel_start start;
    bool moves;
};

struct raw_ppk {
    const yaml_node_t *id, *file;
    bool required;
};

static const struct yaml_choice versions[] = {
    {"1", IKE_VERSION_1}, {"2", IKE_VERSION_2}, {"any", IKE_ANY_VERSION}, {NULL, 0}};
static const struct yaml_choice protections[] = {{"esp", 0}, {"ah", 1}, {NULL, 0}};
static const struct yaml_choice paddings[] = {{"auto", IKE_PADDING_AUTO},
                                              {"pss", IKE_PADDING_PSS},
                                              {"pkcs1", IKE_PADDING_PKCS1},
                                              {NULL, 0}};
static const struct yaml_choice tcps[] = {
    {"never", IKE_TCP_NEVER}, {"auto", IKE_TCP_AUTO}, {"always", IKE_TCP_ALWAYS}, {NULL, 0}};
static const struct yaml_choice modes[] = {{"main", 0}, {"aggressive", 1}, {NULL, 0}};
static const struct yaml_choice starts[] = {{"never", TUNNEL_RESPOND},
                                            {"on-traffic", TUNNEL_ON_TRAFFIC},
                                            {"at-once", TUNNEL_AT_ONCE},
                                            {NULL, 0}};

static bool read_local(struct yaml_reader *r, const yaml_node_t *node,
                       const struct yaml_field *field, void *base)
{
    struct raw_connection *raw = base;
    (void)field;
    raw->has_local = true;
    return yaml_reader_fields(r, node, config_local_fields, &raw->local);
}

static bool read_remote(struct yaml_reader *r, const yaml_node_t *node,
                        const struct yaml_field *field, void *base)
{
    struct raw_connection *raw = base;
    (void)field;
    raw->has_remote = true;
    return yaml_reader_fields(r, node, config_remote_fields, &raw->remote);
}

enum { MANAGEMENT_NONE, MANAGEMENT_MOBIKE, MANAGEMENT_AUTO, MANAGEMENT_DRAFT, MANAGEMENT_OFF };
static const struct yaml_choice managements[] = {{"mobike", MANAGEMENT_MOBIKE},
                                                 {"auto", MANAGEMENT_AUTO},
                                                 {"draft", MANAGEMENT_DRAFT},
                                                 {"off", MANAGEMENT_OFF},
                                                 {NULL, 0}};

#define RAW(member) offsetof(struct raw_connection, member)
static const struct yaml_field lifetime_fields[] = {
    {"ike", yaml_read_number, 0, .least = 60, .most = SECONDS_MAX},
    {"child", yaml_read_number, sizeof(uint32_t), .least = 60, .most = SECONDS_MAX},
    {NULL, NULL},
};

static const struct yaml_field connection_fields[] = {
    {"name", yaml_read_text, RAW(name), .room = IKE_PROFILE_NAME,
     .remedy = "give the connection a name, as in 'name: branch'"},
    {"version", yaml_read_choice, RAW(version), .choices = versions},
    {"mode", yaml_read_choice, RAW(aggressive), .choices = modes},
    {"local", read_local, 0, .remedy = "say who we are, as in 'local: {auth: psk}'"},
    {"remote", read_remote, 0,
     .remedy = "say who the peer is, as in 'remote: {address: 192.0.2.1, auth: psk}'"},
    {"secret-file", config_keep_node, RAW(secret)},
    {"children", config_keep_node, RAW(children),
     .remedy = "say what the tunnel carries, as in 'children: [{local: 10.1.0.0/16, remote: "
               "10.2.0.0/16}]'"},
    {"protect-with", yaml_read_choice, RAW(ah), .choices = protections},
    {"pool", config_keep_node, RAW(pool)},
    {"virtual-address", yaml_read_bool, RAW(virtual_address)},
    {"lifetimes", yaml_read_map, RAW(lifetimes), .fields = lifetime_fields},
    {"dpd", yaml_read_number, RAW(dpd_s), .least = 1, .most = 3600},
    {"pfs", config_keep_node, RAW(pfs)},
    {"fragmentation", yaml_read_bool, RAW(fragmentation)},
    {"mobike", yaml_read_bool, RAW(mobike)},
    {"address-management", yaml_read_choice, RAW(management), .choices = managements},
    {"check-address-id", yaml_read_bool, RAW(check_address_id)},
    {"update-policy", yaml_read_bool, RAW(update_policy)},
    {"tcp", yaml_read_choice, RAW(tcp), .choices = tcps},
    {"childless", yaml_read_bool, RAW(childless)},
    {"resumption", yaml_read_bool, RAW(resumption)},
    {"rsa-padding", yaml_read_choice, RAW(padding), .choices = paddings},
    {"ppk", config_keep_node, RAW(ppk)},
    {"additional-key-exchanges", config_keep_node, RAW(additional)},
    {NULL, NULL},
};

#define CHILD(member) offsetof(struct raw_child, member)
static const struct yaml_field child_fields[] = {
    {"name", yaml_read_text, CHILD(name), .room = IKE_PROFILE_NAME},
    {"local", config_keep_node, CHILD(local)},
    {"remote", config_keep_node, CHILD(remote)},
    {"protocol", config_keep_node, CHILD(protocol)},
    {"local-ports", config_keep_node, CHILD(local_ports)},
    {"remote-ports", config_keep_node, CHILD(remote_ports)},
    {"start", yaml_read_choice, CHILD(start), .choices = starts},
    {"moves", yaml_read_bool, CHILD(moves)},
    {NULL, NULL},
};

static const struct yaml_field ppk_fields[] = {
    {"id", config_keep_node, offsetof(struct raw_ppk, id),
     .remedy = "name it as the peer does, as in 'id: branch'"},
    {"file", config_keep_node, offsetof(struct raw_ppk, file),
     .remedy = "name the file that holds it, as in 'file: /etc/cygnet/ppk'"},
    {"required", yaml_read_bool, offsetof(struct raw_ppk, required)},
    {NULL, NULL},
};

/* Children */

struct nets {
    struct ip_prefix list[SIDE_NETS];
    const yaml_node_t *nodes[SIDE_NETS];
    size_t count;
};

static bool read_net(struct yaml_reader *r, const yaml_node_t *node, struct nets *ret)
{
    const char *text = yaml_reader_scalar(node);
    if (ret->count == SIDE_NETS)
        return yaml_reader_fail(r, node, "more than %d nets; use a second child", SIDE_NETS);
    if (text == NULL || !ip_prefix_parse(text, &ret->list[ret->count]))
        return yaml_reader_fail(r, node,
                                "'%.60s' is not a net; write 10.1.0.0/16 or 2001:db8::/32, with all "
                                "bits behind the length zero",
                                text != NULL ? text : "a map");
    ret->nodes[ret->count++] = node;
    return true;
}

static bool read_nets(struct yaml_reader *r, const yaml_node_t *node, struct nets *ret)
{
    if (node->type != YAML_SEQUENCE_NODE)
        return read_net(r, node, ret);
    for (const yaml_node_item_t *item = node->data.sequence.items.start;
         item < node->data.sequence.items.top; item++)
        if (!read_net(r, yaml_document_get_node(r->document, *item), ret))
            return false;
    return ret->count != 0 || yaml_reader_fail(r, node, "an empty list; name a net");
}

static void add_net(struct nets *nets, const struct ip_prefix *net, const yaml_node_t *node)
{
    nets->list[nets->count] = *net;
    nets->nodes[nets->count++] = node;
}

/* An end that is not given is the address itself; with a pool or a virtual address it is that. */
static bool default_nets(struct yaml_reader *r, const yaml_node_t *node, const char *key,
                         const struct ip_prefix *address, const struct nets *other,
                         bool is_virtual, struct nets *ret)
{
    static const struct ip_addr any[] = {{.family = IP_V4}, {.family = IP_V6}};
    if (is_virtual) {
        struct ip_prefix all = ip_prefix_of(
            &any[other->count != 0 && other->list[0].addr.family == IP_V6], 0);
        add_net(ret, &all, node);
        return true;
    }
    if (address->addr.family == IP_NONE || address->bits != ip_addr_bits(&address->addr))
        return yaml_reader_fail(r, node, "'%s' is missing; say which net is on that side", key);
    add_net(ret, address, node);
    return true;
}

static bool parse_number(const char *text, unsigned long most, const char **ret_end,
                         unsigned long *ret)
{
    char *end;
    if (text[0] < '0' || text[0] > '9')
        return false;
    *ret = strtoul(text, &end, 10);
    *ret_end = end;
    return *ret <= most;
}

static bool read_protocol(struct yaml_reader *r, const yaml_node_t *node, uint8_t *ret)
{
    static const struct {
        const char *name;
        uint8_t number;
    } names[] = {{"any", 0},           {"icmp", IP_PROTO_ICMP},     {"tcp", IP_PROTO_TCP},
                 {"udp", IP_PROTO_UDP}, {"icmpv6", IP_PROTO_ICMPV6}};
    const char *text = node != NULL ? yaml_reader_scalar(node) : "any", *end;
    unsigned long number;

    for (size_t i = 0; text != NULL && i < sizeof(names) / sizeof(names[0]); i++) {
        if (strcmp(text, names[i].name) == 0) {
            *ret = names[i].number;
            return true;
        }
    }
    if (text == NULL || !parse_number(text, UINT8_MAX, &end, &number) || *end != '\0')
        return yaml_reader_fail(r, node, "'%.20s' is not a protocol; write tcp, udp, icmp, icmpv6, "
                                         "any or a number up to 255",
                                text != NULL ? text : "a list");
    *ret = (uint8_t)number;
    return true;
}

/* "80" or "1024-65535" */
static bool read_ports(struct yaml_reader *r, const yaml_node_t *node, uint8_t protocol,
                       struct port_range *ret)
{
    const char *text = node != NULL ? yaml_reader_scalar(node) : NULL, *end = "";
    unsigned long first, last;

    *ret = (struct port_range){0, PORT_LAST};
    if (node == NULL)
        return true;
    if (protocol == 0)
        return yaml_reader_fail(r, node, "ports need a protocol; add 'protocol: tcp'");
    bool ok = text != NULL && parse_number(text, PORT_LAST, &end, &first);
    last = ok ? first : 0;
    if (ok && *end == '-')
        ok = parse_number(end + 1, PORT_LAST, &end, &last);
    if (!ok || *end != '\0' || last < first)
        return yaml_reader_fail(r, node, "'%.20s' are not ports; write 80 or 1024-65535",
                                text != NULL ? text : "a list");
    *ret = (struct port_range){(uint16_t)first, (uint16_t)last};
    return true;
}

static bool add_selector(struct yaml_reader *r, const yaml_node_t *node,
                         struct cygnet_config *config, struct config_connection *c,
                         const struct tunnel_selector *selector)
{
    for (size_t i = c->first_selector; i < config->selector_count; i++)
        if (traffic_pair_equal(&config->selectors[i].traffic, &selector->traffic))
            return yaml_reader_fail(r, node, "the same traffic is in child '%s'; keep it in one",
                                    config->selectors[i].name);
    if (config->selector_count == CONFIG_SELECTORS)
        return yaml_reader_fail(r, node, "more than %d pairs of nets; write wider ones",
                                CONFIG_SELECTORS);
    config->selectors[config->selector_count++] = *selector;
    c->selector_count++;
    return true;
}

static bool add_child(struct yaml_reader *r, const yaml_node_t *node, struct cygnet_config *config,
                      struct config_connection *c, const struct raw_child *raw)
{
    struct nets local = {.count = 0}, remote = {.count = 0};
    struct tunnel_selector s = {.start = raw->start, .stays = !raw->moves};
    struct port_range local_ports, remote_ports;
    uint8_t protocol = 0;
    bool any = false;

    memcpy(s.name, raw->name, sizeof(s.name));
    if (!read_protocol(r, raw->protocol, &protocol) ||
        !read_ports(r, raw->local_ports, protocol, &local_ports) ||
        !read_ports(r, raw->remote_ports, protocol, &remote_ports) ||
        (raw->local != NULL && !read_nets(r, raw->local, &local)) ||
        (raw->remote != NULL && !read_nets(r, raw->remote, &remote)))
        return false;
    if (raw->remote == NULL && c->pool.addr.family != IP_NONE)
        add_net(&remote, &c->pool, node);
    else if (raw->remote == NULL &&
             !default_nets(r, node, "remote", &c->remote.address, &local, false, &remote))
        return false;
    if (raw->local == NULL &&
        !default_nets(r, node, "local", &c->local.address, &remote, c->want_address, &local))
        return false;
    for (size_t i = 0; i < local.count; i++) {
        for (size_t j = 0; j < remote.count; j++) {
            s.traffic.local = (struct traffic){local.list[i], protocol, local_ports.first,
                                               local_ports.last};
            s.traffic.remote = (struct traffic){remote.list[j], protocol, remote_ports.first,
                                                remote_ports.last};
            if (!traffic_pair_valid(&s.traffic))
                continue;
            any = true;
            if (!add_selector(r, remote.nodes[j], config, c, &s))
                return false;
        }
    }
    return any || yaml_reader_fail(r, node, "local and remote are of different IP versions; use one");
}

static bool read_children(struct yaml_reader *r, const yaml_node_t *node,
                          struct cygnet_config *config, struct config_connection *c)
{
    if (node->type != YAML_SEQUENCE_NODE)
        return yaml_reader_fail(r, node, "'children' is a list; begin each entry with '- local:'");
    c->first_selector = (uint32_t)config->selector_count;
    for (const yaml_node_item_t *item = node->data.sequence.items.start;
         item < node->data.sequence.items.top; item++) {
        const yaml_node_t *entry = yaml_document_get_node(r->document, *item);
        struct raw_child raw = {.start = TUNNEL_ON_TRAFFIC, .moves = true};
        if (entry->type != YAML_MAPPING_NODE)
            return yaml_reader_fail(r, entry, "a child has keys; write '- local: 10.1.0.0/16'");
        if (!yaml_reader_fields(r, entry, child_fields, &raw))
            return false;
        if (raw.name[0] == '\0')
            memcpy(raw.name, c->name, sizeof(raw.name));
        if (!add_child(r, entry, config, c, &raw))
            return false;
    }
    return c->selector_count != 0 || yaml_reader_fail(r, node, "no child; name one");
}

/* Connections */

static bool read_pfs(struct yaml_reader *r, const yaml_node_t *node, uint32_t *ret)
{
    const char *text = node != NULL ? yaml_reader_scalar(node) : NULL, *end;
    unsigned long group;

    if (node == NULL)
        return true;
    if (text != NULL && strcmp(text, "none") == 0) {
        *ret = IKE_NO_PFS;
        return true;
    }
    if (text == NULL || !parse_number(text, 37, &end, &group) || *end != '\0' || group == 0)
        return yaml_reader_fail(r, node, "'%.20s' is not a group; write none or a group's number, "
                                         "as 14, 19 or 31",
                                text != NULL ? text : "a list");
    *ret = (uint32_t)group;
    return true;
}

/* By the names of `cygnet status`. */
static uint16_t method_named(const char *name)
{
    for (uint16_t method = 1; method < 64; method++) {
        const char *known = kex_method_name(method);
        if (known != NULL && strcmp(known, name) == 0)
            return method;
    }
    return 0;
}

static bool read_method(struct yaml_reader *r, const yaml_node_t *node, uint16_t *ret)
{
    const char *name = yaml_reader_scalar(node);
    uint16_t method = name != NULL ? method_named(name) : 0;
    if (method == 0)
        return yaml_reader_fail(r, node, "'%.20s' is no key exchange; write one as ml-kem-768, "
                                         "curve25519 or ecp256",
                                name != NULL ? name : "a list");
    if (!kex_method_known(method))
        return yaml_reader_fail(r, node, "the cryptographic library of this machine has no '%s'; "
                                         "leave it out",
                                name);
    *ret = method;
    return true;
}

/* RFC 9370 */
static bool read_additional(struct yaml_reader *r, const yaml_node_t *node,
                            struct config_connection *c)
{
    const size_t room = sizeof(c->additional) / sizeof(c->additional[0]);
    size_t count = 0;
    if (node == NULL)
        return true;
    if (node->type != YAML_SEQUENCE_NODE)
        return yaml_reader_fail(r, node, "'additional-key-exchanges' is a list, as in [ml-kem-768]");
    for (const yaml_node_item_t *item = node->data.sequence.items.start;
         item < node->data.sequence.items.top; item++) {
        if (count == room)
            return yaml_reader_fail(r, node, "more than %zu additional key exchanges", room);
        if (!read_method(r, yaml_document_get_node(r->document, *item), &c->additional[count++]))
            return false;
    }
    return true;
}

static bool read_ppk(struct yaml_reader *r, const yaml_node_t *node, struct cygnet_config *config,
                     struct config_connection *c)
{
    struct raw_ppk raw = {.required = true};
    if (node == NULL)
        return true;
    if (!yaml_reader_fields(r, node, ppk_fields, &raw))
        return false;
    c->ppk_required = raw.required;
    return config_keep_text(r, raw.id, config, &c->ppk_id) &&
           config_keep_path(r, raw.file, "file", config, &c->ppk);
}

static bool read_pool(struct yaml_reader *r, const yaml_node_t *node, struct ip_prefix *ret)
{
    const char *text = node != NULL ? yaml_reader_scalar(node) : NULL;
    if (node == NULL)
        return true;
    if (text == NULL || !ip_prefix_parse(text, ret) || ip_addr_bits(&ret->addr) - ret->bits < 2 ||
        ip_addr_bits(&ret->addr) - ret->bits > 16)
        return yaml_reader_fail(r, node, "'%.60s' is not a pool; write a net of 4 to 65536 "
                                         "addresses, as 10.99.0.0/24",
                                text != NULL ? text : "a list");
    return true;
}

static bool check_connection(struct yaml_reader *r, const yaml_node_t *node,
                             const struct cygnet_config *config, const struct config_connection *c,
                             const struct raw_connection *raw)
{
    bool psk = c->local.auth == IKE_BY_PSK || c->remote.auth == IKE_BY_PSK;
    bool open = c->remote.address.addr.family == IP_NONE ||
                c->remote.address.bits != ip_addr_bits(&c->remote.address.addr);

    for (size_t i = 0; i < config->connection_count; i++)
        if (strcmp(config->connections[i].name, c->name) == 0)
            return yaml_reader_fail(r, node, "there are two connections '%s'; rename one", c->name);
    if (psk && raw->secret == NULL)
        return yaml_reader_fail(r, node, "'auth: psk' needs 'secret-file'; name the file that holds "
                                         "the secret");
    if (!psk && raw->secret != NULL)
        return yaml_reader_fail(r, raw->secret, "'secret-file' goes with 'auth: psk'; remove it");
    if (c->version != IKE_VERSION_2 && c->version != IKE_ANY_VERSION &&
        c->local.auth != c->remote.auth)
        return yaml_reader_fail(r, node, "in version 1 both sides prove themselves the same way; "
                                         "use one 'auth'");
    if (c->aggressive && c->version != IKE_VERSION_1)
        return yaml_reader_fail(r, node, "aggressive mode is of version 1; add 'version: 1'");
    if (c->ppk != 0 && c->version == IKE_VERSION_1)
        return yaml_reader_fail(r, node, "'ppk' is of version 2; remove it or 'version: 1'");
    if (c->resumption && c->version == IKE_VERSION_1)
        return yaml_reader_fail(r, node, "'resumption' is of version 2; remove it or 'version: 1'");
    if (c->tcp != IKE_TCP_NEVER && c->version == IKE_VERSION_1)
        return yaml_reader_fail(r, node, "'tcp' is of version 2; remove it or 'version: 1'");
    if (c->tcp != IKE_TCP_NEVER && c->ah)
        return yaml_reader_fail(r, node, "AH doesn't go through TCP; remove 'tcp' or 'protect-with: ah'");
    if (c->tcp == IKE_TCP_NEVER && c->remote.tcp_port != 0)
        return yaml_reader_fail(r, node, "'tcp-port' of a peer goes with 'tcp'; add 'tcp: auto'");
    if (c->remote.port != 0 && open)
        return yaml_reader_fail(r, node, "'port' is where we begin; give 'remote' an address");
    if (c->want_address && open)
        return yaml_reader_fail(r, node, "'virtual-address' asks one peer; give 'remote' an "
                                         "address");
    if (c->want_address && c->pool.addr.family != IP_NONE)
        return yaml_reader_fail(r, node, "'pool' lends addresses, 'virtual-address' asks for one; "
                                         "keep one of them");
    if (raw->management != MANAGEMENT_NONE && !raw->mobike)
        return yaml_reader_fail(r, node, "'address-management' says all that 'mobike' does; remove 'mobike'");
    if (raw->management != MANAGEMENT_NONE && c->version == IKE_VERSION_1)
        return yaml_reader_fail(r, node, "'address-management' is of version 2; remove it or 'version: 1'");
    return true;
}

static bool read_connection(struct yaml_reader *r, const yaml_node_t *node,
                            struct cygnet_config *config)
{
    struct raw_connection raw = {
        .fragmentation = true, .mobike = true, .check_address_id = true, .update_policy = true};
    struct config_connection *c = &config->connections[config->connection_count];

    if (node->type != YAML_MAPPING_NODE)
        return yaml_reader_fail(r, node, "a connection has keys; write '- name: branch'");
    if (config->connection_count == CONFIG_CONNECTIONS)
        return yaml_reader_fail(r, node, "more than %d connections", CONFIG_CONNECTIONS);
    if (!yaml_reader_fields(r, node, connection_fields, &raw))
        return false;
    memset(c, 0, sizeof(*c));
    memcpy(c->name, raw.name, sizeof(c->name));
    c->version = raw.version;
    c->aggressive = raw.aggressive != 0;
    c->ah = raw.ah != 0;
    c->want_address = raw.virtual_address;
    c->fragmentation_off = !raw.fragmentation;
    c->mobike_off = !raw.mobike || raw.management == MANAGEMENT_DRAFT || raw.management == MANAGEMENT_OFF;
    c->addrmgmt = raw.management == MANAGEMENT_DRAFT || raw.management == MANAGEMENT_AUTO;
    c->any_address_id = !raw.check_address_id;
    c->policy_stays = !raw.update_policy;
    c->tcp = raw.tcp;
    c->childless = raw.childless;
    c->resumption = raw.resumption;
    c->rsa_padding = raw.padding;
    c->ike_lifetime_s = raw.lifetimes.ike_s;
    c->child_lifetime_s = raw.lifetimes.child_s;
    c->dpd_s = raw.dpd_s;
    if (!config_end_make(r, node, config, &raw.local, true, &c->local) ||
        !config_end_make(r, node, config, &raw.remote, false, &c->remote) ||
        !read_pool(r, raw.pool, &c->pool) || !check_connection(r, node, config, c, &raw) ||
        !read_pfs(r, raw.pfs, &c->pfs_group) || !read_ppk(r, raw.ppk, config, c) ||
        !read_additional(r, raw.additional, c))
        return false;
    if (raw.secret != NULL &&
        !config_keep_path(r, raw.secret, "secret-file", config, &c->secret))
        return false;
    if (!read_children(r, raw.children, config, c))
        return false;
    config->connection_count++;
    return true;
}

/* A number for each private key is what the keeper has room for. */
static bool check_keys(struct yaml_reader *r, const yaml_node_t *node,
                       const struct cygnet_config *config)
{
    return config_private_key(config, CONFIG_PRIVATE_KEYS + 1) == NULL ||
           yaml_reader_fail(r, node, "more than %d private keys; share some", CONFIG_PRIVATE_KEYS);
}

bool config_read_connections(struct yaml_reader *r, const yaml_node_t *node,
                             const struct yaml_field *field, void *base)
{
    struct cygnet_config *config = base;

    if (node->type != YAML_SEQUENCE_NODE)
        return yaml_reader_fail(r, node, "'%s' is a list; begin each entry with '- name:'",
                                field->name);
    for (const yaml_node_item_t *item = node->data.sequence.items.start;
         item < node->data.sequence.items.top; item++)
        if (!read_connection(r, yaml_document_get_node(r->document, *item), config))
            return false;
    return check_keys(r, node, config);
}

static const yaml_node_t *list_of(struct yaml_reader *r, const yaml_node_t *root, const char *key)
{
    for (const yaml_node_pair_t *pair = root->data.mapping.pairs.start;
         pair < root->data.mapping.pairs.top; pair++) {
        const char *text = yaml_reader_scalar(yaml_document_get_node(r->document, pair->key));
        if (text != NULL && strcmp(text, key) == 0)
            return yaml_document_get_node(r->document, pair->value);
    }
    return NULL;
}

/* RSIP-003, RSIP-004, RSIP-014: the address stands for several hosts. */
bool config_check_leased(struct yaml_reader *r, const yaml_node_t *root,
                         const struct cygnet_config *config)
{
    const yaml_node_t *list = list_of(r, root, "connections");

    for (size_t i = 0; list != NULL && i < config->connection_count; i++) {
        const struct config_connection *c = &config->connections[i];
        const yaml_node_t *node =
            yaml_document_get_node(r->document, list->data.sequence.items.start[i]);
        if (c->local.id.kind == IDENTITY_NONE || c->local.id.kind == IDENTITY_ADDR)
            return yaml_reader_fail(r, node, "a leased address may be that of several hosts, so it "
                                             "names none; add an 'id' to 'local', as in \"@x1.test\"");
        if (c->local.auth == IKE_BY_PSK && c->version == IKE_VERSION_1 && !c->aggressive)
            return yaml_reader_fail(r, node, "in version 1's main mode the peer chooses the secret by "
                                             "the address, which is shared; use 'version: 2' or keys");
    }
    return true;
}

/* Numbers of private keys */

static const char *own_key(const struct cygnet_config *config, size_t i)
{
    const struct config_files *keys = &config->connections[i].local.keys;
    return keys->count != 0 ? config_text(config, keys->at[0]) : NULL;
}

static bool is_first(const struct cygnet_config *config, size_t at)
{
    for (size_t i = 0; i < at; i++) {
        const char *other = own_key(config, i);
        if (other != NULL && strcmp(other, own_key(config, at)) == 0)
            return false;
    }
    return strcmp(own_key(config, at), config->key) != 0;
}

const char *config_private_key(const struct cygnet_config *config, size_t number)
{
    for (size_t i = 0; i < config->connection_count; i++)
        if (own_key(config, i) != NULL && is_first(config, i) && --number == 0)
            return own_key(config, i);
    return NULL;
}

uint32_t config_key_number(const struct cygnet_config *config,
                           const struct config_connection *connection)
{
    const char *own = own_key(config, (size_t)(connection - config->connections)), *path;
    if (own == NULL)
        return 0;
    for (uint32_t number = 1; (path = config_private_key(config, number)) != NULL; number++)
        if (strcmp(path, own) == 0)
            return number;
    return 0;
}
