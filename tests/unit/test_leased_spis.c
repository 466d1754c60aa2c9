/* The alias by which an RSIP lease's SPIs reach keyd (RSIP-009). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <string.h>

#include "daemon/leased_spis.h"

/* RSIP-006: with a port for IKE, and without */
static void test_there_and_back(void **state)
{
    static const uint16_t ports[] = {0, 1024, 20000, 65535};
    struct leased_spis leased = {.count = 0}, got;
    char text[LEASED_SPIS_TEXT];
    (void)state;
    for (uint32_t i = 0; i < LEASED_SPIS; i++)
        leased.spis[i] = UINT32_MAX - i * 0x01010101;
    for (leased.count = 1; leased.count <= LEASED_SPIS; leased.count++)
        for (size_t i = 0; i < sizeof(ports) / sizeof(ports[0]); i++) {
            leased.ike_port = ports[i];
            leased_spis_format(&leased, text);
            assert_true(strlen(text) < LEASED_SPIS_TEXT - 1);
            leased_spis_parse(text, &got);
            assert_int_equal(got.count, leased.count);
            assert_int_equal(got.ike_port, ports[i]);
            assert_memory_equal(got.spis, leased.spis, leased.count * sizeof(leased.spis[0]));
        }
    leased = (struct leased_spis){.spis = {256}, .ike_port = 20000};
    assert_string_equal(leased_spis_format(&leased, text), "");
    leased.count = 1;
    assert_string_equal(leased_spis_format(&leased, text), "RSIP SPIs 00000100 port 20000");
    leased.ike_port = 0;
    assert_string_equal(leased_spis_format(&leased, text), "RSIP SPIs 00000100");
}

/* What people write there, and SPIs that can't be (RFC 4303 section 2.1). */
static void test_other_aliases(void **state)
{
    static const char *const others[] = {
        "",
        "uplink to the office",
        "RSIP SPIs",
        "RSIP SPIs ",
        "RSIP SPIs 1000",
        "RSIP SPIs 0000100g",
        "RSIP SPIs 00001000 ",
        "RSIP SPIs 00001000,00001001",
        "RSIP SPIs 000010000",
        "RSIP SPIs 00001000 000000ff",
        "RSIP SPIs -0001000",
        "my RSIP SPIs 00001000",
        "RSIP SPIs port 20000",
        "RSIP SPIs 00001000 port",
        "RSIP SPIs 00001000 port 500",
        "RSIP SPIs 00001000 port 1023",
        "RSIP SPIs 00001000 port 65536",
        "RSIP SPIs 00001000 port 020000",
        "RSIP SPIs 00001000 port 20000 00001001",
    };
    struct leased_spis got;
    (void)state;
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        leased_spis_parse(others[i], &got);
        assert_int_equal(got.count, 0);
        assert_int_equal(got.ike_port, 0);
    }
    leased_spis_read("no-such-device", &got);
    assert_int_equal(got.count, 0);
    leased_spis_read("lo", &got);
    assert_int_equal(got.count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_there_and_back),
        cmocka_unit_test(test_other_aliases),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
