/*
 * IPv4, IPv6, UDP and ICMP headers: reading the header of a datagram, writing one, checksums,
 * fragmenting, and the ICMP errors that a gateway sends. Works on the caller's octets and keeps
 * nothing. A datagram may be a super-packet of up to 65535 octets.
 */
#ifndef CYGNET_WIRE_IP_H
#define CYGNET_WIRE_IP_H

#include "base/addr.h"
#include "base/err.h"

enum {
    IP_V4_HEADER = 20,
    IP_V6_HEADER = 40,
    IP_UDP_HEADER = 8,
    IP_V4_MTU_MIN = 68,   /* RFC 791 */
    IP_V6_MTU_MIN = 1280, /* RFC 8200 section 5 */
};

enum ip_proto {
    IP_PROTO_ICMP = 1,
    IP_PROTO_IPV4 = 4,
    IP_PROTO_TCP = 6,
    IP_PROTO_UDP = 17,
    IP_PROTO_IPV6 = 41,
    IP_PROTO_FRAGMENT = 44,
    IP_PROTO_ESP = 50,
    IP_PROTO_AH = 51,
    IP_PROTO_ICMPV6 = 58,
    IP_PROTO_NONE = 59,
};

/* The low two bits of the TOS or traffic class octet (RFC 3168). */
enum ip_ecn {
    IP_ECN_NOT_ECT = 0,
    IP_ECN_ECT1 = 1,
    IP_ECN_ECT0 = 2,
    IP_ECN_CE = 3,
    IP_ECN_MASK = 3
};

struct ip_header {
    struct ip_addr src, dst;
    uint32_t total_len;          /* of the datagram, headers included */
    uint16_t header_len;         /* up to the upper layer: with options and extension headers */
    uint16_t src_port, dst_port; /* TCP and UDP, where the datagram holds them; 0 otherwise */
    uint32_t fragment_at;        /* octets of the original payload in front of this one */
    uint32_t id;                 /* IPv4 identification, or that of the IPv6 fragment header */
    uint8_t proto;               /* upper layer, behind the IPv6 extension headers */
    uint8_t tos;                 /* IPv4 TOS or IPv6 traffic class: DSCP and ECN */
    uint8_t ttl;
    bool dont_fragment; /* always true for IPv6 without a fragment header */
    bool more_fragments;
};

/*
 * Reads the headers of a datagram. ERR_SHORT: it ends before its total length, or inside its
 * headers (those of a later fragment are not looked for); ERR_VERSION: neither IPv4 nor IPv6;
 * ERR_SYNTAX: header length, total length or extension chain make no sense; ERR_VALUE: the IPv4
 * checksum is wrong. Octets behind total_len are allowed and ignored.
 */
MUST_USE enum err ip_header_parse(struct view datagram, struct ip_header *ret);
/* Only the addresses; the same errors for what it looks at, but no checksum. */
MUST_USE enum err ip_pair_of(struct view datagram, struct ip_pair *ret);

static inline bool ip_is_fragment(const struct ip_header *header)
{
    return header->more_fragments || header->fragment_at != 0;
}

/* IP_V4_HEADER or IP_V6_HEADER. */
size_t ip_header_len(enum ip_family family);
/*
 * Writes a header without options or extension headers: src, dst, total_len, id (IPv4), proto, tos,
 * ttl and dont_fragment (IPv4) are used. ret holds ip_header_len(src.family) octets.
 */
void ip_header_write(const struct ip_header *header, uint8_t *ret);
/* Sets the TOS or traffic class octet in place, keeping an IPv4 checksum right. */
void ip_tos_write(struct span datagram, uint8_t tos);
/* Ports in host order; the checksum is over IPv6 as RFC 8200 demands, and zero over IPv4. */
void ip_udp_write(const struct ip_pair *pair, uint16_t src_port, uint16_t dst_port,
                  struct view payload, uint8_t *ret);

/* The one's complement sum (RFC 1071): add parts, all but the last of even length, then fold. */
uint32_t ip_sum_add(uint32_t sum, struct view part);
uint32_t ip_sum_pseudo(const struct ip_pair *pair, uint8_t proto, uint32_t payload_len);
uint16_t ip_sum_fold(uint32_t sum); /* complemented, ready to be stored in network order */

/*
 * Cuts an IPv4 datagram into fragments that fit in mtu (RFC 791 section 3.2); its own place among
 * the fragments of a still larger one is kept. The datagram must outlive the walk.
 */
struct ip_fragmenter {
    struct view datagram;
    struct ip_header header;
    uint32_t mtu; /* 0: all is handed out */
    uint32_t at;  /* payload octets already handed out */
};

/* ERR_POLICY: IPv6, or don't-fragment is set; ERR_VALUE: mtu below IP_V4_MTU_MIN. */
MUST_USE enum err ip_fragment_start(struct ip_fragmenter *f, struct view datagram, uint32_t mtu);
/* Writes the next fragment into room, which holds at least mtu octets; 0: that was all. */
size_t ip_fragment_next(struct ip_fragmenter *f, struct span room);

enum ip_icmp_error {
    IP_ICMP_TOO_BIG,   /* IPv4: fragmentation needed (RFC 1191); IPv6: packet too big */
    IP_ICMP_PROHIBITED /* communication administratively prohibited (OE-028) */
};

#define IP_ICMP_ERROR_MAX 1280 /* octets of the largest datagram ip_icmp_error_build() makes */

/*
 * Builds the whole ICMP datagram, from `src` to the source of `datagram`. mtu is only used by
 * IP_ICMP_TOO_BIG. ERR_UNEXPECTED: no error may be sent about this datagram (RFC 1122 section
 * 3.2.2, RFC 4443 section 2.4): it is a later fragment, an ICMP error itself, or its addresses are
 * not those of single hosts. ERR_ROOM, and the errors of ip_header_parse().
 */
MUST_USE enum err ip_icmp_error_build(enum ip_icmp_error kind, const struct ip_addr *src,
                                      struct view datagram, uint32_t mtu, struct span room,
                                      size_t *ret_len);

#endif
