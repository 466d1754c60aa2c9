/*
 * A world in one process for seeded simulation: gateways made of the real control and plane
 * objects, hosts behind them, a network that loses, repeats and reorders, a DNS that may be silent
 * or hostile, and daemons that crash. Time is virtual. Everything random comes from one seed, so a
 * failing run replays exactly. A broken rule is reported through world_fail() and ends the run.
 *
 *   host --- gateway ===( network )=== gateway --- host
 *              |  \__ keyd: struct control
 *            plane: struct plane
 */
#ifndef CYGNET_TESTS_SIM_WORLD_H
#define CYGNET_TESTS_SIM_WORLD_H

#include "base/heap.h"
#include "base/map.h"
#include "control/control.h"
#include "plane/plane.h"

enum {
    SIM_GATEWAYS = 5, SIM_WORKS = 64, /* in a world drawn from a seed; by hand there may be any number */
    SIM_HOSTS = 3,    /* behind each gateway */
    SIM_POLICIES = 8,
    SIM_PACKET = 2048,
};

/* What the reverse zone says about a host. */
enum sim_delegation {
    SIM_GOOD,       /* the real gateway with its real key */
    SIM_NO_KEY,     /* the real gateway, key to be looked up (OE-145) */
    SIM_ABSENT,
    SIM_MALFORMED,
    SIM_BOGUS,
    SIM_UNSIGNED,   /* right, but not vouched for */
    SIM_WRONG_KEY,  /* the real gateway, somebody else's key */
    SIM_SILENT,     /* a gateway where nobody answers */
    SIM_TWO,        /* the silent one first, then the real one (OE-059) */
    SIM_DELEGATIONS
};

/* An address as a key of a map: unused octets are zero. */
struct sim_addr_key {
    struct ip_addr addr;
    uint8_t zero[3];
};

struct sim_host {
    struct ip_addr addr;
    struct sim_gateway *gateway;
    enum sim_delegation delegation;
    int64_t honoured_until_us; /* withdrawn, but others may still hold the old answer; 0: no */
    struct map_node by_addr;
    struct sim_addr_key key;
    struct sim_gateway *also; /* if SIM_GOOD: a second gateway, of the same precedence; may be NULL */
};

struct sim_policy {
    struct ip_pair flow;
    enum pfkey_verdict verdict;
    int64_t since_us;
    int64_t used_us; /* when it last let one pass or dropped one; below 0: never */
};

struct sim_sa_key {
    struct sim_addr_key src, dst;
    spi_t spi;
};

/* An SA as keyd handed it to the plane, until the other end has it too, to compare both. */
struct sim_sa {
    struct map_node by_key;
    struct sim_sa_key key;
    struct sa_params params;
    int64_t at_us;
};

struct sim_event;
/* What a SAVE said, and whom a gateway has SAs with: they outlive keyd, the second also a reboot. */
struct sim_record {
    uint64_t number;
    struct sim_record *next;
    size_t len;
    uint8_t octets[];
};

struct sim_peer {
    struct ip_addr local, remote;
    struct identity id;
    bool former; /* from before a reboot */
    struct sim_peer *next;
};

struct sim_gateway {
    struct world *world;
    int number;
    struct ip_addr addr;
    struct map_node by_addr;
    struct sim_addr_key addr_key;
    struct heap_node timer;     /* its planes' next deadline */
    struct private_key *key;    /* the world's */
    struct public_key public_key;
    struct public_key also;     /* published beside it while keys roll over; alg 0: none */
    bool off;                   /* no Cygnet here: its hosts talk in clear */
    struct control *control; /* NULL while keyd is down */
    struct sim_work {
        uint64_t serial;
        struct ike_work *work; /* NULL: a free place */
    } works[SIM_WORKS];        /* public-key operations that are out */
    struct plane *plane;     /* NULL while the plane is down */
    unsigned keyd_life, plane_life; /* messages meant for a former life are lost */
    int64_t to_plane_us, to_keyd_us; /* last delivery: the channel keeps its order */
    enum oe_class_kind kind;        /* towards the world */
    struct oe_class classes[4];
    size_t class_count;
    struct ip_addr own;
    struct control_config control_config; /* but for policy and addresses, which are above */
    struct plane_config plane_config;
    struct sim_record *records;
    struct sim_peer *peers;
    struct sim_memory *memory; /* of what keyd had when it crashed */
    struct sim_policy *cache; /* what the classifier would know */
    size_t cache_count, cache_room;
    struct sim_host hosts[SIM_HOSTS];
};

struct sim_faults {
    unsigned loss, repeat, reorder; /* permille */
    unsigned dns_silence, dns_servfail;
    bool dns_meddled;               /* a hook loses or changes answers */
    unsigned crashes;               /* how many */
};

/* How long things take; of the jitters a random part is added. */
struct sim_pace {
    uint32_t wire_us, wire_jitter_us;
    uint32_t dns_us, dns_jitter_us;
    uint32_t restart_us; /* of a daemon that crashed */
    uint32_t boot_us;    /* of a gateway; 0: as a daemon */
};

/* What a test that looks on, or meddles, is asked and told. Any function may be NULL. */
struct sim_hooks {
    void *ctx;
    void (*record)(void *ctx, struct sim_gateway *g, const struct event_record *record);
    /* How long DNS takes for this question; below 0: for ever. */
    int64_t (*answer_us)(void *ctx, struct sim_gateway *g, uint16_t type, const char *name);
    void (*answer)(void *ctx, struct sim_gateway *g, struct dns_answer *answer); /* may change it */
    /* May an IKE or ESP packet travel? */
    bool (*carry)(void *ctx, const struct ip_addr *from, const struct ip_addr *to, bool esp);
    void (*clear)(void *ctx, struct sim_gateway *g, struct view datagram);     /* left in clear */
    void (*delivered)(void *ctx, struct sim_gateway *g, struct view datagram); /* out of a tunnel */
    void (*arrived)(void *ctx, struct sim_gateway *g, struct view datagram);   /* SIM_EV_CLEAR */
    void (*call)(void *ctx, struct sim_event *event);                          /* SIM_EV_CALL */
};

struct sim_stats {
    uint64_t sent, delivered, clear, encrypted, denied, crashes, ike, esp, lookups, tunnels;
    uint64_t events, timers;
};

struct world {
    uint64_t seed;
    uint64_t state[4]; /* of the generator */
    int64_t now_us;
    int64_t epoch_us;  /* what is printed counts from here */
    struct heap queue;
    uint32_t order;    /* of events made */
    struct heap timers; /* of gateways */
    struct sim_gateway **gateways;
    size_t gateway_count, gateway_room;
    struct map gateways_by_addr, hosts_by_addr;
    struct private_key *keys[SIM_GATEWAYS]; /* shared in turn by all gateways */
    struct ip_addr silent; /* a gateway address where nobody is */
    struct sim_faults faults;
    struct sim_pace pace;
    uint32_t ttl_s;        /* of every DNS answer */
    struct sim_hooks hooks;
    struct sim_stats stats;
    struct map sas;
    int64_t sweep_us;  /* how often all gateways are checked; 0: after every event */
    int64_t swept_us;
    size_t own_octets; /* heap of the simulation itself, beside the objects it runs */
    bool calm;             /* no faults: stricter checks apply */
    bool verbose;
    bool failed;
    char failure[400];
};

/* Gateways, policies and faults drawn from the seed, and started. */
void world_init(struct world *w, uint64_t seed, bool verbose);
/* The same by hand: nothing in it yet. */
void world_blank(struct world *w, uint64_t seed, bool verbose);
/* One more gateway, to be started. */
struct sim_gateway *world_gateway(struct world *w, struct ip_addr addr);
/* Its host number `i`, below SIM_HOSTS. */
struct sim_host *world_host(struct sim_gateway *g, size_t i, struct ip_addr addr,
                            enum sim_delegation delegation);
/* Key number `i` of those that the gateways share. */
struct private_key *world_key(struct world *w, size_t i);
/* The heap of the simulation itself, counted in own_octets. Aborts when memory runs out. */
void *world_resize(struct world *w, void *old, size_t size);
void world_release(struct world *w, void *old);
void world_fini(struct world *w);
/* Runs until virtual time `until_us` or a failure. */
void world_run(struct world *w, int64_t until_us);
void world_fail(struct world *w, const char *format, ...) __attribute__((format(printf, 2, 3)));
struct sim_host *world_find_host(const struct world *w, const struct ip_addr *addr);
struct sim_gateway *world_find_gateway(const struct world *w, const struct ip_addr *addr);
mono_t world_now(const struct world *w);
uint32_t world_random(struct world *w, uint32_t below);
bool world_chance(struct world *w, unsigned permille);
struct rng world_rng(struct world *w);

/* Things that happen later. `life` must still be the gateway's, for those that name one. */
enum sim_event_kind {
    SIM_EV_IKE,      /* to gateway: from, to, octets */
    SIM_EV_ESP,      /* to gateway: outer, octets */
    SIM_EV_CLEAR,    /* to gateway: a datagram in clear, octets */
    SIM_EV_TO_PLANE, /* PF_KEY */
    SIM_EV_TO_KEYD,
    SIM_EV_ANSWER,
    SIM_EV_SIGNED,
    SIM_EV_WORKED,
    SIM_EV_SEND,     /* a host sends a datagram: flow */
    SIM_EV_CRASH_KEYD,
    SIM_EV_CRASH_PLANE,
    SIM_EV_START_KEYD,
    SIM_EV_START_PLANE,
    SIM_EV_REBOOT,   /* both crash, and what was saved is gone too */
    SIM_EV_SHUTDOWN, /* keyd is asked to end politely */
    SIM_EV_SWITCH_OFF,
    SIM_EV_CALL,     /* whatever a test wants: hooks.call */
};

struct sim_event {
    struct heap_node node; /* `at` is a moment in microseconds and an order */
    enum sim_event_kind kind;
    struct sim_gateway *gateway;
    unsigned life;
    struct ip_endpoint from, to;
    struct packet_outer outer;
    struct ip_pair flow;
    uint64_t serial;
    uint16_t type;
    char name[LIMIT_DNS_NAME];
    size_t len;
    uint8_t octets[];
};

/* A copy of octets travels with it; the caller fills in the rest. */
struct sim_event *world_event(struct world *w, enum sim_event_kind kind, struct sim_gateway *g,
                              int64_t delay_us, struct view octets);

/* gateway.c */
void gateway_start(struct sim_gateway *g);
void gateway_stop(struct sim_gateway *g);
/* Sets its timer anew; to be called by whoever changed its planes from outside. */
void gateway_arm(struct sim_gateway *g);
/* Its policy has been changed: keyd and plane get to know while they run. */
void gateway_reload(struct sim_gateway *g);
void gateway_event(struct sim_gateway *g, struct sim_event *event);
/* What the classifier would do with the flow; NONE: ask the plane. */
enum pfkey_verdict gateway_verdict(const struct sim_gateway *g, const struct ip_pair *flow);
/* The plane has kept the flow in hold since that moment; INT64_MAX: it does not. */
int64_t gateway_held_since_us(const struct sim_gateway *g, const struct ip_pair *flow);
void gateway_timers(struct sim_gateway *g);
int64_t gateway_deadline_us(const struct sim_gateway *g);

/* disk.c */
void disk_save(struct sim_gateway *g, uint64_t number, struct view bytes);
void disk_forget(struct sim_gateway *g, uint64_t number);
void disk_peer(struct sim_gateway *g, const struct control_effect *fx);
void disk_reboot(struct sim_gateway *g);
void disk_free(struct sim_gateway *g);
/* keyd is about to crash, and is back with what was saved. */
void disk_remember(struct sim_gateway *g);
void disk_check(struct sim_gateway *g);

/* network.c */
void network_send_ike(struct world *w, const struct ip_endpoint *from,
                      const struct ip_endpoint *to, struct view octets);
void network_send_esp(struct world *w, const struct packet *packet);
/* A datagram in clear on the public network, or out of a tunnel towards the hosts. */
void network_clear(struct sim_gateway *from, struct view datagram);
void network_delivered(struct sim_gateway *g, struct view datagram);
struct view network_datagram(uint8_t *room, const struct ip_pair *flow, uint32_t serial);
bool network_flow(struct view datagram, struct ip_pair *ret);

/* names.c: what DNS answers; `storage` keeps the records the answer points to. */
struct sim_answer_storage {
    uint8_t octets[4][2048];
};
void names_answer(struct world *w, const char *name, uint16_t type, struct dns_answer *ret,
                  struct sim_answer_storage *storage);

/* checks.c */
void check_sa(struct world *w, const struct sa_params *params);
void check_clear(struct sim_gateway *g, const struct ip_pair *flow);
void check_deadlines(struct sim_gateway *g);
/* Forgets SAs whose other end never came. */
void check_forget(struct world *w);
void check_quiet(struct world *w); /* after everything has had time to end: nothing is left */

#endif
