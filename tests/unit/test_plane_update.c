/*
 * SADB_X_ADDUPD in the plane (addrmgmt-06 appendix E): what another user of the channel asks for is passed on,
 * and what can't be sent from where it was is asked for by the plane itself.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "plane_rig.h"

static const struct plane_config config = {.hold_failure = PFKEY_VERDICT_DENY};
static struct rig *rig;
static struct ip_pair way;
static struct sa_params first, second, other;

static int begin(void **state)
{
    const struct ip_pair flow = rig_pair("192.1.0.65", "192.2.0.66");
    const struct ip_pair elsewhere = rig_pair("192.1.1.4", "192.1.1.6");
    (void)state;
    rig = rig_new(&config);
    assert_non_null(rig);
    way = rig_pair("192.1.1.4", "192.1.1.5");
    first = rig_sa(1000, &flow, &way);
    second = rig_sa(1001, &flow, &way); /* of another peer behind the same NAT, perhaps */
    other = rig_sa(1002, &flow, &elsewhere);
    first.ticket = 5;
    assert_int_equal(rig_install(rig, PFKEY_ADD, &first).error, 0);
    assert_int_equal(rig_install(rig, PFKEY_ADD, &second).error, 0);
    assert_int_equal(rig_install(rig, PFKEY_ADD, &other).error, 0);
    rig_clear(rig);
    return 0;
}

static int end(void **state)
{
    (void)state;
    rig_free(rig);
    return 0;
}

static void ask(const struct sa_params *sa, const char *new_src, const char *new_dst)
{
    struct pfkey_message m = {.type = PFKEY_X_ADDUPD,
                              .satype = PFKEY_SATYPE_ESP,
                              .seq = 99,
                              .pid = 4711,
                              .has = PFKEY_HAS_SA | PFKEY_HAS_NEW_ENDS,
                              .sa = *sa};
    uint8_t room[LIMIT_PFKEY_MESSAGE];
    size_t len;
    if (new_src != NULL)
        m.new_src.addr = rig_addr(new_src);
    if (new_dst != NULL)
        m.new_dst.addr = rig_addr(new_dst);
    assert_int_equal(pfkey_build(&m, span_of(room, sizeof(room)), &len), ERR_OK);
    plane_control(rig->plane, rig->now, view_of(room, len));
}

/* ADR-099, ADR-100: those who listen get one message that nobody asked for; who asked gets no answer, not even
 * that there is no such SA. Nothing has moved. */
static void a_wish_is_passed_on(void **state)
{
    (void)state;
    ask(&first, "192.1.1.14", NULL);
    assert_int_equal(rig->told_count, 1);
    const struct pfkey_message *m = rig_last(rig, PFKEY_X_ADDUPD);
    assert_int_equal(m->pid, 0);
    assert_int_equal(m->sa.spi.value, 1000);
    assert_true(ip_addr_equal(&m->sa.outer_dst, &way.dst));
    assert_true(ip_addr_equal(&m->new_src.addr, &(struct ip_addr){4, {192, 1, 1, 14}}));
    assert_int_equal(m->new_dst.addr.family, IP_NONE);
    assert_int_equal(m->ticket, 5);
    assert_false(m->has & PFKEY_HAS_KEYS);
    ask(&first, "2001:db8::14", "2001:db8::15"); /* the other family, both ends */
    assert_int_equal(rig->told_count, 2);
    assert_int_equal(rig_last(rig, PFKEY_X_ADDUPD)->new_dst.addr.family, IP_V6);

    struct sa_params unknown = first;
    unknown.spi.value = 7777;
    ask(&unknown, "192.1.1.14", NULL);
    assert_int_equal(rig->told_count, 2);
    assert_int_equal(rig_counter(rig, "control_refused"), 1);
    rig_clear(rig);
    const struct ip_pair flow = rig_pair("192.1.0.65", "192.2.0.66");
    assert_int_equal(rig_policy(rig, &flow, PFKEY_VERDICT_ENCRYPT, &first, 5).error, 0);
    rig_send_mark(rig, &flow, 1);
    assert_int_equal(rig->out_count, 1);
    assert_true(ip_addr_equal(&rig->outs[0].outer.src, &way.src));
}

static void lost(const char *new_src)
{
    const struct ip_addr source = rig_addr(new_src);
    plane_source_lost(rig->plane, rig->now, &way, &source);
}

/* ADR-099, ADR-100: each SA that goes that way, at most once a second, and again as long as it does. */
static void a_lost_source_is_told(void **state)
{
    (void)state;
    lost("192.1.1.14");
    assert_int_equal(rig_told(rig, PFKEY_X_ADDUPD), 2);
    lost("192.1.1.14");
    assert_int_equal(rig_told(rig, PFKEY_X_ADDUPD), 2);
    rig_advance(rig, 1001);
    lost("192.1.1.4"); /* the system would still send from there */
    assert_int_equal(rig_told(rig, PFKEY_X_ADDUPD), 2);
    lost("192.1.1.14");
    assert_int_equal(rig_told(rig, PFKEY_X_ADDUPD), 4);
    assert_int_equal(rig_counter(rig, "address_updates_asked"), 4);

    /* IKE has done it for one of them (ADR-103). */
    struct pfkey_message move = {.type = PFKEY_UPDATE,
                                 .has = PFKEY_HAS_SA | PFKEY_HAS_NEW_ENDS,
                                 .sa = first,
                                 .new_src.addr = rig_addr("192.1.1.14"),
                                 .new_dst.addr = way.dst};
    assert_int_equal(rig_ask(rig, &move).error, 0);
    rig_clear(rig);
    rig_advance(rig, 1001);
    lost("192.1.1.14");
    assert_int_equal(rig_told(rig, PFKEY_X_ADDUPD), 1);
    assert_int_equal(rig_last(rig, PFKEY_X_ADDUPD)->sa.spi.value, 1001);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_wish_is_passed_on, begin, end),
        cmocka_unit_test_setup_teardown(a_lost_source_is_told, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
