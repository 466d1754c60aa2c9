/*
 * Traffic held against a model. What was seen on the wire, each packet labelled with the messages
 * of the model that it may be, is sorted into exchanges, and each exchange is walked along the
 * model's ladders and state machines. The report says which exchanges follow the model, and where
 * one leaves it. Whoever calls has the packets dissected; nothing here reads a file. Everything
 * that is handed in is borrowed for as long as the report lives.
 *
 * Where the parties have machines, these judge: each has to find a path from its initial state to a
 * final one along the messages that it knows; what no machine knows is passed over. Else, and where
 * the traffic seen begins or ends too early for the machines, the exchange has to be one ladder
 * after the other, each walked from its beginning to its end.
 *
 * Messages that can't be told, and those between parties of which nothing was seen, are passed
 * over.
 */
#ifndef CYGNET_MODEL_MATCH_H
#define CYGNET_MODEL_MATCH_H

#include "model/ladder.h"
#include "model/model.h"

/* Messages of a model, by index. */
struct match_set {
    uint64_t bits[MODEL_MESSAGES_MAX / 64];
};

static inline void match_set_add(struct match_set *set, size_t message)
{
    set->bits[message / 64] |= UINT64_C(1) << (message % 64);
}

static inline bool match_set_has(const struct match_set *set, size_t message)
{
    return (set->bits[message / 64] >> (message % 64)) & 1;
}

struct match_end {
    const char *host; /* "192.0.2.1", "DNS" */
    unsigned port;    /* 0: none */
};

struct match_packet {
    uint64_t number; /* of the frame or the record */
    int64_t at_us;
    struct match_end from, to;
    const char *key; /* what its exchange is told by; "": by the two ends, ports included */
    struct match_set messages; /* what it may be; never empty */
};

struct match_input {
    const struct model *model;
    const struct match_packet *packets; /* in the order they were seen */
    size_t packet_count;
    /* An exchange is between two sides, and a side that is heard from another address has moved.
     * False: every host is a party of its own. */
    bool two_sides;
    /* Only messages of these hosts can have been seen; none: all can. */
    const char *const *observers;
    size_t observer_count;
    struct match_set visible;     /* messages that can be told */
    struct match_set sender_only; /* a receiving observer doesn't tell of these */
};

enum match_verdict {
    MATCH_FOLLOWS,
    MATCH_STOPS,  /* follows as far as it goes, which is not to an end */
    MATCH_LEAVES, /* at `departure` */
    MATCH_VERDICTS,
};

/* A message that would have followed the model. */
struct match_expected {
    size_t message, from, to;
};

enum { MATCH_HOSTS_MAX = 6, MATCH_EXPECTED_MAX = 16 };

struct match_exchange {
    const char *key;
    size_t *packets; /* indices into the input's */
    size_t packet_count;
    size_t *taken;    /* message that each was taken for; from the departure on MODEL_NONE */
    size_t *diagrams; /* the ladder that this message is in; MODEL_NONE: by_machines */
    enum match_verdict verdict;
    size_t departure; /* of its packets; packet_count: none */
    bool by_machines; /* the machines decided */
    struct match_expected
        expected[MATCH_EXPECTED_MAX]; /* in place of the departure, or at the stop */
    size_t expected_count;
    struct match_end hosts[MATCH_HOSTS_MAX];
    size_t parties[MATCH_HOSTS_MAX]; /* which party each host is */
    size_t host_count;
    size_t *from, *to; /* host of each packet; MODEL_NONE: one too many */
};

struct match_report {
    const struct match_input *input;
    struct match_exchange *exchanges; /* by their first packet */
    size_t exchange_count;
    size_t verdicts[MATCH_VERDICTS];
};

/* NULL: out of memory. */
MUST_USE struct match_report *match_run(const struct match_input *input);
void match_report_free(struct match_report *report);

/* "follows", "stops", "leaves" */
const char *match_verdict_name(enum match_verdict verdict);
/* "Response from Server, or Reset from Server"; cut to `room`. */
void match_expected_text(const struct match_report *report, const struct match_exchange *exchange,
                         char *ret, size_t room);
/* One exchange as a ladder, the departure marked. False: out of memory. */
MUST_USE bool match_draw(const struct match_report *report, size_t exchange, struct drawing *out);

#endif
