#include "daemon/ipc.h"

#include "base/builder.h"
#include "base/cursor.h"

static void build_answer(struct builder *b, const struct dns_answer *answer)
{
    size_t why_len = strnlen(answer->why, sizeof(answer->why) - 1);

    builder_u8(b, (uint8_t)answer->status);
    builder_u8(b, answer->secure);
    builder_u32(b, answer->ttl_s);
    builder_u8(b, (uint8_t)why_len);
    builder_bytes(b, answer->why, why_len);
    builder_u8(b, (uint8_t)answer->count);
    for (size_t i = 0; i < answer->count; i++) {
        size_t field = builder_open_u16(b);
        size_t start = b->len;
        builder_view(b, answer->rdata[i]);
        builder_close_u16(b, field, start);
    }
}

static void build_keys(struct builder *b, const struct ipc_message *message)
{
    builder_u8(b, message->key_count);
    for (size_t i = 0; i < message->key_count; i++) {
        const struct public_key *key = &message->keys[i];
        builder_u8(b, key->alg);
        builder_u16(b, key->len);
        builder_bytes(b, key->octets, key->len);
    }
}

static bool within_limits(const struct ipc_message *message)
{
    if (message->kind == IPC_NAME && message->address.family == IP_NONE)
        return false;
    if (message->kind == IPC_QUERY || message->kind == IPC_NAME)
        return memchr(message->name, '\0', sizeof(message->name)) != NULL;
    if (message->kind == IPC_ANSWER)
        return message->answer.count <= LIMIT_DNS_RECORDS;
    if (message->kind != IPC_HELLO)
        return true;
    if (message->key_count > IPC_KEYS)
        return false;
    for (size_t i = 0; i < message->key_count; i++)
        if (message->keys[i].len > LIMIT_KEY_OCTETS)
            return false;
    return true;
}

size_t ipc_build(const struct ipc_message *message, struct span room)
{
    if (!within_limits(message))
        return 0;
    struct builder b = builder_on(room);
    builder_u8(&b, (uint8_t)message->kind);
    if (message->kind != IPC_HELLO)
        builder_u64(&b, message->serial);

    switch (message->kind) {
    case IPC_QUERY:
        builder_u16(&b, message->type);
        builder_bytes(&b, message->name, strlen(message->name));
        break;
    case IPC_CANCEL:
        break;
    case IPC_ANSWER:
        build_answer(&b, &message->answer);
        break;
    case IPC_HELLO:
        build_keys(&b, message);
        break;
    case IPC_SIGN:
        builder_u8(&b, message->key);
        builder_u8(&b, message->scheme);
        builder_view(&b, message->octets);
        break;
    case IPC_DECRYPT:
        builder_u8(&b, message->key);
        builder_view(&b, message->octets);
        break;
    case IPC_SIGNED:
    case IPC_DECRYPTED:
        builder_u8(&b, message->ok);
        builder_view(&b, message->octets);
        break;
    case IPC_NAME:
        builder_u32(&b, message->ttl_s);
        builder_u8(&b, (uint8_t)ip_addr_len(&message->address));
        builder_view(&b, ip_addr_view(&message->address));
        builder_bytes(&b, message->name, strlen(message->name));
        break;
    default:
        return 0;
    }
    return b.bad ? 0 : b.len;
}

static bool parse_bool(struct cursor *cur)
{
    uint8_t value = cursor_u8(cur);
    if (value > 1)
        cur->bad = true;
    return value == 1;
}

static void parse_name(struct cursor *cur, char ret[LIMIT_DNS_NAME])
{
    struct view name = cursor_rest(cur);
    if (name.len == 0 || name.len >= LIMIT_DNS_NAME || memchr(name.ptr, '\0', name.len) != NULL) {
        cur->bad = true;
        return;
    }
    memcpy(ret, name.ptr, name.len);
}

static void parse_address(struct cursor *cur, struct ip_addr *ret)
{
    *ret = ip_addr_from(cursor_take(cur, cursor_u8(cur)));
    if (ret->family == IP_NONE)
        cur->bad = true;
}

static void parse_answer(struct cursor *cur, struct dns_answer *ret)
{
    uint8_t status = cursor_u8(cur);
    if (status > DNS_TIMEOUT)
        cur->bad = true;
    ret->status = (enum dns_status)status;
    ret->secure = parse_bool(cur);
    ret->ttl_s = cursor_u32(cur);

    struct view why = cursor_take(cur, cursor_u8(cur));
    if (why.len >= sizeof(ret->why))
        cur->bad = true;
    else if (why.len > 0)
        memcpy(ret->why, why.ptr, why.len);

    ret->count = cursor_u8(cur);
    if (ret->count > LIMIT_DNS_RECORDS) {
        cur->bad = true;
        return;
    }
    for (size_t i = 0; i < ret->count; i++)
        ret->rdata[i] = cursor_take(cur, cursor_u16(cur));
}

static void parse_keys(struct cursor *cur, struct ipc_message *ret)
{
    ret->key_count = cursor_u8(cur);
    if (ret->key_count > IPC_KEYS) {
        cur->bad = true;
        return;
    }
    for (size_t i = 0; i < ret->key_count; i++) {
        struct public_key *key = &ret->keys[i];
        key->alg = cursor_u8(cur);
        key->len = cursor_u16(cur);
        if (key->len > sizeof(key->octets)) {
            cur->bad = true;
            return;
        }
        cursor_copy(cur, key->octets, key->len);
    }
}

enum err ipc_parse(struct view bytes, struct ipc_message *ret)
{
    struct cursor cur = cursor_of(bytes);
    struct ipc_message message = {.kind = (enum ipc_kind)cursor_u8(&cur)};

    if (message.kind != IPC_HELLO)
        message.serial = cursor_u64(&cur);
    switch (message.kind) {
    case IPC_QUERY:
        message.type = cursor_u16(&cur);
        parse_name(&cur, message.name);
        break;
    case IPC_CANCEL:
        break;
    case IPC_ANSWER:
        parse_answer(&cur, &message.answer);
        break;
    case IPC_HELLO:
        parse_keys(&cur, &message);
        break;
    case IPC_SIGN:
        message.key = cursor_u8(&cur);
        message.scheme = cursor_u8(&cur);
        message.octets = cursor_rest(&cur);
        break;
    case IPC_DECRYPT:
        message.key = cursor_u8(&cur);
        message.octets = cursor_rest(&cur);
        break;
    case IPC_SIGNED:
    case IPC_DECRYPTED:
        message.ok = parse_bool(&cur);
        message.octets = cursor_rest(&cur);
        break;
    case IPC_NAME:
        message.ttl_s = cursor_u32(&cur);
        parse_address(&cur, &message.address);
        parse_name(&cur, message.name);
        break;
    default:
        return ERR_UNSUPPORTED;
    }
    if (cur.bad)
        return ERR_SYNTAX;
    if (!cursor_done(&cur))
        return ERR_TRAILING;
    *ret = message;
    return ERR_OK;
}
