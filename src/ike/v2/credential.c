/*
 * Who proves what in IKE_AUTH, and how (RFC 7296 section 2.15, RFC 7427, RFC 7619): a signature by a
 * raw or certified key, a MAC under a shared secret, or nothing at all. How a peer may prove itself
 * is for the profile to say, never for the peer.
 */
#include <assert.h>
#include <stdio.h>

#include "crypto/certificate.h"
#include "crypto/signature.h"
#include "ike/v2/v2.h"

/* Our own side */

static const struct ike_profile *profile_of(const struct v2_step *step)
{
    return v2_profile(step->ike, step->sa->profile);
}

static enum ike_method own_method(const struct v2_step *step)
{
    const struct ike_profile *profile = profile_of(step);
    return profile != NULL ? profile->own_method : IKE_BY_KEY;
}

struct identity credential_own_identity(const struct v2_step *step)
{
    const struct ike_profile *profile = profile_of(step);
    const struct v2_sa *sa = step->sa;
    if (sa->handshake != NULL && sa->handshake->ticket != NULL) /* RFC 5723 section 4.3.3 */
        return sa->handshake->ticket->session.own_id;
    struct identity own = profile != NULL ? profile->own_id : step->ike->config.id;
    if (own_method(step) == IKE_BY_NULL)
        return (struct identity){.kind = IDENTITY_NULL};
    /* A name is looked up by those we come to; whoever came to our address expects that (OE-157).
     */
    bool stranger = profile == NULL && own.kind == IDENTITY_FQDN && !sa->initiator;
    if (own.kind == IDENTITY_NONE || stranger)
        own = identity_of_addr(&sa->local.addr); /* OE-124 */
    return own;
}

static enum signature_scheme scheme_of(const struct ike2_auth *auth)
{
    if (auth->method == IKE2_AUTH_DIGITAL)
        return signature_scheme_of_identifier(auth->identifier);
    return signature_scheme_of_method(auth->method);
}

static bool is_pkcs1(enum signature_scheme scheme)
{
    return scheme == SIGNATURE_RSA_SHA2_256 || scheme == SIGNATURE_RSA_SHA2_384 ||
           scheme == SIGNATURE_RSA_SHA2_512;
}

/* RFC 8247 section 3.2.1: everybody must take PSS, and need not take PKCS #1 v1.5. Those who came before
 * it sign as they would have us sign. */
static bool pads_with_pss(const struct v2_step *step)
{
    const struct ike_profile *profile = profile_of(step);
    const struct v2_handshake *hs = step->sa->handshake;
    struct ike2_auth auth;

    if (profile != NULL && profile->padding != IKE_PADDING_AUTO)
        return profile->padding == IKE_PADDING_PSS;
    if (step->sa->initiator)
        return !hs->pkcs1;
    return ike2_auth_parse(blob_view(&hs->auth), &auth) != ERR_OK || !is_pkcs1(scheme_of(&auth));
}

/* RFC 7427 where the peer takes it; else the method that goes with the key. */
static enum signature_scheme choose_scheme(const struct v2_step *step)
{
    const struct ike_profile *profile = profile_of(step);
    const struct public_key *key =
        profile != NULL ? profile->own_public : step->ike->config.own_public;
    const struct public_key rsa = {.alg = KEY_RSA}; /* what a gateway has if nobody says else */
    unsigned hashes = step->sa->handshake->peer_hashes;
    if (key == NULL)
        key = &rsa;
    enum signature_scheme scheme = signature_scheme_choose(key, hashes, pads_with_pss(step));
    return scheme != SIGNATURE_UNKNOWN ? scheme : signature_scheme_plain(key);
}

static enum err ask_signature(struct v2_step *step)
{
    struct v2_handshake *hs = step->sa->handshake;
    const struct ike_profile *profile = profile_of(step);
    struct blob octets = {0};
    enum signature_scheme scheme = choose_scheme(step);

    if (scheme == SIGNATURE_UNKNOWN)
        return v2_refuse(step, ERR_STATE, 0, "no signature that the peer takes");
    enum err err = v2_signed_octets(step->sa, step->sa->initiator, blob_view(&hs->id_own), &octets);
    if (err != ERR_OK)
        return err;
    hs->scheme = (uint8_t)scheme;
    struct ike_effect fx = {.kind = IKE_FX_NEED_SIGNATURE,
                            .own_key = profile != NULL ? profile->own_key : 0,
                            .scheme = (uint8_t)scheme,
                            .bytes = blob_view(&octets)};
    err = v2_ask(step, &fx);
    blob_wipe(&octets);
    return err;
}

enum err credential_ask(struct v2_step *step)
{
    const struct identity own = credential_own_identity(step);
    uint8_t id[LIMIT_DNS_NAME + 8];
    struct builder b = builder_on(span_of(id, sizeof(id)));

    ike2_id_build_identity(&b, &own);
    if (b.bad)
        return ERR_ROOM;
    if (!blob_set(&step->sa->handshake->id_own, builder_written(&b)))
        return ERR_MEMORY;
    if (step->sa->handshake->ticket != NULL) {
        step->at_once = true;
        return ERR_OK;
    }
    switch (own_method(step)) {
    case IKE_BY_PSK:
    case IKE_BY_NULL:
        step->at_once = true;
        return ERR_OK;
    case IKE_BY_KEY:
    case IKE_BY_CERTIFICATE:
        return ask_signature(step);
    default:
        return v2_refuse(step, ERR_STATE, 0, "no way to prove who we are");
    }
}

static enum err build_mac(struct v2_step *step, struct builder *b)
{
    const struct v2_sa *sa = step->sa;
    const struct ike_profile *profile = profile_of(step);
    bool psk = own_method(step) == IKE_BY_PSK;
    uint8_t mac[HASH_MAX];
    struct blob octets = {0};

    if (psk && profile->psk.len == 0)
        return v2_refuse(step, ERR_STATE, 0, "no shared secret");
    enum err err =
        v2_signed_octets(sa, sa->initiator, blob_view(&sa->handshake->id_own), &octets);
    if (err == ERR_OK)
        err = v2_auth_mac(sa, sa->initiator, psk ? profile->psk : view_of(NULL, 0),
                          blob_view(&octets), mac);
    blob_wipe(&octets);
    if (err != ERR_OK)
        return err;
    ike2_auth_build(b, &(struct ike2_auth){.method = psk ? IKE2_AUTH_SHARED_KEY : IKE2_AUTH_NULL,
                                           .data = view_of(mac, hash_len(sa->suite.prf))});
    return ERR_OK;
}

static void put_certificates(const struct v2_step *step, struct ike2_writer *w)
{
    const struct ike_profile *profile = profile_of(step);
    for (size_t i = 0; i < profile->own_chain_count; i++) {
        ike2_writer_open(w, IKE2_P_CERT);
        ike2_cert_build(&w->b, &(struct ike2_cert){IKE2_CERT_X509, profile->own_chain[i]});
        ike2_writer_close(w);
    }
}

enum err credential_build_auth(struct v2_step *step, struct builder *b)
{
    const struct v2_handshake *hs = step->sa->handshake;
    enum signature_scheme scheme = (enum signature_scheme)hs->scheme;
    enum ike_method method = own_method(step);

    if (hs->ticket != NULL)
        return resume_build_auth(step, b);
    if (method == IKE_BY_PSK || method == IKE_BY_NULL)
        return build_mac(step, b);
    if (!step->event->ok || step->event->bytes.len == 0)
        return v2_refuse(step, ERR_STATE, IKE2_N_AUTHENTICATION_FAILED,
                         "our own key would not sign");
    ike2_auth_build(b, &(struct ike2_auth){.method = signature_scheme_method(scheme),
                                           .identifier = signature_scheme_identifier(scheme),
                                           .data = step->event->bytes});
    return ERR_OK;
}

enum err credential_put(struct v2_step *step, struct ike2_writer *w)
{
    if (own_method(step) == IKE_BY_CERTIFICATE && step->sa->handshake->ticket == NULL)
        put_certificates(step, w);
    ike2_writer_open(w, IKE2_P_AUTH);
    enum err err = credential_build_auth(step, &w->b);
    if (err == ERR_OK)
        ike2_writer_close(w);
    return err;
}

/* The peer's side */

static void put_anchors(const struct ike_profile *profile, struct builder *b)
{
    struct certificate *anchor;
    for (size_t i = 0; i < profile->anchor_count; i++) {
        uint8_t hash[CERTIFICATE_CA_HASH_LEN];
        if (certificate_from_der(profile->anchors[i], &anchor) != ERR_OK)
            continue;
        if (certificate_ca_hash(anchor, hash) == ERR_OK)
            builder_bytes(b, hash, sizeof(hash));
        certificate_free(anchor);
    }
}

/* Section 3.7: the authorities we trust, as hashes of their keys. A responder does not know yet who
 * it is, and names those of all whom it may be. */
void credential_put_requests(const struct v2_step *step, struct ike2_writer *w)
{
    const struct v2_sa *sa = step->sa;
    const struct ike_profile *profile = NULL;
    uint8_t room[IKE2_CA_HASH_LEN * V2_AUTHORITIES_MAX + 1];
    struct builder b = builder_on(span_of(room, sizeof(room)));

    if (sa->handshake->ticket != NULL)
        return;
    builder_u8(&b, IKE2_CERT_X509);
    while ((profile = ike_profile_next(step->ike, profile, IKE_VERSION_2, &sa->local.addr,
                                       &sa->remote.addr)) != NULL)
        if (profile->peer_method == IKE_BY_CERTIFICATE &&
            (!sa->initiator || profile->number == sa->profile))
            put_anchors(profile, &b);
    if (!b.bad && b.len > 1)
        ike2_writer_payload(w, IKE2_P_CERTREQ, builder_written(&b));
}

/* CERT payloads, kept until they can be checked. */
enum err credential_keep_certificates(struct v2_step *step)
{
    struct builder b = builder_on(span_of(step->ike->inner, sizeof(step->ike->inner)));
    const struct ike2_payload *payload;
    for (size_t i = 0; i < V2_CERTS_MAX; i++) {
        payload = ike2_payload_find(step->payloads, IKE2_P_CERT, i);
        if (payload == NULL)
            break;
        builder_u16(&b, (uint16_t)payload->body.len);
        builder_view(&b, payload->body);
    }
    if (b.bad)
        return v2_refuse(step, ERR_LIMIT, IKE2_N_AUTHENTICATION_FAILED, "too many certificates");
    return blob_set(&step->sa->handshake->certs, builder_written(&b)) ? ERR_OK : ERR_MEMORY;
}

void credential_put_hashes(struct ike2_writer *w)
{
    static const uint16_t hashes[] = {SIGNATURE_HASH_SHA2_256, SIGNATURE_HASH_SHA2_384,
                                      SIGNATURE_HASH_SHA2_512, SIGNATURE_HASH_IDENTITY};
    uint8_t octets[sizeof(hashes)];
    struct builder b = builder_on(span_of(octets, sizeof(octets)));
    for (size_t i = 0; i < sizeof(hashes) / sizeof(hashes[0]); i++)
        builder_u16(&b, hashes[i]);
    ike2_writer_notify(w, IKE2_N_SIGNATURE_HASH_ALGORITHMS, builder_written(&b));
}

uint32_t credential_read_hashes(const struct v2_step *step)
{
    struct ike2_notify n;
    uint32_t hashes = 0;
    if (!v2_notified(step, IKE2_N_SIGNATURE_HASH_ALGORITHMS, &n))
        return 0;
    struct cursor cur = cursor_of(n.data);
    while (cursor_left(&cur) >= 2) {
        uint16_t hash = cursor_u16(&cur);
        if (hash < 32)
            hashes |= UINT32_C(1) << hash;
    }
    return hashes;
}

/* OE-137: any of the keys may have made it. */
static enum err verify_key(struct v2_step *step, const struct ike2_auth *auth, struct view octets,
                           const struct public_key *keys, size_t count,
                           const struct public_key **ret)
{
    enum signature_scheme scheme = scheme_of(auth);
    if (scheme == SIGNATURE_UNKNOWN)
        return v2_refuse(step, ERR_AUTH, 0, "a signature of a kind that we don't take");
    for (size_t i = 0; i < count; i++) {
        if (signature_scheme_fits(scheme, keys[i].alg) &&
            ike_key_long_enough(step->ike->config.legacy, &keys[i]) &&
            public_key_verify(&keys[i], scheme, octets, auth->data) == ERR_OK) {
            *ret = &keys[i];
            return ERR_OK;
        }
    }
    return v2_refuse(step, ERR_AUTH, 0, "the peer could not prove its key");
}

static enum err verify_mac(struct v2_step *step, const struct ike2_auth *auth, struct view octets,
                           struct view psk)
{
    const struct v2_sa *sa = step->sa;
    uint8_t mac[HASH_MAX];
    enum err err = v2_auth_mac(sa, !sa->initiator, psk, octets, mac);
    if (err != ERR_OK)
        return err;
    bool good = secret_equal(view_of(mac, hash_len(sa->suite.prf)), auth->data);
    secret_wipe(mac, sizeof(mac));
    return good ? ERR_OK : v2_refuse(step, ERR_AUTH, 0, "the peer does not hold the secret");
}

/* From here on messages of this SA are believed. What it proved also says which of its SAs belong
 * together. */
static enum err accept(struct v2_step *step, const struct identity *id, enum ike_method method,
                       const struct public_key *key)
{
    struct v2_sa *sa = step->sa;
    uint8_t about[8] = {(uint8_t)method};
    struct builder b = builder_on(span_of(about + 1, 4));
    char name[IDENTITY_TEXT_MAX];
    const struct view by_key = view_of(key != NULL ? key->octets : NULL, key != NULL ? key->len : 0);

    builder_u32(&b, sa->profile);
    const struct view by_name[] = {view_of(about, 5), view_of_text(identity_format(id, name))};
    if (key != NULL && !blob_set(&sa->peer_key, by_key))
        return ERR_MEMORY;
    sa->peer_key_alg = key != NULL ? key->alg : KEY_NONE;
    sa->peer_method = (uint8_t)method;
    sa->peer_id = *id;
    sa->proved = ticket_wall(step->ike);
    if (key != NULL) /* as in version 1 */
        return hash_digest(HASH_SHA2_256, &by_key, 1, sa->peer_key_digest);
    return hash_digest(HASH_SHA2_256, by_name, 2, sa->peer_key_digest);
}

static enum ike_method expected_method(const struct v2_step *step)
{
    const struct ike_profile *profile = profile_of(step);
    return profile != NULL ? profile->peer_method : IKE_BY_KEY;
}

/* Our kept copy of the peer's CERT payloads: X.509 ones, the first being its own. */
static size_t list_certificates(struct view kept, struct view *ret)
{
    struct cursor cur = cursor_of(kept);
    struct ike2_cert cert;
    size_t count = 0;
    while (cursor_left(&cur) != 0 && count < V2_CERTS_MAX) {
        struct view body = cursor_take(&cur, cursor_u16(&cur));
        if (!cur.bad && ike2_cert_parse(body, &cert) == ERR_OK && cert.encoding == IKE2_CERT_X509)
            ret[count++] = cert.data;
    }
    return count;
}

/* IKE-057 */
static enum err verify_certified(struct v2_step *step, const struct identity *id,
                                 const struct ike2_auth *auth, struct view octets,
                                 struct public_key *ret)
{
    struct view certs[V2_CERTS_MAX];
    size_t count = list_certificates(blob_view(&step->sa->handshake->certs), certs);
    const struct public_key *key;
    const char *reason = NULL;
    enum err err =
        ike_certify(step->ike, profile_of(step), id, certs, count, ret, &reason);
    if (err != ERR_OK)
        return v2_refuse(step, err, 0, reason);
    return verify_key(step, auth, octets, ret, 1, &key);
}

static enum err verify_as(struct v2_step *step, const struct identity *id,
                          const struct ike2_auth *auth, struct view octets,
                          const struct public_key *keys, size_t key_count)
{
    const struct ike_profile *profile = profile_of(step);
    enum ike_method method = expected_method(step);
    const struct public_key *key = NULL;
    struct public_key certified;
    bool secret = auth->method == IKE2_AUTH_SHARED_KEY, null = auth->method == IKE2_AUTH_NULL;
    enum err err = ERR_OK;

    if (secret != (method == IKE_BY_PSK) || null != (method == IKE_BY_NULL))
        return v2_refuse(step, ERR_AUTH, 0, "not the way in which it has to prove itself");
    switch (method) {
    case IKE_BY_PSK:
        if (profile->psk.len == 0)
            return v2_refuse(step, ERR_AUTH, 0, "no shared secret");
        err = verify_mac(step, auth, octets, profile->psk);
        break;
    case IKE_BY_NULL:
        err = verify_mac(step, auth, octets, view_of(NULL, 0));
        break;
    case IKE_BY_KEY:
        if (profile != NULL)
            err = verify_key(step, auth, octets, profile->peer_keys, profile->peer_key_count, &key);
        else
            err = verify_key(step, auth, octets, keys, key_count, &key);
        break;
    case IKE_BY_CERTIFICATE:
        err = verify_certified(step, id, auth, octets, &certified);
        key = &certified;
        break;
    default:
        return v2_refuse(step, ERR_AUTH, 0, "no way for it to prove itself");
    }
    return err == ERR_OK ? accept(step, id, method, key) : err;
}

enum err credential_verify(struct v2_step *step, const struct identity *id, struct view id_body,
                           struct view auth_body, const struct public_key *keys, size_t key_count)
{
    struct ike2_auth auth;
    struct blob octets = {0};

    if (ike2_auth_parse(auth_body, &auth) != ERR_OK)
        return v2_refuse(step, ERR_SYNTAX, IKE2_N_INVALID_SYNTAX, "malformed AUTH");
    if (step->sa->handshake->ticket != NULL)
        return resume_verify(step, id, id_body, &auth);
    enum err err = v2_signed_octets(step->sa, !step->sa->initiator, id_body, &octets);
    if (err == ERR_OK)
        err = verify_as(step, id, &auth, blob_view(&octets), keys, key_count);
    blob_wipe(&octets);
    return err;
}
