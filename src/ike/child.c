/* Children: pairs of ESP or AH SAs that are up, how newer ones replace them, how they are deleted. */
#include <assert.h>
#include <stdio.h>

#include "ike/engine.h"
#include "ike/v1/v1.h"
#include "ike/v2/v2.h"

static void child_timer(struct ike *ike, struct ike_timer *timer);

static struct ike_child_key child_key(const struct ip_addr *remote, spi_t spi_out)
{
    return (struct ike_child_key){.remote = *remote, .spi_out = spi_out.value};
}

struct ike_child *ike_child_find(const struct ike *ike, const struct ip_addr *remote, spi_t spi_out)
{
    struct ike_child_key key = child_key(remote, spi_out);
    struct map_node *node = map_find(&ike->children, &key);
    return node ? MAP_OWNER(node, struct ike_child, by_spi) : NULL;
}

bool ike_ticket_up_since(const struct ike_ticket *ticket, uint64_t since)
{
    const struct ike_child *child;
    LIST_FOREACH (child, &ticket->children, of_ticket)
        if (child->born > since && child->state == IKE_CHILD_UP)
            return true;
    return false;
}

static void remove_sa(struct ike *ike, const struct ike_child *child, bool inbound)
{
    const struct ike_effect fx = {
        .kind = IKE_FX_REMOVE_SA,
        .spi = inbound ? child->spi_in : child->spi_out,
        .inbound = inbound,
        .ticket = child->ticket ? child->ticket->number : 0,
        .peer = child->key.remote,
        .local = {.addr = child->local},
        .remote = {.addr = child->key.remote},
    };
    (void)ike_effect_push(ike, &fx);
}

static void remove_inbound(struct ike *ike, struct ike_child *child)
{
    if (!child->inbound_gone)
        remove_sa(ike, child, true);
    child->inbound_gone = true;
}

static void remove_sas(struct ike *ike, struct ike_child *child)
{
    remove_inbound(ike, child);
    remove_sa(ike, child, false);
}

void ike_child_free(struct ike *ike, struct ike_child *child)
{
    saved_forget(ike, child->born);
    if (child->v2_sa != NULL)
        made_leave(child);
    map_remove(&ike->children, &child->by_spi);
    if (child->ticket != NULL) {
        LIST_REMOVE(child, of_ticket);
        ike_ticket_put(ike, child->ticket);
    }
    LIST_REMOVE(child, of_peer);
    ike_peer_note(ike, child->peer);
    ike_peer_put(ike, child->peer);
    ike_timer_drop(ike, &child->timer);
    free(child);
}

static bool same_traffic(const struct ike_child *a, const struct ike_child *b)
{
    return ip_pair_equal(&a->flow, &b->flow) &&
           traffic_equal(&a->traffic, &b->traffic);
}

/* A newer child of the ticket carries the flow: whoever holds the ticket has been told of that one.
 */
static bool superseded(const struct ike_child *child)
{
    const struct ike_child *other;
    if (child->replaced)
        return true;
    if (child->ticket == NULL)
        return false;
    LIST_FOREACH (other, &child->ticket->children, of_ticket)
        if (other->born > child->born && other->state == IKE_CHILD_UP &&
            same_traffic(other, child))
            return true;
    return false;
}

/* Gone on both sides, or as far as we can know. */
void ike_child_finish(struct ike *ike, struct ike_child *child)
{
    remove_sas(ike, child);
    if (!superseded(child)) {
        const struct ike_effect fx = {
            .kind = IKE_FX_CHILD_DELETED,
            .ticket = child->ticket ? child->ticket->number : 0,
            .peer = child->key.remote,
            .local = {.addr = child->local},
            .flow = child->flow,
            .traffic = child->traffic,
            .spi_in = child->spi_in,
            .spi_out = child->spi_out,
        };
        (void)ike_effect_push(ike, &fx);
    }
    ike_child_free(ike, child);
}

/* OE-105: our Delete, again until the peer's comes; OE-106: three tries, ten seconds apart. A
 * Delete counts under a phase 1 SA only (OE-096); without one nobody can be told. */
static void delete_try(struct ike *ike, struct ike_child *child)
{
    if (child->v2_sa != NULL) { /* there every Delete is answered */
        info_delete_child(ike, child->v2_sa, child);
        return;
    }
    struct ike_sa *sa = child->v2_owner == 0 ? ike_peer_sa(child->peer, child->peer_key) : NULL;
    if (sa == NULL || child->tries == IKE_DELETE_TRIES) {
        ike_child_finish(ike, child); /* OE-107 */
        return;
    }
    child->state = IKE_CHILD_DELETING;
    child->tries++;
    info_send_delete_children(ike, sa, child->protocol, &child->spi_in, 1);
    remove_inbound(ike, child);
    ike_timer_set(ike, &child->timer, mono_add(ike->now, IKE_DELETE_SPACING_MS));
    saved_child(ike, child);
}

void ike_child_deleting(struct ike *ike, struct ike_child *child)
{
    child->state = IKE_CHILD_DELETING;
    remove_inbound(ike, child);
    ike_timer_set(ike, &child->timer, MONO_NEVER);
    saved_child(ike, child);
}

static void child_timer(struct ike *ike, struct ike_timer *timer)
{
    struct ike_child *child =
        (struct ike_child *)(void *)((char *)timer - offsetof(struct ike_child, timer));
    delete_try(ike, child);
}

/* OE-108, OE-109: the new SA carries what is sent from now on. The old one still receives what is
 * on its way, then it is deleted. Only those that were up before the new exchange began are
 * replaced: of two that both ends began at once, both stay, or each end would delete the other's.
 */
void ike_child_retire_older(struct ike *ike, const struct ike_child *newer, uint64_t begun)
{
    struct ike_child *child, *next;
    for (child = LIST_FIRST(&newer->ticket->children); child != NULL; child = next) {
        next = LIST_NEXT(child, of_ticket);
        if (child == newer || child->born > begun || !same_traffic(child, newer))
            continue;
        child->replaced = true;
        if (child->state == IKE_CHILD_UP) {
            child->state = IKE_CHILD_DRAINING;
            ike_timer_set(ike, &child->timer, mono_add(ike->now, IKE_DRAIN_MS));
        }
        saved_child(ike, child);
    }
}

enum err ike_child_alloc(struct ike *ike, const struct ip_addr *local, const struct ip_addr *remote,
                         spi_t spi_out, struct ike_child **ret)
{
    struct ike_peer *peer = ike_peer_get(ike, local, remote, true);
    struct ike_child *child = calloc(1, sizeof(*child));

    if (child == NULL || peer == NULL || !ike_timer_add(ike, &child->timer, child_timer))
        goto fail;
    child->key = child_key(remote, spi_out);
    if (!map_insert(&ike->children, &child->by_spi)) {
        ike_timer_drop(ike, &child->timer);
        goto fail;
    }
    child->peer = peer;
    child->local = *local;
    child->spi_out = spi_out;
    LIST_INSERT_HEAD(&peer->children, child, of_peer);
    *ret = child;
    return ERR_OK;

fail:
    if (peer != NULL)
        ike_peer_put(ike, peer);
    free(child);
    return ERR_MEMORY;
}

void ike_child_set_ticket(struct ike_child *child, struct ike_ticket *ticket)
{
    child->ticket = ticket;
    LIST_INSERT_HEAD(&ticket->children, child, of_ticket);
}

enum err ike_child_new(struct ike *ike, struct v1_quick *quick)
{
    const struct ike_sa *sa = quick->x.sa;
    struct ike_child *old = ike_child_find(ike, &sa->remote.addr, quick->spi_out);
    struct ike_child *child;

    if (old != NULL)
        ike_child_free(ike, old); /* its outbound SA was just overwritten */
    enum err err =
        ike_child_alloc(ike, &sa->local.addr, &sa->remote.addr, quick->spi_out, &child);
    if (err != ERR_OK)
        return err;
    child->flow = quick->flow;
    child->spi_in = quick->spi_in;
    child->protocol = quick->choice.suite.protocol;
    child->born = ike_serial(ike);
    nat_child(sa, child);
    memcpy(child->peer_key, sa->peer_key_digest, sizeof(child->peer_key));
    if (quick->ticket != NULL)
        ike_child_set_ticket(child, quick->ticket);
    ike_timer_set(ike, &child->timer,
                  mono_add(ike->now, (int64_t)quick->sas[0].hard.seconds * 1000 + IKE_EXPIRY_MS));
    quick->child = child;
    if (child->follows)
        ike_child_move(ike, child, &sa->path.remote);
    saved_child(ike, child);
    ike_peer_note(ike, child->peer);
    return ERR_OK;
}

static void report_up(struct ike *ike, const struct v1_quick *quick)
{
    const struct ike_sa *sa = quick->x.sa;
    char text[ESP_SUITE_TEXT_MAX], detail[120];
    const struct ike_effect fx = {
        .kind = IKE_FX_CHILD_UP,
        .ticket = quick->ticket ? quick->ticket->number : 0,
        .initiator = quick->x.initiator,
        .local = sa->local,
        .remote = sa->remote,
        .peer = sa->remote.addr,
        .peer_id = sa->peer_id,
        .flow = quick->flow,
        .profile = sa->profile,
        .version = IKE_VERSION_1,
        .traffic = quick->traffic,
        .spi_in = quick->spi_in,
        .spi_out = quick->spi_out,
        .suite = quick->choice.suite,
    };
    snprintf(detail, sizeof(detail), "%s, in 0x%08x, out 0x%08x",
             esp_suite_format(&quick->choice.suite, text), quick->spi_in.value,
             quick->spi_out.value);
    v1_trace(ike, sa, &quick->x, EVENT_INFO, "Tunnel up", detail);
    (void)ike_effect_push(ike, &fx);
}

void ike_child_up(struct ike *ike, struct v1_quick *quick)
{
    report_up(ike, quick);
    if (quick->ticket != NULL)
        ike_child_retire_older(ike, quick->child, quick->born);
    quick->child = NULL;
    if (quick->request != NULL)
        ike_request_free(ike, quick->request);
}

enum err ike_child_delete(struct ike *ike, uint64_t number)
{
    struct ike_ticket *ticket = ike_ticket_get(ike, number, false);
    struct ike_child *child, *next;
    if (ticket == NULL) {
        ike_count(ike, IKE_COUNT_BAD_REQUEST);
        return ERR_UNKNOWN;
    }
    /* With the last child the ticket may go, but then there is no next. */
    for (child = LIST_FIRST(&ticket->children); child != NULL; child = next) {
        next = LIST_NEXT(child, of_ticket);
        if (child->state != IKE_CHILD_DELETING)
            delete_try(ike, child);
    }
    return ERR_OK;
}

static void move_sa(struct ike *ike, const struct ike_child *child, bool inbound)
{
    const struct ike_effect fx = {
        .kind = IKE_FX_MOVE_SA,
        .spi = inbound ? child->spi_in : child->spi_out,
        .inbound = inbound,
        .ticket = child->ticket ? child->ticket->number : 0,
        .peer = child->key.remote,
        .local = {.addr = child->local},
        .remote = child->at,
        .here = child->here,
        .policy_stays = child->policy_stays,
    };
    (void)ike_effect_push(ike, &fx);
}

/* The plane knows both SAs by the address they were made with; where they go it keeps apart. */
void ike_child_move(struct ike *ike, struct ike_child *child, const struct ip_endpoint *to)
{
    if (ip_endpoint_equal(&child->at, to))
        return;
    child->at = *to;
    if (child->here.addr.family != IP_NONE)
        child->there = *to;
    if (!child->inbound_gone)
        move_sa(ike, child, true);
    move_sa(ike, child, false);
    saved_child(ike, child);
}

void ike_child_readdress(struct ike *ike, struct ike_child *child, const struct ip_endpoint *here,
                         const struct ip_endpoint *there)
{
    if (ip_endpoint_equal(&child->here, here) && ip_endpoint_equal(&child->there, there))
        return;
    child->here = *here;
    child->there = child->at = *there;
    if (!child->inbound_gone)
        move_sa(ike, child, true);
    move_sa(ike, child, false);
    v2_saved_child(ike, child);
}

enum err ike_child_moved(struct ike *ike, const struct ike_event *event)
{
    struct ike_ticket *ticket = ike_ticket_get(ike, event->ticket, false);
    struct ike_child *child = ticket != NULL ? LIST_FIRST(&ticket->children) : NULL;
    while (child != NULL && child->spi_in.value != event->spi.value)
        child = LIST_NEXT(child, of_ticket);
    if (child == NULL || !child->follows || event->remote.port == 0 ||
        event->remote.addr.family != child->local.family ||
        ip_addr_is_special(&event->remote.addr)) {
        ike_count(ike, IKE_COUNT_MOVE_REFUSED);
        return ERR_POLICY;
    }
    if ((child->at.stream != 0) != (event->remote.stream != 0)) {
        ike_count(ike, IKE_COUNT_MOVE_REFUSED);
        return ERR_POLICY;
    }
    /* Who can be reached through TCP has shown it (RFC 9329 section 7.1). */
    if (child->v2_sa != NULL && child->v2_sa->mobike != NULL && event->remote.stream == 0) {
        v2_mobike_esp_from(ike, child->v2_sa, &event->remote);
        return ERR_OK;
    }
    child->at = (struct ip_endpoint){0}; /* said again, in case the plane missed it */
    if (child->v2_sa != NULL)
        v2_nat_move(ike, child->v2_sa, &event->remote);
    else
        nat_move(ike, child->peer, child->peer_key, &event->remote);
    return ERR_OK;
}

/* ADR-099 */
enum err ike_child_update(struct ike *ike, const struct ike_event *event)
{
    const struct ike_child *child = ike_child_find(ike, &event->peer, event->spi);
    enum err err = child == NULL           ? ERR_UNKNOWN
                   : child->v2_sa == NULL ? ERR_UNSUPPORTED
                                          : v2_mobike_asked(ike, child->v2_sa, &event->local.addr,
                                                            &event->remote.addr);
    if (err != ERR_OK)
        ike_count(ike, IKE_COUNT_MOVE_REFUSED);
    return err;
}

bool ike_child_deleted_by_peer(struct ike *ike, struct ike_sa *sa, uint8_t protocol, spi_t spi,
                               spi_t *ret_answer)
{
    struct ike_child *child = ike_child_find(ike, &sa->remote.addr, spi);
    if (child == NULL || child->protocol != protocol || child->v2_owner != 0 || !ip_addr_equal(&child->local, &sa->local.addr) ||
        memcmp(child->peer_key, sa->peer_key_digest, sizeof(child->peer_key)) != 0)
        return false;
    ret_answer->value = child->state == IKE_CHILD_DELETING ? 0 : child->spi_in.value;
    ike_child_finish(ike, child); /* OE-069 */
    return true;
}

/* For control */

static void describe(const struct ike_child *child, struct ike_child_info *ret)
{
    *ret = (struct ike_child_info){
        .at = &child->by_spi,
        .ticket = child->ticket != NULL ? child->ticket->number : 0,
        .local = child->local,
        .remote = child->key.remote,
        .spi_in = child->spi_in,
        .spi_out = child->spi_out,
        .deleting = child->state == IKE_CHILD_DELETING,
    };
}

bool ike_child_next(const struct ike *ike, struct ike_child_info *walk)
{
    const struct map_node *at = walk->at;
    const struct map_node *next =
        at == NULL ? map_first(&ike->children) : map_next(&ike->children, at);
    if (next == NULL)
        return false;
    describe(MAP_OWNER(next, struct ike_child, by_spi), walk);
    return true;
}

bool ike_child_info(const struct ike *ike, const struct ip_addr *remote, spi_t spi_out,
                    struct ike_child_info *ret)
{
    const struct ike_child *child = ike_child_find(ike, remote, spi_out);
    if (child == NULL)
        return false;
    describe(child, ret);
    return true;
}
