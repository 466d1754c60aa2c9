/* prf and truncated HMACs against RFC 4868, puzzles by RFC 8019, prf+ against its definition.
 */
#include "check.h"
#include "ike2_vectors.h"
#include "unhex.h"

#include "crypto/prf.h"
#include "ike/v2/puzzle.h"

static void test_auth_vectors(void **state)
{
    (void)state;
    for (size_t i = 0; i < CHECK_COUNT(auth_vectors); i++) {
        const struct auth_vector *v = &auth_vectors[i];
        uint8_t key[64], data[64], want[HASH_MAX], got[HASH_MAX];
        struct view data_view = unhex_view(v->data, data, sizeof(data));
        struct view key_view = unhex_view(v->key, key, sizeof(key));
        assert_int_equal(key_view.len, hash_len(v->hash));
        assert_int_equal(hmac_digest(v->hash, key_view, &data_view, 1, got), ERR_OK);
        assert_int_equal(unhex(v->prf, want, sizeof(want)), hash_len(v->hash));
        assert_memory_equal(got, want, hash_len(v->hash));
        assert_int_equal(unhex(v->icv, want, sizeof(want)), v->icv_len);
        assert_memory_equal(got, want, v->icv_len);
    }
}

/* Block by block from RFC 7296 section 2.13. */
static void test_prf_plus(void **state)
{
    (void)state;
    uint8_t key[] = {1, 2, 3}, got[300], want[320], octet;
    struct view seed[] = {view_of_text("first"), view_of_text("second")};
    for (size_t made = 0; made < sizeof(got); made += 32) {
        octet = (uint8_t)(made / 32 + 1);
        struct view parts[] = {view_of(want + made - 32 * (made != 0), made != 0 ? 32 : 0),
                               view_of_text("firstsecond"), view_of(&octet, 1)};
        assert_int_equal(hmac_digest(HASH_SHA2_256, view_of(key, 3), parts, 3, want + made),
                         ERR_OK);
    }
    for (size_t len = 0; len <= sizeof(got); len += 20) {
        memset(got, 0xee, sizeof(got));
        assert_int_equal(prf_plus(HASH_SHA2_256, view_of(key, 3), seed, 2, span_of(got, len)),
                         ERR_OK);
        assert_memory_equal(got, want, len);
        for (size_t i = len; i < sizeof(got); i++)
            assert_int_equal(got[i], 0xee);
    }
}

static void test_prf_plus_limits(void **state)
{
    (void)state;
    static uint8_t room[255 * 20 + 1];
    struct view seed[PRF_PLUS_PARTS + 1] = {{NULL, 0}};
    struct view key = view_of_text("k");
    assert_int_equal(prf_plus(HASH_SHA1, key, seed, 1, span_of(room, 255 * 20)), ERR_OK);
    assert_int_equal(prf_plus(HASH_SHA1, key, seed, 1, span_of(room, 255 * 20 + 1)), ERR_VALUE);
    assert_int_equal(prf_plus(HASH_SHA1, key, seed, PRF_PLUS_PARTS, span_of(room, 1)), ERR_OK);
    assert_int_equal(prf_plus(HASH_SHA1, key, seed, PRF_PLUS_PARTS + 1, span_of(room, 1)),
                     ERR_VALUE);
    assert_int_equal(prf_plus(HASH_COUNT, key, seed, 1, span_of(room, 1)), ERR_VALUE);
}

/*
 * The cookie of RFC 8019 section 4.4. The keys that the document gives for it do not solve its
 * puzzle: with none of them does HMAC-SHA-256 of the cookie end as printed. These are the first
 * four keys of three octets, found by an independent program from the definition.
 */
static const char puzzle_cookie[] = "739ae7492d8a810cf5e8dc0f9626c9dda773c5a3";
static const struct {
    const char *key, *tail;
    unsigned zero_bits;
} puzzle_rows[] = {
    {"00cd8a", "d9020c806e0a90859e962de0a8840000", 18},
    {"0390f7", "07d8afbd8079dd61d5b8761059580000", 19},
    {"088288", "30e4e86e78da1cc023a8e07dcae80000", 19},
    {"10efbe", "be83658a19f71afde35cf3f17f900000", 20},
};

static void test_puzzle_vectors(void **state)
{
    (void)state;
    uint8_t cookie_room[20], key[3], tail[16], got[HASH_MAX], solution[12];
    struct view cookie = unhex_view(puzzle_cookie, cookie_room, sizeof(cookie_room));
    for (size_t i = 0; i < CHECK_COUNT(puzzle_rows); i++) {
        struct view key_view = unhex_view(puzzle_rows[i].key, key, sizeof(key));
        unhex(puzzle_rows[i].tail, tail, sizeof(tail));
        assert_int_equal(hmac_digest(HASH_SHA2_256, key_view, &cookie, 1, got), ERR_OK);
        assert_memory_equal(got + 16, tail, 16);
        memcpy(solution + 3 * i, key, 3);
    }
    struct view all = view_of(solution, sizeof(solution));
    assert_int_equal(puzzle_check(HASH_SHA2_256, cookie, 18, all), ERR_OK);
    assert_int_equal(puzzle_check(HASH_SHA2_256, cookie, 19, all), ERR_AUTH);
    assert_int_equal(puzzle_check(HASH_SHA2_384, cookie, 18, all), ERR_AUTH);
    memcpy(solution, solution + 3, 3); /* one key twice */
    assert_int_equal(puzzle_check(HASH_SHA2_256, cookie, 18, all), ERR_AUTH);
}

static void test_puzzle_shapes(void **state)
{
    (void)state;
    uint8_t solution[4 * HASH_MAX + 4] = {0};
    struct view cookie = view_of_text("c");
    static const size_t wrong[] = {0, 1, 3, 5, 15, 4 * 33, 4 * HASH_MAX + 4};
    for (size_t i = 0; i < CHECK_COUNT(wrong); i++)
        assert_int_equal(puzzle_check(HASH_SHA2_256, cookie, 1, view_of(solution, wrong[i])),
                         ERR_SYNTAX);
    /* Zero bits asked for: any four keys will do, if they differ. */
    assert_int_equal(puzzle_check(HASH_SHA2_256, cookie, 0, view_of(solution, 4)), ERR_AUTH);
    solution[1] = 1, solution[2] = 2, solution[3] = 3;
    assert_int_equal(puzzle_check(HASH_SHA2_256, cookie, 0, view_of(solution, 4)), ERR_OK);
}

static void test_puzzle_solved(void **state)
{
    (void)state;
    struct view cookie = view_of_text("a cookie of ours");
    struct puzzle puzzle = {.prf = HASH_SHA2_256, .zero_bits = 8};
    bool done = false;
    unsigned slices = 0;
    for (; !done; slices++)
        assert_int_equal(puzzle_work(&puzzle, cookie, 100, &done), ERR_OK);
    assert_true(slices > 1);
    assert_int_equal(
        puzzle_check(HASH_SHA2_256, cookie, 8, view_of(puzzle.solution, sizeof(puzzle.solution))),
        ERR_OK);
    puzzle = (struct puzzle){.prf = HASH_SHA2_256, .zero_bits = 255, .next = UINT32_MAX - 1};
    assert_int_equal(puzzle_work(&puzzle, cookie, 100, &done), ERR_LIMIT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_auth_vectors),    cmocka_unit_test(test_prf_plus),
        cmocka_unit_test(test_prf_plus_limits), cmocka_unit_test(test_puzzle_vectors),
        cmocka_unit_test(test_puzzle_shapes),   cmocka_unit_test(test_puzzle_solved),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
