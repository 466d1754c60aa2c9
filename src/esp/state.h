/*
 * The run-time part of an SA. Private to this room: tests look in here to choose a backend, an IV
 * or a sequence number.
 */
#ifndef CYGNET_ESP_STATE_H
#define CYGNET_ESP_STATE_H

#include "esp/backend.h"
#include "esp/esp.h"
#include "esp/replay.h"

#include <arpa/inet.h>

struct esp_ivs; /* makes unpredictable IVs */

struct esp_sa {
    const struct esp_backend *backend;
    struct esp_key *key;
    spi_t spi;
    bool inbound;
    bool ah;
    bool combined;
    bool esn;
    uint8_t iv_len;    /* in the packet */
    uint8_t block_len; /* of the text, with its trailer */
    uint8_t icv_len;
    uint8_t ah_len;            /* the AH header as we send it, ICV and padding included */
    uint8_t salt[4];           /* combined modes */
    uint64_t sequence;         /* outbound: last one used */
    struct packet_outer outer; /* what every packet's outer header has in common */
    struct esp_counts counts;
    struct esp_ivs *ivs;         /* outbound CBC; NULL: none are needed */
    struct replay_window replay; /* inbound */
};

MUST_USE enum err esp_sa_new_on(const struct esp_backend *backend, const struct sa_params *params,
                                struct esp_sa **ret);

/* The same as esp_encapsulate(), with given IVs of iv_len octets each; at most LIMIT_BURST packets.
 */
void esp_encapsulate_with(struct esp_sa *sa, struct packet **packets, size_t count,
                          const uint8_t (*ivs)[ESP_IV_MAX], enum err *ret);

/* Makes the IVs of `count` packets, the first of which has this sequence number. */
MUST_USE enum err esp_ivs_new(const struct sa_params *params, struct esp_ivs **ret);
void esp_ivs_free(struct esp_ivs *ivs);
MUST_USE bool esp_ivs_fill(struct esp_ivs *ivs, uint64_t sequence, uint8_t (*ret)[ESP_IV_MAX],
                           size_t count);

/* The associated data: SPI and sequence number, 32 or 64 bits (RFC 4106 section 5, RFC 7634 2.1). */
void esp_op_aad(const struct esp_sa *sa, uint64_t sequence, struct esp_op *op);

/* What the outer header takes from the inner one (RFC 4301 section 5.1.2, RFC 6040 section 4.1). */
struct esp_inner {
    uint8_t next_header;
    uint8_t tos;
    bool dont_fragment;
};

/* What is known of a packet on its way in before it is authentic. */
struct esp_arrival {
    size_t index; /* in the caller's burst */
    uint64_t sequence;
    uint8_t next_header; /* AH */
};

/* decapsulate.c: checks SPI and window. ERR_UNKNOWN, ERR_REPLAY. */
MUST_USE enum err esp_sequence_check(struct esp_sa *sa, uint32_t spi, uint32_t low,
                                     uint64_t *ret_sequence);
static inline uint64_t esp_sequence_last(const struct esp_sa *sa)
{
    return sa->esn ? UINT64_MAX : UINT32_MAX; /* RFC 4303 section 3.3.3: none may come round again */
}

/* ah.c: what differs from ESP. Laid out around the inner datagram; takes a sequence number only if
 * all fits. ERR_ROOM, ERR_EXPIRED. */
MUST_USE enum err ah_wrap(struct esp_sa *sa, struct packet *packet, const struct esp_inner *inner,
                          struct esp_op *op);
/* After the ICV is in its place: the header's mutable fields. */
void ah_finish(const struct packet *packet);
/* Everything that can be told before the ICV is verified. ERR_SHORT, ERR_SYNTAX, ERR_ROOM, ERR_UNKNOWN,
 * ERR_REPLAY. */
MUST_USE enum err ah_open(struct esp_sa *sa, const struct packet *packet,
                          struct esp_arrival *arrival, struct esp_op *op);
uint8_t ah_header_len(const struct esp_sa *sa, enum ip_family outer);

static inline void esp_store32(uint8_t *at, uint32_t value)
{
    value = htonl(value);
    memcpy(at, &value, 4);
}

static inline void esp_store64(uint8_t *at, uint64_t value)
{
    esp_store32(at, (uint32_t)(value >> 32));
    esp_store32(at + 4, (uint32_t)value);
}

static inline uint32_t esp_load32(const uint8_t *at)
{
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

#endif
