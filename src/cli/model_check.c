/*
 * cygnet model check
 */
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/model.h"
#include "model/check.h"

static const char usage[] =
    "usage: cygnet model check [--verify] [--json] FILE...\n"
    "\n"
    "Checks protocol models: what draft-iab-model asks of one, and whether its parts agree.\n"
    "Prints a line for each mistake, with its place and a remedy; exit status 1 if there is one.\n"
    "\n"
    "  -v, --verify        also have Spin look for deadlocks and unspecified receptions in the state\n"
    "                      machines; draws how the first one comes about\n"
    "  -j, --json          one JSON object a mistake\n"
    "  -h, --help          print this\n";

static void print_finding(const char *path, const struct check_finding *f, bool json)
{
    if (!json) {
        printf("%s:%u:%u: %s; %s [%s]\n", path, f->place.line, f->place.column, f->what, f->remedy,
               f->rule);
        return;
    }
    json_t *object =
        json_pack("{s:s,s:i,s:i,s:s,s:s,s:s}", "file", path, "line", (int)f->place.line, "column",
                  (int)f->place.column, "rule", f->rule, "what", f->what, "remedy", f->remedy);
    cli_print_json(object, JSON_COMPACT);
    json_decref(object);
}

static int check(const char *path, bool json, bool verify)
{
    struct check_report report;
    struct model *model = cli_model_load(path);
    if (model == NULL)
        return CLI_FAILED;
    check_model(model, &report);
    for (size_t i = 0; i < report.count; i++)
        print_finding(path, &report.findings[i], json);
    bool good = report.count == 0 && !report.bad;
    if (good && !json)
        printf("%s: good\n", path);
    else if (report.bad)
        cli_fail("out of memory");
    check_report_fini(&report);
    if (verify)
        good = cli_model_verify(path, model, json);
    model_free(model);
    return good ? CLI_OK : CLI_FAILED;
}

int cli_model_check(int argc, char **argv)
{
    static const struct option long_options[] = {
        {"json", no_argument, NULL, 'j'},
        {"verify", no_argument, NULL, 'v'},
        {"help", no_argument, NULL, 'h'}, {0}};
    bool json = false, verify = false;
    int option, status = CLI_OK;
    while ((option = getopt_long(argc, argv, "jvh", long_options, NULL)) != -1)
        switch (option) {
        case 'j':
            json = true;
            break;
        case 'v':
            verify = true;
            break;
        case 'h':
            fputs(usage, stdout);
            return CLI_OK;
        default:
            fputs("see 'cygnet model check --help'\n", stderr);
            return CLI_USAGE;
        }
    if (optind == argc)
        return cli_misused("model check", "name a file, or - for standard input");
    for (int i = optind; i < argc; i++)
        if (check(argv[i], json, verify) != CLI_OK)
            status = CLI_FAILED;
    return status;
}
