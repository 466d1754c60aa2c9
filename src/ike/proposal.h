/*
 * What we offer and what we accept, in phase 1 (RFC 2409 appendix A) and phase 2 (RFC 2407 section
 * 4.5). The functions build and read whole SA payload bodies. The work space for parsed payloads
 * comes from the caller because it is large.
 */
#ifndef CYGNET_IKE_PROPOSAL_H
#define CYGNET_IKE_PROPOSAL_H

#include "crypto/cbc.h"
#include "crypto/hash.h"
#include "wire/isakmp.h"

/* Phase 1: what protects IKE itself. */
struct ike_suite {
    uint8_t cipher; /* enum cbc_alg */
    uint8_t hash;   /* enum hash_alg, and its HMAC as prf */
    uint16_t key_bits;
    uint16_t group; /* also for PFS in phase 2 */
};

/* "AES-CBC-256 SHA2-256 ecp256" */
#define IKE_SUITE_TEXT_MAX 64
char *ike_suite_format(const struct ike_suite *suite, char *ret);

/* The default offers, best first; `legacy` adds the draft's own behind them (OE-119, OE-127). */
const struct ike_suite *phase1_offers(bool legacy, size_t *ret_count);
const struct esp_suite *phase2_offers(bool legacy, size_t *ret_count);
/* The same for AH (IKE-008). */
const struct esp_suite *phase2_ah_offers(bool legacy, size_t *ret_count);

/* How the peers of phase 1 prove themselves: RFC 2409 appendix A, RFC 4754 section 3. */
enum phase1_auth {
    PHASE1_PSK = 1,
    PHASE1_RSA_SIGNATURES = 3,
    PHASE1_RSA_ENCRYPTION = 4,
    PHASE1_REVISED_RSA_ENCRYPTION = 5,
    PHASE1_ECDSA_256 = 9,
    PHASE1_ECDSA_384 = 10,
    PHASE1_ECDSA_521 = 11,
};

struct phase1_offer {
    const struct ike_suite *suites;
    size_t count;
    uint32_t seconds;
    enum phase1_auth auth; /* 0: RSA signatures */
};
void phase1_offer_build(struct builder *b, const struct phase1_offer *offer,
                        struct isakmp_sa *work);

struct phase1_choice {
    struct ike_suite suite;
    enum phase1_auth auth;
    uint64_t seconds; /* as offered; 0: not said */
    uint64_t kilobytes;
};
struct phase1_terms {
    bool legacy;
    uint32_t auths; /* bits 1 << enum phase1_auth; 0: RSA signatures only */
};
/* Responder: the initiator's first acceptable transform (OE-123); `reply` gets the SA body that
 * repeats it. ERR_NO_PROPOSAL: none. */
MUST_USE enum err phase1_choose(struct view offer, const struct phase1_terms *terms, struct isakmp_sa *work,
                                struct isakmp_sa *work_reply, struct phase1_choice *ret,
                                struct builder *reply);
/* Initiator: the answer must be one of those offered, unchanged (IKE-066). */
MUST_USE enum err phase1_check(struct view answer, const struct phase1_offer *offer,
                               struct isakmp_sa *work, struct phase1_choice *ret);

struct phase2_offer {
    const struct esp_suite *suites; /* all of one protocol */
    size_t count;
    spi_t spi;
    uint16_t group; /* 0: no PFS (IKE-047) */
    uint32_t seconds;
    uint64_t octets; /* 0: none */
    bool udp;        /* UDP-encapsulated tunnel mode (RFC 3947 section 5.1) */
};
void phase2_offer_build(struct builder *b, const struct phase2_offer *offer,
                        struct isakmp_sa *work);

struct child_choice {
    struct esp_suite suite;
    uint16_t group; /* 0: no PFS */
    spi_t peer_spi;
    bool udp;
    uint64_t seconds; /* as offered; 0: not said */
    uint64_t kilobytes;
};
/* Where the SPI lies in an SA body with one proposal: doi, situation, proposal header. */
enum { PHASE2_SPI_AT = 4 + 4 + 8 };
struct phase2_terms {
    bool legacy;
    bool ah;         /* instead of ESP */
    bool udp;        /* inside UDP, or not */
    bool pfs_waived; /* a transform without a group will do too */
    uint16_t group;  /* the only one accepted; 0: any */
};
/* `reply` gets the SA body of message 2 with a zero SPI at PHASE2_SPI_AT. */
MUST_USE enum err phase2_choose(struct view offer, const struct phase2_terms *terms,
                                struct isakmp_sa *work,
                                struct isakmp_sa *work_reply, struct child_choice *ret,
                                struct builder *reply);
MUST_USE enum err phase2_check(struct view answer, const struct phase2_offer *offer,
                               struct isakmp_sa *work, struct child_choice *ret);

#endif
