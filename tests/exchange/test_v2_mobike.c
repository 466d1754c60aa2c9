/*
 * MOBIKE (RFC 4555) between two engines: addresses that change at either end, paths that fail and come
 * back, and NAT that appears. test_v2_mobike_hostile.c has those who would have the SAs go somewhere else.
 */
#include "mobike_site.h"

#include "wire/ike2_numbers.h"

/* Section 3.3: port 4500 from IKE_AUTH on, though ESP goes without UDP. */
static void test_support(void **state)
{
    struct mobike_site *site = mobike_site_up(NULL);
    (void)state;
    for (unsigned s = 0; s < PAIR_SIDES; s++) {
        const struct v2_sa *sa = mobike_sa(site, s);
        assert_non_null(sa->mobike);
        assert_int_equal(sa->mobike->decides, s == PAIR_A);
        assert_int_equal(sa->path.local.port, 4500);
        assert_int_equal(sa->path.remote.port, 4500);
        assert_false(sa->nat.udp);
    }
    mobike_assert_at(site, mobike_own[PAIR_A], mobike_own[PAIR_B], false);
    mobike_site_free(site);
}

/* Who switches it off, at either end, has an SA that stays where it is. */
static void test_off(void **state)
{
    (void)state;
    for (unsigned s = 0; s < PAIR_SIDES; s++) {
        struct mobike_site *site = mobike_site_new(NULL);
        site->profiles[s].mobike_off = true;
        HAVE(site, PAIR_A, mobike_own[PAIR_A]);
        mobike_begin(site);
        assert_null(mobike_sa(site, PAIR_A)->mobike);
        assert_null(mobike_sa(site, PAIR_B)->mobike);
        HAVE(site, PAIR_A, "192.1.1.14");
        pair_run(site->pair, 1 * SECONDS);
        assert_int_equal(site->pair->sides[PAIR_A].moves, 0);
        mobike_site_free(site);
    }
}

/* ADR-104: an opportunistic peer is known by its address. */
static void test_stranger(void **state)
{
    const struct pair_options v2 = {.version = IKE_VERSION_2};
    struct pair *pair = pair_new(&v2);
    (void)state;
    assert_int_equal(pair_initiate(pair, PAIR_A, TICKET, 0), ERR_OK);
    pair_run(pair, 1 * SECONDS);
    assert_null(pair->sides[PAIR_A].ike->v2.all[0]->mobike);
    pair_free(pair);
}

/* ADR-001, ADR-002, ADR-003: the initiator's address is replaced: one round trip later both ends have followed; the responder only
 * after it has seen that the initiator is there (section 3.7). */
static void test_replaced(void **state)
{
    struct mobike_site *site = mobike_site_up(NULL);
    (void)state;
    mobike_kill_address(site, mobike_own[PAIR_A]);
    HAVE(site, PAIR_A, "192.1.1.14");
    assert_int_equal(site->pair->sides[PAIR_A].moves, 2); /* its own SAs at once */
    pair_run(site->pair, PAIR_LATENCY_MS);
    assert_int_equal(site->pair->sides[PAIR_B].moves, 0);
    pair_run(site->pair, 3 * PAIR_LATENCY_MS);
    mobike_assert_at(site, "192.1.1.14", mobike_own[PAIR_B], false);
    pair_run(site->pair, 60 * SECONDS);
    mobike_assert_at(site, "192.1.1.14", mobike_own[PAIR_B], false);
    for (unsigned s = 0; s < PAIR_SIDES; s++) { /* and all else is as it was */
        assert_int_equal(site->pair->sides[s].up, 1);
        assert_non_null(made_find_in(mobike_sa(site, s), site->pair->sides[s].last_up.spi_in));
        assert_true(identity_equal(&mobike_sa(site, s)->peer_id, &site->profiles[s].peer_id));
    }
    assert_int_equal(pair_check_keys(site->pair), 2);
    mobike_site_free(site);
}

/* ADR-010: back where it was proved before: the responder need not check again, unless policy says so. */
static void test_policy(void **state)
{
    (void)state;
    static const enum address_check policies[] = {ADDRESS_CHECK_UNPROVED, ADDRESS_CHECK_ALWAYS,
                                                  ADDRESS_CHECK_NEVER};
    for (size_t i = 0; i < 3; i++) {
        const struct ike_config config = {.address_check = policies[i]};
        struct mobike_site *site = mobike_site_up(&config);
        HAVE(site, PAIR_A, "192.1.1.14");
        pair_run(site->pair, PAIR_LATENCY_MS);
        assert_int_equal(site->pair->sides[PAIR_B].moves, policies[i] == ADDRESS_CHECK_NEVER ? 2 : 0);
        pair_run(site->pair, 1 * SECONDS);
        mobike_assert_at(site, "192.1.1.14", mobike_own[PAIR_B], false);
        unsigned moves = site->pair->sides[PAIR_B].moves;
        HAVE(site, PAIR_A, mobike_own[PAIR_A]);
        pair_run(site->pair, PAIR_LATENCY_MS);
        bool at_once = policies[i] != ADDRESS_CHECK_ALWAYS;
        assert_int_equal(site->pair->sides[PAIR_B].moves - moves, at_once ? 2 : 0);
        pair_run(site->pair, 1 * SECONDS);
        mobike_assert_at(site, mobike_own[PAIR_A], mobike_own[PAIR_B], false);
        mobike_site_free(site);
    }
}

/* ADR-008. Make before break: an address more moves nothing, and the old one's end does at once. */
static void test_make_before_break(void **state)
{
    struct mobike_site *site = mobike_site_up(NULL);
    (void)state;
    HAVE(site, PAIR_A, mobike_own[PAIR_A], "192.1.1.14");
    pair_run(site->pair, 30 * SECONDS);
    mobike_assert_at(site, mobike_own[PAIR_A], mobike_own[PAIR_B], false);
    assert_true(address_set_has(&mobike_sa(site, PAIR_B)->mobike->peer,
                                &(struct ip_addr){4, {192, 1, 1, 14}}));
    HAVE(site, PAIR_A, "192.1.1.14");
    pair_run(site->pair, 4 * PAIR_LATENCY_MS);
    mobike_assert_at(site, "192.1.1.14", mobike_own[PAIR_B], false);
    mobike_site_free(site);
}

/* ADR-014, ADR-038: two hand-overs within a round trip: the first update is overtaken, and its answer counts for nothing. */
static void test_twice(void **state)
{
    struct mobike_site *site = mobike_site_up(NULL);
    (void)state;
    mobike_kill_address(site, mobike_own[PAIR_A]);
    HAVE(site, PAIR_A, "192.1.1.14");
    pair_run(site->pair, 5);
    HAVE(site, PAIR_A, "192.1.1.24");
    mobike_kill_address(site, "192.1.1.14");
    pair_run(site->pair, 5);
    HAVE(site, PAIR_A, "192.1.1.34");
    mobike_kill_address(site, "192.1.1.24");
    pair_run(site->pair, 10 * SECONDS);
    mobike_assert_at(site, "192.1.1.34", mobike_own[PAIR_B], false);
    mobike_site_free(site);
}

/* No address for a while: nobody gives up, and the first that comes is used. */
static void test_no_address(void **state)
{
    struct mobike_site *site = mobike_site_up(NULL);
    (void)state;
    mobike_have(site, PAIR_A, (const char *const[]){NULL});
    assert_true(mobike_sa(site, PAIR_A)->mobike->no_way);
    mobike_kill_address(site, mobike_own[PAIR_A]);
    pair_run(site->pair, 120 * SECONDS);
    HAVE(site, PAIR_A, "192.1.1.14");
    pair_run(site->pair, 10 * SECONDS);
    mobike_assert_at(site, "192.1.1.14", mobike_own[PAIR_B], false);
    mobike_site_free(site);
}

/* The responder's address is replaced: it says so from the new one, and the initiator decides. */
static void test_responder_moves(void **state)
{
    struct mobike_site *site = mobike_site_up(NULL);
    (void)state;
    mobike_kill_address(site, mobike_own[PAIR_B]);
    HAVE(site, PAIR_B, "192.1.1.15");
    pair_run(site->pair, 10 * SECONDS);
    mobike_assert_at(site, mobike_own[PAIR_A], "192.1.1.15", false);
    mobike_site_free(site);
}

/* ADR-006, ADR-020: the responder has two addresses, and one stops working without a word: a request finds the other, and
 * when the first works again for some time it is used again. */
static void test_fail_over_and_back(void **state)
{
    struct mobike_site *site = mobike_site_new(NULL);
    (void)state;
    HAVE(site, PAIR_A, mobike_own[PAIR_A]);
    HAVE(site, PAIR_B, mobike_own[PAIR_B], "192.1.1.15");
    mobike_begin(site);
    mobike_kill_address(site, mobike_own[PAIR_B]);
    pair_run(site->pair, 10 * SECONDS + 5 * SECONDS);
    mobike_assert_at(site, mobike_own[PAIR_A], "192.1.1.15", false);
    pair_run(site->pair, 60 * SECONDS);
    assert_int_equal(mobike_sa(site, PAIR_A)->mobike->moves, 1);
    site->net.dead_count = 0;
    pair_run(site->pair, 90 * SECONDS);
    mobike_assert_at(site, mobike_own[PAIR_A], mobike_own[PAIR_B], false);
    assert_int_equal(mobike_sa(site, PAIR_A)->mobike->moves, 2);
    mobike_site_free(site);
}

static enum err ask(struct mobike_site *site, unsigned side, const char *local, const char *remote)
{
    const struct ike_effect *made = &site->pair->sides[side].last_up;
    struct ike_event event = {.kind = IKE_EV_UPDATE, .spi = made->spi_out, .peer = made->peer};
    if (local != NULL)
        event.local.addr = mobike_addr(local);
    if (remote != NULL)
        event.remote.addr = mobike_addr(remote);
    enum err err = ike_input(site->pair->sides[side].ike, site->pair->now, &event);
    pair_drain(site->pair, side);
    return err;
}

/* ADR-099: whoever forwards packets asks for other ends; what isn't ours, or the peer's, is refused. The way that
 * was asked for is kept to, though `local` says another, until it is gone. */
static void test_asked(void **state)
{
    struct mobike_site *site = mobike_site_new(NULL);
    (void)state;
    site->profiles[PAIR_A].local = mobike_addr(mobike_own[PAIR_A]);
    HAVE(site, PAIR_A, mobike_own[PAIR_A], "192.1.1.14");
    HAVE(site, PAIR_B, mobike_own[PAIR_B], "192.1.1.15");
    mobike_begin(site);
    assert_int_equal(ask(site, PAIR_A, "192.1.1.99", NULL), ERR_VALUE);
    assert_int_equal(ask(site, PAIR_A, NULL, "203.0.113.9"), ERR_VALUE);
    assert_int_equal(ask(site, PAIR_A, "2001:db8::1", NULL), ERR_VALUE);
    mobike_assert_at(site, mobike_own[PAIR_A], mobike_own[PAIR_B], false);
    assert_int_equal(ask(site, PAIR_A, "192.1.1.14", "192.1.1.15"), ERR_OK);
    pair_run(site->pair, 60 * SECONDS);
    mobike_assert_at(site, "192.1.1.14", "192.1.1.15", false);
    assert_int_equal(mobike_sa(site, PAIR_A)->mobike->moves, 1);
    assert_int_equal(ask(site, PAIR_A, "192.1.1.14", NULL), ERR_OK); /* it is there */
    pair_run(site->pair, 10 * SECONDS);
    assert_int_equal(mobike_sa(site, PAIR_A)->mobike->moves, 1);
    HAVE(site, PAIR_A, mobike_own[PAIR_A]);
    pair_run(site->pair, 10 * SECONDS);
    mobike_assert_at(site, mobike_own[PAIR_A], "192.1.1.15", false);

    /* Who doesn't decide may ask for an end of its own alone. */
    assert_int_equal(ask(site, PAIR_B, NULL, mobike_own[PAIR_A]), ERR_OK);
    assert_int_equal(ask(site, PAIR_B, mobike_own[PAIR_B], NULL), ERR_OK);
    HAVE(site, PAIR_A, mobike_own[PAIR_A], "192.1.1.14");
    pair_run(site->pair, 1 * SECONDS);
    assert_int_equal(ask(site, PAIR_B, NULL, "192.1.1.14"), ERR_UNSUPPORTED);
    struct ike_event unknown = {.kind = IKE_EV_UPDATE, .spi = {77}, .peer = mobike_addr(mobike_own[PAIR_B])};
    assert_int_equal(ike_input(site->pair->sides[PAIR_A].ike, site->pair->now, &unknown), ERR_UNKNOWN);
    mobike_site_free(site);
}

/* ADR-099: where the address is gone, keyd not having been told, the next one comes; no wish is left behind. */
static void test_asked_because_gone(void **state)
{
    struct mobike_site *site = mobike_site_up(NULL);
    (void)state;
    mobike_kill_address(site, mobike_own[PAIR_A]);
    HAVE(site, PAIR_A, "192.1.1.14");
    assert_int_equal(ask(site, PAIR_A, "192.1.1.14", NULL), ERR_OK);
    pair_run(site->pair, 1 * SECONDS);
    mobike_assert_at(site, "192.1.1.14", mobike_own[PAIR_B], false);
    mobike_site_free(site);
}

/* Our preferred uplink comes back. */
static void test_preferred(void **state)
{
    struct mobike_site *site = mobike_site_new(NULL);
    (void)state;
    site->profiles[PAIR_A].local = mobike_addr(mobike_own[PAIR_A]);
    HAVE(site, PAIR_A, mobike_own[PAIR_A], "192.1.1.14");
    HAVE(site, PAIR_B, mobike_own[PAIR_B]);
    mobike_begin(site);
    HAVE(site, PAIR_A, "192.1.1.14");
    pair_run(site->pair, 1 * SECONDS);
    mobike_assert_at(site, "192.1.1.14", mobike_own[PAIR_B], false);
    HAVE(site, PAIR_A, "192.1.1.14", mobike_own[PAIR_A]);
    pair_run(site->pair, 3 * SECONDS);
    mobike_assert_at(site, "192.1.1.14", mobike_own[PAIR_B], false); /* not at once */
    pair_run(site->pair, 10 * SECONDS);
    mobike_assert_at(site, mobike_own[PAIR_A], mobike_own[PAIR_B], false);
    mobike_site_free(site);
}

/* Routes as side A knows them: from its first address there is a way to the peer, or not. */
static bool way_from_first(void *ctx, const struct ip_addr *local, const struct ip_addr *remote)
{
    const bool *is = ctx;
    const struct ip_addr first = mobike_addr(mobike_own[PAIR_A]);
    (void)remote;
    return *is || !ip_addr_equal(local, &first);
}

static void routes_change(struct mobike_site *site)
{
    const struct ike_event event = {.kind = IKE_EV_ROUTES};
    assert_int_equal(ike_input(site->pair->sides[PAIR_A].ike, site->pair->now, &event), ERR_OK);
    pair_drain(site->pair, PAIR_A);
}

/* ADR-044: a route to the peer is lost, though link and address stay: the other uplink is taken at once, and the
 * preferred one again when it has a route and has answered for a while. */
static void test_route_lost(void **state)
{
    struct mobike_site *site = mobike_site_new(NULL);
    const struct ip_addr list[] = {mobike_addr(mobike_own[PAIR_A]), mobike_addr("192.1.1.14")};
    const uint8_t ranks[] = {0, 1};
    const struct ike_event event = {
        .kind = IKE_EV_ADDRESSES, .addresses = list, .address_ranks = ranks, .address_count = 2};
    struct ike *a = site->pair->sides[PAIR_A].ike;
    bool is = true;
    (void)state;
    a->ways = (struct address_ways){.reaches = way_from_first, .ctx = &is};
    assert_int_equal(ike_input(a, site->pair->now, &event), ERR_OK);
    HAVE(site, PAIR_B, mobike_own[PAIR_B]);
    mobike_begin(site);
    routes_change(site);
    mobike_assert_at(site, mobike_own[PAIR_A], mobike_own[PAIR_B], false);
    assert_int_equal(mobike_sa(site, PAIR_A)->mobike->moves, 0);

    is = false;
    routes_change(site);
    pair_run(site->pair, 100);
    mobike_assert_at(site, "192.1.1.14", mobike_own[PAIR_B], false);
    pair_run(site->pair, 60 * SECONDS);
    assert_int_equal(mobike_sa(site, PAIR_A)->mobike->moves, 1);

    is = true;
    routes_change(site);
    pair_run(site->pair, 3 * SECONDS);
    mobike_assert_at(site, "192.1.1.14", mobike_own[PAIR_B], false); /* not at once */
    pair_run(site->pair, 10 * SECONDS);
    mobike_assert_at(site, mobike_own[PAIR_A], mobike_own[PAIR_B], false);
    assert_int_equal(mobike_sa(site, PAIR_A)->mobike->moves, 2);
    mobike_site_free(site);
}

/* ADR-044: without any route there is no way, and the SA waits for one. */
static void test_no_route(void **state)
{
    struct mobike_site *site = mobike_site_up(NULL);
    struct ike *a = site->pair->sides[PAIR_A].ike;
    bool is = true;
    (void)state;
    a->ways = (struct address_ways){.reaches = way_from_first, .ctx = &is};
    HAVE(site, PAIR_A, mobike_own[PAIR_A]);
    pair_run(site->pair, 1 * SECONDS);
    is = false;
    routes_change(site);
    assert_true(mobike_sa(site, PAIR_A)->mobike->no_way);
    pair_run(site->pair, 120 * SECONDS);
    is = true;
    routes_change(site);
    pair_run(site->pair, 1 * SECONDS);
    assert_false(mobike_sa(site, PAIR_A)->mobike->no_way);
    mobike_assert_at(site, mobike_own[PAIR_A], mobike_own[PAIR_B], false);
    mobike_site_free(site);
}

/* Both ends at once, one of two addresses each. */
static void test_both_move(void **state)
{
    struct mobike_site *site = mobike_site_new(NULL);
    (void)state;
    HAVE(site, PAIR_A, mobike_own[PAIR_A], "192.1.1.14");
    HAVE(site, PAIR_B, mobike_own[PAIR_B], "192.1.1.15");
    mobike_begin(site);
    mobike_kill_address(site, mobike_own[PAIR_A]);
    mobike_kill_address(site, mobike_own[PAIR_B]);
    HAVE(site, PAIR_A, "192.1.1.14");
    HAVE(site, PAIR_B, "192.1.1.15");
    pair_run(site->pair, 20 * SECONDS);
    mobike_assert_at(site, "192.1.1.14", "192.1.1.15", false);
    mobike_site_free(site);
}

/* Into a net behind a NAT, and out again: ESP goes in UDP as long as it has to (section 3.5). */
static void test_nat_appears(void **state)
{
    struct mobike_site *site = mobike_site_up(NULL);
    (void)state;
    mobike_kill_address(site, mobike_own[PAIR_A]);
    site->net.nat_inside = mobike_addr("10.9.9.9");
    site->net.nat_outside = mobike_addr("192.1.1.99");
    HAVE(site, PAIR_A, "10.9.9.9");
    pair_run(site->pair, 2 * SECONDS);
    const struct v2_sa *a = mobike_sa(site, PAIR_A), *b = mobike_sa(site, PAIR_B);
    assert_true(a->nat.here && a->nat.udp && !a->nat.there);
    assert_true(b->nat.there && b->nat.udp && !b->nat.here);
    struct ip_endpoint seen = {mobike_addr("192.1.1.99"), 5500};
    assert_true(ip_endpoint_equal(&b->path.remote, &seen));
    for (size_t i = 0; i < PAIR_SAD_MAX; i++)
        if (site->pair->sides[PAIR_B].sad[i].used)
            assert_true(ip_endpoint_equal(&site->pair->sides[PAIR_B].sad[i].moved, &seen));
    pair_run(site->pair, 60 * SECONDS);
    assert_true(site->pair->sides[PAIR_A].keepalives > 0);
    HAVE(site, PAIR_A, "192.1.1.14");
    pair_run(site->pair, 2 * SECONDS);
    mobike_assert_at(site, "192.1.1.14", mobike_own[PAIR_B], false);
    mobike_site_free(site);
}

/* Section 3.8: the NAT has another idea of us than before; the next sign of life finds out. */
static void test_mapping_changes(void **state)
{
    struct mobike_site *site = mobike_site_new(NULL);
    (void)state;
    site->net.nat_inside = mobike_addr(mobike_own[PAIR_A]);
    site->net.nat_outside = mobike_addr("192.1.1.99");
    HAVE(site, PAIR_A, mobike_own[PAIR_A]);
    HAVE(site, PAIR_B, mobike_own[PAIR_B]);
    const struct traffic_pair traffic = {mobike_traffic("10.1.0.0/16"), mobike_traffic("10.2.0.0/16")};
    assert_int_equal(pair_initiate_profile(site->pair, PAIR_A, TICKET, PROFILE, &traffic), ERR_OK);
    pair_run(site->pair, 25 * SECONDS);
    site->net.nat_outside = mobike_addr("192.1.1.98");
    mobike_kill_address(site, "192.1.1.99");
    pair_run(site->pair, 25 * SECONDS);
    struct ip_endpoint seen = {mobike_addr("192.1.1.98"), 5500};
    assert_true(ip_endpoint_equal(&mobike_sa(site, PAIR_B)->path.remote, &seen));
    mobike_site_free(site);
}

/* Re-keying the IKE SA and the child changes nothing of it, by whichever end. */
static void test_rekeyed(void **state)
{
    (void)state;
    for (unsigned side = 0; side < PAIR_SIDES; side++) {
        const struct ike_config config = {.ike_lifetime_s = side == PAIR_A ? 100 : 0};
        struct mobike_site *site = mobike_site_up(&config);
        mobike_kill_address(site, mobike_own[PAIR_A]);
        HAVE(site, PAIR_A, "192.1.1.14");
        pair_run(site->pair, 5 * SECONDS);
        const struct traffic_pair traffic = {mobike_traffic("10.2.0.0/16"), mobike_traffic("10.1.0.0/16")};
        const struct traffic_pair back = {traffic.remote, traffic.local};
        assert_int_equal(pair_initiate_profile(site->pair, side, TICKET, PROFILE,
                                               side == PAIR_A ? &back : &traffic),
                         ERR_OK);
        pair_run(site->pair, 120 * SECONDS);
        mobike_assert_at(site, "192.1.1.14", mobike_own[PAIR_B], false);
        mobike_kill_address(site, "192.1.1.14");
        HAVE(site, PAIR_A, "192.1.1.24");
        pair_run(site->pair, 10 * SECONDS);
        mobike_assert_at(site, "192.1.1.24", mobike_own[PAIR_B], false);
        assert_true(mobike_sa(site, PAIR_A)->mobike->decides);
        mobike_site_free(site);
    }
}

/* A keying daemon that starts again goes on where its SAs are. */
static void test_resumed(void **state)
{
    (void)state;
    for (unsigned side = 0; side < PAIR_SIDES; side++) {
        struct mobike_site *site = mobike_site_up(NULL);
        mobike_kill_address(site, mobike_own[PAIR_A]);
        HAVE(site, PAIR_A, "192.1.1.14");
        pair_run(site->pair, 5 * SECONDS);
        pair_crash(site->pair, side, true);
        pair_run(site->pair, 1 * SECONDS);
        mobike_assert_at(site, "192.1.1.14", mobike_own[PAIR_B], false);
        mobike_kill_address(site, "192.1.1.14");
        if (side == PAIR_B)
            HAVE(site, PAIR_B, mobike_own[PAIR_B]);
        HAVE(site, PAIR_A, "192.1.1.24");
        pair_run(site->pair, 10 * SECONDS);
        mobike_assert_at(site, "192.1.1.24", mobike_own[PAIR_B], false);
        mobike_site_free(site);
    }
}

/* Another child is asked for, from an address that the IKE SA did not begin with: no second IKE SA. */
static void test_other_child(void **state)
{
    struct mobike_site *site = mobike_site_up(NULL);
    const struct traffic_pair other = {mobike_traffic("10.3.0.0/16"), mobike_traffic("10.2.0.0/16")};
    (void)state;
    mobike_kill_address(site, mobike_own[PAIR_A]);
    HAVE(site, PAIR_A, "192.1.1.14");
    pair_run(site->pair, 1 * SECONDS);
    site->pair->sides[PAIR_A].addr.addr = mobike_addr("192.1.1.14");
    site->pair->sides[PAIR_B].ticket = TICKET + 1;
    assert_int_equal(
        pair_initiate_profile(site->pair, PAIR_A, TICKET + 1, PROFILE, &other), ERR_OK);
    pair_run(site->pair, 1 * SECONDS);
    assert_int_equal(site->pair->sides[PAIR_A].up, 2);
    const struct v2_sa *sa = mobike_sa(site, PAIR_A); /* the only one */
    const struct ike_child *child;
    LIST_FOREACH (child, &sa->children, of_v2_sa)
        assert_true(ip_addr_equal(&child->here.addr, &sa->path.local.addr));
    mobike_site_free(site);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_support),
        cmocka_unit_test(test_off),
        cmocka_unit_test(test_stranger),
        cmocka_unit_test(test_replaced),
        cmocka_unit_test(test_policy),
        cmocka_unit_test(test_make_before_break),
        cmocka_unit_test(test_twice),
        cmocka_unit_test(test_no_address),
        cmocka_unit_test(test_responder_moves),
        cmocka_unit_test(test_fail_over_and_back),
        cmocka_unit_test(test_preferred),
        cmocka_unit_test(test_route_lost),
        cmocka_unit_test(test_no_route),
        cmocka_unit_test(test_both_move),
        cmocka_unit_test(test_nat_appears),
        cmocka_unit_test(test_mapping_changes),
        cmocka_unit_test(test_rekeyed),
        cmocka_unit_test(test_resumed),
        cmocka_unit_test(test_other_child),
        cmocka_unit_test(test_asked),
        cmocka_unit_test(test_asked_because_gone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
