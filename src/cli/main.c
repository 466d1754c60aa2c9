/*
 * The list of subcommands.
 */
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"

static const struct command {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *summary;
} commands[] = {
    {"status", cli_status, "tunnels, flows and processes of the running daemon"},
    {"why", cli_why, "why a flow is encrypted, clear, held or denied"},
    {"trace", cli_trace, "what happened, as lines, JSON or a message ladder"},
    {"name", cli_name, "tell the daemon of a name's addresses, from a resolver's hook"},
    {"keys", cli_keys, "make a key, show it, print the DNS records to publish"},
    {"rsip", cli_rsip, "leases of the running RSIP server or client"},
    {"up", cli_up, "make the tunnels of a configured connection now"},
    {"down", cli_down, "end the tunnels of a configured connection"},
    {"move", cli_move, "have the tunnels of a configured connection use other addresses"},
    {"reload", cli_reload, "have the daemon read its configuration again"},
    {"check", cli_check, "check a configuration file and this machine"},
    {"model", cli_model, "draw and check protocol models"},
};

enum { COMMAND_COUNT = sizeof(commands) / sizeof(commands[0]) };

static void print_usage(FILE *to)
{
    fputs("usage: cygnet COMMAND [OPTION...] [ARGUMENT...]\n\nOpportunistic IPsec.\n\n", to);
    for (size_t i = 0; i < COMMAND_COUNT; i++)
        fprintf(to, "  %-8s %s\n", commands[i].name, commands[i].summary);
    fputs("  version  print the version\n"
          "  help     print this, or help about a command\n"
          "\n'cygnet COMMAND --help' says more. Every command but model takes --json.\n",
          to);
}

static const struct command *find(const char *name)
{
    for (size_t i = 0; i < COMMAND_COUNT; i++)
        if (strcmp(commands[i].name, name) == 0)
            return &commands[i];
    return NULL;
}

static int unknown(const char *name)
{
    fprintf(stderr, "cygnet: there is no command '%s'\n", name);
    print_usage(stderr);
    return CLI_USAGE;
}

static int help(int argc, char **argv)
{
    char option[] = "--help", *arguments[] = {NULL, option, NULL};
    const struct command *command;

    if (argc < 3) {
        print_usage(stdout);
        return CLI_OK;
    }
    command = find(argv[2]);
    if (command == NULL)
        return unknown(argv[2]);
    arguments[0] = argv[2];
    return command->run(2, arguments);
}

static int version(int argc, char **argv)
{
    if (argc > 2 && strcmp(argv[2], "--json") == 0)
        puts("{\"version\":\"" CYGNET_VERSION "\"}");
    else
        puts("cygnet " CYGNET_VERSION);
    return CLI_OK;
}

int main(int argc, char **argv)
{
    signal(SIGPIPE, SIG_IGN);
    if (argc < 2) {
        print_usage(stderr);
        return CLI_USAGE;
    }
    const char *name = argv[1];
    if (strcmp(name, "help") == 0 || strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0)
        return help(argc, argv);
    if (strcmp(name, "version") == 0 || strcmp(name, "--version") == 0)
        return version(argc, argv);
    const struct command *command = find(name);
    return command != NULL ? command->run(argc - 1, argv + 1) : unknown(name);
}
