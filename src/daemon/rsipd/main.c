/*
 * cygnet-rsipd: reads the configuration, opens what needs privilege, and watches the child.
 */
#include <cap-ng.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "daemon/child.h"
#include "daemon/log.h"
#include "daemon/open.h"
#include "daemon/rsipd/net.h"
#include "daemon/rsipd/own.h"
#include "daemon/rsipd/rsipd.h"
#include "rsip/tunnel.h"
#include "wire/ip.h"

#define DEFAULT_CONFIG "/etc/cygnet/rsip.yaml"

enum { SERVER_MTU = 65535, RESTART_S = 1, STEADY_S = 10 };

static const char usage[] = "usage: cygnet-rsipd [--config FILE] [--check] [--verbose]\n"
                            "\n"
                            "RSIP server or client (RFC 3103, RFC 3104).\n"
                            "\n"
                            "  -c, --config FILE  configuration (default " DEFAULT_CONFIG ")\n"
                            "  -n, --check        check the configuration, then exit\n"
                            "  -v, --verbose      log more\n"
                            "  -h, --help         print this\n";

static struct rsipd_config config;
static struct rsipd_fds fds = {-1, -1, -1, -1, -1, -1};
static volatile sig_atomic_t stopping;
static pid_t child;

static bool read_config(const char *path)
{
    static char text[RSIPD_TEXT_MAX];
    char error[RSIPD_ERROR_MAX];
    FILE *file = fopen(path, "re");
    size_t len = file != NULL ? fread(text, 1, sizeof(text), file) : 0;
    bool ok = file != NULL && !ferror(file) && len < sizeof(text);

    if (file != NULL)
        fclose(file);
    if (!ok) {
        log_line(EVENT_ERROR, "can't read %s: %s", path, strerror(errno));
        return false;
    }
    ok = rsipd_config_parse(view_of(text, len), path, &config, error);
    if (!ok)
        fprintf(stderr, "%s\n", error);
    return ok;
}

static bool open_common(gid_t gid)
{
    static const struct ip_addr any = {.family = IP_V4};
    const struct ip_addr *local = config.server.given ? &config.server.inside : &any;

    fds.tun = net_tun_open(config.device, config.server.given ? SERVER_MTU : NET_TUN_MTU);
    fds.ipip = fds.tun < 0 ? -1 : net_tunnel_socket(IP_PROTO_IPV4, local);
    fds.gre = fds.ipip < 0 ? -1 : net_tunnel_socket(RSIP_PROTO_GRE, local);
    if (fds.gre < 0 || !open_parents(config.control) || !open_is_free(config.control))
        return false;
    fds.control = open_control_socket(config.control, gid);
    return fds.control >= 0;
}

/* The tunnel checks what comes out of the device, better than a reverse path could. */
static bool set_device(void)
{
    char path[96];
    snprintf(path, sizeof(path), "net/ipv4/conf/%s/rp_filter", config.device);
    return net_sysctl(path, "2");
}

/* The pool lies behind the device for the kernel, and its neighbours outside find it here. */
static bool set_pool(bool add)
{
    static const struct ip_addr none = {0};
    bool ok = rsipd_own_set(&config, add);

    for (size_t i = 0; i < config.server.range_count; i++) {
        if (config.server.ranges[i].own)
            continue;
        const struct ip_prefix *prefix = &config.server.ranges[i].prefix;
        uint32_t count = UINT32_C(1) << (ip_addr_bits(&prefix->addr) - prefix->bits);
        uint32_t first = (uint32_t)prefix->addr.octets[0] << 24 | prefix->addr.octets[1] << 16 |
                         prefix->addr.octets[2] << 8 | prefix->addr.octets[3];
        if (add)
            ok = net_route(config.device, prefix, &none, true) && ok;
        for (uint32_t n = 0; n < count && ok; n++) {
            struct ip_addr addr = ip_addr_v4(first + n);
            ok = net_proxy(config.server.outside, &addr, add);
        }
    }
    return ok;
}

static bool pool_is_sane(void)
{
    for (size_t i = 0; i < config.server.range_count; i++) {
        const struct ip_prefix *prefix = &config.server.ranges[i].prefix;
        if (prefix->addr.family != IP_V4 || prefix->bits < 20) {
            log_line(EVENT_ERROR, "a range of the pool is not IPv4, or larger than a /20");
            return false;
        }
    }
    return true;
}

static bool open_server(uid_t uid, gid_t gid)
{
    const struct rsipd_server *server = &config.server;

    if (!pool_is_sane() || !open_common(gid) || !open_state_dir(config.state, uid, gid))
        return false;
    if (!server->tcp_only) /* it still answers, that TCP is wanted (RSIP-146) */
        log_line(EVENT_DEBUG, "UDP and TCP");
    fds.udp = net_message_socket(&server->inside, RSIP_PORT, false);
    fds.tcp = fds.udp < 0 ? -1 : net_message_socket(&server->inside, RSIP_PORT, true);
    return fds.tcp >= 0 && set_device() && net_sysctl("net/ipv4/ip_forward", "1") && set_pool(true);
}

static bool open_client(gid_t gid)
{
    static const struct ip_addr any = {.family = IP_V4};
    if (!open_common(gid) || !net_tun_keep(fds.tun, config.device) || !set_device())
        return false;
    fds.udp = net_message_socket(&any, 0, false);
    return fds.udp >= 0;
}

static bool give_up_privileges(uid_t uid, gid_t gid)
{
    capng_clear(CAPNG_SELECT_BOTH);
    if (config.client.given)
        capng_update(CAPNG_ADD, CAPNG_EFFECTIVE | CAPNG_PERMITTED, CAP_NET_ADMIN);
    if (capng_change_id((int)uid, (int)gid, CAPNG_DROP_SUPP_GRP) != 0)
        return false;
    return prctl(PR_SET_PDEATHSIG, SIGTERM) == 0 && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
           prctl(PR_SET_DUMPABLE, 0) == 0;
}

static int child_main(uid_t uid, gid_t gid)
{
    signal(SIGPIPE, SIG_IGN);
    if (!give_up_privileges(uid, gid)) {
        log_line(EVENT_ERROR, "can't give up privileges");
        return 1;
    }
    return config.server.given ? rsipd_server_main(&config, &fds)
                               : rsipd_client_main(&config, &fds);
}

static void on_stop(int signal_number)
{
    stopping = 1;
    if (child > 0)
        kill(child, signal_number);
}

/* One child after the other, until we are told to stop. */
static int watch_child(uid_t uid, gid_t gid)
{
    const struct sigaction action = {.sa_handler = on_stop};
    int status = 0;

    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGINT, &action, NULL);
    while (!stopping) {
        child = fork();
        if (child == 0) {
            signal(SIGTERM, SIG_DFL);
            signal(SIGINT, SIG_DFL);
            exit(child_main(uid, gid));
        }
        log_line(EVENT_INFO, "process %d works", (int)child);
        while (child > 0 && waitpid(child, &status, 0) < 0 && errno == EINTR)
            continue;
        child = 0;
        if (!stopping) {
            log_line(EVENT_ERROR, "the process ended (%d); it is started again", status);
            sleep(RESTART_S);
        }
    }
    return 0;
}

static int run(void)
{
    uid_t uid;
    gid_t gid;

    if (geteuid() != 0) {
        log_line(EVENT_ERROR, "must be started by root; it gives up what it doesn't need");
        return 1;
    }
    if (!child_user_lookup(config.user, &uid, &gid)) {
        log_line(EVENT_ERROR, "there is no user %s", config.user);
        return 1;
    }
    bool ok = config.server.given ? open_server(uid, gid) : open_client(gid);
    int status = ok ? watch_child(uid, gid) : 1;
    if (config.server.given && fds.tun >= 0)
        set_pool(false);
    if (fds.control >= 0)
        unlink(config.control);
    return status;
}

int main(int argc, char **argv)
{
    static const struct option options[] = {{"config", required_argument, NULL, 'c'},
                                            {"check", no_argument, NULL, 'n'},
                                            {"verbose", no_argument, NULL, 'v'},
                                            {"help", no_argument, NULL, 'h'},
                                            {0}};
    const char *path = DEFAULT_CONFIG;
    bool check = false;
    int option;

    log_open("rsipd");
    while ((option = getopt_long(argc, argv, "c:nvh", options, NULL)) != -1)
        switch (option) {
        case 'c':
            path = optarg;
            break;
        case 'n':
            check = true;
            break;
        case 'v':
            log_threshold(EVENT_DEBUG);
            break;
        case 'h':
            fputs(usage, stdout);
            return 0;
        default:
            fputs("try 'cygnet-rsipd --help'\n", stderr);
            return 2;
        }
    if (optind < argc) {
        fprintf(stderr, "cygnet-rsipd: unexpected '%s'; try 'cygnet-rsipd --help'\n", argv[optind]);
        return 2;
    }
    if (!read_config(path))
        return 1;
    return check ? 0 : run();
}
