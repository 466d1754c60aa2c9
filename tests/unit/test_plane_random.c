/*
 * Random operations on a plane, held against a model of a few lines that knows no tables, bursts,
 * heaps or lists: what leaves, in which order, and in which state each flow is.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "plane_rig.h"

enum { FLOWS = 9, SPD_LIMIT = 7, SAS = 4, HOLD_MS = 25000, PROVISIONAL_MS = 60000 };
enum { EXPECT_MAX = 256 };

struct model_flow {
    enum pfkey_verdict state; /* NONE: nonexistent */
    int first, last;          /* marks; 0: none */
    int64_t until;            /* end of hold or of a provisional verdict; 0: none */
    int sa;
    uint64_t touched; /* order of last use, to a second */
    int64_t touched_at;
};

struct model_sa {
    bool there;
    uint64_t left; /* packets to its hard limit; 0: no limit */
};

struct model {
    enum pfkey_verdict failure;
    int64_t now;
    uint64_t touches;
    struct model_flow flows[FLOWS];
    struct model_sa sas[SAS];
    size_t expected;
    int expect[EXPECT_MAX]; /* a mark in the clear, or minus the SPI */
    uint64_t sent;
};

static int spi_of(int sa)
{
    return 0x1000 + sa;
}

static void expect(struct model *m, int what)
{
    assert_true(m->expected < EXPECT_MAX);
    m->expect[m->expected++] = what;
}

static void model_hold(struct model *m, struct model_flow *f)
{
    f->state = PFKEY_VERDICT_HOLD;
    f->until = m->now + HOLD_MS;
}

static void model_sa_gone(struct model *m, int sa)
{
    m->sas[sa].there = false;
    for (int i = 0; i < FLOWS; i++)
        if (m->flows[i].state == PFKEY_VERDICT_ENCRYPT && m->flows[i].sa == sa)
            model_hold(m, &m->flows[i]);
}

static void model_datagram(struct model *m, struct model_flow *f, int mark)
{
    switch (f->state) {
    case PFKEY_VERDICT_NONE:
        model_hold(m, f);
        f->first = mark;
        break;
    case PFKEY_VERDICT_HOLD:
        *(f->first == 0 ? &f->first : &f->last) = mark;
        break;
    case PFKEY_VERDICT_PASS:
        expect(m, mark);
        break;
    case PFKEY_VERDICT_DENY:
        break;
    case PFKEY_VERDICT_ENCRYPT:
        expect(m, -spi_of(f->sa));
        if (m->sas[f->sa].left > 0 && --m->sas[f->sa].left == 0)
            model_sa_gone(m, f->sa);
        break;
    }
}

static void model_make_room(struct model *m)
{
    struct model_flow *oldest = NULL;
    int count = 0;
    for (int i = 0; i < FLOWS; i++) {
        struct model_flow *f = &m->flows[i];
        if (f->state == PFKEY_VERDICT_NONE)
            continue;
        count++;
        if (oldest == NULL || f->touched < oldest->touched)
            oldest = f;
    }
    if (count == SPD_LIMIT)
        *oldest = (struct model_flow){0};
}

static void model_touch(struct model *m, struct model_flow *f)
{
    f->touched = ++m->touches;
    f->touched_at = m->now;
}

static void model_send(struct model *m, struct model_flow *f, int mark)
{
    if (f->state == PFKEY_VERDICT_NONE)
        model_make_room(m);
    if (f->state == PFKEY_VERDICT_NONE || m->now - f->touched_at >= 1000)
        model_touch(m, f);
    m->sent++;
    model_datagram(m, f, mark);
}

static void model_release(struct model *m, struct model_flow *f)
{
    int marks[2] = {f->first, f->last};
    f->first = f->last = 0;
    for (int i = 0; i < 2; i++)
        if (marks[i] != 0)
            model_datagram(m, f, marks[i]);
}

static void model_set(struct model *m, struct model_flow *f, enum pfkey_verdict verdict, int sa)
{
    if (f->state == PFKEY_VERDICT_NONE) {
        model_make_room(m);
        model_touch(m, f);
    }
    f->state = verdict;
    f->sa = sa;
    f->until = 0;
    if (verdict == PFKEY_VERDICT_HOLD)
        model_hold(m, f);
    else
        model_release(m, f);
}

/* The flow whose time comes next, up to now. */
static struct model_flow *model_due(struct model *m)
{
    struct model_flow *next = NULL;
    for (int i = 0; i < FLOWS; i++) {
        struct model_flow *f = &m->flows[i];
        if (f->until != 0 && f->until <= m->now && (next == NULL || f->until < next->until))
            next = f;
    }
    return next;
}

static void model_advance(struct model *m, int64_t ms)
{
    struct model_flow *f;
    m->now += ms;
    while ((f = model_due(m)) != NULL) {
        int64_t at = f->until;
        if (f->state == PFKEY_VERDICT_HOLD) {
            f->state = m->failure;
            f->until = at + PROVISIONAL_MS;
            model_release(m, f);
        } else {
            *f = (struct model_flow){0};
        }
    }
}

/* The same on both sides */

static struct ip_pair flow_of(int i)
{
    struct ip_pair flow = rig_pair("192.1.0.65", "192.2.0.0");
    flow.dst.octets[3] = (uint8_t)i;
    return flow;
}

static struct sa_params sa_of(int sa, uint64_t hard)
{
    struct ip_pair flow = flow_of(0), gws = rig_pair("192.1.1.4", "192.1.1.5");
    struct sa_params params = rig_sa((uint32_t)spi_of(sa), &flow, &gws);
    params.inner_dst = ip_prefix_of(&flow.dst, 24);
    params.hard.packets = hard;
    return params;
}

static int compare_ints(const void *a, const void *b)
{
    int x = *(const int *)a, y = *(const int *)b;
    return (x > y) - (x < y);
}

/* Timers of one moment may run in any order, so what they send is compared sorted. */
static void compare_sent(struct model *m, struct rig *rig, bool sorted)
{
    int sent[EXPECT_MAX];
    assert_int_equal(rig->out_count, m->expected);
    for (size_t i = 0; i < rig->out_count; i++) {
        const uint8_t *p = rig->outs[i].octets;
        bool esp = rig->outs[i].kind == PLANE_OUT_ESP;
        assert_true(esp || rig->outs[i].kind == PLANE_OUT_CLEAR);
        sent[i] = esp ? -(p[0] << 24 | p[1] << 16 | p[2] << 8 | p[3]) : rig_mark(rig, i);
    }
    if (sorted) {
        qsort(sent, m->expected, sizeof(int), compare_ints);
        qsort(m->expect, m->expected, sizeof(int), compare_ints);
    }
    for (size_t i = 0; i < m->expected; i++)
        assert_int_equal(sent[i], m->expect[i]);
    m->expected = 0;
    rig_clear(rig);
}

static void compare_states(const struct model *m, struct rig *rig)
{
    size_t count = 0, sas = 0;
    for (int i = 0; i < FLOWS; i++) {
        struct pfkey_message get = {
            .type = PFKEY_X_POLICY_GET, .has = PFKEY_HAS_FLOW, .flow = flow_of(i)};
        struct pfkey_message answer = rig_ask(rig, &get);
        enum pfkey_verdict state = m->flows[i].state;
        assert_int_equal(answer.error != 0, state == PFKEY_VERDICT_NONE);
        if (state == PFKEY_VERDICT_NONE)
            continue;
        count++;
        assert_int_equal(answer.verdict, state);
        if (state == PFKEY_VERDICT_ENCRYPT)
            assert_int_equal(answer.sa.spi.value, spi_of(m->flows[i].sa));
    }
    for (int i = 0; i < SAS; i++)
        sas += m->sas[i].there;
    assert_int_equal(plane_spd_count(rig->plane), count);
    assert_int_equal(plane_sad_count(rig->plane), sas);
    rig_clear(rig);
}

/* Every datagram ended in exactly one way, or is still held. */
static void compare_totals(const struct model *m, const struct rig *rig)
{
    uint64_t ended = rig_counter(rig, "out_clear") + rig_counter(rig, "out_encrypted");
    const char *name;
    uint64_t value;
    for (size_t i = 0; plane_counter(rig->plane, i, &name, &value); i++)
        if (strncmp(name, "drop_", 5) == 0)
            ended += value;
    for (int i = 0; i < FLOWS; i++)
        ended += (m->flows[i].first != 0) + (m->flows[i].last != 0);
    assert_int_equal(ended, m->sent);
    assert_int_equal(rig_counter(rig, "no_transition"), 0);
    assert_int_equal(rig_counter(rig, "control_lost"), 0);
}

static void op_send(struct model *m, struct rig *rig)
{
    int i = (int)(random() % FLOWS), mark = 1 + (int)(random() % 200);
    size_t count = random() % 4 != 0 ? 1 : 1 + (size_t)random() % LIMIT_BURST;
    struct ip_pair flow = flow_of(i);
    for (size_t n = 0; n < count; n++)
        model_send(m, &m->flows[i], mark + (int)n);
    rig_send_burst(rig, &flow, (uint8_t)mark, count);
}

static void op_set(struct model *m, struct rig *rig)
{
    static const enum pfkey_verdict verdicts[] = {PFKEY_VERDICT_HOLD, PFKEY_VERDICT_PASS,
                                                  PFKEY_VERDICT_DENY, PFKEY_VERDICT_ENCRYPT,
                                                  PFKEY_VERDICT_ENCRYPT};
    int i = (int)(random() % FLOWS), sa = (int)(random() % SAS);
    enum pfkey_verdict verdict = verdicts[random() % 5];
    bool encrypts = verdict == PFKEY_VERDICT_ENCRYPT;
    struct ip_pair flow = flow_of(i);
    struct sa_params params = sa_of(sa, 0);
    bool possible = !encrypts || m->sas[sa].there;
    struct pfkey_message answer = rig_policy(rig, &flow, verdict, encrypts ? &params : NULL, 1);
    assert_int_equal(answer.error == 0, possible);
    if (possible)
        model_set(m, &m->flows[i], verdict, sa);
}

static void op_remove(struct model *m, struct rig *rig)
{
    int i = (int)(random() % FLOWS);
    struct pfkey_message remove = {
        .type = PFKEY_X_POLICY_DELETE, .has = PFKEY_HAS_FLOW, .flow = flow_of(i)};
    bool there = m->flows[i].state != PFKEY_VERDICT_NONE;
    assert_int_equal(rig_ask(rig, &remove).error == 0, there);
    m->flows[i] = (struct model_flow){0};
}

static void op_sa(struct model *m, struct rig *rig)
{
    int sa = (int)(random() % SAS);
    uint64_t hard = random() % 2 ? 0 : 1 + (uint64_t)random() % 60;
    struct sa_params params = sa_of(sa, hard);
    struct pfkey_message remove = {.type = PFKEY_DELETE, .has = PFKEY_HAS_SA, .sa = params};
    if (!m->sas[sa].there) {
        assert_int_equal(rig_install(rig, PFKEY_ADD, &params).error, 0);
        m->sas[sa] = (struct model_sa){true, hard};
        return;
    }
    if (random() % 3 != 0)
        return;
    assert_int_equal(rig_ask(rig, &remove).error, 0);
    model_sa_gone(m, sa);
}

static void run(unsigned seed, enum pfkey_verdict failure)
{
    struct plane_config config = {.hold_failure = failure, .spd = SPD_LIMIT};
    struct rig *rig = rig_new(&config);
    struct model m = {.failure = failure, .now = rig->now.ms};
    srandom(seed);
    for (int step = 0; step < 3000; step++) {
        unsigned dice = (unsigned)random() % 100;
        bool sorted = false;
        if (dice < 60) {
            op_send(&m, rig);
        } else if (dice < 80) {
            op_set(&m, rig);
        } else if (dice < 84) {
            op_remove(&m, rig);
        } else if (dice < 92) {
            op_sa(&m, rig);
        } else if (dice < 94) {
            plane_keyd_changed(rig->plane, rig->now, random() & 1);
        } else {
            int64_t ms = random() % 9000;
            model_advance(&m, ms);
            rig_advance(rig, ms);
            sorted = true;
        }
        compare_sent(&m, rig, sorted);
        compare_states(&m, rig);
        compare_totals(&m, rig);
    }
    rig_free(rig);
}

static void the_plane_is_its_model_failing_to_deny(void **state)
{
    (void)state;
    for (unsigned seed = 1; seed <= 15; seed++)
        run(seed, PFKEY_VERDICT_DENY);
}

static void the_plane_is_its_model_failing_to_pass(void **state)
{
    (void)state;
    for (unsigned seed = 101; seed <= 115; seed++)
        run(seed, PFKEY_VERDICT_PASS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_plane_is_its_model_failing_to_deny),
        cmocka_unit_test(the_plane_is_its_model_failing_to_pass),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
