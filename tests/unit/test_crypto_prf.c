/* prf and truncated HMACs against RFC 4868, puzzles against RFC 8019, prf+ against its definition.
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

/* RFC 8019 section 4.4, example 1 */
static const char puzzle_cookie[] = "739ae7492d8a810cf5e8dc0f9626c9dda773c5a3";
static const struct {
    const char *key, *tail;
    unsigned zero_bits;
} puzzle_rows[] = {
    {"061840", "e4f957b859d7fb1343b7b94a816c0000", 18},
    {"073324", "0d4233d6278c96e3369227a075800000", 23},
    {"0c8a2a", "952a35d39d5ba06709da43af40700000", 20},
    {"0d94c8", "5a0452b21571e401a3d00803679c0000", 18},
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

/* Example 2 */
static void test_puzzle_22_bits(void **state)
{
    (void)state;
    uint8_t cookie_room[20], solution[16];
    struct view cookie = unhex_view(puzzle_cookie, cookie_room, sizeof(cookie_room));
    struct view all = unhex_view("005d9e57 010d8959 0110778d 01187e37", solution, sizeof(solution));
    assert_int_equal(puzzle_check(HASH_SHA2_256, cookie, 22, all), ERR_OK);
    assert_int_equal(puzzle_check(HASH_SHA2_256, cookie, 22, view_of(solution, 15)), ERR_SYNTAX);
    assert_int_equal(puzzle_check(HASH_SHA2_256, cookie, 22, view_of(solution, 0)), ERR_SYNTAX);
    uint8_t key[4] = {0x00, 0x5d, 0x9e, 0x57};
    struct puzzle puzzle = {.prf = HASH_SHA2_256, .zero_bits = 22, .next = 0x005d9e50};
    bool done = true;
    assert_int_equal(puzzle_work(&puzzle, cookie, 16, &done), ERR_OK);
    assert_false(done);
    assert_int_equal(puzzle.found, 1);
    assert_memory_equal(puzzle.solution, key, 4);
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
        cmocka_unit_test(test_puzzle_22_bits),  cmocka_unit_test(test_puzzle_solved),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
