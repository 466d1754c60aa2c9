#include "wire/l2tp.h"

#include "base/cursor.h"

enum {
    BIT_CONTROL = 0x8000,
    BIT_LENGTH = 0x4000,
    BIT_SEQUENCE = 0x0800,
    BIT_OFFSET = 0x0200,
    VERSION_MASK = 0x000f,
    VERSION = 2,
    AVP_MANDATORY = 0x8000,
    AVP_HIDDEN = 0x4000,
    AVP_RESERVED = 0x3c00,
    AVP_LENGTH = 0x03ff,
    AVP_HEADER = 6,
};

/* Attribute types (section 4.4); the others up to the last are known and of no use to us. */
enum attribute {
    A_MESSAGE_TYPE = 0,
    A_RESULT = 1,
    A_VERSION = 2,
    A_FRAMING = 3,
    A_HOST_NAME = 7,
    A_TUNNEL = 9,
    A_WINDOW = 10,
    A_CHALLENGE = 11,
    A_RESPONSE = 13,
    A_SESSION = 14,
    A_SERIAL = 15,
    A_CALL_FRAMING = 19,
    A_UNASSIGNED = 20,
    A_SPEED = 24,
    A_SEQUENCING = 39,
};

const char *l2tp_type_name(unsigned type)
{
    switch (type) {
#define NAME(name, value, text)                                                                    \
    case value:                                                                                    \
        return text;
        L2TP_TYPE_LIST(NAME)
#undef NAME
    default:
        return NULL;
    }
}

static void skip_offset(struct cursor *cur)
{
    cursor_skip(cur, cursor_u16(cur));
}

enum err l2tp_header_parse(struct view datagram, struct l2tp_header *ret)
{
    struct l2tp_header h = {0};
    struct cursor cur = cursor_of(datagram);
    unsigned flags = cursor_u16(&cur);

    if (cur.bad)
        return ERR_SHORT;
    if ((flags & VERSION_MASK) != VERSION)
        return ERR_VERSION;
    h.control = (flags & BIT_CONTROL) != 0;
    h.has_sequence = (flags & BIT_SEQUENCE) != 0;
    if (h.control && ((flags & BIT_LENGTH) == 0 || !h.has_sequence || (flags & BIT_OFFSET) != 0))
        return ERR_SYNTAX;
    if ((flags & BIT_LENGTH) != 0) {
        size_t len = cursor_u16(&cur);
        if (cur.bad || len > datagram.len)
            return ERR_SHORT;
        if (len < (size_t)(cur.at - datagram.ptr))
            return ERR_SYNTAX;
        cur.end = datagram.ptr + len; /* what lies behind is padding */
    }
    h.tunnel = cursor_u16(&cur);
    h.session = cursor_u16(&cur);
    if (h.has_sequence) {
        h.ns = cursor_u16(&cur);
        h.nr = cursor_u16(&cur);
    }
    if ((flags & BIT_OFFSET) != 0)
        skip_offset(&cur);
    h.payload = cursor_rest(&cur);
    if (cur.bad)
        return ERR_SHORT;
    *ret = h;
    return ERR_OK;
}

/* Result code, then an error code and a text for people, both optional (section 4.4.2). */
static void read_result(struct cursor *value, struct l2tp_message *m)
{
    m->result = cursor_u16(value);
    if (cursor_left(value) >= 2)
        m->error = cursor_u16(value);
    (void)cursor_rest(value);
}

static uint32_t read_value(struct cursor *value, unsigned type, struct l2tp_message *m)
{
    switch (type) {
    case A_RESULT:
        read_result(value, m);
        return L2TP_F_RESULT;
    case A_VERSION:
        m->version = cursor_u16(value);
        return L2TP_F_VERSION;
    case A_FRAMING:
        m->framing = cursor_u32(value);
        return L2TP_F_FRAMING;
    case A_HOST_NAME:
        m->host_name = cursor_rest(value);
        return L2TP_F_HOST_NAME;
    case A_TUNNEL:
        m->tunnel = cursor_u16(value);
        return L2TP_F_TUNNEL;
    case A_WINDOW:
        m->window = cursor_u16(value);
        return L2TP_F_WINDOW;
    case A_CHALLENGE:
        m->challenge = cursor_rest(value);
        return L2TP_F_CHALLENGE;
    case A_RESPONSE:
        m->response = cursor_take(value, L2TP_RESPONSE);
        return L2TP_F_RESPONSE;
    case A_SESSION:
        m->session = cursor_u16(value);
        return L2TP_F_SESSION;
    case A_SERIAL:
        m->serial = cursor_u32(value);
        return L2TP_F_SERIAL;
    case A_CALL_FRAMING:
        m->call_framing = cursor_u32(value);
        return L2TP_F_CALL_FRAMING;
    case A_SPEED:
        m->speed = cursor_u32(value);
        return L2TP_F_SPEED;
    case A_SEQUENCING:
        return L2TP_F_SEQUENCING;
    default:
        (void)cursor_rest(value);
        return 0;
    }
}

/* The first attribute says the type (section 4.4.1). */
static enum err read_attribute(struct cursor *cur, bool first, struct l2tp_message *m)
{
    unsigned flags = cursor_u16(cur), len = flags & AVP_LENGTH;
    unsigned vendor = cursor_u16(cur), type = cursor_u16(cur);

    if (cur->bad || len < AVP_HEADER)
        return ERR_SYNTAX;
    struct cursor value = cursor_sub(cur, len - AVP_HEADER);
    if (value.bad)
        return ERR_SYNTAX;
    bool known = vendor == 0 && type <= A_SEQUENCING && type != A_UNASSIGNED &&
                 (flags & (AVP_RESERVED | AVP_HIDDEN)) == 0;
    if (first) {
        if (!known || type != A_MESSAGE_TYPE)
            return ERR_SYNTAX;
        m->type = cursor_u16(&value);
        m->refused = l2tp_type_name(m->type) == NULL && (flags & AVP_MANDATORY) != 0;
        return cursor_done(&value) && m->type != L2TP_ZLB ? ERR_OK : ERR_SYNTAX;
    }
    if (!known) {
        m->refused = m->refused || (flags & AVP_MANDATORY) != 0;
        return ERR_OK;
    }
    m->present |= read_value(&value, type, m);
    return cursor_done(&value) ? ERR_OK : ERR_SYNTAX;
}

enum err l2tp_message_parse(struct view payload, struct l2tp_message *ret)
{
    struct l2tp_message m = {0};
    struct cursor cur = cursor_of(payload);

    while (cursor_left(&cur) > 0) {
        enum err err = read_attribute(&cur, cur.at == payload.ptr, &m);
        if (err != ERR_OK)
            return err;
    }
    bool challenge = (m.present & L2TP_F_CHALLENGE) != 0;
    if (challenge && (m.challenge.len == 0 || m.challenge.len > L2TP_CHALLENGE_MAX))
        return ERR_SYNTAX;
    *ret = m;
    return ERR_OK;
}

static void put(struct builder *b, enum attribute type, struct view value)
{
    builder_u16(b, (uint16_t)(AVP_MANDATORY | (AVP_HEADER + value.len)));
    builder_u16(b, 0);
    builder_u16(b, (uint16_t)type);
    builder_view(b, value);
}

static void put_u16(struct builder *b, enum attribute type, uint16_t value)
{
    const uint8_t octets[] = {(uint8_t)(value >> 8), (uint8_t)value};
    put(b, type, view_of(octets, sizeof(octets)));
}

static void put_u32(struct builder *b, enum attribute type, uint32_t value)
{
    const uint8_t octets[] = {(uint8_t)(value >> 24), (uint8_t)(value >> 16), (uint8_t)(value >> 8),
                              (uint8_t)value};
    put(b, type, view_of(octets, sizeof(octets)));
}

static void put_result(struct builder *b, const struct l2tp_message *m)
{
    const uint8_t octets[] = {(uint8_t)(m->result >> 8), (uint8_t)m->result,
                              (uint8_t)(m->error >> 8), (uint8_t)m->error};
    put(b, A_RESULT, view_of(octets, m->error != L2TP_ERROR_NONE ? 4 : 2));
}

static void put_attributes(struct builder *b, const struct l2tp_message *m)
{
    put_u16(b, A_MESSAGE_TYPE, m->type);
    if (m->present & L2TP_F_RESULT)
        put_result(b, m);
    if (m->present & L2TP_F_VERSION)
        put_u16(b, A_VERSION, m->version);
    if (m->present & L2TP_F_FRAMING)
        put_u32(b, A_FRAMING, m->framing);
    if (m->present & L2TP_F_HOST_NAME)
        put(b, A_HOST_NAME, m->host_name);
    if (m->present & L2TP_F_TUNNEL)
        put_u16(b, A_TUNNEL, m->tunnel);
    if (m->present & L2TP_F_WINDOW)
        put_u16(b, A_WINDOW, m->window);
    if (m->present & L2TP_F_CHALLENGE)
        put(b, A_CHALLENGE, m->challenge);
    if (m->present & L2TP_F_RESPONSE)
        put(b, A_RESPONSE, m->response);
    if (m->present & L2TP_F_SESSION)
        put_u16(b, A_SESSION, m->session);
    if (m->present & L2TP_F_SERIAL)
        put_u32(b, A_SERIAL, m->serial);
    if (m->present & L2TP_F_SPEED)
        put_u32(b, A_SPEED, m->speed);
    if (m->present & L2TP_F_CALL_FRAMING)
        put_u32(b, A_CALL_FRAMING, m->call_framing);
    if (m->present & L2TP_F_SEQUENCING)
        put(b, A_SEQUENCING, view_of(NULL, 0));
}

void l2tp_message_build(struct builder *b, const struct l2tp_header *header,
                        const struct l2tp_message *message)
{
    size_t start = b->len;

    builder_u16(b, BIT_CONTROL | BIT_LENGTH | BIT_SEQUENCE | VERSION);
    size_t len = builder_open_u16(b);
    builder_u16(b, header->tunnel);
    builder_u16(b, header->session);
    builder_u16(b, header->ns);
    builder_u16(b, header->nr);
    if (message->type != L2TP_ZLB)
        put_attributes(b, message);
    builder_close_u16(b, len, start);
}

void l2tp_data_build(struct builder *b, const struct l2tp_header *header)
{
    builder_u16(b, header->has_sequence ? BIT_SEQUENCE | VERSION : VERSION);
    builder_u16(b, header->tunnel);
    builder_u16(b, header->session);
    if (header->has_sequence) {
        builder_u16(b, header->ns);
        builder_u16(b, header->nr);
    }
}
