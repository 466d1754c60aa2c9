/*
 * More key exchanges than one, in IKE_INTERMEDIATE (RFC 9242, RFC 9370): who does them, what of them
 * is authenticated, and what becomes of an end that leaves one out.
 */
#include "forge_v2.h"

enum { P256 = IKE2_KE_ECP_256, P384 = IKE2_KE_ECP_384, KEM = IKE2_KE_ML_KEM_768 };

struct watch {
    bool v6;
    unsigned pieces;            /* IKE_INTERMEDIATE datagrams */
    enum v2_message_kind wrong; /* this message gets something more in it */
    unsigned of;                /* at its n-th time */
    unsigned strip;             /* 1: the announcement out of the request, 2: out of the answer */
    enum v2_message_kind lose;  /* the first of these is lost */
    bool lost;                  /* what comes now may be under keys of before */
    bool expect_more;           /* the responder does not count right */
};

static struct ike_profile profile_of(unsigned side, const uint16_t *methods, size_t count)
{
    struct ike_profile p = {.number = 5,
                            .name = "office",
                            .version = IKE_VERSION_2,
                            .own_method = IKE_BY_PSK,
                            .peer_method = IKE_BY_PSK,
                            .psk = view_of_text("a secret that two gateways share")};
    assert_true(identity_of_fqdn(view_of_text(side == PAIR_A ? "a.example" : "b.example"), &p.own_id));
    assert_true(identity_of_fqdn(view_of_text(side == PAIR_A ? "b.example" : "a.example"), &p.peer_id));
    memcpy(p.additional, methods, count * sizeof(methods[0]));
    return p;
}

static void strip_announcement(struct pair *pair, struct forge_v2 *forge, struct pair_datagram *d)
{
    for (size_t i = 0; i < forge->count; i++)
        if (forge->payloads[i].type == IKE2_P_N &&
            (forge->payloads[i].body[2] << 8 | forge->payloads[i].body[3]) ==
                IKE2_N_INTERMEDIATE_EXCHANGE_SUPPORTED) {
            forge_v2_drop(forge, i);
            forge_v2_close(pair, forge, false, d);
            return;
        }
}

static bool tap(struct pair *pair, struct pair_datagram *d, void *ctx)
{
    static const uint8_t notify[4] = {0, 0, 0xb0, 0x01};
    static struct forge_v2 forge;
    struct watch *watch = ctx;
    struct ike2_header header;
    assert_int_equal(ike2_header_parse(view_of(d->octets, d->len), &header), ERR_OK);
    watch->pieces += header.exchange == IKE2_INTERMEDIATE;
    if ((header.exchange != IKE2_INTERMEDIATE && header.exchange != IKE2_SA_INIT) ||
        header.next_payload == IKE2_P_SKF || watch->lost)
        return true;
    forge_v2_open(pair, d, &forge);
    if (watch->wrong != V2_NO_MESSAGE && forge.kind == watch->wrong && watch->of-- == 1) {
        forge_v2_add(&forge, IKE2_P_N, view_of(notify, sizeof(notify)));
        forge_v2_close(pair, &forge, false, d);
    }
    if (watch->strip != 0 && forge.kind == (watch->strip == 1 ? V2_INIT_REQ : V2_INIT_RSP))
        strip_announcement(pair, &forge, d);
    if (watch->expect_more && forge.kind == V2_INIT_RSP)
        pair->sides[PAIR_B].ike->v2.all[0]->suite.additional[1] = P384;
    if (watch->lose != V2_NO_MESSAGE && forge.kind == watch->lose) {
        watch->lost = true;
        return false;
    }
    return true;
}

static struct pair *meet(const struct ike_profile *a, const struct ike_profile *b,
                         struct watch *watch)
{
    const struct pair_options options = {
        .v6 = watch->v6, .profiles = {a, b}, .profile_count = 1};
    struct traffic_pair traffic = {{.port_last = UINT16_MAX}, {.port_last = UINT16_MAX}};
    struct pair *pair = pair_new(&options);
    assert_true(ip_prefix_parse("10.1.0.0/16", &traffic.local.net));
    assert_true(ip_prefix_parse("10.2.0.0/16", &traffic.remote.net));
    pair->tap = tap;
    pair->tap_ctx = watch;
    assert_int_equal(pair_initiate_profile(pair, PAIR_A, 7, 5, &traffic), ERR_OK);
    pair_run(pair, 60000);
    return pair;
}

static void assert_up(const struct pair *pair, const char *suite)
{
    for (unsigned s = 0; s < PAIR_SIDES; s++) {
        struct ike_sa_info info;
        assert_int_equal(pair->sides[s].up, 1);
        assert_int_equal(pair->sides[s].failed, 0);
        assert_true(ike_sa_info(pair->sides[s].ike, 0, &info));
        const char *methods = strrchr(info.suite, ' ') + 1;
        assert_string_equal(methods, suite);
    }
    assert_int_equal(pair_check_keys(pair), 2);
}

static void assert_down(const struct pair *pair)
{
    for (unsigned s = 0; s < PAIR_SIDES; s++) {
        struct ike_sa_info info;
        assert_int_equal(pair->sides[s].up, 0);
        assert_int_equal(pair_sad_count(pair, s), 0);
        assert_false(ike_sa_info(pair->sides[s].ike, 0, &info));
    }
    assert_int_equal(pair->sides[PAIR_A].failed, 1);
}

/* One, two, and those only that both know of. */
static void test_methods(void **state)
{
    static const struct {
        uint16_t a[3], b[3];
        const char *suite;
        unsigned messages;
    } cases[] = {
        {{P256}, {P256}, "curve25519+ecp256", 2},
        {{P256, P384}, {P256, P384}, "curve25519+ecp256+ecp384", 4},
        {{P256}, {P384}, "curve25519+ecp256", 2}, /* a responder takes what it knows */
        {{P256}, {0}, "curve25519", 0},
        {{0}, {P256}, "curve25519", 0},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const struct ike_profile a = profile_of(PAIR_A, cases[i].a, 3);
        const struct ike_profile b = profile_of(PAIR_B, cases[i].b, 3);
        struct watch watch = {.pieces = 0};
        struct pair *pair = meet(&a, &b, &watch);
        assert_up(pair, cases[i].suite);
        assert_int_equal(watch.pieces, cases[i].messages);
        pair_free(pair);
    }
}

/* Where libcrypto has it; over IPv6 its request needs fragments. Elsewhere it is not offered. */
static void test_kem(void **state)
{
    static const uint16_t methods[3] = {KEM, P256};
    bool known = kex_method_known(KEM);
    struct ike_profile a = profile_of(PAIR_A, methods, 3), b = profile_of(PAIR_B, methods, 3);
    (void)state;
    a.mobike_off = b.mobike_off = true; /* on port 4500 it would need them over IPv4 too, by an octet or two */
    for (unsigned v6 = 0; v6 < 2; v6++) {
        struct watch watch = {.v6 = v6 != 0};
        struct pair *pair = meet(&a, &b, &watch);
        assert_up(pair, known ? "curve25519+ml-kem-768+ecp256" : "curve25519+ecp256");
        assert_int_equal(watch.pieces, known ? 4 + v6 : 2);
        pair_free(pair);
    }
}

/* Lost messages are repeated, and under the keys that they were sent under. */
static void test_loss(void **state)
{
    static const uint16_t methods[3] = {P256, P384};
    const struct ike_profile a = profile_of(PAIR_A, methods, 3), b = profile_of(PAIR_B, methods, 3);
    (void)state;
    for (enum v2_message_kind kind = V2_MEDIATE_REQ; kind <= V2_MEDIATE_RSP; kind++) {
        struct watch watch = {.lose = kind};
        struct pair *pair = meet(&a, &b, &watch);
        assert_up(pair, "curve25519+ecp256+ecp384");
        assert_int_equal(watch.pieces, kind == V2_MEDIATE_REQ ? 5 : 6);
        pair_free(pair);
    }
}

/* RFC 9242 section 3.3.2: one octet more in any of the messages, sealed as it should be, and AUTH no
 * longer covers what was said. */
static void test_authenticated(void **state)
{
    static const uint16_t methods[3] = {P256, P384};
    const struct ike_profile a = profile_of(PAIR_A, methods, 3), b = profile_of(PAIR_B, methods, 3);
    (void)state;
    for (unsigned i = 0; i < 4; i++) {
        struct watch watch = {.wrong = i & 1 ? V2_MEDIATE_RSP : V2_MEDIATE_REQ, .of = i / 2 + 1};
        struct pair *pair = meet(&a, &b, &watch);
        assert_down(pair);
        assert_int_equal(pair_counter(pair, PAIR_B, "bad-signature"), 1);
        pair_free(pair);
    }
}

/* The announcement is taken out on the way: no tunnel of fewer key exchanges comes of it. */
static void test_downgrade(void **state)
{
    static const uint16_t methods[3] = {P256};
    const struct ike_profile a = profile_of(PAIR_A, methods, 3), b = profile_of(PAIR_B, methods, 3);
    (void)state;
    for (unsigned what = 1; what <= 2; what++) {
        struct watch watch = {.strip = what};
        struct pair *pair = meet(&a, &b, &watch);
        assert_down(pair);
        pair_free(pair);
    }
}

/* An initiator that goes on to IKE_AUTH too early is refused: here because the responder waits for
 * one more. */
static void test_left_out(void **state)
{
    static const uint16_t methods[3] = {P256};
    const struct ike_profile a = profile_of(PAIR_A, methods, 3), b = profile_of(PAIR_B, methods, 3);
    struct watch watch = {.expect_more = true};
    struct pair *pair = meet(&a, &b, &watch);
    (void)state;
    assert_down(pair);
    assert_int_equal(pair_counter(pair, PAIR_B, "payload-missing"), 1);
    pair_free(pair);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_methods),       cmocka_unit_test(test_kem),
        cmocka_unit_test(test_loss),          cmocka_unit_test(test_authenticated),
        cmocka_unit_test(test_downgrade),     cmocka_unit_test(test_left_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
