#include "cli/cli.h"

#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum cli_option cli_option(struct cli_options *options, int option, const char *usage,
                           int *ret_status)
{
    switch (option) {
    case 'j':
        options->json = true;
        return CLI_OPTION_TAKEN;
    case 'h':
        fputs(usage, stdout);
        *ret_status = CLI_OK;
        return CLI_OPTION_STOP;
    case 's':
        if (options->socket_count < CLI_SOCKETS) {
            options->sockets[options->socket_count++] = optarg;
            return CLI_OPTION_TAKEN;
        }
        *ret_status = cli_misused("", "more than %d --socket; name fewer gateways", CLI_SOCKETS);
        return CLI_OPTION_STOP;
    case '?':
        *ret_status = CLI_USAGE; /* getopt has said what */
        fputs("see --help\n", stderr);
        return CLI_OPTION_STOP;
    default:
        return CLI_OPTION_OTHER;
    }
}

void cli_options_done(struct cli_options *options)
{
    const char *from_environment = getenv("CYGNET_CONTROL");

    if (options->socket_count > 0)
        return;
    options->sockets[options->socket_count++] =
        from_environment != NULL && from_environment[0] != '\0' ? from_environment
                                                                : CLI_DEFAULT_CONTROL;
}

static void say(const char *format, va_list args)
{
    fflush(stdout);
    fputs("cygnet: ", stderr);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
}

int cli_fail(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    say(format, args);
    va_end(args);
    return CLI_FAILED;
}

int cli_misused(const char *command, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    say(format, args);
    va_end(args);
    fprintf(stderr, "see 'cygnet %s%s--help'\n", command, command[0] != '\0' ? " " : "");
    return CLI_USAGE;
}

void cli_print_json(const json_t *value, size_t flags)
{
    json_dumpf(value, stdout, flags | JSON_ENCODE_ANY);
    putchar('\n');
}

const char *cli_text(const json_t *object, const char *key, const char *absent)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text != NULL && text[0] != '\0' ? text : absent;
}

long long cli_number(const json_t *object, const char *key)
{
    return json_integer_value(json_object_get(object, key));
}

const char *cli_age(long long ms, char *ret)
{
    long long s = ms > 0 ? ms / 1000 : 0;

    if (s < 120)
        snprintf(ret, CLI_AGE_MAX, "%llds", s);
    else if (s < 2 * 3600)
        snprintf(ret, CLI_AGE_MAX, "%lldm", s / 60);
    else if (s < 2 * 86400)
        snprintf(ret, CLI_AGE_MAX, "%lldh", s / 3600);
    else
        snprintf(ret, CLI_AGE_MAX, "%lldd", s / 86400);
    return ret;
}
