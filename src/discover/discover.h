/*
 * What DNS said about an address or a name, from the point of view of opportunistic encryption:
 * who may act for it, with which keys, how sure that is and how long it holds. Asks questions
 * (effects) and understands answers (events); never resolves anything itself and does no IO.
 *
 * Pointers inside an effect stay valid until the next call into the engine. Every request gets
 * exactly one DELEGATION or KEYS effect, at the latest LIMIT_LOOKUP_MS later, also when a limit is
 * reached (then DISCOVERED_TIMEOUT with the reason in `why`).
 */
#ifndef CYGNET_DISCOVER_DISCOVER_H
#define CYGNET_DISCOVER_DISCOVER_H

#include "base/event.h"
#include "base/rng.h"
#include "wire/dnsrec.h"

enum dns_status {
    DNS_FOUND,
    DNS_ABSENT,  /* the name or the type does not exist (OE-050) */
    DNS_BOGUS,   /* validation failed (OE-051) */
    DNS_TIMEOUT, /* no usable answer: silence, SERVFAIL that is not bogus, no server */
};

/* A resolver's answer to one question. */
struct dns_answer {
    enum dns_status status;
    bool secure;     /* DNSSEC vouches for it, also for an absence (OE-116) */
    uint32_t ttl_s;  /* of the records, bounded by the signatures; of the negative answer: SOA MINIMUM (OE-078) */
    char why[LIMIT_REASON];   /* for BOGUS and TIMEOUT */
    size_t count;
    struct view rdata[LIMIT_DNS_RECORDS];
};

enum discovered {
    DISCOVERED_FOUND,
    DISCOVERED_ABSENT,
    DISCOVERED_MALFORMED, /* a delegation that is there but wrong (OE-051) */
    DISCOVERED_BOGUS,
    DISCOVERED_TIMEOUT,
};

struct discovered_gateway {
    uint16_t precedence;
    struct identity id; /* who it is; @FQDN in TXT only authorizes (OE-147) */
    bool ipseckey;      /* an IPSECKEY record says so, not the draft's TXT */
    struct ip_addr contact; /* where to reach a gateway that IPSECKEY names; family 0: unknown */
    uint8_t key_count;
    struct public_key keys[LIMIT_GATEWAY_KEYS];
};

/* The answer to "who acts for this address?": gateways sorted by precedence, strongest first. */
struct delegation {
    enum discovered status;
    bool secure;      /* every answer used was vouched for by DNSSEC */
    bool by_name;     /* a forward name says so, the reverse map holds nothing: each gateway is the
                         address itself, and has the keys of the name in its id */
    mono_t expires;   /* when the answer goes stale (OE-077) */
    uint8_t count;
    struct discovered_gateway gateways[LIMIT_GATEWAYS];
    char why[LIMIT_REASON];    /* one line for people */
};

/* Where the gateway can be reached; NULL: nowhere that we know of. */
static inline const struct ip_addr *discovered_contact(const struct discovered_gateway *gw)
{
    if (gw->id.kind == IDENTITY_ADDR)
        return &gw->id.addr;
    return gw->contact.family != IP_NONE ? &gw->contact : NULL;
}

/* The answer to "which keys does this identity have?" */
struct identity_keys {
    enum discovered status;
    bool secure;
    mono_t expires;
    uint8_t count;
    struct public_key keys[LIMIT_GATEWAY_KEYS];
    char why[LIMIT_REASON];
};

/* What the answer is for; it chooses the step labels of the draft's Figure 6 in the trace. KEYS is
 * always for authentication: 5F1 and 5F2. */
enum discover_purpose {
    PURPOSE_INITIATE,  /* whom to contact for a new flow: 5B, 5C */
    PURPOSE_AUTHORIZE, /* may the peer act for this client: 5H1, 5H2 */
    PURPOSE_RECHECK,   /* is an old answer still true (OE-077): no label */
};

/*
 * NAME is a hint from whoever resolves names for the site: this name has this address. Nothing in
 * it is believed; before it is used, discover asks for the name's own address and IPSECKEY records
 * and wants both vouched for by DNSSEC.
 */
enum discover_event_kind {
    DISCOVER_EV_DELEGATION,
    DISCOVER_EV_KEYS,
    DISCOVER_EV_ANSWER,
    DISCOVER_EV_NAME,
};

struct discover_event {
    enum discover_event_kind kind;
    uint64_t ticket;        /* DELEGATION, KEYS: the caller's, returned in the effect */
    struct ip_pair flow;    /* DELEGATION, KEYS: for the trace only; may be zero */
    enum discover_purpose purpose; /* DELEGATION: for the trace only */
    struct ip_addr behalf;  /* DELEGATION, KEYS: who brought it about; each has his turn (OE-194) */
    bool names;             /* DELEGATION: forward names may speak where the reverse map doesn't */
    struct ip_addr address; /* DELEGATION: whose gateways (OE-047, OE-139); NAME */
    struct identity id;     /* KEYS: reverse map for an address, forward map for a name (OE-085);
                               DELEGATION: with names, one more to ask about; NAME */
    uint32_t ttl_s;         /* NAME */
    uint64_t serial;        /* ANSWER: of the QUERY; unknown serials are ignored */
    const struct dns_answer *answer;
};

enum discover_effect_kind { DISCOVER_FX_QUERY, DISCOVER_FX_DELEGATION, DISCOVER_FX_KEYS };

struct discover_effect {
    enum discover_effect_kind kind;
    uint64_t serial;              /* QUERY */
    uint16_t type;                /* QUERY: DNS_TYPE_... */
    char name[LIMIT_DNS_NAME];    /* QUERY: with the final dot */
    uint64_t ticket;              /* DELEGATION, KEYS */
    const struct delegation *delegation;
    const struct identity_keys *keys;
};

struct discover_config {
    bool ask_ipseckey;         /* IPSECKEY counts where no TXT or KEY of ours is (OE-138) */
    bool insecure_only_to_self;/* an unsigned delegation may only name the address itself (OE-055, OE-056) */
    uint32_t lookup_ms;        /* 0: LIMIT_LOOKUP_MS */
    uint32_t lookups;          /* 0: LIMIT_LOOKUPS */
    uint32_t waiting;          /* 0: LIMIT_LOOKUPS_WAITING */
    uint32_t cache;            /* 0: LIMIT_DNS_CACHE */
    uint32_t named_addresses;  /* 0: LIMIT_NAMED_ADDRESSES */
};

struct discover_env {
    struct rng rng;
    struct event_sink trace;
};

struct discover;

MUST_USE enum err discover_new(const struct discover_config *config, const struct discover_env *env,
                               struct discover **ret);
void discover_free(struct discover *d);
/* Answers already known are kept; what is asked from now on is judged by the new configuration. */
void discover_reconfigure(struct discover *d, const struct discover_config *config);
MUST_USE enum err discover_input(struct discover *d, mono_t now, const struct discover_event *event);
void discover_timer(struct discover *d, mono_t now);
mono_t discover_next_deadline(const struct discover *d);
/* False: no more effects. */
bool discover_next_effect(struct discover *d, struct discover_effect *ret);
size_t discover_pending(const struct discover *d);

#endif
