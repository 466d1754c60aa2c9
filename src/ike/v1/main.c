/* Main Mode, by signatures or by a shared key (RFC 2409 sections 5.1, 5.4): the handlers of the
 * table. */
#include <stdio.h>

#include "ike/v1/v1.h"

void main_handshake_free(struct v1_handshake *hs)
{
    if (hs == NULL)
        return;
    dh_free(hs->dh);
    blob_wipe(&hs->offer);
    blob_wipe(&hs->peer_ke);
    blob_wipe(&hs->nonce_i);
    blob_wipe(&hs->nonce_r);
    blob_wipe(&hs->id_own);
    blob_wipe(&hs->id_peer);
    blob_wipe(&hs->reply);
    blob_wipe(&hs->signature);
    free(hs->keys);
    secret_wipe(hs, sizeof(*hs));
    free(hs);
}

/* An SA that will run Main Mode for the request. */
enum err main_new(struct ike *ike, const struct ike_request *request, struct ike_sa **ret)
{
    uint8_t cookies[2 * ISAKMP_COOKIE_LEN] = {0};
    struct ike_sa *sa;

    rng_fill(&ike->env.rng, cookies, ISAKMP_COOKIE_LEN);
    enum err err =
        ike_sa_new(ike, cookies, true, &request->local, &request->remote, request->natt, &sa);
    if (err != ERR_OK)
        return err;
    struct v1_handshake *hs = sa->handshake;
    hs->expected = request->peer_id;
    hs->key_count = request->key_count;
    hs->keys = calloc(request->key_count + 1, sizeof(*hs->keys));
    err = hs->keys != NULL ? ike_sa_attach(ike, sa) : ERR_MEMORY;
    if (err != ERR_OK) {
        ike_sa_free(ike, sa);
        return err;
    }
    if (request->key_count != 0)
        memcpy(hs->keys, request->keys, request->key_count * sizeof(*hs->keys));
    const struct ike_profile *profile = ike_profile_numbered(ike, request->profile);
    sa->profile = request->profile;
    sa->auth = auth_of_profile(profile);
    if (profile != NULL && profile->aggressive)
        sa->main.state = V1_AM_I_START;
    sa->trace_connection = request->ticket->number;
    sa->trace_flow = request->flow;
    *ret = sa;
    return ERR_OK;
}

/* Message 1 */

enum err main_i_start(struct v1_step *step)
{
    struct ike *ike = step->ike;
    const struct phase1_offer offer = auth_offer(ike, step->sa);
    struct v1_out out;
    struct builder body = builder_on(span_of(ike->text, sizeof(ike->text)));

    phase1_offer_build(&body, &offer, &ike->sa_out);
    if (!blob_set(&step->sa->handshake->offer, builder_written(&body)))
        return ERR_MEMORY;
    v1_out_start(ike, &out, step->sa, V1_MM1, step->x->msgid);
    isakmp_writer_payload(&out.w, ISAKMP_P_SA, blob_view(&step->sa->handshake->offer));
    v1_put_vendors(ike, &out, true);
    return v1_out_send(step, &out);
}

enum err main_r_choose(struct v1_step *step)
{
    struct ike *ike = step->ike;
    struct ike_sa *sa = step->sa;
    struct view offer = v1_body(step, ISAKMP_P_SA, 0);
    uint8_t reply[512];
    struct builder b = builder_on(span_of(reply, sizeof(reply)));
    struct phase1_choice choice;
    struct v1_out out;

    if (offer.len > LIMIT_IKE_OFFER) /* it is kept until message 3 comes (OE-194) */
        return v1_refuse(step, ERR_LIMIT, V1_NO_NOTIFY, "the offer is too long");
    const struct phase1_terms terms = auth_terms(ike, step->event, false);
    enum err err = phase1_choose(offer, &terms, &ike->sa_in, &ike->sa_out, &choice, &b);
    if (err == ERR_NO_PROPOSAL)
        return v1_refuse(step, err, V1_NO_PROPOSAL_CHOSEN, "none of the offered suites will do");
    if (err != ERR_OK)
        return err;
    sa->suite = choice.suite;
    sa->auth = choice.auth;
    sa->lifetime.seconds = choice.seconds;
    if (!blob_set(&sa->handshake->offer, offer))
        return ERR_MEMORY;
    err = half_open_cookie_make(ike, &sa->local, &sa->remote, sa->cookies,
                                sa->cookies + ISAKMP_COOKIE_LEN);
    if (err != ERR_OK)
        return err;
    v1_out_start(ike, &out, sa, V1_MM2, step->x->msgid);
    isakmp_writer_payload(&out.w, ISAKMP_P_SA, builder_written(&b));
    sa->nat.agreed = nat_agreed(step);
    sa->dpd = v1_peer_has_dpd(step);
    v1_put_vendors(ike, &out, sa->nat.agreed);
    return v1_out_send(step, &out);
}

/* Messages 3 and 4 */

/* Our private value and nonce, of the group that was chosen, for this handshake alone (IKE-023, IKE-029). */
enum err main_make_share(struct v1_step *step)
{
    struct v1_handshake *hs = step->sa->handshake;
    struct blob *nonce = step->sa->initiator ? &hs->nonce_i : &hs->nonce_r;
    uint8_t fresh[V1_NONCE_LEN];
    struct dh *dh;

    rng_fill(&step->ike->env.rng, fresh, sizeof(fresh));
    if (!blob_set(nonce, view_of(fresh, sizeof(fresh))))
        return ERR_MEMORY;
    /* What is encrypted can't be read twice: encrypted.c. */
    enum err err = auth_encrypts(step->sa->auth)
                       ? dh_new(step->sa->suite.group, &step->ike->env.rng, &dh)
                       : defer_dh_new(step->ike, &step->works, step->sa->suite.group, &dh);
    if (err != ERR_OK)
        return err;
    dh_free(hs->dh);
    hs->dh = dh;
    return ERR_OK;
}

static enum err send_share(struct v1_step *step, enum v1_message_kind kind)
{
    struct v1_handshake *hs = step->sa->handshake;
    struct v1_out out;
    v1_out_start(step->ike, &out, step->sa, kind, step->x->msgid);
    isakmp_writer_payload(&out.w, ISAKMP_P_KE, dh_public(hs->dh));
    isakmp_writer_payload(&out.w, ISAKMP_P_NONCE,
                          blob_view(step->sa->initiator ? &hs->nonce_i : &hs->nonce_r));
    auth_put_requests(step, &out);
    enum err err = nat_put_hashes(step, &out);
    return err == ERR_OK ? v1_out_send(step, &out) : err;
}

/* The peer's public value and nonce, by length (IKE-064, IKE-065). */
enum err main_take_share(struct v1_step *step)
{
    struct v1_handshake *hs = step->sa->handshake;
    struct view ke = v1_body(step, ISAKMP_P_KE, 0);
    struct view nonce = v1_body(step, ISAKMP_P_NONCE, 0);

    if (ke.len != dh_public_len(step->sa->suite.group))
        return v1_refuse(step, ERR_VALUE, V1_NO_NOTIFY, "public value of the wrong length");
    if (nonce.len < LIMIT_NONCE_MIN || nonce.len > LIMIT_NONCE_MAX)
        return v1_refuse(step, ERR_VALUE, V1_NO_NOTIFY, "nonce of the wrong length");
    if (!blob_set(&hs->peer_ke, ke) ||
        !blob_set(step->sa->initiator ? &hs->nonce_r : &hs->nonce_i, nonce))
        return ERR_MEMORY;
    return ERR_OK;
}

/* g^xy, the same on both sides and proven by neither yet (IKE-028). */
enum err main_derive(struct v1_step *step)
{
    struct v1_handshake *hs = step->sa->handshake;
    uint8_t secret[DH_MAX];
    struct view psk;
    enum err err = auth_secret(step, &psk);
    if (err != ERR_OK)
        return err;
    struct view peer_ke = blob_view(&hs->peer_ke);
    err = auth_encrypts(step->sa->auth)
              ? dh_shared(hs->dh, peer_ke, secret)
              : defer_dh_shared(step->ike, &step->works, hs->dh, peer_ke, secret);
    if (err == ERR_OK)
        err = v1_keys_derive(step->sa, view_of(secret, dh_secret_len(step->sa->suite.group)), psk,
                             step->iv);
    else if (err == ERR_VALUE)
        v1_refuse(step, err, V1_NO_NOTIFY, "public value is not acceptable");
    if (err == ERR_OK)
        ike_export_v1(step->ike, step->sa);
    secret_wipe(secret, sizeof(secret));
    return err;
}

enum err main_take_choice(struct v1_step *step)
{
    struct ike *ike = step->ike;
    const struct phase1_offer offer = auth_offer(ike, step->sa);
    struct phase1_choice choice;

    enum err err = phase1_check(v1_body(step, ISAKMP_P_SA, 0), &offer, &ike->sa_in, &choice);
    if (err != ERR_OK)
        return v1_refuse(step, err, V1_NO_NOTIFY, "the choice is not among our offers");
    step->sa->suite = choice.suite;
    step->sa->lifetime.seconds = choice.seconds;
    err = main_make_share(step);
    if (err != ERR_OK)
        return err;
    step->sa->nat.agreed = nat_agreed(step);
    step->sa->dpd = v1_peer_has_dpd(step);
    ike_sa_set_responder_cookie(ike, step->sa, step->header->cookie_r);
    return ERR_OK;
}

enum err main_i_choice(struct v1_step *step)
{
    enum err err = main_take_choice(step);
    return err == ERR_OK ? send_share(step, V1_MM3) : err;
}

enum err main_r_ke(struct v1_step *step)
{
    struct v1_nat nat;
    enum err err = nat_read_hashes(step, &nat);
    if (err == ERR_OK)
        err = main_take_share(step);
    if (err == ERR_OK)
        err = main_make_share(step);
    if (err == ERR_OK)
        err = main_derive(step);
    if (err == ERR_OK)
        err = send_share(step, V1_MM4);
    if (err == ERR_OK)
        step->sa->nat = nat;
    return err;
}

/* Messages 5 and 6 */

/* RFC 2407 section 4.6.3.3; only ever under encryption (OE-175). */
static void put_initial_contact(const struct ike_sa *sa, struct v1_out *out)
{
    const struct isakmp_notify n = {.doi = V1_DOI_IPSEC,
                                    .protocol = PROTOCOL_ISAKMP,
                                    .type = V1_INITIAL_CONTACT,
                                    .spi = view_of(sa->cookies, sizeof(sa->cookies))};
    isakmp_writer_open(&out->w, ISAKMP_P_N);
    isakmp_notify_build(&out->w.b, &n);
    isakmp_writer_close(&out->w);
}

void main_put_contact(struct v1_step *step, struct v1_out *out)
{
    step->sa->greets = contact_is_due(step->ike, &step->sa->local.addr, &step->sa->remote.addr);
    if (step->sa->greets)
        put_initial_contact(step->sa, out);
}

/* It counts once the message that holds it is verified. */
bool main_says_contact(const struct v1_step *step)
{
    const struct isakmp_payload *payload;
    struct isakmp_notify n;
    struct view cookies = view_of(step->sa->cookies, sizeof(step->sa->cookies));
    for (size_t i = 0; (payload = isakmp_payload_find(step->payloads, ISAKMP_P_N, i)) != NULL; i++)
        if (isakmp_notify_parse(payload->body, &n) == ERR_OK && n.type == V1_INITIAL_CONTACT &&
            n.protocol == PROTOCOL_ISAKMP && (n.spi.len == 0 || view_equal(n.spi, cookies)))
            return true;
    return false;
}

static enum err send_auth(struct v1_step *step, enum v1_message_kind kind)
{
    struct v1_out out;
    v1_out_start(step->ike, &out, step->sa, kind, step->x->msgid);
    isakmp_writer_payload(&out.w, ISAKMP_P_ID, blob_view(&step->sa->handshake->id_own));
    enum err err = auth_put_proof(step, &out);
    if (err != ERR_OK)
        return err;
    main_put_contact(step, &out);
    return v1_out_send(step, &out);
}

static enum err ask_signature(struct v1_step *step)
{
    enum err err = auth_make_id(step);
    return err == ERR_OK ? auth_ask_signature(step) : err;
}

static enum err take_reply(struct v1_step *step)
{
    struct v1_nat nat;
    if (view_equal(v1_body(step, ISAKMP_P_KE, 0), dh_public(step->sa->handshake->dh)))
        return v1_refuse(step, ERR_VALUE, V1_NO_NOTIFY, "our own public value came back");
    enum err err = nat_read_hashes(step, &nat);
    if (err == ERR_OK)
        err = main_take_share(step);
    if (err == ERR_OK)
        err = main_derive(step);
    if (err == ERR_OK)
        step->sa->nat = nat;
    return err;
}

enum err main_i_ke(struct v1_step *step)
{
    enum err err = take_reply(step);
    return err == ERR_OK ? ask_signature(step) : err;
}

enum err main_i_signed(struct v1_step *step)
{
    nat_float(step->ike, step->sa);
    return send_auth(step, V1_MM5);
}

enum err main_i_psk(struct v1_step *step)
{
    enum err err = take_reply(step);
    if (err == ERR_OK)
        err = auth_make_id(step);
    if (err != ERR_OK)
        return err;
    nat_float(step->ike, step->sa);
    return send_auth(step, V1_MM5_PSK);
}

/* The key decides; the identity must be the one DNS named, or just the address we talk to. */
enum err main_i_verify(struct v1_step *step)
{
    struct ike_sa *sa = step->sa;
    struct v1_handshake *hs = sa->handshake;
    struct identity id;
    const struct public_key *key;

    enum err err = auth_read_id(step, &id);
    if (err == ERR_OK)
        err = auth_take_keys(step, &id);
    if (err != ERR_OK)
        return err;
    err = auth_verify_signature(step, v1_body(step, ISAKMP_P_ID, 0), v1_body(step, ISAKMP_P_SIG, 0),
                                hs->keys, hs->key_count, &key);
    if (err == ERR_AUTH)
        return v1_refuse(step, err, V1_NO_NOTIFY, "the peer could not prove its key");
    if (err == ERR_OK)
        err = auth_check_name(step, &id);
    if (err != ERR_OK)
        return err;
    sa->peer_id = id;
    hs->initial_contact = main_says_contact(step);
    return auth_accept(step, key);
}

enum err main_i_verify_psk(struct v1_step *step)
{
    struct identity id;
    enum err err = auth_read_id(step, &id);
    if (err != ERR_OK)
        return err;
    err = auth_verify_hash(step->sa, v1_body(step, ISAKMP_P_ID, 0), v1_body(step, ISAKMP_P_HASH, 0));
    if (err == ERR_AUTH)
        return v1_refuse(step, err, V1_NO_NOTIFY, "the peer doesn't know the shared key");
    if (err == ERR_OK)
        err = auth_check_name(step, &id);
    if (err != ERR_OK)
        return err;
    step->sa->peer_id = id;
    step->sa->handshake->initial_contact = main_says_contact(step);
    return auth_accept(step, NULL);
}

void main_claim_path(struct v1_step *step)
{
    step->sa->handshake->claimed =
        (struct ike_path){step->event->local, step->event->remote, step->event->natt};
}

enum err main_r_auth(struct v1_step *step)
{
    struct ike_sa *sa = step->sa;
    struct identity id;
    enum err err = auth_read_id(step, &id);
    if (err != ERR_OK)
        return err;
    if (v1_body(step, ISAKMP_P_SIG, 0).len > LIMIT_KEY_OCTETS) /* OE-194 */
        return v1_refuse(step, ERR_VALUE, V1_NO_NOTIFY, "a signature longer than any key");
    if (!blob_set(&sa->handshake->id_peer, v1_body(step, ISAKMP_P_ID, 0)) ||
        !blob_set(&sa->handshake->signature, v1_body(step, ISAKMP_P_SIG, 0)))
        return ERR_MEMORY;
    sa->peer_id = id;
    main_claim_path(step);
    sa->handshake->initial_contact = main_says_contact(step);
    bool configured = auth_find_profile(step, &id, false); /* before any lookup (OE-114) */
    if (!configured && id.kind != IDENTITY_ADDR && id.kind != IDENTITY_FQDN) /* nothing to look up */
        return v1_refuse(step, ERR_AUTH, V1_NO_NOTIFY, "no usable identity");
    err = auth_take_keys(step, &id);
    if (err != ERR_OK)
        return err;
    const struct ike_effect fx = {.kind = IKE_FX_NEED_KEYS,
                                  .serial = v1_ask(step),
                                  .peer = sa->remote.addr,
                                  .peer_id = id,
                                  .local = sa->local,
                                  .remote = sa->remote};
    if (fx.serial == 0)
        return ERR_MEMORY;
    return configured || ike_effect_push(step->ike, &fx) ? ERR_OK : ERR_MEMORY;
}

enum err main_r_verify(struct v1_step *step)
{
    const struct v1_handshake *hs = step->sa->handshake;
    const struct public_key *key;
    if (!step->event->ok || step->event->key_count == 0)
        return v1_refuse(step, ERR_AUTH, V1_NO_NOTIFY, "no keys for the peer"); /* OE-087 */
    enum err err = auth_verify_signature(step, blob_view(&hs->id_peer),
                                         blob_view(&hs->signature), step->event->keys,
                                         step->event->key_count, &key);
    if (err == ERR_AUTH)
        return v1_refuse(step, err, V1_NO_NOTIFY, "the peer could not prove its key");
    if (err == ERR_OK)
        err = auth_accept(step, key);
    if (err == ERR_OK)
        err = ask_signature(step);
    if (err == ERR_OK)
        nat_take_claimed(step->ike, step->sa);
    return err;
}

/* The shared key was taken by address alone; now that it has proved right, the name decides which
 * of the peers that share it this is (IKE-055). */
enum err main_r_psk(struct v1_step *step)
{
    struct identity id;
    enum err err = auth_read_id(step, &id);
    if (err != ERR_OK)
        return err;
    err = auth_verify_hash(step->sa, v1_body(step, ISAKMP_P_ID, 0), v1_body(step, ISAKMP_P_HASH, 0));
    if (err == ERR_AUTH)
        return v1_refuse(step, err, V1_NO_NOTIFY, "the peer doesn't know the shared key");
    if (err == ERR_OK && !auth_find_profile(step, &id, false))
        err = v1_refuse(step, ERR_AUTH, V1_NO_NOTIFY, "no configured peer has that name");
    if (err != ERR_OK)
        return err;
    step->sa->peer_id = id;
    main_claim_path(step);
    step->sa->handshake->initial_contact = main_says_contact(step);
    err = auth_accept(step, NULL);
    if (err == ERR_OK)
        err = auth_make_id(step);
    if (err != ERR_OK)
        return err;
    nat_take_claimed(step->ike, step->sa);
    return send_auth(step, V1_MM6_PSK);
}

enum err main_r_signed(struct v1_step *step)
{
    return send_auth(step, V1_MM6);
}

/* Both sides: the SA is there, with suite, keys and the peer's identity (IKE-034). What only the handshake needed is wiped (IKE-010). */
void main_established(struct v1_step *step)
{
    struct ike *ike = step->ike;
    struct ike_sa *sa = step->sa;
    char text[IKE_SUITE_TEXT_MAX], key[PUBLIC_KEY_TEXT_MAX], detail[200];

    memcpy(sa->keys.last_block, sa->main.iv, sizeof(sa->keys.last_block));
    bool initial_contact = sa->handshake->initial_contact;
    main_handshake_free(sa->handshake);
    sa->handshake = NULL;
    ike_sa_established_now(ike, sa);
    snprintf(detail, sizeof(detail), "%s, %s%s", ike_suite_format(&sa->suite, text),
             sa->peer_key.len != 0 ? "peer's key " : "by shared key",
             sa->peer_key.len != 0 ? public_key_format(&sa->peer_key, key) : "");
    v1_trace(ike, sa, &sa->main, EVENT_INFO, "Peer authenticated", detail);
    const struct ike_effect fx = {.kind = IKE_FX_PEER_AUTHENTICATED,
                                  .peer = sa->remote.addr,
                                  .peer_id = sa->peer_id,
                                  .profile = sa->profile,
                                  .version = IKE_VERSION_1,
                                  .local = sa->local,
                                  .remote = sa->remote,
                                  .initiator = sa->initiator};
    (void)ike_effect_push(ike, &fx);
    if (sa->greets)
        contact_made(ike, &sa->local.addr, &sa->remote.addr);
    if (initial_contact && sa->peer != NULL) {
        v1_trace(ike, sa, NULL, EVENT_INFO, "INITIAL-CONTACT",
                 "the peer restarted; what we had with it is dropped");
        contact_peer_restarted(ike, sa->peer, sa->peer_key_digest, sa->number);
    }
    ike_requests_proceed(ike, sa);
}
