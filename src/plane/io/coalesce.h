/*
 * TCP datagrams of one burst into a super-packet, so that the system takes them with one call and
 * one walk through its layers: the reverse of segment.h. Nothing is copied: the super-packet is the
 * first datagram, its headers corrected, followed by the payloads of the others. Only datagrams
 * whose TCP checksum is right are joined, since the super-packet vouches for it. No IO.
 */
#ifndef CYGNET_PLANE_IO_COALESCE_H
#define CYGNET_PLANE_IO_COALESCE_H

#include <linux/virtio_net.h>

#include "esp/packet.h"

enum { COALESCE_MAX = 64 };

struct coalescer {
    struct packet *packets[COALESCE_MAX];
    size_t count;
    bool closed;          /* takes no more */
    uint32_t ip_len;      /* of the IP header */
    uint32_t header_len;  /* IP and TCP */
    uint32_t size;        /* payload octets of each but the last */
    uint32_t total_len;
    uint32_t sequence;    /* of the next datagram to fit */
    bool push;
};

/* Takes the packet as the first, or if it continues what is there. False: finish what is there. */
MUST_USE bool coalesce_add(struct coalescer *c, struct packet *packet);
/* Corrects the first packet's headers. From then on c->header_len octets of every packet but the
 * first are left out. The caller sets c->count to 0 when it has written them. */
void coalesce_finish(struct coalescer *c, struct virtio_net_hdr *ret);

#endif
