/* Cursor, builder, secrets, error classes. */
#include "check.h"

#include "base/builder.h"
#include "base/cursor.h"
#include "base/err.h"
#include "base/mono.h"
#include "base/secret.h"

static void cursor_reads_network_order(void **state)
{
    (void)state;
    const uint8_t bytes[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
    struct cursor cur = cursor_of(view_of(bytes, sizeof(bytes)));
    assert_int_equal(cursor_u8(&cur), 0x01);
    assert_int_equal(cursor_u16(&cur), 0x0203);
    assert_int_equal(cursor_u32(&cur), 0x04050607);
    assert_int_equal(cursor_left(&cur), 8);
    assert_false(cursor_done(&cur));
    assert_true(cursor_u64(&cur) == UINT64_C(0x08090a0b0c0d0e0f));
    assert_true(cursor_done(&cur));
}

static void cursor_error_is_sticky(void **state)
{
    (void)state;
    const uint8_t bytes[] = {0xff, 0xff, 0xff};
    struct cursor cur = cursor_of(view_of(bytes, sizeof(bytes)));
    assert_int_equal(cursor_u32(&cur), 0);
    assert_true(cur.bad);
    assert_int_equal(cursor_u8(&cur), 0);
    assert_int_equal(cursor_left(&cur), 0);
    assert_int_equal(cursor_rest(&cur).len, 0);
    assert_false(cursor_done(&cur));

    uint8_t copy[4] = {1, 2, 3, 4};
    const uint8_t zeros[4] = {0};
    cursor_copy(&cur, copy, sizeof(copy));
    assert_memory_equal(copy, zeros, sizeof(copy));
}

static void cursor_sub_bounds_the_child(void **state)
{
    (void)state;
    const uint8_t bytes[] = {1, 2, 3, 4};
    struct cursor cur = cursor_of(view_of(bytes, sizeof(bytes)));
    struct cursor child = cursor_sub(&cur, 3);
    assert_int_equal(cursor_u16(&child), 0x0102);
    assert_int_equal(cursor_u16(&child), 0);
    assert_true(child.bad);
    assert_int_equal(cursor_u8(&cur), 4); /* the parent went past the child, whatever it did */
    assert_true(cursor_done(&cur));

    struct cursor none = cursor_sub(&cur, 1);
    assert_true(none.bad);
    assert_true(cur.bad);
}

static void cursor_over_nothing(void **state)
{
    (void)state;
    struct cursor cur = cursor_of(view_of(NULL, 0));
    assert_true(cursor_done(&cur));
    assert_int_equal(cursor_take(&cur, 0).len, 0);
    assert_true(cursor_done(&cur));
    cursor_skip(&cur, 1);
    assert_true(cur.bad);
}

/* Whatever sequence of reads: the cursor never yields more than there was. */
static void cursor_random_reads_stay_inside(void **state)
{
    (void)state;
    uint64_t seed = 1;
    uint8_t bytes[64];
    check_rng_fill(&seed, bytes, sizeof(bytes));
    for (int round = 0; round < 2000; round++) {
        size_t len = check_random(&seed) % sizeof(bytes), used = 0;
        struct cursor cur = cursor_of(view_of(bytes, len));
        while (!cur.bad) {
            size_t want = check_random(&seed) % 16;
            struct view got = cursor_take(&cur, want);
            if (cur.bad) {
                assert_true(used + want > len);
                assert_int_equal(got.len, 0);
                break;
            }
            check_view(got, view_of(bytes + used, want));
            used += want;
            assert_int_equal(cursor_left(&cur), len - used);
            if (cursor_done(&cur))
                break;
        }
    }
}

static void builder_writes_network_order(void **state)
{
    (void)state;
    uint8_t room[32], want[32];
    struct builder b = builder_on(span_of(room, sizeof(room)));
    builder_u8(&b, 0x01);
    builder_u16(&b, 0x0203);
    builder_u32(&b, 0x04050607);
    builder_u64(&b, UINT64_C(0x08090a0b0c0d0e0f));
    builder_bytes(&b, "ab", 2);
    builder_fill(&b, 0xee, 2);
    builder_align(&b, 1, 4);
    check_view(builder_written(&b),
               check_hex("01 0203 04050607 08090a0b0c0d0e0f 6162 eeee 0000", want));
    builder_align(&b, 1, 4);
    assert_int_equal(b.len, 21);
}

static void builder_lengths_and_patches(void **state)
{
    (void)state;
    uint8_t room[32], want[32];
    struct builder b = builder_on(span_of(room, sizeof(room)));
    size_t outer = builder_open_u32(&b), outer_start = b.len;
    size_t inner = builder_open_u16(&b);
    builder_bytes(&b, "xyz", 3);
    builder_close_u16(&b, inner, inner);
    builder_close_u32(&b, outer, outer_start);
    builder_patch_u8(&b, 6, 'X');
    check_view(builder_written(&b), check_hex("00000005 0005 58797a", want));
    builder_patch_u16(&b, b.len - 1, 0);
    assert_true(b.bad);
    assert_int_equal(builder_written(&b).len, 0);
}

static void builder_without_room_is_bad_for_good(void **state)
{
    (void)state;
    uint8_t room[4] = {9, 9, 9, 9};
    struct builder b = builder_on(span_of(room, 3));
    builder_u16(&b, 0x0102);
    builder_u16(&b, 0x0304);
    assert_true(b.bad);
    builder_u8(&b, 5);
    assert_int_equal(b.len, 2);
    assert_int_equal(room[2], 9);
    assert_int_equal(builder_written(&b).len, 0);
}

static void builder_refuses_a_length_that_does_not_fit(void **state)
{
    (void)state;
    static uint8_t room[UINT16_MAX + 3];
    struct builder b = builder_on(span_of(room, sizeof(room)));
    size_t field = builder_open_u16(&b);
    builder_fill(&b, 0, UINT16_MAX);
    builder_close_u16(&b, field, 2);
    assert_false(b.bad);
    builder_u8(&b, 0);
    builder_close_u16(&b, field, 2);
    assert_true(b.bad);
}

static void secrets_compare_and_wipe(void **state)
{
    (void)state;
    uint8_t a[] = {1, 2, 3}, b[] = {1, 2, 3}, zeros[3] = {0};
    assert_true(secret_equal(view_of(a, 3), view_of(b, 3)));
    assert_false(secret_equal(view_of(a, 3), view_of(b, 2)));
    for (int i = 0; i < 3; i++) {
        b[i] ^= 0x80;
        assert_false(secret_equal(view_of(a, 3), view_of(b, 3)));
        b[i] ^= 0x80;
    }
    secret_wipe(a, sizeof(a));
    assert_memory_equal(a, zeros, 3);
}

static void every_error_has_a_class_and_texts(void **state)
{
    (void)state;
    for (int err = ERR_OK; err < ERR_COUNT; err++) {
        assert_true(err_name((enum err)err)[0] != '\0');
        assert_true(err_text((enum err)err)[0] != '\0');
        assert_int_equal(err_class((enum err)err) == ERR_CLASS_NONE, err == ERR_OK);
    }
    assert_string_equal(err_name(ERR_SYNTAX), "SYNTAX");
    assert_int_equal(err_class(ERR_AUTH), ERR_CLASS_KILL);
    assert_int_equal(err_class(ERR_COUNT), ERR_CLASS_BUG);
}

static void time_never_overflows(void **state)
{
    (void)state;
    mono_t now = {1000};
    assert_int_equal(mono_add(now, 5).ms, 1005);
    assert_true(mono_is_never(mono_add(MONO_NEVER, 1)));
    assert_true(mono_is_never(mono_add(now, INT64_MAX)));
    assert_true(mono_reached(now, now));
    assert_false(mono_reached(now, mono_add(now, 1)));
    assert_int_equal(mono_since(mono_add(now, 7), now), 7);
    assert_int_equal(mono_min(now, MONO_NEVER).ms, 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cursor_reads_network_order),
        cmocka_unit_test(cursor_error_is_sticky),
        cmocka_unit_test(cursor_sub_bounds_the_child),
        cmocka_unit_test(cursor_over_nothing),
        cmocka_unit_test(cursor_random_reads_stay_inside),
        cmocka_unit_test(builder_writes_network_order),
        cmocka_unit_test(builder_lengths_and_patches),
        cmocka_unit_test(builder_without_room_is_bad_for_good),
        cmocka_unit_test(builder_refuses_a_length_that_does_not_fit),
        cmocka_unit_test(secrets_compare_and_wipe),
        cmocka_unit_test(every_error_has_a_class_and_texts),
        cmocka_unit_test(time_never_overflows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
