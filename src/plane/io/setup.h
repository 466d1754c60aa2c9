/*
 * What takes privilege, done once by the parent: TUN devices, sockets, the classifier. The plane
 * gets the descriptors and needs no capability. A parent that keeps them open can start a plane
 * again and again: devices, addresses and the classifier stay, and what nobody reads is dropped.
 */
#ifndef CYGNET_PLANE_IO_SETUP_H
#define CYGNET_PLANE_IO_SETUP_H

#include <sys/types.h>

#include "plane/io/link.h"

/* SO_MARK of all our sockets, which the classifier lets pass, if the setup names none: "CYG" and 1. The daemon
 * takes another one each time it starts, so that nobody comes to rely on it. */
#define PLANE_MARK 0x43594701u

enum plane_fd {
    PLANE_FD_OE,       /* TUN: opportunistic traffic, both ways */
    PLANE_FD_VPN,      /* TUN: configured tunnels */
    PLANE_FD_PUT_BACK, /* TUN: clear datagrams to go on; -1 without eBPF */
    PLANE_FD_ESP_V4,   /* raw, protocol 50 */
    PLANE_FD_ESP_V6,
    PLANE_FD_UDP_V4,   /* UDP encapsulation and IKE behind NAT */
    PLANE_FD_UDP_V6,
    PLANE_FD_AH_V4,    /* raw, protocol 51, header included; -1: refused, and then there is no AH */
    PLANE_FD_AH_V6,
    PLANE_FD_CLEAR_V4, /* raw, header included: clear datagrams to go on without eBPF; else -1 */
    PLANE_FD_CLEAR_V6,
    PLANE_FD_VERDICTS, /* the classifier's map; -1 without eBPF */
    PLANE_FD_COUNTERS,
    PLANE_FD_NETS,     /* the classifier's map of tunnels' destinations */
    PLANE_FD_COUNT
};

struct plane_fds {
    int fd[PLANE_FD_COUNT]; /* -1: not there (IPv6 switched off, no eBPF) */
};

enum plane_classifier { PLANE_CLASSIFIER_AUTO, PLANE_CLASSIFIER_EBPF, PLANE_CLASSIFIER_ROUTING };

struct plane_setup {
    struct outside outside;                 /* one of them has to be there */
    const char *oe_name, *vpn_name, *put_back_name; /* NULL: "oe0", "vpn0", "clear0" */
    uint16_t udp_port;                      /* 0: 4500 */
    uint32_t mark;                          /* 0: PLANE_MARK */
    enum plane_classifier classifier;
    bool refuse_clear; /* of a pair with a tunnel, what arrives in clear; with eBPF only */
    bool exempt; /* packets of user exempt_uid (the resolver) pass; never of the overflow user */
    uid_t exempt_uid;
};

struct io_classifier;

/* What came out of it, for the configuration of the plane and the log. */
struct plane_setup_result {
    struct plane_fds fds;
    struct outside outside;
    uint32_t attached[OUTSIDE_MAX];   /* the index of each; 0: it isn't there */
    uint32_t refused[OUTSIDE_MAX];    /* the index of one that the classifier can't be attached to */
    uint32_t mark;
    bool guarded;
    struct io_classifier *programs;   /* NULL without eBPF */
    enum plane_classifier classifier; /* EBPF or ROUTING */
    struct io_fault why_routing;      /* with AUTO: why eBPF was refused */
    struct io_fault why_unguarded;    /* unless guarded: why not */
};

MUST_USE bool plane_setup(const struct plane_setup *setup, struct plane_setup_result *ret,
                          struct io_fault *fault);
/* A change of an interface that plane_setup_follow() has dealt with. */
struct plane_setup_change {
    const char *name;
    bool attached; /* it came, or came back; false: it has gone, or was refused */
    bool refused;  /* nothing leaves it: `fault` says why */
    struct io_fault fault;
};

/*
 * Looks at the outside interfaces anew, after a change of links: the classifier is attached to those
 * that have come. True: ret says what became of one; call again. Until then nothing leaves such an
 * interface but what stays on its link (guard.h).
 */
bool plane_setup_follow(struct plane_setup_result *result, struct plane_setup_change *ret);
/* An orderly stop: the classifier or the rules are taken away and the descriptors closed. */
void plane_setup_undo(struct plane_setup_result *result);

#endif
