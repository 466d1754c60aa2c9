/*
 * cygnet model match
 */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/model.h"
#include "cli/model_seen.h"

static const char usage[] =
    "usage: cygnet model match [OPTION...] FILE CAPTURE|TRACE\n"
    "\n"
    "Holds traffic against a protocol model: a capture, which tshark dissects with the filters of "
    "the\n"
    "model's messages, or what 'cygnet trace --json' printed, by their labels. Says which "
    "exchanges\n"
    "follow the model, and draws the first one that doesn't, up to where it leaves it. Exit status "
    "1\n"
    "if there is one.\n"
    "\n"
    "  -l, --ladder           draw every exchange\n"
    "  -o, --option NAME:VALUE  a preference for tshark, such as a key table; may be repeated\n"
    "  -j, --json             one JSON object an exchange\n"
    "  -h, --help             print this\n";

enum { EXPECTED_TEXT = 512 };

struct options {
    bool json, ladder;
    const char *tshark[SEEN_OPTIONS_MAX + 1]; /* NULL behind the last */
    const char *model, *seen;
};

/* -1: go on; else the exit status. */
static int read_options(struct options *options, int argc, char **argv)
{
    static const struct option long_options[] = {{"ladder", no_argument, NULL, 'l'},
                                                 {"option", required_argument, NULL, 'o'},
                                                 {"json", no_argument, NULL, 'j'},
                                                 {"help", no_argument, NULL, 'h'},
                                                 {0}};
    size_t count = 0;
    int option;
    while ((option = getopt_long(argc, argv, "lo:jh", long_options, NULL)) != -1)
        switch (option) {
        case 'l':
            options->ladder = true;
            break;
        case 'o':
            if (count == SEEN_OPTIONS_MAX)
                return cli_misused("model match", "more than %d --option", SEEN_OPTIONS_MAX);
            options->tshark[count++] = optarg;
            break;
        case 'j':
            options->json = true;
            break;
        case 'h':
            fputs(usage, stdout);
            return CLI_OK;
        default:
            fputs("see 'cygnet model match --help'\n", stderr);
            return CLI_USAGE;
        }
    if (argc - optind != 2)
        return cli_misused("model match", "name a model and a capture or a trace");
    options->model = argv[optind];
    options->seen = argv[optind + 1];
    return -1;
}

/* A trace begins with an object of JSON; its text belongs to the caller. NULL: it is no trace, or
 * *ret_failed. */
static char *read_if_trace(const char *path, bool *ret_failed)
{
    char *text = NULL;
    size_t len = 0;
    FILE *file = fopen(path, "rb");
    *ret_failed = file == NULL;
    if (file == NULL) {
        cli_fail("%s: %s", path, strerror(errno));
        return NULL;
    }
    int first = fgetc(file);
    bool trace = first == '{' && ungetc(first, file) == first;
    if (trace && getdelim(&text, &len, '\0', file) < 0) {
        cli_fail("%s: %s", path, strerror(errno));
        free(text);
        text = NULL;
        *ret_failed = true;
    }
    fclose(file);
    return text;
}

static bool look(struct seen *seen, const struct model *model, const struct options *options)
{
    bool failed;
    char *trace = read_if_trace(options->seen, &failed);
    if (failed)
        return false;
    bool ok = trace != NULL
                  ? seen_trace(seen, model, options->seen, trace)
                  : seen_capture(seen, model, options->model, options->seen, options->tshark);
    free(trace);
    if (ok && seen->count == 0) {
        cli_fail("%s: nothing in it is a message of %s", options->seen, options->model);
        return false;
    }
    return ok;
}

/* "Main Mode, Quick Mode": each ladder once in a row. */
static void ladders_text(const struct match_report *report, const struct match_exchange *x,
                         char *ret, size_t room)
{
    size_t last = MODEL_NONE, len = 0;
    ret[0] = '\0';
    for (size_t i = 0; i < x->packet_count && len < room; i++) {
        size_t ladder = x->diagrams[i];
        if (ladder == MODEL_NONE || ladder == last)
            continue;
        int more = snprintf(ret + len, room - len, "%s%s", len == 0 ? "" : ", ",
                            model_diagram(report->input->model, ladder)->title);
        len += more > 0 ? (size_t)more : 0;
        last = ladder;
    }
    if (x->by_machines)
        snprintf(ret, room, "the state machines");
}

static const struct match_packet *packet_of(const struct match_report *report,
                                            const struct match_exchange *x, size_t i)
{
    return &report->input->packets[x->packets[i]];
}

static void ends_text(const struct match_exchange *x, char *ret, size_t room)
{
    size_t len = 0;
    for (size_t i = 0; i < x->host_count && len < room; i++) {
        int more = snprintf(ret + len, room - len, x->hosts[i].port != 0 ? "%s%s:%u" : "%s%s",
                            i == 0 ? "" : " - ", x->hosts[i].host, x->hosts[i].port);
        len += more > 0 ? (size_t)more : 0;
    }
}

static void print_exchange(const struct match_report *report, const struct match_exchange *x)
{
    char ladders[EXPECTED_TEXT], expected[EXPECTED_TEXT], ends[EXPECTED_TEXT];

    ladders_text(report, x, ladders, sizeof(ladders));
    match_expected_text(report, x, expected, sizeof(expected));
    ends_text(x, ends, sizeof(ends));
    printf("%s%s%s: ", ends, x->key[0] != '\0' ? ", " : "", x->key);
    if (x->verdict == MATCH_FOLLOWS)
        printf("follows %s, %zu message%s\n", ladders, x->packet_count,
               cli_plural((long long)x->packet_count));
    else if (x->verdict == MATCH_STOPS)
        printf("stops after %llu; expected: %s\n",
               (unsigned long long)packet_of(report, x, x->packet_count - 1)->number, expected);
    else
        printf("leaves the model at %llu; expected: %s\n",
               (unsigned long long)packet_of(report, x, x->departure)->number, expected);
}

static json_t *json_messages(const struct match_report *report, const struct match_exchange *x)
{
    json_t *list = json_array();
    for (size_t i = 0; i < x->packet_count; i++) {
        json_t *one = json_pack("{s:I}", "number", (json_int_t)packet_of(report, x, i)->number);
        if (x->taken[i] != MODEL_NONE)
            json_object_set_new(one, "message",
                                json_string(report->input->model->messages[x->taken[i]].id));
        json_array_append_new(list, one);
    }
    return list;
}

static void print_json(const struct match_report *report, const struct match_exchange *x)
{
    char ladders[EXPECTED_TEXT], expected[EXPECTED_TEXT], ends[EXPECTED_TEXT];

    ladders_text(report, x, ladders, sizeof(ladders));
    ends_text(x, ends, sizeof(ends));
    json_t *object = json_pack("{s:s,s:s,s:s,s:s,s:o}", "ends", ends, "key", x->key, "verdict",
                               match_verdict_name(x->verdict), "by", ladders, "messages",
                               json_messages(report, x));
    if (x->verdict != MATCH_FOLLOWS) {
        match_expected_text(report, x, expected, sizeof(expected));
        json_object_set_new(object, "expected", json_string(expected));
    }
    if (x->verdict == MATCH_LEAVES)
        json_object_set_new(object, "departure",
                            json_integer((json_int_t)packet_of(report, x, x->departure)->number));
    cli_print_json(object, JSON_COMPACT);
    json_decref(object);
}

static bool draw(const struct match_report *report, size_t exchange)
{
    struct drawing out = {0};
    bool ok = match_draw(report, exchange, &out);
    if (ok)
        printf("\n%s\n", out.text);
    else
        cli_fail("out of memory");
    drawing_fini(&out);
    return ok;
}

static int print(const struct match_report *report, const struct options *options)
{
    bool drawn = false, ok = true;

    for (size_t i = 0; i < report->exchange_count && ok; i++) {
        const struct match_exchange *x = &report->exchanges[i];
        if (options->json) {
            print_json(report, x);
            continue;
        }
        print_exchange(report, x);
        if (options->ladder || (x->verdict != MATCH_FOLLOWS && !drawn))
            ok = draw(report, i);
        drawn = drawn || x->verdict != MATCH_FOLLOWS;
    }
    if (!options->json)
        printf("%zu exchange%s: %zu follow the model, %zu stop early, %zu leave it\n",
               report->exchange_count, cli_plural((long long)report->exchange_count),
               report->verdicts[MATCH_FOLLOWS], report->verdicts[MATCH_STOPS],
               report->verdicts[MATCH_LEAVES]);
    return ok && report->verdicts[MATCH_FOLLOWS] == report->exchange_count ? CLI_OK : CLI_FAILED;
}

int cli_model_match(int argc, char **argv)
{
    struct options options = {0};
    struct seen seen = {0};
    struct match_report *report = NULL;
    int status = read_options(&options, argc, argv);

    if (status >= 0)
        return status;
    struct model *model = cli_model_load(options.model);
    status = CLI_FAILED;
    if (model != NULL && look(&seen, model, &options)) {
        seen.input.model = model;
        report = match_run(&seen.input);
        if (report == NULL)
            cli_fail("out of memory");
        else
            status = print(report, &options);
    }
    match_report_free(report);
    seen_fini(&seen);
    model_free(model);
    return status;
}
