/*
 * Each row of the transition tables that waits for an answer of our own side: answered under a number that
 * nobody asked with, with an answer to another question, twice, and with no. The first three are counted
 * and change nothing; the last ends the exchange and leaves nothing behind.
 */
#include "scene.h"

static const enum ike_effect_kind questions[] = {
    IKE_FX_NEED_KEYS, IKE_FX_NEED_SIGNATURE, IKE_FX_NEED_DECRYPTION, IKE_FX_NEED_AUTHORIZATION, IKE_FX_NEED_SPI,
    IKE_FX_INSTALL,
};
enum { QUESTIONS = sizeof(questions) / sizeof(questions[0]), ROWS = 96 };

static struct scene scene;
static struct face before, after;
static bool row_seen[ROWS];

typedef void trial(enum ike_effect_kind kind);

static enum v1_trigger trigger_of(enum ike_effect_kind kind)
{
    switch (kind) {
    case IKE_FX_NEED_KEYS:
        return V1_ON_PEER_KEYS;
    case IKE_FX_NEED_SIGNATURE:
        return V1_ON_SIGNED;
    case IKE_FX_NEED_DECRYPTION:
        return V1_ON_DECRYPTED;
    case IKE_FX_NEED_AUTHORIZATION:
        return V1_ON_AUTHORIZED;
    case IKE_FX_NEED_SPI:
        return V1_ON_SPI;
    default:
        return V1_ON_INSTALLED;
    }
}

static struct pair_side *asked(void)
{
    return &scene.pair->sides[scene.receiver];
}

static void note_row(enum ike_effect_kind kind)
{
    const struct ike_sa *sa = scene_sa(&scene);
    const struct v1_quick *quick = LIST_FIRST(&sa->quicks);
    const struct v1_exchange *x = quick != NULL ? &quick->x : &sa->main;
    const struct v1_row *row = v1_row_find(x->state, trigger_of(kind), v1_way_of(sa));
    assert_non_null(row);
    scene.row = row;
    for (size_t i = 0; v1_row_at(i) != NULL; i++)
        row_seen[i] |= v1_row_at(i) == row;
}

static void everywhere(trial *run)
{
    for (size_t c = 0; c < course_count; c++)
        for (unsigned side = 0; side < PAIR_SIDES; side++)
            for (unsigned k = 0; k < QUESTIONS; k++)
                for (unsigned nth = 0; scene_ask(&scene, &courses[c], side, questions[k], nth); nth++) {
                    note_row(questions[k]);
                    run(questions[k]);
                    scene_close(&scene);
                }
}

static void check_stale(const struct pair_question *q)
{
    scene.kind = scene.row->sends != V1_NO_MESSAGE ? scene.row->sends : V1_INFO;
    face_take(&before, &scene);
    assert_int_equal(pair_answer(scene.pair, scene.receiver, q), ERR_UNKNOWN);
    pair_drain(scene.pair, scene.receiver);
    face_take(&after, &scene);
    assert_string_equal(face_counted(&before, &after, &scene), "stale-answer");
    face_same(&before, &after, &scene);
    assert_int_equal(before.sent, after.sent);
}

static void stale(enum ike_effect_kind kind)
{
    struct pair_question q = asked()->held;
    asked()->hold[kind] = false;
    q.serial += 1000;
    check_stale(&q);
    q.serial = 0;
    check_stale(&q);
    for (unsigned other = 0; other < QUESTIONS; other++) {
        q = asked()->held;
        q.kind = questions[other];
        q.hash_len = 32;
        q.effect.scheme = pair_public_key(asked()->key)->alg == KEY_RSA ? SIGNATURE_IKE1_RSA
                                                                        : SIGNATURE_IKE1_ECDSA;
        if (q.kind != kind)
            check_stale(&q);
    }
    assert_int_equal(pair_answer(scene.pair, scene.receiver, &asked()->held), ERR_OK);
    pair_drain(scene.pair, scene.receiver);
    check_stale(&asked()->held);
    scene.pair->tap = NULL;
    pair_run(scene.pair, 4000);
    for (unsigned s = 0; s < PAIR_SIDES; s++)
        assert_int_equal(scene.pair->sides[s].up, 1);
    assert_int_equal(pair_check_keys(scene.pair), 2);
}

static void test_stale(void **state)
{
    (void)state;
    everywhere(stale);
}

static void answer_no(enum ike_effect_kind kind)
{
    struct pair *pair = scene.pair;
    asked()->no_keys = asked()->no_signature = asked()->refuse = true;
    asked()->no_spi = asked()->no_install = true;
    asked()->hold[kind] = false;
    assert_true(pair_answer(pair, scene.receiver, &asked()->held) != ERR_OK);
    pair_drain(pair, scene.receiver);
    pair->tap = NULL;
    pair_run(pair, 90000);
    assert_int_equal(asked()->up, 0);
    assert_int_equal(pair->sides[PAIR_A].failed + pair->sides[PAIR_A].deleted, 1);
    for (unsigned s = 0; s < PAIR_SIDES; s++) {
        assert_int_equal(pair_sad_count(pair, s), 0);
        assert_int_equal(pair->sides[s].ike->questions.count, 0);
        assert_int_equal(pair->sides[s].ike->children.count, 0);
    }
}

static void test_no(void **state)
{
    (void)state;
    everywhere(answer_no);
}

/* All of them, but those that need nobody: a start, and a shared key where a signature would be asked for. */
static void test_every_row(void **state)
{
    const struct v1_row *row;
    (void)state;
    for (size_t i = 0; (row = v1_row_at(i)) != NULL; i++) {
        bool alone = row->on == V1_ON_MESSAGE || row->on == V1_ON_START || row->sends == V1_AM2_PSK;
        if (!alone && !row_seen[i])
            fail_msg("no question for %s: %s", v1_state_name(row->state), row->story);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_stale),
        cmocka_unit_test(test_no),
        cmocka_unit_test(test_every_row),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
