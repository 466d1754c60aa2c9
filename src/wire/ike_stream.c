#include "wire/ike_stream.h"

#include "base/builder.h"
#include "base/cursor.h"

enum { LENGTH = 2, MARKER = 4, IKE_HEADER = 28, ESP_LEAST = 8, KEEPALIVE = 0xff };

static const uint8_t prefix[IKE_STREAM_PREFIX_LEN] = {'I', 'K', 'E', 'T', 'C', 'P'};

enum ike_stream_kind ike_stream_begin(struct view bytes)
{
    size_t len = bytes.len < sizeof(prefix) ? bytes.len : sizeof(prefix);
    if (len != 0 && memcmp(bytes.ptr, prefix, len) != 0)
        return IKE_STREAM_BROKEN;
    return len == sizeof(prefix) ? IKE_STREAM_EMPTY : IKE_STREAM_MORE;
}

static enum ike_stream_kind kind_of(struct view *message)
{
    struct cursor cur = cursor_of(*message);
    if (message->len == 0)
        return IKE_STREAM_EMPTY;
    if (message->len == 1 && message->ptr[0] == KEEPALIVE)
        return IKE_STREAM_KEEPALIVE;
    if (message->len < ESP_LEAST)
        return IKE_STREAM_MALFORMED;
    if (cursor_u32(&cur) != 0)
        return IKE_STREAM_ESP;
    *message = cursor_rest(&cur);
    return message->len >= IKE_HEADER ? IKE_STREAM_IKE : IKE_STREAM_MALFORMED;
}

enum ike_stream_kind ike_stream_next(struct view bytes, size_t *ret_used, struct view *ret_message)
{
    struct cursor cur = cursor_of(bytes);
    size_t len = cursor_u16(&cur);
    if (cur.bad)
        return IKE_STREAM_MORE;
    if (len < LENGTH)
        return IKE_STREAM_BROKEN;
    struct view message = cursor_take(&cur, len - LENGTH);
    if (cur.bad)
        return IKE_STREAM_MORE;
    enum ike_stream_kind kind = kind_of(&message);
    *ret_used = len;
    *ret_message = message;
    return kind;
}

void ike_stream_prefix(uint8_t ret[IKE_STREAM_PREFIX_LEN])
{
    memcpy(ret, prefix, sizeof(prefix));
}

size_t ike_stream_header(bool ike, size_t len, uint8_t ret[IKE_STREAM_HEADER_MAX])
{
    struct builder b = builder_on(span_of(ret, IKE_STREAM_HEADER_MAX));
    size_t header = LENGTH + (ike ? MARKER : 0);
    if (len > IKE_STREAM_FRAME_MAX - header)
        return 0;
    builder_u16(&b, (uint16_t)(header + len));
    if (ike)
        builder_u32(&b, 0);
    return b.len;
}
