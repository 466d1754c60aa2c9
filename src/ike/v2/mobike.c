/*
 * MOBIKE (RFC 4555): which addresses an IKE SA and its children use. The end that began the first IKE
 * SA decides, the other follows; what they say of it is in mobike_message.c.
 *
 * A path is left when our address is gone, when the peer no longer names its own, or when a request
 * stays unanswered and the same request is answered along another path. A better path is taken back
 * after it has answered several probes (address/paths.h). The IKE SA moves at once and pending requests
 * are repeated along the new path (ADR-038); the children move with it if the peer's address is proved,
 * and otherwise when it is. An update that is overtaken by another change is stale: its answer counts
 * for nothing, and a new one follows (RFC 4555 section 3.5).
 */
#include <stdio.h>

#include "ike/v2/v2.h"

enum { REFUSED_MOST = 5, RECHECKS_MOST = 2 };

bool v2_mobike_wanted(const struct ike *ike, const struct v2_sa *sa)
{
    const struct ike_profile *profile = v2_profile(ike, sa->profile);
    return profile != NULL && !profile->mobike_off; /* ADR-104: strangers are known by their address */
}

static struct address_pair pair_of(const struct v2_path *path)
{
    return (struct address_pair){path->local.addr, path->remote.addr};
}

static struct v2_path path_to(const struct v2_sa *sa, const struct address_pair *pair)
{
    struct v2_path path = sa->path;
    path.local.addr = pair->local;
    path.remote.addr = pair->remote;
    if (v2_path_is_tcp(&path)) { /* RFC 9329 section 7.1: elsewhere UDP is tried first */
        path.local.port = path.remote.port = IKE_NATT_PORT;
        path.remote.stream = 0;
    }
    return path;
}

static bool same_path(const struct v2_path *a, const struct v2_path *b)
{
    return ip_endpoint_equal(&a->local, &b->local) && ip_endpoint_equal(&a->remote, &b->remote);
}

static void tell(struct ike *ike, const struct v2_sa *sa, enum event_level level, const char *title,
                 const struct v2_path *path)
{
    char local[IP_ENDPOINT_TEXT_MAX], remote[IP_ENDPOINT_TEXT_MAX], text[2 * IP_ENDPOINT_TEXT_MAX + 8];
    snprintf(text, sizeof(text), "%s to %s", ip_endpoint_format(&path->local, local),
             ip_endpoint_format(&path->remote, remote));
    v2_trace(ike, sa, NULL, level, title, text);
}

/* Birth and death */

static struct ip_addr preferred(const struct ike *ike, const struct v2_sa *sa,
                                const struct address_set *own)
{
    if (address_set_has(own, &sa->mobike->asked.local))
        return sa->mobike->asked.local;
    const struct ike_profile *profile = v2_profile(ike, sa->profile);
    return profile != NULL ? profile->local : (struct ip_addr){.family = IP_NONE};
}

/* The candidates, as they are now. */
static void set_paths(struct ike *ike, struct v2_sa *sa)
{
    struct v2_mobike *mobike = sa->mobike;
    struct address_set own = ike->own, peer = mobike->peer;
    if (!ike->own_known && address_set_add(&own, &sa->path.local.addr) != ERR_OK)
        return; /* a tunnel's end has an address that will do */
    if (address_set_has(&peer, &mobike->asked.remote) &&
        address_set_promote(&peer, &mobike->asked.remote) != ERR_OK)
        return; /* it is a member */
    const struct address_own ours = {&own, ike->own_ranks, preferred(ike, sa, &own)};
    address_paths_set(&mobike->paths, ike->now, &ours, &peer, &ike->ways);
}

static void wait_for_probe(struct ike *ike, struct v2_mobike *mobike)
{
    const struct address_pair current = pair_of(&mobike->sa->path);
    ike_timer_set(ike, &mobike->probe, mobike->decides
                                           ? address_paths_next(&mobike->paths, &current)
                                           : MONO_NEVER);
}

static ike_timer_fn probe_timer;

enum err v2_mobike_new(struct ike *ike, struct v2_sa *sa)
{
    struct v2_mobike *mobike = calloc(1, sizeof(*mobike));
    if (mobike == NULL)
        return ERR_MEMORY;
    if (!ike_timer_add(ike, &mobike->probe, probe_timer)) {
        free(mobike);
        return ERR_MEMORY;
    }
    mobike->sa = sa;
    mobike->decides = sa->initiator;
    sa->mobike = mobike;
    return ERR_OK;
}

enum err v2_mobike_begin(struct ike *ike, struct v2_sa *sa, const struct address_set *peer)
{
    enum err err = v2_mobike_new(ike, sa);
    if (err != ERR_OK)
        return err;
    sa->mobike->peer = *peer; /* ADR-006: the first is that of the initial exchanges */
    if (!address_set_has(peer, &sa->path.remote.addr) &&
        address_set_promote(&sa->mobike->peer, &sa->path.remote.addr) != ERR_OK)
        sa->mobike->peer = (struct address_set){.list = {sa->path.remote.addr}, .count = 1};
    /* The first exchanges could not have been answered without being received (section 3.7). */
    address_proved(&sa->mobike->proved, &sa->path.remote.addr);
    if (sa->handshake != NULL && sa->handshake->draft)
        v2_addrmgmt_begin(sa);
    set_paths(ike, sa);
    wait_for_probe(ike, sa->mobike);
    v2_saved_sa(ike, sa);
    return ERR_OK;
}

void v2_mobike_free(struct ike *ike, struct v2_sa *sa)
{
    if (sa->mobike == NULL)
        return;
    ike_timer_drop(ike, &sa->mobike->probe);
    v2_addrmgmt_free(sa->mobike);
    address_paths_free(&sa->mobike->paths);
    free(sa->mobike);
    sa->mobike = NULL;
}

/* Requests of ours */

bool v2_mobike_is_out(const struct v2_exchange *x)
{
    return x != NULL && !x->in_line && x->out.datagrams.len != 0;
}

static struct v2_exchange *find(const struct v2_sa *sa, enum v2_says says)
{
    struct v2_exchange *x;
    if (sa->mine != NULL && sa->mine->says == says && !sa->mine->stale)
        return sa->mine;
    TAILQ_FOREACH (x, &sa->waiting, of_line)
        if (x->says == says)
            return x;
    return NULL;
}

/* One of a kind is enough; what is in line says how things are when its turn comes. */
void v2_mobike_say(struct ike *ike, struct v2_sa *sa, enum v2_says says, const struct v2_path *via)
{
    struct v2_exchange *x = find(sa, says);
    if (x != NULL && x->in_line && via != NULL && says == V2_SAYS_CHECK)
        x->via = *via; /* of an address that has been left nothing need be known */
    if (sa->dying || sa->closing || sa->replaced || (x != NULL && (x->in_line || via != NULL)))
        return;
    x = v2_line_up(ike, sa, V2_N_I_START);
    if (x == NULL)
        return;
    x->says = says;
    if (via != NULL) {
        x->has_via = true;
        x->via = *via;
    }
    if (says != V2_SAYS_PROBE)
        v2_line_first(sa, x);
    v2_line_go(ike, sa);
}

/* ADR-038: what the peer has not answered is repeated to where it is now, proved or not. */
static void repeat_pending(struct ike *ike, struct v2_sa *sa)
{
    struct v2_exchange *x = sa->mine;
    if (!v2_mobike_is_out(x))
        return;
    if (x->says == V2_SAYS_UPDATE || x->says == V2_SAYS_CHECK)
        x->stale = true; /* ADR-014 */
    x->looks = x->has_via = false;
    v2_elsewhere(ike, x);
}

/* Moving */

/* `policy_stays`: the peer wishes it so; we may too (ADR-040). */
static void place(struct ike *ike, struct v2_sa *sa, struct ike_child *child, bool policy_stays)
{
    const struct ike_profile *profile = v2_profile(ike, sa->profile);
    struct ip_endpoint here = sa->path.local, there = sa->path.remote;
    child->policy_stays = policy_stays || (profile != NULL && profile->policy_stays);
    child->udp = sa->nat.udp;
    child->follows = v2_nat_follows(sa);
    if (!sa->nat.udp || child->protocol == SA_AH)
        here.port = there.port = 0;
    ike_child_readdress(ike, child, &here, &there);
}

static void place_all(struct ike *ike, struct v2_sa *sa)
{
    struct ike_child *child;
    LIST_FOREACH (child, &sa->children, of_v2_sa)
        if (!v2_addrmgmt_stays(ike, sa, child))
            place(ike, sa, child, false);
    v2_nat_keepalive_start(ike, sa);
}

void v2_mobike_place_at(struct ike *ike, struct v2_sa *sa, struct ike_child *child,
                        const struct v2_path *path, bool policy_stays)
{
    const struct v2_path now = sa->path;
    sa->path = *path;
    place(ike, sa, child, policy_stays);
    sa->path = now;
}

/* While an address is being checked the others are still where it was before, and so is this one. */
void v2_mobike_place(struct ike *ike, struct v2_sa *sa, struct ike_child *child)
{
    const struct v2_mobike *mobike = sa->mobike;
    if (mobike == NULL || (mobike->moves == 0 && child->here.addr.family == IP_NONE))
        return;
    const struct v2_path path = mobike->checking ? mobike->before : sa->path;
    v2_mobike_place_at(ike, sa, child, &path, false);
}

/* ADR-001, ADR-003: the IKE SA is elsewhere now, with its identities, keys and SPIs. `nat`: and with what is known
 * of NAT there. */
void v2_mobike_shift(struct ike *ike, struct v2_sa *sa, const struct v2_path *to,
                     const struct v2_nat *nat, bool check)
{
    struct v2_mobike *mobike = sa->mobike;
    const struct v2_path before = sa->path;
    if (!mobike->checking) {
        mobike->before = sa->path;
        mobike->nat_before = sa->nat;
    }
    if (nat != NULL)
        sa->nat = *nat;
    mobike->disproved = false;
    sa->path = *to;
    sa->nat.udp |= v2_path_is_tcp(to);
    mobike->moves++;
    ike_count(ike, IKE_COUNT_MOVED);
    mobike->checking = check;
    mobike->rechecks = 0;
    tell(ike, sa, EVENT_INFO, "Addresses changed", to);
    v2_saved_sa(ike, sa);
    repeat_pending(ike, sa);
    v2_tcp_moved(ike, sa, &before);
}

/* Its children too, unless the address has to be proved first. */
static void go(struct ike *ike, struct v2_sa *sa, const struct v2_path *to, const struct v2_nat *nat)
{
    bool check = !v2_path_is_tcp(to) && /* ADR-010; RFC 9329 section 7.1 */
                 address_check_due(ike->config.address_check, &sa->mobike->proved, &to->remote.addr);
    v2_mobike_shift(ike, sa, to, nat, check);
    if (!check)
        place_all(ike, sa);
}

/* We decide: the peer hears of it. */
static void move_to(struct ike *ike, struct v2_sa *sa, struct v2_path to)
{
    sa->mobike->no_way = false;
    sa->mobike->mapped_known = false;
    go(ike, sa, &to, NULL);
    wait_for_probe(ike, sa->mobike);
    if (sa->mobike->draft && !address_is_global(&to.local.addr))
        v2_addrmgmt_give_way(ike, sa, "its new address means nothing to the peer");
    else
        v2_mobike_say(ike, sa, V2_SAYS_UPDATE, NULL);
}

static void move(struct ike *ike, struct v2_sa *sa, const struct address_pair *pair)
{
    move_to(ike, sa,
            v2_tcp_only(ike, sa) ? v2_tcp_path(ike, v2_profile(ike, sa->profile), &pair->local,
                                               &pair->remote)
                                 : path_to(sa, pair));
}

bool v2_mobike_reconnected(struct ike *ike, struct v2_sa *sa)
{
    if (sa->mobike == NULL || !sa->mobike->decides)
        return false;
    v2_mobike_say(ike, sa, V2_SAYS_UPDATE, NULL);
    return true;
}

static void proved(struct ike *ike, struct v2_sa *sa)
{
    sa->mobike->checking = false;
    address_proved(&sa->mobike->proved, &sa->path.remote.addr);
    place_all(ike, sa);
    v2_saved_sa(ike, sa);
}

static void disproved(struct ike *ike, struct v2_sa *sa)
{
    struct v2_mobike *mobike = sa->mobike;
    if (!mobike->checking)
        return;
    ike_count(ike, IKE_COUNT_MOVE_REFUSED);
    tell(ike, sa, EVENT_WARNING, "Peer not reached at its new address", &sa->path);
    const struct v2_path failed = sa->path;
    sa->path = mobike->before;
    sa->nat = mobike->nat_before;
    v2_tcp_moved(ike, sa, &failed);
    mobike->checking = false;
    mobike->disproved = true;
    v2_saved_sa(ike, sa);
}

void v2_mobike_settle(struct ike *ike, struct v2_sa *sa, bool ok)
{
    if (!ok)
        disproved(ike, sa);
    sa->mobike->checking = false;
    v2_saved_sa(ike, sa);
}

/* Our addresses */

static bool own_address_for(const struct ike *ike, const struct v2_sa *sa, struct ip_addr *ret)
{
    for (size_t i = 0; i < ike->own.count; i++) {
        if (address_reaches(&ike->ways, &ike->own.list[i], &sa->path.remote.addr)) {
            *ret = ike->own.list[i];
            return true;
        }
    }
    return false;
}

/* ADR-044: the path goes from an address of ours that was there `before`, and is gone or has no way to the peer
 * any more. One that we never heard of is another interface's, of which nothing is known. */
static bool rootless(const struct ike *ike, const struct v2_sa *sa,
                     const struct address_set *before)
{
    const struct ip_addr *local = &sa->path.local.addr;
    return (sa->mobike->no_way || address_set_has(before, local)) &&
           (!address_set_has(&ike->own, local) ||
            !address_reaches(&ike->ways, local, &sa->path.remote.addr));
}

/* Who doesn't decide says from where it sends now, and the other end may make up its mind. */
static void leave(struct ike *ike, struct v2_sa *sa, const struct ip_addr *local)
{
    struct v2_path to = sa->path;
    to.local.addr = *local;
    sa->mobike->no_way = false;
    go(ike, sa, &to, NULL);
    v2_mobike_say(ike, sa, sa->mobike->draft ? V2_SAYS_UPDATE : V2_SAYS_ADDRESSES, NULL);
}

/* Section 3.5, at its end: who doesn't decide may still leave an address that is gone. */
static void follow_own(struct ike *ike, struct v2_sa *sa)
{
    struct v2_path to = sa->path;
    sa->mobike->no_way = !own_address_for(ike, sa, &to.local.addr);
    if (sa->mobike->no_way)
        return;
    go(ike, sa, &to, NULL);
    if (sa->mobike->draft) /* whose updates either end may send */
        v2_mobike_say(ike, sa, V2_SAYS_UPDATE, NULL);
}

static void decide(struct ike *ike, struct v2_sa *sa, bool is_rootless)
{
    struct v2_mobike *mobike = sa->mobike;
    const struct address_pair current = pair_of(&sa->path);
    struct address_pair best;
    if (!is_rootless && address_set_has(&mobike->peer, &current.remote)) {
        mobike->no_way = false;
        wait_for_probe(ike, mobike);
        return;
    }
    bool known = mobike->no_way;
    mobike->no_way = !address_paths_best(&mobike->paths, &current, &best);
    if (!mobike->no_way)
        move(ike, sa, &best);
    else if (!known)
        tell(ike, sa, EVENT_WARNING, "No way to the peer", &sa->path);
}

static void own_changed(struct ike *ike, struct v2_sa *sa, const struct address_set *before)
{
    bool is_rootless = rootless(ike, sa, before);
    set_paths(ike, sa);
    if (sa->mobike->decides)
        decide(ike, sa, is_rootless);
    else if (is_rootless)
        follow_own(ike, sa);
    if (find(sa, V2_SAYS_UPDATE) == NULL) /* which says so too */
        v2_mobike_say(ike, sa, V2_SAYS_ADDRESSES, NULL);
}

void v2_mobike_peer_changed(struct ike *ike, struct v2_sa *sa)
{
    set_paths(ike, sa);
    wait_for_probe(ike, sa->mobike);
    v2_saved_sa(ike, sa);
}

/* The peer hears nothing of it unless we move. */
static void routes_changed(struct ike *ike, struct v2_sa *sa)
{
    bool is_rootless = rootless(ike, sa, &ike->own);
    set_paths(ike, sa);
    if (sa->mobike->decides)
        decide(ike, sa, is_rootless);
    else if (is_rootless)
        follow_own(ike, sa);
}

static bool moves(const struct v2_sa *sa)
{
    return sa->mobike != NULL && sa->established && !sa->dying;
}

void v2_mobike_routes(struct ike *ike)
{
    for (size_t i = 0; i < ike->v2.all_count; i++)
        if (moves(ike->v2.all[i]))
            routes_changed(ike, ike->v2.all[i]);
}

enum err v2_mobike_addresses(struct ike *ike, const struct ike_event *event)
{
    uint8_t ranks[ADDRESS_SET_MAX] = {0};
    struct address_set own = {.count = 0}, before = ike->own;
    for (size_t i = 0; i < event->address_count; i++) {
        enum err err = address_set_add(&own, &event->addresses[i]);
        if (err == ERR_LIMIT)
            ike_count(ike, IKE_COUNT_LIMIT);
        else if (err == ERR_OK && event->address_ranks != NULL)
            ranks[own.count - 1] = event->address_ranks[i];
    }
    bool same = ike->own_known && address_set_equal(&own, &ike->own);
    memcpy(ike->own_ranks, ranks, sizeof(ranks));
    if (same) {
        v2_mobike_routes(ike);
        return ERR_OK;
    }
    ike->own = own;
    ike->own_known = true;
    for (size_t i = 0; i < ike->v2.all_count; i++) {
        struct v2_sa *sa = ike->v2.all[i];
        if (moves(sa))
            own_changed(ike, sa, &before);
    }
    return ERR_OK;
}

/* ADR-099. A way that is only better liked is kept to; where the old one is gone this one just comes next. */
enum err v2_mobike_asked(struct ike *ike, struct v2_sa *sa, const struct ip_addr *local,
                         const struct ip_addr *remote)
{
    struct v2_mobike *mobike = sa->mobike;
    struct address_pair to = pair_of(&sa->path);
    if (mobike == NULL || sa->dying || sa->closing || sa->replaced)
        return ERR_UNSUPPORTED;
    bool rooted = address_set_has(&ike->own, &to.local);
    if (local->family != IP_NONE)
        to.local = *local;
    if (remote->family != IP_NONE)
        to.remote = *remote;
    if (to.local.family != to.remote.family || !address_set_has(&ike->own, &to.local) ||
        !address_set_has(&mobike->peer, &to.remote))
        return ERR_VALUE;
    if (!mobike->decides && !ip_addr_equal(&to.remote, &sa->path.remote.addr))
        return ERR_UNSUPPORTED;
    if (rooted)
        mobike->asked = to;
    set_paths(ike, sa);
    const struct address_pair current = pair_of(&sa->path);
    if (address_pair_equal(&to, &current))
        wait_for_probe(ike, mobike);
    else if (mobike->decides)
        move(ike, sa, &to);
    else
        leave(ike, sa, &to.local);
    return ERR_OK;
}

/* Trying other paths. ADR-044: the draft has nothing of its own for it, nor for ends that move at once. */

const struct v2_path *v2_mobike_way(const struct v2_exchange *x)
{
    const struct v2_sa *sa = x->sa;
    if (x->has_via && x->repeats_made < V2_VIA_TRIES)
        return &x->via;
    if (x->says == V2_SAYS_CHECK && !x->stale && sa->mobike != NULL && sa->mobike->checking &&
        x->repeats_made % 2 != 0) /* by turns: it may be that only the answers were lost */
        return &sa->mobike->before;
    return &sa->path;
}

bool v2_mobike_stranded(const struct v2_exchange *x)
{
    return x->sa->mobike != NULL && x->sa->mobike->no_way;
}

/* Section 3.6: who doesn't decide uses the peer's other addresses to say where it is itself. */
static bool may_look(const struct ike *ike, const struct v2_exchange *x)
{
    const struct v2_mobike *mobike = x->sa->mobike;
    return mobike != NULL && !v2_tcp_only(ike, x->sa) && !x->has_via && x->repeats_made >= V2_LOOK_TRIES &&
           (mobike->decides || x->says == V2_SAYS_ADDRESSES || (mobike->draft && x->says == V2_SAYS_UPDATE));
}

/* RFC 9329 section 7.1: the same request through TCP, where nothing comes through UDP. */
static void look_through_tcp(struct ike *ike, struct v2_exchange *x)
{
    struct v2_sa *sa = x->sa;
    if (!v2_path_is_tcp(&x->tcp)) {
        x->tcp = v2_tcp_path(ike, v2_profile(ike, sa->profile), &sa->path.local.addr,
                             &sa->path.remote.addr);
        tell(ike, sa, EVENT_INFO, "TCP is tried", &x->tcp);
    }
    v2_sent_repeat(ike, sa, &x->tcp, &x->out);
}

/* ADR-020, ADR-021: a request that is repeated may go another way; an answer goes where its request was from. */
void v2_mobike_repeat(struct ike *ike, struct v2_exchange *x)
{
    struct v2_sa *sa = x->sa;
    struct address_pair current = pair_of(&sa->path), next;
    x->repeats_made++;
    v2_sent_repeat(ike, sa, v2_mobike_way(x), &x->out);
    v2_addrmgmt_repeat(ike, x);
    if (v2_tcp_may_try(ike, x))
        look_through_tcp(ike, x);
    if (!may_look(ike, x))
        return;
    if (!address_paths_after(&sa->mobike->paths, x->looks ? &x->looked : &current, &next))
        return;
    const struct v2_path other = path_to(sa, &next);
    x->looked = next;
    x->looks = true;
    if (address_pair_equal(&next, &current))
        return;
    tell(ike, sa, EVENT_INFO, "Another path is tried", &other);
    v2_sent_repeat(ike, sa, &other, &x->out);
}

/* Only that way was there an answer. */
static void heard_through_tcp(struct ike *ike, struct v2_exchange *x)
{
    const struct v2_path to = x->tcp;
    x->tcp = (struct v2_path){.natt = false};
    if (x->says == V2_SAYS_UPDATE)
        x->stale = true;
    v2_sent_wipe(&x->out);
    move_to(ike, x->sa, to);
}

void v2_mobike_heard(struct ike *ike, struct v2_exchange *x, const struct ike_event *event)
{
    struct v2_sa *sa = x->sa;
    if (v2_path_is_tcp(&x->tcp) && x->tcp.remote.stream == event->remote.stream) {
        heard_through_tcp(ike, x);
        return;
    }
    const struct address_pair pair = {event->local.addr, event->remote.addr};
    const struct address_pair current = pair_of(&sa->path);
    if (sa->mobike == NULL || (!sa->mobike->decides && !sa->mobike->draft) || !x->looks ||
        address_pair_equal(&pair, &current) || !address_paths_has(&sa->mobike->paths, &pair))
        return;
    if (x->says == V2_SAYS_UPDATE)
        x->stale = true;
    v2_sent_wipe(&x->out); /* it is answered */
    move(ike, sa, &pair);
}

/* Section 3.9: whoever changed one packet need not have kept the path from us. Else another one. */
void v2_mobike_refused(struct ike *ike, struct v2_sa *sa, bool by_nat)
{
    struct v2_mobike *mobike = sa->mobike;
    const struct address_pair current = pair_of(&sa->path);
    struct address_pair next;
    if (++mobike->refused > REFUSED_MOST)
        mobike->refused = 0;
    else if (by_nat && mobike->refused % 2 != 0)
        v2_mobike_say(ike, sa, V2_SAYS_UPDATE, NULL);
    else if (address_paths_after(&mobike->paths, &current, &next))
        move(ike, sa, &next);
    else if (by_nat || mobike->draft) /* whose answer's refusal leaves the peer's SAs where we aren't */
        v2_mobike_say(ike, sa, V2_SAYS_UPDATE, NULL);
}

/* A better path may be there again. */
static void probe_timer(struct ike *ike, struct ike_timer *timer)
{
    struct v2_mobike *mobike =
        (struct v2_mobike *)(void *)((char *)timer - offsetof(struct v2_mobike, probe));
    struct v2_sa *sa = mobike->sa;
    const struct address_pair current = pair_of(&sa->path);
    struct address_pair pair;
    if (!mobike->no_way && !v2_tcp_only(ike, sa) && address_paths_due(&mobike->paths, ike->now, &current, &pair)) {
        const struct v2_path via = path_to(sa, &pair);
        v2_mobike_say(ike, sa, V2_SAYS_PROBE, &via);
    }
    ike_timer_set(ike, timer, mono_add(ike->now, ADDRESS_PROBE_MS));
}

/* An authentic packet from elsewhere may have been caught and sent on by anyone (the transient pseudo-NAT
 * attack): who sent it there has to answer from there first. */
void v2_mobike_esp_from(struct ike *ike, struct v2_sa *sa, const struct ip_endpoint *from)
{
    struct v2_path via = sa->path;
    via.remote = *from;
    if (!same_path(&via, &sa->path))
        v2_mobike_say(ike, sa, V2_SAYS_CHECK, &via);
}

/* Answers */

bool v2_mobike_came_from(const struct v2_step *step, const struct v2_path *path)
{
    return ip_endpoint_equal(&step->event->remote, &path->remote) &&
           ip_addr_equal(&step->event->local.addr, &path->local.addr);
}

static void checked(struct v2_step *step, bool has_cookie)
{
    struct ike *ike = step->ike;
    struct v2_sa *sa = step->sa;
    const struct v2_path *via = &step->x->via;
    bool ok = has_cookie && v2_mobike_came_from(step, via);
    if (same_path(via, &sa->path)) {
        /* Who can have one answer come from elsewhere must not decide where the SA goes. */
        if (has_cookie && !ok && sa->mobike->rechecks++ < RECHECKS_MOST) {
            step->x->stale = true;
            v2_mobike_say(ike, sa, V2_SAYS_CHECK, via);
            return;
        }
        if (ok)
            proved(ike, sa);
        else
            disproved(ike, sa);
        return;
    }
    if (sa->mobike->checking)
        return; /* it has moved on in the meantime */
    if (!ok) {
        ike_count(ike, IKE_COUNT_MOVE_REFUSED);
        tell(ike, sa, EVENT_WARNING, "Not the peer's address", via);
        return;
    }
    address_proved(&sa->mobike->proved, &via->remote.addr);
    go(ike, sa, via, NULL);
    place_all(ike, sa);
}

static void probed(struct v2_step *step, bool ok)
{
    struct v2_sa *sa = step->sa;
    struct v2_mobike *mobike = sa->mobike;
    const struct address_pair current = pair_of(&sa->path), pair = pair_of(&step->x->via);
    ok = ok && v2_mobike_came_from(step, &step->x->via);
    if (address_paths_probed(&mobike->paths, step->ike->now, &current, &pair, ok))
        move(step->ike, sa, &pair);
    else
        wait_for_probe(step->ike, mobike);
}

static enum err take_nat(struct v2_step *step)
{
    struct v2_sa *sa = step->sa;
    struct v2_nat nat;
    if (!sa->nat.agreed)
        return ERR_OK;
    enum err err = v2_nat_read_ends(step, &step->event->local, &step->event->remote, &nat);
    if (err != ERR_OK || !nat.agreed)
        return err;
    nat.udp = v2_path_is_tcp(&sa->path) || v2_nat_needs_udp(step->ike, &nat);
    sa->nat = nat;
    return ERR_OK;
}

static enum err updated(struct v2_step *step, bool has_cookie)
{
    struct ike *ike = step->ike;
    struct v2_sa *sa = step->sa;
    struct ike2_notify n;
    if (v2_notified(step, IKE2_N_UNACCEPTABLE_ADDRESSES, &n) ||
        v2_notified(step, IKE2_N_UNEXPECTED_NAT_DETECTED, &n)) {
        tell(ike, sa, EVENT_WARNING, ike2_notify_name(n.type), &sa->path);
        v2_mobike_refused(ike, sa, n.type == IKE2_N_UNEXPECTED_NAT_DETECTED);
        return ERR_OK;
    }
    enum err err = take_nat(step);
    if (err != ERR_OK)
        return err;
    (void)v2_mobike_mapping_changed(step);
    sa->mobike->refused = 0;
    if (has_cookie && v2_mobike_came_from(step, &sa->path))
        proved(ike, sa);
    else if (!sa->mobike->checking)
        place_all(ike, sa);
    return ERR_OK;
}

enum err v2_mobike_reply(struct v2_step *step)
{
    struct v2_sa *sa = step->sa;
    bool has_cookie = false;
    if (sa->mobike == NULL || step->x->says == V2_SAYS_LITTLE)
        return ERR_OK;
    if ((sa->mobike->draft && v2_addrmgmt_reply(step)) || step->x->stale)
        return ERR_OK;
    enum err err = v2_mobike_cookie(step, &has_cookie);
    if (err != ERR_OK) { /* section 3.7 */
        v2_sa_close(step->ike, sa, "an answer with another COOKIE2 than ours");
        return ERR_OK;
    }
    switch (step->x->says) {
    case V2_SAYS_UPDATE:
        return updated(step, has_cookie);
    case V2_SAYS_CHECK:
        checked(step, has_cookie);
        break;
    case V2_SAYS_PROBE:
        probed(step, has_cookie);
        break;
    case V2_SAYS_ALIVE:
        if (v2_mobike_mapping_changed(step))
            v2_mobike_say(step->ike, sa, V2_SAYS_UPDATE, NULL);
        break;
    case V2_SAYS_ADDRESSES:
    case V2_SAYS_LITTLE:
        break;
    }
    return ERR_OK;
}

/* The peer's request */

/* The SAs follow the packet: source and destination are what its header says (section 3.5). */
static void follow_update(struct v2_step *step, const struct v2_nat *nat)
{
    struct ike *ike = step->ike;
    struct v2_sa *sa = step->sa;
    const struct v2_path to = {step->event->local, step->event->remote, step->event->natt};
    if (v2_path_is_tcp(&to) != v2_path_is_tcp(&sa->path) && !nat->agreed)
        sa->nat.udp = v2_path_is_tcp(&to);
    if (same_path(&to, &sa->path) && !sa->mobike->checking) {
        if (nat->agreed)
            sa->nat = *nat;
        sa->mobike->disproved = false;
        place_all(ike, sa);
        return;
    }
    sa->mobike->no_way = false;
    go(ike, sa, &to, nat->agreed ? nat : NULL);
    if (sa->mobike->checking)
        v2_mobike_say(ike, sa, V2_SAYS_CHECK, &to);
}

/* A peer whose new address could not be proved thinks that it was followed. What it asks next from elsewhere (is
 * the NAT as it was?) is taken for the update that failed: it may have been somebody on the path who made it fail. */
void v2_mobike_do(struct v2_step *step, const struct v2_mobike_wish *wish)
{
    struct v2_sa *sa = step->sa;
    if (wish->addresses) {
        sa->mobike->peer = wish->peer;
        set_paths(step->ike, sa);
        v2_saved_sa(step->ike, sa);
    }
    if (wish->update)
        follow_update(step, &wish->nat);
    else if (wish->addresses && sa->mobike->decides)
        decide(step->ike, sa, false);
    else if (sa->mobike != NULL && sa->mobike->disproved && wish->nat.agreed)
        follow_update(step, &wish->nat);
}

/* Re-keying the IKE SA: all goes on under the new one. */
void v2_mobike_inherit(struct ike *ike, struct v2_sa *from, struct v2_sa *to)
{
    struct v2_exchange *x = from->mine;
    if (from->mobike == NULL || to->mobike != NULL)
        return;
    to->mobike = from->mobike;
    to->mobike->sa = to;
    to->path = from->path;
    to->nat = from->nat;
    from->mobike = NULL;
    v2_saved_sa(ike, to);
    if (v2_mobike_is_out(x) && (x->says == V2_SAYS_UPDATE || x->stale))
        v2_mobike_say(ike, to, V2_SAYS_UPDATE, NULL);
    if (v2_mobike_is_out(x) && x->says == V2_SAYS_CHECK)
        v2_mobike_say(ike, to, V2_SAYS_CHECK, &x->via);
}
