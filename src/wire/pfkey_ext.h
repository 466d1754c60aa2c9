/*
 * The extensions of a PF_KEYv2 message, each as one row: its number, what it stands for, how its
 * body is written and read. A body is what follows the four octets of length and type. A writer
 * that has nothing to say writes nothing, and the extension is left out.
 * Private to the PF_KEY codec and its test.
 */
#ifndef CYGNET_WIRE_PFKEY_EXT_H
#define CYGNET_WIRE_PFKEY_EXT_H

#include "base/cursor.h"
#include "wire/pfkey.h"

enum pfkey_ext_type {
    /* RFC 2367 section 2.3 */
    PFKEY_EXT_SA = 1,
    PFKEY_EXT_LIFETIME_CURRENT = 2,
    PFKEY_EXT_LIFETIME_HARD = 3,
    PFKEY_EXT_LIFETIME_SOFT = 4,
    PFKEY_EXT_ADDRESS_SRC = 5,
    PFKEY_EXT_ADDRESS_DST = 6,
    PFKEY_EXT_KEY_AUTH = 8,
    PFKEY_EXT_KEY_ENCRYPT = 9,
    PFKEY_EXT_SPIRANGE = 16,
    /* Linux and KAME */
    PFKEY_EXT_NAT_T_TYPE = 20,
    PFKEY_EXT_NAT_T_SPORT = 21,
    PFKEY_EXT_NAT_T_DPORT = 22,
    /* ours; the addresses among them have the form of an RFC 2367 address extension */
    PFKEY_EXT_X_SA = 64,          /* direction, interface, ESN, key bits, ticket, packet limits */
    PFKEY_EXT_X_INNER_SRC = 65,   /* selectors, with their prefix length */
    PFKEY_EXT_X_INNER_DST = 66,
    PFKEY_EXT_X_FLOW_SRC = 67,
    PFKEY_EXT_X_FLOW_DST = 68,
    PFKEY_EXT_X_VERDICT = 69,
    PFKEY_EXT_X_LAST_USE = 70,
    PFKEY_EXT_X_COUNTS = 71,      /* packets and age, beside LIFETIME_CURRENT with the octets */
    PFKEY_EXT_X_TRACE = 72,
    PFKEY_EXT_X_EXPIRE_HARD = 73,
    PFKEY_EXT_X_COUNTER = 74,
    PFKEY_EXT_X_PEER = 75,
    PFKEY_EXT_X_TICKET = 76,
    PFKEY_EXT_X_END = 77,
    PFKEY_EXT_X_PORTS = 78,       /* selectors beside the addresses: protocol and ports */
    PFKEY_EXT_X_NEW_ADDRESS_SRC = 79, /* addrmgmt-06 appendix E, laid out as ADDRESS_SRC (ADR-101) */
    PFKEY_EXT_X_NEW_ADDRESS_DST = 80,
    PFKEY_EXT_X_STREAM = 81,      /* which TCP stream the peer's end is (RFC 9329) */
};

struct pfkey_ext {
    uint16_t type; /* enum pfkey_ext_type */
    uint32_t has;  /* the enum pfkey_has that it stands for */
    void (*write)(struct builder *b, const struct pfkey_message *message);
    /* Reading past the end is noticed by the caller. */
    enum err (*read)(struct cursor *cur, struct pfkey_message *message);
};

/* In the order in which they are written. */
const struct pfkey_ext *pfkey_exts(size_t *ret_count);
/* The row of a type, or NULL. */
const struct pfkey_ext *pfkey_ext_find(uint16_t type);

/* SADB_EALG and SADB_AALG numbers; 0 for none. */
uint8_t pfkey_ealg(uint8_t cipher);
uint8_t pfkey_aalg(uint8_t auth);

#endif
