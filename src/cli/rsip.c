/*
 * cygnet rsip status, cygnet rsip trace; and what other commands say of a lease
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/client.h"

#define DEFAULT_SOCKET "/run/cygnet/rsip.sock"

static const char usage[] =
    "usage: cygnet rsip status [--json] [--socket PATH]\n"
    "       cygnet rsip trace [OPTION...]\n"
    "\n"
    "What the running cygnet-rsipd has leased: on a gateway its hosts and their leases, on a host\n"
    "its own. 'trace' shows its messages, with the options of 'cygnet trace'; a ladder is of one\n"
    "host and its gateway.\n"
    "\n"
    "  -j, --json         as the daemon gives it\n"
    "  -s, --socket PATH  control socket (default $CYGNET_RSIP_CONTROL or " DEFAULT_SOCKET ")\n"
    "  -h, --help         print this\n";

static void print_lease(const json_t *bind)
{
    const json_t *spis = json_object_get(bind, "spis");
    char left[CLI_AGE_MAX];

    printf("%-16s %-16s %-8s", cli_text(bind, "host", ""), cli_text(bind, "address", ""),
           cli_text(bind, "method", ""));
    if (cli_text(bind, "ports", "")[0] != '\0')
        printf("  ports %s", cli_text(bind, "ports", ""));
    for (size_t i = 0; i < json_array_size(spis); i++)
        printf("%s%s", i == 0 ? "  SPI " : " ", json_string_value(json_array_get(spis, i)));
    printf("  %s, %s left%s\n", cli_text(bind, "tunnel", ""),
           cli_age(cli_number(bind, "expires_ms"), left),
           json_is_true(json_object_get(bind, "listen")) ? ", listening" : "");
}

/* in_... and out_... but for what was forwarded or answered: why datagrams went no further. */
static void print_drops(json_t *counters)
{
    const char *name, *lead = "dropped    ";
    json_t *value;

    json_object_foreach(counters, name, value)
    {
        bool drop = strncmp(name, "in_", 3) == 0 || strncmp(name, "out_", 4) == 0;
        if (!drop || json_integer_value(value) == 0 || strstr(name, "_forwarded") != NULL ||
            strcmp(name, "in_icmp_request") == 0)
            continue;
        printf("%s%lld %s", lead, (long long)json_integer_value(value), name);
        lead = ", ";
    }
    if (lead[0] == ',')
        putchar('\n');
}

static void print_server(const json_t *status)
{
    const json_t *binds = json_object_get(status, "binds");
    long long hosts = (long long)json_array_size(json_object_get(status, "hosts"));
    long long leases = (long long)json_array_size(binds);

    printf("RSIP server: %lld host%s, %lld lease%s\n", hosts, cli_plural(hosts), leases,
           cli_plural(leases));
    for (size_t i = 0; i < json_array_size(binds); i++)
        print_lease(json_array_get(binds, i));
    print_drops(json_object_get(status, "counters"));
}

static void print_client(const json_t *status)
{
    printf("RSIP client: %s\n", cli_text(status, "state", ""));
    if (json_object_get(status, "address") != NULL)
        printf("%s  ports %s  %s\n", cli_text(status, "address", ""),
               cli_text(status, "ports", "-"), cli_text(status, "tunnel", ""));
    if (json_object_get(status, "last_error") != NULL)
        printf("the gateway said %s\n", cli_text(status, "last_error", ""));
}

void cli_print_lease(const json_t *reply)
{
    const json_t *lease = json_object_get(reply, "lease");
    const json_t *addresses = json_object_get(lease, "addresses");
    const json_t *spis = json_object_get(lease, "spis");

    if (lease == NULL)
        return;
    printf("RSIP lease ");
    for (size_t i = 0; i < json_array_size(addresses); i++)
        printf("%s ", json_string_value(json_array_get(addresses, i)));
    printf(json_array_size(spis) > 0 ? "with the inbound SPIs" : "without SPIs: no tunnel can begin");
    for (size_t i = 0; i < json_array_size(spis); i++)
        printf(" %s", json_string_value(json_array_get(spis, i)));
    if (cli_number(lease, "ike_port") != 0)
        printf(", IKE from port %lld", (long long)cli_number(lease, "ike_port"));
    putchar('\n');
}

static const char *default_socket(void)
{
    const char *path = getenv("CYGNET_RSIP_CONTROL");
    return path != NULL && path[0] != '\0' ? path : DEFAULT_SOCKET;
}

int cli_rsip(int argc, char **argv)
{
    static const struct option long_options[] = {CLI_OPTIONS, {0}};
    struct cli_options options = {0};
    int option, result;

    if (argc > 1 && strcmp(argv[1], "trace") == 0)
        return cli_trace_of(argc - 1, argv + 1, default_socket());
    while ((option = getopt_long(argc, argv, CLI_OPTION_LETTERS, long_options, NULL)) != -1)
        if (cli_option(&options, option, usage, &result) == CLI_OPTION_STOP)
            return result;
    if (optind + 1 != argc || strcmp(argv[optind], "status") != 0)
        return cli_misused("rsip", "say 'cygnet rsip status' or 'cygnet rsip trace'");
    const char *path = options.socket_count > 0 ? options.sockets[0] : default_socket();
    json_t *status = client_ask_once(path, json_pack("{s:s}", "cmd", "status"));
    if (status == NULL)
        return CLI_FAILED;
    if (options.json)
        cli_print_json(status, JSON_INDENT(2));
    else if (strcmp(cli_text(status, "role", ""), "server") == 0)
        print_server(status);
    else
        print_client(status);
    json_decref(status);
    return CLI_OK;
}
