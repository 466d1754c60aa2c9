#include "ike/defer.h"

#include "ike/engine.h"
#include "ike/v1/v1.h"
#include "ike/v2/v2.h"
#include "ike/work_private.h"

enum {
    CURVE25519 = 31,
    RSA_BITS_CHEAP = 4096,
    WORK_PRESSURE = 16, /* out for strangers: what a processor does in a tenth of a second at worst */
};

/* Asking */

static struct ike_work *work_new(enum ike_work_kind kind)
{
    struct ike_work *work = calloc(1, sizeof(*work));
    if (work != NULL)
        work->kind = kind;
    return work;
}

/* Takes `want`. ERR_OK: *ret is the same work done, whatever came of it; `works` keeps it. */
static enum err ask(struct ike_works *works, struct ike_work *want, const struct ike_work **ret)
{
    for (size_t i = 0; i < works->count; i++) {
        if (!ike_work_same(works->done[i], want))
            continue;
        ike_work_free(want);
        *ret = works->done[i];
        return (*ret)->ran ? ERR_OK : ERR_LIMIT; /* nobody had time for it */
    }
    if (works->count == IKE_WORKS_MAX) {
        ike_work_free(want);
        return ERR_LIMIT;
    }
    ike_work_free(works->asked);
    works->asked = want;
    return ERR_LATER;
}

enum err defer_kex_new(struct ike *ike, struct ike_works *works, uint16_t method, struct kex **ret)
{
    const struct ike_work *done;
    if (!ike->config.work_elsewhere || method == CURVE25519)
        return kex_new(method, &ike->env.rng, ret);
    struct ike_work *want = work_new(IKE_WORK_KEX_NEW);
    if (want == NULL)
        return ERR_MEMORY;
    want->method = method;
    enum err err = ask(works, want, &done);
    if (err == ERR_OK)
        err = done->err;
    if (err == ERR_OK)
        *ret = kex_hold(done->new_kex);
    return err;
}

enum err defer_kex_finish(struct ike *ike, struct ike_works *works, struct kex *kex,
                          struct view reply, uint8_t *ret_secret)
{
    const struct ike_work *done;
    if (!ike->config.work_elsewhere || reply.len != kex_reply_len(kex_method(kex)))
        return kex_finish(kex, reply, ret_secret);
    struct ike_work *want = work_new(IKE_WORK_KEX_FINISH);
    if (want == NULL || !blob_set(&want->octets, reply)) {
        ike_work_free(want);
        return ERR_MEMORY;
    }
    want->kex = kex_hold(kex);
    enum err err = ask(works, want, &done);
    if (err == ERR_OK)
        err = done->err;
    if (err == ERR_OK)
        memcpy(ret_secret, done->secret, kex_secret_len(kex_method(kex)));
    return err;
}

enum err defer_kex_respond(struct ike *ike, struct ike_works *works, uint16_t method,
                           struct view request, uint8_t *ret_reply, uint8_t *ret_secret)
{
    const struct ike_work *done;
    if (!ike->config.work_elsewhere || request.len != kex_request_len(method))
        return kex_respond(method, &ike->env.rng, request, ret_reply, ret_secret);
    struct ike_work *want = work_new(IKE_WORK_KEX_RESPOND);
    if (want == NULL || !blob_set(&want->octets, request)) {
        ike_work_free(want);
        return ERR_MEMORY;
    }
    want->method = method;
    enum err err = ask(works, want, &done);
    if (err == ERR_OK)
        err = done->err;
    if (err != ERR_OK)
        return err;
    memcpy(ret_reply, done->reply, kex_reply_len(method));
    memcpy(ret_secret, done->secret, kex_secret_len(method));
    return ERR_OK;
}

enum err defer_dh_new(struct ike *ike, struct ike_works *works, uint16_t group, struct dh **ret)
{
    const struct ike_work *done;
    if (!ike->config.work_elsewhere)
        return dh_new(group, &ike->env.rng, ret);
    struct ike_work *want = work_new(IKE_WORK_DH_NEW);
    if (want == NULL)
        return ERR_MEMORY;
    want->method = group;
    enum err err = ask(works, want, &done);
    if (err == ERR_OK)
        err = done->err;
    if (err == ERR_OK)
        *ret = dh_hold(done->new_dh);
    return err;
}

enum err defer_dh_shared(struct ike *ike, struct ike_works *works, struct dh *dh,
                         struct view peer_public, uint8_t *ret_secret)
{
    const struct ike_work *done;
    if (!ike->config.work_elsewhere || peer_public.len != dh_public_len(dh_group(dh)))
        return dh_shared(dh, peer_public, ret_secret);
    struct ike_work *want = work_new(IKE_WORK_DH_SHARED);
    if (want == NULL || !blob_set(&want->octets, peer_public)) {
        ike_work_free(want);
        return ERR_MEMORY;
    }
    want->dh = dh_hold(dh);
    enum err err = ask(works, want, &done);
    if (err == ERR_OK)
        err = done->err;
    if (err == ERR_OK)
        memcpy(ret_secret, done->secret, dh_secret_len(dh_group(dh)));
    return err;
}

/* With a small exponent, as RSA has it, it takes less than to hand it to somebody. */
static bool verified_here(const struct ike *ike, const struct public_key *key)
{
    return !ike->config.work_elsewhere ||
           (key->alg == KEY_RSA && public_key_bits(key) <= RSA_BITS_CHEAP);
}

enum err defer_verify(struct ike *ike, struct ike_works *works, const struct public_key *key,
                      enum signature_scheme scheme, struct view message, struct view signature)
{
    const struct ike_work *done;
    if (verified_here(ike, key))
        return scheme == SIGNATURE_UNKNOWN ? public_key_verify_ike1(key, message, signature)
                                           : public_key_verify(key, scheme, message, signature);
    struct ike_work *want = work_new(IKE_WORK_VERIFY);
    if (want == NULL || !blob_set(&want->octets, message) ||
        !blob_set(&want->signature, signature)) {
        ike_work_free(want);
        return ERR_MEMORY;
    }
    want->key = *key;
    want->scheme = scheme;
    enum err err = ask(works, want, &done);
    return err == ERR_OK ? done->err : err;
}

static enum err certify_elsewhere(struct ike_works *works, const struct certify_terms *terms,
                                  struct public_key *ret, const char **ret_reason)
{
    const struct ike_work *done;
    struct ike_work *want = work_new(IKE_WORK_CERTIFY);
    if (want == NULL || (want->terms = certify_terms_copy(terms)) == NULL) {
        ike_work_free(want);
        return ERR_MEMORY;
    }
    enum err err = ask(works, want, &done);
    if (err != ERR_OK)
        return err;
    if (done->err == ERR_OK)
        *ret = done->key;
    else
        *ret_reason = done->reason;
    return done->err;
}

enum err defer_certify(struct ike *ike, struct ike_works *works, const struct ike_profile *profile,
                       const struct identity *id, const struct view *certs, size_t count,
                       struct public_key *ret, const char **ret_reason)
{
    if (ike->env.wall.seconds == NULL) {
        *ret_reason = "without a clock no certificate can be trusted";
        return ERR_AUTH;
    }
    const struct certify_terms terms = {
        .id = *id,
        .crl_required = profile->crl_required,
        .when = ike->env.wall.seconds(ike->env.wall.ctx),
        .certs = certs,
        .cert_count = count,
        .anchors = profile->anchors,
        .anchor_count = profile->anchor_count,
        .crls = profile->crls,
        .crl_count = profile->crl_count,
    };
    if (!ike->config.work_elsewhere || count == 0)
        return certify(&terms, ret, ret_reason);
    return certify_elsewhere(works, &terms, ret, ret_reason);
}

void ike_works_wipe(struct ike_works *works)
{
    for (size_t i = 0; i < works->count; i++)
        ike_work_free(works->done[i]);
    ike_work_free(works->asked);
    *works = (struct ike_works){.count = 0};
}

/* Waiting */

bool ike_work_presses(const struct ike *ike)
{
    return ike->work_strangers >= WORK_PRESSURE;
}

static bool too_many(const struct ike *ike, const struct ike_parking *about)
{
    return about->stranger && about->first &&
           (ike->work_strangers >= IKE_WORK_STRANGERS ||
            ike->work_from[ike_unproven_slot(ike, about->remote)] >= IKE_WORK_EACH);
}

/* It counts until it is back, even if nobody waits for it any more. */
static void count_out(struct ike *ike, const struct ike_work *work)
{
    ike->work_out++;
    ike->work_strangers += work->stranger;
    ike->work_from[work->slot] += work->stranger;
}

static void count_back(struct ike *ike, const struct ike_work *work)
{
    ike->work_out--;
    ike->work_strangers -= work->stranger;
    ike->work_from[work->slot] -= work->stranger;
}

static enum err send_work(struct ike *ike, struct ike_works *works, const struct ike_parking *about)
{
    struct ike_work *work = works->asked;
    const struct ike_effect fx = {
        .kind = IKE_FX_NEED_WORK, .serial = about->serial, .work = work, .peer = *about->remote};

    work->urgent = !about->stranger;
    work->stranger = about->stranger;
    work->slot = about->stranger ? ike_unproven_slot(ike, about->remote) : 0;
    if (!ike_effect_push(ike, &fx))
        return ERR_MEMORY;
    works->asked = NULL;
    count_out(ike, work);
    ike_count(ike, IKE_COUNT_ELSEWHERE);
    return ERR_OK;
}

/* Everything that a step reads of an answer of our own side, or of a datagram. */
static bool copy_event(struct ike_parked *parked, const struct ike_event *event)
{
    parked->has_event = event != NULL;
    if (event == NULL)
        return true;
    parked->event = *event;
    if (!blob_set(&parked->bytes, event->bytes))
        return false;
    parked->event.bytes = blob_view(&parked->bytes);
    if (event->key_count == 0)
        return true;
    parked->keys = calloc(event->key_count, sizeof(*parked->keys));
    if (parked->keys == NULL)
        return false;
    memcpy(parked->keys, event->keys, event->key_count * sizeof(*parked->keys));
    parked->event.keys = parked->keys;
    return true;
}

enum err ike_park(struct ike *ike, struct ike_parked *parked, struct ike_works *works,
                  const struct ike_event *event, struct view text, const struct ike_parking *about)
{
    if (too_many(ike, about)) {
        ike_count(ike, IKE_COUNT_TOO_MUCH_WORK);
        return ERR_LIMIT;
    }
    if (!copy_event(parked, event) || !blob_set(&parked->text, text))
        return ERR_MEMORY;
    enum err err = send_work(ike, works, about);
    if (err != ERR_OK)
        return err;
    parked->works = *works;
    *works = (struct ike_works){.count = 0};
    return ERR_OK;
}

void ike_parked_wipe(struct ike_parked *parked)
{
    ike_works_wipe(&parked->works);
    blob_wipe(&parked->bytes);
    blob_wipe(&parked->text);
    free(parked->keys);
    *parked = (struct ike_parked){.has_event = false};
}

/* Back */

enum err ike_worked(struct ike *ike, const struct ike_event *event)
{
    if (event->work == NULL) {
        ike_count(ike, IKE_COUNT_BAD_REQUEST);
        return ERR_STATE;
    }
    enum err err = ERR_OK;
    count_back(ike, event->work);
    if (!ike->shutting_down && event->serial != 0 &&
        (v2_resume(ike, event->serial, event->work, &err) ||
         v1_resume(ike, event->serial, event->work, &err)))
        return err;
    ike_work_free(event->work);
    ike_count(ike, IKE_COUNT_STALE);
    return ERR_UNKNOWN;
}
