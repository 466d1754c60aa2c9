/*
 * CREATE_CHILD_SA for a pair of ESP or AH SAs (RFC 7296 sections 1.3.1, 1.3.3): the handlers of the table.
 * The child of IKE_AUTH takes the same rows from authorization on.
 */
#include <assert.h>
#include <stdio.h>

#include "ike/v2/v2.h"

/* Birth and death */

enum err child_new(struct ike *ike, struct v2_exchange *x, struct v2_child **ret)
{
    struct v2_child *child = calloc(1, sizeof(*child));
    if (child == NULL)
        return ERR_MEMORY;
    child->sa = x->sa;
    child->x = x;
    child->born = ike_serial(ike);
    x->child = child;
    *ret = child;
    return ERR_OK;
}

void child_set_ticket(struct v2_child *child, struct ike_ticket *ticket)
{
    assert(child->ticket == NULL);
    child->ticket = ticket;
    LIST_INSERT_HEAD(&ticket->making, child, of_ticket);
}

static void remove_sa(struct ike *ike, const struct v2_child *child, bool inbound)
{
    const struct v2_sa *sa = child->sa;
    const struct ike_effect fx = {.kind = IKE_FX_REMOVE_SA,
                                  .spi = inbound ? child->spi_in : child->spi_out,
                                  .inbound = inbound,
                                  .peer = sa->remote.addr,
                                  .local = sa->local,
                                  .remote = sa->remote};
    (void)ike_effect_push(ike, &fx);
}

/* What was leased or installed and did not become a child that was reported. */
static void take_back(struct ike *ike, struct v2_child *child)
{
    if (child->child != NULL)
        ike_child_free(ike, child->child);
    child->child = NULL;
    if (child->spi_in.value != 0)
        remove_sa(ike, child, true);
    if (child->outbound_given)
        remove_sa(ike, child, false);
    if (child->agreed && child->spi_in.value != 0)
        info_delete_spi(ike, child->sa, child->suite.esp.protocol, child->spi_in);
}

static void forget_secrets(struct v2_child *child)
{
    kex_free(child->kex);
    child->kex = NULL;
    blob_wipe(&child->peer_ke);
    blob_wipe(&child->own_ke);
    blob_wipe(&child->secret);
    sa_params_wipe(&child->sas[0]);
    sa_params_wipe(&child->sas[1]);
}

void child_free(struct ike *ike, struct v2_child *child)
{
    if (!child->reported)
        take_back(ike, child);
    forget_secrets(child);
    blob_wipe(&child->nonce_i);
    blob_wipe(&child->nonce_r);
    if (child->request != NULL)
        child->request->making = NULL;
    if (child->ticket != NULL) {
        LIST_REMOVE(child, of_ticket);
        ike_ticket_put(ike, child->ticket);
    }
    free(child);
}

enum err child_refuse(struct v2_step *step, enum err err, uint16_t notify, const char *why)
{
    if (step->sa->established)
        return v2_refuse(step, err, notify, why);
    ike_count(step->ike, v2_counter_of(err));
    v2_trace(step->ike, step->sa, step->x, EVENT_WARNING, "First child refused", why);
    step->x->child->refused = notify;
    return ERR_OK;
}

static enum err fresh_nonce(struct ike *ike, struct blob *ret)
{
    uint8_t nonce[V2_NONCE_LEN];
    rng_fill(&ike->env.rng, nonce, sizeof(nonce));
    return blob_set(ret, view_of(nonce, sizeof(nonce))) ? ERR_OK : ERR_MEMORY;
}

/* Initiator */

/* The other end may have replaced or deleted it while ours stood in line. */
static bool overtaken(const struct v2_child *child)
{
    if (child->rekeys_spi.value == 0)
        return false;
    return child->rekeys == NULL || child->rekeys->state != IKE_CHILD_UP;
}

enum err child_i_start(struct v2_step *step)
{
    struct v2_child *child = step->x->child;
    if (overtaken(child)) {
        if (child->ticket != NULL && ike_ticket_up_since(child->ticket, child->born))
            return v2_refuse(step, ERR_STATE, 0, "the peer has replaced it already");
        child->rekeys = NULL; /* a new one then */
        child->rekeys_spi.value = 0;
    }
    return child_ask_spi(step);
}

static uint16_t wanted_method(const struct v2_step *step)
{
    const struct ike_profile *profile = v2_profile(step->ike, step->sa->profile);
    if (profile != NULL && profile->pfs_group == IKE_NO_PFS)
        return 0;
    if (profile != NULL && profile->pfs_group != 0)
        return profile->pfs_group;
    return step->sa->suite.method; /* OE-128: always with forward secrecy */
}

static enum err make_share(struct v2_step *step)
{
    struct v2_child *child = step->x->child;
    if (child->nonce_i.len == 0) {
        child->policy = child_own_policy(step);
        child->method = wanted_method(step);
        child->policy.no_kex = child->method == 0;
        if (child->method != 0)
            follow_offer(step, &child->policy);
    }
    enum err err = fresh_nonce(step->ike, &child->nonce_i);
    if (err == ERR_OK && child->method != 0 && child->kex == NULL)
        err = defer_kex_new(step->ike, &step->works, child->method, &child->kex);
    return err;
}

static void put_rekey_notify(const struct v2_child *child, struct ike2_writer *w)
{
    uint8_t octets[4];
    struct builder spi = builder_on(span_of(octets, sizeof(octets)));
    builder_u32(&spi, child->rekeys_spi.value);
    const struct ike2_notify n = {
        .protocol = v2_protocol(child->rekeys->protocol),
        .type = IKE2_N_REKEY_SA,
        .spi = builder_written(&spi)};
    ike2_writer_open(w, IKE2_P_N);
    ike2_notify_build(&w->b, &n);
    ike2_writer_close(w);
}

enum err child_i_offer(struct v2_step *step)
{
    struct v2_child *child = step->x->child;
    struct v2_out out;
    enum err err = child_take_spi(step);
    if (err == ERR_OK)
        err = make_share(step);
    if (err != ERR_OK)
        return err;
    v2_out_start(step, &out, V2_CHILD_REQ);
    if (child->rekeys != NULL)
        put_rekey_notify(child, &out.w);
    v2_addrmgmt_put_ends(step, &out.w);
    child_put_offer(step, &out.w);
    return v2_out_send(step, &out);
}

/* The first error there is; the table has seen to it that there is nothing else. */
uint16_t v2_first_error(const struct v2_step *step, struct ike2_notify *ret)
{
    const struct ike2_payload *payload;
    for (size_t i = 0; (payload = ike2_payload_find(step->payloads, IKE2_P_N, i)) != NULL; i++)
        if (ike2_notify_parse(payload->body, ret) == ERR_OK && ret->type < IKE2_N_FIRST_STATUS)
            return ret->type;
    return 0;
}

enum err v2_refused_by_peer(struct v2_step *step, uint16_t error)
{
    static char text[80];
    const char *name = ike2_notify_name(error);
    snprintf(text, sizeof(text), "refused by the peer: %s (%u)", name ? name : "notify", error);
    step->failure = IKE_FAILURE_REFUSED;
    return v2_refuse(step, ERR_POLICY, 0, text);
}

enum err v2_hold(struct v2_step *step)
{
    struct v2_exchange *x = step->x;
    int64_t ms = (int64_t)V2_BUSY_MS << x->tries;
    x->holds = true;
    x->hold_until = mono_add(step->ike->now, ms + rng_u32(&step->ike->env.rng) % V2_BUSY_MS);
    return ERR_OK;
}

static enum err other_method(struct v2_step *step, struct view data)
{
    struct v2_child *child = step->x->child;
    struct cursor cur = cursor_of(data);
    uint16_t method = cursor_u16(&cur);
    struct builder scratch = builder_on(span_of(step->ike->inner, sizeof(step->ike->inner)));

    ike2_child_offer_build(&scratch, &child->policy, child->spi_in, &step->ike->sa2);
    if (!cursor_done(&cur) || child->method == 0 || method == child->method ||
        !v2_method_offered(&step->ike->sa2, method))
        return v2_refuse(step, ERR_VALUE, 0, "a key exchange that we did not offer");
    kex_free(child->kex);
    child->kex = NULL;
    child->method = method;
    return ERR_OK;
}

/* Section 2.25: the peer does not have it any more, so neither do we. */
static void old_one_is_gone(struct v2_step *step)
{
    struct v2_child *child = step->x->child;
    struct ike_child *old = child->rekeys;
    child->rekeys = NULL;
    child->rekeys_spi.value = 0;
    if (old == NULL)
        return;
    old->replaced = true; /* the request that is under way reports for it */
    ike_child_finish(step->ike, old);
}

/* The peer forgot what followed. */
static void start_over(struct v2_step *step)
{
    struct v2_child *child = step->x->child;
    follow_forget(step->x);
    kex_free(child->kex);
    child->kex = NULL;
    blob_wipe(&child->secret);
    child->spi_out.value = 0;
}

enum err child_i_refused(struct v2_step *step)
{
    struct ike2_notify n;
    uint16_t error = v2_first_error(step, &n);
    if (step->x->child->unwanted)
        return v2_refuse(step, ERR_STATE, 0, "nobody wants it any more");

    if (++step->x->tries > V2_TRIES)
        return v2_refused_by_peer(step, error);
    switch (error) {
    case IKE2_N_INVALID_KE_PAYLOAD:
        return other_method(step, n.data);
    case IKE2_N_TEMPORARY_FAILURE:
        return v2_hold(step);
    case IKE2_N_STATE_NOT_FOUND:
        start_over(step);
        return ERR_OK;
    case IKE2_N_CHILD_SA_NOT_FOUND:
        old_one_is_gone(step);
        return ERR_OK;
    default:
        return v2_refused_by_peer(step, error);
    }
}

enum err child_i_reply(struct v2_step *step)
{
    if (step->x->child->unwanted) {
        step->x->child->agreed = true; /* so it is deleted */
        return v2_refuse(step, ERR_STATE, 0, "nobody wants it any more");
    }
    enum err err = child_take_answer(step);
    if (err == ERR_OK)
        err = follow_begin(step->x, step->x->child->suite.additional);
    if (err == ERR_OK && step->x->follow != NULL)
        step->x->child->agreed = false; /* nothing is made before the last */
    if (err == ERR_OK)
        err = follow_take_link(step);
    step->at_once = true;
    return err;
}

enum err child_i_installed(struct v2_step *step)
{
    struct v2_child *child = step->x->child;
    if (child == NULL)
        return ERR_OK; /* IKE_AUTH without one */
    if (!step->event->ok)
        return v2_refuse(step, ERR_STATE, 0, "the SAs could not be installed");
    if (child->gone) {
        child->agreed = false; /* it has its answer */
        return v2_refuse(step, ERR_STATE, 0, "the peer has deleted it already");
    }
    return made_new(step->ike, child);
}

/* Responder */

static enum err find_rekeyed(struct v2_step *step, const struct ike2_notify *n)
{
    struct v2_child *child = step->x->child;
    struct cursor cur = cursor_of(n->spi);
    spi_t spi = {cursor_u32(&cur)};
    struct ike_child *old = cursor_done(&cur) ? made_find_out(step->sa, spi) : NULL;

    /* It may be the one whose answer is on its way to us. */
    if (old == NULL && v2_line_has(step->sa, V2_C_I_WAIT_REPLY, V2_C_I_INSTALLING))
        return v2_refuse(step, ERR_VALUE, IKE2_N_TEMPORARY_FAILURE, "perhaps it is being made");
    if (old == NULL || n->protocol != v2_protocol(old->protocol))
        return v2_refuse(step, ERR_VALUE, IKE2_N_CHILD_SA_NOT_FOUND, "no such child to replace");
    if (old->state != IKE_CHILD_UP && !(old->state == IKE_CHILD_DRAINING && old->rekey_nonce.len))
        return v2_refuse(step, ERR_VALUE, IKE2_N_TEMPORARY_FAILURE, "that child is on its way out");
    child->rekeys = old;
    child->rekeys_spi = old->spi_in;
    return ERR_OK;
}

/* Section 2.25.2: nothing new under an SA that is about to be replaced or deleted. */
static bool is_busy(const struct v2_sa *sa)
{
    return sa->closing || sa->replaced || v2_line_has(sa, V2_K_I_WAIT_REPLY, V2_K_I_WAIT_REPLY);
}

static enum err ask_authorization(struct v2_step *step)
{
    const struct v2_sa *sa = step->sa;
    struct v2_child *child = step->x->child;
    struct public_key key = {.alg = sa->peer_key_alg, .len = (uint16_t)sa->peer_key.len};
    struct ike_effect fx = {.kind = IKE_FX_NEED_AUTHORIZATION,
                            .peer_id = sa->peer_id,
                            .initiator = sa->initiator,
                            .flow = child->flow,
                            .traffic = child->traffic,
                            .behind_nat = sa->nat.there};
    if (key.len != 0)
        memcpy(key.octets, sa->peer_key.ptr, key.len);
    fx.key = &key; /* empty: it proved a secret, or nothing */
    return v2_ask(step, &fx);
}

/* What it replaces was authorized; it may not grow. */
static enum err inherit(struct v2_step *step)
{
    struct v2_child *child = step->x->child;
    const struct ike_child *old = child->rekeys;
    if (!traffic_within(&old->traffic, &child->traffic))
        return v2_refuse(step, ERR_POLICY, IKE2_N_TS_UNACCEPTABLE,
                         "not the traffic of the child that it replaces");
    child->traffic = old->traffic;
    child->flow = old->flow;
    if (old->ticket != NULL)
        child_set_ticket(child, old->ticket);
    step->at_once = true;
    return ERR_OK;
}

enum err child_authorize(struct v2_step *step)
{
    struct v2_child *child = step->x->child;
    if (child == NULL || child->refused != 0) {
        step->at_once = true;
        return ERR_OK;
    }
    return child->rekeys != NULL ? inherit(step) : ask_authorization(step);
}

enum err child_r_proposal(struct v2_step *step)
{
    struct v2_child *child;
    struct ike2_notify n;
    if (is_busy(step->sa))
        return v2_refuse(step, ERR_STATE, IKE2_N_TEMPORARY_FAILURE, "this IKE SA is being replaced");
    enum err err = v2_addrmgmt_read_ends(step);
    if (err == ERR_OK)
        err = child_new(step->ike, step->x, &child);
    if (err == ERR_OK && v2_notified(step, IKE2_N_REKEY_SA, &n))
        err = find_rekeyed(step, &n);
    if (err == ERR_OK)
        err = child_take_proposal(step);
    return err == ERR_OK ? child_authorize(step) : err;
}

static bool has_traffic(const struct traffic_pair *traffic)
{
    return traffic->local.net.addr.family != IP_NONE && traffic->remote.net.addr.family != IP_NONE;
}

static enum err take_authorization(struct v2_step *step)
{
    struct v2_child *child = step->x->child;
    const struct ike_event *event = step->event;
    if (!event->ok) /* OE-092, OE-183 */
        return child_refuse(step, ERR_POLICY, config_refusal(child),
                            "the peer may not have that tunnel");
    if (has_traffic(&event->traffic)) {
        if (!traffic_within(&event->traffic, &child->traffic))
            return child_refuse(step, ERR_POLICY, IKE2_N_TS_UNACCEPTABLE,
                                "policy allows other traffic only");
        child->traffic = event->traffic;
        child->flow = traffic_flow(&child->traffic);
    }
    if (event->ticket != 0 && child->ticket == NULL) {
        struct ike_ticket *ticket = ike_ticket_get(step->ike, event->ticket, true);
        if (ticket == NULL)
            return ERR_MEMORY;
        child_set_ticket(child, ticket);
    }
    return ERR_OK;
}

enum err child_r_authorized(struct v2_step *step)
{
    struct v2_child *child = step->x->child;
    if (child != NULL && child->refused == 0) {
        enum err err = take_authorization(step);
        if (err != ERR_OK)
            return err;
    }
    return child_ask_spi(step);
}

static enum err answer_share(struct v2_step *step)
{
    struct v2_child *child = step->x->child;
    uint16_t method = child->suite.method;
    uint8_t reply[KEX_VALUE_MAX], secret[KEX_SECRET_MAX];
    if (step->sa->established) {
        enum err err = fresh_nonce(step->ike, &child->nonce_r);
        if (err != ERR_OK)
            return err;
    }
    if (method == 0)
        return ERR_OK;
    enum err err = defer_kex_respond(step->ike, &step->works, method, blob_view(&child->peer_ke),
                                     reply, secret);
    if (err == ERR_OK && (!blob_set(&child->own_ke, view_of(reply, kex_reply_len(method))) ||
                          !blob_set(&child->secret, view_of(secret, kex_secret_len(method)))))
        err = ERR_MEMORY;
    secret_wipe(secret, sizeof(secret));
    return err == ERR_VALUE
               ? v2_refuse(step, err, IKE2_N_INVALID_SYNTAX, "public value is not acceptable")
               : err;
}

enum err child_r_keys(struct v2_step *step)
{
    struct v2_child *child = step->x->child;
    enum err err = child_take_spi(step);
    if (err != ERR_OK)
        return err;
    if (child == NULL || child->refused != 0) {
        step->at_once = true;
        return ERR_OK;
    }
    err = answer_share(step);
    if (err == ERR_OK)
        err = follow_begin(step->x, child->suite.additional);
    if (err != ERR_OK || step->x->follow == NULL)
        return err == ERR_OK ? child_install(step) : err; /* OE-185 */
    step->skips = step->at_once = true;
    return ERR_OK;
}

enum err child_r_reply(struct v2_step *step)
{
    struct v2_out out;
    if (!step->event->ok)
        return v2_refuse(step, ERR_STATE, IKE2_N_TEMPORARY_FAILURE,
                         "the SAs could not be installed");
    enum err err = made_new(step->ike, step->x->child);
    if (err != ERR_OK)
        return err;
    v2_out_start(step, &out, V2_CHILD_RSP);
    child_put_answer(step, &out.w);
    return v2_out_send(step, &out);
}

void child_up(struct v2_step *step)
{
    struct v2_child *child = step->x->child;
    if (child == NULL || child->child == NULL)
        return;
    forget_secrets(child);
    made_report(step->ike, child, step->x->initiator);
}
