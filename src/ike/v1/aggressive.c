/*
 * Aggressive Mode (RFC 2409 sections 5.1, 5.4): three messages, no protection of identities (IKE-040)
 * and work before the initiator has shown it can receive (IKE-041). So only peers that were
 * configured for it get an answer (IKE-042).
 */
#include "ike/v1/v1.h"

/* All suites of one offer have to share a group, since message 1 carries a value of it already. */
static struct phase1_offer one_group(const struct ike *ike, const struct ike_sa *sa)
{
    const struct ike_profile *profile = ike_profile_numbered(ike, sa->profile);
    struct phase1_offer offer = auth_offer(ike, sa);
    uint16_t group = offer.suites[0].group;
    size_t count = 0;

    if (profile != NULL && profile->pfs_group != 0 && profile->pfs_group != IKE_NO_PFS)
        group = profile->pfs_group;
    else if (profile != NULL && profile->legacy)
        group = offer.suites[offer.count - 1].group; /* what such a peer is sure to have */
    while (offer.count != 0 && offer.suites[0].group != group) {
        offer.suites++;
        offer.count--;
    }
    while (count < offer.count && offer.suites[count].group == group)
        count++;
    offer.count = count;
    /* What protects message 1 can't be negotiated (section 5.3). */
    if (sa->auth == PHASE1_REVISED_RSA_ENCRYPTION && count != 0)
        offer.count = 1;
    return offer;
}

enum err aggressive_i_start(struct v1_step *step)
{
    struct ike *ike = step->ike;
    struct ike_sa *sa = step->sa;
    struct v1_handshake *hs = sa->handshake;
    const struct phase1_offer offer = one_group(ike, sa);
    struct v1_out out;
    struct builder body = builder_on(span_of(ike->text, sizeof(ike->text)));

    if (offer.count == 0)
        return v1_refuse(step, ERR_NO_PROPOSAL, V1_NO_NOTIFY, "no suite has the configured group");
    phase1_offer_build(&body, &offer, &ike->sa_out);
    if (!blob_set(&hs->offer, builder_written(&body)))
        return ERR_MEMORY;
    sa->suite.group = offer.suites[0].group;
    if (sa->auth == PHASE1_REVISED_RSA_ENCRYPTION)
        sa->suite = offer.suites[0];
    enum err err = main_make_share(step);
    if (err == ERR_OK)
        err = auth_make_id(step);
    if (err != ERR_OK)
        return err;
    v1_out_start(ike, &out, sa, V1_AM1, step->x->msgid);
    isakmp_writer_payload(&out.w, ISAKMP_P_SA, blob_view(&hs->offer));
    if (auth_encrypts(sa->auth) && (err = encrypted_put_share(step, &out)) != ERR_OK)
        return err;
    if (!auth_encrypts(sa->auth)) {
        isakmp_writer_payload(&out.w, ISAKMP_P_KE, dh_public(hs->dh));
        isakmp_writer_payload(&out.w, ISAKMP_P_NONCE, blob_view(&hs->nonce_i));
        isakmp_writer_payload(&out.w, ISAKMP_P_ID, blob_view(&hs->id_own));
    }
    auth_put_requests(step, &out);
    v1_put_vendors(ike, &out, true);
    return v1_out_send(step, &out);
}

enum err aggressive_take_choice(struct v1_step *step)
{
    struct ike *ike = step->ike;
    struct ike_sa *sa = step->sa;
    const struct phase1_offer offer = one_group(ike, sa);
    struct phase1_choice choice;

    enum err err = phase1_check(v1_body(step, ISAKMP_P_SA, 0), &offer, &ike->sa_in, &choice);
    if (err != ERR_OK)
        return v1_refuse(step, err, V1_NO_NOTIFY, "the choice is not among our offers");
    ike_sa_set_responder_cookie(ike, sa, step->header->cookie_r);
    sa->suite = choice.suite;
    sa->lifetime.seconds = choice.seconds;
    sa->nat.agreed = nat_agreed(step);
    sa->dpd = v1_peer_has_dpd(step);
    struct v1_nat nat;
    err = nat_read_hashes(step, &nat);
    if (err == ERR_OK)
        sa->nat = nat;
    return err;
}

/* Message 2, up to where the peer's proof can be looked at. */
static enum err take_reply(struct v1_step *step)
{
    enum err err = aggressive_take_choice(step);
    if (err != ERR_OK)
        return err;
    if (view_equal(v1_body(step, ISAKMP_P_KE, 0), dh_public(step->sa->handshake->dh)))
        return v1_refuse(step, ERR_VALUE, V1_NO_NOTIFY, "our own public value came back");
    err = main_take_share(step);
    return err == ERR_OK ? main_derive(step) : err;
}

/* Of a reply that proved nothing only the group remains, which was ours. */
void aggressive_forget_reply(struct v1_step *step)
{
    static const uint8_t none[ISAKMP_COOKIE_LEN] = {0};
    struct ike_sa *sa = step->sa;
    ike_sa_set_responder_cookie(step->ike, sa, none);
    if (sa->auth != PHASE1_REVISED_RSA_ENCRYPTION) /* else all of the suite was */
        sa->suite = (struct ike_suite){.group = sa->suite.group};
    sa->lifetime.seconds = 0;
    sa->nat = (struct v1_nat){.agreed = false};
    sa->dpd = false;
    secret_wipe(&sa->keys, sizeof(sa->keys));
    secret_wipe(sa->handshake->skeyid, sizeof(sa->handshake->skeyid));
    blob_wipe(&sa->handshake->peer_ke);
    blob_wipe(&sa->handshake->nonce_r);
}

/* Until the peer has proved itself its message is only tried. */
static enum err verify_reply(struct v1_step *step)
{
    struct ike_sa *sa = step->sa;
    struct view id_body = v1_body(step, ISAKMP_P_ID, 0);
    const struct public_key *key = NULL;
    struct identity id;

    enum err err = take_reply(step);
    if (err == ERR_OK)
        err = auth_read_id(step, &id);
    if (err == ERR_OK && v1_way_of(sa) == V1_BY_PSK)
        err = auth_verify_hash(sa, id_body, v1_body(step, ISAKMP_P_HASH, 0));
    else if (err == ERR_OK && (err = auth_take_keys(step, &id)) == ERR_OK)
        err = auth_verify_signature(step, id_body, v1_body(step, ISAKMP_P_SIG, 0),
                                    sa->handshake->keys, sa->handshake->key_count, &key);
    if (err == ERR_AUTH)
        /* Anyone could have sent it: the true peer's may still come. */
        err = v1_refuse(step, ERR_DECRYPT, V1_NO_NOTIFY, "the peer could not prove its key");
    if (err == ERR_OK)
        err = auth_check_name(step, &id);
    if (err != ERR_OK) {
        aggressive_forget_reply(step);
        return err;
    }
    sa->peer_id = id;
    return auth_accept(step, key);
}

enum err aggressive_send_last(struct v1_step *step, enum v1_message_kind kind)
{
    struct v1_out out;
    v1_out_start(step->ike, &out, step->sa, kind, step->x->msgid);
    enum err err = auth_put_proof(step, &out);
    if (err == ERR_OK)
        err = nat_put_hashes(step, &out);
    if (err != ERR_OK)
        return err;
    main_put_contact(step, &out);
    return v1_out_send(step, &out);
}

enum err aggressive_i_reply(struct v1_step *step)
{
    enum err err = verify_reply(step);
    return err == ERR_OK ? auth_ask_signature(step) : err;
}

enum err aggressive_i_signed(struct v1_step *step)
{
    nat_float(step->ike, step->sa); /* RFC 3947 section 4 */
    return aggressive_send_last(step, V1_AM3);
}

enum err aggressive_i_psk(struct v1_step *step)
{
    enum err err = verify_reply(step);
    if (err != ERR_OK)
        return err;
    nat_float(step->ike, step->sa);
    return aggressive_send_last(step, V1_AM3_PSK);
}

/* Responder */

enum err aggressive_r_offer(struct v1_step *step)
{
    struct ike *ike = step->ike;
    struct ike_sa *sa = step->sa;
    struct view offer = v1_body(step, ISAKMP_P_SA, 0);
    uint8_t reply[512];
    struct builder b = builder_on(span_of(reply, sizeof(reply)));
    const struct phase1_terms terms = auth_terms(ike, step->event, true);
    struct phase1_choice choice;
    struct identity id;

    if (terms.auths == 0)
        return v1_refuse(step, ERR_POLICY, V1_NO_NOTIFY, "Aggressive Mode is not configured");
    if (offer.len > LIMIT_IKE_OFFER)
        return v1_refuse(step, ERR_LIMIT, V1_NO_NOTIFY, "the offer is too long");
    enum err err = phase1_choose(offer, &terms, &ike->sa_in, &ike->sa_out, &choice, &b);
    if (err == ERR_NO_PROPOSAL)
        return v1_refuse(step, err, V1_NO_PROPOSAL_CHOSEN, "none of the offered suites will do");
    if (err != ERR_OK)
        return err;
    sa->suite = choice.suite;
    sa->auth = choice.auth;
    sa->lifetime.seconds = choice.seconds;
    sa->nat.agreed = nat_agreed(step);
    sa->dpd = v1_peer_has_dpd(step);
    if (!blob_set(&sa->handshake->offer, offer) ||
        !blob_set(&sa->handshake->id_peer, v1_body(step, ISAKMP_P_ID, 0)) ||
        !blob_set(&sa->handshake->reply, builder_written(&b)))
        return ERR_MEMORY;
    if (auth_encrypts(choice.auth))
        return encrypted_take_share(step);
    if (isakmp_payload_find(step->payloads, ISAKMP_P_HASH, 0) != NULL)
        return v1_refuse(step, ERR_UNEXPECTED, V1_NO_NOTIFY, "HASH(1) belongs to encryption");
    err = auth_read_id(step, &id);
    if (err != ERR_OK)
        return err;
    sa->peer_id = id;
    if (!auth_find_profile(step, &id, true))
        return v1_refuse(step, ERR_POLICY, V1_NO_NOTIFY, "no peer of that name is configured for it");
    err = main_take_share(step);
    if (err == ERR_OK)
        err = main_make_share(step);
    if (err == ERR_OK)
        err = main_derive(step);
    if (err == ERR_OK)
        err = auth_make_id(step);
    return err == ERR_OK ? auth_ask_signature(step) : err;
}

static enum err send_reply(struct v1_step *step, enum v1_message_kind kind)
{
    struct v1_handshake *hs = step->sa->handshake;
    struct v1_out out;

    v1_out_start(step->ike, &out, step->sa, kind, step->x->msgid);
    isakmp_writer_payload(&out.w, ISAKMP_P_SA, blob_view(&hs->reply));
    isakmp_writer_payload(&out.w, ISAKMP_P_KE, dh_public(hs->dh));
    isakmp_writer_payload(&out.w, ISAKMP_P_NONCE, blob_view(&hs->nonce_r));
    isakmp_writer_payload(&out.w, ISAKMP_P_ID, blob_view(&hs->id_own));
    enum err err = auth_put_proof(step, &out);
    if (err == ERR_OK)
        err = nat_put_hashes(step, &out);
    if (err != ERR_OK)
        return err;
    auth_put_requests(step, &out);
    v1_put_vendors(step->ike, &out, step->sa->nat.agreed);
    return v1_out_send(step, &out);
}

enum err aggressive_r_signed(struct v1_step *step)
{
    return send_reply(step, V1_AM2);
}

enum err aggressive_r_psk(struct v1_step *step)
{
    return send_reply(step, V1_AM2_PSK);
}

/* The path is the peer's once message 3 is verified. */
static enum err accept_last(struct v1_step *step, const struct v1_nat *nat,
                            const struct public_key *key)
{
    struct ike_sa *sa = step->sa;
    sa->handshake->claimed =
        (struct ike_path){step->event->local, step->event->remote, step->event->natt};
    sa->handshake->initial_contact = main_says_contact(step);
    sa->nat = *nat;
    enum err err = auth_accept(step, key);
    if (err == ERR_OK)
        nat_take_claimed(step->ike, sa);
    return err;
}

enum err aggressive_r_verify(struct v1_step *step)
{
    struct ike_sa *sa = step->sa;
    const struct public_key *key;
    struct v1_nat nat;

    enum err err = nat_read_hashes(step, &nat);
    if (err == ERR_OK)
        err = auth_take_keys(step, &sa->peer_id);
    if (err == ERR_OK)
        err = auth_verify_signature(step, blob_view(&sa->handshake->id_peer),
                                    v1_body(step, ISAKMP_P_SIG, 0), sa->handshake->keys,
                                    sa->handshake->key_count, &key);
    if (err == ERR_AUTH)
        return v1_refuse(step, err, V1_NO_NOTIFY, "the peer could not prove its key");
    return err == ERR_OK ? accept_last(step, &nat, key) : err;
}

enum err aggressive_r_verify_psk(struct v1_step *step)
{
    struct v1_nat nat;
    enum err err = nat_read_hashes(step, &nat);
    if (err == ERR_OK)
        err = auth_verify_hash(step->sa, blob_view(&step->sa->handshake->id_peer),
                               v1_body(step, ISAKMP_P_HASH, 0));
    if (err == ERR_AUTH)
        return v1_refuse(step, err, V1_NO_NOTIFY, "the peer doesn't know the shared key");
    return err == ERR_OK ? accept_last(step, &nat, NULL) : err;
}
