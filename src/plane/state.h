/*
 * The datagram state machine of the OE draft, section 3.1: a table of SPD state x event. An event
 * without a row is counted and changes nothing. spd_step() is the only place where an entry's state
 * is set, where it comes to name an SA, and where the classifier is told.
 */
#ifndef CYGNET_PLANE_STATE_H
#define CYGNET_PLANE_STATE_H

#include "plane/spd.h"

struct plane;

enum spd_event {
    SPD_EV_DATAGRAM,
    SPD_EV_SET_HOLD, /* commands of keyd */
    SPD_EV_SET_PASS,
    SPD_EV_SET_DENY,
    SPD_EV_SET_ENCRYPT,
    SPD_EV_SET_TRAP,         /* for rules: hold, and ask when a datagram comes */
    SPD_EV_REMOVE,
    SPD_EV_SA_GONE,       /* the SAD entry it names expired or was deleted */
    SPD_EV_ASK_AGAIN,     /* time to repeat the acquire */
    SPD_EV_GIVE_UP_PASS,  /* hold lasted too long, and this is what the configuration wants then */
    SPD_EV_GIVE_UP_DENY,
    SPD_EV_GIVE_UP_WAIT,     /* the same for a rule, which stays in hold */
    SPD_EV_FORGET,        /* the end of a provisional verdict */
    SPD_EVENT_COUNT
};

struct spd_input {
    enum spd_event event;
    struct packet *packet; /* DATAGRAM */
    struct sad_entry *sa;  /* SET_ENCRYPT */
    uint64_t ticket, note; /* SET_* */
};

/* May free the entry: when the next state is nonexistent. */
/* Tells the classifier what the entry says. */
void spd_announce(struct plane *plane, const struct spd_entry *entry);
void spd_step(struct plane *plane, struct spd_entry *entry, const struct spd_input *input);
/* The entry's time has come. */
void spd_timer(struct plane *plane, struct spd_entry *entry);
/* keyd is back: it may have lost what it was asked. */
void spd_ask_anew(struct plane *plane, struct spd_entry *entry);
/* A fresh entry for a pair, in nonexistent, evicting the oldest if there is no room. NULL: out of
 * memory. */
struct spd_entry *spd_create(struct plane *plane, const struct spd_key *key);

enum pfkey_verdict spd_verdict(enum spd_state state);
const char *spd_state_name(enum spd_state state);
const char *spd_event_name(enum spd_event event);
/* The table as data: the state after the event, or SPD_STATE_COUNT without a row. */
enum spd_state spd_next_state(enum spd_state state, enum spd_event event);
/* "keep as last": what the row does; NULL without a row. */
const char *spd_row_story(enum spd_state state, enum spd_event event);

#endif
