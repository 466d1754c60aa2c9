/*
 * cygnet check
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"
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

static bool read_file(const char *path, char *text, size_t *ret_len)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t got = -1;
    size_t len = 0;

    while (fd >= 0 && len <= CONFIG_TEXT_MAX &&
           (got = read(fd, text + len, CONFIG_TEXT_MAX + 1 - len)) > 0)
        len += (size_t)got;
    int error = errno;
    if (fd >= 0)
        close(fd);
    if (fd < 0 || got < 0) {
        cli_fail("can't read %s: %s%s", path, strerror(error),
                 error == ENOENT ? "; write one, 'outside: eth0' is enough" : "");
        return false;
    }
    *ret_len = len;
    return true;
}

/* Returns the number of errors, or -1: the file can't be read. */
static int check(const char *path, struct report *report)
{
    char *text = malloc(CONFIG_TEXT_MAX + 1), error[CONFIG_ERROR_MAX];
    struct cygnet_config *config = malloc(sizeof(*config));
    size_t len;
    int errors = -1;

    if (text != NULL && config != NULL && read_file(path, text, &len)) {
        if (config_parse(view_of(text, len), path, config, error)) {
            errors = (int)precheck_run(config, on_result, report);
        } else {
            if (report->json)
                add(report, "error", error);
            else
                puts(error); /* FILE:LINE:COLUMN first, as editors expect */
            errors = 1;
        }
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
