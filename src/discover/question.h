/*
 * DNS questions: those in flight or waiting for their turn (turn.h), and the answers kept until they
 * expire. Two who ask the same share one question. A question that somebody waits for or reads from is pinned and can't go away;
 * an answered one without pins lives until it expires or is the longest unused when room is needed.
 *
 * The table owns its questions. It decides nothing about what answers mean.
 */
#ifndef CYGNET_DISCOVER_QUESTION_H
#define CYGNET_DISCOVER_QUESTION_H

#include "base/err.h"
#include "base/heap.h"
#include "base/map.h"
#include "discover/discover.h"
#include "discover/turn.h"

/* Names are longer than a map's key, so the key is their SHA-256. */
struct question_key {
    uint8_t digest[32];
    uint32_t type;
};

struct question {
    struct map_node by_key, by_serial;
    struct question_key key;
    uint64_t serial;
    struct turn turn;               /* until it is answered */
    struct heap_node deadline;      /* not answered: timeout; unpinned: expiry */
    struct question *older, *newer; /* among the answered and unpinned, by last use */
    struct waiter *waiters;
    size_t pins;
    uint16_t type;
    char name[LIMIT_DNS_NAME];
    bool sent, answered;
    mono_t expires;           /* of the answer */
    struct dns_answer answer; /* rdata points into octets */
    uint8_t *octets;

    /* Who asked first: its step in the trace is that of the whole question. */
    struct ip_pair flow;
    uint64_t ticket;
    const char *label_query, *label_answer;
};

/* One request's hold on one question; lies inside the request. */
struct waiter {
    struct waiter *next, **link; /* link: what points to this one */
    struct question *question;   /* NULL: unused */
    void *request;
};

struct questions {
    struct map by_key, by_serial;
    struct heap deadlines;
    struct question *oldest, *newest;
    size_t cached, cache_limit; /* answered and unpinned */
    struct turns turns;
    uint64_t last_serial;
};

void questions_init(struct questions *qs, const struct rng *rng,
                    const struct discover_config *config);
/* Other limits, from now on. */
void questions_configure(struct questions *qs, const struct discover_config *config);
void questions_fini(struct questions *qs);

/* Not answered yet, or answered and either fresh or in use; else NULL. */
struct question *questions_find(struct questions *qs, mono_t now, uint16_t type, const char *name);
/* A new question that waits for its turn until the deadline, on behalf of a source. ERR_MEMORY. */
MUST_USE enum err questions_ask(struct questions *qs, mono_t deadline, uint16_t type,
                                const char *name, const struct ip_addr *behalf,
                                struct question **ret);
/* The next to be sent; in flight from now on until its new deadline. NULL: none. */
struct question *questions_next(struct questions *qs, mono_t deadline);
/* One that has to give up because too many wait; it stays for the caller to answer. NULL: none. */
struct question *questions_excess(const struct questions *qs);
/* The question in flight with this serial, or NULL. */
struct question *questions_by_serial(const struct questions *qs, uint64_t serial);
/* Copies the answer; the question is no longer in flight, nor waits. The caller must hold a pin
 * across it. */
MUST_USE enum err questions_answer(struct questions *qs, mono_t now, struct question *q,
                                   const struct dns_answer *answer);
/* The next one whose time has come: it has timed out and stays for the caller to answer. */
struct question *questions_timed_out(struct questions *qs, mono_t now);

void question_pin(struct questions *qs, struct question *q);
void question_unpin(struct questions *qs, mono_t now, struct question *q);
void question_wait(struct questions *qs, struct question *q, struct waiter *waiter);
void question_leave(struct questions *qs, mono_t now, struct waiter *waiter);

#endif
