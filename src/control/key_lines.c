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

static void add_hex(char *line, const uint8_t *octets, size_t len)
{
    char *at = line + strlen(line);
    for (size_t i = 0; i < len; i++)
        at += snprintf(at, 3, "%02x", octets[i]);
}

static void add(char *line, const char *text)
{
    size_t len = strlen(line);
    snprintf(line + len, KEY_LINE_MAX - len, "%s", text);
}

size_t key_line_ikev1(const struct key_line_ike *keys, char ret[KEY_LINE_MAX])
{
    ret[0] = '\0';
    add_hex(ret, keys->spi_i, KEY_SPI_LEN);
    add(ret, ",");
    add_hex(ret, keys->ei, keys->suite.key_bits / 8u);
    add(ret, "\n");
    return strlen(ret);
}

static bool ike_cipher_name(const struct aead_suite *suite, char *ret, size_t len)
{
    switch (suite->cipher) {
    case AEAD_AES_GCM_16:
        snprintf(ret, len, "AES-GCM-%u with 16 octet ICV [RFC5282]", suite->key_bits);
        return true;
    case AEAD_AES_GCM_12:
        snprintf(ret, len, "AES-GCM-%u with 12 octet ICV [RFC5282]", suite->key_bits);
        return true;
    case AEAD_AES_GCM_8:
        snprintf(ret, len, "AES-GCM-%u with 8 octet ICV [RFC5282]", suite->key_bits);
        return true;
    case AEAD_AES_CBC:
        snprintf(ret, len, "AES-CBC-%u [RFC3602]", suite->key_bits);
        return true;
    case AEAD_3DES_CBC:
        snprintf(ret, len, "3DES [RFC2451]");
        return true;
    default:
        return false;
    }
}

static const char *integ_name(uint8_t integ)
{
    switch (integ) {
    case INTEG_HMAC_SHA1_96:
        return "HMAC_SHA1_96 [RFC2404]";
    case INTEG_HMAC_SHA2_256_128:
        return "HMAC_SHA2_256_128 [RFC4868]";
    case INTEG_HMAC_SHA2_384_192:
        return "HMAC_SHA2_384_192 [RFC4868]";
    case INTEG_HMAC_SHA2_512_256:
        return "HMAC_SHA2_512_256 [RFC4868]";
    case INTEG_HMAC_MD5_96:
        return "HMAC_MD5_96 [RFC2403]";
    default:
        return "NONE [RFC4306]";
    }
}

size_t key_line_ikev2(const struct key_line_ike *keys, char ret[KEY_LINE_MAX])
{
    size_t key_len = aead_key_len(&keys->suite), integ_len = aead_integ_key_len(&keys->suite);
    char cipher[64];

    ret[0] = '\0';
    if (!ike_cipher_name(&keys->suite, cipher, sizeof(cipher)))
        return 0;
    add_hex(ret, keys->spi_i, KEY_SPI_LEN);
    add(ret, ",");
    add_hex(ret, keys->spi_r, KEY_SPI_LEN);
    add(ret, ",");
    add_hex(ret, keys->ei, key_len);
    add(ret, ",");
    add_hex(ret, keys->er, key_len);
    add(ret, ",\"");
    add(ret, cipher);
    add(ret, "\",");
    add_hex(ret, keys->ai, integ_len);
    add(ret, ",");
    add_hex(ret, keys->ar, integ_len);
    add(ret, ",\"");
    add(ret, integ_name(keys->suite.integ));
    add(ret, "\"\n");
    return strlen(ret);
}
