#include "check.h"

#include "base/base64.h"

/* RFC 4648 section 10 */
static const struct {
    const char *octets, *text;
} vectors[] = {
    {"", ""},
    {"f", "Zg=="},
    {"fo", "Zm8="},
    {"foo", "Zm9v"},
    {"foob", "Zm9vYg=="},
    {"fooba", "Zm9vYmE="},
    {"foobar", "Zm9vYmFy"},
};

static void published_vectors(void **state)
{
    (void)state;
    for (size_t i = 0; i < CHECK_COUNT(vectors); i++) {
        uint8_t room[16];
        size_t len;
        struct builder b = builder_on(span_of(room, sizeof(room)));
        base64_encode(&b, view_of_text(vectors[i].octets));
        check_view(builder_written(&b), view_of_text(vectors[i].text));
        assert_int_equal(b.len, base64_text_len(strlen(vectors[i].octets)));
        assert_true(base64_decode(view_of_text(vectors[i].text), span_of(room, 16), &len));
        check_view(view_of(room, len), view_of_text(vectors[i].octets));
    }
}

static void blanks_are_ignored(void **state)
{
    (void)state;
    uint8_t room[8];
    size_t len;
    assert_true(base64_decode(view_of_text(" Z\tm 9\r\nv Y g = = "), span_of(room, 8), &len));
    check_view(view_of(room, len), view_of_text("foob"));
}

static void malformed_texts(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "Z",    "Zg",    "Zg=",  "Zm8",        "=",     "==",      "===",      "====",
        "Z===", "Zh==",  "Zm9=", "Zg==Zg==",   "Zg==Z", "Zm9v=",   "Zm9v====", "Zm-v",
        "Zm9_", "Zm9v.", "Zg=v", "Zm9v\vYg==", "=Zg=",  "\x80m9v",
    };
    for (size_t i = 0; i < CHECK_COUNT(bad); i++) {
        uint8_t room[16];
        size_t len = 77;
        assert_false(base64_decode(view_of_text(bad[i]), span_of(room, 16), &len));
        assert_int_equal(len, 77);
    }
    uint8_t room[16];
    size_t len;
    assert_false(base64_decode(view_of("Zm\0v", 4), span_of(room, 16), &len));
}

static void room_is_respected(void **state)
{
    (void)state;
    uint8_t room[3];
    size_t len;
    assert_true(base64_decode(view_of_text("Zm9v"), span_of(room, 3), &len));
    assert_false(base64_decode(view_of_text("Zm9vYg=="), span_of(room, 3), &len));
}

static void any_octets_survive(void **state)
{
    (void)state;
    uint64_t seed = 64;
    for (int round = 0; round < 1000; round++) {
        uint8_t octets[50], text[80], back[50];
        size_t len = check_random(&seed) % sizeof(octets), back_len;
        check_rng_fill(&seed, octets, len);
        struct builder b = builder_on(span_of(text, sizeof(text)));
        base64_encode(&b, view_of(octets, len));
        assert_true(base64_decode(builder_written(&b), span_of(back, sizeof(back)), &back_len));
        check_view(view_of(back, back_len), view_of(octets, len));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(published_vectors),  cmocka_unit_test(blanks_are_ignored),
        cmocka_unit_test(malformed_texts),    cmocka_unit_test(room_is_respected),
        cmocka_unit_test(any_octets_survive),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
