/*
 * From DNS records to gateways and keys: which records count, what a bad one among them means, and
 * in which order gateways are tried. Pure functions over answers.
 */
#ifndef CYGNET_DISCOVER_GATHER_H
#define CYGNET_DISCOVER_GATHER_H

#include "discover/question.h"

struct gather_rules {
    struct ip_addr address; /* whose delegation it is */
    bool insecure_only_to_self;
    const uint32_t *order; /* LIMIT_DNS_RECORDS random numbers: the order of equals */
};

/* A gateway in DNS may come without its key (OE-145). */
struct gathered {
    struct delegation delegation;   /* status, secure, expires, why, gateways */
    bool wants_key[LIMIT_GATEWAYS]; /* a KEY lookup of the gateway's identity is still to be done */
};

/* From an answered TXT or IPSECKEY question. FOUND still needs the wanted keys. */
MUST_USE enum err gather_delegation(const struct gather_rules *rules, const struct question *q,
                                    struct gathered *ret);
/*
 * From answered A and AAAA questions about the name of the gateway at `i`: where it is. A name with
 * several addresses becomes several gateways; returns the index of the last of them. A name without
 * a usable address stays, and only authorizes whoever comes.
 */
size_t gather_contacts(struct question *const *q, size_t count, struct delegation *d, size_t i);
/*
 * From answered questions about a forward name: IPSECKEY, and A or AAAA. Adds the address itself as
 * a gateway known by that name if both answers are secure, the name does have the address, and a key
 * of it is for the name or the address itself: a name speaks for nobody else.
 */
void gather_named(const struct identity *id, const struct ip_addr *address,
                  const struct question *key, const struct question *addresses,
                  struct delegation *d);
/* From an answered KEY or IPSECKEY question about `id`; only an IPSECKEY that points to `id` itself
 * counts. */
void gather_keys(const struct identity *id, const struct question *q, struct identity_keys *ret);
/* Adds keys to a gateway; those it has already and those beyond LIMIT_GATEWAY_KEYS are left out. */
void gather_add_key(struct public_key *keys, uint8_t *count, const struct public_key *key);

#endif
