/*
 * The RSIP client of a host (RFC 3103, RFC 3104): one registration with one gateway and the binds
 * that the host wants to have. Wishes and messages come in as events; messages and what the host
 * may use come out as effects. No IO.
 *
 * A wish (WANT) stays until UNWANT: its bind is extended in time, and asked for again, with the
 * same address, ports and SPIs first, when the gateway has lost or taken it. One request is under
 * way at a time; over UDP it is repeated until it is answered (RSIP-061). Pointers inside an effect
 * stay valid until the next call into the engine.
 */
#ifndef CYGNET_RSIP_CLIENT_H
#define CYGNET_RSIP_CLIENT_H

#include "base/err.h"
#include "base/mono.h"
#include "rsip/server.h"

struct rsip_client_config {
    enum rsip_transport transport;
    uint8_t tunnels;        /* 1 << enum rsip_tunnel: what we can do; 0: IP-IP */
    uint32_t retransmit_us; /* first timeout, doubled each time; 0: 12500 */
    uint32_t attempts;      /* failure after so many timeouts; 0: 7 */
    uint32_t retry_ms;      /* pause after a failure or a refusal; 0: 5000 */
};

struct rsip_want {
    enum rsip_method method;
    bool listen; /* RSAP-IP only */
    struct rsip_address local, remote;
    struct rsip_ports ports, remote_ports;
    struct rsip_spis spis; /* RSIPSEC only */
    uint32_t lease_s;      /* 0: no wish */
    uint8_t tunnel;        /* enum rsip_tunnel; 0: no wish */
};

enum rsip_client_event_kind {
    RSIP_CEV_START,   /* be registered from now on */
    RSIP_CEV_STOP,    /* de-register, drop every wish */
    RSIP_CEV_MESSAGE, /* bytes */
    RSIP_CEV_UP,      /* TCP: the connection stands */
    RSIP_CEV_DOWN,    /* TCP: it doesn't, or not any more */
    RSIP_CEV_WANT,    /* ticket, want */
    RSIP_CEV_UNWANT,  /* ticket */
    RSIP_CEV_QUERY,   /* ticket, tuples, tuple_count: none asks for everything (RSIP-137) */
};

struct rsip_client_event {
    enum rsip_client_event_kind kind;
    uint64_t ticket;
    const struct rsip_want *want;
    const struct rsip_tuple *tuples; /* names are not copied: addresses and networks only */
    size_t tuple_count;
    struct view bytes;
};

enum rsip_client_effect_kind {
    RSIP_CFX_SEND,         /* bytes */
    RSIP_CFX_CONNECT,      /* TCP: a connection, please; answered by UP or DOWN */
    RSIP_CFX_REGISTERED,   /* message: the gateway's REGISTER_RESPONSE */
    RSIP_CFX_UNREGISTERED, /* error: why, or RSIP_OK */
    RSIP_CFX_BIND_UP,      /* ticket, message: the response that granted it (RSIP-190) */
    RSIP_CFX_BIND_DOWN,    /* ticket: stop using it (RSIP-116, RSIP-134) */
    RSIP_CFX_REFUSED,      /* ticket, error; RSIP_OK: no answer. It will be asked for again */
    RSIP_CFX_ANSWER,       /* ticket, message: QUERY_RESPONSE; no message: no answer */
    RSIP_CFX_MISUSE,       /* error: what we sent breaks the rules (RFC 3103 section 10.4) */
};

struct rsip_client_effect {
    enum rsip_client_effect_kind kind;
    uint64_t ticket;
    enum rsip_error error;
    struct view bytes;
    const struct rsip_message *message;
};

/* Appendix D (RSIP-185): where we stand, and what is under way. */
enum rsip_relation { RSIP_UNREGISTERED, RSIP_REGISTERED, RSIP_ASSIGNED };

struct rsip_client;

MUST_USE enum err rsip_client_new(const struct rsip_client_config *config,
                                  struct rsip_client **ret);
void rsip_client_free(struct rsip_client *c);
enum err rsip_client_input(struct rsip_client *c, mono_t now,
                           const struct rsip_client_event *event);
void rsip_client_timer(struct rsip_client *c, mono_t now);
mono_t rsip_client_next_deadline(const struct rsip_client *c);
bool rsip_client_next_effect(struct rsip_client *c, struct rsip_client_effect *ret);

enum rsip_relation rsip_client_relation(const struct rsip_client *c);
uint32_t rsip_client_id(const struct rsip_client *c); /* 0: none */
/* The request under way; 0: none. */
unsigned rsip_client_pending(const struct rsip_client *c);

#endif
