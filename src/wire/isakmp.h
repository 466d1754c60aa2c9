/*
 * ISAKMP (RFC 2408) as IKEv1 uses it (RFC 2407, 2409, 3947, 4304): bytes to flat structs of views
 * and back. Syntax only: nothing here knows an exchange, sends, allocates or changes state. Every
 * view points into the datagram that was parsed.
 */
#ifndef CYGNET_WIRE_ISAKMP_H
#define CYGNET_WIRE_ISAKMP_H

#include "base/builder.h"
#include "base/cursor.h"
#include "base/err.h"
#include "base/limits.h"
#include "wire/identity.h"
#include "wire/sa.h"

enum { ISAKMP_HEADER_LEN = 28, ISAKMP_COOKIE_LEN = 8, ISAKMP_VERSION_1 = 0x10 };

enum isakmp_exchange { /* IKE-062 */
    ISAKMP_MAIN_MODE = 2, /* identity protection */
    ISAKMP_AGGRESSIVE_MODE = 4,
    ISAKMP_INFORMATIONAL = 5,
    ISAKMP_QUICK_MODE = 32,
};

enum isakmp_flag { ISAKMP_FLAG_ENCRYPTED = 1, ISAKMP_FLAG_COMMIT = 2, ISAKMP_FLAG_AUTH_ONLY = 4 };

enum isakmp_payload_type {
    ISAKMP_P_NONE = 0,
    ISAKMP_P_SA = 1,
    ISAKMP_P_PROPOSAL = 2,
    ISAKMP_P_TRANSFORM = 3,
    ISAKMP_P_KE = 4,
    ISAKMP_P_ID = 5,
    ISAKMP_P_CERT = 6,
    ISAKMP_P_CR = 7,
    ISAKMP_P_HASH = 8,
    ISAKMP_P_SIG = 9,
    ISAKMP_P_NONCE = 10,
    ISAKMP_P_N = 11,
    ISAKMP_P_D = 12,
    ISAKMP_P_VID = 13,
    ISAKMP_P_NAT_D = 20,
    ISAKMP_P_NAT_OA = 21,
};
const char *isakmp_payload_name(uint8_t type); /* "KE"; "?" if unknown */

typedef struct {
    uint32_t value;
} msgid_t;

struct isakmp_header {
    uint8_t cookie_i[ISAKMP_COOKIE_LEN], cookie_r[ISAKMP_COOKIE_LEN];
    uint8_t next_payload;
    uint8_t version;
    uint8_t exchange;
    uint8_t flags;
    msgid_t msgid;
    uint32_t len; /* of the whole message */
};

struct isakmp_payload {
    uint8_t type;
    struct view whole; /* with its generic header */
    struct view body;  /* without it */
};

struct isakmp_payloads {
    size_t count;
    struct isakmp_payload list[LIMIT_IKE_PAYLOADS];
    size_t octets; /* consumed, up to the padding of an encrypted message */
};

/* ERR_VERSION: major version is not 1. ERR_SYNTAX: the length field disagrees with the datagram. */
MUST_USE enum err isakmp_header_parse(struct view datagram, struct isakmp_header *ret);
/* Walks the generic payload headers from the first. Padding after the last payload is allowed for
 * decrypted text, and elsewhere only zeros up to a multiple of four octets. ERR_LIMIT: more than LIMIT_IKE_PAYLOADS. */
MUST_USE enum err isakmp_payloads_parse(uint8_t first, struct view text, bool padded,
                                        struct isakmp_payloads *ret);
/* The nth payload of that type (from 0), or NULL. */
const struct isakmp_payload *isakmp_payload_find(const struct isakmp_payloads *all, uint8_t type,
                                                 size_t nth);

/* SA payload: situation, then proposals, then transforms, then attributes (RFC 2408
 * section 3.4 ff). */
struct isakmp_attribute {
    uint16_t type;
    bool is_long;      /* TLV form */
    uint64_t value;    /* of a basic one, or of a long one of at most 8 octets */
    struct view bytes; /* of a long one; built from value in 4 or 8 octets where ptr is NULL */
};

struct isakmp_transform {
    uint8_t number;
    uint8_t id;
    size_t attribute_count;
    struct isakmp_attribute attributes[16];
};

struct isakmp_proposal {
    uint8_t number;
    uint8_t protocol; /* 1 ISAKMP, 2 AH, 3 ESP, 4 IPCOMP */
    struct view spi;
    size_t transform_count;
    struct isakmp_transform transforms[LIMIT_IKE_TRANSFORMS];
};

struct isakmp_sa {
    uint32_t doi;
    uint32_t situation;
    size_t proposal_count;
    struct isakmp_proposal proposals[LIMIT_IKE_PROPOSALS];
};

/* ERR_UNSUPPORTED: not the IPsec DOI with SIT_IDENTITY_ONLY. ERR_LIMIT: more proposals or
 * attributes than fit; of the transforms of a proposal the first LIMIT_IKE_TRANSFORMS are kept. */
MUST_USE enum err isakmp_sa_parse(struct view body, struct isakmp_sa *ret);
void isakmp_sa_build(struct builder *b, const struct isakmp_sa *sa); /* the body */

/* ID payload (RFC 2407 section 4.6.2). */
enum isakmp_id_type {
    ISAKMP_ID_IPV4_ADDR = 1,
    ISAKMP_ID_FQDN = 2,
    ISAKMP_ID_USER_FQDN = 3,
    ISAKMP_ID_IPV4_ADDR_SUBNET = 4,
    ISAKMP_ID_IPV6_ADDR = 5,
    ISAKMP_ID_IPV6_ADDR_SUBNET = 6,
    ISAKMP_ID_IPV4_ADDR_RANGE = 7,
    ISAKMP_ID_IPV6_ADDR_RANGE = 8,
    ISAKMP_ID_DER_ASN1_DN = 9,
    ISAKMP_ID_DER_ASN1_GN = 10,
    ISAKMP_ID_KEY_ID = 11,
};

struct isakmp_id {
    uint8_t type;
    uint8_t protocol;
    uint16_t port;
    struct view data;
};
MUST_USE enum err isakmp_id_parse(struct view body, struct isakmp_id *ret);
void isakmp_id_build(struct builder *b, const struct isakmp_id *id);
/* ERR_UNSUPPORTED: a type that is no address or name. Any port or protocol is refused by the
 * caller. */
MUST_USE enum err isakmp_id_to_identity(const struct isakmp_id *id, struct identity *ret);
void isakmp_id_build_identity(struct builder *b, const struct identity *id);
/* Quick Mode client IDs (OE-130, OE-131): subnet and single-address types; a subnet mask must be
 * contiguous. Built as *_SUBNET. */
MUST_USE enum err isakmp_id_to_prefix(const struct isakmp_id *id, struct ip_prefix *ret);
void isakmp_id_build_prefix(struct builder *b, const struct ip_prefix *prefix);

/* Notify and Delete payloads (RFC 2408 sections 3.14, 3.15). */
struct isakmp_notify {
    uint32_t doi;
    uint8_t protocol;
    uint16_t type;
    struct view spi;
    struct view data;
};
MUST_USE enum err isakmp_notify_parse(struct view body, struct isakmp_notify *ret);
void isakmp_notify_build(struct builder *b, const struct isakmp_notify *n);
const char *isakmp_notify_name(uint16_t type); /* "NO-PROPOSAL-CHOSEN"; NULL if unknown */

struct isakmp_delete {
    uint32_t doi;
    uint8_t protocol;
    uint8_t spi_len;
    uint16_t count;
    struct view spis; /* count * spi_len octets */
};
MUST_USE enum err isakmp_delete_parse(struct view body, struct isakmp_delete *ret);
void isakmp_delete_build(struct builder *b, const struct isakmp_delete *d);

/*
 * Building a message: start, then for each payload open, write the body, close; then finish, which
 * fills the length. The writer keeps the next-payload chain.
 */
struct isakmp_writer {
    struct builder b;
    size_t next_field; /* where the type of the next payload goes */
    size_t payload;    /* start of the open one */
};
void isakmp_writer_start(struct isakmp_writer *w, struct span room, const struct isakmp_header *h);
void isakmp_writer_open(struct isakmp_writer *w, uint8_t type);
void isakmp_writer_close(struct isakmp_writer *w);
void isakmp_writer_payload(struct isakmp_writer *w, uint8_t type, struct view body);
/* Pads with zeros to `block` after the header (1: none), fills in the length; empty view if too
 * small. */
struct view isakmp_writer_finish(struct isakmp_writer *w, size_t block);

#endif
