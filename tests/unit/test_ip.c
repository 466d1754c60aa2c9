/* Headers, checksums, fragments and ICMP errors. */
#include "wire/ip.h"

#include "unhex.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

static uint32_t seed = 1;

static uint32_t next_random(void)
{
    seed = seed * 1664525 + 1013904223;
    return seed >> 8;
}

static struct ip_addr addr_of(const char *text)
{
    struct ip_addr addr;
    assert_true(ip_addr_parse(text, &addr));
    return addr;
}

static struct ip_header sample_header(enum ip_family family, uint8_t proto, uint32_t total_len)
{
    bool v4 = family == IP_V4;
    return (struct ip_header){
        .src = addr_of(v4 ? "192.0.2.1" : "2001:db8::1"),
        .dst = addr_of(v4 ? "198.51.100.2" : "2001:db8:1::2"),
        .total_len = total_len,
        .header_len = (uint16_t)ip_header_len(family),
        .id = v4 ? 0xabcd : 0,
        .proto = proto,
        .tos = 0xb9,
        .ttl = 61,
        .dont_fragment = !v4,
    };
}

/* A datagram with a counting payload; returns its length. */
static uint32_t sample_datagram(enum ip_family family, uint8_t proto, uint32_t payload_len,
                                uint8_t *ret)
{
    uint32_t header_len = (uint32_t)ip_header_len(family);
    struct ip_header header = sample_header(family, proto, header_len + payload_len);
    ip_header_write(&header, ret);
    for (uint32_t i = 0; i < payload_len; i++)
        ret[header_len + i] = (uint8_t)(i * 31 + 17);
    return header_len + payload_len;
}

static void resum_v4(uint8_t *header, size_t header_len)
{
    header[10] = header[11] = 0;
    uint16_t sum = ip_sum_fold(ip_sum_add(0, view_of(header, header_len)));
    header[10] = (uint8_t)(sum >> 8);
    header[11] = (uint8_t)sum;
}

/* RFC 1071 section 3, and the sum done slowly at every length and alignment. */
static void test_sum(void **state)
{
    (void)state;
    static const uint8_t example[] = {0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7};
    assert_int_equal(ip_sum_fold(ip_sum_add(0, view_of(example, 8))), (uint16_t)~0xddf2);
    uint8_t octets[300];
    for (size_t i = 0; i < sizeof(octets); i++)
        octets[i] = (uint8_t)next_random();
    for (size_t at = 0; at < 8; at++) {
        for (size_t len = 0; len + at <= sizeof(octets); len++) {
            uint32_t slow = 0x1234;
            for (size_t i = 0; i < len; i++)
                slow += i % 2 == 0 ? (uint32_t)octets[at + i] << 8 : octets[at + i];
            uint32_t fast = ip_sum_add(0x1234, view_of(octets + at, len));
            assert_int_equal(ip_sum_fold(fast), ip_sum_fold(slow));
        }
    }
    uint8_t ones[65535];
    memset(ones, 0xff, sizeof(ones));
    assert_int_equal(ip_sum_fold(ip_sum_add(0xffff, view_of(ones, 65534))), 0);
}

static void test_parse_known(void **state)
{
    (void)state;
    uint8_t octets[128];
    struct ip_header h;
    size_t len = unhex("45000073 00004000 4011b861 c0a80001 c0a800c7 0035e97c005f279f", octets,
                       sizeof(octets));
    assert_int_equal(ip_header_parse(view_of(octets, len), &h), ERR_SHORT);
    memset(octets + len, 0, sizeof(octets) - len);
    assert_int_equal(ip_header_parse(view_of(octets, 0x73), &h), ERR_OK);
    struct ip_addr src = addr_of("192.168.0.1"), dst = addr_of("192.168.0.199");
    assert_true(ip_addr_equal(&h.src, &src));
    assert_true(ip_addr_equal(&h.dst, &dst));
    assert_int_equal(h.total_len, 0x73);
    assert_int_equal(h.header_len, 20);
    assert_int_equal(h.proto, IP_PROTO_UDP);
    assert_int_equal(h.src_port, 53);
    assert_int_equal(h.dst_port, 0xe97c);
    assert_int_equal(h.ttl, 64);
    assert_true(h.dont_fragment);
    assert_false(ip_is_fragment(&h));
}

static void test_write_then_parse(void **state)
{
    (void)state;
    static const enum ip_family families[] = {IP_V4, IP_V6};
    uint8_t *octets = malloc(65536);
    for (size_t f = 0; f < 2; f++) {
        for (unsigned i = 0; i < 500; i++) {
            uint32_t header_len = (uint32_t)ip_header_len(families[f]);
            uint32_t total_len = header_len + next_random() % (65535 - header_len);
            struct ip_header want = sample_header(families[f], IP_PROTO_ICMP, total_len), got;
            want.tos = (uint8_t)next_random();
            want.ttl = (uint8_t)next_random();
            want.dont_fragment = families[f] == IP_V6 || next_random() % 2 == 0;
            want.id = families[f] == IP_V4 ? next_random() & 0xffff : 0;
            memset(octets, 0, total_len);
            ip_header_write(&want, octets);
            assert_int_equal(ip_header_parse(view_of(octets, total_len), &got), ERR_OK);
            assert_memory_equal(&want.src, &got.src, sizeof(want.src));
            assert_memory_equal(&want.dst, &got.dst, sizeof(want.dst));
            assert_int_equal(got.total_len, want.total_len);
            assert_int_equal(got.header_len, want.header_len);
            assert_int_equal(got.id, want.id);
            assert_int_equal(got.tos, want.tos);
            assert_int_equal(got.ttl, want.ttl);
            assert_int_equal(got.proto, want.proto);
            assert_int_equal(got.dont_fragment, want.dont_fragment);
            assert_int_equal(ip_header_parse(view_of(octets, total_len - 1), &got), ERR_SHORT);
        }
    }
    free(octets);
}

/* Every single wrong bit of an IPv4 header is noticed. */
static void test_v4_bit_errors(void **state)
{
    (void)state;
    uint8_t octets[64];
    struct ip_header h;
    uint32_t len = sample_datagram(IP_V4, IP_PROTO_TCP, 40, octets);
    for (size_t bit = 0; bit < 20 * 8; bit++) {
        octets[bit / 8] ^= (uint8_t)(1 << bit % 8);
        assert_int_not_equal(ip_header_parse(view_of(octets, len), &h), ERR_OK);
        octets[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    assert_int_equal(ip_header_parse(view_of(octets, len), &h), ERR_OK);
}

static void test_truncated(void **state)
{
    (void)state;
    static const enum ip_family families[] = {IP_V4, IP_V6};
    for (size_t f = 0; f < 2; f++) {
        uint8_t octets[128];
        uint32_t len = sample_datagram(families[f], IP_PROTO_UDP, 30, octets);
        for (uint32_t cut = 0; cut <= len; cut++) {
            struct ip_header h;
            struct ip_pair pair;
            uint8_t *exact = malloc(cut != 0 ? cut : 1); /* so that reading past it is seen */
            memcpy(exact, octets, cut);
            assert_int_equal(ip_header_parse(view_of(exact, cut), &h),
                             cut < len ? ERR_SHORT : ERR_OK);
            assert_int_equal(ip_pair_of(view_of(exact, cut), &pair),
                             cut < ip_header_len(families[f]) ? ERR_SHORT : ERR_OK);
            free(exact);
        }
    }
}

static void test_versions(void **state)
{
    (void)state;
    uint8_t octets[64];
    struct ip_header h;
    struct ip_pair pair, want;
    for (unsigned version = 0; version < 16; version++) {
        memset(octets, 0, sizeof(octets));
        octets[0] = (uint8_t)(version << 4);
        if (version == 4 || version == 6)
            continue;
        assert_int_equal(ip_header_parse(view_of(octets, 64), &h), ERR_VERSION);
        assert_int_equal(ip_pair_of(view_of(octets, 64), &pair), ERR_VERSION);
    }
    for (unsigned i = 0; i < 2; i++) {
        sample_datagram(i == 0 ? IP_V4 : IP_V6, IP_PROTO_UDP, 10, octets);
        assert_int_equal(ip_pair_of(view_of(octets, 64), &pair), ERR_OK);
        struct ip_header sample = sample_header(i == 0 ? IP_V4 : IP_V6, 0, 0);
        want = (struct ip_pair){sample.src, sample.dst};
        assert_true(ip_pair_equal(&pair, &want));
    }
}

static void test_v4_bad_lengths(void **state)
{
    (void)state;
    uint8_t octets[64];
    struct ip_header h;
    uint32_t len = sample_datagram(IP_V4, IP_PROTO_UDP, 20, octets);
    for (uint8_t words = 0; words < 5; words++) {
        octets[0] = (uint8_t)(0x40 | words);
        assert_int_equal(ip_header_parse(view_of(octets, len), &h), ERR_SYNTAX);
    }
    octets[0] = 0x4b; /* 44 octets of header in a datagram of 40 */
    assert_int_equal(ip_header_parse(view_of(octets, len), &h), ERR_SYNTAX);
    octets[0] = 0x45;
    /* The last fragment would end behind octet 65535. */
    octets[6] = 0x1f;
    octets[7] = 0xff;
    resum_v4(octets, 20);
    assert_int_equal(ip_header_parse(view_of(octets, len), &h), ERR_SYNTAX);
    /* More fragments follow one that isn't a whole number of units. */
    octets[6] = 0x20;
    octets[7] = 0;
    resum_v4(octets, 20);
    assert_int_equal(ip_header_parse(view_of(octets, len), &h), ERR_SYNTAX);
}

struct v6_row {
    uint8_t first; /* next header of the fixed header */
    const char *payload;
    enum err err;
    uint8_t proto;
    uint16_t header_len;
    uint32_t fragment_at;
    uint16_t dst_port;
};

static const struct v6_row v6_rows[] = {
    {IP_PROTO_UDP, "1000 1194 0008 0000", ERR_OK, IP_PROTO_UDP, 40, 0, 0x1194},
    {0, "1100 0000 0000 0000 1000 1194 0008 0000", ERR_OK, IP_PROTO_UDP, 48, 0, 0x1194},
    {60, "2b01 0000 0000 0000 0000 0000 0000 0000 0600 0000 0000 0000 1000 1194", ERR_OK,
     IP_PROTO_TCP, 64, 0, 0x1194},
    {44, "1100 0001 0000 0007 1000 1194 0010 0000", ERR_OK, IP_PROTO_UDP, 48, 0, 0x1194},
    {44, "1100 0008 0000 0007 1000 1194", ERR_OK, IP_PROTO_UDP, 48, 8, 0},
    {44, "3c00 0008 0000 0007 1000 1194", ERR_OK, 60, 48, 8, 0},
    {44, "2c00 0000 0000 0007 1100 0000 0000 0007", ERR_SYNTAX, 0, 0, 0, 0},
    {44, "1100 fff8 0000 0007 0000 0000 0000 0000", ERR_SYNTAX, 0, 0, 0, 0},
    {44, "1100 0001 0000 0007 00", ERR_SYNTAX, 0, 0, 0, 0},
    {44, "1100 0000 0000", ERR_SHORT, 0, 0, 0, 0},
    {0, "1101 0000 0000 0000", ERR_SHORT, 0, 0, 0, 0},
    {0, "11", ERR_SHORT, 0, 0, 0, 0},
    {IP_PROTO_NONE, "", ERR_OK, IP_PROTO_NONE, 40, 0, 0},
    {IP_PROTO_UDP, "1000", ERR_OK, IP_PROTO_UDP, 40, 0, 0},
    {IP_PROTO_ESP, "0000 0001 0000 0001", ERR_OK, IP_PROTO_ESP, 40, 0, 0},
};

static void test_v6_extensions(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(v6_rows) / sizeof(v6_rows[0]); i++) {
        const struct v6_row *row = &v6_rows[i];
        uint8_t payload[64];
        size_t len = unhex(row->payload, payload, sizeof(payload));
        uint8_t *octets = malloc(40 + len);
        struct ip_header sample = sample_header(IP_V6, row->first, (uint32_t)(40 + len)), h;
        ip_header_write(&sample, octets);
        memcpy(octets + 40, payload, len);
        assert_int_equal(ip_header_parse(view_of(octets, 40 + len), &h), row->err);
        if (row->err == ERR_OK) {
            assert_int_equal(h.proto, row->proto);
            assert_int_equal(h.header_len, row->header_len);
            assert_int_equal(h.fragment_at, row->fragment_at);
            assert_int_equal(h.dst_port, row->dst_port);
            assert_int_equal(h.id, row->first == 44 ? 7 : 0);
        }
        free(octets);
    }
}

static void test_v6_endless_chain(void **state)
{
    (void)state;
    uint8_t octets[40 + 8 * 20] = {0};
    struct ip_header sample = sample_header(IP_V6, 60, sizeof(octets)), h;
    ip_header_write(&sample, octets);
    for (size_t i = 0; i < 20; i++)
        octets[40 + 8 * i] = 60;
    assert_int_equal(ip_header_parse(view_of(octets, sizeof(octets)), &h), ERR_SYNTAX);
}

/* Setting the octet gives the same header as writing it with that octet. */
static void test_tos(void **state)
{
    (void)state;
    static const enum ip_family families[] = {IP_V4, IP_V6};
    for (size_t f = 0; f < 2; f++) {
        for (unsigned from = 0; from < 256; from++) {
            for (unsigned to = 0; to < 256; to++) {
                uint8_t changed[40], written[40];
                size_t len = ip_header_len(families[f]);
                struct ip_header h = sample_header(families[f], IP_PROTO_TCP, 1000);
                h.tos = (uint8_t)from;
                h.id = from * 256 + 255 - to;
                ip_header_write(&h, changed);
                h.tos = (uint8_t)to;
                ip_header_write(&h, written);
                ip_tos_write(span_of(changed, len), (uint8_t)to);
                assert_memory_equal(changed, written, len);
            }
        }
    }
    uint8_t flow[40] = {0x6a, 0xbc, 0xde, 0xf0};
    ip_tos_write(span_of(flow, 40), 0x12);
    assert_int_equal(flow[0], 0x61);
    assert_int_equal(flow[1], 0x2c); /* the flow label stays */
}

static void test_udp(void **state)
{
    (void)state;
    uint8_t payload[33], udp[8];
    for (unsigned f = 0; f < 2; f++) {
        struct ip_header sample = sample_header(f == 0 ? IP_V4 : IP_V6, 0, 0);
        struct ip_pair pair = {sample.src, sample.dst};
        for (size_t len = 0; len <= sizeof(payload); len++) {
            memset(payload, (int)len * 9, sizeof(payload));
            ip_udp_write(&pair, 4500, 4501, view_of(payload, len), udp);
            assert_int_equal(udp[0] << 8 | udp[1], 4500);
            assert_int_equal(udp[2] << 8 | udp[3], 4501);
            assert_int_equal(udp[4] << 8 | udp[5], 8 + len);
            if (f == 0) {
                assert_int_equal(udp[6] | udp[7], 0);
                continue;
            }
            uint32_t sum = ip_sum_pseudo(&pair, IP_PROTO_UDP, (uint32_t)(8 + len));
            sum = ip_sum_add(ip_sum_add(sum, view_of(udp, 8)), view_of(payload, len));
            assert_int_equal(ip_sum_fold(sum), 0);
            assert_int_not_equal(udp[6] | udp[7], 0);
        }
    }
}

/* A UDP sum that comes out as zero is sent as ones (RFC 768). */
static void test_udp_zero_sum(void **state)
{
    (void)state;
    struct ip_header sample = sample_header(IP_V6, 0, 0);
    struct ip_pair pair = {sample.src, sample.dst};
    uint8_t payload[2] = {0}, udp[8];
    ip_udp_write(&pair, 1, 2, view_of(payload, 2), udp);
    payload[0] = udp[6]; /* adding the complement of the sum makes it all ones */
    payload[1] = udp[7];
    ip_udp_write(&pair, 1, 2, view_of(payload, 2), udp);
    assert_int_equal(udp[6], 0xff);
    assert_int_equal(udp[7], 0xff);
}

struct pieces {
    uint8_t payload[65536];
    uint32_t end; /* one behind the last octet, once the last fragment was seen */
    uint32_t filled;
};

static void piece_add(struct pieces *pieces, struct view fragment, uint32_t mtu)
{
    struct ip_header h;
    assert_true(fragment.len <= mtu);
    assert_int_equal(ip_header_parse(fragment, &h), ERR_OK);
    assert_int_equal(h.total_len, fragment.len);
    assert_int_equal(h.id, 0xabcd);
    assert_int_equal(h.tos, 0xb9);
    assert_int_equal(h.ttl, 61);
    uint32_t len = h.total_len - h.header_len;
    memcpy(pieces->payload + h.fragment_at, fragment.ptr + h.header_len, len);
    pieces->filled += len;
    if (!h.more_fragments)
        pieces->end = h.fragment_at + len;
}

static void test_fragments(void **state)
{
    (void)state;
    static const uint32_t mtus[] = {68, 69, 75, 76, 296, 576, 1280, 1400, 1500, 9000};
    uint8_t *octets = malloc(65535), *fragment = malloc(9000), *again = malloc(9000);
    struct pieces *pieces = malloc(sizeof(*pieces));
    for (size_t m = 0; m < sizeof(mtus) / sizeof(mtus[0]); m++) {
        for (unsigned i = 0; i < 60; i++) {
            uint32_t payload = i < 20 ? i * 8 : next_random() % (i < 40 ? 3000 : 65515);
            uint32_t len = sample_datagram(IP_V4, IP_PROTO_UDP, payload, octets);
            struct ip_fragmenter f, inner;
            memset(pieces, 0, sizeof(*pieces));
            assert_int_equal(ip_fragment_start(&f, view_of(octets, len), mtus[m]), ERR_OK);
            size_t got, cut;
            while ((got = ip_fragment_next(&f, span_of(fragment, mtus[m]))) != 0) {
                /* and each of them once more, for a narrower link */
                assert_int_equal(ip_fragment_start(&inner, view_of(fragment, got), 68), ERR_OK);
                while ((cut = ip_fragment_next(&inner, span_of(again, 68))) != 0)
                    piece_add(pieces, view_of(again, cut), 68);
            }
            assert_int_equal(pieces->end, payload);
            assert_int_equal(pieces->filled, payload);
            assert_memory_equal(pieces->payload, octets + 20, payload);
        }
    }
    free(octets);
    free(fragment);
    free(again);
    free(pieces);
}

static void test_fragment_refusals(void **state)
{
    (void)state;
    uint8_t octets[2000], room[100];
    struct ip_fragmenter f;
    uint32_t len = sample_datagram(IP_V4, IP_PROTO_UDP, 1000, octets);
    assert_int_equal(ip_fragment_start(&f, view_of(octets, len), 67), ERR_VALUE);
    assert_int_equal(ip_fragment_start(&f, view_of(octets, len), 200), ERR_OK);
    assert_int_equal(ip_fragment_next(&f, span_of(room, sizeof(room))), 0);
    assert_int_equal(ip_fragment_start(&f, view_of(octets, len - 1), 200), ERR_SHORT);
    octets[6] = 0x40;
    resum_v4(octets, 20);
    assert_int_equal(ip_fragment_start(&f, view_of(octets, len), 200), ERR_POLICY);
    len = sample_datagram(IP_V6, IP_PROTO_UDP, 1000, octets);
    assert_int_equal(ip_fragment_start(&f, view_of(octets, len), 200), ERR_POLICY);
}

/* Options: record route (not copied), router alert (copied), padding. */
static void test_fragment_options(void **state)
{
    (void)state;
    uint8_t octets[32 + 96] = {0}, room[100];
    unhex("48000080abcd00003d110000c0000201c6336402 070704c0000201 94040000 01", octets, 32);
    resum_v4(octets, 32);
    struct ip_fragmenter f;
    assert_int_equal(ip_fragment_start(&f, view_of(octets, sizeof(octets)), 100), ERR_OK);
    assert_int_equal(ip_fragment_next(&f, span_of(room, sizeof(room))), 32 + 64);
    assert_memory_equal(room + 20, octets + 20, 12);
    assert_int_equal(ip_fragment_next(&f, span_of(room, sizeof(room))), 24 + 32);
    struct ip_header h;
    assert_int_equal(ip_header_parse(view_of(room, 56), &h), ERR_OK);
    assert_int_equal(h.header_len, 24);
    assert_int_equal(h.fragment_at, 64);
    static const uint8_t alert[] = {0x94, 0x04, 0, 0};
    assert_memory_equal(room + 20, alert, 4);
    assert_int_equal(ip_fragment_next(&f, span_of(room, sizeof(room))), 0);
    assert_int_equal(ip_fragment_next(&f, span_of(room, sizeof(room))), 0);
}

static void check_error(enum ip_family family, enum ip_icmp_error kind, uint32_t payload,
                        uint32_t mtu, const uint8_t *want_start)
{
    uint8_t octets[3000], room[IP_ICMP_ERROR_MAX];
    bool v4 = family == IP_V4;
    uint32_t len = sample_datagram(family, IP_PROTO_UDP, payload, octets);
    struct ip_addr src = addr_of(v4 ? "203.0.113.9" : "2001:db8:9::9");
    struct ip_header about = sample_header(family, 0, 0), h;
    size_t got = 0;
    assert_int_equal(ip_icmp_error_build(kind, &src, view_of(octets, len), mtu,
                                         span_of(room, sizeof(room)), &got),
                     ERR_OK);
    assert_int_equal(ip_header_parse(view_of(room, got), &h), ERR_OK);
    assert_int_equal(h.total_len, got);
    assert_true(ip_addr_equal(&h.src, &src));
    assert_true(ip_addr_equal(&h.dst, &about.src));
    assert_int_equal(h.proto, v4 ? IP_PROTO_ICMP : IP_PROTO_ICMPV6);
    const uint8_t *icmp = room + h.header_len;
    size_t icmp_len = got - h.header_len, quote = icmp_len - 8;
    size_t most = v4 ? 576 - 28 : 1280 - 48;
    assert_int_equal(quote, len < most ? len : most);
    assert_memory_equal(icmp + 8, octets, quote);
    assert_memory_equal(icmp, want_start, 2);
    assert_memory_equal(icmp + 4, want_start + 4, 4);
    struct ip_pair pair = {h.src, h.dst};
    uint32_t sum = v4 ? 0 : ip_sum_pseudo(&pair, IP_PROTO_ICMPV6, (uint32_t)icmp_len);
    assert_int_equal(ip_sum_fold(ip_sum_add(sum, view_of(icmp, icmp_len))), 0);
}

/* OE-028: the datagram that denies tell their source with. */
static void test_icmp_errors(void **state)
{
    (void)state;
    static const uint8_t needed[8] = {3, 4, 0, 0, 0, 0, 0x05, 0x78};
    static const uint8_t needed_top[8] = {3, 4, 0, 0, 0, 0, 0xff, 0xff};
    static const uint8_t prohibited[8] = {3, 13};
    static const uint8_t too_big[8] = {2, 0, 0, 0, 0, 0, 0x05, 0x78};
    static const uint8_t too_big_least[8] = {2, 0, 0, 0, 0, 0, 0x05, 0x00};
    static const uint8_t prohibited_v6[8] = {1, 1};
    for (uint32_t payload = 0; payload < 2900; payload += 13) {
        check_error(IP_V4, IP_ICMP_TOO_BIG, payload, 1400, needed);
        check_error(IP_V4, IP_ICMP_TOO_BIG, payload, 70000, needed_top);
        check_error(IP_V4, IP_ICMP_PROHIBITED, payload, 1400, prohibited);
        check_error(IP_V6, IP_ICMP_TOO_BIG, payload, 1400, too_big);
        check_error(IP_V6, IP_ICMP_TOO_BIG, payload, 1000, too_big_least);
        check_error(IP_V6, IP_ICMP_PROHIBITED, payload, 1400, prohibited_v6);
    }
}

static enum err try_error(const uint8_t *datagram, uint32_t len)
{
    uint8_t room[IP_ICMP_ERROR_MAX];
    size_t got;
    struct ip_addr src = addr_of(datagram[0] >> 4 == 4 ? "203.0.113.9" : "2001:db8:9::9");
    return ip_icmp_error_build(IP_ICMP_PROHIBITED, &src, view_of(datagram, len), 0,
                               span_of(room, sizeof(room)), &got);
}

/* RFC 1122 section 3.2.2, RFC 4443 section 2.4 */
static void test_icmp_not_sent(void **state)
{
    (void)state;
    uint8_t octets[200];
    uint32_t len = sample_datagram(IP_V4, IP_PROTO_ICMP, 16, octets);
    for (unsigned type = 0; type < 256; type++) {
        bool is_error = type == 3 || type == 4 || type == 5 || type == 11 || type == 12;
        octets[20] = (uint8_t)type;
        assert_int_equal(try_error(octets, len), is_error ? ERR_UNEXPECTED : ERR_OK);
    }
    len = sample_datagram(IP_V6, IP_PROTO_ICMPV6, 16, octets);
    for (unsigned type = 0; type < 256; type++) {
        octets[40] = (uint8_t)type;
        assert_int_equal(try_error(octets, len),
                         type < 128 || type == 137 ? ERR_UNEXPECTED : ERR_OK);
    }
    len = sample_datagram(IP_V4, IP_PROTO_ICMP, 0, octets);
    assert_int_equal(try_error(octets, len), ERR_UNEXPECTED);
    len = sample_datagram(IP_V6, IP_PROTO_ICMPV6, 0, octets);
    assert_int_equal(try_error(octets, len), ERR_UNEXPECTED);
    len = sample_datagram(IP_V4, IP_PROTO_UDP, 16, octets);
    octets[7] = 1; /* a later fragment */
    resum_v4(octets, 20);
    assert_int_equal(try_error(octets, len), ERR_UNEXPECTED);
    octets[7] = 0;
    octets[16] = 224; /* to a group */
    resum_v4(octets, 20);
    assert_int_equal(try_error(octets, len), ERR_UNEXPECTED);
    octets[16] = 198;
    memset(octets + 12, 0, 4); /* from nobody */
    resum_v4(octets, 20);
    assert_int_equal(try_error(octets, len), ERR_UNEXPECTED);
}

static void test_icmp_refusals(void **state)
{
    (void)state;
    uint8_t octets[200], room[IP_ICMP_ERROR_MAX];
    size_t got = 77;
    uint32_t len = sample_datagram(IP_V4, IP_PROTO_UDP, 100, octets);
    struct ip_addr v4 = addr_of("203.0.113.9"), v6 = addr_of("2001:db8:9::9");
    struct view about = view_of(octets, len);
    assert_int_equal(
        ip_icmp_error_build(IP_ICMP_PROHIBITED, &v6, about, 0, span_of(room, sizeof(room)), &got),
        ERR_VALUE);
    for (size_t room_len = 0; room_len < 28 + len; room_len++)
        assert_int_equal(
            ip_icmp_error_build(IP_ICMP_PROHIBITED, &v4, about, 0, span_of(room, room_len), &got),
            ERR_ROOM);
    assert_int_equal(got, 77);
    assert_int_equal(
        ip_icmp_error_build(IP_ICMP_PROHIBITED, &v4, about, 0, span_of(room, 28 + len), &got),
        ERR_OK);
    assert_int_equal(got, 28 + len);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sum),
        cmocka_unit_test(test_parse_known),
        cmocka_unit_test(test_write_then_parse),
        cmocka_unit_test(test_v4_bit_errors),
        cmocka_unit_test(test_truncated),
        cmocka_unit_test(test_versions),
        cmocka_unit_test(test_v4_bad_lengths),
        cmocka_unit_test(test_v6_extensions),
        cmocka_unit_test(test_v6_endless_chain),
        cmocka_unit_test(test_tos),
        cmocka_unit_test(test_udp),
        cmocka_unit_test(test_udp_zero_sum),
        cmocka_unit_test(test_fragments),
        cmocka_unit_test(test_fragment_refusals),
        cmocka_unit_test(test_fragment_options),
        cmocka_unit_test(test_icmp_errors),
        cmocka_unit_test(test_icmp_not_sent),
        cmocka_unit_test(test_icmp_refusals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
