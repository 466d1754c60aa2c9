/*
 * X.509 certificates as IKE uses them (RFC 4945): what one says, whether it speaks for an identity,
 * and whether a chain leads from it to a trusted authority at a given time. A trust holds anchors
 * and revocation lists and is not changed by checking, so checks may run in several threads.
 * Nothing is fetched: lists and intermediate certificates come from the caller.
 */
#ifndef CYGNET_CRYPTO_CERTIFICATE_H
#define CYGNET_CRYPTO_CERTIFICATE_H

#include "base/addr.h"
#include "crypto/key.h"

struct certificate; /* free with certificate_free() */

enum { CERTIFICATE_MAX = 16384, CERTIFICATE_CA_HASH_LEN = 20 };

/* ERR_VALUE: not DER, or more than CERTIFICATE_MAX octets. ERR_UNSUPPORTED: a key that is none of
 * ours. */
MUST_USE enum err certificate_from_der(struct view der, struct certificate **ret);
/* The first certificate in a PEM text; *ret_rest is what follows it. ERR_MISSING: there is none. */
MUST_USE enum err certificate_from_pem(struct view pem, struct certificate **ret,
                                       struct view *ret_rest);
void certificate_free(struct certificate *cert);

/* Both valid as long as cert. */
struct view certificate_der(const struct certificate *cert);
struct view certificate_subject(const struct certificate *cert); /* DER of the Name */
const struct public_key *certificate_key(const struct certificate *cert);
bool certificate_is_ca(const struct certificate *cert);
/* SHA-1 of the SubjectPublicKeyInfo, for CERTREQ (RFC 7296 section 3.7). */
MUST_USE enum err certificate_ca_hash(const struct certificate *cert,
                                      uint8_t ret[CERTIFICATE_CA_HASH_LEN]);

/* It speaks for that name, address, mail address or Name: a subjectAltName of the same type, or its
 * subject, which also compares as a Name (RFC 5280 section 7.1). Host names may not have wildcards
 * (RFC 4945 section 3.1.2). */
bool certificate_has_name(const struct certificate *cert, struct view fqdn);
bool certificate_has_email(const struct certificate *cert, struct view email);
bool certificate_has_addr(const struct certificate *cert, const struct ip_addr *addr);
bool certificate_has_subject(const struct certificate *cert, struct view name_der);

/* "C=CH, O=Example, CN=gw"; cut off where it does not fit. "?" if it is no Name. */
#define X500_NAME_TEXT_MAX 256
char *x500_name_format(struct view name_der, char *ret);
/* And back, for configuration: types in short form, separated by commas. ERR_VALUE: not such a
 * text. ret holds X500_NAME_TEXT_MAX octets. */
MUST_USE enum err x500_name_parse(const char *text, uint8_t *ret, size_t *ret_len);
/* Two Names are the same, though perhaps written in other string types or cases. */
bool x500_name_equal(struct view a, struct view b);

enum trust_crl {
    TRUST_CRL_IF_PRESENT, /* a list we have is obeyed, even when it is out of date; none is no
                             objection */
    TRUST_CRL_REQUIRED,   /* every certificate below the anchor needs a current list */
};

struct trust;
MUST_USE enum err trust_new(enum trust_crl policy, struct trust **ret);
void trust_free(struct trust *trust);
/* A certificate authority in DER, trusted as it is. ERR_VALUE: not a CA certificate. */
MUST_USE enum err trust_add_anchor(struct trust *trust, struct view der);
/* A revocation list in DER; it counts once its signature is found right, when a chain is checked.
 */
MUST_USE enum err trust_add_crl(struct trust *trust, struct view der);
/* A chain from leaf to an anchor at `unix_s`, in which every certificate is valid, allowed to do
 * what it did, and not revoked; the leaf may be used for signatures. `others` are DER, in any
 * order; what does not parse there is passed over. ERR_AUTH: none; *ret_reason, for people, is
 * static. */
MUST_USE enum err trust_check(const struct trust *trust, const struct certificate *leaf,
                              const struct view *others, size_t count, int64_t unix_s,
                              const char **ret_reason);

#endif
