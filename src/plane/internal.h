/*
 * The plane's inside: its tables, and how its parts call each other. A datagram's way is
 * outbound.c -> state.c -> outbound.c (encrypt); keyd's is control.c -> state.c; time's is plane.c
 * -> lifetime.c and state.c. What the plane tells keyd is built in notify.c and nowhere else.
 */
#ifndef CYGNET_PLANE_INTERNAL_H
#define CYGNET_PLANE_INTERNAL_H

#include "plane/counters.h"
#include "plane/limiter.h"
#include "plane/path_mtu.h"
#include "plane/plane.h"
#include "plane/rules.h"
#include "plane/sad.h"
#include "plane/spd.h"
#include "plane/state.h"
#include "plane/store.h"

enum {
    PLANE_ASK_MS = 1100,            /* below one acquire a second (OE-021) */
    PLANE_PROVISIONAL_MS = 60000,   /* life of a verdict that keyd didn't give */
    PLANE_LARVAL_MS = 60000,        /* an SPI handed out and not used */
    PLANE_UNKNOWN_SPI_MS = 1000,    /* one report for a source (OE-072) */
    PLANE_UNKNOWN_SPI_RATE = 100,   /* reports a second together */
    PLANE_MOVE_REPORT_MS = 1000,    /* one report of an SA whose peer is elsewhere */
    PLANE_LOST_RATE = 100,          /* searches a second for SAs whose source is gone */
    PLANE_LISTEN_MS = 1000,         /* how often a flow that sends is asked whether anything comes back */
    PLANE_PAUSE_MS = 10000,         /* a flow that was silent so long begins to wait anew */
    PLANE_SILENCE_MS = 20000,       /* unanswered so long, the peer may be gone */
    PLANE_ICMP_MS = 50,             /* one ICMP error for a source (RFC 1812 section 4.3.2.8) */
    PLANE_ICMP_RATE = 1000,
};

/* Datagrams on their way into one SA, collected so that they are encrypted together. */
struct plane_burst {
    struct sad_entry *sa; /* NULL: empty */
    size_t count;
    struct packet *packets[LIMIT_BURST];
};

struct plane {
    struct plane_config config; /* defaults filled in */
    struct plane_env env;
    mono_t now;                 /* of the call we are in */
    bool keyd_present;
    uint32_t last_seq;          /* of the acquires */
    struct spd spd;
    struct rules rules;
    struct sad sad;
    struct store store;
    struct path_mtus mtus;
    struct limiter unknown_spi, lost, icmp;
    struct plane_burst burst;
    uint64_t counters[PLANE_COUNTER_COUNT];
};

static inline void plane_count(struct plane *plane, enum plane_counter which)
{
    plane->counters[which]++;
}

/* Every door begins with it: the time, and the end of packets lent by the call before. */
static inline void plane_enter(struct plane *plane, mono_t now)
{
    plane->now = now;
    store_reclaim(&plane->store);
}

static inline struct view packet_view(const struct packet *packet)
{
    return view_of(packet_data(packet), packet->len);
}

/* notify.c: what keyd is told */
void notify_send(struct plane *plane, const struct pfkey_message *message);
void notify_acquire(struct plane *plane, const struct spd_entry *entry);
void notify_expire(struct plane *plane, const struct sad_entry *sa, bool hard);
/* About a flow and, unless NULL, the SA it goes through. */
void notify_trace(struct plane *plane, enum pfkey_trace trace, const struct ip_pair *flow,
                  uint64_t ticket, const struct sad_entry *sa);
void notify_new_mapping(struct plane *plane, const struct sad_entry *sa,
                        const struct ip_endpoint *from);
/* ADR-099: an outbound SA and its siblings are to have these ends; of no family: the one they have. */
void notify_addupd(struct plane *plane, const struct sad_entry *sa, const struct ip_addr *new_src,
                   const struct ip_addr *new_dst);
void notify_unknown_spi(struct plane *plane, uint32_t spi, bool ah, const struct ip_addr *src);
/* Of an entry in encrypt: its datagrams go out and nothing has come back for a while. */
void notify_silence(struct plane *plane, const struct spd_entry *entry);
/* When the SAs of the entry's ticket last brought something in; MONO_NEVER: not yet. */
mono_t notify_last_heard(const struct plane *plane, const struct spd_entry *entry);
/* Fill in what a message says about an SA or a policy, `has` included. Never keys. */
void notify_describe_sa(const struct plane *plane, const struct sad_entry *sa,
                        struct pfkey_message *ret);
void notify_describe_policy(const struct plane *plane, const struct spd_entry *entry,
                            struct pfkey_message *ret);

/* outbound.c */
/* Into the burst of the SA that the entry names; cut or refused before if it doesn't fit. Bursts
 * that are sent meanwhile may end SAs, and so send entries, this one too, back to hold. */
void outbound_encrypt(struct plane *plane, struct spd_entry *entry, struct packet *packet);
/* The rule or the pair's entry for a datagram; NULL: neither is there. *ret_key is filled in. False:
 * it is malformed. */
bool outbound_find(const struct plane *plane, struct view datagram, struct spd_key *ret_key,
                   struct spd_entry **ret);
/* Encrypts and sends what was collected, with the same effect on SAs and entries. */
void outbound_flush(struct plane *plane);
/* An ICMP error to the source of an outbound datagram, if the rate allows one. */
void outbound_icmp_prohibited(struct plane *plane, const struct packet *packet);

/* lifetime.c: soft and hard limits of SAs */
void lifetime_start(struct plane *plane, struct sad_entry *sa);
/* After a burst: tells keyd of a limit that was reached, and ends the SA at a hard one. */
void lifetime_check(struct plane *plane, struct sad_entry *sa);
/* The SA's time has come: a limit in seconds, or the end of a larval one. */
void lifetime_timer(struct plane *plane, struct sad_entry *sa);
/* How many of these packets a hard limit leaves to an outbound SA. */
size_t lifetime_allows(const struct sad_entry *sa, struct packet *const *packets, size_t count);
/* The hard limit was reached: keyd is told, SPD entries go back to hold (OE-031). */
void lifetime_expire(struct plane *plane, struct sad_entry *sa);
/* Ends an SA; SPD entries that name it go back to hold. */
void lifetime_end(struct plane *plane, struct sad_entry *sa);

#endif
