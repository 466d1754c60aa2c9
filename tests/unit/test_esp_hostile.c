/* What an ESP SA refuses: tampering, replays, cuts, bad trailers, used-up numbers, bad parameters.
 */
#include "esp_fixture.h"

static uint8_t saved[2048];

/* One good ESP packet, kept in `saved`; returns its length. */
static uint32_t send_one(struct esp_sa *out, struct packet *packet, uint32_t inner_len)
{
    fixture_inner(packet, IP_V4, inner_len, 0);
    assert_int_equal(fixture_encapsulate(out, packet), ERR_OK);
    memcpy(saved, packet_data(packet), packet->len);
    return packet->len;
}

static void tamper_each_octet(const struct esp_backend *backend, struct esp_suite suite,
                              struct packet *packet)
{
    struct tunnel tunnel = fixture_tunnel(backend, backend, suite);
    uint32_t len = send_one(tunnel.out, packet, 91);
    for (uint32_t i = 0; i < len; i++) {
        for (unsigned bit = 1; bit < 256; bit <<= 1) {
            saved[i] ^= (uint8_t)bit;
            fixture_receive(packet, view_of(saved, len));
            enum err err = fixture_decapsulate(tunnel.in, packet);
            /* The SPI isn't ours any more; a sequence number of zero is never right. */
            bool zero = i == 7 && bit == 1;
            assert_int_equal(err, i < 4 ? ERR_UNKNOWN : zero ? ERR_REPLAY : ERR_DECRYPT);
            saved[i] ^= (uint8_t)bit;
        }
    }
    /* None of it moved the window: the packet itself still comes through. */
    struct esp_counts counts;
    esp_sa_counts(tunnel.in, &counts);
    assert_int_equal(counts.sequence, 0);
    assert_int_equal(counts.not_authentic, (len - 4) * 8 - 1);
    assert_int_equal(counts.replayed, 1);
    fixture_receive(packet, view_of(saved, len));
    assert_int_equal(fixture_decapsulate(tunnel.in, packet), ERR_OK);
    fixture_receive(packet, view_of(saved, len));
    assert_int_equal(fixture_decapsulate(tunnel.in, packet), ERR_REPLAY);
    fixture_tunnel_free(&tunnel);
}

static void test_tampering(void **state)
{
    (void)state;
    struct packet *packet = fixture_packet();
    for (size_t b = 0; b < COUNT(fixture_backends); b++) {
        for (size_t i = 0; i < 2 * FIXTURE_SUITES; i++) {
            struct esp_suite suite = fixture_suite(i / 2);
            suite.esn = i % 2 != 0;
            tamper_each_octet(fixture_backends[b], suite, packet);
        }
    }
    fixture_packet_free(packet);
}

/* Cut at every length, in a buffer that ends where the packet does. */
static void test_truncated(void **state)
{
    (void)state;
    struct packet *packet = fixture_packet();
    for (size_t b = 0; b < COUNT(fixture_backends); b++) {
        for (size_t i = 0; i < FIXTURE_SUITES; i++) {
            struct esp_suite suite = fixture_suite(i);
            struct tunnel tunnel = fixture_tunnel(fixture_backends[b], fixture_backends[b], suite);
            uint32_t len = send_one(tunnel.out, packet, 60);
            uint32_t least = (uint32_t)(8 + esp_suite_iv_len(&suite) + esp_suite_icv_len(&suite) +
                                        esp_suite_block_len(&suite));
            for (uint32_t cut = 0; cut < len; cut++) {
                uint8_t *octets = malloc(cut + 1);
                memcpy(octets, saved, cut);
                struct packet exact = {.base = octets, .room = cut, .len = cut};
                enum err err = fixture_decapsulate(tunnel.in, &exact);
                bool blocks = (cut - least) % esp_suite_block_len(&suite) == 0;
                assert_int_equal(err, cut < least ? ERR_SHORT : blocks ? ERR_DECRYPT : ERR_SYNTAX);
                free(octets);
            }
            fixture_receive(packet, view_of(saved, len));
            assert_int_equal(fixture_decapsulate(tunnel.in, packet), ERR_OK);
            fixture_tunnel_free(&tunnel);
        }
    }
    fixture_packet_free(packet);
}

/* Seals a text of our own making, as a peer with the key could. */
static void seal_text(struct esp_sa *out, struct packet *packet, struct view text)
{
    uint32_t front = ESP_HEADER + out->iv_len;
    struct esp_op op = {.text_at = front, .text_len = (uint32_t)text.len};
    packet->at = LIMIT_HEADROOM;
    packet->len = front + (uint32_t)text.len + out->icv_len;
    memset(&packet->outer, 0, sizeof(packet->outer));
    op.packet = packet_data(packet);
    memset(op.packet, 0, front);
    out->sequence++;
    esp_store32(op.packet, out->spi.value);
    esp_store32(op.packet + 4, (uint32_t)out->sequence);
    memcpy(op.packet + front, text.ptr, text.len);
    op.hash_len = front + op.text_len;
    memcpy(op.iv, out->salt, 4);
    if (!out->combined)
        memset(op.iv, 0, sizeof(op.iv));
    esp_op_aad(out, out->sequence, &op);
    out->backend->seal(out->key, &op, 1);
    assert_true(op.good);
    memcpy(op.packet + front + text.len, op.icv, out->icv_len);
}

struct text_row {
    const char *why;
    uint32_t inner_len, total_len; /* octets there are, octets the IPv4 header claims */
    uint8_t first;                 /* its first octet */
    uint8_t pad_len, pad_first, next_header;
    enum err err;
};

static const struct text_row text_rows[] = {
    {"whole", 60, 60, 0x45, 2, 1, IP_PROTO_IPV4, ERR_OK},
    {"as much padding as one can say", 62, 62, 0x45, 128, 1, IP_PROTO_IPV4, ERR_OK},
    {"padding for flow confidentiality", 60, 40, 0x45, 2, 1, IP_PROTO_IPV4, ERR_OK},
    {"a dummy packet", 60, 60, 0x45, 2, 1, IP_PROTO_NONE, ERR_UNEXPECTED},
    {"transport mode", 60, 60, 0x45, 2, 1, IP_PROTO_UDP, ERR_SYNTAX},
    {"padding that doesn't count from one", 60, 60, 0x45, 2, 0, IP_PROTO_IPV4, ERR_SYNTAX},
    {"the other family", 60, 60, 0x45, 2, 1, IP_PROTO_IPV6, ERR_SYNTAX},
    {"no family at all", 60, 60, 0x05, 2, 1, IP_PROTO_IPV4, ERR_SYNTAX},
    {"claims more than there is", 60, 61, 0x45, 2, 1, IP_PROTO_IPV4, ERR_SYNTAX},
    {"claims less than a header", 60, 19, 0x45, 2, 1, IP_PROTO_IPV4, ERR_SYNTAX},
    {"shorter than a header", 12, 12, 0x45, 2, 1, IP_PROTO_IPV4, ERR_SYNTAX},
    {"nothing", 0, 0, 0, 14, 1, IP_PROTO_IPV4, ERR_SYNTAX},
    {"an empty dummy", 0, 0, 0, 14, 1, IP_PROTO_NONE, ERR_UNEXPECTED},
};

static void check_text(const struct esp_backend *backend, struct esp_suite suite,
                       const struct text_row *row, struct packet *packet)
{
    uint8_t text[512] = {0};
    struct tunnel tunnel = fixture_tunnel(backend, backend, suite);
    text[0] = row->first;
    text[2] = (uint8_t)(row->total_len >> 8);
    text[3] = (uint8_t)row->total_len;
    uint32_t len = row->inner_len;
    for (uint32_t i = 0; i < row->pad_len; i++)
        text[len + i] = (uint8_t)(row->pad_first + i);
    len += row->pad_len;
    text[len++] = row->pad_len;
    text[len++] = row->next_header;
    assert_int_equal(len % 16, 0);
    seal_text(tunnel.out, packet, view_of(text, len));
    assert_int_equal(fixture_decapsulate(tunnel.in, packet), row->err);
    if (row->err == ERR_OK)
        assert_int_equal(packet->len, row->total_len);
    struct esp_counts counts;
    esp_sa_counts(tunnel.in, &counts);
    assert_int_equal(counts.sequence, 1); /* authentic, so it counts as seen */
    assert_int_equal(counts.malformed, row->err == ERR_SYNTAX);
    assert_int_equal(counts.packets, row->err == ERR_OK);
    fixture_tunnel_free(&tunnel);
}

static void test_texts(void **state)
{
    (void)state;
    struct packet *packet = fixture_packet();
    for (size_t b = 0; b < COUNT(fixture_backends); b++)
        for (size_t i = 0; i < FIXTURE_SUITES; i++)
            for (size_t r = 0; r < COUNT(text_rows); r++)
                check_text(fixture_backends[b], fixture_suite(i), &text_rows[r], packet);
    fixture_packet_free(packet);
}

/* Every pad length that doesn't fit, and every one that does but isn't the padding. */
static void test_pad_lengths(void **state)
{
    (void)state;
    struct packet *packet = fixture_packet();
    uint8_t text[64] = {0x45, 0, 0, 40};
    for (unsigned pad_len = 0; pad_len < 256; pad_len++) {
        struct tunnel tunnel =
            fixture_tunnel(esp_backend_default(), esp_backend_default(), fixture_suite(0));
        text[62] = (uint8_t)pad_len;
        text[63] = IP_PROTO_IPV4;
        seal_text(tunnel.out, packet, view_of(text, sizeof(text)));
        assert_int_equal(fixture_decapsulate(tunnel.in, packet),
                         pad_len == 0 ? ERR_OK : ERR_SYNTAX);
        fixture_tunnel_free(&tunnel);
    }
    fixture_packet_free(packet);
}

static void test_sequence_exhaustion(void **state)
{
    (void)state;
    struct packet *packet = fixture_packet();
    for (unsigned esn = 0; esn < 2; esn++) {
        struct esp_suite suite = fixture_suite(esn == 0 ? 0 : FIXTURE_COMBINED);
        suite.esn = esn != 0;
        struct tunnel tunnel = fixture_tunnel(esp_backend_default(), esp_backend_default(), suite);
        uint64_t last = esn != 0 ? UINT64_MAX : UINT32_MAX;
        tunnel.out->sequence = tunnel.in->replay.top = last - 2;
        struct packet *burst[4];
        enum err errs[4];
        for (size_t i = 0; i < 4; i++) {
            burst[i] = fixture_packet();
            fixture_inner(burst[i], IP_V4, 50, 0);
        }
        esp_encapsulate(tunnel.out, burst, 4, errs);
        for (size_t i = 0; i < 4; i++) {
            assert_int_equal(errs[i], i < 2 ? ERR_OK : ERR_EXPIRED);
            if (i < 2)
                assert_int_equal(fixture_decapsulate(tunnel.in, burst[i]), ERR_OK);
            else
                assert_int_equal(burst[i]->len, 50); /* as it was */
            fixture_packet_free(burst[i]);
        }
        fixture_inner(packet, IP_V4, 50, 0);
        assert_int_equal(fixture_encapsulate(tunnel.out, packet), ERR_EXPIRED);
        assert_int_equal(tunnel.out->sequence, last);
        fixture_tunnel_free(&tunnel);
    }
    fixture_packet_free(packet);
}

/* Over 2^32 and on, in order and out of it, with a loss of most of a subspace (RFC 4303 A2). */
static void esn_wrap(const struct esp_backend *backend, struct esp_suite suite)
{
    enum { PACKETS = 64 };
    struct packet *packets[PACKETS];
    struct tunnel tunnel = fixture_tunnel(backend, backend, suite);
    tunnel.out->sequence = UINT32_MAX - PACKETS / 2;
    tunnel.in->replay.top = UINT32_MAX - 1000;
    for (size_t i = 0; i < PACKETS; i++) {
        packets[i] = fixture_packet();
        fixture_inner(packets[i], IP_V4, 60, 0);
        assert_int_equal(fixture_encapsulate(tunnel.out, packets[i]), ERR_OK);
    }
    for (size_t i = 0; i < PACKETS; i++) { /* evens upwards, odds downwards */
        size_t pick = i < PACKETS / 2 ? 2 * i : 2 * (PACKETS - i) - 1;
        assert_int_equal(fixture_decapsulate(tunnel.in, packets[pick]), ERR_OK);
    }
    struct esp_counts counts;
    esp_sa_counts(tunnel.in, &counts);
    assert_int_equal(counts.sequence, (uint64_t)UINT32_MAX + PACKETS / 2);
    tunnel.out->sequence += (1ull << 32) - 3000;
    fixture_inner(packets[0], IP_V4, 60, 0);
    assert_int_equal(fixture_encapsulate(tunnel.out, packets[0]), ERR_OK);
    assert_int_equal(fixture_decapsulate(tunnel.in, packets[0]), ERR_OK);
    /* Lost 2^32 in a row: the low half comes out right and the high half doesn't. */
    tunnel.out->sequence += 1ull << 32;
    fixture_inner(packets[0], IP_V4, 60, 0);
    assert_int_equal(fixture_encapsulate(tunnel.out, packets[0]), ERR_OK);
    assert_int_equal(fixture_decapsulate(tunnel.in, packets[0]), ERR_DECRYPT);
    for (size_t i = 0; i < PACKETS; i++)
        fixture_packet_free(packets[i]);
    fixture_tunnel_free(&tunnel);
}

static void test_esn_wrap(void **state)
{
    (void)state;
    for (size_t b = 0; b < COUNT(fixture_backends); b++) {
        for (size_t i = 0; i < FIXTURE_SUITES; i++) {
            struct esp_suite suite = fixture_suite(i);
            suite.esn = true;
            esn_wrap(fixture_backends[b], suite);
        }
    }
}

/* The same packet twice in one burst, and a forgery beside the real one. */
static void test_burst_replay(void **state)
{
    (void)state;
    for (size_t b = 0; b < COUNT(fixture_backends); b++) {
        for (size_t i = 0; i < FIXTURE_SUITES; i++) {
            struct tunnel tunnel =
                fixture_tunnel(fixture_backends[b], fixture_backends[b], fixture_suite(i));
            struct packet *burst[4];
            enum err errs[4];
            for (size_t k = 0; k < 4; k++)
                burst[k] = fixture_packet();
            uint32_t len = send_one(tunnel.out, burst[0], 70);
            for (size_t k = 0; k < 4; k++)
                fixture_receive(burst[k], view_of(saved, len));
            packet_data(burst[0])[len - 1] ^= 1;
            packet_data(burst[2])[30] ^= 1;
            esp_decapsulate(tunnel.in, burst, 4, errs);
            assert_int_equal(errs[0], ERR_DECRYPT);
            assert_int_equal(errs[1], ERR_OK);
            assert_int_equal(errs[2], ERR_DECRYPT);
            assert_int_equal(errs[3], ERR_REPLAY);
            for (size_t k = 0; k < 4; k++)
                fixture_packet_free(burst[k]);
            fixture_tunnel_free(&tunnel);
        }
    }
}

static void test_no_room(void **state)
{
    (void)state;
    struct packet *packet = fixture_packet();
    for (size_t i = 0; i < FIXTURE_SUITES; i++) {
        struct esp_suite suite = fixture_suite(i);
        struct sa_params params = fixture_params(suite, IP_V4);
        struct esp_sa *sa = fixture_sa(esp_backend_default(), &params, false);
        uint32_t front = (uint32_t)(8 + esp_suite_iv_len(&suite));
        uint8_t inner[60];
        fixture_inner(packet, IP_V4, 60, 0);
        memcpy(inner, packet_data(packet), sizeof(inner));
        packet->at = front - 1;
        memcpy(packet_data(packet), inner, sizeof(inner));
        assert_int_equal(fixture_encapsulate(sa, packet), ERR_ROOM);
        fixture_inner(packet, IP_V4, 60, 0);
        assert_int_equal(fixture_encapsulate(sa, packet), ERR_OK);
        uint32_t behind = packet->len - front - 60, room = packet->room;
        for (uint32_t less = 0; less <= behind; less++) {
            fixture_inner(packet, IP_V4, 60, 0);
            packet->room = packet->at + 60 + behind - less;
            assert_int_equal(fixture_encapsulate(sa, packet), less == 0 ? ERR_OK : ERR_ROOM);
            if (less != 0)
                assert_memory_equal(packet_data(packet), inner, 60);
        }
        packet->room = room;
        fixture_inner(packet, IP_V4, 65535, 0); /* no IP payload could hold it */
        assert_int_equal(fixture_encapsulate(sa, packet), ERR_ROOM);
        assert_int_equal(sa->sequence, 2);
        esp_sa_free(sa);
    }
    fixture_packet_free(packet);
}

static void test_not_ip(void **state)
{
    (void)state;
    struct packet *packet = fixture_packet();
    struct sa_params params = fixture_params(fixture_suite(0), IP_V4);
    struct esp_sa *sa = fixture_sa(esp_backend_default(), &params, false);
    for (uint32_t len = 0; len < 40; len++) {
        fixture_inner(packet, IP_V6, 40, 0);
        packet->len = len;
        assert_int_equal(fixture_encapsulate(sa, packet), ERR_SHORT);
        fixture_inner(packet, IP_V4, 40, 0);
        packet->len = len;
        assert_int_equal(fixture_encapsulate(sa, packet), len < 20 ? ERR_SHORT : ERR_OK);
    }
    for (unsigned version = 0; version < 16; version++) {
        fixture_inner(packet, IP_V4, 40, 0);
        packet_data(packet)[0] = (uint8_t)(version << 4 | 5);
        if (version != 4 && version != 6)
            assert_int_equal(fixture_encapsulate(sa, packet), ERR_VERSION);
    }
    esp_sa_free(sa);
    fixture_packet_free(packet);
}

/* Single DES and NULL are no suites, and neither is encryption without authentication. */
static void test_bad_parameters(void **state)
{
    (void)state;
    struct esp_sa *sa = NULL;
    static const struct esp_suite none[] = {
        {ESP_CIPHER_NONE, ESP_AUTH_HMAC_SHA2_256_128, 0, false},
        {ESP_CIPHER_NONE, ESP_AUTH_NONE, 0, false},
        {ESP_CIPHER_AES_CBC, ESP_AUTH_NONE, 128, false},
        {ESP_CIPHER_3DES_CBC, ESP_AUTH_NONE, 192, false},
        {ESP_CIPHER_3DES_CBC, ESP_AUTH_HMAC_MD5_96, 64, false},
        {ESP_CIPHER_AES_GCM, ESP_AUTH_HMAC_SHA1_96, 128, false},
        {ESP_CIPHER_AES_GCM, ESP_AUTH_NONE, 64, false},
        {ESP_CIPHER_CHACHA20_POLY1305, ESP_AUTH_NONE, 128, false},
        {ESP_CIPHER_CHACHA20_POLY1305, ESP_AUTH_HMAC_SHA2_256_128, 256, false},
        {77, ESP_AUTH_HMAC_SHA1_96, 128, false},
        {ESP_CIPHER_AES_CBC, 77, 128, false},
    };
    for (size_t i = 0; i < COUNT(none); i++) {
        struct sa_params params = fixture_params(none[i], IP_V4);
        assert_int_equal(esp_sa_new(&params, &sa), ERR_UNSUPPORTED);
    }
    for (size_t i = 0; i < FIXTURE_SUITES; i++) {
        struct sa_params params = fixture_params(fixture_suite(i), IP_V4);
        params.cipher_key_len--;
        assert_int_equal(esp_sa_new(&params, &sa), ERR_UNSUPPORTED);
        params.cipher_key_len++;
        params.auth_key_len++;
        assert_int_equal(esp_sa_new(&params, &sa), ERR_UNSUPPORTED);
    }
    assert_null(sa);
    esp_sa_free(NULL);
}

/* Another key, another salt, another direction's numbers: nothing gets through. */
static void test_wrong_keys(void **state)
{
    (void)state;
    struct packet *packet = fixture_packet();
    for (size_t i = 0; i < FIXTURE_SUITES; i++) {
        struct sa_params params = fixture_params(fixture_suite(i), IP_V4);
        struct esp_sa *out = fixture_sa(esp_backend_default(), &params, false);
        uint32_t len = send_one(out, packet, 80);
        struct sa_params cipher = params, auth = params;
        cipher.cipher_key[cipher.cipher_key_len - 1] ^= 2;
        auth.auth_key[0] ^= 2;
        /* HMAC covers the cipher text, so only GCM notices the cipher key itself. */
        bool combined = params.auth_key_len == 0;
        struct esp_sa *in = fixture_sa(esp_backend_default(), combined ? &cipher : &auth, true);
        fixture_receive(packet, view_of(saved, len));
        assert_int_equal(fixture_decapsulate(in, packet), ERR_DECRYPT);
        esp_sa_free(in);
        esp_sa_free(out);
    }
    fixture_packet_free(packet);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tampering),
        cmocka_unit_test(test_truncated),
        cmocka_unit_test(test_texts),
        cmocka_unit_test(test_pad_lengths),
        cmocka_unit_test(test_sequence_exhaustion),
        cmocka_unit_test(test_esn_wrap),
        cmocka_unit_test(test_burst_replay),
        cmocka_unit_test(test_no_room),
        cmocka_unit_test(test_not_ip),
        cmocka_unit_test(test_bad_parameters),
        cmocka_unit_test(test_wrong_keys),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
