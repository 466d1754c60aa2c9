/* IKEv2 from the first message to a tunnel that both ends have: opportunistic and configured. */
#include "authority.h"
#include "pair.h"

static const struct pair_options v2 = {.version = IKE_VERSION_2};

static void assert_up(const struct pair *pair, unsigned tunnels)
{
    for (unsigned i = 0; i < PAIR_SIDES; i++) {
        assert_int_equal(pair->sides[i].up, tunnels);
        assert_int_equal(pair->sides[i].failed, 0);
        assert_true(pair->sides[i].connected);
    }
    assert_int_equal(pair_check_keys(pair), 2 * tunnels);
}

static struct pair *opportunistic(const struct pair_options *options)
{
    struct pair *pair = pair_new(options);
    assert_int_equal(pair_initiate(pair, PAIR_A, 7, 0), ERR_OK);
    pair_run(pair, 1000);
    return pair;
}

/* Two round trips, raw RSA keys, one pair of hosts. */
static void test_opportunistic(void **state)
{
    (void)state;
    for (unsigned v6 = 0; v6 < 2; v6++) {
        struct pair_options options = v2;
        options.v6 = v6 != 0;
        struct pair *pair = opportunistic(&options);
        assert_up(pair, 1);
        assert_int_equal(pair->sent[PAIR_A], 2);
        assert_int_equal(pair->sent[PAIR_B], 2);
        assert_string_equal(pair->sides[PAIR_A].ladder, "5D> 5E1< 5E2> 5E3< ");
        assert_int_equal(pair->sides[PAIR_B].asked_keys, 1);
        assert_int_equal(pair->sides[PAIR_B].asked_authorization, 1);
        assert_int_equal(pair->sides[PAIR_A].authenticated, 1);
        assert_int_equal(pair->sides[PAIR_B].authenticated, 1);
        assert_int_equal(pair->sides[PAIR_A].last_up.ticket, 7);
        assert_true(pair->sides[PAIR_A].last_up.initiator);
        assert_false(pair->sides[PAIR_B].last_up.initiator);
        pair_free(pair);
    }
}

/* More tunnels take one round trip each, one after the other. */
static void test_more_children(void **state)
{
    struct pair *pair = opportunistic(&v2);
    (void)state;
    for (unsigned n = 1; n < 5; n++)
        assert_int_equal(pair_initiate(pair, PAIR_A, 7 + n, n), ERR_OK);
    assert_int_equal(pair_initiate(pair, PAIR_B, 70, 5), ERR_OK);
    pair->sides[PAIR_A].ticket = 71;
    pair_run(pair, 1000);
    assert_up(pair, 6);
    assert_int_equal(pair->sent[PAIR_A], 2 + 4 + 1);
    assert_int_equal(pair->sides[PAIR_B].asked_keys, 1);
    pair_free(pair);
}

/* Requests that come while the first exchanges run wait for them. */
static void test_waiting(void **state)
{
    struct pair *pair = pair_new(&v2);
    (void)state;
    for (unsigned n = 0; n < 3; n++)
        assert_int_equal(pair_initiate(pair, PAIR_A, 7 + n, n), ERR_OK);
    pair_run(pair, 1000);
    assert_up(pair, 3);
    assert_int_equal(pair->sent[PAIR_A], 2 + 2);
    pair_free(pair);
}

/* Policy refuses the first child; the IKE SA stays, and serves another request. */
static void test_refused_child(void **state)
{
    struct pair *pair = pair_new(&v2);
    (void)state;
    pair->sides[PAIR_B].refuse = true;
    assert_int_equal(pair_initiate(pair, PAIR_A, 7, 0), ERR_OK);
    pair_run(pair, 1000);
    assert_int_equal(pair->sides[PAIR_A].failed, 1);
    assert_int_equal(pair->sides[PAIR_A].last_failed.failure, IKE_FAILURE_REFUSED);
    assert_non_null(strstr(pair->sides[PAIR_A].last_failed.text, "TS_UNACCEPTABLE"));
    assert_int_equal(pair_sad_count(pair, PAIR_A), 0);
    pair->sides[PAIR_B].refuse = false;
    assert_int_equal(pair_initiate(pair, PAIR_A, 8, 1), ERR_OK);
    pair_run(pair, 1000);
    assert_int_equal(pair->sides[PAIR_A].up, 1);
    assert_int_equal(pair->sides[PAIR_B].asked_keys, 1);
    assert_int_equal(pair_check_keys(pair), 2);
    pair->sides[PAIR_B].refuse = true;
    assert_int_equal(pair_initiate(pair, PAIR_A, 9, 2), ERR_OK);
    pair_run(pair, 1000);
    assert_int_equal(pair->sides[PAIR_A].failed, 2);
    assert_int_equal(pair_check_keys(pair), 2);
    pair_free(pair);
}

/* The wrong key on either side ends it, and says so to the other. */
static void test_wrong_key(void **state)
{
    (void)state;
    for (unsigned liar = 0; liar < PAIR_SIDES; liar++) {
        struct pair *pair = pair_new(&v2);
        pair->sides[liar].key = 2;
        assert_int_equal(pair_initiate(pair, PAIR_A, 7, 0), ERR_OK);
        pair_run(pair, 1000);
        assert_int_equal(pair->sides[PAIR_A].up, 0);
        assert_int_equal(pair->sides[PAIR_A].failed, 1);
        assert_int_equal(pair->sides[PAIR_A].last_failed.failure,
                         liar == PAIR_B ? IKE_FAILURE_SIGNATURE : IKE_FAILURE_OTHER);
        assert_int_equal(pair_counter(pair, !liar, "bad-signature"), 1);
        pair_run(pair, 60000);
        assert_int_equal(pair_sad_count(pair, PAIR_A) + pair_sad_count(pair, PAIR_B), 0);
        struct ike_sa_info info;
        assert_false(ike_sa_info(pair->sides[PAIR_A].ike, 0, &info));
        assert_false(ike_sa_info(pair->sides[PAIR_B].ike, 0, &info));
        pair_free(pair);
    }
}

/* Our own side fails at each of its answers: nothing stays behind anywhere. */
static void test_own_side_fails(void **state)
{
    (void)state;
    for (unsigned what = 0; what < 5; what++) {
        for (unsigned side = 0; side < PAIR_SIDES; side++) {
            struct pair *pair = pair_new(&v2);
            struct pair_side *s = &pair->sides[side];
            s->no_spi = what == 0;
            s->no_install = what == 1;
            s->no_signature = what == 2;
            s->no_keys = what == 3;
            s->refuse = what == 4;
            assert_int_equal(pair_initiate(pair, PAIR_A, 7, 0), ERR_OK);
            pair_run(pair, 60000);
            bool harmless = side == PAIR_A && what >= 3; /* an initiator isn't asked that */
            assert_int_equal(pair->sides[PAIR_A].up, harmless);
            assert_int_equal(pair->sides[PAIR_A].failed, !harmless);
            assert_int_equal(pair_check_keys(pair), harmless ? 2 : 0);
            assert_int_equal(pair_sad_count(pair, PAIR_B), harmless ? 2 : 0);
            pair_free(pair);
        }
    }
}

/* A keeper that is replaced under the exchange loses the question: it is asked again. */
static void test_keeper_lost(void **state)
{
    (void)state;
    for (unsigned side = 0; side < PAIR_SIDES; side++) {
        struct pair *pair = pair_new(&v2);
        pair->sides[side].hold[IKE_FX_NEED_SIGNATURE] = true;
        assert_int_equal(pair_initiate(pair, PAIR_A, 7, 0), ERR_OK);
        pair_run(pair, 1000);
        pair->sides[side].hold[IKE_FX_NEED_SIGNATURE] = false;
        pair_run(pair, 5000);
        assert_up(pair, 1);
        assert_int_equal(pair->sides[side].asked_signature, 2);
        assert_int_equal(pair_answer(pair, side, &pair->sides[side].held), ERR_UNKNOWN);
        pair_free(pair);
    }
}

/* Configured peers */

static const char secret[] = "a secret that two gateways share";

static struct ike_profile psk_profile(const char *own, const char *peer)
{
    struct ike_profile p = {.number = 5,
                            .name = "office",
                            .own_method = IKE_BY_PSK,
                            .peer_method = IKE_BY_PSK,
                            .psk = view_of_text(secret)};
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

static struct pair *configured(struct ike_profile *a, struct ike_profile *b)
{
    const struct pair_options options = {.profiles = {a, b}, .profile_count = 1};
    const struct traffic_pair traffic = {net("10.1.0.0/16"), net("10.2.0.0/16")};
    struct pair *pair = pair_new(&options);
    assert_int_equal(pair_initiate_profile(pair, PAIR_A, 7, 5, &traffic), ERR_OK);
    pair_run(pair, 2000);
    return pair;
}

static void test_psk(void **state)
{
    struct ike_profile a = psk_profile("a.example", "b.example");
    struct ike_profile b = psk_profile("b.example", "a.example");
    struct pair *pair = configured(&a, &b);
    (void)state;
    assert_up(pair, 1);
    assert_int_equal(pair->sides[PAIR_B].asked_keys, 0);
    assert_int_equal(pair->sides[PAIR_A].asked_signature, 0);
    assert_int_equal(pair->sides[PAIR_B].last_up.profile, 5);
    assert_string_equal(pair->sides[PAIR_B].last_up.peer_id.fqdn, "a.example");
    for (size_t i = 0; i < PAIR_SAD_MAX; i++)
        if (pair->sides[PAIR_A].sad[i].used)
            assert_int_equal(pair->sides[PAIR_A].sad[i].params.interface, SA_CONFIGURED);
    pair_free(pair);
}

/* IKE-012: another secret, another name, another way than the profile says. */
static void test_psk_refused(void **state)
{
    (void)state;
    for (unsigned what = 0; what < 4; what++) {
        struct ike_profile a = psk_profile("a.example", "b.example");
        struct ike_profile b = psk_profile("b.example", "a.example");
        if (what == 0)
            b.psk = view_of_text("another secret");
        else if (what == 1)
            b.peer_id = a.peer_id;
        else if (what == 2)
            a.peer_id = a.own_id;
        else
            a.own_method = IKE_BY_NULL;
        struct pair *pair = configured(&a, &b);
        assert_int_equal(pair->sides[PAIR_A].up + pair->sides[PAIR_B].up, what == 2 ? 1 : 0);
        assert_int_equal(pair->sides[PAIR_A].up, 0);
        assert_int_equal(pair->sides[PAIR_A].failed, 1);
        pair_run(pair, 60000);
        assert_int_equal(pair_sad_count(pair, PAIR_B), 0);
        pair_free(pair);
    }
}

/* Section 2.9: the responder takes part of what is offered. */
static void test_narrowing(void **state)
{
    struct ike_profile a = psk_profile("a.example", "b.example");
    struct ike_profile b = psk_profile("b.example", "a.example");
    const struct pair_options options = {.profiles = {&a, &b}, .profile_count = 1};
    const struct traffic_pair traffic = {net("10.1.0.0/16"), net("10.2.0.0/16")};
    (void)state;
    for (unsigned wide = 0; wide < 2; wide++) {
        struct pair *pair = pair_new(&options);
        const struct traffic_pair narrow = {net(wide ? "10.0.0.0/8" : "10.2.3.0/24"),
                                            net("10.1.0.0/17")};
        pair->sides[PAIR_B].narrow = &narrow;
        assert_int_equal(pair_initiate_profile(pair, PAIR_A, 7, 5, &traffic), ERR_OK);
        pair_run(pair, 2000);
        if (wide) {
            assert_int_equal(pair->sides[PAIR_A].failed, 1);
        } else {
            assert_up(pair, 1);
            const struct ike_effect *up = &pair->sides[PAIR_A].last_up;
            assert_int_equal(up->traffic.local.net.bits, 17);
            assert_int_equal(up->traffic.remote.net.bits, 24);
        }
        pair_free(pair);
    }
}

/* RFC 7619: both, or only the initiator, stay nameless. */
static void test_null(void **state)
{
    struct ike_profile a = psk_profile("a.example", "b.example"), b = a;
    (void)state;
    a.own_method = a.peer_method = b.own_method = b.peer_method = IKE_BY_NULL;
    a.peer_id.kind = b.peer_id.kind = IDENTITY_NONE;
    struct pair *pair = configured(&a, &b);
    assert_up(pair, 1);
    assert_int_equal(pair->sides[PAIR_B].last_up.peer_id.kind, IDENTITY_NULL);
    pair_free(pair);
}

/* Configured keys of every kind. */
static void test_keys(void **state)
{
    static const enum key_alg algs[] = {KEY_RSA, KEY_ECDSA_P256, KEY_ECDSA_P384, KEY_ED25519};
    (void)state;
    for (size_t i = 0; i < sizeof(algs) / sizeof(algs[0]); i++) {
        struct ike_profile profiles[PAIR_SIDES] = {psk_profile("a.example", "b.example"),
                                                   psk_profile("b.example", "a.example")};
        struct private_key *keys[PAIR_SIDES];
        struct public_key public[PAIR_SIDES];
        for (unsigned s = 0; s < PAIR_SIDES; s++) {
            assert_int_equal(private_key_generate_alg(algs[i], 2048, &keys[s]), ERR_OK);
            private_key_public(keys[s], &public[s]);
            profiles[s].own_method = profiles[s].peer_method = IKE_BY_KEY;
            profiles[s].own_key = 9;
            profiles[s].own_public = &public[s];
            profiles[s].peer_keys = &public[!s];
            profiles[s].peer_key_count = 1;
        }
        const struct pair_options options = {.profiles = {&profiles[0], &profiles[1]},
                                             .profile_count = 1};
        const struct traffic_pair traffic = {net("10.1.0.0/16"), net("10.2.0.0/16")};
        struct pair *pair = pair_new(&options);
        pair->sides[PAIR_A].own_key = keys[PAIR_A];
        pair->sides[PAIR_B].own_key = keys[PAIR_B];
        assert_int_equal(pair_initiate_profile(pair, PAIR_A, 7, 5, &traffic), ERR_OK);
        pair_run(pair, 2000);
        assert_up(pair, 1);
        pair_free(pair);
        private_key_free(keys[0]);
        private_key_free(keys[1]);
    }
}

/* IKE-057: certificates; a revoked one, an unknown authority and another name are refused. */
enum doubt { GOOD, REVOKED, STRANGE, OTHER_NAME, TOO_OLD, BIG, DOUBTS };

static void certified(enum doubt doubt)
{
    struct authority *authority = authority_new(), *other = authority_new();
    struct authority_der ca, other_ca, crl, certs[PAIR_SIDES];
    struct ike_profile profiles[PAIR_SIDES] = {psk_profile("a.example", "b.example"),
                                               psk_profile("b.example", "a.example")};
    struct view chain[PAIR_SIDES][4], anchor, list;
    authority_own(authority, &ca);
    authority_own(other, &other_ca);
    for (unsigned s = 0; s < PAIR_SIDES; s++) {
        bool doubtful = s == PAIR_A && doubt != GOOD;
        const char *name = s == PAIR_A ? "DNS:a.example" : "DNS:b.example";
        if (doubtful && doubt == OTHER_NAME)
            name = "DNS:c.example";
        authority_issue(doubtful && doubt == STRANGE ? other : authority, pair_private_key(s), name,
                        doubtful && doubt == TOO_OLD ? -400 : 0, &certs[s]);
        if (doubtful && doubt == REVOKED)
            authority_revoke_last(authority, &crl);
        profiles[s].own_method = profiles[s].peer_method = IKE_BY_CERTIFICATE;
        profiles[s].own_public = pair_public_key(s);
        profiles[s].own_chain = chain[s];
        profiles[s].own_chain_count = doubt == BIG ? 4 : 1;
        for (unsigned i = 0; i < 4; i++)
            chain[s][i] = view_of(certs[s].octets, certs[s].len);
        anchor = view_of(ca.octets, ca.len);
        profiles[s].anchors = &anchor;
        profiles[s].anchor_count = 1;
        list = view_of(crl.octets, crl.len);
        profiles[s].crls = &list;
        profiles[s].crl_count = doubt == REVOKED;
    }
    struct pair *pair = configured(&profiles[PAIR_A], &profiles[PAIR_B]);
    bool good = doubt == GOOD || doubt == BIG;
    assert_int_equal(pair->sides[PAIR_A].up, good);
    assert_int_equal(pair->sides[PAIR_A].failed, !good);
    assert_int_equal(pair_check_keys(pair), good ? 2 : 0);
    if (doubt == BIG) /* RFC 7383: both IKE_AUTH messages come in pieces */
        assert_true(pair->sent[PAIR_A] > 3 && pair->sent[PAIR_B] > 3);
    pair_free(pair);
    authority_free(authority);
    authority_free(other);
}

static void test_certificates(void **state)
{
    (void)state;
    for (enum doubt doubt = GOOD; doubt < DOUBTS; doubt++)
        certified(doubt);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_opportunistic), cmocka_unit_test(test_more_children),
        cmocka_unit_test(test_waiting),       cmocka_unit_test(test_refused_child),
        cmocka_unit_test(test_wrong_key),     cmocka_unit_test(test_own_side_fails),
        cmocka_unit_test(test_keeper_lost),   cmocka_unit_test(test_psk),           cmocka_unit_test(test_psk_refused),
        cmocka_unit_test(test_narrowing),     cmocka_unit_test(test_null),
        cmocka_unit_test(test_keys),          cmocka_unit_test(test_certificates),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
