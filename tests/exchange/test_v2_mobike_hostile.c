/*
 * Those who would have an SA of MOBIKE (RFC 4555) go somewhere else: claimed and forged addresses, NAT
 * where none may be, replays, and checks answered wrong.
 */
#include "mobike_site.h"

#include "wire/ike2_numbers.h"

/* A true peer that claims somebody else's address: the victim gets a few octets, and no SA goes there
 * (third-party bombing). */
static bool to_victim(struct pair *pair, struct pair_datagram *d, void *ctx)
{
    struct mobike_net *net = ctx;
    (void)pair;
    bool hits = d->from == PAIR_B && ip_addr_equal(&d->target.addr, net->watch);
    net->watched += hits;
    return !hits;
}

static void test_bombing(void **state)
{
    struct mobike_site *site = mobike_site_up(NULL);
    (void)state;
    struct ip_addr victim = mobike_addr("203.0.113.77");
    site->net.watch = &victim;
    site->pair->tap = to_victim;
    HAVE(site, PAIR_A, "203.0.113.77"); /* as A's packets will say */
    pair_run(site->pair, 15 * SECONDS);
    assert_int_equal(site->pair->sides[PAIR_B].moves, 0);
    assert_in_range(site->net.watched, 1, 15);
    mobike_site_free(site);
}

/* On the way an update gets another source, and the answer to the check is not sent from there. */
static struct pair_datagram caught;
static bool catch_one;
static unsigned answered_there;

static bool redirect(struct pair *pair, struct pair_datagram *d, void *ctx)
{
    (void)pair;
    (void)ctx;
    if (catch_one && d->from == PAIR_A) {
        catch_one = false;
        caught = *d;
        d->source.addr = mobike_addr("203.0.113.66");
        return true;
    }
    bool there = d->from == PAIR_B &&
                 ip_addr_equal(&d->target.addr, &(struct ip_addr){4, {203, 0, 113, 66}});
    answered_there += there;
    return !there;
}

static void test_forged_source(void **state)
{
    struct mobike_site *site = mobike_site_up(NULL);
    (void)state;
    answered_there = 0;
    site->pair->tap = redirect;
    catch_one = true;
    HAVE(site, PAIR_A, "192.1.1.14");
    pair_run(site->pair, 2 * SECONDS);
    assert_false(catch_one);
    assert_true(answered_there > 0); /* ADR-018, ADR-021 */
    for (size_t i = 0; i < PAIR_SAD_MAX; i++) /* no SA ever went there */
        assert_int_equal(site->pair->sides[PAIR_B].sad[i].moved.addr.octets[0] == 203, 0);
    pair_run(site->pair, 30 * SECONDS);
    mobike_assert_at(site, "192.1.1.14", mobike_own[PAIR_B], false);
    mobike_site_free(site);
}

/* Where NAT is ruled out the same is refused at once (section 3.9; the transient pseudo-NAT attack). */
static void test_no_nats(void **state)
{
    const struct ike_config config = {.nat = IKE_NAT_OFF};
    struct mobike_site *site = mobike_site_up(&config);
    (void)state;
    assert_int_equal(mobike_sa(site, PAIR_A)->path.local.port, 500);
    site->pair->tap = redirect;
    catch_one = true;
    HAVE(site, PAIR_A, "192.1.1.14");
    pair_run(site->pair, 2 * PAIR_LATENCY_MS);
    assert_int_equal(pair_counter(site->pair, PAIR_B, "nat-mapping-change-refused"), 1);
    assert_int_equal(site->pair->sides[PAIR_B].moves, 0);
    pair_run(site->pair, 30 * SECONDS);
    mobike_assert_at(site, "192.1.1.14", mobike_own[PAIR_B], false);
    mobike_site_free(site);
}

/* ADR-035: an update that was answered is said again from elsewhere: it gets its answer, and moves nothing. */
static void test_replayed(void **state)
{
    struct mobike_site *site = mobike_site_up(NULL);
    (void)state;
    site->pair->tap = redirect;
    catch_one = true;
    HAVE(site, PAIR_A, "192.1.1.14");
    pair_run(site->pair, 30 * SECONDS);
    unsigned moves = site->pair->sides[PAIR_B].moves;
    caught.source.addr = mobike_addr("203.0.113.67");
    assert_int_not_equal(pair_give(site->pair, &caught), ERR_OK);
    pair_run(site->pair, 10 * SECONDS);
    assert_int_equal(site->pair->sides[PAIR_B].moves, moves);
    mobike_assert_at(site, "192.1.1.14", mobike_own[PAIR_B], false);
    mobike_site_free(site);
}

/* Authentic ESP is sent on from elsewhere: nothing follows it that does not answer there. */
static void test_esp_elsewhere(void **state)
{
    struct mobike_site *site = mobike_site_new(NULL);
    (void)state;
    site->net.nat_inside = mobike_addr(mobike_own[PAIR_A]);
    site->net.nat_outside = mobike_addr("192.1.1.99");
    HAVE(site, PAIR_A, mobike_own[PAIR_A]);
    HAVE(site, PAIR_B, mobike_own[PAIR_B]);
    const struct traffic_pair traffic = {mobike_traffic("10.1.0.0/16"), mobike_traffic("10.2.0.0/16")};
    assert_int_equal(pair_initiate_profile(site->pair, PAIR_A, TICKET, PROFILE, &traffic), ERR_OK);
    pair_run(site->pair, 1 * SECONDS);
    struct pair_side *b = &site->pair->sides[PAIR_B];
    struct ip_addr thief = mobike_addr("203.0.113.66");
    site->net.watch = &thief;
    mobike_kill_address(site, "203.0.113.66");
    const struct ike_event moved = {.kind = IKE_EV_MOVED,
                                    .ticket = TICKET,
                                    .spi = b->last_up.spi_in,
                                    .remote = {thief, 4500}};
    assert_int_equal(ike_input(b->ike, site->pair->now, &moved), ERR_OK);
    pair_drain(site->pair, PAIR_B);
    pair_run(site->pair, 30 * SECONDS);
    assert_int_equal(b->moves, 0);
    assert_int_equal(site->net.watched, V2_VIA_TRIES);
    assert_int_equal(pair_counter(site->pair, PAIR_B, "nat-mapping-change-refused"), 1);
    /* The true peer's new mapping answers, and is followed. */
    site->net.nat_outside = mobike_addr("192.1.1.98");
    const struct ike_event true_one = {.kind = IKE_EV_MOVED,
                                       .ticket = TICKET,
                                       .spi = b->last_up.spi_in,
                                       .remote = {mobike_addr("192.1.1.98"), 5500}};
    assert_int_equal(ike_input(b->ike, site->pair->now, &true_one), ERR_OK);
    pair_drain(site->pair, PAIR_B);
    pair_run(site->pair, 1 * SECONDS);
    assert_int_equal(b->moves, 2);
    assert_true(ip_endpoint_equal(&mobike_sa(site, PAIR_B)->path.remote, &true_one.remote));
    mobike_site_free(site);
}

/* The answer to a check with another cookie ends the IKE SA (section 3.7); one without proves nothing. */
struct spoil {
    bool wrong;
    unsigned done;
};

static bool spoil_cookie(struct pair *pair, struct pair_datagram *d, void *ctx)
{
    struct spoil *spoil = ctx;
    struct forge_v2 forge;
    struct ike2_notify n;
    if (d->from != PAIR_A || d->octets[18] != IKE2_INFORMATIONAL)
        return true;
    forge_v2_open(pair, d, &forge);
    if ((forge.header.flags & IKE2_FLAG_RESPONSE) == 0)
        return true;
    for (size_t i = 0; i < forge.count; i++) {
        struct forge_v2_payload *p = &forge.payloads[i];
        if (p->type != IKE2_P_N || ike2_notify_parse(view_of(p->body, p->len), &n) != ERR_OK ||
            n.type != IKE2_N_COOKIE2)
            continue;
        if (spoil->wrong)
            p->body[p->len - 1] ^= 1;
        else
            forge_v2_drop(&forge, i);
        spoil->done++;
        forge_v2_close(pair, &forge, false, d);
        return true;
    }
    return true;
}

static void test_cookie(void **state)
{
    (void)state;
    for (unsigned wrong = 0; wrong < 2; wrong++) {
        struct mobike_site *site = mobike_site_up(NULL);
        struct spoil spoil = {.wrong = wrong};
        site->pair->tap = spoil_cookie;
        site->pair->tap_ctx = &spoil;
        HAVE(site, PAIR_A, "192.1.1.14");
        pair_run(site->pair, 1 * SECONDS);
        assert_true(spoil.done > 0);
        assert_int_equal(site->pair->sides[PAIR_B].moves, 0);
        assert_int_equal(site->pair->sides[PAIR_B].deleted, wrong);
        mobike_site_free(site);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bombing),
        cmocka_unit_test(test_forged_source),
        cmocka_unit_test(test_no_nats),
        cmocka_unit_test(test_replayed),
        cmocka_unit_test(test_esp_elsewhere),
        cmocka_unit_test(test_cookie),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
