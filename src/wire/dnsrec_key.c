/* KEY (OE draft section 5.1, RFC 2535 section 3) and IPSECKEY (RFC 4025 section 2). */
#include "wire/dnsrec.h"

#include "base/builder.h"
#include "base/cursor.h"

enum {
    KEY_FLAGS_IPSEC = 0x4200, /* not for confidentiality, a non-zone entity (OE-135) */
    KEY_PROTOCOL_IPSEC = 4,
    KEY_RSA_MD5 = 1,  /* what the draft publishes */
    KEY_RSA_SHA1 = 5, /* what RFC 3110 assigned later; the same layout (OE-138) */
};

/* RFC 4025 section 2.4, RFC 8005 section 11, RFC 9373 */
enum {
    IPSECKEY_ALG_NONE = 0,
    IPSECKEY_ALG_RSA = 2,
    IPSECKEY_ALG_ECDSA = 3, /* RFC 6605 section 4 */
    IPSECKEY_ALG_EDDSA = 4, /* RFC 8080 section 3 */
};

/* Which key of an algorithm it is, its length tells. */
static const struct {
    uint8_t number;
    uint8_t len;
    enum key_alg alg;
} ipseckey_curves[] = {
    {IPSECKEY_ALG_ECDSA, 64, KEY_ECDSA_P256},
    {IPSECKEY_ALG_ECDSA, 96, KEY_ECDSA_P384},
    {IPSECKEY_ALG_EDDSA, 32, KEY_ED25519},
    {IPSECKEY_ALG_EDDSA, 57, KEY_ED448},
};

enum { IPSECKEY_CURVE_COUNT = sizeof(ipseckey_curves) / sizeof(ipseckey_curves[0]) };

enum {
    IPSECKEY_NO_GATEWAY = 0,
    IPSECKEY_IPV4 = 1,
    IPSECKEY_IPV6 = 2,
    IPSECKEY_NAME = 3,
};

enum { DNS_LABEL_MAX = 63 };

/* OE-135, OE-136, OE-138 */
enum err dnsrec_key_parse(struct view rdata, struct public_key *ret)
{
    struct cursor cur = cursor_of(rdata);
    uint16_t flags = cursor_u16(&cur);
    uint8_t protocol = cursor_u8(&cur), alg = cursor_u8(&cur);

    if (cur.bad)
        return ERR_SHORT;
    if (flags != KEY_FLAGS_IPSEC || protocol != KEY_PROTOCOL_IPSEC)
        return ERR_UNKNOWN;
    if (alg != KEY_RSA_MD5 && alg != KEY_RSA_SHA1)
        return ERR_UNKNOWN;
    return public_key_from_rfc3110(cursor_rest(&cur), ret);
}

enum err dnsrec_key_build(const struct public_key *key, struct span room, size_t *ret_len)
{
    struct builder b = builder_on(room);
    if (key->alg != KEY_RSA)
        return ERR_VALUE;
    builder_u16(&b, KEY_FLAGS_IPSEC);
    builder_u8(&b, KEY_PROTOCOL_IPSEC);
    builder_u8(&b, KEY_RSA_MD5);
    builder_bytes(&b, key->octets, key->len);
    if (b.bad)
        return ERR_ROOM;
    *ret_len = b.len;
    return ERR_OK;
}

/* A domain name in wire form, which must not be compressed and, being a gateway, is a host name. */
static enum err name_parse(struct cursor *cur, struct identity *ret)
{
    uint8_t octets[LIMIT_DNS_NAME];
    struct builder text = builder_on(span_of(octets, sizeof(octets)));

    for (size_t len; (len = cursor_u8(cur)) != 0;) {
        struct view label = cursor_take(cur, len);
        if (len > DNS_LABEL_MAX)
            return ERR_SYNTAX;
        if (cur->bad)
            return ERR_SHORT;
        if (memchr(label.ptr, '.', len) != NULL)
            return ERR_VALUE;
        if (text.len > 0)
            builder_u8(&text, '.');
        builder_view(&text, label);
    }
    if (cur->bad)
        return ERR_SHORT;
    if (text.bad)
        return ERR_SYNTAX;
    return identity_of_fqdn(builder_written(&text), ret) ? ERR_OK : ERR_VALUE;
}

static void name_build(struct builder *b, const char *name)
{
    while (*name != '\0') {
        size_t len = strcspn(name, ".");
        builder_u8(b, (uint8_t)len);
        builder_bytes(b, name, len);
        name += name[len] == '.' ? len + 1 : len;
    }
    builder_u8(b, 0);
}

static enum err gateway_parse(struct cursor *cur, uint8_t type, struct identity *ret)
{
    struct ip_addr addr;

    switch (type) {
    case IPSECKEY_NO_GATEWAY:
        return ERR_OK;
    case IPSECKEY_IPV4:
    case IPSECKEY_IPV6:
        addr = ip_addr_from(cursor_take(cur, type == IPSECKEY_IPV4 ? 4 : 16));
        if (cur->bad)
            return ERR_SHORT;
        *ret = identity_of_addr(&addr);
        return ERR_OK;
    case IPSECKEY_NAME:
        return name_parse(cur, ret);
    default:
        return ERR_UNSUPPORTED;
    }
}

static enum err curve_key_parse(uint8_t number, struct view octets, struct public_key *ret)
{
    bool known = false;
    for (size_t i = 0; i < IPSECKEY_CURVE_COUNT; i++) {
        known |= ipseckey_curves[i].number == number;
        if (ipseckey_curves[i].number == number && ipseckey_curves[i].len == octets.len)
            return public_key_from_octets(ipseckey_curves[i].alg, octets, ret);
    }
    return known ? ERR_VALUE : ERR_UNSUPPORTED;
}

/* False: IPSECKEY has no number for such a key. */
static bool key_number(const struct public_key *key, uint8_t *ret)
{
    *ret = IPSECKEY_ALG_NONE;
    if (key->alg == KEY_RSA)
        *ret = IPSECKEY_ALG_RSA;
    for (size_t i = 0; i < IPSECKEY_CURVE_COUNT; i++)
        if (ipseckey_curves[i].alg == key->alg)
            *ret = ipseckey_curves[i].number;
    return *ret != IPSECKEY_ALG_NONE || key->alg == KEY_NONE;
}

enum err dnsrec_ipseckey_parse(struct view rdata, struct dnsrec_gateway *ret)
{
    struct cursor cur = cursor_of(rdata);
    struct dnsrec_gateway gw = {.precedence = cursor_u8(&cur)};
    uint8_t type = cursor_u8(&cur), alg = cursor_u8(&cur);

    if (cur.bad)
        return ERR_SHORT;
    enum err err = gateway_parse(&cur, type, &gw.gateway);
    if (err != ERR_OK)
        return err;
    if (alg == IPSECKEY_ALG_RSA)
        err = public_key_from_rfc3110(cursor_rest(&cur), &gw.key);
    else if (alg != IPSECKEY_ALG_NONE)
        err = curve_key_parse(alg, cursor_rest(&cur), &gw.key);
    else if (!cursor_done(&cur))
        err = ERR_TRAILING;
    if (err == ERR_OK)
        *ret = gw;
    return err;
}

enum err dnsrec_ipseckey_build(const struct dnsrec_gateway *gw, struct span room, size_t *ret_len)
{
    const struct identity *gateway = &gw->gateway;
    struct builder b = builder_on(room);
    uint8_t type = IPSECKEY_NO_GATEWAY, number;

    if (gw->precedence > UINT8_MAX || !key_number(&gw->key, &number))
        return ERR_VALUE;
    if (gateway->kind == IDENTITY_FQDN)
        type = IPSECKEY_NAME;
    else if (gateway->kind == IDENTITY_ADDR)
        type = gateway->addr.family == IP_V4 ? IPSECKEY_IPV4 : IPSECKEY_IPV6;

    builder_u8(&b, (uint8_t)gw->precedence);
    builder_u8(&b, type);
    builder_u8(&b, number);
    if (type == IPSECKEY_NAME)
        name_build(&b, gateway->fqdn);
    else if (type != IPSECKEY_NO_GATEWAY)
        builder_view(&b, ip_addr_view(&gateway->addr));
    builder_bytes(&b, gw->key.octets, gw->key.len);
    if (b.bad)
        return ERR_ROOM;
    *ret_len = b.len;
    return ERR_OK;
}
