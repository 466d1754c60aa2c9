/* Fragments and tunnels: RSIP-091, RSIP-192, RSIP-193. */
#include "check.h"

#include <string.h>

#include "base/limits.h"
#include "rsip/reassemble.h"
#include "rsip/tunnel.h"
#include "wire/ip.h"

enum { PIECES = 64, ROOM = 4096 };

static uint64_t seed = 77;
static struct rng rng;
static struct reassembler *r;
static mono_t now = {5000};
static struct ip_addr via; /* of nobody, if not told */

static uint8_t whole[70000];
static struct view pieces[PIECES];
static uint8_t rooms[PIECES][ROOM];

static void begin(void)
{
    rng = check_rng(&seed);
    assert_int_equal(reassembler_new(&rng, &r), ERR_OK);
}

/* A datagram of that payload, cut to fit in mtu. Returns the count of pieces. */
static size_t cut(uint32_t payload, uint32_t mtu, uint16_t id)
{
    struct ip_fragmenter f;
    struct ip_header h = {.src = ip_addr_v4(0xcb007102),
                          .dst = ip_addr_v4(0xcb00710a),
                          .total_len = IP_V4_HEADER + payload,
                          .id = id,
                          .proto = IP_PROTO_UDP,
                          .tos = 0x28,
                          .ttl = 61};
    size_t count = 0, len;
    ip_header_write(&h, whole);
    check_rng_fill(&seed, whole + IP_V4_HEADER, payload);
    assert_int_equal(ip_fragment_start(&f, view_of(whole, h.total_len), mtu), ERR_OK);
    while ((len = ip_fragment_next(&f, span_of(rooms[count], ROOM))) > 0) {
        pieces[count] = view_of(rooms[count], len);
        assert_true(++count < PIECES);
    }
    return count;
}

static void shuffle(size_t count)
{
    for (size_t i = count; i > 1; i--) {
        size_t j = check_random(&seed) % i;
        struct view other = pieces[j];
        pieces[j] = pieces[i - 1];
        pieces[i - 1] = other;
    }
}

static void test_any_order(void **state)
{
    struct view got;
    (void)state;
    begin();
    for (unsigned round = 0; round < 300; round++) {
        uint32_t payload = 2000 + check_random(&seed) % 20000;
        size_t count = cut(payload, 576 + check_random(&seed) % 900, (uint16_t)round);
        shuffle(count);
        for (size_t i = 0; i + 1 < count; i++)
            assert_false(reassembler_input(r, now, &via, pieces[i], &got));
        assert_true(reassembler_input(r, now, &via, pieces[count - 1], &got));
        check_view(view_of(got.ptr + IP_V4_HEADER, got.len - IP_V4_HEADER),
                   view_of(whole + IP_V4_HEADER, payload));
        struct ip_header h;
        assert_int_equal(ip_header_parse(got, &h), ERR_OK);
        assert_false(ip_is_fragment(&h));
        assert_int_equal(h.tos, 0x28);
    }
    assert_int_equal(reassembler_lost(r), 0);
    assert_true(mono_is_never(reassembler_next_deadline(r)));
    reassembler_free(r);
}

/* The same datagram as IPv6, cut by hand: hop-by-hop options in front of each fragment header. */
static size_t cut_v6(uint32_t payload, uint32_t piece, uint32_t id)
{
    static const uint8_t options[] = {IP_PROTO_FRAGMENT, 0, 1, 4, 0, 0, 0, 0};
    struct ip_header h = {.proto = 0, .tos = 0x28, .ttl = 61};
    size_t count = 0;

    assert_true(ip_addr_parse("2001:db8::2", &h.src) && ip_addr_parse("2001:db8:1::10", &h.dst));
    check_rng_fill(&seed, whole, payload);
    for (uint32_t at = 0; at < payload; at += piece, count++) {
        uint32_t take = payload - at < piece ? payload - at : piece, more = at + take < payload;
        const uint8_t fragment[] = {IP_PROTO_UDP,        0,
                                    (uint8_t)(at >> 8),  (uint8_t)(at | more),
                                    (uint8_t)(id >> 24), (uint8_t)(id >> 16),
                                    (uint8_t)(id >> 8),  (uint8_t)id};
        uint8_t *room = rooms[count];
        h.total_len = (uint32_t)(IP_V6_HEADER + sizeof(options) + sizeof(fragment) + take);
        assert_true(count < PIECES && h.total_len <= ROOM);
        ip_header_write(&h, room);
        memcpy(room + IP_V6_HEADER, options, sizeof(options));
        memcpy(room + IP_V6_HEADER + sizeof(options), fragment, sizeof(fragment));
        memcpy(room + IP_V6_HEADER + sizeof(options) + sizeof(fragment), whole + at, take);
        pieces[count] = view_of(room, h.total_len);
    }
    return count;
}

/* IPv6 is put together, and leaves in fragments again that are no longer than those that came. */
static void test_v6(void **state)
{
    uint8_t room[ROOM], again[70000];
    struct fragments f;
    struct view got;
    (void)state;
    begin();
    for (unsigned round = 0; round < 200; round++) {
        uint32_t payload = 2000 + check_random(&seed) % 20000;
        uint32_t piece = (600 + check_random(&seed) % 700) & ~7u;
        size_t count = cut_v6(payload, piece, round), parts = 0, len, at = 0;
        shuffle(count);
        for (size_t i = 0; i + 1 < count; i++)
            assert_false(reassembler_input(r, now, &via, pieces[i], &got));
        assert_true(reassembler_input(r, now, &via, pieces[count - 1], &got));
        check_view(view_of(got.ptr + IP_V6_HEADER, got.len - IP_V6_HEADER),
                   view_of(whole, payload));
        struct ip_header h;
        assert_int_equal(ip_header_parse(got, &h), ERR_OK);
        assert_true(h.proto == IP_PROTO_UDP && !ip_is_fragment(&h) && h.tos == 0x28 && h.ttl == 61);
        assert_true(reassembler_fragments(r, got, &f));
        while ((len = fragments_next(&f, span_of(room, sizeof(room)))) > 0) {
            assert_int_equal(ip_header_parse(view_of(room, len), &h), ERR_OK);
            assert_true(h.total_len == len && h.fragment_at == at && h.id == round);
            assert_true(h.proto == IP_PROTO_UDP && len - h.header_len <= piece);
            memcpy(again + at, room + h.header_len, len - h.header_len);
            at += len - h.header_len;
            assert_int_equal(h.more_fragments, at < payload);
            parts++;
        }
        check_view(view_of(again, at), view_of(whole, payload));
        assert_int_equal(parts, count);
    }
    cut_v6(500, 1200, 1); /* a fragment that is all there is (RFC 6946) stays as it is */
    assert_true(reassembler_input(r, now, &via, pieces[0], &got));
    check_view(got, pieces[0]);
    assert_false(reassembler_fragments(r, got, &f));
    cut_v6(3000, 1200, 2);
    rooms[0][6] = 43; /* a routing header */
    assert_false(reassembler_input(r, now, &via, pieces[0], &got));
    assert_true(mono_is_never(reassembler_next_deadline(r)));
    reassembler_free(r);
}

static void test_whole_passes(void **state)
{
    struct view got;
    (void)state;
    begin();
    cut(100, 1500, 1);
    assert_true(reassembler_input(r, now, &via, pieces[0], &got));
    check_view(got, pieces[0]);
    assert_false(reassembler_input(r, now, &via, view_of(whole, 7), &got));
    reassembler_free(r);
}

static void test_timeout(void **state)
{
    struct view got;
    (void)state;
    begin();
    size_t count = cut(3000, 1500, 1);
    assert_false(reassembler_input(r, now, &via, pieces[0], &got));
    assert_int_equal(mono_since(reassembler_next_deadline(r), now), REASSEMBLE_MS);
    reassembler_timer(r, mono_add(now, REASSEMBLE_MS - 1));
    assert_int_equal(reassembler_lost(r), 0);
    reassembler_timer(r, mono_add(now, REASSEMBLE_MS));
    assert_int_equal(reassembler_lost(r), 1);
    for (size_t i = 1; i < count; i++)
        assert_false(reassembler_input(r, mono_add(now, REASSEMBLE_MS), &via, pieces[i], &got));
    reassembler_free(r);
}

static void test_overlap(void **state)
{
    struct view got;
    (void)state;
    begin();
    cut(3000, 1500, 1);
    assert_false(reassembler_input(r, now, &via, pieces[1], &got));
    assert_false(
        reassembler_input(r, now, &via, pieces[1], &got)); /* a copy, or an attack: both go */
    assert_int_equal(reassembler_lost(r), 1);
    assert_true(mono_is_never(reassembler_next_deadline(r)));
    reassembler_free(r);
}

/* Two hosts behind one address use the same identification: nothing of one gets into the other's.
 */
static void test_hosts_apart(void **state)
{
    struct ip_addr hosts[] = {ip_addr_v4(0x0a000002), ip_addr_v4(0x0a000003)};
    struct view got;
    (void)state;
    begin();
    size_t count = cut(3000, 1500, 9);
    for (size_t i = 0; i < count; i++)
        for (size_t h = 0; h < 2; h++)
            assert_int_equal(reassembler_input(r, now, &hosts[h], pieces[i], &got), i + 1 == count);
    assert_int_equal(reassembler_lost(r), 0);
    reassembler_free(r);
}

/* First pieces of very many datagrams, and of very large ones. */
static void test_flood(void **state)
{
    struct view got;
    (void)state;
    begin();
    for (unsigned i = 0; i < 5000; i++) {
        size_t count = cut(60000, 4000, (uint16_t)i);
        assert_false(reassembler_input(r, now, &via, pieces[count - 1], &got));
    }
    assert_true(reassembler_lost(r) >= 5000 - LIMIT_RSIP_FRAGMENT_OCTETS / 50000);
    size_t count = cut(3000, 1500, 60000);
    for (size_t i = 0; i < count; i++)
        assert_int_equal(reassembler_input(r, now, &via, pieces[i], &got), i + 1 == count);
    reassembler_free(r);
}

static void test_noise(void **state)
{
    struct view got;
    (void)state;
    begin();
    for (unsigned i = 0; i < 20000; i++) {
        size_t count = cut(200 + check_random(&seed) % 3000, 576, (uint16_t)(i % 7));
        size_t which = check_random(&seed) % count;
        if (i % 3 == 0) /* another place than it had, with a checksum that is right */
            rooms[which][7] = (uint8_t)(rooms[which][7] ^ (1 << check_random(&seed) % 8));
        rooms[which][10] = rooms[which][11] = 0;
        uint16_t sum = ip_sum_fold(ip_sum_add(0, view_of(rooms[which], IP_V4_HEADER)));
        rooms[which][10] = (uint8_t)(sum >> 8);
        rooms[which][11] = (uint8_t)sum;
        now.ms += i % 5;
        if (reassembler_input(r, now, &via, pieces[which], &got))
            assert_true(got.len <= 65535);
    }
    reassembler_free(r);
}

static void test_tunnels(void **state)
{
    uint8_t header[RSIP_GRE_HEADER], outer[256];
    enum rsip_tunnel tunnel;
    struct ip_addr from;
    struct view inner;
    (void)state;
    for (unsigned i = 0; i < 4; i++) {
        unsigned type = i < 2 ? RSIP_TUNNEL_IPIP : RSIP_TUNNEL_GRE;
        struct view data = view_of_text(i % 2 ? "`datagram!" : "E datagram");
        size_t len = rsip_tunnel_header(type, data, header);
        struct ip_header h = {.src = ip_addr_v4(0x0a000002),
                              .dst = ip_addr_v4(0x0a000001),
                              .total_len = (uint32_t)(IP_V4_HEADER + len + data.len),
                              .proto = rsip_tunnel_proto(type, data),
                              .ttl = 64};
        ip_header_write(&h, outer);
        memcpy(outer + IP_V4_HEADER, header, len);
        memcpy(outer + IP_V4_HEADER + len, data.ptr, data.len);
        assert_int_equal(rsip_tunnel_open(view_of(outer, h.total_len), &tunnel, &from, &inner),
                         ERR_OK);
        assert_int_equal(tunnel, type);
        assert_true(ip_addr_equal(&from, &h.src));
        check_view(inner, data);
        if (type == RSIP_TUNNEL_GRE) {
            outer[IP_V4_HEADER] = 0xb0; /* checksum, key and sequence number: three words more */
            assert_int_equal(rsip_tunnel_open(view_of(outer, h.total_len), &tunnel, &from, &inner),
                             ERR_SYNTAX);
            outer[IP_V4_HEADER] = 0x20;
            assert_int_equal(rsip_tunnel_open(view_of(outer, h.total_len), &tunnel, &from, &inner),
                             ERR_OK);
            assert_int_equal(inner.len, data.len - 4);
            outer[IP_V4_HEADER] = 0;
            outer[IP_V4_HEADER + 1] = 1; /* version 1 is PPTP's */
            assert_int_equal(rsip_tunnel_open(view_of(outer, h.total_len), &tunnel, &from, &inner),
                             ERR_UNSUPPORTED);
        }
    }
    assert_int_equal(rsip_tunnel_proto(RSIP_TUNNEL_L2TP, view_of(NULL, 0)), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_any_order),    cmocka_unit_test(test_v6),
        cmocka_unit_test(test_whole_passes), cmocka_unit_test(test_timeout),
        cmocka_unit_test(test_overlap),      cmocka_unit_test(test_hosts_apart),
        cmocka_unit_test(test_flood),        cmocka_unit_test(test_noise),
        cmocka_unit_test(test_tunnels),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
