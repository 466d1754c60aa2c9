/*
 * The opportunistic encryption engine: connection classes (policy that could apply), connection
 * instances (what is in force for one source/destination pair), and the state x event tables of the
 * OE draft, sections 3.2 and 3.3, for initiator and responder. It asks discover for delegations and
 * keys, ike for tunnels, and tells the plane what to do with each flow. No IO.
 *
 * `ticket` numbers an instance; the same number travels through discover, ike and the plane's SAs.
 * Pointers inside an effect stay valid until the next call into the engine.
 */
#ifndef CYGNET_OE_OE_H
#define CYGNET_OE_OE_H

#include "base/err.h"
#include "discover/discover.h"
#include "ike/ike.h"

/* OE-034, and further ones: OE-036, OE-037. What policy may say of a destination: OE-001. */
enum oe_class_kind {
    OE_DENY,
    OE_ALWAYS_CLEAR,
    OE_PERMISSIVE,
    OE_PARANOID,
    OE_RESPOND_ONLY, /* accept a peer's tunnel, never begin one; clear meanwhile (OE-094) */
    OE_DNSSEC_FAIL,  /* of flows whose delegation is malformed or bogus; see oe_class (OE-054) */
    OE_CLASS_KIND_COUNT
};
const char *oe_class_kind_name(enum oe_class_kind kind); /* "OE-permissive" */
bool oe_class_kind_parse(const char *name, enum oe_class_kind *ret);

/* The least grade of encryption that a class takes (OE-006, OE-007). */
enum oe_accept {
    OE_ACCEPT_DEFAULT,       /* authenticated for OE-paranoid, anonymous for the others */
    OE_ACCEPT_AUTHENTICATED, /* what DNSSEC doesn't vouch for counts as absent */
    OE_ACCEPT_ANONYMOUS,
};

/*
 * One policy line: pairs with src in source and dst in destination. The longest destination prefix
 * wins, then the longest source prefix (OE-005, OE-035). Either may be of family 0: any.
 *
 * OE-dnssec-fail lines are matched apart from the others, and only when a delegation turns out
 * malformed or bogus: then `fail_clear` lets a flow go in clear that would be denied, unless its
 * own class is OE-paranoid.
 */
struct oe_class {
    enum oe_class_kind kind;
    struct ip_prefix source, destination;
    char name[32]; /* what status shows; empty: the kind's name */
    enum oe_accept accept;
    bool pass_while_keying; /* the negotiation shunt: pass instead of hold; not for OE-paranoid */
    bool fail_clear;        /* OE_DNSSEC_FAIL only */
    uint32_t wait_s;        /* for a silent gateway; 0: as ike is configured (OE-061) */
};

/* Which of several tunnels to one client carries return traffic: section 8's options (OE-168). */
enum oe_return {
    OE_RETURN_NEWEST,      /* 5: the one most recently keyed */
    OE_RETURN_ROUND_ROBIN, /* 1: each has its turn, of OE_TURN_MS */
    OE_RETURN_LAST_HEARD,  /* 2: the gateway most recently received from, looked at each turn */
    OE_RETURN_REFUSE,      /* 4: a second gateway's tunnel is refused */
};

enum { OE_TURN_MS = 1000 };

struct oe_config {
    const struct oe_class *classes; /* copied */
    size_t class_count;
    enum oe_class_kind fallback;    /* if none matches (OE-042) */
    const struct ip_addr *own;      /* our outside addresses, copied: chosen by family as the tunnel's near end */
    size_t own_count;
    struct identity id;             /* ours, if it is a name: what delegations to us may say (OE-146) */
    enum ike_version ike_version;   /* to begin with; ANY: 2 where IPSECKEY delegates, 1 where TXT does */
    bool require_dnssec;            /* every class takes authenticated encryption only */
    enum oe_return return_tunnel;
    uint32_t wait_s;                /* for a silent gateway, as ike is configured; 0: 20 */
    uint32_t low_lifespan_s;        /* 0: 60 (OE-062) */
    uint32_t normal_lifespan_s;     /* 0: 1200 (OE-098) */
    uint32_t first_lifespan_s;      /* 0: 60 (OE-097) */
    uint32_t instances;             /* 0: LIMIT_INSTANCES */
};

struct oe_env {
    struct rng rng;
    struct event_sink trace;
    struct address_ways ways;
};

/* The draft's states; every one is in the tables. */
enum oe_state {
    OE_ST_NONEXISTENT,
    OE_ST_CLEAR,
    OE_ST_DENY,
    OE_ST_POTENTIAL,
    OE_ST_PENDING,
    OE_ST_KEYED,
    OE_ST_EXPIRING,
    OE_ST_EXPIRED,
    OE_ST_UNAUTHENTICATED_PEER, /* responder pseudo-states, section 3.3 */
    OE_ST_AUTHENTICATED_PEER,
    OE_STATE_COUNT
};
const char *oe_state_name(enum oe_state state);

enum oe_verdict { OE_VERDICT_HOLD, OE_VERDICT_PASS, OE_VERDICT_DENY, OE_VERDICT_ENCRYPT };
const char *oe_verdict_name(enum oe_verdict verdict); /* "hold", "pass", "deny", "encrypt" */

enum oe_event_kind {
    OE_EV_ACQUIRE,          /* flow: the plane found no policy (OE-018, OE-040) */
    OE_EV_DELEGATION,       /* ticket, delegation */
    OE_EV_KEYS,             /* ticket, keys */
    OE_EV_CHILD_UP,         /* ticket, initiator, spi_in, spi_out, peer, suite */
    OE_EV_CHILD_FAILED,     /* ticket, failure, text */
    OE_EV_CHILD_DELETED,    /* ticket, spi_in, spi_out */
    OE_EV_PEER_UNKNOWN,     /* serial, peer, peer_id: ike NEED_KEYS; answered by IKE_PEER_KEYS */
    OE_EV_PEER_AUTHENTICATED,/* peer, peer_id, initiator */
    OE_EV_PROPOSAL,         /* serial, peer, peer_id, key, flow, behind_nat, initiator (of phase 1: we): ike NEED_AUTHORIZATION; answered by IKE_AUTHORIZED */
    OE_EV_SOFT_EXPIRE,      /* ticket, spi_in or spi_out (OE-070) */
    OE_EV_HARD_EXPIRE,      /* ticket, spi_in or spi_out, text: why, if not by its lifetime (OE-031) */
    OE_EV_LAST_USE,         /* ticket, flow, idle_ms: answers LAST_USE_QUERY; idle_ms < 0: never used */
    OE_EV_ADOPT,            /* ticket, flow, peer, spi_in, spi_out, suite, verdict, known: found in the plane after a restart */
    OE_EV_SA_USE,           /* ticket, spi_in, idle_ms: answers SA_USE_QUERY; idle_ms < 0: never used */
    OE_EV_HINT,             /* peer: unknown SPI or ICMP, forgeable (OE-072, OE-073); with a ticket: the flow sends and nothing comes back (OE-176) */
    OE_EV_SHUTDOWN,
};

struct oe_event {
    enum oe_event_kind kind;
    uint64_t ticket;
    uint64_t serial;
    struct ip_pair flow; /* src is our side's client, dst the peer's */
    struct ip_addr peer;
    struct identity peer_id;
    bool initiator;
    bool behind_nat; /* the peer is, so its address is not its own alone */
    const struct public_key *key;
    const struct delegation *delegation;
    const struct identity_keys *keys;
    spi_t spi_in, spi_out;
    struct esp_suite suite;
    enum ike_failure failure;
    enum oe_verdict verdict;
    bool known;            /* ADOPT: ike knows the tunnel too, under that ticket */
    uint64_t note;         /* ADOPT: what the POLICY effect said */
    int64_t idle_ms;
    const char *text;
};

enum oe_effect_kind {
    OE_FX_POLICY,            /* ticket, flow, verdict, spi_out, local, peer: set the SPD entry */
    OE_FX_POLICY_REMOVE,     /* ticket, flow (OE-081) */
    OE_FX_REMOVE_SA,         /* ticket, spi_in, spi_out, local, peer: adopted SAs that ike doesn't know */
    OE_FX_LOOKUP_DELEGATION, /* ticket, address, purpose, names, peer_id, behalf, flow (for the trace) */
    OE_FX_LOOKUP_KEYS,       /* ticket, peer_id, behalf */
    OE_FX_IKE_INITIATE,      /* ticket, local, peer, peer_id, keys, key_count, flow, wait_ms */
    OE_FX_IKE_PEER_KEYS,     /* serial, ok, keys, key_count */
    OE_FX_IKE_AUTHORIZED,    /* serial, ok, ticket, text */
    OE_FX_IKE_DELETE,        /* ticket */
    OE_FX_IKE_CANCEL,        /* ticket */
    OE_FX_LAST_USE_QUERY,    /* ticket, flow, spi_in (OE-075, OE-079) */
    OE_FX_SA_USE_QUERY,      /* ticket, spi_in, local, peer: when was the inbound SA last used */
};

struct oe_effect {
    enum oe_effect_kind kind;
    uint64_t ticket;
    uint64_t serial;
    bool ok;
    struct ip_pair flow;
    struct ip_addr local, peer;
    struct ip_addr address, behalf;
    enum discover_purpose purpose;
    bool names;
    struct identity peer_id;
    enum oe_verdict verdict;
    uint64_t note;         /* POLICY: to be kept with it and given back in ADOPT */
    spi_t spi_in, spi_out;
    const struct public_key *keys;
    size_t key_count;
    uint32_t wait_ms; /* 0: no wish */
    enum ike_version version; /* IKE_INITIATE */
    char text[120];
};

struct oe;

MUST_USE enum err oe_new(const struct oe_config *config, const struct oe_env *env, struct oe **ret);
void oe_free(struct oe *oe);
enum err oe_input(struct oe *oe, mono_t now, const struct oe_event *event);
/* A ticket in use that will come with ADOPT: no other instance gets it or one before it. */
void oe_ticket_reserve(struct oe *oe, uint64_t ticket);
void oe_timer(struct oe *oe, mono_t now);
mono_t oe_next_deadline(const struct oe *oe);
/* A new configuration, copied like oe_new()'s. Flows whose class and its options are the same as
 * before go on undisturbed; the others are looked at again at once. On failure the old one stays. */
MUST_USE enum err oe_reconfigure(struct oe *oe, mono_t now, const struct oe_config *config);
bool oe_next_effect(struct oe *oe, struct oe_effect *ret);

enum { OE_RECORD_TEXT = 160, OE_IKE_TEXT = 120 };

/* What `cygnet status` and `cygnet why` show about one instance. */
struct oe_instance_info {
    uint64_t ticket;
    struct ip_pair flow;
    enum oe_state state;
    enum oe_verdict verdict;
    const char *class_name;
    enum oe_class_kind class_kind;
    bool responder;
    bool secure;             /* every DNS answer behind it was vouched for (OE-006) */
    bool by_name;            /* ... for the forward name in peer_id, not for the address */
    enum discovered dns;     /* what DNS said; valid if asked */
    bool dns_asked;
    struct ip_addr gateway;  /* family 0: none */
    struct identity peer_id;
    struct esp_suite suite;
    spi_t spi_in, spi_out;
    mono_t since, next_check;
    const char *next;                 /* what happens at next_check, if nothing does before */
    char reason[LIMIT_REASON];        /* why it is in this state, one line */
    char record[OE_RECORD_TEXT];      /* what DNS said; empty: it was not asked */
    char ike[OE_IKE_TEXT];            /* how the last negotiation stands or ended; empty: none */
};
/* Walks the instances; `i` from 0 up, in order of creation. False: no more. */
bool oe_instance_info(const struct oe *oe, size_t i, struct oe_instance_info *ret);
bool oe_instance_find(const struct oe *oe, const struct ip_pair *flow, struct oe_instance_info *ret);
/* Also one that doesn't own its flow (yet): a responder's until its tunnel is up. */
bool oe_instance_of_ticket(const struct oe *oe, uint64_t ticket, struct oe_instance_info *ret);
/* Named counters; `i` from 0 up. False: no more. */
bool oe_counter(const struct oe *oe, size_t i, const char **ret_name, uint64_t *ret_value);
/* OE-005: the index of a policy line whose prefixes an earlier one has too; count if there is none. */
size_t oe_classes_duplicate(const struct oe_class *classes, size_t count);

/* One row of the state x event table, for docs and tests; `i` from 0 up. False: no more. */
struct oe_table_row {
    const char *role, *from, *event, *guard, *action, *to, *story;
};
bool oe_table_row(size_t i, struct oe_table_row *ret);
/* How often this engine has taken the row. */
uint64_t oe_table_hits(const struct oe *oe, size_t i);

/* The class that would apply, for `why` about a flow never seen. */
const struct oe_class *oe_classify(const struct oe *oe, const struct ip_pair *flow);

#endif
