/*
 * Zone-file presentation (RFC 1035 section 5.1, RFC 2535 section 7.1, RFC 4025 section 3). It shows
 * what is in the RDATA and doesn't judge keys, so that also a refused record can be shown.
 */
#include "wire/dnsrec.h"

#include "base/base64.h"
#include "base/cursor.h"

#include <stdarg.h>
#include <stdio.h>

__attribute__((format(printf, 2, 3))) static void put(struct builder *b, const char *form, ...)
{
    char text[64];
    va_list args;
    va_start(args, form);
    int len = vsnprintf(text, sizeof(text), form, args);
    va_end(args);
    if (len < 0 || (size_t)len >= sizeof(text))
        b->bad = true;
    else
        builder_bytes(b, text, (size_t)len);
}

/* Characters with a meaning in a zone file get a backslash, those that don't print become \DDD. */
static void put_escaped(struct builder *b, struct view text, const char *special)
{
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.ptr[i];
        if (c < 0x20 || c > 0x7e)
            put(b, "\\%03u", c);
        else
            put(b, strchr(special, c) != NULL ? "\\%c" : "%c", c);
    }
}

static enum err txt_present(struct cursor *cur, struct builder *b)
{
    put(b, "TXT");
    do {
        struct view string = cursor_take(cur, cursor_u8(cur));
        put(b, " \"");
        put_escaped(b, string, "\"\\");
        put(b, "\"");
    } while (!cur->bad && !cursor_done(cur));
    return cur->bad ? ERR_SHORT : ERR_OK;
}

static enum err key_present(struct cursor *cur, struct builder *b)
{
    unsigned flags = cursor_u16(cur), protocol = cursor_u8(cur), alg = cursor_u8(cur);
    if (cur->bad)
        return ERR_SHORT;
    put(b, "KEY %u %u %u ", flags, protocol, alg);
    base64_encode(b, cursor_rest(cur));
    return ERR_OK;
}

static enum err addr_present(struct cursor *cur, size_t len, struct builder *b)
{
    char text[IP_ADDR_TEXT_MAX];
    struct ip_addr addr = ip_addr_from(cursor_take(cur, len));
    put(b, "%s", ip_addr_format(&addr, text));
    return cur->bad ? ERR_SHORT : ERR_OK;
}

static enum err name_present(struct cursor *cur, struct builder *b)
{
    size_t labels = 0;
    for (size_t len; (len = cursor_u8(cur)) != 0; labels++) {
        if (len > 63)
            return ERR_SYNTAX;
        put_escaped(b, cursor_take(cur, len), "\"\\.;()@$ ");
        put(b, ".");
    }
    if (labels == 0)
        put(b, ".");
    return cur->bad ? ERR_SHORT : ERR_OK;
}

static enum err gateway_present(struct cursor *cur, unsigned type, struct builder *b)
{
    switch (type) {
    case 0:
        put(b, ".");
        return ERR_OK;
    case 1:
        return addr_present(cur, 4, b);
    case 2:
        return addr_present(cur, 16, b);
    case 3:
        return name_present(cur, b);
    default:
        return ERR_UNSUPPORTED;
    }
}

static enum err ipseckey_present(struct cursor *cur, struct builder *b)
{
    unsigned precedence = cursor_u8(cur), type = cursor_u8(cur), alg = cursor_u8(cur);
    if (cur->bad)
        return ERR_SHORT;
    put(b, "IPSECKEY %u %u %u ", precedence, type, alg);
    enum err err = gateway_present(cur, type, b);
    if (err == ERR_OK && cursor_left(cur) > 0) {
        put(b, " ");
        base64_encode(b, cursor_rest(cur));
    }
    return err;
}

enum err dnsrec_present(uint16_t type, struct view rdata, char *ret, size_t room)
{
    struct builder b = builder_on(span_of(ret, room));
    struct cursor cur = cursor_of(rdata);
    enum err err;

    switch (type) {
    case DNS_TYPE_TXT:
        err = txt_present(&cur, &b);
        break;
    case DNS_TYPE_KEY:
        err = key_present(&cur, &b);
        break;
    case DNS_TYPE_IPSECKEY:
        err = ipseckey_present(&cur, &b);
        break;
    default:
        err = ERR_UNSUPPORTED;
    }
    builder_u8(&b, '\0');
    return err == ERR_OK && b.bad ? ERR_ROOM : err;
}
