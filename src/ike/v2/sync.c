/*
 * Message ids after a fail-over (RFC 6311). A keying daemon that goes on from records that are not the last ones
 * would be ignored by its peers, and ignore them, until the SA is given up. It says so in a message that has the
 * id zero; both ends take ids beyond any that either can have used, and what was under way is said again.
 *
 * Ours are saved before each message that uses one up, so this is for records that were lost or copied late: an SA that
 * was resumed asks once, when a request of the peer's is ahead of it or its own find no answer. Replay counters
 * are not synchronised: a plane that lives has them, and SAs of one that died are made anew.
 */
#include <stdio.h>
#include <stdlib.h>

#include "ike/v2/v2.h"

enum { DATA_LEN = 12, AHEAD = 1 << 16, ID_MOST = UINT32_MAX - 4 * AHEAD };

struct v2_sync {
    struct v2_sa *sa;
    struct ike_timer timer;
    struct v2_sent out;
    uint32_t nonce, send_id, recv_id;
    uint32_t wait_ms;
    mono_t give_up;
};

/* What the notify says, as its sender sees it (section 6.3). */
struct said {
    uint32_t nonce, send_id, recv_id;
};

/* IKE_AUTH (section 5) */

void v2_sync_put_support(const struct v2_sa *sa, struct ike2_writer *w)
{
    if (sa->initiator || sa->sync_agreed)
        ike2_writer_notify(w, IKE2_N_IKEV2_MESSAGE_ID_SYNC_SUPPORTED, view_of(NULL, 0));
}

void v2_sync_read_support(const struct v2_step *step)
{
    struct ike2_notify n;
    step->sa->sync_agreed = v2_notified(step, IKE2_N_IKEV2_MESSAGE_ID_SYNC_SUPPORTED, &n);
}

/* Both ends */

static enum err build(struct ike *ike, struct v2_sa *sa, bool response, const struct said *said,
                      struct v2_sent *ret)
{
    uint8_t octets[DATA_LEN];
    struct builder b = builder_on(span_of(octets, sizeof(octets)));
    builder_u32(&b, said->nonce);
    builder_u32(&b, said->send_id);
    builder_u32(&b, said->recv_id);
    return v2_build_sync(ike, sa, response, builder_written(&b), ret);
}

/* Section 5.1: nothing else is in the message, but a request may speak of replay counters, which we ignore. */
static bool read_said(const struct ike2_payloads *payloads, bool response, struct said *ret)
{
    struct ike2_notify n, other;
    bool counters = ike2_notify_find(payloads, IKE2_N_IPSEC_REPLAY_COUNTER_SYNC, &other);
    if (!ike2_notify_find(payloads, IKE2_N_IKEV2_MESSAGE_ID_SYNC, &n) || n.data.len != DATA_LEN ||
        payloads->count != (counters && !response ? 2u : 1u))
        return false;
    struct cursor cur = cursor_of(n.data);
    ret->nonce = cursor_u32(&cur);
    ret->send_id = cursor_u32(&cur);
    ret->recv_id = cursor_u32(&cur);
    return ret->send_id < ID_MOST && ret->recv_id < ID_MOST;
}

static enum err refused(struct ike *ike)
{
    return v2_drop(ike, IKE_COUNT_SYNC_REFUSED, ERR_REPLAY);
}

static void tell(struct ike *ike, const struct v2_sa *sa)
{
    char text[80];
    snprintf(text, sizeof(text), "our next request is %u, the peer's %u", sa->next_out, sa->next_in);
    v2_trace(ike, sa, NULL, EVENT_INFO, "Message ids synchronized", text);
    ike_count(ike, IKE_COUNT_SYNCED);
}

/* What was out will not be answered under its old id. What can be said in the same words is; who wanted a child
 * asks again. */
static void say_again(struct ike *ike, struct v2_sa *sa)
{
    struct v2_exchange *was = sa->mine, *x;
    if (sa->theirs != NULL)
        v2_exchange_end(ike, sa->theirs);
    if (was != NULL && was->state == V2_N_I_WAIT_REPLY &&
        (x = v2_line_up(ike, sa, V2_N_I_START)) != NULL) {
        x->deletes = was->deletes;
        x->deletes_protocol = was->deletes_protocol;
        x->deletes_sa = was->deletes_sa;
        x->notify = was->notify;
        x->says = was->stale ? V2_SAYS_LITTLE : was->says;
        x->has_via = was->has_via;
        x->via = was->via;
        v2_line_first(sa, x);
    }
    if (was != NULL)
        v2_exchange_end(ike, was);
    v2_line_go(ike, sa);
}

/* The one who was resumed */

void v2_sync_free(struct ike *ike, struct v2_sa *sa)
{
    if (sa->sync == NULL)
        return;
    ike_timer_drop(ike, &sa->sync->timer);
    v2_sent_wipe(&sa->sync->out);
    free(sa->sync);
    sa->sync = NULL;
}

static void timer(struct ike *ike, struct ike_timer *timer)
{
    struct v2_sync *sync =
        (struct v2_sync *)(void *)((char *)timer - offsetof(struct v2_sync, timer));
    struct v2_sa *sa = sync->sa;
    if (mono_reached(ike->now, sync->give_up)) {
        v2_sync_free(ike, sa);
        v2_line_go(ike, sa);
        return;
    }
    v2_sent_repeat(ike, sa, &sa->path, &sync->out);
    sync->wait_ms *= 2;
    ike_timer_set(ike, timer, mono_add(ike->now, sync->wait_ms));
}

/* M1 is saved before it is said: after another fail-over nobody will say it twice. */
void v2_sync_begin(struct ike *ike, struct v2_sa *sa)
{
    struct v2_sync *sync;
    if (!sa->restored || !sa->sync_agreed || sa->dying || sa->next_out >= ID_MOST - AHEAD)
        return;
    sa->restored = false; /* section 7: once */
    sync = calloc(1, sizeof(*sync));
    if (sync == NULL || !ike_timer_add(ike, &sync->timer, timer)) {
        free(sync);
        ike_count(ike, IKE_COUNT_MEMORY);
        return;
    }
    sync->sa = sa;
    sync->nonce = rng_u32(&ike->env.rng);
    sync->send_id = sa->next_out = sa->next_out + AHEAD;
    sync->recv_id = sa->next_in;
    sync->wait_ms = ike->config.retransmit_ms;
    sync->give_up = mono_add(ike->now, ike->config.give_up_ms);
    sa->sync = sync;
    v2_trace(ike, sa, NULL, EVENT_WARNING, "Message ids may be stale", "the peer is asked for them");
    const struct said said = {sync->nonce, sync->send_id, sync->recv_id};
    enum err err = build(ike, sa, false, &said, &sync->out);
    v2_saved_sa(ike, sa);
    if (err != ERR_OK) {
        ike_count(ike, v2_counter_of(err));
        v2_sync_free(ike, sa);
        return;
    }
    v2_sent_repeat(ike, sa, &sa->path, &sync->out);
    ike_timer_set(ike, &sync->timer, mono_add(ike->now, sync->wait_ms));
}

/* A request that is ahead of what we know shows it, if it is the peer's. */
void v2_sync_ahead(struct ike *ike, struct v2_sa *sa, const struct ike2_header *header,
                   struct view datagram)
{
    struct ike2_payloads payloads = {.count = 0};
    uint8_t digest[V2_DIGEST_LEN] = {0}, critical;
    if (sa->restored && sa->sync_agreed && header->message_id > sa->next_in &&
        header->next_payload == IKE2_P_SK &&
        v2_open(ike, sa, header, datagram, digest, &payloads, &critical) == ERR_OK)
        v2_sync_begin(ike, sa);
}

bool v2_sync_is_answer(const struct v2_sa *sa, const struct ike2_header *header)
{
    return sa->sync != NULL && header->message_id == 0 && header->exchange == IKE2_INFORMATIONAL &&
           (sa->mine == NULL || sa->mine->id != 0);
}

enum err v2_sync_answer(struct ike *ike, struct v2_sa *sa, const struct ike2_header *header,
                        struct view datagram)
{
    const struct v2_sync *sync = sa->sync;
    struct ike2_payloads payloads = {.count = 0};
    uint8_t digest[V2_DIGEST_LEN] = {0}, critical;
    struct said said;
    enum err err = v2_open(ike, sa, header, datagram, digest, &payloads, &critical);
    if (err != ERR_OK)
        return err;
    if (!read_said(&payloads, true, &said) || said.nonce != sync->nonce ||
        said.recv_id < sync->send_id || said.send_id < sync->recv_id)
        return refused(ike);
    sa->next_out = said.recv_id; /* M2 */
    if (said.send_id > sa->next_in) {
        sa->next_in = said.send_id; /* P2 */
        sa->answered_any = false;
    }
    sa->heard = ike->now;
    v2_sync_free(ike, sa);
    v2_saved_sa(ike, sa);
    tell(ike, sa);
    say_again(ike, sa);
    return ERR_OK;
}

/* Its peer */

bool v2_sync_is_request(const struct v2_sa *sa, const struct ike2_header *header)
{
    return sa->sync_agreed && sa->established && sa->next_in != 0 && header->message_id == 0 &&
           header->exchange == IKE2_INFORMATIONAL;
}

/* Section 5.1. M2 is beyond M1, so that the request is behind the window when it is said once more. */
static enum err agree(struct ike *ike, struct v2_sa *sa, const struct said *asked, struct v2_sent *ret)
{
    const struct said said = {
        .nonce = asked->nonce,
        .send_id = asked->recv_id > sa->next_out ? asked->recv_id : sa->next_out,
        .recv_id = asked->send_id + 1,
    };
    enum err err = build(ike, sa, true, &said, ret);
    if (err != ERR_OK)
        return err;
    sa->next_out = said.send_id;
    sa->next_in = said.recv_id;
    return ERR_OK;
}

enum err v2_sync_request(struct ike *ike, struct v2_sa *sa, const struct ike_event *event,
                         const struct ike2_header *header, const uint8_t *digest)
{
    const struct v2_path back = {event->local, event->remote, event->natt};
    struct ike2_payloads payloads = {.count = 0};
    struct v2_sent answer = {.datagrams = {0}};
    uint8_t of_pieces[V2_DIGEST_LEN] = {0}, critical;
    struct said said;

    if (sa->answered_any && memcmp(sa->answered, digest, sizeof(sa->answered)) == 0) {
        v2_sent_repeat(ike, sa, &back, &sa->answer); /* the answer was lost */
        return v2_drop(ike, IKE_COUNT_DUPLICATE, ERR_REPLAY);
    }
    enum err err = v2_open(ike, sa, header, event->bytes, of_pieces, &payloads, &critical);
    if (err != ERR_OK)
        return err;
    if (!read_said(&payloads, false, &said) || said.send_id < sa->next_in)
        return refused(ike);
    err = agree(ike, sa, &said, &answer);
    if (err != ERR_OK)
        return v2_drop(ike, v2_counter_of(err), err);
    v2_sent_wipe(&sa->answer);
    sa->answer = answer;
    memcpy(sa->answered, digest, sizeof(sa->answered));
    sa->answered_any = true;
    sa->answered_at = sa->heard = ike->now;
    v2_saved_sa(ike, sa);
    v2_sent_repeat(ike, sa, &back, &sa->answer);
    tell(ike, sa);
    say_again(ike, sa);
    return ERR_OK;
}
