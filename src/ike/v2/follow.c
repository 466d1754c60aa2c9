/*
 * More key exchanges behind a CREATE_CHILD_SA (RFC 9370 section 2.2.4): one IKE_FOLLOWUP_KE for each, and
 * nothing is made before the last. The responder lays the exchange aside between them and gives the
 * initiator a link to it, one per IKE SA: who begins another one gives up the first.
 */
#include "ike/v2/v2.h"

enum { LINK_LEN = 8, LINK_MAX = 64 };

void follow_free(struct v2_follow *follow)
{
    if (follow == NULL)
        return;
    kex_free(follow->kex);
    blob_wipe(&follow->secrets);
    blob_wipe(&follow->link);
    blob_wipe(&follow->reply);
    free(follow);
}

void follow_forget(struct v2_exchange *x)
{
    follow_free(x->follow);
    x->follow = NULL;
}

/* As the IKE SA itself was made; else a peer that never heard of it would be asked every time. */
void follow_offer(const struct v2_step *step, struct ike2_policy *policy)
{
    const struct ike_profile *profile = v2_profile(step->ike, step->sa->profile);
    if (profile != NULL && mediate_methods(&step->sa->suite) != 0)
        memcpy(policy->additional, profile->additional, sizeof(policy->additional));
}

static uint16_t next_method(const struct v2_follow *follow)
{
    return follow != NULL && follow->done < IKE2_ADDITIONAL_MAX ? follow->methods[follow->done] : 0;
}

enum err follow_begin(struct v2_exchange *x, const uint16_t *additional)
{
    size_t count = 0;
    follow_forget(x);
    struct v2_follow *follow = calloc(1, sizeof(*follow));
    if (follow == NULL)
        return ERR_MEMORY;
    for (size_t i = 0; i < IKE2_ADDITIONAL_MAX; i++)
        if (additional[i] != 0)
            follow->methods[count++] = additional[i];
    if (count == 0)
        follow_free(follow);
    else
        x->follow = follow;
    return ERR_OK;
}

struct view follow_secrets(const struct v2_exchange *x)
{
    return x->follow != NULL ? blob_view(&x->follow->secrets) : view_of(NULL, 0);
}

static enum err add_secret(struct v2_follow *follow, const uint8_t *secret, size_t len)
{
    size_t before = follow->secrets.len;
    uint8_t *all = malloc(before + len);
    if (all == NULL)
        return ERR_MEMORY;
    if (before != 0)
        memcpy(all, follow->secrets.ptr, before);
    memcpy(all + before, secret, len);
    blob_wipe(&follow->secrets);
    follow->secrets = (struct blob){all, before + len};
    follow->done++;
    return ERR_OK;
}

/* Initiator */

enum err follow_take_link(struct v2_step *step)
{
    struct v2_follow *follow = step->x->follow;
    struct ike2_notify n;
    if (next_method(follow) == 0)
        return ERR_OK;
    if (!v2_notified(step, IKE2_N_ADDITIONAL_KEY_EXCHANGE, &n) || n.data.len == 0 ||
        n.data.len > LINK_MAX)
        return v2_refuse(step, ERR_MISSING, 0, "no link to the next key exchange");
    return blob_set(&follow->link, n.data) ? ERR_OK : ERR_MEMORY;
}

static void put_share(struct ike2_writer *w, uint16_t method, struct view data, struct view link)
{
    v2_put_ke(w, method, data);
    if (link.len != 0)
        ike2_writer_notify(w, IKE2_N_ADDITIONAL_KEY_EXCHANGE, link);
}

enum err follow_i_send(struct v2_step *step)
{
    struct v2_follow *follow = step->x->follow;
    uint16_t method = next_method(follow);
    struct v2_child *child = step->x->child;
    struct kex *kex;
    struct v2_out out;

    if (method == 0) {
        step->skips = true;
        step->at_once = child == NULL;
        return child != NULL ? child_install(step) : ERR_OK;
    }
    enum err err = kex_new(method, &step->ike->env.rng, &kex);
    if (err != ERR_OK)
        return err;
    kex_free(follow->kex);
    follow->kex = kex;
    v2_out_start(step, &out, V2_FOLLOWUP_REQ);
    put_share(&out.w, method, kex_request(kex), blob_view(&follow->link));
    return v2_out_send(step, &out);
}

enum err follow_i_take(struct v2_step *step)
{
    struct v2_follow *follow = step->x->follow;
    struct v2_child *child = step->x->child;
    uint8_t secret[KEX_SECRET_MAX];
    struct ike2_ke_payload ke;

    if (child != NULL && child->unwanted) {
        child->agreed = follow->methods[follow->done + 1] == 0; /* was it the last? */
        return v2_refuse(step, ERR_STATE, 0, "nobody wants it any more");
    }
    if (ike2_ke_parse(v2_body(step, IKE2_P_KE, 0), &ke) != ERR_OK ||
        ke.method != kex_method(follow->kex))
        return v2_refuse(step, ERR_VALUE, 0, "not the key exchange that we sent");
    enum err err = kex_finish(follow->kex, ke.data, secret);
    if (err == ERR_VALUE)
        (void)v2_refuse(step, err, 0, "public value is not acceptable");
    if (err == ERR_OK)
        err = add_secret(follow, secret, kex_secret_len(ke.method));
    secret_wipe(secret, sizeof(secret));
    if (err == ERR_OK)
        err = follow_take_link(step);
    if (child != NULL && next_method(follow) == 0)
        child->agreed = true;
    step->at_once = true;
    return err;
}

/* Responder */

static enum err new_link(struct v2_step *step)
{
    uint8_t link[LINK_LEN];
    rng_fill(&step->ike->env.rng, link, sizeof(link));
    return blob_set(&step->x->follow->link, view_of(link, sizeof(link))) ? ERR_OK : ERR_MEMORY;
}

bool follow_resume(struct v2_sa *sa, const struct ike2_payloads *payloads)
{
    struct v2_exchange *x = sa->following;
    struct ike2_notify n;
    if (x == NULL || !ike2_notify_find(payloads, IKE2_N_ADDITIONAL_KEY_EXCHANGE, &n) ||
        !view_equal(n.data, blob_view(&x->follow->link)))
        return false;
    sa->following = NULL;
    sa->theirs = x;
    return true;
}

void follow_park(struct v2_step *step)
{
    struct v2_exchange *x = step->x;
    struct v2_sa *sa = x->sa;
    if (x->state != V2_C_R_WAIT_FOLLOWUP && x->state != V2_K_R_WAIT_FOLLOWUP)
        return;
    follow_give_up(step->ike, sa, "the peer began another");
    sa->theirs = NULL;
    sa->following = x;
}

void follow_give_up(struct ike *ike, struct v2_sa *sa, const char *why)
{
    if (sa->following != NULL)
        v2_fail(ike, sa->following, IKE_FAILURE_SILENT, why);
}

enum err follow_r_promise_child(struct v2_step *step)
{
    struct v2_out out;
    enum err err = new_link(step);
    if (err != ERR_OK)
        return err;
    v2_out_start(step, &out, V2_CHILD_RSP);
    child_put_answer(step, &out.w);
    ike2_writer_notify(&out.w, IKE2_N_ADDITIONAL_KEY_EXCHANGE, blob_view(&step->x->follow->link));
    return v2_out_send(step, &out);
}

enum err follow_r_promise_sa(struct v2_step *step)
{
    struct v2_out out;
    enum err err = new_link(step);
    if (err != ERR_OK)
        return err;
    v2_out_start(step, &out, V2_REKEY_RSP);
    rekey_put_answer(step, &out.w);
    ike2_writer_notify(&out.w, IKE2_N_ADDITIONAL_KEY_EXCHANGE, blob_view(&step->x->follow->link));
    return v2_out_send(step, &out);
}

enum err follow_r_take(struct v2_step *step)
{
    struct v2_follow *follow = step->x->follow;
    uint16_t method = next_method(follow);
    uint8_t reply[KEX_VALUE_MAX], secret[KEX_SECRET_MAX];
    struct ike2_ke_payload ke;

    if (ike2_ke_parse(v2_body(step, IKE2_P_KE, 0), &ke) != ERR_OK || ke.method != method)
        return v2_refuse(step, ERR_VALUE, 0, "not the key exchange that was agreed on");
    enum err err = kex_respond(method, &step->ike->env.rng, ke.data, reply, secret);
    if (err == ERR_VALUE)
        (void)v2_refuse(step, err, 0, "public value is not acceptable");
    if (err == ERR_OK && !blob_set(&follow->reply, view_of(reply, kex_reply_len(method))))
        err = ERR_MEMORY;
    if (err == ERR_OK)
        err = add_secret(follow, secret, kex_secret_len(method));
    secret_wipe(secret, sizeof(secret));
    step->at_once = true;
    return err;
}

static enum err send_share(struct v2_step *step, bool last)
{
    const struct v2_follow *follow = step->x->follow;
    struct v2_out out;
    v2_out_start(step, &out, V2_FOLLOWUP_RSP);
    put_share(&out.w, follow->methods[follow->done - 1], blob_view(&follow->reply),
              last ? view_of(NULL, 0) : blob_view(&follow->link));
    return v2_out_send(step, &out);
}

/* The next one, or what comes after the last. */
enum err follow_r_share(struct v2_step *step)
{
    const struct v2_child *child = step->x->child;
    if (next_method(step->x->follow) == 0) {
        step->skips = true;
        step->at_once = child == NULL;
        return child != NULL ? child_install(step) : ERR_OK;
    }
    enum err err = new_link(step);
    return err == ERR_OK ? send_share(step, false) : err;
}

enum err follow_r_last(struct v2_step *step)
{
    struct v2_child *child = step->x->child;
    if (child == NULL)
        return send_share(step, true);
    if (!step->event->ok)
        return v2_refuse(step, ERR_STATE, IKE2_N_TEMPORARY_FAILURE,
                         "the SAs could not be installed");
    enum err err = made_new(step->ike, child);
    return err == ERR_OK ? send_share(step, true) : err;
}

enum err follow_r_unknown(struct v2_step *step)
{
    return v2_refuse(step, ERR_VALUE, IKE2_N_STATE_NOT_FOUND, "nothing is waiting for that key exchange");
}
