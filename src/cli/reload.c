/*
 * cygnet reload
 */
#include <getopt.h>
#include <stdio.h>
#include <time.h>

#include "cli/cli.h"
#include "cli/client.h"

static const char usage[] =
    "usage: cygnet reload [--json] [--socket PATH]\n"
    "\n"
    "Has the running daemon read its configuration and policy files again. A mistake is shown, "
    "and\n"
    "then the old configuration stays in force. Flows whose policy did not change go on "
    "undisturbed.\n"
    "\n"
    "  -j, --json         the result as the daemon gives it\n"
    "  -s, --socket PATH  control socket (default $CYGNET_CONTROL or " CLI_DEFAULT_CONTROL ")\n"
    "  -h, --help         print this\n";

enum { TRIES = 100, PAUSE_MS = 50 };

/* The result, once there is one after the first `before`: a new reference. NULL: said why. */
static json_t *wait_for_result(const char *socket, long long before)
{
    const struct timespec pause = {.tv_nsec = PAUSE_MS * 1000000L};

    for (int i = 0; i < TRIES; i++) {
        json_t *status = client_ask_once(socket, json_pack("{s:s}", "cmd", "status"));
        json_t *result = json_incref(json_object_get(status, "reload"));
        json_decref(status);
        if (result == NULL || cli_number(result, "count") > before)
            return result;
        json_decref(result);
        nanosleep(&pause, NULL);
    }
    cli_fail("no result after %d s; see the daemon's log", TRIES * PAUSE_MS / 1000);
    return NULL;
}

int cli_reload(int argc, char **argv)
{
    static const struct option long_options[] = {CLI_OPTIONS, {0}};
    struct cli_options options = {0};
    int option, status;

    while ((option = getopt_long(argc, argv, CLI_OPTION_LETTERS, long_options, NULL)) != -1)
        if (cli_option(&options, option, usage, &status) == CLI_OPTION_STOP)
            return status;
    if (optind < argc)
        return cli_misused("reload", "unexpected '%s'", argv[optind]);
    cli_options_done(&options);

    json_t *reply = client_ask_once(options.sockets[0], json_pack("{s:s}", "cmd", "reload"));
    if (reply == NULL)
        return CLI_FAILED;
    json_t *result = wait_for_result(options.sockets[0], cli_number(reply, "reloads"));
    json_decref(reply);
    if (result == NULL)
        return CLI_FAILED;
    bool ok = json_is_true(json_object_get(result, "ok"));
    if (options.json)
        cli_print_json(result, JSON_INDENT(2));
    else if (ok)
        puts("the new configuration is in force");
    else
        cli_fail("%s; the old configuration stays in force", cli_text(result, "text", "refused"));
    json_decref(result);
    return ok ? CLI_OK : CLI_FAILED;
}
