#include "wire/rsip.h"

#include "base/cursor.h"
#include "wire/rsip_param.h"

enum { REQUIRED_MAX = 9 };

/* RFC 3103 section 9 and RFC 3104 section 6.2, a row a message. The fields that may repeat are
 * `many` (RSIP-101). "Don't need" ports are of RFC 3104 alone. */
struct grammar {
    enum rsip_type type;
    uint16_t required[REQUIRED_MAX]; /* in this order, ended by 0 */
    uint32_t optional, many;
    bool ports_none;
};

#define CLIENT RSIP_F_CLIENT_ID
#define BIND RSIP_F_BIND_ID
#define LOCAL RSIP_F_LOCAL_ADDR, RSIP_F_LOCAL_PORTS
#define REMOTE RSIP_F_REMOTE_ADDR, RSIP_F_REMOTE_PORTS
#define COUNTER RSIP_F_COUNTER
#define WISHES (RSIP_F_COUNTER | RSIP_F_LEASE | RSIP_F_TUNNEL)
#define GRANTS RSIP_F_LEASE, RSIP_F_TUNNEL
#define ASIDE (RSIP_F_COUNTER | RSIP_F_ENDPOINT)

static const struct grammar grammars[] = {
    /* RSIP-103 */
    {RSIP_ERROR_RESPONSE, {RSIP_F_ERROR}, COUNTER | CLIENT | BIND, 0, false},
    /* RSIP-107, RSIP-109 */
    {RSIP_REGISTER_REQUEST, {0}, COUNTER, 0, false},
    {RSIP_REGISTER_RESPONSE,
     {CLIENT, RSIP_F_LEASE, RSIP_F_FLOW},
     COUNTER | RSIP_F_METHOD | RSIP_F_TUNNEL,
     RSIP_F_METHOD | RSIP_F_TUNNEL,
     false},
    /* RSIP-112, RSIP-115 */
    {RSIP_DEREGISTER_REQUEST, {CLIENT}, COUNTER, 0, false},
    {RSIP_DEREGISTER_RESPONSE, {CLIENT}, COUNTER, 0, false},
    /* RSIP-119, RSIP-120 */
    {RSIP_ASSIGN_REQUEST_RSA, {CLIENT, RSIP_F_LOCAL_ADDR, REMOTE}, WISHES, 0, false},
    {RSIP_ASSIGN_RESPONSE_RSA, {CLIENT, BIND, RSIP_F_LOCAL_ADDR, REMOTE, GRANTS}, ASIDE, 0, false},
    /* RSIP-121, RSIP-122 */
    {RSIP_ASSIGN_REQUEST_RSAP, {CLIENT, LOCAL, REMOTE}, WISHES, 0, false},
    {RSIP_ASSIGN_RESPONSE_RSAP, {CLIENT, BIND, LOCAL, REMOTE, GRANTS}, ASIDE, 0, false},
    /* RSIP-129, RSIP-130 */
    {RSIP_EXTEND_REQUEST, {CLIENT, BIND}, COUNTER | RSIP_F_LEASE, 0, false},
    {RSIP_EXTEND_RESPONSE, {CLIENT, BIND, RSIP_F_LEASE}, COUNTER, 0, false},
    /* RSIP-132, RSIP-133 */
    {RSIP_FREE_REQUEST, {CLIENT, BIND}, COUNTER, 0, false},
    {RSIP_FREE_RESPONSE, {CLIENT, BIND}, COUNTER, 0, false},
    /* RSIP-136, RSIP-139 */
    {RSIP_QUERY_REQUEST, {CLIENT}, COUNTER | RSIP_F_TUPLES, RSIP_F_TUPLES, false},
    {RSIP_QUERY_RESPONSE, {CLIENT}, COUNTER | RSIP_F_TUPLES, RSIP_F_TUPLES, false},
    /* RSIP-141, RSIP-142: the order of lease time and tunnel type is the other way round */
    {RSIP_LISTEN_REQUEST, {CLIENT, LOCAL, REMOTE}, WISHES, RSIP_F_TUNNEL, false},
    {RSIP_LISTEN_RESPONSE,
     {CLIENT, BIND, LOCAL, REMOTE, RSIP_F_TUNNEL, RSIP_F_LEASE},
     ASIDE,
     0,
     false},
    /* RSIP-028, RSIP-029 */
    {RSIP_ASSIGN_REQUEST_IPSEC, {CLIENT, LOCAL, REMOTE, RSIP_F_SPI}, WISHES, 0, true},
    {RSIP_ASSIGN_RESPONSE_IPSEC, {CLIENT, BIND, LOCAL, REMOTE, RSIP_F_SPI, GRANTS}, ASIDE, 0, true},
};

static const struct grammar *grammar_of(unsigned type)
{
    for (size_t i = 0; i < sizeof(grammars) / sizeof(grammars[0]); i++)
        if (grammars[i].type == type)
            return &grammars[i];
    return NULL;
}

static enum rsip_param param_of(uint32_t field)
{
    switch (field) {
    case RSIP_F_CLIENT_ID:
        return RSIP_P_CLIENT_ID;
    case RSIP_F_BIND_ID:
        return RSIP_P_BIND_ID;
    case RSIP_F_LOCAL_ADDR:
    case RSIP_F_REMOTE_ADDR:
    case RSIP_F_ENDPOINT:
        return RSIP_P_ADDRESS;
    case RSIP_F_LOCAL_PORTS:
    case RSIP_F_REMOTE_PORTS:
        return RSIP_P_PORTS;
    case RSIP_F_SPI:
        return RSIP_P_SPI;
    case RSIP_F_LEASE:
        return RSIP_P_LEASE;
    case RSIP_F_TUNNEL:
        return RSIP_P_TUNNEL;
    case RSIP_F_METHOD:
        return RSIP_P_METHOD;
    case RSIP_F_FLOW:
        return RSIP_P_FLOW;
    case RSIP_F_ERROR:
        return RSIP_P_ERROR;
    case RSIP_F_COUNTER:
        return RSIP_P_COUNTER;
    case RSIP_F_TUPLES:
        return RSIP_P_INDICATOR;
    default:
        return RSIP_P_VENDOR;
    }
}

/* RSIP-098: those that somebody assigned; 241 to 255 are private, and none of them is ours. */
static bool is_param(unsigned type)
{
    return (type >= RSIP_P_ADDRESS && type <= RSIP_P_VENDOR) || type == RSIP_P_SPI;
}

static bool parse_flow(struct view value, struct rsip_message *m)
{
    struct cursor cur = cursor_of(value);
    uint8_t local = cursor_u8(&cur), remote = cursor_u8(&cur);

    if (!cursor_done(&cur) || local < RSIP_FLOW_MACRO || local > RSIP_FLOW_MICRO ||
        remote < RSIP_FLOW_MACRO || remote > RSIP_FLOW_NONE)
        return false;
    m->flow_local = local;
    m->flow_remote = remote;
    return true;
}

static bool parse_type(struct view value, uint8_t *list, uint8_t *count)
{
    uint8_t type;
    if (!rsip_u8_parse(value, &type) || type == 0 || *count == RSIP_TYPES_MAX)
        return false;
    list[(*count)++] = type;
    return true;
}

/* RSIP-097 */
static bool parse_vendor(struct view value, struct rsip_message *m)
{
    struct cursor cur = cursor_of(value);
    m->vendor_id = cursor_u16(&cur);
    m->vendor_subtype = cursor_u16(&cur);
    m->vendor = cursor_rest(&cur);
    return !cur.bad;
}

static bool parse_field(uint32_t field, struct view value, bool ports_none, struct rsip_message *m)
{
    switch (field) {
    case RSIP_F_CLIENT_ID:
        return rsip_u32_parse(value, &m->client_id);
    case RSIP_F_BIND_ID:
        return rsip_u32_parse(value, &m->bind_id);
    case RSIP_F_LOCAL_ADDR:
        return rsip_address_parse(value, &m->local);
    case RSIP_F_LOCAL_PORTS:
        return rsip_ports_parse(value, ports_none, &m->local_ports);
    case RSIP_F_REMOTE_ADDR:
        return rsip_address_parse(value, &m->remote);
    case RSIP_F_REMOTE_PORTS:
        return rsip_ports_parse(value, ports_none, &m->remote_ports);
    case RSIP_F_ENDPOINT:
        return rsip_address_parse(value, &m->endpoint);
    case RSIP_F_SPI:
        return rsip_spis_parse(value, &m->spi);
    case RSIP_F_LEASE:
        return rsip_u32_parse(value, &m->lease_s);
    case RSIP_F_TUNNEL:
        return parse_type(value, m->tunnels, &m->tunnel_count);
    case RSIP_F_METHOD:
        return parse_type(value, m->methods, &m->method_count);
    case RSIP_F_FLOW:
        return parse_flow(value, m);
    case RSIP_F_ERROR:
        return rsip_u16_parse(value, &m->error);
    case RSIP_F_COUNTER:
        return rsip_u32_parse(value, &m->counter);
    default:
        return parse_vendor(value, m);
    }
}

/* The indicator has been read; one address follows, or a network and its mask (RSIP-138). */
static enum rsip_error parse_tuple(struct view indicator, struct cursor *cur,
                                   struct rsip_message *m)
{
    unsigned last = m->type == RSIP_QUERY_REQUEST ? RSIP_TUPLE_NETWORK : RSIP_TUPLE_REMOTE_NETWORK;
    struct rsip_tuple tuple = {0};
    struct rsip_tlv tlv;

    if (!rsip_indicator_parse(indicator, &tuple.indicator) || tuple.indicator == 0 ||
        tuple.indicator > last || m->tuple_count == RSIP_TUPLES_MAX)
        return RSIP_E_BAD_PARAM;
    bool network = tuple.indicator % 2 == 0;
    struct rsip_address *const parts[] = {&tuple.address, &tuple.netmask};
    for (unsigned i = 0; i <= network; i++) {
        if (cursor_left(cur) == 0)
            return RSIP_E_MISSING_PARAM;
        if (!rsip_tlv_read(cur, &tlv))
            return RSIP_E_BAD_MESSAGE;
        if (tlv.type != RSIP_P_ADDRESS)
            return RSIP_E_MISSING_PARAM;
        if (!rsip_address_parse(tlv.value, parts[i]) || parts[i]->any ||
            (parts[i]->type == RSIP_ADDR_NETMASK) != (i == 1))
            return RSIP_E_BAD_PARAM;
    }
    /* RSIP-213: only IPv4 has a mask */
    if (network && tuple.address.type != RSIP_ADDR_V4)
        return RSIP_E_BAD_PARAM;
    m->tuples[m->tuple_count++] = tuple;
    m->present |= RSIP_F_TUPLES;
    return RSIP_OK;
}

static bool may_hold(const struct grammar *g, unsigned type)
{
    for (size_t i = 0; i < REQUIRED_MAX && g->required[i] != 0; i++)
        if (param_of(g->required[i]) == type)
            return true;
    for (uint32_t field = 1; field <= RSIP_F_VENDOR; field <<= 1)
        if ((g->optional & field) != 0 && param_of(field) == type)
            return true;
    return type == RSIP_P_VENDOR || (type == RSIP_P_ADDRESS && (g->optional & RSIP_F_TUPLES) != 0);
}

/* What is wrong with a parameter that has no place here (RSIP-152, RSIP-153, RSIP-154). */
static enum rsip_error misplaced(const struct grammar *g, unsigned type)
{
    if (!is_param(type))
        return RSIP_E_ILLEGAL_PARAM;
    return may_hold(g, type) ? RSIP_E_DUPLICATE_PARAM : RSIP_E_EXTRA_PARAM;
}

/* RSIP-100, RSIP-151 */
static enum rsip_error parse_required(const struct grammar *g, struct cursor *cur,
                                      struct rsip_message *m)
{
    struct rsip_tlv tlv;

    for (size_t i = 0; i < REQUIRED_MAX && g->required[i] != 0; i++) {
        if (cursor_left(cur) == 0)
            return RSIP_E_MISSING_PARAM;
        if (!rsip_tlv_read(cur, &tlv))
            return RSIP_E_BAD_MESSAGE;
        if (tlv.type != param_of(g->required[i]))
            return may_hold(g, tlv.type) ? RSIP_E_MISSING_PARAM : misplaced(g, tlv.type);
        if (!parse_field(g->required[i], tlv.value, g->ports_none, m))
            return RSIP_E_BAD_PARAM;
        m->present |= g->required[i];
    }
    return RSIP_OK;
}

/* The optional field that a parameter of this type can be; 0: none, or it was there already. */
static uint32_t optional_field(const struct grammar *g, unsigned type, uint32_t present)
{
    uint32_t optional = g->optional | RSIP_F_VENDOR;
    for (uint32_t field = 1; field <= RSIP_F_VENDOR; field <<= 1)
        if ((optional & field) != 0 && param_of(field) == type &&
            ((present & field) == 0 || (g->many & field) != 0))
            return field;
    return 0;
}

static enum rsip_error parse_optional(const struct grammar *g, struct cursor *cur,
                                      struct rsip_message *m)
{
    struct rsip_tlv tlv;

    while (cursor_left(cur) > 0) {
        if (!rsip_tlv_read(cur, &tlv))
            return RSIP_E_BAD_MESSAGE;
        uint32_t field = optional_field(g, tlv.type, m->present);
        if (field == 0)
            return misplaced(g, tlv.type);
        if (field == RSIP_F_TUPLES) {
            enum rsip_error error = parse_tuple(tlv.value, cur, m);
            if (error != RSIP_OK)
                return error;
            continue;
        }
        if (!parse_field(field, tlv.value, g->ports_none, m))
            return RSIP_E_BAD_PARAM;
        m->present |= field;
    }
    return RSIP_OK;
}

/* RSIP-099: one message, and nothing behind it. */
static enum rsip_error parse_message(struct view bytes, struct rsip_message *m)
{
    struct cursor cur = cursor_of(bytes);
    uint8_t version = cursor_u8(&cur), type = cursor_u8(&cur);
    size_t len = cursor_u16(&cur);

    if (cur.bad)
        return RSIP_E_BAD_MESSAGE;
    if (version != RSIP_VERSION)
        return RSIP_E_UNSUPPORTED_RSIP_VERSION;
    if (len != bytes.len || len > RSIP_MESSAGE_MAX)
        return RSIP_E_BAD_MESSAGE;
    const struct grammar *g = grammar_of(type);
    if (g == NULL)
        return RSIP_E_ILLEGAL_MESSAGE;
    memset(m, 0, sizeof(*m));
    m->type = g->type;
    enum rsip_error error = parse_required(g, &cur, m);
    return error != RSIP_OK ? error : parse_optional(g, &cur, m);
}

enum err rsip_parse(struct view bytes, struct rsip_message *ret, enum rsip_error *ret_error)
{
    struct rsip_message parsed;
    enum rsip_error error = parse_message(bytes, &parsed);

    *ret_error = error;
    if (error == RSIP_OK)
        *ret = parsed;
    if (error == RSIP_E_UNSUPPORTED_RSIP_VERSION)
        return ERR_VERSION;
    return error == RSIP_OK ? ERR_OK : ERR_SYNTAX;
}

void rsip_outline_read(struct view bytes, struct rsip_outline *ret)
{
    struct cursor cur = cursor_of(bytes);
    struct rsip_outline outline = {0};
    struct rsip_tlv tlv;

    cursor_skip(&cur, 1);
    outline.type = cursor_u8(&cur);
    cursor_skip(&cur, 2);
    outline.has_type = !cur.bad;
    while (cursor_left(&cur) > 0 && rsip_tlv_read(&cur, &tlv)) {
        if (tlv.type == RSIP_P_CLIENT_ID && !outline.has_client)
            outline.has_client = rsip_u32_parse(tlv.value, &outline.client_id);
        else if (tlv.type == RSIP_P_COUNTER && !outline.has_counter)
            outline.has_counter = rsip_u32_parse(tlv.value, &outline.counter);
    }
    *ret = outline;
}

static void build_types(struct builder *b, enum rsip_param type, const uint8_t *list, size_t count)
{
    for (size_t i = 0; i < count; i++)
        rsip_u8_build(b, type, list[i]);
}

/* RSIP-095: an indicator is sent with two octets. */
static void build_tuples(struct builder *b, const struct rsip_message *m)
{
    for (size_t i = 0; i < m->tuple_count; i++) {
        const struct rsip_tuple *tuple = &m->tuples[i];
        rsip_u16_build(b, RSIP_P_INDICATOR, tuple->indicator);
        rsip_address_build(b, &tuple->address);
        if (tuple->indicator % 2 == 0)
            rsip_address_build(b, &tuple->netmask);
    }
}

static void build_vendor(struct builder *b, const struct rsip_message *m)
{
    builder_u8(b, RSIP_P_VENDOR);
    size_t field = builder_open_u16(b), start = b->len;
    builder_u16(b, m->vendor_id);
    builder_u16(b, m->vendor_subtype);
    builder_view(b, m->vendor);
    builder_close_u16(b, field, start);
}

static void build_field(struct builder *b, uint32_t field, const struct rsip_message *m)
{
    switch (field) {
    case RSIP_F_CLIENT_ID:
        rsip_u32_build(b, RSIP_P_CLIENT_ID, m->client_id);
        break;
    case RSIP_F_BIND_ID:
        rsip_u32_build(b, RSIP_P_BIND_ID, m->bind_id);
        break;
    case RSIP_F_LOCAL_ADDR:
        rsip_address_build(b, &m->local);
        break;
    case RSIP_F_LOCAL_PORTS:
        rsip_ports_build(b, &m->local_ports);
        break;
    case RSIP_F_REMOTE_ADDR:
        rsip_address_build(b, &m->remote);
        break;
    case RSIP_F_REMOTE_PORTS:
        rsip_ports_build(b, &m->remote_ports);
        break;
    case RSIP_F_ENDPOINT:
        rsip_address_build(b, &m->endpoint);
        break;
    case RSIP_F_SPI:
        rsip_spis_build(b, &m->spi);
        break;
    case RSIP_F_LEASE:
        rsip_u32_build(b, RSIP_P_LEASE, m->lease_s);
        break;
    case RSIP_F_TUNNEL:
        build_types(b, RSIP_P_TUNNEL, m->tunnels, m->tunnel_count);
        break;
    case RSIP_F_METHOD:
        build_types(b, RSIP_P_METHOD, m->methods, m->method_count);
        break;
    case RSIP_F_FLOW:
        rsip_u16_build(b, RSIP_P_FLOW, (uint16_t)(m->flow_local << 8 | m->flow_remote));
        break;
    case RSIP_F_ERROR:
        rsip_u16_build(b, RSIP_P_ERROR, m->error);
        break;
    case RSIP_F_COUNTER:
        rsip_u32_build(b, RSIP_P_COUNTER, m->counter);
        break;
    case RSIP_F_TUPLES:
        build_tuples(b, m);
        break;
    default:
        build_vendor(b, m);
        break;
    }
}

void rsip_build(struct builder *b, const struct rsip_message *message)
{
    const struct grammar *g = grammar_of(message->type);
    size_t start = b->len;
    uint32_t required = 0;

    if (g == NULL) {
        b->bad = true;
        return;
    }
    builder_u8(b, RSIP_VERSION);
    builder_u8(b, g->type);
    size_t field = builder_open_u16(b);
    for (size_t i = 0; i < REQUIRED_MAX && g->required[i] != 0; i++) {
        b->bad |= (message->present & g->required[i]) == 0;
        build_field(b, g->required[i], message);
        required |= g->required[i];
    }
    uint32_t optional = (g->optional | RSIP_F_VENDOR) & message->present & ~required;
    for (uint32_t bit = 1; bit <= RSIP_F_VENDOR; bit <<= 1)
        if ((optional & bit) != 0)
            build_field(b, bit, message);
    builder_close_u16(b, field, start);
}

size_t rsip_stream_len(struct view head)
{
    struct cursor cur = cursor_of(head);
    cursor_skip(&cur, 2);
    size_t len = cursor_u16(&cur);
    return cur.bad || len < RSIP_HEADER || len > RSIP_MESSAGE_MAX ? 0 : len;
}

const char *rsip_type_name(unsigned type)
{
    switch (type) {
#define TYPE_NAME(name, value, text)                                                               \
    case value:                                                                                    \
        return text;
        RSIP_TYPE_LIST(TYPE_NAME)
#undef TYPE_NAME
    default:
        return NULL;
    }
}

const char *rsip_error_name(unsigned error)
{
    switch (error) {
#define ERROR_NAME(name, value)                                                                    \
    case value:                                                                                    \
        return #name;
        RSIP_ERROR_LIST(ERROR_NAME)
#undef ERROR_NAME
    default:
        return NULL;
    }
}

const char *rsip_method_name(unsigned method)
{
    static const char *const names[] = {NULL, "RSA-IP", "RSAP-IP", "RSIPSEC"};
    return method <= RSIP_METHOD_IPSEC ? names[method] : NULL;
}

const char *rsip_tunnel_name(unsigned tunnel)
{
    static const char *const names[] = {NULL, "IP-IP", "GRE", "L2TP"};
    return tunnel <= RSIP_TUNNEL_L2TP ? names[tunnel] : NULL;
}

bool rsip_type_is_request(unsigned type)
{
    return type % 2 == 0 && grammar_of(type) != NULL;
}
