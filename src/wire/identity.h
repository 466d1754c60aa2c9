/*
 * Who a peer says it is: for opportunistic encryption an address or a domain name (OE-124, OE-157),
 * for configured peers also a mail address, a distinguished name, a key id, or nobody (RFC 7619). A
 * plain value, zero where unused, so identities compare by their bytes.
 */
#ifndef CYGNET_WIRE_IDENTITY_H
#define CYGNET_WIRE_IDENTITY_H

#include "base/addr.h"
#include "base/limits.h"

enum identity_kind {
    IDENTITY_NONE,
    IDENTITY_ADDR,
    IDENTITY_FQDN,
    IDENTITY_EMAIL,
    IDENTITY_DN,     /* DER of an X.500 Name */
    IDENTITY_KEY_ID, /* octets that only those two understand */
    IDENTITY_NULL,   /* who won't say */
};

struct identity {
    uint8_t kind; /* enum identity_kind */
    uint16_t len; /* of octets */
    struct ip_addr addr;
    union {
        char fqdn[LIMIT_DNS_NAME];      /* lower case, no final dot */
        char email[LIMIT_DNS_NAME];     /* the domain in lower case */
        uint8_t octets[LIMIT_DNS_NAME]; /* DN and KEY_ID */
    };
};

#define IDENTITY_TEXT_MAX (LIMIT_DNS_NAME + 2)
struct identity identity_of_addr(const struct ip_addr *addr);
/* False: not a host name. */
bool identity_of_fqdn(struct view name, struct identity *ret);
/* False: not local@domain. */
bool identity_of_email(struct view email, struct identity *ret);
/* IDENTITY_DN or IDENTITY_KEY_ID; false: nothing, or more than fits. */
bool identity_of_octets(enum identity_kind kind, struct view octets, struct identity *ret);
bool identity_equal(const struct identity *a, const struct identity *b);
/* The value as it goes on the wire, without its type; points into *id. */
struct view identity_octets(const struct identity *id);
/* "192.0.2.1", "@gw.example.net", "a@example.net", "dn:3011...", "keyid:0001...", "anonymous"; long
 * octets are cut off. */
char *identity_format(const struct identity *id, char *ret);

#endif
