/* A peer that knows version 1 only (RFC 7296 section 2.5): a connection configured for both falls
 * back, whatever becomes of IKE_SA_INIT; one for version 2 alone does not. */
#include "pair.h"

enum { PROFILE = 5, TICKET = 7 };

enum refusal { SILENCE, OLD_FORM, NEW_FORM, REFUSALS };

struct office {
    struct ike_profile profiles[PAIR_SIDES];
    enum refusal refusal;
    unsigned offers; /* IKE_SA_INITs seen */
    struct pair *pair;
};

static struct identity named(const char *name)
{
    struct identity id;
    assert_true(identity_of_fqdn(view_of_text(name), &id));
    return id;
}

/* What an old implementation answers: an Informational of version 1, or a notify of version 2. */
static void refuse(struct office *office, const struct pair_datagram *d)
{
    uint8_t answer[40] = {0};
    bool old = office->refusal == OLD_FORM;
    memcpy(answer, d->octets, 8);
    answer[16] = old ? 11 : 41;
    answer[17] = old ? 0x10 : 0x20;
    answer[18] = old ? 5 : 34;
    answer[19] = old ? 0 : 0x20;
    answer[27] = old ? 40 : 36;
    answer[31] = old ? 12 : 8;
    answer[old ? 35 : 32] = old ? 1 : 0;
    answer[old ? 36 : 33] = old ? 1 : 0;
    answer[old ? 39 : 35] = 5; /* INVALID-MAJOR-VERSION in either */
    assert_int_not_equal(pair_inject(office->pair, PAIR_A, view_of(answer, answer[27])), ERR_MEMORY);
}

static bool only_version_1(struct pair *pair, struct pair_datagram *d, void *ctx)
{
    struct office *office = ctx;
    (void)pair;
    if (d->octets[17] != 0x20)
        return true;
    office->offers++;
    assert_int_equal(d->from, PAIR_A);
    if (office->refusal != SILENCE)
        refuse(office, d);
    return false;
}

static void office_start(struct office *office, enum ike_version version, enum refusal refusal)
{
    *office = (struct office){.refusal = refusal};
    for (unsigned s = 0; s < PAIR_SIDES; s++)
        office->profiles[s] = (struct ike_profile){
            .number = PROFILE,
            .name = "office",
            .version = s == PAIR_A ? version : IKE_VERSION_1,
            .own_id = named(s == PAIR_A ? "a.example" : "b.example"),
            .peer_id = named(s == PAIR_A ? "b.example" : "a.example"),
            .own_method = IKE_BY_PSK,
            .peer_method = IKE_BY_PSK,
            .psk = view_of_text("correct horse battery staple")};
    const struct pair_options options = {
        .profiles = {&office->profiles[0], &office->profiles[1]}, .profile_count = 1};
    office->pair = pair_new(&options);
    office->pair->tap = only_version_1;
    office->pair->tap_ctx = office;
    office->pair->sides[PAIR_B].ticket = TICKET;
}

static void want(struct office *office, uint64_t ticket, const char *far)
{
    struct traffic_pair traffic = {{.port_last = UINT16_MAX}, {.port_last = UINT16_MAX}};
    assert_true(ip_prefix_parse("10.1.0.0/16", &traffic.local.net));
    assert_true(ip_prefix_parse(far, &traffic.remote.net));
    assert_int_equal(pair_initiate_profile(office->pair, PAIR_A, ticket, PROFILE, &traffic), ERR_OK);
}

static void test_falls_back(void **state)
{
    (void)state;
    for (unsigned refusal = 0; refusal < REFUSALS; refusal++) {
        struct office office;
        office_start(&office, IKE_ANY_VERSION, refusal);
        const struct pair_side *a = &office.pair->sides[PAIR_A];
        want(&office, TICKET, "10.2.0.0/16");
        want(&office, TICKET + 1, "10.3.0.0/16"); /* this one waits for the other's IKE SA */
        office.pair->sides[PAIR_B].ticket = 0;
        pair_run(office.pair, refusal == SILENCE ? 4500 : 2500);
        assert_int_equal(a->up + a->failed, 0); /* a better answer may come */
        pair_run(office.pair, 4000);
        assert_int_equal(a->up, 2);
        assert_int_equal(a->failed, 0);
        assert_int_equal(a->last_up.version, IKE_VERSION_1);
        assert_int_equal(pair_check_keys(office.pair), 4);
        /* What comes next under it does not ask again. */
        unsigned offers = office.offers;
        assert_true(offers > 0);
        want(&office, TICKET + 2, "10.4.0.0/16");
        pair_run(office.pair, 2000);
        assert_int_equal(a->up, 3);
        assert_int_equal(office.offers, offers);
        pair_free(office.pair);
    }
}

static void test_does_not(void **state)
{
    (void)state;
    for (unsigned why = 0; why < 3; why++) {
        struct office office;
        office_start(&office, why == 0 ? IKE_VERSION_2 : IKE_ANY_VERSION, NEW_FORM);
        office.profiles[PAIR_A].want_address = why == 1;
        if (why == 2)
            office.profiles[PAIR_A].peer_method = IKE_BY_KEY;
        want(&office, TICKET, "10.2.0.0/16");
        pair_run(office.pair, 30000);
        assert_int_equal(office.pair->sides[PAIR_A].up, 0);
        assert_int_equal(office.pair->sides[PAIR_A].failed, 1);
        assert_int_equal(office.pair->sides[PAIR_A].last_failed.failure, IKE_FAILURE_REFUSED);
        assert_int_equal(office.pair->sent[PAIR_A], office.offers);
        pair_free(office.pair);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_falls_back),
        cmocka_unit_test(test_does_not),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
