/*
 * PF_KEYv2 (RFC 2367) with named extensions of ours: the channel between keyd and plane, and a
 * kernel's PF_KEY. One message is one flat struct; fields are meaningful where `has` says so.
 * 64-bit alignment and host byte order as in the RFC. A message may hold keys: wipe it with
 * pfkey_message_wipe() when done.
 *
 * A request is answered by one message of its type with its seq and pid; `error` is an errno, and
 * then nothing else is carried. What the plane says unasked has pid 0. DUMP, X_POLICY_DUMP and
 * X_COUNTERS are answered by a message for each entry and a last one that has only PFKEY_HAS_END;
 * all carry the request's seq (RFC 2367 leaves open how a dump ends, and systems differ).
 */
#ifndef CYGNET_WIRE_PFKEY_H
#define CYGNET_WIRE_PFKEY_H

#include "base/builder.h"
#include "base/err.h"
#include "base/limits.h"
#include "wire/sa.h"

enum pfkey_type {
    PFKEY_GETSPI = 1,
    PFKEY_UPDATE = 2, /* of a mature SA, without keys: its lifetimes; with PFKEY_HAS_PEER: where its
                       * peer is now, port in udp_src (inbound) or udp_dst (RFC 3947 section 7); with
                       * PFKEY_HAS_NEW_ENDS: both outer addresses, ports if in UDP (ADR-103). With
                       * sa.stream either is about TCP. The SA goes on being named by the addresses
                       * that it was made with */
    PFKEY_ADD = 3,
    PFKEY_DELETE = 4,
    PFKEY_GET = 5, /* with PFKEY_HAS_LAST_USE: last-use query */
    PFKEY_ACQUIRE = 6,
    PFKEY_REGISTER = 7,
    PFKEY_EXPIRE = 8,
    PFKEY_FLUSH = 9,
    PFKEY_DUMP = 10,
    PFKEY_X_PROMISC = 11,
    /* ours, outside the range kernels use */
    PFKEY_X_POLICY_SET = 64,    /* an SPD entry: flow, verdict, SPI for encrypt */
    PFKEY_X_POLICY_DELETE = 65,
    PFKEY_X_POLICY_GET = 66,    /* last use of the SPD entry and the inbound SA */
    PFKEY_X_POLICY_DUMP = 67,
    PFKEY_X_TRACE = 68,         /* plane to keyd: something to show (first datagram held, first ESP out ...) */
    PFKEY_X_UNKNOWN_SPI = 69,   /* plane to keyd: ESP for an SPI that isn't there, rate limited (OE-072); with
                                 * a ticket and an outbound SPI: perhaps unknown to the peer, who is silent */
    PFKEY_X_COUNTERS = 70,      /* named counters of the plane */
    PFKEY_X_NEW_MAPPING = 71,   /* plane to keyd: authentic ESP of an inbound SA came from PEER and udp_src */
    PFKEY_X_RULE_SET = 72,      /* what a configured tunnel carries: the selectors of sa, verdict, ticket; SPI
                                 * and PEER for encrypt. Goes before every policy for single pairs */
    PFKEY_X_RULE_DELETE = 73,   /* by ticket */
    PFKEY_X_RULE_SWEEP = 74,    /* rules set by another keyd than the one that asks go */
    PFKEY_X_ADDUPD = 75,        /* SADB_X_ADDUPD of addrmgmt-06 appendix E (ADR-099, ADR-102): whoever keys the
                                 * outbound SA named, by the addresses that it was made with, is asked to move it
                                 * and its siblings to the new ends, of which one may be left out. The plane
                                 * passes one that it gets on to those who listen; never answered (ADR-100) */
};

enum pfkey_satype { PFKEY_SATYPE_UNSPEC = 0, PFKEY_SATYPE_AH = 2, PFKEY_SATYPE_ESP = 3 };

/* The verdict extension: the draft's five SPD states (OE-015, OE-016). */
enum pfkey_verdict {
    PFKEY_VERDICT_NONE,
    PFKEY_VERDICT_HOLD,
    PFKEY_VERDICT_PASS,
    PFKEY_VERDICT_DENY,
    PFKEY_VERDICT_ENCRYPT,
};

enum pfkey_trace {
    PFKEY_TRACE_FIRST_HELD,     /* step (5) of Figure 6 */
    PFKEY_TRACE_RELEASED,       /* held datagrams released under the new verdict */
    PFKEY_TRACE_DISCARDED,      /* held datagrams discarded */
    PFKEY_TRACE_FIRST_OUT,      /* first ESP packet of an SA sent: (6) or (9) */
    PFKEY_TRACE_FIRST_IN,       /* first inner datagram of an SA delivered: (7) or (10) */
    PFKEY_TRACE_SECOND_OUT,     /* (12) */
};

enum pfkey_has {
    PFKEY_HAS_SA = 1 << 0,        /* sa: the whole of struct sa_params but its keys */
    PFKEY_HAS_KEYS = 1 << 1,      /* cipher_key and auth_key in sa */
    PFKEY_HAS_FLOW = 1 << 2,
    PFKEY_HAS_VERDICT = 1 << 3,
    PFKEY_HAS_SPI_RANGE = 1 << 4,
    PFKEY_HAS_LAST_USE = 1 << 5,
    PFKEY_HAS_COUNTS = 1 << 6,    /* lifetime current: octets, packets, age */
    PFKEY_HAS_TRACE = 1 << 7,
    PFKEY_HAS_EXPIRE_HARD = 1 << 8, /* on EXPIRE; soft without it */
    PFKEY_HAS_COUNTER = 1 << 9,
    PFKEY_HAS_PEER = 1 << 10,
    PFKEY_HAS_TICKET = 1 << 11,
    PFKEY_HAS_END = 1 << 12,      /* the last message of a dump */
    PFKEY_HAS_NEW_ENDS = 1 << 13, /* SADB_X_EXT_NEW_ADDRESS_SRC and _DST of addrmgmt-06 appendix E */
};

struct pfkey_message {
    uint8_t type;     /* enum pfkey_type */
    uint8_t error;    /* errno in a reply, 0: fine */
    uint8_t satype; /* enum pfkey_satype: sa.suite.protocol, or UNSPEC to name an SA of either */
    uint32_t seq;     /* replies carry the request's */
    uint32_t pid;
    uint32_t has;     /* enum pfkey_has */
    struct sa_params sa;
    struct ip_pair flow;      /* SPD selector: inner source and destination, as datagrams travel out */
    uint8_t verdict;          /* enum pfkey_verdict */
    uint32_t spi_min, spi_max;
    int64_t idle_ms;          /* LAST_USE: since the last datagram in either direction; -1: never */
    uint64_t octets, packets, age_s;
    uint8_t trace;            /* enum pfkey_trace */
    char counter_name[40];
    uint64_t counter;
    struct ip_addr peer;      /* the other gateway */
    struct ip_endpoint new_src, new_dst; /* port 0: without UDP. ADDUPD: no ports; family 0: that end stays */
    uint64_t ticket;
    uint64_t note;            /* with TICKET: what keyd wants to be told of the flow after a restart */
};

/*
 * ERR_SHORT, ERR_SYNTAX (lengths), ERR_VERSION, ERR_UNSUPPORTED (an unknown type or algorithm),
 * ERR_REPEATED (an extension twice), ERR_MISSING (what this type must carry), ERR_UNEXPECTED (what
 * it must not), ERR_VALUE (a field out of its range); unknown extensions are skipped.
 */
MUST_USE enum err pfkey_parse(struct view bytes, struct pfkey_message *ret);
/* At most LIMIT_PFKEY_MESSAGE octets. ERR_ROOM; ERR_UNSUPPORTED, ERR_MISSING, ERR_UNEXPECTED and
 * ERR_VALUE for a message that pfkey_parse() would refuse. */
MUST_USE enum err pfkey_build(const struct pfkey_message *message, struct span room,
                              size_t *ret_len);
const char *pfkey_type_name(uint8_t type); /* "POLICY_SET"; "?" if unknown */
const char *pfkey_verdict_name(uint8_t verdict); /* "encrypt"; "?" if unknown */

/* For a message that says more of an SA than its SPI. */
static inline uint8_t pfkey_satype(const struct esp_suite *suite)
{
    return suite->protocol == SA_AH ? PFKEY_SATYPE_AH : PFKEY_SATYPE_ESP;
}

/* The answer to a dump is over: with PFKEY_HAS_END, or with an error. */
static inline bool pfkey_dump_is_last(const struct pfkey_message *message)
{
    return message->error != 0 || (message->has & PFKEY_HAS_END) != 0;
}

static inline void pfkey_message_wipe(struct pfkey_message *message)
{
    secret_wipe(message, sizeof(*message));
}

#endif
