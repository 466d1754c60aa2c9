/*
 * Who a gateway says it is: an address or a domain name (OE-124, OE-157). A plain value, zero where
 * unused, so identities compare by their bytes.
 */
#ifndef CYGNET_WIRE_IDENTITY_H
#define CYGNET_WIRE_IDENTITY_H

#include "base/addr.h"
#include "base/limits.h"

enum identity_kind { IDENTITY_NONE, IDENTITY_ADDR, IDENTITY_FQDN };

struct identity {
    uint8_t kind; /* enum identity_kind */
    struct ip_addr addr;
    char fqdn[LIMIT_DNS_NAME]; /* lower case, no final dot */
};

#define IDENTITY_TEXT_MAX (LIMIT_DNS_NAME + 2)
struct identity identity_of_addr(const struct ip_addr *addr);
/* False: not a host name. */
bool identity_of_fqdn(struct view name, struct identity *ret);
bool identity_equal(const struct identity *a, const struct identity *b);
/* "192.0.2.1" or "@gw.example.net" */
char *identity_format(const struct identity *id, char *ret);

#endif
