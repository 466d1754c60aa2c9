/*
 * L2TP control messages: delivery (section 5.8) and what they mean.
 *
 *   host (LAC)                    gateway (LNS)
 *   CALLING   --- SCCRQ --------> CALLED
 *             <-- SCCRP ---------
 *   DIALLING  --- SCCCN --------> READY
 *             --- ICRQ ---------> RINGING
 *             <-- ICRP ----------
 *   CARRYING  --- ICCN ---------> CARRYING
 */
#include <stdlib.h>

#include "base/secret.h"
#include "crypto/hash.h"
#include "rsip/l2tp_internal.h"

enum {
    RESEND_MS = 1000, /* doubled each time */
    RESEND_MAX_MS = 8000,
    TRIES = 5,
    LINGER_MS = 31 * 1000, /* a full cycle of retransmissions (section 5.7) */
    VERSION = 0x0100,      /* and revision */
    FRAMING_SYNC = 1,
    FRAMING_ANY = 3,
    WINDOW = 4,
    SPEED = 1000 * 1000 * 1000,
};

void tunnel_forget_pending(struct tunnel *t)
{
    while (t->first != NULL) {
        struct pending *p = t->first;
        t->first = p->next;
        free(p);
    }
}

static void send_first(struct tunnel *t)
{
    struct pending *p = t->first;
    uint32_t wait = (uint32_t)RESEND_MS << t->tries;

    t->resend_at = MONO_NEVER;
    if (p == NULL)
        return;
    p->bytes[L2TP_NR_AT] = (uint8_t)(t->nr >> 8);
    p->bytes[L2TP_NR_AT + 1] = (uint8_t)t->nr;
    t->tries++;
    t->nr_told = true;
    t->resend_at = mono_add(t->l->now, wait < RESEND_MAX_MS ? wait : RESEND_MAX_MS);
    l2tp_emit(t->l, t, L2TP_FX_SEND, view_of(p->bytes, p->len));
}

bool tunnel_resend(struct tunnel *t)
{
    if (t->tries >= TRIES)
        return false;
    send_first(t);
    return true;
}

/* Goes out when all before it are acknowledged. `session`: the peer's, or 0. */
static void enqueue(struct tunnel *t, uint16_t session, const struct l2tp_message *m)
{
    const struct l2tp_header header = {.tunnel = t->peer_id, .session = session, .ns = t->ns};
    uint8_t room[L2TP_MESSAGE_MAX];
    struct builder b = builder_on(span_of(room, sizeof(room)));
    struct pending **last = &t->first, *p = NULL;

    l2tp_message_build(&b, &header, m);
    if (!b.bad)
        p = malloc(sizeof(*p) + b.len);
    if (p == NULL) {
        l2tp_count(t->l, C_l2tp_no_memory);
        return;
    }
    *p = (struct pending){.ns = t->ns++, .len = b.len};
    memcpy(p->bytes, room, b.len);
    while (*last != NULL)
        last = &(*last)->next;
    *last = p;
    if (p == t->first) {
        t->tries = 0;
        send_first(t);
    }
    tunnel_set_timer(t);
}

/* Ns is that of the next message that is sent for the first time. */
static void acknowledge(struct tunnel *t)
{
    const struct pending *unsent = t->first != NULL && t->tries > 0 ? t->first->next : t->first;
    const struct l2tp_header header = {
        .tunnel = t->peer_id, .ns = unsent != NULL ? unsent->ns : t->ns, .nr = t->nr};
    const struct l2tp_message zlb = {.type = L2TP_ZLB};
    uint8_t room[L2TP_CONTROL_HEADER];
    struct builder b = builder_on(span_of(room, sizeof(room)));

    l2tp_message_build(&b, &header, &zlb);
    l2tp_emit(t->l, t, L2TP_FX_SEND, builder_written(&b));
}

/* Nr says what the peer has got; we have one message under way at most. */
static void take_nr(struct tunnel *t, uint16_t nr)
{
    struct pending *p = t->first;

    if (p == NULL || t->tries == 0 || nr != (uint16_t)(p->ns + 1))
        return;
    t->first = p->next;
    free(p);
    t->tries = 0;
    send_first(t);
}

/* What has not left yet never will; its numbers are free again. */
static void forget_unsent(struct tunnel *t)
{
    struct pending **next = t->first != NULL && t->tries > 0 ? &t->first->next : &t->first;

    if (*next != NULL)
        t->ns = (*next)->ns;
    while (*next != NULL) {
        struct pending *p = *next;
        *next = p->next;
        free(p);
    }
}

void tunnel_stop(struct tunnel *t, uint16_t result, uint16_t error)
{
    const struct l2tp_message m = {.type = L2TP_STOPCCN,
                                   .present = L2TP_F_RESULT | L2TP_F_TUNNEL,
                                   .tunnel = t->own_id,
                                   .result = result,
                                   .error = error};

    tunnel_down(t);
    t->state = TUNNEL_CLOSING;
    t->gone_at = mono_add(t->l->now, LINGER_MS);
    t->hello_at = MONO_NEVER;
    forget_unsent(t);
    enqueue(t, 0, &m);
    tunnel_set_timer(t);
}

/* Section 5.1.1: the response is MD5 of the message type that carries it, the secret, and the
 * challenge. */
static bool response_to(const struct l2tp *l, uint8_t type, struct view challenge, uint8_t *ret)
{
    const struct view parts[] = {view_of(&type, 1), l->config.secret, challenge};
    return hash_digest(HASH_MD5, parts, 3, ret) == ERR_OK;
}

/* Does the peer know the secret that we know? */
static bool response_is_good(struct tunnel *t, const struct l2tp_message *m)
{
    uint8_t want[HASH_MAX];

    if (t->l->config.secret.len == 0)
        return true;
    bool good =
        (m->present & L2TP_F_RESPONSE) != 0 &&
        response_to(t->l, (uint8_t)m->type, view_of(t->challenge, sizeof(t->challenge)), want) &&
        secret_equal(view_of(want, L2TP_RESPONSE), m->response);
    if (!good) {
        l2tp_count(t->l, C_l2tp_bad_secret);
        tunnel_stop(t, L2TP_STOP_DENIED, L2TP_ERROR_NONE);
    }
    return good;
}

/* Adds our response, if the peer has challenged us. False: we can't; the tunnel ends. */
static bool respond(struct tunnel *t, const struct l2tp_message *asked, struct l2tp_message *m,
                    uint8_t *room)
{
    if ((asked->present & L2TP_F_CHALLENGE) == 0)
        return true;
    if (t->l->config.secret.len == 0 ||
        !response_to(t->l, (uint8_t)m->type, asked->challenge, room)) {
        l2tp_count(t->l, C_l2tp_bad_secret);
        tunnel_stop(t, L2TP_STOP_DENIED, L2TP_ERROR_NONE);
        return false;
    }
    m->present |= L2TP_F_RESPONSE;
    m->response = view_of(room, L2TP_RESPONSE);
    return true;
}

/* SCCRQ or SCCRP: what we are, and a challenge if we have a secret. */
static struct l2tp_message introduction(const struct tunnel *t, enum l2tp_type type)
{
    struct l2tp_message m = {.type = type,
                             .present = L2TP_F_VERSION | L2TP_F_FRAMING | L2TP_F_HOST_NAME |
                                        L2TP_F_TUNNEL | L2TP_F_WINDOW,
                             .version = VERSION,
                             .framing = FRAMING_ANY,
                             .host_name = view_of_text(t->l->config.name),
                             .tunnel = t->own_id,
                             .window = WINDOW};

    if (t->l->config.secret.len > 0) {
        m.present |= L2TP_F_CHALLENGE;
        m.challenge = view_of(t->challenge, sizeof(t->challenge));
    }
    return m;
}

void tunnel_call(struct tunnel *t)
{
    const struct l2tp_message m = introduction(t, L2TP_SCCRQ);
    enqueue(t, 0, &m);
}

void tunnel_hello(struct tunnel *t)
{
    if (t->first == NULL) /* else that one asks already */
        enqueue(t, 0, &(struct l2tp_message){.type = L2TP_HELLO});
}

static bool has(const struct l2tp_message *m, uint32_t fields)
{
    return (m->present & fields) == fields;
}

static enum err unexpected(struct tunnel *t)
{
    l2tp_count(t->l, C_l2tp_unexpected);
    return ERR_UNEXPECTED;
}

/* Gateway: the tunnel is there already, with the peer's ID. */
static enum err on_sccrq(struct tunnel *t, const struct l2tp_message *m)
{
    struct l2tp_message reply = introduction(t, L2TP_SCCRP);
    uint8_t response[HASH_MAX];

    if ((m->version & 0xff00) != VERSION) {
        tunnel_stop(t, L2TP_STOP_VERSION, L2TP_ERROR_NONE);
        return ERR_VERSION;
    }
    if (respond(t, m, &reply, response))
        enqueue(t, 0, &reply);
    return ERR_OK;
}

static enum err on_sccrp(struct tunnel *t, const struct l2tp_message *m)
{
    struct l2tp_message reply = {.type = L2TP_SCCCN};
    const struct l2tp_message call = {.type = L2TP_ICRQ,
                                      .present = L2TP_F_SESSION | L2TP_F_SERIAL,
                                      .session = t->own_session,
                                      .serial = rng_u32(&t->l->env.rng)};
    uint8_t response[HASH_MAX];

    if (t->state != TUNNEL_CALLING || !has(m, L2TP_F_TUNNEL | L2TP_F_VERSION) || m->tunnel == 0)
        return unexpected(t);
    t->peer_id = m->tunnel;
    if (!response_is_good(t, m) || !respond(t, m, &reply, response))
        return ERR_AUTH;
    t->state = TUNNEL_DIALLING;
    enqueue(t, 0, &reply);
    enqueue(t, 0, &call);
    return ERR_OK;
}

static enum err on_scccn(struct tunnel *t, const struct l2tp_message *m)
{
    if (t->state != TUNNEL_CALLED)
        return unexpected(t);
    if (!response_is_good(t, m))
        return ERR_AUTH;
    t->state = TUNNEL_READY;
    return ERR_OK;
}

static void refuse_call(struct tunnel *t, uint16_t session)
{
    const struct l2tp_message m = {.type = L2TP_CDN,
                                   .present = L2TP_F_RESULT | L2TP_F_SESSION,
                                   .result = L2TP_CALL_NONE_LEFT,
                                   .session = t->own_session};
    if (t->first == NULL) /* who doesn't listen isn't told twice */
        enqueue(t, session, &m);
}

/* One session a tunnel is enough for a host. */
static enum err on_icrq(struct tunnel *t, const struct l2tp_message *m)
{
    const struct l2tp_message reply = {
        .type = L2TP_ICRP, .present = L2TP_F_SESSION, .session = t->own_session};

    if (!has(m, L2TP_F_SESSION) || m->session == 0)
        return unexpected(t);
    if (t->state != TUNNEL_READY) {
        if (t->state == TUNNEL_CARRYING || t->state == TUNNEL_RINGING)
            refuse_call(t, m->session);
        return unexpected(t);
    }
    t->peer_session = m->session;
    t->state = TUNNEL_RINGING;
    enqueue(t, t->peer_session, &reply);
    return ERR_OK;
}

static enum err on_icrp(struct tunnel *t, const struct l2tp_message *m)
{
    const struct l2tp_message reply = {.type = L2TP_ICCN,
                                       .present = L2TP_F_SPEED | L2TP_F_CALL_FRAMING,
                                       .speed = SPEED,
                                       .call_framing = FRAMING_SYNC};

    if (t->state != TUNNEL_DIALLING || !has(m, L2TP_F_SESSION) || m->session == 0)
        return unexpected(t);
    t->peer_session = m->session;
    t->sequencing = has(m, L2TP_F_SEQUENCING);
    enqueue(t, t->peer_session, &reply);
    tunnel_link_start(t);
    return ERR_OK;
}

static enum err on_iccn(struct tunnel *t, const struct l2tp_message *m)
{
    if (t->state != TUNNEL_RINGING)
        return unexpected(t);
    t->sequencing = has(m, L2TP_F_SEQUENCING);
    tunnel_link_start(t);
    return ERR_OK;
}

/* The session ends. A host begins anew with another tunnel. */
static enum err on_cdn(struct tunnel *t)
{
    if (t->state != TUNNEL_CARRYING && t->state != TUNNEL_RINGING && t->state != TUNNEL_DIALLING)
        return unexpected(t);
    if (!t->l->config.gateway) {
        tunnel_stop(t, L2TP_STOP_CLEAR, L2TP_ERROR_NONE);
        return ERR_OK;
    }
    tunnel_down(t);
    t->state = TUNNEL_READY;
    t->gone_at = mono_add(t->l->now, LINGER_MS);
    return ERR_OK;
}

static enum err on_stop(struct tunnel *t, const struct l2tp_message *m)
{
    if (t->state < TUNNEL_CLOSING)
        tunnel_down(t);
    if (t->peer_id == 0 && has(m, L2TP_F_TUNNEL)) /* so that we can acknowledge it */
        t->peer_id = m->tunnel;
    t->state = TUNNEL_GONE;
    tunnel_forget_pending(t);
    t->resend_at = t->hello_at = MONO_NEVER;
    t->gone_at = mono_add(t->l->now, LINGER_MS);
    return ERR_OK;
}

/* Messages of a session carry its ID; ICRQ has none yet. */
static bool session_matches(const struct tunnel *t, const struct l2tp_header *h,
                            const struct l2tp_message *m)
{
    if (m->type == L2TP_CDN && h->session == 0)
        return t->state == TUNNEL_DIALLING || m->session == t->peer_session;
    return m->type < L2TP_OCRQ || m->type == L2TP_ICRQ || m->type == L2TP_OCRQ ||
           h->session == t->own_session;
}

static enum err dispatch(struct tunnel *t, const struct l2tp_header *h,
                         const struct l2tp_message *m)
{
    if (t->state >= TUNNEL_CLOSING && m->type != L2TP_STOPCCN)
        return ERR_UNEXPECTED;
    if (m->refused) {
        l2tp_count(t->l, C_l2tp_refused);
        tunnel_stop(t, L2TP_STOP_ERROR, L2TP_ERROR_UNKNOWN_AVP);
        return ERR_UNSUPPORTED;
    }
    if (!session_matches(t, h, m)) {
        l2tp_count(t->l, C_l2tp_unknown_session);
        return ERR_UNKNOWN;
    }
    switch (m->type) {
    case L2TP_SCCRQ:
        return on_sccrq(t, m);
    case L2TP_SCCRP:
        return on_sccrp(t, m);
    case L2TP_SCCCN:
        return on_scccn(t, m);
    case L2TP_STOPCCN:
        return on_stop(t, m);
    case L2TP_ICRQ:
        return t->l->config.gateway ? on_icrq(t, m) : unexpected(t);
    case L2TP_ICRP:
        return on_icrp(t, m);
    case L2TP_ICCN:
        return on_iccn(t, m);
    case L2TP_CDN:
        return on_cdn(t);
    case L2TP_OCRQ: /* nobody is called from here */
        refuse_call(t, m->session);
        return unexpected(t);
    default: /* HELLO wants its acknowledgement only; WEN and SLI are of modems */
        return ERR_OK;
    }
}

static bool has_lease(const struct l2tp *l, const struct ip_addr *host)
{
    struct ip_addr v4 = {.family = IP_V4}, v6 = {.family = IP_V6};
    return l->env.address(l->env.ctx, host, IP_V4, &v4) ||
           l->env.address(l->env.ctx, host, IP_V6, &v6);
}

static bool is_called(enum tunnel_state state)
{
    return state == TUNNEL_CALLED;
}

static bool is_alive(enum tunnel_state state)
{
    return state < TUNNEL_CLOSING;
}

/* A gateway answers a host that has a lease. One that repeats its request is heard in the tunnel
 * that it has begun. */
static struct tunnel *tunnel_of_request(struct l2tp *l, const struct ip_endpoint *from,
                                        const struct l2tp_message *m)
{
    if (!l->config.gateway || m->type != L2TP_SCCRQ || m->tunnel == 0 ||
        !has(m, L2TP_F_TUNNEL | L2TP_F_VERSION | L2TP_F_HOST_NAME)) {
        l2tp_count(l, C_l2tp_unexpected);
        return NULL;
    }
    if (!has_lease(l, &from->addr)) {
        l2tp_count(l, C_l2tp_unknown_host);
        return NULL;
    }
    struct tunnel *t = tunnel_by_peer_id(l, &from->addr, m->tunnel, is_called);
    if (t != NULL)
        return t;
    t = tunnel_new(l, from, TUNNEL_CALLED);
    if (t != NULL)
        t->peer_id = m->tunnel;
    return t;
}

/* A gateway that was started anew has forgotten its tunnels. It tells a host that still uses one,
 * in the way of section 4.4.3: the tunnel's ID is in the message, for the host's own isn't known.
 */
static void tell_unknown(struct l2tp *l, const struct ip_endpoint *from, uint16_t id,
                         const struct l2tp_message *m)
{
    const struct l2tp_message stop = {.type = L2TP_STOPCCN,
                                      .present = L2TP_F_RESULT | L2TP_F_TUNNEL,
                                      .tunnel = id,
                                      .result = L2TP_STOP_CLEAR};
    const struct l2tp_header header = {0};
    uint8_t room[64];
    struct builder b = builder_on(span_of(room, sizeof(room)));

    if (!l->config.gateway || m->type == L2TP_ZLB || m->type == L2TP_STOPCCN ||
        !has_lease(l, &from->addr))
        return;
    l2tp_message_build(&b, &header, &stop);
    l2tp_emit_to(l, from, L2TP_FX_SEND, builder_written(&b));
}

/* The other end of tell_unknown(). */
static bool told_unknown(struct l2tp *l, const struct ip_endpoint *from,
                         const struct l2tp_header *h, const struct l2tp_message *m)
{
    if (l->config.gateway || h->tunnel != 0 || m->type != L2TP_STOPCCN || !has(m, L2TP_F_TUNNEL))
        return false;
    struct tunnel *t = tunnel_by_peer_id(l, &from->addr, m->tunnel, is_alive);
    if (t == NULL || t->port != from->port)
        return false;
    (void)on_stop(t, m);
    tunnel_set_timer(t);
    return true;
}

static struct tunnel *find(struct l2tp *l, const struct ip_endpoint *from,
                           const struct l2tp_header *h, const struct l2tp_message *m)
{
    if (h->tunnel == 0 && m->type != L2TP_ZLB)
        return tunnel_of_request(l, from, m);
    struct tunnel *t = h->tunnel == 0 ? NULL : tunnel_find(l, &from->addr, h->tunnel);
    /* the answer to our first message may come from another port than it went to (section 8.1) */
    if (t != NULL && t->state == TUNNEL_CALLING && m->type == L2TP_SCCRP)
        t->port = from->port;
    if (t == NULL || t->port != from->port) {
        l2tp_count(l, C_l2tp_unknown_tunnel);
        if (t == NULL && h->tunnel != 0)
            tell_unknown(l, from, h->tunnel, m);
        return NULL;
    }
    return t;
}

enum err tunnel_control(struct l2tp *l, const struct ip_endpoint *from, const struct l2tp_header *h)
{
    struct l2tp_message m;
    enum err err = l2tp_message_parse(h->payload, &m);

    if (err != ERR_OK) {
        l2tp_count(l, C_l2tp_malformed);
        return err;
    }
    if (told_unknown(l, from, h, &m))
        return ERR_OK;
    struct tunnel *t = find(l, from, h, &m);
    if (t == NULL)
        return ERR_UNKNOWN;
    take_nr(t, h->nr);
    if (m.type == L2TP_ZLB) {
        tunnel_set_timer(t);
        return ERR_OK;
    }
    int16_t ahead = (int16_t)(h->ns - t->nr);
    if (ahead != 0) { /* section 5.8: what was lost before it comes again */
        l2tp_count(l, ahead < 0 ? C_l2tp_duplicate : C_l2tp_out_of_order);
        if (ahead < 0)
            acknowledge(t);
        tunnel_set_timer(t);
        return ERR_REPLAY;
    }
    t->nr++;
    t->nr_told = false;
    err = dispatch(t, h, &m);
    if (!t->nr_told)
        acknowledge(t);
    if (t->state < TUNNEL_CLOSING)
        t->hello_at = mono_add(l->now, l->config.hello_ms);
    tunnel_set_timer(t);
    return err;
}
