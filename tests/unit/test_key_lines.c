/* Keys as Wireshark's tables have them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "control/key_lines.h"

static char line[KEY_LINE_MAX];

static void esp(void **state)
{
    (void)state;
    struct sa_params sa = {.spi = {0x1234},
                           .suite = {.cipher = ESP_CIPHER_AES_CBC,
                                     .auth = ESP_AUTH_HMAC_SHA2_256_128,
                                     .key_bits = 128},
                           .outer_src = ip_addr_v4(0xc0000201),
                           .outer_dst = ip_addr_v4(0xc0000202),
                           .cipher_key_len = 2,
                           .cipher_key = {0xab, 0x01},
                           .auth_key_len = 1,
                           .auth_key = {0xff}};
    size_t len = key_line_esp(&sa, line);
    assert_string_equal(line, "\"IPv4\",\"192.0.2.1\",\"192.0.2.2\",\"0x00001234\",\"AES-CBC "
                              "[RFC3602]\",\"0xab01\",\"HMAC-SHA-256-128 [RFC4868]\",\"0xff\"\n");
    assert_int_equal(len, strlen(line));
    sa.suite = (struct esp_suite){.cipher = ESP_CIPHER_AES_GCM, .key_bits = 256};
    sa.auth_key_len = 0;
    key_line_esp(&sa, line);
    assert_non_null(strstr(line, "\"AES-GCM with 16 octet ICV [RFC4106]\",\"0xab01\",\"NULL\",\"\"\n"));
}

static void ike(void **state)
{
    (void)state;
    struct ike_exported keys = {
        .version = IKE_VERSION_1,
        .suite = {.cipher = AEAD_AES_CBC, .integ = INTEG_HMAC_SHA2_256_128, .key_bits = 128},
        .spi_i = {0x5a},
        .ei = {0xab}};
    size_t len = key_line_ike(&keys, line);
    assert_int_equal(len, strlen(line));
    assert_string_equal(line, "5a00000000000000,ab000000000000000000000000000000\n");
    keys.version = IKE_VERSION_2;
    len = key_line_ike(&keys, line);
    assert_int_equal(len, strlen(line));
    assert_non_null(strstr(line, ",\"AES-CBC-128 [RFC3602]\","));
    assert_non_null(strstr(line, ",\"HMAC_SHA2_256_128 [RFC4868]\"\n"));
    keys.suite = (struct aead_suite){.cipher = AEAD_AES_GCM_16, .key_bits = 256};
    assert_int_not_equal(key_line_ike(&keys, line), 0);
    assert_non_null(
        strstr(line, ",\"AES-GCM-256 with 16 octet ICV [RFC5282]\",,,\"NONE [RFC4306]\"\n"));
    keys.suite = (struct aead_suite){.cipher = AEAD_CHACHA20_POLY1305, .key_bits = 256};
    assert_int_equal(key_line_ike(&keys, line), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(esp), cmocka_unit_test(ike)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
