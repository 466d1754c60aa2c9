/*
 * MOBIKE (RFC 4555) between two engines: addresses that change at either end, paths that fail and come
 * back, NAT that appears, and those who would have the SAs go somewhere else.
 */
#include "forge_v2.h"
#include "pair.h"

#include "wire/ike2_numbers.h"

enum { SECONDS = 1000, PROFILE = 5, TICKET = 7 };

static const char secret[] = "a secret that two gateways share";

static struct ip_addr addr(const char *text)
{
    struct ip_addr ret;
    assert_true(ip_addr_parse(text, &ret));
    return ret;
}

/* What lies between the two, and what it did. */
struct net {
    struct ip_addr dead[4]; /* nothing from or to them arrives */
    size_t dead_count;
    struct ip_addr nat_inside, nat_outside; /* rewrites the one into the other; family 0: no NAT */
    unsigned from[4]; /* of A, by the address it was sent from: .4, .14, .24, others */
    unsigned to_other; /* to anything but the addresses of the two */
    const struct ip_addr *watch;
    unsigned watched; /* datagrams to that address */
};

struct site {
    struct pair *pair;
    struct ike_profile profiles[PAIR_SIDES];
    struct net net;
};

static bool is_dead(const struct net *net, const struct ip_addr *a)
{
    for (size_t i = 0; i < net->dead_count; i++)
        if (ip_addr_equal(&net->dead[i], a))
            return true;
    return false;
}

static void translate(const struct net *net, struct pair_datagram *d)
{
    if (net->nat_inside.family == IP_NONE)
        return;
    if (ip_addr_equal(&d->source.addr, &net->nat_inside))
        d->source = (struct ip_endpoint){net->nat_outside, (uint16_t)(d->source.port + 1000)};
    else if (ip_addr_equal(&d->target.addr, &net->nat_outside))
        d->target = (struct ip_endpoint){net->nat_inside, (uint16_t)(d->target.port - 1000)};
}

static bool carry(struct pair *pair, struct pair_datagram *d, void *ctx)
{
    struct net *net = ctx;
    (void)pair;
    if (net->watch != NULL)
        net->watched += ip_addr_equal(&d->target.addr, net->watch);
    translate(net, d);
    return !is_dead(net, &d->source.addr) && !is_dead(net, &d->target.addr);
}

static struct ike_profile profile_of(const char *own, const char *peer)
{
    struct ike_profile p = {.number = PROFILE,
                            .name = "office",
                            .version = IKE_VERSION_2,
                            .own_method = IKE_BY_PSK,
                            .peer_method = IKE_BY_PSK,
                            .psk = view_of_text(secret),
                            .dpd_s = 10};
    assert_true(identity_of_fqdn(view_of_text(own), &p.own_id));
    assert_true(identity_of_fqdn(view_of_text(peer), &p.peer_id));
    return p;
}

static struct traffic net_of(const char *text)
{
    struct traffic t = {.port_last = UINT16_MAX};
    assert_true(ip_prefix_parse(text, &t.net));
    return t;
}

static struct site *site_new(const struct ike_config *config)
{
    struct site *site = calloc(1, sizeof(*site));
    assert_non_null(site);
    site->profiles[PAIR_A] = profile_of("a.example", "b.example");
    site->profiles[PAIR_B] = profile_of("b.example", "a.example");
    struct pair_options options = {.profiles = {&site->profiles[PAIR_A], &site->profiles[PAIR_B]},
                                   .profile_count = 1};
    if (config != NULL)
        options.config = *config;
    site->pair = pair_new(&options);
    site->pair->sides[PAIR_B].ticket = TICKET;
    site->pair->tap = carry;
    site->pair->tap_ctx = &site->net;
    return site;
}

static void have(struct site *site, unsigned side, const char *const *texts)
{
    struct ip_addr list[8];
    size_t count = 0;
    for (; texts[count] != NULL; count++)
        list[count] = addr(texts[count]);
    pair_addresses(site->pair, side, list, count);
}

#define HAVE(site, side, ...) have(site, side, (const char *const[]){__VA_ARGS__, NULL})

static const char *const own[PAIR_SIDES] = {"192.1.1.4", "192.1.1.5"};

static void begin(struct site *site)
{
    const struct traffic_pair traffic = {net_of("10.1.0.0/16"), net_of("10.2.0.0/16")};
    assert_int_equal(pair_initiate_profile(site->pair, PAIR_A, TICKET, PROFILE, &traffic), ERR_OK);
    pair_run(site->pair, 1 * SECONDS);
    assert_int_equal(pair_check_keys(site->pair), 2);
}

static struct site *up(const struct ike_config *config)
{
    struct site *site = site_new(config);
    HAVE(site, PAIR_A, own[PAIR_A]);
    HAVE(site, PAIR_B, own[PAIR_B]);
    begin(site);
    return site;
}

static void site_free(struct site *site)
{
    pair_free(site->pair);
    free(site);
}

static struct v2_sa *sa_of(const struct site *site, unsigned side)
{
    const struct v2_engine *v2 = &site->pair->sides[side].ike->v2;
    assert_int_equal(v2->all_count, 1);
    return v2->all[0];
}

/* Both ends send from and to the same addresses, in UDP or not, and what one sends the other takes. */
static void assert_at(struct site *site, const char *a, const char *b, bool udp)
{
    const char *const ends[PAIR_SIDES] = {a, b};
    for (unsigned s = 0; s < PAIR_SIDES; s++) {
        struct ip_addr here = addr(ends[s]), there = addr(ends[!s]);
        const struct v2_sa *sa = sa_of(site, s);
        assert_true(ip_addr_equal(&sa->path.local.addr, &here));
        assert_true(ip_addr_equal(&sa->path.remote.addr, &there));
        assert_false(sa->mobike->checking);
        assert_null(sa->mine);
        for (size_t i = 0; i < PAIR_SAD_MAX; i++) {
            const struct pair_sa *entry = &site->pair->sides[s].sad[i];
            if (!entry->used)
                continue;
            bool moved = entry->here.addr.family != IP_NONE;
            const struct sa_params *p = &entry->params;
            const struct ip_addr *mine = p->inbound ? &p->outer_dst : &p->outer_src;
            const struct ip_addr *theirs = p->inbound ? &p->outer_src : &p->outer_dst;
            assert_true(ip_addr_equal(moved ? &entry->here.addr : mine, &here));
            assert_true(ip_addr_equal(moved ? &entry->moved.addr : theirs, &there));
            assert_int_equal((moved ? entry->here.port : p->udp_src) != 0, udp);
        }
    }
    assert_int_equal(pair_sad_count(site->pair, PAIR_A), 2);
    assert_int_equal(pair_sad_count(site->pair, PAIR_B), 2);
    assert_int_equal(site->pair->sides[PAIR_A].deleted + site->pair->sides[PAIR_B].deleted, 0);
}

static void kill_address(struct site *site, const char *text)
{
    site->net.dead[site->net.dead_count++] = addr(text);
}

/* Section 3.3: port 4500 from IKE_AUTH on, though ESP goes without UDP. */
static void test_support(void **state)
{
    struct site *site = up(NULL);
    (void)state;
    for (unsigned s = 0; s < PAIR_SIDES; s++) {
        const struct v2_sa *sa = sa_of(site, s);
        assert_non_null(sa->mobike);
        assert_int_equal(sa->mobike->decides, s == PAIR_A);
        assert_int_equal(sa->path.local.port, 4500);
        assert_int_equal(sa->path.remote.port, 4500);
        assert_false(sa->nat.udp);
    }
    assert_at(site, own[PAIR_A], own[PAIR_B], false);
    site_free(site);
}

/* Who switches it off, at either end, has an SA that stays where it is. */
static void test_off(void **state)
{
    (void)state;
    for (unsigned s = 0; s < PAIR_SIDES; s++) {
        struct site *site = site_new(NULL);
        site->profiles[s].mobike_off = true;
        HAVE(site, PAIR_A, own[PAIR_A]);
        begin(site);
        assert_null(sa_of(site, PAIR_A)->mobike);
        assert_null(sa_of(site, PAIR_B)->mobike);
        HAVE(site, PAIR_A, "192.1.1.14");
        pair_run(site->pair, 1 * SECONDS);
        assert_int_equal(site->pair->sides[PAIR_A].moves, 0);
        site_free(site);
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
    struct site *site = up(NULL);
    (void)state;
    kill_address(site, own[PAIR_A]);
    HAVE(site, PAIR_A, "192.1.1.14");
    assert_int_equal(site->pair->sides[PAIR_A].moves, 2); /* its own SAs at once */
    pair_run(site->pair, PAIR_LATENCY_MS);
    assert_int_equal(site->pair->sides[PAIR_B].moves, 0);
    pair_run(site->pair, 3 * PAIR_LATENCY_MS);
    assert_at(site, "192.1.1.14", own[PAIR_B], false);
    pair_run(site->pair, 60 * SECONDS);
    assert_at(site, "192.1.1.14", own[PAIR_B], false);
    for (unsigned s = 0; s < PAIR_SIDES; s++) { /* and all else is as it was */
        assert_int_equal(site->pair->sides[s].up, 1);
        assert_non_null(made_find_in(sa_of(site, s), site->pair->sides[s].last_up.spi_in));
        assert_true(identity_equal(&sa_of(site, s)->peer_id, &site->profiles[s].peer_id));
    }
    assert_int_equal(pair_check_keys(site->pair), 2);
    site_free(site);
}

/* ADR-010: back where it was proved before: the responder need not check again, unless policy says so. */
static void test_policy(void **state)
{
    (void)state;
    static const enum address_check policies[] = {ADDRESS_CHECK_UNPROVED, ADDRESS_CHECK_ALWAYS,
                                                  ADDRESS_CHECK_NEVER};
    for (size_t i = 0; i < 3; i++) {
        const struct ike_config config = {.address_check = policies[i]};
        struct site *site = up(&config);
        HAVE(site, PAIR_A, "192.1.1.14");
        pair_run(site->pair, PAIR_LATENCY_MS);
        assert_int_equal(site->pair->sides[PAIR_B].moves, policies[i] == ADDRESS_CHECK_NEVER ? 2 : 0);
        pair_run(site->pair, 1 * SECONDS);
        assert_at(site, "192.1.1.14", own[PAIR_B], false);
        unsigned moves = site->pair->sides[PAIR_B].moves;
        HAVE(site, PAIR_A, own[PAIR_A]);
        pair_run(site->pair, PAIR_LATENCY_MS);
        bool at_once = policies[i] != ADDRESS_CHECK_ALWAYS;
        assert_int_equal(site->pair->sides[PAIR_B].moves - moves, at_once ? 2 : 0);
        pair_run(site->pair, 1 * SECONDS);
        assert_at(site, own[PAIR_A], own[PAIR_B], false);
        site_free(site);
    }
}

/* ADR-008. Make before break: an address more moves nothing, and the old one's end does at once. */
static void test_make_before_break(void **state)
{
    struct site *site = up(NULL);
    (void)state;
    HAVE(site, PAIR_A, own[PAIR_A], "192.1.1.14");
    pair_run(site->pair, 30 * SECONDS);
    assert_at(site, own[PAIR_A], own[PAIR_B], false);
    assert_true(address_set_has(&sa_of(site, PAIR_B)->mobike->peer,
                                &(struct ip_addr){4, {192, 1, 1, 14}}));
    HAVE(site, PAIR_A, "192.1.1.14");
    pair_run(site->pair, 4 * PAIR_LATENCY_MS);
    assert_at(site, "192.1.1.14", own[PAIR_B], false);
    site_free(site);
}

/* ADR-014, ADR-038: two hand-overs within a round trip: the first update is overtaken, and its answer counts for nothing. */
static void test_twice(void **state)
{
    struct site *site = up(NULL);
    (void)state;
    kill_address(site, own[PAIR_A]);
    HAVE(site, PAIR_A, "192.1.1.14");
    pair_run(site->pair, 5);
    HAVE(site, PAIR_A, "192.1.1.24");
    kill_address(site, "192.1.1.14");
    pair_run(site->pair, 5);
    HAVE(site, PAIR_A, "192.1.1.34");
    kill_address(site, "192.1.1.24");
    pair_run(site->pair, 10 * SECONDS);
    assert_at(site, "192.1.1.34", own[PAIR_B], false);
    site_free(site);
}

/* No address for a while: nobody gives up, and the first that comes is used. */
static void test_no_address(void **state)
{
    struct site *site = up(NULL);
    (void)state;
    have(site, PAIR_A, (const char *const[]){NULL});
    assert_true(sa_of(site, PAIR_A)->mobike->no_way);
    kill_address(site, own[PAIR_A]);
    pair_run(site->pair, 120 * SECONDS);
    HAVE(site, PAIR_A, "192.1.1.14");
    pair_run(site->pair, 10 * SECONDS);
    assert_at(site, "192.1.1.14", own[PAIR_B], false);
    site_free(site);
}

/* The responder's address is replaced: it says so from the new one, and the initiator decides. */
static void test_responder_moves(void **state)
{
    struct site *site = up(NULL);
    (void)state;
    kill_address(site, own[PAIR_B]);
    HAVE(site, PAIR_B, "192.1.1.15");
    pair_run(site->pair, 10 * SECONDS);
    assert_at(site, own[PAIR_A], "192.1.1.15", false);
    site_free(site);
}

/* ADR-006, ADR-020: the responder has two addresses, and one stops working without a word: a request finds the other, and
 * when the first works again for some time it is used again. */
static void test_fail_over_and_back(void **state)
{
    struct site *site = site_new(NULL);
    (void)state;
    HAVE(site, PAIR_A, own[PAIR_A]);
    HAVE(site, PAIR_B, own[PAIR_B], "192.1.1.15");
    begin(site);
    kill_address(site, own[PAIR_B]);
    pair_run(site->pair, 10 * SECONDS + 5 * SECONDS);
    assert_at(site, own[PAIR_A], "192.1.1.15", false);
    pair_run(site->pair, 60 * SECONDS);
    assert_int_equal(sa_of(site, PAIR_A)->mobike->moves, 1);
    site->net.dead_count = 0;
    pair_run(site->pair, 90 * SECONDS);
    assert_at(site, own[PAIR_A], own[PAIR_B], false);
    assert_int_equal(sa_of(site, PAIR_A)->mobike->moves, 2);
    site_free(site);
}

static enum err ask(struct site *site, unsigned side, const char *local, const char *remote)
{
    const struct ike_effect *made = &site->pair->sides[side].last_up;
    struct ike_event event = {.kind = IKE_EV_UPDATE, .spi = made->spi_out, .peer = made->peer};
    if (local != NULL)
        event.local.addr = addr(local);
    if (remote != NULL)
        event.remote.addr = addr(remote);
    enum err err = ike_input(site->pair->sides[side].ike, site->pair->now, &event);
    pair_drain(site->pair, side);
    return err;
}

/* ADR-099: whoever forwards packets asks for other ends; what isn't ours, or the peer's, is refused. The way that
 * was asked for is kept to, though `local` says another, until it is gone. */
static void test_asked(void **state)
{
    struct site *site = site_new(NULL);
    (void)state;
    site->profiles[PAIR_A].local = addr(own[PAIR_A]);
    HAVE(site, PAIR_A, own[PAIR_A], "192.1.1.14");
    HAVE(site, PAIR_B, own[PAIR_B], "192.1.1.15");
    begin(site);
    assert_int_equal(ask(site, PAIR_A, "192.1.1.99", NULL), ERR_VALUE);
    assert_int_equal(ask(site, PAIR_A, NULL, "203.0.113.9"), ERR_VALUE);
    assert_int_equal(ask(site, PAIR_A, "2001:db8::1", NULL), ERR_VALUE);
    assert_at(site, own[PAIR_A], own[PAIR_B], false);
    assert_int_equal(ask(site, PAIR_A, "192.1.1.14", "192.1.1.15"), ERR_OK);
    pair_run(site->pair, 60 * SECONDS);
    assert_at(site, "192.1.1.14", "192.1.1.15", false);
    assert_int_equal(sa_of(site, PAIR_A)->mobike->moves, 1);
    assert_int_equal(ask(site, PAIR_A, "192.1.1.14", NULL), ERR_OK); /* it is there */
    pair_run(site->pair, 10 * SECONDS);
    assert_int_equal(sa_of(site, PAIR_A)->mobike->moves, 1);
    HAVE(site, PAIR_A, own[PAIR_A]);
    pair_run(site->pair, 10 * SECONDS);
    assert_at(site, own[PAIR_A], "192.1.1.15", false);

    /* Who doesn't decide may ask for an end of its own alone. */
    assert_int_equal(ask(site, PAIR_B, NULL, own[PAIR_A]), ERR_OK);
    assert_int_equal(ask(site, PAIR_B, own[PAIR_B], NULL), ERR_OK);
    HAVE(site, PAIR_A, own[PAIR_A], "192.1.1.14");
    pair_run(site->pair, 1 * SECONDS);
    assert_int_equal(ask(site, PAIR_B, NULL, "192.1.1.14"), ERR_UNSUPPORTED);
    struct ike_event unknown = {.kind = IKE_EV_UPDATE, .spi = {77}, .peer = addr(own[PAIR_B])};
    assert_int_equal(ike_input(site->pair->sides[PAIR_A].ike, site->pair->now, &unknown), ERR_UNKNOWN);
    site_free(site);
}

/* ADR-099: where the address is gone, keyd not having been told, the next one comes; no wish is left behind. */
static void test_asked_because_gone(void **state)
{
    struct site *site = up(NULL);
    (void)state;
    kill_address(site, own[PAIR_A]);
    HAVE(site, PAIR_A, "192.1.1.14");
    assert_int_equal(ask(site, PAIR_A, "192.1.1.14", NULL), ERR_OK);
    pair_run(site->pair, 1 * SECONDS);
    assert_at(site, "192.1.1.14", own[PAIR_B], false);
    site_free(site);
}

/* Our preferred uplink comes back. */
static void test_preferred(void **state)
{
    struct site *site = site_new(NULL);
    (void)state;
    site->profiles[PAIR_A].local = addr(own[PAIR_A]);
    HAVE(site, PAIR_A, own[PAIR_A], "192.1.1.14");
    HAVE(site, PAIR_B, own[PAIR_B]);
    begin(site);
    HAVE(site, PAIR_A, "192.1.1.14");
    pair_run(site->pair, 1 * SECONDS);
    assert_at(site, "192.1.1.14", own[PAIR_B], false);
    HAVE(site, PAIR_A, "192.1.1.14", own[PAIR_A]);
    pair_run(site->pair, 3 * SECONDS);
    assert_at(site, "192.1.1.14", own[PAIR_B], false); /* not at once */
    pair_run(site->pair, 10 * SECONDS);
    assert_at(site, own[PAIR_A], own[PAIR_B], false);
    site_free(site);
}

/* Routes as side A knows them: from its first address there is a way to the peer, or not. */
static bool way_from_first(void *ctx, const struct ip_addr *local, const struct ip_addr *remote)
{
    const bool *is = ctx;
    const struct ip_addr first = addr(own[PAIR_A]);
    (void)remote;
    return *is || !ip_addr_equal(local, &first);
}

static void routes_change(struct site *site)
{
    const struct ike_event event = {.kind = IKE_EV_ROUTES};
    assert_int_equal(ike_input(site->pair->sides[PAIR_A].ike, site->pair->now, &event), ERR_OK);
    pair_drain(site->pair, PAIR_A);
}

/* ADR-044: a route to the peer is lost, though link and address stay: the other uplink is taken at once, and the
 * preferred one again when it has a route and has answered for a while. */
static void test_route_lost(void **state)
{
    struct site *site = site_new(NULL);
    const struct ip_addr list[] = {addr(own[PAIR_A]), addr("192.1.1.14")};
    const uint8_t ranks[] = {0, 1};
    const struct ike_event event = {
        .kind = IKE_EV_ADDRESSES, .addresses = list, .address_ranks = ranks, .address_count = 2};
    struct ike *a = site->pair->sides[PAIR_A].ike;
    bool is = true;
    (void)state;
    a->ways = (struct address_ways){.reaches = way_from_first, .ctx = &is};
    assert_int_equal(ike_input(a, site->pair->now, &event), ERR_OK);
    HAVE(site, PAIR_B, own[PAIR_B]);
    begin(site);
    routes_change(site);
    assert_at(site, own[PAIR_A], own[PAIR_B], false);
    assert_int_equal(sa_of(site, PAIR_A)->mobike->moves, 0);

    is = false;
    routes_change(site);
    pair_run(site->pair, 100);
    assert_at(site, "192.1.1.14", own[PAIR_B], false);
    pair_run(site->pair, 60 * SECONDS);
    assert_int_equal(sa_of(site, PAIR_A)->mobike->moves, 1);

    is = true;
    routes_change(site);
    pair_run(site->pair, 3 * SECONDS);
    assert_at(site, "192.1.1.14", own[PAIR_B], false); /* not at once */
    pair_run(site->pair, 10 * SECONDS);
    assert_at(site, own[PAIR_A], own[PAIR_B], false);
    assert_int_equal(sa_of(site, PAIR_A)->mobike->moves, 2);
    site_free(site);
}

/* ADR-044: without any route there is no way, and the SA waits for one. */
static void test_no_route(void **state)
{
    struct site *site = up(NULL);
    struct ike *a = site->pair->sides[PAIR_A].ike;
    bool is = true;
    (void)state;
    a->ways = (struct address_ways){.reaches = way_from_first, .ctx = &is};
    HAVE(site, PAIR_A, own[PAIR_A]);
    pair_run(site->pair, 1 * SECONDS);
    is = false;
    routes_change(site);
    assert_true(sa_of(site, PAIR_A)->mobike->no_way);
    pair_run(site->pair, 120 * SECONDS);
    is = true;
    routes_change(site);
    pair_run(site->pair, 1 * SECONDS);
    assert_false(sa_of(site, PAIR_A)->mobike->no_way);
    assert_at(site, own[PAIR_A], own[PAIR_B], false);
    site_free(site);
}

/* Both ends at once, one of two addresses each. */
static void test_both_move(void **state)
{
    struct site *site = site_new(NULL);
    (void)state;
    HAVE(site, PAIR_A, own[PAIR_A], "192.1.1.14");
    HAVE(site, PAIR_B, own[PAIR_B], "192.1.1.15");
    begin(site);
    kill_address(site, own[PAIR_A]);
    kill_address(site, own[PAIR_B]);
    HAVE(site, PAIR_A, "192.1.1.14");
    HAVE(site, PAIR_B, "192.1.1.15");
    pair_run(site->pair, 20 * SECONDS);
    assert_at(site, "192.1.1.14", "192.1.1.15", false);
    site_free(site);
}

/* Into a net behind a NAT, and out again: ESP goes in UDP as long as it has to (section 3.5). */
static void test_nat_appears(void **state)
{
    struct site *site = up(NULL);
    (void)state;
    kill_address(site, own[PAIR_A]);
    site->net.nat_inside = addr("10.9.9.9");
    site->net.nat_outside = addr("192.1.1.99");
    HAVE(site, PAIR_A, "10.9.9.9");
    pair_run(site->pair, 2 * SECONDS);
    const struct v2_sa *a = sa_of(site, PAIR_A), *b = sa_of(site, PAIR_B);
    assert_true(a->nat.here && a->nat.udp && !a->nat.there);
    assert_true(b->nat.there && b->nat.udp && !b->nat.here);
    struct ip_endpoint seen = {addr("192.1.1.99"), 5500};
    assert_true(ip_endpoint_equal(&b->path.remote, &seen));
    for (size_t i = 0; i < PAIR_SAD_MAX; i++)
        if (site->pair->sides[PAIR_B].sad[i].used)
            assert_true(ip_endpoint_equal(&site->pair->sides[PAIR_B].sad[i].moved, &seen));
    pair_run(site->pair, 60 * SECONDS);
    assert_true(site->pair->sides[PAIR_A].keepalives > 0);
    HAVE(site, PAIR_A, "192.1.1.14");
    pair_run(site->pair, 2 * SECONDS);
    assert_at(site, "192.1.1.14", own[PAIR_B], false);
    site_free(site);
}

/* Section 3.8: the NAT has another idea of us than before; the next sign of life finds out. */
static void test_mapping_changes(void **state)
{
    struct site *site = site_new(NULL);
    (void)state;
    site->net.nat_inside = addr(own[PAIR_A]);
    site->net.nat_outside = addr("192.1.1.99");
    HAVE(site, PAIR_A, own[PAIR_A]);
    HAVE(site, PAIR_B, own[PAIR_B]);
    const struct traffic_pair traffic = {net_of("10.1.0.0/16"), net_of("10.2.0.0/16")};
    assert_int_equal(pair_initiate_profile(site->pair, PAIR_A, TICKET, PROFILE, &traffic), ERR_OK);
    pair_run(site->pair, 25 * SECONDS);
    site->net.nat_outside = addr("192.1.1.98");
    kill_address(site, "192.1.1.99");
    pair_run(site->pair, 25 * SECONDS);
    struct ip_endpoint seen = {addr("192.1.1.98"), 5500};
    assert_true(ip_endpoint_equal(&sa_of(site, PAIR_B)->path.remote, &seen));
    site_free(site);
}

/* Re-keying the IKE SA and the child changes nothing of it, by whichever end. */
static void test_rekeyed(void **state)
{
    (void)state;
    for (unsigned side = 0; side < PAIR_SIDES; side++) {
        const struct ike_config config = {.ike_lifetime_s = side == PAIR_A ? 100 : 0};
        struct site *site = up(&config);
        kill_address(site, own[PAIR_A]);
        HAVE(site, PAIR_A, "192.1.1.14");
        pair_run(site->pair, 5 * SECONDS);
        const struct traffic_pair traffic = {net_of("10.2.0.0/16"), net_of("10.1.0.0/16")};
        const struct traffic_pair back = {traffic.remote, traffic.local};
        assert_int_equal(pair_initiate_profile(site->pair, side, TICKET, PROFILE,
                                               side == PAIR_A ? &back : &traffic),
                         ERR_OK);
        pair_run(site->pair, 120 * SECONDS);
        assert_at(site, "192.1.1.14", own[PAIR_B], false);
        kill_address(site, "192.1.1.14");
        HAVE(site, PAIR_A, "192.1.1.24");
        pair_run(site->pair, 10 * SECONDS);
        assert_at(site, "192.1.1.24", own[PAIR_B], false);
        assert_true(sa_of(site, PAIR_A)->mobike->decides);
        site_free(site);
    }
}

/* A keying daemon that starts again goes on where its SAs are. */
static void test_resumed(void **state)
{
    (void)state;
    for (unsigned side = 0; side < PAIR_SIDES; side++) {
        struct site *site = up(NULL);
        kill_address(site, own[PAIR_A]);
        HAVE(site, PAIR_A, "192.1.1.14");
        pair_run(site->pair, 5 * SECONDS);
        pair_crash(site->pair, side, true);
        pair_run(site->pair, 1 * SECONDS);
        assert_at(site, "192.1.1.14", own[PAIR_B], false);
        kill_address(site, "192.1.1.14");
        if (side == PAIR_B)
            HAVE(site, PAIR_B, own[PAIR_B]);
        HAVE(site, PAIR_A, "192.1.1.24");
        pair_run(site->pair, 10 * SECONDS);
        assert_at(site, "192.1.1.24", own[PAIR_B], false);
        site_free(site);
    }
}

/* Another child is asked for, from an address that the IKE SA did not begin with: no second IKE SA. */
static void test_other_child(void **state)
{
    struct site *site = up(NULL);
    const struct traffic_pair other = {net_of("10.3.0.0/16"), net_of("10.2.0.0/16")};
    (void)state;
    kill_address(site, own[PAIR_A]);
    HAVE(site, PAIR_A, "192.1.1.14");
    pair_run(site->pair, 1 * SECONDS);
    site->pair->sides[PAIR_A].addr.addr = addr("192.1.1.14");
    site->pair->sides[PAIR_B].ticket = TICKET + 1;
    assert_int_equal(
        pair_initiate_profile(site->pair, PAIR_A, TICKET + 1, PROFILE, &other), ERR_OK);
    pair_run(site->pair, 1 * SECONDS);
    assert_int_equal(site->pair->sides[PAIR_A].up, 2);
    const struct v2_sa *sa = sa_of(site, PAIR_A); /* the only one */
    const struct ike_child *child;
    LIST_FOREACH (child, &sa->children, of_v2_sa)
        assert_true(ip_addr_equal(&child->here.addr, &sa->path.local.addr));
    site_free(site);
}

/* Hostile cases */

/* A true peer that claims somebody else's address: the victim gets a few octets, and no SA goes there
 * (third-party bombing). */
static bool to_victim(struct pair *pair, struct pair_datagram *d, void *ctx)
{
    struct net *net = ctx;
    (void)pair;
    bool hits = d->from == PAIR_B && ip_addr_equal(&d->target.addr, net->watch);
    net->watched += hits;
    return !hits;
}

static void test_bombing(void **state)
{
    struct site *site = up(NULL);
    (void)state;
    struct ip_addr victim = addr("203.0.113.77");
    site->net.watch = &victim;
    site->pair->tap = to_victim;
    HAVE(site, PAIR_A, "203.0.113.77"); /* as A's packets will say */
    pair_run(site->pair, 15 * SECONDS);
    assert_int_equal(site->pair->sides[PAIR_B].moves, 0);
    assert_in_range(site->net.watched, 1, 15);
    site_free(site);
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
        d->source.addr = addr("203.0.113.66");
        return true;
    }
    bool there = d->from == PAIR_B &&
                 ip_addr_equal(&d->target.addr, &(struct ip_addr){4, {203, 0, 113, 66}});
    answered_there += there;
    return !there;
}

static void test_forged_source(void **state)
{
    struct site *site = up(NULL);
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
    assert_at(site, "192.1.1.14", own[PAIR_B], false);
    site_free(site);
}

/* Where NAT is ruled out the same is refused at once (section 3.9; the transient pseudo-NAT attack). */
static void test_no_nats(void **state)
{
    const struct ike_config config = {.nat = IKE_NAT_OFF};
    struct site *site = up(&config);
    (void)state;
    assert_int_equal(sa_of(site, PAIR_A)->path.local.port, 500);
    site->pair->tap = redirect;
    catch_one = true;
    HAVE(site, PAIR_A, "192.1.1.14");
    pair_run(site->pair, 2 * PAIR_LATENCY_MS);
    assert_int_equal(pair_counter(site->pair, PAIR_B, "nat-mapping-change-refused"), 1);
    assert_int_equal(site->pair->sides[PAIR_B].moves, 0);
    pair_run(site->pair, 30 * SECONDS);
    assert_at(site, "192.1.1.14", own[PAIR_B], false);
    site_free(site);
}

/* ADR-035: an update that was answered is said again from elsewhere: it gets its answer, and moves nothing. */
static void test_replayed(void **state)
{
    struct site *site = up(NULL);
    (void)state;
    site->pair->tap = redirect;
    catch_one = true;
    HAVE(site, PAIR_A, "192.1.1.14");
    pair_run(site->pair, 30 * SECONDS);
    unsigned moves = site->pair->sides[PAIR_B].moves;
    caught.source.addr = addr("203.0.113.67");
    assert_int_not_equal(pair_give(site->pair, &caught), ERR_OK);
    pair_run(site->pair, 10 * SECONDS);
    assert_int_equal(site->pair->sides[PAIR_B].moves, moves);
    assert_at(site, "192.1.1.14", own[PAIR_B], false);
    site_free(site);
}

/* Authentic ESP is sent on from elsewhere: nothing follows it that does not answer there. */
static void test_esp_elsewhere(void **state)
{
    struct site *site = site_new(NULL);
    (void)state;
    site->net.nat_inside = addr(own[PAIR_A]);
    site->net.nat_outside = addr("192.1.1.99");
    HAVE(site, PAIR_A, own[PAIR_A]);
    HAVE(site, PAIR_B, own[PAIR_B]);
    const struct traffic_pair traffic = {net_of("10.1.0.0/16"), net_of("10.2.0.0/16")};
    assert_int_equal(pair_initiate_profile(site->pair, PAIR_A, TICKET, PROFILE, &traffic), ERR_OK);
    pair_run(site->pair, 1 * SECONDS);
    struct pair_side *b = &site->pair->sides[PAIR_B];
    struct ip_addr thief = addr("203.0.113.66");
    site->net.watch = &thief;
    kill_address(site, "203.0.113.66");
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
    site->net.nat_outside = addr("192.1.1.98");
    const struct ike_event true_one = {.kind = IKE_EV_MOVED,
                                       .ticket = TICKET,
                                       .spi = b->last_up.spi_in,
                                       .remote = {addr("192.1.1.98"), 5500}};
    assert_int_equal(ike_input(b->ike, site->pair->now, &true_one), ERR_OK);
    pair_drain(site->pair, PAIR_B);
    pair_run(site->pair, 1 * SECONDS);
    assert_int_equal(b->moves, 2);
    assert_true(ip_endpoint_equal(&sa_of(site, PAIR_B)->path.remote, &true_one.remote));
    site_free(site);
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
        struct site *site = up(NULL);
        struct spoil spoil = {.wrong = wrong};
        site->pair->tap = spoil_cookie;
        site->pair->tap_ctx = &spoil;
        HAVE(site, PAIR_A, "192.1.1.14");
        pair_run(site->pair, 1 * SECONDS);
        assert_true(spoil.done > 0);
        assert_int_equal(site->pair->sides[PAIR_B].moves, 0);
        assert_int_equal(site->pair->sides[PAIR_B].deleted, wrong);
        site_free(site);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_support),       cmocka_unit_test(test_off),
        cmocka_unit_test(test_stranger),      cmocka_unit_test(test_replaced),
        cmocka_unit_test(test_policy),        cmocka_unit_test(test_make_before_break),
        cmocka_unit_test(test_twice),         cmocka_unit_test(test_no_address),
        cmocka_unit_test(test_responder_moves), cmocka_unit_test(test_fail_over_and_back),
        cmocka_unit_test(test_preferred),     cmocka_unit_test(test_route_lost), cmocka_unit_test(test_no_route),
        cmocka_unit_test(test_both_move),
        cmocka_unit_test(test_nat_appears),   cmocka_unit_test(test_mapping_changes),
        cmocka_unit_test(test_rekeyed),       cmocka_unit_test(test_resumed),
        cmocka_unit_test(test_bombing),       cmocka_unit_test(test_forged_source),
        cmocka_unit_test(test_no_nats),       cmocka_unit_test(test_replayed),
        cmocka_unit_test(test_esp_elsewhere), cmocka_unit_test(test_cookie),
        cmocka_unit_test(test_other_child),   cmocka_unit_test(test_asked),
        cmocka_unit_test(test_asked_because_gone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
