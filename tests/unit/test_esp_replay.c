/* The replay window against a trivial model, at its boundaries, and the recovery of ESN. */
#include "esp/replay.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

enum { WINDOW = LIMIT_REPLAY_WINDOW, MODEL_SPAN = 1 << 16 };

static uint64_t random_state = 7;

static uint64_t next_random(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state;
}

/* Every number ever seen, relative to a base. */
struct model {
    uint64_t base, top;
    bool seen[MODEL_SPAN];
};

static bool model_accepts(const struct model *m, uint64_t sequence)
{
    return sequence != 0 && (sequence > m->top || m->top - sequence < WINDOW) &&
           !m->seen[sequence - m->base];
}

static void model_mark(struct model *m, uint64_t sequence)
{
    m->seen[sequence - m->base] = true;
    if (sequence > m->top)
        m->top = sequence;
}

/* Near the top mostly; sometimes far ahead, sometimes behind the window. */
static uint64_t pick(const struct model *m)
{
    uint64_t top = m->top - m->base;
    uint64_t at;
    switch (next_random() % 8) {
    case 0:
        at = top + next_random() % 300;
        break;
    case 1:
        at = top + next_random() % 4000;
        break;
    case 2:
        at = top - next_random() % (top + 1);
        break;
    default:
        at = top + 8 - next_random() % (top < 2100 ? top + 8 : 2100);
        break;
    }
    return m->base + (at < MODEL_SPAN ? at : top);
}

static void run_model(uint64_t base, struct model *m)
{
    struct replay_window window = {.top = base};
    memset(m, 0, sizeof(*m));
    m->base = m->top = base;
    if (base != 0) { /* an SA that has come this far has seen its top */
        window.words[base / 64 % REPLAY_WORDS] |= 1ull << base % 64;
        m->seen[0] = true;
        m->base = base - WINDOW;
        memset(m->seen, 0, sizeof(m->seen));
        m->seen[WINDOW] = true;
    }
    for (int i = 0; i < 60000 && m->top - m->base < MODEL_SPAN - 5000; i++) {
        uint64_t sequence = pick(m);
        bool accepts = model_accepts(m, sequence);
        assert_int_equal(replay_check(&window, sequence), accepts);
        if (next_random() % 4 == 0)
            continue; /* it wasn't authentic: checked, never marked */
        assert_int_equal(replay_mark(&window, sequence), accepts);
        if (accepts)
            model_mark(m, sequence);
        assert_int_equal(window.top, m->top);
    }
}

static void test_against_model(void **state)
{
    (void)state;
    static const uint64_t bases[] = {0,          1ull << 32,       (1ull << 32) - 3000,
                                     0xffffffff, 5ull << 40 | 123, UINT64_MAX - MODEL_SPAN};
    struct model *m = malloc(sizeof(*m));
    for (unsigned round = 0; round < 5; round++)
        for (size_t i = 0; i < sizeof(bases) / sizeof(bases[0]); i++)
            run_model(bases[i], m);
    free(m);
}

struct step {
    uint64_t sequence;
    bool accepted;
};

static void run_steps(const struct step *steps, size_t count)
{
    struct replay_window window = {0};
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(replay_check(&window, steps[i].sequence), steps[i].accepted);
        assert_int_equal(replay_mark(&window, steps[i].sequence), steps[i].accepted);
    }
}

static void test_boundaries(void **state)
{
    (void)state;
    static const struct step steps[] = {
        {0, false},
        {1, true},
        {1, false},
        {9, true},
        {8, true},
        {7, true},
        {7, false},
        {WINDOW, true},
        {WINDOW - 1, true},
        {WINDOW - 1, false},
        {2, true},
        {2, false},
        {WINDOW + 16, true},
        {3, false},
        {WINDOW + 16, false},
        {WINDOW * 4, true},
        {WINDOW * 4 - (WINDOW - 1), true},
        {10, false},
        {WINDOW * 4 - WINDOW, false},
        {WINDOW * 4 - (WINDOW + 1), false},
        {WINDOW * 4 - (WINDOW - 2), true},
        {WINDOW * 4 + 1 - WINDOW, false},
        {WINDOW * 4 - 1, true},
        {UINT32_MAX, true},
        {UINT32_MAX - 1, true},
        {UINT32_MAX, false},
        {UINT32_MAX - (WINDOW - 1), true},
        {UINT32_MAX - WINDOW, false},
        {1ull << 32, true},
        {UINT32_MAX - 2, true},
        {UINT64_MAX - 1, true},
        {UINT64_MAX, true},
        {UINT64_MAX, false},
        {UINT64_MAX - 1, false},
        {UINT64_MAX - (WINDOW - 1), true},
        {UINT64_MAX - WINDOW, false},
        {0, false},
        {1, false},
    };
    run_steps(steps, sizeof(steps) / sizeof(steps[0]));
}

static void test_runs(void **state)
{
    (void)state;
    struct replay_window up = {0}, down = {0}, jumps = {0};
    for (uint64_t i = 1; i <= WINDOW; i++)
        assert_true(replay_mark(&up, i));
    for (uint64_t i = 1; i <= WINDOW; i++)
        assert_false(replay_mark(&up, i));
    assert_true(replay_mark(&up, WINDOW + 1));
    assert_false(replay_mark(&up, 1));
    for (uint64_t i = WINDOW; i >= 1; i--)
        assert_true(replay_mark(&down, i));
    for (uint64_t i = 1; i <= WINDOW; i++)
        assert_false(replay_mark(&down, i));
    /* A jump of every length leaves exactly the part of the window that stays. */
    for (uint64_t jump = 1; jump <= WINDOW + 200; jump++) {
        struct replay_window w = {0};
        for (uint64_t i = 1; i <= WINDOW; i++)
            assert_true(replay_mark(&w, i));
        uint64_t top = WINDOW + jump;
        assert_true(replay_mark(&w, top));
        uint64_t bottom = top - WINDOW + 1;
        for (uint64_t i = bottom; i < top; i++)
            if (replay_check(&w, i) != (i > WINDOW))
                fail_msg("jump %u, number %u", (unsigned)jump, (unsigned)i);
        assert_false(replay_check(&w, bottom - 1));
    }
    for (uint64_t i = 1; i < 100; i++)
        assert_true(replay_mark(&jumps, i * 1000003));
}

/* A refused mark changes nothing. */
static void test_refusal_is_pure(void **state)
{
    (void)state;
    struct replay_window window = {0}, before;
    for (uint64_t i = 100; i < 9000; i += 3)
        assert_true(replay_mark(&window, i));
    before = window;
    assert_false(replay_mark(&window, 0));
    assert_false(replay_mark(&window, 100));
    assert_false(replay_mark(&window, 8998));
    assert_memory_equal(&window, &before, sizeof(window));
}

/* RFC 4303 appendix A2.2, cases A and B, with their edges. */
static void test_recover_table(void **state)
{
    (void)state;
    static const struct {
        uint64_t top;
        uint32_t low;
        uint64_t whole;
    } rows[] = {
        {0, 1, 1},
        {0, 0x7fffffff, 0x7fffffff},
        {0, 0xffffffff, 0}, /* would lie before the first */
        {0, (uint32_t)(0 - (WINDOW - 1)), 0},
        {0, (uint32_t)(0 - WINDOW), (uint32_t)(0 - WINDOW)},
        {5, 0xffffffff, 0},
        {WINDOW - 1, 0, 0},
        {WINDOW - 1, 0xffffffff, 0xffffffff},
        {WINDOW, 0, 1ull << 32}, /* below the window: the next subspace */
        {WINDOW, 1, 1},
        {0xffffffff, 0xffffffff, 0xffffffff},
        {0xffffffff, 0, 1ull << 32},
        {0xffffffff, 0xffffffff - WINDOW, 0x1ffffffffull - WINDOW},
        {0xffffffff, 0xffffffff - (WINDOW - 1), 0xffffffff - (WINDOW - 1)},
        {1ull << 32, 0xffffffff, 0xffffffff},
        {1ull << 32, 5, 1ull << 32 | 5},
        {1ull << 32 | (WINDOW - 2), 0xffffffff, 0xffffffff},
        {1ull << 32 | (WINDOW - 1), 0xffffffff, 0x1ffffffff},
        {7ull << 32 | 0x80000000, 0x80000001, 7ull << 32 | 0x80000001},
        {7ull << 32 | 0x80000000, 3, 8ull << 32 | 3},
        {0xffffffff80000000, 3, 0}, /* behind the last one there is */
        {UINT64_MAX, 0xffffffff, UINT64_MAX},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct replay_window window = {.top = rows[i].top};
        assert_int_equal(replay_recover(&window, rows[i].low, true), rows[i].whole);
        assert_int_equal(replay_recover(&window, rows[i].low, false), rows[i].low);
    }
}

/* Whatever lies in the window, or up to 2^32 - WINDOW ahead of its top, is recovered exactly. */
static void test_recover_random(void **state)
{
    (void)state;
    for (int i = 0; i < 200000; i++) {
        uint64_t top = WINDOW + next_random() % (UINT64_MAX - (2ull << 32));
        if (i % 2 == 0)
            top = (top | 0xffffffff) + next_random() % (4 * WINDOW) - 2 * WINDOW;
        struct replay_window window = {.top = top};
        uint64_t ahead = next_random() % ((1ull << 32) - WINDOW + 1);
        uint64_t behind = next_random() % WINDOW;
        uint64_t sequence = i % 3 == 0 ? top - behind : top + ahead;
        assert_int_equal(replay_recover(&window, (uint32_t)sequence, true), sequence);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_against_model), cmocka_unit_test(test_boundaries),
        cmocka_unit_test(test_runs),          cmocka_unit_test(test_refusal_is_pure),
        cmocka_unit_test(test_recover_table), cmocka_unit_test(test_recover_random),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
