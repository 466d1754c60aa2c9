/*
 * When a child that died is started again: at once, then after growing delays, and at once again
 * after a steady life.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "daemon/supervisor.h"

static struct supervisor s;
static mono_t now;
static enum child_role role;

static int start_all(void **state)
{
    (void)state;
    now = (mono_t){1000};
    supervisor_init(&s, now);
    for (int pid = 100; supervisor_due(&s, now, &role); pid++)
        supervisor_started(&s, role, pid + (int)role, now);
    return supervisor_running(&s) == CHILD_ROLE_COUNT ? 0 : -1;
}

/* Dies at `now`; returns how long the next start waits. */
static int64_t die(enum child_role who)
{
    enum child_role died = CHILD_ROLE_COUNT;

    assert_true(supervisor_died(&s, s.roles[who].pid, now, &died));
    assert_int_equal(died, who);
    assert_int_equal(s.roles[who].pid, 0);
    return mono_since(supervisor_next_deadline(&s), now);
}

static void restart(enum child_role who, int pid)
{
    now = supervisor_next_deadline(&s);
    assert_true(supervisor_due(&s, now, &role));
    assert_int_equal(role, who);
    supervisor_started(&s, who, pid, now);
    assert_false(supervisor_due(&s, now, &role));
}

static void test_all_start(void **state)
{
    (void)state;
    assert_true(mono_is_never(supervisor_next_deadline(&s)));
    for (int i = 0; i < CHILD_ROLE_COUNT; i++)
        assert_int_equal(s.roles[i].restarts, 0);
}

static void test_growing_delays(void **state)
{
    (void)state;
    static const int64_t delays[] = {0, 100, 200, 400, 800, 1600, 3200, 5000, 5000};

    for (size_t i = 0; i < sizeof(delays) / sizeof(delays[0]); i++) {
        now = mono_add(now, 50);
        assert_int_equal(die(CHILD_KEYD), delays[i]);
        if (delays[i] > 0)
            assert_false(supervisor_due(&s, mono_add(now, delays[i] - 1), &role));
        restart(CHILD_KEYD, 200 + (int)i);
        assert_int_equal(s.roles[CHILD_KEYD].restarts, i + 1);
    }
}

static void test_steady_life(void **state)
{
    (void)state;
    for (int i = 0; i < 4; i++) {
        die(CHILD_PLANE);
        restart(CHILD_PLANE, 300 + i);
    }
    now = mono_add(now, SUPERVISOR_STEADY_MS - 1);
    assert_int_equal(die(CHILD_PLANE), 800);
    restart(CHILD_PLANE, 400);
    now = mono_add(now, SUPERVISOR_STEADY_MS);
    assert_int_equal(die(CHILD_PLANE), 0);
    restart(CHILD_PLANE, 401);
    assert_int_equal(die(CHILD_PLANE), 100);
}

static void test_one_does_not_delay_another(void **state)
{
    (void)state;
    die(CHILD_KEYD);
    restart(CHILD_KEYD, 500);
    die(CHILD_KEYD);
    assert_int_equal(die(CHILD_KEEPER), 0);
    assert_true(supervisor_due(&s, now, &role));
    assert_int_equal(role, CHILD_KEEPER);
}

static void test_strangers(void **state)
{
    (void)state;
    assert_false(supervisor_died(&s, 99999, now, &role));
    assert_int_equal(supervisor_running(&s), CHILD_ROLE_COUNT);
}

static void test_failed_start(void **state)
{
    (void)state;
    die(CHILD_RESOLVER);
    now = supervisor_next_deadline(&s);
    supervisor_failed(&s, CHILD_RESOLVER, now);
    assert_int_equal(mono_since(supervisor_next_deadline(&s), now), 100);
    assert_int_equal(supervisor_running(&s), CHILD_ROLE_COUNT - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_all_start, start_all),
        cmocka_unit_test_setup(test_growing_delays, start_all),
        cmocka_unit_test_setup(test_steady_life, start_all),
        cmocka_unit_test_setup(test_one_does_not_delay_another, start_all),
        cmocka_unit_test_setup(test_strangers, start_all),
        cmocka_unit_test_setup(test_failed_start, start_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
