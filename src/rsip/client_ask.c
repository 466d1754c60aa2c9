/* What the client asks, and how often. */
#include <stdlib.h>
#include <string.h>

#include "rsip/client_internal.h"

enum { TCP_TIMEOUT_MS = 10 * 1000 };

void client_want_free(struct rsip_client *c, struct want *want)
{
    struct want **at = &c->wants;
    while (*at != want)
        at = &(*at)->next;
    *at = want->next;
    c->want_count--;
    if (c->about == want)
        c->about = NULL;
    free(want);
}

void client_emit(struct rsip_client *c, struct rsip_client_effect effect, const void *memory,
                 size_t len)
{
    struct effect e = {.public = effect};

    if (len > 0) {
        e.memory = malloc(len);
        if (e.memory == NULL)
            return;
        memcpy(e.memory, memory, len);
        if (effect.kind == RSIP_CFX_SEND)
            e.public.bytes = view_of(e.memory, len);
        else
            e.public.message = e.memory;
    }
    if (!fifo_push(&c->effects, &e))
        free(e.memory);
}

void client_say(struct rsip_client *c, enum rsip_client_effect_kind kind, uint64_t ticket,
                enum rsip_error error)
{
    client_emit(c, (struct rsip_client_effect){.kind = kind, .ticket = ticket, .error = error},
                NULL, 0);
}

/* RSIP-061: doubled at each try; 12.5 ms is rounded up to what the clock can do. */
static mono_t timeout_from(const struct rsip_client *c)
{
    if (c->config.transport == RSIP_TCP)
        return mono_add(c->now, TCP_TIMEOUT_MS);
    unsigned shift = c->timeouts < 20 ? c->timeouts : 20;
    return mono_add(c->now, (int64_t)((((uint64_t)c->config.retransmit_us << shift) + 999) / 1000));
}

void client_send(struct rsip_client *c)
{
    client_emit(c, (struct rsip_client_effect){.kind = RSIP_CFX_SEND}, c->request, c->request_len);
    c->timeout_at = timeout_from(c);
}

void client_refused(struct rsip_client *c, struct want *want, enum rsip_error error)
{
    if (want == NULL)
        return;
    if (want->state == WANT_LEAVING || want->unwanted) {
        client_want_free(c, want);
        return;
    }
    /* the same again is not to be had: next time whatever there is */
    bool again = want->had && error != RSIP_OK;
    want->retry_at = again ? c->now : mono_add(c->now, c->config.retry_ms);
    want->had = want->had && !again;
    if (!again)
        client_say(c, RSIP_CFX_REFUSED, want->ticket, error);
}

/* RSIP-096, RSIP-175, RSIP-176: from 1 on, and 0 is left out. */
void client_ask(struct rsip_client *c, struct rsip_message *m, struct want *about)
{
    struct builder b = builder_on(span_of(c->request, sizeof(c->request)));

    c->counter = c->counter == UINT32_MAX ? 1 : c->counter + 1;
    m->present |= RSIP_F_COUNTER;
    m->counter = c->counter;
    rsip_build(&b, m);
    if (b.bad) { /* a wish too long for a message */
        client_refused(c, about, RSIP_E_BAD_PARAM);
        return;
    }
    c->request_len = builder_written(&b).len;
    c->pending = m->type;
    c->about = about;
    c->timeouts = 0;
    c->paused = false;
    client_send(c);
}

void client_settled(struct rsip_client *c)
{
    c->pending = 0;
    c->about = NULL;
    c->paused = false;
    c->timeout_at = MONO_NEVER;
}

void client_ask_deregister(struct rsip_client *c, uint32_t id)
{
    struct rsip_message m = {
        .type = RSIP_DEREGISTER_REQUEST, .present = RSIP_F_CLIENT_ID, .client_id = id};
    client_ask(c, &m, NULL);
}

void client_ask_about_bind(struct rsip_client *c, enum rsip_type type, struct want *want)
{
    struct rsip_message m = {.type = type,
                             .present = RSIP_F_CLIENT_ID | RSIP_F_BIND_ID,
                             .client_id = c->id,
                             .bind_id = want->bind_id,
                             .lease_s = want->wish.lease_s};
    if (type == RSIP_EXTEND_REQUEST && m.lease_s != 0)
        m.present |= RSIP_F_LEASE;
    client_ask(c, &m, want);
}

static enum rsip_type request_for(const struct rsip_want *wish)
{
    switch (wish->method) {
    case RSIP_METHOD_RSA:
        return RSIP_ASSIGN_REQUEST_RSA;
    case RSIP_METHOD_IPSEC:
        return RSIP_ASSIGN_REQUEST_IPSEC; /* RSIP-027 */
    case RSIP_METHOD_RSAP:
        break;
    }
    return wish->listen ? RSIP_LISTEN_REQUEST : RSIP_ASSIGN_REQUEST_RSAP;
}

void client_ask_assign(struct rsip_client *c, struct want *want)
{
    const struct rsip_want *wish = &want->wish;
    struct rsip_message m = {.type = request_for(wish),
                             .present = RSIP_F_CLIENT_ID | RSIP_F_LOCAL_ADDR | RSIP_F_LOCAL_PORTS |
                                        RSIP_F_REMOTE_ADDR | RSIP_F_REMOTE_PORTS | RSIP_F_SPI,
                             .client_id = c->id,
                             .local = wish->local,
                             .remote = wish->remote,
                             .local_ports = wish->ports,
                             .remote_ports = wish->remote_ports,
                             .spi = wish->spis,
                             .lease_s = wish->lease_s};
    if (want->had) {
        m.local = want->granted.local;
        m.local_ports = want->granted.local_ports;
        m.spi = want->granted.spi;
    }
    if (wish->lease_s != 0)
        m.present |= RSIP_F_LEASE;
    if (wish->tunnel != 0) {
        m.present |= RSIP_F_TUNNEL;
        m.tunnels[m.tunnel_count++] = wish->tunnel;
    }
    client_ask(c, &m, want);
}

void client_ask_query(struct rsip_client *c, const struct query *query)
{
    struct rsip_message m = {.type = RSIP_QUERY_REQUEST,
                             .present = RSIP_F_CLIENT_ID,
                             .client_id = c->id,
                             .tuple_count = query->count};
    memcpy(m.tuples, query->tuples, query->count * sizeof(m.tuples[0]));
    if (query->count > 0)
        m.present |= RSIP_F_TUPLES;
    c->query_ticket = query->ticket;
    client_ask(c, &m, NULL);
}
