/* Cutting super-packets, joining datagrams, and the relay of IKE datagrams: all without IO. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "plane/io/coalesce.h"
#include "plane/io/ike_relay.h"
#include "plane/io/segment.h"
#include "plane/io/tcp_fields.h"

enum { ROOM = LIMIT_HEADROOM + LIMIT_PACKET + LIMIT_TAILROOM, PIECES_MAX = 64 };

static uint8_t super[LIMIT_PACKET];
static uint8_t rooms[PIECES_MAX][ROOM];
static struct packet pieces[PIECES_MAX];

struct shape {
    enum ip_family family;
    enum ip_proto proto;
    uint32_t options; /* octets of TCP options */
    uint32_t payload;
    uint16_t size;
    uint8_t flags;
};

static uint32_t upper_len(const struct shape *shape)
{
    return shape->proto == IP_PROTO_TCP ? TCP_HEADER + shape->options : IP_UDP_HEADER;
}

static struct ip_header ip_of(const struct shape *shape)
{
    struct ip_header ip = {.id = 0xfffe, .proto = shape->proto, .tos = 0xb9, .ttl = 63};

    ip.dont_fragment = true;
    if (shape->family == IP_V4) {
        ip.src = ip_addr_v4(0x0a010002);
        ip.dst = ip_addr_v4(0x0a020002);
    } else {
        assert_true(ip_addr_parse("fd01::2", &ip.src));
        assert_true(ip_addr_parse("fd02::2", &ip.dst));
    }
    ip.total_len = (uint32_t)ip_header_len(shape->family) + upper_len(shape) + shape->payload;
    return ip;
}

/* The super-packet of a shape, as the kernel would give it, and its virtio header. */
static struct virtio_net_hdr make_super(const struct shape *shape, struct view *ret)
{
    struct ip_header ip = ip_of(shape);
    size_t ip_len = ip_header_len(shape->family);
    uint8_t *upper = super + ip_len;
    bool tcp = shape->proto == IP_PROTO_TCP;

    memset(super, 0, sizeof(super));
    ip_header_write(&ip, super);
    field_put_u16(upper, 1111);
    field_put_u16(upper + 2, 2222);
    if (tcp) {
        field_put_u32(upper + TCP_SEQUENCE_AT, 0xfffffe00);
        field_put_u32(upper + TCP_ACK_AT, 77);
        upper[TCP_OFFSET_AT] = (uint8_t)(upper_len(shape) / 4 << 4);
        upper[TCP_FLAGS_AT] = shape->flags;
    }
    for (uint32_t i = 0; i < shape->payload; i++)
        upper[upper_len(shape) + i] = (uint8_t)(i * 7 + i / 256);
    *ret = view_of(super, ip.total_len);
    uint8_t tcp_type =
        shape->family == IP_V4 ? VIRTIO_NET_HDR_GSO_TCPV4 : VIRTIO_NET_HDR_GSO_TCPV6;
    return (struct virtio_net_hdr){.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
                                   .gso_type = tcp ? tcp_type : SEGMENT_GSO_UDP,
                                   .gso_size = shape->size,
                                   .csum_start = (uint16_t)ip_len,
                                   .csum_offset = tcp ? TCP_CHECKSUM_AT : UDP_CHECKSUM_AT};
}

static size_t cut(const struct virtio_net_hdr *header, struct view datagram)
{
    struct segmenter s = {0};
    size_t count = 0;

    assert_true(segment_start(&s, header, datagram));
    while (segment_is_active(&s)) {
        assert_true(count < PIECES_MAX);
        pieces[count] = (struct packet){.base = rooms[count], .room = ROOM};
        assert_true(segment_next(&s, &pieces[count]));
        count++;
    }
    return count;
}

static void check_piece(const struct shape *shape, size_t i, size_t count)
{
    const struct packet *piece = &pieces[i];
    const uint8_t *data = packet_data(piece);
    uint32_t at = (uint32_t)i * shape->size;
    uint32_t payload = i + 1 < count ? shape->size : shape->payload - at;
    struct ip_header ip, whole = ip_of(shape);

    assert_int_equal(ip_header_parse(view_of(data, piece->len), &ip), ERR_OK);
    assert_int_equal(ip.total_len, piece->len);
    assert_int_equal(ip.tos, whole.tos);
    assert_int_equal(piece->len, ip.header_len + upper_len(shape) + payload);
    const uint8_t *upper = data + ip.header_len;
    struct ip_pair pair = {ip.src, ip.dst};
    uint32_t upper_octets = piece->len - ip.header_len;
    assert_int_equal(ip_sum_fold(ip_sum_add(ip_sum_pseudo(&pair, ip.proto, upper_octets),
                                            view_of(upper, upper_octets))),
                     0);
    assert_memory_equal(upper + upper_len(shape),
                        super + whole.total_len - shape->payload + at, payload);
    if (shape->family == IP_V4)
        assert_int_equal(ip.id, (whole.id + i) & 0xffff);
    if (shape->proto == IP_PROTO_UDP) {
        assert_int_equal(field_u16(upper + UDP_LENGTH_AT), upper_octets);
        return;
    }
    assert_int_equal(field_u32(upper + TCP_SEQUENCE_AT), (uint32_t)(0xfffffe00 + at));
    uint8_t flags = shape->flags;
    if (i + 1 < count)
        flags &= (uint8_t) ~(TCP_FIN | TCP_PSH);
    if (i > 0)
        flags &= (uint8_t)~TCP_CWR;
    assert_int_equal(upper[TCP_FLAGS_AT], flags);
}

static void cuts_every_shape(void **state)
{
    static const uint32_t payloads[] = {1, 1399, 1400, 1401, 2800, 65000};

    (void)state;
    for (unsigned variant = 0; variant < 8; variant++) {
        for (size_t i = 0; i < sizeof(payloads) / sizeof(payloads[0]); i++) {
            struct shape shape = {
                .family = (variant & 1) != 0 ? IP_V6 : IP_V4,
                .proto = (variant & 2) != 0 ? IP_PROTO_UDP : IP_PROTO_TCP,
                .options = (variant & 4) != 0 ? 12 : 0,
                .payload = payloads[i],
                .size = 1400,
                .flags = TCP_ACK | TCP_PSH | TCP_FIN | TCP_CWR,
            };
            struct view datagram;
            struct virtio_net_hdr header = make_super(&shape, &datagram);
            size_t count = cut(&header, datagram);
            assert_int_equal(count, (payloads[i] + 1399) / 1400);
            for (size_t k = 0; k < count; k++)
                check_piece(&shape, k, count);
        }
    }
}

static void refuses_what_is_no_super_packet(void **state)
{
    struct shape shape = {IP_V4, IP_PROTO_TCP, 0, 5000, 1400, TCP_ACK};
    struct segmenter s;
    struct view datagram;
    struct virtio_net_hdr good = make_super(&shape, &datagram), bad;

    (void)state;
    bad = good;
    bad.gso_size = 0;
    assert_false(segment_start(&s, &bad, datagram));
    bad = good;
    bad.gso_type = VIRTIO_NET_HDR_GSO_TCPV6;
    assert_false(segment_start(&s, &bad, datagram));
    bad.gso_type = SEGMENT_GSO_UDP;
    assert_false(segment_start(&s, &bad, datagram));
    for (size_t len = 0; len < datagram.len; len += 1 + len / 8)
        assert_false(segment_start(&s, &good, view_of(datagram.ptr, len)));
    /* A TCP header shorter than it can be, and longer than the datagram. */
    super[20 + TCP_OFFSET_AT] = 4 << 4;
    assert_false(segment_start(&s, &good, datagram));
    shape.payload = 8;
    good = make_super(&shape, &datagram);
    super[20 + TCP_OFFSET_AT] = 15 << 4;
    assert_false(segment_start(&s, &good, datagram));
}

static void small_room_ends_the_walk(void **state)
{
    struct shape shape = {IP_V4, IP_PROTO_TCP, 0, 5000, 1400, TCP_ACK};
    struct view datagram;
    struct virtio_net_hdr header = make_super(&shape, &datagram);
    struct segmenter s;
    struct packet small = {.base = rooms[0], .room = LIMIT_HEADROOM + LIMIT_TAILROOM + 1439};

    (void)state;
    assert_true(segment_start(&s, &header, datagram));
    assert_false(segment_next(&s, &small));
    assert_false(segment_is_active(&s));
}

static void completes_checksums(void **state)
{
    struct shape shape = {IP_V4, IP_PROTO_UDP, 0, 101, 0, 0};
    struct view datagram;
    struct virtio_net_hdr header = make_super(&shape, &datagram);
    struct ip_pair pair;
    uint32_t len = IP_UDP_HEADER + shape.payload;

    (void)state;
    assert_int_equal(ip_pair_of(datagram, &pair), ERR_OK);
    uint16_t partial = (uint16_t)~ip_sum_fold(ip_sum_pseudo(&pair, IP_PROTO_UDP, len));
    field_put_u16(super + 20 + UDP_CHECKSUM_AT, partial);
    assert_true(segment_checksum(&header, span_of(super, datagram.len)));
    assert_int_equal(ip_sum_fold(ip_sum_add(ip_sum_pseudo(&pair, IP_PROTO_UDP, len),
                                            view_of(super + 20, len))),
                     0);
    header.csum_start = (uint16_t)datagram.len;
    assert_false(segment_checksum(&header, span_of(super, datagram.len)));
    header.flags = 0;
    assert_true(segment_checksum(&header, span_of(super, datagram.len)));
}

/* Joins the pieces and compares with the super-packet they were cut from. */
static void joins_what_was_cut(void **state)
{
    (void)state;
    for (unsigned variant = 0; variant < 4; variant++) {
        struct shape shape = {.family = (variant & 1) != 0 ? IP_V6 : IP_V4,
                              .proto = IP_PROTO_TCP,
                              .options = (variant & 2) != 0 ? 12 : 0,
                              .payload = 40000,
                              .size = 1300,
                              .flags = TCP_ACK | TCP_PSH};
        struct coalescer c = {0};
        struct virtio_net_hdr joined;
        struct view datagram;
        struct virtio_net_hdr header = make_super(&shape, &datagram);
        size_t count = cut(&header, datagram);

        for (size_t i = 0; i < count; i++)
            assert_true(coalesce_add(&c, &pieces[i]));
        assert_int_equal(c.count, count);
        coalesce_finish(&c, &joined);
        assert_int_equal(joined.gso_type, header.gso_type);
        assert_int_equal(joined.gso_size, shape.size);
        assert_int_equal(joined.csum_start, header.csum_start);
        assert_int_equal(joined.csum_offset, header.csum_offset);
        assert_int_equal(joined.hdr_len, datagram.len - shape.payload);
        /* But for the checksum, which is partial, the headers are what they were. */
        uint8_t *tcp = packet_data(&pieces[0]) + joined.csum_start;
        field_put_u16(tcp + TCP_CHECKSUM_AT, 0);
        assert_memory_equal(packet_data(&pieces[0]), super, joined.hdr_len);
    }
}

static void set_checksum(struct packet *packet)
{
    uint8_t *ip = packet_data(packet), *tcp = ip + 20;
    struct ip_pair pair;

    assert_int_equal(ip_pair_of(view_of(ip, packet->len), &pair), ERR_OK);
    field_put_u16(ip + V4_CHECKSUM_AT, 0);
    field_put_u16(ip + V4_CHECKSUM_AT, ip_sum_fold(ip_sum_add(0, view_of(ip, 20))));
    field_put_u16(tcp + TCP_CHECKSUM_AT, 0);
    field_put_u16(tcp + TCP_CHECKSUM_AT,
                  ip_sum_fold(ip_sum_add(ip_sum_pseudo(&pair, IP_PROTO_TCP, packet->len - 20),
                                         view_of(tcp, packet->len - 20))));
}

/* Each change of the second datagram that keeps it out of the first's company. */
static void joins_nothing_else(void **state)
{
    static const struct {
        size_t at;
        uint8_t flip;
        bool keep_checksum;
    } changes[] = {
        {1, 0x03, false},                    /* another ECN mark */
        {6, 0x40, false},                    /* may be fragmented */
        {8, 0x01, false},                    /* TTL */
        {15, 0x01, false},                   /* source */
        {19, 0x01, false},                   /* destination */
        {20, 0x01, false},                   /* port */
        {20 + TCP_SEQUENCE_AT + 3, 1, false},
        {20 + TCP_ACK_AT + 3, 1, false},
        {20 + TCP_FLAGS_AT, TCP_FIN, false},
        {20 + TCP_FLAGS_AT, 0x02, false},    /* SYN */
        {20 + TCP_FLAGS_AT, 0x20, false},    /* URG */
        {20 + TCP_FLAGS_AT, TCP_CWR, false},
        {20 + TCP_HEADER + 3, 1, false},     /* an option */
        {20 + TCP_HEADER + 12 + 5, 1, true}, /* damaged payload */
    };
    struct shape shape = {IP_V4, IP_PROTO_TCP, 12, 2600, 1300, TCP_ACK};

    (void)state;
    for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
        struct coalescer c = {0};
        struct view datagram;
        struct virtio_net_hdr header = make_super(&shape, &datagram);

        assert_int_equal(cut(&header, datagram), 2);
        packet_data(&pieces[1])[changes[i].at] ^= changes[i].flip;
        if (!changes[i].keep_checksum)
            set_checksum(&pieces[1]);
        assert_true(coalesce_add(&c, &pieces[0]));
        assert_false(coalesce_add(&c, &pieces[1]));
        coalesce_finish(&c, &header);
        assert_int_equal(header.gso_type, VIRTIO_NET_HDR_GSO_NONE);
        assert_int_equal(header.flags, 0);
    }
}

static void a_short_one_is_the_last(void **state)
{
    struct shape shape = {IP_V4, IP_PROTO_TCP, 0, 2601, 1300, TCP_ACK};
    struct coalescer c = {0};
    struct view datagram;
    struct virtio_net_hdr header = make_super(&shape, &datagram);

    (void)state;
    assert_int_equal(cut(&header, datagram), 3);
    for (size_t i = 0; i < 3; i++)
        assert_true(coalesce_add(&c, &pieces[i]));
    assert_true(c.closed);
    /* A longer one never follows a shorter one either. */
    c = (struct coalescer){0};
    assert_true(coalesce_add(&c, &pieces[2]));
    assert_false(coalesce_add(&c, &pieces[0]));
}

static void relays_ike(void **state)
{
    uint8_t room[200];
    struct ip_endpoint local = {ip_addr_v4(0xc0000201), 4500, 0}, remote = {.port = 61234}, l, r;
    struct view datagram;
    size_t len;

    (void)state;
    assert_true(ip_addr_parse("2001:db8::7", &remote.addr));
    assert_int_equal(ike_relay_build(&local, &remote, view_of_text("x"), span_of(room, IKE_RELAY_HEADER), &len),
                     ERR_ROOM);
    assert_int_equal(ike_relay_build(&local, &remote, view_of_text("x"), span_of(room, IKE_RELAY_HEADER + 1), &len),
                     ERR_OK);
    assert_int_equal(ike_relay_parse(view_of(room, len), &l, &r, &datagram), ERR_VALUE);
    assert_true(ip_addr_parse("2001:db8::1", &local.addr));
    assert_int_equal(
        ike_relay_build(&local, &remote, view_of_text("hello"), span_of(room, sizeof(room)), &len),
        ERR_OK);
    assert_int_equal(len, IKE_RELAY_HEADER + 5);
    for (size_t i = 0; i < IKE_RELAY_HEADER; i++)
        assert_int_equal(ike_relay_parse(view_of(room, i), &l, &r, &datagram), ERR_SHORT);
    assert_int_equal(ike_relay_parse(view_of(room, len), &l, &r, &datagram), ERR_OK);
    assert_true(ip_endpoint_equal(&l, &local) && ip_endpoint_equal(&r, &remote));
    assert_true(view_equal(datagram, view_of_text("hello")));
    assert_int_equal(ike_relay_kind_of(view_of(room, len)), IKE_RELAY_DATAGRAM);
}

/* Of a TCP stream; a note needs one, and says nothing else. */
static void relays_streams(void **state)
{
    uint8_t room[200];
    struct ip_endpoint local = {ip_addr_v4(0xc0000201), 4500, 0};
    struct ip_endpoint remote = {ip_addr_v4(0xc0000202), 61234, IP_STREAM_ACCEPTED | 7}, l, r;
    struct span all = span_of(room, sizeof(room));
    struct view datagram;
    size_t len;

    (void)state;
    assert_int_equal(ike_relay_build(&local, &remote, view_of_text("hello"), all, &len), ERR_OK);
    assert_int_equal(ike_relay_parse(view_of(room, len), &l, &r, &datagram), ERR_OK);
    assert_true(ip_endpoint_equal(&r, &remote));
    room[1] = IKE_RELAY_KEEP;
    assert_int_equal(ike_relay_parse(view_of(room, len), &l, &r, &datagram), ERR_VALUE);
    for (int kind = IKE_RELAY_OPENED; kind <= IKE_RELAY_CLOSE; kind++) {
        assert_int_equal(ike_relay_build_note(kind, &local, &remote, all, &len), ERR_OK);
        assert_int_equal(ike_relay_parse(view_of(room, len), &l, &r, &datagram), ERR_OK);
        assert_int_equal(ike_relay_kind_of(view_of(room, len)), kind);
        assert_int_equal(r.stream, remote.stream);
    }
    room[1]++;
    assert_int_equal(ike_relay_parse(view_of(room, len), &l, &r, &datagram), ERR_VALUE);
    remote.stream = 0;
    assert_int_equal(ike_relay_build_note(IKE_RELAY_KEEP, &local, &remote, all, &len), ERR_OK);
    assert_int_equal(ike_relay_parse(view_of(room, len), &l, &r, &datagram), ERR_VALUE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cuts_every_shape),
        cmocka_unit_test(refuses_what_is_no_super_packet),
        cmocka_unit_test(small_room_ends_the_walk),
        cmocka_unit_test(completes_checksums),
        cmocka_unit_test(joins_what_was_cut),
        cmocka_unit_test(joins_nothing_else),
        cmocka_unit_test(a_short_one_is_the_last),
        cmocka_unit_test(relays_ike),
        cmocka_unit_test(relays_streams),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
