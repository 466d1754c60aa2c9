/* Groups against RFC 2409, RFC 3526 and RFC 5903; hostile public values (RFC 6989 section 2). */
#include "crypto/dh.h"

#include "crypto_vectors.h"
#include "unhex.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const uint16_t all_groups[] = {2, 5, 14, 15, 16, 17, 18, 19, 20, 21};

/* A generator that repeats itself from a seed. */
static void counting_fill(void *ctx, uint8_t *ret, size_t len)
{
    uint64_t *state = ctx;
    for (size_t i = 0; i < len; i++) {
        *state = *state * 6364136223846793005u + 1442695040888963407u;
        ret[i] = (uint8_t)(*state >> 56);
    }
}

/* A generator that hands out given octets, then only ones. */
static void scripted_fill(void *ctx, uint8_t *ret, size_t len)
{
    struct view *script = ctx;
    for (size_t i = 0; i < len; i++) {
        ret[i] = script->len != 0 ? *script->ptr : 0xff;
        if (script->len != 0) {
            script->ptr++;
            script->len--;
        }
    }
}

static struct dh *dh_seeded(uint16_t group, uint64_t seed)
{
    struct rng rng = {counting_fill, &seed};
    struct dh *dh = NULL;
    assert_int_equal(dh_new(group, &rng, &dh), ERR_OK);
    return dh;
}

static void test_both_sides_agree(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(all_groups); i++) {
        uint16_t group = all_groups[i];
        struct dh *a = dh_seeded(group, 1), *b = dh_seeded(group, 2),
                  *a_again = dh_seeded(group, 1);
        uint8_t of_a[DH_MAX], of_b[DH_MAX];
        assert_int_equal(dh_public(a).len, dh_public_len(group));
        assert_int_equal(dh_group(a), group);
        assert_int_equal(dh_shared(a, dh_public(b), of_a), ERR_OK);
        assert_int_equal(dh_shared(b, dh_public(a), of_b), ERR_OK);
        assert_memory_equal(of_a, of_b, dh_secret_len(group));
        assert_false(view_equal(dh_public(a), dh_public(b)));
        assert_true(view_equal(dh_public(a), dh_public(a_again)));
        dh_free(a);
        dh_free(b);
        dh_free(a_again);
    }
}

static void minus(uint8_t *number, size_t len, uint8_t less)
{
    for (size_t i = len; i-- > 0;) {
        uint8_t before = number[i];
        number[i] = (uint8_t)(before - less);
        if (before >= less)
            break;
        less = 1;
    }
}

/*
 * p - 2 is accepted, p - 1 and p are not, and neither are 0 and 1: only the prime of the text
 * answers so.
 */
static void test_modp_primes_and_bounds(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(modp_vectors); i++) {
        uint16_t group = modp_vectors[i].group;
        uint8_t number[DH_MAX], secret[DH_MAX];
        memset(secret, 0x77, sizeof(secret));
        size_t len = unhex(modp_vectors[i].prime, number, sizeof(number));
        assert_int_equal(len, dh_public_len(group));
        struct dh *dh = dh_seeded(group, 3);
        struct view y = view_of(number, len);
        assert_int_equal(dh_shared(dh, y, secret), ERR_VALUE);
        minus(number, len, 1);
        assert_int_equal(dh_shared(dh, y, secret), ERR_VALUE);
        memset(number, 0, len);
        assert_int_equal(dh_shared(dh, y, secret), ERR_VALUE);
        number[len - 1] = 1;
        assert_int_equal(dh_shared(dh, y, secret), ERR_VALUE);
        memset(number, 0xff, len);
        assert_int_equal(dh_shared(dh, y, secret), ERR_VALUE);
        assert_int_equal(secret[0], 0x77);
        number[len - 1] = 2;
        memset(number, 0, len - 1);
        /* 2 is the generator, so the secret is our own public value. */
        assert_int_equal(dh_shared(dh, y, secret), ERR_OK);
        assert_true(view_equal(view_of(secret, len), dh_public(dh)));
        unhex(modp_vectors[i].prime, number, sizeof(number));
        minus(number, len, 2);
        assert_int_equal(dh_shared(dh, y, secret), ERR_OK);
        dh_free(dh);
    }
}

/* A secret with leading zeros keeps its length. One in 256 has them, so look for one. */
static void test_modp_left_padding(void **state)
{
    (void)state;
    struct dh *dh = dh_seeded(14, 4);
    uint8_t y[256] = {0}, secret[256], product[256];
    unsigned found = 0;
    for (unsigned base = 2; base < 2000 && found == 0; base++) {
        y[254] = (uint8_t)(base >> 8);
        y[255] = (uint8_t)base;
        memset(secret, 0xee, sizeof(secret));
        assert_int_equal(dh_shared(dh, view_of(y, sizeof(y)), secret), ERR_OK);
        found = secret[0] == 0;
    }
    assert_int_equal(found, 1);
    /* The other side sees the same number. */
    struct dh *other = dh_seeded(14, 5);
    assert_int_equal(dh_shared(other, view_of(secret, sizeof(secret)), product), ERR_OK);
    dh_free(other);
    dh_free(dh);
}

static void test_wrong_lengths(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(all_groups); i++) {
        uint16_t group = all_groups[i];
        uint8_t octets[DH_MAX + 1] = {0}, secret[DH_MAX];
        struct dh *a = dh_seeded(group, 1), *b = dh_seeded(group, 2);
        struct view good = dh_public(b);
        memcpy(octets + 1, good.ptr, good.len);
        assert_int_equal(dh_shared(a, view_of(octets, good.len + 1), secret), ERR_VALUE);
        assert_int_equal(dh_shared(a, view_of(good.ptr, good.len - 1), secret), ERR_VALUE);
        assert_int_equal(dh_shared(a, view_of(NULL, 0), secret), ERR_VALUE);
        dh_free(a);
        dh_free(b);
    }
}

static struct dh *dh_scripted(uint16_t group, const char *private_value)
{
    uint8_t octets[DH_MAX];
    struct view script = unhex_view(private_value, octets, sizeof(octets));
    struct rng rng = {scripted_fill, &script};
    struct dh *dh = NULL;
    assert_int_equal(dh_new(group, &rng, &dh), ERR_OK);
    return dh;
}

static struct view point(const char *x, const char *y, uint8_t *room, size_t room_len)
{
    size_t len = unhex(x, room, room_len);
    len += unhex(y, room + len, room_len - len);
    return view_of(room, len);
}

static void test_ecp_vectors(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(ecp_vectors); i++) {
        const struct ecp_vector *v = &ecp_vectors[i];
        uint8_t i_room[132], r_room[132], want[66], got[66];
        struct dh *initiator = dh_scripted(v->group, v->i);
        struct dh *responder = dh_scripted(v->group, v->r);
        struct view gi = point(v->gix, v->giy, i_room, sizeof(i_room));
        struct view gr = point(v->grx, v->gry, r_room, sizeof(r_room));
        assert_true(view_equal(dh_public(initiator), gi));
        assert_true(view_equal(dh_public(responder), gr));
        size_t len = unhex(v->girx, want, sizeof(want));
        assert_int_equal(len, dh_secret_len(v->group));
        assert_int_equal(dh_shared(initiator, gr, got), ERR_OK);
        assert_memory_equal(got, want, len);
        assert_int_equal(dh_shared(responder, gi, got), ERR_OK);
        assert_memory_equal(got, want, len);
        dh_free(initiator);
        dh_free(responder);
    }
}

static void test_ecp_hostile(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(ecp_vectors); i++) {
        const struct ecp_vector *v = &ecp_vectors[i];
        uint8_t room[132], secret[66];
        memset(secret, 0x77, sizeof(secret));
        struct dh *dh = dh_seeded(v->group, 6);
        struct view y = point(v->gix, v->giy, room, sizeof(room));
        room[y.len - 1] ^= 1; /* off the curve */
        assert_int_equal(dh_shared(dh, y, secret), ERR_VALUE);
        memset(room, 0, sizeof(room));
        assert_int_equal(dh_shared(dh, y, secret), ERR_VALUE);
        memset(room, 0xff, sizeof(room)); /* coordinates not below p */
        assert_int_equal(dh_shared(dh, y, secret), ERR_VALUE);
        assert_int_equal(secret[0], 0x77);
        dh_free(dh);
    }
}

/* Zero and values from the order up are thrown away, and the next candidate is taken. */
static void test_ecp_rejection(void **state)
{
    (void)state;
    const struct ecp_vector *v = &ecp_vectors[0];
    uint8_t octets[96], gi_room[132];
    memset(octets, 0, 32);
    memset(octets + 32, 0xff, 32);
    unhex(v->i, octets + 64, 32);
    struct view script = view_of(octets, sizeof(octets));
    struct rng rng = {scripted_fill, &script};
    struct dh *dh = NULL;
    assert_int_equal(dh_new(19, &rng, &dh), ERR_OK);
    assert_true(view_equal(dh_public(dh), point(v->gix, v->giy, gi_room, sizeof(gi_room))));
    assert_int_equal(script.len, 0);
    dh_free(dh);
    /* A generator that is stuck is noticed. */
    dh = NULL;
    assert_int_equal(dh_new(19, &rng, &dh), ERR_CRYPTO);
    assert_null(dh);
}

static void test_unknown_groups(void **state)
{
    (void)state;
    unsigned known = 0;
    struct dh *dh = NULL;
    uint64_t seed = 1;
    struct rng rng = {counting_fill, &seed};
    for (unsigned group = 0; group <= UINT16_MAX; group++) {
        if (dh_group_known((uint16_t)group)) {
            assert_non_null(dh_group_name((uint16_t)group));
            assert_true(dh_public_len((uint16_t)group) <= DH_MAX);
            known++;
            continue;
        }
        assert_null(dh_group_name((uint16_t)group));
        assert_int_equal(dh_public_len((uint16_t)group), 0);
        assert_int_equal(dh_secret_len((uint16_t)group), 0);
        assert_int_equal(dh_new((uint16_t)group, &rng, &dh), ERR_UNSUPPORTED);
    }
    assert_int_equal(known, COUNT(all_groups));
    assert_null(dh);
    dh_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_both_sides_agree),  cmocka_unit_test(test_modp_primes_and_bounds),
        cmocka_unit_test(test_modp_left_padding), cmocka_unit_test(test_wrong_lengths),
        cmocka_unit_test(test_ecp_vectors),       cmocka_unit_test(test_ecp_hostile),
        cmocka_unit_test(test_ecp_rejection),     cmocka_unit_test(test_unknown_groups),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
