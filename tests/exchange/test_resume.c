/*
 * What outlives a crash: saved SAs go on in a new engine, replays stay refused, records that don't
 * hold together do nothing; and without them INITIAL-CONTACT tells the peer.
 */
#include "forge.h"

static struct pair *up(unsigned tunnels)
{
    struct pair *pair = pair_new(NULL);
    for (unsigned n = 0; n < tunnels; n++) {
        pair->sides[PAIR_B].ticket = 1001 + n;
        assert_int_equal(pair_initiate(pair, PAIR_A, 7 + n, n), ERR_OK);
        pair_run(pair, 1000);
    }
    assert_int_equal(pair->sides[PAIR_A].up, tunnels);
    assert_int_equal(pair->sides[PAIR_B].up, tunnels);
    return pair;
}

static uint64_t ticket_of(unsigned side)
{
    return side == PAIR_A ? 7 : 1001;
}

static void forget_ladders(struct pair *pair)
{
    pair->sides[PAIR_A].ladder[0] = pair->sides[PAIR_B].ladder[0] = '\0';
}

static bool is_main_mode(const char *ladder)
{
    return strstr(ladder, "5D") != NULL || strstr(ladder, "5E") != NULL;
}

static size_t established(const struct pair *pair, unsigned side)
{
    struct ike_sa_info info;
    size_t count = 0;
    for (size_t i = 0; ike_sa_info(pair->sides[side].ike, i, &info); i++)
        count += info.established;
    return count;
}

/* OE-175: one record for the phase 1 SA, one for the child; none when all is over. */
static void test_records(void **state)
{
    struct pair *pair = up(1);
    (void)state;
    for (unsigned i = 0; i < PAIR_SIDES; i++) {
        assert_int_equal(pair_record_count(pair, i), 2);
        assert_true(pair->sides[i].connected);
    }
    assert_int_equal(pair_event(pair, PAIR_A, IKE_EV_DELETE_CHILD, 7), ERR_OK);
    pair_run(pair, 100);
    for (unsigned i = 0; i < PAIR_SIDES; i++)
        assert_int_equal(pair_record_count(pair, i), 1);
    pair_run(pair, 4 * 3600 * 1000);
    for (unsigned i = 0; i < PAIR_SIDES; i++) {
        assert_int_equal(pair_record_count(pair, i), 0);
        assert_false(pair->sides[i].connected);
    }
    pair_free(pair);
}

/* Either end crashes: nothing is said, and both keep what they had. */
static void test_goes_on(void **state)
{
    (void)state;
    for (unsigned side = 0; side < PAIR_SIDES; side++) {
        struct pair *pair = up(2);
        unsigned sent = pair->sent[PAIR_A] + pair->sent[PAIR_B];
        pair_crash(pair, side, true);
        pair_run(pair, 60000);
        assert_int_equal(pair->sent[PAIR_A] + pair->sent[PAIR_B], sent);
        assert_int_equal(established(pair, side), 1);
        assert_int_equal(pair_record_count(pair, side), 3);
        assert_true(pair->sides[side].connected);
        assert_int_equal(pair_check_keys(pair), 4);
        pair_free(pair);
    }
}

/* Re-keying, from either end, takes Quick Mode only, and the old child is deleted by both. */
static void test_rekey(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 4; i++) {
        unsigned crashed = i & 1, by = i >> 1;
        struct pair *pair = up(1);
        pair_crash(pair, crashed, true);
        forget_ladders(pair);
        pair->sides[!by].ticket = ticket_of(!by);
        assert_int_equal(pair_initiate(pair, by, ticket_of(by), 0), ERR_OK);
        pair_run(pair, 30000);
        assert_int_equal(pair->sides[PAIR_A].up, 2);
        assert_int_equal(pair->sides[PAIR_B].up, 2);
        assert_false(is_main_mode(pair->sides[by].ladder));
        assert_int_equal(pair_sad_count(pair, PAIR_A), 2);
        assert_int_equal(pair_sad_count(pair, PAIR_B), 2);
        assert_int_equal(pair_check_keys(pair), 2);
        assert_int_equal(pair_record_count(pair, crashed), 2);
        pair_free(pair);
    }
}

/* OE-103: Deletes are understood across a crash, whoever sends them. */
static void test_delete(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 4; i++) {
        unsigned crashed = i & 1, by = i >> 1;
        struct pair *pair = up(2);
        pair_crash(pair, crashed, true);
        assert_int_equal(pair_event(pair, by, IKE_EV_DELETE_CHILD, ticket_of(by)), ERR_OK);
        pair_run(pair, 1000);
        for (unsigned s = 0; s < PAIR_SIDES; s++) {
            assert_int_equal(pair->sides[s].deleted, 1);
            assert_true(pair->sides[s].last_deleted.ticket == ticket_of(s));
            assert_int_equal(pair_sad_count(pair, s), 2);
        }
        pair_free(pair);
    }
}

static bool lose_all(struct pair *pair, struct pair_datagram *d, void *ctx)
{
    (void)pair, (void)d, (void)ctx;
    return false;
}

/* OE-106, OE-107: a Delete unanswered when we crashed is repeated, three times in all. */
static void test_delete_under_way(void **state)
{
    struct pair *pair = up(1);
    (void)state;
    pair->tap = lose_all;
    unsigned sent = pair->sent[PAIR_A];
    assert_int_equal(pair_event(pair, PAIR_A, IKE_EV_DELETE_CHILD, 7), ERR_OK);
    pair_run(pair, 5000);
    pair_crash(pair, PAIR_A, true);
    pair_run(pair, 60000);
    assert_int_equal(pair->sent[PAIR_A], sent + 3);
    assert_int_equal(pair->sides[PAIR_A].deleted, 1);
    assert_int_equal(pair_sad_count(pair, PAIR_A), 0);
    assert_int_equal(pair_record_count(pair, PAIR_A), 1);
    pair_free(pair);
}

struct log {
    size_t count;
    struct pair_datagram entries[32];
};

static bool record(struct pair *pair, struct pair_datagram *d, void *ctx)
{
    struct log *log = ctx;
    (void)pair;
    assert_true(log->count < 32);
    log->entries[log->count++] = *d;
    return true;
}

/* Whatever went over the wire before the crash does nothing after it. */
static void test_replay(void **state)
{
    static struct log log;
    (void)state;
    for (unsigned side = 0; side < PAIR_SIDES; side++) {
        struct pair *pair = pair_new(NULL);
        log.count = 0;
        pair->tap = record;
        pair->tap_ctx = &log;
        assert_int_equal(pair_initiate(pair, PAIR_A, 7, 0), ERR_OK);
        pair_run(pair, 1000);
        assert_int_equal(pair_initiate(pair, PAIR_A, 8, 1), ERR_OK);
        pair_run(pair, 1000);
        assert_int_equal(pair_event(pair, PAIR_A, IKE_EV_DELETE_CHILD, 7), ERR_OK);
        pair_run(pair, 60000);
        size_t count = log.count;
        pair_crash(pair, side, true);
        unsigned asked = pair->sides[side].asked_authorization;
        for (size_t i = 0; i < count; i++)
            if (log.entries[i].from != side && !(i == 0 && side == PAIR_B))
                assert_true(pair_inject(pair, side, view_of(log.entries[i].octets,
                                                            log.entries[i].len)) != ERR_OK);
        /* its own messages sent back are no news either */
        for (size_t i = 1; i < count; i++)
            if (log.entries[i].from == side)
                assert_true(pair_inject(pair, side, view_of(log.entries[i].octets,
                                                            log.entries[i].len)) != ERR_OK);
        assert_int_equal(log.count, count);
        assert_int_equal(pair->sides[side].asked_authorization, asked);
        assert_true(pair_counter(pair, side, "replayed") >= 2);
        assert_int_equal(pair_sad_count(pair, side), 2);
        pair_free(pair);
    }
}

/* Message ids are remembered for the SA's whole life; with the last one it ends (no IV twice). */
static void test_ids_used_up(void **state)
{
    struct pair *pair = up(1);
    struct ike_sa *sa = pair->sides[PAIR_B].ike->all[0];
    msgid_t first = {sa->used_ids[0]};
    (void)state;
    for (uint32_t id = 1; sa->used_count < V1_WORN_IDS - 1; id++)
        if (!v1_msgid_used(sa, (msgid_t){id}))
            v1_msgid_mark(pair->sides[PAIR_B].ike, sa, (msgid_t){id});
    saved_sa(pair->sides[PAIR_B].ike, sa);
    assert_true(v1_msgid_used(sa, first));
    pair_drain(pair, PAIR_B);
    pair_crash(pair, PAIR_B, true);
    sa = pair->sides[PAIR_B].ike->all[0];
    assert_int_equal(sa->used_count, V1_WORN_IDS - 1);
    assert_true(v1_msgid_used(sa, first));

    assert_int_equal(pair_initiate(pair, PAIR_A, 8, 1), ERR_OK);
    pair_run(pair, 10000);
    assert_int_equal(pair->sides[PAIR_A].up, 2); /* what comes last is not cut off */
    assert_int_equal(pair->sides[PAIR_B].up, 2);
    assert_int_equal(pair_counter(pair, PAIR_B, "message-ids-used-up"), 1);
    pair->sides[PAIR_B].ticket = 1002;
    assert_int_equal(pair_initiate(pair, PAIR_B, 1003, 2), ERR_OK);
    pair_run(pair, 60000);
    assert_int_equal(pair->sides[PAIR_B].up, 3);
    assert_int_equal(established(pair, PAIR_A), 1); /* a new one */
    assert_int_equal(established(pair, PAIR_B), 1);
    assert_int_equal(pair->sides[PAIR_B].ike->all[0]->used_count, 1);
    assert_int_equal(pair_check_keys(pair), 6);
    pair_free(pair);
}

/* The largest record there is; then nothing new is taken on that SA. */
static void test_ids_full(void **state)
{
    struct pair *pair = up(1);
    struct ike_sa *sa = pair->sides[PAIR_B].ike->all[0];
    (void)state;
    for (uint32_t id = 1; sa->used_count < V1_USED_IDS; id++)
        if (!v1_msgid_used(sa, (msgid_t){id}))
            v1_msgid_mark(pair->sides[PAIR_B].ike, sa, (msgid_t){id});
    saved_sa(pair->sides[PAIR_B].ike, sa);
    pair_drain(pair, PAIR_B);
    unsigned sent = pair->sent[PAIR_B];
    assert_int_equal(pair_initiate(pair, PAIR_A, 8, 1), ERR_OK);
    pair_run(pair, 1000);
    assert_int_equal(pair->sent[PAIR_B], sent);
    pair_crash(pair, PAIR_B, true);
    assert_int_equal(pair->sides[PAIR_B].ike->all[0]->used_count, V1_USED_IDS);
    assert_true(pair->sides[PAIR_B].ike->all[0]->ids_full);
    pair_run(pair, 10000);
    assert_int_equal(pair->sides[PAIR_A].up, 2); /* over another one */
    pair_free(pair);
}

static void test_expired(void **state)
{
    struct pair_options options = {.config = {.ike_lifetime_s = 600}};
    struct pair *pair = pair_new(&options);
    (void)state;
    assert_int_equal(pair_initiate(pair, PAIR_A, 7, 0), ERR_OK);
    pair_run(pair, 1000);
    pair->now = mono_add(pair->now, 601 * 1000); /* the machine slept */
    pair_crash(pair, PAIR_A, true);
    assert_int_equal(established(pair, PAIR_A), 0);
    assert_int_equal(pair_counter(pair, PAIR_A, "unusable-record"), 1);
    assert_int_equal(pair_record_count(pair, PAIR_A), 1); /* the child's */
    pair_free(pair);
}

static enum err restore(struct pair *pair, uint64_t number, struct view bytes)
{
    const struct ike_event event = {.kind = IKE_EV_RESTORE, .serial = number, .bytes = bytes};
    enum err err = ike_input(pair->sides[PAIR_A].ike, pair->now, &event);
    pair_drain(pair, PAIR_A);
    return err;
}

/* Shortened, lengthened, of another version, or with any octet changed: no record breaks the engine,
 * and what can be told to be wrong is refused. */
static void test_bad_records(void **state)
{
    struct pair_record saved[2];
    struct pair *pair = up(1);
    (void)state;
    for (size_t r = 0; r < 2; r++) {
        saved[r] = pair->sides[PAIR_A].kept[r];
        saved[r].octets = malloc(saved[r].len + 1);
        assert_non_null(saved[r].octets);
        memcpy(saved[r].octets, pair->sides[PAIR_A].kept[r].octets, saved[r].len);
        saved[r].octets[saved[r].len] = 0;
    }
    for (size_t r = 0; r < 2; r++) {
        pair_crash(pair, PAIR_A, false);
        for (size_t len = 0; len < saved[r].len; len++)
            assert_true(restore(pair, 90, view_of(saved[r].octets, len)) != ERR_OK);
        assert_true(restore(pair, 90, view_of(saved[r].octets, saved[r].len + 1)) != ERR_OK);
        saved[r].octets[0]++;
        assert_int_equal(restore(pair, 90, view_of(saved[r].octets, saved[r].len)), ERR_VERSION);
        saved[r].octets[0]--;
        for (size_t i = 1; i < saved[r].len; i++) {
            pair_crash(pair, PAIR_A, false);
            saved[r].octets[i] ^= 0x95;
            (void)restore(pair, 90, view_of(saved[r].octets, saved[r].len));
            saved[r].octets[i] ^= 0x95;
            ike_timer(pair->sides[PAIR_A].ike, pair->now);
            pair_drain(pair, PAIR_A);
        }
        pair_crash(pair, PAIR_A, false);
        assert_int_equal(restore(pair, 90, view_of(saved[r].octets, saved[r].len)), ERR_OK);
        free(saved[r].octets);
    }
    pair_free(pair);
}

/* INITIAL-CONTACT */

static void former(struct pair *pair, unsigned side)
{
    const struct ike_event event = {
        .kind = IKE_EV_FORMER_PEER,
        .local = {.addr = pair->sides[side].addr.addr},
        .remote = {.addr = pair->sides[!side].addr.addr},
    };
    assert_int_equal(ike_input(pair->sides[side].ike, pair->now, &event), ERR_OK);
}

static enum err greet(struct pair *pair, unsigned side)
{
    const struct ike_event event = {
        .kind = IKE_EV_GREET,
        .local = {.addr = pair->sides[side].addr.addr},
        .remote = {.addr = pair->sides[!side].addr.addr},
        .peer_id = identity_of_addr(&pair->sides[!side].addr.addr),
        .keys = pair_public_key(pair->sides[!side].key),
        .key_count = 1,
    };
    enum err err = ike_input(pair->sides[side].ike, pair->now, &event);
    pair_drain(pair, side);
    return err;
}

/* OE-175, OE-176: the survivor drops what it had with the one that crashed, whoever begins. */
static void test_initial_contact(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 4; i++) {
        unsigned crashed = i & 1, by = i >> 1;
        struct pair *pair = up(2);
        unsigned sent = pair->sent[!crashed];
        pair_crash(pair, crashed, false);
        former(pair, crashed);
        if (by != crashed) /* it noticed by itself and starts anew */
            while (pair->sides[by].ike->all_count != 0)
                ike_sa_free(pair->sides[by].ike, pair->sides[by].ike->all[0]);
        assert_int_equal(pair_initiate(pair, by, 50, 5), ERR_OK);
        pair_run(pair, 1000);
        assert_int_equal(pair->sides[!crashed].deleted, 2);
        assert_int_equal(established(pair, !crashed), 1);
        assert_int_equal(pair->sides[PAIR_A].up, 3);
        assert_int_equal(pair->sides[PAIR_B].up, 3);
        assert_int_equal(pair_sad_count(pair, PAIR_A), 2);
        assert_int_equal(pair_sad_count(pair, PAIR_B), 2);
        assert_int_equal(pair_check_keys(pair), 2);
        assert_in_range(pair->sent[!crashed] - sent, 4, 5); /* no Delete: the peer knows */
        /* It is said once: another phase 1 SA takes nothing away. */
        former(pair, crashed);
        assert_int_equal(pair->sides[!crashed].deleted, 2);
        pair_free(pair);
    }
}

/* Once heard it is not repeated. */
static void test_said_once(void **state)
{
    struct pair *pair = up(1);
    (void)state;
    pair_crash(pair, PAIR_A, false);
    former(pair, PAIR_A);
    assert_int_equal(greet(pair, PAIR_A), ERR_OK);
    pair_run(pair, 1000);
    assert_int_equal(pair->sides[PAIR_B].deleted, 1);
    assert_int_equal(established(pair, PAIR_A), 1);
    assert_int_equal(established(pair, PAIR_B), 1);
    unsigned sent = pair->sent[PAIR_A];
    assert_int_equal(greet(pair, PAIR_A), ERR_OK); /* not a former peer any more */
    assert_int_equal(pair->sent[PAIR_A], sent);
    assert_int_equal(pair_initiate(pair, PAIR_A, 9, 1), ERR_OK);
    pair_run(pair, 1000);
    assert_int_equal(pair->sides[PAIR_A].up, 2);
    ike_sa_free(pair->sides[PAIR_A].ike, pair->sides[PAIR_A].ike->all[0]);
    assert_int_equal(pair_initiate(pair, PAIR_A, 10, 2), ERR_OK);
    pair_run(pair, 1000);
    assert_int_equal(pair->sides[PAIR_A].up, 3);
    assert_int_equal(pair->sides[PAIR_B].deleted, 1);
    pair_free(pair);
}

static void test_no_crash_no_contact(void **state)
{
    struct pair *pair = up(1);
    (void)state;
    pair_crash(pair, PAIR_A, false);
    assert_int_equal(pair_initiate(pair, PAIR_A, 9, 1), ERR_OK);
    pair_run(pair, 1000);
    assert_int_equal(pair->sides[PAIR_B].up, 2);
    assert_int_equal(pair->sides[PAIR_B].deleted, 0);
    pair_free(pair);
}

/* A peer at that address with another key, or with none it can prove, takes nothing away. */
static void test_only_authenticated(void **state)
{
    (void)state;
    for (unsigned known = 0; known < 2; known++) {
        struct pair *pair = up(1);
        pair_crash(pair, PAIR_A, false);
        pair->sides[PAIR_A].key = 2;
        pair->sides[PAIR_B].peer_keys[1] = 2;
        pair->sides[PAIR_B].peer_key_count = 1 + known;
        former(pair, PAIR_A);
        assert_int_equal(greet(pair, PAIR_A), ERR_OK);
        pair_run(pair, 1000);
        assert_int_equal(established(pair, PAIR_B), 1 + known);
        assert_int_equal(pair->sides[PAIR_B].deleted, 0);
        assert_int_equal(pair_sad_count(pair, PAIR_B), 2);
        pair_free(pair);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_records),
        cmocka_unit_test(test_goes_on),
        cmocka_unit_test(test_rekey),
        cmocka_unit_test(test_delete),
        cmocka_unit_test(test_delete_under_way),
        cmocka_unit_test(test_replay),
        cmocka_unit_test(test_ids_used_up),
        cmocka_unit_test(test_ids_full),
        cmocka_unit_test(test_expired),
        cmocka_unit_test(test_bad_records),
        cmocka_unit_test(test_initial_contact),
        cmocka_unit_test(test_said_once),
        cmocka_unit_test(test_no_crash_no_contact),
        cmocka_unit_test(test_only_authenticated),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
