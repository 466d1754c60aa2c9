/*
 * Runs the table. A message or an answer finds its exchange, the exchange's state finds the row,
 * the row's handler does the work; then, and only here, the exchange enters the next state.
 */
#include <assert.h>
#include <stdio.h>

#include "ike/v2/v2.h"

enum { SYNC_TRIES = 3 }; /* unanswered so often, a request may have an id that the peer has seen before */

enum err v2_drop(struct ike *ike, enum ike_counter_id counter, enum err err)
{
    ike_count(ike, counter);
    return err;
}

enum ike_counter_id v2_counter_of(enum err err)
{
    switch (err) {
    case ERR_MISSING:
        return IKE_COUNT_MISSING;
    case ERR_REPEATED:
        return IKE_COUNT_REPEATED;
    case ERR_UNEXPECTED:
        return IKE_COUNT_UNEXPECTED;
    case ERR_SYNTAX:
    case ERR_SHORT:
    case ERR_TRAILING:
        return IKE_COUNT_MALFORMED;
    case ERR_UNSUPPORTED:
        return IKE_COUNT_CRITICAL;
    case ERR_NO_PROPOSAL:
        return IKE_COUNT_NO_PROPOSAL;
    case ERR_AUTH:
        return IKE_COUNT_BAD_SIGNATURE;
    case ERR_UNKNOWN:
        return IKE_COUNT_NO_KEYS;
    case ERR_POLICY:
        return IKE_COUNT_REFUSED;
    case ERR_REPLAY:
        return IKE_COUNT_DUPLICATE;
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

enum err v2_refuse(struct v2_step *step, enum err err, uint16_t notify, const char *why)
{
    step->notify = notify;
    step->why = why;
    return err;
}

enum err v2_refuse_method(struct v2_step *step, uint16_t method)
{
    static uint8_t wish[2];
    wish[0] = (uint8_t)(method >> 8);
    wish[1] = (uint8_t)method;
    step->notify_data = view_of(wish, sizeof(wish));
    return v2_refuse(step, ERR_VALUE, IKE2_N_INVALID_KE_PAYLOAD, "another key exchange, please");
}

struct view v2_body(const struct v2_step *step, uint8_t type, size_t nth)
{
    const struct ike2_payload *payload = ike2_payload_find(step->payloads, type, nth);
    assert(payload != NULL); /* v2_message_check() saw it */
    return payload->body;
}

bool v2_has(const struct v2_step *step, uint8_t type)
{
    return ike2_payload_find(step->payloads, type, 0) != NULL;
}

bool v2_notified(const struct v2_step *step, uint16_t type, struct ike2_notify *ret)
{
    return ike2_notify_find(step->payloads, type, ret);
}

/* Exchanges */

static void exchange_timer(struct ike *ike, struct ike_timer *timer);

static bool is_initial(const struct v2_exchange *x)
{
    return x->state < V2_C_I_START && !x->sa->established;
}

void v2_ask_over(struct ike *ike, struct v2_exchange *x)
{
    if (x->serial != 0)
        map_remove(&ike->v2.questions, &x->by_serial);
    x->serial = 0;
}

enum err v2_exchange_new(struct ike *ike, struct v2_sa *sa, enum v2_state state, bool initiator,
                         struct v2_exchange **ret)
{
    struct v2_exchange *x = calloc(1, sizeof(*x));
    if (x == NULL)
        return ERR_MEMORY;
    x->sa = sa;
    x->state = state;
    x->initiator = initiator;
    x->give_up = mono_add(ike->now, ike->config.give_up_ms);
    if (!ike_timer_add(ike, &x->timer, exchange_timer)) {
        free(x);
        return ERR_MEMORY;
    }
    *ret = x;
    return ERR_OK;
}

static void leave_sa(struct v2_exchange *x)
{
    struct v2_sa *sa = x->sa;
    if (sa->mine == x) {
        sa->mine = NULL;
    } else if (sa->theirs == x) {
        sa->theirs = NULL;
    } else if (sa->following == x) {
        sa->following = NULL;
    } else if (x->in_line) {
        TAILQ_REMOVE(&sa->waiting, x, of_line);
        sa->waiting_count--;
    }
    x->in_line = false;
}

void v2_exchange_free(struct ike *ike, struct v2_exchange *x)
{
    leave_sa(x);
    if (x->child != NULL)
        child_free(ike, x->child);
    rekey_free(x->rekey);
    follow_forget(x);
    v2_ask_over(ike, x);
    v2_parked_free(x->parked);
    v2_tcp_drop(ike, NULL, &x->tcp);
    ike_timer_drop(ike, &x->timer);
    v2_sent_wipe(&x->out);
    free(x);
}

uint64_t v2_ask_serial(struct ike *ike, struct v2_exchange *x)
{
    v2_ask_over(ike, x);
    x->serial = ike_serial(ike);
    if (!map_insert(&ike->v2.questions, &x->by_serial))
        x->serial = 0;
    return x->serial;
}

/* A question to our own side. */
enum err v2_ask(struct v2_step *step, struct ike_effect *fx)
{
    const struct v2_sa *sa = step->sa;
    struct v2_exchange *x = step->x;
    fx->serial = v2_ask_serial(step->ike, x);
    if (fx->serial == 0)
        return ERR_MEMORY;
    fx->version = IKE_VERSION_2;
    fx->profile = sa->profile;
    fx->local = sa->local;
    fx->remote = sa->remote;
    fx->peer = sa->remote.addr;
    return ike_effect_push(step->ike, fx) ? ERR_OK : ERR_MEMORY;
}

/* States */

static void set_state(struct v2_exchange *x, enum v2_state from, enum v2_state to)
{
    assert(x->state == from);
    x->state = to;
}

/* A keeper that is just being replaced loses what it was asked. */
static bool waits_for_keeper(const struct v2_exchange *x)
{
    return x->state == V2_I_SIGNING_PLAIN || x->state == V2_I_SIGNING || x->state == V2_R_SIGNING;
}

static bool is_solving(const struct v2_exchange *x)
{
    return x->state == V2_I_SOLVING || x->state == V2_I_SOLVING_AUTH;
}

static void arm(struct ike *ike, struct v2_exchange *x, enum v2_timer kind)
{
    mono_t at = x->give_up;
    x->timer_kind = kind;
    if (waits_for_keeper(x))
        at = mono_min(mono_add(ike->now, V2_ASK_AGAIN_MS), x->give_up);
    if (is_solving(x))
        at = mono_add(ike->now, 1); /* never within the turn of who set it */
    else if (kind == V2_TIMER_RESEND)
        at = retransmit_next(&x->wait_ms, &ike->env.rng, ike->now, x->give_up);
    else if (kind == V2_TIMER_NONE)
        at = MONO_NEVER;
    ike_timer_set(ike, &x->timer, at);
}

/* As long as the most patient of those who want the exchange to succeed (OE-061). */
static int64_t wished_ms(const struct v2_exchange *x)
{
    const struct v2_sa *sa = x->sa;
    const struct ike_request *request;
    int64_t wish = x->child != NULL && x->child->request != NULL ? x->child->request->wait_ms : 0;

    if (sa->established || sa->peer == NULL || !x->initiator)
        return wish;
    LIST_FOREACH (request, &sa->peer->requests, of_peer)
        if (request->v2_sa == sa && request->wait_ms > wish)
            wish = request->wait_ms;
    return wish;
}

/* A peer that may have forgotten the IKE SA, or knows version 1 only, isn't waited for as long: there
 * is another way. */
static int64_t patience_ms(const struct ike *ike, const struct v2_exchange *x)
{
    int64_t wish = wished_ms(x);
    int64_t ms = wish != 0 ? wish : ike->config.give_up_ms;
    const struct v2_mobike *mobike = x->sa->mobike;
    if (x->sa->established && x->initiator && mobike != NULL && !mobike->decides && x->state != V2_C_I_WAIT_REPLY)
        ms = V2_MOVE_PATIENCE_MS;
    if (x->state == V2_I_WAIT_INIT &&
        (v2_may_fall_back(ike, x->sa) || v2_tcp_may_fall_back(ike, x->sa)))
        return ms / 4;
    bool may_be_forgotten = x->state == V2_C_I_WAIT_REPLY && x->child->request != NULL &&
                            x->child->request->reused;
    return may_be_forgotten ? ms / 4 : ms;
}

void v2_elsewhere(struct ike *ike, struct v2_exchange *x)
{
    v2_sent_repeat(ike, x->sa, &x->sa->path, &x->out);
    if (x->parked != NULL || x->timer_kind != V2_TIMER_RESEND)
        return;
    x->wait_ms = ike->config.retransmit_ms;
    x->give_up = mono_add(ike->now, patience_ms(ike, x));
    arm(ike, x, V2_TIMER_RESEND);
}

static void enter(struct v2_step *step)
{
    struct v2_exchange *x = step->x;
    bool again = step->row->next == step->row->state && !step->sent;
    set_state(x, step->row->state, step->skips ? step->row->past : step->row->next);
    if (!again) /* a hint doesn't lend more time */
        x->give_up = mono_add(step->ike->now, patience_ms(step->ike, x));
    if (step->skips)
        arm(step->ike, x, V2_TIMER_WAIT);
    else if (step->sent || x->repeats || step->row->timer != V2_TIMER_RESEND)
        arm(step->ike, x, step->row->timer);
    if (step->row->then != NULL)
        step->row->then(step);
}

/* The exchange is over, and with it what the step says. */
static void finish(struct ike *ike, struct v2_exchange *x, bool ends_sa)
{
    struct v2_sa *sa = x->sa;
    bool ours = x->initiator;
    v2_exchange_free(ike, x);
    if (ends_sa) {
        v2_sa_free(ike, sa);
        return;
    }
    if (ours)
        v2_saved_sa(ike, sa); /* nothing of it has to be repeated after a restart */
    v2_line_go(ike, sa);
}

static uint16_t notify_of(enum err err)
{
    switch (err) {
    case ERR_AUTH:
    case ERR_UNKNOWN:
        return IKE2_N_AUTHENTICATION_FAILED;
    case ERR_NO_PROPOSAL:
        return IKE2_N_NO_PROPOSAL_CHOSEN;
    case ERR_POLICY:
        return IKE2_N_TS_UNACCEPTABLE;
    case ERR_LIMIT:
        return IKE2_N_NO_ADDITIONAL_SAS;
    case ERR_UNSUPPORTED:
        return IKE2_N_UNSUPPORTED_CRITICAL_PAYLOAD;
    case ERR_MEMORY:
    case ERR_CRYPTO:
    case ERR_ROOM:
    case ERR_STATE:
        return IKE2_N_TEMPORARY_FAILURE;
    default:
        return IKE2_N_INVALID_SYNTAX;
    }
}

/*
 * Section 2.21: the peer hears why, in the answer. What is wrong in IKE_AUTH, and syntax anywhere,
 * ends the IKE SA on both sides without another word; anything else only this exchange.
 */
static void answer_no(struct v2_step *step, enum err err)
{
    struct ike *ike = step->ike;
    bool initial = is_initial(step->x);
    uint16_t notify = step->notify != 0 ? step->notify : notify_of(err);
    if (initial && notify == IKE2_N_TEMPORARY_FAILURE)
        notify = IKE2_N_AUTHENTICATION_FAILED;
    enum err sent = v2_send_refusal(step, notify, step->notify_data);
    bool fatal = initial || notify == IKE2_N_INVALID_SYNTAX || sent != ERR_OK;
    struct v2_child *child = step->x->child;
    step->x->child = NULL;
    if (child != NULL)
        v2_request_child_failed(ike, child, IKE_FAILURE_OTHER,
                                step->why != NULL ? step->why : err_text(err));
    finish(ike, step->x, fatal);
}

static void refuse(struct v2_step *step, enum err err)
{
    struct ike *ike = step->ike;
    struct v2_exchange *x = step->x;
    const char *why = step->why != NULL ? step->why : err_text(err);
    bool unprotected = step->row->on == V2_ON_MESSAGE && !v2_message(step->row->gets)->encrypted;

    ike_count(ike, v2_counter_of(err));
    v2_trace(ike, step->sa, x, EVENT_WARNING, "Refused", why);
    if (unprotected) {
        /* It proves nothing: ours waits on, and of a stranger's nothing is kept. */
        if (!x->initiator && step->notify != 0)
            v2_send_clear(ike, step->event, step->header, step->notify, step->notify_data);
        return;
    }
    if (!x->initiator) {
        answer_no(step, err);
        return;
    }
    enum ike_failure failure = err == ERR_AUTH ? IKE_FAILURE_SIGNATURE : IKE_FAILURE_OTHER;
    v2_fail(ike, x, step->failure != 0 ? step->failure : failure, why);
}

/* Rows follow one another as long as nothing has to be asked. */
enum err v2_run(struct v2_step *step)
{
    static const struct ike_event yes = {.ok = true};
    for (;;) {
        enum err err = step->row->handle(step);
        if (err == ERR_LATER && (err = v2_park(step)) == ERR_OK)
            return ERR_OK;
        if (err != ERR_OK) {
            refuse(step, err);
            return err;
        }
        assert(step->sent == (step->row->sends != V2_NO_MESSAGE && !step->skips));
        bool at_once = step->at_once;
        enter(step);
        if (step->x->state == V2_DONE) {
            finish(step->ike, step->x, step->ends_sa);
            return ERR_OK;
        }
        if (!at_once)
            return ERR_OK;
        step->row = v2_row_answer(step->x->state);
        assert(step->row != NULL);
        step->event = &yes;
        step->at_once = step->sent = step->skips = false;
    }
}

static struct v2_step step_on(struct ike *ike, struct v2_exchange *x)
{
    return (struct v2_step){.ike = ike, .sa = x->sa, .x = x};
}

void v2_start(struct ike *ike, struct v2_exchange *x)
{
    struct v2_step step = step_on(ike, x);
    step.row = v2_row_find(x->state, V2_ON_START, V2_NO_MESSAGE);
    assert(step.row != NULL);
    (void)v2_run(&step);
    ike_works_wipe(&step.works);
}

enum err v2_answer(struct ike *ike, const struct ike_event *event, enum v2_trigger trigger)
{
    struct map_node *node = event->serial ? map_find(&ike->v2.questions, &event->serial) : NULL;
    struct v2_exchange *x = node ? MAP_OWNER(node, struct v2_exchange, by_serial) : NULL;
    const struct v2_row *row = x != NULL && x->parked == NULL ? v2_row_find(x->state, trigger, V2_NO_MESSAGE) : NULL;
    if (row == NULL)
        return ERR_UNKNOWN;
    v2_ask_over(ike, x);
    struct v2_step step = step_on(ike, x);
    step.row = row;
    step.event = event;
    enum err err = v2_run(&step);
    ike_works_wipe(&step.works);
    return err;
}

void v2_checked(struct ike *ike, struct v2_exchange *x)
{
    struct v2_step step = step_on(ike, x);
    step.row = v2_row_find(x->state, V2_ON_CHECKED, V2_NO_MESSAGE);
    assert(step.row != NULL);
    (void)v2_run(&step);
    ike_works_wipe(&step.works);
}

/* Which row gets the message; a proven request that fits none is refused like a malformed one. */
static enum err find_row(struct v2_step *step, enum v2_message_kind kind)
{
    static const struct v2_row nowhere = {.on = V2_ON_MESSAGE, .gets = V2_INFO_REQ};
    step->row = v2_row_find(step->x->state, V2_ON_MESSAGE, kind);
    if (step->row != NULL)
        return v2_message_check(v2_message(kind), step->payloads);
    step->row = &nowhere;
    return ERR_UNEXPECTED;
}

enum err v2_run_message(struct v2_step *step, enum v2_message_kind kind)
{
    enum err err = find_row(step, kind);
    if (err == ERR_OK)
        err = v2_run(step);
    else
        refuse(step, err);
    ike_works_wipe(&step->works);
    return err;
}

enum err v2_run_refusal(struct v2_step *step, enum err err)
{
    refuse(step, err);
    return err;
}

/* Ends */

void v2_fail(struct ike *ike, struct v2_exchange *x, enum ike_failure failure, const char *text)
{
    struct v2_sa *sa = x->sa;
    struct v2_child *child = x->child;

    v2_trace(ike, sa, x, EVENT_WARNING, "Exchange failed", text);
    x->child = NULL;
    if (is_initial(x)) {
        if (x->state == V2_I_WAIT_AUTH && failure == IKE_FAILURE_SIGNATURE)
            v2_send_farewell(ike, sa, &(struct v2_exchange){.notify = IKE2_N_AUTHENTICATION_FAILED});
        sa->dying = true; /* what waits for it finds another */
        if (child != NULL)
            v2_request_child_failed(ike, child, failure, text);
        v2_requests_abandon(ike, sa, failure, text);
        v2_sa_free(ike, sa);
        return;
    }
    struct ike_child *deleted =
        x->deletes.value != 0 ? made_find_in(sa, x->deletes) : NULL;
    v2_exchange_free(ike, x);
    if (child != NULL)
        v2_request_child_failed(ike, child, failure, text);
    if (deleted != NULL)
        ike_child_finish(ike, deleted);
    v2_line_go(ike, sa);
}

/* Section 2.4: a peer that doesn't answer has lost the SA, or is gone. */
static void sa_lost(struct ike *ike, struct v2_exchange *x)
{
    struct v2_sa *sa = x->sa;
    v2_trace(ike, sa, x, EVENT_WARNING, "Peer lost", "it does not answer");
    resume_lost(ike, sa);
    if (x->child != NULL)
        x->child->silent = true;
    v2_sa_free(ike, sa);
}

static void own_side_silent(struct ike *ike, struct v2_exchange *x)
{
    static const struct v2_row waiting = {.on = V2_ON_SPI};
    struct v2_step step = step_on(ike, x);
    step.row = &waiting;
    step.why = "no answer from our own side in time";
    refuse(&step, ERR_STATE);
}

static void give_up(struct ike *ike, struct v2_exchange *x)
{
    ike_count(ike, IKE_COUNT_GAVE_UP);
    if (x->parked != NULL) {
        own_side_silent(ike, x);
        return;
    }
    switch (x->state) {
    case V2_I_WAIT_INIT:
        if (x->sa->handshake->hinted)
            v2_fail(ike, x, IKE_FAILURE_REFUSED, "the peer refuses IKE_SA_INIT");
        else
            v2_fail(ike, x, IKE_FAILURE_SILENT, "no answer to IKE_SA_INIT"); /* OE-060 */
        break;
    case V2_S_I_WAIT_REPLY:
        v2_fail(ike, x, IKE_FAILURE_SILENT, "no answer to IKE_SESSION_RESUME");
        break;
    case V2_I_WAIT_MEDIATE:
        v2_fail(ike, x, IKE_FAILURE_SILENT, "no answer to IKE_INTERMEDIATE");
        break;
    case V2_I_WAIT_AUTH:
        v2_fail(ike, x, IKE_FAILURE_SILENT, "no answer to IKE_AUTH"); /* OE-060 */
        break;
    case V2_R_WAIT_AUTH:
        v2_fail(ike, x, IKE_FAILURE_SILENT, "the initiator went silent");
        break;
    case V2_C_R_WAIT_FOLLOWUP:
    case V2_K_R_WAIT_FOLLOWUP:
        v2_fail(ike, x, IKE_FAILURE_SILENT, "the peer did not go on with its key exchanges");
        break;
    case V2_C_I_WAIT_REPLY:
    case V2_C_I_WAIT_FOLLOWUP:
    case V2_K_I_WAIT_REPLY:
    case V2_K_I_WAIT_FOLLOWUP:
    case V2_N_I_WAIT_REPLY:
    case V2_O_I_WAIT_REPLY:
        sa_lost(ike, x);
        break;
    default:
        own_side_silent(ike, x);
        break;
    }
}

static void exchange_timer(struct ike *ike, struct ike_timer *timer)
{
    struct v2_exchange *x =
        (struct v2_exchange *)(void *)((char *)timer - offsetof(struct v2_exchange, timer));
    if (x->in_line) {
        x->holds = false;
        v2_line_go(ike, x->sa);
        return;
    }
    if (x->parked == NULL && is_solving(x)) {
        defence_work(ike, x);
        return;
    }
    if (x->parked == NULL && x->timer_kind == V2_TIMER_RESEND && v2_mobike_stranded(x)) {
        x->give_up = mono_add(ike->now, patience_ms(ike, x));
        x->wait_ms = ike->config.retransmit_ms;
        arm(ike, x, V2_TIMER_RESEND);
        return;
    }
    if (mono_reached(ike->now, x->give_up)) {
        give_up(ike, x);
        return;
    }
    if (waits_for_keeper(x)) {
        struct v2_step step = step_on(ike, x);
        if (credential_ask(&step) != ERR_OK)
            ike_count(ike, IKE_COUNT_MEMORY);
        arm(ike, x, x->timer_kind);
        return;
    }
    assert(x->timer_kind == V2_TIMER_RESEND);
    v2_trace(ike, x->sa, x, EVENT_DEBUG, "No answer yet", "sent again");
    v2_mobike_repeat(ike, x);
    if (x->repeats_made >= SYNC_TRIES)
        v2_sync_begin(ike, x->sa);
    arm(ike, x, V2_TIMER_RESEND);
}

/* Cancelled */

/* The first child of an SA in the making: without it the SA is of no use, but to others who wait. */
static void cancel_first(struct ike *ike, struct v2_sa *sa)
{
    struct ike_request *request, *next;
    sa->dying = true;
    for (request = LIST_FIRST(&sa->peer->requests); request != NULL; request = next) {
        next = LIST_NEXT(request, of_peer);
        if (request->v2_sa != sa || request->making != NULL)
            continue;
        request->v2_sa = NULL;
        enum err err = v2_request_proceed(ike, request);
        if (err != ERR_OK)
            ike_request_fail(ike, request, IKE_FAILURE_OTHER, err_text(err));
    }
    v2_sa_free(ike, sa);
}

void v2_cancel(struct ike *ike, struct v2_child *child)
{
    struct v2_exchange *x = child->x;
    struct v2_sa *sa = x->sa;
    if (child->ticket != NULL) {
        LIST_REMOVE(child, of_ticket);
        ike_ticket_put(ike, child->ticket);
        child->ticket = NULL;
    }
    if (x == sa->following) {
        v2_fail(ike, x, IKE_FAILURE_OTHER, "cancelled");
    } else if (!x->initiator) {
        struct v2_step step = step_on(ike, x);
        static const struct v2_row waiting = {.on = V2_ON_SPI};
        step.row = &waiting;
        step.why = "cancelled";
        refuse(&step, ERR_STATE);
    } else if (!sa->established) {
        cancel_first(ike, sa);
    } else if (x->state == V2_C_I_WAIT_REPLY || x->state == V2_C_I_WAIT_FOLLOWUP) {
        child->unwanted = true; /* its answer has to be waited for */
    } else {
        v2_exchange_free(ike, x);
        v2_line_go(ike, sa);
    }
}

void v2_cancel_all(struct ike *ike, uint64_t number)
{
    struct ike_ticket *ticket;
    struct v2_child *child;
    while ((ticket = ike_ticket_get(ike, number, false)) != NULL &&
           (child = LIST_FIRST(&ticket->making)) != NULL)
        v2_cancel(ike, child);
}
