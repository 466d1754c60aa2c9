/* Tunnels asked for: which IKE SA of version 2 serves them. The rest is in ike/request.c. */
#include <assert.h>

#include "crypto/signature.h"
#include "ike/v2/v2.h"

static bool has_key(const struct ike_request *request, struct view octets, uint8_t alg)
{
    for (size_t i = 0; i < request->key_count; i++) {
        const struct public_key *key = &request->keys[i];
        if (key->alg == alg && view_equal(view_of(key->octets, key->len), octets))
            return true;
    }
    return false;
}

/* OE-184: an SA serves if its peer proved one of the keys, under the expected name or its address. */
static bool serves(const struct v2_sa *sa, const struct ike_request *request)
{
    struct identity address = identity_of_addr(&sa->remote.addr);
    if (!sa->established || sa->dying || sa->closing || sa->replaced ||
        sa->profile != request->profile)
        return false;
    if (sa->profile != 0)
        return true;
    bool named = request->peer_id.kind == IDENTITY_NONE ||
                 identity_equal(&sa->peer_id, &request->peer_id) ||
                 identity_equal(&sa->peer_id, &address);
    return named && has_key(request, blob_view(&sa->peer_key), sa->peer_key_alg);
}

/* One of ours under way that will serve: it looks for the same keys and name. */
static bool will_serve(const struct v2_sa *sa, const struct ike_request *request)
{
    const struct v2_handshake *hs = sa->handshake;
    if (hs == NULL || !sa->initiator || sa->dying || sa->profile != request->profile)
        return false;
    if (sa->profile != 0)
        return true;
    if (hs->key_count != request->key_count || !identity_equal(&hs->expected, &request->peer_id))
        return false;
    for (size_t i = 0; i < hs->key_count; i++)
        if (!has_key(request, view_of(hs->keys[i].octets, hs->keys[i].len), hs->keys[i].alg))
            return false;
    return true;
}

/* The child of this ticket that the new one is to replace. */
static struct ike_child *predecessor(const struct v2_sa *sa, const struct ike_request *request)
{
    struct ike_child *child;
    LIST_FOREACH (child, &request->ticket->children, of_ticket)
        if (child->v2_sa == sa && child->state == IKE_CHILD_UP &&
            traffic_equal(&child->traffic, &request->traffic))
            return child;
    return NULL;
}

static enum err make_child(struct ike *ike, struct v2_exchange *x, struct ike_request *request)
{
    struct v2_child *child;
    enum err err = child_new(ike, x, &child);
    if (err != ERR_OK)
        return err;
    child->request = request;
    child_set_ticket(child, request->ticket);
    child->flow = request->flow;
    child->traffic = request->traffic;
    request->making = child;
    request->v2_sa = x->sa;
    return ERR_OK;
}

static enum err begin_child(struct ike *ike, struct v2_sa *sa, struct ike_request *request)
{
    struct v2_exchange *x = v2_line_up(ike, sa, V2_C_I_START);
    if (x == NULL)
        return ERR_LIMIT;
    enum err err = make_child(ike, x, request);
    if (err != ERR_OK) {
        v2_exchange_free(ike, x);
        return err;
    }
    x->child->rekeys = predecessor(sa, request);
    if (x->child->rekeys != NULL)
        x->child->rekeys_spi = x->child->rekeys->spi_in;
    v2_line_go(ike, sa);
    return ERR_OK;
}

static enum err begin_sa(struct ike *ike, struct ike_request *request)
{
    struct v2_sa *sa;
    enum err err = init_new(ike, request, resume_find(ike, request), &sa);
    if (err != ERR_OK)
        return err;
    request->reused = false;
    err = make_child(ike, sa->mine, request);
    if (err != ERR_OK) {
        v2_sa_free(ike, sa);
        return err;
    }
    v2_start(ike, sa->mine); /* reports for itself if it fails */
    return ERR_OK;
}

/* An SA that began between other addresses of ours and has come to where the request wants to go. */
static struct v2_sa *moved_there(const struct ike *ike, const struct ike_request *request)
{
    for (size_t i = 0; request->profile != 0 && i < ike->v2.all_count; i++) {
        struct v2_sa *sa = ike->v2.all[i];
        bool there = ip_addr_equal(&sa->remote.addr, &request->remote.addr) ||
                     ip_addr_equal(&sa->path.remote.addr, &request->remote.addr);
        if (sa->mobike != NULL && there && sa->peer != NULL && serves(sa, request))
            return sa;
    }
    return NULL;
}

static void join_peer(struct ike *ike, struct ike_request *request, struct ike_peer *peer)
{
    struct ike_peer *before = request->peer;
    LIST_REMOVE(request, of_peer);
    request->peer = peer;
    LIST_INSERT_HEAD(&peer->requests, request, of_peer);
    ike_peer_put(ike, before);
}

/* A child if an SA serves, else wait for one on its way, else begin one. */
enum err v2_request_proceed(struct ike *ike, struct ike_request *request)
{
    struct v2_sa *sa;
    LIST_FOREACH (sa, &request->peer->v2_sas, of_peer) {
        if (serves(sa, request)) {
            request->reused = true;
            return begin_child(ike, sa, request);
        }
    }
    sa = moved_there(ike, request);
    if (sa != NULL) {
        join_peer(ike, request, sa->peer);
        request->reused = true;
        return begin_child(ike, sa, request);
    }
    LIST_FOREACH (sa, &request->peer->v2_sas, of_peer) {
        if (will_serve(sa, request)) {
            request->v2_sa = sa;
            return ERR_OK;
        }
    }
    return begin_sa(ike, request);
}

void v2_request_set_aside(struct ike *ike, struct v2_exchange *x)
{
    struct v2_child *child = x->child;
    assert(child->request != NULL && child->spi_in.value == 0); /* nothing was handed out for it */
    x->child = NULL;
    child->request->making = NULL;
    child->request = NULL;
    child_free(ike, child);
}

void v2_requests_proceed(struct ike *ike, struct v2_sa *sa)
{
    struct ike_request *request, *next;
    if (sa->peer == NULL)
        return;
    for (request = LIST_FIRST(&sa->peer->requests); request != NULL; request = next) {
        next = LIST_NEXT(request, of_peer);
        if (request->version != IKE_VERSION_2 || request->making != NULL || !serves(sa, request))
            continue;
        enum err err = begin_child(ike, sa, request);
        if (err != ERR_OK)
            ike_request_fail(ike, request, IKE_FAILURE_OTHER, err_text(err));
    }
}

/*
 * RFC 7296 section 2.5: a peer that does not get as far as an answer to IKE_SA_INIT may know version 1
 * only. Whoever can keep our datagrams from it can make us believe that, so it takes a connection
 * that is configured for both; and version 1 has no virtual addresses, nor different ways to prove
 * oneself.
 */
bool v2_may_fall_back(const struct ike *ike, const struct v2_sa *sa)
{
    const struct ike_profile *profile = v2_profile(ike, sa->profile);
    return profile != NULL && profile->version == IKE_ANY_VERSION && !profile->want_address &&
           !profile->ppk_required && /* nor a PPK */
           profile->own_method == profile->peer_method && profile->own_method != IKE_BY_NULL &&
           sa->initiator && sa->handshake != NULL && sa->handshake->nonce_r.len == 0 &&
           sa->handshake->ticket == NULL; /* who gave it knows version 2 */
}

/* A configured peer that has our RSA key may know only the older padding. */
static bool sign_otherwise(struct ike *ike, struct v2_sa *sa, struct ike_request *request)
{
    const struct ike_profile *profile = v2_profile(ike, sa->profile);
    const struct v2_handshake *hs = sa->handshake;
    if (!sa->dying || ike->shutting_down || profile == NULL || hs == NULL || !hs->disbelieved ||
        profile->padding != IKE_PADDING_AUTO || request->pkcs1 ||
        hs->scheme < SIGNATURE_PSS_SHA2_256 || hs->scheme > SIGNATURE_PSS_SHA2_512)
        return false;
    v2_trace(ike, sa, NULL, EVENT_INFO, "Not believed", "once more, signed with PKCS #1 v1.5");
    request->v2_sa = NULL;
    request->pkcs1 = true;
    enum err err = v2_request_proceed(ike, request);
    if (err != ERR_OK)
        ike_request_fail(ike, request, IKE_FAILURE_OTHER, err_text(err));
    return true;
}

static bool fall_back(struct ike *ike, struct v2_sa *sa, struct ike_request *request,
                      enum ike_failure failure)
{
    if (sign_otherwise(ike, sa, request))
        return true;
    if (!sa->dying || ike->shutting_down || !v2_may_fall_back(ike, sa) ||
        (failure != IKE_FAILURE_SILENT && failure != IKE_FAILURE_REFUSED))
        return false;
    v2_trace(ike, sa, NULL, EVENT_WARNING, "No version 2 there", "beginning again with version 1");
    request->v2_sa = NULL;
    request->version = IKE_VERSION_1;
    enum err err = ike_request_proceed(ike, request);
    if (err != ERR_OK)
        ike_request_fail(ike, request, IKE_FAILURE_OTHER, err_text(err));
    return true;
}

void v2_requests_abandon(struct ike *ike, struct v2_sa *sa, enum ike_failure failure,
                         const char *text)
{
    struct ike_request *request, *next;
    if (sa->peer == NULL)
        return;
    for (request = LIST_FIRST(&sa->peer->requests); request != NULL; request = next) {
        next = LIST_NEXT(request, of_peer);
        if (request->v2_sa == sa && request->making == NULL &&
            !fall_back(ike, sa, request, failure))
            ike_request_fail(ike, request, failure, text);
    }
}

/* An SA from before may end under a request, or the peer may have lost it: then another one helps.
 * One made for the request itself gets no second try. */
static bool try_afresh(struct ike *ike, struct v2_sa *sa, struct ike_request *request)
{
    if (!request->reused || ike->shutting_down || !sa->dying)
        return false;
    v2_trace(ike, sa, NULL, EVENT_INFO, "IKE SA of no use any more", "starting over");
    request->v2_sa = NULL;
    enum err err = v2_request_proceed(ike, request);
    if (err != ERR_OK)
        ike_request_fail(ike, request, IKE_FAILURE_OTHER, err_text(err));
    return true;
}

void v2_request_child_failed(struct ike *ike, struct v2_child *child, enum ike_failure failure,
                             const char *text)
{
    struct ike_request *request = child->request;
    struct ike_ticket *ticket = child->ticket;
    struct v2_sa *sa = child->sa;
    const struct ike_effect about = {.ticket = ticket != NULL ? ticket->number : 0,
                                     .version = IKE_VERSION_2,
                                     .profile = sa->profile,
                                     .peer = sa->remote.addr,
                                     .flow = child->flow,
                                     .traffic = child->traffic};
    /* A responder's: its ticket hears of it unless something else of the ticket lives on. */
    bool tells = request == NULL && ticket != NULL && ticket->request == NULL &&
                 !ike_ticket_up_since(ticket, 0);
    if (tells)
        ike_report_failure(ike, &about, failure, text);
    if (request != NULL) {
        request->making = NULL;
        child->request = NULL;
    }
    child_free(ike, child);
    if (request != NULL && !fall_back(ike, sa, request, failure) && !try_afresh(ike, sa, request))
        ike_request_fail(ike, request, failure, text);
}
