/*
 * cygnet trace
 */
#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/client.h"
#include "cli/record.h"
#include "cli/trace_draw.h"
#include "daemon/event_json.h"

static const char usage[] =
    "usage: cygnet trace [--follow] [--json] [--flow SOURCE,DESTINATION] [--socket PATH]...\n"
    "       cygnet trace --ladder|--html [--flow SOURCE,DESTINATION] [--name ADDRESS=NAME]...\n"
    "                    [--socket PATH]...\n"
    "\n"
    "Shows what a gateway did, oldest first: DNS questions and answers, IKE messages, verdicts.\n"
    "Several sockets are merged by time.\n"
    "\n"
    "  -f, --follow           then show what happens from now on, until interrupted\n"
    "  -j, --json             one JSON object a line\n"
    "  -l, --ladder           draw one flow's messages, seen by one or both of its gateways\n"
    "      --html             the same as a page for a browser, on standard output\n"
    "  -p, --flow SRC,DST     only what concerns these two addresses; the newest flow for "
    "--ladder\n"
    "  -n, --name ADDR=NAME   what a ladder calls an address; may be repeated\n"
    "  -s, --socket PATH      control socket (default $CYGNET_CONTROL or " CLI_DEFAULT_CONTROL ")\n"
    "  -h, --help             print this\n";

enum { OPTION_HTML = 256 }; /* behind all letters */

struct trace {
    struct cli_options options;
    bool follow, ladder;
    const char *socket; /* NULL: the default */
    struct trace_drawing drawing;
    char drawn_names[TRACE_DRAW_NAMES][TRACE_NAME_MAX];
    struct client clients[CLI_SOCKETS];
    struct record_filter filters[CLI_SOCKETS];
    char names[CLI_SOCKETS][TRACE_NAME_MAX];
    struct trace_entry *entries;
    size_t count, room;
};

/* "/run/lab/sg-a/control.sock" is called "sg-a". */
static void name_of_socket(const char *path, char ret[TRACE_NAME_MAX])
{
    const char *end = strrchr(path, '/');
    const char *start = end;

    while (start != NULL && start > path && start[-1] != '/')
        start--;
    int len = start != NULL ? (int)(end - start) : 0;
    if (len > 0)
        snprintf(ret, TRACE_NAME_MAX, "%.*s", len, start);
    else
        snprintf(ret, TRACE_NAME_MAX, "%s", path);
}

static bool add_entry(struct trace *t, size_t source, const json_t *object)
{
    struct trace_entry entry = {.source = source, .name = t->names[source]};

    if (!event_json_parse(object, &entry.record))
        return true; /* a record of a newer daemon */
    if (t->count == t->room) {
        size_t room = t->room == 0 ? 1024 : 2 * t->room;
        struct trace_entry *entries = reallocarray(t->entries, room, sizeof(*entries));
        if (entries == NULL) {
            cli_fail("out of memory");
            return false;
        }
        t->entries = entries;
        t->room = room;
    }
    record_filter_learn(&t->filters[source], &entry.record);
    t->entries[t->count++] = entry;
    return true;
}

static bool fetch(struct trace *t, size_t source)
{
    struct client *client = &t->clients[source];
    json_t *request = json_pack("{s:s,s:b}", "cmd", "trace", "follow", t->follow);
    const json_t *item;
    size_t i;
    bool ok = true;

    if (!client_open(client, t->options.sockets[source])) {
        json_decref(request);
        return false;
    }
    json_t *reply = client_ask(client, request);
    if (reply == NULL)
        return false;
    json_array_foreach(json_object_get(reply, "records"), i, item)
    {
        ok = ok && add_entry(t, source, item);
    }
    json_decref(reply);
    return ok;
}

static int by_time(const void *a, const void *b)
{
    const struct trace_entry *x = a, *y = b;

    if (x->record.at.ms != y->record.at.ms)
        return x->record.at.ms < y->record.at.ms ? -1 : 1;
    if (x->source != y->source)
        return x->source < y->source ? -1 : 1;
    return x->record.serial < y->record.serial ? -1 : x->record.serial > y->record.serial;
}

static void keep_passing(struct trace *t)
{
    size_t kept = 0;

    for (size_t i = 0; i < t->count; i++)
        if (record_filter_passes(&t->filters[t->entries[i].source], &t->entries[i].record))
            t->entries[kept++] = t->entries[i];
    t->count = kept;
    if (kept > 0)
        qsort(t->entries, kept, sizeof(*t->entries), by_time);
}

static void print_entry(const struct trace *t, const struct trace_entry *entry)
{
    char line[RECORD_LINE_MAX];
    bool several = t->options.socket_count > 1;

    if (t->options.json) {
        json_t *object = event_json_build(&entry->record);
        if (several)
            json_object_set_new(object, "gateway", json_string(entry->name));
        cli_print_json(object, JSON_COMPACT);
        json_decref(object);
        return;
    }
    if (several)
        printf("%-8s ", entry->name);
    puts(record_format(&entry->record, line));
}

static void print_gap(const struct trace *t, size_t source, const json_t *line)
{
    long long missed = cli_number(line, "gap");
    if (t->options.json)
        printf("{\"gap\":%lld}\n", missed);
    else if (missed > 0)
        printf("%s: %lld record%s missed, this end was too slow\n", t->names[source], missed,
               cli_plural(missed));
}

static void print_new(struct trace *t, size_t source)
{
    json_t *line;

    while ((line = client_take(&t->clients[source])) != NULL) {
        struct trace_entry entry = {.source = source, .name = t->names[source]};
        if (json_object_get(line, "gap") != NULL)
            print_gap(t, source, line);
        if (event_json_parse(line, &entry.record)) {
            record_filter_learn(&t->filters[source], &entry.record);
            if (record_filter_passes(&t->filters[source], &entry.record))
                print_entry(t, &entry);
        }
        json_decref(line);
    }
    fflush(stdout);
}

/* Until every gateway has gone, or nobody reads what is printed. */
static int follow(struct trace *t)
{
    struct pollfd ready[CLI_SOCKETS];
    size_t left = t->options.socket_count;

    for (size_t i = 0; i < t->options.socket_count; i++) {
        print_new(t, i);
        ready[i] = (struct pollfd){.fd = t->clients[i].fd, .events = POLLIN};
    }
    while (left > 0 && !ferror(stdout)) {
        if (poll(ready, t->options.socket_count, -1) < 0 && errno != EINTR)
            return cli_fail("poll: %s", strerror(errno));
        for (size_t i = 0; i < t->options.socket_count; i++) {
            if (ready[i].fd < 0 || ready[i].revents == 0)
                continue;
            if (!client_read(&t->clients[i])) {
                cli_fail("%s: the daemon has gone", t->options.sockets[i]);
                ready[i].fd = -1;
                left--;
            }
            print_new(t, i);
        }
    }
    return CLI_FAILED;
}

static int show(struct trace *t)
{
    for (size_t i = 0; i < t->options.socket_count; i++)
        if (!fetch(t, i))
            return CLI_FAILED;
    if (t->ladder)
        return trace_draw(t->entries, t->count, &t->drawing) ? CLI_OK : CLI_FAILED;
    keep_passing(t);
    for (size_t i = 0; i < t->count; i++)
        print_entry(t, &t->entries[i]);
    fflush(stdout);
    return t->follow ? follow(t) : CLI_OK;
}

static bool parse_flow(const char *text, struct ip_pair *ret)
{
    char source[IP_ADDR_TEXT_MAX];
    const char *comma = strchr(text, ',');
    size_t len = comma != NULL ? (size_t)(comma - text) : 0;

    if (len == 0 || len >= sizeof(source))
        return false;
    memcpy(source, text, len);
    source[len] = '\0';
    return ip_addr_parse(source, &ret->src) && ip_addr_parse(comma + 1, &ret->dst);
}

static bool parse_name(struct trace *t, const char *text)
{
    struct trace_drawing *drawing = &t->drawing;
    char address[IP_ADDR_TEXT_MAX];
    const char *equals = strchr(text, '=');
    size_t len = equals != NULL ? (size_t)(equals - text) : 0;

    if (len == 0 || len >= sizeof(address) || equals[1] == '\0' ||
        strlen(equals + 1) >= TRACE_NAME_MAX || drawing->name_count == TRACE_DRAW_NAMES)
        return false;
    memcpy(address, text, len);
    address[len] = '\0';
    struct trace_name *name = &drawing->names[drawing->name_count];
    name->name = strcpy(t->drawn_names[drawing->name_count], equals + 1);
    if (!ip_addr_parse(address, &name->addr))
        return false;
    drawing->name_count++;
    return true;
}

static int take_option(struct trace *t, int option, const char *argument)
{
    if (option == 'f')
        t->follow = true;
    else if (option == 'l' || option == OPTION_HTML)
        t->ladder = true;
    else if (option == 'n' && !parse_name(t, argument))
        return cli_misused("trace", "'%s' is not ADDRESS=NAME", argument);
    else if (option == 'p' && !parse_flow(argument, &t->drawing.flow))
        return cli_misused("trace", "'%s' is not SOURCE,DESTINATION", argument);
    if (option == OPTION_HTML)
        t->drawing.format = TRACE_HTML;
    return -1;
}

/* -1: go on; else the exit status. */
static int read_options(struct trace *t, int argc, char **argv)
{
    static const struct option long_options[] = {CLI_OPTIONS,
                                                 {"follow", no_argument, NULL, 'f'},
                                                 {"ladder", no_argument, NULL, 'l'},
                                                 {"html", no_argument, NULL, OPTION_HTML},
                                                 {"name", required_argument, NULL, 'n'},
                                                 {"flow", required_argument, NULL, 'p'},
                                                 {0}};
    int option, status;

    while ((option = getopt_long(argc, argv, CLI_OPTION_LETTERS "fln:p:", long_options, NULL)) !=
           -1) {
        switch (cli_option(&t->options, option, usage, &status)) {
        case CLI_OPTION_STOP:
            return status;
        case CLI_OPTION_TAKEN:
            continue;
        case CLI_OPTION_OTHER:
            break;
        }
        status = take_option(t, option, optarg);
        if (status >= 0)
            return status;
    }
    if (optind < argc)
        return cli_misused("trace", "unexpected '%s'", argv[optind]);
    if (t->ladder && (t->options.json || t->follow))
        return cli_misused("trace", "a ladder goes with neither --json nor --follow");
    if (t->ladder && t->options.socket_count > TRACE_DRAW_SOURCES)
        return cli_misused("trace", "a ladder is drawn from at most %d gateways",
                           TRACE_DRAW_SOURCES);
    if (t->options.socket_count == 0 && t->socket != NULL)
        t->options.sockets[t->options.socket_count++] = t->socket;
    cli_options_done(&t->options);
    return -1;
}

int cli_trace_of(int argc, char **argv, const char *socket)
{
    struct trace *t = calloc(1, sizeof(*t));

    if (t == NULL)
        return cli_fail("out of memory");
    t->socket = socket;
    int status = read_options(t, argc, argv);
    for (size_t i = 0; i < t->options.socket_count; i++) {
        t->clients[i].fd = -1;
        t->filters[i].flow = t->drawing.flow;
        name_of_socket(t->options.sockets[i], t->names[i]);
    }
    if (status < 0)
        status = show(t);
    for (size_t i = 0; i < t->options.socket_count; i++)
        client_close(&t->clients[i]);
    free(t->entries);
    free(t);
    return status;
}

int cli_trace(int argc, char **argv)
{
    return cli_trace_of(argc, argv, NULL);
}
