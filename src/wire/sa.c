#include "wire/sa.h"

#include <stdio.h>

struct cipher_row {
    const char *name;
    size_t salt_len;
    size_t iv_len;
    size_t block_len;
};

/* RFC 4106 sections 3 and 8.1, RFC 3602 section 2, RFC 2451 section 2 */
static const struct cipher_row ciphers[] = {
    [ESP_CIPHER_NONE] = {"none", 0, 0, 1},
    [ESP_CIPHER_AES_GCM] = {"AES-GCM", 4, 8, 4},
    [ESP_CIPHER_AES_CBC] = {"AES-CBC", 0, 16, 16},
    [ESP_CIPHER_3DES_CBC] = {"3DES-CBC", 0, 8, 8},
};

struct auth_row {
    const char *name;
    size_t key_len;
    size_t icv_len;
};

/* RFC 4868 section 2.6, RFC 2404, RFC 2403 */
static const struct auth_row auths[] = {
    [ESP_AUTH_NONE] = {"", 0, 0},
    [ESP_AUTH_HMAC_SHA2_256_128] = {" HMAC-SHA2-256-128", 32, 16},
    [ESP_AUTH_HMAC_SHA2_384_192] = {" HMAC-SHA2-384-192", 48, 24},
    [ESP_AUTH_HMAC_SHA2_512_256] = {" HMAC-SHA2-512-256", 64, 32},
    [ESP_AUTH_HMAC_SHA1_96] = {" HMAC-SHA1-96", 20, 12},
    [ESP_AUTH_HMAC_MD5_96] = {" HMAC-MD5-96", 16, 12},
};

enum { GCM_ICV_LEN = 16 };

static const struct cipher_row *cipher_row(const struct esp_suite *suite)
{
    size_t count = sizeof(ciphers) / sizeof(ciphers[0]);
    return &ciphers[suite->cipher < count ? suite->cipher : ESP_CIPHER_NONE];
}

static const struct auth_row *auth_row(const struct esp_suite *suite)
{
    size_t count = sizeof(auths) / sizeof(auths[0]);
    return &auths[suite->auth < count ? suite->auth : ESP_AUTH_NONE];
}

size_t esp_suite_cipher_key_len(const struct esp_suite *suite)
{
    return suite->key_bits / 8 + cipher_row(suite)->salt_len;
}

size_t esp_suite_auth_key_len(const struct esp_suite *suite)
{
    return auth_row(suite)->key_len;
}

size_t esp_suite_icv_len(const struct esp_suite *suite)
{
    return suite->cipher == ESP_CIPHER_AES_GCM ? GCM_ICV_LEN : auth_row(suite)->icv_len;
}

size_t esp_suite_iv_len(const struct esp_suite *suite)
{
    return cipher_row(suite)->iv_len;
}

size_t esp_suite_block_len(const struct esp_suite *suite)
{
    return cipher_row(suite)->block_len;
}

bool esp_suite_valid(const struct esp_suite *suite)
{
    bool aes_key = suite->key_bits == 128 || suite->key_bits == 192 || suite->key_bits == 256;
    bool has_auth = suite->auth > ESP_AUTH_NONE && suite->auth <= ESP_AUTH_HMAC_MD5_96;

    switch (suite->cipher) {
    case ESP_CIPHER_AES_GCM:
        return aes_key && suite->auth == ESP_AUTH_NONE;
    case ESP_CIPHER_AES_CBC:
        return aes_key && has_auth;
    case ESP_CIPHER_3DES_CBC:
        return suite->key_bits == 192 && has_auth;
    default:
        return false;
    }
}

char *esp_suite_format(const struct esp_suite *suite, char *ret)
{
    char bits[8] = "";
    if (suite->cipher == ESP_CIPHER_AES_GCM || suite->cipher == ESP_CIPHER_AES_CBC)
        snprintf(bits, sizeof(bits), "-%u", suite->key_bits);
    snprintf(ret, ESP_SUITE_TEXT_MAX, "%s%s%s%s", cipher_row(suite)->name, bits,
             auth_row(suite)->name, suite->esn ? " ESN" : "");
    return ret;
}
