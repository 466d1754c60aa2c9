#include "control/key_lines.h"

#include <stdio.h>

const char *key_table_name(enum key_table table)
{
    static const char *const names[KEY_TABLES] = {
        [KEY_TABLE_IKEV1] = "ikev1_decryption_table",
        [KEY_TABLE_IKEV2] = "ikev2_decryption_table",
        [KEY_TABLE_ESP] = "esp_sa",
    };
    return names[table];
}

static const char *cipher_name(uint8_t cipher)
{
    static const char *const names[] = {
        [ESP_CIPHER_NONE] = "NULL",
        [ESP_CIPHER_AES_GCM] = "AES-GCM with 16 octet ICV [RFC4106]",
        [ESP_CIPHER_AES_CBC] = "AES-CBC [RFC3602]",
        [ESP_CIPHER_3DES_CBC] = "TripleDES-CBC [RFC2451]",
    };
    return names[cipher];
}

static const char *auth_name(uint8_t auth)
{
    static const char *const names[] = {
        [ESP_AUTH_NONE] = "NULL",
        [ESP_AUTH_HMAC_SHA2_256_128] = "HMAC-SHA-256-128 [RFC4868]",
        [ESP_AUTH_HMAC_SHA2_384_192] = "HMAC-SHA-384-192 [RFC4868]",
        [ESP_AUTH_HMAC_SHA2_512_256] = "HMAC-SHA-512-256 [RFC4868]",
        [ESP_AUTH_HMAC_SHA1_96] = "HMAC-SHA-1-96 [RFC2404]",
        [ESP_AUTH_HMAC_MD5_96] = "HMAC-MD5-96 [RFC2403]",
    };
    return names[auth];
}

static char *hex(const uint8_t *octets, size_t len, char *ret)
{
    char *at = ret;
    if (len != 0)
        at += snprintf(at, 3, "0x");
    for (size_t i = 0; i < len; i++)
        at += snprintf(at, 3, "%02x", octets[i]);
    *at = '\0';
    return ret;
}

size_t key_line_esp(const struct sa_params *sa, char ret[KEY_LINE_MAX])
{
    char key[2 * SA_KEY_MAX + 3], auth[2 * SA_AUTH_KEY_MAX + 3];
    char src[IP_ADDR_TEXT_MAX], dst[IP_ADDR_TEXT_MAX];
    int len = snprintf(ret, KEY_LINE_MAX, "\"%s\",\"%s\",\"%s\",\"0x%08x\",\"%s\",\"%s\",\"%s\",\"%s\"\n",
                       sa->outer_src.family == IP_V6 ? "IPv6" : "IPv4",
                       ip_addr_format(&sa->outer_src, src), ip_addr_format(&sa->outer_dst, dst),
                       sa->spi.value, cipher_name(sa->suite.cipher),
                       hex(sa->cipher_key, sa->cipher_key_len, key), auth_name(sa->suite.auth),
                       hex(sa->auth_key, sa->auth_key_len, auth));
    secret_wipe(key, sizeof(key));
    secret_wipe(auth, sizeof(auth));
    return (size_t)len;
}
