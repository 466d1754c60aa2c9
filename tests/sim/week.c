/*
 * week: many gateways for a simulated week, and the share of flows that end up encrypted against
 * the share of gateways that are enabled (the "fax effect"). `week --seed N ...` replays exactly.
 */
#include "week.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

static struct week week;

static void print_run(const struct cost *cost)
{
    const struct week_config *config = &week.config;
    const struct sim_stats *stats = &week.world.stats;
    const struct week_counts *n = &week.counts;
    double gateway_days = (double)config->gateways * config->enabled / 100 * config->days;

    printf("%u gateways, %u %% enabled, %u days, seed %llu: %llu events, %llu timers\n",
           config->gateways, config->enabled, config->days, (unsigned long long)config->seed,
           (unsigned long long)stats->events, (unsigned long long)stats->timers);
    printf("  flows         %llu: %llu encrypted, %llu clear, %llu without any datagram arrived\n",
           (unsigned long long)n->flows, (unsigned long long)n->encrypted,
           (unsigned long long)n->clear, (unsigned long long)n->nothing);
    printf("  datagrams     %llu: %llu through tunnels, %llu clear\n",
           (unsigned long long)stats->sent, (unsigned long long)stats->delivered,
           (unsigned long long)stats->clear);
    printf("  tunnels       %llu made; %llu re-keys, %llu upgrades begun, %llu attempts failed\n",
           (unsigned long long)stats->tunnels / 2, (unsigned long long)n->rekeys,
           (unsigned long long)n->upgrades, (unsigned long long)n->failures);
    printf("  survived      %llu keyd crashes, %llu plane crashes, %llu reboots, %llu lines cut,\n"
           "                %llu resolvers lost, %llu DNS outages, %llu storms of 15 %% loss\n",
           (unsigned long long)n->keyd_crashes, (unsigned long long)n->plane_crashes,
           (unsigned long long)n->reboots, (unsigned long long)n->cuts,
           (unsigned long long)n->dns_local, (unsigned long long)n->dns_global,
           (unsigned long long)n->storms);
    printf("  changes       %llu key roll-overs, %llu delegations withdrawn for a while,\n"
           "                %llu gateways switched off and as many on\n",
           (unsigned long long)n->rollovers, (unsigned long long)n->withdrawals,
           (unsigned long long)n->switches);
    printf("  longest dead  %lld s, of a conversation with nothing in its way\n",
           (long long)(week.deaf_us / WEEK_SECOND_US));
    printf(
        "  processor     %.3f s a gateway and day, of which public keys %.3f s (%llu operations);\n"
        "                %.1f s in all, the simulation itself included\n",
        cost->seconds / gateway_days, cost->public_key_seconds / gateway_days,
        (unsigned long long)cost->public_key_operations, cost->seconds);
}

static void print_samples(void)
{
    const struct week_sample *s = week.samples;
    bool counted = week.idle_octets != 0;
    size_t idle = s->on != 0 ? week.idle_octets / s->on : 0;

    if (counted)
        printf("  memory        %zu octets of heap for a gateway that has seen nothing; beyond "
               "that:\n",
               idle);
    printf("    day  hour  gateways on   flows     SAs  octets a gateway\n");
    for (size_t i = 0; i < week.sample_count; i++, s++) {
        printf("    %3u  %02u:00  %11u  %6zu  %6zu  ", s->day, s->hour, s->on, s->flows, s->sas);
        if (counted)
            printf("%lld\n", ((long long)s->octets - (long long)week.idle_octets) / s->on);
        else
            puts("not counted by this allocator");
    }
}

static struct cost cost_since(const struct cost *before)
{
    struct cost cost = cost_now();

    cost.seconds -= before->seconds;
    cost.public_key_seconds -= before->public_key_seconds;
    cost.public_key_operations -= before->public_key_operations;
    return cost;
}

static bool finish(void)
{
    const struct world *w = &week.world;
    bool ok = !w->failed;

    if (!ok)
        printf("failed on day %.4f, at %.3f s: %s\n",
               (double)(w->now_us - w->epoch_us) / (double)WEEK_DAY_US,
               (double)(w->now_us - w->epoch_us) / 1e6, w->failure);
    week_close(&week);
    return ok;
}

static bool run_week(const struct week_config *config)
{
    struct cost before = cost_now();

    week_open(&week, config);
    week_run(&week);
    struct cost cost = cost_since(&before);
    print_run(&cost);
    print_samples();
    return finish();
}

/* A day of each share of enabled gateways, chosen at random, with nothing going wrong. */
static bool run_fax(const struct week_config *config, unsigned gateways)
{
    struct week_config day = *config;
    bool ok = true;

    day.gateways = gateways;
    day.days = 1;
    day.faults = false;
    printf(
        "the fax effect, %u gateways for a day at each share\n"
        "  gateways enabled  flows  between two of them  encrypted  share  square of the first\n",
        gateways);
    for (day.enabled = 10; day.enabled <= 100 && ok; day.enabled += 10) {
        week_open(&week, &day);
        week_run(&week);
        const struct week_counts *n = &week.counts;
        uint64_t settled = n->encrypted + n->clear;
        printf("  %14u %%  %5llu  %19llu  %9llu  %3.0f %%  %3.0f %%\n", day.enabled,
               (unsigned long long)settled, (unsigned long long)n->both,
               (unsigned long long)n->encrypted,
               settled != 0 ? 100 * (double)n->encrypted / (double)settled : 0,
               (double)(day.enabled * day.enabled) / 100);
        ok = finish();
    }
    return ok;
}

static void usage(FILE *to)
{
    fprintf(to, "usage: week [--gateways N] [--days N] [--enabled PERCENT] [--sessions N]\n"
                "            [--seed N] [--calm] [--fax N] [--watch N]\n"
                "  --gateways N       how many (default 1000)\n"
                "  --days N           of simulated time (default 7, at most 28)\n"
                "  --enabled PERCENT  of the gateways that run Cygnet (default 80)\n"
                "  --sessions N       conversations that a gateway's hosts begin in a day "
                "(default 6)\n"
                "  --seed N           (default 1)\n"
                "  --calm             nothing goes wrong and nothing changes\n"
                "  --fax N            gateways for the table of the fax effect (default 200); 0: "
                "no table\n"
                "  --watch N          print what gateway N does\n");
}

static unsigned long number(const char *text, unsigned long low, unsigned long high)
{
    char *end;
    unsigned long value = strtoul(text, &end, 10);

    if (*text != '\0' && *end == '\0' && value >= low && value <= high)
        return value;
    fprintf(stderr, "week: '%s' is not a number from %lu to %lu\n", text, low, high);
    exit(2);
}

int main(int argc, char **argv)
{
    static const struct option options[] = {
        {"gateways", required_argument, NULL, 'g'}, {"days", required_argument, NULL, 'd'},
        {"enabled", required_argument, NULL, 'e'},  {"sessions", required_argument, NULL, 'n'},
        {"seed", required_argument, NULL, 's'},     {"calm", no_argument, NULL, 'c'},
        {"fax", required_argument, NULL, 'f'},      {"watch", required_argument, NULL, 'w'},
        {"help", no_argument, NULL, 'h'},           {0}};
    struct week_config config = {.gateways = 1000,
                                 .days = 7,
                                 .enabled = 80,
                                 .sessions = 6,
                                 .seed = 1,
                                 .faults = true,
                                 .watch = -1};
    unsigned fax = 200;
    int option;

    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        switch (option) {
        case 'g':
            config.gateways = (unsigned)number(optarg, 2, 10000);
            break;
        case 'd':
            config.days = (unsigned)number(optarg, 1, WEEK_DAYS_MAX);
            break;
        case 'e':
            config.enabled = (unsigned)number(optarg, 1, 100);
            break;
        case 'n':
            config.sessions = (unsigned)number(optarg, 1, 1000);
            break;
        case 's':
            config.seed = number(optarg, 0, UINT32_MAX);
            break;
        case 'c':
            config.faults = false;
            break;
        case 'f':
            fax = (unsigned)number(optarg, 0, 10000);
            break;
        case 'w':
            config.watch = (int)number(optarg, 0, 10000);
            break;
        case 'h':
            usage(stdout);
            return 0;
        default:
            usage(stderr);
            return 2;
        }
    }
    bool ok = run_week(&config);
    if (ok && fax >= 2)
        ok = run_fax(&config, fax);
    return ok ? 0 : 1;
}
