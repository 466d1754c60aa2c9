#include "daemon/config_policy.h"

const struct yaml_choice config_class_kinds[] = {
    {"deny", OE_DENY},
    {"always-clear-text", OE_ALWAYS_CLEAR},
    {"always-clear", OE_ALWAYS_CLEAR},
    {"OE-permissive", OE_PERMISSIVE},
    {"OE-paranoid", OE_PARANOID},
    {"OE-respond-only", OE_RESPOND_ONLY},
    {"OE-dnssec-fail", OE_DNSSEC_FAIL},
    {NULL, 0},
};

const struct yaml_choice config_fallback_kinds[] = {
    {"deny", OE_DENY},
    {"always-clear-text", OE_ALWAYS_CLEAR},
    {"always-clear", OE_ALWAYS_CLEAR},
    {"OE-permissive", OE_PERMISSIVE},
    {"OE-paranoid", OE_PARANOID},
    {"OE-respond-only", OE_RESPOND_ONLY},
    {NULL, 0},
};

/* Zero: not given. */
enum while_keying { WHILE_KEYING_HOLD = 1, WHILE_KEYING_PASS };
enum fail_verdict { FAIL_DENY = 1, FAIL_CLEAR };

static const struct yaml_choice accepts[] = {
    {"authenticated", OE_ACCEPT_AUTHENTICATED},
    {"anonymous", OE_ACCEPT_ANONYMOUS},
    {NULL, 0},
};

static const struct yaml_choice while_keyings[] = {
    {"hold", WHILE_KEYING_HOLD},
    {"pass", WHILE_KEYING_PASS},
    {NULL, 0},
};

static const struct yaml_choice fail_verdicts[] = {
    {"deny", FAIL_DENY},
    {"clear", FAIL_CLEAR},
    {NULL, 0},
};

enum { LINE_PREFIXES = 256 };

struct prefixes {
    const yaml_node_t *nodes[LINE_PREFIXES]; /* where each was written */
    struct ip_prefix list[LINE_PREFIXES];
    size_t count;
};

/* One entry of the list, as written. */
struct policy_line {
    enum oe_class_kind kind;
    char name[sizeof(((struct oe_class *)0)->name)];
    struct prefixes source, destination;
    enum oe_accept accept;
    enum while_keying while_keying;
    enum fail_verdict verdict;
    uint32_t wait_s;
};

static bool read_prefix(struct yaml_reader *r, const yaml_node_t *node, const char *key,
                        struct prefixes *ret)
{
    const char *text = yaml_reader_scalar(node);
    struct ip_prefix prefix = {0};
    struct ip_addr addr;

    if (text == NULL)
        return yaml_reader_fail(r, node, "'%s' takes prefixes; write 192.0.2.0/24 or a list", key);
    if (strcmp(text, "any") != 0 && !ip_prefix_parse(text, &prefix)) {
        char whole[IP_PREFIX_TEXT_MAX];
        const char *slash = strchr(text, '/');
        size_t len = slash != NULL ? (size_t)(slash - text) : strlen(text);
        memcpy(whole, text, len < sizeof(whole) ? len : 0);
        whole[len < sizeof(whole) ? len : 0] = '\0';
        if (slash != NULL && slash[1] != '\0' && ip_addr_parse(whole, &addr))
            return yaml_reader_fail(r, node,
                                    "'%.60s' is not a prefix; its length must fit and all bits "
                                    "behind it must be zero",
                                    text);
        return yaml_reader_fail(r, node,
                                "'%.60s' is not a prefix; write one as 192.0.2.0/24, "
                                "2001:db8::/32 or any",
                                text);
    }
    if (ret->count == LINE_PREFIXES)
        return yaml_reader_fail(r, node, "more than %d prefixes in one list; use a second entry",
                                LINE_PREFIXES);
    ret->nodes[ret->count] = node;
    ret->list[ret->count++] = prefix;
    return true;
}

/* A prefix or a list of them. */
static bool read_prefixes(struct yaml_reader *r, const yaml_node_t *node,
                          const struct yaml_field *field, void *base)
{
    struct prefixes *ret = (struct prefixes *)(void *)((char *)base + field->offset);

    if (node->type != YAML_SEQUENCE_NODE)
        return read_prefix(r, node, field->name, ret);
    if (node->data.sequence.items.start == node->data.sequence.items.top)
        return yaml_reader_fail(r, node, "'%s' is an empty list; remove it or name a prefix",
                                field->name);
    for (const yaml_node_item_t *item = node->data.sequence.items.start;
         item < node->data.sequence.items.top; item++)
        if (!read_prefix(r, yaml_document_get_node(r->document, *item), field->name, ret))
            return false;
    return true;
}

static const struct yaml_field line_fields[] = {
    {"class", yaml_read_choice, offsetof(struct policy_line, kind), .choices = config_class_kinds,
     .remedy = "say what to do, as in 'class: OE-paranoid'"},
    {"source", read_prefixes, offsetof(struct policy_line, source)},
    {"destination", read_prefixes, offsetof(struct policy_line, destination)},
    {"name", yaml_read_text, offsetof(struct policy_line, name),
     .room = sizeof(((struct policy_line *)0)->name)},
    {"accept", yaml_read_choice, offsetof(struct policy_line, accept), .choices = accepts},
    {"while-keying", yaml_read_choice, offsetof(struct policy_line, while_keying),
     .choices = while_keyings},
    {"wait", yaml_read_number, offsetof(struct policy_line, wait_s), .least = 1, .most = 3600},
    {"verdict", yaml_read_choice, offsetof(struct policy_line, verdict), .choices = fail_verdicts},
    {NULL, NULL},
};

static bool prefix_equal(const struct ip_prefix *a, const struct ip_prefix *b)
{
    return a->bits == b->bits && ip_addr_equal(&a->addr, &b->addr);
}

const char *config_prefix_text(const struct ip_prefix *prefix, char *ret)
{
    return prefix->addr.family == IP_NONE ? "any" : ip_prefix_format(prefix, ret);
}

const char *config_kind_text(enum oe_class_kind kind)
{
    const struct yaml_choice *choice = config_class_kinds;
    while (choice->name != NULL && choice->value != (int)kind)
        choice++;
    return choice->name;
}

/* OE-dnssec-fail lines are a policy of their own, beside the others. */
const struct oe_class *config_find_class(const struct cygnet_config *config,
                                         const struct oe_class *class)
{
    for (size_t i = 0; i < config->class_count; i++) {
        const struct oe_class *other = &config->classes[i];
        if ((other->kind == OE_DNSSEC_FAIL) == (class->kind == OE_DNSSEC_FAIL) &&
            prefix_equal(&other->source, &class->source) &&
            prefix_equal(&other->destination, &class->destination))
            return other;
    }
    return NULL;
}

/* OE-005: one prefix belongs to one regime. */
static bool check_unique(struct yaml_reader *r, const yaml_node_t *node,
                         const struct cygnet_config *config, const struct oe_class *class)
{
    char source[IP_PREFIX_TEXT_MAX], destination[IP_PREFIX_TEXT_MAX];
    const struct oe_class *other = config_find_class(config, class);

    return other == NULL ||
           yaml_reader_fail(
               r, node, "source %s, destination %s is already in '%s' (%s); keep it in one entry",
               config_prefix_text(&class->source, source),
               config_prefix_text(&class->destination, destination), other->name,
               config_kind_text(other->kind));
}

static bool add_class(struct yaml_reader *r, const yaml_node_t *node, struct cygnet_config *config,
                      const struct oe_class *class)
{
    if (!check_unique(r, node, config, class))
        return false;
    if (config->class_count == LIMIT_CLASSES)
        return yaml_reader_fail(r, node, "more than %d pairs of prefixes; write wider prefixes",
                                LIMIT_CLASSES);
    config->classes[config->class_count++] = *class;
    return true;
}

static bool families_agree(const struct ip_prefix *a, const struct ip_prefix *b)
{
    return a->addr.family == IP_NONE || b->addr.family == IP_NONE ||
           a->addr.family == b->addr.family;
}

/* Pairs of different IP versions never occur on the wire; a line with no other pair is a mistake.
 */
static bool add_line(struct yaml_reader *r, const yaml_node_t *node, struct cygnet_config *config,
                     const struct policy_line *line)
{
    struct oe_class class = {.kind = line->kind,
                             .accept = line->accept,
                             .pass_while_keying = line->while_keying == WHILE_KEYING_PASS,
                             .fail_clear = line->verdict == FAIL_CLEAR,
                             .wait_s = line->wait_s};
    bool any = false;

    memcpy(class.name, line->name, sizeof(class.name));
    for (size_t i = 0; i < line->source.count; i++) {
        for (size_t j = 0; j < line->destination.count; j++) {
            class.source = line->source.list[i];
            class.destination = line->destination.list[j];
            if (!families_agree(&class.source, &class.destination))
                continue;
            any = true;
            const yaml_node_t *at = line->destination.nodes[j];
            if (!add_class(r, at != NULL ? at : node, config, &class))
                return false;
        }
    }
    return any || yaml_reader_fail(r, node,
                                   "source and destination are of different IP versions; "
                                   "no packet has such a pair, use one version for both");
}

/* Options that the class would not look at are mistakes. */
static bool check_options(struct yaml_reader *r, const yaml_node_t *node,
                          const struct policy_line *line)
{
    bool oe = line->kind == OE_PERMISSIVE || line->kind == OE_PARANOID ||
              line->kind == OE_RESPOND_ONLY;

    if (line->verdict != 0 && line->kind != OE_DNSSEC_FAIL)
        return yaml_reader_fail(r, node, "'verdict' goes with class OE-dnssec-fail only; remove it");
    if (!oe && (line->accept != 0 || line->while_keying != 0 || line->wait_s != 0))
        return yaml_reader_fail(r, node,
                                "'%s' makes no tunnels; 'accept', 'while-keying' and 'wait' go "
                                "with OE-permissive, OE-paranoid and OE-respond-only",
                                config_kind_text(line->kind));
    if (line->kind == OE_PARANOID && line->while_keying == WHILE_KEYING_PASS)
        return yaml_reader_fail(r, node,
                                "OE-paranoid lets nothing pass in clear; remove 'while-keying' or "
                                "take OE-permissive");
    return true;
}

static bool read_line(struct yaml_reader *r, const yaml_node_t *node, struct cygnet_config *config)
{
    struct policy_line line = {0};

    if (node->type != YAML_MAPPING_NODE)
        return yaml_reader_fail(r, node, "a policy entry has keys; write '- class: OE-permissive'");
    if (!yaml_reader_fields(r, node, line_fields, &line) || !check_options(r, node, &line))
        return false;
    if (line.source.count == 0)
        line.source.count = 1;
    if (line.destination.count == 0)
        line.destination.count = 1;
    if (line.name[0] == '\0')
        strncpy(line.name, config_kind_text(line.kind), sizeof(line.name) - 1);
    return add_line(r, node, config, &line);
}

bool config_read_policy(struct yaml_reader *r, const yaml_node_t *node,
                        const struct yaml_field *field, void *base)
{
    struct cygnet_config *config = base;

    if (node->type != YAML_SEQUENCE_NODE)
        return yaml_reader_fail(r, node, "'%s' is a list; begin each entry with '- class:'",
                                field->name);
    config->class_count = 0;
    for (const yaml_node_item_t *item = node->data.sequence.items.start;
         item < node->data.sequence.items.top; item++)
        if (!read_line(r, yaml_document_get_node(r->document, *item), config))
            return false;
    return true;
}
