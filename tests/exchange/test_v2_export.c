/* The keys that leave the engine for Wireshark: the same from both ends, and none unless asked for. */
#include "control/key_lines.h"
#include "pair.h"

static char lines[PAIR_SIDES][16][KEY_LINE_MAX];
static unsigned counts[PAIR_SIDES];

static void take_keys(struct pair *pair, unsigned side, const struct ike_effect *fx)
{
    struct ike_exported keys;
    (void)pair;
    assert_int_equal(fx->bytes.len, sizeof(keys));
    memcpy(&keys, fx->bytes.ptr, sizeof(keys));
    assert_true(counts[side] < 16);
    assert_true(key_line_ike(&keys, lines[side][counts[side]++]) > 40);
}

static void run(enum ike_version version, bool export)
{
    struct pair_options options = {.version = version};
    options.config.key_export = export;
    memset(counts, 0, sizeof(counts));
    struct pair *pair = pair_new(&options);
    pair->on_keys = take_keys;
    assert_int_equal(pair_initiate(pair, PAIR_A, 7, 0), ERR_OK);
    pair_run(pair, 1000);
    assert_int_equal(pair->sides[PAIR_A].up, 1);
    if (version == IKE_VERSION_2) {
        struct v2_sa *sa = pair->sides[PAIR_A].ike->v2.all[0];
        ike_timer_set(pair->sides[PAIR_A].ike, &sa->expiry, pair->now);
        pair_run(pair, 1000);
    }
    pair_free(pair);
}

static void test_export(void **state)
{
    (void)state;
    for (unsigned version = IKE_VERSION_1; version <= IKE_VERSION_2; version++) {
        unsigned expected = version == IKE_VERSION_2 ? 2 : 1;
        run((enum ike_version)version, true);
        assert_int_equal(counts[PAIR_A], expected);
        assert_int_equal(counts[PAIR_B], expected);
        for (unsigned i = 0; i < expected; i++)
            assert_string_equal(lines[PAIR_A][i], lines[PAIR_B][i]);
        run((enum ike_version)version, false);
        assert_int_equal(counts[PAIR_A] + counts[PAIR_B], 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_export)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
