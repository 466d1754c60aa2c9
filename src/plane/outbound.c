/*
 * The way out: a datagram finds its SPD entry, the state machine says what becomes of it, and what
 * is to be encrypted is collected by SA, cut to the path's MTU, encrypted and sent burst by burst.
 */
#include "plane/internal.h"
#include "wire/ip.h"

/* ICMP errors to the source of a datagram */

static void send_icmp(struct plane *plane, enum ip_icmp_error kind, const struct packet *about,
                      uint32_t mtu, enum plane_out where, enum plane_counter counter)
{
    struct ip_pair pair;
    if (ip_pair_of(packet_view(about), &pair) != ERR_OK)
        return;
    const struct ip_addr *own =
        pair.src.family == IP_V4 ? &plane->config.icmp_v4 : &plane->config.icmp_v6;
    if (own->family == IP_NONE || !limiter_allow(&plane->icmp, plane->now, &pair.src)) {
        plane_count(plane, PLANE_COUNT_icmp_suppressed);
        return;
    }
    struct packet *icmp = store_packet(&plane->store, IP_ICMP_ERROR_MAX);
    size_t len;
    if (icmp == NULL ||
        ip_icmp_error_build(kind, own, packet_view(about), mtu,
                            span_of(packet_data(icmp), IP_ICMP_ERROR_MAX), &len) != ERR_OK) {
        plane_count(plane, PLANE_COUNT_icmp_suppressed);
        return;
    }
    icmp->len = (uint32_t)len;
    plane_count(plane, counter);
    plane->env.out(plane->env.ctx, where, icmp);
}

void outbound_icmp_prohibited(struct plane *plane, const struct packet *packet)
{
    send_icmp(plane, IP_ICMP_PROHIBITED, packet, 0, PLANE_OUT_OE, PLANE_COUNT_icmp_prohibited);
}

/* Sending a burst */

/* IPv6 links carry 1280 octets, also those made of a tunnel whose own path carries less (RFC 2473
 * section 7.1): then it is the outer datagram that is cut. So it is on a path that carries no more
 * than the least we believe: what is said of it may be forged, and the system may believe less. */
static void allow_outer_fragments(const struct sad_entry *sa, struct packet *packet)
{
    uint32_t outer_len = packet->len + (uint32_t)ip_header_len(sa->from.addr.family);
    if (sa->from.port != 0)
        outer_len += IP_UDP_HEADER;
    if (sa->from.stream != 0) /* the length of a segment is TCP's business */
        return;
    if (outer_len > sa->path_mtu || sa->path_mtu <= PATH_MTU_V4_LEAST)
        packet->outer.dont_fragment = false;
}

/* False: the SA's sequence numbers are used up. */
static bool send_encrypted(struct plane *plane, const struct sad_entry *sa,
                           struct packet *const *packets, const enum err *errs, size_t count)
{
    bool usable = true;
    for (size_t i = 0; i < count; i++) {
        if (errs[i] != ERR_OK) {
            plane_count(plane, PLANE_COUNT_drop_not_encrypted);
            usable = usable && errs[i] != ERR_EXPIRED;
            continue;
        }
        allow_outer_fragments(sa, packets[i]);
        plane_count(plane, PLANE_COUNT_out_encrypted);
        plane->env.out(plane->env.ctx, PLANE_OUT_ESP, packets[i]);
    }
    return usable;
}

/* The first two packets of an SA are told, for the trace. */
struct first_two {
    uint64_t before;
    struct ip_pair flow[2];
};

static void note_first_two(const struct sad_entry *sa, struct packet *const *packets, size_t count,
                           struct first_two *ret)
{
    ret->before = sa->counts.packets;
    for (size_t i = 0; i < 2 && i < count && ret->before < 2; i++)
        if (ip_pair_of(packet_view(packets[i]), &ret->flow[i]) != ERR_OK)
            ret->before = 2;
}

static void tell_first_two(struct plane *plane, const struct sad_entry *sa,
                           const struct first_two *first)
{
    uint64_t now = sa->counts.packets, before = first->before;
    if (before == 0 && now >= 1)
        notify_trace(plane, PFKEY_TRACE_FIRST_OUT, &first->flow[0], sa->params.ticket, sa);
    if (before <= 1 && now >= 2)
        notify_trace(plane, PFKEY_TRACE_SECOND_OUT, &first->flow[1 - before], sa->params.ticket,
                     sa);
}

bool outbound_find(const struct plane *plane, struct view datagram, struct spd_key *ret_key,
                   struct spd_entry **ret)
{
    struct traffic_key key;
    struct spd_rule *rule;

    if (rules_are_empty(&plane->rules)) {
        if (ip_pair_of(datagram, &ret_key->flow) != ERR_OK)
            return false;
        *ret = spd_find(&plane->spd, ret_key);
        return true;
    }
    if (traffic_key_of(datagram, &key) != ERR_OK)
        return false;
    ret_key->flow = key.flow;
    rule = rules_find(&plane->rules, &key);
    *ret = rule != NULL ? &rule->entry : spd_find(&plane->spd, ret_key);
    if (rule != NULL)
        rule->entry.key = *ret_key; /* what an acquire is about */
    return true;
}

/* What a hard limit left over goes back to its SPD entry, which is in hold again by now. */
static void put_back(struct plane *plane, struct packet *const *packets, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct spd_input input = {.event = SPD_EV_DATAGRAM, .packet = packets[i]};
        struct spd_key key = {0};
        struct spd_entry *entry = NULL;
        if (!outbound_find(plane, packet_view(packets[i]), &key, &entry) || entry == NULL)
            plane_count(plane, PLANE_COUNT_drop_not_encrypted);
        else
            spd_step(plane, entry, &input);
    }
}

static void flush_once(struct plane *plane)
{
    struct plane_burst burst = plane->burst;
    struct sad_entry *sa = burst.sa;
    struct first_two first;
    enum err errs[LIMIT_BURST];

    plane->burst.sa = NULL;
    plane->burst.count = 0;
    size_t allowed = lifetime_allows(sa, burst.packets, burst.count);
    note_first_two(sa, burst.packets, allowed, &first);
    esp_encapsulate(sa->esp, burst.packets, allowed, errs);
    bool usable = send_encrypted(plane, sa, burst.packets, errs, allowed);
    sa->used = plane->now;
    esp_sa_counts(sa->esp, &sa->counts);
    tell_first_two(plane, sa, &first);
    if (usable)
        lifetime_check(plane, sa);
    else
        lifetime_expire(plane, sa);
    put_back(plane, burst.packets + allowed, burst.count - allowed);
}

void outbound_flush(struct plane *plane)
{
    while (plane->burst.count > 0)
        flush_once(plane);
}

/* Filling a burst */

/* False: the entry's SA ended while room was made. */
static bool burst_add(struct plane *plane, const struct spd_entry *entry, struct packet *packet)
{
    struct plane_burst *burst = &plane->burst;
    if (burst->sa != entry->sa || burst->count == LIMIT_BURST)
        outbound_flush(plane);
    if (entry->sa == NULL)
        return false;
    burst->sa = entry->sa;
    burst->packets[burst->count++] = packet;
    return true;
}

/* IPv4 without DF: cut before encryption, so that no outer fragments travel (RFC 4301 section 7).
 */
static void encrypt_fragments(struct plane *plane, struct spd_entry *entry,
                              const struct packet *packet, uint32_t mtu)
{
    struct ip_fragmenter fragmenter;
    if (ip_fragment_start(&fragmenter, packet_view(packet), mtu) != ERR_OK) {
        plane_count(plane, PLANE_COUNT_drop_too_big);
        return;
    }
    plane_count(plane, PLANE_COUNT_out_fragmented);
    for (;;) {
        struct packet *fragment = store_packet(&plane->store, mtu);
        if (fragment == NULL) {
            plane_count(plane, PLANE_COUNT_drop_no_buffer);
            return;
        }
        size_t len = ip_fragment_next(&fragmenter, span_of(packet_data(fragment), mtu));
        if (len == 0)
            return;
        fragment->len = (uint32_t)len;
        if (!burst_add(plane, entry, fragment)) {
            plane_count(plane, PLANE_COUNT_drop_not_encrypted);
            return;
        }
    }
}

static uint32_t inner_mtu(struct plane *plane, struct sad_entry *sa)
{
    if (sa->mtu_generation != plane->mtus.generation) {
        sa->path_mtu = path_mtu_get(&plane->mtus, &sa->from.addr);
        sa->inner_mtu = esp_inner_mtu(sa->esp, sa->path_mtu);
        sa->mtu_generation = plane->mtus.generation;
    }
    return sa->inner_mtu;
}

/* It doesn't fit: cut, or tell its source what does (RFC 4301 section 8.2.1). */
static void encrypt_too_big(struct plane *plane, struct spd_entry *entry,
                            const struct packet *packet, uint32_t mtu)
{
    struct ip_header header;
    if (ip_header_parse(packet_view(packet), &header) != ERR_OK) {
        plane_count(plane, PLANE_COUNT_drop_out_malformed);
        return;
    }
    if (header.src.family == IP_V4 && !header.dont_fragment) {
        encrypt_fragments(plane, entry, packet, mtu);
        return;
    }
    enum plane_out where =
        entry->sa->params.interface == SA_CONFIGURED ? PLANE_OUT_VPN : PLANE_OUT_OE;
    plane_count(plane, PLANE_COUNT_drop_too_big);
    send_icmp(plane, IP_ICMP_TOO_BIG, packet, mtu, where, PLANE_COUNT_icmp_too_big);
}

/*
 * A gateway that died says nothing, and its peer's datagrams go nowhere until the keys expire. So keyd
 * is told when a flow has sent for a while and nothing came in for it, and may try the gateway (OE-176).
 * It may also be a flow that goes one way only.
 */
static void listen_for_answers(struct plane *plane, struct spd_entry *entry)
{
    mono_t heard = notify_last_heard(plane, entry);
    bool answered = !mono_is_never(heard) && mono_reached(heard, entry->unanswered);
    bool paused = mono_since(plane->now, entry->listen_at) >= PLANE_PAUSE_MS;

    entry->listen_at = mono_add(plane->now, PLANE_LISTEN_MS);
    if (answered || paused) {
        entry->unanswered = plane->now;
    } else if (mono_since(plane->now, entry->unanswered) >= PLANE_SILENCE_MS) {
        entry->unanswered = plane->now;
        notify_silence(plane, entry);
    }
}

void outbound_encrypt(struct plane *plane, struct spd_entry *entry, struct packet *packet)
{
    if (mono_reached(plane->now, entry->listen_at) && !entry->configured)
        listen_for_answers(plane, entry);
    uint32_t mtu = inner_mtu(plane, entry->sa);
    if (spd_flow(entry)->src.family == IP_V6 && mtu < IP_V6_MTU_MIN)
        mtu = IP_V6_MTU_MIN;
    if (packet->len > mtu) {
        encrypt_too_big(plane, entry, packet, mtu);
        return;
    }
    if (!burst_add(plane, entry, packet)) {
        struct spd_input again = {.event = SPD_EV_DATAGRAM, .packet = packet};
        spd_step(plane, entry, &again);
    }
}

/* The peer may have agreed to less than is configured. */
static bool rule_sa_allows(struct spd_entry *entry, const struct packet *packet)
{
    const struct traffic_pair sa = sa_params_traffic(&entry->sa->params);
    return traffic_pair_contains(&sa, &spd_rule_of(entry)->traffic) ||
           sa_params_allow(&entry->sa->params, packet_view(packet));
}

/* One datagram (OE-015) */
static void outbound_one(struct plane *plane, struct packet *packet)
{
    struct spd_input input = {.event = SPD_EV_DATAGRAM, .packet = packet};
    struct spd_key key = {0};
    struct spd_entry *entry = NULL;
    if (!outbound_find(plane, packet_view(packet), &key, &entry)) {
        plane_count(plane, PLANE_COUNT_drop_out_malformed);
        return;
    }
    if (entry == NULL)
        entry = spd_create(plane, &key);
    if (entry == NULL) {
        plane_count(plane, PLANE_COUNT_drop_spd_no_memory);
        return;
    }
    if (entry->is_rule && entry->sa != NULL && !rule_sa_allows(entry, packet)) {
        plane_count(plane, PLANE_COUNT_drop_narrowed);
        return;
    }
    spd_use(&plane->spd, plane->now, entry, packet->len);
    spd_step(plane, entry, &input);
}

void plane_outbound(struct plane *plane, mono_t now, struct packet **packets, size_t count)
{
    plane_enter(plane, now);
    for (size_t i = 0; i < count; i++)
        outbound_one(plane, packets[i]);
    outbound_flush(plane);
}
