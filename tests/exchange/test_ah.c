/*
 * Children of AH under both versions of IKE (IKE-008, IKE-044, IKE-046): negotiated, re-keyed, deleted
 * and taken up again by a keying daemon that was restarted; refused through a NAT and by a peer that
 * wants ESP.
 */
#include "pair.h"

enum { PROFILE = 5, TICKET = 7 };

static const enum ike_version versions[] = {IKE_VERSION_1, IKE_VERSION_2};

static struct ike_profile profile(const char *own, const char *peer, enum ike_version version)
{
    struct ike_profile p = {.number = PROFILE,
                            .name = "office",
                            .version = version,
                            .ah = true,
                            .own_method = IKE_BY_PSK,
                            .peer_method = IKE_BY_PSK,
                            .psk = view_of_text("a secret that two gateways share")};
    assert_true(identity_of_fqdn(view_of_text(own), &p.own_id));
    assert_true(identity_of_fqdn(view_of_text(peer), &p.peer_id));
    return p;
}

static struct traffic net(const char *text)
{
    struct traffic t = {.port_last = UINT16_MAX};
    assert_true(ip_prefix_parse(text, &t.net));
    return t;
}

struct office {
    struct ike_profile profiles[PAIR_SIDES];
    struct pair *pair;
};

static void office_open(struct office *office, enum ike_version version)
{
    office->profiles[PAIR_A] = profile("a.example", "b.example", version);
    office->profiles[PAIR_B] = profile("b.example", "a.example", version);
}

static void begin(struct office *office, enum ike_nat nat)
{
    const struct pair_options options = {
        .profiles = {&office->profiles[PAIR_A], &office->profiles[PAIR_B]},
        .profile_count = 1,
        .config = {.nat = nat}};
    const struct traffic_pair traffic = {net("10.1.0.0/16"), net("10.2.0.0/16")};
    office->pair = pair_new(&options);
    for (unsigned s = 0; s < PAIR_SIDES; s++)
        office->pair->sides[s].ticket = TICKET;
    assert_int_equal(pair_initiate_profile(office->pair, PAIR_A, TICKET, PROFILE, &traffic), ERR_OK);
    pair_run(office->pair, 2000);
}

static size_t count_ah(const struct pair *pair, unsigned side)
{
    size_t count = 0;
    for (size_t i = 0; i < PAIR_SAD_MAX; i++) {
        const struct pair_sa *sa = &pair->sides[side].sad[i];
        if (!sa->used)
            continue;
        assert_int_equal(sa->params.suite.protocol, SA_AH);
        assert_int_equal(sa->params.cipher_key_len, 0);
        assert_int_equal(sa->params.auth_key_len, esp_suite_auth_key_len(&sa->params.suite));
        assert_true(esp_suite_valid(&sa->params.suite));
        count++;
    }
    return count;
}

static void assert_up(const struct pair *pair)
{
    for (unsigned s = 0; s < PAIR_SIDES; s++) {
        assert_int_equal(pair->sides[s].up, 1);
        assert_int_equal(pair->sides[s].last_up.suite.protocol, SA_AH);
        assert_int_equal(pair->sides[s].last_up.suite.auth, ESP_AUTH_HMAC_SHA2_256_128);
        assert_int_equal(count_ah(pair, s), 2);
    }
    assert_int_equal(pair_check_keys(pair), 2);
}

static void test_up_and_deleted(void **state)
{
    (void)state;
    for (size_t v = 0; v < 2; v++) {
        for (unsigned by = 0; by < PAIR_SIDES; by++) {
            struct office office;
            office_open(&office, versions[v]);
            begin(&office, IKE_NAT_AUTO);
            assert_up(office.pair);
            /* A Delete of AH is understood as one. */
            pair_event(office.pair, by, IKE_EV_DELETE_CHILD, TICKET);
            pair_run(office.pair, 2000);
            assert_int_equal(office.pair->sides[!by].deleted, 1);
            for (unsigned s = 0; s < PAIR_SIDES; s++) {
                assert_int_equal(pair_sad_count(office.pair, s), 0);
                assert_int_equal(pair_counter(office.pair, s, "delete-for-unknown-sa"), 0);
            }
            pair_free(office.pair);
        }
    }
}

static void test_rekeyed(void **state)
{
    (void)state;
    for (size_t v = 0; v < 2; v++) {
        struct office office;
        office_open(&office, versions[v]);
        begin(&office, IKE_NAT_AUTO);
        const struct traffic_pair traffic = {net("10.1.0.0/16"), net("10.2.0.0/16")};
        assert_int_equal(
            pair_initiate_profile(office.pair, PAIR_A, TICKET, PROFILE, &traffic), ERR_OK);
        pair_run(office.pair, 120000);
        for (unsigned s = 0; s < PAIR_SIDES; s++) {
            assert_int_equal(office.pair->sides[s].up, 2);
            assert_int_equal(count_ah(office.pair, s), 2);
            assert_int_equal(pair_counter(office.pair, s, "delete-for-unknown-sa"), 0);
        }
        assert_int_equal(pair_check_keys(office.pair), 2);
        pair_free(office.pair);
    }
}

/* What was saved says that it was AH: the next daemon's Delete does too. */
static void test_resumed(void **state)
{
    (void)state;
    for (size_t v = 0; v < 2; v++) {
        struct office office;
        office_open(&office, versions[v]);
        begin(&office, IKE_NAT_AUTO);
        assert_up(office.pair);
        pair_crash(office.pair, PAIR_A, true);
        pair_run(office.pair, 2000);
        pair_event(office.pair, PAIR_A, IKE_EV_DELETE_CHILD, TICKET);
        pair_run(office.pair, 5000);
        assert_int_equal(office.pair->sides[PAIR_B].deleted, 1);
        assert_int_equal(pair_sad_count(office.pair, PAIR_B), 0);
        pair_free(office.pair);
    }
}

/* One end wants AH and the other ESP: there is no tunnel, in either direction. */
static void test_esp_is_no_ah(void **state)
{
    (void)state;
    for (size_t v = 0; v < 2; v++) {
        for (unsigned esp = 0; esp < PAIR_SIDES; esp++) {
            struct office office;
            office_open(&office, versions[v]);
            office.profiles[esp].ah = false;
            begin(&office, IKE_NAT_AUTO);
            pair_run(office.pair, 60000);
            for (unsigned s = 0; s < PAIR_SIDES; s++) {
                assert_int_equal(office.pair->sides[s].up, 0);
                assert_int_equal(pair_sad_count(office.pair, s), 0);
            }
            assert_int_equal(office.pair->sides[PAIR_A].failed, 1);
            pair_free(office.pair);
        }
    }
}

/* AH covers the addresses: where UDP is needed or forced there is none, and the reason is told. */
static void test_no_nat(void **state)
{
    (void)state;
    for (size_t v = 0; v < 2; v++) {
        struct office office;
        office_open(&office, versions[v]);
        begin(&office, IKE_NAT_FORCE);
        pair_run(office.pair, 60000);
        assert_int_equal(office.pair->sides[PAIR_A].up, 0);
        assert_int_equal(office.pair->sides[PAIR_A].failed, 1);
        assert_int_equal(office.pair->sides[PAIR_B].up, 0);
        for (unsigned s = 0; s < PAIR_SIDES; s++)
            assert_int_equal(pair_sad_count(office.pair, s), 0);
        pair_free(office.pair);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_up_and_deleted), cmocka_unit_test(test_rekeyed),
        cmocka_unit_test(test_resumed),        cmocka_unit_test(test_esp_is_no_ah),
        cmocka_unit_test(test_no_nat),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
