/*
 * pauses: how long an established peer waits for keyd's event loop while strangers begin IKE SAs with
 * MODP-4096, whose key exchange takes milliseconds: with public-key operations made in the loop, and by
 * threads beside it. The loop is that of keyd without its sockets: datagrams are due at given times and
 * are read in order, as from a socket. The peer sends a request each 5 ms (one that has been answered
 * before: the least that there is to do).
 *
 * pauses costs COUNT        microseconds of each public-key operation, medians
 * pauses strangers MS       for so long each: half of what a processor can do, and twice as much. In ms: the
 *                           longest turn of the loop, in its own processor time; the answers to the peer by
 *                           the clock, median and 99th percentile. And how many strangers got an answer
 */
#include "crypto/kex.h"
#include "crypto/signature.h"
#include "daemon/worker_pool.h"
#include "ike/ike.h"
#include "ike/v2/proposal.h"
#include "wire/ike2.h"
#include "wire/traffic.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

enum { A, B, SIDES };
enum {
    MODP4096 = 16,
    PROBE_US = 5000,
    SAMPLES_MAX = 1 << 16,
    REQUEST_MAX = 2048,
    BACK_MAX = 4096,
    STRANGERS = 0x0b000000,
};

struct side {
    struct ike *ike;
    struct ike_profile profile;
    uint32_t spi;
    unsigned up, answered;
};

static struct side sides[SIDES];
static const struct ip_endpoint ends[SIDES] = {
    {.addr = {.family = IP_V4, .octets = {192, 1, 1, 4}}, .port = 500},
    {.addr = {.family = IP_V4, .octets = {192, 1, 1, 5}}, .port = 500},
};
static struct worker_pool *pool; /* NULL: the loop does it */
static uint8_t probe[REQUEST_MAX];
static size_t probe_len;
static struct ike2_sa work_space;
static struct kex *value; /* of all strangers */

/* Cookies that strangers have been asked for, to be brought back. */
static struct back {
    struct ip_endpoint from;
    uint8_t spi[IKE2_SPI_LEN], cookie[64];
    size_t len;
} backs[BACK_MAX];
static size_t back_first, back_count;

static int64_t now_us(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

static int64_t own_us(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
    return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

static mono_t now(void)
{
    return (mono_t){now_us() / 1000};
}

static void must(enum err err, const char *what)
{
    if (err != ERR_OK) {
        fprintf(stderr, "pauses: %s: %s\n", what, err_text(err));
        exit(1);
    }
}

static void fill(void *ctx, uint8_t *ret, size_t len)
{
    (void)ctx;
    while (len != 0) {
        ssize_t got = getrandom(ret, len < 256 ? len : 256, 0);
        if (got < 0)
            abort();
        ret += got;
        len -= (size_t)got;
    }
}

static const struct rng rng = {.fill = fill};

static void emit(void *ctx, const struct event_record *record)
{
    (void)ctx, (void)record;
}

/* --- the loop ---------------------------------------------------------------------------------- */

static void drain(unsigned s);

static int64_t longest_us; /* turn of the loop */

static void turn(const struct ike_event *event)
{
    int64_t at = own_us();
    (void)ike_input(sides[B].ike, now(), event);
    drain(B);
    at = own_us() - at;
    if (at > longest_us)
        longest_us = at;
}

/* A stranger that gets what is sent to it: it brings the cookie back, or has its answer. */
static void stranger_hears(const struct ike_effect *fx)
{
    struct ike2_header header;
    struct ike2_payloads payloads;
    struct ike2_notify n;
    uint8_t critical;
    must(ike2_header_parse(fx->bytes, &header), "answer");
    must(ike2_payloads_parse(header.next_payload,
                             view_of(fx->bytes.ptr + IKE2_HEADER_LEN, fx->bytes.len - IKE2_HEADER_LEN),
                             &payloads, &critical),
         "answer");
    if (!ike2_notify_find(&payloads, IKE2_N_COOKIE, &n)) {
        sides[B].answered++;
        return;
    }
    struct back *back = &backs[(back_first + back_count) % BACK_MAX];
    if (back_count == BACK_MAX || n.data.len > sizeof(back->cookie))
        return;
    back_count++;
    back->from = fx->remote;
    back->len = n.data.len;
    memcpy(back->spi, header.spi_i, sizeof(back->spi));
    memcpy(back->cookie, n.data.ptr, n.data.len);
}

/* Between the two ends, at once. */
static void send(unsigned from, const struct ike_effect *fx)
{
    if (!ip_endpoint_equal(&fx->remote, &ends[!from])) {
        stranger_hears(fx);
        return;
    }
    const struct ike_event event = {.kind = IKE_EV_DATAGRAM, .local = fx->remote,
                                    .remote = fx->local, .natt = fx->natt, .bytes = fx->bytes};
    uint8_t copy[REQUEST_MAX];
    if (fx->bytes.len == 0 || fx->bytes.len > sizeof(copy))
        return;
    memcpy(copy, fx->bytes.ptr, fx->bytes.len);
    if (from == A && sides[A].up == 0) { /* the last that A asks before all is up */
        memcpy(probe, copy, fx->bytes.len);
        probe_len = fx->bytes.len;
    }
    struct ike_event again = event;
    again.bytes.ptr = copy;
    (void)ike_input(sides[!from].ike, now(), &again);
    drain(!from);
}

static void answer(unsigned s, const struct ike_effect *fx)
{
    struct ike_event event = {.serial = fx->serial, .ok = true};
    switch (fx->kind) {
    case IKE_FX_NEED_WORK:
        if (worker_pool_add(pool, fx->serial, fx->work))
            return;
        event.kind = IKE_EV_WORKED;
        event.work = fx->work;
        break;
    case IKE_FX_NEED_AUTHORIZATION:
        event.kind = IKE_EV_AUTHORIZED;
        event.ticket = 1;
        event.traffic = fx->traffic;
        break;
    case IKE_FX_NEED_SPI:
        event.kind = IKE_EV_SPI;
        event.spi.value = ++sides[s].spi;
        break;
    case IKE_FX_INSTALL:
        event.kind = IKE_EV_INSTALLED;
        break;
    default:
        return;
    }
    (void)ike_input(sides[s].ike, now(), &event);
}

static void drain(unsigned s)
{
    struct ike_effect fx;
    while (ike_next_effect(sides[s].ike, &fx)) {
        sides[s].up += fx.kind == IKE_FX_CHILD_UP;
        if (fx.kind == IKE_FX_SEND)
            send(s, &fx);
        else
            answer(s, &fx);
    }
}

static void take_work(void)
{
    struct ike_event event = {.kind = IKE_EV_WORKED};
    while (pool != NULL && worker_pool_take(pool, &event.serial, &event.work))
        turn(&event);
}

/* Until something is done, or that moment. */
static void rest(int64_t until_us)
{
    struct pollfd fd = {.fd = pool != NULL ? worker_pool_fd(pool) : -1, .events = POLLIN};
    int64_t left = until_us - now_us();
    struct timespec ts = {.tv_nsec = left * 1000};
    if (left > 0)
        (void)ppoll(&fd, 1, &ts, NULL);
}

/* --- who is there ------------------------------------------------------------------------------ */

static void open_side(unsigned s, bool elsewhere)
{
    static const struct ike_env env = {.rng = {.fill = fill}, .trace = {.emit = emit}};
    struct ike_profile *p = &sides[s].profile;
    sides[s] = (struct side){.spi = 0x1000};
    *p = (struct ike_profile){.number = 1, .name = "bench", .version = IKE_VERSION_2,
                              .own_method = IKE_BY_PSK, .peer_method = IKE_BY_PSK,
                              .remote = ip_prefix_of(&ends[!s].addr, 32)};
    p->psk = view_of((const uint8_t *)"correct horse battery staple", 28);
    const struct ike_config config = {.profiles = p, .profile_count = 1, .nat = IKE_NAT_OFF,
                                      .work_elsewhere = elsewhere};
    must(ike_new(&config, &env, &sides[s].ike), "engine");
}

static struct traffic traffic_of(const char *text)
{
    struct ip_prefix net;
    if (!ip_prefix_parse(text, &net))
        abort();
    return traffic_of_prefix(&net);
}

/* B is keyd; A the peer that it knows. */
static void open_peers(bool elsewhere)
{
    const struct ike_event begin = {.kind = IKE_EV_INITIATE, .ticket = 1, .profile = 1,
                                    .local = ends[A], .remote = ends[B],
                                    .traffic = {traffic_of("10.1.0.0/16"), traffic_of("10.2.0.0/16")}};
    pool = elsewhere ? worker_pool_new(0, &rng) : NULL;
    open_side(A, false);
    open_side(B, elsewhere);
    must(ike_input(sides[A].ike, now(), &begin), "start");
    drain(A);
    for (int tries = 0; sides[A].up == 0 && tries < 100; tries++) {
        rest(now_us() + 10000);
        take_work();
    }
    if (sides[A].up == 0 || probe_len == 0)
        fprintf(stderr, "pauses: the peers did not come up\n"), exit(1);
}

static void close_peers(void)
{
    worker_pool_free(pool);
    for (unsigned s = 0; s < SIDES; s++)
        ike_free(sides[s].ike);
}

/* All have the same public value; nobody looks. */
static struct view build_request(const uint8_t *spi, struct view cookie, uint8_t *room)
{
    const struct ike2_policy policy = {.legacy = false};
    struct ike2_header header = {.version = 0x20, .exchange = IKE2_SA_INIT,
                                 .flags = IKE2_FLAG_INITIATOR};
    static const uint8_t nonce[32] = {1};
    struct ike2_writer w;
    memcpy(header.spi_i, spi, sizeof(header.spi_i));
    ike2_writer_start(&w, span_of(room, REQUEST_MAX), &header);
    if (cookie.len != 0)
        ike2_writer_notify(&w, IKE2_N_COOKIE, cookie);
    ike2_writer_open(&w, IKE2_P_SA);
    ike2_ike_offer_build(&w.b, &policy, view_of(NULL, 0), &work_space);
    ike2_writer_close(&w);
    ike2_writer_open(&w, IKE2_P_KE);
    ike2_ke_build(&w.b, &(struct ike2_ke_payload){MODP4096, kex_request(value)});
    ike2_writer_close(&w);
    ike2_writer_payload(&w, IKE2_P_NONCE, view_of(nonce, sizeof(nonce)));
    return ike2_writer_finish(&w);
}

static void strange_datagram(const struct ip_endpoint *from, const uint8_t *spi, struct view cookie)
{
    uint8_t room[REQUEST_MAX];
    const struct ike_event event = {.kind = IKE_EV_DATAGRAM, .local = ends[B], .remote = *from,
                                    .bytes = build_request(spi, cookie, room)};
    turn(&event);
}

/* Each from a net of its own. */
static void strange(uint32_t n)
{
    const struct ip_endpoint from = {.addr = ip_addr_v4(STRANGERS + (n << 8)), .port = 500};
    uint8_t spi[IKE2_SPI_LEN] = {1};
    memcpy(spi + 1, &n, sizeof(n));
    strange_datagram(&from, spi, view_of(NULL, 0));
}

static void bring_back(void)
{
    const struct back back = backs[back_first];
    back_first = (back_first + 1) % BACK_MAX;
    back_count--;
    strange_datagram(&back.from, back.spi, view_of(back.cookie, back.len));
}

static void probe_once(void)
{
    const struct ike_event event = {.kind = IKE_EV_DATAGRAM, .local = ends[B], .remote = ends[A],
                                    .bytes = view_of(probe, probe_len)};
    turn(&event);
}

/* --- measurements ------------------------------------------------------------------------------ */

static int by_size(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double samples[SAMPLES_MAX];

struct outcome {
    double turn, median, late; /* ms */
    unsigned answered;
};

static struct outcome flood(bool elsewhere, double a_second, int64_t ms)
{
    size_t count = 0;
    back_count = 0;
    open_peers(elsewhere);
    longest_us = 0;
    must(kex_new(MODP4096, &rng, &value), "key pair");
    int64_t begun = now_us(), end = begun + ms * 1000, probe_at = begun, strange_at = begun;
    uint32_t strangers = 0;
    while (now_us() < end && count < SAMPLES_MAX) {
        take_work();
        if (probe_at <= now_us() && probe_at <= strange_at) {
            probe_once();
            samples[count++] = (double)(now_us() - probe_at) / 1000;
            probe_at += PROBE_US;
        } else if (strange_at <= now_us()) {
            strange(strangers++);
            strange_at = begun + (int64_t)(strangers * 1e6 / a_second);
        }
        if (back_count != 0)
            bring_back();
        ike_timer(sides[B].ike, now());
        drain(B);
        rest(probe_at < strange_at ? probe_at : strange_at);
    }
    struct outcome out = {.turn = (double)longest_us / 1000, .answered = sides[B].answered};
    qsort(samples, count, sizeof(*samples), by_size);
    if (count != 0) {
        out.median = samples[count / 2];
        out.late = samples[count * 99 / 100];
    }
    kex_free(value);
    close_peers();
    return out;
}

/* Microseconds, the median of `count`. */
static double respond_us(uint16_t method, unsigned count)
{
    uint8_t reply[KEX_VALUE_MAX], secret[KEX_SECRET_MAX];
    struct kex *peer;
    must(kex_new(method, &rng, &peer), "key pair");
    for (unsigned i = 0; i < count; i++) {
        int64_t at = now_us();
        must(kex_respond(method, &rng, kex_request(peer), reply, secret), "key agreement");
        samples[i] = (double)(now_us() - at);
    }
    kex_free(peer);
    qsort(samples, count, sizeof(*samples), by_size);
    return samples[count / 2];
}

static double verify_us(enum key_alg alg, unsigned bits, unsigned count)
{
    const struct view text = view_of((const uint8_t *)"what is signed", 14);
    struct private_key *key;
    struct public_key public;
    uint8_t signature[SIGNATURE_MAX];
    size_t len;
    must(private_key_generate_alg(alg, bits, &key), "key");
    private_key_public(key, &public);
    enum signature_scheme scheme = signature_scheme_choose(&public, 0x3e, false);
    must(private_key_sign(key, scheme, text, signature, &len), "signature");
    for (unsigned i = 0; i < count; i++) {
        int64_t at = now_us();
        must(public_key_verify(&public, scheme, text, view_of(signature, len)), "verification");
        samples[i] = (double)(now_us() - at);
    }
    private_key_free(key);
    qsort(samples, count, sizeof(*samples), by_size);
    return samples[count / 2];
}

static int costs(unsigned count)
{
    static const uint16_t methods[] = {14, 15, 16, 17, 18, 19, 20, 21, 31, 32, 35, 36, 37};
    static const struct {
        const char *name;
        enum key_alg alg;
        unsigned bits;
    } keys[] = {{"rsa2048", KEY_RSA, 2048},          {"rsa4096", KEY_RSA, 4096},
                {"ecdsa_p256", KEY_ECDSA_P256, 0},   {"ecdsa_p384", KEY_ECDSA_P384, 0},
                {"ecdsa_p521", KEY_ECDSA_P521, 0},   {"ed25519", KEY_ED25519, 0},
                {"ed448", KEY_ED448, 0}};
    if (count == 0 || count > SAMPLES_MAX)
        return 2;
    for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++)
        if (kex_method_known(methods[i]))
            printf("respond_%s\t%.0f\n", kex_method_name(methods[i]), respond_us(methods[i], count));
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
        printf("verify_%s\t%.0f\n", keys[i].name, verify_us(keys[i].alg, keys[i].bits, count));
    return 0;
}

static int strangers(int64_t ms)
{
    static const struct {
        const char *name;
        double share; /* of what one processor can do */
    } loads[] = {{"half", 0.5}, {"double", 2}};
    double each = respond_us(MODP4096, 20);
    for (size_t i = 0; i < 2; i++)
        for (int elsewhere = 0; elsewhere < 2; elsewhere++) {
            const char *how = elsewhere ? "threads" : "loop";
            struct outcome o = flood(elsewhere, loads[i].share * 1e6 / each, ms);
            printf("%s_%s_turn\t%.3f\n%s_%s_median\t%.3f\n", loads[i].name, how, o.turn,
                   loads[i].name, how, o.median);
            printf("%s_%s_late\t%.3f\n%s_%s_answered\t%u\n", loads[i].name, how, o.late,
                   loads[i].name, how, o.answered);
        }
    return 0;
}

int main(int argc, char **argv)
{
    int number = argc == 3 ? atoi(argv[2]) : 0;
    if (argc == 3 && number > 0 && strcmp(argv[1], "costs") == 0)
        return costs((unsigned)number);
    if (argc == 3 && number > 0 && strcmp(argv[1], "strangers") == 0)
        return strangers(number);
    fprintf(stderr, "usage: pauses costs COUNT | pauses strangers MS\n");
    return 2;
}
