/*
 * A packet buffer: one datagram (or super-packet of up to 64 KiB) with room in front for outer
 * headers and behind for the ESP trailer, so that encapsulation happens in place. Buffers are
 * allocated once, by whoever does the IO, and reused; nothing is allocated per packet.
 */
#ifndef CYGNET_ESP_PACKET_H
#define CYGNET_ESP_PACKET_H

#include "base/addr.h"
#include "base/limits.h"

/* What is known of the outer header, which the IO layer reads or writes. */
struct packet_outer {
    struct ip_addr src, dst;
    uint16_t udp_src, udp_dst; /* 0: native ESP */
    uint32_t stream;           /* the ports are those of this TCP stream (RFC 9329); 0: UDP's */
    uint8_t tos;               /* DSCP and ECN octet */
    bool dont_fragment;
    bool ah; /* the packet starts at its outer IP header, which AH covers; ESP starts at its own */
};

struct packet {
    uint8_t *base;  /* LIMIT_HEADROOM + LIMIT_PACKET + LIMIT_TAILROOM octets at most */
    uint32_t room;  /* octets from base */
    uint32_t at;    /* where the packet starts */
    uint32_t len;
    struct packet_outer outer;
};

static inline uint8_t *packet_data(const struct packet *p)
{
    return p->base + p->at;
}

static inline uint32_t packet_tailroom(const struct packet *p)
{
    return p->room - p->at - p->len;
}

#endif
