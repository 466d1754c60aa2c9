/* IKE_AUTH (RFC 7296 section 1.2): each end says who it is and proves it, and the first child is
 * made. Its failure does not take the IKE SA along (section 1.2, RFC 6023). */
#include <stdio.h>

#include "ike/v2/v2.h"

static void put_id(struct ike2_writer *w, uint8_t type, const struct blob *body)
{
    ike2_writer_payload(w, type, blob_view(body));
}

/* Section 2.4; only ever under encryption (OE-175). */
static void put_initial_contact(struct v2_step *step, struct ike2_writer *w)
{
    struct v2_sa *sa = step->sa;
    sa->greets = contact_is_due(step->ike, &sa->local.addr, &sa->remote.addr);
    if (sa->greets)
        ike2_writer_notify(w, IKE2_N_INITIAL_CONTACT, view_of(NULL, 0));
}

static enum err read_identity(struct v2_step *step, uint8_t type, struct identity *ret)
{
    struct ike2_id id;
    enum err err = ike2_id_parse(v2_body(step, type, 0), &id);
    if (err == ERR_OK)
        err = ike2_id_to_identity(&id, ret);
    if (err == ERR_SHORT || err == ERR_SYNTAX)
        return v2_refuse(step, ERR_SYNTAX, IKE2_N_INVALID_SYNTAX, "malformed identity");
    if (err != ERR_OK)
        return v2_refuse(step, ERR_AUTH, 0, "no usable identity");
    return ERR_OK;
}

/* Initiator */

enum err auth_i_sign_plain(struct v2_step *step)
{
    struct v2_child *child = step->x->child;
    enum err err = child_take_spi(step);
    if (err == ERR_OK && child != NULL && child->refused != 0)
        err = v2_refuse(step, ERR_STATE, 0, "no SPI to be had");
    return err == ERR_OK ? ppk_i_ask_plain(step) : err;
}

enum err auth_i_sign(struct v2_step *step)
{
    enum err err = ppk_i_mix(step);
    return err == ERR_OK ? credential_ask(step) : err;
}

static void put_peer_id(const struct v2_step *step, struct ike2_writer *w)
{
    const struct ike_profile *profile = v2_profile(step->ike, step->sa->profile);
    if (profile == NULL || profile->peer_id.kind == IDENTITY_NONE ||
        profile->peer_id.kind == IDENTITY_NULL)
        return;
    ike2_writer_open(w, IKE2_P_IDR);
    ike2_id_build_identity(&w->b, &profile->peer_id);
    ike2_writer_close(w);
}

enum err auth_i_send(struct v2_step *step)
{
    struct v2_child *child = step->x->child;
    struct v2_out out;

    v2_out_start(step, &out, V2_AUTH_REQ);
    put_id(&out.w, IKE2_P_IDI, &step->sa->handshake->id_own);
    put_initial_contact(step, &out.w);
    v2_mobike_put_support(step, &out.w);
    v2_sync_put_support(step->sa, &out.w);
    put_peer_id(step, &out.w);
    credential_put_requests(step, &out.w);
    enum err err = credential_put(step, &out.w);
    if (err != ERR_OK)
        return err;
    crash_put(step->ike, step->sa, &out.w);
    resume_put_request(step, &out.w);
    if (child != NULL) {
        child->policy = child_own_policy(step);
        child->policy.no_kex = true;
        config_put_request(step, &out.w);
        child_put_offer(step, &out.w);
    }
    ppk_i_put(step, &out.w);
    return v2_out_send(step, &out);
}

enum err auth_i_refused(struct v2_step *step)
{
    struct ike2_notify n;
    uint16_t error = v2_first_error(step, &n);
    if (error == 0)
        return v2_refuse(step, ERR_MISSING, 0, "an empty answer");
    (void)v2_refused_by_peer(step, error);
    step->sa->handshake->disbelieved = error == IKE2_N_AUTHENTICATION_FAILED;
    if (error == IKE2_N_AUTHENTICATION_FAILED)
        step->failure = IKE_FAILURE_OTHER; /* it doesn't believe us, or policy forbids */
    return ERR_POLICY;
}

/* The key decides; the identity must be the one DNS or the profile named; for strangers their
 * address will do. */
static bool is_expected(const struct v2_step *step, const struct identity *id)
{
    const struct v2_sa *sa = step->sa;
    const struct ike_profile *profile = v2_profile(step->ike, sa->profile);
    const struct identity *expected = &sa->handshake->expected;
    struct identity address = identity_of_addr(&sa->remote.addr);
    if (profile != NULL)
        return ike_profile_is_for(profile, id);
    return expected->kind == IDENTITY_NONE || identity_equal(id, expected) ||
           identity_equal(id, &address);
}

/* ADR-090: an ID that is an address has to be the one that the peer is at, unless a NAT hides that, or the
 * administrator knows better. Strangers are known by their address anyway. */
static enum err check_address_id(struct v2_step *step, const struct identity *id,
                                 const struct ip_addr *at)
{
    const struct v2_sa *sa = step->sa;
    const struct ike_profile *profile = v2_profile(step->ike, sa->profile);
    if (profile == NULL || profile->any_address_id || id->kind != IDENTITY_ADDR || sa->nat.there ||
        ip_addr_equal(&id->addr, at))
        return ERR_OK;
    return v2_refuse(step, ERR_AUTH, 0, "the peer is not at the address that it is known by");
}

/* The IKE SA is good; its first child is not to be had. */
static void first_child_fails(struct v2_step *step, enum ike_failure failure, const char *why)
{
    struct v2_child *child = step->x->child;
    step->x->child = NULL;
    step->at_once = true;
    v2_request_child_failed(step->ike, child, failure, why);
}

static enum err take_first_child(struct v2_step *step)
{
    struct ike2_notify n;
    if (step->x->child == NULL) {
        step->at_once = true;
        return ERR_OK;
    }
    if (!v2_has(step, IKE2_P_SA) || !v2_has(step, IKE2_P_TSI) || !v2_has(step, IKE2_P_TSR)) {
        uint16_t error = v2_first_error(step, &n);
        (void)v2_refused_by_peer(step, error);
        first_child_fails(step, IKE_FAILURE_REFUSED, step->why);
        return ERR_OK;
    }
    enum err err = child_take_answer(step);
    if (err == ERR_OK)
        err = child_install(step);
    if (err == ERR_OK || err_class(err) == ERR_CLASS_BUG)
        return err;
    ike_count(step->ike, v2_counter_of(err));
    first_child_fails(step, IKE_FAILURE_OTHER, step->why != NULL ? step->why : err_text(err));
    return ERR_OK;
}

enum err auth_i_verify(struct v2_step *step)
{
    struct v2_sa *sa = step->sa;
    struct v2_handshake *hs = sa->handshake;
    struct identity id;
    struct ike2_notify n;

    enum err err = read_identity(step, IKE2_P_IDR, &id);
    if (err == ERR_OK)
        err = ppk_i_answered(step);
    if (err == ERR_OK)
        err = credential_keep_certificates(step);
    if (err == ERR_OK)
        err = credential_verify(step, &id, v2_body(step, IKE2_P_IDR, 0),
                                v2_body(step, IKE2_P_AUTH, 0), hs->keys, hs->key_count);
    if (err != ERR_OK)
        return err;
    if (!is_expected(step, &id))
        return v2_refuse(step, ERR_AUTH, 0, "the peer calls itself something else");
    err = check_address_id(step, &id, &step->event->remote.addr);
    if (err != ERR_OK)
        return err;
    hs->initial_contact = v2_notified(step, IKE2_N_INITIAL_CONTACT, &n);
    err = crash_read(step, sa);
    if (err == ERR_OK)
        err = v2_mobike_read_support(step);
    if (err == ERR_OK)
        err = resume_take(step);
    v2_sync_read_support(step);
    return err == ERR_OK ? take_first_child(step) : err;
}

/* Responder */

static bool method_fits(const struct ike_profile *profile, uint8_t auth_method)
{
    switch (auth_method) {
    case IKE2_AUTH_SHARED_KEY:
        return profile->peer_method == IKE_BY_PSK;
    case IKE2_AUTH_NULL:
        return profile->peer_method == IKE_BY_NULL;
    default:
        return profile->peer_method == IKE_BY_KEY || profile->peer_method == IKE_BY_CERTIFICATE;
    }
}

/* OE-114, IKE-054, IKE-056: by addresses, then by the identity that the peer claims. */
static uint32_t find_profile(const struct v2_step *step, const struct identity *id,
                             uint8_t auth_method)
{
    const struct v2_sa *sa = step->sa;
    const struct ike_profile *profile = NULL;
    while ((profile = ike_profile_next(step->ike, profile, IKE_VERSION_2, &sa->local.addr,
                                       &sa->remote.addr)) != NULL)
        if (ike_profile_is_for(profile, id) && method_fits(profile, auth_method))
            return profile->number;
    return 0;
}

static enum err choose_profile(struct v2_step *step, uint8_t auth_method)
{
    bool secret = auth_method == IKE2_AUTH_SHARED_KEY || auth_method == IKE2_AUTH_NULL;
    step->sa->profile = find_profile(step, &step->sa->handshake->claimed, auth_method);
    if (step->sa->profile == 0 && secret)
        return v2_refuse(step, ERR_AUTH, 0, "no configured peer of that name");
    return ERR_OK;
}

static enum err begin_first_child(struct v2_step *step)
{
    bool sa = v2_has(step, IKE2_P_SA), i = v2_has(step, IKE2_P_TSI), r = v2_has(step, IKE2_P_TSR);
    struct v2_child *child;
    if (!sa && !i && !r)
        return ERR_OK; /* RFC 6023 */
    if (!sa || !i || !r)
        return ERR_MISSING;
    enum err err = child_new(step->ike, step->x, &child);
    if (err == ERR_OK)
        err = child_take_proposal(step);
    return err == ERR_OK ? config_take_request(step) : err;
}

static enum err ask_keys(struct v2_step *step, const struct identity *id)
{
    struct ike_effect fx = {.kind = IKE_FX_NEED_KEYS, .peer_id = *id};
    const struct ike_profile *profile = v2_profile(step->ike, step->sa->profile);
    step->at_once = profile != NULL;
    return profile != NULL ? ERR_OK : v2_ask(step, &fx);
}

enum err auth_r_claim(struct v2_step *step)
{
    struct v2_sa *sa = step->sa;
    struct v2_handshake *hs = sa->handshake;
    struct ike2_auth auth;
    struct ike2_notify n;

    if (!mediate_is_done(sa))
        return v2_refuse(step, ERR_MISSING, IKE2_N_INVALID_SYNTAX, "a key exchange is left out");
    enum err err = read_identity(step, IKE2_P_IDI, &hs->claimed);
    if (err != ERR_OK)
        return err;
    if (ike2_auth_parse(v2_body(step, IKE2_P_AUTH, 0), &auth) != ERR_OK)
        return v2_refuse(step, ERR_SYNTAX, IKE2_N_INVALID_SYNTAX, "malformed AUTH");
    err = hs->ticket != NULL ? resume_r_claimed(step) : choose_profile(step, auth.method);
    if (err == ERR_OK)
        err = check_address_id(step, &hs->claimed, &step->event->remote.addr);
    if (err != ERR_OK)
        return err;
    if (!v2_tcp_allowed(step->ike, sa, step->event))
        return v2_refuse(step, ERR_AUTH, 0, "no configured peer of that name that may use TCP");
    if (!blob_set(&hs->id_peer, v2_body(step, IKE2_P_IDI, 0)) ||
        !blob_set(&hs->auth, v2_body(step, IKE2_P_AUTH, 0)))
        return ERR_MEMORY;
    hs->from = (struct v2_path){step->event->local, step->event->remote, step->event->natt};
    hs->initial_contact = v2_notified(step, IKE2_N_INITIAL_CONTACT, &n);
    hs->wants_ticket = v2_notified(step, IKE2_N_TICKET_REQUEST, &n);
    err = ppk_r_claimed(step);
    if (err == ERR_OK)
        err = crash_read(step, sa);
    if (err == ERR_OK)
        err = v2_mobike_read_support(step);
    v2_sync_read_support(step);
    if (err == ERR_OK)
        err = credential_keep_certificates(step);
    if (err == ERR_OK)
        err = begin_first_child(step);
    return err == ERR_OK ? ask_keys(step, &hs->claimed) : err;
}

static void report_peer(struct v2_step *step)
{
    const struct v2_sa *sa = step->sa;
    char text[IKE2_SUITE_TEXT_MAX], name[IDENTITY_TEXT_MAX], detail[200];
    const struct ike_effect fx = {.kind = IKE_FX_PEER_AUTHENTICATED,
                                  .version = IKE_VERSION_2,
                                  .profile = sa->profile,
                                  .peer = sa->remote.addr,
                                  .peer_id = sa->peer_id,
                                  .local = sa->local,
                                  .remote = sa->remote,
                                  .initiator = sa->initiator};
    snprintf(detail, sizeof(detail), "%.100s as %.90s", ike2_suite_format(&sa->suite, text),
             identity_format(&sa->peer_id, name));
    v2_trace(step->ike, sa, step->x, EVENT_INFO,
             sa->peer_method == IKE_BY_NULL ? "Peer not authenticated" : "Peer authenticated",
             detail);
    (void)ike_effect_push(step->ike, &fx);
}

enum err auth_r_verify(struct v2_step *step)
{
    struct v2_sa *sa = step->sa;
    const struct v2_handshake *hs = sa->handshake;
    if (!step->event->ok || (sa->profile == 0 && step->event->key_count == 0)) /* OE-087 */
        return v2_refuse(step, ERR_UNKNOWN, 0, "no keys for the peer");
    enum err err = credential_verify(step, &hs->claimed, blob_view(&hs->id_peer),
                                     blob_view(&hs->auth), step->event->keys,
                                     step->event->key_count);
    if (err != ERR_OK)
        return err;
    v2_nat_take_claimed(step->ike, sa);
    report_peer(step);
    return child_authorize(step);
}

enum err auth_r_sign(struct v2_step *step)
{
    struct v2_child *child = step->x->child;
    if (child != NULL && child->refused == 0 && !step->event->ok) {
        enum err err = child_refuse(step, ERR_STATE, IKE2_N_NO_ADDITIONAL_SAS,
                                    "the SAs could not be installed");
        if (err != ERR_OK)
            return err;
    }
    return credential_ask(step);
}

enum err auth_r_send(struct v2_step *step)
{
    struct v2_child *child = step->x->child;
    struct v2_out out;

    v2_out_start(step, &out, V2_AUTH_RSP);
    put_id(&out.w, IKE2_P_IDR, &step->sa->handshake->id_own);
    put_initial_contact(step, &out.w);
    v2_mobike_put_support(step, &out.w);
    v2_sync_put_support(step->sa, &out.w);
    enum err err = credential_put(step, &out.w);
    if (err == ERR_OK && child != NULL && child->refused == 0)
        err = made_new(step->ike, child);
    if (err != ERR_OK)
        return err;
    crash_put(step->ike, step->sa, &out.w);
    if (step->sa->handshake->wants_ticket) {
        const struct identity own = credential_own_identity(step);
        ticket_put(step, &own, &out.w);
    }
    if (child != NULL && child->refused != 0) {
        ike2_writer_notify(&out.w, child->refused, view_of(NULL, 0));
    } else if (child != NULL) {
        config_put_reply(step, &out.w);
        child_put_answer(step, &out.w);
    }
    ppk_r_put(step, &out.w);
    return v2_out_send(step, &out);
}

/* Both sides: the SA is there. What only the handshake needed is wiped. */
void auth_established(struct v2_step *step)
{
    struct ike *ike = step->ike;
    struct v2_sa *sa = step->sa;
    struct v2_child *child = step->x->child;
    bool useless = sa->initiator && config_is_wanted(step) && !sa->handshake->addressed;
    bool initial_contact = sa->handshake->initial_contact && sa->peer_method != IKE_BY_NULL;
    struct v2_ticket *shown = sa->handshake->ticket;
    sa->handshake->ticket = NULL;

    if ((sa->handshake->mobike || sa->handshake->draft) &&
        v2_mobike_begin(ike, sa, &sa->handshake->addresses) != ERR_OK)
        ike_count(ike, IKE_COUNT_MEMORY); /* its addresses are those it has now */
    v2_handshake_free(sa->handshake);
    sa->handshake = NULL;
    v2_sa_established_now(ike, sa);
    if (sa->initiator)
        report_peer(step);
    resume_established(ike, sa, shown);
    if (sa->greets)
        contact_made(ike, &sa->local.addr, &sa->remote.addr);
    if (initial_contact && sa->peer != NULL) {
        v2_trace(ike, sa, NULL, EVENT_INFO, "INITIAL_CONTACT",
                 "the peer restarted; what we had with it is dropped");
        contact_peer_restarted(ike, sa->peer, sa->peer_key_digest, sa->number);
    }
    if (!sa->initiator && child != NULL && child->refused != 0) {
        step->x->child = NULL;
        v2_request_child_failed(ike, child, IKE_FAILURE_OTHER, "refused");
    }
    if (!sa->initiator)
        child_up(step);
    if (useless)
        config_give_up(step);
    v2_requests_proceed(ike, sa);
}
