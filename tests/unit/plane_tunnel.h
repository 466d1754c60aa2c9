/*
 * Two planes on a bench with a tunnel between them. The tunnel owns its rigs; what fails, fails the
 * test.
 */
#ifndef CYGNET_TESTS_PLANE_TUNNEL_H
#define CYGNET_TESTS_PLANE_TUNNEL_H

#include "plane_rig.h"

/* Two gateways and a flow from behind one to behind the other. */
struct tunnel {
    struct rig *a, *b;
    struct ip_pair flow, gateways;
    struct sa_params sa; /* from a to b */
};

/* With an SPI of b's in `sa`, and nothing installed yet. */
struct tunnel tunnel_between(const char *src, const char *dst, const char *gw_a, const char *gw_b);
struct tunnel tunnel_v4(void);
/* What the initiator and the responder of a negotiation do (OE-185, OE-186): a's SA and policy have
 * ticket 5, b's SA has 6. */
void tunnel_open(struct tunnel *t);
/* The responder's half of it. */
struct pfkey_message tunnel_install_in(struct tunnel *t, uint64_t ticket);
void tunnel_close(struct tunnel *t);
/* A datagram goes from a's side to b's, and comes out as it went in. */
void tunnel_cross(struct tunnel *t, uint8_t mark);

#endif
