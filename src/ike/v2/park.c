/*
 * Steps that wait for a public-key operation made elsewhere (ike/defer.h): what they were about is put
 * away, and they are run again from the start once it is there. Meanwhile the exchange takes no
 * message: repetitions of the one at work are duplicates, and a request of the peer that comes behind its
 * answer waits for that.
 */
#include "ike/v2/v2.h"

struct v2_parked {
    struct ike_parked about;
    const struct v2_row *row;
    bool fresh;
    mono_t give_up, at; /* the exchange's clock, as it was */
    bool has_message;
    struct ike2_header header;
    struct ike2_payloads payloads; /* they show about.text */
    struct ike_event behind; /* a datagram; it shows behind_bytes */
    struct blob behind_bytes;
};

void v2_parked_free(struct v2_parked *parked)
{
    if (parked == NULL)
        return;
    ike_parked_wipe(&parked->about);
    blob_wipe(&parked->behind_bytes);
    free(parked);
}

/* The octets that the payloads lie in, one behind the other. */
static struct view chain_of(const struct ike2_payloads *payloads)
{
    if (payloads->count == 0)
        return view_of(NULL, 0);
    const uint8_t *first = payloads->list[0].whole.ptr;
    const struct view last = payloads->list[payloads->count - 1].whole;
    return view_of(first, (size_t)(last.ptr + last.len - first));
}

static struct view moved(struct view v, const uint8_t *from, const uint8_t *to)
{
    return view_of(v.ptr != NULL ? to + (v.ptr - from) : NULL, v.len);
}

static void keep_message(struct v2_parked *parked, const struct v2_step *step)
{
    const uint8_t *from = chain_of(step->payloads).ptr, *to = parked->about.text.ptr;
    parked->has_message = true;
    parked->header = *step->header;
    parked->payloads = *step->payloads;
    for (size_t i = 0; i < parked->payloads.count; i++) {
        struct ike2_payload *payload = &parked->payloads.list[i];
        payload->whole = moved(payload->whole, from, to);
        payload->body = moved(payload->body, from, to);
    }
}

enum err v2_park(struct v2_step *step)
{
    struct ike *ike = step->ike;
    const struct v2_sa *sa = step->sa;
    struct v2_exchange *x = step->x;
    bool message = step->row->on == V2_ON_MESSAGE;
    struct v2_parked *parked = calloc(1, sizeof(*parked));
    if (parked == NULL)
        return ERR_MEMORY;
    const struct ike_parking about = {.serial = v2_ask_serial(ike, x),
                                      .remote = &sa->remote.addr,
                                      .stranger = !sa->initiator && !sa->established,
                                      .first = step->fresh};
    const char *what = step->works.asked != NULL ? ike_work_name(step->works.asked) : "";
    enum err err = about.serial != 0 ? ike_park(ike, &parked->about, &step->works, step->event,
                                                message ? chain_of(step->payloads) : view_of(NULL, 0),
                                                &about)
                                     : ERR_MEMORY;
    if (err != ERR_OK) {
        v2_parked_free(parked);
        return err;
    }
    parked->row = step->row;
    parked->fresh = step->fresh;
    parked->give_up = x->give_up;
    parked->at = x->timer.node.at;
    if (message)
        keep_message(parked, step);
    x->parked = parked;
    v2_trace(ike, sa, x, EVENT_DEBUG, "Public-key operation", what);
    /* Nothing is repeated in the meantime. */
    x->give_up = mono_add(ike->now, ike->config.give_up_ms);
    ike_timer_set(ike, &x->timer, x->give_up);
    return ERR_OK;
}

static enum err run_again(struct ike *ike, struct v2_exchange *x, struct v2_parked *parked)
{
    struct v2_sa *sa = x->sa;
    struct v2_step step = {.ike = ike,
                           .sa = sa,
                           .x = x,
                           .row = parked->row,
                           .fresh = parked->fresh,
                           .works = parked->about.works};
    parked->about.works = (struct ike_works){.count = 0};
    if (parked->about.has_event)
        step.event = &parked->about.event;
    if (parked->has_message) {
        step.header = &parked->header;
        step.payloads = &parked->payloads;
    }
    /* A message that proves nothing has not moved the clock. */
    x->give_up = parked->give_up;
    ike_timer_set(ike, &x->timer, parked->at);
    enum err err = v2_run(&step);
    if (err != ERR_OK && parked->fresh)
        v2_sa_free(ike, sa); /* a stranger's, who gets no second try */
    ike_works_wipe(&step.works);
    return err;
}

void v2_parked_behind(struct v2_parked *parked, const struct ike_event *event)
{
    if (parked->behind_bytes.len != 0 || !blob_set(&parked->behind_bytes, event->bytes))
        return; /* it will be repeated */
    parked->behind = *event;
    parked->behind.bytes = blob_view(&parked->behind_bytes);
}

bool v2_resume(struct ike *ike, uint64_t serial, struct ike_work *work, enum err *ret)
{
    struct map_node *node = map_find(&ike->v2.questions, &serial);
    struct v2_exchange *x = node != NULL ? MAP_OWNER(node, struct v2_exchange, by_serial) : NULL;
    if (x == NULL || x->parked == NULL)
        return false;
    struct v2_parked *parked = x->parked;
    x->parked = NULL;
    v2_ask_over(ike, x);
    parked->about.works.done[parked->about.works.count++] = work;
    *ret = run_again(ike, x, parked);
    if (parked->behind_bytes.len != 0)
        (void)v2_receive(ike, &parked->behind);
    v2_parked_free(parked);
    return true;
}
