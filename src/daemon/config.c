#include "daemon/config.h"

#include <stdio.h>
#include <stdlib.h>

#include "daemon/config_connections.h"
#include "daemon/config_policy.h"
#include "daemon/policy_file.h"
#include "daemon/yaml_reader.h"

#define MEMBER_ROOM(type, member) sizeof(((type *)0)->member)

enum { DNS_PORT = 53, SECONDS_MAX = 7 * 24 * 3600 };

/* An interface's name as the kernel takes it, and as it can stand in quotes. */
static bool is_interface(const char *text)
{
    return strpbrk(text, "/ \t\r\n:\"\\") == NULL && strcmp(text, ".") != 0 &&
           strcmp(text, "..") != 0;
}

static bool read_interface(struct yaml_reader *r, const yaml_node_t *node, struct outside *outside)
{
    const char *text = yaml_reader_scalar(node);

    if (text == NULL || text[0] == '\0')
        return yaml_reader_fail(r, node,
                                "'outside' needs an interface; write 'outside: eth0' or a list of "
                                "names");
    if (strlen(text) >= OUTSIDE_NAME_MAX)
        return yaml_reader_fail(r, node, "'%.40s' is too long for an interface; use at most %d "
                                "characters", text, OUTSIDE_NAME_MAX - 1);
    if (!is_interface(text))
        return yaml_reader_fail(r, node, "'%.40s' can't be an interface; see 'ip link' for names",
                                text);
    if (outside_names(outside, text))
        return yaml_reader_fail(r, node, "'%s' is there twice; name it once, where it is preferred",
                                text);
    if (outside->count == OUTSIDE_MAX)
        return yaml_reader_fail(r, node, "more than %d outside interfaces; leave some out",
                                OUTSIDE_MAX);
    snprintf(outside->names[outside->count++], OUTSIDE_NAME_MAX, "%s", text);
    return true;
}

/* One, or a list in order of preference. */
static bool read_outside(struct yaml_reader *r, const yaml_node_t *node,
                         const struct yaml_field *field, void *base)
{
    struct outside *outside = &((struct cygnet_config *)base)->outside;

    (void)field;
    if (node->type != YAML_SEQUENCE_NODE)
        return read_interface(r, node, outside);
    for (const yaml_node_item_t *item = node->data.sequence.items.start;
         item < node->data.sequence.items.top; item++)
        if (!read_interface(r, yaml_document_get_node(r->document, *item), outside))
            return false;
    return outside->count != 0 ||
           yaml_reader_fail(r, node, "'outside' names no interface; write at least one");
}

static bool parse_port(const char *text, uint16_t *ret)
{
    char *end = NULL;
    unsigned long value = text[0] >= '0' && text[0] <= '9' ? strtoul(text, &end, 10) : 0;
    if (end == NULL || *end != '\0' || value == 0 || value > UINT16_MAX)
        return false;
    *ret = (uint16_t)value;
    return true;
}

/* "192.0.2.53", "192.0.2.53:5353", "2001:db8::53", "[2001:db8::53]:5353" */
static bool parse_endpoint(const char *text, struct ip_endpoint *ret)
{
    char host[IP_ENDPOINT_TEXT_MAX];
    struct ip_endpoint ep = {.port = DNS_PORT};
    size_t len = strlen(text);

    if (len >= sizeof(host))
        return false;
    memcpy(host, text, len + 1);
    if (ip_addr_parse(host, &ep.addr)) {
        *ret = ep;
        return true;
    }
    char *start = host, *colon = strrchr(host, ':');
    if (colon == NULL || !parse_port(colon + 1, &ep.port))
        return false;
    *colon = '\0';
    bool bracketed = host[0] == '[';
    if (bracketed) {
        if (colon[-1] != ']')
            return false;
        colon[-1] = '\0';
        start = host + 1;
    }
    if (!ip_addr_parse(start, &ep.addr) || bracketed != (ep.addr.family == IP_V6))
        return false;
    *ret = ep;
    return true;
}

static bool read_forwarder(struct yaml_reader *r, const yaml_node_t *node, struct config_dns *dns)
{
    const char *text = yaml_reader_scalar(node);

    if (text == NULL || !parse_endpoint(text, &dns->forwarders[dns->forwarder_count]))
        return yaml_reader_fail(r, node,
                                "'%.60s' is not a DNS server's address; write 192.0.2.53, "
                                "192.0.2.53:5353 or [2001:db8::53]:5353",
                                text != NULL ? text : "a list");
    dns->forwarder_count++;
    return true;
}

static bool read_forwarders(struct yaml_reader *r, const yaml_node_t *node,
                            const struct yaml_field *field, void *base)
{
    struct config_dns *dns = (struct config_dns *)base;

    if (node->type != YAML_SEQUENCE_NODE)
        return read_forwarder(r, node, dns);
    for (const yaml_node_item_t *item = node->data.sequence.items.start;
         item < node->data.sequence.items.top; item++) {
        const yaml_node_t *entry = yaml_document_get_node(r->document, *item);
        if (dns->forwarder_count == CONFIG_FORWARDERS)
            return yaml_reader_fail(r, entry, "'%s' has more than %d servers; keep the nearest",
                                    field->name, CONFIG_FORWARDERS);
        if (!read_forwarder(r, entry, dns))
            return false;
    }
    return true;
}

static bool read_listener(struct yaml_reader *r, const yaml_node_t *node, struct config_stub *stub)
{
    static const struct ip_addr any[] = {{.family = IP_V4}, {.family = IP_V6}};
    struct ip_endpoint *at = &stub->listen[stub->listen_count];
    const char *text = yaml_reader_scalar(node);

    if (text == NULL || !parse_endpoint(text, at))
        return yaml_reader_fail(r, node,
                                "'%.60s' is not an address to listen on; write 127.0.0.1 or an "
                                "inside address, as in 192.0.2.1 or [2001:db8::1]:53",
                                text != NULL ? text : "a list");
    if (ip_addr_equal(&at->addr, &any[0]) || ip_addr_equal(&at->addr, &any[1]))
        return yaml_reader_fail(r, node,
                                "'%.60s' would answer everybody's questions; name 127.0.0.1 and "
                                "the inside addresses",
                                text);
    stub->listen_count++;
    return true;
}

static bool read_listeners(struct yaml_reader *r, const yaml_node_t *node,
                           const struct yaml_field *field, void *base)
{
    struct config_stub *stub = (struct config_stub *)base;

    if (node->type != YAML_SEQUENCE_NODE)
        return read_listener(r, node, stub);
    for (const yaml_node_item_t *item = node->data.sequence.items.start;
         item < node->data.sequence.items.top; item++) {
        const yaml_node_t *entry = yaml_document_get_node(r->document, *item);
        if (stub->listen_count == CONFIG_STUB_ADDRESSES)
            return yaml_reader_fail(r, entry, "'%s' has more than %d addresses; leave some out",
                                    field->name, CONFIG_STUB_ADDRESSES);
        if (!read_listener(r, entry, stub))
            return false;
    }
    return true;
}

static const struct yaml_field stub_fields[] = {
    {"listen", read_listeners},
    {NULL, NULL},
};

static bool read_trust_anchor(struct yaml_reader *r, const yaml_node_t *node,
                              const struct yaml_field *field, void *base)
{
    ((struct config_dns *)base)->trust_anchor_given = true;
    return yaml_read_path(r, node, field, base);
}

/* `address`, an address, or `@` and a name (OE-124). */
static bool read_identity(struct yaml_reader *r, const yaml_node_t *node,
                          const struct yaml_field *field, void *base)
{
    struct identity *ret = (struct identity *)(void *)((char *)base + field->offset);
    const char *text = yaml_reader_scalar(node);
    struct ip_addr addr;

    if (text != NULL && strcmp(text, "address") == 0) {
        *ret = (struct identity){.kind = IDENTITY_NONE};
        return true;
    }
    if (text != NULL && ip_addr_parse(text, &addr)) {
        *ret = identity_of_addr(&addr);
        return true;
    }
    if (text != NULL && text[0] == '@' && identity_of_fqdn(view_of_text(text + 1), ret))
        return true;
    return yaml_reader_fail(r, node,
                            "'%.60s' is not an identity; write address, an IP address, or "
                            "\"@gw.example.net\" in quotes",
                            text != NULL ? text : "a list");
}

static bool read_policy_files(struct yaml_reader *r, const yaml_node_t *node,
                              const struct yaml_field *field, void *base)
{
    ((struct cygnet_config *)base)->policy_files_given = true;
    return yaml_read_path(r, node, field, base);
}

static const struct yaml_choice return_tunnels[] = {
    {"newest", OE_RETURN_NEWEST},
    {"round-robin", OE_RETURN_ROUND_ROBIN},
    {"last-heard", OE_RETURN_LAST_HEARD},
    {"refuse-second", OE_RETURN_REFUSE},
    {NULL, 0},
};

static const struct yaml_choice classifiers[] = {
    {"auto", CONFIG_CLASSIFIER_AUTO},
    {"ebpf", CONFIG_CLASSIFIER_EBPF},
    {"routing", CONFIG_CLASSIFIER_ROUTING},
    {NULL, 0},
};

static const struct yaml_choice on_stop_choices[] = {
    {"open", CONFIG_STOP_OPEN},
    {"closed", CONFIG_STOP_CLOSED},
    {NULL, 0},
};

static const struct yaml_choice check_choices[] = {
    {"unproved", ADDRESS_CHECK_UNPROVED},
    {"always", ADDRESS_CHECK_ALWAYS},
    {"never", ADDRESS_CHECK_NEVER},
    {NULL, 0},
};

static const struct yaml_choice nat_choices[] = {
    {"auto", IKE_NAT_AUTO},
    {"force", IKE_NAT_FORCE},
    {"off", IKE_NAT_OFF},
    {NULL, 0},
};

#define DNS_FIELD(member) offsetof(struct config_dns, member)
static const struct yaml_field dns_fields[] = {
    {"forwarders", read_forwarders},
    {"trust-anchor", read_trust_anchor, DNS_FIELD(trust_anchor), .room = CONFIG_PATH_MAX},
    {"require-dnssec", yaml_read_bool, DNS_FIELD(require_dnssec)},
    {"unsigned-only-to-self", yaml_read_bool, DNS_FIELD(unsigned_only_to_self)},
    {"ask-ipseckey", yaml_read_bool, DNS_FIELD(ask_ipseckey)},
    {NULL, NULL},
};

#define USER_FIELD(role)                                                                           \
    {#role, yaml_read_text, offsetof(struct config_users, role), .room = CONFIG_USER_MAX}
static const struct yaml_field user_fields[] = {
    USER_FIELD(keyd),
    USER_FIELD(plane),
    USER_FIELD(resolver),
    USER_FIELD(keeper),
    {NULL, NULL},
};

#define LIFESPAN_FIELD(key)                                                                        \
    {#key, yaml_read_number, offsetof(struct config_lifespans, key##_s), .least = 1,               \
     .most = SECONDS_MAX}
static const struct yaml_field lifespan_fields[] = {
    LIFESPAN_FIELD(first),
    LIFESPAN_FIELD(normal),
    LIFESPAN_FIELD(low),
    {NULL, NULL},
};

static const struct yaml_choice puzzles[] = {{"under-pressure", IKE_PUZZLES_BY_PRESSURE},
                                             {"always", IKE_PUZZLES_ALWAYS},
                                             {"never", IKE_PUZZLES_NEVER},
                                             {NULL, 0}};

#define LIMIT_FIELD(key, member, top)                                                              \
    {key, yaml_read_number, offsetof(struct config_limits, member), .least = 1, .most = top}
static const struct yaml_field limit_fields[] = {
    LIMIT_FIELD("half-open", half_open, LIMIT_HALF_OPEN),
    LIMIT_FIELD("instances", instances, LIMIT_INSTANCES),
    LIMIT_FIELD("lookups", lookups, LIMIT_LOOKUPS),
    {"cookies", yaml_read_bool, offsetof(struct config_limits, cookies)},
    {"puzzles", yaml_read_choice, offsetof(struct config_limits, puzzles), .choices = puzzles},
    {"puzzle-bits", yaml_read_number, offsetof(struct config_limits, puzzle_bits), .least = 1,
     .most = 20},
    {NULL, NULL},
};

#define FIELD(member) offsetof(struct cygnet_config, member)
static const struct yaml_field fields[] = {
    {"outside", read_outside, FIELD(outside),
     .remedy = "name the interface that faces the network, as in 'outside: eth0'"},
    {"key", yaml_read_path, FIELD(key), .room = CONFIG_PATH_MAX},
    {"control", yaml_read_path, FIELD(control), .room = CONFIG_CONTROL_MAX},
    {"state", yaml_read_path, FIELD(state), .room = CONFIG_PATH_MAX},
    {"identity", read_identity, FIELD(identity)},
    {"dns", yaml_read_map, FIELD(dns), .fields = dns_fields},
    {"stub", yaml_read_map, FIELD(stub), .fields = stub_fields},
    {"users", yaml_read_map, FIELD(users), .fields = user_fields},
    {"policy", config_read_policy, 0},
    {"connections", config_read_connections, 0},
    {"crash-secret-file", yaml_read_path, FIELD(crash_secret), .room = CONFIG_PATH_MAX},
    {"ticket-secret-file", yaml_read_path, FIELD(ticket_secret), .room = CONFIG_PATH_MAX},
    {"key-export", yaml_read_path, FIELD(key_export), .room = CONFIG_PATH_MAX},
    {"policy-files", read_policy_files, FIELD(policy_files), .room = CONFIG_PATH_MAX},
    {"fallback", yaml_read_choice, FIELD(fallback), .choices = config_fallback_kinds},
    {"return-tunnel", yaml_read_choice, FIELD(return_tunnel), .choices = return_tunnels},
    {"wait", yaml_read_number, FIELD(wait_s), .least = 1, .most = 3600}, /* OE-061 */
    {"lifespans", yaml_read_map, FIELD(lifespans), .fields = lifespan_fields},
    {"limits", yaml_read_map, FIELD(limits), .fields = limit_fields},
    {"legacy-algorithms", yaml_read_bool, FIELD(legacy_algorithms)},
    {"classifier", yaml_read_choice, FIELD(classifier), .choices = classifiers},
    {"nat-traversal", yaml_read_choice, FIELD(nat), .choices = nat_choices},
    {"return-routability", yaml_read_choice, FIELD(address_check), .choices = check_choices},
    {"on-stop", yaml_read_choice, FIELD(on_stop), .choices = on_stop_choices},
    {"leased-spis", yaml_read_bool, FIELD(leased_spis)},
    {"refuse-clear", yaml_read_bool, FIELD(refuse_clear)},
    {"icmp-on-deny", yaml_read_bool, FIELD(icmp_on_deny)},
    {NULL, NULL},
};

static void fill_defaults(struct cygnet_config *config)
{
    *config = (struct cygnet_config){
        .key = "/etc/cygnet/private.pem",
        .control = "/run/cygnet/control.sock",
        .state = "/var/lib/cygnet",
        .policy_files = "/etc/cygnet/policies",
        .dns = {.trust_anchor = "/usr/share/dns/root.key", .unsigned_only_to_self = true,
                .ask_ipseckey = true},
        .users = {.keyd = "_cygnet",
                  .plane = "_cygnet-plane",
                  .resolver = "_cygnet-dns",
                  .keeper = "_cygnet-key"},
        .lifespans = {.first_s = 60, .normal_s = 1200, .low_s = 60},
        .limits = {.half_open = LIMIT_HALF_OPEN,
                   .instances = LIMIT_INSTANCES,
                   .lookups = LIMIT_LOOKUPS},
        .wait_s = 20,
        .fallback = OE_PERMISSIVE,
        /* OE-039 */
        .class_count = 1,
        .classes = {{.kind = OE_PERMISSIVE, .name = "OE-permissive"}},
        .string_octets = 1, /* 0 is no text */
    };
}

static bool parse_document(struct yaml_reader *r, struct view text, struct cygnet_config *config)
{
    yaml_document_t document;

    if (!yaml_reader_load(r, text, &document))
        return false;
    r->document = &document;
    const yaml_node_t *root = yaml_document_get_root_node(&document);
    bool ok = yaml_reader_fields(r, root, fields, config) &&
              (!config->leased_spis || config_check_leased(r, root, config));
    yaml_document_delete(&document);
    return ok;
}

/* Up to the next zero octet, which is passed over. */
static struct view take_part(struct view *rest)
{
    const uint8_t *zero = rest->len != 0 ? memchr(rest->ptr, 0, rest->len) : NULL;
    size_t len = zero != NULL ? (size_t)(zero - rest->ptr) : rest->len;
    struct view part = view_of(rest->ptr, len);
    size_t past = zero != NULL ? len + 1 : len;
    *rest = view_of(rest->ptr + past, rest->len - past);
    return part;
}

static bool parse_parts(struct yaml_reader *r, struct view text, struct cygnet_config *config)
{
    if (!parse_document(r, take_part(&text), config))
        return false;
    while (text.len != 0) {
        char path[CONFIG_PATH_MAX + POLICY_FILE_NAME_MAX];
        struct view name = take_part(&text), lines = take_part(&text);
        size_t len = name.len < sizeof(path) ? name.len : sizeof(path) - 1;
        memcpy(path, name.ptr, len);
        path[len] = '\0';
        if (!policy_file_parse(lines, path, config, r->error))
            return false;
    }
    return true;
}

bool config_parse(struct view text, const char *name, struct cygnet_config *ret, char *ret_error)
{
    struct yaml_reader r = {.name = name, .error = ret_error, .error_room = CONFIG_ERROR_MAX};

    if (text.len > CONFIG_TEXT_MAX) {
        snprintf(ret_error, CONFIG_ERROR_MAX,
                 "%s:1:1: longer than %d octets; is it the right file?", name, CONFIG_TEXT_MAX);
        return false;
    }
    struct cygnet_config *config = malloc(sizeof(*config));
    if (config == NULL) {
        snprintf(ret_error, CONFIG_ERROR_MAX, "%s:1:1: out of memory", name);
        return false;
    }
    fill_defaults(config);
    bool ok = parse_parts(&r, text, config);
    if (ok)
        *ret = *config;
    free(config);
    return ok;
}
