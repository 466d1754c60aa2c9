#include "rsip/ppp.h"

#include "base/builder.h"
#include "base/cursor.h"

enum {
    ALL_STATIONS = 0xff,
    UNNUMBERED = 0x03,
    PROTO_IPV4 = 0x0021,
    PROTO_IPV6 = 0x0057,
    CONTROL_HEADER = 4,
    OPTION_HEADER = 2,
    /* RFC 1661 section 4.6; the path is short */
    RESTART_MS = 1000,
    MAX_CONFIGURE = 10,
    MAX_FAILURE = 5,
    MRU_MIN = 296,
};

enum code {
    CONFIGURE_REQUEST = 1,
    CONFIGURE_ACK,
    CONFIGURE_NAK,
    CONFIGURE_REJECT,
    TERMINATE_REQUEST,
    TERMINATE_ACK,
    CODE_REJECT,
    PROTOCOL_REJECT,
    ECHO_REQUEST,
    ECHO_REPLY,
    DISCARD_REQUEST,
};

enum { LCP_MRU = 1, LCP_ACCM = 2, LCP_MAGIC = 5, LCP_PFC = 7, LCP_ACFC = 8 };
enum { IPCP_ADDRESS = 3, IPV6CP_INTERFACE = 1 };

static const uint16_t numbers[PPP_PROTOCOLS] = {0xc021, 0x8021, 0x8057};

/* A Configure-Request of the peer, and what there is to say against it. */
struct verdict {
    struct builder nak, reject;
    uint8_t nak_room[PPP_CONTROL_MAX], reject_room[PPP_CONTROL_MAX];
};

static void send_control(struct ppp *p, unsigned protocol, uint8_t code, uint8_t id,
                         struct view data)
{
    uint8_t room[PPP_FRAME_HEADER + PPP_CONTROL_MAX];
    struct builder b = builder_on(span_of(room, sizeof(room)));

    builder_u8(&b, ALL_STATIONS);
    builder_u8(&b, UNNUMBERED);
    builder_u16(&b, (uint16_t)protocol);
    builder_u8(&b, code);
    builder_u8(&b, id);
    builder_u16(&b, (uint16_t)(CONTROL_HEADER + data.len));
    builder_view(&b, data);
    if (!b.bad)
        p->env.send(p->env.ctx, builder_written(&b));
}

static void put_option(struct builder *b, uint8_t type, struct view value)
{
    builder_u8(b, type);
    builder_u8(b, (uint8_t)(OPTION_HEADER + value.len));
    builder_view(b, value);
}

static void put_magic(struct builder *b, uint32_t magic)
{
    const uint8_t octets[] = {(uint8_t)(magic >> 24), (uint8_t)(magic >> 16), (uint8_t)(magic >> 8),
                              (uint8_t)magic};
    put_option(b, LCP_MAGIC, view_of(octets, sizeof(octets)));
}

/* Each protocol has one option of ours, unless the peer doesn't know it. */
static void send_request(struct ppp *p, enum ppp_protocol which, mono_t now)
{
    struct ppp_control *c = &p->control[which];
    uint8_t room[32];
    struct builder b = builder_on(span_of(room, sizeof(room)));

    if (!c->no_option && which == PPP_LCP)
        put_magic(&b, p->magic);
    else if (!c->no_option && which == PPP_IPCP && p->own.family == IP_V4)
        put_option(&b, IPCP_ADDRESS, ip_addr_view(&p->own));
    else if (!c->no_option && which == PPP_IPV6CP)
        put_option(&b, IPV6CP_INTERFACE, view_of(p->interface_id, sizeof(p->interface_id)));
    c->left--;
    c->timeout = mono_add(now, RESTART_MS);
    send_control(p, numbers[which], CONFIGURE_REQUEST, ++c->id, builder_written(&b));
}

static void begin(struct ppp *p, enum ppp_protocol which, mono_t now)
{
    struct ppp_control *c = &p->control[which];

    c->state = PPP_REQ_SENT;
    c->left = MAX_CONFIGURE;
    c->naks = c->refused = 0;
    send_request(p, which, now);
}

static void end(struct ppp *p, enum ppp_protocol which, enum ppp_state state)
{
    p->control[which].state = state;
    p->control[which].timeout = MONO_NEVER;
    p->control[which].given_up = false;
    for (unsigned i = PPP_IPCP; which == PPP_LCP && i < PPP_PROTOCOLS; i++)
        end(p, (enum ppp_protocol)i, PPP_CLOSED);
}

static void give_up(struct ppp *p, enum ppp_protocol which)
{
    end(p, which, which == PPP_LCP ? PPP_DEAD : PPP_CLOSED);
    p->control[which].given_up = true;
}

static bool wanted(struct ppp *p, enum ppp_protocol which)
{
    enum ip_family family = which == PPP_IPCP ? IP_V4 : IP_V6;
    struct ip_addr addr = {.family = (uint8_t)family};

    if (!p->env.address(p->env.ctx, family, &addr))
        return false;
    if (which == PPP_IPCP && !p->gateway)
        p->own = addr;
    return true;
}

static void opened(struct ppp *p, enum ppp_protocol which, mono_t now)
{
    p->control[which].state = PPP_OPENED;
    p->control[which].timeout = MONO_NEVER;
    for (unsigned i = PPP_IPCP; which == PPP_LCP && i < PPP_PROTOCOLS; i++)
        if (wanted(p, (enum ppp_protocol)i))
            begin(p, (enum ppp_protocol)i, now);
}

void ppp_init(struct ppp *p, const struct ppp_env *env, bool gateway, const struct ip_addr *own)
{
    *p = (struct ppp){.env = *env, .gateway = gateway, .peer_mru = PPP_MRU};
    if (own->family == IP_V4)
        p->own = *own;
    for (unsigned i = 0; i < PPP_PROTOCOLS; i++)
        p->control[i].timeout = MONO_NEVER;
    p->magic = rng_u32(&env->rng) | 1;
    rng_fill(&env->rng, p->interface_id, sizeof(p->interface_id));
    /* not a global identifier (RFC 5072 section 4.1), and never zero */
    p->interface_id[0] = (uint8_t)(p->interface_id[0] & ~2);
    p->interface_id[7] |= 1;
}

void ppp_start(struct ppp *p, mono_t now)
{
    begin(p, PPP_LCP, now);
}

static uint32_t u32_of(struct view value)
{
    struct cursor cur = cursor_of(value);
    return cursor_u32(&cur);
}

static void judge_lcp(struct ppp *p, uint8_t type, struct view value, struct view whole,
                      struct verdict *v)
{
    static const uint8_t mru[] = {PPP_MRU >> 8, PPP_MRU & 0xff};

    if (type == LCP_MRU && value.len == 2) {
        uint16_t wish = (uint16_t)(value.ptr[0] << 8 | value.ptr[1]);
        if (wish < MRU_MIN)
            put_option(&v->nak, LCP_MRU, view_of(mru, sizeof(mru)));
        else
            p->peer_mru = wish;
    } else if (type == LCP_MAGIC && value.len == 4) {
        if (u32_of(value) == p->magic) /* a loop, or chance (RFC 1661 section 6.4) */
            put_magic(&v->nak, rng_u32(&p->env.rng) | 1);
    } else if (!((type == LCP_ACCM && value.len == 4) ||
                 ((type == LCP_PFC || type == LCP_ACFC) && value.len == 0))) {
        builder_view(&v->reject, whole);
    }
}

/* A host gets the address that it has leased; a gateway may say any of its own. */
static void judge_ipcp(struct ppp *p, uint8_t type, struct view value, struct view whole,
                       struct verdict *v)
{
    if (type != IPCP_ADDRESS || value.len != 4) {
        builder_view(&v->reject, whole);
        return;
    }
    struct ip_addr asked = ip_addr_from(value), granted = asked;
    if (!p->gateway && u32_of(value) == 0)
        builder_view(&v->reject, whole); /* we have none to give */
    else if (p->gateway && !p->env.address(p->env.ctx, IP_V4, &granted))
        builder_view(&v->reject, whole);
    else if (!ip_addr_equal(&asked, &granted))
        put_option(&v->nak, IPCP_ADDRESS, ip_addr_view(&granted));
}

static void judge_ipv6cp(struct ppp *p, uint8_t type, struct view value, struct view whole,
                         struct verdict *v)
{
    static const uint8_t zero[sizeof(p->interface_id)];

    if (type != IPV6CP_INTERFACE || value.len != sizeof(zero)) {
        builder_view(&v->reject, whole);
    } else if (memcmp(value.ptr, zero, sizeof(zero)) == 0 ||
               memcmp(value.ptr, p->interface_id, sizeof(zero)) == 0) {
        uint8_t other[sizeof(zero)];
        memcpy(other, p->interface_id, sizeof(other));
        other[6] = (uint8_t)~other[6];
        put_option(&v->nak, IPV6CP_INTERFACE, view_of(other, sizeof(other)));
    }
}

/* False: the options make no sense. */
static bool judge(struct ppp *p, enum ppp_protocol which, struct view options, struct verdict *v)
{
    static void (*const judges[])(struct ppp *, uint8_t, struct view, struct view,
                                  struct verdict *) = {judge_lcp, judge_ipcp, judge_ipv6cp};
    struct cursor cur = cursor_of(options);

    v->nak = builder_on(span_of(v->nak_room, sizeof(v->nak_room)));
    v->reject = builder_on(span_of(v->reject_room, sizeof(v->reject_room)));
    if (which == PPP_LCP)
        p->peer_mru = PPP_MRU;
    while (cursor_left(&cur) > 0) {
        const uint8_t *at = cur.at;
        uint8_t type = cursor_u8(&cur), len = cursor_u8(&cur);
        if (cur.bad || len < OPTION_HEADER)
            return false;
        struct view value = cursor_take(&cur, len - OPTION_HEADER);
        if (cur.bad)
            return false;
        judges[which](p, type, value, view_of(at, len), v);
    }
    return !v->nak.bad && !v->reject.bad;
}

/* RFC 1661 section 4.1, RCR+ and RCR-: our answer, then what becomes of the state. */
static void answer_request(struct ppp *p, enum ppp_protocol which, mono_t now, uint8_t id,
                           struct view options)
{
    struct ppp_control *c = &p->control[which];
    struct verdict v;

    if (!judge(p, which, options, &v))
        return;
    bool good = v.nak.len == 0 && v.reject.len == 0;
    if (c->state == PPP_OPENED) { /* the peer begins anew, and so do we */
        end(p, which, PPP_CLOSED);
        begin(p, which, now);
    }
    if (good) {
        send_control(p, numbers[which], CONFIGURE_ACK, id, options);
        if (c->state == PPP_ACK_RCVD)
            opened(p, which, now);
        else
            c->state = PPP_ACK_SENT;
        return;
    }
    if (c->state == PPP_ACK_SENT)
        c->state = PPP_REQ_SENT;
    if (v.reject.len > 0)
        send_control(p, numbers[which], CONFIGURE_REJECT, id, builder_written(&v.reject));
    else if (c->naks++ < MAX_FAILURE)
        send_control(p, numbers[which], CONFIGURE_NAK, id, builder_written(&v.nak));
    else /* it doesn't listen (section 4.6, Max-Failure) */
        give_up(p, which);
}

static void take_ack(struct ppp *p, enum ppp_protocol which, mono_t now)
{
    struct ppp_control *c = &p->control[which];

    switch (c->state) {
    case PPP_REQ_SENT:
        c->state = PPP_ACK_RCVD;
        c->left = MAX_CONFIGURE;
        break;
    case PPP_ACK_SENT:
        opened(p, which, now);
        break;
    default: /* one too many */
        end(p, which, PPP_CLOSED);
        begin(p, which, now);
        break;
    }
}

/* What the peer would have instead, if it is something that we can have. */
static void take_hint(struct ppp *p, enum ppp_protocol which, struct view options)
{
    struct cursor cur = cursor_of(options);
    uint8_t type = cursor_u8(&cur);

    cursor_skip(&cur, 1);
    if (which == PPP_LCP)
        p->magic = rng_u32(&p->env.rng) | 1;
    else if (which == PPP_IPV6CP && type == IPV6CP_INTERFACE && cursor_left(&cur) >= 8)
        cursor_copy(&cur, p->interface_id, sizeof(p->interface_id));
}

static void take_refusal(struct ppp *p, enum ppp_protocol which, mono_t now, bool reject,
                         struct view options)
{
    struct ppp_control *c = &p->control[which];

    if (c->state == PPP_OPENED)
        end(p, which, PPP_CLOSED);
    if (reject)
        c->no_option = true;
    else
        take_hint(p, which, options);
    if (++c->refused > MAX_CONFIGURE) {
        give_up(p, which);
        return;
    }
    if (c->state != PPP_ACK_SENT)
        c->state = PPP_REQ_SENT;
    c->left = MAX_CONFIGURE;
    send_request(p, which, now);
}

static void take_protocol_reject(struct ppp *p, struct view data)
{
    struct cursor cur = cursor_of(data);
    uint16_t number = cursor_u16(&cur);

    for (unsigned i = 0; i < PPP_PROTOCOLS; i++)
        if (!cur.bad && number == numbers[i])
            end(p, (enum ppp_protocol)i, i == PPP_LCP ? PPP_DEAD : PPP_CLOSED);
}

static void answer_echo(struct ppp *p, uint8_t id, struct view data)
{
    uint8_t reply[PPP_CONTROL_MAX - CONTROL_HEADER];
    struct builder b = builder_on(span_of(reply, sizeof(reply)));

    if (data.len < 4 || p->control[PPP_LCP].state != PPP_OPENED)
        return;
    builder_u32(&b, p->magic);
    builder_view(&b, view_of(data.ptr + 4, data.len - 4));
    if (!b.bad)
        send_control(p, numbers[PPP_LCP], ECHO_REPLY, id, builder_written(&b));
}

/* Codes that only LCP has (RFC 1661 section 5). */
static bool take_lcp_code(struct ppp *p, uint8_t code, uint8_t id, struct view data)
{
    switch (code) {
    case PROTOCOL_REJECT:
        take_protocol_reject(p, data);
        return true;
    case ECHO_REQUEST:
        answer_echo(p, id, data);
        return true;
    case ECHO_REPLY:
    case DISCARD_REQUEST:
        return true;
    default:
        return false;
    }
}

static enum err take_code(struct ppp *p, enum ppp_protocol which, mono_t now, struct view packet)
{
    struct ppp_control *c = &p->control[which];
    struct cursor cur = cursor_of(packet);
    uint8_t code = cursor_u8(&cur), id = cursor_u8(&cur);
    uint16_t len = cursor_u16(&cur);

    if (cur.bad || len < CONTROL_HEADER || len > packet.len || len > PPP_CONTROL_MAX)
        return ERR_SYNTAX;
    struct view data = cursor_take(&cur, len - CONTROL_HEADER);
    bool of_request = code >= CONFIGURE_ACK && code <= CONFIGURE_REJECT;
    if (of_request && (id != c->id || c->state == PPP_CLOSED))
        return ERR_UNEXPECTED;
    switch (code) {
    case CONFIGURE_REQUEST:
        answer_request(p, which, now, id, data);
        break;
    case CONFIGURE_ACK:
        take_ack(p, which, now);
        break;
    case CONFIGURE_NAK:
    case CONFIGURE_REJECT:
        take_refusal(p, which, now, code == CONFIGURE_REJECT, data);
        break;
    case TERMINATE_REQUEST:
        send_control(p, numbers[which], TERMINATE_ACK, id, view_of(NULL, 0));
        end(p, which, which == PPP_LCP ? PPP_DEAD : PPP_CLOSED);
        break;
    case TERMINATE_ACK:
    case CODE_REJECT:
        break;
    default:
        if (which != PPP_LCP || !take_lcp_code(p, code, id, data))
            send_control(p, numbers[which], CODE_REJECT, ++p->reject_id, view_of(packet.ptr, len));
        break;
    }
    return ERR_OK;
}

/* RFC 1661 section 5.7, of a protocol that we don't have or don't want. */
static void reject_protocol(struct ppp *p, uint16_t protocol, struct view packet)
{
    uint8_t room[64];
    struct builder b = builder_on(span_of(room, sizeof(room)));
    size_t quoted = packet.len < sizeof(room) - 2 ? packet.len : sizeof(room) - 2;

    if (p->control[PPP_LCP].state != PPP_OPENED)
        return;
    builder_u16(&b, protocol);
    builder_bytes(&b, packet.ptr, quoted);
    send_control(p, numbers[PPP_LCP], PROTOCOL_REJECT, ++p->reject_id, builder_written(&b));
}

/* Address and control may be left out, and the protocol may be one octet (RFC 1661 sections 6.5 and
 * 6.6): we acknowledge both options. */
static uint16_t read_protocol(struct cursor *cur)
{
    if (cursor_left(cur) >= 2 && cur->at[0] == ALL_STATIONS && cur->at[1] == UNNUMBERED)
        cursor_skip(cur, 2);
    uint16_t protocol = cursor_u8(cur);
    if ((protocol & 1) == 0)
        protocol = (uint16_t)(protocol << 8 | cursor_u8(cur));
    return protocol;
}

static enum err take_control(struct ppp *p, mono_t now, uint16_t protocol, struct view packet)
{
    for (unsigned i = 0; i < PPP_PROTOCOLS; i++) {
        enum ppp_protocol which = (enum ppp_protocol)i;
        if (numbers[i] != protocol)
            continue;
        if (which == PPP_LCP)
            return take_code(p, which, now, packet);
        if (p->control[PPP_LCP].state != PPP_OPENED)
            return ERR_UNEXPECTED;
        bool request = packet.len > 0 && packet.ptr[0] == CONFIGURE_REQUEST;
        if (p->control[i].state != PPP_CLOSED)
            return take_code(p, which, now, packet);
        if (!request)
            return ERR_UNEXPECTED;
        if (p->control[i].given_up || !wanted(p, which))
            break;
        begin(p, which, now);
        return take_code(p, which, now, packet);
    }
    reject_protocol(p, protocol, packet);
    return ERR_UNSUPPORTED;
}

enum err ppp_input(struct ppp *p, mono_t now, struct view frame, struct view *ret_datagram)
{
    struct cursor cur = cursor_of(frame);
    uint16_t protocol = read_protocol(&cur);
    struct view packet = cursor_rest(&cur);

    *ret_datagram = view_of(NULL, 0);
    if (cur.bad)
        return ERR_SHORT;
    if (ppp_is_dead(p) || p->control[PPP_LCP].state == PPP_CLOSED)
        return ERR_UNEXPECTED;
    if (protocol != PROTO_IPV4 && protocol != PROTO_IPV6)
        return take_control(p, now, protocol, packet);
    enum ip_family family = protocol == PROTO_IPV4 ? IP_V4 : IP_V6;
    if (!ppp_is_open(p, family) || packet.len == 0)
        return ERR_UNEXPECTED;
    if (packet.ptr[0] >> 4 != (int)family)
        return ERR_SYNTAX;
    *ret_datagram = packet;
    return ERR_OK;
}

void ppp_timer(struct ppp *p, mono_t now)
{
    for (unsigned i = 0; i < PPP_PROTOCOLS; i++) {
        struct ppp_control *c = &p->control[i];
        enum ppp_protocol which = (enum ppp_protocol)i;
        if (!mono_reached(now, c->timeout))
            continue;
        if (c->left == 0) {
            end(p, which, which == PPP_LCP ? PPP_DEAD : PPP_CLOSED);
            continue;
        }
        if (c->state == PPP_ACK_RCVD)
            c->state = PPP_REQ_SENT;
        send_request(p, which, now);
    }
}

mono_t ppp_next_deadline(const struct ppp *p)
{
    mono_t next = MONO_NEVER;
    for (unsigned i = 0; i < PPP_PROTOCOLS; i++)
        next = mono_min(next, p->control[i].timeout);
    return next;
}

bool ppp_is_open(const struct ppp *p, enum ip_family family)
{
    return p->control[PPP_LCP].state == PPP_OPENED &&
           p->control[family == IP_V4 ? PPP_IPCP : PPP_IPV6CP].state == PPP_OPENED;
}

void ppp_datagram_header(enum ip_family family, uint8_t *ret)
{
    ret[0] = ALL_STATIONS;
    ret[1] = UNNUMBERED;
    ret[2] = 0;
    ret[3] = family == IP_V4 ? PROTO_IPV4 : PROTO_IPV6;
}

const char *ppp_protocol_name(struct view frame, const char **ret_code)
{
    static const char *const names[] = {"LCP", "IPCP", "IPV6CP"};
    static const char *const codes[] = {"Configure-Request", "Configure-Ack",     "Configure-Nak",
                                        "Configure-Reject",  "Terminate-Request", "Terminate-Ack",
                                        "Code-Reject",       "Protocol-Reject",   "Echo-Request",
                                        "Echo-Reply",        "Discard-Request"};
    struct cursor cur = cursor_of(frame);
    uint16_t protocol = read_protocol(&cur);
    uint8_t code = cursor_u8(&cur);

    for (unsigned i = 0; i < PPP_PROTOCOLS; i++)
        if (!cur.bad && numbers[i] == protocol) {
            *ret_code = code >= 1 && code <= DISCARD_REQUEST ? codes[code - 1] : "unknown code";
            return names[i];
        }
    return NULL;
}
