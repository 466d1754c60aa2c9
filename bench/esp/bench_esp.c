/*
 * What a packet costs in the ESP room, beside the bare cryptography of the same run: bench_esp
 * [ROUNDS]. Each round does all of them in turn and the medians are printed, so that what else the
 * machine does touches all alike.
 */
#include "esp/state.h"
#include "wire/ip.h"

#include <intel-ipsec-mb.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { BURSTS = 200, ROUNDS_MAX = 1000, ROUNDS = 41 };

enum work {
    WORK_BARE, /* intel-ipsec-mb on the same number of octets, nothing else */
    WORK_OUT,
    WORK_IN,
    WORK_OUT_LIBCRYPTO,
    WORK_IN_LIBCRYPTO,
    WORK_COUNT
};

static const char *const work_names[WORK_COUNT] = {"bare", "out", "in", "out libcrypto",
                                                   "in libcrypto"};

struct bench {
    struct esp_suite suite;
    uint32_t len; /* of the inner datagram */
    struct sa_params params;
    IMB_MGR *manager;
    struct packet packets[LIMIT_BURST];
    struct packet *burst[LIMIT_BURST];
    double ns[WORK_COUNT][ROUNDS_MAX];
};

static uint64_t now_ns(void)
{
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    return (uint64_t)at.tv_sec * 1000000000u + (uint64_t)at.tv_nsec;
}

static void fill_burst(struct bench *bench)
{
    for (size_t i = 0; i < LIMIT_BURST; i++) {
        struct packet *packet = &bench->packets[i];
        struct ip_header header = {.src = bench->params.outer_src,
                                   .dst = bench->params.outer_dst,
                                   .total_len = bench->len,
                                   .proto = IP_PROTO_UDP,
                                   .ttl = 64};
        packet->at = LIMIT_HEADROOM;
        packet->len = bench->len;
        ip_header_write(&header, packet_data(packet));
    }
}

static uint64_t bare_gcm(struct bench *bench, const struct gcm_key_data *key, uint32_t text_len)
{
    static const uint8_t iv[12], aad[12];
    aes_gcm_enc_dec_t run =
        bench->suite.key_bits == 128 ? bench->manager->gcm128_enc : bench->manager->gcm256_enc;
    uint64_t start = now_ns();
    for (size_t i = 0; i < LIMIT_BURST; i++) {
        struct gcm_context_data context;
        uint8_t tag[16], *text = bench->packets[i].base + LIMIT_HEADROOM;
        run(key, &context, text, text, text_len, iv, aad, sizeof(aad), tag, sizeof(tag));
    }
    return now_ns() - start;
}

static uint64_t bare_chacha(struct bench *bench, uint32_t text_len)
{
    static const uint8_t iv[12], aad[12];
    uint64_t start = now_ns();
    for (size_t i = 0; i < LIMIT_BURST; i++) {
        struct chacha20_poly1305_context_data context;
        uint8_t tag[16], *text = bench->packets[i].base + LIMIT_HEADROOM;
        const uint8_t *key = bench->params.cipher_key;
        IMB_CHACHA20_POLY1305_INIT(bench->manager, key, &context, iv, aad, sizeof(aad));
        IMB_CHACHA20_POLY1305_ENC_UPDATE(bench->manager, key, &context, text, text, text_len);
        IMB_CHACHA20_POLY1305_ENC_FINALIZE(bench->manager, &context, tag, sizeof(tag));
    }
    return now_ns() - start;
}

static uint64_t bare_cbc(struct bench *bench, const IMB_JOB *common, uint32_t text_len)
{
    static uint8_t tags[LIMIT_BURST][16], iv[16];
    uint64_t start = now_ns();
    for (size_t i = 0; i < LIMIT_BURST; i++) {
        IMB_JOB *job = IMB_GET_NEXT_JOB(bench->manager);
        *job = *common;
        job->src = bench->packets[i].base + LIMIT_HEADROOM;
        job->dst = bench->packets[i].base + LIMIT_HEADROOM + 24;
        job->cipher_start_src_offset_in_bytes = 24;
        job->msg_len_to_cipher_in_bytes = text_len;
        job->msg_len_to_hash_in_bytes = text_len + 24;
        job->iv = iv;
        job->auth_tag_output = tags[i];
        IMB_SUBMIT_JOB(bench->manager);
    }
    while (IMB_FLUSH_JOB(bench->manager) != NULL)
        continue;
    return now_ns() - start;
}

static uint64_t bare_bursts(struct bench *bench)
{
    static struct gcm_key_data gcm;
    static _Alignas(64) uint32_t encrypt[60], decrypt[60];
    static _Alignas(64) uint8_t inner[64], outer[64];
    uint32_t block = (uint32_t)esp_suite_block_len(&bench->suite);
    uint32_t text_len = (bench->len + 2 + block - 1) / block * block;
    uint64_t total = 0;
    if (bench->suite.cipher == ESP_CIPHER_AES_GCM) {
        if (bench->suite.key_bits == 128)
            IMB_AES128_GCM_PRE(bench->manager, bench->params.cipher_key, &gcm);
        else
            IMB_AES256_GCM_PRE(bench->manager, bench->params.cipher_key, &gcm);
        for (int i = 0; i < BURSTS; i++)
            total += bare_gcm(bench, &gcm, text_len);
        return total;
    }
    if (bench->suite.cipher == ESP_CIPHER_CHACHA20_POLY1305) {
        for (int i = 0; i < BURSTS; i++)
            total += bare_chacha(bench, text_len);
        return total;
    }
    IMB_AES_KEYEXP_128(bench->manager, bench->params.cipher_key, encrypt, decrypt);
    IMB_JOB common = {.enc_keys = encrypt,
                      .dec_keys = decrypt,
                      .key_len_in_bytes = 16,
                      .iv_len_in_bytes = 16,
                      .auth_tag_output_len_in_bytes = 16,
                      .cipher_mode = IMB_CIPHER_CBC,
                      .cipher_direction = IMB_DIR_ENCRYPT,
                      .hash_alg = IMB_AUTH_HMAC_SHA_256,
                      .chain_order = IMB_ORDER_CIPHER_HASH};
    common.u.HMAC._hashed_auth_key_xor_ipad = inner;
    common.u.HMAC._hashed_auth_key_xor_opad = outer;
    for (int i = 0; i < BURSTS; i++)
        total += bare_cbc(bench, &common, text_len);
    return total;
}

static struct esp_sa *sa_new(const struct bench *bench, const struct esp_backend *backend,
                             bool inbound)
{
    struct sa_params params = bench->params;
    struct esp_sa *sa = NULL;
    params.inbound = inbound;
    if (esp_sa_new_on(backend, &params, &sa) != ERR_OK)
        abort();
    return sa;
}

static void tunnel_bursts(struct bench *bench, const struct esp_backend *backend, uint64_t *ret_out,
                          uint64_t *ret_in)
{
    struct esp_sa *out = sa_new(bench, backend, false), *in = sa_new(bench, backend, true);
    enum err errs[LIMIT_BURST];
    *ret_out = *ret_in = 0;
    for (int i = 0; i < BURSTS; i++) {
        fill_burst(bench);
        uint64_t start = now_ns();
        esp_encapsulate(out, bench->burst, LIMIT_BURST, errs);
        uint64_t half = now_ns();
        esp_decapsulate(in, bench->burst, LIMIT_BURST, errs);
        *ret_in += now_ns() - half;
        *ret_out += half - start;
        for (size_t k = 0; k < LIMIT_BURST; k++)
            if (errs[k] != ERR_OK)
                abort();
    }
    esp_sa_free(out);
    esp_sa_free(in);
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void run(struct bench *bench, int rounds)
{
    char text[ESP_SUITE_TEXT_MAX];
    for (int r = 0; r < rounds; r++) {
        uint64_t ns[WORK_COUNT];
        ns[WORK_BARE] = bare_bursts(bench);
        tunnel_bursts(bench, &esp_backend_ipsec_mb, &ns[WORK_OUT], &ns[WORK_IN]);
        tunnel_bursts(bench, &esp_backend_libcrypto, &ns[WORK_OUT_LIBCRYPTO],
                      &ns[WORK_IN_LIBCRYPTO]);
        for (size_t w = 0; w < WORK_COUNT; w++)
            bench->ns[w][r] = (double)ns[w] / (BURSTS * LIMIT_BURST);
    }
    printf("%-28s %5u", esp_suite_format(&bench->suite, text), bench->len);
    double bare = 0;
    for (size_t w = 0; w < WORK_COUNT; w++) {
        qsort(bench->ns[w], (size_t)rounds, sizeof(double), compare);
        double median = bench->ns[w][rounds / 2];
        bare = w == WORK_BARE ? median : bare;
        printf(" %8.0f (%5.2f)", median, median / bare);
    }
    printf("\n");
}

static void bench_init(struct bench *bench)
{
    memset(bench->params.cipher_key, 0x42, sizeof(bench->params.cipher_key));
    memset(bench->params.auth_key, 0x24, sizeof(bench->params.auth_key));
    bench->params.spi.value = 0x1000;
    bench->params.outer_src = ip_addr_v4(0xc0000201);
    bench->params.outer_dst = ip_addr_v4(0xc0000202);
    bench->manager = alloc_mb_mgr(0);
    if (bench->manager == NULL)
        abort();
    init_mb_mgr_auto(bench->manager, NULL);
    for (size_t i = 0; i < LIMIT_BURST; i++) {
        bench->packets[i].room = LIMIT_HEADROOM + 2048 + LIMIT_TAILROOM;
        bench->packets[i].base = calloc(1, bench->packets[i].room);
        if (bench->packets[i].base == NULL)
            abort();
        bench->burst[i] = &bench->packets[i];
    }
}

int main(int argc, char **argv)
{
    static const struct esp_suite suites[] = {
        {ESP_CIPHER_AES_GCM, ESP_AUTH_NONE, 128, true},
        {ESP_CIPHER_AES_GCM, ESP_AUTH_NONE, 256, true},
        {ESP_CIPHER_CHACHA20_POLY1305, ESP_AUTH_NONE, 256, true},
        {ESP_CIPHER_AES_CBC, ESP_AUTH_HMAC_SHA2_256_128, 128, true},
    };
    static const uint32_t lengths[] = {64, 512, 1420};
    static struct bench bench;
    int rounds = argc > 1 ? atoi(argv[1]) : ROUNDS;
    if (rounds < 1 || rounds > ROUNDS_MAX) {
        fprintf(stderr, "usage: bench_esp [ROUNDS], 1 to %d\n", ROUNDS_MAX);
        return EXIT_FAILURE;
    }
    bench_init(&bench);
    printf("ns a packet in bursts of %d (ratio to bare), medians of %d rounds\n%-28s %5s",
           LIMIT_BURST, rounds, "suite", "len");
    for (size_t w = 0; w < WORK_COUNT; w++)
        printf(" %16s", work_names[w]);
    printf("\n");
    for (size_t s = 0; s < sizeof(suites) / sizeof(suites[0]); s++) {
        for (size_t l = 0; l < sizeof(lengths) / sizeof(lengths[0]); l++) {
            bench.suite = bench.params.suite = suites[s];
            bench.len = lengths[l];
            bench.params.cipher_key_len = (uint8_t)esp_suite_cipher_key_len(&bench.suite);
            bench.params.auth_key_len = (uint8_t)esp_suite_auth_key_len(&bench.suite);
            run(&bench, rounds);
        }
    }
    free_mb_mgr(bench.manager);
    return EXIT_SUCCESS;
}
