/*
 * The SPD of configured tunnels (RFC 4301 section 4.4.1): a rule says what becomes of datagrams
 * between two prefixes, perhaps of one protocol and some ports. Rules go before the entries for
 * single pairs, so that no opportunistic peer takes over what is configured (OE-091), and what has no
 * tunnel waits or is dropped, never passed (OE-004). Of several
 * rules that fit the one with the longest prefixes counts, and among those the one that says most.
 *
 * A rule contains an SPD entry and goes through the same states (state.h); it is never evicted, and
 * ends by RULE_DELETE or RULE_SWEEP only. Finding one costs a look into a table for each
 * combination of prefix lengths in use.
 */
#ifndef CYGNET_PLANE_RULES_H
#define CYGNET_PLANE_RULES_H

#include "plane/spd.h"
#include "wire/traffic.h"

struct spd_rule {
    struct spd_entry entry;    /* first: spd_rule_of() */
    struct map_node by_ticket; /* key: entry.ticket */
    struct list all;           /* in rules.all */
    struct list in_group;      /* of those with the same prefixes, the most specific first */
    struct traffic_pair traffic;
    uint32_t owner;            /* the keyd that set it last: `pid` of its messages */
};

struct rule_shape {
    uint8_t family, local_bits, remote_bits;
    size_t groups;
};

struct rules {
    struct map by_nets, by_ticket;
    struct list all;
    struct rule_shape *shapes; /* the longest prefixes first */
    size_t shape_count, shape_room;
    struct rng rng;
};

void rules_init(struct rules *rules, const struct rng *rng);
void rules_fini(struct rules *rules); /* must be empty */

/* A rule in state nonexistent, to be given a state at once. The ticket must be new and not 0, the
 * traffic valid. NULL: out of memory, or LIMIT_RULES. */
struct spd_rule *rules_add(struct rules *rules, struct spd *spd, mono_t now, uint64_t ticket,
                           const struct traffic_pair *traffic);
/* Its entry must hold nothing and name no SA. */
void rules_remove(struct rules *rules, struct spd *spd, struct spd_rule *rule);
struct spd_rule *rules_find_ticket(const struct rules *rules, uint64_t ticket);
/* The rule for a datagram on its way out. NULL: none. */
struct spd_rule *rules_find(const struct rules *rules, const struct traffic_key *key);
/* Some datagram between the two addresses falls under a rule. */
bool rules_cover(const struct rules *rules, const struct ip_pair *flow);

/* There is a rule with just that net on the far side. */
bool rules_lead_to(const struct rules *rules, const struct ip_prefix *remote);

static inline bool rules_are_empty(const struct rules *rules)
{
    return rules->by_ticket.count == 0;
}

static inline struct spd_rule *spd_rule_of(struct spd_entry *entry)
{
    return (struct spd_rule *)(void *)((char *)entry - offsetof(struct spd_rule, entry));
}

#endif
