/*
 * cygnet check
 */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"
#include "daemon/config_load.h"
#include "daemon/precheck.h"

static const char usage[] =
    "usage: cygnet check [--json] [FILE]\n"
    "\n"
    "Checks a configuration file (default " CLI_DEFAULT_CONFIG ") and whether this machine\n"
    "has what it names: interface, users, key, trust anchor. Exit status 0 if cygnetd would start.\n"
    "\n"
    "  -j, --json  a list of what was found\n"
    "  -h, --help  print this\n";

struct report {
    bool json;
    json_t *list;
};

static void add(struct report *report, const char *severity, const char *text)
{
    if (report->json)
        json_array_append_new(report->list,
                              json_pack("{s:s,s:s}", "severity", severity, "text", text));
    else
        printf("%s: %s\n", severity, text);
}

static void on_result(void *ctx, enum precheck_result result, const char *text)
{
    static const char *const words[] = {
        [PRECHECK_ERROR] = "error", [PRECHECK_WARNING] = "warning", [PRECHECK_UNKNOWN] = "unknown"};
    add(ctx, words[result], text);
}

/* Returns the number of errors, or -1: the file can't be read. */
static int check(const char *path, struct report *report)
{
    char error[CONFIG_ERROR_MAX], *text = NULL;
    struct cygnet_config *config = malloc(sizeof(*config));
    size_t len;
    int errors = 1;

    if (config != NULL && access(path, F_OK) != 0) {
        cli_fail("can't read %s: %s%s", path, strerror(errno),
                 errno == ENOENT ? "; write one, 'outside: eth0' is enough" : "");
        errors = -1;
    } else if (config != NULL && (text = config_load(path, config, &len, error)) != NULL) {
        errors = (int)precheck_run(config, on_result, report);
    } else if (report->json) {
        add(report, "error", config != NULL ? error : "out of memory");
    } else {
        puts(config != NULL ? error : "out of memory"); /* FILE:LINE first, as editors expect */
    }
    free(text);
    free(config);
    return errors;
}

int cli_check(int argc, char **argv)
{
    static const struct option long_options[] = {CLI_OPTIONS, {0}};
    struct cli_options options = {0};
    int option, status;

    while ((option = getopt_long(argc, argv, CLI_OPTION_LETTERS, long_options, NULL)) != -1)
        if (cli_option(&options, option, usage, &status) == CLI_OPTION_STOP)
            return status;
    if (argc - optind > 1)
        return cli_misused("check", "unexpected '%s'", argv[optind + 1]);

    const char *path = optind < argc ? argv[optind] : CLI_DEFAULT_CONFIG;
    struct report report = {.json = options.json, .list = json_array()};
    int errors = check(path, &report);
    if (errors >= 0 && options.json)
        cli_print_json(report.list, JSON_INDENT(2));
    else if (errors == 0)
        printf("%s is fine\n", path);
    json_decref(report.list);
    return errors == 0 ? CLI_OK : CLI_FAILED;
}
