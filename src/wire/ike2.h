/*
 * IKEv2 messages (RFC 7296 section 3): bytes to flat structs of views and back. Syntax only:
 * nothing here knows an exchange, decrypts, sends, allocates or changes state. Every view points
 * into the datagram, or the decrypted text, that was parsed. The SA payload is in wire/ike2_sa.h.
 */
#ifndef CYGNET_WIRE_IKE2_H
#define CYGNET_WIRE_IKE2_H

#include "base/builder.h"
#include "base/cursor.h"
#include "base/err.h"
#include "base/limits.h"
#include "wire/identity.h"
#include "wire/ike2_numbers.h"

enum {
    IKE2_HEADER_LEN = 28,
    IKE2_SPI_LEN = 8,
    IKE2_VERSION = 0x20,
    IKE2_NONCE_MIN = 16, /* section 3.9 */
    IKE2_NONCE_MAX = 256,
};

enum ike2_flag { IKE2_FLAG_INITIATOR = 0x08, IKE2_FLAG_VERSION = 0x10, IKE2_FLAG_RESPONSE = 0x20 };

struct ike2_header {
    uint8_t spi_i[IKE2_SPI_LEN], spi_r[IKE2_SPI_LEN];
    uint8_t next_payload;
    uint8_t version;
    uint8_t exchange;
    uint8_t flags;
    uint32_t message_id;
    uint32_t len; /* of the whole message */
};

/* ERR_VERSION: the major version is not 2; the minor one is not looked at (section 2.5).
 * ERR_SYNTAX: the length field disagrees with the datagram. */
MUST_USE enum err ike2_header_parse(struct view datagram, struct ike2_header *ret);

struct ike2_payload {
    uint8_t type;
    uint8_t next;      /* in SK and SKF: the first payload inside */
    struct view whole; /* with its generic header */
    struct view body;  /* without it */
};

struct ike2_payloads {
    size_t count; /* of those known; others are skipped (section 2.5) */
    struct ike2_payload list[LIMIT_IKE_PAYLOADS];
    size_t skipped;
};

/* Walks the chain of `text` to its end; SK and SKF end it. ERR_UNSUPPORTED: a payload that is not
 * known has the critical bit; then *ret_critical is its type. ERR_LIMIT: too many. Whether one may
 * be there, or be there twice, is for who knows the exchange. */
MUST_USE enum err ike2_payloads_parse(uint8_t first, struct view text, struct ike2_payloads *ret,
                                      uint8_t *ret_critical);
/* The same between ends that agreed on one payload type more, of those for private use; 0: none. */
MUST_USE enum err ike2_payloads_parse_with(uint8_t first, struct view text, uint8_t agreed,
                                           struct ike2_payloads *ret, uint8_t *ret_critical);
/* The nth payload of that type (from 0), or NULL. */
const struct ike2_payload *ike2_payload_find(const struct ike2_payloads *all, uint8_t type,
                                             size_t nth);
size_t ike2_payload_count(const struct ike2_payloads *all, uint8_t type);

/* Key exchange, section 3.4 */
struct ike2_ke_payload {
    uint16_t method;
    struct view data;
};
MUST_USE enum err ike2_ke_parse(struct view body, struct ike2_ke_payload *ret);
void ike2_ke_build(struct builder *b, const struct ike2_ke_payload *ke);

/* Identification, section 3.5 */
struct ike2_id {
    uint8_t type;
    struct view data;
};
MUST_USE enum err ike2_id_parse(struct view body, struct ike2_id *ret);
void ike2_id_build(struct builder *b, const struct ike2_id *id);
/* ERR_UNSUPPORTED: a type we don't compare. ERR_VALUE: not what the type says. */
MUST_USE enum err ike2_id_to_identity(const struct ike2_id *id, struct identity *ret);
void ike2_id_build_identity(struct builder *b, const struct identity *id);

/* Certificates and requests for them, sections 3.6 and 3.7: an encoding, then data. A request for
 * X.509 holds SHA-1 hashes of SubjectPublicKeyInfos, 20 octets each. */
struct ike2_cert {
    uint8_t encoding;
    struct view data;
};
enum { IKE2_CA_HASH_LEN = 20 };
MUST_USE enum err ike2_cert_parse(struct view body, struct ike2_cert *ret);
void ike2_cert_build(struct builder *b, const struct ike2_cert *cert);
/* ERR_SYNTAX: not whole hashes. */
MUST_USE enum err ike2_certreq_parse(struct view body, struct ike2_cert *ret);

/* Authentication, section 3.8. For IKE2_AUTH_DIGITAL the data begin with an AlgorithmIdentifier
 * (RFC 7427 section 3), which is taken apart; crypto/signature.h knows what it means. */
struct ike2_auth {
    uint8_t method;
    struct view identifier; /* DER; empty unless IKE2_AUTH_DIGITAL */
    struct view data;       /* signature or MAC */
};
MUST_USE enum err ike2_auth_parse(struct view body, struct ike2_auth *ret);
void ike2_auth_build(struct builder *b, const struct ike2_auth *auth);

/* Nonce, section 3.9. ERR_VALUE: a length that is not allowed. */
MUST_USE enum err ike2_nonce_parse(struct view body, struct view *ret);

/* Notify, section 3.10 */
struct ike2_notify {
    uint8_t protocol;
    uint16_t type;
    struct view spi;
    struct view data;
};
MUST_USE enum err ike2_notify_parse(struct view body, struct ike2_notify *ret);
void ike2_notify_build(struct builder *b, const struct ike2_notify *n);
/* The first notify of that type that can be read; false: none. */
bool ike2_notify_find(const struct ike2_payloads *all, uint16_t type, struct ike2_notify *ret);

/* Delete, section 3.11 */
struct ike2_delete {
    uint8_t protocol;
    uint8_t spi_len; /* 0 for IKE, 4 for AH and ESP */
    uint16_t count;
    struct view spis; /* count * spi_len octets */
};
MUST_USE enum err ike2_delete_parse(struct view body, struct ike2_delete *ret);
void ike2_delete_build(struct builder *b, const struct ike2_delete *d);

/* Traffic selectors, section 3.13. Protocol 0: any. Ports 0 to 65535: any; 65535 to 0: opaque. */
struct ike2_selector {
    uint8_t protocol;
    uint16_t port_first, port_last;
    struct ip_addr first, last;
};
struct ike2_selectors {
    size_t count;
    size_t skipped; /* of a type we don't know; they are as if absent */
    struct ike2_selector list[LIMIT_IKE_SELECTORS];
};
/* ERR_VALUE: a range ends before it starts. ERR_LIMIT: too many. */
MUST_USE enum err ike2_selectors_parse(struct view body, struct ike2_selectors *ret);
void ike2_selectors_build(struct builder *b, const struct ike2_selectors *ts);
/* All of a prefix, any protocol and port. */
struct ike2_selector ike2_selector_of_prefix(const struct ip_prefix *prefix);
/* False: the range is no prefix. */
bool ike2_selector_to_prefix(const struct ike2_selector *ts, struct ip_prefix *ret);
bool ike2_selector_equal(const struct ike2_selector *a, const struct ike2_selector *b);
/* The inner one is within the outer one. */
bool ike2_selector_contains(const struct ike2_selector *outer, const struct ike2_selector *inner);
/* What both allow; false: nothing. */
bool ike2_selector_intersect(const struct ike2_selector *a, const struct ike2_selector *b,
                             struct ike2_selector *ret);
/* "192.0.2.0/24", "192.0.2.1-192.0.2.9 6 80-443" */
#define IKE2_SELECTOR_TEXT_MAX 112
char *ike2_selector_format(const struct ike2_selector *ts, char *ret);

/* Configuration, section 3.15 */
struct ike2_cp_attribute {
    uint16_t type;
    struct view value;
};
struct ike2_cp {
    uint8_t type; /* enum ike2_cp_type */
    size_t count;
    struct ike2_cp_attribute list[LIMIT_IKE_ATTRIBUTES];
};
MUST_USE enum err ike2_cp_parse(struct view body, struct ike2_cp *ret);
void ike2_cp_build(struct builder *b, const struct ike2_cp *cp);

/*
 * Encrypted payload (section 3.14) and encrypted fragment (RFC 7383 section 2.5). `message` is the
 * whole datagram: everything in front of the IV is authenticated in clear, which is `aad`.
 */
struct ike2_sk_shape {
    size_t iv_len;
    size_t icv_len;
    size_t block; /* the padded text is a multiple of this; 1 for AEAD */
};
struct ike2_sk {
    uint8_t first;            /* type of the first payload inside; 0 in a later fragment */
    uint16_t fragment, total; /* of SKF, from 1; both 0 in SK */
    struct view aad, iv, text, icv;
};
/* ERR_SHORT, ERR_SYNTAX: not of that shape, or fragment numbers that can't be. */
MUST_USE enum err ike2_sk_parse(struct view message, const struct ike2_payload *payload,
                                const struct ike2_sk_shape *shape, struct ike2_sk *ret);
/* Takes the padding off decrypted text. */
MUST_USE enum err ike2_sk_unpad(struct view text, struct view *ret);

/*
 * Building a message: start, then for each payload open, write the body, close; then finish, which
 * fills the length. The writer keeps the next-payload chain. A protected message is built in two:
 * the inner payloads with ike2_writer_start_inner(), and the outer message, which ends with
 * ike2_writer_sk() in place of finish; what it returns is then sealed in place.
 */
struct ike2_writer {
    struct builder b;
    size_t next_field;   /* where the type of the next payload goes */
    size_t payload;      /* start of the open one */
    uint8_t first_inner; /* of a chain without a header */
    bool inner;
};
void ike2_writer_start(struct ike2_writer *w, struct span room, const struct ike2_header *h);
void ike2_writer_start_inner(struct ike2_writer *w, struct span room);
void ike2_writer_open(struct ike2_writer *w, uint8_t type);
void ike2_writer_close(struct ike2_writer *w);
void ike2_writer_payload(struct ike2_writer *w, uint8_t type, struct view body);
/* A notify of no SA: protocol 0, no SPI. */
void ike2_writer_notify(struct ike2_writer *w, uint16_t type, struct view data);
/* Empty if the room was too small. Of an inner chain: the payloads; w->first_inner is their first.
 */
struct view ike2_writer_finish(struct ike2_writer *w);

struct ike2_sk_room {
    struct view message; /* whole, with its lengths final */
    struct view aad;
    uint8_t *iv;      /* to be filled before sealing */
    struct span text; /* padded plaintext, to be encrypted in place */
    uint8_t *icv;     /* filled by sealing */
};
struct ike2_fragment {
    uint8_t first;          /* 0 in all but the first fragment */
    uint16_t number, total; /* both 0: SK */
    struct view text;       /* the inner payloads, or a piece of them */
};
/* The last payload of the message. ERR_ROOM: it did not fit. */
MUST_USE enum err ike2_writer_sk(struct ike2_writer *w, const struct ike2_sk_shape *shape,
                                 const struct ike2_fragment *fragment, struct ike2_sk_room *ret);
/* Octets around `text_len` octets of inner payloads: generic header, fragment numbers, IV, padding,
 * ICV. */
size_t ike2_sk_overhead(const struct ike2_sk_shape *shape, size_t text_len, bool is_fragment);

#endif
