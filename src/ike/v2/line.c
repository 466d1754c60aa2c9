/*
 * One request of ours at a time (section 2.3): the others stand in line. Deletes and re-keys of the
 * IKE SA go to its head, so that nothing new begins under an SA that is about to go.
 */
#include <assert.h>

#include "ike/v2/v2.h"

static void insert(struct v2_sa *sa, struct v2_exchange *x)
{
    bool first = x->state == V2_K_I_START || x->deletes_sa;
    if (first)
        TAILQ_INSERT_HEAD(&sa->waiting, x, of_line);
    else
        TAILQ_INSERT_TAIL(&sa->waiting, x, of_line);
    sa->waiting_count++;
    x->in_line = true;
}

struct v2_exchange *v2_line_up(struct ike *ike, struct v2_sa *sa, enum v2_state state)
{
    struct v2_exchange *x;
    if (sa->waiting_count >= V2_WAITING_MAX) {
        ike_count(ike, IKE_COUNT_LIMIT);
        return NULL;
    }
    if (v2_exchange_new(ike, sa, state, true, &x) != ERR_OK) {
        ike_count(ike, IKE_COUNT_MEMORY);
        return NULL;
    }
    insert(sa, x);
    return x;
}

void v2_line_first(struct v2_sa *sa, struct v2_exchange *x)
{
    TAILQ_REMOVE(&sa->waiting, x, of_line);
    TAILQ_INSERT_HEAD(&sa->waiting, x, of_line);
}

static bool may_begin(const struct v2_sa *sa, const struct v2_exchange *x)
{
    if (x->holds)
        return false;
    /* Nothing new under an SA that is replaced or going; it only says goodbye. */
    return (!sa->replaced && !sa->closing) || x->state == V2_N_I_START;
}

void v2_line_go(struct ike *ike, struct v2_sa *sa)
{
    struct v2_exchange *x;
    if (sa->mine != NULL || sa->sync != NULL || !sa->established || sa->dying)
        return;
    TAILQ_FOREACH (x, &sa->waiting, of_line)
        if (may_begin(sa, x))
            break;
    if (x == NULL)
        return;
    TAILQ_REMOVE(&sa->waiting, x, of_line);
    sa->waiting_count--;
    x->in_line = false;
    sa->mine = x;
    v2_start(ike, x);
}

/* `x->holds` and `x->hold_until` say whether it has to wait. */
void v2_line_up_again(struct v2_step *step)
{
    struct v2_exchange *x = step->x;
    struct v2_sa *sa = x->sa;
    assert(sa->mine == x);
    sa->mine = NULL;
    v2_sent_wipe(&x->out);
    insert(sa, x);
    /* Never from in here: whoever runs the exchange still looks at it. */
    ike_timer_set(step->ike, &x->timer, x->holds ? x->hold_until : step->ike->now);
}

bool v2_line_has(const struct v2_sa *sa, enum v2_state from, enum v2_state to)
{
    const struct v2_exchange *x;
    if (sa->mine != NULL && sa->mine->state >= from && sa->mine->state <= to)
        return true;
    TAILQ_FOREACH (x, &sa->waiting, of_line)
        if (x->state >= from && x->state <= to)
            return true;
    return false;
}
