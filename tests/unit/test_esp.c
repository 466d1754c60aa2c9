/* ESP tunnels that work: every suite, both families, all sizes, both backends, outer headers. */
#include "esp_fixture.h"

#include "esp/ecn.h"

#include <pthread.h>

static const enum ip_family families[] = {IP_V4, IP_V6};

/* Sends one datagram through and expects it back; returns the ESP packet's length. */
static uint32_t pass_one(struct tunnel *tunnel, struct packet *packet, uint8_t *copy)
{
    uint32_t len = packet->len;
    memcpy(copy, packet_data(packet), len);
    assert_int_equal(fixture_encapsulate(tunnel->out, packet), ERR_OK);
    uint32_t sent_len = packet->len;
    assert_int_equal(fixture_decapsulate(tunnel->in, packet), ERR_OK);
    assert_int_equal(packet->len, len);
    assert_memory_equal(packet_data(packet), copy, len);
    return sent_len;
}

static void round_trips(const struct esp_backend *backend, struct esp_suite suite,
                        struct packet *packet, uint8_t *copy)
{
    struct tunnel tunnel = fixture_tunnel(backend, backend, suite);
    uint32_t overhead_min =
        8 + (uint32_t)esp_suite_iv_len(&suite) + 2 + (uint32_t)esp_suite_icv_len(&suite);
    uint32_t block = (uint32_t)esp_suite_block_len(&suite);
    for (size_t f = 0; f < COUNT(families); f++) {
        uint32_t header_len = (uint32_t)ip_header_len(families[f]);
        for (uint32_t len = header_len; len <= 1540; len += len < 200 || len >= 1480 ? 1 : 11) {
            fixture_inner(packet, families[f], len, 0);
            uint32_t sent = pass_one(&tunnel, packet, copy);
            assert_true(sent >= len + overhead_min && sent < len + overhead_min + block);
        }
        uint32_t most = ESP_PACKET_MAX - overhead_min - block;
        for (uint32_t len = most - 4; len <= most; len++) {
            fixture_inner(packet, families[f], len, 0);
            pass_one(&tunnel, packet, copy);
        }
    }
    fixture_tunnel_free(&tunnel);
}

static void test_round_trips(void **state)
{
    (void)state;
    struct packet *packet = fixture_packet();
    uint8_t *copy = malloc(LIMIT_PACKET);
    for (size_t b = 0; b < COUNT(fixture_backends); b++) {
        for (size_t i = 0; i < FIXTURE_SUITES; i++) {
            struct esp_suite suite = fixture_suite(i);
            suite.esn = i % 2 == 0;
            round_trips(fixture_backends[b], suite, packet, copy);
        }
    }
    free(copy);
    fixture_packet_free(packet);
}

/* Outside over IPv4 and IPv6, native and in UDP: the octets are the same, the outer fields differ.
 */
static void test_outer_fields(void **state)
{
    (void)state;
    struct packet *packet = fixture_packet();
    for (size_t o = 0; o < COUNT(families); o++) {
        for (size_t i = 0; i < COUNT(families); i++) {
            for (uint16_t port = 0; port <= 4500; port += 4500) {
                struct sa_params params = fixture_params(fixture_suite(0), families[o]);
                params.udp_src = port;
                params.udp_dst = port != 0 ? port + 1 : 0;
                struct esp_sa *sa = fixture_sa(fixture_backends[0], &params, false);
                fixture_inner(packet, families[i], 100, 0xb8);
                memset(&packet->outer, 0xff, sizeof(packet->outer));
                assert_int_equal(fixture_encapsulate(sa, packet), ERR_OK);
                assert_true(ip_addr_equal(&packet->outer.src, &params.outer_src));
                assert_true(ip_addr_equal(&packet->outer.dst, &params.outer_dst));
                assert_int_equal(packet->outer.udp_src, params.udp_src);
                assert_int_equal(packet->outer.udp_dst, params.udp_dst);
                assert_int_equal(packet->outer.tos, 0xb8);
                esp_sa_free(sa);
            }
        }
    }
    fixture_packet_free(packet);
}

/* RFC 4301 section 5.1.2.1: DSCP copied; RFC 6040 section 4.1: ECN copied; RFC 4301 8.1: DF. */
static void test_tos_and_df_out(void **state)
{
    (void)state;
    struct packet *packet = fixture_packet();
    struct sa_params params = fixture_params(fixture_suite(0), IP_V4);
    struct esp_sa *sa = fixture_sa(fixture_backends[0], &params, false);
    for (unsigned tos = 0; tos < 256; tos++) {
        for (unsigned df = 0; df < 2; df++) {
            fixture_inner(packet, IP_V4, 60, (uint8_t)tos);
            packet_data(packet)[6] = df != 0 ? 0x40 : 0;
            assert_int_equal(fixture_encapsulate(sa, packet), ERR_OK);
            assert_int_equal(packet->outer.tos, tos);
            assert_int_equal(packet->outer.dont_fragment, df);
        }
        fixture_inner(packet, IP_V6, 60, (uint8_t)tos);
        assert_int_equal(fixture_encapsulate(sa, packet), ERR_OK);
        assert_int_equal(packet->outer.tos, tos);
        assert_true(packet->outer.dont_fragment);
    }
    esp_sa_free(sa);
    fixture_packet_free(packet);
}

/* RFC 6040 figure 4, row by row: inner Not-ECT, ECT(0), ECT(1), CE; then the same for columns. */
static const struct {
    uint8_t inner, outer;
    int result; /* -1: drop */
} ecn_rows[] = {
    {0, 0, 0}, {0, 2, 0}, {0, 1, 0}, {0, 3, -1}, /* Not-ECT */
    {2, 0, 2}, {2, 2, 2}, {2, 1, 1}, {2, 3, 3},  /* ECT(0) */
    {1, 0, 1}, {1, 2, 1}, {1, 1, 1}, {1, 3, 3},  /* ECT(1) */
    {3, 0, 3}, {3, 2, 3}, {3, 1, 3}, {3, 3, 3},  /* CE */
};

static void test_ecn_table(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(ecn_rows); i++) {
        for (unsigned dscp = 0; dscp < 256; dscp += 84) { /* DSCP is not looked at */
            uint8_t got = 0x77;
            bool kept = ecn_combine((uint8_t)(ecn_rows[i].inner | dscp),
                                    (uint8_t)(ecn_rows[i].outer | (252 - dscp)), &got);
            assert_int_equal(kept, ecn_rows[i].result >= 0);
            assert_int_equal(got, kept ? ecn_rows[i].result : 0x77);
        }
    }
}

static void test_ecn_in(void **state)
{
    (void)state;
    struct packet *packet = fixture_packet();
    struct tunnel tunnel =
        fixture_tunnel(fixture_backends[0], fixture_backends[0], fixture_suite(0));
    for (size_t f = 0; f < COUNT(families); f++) {
        for (size_t i = 0; i < COUNT(ecn_rows); i++) {
            fixture_inner(packet, families[f], 77, (uint8_t)(0xb8 | ecn_rows[i].inner));
            assert_int_equal(fixture_encapsulate(tunnel.out, packet), ERR_OK);
            packet->outer.tos = (uint8_t)(0x28 | ecn_rows[i].outer);
            enum err err = fixture_decapsulate(tunnel.in, packet);
            assert_int_equal(err, ecn_rows[i].result < 0 ? ERR_VALUE : ERR_OK);
            if (err != ERR_OK)
                continue;
            struct ip_header header; /* which checks the IPv4 checksum too */
            assert_int_equal(ip_header_parse(view_of(packet_data(packet), packet->len), &header),
                             ERR_OK);
            assert_int_equal(header.tos, 0xb8 | ecn_rows[i].result);
        }
    }
    fixture_tunnel_free(&tunnel);
    fixture_packet_free(packet);
}

enum { BURST = 3 * LIMIT_BURST + 5 };

static void burst_inner(struct packet **burst)
{
    for (uint32_t i = 0; i < BURST; i++)
        fixture_inner(burst[i], i % 3 == 0 ? IP_V6 : IP_V4, 40 + i * 37 % 1400, 0);
}

/* What one backend sends the other understands, octet for octet the same, burst or single. */
static void backends_agree(const struct esp_backend *a, const struct esp_backend *b,
                           struct esp_suite suite, struct packet **burst, struct packet *single)
{
    enum err errs[BURST];
    struct tunnel ab = fixture_tunnel(a, b, suite);
    struct tunnel singly = fixture_tunnel(b, a, suite);
    ab.out->sequence = singly.out->sequence = UINT32_MAX - (suite.esn ? 50 : BURST);
    ab.in->replay.top = singly.in->replay.top = ab.out->sequence;
    burst_inner(burst);
    esp_encapsulate(ab.out, burst, BURST, errs);
    for (uint32_t i = 0; i < BURST; i++) {
        assert_int_equal(errs[i], ERR_OK);
        fixture_inner(single, i % 3 == 0 ? IP_V6 : IP_V4, 40 + i * 37 % 1400, 0);
        assert_int_equal(fixture_encapsulate(singly.out, single), ERR_OK);
        assert_int_equal(single->len, burst[i]->len);
        assert_memory_equal(packet_data(single), packet_data(burst[i]), single->len);
        assert_int_equal(fixture_decapsulate(singly.in, single), ERR_OK);
    }
    esp_decapsulate(ab.in, burst, BURST, errs);
    for (uint32_t i = 0; i < BURST; i++) {
        assert_int_equal(errs[i], ERR_OK);
        fixture_inner(single, i % 3 == 0 ? IP_V6 : IP_V4, 40 + i * 37 % 1400, 0);
        assert_int_equal(single->len, burst[i]->len);
        assert_memory_equal(packet_data(single), packet_data(burst[i]), single->len);
    }
    fixture_tunnel_free(&ab);
    fixture_tunnel_free(&singly);
}

static void test_bursts_and_backends(void **state)
{
    (void)state;
    struct packet *burst[BURST], *single = fixture_packet();
    for (size_t i = 0; i < BURST; i++)
        burst[i] = fixture_packet();
    for (size_t a = 0; a < COUNT(fixture_backends); a++) {
        for (size_t b = 0; b < COUNT(fixture_backends); b++) {
            for (size_t i = 0; i < 2 * FIXTURE_SUITES; i++) {
                struct esp_suite suite = fixture_suite(i / 2);
                suite.esn = i % 2 != 0;
                backends_agree(fixture_backends[a], fixture_backends[b], suite, burst, single);
            }
        }
    }
    for (size_t i = 0; i < BURST; i++)
        fixture_packet_free(burst[i]);
    fixture_packet_free(single);
}

/* GCM never repeats an explicit IV; CBC's IVs look unrelated from packet to packet. */
static void test_ivs(void **state)
{
    (void)state;
    enum { PACKETS = 300 };
    static uint8_t seen[PACKETS][16];
    struct packet *packet = fixture_packet();
    for (size_t i = 0; i < FIXTURE_SUITES; i++) {
        struct esp_suite suite = fixture_suite(i);
        size_t iv_len = esp_suite_iv_len(&suite);
        struct sa_params params = fixture_params(suite, IP_V4);
        struct esp_sa *sa = fixture_sa(esp_backend_default(), &params, false);
        unsigned bits_changed = 0;
        for (size_t n = 0; n < PACKETS; n++) {
            fixture_inner(packet, IP_V4, 40, 0);
            assert_int_equal(fixture_encapsulate(sa, packet), ERR_OK);
            memcpy(seen[n], packet_data(packet) + 8, iv_len);
            for (size_t k = 0; k < n; k++)
                assert_memory_not_equal(seen[n], seen[k], iv_len);
            for (size_t k = 0; n > 0 && k < iv_len; k++)
                bits_changed += (unsigned)__builtin_popcount(seen[n][k] ^ seen[n - 1][k]);
        }
        if (!esp_suite_combined(&suite)) {
            unsigned half = (unsigned)((PACKETS - 1) * iv_len * 8 / 2);
            assert_in_range(bits_changed, half - half / 10, half + half / 10);
        }
        esp_sa_free(sa);
    }
    fixture_packet_free(packet);
}

/* Two SAs with other keys have other IVs for the same sequence numbers. */
static void test_ivs_differ_by_key(void **state)
{
    (void)state;
    struct sa_params params = fixture_params(fixture_suite(FIXTURE_COMBINED), IP_V4);
    uint8_t ivs[3][1][ESP_IV_MAX];
    for (size_t i = 0; i < 3; i++) {
        struct esp_ivs *made = NULL;
        params.cipher_key[0] ^= i == 1;
        params.auth_key[0] ^= i == 2;
        assert_int_equal(esp_ivs_new(&params, &made), ERR_OK);
        assert_true(esp_ivs_fill(made, 1, ivs[i], 1));
        esp_ivs_free(made);
    }
    assert_memory_not_equal(ivs[0], ivs[1], ESP_IV_MAX);
    assert_memory_not_equal(ivs[1], ivs[2], ESP_IV_MAX);
    assert_memory_not_equal(ivs[0], ivs[2], ESP_IV_MAX);
}

/* The largest that fits, fits, and one octet more doesn't. */
static void test_inner_mtu(void **state)
{
    (void)state;
    struct packet *packet = fixture_packet();
    for (size_t i = 0; i < 4 * FIXTURE_SUITES; i++) {
        struct sa_params params = fixture_params(fixture_suite(i / 4), i % 2 == 0 ? IP_V4 : IP_V6);
        params.udp_src = params.udp_dst = i % 4 < 2 ? 0 : 4500;
        struct esp_sa *sa = fixture_sa(esp_backend_default(), &params, false);
        uint32_t outer = (uint32_t)ip_header_len(i % 2 == 0 ? IP_V4 : IP_V6) + (i % 4 < 2 ? 0 : 8);
        for (uint32_t mtu = 0; mtu < 200; mtu++)
            assert_true(esp_inner_mtu(sa, mtu) < mtu || mtu == 0);
        assert_int_equal(esp_inner_mtu(sa, outer), 0);
        for (uint32_t mtu = 1280; mtu < 1600; mtu += mtu < 1320 || mtu > 1480 ? 1 : 7) {
            uint32_t inner = esp_inner_mtu(sa, mtu);
            fixture_inner(packet, IP_V4, inner, 0);
            assert_int_equal(fixture_encapsulate(sa, packet), ERR_OK);
            assert_true(outer + packet->len <= mtu);
            fixture_inner(packet, IP_V4, inner + 1, 0);
            assert_int_equal(fixture_encapsulate(sa, packet), ERR_OK);
            assert_true(outer + packet->len > mtu);
        }
        esp_sa_free(sa);
    }
    fixture_packet_free(packet);
}

static void test_counts(void **state)
{
    (void)state;
    struct packet *packet = fixture_packet();
    struct tunnel tunnel =
        fixture_tunnel(esp_backend_default(), esp_backend_default(), fixture_suite(0));
    struct esp_counts out, in;
    for (uint32_t i = 0; i < 10; i++) {
        fixture_inner(packet, IP_V4, 100 + i, 0);
        assert_int_equal(fixture_encapsulate(tunnel.out, packet), ERR_OK);
        assert_int_equal(fixture_decapsulate(tunnel.in, packet), ERR_OK);
    }
    esp_sa_counts(tunnel.out, &out);
    esp_sa_counts(tunnel.in, &in);
    assert_int_equal(out.packets, 10);
    assert_int_equal(out.octets, 1045);
    assert_int_equal(out.sequence, 10);
    assert_int_equal(in.packets, 10);
    assert_int_equal(in.octets, 1045);
    assert_int_equal(in.sequence, 10);
    assert_int_equal(in.replayed + in.not_authentic + in.malformed, 0);
    fixture_tunnel_free(&tunnel);
    fixture_packet_free(packet);
}

/* Each thread its own SAs, all at once: ipsec-mb's managers belong to threads. */
static void *thread_run(void *arg)
{
    struct packet *packet = fixture_packet();
    uint8_t copy[1500];
    unsigned *passed = arg;
    for (size_t n = 0; n < 20 * FIXTURE_SUITES; n++) {
        struct esp_suite suite = fixture_suite(n % FIXTURE_SUITES);
        struct tunnel tunnel = fixture_tunnel(esp_backend_default(), esp_backend_default(), suite);
        fixture_inner(packet, IP_V4, (uint32_t)(60 + n), 0);
        memcpy(copy, packet_data(packet), packet->len);
        if (fixture_encapsulate(tunnel.out, packet) == ERR_OK &&
            fixture_decapsulate(tunnel.in, packet) == ERR_OK &&
            memcmp(copy, packet_data(packet), packet->len) == 0)
            (*passed)++;
        fixture_tunnel_free(&tunnel);
    }
    fixture_packet_free(packet);
    return NULL;
}

static void test_threads(void **state)
{
    (void)state;
    pthread_t threads[4];
    unsigned passed[4] = {0};
    for (size_t i = 0; i < COUNT(threads); i++)
        assert_int_equal(pthread_create(&threads[i], NULL, thread_run, &passed[i]), 0);
    for (size_t i = 0; i < COUNT(threads); i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        assert_int_equal(passed[i], 20 * FIXTURE_SUITES);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trips),
        cmocka_unit_test(test_outer_fields),
        cmocka_unit_test(test_tos_and_df_out),
        cmocka_unit_test(test_ecn_table),
        cmocka_unit_test(test_ecn_in),
        cmocka_unit_test(test_bursts_and_backends),
        cmocka_unit_test(test_ivs),
        cmocka_unit_test(test_ivs_differ_by_key),
        cmocka_unit_test(test_inner_mtu),
        cmocka_unit_test(test_counts),
        cmocka_unit_test(test_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
