/*
 * A week of many gateways: hosts that talk by day more than by night, gateways that are switched on
 * and off, keys that roll over, delegations that come and go, daemons that crash, lines and DNS that
 * fail. The simulator (world.h) runs them; the rules of checks.c and of week_rules.c watch.
 *
 * A gateway that is off has no Cygnet and no delegation: its hosts talk in clear. A flow is one
 * conversation of two hosts, and counts as encrypted if most of what arrived came through a tunnel.
 */
#ifndef CYGNET_TESTS_SIM_WEEK_H
#define CYGNET_TESTS_SIM_WEEK_H

#include "world.h"

#define WEEK_SECOND_US INT64_C(1000000)
#define WEEK_MINUTE_US (60 * WEEK_SECOND_US)
#define WEEK_HOUR_US (60 * WEEK_MINUTE_US)
#define WEEK_DAY_US (24 * WEEK_HOUR_US)

enum {
    WEEK_TTL_S = 900,
    WEEK_LIFESPAN_S = 1200, /* as the engine's normal lifespan */
    WEEK_DAYS_MAX = 28,
};

struct week_config {
    unsigned gateways, days;
    unsigned enabled;  /* percent */
    unsigned sessions; /* a gateway begins each day */
    uint64_t seed;
    bool faults;       /* also gateways switched on and off, and hosts with wrong delegations */
    int watch;         /* print what this gateway does; below 0: none */
};

struct week_host {
    enum sim_delegation natural; /* when its gateway is on */
    bool withdrawn;
    int64_t since_us;            /* the delegation is as it is */
};

struct week_gateway {
    struct sim_gateway *g;
    bool on, closing, rolling;
    unsigned live;               /* flows of now and of the last while */
    int64_t steady_us;           /* since then nothing stood in its way */
    int64_t line_back_us, dns_back_us;
    struct week_host hosts[SIM_HOSTS];
};

/* One conversation. */
struct week_session {
    struct ip_pair flow;
    struct week_gateway *from, *to;
    int64_t began_us, ends_us;
    int64_t heard_us;          /* when a datagram last arrived; at first: began */
    int64_t clear_us;          /* since then all that left did so in clear; below 0: it doesn't */
    uint32_t tunnelled, clear; /* datagrams that arrived so */
    bool ended;                /* but still counted among the live */
    uint32_t next_unused;
};

struct week_counts {
    uint64_t flows, encrypted, clear, nothing;
    uint64_t both; /* flows begun while both gateways were on */
    uint64_t rekeys, upgrades, failures;
    uint64_t keyd_crashes, plane_crashes, reboots, cuts, dns_local, dns_global, storms;
    uint64_t rollovers, withdrawals, switches;
};

/* What was measured at a quiet and at a busy hour of each day. */
struct week_sample {
    unsigned day, hour, on;
    size_t sas, flows, octets; /* of all gateways together */
};

struct week {
    struct week_config config;
    struct world world;
    struct week_gateway *gateways;
    struct week_session *sessions;
    uint32_t session_room, unused; /* first of the unused ones */
    uint32_t live;
    int64_t ends_us;    /* no conversation begins or goes on after it */
    int64_t steady_us;  /* since then network and DNS are well as a whole */
    bool dns_down;
    int64_t deaf_us;    /* the longest that a conversation was dead with nothing in its way */
    size_t idle_octets; /* of heap, of all gateways together before anything has happened */
    struct week_counts counts;
    struct week_sample samples[2 * WEEK_DAYS_MAX];
    size_t sample_count;
};

/* What SIM_EV_CALL is for, in `type`; `serial` is the session, the fault or the host. */
enum week_call {
    WEEK_ARRIVAL, /* of a conversation */
    WEEK_TALK,
    WEEK_FORGET,
    WEEK_FAULT,
    WEEK_OVER,    /* DNS for all, or a storm */
    WEEK_RETURN,  /* of a delegation */
    WEEK_ROLL,
    WEEK_OFF,
    WEEK_HOUR,
};

/* Later, with `serial`; g may be NULL. */
void week_call(struct week *week, enum week_call call, struct sim_gateway *g, uint64_t serial,
               int64_t delay_us);
/* A random time from low to high, both in seconds, in microseconds. */
int64_t week_time(struct week *week, uint32_t low_s, uint32_t high_s);
struct week_gateway *week_gateway(struct week *week, const struct sim_gateway *g);
/* Nothing but what the seed says; started. False: a rule is broken already. */
void week_open(struct week *week, const struct week_config *config);
void week_run(struct week *week);
void week_close(struct week *week);

/* week_traffic.c */
void traffic_start(struct week *week);
void traffic_call(struct week *week, const struct sim_event *event);
/* A datagram got through; returns its conversation, NULL if that is over. */
const struct week_session *traffic_arrived(struct week *week, struct view datagram,
                                           bool tunnelled);
void traffic_fini(struct week *week);

/* week_faults.c */
void faults_start(struct week *week);
void faults_call(struct week *week, const struct sim_event *event);
/* The delegations as they should be now. */
void faults_publish(struct week *week, struct week_gateway *wg);
bool faults_carry(struct week *week, const struct ip_addr *from, const struct ip_addr *to);

/* week_rules.c */
void rules_clear(struct week *week, const struct sim_gateway *g,
                 const struct week_session *session);
/* Before one more datagram of it is sent. */
void rules_heard(struct week *week, const struct week_session *session);
void rules_delivered(struct week *week, const struct sim_gateway *g, const struct ip_pair *flow);
void rules_hour(struct week *week);
void rules_end(struct week *week);

/* week_cost.c: what this process spent. */
struct cost {
    double seconds, public_key_seconds;
    uint64_t public_key_operations;
};
struct cost cost_now(void);
/* Octets in use on the heap; 0 if this allocator doesn't count (a sanitizer's). */
size_t cost_heap(void);
/* The same without the simulation's own. */
size_t cost_engines(const struct world *w);

#endif
