/* A TCP stream of IKE and ESP: what comes out is the same whatever pieces it came in, and builds again. */
#include "fuzz.h"

#include "wire/ike_stream.h"

/* The messages, one behind the other, as they would be sent; keepalives and the like stay as they are. */
static void check_built(enum ike_stream_kind kind, struct view message, struct view frame)
{
    uint8_t header[IKE_STREAM_HEADER_MAX];
    bool ike = kind == IKE_STREAM_IKE;
    size_t len = ike_stream_header(ike, message.len, header);
    assert(len != 0 && len + message.len == frame.len);
    assert(memcmp(header, frame.ptr, len) == 0);
    assert(message.ptr == frame.ptr + len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct view bytes = view_of(data, len), message;
    enum ike_stream_kind kind;
    size_t used;

    enum ike_stream_kind begins = ike_stream_begin(bytes);
    for (size_t i = 0; i < len && i < IKE_STREAM_PREFIX_LEN; i++)
        assert(begins != IKE_STREAM_EMPTY || ike_stream_begin(view_of(data, i)) == IKE_STREAM_MORE);
    if (begins == IKE_STREAM_EMPTY)
        bytes = view_of(data + IKE_STREAM_PREFIX_LEN, len - IKE_STREAM_PREFIX_LEN);
    while ((kind = ike_stream_next(bytes, &used, &message)) != IKE_STREAM_MORE &&
           kind != IKE_STREAM_BROKEN) {
        assert(used >= 2 && used <= bytes.len && message.len <= used - 2);
        size_t part_used;
        struct view part;
        assert(ike_stream_next(view_of(bytes.ptr, used - 1), &part_used, &part) == IKE_STREAM_MORE);
        assert(ike_stream_next(view_of(bytes.ptr, used), &part_used, &part) == kind);
        if (kind == IKE_STREAM_IKE || kind == IKE_STREAM_ESP)
            check_built(kind, message, view_of(bytes.ptr, used));
        bytes = view_of(bytes.ptr + used, bytes.len - used);
    }
    return 0;
}
