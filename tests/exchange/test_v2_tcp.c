/*
 * IKEv2 through TCP (RFC 9329) between two engines: when it begins with it, what it does when a connection is lost
 * and made again, and who doesn't get it to send elsewhere. The tap plays the plane and the network: what A sends
 * in a stream of its own comes to B in one that was accepted.
 */
#include "forge_v2.h"
#include "pair.h"

#include "wire/ike2_numbers.h"

enum { SECONDS = 1000, PROFILE = 5, TICKET = 7 };

struct net {
    bool udp_dead, tcp_dead, nat;
    struct ip_endpoint inside; /* A as it is behind the NAT */
    uint32_t of_a, at_b; /* the connection that stands: its number at either end */
    unsigned connections;
    unsigned by_udp, by_tcp; /* datagrams of A */
    uint8_t last_exchange, udp_spi[8], tcp_spi[8]; /* A's, of IKE_SA_INIT */
    struct pair_datagram last_a;
};

struct site {
    struct pair *pair;
    struct ike_profile profiles[PAIR_SIDES];
    struct net net;
};

static void connect_again(struct net *net)
{
    net->at_b = IP_STREAM_ACCEPTED | (100 + ++net->connections);
}

static bool from_a(struct net *net, struct pair_datagram *d)
{
    bool tcp = d->target.stream != 0;
    *(tcp ? &net->by_tcp : &net->by_udp) += 1;
    if (d->octets[18] == IKE2_SA_INIT)
        memcpy(tcp ? net->tcp_spi : net->udp_spi, d->octets, 8);
    if (!tcp)
        return !net->udp_dead;
    if (d->target.stream != net->of_a) {
        net->of_a = d->target.stream;
        connect_again(net);
    }
    net->inside = d->source;
    if (net->nat)
        d->source = (struct ip_endpoint){ip_addr_v4(0xc6336401), 61000, 0};
    d->source.stream = net->at_b;
    d->target.stream = 0;
    net->last_a = *d;
    return !net->tcp_dead;
}

static bool carry(struct pair *pair, struct pair_datagram *d, void *ctx)
{
    struct net *net = ctx;
    (void)pair;
    if (d->from == PAIR_A)
        return from_a(net, d);
    if (d->target.stream == 0)
        return !net->udp_dead;
    bool there = d->target.stream == net->at_b;
    d->target = net->inside;
    d->source.stream = net->of_a;
    return there && !net->tcp_dead;
}

static struct ike_profile profile_of(const char *own, const char *peer, enum ike_tcp tcp)
{
    struct ike_profile p = {.number = PROFILE,
                            .name = "office",
                            .version = IKE_VERSION_2,
                            .own_method = IKE_BY_PSK,
                            .peer_method = IKE_BY_PSK,
                            .psk = view_of_text("a secret that two gateways share"),
                            .tcp = (uint8_t)tcp,
                            .dpd_s = 10};
    assert_true(identity_of_fqdn(view_of_text(own), &p.own_id));
    assert_true(identity_of_fqdn(view_of_text(peer), &p.peer_id));
    return p;
}

static struct site *site_new(enum ike_tcp a, enum ike_tcp b, const struct ike_config *config)
{
    struct site *site = calloc(1, sizeof(*site));
    assert_non_null(site);
    site->profiles[PAIR_A] = profile_of("a.example", "b.example", a);
    site->profiles[PAIR_B] = profile_of("b.example", "a.example", b);
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

static void site_free(struct site *site)
{
    pair_free(site->pair);
    free(site);
}

static void begin(struct site *site, int64_t ms)
{
    struct traffic_pair traffic = {{.port_last = UINT16_MAX}, {.port_last = UINT16_MAX}};
    assert_true(ip_prefix_parse("10.1.0.0/16", &traffic.local.net));
    assert_true(ip_prefix_parse("10.2.0.0/16", &traffic.remote.net));
    assert_int_equal(pair_initiate_profile(site->pair, PAIR_A, TICKET, PROFILE, &traffic), ERR_OK);
    pair_run(site->pair, ms);
}

static struct v2_sa *sa_of(const struct site *site, unsigned side)
{
    const struct v2_engine *v2 = &site->pair->sides[side].ike->v2;
    assert_int_equal(v2->all_count, 1);
    return v2->all[0];
}

/* Where the plane was told to send to. */
static uint32_t sa_stream(const struct site *site, unsigned side)
{
    for (size_t i = 0; i < PAIR_SAD_MAX; i++) {
        const struct pair_sa *entry = &site->pair->sides[side].sad[i];
        if (entry->used && !entry->params.inbound)
            return entry->moved.addr.family != IP_NONE ? entry->moved.stream
                                                       : entry->params.stream;
    }
    fail_msg("no outbound SA");
    return 0;
}

static void assert_through_tcp(const struct site *site)
{
    const struct net *net = &site->net;
    assert_int_equal(sa_of(site, PAIR_A)->path.remote.stream, net->of_a);
    assert_int_equal(sa_of(site, PAIR_B)->path.remote.stream, net->at_b);
    assert_int_equal(sa_stream(site, PAIR_A), net->of_a);
    assert_int_equal(sa_stream(site, PAIR_B), net->at_b);
    assert_int_equal(site->pair->sides[PAIR_A].stream_kept, net->of_a);
    assert_int_equal(site->pair->sides[PAIR_B].stream_kept, net->at_b);
    assert_int_equal(pair_check_keys(site->pair), 2);
}

static void lose_connection(struct site *site)
{
    connect_again(&site->net);
}

static void made_again(struct site *site, uint16_t port)
{
    const struct v2_sa *sa = sa_of(site, PAIR_A);
    struct ike_event event = {.kind = IKE_EV_STREAM,
                              .local = {sa->path.local.addr, port, 0},
                              .remote = sa->path.remote};
    site->pair->tap = carry;
    assert_int_equal(ike_input(site->pair->sides[PAIR_A].ike, site->pair->now, &event), ERR_OK);
    pair_drain(site->pair, PAIR_A);
}

static struct site *up(bool mobike)
{
    struct site *site = site_new(IKE_TCP_ALWAYS, IKE_TCP_AUTO, NULL);
    site->profiles[PAIR_A].mobike_off = !mobike;
    begin(site, 1 * SECONDS);
    assert_through_tcp(site);
    return site;
}

/* Section 6.5: the ports are TCP's, and no NAT is found where there is none; section 6.6: no keepalives. */
static void test_always(void **state)
{
    struct ike_sa_info info;
    struct site *site = up(true);
    (void)state;
    for (unsigned s = 0; s < PAIR_SIDES; s++) {
        const struct v2_sa *sa = sa_of(site, s);
        assert_true(sa->nat.agreed && !sa->nat.here && !sa->nat.there);
        assert_true(ike_sa_info(site->pair->sides[s].ike, 0, &info));
        assert_true(info.tcp && info.udp);
    }
    assert_int_equal(site->net.by_udp, 0);
    pair_run(site->pair, 60 * SECONDS);
    assert_int_equal(site->pair->sides[PAIR_A].keepalives + site->pair->sides[PAIR_B].keepalives, 0);
    assert_int_equal(site->pair->sides[PAIR_A].deleted, 0);
    site_free(site);
}

/* Section 6.5: a NAT is seen, and changes nothing. */
static void test_nat(void **state)
{
    struct site *site = site_new(IKE_TCP_ALWAYS, IKE_TCP_AUTO, NULL);
    (void)state;
    site->net.nat = true;
    site->pair->sides[PAIR_A].reached_at = ip_addr_v4(0xc6336401);
    begin(site, 1 * SECONDS);
    assert_through_tcp(site);
    assert_true(sa_of(site, PAIR_A)->nat.here && sa_of(site, PAIR_B)->nat.there);
    lose_connection(site);
    made_again(site, 50000);
    pair_run(site->pair, 60 * SECONDS);
    assert_through_tcp(site);
    assert_int_equal(site->pair->sides[PAIR_A].keepalives, 0);
    assert_int_equal(site->pair->sides[PAIR_A].up, 1);
    site_free(site);
}

/* Section 5.1: another IKE_SA_INIT, after UDP was tried more than once. */
static void test_falls_back(void **state)
{
    struct site *site = site_new(IKE_TCP_AUTO, IKE_TCP_AUTO, NULL);
    (void)state;
    site->net.udp_dead = true;
    begin(site, 4 * SECONDS);
    assert_int_equal(site->net.by_tcp, 0);
    assert_in_range(site->net.by_udp, 2, 8);
    pair_run(site->pair, 3 * SECONDS);
    assert_through_tcp(site);
    assert_memory_not_equal(site->net.udp_spi, site->net.tcp_spi, 8);
    assert_int_equal(site->pair->sides[PAIR_A].failed, 0);
    site_free(site);
}

static void test_udp_first(void **state)
{
    struct site *site = site_new(IKE_TCP_AUTO, IKE_TCP_AUTO, NULL);
    (void)state;
    begin(site, 60 * SECONDS);
    assert_int_equal(pair_check_keys(site->pair), 2);
    assert_int_equal(site->net.by_tcp, 0);
    site_free(site);
}

/* Section 2: whoever isn't configured for it begins with nothing else than UDP, and takes nothing else. */
static void test_never(void **state)
{
    (void)state;
    for (unsigned s = 0; s < PAIR_SIDES; s++) {
        struct site *site = site_new(s == PAIR_A ? IKE_TCP_NEVER : IKE_TCP_ALWAYS,
                                     s == PAIR_B ? IKE_TCP_NEVER : IKE_TCP_ALWAYS, NULL);
        site->net.udp_dead = true;
        begin(site, 60 * SECONDS);
        assert_int_equal(site->pair->sides[PAIR_A].failed, 1);
        assert_int_equal(site->pair->sides[PAIR_B].ike->v2.all_count, 0);
        assert_int_equal(site->net.by_tcp != 0, s == PAIR_B);
        assert_int_equal(site->pair->sides[PAIR_B].stream_kept, 0);
        site_free(site);
    }
}

/* Section 6.3: who has connected has shown its address. */
static void test_no_cookies(void **state)
{
    const struct ike_config config = {.cookies_always = true};
    struct site *site = site_new(IKE_TCP_ALWAYS, IKE_TCP_ALWAYS, &config);
    (void)state;
    begin(site, 1 * SECONDS);
    assert_through_tcp(site);
    assert_int_equal(pair_counter(site->pair, PAIR_B, "bad-responder-cookie"), 0);
    site_free(site);
}

static bool refuse_init(struct pair *pair, struct pair_datagram *d, void *ctx)
{
    struct net *net = ctx;
    struct pair_datagram answer = {.from = PAIR_B, .len = 36, .natt = true};
    assert_int_equal(d->from, PAIR_A);
    (void)from_a(net, d);
    answer.source = d->target;
    answer.source.stream = net->of_a;
    answer.target = d->source;
    answer.target.stream = 0;
    memcpy(answer.octets, d->octets, 8);
    memcpy(answer.octets + 16, (const uint8_t[]){41, 0x20, 34, 0x20}, 4);
    answer.octets[27] = 36;
    memcpy(answer.octets + 28, (const uint8_t[]){0, 0, 0, 8, 0, 0, 0, IKE2_N_NO_PROPOSAL_CHOSEN}, 8);
    pair->wire[pair->wire_count++] = answer;
    return false;
}

/* Section 6.4: no better answer will come. */
static void test_refused_at_once(void **state)
{
    struct site *site = site_new(IKE_TCP_ALWAYS, IKE_TCP_ALWAYS, NULL);
    (void)state;
    site->pair->tap = refuse_init;
    begin(site, 200);
    assert_int_equal(site->pair->sides[PAIR_A].failed, 1);
    assert_int_equal(site->pair->sides[PAIR_A].stream_closed, site->net.of_a);
    site_free(site);
}

/* Section 6.1: the peer hears of it and sends there, ESP too; nothing is made anew. */
static void test_connection_lost(void **state)
{
    (void)state;
    for (int mobike = 0; mobike < 2; mobike++) {
        struct site *site = up(mobike);
        uint32_t before = site->net.at_b, of_a = site->net.of_a;
        lose_connection(site);
        made_again(site, 50000);
        pair_run(site->pair, 1 * SECONDS);
        assert_int_equal(site->net.of_a, of_a);
        assert_int_not_equal(site->net.at_b, before);
        assert_through_tcp(site);
        assert_int_equal(site->pair->sides[PAIR_B].stream_closed, before);
        assert_int_equal(sa_of(site, PAIR_A)->path.local.port, 50000);
        assert_int_equal(sa_of(site, PAIR_B)->path.remote.port, 50000);
        assert_int_equal(site->pair->sides[PAIR_A].up, 1);
        site_free(site);
    }
}

/* Section 6.2: a request that was under way goes out again. */
static void test_request_repeated(void **state)
{
    struct site *site = up(false);
    (void)state;
    site->net.tcp_dead = true;
    pair_event(site->pair, PAIR_A, IKE_EV_DELETE_CHILD, TICKET);
    pair_run(site->pair, 100);
    assert_non_null(sa_of(site, PAIR_A)->mine);
    site->net.tcp_dead = false;
    lose_connection(site);
    unsigned before = site->net.by_tcp;
    made_again(site, 50000);
    assert_int_equal(site->net.by_tcp, before + 1);
    pair_run(site->pair, 100);
    assert_int_equal(site->pair->sides[PAIR_A].deleted, 1);
    assert_int_equal(sa_of(site, PAIR_B)->path.remote.stream, site->net.at_b);
    site_free(site);
}

/* Section 6.1: only what is authentic and new. */
static void test_hijack(void **state)
{
    (void)state;
    for (int mobike = 0; mobike < 2; mobike++) {
        struct site *site = up(mobike);
        const uint32_t at_b = site->net.at_b;
        struct pair_datagram d = site->net.last_a;
        d.source = (struct ip_endpoint){ip_addr_v4(0xc6336407), 1234, IP_STREAM_ACCEPTED | 9999};
        assert_int_not_equal(pair_give(site->pair, &d), ERR_OK); /* heard before */
        assert_int_equal(sa_of(site, PAIR_B)->path.remote.stream, at_b);
        d.octets[23]++; /* the next message id, not authentic */
        assert_int_not_equal(pair_give(site->pair, &d), ERR_OK);
        d.octets[d.len - 1] ^= 1;
        assert_int_not_equal(pair_give(site->pair, &d), ERR_OK);
        assert_int_equal(sa_of(site, PAIR_B)->path.remote.stream, at_b);
        assert_int_equal(sa_of(site, PAIR_B)->next_in, sa_of(site, PAIR_A)->next_out);
        pair_run(site->pair, 60 * SECONDS);
        assert_through_tcp(site);
        site_free(site);
    }
}

/* A stream is no way out of UDP, nor UDP one out of TCP, unless MOBIKE says so. */
static void test_kinds_differ(void **state)
{
    struct site *site = up(false);
    (void)state;
    struct v2_sa *b = sa_of(site, PAIR_B);
    site->net.tcp_dead = true;
    info_ask_alive(site->pair->sides[PAIR_A].ike, sa_of(site, PAIR_A));
    pair_drain(site->pair, PAIR_A);
    struct pair_datagram d = site->net.last_a;
    d.source.stream = 0;
    assert_int_equal(pair_give(site->pair, &d), ERR_SELECTOR);
    assert_int_equal(b->path.remote.stream, site->net.at_b);
    site_free(site);
}

static enum err esp_from(struct site *site, const struct ip_endpoint *from)
{
    const struct pair_side *b = &site->pair->sides[PAIR_B];
    struct ike_event event = {.kind = IKE_EV_MOVED, .ticket = TICKET, .remote = *from};
    for (size_t i = 0; i < PAIR_SAD_MAX; i++)
        if (b->sad[i].used && b->sad[i].params.inbound)
            event.spi = b->sad[i].params.spi;
    enum err err = ike_input(b->ike, site->pair->now, &event);
    pair_drain(site->pair, PAIR_B);
    return err;
}

/* Authentic ESP moves the SAs too, from stream to stream, and without a check of the address. */
static void test_esp_moves(void **state)
{
    (void)state;
    for (int mobike = 0; mobike < 2; mobike++) {
        struct site *site = up(mobike);
        struct ip_endpoint from = sa_of(site, PAIR_B)->path.remote;
        unsigned sent = site->pair->sent[PAIR_B];
        from.stream = 0;
        assert_int_equal(esp_from(site, &from), ERR_POLICY);
        connect_again(&site->net);
        from.stream = site->net.at_b;
        from.port = 1234;
        assert_int_equal(esp_from(site, &from), ERR_OK);
        assert_int_equal(site->pair->sent[PAIR_B], sent);
        assert_through_tcp(site);
        site_free(site);
    }
}

/* The new IKE SA has the stream of the old one, which takes it along with nobody. */
static void test_rekey(void **state)
{
    struct site *site = site_new(IKE_TCP_ALWAYS, IKE_TCP_ALWAYS, NULL);
    (void)state;
    for (unsigned s = 0; s < PAIR_SIDES; s++)
        site->profiles[s].ike_lifetime_s = 600;
    begin(site, 1 * SECONDS);
    const uint32_t of_a = site->net.of_a;
    const uint64_t first = sa_of(site, PAIR_A)->number;
    pair_run(site->pair, 620 * SECONDS);
    assert_true(sa_of(site, PAIR_A)->number != first);
    assert_int_equal(site->net.of_a, of_a);
    assert_int_equal(site->pair->sides[PAIR_A].stream_closed, 0);
    assert_int_equal(site->pair->sides[PAIR_B].stream_closed, 0);
    assert_int_equal(sa_of(site, PAIR_A)->path.remote.stream, of_a);
    site_free(site);
}

static void test_end(void **state)
{
    struct site *site = up(true);
    (void)state;
    assert_int_equal(pair_event(site->pair, PAIR_A, IKE_EV_SHUTDOWN, 0), ERR_OK);
    pair_run(site->pair, 1 * SECONDS);
    assert_int_equal(site->pair->sides[PAIR_A].stream_closed, site->net.of_a);
    assert_int_equal(site->pair->sides[PAIR_B].stream_closed, site->net.at_b);
    site_free(site);
}

/* What outlives a keying daemon, and what a new plane is told. */
static void test_resumed(void **state)
{
    struct site *site = up(true);
    (void)state;
    for (unsigned s = 0; s < PAIR_SIDES; s++) {
        pair_crash(site->pair, s, true);
        site->pair->sides[s].stream_kept = 0;
        assert_int_equal(pair_event(site->pair, s, IKE_EV_STREAMS, 0), ERR_OK);
    }
    assert_int_equal(site->pair->sides[PAIR_A].stream_kept, site->net.of_a);
    assert_int_equal(site->pair->sides[PAIR_B].stream_kept, site->net.at_b);
    pair_run(site->pair, 60 * SECONDS);
    assert_through_tcp(site);
    site_free(site);
}

static void have(struct site *site, unsigned side, const char *text)
{
    struct ip_addr own;
    assert_true(ip_addr_parse(text, &own));
    pair_addresses(site->pair, side, &own, 1);
}

/* Section 7.1: the same request, through TCP; and on another network UDP comes first again. */
static void test_mobike(void **state)
{
    struct site *site = site_new(IKE_TCP_AUTO, IKE_TCP_AUTO, NULL);
    (void)state;
    have(site, PAIR_A, "192.1.1.4");
    have(site, PAIR_B, "192.1.1.5");
    begin(site, 1 * SECONDS);
    assert_int_equal(site->net.by_tcp, 0);
    site->net.udp_dead = true;
    pair_run(site->pair, 40 * SECONDS);
    assert_through_tcp(site);
    const uint32_t of_a = site->net.of_a, at_b = site->net.at_b;
    site->net.udp_dead = false;
    have(site, PAIR_A, "192.1.1.14");
    pair_run(site->pair, 5 * SECONDS);
    for (unsigned s = 0; s < PAIR_SIDES; s++) {
        assert_int_equal(sa_of(site, s)->path.remote.stream, 0);
        assert_int_equal(sa_stream(site, s), 0);
        assert_false(sa_of(site, s)->nat.udp);
    }
    assert_int_equal(site->pair->sides[PAIR_A].stream_closed, of_a);
    assert_int_equal(site->pair->sides[PAIR_B].stream_closed, at_b);
    assert_int_equal(site->pair->sides[PAIR_A].up, 1);
    site_free(site);
}

/* Version 1 has nothing of it. */
static void test_version_1(void **state)
{
    struct site *site = up(true);
    (void)state;
    struct pair_datagram d = site->net.last_a;
    d.octets[17] = 0x10;
    d.octets[18] = 2;
    assert_int_equal(pair_give(site->pair, &d), ERR_VERSION);
    site_free(site);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nat),
        cmocka_unit_test(test_always),         cmocka_unit_test(test_falls_back),
        cmocka_unit_test(test_udp_first),      cmocka_unit_test(test_never),
        cmocka_unit_test(test_no_cookies),     cmocka_unit_test(test_refused_at_once),
        cmocka_unit_test(test_connection_lost), cmocka_unit_test(test_request_repeated),
        cmocka_unit_test(test_hijack),         cmocka_unit_test(test_kinds_differ),
        cmocka_unit_test(test_esp_moves),      cmocka_unit_test(test_rekey),
        cmocka_unit_test(test_end),            cmocka_unit_test(test_resumed),
        cmocka_unit_test(test_mobike),         cmocka_unit_test(test_version_1),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
