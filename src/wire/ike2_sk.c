/*
 * The encrypted payload and its fragments, from outside: where IV, text and ICV lie. Encrypting is
 * for those who hold keys.
 */
#include "wire/ike2.h"

enum { GENERIC_HEADER_LEN = 4, FRAGMENT_LEN = 4 };

static bool fragment_valid(uint16_t number, uint16_t total, uint8_t first)
{
    /* RFC 7383 section 2.5: from 1; only the first says what is inside. */
    return number >= 1 && number <= total && (number == 1 || first == IKE2_P_NONE);
}

enum err ike2_sk_parse(struct view message, const struct ike2_payload *payload,
                       const struct ike2_sk_shape *shape, struct ike2_sk *ret)
{
    struct cursor cur = cursor_of(payload->body);
    struct ike2_sk sk = {.first = payload->next};

    if (payload->type == IKE2_P_SKF) {
        sk.fragment = cursor_u16(&cur);
        sk.total = cursor_u16(&cur);
        if (cur.bad)
            return ERR_SHORT;
        if (!fragment_valid(sk.fragment, sk.total, sk.first))
            return ERR_SYNTAX;
    }
    sk.aad = view_of(message.ptr, (size_t)(cur.at - message.ptr));
    sk.iv = cursor_take(&cur, shape->iv_len);
    /* At least the pad length is encrypted. */
    if (cur.bad || cursor_left(&cur) < shape->icv_len + 1)
        return ERR_SHORT;
    sk.text = cursor_take(&cur, cursor_left(&cur) - shape->icv_len);
    sk.icv = cursor_take(&cur, shape->icv_len);
    if (sk.text.len % shape->block != 0)
        return ERR_SYNTAX;
    *ret = sk;
    return ERR_OK;
}

enum err ike2_sk_unpad(struct view text, struct view *ret)
{
    if (text.len == 0)
        return ERR_SHORT;
    size_t pad = text.ptr[text.len - 1];
    if (pad + 1 > text.len)
        return ERR_SYNTAX;
    *ret = view_of(text.ptr, text.len - pad - 1);
    return ERR_OK;
}

static size_t padding(const struct ike2_sk_shape *shape, size_t text_len)
{
    size_t over = (text_len + 1) % shape->block;
    return over == 0 ? 0 : shape->block - over;
}

size_t ike2_sk_overhead(const struct ike2_sk_shape *shape, size_t text_len, bool is_fragment)
{
    return GENERIC_HEADER_LEN + (is_fragment ? (size_t)FRAGMENT_LEN : 0) + shape->iv_len +
           padding(shape, text_len) + 1 + shape->icv_len;
}

/* Section 3.14: the payload's next field is the type of the first payload inside, so a zero is
 * right for a later fragment and for no payloads at all. */
enum err ike2_writer_sk(struct ike2_writer *w, const struct ike2_sk_shape *shape,
                        const struct ike2_fragment *fragment, struct ike2_sk_room *ret)
{
    bool is_fragment = fragment->total != 0;
    size_t pad = padding(shape, fragment->text.len);

    ike2_writer_open(w, is_fragment ? IKE2_P_SKF : IKE2_P_SK);
    builder_patch_u8(&w->b, w->next_field, fragment->first);
    if (is_fragment) {
        builder_u16(&w->b, fragment->number);
        builder_u16(&w->b, fragment->total);
    }
    size_t iv_at = w->b.len;
    builder_fill(&w->b, 0, shape->iv_len);
    size_t text_at = w->b.len;
    builder_view(&w->b, fragment->text);
    builder_fill(&w->b, 0, pad);
    builder_u8(&w->b, (uint8_t)pad);
    size_t icv_at = w->b.len;
    builder_fill(&w->b, 0, shape->icv_len);
    ike2_writer_close(w);
    struct view message = ike2_writer_finish(w);
    if (message.len == 0)
        return ERR_ROOM;
    uint8_t *base = w->b.base;
    *ret = (struct ike2_sk_room){
        .message = message,
        .aad = view_of(base, iv_at),
        .iv = base + iv_at,
        .text = span_of(base + text_at, icv_at - text_at),
        .icv = base + icv_at,
    };
    return ERR_OK;
}
