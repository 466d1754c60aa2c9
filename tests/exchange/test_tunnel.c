/*
 * Tunnels that come up as they should: every suite, both families, both roles, many at once.
 */
#include "forge.h"
#include "ike/v1/sa.h"

static void check_up(const struct pair *pair, unsigned tunnels)
{
    assert_int_equal(pair->sides[PAIR_A].up, tunnels);
    assert_int_equal(pair->sides[PAIR_B].up, tunnels);
    assert_int_equal(pair->sides[PAIR_A].failed + pair->sides[PAIR_B].failed, 0);
    assert_int_equal(pair_check_keys(pair), 2 * tunnels);
    assert_int_equal(pair_sad_count(pair, PAIR_A), 2 * tunnels);
    assert_int_equal(pair_sad_count(pair, PAIR_B), 2 * tunnels);
}

/* OE-057, OE-058, OE-112 (neither knows of the other beforehand), OE-118, OE-125, OE-128, OE-179: nine messages, in the order of Figure 6. */
static void test_first_tunnel(void **state)
{
    struct pair *pair = pair_new(NULL);
    (void)state;
    assert_int_equal(pair_initiate(pair, PAIR_A, 7, 0), ERR_OK);
    assert_int_equal(pair->sides[PAIR_A].up, 0);
    pair_run(pair, 1000);
    check_up(pair, 1);
    assert_true(pair->sides[PAIR_A].last_up.initiator);
    assert_false(pair->sides[PAIR_B].last_up.initiator);
    assert_true(pair->sides[PAIR_A].last_up.ticket == 7);
    assert_true(pair->sides[PAIR_B].last_up.ticket == 1001);
    assert_int_equal(pair->sent[PAIR_A], 5);
    assert_int_equal(pair->sent[PAIR_B], 4);
    assert_string_equal(pair->sides[PAIR_A].ladder, "5D> 5E1< 5E2> 5E3< 5E4> 5E5< 5G1> 5G2< 5G3> ");
    assert_string_equal(pair->sides[PAIR_B].ladder, "5D< 5E1> 5E2< 5E3> 5E4< 5E5> 5G1< 5G2> 5G3< ");
    struct ip_pair flow = pair_flow(pair, PAIR_B, 0);
    assert_true(ip_pair_equal(&pair->sides[PAIR_B].last_up.flow, &flow));
    assert_int_equal(pair->sides[PAIR_A].authenticated, 1);
    assert_int_equal(pair->sides[PAIR_B].authenticated, 1);
    pair_free(pair);
}

/* OE-131: the same between hosts and gateways with IPv6 addresses. */
static void test_ipv6(void **state)
{
    const struct pair_options options = {.v6 = true};
    struct pair *pair = pair_new(&options);
    (void)state;
    assert_int_equal(pair_initiate(pair, PAIR_B, 7, 3), ERR_OK);
    pair_run(pair, 1000);
    check_up(pair, 1);
    const struct sa_params *sa = &pair->sides[PAIR_A].sad[0].params;
    assert_int_equal(sa->inner_src.bits, 128);
    assert_int_equal(sa->inner_dst.bits, 128);
    pair_free(pair);
}

static void run_suite(const struct ike_suite *suite, const struct esp_suite *child, bool legacy)
{
    const struct pair_options options = {.legacy = legacy};
    struct pair *pair = pair_new(&options);
    char text[IKE_SUITE_TEXT_MAX];
    struct ike_sa_info info;

    pair->sides[PAIR_A].ike->offers = suite;
    pair->sides[PAIR_A].ike->offer_count = 1;
    pair->sides[PAIR_A].ike->child_offers = child;
    pair->sides[PAIR_A].ike->child_offer_count = 1;
    assert_int_equal(pair_initiate(pair, PAIR_A, 7, 0), ERR_OK);
    pair_run(pair, 1000);
    check_up(pair, 1);
    assert_true(ike_sa_info(pair->sides[PAIR_B].ike, 0, &info));
    assert_string_equal(info.suite, ike_suite_format(suite, text));
    assert_int_equal(pair->sides[PAIR_B].last_up.suite.cipher, child->cipher);
    assert_int_equal(pair->sides[PAIR_B].last_up.suite.auth, child->auth);
    assert_int_equal(pair->sides[PAIR_B].last_up.suite.key_bits, child->key_bits);
    assert_int_equal(pair->sides[PAIR_B].last_up.suite.esn, child->esn);
    pair_free(pair);
}

/* OE-119, OE-123, OE-127: each suite offered alone is accepted and works. */
static void test_every_suite(void **state)
{
    size_t count, child_count;
    const struct ike_suite *suites = phase1_offers(true, &count);
    const struct esp_suite *children = phase2_offers(true, &child_count);
    size_t most = count > child_count ? count : child_count;
    (void)state;
    for (size_t i = 0; i < most; i++)
        run_suite(&suites[i % count], &children[i % child_count], true);
}

/* What is accepted beyond our own offers. */
static void test_accepted_suites(void **state)
{
    static const struct ike_suite suites[] = {
        {CBC_AES, HASH_SHA2_512, 192, 21},
        {CBC_AES, HASH_SHA2_384, 128, 15},
        {CBC_AES, HASH_SHA2_256, 192, 16},
    };
    static const struct esp_suite children[] = {
        {ESP_CIPHER_AES_GCM, ESP_AUTH_NONE, 192, true},
        {ESP_CIPHER_AES_CBC, ESP_AUTH_HMAC_SHA2_512_256, 192, true},
        {ESP_CIPHER_AES_CBC, ESP_AUTH_HMAC_SHA2_384_192, 256, false},
    };
    (void)state;
    for (size_t i = 0; i < 3; i++)
        run_suite(&suites[i], &children[i], false);
}

/* OE-119, OE-132: the draft's own set needs the switch at both ends. */
static void test_legacy_refused(void **state)
{
    struct pair *pair = pair_new(NULL);
    size_t count;
    (void)state;
    pair->sides[PAIR_A].ike->offers = phase1_offers(true, &count) + 7;
    pair->sides[PAIR_A].ike->offer_count = 4;
    assert_int_equal(pair_initiate(pair, PAIR_A, 7, 0), ERR_OK);
    pair_run(pair, 60000);
    assert_int_equal(pair->sides[PAIR_A].failed, 1);
    assert_int_equal(pair->sides[PAIR_A].last_failed.failure, IKE_FAILURE_SILENT);
    assert_true(pair_counter(pair, PAIR_B, "no-proposal-chosen") > 0);
    /* The notify in clear only hints (OE-064). */
    assert_true(pair_counter(pair, PAIR_A, "unprotected-notify") > 0);
    pair_free(pair);
}

/* OE-184: another pair through the same two gateways reuses the phase 1 SA, in either direction. */
static void test_phase1_reuse(void **state)
{
    struct pair *pair = pair_new(NULL);
    struct ike_sa_info info;
    (void)state;
    assert_int_equal(pair_initiate(pair, PAIR_A, 1, 0), ERR_OK);
    pair_run(pair, 1000);
    pair->sides[PAIR_B].ticket = 1002;
    assert_int_equal(pair_initiate(pair, PAIR_A, 2, 1), ERR_OK);
    pair_run(pair, 1000);
    assert_int_equal(pair_initiate(pair, PAIR_B, 3, 2), ERR_OK);
    pair_run(pair, 1000);
    check_up(pair, 3);
    assert_int_equal(pair->sent[PAIR_A] + pair->sent[PAIR_B], 9 + 3 + 3);
    assert_true(ike_sa_info(pair->sides[PAIR_A].ike, 0, &info));
    assert_int_equal(info.children, 3);
    assert_false(ike_sa_info(pair->sides[PAIR_A].ike, 1, &info));
    pair_free(pair);
}

/* OE-184: but not if it is another key that must be proven. */
static void test_no_reuse_for_another_key(void **state)
{
    struct pair *pair = pair_new(NULL);
    struct ike_sa_info info;
    (void)state;
    assert_int_equal(pair_initiate(pair, PAIR_A, 1, 0), ERR_OK);
    pair_run(pair, 1000);
    pair->sides[PAIR_A].peer_keys[0] = 2;
    pair->sides[PAIR_B].key = 2;
    assert_int_equal(pair_initiate(pair, PAIR_A, 2, 1), ERR_OK);
    pair_run(pair, 1000);
    assert_int_equal(pair->sides[PAIR_A].up, 2);
    assert_true(ike_sa_info(pair->sides[PAIR_A].ike, 1, &info));
    pair_free(pair);
}

/* Several requests wait for one Main Mode. */
static void test_many_at_once(void **state)
{
    struct pair *pair = pair_new(NULL);
    (void)state;
    pair->sides[PAIR_B].ticket = 0;
    for (unsigned i = 0; i < 10; i++)
        assert_int_equal(pair_initiate(pair, PAIR_A, i + 1, i), ERR_OK);
    pair_run(pair, 1000);
    check_up(pair, 10);
    assert_int_equal(pair->sent[PAIR_A] + pair->sent[PAIR_B], 6 + 10 * 3);
    pair_free(pair);
}

/* One after another, faster than finished Quick Modes are forgotten: there is always room. */
static void test_many_in_a_row(void **state)
{
    struct pair *pair = pair_new(NULL);
    (void)state;
    pair->sides[PAIR_B].ticket = 0;
    for (unsigned i = 0; i < V1_QUICKS_MAX + 40; i++) {
        assert_int_equal(pair_initiate(pair, PAIR_A, i + 1, i), ERR_OK);
        pair_run(pair, i == 0 ? 500 : 60);
    }
    check_up(pair, V1_QUICKS_MAX + 40);
    pair_free(pair);
}

/* Both ends begin at the same moment, for the same flow, each under one ticket: both tunnels stay.
 */
static void test_simultaneous(void **state)
{
    (void)state;
    for (int64_t lag = 0; lag < 120; lag += 5) {
        struct pair *pair = pair_new(NULL);
        pair->sides[PAIR_A].ticket = 1;
        pair->sides[PAIR_B].ticket = 2;
        assert_int_equal(pair_initiate(pair, PAIR_A, 1, 0), ERR_OK);
        pair_run(pair, lag);
        assert_int_equal(pair_initiate(pair, PAIR_B, 2, 0), ERR_OK);
        pair_run(pair, 40000);
        assert_int_equal(pair->sides[PAIR_A].failed + pair->sides[PAIR_B].failed, 0);
        assert_true(pair->sides[PAIR_A].up >= 1 && pair->sides[PAIR_B].up >= 1);
        assert_true(pair_check_keys(pair) >= 2);
        assert_int_equal(pair_sad_count(pair, PAIR_A), pair_sad_count(pair, PAIR_B));
        assert_int_equal(pair->sides[PAIR_A].deleted + pair->sides[PAIR_B].deleted, 0);
        pair_free(pair);
    }
}

/* OE-137: any of several keys will do, at both ends. */
static void test_second_key(void **state)
{
    struct pair *pair = pair_new(NULL);
    (void)state;
    for (unsigned i = 0; i < PAIR_SIDES; i++) {
        pair->sides[i].peer_keys[0] = 2;
        pair->sides[i].peer_keys[1] = !i;
        pair->sides[i].peer_key_count = 2;
    }
    assert_int_equal(pair_initiate(pair, PAIR_A, 7, 0), ERR_OK);
    pair_run(pair, 1000);
    check_up(pair, 1);
    pair_free(pair);
}

/* OE-124: an initiator may call itself by name. */
static void test_named_initiator(void **state)
{
    struct pair *pair = pair_new(NULL);
    struct identity *id = &pair->sides[PAIR_A].ike->config.id;
    (void)state;
    assert_true(identity_of_fqdn(view_of_text("gw.example.net"), id));
    pair->sides[PAIR_B].hold[IKE_FX_NEED_KEYS] = true;
    assert_int_equal(pair_initiate(pair, PAIR_A, 7, 0), ERR_OK);
    pair_run(pair, 1000);
    const struct pair_question *held = &pair->sides[PAIR_B].held;
    assert_true(held->pending && identity_equal(&held->effect.peer_id, id));
    assert_int_equal(pair_answer(pair, PAIR_B, held), ERR_OK);
    pair_drain(pair, PAIR_B);
    pair_run(pair, 1000);
    check_up(pair, 1);
    pair_free(pair);
}

/* OE-131: the single-address type is as good as a subnet of one, in proposal and answer. What is
 * changed on the way breaks the IV chain after it, so each is looked at alone. */
static bool single_addresses(struct pair *pair, struct pair_datagram *d, void *ctx)
{
    static struct forge forge;
    enum v1_message_kind kind = d->from == PAIR_A ? V1_QM1 : V1_QM2, *wanted = ctx;
    if (!pair_is_exchange(d, ISAKMP_QUICK_MODE) || kind != *wanted)
        return true;
    *wanted = V1_NO_MESSAGE;
    forge_open(pair, !d->from, d, kind, &forge);
    for (size_t i = 0; i < forge.count; i++) {
        if (forge.payloads[i].type != ISAKMP_P_ID)
            continue;
        forge.payloads[i].body[0] = ISAKMP_ID_IPV4_ADDR;
        forge.payloads[i].len = 8;
    }
    forge_close(pair, !d->from, &forge, d);
    return true;
}

static struct pair *run_single(enum v1_message_kind kind)
{
    struct pair *pair = pair_new(NULL);
    pair->sides[PAIR_B].hold[IKE_FX_NEED_AUTHORIZATION] = kind == V1_QM1;
    pair->tap = single_addresses;
    pair->tap_ctx = &kind;
    assert_int_equal(pair_initiate(pair, PAIR_A, 7, 0), ERR_OK);
    pair_run(pair, 300);
    assert_int_equal(kind, V1_NO_MESSAGE);
    return pair;
}

static void test_single_addresses(void **state)
{
    struct pair *pair = run_single(V1_QM1);
    struct ip_pair flow = pair_flow(pair, PAIR_B, 0);
    (void)state;
    assert_int_equal(pair->sides[PAIR_B].held.kind, IKE_FX_NEED_AUTHORIZATION);
    assert_true(ip_pair_equal(&pair->sides[PAIR_B].held.effect.flow, &flow));
    pair_free(pair);

    pair = run_single(V1_QM2);
    flow = pair_flow(pair, PAIR_A, 0);
    assert_int_equal(pair->sides[PAIR_A].up, 1);
    assert_true(ip_pair_equal(&pair->sides[PAIR_A].last_up.flow, &flow));
    assert_int_equal(pair_check_keys(pair), 1);
    pair_free(pair);
}

/* OE-085, OE-182, OE-185, OE-186: what each side asks, and when it installs. */
static void test_order_of_questions(void **state)
{
    struct pair *pair = pair_new(NULL);
    struct pair_side *b = &pair->sides[PAIR_B];
    (void)state;
    b->hold[IKE_FX_NEED_KEYS] = true;
    b->hold[IKE_FX_NEED_AUTHORIZATION] = true;
    b->hold[IKE_FX_INSTALL] = true;
    assert_int_equal(pair_initiate(pair, PAIR_A, 7, 0), ERR_OK);
    pair_run(pair, 300);
    assert_int_equal(b->held.kind, IKE_FX_NEED_KEYS); /* after message 5 */
    assert_int_equal(pair->sent[PAIR_B], 2);
    pair_answer(pair, PAIR_B, &b->held);
    pair_drain(pair, PAIR_B);
    pair_run(pair, 100);
    assert_int_equal(b->held.kind, IKE_FX_NEED_AUTHORIZATION); /* after Quick Mode 1 */
    assert_int_equal(pair->sent[PAIR_B], 3);
    pair_answer(pair, PAIR_B, &b->held);
    pair_drain(pair, PAIR_B);
    assert_int_equal(b->held.kind, IKE_FX_INSTALL);
    assert_int_equal(b->held.effect.sa_count, 1);
    assert_int_equal(pair->sent[PAIR_B], 3); /* no message 2 before the inbound SA is there */
    assert_int_equal(pair_sad_count(pair, PAIR_B), 1);
    pair_answer(pair, PAIR_B, &b->held);
    pair_drain(pair, PAIR_B);
    assert_int_equal(pair->sent[PAIR_B], 4);
    pair_run(pair, 100);
    assert_int_equal(pair->sides[PAIR_A].up, 1);
    assert_int_equal(pair_sad_count(pair, PAIR_B), 2);
    assert_int_equal(b->up, 0);
    pair_answer(pair, PAIR_B, &b->held);
    pair_drain(pair, PAIR_B);
    check_up(pair, 1);
    pair_free(pair);
}

/* Lifetimes: the shorter of both sides' wins. */
static void test_lifetimes(void **state)
{
    struct pair *pair = pair_new(NULL);
    (void)state;
    pair->sides[PAIR_A].ike->config.child_lifetime_s = 600;
    pair->sides[PAIR_A].ike->config.child_octets = 32 << 20;
    pair->sides[PAIR_B].ike->config.child_octets = 1 << 30;
    assert_int_equal(pair_initiate(pair, PAIR_A, 7, 0), ERR_OK);
    pair_run(pair, 1000);
    check_up(pair, 1);
    for (unsigned i = 0; i < PAIR_SIDES; i++) {
        const struct sa_params *sa = &pair->sides[i].sad[0].params;
        assert_true(sa->hard.seconds == 600 && sa->hard.octets == 32 << 20);
        assert_true(sa->soft.seconds >= 480 && sa->soft.seconds <= 540);
        assert_true(sa->soft.octets < sa->hard.octets && sa->soft.octets != 0);
    }
    pair_free(pair);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_first_tunnel),
        cmocka_unit_test(test_ipv6),
        cmocka_unit_test(test_every_suite),
        cmocka_unit_test(test_accepted_suites),
        cmocka_unit_test(test_legacy_refused),
        cmocka_unit_test(test_phase1_reuse),
        cmocka_unit_test(test_no_reuse_for_another_key),
        cmocka_unit_test(test_many_at_once),
        cmocka_unit_test(test_many_in_a_row),
        cmocka_unit_test(test_simultaneous),
        cmocka_unit_test(test_second_key),
        cmocka_unit_test(test_named_initiator),
        cmocka_unit_test(test_single_addresses),
        cmocka_unit_test(test_order_of_questions),
        cmocka_unit_test(test_lifetimes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
