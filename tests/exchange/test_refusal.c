/*
 * Tunnels that must not come up, and the failure each side reports (OE draft section 3.2.5).
 */
#include "forge.h"

static void check_failed(const struct pair *pair, enum ike_failure failure)
{
    assert_int_equal(pair->sides[PAIR_A].up + pair->sides[PAIR_B].up, 0);
    assert_int_equal(pair->sides[PAIR_A].failed, 1);
    assert_int_equal(pair->sides[PAIR_A].last_failed.failure, failure);
    assert_true(pair->sides[PAIR_A].last_failed.ticket == 7);
    assert_true(pair->sides[PAIR_A].last_failed.text[0] != '\0');
    assert_int_equal(pair_sad_count(pair, PAIR_A) + pair_sad_count(pair, PAIR_B), 0);
}

static struct pair *try_with(void (*prepare)(struct pair *pair))
{
    struct pair *pair = pair_new(NULL);
    prepare(pair);
    assert_int_equal(pair_initiate(pair, PAIR_A, 7, 0), ERR_OK);
    pair_run(pair, 60000);
    return pair;
}

static void wrong_responder_key(struct pair *pair)
{
    pair->sides[PAIR_B].key = 2;
}

/* OE-065: failure 3. */
static void test_responder_signature(void **state)
{
    struct pair *pair = try_with(wrong_responder_key);
    (void)state;
    check_failed(pair, IKE_FAILURE_SIGNATURE);
    assert_int_equal(pair->sides[PAIR_A].authenticated, 0);
    assert_int_equal(pair_counter(pair, PAIR_A, "bad-signature"), 1);
    assert_int_equal(pair->sides[PAIR_A].ike->all_count, 0);
    pair_free(pair);
}

static void wrong_initiator_key(struct pair *pair)
{
    pair->sides[PAIR_A].key = 2;
}

/* OE-086, IKE-016: the responder never reveals itself; its initiator hears nothing. */
static void test_initiator_signature(void **state)
{
    struct pair *pair = try_with(wrong_initiator_key);
    (void)state;
    check_failed(pair, IKE_FAILURE_SILENT);
    assert_int_equal(pair->sent[PAIR_B], 2);
    assert_int_equal(pair->sides[PAIR_B].authenticated, 0);
    assert_int_equal(pair->sides[PAIR_B].asked_signature, 0);
    assert_int_equal(pair->sides[PAIR_B].asked_keys, 1);
    assert_int_equal(pair_counter(pair, PAIR_B, "bad-signature"), 1);
    assert_int_equal(pair->sides[PAIR_B].ike->all_count, 0);
    pair_free(pair);
}

static void no_keys(struct pair *pair)
{
    pair->sides[PAIR_B].no_keys = true;
}

/* OE-087 */
static void test_no_key_for_initiator(void **state)
{
    struct pair *pair = try_with(no_keys);
    (void)state;
    check_failed(pair, IKE_FAILURE_SILENT);
    assert_int_equal(pair->sides[PAIR_B].authenticated, 0);
    pair_free(pair);
}

static void no_authorization(struct pair *pair)
{
    pair->sides[PAIR_B].refuse = true;
}

/* OE-063, OE-092, OE-183: failure 2, told in an authenticated notify, at once. */
static void test_not_authorized(void **state)
{
    struct pair *pair = pair_new(NULL);
    (void)state;
    no_authorization(pair);
    assert_int_equal(pair_initiate(pair, PAIR_A, 7, 0), ERR_OK);
    pair_run(pair, 200);
    check_failed(pair, IKE_FAILURE_REFUSED);
    assert_non_null(strstr(pair->sides[PAIR_A].last_failed.text, "INVALID-ID-INFORMATION"));
    assert_int_equal(pair->sides[PAIR_B].failed, 0); /* no ticket was given */
    /* The phase 1 SA lives on and serves the next request. */
    pair->sides[PAIR_B].refuse = false;
    unsigned sent = pair->sent[PAIR_A];
    assert_int_equal(pair_initiate(pair, PAIR_A, 8, 1), ERR_OK);
    pair_run(pair, 1000);
    assert_int_equal(pair->sides[PAIR_A].up, 1);
    assert_int_equal(pair->sent[PAIR_A], sent + 2);
    pair_free(pair);
}

static void no_common_child(struct pair *pair)
{
    static const struct esp_suite legacy[] = {
        {ESP_CIPHER_3DES_CBC, ESP_AUTH_HMAC_SHA1_96, 192, false}};
    pair->sides[PAIR_A].ike->child_offers = legacy;
    pair->sides[PAIR_A].ike->child_offer_count = 1;
}

static void test_no_common_child_suite(void **state)
{
    struct pair *pair = try_with(no_common_child);
    (void)state;
    check_failed(pair, IKE_FAILURE_REFUSED);
    assert_non_null(strstr(pair->sides[PAIR_A].last_failed.text, "NO-PROPOSAL-CHOSEN"));
    assert_int_equal(pair->sides[PAIR_B].asked_authorization, 0);
    pair_free(pair);
}

/* Two requests at once: the notify names the one it is about by its SPI. */
static void test_refusal_names_its_tunnel(void **state)
{
    struct pair *pair = pair_new(NULL);
    struct pair_side *b = &pair->sides[PAIR_B];
    (void)state;
    b->hold[IKE_FX_NEED_AUTHORIZATION] = true;
    assert_int_equal(pair_initiate(pair, PAIR_A, 7, 0), ERR_OK);
    pair_run(pair, 200);
    struct pair_question first = b->held;
    assert_int_equal(pair_initiate(pair, PAIR_A, 8, 1), ERR_OK);
    pair_run(pair, 200);
    b->refuse = true;
    assert_int_equal(pair_answer(pair, PAIR_B, &first), ERR_POLICY);
    pair_drain(pair, PAIR_B);
    b->refuse = false;
    pair_run(pair, 100);
    assert_int_equal(pair->sides[PAIR_A].failed, 1);
    assert_true(pair->sides[PAIR_A].last_failed.ticket == 7);
    assert_int_equal(pair_answer(pair, PAIR_B, &b->held), ERR_OK);
    pair_drain(pair, PAIR_B);
    pair_run(pair, 1000);
    assert_int_equal(pair->sides[PAIR_A].up, 1);
    assert_true(pair->sides[PAIR_A].last_up.ticket == 8);
    pair_free(pair);
}

static void no_initiator_spi(struct pair *pair)
{
    pair->sides[PAIR_A].no_spi = true;
}
static void no_initiator_install(struct pair *pair)
{
    pair->sides[PAIR_A].no_install = true;
}
static void no_initiator_signature(struct pair *pair)
{
    pair->sides[PAIR_A].no_signature = true;
}

/* OE-067: our own side fails. */
static void test_own_failures(void **state)
{
    void (*const prepare[])(struct pair *) = {no_initiator_spi, no_initiator_install,
                                              no_initiator_signature};
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        struct pair *pair = try_with(prepare[i]);
        check_failed(pair, IKE_FAILURE_OTHER);
        pair_free(pair);
    }
}

static void no_responder_spi(struct pair *pair)
{
    pair->sides[PAIR_B].no_spi = true;
}
static void no_responder_install(struct pair *pair)
{
    pair->sides[PAIR_B].no_install = true;
}

/* An initiator that fails after message 2 says so, and the responder need not wait. */
static void test_initiator_tells(void **state)
{
    struct pair *pair = pair_new(NULL);
    (void)state;
    no_initiator_install(pair);
    assert_int_equal(pair_initiate(pair, PAIR_A, 7, 0), ERR_OK);
    pair_run(pair, 200);
    check_failed(pair, IKE_FAILURE_OTHER);
    assert_int_equal(pair->sides[PAIR_B].failed, 1);
    assert_int_equal(pair->sides[PAIR_B].last_failed.failure, IKE_FAILURE_REFUSED);
    assert_true(pair->sides[PAIR_B].last_failed.ticket == 1001);
    pair_free(pair);
}

/* The responder's owner authorized a ticket and must hear that nothing came of it. */
static void test_responder_failures(void **state)
{
    void (*const prepare[])(struct pair *) = {no_responder_spi, no_responder_install};
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct pair *pair = try_with(prepare[i]);
        check_failed(pair, IKE_FAILURE_REFUSED);
        assert_int_equal(pair->sides[PAIR_B].failed, 1);
        assert_true(pair->sides[PAIR_B].last_failed.ticket == 1001);
        pair_free(pair);
    }
}

static bool spoil_outbound(struct pair *pair, struct pair_datagram *d, void *ctx)
{
    unsigned *quick = ctx;
    if (pair_is_exchange(d, ISAKMP_QUICK_MODE) && ++*quick == 3)
        pair->sides[PAIR_B].no_install = true;
    return true;
}

/* The responder learns too late that it can't send: the initiator, whose tunnel is up, hears of it. */
static void test_responder_outbound(void **state)
{
    struct pair *pair = pair_new(NULL);
    unsigned quick = 0;
    (void)state;
    pair->tap = spoil_outbound;
    pair->tap_ctx = &quick;
    assert_int_equal(pair_initiate(pair, PAIR_A, 7, 0), ERR_OK);
    pair_run(pair, 1000);
    assert_int_equal(pair->sides[PAIR_A].up, 1);
    assert_int_equal(pair->sides[PAIR_A].deleted, 1);
    assert_int_equal(pair->sides[PAIR_B].failed, 1);
    assert_int_equal(pair_sad_count(pair, PAIR_A) + pair_sad_count(pair, PAIR_B), 0);
    pair_free(pair);
}

static void silent_owner(struct pair *pair, enum ike_effect_kind kind, unsigned side)
{
    pair->sides[side].hold[kind] = true;
    assert_int_equal(pair_initiate(pair, PAIR_A, 7, 0), ERR_OK);
    pair_run(pair, 120000);
    assert_int_equal(pair->sides[PAIR_A].up + pair->sides[PAIR_B].up, 0);
    assert_int_equal(pair->sides[PAIR_A].failed, 1);
    assert_true(pair_counter(pair, side, "gave-up") >= 1);
    /* Too late. */
    assert_int_equal(pair_answer(pair, side, &pair->sides[side].held), ERR_UNKNOWN);
}

/* A question that nobody answers does not keep an exchange for ever. */
static void test_unanswered_questions(void **state)
{
    static const struct {
        enum ike_effect_kind kind;
        unsigned side;
    } cases[] = {
        {IKE_FX_NEED_SIGNATURE, PAIR_A},     {IKE_FX_NEED_SPI, PAIR_A},
        {IKE_FX_NEED_KEYS, PAIR_B},          {IKE_FX_NEED_SIGNATURE, PAIR_B},
        {IKE_FX_NEED_AUTHORIZATION, PAIR_B}, {IKE_FX_NEED_SPI, PAIR_B},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct pair *pair = pair_new(NULL);
        silent_owner(pair, cases[i].kind, cases[i].side);
        pair_free(pair);
    }
}

/* OE-134: a subnet is not a host, whoever asks. */
struct id_change {
    uint8_t body[12];
    bool done;
};

static bool widen(struct pair *pair, struct pair_datagram *d, void *ctx)
{
    static struct forge forge;
    struct id_change *change = ctx;
    if (change->done || d->from != PAIR_A || !pair_is_exchange(d, ISAKMP_QUICK_MODE))
        return true;
    change->done = true;
    forge_open(pair, PAIR_B, d, V1_QM1, &forge);
    struct forge_payload *id = forge_find(&forge, ISAKMP_P_ID);
    memcpy(id->body, change->body, sizeof(change->body));
    id->len = sizeof(change->body);
    forge_close(pair, PAIR_B, &forge, d);
    return true;
}

static void test_only_hosts(void **state)
{
    static const struct id_change bad[] = {
        {{4, 0, 0, 0, 192, 1, 0, 0, 255, 255, 255, 0}, false},     /* a /24 */
        {{4, 0, 0, 0, 192, 1, 0, 65, 255, 255, 0, 255}, false},    /* a mask with a hole */
        {{4, 6, 0, 0, 192, 1, 0, 65, 255, 255, 255, 255}, false},  /* TCP only */
        {{4, 17, 1, 0, 192, 1, 0, 65, 255, 255, 255, 255}, false}, /* one port */
        {{7, 0, 0, 0, 192, 1, 0, 65, 192, 1, 0, 66}, false},       /* a range */
    };
    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct id_change change = bad[i];
        struct pair *pair = pair_new(NULL);
        pair->tap = widen;
        pair->tap_ctx = &change;
        assert_int_equal(pair_initiate(pair, PAIR_A, 7, 0), ERR_OK);
        pair_run(pair, 60000);
        check_failed(pair, IKE_FAILURE_REFUSED);
        assert_int_equal(pair->sides[PAIR_B].asked_authorization, 0);
        pair_free(pair);
    }
}

/* The ends that message 2 repeats must be the ones asked for, each of them. */
static bool swap_ends(struct pair *pair, struct pair_datagram *d, void *ctx)
{
    static struct forge forge;
    const bool *second = ctx;
    if (d->from != PAIR_B || !pair_is_exchange(d, ISAKMP_QUICK_MODE))
        return true;
    forge_open(pair, PAIR_A, d, V1_QM2, &forge);
    struct forge_payload *id = forge_find(&forge, ISAKMP_P_ID);
    assert_int_equal(id[1].type, ISAKMP_P_ID);
    id[*second].body[7]++;
    forge_close(pair, PAIR_A, &forge, d);
    return true;
}

static void check_changed_end(bool second)
{
    struct pair *pair = pair_new(NULL);
    pair->tap = swap_ends;
    pair->tap_ctx = &second;
    assert_int_equal(pair_initiate(pair, PAIR_A, 7, 0), ERR_OK);
    pair_run(pair, 200);
    assert_int_equal(pair->sides[PAIR_A].failed, 1);
    assert_int_equal(pair->sides[PAIR_A].last_failed.failure, IKE_FAILURE_OTHER);
    assert_int_equal(pair_sad_count(pair, PAIR_A), 0);
    pair_free(pair);
}

static void test_changed_ends(void **state)
{
    (void)state;
    check_changed_end(false);
    check_changed_end(true);
}

/* An established SA does not let the peer speak in another's name: each proposal is asked about. */
static void test_every_proposal_is_asked_about(void **state)
{
    struct pair *pair = pair_new(NULL);
    (void)state;
    for (unsigned n = 0; n < 5; n++) {
        assert_int_equal(pair_initiate(pair, PAIR_A, n + 1, n), ERR_OK);
        pair_run(pair, 1000);
    }
    assert_int_equal(pair->sides[PAIR_B].asked_authorization, 5);
    pair_free(pair);
}

/* Requests that make no sense fail at once, and each only once. */
static void test_bad_requests(void **state)
{
    struct pair *pair = pair_new(NULL);
    struct pair_side *a = &pair->sides[PAIR_A];
    (void)state;
    a->peer_key_count = 0;
    assert_int_equal(pair_initiate(pair, PAIR_A, 7, 0), ERR_VALUE);
    assert_int_equal(a->failed, 1);
    a->peer_key_count = 1;
    assert_int_equal(pair_initiate(pair, PAIR_A, 7, 0), ERR_OK);
    assert_int_equal(pair_initiate(pair, PAIR_A, 7, 0), ERR_STATE);
    assert_int_equal(a->failed, 1);
    pair_run(pair, 1000);
    assert_int_equal(a->up, 1);
    assert_int_equal(pair_event(pair, PAIR_A, IKE_EV_DELETE_CHILD, 99), ERR_UNKNOWN);
    assert_int_equal(pair_event(pair, PAIR_A, IKE_EV_CANCEL, 99), ERR_UNKNOWN);
    pair_free(pair);
}

/* IKE_EV_CANCEL at any moment: nothing is reported and nothing stays. */
static void test_cancel(void **state)
{
    (void)state;
    for (int64_t at = 0; at < 80; at += 5) {
        struct pair *pair = pair_new(NULL);
        pair->sides[PAIR_B].ticket = 0;
        assert_int_equal(pair_initiate(pair, PAIR_A, 7, 0), ERR_OK);
        pair_run(pair, at);
        assert_int_equal(pair->sides[PAIR_A].up, 0);
        assert_int_equal(pair_event(pair, PAIR_A, IKE_EV_CANCEL, 7), ERR_OK);
        pair_run(pair, 60000);
        assert_int_equal(pair->sides[PAIR_A].up + pair->sides[PAIR_A].failed, 0);
        assert_int_equal(pair_sad_count(pair, PAIR_A) + pair_sad_count(pair, PAIR_B), 0);
        pair_free(pair);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_responder_signature),
        cmocka_unit_test(test_initiator_signature),
        cmocka_unit_test(test_no_key_for_initiator),
        cmocka_unit_test(test_not_authorized),
        cmocka_unit_test(test_no_common_child_suite),
        cmocka_unit_test(test_refusal_names_its_tunnel),
        cmocka_unit_test(test_own_failures),
        cmocka_unit_test(test_initiator_tells),
        cmocka_unit_test(test_responder_failures),
        cmocka_unit_test(test_responder_outbound),
        cmocka_unit_test(test_unanswered_questions),
        cmocka_unit_test(test_only_hosts),
        cmocka_unit_test(test_changed_ends),
        cmocka_unit_test(test_every_proposal_is_asked_about),
        cmocka_unit_test(test_bad_requests),
        cmocka_unit_test(test_cancel),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
