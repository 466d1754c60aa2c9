/* Identities and ESP suites: the plain values other rooms pass around. */
#include "check.h"

#include "wire/identity.h"
#include "wire/sa.h"

static void host_names(void **state)
{
    (void)state;
    static const struct {
        const char *name, *text;
    } good[] = {
        {"gw.example.net", "@gw.example.net"},
        {"GW.Example.NET.", "@gw.example.net"},
        {"a", "@a"},
        {"3com.com", "@3com.com"},
        {"xn--bcher-kva.example", "@xn--bcher-kva.example"},
        {"1.2.0.192.in-addr.arpa", "@1.2.0.192.in-addr.arpa"},
    };
    static const char *const bad[] = {"",      ".",    "a..b",        ".a",        "a b",
                                      "-a.b",  "a-.b", "a_b.c",       "192.0.2.1", "a.1",
                                      "a.b..", "@a.b", "\xc3\xa4.de", "a\n.b"};
    for (size_t i = 0; i < CHECK_COUNT(good); i++) {
        char text[IDENTITY_TEXT_MAX];
        struct identity id;
        assert_true(identity_of_fqdn(view_of_text(good[i].name), &id));
        assert_string_equal(identity_format(&id, text), good[i].text);
    }
    for (size_t i = 0; i < CHECK_COUNT(bad); i++) {
        struct identity id;
        assert_false(identity_of_fqdn(view_of_text(bad[i]), &id));
    }
    struct identity id;
    assert_false(identity_of_fqdn(view_of("a\0.b", 4), &id));
    assert_false(identity_of_fqdn(view_of("a.b\0", 4), &id));
}

static void lengths_of_names(void **state)
{
    (void)state;
    char name[300];
    struct identity id;
    memset(name, 'a', sizeof(name));
    assert_true(identity_of_fqdn(view_of(name, 63), &id));
    assert_false(identity_of_fqdn(view_of(name, 64), &id));
    for (size_t i = 50; i < sizeof(name); i += 51)
        name[i] = '.';
    assert_true(identity_of_fqdn(view_of(name, 253), &id));
    assert_false(identity_of_fqdn(view_of(name, 254), &id));
    assert_false(identity_of_fqdn(view_of(name, 300), &id));
}

static void identities_compare(void **state)
{
    (void)state;
    struct ip_addr addr = ip_addr_v4(0xc0000201);
    struct identity a = identity_of_addr(&addr), b, c;
    char text[IDENTITY_TEXT_MAX];
    assert_true(identity_of_fqdn(view_of_text("a.example"), &b));
    assert_true(identity_of_fqdn(view_of_text("A.EXAMPLE."), &c));
    assert_true(identity_equal(&b, &c));
    assert_false(identity_equal(&a, &b));
    assert_string_equal(identity_format(&a, text), "192.0.2.1");
    assert_string_equal(identity_format(&(struct identity){0}, text), "none");
}

static void suites(void **state)
{
    (void)state;
    static const struct {
        struct esp_suite suite;
        bool valid;
        size_t cipher_key, auth_key, iv, icv, block;
        const char *text;
    } rows[] = {
        {{ESP_CIPHER_AES_GCM, ESP_AUTH_NONE, 128, false}, true, 20, 0, 8, 16, 4, "AES-GCM-128"},
        {{ESP_CIPHER_AES_GCM, ESP_AUTH_NONE, 256, true}, true, 36, 0, 8, 16, 4, "AES-GCM-256 ESN"},
        {{ESP_CIPHER_AES_GCM_8, ESP_AUTH_NONE, 192, false},
         true,
         28,
         0,
         8,
         8,
         4,
         "AES-GCM-192-ICV8"},
        {{ESP_CIPHER_AES_GCM_12, ESP_AUTH_NONE, 128, true},
         true,
         20,
         0,
         8,
         12,
         4,
         "AES-GCM-128-ICV12 ESN"},
        {{ESP_CIPHER_CHACHA20_POLY1305, ESP_AUTH_NONE, 256, true},
         true,
         36,
         0,
         8,
         16,
         4,
         "CHACHA20-POLY1305 ESN"},
        {{ESP_CIPHER_AES_CBC, ESP_AUTH_HMAC_SHA2_256_128, 128, false},
         true,
         16,
         32,
         16,
         16,
         16,
         "AES-CBC-128 HMAC-SHA2-256-128"},
        {{ESP_CIPHER_AES_CBC, ESP_AUTH_HMAC_SHA2_384_192, 192, true},
         true,
         24,
         48,
         16,
         24,
         16,
         "AES-CBC-192 HMAC-SHA2-384-192 ESN"},
        {{ESP_CIPHER_AES_CBC, ESP_AUTH_HMAC_SHA2_512_256, 256, false},
         true,
         32,
         64,
         16,
         32,
         16,
         "AES-CBC-256 HMAC-SHA2-512-256"},
        {{ESP_CIPHER_3DES_CBC, ESP_AUTH_HMAC_MD5_96, 192, false},
         true,
         24,
         16,
         8,
         12,
         8,
         "3DES-CBC HMAC-MD5-96"},
        {{ESP_CIPHER_3DES_CBC, ESP_AUTH_HMAC_SHA1_96, 192, false},
         true,
         24,
         20,
         8,
         12,
         8,
         "3DES-CBC HMAC-SHA1-96"},
        {{.protocol = SA_AH, .auth = ESP_AUTH_HMAC_SHA2_384_192, .esn = true},
         true,
         0,
         48,
         0,
         24,
         1,
         "AH HMAC-SHA2-384-192 ESN"},
        {{.protocol = SA_AH, .auth = ESP_AUTH_NONE}, false},
        {{.protocol = SA_AH, .auth = ESP_AUTH_HMAC_SHA2_256_128, .key_bits = 128}, false},
        {{.protocol = SA_AH, .cipher = ESP_CIPHER_AES_GCM, .key_bits = 128}, false},
        {{.protocol = 2, .auth = ESP_AUTH_HMAC_SHA2_256_128}, false},
        {{ESP_CIPHER_AES_GCM, ESP_AUTH_HMAC_SHA1_96, 128, false}, false},
        {{ESP_CIPHER_AES_GCM, ESP_AUTH_NONE, 127, false}, false},
        {{ESP_CIPHER_AES_CBC, ESP_AUTH_NONE, 128, false}, false}, /* no integrity */
        {{ESP_CIPHER_AES_CBC, ESP_AUTH_HMAC_MD5_96 + 1, 128, false}, false},
        {{ESP_CIPHER_3DES_CBC, ESP_AUTH_HMAC_MD5_96, 128, false}, false},
        {{ESP_CIPHER_NONE, ESP_AUTH_HMAC_SHA1_96, 0, false}, false},
        {{ESP_CIPHER_CHACHA20_POLY1305, ESP_AUTH_NONE, 128, false}, false},
        {{99, ESP_AUTH_HMAC_SHA1_96, 128, false}, false},
    };
    for (size_t i = 0; i < CHECK_COUNT(rows); i++) {
        const struct esp_suite *suite = &rows[i].suite;
        char text[ESP_SUITE_TEXT_MAX];
        assert_int_equal(esp_suite_valid(suite), rows[i].valid);
        esp_suite_format(suite, text);
        if (!rows[i].valid)
            continue;
        assert_int_equal(esp_suite_cipher_key_len(suite), rows[i].cipher_key);
        assert_int_equal(esp_suite_auth_key_len(suite), rows[i].auth_key);
        assert_int_equal(esp_suite_iv_len(suite), rows[i].iv);
        assert_int_equal(esp_suite_icv_len(suite), rows[i].icv);
        assert_int_equal(esp_suite_block_len(suite), rows[i].block);
        assert_string_equal(text, rows[i].text);
        assert_true(rows[i].cipher_key <= SA_KEY_MAX && rows[i].auth_key <= SA_AUTH_KEY_MAX);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(host_names),
        cmocka_unit_test(lengths_of_names),
        cmocka_unit_test(identities_compare),
        cmocka_unit_test(suites),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
