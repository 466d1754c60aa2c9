/*
 * Children that are there: how they come up, replace one another, move to a new IKE SA and end with
 * the last one. What is the same for both versions is in ike/child.c.
 */
#include <assert.h>
#include <stdio.h>

#include "ike/v2/v2.h"

enum { ABANDONED_MS = 30000 }; /* a child whose replacement the peer began, and does not delete */

struct ike_child *made_find_in(const struct v2_sa *sa, spi_t spi_in)
{
    struct ike_child *child;
    LIST_FOREACH (child, &sa->children, of_v2_sa)
        if (child->spi_in.value == spi_in.value)
            return child;
    return NULL;
}

struct ike_child *made_find_out(const struct v2_sa *sa, spi_t spi_out)
{
    struct ike_child *child;
    LIST_FOREACH (child, &sa->children, of_v2_sa)
        if (child->spi_out.value == spi_out.value)
            return child;
    return NULL;
}

void made_join(struct ike_child *child, struct v2_sa *sa)
{
    child->v2_sa = sa;
    child->v2_owner = sa->number;
    LIST_INSERT_HEAD(&sa->children, child, of_v2_sa);
}

enum err made_new(struct ike *ike, struct v2_child *making)
{
    struct v2_sa *sa = making->sa;
    struct ike_child *child;
    struct ike_child *old = ike_child_find(ike, &sa->remote.addr, making->spi_out);

    if (old != NULL)
        ike_child_free(ike, old); /* its outbound SA was just overwritten */
    enum err err = ike_child_alloc(ike, &sa->local.addr, &sa->remote.addr, making->spi_out, &child);
    if (err != ERR_OK)
        return err;
    child->flow = making->flow;
    child->traffic = making->traffic;
    child->spi_in = making->spi_in;
    child->protocol = making->suite.esp.protocol;
    child->born = ike_serial(ike);
    made_join(child, sa);
    v2_nat_child(sa, child);
    memcpy(child->peer_key, sa->peer_key_digest, sizeof(child->peer_key));
    if (making->ticket != NULL)
        ike_child_set_ticket(child, making->ticket);
    ike_timer_set(ike, &child->timer,
                  mono_add(ike->now, (int64_t)making->sas[0].hard.seconds * 1000 + IKE_EXPIRY_MS));
    making->child = child;
    if (child->follows)
        ike_child_move(ike, child, &sa->path.remote);
    v2_mobike_place(ike, sa, child);
    v2_saved_child(ike, child);
    ike_peer_note(ike, child->peer);
    return ERR_OK;
}

static void report_up(struct ike *ike, const struct v2_child *making, bool initiator)
{
    const struct v2_sa *sa = making->sa;
    char text[ESP_SUITE_TEXT_MAX], detail[120];
    const struct ike_effect fx = {
        .kind = IKE_FX_CHILD_UP,
        .version = IKE_VERSION_2,
        .profile = sa->profile,
        .ticket = making->ticket ? making->ticket->number : 0,
        .initiator = initiator,
        .local = sa->local,
        .remote = sa->remote,
        .peer = sa->remote.addr,
        .peer_id = sa->peer_id,
        .flow = making->flow,
        .traffic = making->traffic,
        .spi_in = making->spi_in,
        .spi_out = making->spi_out,
        .suite = making->suite.esp,
    };
    snprintf(detail, sizeof(detail), "%s, in 0x%08x, out 0x%08x",
             esp_suite_format(&making->suite.esp, text), making->spi_in.value,
             making->spi_out.value);
    v2_trace(ike, sa, NULL, EVENT_INFO, "Tunnel up", detail);
    (void)ike_effect_push(ike, &fx);
}

/* Which of the two nonces of an exchange is the lower one. */
static struct view lower_nonce(const struct v2_child *making)
{
    struct view i = blob_view(&making->nonce_i), r = blob_view(&making->nonce_r);
    return rekey_nonce_lower(i, r) ? i : r;
}

/* It still receives what is on its way; then it is deleted by the end that began to replace it. */
static void retire(struct ike *ike, struct ike_child *old, bool initiator)
{
    old->replaced = true;
    if (old->state == IKE_CHILD_UP)
        old->state = IKE_CHILD_DRAINING;
    if (old->state == IKE_CHILD_DRAINING)
        ike_timer_set(ike, &old->timer,
                      mono_add(ike->now, initiator ? IKE_DRAIN_MS : ABANDONED_MS));
    v2_saved_child(ike, old);
}

/*
 * Section 2.8.1: both ends replaced the same child at once, and there are two new ones. The one made
 * with the lowest of the four nonces goes, by the end that created it; the other end deletes what
 * was replaced. True: ours is the one to go.
 */
static bool theirs_is_to_come(const struct v2_child *making)
{
    const struct v2_exchange *theirs = making->sa->following; /* RFC 9370: agreed on, not yet made */
    return theirs != NULL && theirs->child != NULL && theirs->child->rekeys == making->rekeys;
}

static bool loses(const struct v2_child *making)
{
    const struct ike_child *old = making->rekeys;
    const struct v2_exchange *theirs = making->sa->following;
    if (theirs_is_to_come(making))
        return rekey_nonce_lower(lower_nonce(making), lower_nonce(theirs->child));
    return old->rekey_nonce.len != 0 &&
           rekey_nonce_lower(lower_nonce(making), blob_view(&old->rekey_nonce));
}

static void peer_replaces(struct ike *ike, struct v2_child *making)
{
    struct ike_child *old = making->rekeys;
    if (!blob_set(&old->rekey_nonce, lower_nonce(making)))
        ike_count(ike, IKE_COUNT_MEMORY);
    retire(ike, old, false);
}

static void we_replace(struct ike *ike, struct v2_child *making)
{
    if (loses(making)) {
        v2_trace(ike, making->sa, NULL, EVENT_INFO, "Both replaced a child", "ours goes");
        making->child->replaced = true;
        if (making->x->follow != NULL) /* the other end may not have its own yet */
            retire(ike, making->child, true);
        else
            info_delete_child(ike, making->sa, making->child);
        return;
    }
    if (theirs_is_to_come(making))
        making->sa->following->child->doomed = true;
    retire(ike, making->rekeys, true);
}

void made_report(struct ike *ike, struct v2_child *making, bool initiator)
{
    struct ike_request *request = making->request;
    bool lost = making->doomed || (initiator && making->rekeys != NULL && loses(making));

    making->reported = true;
    if (!lost)
        report_up(ike, making, initiator);
    if (making->doomed)
        making->child->replaced = true;
    else if (making->rekeys != NULL && initiator)
        we_replace(ike, making);
    else if (making->rekeys != NULL)
        peer_replaces(ike, making);
    else if (making->ticket != NULL)
        ike_child_retire_older(ike, making->child, making->born);
    making->child = NULL;
    if (request != NULL)
        ike_request_free(ike, request);
}

static void forget_in(struct v2_exchange *x, const struct ike_child *child)
{
    if (x != NULL && x->child != NULL && x->child->rekeys == child)
        x->child->rekeys = NULL;
}

void made_leave(struct ike_child *child)
{
    struct v2_sa *sa = child->v2_sa;
    struct v2_exchange *x;
    forget_in(sa->mine, child);
    forget_in(sa->theirs, child);
    forget_in(sa->following, child);
    TAILQ_FOREACH (x, &sa->waiting, of_line)
        forget_in(x, child);
    LIST_REMOVE(child, of_v2_sa);
    child->v2_sa = NULL;
    blob_wipe(&child->rekey_nonce);
}

void made_move_all(struct ike *ike, struct v2_sa *from, struct v2_sa *to)
{
    struct ike_child *child;
    while ((child = LIST_FIRST(&from->children)) != NULL) {
        LIST_REMOVE(child, of_v2_sa);
        made_join(child, to);
        v2_saved_child(ike, child);
    }
}

void made_finish_all(struct ike *ike, struct v2_sa *sa)
{
    while (!LIST_EMPTY(&sa->children))
        ike_child_finish(ike, LIST_FIRST(&sa->children));
}
