/*
 * A secret known to both ends beforehand, mixed into the keys (RFC 8784): who breaks the key exchange
 * later still lacks it. IKE_SA_INIT says that either end has one, IKE_AUTH which; AUTH covers both, so
 * that nobody in between can talk an end that has one out of it.
 */
#include "crypto/prf.h"
#include "ike/v2/v2.h"

enum { PPK_ID_FIXED = 2, AUTH_HEAD = 4 }; /* section 5.1; RFC 7296 section 3.8 */

static bool has_ppk(const struct ike_profile *profile)
{
    return profile != NULL && profile->ppk.len != 0;
}

static bool required(const struct ike_profile *profile)
{
    return has_ppk(profile) && profile->ppk_required;
}

static const struct ike_profile *profile_of(const struct v2_step *step)
{
    return v2_profile(step->ike, step->sa->profile);
}

/* A responder does not know yet who it is, and speaks for all whom it may be. */
static bool has_any(const struct v2_step *step)
{
    const struct v2_sa *sa = step->sa;
    const struct ike_profile *profile = NULL;
    if (sa->initiator)
        return has_ppk(profile_of(step));
    while ((profile = ike_profile_next(step->ike, profile, IKE_VERSION_2, &sa->local.addr,
                                       &sa->remote.addr)) != NULL)
        if (has_ppk(profile))
            return true;
    return false;
}

/* A responder speaks of it only if it was asked. */
void ppk_put_use(const struct v2_step *step, struct ike2_writer *w)
{
    if (step->sa->initiator ? has_any(step) : step->sa->handshake->ppk_agreed)
        ike2_writer_notify(w, IKE2_N_USE_PPK, view_of(NULL, 0));
}

void ppk_read_use(const struct v2_step *step)
{
    struct ike2_notify n;
    step->sa->handshake->ppk_agreed = v2_notified(step, IKE2_N_USE_PPK, &n) && has_any(step);
}

bool ppk_missing(const struct v2_step *step)
{
    struct ike2_notify n;
    return required(profile_of(step)) && !v2_notified(step, IKE2_N_USE_PPK, &n);
}

/* Section 3: SK_d, SK_pi and SK_pr = prf+(PPK, what they were). Those are kept: the other end may not
 * have this PPK. */
static enum err mix(struct v2_sa *sa, struct view ppk)
{
    struct v2_keys keys = sa->keys;
    uint8_t *const mixed[] = {keys.d, keys.pi, keys.pr};
    const uint8_t *const plain[] = {sa->keys.d, sa->keys.pi, sa->keys.pr};
    size_t len = hash_len(sa->suite.prf);
    enum err err = ERR_OK;

    for (size_t i = 0; i < 3 && err == ERR_OK; i++) {
        struct view seed = view_of(plain[i], len);
        err = prf_plus(sa->suite.prf, ppk, &seed, 1, span_of(mixed[i], len));
    }
    if (err == ERR_OK) {
        sa->handshake->plain = sa->keys;
        sa->handshake->ppk_used = true;
        sa->keys = keys;
    }
    secret_wipe(&keys, sizeof(keys));
    return err;
}

/* Initiator */

static bool proves_twice(const struct v2_step *step)
{
    return step->sa->handshake->ppk_agreed && !required(profile_of(step));
}

enum err ppk_i_ask_plain(struct v2_step *step)
{
    step->at_once = !proves_twice(step);
    return step->at_once ? ERR_OK : credential_ask(step);
}

/* The proof for a peer that has no such PPK, then the keys for one that has it. */
enum err ppk_i_mix(struct v2_step *step)
{
    struct v2_handshake *hs = step->sa->handshake;
    const struct ike_profile *profile = profile_of(step);

    if (!hs->ppk_agreed || hs->ppk_used)
        return ERR_OK;
    if (!has_ppk(profile) || profile->ppk_id.len > LIMIT_DNS_NAME)
        return v2_refuse(step, ERR_STATE, 0, "no PPK, or its name is too long");
    if (proves_twice(step)) {
        struct builder b = builder_on(span_of(step->ike->inner, sizeof(step->ike->inner)));
        enum err err = credential_build_auth(step, &b);
        if (err != ERR_OK)
            return err;
        struct view auth = builder_written(&b);
        if (b.bad || !blob_set(&hs->plain_auth,
                               view_of(auth.ptr + AUTH_HEAD, auth.len - AUTH_HEAD)))
            return ERR_MEMORY;
    }
    return mix(step->sa, profile->ppk);
}

void ppk_i_put(const struct v2_step *step, struct ike2_writer *w)
{
    const struct v2_handshake *hs = step->sa->handshake;
    const struct ike_profile *profile = profile_of(step);
    uint8_t id[1 + LIMIT_DNS_NAME];
    struct builder b = builder_on(span_of(id, sizeof(id)));

    if (!hs->ppk_used)
        return;
    builder_u8(&b, PPK_ID_FIXED);
    if (profile != NULL)
        builder_view(&b, profile->ppk_id);
    ike2_writer_notify(w, IKE2_N_PPK_IDENTITY, builder_written(&b));
    if (hs->plain_auth.len != 0)
        ike2_writer_notify(w, IKE2_N_NO_PPK_AUTH, blob_view(&hs->plain_auth));
}

/* The peer went without it if it says nothing; that is for a peer whose PPK may be missing. */
enum err ppk_i_answered(struct v2_step *step)
{
    struct v2_sa *sa = step->sa;
    struct v2_handshake *hs = sa->handshake;
    struct ike2_notify n;

    if (!hs->ppk_used || v2_notified(step, IKE2_N_PPK_IDENTITY, &n))
        return ERR_OK;
    if (hs->plain_auth.len == 0 || required(profile_of(step)))
        return v2_refuse(step, ERR_AUTH, 0, "the peer does not use the PPK that it has to");
    sa->keys = hs->plain;
    hs->ppk_used = false;
    return ERR_OK;
}

/* Responder */

static bool is_named(const struct ike_profile *profile, struct view id)
{
    return has_ppk(profile) && id.len > 1 && id.ptr[0] == PPK_ID_FIXED &&
           view_equal(view_of(id.ptr + 1, id.len - 1), profile->ppk_id);
}

/* The method stays as AUTH says. */
static enum err take_plain_auth(struct v2_step *step, struct view data)
{
    struct v2_handshake *hs = step->sa->handshake;
    struct builder b = builder_on(span_of(step->ike->inner, sizeof(step->ike->inner)));
    builder_bytes(&b, blob_view(&hs->auth).ptr, AUTH_HEAD); /* it was parsed */
    builder_view(&b, data);
    if (b.bad)
        return ERR_ROOM;
    return blob_set(&hs->auth, builder_written(&b)) ? ERR_OK : ERR_MEMORY;
}

/* Section 3, table 1 */
enum err ppk_r_claimed(struct v2_step *step)
{
    const struct v2_handshake *hs = step->sa->handshake;
    const struct ike_profile *profile = profile_of(step);
    struct ike2_notify id, plain;

    if (hs->ticket != NULL)
        return ERR_OK; /* the session's keys have it, if they must */
    if (!hs->ppk_agreed)
        return required(profile) ? v2_refuse(step, ERR_AUTH, 0, "the peer knows of no PPK") : ERR_OK;
    if (!v2_notified(step, IKE2_N_PPK_IDENTITY, &id))
        return v2_refuse(step, ERR_AUTH, 0, "the peer does not name its PPK");
    if (is_named(profile, id.data))
        return mix(step->sa, profile->ppk);
    if (required(profile) || !v2_notified(step, IKE2_N_NO_PPK_AUTH, &plain))
        return v2_refuse(step, ERR_AUTH, 0, "not the PPK that is configured for the peer");
    return take_plain_auth(step, plain.data);
}

void ppk_r_put(const struct v2_step *step, struct ike2_writer *w)
{
    if (step->sa->handshake->ppk_used)
        ike2_writer_notify(w, IKE2_N_PPK_IDENTITY, view_of(NULL, 0));
}
