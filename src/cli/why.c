/*
 * cygnet why
 */
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/client.h"
#include "cli/record.h"
#include "daemon/event_json.h"

static const char usage[] =
    "usage: cygnet why [--json] [--socket PATH] ADDRESS\n"
    "       cygnet why [--json] [--socket PATH] SOURCE DESTINATION\n"
    "\n"
    "Says what happens to a flow and why, with every DNS answer and IKE message that led there.\n"
    "With one ADDRESS, the newest flow to or from it.\n"
    "\n"
    "  -j, --json         the daemon's own reply\n"
    "  -s, --socket PATH  control socket (default $CYGNET_CONTROL or " CLI_DEFAULT_CONTROL ")\n"
    "  -h, --help         print this\n";

static const char *verdict_sentence(const char *verdict)
{
    static const struct {
        const char *verdict, *sentence;
    } sentences[] = {
        {"encrypt", "is encrypted"},
        {"pass", "goes in clear"},
        {"deny", "is denied"},
        {"hold", "is held until it is known what to do"},
        {"none", "has not been seen"},
    };
    for (size_t i = 0; i < sizeof(sentences) / sizeof(sentences[0]); i++)
        if (strcmp(sentences[i].verdict, verdict) == 0)
            return sentences[i].sentence;
    return "is unknown";
}

static const char *dnssec_sentence(const char *dnssec)
{
    static const struct {
        const char *dnssec, *sentence;
    } sentences[] = {
        {"secure", "The delegation in DNS is there, and DNSSEC vouches for it."},
        {"insecure", "The delegation in DNS is there, but DNSSEC doesn't vouch for it."},
        {"absent", "DNS holds no delegation for it."},
        {"malformed", "The delegation in DNS can't be understood."},
        {"bogus", "The answer from DNS is forged or broken: DNSSEC validation failed."},
        {"timeout", "DNS gave no usable answer in time."},
    };
    for (size_t i = 0; i < sizeof(sentences) / sizeof(sentences[0]); i++)
        if (strcmp(sentences[i].dnssec, dnssec) == 0)
            return sentences[i].sentence;
    return NULL;
}

static void print_history(const json_t *history)
{
    char line[RECORD_LINE_MAX];
    const json_t *item;
    size_t i;

    if (json_array_size(history) == 0)
        return;
    puts("\nWhat led there:");
    json_array_foreach(history, i, item)
    {
        struct event_record record;
        if (event_json_parse(item, &record))
            printf("  %s\n", record_format(&record, line));
    }
}

static void print_encryption(const json_t *why)
{
    const char *grade = cli_text(why, "grade", "");

    if (strcmp(cli_text(why, "verdict", ""), "encrypt") != 0)
        return;
    printf("Its tunnel ends at %s and uses %s.\n", cli_text(why, "gateway", "?"),
           cli_text(why, "suite", "?"));
    if (strcmp(grade, "anonymous") == 0) /* OE-006 */
        puts("The encryption is anonymous: it resists listeners, not somebody who can alter DNS.");
    else if (strcmp(grade, "name") == 0)
        puts("The peer is authenticated as the owner of that name, not of the address.");
    else if (strcmp(grade, "authenticated") == 0)
        puts("The peer is authenticated.");
}

/* The record, the negotiation, and what comes next. */
static void print_details(const json_t *why)
{
    const json_t *next = json_object_get(why, "next");
    const char *record = cli_text(why, "record", ""), *ike = cli_text(why, "ike", "");
    char when[CLI_AGE_MAX];

    if (record[0] != '\0')
        printf("Record: %s.\n", record);
    if (ike[0] != '\0')
        printf("Negotiation: %s.\n", ike);
    else if (strcmp(cli_text(why, "verdict", "none"), "none") != 0)
        puts("Negotiation: none.");
    if (json_is_integer(json_object_get(next, "in_ms")))
        printf("Next: %s, in %s.\n", cli_text(next, "what", "nothing"),
               cli_age(cli_number(next, "in_ms"), when));
    else if (next != NULL)
        printf("Next: %s.\n", cli_text(next, "what", "nothing"));
}

static void print_why(const json_t *why)
{
    const char *dnssec = dnssec_sentence(cli_text(why, "dnssec", "none"));
    const char *name = cli_text(why, "name", NULL);
    char age[CLI_AGE_MAX];

    printf("%s -> %s %s", cli_text(why, "source", "any"), cli_text(why, "destination", "?"),
           verdict_sentence(cli_text(why, "verdict", "none")));
    if (json_object_get(why, "since_ms") != NULL)
        printf(", since %s", cli_age(cli_number(why, "since_ms"), age));
    printf(": %s.\n", cli_text(why, "reason", "no reason given"));
    printf("Class %s, state %s.\n", cli_text(why, "class", "none"), cli_text(why, "state", "none"));
    if (name != NULL)
        printf("dnssec: secure (name %s). The reverse map says nothing about the address.\n", name);
    else if (dnssec != NULL)
        puts(dnssec);
    print_encryption(why);
    print_details(why);
    cli_print_lease(why);
    print_history(json_object_get(why, "history"));
}

static json_t *make_request(char **arguments, int count)
{
    struct ip_addr addr;

    for (int i = 0; i < count; i++) {
        if (!ip_addr_parse(arguments[i], &addr)) {
            cli_misused("why", "'%s' is not an IP address", arguments[i]);
            return NULL;
        }
    }
    if (count == 1)
        return json_pack("{s:s,s:s}", "cmd", "why", "destination", arguments[0]);
    return json_pack("{s:s,s:s,s:s}", "cmd", "why", "source", arguments[0], "destination",
                     arguments[1]);
}

int cli_why(int argc, char **argv)
{
    static const struct option long_options[] = {CLI_OPTIONS, {0}};
    struct cli_options options = {0};
    int option, status;

    while ((option = getopt_long(argc, argv, CLI_OPTION_LETTERS, long_options, NULL)) != -1)
        if (cli_option(&options, option, usage, &status) == CLI_OPTION_STOP)
            return status;
    cli_options_done(&options);
    if (argc - optind != 1 && argc - optind != 2)
        return cli_misused("why", "needs one address, or a source and a destination");
    json_t *request = make_request(argv + optind, argc - optind);
    if (request == NULL)
        return CLI_USAGE;

    json_t *reply = client_ask_once(options.sockets[0], request);
    if (reply == NULL)
        return CLI_FAILED;
    if (options.json)
        cli_print_json(reply, JSON_INDENT(2));
    else
        print_why(reply);
    json_decref(reply);
    return CLI_OK;
}
