/* L2TP: one datagram. A control message that parses builds to octets that parse to the same again.
 */
#include "fuzz.h"

#include "rsip/ppp.h"
#include "wire/l2tp.h"

static void check_inside(struct view outer, struct view inner)
{
    assert(inner.len == 0 ||
           (inner.ptr >= outer.ptr && inner.ptr + inner.len <= outer.ptr + outer.len));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static uint8_t first[8192], second[8192];
    struct view bytes = view_of(data, len);
    struct l2tp_header header, again_header;
    struct l2tp_message message, again;
    const char *code;

    if (l2tp_header_parse(bytes, &header) != ERR_OK)
        return 0;
    check_inside(bytes, header.payload);
    if (!header.control) {
        (void)ppp_protocol_name(header.payload, &code);
        return 0;
    }
    if (l2tp_message_parse(header.payload, &message) != ERR_OK)
        return 0;
    check_inside(bytes, message.host_name);
    assert(message.challenge.len <= L2TP_CHALLENGE_MAX);
    assert((message.type == L2TP_ZLB) == (header.payload.len == 0));
    if (message.host_name.len > 1000) /* longer than an attribute can be */
        assert(message.host_name.len < 1024);
    struct builder b = builder_on(span_of(first, sizeof(first)));
    l2tp_message_build(&b, &header, &message);
    assert(!b.bad);
    assert(l2tp_header_parse(builder_written(&b), &again_header) == ERR_OK);
    assert(again_header.ns == header.ns && again_header.nr == header.nr &&
           again_header.tunnel == header.tunnel && again_header.session == header.session);
    assert(l2tp_message_parse(again_header.payload, &again) == ERR_OK);
    /* a type that we don't know is refused if it is mandatory, as all that we build is */
    assert(again.type == message.type && again.present == message.present);
    struct builder c = builder_on(span_of(second, sizeof(second)));
    l2tp_message_build(&c, &again_header, &again);
    assert(view_equal(builder_written(&b), builder_written(&c)));
    return 0;
}
