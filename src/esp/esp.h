/*
 * ESP and AH in tunnel mode (RFC 4303, 4106, 7634, 3602, 2451, 4302; outer header rules of RFC 4301
 * section 5.1.2 and 8.1, ECN of RFC 6040) over bursts of packets, in place. An esp_sa is the small
 * run-time part of an SA: expanded keys, sequence number, replay window, counters. It is used by one
 * thread.
 * A packet that fails keeps its error in ret[]; its contents are then undefined and it must be
 * dropped. The replay window moves only after the ICV was verified.
 */
#ifndef CYGNET_ESP_ESP_H
#define CYGNET_ESP_ESP_H

#include "base/err.h"
#include "esp/packet.h"
#include "wire/sa.h"

struct esp_sa;

/* ERR_UNSUPPORTED: no such suite. Copies what it needs of params, keys included. */
MUST_USE enum err esp_sa_new(const struct sa_params *params, struct esp_sa **ret);
void esp_sa_free(struct esp_sa *sa); /* wipes the keys */

/* SPI and the low half of the sequence number. False: too short, or no AH where outer.ah says so. */
bool esp_peek(const struct packet *packet, spi_t *ret_spi, uint32_t *ret_number);

/*
 * Encapsulate: packets hold inner IPv4 or IPv6 datagrams; afterwards they start at the ESP header (AH:
 * at the outer IP header) and their `outer` is filled in (addresses and ports of the SA, DSCP and ECN
 * and DF copied from the inner header). ERR_EXPIRED: sequence numbers are used up. ERR_ROOM: no head- or tailroom, or the
 * packet would not fit an IP payload of 65535 octets. ERR_SHORT, ERR_VERSION: not an IP
 * datagram.
 * IVs come from sequence numbers: a key must never be used for a second outbound SA.
 */
void esp_encapsulate(struct esp_sa *sa, struct packet **packets, size_t count, enum err *ret);
/*
 * Decapsulate: packets start at the ESP header (AH: at the outer IP header, and with ESN need 4 octets
 * of tailroom), with `outer.tos` as received; afterwards they hold
 * the inner datagram, ECN propagated (a packet that RFC 6040 says to drop: ERR_VALUE).
 * ERR_UNKNOWN (another SPI than the SA's), ERR_REPLAY, ERR_DECRYPT, ERR_SHORT, ERR_SYNTAX (padding,
 * next header; AH: a fragment, IP options), ERR_UNEXPECTED (a dummy packet, next header 59, to be
 * dropped quietly).
 */
void esp_decapsulate(struct esp_sa *sa, struct packet **packets, size_t count, enum err *ret);

/* Outbound: packets go from here to there from now on (RFC 3947 section 7, RFC 4555); port 0: without
 * UDP. */
void esp_sa_move(struct esp_sa *sa, const struct ip_endpoint *src, const struct ip_endpoint *dst);

/* The largest inner datagram whose packet, with outer IP (and UDP or TCP) header, fits in mtu octets. */
uint32_t esp_inner_mtu(const struct esp_sa *sa, uint32_t mtu);

struct esp_counts {
    uint64_t packets; /* in or out, that were good */
    uint64_t octets;  /* of inner datagrams */
    uint64_t replayed, not_authentic, malformed;
    uint64_t sequence; /* last sent, or highest received */
};
void esp_sa_counts(const struct esp_sa *sa, struct esp_counts *ret);

#endif
