#include "plane/rules.h"

#include <assert.h>
#include <stdlib.h>

/* No padding: it is hashed as it lies. */
struct group_key {
    struct ip_pair nets;
    uint8_t local_bits, remote_bits;
};
_Static_assert(sizeof(struct group_key) % 4 == 0, "a map's key");

struct group {
    struct map_node node;
    struct group_key key;
    struct list rules;
};

void rules_init(struct rules *rules, const struct rng *rng)
{
    *rules = (struct rules){.rng = *rng};
    list_init(&rules->all);
    map_init(&rules->by_nets, MAP_KEY_OFFSET(struct group, node, key), sizeof(struct group_key),
             rng);
    map_init(&rules->by_ticket, MAP_KEY_OFFSET(struct spd_rule, by_ticket, entry.ticket),
             sizeof(uint64_t), rng);
}

void rules_fini(struct rules *rules)
{
    assert(rules_are_empty(rules));
    map_fini(&rules->by_nets);
    map_fini(&rules->by_ticket);
    free(rules->shapes);
    rules->shapes = NULL;
}

static struct group *find_group(const struct rules *rules, const struct group_key *key)
{
    struct map_node *node = map_find(&rules->by_nets, key);
    return node != NULL ? MAP_OWNER(node, struct group, node) : NULL;
}

static struct group_key key_of(const struct traffic_pair *t)
{
    return (struct group_key){.nets = {.src = t->local.net.addr, .dst = t->remote.net.addr},
                              .local_bits = t->local.net.bits,
                              .remote_bits = t->remote.net.bits};
}

/* Shapes */

static struct rule_shape *find_shape(const struct rules *rules, const struct group_key *key)
{
    for (size_t i = 0; i < rules->shape_count; i++) {
        struct rule_shape *shape = &rules->shapes[i];
        if (shape->family == key->nets.src.family && shape->local_bits == key->local_bits &&
            shape->remote_bits == key->remote_bits)
            return shape;
    }
    return NULL;
}

/* The destination counts first, as in routing. */
static bool shape_before(const struct rule_shape *a, const struct rule_shape *b)
{
    if (a->remote_bits != b->remote_bits)
        return a->remote_bits > b->remote_bits;
    return a->local_bits > b->local_bits;
}

static bool shape_hold(struct rules *rules, const struct group_key *key)
{
    struct rule_shape *shape = find_shape(rules, key);
    if (shape != NULL) {
        shape->groups++;
        return true;
    }
    if (rules->shape_count == rules->shape_room) {
        size_t room = rules->shape_room == 0 ? 8 : 2 * rules->shape_room;
        struct rule_shape *more = realloc(rules->shapes, room * sizeof(*more));
        if (more == NULL)
            return false;
        rules->shapes = more;
        rules->shape_room = room;
    }
    const struct rule_shape fresh = {.family = key->nets.src.family,
                                     .local_bits = key->local_bits,
                                     .remote_bits = key->remote_bits,
                                     .groups = 1};
    size_t at = rules->shape_count++;
    for (; at > 0 && shape_before(&fresh, &rules->shapes[at - 1]); at--)
        rules->shapes[at] = rules->shapes[at - 1];
    rules->shapes[at] = fresh;
    return true;
}

static void shape_release(struct rules *rules, const struct group_key *key)
{
    struct rule_shape *shape = find_shape(rules, key);
    if (--shape->groups != 0)
        return;
    rules->shape_count--;
    for (size_t i = (size_t)(shape - rules->shapes); i < rules->shape_count; i++)
        rules->shapes[i] = rules->shapes[i + 1];
}

/* Groups */

static struct group *hold_group(struct rules *rules, const struct group_key *key)
{
    struct group *group = find_group(rules, key);
    if (group != NULL)
        return group;
    group = calloc(1, sizeof(*group));
    if (group == NULL)
        return NULL;
    group->key = *key;
    list_init(&group->rules);
    if (!shape_hold(rules, key)) {
        free(group);
        return NULL;
    }
    if (!map_insert(&rules->by_nets, &group->node)) {
        shape_release(rules, key);
        free(group);
        return NULL;
    }
    return group;
}

static void release_group(struct rules *rules, struct group *group)
{
    if (!list_is_empty(&group->rules))
        return;
    shape_release(rules, &group->key);
    map_remove(&rules->by_nets, &group->node);
    free(group);
}

/* How many ports (or protocols) a rule leaves open: the fewer, the more it says. */
static uint64_t openness(const struct traffic_pair *t)
{
    if (t->local.protocol == 0)
        return UINT64_MAX;
    return (uint64_t)(t->local.port_last - t->local.port_first + 1) *
           (uint64_t)(t->remote.port_last - t->remote.port_first + 1);
}

static void insert_in_order(struct group *group, struct spd_rule *rule)
{
    struct list *at = group->rules.prev; /* goes behind it */
    while (at != &group->rules &&
           openness(&LIST_OWNER(at, struct spd_rule, in_group)->traffic) >
               openness(&rule->traffic))
        at = at->prev;
    list_push(at, &rule->in_group);
}

struct spd_rule *rules_add(struct rules *rules, struct spd *spd, mono_t now, uint64_t ticket,
                           const struct traffic_pair *traffic)
{
    const struct group_key key = key_of(traffic);
    if (rules->by_ticket.count >= LIMIT_RULES)
        return NULL;
    struct spd_rule *rule = calloc(1, sizeof(*rule));
    struct group *group = rule != NULL ? hold_group(rules, &key) : NULL;
    if (group == NULL) {
        free(rule);
        return NULL;
    }
    if (!spd_entry_init(spd, now, &rule->entry))
        goto fail;
    rule->entry.is_rule = rule->entry.configured = true;
    rule->entry.ticket = ticket;
    rule->traffic = *traffic;
    if (!map_insert(&rules->by_ticket, &rule->by_ticket)) {
        heap_remove(&spd->timers, &rule->entry.timer);
        goto fail;
    }
    insert_in_order(group, rule);
    list_push(&rules->all, &rule->all);
    return rule;
fail:
    release_group(rules, group);
    free(rule);
    return NULL;
}

void rules_remove(struct rules *rules, struct spd *spd, struct spd_rule *rule)
{
    const struct group_key key = key_of(&rule->traffic);
    assert(rule->entry.first == NULL && rule->entry.last == NULL && rule->entry.sa == NULL);
    list_remove(&rule->in_group);
    list_remove(&rule->all);
    map_remove(&rules->by_ticket, &rule->by_ticket);
    heap_remove(&spd->timers, &rule->entry.timer);
    release_group(rules, find_group(rules, &key));
    free(rule);
}

struct spd_rule *rules_find_ticket(const struct rules *rules, uint64_t ticket)
{
    struct map_node *node = map_find(&rules->by_ticket, &ticket);
    return node != NULL ? MAP_OWNER(node, struct spd_rule, by_ticket) : NULL;
}

static const struct group *group_at(const struct rules *rules, const struct rule_shape *shape,
                                    const struct ip_pair *flow)
{
    if (shape->family != flow->src.family || shape->family != flow->dst.family)
        return NULL;
    const struct group_key key = {
        .nets = {.src = ip_prefix_of(&flow->src, shape->local_bits).addr,
                 .dst = ip_prefix_of(&flow->dst, shape->remote_bits).addr},
        .local_bits = shape->local_bits,
        .remote_bits = shape->remote_bits};
    return find_group(rules, &key);
}

static bool port_fits(const struct traffic *t, uint16_t port)
{
    return t->port_first <= port && port <= t->port_last;
}

/* A later fragment has no ports: it goes the way of the first rule of its protocol. */
static bool fits(const struct traffic_pair *t, const struct traffic_key *key)
{
    if (t->local.protocol == 0)
        return true;
    return t->local.protocol == key->protocol &&
           (!key->has_ports ||
            (port_fits(&t->local, key->src_port) && port_fits(&t->remote, key->dst_port)));
}

struct spd_rule *rules_find(const struct rules *rules, const struct traffic_key *key)
{
    for (size_t i = 0; i < rules->shape_count; i++) {
        const struct group *group = group_at(rules, &rules->shapes[i], &key->flow);
        if (group == NULL)
            continue;
        for (const struct list *at = group->rules.next; at != &group->rules; at = at->next) {
            struct spd_rule *rule = LIST_OWNER(at, struct spd_rule, in_group);
            if (fits(&rule->traffic, key))
                return rule;
        }
    }
    return NULL;
}

bool rules_cover(const struct rules *rules, const struct ip_pair *flow)
{
    for (size_t i = 0; i < rules->shape_count; i++)
        if (group_at(rules, &rules->shapes[i], flow) != NULL)
            return true;
    return false;
}

bool rules_lead_to(const struct rules *rules, const struct ip_prefix *remote)
{
    for (const struct list *at = rules->all.next; at != &rules->all; at = at->next) {
        const struct ip_prefix *net = &LIST_OWNER(at, struct spd_rule, all)->traffic.remote.net;
        if (net->bits == remote->bits && ip_addr_equal(&net->addr, &remote->addr))
            return true;
    }
    return false;
}
