/*
 * What IKEv2 offers and accepts, for IKE SAs and for ESP child SAs (RFC 7296 section 3.3,
 * algorithms by RFC 8221 and RFC 8247). An offer is a few proposals, combined-mode ciphers apart
 * from those that need an integrity algorithm (section 3.3), each listing algorithms best first. A
 * responder chooses one proposal and one transform of every type in it; an initiator checks that
 * the answer is such a choice. A child is of ESP, or of AH where that is asked for; ESP without
 * encryption is neither offered nor accepted. Work space for parsed payloads comes from the caller
 * because it is large.
 */
#ifndef CYGNET_IKE_V2_PROPOSAL_H
#define CYGNET_IKE_V2_PROPOSAL_H

#include "crypto/aead.h"
#include "crypto/hash.h"
#include "wire/ike2_sa.h"
#include "wire/sa.h"

enum { IKE2_ADDITIONAL_MAX = 7, IKE2_METHODS_MAX = 8 };

/* What may be negotiated. Zeros are the defaults. */
struct ike2_policy {
    bool legacy; /* also 3DES, SHA-1, groups 2 and 5 */
    bool ah;     /* child: AH instead of ESP (IKE-008) */
    bool no_esn; /* child: 32-bit sequence numbers only */
    bool no_kex; /* child: no key exchange of its own, and none accepted (IKE_AUTH) */
    /* Key exchanges instead of the default, best first; 0 ends. */
    uint16_t methods[IKE2_METHODS_MAX];
    /* RFC 9370: what is offered as ADDKE1 and so on; 0 ends. A responder accepts whatever it knows if
     * any is set. Only with a peer that has IKE_INTERMEDIATE. */
    uint16_t additional[IKE2_ADDITIONAL_MAX];
};

/* Protects an IKE SA. */
struct ike2_suite {
    struct aead_suite protect;
    uint8_t prf;     /* enum hash_alg */
    uint16_t method; /* key exchange */
    /* In the order of their types; 0: none at that place. */
    uint16_t additional[IKE2_ADDITIONAL_MAX];
};
/* "AES-GCM-256 prf SHA2-256 curve25519+ml-kem-768" */
#define IKE2_SUITE_TEXT_MAX 128
char *ike2_suite_format(const struct ike2_suite *suite, char *ret);

/* One transform of every type in the chosen proposal, as it goes on the wire. */
struct ike2_choice {
    uint8_t number;
    uint8_t protocol;
    uint8_t peer_spi_len;
    uint8_t transform_count;
    uint8_t peer_spi[IKE2_SPI_LEN];
    struct ike2_transform transforms[5 + IKE2_ADDITIONAL_MAX];
};
/* The body of the answer. spi: ours; empty in IKE_SA_INIT. */
void ike2_choice_build(struct builder *b, const struct ike2_choice *choice, struct view spi);

/* IKE SA. spi: empty in IKE_SA_INIT, 8 octets in a re-key. */
void ike2_ike_offer_build(struct builder *b, const struct ike2_policy *policy, struct view spi,
                          struct ike2_sa *work);
/* The method for the KE payload of the first request. */
uint16_t ike2_first_method(const struct ike2_policy *policy);
/* Responder. sent_method: of the peer's KE payload, taken if it is acceptable in the best proposal;
 * where suite.method turns out another, the answer is INVALID_KE_PAYLOAD. ERR_NO_PROPOSAL: none. */
MUST_USE enum err ike2_ike_choose(struct view offer, const struct ike2_policy *policy,
                                  uint16_t sent_method, struct ike2_sa *work,
                                  struct ike2_suite *ret, struct ike2_choice *ret_choice);
/* Initiator: the answer must be a choice from what ike2_ike_offer_build() writes for the policy. */
MUST_USE enum err ike2_ike_check(struct view answer, const struct ike2_policy *policy,
                                 struct ike2_sa *work, struct ike2_suite *ret,
                                 struct ike2_choice *ret_choice);

/* Child SA. */
struct ike2_child_suite {
    struct esp_suite esp;
    uint16_t method; /* 0: keys from the IKE SA alone */
    uint16_t additional[IKE2_ADDITIONAL_MAX];
    spi_t peer_spi;
};
void ike2_child_offer_build(struct builder *b, const struct ike2_policy *policy, spi_t spi,
                            struct ike2_sa *work);
/* sent_method: of the peer's KE payload, 0 without one. */
MUST_USE enum err ike2_child_choose(struct view offer, const struct ike2_policy *policy,
                                    uint16_t sent_method, struct ike2_sa *work,
                                    struct ike2_child_suite *ret, struct ike2_choice *ret_choice);
MUST_USE enum err ike2_child_check(struct view answer, const struct ike2_policy *policy,
                                   struct ike2_sa *work, struct ike2_child_suite *ret,
                                   struct ike2_choice *ret_choice);

/* The prf that a transform id names; false: none of ours. For puzzles (RFC 8019). */
bool ike2_prf_hash(uint16_t transform_id, enum hash_alg *ret);
/* And back. */
uint16_t ike2_prf_id(enum hash_alg hash);

#endif
