/*
 * cygnetd: reads the configuration and becomes the parent, or, run by the parent with --role, one
 * of its children.
 */
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "daemon/child.h"
#include "daemon/config_load.h"
#include "daemon/keeper.h"
#include "daemon/keyd.h"
#include "daemon/log.h"
#include "daemon/parent.h"
#include "daemon/plane_role.h"
#include "daemon/precheck.h"
#include "daemon/resolver.h"

#define DEFAULT_CONFIG "/etc/cygnet/cygnet.yaml"

static const char usage[] =
    "usage: cygnetd [--config FILE] [--check] [--foreground] [--verbose]\n"
    "\n"
    "Opportunistic IPsec daemon.\n"
    "\n"
    "  -c, --config FILE  configuration (default " DEFAULT_CONFIG ")\n"
    "  -n, --check        check the configuration and this machine, then exit\n"
    "  -f, --foreground   stay attached; always so, the option is for scripts that say it\n"
    "  -v, --verbose      log more\n"
    "  -V, --version      print the version\n"
    "  -h, --help         print this\n";

struct arguments {
    const char *config;
    const char *role;
    bool check;
};

/* Large; one a process. */
static struct cygnet_config config;

static int child_main(const char *name)
{
    enum child_role role;
    struct child child;

    if (!child_role_parse(name, &role) || fcntl(CHILD_FD_PARENT, F_GETFD) < 0) {
        fprintf(stderr, "cygnetd: --role is for cygnetd's own use\n");
        return 2;
    }
    child_init(role, &child);
    if (!child_read_config(CHILD_FD_CONFIG, &config))
        return 1;
    close(CHILD_FD_CONFIG);

    switch (role) {
    case CHILD_KEYD:
        return keyd_process_main(&config, &child);
    case CHILD_PLANE:
        return plane_role_main(&config, &child);
    case CHILD_KEEPER:
        return keeper_process_main(&config, &child);
    case CHILD_RESOLVER:
        return resolver_process_main(&config, &child);
    case CHILD_ROLE_COUNT:
        break;
    }
    return 2;
}

static void print_problem(void *ctx, enum precheck_result result, const char *text)
{
    static const char *const words[] = {
        [PRECHECK_ERROR] = "error", [PRECHECK_WARNING] = "warning", [PRECHECK_UNKNOWN] = "unknown"};
    (void)ctx;
    fprintf(stderr, "cygnetd: %s: %s\n", words[result], text);
}

static int daemon_main(const struct arguments *arguments)
{
    char error[CONFIG_ERROR_MAX];
    size_t len;
    char *text = config_load(arguments->config, &config, &len, error);
    int status = 1;

    if (text == NULL)
        fprintf(stderr, "%s\n", error);
    else if (arguments->check)
        status = precheck_run(&config, print_problem, NULL) == 0 ? 0 : 1;
    else
        status = parent_main(&config, arguments->config, text, len);
    free(text);
    return status;
}

/* -1: go on; else the exit status. */
static int read_arguments(int argc, char **argv, struct arguments *ret)
{
    static const struct option options[] = {
        {"config", required_argument, NULL, 'c'},
        {"check", no_argument, NULL, 'n'},
        {"foreground", no_argument, NULL, 'f'},
        {"verbose", no_argument, NULL, 'v'},
        {"version", no_argument, NULL, 'V'},
        {"help", no_argument, NULL, 'h'},
        {"role", required_argument, NULL, 'r'},
        {0},
    };
    int option;

    while ((option = getopt_long(argc, argv, "c:nfvVh", options, NULL)) != -1) {
        switch (option) {
        case 'c':
            ret->config = optarg;
            break;
        case 'n':
            ret->check = true;
            break;
        case 'f':
            break;
        case 'v':
            setenv("CYGNET_VERBOSE", "1", 1);
            break;
        case 'V':
            puts("cygnetd " CYGNET_VERSION);
            return 0;
        case 'h':
            fputs(usage, stdout);
            return 0;
        case 'r':
            ret->role = optarg;
            break;
        default:
            fputs("try 'cygnetd --help'\n", stderr);
            return 2;
        }
    }
    if (optind == argc)
        return -1;
    fprintf(stderr, "cygnetd: unexpected '%s'; try 'cygnetd --help'\n", argv[optind]);
    return 2;
}

int main(int argc, char **argv)
{
    struct arguments arguments = {.config = DEFAULT_CONFIG};
    int status = read_arguments(argc, argv, &arguments);

    if (status >= 0)
        return status;
    if (getenv("CYGNET_VERBOSE") != NULL) /* children inherit it */
        log_threshold(EVENT_DEBUG);
    return arguments.role != NULL ? child_main(arguments.role) : daemon_main(&arguments);
}
