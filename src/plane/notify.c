/*
 * What the plane tells keyd: acquires, expiries, hints of unknown SPIs, and the first datagrams of
 * a flow for the trace. Answers to requests are described here too, so that they agree.
 */
#include "plane/internal.h"

void notify_send(struct plane *plane, const struct pfkey_message *message)
{
    uint8_t room[LIMIT_PFKEY_MESSAGE];
    size_t len;
    if (pfkey_build(message, span_of(room, sizeof(room)), &len) != ERR_OK) {
        plane_count(plane, PLANE_COUNT_control_lost);
        return;
    }
    plane->env.control(plane->env.ctx, view_of(room, len));
}

static int64_t idle_ms(const struct plane *plane, mono_t used)
{
    return mono_is_never(used) ? -1 : mono_since(plane->now, used);
}

/* The more recent of two; -1 is never. */
static int64_t less_idle(int64_t a, int64_t b)
{
    if (a < 0 || b < 0)
        return a < b ? b : a;
    return a < b ? a : b;
}

static uint64_t age_s(const struct plane *plane, mono_t added)
{
    return (uint64_t)mono_since(plane->now, added) / 1000;
}

void notify_describe_sa(const struct plane *plane, const struct sad_entry *sa,
                        struct pfkey_message *ret)
{
    ret->satype = pfkey_satype(&sa->params.suite);
    ret->has |= PFKEY_HAS_SA | PFKEY_HAS_COUNTS | PFKEY_HAS_LAST_USE | PFKEY_HAS_TICKET;
    ret->sa = sa->params;
    ret->octets = sa->counts.octets;
    ret->packets = sa->counts.packets;
    ret->age_s = age_s(plane, sa->added);
    ret->idle_ms = idle_ms(plane, sa->used);
    ret->ticket = sa->params.ticket;
    if (sad_peer(sa)->family != IP_NONE) {
        ret->has |= PFKEY_HAS_PEER;
        ret->peer = *sad_peer(sa);
    }
}

mono_t notify_last_heard(const struct plane *plane, const struct spd_entry *entry)
{
    mono_t last = MONO_NEVER;
    const struct sad_entry *in = sad_find_ticket(&plane->sad, entry->ticket);
    for (; in != NULL; in = in->older)
        if (!mono_is_never(in->used) && (mono_is_never(last) || in->used.ms > last.ms))
            last = in->used;
    return last;
}

/* OE-079: both directions count, and what the kernel forwarded without us. */
static int64_t policy_idle_ms(const struct plane *plane, const struct spd_entry *entry)
{
    int64_t idle = idle_ms(plane, entry->used);
    if (plane->env.idle_ms != NULL)
        idle = less_idle(idle, plane->env.idle_ms(plane->env.ctx, spd_flow(entry)));
    return less_idle(idle, idle_ms(plane, notify_last_heard(plane, entry)));
}

void notify_describe_policy(const struct plane *plane, const struct spd_entry *entry,
                            struct pfkey_message *ret)
{
    if (entry->sa != NULL)
        notify_describe_sa(plane, entry->sa, ret);
    ret->has |= PFKEY_HAS_FLOW | PFKEY_HAS_VERDICT | PFKEY_HAS_LAST_USE | PFKEY_HAS_COUNTS |
                PFKEY_HAS_TICKET;
    ret->flow = *spd_flow(entry);
    ret->verdict = (uint8_t)spd_verdict(entry->state);
    ret->ticket = entry->ticket;
    ret->note = entry->note;
    ret->octets = entry->octets;
    ret->packets = entry->packets;
    ret->age_s = age_s(plane, entry->added);
    ret->idle_ms = policy_idle_ms(plane, entry);
}

/* OE-018 */
void notify_acquire(struct plane *plane, const struct spd_entry *entry)
{
    struct pfkey_message message = {
        .type = PFKEY_ACQUIRE,
        .satype = PFKEY_SATYPE_ESP,
        .seq = ++plane->last_seq,
        .has = PFKEY_HAS_FLOW | PFKEY_HAS_TICKET,
        .flow = *spd_flow(entry),
        .ticket = entry->ticket,
    };
    plane_count(plane, PLANE_COUNT_acquires);
    notify_send(plane, &message);
}

void notify_expire(struct plane *plane, const struct sad_entry *sa, bool hard)
{
    struct pfkey_message message = {.type = PFKEY_EXPIRE};
    notify_describe_sa(plane, sa, &message);
    if (hard)
        message.has |= PFKEY_HAS_EXPIRE_HARD;
    notify_send(plane, &message);
}

void notify_trace(struct plane *plane, enum pfkey_trace trace, const struct ip_pair *flow,
                  uint64_t ticket, const struct sad_entry *sa)
{
    struct pfkey_message message = {
        .type = PFKEY_X_TRACE,
        .has = PFKEY_HAS_TRACE | PFKEY_HAS_FLOW | PFKEY_HAS_TICKET,
        .trace = (uint8_t)trace,
        .flow = *flow,
        .ticket = ticket,
    };
    if (sa != NULL) {
        message.has |= PFKEY_HAS_SA | PFKEY_HAS_PEER;
        message.sa = sa->params;
        message.satype = pfkey_satype(&sa->params.suite);
        message.peer = *sad_peer(sa);
    }
    notify_send(plane, &message);
}

void notify_new_mapping(struct plane *plane, const struct sad_entry *sa,
                        const struct ip_endpoint *from)
{
    struct pfkey_message message = {
        .type = PFKEY_X_NEW_MAPPING,
        .satype = PFKEY_SATYPE_ESP,
        .has = PFKEY_HAS_SA | PFKEY_HAS_PEER | PFKEY_HAS_TICKET,
        .sa = sa->params,
        .peer = from->addr,
        .ticket = sa->params.ticket,
    };
    message.sa.udp_src = from->port;
    message.sa.stream = from->stream;
    plane_count(plane, PLANE_COUNT_new_mapping_reports);
    notify_send(plane, &message);
}

void notify_addupd(struct plane *plane, const struct sad_entry *sa, const struct ip_addr *new_src,
                   const struct ip_addr *new_dst)
{
    struct pfkey_message message = {
        .type = PFKEY_X_ADDUPD,
        .satype = pfkey_satype(&sa->params.suite),
        .has = PFKEY_HAS_SA | PFKEY_HAS_NEW_ENDS | PFKEY_HAS_TICKET,
        .sa = sa->params,
        .new_src.addr = *new_src,
        .new_dst.addr = *new_dst,
        .ticket = sa->params.ticket,
    };
    plane_count(plane, PLANE_COUNT_address_updates_asked);
    notify_send(plane, &message);
}

void notify_unknown_spi(struct plane *plane, uint32_t spi, bool ah, const struct ip_addr *src)
{
    struct pfkey_message message = {
        .type = PFKEY_X_UNKNOWN_SPI,
        .has = PFKEY_HAS_SA | PFKEY_HAS_PEER,
        .sa = {.spi = {spi}, .inbound = true},
        .peer = *src,
    };
    message.sa.suite.protocol = ah ? SA_AH : SA_ESP;
    message.satype = pfkey_satype(&message.sa.suite);
    plane_count(plane, PLANE_COUNT_unknown_spi_reports);
    notify_send(plane, &message);
}

void notify_silence(struct plane *plane, const struct spd_entry *entry)
{
    struct pfkey_message message = {
        .type = PFKEY_X_UNKNOWN_SPI,
        .has = PFKEY_HAS_SA | PFKEY_HAS_PEER | PFKEY_HAS_TICKET,
        .sa = {.spi = entry->sa->params.spi, .inbound = false},
        .peer = *sad_peer(entry->sa),
        .ticket = entry->ticket,
    };
    plane_count(plane, PLANE_COUNT_silence_reports);
    notify_send(plane, &message);
}
