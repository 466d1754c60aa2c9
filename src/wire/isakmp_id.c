/* Identification, Notify and Delete payloads. */
#include "wire/isakmp.h"

enum err isakmp_id_parse(struct view body, struct isakmp_id *ret)
{
    struct cursor cur = cursor_of(body);
    struct isakmp_id id = {.type = cursor_u8(&cur)};
    id.protocol = cursor_u8(&cur);
    id.port = cursor_u16(&cur);
    id.data = cursor_rest(&cur);
    if (cur.bad)
        return ERR_SHORT;
    *ret = id;
    return ERR_OK;
}

void isakmp_id_build(struct builder *b, const struct isakmp_id *id)
{
    builder_u8(b, id->type);
    builder_u8(b, id->protocol);
    builder_u16(b, id->port);
    builder_view(b, id->data);
}

/* The address length of a single or *_SUBNET type, else 0. */
static size_t id_addr_len(uint8_t type)
{
    switch (type) {
    case ISAKMP_ID_IPV4_ADDR:
    case ISAKMP_ID_IPV4_ADDR_SUBNET:
        return 4;
    case ISAKMP_ID_IPV6_ADDR:
    case ISAKMP_ID_IPV6_ADDR_SUBNET:
        return 16;
    default:
        return 0;
    }
}

static bool id_is_subnet(uint8_t type)
{
    return type == ISAKMP_ID_IPV4_ADDR_SUBNET || type == ISAKMP_ID_IPV6_ADDR_SUBNET;
}

enum err isakmp_id_to_identity(const struct isakmp_id *id, struct identity *ret)
{
    switch (id->type) {
    case ISAKMP_ID_FQDN:
        return identity_of_fqdn(id->data, ret) ? ERR_OK : ERR_VALUE;
    case ISAKMP_ID_USER_FQDN:
        return identity_of_email(id->data, ret) ? ERR_OK : ERR_VALUE;
    case ISAKMP_ID_DER_ASN1_DN:
        return identity_of_octets(IDENTITY_DN, id->data, ret) ? ERR_OK : ERR_VALUE;
    case ISAKMP_ID_KEY_ID:
        return identity_of_octets(IDENTITY_KEY_ID, id->data, ret) ? ERR_OK : ERR_VALUE;
    default:
        break;
    }
    size_t len = id_addr_len(id->type);
    if (len == 0 || id_is_subnet(id->type))
        return ERR_UNSUPPORTED;
    if (id->data.len != len)
        return ERR_VALUE;
    struct ip_addr addr = ip_addr_from(id->data);
    *ret = identity_of_addr(&addr);
    return ERR_OK;
}

/* OE-124, OE-157: protocol and port stay zero, which is what peers expect beside UDP 500 or 4500.
 */
void isakmp_id_build_identity(struct builder *b, const struct identity *identity)
{
    struct isakmp_id id = {.data = identity_octets(identity)};
    switch (identity->kind) {
    case IDENTITY_ADDR:
        id.type = identity->addr.family == IP_V4 ? ISAKMP_ID_IPV4_ADDR : ISAKMP_ID_IPV6_ADDR;
        break;
    case IDENTITY_EMAIL:
        id.type = ISAKMP_ID_USER_FQDN;
        break;
    case IDENTITY_DN:
        id.type = ISAKMP_ID_DER_ASN1_DN;
        break;
    case IDENTITY_KEY_ID:
        id.type = ISAKMP_ID_KEY_ID;
        break;
    case IDENTITY_FQDN:
        id.type = ISAKMP_ID_FQDN;
        break;
    default: /* nobody */
        id.data = view_of(NULL, 0);
        break;
    }
    if (id.data.len == 0)
        b->bad = true;
    isakmp_id_build(b, &id);
}

/* The number of leading ones; false if a one follows a zero. */
static bool mask_bits(struct view mask, unsigned *ret)
{
    unsigned bits = 0;
    for (bool ended = false; bits < 8 * mask.len && !ended;) {
        ended = !(mask.ptr[bits / 8] & 0x80 >> bits % 8);
        bits += !ended;
    }
    for (unsigned i = bits; i < 8 * mask.len; i++)
        if (mask.ptr[i / 8] & 0x80 >> i % 8)
            return false;
    *ret = bits;
    return true;
}

enum err isakmp_id_to_prefix(const struct isakmp_id *id, struct ip_prefix *ret)
{
    size_t len = id_addr_len(id->type);
    bool subnet = id_is_subnet(id->type);
    if (len == 0)
        return ERR_UNSUPPORTED;
    if (id->data.len != (subnet ? 2 * len : len))
        return ERR_VALUE;

    struct ip_addr addr = ip_addr_from(view_of(id->data.ptr, len));
    unsigned bits = ip_addr_bits(&addr);
    if (subnet && !mask_bits(view_of(id->data.ptr + len, len), &bits))
        return ERR_VALUE;
    *ret = ip_prefix_of(&addr, bits);
    return ERR_OK;
}

/* OE-130, OE-131 */
void isakmp_id_build_prefix(struct builder *b, const struct ip_prefix *prefix)
{
    uint8_t mask[16];
    bool v4 = prefix->addr.family == IP_V4;

    for (unsigned i = 0; i < sizeof(mask); i++) {
        unsigned ones = prefix->bits > 8 * i ? prefix->bits - 8 * i : 0;
        mask[i] = ones >= 8 ? 0xff : (uint8_t)(0xff00 >> ones);
    }
    if (ip_addr_len(&prefix->addr) == 0)
        b->bad = true;
    builder_u8(b, v4 ? ISAKMP_ID_IPV4_ADDR_SUBNET : ISAKMP_ID_IPV6_ADDR_SUBNET);
    builder_u8(b, 0);
    builder_u16(b, 0);
    builder_view(b, ip_addr_view(&prefix->addr));
    builder_bytes(b, mask, ip_addr_len(&prefix->addr));
}

enum err isakmp_notify_parse(struct view body, struct isakmp_notify *ret)
{
    struct cursor cur = cursor_of(body);
    struct isakmp_notify n = {.doi = cursor_u32(&cur)};
    n.protocol = cursor_u8(&cur);
    size_t spi_len = cursor_u8(&cur);
    n.type = cursor_u16(&cur);
    n.spi = cursor_take(&cur, spi_len);
    n.data = cursor_rest(&cur);
    if (cur.bad)
        return ERR_SHORT;
    *ret = n;
    return ERR_OK;
}

void isakmp_notify_build(struct builder *b, const struct isakmp_notify *n)
{
    if (n->spi.len > UINT8_MAX)
        b->bad = true;
    builder_u32(b, n->doi);
    builder_u8(b, n->protocol);
    builder_u8(b, (uint8_t)n->spi.len);
    builder_u16(b, n->type);
    builder_view(b, n->spi);
    builder_view(b, n->data);
}

/* RFC 2408 section 3.14.1, RFC 2407 section 4.6.3, RFC 3706 section 5.2 */
const char *isakmp_notify_name(uint16_t type)
{
    static const char *const errors[] = {
        [1] = "INVALID-PAYLOAD-TYPE",
        [2] = "DOI-NOT-SUPPORTED",
        [3] = "SITUATION-NOT-SUPPORTED",
        [4] = "INVALID-COOKIE",
        [5] = "INVALID-MAJOR-VERSION",
        [6] = "INVALID-MINOR-VERSION",
        [7] = "INVALID-EXCHANGE-TYPE",
        [8] = "INVALID-FLAGS",
        [9] = "INVALID-MESSAGE-ID",
        [10] = "INVALID-PROTOCOL-ID",
        [11] = "INVALID-SPI",
        [12] = "INVALID-TRANSFORM-ID",
        [13] = "ATTRIBUTES-NOT-SUPPORTED",
        [14] = "NO-PROPOSAL-CHOSEN",
        [15] = "BAD-PROPOSAL-SYNTAX",
        [16] = "PAYLOAD-MALFORMED",
        [17] = "INVALID-KEY-INFORMATION",
        [18] = "INVALID-ID-INFORMATION",
        [19] = "INVALID-CERT-ENCODING",
        [20] = "INVALID-CERTIFICATE",
        [21] = "CERT-TYPE-UNSUPPORTED",
        [22] = "INVALID-CERT-AUTHORITY",
        [23] = "INVALID-HASH-INFORMATION",
        [24] = "AUTHENTICATION-FAILED",
        [25] = "INVALID-SIGNATURE",
        [26] = "ADDRESS-NOTIFICATION",
        [27] = "NOTIFY-SA-LIFETIME",
        [28] = "CERTIFICATE-UNAVAILABLE",
        [29] = "UNSUPPORTED-EXCHANGE-TYPE",
        [30] = "UNEQUAL-PAYLOAD-LENGTHS",
    };
    switch (type) {
    case 16384:
        return "CONNECTED";
    case 24576:
        return "RESPONDER-LIFETIME";
    case 24577:
        return "REPLAY-STATUS";
    case 24578:
        return "INITIAL-CONTACT";
    case 36136:
        return "R-U-THERE";
    case 36137:
        return "R-U-THERE-ACK";
    default:
        return type < sizeof(errors) / sizeof(errors[0]) ? errors[type] : NULL;
    }
}

enum err isakmp_delete_parse(struct view body, struct isakmp_delete *ret)
{
    struct cursor cur = cursor_of(body);
    struct isakmp_delete d = {.doi = cursor_u32(&cur)};
    d.protocol = cursor_u8(&cur);
    d.spi_len = cursor_u8(&cur);
    d.count = cursor_u16(&cur);
    if (cur.bad)
        return ERR_SHORT;
    if (d.spi_len == 0 && d.count != 0)
        return ERR_VALUE;
    d.spis = cursor_take(&cur, (size_t)d.spi_len * d.count);
    if (cur.bad)
        return ERR_SHORT;
    if (!cursor_done(&cur))
        return ERR_TRAILING;
    *ret = d;
    return ERR_OK;
}

void isakmp_delete_build(struct builder *b, const struct isakmp_delete *d)
{
    if (d->spis.len != (size_t)d->spi_len * d->count)
        b->bad = true;
    builder_u32(b, d->doi);
    builder_u8(b, d->protocol);
    builder_u8(b, d->spi_len);
    builder_u16(b, d->count);
    builder_view(b, d->spis);
}
