/*
 * NAT traversal (RFC 7296 section 2.23): finding a NAT in IKE_SA_INIT, going to port 4500, keeping
 * the mapping alive, and following the peer when its mapping changes. As in version 1 (v1/nat.c) a
 * peer's path changes with authenticated, fresh messages alone, and only if it is behind a NAT and
 * we are not.
 */
#include <stdio.h>

#include "ike/v2/v2.h"

enum { NAT_HASH_LEN = 20 };

/* SHA-1 of SPIs, address and port */
static enum err nat_hash(const struct v2_sa *sa, bool with_r, const struct ip_endpoint *end,
                         uint8_t *ret)
{
    static const uint8_t zero[IKE2_SPI_LEN] = {0};
    const uint8_t port[2] = {(uint8_t)(end->port >> 8), (uint8_t)end->port};
    const struct view parts[] = {view_of(v2_spi_i(sa), IKE2_SPI_LEN),
                                 view_of(with_r ? v2_spi_r(sa) : zero, IKE2_SPI_LEN),
                                 ip_addr_view(&end->addr), view_of(port, sizeof(port))};
    return hash_digest(HASH_SHA1, parts, 4, ret);
}

static enum err put(const struct v2_sa *sa, struct ike2_writer *w, uint16_t type,
                    const struct ip_endpoint *end)
{
    uint8_t hash[HASH_MAX];
    enum err err = nat_hash(sa, !sa->initiator, end, hash);
    if (err == ERR_OK)
        ike2_writer_notify(w, type, view_of(hash, NAT_HASH_LEN));
    return err;
}

enum err v2_nat_put_ends(const struct v2_sa *sa, struct ike2_writer *w,
                         const struct ip_endpoint *own, const struct ip_endpoint *peer)
{
    uint8_t source[HASH_MAX], destination[HASH_MAX];
    enum err err = nat_hash(sa, true, own, source);
    if (err == ERR_OK)
        err = nat_hash(sa, true, peer, destination);
    if (err != ERR_OK)
        return err;
    ike2_writer_notify(w, IKE2_N_NAT_DETECTION_SOURCE_IP, view_of(source, NAT_HASH_LEN));
    ike2_writer_notify(w, IKE2_N_NAT_DETECTION_DESTINATION_IP, view_of(destination, NAT_HASH_LEN));
    return ERR_OK;
}

/* ADR-004: nowhere if policy knows that there can't be a NAT. To force UDP, our own end is given as one that no datagram comes from: the peer finds a NAT. */
enum err v2_nat_put(const struct v2_step *step, struct ike2_writer *w)
{
    const struct v2_sa *sa = step->sa;
    struct ip_endpoint own = sa->path.local;
    if (step->ike->config.nat == IKE_NAT_OFF || (!sa->initiator && !sa->nat.agreed))
        return ERR_OK;
    if (step->ike->config.nat == IKE_NAT_FORCE)
        own = (struct ip_endpoint){.addr = {.family = own.addr.family}};
    enum err err = put(sa, w, IKE2_N_NAT_DETECTION_SOURCE_IP, &own);
    return err == ERR_OK
               ? put(sa, w, IKE2_N_NAT_DETECTION_DESTINATION_IP, &sa->path.remote)
               : err;
}

static bool matches(const struct v2_step *step, uint16_t type, const uint8_t *hash, bool *ret_any)
{
    const struct ike2_payload *payload;
    struct ike2_notify n;
    bool found = false;
    for (size_t i = 0; (payload = ike2_payload_find(step->payloads, IKE2_P_N, i)) != NULL; i++) {
        if (ike2_notify_parse(payload->body, &n) != ERR_OK || n.type != type)
            continue;
        *ret_any = true;
        found |= view_equal(n.data, view_of(hash, NAT_HASH_LEN));
    }
    return found;
}

static enum err read_ends(const struct v2_step *step, bool with_r, const struct ip_endpoint *own,
                          const struct ip_endpoint *peer, struct v2_nat *ret)
{
    const struct v2_sa *sa = step->sa;
    struct v2_nat nat = {.agreed = false};
    uint8_t local[HASH_MAX], remote[HASH_MAX];
    bool source = false, destination = false;

    enum err err = nat_hash(sa, with_r, own, local);
    if (err == ERR_OK)
        err = nat_hash(sa, with_r, peer, remote);
    if (err != ERR_OK)
        return err;
    nat.there = !matches(step, IKE2_N_NAT_DETECTION_SOURCE_IP, remote, &source);
    nat.here = !matches(step, IKE2_N_NAT_DETECTION_DESTINATION_IP, local, &destination);
    nat.agreed = source && destination;
    *ret = nat.agreed ? nat : (struct v2_nat){.agreed = false};
    return ERR_OK;
}

enum err v2_nat_read_ends(const struct v2_step *step, const struct ip_endpoint *own,
                          const struct ip_endpoint *peer, struct v2_nat *ret)
{
    return read_ends(step, true, own, peer, ret);
}

enum err v2_nat_read(const struct v2_step *step, struct v2_nat *ret)
{
    const struct v2_sa *sa = step->sa;
    *ret = (struct v2_nat){.agreed = false};
    if (step->ike->config.nat == IKE_NAT_OFF)
        return ERR_OK;
    return read_ends(step, sa->initiator, &sa->path.local, &sa->path.remote, ret);
}

bool v2_nat_needs_udp(const struct ike *ike, const struct v2_nat *nat)
{
    return nat->agreed && (nat->here || nat->there || ike->config.nat == IKE_NAT_FORCE);
}

static void tell_found(struct ike *ike, const struct v2_sa *sa)
{
    const char *text = "none; UDP is forced";
    if (sa->nat.here)
        text = sa->nat.there ? "at both ends" : "at our end";
    else if (sa->nat.there)
        text = "at the peer's end";
    v2_trace(ike, sa, NULL, EVENT_INFO, "NAT on the way", text);
}

/* With MOBIKE even without a NAT: another path may have one (RFC 4555 section 3.3). */
void v2_nat_float(struct ike *ike, struct v2_sa *sa)
{
    if (v2_path_is_tcp(&sa->path)) { /* RFC 9329 section 6.5: nothing else changes */
        sa->nat.udp = true;
        return;
    }
    bool udp = v2_nat_needs_udp(ike, &sa->nat);
    if (!udp && (!sa->nat.agreed || !v2_mobike_wanted(ike, sa)))
        return;
    sa->nat.udp = udp;
    sa->path.natt = true;
    if (sa->path.remote.port == IKE_PORT)
        sa->path.remote.port = IKE_NATT_PORT;
    sa->path.local.port = IKE_NATT_PORT;
    if (udp)
        tell_found(ike, sa);
}

/* It came to where we expected it, or has floated; what isn't known yet the initiator knows. Who speaks
 * MOBIKE floats in any case. */
void v2_nat_take_claimed(struct ike *ike, struct v2_sa *sa)
{
    const struct v2_path *from = &sa->handshake->from;
    bool floated = from->natt && !sa->path.natt && !sa->handshake->floats;
    const struct v2_path before = sa->path;
    sa->path = *from;
    v2_tcp_moved(ike, sa, &before);
    if (v2_path_is_tcp(&sa->path)) {
        sa->nat.udp = true;
        return;
    }
    sa->nat.udp = sa->nat.agreed && sa->path.natt && (floated || v2_nat_needs_udp(ike, &sa->nat));
    if (sa->nat.udp)
        tell_found(ike, sa);
}

bool v2_nat_follows(const struct v2_sa *sa)
{
    if (v2_path_is_tcp(&sa->path)) /* RFC 9329 section 6.1: who connects may come from anywhere */
        return (sa->path.remote.stream & IP_STREAM_ACCEPTED) != 0;
    return sa->nat.udp && sa->nat.there && !sa->nat.here;
}

static bool on_path(const struct v2_path *path, const struct ike_event *event)
{
    return path->natt == event->natt && ip_endpoint_equal(&path->remote, &event->remote) &&
           ip_addr_equal(&path->local.addr, &event->local.addr);
}

bool v2_nat_may_come_from(const struct v2_sa *sa, const struct ike_event *event)
{
    if (on_path(&sa->path, event))
        return true;
    if (sa->established && sa->mobike != NULL)
        return true; /* from anywhere; what it proves, its contents say */
    bool tcp = v2_path_is_tcp(&sa->path);
    if (!event->natt || tcp != (event->remote.stream != 0) ||
        (!tcp && !ip_addr_equal(&sa->path.local.addr, &event->local.addr)))
        return false;
    if (!sa->established) /* ADR-017: another port; another address only where NAT was found */
        return !sa->initiator && (tcp || (sa->nat.agreed && (sa->nat.there || ip_addr_equal(&sa->path.remote.addr, &event->remote.addr))));
    return v2_nat_follows(sa);
}

void v2_nat_move(struct ike *ike, struct v2_sa *sa, const struct ip_endpoint *to)
{
    struct ike_child *child;
    char end[IP_ENDPOINT_TEXT_MAX], text[80];
    ike_count(ike, IKE_COUNT_MOVED);
    snprintf(text, sizeof(text), "the peer now comes from %s", ip_endpoint_format(to, end));
    v2_trace(ike, sa, NULL, EVENT_INFO,
             to->stream != 0 ? "TCP connection changed" : "NAT mapping changed", text);
    const struct v2_path before = sa->path;
    sa->path.remote = *to;
    v2_tcp_moved(ike, sa, &before);
    v2_saved_sa(ike, sa);
    LIST_FOREACH (child, &sa->children, of_v2_sa)
        if (child->follows)
            ike_child_move(ike, child, to);
}

void v2_nat_follow(struct ike *ike, struct v2_sa *sa, const struct ike_event *event)
{
    bool tcp = v2_path_is_tcp(&sa->path);
    if (tcp != (event->remote.stream != 0) || (sa->mobike != NULL && !tcp))
        return;
    if (sa->established && v2_nat_follows(sa) && !on_path(&sa->path, event))
        v2_nat_move(ike, sa, &event->remote);
}

void v2_nat_child(const struct v2_sa *sa, struct ike_child *child)
{
    child->udp = sa->nat.udp;
    child->follows = v2_nat_follows(sa);
    child->at = (struct ip_endpoint){sa->remote.addr, sa->path.remote.port,
                                     sa->path.remote.stream}; /* as installed */
}

static bool keeps_alive(const struct ike *ike, const struct v2_sa *sa)
{
    return sa->nat.udp && !v2_path_is_tcp(&sa->path) &&
           (sa->nat.here || ike->config.nat == IKE_NAT_FORCE);
}

void v2_nat_keepalive_start(struct ike *ike, struct v2_sa *sa)
{
    if (keeps_alive(ike, sa))
        ike_timer_set(ike, &sa->keepalive, mono_add(ike->now, IKE_KEEPALIVE_MS));
}

void v2_nat_keepalive(struct ike *ike, struct ike_timer *timer)
{
    struct v2_sa *sa = (struct v2_sa *)(void *)((char *)timer - offsetof(struct v2_sa, keepalive));
    if (keeps_alive(ike, sa))
        v2_send_raw(ike, sa, &sa->path, view_of(NULL, 0));
    v2_nat_keepalive_start(ike, sa);
}
