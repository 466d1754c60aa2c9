/*
 * IP addresses, prefixes, end points, and the source/destination pair that opportunistic encryption
 * calls a flow. All are plain values: unused octets are zero, so two are equal when their bytes are,
 * and they may be used as hash keys.
 */
#ifndef CYGNET_BASE_ADDR_H
#define CYGNET_BASE_ADDR_H

#include "base/view.h"

enum ip_family { IP_NONE = 0, IP_V4 = 4, IP_V6 = 6 };

struct ip_addr {
    uint8_t family; /* enum ip_family */
    uint8_t octets[16];
};

struct ip_prefix {
    struct ip_addr addr; /* host bits are zero */
    uint8_t bits;
};

struct ip_endpoint {
    struct ip_addr addr;
    uint16_t port;   /* host order */
    uint32_t stream; /* of a peer that is reached through TCP (RFC 9329): which stream; 0: datagrams */
};

/* Who begins a stream gives it its number: this bit says that the peer did, and our end numbered it when it
 * was accepted. */
#define IP_STREAM_ACCEPTED 0x80000000u

struct ip_pair {
    struct ip_addr src;
    struct ip_addr dst;
};

#define IP_ADDR_TEXT_MAX 46
#define IP_PREFIX_TEXT_MAX 50
#define IP_ENDPOINT_TEXT_MAX 54
#define IP_PAIR_TEXT_MAX 96
/* "f.f.f....ip6.arpa." */
#define IP_REVERSE_TEXT_MAX 80

struct ip_addr ip_addr_v4(uint32_t host_order);
/* len is 4 or 16; any other yields IP_NONE. */
struct ip_addr ip_addr_from(struct view octets);
struct view ip_addr_view(const struct ip_addr *addr);
size_t ip_addr_len(const struct ip_addr *addr); /* 4, 16, or 0 for IP_NONE */
unsigned ip_addr_bits(const struct ip_addr *addr);
bool ip_addr_equal(const struct ip_addr *a, const struct ip_addr *b);
bool ip_addr_parse(const char *text, struct ip_addr *ret);
/* Writes at most IP_ADDR_TEXT_MAX octets with the final zero, and returns ret. */
char *ip_addr_format(const struct ip_addr *addr, char *ret);
/* The name in in-addr.arpa or ip6.arpa, with the final dot (OE-139, OE-047). */
char *ip_addr_reverse(const struct ip_addr *addr, char *ret);
/* Unspecified, loopback, multicast, limited broadcast or link-local: never the end of a tunnel. */
bool ip_addr_is_special(const struct ip_addr *addr);

struct ip_prefix ip_prefix_of(const struct ip_addr *addr, unsigned bits);
/* "192.0.2.0/24", "192.0.2.1", "2001:db8::/32"; host bits must be zero. */
bool ip_prefix_parse(const char *text, struct ip_prefix *ret);
char *ip_prefix_format(const struct ip_prefix *prefix, char *ret);
bool ip_prefix_contains(const struct ip_prefix *prefix, const struct ip_addr *addr);

bool ip_endpoint_equal(const struct ip_endpoint *a, const struct ip_endpoint *b);
/* "192.0.2.1:500", "[2001:db8::1]:500" */
char *ip_endpoint_format(const struct ip_endpoint *ep, char *ret);

bool ip_pair_equal(const struct ip_pair *a, const struct ip_pair *b);
struct ip_pair ip_pair_reverse(const struct ip_pair *pair);
/* "192.0.2.1 -> 192.0.2.2" */
char *ip_pair_format(const struct ip_pair *pair, char *ret);

#endif
