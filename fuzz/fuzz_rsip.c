/* RSIP: one message. What parses builds to octets that parse to the same again. */
#include "fuzz.h"

#include "wire/rsip.h"

static struct rsip_message message, again; /* large */
static uint8_t first[2 * RSIP_MESSAGE_MAX], second[2 * RSIP_MESSAGE_MAX];

static void check_reach(const struct rsip_message *m)
{
    if (rsip_ports_named(&m->local_ports))
        for (unsigned i = 0; i < m->local_ports.count; i++)
            assert(rsip_port_at(&m->local_ports, i) != 0);
    if (m->spi.form == RSIP_RANGE_RUN || m->spi.form == RSIP_RANGE_LIST)
        assert(rsip_spi_at(&m->spi, m->spi.count - 1u) >= 256);
    assert(m->tuple_count <= RSIP_TUPLES_MAX && m->tunnel_count <= RSIP_TYPES_MAX &&
           m->method_count <= RSIP_TYPES_MAX);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct view bytes = view_of(data, len);
    struct rsip_outline outline;
    enum rsip_error error;

    rsip_outline_read(bytes, &outline);
    assert(outline.has_type == (len >= RSIP_HEADER));
    if (len >= RSIP_HEADER)
        assert(rsip_stream_len(bytes) <= RSIP_MESSAGE_MAX);
    if (rsip_parse(bytes, &message, &error) != ERR_OK) {
        assert(rsip_error_name(error) != NULL);
        return 0;
    }
    assert(rsip_type_name(message.type) != NULL && rsip_stream_len(bytes) == len);
    check_reach(&message);
    struct builder b = builder_on(span_of(first, sizeof(first)));
    rsip_build(&b, &message);
    struct view built = builder_written(&b);
    /* an indicator of one octet is sent with two, so it may have become longer than we read */
    assert(built.len >= len && built.len <= len + message.tuple_count);
    if (built.len > RSIP_MESSAGE_MAX)
        return 0;
    assert(rsip_parse(built, &again, &error) == ERR_OK);
    b = builder_on(span_of(second, sizeof(second)));
    rsip_build(&b, &again);
    assert(view_equal(built, builder_written(&b)));
    return 0;
}
