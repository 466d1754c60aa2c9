/* Tunnels asked for: which phase 1 SA serves them, and how they end. */
#include <assert.h>
#include <stdio.h>

#include "ike/engine.h"
#include "ike/v1/v1.h"
#include "ike/v2/v2.h"

static bool has_key(const struct ike_request *request, const struct public_key *key)
{
    for (size_t i = 0; i < request->key_count; i++)
        if (public_key_equal(&request->keys[i], key))
            return true;
    return false;
}

bool ike_key_long_enough(bool legacy, const struct public_key *key)
{
    return legacy || key->alg != KEY_RSA || public_key_bits(key) >= LIMIT_RSA_BITS_MIN;
}

/* OE-184: an SA serves if its peer proved one of the keys, under the expected name or its address.
 */
static bool serves(const struct ike_sa *sa, const struct ike_request *request)
{
    if (sa->profile != request->profile)
        return false;
    if (request->profile != 0)
        return ike_sa_established(sa) && !sa->dying && !sa->worn_out;
    struct identity address = identity_of_addr(&sa->remote.addr);
    bool named = request->peer_id.kind == IDENTITY_NONE ||
                 identity_equal(&sa->peer_id, &request->peer_id) ||
                 identity_equal(&sa->peer_id, &address);
    return ike_sa_established(sa) && !sa->dying && !sa->worn_out && named && has_key(request, &sa->peer_key);
}

/* A Main Mode of ours under way that will serve: it looks for the same keys and name. */
static bool will_serve(const struct ike_sa *sa, const struct ike_request *request)
{
    const struct v1_handshake *hs = sa->handshake;
    if (hs == NULL || !sa->initiator || sa->profile != request->profile || hs->key_count != request->key_count ||
        !identity_equal(&hs->expected, &request->peer_id))
        return false;
    for (size_t i = 0; i < hs->key_count; i++)
        if (!has_key(request, &hs->keys[i]))
            return false;
    return true;
}

void ike_request_free(struct ike *ike, struct ike_request *request)
{
    if (request->quick != NULL) {
        request->quick->request = NULL;
        request->quick = NULL;
    }
    if (request->making != NULL)
        request->making->request = NULL;
    request->making = NULL;
    request->ticket->request = NULL;
    ike_ticket_put(ike, request->ticket);
    LIST_REMOVE(request, of_peer);
    ike_peer_put(ike, request->peer);
    free(request->keys);
    free(request);
}

void ike_report_failure(struct ike *ike, const struct ike_effect *about, enum ike_failure failure,
                        const char *text)
{
    struct ike_effect fx = *about;
    fx.kind = IKE_FX_CHILD_FAILED;
    fx.failure = failure;
    snprintf(fx.text, sizeof(fx.text), "%s", text);
    (void)ike_effect_push(ike, &fx);
}

static void report_failure(struct ike *ike, uint64_t ticket, const struct ip_addr *peer,
                           const struct ip_pair *flow, enum ike_failure failure, const char *text)
{
    const struct ike_effect about = {.ticket = ticket, .peer = *peer, .flow = *flow};
    ike_report_failure(ike, &about, failure, text);
}

/* If the peer made the tunnel in the meantime, the ticket has it and nothing has failed. */
void ike_request_fail(struct ike *ike, struct ike_request *request, enum ike_failure failure,
                      const char *text)
{
    const struct ike_effect about = {.ticket = request->ticket->number,
                                     .version = request->version,
                                     .profile = request->profile,
                                     .peer = request->remote.addr,
                                     .flow = request->flow,
                                     .traffic = request->traffic};
    if (!ike_ticket_up_since(request->ticket, request->born))
        ike_report_failure(ike, &about, failure, text);
    ike_request_free(ike, request);
}

static enum err begin_quick(struct ike *ike, struct ike_sa *sa, struct ike_request *request)
{
    struct v1_quick *quick;
    msgid_t msgid = v1_msgid_new(ike, sa);
    enum err err = quick_new(ike, sa, V1_QM_I_START, msgid, true, &quick);
    if (err != ERR_OK)
        return err;
    v1_msgid_mark(ike, sa, msgid);
    quick->request = request;
    quick_set_ticket(quick, request->ticket);
    quick->traffic = request->traffic;
    quick->flow = request->flow;
    request->quick = quick;
    request->sa = sa;
    err = v1_start(ike, &quick->x);
    if (err != ERR_OK)
        quick_free(ike, quick);
    return err;
}

static enum err begin_main(struct ike *ike, struct ike_request *request)
{
    struct ike_sa *sa;
    enum err err = main_new(ike, request, &sa);
    if (err != ERR_OK)
        return err;
    request->sa = sa;
    request->reused = false;
    err = v1_start(ike, &sa->main);
    if (err != ERR_OK)
        ike_sa_free(ike, sa);
    return err;
}

/* Phase 2 if a phase 1 SA serves, else wait for one on its way, else begin one. */
enum err ike_request_proceed(struct ike *ike, struct ike_request *request)
{
    struct ike_sa *sa;
    if (request->version == IKE_VERSION_2)
        return v2_request_proceed(ike, request);
    LIST_FOREACH (sa, &request->peer->sas, of_peer) {
        if (serves(sa, request)) {
            request->reused = true;
            return begin_quick(ike, sa, request);
        }
    }
    LIST_FOREACH (sa, &request->peer->sas, of_peer) {
        if (will_serve(sa, request)) {
            request->sa = sa;
            return ERR_OK;
        }
    }
    return begin_main(ike, request);
}

void ike_requests_proceed(struct ike *ike, struct ike_sa *sa)
{
    struct ike_request *request, *next;
    if (sa->peer == NULL)
        return;
    for (request = LIST_FIRST(&sa->peer->requests); request != NULL; request = next) {
        next = LIST_NEXT(request, of_peer);
        if (request->version == IKE_VERSION_2 || request->quick != NULL || !serves(sa, request))
            continue;
        enum err err = begin_quick(ike, sa, request);
        if (err != ERR_OK)
            ike_request_fail(ike, request, IKE_FAILURE_OTHER, err_text(err));
    }
}

void ike_requests_abandon(struct ike *ike, struct ike_sa *sa, enum ike_failure failure,
                          const char *text)
{
    struct ike_request *request, *next;
    if (sa->peer == NULL)
        return;
    for (request = LIST_FIRST(&sa->peer->requests); request != NULL; request = next) {
        next = LIST_NEXT(request, of_peer);
        if (request->sa == sa && request->quick == NULL)
            ike_request_fail(ike, request, failure, text);
    }
}

/*
 * A phase 1 SA from before may end under a request, or the peer may have lost it and be silent:
 * then another one helps. One made for the request itself gets no second try.
 */
static bool try_afresh(struct ike *ike, struct v1_quick *quick)
{
    struct ike_request *request = quick->request;
    struct ike_sa *sa = quick->x.sa;
    /* Not by the clock: under a message that has just come, the SA must stay until it is dealt with. */
    if (!request->reused || ike->shutting_down || (!sa->dying && !quick->silent))
        return false;
    v1_trace(ike, sa, NULL, EVENT_INFO, "IKE SA of no use any more", "starting over");
    request->sa = NULL;
    quick_free(ike, quick);
    if (!sa->dying)
        ike_sa_free(ike, sa);
    enum err err = ike_request_proceed(ike, request);
    if (err != ERR_OK)
        ike_request_fail(ike, request, IKE_FAILURE_OTHER, err_text(err));
    return true;
}

void ike_request_quick_failed(struct ike *ike, struct v1_quick *quick, enum ike_failure failure,
                              const char *text)
{
    struct ike_request *request = quick->request;
    struct ip_addr peer = quick->x.sa->remote.addr;

    if (request != NULL) {
        if (try_afresh(ike, quick))
            return;
        quick_free(ike, quick);
        ike_request_fail(ike, request, failure, text);
        return;
    }
    /* A responder's: its ticket hears of it unless something else of the ticket lives on. */
    const struct ike_ticket *ticket = quick->ticket;
    if (ticket != NULL && ticket->request == NULL && !ike_ticket_up_since(ticket, 0))
        report_failure(ike, ticket->number, &peer, &quick->flow, failure, text);
    quick_free(ike, quick);
}

static bool has_version_1(const struct ike_peer *peer, uint32_t profile)
{
    const struct ike_sa *sa;
    LIST_FOREACH (sa, &peer->sas, of_peer)
        if (sa->profile == profile && ike_sa_established(sa) && !sa->dying && !sa->worn_out)
            return true;
    return false;
}

/* Nobody having said otherwise, the draft's exchange serves opportunistic tunnels (OE-118), and
 * version 2 configured ones unless the peer has come to us with version 1, or fallen back to it. */
static enum ike_version version_for(const struct ike *ike, const struct ike_event *event,
                                    const struct ike_peer *peer)
{
    const struct ike_profile *profile = ike_profile_numbered(ike, event->profile);
    enum ike_version version = profile != NULL ? profile->version : event->version;
    if (version == IKE_ANY_VERSION)
        version = profile != NULL && !has_version_1(peer, profile->number) ? IKE_VERSION_2
                                                                            : IKE_VERSION_1;
    return version;
}

/* What a configured peer may prove itself with; the others' keys come with the request. */
static enum err take_terms(const struct ike *ike, struct ike_request *request,
                           const struct ike_event *event)
{
    const struct ike_profile *profile = ike_profile_numbered(ike, event->profile);
    const struct public_key *keys = event->keys;

    request->profile = event->profile;
    request->traffic = event->traffic;
    request->key_count = event->key_count;
    if (event->profile == 0) {
        request->traffic.local = traffic_of_host(&event->flow.src);
        request->traffic.remote = traffic_of_host(&event->flow.dst);
    } else if (profile != NULL) {
        keys = profile->peer_keys;
        request->key_count = profile->peer_key_count;
    }
    request->keys = calloc(request->key_count + 1, sizeof(*request->keys));
    if (request->keys == NULL)
        return ERR_MEMORY;
    if (request->key_count != 0)
        memcpy(request->keys, keys, request->key_count * sizeof(*request->keys));
    return ERR_OK;
}

static enum err request_new(struct ike *ike, const struct ike_event *event,
                            struct ike_request **ret)
{
    struct ike_request *request = calloc(1, sizeof(*request));
    if (request == NULL)
        return ERR_MEMORY;
    request->ticket = ike_ticket_get(ike, event->ticket, true);
    request->peer = ike_peer_get(ike, &event->local.addr, &event->remote.addr, true);
    if (request->ticket == NULL || request->peer == NULL ||
        take_terms(ike, request, event) != ERR_OK) {
        if (request->ticket != NULL)
            ike_ticket_put(ike, request->ticket);
        if (request->peer != NULL)
            ike_peer_put(ike, request->peer);
        free(request->keys);
        free(request);
        return ERR_MEMORY;
    }
    request->local = event->local;
    request->remote = event->remote;
    if (request->local.port == 0)
        request->local.port = ike_own_port(ike);
    if (request->remote.port == 0)
        request->remote.port = IKE_PORT;
    request->natt = event->natt;
    request->version = version_for(ike, event, request->peer);
    request->flow = event->profile == 0 ? event->flow : traffic_flow(&event->traffic);
    request->peer_id = event->peer_id;
    request->wait_ms = event->wait_ms;
    request->born = ike_serial(ike);
    request->ticket->request = request;
    LIST_INSERT_HEAD(&request->peer->requests, request, of_peer);
    *ret = request;
    return ERR_OK;
}

static bool terms_sensible(const struct ike *ike, const struct ike_event *event)
{
    if (event->profile == 0)
        return event->key_count != 0 && event->key_count <= LIMIT_GATEWAY_KEYS &&
               event->flow.src.family != IP_NONE && event->flow.src.family == event->flow.dst.family;
    return ike_profile_numbered(ike, event->profile) != NULL &&
           event->traffic.local.net.addr.family != IP_NONE &&
           event->traffic.local.net.addr.family == event->traffic.remote.net.addr.family;
}

static bool sensible(const struct ike *ike, const struct ike_event *event)
{
    return event->ticket != 0 && terms_sensible(ike, event) &&
           event->local.addr.family != IP_NONE &&
           event->local.addr.family == event->remote.addr.family &&
           !ip_addr_equal(&event->local.addr, &event->remote.addr);
}

/* Known beforehand, so nothing is sent. */
static bool all_keys_short(const struct ike *ike, const struct ike_event *event)
{
    for (size_t i = 0; i < event->key_count; i++)
        if (ike_key_long_enough(ike->config.legacy, &event->keys[i]))
            return false;
    return true;
}

enum err ike_initiate(struct ike *ike, const struct ike_event *event)
{
    struct ike_ticket *ticket = ike_ticket_get(ike, event->ticket, false);
    struct ike_request *request;

    if (ticket != NULL && ticket->request != NULL) {
        ike_count(ike, IKE_COUNT_BAD_REQUEST); /* the one under way will answer */
        return ERR_STATE;
    }
    if (event->profile == 0 && sensible(ike, event) && all_keys_short(ike, event)) {
        ike_count(ike, IKE_COUNT_NO_KEYS);
        report_failure(ike, event->ticket, &event->remote.addr, &event->flow, IKE_FAILURE_SIGNATURE,
                       "the peer's key is shorter than 2048 bits");
        return ERR_AUTH;
    }
    enum err err = sensible(ike, event) ? request_new(ike, event, &request) : ERR_VALUE;
    if (err != ERR_OK) {
        ike_count(ike, err == ERR_MEMORY ? IKE_COUNT_MEMORY : IKE_COUNT_BAD_REQUEST);
        report_failure(ike, event->ticket, &event->remote.addr, &event->flow, IKE_FAILURE_OTHER,
                       err_text(err));
        return err;
    }
    err = ike_request_proceed(ike, request);
    if (err != ERR_OK)
        ike_request_fail(ike, request, IKE_FAILURE_OTHER, err_text(err));
    return err;
}

/* Exchanges begun by the peer go too: nobody would want their result. */
enum err ike_cancel(struct ike *ike, uint64_t number)
{
    struct ike_ticket *ticket = ike_ticket_get(ike, number, false);
    struct v1_quick *quick, *next;
    if (ticket == NULL) {
        ike_count(ike, IKE_COUNT_BAD_REQUEST);
        return ERR_UNKNOWN;
    }
    if (ticket->request != NULL) {
        struct v2_child *making = ticket->request->making;
        quick = ticket->request->quick;
        ike_request_free(ike, ticket->request);
        if (quick != NULL)
            quick_free(ike, quick);
        if (making != NULL)
            v2_cancel(ike, making);
    }
    ticket = ike_ticket_get(ike, number, false); /* it may have gone with the request */
    for (quick = ticket ? LIST_FIRST(&ticket->quicks) : NULL; quick != NULL; quick = next) {
        next = LIST_NEXT(quick, of_ticket);
        if (quick->x.state != V1_QM_DONE)
            quick_free(ike, quick);
    }
    v2_cancel_all(ike, number);
    return ERR_OK;
}
