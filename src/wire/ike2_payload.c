/*
 * The bodies of the payloads that have one of their own: key exchange, identities, certificates,
 * authentication, nonces, notifies, deletes and configuration.
 */
#include "wire/ike2.h"

enum { DER_SEQUENCE = 0x30, CP_ATTRIBUTE_RESERVED = 0x8000 };

enum err ike2_ke_parse(struct view body, struct ike2_ke_payload *ret)
{
    struct cursor cur = cursor_of(body);
    struct ike2_ke_payload ke = {.method = cursor_u16(&cur)};
    cursor_skip(&cur, 2);
    if (cur.bad)
        return ERR_SHORT;
    ke.data = cursor_rest(&cur);
    *ret = ke;
    return ERR_OK;
}

void ike2_ke_build(struct builder *b, const struct ike2_ke_payload *ke)
{
    builder_u16(b, ke->method);
    builder_u16(b, 0);
    builder_view(b, ke->data);
}

enum err ike2_id_parse(struct view body, struct ike2_id *ret)
{
    struct cursor cur = cursor_of(body);
    struct ike2_id id = {.type = cursor_u8(&cur)};
    cursor_skip(&cur, 3);
    if (cur.bad)
        return ERR_SHORT;
    id.data = cursor_rest(&cur);
    *ret = id;
    return ERR_OK;
}

void ike2_id_build(struct builder *b, const struct ike2_id *id)
{
    builder_u8(b, id->type);
    builder_fill(b, 0, 3);
    builder_view(b, id->data);
}

static bool addr_identity(struct view data, size_t len, struct identity *ret)
{
    if (data.len != len)
        return false;
    struct ip_addr addr = ip_addr_from(data);
    *ret = identity_of_addr(&addr);
    return true;
}

static bool null_identity(struct view data, struct identity *ret)
{
    (void)data; /* RFC 7619 section 2.1: to be ignored */
    *ret = (struct identity){.kind = IDENTITY_NULL};
    return true;
}

enum err ike2_id_to_identity(const struct ike2_id *id, struct identity *ret)
{
    bool good;
    switch (id->type) {
    case IKE2_ID_IPV4_ADDR:
        good = addr_identity(id->data, 4, ret);
        break;
    case IKE2_ID_IPV6_ADDR:
        good = addr_identity(id->data, 16, ret);
        break;
    case IKE2_ID_FQDN:
        good = identity_of_fqdn(id->data, ret);
        break;
    case IKE2_ID_RFC822_ADDR:
        good = identity_of_email(id->data, ret);
        break;
    case IKE2_ID_DER_ASN1_DN:
        good = identity_of_octets(IDENTITY_DN, id->data, ret);
        break;
    case IKE2_ID_KEY_ID:
        good = identity_of_octets(IDENTITY_KEY_ID, id->data, ret);
        break;
    case IKE2_ID_NULL:
        good = null_identity(id->data, ret);
        break;
    default:
        return ERR_UNSUPPORTED;
    }
    return good ? ERR_OK : ERR_VALUE;
}

void ike2_id_build_identity(struct builder *b, const struct identity *id)
{
    struct ike2_id out = {.data = identity_octets(id)};
    switch (id->kind) {
    case IDENTITY_ADDR:
        out.type = id->addr.family == IP_V4 ? IKE2_ID_IPV4_ADDR : IKE2_ID_IPV6_ADDR;
        break;
    case IDENTITY_FQDN:
        out.type = IKE2_ID_FQDN;
        break;
    case IDENTITY_EMAIL:
        out.type = IKE2_ID_RFC822_ADDR;
        break;
    case IDENTITY_DN:
        out.type = IKE2_ID_DER_ASN1_DN;
        break;
    case IDENTITY_KEY_ID:
        out.type = IKE2_ID_KEY_ID;
        break;
    case IDENTITY_NULL:
        out.type = IKE2_ID_NULL;
        break;
    default:
        b->bad = true; /* an identity of none has no form on the wire */
        break;
    }
    ike2_id_build(b, &out);
}

enum err ike2_cert_parse(struct view body, struct ike2_cert *ret)
{
    struct cursor cur = cursor_of(body);
    struct ike2_cert cert = {.encoding = cursor_u8(&cur)};
    if (cur.bad)
        return ERR_SHORT;
    cert.data = cursor_rest(&cur);
    *ret = cert;
    return ERR_OK;
}

void ike2_cert_build(struct builder *b, const struct ike2_cert *cert)
{
    builder_u8(b, cert->encoding);
    builder_view(b, cert->data);
}

enum err ike2_certreq_parse(struct view body, struct ike2_cert *ret)
{
    struct ike2_cert cert;
    enum err err = ike2_cert_parse(body, &cert);
    if (err != ERR_OK)
        return err;
    if (cert.encoding == IKE2_CERT_X509 && cert.data.len % IKE2_CA_HASH_LEN != 0)
        return ERR_SYNTAX;
    *ret = cert;
    return ERR_OK;
}

/* RFC 7427 section 3: its length in one octet, then the AlgorithmIdentifier, a SEQUENCE. */
static enum err identifier_parse(struct cursor *cur, struct view *ret)
{
    struct view identifier = cursor_take(cur, cursor_u8(cur));
    if (cur->bad)
        return ERR_SHORT;
    if (identifier.len < 2 || identifier.ptr[0] != DER_SEQUENCE)
        return ERR_SYNTAX;
    *ret = identifier;
    return ERR_OK;
}

enum err ike2_auth_parse(struct view body, struct ike2_auth *ret)
{
    struct cursor cur = cursor_of(body);
    struct ike2_auth auth = {.method = cursor_u8(&cur)};
    cursor_skip(&cur, 3);
    if (cur.bad)
        return ERR_SHORT;
    if (auth.method == IKE2_AUTH_DIGITAL) {
        enum err err = identifier_parse(&cur, &auth.identifier);
        if (err != ERR_OK)
            return err;
    }
    auth.data = cursor_rest(&cur);
    *ret = auth;
    return ERR_OK;
}

void ike2_auth_build(struct builder *b, const struct ike2_auth *auth)
{
    builder_u8(b, auth->method);
    builder_fill(b, 0, 3);
    if (auth->method == IKE2_AUTH_DIGITAL) {
        if (auth->identifier.len > UINT8_MAX)
            b->bad = true;
        builder_u8(b, (uint8_t)auth->identifier.len);
        builder_view(b, auth->identifier);
    }
    builder_view(b, auth->data);
}

enum err ike2_nonce_parse(struct view body, struct view *ret)
{
    if (body.len < IKE2_NONCE_MIN || body.len > IKE2_NONCE_MAX)
        return ERR_VALUE;
    *ret = body;
    return ERR_OK;
}

enum err ike2_notify_parse(struct view body, struct ike2_notify *ret)
{
    struct cursor cur = cursor_of(body);
    struct ike2_notify n = {.protocol = cursor_u8(&cur)};
    size_t spi_len = cursor_u8(&cur);
    n.type = cursor_u16(&cur);
    n.spi = cursor_take(&cur, spi_len);
    if (cur.bad)
        return ERR_SHORT;
    n.data = cursor_rest(&cur);
    *ret = n;
    return ERR_OK;
}

void ike2_notify_build(struct builder *b, const struct ike2_notify *n)
{
    if (n->spi.len > UINT8_MAX)
        b->bad = true;
    builder_u8(b, n->protocol);
    builder_u8(b, (uint8_t)n->spi.len);
    builder_u16(b, n->type);
    builder_view(b, n->spi);
    builder_view(b, n->data);
}

bool ike2_notify_find(const struct ike2_payloads *all, uint16_t type, struct ike2_notify *ret)
{
    for (size_t i = 0; i < all->count; i++) {
        struct ike2_notify n;
        if (all->list[i].type == IKE2_P_N && ike2_notify_parse(all->list[i].body, &n) == ERR_OK &&
            n.type == type) {
            *ret = n;
            return true;
        }
    }
    return false;
}

/* Section 3.11: an IKE SA is named by the message itself, the others by the sender's inbound SPIs.
 */
static bool delete_valid(const struct ike2_delete *d)
{
    switch (d->protocol) {
    case IKE2_PROTO_IKE:
        return d->spi_len == 0 && d->count == 0;
    case IKE2_PROTO_AH:
    case IKE2_PROTO_ESP:
        return d->spi_len == 4;
    default:
        return false;
    }
}

enum err ike2_delete_parse(struct view body, struct ike2_delete *ret)
{
    struct cursor cur = cursor_of(body);
    struct ike2_delete d = {.protocol = cursor_u8(&cur), .spi_len = cursor_u8(&cur)};
    d.count = cursor_u16(&cur);
    d.spis = cursor_take(&cur, (size_t)d.count * d.spi_len);
    if (cur.bad)
        return ERR_SHORT;
    if (!cursor_done(&cur))
        return ERR_TRAILING;
    if (!delete_valid(&d))
        return ERR_VALUE;
    *ret = d;
    return ERR_OK;
}

void ike2_delete_build(struct builder *b, const struct ike2_delete *d)
{
    builder_u8(b, d->protocol);
    builder_u8(b, d->spi_len);
    builder_u16(b, d->count);
    builder_view(b, d->spis);
}

enum err ike2_cp_parse(struct view body, struct ike2_cp *ret)
{
    struct cursor cur = cursor_of(body);
    struct ike2_cp cp = {.type = cursor_u8(&cur)};
    cursor_skip(&cur, 3);
    while (!cur.bad && !cursor_done(&cur)) {
        uint16_t type = cursor_u16(&cur) & (uint16_t)~CP_ATTRIBUTE_RESERVED;
        size_t len = cursor_u16(&cur);
        struct ike2_cp_attribute attr = {.type = type, .value = cursor_take(&cur, len)};
        if (cp.count == LIMIT_IKE_ATTRIBUTES)
            return ERR_LIMIT;
        cp.list[cp.count++] = attr;
    }
    if (cur.bad)
        return ERR_SHORT;
    *ret = cp;
    return ERR_OK;
}

void ike2_cp_build(struct builder *b, const struct ike2_cp *cp)
{
    builder_u8(b, cp->type);
    builder_fill(b, 0, 3);
    for (size_t i = 0; i < cp->count; i++) {
        builder_u16(b, cp->list[i].type);
        if (cp->list[i].value.len > UINT16_MAX)
            b->bad = true;
        builder_u16(b, (uint16_t)cp->list[i].value.len);
        builder_view(b, cp->list[i].value);
    }
}
