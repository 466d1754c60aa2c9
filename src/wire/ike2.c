#include "wire/ike2.h"

enum { GENERIC_HEADER_LEN = 4, CRITICAL = 0x80, NEXT_PAYLOAD_AT = 16, LENGTH_AT = 24 };

enum err ike2_header_parse(struct view datagram, struct ike2_header *ret)
{
    struct cursor cur = cursor_of(datagram);
    struct ike2_header h;

    cursor_copy(&cur, h.spi_i, sizeof(h.spi_i));
    cursor_copy(&cur, h.spi_r, sizeof(h.spi_r));
    h.next_payload = cursor_u8(&cur);
    h.version = cursor_u8(&cur);
    h.exchange = cursor_u8(&cur);
    h.flags = cursor_u8(&cur);
    h.message_id = cursor_u32(&cur);
    h.len = cursor_u32(&cur);
    if (cur.bad)
        return ERR_SHORT;
    if (h.version >> 4 != IKE2_VERSION >> 4)
        return ERR_VERSION;
    if (h.len != datagram.len)
        return ERR_SYNTAX;
    *ret = h;
    return ERR_OK;
}

static bool ends_chain(uint8_t type)
{
    return type == IKE2_P_SK || type == IKE2_P_SKF;
}

static bool is_known(uint8_t type, uint8_t agreed)
{
    return type == agreed || (type >= IKE2_P_SA && type <= IKE2_P_EAP) || type == IKE2_P_SKF || type == IKE2_P_PS;
}

/* Reads one payload of the given type. The reserved bits are not looked at (section 3.2). */
static enum err payload_parse(struct cursor *cur, uint8_t type, struct ike2_payload *ret,
                              bool *ret_critical)
{
    const uint8_t *start = cur->at;
    struct ike2_payload payload = {.type = type, .next = cursor_u8(cur)};
    *ret_critical = (cursor_u8(cur) & CRITICAL) != 0;
    size_t len = cursor_u16(cur);

    if (cur->bad)
        return ERR_SHORT;
    if (len < GENERIC_HEADER_LEN)
        return ERR_SYNTAX;
    payload.body = cursor_take(cur, len - GENERIC_HEADER_LEN);
    if (cur->bad)
        return ERR_SHORT;
    payload.whole = view_of(start, len);
    *ret = payload;
    return ERR_OK;
}

enum err ike2_payloads_parse(uint8_t first, struct view text, struct ike2_payloads *ret,
                             uint8_t *ret_critical)
{
    return ike2_payloads_parse_with(first, text, IKE2_P_NONE, ret, ret_critical);
}

enum err ike2_payloads_parse_with(uint8_t first, struct view text, uint8_t agreed,
                                  struct ike2_payloads *ret, uint8_t *ret_critical)
{
    struct cursor cur = cursor_of(text);
    struct ike2_payloads all = {0};
    uint8_t next = first;
    uint8_t refused = IKE2_P_NONE;

    while (next != IKE2_P_NONE) {
        struct ike2_payload payload;
        bool critical;
        enum err err = payload_parse(&cur, next, &payload, &critical);
        if (err != ERR_OK)
            return err;
        if (all.count + all.skipped == LIMIT_IKE_PAYLOADS)
            return ERR_LIMIT;
        if (is_known(next, agreed))
            all.list[all.count++] = payload; /* the critical bit means nothing here */
        else
            all.skipped++;
        if (!is_known(next, agreed) && critical && refused == IKE2_P_NONE)
            refused = next;
        next = ends_chain(next) ? IKE2_P_NONE : payload.next;
    }
    if (!cursor_done(&cur))
        return ERR_TRAILING;
    if (refused != IKE2_P_NONE) {
        *ret_critical = refused;
        return ERR_UNSUPPORTED;
    }
    *ret = all;
    return ERR_OK;
}

const struct ike2_payload *ike2_payload_find(const struct ike2_payloads *all, uint8_t type,
                                             size_t nth)
{
    for (size_t i = 0; i < all->count; i++)
        if (all->list[i].type == type && nth-- == 0)
            return &all->list[i];
    return NULL;
}

size_t ike2_payload_count(const struct ike2_payloads *all, uint8_t type)
{
    size_t count = 0;
    for (size_t i = 0; i < all->count; i++)
        count += all->list[i].type == type;
    return count;
}

void ike2_writer_start(struct ike2_writer *w, struct span room, const struct ike2_header *h)
{
    *w = (struct ike2_writer){.b = builder_on(room), .next_field = NEXT_PAYLOAD_AT};
    builder_bytes(&w->b, h->spi_i, sizeof(h->spi_i));
    builder_bytes(&w->b, h->spi_r, sizeof(h->spi_r));
    builder_u8(&w->b, IKE2_P_NONE);
    builder_u8(&w->b, h->version);
    builder_u8(&w->b, h->exchange);
    builder_u8(&w->b, h->flags);
    builder_u32(&w->b, h->message_id);
    builder_u32(&w->b, 0);
}

void ike2_writer_start_inner(struct ike2_writer *w, struct span room)
{
    *w = (struct ike2_writer){.b = builder_on(room), .inner = true};
}

void ike2_writer_open(struct ike2_writer *w, uint8_t type)
{
    if (w->inner && w->b.len == 0)
        w->first_inner = type;
    else
        builder_patch_u8(&w->b, w->next_field, type);
    w->payload = w->b.len;
    w->next_field = w->payload;
    builder_u8(&w->b, IKE2_P_NONE);
    builder_u8(&w->b, 0);
    builder_u16(&w->b, 0);
}

void ike2_writer_close(struct ike2_writer *w)
{
    builder_close_u16(&w->b, w->payload + 2, w->payload);
}

void ike2_writer_payload(struct ike2_writer *w, uint8_t type, struct view body)
{
    ike2_writer_open(w, type);
    builder_view(&w->b, body);
    ike2_writer_close(w);
}

void ike2_writer_notify(struct ike2_writer *w, uint16_t type, struct view data)
{
    struct ike2_notify n = {.type = type, .data = data};
    ike2_writer_open(w, IKE2_P_N);
    ike2_notify_build(&w->b, &n);
    ike2_writer_close(w);
}

struct view ike2_writer_finish(struct ike2_writer *w)
{
    if (!w->inner)
        builder_patch_u32(&w->b, LENGTH_AT, (uint32_t)w->b.len);
    return builder_written(&w->b);
}
