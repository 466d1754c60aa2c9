/*
 * sim: runs many seeded worlds and checks them. A failing seed prints itself, and
 * `sim --seed N --verbose` replays it exactly.
 */
#include "world.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

enum { TRAFFIC_S = 150, QUIET_S = 5 * 3600 };

/* Hosts talk for a while: bursts between a few pairs, so that tunnels are used and fall idle. */
static void plan_traffic(struct world *w)
{
    uint8_t room[SIM_PACKET];
    unsigned flows = 2 + world_random(w, 10);

    for (unsigned i = 0; i < flows; i++) {
        struct sim_gateway *from = w->gateways[world_random(w, (uint32_t)w->gateway_count)];
        struct sim_gateway *to = w->gateways[world_random(w, (uint32_t)w->gateway_count)];
        if (from == to)
            continue;
        struct ip_pair flow = {.src = from->hosts[world_random(w, SIM_HOSTS)].addr,
                               .dst = to->hosts[world_random(w, SIM_HOSTS)].addr};
        int64_t at = (int64_t)world_random(w, TRAFFIC_S * 1000) * 1000;
        if (!w->calm &&
            world_chance(w, 150)) /* somebody else's client, behind a gateway of its own */
            flow.src = w->gateways[world_random(w, (uint32_t)w->gateway_count)]->hosts[0].addr;
        for (unsigned n = 1 + world_random(w, 30); n > 0; n--) {
            bool answer = world_chance(w, 300);
            struct ip_pair way = answer ? ip_pair_reverse(&flow) : flow;
            struct sim_event *event = world_event(w, SIM_EV_SEND, answer ? to : from, at,
                                                  network_datagram(room, &way, n));
            event->flow = way;
            at += (int64_t)world_random(w, 5000) * 1000;
        }
    }
}

/* In a calm world every datagram between reachable hosts arrives, the held first one included. */
static void check_calm(struct world *w)
{
    if (w->calm && w->stats.delivered + w->stats.denied + w->stats.clear < w->stats.sent &&
        w->stats.sent > 0) {
        /* first and last are kept, what came between while the tunnel was made is not (OE-022) */
        uint64_t lost = w->stats.sent - w->stats.delivered - w->stats.denied - w->stats.clear;
        if (lost * 10 > w->stats.sent)
            world_fail(w, "calm, but %llu of %llu datagrams are missing", (unsigned long long)lost,
                       (unsigned long long)w->stats.sent);
    }
}

static bool run_seed(uint64_t seed, bool verbose, struct sim_stats *total)
{
    static struct world world;
    struct world *w = &world;

    world_init(w, seed, verbose);
    plan_traffic(w);
    world_run(w, w->now_us + (int64_t)TRAFFIC_S * 2 * 1000000);
    check_calm(w);
    world_run(w, w->now_us + (int64_t)QUIET_S * 1000000);
    check_quiet(w);
    if (w->failed)
        printf("seed %llu: at %.3f s: %s\n  replay: sim --seed %llu --verbose\n",
               (unsigned long long)seed, (double)w->now_us / 1e6, w->failure,
               (unsigned long long)seed);
    uint64_t *sum = (uint64_t *)total;
    const uint64_t *one = (const uint64_t *)&w->stats;
    for (size_t i = 0; i < sizeof(*total) / sizeof(*sum); i++)
        sum[i] += one[i];
    bool ok = !w->failed;
    world_fini(w);
    return ok;
}

static void usage(FILE *to)
{
    fprintf(to, "usage: sim [--seeds COUNT] [--seed N] [--verbose]\n"
                "  --seeds COUNT  run worlds 1 to COUNT (default 100)\n"
                "  --seed N       run world N only\n"
                "  --verbose      print every event\n");
}

int main(int argc, char **argv)
{
    static const struct option options[] = {{"seeds", required_argument, NULL, 'n'},
                                            {"seed", required_argument, NULL, 's'},
                                            {"verbose", no_argument, NULL, 'v'},
                                            {"help", no_argument, NULL, 'h'},
                                            {0}};
    uint64_t first = 1, last = 100, failed = 0;
    bool verbose = false;
    struct sim_stats total = {0};
    int option;

    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        switch (option) {
        case 'n':
            last = strtoull(optarg, NULL, 10);
            break;
        case 's':
            first = last = strtoull(optarg, NULL, 10);
            break;
        case 'v':
            verbose = true;
            break;
        case 'h':
            usage(stdout);
            return 0;
        default:
            usage(stderr);
            return 2;
        }
    }
    for (uint64_t seed = first; seed <= last; seed++)
        failed += !run_seed(seed, verbose, &total);
    printf("%llu worlds, %llu failed; datagrams: %llu sent, %llu through tunnels, %llu clear; "
           "%llu tunnel ends compared, %llu crashes\n",
           (unsigned long long)(last - first + 1), (unsigned long long)failed,
           (unsigned long long)total.sent, (unsigned long long)total.delivered,
           (unsigned long long)total.clear, (unsigned long long)total.tunnels,
           (unsigned long long)total.crashes);
    return failed == 0 ? 0 : 1;
}
