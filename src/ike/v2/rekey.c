/*
 * A new IKE SA in place of one that grows old (RFC 7296 sections 1.3.2, 2.8, 2.18): the children go
 * on under the new one. When both ends begin at once there are two new ones, and the nonces say
 * which of them stays (section 2.8.2).
 */
#include <assert.h>
#include <stdio.h>

#include "ike/v2/v2.h"

enum { REPLACED_MS = 30000 }; /* its Delete is the peer's to send */

bool rekey_nonce_lower(struct view a, struct view b)
{
    size_t len = a.len < b.len ? a.len : b.len;
    int order = len != 0 ? memcmp(a.ptr, b.ptr, len) : 0;
    return order != 0 ? order < 0 : a.len < b.len;
}

void rekey_free(struct v2_rekey *rekey)
{
    if (rekey == NULL)
        return;
    kex_free(rekey->kex);
    blob_wipe(&rekey->nonce_i);
    blob_wipe(&rekey->nonce_r);
    blob_wipe(&rekey->secret);
    blob_wipe(&rekey->reply);
    secret_wipe(rekey, sizeof(*rekey));
    free(rekey);
}

/* What the peer's re-key made, if anything; it is not remembered any more. */
static struct v2_sa *take_collided(struct v2_sa *sa)
{
    struct v2_sa *theirs = sa->collided;
    if (theirs != NULL)
        theirs->collided_of = NULL;
    sa->collided = NULL;
    return theirs;
}

void rekey_forget(struct v2_sa *sa)
{
    blob_wipe(&sa->collided_nonce);
    (void)take_collided(sa);
    if (sa->collided_of != NULL)
        (void)take_collided(sa->collided_of);
}

void rekey_begin(struct ike *ike, struct v2_sa *sa)
{
    /* One that nobody uses ends; the next request begins a new one. */
    bool used = !LIST_EMPTY(&sa->children) || sa->mine != NULL || sa->profile != 0;
    if (!used || sa->closing || sa->replaced || v2_line_has(sa, V2_K_I_START, V2_K_I_FINISHING))
        return;
    if (v2_line_up(ike, sa, V2_K_I_START) != NULL)
        v2_line_go(ike, sa);
}

/* Everything but keys and message ids goes on. */
static enum err successor(struct v2_step *step, bool initiator, const uint8_t *own_spi,
                          const struct ike2_choice *choice, const struct ike2_suite *suite,
                          struct v2_sa **ret)
{
    struct v2_sa *old = step->sa, *sa;
    if (choice->peer_spi_len != IKE2_SPI_LEN)
        return v2_refuse(step, ERR_VALUE, IKE2_N_INVALID_SYNTAX, "no SPI for the new IKE SA");
    enum err err = v2_sa_new(step->ike, initiator, &old->path, &sa);
    if (err != ERR_OK)
        return err;
    v2_sa_take_spi(step->ike, sa, own_spi);
    memcpy(sa->peer_spi, choice->peer_spi, IKE2_SPI_LEN);
    sa->local = old->local;
    sa->remote = old->remote;
    sa->nat = old->nat;
    sa->profile = old->profile;
    sa->fragments = old->fragments;
    sa->suite = *suite;
    sa->peer_id = old->peer_id;
    sa->peer_method = old->peer_method;
    sa->proved = old->proved;
    sa->resumed = old->resumed;
    sa->peer_key_alg = old->peer_key_alg;
    memcpy(sa->peer_key_digest, old->peer_key_digest, sizeof(sa->peer_key_digest));
    sa->trace_connection = old->trace_connection;
    sa->trace_flow = old->trace_flow;
    if (!blob_set(&sa->peer_key, blob_view(&old->peer_key))) {
        v2_sa_free(step->ike, sa);
        return ERR_MEMORY;
    }
    v2_handshake_free(sa->handshake);
    sa->handshake = NULL;
    *ret = sa;
    return ERR_OK;
}

/* The new SA of all that was agreed on and exchanged. */
static enum err make_successor(struct v2_step *step, struct v2_sa **ret)
{
    const struct v2_rekey *rekey = step->x->rekey;
    struct v2_sa *sa = NULL;
    enum err err = successor(step, step->x->initiator, rekey->spi, &rekey->choice, &rekey->suite, &sa);
    if (err != ERR_OK)
        return err;
    err = v2_keys_derive(sa, blob_view(&rekey->secret), blob_view(&rekey->nonce_i),
                         blob_view(&rekey->nonce_r), follow_secrets(step->x),
                         step->sa->suite.prf, v2_sk_d(step->sa));
    if (err != ERR_OK) {
        v2_sa_free(step->ike, sa);
        return err;
    }
    sa->has_crash_token = rekey->has_crash_token;
    memcpy(sa->crash_token, rekey->crash_token, sizeof(sa->crash_token));
    ike_export_v2(step->ike, sa);
    *ret = sa;
    return ERR_OK;
}

/* What stood in line or was asked for goes on under the new one. */
static void move_line(struct v2_sa *from, struct v2_sa *to)
{
    struct v2_exchange *x, *next;
    for (x = TAILQ_FIRST(&from->waiting); x != NULL; x = next) {
        next = TAILQ_NEXT(x, of_line);
        if (x->state == V2_K_I_START || x->deletes_sa)
            continue;
        TAILQ_REMOVE(&from->waiting, x, of_line);
        from->waiting_count--;
        x->sa = to;
        if (x->child != NULL)
            x->child->sa = to;
        TAILQ_INSERT_TAIL(&to->waiting, x, of_line);
        to->waiting_count++;
    }
}

static void inherit(struct ike *ike, struct v2_sa *from, struct v2_sa *to)
{
    struct ike_request *request;
    follow_give_up(ike, from, "the IKE SA was replaced");
    made_move_all(ike, from, to);
    move_line(from, to);
    v2_mobike_inherit(ike, from, to);
    resume_renew(ike, from, to);
    to->sync_agreed = from->sync_agreed;
    if (from->peer != NULL)
        LIST_FOREACH (request, &from->peer->requests, of_peer)
            if (request->v2_sa == from)
                request->v2_sa = to;
    from->replaced = true;
    if (from->expires.ms > mono_add(ike->now, REPLACED_MS).ms)
        from->expires = mono_add(ike->now, REPLACED_MS);
    ike_timer_set(ike, &from->expiry, from->expires);
    v2_saved_sa(ike, from);
    v2_trace(ike, to, NULL, EVENT_INFO, "IKE SA replaced", "its children go on under a new one");
    v2_line_go(ike, to);
}

void rekey_settle(struct ike *ike, struct v2_sa *sa)
{
    struct v2_sa *theirs = take_collided(sa);
    if (theirs != NULL)
        inherit(ike, sa, theirs);
}

static struct view lower(struct view a, struct view b)
{
    return rekey_nonce_lower(a, b) ? a : b;
}

/* Initiator */

static struct ike2_policy policy_of(const struct v2_step *step)
{
    const struct ike_profile *profile = v2_profile(step->ike, step->sa->profile);
    struct ike2_policy policy = {
        .legacy = step->ike->config.legacy || (profile != NULL && profile->legacy)};
    follow_offer(step, &policy);
    return policy;
}

static enum err make_share(struct v2_step *step)
{
    struct v2_exchange *x = step->x;
    uint8_t nonce[V2_NONCE_LEN];
    if (x->rekey == NULL) {
        x->rekey = calloc(1, sizeof(*x->rekey));
        if (x->rekey == NULL)
            return ERR_MEMORY;
        x->rekey->policy = policy_of(step);
        x->rekey->method = step->sa->suite.method;
        v2_spi_new(step->ike, x->rekey->spi);
    }
    rng_fill(&step->ike->env.rng, nonce, sizeof(nonce));
    if (!blob_set(&x->rekey->nonce_i, view_of(nonce, sizeof(nonce))))
        return ERR_MEMORY;
    if (x->rekey->kex != NULL)
        return ERR_OK;
    return defer_kex_new(step->ike, &step->works, x->rekey->method, &x->rekey->kex);
}

enum err rekey_i_offer(struct v2_step *step)
{
    struct v2_out out;
    enum err err = make_share(step);
    if (err != ERR_OK)
        return err;
    const struct v2_rekey *rekey = step->x->rekey;
    v2_out_start(step, &out, V2_REKEY_REQ);
    ike2_writer_open(&out.w, IKE2_P_SA);
    ike2_ike_offer_build(&out.w.b, &rekey->policy, view_of(rekey->spi, IKE2_SPI_LEN),
                         &step->ike->sa2);
    ike2_writer_close(&out.w);
    ike2_writer_payload(&out.w, IKE2_P_NONCE, blob_view(&rekey->nonce_i));
    v2_put_ke(&out.w, kex_method(rekey->kex), kex_request(rekey->kex));
    return v2_out_send(step, &out);
}

static enum err other_method(struct v2_step *step, struct view data)
{
    struct v2_rekey *rekey = step->x->rekey;
    struct cursor cur = cursor_of(data);
    uint16_t method = cursor_u16(&cur);
    struct builder scratch = builder_on(span_of(step->ike->inner, sizeof(step->ike->inner)));

    ike2_ike_offer_build(&scratch, &rekey->policy, view_of(rekey->spi, IKE2_SPI_LEN),
                         &step->ike->sa2);
    if (!cursor_done(&cur) || method == rekey->method ||
        !v2_method_offered(&step->ike->sa2, method))
        return v2_refuse(step, ERR_VALUE, 0, "a key exchange that we did not offer");
    kex_free(rekey->kex);
    rekey->kex = NULL;
    rekey->method = method;
    return ERR_OK;
}

enum err rekey_i_refused(struct v2_step *step)
{
    struct ike2_notify n;
    uint16_t error = v2_first_error(step, &n);
    if (step->sa->collided != NULL) {
        /* Section 2.8.2: the peer had not seen ours when it made its own; that one stays. */
        rekey_settle(step->ike, step->sa);
        return v2_refused_by_peer(step, error);
    }
    if (++step->x->tries > V2_TRIES)
        return v2_refused_by_peer(step, error);
    if (error == IKE2_N_INVALID_KE_PAYLOAD)
        return other_method(step, n.data);
    if (error == IKE2_N_STATE_NOT_FOUND) { /* the peer forgot what followed */
        follow_forget(step->x);
        kex_free(step->x->rekey->kex);
        step->x->rekey->kex = NULL;
        return ERR_OK;
    }
    return error == IKE2_N_TEMPORARY_FAILURE ? v2_hold(step) : v2_refused_by_peer(step, error);
}

static enum err finish_kex(struct v2_step *step, uint16_t method, uint8_t *ret_secret)
{
    const struct v2_rekey *rekey = step->x->rekey;
    struct ike2_ke_payload ke;
    if (ike2_ke_parse(v2_body(step, IKE2_P_KE, 0), &ke) != ERR_OK || ke.method != method ||
        ke.method != kex_method(rekey->kex))
        return v2_refuse(step, ERR_VALUE, 0, "not the key exchange that we sent");
    enum err err = defer_kex_finish(step->ike, &step->works, rekey->kex, ke.data, ret_secret);
    return err == ERR_VALUE ? v2_refuse(step, err, 0, "public value is not acceptable") : err;
}

/* The lower nonce of the peer's re-key, whether that is complete or only agreed on; empty: there is none. */
static struct view their_nonce(const struct v2_sa *old)
{
    const struct v2_exchange *x = old->following;
    if (old->collided != NULL)
        return blob_view(&old->collided_nonce);
    if (x == NULL || x->rekey == NULL)
        return view_of(NULL, 0);
    return lower(blob_view(&x->rekey->nonce_i), blob_view(&x->rekey->nonce_r));
}

/* Ours is there. Of two the one with the lowest nonce goes, by the end that made it; the end that
 * made the other deletes the old one. */
static void settle(struct v2_step *step, struct v2_sa *ours, struct view lowest)
{
    struct ike *ike = step->ike;
    struct v2_sa *old = step->sa;
    struct view their_lowest = their_nonce(old);
    bool loses = their_lowest.len != 0 && rekey_nonce_lower(lowest, their_lowest);
    struct v2_sa *theirs = take_collided(old);
    if (loses) {
        if (theirs != NULL) /* else it takes the children when it is complete */
            inherit(ike, old, theirs);
        v2_sa_close(ike, ours, "both ends made one, and ours goes");
        return;
    }
    inherit(ike, old, ours);
    if (theirs != NULL)
        inherit(ike, theirs, ours);
    v2_sa_close(ike, old, "a new one is in its place");
}

static enum err keep_agreed(struct v2_rekey *rekey, const uint8_t *secret, struct view nonce_r)
{
    if (!blob_set(&rekey->secret, view_of(secret, kex_secret_len(rekey->suite.method))) ||
        !blob_set(&rekey->nonce_r, nonce_r))
        return ERR_MEMORY;
    return ERR_OK;
}

enum err rekey_i_reply(struct v2_step *step)
{
    struct v2_rekey *rekey = step->x->rekey;
    uint8_t secret[KEX_SECRET_MAX];
    struct view nonce_r;

    enum err err = ike2_ike_check(v2_body(step, IKE2_P_SA, 0), &rekey->policy, &step->ike->sa2,
                                  &rekey->suite, &rekey->choice);
    if (err != ERR_OK)
        return v2_refuse(step, err, 0, "the choice is not among our offers");
    if (ike2_nonce_parse(v2_body(step, IKE2_P_NONCE, 0), &nonce_r) != ERR_OK)
        return v2_refuse(step, ERR_VALUE, 0, "nonce of the wrong length");
    err = finish_kex(step, rekey->suite.method, secret);
    if (err == ERR_OK)
        err = keep_agreed(rekey, secret, nonce_r);
    secret_wipe(secret, sizeof(secret));
    if (err == ERR_OK)
        err = crash_token_read(step, &rekey->has_crash_token, rekey->crash_token);
    if (err == ERR_OK)
        err = follow_begin(step->x, rekey->suite.additional);
    step->at_once = true;
    return err == ERR_OK ? follow_take_link(step) : err;
}

enum err rekey_i_done(struct v2_step *step)
{
    const struct v2_rekey *rekey = step->x->rekey;
    struct v2_sa *sa;
    enum err err = make_successor(step, &sa);
    if (err != ERR_OK)
        return err;
    v2_sa_established_now(step->ike, sa);
    crash_announce(step->ike, sa);
    settle(step, sa, lower(blob_view(&rekey->nonce_i), blob_view(&rekey->nonce_r)));
    return ERR_OK;
}

/* Responder */

/* Section 2.25: not while a child is being made, replaced or deleted from here. */
static bool is_busy(const struct v2_sa *sa)
{
    const struct v2_exchange *x = sa->mine;
    if (sa->closing || sa->replaced || sa->collided != NULL)
        return true;
    return x != NULL && (x->child != NULL || x->deletes.value != 0 || x->deletes_sa);
}

static enum err choose(struct v2_step *step, struct v2_rekey *rekey, struct ike2_ke_payload *ret_ke)
{
    rekey->policy = policy_of(step);
    if (ike2_ke_parse(v2_body(step, IKE2_P_KE, 0), ret_ke) != ERR_OK)
        return v2_refuse(step, ERR_SYNTAX, IKE2_N_INVALID_SYNTAX, "malformed key exchange");
    enum err err = ike2_ike_choose(v2_body(step, IKE2_P_SA, 0), &rekey->policy, ret_ke->method,
                                   &step->ike->sa2, &rekey->suite, &rekey->choice);
    if (err == ERR_NO_PROPOSAL)
        return v2_refuse(step, err, IKE2_N_NO_PROPOSAL_CHOSEN, "none of the offered suites will do");
    if (err != ERR_OK)
        return v2_refuse(step, ERR_SYNTAX, IKE2_N_INVALID_SYNTAX, "malformed proposals");
    if (rekey->suite.method != ret_ke->method)
        return v2_refuse_method(step, rekey->suite.method);
    return ERR_OK;
}

static enum err answer_share(struct v2_step *step, struct view ke, struct view nonce_i)
{
    struct v2_rekey *rekey = step->x->rekey;
    uint16_t method = rekey->suite.method;
    uint8_t reply[KEX_VALUE_MAX], secret[KEX_SECRET_MAX], nonce[V2_NONCE_LEN];
    enum err err = defer_kex_respond(step->ike, &step->works, method, ke, reply, secret);
    if (err == ERR_VALUE)
        (void)v2_refuse(step, err, IKE2_N_INVALID_SYNTAX, "public value is not acceptable");
    rng_fill(&step->ike->env.rng, nonce, sizeof(nonce));
    if (err == ERR_OK)
        err = keep_agreed(rekey, secret, view_of(nonce, sizeof(nonce)));
    if (err == ERR_OK && (!blob_set(&rekey->reply, view_of(reply, kex_reply_len(method))) ||
                          !blob_set(&rekey->nonce_i, nonce_i)))
        err = ERR_MEMORY;
    secret_wipe(secret, sizeof(secret));
    return err;
}

enum err rekey_r_choose(struct v2_step *step)
{
    struct v2_exchange *x = step->x;
    struct ike2_ke_payload ke;
    struct view nonce_i;

    if (is_busy(step->sa))
        return v2_refuse(step, ERR_STATE, IKE2_N_TEMPORARY_FAILURE, "something is under way");
    if (x->rekey == NULL) /* else this step had to wait */
        x->rekey = calloc(1, sizeof(*x->rekey));
    if (x->rekey == NULL)
        return ERR_MEMORY;
    enum err err = choose(step, x->rekey, &ke);
    if (err != ERR_OK)
        return err;
    if (x->rekey->choice.peer_spi_len != IKE2_SPI_LEN)
        return v2_refuse(step, ERR_VALUE, IKE2_N_INVALID_SYNTAX, "no SPI for the new IKE SA");
    if (ike2_nonce_parse(v2_body(step, IKE2_P_NONCE, 0), &nonce_i) != ERR_OK)
        return v2_refuse(step, ERR_SYNTAX, IKE2_N_INVALID_SYNTAX, "nonce of the wrong length");
    v2_spi_new(step->ike, x->rekey->spi);
    err = answer_share(step, ke.data, nonce_i);
    if (err == ERR_OK)
        err = follow_begin(x, x->rekey->suite.additional);
    step->at_once = true;
    return err;
}

void rekey_put_answer(const struct v2_step *step, struct ike2_writer *w)
{
    const struct v2_rekey *rekey = step->x->rekey;
    ike2_writer_open(w, IKE2_P_SA);
    ike2_choice_build(&w->b, &rekey->choice, view_of(rekey->spi, IKE2_SPI_LEN));
    ike2_writer_close(w);
    ike2_writer_payload(w, IKE2_P_NONCE, blob_view(&rekey->nonce_r));
    v2_put_ke(w, rekey->suite.method, blob_view(&rekey->reply));
    crash_put_spis(step->ike, rekey->choice.peer_spi, rekey->spi, w);
}

static enum err send_answer(struct v2_step *step)
{
    struct v2_out out;
    v2_out_start(step, &out, V2_REKEY_RSP);
    rekey_put_answer(step, &out.w);
    return v2_out_send(step, &out);
}

/* The new SA and our last answer; the old one is as it was if it fails. */
static enum err complete(struct v2_step *step, enum err (*send)(struct v2_step *step))
{
    const struct v2_rekey *rekey = step->x->rekey;
    struct v2_sa *old = step->sa, *sa;
    enum err err = make_successor(step, &sa);
    if (err != ERR_OK)
        return err;
    v2_sa_established_now(step->ike, sa);
    err = send(step);
    if (err != ERR_OK) {
        v2_sa_free(step->ike, sa);
        return err;
    }
    if (!v2_line_has(old, V2_K_I_WAIT_REPLY, V2_K_I_FINISHING)) {
        inherit(step->ike, old, sa);
        return ERR_OK;
    }
    sa->collided_of = old;
    old->collided = sa; /* ours is under way: its answer will tell */
    if (!blob_set(&old->collided_nonce,
                  lower(blob_view(&rekey->nonce_i), blob_view(&rekey->nonce_r))))
        ike_count(step->ike, IKE_COUNT_MEMORY);
    return ERR_OK;
}

enum err rekey_r_reply(struct v2_step *step)
{
    if (step->x->follow != NULL) {
        step->skips = step->at_once = true;
        return ERR_OK;
    }
    return complete(step, send_answer);
}

enum err rekey_r_last(struct v2_step *step)
{
    return complete(step, follow_r_last);
}
