/*
 * movers: thousands of peers of one gateway change their addresses within a minute. Prints lines of a name and a
 * number; a rule that was broken ends the run, prints the seed and gives exit code 1.
 */
#include "movers.h"

#include <getopt.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>

enum { STAGGER_MS = 2, MINUTE = 60000, UP_MS = 30000, SETTLE_MS = 90000 };

static int64_t heap_octets(void)
{
    struct mallinfo2 info = mallinfo2();
    return (int64_t)(info.uordblks + info.hblkhd);
}

/* Where the allocator counts: a sanitizer's doesn't. */
static bool heap_is_counted(void)
{
    int64_t before = heap_octets();
    void *volatile probe = malloc(100000);
    bool counted = heap_octets() - before >= 100000;
    free(probe);
    return counted;
}

static int64_t weigh_gateway(struct movers *m)
{
    int64_t before = heap_octets();
    movers_gateway_close(m);
    return before - heap_octets();
}

static void everybody_comes(struct movers *m)
{
    for (uint32_t i = 0; i < m->options.peers && m->broken[0] == '\0'; i++) {
        movers_begin(m, &m->peers[i]);
        movers_run(m, STAGGER_MS);
    }
    movers_run(m, UP_MS);
    for (uint32_t i = 0; i < m->options.peers; i++)
        if (m->peers[i].up != 1 || m->peers[i].ended != 0)
            movers_broke(m, "peer %u has no tunnel to begin with", i);
}

/* Nobody but the owner of an address may make the gateway send there, and nobody's SA is lost. */
static void everybody_moves(struct movers *m)
{
    for (uint32_t i = 0; i < m->options.peers; i++)
        movers_plan_move(m, &m->peers[i], MINUTE);
    m->hostile = true;
    movers_run(m, MINUTE);
    m->hostile = false;
}

static void check_peer(struct movers *m, struct peer *peer)
{
    const struct place *place = peer_place(peer);
    struct ike_sa_info info;

    m->behind_nat += place->first_port != 0;
    if (peer->up != 1 || peer->ended != 0)
        movers_broke(m, "peer %u: its tunnel ended", peer->number);
    else if (!ike_sa_info(peer->ike, 0, &info) || ike_sa_info(peer->ike, 1, &info))
        movers_broke(m, "peer %u: not one IKE SA", peer->number);
    else if (peer->moves == 0 || info.checking || info.no_way ||
             !ip_addr_equal(&info.local.addr, &place->inside) ||
             !ip_addr_equal(&peer->here.addr, &place->inside) ||
             !ip_addr_equal(&peer->there.addr, &m->gateway))
        movers_broke(m, "peer %u: it sends from an address that it left", peer->number);
    else if (!movers_reach(m, peer))
        movers_broke(m, "peer %u: not reached at its newest address", peer->number);
}

static void check_end(struct movers *m)
{
    struct ike_sa_info info;
    size_t sas = 0;

    for (uint32_t i = 0; i < m->options.peers; i++)
        check_peer(m, &m->peers[i]);
    while (ike_sa_info(control_ike(m->control), sas, &info)) {
        if (info.checking)
            movers_broke(m, "a check goes on");
        sas++;
    }
    if (sas != m->options.peers || plane_sad_count(m->plane) != 2 * (size_t)m->options.peers)
        movers_broke(m, "%zu IKE SAs and %zu SAs of %u peers", sas, plane_sad_count(m->plane),
                     m->options.peers);
    if (m->doubles == 0 || (m->behind_nat == 0 && !m->options.draft) || m->lost == 0 || m->bombs == 0 ||
        m->ike_to_victims == 0)
        movers_broke(m, "too few peers for everything to happen");
}

static void report(const struct movers *m, double idle_s, double moving_s, int64_t octets)
{
    printf("peers\t%u\nhand_overs\t%llu\nwithin_a_round_trip\t%llu\nbehind_nat_at_the_end\t%llu\n",
           m->options.peers, (unsigned long long)m->hand_overs, (unsigned long long)m->doubles,
           (unsigned long long)m->behind_nat);
    printf("datagrams\t%llu\nlost\t%llu\nforged_sources\t%llu\nike_to_victims\t%llu\n",
           (unsigned long long)m->sent, (unsigned long long)m->lost, (unsigned long long)m->bombs,
           (unsigned long long)m->ike_to_victims);
    printf("esp\t%llu\nesp_to_an_address_just_left\t%llu\n", (unsigned long long)m->esp,
           (unsigned long long)m->stale);
    printf("idle_minute_ms\t%.1f\nmoving_minute_ms\t%.1f\n", 1e3 * idle_s, 1e3 * moving_s);
    printf("hand_over_us\t%.1f\n", 1e6 * (moving_s - idle_s) / (double)m->hand_overs);
    if (octets > 0)
        printf("octets_a_peer\t%lld\n", (long long)octets / m->options.peers);
}

static int run(const struct movers_options *options)
{
    static struct movers m;
    bool counted = heap_is_counted();

    movers_init(&m, options);
    movers_gateway_open(&m);
    int64_t empty = weigh_gateway(&m);
    movers_gateway_open(&m);
    everybody_comes(&m);
    double before = m.spent.keying;
    movers_run(&m, MINUTE);
    double idle = m.spent.keying - before;
    before = m.spent.keying;
    everybody_moves(&m);
    double moving = m.spent.keying - before;
    movers_run(&m, SETTLE_MS);
    check_end(&m);
    int64_t octets = weigh_gateway(&m) - empty;
    movers_fini(&m);
    if (m.broken[0] != '\0') {
        fprintf(stderr, "movers: --seed %llu --peers %u, after %lld ms: %s\n",
                (unsigned long long)options->seed, options->peers, (long long)m.now.ms, m.broken);
        return 1;
    }
    report(&m, idle, moving, counted ? octets : 0);
    return 0;
}

int main(int argc, char **argv)
{
    static const struct option options[] = {{"peers", required_argument, NULL, 'p'},
                                            {"draft", no_argument, NULL, 'd'},
                                            {"watch", required_argument, NULL, 'w'},
                                            {"seed", required_argument, NULL, 's'},
                                            {0}};
    struct movers_options run_options = {.peers = 10000, .seed = 1, .watch = UINT32_MAX, .loss_permille = 20,
                                         .nat_percent = 25, .twice_percent = 20,
                                         .away_percent = 10, .bomb_permille = 20};
    int option;

    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        unsigned long long value = optarg == NULL ? 0 : strtoull(optarg, NULL, 10);
        if (option == 'p' && value > 0 && value <= LIMIT_IKE_SAS)
            run_options.peers = (uint32_t)value;
        else if (option == 'd')
            run_options.draft = true, run_options.nat_percent = 0;
        else if (option == 'w')
            run_options.watch = (uint32_t)value;
        else if (option == 's')
            run_options.seed = value;
        else
            return fprintf(stderr, "usage: movers [--peers N] [--seed N] [--draft] [--watch PEER]\n"), 2;
    }
    return run(&run_options);
}
