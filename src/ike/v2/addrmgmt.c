/*
 * Address management by draft-dupont-ikev2-addrmgmt-06, with a peer that has it too; with others there is
 * MOBIKE (mobike.c), whose paths, probes and repetitions serve both. Either end says where it is itself:
 *
 *      A (at a new address)                                B
 *         ## MARK source, MARK destination, U(all), RR_COOKIE ##>   the IKE SA follows at once, with
 *                                                          what is pending (ADR-038)
 *         <########################### RR_COOKIE ##        is A there? (ADR-036)
 *         ## RR_COOKIE ###########################>        children follow
 *         <######################### U(all), RR_COOKIE ##  only now (ADR-037)
 *
 * Requests have one window, so updates are done in their order (ADR-035); colliding ones are two exchanges
 * like any other (ADR-086), but that neither end can ask before its own is answered: then the question comes
 * after the answer, and the children wait for it all the same. An update that is overtaken by another
 * move is repeated from the new address, where it doesn't agree with its header any more, or makes the open
 * check fail; its answer counts for nothing, and the next update is already in line (ADR-014).
 */
#include <stdio.h>

#include "base/text.h"
#include "ike/v2/v2.h"

/* ADR-023, ADR-043: where NAT traversal is active at either end, neither speaks the draft. ADR-034: nor
 * from or to an address that it could not name. ADR-104: strangers are known by theirs. */
bool v2_addrmgmt_wanted(const struct ike *ike, const struct v2_sa *sa)
{
    const struct ike_profile *profile = v2_profile(ike, sa->profile);
    return profile != NULL && profile->addrmgmt && profile->tcp == IKE_TCP_NEVER &&
           !v2_path_is_tcp(&sa->path) && ike->config.nat != IKE_NAT_FORCE &&
           !v2_nat_needs_udp(ike, &sa->nat) && address_is_global(&sa->path.local.addr) &&
           address_is_global(&sa->path.remote.addr);
}

void v2_addrmgmt_begin(struct v2_sa *sa)
{
    sa->mobike->draft = true;
    sa->mobike->told = sa->handshake->told;
}

/* What waits is let go of: it is done, or something newer has taken its place. */
static void close_open(struct v2_mobike *mobike)
{
    if (mobike->open != mobike->latest)
        free(mobike->open);
    mobike->open = NULL;
}

void v2_addrmgmt_free(struct v2_mobike *mobike)
{
    close_open(mobike);
    free(mobike->latest);
    mobike->latest = NULL;
}

/* ADR-011, ADR-012, ADR-013, ADR-015: a mobile node's IKE SA is between its care-of address and the home agent,
 * whatever its children carry. Those that carry its signalling keep their addresses. ADR-024: the other end
 * moves them if it names them. */
bool v2_addrmgmt_stays(const struct ike *ike, const struct v2_sa *sa, const struct ike_child *child)
{
    const struct ike_profile *profile = v2_profile(ike, sa->profile);
    if (profile == NULL || sa->mobike == NULL || !sa->mobike->draft)
        return false;
    for (size_t i = 0; i < profile->stay_count; i++)
        if (traffic_within(&child->traffic, &profile->stays[i]))
            return true;
    return false;
}

static void tell(struct ike *ike, const struct v2_sa *sa, enum event_level level, const char *title,
                 const struct v2_path *path, const char *more)
{
    char local[IP_ENDPOINT_TEXT_MAX], remote[IP_ENDPOINT_TEXT_MAX], text[200];
    TEXT_SET(text, "%s to %s%s%s", ip_endpoint_format(&path->local, local),
             ip_endpoint_format(&path->remote, remote), more[0] != '\0' ? ": " : "", more);
    v2_trace(ike, sa, NULL, level, title, text);
}

static bool same_path(const struct v2_path *a, const struct v2_path *b)
{
    return ip_endpoint_equal(&a->local, &b->local) && ip_endpoint_equal(&a->remote, &b->remote);
}

/* The peer's updates */

static bool moves_ike(const struct v2_update *update)
{
    return update->moves && (update->all || update->ike);
}

/* ADR-060, ADR-061, ADR-062 */
static void change_set(struct ike *ike, struct v2_sa *sa, const struct v2_update *update)
{
    struct address_set *peer = &sa->mobike->peer;
    if (moves_ike(update) && address_set_promote(peer, &update->to.remote.addr) != ERR_OK)
        ike_count(ike, IKE_COUNT_LIMIT);
    for (size_t i = 0; i < update->adds.count; i++)
        if (address_set_add(peer, &update->adds.list[i]) == ERR_LIMIT)
            ike_count(ike, IKE_COUNT_LIMIT);
    for (size_t i = 0; i < update->deletes.count; i++)
        if (address_set_remove(peer, &update->deletes.list[i]) == ERR_STATE)
            ike_count(ike, IKE_COUNT_BAD_VALUE);
    v2_mobike_peer_changed(ike, sa);
}

/* ADR-019, ADR-080, ADR-082, ADR-084: those named, both SAs of a pair; of SAs that aren't this IKE SA's
 * nothing. ADR-041, ADR-075, ADR-076: rules follow, unless the peer or we want them left alone. */
static void move_children(struct ike *ike, struct v2_sa *sa, const struct v2_update *update)
{
    struct ike_child *child;
    if (update->all) {
        LIST_FOREACH (child, &sa->children, of_v2_sa)
            if (!v2_addrmgmt_stays(ike, sa, child))
                v2_mobike_place_at(ike, sa, child, &update->to, update->only);
        return;
    }
    for (size_t i = 0; i < update->count; i++) {
        child = made_find_out(sa, update->sas[i].spi);
        if (child != NULL && child->protocol == update->sas[i].protocol)
            v2_mobike_place_at(ike, sa, child, &update->to, update->only);
        else
            ike_count(ike, IKE_COUNT_UNKNOWN_UPDATE);
    }
}

static void done(struct ike *ike, struct v2_sa *sa, struct v2_update *update)
{
    char text[80];
    if (moves_ike(update) && sa->mobike->checking && same_path(&sa->path, &update->to))
        v2_mobike_settle(ike, sa, true);
    change_set(ike, sa, update);
    if (!update->moves)
        return;
    move_children(ike, sa, update);
    if (update->all)
        TEXT_SET(text, "all SAs");
    else
        TEXT_SET(text, "%s%zu named", update->ike ? "the IKE SA and " : "", update->count);
    tell(ike, sa, EVENT_INFO, "Update done", &update->to, text);
}

static void not_done(struct ike *ike, struct v2_sa *sa, struct v2_update *update)
{
    update->refused = true;
    update->what = (struct addrmgmt_address){ADDRMGMT_MARK, update->to.remote.addr};
    if (moves_ike(update) && sa->mobike->checking && same_path(&sa->path, &update->to))
        v2_mobike_settle(ike, sa, false);
    else
        ike_count(ike, IKE_COUNT_MOVE_REFUSED);
}

/* Two ends that both wait for the answer to an update would wait for each other. */
static bool may_ask(const struct v2_sa *sa)
{
    return !(v2_mobike_is_out(sa->mine) && sa->mine->says == V2_SAYS_UPDATE);
}

/* Our end is where we last said; the peer's update is about its own. */
static void keep_own_end(struct v2_sa *sa, struct v2_update *update)
{
    if (sa->mine != NULL && sa->mine->says == V2_SAYS_UPDATE)
        update->to.local = sa->path.local;
}

static void refuse(struct ike *ike, struct v2_sa *sa, const struct v2_update *update)
{
    char text[64], addr[IP_ADDR_TEXT_MAX];
    ike_count(ike, IKE_COUNT_MOVE_REFUSED);
    TEXT_SET(text, "it can't be read, or lacks an end");
    if (update->what.operation != 0)
        TEXT_SET(text, "%s %s", addrmgmt_operation_name(update->what.operation),
                 ip_addr_format(&update->what.addr, addr));
    tell(ike, sa, EVENT_WARNING, "Address operation refused", &update->source, text);
}

/* ADR-045, ADR-053: policy says when, but in the one case where it is required. */
static bool must_check(const struct ike *ike, const struct v2_sa *sa, const struct v2_update *update)
{
    return update->required ||
           (update->moves && address_check_due(ike->config.address_check, &sa->mobike->proved,
                                               &update->to.remote.addr));
}

static void begin(struct v2_step *step, struct v2_update *update, bool may_wait)
{
    struct ike *ike = step->ike;
    struct v2_sa *sa = step->sa;
    bool check = must_check(ike, sa, update);
    may_wait = may_wait && may_ask(sa);
    keep_own_end(sa, update);
    if (sa->mobike->open != NULL && !update->moves && update->required) {
        update->refused = true; /* one claim at a time */
        return;
    }
    bool crosses = v2_mobike_is_out(sa->mine) && sa->mine->says == V2_SAYS_UPDATE;
    if (moves_ike(update) && (sa->mobike->checking || !same_path(&update->to, &sa->path))) {
        v2_mobike_shift(ike, sa, &update->to, NULL, check);
        if (crosses) /* ours names the address that the peer has left */
            v2_mobike_say(ike, sa, V2_SAYS_UPDATE, NULL);
    }
    if (check || update->moves)
        close_open(sa->mobike);
    if (check)
        sa->mobike->open = update;
    if (!check) {
        done(ike, sa, update);
    } else if (may_wait) {
        step->skips = true;
        v2_mobike_say(ike, sa, V2_SAYS_CHECK, &update->to);
    }
}

enum err v2_addrmgmt_take(struct v2_step *step, bool may_wait)
{
    struct v2_mobike *mobike = step->sa->mobike;
    if (mobike == NULL || !mobike->draft)
        return ERR_OK;
    struct v2_update *update = malloc(sizeof(*update));
    if (update == NULL)
        return ERR_MEMORY;
    if (mobike->latest != mobike->open)
        free(mobike->latest);
    mobike->latest = update;
    if (!v2_addrmgmt_read(step, update))
        refuse(step->ike, step->sa, update);
    else if (update->about_addresses)
        begin(step, update, may_wait);
    return ERR_OK;
}

void v2_addrmgmt_answered(struct ike *ike, struct v2_sa *sa)
{
    const struct v2_update *update = sa->mobike != NULL ? sa->mobike->open : NULL;
    if (update != NULL && update == sa->mobike->latest)
        v2_mobike_say(ike, sa, V2_SAYS_CHECK, &update->to);
}

/* A copy of the open request: the peer has had no question, or the answer is lost, or it is elsewhere by now. It is
 * asked where the copy came from; only its answer shows that the copy is its own. */
bool v2_addrmgmt_is_copy(struct ike *ike, struct v2_sa *sa, const struct ike_event *event, uint32_t id,
                         const uint8_t *digest)
{
    struct v2_exchange *x = sa->theirs;
    struct v2_update *update = sa->mobike != NULL ? sa->mobike->open : NULL;
    const struct v2_path from = {event->local, event->remote, event->natt};
    if (x == NULL || x->state != V2_N_R_CHECKING || x->id != id || update == NULL ||
        memcmp(x->digest, digest, V2_DIGEST_LEN) != 0)
        return false;
    if (update->copies == V2_UPDATE_COPIES)
        return true;
    update->copies++;
    update->source = x->from = from;
    if (v2_mobike_is_out(sa->mine)) /* the check, or what it waits for */
        v2_sent_repeat(ike, sa, &from, &sa->mine->out);
    return true;
}

/* ADR-050: the claimed address first; where the request came from too, if it doesn't answer. */
void v2_addrmgmt_repeat(struct ike *ike, const struct v2_exchange *x)
{
    const struct v2_mobike *mobike = x->sa->mobike;
    const struct v2_update *update = mobike != NULL ? mobike->open : NULL;
    if (x->says == V2_SAYS_CHECK && update != NULL &&
        !same_path(&update->source, &update->to))
        v2_sent_repeat(ike, x->sa, &update->source, &x->out);
}

/* ADR-049, ADR-050 */
static void check_ended(struct v2_step *step, struct v2_update *update, bool has_cookie)
{
    struct ike *ike = step->ike;
    struct v2_sa *sa = step->sa;
    bool ok = has_cookie && v2_mobike_came_from(step, &update->to);
    if (has_cookie) /* wherever that is */
        address_proved(&sa->mobike->proved, &step->event->remote.addr);
    if (ok) {
        done(ike, sa, update);
    } else {
        const struct v2_path at = {step->event->local, step->event->remote, step->event->natt};
        tell(ike, sa, EVENT_WARNING,
             update->required && has_cookie ? "The peer is behind a NAT" : "Not the peer's address",
             &at, "it answered from there");
        not_done(ike, sa, update);
    }
    close_open(sa->mobike);
    if (sa->theirs != NULL && sa->theirs->state == V2_N_R_CHECKING)
        v2_checked(ike, sa->theirs);
}

/* Answers to ours */

void v2_addrmgmt_give_way(struct ike *ike, struct v2_sa *sa, const char *why)
{
    /* ADR-051 */
    if (ike->config.nat == IKE_NAT_OFF)
        tell(ike, sa, EVENT_WARNING, "No NAT traversal", &sa->path, why);
    else
        v2_sa_close(ike, sa, why);
}

/* Once it may have been a copy that took another way; or somebody forges sources, but hardly the same ones
 * time and again. */
static bool is_nat(struct v2_mobike *mobike, const struct ip_addr *seen)
{
    if (!ip_addr_equal(&mobike->seen, seen))
        mobike->seen_times = 0;
    mobike->seen = *seen;
    return ++mobike->seen_times >= V2_SEEN_TIMES;
}

static void update_refused(struct v2_step *step)
{
    struct ike *ike = step->ike;
    struct v2_sa *sa = step->sa;
    struct addrmgmt_address what = {.operation = 0};
    bool named = v2_addrmgmt_find(step, ADDRMGMT_N_ADDRESS_REFUSED, &what);
    bool seen_elsewhere = named && what.operation == ADDRMGMT_MARK &&
                          !ip_addr_equal(&what.addr, &sa->path.local.addr);
    char text[IP_ADDR_TEXT_MAX] = "";
    if (named)
        ip_addr_format(&what.addr, text);
    tell(ike, sa, EVENT_WARNING, "The peer refuses", &sa->path, text);
    if (seen_elsewhere && is_nat(sa->mobike, &what.addr))
        v2_addrmgmt_give_way(ike, sa, "there is a NAT on the way");
    else if (sa->mobike->refused == V2_TRIES)
        v2_addrmgmt_give_way(ike, sa, "the peer doesn't follow");
    else
        v2_mobike_refused(ike, sa, seen_elsewhere);
}

static bool confirms(const struct v2_step *step, spi_t spi_out)
{
    const struct ike2_payload *payload;
    struct addrmgmt_update u;
    for (size_t i = 0; (payload = ike2_payload_find(step->payloads, ADDRMGMT_P_UPDATE, i)) != NULL;
         i++) {
        if (addrmgmt_update_parse(payload->body, &u) != ERR_OK)
            continue;
        struct cursor cur = cursor_of(u.spis);
        bool found = u.all;
        for (size_t k = 0; k < u.count && !found; k++)
            found = cursor_u32(&cur) == spi_out.value;
        if (found)
            return true;
    }
    return false;
}

/* ADR-085: what the peer didn't update it will not find under its old address for long; people should know. */
static void look_at_pairs(const struct v2_step *step)
{
    const struct ike_child *child;
    char text[64];
    LIST_FOREACH (child, &step->sa->children, of_v2_sa) {
        if (v2_addrmgmt_stays(step->ike, step->sa, child) || confirms(step, child->spi_out))
            continue;
        TEXT_SET(text, "SPI 0x%08x", child->spi_out.value);
        v2_trace(step->ike, step->sa, NULL, EVENT_WARNING, "The peer has not updated", text);
    }
}

static bool take_confirmation(struct v2_step *step)
{
    struct v2_mobike *mobike = step->sa->mobike;
    struct ike2_notify n;
    bool refused = v2_notified(step, ADDRMGMT_N_ADDRESS_REFUSED, &n);
    if (!refused) {
        mobike->told = mobike->saying;
        v2_saved_sa(step->ike, step->sa);
    }
    if (step->x->stale)
        return true;
    if (refused && step->x->says == V2_SAYS_UPDATE)
        update_refused(step);
    if (refused || step->x->says != V2_SAYS_UPDATE)
        return refused;
    mobike->seen_times = 0;
    look_at_pairs(step);
    return false;
}

bool v2_addrmgmt_reply(struct v2_step *step)
{
    struct v2_sa *sa = step->sa;
    struct v2_update *update = sa->mobike->open;
    bool has_cookie = false;
    switch (step->x->says) {
    case V2_SAYS_UPDATE:
    case V2_SAYS_ADDRESSES:
        return take_confirmation(step);
    case V2_SAYS_CHECK:
        if (update == NULL)
            return true; /* another request has taken its place */
        if (step->x->stale) { /* we have moved in the meantime */
            update->to.local = sa->path.local;
            v2_mobike_say(step->ike, sa, V2_SAYS_CHECK, &update->to);
            return true;
        }
        if (v2_mobike_cookie(step, &has_cookie) != ERR_OK)
            has_cookie = false;
        check_ended(step, update, has_cookie);
        return true;
    default:
        return false;
    }
}
