/* Virtual addresses under IKEv2 (RFC 7296 section 2.19): a road warrior asks, a gateway lends. And
 * what is negotiated of protocol and ports is what both planes get. */
#include "pair.h"
#include "wire/traffic.h"

static struct traffic net(const char *text)
{
    struct traffic traffic = {.port_last = UINT16_MAX};
    assert_true(ip_prefix_parse(text, &traffic.net));
    return traffic;
}

static struct ip_addr addr(const char *text)
{
    struct ip_addr a;
    assert_true(ip_addr_parse(text, &a));
    return a;
}

static struct ike_profile profile(const char *own, const char *peer)
{
    struct ike_profile p = {.number = 5,
                            .name = "office",
                            .version = IKE_VERSION_2,
                            .own_method = IKE_BY_PSK,
                            .peer_method = IKE_BY_PSK,
                            .psk = view_of_text("correct horse battery staple")};
    assert_true(identity_of_fqdn(view_of_text(own), &p.own_id));
    assert_true(identity_of_fqdn(view_of_text(peer), &p.peer_id));
    return p;
}

struct road {
    struct ike_profile client, gateway;
    struct traffic_pair asked, lent; /* lent: as the gateway sees it */
    struct pair *pair;
};

static void road_start(struct road *road, bool v6)
{
    *road = (struct road){
        .client = profile("a.example", "b.example"),
        .gateway = profile("b.example", "a.example"),
        .asked = {net(v6 ? "::/0" : "0.0.0.0/0"), net(v6 ? "2001:db8:2::/48" : "10.2.0.0/16")},
        .lent = {net(v6 ? "2001:db8:2::/48" : "10.2.0.0/16"),
                 net(v6 ? "2001:db8:99::7/128" : "10.99.0.7/32")}};
    road->client.want_address = true;
    road->gateway.pool_first = addr(v6 ? "2001:db8:99::1" : "10.99.0.1");
    road->gateway.pool_last = addr(v6 ? "2001:db8:99::ff" : "10.99.0.254");
}

static void road_run(struct road *road)
{
    const struct pair_options options = {.profiles = {&road->client, &road->gateway},
                                         .profile_count = 1};
    road->pair = pair_new(&options);
    road->pair->sides[PAIR_B].narrow = &road->lent;
    assert_int_equal(pair_initiate_profile(road->pair, PAIR_A, 7, 5, &road->asked), ERR_OK);
    pair_run(road->pair, 2000);
}

static void test_lent(void **state)
{
    (void)state;
    for (unsigned v6 = 0; v6 < 2; v6++) {
        struct road road;
        road_start(&road, v6 != 0);
        road_run(&road);
        const struct ike_effect *up = &road.pair->sides[PAIR_A].last_up;
        assert_int_equal(road.pair->sides[PAIR_A].up, 1);
        assert_true(ip_addr_equal(&up->traffic.local.net.addr, &road.lent.remote.net.addr));
        assert_int_equal(up->traffic.local.net.bits, road.lent.remote.net.bits);
        assert_int_equal(pair_check_keys(road.pair), 2);
        pair_free(road.pair);
    }
}

static size_t sa_count(const struct pair *pair, unsigned side)
{
    struct ike_sa_info info;
    size_t n = 0;
    while (ike_sa_info(pair->sides[side].ike, n, &info))
        n++;
    return n;
}

/* No address, no IKE SA: it would be of no use. */
static void test_nothing_lent(void **state)
{
    (void)state;
    for (unsigned what = 0; what < 2; what++) {
        struct road road;
        road_start(&road, false);
        if (what == 0)
            road.gateway.pool_first = road.gateway.pool_last = (struct ip_addr){.family = IP_NONE};
        else
            road.lent.remote = net("10.99.0.0/30"); /* not one address */
        const struct pair_options options = {.profiles = {&road.client, &road.gateway},
                                             .profile_count = 1};
        road.pair = pair_new(&options);
        road.pair->sides[PAIR_B].narrow = &road.lent;
        road.pair->sides[PAIR_B].refuse = what == 1;
        assert_int_equal(pair_initiate_profile(road.pair, PAIR_A, 7, 5, &road.asked), ERR_OK);
        pair_run(road.pair, 2000);
        assert_int_equal(road.pair->sides[PAIR_A].up, 0);
        assert_int_equal(road.pair->sides[PAIR_A].failed, 1);
        assert_non_null(strstr(road.pair->sides[PAIR_A].last_failed.text,
                               what == 0 ? "lends no address" : "INTERNAL_ADDRESS_FAILURE"));
        assert_int_equal(sa_count(road.pair, PAIR_A) + sa_count(road.pair, PAIR_B), 0);
        pair_free(road.pair);
    }
}

/* Who has to have an address from us and does not ask for one gets nothing; one who has it comes
 * with it. */
static void test_not_asked(void **state)
{
    (void)state;
    struct road road;
    road_start(&road, false);
    road.client.want_address = false;
    road_run(&road);
    assert_int_equal(road.pair->sides[PAIR_A].up, 0);
    assert_int_equal(road.pair->sides[PAIR_B].asked_authorization, 0);
    assert_non_null(strstr(road.pair->sides[PAIR_A].last_failed.text, "FAILED_CP_REQUIRED"));
    assert_int_equal(pair_initiate_profile(road.pair, PAIR_A, 8, 5,
                                           &(struct traffic_pair){road.lent.remote, road.lent.local}),
                     ERR_OK);
    pair_run(road.pair, 2000);
    assert_int_equal(road.pair->sides[PAIR_A].up, 1);
    pair_free(road.pair);
}

/* The replacement is for the address that is there already, under the old IKE SA or a new one. */
static void test_renewed(void **state)
{
    (void)state;
    for (unsigned fresh = 0; fresh < 2; fresh++) {
        struct road road;
        road_start(&road, false);
        road_run(&road);
        if (fresh != 0) {
            pair_crash(road.pair, PAIR_A, false);
            pair_run(road.pair, 1000);
        }
        const struct traffic_pair had = {road.lent.remote, road.lent.local};
        assert_int_equal(pair_initiate_profile(road.pair, PAIR_A, 7, 5, &had), ERR_OK);
        pair_run(road.pair, 2000);
        assert_int_equal(road.pair->sides[PAIR_A].up, 2);
        assert_true(ip_addr_equal(&road.pair->sides[PAIR_A].last_up.traffic.local.net.addr,
                                  &road.lent.remote.net.addr));
        pair_free(road.pair);
    }
}

static void check_ports(const struct pair *pair, unsigned side)
{
    for (size_t i = 0; i < PAIR_SAD_MAX; i++) {
        const struct pair_sa *sa = &pair->sides[side].sad[i];
        if (!sa->used)
            continue;
        struct traffic_pair t = sa_params_traffic(&sa->params);
        const struct traffic *server = side == PAIR_A ? &t.remote : &t.local;
        const struct traffic *client = side == PAIR_A ? &t.local : &t.remote;
        assert_int_equal(sa->params.protocol, 6);
        assert_int_equal(server->port_first, 80);
        assert_int_equal(server->port_last, 443);
        assert_int_equal(client->port_first, 0);
        assert_int_equal(client->port_last, UINT16_MAX);
    }
}

/* RFC 7296 section 2.9: what was agreed is what each plane is to let through. */
static void test_ports(void **state)
{
    const struct traffic_pair asked = {
        {.net = net("10.1.0.0/16").net, .protocol = 6, .port_last = UINT16_MAX},
        {.net = net("10.2.0.0/16").net, .protocol = 6, .port_first = 80, .port_last = 443}};
    struct ike_profile a = profile("a.example", "b.example"), b = profile("b.example", "a.example");
    const struct pair_options options = {.profiles = {&a, &b}, .profile_count = 1};
    struct pair *pair = pair_new(&options);
    (void)state;
    assert_int_equal(pair_initiate_profile(pair, PAIR_A, 7, 5, &asked), ERR_OK);
    pair_run(pair, 2000);
    assert_int_equal(pair->sides[PAIR_A].up, 1);
    assert_int_equal(pair_sad_count(pair, PAIR_A), 2);
    check_ports(pair, PAIR_A);
    check_ports(pair, PAIR_B);
    pair_free(pair);
}

static bool watch_auth(struct pair *pair, struct pair_datagram *d, void *ctx)
{
    size_t *auth_len = ctx;
    (void)pair;
    if (d->from == PAIR_A && d->octets[18] == IKE2_AUTH)
        *auth_len = d->len;
    return true;
}

/* RFC 6023: IKE_AUTH makes no child; the next exchange does, with a key exchange of its own. */
static void test_childless(void **state)
{
    const struct traffic_pair traffic = {net("10.1.0.0/16"), net("10.2.0.0/16")};
    const struct traffic_pair more = {net("10.1.0.0/16"), net("10.3.0.0/16")};
    size_t len[2] = {0, 0};
    (void)state;
    for (unsigned childless = 0; childless < 2; childless++) {
        struct ike_profile a = profile("a.example", "b.example");
        struct ike_profile b = profile("b.example", "a.example");
        const struct pair_options options = {.profiles = {&a, &b}, .profile_count = 1};
        a.childless = childless != 0;
        struct pair *pair = pair_new(&options);
        pair->tap = watch_auth;
        pair->tap_ctx = &len[childless];
        assert_int_equal(pair_initiate_profile(pair, PAIR_A, 7, 5, &traffic), ERR_OK);
        assert_int_equal(pair_initiate_profile(pair, PAIR_A, 8, 5, &more), ERR_OK);
        pair_run(pair, 2000);
        assert_int_equal(pair->sides[PAIR_A].up, 2);
        assert_int_equal(pair->sides[PAIR_A].failed, 0);
        assert_int_equal(pair->sent[PAIR_A], 3 + childless);
        assert_int_equal(pair_check_keys(pair), 4);
        pair_free(pair);
    }
    assert_true(len[1] + 60 < len[0]);
}

/* The IKE SA fails after all: so does what was set aside for it. */
static void test_childless_fails(void **state)
{
    const struct traffic_pair traffic = {net("10.1.0.0/16"), net("10.2.0.0/16")};
    struct ike_profile a = profile("a.example", "b.example"), b = profile("b.example", "a.example");
    const struct pair_options options = {.profiles = {&a, &b}, .profile_count = 1};
    (void)state;
    a.childless = true;
    b.psk = view_of_text("another secret");
    struct pair *pair = pair_new(&options);
    assert_int_equal(pair_initiate_profile(pair, PAIR_A, 7, 5, &traffic), ERR_OK);
    pair_run(pair, 2000);
    assert_int_equal(pair->sides[PAIR_A].up, 0);
    assert_int_equal(pair->sides[PAIR_A].failed, 1);
    pair_free(pair);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lent),      cmocka_unit_test(test_nothing_lent),
        cmocka_unit_test(test_not_asked), cmocka_unit_test(test_renewed),
        cmocka_unit_test(test_ports),     cmocka_unit_test(test_childless),
        cmocka_unit_test(test_childless_fails),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
