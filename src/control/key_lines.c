#include "control/key_lines.h"

#include <stdio.h>

#include "base/text.h"

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
    static const char *const names[ESP_CIPHER_COUNT] = {
        [ESP_CIPHER_NONE] = "NULL",
        [ESP_CIPHER_AES_GCM] = "AES-GCM with 16 octet ICV [RFC4106]",
        [ESP_CIPHER_AES_CBC] = "AES-CBC [RFC3602]",
        [ESP_CIPHER_3DES_CBC] = "TripleDES-CBC [RFC2451]",
        [ESP_CIPHER_AES_GCM_8] = "AES-GCM with 8 octet ICV [RFC4106]",
        [ESP_CIPHER_AES_GCM_12] = "AES-GCM with 12 octet ICV [RFC4106]",
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
    if (sa->suite.protocol == SA_AH || cipher_name(sa->suite.cipher) == NULL)
        return 0;
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

static char *plain_hex(const uint8_t *octets, size_t len, char *ret)
{
    for (size_t i = 0; i < len; i++)
        snprintf(ret + 2 * i, 3, "%02x", octets[i]);
    ret[2 * len] = '\0';
    return ret;
}

/* Wireshark's names for what protects IKEv2; false: it has none. */
static bool ike_cipher_name(const struct aead_suite *suite, char *ret, size_t room)
{
    if (suite->cipher == AEAD_AES_CBC)
        text_set(ret, room, "AES-CBC-%u [RFC3602]", suite->key_bits);
    else if (suite->cipher == AEAD_3DES_CBC)
        text_set(ret, room, "3DES [RFC2451]");
    else if (suite->cipher >= AEAD_AES_GCM_16 && suite->cipher <= AEAD_AES_CCM_8)
        text_set(ret, room, "AES-%s-%u with %zu octet ICV [RFC5282]",
                 suite->cipher <= AEAD_AES_GCM_8 ? "GCM" : "CCM", suite->key_bits,
                 aead_icv_len(suite));
    else
        return false;
    return true;
}

static const char *ike_auth_name(uint8_t integ)
{
    static const char *const names[INTEG_COUNT] = {
        [INTEG_NONE] = "NONE [RFC4306]",
        [INTEG_HMAC_SHA1_96] = "HMAC_SHA1_96 [RFC2404]",
        [INTEG_HMAC_SHA2_256_128] = "HMAC_SHA2_256_128 [RFC4868]",
        [INTEG_HMAC_SHA2_384_192] = "HMAC_SHA2_384_192 [RFC4868]",
        [INTEG_HMAC_SHA2_512_256] = "HMAC_SHA2_512_256 [RFC4868]",
        [INTEG_HMAC_MD5_96] = "HMAC_MD5_96 [RFC2403]",
    };
    return names[integ];
}

size_t key_line_ike(const struct ike_exported *keys, char ret[KEY_LINE_MAX])
{
    char text[6][2 * AEAD_INTEG_KEY_MAX + 1], cipher[64];
    size_t e = aead_key_len(&keys->suite), a = aead_integ_key_len(&keys->suite);
    int len = 0;

    plain_hex(keys->spi_i, sizeof(keys->spi_i), text[0]);
    plain_hex(keys->spi_r, sizeof(keys->spi_r), text[1]);
    plain_hex(keys->ei, e, text[2]);
    plain_hex(keys->er, e, text[3]);
    plain_hex(keys->ai, a, text[4]);
    plain_hex(keys->ar, a, text[5]);
    if (keys->version == IKE_VERSION_1)
        len = snprintf(ret, KEY_LINE_MAX, "%s,%s\n", text[0], text[2]);
    else if (ike_cipher_name(&keys->suite, cipher, sizeof(cipher)))
        len = snprintf(ret, KEY_LINE_MAX, "%s,%s,%s,%s,\"%s\",%s,%s,\"%s\"\n", text[0], text[1],
                       text[2], text[3], cipher, text[4], text[5], ike_auth_name(keys->suite.integ));
    secret_wipe(text, sizeof(text));
    return (size_t)len;
}
