/*
 * Configured tunnels: when they are made, renewed and made again, and what a peer may have.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "tunnel/tunnel.h"

enum { SITE = 11, ROAD = 22, BRANCH = 33 };

static struct tunnels *t;
static mono_t now;
static uint64_t seed;

static void fill(void *ctx, uint8_t *ret, size_t len)
{
    (void)ctx;
    for (size_t i = 0; i < len; i++) {
        seed = seed * UINT64_C(6364136223846793005) + 1;
        ret[i] = (uint8_t)(seed >> 56);
    }
}

static struct ip_addr addr(const char *text)
{
    struct ip_addr ret;
    assert_true(ip_addr_parse(text, &ret));
    return ret;
}

static struct traffic side(const char *net)
{
    struct ip_prefix prefix;
    assert_true(ip_prefix_parse(net, &prefix));
    return traffic_of_prefix(&prefix);
}

static struct traffic_pair pair(const char *local, const char *remote)
{
    return (struct traffic_pair){.local = side(local), .remote = side(remote)};
}

static struct traffic_pair tcp(struct traffic_pair p, uint16_t first, uint16_t last)
{
    p.local.protocol = p.remote.protocol = 6;
    p.remote.port_first = first;
    p.remote.port_last = last;
    return p;
}

/* A site that starts at once, another child by traffic; road warriors with a pool; a branch from anywhere
 * in a net. */
static struct ike_profile profiles[3];
static struct tunnel_selector site[2], road[1], branch[1];
static struct tunnel_connection connections[3];
static struct tunnel_config config;

static void configure(void)
{
    memset(profiles, 0, sizeof(profiles));
    memset(site, 0, sizeof(site));
    profiles[0] = (struct ike_profile){
        .number = SITE, .name = "site", .local = addr("192.0.2.4"), .peer_method = IKE_BY_PSK};
    struct ip_addr far = addr("192.0.2.5");
    profiles[0].remote = ip_prefix_of(&far, 32);
    profiles[1] = (struct ike_profile){.number = ROAD,
                                       .name = "road",
                                       .pool_first = addr("10.99.0.1"),
                                       .pool_last = addr("10.99.0.2"),
                                       .peer_method = IKE_BY_CERTIFICATE};
    struct ip_addr net = addr("198.51.100.0");
    profiles[2] = (struct ike_profile){.number = BRANCH, .name = "branch"};
    profiles[2].remote = ip_prefix_of(&net, 24);
    site[0] = (struct tunnel_selector){
        .name = "lan", .traffic = pair("10.1.0.0/16", "10.2.0.0/16"), .start = TUNNEL_AT_ONCE};
    site[1] = (struct tunnel_selector){.name = "web",
                                       .traffic = tcp(pair("10.1.0.0/16", "10.3.0.0/16"), 80, 90),
                                       .start = TUNNEL_ON_TRAFFIC};
    road[0] = (struct tunnel_selector){.name = "road",
                                       .traffic = pair("10.1.0.0/16", "10.99.0.0/30")};
    branch[0] = (struct tunnel_selector){.name = "branch",
                                         .traffic = pair("10.1.0.0/16", "10.4.0.0/16")};
    connections[0] = (struct tunnel_connection){&profiles[0], site, 2, 1};
    connections[1] = (struct tunnel_connection){&profiles[1], road, 1, 2};
    connections[2] = (struct tunnel_connection){&profiles[2], branch, 1, 3};
    config = (struct tunnel_config){.connections = connections, .connection_count = 3};
}

static struct tunnel_effect effects[32];
static size_t effect_count;

static void collect(void)
{
    effect_count = 0;
    while (effect_count < 32 && tunnels_next_effect(t, &effects[effect_count]))
        effect_count++;
}

/* The last effect of that kind, of that ticket unless 0. NULL: none. */
static const struct tunnel_effect *find(enum tunnel_effect_kind kind, uint64_t ticket)
{
    const struct tunnel_effect *ret = NULL;
    for (size_t i = 0; i < effect_count; i++)
        if (effects[i].kind == kind && (ticket == 0 || effects[i].ticket == ticket))
            ret = &effects[i];
    return ret;
}

static void input(const struct tunnel_event *event)
{
    tunnels_input(t, now, event);
    collect();
}

static void advance(int64_t ms)
{
    now = mono_add(now, ms);
    tunnels_timer(t, now);
    collect();
}

static int begin(void **state)
{
    const struct tunnel_env env = {.rng = {.fill = fill}};
    (void)state;
    seed = 1;
    now = (mono_t){1000};
    configure();
    return tunnels_new(&config, &env, &t) != ERR_OK;
}

static int end(void **state)
{
    (void)state;
    tunnels_free(t);
    return 0;
}

static struct tunnel_info info_of(const char *child, bool home)
{
    struct tunnel_info info;
    for (size_t i = 0; tunnels_info(t, i, &info); i++)
        if (strcmp(info.selector->name, child) == 0 && info.home == home)
            return info;
    fail_msg("no tunnel %s", child);
    return info;
}

static size_t count_tunnels(void)
{
    struct tunnel_info info;
    size_t count = 0;
    while (tunnels_info(t, count, &info))
        count++;
    return count;
}

static void ready(void)
{
    tunnels_plane_ready(t, now);
    collect();
}

static struct tunnel_event up(uint64_t ticket, const char *peer, struct traffic_pair traffic,
                              uint32_t spi)
{
    return (struct tunnel_event){.kind = TUNNEL_EV_CHILD_UP,
                                 .ticket = ticket,
                                 .peer = addr(peer),
                                 .traffic = traffic,
                                 .spi_in = {spi},
                                 .spi_out = {spi + 1}};
}

static uint64_t lan_up(void)
{
    uint64_t ticket = info_of("lan", true).ticket;
    struct tunnel_event event = up(ticket, "192.0.2.5", site[0].traffic, 500);
    ready();
    input(&event);
    return ticket;
}

/* Every rule is there before anything is up; what starts at once starts. */
static void rules_come_first(void **state)
{
    (void)state;
    assert_int_equal(effect_count = 0, 0);
    collect();
    assert_int_equal(effect_count, 0); /* there is no plane yet */
    ready();
    uint64_t lan = info_of("lan", true).ticket, web = info_of("web", true).ticket;
    uint64_t any = info_of("road", true).ticket;
    assert_true(tunnel_is_ticket(lan) && tunnel_is_ticket(web) && lan != web);
    assert_int_equal(find(TUNNEL_FX_RULE, lan)->verdict, TUNNEL_HOLD);
    assert_int_equal(find(TUNNEL_FX_RULE, web)->verdict, TUNNEL_TRAP);
    assert_int_equal(find(TUNNEL_FX_RULE, any)->verdict, TUNNEL_DENY);
    const struct tunnel_effect *initiate = find(TUNNEL_FX_IKE_INITIATE, 0);
    assert_int_equal(initiate->ticket, lan);
    assert_int_equal(initiate->profile->number, SITE);
    assert_true(traffic_pair_equal(&initiate->traffic, &site[0].traffic));
    assert_null(find(TUNNEL_FX_IKE_INITIATE, web));
    struct tunnel_event wanted = {.kind = TUNNEL_EV_ACQUIRE, .ticket = web};
    input(&wanted);
    assert_non_null(find(TUNNEL_FX_IKE_INITIATE, web));
    input(&wanted); /* asked again while it is under way */
    assert_null(find(TUNNEL_FX_IKE_INITIATE, web));
}

static void up_renewed_and_down(void **state)
{
    (void)state;
    uint64_t lan = lan_up();
    const struct tunnel_effect *rule = find(TUNNEL_FX_RULE, lan);
    assert_int_equal(rule->verdict, TUNNEL_ENCRYPT);
    assert_int_equal(rule->spi_out.value, 501);
    struct tunnel_event soft = {
        .kind = TUNNEL_EV_SOFT_EXPIRE, .ticket = lan, .spi_out = {501}};
    input(&soft);
    assert_non_null(find(TUNNEL_FX_IKE_INITIATE, lan));
    assert_int_equal(info_of("lan", true).state, TUNNEL_REKEYING);
    /* Its failure leaves what is there, and is tried again. */
    struct tunnel_event failed = {
        .kind = TUNNEL_EV_CHILD_FAILED, .ticket = lan, .text = "no answer"};
    input(&failed);
    assert_int_equal(info_of("lan", true).state, TUNNEL_UP);
    advance(10000);
    assert_non_null(find(TUNNEL_FX_IKE_INITIATE, lan));
    struct tunnel_event renewed = up(lan, "192.0.2.5", site[0].traffic, 600);
    input(&renewed);
    assert_int_equal(find(TUNNEL_FX_RULE, lan)->spi_out.value, 601);
    /* The end of the old child is no news, that of the new one is. */
    struct tunnel_event gone = {
        .kind = TUNNEL_EV_CHILD_DELETED, .ticket = lan, .spi_in = {500}, .spi_out = {501}};
    input(&gone);
    assert_int_equal(info_of("lan", true).state, TUNNEL_UP);
    gone.spi_in.value = 600;
    input(&gone);
    assert_int_equal(info_of("lan", true).state, TUNNEL_KEYING);
    assert_int_equal(find(TUNNEL_FX_RULE, lan)->verdict, TUNNEL_HOLD);
}

static void pauses_grow(void **state)
{
    (void)state;
    ready();
    uint64_t lan = info_of("lan", true).ticket;
    struct tunnel_event failed = {.kind = TUNNEL_EV_CHILD_FAILED, .ticket = lan, .text = "silent"};
    int64_t before = 0;
    for (int i = 0; i < 12; i++) {
        input(&failed);
        assert_int_equal(info_of("lan", true).state, TUNNEL_WAITING);
        int64_t pause = mono_since(info_of("lan", true).next, now);
        assert_true(pause <= 300000);
        if (i < 8)
            assert_true(pause > before);
        before = pause;
        advance(pause - 1);
        assert_null(find(TUNNEL_FX_IKE_INITIATE, lan));
        advance(1);
        assert_non_null(find(TUNNEL_FX_IKE_INITIATE, lan));
    }
    assert_int_equal(info_of("lan", true).failures, 12);
    /* One that traffic starts waits for traffic again. */
    uint64_t web = info_of("web", true).ticket;
    struct tunnel_event wanted = {.kind = TUNNEL_EV_ACQUIRE, .ticket = web};
    input(&wanted);
    failed.ticket = web;
    input(&failed);
    advance(1000);
    assert_int_equal(info_of("web", true).state, TUNNEL_IDLE);
    assert_int_equal(find(TUNNEL_FX_RULE, web)->verdict, TUNNEL_TRAP);
}

static struct tunnel_event proposal(uint32_t profile, const char *peer, const char *name,
                                    struct traffic_pair traffic)
{
    struct tunnel_event event = {.kind = TUNNEL_EV_PROPOSAL,
                                 .serial = 7,
                                 .profile = profile,
                                 .peer = addr(peer),
                                 .traffic = traffic};
    assert_true(identity_of_fqdn(view_of_text(name), &event.peer_id));
    return event;
}

static const struct tunnel_effect *propose(uint32_t profile, const char *peer, const char *name,
                                           struct traffic_pair traffic)
{
    struct tunnel_event event = proposal(profile, peer, name, traffic);
    input(&event);
    const struct tunnel_effect *answer = find(TUNNEL_FX_IKE_AUTHORIZED, 0);
    assert_non_null(answer);
    assert_int_equal(answer->serial, 7);
    return answer;
}

/* IKE-055, IKE-058: the table decides, by intersection with the first line that has something. */
static void the_table_decides(void **state)
{
    (void)state;
    ready();
    const struct tunnel_effect *answer =
        propose(SITE, "192.0.2.5", "a.example", pair("0.0.0.0/0", "0.0.0.0/0"));
    assert_true(answer->ok);
    assert_true(traffic_pair_equal(&answer->traffic, &site[0].traffic));
    assert_int_equal(answer->ticket, info_of("lan", true).ticket);
    /* The held replies of its first datagrams. */
    answer = propose(SITE, "192.0.2.5", "a.example",
                     tcp(pair("10.1.7.0/24", "10.3.0.0/16"), 85, 443));
    assert_true(answer->ok);
    struct traffic_pair narrowed = tcp(pair("10.1.7.0/24", "10.3.0.0/16"), 85, 90);
    assert_true(traffic_pair_equal(&answer->traffic, &narrowed));
    assert_int_equal(answer->ticket, info_of("web", true).ticket);
    assert_int_equal(find(TUNNEL_FX_RULE, answer->ticket)->verdict, TUNNEL_HOLD);
    assert_false(propose(SITE, "192.0.2.5", "a.example", pair("10.1.0.0/16", "10.5.0.0/16"))->ok);
    assert_false(propose(SITE, "192.0.2.5", "a.example", pair("10.9.0.0/16", "10.2.0.0/16"))->ok);
    assert_false(propose(SITE, "192.0.2.5", "a.example",
                         tcp(pair("10.1.0.0/16", "10.3.0.0/16"), 22, 22))->ok);
    assert_false(propose(99, "192.0.2.5", "a.example", site[0].traffic)->ok);
    /* IKE-059: a name that looks like an address gives nothing. */
    assert_false(propose(SITE, "192.0.2.5", "host-10-5-0-1.example",
                         pair("10.1.0.0/16", "10.5.0.1/32"))->ok);
}

/* Up with all of it, and the peer proposes a part: a tunnel beside the home one, with its own rule. */
static void parts_of_a_selector(void **state)
{
    (void)state;
    uint64_t lan = lan_up();
    const struct traffic_pair part = pair("10.1.0.0/16", "10.2.7.0/24");
    const struct tunnel_effect *answer = propose(SITE, "192.0.2.5", "a.example", part);
    assert_true(answer->ok);
    assert_int_not_equal(answer->ticket, lan);
    assert_true(tunnel_is_ticket(answer->ticket));
    uint64_t beside = answer->ticket;
    struct tunnel_event event = up(beside, "192.0.2.5", part, 700);
    event.peer_id = proposal(SITE, "192.0.2.5", "a.example", part).peer_id;
    input(&event);
    const struct tunnel_effect *rule = find(TUNNEL_FX_RULE, beside);
    assert_int_equal(rule->verdict, TUNNEL_ENCRYPT);
    assert_true(traffic_pair_equal(&rule->traffic, &part));
    /* Renewed by the peer it stays the same tunnel. */
    assert_int_equal(propose(SITE, "192.0.2.5", "a.example", part)->ticket, beside);
    struct tunnel_event gone = {
        .kind = TUNNEL_EV_CHILD_DELETED, .ticket = beside, .spi_in = {700}};
    input(&gone);
    assert_false(tunnels_has(t, beside));
    assert_non_null(find(TUNNEL_FX_RULE_REMOVE, beside));
    assert_int_equal(info_of("lan", true).state, TUNNEL_UP);
}

static uint64_t warrior(const char *peer, const char *name, const char *address, uint32_t spi)
{
    const struct tunnel_effect *answer =
        propose(ROAD, peer, name, pair("0.0.0.0/0", "0.0.0.0/0"));
    assert_true(answer->ok);
    struct traffic_pair own = pair("10.1.0.0/16", address);
    assert_true(traffic_pair_equal(&answer->traffic, &own));
    struct tunnel_event event = up(answer->ticket, peer, answer->traffic, spi);
    event.peer_id = proposal(ROAD, peer, name, own).peer_id;
    input(&event);
    return event.ticket;
}

/* Addresses out of a pool: one each, the same again for the same peer, none when all are lent. */
static void virtual_addresses(void **state)
{
    (void)state;
    ready();
    uint64_t ann = warrior("203.0.113.1", "ann.example", "10.99.0.1/32", 800);
    uint64_t ben = warrior("203.0.113.1", "ben.example", "10.99.0.2/32", 810);
    assert_int_not_equal(ann, ben);
    assert_false(propose(ROAD, "203.0.113.3", "cyd.example", pair("0.0.0.0/0", "0.0.0.0/0"))->ok);
    /* Ann's, asked for by another. */
    assert_false(
        propose(ROAD, "203.0.113.3", "cyd.example", pair("10.1.0.0/16", "10.99.0.1/32"))->ok);
    assert_int_equal(warrior("203.0.113.9", "ann.example", "10.99.0.1/32", 820), ann);
    struct tunnel_event gone = {.kind = TUNNEL_EV_CHILD_DELETED, .ticket = ben, .spi_in = {810}};
    input(&gone);
    warrior("203.0.113.3", "cyd.example", "10.99.0.2/32", 830);
    assert_int_equal(info_of("road", true).state, TUNNEL_IDLE); /* guards the whole pool */
}

/* The first free one, also where the last octet turns over, and after one in the middle is given back. */
static void large_pool(void **state)
{
    (void)state;
    profiles[1].pool_first = addr("10.99.0.254");
    profiles[1].pool_last = addr("10.99.1.2");
    road[0].traffic = pair("10.1.0.0/16", "10.99.0.0/16");
    ready();
    static const char *const lent[] = {"10.99.0.254/32", "10.99.0.255/32", "10.99.1.0/32", "10.99.1.1/32",
                                       "10.99.1.2/32"};
    uint64_t third = 0;
    for (uint32_t i = 0; i < 5; i++) {
        char name[32];
        snprintf(name, sizeof(name), "w%u.example", i);
        uint64_t ticket = warrior("203.0.113.1", name, lent[i], 800 + 10 * i);
        if (i == 2)
            third = ticket;
    }
    assert_false(propose(ROAD, "203.0.113.3", "more.example", pair("0.0.0.0/0", "0.0.0.0/0"))->ok);
    struct tunnel_event gone = {.kind = TUNNEL_EV_CHILD_DELETED, .ticket = third, .spi_in = {820}};
    input(&gone);
    warrior("203.0.113.3", "more.example", lent[2], 900);
}

/* A branch without a fixed address: whoever proved to be it has its net, one at a time. */
static void one_peer_at_a_time(void **state)
{
    (void)state;
    ready();
    const struct tunnel_effect *answer =
        propose(BRANCH, "198.51.100.7", "b.example", branch[0].traffic);
    assert_true(answer->ok);
    struct tunnel_event event = up(answer->ticket, "198.51.100.7", branch[0].traffic, 900);
    event.peer_id = proposal(BRANCH, "198.51.100.7", "b.example", branch[0].traffic).peer_id;
    input(&event);
    assert_false(propose(BRANCH, "198.51.100.8", "c.example", branch[0].traffic)->ok);
    assert_false(propose(BRANCH, "198.51.100.8", "c.example", pair("10.1.0.0/16", "10.4.1.0/24"))->ok);
    assert_true(propose(BRANCH, "198.51.100.9", "b.example", branch[0].traffic)->ok);
}

/* A peer that proposes and is never heard of again holds nothing for long. */
static void expected_in_vain(void **state)
{
    (void)state;
    ready();
    size_t before = count_tunnels();
    uint64_t ticket = propose(ROAD, "203.0.113.1", "ann.example", pair("0.0.0.0/0", "0.0.0.0/0"))->ticket;
    assert_int_equal(count_tunnels(), before + 1);
    advance(60000);
    assert_false(tunnels_has(t, ticket));
    assert_int_equal(count_tunnels(), before);
}

static void commands(void **state)
{
    (void)state;
    uint64_t lan = lan_up();
    assert_int_equal(tunnels_command(t, now, "nothing", true), 0);
    assert_int_equal(tunnels_command(t, now, "site", false), 2);
    collect();
    assert_non_null(find(TUNNEL_FX_IKE_DELETE, lan));
    assert_int_equal(find(TUNNEL_FX_RULE, lan)->verdict, TUNNEL_DENY);
    assert_false(propose(SITE, "192.0.2.5", "a.example", site[0].traffic)->ok);
    struct tunnel_event wanted = {.kind = TUNNEL_EV_ACQUIRE, .ticket = lan};
    input(&wanted);
    assert_null(find(TUNNEL_FX_IKE_INITIATE, lan));
    assert_int_equal(tunnels_command(t, now, "lan", true), 1);
    collect();
    assert_non_null(find(TUNNEL_FX_IKE_INITIATE, lan));
    /* Peers of an open connection too. */
    uint64_t ann = warrior("203.0.113.1", "ann.example", "10.99.0.1/32", 800);
    tunnels_command(t, now, "road", false);
    collect();
    assert_non_null(find(TUNNEL_FX_IKE_DELETE, ann));
    assert_false(tunnels_has(t, ann));
}

/* A reload leaves alone what it doesn't change. */
static void reload(void **state)
{
    (void)state;
    uint64_t lan = lan_up();
    struct tunnel_connection fewer[2] = {connections[0], connections[2]};
    struct tunnel_config changed = {.connections = fewer, .connection_count = 2};
    uint64_t any = info_of("road", true).ticket;
    assert_int_equal(tunnels_reconfigure(t, now, &changed), ERR_OK);
    collect();
    assert_int_equal(info_of("lan", true).state, TUNNEL_UP);
    assert_null(find(TUNNEL_FX_IKE_DELETE, 0));
    assert_non_null(find(TUNNEL_FX_RULE_REMOVE, any));
    fewer[0].edition = 77;
    struct tunnel_connection newer[2] = {fewer[0], connections[2]};
    newer[0].edition = 78;
    changed.connections = newer;
    assert_int_equal(tunnels_reconfigure(t, now, &changed), ERR_OK);
    collect();
    assert_non_null(find(TUNNEL_FX_IKE_DELETE, lan));
    assert_int_equal(info_of("lan", true).ticket, lan); /* the same name, the same ticket */
    assert_non_null(find(TUNNEL_FX_IKE_INITIATE, lan));
    assert_int_equal(tunnels_reconfigure(t, now, &config), ERR_OK);
}

/* The next keyd finds children by their tickets. */
static void adoption(void **state)
{
    (void)state;
    uint64_t lan = info_of("lan", true).ticket, any = info_of("road", true).ticket;
    struct tunnel_event child = up(lan, "192.0.2.5", site[0].traffic, 500);
    assert_true(tunnels_adopt(t, now, &child));
    uint64_t instance = any | UINT64_C(5) << 32;
    child = up(instance, "203.0.113.1", pair("10.1.0.0/16", "10.99.0.1/32"), 800);
    assert_true(tunnels_adopt(t, now, &child));
    child = up(UINT64_C(1) << TUNNEL_TICKETS | 1, "203.0.113.1", site[0].traffic, 900);
    assert_false(tunnels_adopt(t, now, &child));
    ready();
    assert_null(find(TUNNEL_FX_IKE_INITIATE, lan));
    assert_int_equal(find(TUNNEL_FX_RULE, lan)->verdict, TUNNEL_ENCRYPT);
    assert_int_equal(find(TUNNEL_FX_RULE, instance)->verdict, TUNNEL_ENCRYPT);
    /* Its address stays lent. */
    const struct tunnel_effect *answer =
        propose(ROAD, "203.0.113.2", "ben.example", pair("0.0.0.0/0", "0.0.0.0/0"));
    struct traffic_pair second = pair("10.1.0.0/16", "10.99.0.2/32");
    assert_true(traffic_pair_equal(&answer->traffic, &second));
}

/* An address that we are lent goes onto the device, and off it again. */
static void our_virtual_address(void **state)
{
    (void)state;
    profiles[0].want_address = true;
    site[0].traffic = pair("0.0.0.0/0", "10.2.0.0/16");
    connections[0].edition = 9;
    assert_int_equal(tunnels_reconfigure(t, now, &config), ERR_OK);
    ready();
    uint64_t lan = info_of("lan", true).ticket;
    struct tunnel_event event = up(lan, "192.0.2.5", pair("10.88.0.9/32", "10.2.0.0/16"), 500);
    input(&event);
    const struct tunnel_effect *fx = find(TUNNEL_FX_ADDRESS, lan);
    struct ip_addr lent = addr("10.88.0.9");
    assert_true(fx->ok && ip_addr_equal(&fx->address, &lent));
    event.spi_in.value = 600; /* renewed: the same address */
    input(&event);
    assert_null(find(TUNNEL_FX_ADDRESS, lan));
    struct tunnel_event gone = {.kind = TUNNEL_EV_CHILD_DELETED, .ticket = lan, .spi_in = {600}};
    input(&gone);
    fx = find(TUNNEL_FX_ADDRESS, lan);
    assert_true(!fx->ok && ip_addr_equal(&fx->address, &lent));
}

/* OE-091, OE-114 */
static void whose_it_is(void **state)
{
    (void)state;
    struct ip_pair inside = {addr("10.1.2.3"), addr("10.2.3.4")};
    struct ip_pair other = {addr("10.1.2.3"), addr("192.0.2.99")};
    assert_true(tunnels_cover(t, &inside));
    assert_false(tunnels_cover(t, &other));
    struct ip_addr peer = addr("192.0.2.5"), stranger = addr("192.0.2.6");
    struct identity own = identity_of_addr(&peer), name;
    assert_true(identity_of_fqdn(view_of_text("a.example"), &name));
    const struct tunnel_connection *found = tunnels_connection_of(t, &peer, &own, NULL);
    assert_non_null(found);
    assert_int_equal(found->profile->number, SITE);
    assert_null(tunnels_connection_of(t, &peer, &name, NULL));
    assert_null(tunnels_connection_of(t, &stranger, &own, NULL));
    struct public_key key = {.alg = KEY_RSA, .len = 3};
    assert_null(tunnels_connection_of(t, &peer, &own, &key));
}

static void moved_to(uint64_t ticket, const char *peer)
{
    const struct tunnel_event moved = {
        .kind = TUNNEL_EV_MOVED, .ticket = ticket, .peer = addr(peer)};
    input(&moved);
    assert_int_equal(effect_count, 0); /* the rule names the SA, whose name has not changed */
}

static void lose(uint64_t ticket)
{
    const struct tunnel_event lost = {
        .kind = TUNNEL_EV_HARD_EXPIRE, .ticket = ticket, .spi_in = info_of("lan", true).spi_in};
    input(&lost);
}

static void assert_begins_at(uint64_t ticket, const char *peer)
{
    const struct ip_addr there = addr(peer);
    const struct tunnel_effect *fx = find(TUNNEL_FX_IKE_INITIATE, ticket);
    assert_non_null(fx);
    assert_true(ip_addr_equal(&fx->peer, &there));
}

/* ADR-039, ADR-041, ADR-052, ADR-076: the address in policy follows the SAs: there the tunnel is made anew, and where it was
 * configured if nobody answers. */
static void policy_follows(void **state)
{
    (void)state;
    uint64_t ticket = lan_up();
    const struct tunnel_event failed = {.kind = TUNNEL_EV_CHILD_FAILED, .ticket = ticket};
    moved_to(ticket, "192.0.2.55");
    const struct tunnel_info info = info_of("lan", true);
    assert_true(ip_addr_equal(&info.moved, &(struct ip_addr){4, {192, 0, 2, 55}}));
    lose(ticket);
    assert_begins_at(ticket, "192.0.2.55");
    input(&failed);
    advance(2000);
    assert_begins_at(ticket, "192.0.2.5");

    /* Once more; and a re-key belongs to the IKE SA by its first name. */
    struct tunnel_event again = up(ticket, "192.0.2.5", site[0].traffic, 600);
    input(&again);
    moved_to(ticket, "192.0.2.55");
    const struct tunnel_event soft = {
        .kind = TUNNEL_EV_SOFT_EXPIRE, .ticket = ticket, .spi_in = {600}};
    input(&soft);
    assert_begins_at(ticket, "192.0.2.5");
    again = up(ticket, "192.0.2.5", site[0].traffic, 700);
    input(&again);
    moved_to(ticket, "192.0.2.5"); /* back */
    lose(ticket);
    assert_begins_at(ticket, "192.0.2.5");
}

/* ADR-040 */
static void policy_may_stay(void **state)
{
    (void)state;
    profiles[0].policy_stays = true;
    uint64_t ticket = lan_up();
    moved_to(ticket, "192.0.2.55");
    assert_int_equal(info_of("lan", true).moved.family, IP_NONE);
    lose(ticket);
    assert_begins_at(ticket, "192.0.2.5");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {
        TEST(rules_come_first),   TEST(up_renewed_and_down), TEST(pauses_grow),
        TEST(the_table_decides),  TEST(parts_of_a_selector), TEST(virtual_addresses), TEST(large_pool),
        TEST(one_peer_at_a_time), TEST(expected_in_vain),    TEST(commands),
        TEST(reload),             TEST(adoption),            TEST(our_virtual_address),
        TEST(whose_it_is),        TEST(policy_follows),      TEST(policy_may_stay),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
