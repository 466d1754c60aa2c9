/*
 * One end of a PPP link (RFC 1661) inside an L2TP session: LCP, IPCP (RFC 1332) and IPV6CP (RFC
 * 5072), without authentication, compression or echo requests of its own, for L2TP watches the
 * path. The link is a plain struct that lives in its session; frames leave through a callback, at
 * once. It sees no keys and has nothing to free.
 *
 * Both ends begin. What fails makes it PPP_DEAD, and then nothing more comes of it.
 */
#ifndef CYGNET_RSIP_PPP_H
#define CYGNET_RSIP_PPP_H

#include "base/addr.h"
#include "base/err.h"
#include "base/mono.h"
#include "base/rng.h"

enum {
    PPP_FRAME_HEADER = 4, /* address, control, protocol: never compressed by us */
    PPP_CONTROL_MAX = 256,
    PPP_MRU = 1500,
};

enum ppp_protocol { PPP_LCP, PPP_IPCP, PPP_IPV6CP, PPP_PROTOCOLS };

/* The states of RFC 1661 section 4.2 that a link here can be in. */
enum ppp_state { PPP_CLOSED, PPP_REQ_SENT, PPP_ACK_RCVD, PPP_ACK_SENT, PPP_OPENED, PPP_DEAD };

struct ppp_env {
    struct rng rng;
    /* A whole frame, from its address field on. */
    void (*send)(void *ctx, struct view frame);
    /* Whether datagrams of that family go over the link. On a gateway *addr is what the host asks
     * for, and becomes what it may have; on a host *addr becomes its own address. */
    bool (*address)(void *ctx, enum ip_family family, struct ip_addr *addr);
    void *ctx;
};

struct ppp_control {
    enum ppp_state state;
    uint8_t id;                  /* of our last Configure-Request */
    uint8_t left, naks, refused; /* requests left to send; naks sent; our options not liked */
    bool given_up;               /* the ends don't agree: not again on this link */
    bool no_option;              /* the peer doesn't know our one option */
    mono_t timeout;
};

struct ppp {
    struct ppp_env env;
    bool gateway;
    struct ppp_control control[PPP_PROTOCOLS];
    uint32_t magic;
    uint8_t interface_id[8];
    struct ip_addr own; /* IPv4, by IPCP; family 0: none is told */
    uint16_t peer_mru;
    uint8_t reject_id;
};

/* `own`: what a gateway says of itself by IPCP; family 0: nothing. */
void ppp_init(struct ppp *p, const struct ppp_env *env, bool gateway, const struct ip_addr *own);
void ppp_start(struct ppp *p, mono_t now);
/* A frame from the peer. ERR_OK: *ret_datagram is an IP datagram, or empty if the frame was of the
 * link's own business. Errors say why it was dropped. */
enum err ppp_input(struct ppp *p, mono_t now, struct view frame, struct view *ret_datagram);
void ppp_timer(struct ppp *p, mono_t now);
mono_t ppp_next_deadline(const struct ppp *p);
/* Datagrams of that family may pass. */
bool ppp_is_open(const struct ppp *p, enum ip_family family);
static inline bool ppp_is_dead(const struct ppp *p)
{
    return p->control[PPP_LCP].state == PPP_DEAD;
}
/* The header in front of a datagram; ret holds PPP_FRAME_HEADER octets. */
void ppp_datagram_header(enum ip_family family, uint8_t *ret);

/* For tracing: "LCP Configure-Request", or NULL if the frame is none of control. */
const char *ppp_protocol_name(struct view frame, const char **ret_code);

#endif
