/*
 * What the files of this room share. classes.c finds the policy that could apply, instance.c keeps
 * the instances and their indexes, gateway.c those of one gateway, table.c holds the state x event table, guards.c and the action
 * files (initiator.c, responder.c, aging.c) are its columns, effects.c fills the queue, and oe.c is
 * the engine: the one place where an instance's state is set.
 */
#ifndef CYGNET_OE_INTERNAL_H
#define CYGNET_OE_INTERNAL_H

#include "base/fifo.h"
#include "base/heap.h"
#include "base/map.h"
#include "base/text.h"
#include "oe/oe.h"

/* Events that only the engine itself makes, after the public ones. */
enum {
    OE_EV_LIFESPAN = OE_EV_SHUTDOWN + 1, /* the state's time is over */
    OE_EV_SUPERSEDED,                    /* another instance took the flow (OE-089) */
    OE_EV_STOP,                          /* shutdown, or evicted for a newer one (OE-194) */
    OE_EV_RECLASS,                       /* oe_reconfigure() gave it another class */
    OE_EV_CHOSEN,                        /* of several tunnels it is the one to send on (OE-168) */
    OE_EVENT_COUNT,
};

/* Lengths of time that are nobody's policy, in milliseconds. */
enum {
    OE_LOOKUP_WAIT_MS = LIMIT_LOOKUP_MS + 2000, /* discover owes an answer by then */
    OE_KEYING_WAIT_MS = 120000,                 /* ike owes a result by then */
    OE_PEER_WAIT_MS = 120000,                   /* a peer that authenticates or proposes nothing */
    OE_NAME_HOLD_MS = 2000,                     /* a flow held for a host known by name only */
    OE_LAST_USE_WAIT_MS = 5000,                 /* the plane owes an answer by then */
    OE_DELETE_WAIT_MS = 40000,                  /* three Deletes 10 s apart, and some (OE-106) */
    OE_SILENCE_PAUSE_MS = 60000,                /* between re-keys of one flow for want of an answer; doubles */
    OE_SILENCE_PAUSE_MAX_MS = 960000,
    OE_HOLD_RENEWAL_MS = 1000,                  /* a hold so old is renewed when another gateway is tried */
    OE_HINT_PAUSE_MS = 60000,                   /* between hint-driven re-keys (OE-074) */
    OE_CROSSING_MS = 30000,                     /* tunnels keyed this close may have crossed */
};

/* The tunnels of one hint that are re-keyed, and the unfinished peers kept of one address. */
enum { OE_HINT_REKEYS = 8, OE_PENDING_PEERS = 32 };

/* A map's key is a multiple of 4 octets; struct ip_pair and struct ip_addr aren't. */
struct flow_key {
    struct ip_pair flow;
    uint8_t zero[2];
};

struct gateway_key {
    struct ip_addr addr;
    uint8_t zero[3];
};

struct oe_instance;

/* In which an instance ages: what is evicted first comes first. */
enum oe_order {
    OE_ORDER_FLOWS,   /* own their flow, and have no tunnel */
    OE_ORDER_PEERS,   /* own no flow: peers that have not finished, superseded tunnels */
    OE_ORDER_TUNNELS, /* own their flow, and have a tunnel */
    OE_ORDERS,
};

struct proof_key {
    struct ip_addr addr;
    uint8_t zero[3];
    uint8_t id[32]; /* SHA-256 of the identity */
};

/* The instances that have to do with one other gateway, the longest unused first. */
struct oe_gateway {
    struct map_node by_addr;
    struct gateway_key key;
    struct oe_instance *first, *last;
    struct oe_instance *knock_first, *knock_last; /* of them, peers that have not finished */
    size_t count, knocking;
    mono_t next_hint;
};

/* A peer whose key was vouched for; there while an instance knows so. */
struct oe_proof {
    struct map_node by_peer;
    struct proof_key key;
    struct identity id;
    size_t instances;
};

/* OE-033: the instance of a class. One pair of hosts for which OE is tried or was tried lately (OE-010), or a peer on its way to one. */
struct oe_instance {
    struct map_node by_ticket, by_flow;
    struct heap_node deadline; /* in the heap as long as the instance lives */
    struct oe_instance *created_before, *created_after;
    struct oe_instance *used_before, *used_after;
    enum oe_order order;
    struct oe_instance *gateway_before, *gateway_after;
    struct oe_gateway *gateway_entry; /* NULL: in no gateway's list */
    struct oe_instance *knock_before, *knock_after;
    bool knocks; /* in that list of its gateway */
    struct oe_proof *proof;
    struct oe_instance *ring_before, *ring_after; /* tunnels of one flow to several gateways */
    struct heap_node turn; /* while it owns a flow that has several tunnels */
    mono_t heard_at;       /* when its inbound SA was last used, as far as was asked */

    uint64_t ticket;
    struct flow_key key;    /* src is our side's client; family 0 while the peer has proposed none */
    bool owns_flow;         /* in by_flow: its verdict is the plane's */
    enum oe_state state;
    enum oe_state former;   /* EXPIRING: where it came from */
    bool responder;         /* role in the latest negotiation */
    const struct oe_class *class;
    bool reclass;           /* within oe_reconfigure(): what applies to it has changed */

    bool policy_set;        /* the plane has `verdict` for the flow */
    enum oe_verdict verdict;
    bool has_child;         /* SAs are in place: spi_in, spi_out, gateway, local */
    bool adopted;           /* ... which ike does not know */
    bool lingering;         /* EXPIRED: superseded, still accepting for a while (OE-168) */
    bool keying;            /* PENDING: ike is at work, not discover */
    mono_t silence_ends;    /* ... and a gateway that says nothing is waited for until then */
    spi_t spi_in, spi_out;
    struct esp_suite suite;
    struct ip_addr local, gateway;
    struct identity peer_id;
    mono_t keyed_at;
    mono_t next_silence;    /* not before this does want of an answer lead to a re-key */
    int64_t silence_pause_ms;

    bool dns_asked, dns_secure;
    bool peer_behind_nat;   /* responder: as ike found */
    bool by_name;           /* dns_secure holds for the name in peer_id, not for the address */
    bool phase1_secure;     /* responder: the KEY behind the peer's phase 1 was vouched for */
    bool phase1_ours;       /* responder: we began phase 1, with the keys that some delegation named */
    bool checking_own;      /* POTENTIAL, responder: whether our side's client is ours */
    enum discovered dns;
    mono_t fresh_until;     /* then what DNS said, or a failure, is to be looked at again */
    struct delegation *delegation; /* while POTENTIAL or PENDING: a copy, cut to its gateways */
    size_t gateway_index;   /* the one of delegation being tried */
    bool failed_before;     /* another gateway of this delegation failed, with `failure` */
    enum ike_failure failure;

    uint64_t serial;        /* of ike's question that waits for us; 0: none */
    struct public_key *peer_key; /* responder: the key that authenticated the peer */

    mono_t since;
    mono_t lifespan_ends;   /* CLEAR, DENY, KEYED: when to reconsider (OE-101) */
    int64_t lifespan_ms;    /* for the last-half rule (OE-098) */
    char record[OE_RECORD_TEXT];
    char ike[OE_IKE_TEXT];
    char reason[LIMIT_REASON];
};

struct oe {
    struct oe_config config; /* classes and own point to our copies */
    struct oe_class *classes;
    struct oe_class fallback;
    struct ip_addr *own;
    struct event_sink trace;
    struct address_ways ways;

    struct map by_ticket, by_flow, by_gateway, proofs;
    struct heap deadlines, turns;
    struct oe_instance *first, *last;               /* by creation */
    struct oe_instance *oldest[OE_ORDERS], *youngest[OE_ORDERS]; /* by use */
    size_t used_count[OE_ORDERS];
    uint64_t last_ticket;
    mono_t now;
    bool shutting_down;

    struct fifo effects;     /* struct oe_queued */
    void *handed_out;        /* what the effect last given to the caller points to */
    bool out_of_memory;      /* within this call */
    struct oe_walk *walk;

    uint64_t *row_hits;
    uint64_t dropped[OE_EVENT_COUNT];
    uint64_t evicted, effects_lost;
};

/* An effect and the keys it points to. */
struct oe_queued {
    struct oe_effect effect;
    struct public_key *owned;
};

/* Where oe_instance_info() was, so that walking all instances is not quadratic. */
struct oe_walk {
    size_t i;
    const struct oe_instance *at;
};

struct oe_row;

/* What guards and actions look at. */
struct oe_step {
    struct oe *oe;
    struct oe_instance *inst;
    mono_t now;
    const struct oe_event *event;
    const struct oe_row *row; /* NULL while guards are asked */
};

/* classes.c */
const struct oe_class *classes_match(const struct oe_class *classes, size_t count,
                                     const struct ip_pair *flow);
/* The OE-dnssec-fail line for the flow, or NULL. */
const struct oe_class *classes_match_fail(const struct oe_class *classes, size_t count,
                                          const struct ip_pair *flow);
/* Does the class take encryption on data that DNSSEC doesn't vouch for? */
bool class_takes_anonymous(const struct oe_config *config, const struct oe_class *class);
/* The class tries OE of its own accord. */
bool class_initiates(const struct oe_class *class);
/* ... or takes a peer's tunnel at least. */
bool class_takes_tunnels(const struct oe_class *class);
/* May a flow of this class go in clear if its delegation is malformed or bogus? */
bool class_fails_clear(const struct oe_config *config, const struct oe_class *class,
                       const struct ip_pair *flow);

/* instance.c */
MUST_USE struct oe_instance *instance_new(struct oe *oe, mono_t now, uint64_t ticket);
void instance_free(struct oe *oe, struct oe_instance *inst);
struct oe_instance *instance_by_ticket(const struct oe *oe, uint64_t ticket);
struct oe_instance *instance_by_flow(const struct oe *oe, const struct ip_pair *flow);
void instance_evict(struct oe *oe, mono_t now, struct oe_instance *inst, const char *why);
/* The flow and the class that goes with it. */
void instance_set_flow(struct oe *oe, struct oe_instance *inst, const struct ip_pair *flow);
/* Takes its flow; nobody else may own it. False: out of memory. */
MUST_USE bool instance_own_flow(struct oe *oe, struct oe_instance *inst);
void instance_disown_flow(struct oe *oe, struct oe_instance *inst);
/* Moves it to the young end of the orders of use. */
void instance_touch(struct oe *oe, struct oe_instance *inst);
MUST_USE bool instance_keep_delegation(struct oe_instance *inst, const struct delegation *d);
void instance_forget_delegation(struct oe_instance *inst);
/* Its flow waits in hold for a host that only a forward name speaks for. */
bool instance_name_holds(const struct oe_instance *inst);
void instance_set_deadline(struct oe *oe, struct oe_instance *inst, mono_t at);
const char *instance_class_name(const struct oe_instance *inst);

/* gateway.c */
struct oe_gateway *instance_gateway(const struct oe *oe, const struct ip_addr *addr);
/* Sets `gateway` and joins its list, from which another may have to go. False: out of memory. */
MUST_USE bool instance_join_gateway(struct oe *oe, mono_t now, struct oe_instance *inst,
                                    const struct ip_addr *addr);
void instance_leave_gateway(struct oe *oe, struct oe_instance *inst);
/* After anything about the instance has changed. */
void gateway_touch(struct oe *oe, struct oe_instance *inst);
/* The latest of the peer's unfinished instances in that state, or NULL. */
struct oe_instance *gateway_find_peer(const struct oe *oe, const struct ip_addr *addr,
                                      const struct identity *id, enum oe_state state);
/* Has one of its instances proved a key that DNSSEC vouched for? */
bool gateway_peer_secure(const struct oe *oe, const struct ip_addr *addr,
                         const struct identity *id);
/* For one more peer that has not finished. */
void gateway_room_for_peer(struct oe *oe, mono_t now, const struct ip_addr *addr);

/* effects.c: each takes what it needs from the step's instance. */
void effect_policy(struct oe_step *step, enum oe_verdict verdict);
void effect_policy_again(struct oe_step *step);
void effect_policy_remove(struct oe_step *step);
/* Reads back the note of a POLICY effect. */
void instance_take_note(struct oe_instance *inst, uint64_t note);
void effect_lookup_delegation(struct oe_step *step, enum discover_purpose purpose);
/* Of our side's client. */
void effect_lookup_own(struct oe_step *step);
void effect_lookup_keys(struct oe_step *step);
void effect_initiate(struct oe_step *step, const struct discovered_gateway *gateway);
void effect_peer_keys(struct oe_step *step, const struct identity_keys *keys);
void effect_cancel(struct oe_step *step);
/* IKE Delete, or removal from the plane if ike doesn't know the SAs. */
void effect_delete_child(struct oe_step *step);
void effect_last_use_query(struct oe_step *step);
void effect_sa_use_query(struct oe *oe, const struct oe_instance *inst);
/* Answers ike's question, if one waits; the instance's reason says why not. */
void effect_answer_proposal(struct oe_step *step, bool ok);
void effect_answer_no(struct oe *oe, const struct oe_event *event, const char *why);
void effect_delete_unknown(struct oe *oe, uint64_t ticket);
void effects_fini(struct oe *oe);

/* What a delegation means for whoever wants to initiate. */
enum delegation_use { USE_NOBODY, USE_WRONG, USE_BEHIND_US, USE_CONTACT };
enum delegation_use delegation_use(const struct oe *oe, const struct oe_instance *inst,
                                   const struct delegation *d);
/* The first gateway from index `from` on that can be contacted, or d->count. */
size_t delegation_next_gateway(const struct oe *oe, const struct delegation *d, size_t from);
/* The gateway to try after the one being tried has failed; the count: none. */
size_t delegation_gateway_after(const struct oe *oe, const struct oe_instance *inst,
                                enum ike_failure failure);
bool delegation_trusted(const struct oe *oe, const struct oe_instance *inst,
                        const struct delegation *d);

/* multihoming.c: section 8, several tunnels of one flow */
void ring_init(struct oe_instance *inst);
void ring_leave(struct oe *oe, struct oe_instance *inst);
/* `newer` takes the flow of `older`, which keeps its tunnel. */
void ring_join(struct oe *oe, struct oe_instance *newer, struct oe_instance *older);
/* The superseded tunnel to send on if this one ends, or NULL. */
struct oe_instance *ring_spare(const struct oe_instance *inst);
/* One of several tunnels has the flow now: when to look at them again. */
void ring_begin_turn(struct oe *oe, mono_t now, struct oe_instance *owner);
void ring_timer(struct oe *oe, mono_t now);
enum err ring_heard(struct oe *oe, mono_t now, const struct oe_event *event);

/* oe.c */
void oe_dispatch(struct oe *oe, mono_t now, struct oe_instance *inst, const struct oe_event *event);
bool oe_is_own(const struct oe *oe, const struct ip_addr *addr);
/* The first of our addresses with a way to the peer, else the first of its family, or NULL. */
const struct ip_addr *oe_own_address(const struct oe *oe, const struct ip_addr *peer);
const char *oe_event_name(int kind);

#endif
