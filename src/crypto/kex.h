/*
 * Key exchange methods of IKEv2 by their IANA numbers: Diffie-Hellman over MODP and elliptic curve
 * groups, Curve25519 and Curve448 (RFC 8031), and key encapsulation (ML-KEM) where libcrypto has
 * it. The initiator makes a kex, sends its request and finishes with the reply; the responder
 * answers in one step and keeps nothing. Both checks of RFC 6989 are done here. Slow: a public-key
 * operation each, so the daemon runs them off its loop; safe to call from any thread. A kex never
 * changes once it is made.
 */
#ifndef CYGNET_CRYPTO_KEX_H
#define CYGNET_CRYPTO_KEX_H

#include "base/err.h"
#include "base/rng.h"

struct kex; /* one private value; free with kex_free(), which wipes it */

#define KEX_VALUE_MAX 1568 /* octets of the largest request or reply (ML-KEM-1024) */
#define KEX_SECRET_MAX 1024

/* Can be done on this machine. */
bool kex_method_known(uint16_t method);
/* "curve25519", "ml-kem-768"; "none" for 0; NULL if the number is not known at all. */
const char *kex_method_name(uint16_t method);
/* Encapsulation: the reply depends on the request, and can't be made before it. */
bool kex_method_is_kem(uint16_t method);
size_t kex_request_len(uint16_t method);
size_t kex_reply_len(uint16_t method);
size_t kex_secret_len(uint16_t method);

/* Initiator. ERR_UNSUPPORTED: not on this machine. */
MUST_USE enum err kex_new(uint16_t method, const struct rng *rng, struct kex **ret);
void kex_free(struct kex *kex);
/* Another owner, perhaps in another thread; each of them calls kex_free(). */
struct kex *kex_hold(struct kex *kex);
uint16_t kex_method(const struct kex *kex);
/* Valid as long as kex. */
struct view kex_request(const struct kex *kex);
/* ret_secret holds kex_secret_len() octets. ERR_VALUE: the reply is not acceptable. */
MUST_USE enum err kex_finish(const struct kex *kex, struct view reply, uint8_t *ret_secret);

/* Responder: ret_reply holds kex_reply_len() octets, ret_secret kex_secret_len(). ERR_VALUE: the
 * request is not acceptable. */
MUST_USE enum err kex_respond(uint16_t method, const struct rng *rng, struct view request,
                              uint8_t *ret_reply, uint8_t *ret_secret);

#endif
