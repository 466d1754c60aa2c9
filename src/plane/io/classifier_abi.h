/*
 * What the classifier's eBPF programs and the program that loads them share: keys, verdicts,
 * settings and counters. Plain types only, the same on both sides.
 */
#ifndef CYGNET_PLANE_IO_CLASSIFIER_ABI_H
#define CYGNET_PLANE_IO_CLASSIFIER_ABI_H

#include <linux/types.h>

/* A source and destination pair as datagrams travel out, after source NAT. */
struct classifier_key {
    __u8 family; /* 4 or 6 */
    __u8 unused[3];
    __u8 src[16]; /* an IPv4 address takes the first four octets, the others are zero */
    __u8 dst[16];
};

enum classifier_verdict {
    CLASSIFIER_NONE, /* not in the map: into vpn0 or oe0, by destination */
    CLASSIFIER_PASS,
    CLASSIFIER_DENY,
    CLASSIFIER_ENCRYPT, /* a tunnel's: as without verdict, and not to be had in clear */
};

/* A destination net of configured tunnels: what has no verdict and goes there goes into vpn0. */
struct classifier_net {
    __u32 bits; /* of what follows, from its first octet */
    __u8 family; /* 4 or 6 */
    __u8 addr[16];
    __u8 unused[3];
};

enum { CLASSIFIER_NET_FAMILY_BITS = 8, CLASSIFIER_NETS = 131072 };

struct classifier_value {
    __u64 used_ns; /* CLOCK_MONOTONIC, within a second; 0: never used */
    __u32 verdict;
    __u32 unused;
};

struct classifier_settings {
    __u32 mark;        /* packets of our own sockets carry it */
    __u32 oe_ifindex;
    __u32 vpn_ifindex;
    __u32 outside_ifindex; /* the only outside interface; 0: there are several */
    __u32 exempt_uid;  /* the resolver's packets; CLASSIFIER_NO_UID: nobody's */
    __u32 refuse_clear; /* for the loader: attach what drops clear datagrams of pairs with a tunnel */
};

#define CLASSIFIER_NO_UID 0xffffffffu

enum {
    CLASSIFIER_ENTRIES = 262144, /* above LIMIT_SPD; memory is taken as entries come */
    CLASSIFIER_WAYS = 65536,     /* pairs whose outside interface is remembered, the latest */
};

#define CLASSIFIER_COUNTERS(X)                                                                     \
    X(PASS, "classifier_pass")                                                                     \
    X(DENY, "classifier_deny")                                                                     \
    X(OE, "classifier_oe")                                                                         \
    X(VPN, "classifier_vpn")                                                                       \
    X(OWN, "classifier_own")             /* by mark or user */                                     \
    X(LINK_SCOPE, "classifier_link_scope") /* multicast, broadcast, link-local, ND */              \
    X(NOT_IP, "classifier_not_ip")                                                                 \
    X(SHORT, "classifier_short")         /* dropped */                                             \
    X(CLEAR_IN, "classifier_clear_in")   /* came in clear and should have been encrypted: dropped */    \
    X(PUT_BACK, "classifier_put_back")   /* clear datagrams on their ordinary way again */         \
    X(NO_WAY, "classifier_no_way")       /* whose interface is not known any more: dropped */

enum classifier_counter {
#define CLASSIFIER_COUNTER_ENUM(name, text) CLASSIFIER_COUNT_##name,
    CLASSIFIER_COUNTERS(CLASSIFIER_COUNTER_ENUM)
#undef CLASSIFIER_COUNTER_ENUM
        CLASSIFIER_COUNTER_COUNT
};

#endif
