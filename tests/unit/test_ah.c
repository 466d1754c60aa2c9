/*
 * AH (RFC 4302): packets against an ICV computed here by hand, what may change on the way and what may
 * not, and packets that aren't what they say.
 */
#include "crypto/hash.h"
#include "esp/ah_mutable.h"
#include "esp_fixture.h"

#include "unhex.h"

enum { AUTHS = 5, V4_CHECKSUM_AT = 10 };

static const enum ip_family families[] = {IP_V4, IP_V6};
static const enum hash_alg hashes[AUTHS] = {HASH_SHA2_256, HASH_SHA2_384, HASH_SHA2_512, HASH_SHA1,
                                            HASH_MD5};

static struct esp_suite ah_suite(size_t auth, bool esn)
{
    return (struct esp_suite){.protocol = SA_AH,
                              .auth = (uint8_t)(ESP_AUTH_HMAC_SHA2_256_128 + auth),
                              .esn = esn};
}

static struct tunnel ah_tunnel(const struct esp_backend *out, const struct esp_backend *in,
                               const struct sa_params *params)
{
    return (struct tunnel){fixture_sa(out, params, false), fixture_sa(in, params, true)};
}

/* The ICV over octets in which the test zeroed what it must. */
static void icv_of(const struct sa_params *params, struct view covered, uint32_t high, uint8_t *ret)
{
    uint8_t esn[4], digest[HASH_MAX];
    size_t auth = params->suite.auth - ESP_AUTH_HMAC_SHA2_256_128;
    esp_store32(esn, high);
    struct view parts[] = {covered, view_of(esn, params->suite.esn ? sizeof(esn) : 0)};
    assert_int_equal(hmac_digest(hashes[auth], view_of(params->auth_key, params->auth_key_len), parts,
                                 2, digest),
                     ERR_OK);
    memcpy(ret, digest, esp_suite_icv_len(&params->suite));
}

/* As section 3.3.3.1 lists them, for a header without options. */
static void zero_base(uint8_t *packet)
{
    if (packet[0] >> 4 == 4) {
        packet[1] = packet[6] = packet[7] = packet[8] = packet[10] = packet[11] = 0;
        return;
    }
    packet[0] = 0x60;
    packet[1] = packet[2] = packet[3] = packet[7] = 0;
}

/* Every octet of what is sent: header, AH, padding, inner datagram, ICV. */
static void check_sent(const struct sa_params *params, const struct packet *packet,
                       struct view inner, uint32_t high)
{
    uint8_t copy[2048], icv[ESP_ICV_MAX];
    bool v4 = params->outer_src.family == IP_V4;
    uint32_t outer_len = v4 ? 20 : 40, unit = v4 ? 4 : 8;
    uint32_t icv_len = (uint32_t)esp_suite_icv_len(&params->suite);
    uint32_t ah_len = (12 + icv_len + unit - 1) / unit * unit;
    struct ip_header header;
    assert_int_equal(packet->len, outer_len + ah_len + inner.len);
    memcpy(copy, packet_data(packet), packet->len);
    assert_int_equal(ip_header_parse(view_of(copy, packet->len), &header), ERR_OK);
    assert_true(ip_addr_equal(&header.src, &params->outer_src) &&
                ip_addr_equal(&header.dst, &params->outer_dst));
    assert_int_equal(header.proto, 51);
    assert_true(!v4 || header.id != 0); /* the system would fill it in, and break the ICV */
    const uint8_t *ah = copy + outer_len;
    assert_int_equal(ah[0], inner.ptr[0] >> 4 == 4 ? 4 : 41);
    assert_int_equal(ah[1], ah_len / 4 - 2);
    assert_int_equal(ah[2] | ah[3], 0);
    assert_int_equal(esp_load32(ah + 4), params->spi.value);
    assert_memory_equal(ah + ah_len, inner.ptr, inner.len);
    zero_base(copy);
    memset(copy + outer_len + 12, 0, icv_len);
    icv_of(params, view_of(copy, packet->len), high, icv);
    assert_memory_equal(packet_data(packet) + outer_len + 12, icv, icv_len);
}

static void round_trip(const struct esp_backend *a, const struct esp_backend *b,
                       const struct sa_params *params, struct packet *packet)
{
    struct tunnel tunnel = ah_tunnel(a, b, params);
    tunnel.out->sequence = tunnel.in->replay.top = params->suite.esn ? UINT32_MAX - 1u : 70000;
    for (uint32_t i = 0; i < 4; i++) {
        uint8_t inner[1500];
        enum ip_family family = families[i / 2];
        uint32_t len = i % 2 == 0 ? (uint32_t)ip_header_len(family) : 1321;
        fixture_inner(packet, family, len, 0xb9);
        memcpy(inner, packet_data(packet), len);
        assert_int_equal(fixture_encapsulate(tunnel.out, packet), ERR_OK);
        assert_true(packet->outer.ah && packet->outer.tos == 0xb9);
        check_sent(params, packet, view_of(inner, len), (uint32_t)(tunnel.out->sequence >> 32));
        assert_int_equal(fixture_decapsulate(tunnel.in, packet), ERR_OK);
        assert_true(view_equal(view_of(packet_data(packet), packet->len), view_of(inner, len)));
    }
    assert_int_equal(tunnel.in->counts.packets, 4);
    fixture_tunnel_free(&tunnel);
}

/* IKE-008: AH too, with every algorithm, family and backend. */
static void test_round_trips(void **state)
{
    (void)state;
    struct packet *packet = fixture_packet();
    for (size_t n = 0; n < 2 * 2 * AUTHS; n++) {
        struct sa_params params = fixture_params(ah_suite(n / 4, n % 2 != 0), families[n / 2 % 2]);
        for (size_t a = 0; a < COUNT(fixture_backends); a++)
            for (size_t b = 0; b < COUNT(fixture_backends); b++)
                round_trip(fixture_backends[a], fixture_backends[b], &params, packet);
    }
    fixture_packet_free(packet);
}

/* What a router may do to octet `at` of the packet. */
static bool may_change(enum ip_family outer, uint32_t at)
{
    if (outer == IP_V4) /* TOS, DF, TTL, checksum */
        return at == 1 || at == 8 || at == 10 || at == 11;
    return at == 1 || at == 2 || at == 3 || at == 7;
}

static void fix_checksum(uint8_t *packet)
{
    uint32_t len = (packet[0] & 15u) * 4;
    if (packet[0] >> 4 != 4)
        return;
    memset(packet + V4_CHECKSUM_AT, 0, 2);
    uint16_t sum = ip_sum_fold(ip_sum_add(0, view_of(packet, len)));
    packet[V4_CHECKSUM_AT] = (uint8_t)(sum >> 8);
    packet[V4_CHECKSUM_AT + 1] = (uint8_t)sum;
}

/* Every bit of the packet, one at a time: those that may change don't matter, the others do. */
static void test_each_bit(void **state)
{
    (void)state;
    struct packet *packet = fixture_packet();
    for (size_t f = 0; f < COUNT(families); f++) {
        struct sa_params params = fixture_params(ah_suite(0, f == 0), families[f]);
        struct esp_sa *out = fixture_sa(esp_backend_default(), &params, false);
        uint8_t sent[256];
        fixture_inner(packet, IP_V4, 60, 0);
        assert_int_equal(fixture_encapsulate(out, packet), ERR_OK);
        uint32_t len = packet->len;
        memcpy(sent, packet_data(packet), len);
        for (uint32_t bit = 0; bit < len * 8; bit++) {
            struct esp_sa *in = fixture_sa(esp_backend_default(), &params, true);
            fixture_receive(packet, view_of(sent, len));
            packet->outer.ah = true;
            uint8_t *data = packet_data(packet);
            data[bit / 8] ^= (uint8_t)(1u << bit % 8);
            if (bit / 8 != 10 && bit / 8 != 11)
                fix_checksum(data);
            enum err err = fixture_decapsulate(in, packet);
            if (families[f] == IP_V4 && (bit / 8 == 10 || bit / 8 == 11))
                assert_int_equal(err, ERR_SYNTAX); /* the checksum itself is wrong then */
            else if (may_change(families[f], bit / 8) || (f == 0 && bit == 6 * 8 + 6))
                assert_int_equal(err, ERR_OK); /* with DF, which a router may set */
            else if (f == 0 && bit == 6 * 8 + 7)
                assert_int_equal(err, ERR_OK); /* the reserved flag */
            else if (f == 1 && bit < 4)
                assert_int_equal(err, ERR_OK); /* traffic class */
            else
                assert_int_not_equal(err, ERR_OK);
            assert_int_equal(in->replay.top, err == ERR_OK ? 1 : 0);
            esp_sa_free(in);
        }
        esp_sa_free(out);
    }
    fixture_packet_free(packet);
}

/*
 * A packet by hand: `front` is the header with options or extension headers, its mutable fields zeroed in
 * `zeroed`. AH and a datagram of 40 octets follow.
 */
static enum err receive_front(struct view front, struct view zeroed, struct packet *packet)
{
    struct sa_params params =
        fixture_params(ah_suite(0, false), front.ptr[0] >> 4 == 4 ? IP_V4 : IP_V6);
    struct esp_sa *in = fixture_sa(esp_backend_default(), &params, true);
    uint8_t octets[256] = {0}, *ah = octets + front.len;
    uint32_t ah_len = front.ptr[0] >> 4 == 4 ? 28 : 32;
    memcpy(octets, zeroed.ptr, zeroed.len);
    ah[0] = 4;
    ah[1] = (uint8_t)(ah_len / 4 - 2);
    esp_store32(ah + 4, params.spi.value);
    ah[11] = 1;
    fixture_inner(packet, IP_V4, 40, 0);
    memcpy(ah + ah_len, packet_data(packet), 40);
    size_t len = front.len + ah_len + 40;
    icv_of(&params, view_of(octets, len), 0, ah + 12);
    memcpy(octets, front.ptr, front.len);
    fix_checksum(octets);
    fixture_receive(packet, view_of(octets, len));
    packet->outer.ah = true;
    enum err err = fixture_decapsulate(in, packet);
    if (err == ERR_OK)
        assert_int_equal(packet->len, 40);
    esp_sa_free(in);
    return err;
}

/* Appendix A1. Total length: front, 28 of AH, 40 inside. */
static const struct {
    const char *options, *zeroed;
    enum err err;
} v4_rows[] = {
    {"94040000", "94040000", ERR_OK},                         /* router alert stays */
    {"940400ff", "94040000", ERR_DECRYPT},                    /* so it may not change */
    {"8206000000010000", "8206000000010000", ERR_OK},         /* security */
    {"0707040a0b0c0d00", "0000000000000000", ERR_OK},         /* record route */
    {"440c050001020304ffffffff", "000000000000000000000000", ERR_OK}, /* time stamp */
    {"01011f0401020000", "0101000000000000", ERR_OK},         /* one that nobody knows, no-ops stay */
    {"0100019404000001", "0100019404000001", ERR_OK},         /* behind the end nothing is an option */
    {"07000000", "00000000", ERR_SYNTAX},                     /* shorter than itself */
    {"07010000", "00000000", ERR_SYNTAX},
    {"07050000", "00000000", ERR_SYNTAX},                     /* longer than the header */
    {"01010107", "01010100", ERR_SYNTAX},                     /* without a length */
};

static void test_v4_options(void **state)
{
    (void)state;
    struct packet *packet = fixture_packet();
    for (size_t i = 0; i < COUNT(v4_rows); i++) {
        uint8_t front[60], zeroed[60];
        size_t len = 20 + unhex(v4_rows[i].options, front + 20, 40);
        unhex("450000001234000040330000c0000201c0000202", front, 20);
        front[0] = (uint8_t)(0x40 | len / 4);
        front[3] = (uint8_t)(len + 28 + 40);
        memcpy(zeroed, front, 20);
        zeroed[8] = 0;
        unhex(v4_rows[i].zeroed, zeroed + 20, 40);
        assert_int_equal(receive_front(view_of(front, len), view_of(zeroed, len), packet),
                         v4_rows[i].err);
    }
    fixture_packet_free(packet);
}

/* Appendix A2. The first octet is the next header of the base header; the chain ends with AH. */
static const struct {
    const char *chain, *zeroed;
    enum err err;
} v6_rows[] = {
    {"33", "33", ERR_OK},
    {"00 3300050200000100", "00 3300050200000100", ERR_OK},      /* router alert may not change */
    {"00 33003e0401020304", "00 33003e0400000000", ERR_OK},      /* an option with the bit may */
    {"3c 33003e0401020304", "3c 33003e0400000000", ERR_OK},      /* among destination options too */
    {"00 3c00010400000000 33001e04aabbccdd", "00 3c00010400000000 33001e04aabbccdd", ERR_OK},
    {"00 33003e0501020304", "00 33003e0500000000", ERR_SYNTAX},  /* longer than its header */
    {"2b 330200000000000020010db8000000000000000000000009",
     "2b 330200000000000020010db8000000000000000000000009", ERR_OK}, /* a route at its end */
    {"2b 330200010000000020010db8000000000000000000000009",
     "2b 330200010000000020010db8000000000000000000000009", ERR_SYNTAX}, /* and before it */
    {"2c 3300000000001234", "2c 3300000000001234", ERR_SYNTAX},  /* fragments are put together first */
    {"2c 3300000100001234", "2c 3300000100001234", ERR_SYNTAX},
};

static size_t v6_front(const char *chain, bool sent, uint8_t *ret)
{
    char text[128];
    size_t used = 0;
    for (; *chain != '\0'; chain++)
        if (*chain != ' ')
            text[used++] = *chain;
    text[used] = '\0';
    size_t len = 40 + unhex(text + 2, ret + 40, 64);
    unhex(sent ? "6b912345000000ff" : "6000000000000000", ret, 8);
    unhex("20010db8000000000000000000000001", ret + 8, 16);
    unhex("20010db8000000000000000000000002", ret + 24, 16);
    text[2] = '\0';
    unhex(text, ret + 6, 1);
    ret[5] = (uint8_t)(len - 40 + 32 + 40);
    return len;
}

static void test_v6_extensions(void **state)
{
    (void)state;
    struct packet *packet = fixture_packet();
    for (size_t i = 0; i < COUNT(v6_rows); i++) {
        uint8_t front[128], zeroed[128];
        size_t len = v6_front(v6_rows[i].chain, true, front);
        v6_front(v6_rows[i].zeroed, false, zeroed);
        assert_int_equal(receive_front(view_of(front, len), view_of(zeroed, len), packet),
                         v6_rows[i].err);
    }
    fixture_packet_free(packet);
}

/* Some systems pad to eight octets over IPv4; more than that nobody may. */
static void test_padding(void **state)
{
    (void)state;
    struct sa_params params = fixture_params(ah_suite(0, false), IP_V4);
    struct packet *packet = fixture_packet();
    for (uint32_t ah_len = 24; ah_len <= 36; ah_len += 4) {
        struct esp_sa *in = fixture_sa(esp_backend_default(), &params, true);
        uint8_t octets[128] = {0};
        unhex("450000001234000000330000c0000201c0000202", octets, 20);
        octets[3] = (uint8_t)(20 + ah_len + 40);
        octets[20] = 4;
        octets[21] = (uint8_t)(ah_len / 4 - 2);
        esp_store32(octets + 24, params.spi.value);
        octets[31] = 1;
        fixture_inner(packet, IP_V4, 40, 0);
        memcpy(octets + 20 + ah_len, packet_data(packet), 40);
        icv_of(&params, view_of(octets, octets[3]), 0, octets + 32);
        fix_checksum(octets);
        fixture_receive(packet, view_of(octets, octets[3]));
        packet->outer.ah = true;
        assert_int_equal(fixture_decapsulate(in, packet),
                         ah_len == 28 || ah_len == 32 ? ERR_OK : ERR_SYNTAX);
        esp_sa_free(in);
    }
    fixture_packet_free(packet);
}

/* Section 3.4.1: a fragment is dropped, and the window doesn't move. */
static void test_fragments(void **state)
{
    (void)state;
    struct sa_params params = fixture_params(ah_suite(0, false), IP_V4);
    struct tunnel tunnel = ah_tunnel(esp_backend_default(), esp_backend_default(), &params);
    struct packet *packet = fixture_packet();
    static const uint8_t flags[][2] = {{0x20, 0}, {0, 1}, {0x20, 8}};
    for (size_t i = 0; i < COUNT(flags); i++) {
        fixture_inner(packet, IP_V4, 64, 0);
        assert_int_equal(fixture_encapsulate(tunnel.out, packet), ERR_OK);
        memcpy(packet_data(packet) + 6, flags[i], 2);
        fix_checksum(packet_data(packet));
        spi_t spi;
        uint32_t number;
        assert_false(esp_peek(packet, &spi, &number));
        assert_int_equal(fixture_decapsulate(tunnel.in, packet), ERR_SYNTAX);
    }
    assert_int_equal(tunnel.in->counts.malformed, COUNT(flags));
    assert_int_equal(tunnel.in->replay.top, 0);
    fixture_tunnel_free(&tunnel);
    fixture_packet_free(packet);
}

/* Cut short anywhere, and without room for what ESN appends. */
static void test_short(void **state)
{
    (void)state;
    struct packet *packet = fixture_packet();
    for (size_t f = 0; f < COUNT(families); f++) {
        struct sa_params params = fixture_params(ah_suite(2, true), families[f]);
        struct tunnel tunnel = ah_tunnel(esp_backend_default(), esp_backend_default(), &params);
        fixture_inner(packet, IP_V6, 80, 0);
        assert_int_equal(fixture_encapsulate(tunnel.out, packet), ERR_OK);
        uint8_t sent[256];
        uint32_t len = packet->len, room = packet->room;
        memcpy(sent, packet_data(packet), len);
        for (uint32_t cut = 0; cut < len; cut++) {
            fixture_receive(packet, view_of(sent, cut));
            packet->outer.ah = true;
            assert_int_equal(fixture_decapsulate(tunnel.in, packet), ERR_SHORT);
        }
        fixture_receive(packet, view_of(sent, len));
        packet->outer.ah = true;
        packet->room = packet->at + len + 3;
        assert_int_equal(fixture_decapsulate(tunnel.in, packet), ERR_ROOM);
        packet->room = room;
        assert_int_equal(fixture_decapsulate(tunnel.in, packet), ERR_OK);
        fixture_receive(packet, view_of(sent, len));
        packet->outer.ah = true;
        assert_int_equal(fixture_decapsulate(tunnel.in, packet), ERR_REPLAY);
        fixture_receive(packet, view_of(sent, len)); /* not said to be AH */
        assert_int_equal(fixture_decapsulate(tunnel.in, packet), ERR_SYNTAX);
        fixture_tunnel_free(&tunnel);
    }
    fixture_packet_free(packet);
}

/* What is inside must be a datagram of the family that AH names. */
static void test_inner(void **state)
{
    (void)state;
    struct packet *packet = fixture_packet();
    static const struct {
        uint8_t next, first;
        enum err err;
    } rows[] = {{4, 0x45, ERR_OK},      {41, 0x45, ERR_SYNTAX}, {4, 0x65, ERR_SYNTAX},
                {6, 0x45, ERR_SYNTAX},  {50, 0x45, ERR_SYNTAX}, {59, 0x45, ERR_UNEXPECTED},
                {51, 0x45, ERR_SYNTAX}, {0, 0x45, ERR_SYNTAX}};
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct sa_params params = fixture_params(ah_suite(0, false), IP_V6);
        struct tunnel tunnel = ah_tunnel(esp_backend_default(), esp_backend_default(), &params);
        fixture_inner(packet, IP_V4, 60, 0);
        assert_int_equal(fixture_encapsulate(tunnel.out, packet), ERR_OK);
        uint8_t copy[256], *data = packet_data(packet);
        data[40] = rows[i].next;
        data[40 + 32] = rows[i].first;
        memcpy(copy, data, packet->len);
        zero_base(copy);
        memset(copy + 52, 0, 16);
        icv_of(&params, view_of(copy, packet->len), 0, data + 52);
        assert_int_equal(fixture_decapsulate(tunnel.in, packet), rows[i].err);
        assert_int_equal(tunnel.in->replay.top, 1); /* authentic, whatever it is */
        fixture_tunnel_free(&tunnel);
    }
    fixture_packet_free(packet);
}

static void test_limits(void **state)
{
    (void)state;
    struct packet *packet = fixture_packet();
    for (size_t f = 0; f < COUNT(families); f++) {
        struct sa_params params = fixture_params(ah_suite(0, false), families[f]);
        struct esp_sa *sa = NULL;
        params.udp_dst = 4500; /* never through a NAT */
        assert_int_equal(esp_sa_new(&params, &sa), ERR_UNSUPPORTED);
        params.udp_dst = 0;
        params.suite.cipher = ESP_CIPHER_AES_CBC;
        assert_int_equal(esp_sa_new(&params, &sa), ERR_UNSUPPORTED);
        params.suite.cipher = ESP_CIPHER_NONE;
        sa = fixture_sa(esp_backend_default(), &params, false);
        uint32_t around = families[f] == IP_V4 ? 20 + 28 : 40 + 32;
        assert_int_equal(esp_inner_mtu(sa, 1500), 1500 - around);
        assert_int_equal(esp_inner_mtu(sa, around), 0);
        fixture_inner(packet, IP_V4, 60, 0);
        memmove(packet->base + around - 1, packet_data(packet), 60);
        packet->at = around - 1;
        assert_int_equal(fixture_encapsulate(sa, packet), ERR_ROOM);
        fixture_inner(packet, IP_V4, 65528 - around + 1, 0);
        assert_int_equal(fixture_encapsulate(sa, packet), ERR_ROOM);
        fixture_inner(packet, IP_V4, 65528 - around, 0);
        assert_int_equal(fixture_encapsulate(sa, packet), ERR_OK);
        sa->sequence = UINT32_MAX;
        fixture_inner(packet, IP_V4, 60, 0);
        assert_int_equal(fixture_encapsulate(sa, packet), ERR_EXPIRED);
        esp_sa_free(sa);
    }
    fixture_packet_free(packet);
}

/* RFC 6040 and DSCP: as with ESP, from the outer header that AH doesn't protect. */
static void test_ecn(void **state)
{
    (void)state;
    struct sa_params params = fixture_params(ah_suite(0, false), IP_V4);
    struct tunnel tunnel = ah_tunnel(esp_backend_default(), esp_backend_default(), &params);
    struct packet *packet = fixture_packet();
    struct ip_header header;
    fixture_inner(packet, IP_V4, 60, 0xb8 | IP_ECN_ECT0);
    packet_data(packet)[6] = 0x40;
    assert_int_equal(fixture_encapsulate(tunnel.out, packet), ERR_OK);
    assert_int_equal(ip_header_parse(view_of(packet_data(packet), packet->len), &header), ERR_OK);
    assert_int_equal(header.tos, 0xb8 | IP_ECN_ECT0);
    assert_true(header.dont_fragment);
    ip_tos_write(span_of(packet_data(packet), packet->len), IP_ECN_CE);
    packet->outer.tos = IP_ECN_CE;
    assert_int_equal(fixture_decapsulate(tunnel.in, packet), ERR_OK);
    assert_int_equal(packet_data(packet)[1], 0xb8 | IP_ECN_CE);
    fixture_tunnel_free(&tunnel);
    fixture_packet_free(packet);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trips), cmocka_unit_test(test_each_bit),
        cmocka_unit_test(test_v4_options),  cmocka_unit_test(test_v6_extensions),
        cmocka_unit_test(test_padding),     cmocka_unit_test(test_fragments),
        cmocka_unit_test(test_short),       cmocka_unit_test(test_inner),
        cmocka_unit_test(test_limits),      cmocka_unit_test(test_ecn),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
