#include "ike/work_private.h"

const char *ike_work_name(const struct ike_work *work)
{
    static const char *const names[IKE_WORK_KINDS] = {
        [IKE_WORK_KEX_NEW] = "key pair",      [IKE_WORK_KEX_FINISH] = "key agreement",
        [IKE_WORK_KEX_RESPOND] = "key pair and agreement",
        [IKE_WORK_DH_NEW] = "key pair",       [IKE_WORK_DH_SHARED] = "key agreement",
        [IKE_WORK_VERIFY] = "verification",   [IKE_WORK_CERTIFY] = "certificates",
    };
    return names[work->kind];
}

bool ike_work_urgent(const struct ike_work *work)
{
    return work->urgent;
}

static enum err verify(const struct ike_work *work)
{
    struct view octets = blob_view(&work->octets), signature = blob_view(&work->signature);
    if (work->scheme == SIGNATURE_UNKNOWN)
        return public_key_verify_ike1(&work->key, octets, signature);
    return public_key_verify(&work->key, work->scheme, octets, signature);
}

void ike_work_run(struct ike_work *work, const struct rng *rng)
{
    struct view octets = blob_view(&work->octets);
    switch (work->kind) {
    case IKE_WORK_KEX_NEW:
        work->err = kex_new(work->method, rng, &work->new_kex);
        break;
    case IKE_WORK_KEX_FINISH:
        work->err = kex_finish(work->kex, octets, work->secret);
        break;
    case IKE_WORK_KEX_RESPOND:
        work->err = kex_respond(work->method, rng, octets, work->reply, work->secret);
        break;
    case IKE_WORK_DH_NEW:
        work->err = dh_new(work->method, rng, &work->new_dh);
        break;
    case IKE_WORK_DH_SHARED:
        work->err = dh_shared(work->dh, octets, work->secret);
        break;
    case IKE_WORK_VERIFY:
        work->err = verify(work);
        break;
    case IKE_WORK_CERTIFY:
        work->err = certify(work->terms, &work->key, &work->reason);
        break;
    case IKE_WORK_KINDS:
        work->err = ERR_STATE;
        break;
    }
    work->ran = true;
}

void ike_work_free(struct ike_work *work)
{
    if (work == NULL)
        return;
    kex_free(work->kex);
    kex_free(work->new_kex);
    dh_free(work->dh);
    dh_free(work->new_dh);
    blob_wipe(&work->octets);
    blob_wipe(&work->signature);
    certify_terms_free(work->terms);
    secret_wipe(work, sizeof(*work));
    free(work);
}

static bool same_terms(const struct certify_terms *a, const struct certify_terms *b)
{
    return a == b || (a != NULL && b != NULL && certify_terms_same(a, b));
}

bool ike_work_same(const struct ike_work *a, const struct ike_work *b)
{
    if (a->kind != b->kind || a->method != b->method || a->scheme != b->scheme ||
        a->kex != b->kex || a->dh != b->dh)
        return false;
    if (a->kind == IKE_WORK_VERIFY && !public_key_equal(&a->key, &b->key))
        return false;
    return view_equal(blob_view(&a->octets), blob_view(&b->octets)) &&
           view_equal(blob_view(&a->signature), blob_view(&b->signature)) &&
           same_terms(a->terms, b->terms);
}
