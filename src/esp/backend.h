/*
 * What encrypts and authenticates bursts of ESP packets in place, and authenticates those of AH: one table of functions for
 * intel-ipsec-mb and one for libcrypto, which give the same octets. A key is made for one direction
 * and used by one thread at a time; at most LIMIT_BURST packets in a call. Private to this room.
 */
#ifndef CYGNET_ESP_BACKEND_H
#define CYGNET_ESP_BACKEND_H

#include "base/err.h"
#include "wire/sa.h"

enum { ESP_IV_MAX = 16, ESP_ICV_MAX = 32, ESP_AAD_MAX = 12, ESP_HEADER = 8 };

/* ESP packets end within the 65535 octets of an IP payload. */
enum { ESP_PACKET_MAX = 65535 };

/* One packet, laid out: ESP header, IV, text; then, for HMAC and ESN, the high sequence half. AH: the
 * whole IP datagram with what isn't covered zeroed, and the high half. */
struct esp_op {
    uint8_t *packet;
    uint32_t text_at; /* from packet; the text is whole blocks; AH: the inner datagram */
    uint32_t text_len;
    uint32_t hash_len;        /* HMAC: octets from packet that the ICV covers */
    uint32_t icv_at;          /* from packet: where the ICV travels */
    uint8_t iv[ESP_IV_MAX];   /* CBC: the IV; combined modes: salt and explicit IV, 12 octets */
    uint8_t aad[ESP_AAD_MAX]; /* combined modes */
    uint8_t aad_len;
    uint8_t icv[ESP_ICV_MAX]; /* seal: made; open: as received */
    bool good;                /* set by seal and open */
};

struct esp_key; /* expanded keys, in the backend's own form */

struct esp_backend {
    const char *name;
    /* params are valid: suite and key lengths fit. */
    enum err (*key_new)(const struct sa_params *params, struct esp_key **ret);
    void (*key_free)(struct esp_key *key); /* wipes it */
    void (*seal)(struct esp_key *key, struct esp_op *ops, size_t count);
    /* The text of an op that isn't good afterwards may have been overwritten. */
    void (*open)(struct esp_key *key, struct esp_op *ops, size_t count);
};

extern const struct esp_backend esp_backend_libcrypto;
#ifdef CYGNET_IPSEC_MB
extern const struct esp_backend esp_backend_ipsec_mb;
#endif

/* In constant time; len is a multiple of 4, as every ICV is. */
static inline bool esp_icv_equal(const uint8_t *a, const uint8_t *b, size_t len)
{
    uint32_t difference = 0;
    for (size_t i = 0; i < len; i += 4) {
        uint32_t x, y;
        memcpy(&x, a + i, 4);
        memcpy(&y, b + i, 4);
        difference |= x ^ y;
    }
    return difference == 0;
}

/* The faster one of those built in. */
const struct esp_backend *esp_backend_default(void);

#endif
