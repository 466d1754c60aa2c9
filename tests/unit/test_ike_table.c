/*
 * The IKEv1 tables say what they should: every state can be reached and left, every message is sent
 * by one row and received by one, and nothing is ambiguous.
 */
#include "ike/v1/v1.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static bool starts(enum v1_state state)
{
    return state == V1_MM_I_START || state == V1_MM_R_START || state == V1_QM_I_START ||
           state == V1_QM_R_START || state == V1_AM_I_START || state == V1_AM_R_START;
}

static bool ends(enum v1_state state)
{
    return state == V1_ESTABLISHED || state == V1_QM_DONE;
}

static unsigned waits(enum v1_state state, enum v1_way way)
{
    const struct v1_row *row;
    unsigned count = 0;
    for (size_t i = 0; (row = v1_row_at(i)) != NULL; i++)
        count += row->state == state && (row->way == 0 || (row->way & way) != 0);
    return count;
}

static void test_states(void **state)
{
    (void)state;
    for (enum v1_state s = V1_NONE + 1; s < V1_STATE_COUNT; s++) {
        unsigned in = 0, out = 0;
        const struct v1_row *row;
        for (size_t i = 0; (row = v1_row_at(i)) != NULL; i++) {
            in += row->next == s;
            out += row->state == s;
        }
        assert_true(starts(s) ? in == 0 : in > 0);
        /* Each state waits for exactly one thing, however the two prove themselves. */
        assert_int_equal(out == 0, ends(s));
        for (enum v1_way way = V1_BY_SIGNATURE; way <= V1_BY_ENCRYPTION && out > 1; way *= 2)
            assert_int_equal(waits(s, way), 1);
        assert_true(v1_state_name(s)[0] != '\0');
    }
}

static bool in_clear(enum v1_message_kind kind)
{
    return kind <= V1_MM4 || kind == V1_MM3_ENC || kind == V1_MM4_ENC || kind == V1_AM1 ||
           kind == V1_AM2 || kind == V1_AM2_PSK || kind == V1_AM2_ENC;
}

static void test_messages(void **state)
{
    (void)state;
    for (enum v1_message_kind kind = V1_MM1; kind <= V1_QM3; kind++) {
        unsigned ways = 0;
        for (enum v1_way way = V1_BY_SIGNATURE; way <= V1_BY_ENCRYPTION; way *= 2) {
            unsigned sent = 0, got = 0;
            const struct v1_row *row;
            for (size_t i = 0; (row = v1_row_at(i)) != NULL; i++) {
                bool serves = row->way == 0 || (row->way & way) != 0;
                sent += serves && row->sends == kind;
                got += serves && row->gets == kind;
            }
            assert_in_range(sent, 0, 1);
            assert_int_equal(got, sent);
            ways += sent;
        }
        assert_in_range(ways, 1, 3);
        assert_true(v1_message(kind)->label[0] == '5');
        assert_true(v1_message(kind)->rules[0].min == 1);
    }
    /* Main Mode is in clear up to message 4, Aggressive Mode up to 2 (RFC 2409 section 5), all else
     * never. */
    for (enum v1_message_kind kind = V1_MM1; kind <= V1_INFO; kind++)
        assert_int_equal(v1_message(kind)->encrypted, !in_clear(kind));
}

static void test_rows(void **state)
{
    const struct v1_row *row;
    (void)state;
    for (size_t i = 0; (row = v1_row_at(i)) != NULL; i++) {
        assert_ptr_equal(v1_row_find(row->state, row->on, row->way ? row->way : V1_BY_PSK), row);
        assert_non_null(row->handle);
        assert_true(row->story[0] != '\0');
        assert_int_equal(row->gets != V1_NO_MESSAGE, row->on == V1_ON_MESSAGE);
        /* Only what was just sent can be sent again; only what has ended can linger. */
        if (row->timer == V1_TIMER_RESEND)
            assert_true(row->sends != V1_NO_MESSAGE);
        assert_int_equal(row->timer == V1_TIMER_LINGER, ends(row->next));
        assert_true(row->then != NULL || !ends(row->next));
    }
    assert_null(v1_row_find(V1_ESTABLISHED, V1_ON_MESSAGE, V1_ANY_WAY));
    assert_null(v1_row_find(V1_MM_I_WAIT_SA, V1_ON_SIGNED, V1_ANY_WAY));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_states),
        cmocka_unit_test(test_messages),
        cmocka_unit_test(test_rows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
