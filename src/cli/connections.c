/*
 * cygnet up, cygnet down, cygnet move; and what cygnet status says about connections.
 */
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/client.h"

static const char up_usage[] =
    "usage: cygnet up [--json] [--socket PATH] NAME\n"
    "\n"
    "Has the running daemon make the tunnels of the configured connection or child NAME now, without\n"
    "waiting for traffic or for the end of a pause after a failure.\n"
    "\n"
    "  -j, --json         the daemon's own reply\n"
    "  -s, --socket PATH  control socket (default $CYGNET_CONTROL or " CLI_DEFAULT_CONTROL ")\n"
    "  -h, --help         print this\n";

static const char down_usage[] =
    "usage: cygnet down [--json] [--socket PATH] NAME\n"
    "\n"
    "Ends the tunnels of the configured connection or child NAME. Its traffic is refused, not sent in\n"
    "clear, and the peer gets no new tunnel, until 'cygnet up NAME' or a restart.\n"
    "\n"
    "  -j, --json         the daemon's own reply\n"
    "  -s, --socket PATH  control socket (default $CYGNET_CONTROL or " CLI_DEFAULT_CONTROL ")\n"
    "  -h, --help         print this\n";

static const char move_usage[] =
    "usage: cygnet move [--json] [--socket PATH] NAME ADDRESS [PEER-ADDRESS]\n"
    "\n"
    "Asks for the tunnels of the configured connection or child NAME to leave from ADDRESS from now on,\n"
    "one of our own ('-': as now), and to go to PEER-ADDRESS, one that the peer has told us of. The wish goes\n"
    "through the plane (SADB_X_ADDUPD); 'cygnet status' shows what came of it.\n"
    "\n"
    "  -j, --json         the daemon's own reply\n"
    "  -s, --socket PATH  control socket (default $CYGNET_CONTROL or " CLI_DEFAULT_CONTROL ")\n"
    "  -h, --help         print this\n";

static int ask(const char *socket, json_t *request, const char *name, bool json)
{
    json_t *reply = client_ask_once(socket, request);
    if (reply == NULL)
        return CLI_FAILED;
    if (json)
        cli_print_json(reply, JSON_INDENT(2));
    else
        printf("%s: %lld tunnel%s\n", name, cli_number(reply, "tunnels"),
               cli_plural(cli_number(reply, "tunnels")));
    json_decref(reply);
    return CLI_OK;
}

static int command(int argc, char **argv, const char *usage)
{
    static const struct option long_options[] = {CLI_OPTIONS, {0}};
    struct cli_options options = {0};
    const char *verb = argv[0];
    int option, status;

    while ((option = getopt_long(argc, argv, CLI_OPTION_LETTERS, long_options, NULL)) != -1)
        if (cli_option(&options, option, usage, &status) == CLI_OPTION_STOP)
            return status;
    if (optind + 1 != argc)
        return cli_misused(verb, "name one connection; 'cygnet status' shows them");
    cli_options_done(&options);
    return ask(options.sockets[0], json_pack("{s:s,s:s}", "cmd", verb, "name", argv[optind]),
               argv[optind], options.json);
}

int cli_up(int argc, char **argv)
{
    return command(argc, argv, up_usage);
}

int cli_down(int argc, char **argv)
{
    return command(argc, argv, down_usage);
}

int cli_move(int argc, char **argv)
{
    static const struct option long_options[] = {CLI_OPTIONS, {0}};
    struct cli_options options = {0};
    int option, status;

    while ((option = getopt_long(argc, argv, CLI_OPTION_LETTERS, long_options, NULL)) != -1)
        if (cli_option(&options, option, move_usage, &status) == CLI_OPTION_STOP)
            return status;
    int given = argc - optind;
    if (given < 2 || given > 3)
        return cli_misused("move", "name one connection and an address of ours, or '-' and one of the peer's");
    cli_options_done(&options);
    json_t *request = json_pack("{s:s,s:s}", "cmd", "move", "name", argv[optind]);
    if (strcmp(argv[optind + 1], "-") != 0)
        json_object_set_new(request, "local", json_string(argv[optind + 1]));
    if (given == 3)
        json_object_set_new(request, "remote", json_string(argv[optind + 2]));
    return ask(options.sockets[0], request, argv[optind], options.json);
}

static void print_tunnel(const json_t *tunnel)
{
    char pair[160], age[CLI_AGE_MAX];

    snprintf(pair, sizeof(pair), "%s -> %s", cli_text(tunnel, "local", "?"),
             cli_text(tunnel, "remote", "?"));
    printf("  %-42s %-10s %s\n", pair,
           json_is_true(json_object_get(tunnel, "down")) ? "down" : cli_text(tunnel, "state", "?"),
           cli_age(cli_number(tunnel, "since_ms"), age));
    if (cli_text(tunnel, "spi_out", "")[0] != '\0')
        printf("    with %s %s, IKEv%s, %s, SPI in %s out %s\n", cli_text(tunnel, "peer", "?"),
               cli_text(tunnel, "identity", "?"), cli_text(tunnel, "version", "?"),
               cli_text(tunnel, "suite", "?"), cli_text(tunnel, "spi_in", "?"),
               cli_text(tunnel, "spi_out", "?"));
    if (cli_text(tunnel, "moved", "")[0] != '\0')
        printf("    the next begins at %s, where the peer has moved to\n", cli_text(tunnel, "moved", "?"));
    if (cli_text(tunnel, "why", "")[0] != '\0')
        printf("    %s\n", cli_text(tunnel, "why", ""));
}

void cli_print_connections(const json_t *connections)
{
    const json_t *connection, *tunnel;
    size_t i, j;

    json_array_foreach(connections, i, connection)
    {
        printf("%s%s: %s, IKE version %s, we by %s, the peer by %s\n", i == 0 ? "\n" : "",
               cli_text(connection, "name", "?"), cli_text(connection, "peer", "any address"),
               cli_text(connection, "version", "?"), cli_text(connection, "own_auth", "?"),
               cli_text(connection, "peer_auth", "?"));
        json_array_foreach(json_object_get(connection, "tunnels"), j, tunnel)
        {
            print_tunnel(tunnel);
        }
    }
}
