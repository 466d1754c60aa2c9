/*
 * The SA payload of IKEv2 (RFC 7296 section 3.3): proposals, each a set of transforms of which one
 * of every type is chosen. Syntax only; what a transform means is for ike/v2/proposal.h.
 */
#ifndef CYGNET_WIRE_IKE2_SA_H
#define CYGNET_WIRE_IKE2_SA_H

#include "wire/ike2.h"

struct ike2_transform {
    uint8_t type; /* enum ike2_transform_type */
    uint16_t id;
    uint16_t key_bits;      /* the Key Length attribute; 0: none */
    bool unknown_attribute; /* such a transform must not be chosen (section 3.3.6) */
};

struct ike2_proposal {
    uint8_t number;
    uint8_t protocol; /* enum ike2_protocol */
    struct view spi;  /* 0, 4 or 8 octets */
    size_t transform_count;
    struct ike2_transform transforms[LIMIT_IKE2_TRANSFORMS];
    bool incomplete; /* it had more transforms than fit; those kept are the first ones */
};

struct ike2_sa {
    size_t proposal_count;
    struct ike2_proposal proposals[LIMIT_IKE_PROPOSALS];
    size_t skipped; /* proposals beyond those */
};

/* ERR_VALUE: an SPI of another length than 0, 4 or 8, or one that does not go with the protocol;
 * proposals not numbered 1, 2, 3 ... (an answer may repeat any number, so a single one is taken).
 */
MUST_USE enum err ike2_sa_parse(struct view body, struct ike2_sa *ret);
void ike2_sa_build(struct builder *b, const struct ike2_sa *sa);
/* One transform; `more` follow it. */
void ike2_transform_build(struct builder *b, const struct ike2_transform *transform, bool more);

#endif
