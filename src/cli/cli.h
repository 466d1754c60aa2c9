/*
 * `cygnet`, what a person types: one function a subcommand, and what they share. A subcommand gets
 * its own arguments (argv[0] is its name), prints results to standard output and mistakes with
 * their remedy to standard error, and returns an exit status.
 */
#ifndef CYGNET_CLI_CLI_H
#define CYGNET_CLI_CLI_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

enum { CLI_OK = 0, CLI_FAILED = 1, CLI_USAGE = 2 };
enum { CLI_SOCKETS = 16 };

#define CLI_DEFAULT_CONTROL "/run/cygnet/control.sock"
#define CLI_DEFAULT_CONFIG "/etc/cygnet/cygnet.yaml"
#define CLI_DEFAULT_KEY "/etc/cygnet/private.pem"

int cli_status(int argc, char **argv);
int cli_why(int argc, char **argv);
int cli_trace(int argc, char **argv);
/* `socket` is asked if none is named; NULL: the default. */
int cli_trace_of(int argc, char **argv, const char *socket);
int cli_name(int argc, char **argv);
int cli_keys(int argc, char **argv);
int cli_check(int argc, char **argv);
int cli_reload(int argc, char **argv);
int cli_model(int argc, char **argv);
int cli_up(int argc, char **argv);
int cli_down(int argc, char **argv);
int cli_move(int argc, char **argv);
int cli_rsip(int argc, char **argv);

/* Options that every subcommand knows. */
struct cli_options {
    bool json;
    const char *sockets[CLI_SOCKETS]; /* at least one after cli_options_done() */
    size_t socket_count;
};

#define CLI_OPTIONS                                                                                \
    {"json", no_argument, NULL, 'j'}, {"help", no_argument, NULL, 'h'},                            \
    {"socket", required_argument, NULL, 's'}
#define CLI_OPTION_LETTERS "jhs:"

enum cli_option { CLI_OPTION_TAKEN, CLI_OPTION_OTHER, CLI_OPTION_STOP };
/* One of getopt_long()'s results. STOP: return *ret_status. */
enum cli_option cli_option(struct cli_options *options, int option, const char *usage,
                           int *ret_status);
/* Fills in $CYGNET_CONTROL or the default. */
void cli_options_done(struct cli_options *options);

/* "cygnet: ..." on standard error; returns CLI_FAILED. */
__attribute__((format(printf, 1, 2))) int cli_fail(const char *format, ...);
/* The same for a mistake in the arguments, with a hint at --help; returns CLI_USAGE. */
__attribute__((format(printf, 2, 3))) int cli_misused(const char *command, const char *format, ...);

/* Prints one JSON value for people or programs, with a newline. */
void cli_print_json(const json_t *value, size_t flags);
/* A member's text, or "" (get) or `absent`. */
const char *cli_text(const json_t *object, const char *key, const char *absent);
long long cli_number(const json_t *object, const char *key);
/* Of a status reply. */
void cli_print_connections(const json_t *connections);
/* Of a reply to status or why: the RSIP lease that keying depends on, if there is one. */
void cli_print_lease(const json_t *reply);
/* "3s", "12m", "5h", "2d"; 16 octets. */
#define CLI_AGE_MAX 16
const char *cli_age(long long ms, char *ret);
/* "1 tunnel", "2 tunnels" is `cli_plural(n)` behind the noun. */
static inline const char *cli_plural(long long n)
{
    return n == 1 ? "" : "s";
}

#endif
