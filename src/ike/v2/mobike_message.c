/* What MOBIKE says: its notifies (RFC 4555 section 4) in IKE_AUTH and INFORMATIONAL messages. */
#include "base/builder.h"
#include "ike/v2/v2.h"

enum { NO_NATS_MAX = 16 + 16 + 2 + 2, COOKIE2_MIN = 8, COOKIE2_MAX = 64 };

/* Which notifies' meaning depends on the addresses in the message's header. */
static const struct v2_path *ends_of(const struct v2_exchange *x)
{
    return x->has_via ? &x->via : &x->sa->path;
}

/* Section 4.2.6: source and destination as the sender knows them. */
static struct view no_nats(const struct ip_endpoint *source, const struct ip_endpoint *destination,
                           uint8_t *room)
{
    struct builder b = builder_on(span_of(room, NO_NATS_MAX));
    builder_view(&b, ip_addr_view(&source->addr));
    builder_view(&b, ip_addr_view(&destination->addr));
    builder_u16(&b, source->port);
    builder_u16(&b, destination->port);
    return builder_written(&b);
}

static void put_no_nats(const struct v2_path *path, struct ike2_writer *w)
{
    uint8_t room[NO_NATS_MAX];
    ike2_writer_notify(w, IKE2_N_NO_NATS_ALLOWED, no_nats(&path->local, &path->remote, room));
}

/* What the message's own header doesn't say; *ret_any: there was something to say. */
static void put_additional(const struct ike *ike, const struct v2_path *path, struct ike2_writer *w,
                           bool *ret_any)
{
    *ret_any = false;
    for (size_t i = 0; i < ike->own.count; i++) {
        const struct ip_addr *addr = &ike->own.list[i];
        if (ip_addr_equal(addr, &path->local.addr))
            continue;
        ike2_writer_notify(w,
                           addr->family == IP_V4 ? IKE2_N_ADDITIONAL_IP4_ADDRESS
                                                 : IKE2_N_ADDITIONAL_IP6_ADDRESS,
                           ip_addr_view(addr));
        *ret_any = true;
    }
}

static bool nat_forbidden(const struct v2_step *step)
{
    return step->ike->config.nat == IKE_NAT_OFF;
}

/* IKE_AUTH */

void v2_mobike_put_support(const struct v2_step *step, struct ike2_writer *w)
{
    const struct v2_sa *sa = step->sa;
    bool any;
    v2_addrmgmt_put_support(step, w);
    if (!v2_mobike_wanted(step->ike, sa) || (!sa->initiator && !sa->handshake->mobike))
        return;
    ike2_writer_notify(w, IKE2_N_MOBIKE_SUPPORTED, view_of(NULL, 0));
    put_additional(step->ike, &sa->path, w, &any);
    if (sa->initiator && nat_forbidden(step))
        put_no_nats(&sa->path, w);
}

/* The list in the message, behind its source; *ret_any: it is about addresses at all. A list that is
 * longer than ours counts as far as it goes (ADR-033: addresses that nobody can use don't). */
static void read_addresses(const struct v2_step *step, struct address_set *ret, bool *ret_any)
{
    const struct ike2_payload *payload;
    struct ike2_notify n;
    *ret_any = v2_notified(step, IKE2_N_NO_ADDITIONAL_ADDRESSES, &n);
    for (size_t i = 0; (payload = ike2_payload_find(step->payloads, IKE2_P_N, i)) != NULL; i++) {
        if (ike2_notify_parse(payload->body, &n) != ERR_OK)
            continue;
        size_t len = n.type == IKE2_N_ADDITIONAL_IP4_ADDRESS   ? 4
                     : n.type == IKE2_N_ADDITIONAL_IP6_ADDRESS ? 16
                                                               : 0;
        if (len == 0 || n.data.len != len)
            continue;
        const struct ip_addr addr = ip_addr_from(n.data);
        *ret_any = true;
        if (address_set_add(ret, &addr) == ERR_LIMIT)
            ike_count(step->ike, IKE_COUNT_LIMIT);
    }
}

/* Section 3.9. True: something on the way has changed the addresses that the sender protects. */
static bool is_altered(const struct v2_step *step)
{
    uint8_t room[NO_NATS_MAX];
    struct ike2_notify n;
    return step->event->remote.stream == 0 && /* RFC 9329 section 7.1 */
           v2_notified(step, IKE2_N_NO_NATS_ALLOWED, &n) &&
           !view_equal(n.data, no_nats(&step->event->remote, &step->event->local, room));
}

enum err v2_mobike_read_support(struct v2_step *step)
{
    struct v2_handshake *hs = step->sa->handshake;
    struct ike2_notify n;
    bool any;
    hs->floats = v2_notified(step, IKE2_N_MOBIKE_SUPPORTED, &n);
    v2_addrmgmt_read_support(step);
    hs->mobike = hs->floats && !hs->draft && v2_mobike_wanted(step->ike, step->sa);
    if (!hs->mobike)
        return ERR_OK;
    read_addresses(step, &hs->addresses, &any);
    if (step->sa->initiator || !is_altered(step))
        return ERR_OK;
    return v2_refuse(step, ERR_SELECTOR, IKE2_N_UNEXPECTED_NAT_DETECTED,
                     "addresses were changed on the way");
}

/* Requests of ours */

void v2_mobike_put_cookie(struct v2_step *step, struct ike2_writer *w, uint16_t type)
{
    step->x->cookie = address_cookie_new(&step->ike->env.rng); /* ADR-097 */
    ike2_writer_notify(w, type,
                       view_of(step->x->cookie.octets, sizeof(step->x->cookie.octets)));
}

static enum err put_ends(struct v2_step *step, struct ike2_writer *w)
{
    const struct v2_path *path = ends_of(step->x);
    if (nat_forbidden(step)) {
        put_no_nats(path, w);
        return ERR_OK;
    }
    if (!step->sa->nat.agreed)
        return ERR_OK;
    if (step->ike->config.nat == IKE_NAT_FORCE) {
        const struct ip_endpoint nobody = {.addr = {.family = path->local.addr.family}};
        return v2_nat_put_ends(step->sa, w, &nobody, &path->remote);
    }
    return v2_nat_put_ends(step->sa, w, &path->local, &path->remote);
}

static void put_list(struct v2_step *step, struct ike2_writer *w)
{
    bool any;
    put_additional(step->ike, ends_of(step->x), w, &any);
    if (!any)
        ike2_writer_notify(w, IKE2_N_NO_ADDITIONAL_ADDRESSES, view_of(NULL, 0));
}

enum err v2_mobike_put(struct v2_step *step, struct ike2_writer *w)
{
    if (step->sa->mobike == NULL)
        return ERR_OK;
    if (step->sa->mobike->draft) {
        v2_addrmgmt_put(step, w);
        return ERR_OK;
    }
    switch (step->x->says) {
    case V2_SAYS_UPDATE:
        ike2_writer_notify(w, IKE2_N_UPDATE_SA_ADDRESSES, view_of(NULL, 0));
        put_list(step, w);
        v2_mobike_put_cookie(step, w, IKE2_N_COOKIE2);
        return put_ends(step, w);
    case V2_SAYS_ADDRESSES:
        put_list(step, w);
        if (nat_forbidden(step))
            put_no_nats(ends_of(step->x), w);
        break;
    case V2_SAYS_CHECK:
    case V2_SAYS_PROBE:
        v2_mobike_put_cookie(step, w, IKE2_N_COOKIE2);
        break;
    case V2_SAYS_ALIVE:
        v2_mobike_put_cookie(step, w, IKE2_N_COOKIE2);
        return put_ends(step, w);
    case V2_SAYS_LITTLE:
        break;
    }
    return ERR_OK;
}

/* Requests of the peer's */

static bool has_detection(const struct v2_step *step)
{
    struct ike2_notify n;
    return v2_notified(step, IKE2_N_NAT_DETECTION_SOURCE_IP, &n) &&
           v2_notified(step, IKE2_N_NAT_DETECTION_DESTINATION_IP, &n);
}

static enum err answer_detection(struct v2_step *step, struct ike2_writer *w, struct v2_nat *ret)
{
    const struct ike_event *event = step->event;
    struct ip_endpoint own = event->local;
    if (!has_detection(step) || !step->sa->nat.agreed)
        return ERR_OK;
    enum err err = v2_nat_read_ends(step, &event->local, &event->remote, ret);
    if (err != ERR_OK)
        return err;
    ret->udp = event->remote.stream != 0 || v2_nat_needs_udp(step->ike, ret);
    if (step->ike->config.nat == IKE_NAT_FORCE)
        own = (struct ip_endpoint){.addr = {.family = own.addr.family}};
    return v2_nat_put_ends(step->sa, w, &own, &event->remote);
}

static bool is_acceptable(const struct v2_step *step)
{
    const struct ike_event *event = step->event;
    return event->remote.port != 0 && !ip_addr_is_special(&event->remote.addr) &&
           event->natt == step->sa->path.natt;
}

enum err v2_mobike_take(struct v2_step *step, struct ike2_writer *w, struct v2_mobike_wish *ret)
{
    struct ike2_notify n;
    struct v2_mobike_wish wish = {.update = false};
    *ret = wish;
    if (step->sa->mobike == NULL || step->sa->mobike->draft)
        return ERR_OK;
    if (v2_notified(step, IKE2_N_COOKIE2, &n) && n.data.len >= COOKIE2_MIN &&
        n.data.len <= COOKIE2_MAX) /* section 3.7: as it is */
        ike2_writer_notify(w, IKE2_N_COOKIE2, n.data);
    wish.peer = (struct address_set){.list = {step->event->remote.addr}, .count = 1};
    read_addresses(step, &wish.peer, &wish.addresses);
    wish.update = v2_notified(step, IKE2_N_UPDATE_SA_ADDRESSES, &n) && !step->sa->mobike->decides;
    if ((wish.update || wish.addresses) && is_altered(step)) {
        ike_count(step->ike, IKE_COUNT_MOVE_REFUSED);
        ike2_writer_notify(w, IKE2_N_UNEXPECTED_NAT_DETECTED, view_of(NULL, 0));
        return ERR_OK;
    }
    if (wish.update && !is_acceptable(step)) {
        ike_count(step->ike, IKE_COUNT_MOVE_REFUSED);
        ike2_writer_notify(w, IKE2_N_UNACCEPTABLE_ADDRESSES, view_of(NULL, 0));
        return ERR_OK;
    }
    enum err err = answer_detection(step, w, &wish.nat);
    if (err == ERR_OK)
        *ret = wish;
    return err;
}

/* Answers of the peer's */

enum err v2_mobike_cookie(const struct v2_step *step, bool *ret_has)
{
    struct ike2_notify n;
    bool asked = step->x->says != V2_SAYS_ADDRESSES, draft = step->sa->mobike->draft;
    *ret_has = false;
    if (!asked || !v2_notified(step, draft ? ADDRMGMT_N_RR_COOKIE : IKE2_N_COOKIE2, &n))
        return ERR_OK;
    if (draft) /* ADR-098: another cookie proves nothing */
        *ret_has = address_cookie_matches(&step->x->cookie, n.data);
    else if (!address_cookie_matches(&step->x->cookie, n.data))
        return ERR_AUTH;
    else
        *ret_has = true;
    return ERR_OK;
}

bool v2_mobike_mapping_changed(const struct v2_step *step)
{
    struct v2_mobike *mobike = step->sa->mobike;
    struct ike2_notify n;
    if (!v2_notified(step, IKE2_N_NAT_DETECTION_DESTINATION_IP, &n) ||
        n.data.len > sizeof(mobike->mapped))
        return false;
    bool changed =
        mobike->mapped_known && memcmp(mobike->mapped, n.data.ptr, n.data.len) != 0;
    memcpy(mobike->mapped, n.data.ptr, n.data.len);
    mobike->mapped_known = true;
    return changed;
}

/* For status */

static bool is_probing(const struct v2_sa *sa)
{
    const struct v2_exchange *x;
    if (sa->mine != NULL && sa->mine->says == V2_SAYS_PROBE)
        return true;
    TAILQ_FOREACH (x, &sa->waiting, of_line)
        if (x->says == V2_SAYS_PROBE)
            return true;
    return false;
}

void v2_mobike_info(const struct v2_sa *sa, struct ike_sa_info *ret)
{
    const struct v2_mobike *mobike = sa->mobike;
    if (mobike == NULL)
        return;
    ret->peer_addresses = &mobike->peer;
    ret->draft = mobike->draft;
    ret->told = &mobike->told;
    ret->checking = mobike->checking;
    ret->no_way = mobike->no_way;
    ret->probing = mobike->decides && !mono_is_never(mobike->probe.node.at) &&
                   is_probing(sa);
    ret->moves = mobike->moves;
}
