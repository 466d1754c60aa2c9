/*
 * An IKE SA from a ticket (RFC 5723): no key exchange, no signature, one message each before IKE_AUTH.
 * Configured connections have it where both ends say so. An initiator shows a ticket when its IKE SA
 * was lost, not when it was deleted; an answer uses the ticket up, and silence does not.
 */
#include "ike/record.h"
#include "ike/v2/v2.h"

enum { TICKETS_MAX = 1024, TICKET_LIFE_MAX_S = 7 * 24 * 3600, TICKET_LIFETIME_LEN = 4 };

bool resume_wanted(const struct ike *ike, const struct v2_sa *sa)
{
    const struct ike_profile *profile = v2_profile(ike, sa->profile);
    return profile != NULL && profile->resumption && profile->own_method != IKE_BY_NULL;
}

/* The initiator's tickets */

static void save(struct ike *ike, const struct v2_ticket *ticket)
{
    struct builder b = record_begin(ike, RECORD_V2_TICKET);
    builder_u64(&b, ticket->owner);
    record_put_addr(&b, &ticket->remote);
    builder_u64(&b, (uint64_t)ticket->expires.ms);
    builder_u16(&b, (uint16_t)ticket->opaque.len);
    builder_view(&b, blob_view(&ticket->opaque));
    session_put(&b, &ticket->session);
    record_save(ike, &b, ticket->number);
}

/* Into the list; without a place there it is gone. */
static void keep(struct ike *ike, struct v2_ticket *ticket)
{
    if (ike->v2.ticket_count >= TICKETS_MAX) {
        ike_count(ike, IKE_COUNT_LIMIT);
        ticket_free(ticket);
        return;
    }
    LIST_INSERT_HEAD(&ike->v2.tickets, ticket, of_all);
    ike->v2.ticket_count++;
    save(ike, ticket);
}

/* Out of it, and out of what outlives us. */
static void take(struct ike *ike, struct v2_ticket *ticket)
{
    if (ticket->sa != NULL)
        ticket->sa->ticket = NULL;
    ticket->sa = NULL;
    LIST_REMOVE(ticket, of_all);
    ike->v2.ticket_count--;
    saved_forget(ike, ticket->number);
}

static void drop(struct ike *ike, struct v2_ticket *ticket)
{
    take(ike, ticket);
    ticket_free(ticket);
}

/* Section 6.2: the SA ended, and with it what was given for it. */
void resume_forget(struct ike *ike, struct v2_sa *sa)
{
    if (sa->ticket != NULL)
        drop(ike, sa->ticket);
}

void resume_lost(struct ike *ike, struct v2_sa *sa)
{
    struct v2_ticket *ticket = sa->ticket;
    if (ticket == NULL || sa->closing || sa->replaced)
        return;
    v2_trace(ike, sa, NULL, EVENT_INFO, "Ticket kept", "the session can be resumed");
    ticket->sa = NULL;
    ticket->owner = 0;
    sa->ticket = NULL;
    save(ike, ticket);
}

/* Nobody answered: another time it may do. */
void resume_return(struct ike *ike, struct v2_sa *sa)
{
    struct v2_handshake *hs = sa->handshake;
    if (hs == NULL || hs->ticket == NULL || !sa->initiator || hs->nonce_r.len != 0 ||
        mono_reached(ike->now, hs->ticket->expires))
        return;
    hs->ticket->rests = true;
    keep(ike, hs->ticket);
    hs->ticket = NULL;
}

/* Other tickets for the same peer are of former sessions. */
static void drop_former(struct ike *ike, const struct v2_sa *sa)
{
    struct v2_ticket *ticket, *next;
    for (ticket = LIST_FIRST(&ike->v2.tickets); ticket != NULL; ticket = next) {
        next = LIST_NEXT(ticket, of_all);
        bool same = ticket->session.profile == sa->profile &&
                    ip_addr_equal(&ticket->remote, &sa->remote.addr);
        if (ticket->sa == NULL &&
            (same || mono_reached(ike->now, ticket->expires) ||
             v2_profile(ike, ticket->session.profile) == NULL))
            drop(ike, ticket);
    }
}

struct v2_ticket *resume_find(struct ike *ike, const struct ike_request *request)
{
    const struct ike_profile *profile = v2_profile(ike, request->profile);
    struct v2_ticket *ticket;
    if (profile == NULL || !profile->resumption)
        return NULL;
    LIST_FOREACH (ticket, &ike->v2.tickets, of_all)
        if (ticket->sa == NULL && ticket->session.profile == request->profile &&
            ip_addr_equal(&ticket->remote, &request->remote.addr) &&
            !mono_reached(ike->now, ticket->expires))
            break;
    if (ticket == NULL)
        return NULL;
    if (ticket->rests) { /* it got no answer; perhaps another kind of exchange does */
        ticket->rests = false;
        return NULL;
    }
    take(ike, ticket);
    return ticket;
}

void resume_put_request(const struct v2_step *step, struct ike2_writer *w)
{
    if (resume_wanted(step->ike, step->sa))
        ike2_writer_notify(w, IKE2_N_TICKET_REQUEST, view_of(NULL, 0));
}

enum err resume_take(const struct v2_step *step)
{
    struct ike *ike = step->ike;
    struct v2_sa *sa = step->sa;
    const struct identity own = credential_own_identity(step);
    struct v2_ticket *ticket;
    struct ike2_notify n;

    if (!resume_wanted(ike, sa) || !v2_notified(step, IKE2_N_TICKET_LT_OPAQUE, &n) ||
        n.data.len <= TICKET_LIFETIME_LEN || n.data.len > TICKET_MAX)
        return ERR_OK;
    struct cursor cur = cursor_of(n.data);
    uint32_t life = cursor_u32(&cur);
    if (life == 0)
        return ERR_OK;
    ticket = calloc(1, sizeof(*ticket));
    if (ticket == NULL)
        return ERR_MEMORY;
    enum err err = session_of(sa, &own, &ticket->session);
    if (err == ERR_OK && !blob_set(&ticket->opaque, cursor_take(&cur, cursor_left(&cur))))
        err = ERR_MEMORY;
    if (err != ERR_OK) {
        ticket_free(ticket);
        return err;
    }
    resume_forget(ike, sa);
    ticket->number = ike_serial(ike);
    ticket->owner = sa->number;
    ticket->remote = sa->remote.addr;
    ticket->expires =
        mono_add(ike->now, INT64_C(1000) * (life < TICKET_LIFE_MAX_S ? life : TICKET_LIFE_MAX_S));
    ticket->sa = sa;
    sa->ticket = ticket;
    keep(ike, ticket);
    return ERR_OK;
}

/* A new IKE SA in place of the one it was for: it is void, and another is asked for (section 4.1). */
void resume_renew(struct ike *ike, struct v2_sa *from, struct v2_sa *to)
{
    if (from->ticket == NULL)
        return;
    resume_forget(ike, from);
    struct v2_exchange *x = v2_line_up(ike, to, V2_N_I_START);
    if (x != NULL)
        x->notify = IKE2_N_TICKET_REQUEST;
}

enum err resume_restore(struct ike *ike, uint64_t number, struct cursor *cur)
{
    struct v2_ticket *ticket = calloc(1, sizeof(*ticket));
    if (ticket == NULL)
        return ERR_MEMORY;
    ticket->number = number;
    ticket->owner = cursor_u64(cur);
    ticket->remote = record_get_addr(cur);
    ticket->expires = record_get_time(cur);
    struct view opaque = cursor_take(cur, cursor_u16(cur));
    enum err err = session_get(cur, &ticket->session);
    if (err == ERR_OK && (!cursor_done(cur) || opaque.len == 0 || opaque.len > TICKET_MAX))
        err = ERR_SYNTAX;
    if (err == ERR_OK && mono_reached(ike->now, ticket->expires))
        err = ERR_EXPIRED;
    if (err == ERR_OK && !blob_set(&ticket->opaque, opaque))
        err = ERR_MEMORY;
    if (err != ERR_OK) {
        ticket_free(ticket);
        return err;
    }
    for (size_t i = 0; i < ike->v2.all_count; i++)
        if (ike->v2.all[i]->number == ticket->owner && ike->v2.all[i]->ticket == NULL)
            ticket->sa = ike->v2.all[i];
    if (ticket->sa != NULL)
        ticket->sa->ticket = ticket;
    keep(ike, ticket);
    return ERR_OK;
}

void resume_adopt(struct ike *ike, struct v2_sa *sa)
{
    struct v2_ticket *ticket;
    LIST_FOREACH (ticket, &ike->v2.tickets, of_all)
        if (ticket->sa == NULL && ticket->owner == sa->number) {
            ticket->sa = sa;
            sa->ticket = ticket;
            return;
        }
}

/* IKE_SESSION_RESUME, initiator */

static void put_abilities(const struct v2_step *step, struct ike2_writer *w)
{
    const struct ike_profile *profile = v2_profile(step->ike, step->sa->profile);
    if (profile != NULL && !profile->fragmentation_off)
        ike2_writer_notify(w, IKE2_N_IKEV2_FRAGMENTATION_SUPPORTED, view_of(NULL, 0));
}

static void read_abilities(const struct v2_step *step)
{
    const struct ike_profile *profile = v2_profile(step->ike, step->sa->profile);
    struct ike2_notify n;
    step->sa->fragments = v2_notified(step, IKE2_N_IKEV2_FRAGMENTATION_SUPPORTED, &n) &&
                          profile != NULL && !profile->fragmentation_off;
}

enum err resume_i_start(struct v2_step *step)
{
    struct v2_handshake *hs = step->sa->handshake;
    struct v2_out out;

    v2_out_start(step, &out, V2_RESUME_REQ);
    if (hs->cookie.len != 0)
        ike2_writer_notify(&out.w, IKE2_N_COOKIE, blob_view(&hs->cookie));
    ike2_writer_payload(&out.w, IKE2_P_NONCE, blob_view(&hs->nonce_i));
    ike2_writer_notify(&out.w, IKE2_N_TICKET_OPAQUE, blob_view(&hs->ticket->opaque));
    enum err err = v2_nat_put(step, &out.w);
    if (err != ERR_OK)
        return err;
    put_abilities(step, &out.w);
    return init_send_and_keep(step, &out, &hs->request);
}

enum err resume_i_again(struct v2_step *step)
{
    struct v2_handshake *hs = step->sa->handshake;
    struct ike2_notify n;
    if (hs->retries >= V2_TRIES || !v2_notified(step, IKE2_N_COOKIE, &n))
        return v2_refuse(step, ERR_LIMIT, 0, "asked for too often");
    enum err err = init_take_cookie(step, n.data);
    if (err != ERR_OK)
        return err;
    hs->retries++;
    return resume_i_start(step);
}

/* Section 4.3.2: from the beginning, then. The word is as good as any that nobody vouches for: all it can
 * do is make us do more. */
enum err resume_i_refused(struct v2_step *step)
{
    struct v2_handshake *hs = step->sa->handshake;
    enum err err = init_make_share(step);
    if (err != ERR_OK)
        return err;
    v2_trace(step->ike, step->sa, step->x, EVENT_INFO, "Ticket refused", "beginning anew");
    ticket_free(hs->ticket);
    hs->ticket = NULL;
    blob_wipe(&hs->cookie);
    return init_i_start(step);
}

static bool is_fresh(const struct v2_step *step)
{
    static const uint8_t zero[IKE2_SPI_LEN] = {0};
    return memcmp(step->header->spi_r, zero, sizeof(zero)) != 0 &&
           memcmp(step->header->spi_r, step->sa->own_spi, IKE2_SPI_LEN) != 0;
}

static enum err derive(struct v2_step *step, struct view nonce_i, struct view nonce_r)
{
    struct v2_sa *sa = step->sa;
    const struct v2_session *session = &sa->handshake->ticket->session;
    sa->suite = session->suite;
    enum err err = v2_keys_resume(sa, view_of(session->d, hash_len(sa->suite.prf)), nonce_i, nonce_r);
    if (err == ERR_OK)
        ike_export_v2(step->ike, sa);
    return err;
}

enum err resume_i_keys(struct v2_step *step)
{
    struct v2_sa *sa = step->sa;
    struct v2_handshake *hs = sa->handshake;
    struct view nonce;
    struct v2_nat nat;

    if (ike2_nonce_parse(v2_body(step, IKE2_P_NONCE, 0), &nonce) != ERR_OK)
        return v2_refuse(step, ERR_VALUE, 0, "nonce of the wrong length");
    if (!is_fresh(step))
        return v2_refuse(step, ERR_VALUE, 0, "no SPI of its own");
    if (view_equal(nonce, blob_view(&hs->nonce_i)))
        return v2_refuse(step, ERR_VALUE, 0, "our own nonce came back");
    memcpy(sa->peer_spi, step->header->spi_r, IKE2_SPI_LEN);
    enum err err = derive(step, blob_view(&hs->nonce_i), nonce);
    if (err == ERR_OK &&
        (!blob_set(&hs->nonce_r, nonce) || !blob_set(&hs->response, step->event->bytes)))
        err = ERR_MEMORY;
    if (err == ERR_OK)
        err = v2_nat_read(step, &nat);
    if (err != ERR_OK)
        return err;
    sa->nat = nat;
    sa->next_out = 1;
    sa->next_in = 0;
    read_abilities(step);
    v2_nat_float(step->ike, sa);
    step->at_once = true;
    return ERR_OK;
}

/* Responder */

static enum err send_answer(struct v2_step *step)
{
    struct v2_handshake *hs = step->sa->handshake;
    struct v2_out out;
    v2_out_start(step, &out, V2_RESUME_RSP);
    ike2_writer_payload(&out.w, IKE2_P_NONCE, blob_view(&hs->nonce_r));
    enum err err = v2_nat_put(step, &out.w);
    if (err != ERR_OK)
        return err;
    put_abilities(step, &out.w);
    return init_send_and_keep(step, &out, &hs->response);
}

enum err resume_r_answer(struct v2_step *step)
{
    struct v2_sa *sa = step->sa;
    struct v2_handshake *hs = sa->handshake;
    struct ike2_notify n;
    struct view nonce;

    if (ike2_nonce_parse(v2_body(step, IKE2_P_NONCE, 0), &nonce) != ERR_OK)
        return v2_refuse(step, ERR_VALUE, 0, "nonce of the wrong length");
    if (!v2_notified(step, IKE2_N_TICKET_OPAQUE, &n))
        return v2_refuse(step, ERR_MISSING, 0, "no ticket");
    enum err err = ticket_open(step, n.data, &hs->ticket);
    if (err != ERR_OK)
        return err;
    sa->profile = hs->ticket->session.profile;
    if (!blob_set(&hs->nonce_i, nonce) || !blob_set(&hs->request, step->event->bytes))
        return ERR_MEMORY;
    err = v2_nat_read(step, &sa->nat);
    if (err == ERR_OK)
        err = init_fresh_nonce(step->ike, &hs->nonce_r);
    if (err == ERR_OK)
        err = derive(step, nonce, blob_view(&hs->nonce_r));
    if (err != ERR_OK)
        return err;
    read_abilities(step);
    return send_answer(step);
}

/* IKE_AUTH, both sides: section 4.3.3 */

enum err resume_r_claimed(struct v2_step *step)
{
    const struct v2_sa *sa = step->sa;
    const struct v2_handshake *hs = sa->handshake;
    if (v2_has(step, IKE2_P_CERT))
        return v2_refuse(step, ERR_UNEXPECTED, 0, "a certificate beside a ticket");
    if (!identity_equal(&hs->claimed, &hs->ticket->session.peer_id))
        return v2_refuse(step, ERR_AUTH, 0, "not the name that the ticket has");
    /* Others may have come first, with another reload or with the same ticket. */
    if (!ticket_still_good(step->ike, sa, hs->ticket))
        return v2_refuse(step, ERR_AUTH, 0, "the ticket is of no use any more");
    return ERR_OK;
}

/* AUTH = prf(SK_px, octets) */
static enum err proof(const struct v2_sa *sa, bool of_initiator, struct view id, uint8_t *ret)
{
    struct view sk_p = view_of(of_initiator ? sa->keys.pi : sa->keys.pr, hash_len(sa->suite.prf));
    struct blob octets = {0};
    enum err err = v2_signed_octets(sa, of_initiator, id, &octets);
    if (err != ERR_OK)
        return err;
    struct view text = blob_view(&octets);
    err = hmac_digest(sa->suite.prf, sk_p, &text, 1, ret);
    blob_wipe(&octets);
    return err;
}

enum err resume_build_auth(struct v2_step *step, struct builder *b)
{
    const struct v2_sa *sa = step->sa;
    uint8_t mac[HASH_MAX];
    enum err err = proof(sa, sa->initiator, blob_view(&sa->handshake->id_own), mac);
    if (err == ERR_OK)
        ike2_auth_build(b, &(struct ike2_auth){.method = IKE2_AUTH_SHARED_KEY,
                                               .data = view_of(mac, hash_len(sa->suite.prf))});
    secret_wipe(mac, sizeof(mac));
    return err;
}

enum err resume_verify(struct v2_step *step, const struct identity *id, struct view id_body,
                       const struct ike2_auth *auth)
{
    struct v2_sa *sa = step->sa;
    const struct v2_ticket *ticket = sa->handshake->ticket;
    const struct v2_session *session = &ticket->session;
    uint8_t mac[HASH_MAX];

    if (auth->method != IKE2_AUTH_SHARED_KEY || !identity_equal(id, &session->peer_id))
        return v2_refuse(step, ERR_AUTH, 0, "not the one whose session it is");
    enum err err = proof(sa, !sa->initiator, id_body, mac);
    if (err != ERR_OK)
        return err;
    bool good = secret_equal(view_of(mac, hash_len(sa->suite.prf)), auth->data);
    secret_wipe(mac, sizeof(mac));
    if (!good)
        return v2_refuse(step, ERR_AUTH, 0, "the peer does not hold the session's keys");
    if (!sa->initiator && !ticket_use(step->ike, ticket))
        return v2_refuse(step, ERR_AUTH, 0, "the ticket is used, or can't be marked as used");
    if (!blob_set(&sa->peer_key, blob_view(&session->peer_key)))
        return ERR_MEMORY;
    sa->peer_key_alg = session->peer_key_alg;
    memcpy(sa->peer_key_digest, session->peer_key_digest, sizeof(sa->peer_key_digest));
    sa->peer_method = session->peer_method;
    sa->peer_id = session->peer_id;
    sa->proved = session->proved;
    return ERR_OK;
}

/* Section 4.3.4: what the responder still had of the session goes without a word. */
static void drop_old(struct ike *ike, const struct v2_sa *sa, const struct v2_session *session)
{
    struct v2_sa *old = v2_sa_find(ike, session->own_spi);
    if (old == NULL || old == sa || !old->established || old->dying || old->profile != sa->profile ||
        memcmp(old->peer_key_digest, sa->peer_key_digest, sizeof(old->peer_key_digest)) != 0)
        return;
    v2_trace(ike, old, NULL, EVENT_INFO, "IKE SA superseded", "the peer resumed its session");
    v2_sa_free(ike, old);
}

void resume_established(struct ike *ike, struct v2_sa *sa, struct v2_ticket *shown)
{
    if (sa->initiator && sa->profile != 0)
        drop_former(ike, sa);
    if (shown == NULL)
        return;
    sa->resumed = true;
    v2_trace(ike, sa, NULL, EVENT_INFO, "Session resumed", "by a ticket");
    if (!sa->initiator)
        drop_old(ike, sa, &shown->session);
    ticket_free(shown);
}
