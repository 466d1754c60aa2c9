/*
 * The configuration: a plain struct with every default filled in, parsed from YAML text. The parser
 * does no IO (the caller reads the file) and gives the same result for the same text. It stops at
 * the first mistake and says where it is, what is wrong and what to do, as
 * `FILE:LINE:COLUMN: what is wrong; remedy`. Needed is one line: `outside: eth0`.
 *
 * Policy files, one class each with a prefix a line, may follow the YAML text, each as a zero octet,
 * its path, a zero octet and its own text (config_load.h puts them there).
 */
#ifndef CYGNET_DAEMON_CONFIG_H
#define CYGNET_DAEMON_CONFIG_H

#include "oe/oe.h"
#include "plane/io/outside.h"
#include "tunnel/tunnel.h"

enum {
    CONFIG_FORWARDERS = 8,
    CONFIG_STUB_ADDRESSES = 8,
    CONFIG_PATH_MAX = 256,
    CONFIG_CONTROL_MAX = 108, /* what a socket address holds */
    CONFIG_USER_MAX = 32,
    CONFIG_ERROR_MAX = 512,
    CONFIG_TEXT_MAX = 1024 * 1024, /* a longer file is refused */
    CONFIG_CONNECTIONS = 1024,
    CONFIG_SELECTORS = 2048,       /* pairs of nets in all connections */
    CONFIG_STRINGS = 256 * 1024,   /* octets of their paths and keys */
    CONFIG_END_FILES = 8,          /* of one kind at one end */
    CONFIG_PRIVATE_KEYS = 32,      /* different ones, beside the gateway's */
};

/* What becomes of flows while the daemon is stopped on purpose. */
enum config_on_stop {
    CONFIG_STOP_OPEN,   /* all go in clear */
    CONFIG_STOP_CLOSED, /* those that policy forbids in clear are dropped */
};

enum config_classifier {
    CONFIG_CLASSIFIER_AUTO,
    CONFIG_CLASSIFIER_EBPF,
    CONFIG_CLASSIFIER_ROUTING
};

struct config_dns {
    struct ip_endpoint forwarders[CONFIG_FORWARDERS];
    size_t forwarder_count;              /* 0: ask the root servers */
    char trust_anchor[CONFIG_PATH_MAX];  /* DS or DNSKEY records */
    bool trust_anchor_given;             /* false: the default file, which need not exist */
    bool require_dnssec;                 /* an unsigned delegation counts as absent (OE-007) */
    bool unsigned_only_to_self;          /* OE-055, OE-056 */
    bool ask_ipseckey;                   /* OE-138; on by default */
};

/* Where the stub resolver listens; none: there is none. */
struct config_stub {
    struct ip_endpoint listen[CONFIG_STUB_ADDRESSES];
    size_t listen_count;
};

/* Whom the children run as: names or numbers. */
struct config_users {
    char keyd[CONFIG_USER_MAX];
    char plane[CONFIG_USER_MAX];
    char resolver[CONFIG_USER_MAX];
    char keeper[CONFIG_USER_MAX];
};

struct config_lifespans {
    uint32_t first_s, normal_s, low_s; /* OE-097, OE-098, OE-062 */
};

/* How much strangers may make us hold at once (OE-194). */
struct config_limits {
    uint32_t half_open, instances, lookups;
    bool cookies; /* every stranger is asked for one */
    enum ike_puzzles puzzles; /* RFC 8019 */
    uint32_t puzzle_bits;
};

/* Where a text begins in cygnet_config.strings; 0: not given. */
typedef uint32_t config_string;

struct config_files {
    uint8_t count;
    config_string at[CONFIG_END_FILES];
};

/* One end of a connection. */
struct config_end {
    struct ip_prefix address;   /* family 0: any */
    uint16_t port;              /* remote: where IKE is begun; 0: 500 */
    struct identity id;         /* NONE: not given */
    enum ike_method auth;
    struct config_files keys;   /* local: the private key; remote: public keys, files or base64 */
    struct config_files chain;  /* local: certificates, ours first */
    struct config_files ca, crl; /* remote */
    bool crl_required;
    uint32_t tcp_port;          /* remote: where it takes TCP; 0: 4500 */
};

struct config_connection {
    char name[IKE_PROFILE_NAME];
    enum ike_version version;
    bool aggressive, want_address, fragmentation_off, mobike_off, ppk_required, childless, resumption;
    bool addrmgmt, policy_stays, any_address_id; /* as of struct ike_profile */
    bool ah; /* instead of ESP */
    enum ike_padding rsa_padding;
    enum ike_tcp tcp;
    struct config_end local, remote;
    config_string secret, ppk, ppk_id;
    uint16_t additional[7]; /* RFC 9370 */
    struct ip_prefix pool;      /* family 0: none */
    uint32_t first_selector, selector_count;
    uint32_t ike_lifetime_s, child_lifetime_s, dpd_s, pfs_group;
};

struct cygnet_config {
    struct outside outside; /* in order of preference, at least one */
    char key[CONFIG_PATH_MAX];
    char control[CONFIG_CONTROL_MAX];
    char state[CONFIG_PATH_MAX];
    struct identity identity; /* IDENTITY_NONE: the address of an outside interface */
    struct config_dns dns;
    struct config_stub stub;
    struct config_users users;
    struct config_lifespans lifespans;
    struct config_limits limits;
    uint32_t wait_s;          /* for a silent gateway (OE-061) */
    bool legacy_algorithms;   /* 3DES, MD5, SHA-1, groups 2 and 5 */
    bool leased_spis;         /* inbound SPIs come from cygnet-rsipd, with the outside interface */
    bool icmp_on_deny;        /* OE-028 */
    enum config_classifier classifier;
    enum config_on_stop on_stop;
    bool refuse_clear; /* of a flow with a tunnel, what arrives in clear (RFC 4301 section 5.2) */
    enum ike_nat nat;         /* RFC 3947 */
    uint32_t tcp_port;        /* where IKE and ESP are taken through TCP (RFC 9329); 0: nowhere */
    enum address_check address_check; /* RFC 4555 section 3.7 */
    enum oe_return return_tunnel; /* OE-168 */
    char policy_files[CONFIG_PATH_MAX]; /* the directory of policy files */
    bool policy_files_given; /* false: the default one, which need not exist */
    enum oe_class_kind fallback; /* where no policy line matches (OE-042) */
    /* Sources x destinations of every policy line. Without a policy: one OE-permissive class for
     * everything (OE-039). */
    size_t class_count;
    struct oe_class classes[LIMIT_CLASSES];
    char crash_secret[CONFIG_PATH_MAX]; /* a file; RFC 6290; "": no tokens are made */
    char ticket_secret[CONFIG_PATH_MAX]; /* the same for RFC 5723; "": tickets end with keyd */
    char key_export[CONFIG_PATH_MAX]; /* the directory for Wireshark's key tables; "": none */
    size_t connection_count, selector_count, string_octets;
    struct config_connection connections[CONFIG_CONNECTIONS];
    struct tunnel_selector selectors[CONFIG_SELECTORS]; /* of the first connection, the second ... */
    char strings[CONFIG_STRINGS];
};

static inline const char *config_text(const struct cygnet_config *config, config_string at)
{
    return config->strings + at;
}

/* The files with private keys of connections, each once: their numbers at the keeper are 1, 2, ...
 * NULL: no more. */
const char *config_private_key(const struct cygnet_config *config, size_t number);
/* 0: it is the gateway's own, or none is given. */
uint32_t config_key_number(const struct cygnet_config *config,
                           const struct config_connection *connection);

/* False: ret_error holds one line for people, CONFIG_ERROR_MAX octets; ret is untouched.
 * `name` stands for FILE in it. */
MUST_USE bool config_parse(struct view text, const char *name, struct cygnet_config *ret,
                           char *ret_error);

#endif
