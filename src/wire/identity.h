/*
 * Who a peer says it is: an address or a domain name (OE-124, OE-157), for configured peers also a
 * mail address, a distinguished name or an opaque key id (RFC 2407 section 4.6.2.1, RFC 7296 section
 * 3.5). A plain value, zero where unused, so identities compare by their bytes.
 */
#ifndef CYGNET_WIRE_IDENTITY_H
#define CYGNET_WIRE_IDENTITY_H

#include "base/addr.h"
#include "base/limits.h"

enum identity_kind {
    IDENTITY_NONE,
    IDENTITY_ADDR,
    IDENTITY_FQDN,
    IDENTITY_EMAIL,  /* user@host, as given */
    IDENTITY_DN,     /* DER of a distinguished name */
    IDENTITY_KEY_ID, /* opaque octets */
    IDENTITY_NULL,   /* RFC 7619: nobody in particular */
};

struct identity {
    uint8_t kind; /* enum identity_kind */
    uint8_t len;  /* DN and KEY_ID: octets in use of `fqdn` */
    struct ip_addr addr;
    char fqdn[LIMIT_DNS_NAME]; /* FQDN: lower case, no final dot; EMAIL; DN and KEY_ID: `len` octets */
};

#define IDENTITY_TEXT_MAX (2 * LIMIT_DNS_NAME + 2)
struct identity identity_of_addr(const struct ip_addr *addr);
/* False: not a host name. */
bool identity_of_fqdn(struct view name, struct identity *ret);
/* False: no address of that form, or too long. */
bool identity_of_email(struct view address, struct identity *ret);
/* kind: IDENTITY_DN or IDENTITY_KEY_ID. False: empty, or more than 255 octets. */
bool identity_of_octets(enum identity_kind kind, struct view octets, struct identity *ret);
/* The value as IKE carries it, without its type; points into *id. */
struct view identity_octets(const struct identity *id);
bool identity_equal(const struct identity *a, const struct identity *b);
/* "192.0.2.1", "@gw.example.net", "user@example.net", "dn:3082...", "key-id:6379...", "null" */
char *identity_format(const struct identity *id, char *ret);

#endif
