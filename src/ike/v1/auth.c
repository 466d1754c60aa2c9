/*
 * Phase 1 authentication, whatever the mode: which methods are acceptable, our own proof, the peer's
 * proof, and what the peer is allowed to be called (RFC 2409 sections 5.1 and 5.4; IKE-012, IKE-013).
 */
#include <stdio.h>

#include "ike/v1/v1.h"

enum { CERT_X509_SIGNATURE = 4, CERTS_MAX = 8 };

bool auth_encrypts(enum phase1_auth auth)
{
    return auth == PHASE1_RSA_ENCRYPTION || auth == PHASE1_REVISED_RSA_ENCRYPTION;
}

static bool by_signature(enum phase1_auth auth)
{
    return auth != PHASE1_PSK && !auth_encrypts(auth);
}

enum v1_way v1_way_of(const struct ike_sa *sa)
{
    if (auth_encrypts(sa->auth))
        return V1_BY_ENCRYPTION;
    return by_signature(sa->auth) ? V1_BY_SIGNATURE : V1_BY_PSK;
}

/* The methods of IKEv1 are the same for both sides. */
enum phase1_auth auth_of_profile(const struct ike_profile *profile)
{
    if (profile != NULL && profile->own_method == IKE_BY_PSK)
        return PHASE1_PSK;
    if (profile != NULL && profile->own_method == IKE_BY_ENCRYPTION)
        return PHASE1_RSA_ENCRYPTION;
    if (profile != NULL && profile->own_method == IKE_BY_REVISED_ENCRYPTION)
        return PHASE1_REVISED_RSA_ENCRYPTION;
    switch (profile != NULL && profile->own_public != NULL ? profile->own_public->alg : KEY_RSA) {
    case KEY_ECDSA_P256:
        return PHASE1_ECDSA_256;
    case KEY_ECDSA_P384:
        return PHASE1_ECDSA_384;
    case KEY_ECDSA_P521:
        return PHASE1_ECDSA_521;
    default:
        return PHASE1_RSA_SIGNATURES;
    }
}

struct phase1_terms auth_terms(const struct ike *ike, const struct ike_event *event,
                               bool aggressive)
{
    struct phase1_terms terms = {.legacy = ike->config.legacy};
    const struct ike_profile *profile = NULL;

    if (!aggressive)
        terms.auths = 1u << PHASE1_RSA_SIGNATURES; /* what a stranger may use (OE-125) */
    while ((profile = ike_profile_next(ike, profile, IKE_VERSION_1, &event->local.addr,
                                       &event->remote.addr)) != NULL) {
        if (aggressive && !profile->aggressive)
            continue;
        terms.auths |= 1u << auth_of_profile(profile);
        terms.legacy |= profile->legacy;
    }
    return terms;
}

struct phase1_offer auth_offer(const struct ike *ike, const struct ike_sa *sa)
{
    const struct ike_profile *profile = ike_profile_numbered(ike, sa->profile);
    struct phase1_offer offer = {
        .suites = ike->offers,
        .count = ike->offer_count,
        .seconds = ike->config.ike_lifetime_s,
        .auth = sa->auth,
    };

    if (profile != NULL && profile->ike_lifetime_s != 0)
        offer.seconds = profile->ike_lifetime_s;
    if (profile != NULL && profile->legacy)
        offer.suites = phase1_offers(true, &offer.count);
    return offer;
}

/* Shared keys (section 5.4) */

static bool same_secret(const struct ike_profile *a, const struct ike_profile *b)
{
    return secret_equal(a->psk, b->psk);
}

/* Main Mode needs the key before the peer has said who it is: the first that its address may have.
 */
static const struct ike_profile *psk_profile(const struct ike *ike, const struct ike_sa *sa)
{
    const struct ike_profile *profile = ike_profile_numbered(ike, sa->profile);
    if (profile != NULL)
        return profile;
    while ((profile = ike_profile_next(ike, profile, IKE_VERSION_1, &sa->local.addr,
                                       &sa->remote.addr)) != NULL)
        if (auth_of_profile(profile) == PHASE1_PSK)
            return profile;
    return NULL;
}

enum err auth_secret(struct v1_step *step, struct view *ret)
{
    const struct ike_profile *profile;
    *ret = view_of(NULL, 0);
    if (step->sa->auth != PHASE1_PSK)
        return ERR_OK;
    profile = psk_profile(step->ike, step->sa);
    if (profile == NULL)
        return v1_refuse(step, ERR_AUTH, V1_NO_NOTIFY, "no shared key for this address");
    *ret = profile->psk; /* IKE-054 */
    return ERR_OK;
}

/* The configured peer this is, now that its name is known (IKE-055; with a certificate IKE-058: what is
 * in it but the name gives no right, IKE-059): the first by address with that name, the same method and, for a shared key, the one that was used. */
static const struct ike_profile *profile_for(const struct ike *ike, const struct ike_sa *sa,
                                             const struct identity *id, bool aggressive)
{
    const struct ike_profile *used = sa->auth == PHASE1_PSK ? psk_profile(ike, sa) : NULL;
    const struct ike_profile *profile = NULL;

    while ((profile = ike_profile_next(ike, profile, IKE_VERSION_1, &sa->local.addr,
                                       &sa->remote.addr)) != NULL)
        if (auth_of_profile(profile) == sa->auth && ike_profile_is_for(profile, id) &&
            (!aggressive || profile->aggressive) &&
            (aggressive || used == NULL || same_secret(profile, used)))
            return profile;
    return NULL;
}

bool auth_find_profile(struct v1_step *step, const struct identity *id, bool aggressive)
{
    const struct ike_profile *profile = profile_for(step->ike, step->sa, id, aggressive);
    step->sa->profile = profile != NULL ? profile->number : 0;
    return profile != NULL;
}

/* Our own side */

enum err auth_make_id(struct v1_step *step)
{
    struct ike *ike = step->ike;
    struct ike_sa *sa = step->sa;
    const struct ike_profile *profile = ike_profile_numbered(ike, sa->profile);
    struct identity own = profile != NULL ? profile->own_id : ike->config.id;
    uint8_t id[LIMIT_DNS_NAME + 8];
    struct builder b = builder_on(span_of(id, sizeof(id)));

    /* A name is looked up by those we come to; whoever came to our address expects that (OE-157).
     */
    if (own.kind == IDENTITY_NONE ||
        (profile == NULL && own.kind == IDENTITY_FQDN && !sa->initiator))
        own = identity_of_addr(&sa->local.addr); /* OE-124 */
    isakmp_id_build_identity(&b, &own);
    if (b.bad)
        return ERR_ROOM;
    return blob_set(&sa->handshake->id_own, builder_written(&b)) ? ERR_OK : ERR_MEMORY;
}

/* HASH_I or HASH_R over our own identity, for whoever holds the private key. */
enum err auth_ask_signature(struct v1_step *step)
{
    struct ike_sa *sa = step->sa;
    if (!by_signature(sa->auth)) /* see auth_sign_self() */
        return v1_ask(step) != 0 ? ERR_OK : ERR_MEMORY;
    const struct ike_profile *profile = ike_profile_numbered(step->ike, sa->profile);
    uint8_t hash[HASH_MAX];

    enum err err = v1_auth_hash(sa, sa->initiator, blob_view(&sa->handshake->id_own), hash);
    if (err != ERR_OK)
        return err;
    struct ike_effect fx = {.kind = IKE_FX_NEED_SIGNATURE,
                            .serial = v1_ask(step),
                            .peer = sa->remote.addr,
                            .profile = sa->profile,
                            .own_key = profile != NULL ? profile->own_key : 0,
                            .scheme = sa->auth == PHASE1_RSA_SIGNATURES ? SIGNATURE_IKE1_RSA
                                                                        : SIGNATURE_IKE1_ECDSA,
                            .bytes = view_of(hash, hash_len(sa->suite.hash))};
    return fx.serial != 0 && ike_effect_push(step->ike, &fx) ? ERR_OK : ERR_MEMORY;
}

/* RFC 2408 section 3.9: our own first, then what leads to an authority (IKE-032). */
static void put_certificates(const struct v1_step *step, struct v1_out *out)
{
    const struct ike_profile *profile = ike_profile_numbered(step->ike, step->sa->profile);
    if (profile == NULL || profile->own_method != IKE_BY_CERTIFICATE)
        return;
    for (size_t i = 0; i < profile->own_chain_count; i++) {
        isakmp_writer_open(&out->w, ISAKMP_P_CERT);
        builder_u8(&out->w.b, CERT_X509_SIGNATURE);
        builder_view(&out->w.b, profile->own_chain[i]);
        isakmp_writer_close(&out->w);
    }
}

void auth_put_requests(const struct v1_step *step, struct v1_out *out)
{
    const struct ike_profile *profile = NULL;
    const struct ike_sa *sa = step->sa;
    bool wanted = false;

    /* Until its name is known it may be any of those at its address. */
    while ((profile = ike_profile_next(step->ike, profile, IKE_VERSION_1, &sa->local.addr,
                                       &sa->remote.addr)) != NULL)
        wanted |= profile->peer_method == IKE_BY_CERTIFICATE &&
                  (sa->profile == 0 || sa->profile == profile->number);
    if (!wanted || !by_signature(sa->auth))
        return;
    /* Any authority will do (section 3.10): which ones we trust is nobody's business. */
    isakmp_writer_open(&out->w, ISAKMP_P_CR);
    builder_u8(&out->w.b, CERT_X509_SIGNATURE);
    isakmp_writer_close(&out->w);
}

/* The payload that proves who we are: SIG, from the answer to our question, or HASH (IKE-033). */
enum err auth_put_proof(struct v1_step *step, struct v1_out *out)
{
    struct ike_sa *sa = step->sa;
    uint8_t hash[HASH_MAX];

    if (by_signature(sa->auth)) {
        if (!step->event->ok || step->event->bytes.len == 0)
            return v1_refuse(step, ERR_STATE, V1_NO_NOTIFY, "our own key would not sign");
        put_certificates(step, out);
        isakmp_writer_payload(&out->w, ISAKMP_P_SIG, step->event->bytes);
        return ERR_OK;
    }
    enum err err = v1_auth_hash(sa, sa->initiator, blob_view(&sa->handshake->id_own), hash);
    if (err == ERR_OK)
        isakmp_writer_payload(&out->w, ISAKMP_P_HASH, view_of(hash, hash_len(sa->suite.hash)));
    secret_wipe(hash, sizeof(hash));
    return err;
}

/* The peer's side */

/* The ID payload, whose port may only be IKE's own (RFC 2407 section 4.6.2). */
enum err auth_parse_id(struct v1_step *step, struct view body, struct identity *ret)
{
    struct isakmp_id id;
    enum err err = isakmp_id_parse(body, &id);
    if (err == ERR_OK)
        err = isakmp_id_to_identity(&id, ret);
    bool any = id.protocol == 0 && id.port == 0;
    bool ours = id.protocol == 17 && (id.port == 0 || id.port == IKE_PORT || id.port == IKE_NATT_PORT);
    if (err == ERR_OK && !any && !ours)
        err = ERR_VALUE;
    if (err != ERR_OK)
        return v1_refuse(step, ERR_VALUE, V1_NO_NOTIFY, "no usable identity");
    return ERR_OK;
}

enum err auth_read_id(struct v1_step *step, struct identity *ret)
{
    return auth_parse_id(step, v1_body(step, ISAKMP_P_ID, 0), ret);
}

enum err auth_verify_signature(struct v1_step *step, struct view id, struct view signature,
                               const struct public_key *keys, size_t key_count,
                               const struct public_key **ret)
{
    const struct ike_sa *sa = step->sa;
    const struct ike_profile *profile = ike_profile_numbered(step->ike, sa->profile);
    bool legacy = step->ike->config.legacy || (profile != NULL && profile->legacy);
    uint8_t hash[HASH_MAX];
    enum err err = v1_auth_hash(sa, !sa->initiator, id, hash);
    if (err != ERR_OK)
        return err;
    for (size_t i = 0; i < key_count; i++) {
        if (!ike_key_long_enough(legacy, &keys[i]))
            continue;
        err = defer_verify(step->ike, &step->works, &keys[i], SIGNATURE_UNKNOWN,
                           view_of(hash, hash_len(sa->suite.hash)), signature);
        if (err == ERR_OK)
            *ret = &keys[i];
        if (err == ERR_OK || err == ERR_LATER)
            return err;
    }
    return ERR_AUTH;
}

enum err auth_verify_hash(const struct ike_sa *sa, struct view id, struct view said)
{
    uint8_t hash[HASH_MAX];
    enum err err = v1_auth_hash(sa, !sa->initiator, id, hash);
    if (err == ERR_OK && !secret_equal(view_of(hash, hash_len(sa->suite.hash)), said))
        err = ERR_AUTH;
    secret_wipe(hash, sizeof(hash));
    return err;
}

/* Initiator: the peer must be called what we expected. */
enum err auth_check_name(struct v1_step *step, const struct identity *id)
{
    const struct ike_sa *sa = step->sa;
    const struct v1_handshake *hs = sa->handshake;
    struct identity address = identity_of_addr(&sa->remote.addr);
    const struct ike_profile *profile = ike_profile_numbered(step->ike, sa->profile);
    bool good;

    if (sa->profile != 0)
        good = profile != NULL && ike_profile_is_for(profile, id);
    else
        good = hs->expected.kind == IDENTITY_NONE || identity_equal(id, &hs->expected) ||
               identity_equal(id, &address);
    return good ? ERR_OK
                : v1_refuse(step, ERR_AUTH, V1_NO_NOTIFY, "the peer calls itself something else");
}

enum err auth_digest(const struct ike *ike, const struct ike_sa *sa, uint8_t *ret)
{
    const struct ike_profile *profile = ike_profile_numbered(ike, sa->profile);
    const struct view parts[] = {
        view_of(sa->peer_key.octets, sa->peer_key.len),
        view_of(profile != NULL ? profile->name : "", profile != NULL ? sizeof(profile->name) : 0),
        view_of(&sa->peer_id, profile != NULL ? sizeof(sa->peer_id) : 0),
    };
    return hash_digest(HASH_SHA2_256, parts, 3, ret);
}

enum err auth_accept(struct v1_step *step, const struct public_key *key)
{
    struct ike_sa *sa = step->sa;
    if (key != NULL)
        sa->peer_key = *key;
    return auth_digest(step->ike, sa, sa->peer_key_digest);
}

/* A shared key needs no keeper. */
void auth_sign_self(struct v1_step *step)
{
    const struct ike_event event = {
        .kind = IKE_EV_SIGNED, .serial = step->x->serial, .ok = true};
    if (step->sa->auth == PHASE1_PSK)
        (void)v1_answer(step->ike, &event, V1_ON_SIGNED);
}

/* The first that it sends is its own. */
static enum err certified_key(struct v1_step *step, const struct ike_profile *profile,
                              const struct identity *id)
{
    struct v1_handshake *hs = step->sa->handshake;
    struct view certs[CERTS_MAX];
    size_t count = 0;
    const struct isakmp_payload *p;
    const char *reason = NULL;
    struct public_key key;

    for (size_t i = 0; (p = isakmp_payload_find(step->payloads, ISAKMP_P_CERT, i)) != NULL; i++)
        if (count < CERTS_MAX && p->body.len > 1 && p->body.ptr[0] == CERT_X509_SIGNATURE)
            certs[count++] = view_of(p->body.ptr + 1, p->body.len - 1);
    enum err err =
        defer_certify(step->ike, &step->works, profile, id, certs, count, &key, &reason);
    if (err == ERR_LATER)
        return err;
    if (err != ERR_OK)
        return v1_refuse(step, err, V1_NO_NOTIFY, reason);
    struct public_key *keys = malloc(sizeof(*keys));
    if (keys == NULL)
        return ERR_MEMORY;
    free(hs->keys);
    *keys = key;
    hs->keys = keys;
    hs->key_count = 1;
    return ERR_OK;
}

enum err auth_take_keys(struct v1_step *step, const struct identity *id)
{
    struct v1_handshake *hs = step->sa->handshake;
    const struct ike_profile *profile = ike_profile_numbered(step->ike, step->sa->profile);
    struct public_key *keys;

    if (step->sa->profile == 0)
        return ERR_OK;
    if (profile == NULL)
        return v1_refuse(step, ERR_AUTH, V1_NO_NOTIFY, "no longer configured");
    if (profile->peer_method == IKE_BY_CERTIFICATE)
        return certified_key(step, profile, id);
    keys = calloc(profile->peer_key_count + 1, sizeof(*keys));
    if (keys == NULL)
        return ERR_MEMORY;
    if (profile->peer_key_count != 0)
        memcpy(keys, profile->peer_keys, profile->peer_key_count * sizeof(*keys));
    free(hs->keys);
    hs->keys = keys;
    hs->key_count = profile->peer_key_count;
    return ERR_OK;
}

/* A configured peer's keys are here: nobody else needs to be asked. */
void auth_answer_self(struct v1_step *step)
{
    const struct v1_handshake *hs = step->sa->handshake;
    if (step->sa->profile == 0)
        return;
    const struct ike_event event = {
        .kind = IKE_EV_PEER_KEYS,
        .serial = step->x->serial,
        .ok = hs->key_count != 0,
        .keys = hs->keys,
        .key_count = hs->key_count,
    };
    (void)v1_answer(step->ike, &event, V1_ON_PEER_KEYS);
}
