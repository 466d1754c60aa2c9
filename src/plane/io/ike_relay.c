#include "plane/io/ike_relay.h"

#include "base/builder.h"
#include "base/cursor.h"

static void write_endpoint(struct builder *b, const struct ip_endpoint *end, uint8_t kind)
{
    builder_u8(b, end->addr.family);
    builder_u8(b, kind);
    builder_u16(b, end->port);
    builder_bytes(b, end->addr.octets, sizeof(end->addr.octets));
}

/* Unused octets of an address are zero, whoever wrote them. */
static struct ip_endpoint read_endpoint(struct cursor *cur)
{
    uint8_t family = cursor_u8(cur);
    cursor_skip(cur, 1);
    uint16_t port = cursor_u16(cur);
    struct view octets = cursor_take(cur, 16);
    struct ip_endpoint end = {.port = port};

    if (family == IP_V4 && octets.len == 16)
        end.addr = ip_addr_from(view_of(octets.ptr, 4));
    else if (family == IP_V6)
        end.addr = ip_addr_from(octets);
    return end;
}

static enum err build(enum ike_relay_kind kind, const struct ip_endpoint *local,
                      const struct ip_endpoint *remote, struct view datagram, struct span room,
                      size_t *ret_len)
{
    struct builder b = builder_on(room);

    write_endpoint(&b, local, (uint8_t)kind);
    write_endpoint(&b, remote, 0);
    builder_u32(&b, remote->stream);
    builder_view(&b, datagram);
    if (b.bad)
        return ERR_ROOM;
    *ret_len = b.len;
    return ERR_OK;
}

enum err ike_relay_build(const struct ip_endpoint *local, const struct ip_endpoint *remote,
                         struct view datagram, struct span room, size_t *ret_len)
{
    return build(IKE_RELAY_DATAGRAM, local, remote, datagram, room, ret_len);
}

enum err ike_relay_build_note(enum ike_relay_kind kind, const struct ip_endpoint *local,
                              const struct ip_endpoint *remote, struct span room, size_t *ret_len)
{
    return build(kind, local, remote, view_of(NULL, 0), room, ret_len);
}

enum ike_relay_kind ike_relay_kind_of(struct view bytes)
{
    return (enum ike_relay_kind)bytes.ptr[1];
}

enum err ike_relay_parse(struct view bytes, struct ip_endpoint *ret_local,
                         struct ip_endpoint *ret_remote, struct view *ret_datagram)
{
    struct cursor cur = cursor_of(bytes);
    struct ip_endpoint local = read_endpoint(&cur), remote = read_endpoint(&cur);

    remote.stream = cursor_u32(&cur);
    if (cur.bad)
        return ERR_SHORT;
    if (local.addr.family == IP_NONE || local.addr.family != remote.addr.family)
        return ERR_VALUE;
    if (bytes.ptr[1] > IKE_RELAY_CLOSE ||
        (bytes.ptr[1] != IKE_RELAY_DATAGRAM && (remote.stream == 0 || cursor_left(&cur) != 0)))
        return ERR_VALUE;
    *ret_local = local;
    *ret_remote = remote;
    *ret_datagram = cursor_rest(&cur);
    return ERR_OK;
}
