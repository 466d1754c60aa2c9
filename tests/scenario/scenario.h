/*
 * Scenarios in virtual time: a text file says what happens to the gateways of the simulator
 * (tests/sim), which are made of the real control and plane objects, and what must come of it.
 * README.md explains the language. A scenario stops at the first line that fails, and names it.
 *
 * words.c takes a line apart; setup.c, play.c and expect.c hold the verbs; watch.c is what the
 * simulator tells.
 */
#ifndef CYGNET_TESTS_SCENARIO_SCENARIO_H
#define CYGNET_TESTS_SCENARIO_SCENARIO_H

#include "../sim/world.h"

enum {
    WORDS_MAX = 24,
    LINE_MAX_OCTETS = 400,
    NAME_MAX_OCTETS = 24,
    SCENARIO_HOSTS = SIM_GATEWAYS * SIM_HOSTS,
    SCENARIO_DATAGRAMS = 100000,
};

struct words {
    const char *at[WORDS_MAX];
    size_t count, next;
};

/* A list that grows; what was noted since the last `mark`. */
struct notes {
    void *items;
    size_t count, room;
};

struct note_query {
    uint16_t type;
    char name[LIMIT_DNS_NAME];
};

struct note_record {
    int64_t at_us;
    struct event_record record;
};

struct scenario_gateway {
    char name[NAME_MAX_OCTETS];
    struct sim_gateway *g;
    bool cut;
    int64_t dns_us; /* for questions about its address; below 0: as the rest */
    uint64_t ike, esp, clear;
    struct notes queries, records;
};

struct scenario_host {
    char name[NAME_MAX_OCTETS];
    struct sim_host *host;
    int64_t dns_us;
    struct notes got; /* uint32_t: numbers of datagrams, in order of arrival */
};

enum dns_manner { DNS_ANSWERS, DNS_IS_SILENT };

struct scenario {
    struct world world;
    const char *file;
    unsigned line;
    bool failed;
    bool started;      /* the first step in time was taken; no more setup */
    enum dns_manner dns;
    uint32_t datagrams; /* numbered from 1 as they are sent */
    struct scenario_gateway gateways[SIM_GATEWAYS];
    struct scenario_host hosts[SCENARIO_HOSTS];
    size_t host_count;
};

/* Reports FILE:LINE: and the text, once, and returns false. */
bool scenario_fail(struct scenario *s, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* Runs to that moment of the scenario; false if a rule of the simulator broke. */
bool scenario_run_to(struct scenario *s, int64_t us);
int64_t scenario_now(const struct scenario *s); /* since its start */

/* A verb reads its words and does its work; false: scenario_fail() has been called. */
typedef bool verb_fn(struct scenario *s, struct words *w);
struct verb {
    const char *name;
    verb_fn *run;
    bool setup; /* only before the first step in time */
};
/* Ends with a NULL name. */
extern const struct verb setup_verbs[], play_verbs[];
bool verb_expect(struct scenario *s, struct words *w);
bool verb_host(struct scenario *s, struct words *w); /* alice pings bob ... */
/* Runs what is left of the line. */
bool scenario_command(struct scenario *s, struct words *w);

/* words.c: `words_` take the next word, or fail and say what was wanted. */
bool words_split(struct scenario *s, char *line, struct words *ret);
const char *words_peek(const struct words *w);           /* NULL: no more */
bool words_accept(struct words *w, const char *word);    /* takes it if it comes next */
bool words_text(struct scenario *s, struct words *w, const char *what, const char **ret);
bool words_number(struct scenario *s, struct words *w, uint64_t *ret);
bool words_time(struct scenario *s, struct words *w, int64_t *ret_us); /* 0.5s 20ms 3m 1h */
bool words_addr(struct scenario *s, struct words *w, struct ip_addr *ret);
bool words_prefix(struct scenario *s, struct words *w, struct ip_prefix *ret);
bool words_class(struct scenario *s, struct words *w, enum oe_class_kind *ret);
bool words_gateway(struct scenario *s, struct words *w, struct scenario_gateway **ret);
bool words_host(struct scenario *s, struct words *w, struct scenario_host **ret);
/* "alice bob": the pair as the gateway's own datagrams travel. */
bool words_flow(struct scenario *s, struct words *w, struct ip_pair *ret);
/* The index of a word in a list ending with NULL. */
bool words_choice(struct scenario *s, struct words *w, const char *what, const char *const *list,
                  size_t *ret);
bool words_end(struct scenario *s, const struct words *w);
struct scenario_gateway *find_gateway(struct scenario *s, const char *name);
struct scenario_host *find_host(struct scenario *s, const char *name);

/* watch.c */
void watch_start(struct scenario *s);
void watch_mark(struct scenario *s); /* forget what was noted */
void watch_fini(struct scenario *s);
/* A datagram leaves for a gateway `delay_us` from now; it asks for a reply or doesn't. */
void watch_send(struct scenario *s, struct sim_gateway *from, const struct ip_pair *flow,
                int64_t delay_us, bool wants_reply);

#endif
