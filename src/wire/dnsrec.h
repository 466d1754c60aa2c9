/*
 * The contents of the DNS records that opportunistic encryption reads and publishes: TXT delegation
 * (OE draft section 5.2), KEY (RFC 2535 section 3, RFC 3110) and IPSECKEY (RFC 4025). Bytes to
 * plain structs and back; no lookups, no policy.
 */
#ifndef CYGNET_WIRE_DNSREC_H
#define CYGNET_WIRE_DNSREC_H

#include "base/err.h"
#include "crypto/key.h"
#include "wire/identity.h"

enum {
    DNS_TYPE_A = 1,
    DNS_TYPE_TXT = 16,
    DNS_TYPE_KEY = 25,
    DNS_TYPE_AAAA = 28,
    DNS_TYPE_IPSECKEY = 45,
};

/* Where a delegation points. */
struct dnsrec_gateway {
    uint16_t precedence;     /* lower is stronger (OE-143) */
    struct identity gateway; /* IDENTITY_NONE: IPSECKEY with no gateway, the host itself */
    struct public_key key;   /* alg KEY_NONE: look it up (OE-145) */
};

/*
 * One TXT record's RDATA: character-strings, joined before parsing (OE-150).
 * ERR_UNKNOWN: not ours, to be ignored (OE-141). ERR_SYNTAX or ERR_VALUE: ours and malformed
 * (OE-051).
 */
MUST_USE enum err dnsrec_txt_parse(struct view rdata, struct dnsrec_gateway *ret);
/* ERR_UNKNOWN: a KEY not meant for IPsec authentication. (OE-135, OE-136, OE-138) */
MUST_USE enum err dnsrec_key_parse(struct view rdata, struct public_key *ret);
/* ERR_UNSUPPORTED: an algorithm or gateway type we don't know. */
MUST_USE enum err dnsrec_ipseckey_parse(struct view rdata, struct dnsrec_gateway *ret);

/* RDATA for the same; *ret_len octets are written into room, whose contents are undefined on
 * failure. */
MUST_USE enum err dnsrec_txt_build(const struct dnsrec_gateway *gw, struct span room,
                                   size_t *ret_len);
MUST_USE enum err dnsrec_key_build(const struct public_key *key, struct span room, size_t *ret_len);
MUST_USE enum err dnsrec_ipseckey_build(const struct dnsrec_gateway *gw, struct span room,
                                        size_t *ret_len);

/* Zone-file presentation of the RDATA: "KEY 16896 4 1 AwEAA...", with TXT strings quoted and split.
 */
MUST_USE enum err dnsrec_present(uint16_t type, struct view rdata, char *ret, size_t room);

#endif
