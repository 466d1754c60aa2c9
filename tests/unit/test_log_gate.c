/* OE-194: however many warnings strangers cause, the log grows by a few a second, and says so. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "daemon/log_gate.h"

static void test_flood(void **state)
{
    struct log_gate gate = {0};
    uint64_t left_out = 99;
    unsigned written = 0;
    (void)state;

    for (int64_t ms = 5000; ms < 8000; ms++) /* ten each millisecond */
        for (int i = 0; i < 10; i++)
            written += log_gate_pass(&gate, (mono_t){ms}, &left_out);
    assert_int_equal(written, 3 * LOG_GATE_PER_SECOND);
    assert_true(log_gate_pass(&gate, (mono_t){8000}, &left_out));
    assert_int_equal(left_out, 10000 - LOG_GATE_PER_SECOND);
    assert_true(log_gate_pass(&gate, (mono_t){8001}, &left_out));
    assert_int_equal(left_out, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_flood)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
