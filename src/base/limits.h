/*
 * Every limit of the program, in one place. Those an administrator may change have the same names
 * in the configuration; these are their defaults or their hard tops.
 */
#ifndef CYGNET_BASE_LIMITS_H
#define CYGNET_BASE_LIMITS_H

enum {
    LIMIT_REASON = 256,          /* octets of a reason told to people, with the final zero */

    /* DNS */
    LIMIT_GATEWAYS = 8,          /* gateways kept from one delegation answer */
    LIMIT_GATEWAY_KEYS = 4,      /* keys kept for one gateway */
    LIMIT_KEY_OCTETS = 1028,     /* a public key in RFC 3110 form: RSA up to 8192 bits */
    LIMIT_DNS_NAME = 256,
    LIMIT_DNS_RECORDS = 32,      /* records looked at in one answer */
    LIMIT_LOOKUPS = 1000,        /* DNS questions in flight (OE-194) */
    LIMIT_LOOKUPS_WAITING = 10000, /* those that wait for their turn (OE-194) */
    LIMIT_DNS_CACHE = 10000,     /* answers kept until they expire */
    LIMIT_DNS_TTL_S = 86400,     /* no answer is believed for longer */
    LIMIT_LOOKUP_MS = 8000,      /* a question without an answer by then has timed out */
    LIMIT_NAMED_ADDRESSES = 10000, /* addresses of which a forward name is known */
    LIMIT_ADDRESS_NAMES = 4,     /* forward names kept of one address */

    /* IKE */
    LIMIT_IKE_DATAGRAM = 65535 - 28,
    LIMIT_HALF_OPEN = 10000,     /* phase 1 SAs not yet authenticated (OE-194) */
    LIMIT_IKE_SAS = 100000,
    LIMIT_IKE_OFFER = 4096,      /* octets of an SA payload that are kept for a stranger (OE-194) */
    LIMIT_IKE_TRANSFORMS = 16,   /* transforms looked at in one proposal */
    LIMIT_IKE_PROPOSALS = 16,
    LIMIT_IKE_PAYLOADS = 32,
    LIMIT_IKE_LIFE_MIN_S = 300,  /* what a peer offers below these doesn't shorten our SAs: it may end */
    LIMIT_CHILD_LIFE_MIN_S = 120, /* them with a Delete, but not make us key for ever (OE-194) */
    LIMIT_CHILD_OCTETS_MIN = 16 * 1024 * 1024,
    LIMIT_RSA_BITS_MIN = 2048,   /* of a peer's key, without the legacy algorithms */
    LIMIT_IKE2_TRANSFORMS = 40,  /* in one proposal of IKEv2, which lists every algorithm in it */
    LIMIT_IKE_SELECTORS = 16,    /* in one TS payload */
    LIMIT_IKE_ATTRIBUTES = 32,   /* in one configuration payload */
    LIMIT_NONCE_MIN = 8,         /* RFC 2409 section 5 */
    LIMIT_NONCE_MAX = 256,

    /* OE */
    LIMIT_INSTANCES = 100000,    /* connection instances (OE-194) */
    LIMIT_CLASSES = 1024,        /* policy lines */

    /* plane */
    LIMIT_SPD = 200000,
    LIMIT_SAD = 200000,
    LIMIT_RULES = 100000,        /* traffic of configured tunnels */
    LIMIT_HELD_OCTETS = 64 * 1024 * 1024, /* all held datagrams together (OE-023) */
    LIMIT_REPLAY_WINDOW = 2048,
    LIMIT_BURST = 32,
    LIMIT_PACKET = 65536,        /* the largest datagram or super-packet */
    LIMIT_HEADROOM = 128,        /* in front of a packet: outer headers */
    LIMIT_TAILROOM = 64,         /* behind it: ESP trailer and ICV */

    /* RSIP */
    LIMIT_RSIP_ADDRESSES = 4096, /* public addresses to lease */
    LIMIT_RSIP_HOSTS = 100000,   /* registered at a time */
    LIMIT_RSIP_REMOTES = 4,      /* addresses that a remote name stands for in one bind */
    LIMIT_RSIP_FRAGMENTS = 256,  /* datagrams being put together */
    LIMIT_L2TP_TUNNELS = 4,      /* of one host, those that are being set up included */
    LIMIT_L2TP_HOSTS = 16384,    /* that have any */
    LIMIT_RSIP_FRAGMENT_OCTETS = 4 * 1024 * 1024, /* all of them together */

    /* channel between keyd and plane */
    LIMIT_PFKEY_MESSAGE = 4096,
};

#endif
