/*
 * The way in: packets of one SA are decrypted, or with AH verified, together; what comes out is delivered only if its
 * addresses are those the SA was made for (OE-190), to the device of the SA's kind (OE-188).
 */
#include "plane/internal.h"
#include "wire/ip.h"

static bool read_spi(const struct packet *packet, uint32_t *ret)
{
    spi_t spi;
    uint32_t number;
    bool found = esp_peek(packet, &spi, &number);
    if (found)
        *ret = spi.value;
    return found;
}

/* The low half of the sequence number. */
static uint32_t read_number(const struct packet *packet)
{
    spi_t spi;
    uint32_t number = 0;
    return esp_peek(packet, &spi, &number) ? number : 0;
}

/* RFC 4302 section 2.4: of the protocol that it came with, and for the address it came to. */
static bool is_for(const struct sad_entry *sa, const struct packet *packet)
{
    bool ah = sa->params.suite.protocol == SA_AH;
    return (sa->esp == NULL || ah == packet->outer.ah) &&
           sad_takes(sa, &packet->outer.dst);
}

static enum plane_counter drop_counter(enum err err)
{
    switch (err) {
    case ERR_REPLAY:
        return PLANE_COUNT_drop_replay;
    case ERR_DECRYPT:
        return PLANE_COUNT_drop_not_authentic;
    case ERR_UNEXPECTED:
        return PLANE_COUNT_drop_dummy;
    default:
        return PLANE_COUNT_drop_in_malformed;
    }
}

/* OE-190; and no opportunistic peer speaks for what a tunnel is configured for (OE-091). */
static bool is_of_sa(const struct plane *plane, const struct sad_entry *sa,
                     const struct ip_pair *inner, struct view datagram)
{
    const struct sa_params *params = &sa->params;
    if (!ip_prefix_contains(&params->inner_src, &inner->src) ||
        !ip_prefix_contains(&params->inner_dst, &inner->dst) ||
        (params->protocol != 0 && !sa_params_allow(params, datagram)))
        return false;
    struct ip_pair flow = ip_pair_reverse(inner);
    return params->interface == SA_CONFIGURED || rules_are_empty(&plane->rules) ||
           !rules_cover(&plane->rules, &flow);
}

static void deliver(struct plane *plane, struct sad_entry *sa, struct packet *packet)
{
    struct ip_pair inner;
    if (ip_pair_of(packet_view(packet), &inner) != ERR_OK) {
        plane_count(plane, PLANE_COUNT_drop_in_malformed);
        return;
    }
    if (!is_of_sa(plane, sa, &inner, packet_view(packet))) {
        plane_count(plane, PLANE_COUNT_drop_selector);
        return;
    }
    if (mono_is_never(sa->used)) {
        struct ip_pair flow = ip_pair_reverse(&inner); /* as our datagrams travel out */
        notify_trace(plane, PFKEY_TRACE_FIRST_IN, &flow, sa->params.ticket, sa);
    }
    sa->used = plane->now;
    bool configured = sa->params.interface == SA_CONFIGURED;
    plane_count(plane, configured ? PLANE_COUNT_in_configured : PLANE_COUNT_in_opportunistic);
    plane->env.out(plane->env.ctx, configured ? PLANE_OUT_VPN : PLANE_OUT_OE, packet);
}

/* A hint that a peer still uses an SA we lost; it can be forged, so it is told rarely (OE-072). */
static void unknown_spi(struct plane *plane, uint32_t spi, struct packet *const *packets,
                        size_t count)
{
    plane->counters[PLANE_COUNT_drop_unknown_spi] += count;
    for (size_t i = 0; i < count; i++) {
        const struct ip_addr *src = &packets[i]->outer.src;
        if (src->family != IP_NONE && limiter_allow(&plane->unknown_spi, plane->now, src))
            notify_unknown_spi(plane, spi, packets[i]->outer.ah, src);
    }
}

/*
 * RFC 3947 section 7: the last authentic packet shows where the peer is. Of packets that overtook
 * each other, the one with the highest number counts. keyd is told, at most once a second, and
 * decides. So it is with TCP (RFC 9329 section 6.1): the last stream with an authentic packet counts.
 */
static void note_source(struct plane *plane, struct sad_entry *sa, const struct packet *packet,
                        uint32_t number)
{
    const struct ip_endpoint from = {packet->outer.src, packet->outer.udp_src,
                                     packet->outer.stream};
    if (from.port == 0 || sa->from.port == 0 || ip_endpoint_equal(&from, &sa->from) ||
        (from.stream != 0) != (sa->from.stream != 0) || number != (uint32_t)sa->counts.sequence || !mono_reached(plane->now, sa->next_move_report))
        return;
    sa->next_move_report = mono_add(plane->now, PLANE_MOVE_REPORT_MS);
    notify_new_mapping(plane, sa, &from);
}

/* Packets of one protocol with one SPI, sent to one address of ours. */
static void inbound_group(struct plane *plane, uint32_t spi, struct packet **packets, size_t count)
{
    struct sad_entry *sa = sad_find_inbound(&plane->sad, spi);
    enum err errs[LIMIT_BURST];
    uint32_t numbers[LIMIT_BURST];

    if (sa == NULL || !is_for(sa, packets[0])) {
        unknown_spi(plane, spi, packets, count);
        return;
    }
    if (sa->esp == NULL) {
        plane->counters[PLANE_COUNT_drop_larval] += count;
        return;
    }
    for (size_t i = 0; i < count; i++)
        numbers[i] = read_number(packets[i]);
    esp_decapsulate(sa->esp, packets, count, errs);
    esp_sa_counts(sa->esp, &sa->counts);
    for (size_t i = 0; i < count; i++) {
        if (errs[i] != ERR_OK) {
            plane_count(plane, drop_counter(errs[i]));
            continue;
        }
        plane_count(plane, PLANE_COUNT_in_authentic);
        note_source(plane, sa, packets[i], numbers[i]);
        deliver(plane, sa, packets[i]);
    }
    lifetime_check(plane, sa);
}

/* How many packets from the first on belong together. */
static size_t group_len(uint32_t spi, struct packet *const *packets, size_t count)
{
    uint32_t other;
    size_t len = 1;
    while (len < count && len < LIMIT_BURST && read_spi(packets[len], &other) && other == spi &&
           packets[len]->outer.ah == packets[0]->outer.ah &&
           ip_addr_equal(&packets[len]->outer.dst, &packets[0]->outer.dst))
        len++;
    return len;
}

void plane_inbound(struct plane *plane, mono_t now, struct packet **packets, size_t count)
{
    plane_enter(plane, now);
    for (size_t i = 0; i < count;) {
        uint32_t spi;
        if (!read_spi(packets[i], &spi)) {
            plane_count(plane, PLANE_COUNT_drop_in_short);
            i++;
            continue;
        }
        size_t len = group_len(spi, packets + i, count - i);
        inbound_group(plane, spi, packets + i, len);
        i += len;
    }
}
