/* Main Mode authenticated with signatures (RFC 2409 section 5.1): the handlers of the table. */
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
    blob_wipe(&hs->signature);
    free(hs->keys);
    secret_wipe(hs, sizeof(*hs));
    free(hs);
}

static struct phase1_offer own_offer(const struct ike *ike)
{
    return (struct phase1_offer){ike->offers, ike->offer_count, ike->config.ike_lifetime_s};
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
    hs->keys = calloc(request->key_count, sizeof(*hs->keys));
    err = hs->keys != NULL ? ike_sa_attach(ike, sa) : ERR_MEMORY;
    if (err != ERR_OK) {
        ike_sa_free(ike, sa);
        return err;
    }
    memcpy(hs->keys, request->keys, request->key_count * sizeof(*hs->keys));
    sa->trace_connection = request->ticket->number;
    sa->trace_flow = request->flow;
    *ret = sa;
    return ERR_OK;
}

/* Message 1 */

enum err main_i_start(struct v1_step *step)
{
    struct ike *ike = step->ike;
    const struct phase1_offer offer = own_offer(ike);
    struct v1_out out;
    struct builder body = builder_on(span_of(ike->text, sizeof(ike->text)));

    phase1_offer_build(&body, &offer, &ike->sa_out);
    if (!blob_set(&step->sa->handshake->offer, builder_written(&body)))
        return ERR_MEMORY;
    v1_out_start(ike, &out, step->sa, V1_MM1, step->x->msgid);
    isakmp_writer_payload(&out.w, ISAKMP_P_SA, blob_view(&step->sa->handshake->offer));
    if (ike->config.nat != IKE_NAT_OFF)
        nat_put_vendor(&out);
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
    enum err err = phase1_choose(offer, ike->config.legacy, &ike->sa_in, &ike->sa_out, &choice, &b);
    if (err == ERR_NO_PROPOSAL)
        return v1_refuse(step, err, V1_NO_PROPOSAL_CHOSEN, "none of the offered suites will do");
    if (err != ERR_OK)
        return err;
    sa->suite = choice.suite;
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
    if (sa->nat.agreed)
        nat_put_vendor(&out);
    return v1_out_send(step, &out);
}

/* Messages 3 and 4 */

/* Our private value and nonce. */
static enum err make_share(struct v1_step *step)
{
    struct v1_handshake *hs = step->sa->handshake;
    struct blob *nonce = step->sa->initiator ? &hs->nonce_i : &hs->nonce_r;
    uint8_t fresh[V1_NONCE_LEN];
    struct dh *dh;

    rng_fill(&step->ike->env.rng, fresh, sizeof(fresh));
    if (!blob_set(nonce, view_of(fresh, sizeof(fresh))))
        return ERR_MEMORY;
    enum err err = dh_new(step->sa->suite.group, &step->ike->env.rng, &dh);
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
    enum err err = nat_put_hashes(step, &out);
    return err == ERR_OK ? v1_out_send(step, &out) : err;
}

/* The peer's public value and nonce, by length (IKE-064, IKE-065). */
static enum err take_share(struct v1_step *step)
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

static enum err derive(struct v1_step *step)
{
    struct v1_handshake *hs = step->sa->handshake;
    uint8_t secret[DH_MAX];
    enum err err = dh_shared(hs->dh, blob_view(&hs->peer_ke), secret);
    if (err == ERR_OK)
        err = v1_keys_derive(step->sa, view_of(secret, dh_secret_len(step->sa->suite.group)),
                             step->iv);
    else if (err == ERR_VALUE)
        v1_refuse(step, err, V1_NO_NOTIFY, "public value is not acceptable");
    secret_wipe(secret, sizeof(secret));
    return err;
}

enum err main_i_choice(struct v1_step *step)
{
    struct ike *ike = step->ike;
    const struct phase1_offer offer = own_offer(ike);
    struct phase1_choice choice;

    enum err err = phase1_check(v1_body(step, ISAKMP_P_SA, 0), &offer, &ike->sa_in, &choice);
    if (err != ERR_OK)
        return v1_refuse(step, err, V1_NO_NOTIFY, "the choice is not among our offers");
    step->sa->suite = choice.suite;
    step->sa->lifetime.seconds = choice.seconds;
    err = make_share(step);
    if (err != ERR_OK)
        return err;
    step->sa->nat.agreed = nat_agreed(step);
    ike_sa_set_responder_cookie(ike, step->sa, step->header->cookie_r);
    return send_share(step, V1_MM3);
}

enum err main_r_ke(struct v1_step *step)
{
    struct v1_nat nat;
    enum err err = nat_read_hashes(step, &nat);
    if (err == ERR_OK)
        err = take_share(step);
    if (err == ERR_OK)
        err = make_share(step);
    if (err == ERR_OK)
        err = derive(step);
    if (err == ERR_OK)
        err = send_share(step, V1_MM4);
    if (err == ERR_OK)
        step->sa->nat = nat;
    return err;
}

/* Messages 5 and 6 */

/* HASH_I or HASH_R over our own identity, for whoever holds the private key. */
static enum err ask_signature(struct v1_step *step)
{
    struct ike *ike = step->ike;
    struct ike_sa *sa = step->sa;
    struct identity own = ike->config.id;
    uint8_t id[LIMIT_DNS_NAME + 8], hash[HASH_MAX];
    struct builder b = builder_on(span_of(id, sizeof(id)));

    /* A name is looked up by those we come to; whoever came to our address expects that (OE-157).
     */
    if (own.kind == IDENTITY_NONE || (own.kind == IDENTITY_FQDN && !sa->initiator))
        own = identity_of_addr(&sa->local.addr); /* OE-124 */
    isakmp_id_build_identity(&b, &own);
    if (b.bad)
        return ERR_ROOM;
    if (!blob_set(&sa->handshake->id_own, builder_written(&b)))
        return ERR_MEMORY;
    enum err err = v1_auth_hash(sa, sa->initiator, builder_written(&b), hash);
    if (err != ERR_OK)
        return err;
    struct ike_effect fx = {.kind = IKE_FX_NEED_SIGNATURE,
                            .serial = v1_ask(step),
                            .peer = sa->remote.addr,
                            .bytes = view_of(hash, hash_len(sa->suite.hash))};
    return fx.serial != 0 && ike_effect_push(ike, &fx) ? ERR_OK : ERR_MEMORY;
}

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

/* It counts once the message that holds it is verified. */
static bool says_initial_contact(const struct v1_step *step)
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
    if (!step->event->ok || step->event->bytes.len == 0)
        return v1_refuse(step, ERR_STATE, V1_NO_NOTIFY, "our own key would not sign");
    v1_out_start(step->ike, &out, step->sa, kind, step->x->msgid);
    isakmp_writer_payload(&out.w, ISAKMP_P_ID, blob_view(&step->sa->handshake->id_own));
    isakmp_writer_payload(&out.w, ISAKMP_P_SIG, step->event->bytes);
    step->sa->greets = contact_is_due(step->ike, &step->sa->local.addr, &step->sa->remote.addr);
    if (step->sa->greets)
        put_initial_contact(step->sa, &out);
    return v1_out_send(step, &out);
}

/* The ID payload, whose port may only be IKE's own (RFC 2407 section 4.6.2). */
static enum err read_identity(struct v1_step *step, struct identity *ret)
{
    struct isakmp_id id;
    enum err err = isakmp_id_parse(v1_body(step, ISAKMP_P_ID, 0), &id);
    if (err == ERR_OK)
        err = isakmp_id_to_identity(&id, ret);
    bool any = id.protocol == 0 && id.port == 0;
    bool ours = id.protocol == 17 && (id.port == IKE_PORT || id.port == IKE_NATT_PORT);
    if (err == ERR_OK && !any && !ours)
        err = ERR_VALUE;
    if (err != ERR_OK)
        return v1_refuse(step, ERR_VALUE, V1_NO_NOTIFY, "no usable identity");
    return ERR_OK;
}

/* ERR_AUTH unless one of the keys made the signature (OE-137). */
static enum err verify(const struct ike_sa *sa, struct view id, struct view signature,
                       const struct public_key *keys, size_t key_count,
                       const struct public_key **ret)
{
    uint8_t hash[HASH_MAX];
    enum err err = v1_auth_hash(sa, !sa->initiator, id, hash);
    if (err != ERR_OK)
        return err;
    for (size_t i = 0; i < key_count; i++) {
        if (public_key_verify_ike1(&keys[i], view_of(hash, hash_len(sa->suite.hash)), signature) ==
            ERR_OK) {
            *ret = &keys[i];
            return ERR_OK;
        }
    }
    return ERR_AUTH;
}

/* The peer is who it says: from here on messages of this SA are believed. */
static enum err accept_peer(struct v1_step *step, const struct public_key *key)
{
    struct ike_sa *sa = step->sa;
    struct view octets = view_of(key->octets, key->len);
    sa->peer_key = *key;
    return hash_digest(HASH_SHA2_256, &octets, 1, sa->peer_key_digest);
}

enum err main_i_ke(struct v1_step *step)
{
    if (view_equal(v1_body(step, ISAKMP_P_KE, 0), dh_public(step->sa->handshake->dh)))
        return v1_refuse(step, ERR_VALUE, V1_NO_NOTIFY, "our own public value came back");
    struct v1_nat nat;
    enum err err = nat_read_hashes(step, &nat);
    if (err == ERR_OK)
        err = take_share(step);
    if (err == ERR_OK)
        err = derive(step);
    if (err == ERR_OK)
        err = ask_signature(step);
    if (err == ERR_OK)
        step->sa->nat = nat;
    return err;
}

enum err main_i_signed(struct v1_step *step)
{
    nat_float(step->ike, step->sa);
    return send_auth(step, V1_MM5);
}

/* The key decides; the identity must be the one DNS named, or just the address we talk to. */
enum err main_i_verify(struct v1_step *step)
{
    struct ike_sa *sa = step->sa;
    struct v1_handshake *hs = sa->handshake;
    struct identity id, address = identity_of_addr(&sa->remote.addr);
    const struct public_key *key;

    enum err err = read_identity(step, &id);
    if (err != ERR_OK)
        return err;
    err = verify(sa, v1_body(step, ISAKMP_P_ID, 0), v1_body(step, ISAKMP_P_SIG, 0), hs->keys,
                 hs->key_count, &key);
    if (err == ERR_AUTH)
        return v1_refuse(step, err, V1_NO_NOTIFY, "the peer could not prove its key");
    if (err != ERR_OK)
        return err;
    if (hs->expected.kind != IDENTITY_NONE && !identity_equal(&id, &hs->expected) &&
        !identity_equal(&id, &address))
        return v1_refuse(step, ERR_AUTH, V1_NO_NOTIFY, "the peer calls itself something else");
    sa->peer_id = id;
    hs->initial_contact = says_initial_contact(step);
    return accept_peer(step, key);
}

enum err main_r_auth(struct v1_step *step)
{
    struct ike_sa *sa = step->sa;
    struct identity id;
    enum err err = read_identity(step, &id);
    if (err != ERR_OK)
        return err;
    if (v1_body(step, ISAKMP_P_SIG, 0).len > LIMIT_KEY_OCTETS) /* OE-194 */
        return v1_refuse(step, ERR_VALUE, V1_NO_NOTIFY, "a signature longer than any key");
    if (!blob_set(&sa->handshake->id_peer, v1_body(step, ISAKMP_P_ID, 0)) ||
        !blob_set(&sa->handshake->signature, v1_body(step, ISAKMP_P_SIG, 0)))
        return ERR_MEMORY;
    sa->peer_id = id;
    sa->handshake->claimed =
        (struct ike_path){step->event->local, step->event->remote, step->event->natt};
    sa->handshake->initial_contact = says_initial_contact(step);
    const struct ike_effect fx = {.kind = IKE_FX_NEED_KEYS,
                                  .serial = v1_ask(step),
                                  .peer = sa->remote.addr,
                                  .peer_id = id,
                                  .local = sa->local,
                                  .remote = sa->remote};
    return fx.serial != 0 && ike_effect_push(step->ike, &fx) ? ERR_OK : ERR_MEMORY;
}

enum err main_r_verify(struct v1_step *step)
{
    const struct v1_handshake *hs = step->sa->handshake;
    const struct public_key *key;
    if (!step->event->ok || step->event->key_count == 0)
        return v1_refuse(step, ERR_AUTH, V1_NO_NOTIFY, "no keys for the peer"); /* OE-087 */
    enum err err = verify(step->sa, blob_view(&hs->id_peer), blob_view(&hs->signature),
                          step->event->keys, step->event->key_count, &key);
    if (err == ERR_AUTH)
        return v1_refuse(step, err, V1_NO_NOTIFY, "the peer could not prove its key");
    if (err == ERR_OK)
        err = accept_peer(step, key);
    if (err == ERR_OK)
        err = ask_signature(step);
    if (err == ERR_OK)
        nat_take_claimed(step->ike, step->sa);
    return err;
}

enum err main_r_signed(struct v1_step *step)
{
    return send_auth(step, V1_MM6);
}

/* Both sides: the SA is there. What only the handshake needed is wiped (IKE-010). */
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
    snprintf(detail, sizeof(detail), "%s, peer's key %s", ike_suite_format(&sa->suite, text),
             public_key_format(&sa->peer_key, key));
    v1_trace(ike, sa, &sa->main, EVENT_INFO, "Peer authenticated", detail);
    const struct ike_effect fx = {.kind = IKE_FX_PEER_AUTHENTICATED,
                                  .peer = sa->remote.addr,
                                  .peer_id = sa->peer_id,
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
