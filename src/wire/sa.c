#include "wire/sa.h"

#include <stdio.h>

struct cipher_row {
    const char *name;
    size_t salt_len;
    size_t iv_len;
    size_t block_len;
    size_t icv_len; /* 0: not a combined mode */
    bool sized;     /* keys of 128, 192 and 256 bits */
    const char *suffix;
};

/* RFC 4106 sections 3, 6 and 8.1, RFC 3602 section 2, RFC 2451 section 2, RFC 7634 section 2 */
static const struct cipher_row ciphers[ESP_CIPHER_COUNT] = {
    [ESP_CIPHER_NONE] = {"none", 0, 0, 1, 0, false, ""},
    [ESP_CIPHER_AES_GCM] = {"AES-GCM", 4, 8, 4, 16, true, ""},
    [ESP_CIPHER_AES_CBC] = {"AES-CBC", 0, 16, 16, 0, true, ""},
    [ESP_CIPHER_3DES_CBC] = {"3DES-CBC", 0, 8, 8, 0, false, ""},
    [ESP_CIPHER_AES_GCM_8] = {"AES-GCM", 4, 8, 4, 8, true, "-ICV8"},
    [ESP_CIPHER_AES_GCM_12] = {"AES-GCM", 4, 8, 4, 12, true, "-ICV12"},
    [ESP_CIPHER_CHACHA20_POLY1305] = {"CHACHA20-POLY1305", 4, 8, 4, 16, false, ""},
};

struct auth_row {
    const char *name;
    size_t key_len;
    size_t icv_len;
};

/* RFC 4868 section 2.6, RFC 2404, RFC 2403 */
static const struct auth_row auths[ESP_AUTH_COUNT] = {
    [ESP_AUTH_NONE] = {"", 0, 0},
    [ESP_AUTH_HMAC_SHA2_256_128] = {" HMAC-SHA2-256-128", 32, 16},
    [ESP_AUTH_HMAC_SHA2_384_192] = {" HMAC-SHA2-384-192", 48, 24},
    [ESP_AUTH_HMAC_SHA2_512_256] = {" HMAC-SHA2-512-256", 64, 32},
    [ESP_AUTH_HMAC_SHA1_96] = {" HMAC-SHA1-96", 20, 12},
    [ESP_AUTH_HMAC_MD5_96] = {" HMAC-MD5-96", 16, 12},
};

static const struct cipher_row *cipher_row(const struct esp_suite *suite)
{
    return &ciphers[suite->cipher < ESP_CIPHER_COUNT ? suite->cipher : ESP_CIPHER_NONE];
}

static const struct auth_row *auth_row(const struct esp_suite *suite)
{
    return &auths[suite->auth < ESP_AUTH_COUNT ? suite->auth : ESP_AUTH_NONE];
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
    return esp_suite_combined(suite) ? cipher_row(suite)->icv_len : auth_row(suite)->icv_len;
}

size_t esp_suite_iv_len(const struct esp_suite *suite)
{
    return cipher_row(suite)->iv_len;
}

size_t esp_suite_block_len(const struct esp_suite *suite)
{
    return cipher_row(suite)->block_len;
}

bool esp_suite_combined(const struct esp_suite *suite)
{
    return cipher_row(suite)->icv_len != 0;
}

static bool key_bits_fit(const struct esp_suite *suite)
{
    if (cipher_row(suite)->sized)
        return suite->key_bits == 128 || suite->key_bits == 192 || suite->key_bits == 256;
    return suite->key_bits == (suite->cipher == ESP_CIPHER_3DES_CBC ? 192 : 256);
}

bool esp_suite_valid(const struct esp_suite *suite)
{
    if (suite->cipher >= ESP_CIPHER_COUNT || suite->auth >= ESP_AUTH_COUNT)
        return false;
    if (suite->protocol == SA_AH)
        return suite->cipher == ESP_CIPHER_NONE && suite->key_bits == 0 &&
               suite->auth != ESP_AUTH_NONE;
    if (suite->protocol != SA_ESP || suite->cipher == ESP_CIPHER_NONE)
        return false;
    return key_bits_fit(suite) && esp_suite_combined(suite) == (suite->auth == ESP_AUTH_NONE);
}

char *esp_suite_format(const struct esp_suite *suite, char *ret)
{
    char bits[8] = "";
    if (cipher_row(suite)->sized)
        snprintf(bits, sizeof(bits), "-%u", suite->key_bits);
    snprintf(ret, ESP_SUITE_TEXT_MAX, "%s%s%s%s%s",
             suite->protocol == SA_AH ? "AH" : cipher_row(suite)->name, bits,
             cipher_row(suite)->suffix, auth_row(suite)->name, suite->esn ? " ESN" : "");
    return ret;
}
