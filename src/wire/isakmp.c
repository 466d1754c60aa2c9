#include "wire/isakmp.h"

enum { GENERIC_HEADER_LEN = 4, NEXT_PAYLOAD_AT = 16, LENGTH_AT = 24 };

const char *isakmp_payload_name(uint8_t type)
{
    static const char *const names[] = {
        [ISAKMP_P_NONE] = "NONE",     [ISAKMP_P_SA] = "SA",       [ISAKMP_P_PROPOSAL] = "P",
        [ISAKMP_P_TRANSFORM] = "T",   [ISAKMP_P_KE] = "KE",       [ISAKMP_P_ID] = "ID",
        [ISAKMP_P_CERT] = "CERT",     [ISAKMP_P_CR] = "CR",       [ISAKMP_P_HASH] = "HASH",
        [ISAKMP_P_SIG] = "SIG",       [ISAKMP_P_NONCE] = "NONCE", [ISAKMP_P_N] = "N",
        [ISAKMP_P_D] = "D",           [ISAKMP_P_VID] = "VID",     [ISAKMP_P_NAT_D] = "NAT-D",
        [ISAKMP_P_NAT_OA] = "NAT-OA",
    };
    if (type >= sizeof(names) / sizeof(names[0]) || names[type] == NULL)
        return "?";
    return names[type];
}

/* RFC 2408 section 3.1 */
enum err isakmp_header_parse(struct view datagram, struct isakmp_header *ret)
{
    struct cursor cur = cursor_of(datagram);
    struct isakmp_header h;

    cursor_copy(&cur, h.cookie_i, sizeof(h.cookie_i));
    cursor_copy(&cur, h.cookie_r, sizeof(h.cookie_r));
    h.next_payload = cursor_u8(&cur);
    h.version = cursor_u8(&cur);
    h.exchange = cursor_u8(&cur);
    h.flags = cursor_u8(&cur);
    h.msgid.value = cursor_u32(&cur);
    h.len = cursor_u32(&cur);
    if (cur.bad)
        return ERR_SHORT;
    if (h.version >> 4 != ISAKMP_VERSION_1 >> 4)
        return ERR_VERSION;
    if (h.len != datagram.len)
        return ERR_SYNTAX;
    *ret = h;
    return ERR_OK;
}

/* Reads one payload and leaves the type of the next one in *next. RESERVED is not looked at: RFC
 * 2408 section 5.3 lets a receiver check it, but peers are known that don't clear it. */
static enum err payload_parse(struct cursor *cur, uint8_t *next, struct isakmp_payload *ret)
{
    const uint8_t *start = cur->at;

    ret->type = *next;
    *next = cursor_u8(cur);
    cursor_skip(cur, 1);
    size_t len = cursor_u16(cur);
    if (cur->bad)
        return ERR_SHORT;
    if (len < GENERIC_HEADER_LEN)
        return ERR_SYNTAX;
    ret->body = cursor_take(cur, len - GENERIC_HEADER_LEN);
    if (cur->bad)
        return ERR_SHORT;
    ret->whole = view_of(start, len);
    return ERR_OK;
}

/* libreswan fills a message in the clear up to a multiple of four octets. */
static bool only_alignment(struct view text, struct cursor *rest)
{
    size_t left = cursor_left(rest);
    bool zero = left == 0 || (text.len % 4 == 0 && left < 4);

    while (zero && left-- > 0)
        zero = cursor_u8(rest) == 0;
    return zero;
}

enum err isakmp_payloads_parse(uint8_t first, struct view text, bool padded,
                               struct isakmp_payloads *ret)
{
    struct cursor cur = cursor_of(text);
    struct isakmp_payloads all = {0};
    uint8_t next = first;

    while (next != ISAKMP_P_NONE) {
        if (all.count == LIMIT_IKE_PAYLOADS)
            return ERR_LIMIT;
        enum err err = payload_parse(&cur, &next, &all.list[all.count]);
        if (err != ERR_OK)
            return err;
        all.count++;
    }
    all.octets = text.len - cursor_left(&cur);
    if (!padded && !only_alignment(text, &cur))
        return ERR_TRAILING;
    *ret = all;
    return ERR_OK;
}

const struct isakmp_payload *isakmp_payload_find(const struct isakmp_payloads *all, uint8_t type,
                                                 size_t nth)
{
    for (size_t i = 0; i < all->count; i++)
        if (all->list[i].type == type && nth-- == 0)
            return &all->list[i];
    return NULL;
}

void isakmp_writer_start(struct isakmp_writer *w, struct span room, const struct isakmp_header *h)
{
    *w = (struct isakmp_writer){.b = builder_on(room), .next_field = NEXT_PAYLOAD_AT};
    builder_bytes(&w->b, h->cookie_i, sizeof(h->cookie_i));
    builder_bytes(&w->b, h->cookie_r, sizeof(h->cookie_r));
    builder_u8(&w->b, h->next_payload);
    builder_u8(&w->b, h->version);
    builder_u8(&w->b, h->exchange);
    builder_u8(&w->b, h->flags);
    builder_u32(&w->b, h->msgid.value);
    builder_u32(&w->b, 0);
}

void isakmp_writer_open(struct isakmp_writer *w, uint8_t type)
{
    builder_patch_u8(&w->b, w->next_field, type);
    w->payload = w->b.len;
    w->next_field = w->payload;
    builder_u8(&w->b, ISAKMP_P_NONE);
    builder_u8(&w->b, 0);
    builder_u16(&w->b, 0);
}

void isakmp_writer_close(struct isakmp_writer *w)
{
    builder_close_u16(&w->b, w->payload + 2, w->payload);
}

void isakmp_writer_payload(struct isakmp_writer *w, uint8_t type, struct view body)
{
    isakmp_writer_open(w, type);
    builder_view(&w->b, body);
    isakmp_writer_close(w);
}

struct view isakmp_writer_finish(struct isakmp_writer *w, size_t block)
{
    if (!w->b.bad && block > 1)
        builder_align(&w->b, ISAKMP_HEADER_LEN, block);
    builder_patch_u32(&w->b, LENGTH_AT, (uint32_t)w->b.len);
    return builder_written(&w->b);
}
