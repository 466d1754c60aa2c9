/*
 * Steps that wait for a public-key operation made elsewhere (ike/defer.h): what they were about is put
 * away, and they are run again from the start once it is there. Meanwhile the exchange takes no
 * message; repetitions of the one at work are duplicates.
 */
#include "ike/v1/v1.h"

struct v1_parked {
    struct ike_parked about;
    const struct v1_row *row;
    bool fresh;
    mono_t give_up, at; /* the exchange's clock, as it was */
    uint8_t iv[CBC_BLOCK_MAX];
    bool has_message;
    uint8_t digest[IKE_DIGEST_LEN];
    struct isakmp_header header;
    struct isakmp_payloads payloads; /* they show about.text */
};

void v1_parked_free(struct v1_parked *parked)
{
    if (parked == NULL)
        return;
    ike_parked_wipe(&parked->about);
    secret_wipe(parked, sizeof(*parked));
    free(parked);
}

/* The octets that the payloads lie in, one behind the other. */
static struct view chain_of(const struct isakmp_payloads *payloads)
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

static void keep_message(struct v1_parked *parked, const struct v1_step *step,
                         const uint8_t *digest)
{
    const uint8_t *from = chain_of(step->payloads).ptr, *to = parked->about.text.ptr;
    parked->has_message = true;
    parked->header = *step->header;
    parked->payloads = *step->payloads;
    memcpy(parked->digest, digest, sizeof(parked->digest));
    for (size_t i = 0; i < parked->payloads.count; i++) {
        struct isakmp_payload *payload = &parked->payloads.list[i];
        payload->whole = moved(payload->whole, from, to);
        payload->body = moved(payload->body, from, to);
    }
}

enum err v1_park(struct v1_step *step, const uint8_t *digest)
{
    struct ike *ike = step->ike;
    struct v1_exchange *x = step->x;
    struct v1_parked *parked = calloc(1, sizeof(*parked));
    if (parked == NULL)
        return ERR_MEMORY;
    bool first = step->fresh && digest != NULL;
    const struct ike_parking about = {
        .serial = v1_ask(step),
        .remote = &step->sa->remote.addr,
        .stranger = !step->sa->initiator && !ike_sa_established(step->sa),
        .first = first};
    struct view text = digest != NULL ? chain_of(step->payloads) : view_of(NULL, 0);
    const char *what = step->works.asked != NULL ? ike_work_name(step->works.asked) : "";
    enum err err = about.serial != 0 ? ike_park(ike, &parked->about, &step->works, step->event,
                                                text, &about)
                                     : ERR_MEMORY;
    if (err != ERR_OK) {
        v1_parked_free(parked);
        return err;
    }
    parked->row = step->row;
    parked->fresh = first;
    parked->give_up = x->give_up;
    parked->at = x->timer.node.at;
    memcpy(parked->iv, step->iv, sizeof(parked->iv));
    if (digest != NULL)
        keep_message(parked, step, digest);
    x->parked = parked;
    v1_trace(ike, step->sa, x, EVENT_DEBUG, "Public-key operation", what);
    /* Nothing is repeated in the meantime. */
    x->give_up = mono_add(ike->now, ike->config.give_up_ms);
    ike_timer_set(ike, &x->timer, x->give_up);
    return ERR_OK;
}

/* Message 3 was good, so its half-open record has done its duty. */
static void close_record(struct ike *ike, const uint8_t *cookies)
{
    const struct ike_sa *sa = ike_sa_find(ike, cookies);
    if (sa == NULL || sa->main.parked != NULL)
        return;
    struct half_open *record = half_open_find(&ike->half_open, &sa->remote, cookies);
    if (record != NULL && memcmp(record->cookies, cookies, sizeof(record->cookies)) == 0)
        half_open_remove(ike, record);
}

static enum err run_again(struct ike *ike, struct v1_exchange *x, struct v1_parked *parked)
{
    struct ike_sa *sa = x->sa;
    struct v1_step step = v1_step_on(ike, x);
    uint8_t cookies[2 * ISAKMP_COOKIE_LEN];

    memcpy(cookies, sa->cookies, sizeof(cookies));
    memcpy(step.iv, parked->iv, sizeof(step.iv));
    step.row = parked->row;
    step.fresh = parked->fresh;
    step.works = parked->about.works;
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
    enum err err = v1_run(&step, parked->has_message ? parked->digest : NULL);
    ike_works_wipe(&step.works);
    if (!parked->fresh)
        return err;
    if (err != ERR_OK && step.quick != NULL)
        quick_free(ike, step.quick); /* a new one, that came to nothing */
    else if (err != ERR_OK)
        ike_sa_free(ike, sa);
    else if (step.quick == NULL)
        close_record(ike, cookies);
    return err;
}

bool v1_resume(struct ike *ike, uint64_t serial, struct ike_work *work, enum err *ret)
{
    struct map_node *node = map_find(&ike->questions, &serial);
    struct v1_exchange *x = node != NULL ? MAP_OWNER(node, struct v1_exchange, by_serial) : NULL;
    if (x == NULL || x->parked == NULL)
        return false;
    struct v1_parked *parked = x->parked;
    x->parked = NULL;
    v1_ask_over(ike, x);
    parked->about.works.done[parked->about.works.count++] = work;
    *ret = run_again(ike, x, parked);
    v1_parked_free(parked);
    return true;
}
