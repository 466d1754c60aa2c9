/* The alias by which an RSIP lease's SPIs reach keyd (RSIP-009). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <string.h>

#include "daemon/leased_spis.h"

static void test_there_and_back(void **state)
{
    uint32_t spis[LEASED_SPIS + 5], got[LEASED_SPIS];
    char text[LEASED_SPIS_TEXT];
    (void)state;
    for (uint32_t i = 0; i < LEASED_SPIS + 5; i++)
        spis[i] = UINT32_MAX - i * 0x01010101;
    for (size_t count = 0; count <= LEASED_SPIS + 5; count++) {
        size_t kept = count < LEASED_SPIS ? count : LEASED_SPIS;
        leased_spis_format(spis, count, text);
        assert_true(strlen(text) < LEASED_SPIS_TEXT - 1);
        assert_int_equal(leased_spis_parse(text, got), kept);
        assert_memory_equal(got, spis, kept * sizeof(*spis));
    }
    assert_string_equal(leased_spis_format(spis, 0, text), "");
    spis[0] = 256;
    assert_string_equal(leased_spis_format(spis, 1, text), "RSIP SPIs 00000100");
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
    };
    uint32_t got[LEASED_SPIS];
    (void)state;
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
        assert_int_equal(leased_spis_parse(others[i], got), 0);
    assert_int_equal(leased_spis_read("no-such-device", got), 0);
    assert_int_equal(leased_spis_read("lo", got), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_there_and_back),
        cmocka_unit_test(test_other_aliases),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
