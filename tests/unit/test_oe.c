/*
 * The OE engine's tables, row by row: every case drives an engine in virtual time, and at the end
 * no row may be left that none of them took.
 */
#include "oe_cases.h"

/* Runs last: rig_close() has added up what every case before it took. */
static void test_every_row_was_taken(void **state)
{
    (void)state;
    struct oe_table_row row;
    size_t missed = 0, i;
    for (i = 0; oe_table_row(i, &row); i++) {
        assert_true(i < CHECK_COUNT(rig_row_hits));
        if (rig_row_hits[i] == 0) {
            print_error("never taken: %s, %s, %s [%s] -> %s\n", row.role, row.from, row.event,
                        row.guard, row.to);
            missed++;
        }
    }
    assert_int_equal(missed, 0);
    assert_true(i > 100);
}

/* Every state of sections 3.2 and 3.3 is entered by some row and left by some row. */
static void test_every_state_is_there(void **state)
{
    (void)state;
    for (int s = 0; s < OE_STATE_COUNT; s++) {
        struct oe_table_row row;
        bool entered = false, left = false;
        for (size_t i = 0; oe_table_row(i, &row); i++) {
            bool from = strcmp(row.from, oe_state_name((enum oe_state)s)) == 0;
            bool to = strcmp(row.to, oe_state_name((enum oe_state)s)) == 0;
            entered |= to && !from;
            left |= from && !to;
            assert_true(row.story[0] != '\0' && row.action[0] != '\0');
        }
        assert_true(entered && left);
    }
}

static size_t append(struct CMUnitTest *tests, size_t at, const struct CMUnitTest *cases,
                     size_t count)
{
    memcpy(tests + at, cases, count * sizeof(*cases));
    return at + count;
}

int main(void)
{
    static const struct CMUnitTest last[] = {
        cmocka_unit_test(test_every_row_was_taken),
        cmocka_unit_test(test_every_state_is_there),
    };
    struct CMUnitTest tests[256];
    size_t count = 0;
    count = append(tests, count, oe_initiator_cases, oe_initiator_case_count);
    count = append(tests, count, oe_responder_cases, oe_responder_case_count);
    count = append(tests, count, oe_aging_cases, oe_aging_case_count);
    count = append(tests, count, oe_policy_cases, oe_policy_case_count);
    count = append(tests, count, oe_reload_cases, oe_reload_case_count);
    count = append(tests, count, oe_multihoming_cases, oe_multihoming_case_count);
    count = append(tests, count, oe_gateway_cases, oe_gateway_case_count);
    count = append(tests, count, last, CHECK_COUNT(last));
    return _cmocka_run_group_tests("oe", tests, count, NULL, NULL);
}
