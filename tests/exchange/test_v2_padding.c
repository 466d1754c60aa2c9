/* Which padding an RSA key signs with in IKE_AUTH (RFC 7427, RFC 8247 section 3.2.1), and what becomes of
 * a peer that knows only the older one. */
#include "crypto/signature.h"
#include "forge_v2.h"
#include "site.h"

struct watch {
    enum signature_scheme made[4]; /* by the AUTH payloads that passed, in order */
    unsigned count;
    bool no_pss; /* B believes no PSS */
};

static enum signature_scheme scheme_in(struct forge_v2 *forge)
{
    struct ike2_auth auth;
    for (size_t i = 0; i < forge->count; i++) {
        struct forge_v2_payload *p = &forge->payloads[i];
        if (p->type != IKE2_P_AUTH)
            continue;
        assert_int_equal(ike2_auth_parse(view_of(p->body, p->len), &auth), ERR_OK);
        assert_int_equal(auth.method, IKE2_AUTH_DIGITAL);
        return signature_scheme_of_identifier(auth.identifier);
    }
    fail();
    return SIGNATURE_UNKNOWN;
}

static bool tap(struct pair *pair, struct pair_datagram *d, void *ctx)
{
    static struct forge_v2 forge;
    struct watch *watch = ctx;
    struct ike2_header header;
    if (ike2_header_parse(view_of(d->octets, d->len), &header) != ERR_OK ||
        header.exchange != IKE2_AUTH)
        return true;
    forge_v2_open(pair, d, &forge);
    if (forge.kind == V2_AUTH_ERROR)
        return true;
    assert_in_range(watch->count, 0, 3);
    enum signature_scheme made = watch->made[watch->count++] = scheme_in(&forge);
    if (!watch->no_pss || d->from != PAIR_A || made != SIGNATURE_PSS_SHA2_256)
        return true;
    for (size_t i = 0; i < forge.count; i++)
        if (forge.payloads[i].type == IKE2_P_AUTH)
            forge.payloads[i].body[forge.payloads[i].len - 1] ^= 1;
    forge_v2_close(pair, &forge, false, d);
    return true;
}

static struct site *meet(enum ike_padding a, enum ike_padding b, struct watch *watch)
{
    struct site *site = site_new(IKE_BY_KEY, false);
    const enum ike_padding paddings[PAIR_SIDES] = {a, b};
    for (unsigned s = 0; s < PAIR_SIDES; s++) {
        site->profiles[s][0].version = IKE_VERSION_2;
        site->profiles[s][0].padding = paddings[s];
        site_reconfigure(site, s, 1);
    }
    site->pair->tap = tap;
    site->pair->tap_ctx = watch;
    assert_int_equal(site_begin(site), ERR_OK);
    pair_run(site->pair, 60000);
    return site;
}

static void test_choice(void **state)
{
    static const struct {
        enum ike_padding a, b;
        enum signature_scheme by_a, by_b;
    } cases[] = {
        {IKE_PADDING_AUTO, IKE_PADDING_AUTO, SIGNATURE_PSS_SHA2_256, SIGNATURE_PSS_SHA2_256},
        {IKE_PADDING_AUTO, IKE_PADDING_PKCS1, SIGNATURE_PSS_SHA2_256, SIGNATURE_RSA_SHA2_256},
        /* As the peer itself does: it may know nothing else. */
        {IKE_PADDING_PKCS1, IKE_PADDING_AUTO, SIGNATURE_RSA_SHA2_256, SIGNATURE_RSA_SHA2_256},
        {IKE_PADDING_PKCS1, IKE_PADDING_PSS, SIGNATURE_RSA_SHA2_256, SIGNATURE_PSS_SHA2_256},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct watch watch = {.count = 0};
        struct site *site = meet(cases[i].a, cases[i].b, &watch);
        site_check_up(site);
        assert_int_equal(watch.count, 2);
        assert_int_equal(watch.made[0], cases[i].by_a);
        assert_int_equal(watch.made[1], cases[i].by_b);
        site_free(site);
    }
}

/* It is tried once more, and only where the configuration leaves it open. */
static void test_disbelieved(void **state)
{
    (void)state;
    struct watch watch = {.no_pss = true};
    struct site *site = meet(IKE_PADDING_AUTO, IKE_PADDING_AUTO, &watch);
    site_check_up(site);
    assert_int_equal(watch.count, 3);
    assert_int_equal(watch.made[1], SIGNATURE_RSA_SHA2_256);
    assert_int_equal(watch.made[2], SIGNATURE_RSA_SHA2_256);
    site_free(site);

    watch = (struct watch){.no_pss = true};
    site = meet(IKE_PADDING_PSS, IKE_PADDING_AUTO, &watch);
    site_check_down(site);
    assert_int_equal(watch.count, 1);
    site_free(site);
}

/* A wrong key is not made right by another padding: two attempts, and one failure is reported. */
static void test_wrong_key(void **state)
{
    struct watch watch = {.count = 0};
    struct site *site = site_new(IKE_BY_KEY, false);
    (void)state;
    for (unsigned s = 0; s < PAIR_SIDES; s++) {
        site->profiles[s][0].version = IKE_VERSION_2;
        site_reconfigure(site, s, 1);
    }
    site->pair->sides[PAIR_A].key = 2;
    site->pair->tap = tap;
    site->pair->tap_ctx = &watch;
    assert_int_equal(site_begin(site), ERR_OK);
    pair_run(site->pair, 60000);
    site_check_down(site);
    assert_int_equal(watch.count, 2);
    site_free(site);
}

/* Opportunistic peers take PSS, and a stranger's refusal makes nobody try again. */
static void test_opportunistic(void **state)
{
    const struct pair_options options = {.version = IKE_VERSION_2};
    (void)state;
    for (unsigned refuses = 0; refuses < 2; refuses++) {
        struct watch watch = {.no_pss = refuses != 0};
        struct pair *pair = pair_new(&options);
        pair->tap = tap;
        pair->tap_ctx = &watch;
        assert_int_equal(pair_initiate(pair, PAIR_A, 7, 0), ERR_OK);
        pair_run(pair, 60000);
        assert_int_equal(pair->sides[PAIR_A].up, refuses ? 0 : 1);
        assert_int_equal(watch.count, refuses ? 1 : 2);
        assert_int_equal(watch.made[0], SIGNATURE_PSS_SHA2_256);
        if (!refuses)
            assert_int_equal(watch.made[1], SIGNATURE_PSS_SHA2_256);
        pair_free(pair);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_choice),
        cmocka_unit_test(test_disbelieved),
        cmocka_unit_test(test_wrong_key),
        cmocka_unit_test(test_opportunistic),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
