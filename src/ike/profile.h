/*
 * Peers that the administrator configured, as the keying engine needs them: who they are, how each
 * side proves it, and what may be negotiated. The caller owns everything a profile points to and
 * keeps it until the engine has other profiles (ike_reconfigure()) or is freed; private keys are
 * never here, only a number under which the keeper knows them.
 *
 * A responder looks for a profile by addresses first and by the identity the peer claims afterwards
 * (OE-114, IKE-054, IKE-056); the first in order that fits is taken. A peer that fits none is a
 * stranger: its keys are asked for (NEED_KEYS), as opportunistic encryption wants it.
 */
#ifndef CYGNET_IKE_PROFILE_H
#define CYGNET_IKE_PROFILE_H

#include "crypto/key.h"
#include "ike/proposal.h"
#include "wire/identity.h"
#include "wire/sa.h"
#include "wire/traffic.h"

enum ike_version { IKE_ANY_VERSION, IKE_VERSION_1, IKE_VERSION_2 };

enum ike_method {
    IKE_BY_NOTHING,     /* not given */
    IKE_BY_PSK,         /* IKE-012 */
    IKE_BY_KEY,         /* a signature by a key the other side knows (IKE-056) */
    IKE_BY_CERTIFICATE, /* a signature by a certified key (IKE-057) */
    IKE_BY_ENCRYPTION,  /* RFC 2409 section 5.2 (IKE-014) */
    IKE_BY_REVISED_ENCRYPTION, /* RFC 2409 section 5.3 */
    IKE_BY_NULL,        /* RFC 7619: not authenticated at all, and shown as such */
};

/* How we sign with an RSA key (RFC 7427): no peer says what it takes. */
enum ike_padding {
    IKE_PADDING_AUTO, /* PSS; PKCS #1 v1.5 for who signs so itself, or doesn't believe PSS */
    IKE_PADDING_PSS,
    IKE_PADDING_PKCS1,
};
/* RFC 9329. AUTO: UDP first, and TCP when nothing answers. As a responder, AUTO and ALWAYS are the same. */
enum ike_tcp { IKE_TCP_NEVER, IKE_TCP_AUTO, IKE_TCP_ALWAYS };

enum { IKE_PROFILE_NAME = 32 };

struct ike_profile {
    uint32_t number;             /* the caller's, not zero */
    char name[IKE_PROFILE_NAME]; /* for people */
    enum ike_version version;    /* ANY: begin with version 2, accept both */
    bool aggressive;             /* IKEv1: Aggressive instead of Main Mode; never taken unless set (IKE-042) */
    bool legacy;                 /* 3DES, MD5, SHA-1, groups 2 and 5 too */
    struct ip_addr local;        /* family 0: any */
    struct ip_prefix remote;     /* where it may come from; family 0: anywhere */
    uint16_t remote_port;        /* where we begin; 0: 500 */
    struct identity own_id;      /* NONE: the local address */
    struct identity peer_id;     /* NONE: any that its credential vouches for */
    enum ike_method own_method, peer_method;
    struct view psk;             /* a shared secret */
    uint32_t own_key;            /* the keeper's number of our private key; 0: the gateway's own */
    const struct public_key *own_public; /* of that private key */
    enum ike_padding padding;    /* if that is an RSA key */
    const struct public_key *peer_keys; /* BY_KEY, BY_ENCRYPTION */
    size_t peer_key_count;
    const struct view *own_chain; /* BY_CERTIFICATE: our certificate, then intermediates, DER */
    size_t own_chain_count;
    const struct view *anchors;   /* certificate authorities, DER */
    size_t anchor_count;
    const struct view *crls;      /* revocation lists, DER */
    size_t crl_count;
    bool crl_required;            /* no list, no trust */
    struct view ppk, ppk_id;      /* RFC 8784 */
    bool ppk_required;
    uint16_t additional[7];       /* RFC 9370: key exchanges after the first, by number; 0 ends */
    bool ah;                      /* children are AH instead of ESP; never through a NAT */
    uint16_t pfs_group;           /* IKEv1 Quick Mode and IKEv2 re-keys; 0: as the IKE SA; 0xffff: none */
    bool fragmentation_off;       /* RFC 7383 */
    bool mobike_off;              /* RFC 4555 */
    bool addrmgmt;                /* draft-dupont-ikev2-addrmgmt-06 where the peer has it, before MOBIKE */
    bool any_address_id;          /* the peer's ID may be another address than the one it comes from (ADR-090) */
    const struct traffic_pair *stays; /* children within these keep their addresses (ADR-015) */
    size_t stay_count;
    bool policy_stays;            /* ADR-040: where a peer has moved to counts for its SAs alone */
    bool resumption;              /* RFC 5723: tickets are asked for, given and taken */
    uint8_t tcp;                  /* enum ike_tcp */
    uint16_t tcp_port;            /* where the peer takes it; 0: 4500 */
    bool childless;               /* RFC 6023: no child in IKE_AUTH, where the peer can do without */
    uint32_t dpd_s;               /* ask a silent peer after so long; 0: 30 */
    uint32_t ike_lifetime_s, child_lifetime_s; /* 0: as the engine's */
    struct ip_addr pool_first, pool_last; /* virtual addresses to lend (CFG_REQUEST); family 0: none */
    bool want_address;            /* ask the peer for one */
};

enum { IKE_NO_PFS = 0xffff };

#endif
