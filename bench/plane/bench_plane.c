/*
 * What an outbound datagram costs in the plane, by the size of the SPD: bench_plane [ROUNDS].
 * Flows are picked at random, so that a large table costs its cache misses. "pass" is the table and
 * the state machine alone; "one SA" adds encryption in full bursts; "an SA each" is the worst case,
 * where no two neighbours share one. Each round does every case in turn; the medians are printed.
 */
#include "plane/plane.h"
#include "wire/ip.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { DATAGRAM_LEN = 100, BURSTS = 300, ROUNDS = 21, ROUNDS_MAX = 1000 };

enum kind { KIND_PASS, KIND_ONE_SA, KIND_SA_EACH, KIND_COUNT };

static const char *const kind_names[KIND_COUNT] = {"pass", "one SA", "an SA each"};
static const uint32_t sizes[] = {1, 1000, 100000};

enum { SIZES = sizeof(sizes) / sizeof(sizes[0]) };

struct bench {
    enum kind kind;
    uint32_t size;
    struct plane *plane;
    mono_t now;
    uint64_t random, sent, refused;
    struct packet packets[LIMIT_BURST], *burst[LIMIT_BURST];
    uint8_t rooms[LIMIT_BURST][LIMIT_HEADROOM + DATAGRAM_LEN + LIMIT_TAILROOM];
    double ns[ROUNDS_MAX];
};

static uint64_t now_ns(void)
{
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    return (uint64_t)at.tv_sec * 1000000000u + (uint64_t)at.tv_nsec;
}

static uint32_t random_below(struct bench *bench, uint32_t limit)
{
    bench->random = bench->random * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)((bench->random >> 33) % limit);
}

static void fill(void *ctx, uint8_t *ret, size_t len)
{
    for (size_t i = 0; i < len; i++)
        ret[i] = (uint8_t)random_below(ctx, 256);
}

static void on_out(void *ctx, enum plane_out kind, struct packet *packet)
{
    struct bench *bench = ctx;
    (void)packet;
    bench->sent += kind == (bench->kind == KIND_PASS ? PLANE_OUT_CLEAR : PLANE_OUT_ESP);
}

static void on_control(void *ctx, struct view message)
{
    struct bench *bench = ctx;
    struct pfkey_message answer;
    bench->refused += pfkey_parse(message, &answer) != ERR_OK || answer.error != 0;
}

static void on_verdict(void *ctx, const struct ip_pair *flow, enum pfkey_verdict verdict)
{
    (void)ctx;
    (void)flow;
    (void)verdict;
}

static struct ip_pair flow_of(uint32_t i)
{
    return (struct ip_pair){ip_addr_v4(0x0a000000 + i % 250), ip_addr_v4(0x0b000000 + i)};
}

static void request(struct bench *bench, const struct pfkey_message *message)
{
    uint8_t room[LIMIT_PFKEY_MESSAGE];
    size_t len;
    if (pfkey_build(message, span_of(room, sizeof(room)), &len) != ERR_OK)
        bench->refused++;
    else
        plane_control(bench->plane, bench->now, view_of(room, len));
}

static void add_sa(struct bench *bench, uint32_t spi)
{
    struct ip_addr any = ip_addr_v4(0);
    struct pfkey_message add = {.type = PFKEY_ADD, .has = PFKEY_HAS_SA | PFKEY_HAS_KEYS};
    add.sa = (struct sa_params){
        .spi = {spi},
        .suite = {ESP_CIPHER_AES_GCM, ESP_AUTH_NONE, 128, true},
        .outer_src = ip_addr_v4(0xc0010104),
        .outer_dst = ip_addr_v4(0xc0010105),
        .inner_src = ip_prefix_of(&any, 0),
        .inner_dst = ip_prefix_of(&any, 0),
        .cipher_key_len = 20,
    };
    request(bench, &add);
}

static void add_policy(struct bench *bench, uint32_t i, uint32_t spi)
{
    struct pfkey_message set = {.type = PFKEY_X_POLICY_SET,
                                .has = PFKEY_HAS_FLOW | PFKEY_HAS_VERDICT,
                                .flow = flow_of(i),
                                .verdict = PFKEY_VERDICT_PASS};
    if (bench->kind != KIND_PASS) {
        set.has |= PFKEY_HAS_SA | PFKEY_HAS_PEER;
        set.verdict = PFKEY_VERDICT_ENCRYPT;
        set.sa.spi.value = spi;
        set.peer = ip_addr_v4(0xc0010105);
    }
    request(bench, &set);
}

static struct bench *bench_new(enum kind kind, uint32_t size)
{
    struct plane_config config = {.hold_failure = PFKEY_VERDICT_DENY};
    struct bench *bench = calloc(1, sizeof(*bench));
    if (bench == NULL)
        return NULL;
    *bench = (struct bench){.kind = kind, .size = size, .random = 1, .now = {1000}};
    struct plane_env env = {.rng = {fill, bench},
                            .ctx = bench,
                            .out = on_out,
                            .control = on_control,
                            .verdict = on_verdict};
    if (plane_new(&config, &env, &bench->plane) != ERR_OK) {
        free(bench);
        return NULL;
    }
    if (kind == KIND_ONE_SA)
        add_sa(bench, 0x1000);
    for (uint32_t i = 0; i < size; i++) {
        if (kind == KIND_SA_EACH)
            add_sa(bench, 0x1000 + i);
        add_policy(bench, i, kind == KIND_SA_EACH ? 0x1000 + i : 0x1000);
    }
    return bench;
}

static void bench_free(struct bench *bench)
{
    plane_free(bench->plane);
    free(bench);
}

static void fill_burst(struct bench *bench)
{
    for (size_t i = 0; i < LIMIT_BURST; i++) {
        struct ip_pair flow = flow_of(random_below(bench, bench->size));
        struct ip_header header = {.src = flow.src,
                                   .dst = flow.dst,
                                   .total_len = DATAGRAM_LEN,
                                   .proto = IP_PROTO_UDP,
                                   .ttl = 64};
        bench->packets[i] = (struct packet){.base = bench->rooms[i],
                                            .room = sizeof(bench->rooms[i]),
                                            .at = LIMIT_HEADROOM,
                                            .len = DATAGRAM_LEN};
        ip_header_write(&header, packet_data(&bench->packets[i]));
        bench->burst[i] = &bench->packets[i];
    }
}

static void run_round(struct bench *bench, unsigned round)
{
    uint64_t spent = 0;
    for (int i = 0; i < BURSTS; i++) {
        fill_burst(bench);
        bench->now.ms++;
        uint64_t start = now_ns();
        plane_outbound(bench->plane, bench->now, bench->burst, LIMIT_BURST);
        spent += now_ns() - start;
    }
    bench->ns[round] = (double)spent / (BURSTS * LIMIT_BURST);
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(struct bench *bench, unsigned rounds)
{
    qsort(bench->ns, rounds, sizeof(bench->ns[0]), compare);
    return bench->ns[rounds / 2];
}

/* A number for work that was not done is worth nothing. */
static bool did_it(const struct bench *bench, unsigned rounds)
{
    return bench->refused == 0 && bench->sent == (uint64_t)rounds * BURSTS * LIMIT_BURST;
}

int main(int argc, char **argv)
{
    static struct bench *benches[KIND_COUNT][SIZES];
    int asked = argc > 1 ? atoi(argv[1]) : ROUNDS;
    unsigned rounds = asked > 0 && asked <= ROUNDS_MAX ? (unsigned)asked : ROUNDS;
    int status = EXIT_SUCCESS;

    for (unsigned k = 0; k < KIND_COUNT; k++)
        for (unsigned s = 0; s < SIZES; s++)
            if ((benches[k][s] = bench_new(k, sizes[s])) == NULL)
                return EXIT_FAILURE;
    for (unsigned round = 0; round < rounds; round++)
        for (unsigned k = 0; k < KIND_COUNT; k++)
            for (unsigned s = 0; s < SIZES; s++)
                run_round(benches[k][s], round);

    printf("ns a datagram of %d octets, SPD of", DATAGRAM_LEN);
    for (unsigned s = 0; s < SIZES; s++)
        printf(" %10u", sizes[s]);
    for (unsigned k = 0; k < KIND_COUNT; k++) {
        printf("\n%-33s", kind_names[k]);
        for (unsigned s = 0; s < SIZES; s++) {
            bool done = did_it(benches[k][s], rounds);
            printf(" %10.0f%s", median(benches[k][s], rounds), done ? "" : "?");
            status = done ? status : EXIT_FAILURE;
            bench_free(benches[k][s]);
        }
    }
    printf("\n");
    return status;
}
