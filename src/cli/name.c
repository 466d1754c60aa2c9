/*
 * cygnet name: what a resolver's hook calls
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/addr.h"
#include "cli/cli.h"
#include "cli/client.h"

static const char usage[] =
    "usage: cygnet name [--ttl SECONDS] [--socket PATH] NAME ADDRESS...\n"
    "\n"
    "Tells the daemon that NAME has these addresses, so that it asks DNS for the name's IPSECKEY\n"
    "when a flow to one of them begins. Nothing said here is believed: the daemon's own validating\n"
    "resolver must find the same address and a key, both vouched for by DNSSEC.\n"
    "\n"
    "  -t, --ttl SECONDS  how long to remember it (default 3600)\n"
    "  -j, --json         the daemon's own reply\n"
    "  -s, --socket PATH  control socket (default $CYGNET_CONTROL or " CLI_DEFAULT_CONTROL ")\n"
    "  -h, --help         print this\n";

/* False: said which one is wrong. */
static bool add_addresses(json_t *list, char **arguments, int count)
{
    struct ip_addr addr;

    for (int i = 0; i < count; i++) {
        if (!ip_addr_parse(arguments[i], &addr)) {
            cli_misused("name", "'%s' is not an IP address", arguments[i]);
            return false;
        }
        json_array_append_new(list, json_string(arguments[i]));
    }
    return true;
}

static bool parse_ttl(const char *text, long *ret)
{
    char *end;
    long ttl = strtol(text, &end, 10);
    if (*end != '\0' || end == text || ttl < 0 || ttl > INT32_MAX)
        return false;
    *ret = ttl;
    return true;
}

int cli_name(int argc, char **argv)
{
    static const struct option long_options[] = {
        CLI_OPTIONS, {"ttl", required_argument, NULL, 't'}, {0}};
    struct cli_options options = {0};
    long ttl = 3600;
    int option, status;

    while ((option = getopt_long(argc, argv, CLI_OPTION_LETTERS "t:", long_options, NULL)) != -1) {
        if (option == 't') {
            if (!parse_ttl(optarg, &ttl))
                return cli_misused("name", "'%s' is not a number of seconds", optarg);
        } else if (cli_option(&options, option, usage, &status) == CLI_OPTION_STOP) {
            return status;
        }
    }
    cli_options_done(&options);
    if (argc - optind < 2)
        return cli_misused("name", "needs a name and at least one address");
    json_t *addresses = json_array();
    if (!add_addresses(addresses, argv + optind + 1, argc - optind - 1)) {
        json_decref(addresses);
        return CLI_USAGE;
    }
    json_t *request = json_pack("{s:s,s:s,s:o,s:I}", "cmd", "name", "name", argv[optind],
                                "addresses", addresses, "ttl_s", (json_int_t)ttl);
    json_t *reply = request != NULL ? client_ask_once(options.sockets[0], request) : NULL;
    if (reply == NULL)
        return CLI_FAILED;
    if (options.json)
        cli_print_json(reply, JSON_INDENT(2));
    status = cli_number(reply, "taken") != 0 ? CLI_OK : cli_fail("the daemon takes none of it");
    json_decref(reply);
    return status;
}
