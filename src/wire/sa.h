/*
 * What a security association is, as plain values that IKE negotiates, the PF_KEY channel carries
 * and the plane installs. Owns nothing; holds keys, so wipe it with sa_params_wipe() when done.
 */
#ifndef CYGNET_WIRE_SA_H
#define CYGNET_WIRE_SA_H

#include "base/addr.h"
#include "base/secret.h"

typedef struct {
    uint32_t value; /* host order; 1..255 are reserved, 0 means none */
} spi_t;

enum sa_protocol { SA_ESP, SA_AH };

enum esp_cipher {
    ESP_CIPHER_NONE, /* AH */
    ESP_CIPHER_AES_GCM, /* RFC 4106, ICV of 16 octets; the key is followed by a 4-octet salt */
    ESP_CIPHER_AES_CBC, /* RFC 3602 */
    ESP_CIPHER_3DES_CBC, /* RFC 2451; only under the legacy switch (OE-132) */
    ESP_CIPHER_AES_GCM_8, /* RFC 4106, ICV of 8 octets */
    ESP_CIPHER_AES_GCM_12,
    ESP_CIPHER_CHACHA20_POLY1305, /* RFC 7634; a salt as with AES-GCM */
    ESP_CIPHER_COUNT
};

enum esp_auth {
    ESP_AUTH_NONE, /* only with combined-mode ciphers */
    ESP_AUTH_HMAC_SHA2_256_128,
    ESP_AUTH_HMAC_SHA2_384_192,
    ESP_AUTH_HMAC_SHA2_512_256,
    ESP_AUTH_HMAC_SHA1_96,
    ESP_AUTH_HMAC_MD5_96,
    ESP_AUTH_COUNT
};

/* Of AH (RFC 4302) too: then without a cipher. */
struct esp_suite {
    uint8_t cipher; /* enum esp_cipher */
    uint8_t auth;   /* enum esp_auth */
    uint16_t key_bits; /* 128, 192 or 256 for AES; 192 for 3DES, 256 for ChaCha20 */
    bool esn;       /* 64-bit sequence numbers (RFC 4303 section 2.2.1) */
    uint8_t protocol; /* enum sa_protocol */
};

enum { SA_KEY_MAX = 36, SA_AUTH_KEY_MAX = 64 };

/* A limit of zero means none. */
struct sa_lifetime {
    uint64_t octets;
    uint64_t packets;
    uint64_t seconds; /* since the SA was added */
};

/* What one end of a child may send or get (RFC 4301 section 4.4.1.1). */
struct traffic {
    struct ip_prefix net;
    uint8_t protocol;                /* 0: any */
    uint16_t port_first, port_last;  /* 0 and 65535: any; ICMP: type and code as RFC 7296 section 3.13.1 */
};
struct traffic_pair {
    struct traffic local, remote; /* the same protocol in both */
};

enum sa_interface { SA_OPPORTUNISTIC, SA_CONFIGURED }; /* oe0 or vpn0 (OE-188) */

struct port_range {
    uint16_t first, last;
};

struct sa_params {
    spi_t spi;
    bool inbound;
    uint8_t interface;       /* enum sa_interface */
    struct esp_suite suite;
    struct ip_addr outer_src, outer_dst;
    uint16_t udp_src, udp_dst; /* UDP encapsulation (RFC 3948), never of AH; 0: protocol 50 or 51 */
    uint32_t stream; /* of the peer's end point: the ports are TCP's (RFC 9329), the stream is this; 0: UDP's */
    struct ip_prefix inner_src, inner_dst; /* selectors, in the direction of travel (OE-190) */
    uint8_t protocol;        /* of what is inside; 0: any, and then ports don't matter */
    struct port_range src_ports, dst_ports; /* in the direction of travel, for a protocol */
    struct sa_lifetime soft, hard;
    uint64_t ticket;         /* the OE connection or tunnel it belongs to; 0: none */
    uint8_t cipher_key[SA_KEY_MAX]; /* with the salt, for combined-mode ciphers */
    uint8_t cipher_key_len;
    uint8_t auth_key[SA_AUTH_KEY_MAX];
    uint8_t auth_key_len;
};

/* Octets of keying material the suite takes: cipher key and salt, then authentication key. */
size_t esp_suite_cipher_key_len(const struct esp_suite *suite);
size_t esp_suite_auth_key_len(const struct esp_suite *suite);
size_t esp_suite_icv_len(const struct esp_suite *suite);
size_t esp_suite_iv_len(const struct esp_suite *suite);
size_t esp_suite_block_len(const struct esp_suite *suite); /* padding unit: 4 for combined modes */
/* The cipher authenticates too. */
bool esp_suite_combined(const struct esp_suite *suite);
bool esp_suite_valid(const struct esp_suite *suite);
/* "AES-GCM-256 ESN", "AES-GCM-128-ICV8", "AES-CBC-128 HMAC-SHA2-256-128",
 * "AH HMAC-SHA2-256-128". */
#define ESP_SUITE_TEXT_MAX 48
char *esp_suite_format(const struct esp_suite *suite, char *ret);

static inline void sa_params_wipe(struct sa_params *sa)
{
    secret_wipe(sa, sizeof(*sa));
}

#endif
