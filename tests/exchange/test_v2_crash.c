/*
 * A peer that lost an IKEv2 SA shows its token, and the SA is gone at once at the other end too
 * (RFC 6290); nobody else can bring that about.
 */
#include "forge_v2.h"

enum { SECONDS = 1000 };

struct watch {
    unsigned shown;    /* clear messages with a token */
    bool spoil;        /* it is changed on the way */
    bool elsewhere;    /* it comes from another address */
    bool lose_auth;    /* no answer to IKE_AUTH arrives */
    struct pair_datagram request; /* the last sealed request of side A */
};

static struct pair_options options_with(bool secret)
{
    struct pair_options options = {.version = IKE_VERSION_2};
    if (secret)
        options.config.crash_secret = view_of_text("what a crash does not change");
    return options;
}

static bool is_token(const struct pair_datagram *d)
{
    static const uint8_t type[2] = {IKE2_N_QUICK_CRASH_DETECTION >> 8,
                                    IKE2_N_QUICK_CRASH_DETECTION & 0xff};
    struct ike2_header header;
    struct ike2_payloads payloads;
    uint8_t critical;
    struct view bytes = view_of(d->octets, d->len);
    if (ike2_header_parse(bytes, &header) != ERR_OK || header.next_payload != IKE2_P_N)
        return false;
    bytes = view_of(bytes.ptr + IKE2_HEADER_LEN, bytes.len - IKE2_HEADER_LEN);
    assert_int_equal(ike2_payloads_parse(header.next_payload, bytes, &payloads, &critical), ERR_OK);
    for (size_t i = 0; i < payloads.count; i++)
        if (payloads.list[i].type == IKE2_P_N && memcmp(payloads.list[i].body.ptr + 2, type, 2) == 0)
            return true;
    return false;
}

static bool tap(struct pair *pair, struct pair_datagram *d, void *ctx)
{
    struct watch *watch = ctx;
    struct ike2_header header;
    (void)pair;
    assert_int_equal(ike2_header_parse(view_of(d->octets, d->len), &header), ERR_OK);
    bool response = (header.flags & IKE2_FLAG_RESPONSE) != 0;
    if (d->from == PAIR_A && !response && header.next_payload == IKE2_P_SK)
        watch->request = *d;
    if (is_token(d)) {
        watch->shown++;
        if (watch->spoil)
            d->octets[d->len - 1] ^= 1;
        if (watch->elsewhere)
            assert_true(ip_addr_parse("192.0.2.77", &d->source.addr));
    }
    return !(watch->lose_auth && response && header.exchange == IKE2_AUTH);
}

static size_t ike_sas(const struct pair *pair, unsigned side)
{
    struct ike_sa_info info;
    size_t count = 0;
    while (ike_sa_info(pair->sides[side].ike, count, &info))
        count++;
    return count;
}

static struct pair *up(const struct pair_options *options, struct watch *watch)
{
    struct pair *pair = pair_new(options);
    pair->tap = tap;
    pair->tap_ctx = watch;
    assert_int_equal(pair_initiate(pair, PAIR_A, 7, 0), ERR_OK);
    pair_run(pair, 1 * SECONDS);
    assert_int_equal(pair_check_keys(pair), 2);
    return pair;
}

/* Either end crashes; the other wants another tunnel. */
static void check_recovery(struct pair *pair, unsigned lost, struct watch *watch, bool at_once)
{
    unsigned other = !lost;
    pair_crash(pair, lost, false);
    pair->sides[lost].up = pair->sides[other].up = 0;
    assert_int_equal(pair_initiate(pair, other, 8, 1), ERR_OK);
    pair_run(pair, 1 * SECONDS);
    assert_int_equal(watch->shown != 0, at_once || watch->spoil);
    assert_int_equal(pair->sides[other].deleted, at_once ? 1 : 0);
    assert_int_equal(pair->sides[other].up, at_once ? 1 : 0);
    if (at_once) {
        assert_int_equal(pair_check_keys(pair), 2);
        assert_int_equal(ike_sas(pair, PAIR_A), 1);
        assert_int_equal(ike_sas(pair, PAIR_B), 1);
    }
    pair_free(pair);
}

static void test_lost(void **state)
{
    (void)state;
    for (unsigned lost = 0; lost < PAIR_SIDES; lost++)
        for (unsigned secret = 0; secret < 2; secret++) {
            const struct pair_options options = options_with(secret != 0);
            struct watch watch = {.shown = 0};
            struct pair *pair = up(&options, &watch);
            check_recovery(pair, lost, &watch, secret != 0);
        }
}

/* Section 3: from any address; but only with the right token. */
static void test_elsewhere(void **state)
{
    const struct pair_options options = options_with(true);
    (void)state;
    struct watch watch = {.elsewhere = true};
    struct pair *pair = up(&options, &watch);
    check_recovery(pair, PAIR_B, &watch, true);
}

static void test_forged(void **state)
{
    const struct pair_options options = options_with(true);
    (void)state;
    struct watch watch = {.spoil = true};
    struct pair *pair = up(&options, &watch);
    check_recovery(pair, PAIR_B, &watch, false);
}

/* Section 4.3: the SA that replaces another has tokens of its own. */
static void test_rekeyed(void **state)
{
    const struct pair_options options = options_with(true);
    (void)state;
    for (unsigned begins = 0; begins < PAIR_SIDES; begins++)
        for (unsigned lost = 0; lost < PAIR_SIDES; lost++) {
            struct watch watch = {.shown = 0};
            struct pair *pair = up(&options, &watch);
            rekey_begin(pair->sides[begins].ike, pair->sides[begins].ike->v2.all[0]);
            pair_drain(pair, begins);
            pair_run(pair, 1 * SECONDS);
            assert_int_equal(ike_sas(pair, PAIR_A), 1);
            assert_int_equal(ike_sas(pair, PAIR_B), 1);
            check_recovery(pair, lost, &watch, true);
        }
}

/* The token is among what outlives an engine. */
static void test_both_restart(void **state)
{
    const struct pair_options options = options_with(true);
    struct watch watch = {.shown = 0};
    struct pair *pair = up(&options, &watch);
    (void)state;
    pair_crash(pair, PAIR_A, true);
    assert_int_equal(ike_sas(pair, PAIR_A), 1);
    check_recovery(pair, PAIR_B, &watch, true);
}

/* The answer to IKE_AUTH never arrives: the responder is left with an SA that nobody else has. */
static void test_one_sided(void **state)
{
    (void)state;
    for (unsigned secret = 0; secret < 2; secret++) {
        const struct pair_options options = options_with(secret != 0);
        struct watch watch = {.lose_auth = true};
        struct pair *pair = pair_new(&options);
        pair->tap = tap;
        pair->tap_ctx = &watch;
        assert_int_equal(pair_initiate(pair, PAIR_A, 7, 0), ERR_OK);
        pair_run(pair, 60 * SECONDS);
        assert_int_equal(ike_sas(pair, PAIR_A), 0);
        assert_int_equal(pair->sides[PAIR_A].failed, 1);
        watch.lose_auth = false;
        bool still = ike_sas(pair, PAIR_B) == 1;
        assert_true(still);
        assert_int_equal(pair_initiate(pair, PAIR_B, 9, 1), ERR_OK);
        pair_run(pair, 1 * SECONDS);
        assert_int_equal(watch.shown, secret);
        assert_int_equal(pair->sides[PAIR_A].up, secret);
        if (secret != 0)
            assert_int_equal(pair_check_keys(pair), 2);
        pair_free(pair);
    }
}

/* Section 9: of an SA that is there no token can be had, however the question is turned. */
static void test_fishing(void **state)
{
    const struct pair_options options = options_with(true);
    struct watch watch = {.shown = 0};
    struct pair *pair = up(&options, &watch);
    (void)state;
    assert_int_equal(pair_initiate(pair, PAIR_A, 8, 1), ERR_OK);
    pair_run(pair, 1 * SECONDS);
    const struct pair_datagram asked = watch.request;
    for (unsigned turn = 0; turn < 16; turn++) {
        for (unsigned side = 0; side < PAIR_SIDES; side++) {
            struct pair_datagram d = asked;
            if (turn & 1) {
                memcpy(d.octets, asked.octets + IKE2_SPI_LEN, IKE2_SPI_LEN);
                memcpy(d.octets + IKE2_SPI_LEN, asked.octets, IKE2_SPI_LEN);
            }
            if (turn & 2)
                d.octets[19] ^= IKE2_FLAG_INITIATOR;
            if (turn & 4)
                d.octets[18] = IKE2_INFORMATIONAL;
            if (turn & 8)
                d.octets[23] = 99; /* the message id */
            (void)pair_inject(pair, side, view_of(d.octets, d.len));
            pair_run(pair, 100);
        }
    }
    assert_int_equal(ike_sas(pair, PAIR_A), 1);
    assert_int_equal(ike_sas(pair, PAIR_B), 1);
    assert_int_equal(pair_check_keys(pair), 4);
    assert_int_equal(watch.shown, 0);
    /* One that is not there: it is shown, but not more often than complaints are. */
    struct pair_datagram d = asked;
    for (unsigned i = 0; i < 100; i++) {
        d.octets[0] = (uint8_t)(asked.octets[0] + 1 + i);
        d.octets[IKE2_SPI_LEN] ^= 0x55;
        (void)pair_inject(pair, PAIR_B, view_of(d.octets, d.len));
    }
    pair_run(pair, 100);
    assert_in_range(watch.shown, 1, 20);
    pair_free(pair);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lost),    cmocka_unit_test(test_elsewhere),
        cmocka_unit_test(test_forged),  cmocka_unit_test(test_rekeyed),
        cmocka_unit_test(test_both_restart), cmocka_unit_test(test_one_sided),
        cmocka_unit_test(test_fishing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
