/*
 * Runs the tables. A message or an answer finds its exchange, the exchange's state finds the row,
 * the row's handler does the work; then, and only here, the exchange enters the next state.
 */
#include <assert.h>
#include <stdio.h>

#include "ike/v1/v1.h"

static mono_t give_up_at(const struct ike *ike)
{
    return mono_add(ike->now, ike->config.give_up_ms);
}

static void set_state(struct v1_exchange *x, enum v1_state from, enum v1_state to)
{
    assert(x->state == from);
    x->state = to;
}

static void arm(struct ike *ike, struct v1_exchange *x, enum v1_timer kind)
{
    mono_t at = x->give_up;
    if (kind == V1_TIMER_RESEND)
        at = retransmit_next(&x->out.wait_ms, &ike->env.rng, ike->now, x->give_up);
    else if (kind == V1_TIMER_LINGER)
        at = mono_add(ike->now, IKE_LINGER_MS);
    x->timer_kind = kind;
    ike_timer_set(ike, &x->timer, at);
}

static void forget_question(struct ike *ike, struct v1_exchange *x)
{
    if (x->serial != 0)
        map_remove(&ike->questions, &x->by_serial);
    x->serial = 0;
}

uint64_t v1_ask(struct v1_step *step)
{
    struct v1_exchange *x = step->x;
    forget_question(step->ike, x);
    x->serial = ike_serial(step->ike);
    if (!map_insert(&step->ike->questions, &x->by_serial))
        x->serial = 0;
    return x->serial;
}

static void exchange_timer(struct ike *ike, struct ike_timer *timer);

enum err v1_exchange_init(struct ike *ike, struct v1_exchange *x, struct ike_sa *sa,
                          enum v1_state state, msgid_t msgid, bool initiator)
{
    *x = (struct v1_exchange){
        .sa = sa,
        .state = state,
        .msgid = msgid,
        .initiator = initiator,
        .give_up = give_up_at(ike),
    };
    return ike_timer_add(ike, &x->timer, exchange_timer) ? ERR_OK : ERR_MEMORY;
}

void v1_exchange_fini(struct ike *ike, struct v1_exchange *x)
{
    forget_question(ike, x);
    ike_timer_drop(ike, &x->timer);
    retransmit_clear(&x->out);
    secret_wipe(x->iv, sizeof(x->iv));
}

/* Message ids */

struct v1_quick *quick_find(const struct ike_sa *sa, msgid_t msgid)
{
    struct v1_quick *quick;
    LIST_FOREACH (quick, &sa->quicks, of_sa)
        if (quick->x.msgid.value == msgid.value)
            return quick;
    return NULL;
}

bool v1_msgid_used(const struct ike_sa *sa, msgid_t msgid)
{
    for (size_t i = 0; i < sa->used_count; i++)
        if (sa->used_ids[i] == msgid.value)
            return true;
    return false;
}

/* Grows by half, so that the many SAs with few messages stay small. */
static bool ids_grow(struct ike_sa *sa)
{
    size_t room = sa->used_room + sa->used_room / 2 + 8;
    if (sa->used_count >= V1_USED_IDS)
        return false;
    if (sa->used_count < sa->used_room)
        return true;
    uint32_t *ids = realloc(sa->used_ids, room * sizeof(*ids));
    if (ids == NULL)
        return false;
    sa->used_ids = ids;
    sa->used_room = room;
    return true;
}

/* An SA that can't remember an id can't tell a replay either, so before that it ends, with enough
 * left for what is under way. */
void v1_msgid_mark(struct ike *ike, struct ike_sa *sa, msgid_t msgid)
{
    bool kept = ids_grow(sa);
    if (kept)
        sa->used_ids[sa->used_count++] = msgid.value;
    sa->ids_full = !kept || sa->used_count >= V1_USED_IDS;
    if (!sa->worn_out && (sa->ids_full || sa->used_count >= V1_WORN_IDS)) {
        sa->worn_out = true;
        ike_count(ike, IKE_COUNT_WORN_OUT);
        ike_timer_set(ike, &sa->expiry,
                      mono_min(sa->expires, mono_add(ike->now, IKE_LINGER_MS)));
    }
}

msgid_t v1_msgid_new(struct ike *ike, const struct ike_sa *sa)
{
    msgid_t id;
    do
        id.value = rng_u32(&ike->env.rng);
    while (id.value == 0 || quick_find(sa, id) != NULL || v1_msgid_used(sa, id));
    return id;
}

/* Steps */

/* As long as the most patient of those who want the exchange to succeed (OE-061). */
static int64_t wished_ms(const struct v1_step *step)
{
    const struct v1_exchange *x = step->x;
    const struct ike_request *request;
    int64_t wish = 0;

    if (step->quick != NULL)
        return step->quick->request != NULL ? step->quick->request->wait_ms : 0;
    if (!x->initiator || x->sa->peer == NULL)
        return 0;
    LIST_FOREACH(request, &x->sa->peer->requests, of_peer)
    if (request->sa == x->sa && request->wait_ms > wish)
        wish = request->wait_ms;
    return wish;
}

/* A peer that may have forgotten the phase 1 SA isn't waited for as long: there is another way. */
static int64_t patience_ms(const struct v1_step *step)
{
    const struct v1_quick *quick = step->quick;
    int64_t wish = wished_ms(step);
    int64_t ms = wish != 0 ? wish : step->ike->config.give_up_ms;
    bool may_be_forgotten =
        step->row->next == V1_QM_I_WAIT_REPLY && quick->request != NULL && quick->request->reused;
    return may_be_forgotten ? ms / 4 : ms;
}

static void enter(struct v1_step *step, const uint8_t *digest)
{
    struct v1_exchange *x = step->x;
    if (digest != NULL) {
        memcpy(x->iv_before, x->iv, sizeof(x->iv));
        memcpy(x->seen, digest, sizeof(x->seen));
        x->seen_any = true;
    }
    memcpy(x->iv, step->iv, sizeof(x->iv));
    if (!step->sent)
        retransmit_clear(&x->out); /* it answered something older */
    set_state(x, step->row->state, step->row->next);
    x->give_up = mono_add(step->ike->now, patience_ms(step));
    arm(step->ike, x, step->row->timer);
    if (step->row->then != NULL)
        step->row->then(step);
}

static enum ike_counter_id counter_of(enum err err)
{
    switch (err) {
    case ERR_MISSING:
        return IKE_COUNT_MISSING;
    case ERR_REPEATED:
        return IKE_COUNT_REPEATED;
    case ERR_UNEXPECTED:
        return IKE_COUNT_UNEXPECTED;
    case ERR_NO_PROPOSAL:
        return IKE_COUNT_NO_PROPOSAL;
    case ERR_AUTH:
    case ERR_DECRYPT: /* a proof that anyone could have sent */
        return IKE_COUNT_BAD_SIGNATURE;
    case ERR_UNKNOWN:
        return IKE_COUNT_NO_KEYS;
    case ERR_POLICY:
        return IKE_COUNT_REFUSED;
    case ERR_LIMIT:
        return IKE_COUNT_LIMIT;
    case ERR_MEMORY:
        return IKE_COUNT_MEMORY;
    case ERR_CRYPTO:
        return IKE_COUNT_CRYPTO;
    default:
        return IKE_COUNT_BAD_VALUE;
    }
}

static bool tells_peer(const struct v1_step *step)
{
    enum v1_state state = step->x->state;
    bool peer_waits =
        !step->x->initiator || state == V1_QM_I_WAIT_REPLY || state == V1_QM_I_INSTALLING;
    return step->notify != V1_NO_NOTIFY && peer_waits && !step->ike->shutting_down;
}

/* The peer hears of a refusal under the SA's protection, or, for an offer of phase 1, in clear. */
static void tell_peer(struct v1_step *step)
{
    if (!tells_peer(step))
        return;
    if (step->quick != NULL)
        info_send_notify(step->ike, step->sa, step->notify, step->quick->choice.peer_spi);
    else if (step->row->gets == V1_MM1)
        info_send_notify_clear(step->ike, step->event, step->header, step->notify);
}

static enum ike_failure failure_of(const struct v1_step *step, enum err err)
{
    if (err == ERR_AUTH && step->quick == NULL)
        return IKE_FAILURE_SIGNATURE;
    return IKE_FAILURE_OTHER;
}

/*
 * The peer may still prove itself with another message, until its time is up: who sees a message may
 * send an altered copy ahead of it. An initiator doesn't wait as long for that as for a first answer,
 * for a peer that has answered once repeats its answer soon (OE-065).
 */
static void stay(struct v1_step *step, const char *why)
{
    struct v1_exchange *x = step->x;
    set_state(x, step->row->state, step->row->refused);
    if (step->row->on != V1_ON_MESSAGE) {
        memcpy(x->iv, x->iv_before, sizeof(x->iv)); /* the message had been accepted */
        return;
    }
    if (x->initiator && x->doubt == NULL) {
        x->give_up = mono_min(x->give_up, mono_add(step->ike->now, IKE_DOUBT_MS));
        ike_timer_set(step->ike, &x->timer, mono_min(x->timer.node.at, x->give_up));
    }
    x->doubt = why;
}

/*
 * A message that proves nothing changes nothing: it is dropped and the exchange waits on. One that
 * was proven, or an answer of our own side, ends the exchange when it refuses.
 */
static void refuse(struct v1_step *step, enum err err)
{
    struct v1_exchange *x = step->x;
    enum err_class class = err_class(err);
    const char *why = step->why != NULL ? step->why : err_text(err);
    bool answer = step->row->on != V1_ON_MESSAGE;

    ike_count(step->ike, counter_of(err));
    v1_trace(step->ike, step->sa, x, EVENT_WARNING, "Refused", why);
    if (err == ERR_AUTH && step->row->refused != V1_NONE) {
        stay(step, why);
        return;
    }
    if (class == ERR_CLASS_NOTIFY || answer)
        tell_peer(step);
    if (step->fresh)
        return;
    if (answer || class == ERR_CLASS_KILL || class == ERR_CLASS_BUG ||
        (class == ERR_CLASS_NOTIFY && step->quick != NULL))
        v1_fail(step->ike, x, failure_of(step, err), why);
}

static enum err run(struct v1_step *step, const uint8_t *digest)
{
    enum err err = step->row->handle(step);
    if (err == ERR_OK) {
        assert(step->sent == (step->row->sends != V1_NO_MESSAGE));
        enter(step, digest);
    } else {
        bool again = err == ERR_AUTH && digest != NULL && step->row->refused != V1_NONE;
        if (again) /* its repetitions prove no more */
            memcpy(step->x->seen, digest, sizeof(step->x->seen));
        refuse(step, err);
    }
    return err;
}

static struct v1_step step_on(struct ike *ike, struct v1_exchange *x)
{
    struct v1_step step = {
        .ike = ike,
        .sa = x->sa,
        .x = x,
        .quick = x->msgid.value != 0 ? (struct v1_quick *)(void *)x : NULL,
    };
    memcpy(step.iv, x->iv, sizeof(step.iv));
    return step;
}

enum err v1_start(struct ike *ike, struct v1_exchange *x)
{
    struct v1_step step = step_on(ike, x);
    step.fresh = true;
    step.row = v1_row_find(x->state, V1_ON_START, v1_way_of(x->sa));
    assert(step.row != NULL);
    return run(&step, NULL);
}

enum err v1_answer(struct ike *ike, const struct ike_event *event, enum v1_trigger trigger)
{
    struct map_node *node = event->serial ? map_find(&ike->questions, &event->serial) : NULL;
    struct v1_exchange *x = node ? MAP_OWNER(node, struct v1_exchange, by_serial) : NULL;
    const struct v1_row *row = x ? v1_row_find(x->state, trigger, v1_way_of(x->sa)) : NULL;
    if (row == NULL) {
        ike_count(ike, IKE_COUNT_STALE);
        return ERR_UNKNOWN;
    }
    forget_question(ike, x);
    struct v1_step step = step_on(ike, x);
    step.row = row;
    step.event = event;
    return run(&step, NULL);
}

/* Messages */

static enum err drop(struct ike *ike, enum ike_counter_id counter, enum err err)
{
    ike_count(ike, counter);
    return err;
}

/* A repeated request gets the answer it got before, without any work. An initiator's own timer
 * repeats; answering a repeated reply as well would multiply datagrams. */
static enum err duplicate(struct ike *ike, struct v1_exchange *x, const struct ike_event *event)
{
    /* It proves no change of path, but has its answer due where it came from. */
    const struct ike_path back = {event->local, event->remote, event->natt};
    bool answers = !x->initiator || x->timer_kind == V1_TIMER_LINGER;
    ike_count(ike, IKE_COUNT_DUPLICATE);
    if (answers && retransmit_holds(&x->out)) {
        v1_trace(ike, x->sa, x, EVENT_DEBUG, "Repeated request", "answered as before");
        v1_send_on(ike, x->sa, &back, blob_view(&x->out.bytes));
    }
    return ERR_REPLAY;
}

static enum err receive_on(struct ike *ike, struct v1_step *step, const struct ike_event *event)
{
    struct v1_exchange *x = step->x;
    struct isakmp_payloads payloads;
    uint8_t digest[IKE_DIGEST_LEN];
    enum err err = hash_digest(HASH_SHA2_256, &event->bytes, 1, digest);
    if (err != ERR_OK)
        return drop(ike, IKE_COUNT_CRYPTO, err);
    if (x->seen_any && memcmp(x->seen, digest, sizeof(digest)) == 0)
        return duplicate(ike, x, event);
    if (retransmit_holds(&x->out) && view_equal(blob_view(&x->out.bytes), event->bytes))
        return drop(ike, IKE_COUNT_REFLECTED, ERR_REPLAY);
    step->row = v1_row_find(x->state, V1_ON_MESSAGE, v1_way_of(step->sa));
    if (step->row == NULL || v1_message(step->row->gets)->exchange != step->header->exchange)
        return drop(ike, IKE_COUNT_NO_ROW, ERR_UNEXPECTED);

    const struct v1_message *message = v1_message(step->row->gets);
    err = v1_open(ike, step->sa, step->quick, step->row->gets, step->header, event->bytes, step->iv,
                  &payloads);
    if (err != ERR_OK)
        return err;
    if (message->hashed && !step->fresh) /* else its message id must be spent first */
        nat_follow(ike, step->sa, event);
    step->payloads = &payloads;
    step->event = event;
    v1_trace_message(ike, step->sa, x, message, false, "");
    err = v1_message_check(message, &payloads);
    if (err == ERR_OK)
        return run(step, digest);
    if (step->row->gets == V1_QM1 || step->row->gets == V1_QM2)
        v1_refuse(step, err, V1_PAYLOAD_MALFORMED, NULL); /* proven, so the peer hears of it */
    refuse(step, err);
    return err;
}

static enum err receive_quick(struct ike *ike, struct ike_sa *sa, const struct ike_event *event,
                              const struct isakmp_header *header)
{
    struct v1_quick *quick = quick_find(sa, header->msgid);
    bool fresh = quick == NULL;
    enum err err;

    if (header->msgid.value == 0)
        return drop(ike, IKE_COUNT_MALFORMED, ERR_VALUE);
    if (!ike_sa_established(sa)) /* IKE-011, IKE-017: both are authenticated before any of it */
        return drop(ike, IKE_COUNT_NO_ROW, ERR_UNEXPECTED);
    if (fresh) {
        if (v1_msgid_used(sa, header->msgid))
            return drop(ike, IKE_COUNT_REPLAYED, ERR_REPLAY);
        if (sa->ids_full)
            return drop(ike, IKE_COUNT_WORN_OUT, ERR_LIMIT);
        err = quick_new(ike, sa, V1_QM_R_START, header->msgid, false, &quick);
        if (err != ERR_OK)
            return drop(ike, counter_of(err), err);
    }
    struct v1_step step = step_on(ike, &quick->x);
    step.header = header;
    step.fresh = fresh;
    err = receive_on(ike, &step, event);
    if (fresh && err != ERR_OK) {
        quick_free(ike, quick);
    } else if (fresh) {
        v1_msgid_mark(ike, sa, header->msgid);
        nat_follow(ike, sa, event);
        dpd_start(ike, sa);
    }
    return err;
}

static enum err receive_known(struct ike *ike, struct ike_sa *sa, const struct ike_event *event,
                              const struct isakmp_header *header)
{
    if (!nat_may_come_from(sa, event))
        return drop(ike, IKE_COUNT_ADDRESS, ERR_SELECTOR);
    switch (header->exchange) {
    case ISAKMP_MAIN_MODE:
    case ISAKMP_AGGRESSIVE_MODE: {
        if (header->msgid.value != 0)
            return drop(ike, IKE_COUNT_MALFORMED, ERR_VALUE);
        struct v1_step step = step_on(ike, &sa->main);
        step.header = header;
        return receive_on(ike, &step, event);
    }
    case ISAKMP_QUICK_MODE:
        return receive_quick(ike, sa, event, header);
    case ISAKMP_INFORMATIONAL:
        if ((header->flags & ISAKMP_FLAG_ENCRYPTED) == 0)
            return info_receive_clear(ike, event, header);
        return info_receive(ike, sa, event, header);
    default:
        return drop(ike, IKE_COUNT_EXCHANGE, ERR_UNSUPPORTED);
    }
}

/*
 * Message 1, from whatever address it comes (OE-112). Until message 3 brings the cookie back there is only a half-open record, so the SA
 * lives on the stack for the length of this call (IKE-024, IKE-050, IKE-053).
 */
static enum err receive_offer(struct ike *ike, const struct ike_event *event,
                              const struct isakmp_header *header)
{
    struct half_open *known = half_open_find(&ike->half_open, &event->remote, header->cookie_i);
    struct v1_handshake handshake = {0};
    struct ike_sa sa = {
        .local = event->local,
        .remote = event->remote,
        .path = {event->local, event->remote, event->natt},
        .initiator = false,
        .handshake = &handshake,
        .main = {.sa = &sa, .state = V1_MM_R_START},
    };
    if (known != NULL) {
        ike_count(ike, IKE_COUNT_DUPLICATE);
        if (half_open_same_offer(known, event->bytes))
            v1_send_raw(ike, &sa, blob_view(&known->reply));
        return ERR_REPLAY;
    }
    memcpy(sa.cookies, header->cookie_i, ISAKMP_COOKIE_LEN);
    sa.number = ike_serial(ike);
    struct v1_step step = step_on(ike, &sa.main);
    step.header = header;
    step.fresh = true;
    enum err err = receive_on(ike, &step, event);
    if (err == ERR_OK)
        err = half_open_add(ike, &sa);
    retransmit_clear(&sa.main.out);
    blob_wipe(&handshake.offer);
    return err;
}

/* Message 3: the cookie first, before anything is allocated or computed (IKE-030, IKE-052). */
static enum err receive_proof(struct ike *ike, const struct ike_event *event,
                              const struct isakmp_header *header)
{
    uint8_t cookies[2 * ISAKMP_COOKIE_LEN];
    struct half_open *record;
    struct ike_sa *sa;

    memcpy(cookies, header->cookie_i, ISAKMP_COOKIE_LEN);
    memcpy(cookies + ISAKMP_COOKIE_LEN, header->cookie_r, ISAKMP_COOKIE_LEN);
    if (!half_open_cookie_valid(ike, &event->local, &event->remote, cookies))
        return drop(ike, IKE_COUNT_BAD_COOKIE, ERR_AUTH);
    record = half_open_find(&ike->half_open, &event->remote, header->cookie_i);
    if (record == NULL || memcmp(record->cookies, cookies, sizeof(cookies)) != 0)
        return drop(ike, IKE_COUNT_NO_HALF_OPEN, ERR_UNKNOWN);
    if (ike_unproven_many(ike, &event->remote.addr)) /* OE-194 */
        return drop(ike, IKE_COUNT_LIMIT, ERR_LIMIT);
    enum err err = ike_sa_new(ike, cookies, false, &event->local, &event->remote, event->natt, &sa);
    if (err != ERR_OK)
        return drop(ike, counter_of(err), err);
    err = half_open_revive(record, sa);
    if (err == ERR_OK) {
        struct v1_step step = step_on(ike, &sa->main);
        step.header = header;
        step.fresh = true;
        err = receive_on(ike, &step, event);
    }
    if (err != ERR_OK) {
        ike_sa_free(ike, sa);
        return err;
    }
    half_open_remove(ike, record);
    ike_sa_unproven_add(ike, sa);
    return ERR_OK;
}

static struct ike_sa *find_aggressive(const struct ike *ike, const struct ike_event *event,
                                      const uint8_t *cookie_i)
{
    struct ike_sa *sa;
    TAILQ_FOREACH (sa, &ike->unproven, of_unproven)
        if (memcmp(sa->cookies, cookie_i, ISAKMP_COOKIE_LEN) == 0 &&
            ip_endpoint_equal(&sa->remote, &event->remote))
            return sa;
    return NULL;
}

/* Message 1 of Aggressive Mode: no cookie could help, so what a source may begin is counted. */
static enum err receive_aggressive(struct ike *ike, const struct ike_event *event,
                                   const struct isakmp_header *header)
{
    uint8_t cookies[2 * ISAKMP_COOKIE_LEN];
    struct ike_sa *sa;

    if (auth_terms(ike, event, true).auths == 0)
        return drop(ike, IKE_COUNT_EXCHANGE, ERR_UNSUPPORTED); /* IKE-042 */
    sa = find_aggressive(ike, event, header->cookie_i);
    if (sa != NULL)
        return receive_known(ike, sa, event, header);
    if (ike_unproven_many(ike, &event->remote.addr))
        return drop(ike, IKE_COUNT_LIMIT, ERR_LIMIT);
    memcpy(cookies, header->cookie_i, ISAKMP_COOKIE_LEN);
    rng_fill(&ike->env.rng, cookies + ISAKMP_COOKIE_LEN, ISAKMP_COOKIE_LEN);
    enum err err = ike_sa_new(ike, cookies, false, &event->local, &event->remote, event->natt, &sa);
    if (err != ERR_OK)
        return drop(ike, counter_of(err), err);
    sa->main.state = V1_AM_R_START;
    ike_sa_unproven_add(ike, sa);
    struct v1_step step = step_on(ike, &sa->main);
    step.header = header;
    step.fresh = true;
    err = receive_on(ike, &step, event);
    if (err != ERR_OK)
        ike_sa_free(ike, sa);
    return err;
}

enum err v1_receive(struct ike *ike, const struct ike_event *event,
                    const struct isakmp_header *header)
{
    static const uint8_t zero[ISAKMP_COOKIE_LEN] = {0};
    uint8_t cookies[2 * ISAKMP_COOKIE_LEN] = {0};
    bool first = memcmp(header->cookie_r, zero, sizeof(zero)) == 0;
    bool clear_info =
        header->exchange == ISAKMP_INFORMATIONAL && (header->flags & ISAKMP_FLAG_ENCRYPTED) == 0;

    if (memcmp(header->cookie_i, zero, sizeof(zero)) == 0)
        return drop(ike, IKE_COUNT_MALFORMED, ERR_VALUE);
    memcpy(cookies, header->cookie_i, ISAKMP_COOKIE_LEN);
    struct ike_sa *offered = ike_sa_find(ike, cookies); /* by us, not yet answered */
    memcpy(cookies + ISAKMP_COOKIE_LEN, header->cookie_r, ISAKMP_COOKIE_LEN);
    struct ike_sa *sa = first ? NULL : ike_sa_find(ike, cookies);
    if (sa != NULL)
        return receive_known(ike, sa, event, header);
    if (clear_info)
        return info_receive_clear(ike, event, header);
    bool aggressive = header->exchange == ISAKMP_AGGRESSIVE_MODE;
    if (header->exchange != ISAKMP_MAIN_MODE && !aggressive) {
        bool known =
            header->exchange == ISAKMP_QUICK_MODE || header->exchange == ISAKMP_INFORMATIONAL;
        return known ? drop(ike, IKE_COUNT_UNKNOWN_SA, ERR_UNKNOWN)
                     : drop(ike, IKE_COUNT_EXCHANGE, ERR_UNSUPPORTED);
    }
    if (first && offered != NULL)
        return drop(ike, IKE_COUNT_REFLECTED, ERR_REPLAY);
    if (header->msgid.value != 0)
        return drop(ike, IKE_COUNT_MALFORMED, ERR_VALUE);
    if (first)
        return aggressive ? receive_aggressive(ike, event, header)
                          : receive_offer(ike, event, header);
    if (offered != NULL)
        return receive_known(ike, offered, event, header);
    if (aggressive)
        return drop(ike, IKE_COUNT_UNKNOWN_SA, ERR_UNKNOWN);
    return receive_proof(ike, event, header);
}

/* Ends */

void v1_fail(struct ike *ike, struct v1_exchange *x, enum ike_failure failure, const char *text)
{
    struct ike_sa *sa = x->sa;
    v1_trace(ike, sa, x, EVENT_WARNING, x->msgid.value ? "Quick Mode failed" : "Main Mode failed",
             text);
    if (x->msgid.value != 0) {
        struct v1_quick *quick = (struct v1_quick *)(void *)x;
        ike_request_quick_failed(ike, quick, failure, text);
    } else {
        ike_requests_abandon(ike, sa, failure, text);
        ike_sa_free(ike, sa);
    }
}

static void give_up(struct ike *ike, struct v1_exchange *x)
{
    ike_count(ike, IKE_COUNT_GAVE_UP);
    switch (x->state) {
    case V1_MM_I_WAIT_SA:
    case V1_MM_I_WAIT_KE:
    case V1_MM_I_WAIT_AUTH:
    case V1_AM_I_WAIT_REPLY:
        if (x->doubt != NULL) {
            v1_fail(ike, x, IKE_FAILURE_SIGNATURE, x->doubt); /* OE-065 */
            break;
        }
        v1_fail(ike, x, IKE_FAILURE_SILENT, "no answer in phase 1"); /* OE-060 */
        break;
    case V1_QM_I_WAIT_REPLY:
        ((struct v1_quick *)(void *)x)->silent = true;
        v1_fail(ike, x, IKE_FAILURE_REFUSED, "no answer in phase 2"); /* OE-063 */
        break;
    case V1_MM_R_WAIT_AUTH:
    case V1_AM_R_WAIT_AUTH:
        v1_fail(ike, x, IKE_FAILURE_SILENT, "the initiator went silent");
        break;
    case V1_QM_R_WAIT_CONFIRM:
        v1_fail(ike, x, IKE_FAILURE_SILENT, "tunnel not confirmed");
        break;
    default:
        v1_fail(ike, x, IKE_FAILURE_OTHER, "no answer from our own side in time");
        break;
    }
}

static void exchange_timer(struct ike *ike, struct ike_timer *timer)
{
    struct v1_exchange *x =
        (struct v1_exchange *)(void *)((char *)timer - offsetof(struct v1_exchange, timer));
    if (x->timer_kind == V1_TIMER_LINGER) {
        retransmit_clear(&x->out);
        if (x->msgid.value != 0)
            quick_free(ike, (struct v1_quick *)(void *)x);
        return;
    }
    if (mono_reached(ike->now, x->give_up)) {
        give_up(ike, x);
        return;
    }
    assert(x->timer_kind == V1_TIMER_RESEND);
    x->out.repeated++;
    v1_trace(ike, x->sa, x, EVENT_DEBUG, "No answer yet", "sent again");
    v1_send_raw(ike, x->sa, blob_view(&x->out.bytes));
    ike_timer_set(ike, &x->timer,
                  retransmit_next(&x->out.wait_ms, &ike->env.rng, ike->now, x->give_up));
}
