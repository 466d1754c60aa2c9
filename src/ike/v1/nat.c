/*
 * NAT traversal (RFC 3947, 3948): finding a NAT in Main Mode, floating to port 4500, keeping its
 * mapping alive, and following the peer when its mapping changes.
 *
 * Vendor ids and NAT-D payloads are not authenticated: whoever changes them on the way can only
 * make us spend a UDP header, or keep us from traversing a NAT that is there. A peer's path changes
 * with authenticated messages alone, and only if it is behind a NAT and we are not (section 7).
 */
#include <stdio.h>

#include "ike/v1/v1.h"

/* MD5 of "RFC 3947" (section 3.1) */
static const uint8_t vendor[16] = {0x4a, 0x13, 0x1c, 0x81, 0x07, 0x03, 0x58, 0x45,
                                   0x5c, 0x57, 0x28, 0xf2, 0x0e, 0x95, 0x45, 0x2f};

enum { NAT_D_LEAST = 2 }; /* the receiver's address, then at least one of the sender's */

void nat_put_vendor(struct v1_out *out)
{
    isakmp_writer_payload(&out->w, ISAKMP_P_VID, view_of(vendor, sizeof(vendor)));
}

bool nat_agreed(const struct v1_step *step)
{
    const struct isakmp_payload *vid;
    if (step->ike->config.nat == IKE_NAT_OFF)
        return false;
    for (size_t i = 0; (vid = isakmp_payload_find(step->payloads, ISAKMP_P_VID, i)) != NULL; i++)
        if (view_equal(vid->body, view_of(vendor, sizeof(vendor))))
            return true;
    return false;
}

/* HASH(CKY-I | CKY-R | IP | Port), section 3.2 */
enum err nat_hash(const struct ike_sa *sa, const struct ip_endpoint *end, uint8_t *ret)
{
    const uint8_t port[2] = {(uint8_t)(end->port >> 8), (uint8_t)end->port};
    const struct view parts[] = {view_of(sa->cookies, sizeof(sa->cookies)),
                                 ip_addr_view(&end->addr), view_of(port, sizeof(port))};
    return hash_digest(sa->suite.hash, parts, 3, ret);
}

static enum err put_hash(const struct ike_sa *sa, struct v1_out *out, const struct ip_endpoint *end)
{
    uint8_t hash[HASH_MAX];
    enum err err = nat_hash(sa, end, hash);
    if (err == ERR_OK)
        isakmp_writer_payload(&out->w, ISAKMP_P_NAT_D, view_of(hash, hash_len(sa->suite.hash)));
    return err;
}

/* To force UDP, our own end is given as one that no datagram comes from: the peer finds a NAT. */
enum err nat_put_hashes(const struct v1_step *step, struct v1_out *out)
{
    const struct ike_sa *sa = step->sa;
    struct ip_endpoint own = sa->path.local;
    if (!sa->nat.agreed)
        return ERR_OK;
    if (step->ike->config.nat == IKE_NAT_FORCE)
        own = (struct ip_endpoint){.addr = {.family = own.addr.family}};
    enum err err = put_hash(sa, out, &sa->path.remote);
    return err == ERR_OK ? put_hash(sa, out, &own) : err;
}

enum err nat_read_hashes(struct v1_step *step, struct v1_nat *ret)
{
    const struct ike_sa *sa = step->sa;
    struct v1_nat nat = sa->nat;
    uint8_t local[HASH_MAX], remote[HASH_MAX];
    struct view own = view_of(local, hash_len(sa->suite.hash));
    struct view peer = view_of(remote, hash_len(sa->suite.hash));
    const struct isakmp_payload *p;
    size_t count = 0;

    while (isakmp_payload_find(step->payloads, ISAKMP_P_NAT_D, count) != NULL)
        count++;
    if (!nat.agreed || count == 0) { /* a peer that only announced it does without */
        *ret = (struct v1_nat){0};
        return ERR_OK;
    }
    if (count < NAT_D_LEAST)
        return v1_refuse(step, ERR_VALUE, V1_NO_NOTIFY, "one NAT-D payload is too few");
    /* Aggressive Mode's last message has its hashes for the path it takes, perhaps another. */
    enum err err = nat_hash(sa, &step->event->local, local);
    if (err == ERR_OK)
        err = nat_hash(sa, &step->event->remote, remote);
    if (err != ERR_OK)
        return err;
    nat.there = true;
    for (size_t i = 0; (p = isakmp_payload_find(step->payloads, ISAKMP_P_NAT_D, i)) != NULL; i++) {
        if (p->body.len != own.len)
            return v1_refuse(step, ERR_VALUE, V1_NO_NOTIFY, "NAT-D payload of the wrong length");
        if (i == 0)
            nat.here = !view_equal(p->body, own);
        else if (view_equal(p->body, peer))
            nat.there = false;
    }
    *ret = nat;
    return ERR_OK;
}

static bool wanted(const struct ike *ike, const struct v1_nat *nat)
{
    return nat->agreed && (nat->here || nat->there || ike->config.nat == IKE_NAT_FORCE);
}

static void tell_found(struct ike *ike, const struct ike_sa *sa)
{
    const char *text = "none; UDP is forced";
    if (sa->nat.here)
        text = sa->nat.there ? "at both ends" : "at our end";
    else if (sa->nat.there)
        text = "at the peer's end";
    v1_trace(ike, sa, NULL, EVENT_INFO, "NAT on the way", text);
}

void nat_float(struct ike *ike, struct ike_sa *sa)
{
    if (!wanted(ike, &sa->nat))
        return;
    sa->nat.udp = true;
    sa->path.natt = true;
    if (sa->path.remote.port == IKE_PORT)
        sa->path.remote.port = IKE_NATT_PORT;
    sa->path.local.port = IKE_NATT_PORT;
    tell_found(ike, sa);
}

/* It came to where we expected it, or has floated; what isn't known yet the initiator knows. */
void nat_take_claimed(struct ike *ike, struct ike_sa *sa)
{
    const struct ike_path *claimed = &sa->handshake->claimed;
    bool floated = claimed->natt && !sa->path.natt;
    sa->path = *claimed;
    sa->nat.udp = sa->nat.agreed && sa->path.natt && (floated || wanted(ike, &sa->nat));
    if (sa->nat.udp)
        tell_found(ike, sa);
}

static bool follows(const struct ike_sa *sa)
{
    return sa->nat.udp && sa->nat.there && !sa->nat.here;
}

static bool on_path(const struct ike_path *path, const struct ike_event *event)
{
    return path->natt == event->natt && ip_endpoint_equal(&path->remote, &event->remote) &&
           ip_addr_equal(&path->local.addr, &event->local.addr);
}

bool nat_may_come_from(const struct ike_sa *sa, const struct ike_event *event)
{
    if (on_path(&sa->path, event))
        return true;
    if (!event->natt || !ip_addr_equal(&sa->path.local.addr, &event->local.addr))
        return false;
    if (sa->main.state == V1_MM_R_WAIT_AUTH || sa->main.state == V1_AM_R_WAIT_AUTH)
        return sa->nat.agreed;
    return ike_sa_established(sa) && follows(sa);
}

static void trace_move(struct ike *ike, const struct ike_peer *peer, const struct ip_endpoint *to)
{
    struct event_record r = {.at = ike->now,
                             .room = EVENT_IKE,
                             .level = EVENT_INFO,
                             .peer = peer->key.remote,
                             .title = "NAT mapping changed"};
    char text[IP_ENDPOINT_TEXT_MAX];
    snprintf(r.detail, sizeof(r.detail), "the peer now comes from %s",
             ip_endpoint_format(to, text));
    event_emit(&ike->env.trace, &r); /* section 8: audited */
}

void nat_move(struct ike *ike, struct ike_peer *peer, const uint8_t *key_digest,
              const struct ip_endpoint *to)
{
    struct ike_sa *sa;
    struct ike_child *child;
    ike_count(ike, IKE_COUNT_MOVED);
    trace_move(ike, peer, to);
    LIST_FOREACH (sa, &peer->sas, of_peer)
        if (ike_sa_established(sa) && follows(sa) &&
            memcmp(sa->peer_key_digest, key_digest, IKE_DIGEST_LEN) == 0) {
            sa->path.remote = *to;
            saved_sa(ike, sa);
        }
    LIST_FOREACH (child, &peer->children, of_peer)
        if (child->follows && memcmp(child->peer_key, key_digest, IKE_DIGEST_LEN) == 0)
            ike_child_move(ike, child, to);
}

void nat_follow(struct ike *ike, struct ike_sa *sa, const struct ike_event *event)
{
    if (ike_sa_established(sa) && sa->peer != NULL && follows(sa) && !on_path(&sa->path, event))
        nat_move(ike, sa->peer, sa->peer_key_digest, &event->remote);
}

void nat_child(const struct ike_sa *sa, struct ike_child *child)
{
    child->udp = sa->nat.udp;
    child->follows = follows(sa);
    child->at = (struct ip_endpoint){sa->remote.addr, sa->path.remote.port}; /* as installed */
}

/* RFC 3948 section 4: without it the NAT forgets who we are. Under force a packet filter may be
 * what has to be kept open. */
static bool keeps_alive(const struct ike *ike, const struct ike_sa *sa)
{
    return sa->nat.udp && (sa->nat.here || ike->config.nat == IKE_NAT_FORCE);
}

void nat_keepalive_start(struct ike *ike, struct ike_sa *sa)
{
    if (keeps_alive(ike, sa))
        ike_timer_set(ike, &sa->keepalive, mono_add(ike->now, IKE_KEEPALIVE_MS));
}

void nat_keepalive(struct ike *ike, struct ike_timer *timer)
{
    struct ike_sa *sa =
        (struct ike_sa *)(void *)((char *)timer - offsetof(struct ike_sa, keepalive));
    v1_send_raw(ike, sa, view_of(NULL, 0));
    nat_keepalive_start(ike, sa);
}
