/*
 * An IKEv2 SA, the exchanges that run under it and what they negotiate. Owned by the engine
 * (ike/engine.h), which alone may free one; exchanges are owned by their SA, negotiations by their
 * exchange.
 *
 * Either end may have one request under way (the window is 1 in both directions, RFC 7296 section
 * 2.3): `mine` is ours, others of ours wait in line; `theirs` is the peer's, until it is answered.
 * What only the first exchanges need hangs on `handshake` and is gone once the SA is established,
 * so that an idle SA stays small.
 */
#ifndef CYGNET_IKE_V2_SA_H
#define CYGNET_IKE_V2_SA_H

#include <sys/queue.h>

#include "address/paths.h"
#include "address/routability.h"
#include "base/addr.h"
#include "base/heap.h"
#include "base/map.h"
#include "base/secret.h"
#include "crypto/aead.h"
#include "crypto/hash.h"
#include "crypto/kex.h"
#include "crypto/key.h"
#include "ike/blob.h"
#include "ike/profile.h"
#include "ike/timer.h"
#include "ike/v2/proposal.h"
#include "ike/v2/puzzle.h"
#include "ike/v2/table.h"
#include "wire/addrmgmt.h"

struct ike_child;
struct ike_peer;
struct ike_request;
struct ike_ticket;
struct v2_exchange;
struct v2_sa;
struct v2_used;

enum {
    V2_NONCE_LEN = 32,
    V2_DIGEST_LEN = 32,       /* SHA-256 */
    V2_WAITING_MAX = 256,     /* exchanges of ours that wait for their turn */
    V2_ANSWER_MS = 180000,    /* an answer is kept at least so long (section 2.1) */
    V2_HINT_MS = 3000,        /* after an unprotected refusal a better answer may still come */
    V2_BUSY_MS = 1000,        /* after TEMPORARY_FAILURE, times the number of tries (section 2.25) */
    V2_ASK_AGAIN_MS = 2000,   /* a signature that does not come is asked for again */
    V2_TRIES = 5,             /* of what a peer asks us to repeat */
    V2_COOKIE_MAX = 64,       /* section 2.6 */
    V2_AUTHORITIES_MAX = 32,  /* whose certificates are asked for in one message */
    V2_CERTS_MAX = 8,         /* certificates looked at in one message */
    V2_LIVENESS_S = 30,       /* a silent configured peer is asked after so long */
    V2_VIA_TRIES = 3,         /* a path that is tested gets a request so often, then it is said elsewhere */
    V2_LOOK_TRIES = 2,        /* unanswered so often, a request is tried along other paths too */
    V2_TCP_TRIES = 4,         /* unanswered so often through UDP, a request goes through TCP too */
    V2_MOVE_PATIENCE_MS = 300000, /* for a peer that decides about paths (RFC 4555 section 3.11) */
    V2_UPDATE_SAS = 256,      /* named in one update of addresses */
    V2_SEEN_TIMES = 3,        /* at the same other address: that is a NAT, and nobody's forgery */
    V2_UPDATE_COPIES = 8,     /* of an open one, answered with a check of where they came from */
    V2_DATAGRAM = 1280,       /* longer ones are sent in fragments (RFC 7383 section 2.5.1) */
};

/* Where messages go to and come from; `natt`: through the plane, on port 4500 behind the non-ESP marker, or
 * in the TCP stream that the remote end names. */
struct v2_path {
    struct ip_endpoint local, remote;
    bool natt;
};

/* Section 2.23: what is known of NAT between us and the peer. */
struct v2_nat {
    bool agreed;      /* both ends sent the notifies */
    bool here, there; /* we are behind one; the peer is */
    bool udp;         /* ESP goes inside UDP, or inside TCP where IKE does */
};

/* What an INFORMATIONAL request of ours is for (v2/mobike.c). */
enum v2_says {
    V2_SAYS_LITTLE,    /* what else is in the exchange */
    V2_SAYS_UPDATE,    /* the SAs' addresses are those of this message now (RFC 4555 section 3.5) */
    V2_SAYS_ADDRESSES, /* where else we can be reached (3.6) */
    V2_SAYS_CHECK,     /* is the peer where it says it is? (3.7) */
    V2_SAYS_PROBE,     /* does another path work? (3.10) */
    V2_SAYS_ALIVE,     /* is it there, and is the NAT between us as it was? (3.8) */
};

/* MOBIKE with a peer that speaks it; on its IKE SA, and handed on to the one that replaces that. */
struct v2_mobike {
    struct v2_sa *sa;
    bool decides; /* the first IKE SA with this peer was begun by us: we say which addresses are used */
    struct address_set peer;   /* where it can be reached; first where it was at the beginning */
    struct address_set proved; /* where it has been reached, as a list */
    struct address_paths paths;
    struct address_pair asked; /* what somebody here wished for last: the best while there is such a pair */
    bool no_way;               /* none of our addresses reaches any of the peer's */
    bool checking;             /* of the peer's new address; until then, and if it fails: */
    struct v2_path before;
    struct v2_nat nat_before;
    bool disproved;            /* the peer is perhaps not where its last update said */
    unsigned refused;          /* updates in a row */
    unsigned rechecks;         /* of the address under check, answered from elsewhere */
    bool mapped_known;         /* what the peer sees of us, as it said last: section 3.8 */
    uint8_t mapped[HASH_MAX];
    struct ike_timer probe;
    uint32_t moves;            /* for people */
    /* With a peer that speaks draft-dupont-ikev2-addrmgmt-06 instead (v2/addrmgmt.c): */
    bool draft;
    struct address_set told;   /* our addresses as it has them, ... */
    struct address_set saying; /* ... and as it will once our request is answered */
    struct ip_addr seen;       /* where it saw us instead of where we are, and how often in a row */
    unsigned seen_times;
    struct v2_update *latest;  /* its last request, or NULL */
    struct v2_update *open;    /* the one that waits for a check: that, or one before; or NULL */
};

/* What a request of the peer's asks for (addrmgmt-06 sections 3.3, 3.4), kept until it is done. */
struct v2_update {
    struct v2_path to;     /* the addresses that it names, with the ports it came with */
    struct v2_path source; /* where it came from, or its last copy */
    bool about_addresses;  /* there was any of the draft's notifications */
    bool moves;            /* Update payloads: */
    bool all, ike, only;
    bool required;         /* the address named has to answer: the request is from an unknown one */
    bool refused;
    struct addrmgmt_address what; /* is refused */
    unsigned copies;
    struct address_set adds, deletes;
    uint8_t cookie[ADDRMGMT_COOKIE_MAX]; /* to be sent back */
    size_t cookie_len;     /* 0: none */
    size_t count;
    struct {
        uint8_t protocol;  /* enum sa_protocol */
        spi_t spi;         /* the peer's inbound one */
    } sas[V2_UPDATE_SAS];
};

/* Section 2.14; of the length that prf and cipher say. */
struct v2_keys {
    uint8_t d[HASH_MAX];
    uint8_t ai[AEAD_INTEG_KEY_MAX], ar[AEAD_INTEG_KEY_MAX];
    uint8_t ei[AEAD_KEY_MAX], er[AEAD_KEY_MAX];
    uint8_t pi[HASH_MAX], pr[HASH_MAX];
};

/* The datagrams of one message, each behind its length in two octets. */
struct v2_sent {
    struct blob datagrams;
};

enum { TICKET_MAX = 1536, TICKET_ID = 16 };

/* RFC 5723 section 5: what an IKE SA leaves for one that resumes it. */
struct v2_session {
    uint32_t profile; /* its number */
    uint8_t peer_method;
    uint8_t peer_key_alg;
    struct identity own_id, peer_id; /* as they were proved */
    uint8_t peer_key_digest[V2_DIGEST_LEN];
    struct blob peer_key;
    struct ike2_suite suite;
    uint8_t d[HASH_MAX];
    uint8_t own_spi[IKE2_SPI_LEN];
    int64_t proved; /* by the clock on the wall, when the peer last proved itself without a ticket */
};

/* An initiator's, in the engine's list; or what a responder found in one that was shown to it. */
struct v2_ticket {
    struct v2_session session;
    /* initiator */
    LIST_ENTRY(v2_ticket) of_all;
    uint64_t number;        /* of its record */
    uint64_t owner;         /* of the SA it is for; 0: it was lost */
    struct v2_sa *sa;       /* the same; NULL: not here */
    struct ip_addr remote;
    mono_t expires;
    struct blob opaque;
    bool rests;             /* it got no answer: the next attempt goes without */
    /* responder */
    uint8_t id[TICKET_ID];
    int64_t until;          /* by the clock on the wall */
};

/* What the first exchanges need until they are done; then it is wiped. */
struct v2_handshake {
    struct ike2_policy policy;      /* what we offered, or accept */
    struct kex *kex;                /* initiator */
    unsigned retries;               /* COOKIE, INVALID_KE_PAYLOAD */
    struct blob cookie;             /* initiator: to be sent back */
    struct blob nonce_i, nonce_r;
    struct blob request, response;  /* IKE_SA_INIT as sent: the AUTH payloads cover them */
    struct blob id_own, id_peer;    /* bodies */
    struct blob auth;               /* responder: the peer's AUTH body */
    struct blob certs;              /* responder: CERT bodies, each behind its length in two octets */
    struct public_key *keys;        /* initiator: those the peer may prove itself with */
    size_t key_count;
    struct identity expected;       /* initiator: who the peer should be */
    struct identity claimed;        /* responder: who it says it is */
    struct v2_path from;            /* responder: where IKE_AUTH came from */
    uint32_t peer_hashes;           /* RFC 7427: 1 << number; 0: it did not say */
    bool initial_contact;           /* the peer's message says so */
    bool floats;                    /* and that it speaks MOBIKE, ... */
    bool mobike;                    /* ... as we will with it, ... */
    bool draft;                     /* ... unless this is spoken: addrmgmt-06 */
    struct address_set told;        /* what we said of our addresses */
    struct address_set addresses;   /* ... and can be reached there too */
    bool addressed;                 /* initiator: the peer lent us an address */
    bool hinted;                    /* somebody sent an unprotected refusal */
    uint8_t scheme;                 /* the signature we make */
    bool pkcs1;                     /* initiator: the peer did not believe PSS before */
    bool disbelieved;               /* initiator: it answered AUTHENTICATION_FAILED */
    /* RFC 8019 */
    struct puzzle puzzle;           /* initiator: at work on it, ... */
    struct blob puzzle_text;        /* ... about this */
    bool solves, solved;
    uint8_t worked;                 /* responder: the difficulty of the one that was solved */
    uint8_t auth_bits;              /* and of that for IKE_AUTH; 0: none */
    bool auth_solved;
    /* RFC 5723 */
    struct v2_ticket *ticket;       /* shown by us, or to us; NULL: none */
    bool wants_ticket;              /* responder: the peer asks for one */
    /* RFC 9242 */
    bool mediates;                  /* both ends can */
    unsigned mediated;              /* exchanges done */
    uint8_t int_auth[2][HASH_MAX];  /* what AUTH covers of them: the initiator's, the responder's */
    /* RFC 8784 */
    bool ppk_agreed;                /* either end has some PPK */
    bool ppk_used;                  /* and it is in the SA's keys */
    struct v2_keys plain;           /* without it */
    struct blob plain_auth;         /* initiator: its proof by those */
};

/* Key exchanges that follow a CREATE_CHILD_SA (RFC 9370 section 2.2.4). */
struct v2_follow {
    uint16_t methods[IKE2_ADDITIONAL_MAX + 1]; /* those agreed on, in order; 0 ends */
    unsigned done;
    struct kex *kex;     /* initiator: of the one that is out */
    struct blob secrets; /* SK(1) | SK(2) ... */
    struct blob link;    /* the responder's name for the exchange */
    struct blob reply;   /* responder: its value, to be sent */
};

struct v2_exchange {
    struct v2_sa *sa;
    enum v2_state state;
    bool initiator;
    uint32_t id; /* the message's */
    enum v2_timer timer_kind;
    struct ike_timer timer;
    mono_t give_up;
    uint32_t wait_ms; /* until the next repetition */
    unsigned tries;
    bool repeats;      /* what is out was sent in a former life */
    bool in_line;      /* it waits for its turn */
    bool holds;        /* and not before `hold_until` */
    mono_t hold_until;
    uint8_t digest[V2_DIGEST_LEN]; /* responder: of the request */
    struct v2_sent out; /* initiator: the request */
    struct map_node by_serial;
    uint64_t serial; /* of the question asked; zero: none */
    struct v2_parked *parked; /* the step that waits for a public-key operation; NULL: none */
    TAILQ_ENTRY(v2_exchange) of_line;
    struct v2_child *child; /* being made; NULL: none */
    struct v2_rekey *rekey; /* an IKE SA being made; NULL: none */
    struct v2_follow *follow; /* NULL: one key exchange does */
    /* INFORMATIONAL, ours: what it says. */
    spi_t deletes;   /* the inbound SA of a child */
    uint8_t deletes_protocol; /* enum sa_protocol */
    bool deletes_sa; /* the IKE SA itself */
    uint16_t notify; /* 0: none */
    enum v2_says says;
    struct address_cookie cookie;
    bool stale;          /* things have changed since it was said: its answer counts for nothing */
    bool has_via;        /* it goes */
    struct v2_path via;  /* that way first, and not along the SA's path */
    unsigned repeats_made;
    bool looks;          /* it went along other paths too, the last of them */
    struct address_pair looked;
    struct v2_path tcp;  /* ... or through TCP, that way; without a stream: not */
    struct v2_path from; /* responder: where the request came from */
};

/* A pair of ESP or AH SAs in the making. */
struct v2_child {
    struct v2_sa *sa;
    struct v2_exchange *x;
    struct ike_request *request; /* NULL: a re-key of our own, or a responder's */
    struct ike_ticket *ticket;   /* NULL: a responder's, not yet authorized */
    LIST_ENTRY(v2_child) of_ticket;
    struct ike_child *rekeys;    /* the one that it is to replace; NULL: none, or gone */
    spi_t rekeys_spi;            /* of that one, inbound; 0: it replaces nothing */
    struct ike_child *child;     /* made, not yet reported */
    uint64_t born;
    struct ip_pair flow;         /* src is our side's client; family 0: not one pair of hosts */
    struct traffic_pair traffic;
    struct kex *kex;             /* initiator */
    uint16_t method;             /* to begin with; 0: no key exchange of its own */
    struct blob peer_ke;         /* responder: the request; initiator: nothing */
    struct blob own_ke;          /* responder: the reply */
    struct blob secret;          /* g^ir, if there was one */
    struct blob nonce_i, nonce_r;
    struct ike2_policy policy;      /* what we offered, or accept */
    struct ike2_child_suite suite;
    struct ike2_choice choice;   /* responder: the answer */
    spi_t spi_in, spi_out;
    uint16_t refused;            /* the notify that stands in its place */
    bool outbound_given;         /* handed out for installation */
    bool agreed;                 /* the peer thinks that it is up */
    bool gone;                   /* the peer has deleted it already */
    bool reported;               /* it is a child now, and not ours any more */
    bool silent;                 /* the peer let all its time go by without an answer */
    bool doomed;                 /* responder: both ends replace a child, and the peer will delete its own */
    bool unwanted;               /* cancelled while its request was out */
    bool wants_address;          /* responder: the peer asked for a virtual one */
    struct sa_params sas[2];     /* inbound, outbound; wiped once installed */
};

/* An IKE SA in the making that is to replace the one it is made under. */
struct v2_rekey {
    struct ike2_policy policy;
    struct kex *kex;
    uint16_t method;
    uint8_t spi[IKE2_SPI_LEN];
    struct blob nonce_i, nonce_r;
    /* Once it is agreed on */
    struct ike2_suite suite;
    struct ike2_choice choice;
    struct blob secret;          /* of the first key exchange */
    struct blob reply;           /* responder: our value */
    bool has_crash_token;        /* initiator: see v2_sa */
    uint8_t crash_token[V2_DIGEST_LEN];
};

struct v2_sa {
    struct map_node by_spi;
    uint8_t own_spi[IKE2_SPI_LEN];
    uint8_t peer_spi[IKE2_SPI_LEN];
    struct map_node by_init; /* responder, until it is established */
    struct v2_init_key {
        struct ip_addr remote;
        uint8_t zero;
        uint16_t port;
        uint8_t spi[IKE2_SPI_LEN];
        uint8_t digest[V2_DIGEST_LEN]; /* another request of that SPI is another SA (section 2.1) */
    } init_key;
    bool in_inits;
    size_t index; /* in the engine's list of all */
    uint64_t number;
    /* The ends of its first message: how peer, children and plane know it, whatever becomes of its
     * path. */
    struct ip_endpoint local, remote;
    struct v2_path path;
    struct v2_nat nat;
    struct ike_timer keepalive;
    bool initiator; /* the original initiator */
    bool established;
    bool dying;    /* v2_sa_free() is at work: serves nobody */
    bool closing;  /* our Delete of it is out */
    bool replaced; /* a newer one took its children: nothing new begins here */
    struct ike_peer *peer; /* NULL: a responder's, not yet authenticated */
    LIST_ENTRY(v2_sa) of_peer;
    TAILQ_ENTRY(v2_sa) of_unproven;
    bool unproven;
    uint16_t unproven_slot;
    uint32_t profile; /* its number; 0: opportunistic */
    struct ike2_suite suite;
    struct v2_keys keys;
    uint64_t iv; /* counter of the next, for combined ciphers */
    struct v2_handshake *handshake; /* NULL once established */
    uint32_t next_out, next_in;     /* message ids */
    struct v2_exchange *mine, *theirs; /* NULL: none */
    struct v2_exchange *following; /* the peer's, until its next IKE_FOLLOWUP_KE; NULL: none */
    TAILQ_HEAD(v2_line, v2_exchange) waiting;
    size_t waiting_count;
    struct v2_sent answer;          /* to the request before next_in */
    uint8_t answered[V2_DIGEST_LEN]; /* that request */
    bool answered_any;
    mono_t answered_at;
    struct ike_timer idle;          /* when the answer may go; when to ask a silent peer */
    struct v2_assembly *assembly;   /* fragments of a message; NULL: none */
    bool fragments;                 /* both ends can (RFC 7383) */
    bool sync_agreed;               /* both ends can (RFC 6311) */
    bool restored;                  /* from a record, and nothing has shown yet that it was the last one */
    struct v2_sync *sync;           /* a question for the peer's message ids; NULL: none */
    mono_t heard;                   /* the last authentic message */
    LIST_HEAD(, ike_child) children;
    struct identity peer_id; /* as it proved */
    uint8_t peer_key_alg;
    struct blob peer_key;    /* its octets; empty: it proved no key */
    uint8_t peer_key_digest[V2_DIGEST_LEN];
    uint8_t peer_method;     /* enum ike_method */
    struct v2_sa *collided;  /* what the peer's re-key made while ours is under way (section 2.8.2) */
    struct v2_sa *collided_of; /* the one whose `collided` this is */
    struct blob collided_nonce; /* the lower one of that exchange */
    struct ike_timer expiry;
    mono_t since, expires;
    uint64_t proven; /* when it was established, as a serial */
    bool has_crash_token;
    uint8_t crash_token[V2_DIGEST_LEN]; /* RFC 6290: digest of what a peer that lost the SA will show */
    int64_t proved;  /* see v2_session */
    struct v2_ticket *ticket; /* to resume it with; NULL: none */
    bool resumed;    /* it began with a ticket */
    bool greets;     /* our IKE_AUTH says INITIAL_CONTACT */
    struct v2_mobike *mobike; /* NULL: the peer, or policy, will have none */
    uint64_t trace_connection; /* the first request's ticket; zero: `number` stands for it */
    struct ip_pair trace_flow;
};

/* What the engine keeps for version 2. */
struct v2_engine {
    struct map sas;       /* by our SPI */
    struct map inits;     /* a responder's before IKE_AUTH, by the initiator's end and SPI */
    struct map questions; /* exchanges by the serial of what they wait for */
    struct v2_sa **all;
    size_t all_count, all_room;
    TAILQ_HEAD(v2_unproven, v2_sa) unproven; /* oldest first */
    size_t unproven_count;
    uint8_t cookie_secrets[2][32]; /* the present one and the one before */
    mono_t cookie_changes;
    uint32_t cookie_version;
    LIST_HEAD(, v2_ticket) tickets; /* initiator */
    size_t ticket_count;
    uint8_t ticket_secret[32];      /* responder, unless the configuration has one */
    struct map used_tickets;        /* by their ids, ... */
    TAILQ_HEAD(v2_used_tickets, v2_used) used; /* ... and as they were used */
    uint32_t junk;             /* undecryptable for SAs half open ... */
    mono_t junk_since;         /* ... since then */
    unsigned solving;          /* puzzles, at this moment */
    uint32_t complaints;       /* unprotected answers sent ... */
    mono_t complaints_since;   /* ... in this second */
};

#endif
