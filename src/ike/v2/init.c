/* IKE_SA_INIT (RFC 7296 section 1.2): suites, key exchange, nonces; nothing of it is authenticated
 * until IKE_AUTH covers it. */
#include <assert.h>
#include <stdio.h>

#include "ike/v2/v2.h"

static_assert(sizeof(((struct ike_profile *)0)->additional) ==
                  sizeof(((struct ike2_policy *)0)->additional),
              "a profile names as many key exchanges as an offer has room for");

static struct ike2_policy policy_of(const struct ike *ike, uint32_t number)
{
    const struct ike_profile *profile = v2_profile(ike, number);
    struct ike2_policy policy = {.legacy = ike->config.legacy || (profile != NULL && profile->legacy)};
    if (profile != NULL)
        memcpy(policy.additional, profile->additional, sizeof(policy.additional));
    return policy;
}

enum err init_fresh_nonce(struct ike *ike, struct blob *ret)
{
    uint8_t nonce[V2_NONCE_LEN];
    rng_fill(&ike->env.rng, nonce, sizeof(nonce));
    return blob_set(ret, view_of(nonce, sizeof(nonce))) ? ERR_OK : ERR_MEMORY;
}

enum err init_make_share(struct v2_step *step)
{
    struct v2_handshake *hs = step->sa->handshake;
    if (hs->kex != NULL)
        return ERR_OK;
    return defer_kex_new(step->ike, &step->works, ike2_first_method(&hs->policy), &hs->kex);
}

enum err init_new(struct ike *ike, const struct ike_request *request, struct v2_ticket *ticket,
                  struct v2_sa **ret)
{
    struct v2_path path = {request->local, request->remote, request->natt};
    struct v2_sa *sa;

    if (v2_tcp_begins(ike, request))
        path = v2_tcp_path(ike, v2_profile(ike, request->profile), &request->local.addr,
                           &request->remote.addr);
    enum err err = v2_sa_new(ike, true, &path, &sa);
    if (err != ERR_OK) {
        ticket_free(ticket);
        return err;
    }
    struct v2_handshake *hs = sa->handshake;
    hs->ticket = ticket;
    sa->profile = request->profile;
    sa->trace_connection = request->ticket->number;
    sa->trace_flow = request->flow;
    hs->expected = request->peer_id;
    hs->pkcs1 = request->pkcs1;
    hs->policy = policy_of(ike, request->profile);
    hs->key_count = request->key_count;
    hs->keys = calloc(request->key_count + 1, sizeof(*hs->keys));
    err = hs->keys != NULL ? v2_sa_attach(ike, sa) : ERR_MEMORY;
    if (err == ERR_OK)
        err = v2_exchange_new(ike, sa, ticket != NULL ? V2_S_I_START : V2_I_START, true, &sa->mine);
    if (err == ERR_OK)
        err = init_fresh_nonce(ike, &hs->nonce_i);
    if (err != ERR_OK) {
        v2_sa_free(ike, sa);
        return err;
    }
    if (request->key_count != 0)
        memcpy(hs->keys, request->keys, request->key_count * sizeof(*hs->keys));
    *ret = sa;
    return ERR_OK;
}

/* The request */

static void put_abilities(const struct v2_step *step, struct ike2_writer *w)
{
    const struct ike_profile *profile = v2_profile(step->ike, step->sa->profile);
    struct view nothing = view_of(NULL, 0);
    if (profile == NULL || !profile->fragmentation_off)
        ike2_writer_notify(w, IKE2_N_IKEV2_FRAGMENTATION_SUPPORTED, nothing);
    credential_put_hashes(w);
    mediate_put(step, w);
    ppk_put_use(step, w);
    if (!step->sa->initiator) /* RFC 6023 section 3: only a responder says so */
        ike2_writer_notify(w, IKE2_N_CHILDLESS_IKEV2_SUPPORTED, nothing);
}

static void read_abilities(const struct v2_step *step)
{
    struct v2_handshake *hs = step->sa->handshake;
    const struct ike_profile *profile = v2_profile(step->ike, step->sa->profile);
    struct ike2_notify n;
    step->sa->fragments = v2_notified(step, IKE2_N_IKEV2_FRAGMENTATION_SUPPORTED, &n) &&
                          (profile == NULL || !profile->fragmentation_off);
    hs->peer_hashes = credential_read_hashes(step);
    mediate_read(step);
    ppk_read_use(step);
}

void v2_put_ke(struct ike2_writer *w, uint16_t method, struct view data)
{
    ike2_writer_open(w, IKE2_P_KE);
    ike2_ke_build(&w->b, &(struct ike2_ke_payload){method, data});
    ike2_writer_close(w);
}

enum err init_send_and_keep(struct v2_step *step, struct v2_out *out, struct blob *kept)
{
    enum err err = v2_out_send(step, out);
    if (err != ERR_OK)
        return err;
    const struct v2_sent *sent = step->x->initiator ? &step->x->out : &step->sa->answer;
    return blob_set(kept, v2_sent_first(sent)) ? ERR_OK : ERR_MEMORY;
}

enum err init_i_start(struct v2_step *step)
{
    struct v2_handshake *hs = step->sa->handshake;
    struct v2_out out;

    enum err err = init_make_share(step);
    if (err != ERR_OK)
        return err;
    v2_out_start(step, &out, V2_INIT_REQ);
    if (hs->cookie.len != 0) /* section 2.6: first */
        ike2_writer_notify(&out.w, IKE2_N_COOKIE, blob_view(&hs->cookie));
    struct view solution = defence_solution(step->sa);
    if (solution.len != 0)
        ike2_writer_payload(&out.w, IKE2_P_PS, solution);
    ike2_writer_open(&out.w, IKE2_P_SA);
    ike2_ike_offer_build(&out.w.b, &hs->policy, view_of(NULL, 0), &step->ike->sa2);
    ike2_writer_close(&out.w);
    v2_put_ke(&out.w, kex_method(hs->kex), kex_request(hs->kex));
    ike2_writer_payload(&out.w, IKE2_P_NONCE, blob_view(&hs->nonce_i));
    err = v2_nat_put(step, &out.w);
    if (err == ERR_OK)
        err = v2_addrmgmt_put_prevention(step, &out.w);
    if (err != ERR_OK)
        return err;
    put_abilities(step, &out.w);
    return init_send_and_keep(step, &out, &hs->request);
}

static enum err check_cookie(struct v2_step *step, struct view cookie)
{
    const struct v2_handshake *hs = step->sa->handshake;
    if (cookie.len == 0 || cookie.len > V2_COOKIE_MAX)
        return v2_refuse(step, ERR_VALUE, 0, "a cookie of a length that is not allowed");
    if (view_equal(cookie, blob_view(&hs->cookie)))
        return v2_refuse(step, ERR_REPLAY, 0, "that cookie has been sent back");
    return ERR_OK;
}

enum err init_take_cookie(struct v2_step *step, struct view cookie)
{
    enum err err = check_cookie(step, cookie);
    if (err != ERR_OK)
        return err;
    return blob_set(&step->sa->handshake->cookie, cookie) ? ERR_OK : ERR_MEMORY;
}

/* In the SA payload that ike2_..._offer_build() left in `offer`. */
bool v2_method_offered(const struct ike2_sa *offer, uint16_t method)
{
    for (size_t i = 0; i < offer->proposal_count; i++)
        for (size_t k = 0; k < offer->proposals[i].transform_count; k++) {
            const struct ike2_transform *t = &offer->proposals[i].transforms[k];
            if (t->type == IKE2_T_KE && t->id == method)
                return true;
        }
    return false;
}

/* Section 1.3: the offer stays the same, so that nobody in between can talk us down (2.7). */
static enum err other_share(struct v2_step *step, struct view data, struct kex **ret)
{
    const struct v2_handshake *hs = step->sa->handshake;
    struct cursor cur = cursor_of(data);
    uint16_t method = cursor_u16(&cur);
    struct builder scratch = builder_on(span_of(step->ike->inner, sizeof(step->ike->inner)));

    ike2_ike_offer_build(&scratch, &hs->policy, view_of(NULL, 0), &step->ike->sa2);
    if (!cursor_done(&cur) || !v2_method_offered(&step->ike->sa2, method) ||
        method == kex_method(hs->kex))
        return v2_refuse(step, ERR_VALUE, 0, "a key exchange that we did not offer");
    return defer_kex_new(step->ike, &step->works, method, ret);
}

enum err init_i_again(struct v2_step *step)
{
    struct v2_handshake *hs = step->sa->handshake;
    struct ike2_notify cookie, method;
    struct kex *kex = NULL;
    if (hs->retries >= V2_TRIES)
        return v2_refuse(step, ERR_LIMIT, 0, "asked for too often");
    bool has_cookie = v2_notified(step, IKE2_N_COOKIE, &cookie);
    enum err err = has_cookie ? check_cookie(step, cookie.data) : ERR_OK;
    if (err == ERR_OK && v2_notified(step, IKE2_N_INVALID_KE_PAYLOAD, &method))
        err = other_share(step, method.data, &kex);
    if (err == ERR_OK && has_cookie && !blob_set(&hs->cookie, cookie.data))
        err = ERR_MEMORY;
    if (err != ERR_OK) {
        kex_free(kex);
        return err;
    }
    if (kex != NULL) {
        kex_free(hs->kex);
        hs->kex = kex;
    }
    hs->retries++;
    return defence_takes_on(step) ? ERR_OK : init_i_start(step);
}

enum err init_i_solved(struct v2_step *step)
{
    step->at_once = true;
    return ERR_OK;
}

/* Section 2.21.1: perhaps not the peer's at all. A better answer has a few seconds to come; through TCP it
 * hasn't, for whoever wrote this could keep it from us (RFC 9329 section 6.4). */
enum err init_i_hint(struct v2_step *step)
{
    struct ike2_notify n;
    ike_count(step->ike, IKE_COUNT_HINT);
    if (step->payloads != NULL && v2_notified(step, IKE2_N_PUZZLE, &n))
        return ERR_OK; /* RFC 8019 section 7.1.2: a puzzle about no cookie is nothing */
    int64_t patience = v2_path_is_tcp(&step->sa->path) ? 0 : V2_HINT_MS;
    if (!step->sa->handshake->hinted)
        step->x->give_up = mono_min(step->x->give_up, mono_add(step->ike->now, patience));
    step->sa->handshake->hinted = true;
    ike_timer_set(step->ike, &step->x->timer,
                  mono_min(step->x->timer.node.at, step->x->give_up));
    return ERR_OK;
}

/* The answer */

static enum err read_share(struct v2_step *step, struct ike2_ke_payload *ret_ke,
                           struct view *ret_nonce)
{
    if (ike2_ke_parse(v2_body(step, IKE2_P_KE, 0), ret_ke) != ERR_OK)
        return v2_refuse(step, ERR_VALUE, 0, "malformed key exchange");
    if (ike2_nonce_parse(v2_body(step, IKE2_P_NONCE, 0), ret_nonce) != ERR_OK)
        return v2_refuse(step, ERR_VALUE, 0, "nonce of the wrong length");
    return ERR_OK;
}

static enum err derive(struct v2_step *step, struct view secret, struct view nonce_i,
                       struct view nonce_r)
{
    enum err err =
        v2_keys_derive(step->sa, secret, nonce_i, nonce_r, view_of(NULL, 0), HASH_SHA2_256,
                       view_of(NULL, 0));
    if (err == ERR_OK)
        ike_export_v2(step->ike, step->sa);
    return err;
}

/* A forged answer changes nothing of the SA but what the true one overwrites. */
static enum err take_answer(struct v2_step *step, const struct ike2_suite *suite,
                            const struct ike2_ke_payload *ke, struct view nonce)
{
    struct v2_sa *sa = step->sa;
    struct v2_handshake *hs = sa->handshake;
    uint8_t secret[KEX_SECRET_MAX];
    enum err err = defer_kex_finish(step->ike, &step->works, hs->kex, ke->data, secret);
    if (err == ERR_VALUE)
        (void)v2_refuse(step, err, 0, "public value is not acceptable");
    if (err != ERR_OK)
        return err;
    sa->suite = *suite;
    memcpy(sa->peer_spi, step->header->spi_r, IKE2_SPI_LEN);
    err = derive(step, view_of(secret, kex_secret_len(suite->method)), blob_view(&hs->nonce_i),
                 nonce);
    secret_wipe(secret, sizeof(secret));
    if (err == ERR_OK && (!blob_set(&hs->nonce_r, nonce) ||
                          !blob_set(&hs->response, step->event->bytes)))
        err = ERR_MEMORY;
    return err;
}

/* RFC 6023: then the first child has a key exchange of its own. An address comes with IKE_AUTH's. */
static bool wants_no_child(const struct v2_step *step)
{
    const struct ike_profile *profile = v2_profile(step->ike, step->sa->profile);
    struct ike2_notify n;
    return profile != NULL && profile->childless && !profile->want_address &&
           step->x->child != NULL && v2_notified(step, IKE2_N_CHILDLESS_IKEV2_SUPPORTED, &n);
}

enum err init_i_keys(struct v2_step *step)
{
    static const uint8_t zero[IKE2_SPI_LEN] = {0};
    struct v2_sa *sa = step->sa;
    struct v2_handshake *hs = sa->handshake;
    struct ike2_ke_payload ke;
    struct ike2_choice choice;
    struct ike2_suite suite;
    struct view nonce;
    struct v2_nat nat;

    enum err err = read_share(step, &ke, &nonce);
    if (err == ERR_OK)
        err = v2_addrmgmt_read_prevention(step);
    if (err != ERR_OK)
        return err;
    err = ike2_ike_check(v2_body(step, IKE2_P_SA, 0), &hs->policy, &step->ike->sa2, &suite, &choice);
    if (err != ERR_OK)
        return v2_refuse(step, err, 0, "the choice is not among our offers");
    if (ke.method != kex_method(hs->kex) || suite.method != ke.method)
        return v2_refuse(step, ERR_VALUE, 0, "not the key exchange that we sent");
    if (memcmp(step->header->spi_r, zero, sizeof(zero)) == 0 ||
        memcmp(step->header->spi_r, sa->own_spi, IKE2_SPI_LEN) == 0)
        return v2_refuse(step, ERR_VALUE, 0, "no SPI of its own");
    if (view_equal(nonce, blob_view(&hs->nonce_i)))
        return v2_refuse(step, ERR_VALUE, 0, "our own nonce came back");
    if (mediate_methods(&suite) != 0 && !mediate_announced(step))
        return v2_refuse(step, ERR_VALUE, 0, "more key exchanges, and no way to do them");
    if (ppk_missing(step)) { /* nobody vouches for that answer */
        (void)init_i_hint(step);
        return v2_refuse(step, ERR_POLICY, 0, "the peer has no PPK, and one is required");
    }
    err = take_answer(step, &suite, &ke, nonce);
    if (err == ERR_OK)
        err = v2_nat_read(step, &nat);
    if (err != ERR_OK)
        return err;
    sa->nat = nat;
    sa->next_out = 1;
    sa->next_in = 0; /* section 2.2: each end counts its own requests */
    read_abilities(step);
    v2_nat_float(step->ike, sa);
    err = defence_take_on_auth(step);
    if (err == ERR_OK && wants_no_child(step))
        v2_request_set_aside(step->ike, step->x);
    return err;
}

/* Responder */

/* Who may come from there may want more than strangers get; which it is, IKE_AUTH will tell. */
static struct ike2_policy responder_policy(const struct v2_step *step)
{
    const struct v2_sa *sa = step->sa;
    const struct ike_profile *profile = NULL;
    struct ike2_policy policy = policy_of(step->ike, 0);
    while ((profile = ike_profile_next(step->ike, profile, IKE_VERSION_2, &sa->local.addr,
                                       &sa->remote.addr)) != NULL) {
        policy.legacy |= profile->legacy;
        if (profile->additional[0] != 0 && mediate_announced(step))
            memcpy(policy.additional, profile->additional, sizeof(policy.additional));
    }
    return policy;
}

static enum err answer_share(struct v2_step *step, const struct ike2_ke_payload *ke,
                             uint8_t *ret_reply)
{
    struct v2_sa *sa = step->sa;
    struct v2_handshake *hs = sa->handshake;
    uint8_t secret[KEX_SECRET_MAX];
    enum err err =
        defer_kex_respond(step->ike, &step->works, ke->method, ke->data, ret_reply, secret);
    if (err == ERR_VALUE)
        return v2_refuse(step, err, 0, "public value is not acceptable");
    if (err == ERR_OK)
        err = derive(step, view_of(secret, kex_secret_len(ke->method)), blob_view(&hs->nonce_i),
                     blob_view(&hs->nonce_r));
    secret_wipe(secret, sizeof(secret));
    return err;
}

static enum err send_choice(struct v2_step *step, const struct ike2_choice *choice,
                            uint16_t method, const uint8_t *reply)
{
    struct v2_handshake *hs = step->sa->handshake;
    struct v2_out out;
    v2_out_start(step, &out, V2_INIT_RSP);
    ike2_writer_open(&out.w, IKE2_P_SA);
    ike2_choice_build(&out.w.b, choice, view_of(NULL, 0));
    ike2_writer_close(&out.w);
    v2_put_ke(&out.w, method, view_of(reply, kex_reply_len(method)));
    ike2_writer_payload(&out.w, IKE2_P_NONCE, blob_view(&hs->nonce_r));
    credential_put_requests(step, &out.w);
    enum err err = v2_nat_put(step, &out.w);
    if (err == ERR_OK)
        err = v2_addrmgmt_put_prevention(step, &out.w);
    if (err != ERR_OK)
        return err;
    put_abilities(step, &out.w);
    defence_put(step, &out.w);
    return init_send_and_keep(step, &out, &hs->response);
}

enum err init_r_choose(struct v2_step *step)
{
    struct v2_sa *sa = step->sa;
    struct v2_handshake *hs = sa->handshake;
    struct ike2_ke_payload ke;
    struct ike2_choice choice;
    uint8_t reply[KEX_VALUE_MAX];
    struct view nonce;

    enum err err = read_share(step, &ke, &nonce);
    if (err == ERR_OK)
        err = v2_addrmgmt_read_prevention(step);
    if (err != ERR_OK)
        return err;
    hs->policy = responder_policy(step);
    err = ike2_ike_choose(v2_body(step, IKE2_P_SA, 0), &hs->policy, ke.method, &step->ike->sa2,
                          &sa->suite, &choice);
    if (err == ERR_NO_PROPOSAL)
        return v2_refuse(step, err, IKE2_N_NO_PROPOSAL_CHOSEN, "none of the offered suites will do");
    if (err != ERR_OK)
        return err;
    if (sa->suite.method != ke.method)
        return v2_refuse_method(step, sa->suite.method);
    if (!blob_set(&hs->nonce_i, nonce) || !blob_set(&hs->request, step->event->bytes))
        return ERR_MEMORY;
    err = v2_nat_read(step, &sa->nat);
    if (err == ERR_OK)
        err = init_fresh_nonce(step->ike, &hs->nonce_r);
    if (err == ERR_OK)
        err = answer_share(step, &ke, reply);
    if (err != ERR_OK)
        return err;
    read_abilities(step);
    return send_choice(step, &choice, ke.method, reply);
}
