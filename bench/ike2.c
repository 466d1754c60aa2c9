/*
 * ike2: IKE SAs a second in IKEv2 with X25519, both engines in one process on one core, by shared key and
 * by ECDSA P-256; how many there would be if only the public-key operations cost anything; and the
 * heap that an idle IKE SA with its child takes in each engine. Each peer is new: an address of its own at
 * the responder's end.
 *
 * ike2 speed COUNT     lines of a name and a number: psk, ecdsa and what their operations alone allow, a
 *                      second; microseconds of each operation
 * ike2 memory COUNT    that many IKE SAs at once: octets each, of initiator and responder
 */
#include "crypto/kex.h"
#include "crypto/signature.h"
#include "ike/ike.h"
#include "wire/traffic.h"

#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <time.h>

enum { A, B, SIDES };
enum { ROUNDS = 5, SKIPPED = 77, ADDRESSES = 0x0a000000, X25519 = 31, GAP_MS = 5 };

struct side {
    struct ike *ike;
    struct ike_profile profile;
    struct private_key *key;
    struct public_key own, peer;
    uint64_t rng;
    uint32_t spi;
    unsigned up, failed;
};

struct datagram {
    TAILQ_ENTRY(datagram) of_wire;
    unsigned from;
    struct ip_endpoint source, target;
    bool natt;
    size_t len;
    uint8_t octets[];
};

static struct side sides[SIDES];
static TAILQ_HEAD(, datagram) wire = TAILQ_HEAD_INITIALIZER(wire);
static mono_t now = {1000};
static uint32_t used;

static double seconds(void)
{
    struct timespec spent;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &spent);
    return (double)spent.tv_sec + (double)spent.tv_nsec / 1e9;
}

static void must(enum err err, const char *what)
{
    if (err != ERR_OK) {
        fprintf(stderr, "ike2: %s: %s\n", what, err_text(err));
        exit(1);
    }
}

static void fill(void *ctx, uint8_t *ret, size_t len)
{
    struct side *side = ctx;
    for (size_t i = 0; i < len; i++) {
        side->rng ^= side->rng << 13;
        side->rng ^= side->rng >> 7;
        side->rng ^= side->rng << 17;
        ret[i] = (uint8_t)(side->rng >> 32);
    }
}

static void emit(void *ctx, const struct event_record *record)
{
    (void)ctx, (void)record;
}

static void send(unsigned from, const struct ike_effect *fx)
{
    struct datagram *d = malloc(sizeof(*d) + fx->bytes.len);
    if (d == NULL)
        abort();
    *d = (struct datagram){.from = from, .source = fx->local, .target = fx->remote, .natt = fx->natt,
                           .len = fx->bytes.len};
    memcpy(d->octets, fx->bytes.ptr, fx->bytes.len);
    TAILQ_INSERT_TAIL(&wire, d, of_wire);
}

/* What the daemon would answer; false: nothing is asked. */
static bool answer(struct side *side, const struct ike_effect *fx, struct ike_event *ret,
                   uint8_t signature[SIGNATURE_MAX])
{
    size_t len;

    *ret = (struct ike_event){.serial = fx->serial, .ok = true};
    switch (fx->kind) {
    case IKE_FX_NEED_SIGNATURE:
        must(private_key_sign(side->key, (enum signature_scheme)fx->scheme, fx->bytes, signature,
                              &len),
             "signature");
        ret->kind = IKE_EV_SIGNED;
        ret->bytes = view_of(signature, len);
        return true;
    case IKE_FX_NEED_AUTHORIZATION:
        ret->kind = IKE_EV_AUTHORIZED;
        ret->ticket = used;
        ret->traffic = fx->traffic;
        return true;
    case IKE_FX_NEED_SPI:
        ret->kind = IKE_EV_SPI;
        ret->spi.value = ++side->spi;
        return true;
    case IKE_FX_INSTALL:
        ret->kind = IKE_EV_INSTALLED;
        return true;
    default:
        return false;
    }
}

static void drain(unsigned s)
{
    struct side *side = &sides[s];
    struct ike_effect fx;
    struct ike_event event;
    uint8_t signature[SIGNATURE_MAX];

    while (ike_next_effect(side->ike, &fx)) {
        side->up += fx.kind == IKE_FX_CHILD_UP;
        if (fx.kind == IKE_FX_CHILD_FAILED && side->failed++ == 0)
            fprintf(stderr, "ike2: %s\n", fx.text);
        if (fx.kind == IKE_FX_SEND && fx.bytes.len != 0)
            send(s, &fx);
        else if (answer(side, &fx, &event, signature))
            must(ike_input(side->ike, now, &event), "answer");
    }
}

static void deliver(void)
{
    struct datagram *d;

    while ((d = TAILQ_FIRST(&wire)) != NULL) {
        const struct ike_event event = {.kind = IKE_EV_DATAGRAM, .local = d->target,
                                        .remote = d->source, .natt = d->natt,
                                        .bytes = view_of(d->octets, d->len)};
        TAILQ_REMOVE(&wire, d, of_wire);
        (void)ike_input(sides[!d->from].ike, now, &event);
        drain(!d->from);
        free(d);
    }
}

static void open_side(unsigned s, enum ike_method method)
{
    struct side *side = &sides[s];
    struct ike_profile *p = &side->profile;
    const struct ike_env env = {.rng = {fill, side}, .trace = {emit, NULL}};

    side->rng = 0x9e3779b97f4a7c15u * (s + 1);
    side->spi = 0x1000; /* the first 256 are reserved */
    *p = (struct ike_profile){.number = 1, .name = "bench", .version = IKE_VERSION_2,
                              .own_method = method, .peer_method = method};
    p->psk = view_of((const uint8_t *)"correct horse battery staple", 28);
    p->own_key = 1;
    p->own_public = &side->own;
    p->peer_keys = &side->peer;
    p->peer_key_count = 1;
    const struct ike_config config = {.profiles = p, .profile_count = 1, .nat = IKE_NAT_OFF};
    must(ike_new(&config, &env, &side->ike), "engine");
}

static void open_pair(enum ike_method method)
{
    memset(sides, 0, sizeof(sides));
    for (unsigned s = 0; s < SIDES; s++)
        must(private_key_generate_alg(KEY_ECDSA_P256, 0, &sides[s].key), "key");
    for (unsigned s = 0; s < SIDES; s++) {
        private_key_public(sides[s].key, &sides[s].own);
        private_key_public(sides[!s].key, &sides[s].peer);
        open_side(s, method);
    }
}

static void close_pair(void)
{
    for (unsigned s = 0; s < SIDES; s++) {
        ike_free(sides[s].ike);
        private_key_free(sides[s].key);
    }
}

static struct traffic traffic_of(const char *text)
{
    struct ip_prefix net;
    if (!ip_prefix_parse(text, &net))
        abort();
    return traffic_of_prefix(&net);
}

/* So many IKE SAs: the engines would rather use one again than make another. */
static bool holds(const struct ike *ike, uint32_t number)
{
    struct ike_sa_info info;
    return (number == 0 || ike_sa_info(ike, number - 1, &info)) && !ike_sa_info(ike, number, &info);
}

/* All that timers want done meanwhile counts too. `made` before. */
static bool talk(uint32_t made, uint32_t count)
{
    unsigned before = sides[A].up;

    for (uint32_t i = 0; i < count; i++) {
        struct ip_addr local = ip_addr_v4(0xc0010104), remote = ip_addr_v4(ADDRESSES + ++used);
        const struct ike_event event = {.kind = IKE_EV_INITIATE, .ticket = used, .profile = 1,
                                  .local.addr = local, .remote.addr = remote,
                                  .traffic = {traffic_of("10.1.0.0/16"), traffic_of("10.2.0.0/16")}};
        must(ike_input(sides[A].ike, now, &event), "start");
        drain(A);
        deliver();
        now.ms += GAP_MS;
        for (unsigned s = 0; s < SIDES; s++) {
            ike_timer(sides[s].ike, now);
            drain(s);
        }
        deliver();
    }
    return sides[A].up - before == count && sides[A].failed == 0 &&
           holds(sides[A].ike, made + count) && holds(sides[B].ike, made + count);
}

/* --- speed ------------------------------------------------------------------------------------- */

struct operations {
    double generate, agree, sign, verify; /* seconds of all */
    uint32_t times;
};

static void measure_operations(struct operations *ops, uint32_t times)
{
    const struct rng rng = {fill, &sides[A]};
    uint8_t secret[KEX_SECRET_MAX], signature[SIGNATURE_MAX];
    struct view text = view_of((const uint8_t *)"what IKE_AUTH signs is hashed first anyway", 42);
    struct kex *kex, *peer;
    size_t len;

    must(kex_new(X25519, &rng, &peer), "X25519");
    for (uint32_t i = 0; i < times; i++) {
        double at[5] = {seconds()};
        must(kex_new(X25519, &rng, &kex), "X25519");
        at[1] = seconds();
        must(kex_finish(kex, kex_request(peer), secret), "X25519");
        at[2] = seconds();
        must(private_key_sign(sides[A].key, SIGNATURE_ECDSA_SHA2_256, text, signature, &len), "sign");
        at[3] = seconds();
        must(public_key_verify(&sides[A].own, SIGNATURE_ECDSA_SHA2_256, text, view_of(signature, len)),
             "verify");
        at[4] = seconds();
        ops->generate += at[1] - at[0];
        ops->agree += at[2] - at[1];
        ops->sign += at[3] - at[2];
        ops->verify += at[4] - at[3];
        kex_free(kex);
    }
    kex_free(peer);
    ops->times += times;
}

/* Seconds that so many IKE SAs take, each with its child. */
static double measure_talk(enum ike_method method, uint32_t times)
{
    open_pair(method);
    bool ok = talk(0, 1); /* what is made once */
    double begun = seconds();
    ok = talk(1, times) && ok;
    double spent = seconds() - begun;
    close_pair();
    if (!ok)
        fprintf(stderr, "ike2: not every IKE SA came up\n"), exit(1);
    return spent;
}

static int speed(uint32_t count)
{
    struct operations ops = {0};
    uint32_t part = (count + ROUNDS - 1) / ROUNDS;
    double psk = 0, ecdsa = 0;

    for (int i = 0; i < ROUNDS; i++) {
        psk += measure_talk(IKE_BY_PSK, part);
        ecdsa += measure_talk(IKE_BY_KEY, part);
        open_pair(IKE_BY_KEY);
        measure_operations(&ops, part);
        close_pair();
    }
    double all = (double)part * ROUNDS;
    double psk_bare = 2 * (ops.generate + ops.agree) / ops.times;
    double ecdsa_bare = psk_bare + 2 * (ops.sign + ops.verify) / ops.times;
    printf("psk\t%.1f\npsk_bare\t%.1f\necdsa\t%.1f\necdsa_bare\t%.1f\n", all / psk, 1 / psk_bare,
           all / ecdsa, 1 / ecdsa_bare);
    printf("sign_us\t%.1f\nverify_us\t%.1f\n", 1e6 * ops.sign / ops.times,
           1e6 * ops.verify / ops.times);
    printf("dh_new_us\t%.1f\ndh_shared_us\t%.1f\n", 1e6 * ops.generate / ops.times,
           1e6 * ops.agree / ops.times);
    return 0;
}

/* --- memory ------------------------------------------------------------------------------------ */

static int64_t heap_octets(void)
{
    struct mallinfo2 info = mallinfo2();
    return (int64_t)(info.uordblks + info.hblkhd);
}

static bool heap_is_counted(void)
{
    int64_t before = heap_octets();
    void *volatile probe = malloc(100000);
    bool counted = heap_octets() - before >= 100000;
    free(probe);
    return counted;
}

/* Of one engine, by what the heap gets back. */
static int64_t weigh(unsigned s)
{
    int64_t before = heap_octets();
    ike_free(sides[s].ike);
    sides[s].ike = NULL;
    return before - heap_octets();
}

static bool weigh_both(uint32_t count, int64_t ret[SIDES])
{
    enum { UNTIL_IDLE_MS = 60000, STEP_MS = 1000 };

    open_pair(IKE_BY_PSK);
    bool ok = talk(0, count);
    for (int64_t ms = 0; ms < UNTIL_IDLE_MS; ms += STEP_MS) { /* answers kept for repeats go */
        now.ms += STEP_MS;
        for (unsigned s = 0; s < SIDES; s++) {
            ike_timer(sides[s].ike, now);
            drain(s);
            deliver();
        }
    }
    for (unsigned s = 0; s < SIDES; s++)
        ret[s] = weigh(s);
    close_pair();
    return ok;
}

static int memory(uint32_t count)
{
    int64_t empty[SIDES], full[SIDES];

    if (!heap_is_counted()) {
        fprintf(stderr, "ike2: this allocator does not count (a sanitizer's?)\n");
        return SKIPPED;
    }
    if (!weigh_both(0, empty) || !weigh_both(count, full)) {
        fprintf(stderr, "ike2: not every IKE SA came up\n");
        return 1;
    }
    printf("memory\t%lu", (unsigned long)count);
    for (unsigned s = 0; s < SIDES; s++)
        printf("\t%lld", (long long)(full[s] - empty[s]) / count);
    putchar('\n');
    return 0;
}

int main(int argc, char **argv)
{
    unsigned long count = argc == 3 ? strtoul(argv[2], NULL, 10) : 0;

    if (count != 0 && count <= LIMIT_IKE_SAS && strcmp(argv[1], "speed") == 0)
        return speed((uint32_t)count);
    if (count != 0 && count <= LIMIT_IKE_SAS && strcmp(argv[1], "memory") == 0)
        return memory((uint32_t)count);
    fprintf(stderr, "usage: ike2 speed|memory COUNT   (1 to %d)\n", LIMIT_IKE_SAS);
    return 2;
}
