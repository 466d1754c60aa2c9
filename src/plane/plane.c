#include "plane/plane.h"

#include <stdlib.h>

#include "plane/internal.h"

enum { DEFAULT_MTU = 1500, DEFAULT_HOLD_MS = 25000 };

static void fill_defaults(struct plane_config *config)
{
    if (config->mtu == 0)
        config->mtu = DEFAULT_MTU;
    if (config->hold_ms == 0)
        config->hold_ms = DEFAULT_HOLD_MS;
    if (config->spd == 0)
        config->spd = LIMIT_SPD;
    if (config->sad == 0)
        config->sad = LIMIT_SAD;
    if (config->held_octets == 0)
        config->held_octets = LIMIT_HELD_OCTETS;
}

enum err plane_new(const struct plane_config *config, const struct plane_env *env,
                   struct plane **ret)
{
    struct plane *plane = calloc(1, sizeof(*plane));
    if (plane == NULL)
        return ERR_MEMORY;
    plane->config = *config;
    plane->env = *env;
    plane->keyd_present = true;
    fill_defaults(&plane->config);
    rules_init(&plane->rules, &env->rng);
    spd_init(&plane->spd, plane->config.spd, &env->rng);
    sad_init(&plane->sad, plane->config.sad, &env->rng);
    store_init(&plane->store, plane->config.held_octets);
    path_mtus_init(&plane->mtus, plane->config.mtu, &env->rng);
    limiter_init(&plane->unknown_spi, PLANE_UNKNOWN_SPI_MS, PLANE_UNKNOWN_SPI_RATE, &env->rng);
    limiter_init(&plane->lost, PLANE_MOVE_REPORT_MS, PLANE_LOST_RATE, &env->rng);
    limiter_init(&plane->icmp, PLANE_ICMP_MS, PLANE_ICMP_RATE, &env->rng);
    *ret = plane;
    return ERR_OK;
}

/* Quietly: keyd and classifier are not told about an end they will notice anyway. */
static void empty_entry(struct plane *plane, struct spd_entry *entry)
{
    store_discard(&plane->store, &entry->first);
    store_discard(&plane->store, &entry->last);
    list_remove(&entry->by_sa);
    list_remove(&entry->by_hold);
    entry->sa = NULL;
}

static void forget_policies(struct plane *plane)
{
    struct spd_entry *entry;
    while ((entry = spd_oldest(&plane->spd)) != NULL) {
        empty_entry(plane, entry);
        spd_remove(&plane->spd, entry);
    }
    while (!list_is_empty(&plane->rules.all)) {
        struct spd_rule *rule = LIST_OWNER(plane->rules.all.next, struct spd_rule, all);
        empty_entry(plane, &rule->entry);
        rules_remove(&plane->rules, &plane->spd, rule);
    }
}

void plane_free(struct plane *plane)
{
    if (plane == NULL)
        return;
    forget_policies(plane);
    rules_fini(&plane->rules);
    spd_fini(&plane->spd);
    sad_fini(&plane->sad);
    store_fini(&plane->store);
    path_mtus_fini(&plane->mtus);
    free(plane);
}

void plane_reconfigure(struct plane *plane, mono_t now, const struct plane_config *config)
{
    struct plane_config wanted = *config;
    const struct list *head = &plane->spd.by_use;

    fill_defaults(&wanted);
    plane_enter(plane, now);
    plane->config.hold_ms = wanted.hold_ms;
    plane->config.hold_failure = wanted.hold_failure;
    plane->config.icmp_on_deny = wanted.icmp_on_deny;
    /* Whether the classifier may deny by itself has changed, perhaps. */
    for (const struct list *at = head->next; at != head; at = at->next)
        spd_announce(plane, LIST_OWNER(at, struct spd_entry, by_use));
}

void plane_keyd_changed(struct plane *plane, mono_t now, bool present)
{
    plane_enter(plane, now);
    plane->keyd_present = present;
    if (!present)
        return;
    const struct list *head = &plane->spd.by_use;
    for (const struct list *at = head->next; at != head; at = at->next)
        spd_ask_anew(plane, LIST_OWNER(at, struct spd_entry, by_use));
    head = &plane->rules.all;
    for (const struct list *at = head->next; at != head; at = at->next)
        spd_ask_anew(plane, &LIST_OWNER(at, struct spd_rule, all)->entry);
}

void plane_path_mtu(struct plane *plane, const struct ip_addr *dst, uint32_t mtu)
{
    path_mtu_learn(&plane->mtus, plane->now, dst, mtu);
}

/* ADR-100: what keyd can't do yet is asked again with a later datagram. */
void plane_source_lost(struct plane *plane, mono_t now, const struct ip_pair *way,
                       const struct ip_addr *new_src)
{
    static const struct ip_addr same = {.family = IP_NONE};
    const struct list *head = &plane->sad.all;

    plane_enter(plane, now);
    if (ip_addr_equal(new_src, &way->src) || !limiter_allow(&plane->lost, now, &way->dst))
        return;
    for (const struct list *at = head->next; at != head; at = at->next) {
        const struct sad_entry *sa = LIST_OWNER(at, struct sad_entry, all);
        if (sa->esp != NULL && !sa->params.inbound && ip_addr_equal(&sa->here.addr, &way->src) &&
            ip_addr_equal(&sa->from.addr, &way->dst))
            notify_addupd(plane, sa, new_src, &same);
    }
}

void plane_timer(struct plane *plane, mono_t now)
{
    struct sad_entry *sa;
    struct spd_entry *entry;

    plane_enter(plane, now);
    path_mtus_timer(&plane->mtus, now);
    while ((sa = sad_due(&plane->sad, now)) != NULL)
        lifetime_timer(plane, sa);
    while ((entry = spd_due(&plane->spd, now)) != NULL)
        spd_timer(plane, entry);
    outbound_flush(plane);
}

mono_t plane_next_deadline(const struct plane *plane)
{
    mono_t at = mono_min(heap_next(&plane->spd.timers), heap_next(&plane->sad.timers));
    at = mono_min(at, heap_next(&plane->mtus.timers));
    return at.ms >= HEAP_IDLE.ms ? MONO_NEVER : at;
}

uint64_t plane_authentic(const struct plane *plane)
{
    return plane->counters[PLANE_COUNT_in_authentic];
}

bool plane_counter(const struct plane *plane, size_t i, const char **ret_name, uint64_t *ret_value)
{
    static const char *const names[PLANE_COUNTER_COUNT] = {
#define PLANE_COUNTER_NAME(name) [PLANE_COUNT_##name] = #name,
        PLANE_COUNTERS(PLANE_COUNTER_NAME)
#undef PLANE_COUNTER_NAME
    };
    if (i >= PLANE_COUNTER_COUNT)
        return false;
    *ret_name = names[i];
    *ret_value = plane->counters[i];
    return true;
}

size_t plane_spd_count(const struct plane *plane)
{
    return plane->spd.by_flow.count;
}

size_t plane_sad_count(const struct plane *plane)
{
    return sad_count(&plane->sad);
}
