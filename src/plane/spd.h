/*
 * The SPD (RFC 4301 section 4.4.1): one entry for each pair of source and destination address in
 * use, as datagrams travel out. A bounded table in order of last use, to a second: moving an entry
 * at every datagram would touch its neighbours' memory too. It keeps entries; the states they are
 * in, and what those mean, are the business of state.h.
 */
#ifndef CYGNET_PLANE_SPD_H
#define CYGNET_PLANE_SPD_H

#include "base/heap.h"
#include "base/map.h"
#include "plane/list.h"
#include "plane/sad.h"
#include "plane/store.h"

/* OE draft section 3.1 (OE-015); there is no sixth (OE-016). */
enum spd_state {
    SPD_NONEXISTENT,
    SPD_HOLD,
    SPD_PASS,
    SPD_DENY,
    SPD_ENCRYPT,
    SPD_STATE_COUNT
};

enum { SPD_ORDER_MS = 1000 };

struct spd_key {
    struct ip_pair flow;
    uint8_t zero[2]; /* a map's key is a multiple of four octets */
};

/* What every datagram needs comes first, so that it takes few cache lines. */
struct spd_entry {
    struct map_node node;
    struct spd_key key;
    uint8_t state;           /* enum spd_state; set by spd_step() only */
    bool wanted;             /* in hold: a datagram waits for the answer */
    bool answered;           /* in hold: keyd knows of it */
    bool provisional;        /* pass or deny because no answer came: forgotten soon */
    bool configured;         /* it goes through a configured tunnel: never in the clear unasked */
    bool is_rule;            /* it is part of a struct spd_rule, see rules.h */
    struct sad_entry *sa;    /* in encrypt: the SA it names, never NULL */
    mono_t used;             /* MONO_NEVER before the first datagram */
    mono_t listen_at;        /* in encrypt: not before this is it asked whether anything comes back */
    mono_t placed;           /* when it came to the front of spd.by_use */
    uint64_t packets, octets;
    struct stored *first, *last;
    uint64_t ticket;         /* keyd's name for the flow or the rule */
    uint64_t note;           /* keyd's own words, kept for the keyd that comes after it */
    struct list by_use;      /* in spd.by_use, the latest first */
    struct list by_sa;       /* in sa->users */
    struct list by_hold;     /* in spd.by_hold, while datagrams are held */
    struct heap_node timer;  /* always in the heap, so that setting it can't fail */
    mono_t added;
    mono_t ask_at;           /* in hold: no acquire before */
    mono_t until;            /* end of hold, or of a provisional verdict */
    mono_t unanswered;       /* in encrypt: since then datagrams went out and none came in */
};

struct spd {
    struct map by_flow;
    struct list by_use;
    struct list by_hold; /* with held datagrams, the longest held last */
    struct heap timers;
    size_t limit;
};

void spd_init(struct spd *spd, size_t limit, const struct rng *rng);
void spd_fini(struct spd *spd); /* must be empty */

struct spd_key spd_key_of(const struct ip_pair *flow);
struct spd_entry *spd_find(const struct spd *spd, const struct spd_key *key);
/* A nonexistent entry in the table, to be given a state at once. The key must not be there, nor the
 * table be full. NULL: out of memory. */
struct spd_entry *spd_add(struct spd *spd, mono_t now, const struct spd_key *key);
/* An entry of no table, with its timer, for a rule. False: out of memory. */
MUST_USE bool spd_entry_init(struct spd *spd, mono_t now, struct spd_entry *entry);
/* Frees the entry; it must hold nothing and name no SA, and be no rule's. */
void spd_remove(struct spd *spd, struct spd_entry *entry);
/* A datagram of this flow came. */
void spd_use(struct spd *spd, mono_t now, struct spd_entry *entry, size_t octets);
bool spd_is_full(const struct spd *spd);
/* The entry that was not used for longest; NULL: there is none. */
struct spd_entry *spd_oldest(const struct spd *spd);
/* The entry whose datagrams are held longest; NULL: none. */
struct spd_entry *spd_oldest_hold(const struct spd *spd);
/* The next due entry; NULL: none. Its timer stands still until it is set again. */
struct spd_entry *spd_due(struct spd *spd, mono_t now);
void spd_set_timer(struct spd *spd, struct spd_entry *entry, mono_t at);

static inline const struct ip_pair *spd_flow(const struct spd_entry *entry)
{
    return &entry->key.flow;
}

#endif
