#include "plane/state.h"

#include <assert.h>

#include "plane/internal.h"

typedef void spd_action(struct plane *plane, struct spd_entry *entry,
                        const struct spd_input *input);

/* What happens to held datagrams */

static unsigned drop_held(struct plane *plane, struct spd_entry *entry)
{
    unsigned count = store_discard(&plane->store, &entry->first);
    count += store_discard(&plane->store, &entry->last);
    list_remove(&entry->by_hold);
    return count;
}

/* As if it came now. An SA may end under the first of two: then the second is held again. */
static void release_one(struct plane *plane, struct spd_entry *entry, struct packet *packet)
{
    struct spd_input input = {.event = SPD_EV_DATAGRAM, .packet = packet};
    if (packet != NULL)
        spd_step(plane, entry, &input);
}

/* "first", then "last", under the new verdict (OE-025, OE-030). */
static void release(struct plane *plane, struct spd_entry *entry, const struct spd_input *input)
{
    (void)input;
    struct packet *first = store_release(&plane->store, &entry->first);
    struct packet *last = store_release(&plane->store, &entry->last);
    list_remove(&entry->by_hold);
    if (first != NULL)
        notify_trace(plane, PFKEY_TRACE_RELEASED, spd_flow(entry), entry->ticket, entry->sa);
    release_one(plane, entry, first);
    release_one(plane, entry, last);
}

/* OE-027 */
static void discard(struct plane *plane, struct spd_entry *entry, const struct spd_input *input)
{
    (void)input;
    unsigned count = drop_held(plane, entry);
    if (count == 0)
        return;
    plane->counters[PLANE_COUNT_drop_hold_discarded] += count;
    notify_trace(plane, PFKEY_TRACE_DISCARDED, spd_flow(entry), entry->ticket, NULL);
}

/* Hold */

static void set_hold_timer(struct plane *plane, struct spd_entry *entry)
{
    bool asks = entry->wanted && !entry->answered && plane->keyd_present;
    spd_set_timer(&plane->spd, entry, asks ? mono_min(entry->until, entry->ask_at) : entry->until);
}

static void begin_hold(struct plane *plane, struct spd_entry *entry)
{
    entry->until = mono_add(plane->now, plane->config.hold_ms);
    entry->ask_at = plane->now;
    entry->wanted = false;
    set_hold_timer(plane, entry);
}

/* OE-018, OE-021 */
static void ask(struct plane *plane, struct spd_entry *entry, const struct spd_input *input)
{
    (void)input;
    bool due = mono_reached(plane->now, entry->ask_at);
    if (due && entry->wanted && !entry->answered && plane->keyd_present) {
        entry->ask_at = mono_add(plane->now, PLANE_ASK_MS);
        notify_acquire(plane, entry);
    }
    set_hold_timer(plane, entry);
}

/* OE-023, OE-194: the longest held make room; their flows stay in hold. */
static void make_room(struct plane *plane, const struct spd_entry *entry, size_t len)
{
    const struct stored *slot = entry->first == NULL ? NULL : entry->last;
    struct spd_entry *oldest;

    if (!store_could_hold(&plane->store, len))
        return;
    while (!store_has_room(&plane->store, slot, len) &&
           (oldest = spd_oldest_hold(&plane->spd)) != NULL && oldest != entry)
        plane->counters[PLANE_COUNT_drop_hold_evicted] += drop_held(plane, oldest);
}

static mono_t hold_end(const struct plane *plane)
{
    return mono_add(plane->now, plane->config.hold_ms);
}

/* OE-022: "first" stays, the newest replaces "last". */
static void keep(struct plane *plane, struct spd_entry *entry, const struct spd_input *input)
{
    bool was_first = entry->first == NULL;
    bool replaces = !was_first && entry->last != NULL;
    struct stored **slot = was_first ? &entry->first : &entry->last;

    if (mono_is_never(entry->until))
        entry->until = hold_end(plane);
    make_room(plane, entry, input->packet->len);
    if (!store_hold(&plane->store, slot, input->packet)) {
        plane_count(plane, PLANE_COUNT_drop_hold_full); /* OE-023 */
    } else if (replaces) {
        plane_count(plane, PLANE_COUNT_drop_hold_replaced);
    } else if (was_first) {
        list_push(&plane->spd.by_hold, &entry->by_hold);
        plane_count(plane, PLANE_COUNT_trace_held);
        notify_trace(plane, PFKEY_TRACE_FIRST_HELD, spd_flow(entry), entry->ticket, NULL);
    }
    if (!entry->wanted || mono_reached(plane->now, entry->ask_at)) {
        entry->wanted = true;
        ask(plane, entry, input);
    }
}

/* OE-017, OE-019 */
static void open_hold(struct plane *plane, struct spd_entry *entry, const struct spd_input *input)
{
    begin_hold(plane, entry);
    keep(plane, entry, input);
}

/* keyd knows of the hold, so it need not be asked. */
static void told_to_hold(struct plane *plane, struct spd_entry *entry,
                         const struct spd_input *input)
{
    (void)input;
    begin_hold(plane, entry);
    entry->answered = true;
    entry->wanted = entry->first != NULL;
    set_hold_timer(plane, entry);
}

/* A rule that keyd does nothing about until there is something to carry. */
static void trap(struct plane *plane, struct spd_entry *entry, const struct spd_input *input)
{
    begin_hold(plane, entry);
    entry->wanted = entry->first != NULL;
    if (!entry->wanted)
        entry->until = MONO_NEVER;
    ask(plane, entry, input);
}

/* OE-031: the next datagram asks again. */
static void back_to_hold(struct plane *plane, struct spd_entry *entry,
                         const struct spd_input *input)
{
    (void)input;
    begin_hold(plane, entry);
    entry->answered = false;
}

/* The end of a hold without an answer (OE-023) */

static void provisionally(struct plane *plane, struct spd_entry *entry)
{
    plane_count(plane, PLANE_COUNT_hold_gave_up);
    entry->provisional = true;
    entry->until = mono_add(plane->now, PLANE_PROVISIONAL_MS);
    spd_set_timer(&plane->spd, entry, entry->until);
}

/* What is configured never passes in the clear, and is not denied for good either. */
static void give_up_wait(struct plane *plane, struct spd_entry *entry,
                         const struct spd_input *input)
{
    plane_count(plane, PLANE_COUNT_hold_gave_up);
    discard(plane, entry, input);
    entry->answered = false;
    trap(plane, entry, input);
}

static void give_up_pass(struct plane *plane, struct spd_entry *entry,
                         const struct spd_input *input)
{
    provisionally(plane, entry);
    release(plane, entry, input);
}

static void give_up_deny(struct plane *plane, struct spd_entry *entry,
                         const struct spd_input *input)
{
    provisionally(plane, entry);
    discard(plane, entry, input);
}

/* What happens to a datagram under a verdict */

static void forward(struct plane *plane, struct spd_entry *entry, const struct spd_input *input)
{
    (void)entry;
    plane_count(plane, PLANE_COUNT_out_clear);
    plane->env.out(plane->env.ctx, PLANE_OUT_CLEAR, input->packet);
}

static void encrypt(struct plane *plane, struct spd_entry *entry, const struct spd_input *input)
{
    outbound_encrypt(plane, entry, input->packet);
}

static void refuse(struct plane *plane, struct spd_entry *entry, const struct spd_input *input)
{
    (void)entry;
    plane_count(plane, PLANE_COUNT_drop_denied);
    if (plane->config.icmp_on_deny) /* OE-028 */
        outbound_icmp_prohibited(plane, input->packet);
}

struct transition {
    spd_action *action;
    enum spd_state next;
    const char *story;
};

/*
 * Section 3.1. Pass, deny and encrypt are entered by command of keyd only (OE-024, OE-026, OE-029),
 * but for a hold that nobody answers; a command may create an entry in any state (OE-032).
 */
/* clang-format off */
static const struct transition table[SPD_STATE_COUNT][SPD_EVENT_COUNT] = {
    /* 3.1.1 nonexistent: the entry is made for a first datagram, or by keyd (OE-017, OE-032) */
    [SPD_NONEXISTENT] = {
        [SPD_EV_DATAGRAM]     = {open_hold,    SPD_HOLD,        "keep as first, send acquire"},
        [SPD_EV_SET_HOLD]     = {told_to_hold, SPD_HOLD,        "wait"},
        [SPD_EV_SET_PASS]     = {release,      SPD_PASS,        "begin to forward"},
        [SPD_EV_SET_DENY]     = {discard,      SPD_DENY,        "begin to discard"},
        [SPD_EV_SET_ENCRYPT]  = {release,      SPD_ENCRYPT,     "begin to encrypt"},
        [SPD_EV_SET_TRAP]     = {trap,         SPD_HOLD,        "wait: a datagram asks"},
        [SPD_EV_REMOVE]       = {discard,      SPD_NONEXISTENT, "forget"},
    },
    /* 3.1.2 hold: nothing is forwarded (OE-020) */
    [SPD_HOLD] = {
        [SPD_EV_DATAGRAM]     = {keep,         SPD_HOLD,        "keep as last"},
        [SPD_EV_SET_HOLD]     = {told_to_hold, SPD_HOLD,        "wait: keyd knows of it"},
        [SPD_EV_SET_PASS]     = {release,      SPD_PASS,        "forward first and last"},
        [SPD_EV_SET_DENY]     = {discard,      SPD_DENY,        "discard first and last"},
        [SPD_EV_SET_ENCRYPT]  = {release,      SPD_ENCRYPT,     "encrypt first and last"},
        [SPD_EV_SET_TRAP]     = {trap,         SPD_HOLD,        "wait: a datagram asks"},
        [SPD_EV_REMOVE]       = {discard,      SPD_NONEXISTENT, "discard first and last, forget"},
        [SPD_EV_ASK_AGAIN]    = {ask,          SPD_HOLD,        "repeat acquire"},
        [SPD_EV_GIVE_UP_PASS] = {give_up_pass, SPD_PASS,        "no answer: forward both"},
        [SPD_EV_GIVE_UP_DENY] = {give_up_deny, SPD_DENY,        "no answer: discard both"},
        [SPD_EV_GIVE_UP_WAIT] = {give_up_wait, SPD_HOLD,        "no answer: discard both, ask anew"},
    },
    /* 3.1.3 pass-through */
    [SPD_PASS] = {
        [SPD_EV_DATAGRAM]     = {forward,      SPD_PASS,        "forward in the clear"},
        [SPD_EV_SET_HOLD]     = {told_to_hold, SPD_HOLD,        "wait"},
        [SPD_EV_SET_PASS]     = {release,      SPD_PASS,        "go on"},
        [SPD_EV_SET_DENY]     = {discard,      SPD_DENY,        "begin to discard"},
        [SPD_EV_SET_ENCRYPT]  = {release,      SPD_ENCRYPT,     "begin to encrypt"},
        [SPD_EV_SET_TRAP]     = {trap,         SPD_HOLD,        "wait: a datagram asks"},
        [SPD_EV_REMOVE]       = {discard,      SPD_NONEXISTENT, "forget"},
        [SPD_EV_FORGET]       = {discard,      SPD_NONEXISTENT, "forget: the next datagram asks"},
    },
    /* 3.1.4 deny */
    [SPD_DENY] = {
        [SPD_EV_DATAGRAM]     = {refuse,       SPD_DENY,        "discard"},
        [SPD_EV_SET_HOLD]     = {told_to_hold, SPD_HOLD,        "wait"},
        [SPD_EV_SET_PASS]     = {release,      SPD_PASS,        "begin to forward"},
        [SPD_EV_SET_DENY]     = {discard,      SPD_DENY,        "go on"},
        [SPD_EV_SET_ENCRYPT]  = {release,      SPD_ENCRYPT,     "begin to encrypt"},
        [SPD_EV_SET_TRAP]     = {trap,         SPD_HOLD,        "wait: a datagram asks"},
        [SPD_EV_REMOVE]       = {discard,      SPD_NONEXISTENT, "forget"},
        [SPD_EV_FORGET]       = {discard,      SPD_NONEXISTENT, "forget: the next datagram asks"},
    },
    /* 3.1.5 encrypt */
    [SPD_ENCRYPT] = {
        [SPD_EV_DATAGRAM]     = {encrypt,      SPD_ENCRYPT,     "encrypt with the SA it names"},
        [SPD_EV_SET_HOLD]     = {told_to_hold, SPD_HOLD,        "wait"},
        [SPD_EV_SET_PASS]     = {release,      SPD_PASS,        "begin to forward in the clear"},
        [SPD_EV_SET_DENY]     = {discard,      SPD_DENY,        "begin to discard"},
        [SPD_EV_SET_ENCRYPT]  = {release,      SPD_ENCRYPT,     "go on with the SA now named"},
        [SPD_EV_SET_TRAP]     = {trap,         SPD_HOLD,        "wait: a datagram asks"},
        [SPD_EV_REMOVE]       = {discard,      SPD_NONEXISTENT, "forget"},
        [SPD_EV_SA_GONE]      = {back_to_hold, SPD_HOLD,        "wait: the next datagram asks"},
    },
};
/* clang-format on */

static void name_sa(struct spd_entry *entry, struct sad_entry *sa)
{
    list_remove(&entry->by_sa);
    entry->sa = sa;
    if (sa == NULL)
        return;
    list_push(&sa->users, &entry->by_sa);
    entry->configured = sa->params.interface == SA_CONFIGURED;
}

/* The kernel must keep handing us what we answer with an ICMP error (OE-028), and what may fall
 * under a rule, whatever the entry for the pair says. */
void spd_announce(struct plane *plane, const struct spd_entry *entry)
{
    enum pfkey_verdict verdict = spd_verdict(entry->state);
    if (entry->is_rule)
        return;
    if (verdict != PFKEY_VERDICT_NONE && rules_cover(&plane->rules, spd_flow(entry)))
        verdict = PFKEY_VERDICT_HOLD;
    if (verdict == PFKEY_VERDICT_DENY && plane->config.icmp_on_deny)
        verdict = PFKEY_VERDICT_HOLD;
    plane->env.verdict(plane->env.ctx, spd_flow(entry), verdict);
}

static bool is_command(enum spd_event event)
{
    return event >= SPD_EV_SET_HOLD && event <= SPD_EV_SET_TRAP;
}

void spd_step(struct plane *plane, struct spd_entry *entry, const struct spd_input *input)
{
    const struct transition *row = &table[entry->state][input->event];
    if (row->action == NULL) {
        plane_count(plane, PLANE_COUNT_no_transition);
        return;
    }
    bool changed = entry->state != row->next;
    entry->state = (uint8_t)row->next;
    if (row->next != SPD_ENCRYPT)
        name_sa(entry, NULL);
    if (is_command(input->event)) {
        name_sa(entry, input->sa);
        entry->ticket = input->ticket;
        entry->note = input->note;
    }
    assert((entry->state == SPD_ENCRYPT) == (entry->sa != NULL));
    if (changed || is_command(input->event)) {
        entry->provisional = entry->answered = false;
        spd_set_timer(&plane->spd, entry, HEAP_IDLE);
        spd_announce(plane, entry);
    }
    row->action(plane, entry, input);
    if (row->next == SPD_NONEXISTENT && !entry->is_rule)
        spd_remove(&plane->spd, entry);
}

void spd_timer(struct plane *plane, struct spd_entry *entry)
{
    bool over = mono_reached(plane->now, entry->until);
    bool passes = plane->config.hold_failure == PFKEY_VERDICT_PASS && !entry->configured;
    struct spd_input input = {.event = SPD_EV_ASK_AGAIN};
    if (entry->state != SPD_HOLD)
        input.event = SPD_EV_FORGET;
    else if (over && entry->is_rule)
        input.event = SPD_EV_GIVE_UP_WAIT;
    else if (over)
        input.event = passes ? SPD_EV_GIVE_UP_PASS : SPD_EV_GIVE_UP_DENY;
    spd_step(plane, entry, &input);
}

void spd_ask_anew(struct plane *plane, struct spd_entry *entry)
{
    if (entry->state != SPD_HOLD)
        return;
    struct spd_input input = {.event = SPD_EV_ASK_AGAIN};
    entry->answered = false;
    entry->ask_at = plane->now;
    spd_step(plane, entry, &input);
}

struct spd_entry *spd_create(struct plane *plane, const struct spd_key *key)
{
    if (spd_is_full(&plane->spd)) {
        struct spd_input input = {.event = SPD_EV_REMOVE};
        plane_count(plane, PLANE_COUNT_spd_evicted);
        spd_step(plane, spd_oldest(&plane->spd), &input);
    }
    return spd_add(&plane->spd, plane->now, key);
}

enum pfkey_verdict spd_verdict(enum spd_state state)
{
    static const enum pfkey_verdict verdicts[SPD_STATE_COUNT] = {
        [SPD_NONEXISTENT] = PFKEY_VERDICT_NONE, [SPD_HOLD] = PFKEY_VERDICT_HOLD,
        [SPD_PASS] = PFKEY_VERDICT_PASS,        [SPD_DENY] = PFKEY_VERDICT_DENY,
        [SPD_ENCRYPT] = PFKEY_VERDICT_ENCRYPT,
    };
    return verdicts[state];
}

const char *spd_state_name(enum spd_state state)
{
    static const char *const names[SPD_STATE_COUNT] = {
        [SPD_NONEXISTENT] = "nonexistent",
        [SPD_HOLD] = "hold",
        [SPD_PASS] = "pass",
        [SPD_DENY] = "deny",
        [SPD_ENCRYPT] = "encrypt",
    };
    return names[state];
}

const char *spd_event_name(enum spd_event event)
{
    static const char *const names[SPD_EVENT_COUNT] = {
        [SPD_EV_DATAGRAM] = "datagram",
        [SPD_EV_SET_HOLD] = "set hold",
        [SPD_EV_SET_PASS] = "set pass",
        [SPD_EV_SET_DENY] = "set deny",
        [SPD_EV_SET_ENCRYPT] = "set encrypt",
        [SPD_EV_SET_TRAP] = "set trap",
        [SPD_EV_REMOVE] = "remove",
        [SPD_EV_SA_GONE] = "SA gone",
        [SPD_EV_ASK_AGAIN] = "ask again",
        [SPD_EV_GIVE_UP_PASS] = "give up, pass",
        [SPD_EV_GIVE_UP_DENY] = "give up, deny",
        [SPD_EV_GIVE_UP_WAIT] = "give up, wait",
        [SPD_EV_FORGET] = "forget",
    };
    return names[event];
}

enum spd_state spd_next_state(enum spd_state state, enum spd_event event)
{
    const struct transition *row = &table[state][event];
    return row->action != NULL ? row->next : SPD_STATE_COUNT;
}

const char *spd_row_story(enum spd_state state, enum spd_event event)
{
    return table[state][event].story;
}
