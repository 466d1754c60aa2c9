/*
 * Inside the RSIP client: its wishes, and the requests that client_ask.c makes for client.c.
 */
#ifndef CYGNET_RSIP_CLIENT_INTERNAL_H
#define CYGNET_RSIP_CLIENT_INTERNAL_H

#include "base/fifo.h"
#include "rsip/client.h"

enum want_state {
    WANT_NEW,     /* to be asked for, not before retry_at */
    WANT_UP,      /* we have it */
    WANT_LEAVING, /* to be freed */
};

struct want {
    struct want *next;
    uint64_t ticket;
    struct rsip_want wish;
    enum want_state state;
    bool had;                    /* `granted` is what we had: ask for the same first */
    bool unwanted;               /* it goes as soon as the answer about it is there */
    struct rsip_message granted; /* the response that brought it */
    uint32_t bind_id;
    mono_t retry_at, extend_at, expires;
    uint8_t name[256]; /* of wish.remote, if it is one */
};

enum { QUERY_TUPLES = 8 };

struct query {
    uint64_t ticket;
    size_t count;
    struct rsip_tuple tuples[QUERY_TUPLES];
};

struct effect {
    struct rsip_client_effect public;
    void *memory; /* bytes or message */
};

struct rsip_client {
    struct rsip_client_config config;
    bool started, connected, connecting;
    uint32_t id;       /* client ID; 0: not registered */
    uint32_t stale_id; /* a former one that the gateway may still know; 0: none */
    uint32_t counter;  /* of the last request */
    mono_t expires, retry_at;
    struct want *wants;
    size_t want_count;
    struct fifo queries, effects;
    void *given;

    /* The request under way. */
    unsigned pending; /* enum rsip_type; 0: none */
    struct want *about;
    uint64_t query_ticket;
    uint8_t request[RSIP_MESSAGE_MAX];
    size_t request_len;
    unsigned timeouts;
    bool paused; /* it had no answer; the same goes out again when the timeout is over */
    mono_t timeout_at;
    mono_t now;
};

/* `memory` of `len` octets goes along: the bytes to send, or the message. */
void client_emit(struct rsip_client *c, struct rsip_client_effect effect, const void *memory,
                 size_t len);
void client_say(struct rsip_client *c, enum rsip_client_effect_kind kind, uint64_t ticket,
                enum rsip_error error);
void client_want_free(struct rsip_client *c, struct want *want);

/* Makes the request the one that is under way. */
void client_ask(struct rsip_client *c, struct rsip_message *m, struct want *about);
void client_ask_deregister(struct rsip_client *c, uint32_t id);
void client_ask_about_bind(struct rsip_client *c, enum rsip_type type, struct want *want);
void client_ask_assign(struct rsip_client *c, struct want *want);
void client_ask_query(struct rsip_client *c, const struct query *query);
/* The request under way, once more. */
void client_send(struct rsip_client *c);
/* None is under way any more. */
void client_settled(struct rsip_client *c);
/* This attempt to get a bind has failed; RSIP_OK: without an answer. */
void client_refused(struct rsip_client *c, struct want *want, enum rsip_error error);

#endif
