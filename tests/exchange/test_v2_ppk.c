/* A secret mixed into IKEv2's keys (RFC 8784): who uses it, who may go without, and that nobody in
 * between decides that. */
#include "forge_v2.h"

enum { NONE, OPTIONAL, REQUIRED };

struct watch {
    bool used;     /* the responder said so */
    bool two;      /* the initiator proved itself twice */
    unsigned strip; /* which notify is taken out: one of `strips` */
};

static struct ike_profile profile_of(unsigned side, unsigned ppk)
{
    struct ike_profile p = {.number = 5,
                            .name = "office",
                            .own_method = IKE_BY_PSK,
                            .peer_method = IKE_BY_PSK,
                            .psk = view_of_text("a secret that two gateways share"),
                            .ppk_required = ppk == REQUIRED};
    assert_true(identity_of_fqdn(view_of_text(side == PAIR_A ? "a.example" : "b.example"), &p.own_id));
    assert_true(identity_of_fqdn(view_of_text(side == PAIR_A ? "b.example" : "a.example"), &p.peer_id));
    if (ppk != NONE) {
        p.ppk = view_of_text("many octets that no quantum computer learns");
        p.ppk_id = view_of_text("vault-1");
    }
    return p;
}

static size_t find_notify(const struct forge_v2 *forge, unsigned type)
{
    for (size_t i = 0; i < forge->count; i++)
        if (forge->payloads[i].type == IKE2_P_N &&
            (forge->payloads[i].body[2] << 8 | forge->payloads[i].body[3]) == (int)type)
            return i;
    return SIZE_MAX;
}

static void strip(struct pair *pair, struct forge_v2 *forge, unsigned type,
                  struct pair_datagram *datagram)
{
    size_t i = find_notify(forge, type);
    if (i == SIZE_MAX)
        return;
    forge_v2_drop(forge, i);
    forge_v2_close(pair, forge, false, datagram);
}

static bool tap(struct pair *pair, struct pair_datagram *datagram, void *ctx)
{
    static const struct {
        enum v2_message_kind kind;
        unsigned notify;
    } strips[] = {{V2_NO_MESSAGE, 0},
                  {V2_INIT_REQ, IKE2_N_USE_PPK},
                  {V2_INIT_RSP, IKE2_N_USE_PPK},
                  {V2_AUTH_REQ, IKE2_N_PPK_IDENTITY},
                  {V2_AUTH_RSP, IKE2_N_PPK_IDENTITY}};
    static struct forge_v2 forge;
    struct watch *watch = ctx;
    struct ike2_header header;
    if (ike2_header_parse(view_of(datagram->octets, datagram->len), &header) != ERR_OK ||
        (header.exchange != IKE2_SA_INIT && header.exchange != IKE2_AUTH))
        return true;
    forge_v2_open(pair, datagram, &forge);
    watch->used |= forge.kind == V2_AUTH_RSP && find_notify(&forge, IKE2_N_PPK_IDENTITY) != SIZE_MAX;
    watch->two |= forge.kind == V2_AUTH_REQ && find_notify(&forge, IKE2_N_NO_PPK_AUTH) != SIZE_MAX;
    if (watch->strip != 0 && forge.kind == strips[watch->strip].kind)
        strip(pair, &forge, strips[watch->strip].notify, datagram);
    return true;
}

static struct pair *meet(const struct ike_profile *a, const struct ike_profile *b,
                         struct watch *watch)
{
    const struct pair_options options = {.profiles = {a, b}, .profile_count = 1};
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

static void check(struct pair *pair, bool up)
{
    for (unsigned s = 0; s < PAIR_SIDES; s++)
        assert_int_equal(pair->sides[s].up, up ? 1 : 0);
    assert_int_equal(pair_check_keys(pair), up ? 2 : 0);
    assert_int_equal(pair->sides[PAIR_A].failed, up ? 0 : 1);
    if (!up) {
        struct ike_sa_info info;
        assert_false(ike_sa_info(pair->sides[PAIR_A].ike, 0, &info));
        assert_false(ike_sa_info(pair->sides[PAIR_B].ike, 0, &info));
    }
    pair_free(pair);
}

/* Section 3, table 1: both have it, or one of them does. */
static void test_who_has_it(void **state)
{
    (void)state;
    for (unsigned i = NONE; i <= REQUIRED; i++)
        for (unsigned k = NONE; k <= REQUIRED; k++) {
            const struct ike_profile a = profile_of(PAIR_A, i), b = profile_of(PAIR_B, k);
            struct watch watch = {.used = false};
            struct pair *pair = meet(&a, &b, &watch);
            bool one_sided = (i == REQUIRED && k == NONE) || (k == REQUIRED && i == NONE);
            assert_int_equal(watch.used, i != NONE && k != NONE);
            assert_int_equal(watch.two, i == OPTIONAL && k != NONE);
            check(pair, !one_sided);
        }
}

/* Another PPK of another name: where neither end needs it they go without. */
static void test_another_name(void **state)
{
    (void)state;
    for (unsigned i = OPTIONAL; i <= REQUIRED; i++)
        for (unsigned k = OPTIONAL; k <= REQUIRED; k++) {
            const struct ike_profile a = profile_of(PAIR_A, i);
            struct ike_profile b = profile_of(PAIR_B, k);
            struct watch watch = {.used = false};
            b.ppk_id = view_of_text("vault-2");
            struct pair *pair = meet(&a, &b, &watch);
            assert_false(watch.used);
            check(pair, i == OPTIONAL && k == OPTIONAL);
        }
}

/* Another PPK of the same name: the proof fails, whatever else it would do. */
static void test_another_secret(void **state)
{
    (void)state;
    for (unsigned i = OPTIONAL; i <= REQUIRED; i++) {
        const struct ike_profile a = profile_of(PAIR_A, i);
        struct ike_profile b = profile_of(PAIR_B, i);
        struct watch watch = {.used = false};
        b.ppk = view_of_text("other octets");
        struct pair *pair = meet(&a, &b, &watch);
        assert_int_equal(pair_counter(pair, PAIR_B, "bad-signature"), 1);
        check(pair, false);
    }
}

/* Somebody in between takes the notifies out of IKE_SA_INIT; a responder or initiator gone wrong leaves
 * them out of IKE_AUTH. Both ends could do without, and still nothing comes of it. */
static void test_downgrade(void **state)
{
    (void)state;
    for (unsigned what = 1; what <= 4; what++) {
        const struct ike_profile a = profile_of(PAIR_A, OPTIONAL), b = profile_of(PAIR_B, OPTIONAL);
        struct watch watch = {.strip = what};
        struct pair *pair = meet(&a, &b, &watch);
        assert_int_equal(pair->sides[PAIR_A].up, 0);
        assert_int_equal(pair->sides[PAIR_A].failed, 1);
        assert_int_equal(pair_sad_count(pair, PAIR_A) + pair_sad_count(pair, PAIR_B), 0);
        assert_int_equal(pair_counter(pair, what == 4 ? PAIR_A : PAIR_B, "bad-signature"), 1);
        pair_free(pair);
    }
}

/* A keeper signs once for either kind of peer. */
static void test_signatures(void **state)
{
    (void)state;
    for (unsigned what = 0; what < 3; what++) {
        struct ike_profile p[PAIR_SIDES] = {profile_of(PAIR_A, what == 2 ? REQUIRED : OPTIONAL),
                                            profile_of(PAIR_B, OPTIONAL)};
        struct watch watch = {.used = false};
        for (unsigned s = 0; s < PAIR_SIDES; s++) {
            p[s].own_method = p[s].peer_method = IKE_BY_KEY;
            p[s].psk = view_of(NULL, 0);
            p[s].peer_keys = pair_public_key(!s);
            p[s].peer_key_count = 1;
        }
        if (what == 1)
            p[PAIR_B].ppk_id = view_of_text("vault-2");
        struct pair *pair = meet(&p[PAIR_A], &p[PAIR_B], &watch);
        assert_int_equal(pair->sides[PAIR_A].asked_signature, what == 2 ? 1 : 2);
        assert_int_equal(watch.used, what != 1);
        check(pair, true);
    }
}

/* Version 1 has no such thing: a connection that needs it does not take version 1. */
static void test_version_1(void **state)
{
    (void)state;
    for (unsigned i = OPTIONAL; i <= REQUIRED; i++) {
        struct ike_profile a = profile_of(PAIR_A, NONE), b = profile_of(PAIR_B, i);
        struct watch watch = {.used = false};
        a.version = IKE_VERSION_1;
        struct pair *pair = meet(&a, &b, &watch);
        assert_int_equal(pair->sides[PAIR_A].up, i == OPTIONAL ? 1 : 0);
        pair_free(pair);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_who_has_it),   cmocka_unit_test(test_another_name),
        cmocka_unit_test(test_another_secret), cmocka_unit_test(test_downgrade),
        cmocka_unit_test(test_signatures),   cmocka_unit_test(test_version_1),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
