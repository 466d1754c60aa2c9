/* IKE and ESP in a TCP stream (RFC 9329 sections 3 and 4). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "wire/ike_stream.h"

static uint8_t room[IKE_STREAM_FRAME_MAX + 1];

static void begins_with_the_prefix(void **state)
{
    uint8_t prefix[IKE_STREAM_PREFIX_LEN];
    (void)state;
    ike_stream_prefix(prefix);
    assert_memory_equal(prefix, "IKETCP", 6);
    for (size_t i = 0; i < sizeof(prefix); i++)
        assert_int_equal(ike_stream_begin(view_of(prefix, i)), IKE_STREAM_MORE);
    assert_int_equal(ike_stream_begin(view_of(prefix, 6)), IKE_STREAM_EMPTY);
    for (size_t i = 0; i < sizeof(prefix); i++) {
        prefix[i] ^= 0x20;
        for (size_t len = i + 1; len <= sizeof(prefix); len++)
            assert_int_equal(ike_stream_begin(view_of(prefix, len)), IKE_STREAM_BROKEN);
        prefix[i] ^= 0x20;
    }
}

static const struct {
    uint8_t octets[12];
    size_t len;
    enum ike_stream_kind kind;
    size_t used;
} rows[] = {
    {{0, 0}, 2, IKE_STREAM_BROKEN, 0},
    {{0, 1}, 2, IKE_STREAM_BROKEN, 0},
    {{0, 2}, 2, IKE_STREAM_EMPTY, 2},
    {{0, 3, 0xff}, 3, IKE_STREAM_KEEPALIVE, 3},
    {{0, 3, 0xfe}, 3, IKE_STREAM_MALFORMED, 3},
    {{0, 6, 0, 0, 0, 0}, 6, IKE_STREAM_MALFORMED, 6},
    {{0, 9, 1, 2, 3, 4, 5, 6, 7}, 9, IKE_STREAM_MALFORMED, 9},
    {{0, 10, 1, 2, 3, 4, 5, 6, 7, 8}, 10, IKE_STREAM_ESP, 10},
    {{0, 10, 0, 0, 0, 0, 5, 6, 7, 8}, 10, IKE_STREAM_MALFORMED, 10}, /* no IKE header */
    {{0}, 1, IKE_STREAM_MORE, 0},
    {{0, 10, 1, 2, 3, 4, 5, 6, 7}, 9, IKE_STREAM_MORE, 0},
    {{0xff, 0xff, 1}, 3, IKE_STREAM_MORE, 0},
};

static void tells_kinds_apart(void **state)
{
    struct view message;
    size_t used;
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        used = 0;
        assert_int_equal(ike_stream_next(view_of(rows[i].octets, rows[i].len), &used, &message),
                         rows[i].kind);
        assert_int_equal(used, rows[i].used);
    }
    assert_int_equal(ike_stream_next(view_of(NULL, 0), &used, &message), IKE_STREAM_MORE);
}

/* parse(build(x)) = x, from the shortest to the longest. */
static void builds_what_parses(void **state)
{
    static const size_t lens[] = {28, 29, 1400, 65529};
    (void)state;
    for (size_t i = 0; i < sizeof(lens) / sizeof(lens[0]); i++) {
        for (int ike = 0; ike < 2; ike++) {
            struct view message;
            size_t used, len = ike_stream_header(ike, lens[i], room);
            assert_int_equal(len, ike ? 6 : 2);
            memset(room + len, 0xab, lens[i]);
            assert_int_equal(ike_stream_next(view_of(room, len + lens[i]), &used, &message),
                             ike ? IKE_STREAM_IKE : IKE_STREAM_ESP);
            assert_int_equal(used, len + lens[i]);
            assert_int_equal(message.len, lens[i]);
            assert_ptr_equal(message.ptr, room + len);
        }
    }
    assert_int_equal(ike_stream_header(false, IKE_STREAM_MESSAGE_MAX, room), 2);
    assert_int_equal(ike_stream_header(false, IKE_STREAM_MESSAGE_MAX + 1, room), 0);
    assert_int_equal(ike_stream_header(true, IKE_STREAM_MESSAGE_MAX - 4, room), 6);
    assert_int_equal(ike_stream_header(true, IKE_STREAM_MESSAGE_MAX - 3, room), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(begins_with_the_prefix),
        cmocka_unit_test(tells_kinds_apart),
        cmocka_unit_test(builds_what_parses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
