/*
 * From a datagram to the exchange it belongs to: SPIs, direction, message ids (section 2.2, 2.3).
 * A request is answered once, and the same answer is given to whoever repeats it (section 2.1);
 * nothing that was answered before is done again, nor anything out of order.
 */
#include <stdio.h>

#include "crypto/hash.h"
#include "ike/v2/v2.h"

enum { COMPLAINTS_A_SECOND = 20 };

/* Strangers */

/* Section 2.21.4: for who still thinks that there is an SA; not too often, for anyone may ask. */
bool v2_may_complain(struct ike *ike, const struct ike2_header *header)
{
    struct v2_engine *v2 = &ike->v2;
    if (mono_since(ike->now, v2->complaints_since) >= 1000) {
        v2->complaints_since = ike->now;
        v2->complaints = 0;
    }
    if ((header->flags & IKE2_FLAG_RESPONSE) != 0 || v2->complaints >= COMPLAINTS_A_SECOND)
        return false;
    v2->complaints++;
    return true;
}

void v2_complain(struct ike *ike, const struct ike_event *event, const struct ike2_header *header,
                 uint16_t notify)
{
    if (v2_may_complain(ike, header))
        v2_send_clear(ike, event, header, notify, view_of(NULL, 0));
}

static bool all_zero(const uint8_t *spi)
{
    static const uint8_t zero[IKE2_SPI_LEN] = {0};
    return memcmp(spi, zero, sizeof(zero)) == 0;
}

static enum err digest_of(struct view datagram, uint8_t *ret)
{
    return hash_digest(HASH_SHA2_256, &datagram, 1, ret);
}

/* The clear messages: one payload chain, nothing hidden. */
static enum err open_clear(struct ike *ike, const struct ike_event *event,
                           const struct ike2_header *header, struct ike2_payloads *ret)
{
    struct view text =
        view_of(event->bytes.ptr + IKE2_HEADER_LEN, event->bytes.len - IKE2_HEADER_LEN);
    uint8_t critical;
    enum err err = ike2_payloads_parse(header->next_payload, text, ret, &critical);
    if (err == ERR_UNSUPPORTED && (header->flags & IKE2_FLAG_RESPONSE) == 0)
        v2_send_clear(ike, event, header, IKE2_N_UNSUPPORTED_CRITICAL_PAYLOAD,
                      view_of(&critical, 1));
    if (err != ERR_OK)
        ike_count(ike, v2_counter_of(err));
    return err;
}

/* A stranger's first message. What it starts is gone again if it is no good. */
static enum err receive_offer(struct ike *ike, const struct ike_event *event,
                              const struct ike2_header *header, const uint8_t *digest)
{
    const struct v2_path path = {event->local, event->remote, event->natt};
    struct ike2_payloads payloads;
    struct v2_sa *sa;
    uint8_t worked;

    enum err err = open_clear(ike, event, header, &payloads);
    if (err != ERR_OK)
        return err;
    if (!defence_passes(ike, event, header, &payloads, &worked))
        return ERR_AUTH;
    if (v2_unproven_many(ike, &event->remote.addr)) /* OE-194 */
        return v2_drop(ike, IKE_COUNT_LIMIT, ERR_LIMIT);
    err = v2_sa_new(ike, false, &path, &sa);
    if (err != ERR_OK)
        return v2_drop(ike, v2_counter_of(err), err);
    memcpy(sa->peer_spi, header->spi_i, IKE2_SPI_LEN);
    sa->handshake->worked = worked;
    err = v2_exchange_new(ike, sa, V2_R_START, false, &sa->theirs);
    if (err == ERR_OK && !v2_sa_index_init(ike, sa, header->spi_i, digest))
        err = ERR_MEMORY;
    if (err != ERR_OK) {
        v2_sa_free(ike, sa);
        return v2_drop(ike, IKE_COUNT_MEMORY, err);
    }
    memcpy(sa->theirs->digest, digest, V2_DIGEST_LEN);
    struct v2_step step = {.ike = ike,
                           .sa = sa,
                           .x = sa->theirs,
                           .fresh = true,
                           .header = header,
                           .payloads = &payloads,
                           .event = event};
    enum v2_message_kind kind = v2_message_kind_of(header->exchange, false, &payloads);
    v2_trace_message(ike, sa, sa->theirs, kind, &payloads, false);
    err = v2_run_message(&step, kind);
    if (err != ERR_OK) {
        v2_sa_free(ike, sa);
        return err;
    }
    v2_sa_unproven_add(ike, sa);
    return ERR_OK;
}

static enum err receive_init_request(struct ike *ike, const struct ike_event *event,
                                     const struct ike2_header *header)
{
    uint8_t digest[V2_DIGEST_LEN];
    struct v2_path back = {event->local, event->remote, event->natt};

    if ((header->flags & IKE2_FLAG_INITIATOR) == 0 || header->message_id != 0 ||
        !all_zero(header->spi_r) || all_zero(header->spi_i))
        return v2_drop(ike, IKE_COUNT_MALFORMED, ERR_VALUE);
    if (v2_sa_find(ike, header->spi_i) != NULL)
        return v2_drop(ike, IKE_COUNT_REFLECTED, ERR_REPLAY);
    enum err err = digest_of(event->bytes, digest);
    if (err != ERR_OK)
        return v2_drop(ike, IKE_COUNT_CRYPTO, err);
    struct v2_sa *sa = v2_sa_find_init(ike, &event->remote, header->spi_i, digest);
    if (sa == NULL)
        return receive_offer(ike, event, header, digest);
    ike_count(ike, IKE_COUNT_DUPLICATE);
    if (sa->next_in == 1) /* else IKE_AUTH is here already */
        v2_sent_repeat(ike, sa, &back, &sa->answer);
    return ERR_REPLAY;
}

static enum err receive_init_response(struct ike *ike, const struct ike_event *event,
                                      const struct ike2_header *header)
{
    struct v2_sa *sa = v2_sa_find(ike, header->spi_i);
    struct v2_exchange *x = sa != NULL ? sa->mine : NULL;
    struct ike2_payloads payloads;

    if ((header->flags & IKE2_FLAG_INITIATOR) != 0 || header->message_id != 0)
        return v2_drop(ike, IKE_COUNT_MALFORMED, ERR_VALUE);
    if (sa == NULL || !sa->initiator)
        return v2_drop(ike, IKE_COUNT_UNKNOWN_SA, ERR_UNKNOWN);
    if (x == NULL || x->parked != NULL ||
        x->state != (header->exchange == IKE2_SESSION_RESUME ? V2_S_I_WAIT_REPLY : V2_I_WAIT_INIT))
        return v2_drop(ike, IKE_COUNT_DUPLICATE, ERR_REPLAY);
    if (!v2_nat_may_come_from(sa, event))
        return v2_drop(ike, IKE_COUNT_ADDRESS, ERR_SELECTOR);
    enum err err = open_clear(ike, event, header, &payloads);
    if (err != ERR_OK)
        return err;
    enum v2_message_kind kind = v2_message_kind_of(header->exchange, true, &payloads);
    v2_trace_message(ike, sa, x, kind, &payloads, false);
    struct v2_step step = {
        .ike = ike, .sa = sa, .x = x, .header = header, .payloads = &payloads, .event = event};
    return v2_run_message(&step, kind);
}

/* Partners */

static enum v2_state first_state(enum v2_message_kind kind)
{
    switch (kind) {
    case V2_CHILD_REQ:
        return V2_C_R_START;
    case V2_REKEY_REQ:
        return V2_K_R_START;
    case V2_FOLLOWUP_REQ:
        return V2_F_R_START;
    default:
        return V2_N_R_START;
    }
}

/* The exchange that gets the request: the one that waits for IKE_AUTH, or a new one. */
static enum err exchange_for(struct ike *ike, struct v2_sa *sa, enum v2_message_kind kind,
                             const struct ike2_payloads *payloads, const struct ike_event *event,
                             const struct ike2_header *header, const uint8_t *digest)
{
    bool goes_on = kind == V2_FOLLOWUP_REQ && follow_resume(sa, payloads);
    if (sa->established && !goes_on) {
        enum err err = v2_exchange_new(ike, sa, first_state(kind), false, &sa->theirs);
        if (err != ERR_OK)
            return err;
    }
    sa->theirs->id = header->message_id;
    sa->theirs->from = (struct v2_path){event->local, event->remote, event->natt};
    memcpy(sa->theirs->digest, digest, V2_DIGEST_LEN);
    return ERR_OK;
}

/* It was decrypted, so it is the peer's; what is wrong with it the peer will hear (section 2.21). */
static enum err refuse_text(struct v2_step *step, enum err err, const uint8_t *critical)
{
    static const struct v2_row nowhere = {.on = V2_ON_MESSAGE, .gets = V2_INFO_REQ};
    step->row = &nowhere;
    if (err == ERR_UNSUPPORTED)
        step->notify_data = view_of(critical, 1);
    return v2_run_refusal(step, err);
}

static bool waits(const struct v2_exchange *x)
{
    return x->state == V2_I_WAIT_AUTH || x->state == V2_I_WAIT_MEDIATE || x->state == V2_C_I_WAIT_REPLY ||
           x->state == V2_C_I_WAIT_FOLLOWUP || x->state == V2_K_I_WAIT_FOLLOWUP ||
           x->state == V2_K_I_WAIT_REPLY || x->state == V2_N_I_WAIT_REPLY ||
           x->state == V2_O_I_WAIT_REPLY;
}

/* An answer is being worked on, and what the peer says next may be about what it made. */
static bool overtakes(const struct v2_sa *sa)
{
    return sa->mine != NULL && sa->mine->parked != NULL && waits(sa->mine);
}

static enum err receive_request(struct ike *ike, struct v2_sa *sa, const struct ike_event *event,
                                const struct ike2_header *header)
{
    struct v2_path back = {event->local, event->remote, event->natt};
    struct ike2_payloads payloads = {.count = 0};
    uint8_t digest[V2_DIGEST_LEN], critical = 0;

    enum err err = digest_of(event->bytes, digest);
    if (err != ERR_OK)
        return v2_drop(ike, IKE_COUNT_CRYPTO, err);
    if (header->message_id + 1 == sa->next_in && sa->answered_any &&
        memcmp(sa->answered, digest, sizeof(digest)) == 0) {
        /* It proves no change of path, but has its answer due where it came from. */
        v2_sent_repeat(ike, sa, &back, &sa->answer);
        return v2_drop(ike, IKE_COUNT_DUPLICATE, ERR_REPLAY);
    }
    if (v2_sync_is_request(sa, header))
        return v2_sync_request(ike, sa, event, header, digest);
    if (header->message_id != sa->next_in) { /* ADR-035: in order, one at a time */
        v2_sync_ahead(ike, sa, header, event->bytes);
        return v2_drop(ike, IKE_COUNT_REPLAYED, ERR_REPLAY);
    }
    if (overtakes(sa)) {
        v2_parked_behind(sa->mine->parked, event);
        return v2_drop(ike, IKE_COUNT_OVERTAKES, ERR_LATER);
    }
    bool first = header->exchange == IKE2_AUTH || header->exchange == IKE2_INTERMEDIATE;
    bool early = !sa->established && (sa->initiator || !first);
    bool late = sa->established && first;
    if (early || late)
        return v2_drop(ike, IKE_COUNT_NO_ROW, ERR_UNEXPECTED);
    if (v2_addrmgmt_is_copy(ike, sa, event, header->message_id, digest))
        return v2_drop(ike, IKE_COUNT_DUPLICATE, ERR_REPLAY);
    if (sa->established ? sa->theirs != NULL
                        : sa->theirs->state != V2_R_WAIT_AUTH || sa->theirs->parked != NULL)
        return v2_drop(ike, IKE_COUNT_DUPLICATE, ERR_REPLAY); /* its answer is on the way */
    if (v2_message_kind_of(header->exchange, false, &payloads) == V2_NO_MESSAGE)
        return v2_drop(ike, IKE_COUNT_EXCHANGE, ERR_UNSUPPORTED);
    if (!defence_auth_passes(ike, sa, header, event->bytes))
        return ERR_AUTH;
    err = v2_open(ike, sa, header, event->bytes, digest, &payloads, &critical);
    if (err == ERR_DECRYPT && !sa->established)
        defence_junk(ike);
    if (v2_open_proves_nothing(err))
        return err;
    enum v2_message_kind kind = v2_message_kind_of(header->exchange, false, &payloads);
    enum err room = exchange_for(ike, sa, kind, &payloads, event, header, digest);
    if (room != ERR_OK)
        return v2_drop(ike, IKE_COUNT_MEMORY, room);
    sa->heard = ike->now;
    sa->restored = false;
    v2_nat_follow(ike, sa, event);
    v2_trace_message(ike, sa, sa->theirs, kind, &payloads, false);
    struct v2_step step = {.ike = ike,
                           .sa = sa,
                           .x = sa->theirs,
                           .header = header,
                           .payloads = &payloads,
                           .event = event};
    return err == ERR_OK ? v2_run_message(&step, kind) : refuse_text(&step, err, &critical);
}

static enum err receive_response(struct ike *ike, struct v2_sa *sa, const struct ike_event *event,
                                 const struct ike2_header *header)
{
    struct v2_exchange *x = sa->mine;
    struct ike2_payloads payloads = {.count = 0};
    uint8_t digest[V2_DIGEST_LEN] = {0}, critical = 0;

    if (v2_sync_is_answer(sa, header))
        return v2_sync_answer(ike, sa, header, event->bytes);
    if (x == NULL || x->id != header->message_id || !waits(x) || x->parked != NULL)
        return v2_drop(ike, IKE_COUNT_DUPLICATE, ERR_REPLAY);
    if (header->exchange != v2_sent_exchange(&x->out))
        return v2_drop(ike, IKE_COUNT_NO_ROW, ERR_UNEXPECTED);
    enum err err = v2_open(ike, sa, header, event->bytes, digest, &payloads, &critical);
    if (v2_open_proves_nothing(err))
        return err;
    enum v2_message_kind kind = v2_message_kind_of(header->exchange, true, &payloads);
    sa->heard = ike->now;
    sa->restored = false;
    v2_nat_follow(ike, sa, event);
    v2_trace_message(ike, sa, x, kind, &payloads, false);
    v2_mobike_heard(ike, x, event);
    struct v2_step step = {
        .ike = ike, .sa = sa, .x = x, .header = header, .payloads = &payloads, .event = event};
    return err == ERR_OK ? v2_run_message(&step, kind) : refuse_text(&step, err, &critical);
}

/* OE-064, ADR-026: not protected as everything under an SA has to be. Counted and shown. */
static enum err receive_hint(struct ike *ike, const struct v2_sa *sa, const struct ike_event *event,
                             const struct ike2_header *header)
{
    struct view text =
        view_of(event->bytes.ptr + IKE2_HEADER_LEN, event->bytes.len - IKE2_HEADER_LEN);
    struct ike2_payloads payloads = {.count = 0};
    const struct ike2_payload *payload = NULL;
    struct ike2_notify n;
    uint8_t critical;

    if (ike2_payloads_parse(header->next_payload, text, &payloads, &critical) == ERR_OK)
        payload = ike2_payload_find(&payloads, IKE2_P_N, 0);
    if (payload == NULL || ike2_notify_parse(payload->body, &n) != ERR_OK)
        return v2_drop(ike, IKE_COUNT_CLEAR, ERR_UNEXPECTED);
    v2_trace_clear(ike, sa, header->exchange, n.type, false);
    return v2_drop(ike, IKE_COUNT_HINT, ERR_UNEXPECTED);
}

/* ADR-002: an SA is found by its SPI, wherever its peer is. */
static enum err receive_known(struct ike *ike, const struct ike_event *event,
                              const struct ike2_header *header)
{
    bool from_initiator = (header->flags & IKE2_FLAG_INITIATOR) != 0;
    const uint8_t *own = from_initiator ? header->spi_r : header->spi_i;
    const uint8_t *peer = from_initiator ? header->spi_i : header->spi_r;
    struct v2_sa *sa = v2_sa_find(ike, own);

    if (all_zero(header->spi_i) || all_zero(header->spi_r))
        return v2_drop(ike, IKE_COUNT_MALFORMED, ERR_VALUE);
    if (sa != NULL && sa->initiator == from_initiator)
        return v2_drop(ike, IKE_COUNT_REFLECTED, ERR_REPLAY);
    if (sa == NULL || memcmp(sa->peer_spi, peer, IKE2_SPI_LEN) != 0) {
        struct v2_sa *mirror = v2_sa_find(ike, peer);
        if (mirror != NULL && memcmp(mirror->peer_spi, own, IKE2_SPI_LEN) == 0)
            return v2_drop(ike, IKE_COUNT_REFLECTED, ERR_REPLAY);
        crash_complain(ike, event, header);
        return v2_drop(ike, IKE_COUNT_UNKNOWN_SA, ERR_UNKNOWN);
    }
    if (crash_proven(ike, sa, event, header))
        return ERR_OK;
    if (!v2_nat_may_come_from(sa, event))
        return v2_drop(ike, IKE_COUNT_ADDRESS, ERR_SELECTOR);
    bool behind_solution = header->next_payload == IKE2_P_PS && !sa->established && !sa->initiator;
    if (header->next_payload != IKE2_P_SK && header->next_payload != IKE2_P_SKF && !behind_solution)
        return receive_hint(ike, sa, event, header);
    return (header->flags & IKE2_FLAG_RESPONSE) != 0 ? receive_response(ike, sa, event, header)
                                                     : receive_request(ike, sa, event, header);
}

/* An answer in version 1's form to our IKE_SA_INIT: as good as INVALID_MAJOR_VERSION, and as little
 * to be relied on. */
bool v2_receive_older(struct ike *ike, const struct ike_event *event, const uint8_t *spi_i)
{
    struct v2_sa *sa = v2_sa_find(ike, spi_i);
    if (sa == NULL || !sa->initiator || sa->mine == NULL || sa->mine->state != V2_I_WAIT_INIT ||
        !v2_nat_may_come_from(sa, event))
        return false;
    v2_trace(ike, sa, sa->mine, EVENT_INFO, "Answer in version 1", "a better one may still come");
    struct v2_step step = {.ike = ike, .sa = sa, .x = sa->mine, .event = event};
    (void)init_i_hint(&step);
    return true;
}

enum err v2_receive(struct ike *ike, const struct ike_event *event)
{
    struct ike2_header header;
    enum err err = ike2_header_parse(event->bytes, &header);
    if (err != ERR_OK)
        return v2_drop(ike, IKE_COUNT_MALFORMED, err);
    if (header.exchange != IKE2_SA_INIT && header.exchange != IKE2_SESSION_RESUME)
        return receive_known(ike, event, &header);
    return (header.flags & IKE2_FLAG_RESPONSE) != 0 ? receive_init_response(ike, event, &header)
                                                    : receive_init_request(ike, event, &header);
}
