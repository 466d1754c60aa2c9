#include "wire/rsip_param.h"

#include "wire/rsip.h"

enum { NAME_MAX_LEN = 253 };

/* RSIP-082: the length counts the value alone. */
bool rsip_tlv_read(struct cursor *cur, struct rsip_tlv *ret)
{
    uint8_t type = cursor_u8(cur);
    size_t len = cursor_u16(cur);
    struct view value = cursor_take(cur, len);
    if (cur->bad)
        return false;
    *ret = (struct rsip_tlv){.type = type, .value = value};
    return true;
}

static bool is_name(struct view name)
{
    if (name.len == 0 || name.len > NAME_MAX_LEN)
        return false;
    for (size_t i = 0; i < name.len; i++) {
        uint8_t c = name.ptr[i];
        bool letter = (c | 0x20) >= 'a' && (c | 0x20) <= 'z';
        bool digit = c >= '0' && c <= '9';
        if (!letter && !digit && c != '-' && c != '.' && c != '_')
            return false;
    }
    return true;
}

/* RFC 950: ones, then zeros. */
static bool is_netmask(struct view octets)
{
    uint32_t mask = 0;
    for (size_t i = 0; i < octets.len; i++)
        mask = mask << 8 | octets.ptr[i];
    return (~mask & (~mask + 1)) == 0;
}

/* RSIP-083, RSIP-084 */
bool rsip_address_parse(struct view value, struct rsip_address *ret)
{
    struct cursor cur = cursor_of(value);
    struct rsip_address parsed = {.type = cursor_u8(&cur)};
    struct view rest = cursor_rest(&cur);

    if (cur.bad || parsed.type < RSIP_ADDR_V4 || parsed.type > RSIP_ADDR_NAME)
        return false;
    parsed.any = rest.len == 0;
    if (parsed.any) {
        *ret = parsed;
        return true;
    }
    if (parsed.type == RSIP_ADDR_NAME) {
        parsed.name = rest;
        if (!is_name(rest))
            return false;
    } else {
        if (rest.len != (parsed.type == RSIP_ADDR_V6 ? 16 : 4) ||
            (parsed.type == RSIP_ADDR_NETMASK && !is_netmask(rest)))
            return false;
        parsed.addr = ip_addr_from(rest);
    }
    *ret = parsed;
    return true;
}

/* Which form a number and its fields make. */
static bool range_form(unsigned number, size_t fields, uint8_t *ret)
{
    if (fields == 0)
        *ret = RSIP_RANGE_ANY;
    else if (fields == 1)
        *ret = RSIP_RANGE_RUN;
    else if (fields == number)
        *ret = RSIP_RANGE_LIST;
    else
        return false;
    return true;
}

/* RSIP-086, RSIP-087: a number of zero is only the value of all zeros (RSIP-124). */
bool rsip_ports_parse(struct view value, bool none_allowed, struct rsip_ports *ret)
{
    struct cursor cur = cursor_of(value);
    struct rsip_ports parsed = {0};

    if (value.len == 0) {
        if (none_allowed)
            *ret = parsed;
        return none_allowed;
    }
    parsed.count = cursor_u8(&cur);
    size_t fields = cursor_left(&cur) / 2;
    if (cursor_left(&cur) % 2 != 0 || !range_form(parsed.count, fields, &parsed.form))
        return false;
    for (size_t i = 0; i < fields; i++)
        parsed.ports[i] = cursor_u16(&cur);
    if (fields == 1 && parsed.count <= 1 && parsed.ports[0] == 0)
        parsed.form = RSIP_RANGE_ZERO;
    else if (parsed.count == 0)
        return false;
    else if (parsed.form == RSIP_RANGE_RUN && parsed.ports[0] + parsed.count - 1u > UINT16_MAX)
        return false;
    for (size_t i = 0; parsed.form != RSIP_RANGE_ZERO && i < fields; i++)
        if (parsed.ports[i] == 0)
            return false;
    *ret = parsed;
    return true;
}

/* RSIP-034, RSIP-035, RSIP-036, RSIP-037, RSIP-038; the SPIs up to 255 are reserved (RFC 4303
 * section 2.1). */
bool rsip_spis_parse(struct view value, struct rsip_spis *ret)
{
    struct cursor cur = cursor_of(value);
    struct rsip_spis parsed = {.count = cursor_u16(&cur)};
    size_t fields = cursor_left(&cur) / 4;

    if (cur.bad || cursor_left(&cur) % 4 != 0 || fields > RSIP_SPIS_MAX || parsed.count == 0 ||
        !range_form(parsed.count, fields, &parsed.form))
        return false;
    for (size_t i = 0; i < fields; i++) {
        parsed.spis[i] = cursor_u32(&cur);
        if (parsed.spis[i] < 256)
            return false;
    }
    if (parsed.form == RSIP_RANGE_RUN && parsed.spis[0] > UINT32_MAX - (parsed.count - 1u))
        return false;
    *ret = parsed;
    return true;
}

bool rsip_u32_parse(struct view value, uint32_t *ret)
{
    struct cursor cur = cursor_of(value);
    uint32_t number = cursor_u32(&cur);
    if (cursor_done(&cur))
        *ret = number;
    return cursor_done(&cur);
}

bool rsip_u16_parse(struct view value, uint16_t *ret)
{
    struct cursor cur = cursor_of(value);
    uint16_t number = cursor_u16(&cur);
    if (cursor_done(&cur))
        *ret = number;
    return cursor_done(&cur);
}

bool rsip_u8_parse(struct view value, uint8_t *ret)
{
    struct cursor cur = cursor_of(value);
    uint8_t number = cursor_u8(&cur);
    if (cursor_done(&cur))
        *ret = number;
    return cursor_done(&cur);
}

bool rsip_indicator_parse(struct view value, uint8_t *ret)
{
    uint16_t wide;
    if (rsip_u8_parse(value, ret))
        return true;
    if (!rsip_u16_parse(value, &wide) || wide > UINT8_MAX)
        return false;
    *ret = (uint8_t)wide;
    return true;
}

void rsip_address_build(struct builder *b, const struct rsip_address *address)
{
    builder_u8(b, RSIP_P_ADDRESS);
    size_t field = builder_open_u16(b), start = b->len;
    builder_u8(b, address->type);
    if (!address->any)
        builder_view(b, address->type == RSIP_ADDR_NAME ? address->name
                                                        : ip_addr_view(&address->addr));
    builder_close_u16(b, field, start);
}

void rsip_ports_build(struct builder *b, const struct rsip_ports *ports)
{
    static const uint8_t single[] = {[RSIP_RANGE_RUN] = 1, [RSIP_RANGE_ZERO] = 1};
    unsigned fields = ports->form == RSIP_RANGE_LIST ? ports->count : single[ports->form];

    builder_u8(b, RSIP_P_PORTS);
    size_t field = builder_open_u16(b), start = b->len;
    if (ports->form != RSIP_RANGE_NONE)
        builder_u8(b, ports->count);
    for (unsigned i = 0; i < fields; i++)
        builder_u16(b, ports->ports[i]);
    builder_close_u16(b, field, start);
}

void rsip_spis_build(struct builder *b, const struct rsip_spis *spis)
{
    unsigned fields = spis->form == RSIP_RANGE_LIST ? spis->count : spis->form == RSIP_RANGE_RUN;

    builder_u8(b, RSIP_P_SPI);
    size_t field = builder_open_u16(b), start = b->len;
    builder_u16(b, spis->count);
    for (unsigned i = 0; i < fields; i++)
        builder_u32(b, spis->spis[i]);
    builder_close_u16(b, field, start);
}

void rsip_u32_build(struct builder *b, enum rsip_param type, uint32_t value)
{
    builder_u8(b, type);
    builder_u16(b, 4);
    builder_u32(b, value);
}

void rsip_u16_build(struct builder *b, enum rsip_param type, uint16_t value)
{
    builder_u8(b, type);
    builder_u16(b, 2);
    builder_u16(b, value);
}

void rsip_u8_build(struct builder *b, enum rsip_param type, uint8_t value)
{
    builder_u8(b, type);
    builder_u16(b, 1);
    builder_u8(b, value);
}
