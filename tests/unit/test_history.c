/* What keyd remembers: bounded, in order, and a flood does not wash away the story of the tunnels. */
#include "daemon/keyd_history.h"

#include "check.h"

static struct event_record record_of(bool stranger, unsigned number)
{
    struct event_record record = {.level = EVENT_INFO, .connection = number};
    if (stranger)
        record.line = EVENT_LINE_CLEAR;
    else
        record.flow.src = record.flow.dst = ip_addr_v4(0xc0000201);
    return record;
}

/* OE-194 */
static void test_flood_of_strangers(void **state)
{
    (void)state;
    enum { OURS = 100, THEIRS = 3 * HISTORY_STRANGERS };
    struct history h;
    const struct event_record *at = NULL;
    unsigned ours = 0, theirs = 0;

    assert_true(history_init(&h));
    assert_null(history_next(&h, 0));
    for (unsigned i = 0; i < THEIRS; i++) {
        struct event_record record = record_of(true, i);
        (void)history_add(&h, &record);
        record = record_of(false, i);
        if (i < OURS)
            (void)history_add(&h, &record);
    }
    while ((at = history_next(&h, at != NULL ? at->serial : 0)) != NULL) {
        bool stranger = at->flow.src.family == IP_NONE;
        unsigned number = stranger ? THEIRS - HISTORY_STRANGERS + theirs++ : ours++;
        assert_int_equal(at->connection, number);
    }
    assert_int_equal(ours, OURS);
    assert_int_equal(theirs, HISTORY_STRANGERS);
    history_fini(&h);
}

/* Against the plain truth: the smallest serial above, of what both rings still hold. */
static void test_any_mixture(void **state)
{
    (void)state;
    enum { RECORDS = 60000 };
    static bool kept[RECORDS + 1], stranger[RECORDS + 1];
    struct history h;
    uint64_t seed = 3;
    unsigned room[2] = {HISTORY_RECORDS, HISTORY_STRANGERS};

    assert_true(history_init(&h));
    for (unsigned serial = 1; serial <= RECORDS; serial++) {
        stranger[serial] = check_random(&seed) % 3 == 0;
        struct event_record record = record_of(stranger[serial], serial);
        assert_int_equal(history_add(&h, &record)->serial, serial);
    }
    for (unsigned serial = RECORDS; serial >= 1; serial--)
        if (room[stranger[serial]] > 0) {
            room[stranger[serial]]--;
            kept[serial] = true;
        }
    uint64_t next = 0; /* of what is kept, from the newest down */
    for (unsigned after = RECORDS + 1; after-- > 0;) {
        const struct event_record *found = history_next(&h, after);
        assert_int_equal(found != NULL ? found->serial : 0, next);
        if (kept[after])
            next = after;
    }
    history_fini(&h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_flood_of_strangers),
        cmocka_unit_test(test_any_mixture),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
