/*
 * What an initiator makes of a message 6 that proves nothing, of keys too short to prove anything,
 * and of lifetimes and a full table that a peer chooses.
 */
#include "forge.h"

enum { FLAGS_AT = 19 };

static bool is_message6(const struct pair_datagram *d)
{
    return d->from == PAIR_B && pair_is_exchange(d, ISAKMP_MAIN_MODE) &&
           (d->octets[FLAGS_AT] & ISAKMP_FLAG_ENCRYPTED) != 0;
}

/* In the signature, as whoever sees the message can: the rest still decrypts. */
static void alter(struct pair_datagram *d)
{
    d->octets[d->len / 2] ^= 0x40;
}

static bool catch_message6(struct pair *pair, struct pair_datagram *d, void *ctx)
{
    struct pair_datagram *caught = ctx;
    (void)pair;
    if (!is_message6(d))
        return true;
    *caught = *d;
    return false;
}

static bool alter_message6(struct pair *pair, struct pair_datagram *d, void *ctx)
{
    (void)pair;
    (void)ctx;
    if (is_message6(d))
        alter(d);
    return true;
}

static struct pair *until_message6(struct pair_datagram *caught)
{
    struct pair *pair = pair_new(NULL);
    pair->tap = catch_message6;
    pair->tap_ctx = caught;
    assert_int_equal(pair_initiate(pair, PAIR_A, 7, 0), ERR_OK);
    pair_run(pair, 200);
    assert_true(caught->len != 0);
    return pair;
}

/* OE-065: a copy with another signature, sent ahead of the true message, fails nothing. */
static void test_altered_copy_first(void **state)
{
    static struct pair_datagram caught, forged;
    struct pair *pair = until_message6(&caught);
    (void)state;
    for (size_t at = 0; at < 3; at++) {
        forged = caught;
        alter(&forged);
        forged.octets[forged.len / 2 + 1] ^= (uint8_t)at;
        assert_int_equal(pair_give(pair, &forged), ERR_AUTH);
        assert_int_equal(pair->sides[PAIR_A].failed, 0);
        assert_int_equal(pair_counter(pair, PAIR_A, "bad-signature"), at + 1);
    }
    pair->tap = NULL;
    assert_int_equal(pair_give(pair, &caught), ERR_OK);
    pair_run(pair, 1000);
    assert_int_equal(pair->sides[PAIR_A].up, 1);
    assert_int_equal(pair_check_keys(pair), 2);
    pair_run(pair, 60000);
    assert_int_equal(pair->sides[PAIR_A].failed, 0);
    pair_free(pair);
}

/* OE-065: where no true one follows it is failure 3, sooner than silence would be failure 1. */
static void test_only_altered(void **state)
{
    struct pair *pair = pair_new(NULL);
    (void)state;
    pair->tap = alter_message6;
    assert_int_equal(pair_initiate(pair, PAIR_A, 7, 0), ERR_OK);
    pair_run(pair, 4900);
    assert_int_equal(pair->sides[PAIR_A].failed, 0);
    assert_true(pair->sent[PAIR_A] > 3); /* it asks again */
    pair_run(pair, 300);
    assert_int_equal(pair->sides[PAIR_A].failed, 1);
    assert_int_equal(pair->sides[PAIR_A].last_failed.failure, IKE_FAILURE_SIGNATURE);
    assert_string_equal(pair->sides[PAIR_A].last_failed.text, "the peer could not prove its key");
    assert_int_equal(pair->sides[PAIR_A].ike->all_count, 0);
    pair_free(pair);
}

/* Octets that don't decrypt to payloads are not even doubt: silence stays silence. */
static void test_garbage_is_silence(void **state)
{
    static struct pair_datagram caught, forged;
    struct pair *pair = until_message6(&caught);
    (void)state;
    forged = caught;
    forged.octets[30] ^= 0xff;
    assert_int_not_equal(pair_give(pair, &forged), ERR_OK);
    assert_int_equal(pair->sides[PAIR_A].failed, 0);
    pair_run(pair, 18000);
    assert_int_equal(pair->sides[PAIR_A].failed, 0);
    pair_run(pair, 3000);
    assert_int_equal(pair->sides[PAIR_A].failed, 1);
    assert_int_equal(pair->sides[PAIR_A].last_failed.failure, IKE_FAILURE_SILENT);
    pair_free(pair);
}

static struct pair *with_short_key(unsigned side, bool legacy)
{
    const struct pair_options options = {.legacy = legacy};
    struct pair *pair = pair_new(&options);
    pair->sides[side].key = PAIR_SHORT_KEY;
    pair->sides[!side].peer_keys[0] = PAIR_SHORT_KEY;
    assert_int_equal(pair_initiate(pair, PAIR_A, 7, 0),
                     side == PAIR_B && !legacy ? ERR_AUTH : ERR_OK);
    pair_run(pair, 30000);
    return pair;
}

/* A key of 1024 bits proves nothing, unless the administrator takes legacy algorithms. */
static void test_short_key(void **state)
{
    (void)state;
    for (unsigned side = 0; side < PAIR_SIDES; side++) {
        struct pair *pair = with_short_key(side, false);
        assert_int_equal(pair->sides[PAIR_A].up + pair->sides[PAIR_B].up, 0);
        assert_int_equal(pair->sides[PAIR_A].failed, 1);
        assert_int_equal(pair->sides[PAIR_B].authenticated, 0);
        if (side == PAIR_B) { /* known beforehand */
            assert_int_equal(pair->sent[PAIR_A], 0);
            assert_int_equal(pair->sides[PAIR_A].last_failed.failure, IKE_FAILURE_SIGNATURE);
            assert_non_null(strstr(pair->sides[PAIR_A].last_failed.text, "2048"));
        }
        pair_free(pair);
        pair = with_short_key(side, true);
        assert_int_equal(pair->sides[PAIR_A].up + pair->sides[PAIR_B].up, 2);
        pair_free(pair);
    }
}

/* One key of several is long enough: it is tried, the short one is not. */
static void test_short_key_beside_another(void **state)
{
    struct pair *pair = pair_new(NULL);
    (void)state;
    pair->sides[PAIR_A].peer_key_count = 2;
    pair->sides[PAIR_A].peer_keys[0] = PAIR_SHORT_KEY;
    pair->sides[PAIR_A].peer_keys[1] = 1;
    assert_int_equal(pair_initiate(pair, PAIR_A, 7, 0), ERR_OK);
    pair_run(pair, 1000);
    assert_int_equal(pair->sides[PAIR_A].up, 1);
    pair_free(pair);
}

static void offer_lifetimes(struct pair *pair, uint32_t seconds, uint64_t octets)
{
    struct ike_config *config = &pair->sides[PAIR_A].ike->config;
    config->ike_lifetime_s = seconds;
    config->child_lifetime_s = seconds;
    config->child_octets = octets;
    assert_int_equal(pair_initiate(pair, PAIR_A, 7, 0), ERR_OK);
    pair_run(pair, 200);
    assert_int_equal(pair->sides[PAIR_B].up, 1);
}

static const struct sa_params *any_sa(const struct pair *pair, unsigned side)
{
    for (size_t i = 0; i < PAIR_SAD_MAX; i++)
        if (pair->sides[side].sad[i].used)
            return &pair->sides[side].sad[i].params;
    fail();
    return NULL;
}

/* OE-194: a peer that offers lifetimes of nothing doesn't have us key for ever. */
static void test_tiny_lifetimes(void **state)
{
    struct pair *pair = pair_new(NULL);
    struct ike_sa_info info;
    (void)state;
    offer_lifetimes(pair, 1, 1024);
    const struct sa_params *sa = any_sa(pair, PAIR_B);
    assert_int_equal(sa->hard.seconds, LIMIT_CHILD_LIFE_MIN_S);
    assert_int_equal(sa->hard.octets, LIMIT_CHILD_OCTETS_MIN);
    assert_true(sa->soft.seconds > LIMIT_CHILD_LIFE_MIN_S / 2);
    assert_true(ike_sa_info(pair->sides[PAIR_B].ike, 0, &info));
    assert_int_equal(mono_since(info.expires, info.since), 1000 * LIMIT_IKE_LIFE_MIN_S);
    pair_free(pair);
}

/* ... but one above the floor is kept to, and our own may be as short as we like. */
static void test_modest_lifetimes(void **state)
{
    struct pair *pair = pair_new(NULL);
    (void)state;
    offer_lifetimes(pair, LIMIT_CHILD_LIFE_MIN_S + 1, LIMIT_CHILD_OCTETS_MIN + 1024);
    assert_int_equal(any_sa(pair, PAIR_B)->hard.seconds, LIMIT_CHILD_LIFE_MIN_S + 1);
    assert_int_equal(any_sa(pair, PAIR_B)->hard.octets, LIMIT_CHILD_OCTETS_MIN + 1024);
    pair_free(pair);
    pair = pair_new(NULL);
    pair->sides[PAIR_B].ike->config.child_lifetime_s = 7;
    offer_lifetimes(pair, 1, 1024);
    assert_int_equal(any_sa(pair, PAIR_B)->hard.seconds, 7);
    pair_free(pair);
}

/* A tunnel by another key of B's, so by another phase 1 SA. */
static void tunnel_by(struct pair *pair, unsigned key, uint64_t ticket)
{
    pair->sides[PAIR_B].key = key;
    pair->sides[PAIR_A].peer_keys[0] = key;
    assert_int_equal(pair_initiate(pair, PAIR_A, ticket, (unsigned)ticket), ERR_OK);
    pair_run(pair, 1000);
}

static bool has_sa(const struct ike *ike, uint64_t number)
{
    for (size_t i = 0; i < ike->all_count; i++)
        if (ike->all[i]->number == number)
            return true;
    return false;
}

/* OE-194: the SA in use is passed over, however old; where all are in use nobody is let in, and
 * finding that out costs the same few looks whatever the table's size. */
static void test_full_table(void **state)
{
    struct pair *pair = pair_new(NULL);
    struct ike *b = pair->sides[PAIR_B].ike;
    (void)state;
    tunnel_by(pair, 1, 7);
    tunnel_by(pair, 2, 8);
    assert_int_equal(b->all_count, 2);
    const struct ike_sa *first = TAILQ_FIRST(&b->established);
    const struct ike_sa *second = TAILQ_NEXT(first, of_established);
    uint64_t numbers[] = {first->number, second->number};
    b->sa_limit = 2;
    tunnel_by(pair, 2, 9); /* the same key again: no phase 1 needed */
    assert_int_equal(pair->sides[PAIR_A].up, 3);
    tunnel_by(pair, 0, 10);
    assert_int_equal(pair->sides[PAIR_A].up, 3);
    assert_true(has_sa(b, numbers[0]) && has_sa(b, numbers[1]));
    for (uint64_t ticket = 7; ticket < 10; ticket++)
        (void)pair_event(pair, PAIR_A, IKE_EV_DELETE_CHILD, ticket);
    pair_run(pair, 40000); /* linger over, too */
    tunnel_by(pair, 0, 11);
    assert_int_equal(pair->sides[PAIR_A].up, 4);
    assert_int_equal(b->all_count, 2);
    assert_true(has_sa(b, numbers[0]) != has_sa(b, numbers[1]));
    pair_free(pair);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_altered_copy_first), cmocka_unit_test(test_only_altered),
        cmocka_unit_test(test_garbage_is_silence), cmocka_unit_test(test_short_key),
        cmocka_unit_test(test_short_key_beside_another), cmocka_unit_test(test_tiny_lifetimes),
        cmocka_unit_test(test_modest_lifetimes),   cmocka_unit_test(test_full_table),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
