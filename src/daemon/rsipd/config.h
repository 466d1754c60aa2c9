/*
 * The configuration of cygnet-rsipd: one YAML file with a `server:` or a `client:` section, parsed
 * into a plain struct with every default filled in. The parser does no IO and says of the first
 * mistake where it is and what to do.
 */
#ifndef CYGNET_DAEMON_RSIPD_CONFIG_H
#define CYGNET_DAEMON_RSIPD_CONFIG_H

#include "rsip/client.h"
#include "rsip/server.h"

enum {
    RSIPD_RANGES = 16,
    RSIPD_POLICIES = 32,
    RSIPD_RULES = 16, /* of one policy */
    RSIPD_LOCALS = 16,
    RSIPD_ROUTES = 16,
    RSIPD_DNS = 4,
    RSIPD_REMOTE_MAX = 254,
    RSIPD_PATH_MAX = 256,
    RSIPD_NAME_MAX = 16, /* of an interface */
    RSIPD_USER_MAX = 32,
    RSIPD_ERROR_MAX = 512,
    RSIPD_TEXT_MAX = 256 * 1024,
};

struct rsipd_policy {
    struct rsip_policy policy; /* its rules are those below, once parsed */
    struct rsip_rule rules[RSIPD_RULES];
    size_t rule_count;
};

struct rsipd_server {
    bool given;
    struct ip_addr inside; /* where hosts reach us: messages and tunnels (RSIP-200) */
    char outside[RSIPD_NAME_MAX];
    struct rsip_range ranges[RSIPD_RANGES];
    size_t range_count;
    struct rsipd_policy policies[RSIPD_POLICIES];
    size_t policy_count;
    struct ip_prefix local[RSIPD_LOCALS];
    size_t local_count;
    struct ip_addr dns[RSIPD_DNS]; /* where names of remote hosts are looked up */
    size_t dns_count;
    bool tcp_only;
    uint32_t hosts, hold_s;
};

struct rsipd_client {
    bool given;
    struct ip_addr server;
    enum rsip_transport transport;
    enum rsip_method method;
    uint32_t ports, spis, lease_s;
    uint32_t first_spi; /* of `spis` in a row, if particular ones are wanted; 0: any */
    enum rsip_tunnel tunnel;
    struct ip_addr address;                /* wanted; family 0: any */
    struct ip_endpoint remote;             /* under a remote flow policy; family 0: none, or ... */
    char remote_name[RSIPD_REMOTE_MAX];    /* ... by its name; empty: none */
    struct ip_prefix routes[RSIPD_ROUTES]; /* reached through the gateway */
    size_t route_count;
    bool set_port_range;       /* RSIP-191: the system's ephemeral ports are the leased ones */
    uint32_t first_timeout_ms; /* RSIP-062; 0: as the RFC recommends */
};

struct rsipd_config {
    char user[RSIPD_USER_MAX];
    char control[108];
    char state[RSIPD_PATH_MAX];
    char device[RSIPD_NAME_MAX];
    struct rsipd_server server;
    struct rsipd_client client;
};

/* False: ret_error holds one line for people, RSIPD_ERROR_MAX octets; ret is undefined. */
MUST_USE bool rsipd_config_parse(struct view text, const char *name, struct rsipd_config *ret,
                                 char *ret_error);

#endif
