#include "oe/internal.h"

static const char *const kind_names[OE_CLASS_KIND_COUNT] = {
    [OE_DENY] = "deny",
    [OE_ALWAYS_CLEAR] = "always-clear-text",
    [OE_PERMISSIVE] = "OE-permissive",
    [OE_PARANOID] = "OE-paranoid",
    [OE_RESPOND_ONLY] = "OE-respond-only",
    [OE_DNSSEC_FAIL] = "OE-dnssec-fail",
};

const char *oe_class_kind_name(enum oe_class_kind kind)
{
    return (unsigned)kind < OE_CLASS_KIND_COUNT ? kind_names[kind] : "unknown";
}

bool oe_class_kind_parse(const char *name, enum oe_class_kind *ret)
{
    for (int i = 0; i < OE_CLASS_KIND_COUNT; i++)
        if (strcmp(name, kind_names[i]) == 0) {
            *ret = (enum oe_class_kind)i;
            return true;
        }
    return false;
}

static bool prefix_is_any(const struct ip_prefix *prefix)
{
    return prefix->addr.family == IP_NONE;
}

static bool prefix_covers(const struct ip_prefix *prefix, const struct ip_addr *addr)
{
    return prefix_is_any(prefix) || ip_prefix_contains(prefix, addr);
}

/* "Any" is shorter than any prefix of a family, 0 bits included. */
static int prefix_length(const struct ip_prefix *prefix)
{
    return prefix_is_any(prefix) ? -1 : prefix->bits;
}

static bool more_specific(const struct oe_class *a, const struct oe_class *b)
{
    if (prefix_length(&a->destination) != prefix_length(&b->destination))
        return prefix_length(&a->destination) > prefix_length(&b->destination);
    return prefix_length(&a->source) > prefix_length(&b->source);
}

/*
 * OE-005, OE-035, OE-038, OE-053: longest destination, then longest source. The lines are few and
 * are looked at once for each new flow, so they are simply read through; of two equal ones the
 * first counts.
 */
static const struct oe_class *match(const struct oe_class *classes, size_t count,
                                    const struct ip_pair *flow, bool fail)
{
    const struct oe_class *best = NULL;
    for (size_t i = 0; i < count; i++) {
        const struct oe_class *class = &classes[i];
        if ((class->kind == OE_DNSSEC_FAIL) != fail || !prefix_covers(&class->source, &flow->src) ||
            !prefix_covers(&class->destination, &flow->dst))
            continue;
        if (best == NULL || more_specific(class, best))
            best = class;
    }
    return best;
}

const struct oe_class *classes_match(const struct oe_class *classes, size_t count,
                                     const struct ip_pair *flow)
{
    return match(classes, count, flow, false);
}

/* OE-054 */
const struct oe_class *classes_match_fail(const struct oe_class *classes, size_t count,
                                          const struct ip_pair *flow)
{
    return match(classes, count, flow, true);
}

/* OE-007 */
bool class_takes_anonymous(const struct oe_config *config, const struct oe_class *class)
{
    if (config->require_dnssec || class->accept == OE_ACCEPT_AUTHENTICATED)
        return false;
    return class->accept == OE_ACCEPT_ANONYMOUS || class->kind != OE_PARANOID;
}

bool class_initiates(const struct oe_class *class)
{
    return class->kind == OE_PERMISSIVE || class->kind == OE_PARANOID;
}

bool class_takes_tunnels(const struct oe_class *class)
{
    return class_initiates(class) || class->kind == OE_RESPOND_ONLY;
}

bool class_fails_clear(const struct oe_config *config, const struct oe_class *class,
                       const struct ip_pair *flow)
{
    const struct oe_class *fail = classes_match_fail(config->classes, config->class_count, flow);
    return fail != NULL && fail->fail_clear && class->kind != OE_PARANOID;
}

static bool prefix_equal(const struct ip_prefix *a, const struct ip_prefix *b)
{
    return ip_addr_equal(&a->addr, &b->addr) && prefix_length(a) == prefix_length(b);
}

size_t oe_classes_duplicate(const struct oe_class *classes, size_t count)
{
    for (size_t i = 1; i < count; i++)
        for (size_t j = 0; j < i; j++)
            if ((classes[i].kind == OE_DNSSEC_FAIL) == (classes[j].kind == OE_DNSSEC_FAIL) &&
                prefix_equal(&classes[i].source, &classes[j].source) &&
                prefix_equal(&classes[i].destination, &classes[j].destination))
                return i;
    return count;
}
