/*
 * Arithmetic on traffic selectors: what one end of a tunnel may send or get (RFC 4301 section
 * 4.4.1.1). Plain values; nothing is kept. An ICMP message has its type and code as its port, in
 * both ends (RFC 7296 section 3.13.1).
 */
#ifndef CYGNET_WIRE_TRAFFIC_H
#define CYGNET_WIRE_TRAFFIC_H

#include "base/err.h"
#include "wire/ip.h"
#include "wire/sa.h"

/* All of a prefix, whatever protocol. */
struct traffic traffic_of_prefix(const struct ip_prefix *net);
/* Of one family, one protocol, no range that ends before it begins. */
bool traffic_pair_valid(const struct traffic_pair *pair);
bool traffic_pair_equal(const struct traffic_pair *a, const struct traffic_pair *b);
/* What both allow (RFC 7296 section 2.9). False: nothing. */
bool traffic_pair_narrow(const struct traffic_pair *offered, const struct traffic_pair *allowed,
                         struct traffic_pair *ret);
bool traffic_pair_contains(const struct traffic_pair *outer, const struct traffic_pair *inner);
/* By addresses alone: some datagram between them may be of the pair. */
bool traffic_pair_covers(const struct traffic_pair *pair, const struct ip_addr *local,
                         const struct ip_addr *remote);
bool ip_prefix_overlaps(const struct ip_prefix *a, const struct ip_prefix *b);

/* The selectors of an SA, in the direction in which it carries datagrams. */
void sa_params_set_traffic(struct sa_params *sa, const struct traffic_pair *pair);
struct traffic_pair sa_params_traffic(const struct sa_params *sa);
/* A datagram, as it travels: may the SA carry it? A later fragment has no ports, and is judged by
 * the rest. */
bool sa_params_allow(const struct sa_params *sa, struct view datagram);

/* What selectors look at in a datagram. */
struct traffic_key {
    struct ip_pair flow;
    uint8_t protocol;
    bool has_ports;
    uint16_t src_port, dst_port;
};
MUST_USE enum err traffic_key_of(struct view datagram, struct traffic_key *ret);

/* "10.1.0.0/16 tcp 80"; TRAFFIC_TEXT_MAX octets. */
#define TRAFFIC_TEXT_MAX 80
char *traffic_format(const struct traffic *traffic, char *ret);

#endif
