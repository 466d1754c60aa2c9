#include "wire/pfkey.h"

#include "wire/pfkey_ext.h"

enum {
    PFKEY_VERSION = 2,
    PFKEY_HEADER_LEN = 16,
    PFKEY_UNIT = 8, /* lengths count 64-bit words */
    PFKEY_EXT_HEADER_LEN = 4,
    PFKEY_EXT_TYPES = 128, /* above the largest known */
};

#define HAS(name) PFKEY_HAS_##name
#define HAS_USE (HAS(LAST_USE) | HAS(COUNTS))
#define HAS_SA_CONTEXT (HAS(FLOW) | HAS(PEER) | HAS(TICKET))
#define HAS_POLICY (HAS(FLOW) | HAS(VERDICT) | HAS(SA) | HAS(PEER) | HAS(TICKET) | HAS_USE)

/*
 * What a message of each type must and may carry (RFC 2367 section 3.1). A request and its answer
 * share a row, so what only a request must have is for its receiver to check.
 */
struct type_row {
    const char *name;
    uint32_t required, optional;
};

static const struct type_row types[] = {
    [PFKEY_GETSPI] = {"GETSPI", HAS(SA), HAS(SPI_RANGE) | HAS_SA_CONTEXT},
    [PFKEY_UPDATE] = {"UPDATE", HAS(SA), HAS(KEYS) | HAS_SA_CONTEXT | HAS(NEW_ENDS)},
    [PFKEY_ADD] = {"ADD", HAS(SA), HAS(KEYS) | HAS_SA_CONTEXT},
    [PFKEY_DELETE] = {"DELETE", HAS(SA), HAS_USE | HAS_SA_CONTEXT},
    [PFKEY_GET] = {"GET", HAS(SA), HAS_USE | HAS_SA_CONTEXT},
    [PFKEY_ACQUIRE] = {"ACQUIRE", HAS(FLOW), HAS(SA) | HAS(PEER) | HAS(TICKET) | HAS(VERDICT)},
    [PFKEY_REGISTER] = {"REGISTER", 0, 0},
    [PFKEY_EXPIRE] = {"EXPIRE", HAS(SA), HAS(EXPIRE_HARD) | HAS_USE | HAS_SA_CONTEXT},
    [PFKEY_FLUSH] = {"FLUSH", 0, 0},
    [PFKEY_DUMP] = {"DUMP", 0, HAS(SA) | HAS_USE | HAS_SA_CONTEXT | HAS(END)},
    [PFKEY_X_PROMISC] = {"PROMISC", 0, 0},
    [PFKEY_X_POLICY_SET] = {"POLICY_SET", HAS(FLOW) | HAS(VERDICT), HAS_POLICY},
    [PFKEY_X_POLICY_DELETE] = {"POLICY_DELETE", HAS(FLOW), HAS_POLICY},
    [PFKEY_X_POLICY_GET] = {"POLICY_GET", HAS(FLOW), HAS_POLICY},
    [PFKEY_X_POLICY_DUMP] = {"POLICY_DUMP", 0, HAS_POLICY | HAS(END)},
    [PFKEY_X_TRACE] = {"TRACE", HAS(TRACE), HAS_POLICY},
    [PFKEY_X_UNKNOWN_SPI] = {"UNKNOWN_SPI", HAS(SA) | HAS(PEER), HAS(TICKET)},
    [PFKEY_X_NEW_MAPPING] = {"NEW_MAPPING", HAS(SA) | HAS(PEER) | HAS(TICKET), 0},
    [PFKEY_X_RULE_SET] = {"RULE_SET", HAS(TICKET), HAS(SA) | HAS(VERDICT) | HAS(PEER)},
    [PFKEY_X_RULE_DELETE] = {"RULE_DELETE", HAS(TICKET), 0},
    [PFKEY_X_RULE_SWEEP] = {"RULE_SWEEP", 0, 0},
    [PFKEY_X_ADDUPD] = {"ADDUPD", HAS(SA) | HAS(NEW_ENDS), HAS(TICKET)}, /* ADR-102 */
    [PFKEY_X_COUNTERS] = {"COUNTERS", 0, HAS(COUNTER) | HAS(END)},
};

static const struct type_row *type_row(uint8_t type)
{
    if (type >= sizeof(types) / sizeof(types[0]) || types[type].name == NULL)
        return NULL;
    return &types[type];
}

const char *pfkey_type_name(uint8_t type)
{
    const struct type_row *row = type_row(type);
    return row != NULL ? row->name : "?";
}

const char *pfkey_verdict_name(uint8_t verdict)
{
    static const char *const names[] = {
        [PFKEY_VERDICT_NONE] = "none",       [PFKEY_VERDICT_HOLD] = "hold",
        [PFKEY_VERDICT_PASS] = "pass",       [PFKEY_VERDICT_DENY] = "deny",
        [PFKEY_VERDICT_ENCRYPT] = "encrypt",
    };
    return verdict < sizeof(names) / sizeof(names[0]) ? names[verdict] : "?";
}

/* An error answer and the end of a dump carry nothing else. */
static enum err check_has(const struct pfkey_message *m)
{
    const struct type_row *row = type_row(m->type);
    if (row == NULL)
        return ERR_UNSUPPORTED;
    if (m->has & ~(row->required | row->optional))
        return ERR_UNEXPECTED;
    if (m->error == 0 && (m->has & row->required) != row->required)
        return ERR_MISSING;
    return ERR_OK;
}

static enum err check_flow(const struct pfkey_message *m)
{
    if (!(m->has & PFKEY_HAS_FLOW))
        return ERR_OK;
    if (m->flow.src.family == IP_NONE || m->flow.dst.family == IP_NONE)
        return ERR_MISSING;
    return m->flow.src.family == m->flow.dst.family ? ERR_OK : ERR_VALUE;
}

/* RFC 2367 section 2.1: the type of an SA is in the header. */
static enum err check_sa(const struct pfkey_message *m)
{
    const struct sa_params *sa = &m->sa;
    if (!(m->has & PFKEY_HAS_SA))
        return ERR_OK;
    bool ah = m->satype == PFKEY_SATYPE_AH;
    if (sa->interface > SA_CONFIGURED || sa->suite.cipher >= ESP_CIPHER_COUNT ||
        sa->suite.auth >= ESP_AUTH_COUNT || sa->suite.protocol != (ah ? SA_AH : SA_ESP))
        return ERR_VALUE;
    return ERR_OK;
}

/* An authentication key comes beside a cipher key, or with AH instead of one. */
static bool keys_fit(const struct pfkey_message *m)
{
    const struct sa_params *sa = &m->sa;
    bool ah = m->satype == PFKEY_SATYPE_AH;
    if (!(m->has & PFKEY_HAS_KEYS))
        return true;
    if (ah ? sa->cipher_key_len != 0 || sa->auth_key_len == 0 : sa->cipher_key_len == 0)
        return false;
    return sa->cipher_key_len <= SA_KEY_MAX && sa->auth_key_len <= SA_AUTH_KEY_MAX;
}

/* ADR-101, ADR-102: both ends of an SA, or at least one that somebody asks for. */
static bool new_ends_fit(const struct pfkey_message *m)
{
    const struct ip_endpoint *src = &m->new_src, *dst = &m->new_dst;
    bool whole = src->addr.family != IP_NONE && src->addr.family == dst->addr.family;
    if (m->type != PFKEY_X_ADDUPD)
        return whole && (src->port == 0) == (dst->port == 0);
    if (m->sa.inbound || src->port != 0 || dst->port != 0)
        return false;
    return whole || (src->addr.family == IP_NONE) != (dst->addr.family == IP_NONE);
}

/* Values that no message may have, and that two extensions only show together. */
static enum err check_values(const struct pfkey_message *m)
{
    const struct sa_params *sa = &m->sa;
    enum err err = check_sa(m);
    if (err != ERR_OK)
        return err;
    if (m->verdict > PFKEY_VERDICT_ENCRYPT || m->trace > PFKEY_TRACE_SECOND_OUT)
        return ERR_VALUE;
    if (m->spi_min > m->spi_max || m->idle_ms < -1)
        return ERR_VALUE;
    if ((m->has & PFKEY_HAS_PEER) && m->peer.family == IP_NONE)
        return ERR_VALUE;
    if ((m->has & PFKEY_HAS_NEW_ENDS) && !new_ends_fit(m))
        return ERR_VALUE;
    if ((m->has & PFKEY_HAS_SA) && sa->protocol != 0 &&
        (sa->src_ports.first > sa->src_ports.last || sa->dst_ports.first > sa->dst_ports.last))
        return ERR_VALUE;
    return keys_fit(m) ? ERR_OK : ERR_VALUE;
}

/* One extension: `cur` is at its length field. */
static enum err read_ext(struct cursor *cur, struct pfkey_message *m, bool *seen)
{
    uint16_t words, type;
    struct cursor header = *cur;
    cursor_copy(&header, &words, sizeof(words));
    cursor_copy(&header, &type, sizeof(type));
    if (header.bad || words == 0)
        return ERR_SYNTAX;
    struct cursor ext = cursor_sub(cur, (size_t)words * PFKEY_UNIT);
    if (ext.bad)
        return ERR_SYNTAX;
    const struct pfkey_ext *row = pfkey_ext_find(type);
    if (row == NULL)
        return ERR_OK;
    if (seen[type])
        return ERR_REPEATED;
    seen[type] = true;
    cursor_skip(&ext, PFKEY_EXT_HEADER_LEN);
    enum err err = row->read(&ext, m);
    if (ext.bad)
        return ERR_SYNTAX;
    if (err == ERR_OK && cursor_left(&ext) >= PFKEY_UNIT)
        err = ERR_SYNTAX;
    m->has |= row->has;
    return err;
}

static enum err read_header(struct cursor *cur, size_t len, struct pfkey_message *m)
{
    uint8_t version = cursor_u8(cur);
    m->type = cursor_u8(cur);
    m->error = cursor_u8(cur);
    m->satype = cursor_u8(cur);
    uint16_t words;
    cursor_copy(cur, &words, sizeof(words));
    cursor_skip(cur, 2);
    cursor_copy(cur, &m->seq, sizeof(m->seq));
    cursor_copy(cur, &m->pid, sizeof(m->pid));
    if (cur->bad)
        return ERR_SHORT;
    if (version != PFKEY_VERSION)
        return ERR_VERSION;
    if ((size_t)words * PFKEY_UNIT != len)
        return ERR_SYNTAX;
    return type_row(m->type) != NULL ? ERR_OK : ERR_UNSUPPORTED;
}

enum err pfkey_parse(struct view bytes, struct pfkey_message *ret)
{
    struct pfkey_message m = {0};
    bool seen[PFKEY_EXT_TYPES] = {false};
    struct cursor cur = cursor_of(bytes);

    enum err err = read_header(&cur, bytes.len, &m);
    while (err == ERR_OK && cursor_left(&cur) > 0)
        err = read_ext(&cur, &m, seen);
    m.sa.suite.protocol = m.satype == PFKEY_SATYPE_AH ? SA_AH : SA_ESP;
    if (err == ERR_OK)
        err = check_has(&m);
    if (err == ERR_OK)
        err = check_flow(&m);
    if (err == ERR_OK)
        err = check_values(&m);
    if (err == ERR_OK)
        *ret = m;
    pfkey_message_wipe(&m);
    return err;
}

static void write_ext(struct builder *b, const struct pfkey_ext *ext, const struct pfkey_message *m)
{
    size_t start = b->len;
    uint16_t header[2] = {0, ext->type};
    builder_bytes(b, header, sizeof(header));
    ext->write(b, m);
    if (b->bad)
        return;
    if (b->len == start + PFKEY_EXT_HEADER_LEN) {
        b->len = start;
        return;
    }
    builder_align(b, start, PFKEY_UNIT);
    if (b->bad)
        return;
    uint16_t words = (uint16_t)((b->len - start) / PFKEY_UNIT);
    memcpy(b->base + start, &words, sizeof(words));
}

static void write_header(struct builder *b, const struct pfkey_message *m)
{
    builder_u8(b, PFKEY_VERSION);
    builder_u8(b, m->type);
    builder_u8(b, m->error);
    builder_u8(b, m->satype);
    builder_fill(b, 0, 4); /* length, reserved */
    builder_bytes(b, &m->seq, sizeof(m->seq));
    builder_bytes(b, &m->pid, sizeof(m->pid));
}

enum err pfkey_build(const struct pfkey_message *message, struct span room, size_t *ret_len)
{
    enum err err = check_has(message);
    if (err == ERR_OK)
        err = check_flow(message);
    if (err == ERR_OK)
        err = check_values(message);
    if (err != ERR_OK)
        return err;

    size_t count;
    const struct pfkey_ext *ext = pfkey_exts(&count);
    struct builder b = builder_on(room);
    write_header(&b, message);
    for (size_t i = 0; i < count; i++)
        if (message->has & ext[i].has)
            write_ext(&b, &ext[i], message);
    if (b.bad)
        return ERR_ROOM;
    uint16_t words = (uint16_t)(b.len / PFKEY_UNIT);
    memcpy(b.base + 4, &words, sizeof(words));
    *ret_len = b.len;
    return ERR_OK;
}
