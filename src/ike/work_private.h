/*
 * What a piece of work is made of, for defer.c, which asks for it, and work.c, which does it. Plain
 * data: what is asked, then, after ike_work_run(), what came of it.
 */
#ifndef CYGNET_IKE_WORK_PRIVATE_H
#define CYGNET_IKE_WORK_PRIVATE_H

#include "crypto/dh.h"
#include "crypto/kex.h"
#include "crypto/key.h"
#include "ike/blob.h"
#include "ike/certify.h"
#include "ike/work.h"

enum ike_work_kind {
    IKE_WORK_KEX_NEW,     /* method -> new_kex */
    IKE_WORK_KEX_FINISH,  /* kex, octets = the reply -> secret */
    IKE_WORK_KEX_RESPOND, /* method, octets = the request -> reply, secret */
    IKE_WORK_DH_NEW,      /* method -> new_dh */
    IKE_WORK_DH_SHARED,   /* dh, octets = the peer's value -> secret */
    IKE_WORK_VERIFY,      /* key, scheme, octets = the message, signature */
    IKE_WORK_CERTIFY,     /* terms -> key, reason */
    IKE_WORK_KINDS
};

struct ike_work {
    enum ike_work_kind kind;
    bool urgent;
    bool stranger; /* counted as such, ... */
    uint16_t slot; /* ... and for where it came from */
    uint16_t method;
    enum signature_scheme scheme; /* UNKNOWN: that of IKEv1 */
    struct kex *kex;              /* a reference of its own */
    struct dh *dh;                /* the same */
    struct public_key key;
    struct blob octets, signature;
    struct certify_terms *terms;

    bool ran;
    enum err err;
    struct kex *new_kex;
    struct dh *new_dh;
    const char *reason; /* static */
    uint8_t secret[KEX_SECRET_MAX];
    uint8_t reply[KEX_VALUE_MAX];
};

_Static_assert(DH_MAX <= KEX_SECRET_MAX, "a secret of either fits");

/* Both ask for the same thing. */
bool ike_work_same(const struct ike_work *a, const struct ike_work *b);

#endif
