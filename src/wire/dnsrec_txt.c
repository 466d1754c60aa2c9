/*
 * The TXT delegation record (OE draft section 5.2, RFC 4322 section 5.2, RFC 1464):
 *
 *     X-IPsec-Server(P)=A.B.C.D KEY
 *     X-IPsec-Server(P)=@FQDN KEY
 */
#include "wire/dnsrec.h"

#include "base/base64.h"
#include "base/cursor.h"

#include <stdio.h>

enum {
    TXT_TEXT_MAX = 4096, /* a joined delegation, with room for blanks in its key */
    TXT_STRING_MAX = 255,
    PRECEDENCE_DIGITS = 5,
};

static const char attribute_name[] = "X-IPsec-Server";

/* OE-150: character-strings are joined before parsing. False: they don't fit, or one is cut short;
 * what was joined until then is still in *text. */
static bool strings_join(struct view rdata, struct builder *text)
{
    struct cursor cur = cursor_of(rdata);
    while (!cursor_done(&cur)) {
        struct view string = cursor_take(&cur, cursor_u8(&cur));
        if (cur.bad || text->cap - text->len < string.len)
            return false;
        builder_view(text, string);
    }
    return true;
}

/* OE-149 */
static bool is_space(uint8_t c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static void skip_space(struct cursor *cur)
{
    while (cursor_left(cur) > 0 && is_space(*cur->at))
        cur->at++;
}

/* Takes the character if it is the next one after any blanks. */
static bool accept(struct cursor *cur, uint8_t c)
{
    skip_space(cur);
    if (cursor_left(cur) == 0 || *cur->at != c)
        return false;
    cur->at++;
    return true;
}

static uint8_t lower(uint8_t c)
{
    return c >= 'A' && c <= 'Z' ? (uint8_t)(c + ('a' - 'A')) : c;
}

/* RFC 1464: a record without an '=' that no '`' quotes carries no attribute. */
static bool has_value(struct view text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] == '=')
            return true;
        if (text.ptr[i] == '`')
            i++;
    }
    return false;
}

/* OE-141, OE-142: moves past the attribute's name, compared without case. False: another attribute,
 * or none, so not ours. A name of ours with a broken precedence still is ours. */
static bool accept_name(struct cursor *cur)
{
    size_t len = strlen(attribute_name);
    skip_space(cur);
    struct view name = cursor_take(cur, len);
    for (size_t i = 0; i < name.len; i++)
        if (lower(name.ptr[i]) != lower((uint8_t)attribute_name[i]))
            return false;
    return !cur->bad && cursor_left(cur) > 0 &&
           (is_space(*cur->at) || *cur->at == '(' || *cur->at == '=');
}

/* "(P)=" with P from 0 to 65535 (OE-144). */
static enum err precedence_parse(struct cursor *cur, uint16_t *ret)
{
    uint32_t value = 0;
    unsigned digits = 0;

    if (!accept(cur, '('))
        return ERR_SYNTAX;
    skip_space(cur);
    for (; cursor_left(cur) > 0 && *cur->at >= '0' && *cur->at <= '9'; cur->at++) {
        if (++digits > PRECEDENCE_DIGITS)
            return ERR_VALUE;
        value = 10 * value + (uint32_t)(*cur->at - '0');
    }
    if (digits == 0 || !accept(cur, ')') || !accept(cur, '='))
        return ERR_SYNTAX;
    if (value > UINT16_MAX)
        return ERR_VALUE;
    *ret = (uint16_t)value;
    return ERR_OK;
}

/* An IPv4 or IPv6 literal, or '@' and a name (OE-140, OE-146, OE-148). */
static enum err gateway_parse(struct cursor *cur, struct identity *ret)
{
    skip_space(cur);
    const uint8_t *start = cur->at;
    while (cursor_left(cur) > 0 && !is_space(*cur->at))
        cur->at++;
    struct view word = view_of(start, (size_t)(cur->at - start));

    if (word.len > 0 && word.ptr[0] == '@')
        return identity_of_fqdn(view_of(word.ptr + 1, word.len - 1), ret) ? ERR_OK : ERR_VALUE;

    char literal[IP_ADDR_TEXT_MAX] = "";
    struct ip_addr addr;
    if (word.len == 0 || word.len >= sizeof(literal) || memchr(word.ptr, 0, word.len) != NULL)
        return ERR_SYNTAX;
    memcpy(literal, word.ptr, word.len);
    if (!ip_addr_parse(literal, &addr))
        return ERR_SYNTAX;
    *ret = identity_of_addr(&addr);
    return ERR_OK;
}

/* At most one key (OE-155), with blanks anywhere in it (OE-151); none: to be looked up (OE-145). */
static enum err key_parse(struct cursor *cur, struct public_key *ret)
{
    uint8_t octets[LIMIT_KEY_OCTETS];
    size_t len;

    skip_space(cur);
    struct view text = cursor_rest(cur);
    if (text.len == 0)
        return ERR_OK;
    if (!base64_decode(text, span_of(octets, sizeof(octets)), &len))
        return ERR_SYNTAX;
    return public_key_from_rfc3110(view_of(octets, len), ret);
}

enum err dnsrec_txt_parse(struct view rdata, struct dnsrec_gateway *ret)
{
    uint8_t text[TXT_TEXT_MAX];
    struct builder joined = builder_on(span_of(text, sizeof(text)));
    bool whole = strings_join(rdata, &joined);
    struct cursor cur = cursor_of(builder_written(&joined));
    struct dnsrec_gateway gw = {0};

    if (!has_value(builder_written(&joined)) || !accept_name(&cur))
        return ERR_UNKNOWN;
    if (!whole)
        return ERR_SYNTAX;
    enum err err = precedence_parse(&cur, &gw.precedence);
    if (err == ERR_OK)
        err = gateway_parse(&cur, &gw.gateway);
    if (err == ERR_OK)
        err = key_parse(&cur, &gw.key);
    if (err == ERR_OK)
        *ret = gw;
    return err;
}

enum err dnsrec_txt_build(const struct dnsrec_gateway *gw, struct span room, size_t *ret_len)
{
    uint8_t octets[TXT_TEXT_MAX];
    char name[IDENTITY_TEXT_MAX], head[sizeof(attribute_name) + 16 + IDENTITY_TEXT_MAX];
    struct builder text = builder_on(span_of(octets, sizeof(octets)));

    /* OE-138: the key is in RFC 3110 form. */
    if (gw->gateway.kind == IDENTITY_NONE || (gw->key.alg != KEY_NONE && gw->key.alg != KEY_RSA))
        return ERR_VALUE;
    snprintf(head, sizeof(head), "%s(%u)=%s", attribute_name, gw->precedence,
             identity_format(&gw->gateway, name));
    builder_view(&text, view_of_text(head));
    if (gw->key.alg != KEY_NONE) {
        builder_u8(&text, ' ');
        base64_encode(&text, view_of(gw->key.octets, gw->key.len));
    }

    struct cursor cur = cursor_of(builder_written(&text));
    struct builder out = builder_on(room);
    while (cursor_left(&cur) > 0) {
        size_t len = cursor_left(&cur) < TXT_STRING_MAX ? cursor_left(&cur) : TXT_STRING_MAX;
        builder_u8(&out, (uint8_t)len);
        builder_view(&out, cursor_take(&cur, len));
    }
    if (text.bad || out.bad)
        return ERR_ROOM;
    *ret_len = out.len;
    return ERR_OK;
}
