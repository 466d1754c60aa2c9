/*
 * cygnet status
 */
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/client.h"

enum { ROWS = 20, REASONS = 10 };

static const char usage[] =
    "usage: cygnet status [--all] [--json] [--socket PATH]\n"
    "\n"
    "Shows what the running daemon does: its processes, the gateways it has IKE SAs with, the flows\n"
    "with what happens to them, and why. Of many flows the tunnels and the newest, and how many there\n"
    "are with each verdict for each reason.\n"
    "\n"
    "  -a, --all          every flow and every gateway\n"
    "  -j, --json         the daemon's own reply, with everything\n"
    "  -s, --socket PATH  control socket (default $CYGNET_CONTROL or " CLI_DEFAULT_CONTROL ")\n"
    "  -h, --help         print this\n";

static void print_processes(json_t *processes)
{
    const char *name;
    json_t *process;

    printf("processes");
    json_object_foreach(processes, name, process)
    {
        long long restarts = cli_number(process, "restarts");
        if (json_is_object(process))
            printf("  %s %lld%s", name, cli_number(process, "pid"),
                   json_is_false(json_object_get(process, "connected")) ? " (gone)" : "");
        else
            printf("  %s %lld", name, (long long)json_integer_value(process));
        if (restarts > 0)
            printf(" (restarted %lld time%s)", restarts, cli_plural(restarts));
    }
    putchar('\n');
}

/* "; ESP in UDP to port 4500, NAT at its end", "; IKE and ESP in TCP to port 4500", or nothing. */
static void print_nat(const json_t *gateway)
{
    static const char *const ends[][2] = {{"here", ", NAT at our end"},
                                          {"there", ", NAT at its end"},
                                          {"both", ", NAT at both ends"}};
    const char *nat = cli_text(gateway, "nat", NULL), *where = "";

    if (nat == NULL)
        return;
    for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++)
        if (strcmp(nat, ends[i][0]) == 0)
            where = ends[i][1];
    bool tcp = strcmp(cli_text(gateway, "transport", "udp"), "tcp") == 0;
    printf("; %s to port %lld%s", tcp ? "IKE and ESP in TCP" : "ESP in UDP",
           cli_number(gateway, "port"), where);
}

static void print_others(const json_t *list, const char *now, const char *before)
{
    const json_t *one;
    size_t i;
    json_array_foreach(list, i, one)
    {
        if (strcmp(json_string_value(one), now) == 0)
            continue;
        printf("%s%s", before, json_string_value(one));
        before = ", ";
    }
}

/* "  from 192.1.1.4; also at 192.1.1.15; moved 2 times", of a peer whose addresses may change. */
static void print_addresses(const json_t *gateway)
{
    const json_t *addresses = json_object_get(gateway, "addresses");
    const char *state = cli_text(addresses, "state", "in use");
    long long moves = cli_number(addresses, "moves");

    if (addresses == NULL)
        return;
    printf("  from %s", cli_text(addresses, "local", "?"));
    print_others(json_object_get(addresses, "peer"), cli_text(gateway, "peer", ""), "; also at ");
    print_others(json_object_get(addresses, "told"), cli_text(addresses, "local", ""),
                 "; the peer knows us also at ");
    if (strcmp(cli_text(addresses, "by", "mobike"), "mobike") != 0)
        printf("; by %s", cli_text(addresses, "by", ""));
    if (moves != 0)
        printf("; moved %lld time%s", moves, cli_plural(moves));
    if (strcmp(state, "in use") != 0)
        printf("; %s", state);
    putchar('\n');
}

static void print_gateways(const json_t *gateways)
{
    const json_t *gateway;
    char age[CLI_AGE_MAX];
    size_t i;

    if (json_array_size(gateways) == 0)
        return;
    printf("\n%-24s %-26s %-22s %-5s %s\n", "GATEWAY", "IDENTITY", "STATE", "AGE", "CHILDREN");
    json_array_foreach(gateways, i, gateway)
    {
        printf("%-24s %-26s %-22s %-5s %lld\n", cli_text(gateway, "peer", "?"),
               cli_text(gateway, "identity", "-"), cli_text(gateway, "state", "?"),
               cli_age(cli_number(gateway, "since_ms"), age), cli_number(gateway, "children"));
        if (cli_text(gateway, "suite", "")[0] == '\0')
            continue;
        printf("  %s", cli_text(gateway, "suite", ""));
        print_nat(gateway);
        if (json_is_true(json_object_get(gateway, "resumed")))
            printf("; resumed by a ticket");
        if (json_is_true(json_object_get(gateway, "ticket")))
            printf("; a ticket is kept");
        putchar('\n');
        print_addresses(gateway);
    }
}

static void print_tunnel(const json_t *tunnel)
{
    char pair[128], age[CLI_AGE_MAX];
    const char *gateway = cli_text(tunnel, "gateway", NULL);

    snprintf(pair, sizeof(pair), "%s -> %s", cli_text(tunnel, "source", "?"),
             cli_text(tunnel, "destination", "?"));
    printf("%-36s %-8s %-9s %-22s %s\n", pair, cli_text(tunnel, "verdict", "?"),
           cli_text(tunnel, "dnssec", "-"), cli_text(tunnel, "state", "?"),
           cli_age(cli_number(tunnel, "since_ms"), age));
    if (gateway != NULL && strcmp(cli_text(tunnel, "verdict", ""), "encrypt") == 0)
        printf("  by %s, %s, SPI in %s out %s, %s\n", gateway, cli_text(tunnel, "suite", "?"),
               cli_text(tunnel, "spi_in", "?"), cli_text(tunnel, "spi_out", "?"),
               cli_text(tunnel, "grade", "?"));
    if (cli_text(tunnel, "reason", "")[0] != '\0')
        printf("  %s\n", cli_text(tunnel, "reason", ""));
}

static void print_tunnels(const json_t *tunnels)
{
    const json_t *tunnel;
    size_t i;

    if (json_array_size(tunnels) == 0)
        return;
    printf("\n%-36s %-8s %-9s %-22s %s\n", "FLOW", "VERDICT", "DNSSEC", "STATE", "AGE");
    json_array_foreach(tunnels, i, tunnel)
    {
        print_tunnel(tunnel);
    }
}

/* "ROWS of N shown" under a table that is not complete. */
static void print_rest(size_t shown, long long all)
{
    if ((long long)shown < all)
        printf("  %zu of %lld shown; --all shows every one\n", shown, all);
}

static void print_summary(const json_t *summary)
{
    const json_t *line;
    size_t i;

    printf("\n%-9s %-8s %s\n", "FLOWS", "VERDICT", "REASON");
    json_array_foreach(summary, i, line)
    {
        if (i == REASONS) {
            printf("  and %zu reasons more\n", json_array_size(summary) - i);
            break;
        }
        printf("%-9lld %-8s %s\n", cli_number(line, "count"), cli_text(line, "verdict", "?"),
               cli_text(line, "reason", "?"));
    }
}

/* Public-key operations; nothing if the loop makes them. */
static void print_work(const json_t *work)
{
    if (json_is_object(work))
        printf("keys       %lld operations by %lld threads, %lld waiting, at most %lld so far\n",
               cli_number(work, "done"), cli_number(work, "threads"), cli_number(work, "waiting"),
               cli_number(work, "most_waiting"));
}

/* ADR-044: which there are to choose from; a single one goes without saying. */
static void print_uplinks(const json_t *uplinks)
{
    size_t i, k;
    const json_t *uplink, *address;

    if (json_array_size(uplinks) < 2)
        return;
    printf("uplinks    ");
    json_array_foreach(uplinks, i, uplink)
    {
        printf("%s%s %s", i > 0 ? "; " : "", cli_text(uplink, "name", "?"),
               cli_text(uplink, "state", "?"));
        json_array_foreach(json_object_get(uplink, "addresses"), k, address)
            printf(" %s", json_string_value(address));
    }
    printf("\n");
}

static void print_status(const json_t *status)
{
    const json_t *flows = json_object_get(status, "flows");
    char age[CLI_AGE_MAX];

    printf("cygnet %s on %s, up %s%s\n", cli_text(status, "version", "?"),
           cli_text(status, "outside", "?"), cli_age(cli_number(status, "uptime_ms"), age),
           json_is_false(json_object_get(status, "ready")) ? ", waiting for the plane" : "");
    printf("flows      %lld encrypted", cli_number(flows, "encrypt"));
    if (cli_number(flows, "anonymous") != 0) /* OE-006 */
        printf(" (%lld anonymous)", cli_number(flows, "anonymous"));
    printf(", %lld clear, %lld denied, %lld held\n", cli_number(flows, "pass"),
           cli_number(flows, "deny"), cli_number(flows, "hold"));
    print_work(json_object_get(status, "work"));
    print_processes(json_object_get(status, "processes"));
    const json_t *gateways = json_object_get(status, "gateways");
    const json_t *tunnels = json_object_get(status, "tunnels");
    const json_t *sas = json_object_get(status, "ike_sas");
    long long all = cli_number(flows, "encrypt") + cli_number(flows, "pass") +
                    cli_number(flows, "deny") + cli_number(flows, "hold");
    print_uplinks(json_object_get(status, "uplinks"));
    cli_print_lease(status);
    cli_print_connections(json_object_get(status, "connections"));
    print_gateways(gateways);
    print_rest(json_array_size(gateways),
               cli_number(sas, "established") + cli_number(sas, "unfinished"));
    print_tunnels(tunnels);
    print_rest(json_array_size(tunnels), all);
    if ((long long)json_array_size(tunnels) < all)
        print_summary(json_object_get(status, "summary"));
}

int cli_status(int argc, char **argv)
{
    static const struct option long_options[] = {
        CLI_OPTIONS, {"all", no_argument, NULL, 'a'}, {0}};
    struct cli_options options = {0};
    bool all = false;
    int option, status;

    while ((option = getopt_long(argc, argv, CLI_OPTION_LETTERS "a", long_options, NULL)) != -1) {
        switch (cli_option(&options, option, usage, &status)) {
        case CLI_OPTION_STOP:
            return status;
        case CLI_OPTION_OTHER:
            all = true;
            break;
        case CLI_OPTION_TAKEN:
            break;
        }
    }
    if (optind < argc)
        return cli_misused("status", "unexpected '%s'", argv[optind]);
    cli_options_done(&options);

    json_t *request = json_pack("{s:s}", "cmd", "status");
    if (!all && !options.json)
        json_object_set_new(request, "rows", json_integer(ROWS));
    json_t *reply = client_ask_once(options.sockets[0], request);
    if (reply == NULL)
        return CLI_FAILED;
    if (options.json)
        cli_print_json(reply, JSON_INDENT(2));
    else
        print_status(reply);
    json_decref(reply);
    return CLI_OK;
}
