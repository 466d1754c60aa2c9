/*
 * What the ESP tests share: suites, pairs of SAs, packet buffers and inner datagrams.
 */
#ifndef CYGNET_TESTS_ESP_FIXTURE_H
#define CYGNET_TESTS_ESP_FIXTURE_H

#include "esp/state.h"
#include "wire/ip.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const struct esp_backend *const fixture_backends[] = {
    &esp_backend_libcrypto,
#ifdef CYGNET_IPSEC_MB
    &esp_backend_ipsec_mb,
#endif
};

enum { FIXTURE_COMBINED = 3 * 3 + 1, FIXTURE_SUITES = FIXTURE_COMBINED + 4 * 5 };

/* Every suite there is, with 32-bit sequence numbers. */
static inline struct esp_suite fixture_suite(size_t i)
{
    static const uint8_t gcm[] = {ESP_CIPHER_AES_GCM, ESP_CIPHER_AES_GCM_8, ESP_CIPHER_AES_GCM_12};
    if (i < 9)
        return (struct esp_suite){gcm[i / 3], ESP_AUTH_NONE, (uint16_t)(128 + 64 * (i % 3)), false};
    if (i < FIXTURE_COMBINED)
        return (struct esp_suite){ESP_CIPHER_CHACHA20_POLY1305, ESP_AUTH_NONE, 256, false};
    i -= FIXTURE_COMBINED;
    uint8_t auth = (uint8_t)(ESP_AUTH_HMAC_SHA2_256_128 + i % 5);
    size_t cipher = i / 5;
    if (cipher == 3)
        return (struct esp_suite){ESP_CIPHER_3DES_CBC, auth, 192, false};
    return (struct esp_suite){ESP_CIPHER_AES_CBC, auth, (uint16_t)(128 + 64 * cipher), false};
}

static inline struct ip_addr fixture_addr(const char *text)
{
    struct ip_addr addr;
    assert_true(ip_addr_parse(text, &addr));
    return addr;
}

static inline struct sa_params fixture_params(struct esp_suite suite, enum ip_family outer)
{
    struct sa_params params = {.spi = {0x1234abcd}, .suite = suite};
    params.outer_src = fixture_addr(outer == IP_V4 ? "192.0.2.1" : "2001:db8::1");
    params.outer_dst = fixture_addr(outer == IP_V4 ? "192.0.2.2" : "2001:db8::2");
    params.cipher_key_len = (uint8_t)esp_suite_cipher_key_len(&suite);
    params.auth_key_len = (uint8_t)esp_suite_auth_key_len(&suite);
    for (size_t i = 0; i < params.cipher_key_len; i++)
        params.cipher_key[i] = (uint8_t)(i * 29 + 3);
    for (size_t i = 0; i < params.auth_key_len; i++)
        params.auth_key[i] = (uint8_t)(i * 13 + 7);
    return params;
}

static inline struct esp_sa *fixture_sa(const struct esp_backend *backend,
                                        const struct sa_params *params, bool inbound)
{
    struct sa_params directed = *params;
    struct esp_sa *sa = NULL;
    directed.inbound = inbound;
    assert_int_equal(esp_sa_new_on(backend, &directed, &sa), ERR_OK);
    return sa;
}

struct tunnel {
    struct esp_sa *out, *in;
};

static inline struct tunnel fixture_tunnel(const struct esp_backend *sender,
                                           const struct esp_backend *receiver,
                                           struct esp_suite suite)
{
    struct sa_params params = fixture_params(suite, IP_V4);
    return (struct tunnel){fixture_sa(sender, &params, false), fixture_sa(receiver, &params, true)};
}

static inline void fixture_tunnel_free(struct tunnel *tunnel)
{
    esp_sa_free(tunnel->out);
    esp_sa_free(tunnel->in);
}

static inline struct packet *fixture_packet(void)
{
    struct packet *packet = calloc(1, sizeof(*packet));
    packet->room = LIMIT_HEADROOM + LIMIT_PACKET + LIMIT_TAILROOM;
    packet->base = calloc(1, packet->room);
    return packet;
}

static inline void fixture_packet_free(struct packet *packet)
{
    free(packet->base);
    free(packet);
}

/* An inner datagram of `len` octets, header included. */
static inline void fixture_inner(struct packet *packet, enum ip_family family, uint32_t len,
                                 uint8_t tos)
{
    bool v4 = family == IP_V4;
    packet->at = LIMIT_HEADROOM;
    packet->len = len;
    memset(&packet->outer, 0, sizeof(packet->outer));
    struct ip_header header = {
        .src = fixture_addr(v4 ? "10.0.0.1" : "fd00::1"),
        .dst = fixture_addr(v4 ? "10.0.1.2" : "fd00:1::2"),
        .total_len = len,
        .proto = IP_PROTO_UDP,
        .tos = tos,
        .ttl = 64,
    };
    ip_header_write(&header, packet_data(packet));
    for (uint32_t i = (uint32_t)ip_header_len(family); i < len; i++)
        packet_data(packet)[i] = (uint8_t)(i * 7 + len);
}

/* A packet with the given octets, as the network would hand it in. */
static inline void fixture_receive(struct packet *packet, struct view octets)
{
    packet->at = LIMIT_HEADROOM;
    packet->len = (uint32_t)octets.len;
    memset(&packet->outer, 0, sizeof(packet->outer));
    memcpy(packet_data(packet), octets.ptr, octets.len);
}

static inline enum err fixture_encapsulate(struct esp_sa *sa, struct packet *packet)
{
    enum err err = ERR_COUNT;
    esp_encapsulate(sa, &packet, 1, &err);
    return err;
}

static inline enum err fixture_decapsulate(struct esp_sa *sa, struct packet *packet)
{
    enum err err = ERR_COUNT;
    esp_decapsulate(sa, &packet, 1, &err);
    return err;
}

#endif
