#include "mobike_site.h"

static const char secret[] = "a secret that two gateways share";

struct ip_addr mobike_addr(const char *text)
{
    struct ip_addr ret;
    assert_true(ip_addr_parse(text, &ret));
    return ret;
}

static bool is_dead(const struct mobike_net *net, const struct ip_addr *a)
{
    for (size_t i = 0; i < net->dead_count; i++)
        if (ip_addr_equal(&net->dead[i], a))
            return true;
    return false;
}

static void translate(const struct mobike_net *net, struct pair_datagram *d)
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
    struct mobike_net *net = ctx;
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

struct traffic mobike_traffic(const char *text)
{
    struct traffic t = {.port_last = UINT16_MAX};
    assert_true(ip_prefix_parse(text, &t.net));
    return t;
}

struct mobike_site *mobike_site_new(const struct ike_config *config)
{
    struct mobike_site *site = calloc(1, sizeof(*site));
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

void mobike_have(struct mobike_site *site, unsigned side, const char *const *texts)
{
    struct ip_addr list[8];
    size_t count = 0;
    for (; texts[count] != NULL; count++)
        list[count] = mobike_addr(texts[count]);
    pair_addresses(site->pair, side, list, count);
}

const char *const mobike_own[PAIR_SIDES] = {"192.1.1.4", "192.1.1.5"};

void mobike_begin(struct mobike_site *site)
{
    const struct traffic_pair traffic = {mobike_traffic("10.1.0.0/16"), mobike_traffic("10.2.0.0/16")};
    assert_int_equal(pair_initiate_profile(site->pair, PAIR_A, TICKET, PROFILE, &traffic), ERR_OK);
    pair_run(site->pair, 1 * SECONDS);
    assert_int_equal(pair_check_keys(site->pair), 2);
}

struct mobike_site *mobike_site_up(const struct ike_config *config)
{
    struct mobike_site *site = mobike_site_new(config);
    HAVE(site, PAIR_A, mobike_own[PAIR_A]);
    HAVE(site, PAIR_B, mobike_own[PAIR_B]);
    mobike_begin(site);
    return site;
}

void mobike_site_free(struct mobike_site *site)
{
    pair_free(site->pair);
    free(site);
}

struct v2_sa *mobike_sa(const struct mobike_site *site, unsigned side)
{
    const struct v2_engine *v2 = &site->pair->sides[side].ike->v2;
    assert_int_equal(v2->all_count, 1);
    return v2->all[0];
}

void mobike_assert_at(struct mobike_site *site, const char *a, const char *b, bool udp)
{
    const char *const ends[PAIR_SIDES] = {a, b};
    for (unsigned s = 0; s < PAIR_SIDES; s++) {
        struct ip_addr here = mobike_addr(ends[s]), there = mobike_addr(ends[!s]);
        const struct v2_sa *sa = mobike_sa(site, s);
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

void mobike_kill_address(struct mobike_site *site, const char *text)
{
    site->net.dead[site->net.dead_count++] = mobike_addr(text);
}
